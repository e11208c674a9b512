"""Derived formulas and code: parsed, compiled and run for real, against the oracle."""

import functools
import itertools
import json
import math
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest

from dezero import Variable, calculus
from dezero.functions import FUNCTIONS
from dezero.programs.dialects import FORMS
from dezero.programs.formula import formulas
from dezero.programs.trace import Program
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse
from tests.conftest import cases

CASES = [case for case in cases() if case["smooth"] and case.get("grad")]


@functools.cache
def derived(text: str) -> tuple[list[str], Program]:
    """The inputs of an expression and the program of its value and gradient."""
    expression = parse(text)
    names = symbolic.free_names(expression)
    return names, symbolic.program(expression, names, names)


def faults(case, results):
    """Where results (the value, then the gradient by input) are not the oracle's."""
    names, _ = derived(case["expr"])
    expected = [("value", case["value"], case["noise"]["value"])]
    expected += [(name, case["grad"][name], case["noise"]["grad"][name]) for name in names]
    for got, (what, want, noise) in zip(results, expected, strict=True):
        if got is None or not abs(got - want) <= max(1e-12 * abs(want), 8 * noise):
            yield case["id"], what, got, want


@pytest.mark.unmeasured
def test_derived_formulas_parse_and_give_the_oracles_gradient():
    wrong = []
    for case in CASES:
        _, program = derived(case["expr"])
        inputs = {name: Variable(np.array(value)) for name, value in case["vars"].items()}
        results = [float(parse(f).evaluate(inputs).data) for f in formulas(program)]
        wrong += faults(case, results)
    assert wrong == []


def code(form: str, case, count: int) -> str:
    """The function of a case, its name made unique."""
    names, program = derived(case["expr"])
    outputs = [(), *((name,) for name in names)]
    text = FORMS[form](program, outputs, "a case")
    return text.replace(" f(", f" f{count}(")


def arguments(case) -> str:
    names, _ = derived(case["expr"])
    return ", ".join(repr(case["vars"][name]) for name in names)


@pytest.mark.unmeasured
def test_c(tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    parts, calls = ["#include <stdio.h>\n"], []
    for count, case in enumerate(CASES):
        size = len(derived(case["expr"])[0])
        parts.append(code("c", case, count))
        calls.append(
            f'{{ double g[{size}]; printf("[%.17g", f{count}({arguments(case)}, g));'
            f' for (int i = 0; i < {size}; i++) printf(", %.17g", g[i]); puts("]"); }}'
        )
    (tmp_path / "cases.c").write_text(
        "".join(parts) + "int main(void) {\n" + "\n".join(calls) + "\nreturn 0; }\n"
    )
    build = [
        "cc",
        "-std=c99",
        "-Wall",
        "-Werror",
        "-Wno-unused-variable",
        "-O0",
        "-o",
        "cases",
        "cases.c",
        "-lm",
    ]
    subprocess.run(build, cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "cases"], capture_output=True, text=True, check=True).stdout
    lines = [
        json.loads(line.replace("nan", "NaN").replace("inf", "Infinity"))
        for line in out.splitlines()
    ]
    wrong = [f for case, line in zip(CASES, lines, strict=True) for f in faults(case, line)]
    assert wrong == []


@pytest.mark.unmeasured
def test_javascript(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("no node")
    parts = []
    for count, case in enumerate(CASES):
        parts.append(code("js", case, count))
        parts.append(f"console.log(JSON.stringify(Object.values(f{count}({arguments(case)}))));\n")
    (tmp_path / "cases.js").write_text('"use strict";\n' + "".join(parts))
    run = ["node", "cases.js"]
    out = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    lines = map(json.loads, out.splitlines())
    wrong = [f for case, line in zip(CASES, lines, strict=True) for f in faults(case, line)]
    assert wrong == []


@pytest.mark.unmeasured
def test_numpy():
    wrong = []
    for case in CASES:
        namespace = {}
        exec(code("numpy", case, 0), namespace)
        names, _ = derived(case["expr"])
        with np.errstate(all="ignore"):
            results = namespace["f0"](*(np.float64(case["vars"][name]) for name in names))
        wrong += faults(case, results if isinstance(results, tuple) else (results,))
    assert wrong == []


def rows(case) -> tuple[str, str]:
    """SQL that makes the table of one row, and the query for it."""
    names, program = derived(case["expr"])
    columns = ", ".join(f'CAST({case["vars"][name]!r} AS DOUBLE) AS "{name}"' for name in names)
    outputs = [(), *((name,) for name in names)]
    return f"CREATE TABLE input AS SELECT {columns}", FORMS["sql"](program, outputs, "a case")


@pytest.mark.unmeasured
def test_sqlite():
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("SELECT sin(1.0), ln(1.0), power(2.0, 3.0)")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without mathematical functions")
    wrong = []
    for case in CASES:
        table, query = rows(case)
        connection.execute(table)
        wrong += faults(case, connection.execute(query).fetchone())
        connection.execute("DROP TABLE input")
    connection.close()
    assert wrong == []


def test_duckdb():
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    connection = duckdb.connect()
    wrong = []
    for case in CASES[::7]:
        table, query = rows(case)
        connection.execute(table)
        wrong += faults(case, connection.execute(query).fetchone())
        connection.execute("DROP TABLE input")
    connection.close()
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x**3/2 - y", {"x": "3*x**2/2", "y": "-1"}),
        ("a*b+c", {"a": "b", "b": "a", "c": "1"}),
        ("x/y", {"x": "1/y", "y": "-x/y/y"}),
        ("sqrt(x**2+y**2)", {"x": "x/sqrt(x**2 + y**2)", "y": "y/sqrt(x**2 + y**2)"}),
        ("0.1*x**2", {"x": "0.2*x"}),
        ("x**2/3", {"x": "2*x/3"}),
        ("where(x>0, log(x), 0)", {"x": "where(x > 0, 1/x, 0)"}),
        ("where(x>0, x**2, -x)", {"x": "where(x > 0, 2*x, -1)"}),
        ("where(x>0, x, 2) - 3*where(x>0, x*y, y)", {"x": "where(x > 0, 1 - 3*y, 0)", "y": None}),
        ("3*where(x>0, x, y)", {"x": "where(x > 0, 3, 0)", "y": "where(x > 0, 0, 3)"}),
        ("where((x>0)==0, x, 2)", {"x": "where(x > 0, 0, 1)"}),
        ("where(x==0, 3, x)", {"x": "where(x == 0, 0, 1)"}),
        ("x*(x>0)*(x>0)*(x==y)*(x>=y)", {"x": "x == y and x > 0", "y": "0"}),
        ("x**x", {"x": "where(x == 0, 0, x*x**(x - 1) + x**x*log(x))"}),
        ("(x-y)**2", {"x": "2*(x - y)", "y": "-2*(x - y)"}),
        ("x**0.5", {"x": "x**-0.5/2"}),
        ("tanh(x)", {"x": "1/cosh(x)**2"}),
        ("sin(pi*x)", {"x": "pi*cos(pi*x)"}),
        ("x-(y-z)", {"x": "1", "y": "-1", "z": "1"}),
        ("abs(x)", {"x": "sign(x)"}),
        ("2**32**3**x**0*y", {"x": "0", "y": "inf"}),
        ("123456789**60**x**0*y", {"x": "0", "y": "inf"}),
        ("(1e290*x**0 + 9e290*x**0)*y", {"x": "0", "y": "1e+291"}),
    ],
)
def test_formulas_are_as_a_person_writes_them(text, expected):
    gradient = symbolic.gradient(parse(text))
    assert {name: expected[name] and text for name, text in gradient.items()} == expected


@pytest.mark.parametrize("text", ["sigmoid(x - x)*x", "where(x > 0, x, x)*softplus(x - x)"])
def test_a_function_that_is_left_with_constants_is_one(text):
    gradient = symbolic.gradient(parse(text))["x"]
    assert float(parse(gradient).evaluate({"x": Variable(np.array(3.0))}).data) == pytest.approx(
        0.5 if "sigmoid" in text else math.log(2), rel=1e-15
    )


PIECEWISE = ["x**y", "x**x", "hypot(x, y)", "maximum(x, y)**2", "where(x>y, x**2, -x)*hypot(x, y)"]


@pytest.mark.parametrize("text", PIECEWISE)
def test_choices_that_became_one_choose_as_the_engine_does(text):
    expression = parse(text)
    names = symbolic.free_names(expression)
    wanted, program = symbolic.derivatives(expression, names, names, 2)
    second = [parse(formula) for formula in formulas(program)[1:]]
    for x, y in itertools.product([0.0, 0.5, 1.0, 2.0], repeat=2):
        given = {name: {"x": x, "y": y}[name] for name in names}
        matrix = calculus.hessian(
            lambda *xs: expression.evaluate(dict(zip(names, xs, strict=True)))
        )
        entries = np.ravel(matrix(*given.values()))
        exact = dict(zip(itertools.product(names, names), entries, strict=True))
        inputs = {name: Variable(np.array(value)) for name, value in given.items()}
        got = [float(formula.evaluate(inputs).data) for formula in second]
        np.testing.assert_allclose(got, [exact[key] for key in wanted], 1e-14, err_msg=str(given))


def test_a_long_sum_and_a_long_product_are_written_in_linear_time():
    names, program = derived("+".join(["sin(x)*y"] * 3000))
    assert names == ["x", "y"] and len(formulas(program)[0]) < 100_000
    long = "*".join(f"(x+{i})" for i in range(1000))
    assert len(derived(long)[1].operations) < 10_000


def test_eight_orders_stay_small():
    expression = parse("sin(x*y)*exp(-x**2)")
    wanted, program = symbolic.derivatives(expression, ["x", "y"], ["x", "y"], 8)
    assert len(wanted) == 9 and len(program.operations) < 2000
    at = {"x": 0.3, "y": -0.7}
    import mpmath

    with mpmath.workdps(40):
        oracle = mpmath.diff(
            lambda x, y: mpmath.sin(x * y) * mpmath.exp(-(x**2)), (0.3, -0.7), (5, 3)
        )
    got = program.run(at)[1 + wanted.index(("x",) * 5 + ("y",) * 3)][0]
    assert got == pytest.approx(float(oracle), rel=1e-9)


NAN = ["min(x, y)", "max(x, y)", "relu(x)*y", "clip(x, y, 1)", "sign(x)*y", "abs(x - y)"]


@pytest.mark.parametrize("expr", NAN)
def test_nan_stays_in_c(tmp_path, expr):
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    program = symbolic.program(parse(expr), ["x", "y"], ["x", "y"])
    text = FORMS["c"](program, [(), ("x",), ("y",)], expr)
    main = '#include <stdio.h>\nint main(void) { double g[2]; printf("%f", f(NAN, 1, g)); }\n'
    (tmp_path / "f.c").write_text(text + main)
    subprocess.run(["cc", "-Wall", "-Werror", "-o", "f", "f.c", "-lm"], cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "f"], capture_output=True, text=True, check=True).stdout
    assert out.endswith("nan")


def test_missing_numbers_stay_missing_in_sql():
    program = symbolic.program(parse("min(x, y) + max(x, y)"), ["x", "y"], [])
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE input (x, y)")
    base.execute("INSERT INTO input VALUES (NULL, 1.0), (1.0, NULL), (1.0, 2.0)")
    rows = base.execute(FORMS["sql"](program, [()], "")).fetchall()
    assert rows == [(None,), (None,), (3.0,)]


def test_names_in_sql_differ_by_more_than_their_case():
    program = symbolic.program(parse("cos(T1)*exp(cos(T1))*T2"), ["T1", "T2"], [])
    base = sqlite3.connect(":memory:")
    base.create_function("cos", 1, math.cos)
    base.create_function("exp", 1, math.exp)
    base.execute("CREATE TABLE input (T1, T2)")
    base.execute("INSERT INTO input VALUES (0.5, 2.0)")
    (row,) = base.execute(FORMS["sql"](program, [()], "")).fetchall()
    assert row[0] == pytest.approx(2 * math.cos(0.5) * math.exp(math.cos(0.5)), rel=1e-14)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("x/y*y", "x"),
        ("x*y/y", "x"),
        ("x/y/y", "x/y/y"),
        ("x/(y*y)", "x/y**2"),
        ("x*(y*z)", "y*z*x"),
        ("x*y*(y*z)", "x*y*(y*z)"),
        ("x/(y*z)*z", "x/y"),
        ("x*y/x", "y"),
        ("x*y*z/x", "x*y*z/x"),
        ("x*y*z*y/x", "x*y*z*y/x"),
        ("1/(x/y)", "y/x"),
        ("(x/y)**2", "(x/y)**2"),
        ("x**2*x", "x**3"),
        ("y*x*x", "y*x*x"),
        ("x + (y + z)", "y + z + x"),
        ("x/1e-310", "x/1e-310"),
        ("3*x/(1e-200*y)/2", "3*x/(1e-200*y)/2"),
        ("1/x**2", "1/x**2"),
        ("x**-2", "x**-2"),
        ("-(-2e8*x*(3e8*y))*z", "200000000*x*(300000000*y)*z"),
    ],
)
def test_factors_keep_the_order_in_which_no_value_leaves_the_range(text, printed):
    assert formulas(symbolic.program(parse(text), ["x", "y", "z"], []))[0] == printed


POWERS = [1.0, -1.0, 0.0, 2.0, np.inf, -np.inf, np.nan, 1.5, -0.5, 1e200, -3.0]


@pytest.mark.parametrize("text", ["x**y", "1**y", "(-1)**y", "exp2(x)**y"])
def test_javascripts_power_of_one_is_ieees(tmp_path, text):
    if shutil.which("node") is None:
        pytest.skip("no node")
    program = symbolic.program(parse(text), ["x", "y"], [])
    pairs = list(itertools.product(POWERS, repeat=2))
    calls = ", ".join(f"f({x}, {y}).value" for x, y in pairs).replace("inf", "Infinity")
    script = FORMS["js"](program, [()], "") + f"console.log([{calls.replace('nan', 'NaN')}].join())"
    out = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True).stdout
    with np.errstate(all="ignore"):
        expected = program.run(dict(zip("xy", np.array(pairs).T, strict=True)))[0]
    got = [float(part.replace("Infinity", "inf")) for part in out.split(",")]
    np.testing.assert_allclose(got, np.broadcast_to(expected, len(got)), 1e-14)


@pytest.mark.parametrize(
    ("text", "latex", "printed"),
    [
        ("1e-7", r"\left(1 \cdot 10^{-7}\right)", "1e-07"),
        ("(1/3)", r"\left(\frac{1}{3}\right)", "(1/3)"),
        ("(2*pi)", r"\left(2 \, \pi\right)", "(2*pi)"),
        ("(pi**2)", r"\left({\pi}^{2}\right)", "(pi**2)"),
        ("(pi/3)", r"\left(\frac{\pi}{3}\right)", "(pi/3)"),
        ("(2*pi)**0.5", r"\sqrt{2 \, \pi}", "sqrt(2*pi)"),
        ("(1/(3*sqrt(2*pi)))", r"\left(\frac{1}{3 \, \sqrt{2 \, \pi}}\right)", None),
    ],
)
def test_a_constant_is_one_base_and_one_exponent(text, latex, printed):
    program = symbolic.program(parse(f"({text})**x*y**({text})"), ["x", "y"], [])
    assert f"{{{latex}}}^{{x}}" in FORMS["latex"](program, [()], "")
    (formula,) = formulas(program)
    assert printed is None or f"{printed}**x" in formula
    point = {name: Variable(np.array(value)) for name, value in (("x", 0.75), ("y", 1.5))}
    right = parse(f"({text})**x*y**({text})").evaluate(point).data
    np.testing.assert_allclose(parse(formula).evaluate(point).data, right, rtol=1e-14)


@pytest.mark.parametrize(
    "known", [k for k in FUNCTIONS.values() if k.elementwise], ids=lambda k: k.name
)
@pytest.mark.parametrize("constant", ["x-x", "x/x"])
def test_a_function_of_what_folds_to_a_number(known, constant):
    """It is computed as the engine computes it, in every form."""
    given = ["1" if name in known.orders else constant for name in known.parameters]
    text = f"y*{known.name}({', '.join(given)})"
    names, program = derived(text)
    point = {name: Variable(np.array(value)) for name, value in (("x", 0.5), ("y", 1.5))}
    point = {name: point[name] for name in names}
    with np.errstate(all="ignore"):
        right = parse(text).evaluate(point).data
    for form in FORMS.values():
        assert form(program, [(), *((name,) for name in names)], text)
    got = parse(formulas(program)[0]).evaluate(point).data
    np.testing.assert_allclose(got, right, rtol=1e-15)

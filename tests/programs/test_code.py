"""Code as people keep it: what it looks like, and that it runs where people run it."""

import ctypes
import math
import random
import re
import shutil
import subprocess

import numpy as np
import pytest

from dezero.programs.code import Options
from dezero.programs.dialects import FORMS
from dezero.programs.formula import FormulaError
from dezero.programs.trace import Program
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse

WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wconversion",
    "-pedantic",
    "-Wshadow",
    "-Werror",
]
BUILDS = [["gcc", "-std=c99"], ["g++", "-x", "c++"]]


def code(form, text, **options):
    expression = parse(text)
    names = symbolic.free_names(expression)
    wanted, program = symbolic.derivatives(expression, names, names)
    return FORMS[form](program, [(), *wanted], text, Options(**options))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x**3", ["return t1*x;", "grad[0] = 3.0*t1;  /* d_x */"]),
        ("y*x**3", ["const double t2 = t1*x;", "return y*t2;"]),
        ("x**4*y", ["const double t1 = x*x*x;", "const double t2 = t1*x;"]),
        ("y/x**2", ["return y/t1;", "grad[1] = -2.0*y/t1/x;  /* d_x */"]),
        ("x**7", ["return pow(x, 7.0);"]),
        ("x**0.5", ["return pow(x, 0.5);"]),
        ("x**-2", ["return 1.0/t1;", "grad[0] = -2.0/(t1*x);  /* d_x */"]),
        ("(x + y)**2", ["const double t1 = x + y;", "return t1*t1;"]),
        ("a*b*c + exp(a*b)", ["const double t1 = a*b;", "return t1*c + t2;"]),
        ("x*y - 2*(x*y)**2", ["const double t1 = x*y;"]),
        (
            "where((a < b)*(c < d), x, y)",
            ["const int t1 = a < b && c < d;", "return (t1 ? x : y);"],
        ),
        ("where(x > 0, x**2, -x)", ["return (x > 0.0 ? x*x : -x);"]),
        ("where((x > y) == 0, x, 2)", ["return (x > y ? 2.0 : x);"]),
        ("where(((x < 0) + (x > 1)) == 0, x, 2)", ["const int t1 = !(x < 0.0 || x > 1.0);"]),
        ("where((x < y) + (x > 1), x, 2)", ["const int t1 = x < y || x > 1.0;"]),
        (
            "where((x < y) + (x > 1)*(y > 2), x, 2)",
            ["const int t1 = x < y || (x > 1.0 && y > 2.0);"],
        ),
        ("where(where(x > y, 0, x > 1), x, 2)", ["!(x > y) && x > 1.0"]),
        (
            "where(where(x > y, x < 3, x > 1), x, 2)",
            ["const int t1 = (x > y && x < 3.0) || (!(x > y) && x > 1.0);"],
        ),
        ("where(where(x > y, 1, x > 1), x, 2)", ["x > y || x > 1.0"]),
        ("where(where(x > y, x > 1, 1), x, 2)", ["!(x > y) || x > 1.0"]),
        ("where(x, y < 1, 0)", ["return (x != 0.0 && y < 1.0 ? 1.0 : 0.0);"]),
        ("x*(y < 1)*2", ["return 2.0*x*(y < 1.0 ? 1.0 : 0.0);"]),
        ("(x < 1)*(y < 1)", ["return (x < 1.0 && y < 1.0 ? 1.0 : 0.0);"]),
        ("x**0*y", ["(void)x;"]),
        ("2", ["double f(void) {", "return 2.0;"]),
    ],
)
def test_c_is_as_an_engineer_writes_it(text, expected):
    written = code("c", text)
    assert [piece for piece in expected if piece not in written] == [], written


@pytest.mark.parametrize("form", ["c", "python", "numpy", "js", "sql"])
@pytest.mark.parametrize(
    "text", ["x**y", "hypot(x, y)*min(x, y)", "clip(x*y, 0, 1)", "clip(x, y, z)"]
)
def test_no_condition_is_counted(form, text):
    """No 1 or 0 that is compared with 0 again."""
    written = code(form, text)
    assert not re.search(r"\) ?(!=|==|<>|!==|===) ?0", written.replace("IS NOT", ""))
    assert not re.search(r"0(\.0)?(e0)?( END)?\)\s*\*\s*\((\w+ )?\w+ [<>=]", written)


def test_python_needs_math_alone_and_takes_whole_numbers():
    names: dict = {}
    text = code("python", "exp(x)*floor(y)/min(x, y) + sign(x)*cbrt(y)", name="g")
    exec(text, names)
    assert set(names) == {"__builtins__", "math", "g"} and text.startswith("import math\n")
    assert names["g"](2, 3)[0] == pytest.approx(math.exp(2) * 3 / 2 + math.cbrt(3), rel=1e-15)


def test_in_python_a_side_of_a_choice_that_is_not_taken_raises_nothing():
    names: dict = {}
    exec(code("python", "where(x > 0, x*log(x), 0) + where(x > 0, 0, y/(x - 1))"), names)
    assert names["f"](0.0, 3.0) == (-3.0, -3.0, -1.0)
    value = names["f"](1.0, 3.0)
    assert value == (0.0, 1.0, 0.0)
    exec(code("python", "where(y > 0, 0, log(-y)*x) + where(0 < y, log(y)*log(y), 1/y)"), names)
    assert names["f"](1.0, 2.0) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match=r"math domain|positive"):
        exec(code("python", "log(x)"), names)
        names["f"](-1.0)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint8, np.int64, np.float32, bool])
def test_numpy_takes_arrays_of_whole_numbers_for_floats(kind):
    names: dict = {}
    exec(code("numpy", "x/y**2 - x*y"), names)
    x, y = np.array([1, 100, 3]).astype(kind), np.array([1, 100, 7]).astype(kind)
    fx, fy = x.astype(float), y.astype(float)
    expected = [fx / fy**2 - fx * fy, 1 / fy**2 - fy, -2 * fx / fy**3 - fx]
    np.testing.assert_allclose(names["f"](x, y), expected, rtol=1e-13)
    assert names["f"]([3], 2)[0].dtype == np.float64


@pytest.mark.parametrize("form", ["c", "js", "sql", "python", "numpy"])
@pytest.mark.parametrize("text", ["-(-1e999*x)*y", "y - -1e999*x", "-(-x*y - 2)*x", "x*-(y - 1)"])
def test_no_two_signs_meet(form, text):
    """They are an operator in C and JavaScript and a comment in SQL."""
    assert not re.search(r"--(?! )", code(form, text).replace(text, ""))


# --------------------------------------------------------------------------- C, by its compilers
FORMULAS = [
    *("x**3*y/(x + y)", "hypot(x, y)*min(x, y)", "clip(x, y, 1)*relu(y)", "x**y", "sigmoid(x*y)"),
    *("where((x < y)*(y < 1), x**4, sign(y))", "log1p(x)/expm1(y)", "arctan2(x, y)", "x**0*y", "2"),
    *("where(((x < 0) + (y > 1)) == 0, x, 2)*cbrt(y)", "floor(x)*exp2(y)", "softplus(x)/abs(y)"),
]


def library(directory, build, source):
    if shutil.which(build[0]) is None:
        pytest.skip(f"no {build[0]}")
    (directory / "f.c").write_text(source, encoding="utf-8")
    command = [*build, *WARNINGS, "-shared", "-fPIC", "-o", "f.so", "f.c", "-lm"]
    subprocess.run(command, cwd=directory, check=True)
    return ctypes.CDLL(str(directory / "f.so"))


@pytest.mark.parametrize("real", ["double", "float"])
@pytest.mark.parametrize("build", BUILDS, ids=["c", "c++"])
def test_c_of_both_kinds_of_numbers(build, real, tmp_path):
    """Within 64 units in the last place of what the engine gives, at points where none cancels."""
    source = "".join(code("c", text, name=f"f{i}", real=real) for i, text in enumerate(FORMULAS))
    static = code("c", "x*y", name="hidden", real=real).replace(
        f"\n{real} hidden", f"\nstatic {real} hidden"
    )
    assert f"static {real} hidden(" in static
    exported = "".join(
        f"{real} call{i}(const {real} *x, {real} *g);\n"
        f"{real} call{i}(const {real} *x, {real} *g)\n"
        f"{{ (void)x; (void)g; return f{i}({given}); }}\n"
        for i, given in enumerate(map(arguments, FORMULAS))
    )
    exported += (
        f"{real} call(void);\n{real} call(void) {{ {real} g[2]; return hidden(2, 3, g); }}\n"
    )
    if build[0] == "g++":
        exported = f'extern "C" {{\n{exported}}}\n'
    strict = ["-Wdouble-promotion"] if real == "float" else []  # INFINITY is a float
    built = library(tmp_path, [*build, *strict], source + static + exported)
    kind = ctypes.c_double if real == "double" else ctypes.c_float
    built.call.restype = kind
    assert built.call() == 6.0
    draw, unit = random.Random(3), 2.0**-52 if real == "double" else 2.0**-23
    for i, text in enumerate(FORMULAS):
        names = symbolic.free_names(parse(text))
        program = symbolic.program(parse(text), names, names)
        call = getattr(built, f"call{i}")
        call.restype = kind
        for _ in range(20):
            point = [kind(draw.uniform(0.1, 1.9)).value for _ in names]
            gradient = (kind * 3)()
            got = [call((kind * 3)(*point), gradient), *gradient][: 1 + len(names)]
            right = [float(each[0]) for each in program.run(dict(zip(names, point, strict=True)))]
            assert got == pytest.approx(right, rel=64 * unit, abs=64 * unit), (text, point)


def arguments(text):
    names = symbolic.free_names(parse(text))
    return ", ".join([*(f"x[{i}]" for i in range(len(names))), *(["g"] if names else [])])


def test_floats_have_floats_functions_and_literals():
    text = code("c", "0.1*sin(x)*x**7 + min(x, 3)", real="float")
    assert "sinf(x)" in text and "powf(x, 7.0f)" in text and "0.1f*" in text
    assert "double" not in text and not re.search(r"\d\.\d+(?![\df])", text.split("*/")[1])


@pytest.mark.parametrize("form", ["c", "python", "numpy", "js", "sql"])
def test_a_function_that_a_language_lacks_is_an_error(form):
    program = Program(("x",), (), ((np.spacing, (0,)),), (1,))
    with pytest.raises(FormulaError, match=r"spacing has no form in \w+"):
        FORMS[form](program, [()], "")


def test_c_keeps_nothing_outside_its_function():
    text = code("c", "x**3*y/(x + y)")
    assert re.sub(r"\{.*\}", "", text, flags=re.S).splitlines() == [
        *(
            "#include <math.h>",
            "",
            "/* x**3*y/(x + y) */",
            "double f(double x, double y, double grad[2]) ",
        ),
    ]


# ------------------------------------------------------------------------------- long and nested
LONG = {
    "nest": "sin(" * 300 + "x" + ")" * 300,
    "horner": "(" * 210 + "x" + "*x + 1)" * 210,
    "sum": "+".join(f"sin({k}*x)" for k in range(1, 400)),
    "choices": "where(x > 1, x, " * 150 + "x*x" + ")" * 150,
    "quotients": "(" * 210 + "x" + "/2 + 1/x)" * 210,
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("form", ["python", "numpy", "js", "c"])
def test_long_and_nested_functions_run(form, kind, tmp_path):
    text = LONG[kind]
    program = symbolic.program(parse(text), ["x"], ["x"])
    expected = [float(each[0]) for each in program.run({"x": 0.7})]
    written = code(form, text)
    if form in {"python", "numpy"}:
        names: dict = {}
        exec(written, names)
        got = list(map(float, names["f"](0.7)))
    elif form == "js":
        if shutil.which("node") is None:
            pytest.skip("no node")
        run = subprocess.run(
            ["node", "-"],
            input=f"{written}console.log(Object.values(f(0.7)).join())",
            text=True,
            capture_output=True,
            check=True,
        )
        got = list(map(float, run.stdout.split(",")))
    else:
        built = library(
            tmp_path,
            BUILDS[0],
            written.replace("\ndouble f(", "\ndouble f(double x, double grad[1]);\ndouble f("),
        )
        built.f.restype, gradient = ctypes.c_double, (ctypes.c_double * 1)()
        got = [built.f(ctypes.c_double(0.7), gradient), gradient[0]]
    assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name", "g"], "--name is for functions: --to c, python, numpy or js"),
        (["--to", "sql", "--name", "g"], "--name is for functions"),
        (["--to", "latex", "--name", "g"], "--name is for functions"),
        (["--to", "js", "--real", "float"], "--real is for C: --to c"),
        (["--real", "float"], "--real is for C: --to c"),
        (["--to", "c", "--name", "exp"], "a function in C cannot be called 'exp'"),
        (["--to", "c", "--name", "a b"], "a function in C cannot be called 'a b'"),
        (["--to", "python", "--name", ""], "a function in Python cannot be called ''"),
        (["--to", "c", "--real", "half"], "'half' is not one of"),
    ],
)
def test_faults(dezero, words, message):
    status, out, err = dezero("derive", "x*y", *words)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1


@pytest.mark.parametrize("number", ["1e300", "1e-300"])
def test_a_constant_that_no_float_holds_is_an_error(dezero, number):
    status, out, err = dezero("derive", f"x*{number}", "--to", "c", "--real", "float")
    assert (status, out) == (2, "") and "is beyond the range of a float" in err


def test_a_name_is_the_functions(dezero):
    assert (
        "\ndouble decay(double a, "
        in dezero("derive", "a*exp(-k)", "--to", "c", "--name", "decay").out
    )
    assert (
        "\nfunction decay(a, k) {" in dezero("derive", "a*k", "--to", "js", "--name", "decay").out
    )
    assert "\ndef decay(a, k):" in dezero("derive", "a*k", "--to", "python", "--name", "decay").out

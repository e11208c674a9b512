"""What `derive` prints is as accurate as the engine, at every magnitude.

Each form of a derivative, run for real, is within four times the engine's own error, wherever the
engine's result is finite: the error that it makes, and the error that it makes if the same
operations round otherwise. The right values are those of the same program in two thousand bits.
DEZERO_LAWS sets how many expressions are drawn.
"""

import dataclasses
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from dezero import Variable
from dezero.functions import FUNCTIONS
from dezero.programs.dialects import FORMS
from dezero.programs.formula import FormulaError, formulas
from dezero.programs.terms import CallTerm, Terms, reachable
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse
from tests.conftest import of_scipy

pytestmark = pytest.mark.unmeasured
"""Laws of every function, which other tests run as well."""


EXAMPLES = int(os.environ.get("DEZERO_LAWS", "40"))
BITS = 2200
EPS = np.finfo(float).eps
EDGE = 1e290
"""Constants up to 1e9 move inside a product, so nearer to the ends the range may differ.

What is lost on the way because it is too small for a float64 is lost by the engine too.
"""
ELEMENTWISE = [known for known in FUNCTIONS.values() if known.elementwise and not of_scipy(known)]


# ------------------------------------------------------------------------------ the right values
def _exp(x):
    return mpmath.exp(x) if abs(x) < 1e6 else None


def _power(x, y):
    if x == 0:
        return mpf(1) if y == 0 else mpf(0) if y > 0 else None
    if x < 0 and y != mpmath.floor(y):
        return None
    return x**y if abs(y * mpmath.log(abs(x))) < 1e6 else None


def _within(function, low, high):
    return lambda x: function(x) if low <= x <= high else None


def _beyond(function, low):
    return lambda x: function(x) if x > low else None


EXACT = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y if y else None,
    "negative": lambda x: -x,
    "power": _power,
    "sqrt": lambda x: mpmath.sqrt(x) if x >= 0 else None,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "exp": _exp,
    "exp2": lambda x: _exp(x * mpmath.log(2)),
    "expm1": lambda x: mpmath.expm1(x) if abs(x) < 1e6 else None,
    "log": _beyond(mpmath.log, 0),
    "log2": _beyond(lambda x: mpmath.log(x) / mpmath.log(2), 0),
    "log10": _beyond(mpmath.log10, 0),
    "log1p": _beyond(mpmath.log1p, -1),
    **{name: getattr(mpmath, name) for name in ("sin", "cos", "tan", "tanh")},
    "arcsin": _within(mpmath.asin, -1, 1),
    "arccos": _within(mpmath.acos, -1, 1),
    "arctan": mpmath.atan,
    "arctan2": mpmath.atan2,
    "hypot": lambda x, y: mpmath.sqrt(x * x + y * y),
    "sinh": lambda x: mpmath.sinh(x) if abs(x) < 1e6 else None,
    "cosh": lambda x: mpmath.cosh(x) if abs(x) < 1e6 else None,
    "arcsinh": mpmath.asinh,
    "arccosh": lambda x: mpmath.acosh(x) if x >= 1 else None,
    "arctanh": lambda x: mpmath.atanh(x) if -1 < x < 1 else None,
    "absolute": abs,
    "sign": mpmath.sign,
    "floor": mpmath.floor,
    "ceil": mpmath.ceil,
    "trunc": lambda x: mpmath.sign(x) * mpmath.floor(abs(x)),
    "rint": mpmath.nint,
    "fmod": lambda x, y: x - y * EXACT["trunc"](x / y) if y else None,
    "remainder": lambda x, y: x - y * mpmath.floor(x / y) if y else None,
    "floor_divide": lambda x, y: mpmath.floor(x / y) if y else None,
    "copysign": lambda x, y: abs(x) if y >= 0 else -abs(x),
    "erf": mpmath.erf,
    "erfc": lambda x: mpmath.erfc(x) if x < 1e3 else mpf(0),
    "minimum": min,
    "maximum": max,
    "less": lambda x, y: mpf(x < y),
    "less_equal": lambda x, y: mpf(x <= y),
    "greater": lambda x, y: mpf(x > y),
    "greater_equal": lambda x, y: mpf(x >= y),
    "equal": lambda x, y: mpf(x == y),
    "not_equal": lambda x, y: mpf(x != y),
}


def right(program, point):
    """The outputs of a program in exact arithmetic, as near as makes no difference; or None."""
    program = program.lowered
    with mpmath.workprec(BITS):
        values = [mpf(point[name]) for name in program.inputs]
        values += [mpf(c) if math.isfinite(c) else None for c in program.constants]
        for function, numbers in program.operations:
            operands = [values[i] for i in numbers]
            if function is np.where:
                condition, chosen, other = operands
                values.append(None if condition is None else chosen if condition else other)
            elif any(x is None for x in operands):
                values.append(None)
            else:
                values.append(EXACT[function.__name__](*operands))
        return [values[i] for i in program.outputs]


def rounded(program, point):
    """How far each output of the engine moves when every rounding is another one.

    Inputs and results move by at most half a unit in the last place (Parker's Monte Carlo
    arithmetic), so that terms which happen to cancel exactly count with the error they carry.
    """
    generator = np.random.default_rng(1)

    def shaken(x):
        return x * (1 + EPS * generator.uniform(-0.5, 0.5, ROUNDINGS))

    with np.errstate(all="ignore"):
        values = [shaken(np.full(ROUNDINGS, point[name])) for name in program.inputs]
        constants = [np.full(ROUNDINGS, c) for c in program.constants]
        values += [  # 0.1 is a tenth where constants are gathered
            c if c[0].is_integer() else shaken(c) for c in constants
        ]
        for function, numbers in program.operations:
            y = 1.0 * function(*(values[i] for i in numbers))
            values.append(y if function in UNROUNDED else shaken(y))
        return np.array([float(np.ptp(values[i])) for i in program.outputs])


LEFT_ALONE = {"python", "sqlite", "duckdb"}
"""Where a value on the way is no number, Python raises, and SQL has NULL and keeps it."""
ROUNDINGS = 32
UNROUNDED = {np.negative, np.where, np.minimum, np.maximum, np.sign, np.floor, np.ceil} | {
    *(np.trunc, np.rint, np.copysign, np.fmod, np.remainder),
}


# ---------------------------------------------------------------------------------- what is asked
class Sample:
    """An expression with its derivatives of one order, and points where it is tried."""

    def __init__(self, text, order, points):
        self.text = text
        self.names = symbolic.free_names(parse(text))
        self.wanted, self.program = symbolic.derivatives(parse(text), self.names, self.names, order)
        self.points = [{name: point[name] for name in self.names} for point in points]
        self.left = [False] * len(points)  # whether a value on the way leaves the range
        self.bounds = [self.bound(i, point) for i, point in enumerate(self.points)]

    def bound(self, place, point):
        """For each output the right value and how far from it a form may be; None: anywhere."""
        lowered = self.program.lowered
        count = lowered.first + len(lowered.operations)
        every = dataclasses.replace(lowered, outputs=tuple(range(count)))
        values, exact = np.array([part[0] for part in every.run(point)]), right(every, point)
        sizes = np.abs(values)
        self.left[place] = not np.isfinite(sizes).all()
        near_the_ends = (sizes > EDGE) & (sizes < np.inf) | (sizes > 0) & (sizes < 1 / EDGE)
        vanished = any(x == 0 and e for x, e in zip(values, exact, strict=True))
        if near_the_ends.any() or vanished:
            return [None] * len(lowered.outputs)
        engine = values[list(lowered.outputs)]
        exact = [exact[i] for i in lowered.outputs]
        errors = [
            None if e is None or not np.isfinite(g) else abs(mpf(float(g)) - e)
            for g, e in zip(engine, exact, strict=True)
        ]
        moved = rounded(lowered, point)
        return [
            None
            if error is None or abs(e) > EDGE
            else (e, 4 * max(error, mpf(min(float(m), 1e300)), 4 * EPS * abs(e)) + mpf("1e-322"))
            for e, error, m in zip(exact, errors, moved, strict=True)
        ]

    def faults(self, form, results):
        """Where the results of a form, a row for each point, are too far from the right ones."""
        outputs = [(), *self.wanted]
        rows = zip(self.points, self.bounds, self.left, results, strict=True)
        for point, bounds, left, row in rows:
            if left and form in LEFT_ALONE:
                continue
            for output, bound, got in zip(outputs, bounds, row, strict=True):
                if bound is None:
                    continue
                exact, allowed = bound
                if got is None or not abs(mpf(got) - exact) <= allowed:
                    yield form, self.text, output, point, got, mpmath.nstr(exact, 17)

    def tried(self):
        return sum(bound is not None for bounds in self.bounds for bound in bounds)


# -------------------------------------------------------------------------------- the forms, run
def by_formula(samples):
    results = []
    for sample in samples:
        parsed = [parse(formula) for formula in formulas(sample.program)]
        results.append([])
        for point in sample.points:
            inputs = {name: Variable(np.array(x)) for name, x in point.items()}
            results[-1].append([float(each.evaluate(inputs).data) for each in parsed])
    return results


def code(form, sample, count=0):
    text = FORMS[form](sample.program, [(), *sample.wanted], "a sample")
    return text.replace(" f(", f" f{count}(")


def by_numpy(samples):
    results = []
    for sample in samples:
        namespace = {}
        exec(code("numpy", sample), namespace)
        with np.errstate(all="ignore"):
            rows = [
                namespace["f0"](*(np.float64(x) for x in point.values())) for point in sample.points
            ]
        results.append([list(map(float, row)) for row in rows])
    return results


def by_python(samples):
    results = []
    for sample in samples:
        namespace = {}
        exec(code("python", sample), namespace)
        results.append([])
        for point in sample.points:
            try:
                results[-1].append(namespace["f0"](*point.values()))
            except (ArithmeticError, ValueError):
                results[-1].append([None] * (1 + len(sample.wanted)))
    return results


WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Wshadow", "-Werror"]


def by_c(samples, directory, *build):
    if shutil.which(build[0]) is None:
        pytest.skip(f"no {build[0]}")
    parts, calls = ["#include <stdio.h>\n"], []
    for count, sample in enumerate(samples):
        parts.append(code("c", sample, count))
        for point in sample.points:
            given = ", ".join(map(repr, point.values()))
            calls.append(f"n = {len(sample.wanted)}; v = f{count}({given}, g); show();")
    main = (
        "static double g[99], v; static int n;\n"
        'static void show(void) { printf("[%.17g", v);'
        ' for (int i = 0; i < n; i++) printf(", %.17g", g[i]); puts("]"); }\n'
    )
    body = main + "".join(parts[1:]) + "int main(void) {\n" + "\n".join(calls) + "\n}\n"
    (directory / "samples.c").write_text(parts[0] + body)
    command = [*build, *WARNINGS, "-o", "samples", "samples.c", "-lm"]
    subprocess.run(command, cwd=directory, check=True)
    return rows_of(samples, [directory / "samples"])


def by_javascript(samples, directory):
    if shutil.which("node") is None:
        pytest.skip("no node")
    parts = ["const show = v => (Object.is(v, NaN) ? 'nan' : String(v).replace('I', 'i'));\n"]
    for count, sample in enumerate(samples):
        parts.append(code("js", sample, count))
        for point in sample.points:
            call = f"f{count}({', '.join(map(repr, point.values()))})"
            parts.append(f"console.log('[' + Object.values({call}).map(show).join() + ']');\n")
    (directory / "samples.js").write_text("".join(parts))
    return rows_of(samples, ["node", str(directory / "samples.js")])


def rows_of(samples, command):
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text = out.replace("nan", "NaN").replace("infinity", "inf").replace("inf", "Infinity")
    lines = iter(map(json.loads, text.replace("-NaN", "NaN").splitlines()))
    return [[next(lines) for _ in sample.points] for sample in samples]


def by_sqlite(samples):
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("SELECT sin(1.0), ln(1.0), power(2.0, 3.0)")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without mathematical functions")
    results = by_queries(connection, samples)
    connection.close()
    return results


def by_duckdb(samples):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    with duckdb.connect() as connection:
        return by_queries(connection, samples)


def by_queries(connection, samples):
    results = []
    for sample in samples:
        columns = ", ".join(f'"{name}" DOUBLE' for name in sample.names)
        connection.execute(f"CREATE TABLE input ({columns})")
        row = f"INSERT INTO input VALUES ({', '.join('?' * len(sample.names))})"
        connection.executemany(row, [list(point.values()) for point in sample.points])
        results.append(connection.execute(code("sql", sample)).fetchall())
        connection.execute("DROP TABLE input")
    return results


FEWER = {"numpy", "js", "sqlite", "duckdb"}
LACKED = {"erf", "erfc"}
"""What JavaScript and SQL have no function for; NumPy has SciPy's, which are less accurate."""


def functions_of(sample):
    """What the formulas of a sample call, after what folds to a number."""
    terms = Terms(sample.program.lowered)
    used = (terms.terms[number] for number in reachable(terms.terms, terms.outputs))
    return {term.function for term in used if isinstance(term, CallTerm)}


FORM_RUNS = {
    "formula": lambda samples, _: by_formula(samples),
    "python": lambda samples, _: by_python(samples),
    "numpy": lambda samples, _: by_numpy(samples),
    "c -O0": lambda samples, directory: by_c(samples, directory, "gcc", "-std=c99", "-O0"),
    "c -O2": lambda samples, directory: by_c(samples, directory, "gcc", "-std=c99", "-O2"),
    "c++": lambda samples, directory: by_c(samples, directory, "g++", "-x", "c++", "-O1"),
    "js": by_javascript,
    "sqlite": lambda samples, _: by_sqlite(samples),
    "duckdb": lambda samples, _: by_duckdb(samples),
}


def hold(samples, directory):
    """The faults of every form."""
    shared = [sample for sample in samples if not LACKED & functions_of(sample)]
    runs, missing = {}, []
    for name, run in FORM_RUNS.items():
        written = shared if name in FEWER else samples
        try:
            runs[name] = (written, run(written, directory))
        except pytest.skip.Exception as reason:
            missing.append(str(reason))
    for sample in samples:
        for form in ("js", "sql") if sample not in shared else ():
            with pytest.raises(FormulaError, match=r"erfc? has no form in"):
                code(form, sample)
    assert sum(sample.tried() for sample in samples) > 2 * len(samples)
    faults = [
        fault
        for form, (written, results) in runs.items()
        for sample, rows in zip(written, results, strict=True)
        for fault in sample.faults(form, rows)
    ]
    if missing and not faults:
        pytest.skip("; ".join(missing))
    return faults


# -------------------------------------------------------------------------------------- the draws
NAMES = ("x", "y", "z")


def magnitude(draw, widest):
    return draw.choice([-1, 1]) * 10 ** draw.uniform(-widest, widest)


def points(draw, count):
    widths = [0.5, 3, 30, 100, 300]
    return [{name: magnitude(draw, draw.choice(widths)) for name in NAMES} for _ in range(count)]


def quotient(draw, depth):
    """An expression of + - * / and powers alone, which any magnitude suits."""
    if depth == 0 or draw.random() < 0.15:
        return draw.choice([*NAMES * 3, "2", "0.1", "3", "7e-5"])
    kind = draw.random()
    if kind < 0.2:
        return f"({quotient(draw, depth - 1)})**{draw.choice(['2', '3', '-1', '-2', '0.5'])}"
    operator = draw.choice("**//+-" if kind < 0.6 else "*/")
    return f"({quotient(draw, depth - 1)}{operator}{quotient(draw, depth - 1)})"


def anything(draw, depth):
    """An expression with functions of the language in it."""
    if depth == 0 or draw.random() < 0.1:
        return draw.choice([*NAMES * 3, "2", "0.1"])
    if draw.random() < 0.5:
        known = draw.choice(ELEMENTWISE)
        values = [anything(draw, depth - 1) for _ in known.parameters]
        return f"{known.name}({', '.join(values)})"
    return f"({anything(draw, depth - 1)}{draw.choice('+-**/')}{anything(draw, depth - 1)})"


@pytest.mark.parametrize("order", [1, 2])
def test_quotients_of_every_magnitude(order, tmp_path):
    draw = random.Random(order)
    samples = []
    while len(samples) < EXAMPLES:
        text = quotient(draw, 4)
        if symbolic.free_names(parse(text)):
            samples.append(Sample(text, order, points(draw, 5)))
    faults = hold(samples, tmp_path)
    assert faults == []


FACE = ["x*{}", "{}/x", "{}**2"]


@pytest.mark.parametrize("order", [1, 2])
def test_every_function_of_the_language(order, tmp_path):
    draw = random.Random(order)
    samples = []
    for known in ELEMENTWISE:
        call = f"{known.name}({', '.join(NAMES[: len(known.parameters)])})"
        for face in ("{}", *FACE):
            count = max(EXAMPLES // 20, 2)
            samples.append(Sample(face.format(call), order, points(draw, count)))
    faults = hold(samples, tmp_path)
    assert faults == []


def test_expressions_of_functions(tmp_path):
    draw = random.Random(3)
    samples = []
    while len(samples) < EXAMPLES:
        text = anything(draw, 3)
        if symbolic.free_names(parse(text)):
            samples.append(Sample(text, 1, points(draw, 5)))
    faults = hold(samples, tmp_path)
    assert faults == []

"""``x % y`` and ``x // y``: Python's and NumPy's values, derivatives, machine code and code."""

import ctypes
import json
import math
import shutil
import sqlite3
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from dezero import Variable
from dezero import functions as F
from dezero.arithmetic import floordiv, mod
from dezero.calculus import grad, hessian
from dezero.programs.dialects import FORMS
from dezero.programs.formula import formulas
from dezero.programs.native import Kernel, host
from dezero.programs.trace import trace
from tests.programs.rows import columns, differences, engine

POINTS = [
    *((7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-7.5, -2.0), (0.3, 0.1), (1.0, 0.1), (-1.0, 0.1)),
    *((1e17, 3.0), (-1e17, 3.0), (5e-324, 1.0), (-5e-324, 1.0), (6.0, 3.0), (-6.0, 3.0)),
    *((9007199254740993.0, 1.0), (4503599627370497.0, 1.0), (-4503599627370497.0, 1.0)),
    *((5.0, math.inf), (-5.0, math.inf), (5.0, -math.inf), (1e300, 1e-300)),
]


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of x % 0; here it is what is tested."""
    with np.errstate(all="ignore"):
        yield


def test_values_are_pythons_own():
    for x, y in POINTS:
        assert (Variable(np.array(x)) % y).data == x % y == (x % Variable(np.array(y))).data
        floor = Variable(np.array(x)) // y
        assert floor.data == (x // Variable(np.array(y))).data == np.floor_divide(x, y)
    x, y = (np.array(column) for column in zip(*POINTS, strict=True))
    assert (Variable(x) % Variable(y)).data.tolist() == [a % b for a, b in POINTS]
    assert np.mod(Variable(x), y).data.tolist() == np.remainder(x, Variable(y)).data.tolist()
    assert np.floor_divide(Variable(x), y).data.tolist() == np.floor_divide(x, y).tolist()


def test_derivatives_are_1_and_minus_the_whole_quotient():
    for x, y in POINTS[:15]:
        quotient = math.floor(Fraction(x) / Fraction(y))
        assert grad(mod)(x, y) == pytest.approx((1.0, -float(quotient)), rel=3e-16)
        assert not np.any(hessian(mod)(x, y)) and grad(floordiv)(x, y) == (0.0, 0.0)
        step = grad(lambda a, b: (a % b) * a + a // b)(x, y)
        assert step == pytest.approx((x % y + x, -float(quotient) * x), rel=3e-16)


def test_where_there_is_no_remainder_there_is_no_slope():
    for x, y in [(1.0, 0.0), (math.inf, 2.0), (math.nan, 1.0), (1.0, math.nan)]:
        assert np.isnan(grad(mod)(x, y)).all() and math.isnan(float(mod(x, y).data))


@pytest.mark.parametrize("function", [mod, floordiv])
def test_programs_and_machine_code_have_numpys_bits(function):
    pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    arrays = columns(2)
    program = trace(function, ["x", "y"])
    expected = program.run(dict(zip("xy", arrays, strict=True)))
    assert differences(expected, engine(function, arrays)) == []
    kernel = Kernel(program, host())
    assert kernel.is_native
    assert differences(kernel.run(dict(zip("xy", arrays, strict=True))), expected) == []


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x, y: x % y, "x % y"),
        (lambda x, y: -(x % y), "-(x % y)"),
        (lambda x, y: -x % y, "-x % y"),
        (lambda x, y: 2 - x // y, "2 - (x // y)"),
        (lambda x, y: 2 + x % y, "x % y + 2"),
        (lambda x, y: x * y % 3, "x*y % 3"),
        (lambda x, y: x % (y * 3), "x % (3*y)"),
        (lambda x, y: x % y % 3, "x % y % 3"),
        (lambda x, y: x % (y % 3), "x % (y % 3)"),
        (lambda x, y: x // -y, "x // (-y)"),
        (lambda x, y: (x + y) % -3, "(x + y) % -3"),
        (lambda x, y: x % y**2, "x % y**2"),
        (lambda x, y: (x % y) ** 2, "(x % y)**2"),
        (lambda x, y: (x % y) * y / (x // y), "(x % y)*y/(x // y)"),
        (lambda x, y: (x < y) % 2, "(x < y) % 2"),
        (lambda x, y: F.exp(x % y), "exp(x % y)"),
    ],
)
def test_formulas_are_pythons_too(function, text):
    (got,) = formulas(trace(function, ["x", "y"], []))
    names = {"exp": np.exp, "x": np.float64(-7.25), "y": np.float64(2.5)}
    assert got == text
    assert eval(got, names) == function(names["x"], names["y"]) if "exp" not in got else True


def test_latex():
    program = trace(lambda x, y: -(x % y) + (x + 1) // y, ["x", "y"])
    lines = FORMS["latex"](program, [(), ("x",), ("y",)], "t").splitlines()
    assert lines[0] == r"f = \left\lfloor \frac{x + 1}{y}\right\rfloor - \left(x \bmod y\right)"
    assert lines[2].endswith(r"= \left\lfloor \frac{x}{y}\right\rfloor")


# -------------------------------------------------------------------------------------------- code
def both(x, y):
    """A remainder and a whole quotient, of sums, so that templates are given more than names."""
    return 2.0 * (x % (y + 0.0)) - ((x + 0.0) // y)


def held(results):
    """Whether results are NumPy's at every point: value and both derivatives."""
    expected = []
    for x, y in POINTS:
        value = 2.0 * np.remainder(x, y) - np.floor_divide(x, y)
        expected.append((float(value), 2.0, -2.0 * float(np.floor_divide(x, y))))
    assert [tuple(map(float, row)) for row in results] == expected


def code(form: str) -> str:
    return FORMS[form](trace(both, ["x", "y"]), [(), ("x",), ("y",)], "both")


def test_numpy():
    names: dict = {}
    exec(code("numpy"), names)
    held(names["f"](*map(np.float64, point)) for point in POINTS)


def test_c(tmp_path):
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    source, library = tmp_path / "f.c", tmp_path / "f.so"
    source.write_text(code("c"))
    options = ["-std=c99", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-lm"]
    subprocess.run([compiler, *options], check=True)
    function = ctypes.CDLL(str(library)).f
    function.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_double * 2]
    function.restype = ctypes.c_double
    gradient = (ctypes.c_double * 2)()
    held((function(x, y, gradient), *gradient) for x, y in POINTS)


def test_javascript():
    node = shutil.which("node") or pytest.skip("no node")
    points = json.dumps([[str(number) for number in point] for point in POINTS])
    points = points.replace("inf", "Infinity")
    script = f"{code('js')}\nfor (const [x, y] of {points}) "
    script += "console.log(Object.values(f(Number(x), Number(y))).join(' '));"
    done = subprocess.run([node, "-"], input=script.encode(), capture_output=True, check=True)
    lines = done.stdout.decode().replace("Infinity", "inf").splitlines()
    held(line.split() for line in lines)


def test_sql():
    with sqlite3.connect(":memory:") as database:
        try:
            database.execute("SELECT mod(1.5, 1.0)")
        except sqlite3.OperationalError:
            pytest.skip("SQLite without its mathematical functions")
        database.execute("CREATE TABLE input (x REAL, y REAL)")
        database.executemany("INSERT INTO input VALUES (?, ?)", POINTS)
        held(database.execute(code("sql")).fetchall())

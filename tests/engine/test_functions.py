"""Elementary functions: values and two derivatives against mpmath, kinks, and broadcasting."""

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dezero import Variable
from dezero import functions as F
from dezero.calculus import grad, hvp, value_and_grad
from tests.conftest import of_scipy

mpmath.mp.dps = 50


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of log(0); here it is what is tested."""
    with np.errstate(all="ignore"):
        yield


REAL = (-20.0, 20.0)
ONE = {
    "sqrt": (mpmath.sqrt, (1e-3, 1e6)),
    "cbrt": (lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), (1e-3, 1e6)),
    "exp": (mpmath.exp, REAL),
    "exp2": (lambda x: mpmath.power(2, x), REAL),
    "expm1": (mpmath.expm1, REAL),
    "log": (mpmath.log, (1e-6, 1e6)),
    "log2": (lambda x: mpmath.log(x, 2), (1e-6, 1e6)),
    "log10": (mpmath.log10, (1e-6, 1e6)),
    "log1p": (lambda x: mpmath.log(1 + x), (-0.999, 1e6)),
    "sin": (mpmath.sin, REAL),
    "cos": (mpmath.cos, REAL),
    "tan": (mpmath.tan, (-1.5, 1.5)),
    "arcsin": (mpmath.asin, (-0.999, 0.999)),
    "arccos": (mpmath.acos, (-0.999, 0.999)),
    "arctan": (mpmath.atan, REAL),
    "sinh": (mpmath.sinh, REAL),
    "cosh": (mpmath.cosh, REAL),
    "tanh": (mpmath.tanh, REAL),
    "arcsinh": (mpmath.asinh, REAL),
    "arccosh": (mpmath.acosh, (1.001, 1e3)),
    "arctanh": (mpmath.atanh, (-0.999, 0.999)),
    "square": (lambda x: x * x, REAL),
    "exp10": (lambda x: mpmath.power(10, x), REAL),
    "sec": (mpmath.sec, (-1.5, 1.5)),
    "csc": (mpmath.csc, (0.01, 3.1)),
    "cot": (mpmath.cot, (0.01, 3.1)),
    "arcsec": (mpmath.asec, (1.001, 1e3)),
    "arccsc": (mpmath.acsc, (-1e3, -1.001)),
    "arccot": (mpmath.acot, (0.01, 1e3)),
    "sinc": (lambda x: mpmath.sincpi(x), REAL),
    "degrees": (lambda x: x * 180 / mpmath.pi, REAL),
    "radians": (lambda x: x * mpmath.pi / 180, REAL),
    "sech": (mpmath.sech, (-30, 30)),
    "csch": (mpmath.csch, (0.01, 30)),
    "coth": (mpmath.coth, (-30, -0.01)),
    "arcsech": (mpmath.asech, (1e-3, 0.999)),
    "arccsch": (mpmath.acsch, (1e-3, 1e3)),
    "arccoth": (mpmath.acoth, (1.001, 1e3)),
    "logit": (lambda p: mpmath.log(p / (1 - p)), (1e-3, 0.999)),
    "log_sigmoid": (lambda x: -mpmath.log(1 + mpmath.exp(-x)), REAL),
    "erf": (mpmath.erf, (-5, 5)),
    "erfc": (mpmath.erfc, (-5, 20)),
    "erfcx": (lambda x: mpmath.exp(x * x) * mpmath.erfc(x), (-5, 20)),
    "erfinv": (mpmath.erfinv, (-0.999, 0.999)),
    "normpdf": (mpmath.npdf, (-9, 9)),
    "normcdf": (mpmath.ncdf, (-9, 9)),
    "norminv": (lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1), (0.001, 0.999)),
    "trunc": (lambda x: mpmath.sign(x) * mpmath.floor(abs(x)), (-0.9, -0.1)),
    "round": (mpmath.nint, (0.6, 1.4)),
    "frac": (lambda x: x - mpmath.floor(x), (2.1, 2.9)),
    "isnan": (lambda x: 0 * x, REAL),
    "isinf": (lambda x: 0 * x, REAL),
    "isfinite": (lambda x: 0 * x + 1, REAL),
    "abs": (abs, (0.1, 20.0)),
    "sign": (mpmath.sign, (0.1, 20.0)),
    "floor": (mpmath.floor, (0.1, 0.9)),
    "ceil": (mpmath.ceil, (-0.9, -0.1)),
    "relu": (lambda x: max(x, 0), (0.1, 20.0)),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), REAL),
    "softplus": (lambda x: mpmath.log(1 + mpmath.exp(x)), REAL),
}
TWO = {
    "arctan2": (mpmath.atan2, (0.1, 10.0), (0.1, 10.0)),
    "hypot": (mpmath.hypot, (0.1, 10.0), (0.1, 10.0)),
    "pow": (mpmath.power, (0.1, 5.0), (-4.0, 4.0)),
    "xlogy": (lambda x, y: x * mpmath.log(y), (0.1, 10.0), (0.1, 10.0)),
    "logaddexp": (lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)), REAL, REAL),
    "logaddexp2": (lambda x, y: mpmath.log(2**x + 2**y, 2), REAL, REAL),
    "mod": (lambda x, y: x - y * mpmath.floor(x / y), (5.1, 5.9), (-2.5, -2.0)),
    "fmod": (lambda x, y: x - 2 * y, (5.1, 5.9), (2.0, 2.5)),
    "copysign": (lambda x, y: -abs(x), (0.1, 3.0), (-3.0, -0.1)),
    "heaviside": (lambda x, y: 0 * (x + y) + 1, (0.1, 3.0), (-3.0, 3.0)),
    "minimum": (min, (0.0, 1.0), (1.5, 3.0)),
    "maximum": (max, (0.0, 1.0), (1.5, 3.0)),
}
REST = {"where", "clip"}
SPECIAL = {name for name, known in F.FUNCTIONS.items() if of_scipy(known)}


def test_every_function_is_tested():
    elementwise = {name for name, known in F.FUNCTIONS.items() if known.elementwise}
    assert ONE.keys() | TWO.keys() | REST | SPECIAL == elementwise


def near(got, true, scale):
    """Within 1e-12 relative, or a few roundings of the terms that were added up."""
    return abs(mpmath.mpf(float(got)) - true) <= 1e-12 * abs(true) + 2e-15 * (scale + 1)


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_value(name):
    truth, (low, high) = ONE[name]
    function = F.FUNCTIONS[name].function

    @settings(max_examples=60, deadline=None)
    @given(st.floats(low, high))
    def law(x):
        value, first = value_and_grad(function)(x)
        second = hvp(function)(x, 1.0)
        true = [
            mpmath.diff(truth, mpmath.mpf(x), n) if n else truth(mpmath.mpf(x)) for n in (0, 1, 2)
        ]
        scale = max(map(abs, true))
        for got, expected in zip((value, first, second), true, strict=True):
            assert near(got, expected, scale if got is second else 0), (x, got, expected)

    law()


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two_values(name):
    truth, range0, range1 = TWO[name]
    function = F.FUNCTIONS[name].function

    @settings(max_examples=40, deadline=None)
    @given(st.floats(*range0), st.floats(*range1))
    def law(x0, x1):
        at = (mpmath.mpf(x0), mpmath.mpf(x1))
        value, gradients = value_and_grad(function)(x0, x1)
        assert near(value, truth(*at), 0)
        for i in (0, 1):
            unit = tuple(int(i == j) for j in (0, 1))
            true = mpmath.diff(truth, at, unit)
            assert near(gradients[i], true, 0), (x0, x1, i)
            row = hvp(function)((x0, x1), tuple(map(float, unit)))
            for j in (0, 1):
                order = tuple(int(i == k) + int(j == k) for k in (0, 1))
                second = mpmath.diff(truth, at, order)
                assert near(row[j], second, max(abs(true), abs(second))), (x0, x1, i, j)

    law()


# ------------------------------------------------------------------------------------------ kinks
inf, nan = np.inf, np.nan


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (F.abs, [0.0], [0.0]),
        (F.abs, [-0.0], [0.0]),
        (F.minimum, [1.0, 1.0], [0.5, 0.5]),
        (F.maximum, [1.0, 1.0], [0.5, 0.5]),
        (F.sqrt, [0.0], [inf]),
        (F.cbrt, [0.0], [inf]),
        (F.log, [0.0], [inf]),
        (F.pow, [0.0, 0.0], [0.0, 0.0]),
        (F.pow, [0.0, 2.0], [0.0, 0.0]),
        (F.pow, [0.0, 1.0], [1.0, 0.0]),
        (F.pow, [0.0, 0.5], [inf, 0.0]),
        (F.pow, [-2.0, 3.0], [12.0, nan]),
        (F.pow, [-2.0, 0.0], [0.0, nan]),
        (F.pow, [2.0, 0.0], [0.0, np.log(2.0)]),
        (F.hypot, [0.0, 0.0], [0.0, 0.0]),
        (F.hypot, [0.0, 3.0], [0.0, 1.0]),
        (F.sign, [0.0], [0.0]),
        (F.floor, [1.0], [0.0]),
        (F.ceil, [1.0], [0.0]),
        (F.relu, [0.0], [0.0]),
        (F.clip, [1.0, 1.0, 2.0], [0.5, 0.5, 0.0]),
        (F.clip, [1.0, 1.0, 1.0], [0.25, 0.25, 0.5]),
        (lambda x: F.clip(x, 0.0, x), [5.0], [1.0]),
        (lambda x: F.clip(x, 0.0, 1.0), [1.0], [0.0]),
        (F.clip, [0.0, 1.0, 2.0], [0.0, 1.0, 0.0]),
        (F.clip, [3.0, 1.0, 2.0], [0.0, 0.0, 1.0]),
        (F.less, [1.0, 1.0], [0.0, 0.0]),
        (F.arcsin, [1.0], [inf]),
        (F.arccos, [1.0], [-inf]),
        (F.arccosh, [1.0], [inf]),
        (F.arctanh, [1.0], [inf]),
        (F.exp, [-inf], [0.0]),
        (F.tanh, [800.0], [0.0]),
        (F.sigmoid, [-800.0], [0.0]),
        (F.softplus, [800.0], [1.0]),
        (F.norm, [[0.0, 0.0]], [[0.0, 0.0]]),
        (F.max, [[2.0, 1.0, 2.0]], [[0.5, 0.0, 0.5]]),
        (F.min, [[1.0, 1.0, 1.0]], [[1 / 3, 1 / 3, 1 / 3]]),
        (F.prod, [[0.0, 2.0, 3.0]], [[6.0, 0.0, 0.0]]),
        (F.prod, [[0.0, 0.0, 3.0]], [[0.0, 0.0, 0.0]]),
    ],
)
def test_kinks_and_edges(function, at, expected):
    gradients = grad(function)(*at)
    for got, want in zip(gradients if len(at) > 1 else [gradients], expected, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("x", [0.0, -1.0])
def test_the_branch_not_taken_does_not_leak(x):
    assert grad(lambda x: F.where(x > 0, F.log(x), x * x))(x) == 2 * x
    assert grad(lambda x: F.where(x > 0, F.sqrt(x) / x, 3 * x))(x) == 3.0


# ----------------------------------------------------------------------------------- broadcasting
def shapes(full):
    """Every shape of up to three axes that broadcasts to `full`."""
    for ndim in range(len(full) + 1):
        yield from itertools.product(*({1, n} for n in full[len(full) - ndim :]))


FULL = (2, 3, 4)
BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "where": lambda a, b: F.where(a < b, a * b, b / a),
    "clip": lambda a, b: F.clip(a * b, a, b),
} | {name: F.FUNCTIONS[name].function for name in TWO}


def summed(gradient, shape):
    """The sum of a full gradient over the axes that an input of `shape` lacks or has as 1."""
    extra = gradient.ndim - len(shape)
    gradient = gradient.sum(axis=tuple(range(extra)))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return gradient.sum(axis=axes, keepdims=True)


@pytest.mark.parametrize("name", BINARY)
def test_every_pair_of_shapes(name):
    function = BINARY[name]
    random = np.random.default_rng(1)
    for shape0, shape1 in itertools.product(shapes(FULL), repeat=2):
        a, b = random.uniform(0.5, 2.0, shape0), random.uniform(0.5, 2.0, shape1)
        v, w = random.normal(size=shape0), random.normal(size=shape1)
        full = np.broadcast_shapes(shape0, shape1)
        wide = [np.broadcast_to(x, full).copy() for x in (a, b, v, w)]
        narrow = (*grad(function)(a, b), *hvp(function)((a, b), (v, w)))
        first = grad(function)(*wide[:2])
        second = hvp(function)(tuple(wide[:2]), tuple(wide[2:]))
        for got, whole, shape in zip(narrow, (*first, *second), (shape0, shape1) * 2, strict=True):
            assert got.shape == shape
            np.testing.assert_allclose(got, summed(whole, shape), rtol=1e-11, atol=1e-11)


def test_integers_become_floating_point():
    x = Variable(np.array([2, 3]))
    (x**-1).backward()
    assert x.grad.dtype == np.float64

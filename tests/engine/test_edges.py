"""At the edge of a domain and outside it, and where the range of numbers is nearly left."""

import numpy as np
import pytest

from dezero import functions as F
from dezero.calculus import grad, hessian
from dezero.programs.trace import trace

inf = np.inf


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of log(0); here it is what is tested."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("function", [F.sqrt, F.log, F.log2, F.log10])
def test_the_sign_of_a_zero_decides_nothing(function):
    for outer, slope in ((lambda x: x, inf), (lambda x: -x, -inf)):
        for zero in (0.0, -0.0):
            assert grad(lambda x, outer=outer: function(outer(x)))(zero) == slope
            assert (
                grad(lambda x, outer=outer: function(outer(x)))(np.array([zero, zero]))[1] == slope
            )
            program = trace(lambda x, outer=outer: function(outer(x)), ["x"])
            assert program.run({"x": np.array([zero])})[1][0] == slope
    assert grad(lambda a, b: function(a * b))(0.0, -1.0)[0] == -inf


OUTSIDE = [(F.sqrt, -1.0), (F.log, -1.0), (F.log2, -1.0), (F.log10, -1.0), (F.log1p, -2.0)]
OUTSIDE += [
    (F.arccosh, -2.0),
    (F.arccosh, 0.5),
    (F.arctanh, 2.0),
    (F.arcsin, 2.0),
    (F.arccos, -2.0),
]


@pytest.mark.parametrize(("function", "x"), OUTSIDE)
def test_outside_its_domain_a_function_has_no_slope(function, x):
    assert np.isnan(grad(function)(x)) and np.isnan(grad(function)(np.array([x]))[0])
    assert np.isnan(trace(function, ["x"]).run({"x": np.array([x])})[1][0])


def test_quotients_whose_denominator_is_large():
    assert grad(lambda x: F.log(1 / (1 + F.exp(-x))))(-400.0) == 1.0
    assert grad(lambda a, b: F.log(a / b))(1e10, 1e200)[1] == pytest.approx(-1e-200)


def test_the_angle_and_the_sigmoid_function_near_zero():
    assert hessian(F.arctan2)(1e-160, 1e-160)[0][1] == 0.0
    assert F.sigmoid(-720.0).data == pytest.approx(2.0322308024e-313, rel=1e-10)
    assert hessian(lambda x: F.tanh(x) * x**2)(1000.0) == 2.0

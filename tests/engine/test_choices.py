"""Nothing flows where nothing changes: steps, conditions, what a choice does not take."""

import numpy as np
import pytest

from dezero import Variable
from dezero import functions as F
from dezero.calculus import grad, hessian, jacobian
from dezero.programs.trace import trace

inf, nan = np.inf, np.nan


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of log(0); here it is what is tested."""
    with np.errstate(all="ignore"):
        yield


FLAT = [
    (lambda x: F.where(F.sqrt(x) < 1, x, 2.0), 0.0, 1.0),
    (lambda x: F.floor(F.sqrt(x)), 0.0, 0.0),
    (lambda x: F.sign(F.log(x)), 0.0, 0.0),
    (lambda x: F.sqrt(x) < 1, 0.0, 0.0),
    (lambda x: F.maximum(F.cbrt(x), 1.0), 0.0, 0.0),
    (lambda x: F.minimum(F.log(x), -1e300) * 0 + x, 1.0, 1.0),
    (lambda x: F.maximum(2 * x, F.log1p(F.sqrt(0 * x))), 3.0, 2.0),
    (lambda x: F.relu(F.sqrt(x) - 1), 0.0, 0.0),
    (lambda x: F.relu(F.cbrt(x)), 0.0, 0.0),
    (lambda x: F.clip(F.sqrt(x), 1.0, 2.0) + x, 0.0, 1.0),
    (lambda x: F.where(x < 1, x, F.floor(F.sqrt(-x))), 0.0, 1.0),
    (lambda x: F.maximum(F.minimum(F.sqrt(x), 1.0), 2.0) + F.sqrt(x + 1), 0.0, 0.5),
    (lambda x: F.ceil(F.sqrt(x)) + F.where(x > 0, F.sqrt(x), x), 0.0, 1.0),
]


@pytest.mark.parametrize(("function", "x", "slope"), FLAT)
def test_an_infinite_slope_does_not_leak(function, x, slope):
    assert grad(function)(x) == slope
    both = np.array([x, x + 3.0])
    assert grad(function)(both)[0] == slope
    assert hessian(function)(x) == pytest.approx(-0.25 if slope == 0.5 else 0.0)
    program = trace(function, ["x"])
    assert program.run({"x": np.array([x, x + 3.0])})[1][0] == slope


def test_elements_that_a_reduction_does_not_take():
    x = np.array([[0.0, 4.0], [9.0, 0.0]])
    assert grad(lambda x: F.max(F.sqrt(x)))(x).tolist() == [[0.0, 0.0], [1 / 6, 0.0]]
    rows = grad(lambda x: F.max(F.sqrt(x), axis=1))(x)
    assert rows.tolist() == [[0.0, 0.25], [1 / 6, 0.0]]
    assert grad(lambda x: F.sum(F.min(-F.sqrt(x), axis=0, keepdims=True)))(x).tolist() == [
        [0.0, -0.25],
        [-1 / 6, 0.0],
    ]
    masked = grad(lambda x: F.where(np.array([1.0, 0.0]), F.max(F.sqrt(x), axis=1), 0.0))(x)
    assert masked.tolist() == [[0.0, 0.25], [0.0, 0.0]]


def test_the_gradient_of_an_input_behind_a_step_is_zero():
    x, w = Variable(np.array([1.0, 2.0])), Variable(np.array(3.0))
    y = F.floor(F.sqrt(x) * w)
    y.backward()
    assert x.grad.tolist() == [0.0, 0.0] and w.grad.shape == () and w.grad == 0.0
    x.cleargrad()
    (F.floor(x) * x).backward(create_graph=True)
    assert x.grad.data.tolist() == [1.0, 2.0]


def test_an_element_sends_nothing_to_another_ones_derivative():
    """A row of a Jacobian or a Hessian begins with a weight of 0 for all but one element."""
    x = np.array([0.0, 4.0])
    assert jacobian(F.sqrt)(x).tolist() == [[inf, 0.0], [0.0, 0.25]]
    assert hessian(F.sqrt)(x).tolist() == [[-inf, 0.0], [0.0, -1 / 32]]
    assert hessian(lambda x: F.sum(F.cbrt(x)))([0.0, 1.0])[1].tolist() == [0.0, -2 / 9]
    outside = jacobian(lambda x, y: F.log(x) * y)([-1.0, 4.0], [[1.0], [2.0]])
    assert outside[0][:, 1, 1].tolist() == [0.25, 0.5] and outside[0][0, 1].tolist() == [0.0, 0.25]
    assert not np.isnan(outside[0][..., 1]).any() and outside[1][0, 1].tolist() == [
        [np.log(4)],
        [0.0],
    ]
    stretched = jacobian(lambda x: F.sqrt(x + np.zeros((3, 1))))(x)  # an element of x at a time
    assert stretched[..., 1].tolist() == [[0.0, 0.25]] * 3


def test_elements_that_an_index_does_not_take():
    x = np.array([[0.0, 4.0], [9.0, 0.0]])
    assert grad(lambda x: F.sqrt(x)[0, 1])(x).tolist() == [[0.0, 0.25], [0.0, 0.0]]
    assert grad(lambda x: F.sqrt(x)[[1, 1], [0, 0]])(x).tolist() == [[0.0, 0.0], [1 / 3, 0.0]]
    assert grad(lambda x: F.sqrt(x)[:, :1][1:])(x).tolist() == [[0.0, 0.0], [1 / 6, 0.0]]
    chosen = grad(lambda x: F.where(np.array([1.0, 0.0]), F.sqrt(x)[::-1, 0], 0.0))(x)
    assert chosen.tolist() == [[0.0, 0.0], [1 / 6, 0.0]]
    assert grad(lambda x: F.where(0.0, F.prod(F.sqrt(x), axis=1), 1.0))(x).tolist() == [
        [0.0, 0.0],
        [0.0, 0.0],
    ]


@pytest.mark.parametrize("step", [F.floor, F.sign, lambda u: u > 0, lambda u: F.where(u, 1.0, 2.0)])
def test_a_step_lifts_no_mask_of_what_is_under_it(step):
    """What a choice leaves out may stand under a step too, before it or after it."""

    def shared(x):
        u = F.sqrt(x)
        return F.where(x < 1, x, u) + step(u)

    def later(x):
        u = F.sqrt(x)
        return F.maximum(x - 1, u - 2) + 2 * step(1.0 * u)

    assert grad(shared)(0.0) == grad(later)(0.0) == 1.0
    assert grad(later)(np.array([0.0, 0.0])).tolist() == [1.0, 1.0]
    assert trace(later, ["x"]).run({"x": np.array([0.0])})[1].tolist() == [1.0]


# ------------------------------------------------------------------- a condition is any number
def test_a_negative_condition_is_true():
    def chosen(c):
        return lambda x: F.where(c, x**2, x**3) * x

    assert hessian(chosen(-1.0))(3.0) == 18.0
    assert hessian(lambda z: F.where(-1.0, z, z) ** 2)(3.0) == 2.0
    c = np.array([-1.0, -1.0])
    slopes = jacobian(lambda x: F.tanh(F.where(c, x, 2 * x)))(0.0)
    assert slopes.tolist() == [1.0, 1.0]

    def shared(x):
        t = x * x
        return F.where(-1.0, t, 2 * t)

    assert grad(shared)(3.0) == 6.0
    assert grad(lambda x: F.where(np.array([-1.0, 0.0]), x * x, 2 * (x * x)))(3.0) == 18.0


def test_a_negative_condition_in_a_trace():
    def function(c, x):
        t = x * x
        return F.where(c, t, 2 * t) + F.where(c - 1, t, F.sqrt(t))

    program = trace(function, ["c", "x"])
    columns = {"c": np.array([-1.0, 0.0, 1.0]), "x": np.array([3.0, 3.0, 3.0])}
    assert program.run(columns)[2].tolist() == [12.0, 18.0, 7.0]


# -------------------------------------------------------------------------------------------- nan
@pytest.mark.parametrize(
    "function",
    [
        F.abs,
        F.relu,
        lambda x: F.clip(x, 0.0, 1.0),
        lambda x: F.clip(x, x, x),
        lambda x: F.maximum(x, 1.0),
        lambda x: F.minimum(1.0, x),
        F.max,
        lambda x: F.min(x, axis=-1) if x.ndim else F.min(x),
    ],
)
def test_the_slope_at_nan_is_nan(function):
    assert np.isnan(grad(function)(nan))
    assert np.isnan(grad(function)(np.array([nan, 0.5]))[0])

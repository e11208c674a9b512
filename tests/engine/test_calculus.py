"""Jacobians, Hessians and numerical checks; Newton's method and high orders."""

import mpmath
import numpy as np
import pytest

from dezero import Function, Variable
from dezero import functions as F
from dezero.calculus import grad, hessian, hvp, jacobian, value_and_grad
from dezero.numerical import gradient_check, numerical_grad

mpmath.mp.dps = 50


def rosenbrock(x, y):
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2


def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def goldstein_price(x, y):
    first = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    second = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return first * second


@pytest.mark.parametrize("at", [(-1.2, 1.0), (0.3, -0.7), (1.0, 1.0)])
@pytest.mark.parametrize("function", [rosenbrock, himmelblau, goldstein_price])
def test_hessians_against_fifty_digits(function, at):
    got = np.array(hessian(function)(*at))
    exact = np.array(
        [
            [mpmath.diff(function, [mpmath.mpf(x) for x in at], order) for order in row]
            for row in [[(2, 0), (1, 1)], [(1, 1), (0, 2)]]
        ]
    )
    assert np.abs(got - exact).max() <= 1e-10 * np.abs(exact).max()


def test_newtons_method_takes_seven_steps():
    x = Variable(np.array(2.0))
    steps = 0
    while abs(x.data - 1.0) > 1e-15:
        y = x**4 - 2 * x**2
        x.cleargrad()
        y.backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward()
        x.data -= gx.data / x.grad.data
        steps += 1
        assert steps <= 7
    assert steps == 7


@pytest.mark.parametrize("at", [0.3, 1.0, -2.5])
def test_the_sixth_derivative_of_a_sine(at):
    x = Variable(np.array(at))
    y = F.sin(x)
    for _ in range(6):
        y.backward(create_graph=True)
        y = x.grad
        x.cleargrad()
    assert abs(float(y.data) + np.sin(at)) <= 1e-12


# ------------------------------------------------------------------------------ shapes and sizes
def test_one_input_gives_an_array_and_several_a_tuple():
    assert grad(lambda x: x * x)(3.0) == 6.0
    assert [float(g) for g in grad(lambda x, y: x * y)(3.0, 4.0)] == [4.0, 3.0]
    value, gradient = value_and_grad(lambda x: F.sum(x * x))([1.0, 2.0])
    assert value == 5.0 and gradient.tolist() == [2.0, 4.0]
    assert hessian(lambda x: F.sum(x**3))([1.0, 2.0]).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    rows = hessian(lambda x, y: F.sum(x * y))(np.ones(2), np.ones((3, 2)))
    assert [[block.shape for block in row] for row in rows] == [
        [(2, 2), (2, 3, 2)],
        [(3, 2, 2), (3, 2, 3, 2)],
    ]


@pytest.mark.parametrize("shapes", [((), (4,)), ((4,), ()), ((2, 3), (3,)), ((1,), (5, 1))])
def test_jacobians_by_rows_and_by_columns_are_the_same(shapes):
    random = np.random.default_rng(3)
    a, b = (random.normal(size=shape) for shape in shapes)
    got = jacobian(lambda a, b: F.sin(a * b) + a)(a, b)
    full = np.broadcast_shapes(*shapes)
    for k, (block, x) in enumerate(zip(got, (a, b), strict=True)):
        assert block.shape == (*full, *x.shape)
        for i in np.ndindex(x.shape):
            slope = np.cos(a * b) * (b if k == 0 else a) + (1.0 if k == 0 else 0.0)
            unit = np.zeros(x.shape)
            unit[i] = 1.0
            np.testing.assert_allclose(block[(..., *i)], slope * unit, rtol=1e-14)


def test_what_does_not_depend_on_an_input():
    assert grad(lambda x: 3.0)(1.0) == 0.0
    assert hessian(lambda x, y: x + y)(1.0, 2.0) == ((0.0, 0.0), (0.0, 0.0))
    assert jacobian(lambda x, y: y * np.ones(3))(1.0, 2.0)[0].tolist() == [0.0, 0.0, 0.0]
    assert hvp(lambda x: 2 * x)(1.0, 1.0) == 0.0


def test_a_hessian_product_is_the_hessian_times_the_vector():
    x, v = np.linspace(-1, 1, 6), np.arange(6.0)

    def chained(x):
        return F.sum(rosenbrock(x[:-1], x[1:]))

    np.testing.assert_allclose(hvp(chained)(x, v), hessian(chained)(x) @ v, rtol=1e-13)
    blocks = hessian(rosenbrock)(0.5, -1.0)
    expected = [2 * blocks[0][0] - blocks[0][1], 2 * blocks[1][0] - blocks[1][1]]
    np.testing.assert_allclose(hvp(rosenbrock)((0.5, -1.0), (2.0, -1.0)), expected, rtol=1e-14)


def test_a_hessian_costs_one_backward_for_each_row():
    calls = []

    class Counting(Function):
        def forward(self, x):
            return x * x * x

        def backward(self, gy):
            calls.append(1)
            return gy * 3 * self.inputs[0].data ** 2

    hessian(lambda x: F.sum(Counting()(x)))(np.ones(10))
    assert len(calls) <= 11


# ------------------------------------------------------------------------------- numerical checks
class Wrong(Function):
    """A sine whose derivative is off by a little."""

    def forward(self, x):
        return np.sin(x)

    def backward(self, gy):
        return gy * np.cos(self.inputs[0].data) * 1.00001


def test_a_wrong_derivative_is_found_and_placed():
    x = np.array([[0.5, 0.25], [-0.5, 1.0]])
    (comparison,) = gradient_check(lambda x: F.sum(F.sin(x[:1]) + Wrong()(x[1:])), x)
    assert comparison.agrees.tolist() == [[True, True], [False, False]]
    assert comparison.worst[0] == 1


@pytest.mark.parametrize(
    ("function", "at", "method"),
    [
        (lambda x: F.exp(x) * F.sin(3 * x) / (1 + x * x), 0.7, "complex step"),
        (lambda x: 1 - F.cos(x), 1e-9, "complex step"),
        (lambda x: F.log(x), 1e-9, "complex step"),
        (lambda x: F.sin(1000 * x), 0.001, "complex step"),
        (lambda x: F.abs(x) * x, -0.7, "central differences"),
        (lambda x: F.arctan2(x, 2.0), 0.3, "central differences"),
        (lambda x: F.floor(x) + x, 0.3, "central differences"),
        (lambda x: F.cbrt(x), 1e-3, "central differences"),
    ],
)
def test_the_method_suits_the_function(function, at, method):
    (comparison,) = gradient_check(function, at)
    assert comparison.agrees.all() and comparison.method == method
    true = grad(function)(at)
    bound = 1e-14 if method == "complex step" else 1e-9
    assert abs(numerical_grad(function, at) - true) <= bound * abs(true)


@pytest.mark.parametrize(
    ("function", "at"), [(F.sqrt, 0.0), (F.log, -1.0), (F.relu, 0.0), (lambda x: 1 / x, 0.0)]
)
def test_what_has_no_derivative_is_not_confirmed(function, at):
    with np.errstate(all="ignore"):
        (comparison,) = gradient_check(function, at)
    assert not comparison.agrees.any()


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (F.log, [0.0, 2.0], [[np.inf, 0.0], [0.0, 0.5]]),
        (lambda x: F.sqrt(x)[::-1], [0.0, 4.0], [[0.0, 0.25], [np.inf, 0.0]]),
        (lambda x: F.reshape(F.log(x), (2, 1)), [0.0, 2.0], [[[np.inf, 0.0]], [[0.0, 0.5]]]),
        (lambda x: F.log(x) * x[0], [0.0, 2.0], [[np.nan, 0.0], [np.log(2.0), 0.0]]),
    ],
)
def test_an_infinite_slope_of_one_element_is_no_other_elements(function, x, expected):
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(jacobian(function)(np.array(x)), expected)


def test_an_infinite_slope_of_one_gradient_is_no_other_gradients():
    with np.errstate(all="ignore"):
        curves = hessian(lambda x: F.sum(x**1.5))(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(curves, [[np.inf, 0.0], [0.0, 0.75]])

"""Functions of arrays, and of several values: values by NumPy, derivatives by complex step."""

import itertools
import re

import numpy as np
import pytest

from dezero import Variable
from dezero import functions as F
from dezero.calculus import grad, hessian, jacobian
from dezero.lists import stack
from dezero.numerical import numerical_grad
from dezero.programs.trace import trace

X = np.array([[1.25, -0.5, 2.0], [0.75, 3.5, -1.0], [2.5, 0.25, 1.5]])
V = np.array([0.5, -1.25, 2.0])
ONE = {
    "std": np.std,
    "var": np.var,
    "median": np.median,
    "cumsum": np.cumsum,
    "diff": np.diff,
    "logsumexp": lambda x, **by: np.log(np.sum(np.exp(x), **by)),
    "softmax": lambda x, **by: np.exp(x) / np.sum(np.exp(x), **by, keepdims=bool(by)),
    "trace": np.trace,
    "det": np.linalg.det,
    "inv": np.linalg.inv,
}
AXES = {"std", "var", "median", "cumsum", "diff", "logsumexp"}


@pytest.mark.parametrize("name", ONE)
def test_values_are_numpys(name):
    function = F.FUNCTIONS[name].function
    np.testing.assert_allclose(function(Variable(X)).data, ONE[name](X), rtol=1e-13)
    for axis in (0, 1, -1) if name in AXES else ():
        got = function(Variable(X), axis=axis)
        np.testing.assert_allclose(got.data, ONE[name](X, axis=axis), rtol=1e-13)


def weighted(function):
    """A number of every element, so that no gradient hides."""

    def total(x):
        y = function(x)
        return F.sum(y * np.arange(1.0, y.size + 1).reshape(y.shape))

    return total


@pytest.mark.parametrize("name", ONE)
def test_gradients_are_those_of_differences(name):
    function = weighted(F.FUNCTIONS[name].function)
    np.testing.assert_allclose(grad(function)(X), numerical_grad(function, X), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in ONE if name != "median"])
def test_second_derivatives_are_gradients_of_gradients(name):
    function = weighted(F.FUNCTIONS[name].function)
    step = 1e-6
    found = hessian(function)(X)
    for place in np.ndindex(X.shape):
        moved = np.zeros_like(X)
        moved[place] = step
        slope = (grad(function)(X + moved) - grad(function)(X - moved)) / (2 * step)
        np.testing.assert_allclose(found[place], slope, rtol=1e-6, atol=1e-6)


def test_solve_is_numpys_with_its_derivatives():
    np.testing.assert_allclose(F.solve(X, V).data, np.linalg.solve(X, V))
    np.testing.assert_allclose(F.solve(X, X.T).data, np.linalg.solve(X, X.T))
    for right in (V, X.T):
        function = lambda a, b: weighted(lambda a: F.solve(a, b))(a)  # noqa: E731
        got = grad(function)(X, right)
        expected = numerical_grad(function, X, right)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8)


def test_a_determinant_of_0_has_a_gradient():
    singular = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(grad(F.det)(singular), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-14)
    assert not grad(F.det)(np.zeros((3, 3))).any()


@pytest.mark.parametrize("name", ["det", "inv", "solve"])
def test_a_matrix_must_be_square(name):
    values = [np.ones((2, 3)), np.ones(2)][: 2 if name == "solve" else 1]
    with pytest.raises(ValueError, match="square matrix"):
        F.FUNCTIONS[name].function(*values)


def leibniz(x):
    """The determinant as the polynomial that it is."""
    total = 0.0
    for places in itertools.permutations(range(len(x))):
        swaps = sum(a > b for a, b in itertools.combinations(places, 2))
        product = (-1.0) ** swaps
        for row, column in enumerate(places):
            product = product * x[row, column]
        total = total + product
    return total


SINGULAR = [
    np.ones((1, 1)),
    np.zeros((1, 1)),
    np.ones((2, 2)),
    np.zeros((2, 2)),
    np.array([[1.0, 2.0], [2.0, 4.0]]),
    np.array([[1.0, 2.0], [2.0, 4.0 + 1e-12]]),
    np.arange(9.0).reshape(3, 3),
    np.ones((3, 3)),
    np.outer([1.0, -2.0, 0.5, 3.0], [2.0, 1.0, 1.0, -1.0]),
    np.diag([1.0, 2.0, 3.0, 0.0]),
    np.diag([1.0, 2.0, 0.0, 0.0]),
]


@pytest.mark.parametrize("matrix", SINGULAR, ids=str)
def test_determinants_of_singular_matrices_have_derivatives_of_every_order(matrix):

    for order in (grad, hessian):
        np.testing.assert_allclose(order(F.det)(matrix), order(leibniz)(matrix), atol=1e-12)
    total = hessian(lambda x: F.det(x) ** 2 + F.det(x))(matrix)
    expected = hessian(lambda x: leibniz(x) ** 2 + leibniz(x))(matrix)
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_determinants_of_what_is_not_finite_have_no_slope(bad):
    matrix = np.array([[bad, 1.0], [1.0, 2.0]])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(F.det(matrix).data, leibniz(matrix))
        assert np.isnan(grad(F.det)(matrix)).all()
        assert np.isnan(hessian(lambda x: F.det(x) ** 2)(matrix)).any()


REFUSED = [
    (lambda: F.inv(np.ones((2, 2))), "the matrix has no inverse"),
    (lambda: F.solve(np.ones((2, 2)), np.ones(2)), "the matrix has no inverse"),
    (lambda: F.solve(X, np.ones(2)), r"shapes (3, 3) and (2,) do not fit together in a system"),
    (lambda: F.solve(X, np.ones(())), r"shapes (3, 3) and () do not fit together in a system"),
    (lambda: F.solve(X, np.ones((1, 3))), r"shapes (3, 3) and (1, 3) do not fit together"),
    (lambda: F.diff(np.ones(())), "a number has no axes"),
    (lambda: F.sum(np.ones(()), axis=0), "a number has no axes"),
    (lambda: F.getitem(np.ones(()), 0), "a number has no elements"),
    (lambda: F.getitem(np.ones(()), slice(1)), "a number has no elements"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_cannot_be_is_said_in_plain_words(call, words):
    with pytest.raises((ValueError, IndexError), match=re.escape(words)):
        call()


def test_outer_products():
    np.testing.assert_array_equal(F.outer(V, [1.0, 2.0]).data, np.outer(V, [1.0, 2.0]))
    np.testing.assert_allclose(
        jacobian(lambda v: F.sum(F.outer(v, v)))(V), 2 * V.sum() * np.ones(3)
    )


def test_a_deviation_of_0_has_gradient_0():
    assert not grad(F.std)(np.full(4, 3.0)).any()


def test_the_median_shares_ties():
    np.testing.assert_array_equal(
        grad(F.median)([1.0, 2.0, 2.0, 2.0, 9.0]), [0, 1 / 3, 1 / 3, 1 / 3, 0]
    )
    np.testing.assert_array_equal(grad(F.median)([1.0, 4.0, 2.0, 9.0]), [0, 0.5, 0.5, 0])


def test_the_median_of_what_is_not_a_number():
    rows = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(
        grad(lambda x: F.median(x, axis=1))(rows), [[np.nan] * 3, [0, 1, 0]]
    )
    assert np.isnan(grad(F.median)(rows)).all()


@pytest.mark.parametrize(
    ("shape", "axis"), [((0,), None), ((2, 0), 1), ((0, 3), 0), ((0, 3), None)]
)
def test_an_empty_array_has_no_median(shape, axis):
    with pytest.raises(ValueError, match="an empty array has no median"):
        F.median(np.zeros(shape), axis=axis)


@pytest.mark.filterwarnings("error")
def test_an_empty_array_has_no_mean_and_nobody_is_warned():
    assert F.median(np.zeros((0, 3)), axis=1).shape == (0,)
    with np.errstate(all="ignore"):
        for function in (F.mean, F.std, F.var):
            assert np.isnan(function(np.zeros(0)).data)


def test_exponentials_of_large_numbers_do_not_overflow():
    assert float(F.logsumexp([1000.0, 1000.0]).data) == pytest.approx(1000 + np.log(2))
    np.testing.assert_allclose(F.softmax([-1000.0, 1000.0]).data, [0, 1])
    with np.errstate(divide="ignore"):
        assert float(F.logsumexp([-np.inf, -np.inf]).data) == -np.inf


XS, YS = np.array([0.0, 1.0, 3.0]), np.array([2.0, 5.0, 1.0])


def test_interpolation_is_numpys():
    at = np.array([-1.0, 0.0, 0.25, 1.0, 2.5, 3.0, 7.0])
    np.testing.assert_allclose(F.interp(at, XS, YS).data, np.interp(at, XS, YS))
    got = grad(lambda x, xs, ys: F.interp(x, xs, ys))(2.5, XS, YS)
    assert got[0] == -2.0
    np.testing.assert_allclose(got[1], [0, -0.5 * -1, 1.5 * 1])
    np.testing.assert_allclose(got[2], [0, 0.25, 0.75])
    assert grad(lambda x: F.interp(x, XS, YS))(-1.0) == 0.0
    slopes = [
        grad(lambda x: F.interp(x, [0.0, 1, 2, 3], [0.0, 3, 4, 2]))(x) for x in (0.0, 1, 2, 3)
    ]
    assert slopes == [0.0, 1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="must grow"):
        F.interp(0.5, [1.0, 0.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="two lists of the same length"):
        F.interp(0.5, [1.0, 2.0], [1.0])


def table(count):
    """Points of a piecewise linear function with extremes, level pieces and equal slopes."""
    random = np.random.default_rng(count)
    places = np.cumsum(random.integers(1, 5, count)) / 4.0 - 3.0
    return places, random.integers(-2, 3, count) / 2.0


@pytest.mark.parametrize("count", [2, 3, 4, 7, 40, 300])
def test_a_program_interpolates_as_arrays_do(count):
    places, heights = table(count)
    middles = (places[1:] + places[:-1]) / 2
    at = np.sort(np.concatenate([places, middles, [-99, 999, np.inf, np.nan]]))
    x = Variable(at)
    with np.errstate(invalid="ignore"):  # of inf, which no piece is for
        y = F.interp(x, places, heights)
    y.backward()
    value, found = trace(lambda x: F.interp(x, places, heights), ["x"]).run({"x": at})
    np.testing.assert_array_equal(value, y.data)
    np.testing.assert_allclose(value, np.interp(at, places, heights), rtol=1e-15)
    np.testing.assert_array_equal(found, x.grad)
    beside = [
        (np.interp(at + step, places, heights) - np.interp(at, places, heights)) / step
        for step in (-(2.0**-20), 2.0**-20)
    ]
    flatter = np.where(beside[0] * beside[1] <= 0.0, 0.0, np.minimum(*np.absolute(beside)))
    finite = np.isfinite(at)
    np.testing.assert_allclose(np.absolute(found)[finite], flatter[finite], rtol=1e-8)
    assert found[at == np.inf] == 0.0 and np.isnan(found[-1])


def test_a_program_interpolates_between_numbers_alone():
    for lists in (lambda a: ([0.0, a], [1.0, 2.0]), lambda a: ([0.0, 1.0], [1.0, a])):
        with pytest.raises(ValueError, match="must be a list of numbers"):
            trace(lambda a, lists=lists: F.interp(0.5, *map(stack, lists(a))), ["a"])


@pytest.mark.parametrize(
    ("function", "numpys"),
    [
        (F.total, np.sum),
        (F.product, np.prod),
        (F.average, np.mean),
        (F.least, np.min),
        (F.greatest, np.max),
        (F.distance, np.linalg.norm),
    ],
)
def test_of_several_values(function, numpys):
    values = [0.5, -1.25, 2.0, 0.75]
    assert float(function(*map(Variable, map(np.array, values))).data) == pytest.approx(
        numpys(values)
    )
    got, expected = grad(function)(*values), numerical_grad(function, *values)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_ties_of_several_values_share_equally():
    assert grad(F.greatest)(2.0, 1.0, 2.0, 2.0) == pytest.approx((1 / 3, 0, 1 / 3, 1 / 3))
    assert grad(F.least)(1.0, 1.0, 1.0) == pytest.approx((1 / 3,) * 3)
    assert np.isnan(grad(F.least)(1.0, np.nan, 1.0)).all()


def test_a_normal_distribution_elsewhere():
    at = (1.5, 0.5, 2.0)
    for function, standard in (
        (F.normcdf_of, lambda x, m, s: F.normcdf((x - m) / s)),
        (F.normpdf_of, lambda x, m, s: F.normpdf((x - m) / s) / s),
    ):
        got, expected = grad(function)(*at), grad(standard)(*at)
        np.testing.assert_allclose(got, expected, rtol=1e-15)
    probability = float(F.normcdf_of(*at).data)
    assert float(F.norminv_of(probability, 0.5, 2.0).data) == pytest.approx(1.5, rel=1e-14)
    assert np.isnan(F.normcdf_of(1.0, 0.0, Variable(np.array(-1.0))).data)
    assert np.isnan(F.normcdf_of(1.0, 0.0, 0.0).data)

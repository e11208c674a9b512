"""Reductions, shapes and matrices: NumPy's values, and derivatives of the first two orders."""

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero import Variable, constant
from dezero import functions as F
from dezero.calculus import grad, hessian, hvp, jacobian
from dezero.numerical import gradient_check

RANDOM = np.random.default_rng(5)
BEGUN = RANDOM.bit_generator.state


@pytest.fixture(autouse=True)
def begun():
    """Each test draws the same numbers, whichever come before it."""
    RANDOM.bit_generator.state = BEGUN


SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)
REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "min": np.min,
    "max": np.max,
    "norm": lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
}


def distinct(shape):
    """An array without ties, of both signs, whose smallest distance is far above any step."""
    count = int(np.prod(shape))
    return (RANDOM.permutation(count) - count / 2 + 0.25).reshape(shape) / 3


def confirmed(function, *arrays):
    """Whether the gradient, and that of a random combination of it, are what numbers say."""
    weights = [RANDOM.normal(size=np.shape(a)) for a in arrays]

    def combination(*xs):
        y = function(*xs)
        y.backward(create_graph=True)
        products = [x.grad * w for x, w in zip(xs, weights, strict=True) if x.grad is not None]
        return sum((F.sum(product) for product in products), constant(0.0))

    first = all(c.agrees.all() for c in gradient_check(function, *arrays))
    product = hvp(function)(tuple(arrays), tuple(weights))
    numerical = _numerical_gradient(function, arrays, weights)
    second = all(
        np.allclose(p, n, rtol=1e-5, atol=1e-6) for p, n in zip(product, numerical, strict=True)
    )
    return first and second


def _numerical_gradient(function, arrays, weights, step=1e-5):
    """Central differences of the analytic gradient along the weights: the Hessian's product."""
    ends = []
    for sign in (1, -1):
        moved = [a + sign * step * w for a, w in zip(arrays, weights, strict=True)]
        gradients = grad(function)(*moved)
        ends.append(gradients if len(arrays) > 1 else [gradients])
    return [(above - below) / (2 * step) for above, below in zip(*ends, strict=True)]


# ------------------------------------------------------------------------------------- reductions
def axes_of(ndim):
    yield None
    yield from range(-ndim, ndim)
    for count in range(2, ndim + 1):
        yield from itertools.combinations(range(ndim), count)


@pytest.mark.parametrize("keepdims", [False, pytest.param(True, marks=pytest.mark.unmeasured)])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.unmeasured] * (n not in ("sum", "max")))
        for n in REDUCTIONS
    ],
)
def test_reductions_over_every_axis(name, keepdims):
    weights = RANDOM.normal(size=100)
    for shape in [(), (4,), (2, 3), (2, 3, 2)]:
        for axis in axes_of(len(shape)):
            x = distinct(shape)
            expected = REDUCTIONS[name](x, axis=axis, keepdims=keepdims)
            got = getattr(F, name)(Variable(np.array(x)), axis=axis, keepdims=keepdims)
            assert got.shape == np.shape(expected)
            np.testing.assert_allclose(got.data, expected, rtol=1e-14)

            w = weights[: got.size].reshape(got.shape)

            def weighted(x, axis=axis, w=w):
                return F.sum(getattr(F, name)(x, axis, keepdims) ** 2 * w)

            assert confirmed(weighted, x), (shape, axis)


def test_reductions_of_nothing():
    empty = Variable(np.zeros((0, 3)))
    assert F.sum(empty).data == 0.0 and F.prod(empty).data == 1.0 and F.norm(empty).data == 0.0
    assert F.prod(empty, axis=0).data.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="zero-size"):
        F.max(empty)
    F.prod(empty).backward()
    assert empty.grad is None or empty.grad.shape == (0, 3)


@pytest.mark.parametrize("axis", [1, -2, (0, 0), (0, 1)])
def test_an_axis_too_many(axis):
    for function in (F.sum, F.mean, F.prod, F.max, F.norm):
        with pytest.raises((np.exceptions.AxisError, ValueError)):
            function(Variable(np.ones(3)), axis=axis)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 5e-324 * 1000])
def test_a_norm_without_overflow(scale):
    x = np.array([3.0, 4.0]) * scale
    y = F.norm(Variable(x))
    np.testing.assert_allclose(y.data, 5 * scale, rtol=1e-3 if scale < 1e-300 else 1e-15)
    np.testing.assert_allclose(grad(F.norm)(x), [0.6, 0.8], rtol=1e-3)


def test_norms_of_what_is_not_finite():
    assert F.norm(Variable(np.array([1.0, -np.inf]))).data == np.inf
    assert np.isnan(F.norm(Variable(np.array([1.0, np.nan]))).data)


def test_a_product_with_zeros_has_all_its_derivatives():
    x = np.array([0.0, 2.0, 0.0, 3.0])
    assert jacobian(grad_of_prod)(x).tolist()[0] == [0.0, 0.0, 6.0, 0.0]


def grad_of_prod(x):
    F.prod(x).backward(create_graph=True)
    gradient = x.grad
    x.cleargrad()
    return gradient


# --------------------------------------------------------------------------------------- matrices
MATRIX_SHAPES = [
    *[((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4))],
    *[((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4))],
    *[((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4))],
]


@pytest.mark.parametrize(("shape0", "shape1"), MATRIX_SHAPES)
@pytest.mark.parametrize("function", [lambda a, b: a @ b, F.dot], ids=["matmul", "dot"])
def test_matrix_products(function, shape0, shape1):
    a, b = RANDOM.normal(size=shape0), RANDOM.normal(size=shape1)
    expected = a @ b if function is not F.dot else np.dot(a, b)
    got = function(Variable(a), Variable(b))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got.data, expected, rtol=1e-13, atol=1e-13)
    weights = RANDOM.normal(size=expected.shape)
    assert confirmed(lambda a, b: F.sum(function(a, b) ** 2 * weights), a, b)


EMPTY = [
    *[((2, 0), (0,)), ((0,), (0,)), ((0, 3), (3,)), ((2, 0), (0, 3)), ((3,), (3, 0))],
    *[((0,), (0, 3)), ((5, 0, 3), (3,)), ((0,), (0, 0)), ((5, 2, 0), (0, 3)), ((2, 3), (0, 3, 4))],
]


@pytest.mark.parametrize(("shape0", "shape1"), EMPTY)
@pytest.mark.parametrize("function", [F.matmul, F.dot])
def test_products_of_nothing(function, shape0, shape1):
    a, b = np.zeros(shape0), np.zeros(shape1)
    y = function(Variable(a), Variable(b))
    np.testing.assert_array_equal(y.data, np.dot(a, b) if function is F.dot else a @ b)
    gradients = grad(lambda a, b: F.sum(function(a, b) ** 2))(a, b)
    assert [g.shape for g in gradients] == [shape0, shape1]
    assert [j.shape for j in jacobian(function)(a, b)] == [y.shape + shape0, y.shape + shape1]


@pytest.mark.parametrize("small", [1e-3, 1e-8, 1e-160, 1.0])
@pytest.mark.parametrize("scale", [1e3, 1.0, 1e-150, 1e150])
def test_the_curvature_of_a_norm_keeps_its_digits(small, scale):
    """Along the axis that x is close to, 1/r - x**2/r**3 has none left."""
    x = [scale, scale * small, 2 * scale * small]
    close = {"rtol": 4e-15, "atol": 1e-320}
    np.testing.assert_allclose(hessian(F.norm)(np.array(x)), curvature(x), **close)
    np.testing.assert_allclose(hessian(F.hypot)(*x[:2]), curvature(x[:2]), **close)


def curvature(x):
    with mpmath.workdps(400):
        a = list(map(mpmath.mpf, x))
        r = mpmath.sqrt(sum(v * v for v in a))
        places = range(len(a))
        return [[float(((i == j) * r * r - a[i] * a[j]) / r**3) for j in places] for i in places]


def test_numpy_names_and_plain_arrays_take_part():
    a, b = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(3, 2))
    for y in (a @ Variable(b), Variable(a) @ b, np.matmul(a, Variable(b)), np.dot(Variable(a), b)):
        assert isinstance(y, Variable)
        np.testing.assert_array_equal(y.data, a @ b)
    assert float(np.linalg.norm(Variable(np.array([3.0, 4.0]))).data) == 5.0


@pytest.mark.parametrize(
    ("shape0", "shape1", "message"),
    [((2,), (3,), "do not fit"), ((2, 3), (2, 3), "do not fit"), ((), (3,), "write \\*")],
)
def test_matrices_that_do_not_fit(shape0, shape1, message):
    with pytest.raises(ValueError, match=message):
        F.matmul(Variable(np.ones(shape0)), Variable(np.ones(shape1)))


# ----------------------------------------------------------------------------------------- shapes
@pytest.mark.parametrize(
    "index",
    [
        *[0, -1, slice(1, None), (slice(None), 1), (0, 1), None, Ellipsis, (Ellipsis, slice(0, 2))],
        *[[0, 0, 1], np.array([1, 1, 0]), (np.array([0, 1, 1]), np.array([2, 2, 2]))],
        np.array([[True, False, True], [False, True, False]]),
    ],
    ids=str,
)
def test_indexing(index):
    x = RANDOM.normal(size=(2, 3))
    np.testing.assert_array_equal(Variable(x)[index].data, x[index])
    assert confirmed(lambda x: F.sum(x[index] ** 3), x)


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.data())
def test_shapes_and_back(shape, data):
    x = RANDOM.normal(size=shape)
    axes = tuple(data.draw(st.permutations(range(len(shape)))))
    weights = RANDOM.normal(size=np.transpose(x, axes).shape)
    np.testing.assert_array_equal(F.transpose(Variable(x), axes).data, np.transpose(x, axes))
    np.testing.assert_allclose(
        grad(lambda x: F.sum(F.transpose(x, axes) * weights))(x),
        np.transpose(weights, np.argsort(axes)),
    )
    np.testing.assert_allclose(grad(lambda x: F.sum(F.reshape(x, -1) ** 2))(x), 2 * x)
    wide = (2, *shape)
    np.testing.assert_allclose(grad(lambda x: F.sum(F.broadcast_to(x, wide)))(x), 2 + 0 * x)
    np.testing.assert_allclose(grad(lambda x: F.sum(F.sum_to(x, shape[-1:]) ** 2) / 2)(x), ones(x))


def ones(x):
    """The gradient of half the squared column sums."""
    return np.broadcast_to(x.reshape(-1, x.shape[-1]).sum(axis=0), x.shape)


def test_sum_to_what_does_not_fit():
    with pytest.raises(ValueError, match=r"cannot sum .* \(2, 3\) to shape \(2,\)"):
        F.sum_to(Variable(np.ones((2, 3))), (2,))


def test_iteration_and_unpacking():
    a, b = Variable(np.array([1.0, 2.0]))
    (a * b * b).backward()
    assert [float(x.data) for x in (a, b)] == [1.0, 2.0]
    with pytest.raises(TypeError):
        iter(Variable(np.array(1.0)))


# ------------------------------------------------------------------------------ below a `where`
@pytest.mark.parametrize(
    "shaped",
    [
        lambda t: F.reshape(F.reshape(t, (4,)), (2, 2)),
        lambda t: F.transpose(F.transpose(t)),
        lambda t: t[::-1][::-1],
        lambda t: t[[1, 0]][[1, 0]],
        lambda t: F.broadcast_to(F.reshape(t, (1, 2, 2)), (3, 2, 2))[1],
        lambda t: F.sum(F.reshape(t, (1, 2, 2)), axis=0),
    ],
)
def test_the_branch_not_taken_does_not_leak_through_a_shape(shaped):
    x = np.array([[0.0, 1.0], [2.0, 0.0]])
    with np.errstate(all="ignore"):
        gradient = grad(lambda x: F.sum(F.where(x > 0, shaped(F.log(x)), 0.0)))(x)
    assert gradient.tolist() == [[0.0, 1.0], [0.5, 0.0]]


@pytest.mark.parametrize(
    "mixed",
    [
        lambda t: t @ t,
        lambda t: t - F.max(t, axis=0),
        lambda t: t / F.norm(t, axis=1, keepdims=True),
        lambda t: t * F.prod(t, axis=0),
        lambda t: F.where(t > 1.5, t, t * t),
    ],
)
def test_a_masked_result_that_mixes_elements_keeps_them_all(mixed):
    x = np.array([[1.0, 2.0], [3.0, 1.25]])
    mask = np.array([[1.0, 0.0], [0.0, 1.0]])
    taken = grad(lambda x: F.sum(F.where(mask, mixed(F.exp(x)), 0.0)))(x)
    np.testing.assert_allclose(taken, grad(lambda x: F.sum(mask * mixed(F.exp(x))))(x))


def test_both_branches_from_one_result():
    x = np.array([1.0, -2.0])
    gradient = grad(lambda x: F.sum(two_ways(F.exp(x), x)))(x)
    np.testing.assert_allclose(gradient, np.exp(x) * np.array([1.0, 2.0]))


def two_ways(t, x):
    return F.where(x > 0, t, t + t)


@pytest.mark.parametrize("rest", [[], [1e-9], [1e-5, 3e-9], [0.25, -0.5], [0.0]])
def test_the_hessian_of_the_norm_between_two_axes(rest):
    """Elements whose squares are each half of the sum, in all the ways that this rounds."""
    for scale in np.random.default_rng(7).uniform(1, 100, 40):
        for second in (1.0, -1.0, np.nextafter(1, 0), 0.99):
            x = scale * np.array([1.0, second, *rest])
            with mpmath.workdps(60):
                exact = [mpmath.mpf(e) for e in x]
                n = mpmath.sqrt(sum(e * e for e in exact))
                right = [
                    [float(((i == j) - a * b / n / n) / n) for j, b in enumerate(exact)]
                    for i, a in enumerate(exact)
                ]
            np.testing.assert_allclose(hessian(F.norm)(x), right, rtol=3e-15, atol=1e-30)

"""Lists of values as arrays, and what an index takes of them: values and two derivatives."""

import numpy as np
import pytest

from dezero import Variable
from dezero import functions as F
from dezero.calculus import grad, hessian
from dezero.lists import stack
from tests.engine.test_arrays import confirmed

RANDOM = np.random.default_rng(17)
BEGUN = RANDOM.bit_generator.state


@pytest.fixture(autouse=True)
def begun():
    """Each test draws the same numbers, whichever come before it."""
    RANDOM.bit_generator.state = BEGUN


SHAPES = [
    *([()], [(), ()], [(), (), ()], [(3,), (3,)], [(), (3,)], [(2, 3), (3,), ()]),
    *([(2, 1), (1, 3)], [(0,), ()], [(1,), (4,)]),
]


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of log(0); here it is what must not leak."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_values_are_broadcast_and_put_one_after_another(shapes):
    arrays = [RANDOM.normal(size=shape) for shape in shapes]
    expected = np.stack(np.broadcast_arrays(*arrays))
    for got in (stack(map(Variable, arrays)), np.stack(list(map(Variable, arrays)))):
        assert got.shape == expected.shape and got.data.tolist() == expected.tolist()
    weights = RANDOM.normal(size=expected.shape)
    assert confirmed(lambda *xs: F.sum(F.sin(stack(xs)) * weights), *arrays)


def test_numbers_and_arrays_may_stand_beside_variables():
    x = Variable(np.array(2.0))
    y = stack([1, x, np.array([5, 6])])
    assert y.data.tolist() == [[1, 1], [2, 2], [5, 6]] and y.dtype == float
    y.backward()
    assert float(x.grad) == 2.0


def test_the_same_value_twice():
    assert grad(lambda x: F.prod(stack([x, x, 2.0 * x])))(3.0) == 54.0
    assert hessian(lambda x: F.prod(stack([x, x, 2.0 * x])))(3.0) == 36.0


def test_lists_of_lists_are_matrices():
    def function(a, b, c, d, x, y):
        return (stack([stack([a, b]), stack([c, d])]) @ stack([x, y]))[0]

    got = grad(function)(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert [float(g) for g in got] == [5.0, 6.0, 0.0, 0.0, 1.0, 2.0]


def test_what_is_no_list():
    with pytest.raises(ValueError, match="need at least one array"):
        stack([])
    with pytest.raises(ValueError, match=r"together with shapes \(2,\) \(3,\)"):
        stack([np.ones(2), Variable(np.ones(3))])
    with pytest.raises(TypeError):
        np.stack([Variable(np.ones(2))], axis=1)


INDICES = [
    *(0, -1, 3, slice(1, 3), slice(None, None, 2), slice(None, None, -1), slice(3, 0, -2)),
    *(slice(-2, None), slice(2, 2), (slice(None), 0), (slice(None), -1), (0, -1), (-1, slice(1))),
    *((slice(None, None, 2), slice(None, None, -1)), (Ellipsis, 1)),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_every_kind_of_subscript(index):
    x = RANDOM.normal(size=(4, 2))
    assert Variable(x)[index].data.tolist() == x[index].tolist()
    assert confirmed(lambda x: F.sum(F.sin(x)[index] * F.exp(x)[index]), x)
    if not isinstance(index, tuple):
        assert confirmed(lambda x: F.sum(F.sin(x)[index] ** 3), x[:, 0])


@pytest.mark.parametrize("index", [5, -5, (0, 2), (0, 0, 0)], ids=str)
def test_a_subscript_too_large(index):
    with pytest.raises(IndexError):
        Variable(np.ones((4, 2)))[index]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a, b: stack([F.log(a), b * b])[1], (0.0, 6.0)),
        (lambda a, b: stack([b * b, 1.0 / a])[0], (0.0, 6.0)),
        (lambda a, b: stack([F.sqrt(a), b * b, b])[::-1][:2].sum(), (0.0, 7.0)),
        (lambda a, b: stack([stack([F.log(a), b * b]), F.log(a)])[0, 1], (0.0, 6.0)),
        (lambda a, b: F.log(stack([a, b]))[1], (0.0, 1 / 3)),
        (lambda a, b: F.log(stack([a, b]))[[1, 1]].sum(), (0.0, 2 / 3)),
        (lambda a, b: F.exp(F.log(stack([a, b]))[-1]), (0.0, 1.0)),
        (lambda a, b: F.where(b > 4, F.sum(stack([F.log(a), b])), b * b), (0.0, 6.0)),
        (lambda a, b: F.sum(F.where(stack([0.0, 1.0]), stack([F.log(a), b * b]), 0)), (0.0, 6.0)),
        (lambda a, b: F.max(stack([F.log(a), b * b])), (0.0, 6.0)),
    ],
)
def test_an_infinite_slope_of_what_is_not_taken_does_not_leak(function, expected):
    assert grad(function)(0.0, 3.0) == pytest.approx(expected)
    rows = np.array(hessian(function)(0.0, 3.0))
    assert np.isfinite(rows).all() and rows[0].tolist() == [0.0, 0.0] == rows[:, 0].tolist()


def test_what_is_taken_twice_is_taken():
    def function(x):
        logs = F.log(x)
        return logs[0] * 2.0 + F.sum(logs[1:])

    assert grad(function)(np.array([0.5, 2.0, 4.0])).tolist() == [4.0, 0.5, 0.25]
    assert np.isinf(grad(lambda x: F.sum(F.log(x)[0:2]) + F.log(x)[1])(np.array([0.0, 1.0]))[0])


def test_lists_in_lists_are_32_deep_at_most():
    x = Variable(np.array(2.0))
    for _ in range(32):
        x = stack([x])
    assert x.shape == (1,) * 32 and float(F.sum(x).data) == 2.0
    for values in ([x], [1.0, x]):
        with pytest.raises(ValueError, match="at most 32 axes"):
            stack(values)

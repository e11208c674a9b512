"""The engine's promises; every one of them is broken by a plain copy of the notes."""

import copy
import gc
import threading
import tracemalloc

import numpy as np
import pytest

from dezero import Config, Function, Variable, constant, no_grad, using_config
from dezero import functions as F


def variable(data):
    return Variable(np.array(data, dtype=float))


# ------------------------------------------------------------------------ where backward begins
def test_backward_on_an_input_gives_one():
    x = variable([1.0, 2.0])
    x.backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_backward_on_a_constant_gives_nothing():
    c = constant(2.0) * 3
    c.backward()
    assert c.grad is None and c.creator is None


def test_backward_after_no_grad_is_a_clear_error():
    with no_grad():
        y = variable(2.0) ** 2
    with pytest.raises(RuntimeError, match="computed under no_grad"):
        y.backward()


def test_a_result_of_no_grad_serves_as_an_input():
    with no_grad():
        t = variable(2.0) ** 2
    y = t * 3
    y.backward()
    assert t.grad == 3.0


def test_a_second_backward_adds_the_same_gradient_again():
    x = variable(3.0)
    t = x * x
    y = t * 2
    y.backward(retain_grad=True)
    y.cleargrad()
    y.backward()
    assert x.grad == 24.0


def test_an_unknown_setting_is_refused():
    with pytest.raises(AttributeError), using_config("enable_backprob", False):
        pass


# ----------------------------------------------------------------------------------------- graphs
def test_a_wide_graph_differentiates():
    leaves = [variable(float(i)) for i in range(4096)]
    level = leaves
    while len(level) > 1:
        level = [a + b for a, b in zip(level[::2], level[1::2], strict=True)]
    level[0].backward()
    assert all(leaf.grad == 1.0 for leaf in leaves)


def test_a_long_chain_differentiates_and_is_freed_without_recursion():
    x = variable(0.5)
    y = x
    for _ in range(100_000):
        y = -y
    y.backward()
    assert x.grad == 1.0
    del y


def test_shared_subexpressions_are_visited_once_after_all_their_uses():
    x = variable(2.0)
    a = x * x
    y = a * a + a
    y.backward()
    assert x.grad == 4 * 8 + 4


class Pair(Function):
    def forward(self, x):
        return x * 2, x * 3

    def backward(self, ga, gb):
        return ga * 2 + gb * 3


def test_an_output_that_nobody_kept_counts_as_zero():
    x = variable([1.0, 2.0])
    first, second = Pair()(x)
    del second
    (first * 1.0).backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_an_output_that_nobody_used_counts_as_zero():
    x = variable(1.0)
    _first, second = Pair()(x)
    second.backward()
    assert x.grad == 3.0


def test_a_backward_may_give_fewer_gradients_than_there_are_inputs():
    class Chosen(Function):
        def forward(self, x, labels):
            assert labels.dtype == np.int64  # the array itself, which can be an index
            return x[labels]

        def backward(self, gy):
            x, labels = self.inputs
            gx = np.zeros(x.shape)
            np.add.at(gx, labels.data, gy)
            return gx

    x, labels = variable([1.0, 2.0, 3.0]), np.array([2, 0, 2])
    for given in (labels, Variable(labels)):
        x.cleargrad()
        y = Chosen()(x, given)
        y.backward()
        assert y.data.tolist() == [3.0, 1.0, 3.0] and x.grad.tolist() == [1.0, 0.0, 2.0]


def test_a_copy_has_a_graph_of_its_own():
    x = variable([1.0, 2.0])
    y = F.sum(F.sin(x) * x)
    y.backward()
    before = x.grad.tolist()
    for _ in range(20_000):
        y = y + 1.0
    twin = copy.deepcopy(y)
    twin.backward()
    assert x.grad.tolist() == before and y.grad is None
    y.backward()
    assert x.grad.tolist() == [2 * g for g in before]
    both = copy.deepcopy({"x": x, "y": F.sum(x * x)})
    both["y"].backward()
    assert both["x"].grad.tolist() == [2 * g + 2 * d for g, d in zip(before, x.data, strict=True)]


def test_a_gradient_is_changed_in_place():
    x = variable([1.0, 2.0])
    (x * x).backward()
    x.grad.data += 1
    assert x.grad.tolist() == [3.0, 5.0]
    x.grad.data = np.array([0.5, 1.5])
    assert x.grad.tolist() == [0.5, 1.5]


# ----------------------------------------------------------------------------------- shapes, types
SHAPES = [(), (1,), (3,), (1, 1), (2, 1), (1, 3), (2, 3), (4, 1, 3), (4, 2, 1), (1, 2, 3)]


@pytest.mark.parametrize("shape0", SHAPES)
@pytest.mark.parametrize("shape1", SHAPES)
def test_every_gradient_has_its_own_inputs_shape(shape0, shape1):
    x0 = Variable(np.full(shape0, 2.0))
    x1 = Variable(np.full(shape1, 3.0))
    y = x0 * x1 / x1 + F.maximum(x0, x1) - x1**x0
    y.backward(create_graph=True)
    assert x0.grad.shape == shape0 and x1.grad.shape == shape1
    size = y.size
    expected = size * (1 - 9 * np.log(3.0))
    np.testing.assert_allclose(x0.grad.data.sum(), expected, rtol=1e-12)
    g = F.sum(x0.grad)
    x0.cleargrad()
    x1.cleargrad()
    g.backward()
    assert x0.grad.shape == shape0 and x1.grad.shape == shape1
    np.testing.assert_allclose(x0.grad.sum(), -size * 9 * np.log(3.0) ** 2, rtol=1e-12)


def test_integers_neither_wrap_nor_refuse():
    x = Variable(np.array([200, 3], dtype=np.uint8))
    y = x * x * x
    y.backward()
    assert y.data.tolist() == [8e6, 27.0]
    assert x.grad.tolist() == [120000.0, 27.0] and x.grad.dtype == np.float64
    n = Variable(np.array([2, 4]))
    z = n**-1
    z.backward()
    assert z.data.tolist() == [0.5, 0.25] and n.grad.tolist() == [-0.25, -0.0625]
    seed = Variable(np.array([1, 2]))
    seed.backward()
    assert seed.grad.dtype == np.float64


def test_powers():
    x = variable(0.0)
    (x**0).backward()
    assert x.grad == 0.0
    x, y = variable(2.0), variable(3.0)
    (x**y).backward()
    assert x.grad == 12.0 and y.grad == 8 * np.log(2.0)
    y.cleargrad()
    (2**y).backward()
    assert y.grad == 8 * np.log(2.0)


def test_numpys_ufuncs_and_operands_take_part():
    x = variable([0.5, 1.0])
    for y in (np.sin(x), np.array([1.0, 2.0]) * x, np.float64(2) ** x, np.add(1, x), 2.0 - x):
        assert isinstance(y, Variable)
    np.testing.assert_array_equal(np.hypot(x, 2.0).data, np.hypot([0.5, 1.0], 2.0))
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 0)) == ((2,), 1, 2, 2)
    with pytest.raises(TypeError):
        np.gcd(x, 2)


# ----------------------------------------------------------------------------------------- memory
def shares(a, b):
    return np.shares_memory(a, b)


def copying(x):
    return F.reshape(x, (2,))


class Twice(Function):
    """A function as users write it: one array for both inputs."""

    def forward(self, a, b):
        return a + b

    def backward(self, gy):
        return gy, gy


@pytest.mark.parametrize("add", [lambda a, b: a + b, Twice(), lambda a, b: copying(a) + copying(b)])
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("retain_grad", [False, True])
def test_no_two_gradients_are_the_same_array(add, create_graph, retain_grad):
    a, b = variable([1.0, 2.0]), variable([3.0, 4.0])
    y = add(a, b)
    y.grad = seed = np.ones(2)
    y.backward(retain_grad=retain_grad, create_graph=create_graph)
    arrays = [x.grad.data if create_graph else x.grad for x in (a, b)]
    assert not shares(*arrays)
    if not create_graph:
        assert not shares(arrays[0], seed) and not shares(arrays[1], seed)
        a.grad += 1
        assert b.grad.tolist() == [1.0, 1.0] and a.grad.tolist() == [2.0, 2.0]


def evaluation():
    x, y = variable(2.0), variable([1.0, 2.0])
    z = F.sum(F.sin(x * y) / y + F.where(y > 1.5, x, y))
    z.backward()


@pytest.mark.unmeasured
def test_reference_counting_alone_frees_a_graph():
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(1_000):  # until the interpreter's own free lists are full
            evaluation()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(2_000):
            evaluation()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert after - before < 2_000 * 6  # bytes: less than any object that each might keep
        assert gc.collect() == 0
    finally:
        gc.enable()


def peak(function):
    tracemalloc.start()
    function()
    result = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result


def chain(x):
    y = x
    for _ in range(20):
        y = F.sin(y)
    return y


def test_memory_of_a_chain():
    size = 100_000
    array = 8 * size

    def without_graph():
        with no_grad():
            chain(Variable(np.ones(size)))

    def gradient(retain_grad):
        chain(Variable(np.ones(size))).backward(retain_grad=retain_grad)

    assert peak(without_graph) <= 5 * array
    assert peak(lambda: gradient(False)) < peak(lambda: gradient(True)) - 10 * array


def test_config_is_per_thread():
    inside, done = threading.Event(), threading.Event()
    seen = []

    def other():
        with no_grad():
            inside.set()
            done.wait(60)
            seen.append(Config.enable_backprop)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(60)
    x = variable(2.0)
    (x * x).backward()
    done.set()
    thread.join()
    assert x.grad == 4.0 and seen == [False]


# ------------------------------------------------------------------------------------------ kinks
@pytest.mark.parametrize(
    ("function", "point", "gradient"),
    [
        (F.abs, 0.0, 0.0),
        (F.sqrt, 0.0, np.inf),
        (F.relu, 0.0, 0.0),
        (F.sign, 0.0, 0.0),
        (F.floor, 1.0, 0.0),
        (F.ceil, 1.0, 0.0),
        (F.cbrt, 0.0, np.inf),
        (lambda x: F.clip(x, 0.0, 1.0), 0.0, 0.0),
        (lambda x: F.clip(x, 0.0, 1.0), 0.5, 1.0),
        (lambda x: F.clip(x, 0.0, 1.0), 2.0, 0.0),
        (lambda x: F.hypot(x, 0.0), 0.0, 0.0),
        (lambda x: x < 1.0, 1.0, 0.0),
        (lambda x: x == x, 1.0, 0.0),
        (lambda x: F.log(x), 0.0, np.inf),
        (lambda x: 0.0**x, 2.0, 0.0),
        (lambda x: (-2.0) ** x, 3.0, np.nan),
        (lambda x: x ** Variable(np.array(3.0)), -2.0, 12.0),
        (lambda x: x ** Variable(np.array(0.0)), 0.0, 0.0),
    ],
)
def test_gradients_at_kinks_and_edges(function, point, gradient):
    x = variable(point)
    with np.errstate(all="ignore"):
        y = function(x)
    y.backward()
    np.testing.assert_equal(float(x.grad), gradient)


@pytest.mark.parametrize("function", [F.minimum, F.maximum])
def test_a_tie_shares_the_gradient_in_halves(function):
    a, b = variable([1.0, 1.0, 2.0]), variable([1.0, 2.0, 1.0])
    function(a, b).backward()
    assert a.grad[0] == b.grad[0] == 0.5
    assert (a.grad + b.grad).tolist() == [1.0, 1.0, 1.0]


def gradients(y, x):
    """The first and the second derivative."""
    y.backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    first.backward()
    return first.data, x.grad


def test_the_branch_not_taken_leaks_no_nan():
    x = variable([-1.0, 0.0, 4.0])
    with np.errstate(all="ignore"):
        y = F.where(x > 0, F.sqrt(F.log(x)) / x, x * x)
    first, second = gradients(y, x)
    assert first[:2].tolist() == [-2.0, 0.0] and second[:2].tolist() == [2.0, 2.0]
    assert np.isfinite(first).all() and np.isfinite(second).all()


def test_nested_and_broadcast_branches_leak_no_nan():
    x, c = variable([0.0, 1.0, 2.0]), variable(0.0)
    with np.errstate(all="ignore"):
        inner = F.where(x > 1, F.log(x - 1), x)
        y = F.where(x > 0, inner * F.log(c + 1), F.where(c > 0, F.log(c), 3 * x))
    y.backward()
    assert x.grad[0] == 3.0 and np.isfinite(x.grad).all() and np.isfinite(c.grad)


def test_a_value_used_outside_the_branch_too_keeps_its_gradient():
    x = variable([0.0, 4.0])
    with np.errstate(all="ignore"):
        root = F.sqrt(x)
        y = F.where(x > 1, root, 0.0) + root
    y.backward()
    assert x.grad.tolist() == [np.inf, 0.5]

"""Code written for the DeZero book's steps 17 to 42 runs as it is written there.

"Deep Learning from Scratch 3" (Koki Saito); the problems are the book's, the code is written anew
in its manner: gradients read with and without ``.data``, functions called through ``F``.
"""

import math

import numpy as np

import dezero.functions as F
from dezero import Function, Variable, as_variable, no_grad, using_config


def test_step_24_test_functions_and_their_gradients():
    def matyas(x, y):
        return 0.26 * (x**2 + y**2) - 0.48 * x * y

    x, y = Variable(np.array(1.0)), Variable(np.array(1.0))
    matyas(x, y).backward()
    np.testing.assert_allclose([x.grad, y.grad], [0.04, 0.04])


def test_step_27_a_function_of_ones_own_and_a_taylor_series():
    class Sin(Function):
        def forward(self, x):
            return np.sin(x)

        def backward(self, gy):
            x = self.inputs[0].data
            return gy * np.cos(x)

    def series(x, threshold=1e-150):
        y = 0
        for i in range(100000):
            t = (-1) ** i / math.factorial(2 * i + 1) * x ** (2 * i + 1)
            y = y + t
            if abs(t.data) < threshold:
                break
        return y

    for function in (Sin(), series):
        x = Variable(np.array(np.pi / 4))
        y = function(x)
        y.backward()
        np.testing.assert_allclose([y.data, x.grad], [math.sqrt(0.5)] * 2, rtol=1e-15)


def test_step_28_gradient_descent_on_arrays_and_their_gradients():
    x0, x1 = Variable(np.array(0.0)), Variable(np.array(2.0))
    for _ in range(1000):
        y = 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2
        x0.cleargrad()
        x1.cleargrad()
        y.backward()
        x0.data -= 0.001 * x0.grad
        x1.data -= 0.001 * x1.grad
    np.testing.assert_allclose([x0.data, x1.data], [0.6837118, 0.4659526], rtol=1e-5)


def test_step_34_higher_derivatives_of_a_sine():
    x = Variable(np.linspace(-7, 7, 200))
    y = F.sin(x)
    y.backward(create_graph=True)
    logs = [y.data]
    for _ in range(3):
        logs.append(x.grad.data)
        gx = x.grad
        x.cleargrad()
        gx.backward(create_graph=True)
    expected = [np.sin(x.data), np.cos(x.data), -np.sin(x.data), -np.cos(x.data)]
    np.testing.assert_allclose(logs, expected, atol=1e-15)


def test_step_35_names_of_gradients():
    x = Variable(np.array(1.0), name="x")
    y = F.tanh(x)
    y.name = "y"
    y.backward(create_graph=True)
    for _ in range(2):
        gx = x.grad
        x.cleargrad()
        gx.backward(create_graph=True)
    gx = x.grad
    gx.name = "gx3"
    t = math.tanh(1.0)
    np.testing.assert_allclose(gx.data, -2 * (1 - t * t) * (1 - 3 * t * t), rtol=1e-13)


def test_step_36_a_gradient_in_an_equation():
    x = Variable(np.array(2.0))
    y = x**2
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    z = gx**3 + y
    z.backward()
    assert x.grad.data == 100.0 and isinstance(x.grad.data, np.ndarray)


def test_steps_37_to_41_arrays():
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    y = F.reshape(x, (6,))
    y.backward(retain_grad=True)
    assert x.grad.shape == (2, 3) and y.grad.shape == (6,)
    assert x.reshape((6,)).shape == x.reshape(6).shape == (6,)
    assert F.transpose(x).shape == x.T.shape == x.transpose().shape == (3, 2)
    cube = Variable(np.zeros((1, 2, 3)))
    assert cube.transpose(1, 0, 2).shape == cube.transpose((1, 0, 2)).shape == (2, 1, 3)
    assert F.sum(x, axis=0).data.tolist() == x.sum(axis=0).data.tolist() == [5, 7, 9]
    assert F.sum(x, keepdims=True).shape == (1, 1)
    x0, x1 = Variable(np.array([1, 2, 3])), Variable(np.array([10]))
    (x0 + x1).backward()
    assert x1.grad.data.tolist() == [3.0]
    assert F.sum_to(x, (1, 3)).data.tolist() == [[5, 7, 9]]
    assert F.broadcast_to(x1, (2, 1)).shape == (2, 1)
    W = Variable(np.ones((3, 4)))
    y = F.matmul(x, W)
    y.backward()
    assert x.grad.shape == (2, 3) and W.grad.shape == (3, 4)
    assert x.dot(W).shape == x.matmul(W).shape == (2, 4)
    assert F.max(x).data == 6.0 and x.max(axis=1).data.tolist() == [3, 6]
    assert x.min(axis=1, keepdims=True).data.tolist() == [[1], [4]]
    assert x[1].data.tolist() == F.getitem(x, 1).data.tolist() == [4, 5, 6]


def test_step_42_linear_regression():
    random = np.random.RandomState(0)  # the numbers that the book's own generator gives
    x = random.rand(100, 1)
    y = 5 + 2 * x + random.rand(100, 1)
    x, y = Variable(x), Variable(y)
    W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))

    def mean_squared_error(x0, x1):
        diff = x0 - x1
        return F.sum(diff**2) / len(diff)

    for _ in range(100):
        y_pred = F.matmul(x, W) + b
        loss = mean_squared_error(y, y_pred)
        W.cleargrad()
        b.cleargrad()
        loss.backward()
        W.data -= 0.1 * W.grad.data
        b.data -= 0.1 * b.grad.data
    np.testing.assert_allclose([*W.data.ravel(), *b.data], [2.11807369, 5.46608905], rtol=1e-7)


def test_what_is_imported_from_dezero():
    assert as_variable(np.array(1.0)).data == 1.0
    with no_grad(), using_config("enable_backprop", False):
        assert (as_variable(np.array(2.0)) * 3).creator is None


def test_a_gradient_is_an_array_whose_results_are_plain():
    x = Variable(np.array([1.0, 2.0]))
    (x * x).backward()
    assert isinstance(x.grad, np.ndarray) and repr(x.grad) == "array([2., 4.])"
    assert type(x.grad.data) is type(x.grad * 2) is type(-x.grad) is np.ndarray
    assert str(x.grad.sum()) == "6.0"
    x.grad *= 10
    assert x.grad.data.tolist() == [20.0, 40.0]

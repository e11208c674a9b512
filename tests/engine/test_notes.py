"""The cells of the notes (DeZero, steps 17 to 22) print what they print there."""

import numpy as np
import pytest

from dezero.core_simple import (
    Config,
    Function,
    Variable,
    add,
    as_array,
    as_variable,
    mul,
    no_grad,
    square,
    using_config,
)


def test_gradients_of_intermediates_are_dropped(capsys):
    x0 = Variable(np.array(1.0))
    x1 = Variable(np.array(1.0))
    t = add(x0, x1)
    y = add(x0, t)
    y.backward()
    print(y.grad, t.grad)
    print(x0.grad, x1.grad)
    assert capsys.readouterr().out == "None None\n2.0 1.0\n"


def test_retain_grad_keeps_them():
    x = Variable(np.array(1.0))
    t = add(x, x)
    y = add(x, t)
    y.backward(retain_grad=True)
    assert (y.grad, t.grad, x.grad) == (1.0, 1.0, 3.0)


def test_the_mode_is_switched_and_restored():
    Config.enable_backprop = True
    y = square(square(Variable(np.ones((10, 10)))))
    y.backward()
    with using_config("enable_backprop", False):
        y = square(Variable(np.array(2.0)))
        assert y.creator is None
    with no_grad():
        assert square(Variable(np.array(2.0))).creator is None
    assert Config.enable_backprop
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert Config.enable_backprop


def test_a_variable_looks_like_an_array(capsys):
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]), name="x")
    print(len(x))
    print(x)
    print(Variable(None))
    assert capsys.readouterr().out == (
        "2\nvariable([[1 2 3]\n          [4 5 6]])\nvariable(None)\n"
    )
    assert (x.shape, x.ndim, x.size, x.dtype, x.name) == ((2, 3), 2, 6, np.dtype(int), "x")
    with pytest.raises(TypeError, match="<class 'float'> is not supported"):
        Variable(1.0)


def test_operators(capsys):
    a = Variable(np.array(3.0))
    b = Variable(np.array(2.0))
    c = Variable(np.array(1.0))
    y = add(mul(a, b), c)
    y.backward()
    print(y)
    print(a.grad)
    print(b.grad)
    x = Variable(np.array(2.0))
    print(-x)
    print(3.0 * x + 1.0, 1.0 - x, x - 1.0, 3.0 / x, x / 4, x**3, np.array(2.0) * x)
    assert capsys.readouterr().out == (
        "variable(7.0)\n2.0\n3.0\nvariable(-2.0)\n"
        "variable(7.0) variable(-1.0) variable(1.0) variable(1.5) variable(0.5) variable(8.0) "
        "variable(4.0)\n"
    )


def test_helpers():
    assert as_array(2.0).shape == ()
    x = Variable(np.array(2.0))
    assert as_variable(x) is x
    assert as_variable(np.array(2.0)).data == 2.0


# Functions as the notes write them: they read their inputs' data in backward.
class NotesMul(Function):
    def forward(self, x0, x1):
        y = x0 * x1
        return y

    def backward(self, gy):
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        return gy * x1, gy * x0


class NotesDiv(Function):
    def forward(self, x0, x1):
        y = x0 / x1
        return y

    def backward(self, gy):
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        gx0 = gy / x1
        gx1 = gy * (-x0 / x1**2)
        return gx0, gx1


class NotesPow(Function):
    def __init__(self, c):
        self.c = c

    def forward(self, x):
        y = x**self.c
        return y

    def backward(self, gy):
        x = self.inputs[0].data
        c = self.c

        gx = c * x ** (c - 1) * gy
        return gx


def test_functions_written_as_the_notes_write_them_run_unchanged():
    a, b = Variable(np.array(3.0)), Variable(np.array(2.0))
    y = NotesDiv()(NotesMul()(NotesPow(3)(a), b), a)
    y.backward()
    assert (y.data, a.grad, b.grad) == (18.0, 12.0, 9.0)


def test_their_higher_derivatives_are_right_too():
    x = Variable(np.array(2.0))
    y = NotesMul()(NotesPow(3)(x), x)  # x**4
    y.backward(create_graph=True)
    gradient = x.grad
    x.cleargrad()
    gradient.backward(create_graph=True)
    second = x.grad
    x.cleargrad()
    second.backward()
    assert (gradient.data, second.data, x.grad) == (32.0, 48.0, 48.0)

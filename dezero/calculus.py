"""What is built from gradients: Jacobians, Hessians and products with them.

A function here takes a Variable for each input and returns a Variable.  Inputs are numbers or
arrays (taken as float64).  Results for one input are an array, for several a tuple of them in the
inputs' order.  The gradient of an array-valued function is that of the sum of its elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dezero.graph import Variable, constant
from dezero.work import OPERATION, spend

Array = np.ndarray
Differentiable = Callable[..., Any]
"""A function that takes a Variable for each input and gives one Variable, or a number."""


def value_and_grad(f: Differentiable) -> Callable[..., tuple[Array, Any]]:
    """A function that gives the value of `f` and its gradients, each in its input's shape."""

    def evaluate(*xs: Any) -> tuple[Array, Any]:
        value, gradients = _value_and_gradients(f, xs)
        return value, _unpacked(gradients)

    return evaluate


def grad(f: Differentiable) -> Callable[..., Any]:
    """A function that gives the gradients of `f`, each in its input's shape."""
    evaluate = value_and_grad(f)
    return lambda *xs: evaluate(*xs)[1]


def jacobian(f: Differentiable) -> Callable[..., Any]:
    """A function that gives the Jacobians of `f`, of the value's shape followed by the input's.

    Costs one backward pass for each element of the value, or for each of the input where those
    are fewer.
    """

    def evaluate(*xs: Any) -> Any:
        variables = _variables(xs)
        return _unpacked(jacobians(_applied(f, variables), variables))

    return evaluate


def hessian(f: Differentiable) -> Callable[..., Any]:
    """A function that gives the Hessian of `f`, one backward pass for each row.

    Of one input the shape is the input's twice.  Of several inputs it is a tuple of tuples:
    ``hessian[i][j]`` has the shape of input i followed by that of input j.
    """

    def evaluate(*xs: Any) -> Any:
        variables = _variables(xs)
        rows = hessians(_applied(f, variables), variables)
        return rows[0][0] if len(xs) == 1 else tuple(map(tuple, rows))

    return evaluate


def hvp(f: Differentiable) -> Callable[[Any, Any], Any]:
    """A function of ``(xs, vs)`` that gives the Hessian of `f` at `xs` times the vector `vs`.

    `xs` and `vs` are one array each, or tuples with one array for each input, of the same shapes;
    so is the result.  Costs two backward passes, however many elements there are.
    """

    def evaluate(xs: Any, vs: Any) -> Any:
        several = isinstance(xs, tuple)
        variables = _variables(xs if several else (xs,))
        gradients = _recorded_gradients(_applied(f, variables), variables)
        product = constant(0.0)
        for gradient, v in zip(gradients, vs if several else (vs,), strict=True):
            if gradient is not None:
                product = product + (gradient * np.asarray(v, dtype=np.float64)).sum()
        product.backward()
        result = [_array(x.grad, x.shape) for x in variables]
        return tuple(result) if several else result[0]

    return evaluate


# -------------------------------------------------------------------- the same for recorded graphs
PASS = 600
"""What a walk back over a graph counts for besides its operations: it takes that long to begin."""


def jacobians(y: Variable, variables: Sequence[Variable]) -> list[Array]:
    """The Jacobian of a recorded result for each Variable; their `grad` is left clear."""
    spend(y.size * sum(x.size for x in variables) + PASS * (1 + y.size))
    short = [x for x in variables if x.size < y.size]
    columns = zip(short, _by_columns(y, short)) if short else ()
    found = {id(x): J for x, J in columns if x.size == 1 or np.isfinite(J).all()}
    rest = [x for x in variables if id(x) not in found]
    found |= zip(map(id, rest), _by_rows(y, rest), strict=True) if rest else ()
    _clear(variables)
    return [found[id(x)] for x in variables]


def hessians(y: Variable, variables: Sequence[Variable]) -> list[list[Array]]:
    """The second derivatives of a recorded result, a row for each Variable's gradient."""
    spend(OPERATION * len(variables) ** 2 + sum(x.size for x in variables) ** 2)
    spend(PASS * (1 + sum(x.size for x in variables)))
    rows = []
    for x, gradient in zip(variables, _recorded_gradients(y, variables), strict=True):
        if gradient is None:
            rows.append([np.zeros((*x.shape, *other.shape)) for other in variables])
        else:
            rows.append(_by_rows(gradient, variables))
    _clear(variables)
    return rows


def elementwise_hessians(y: Variable, variables: Sequence[Variable]) -> list[list[Array]]:
    """The Hessians of each element of a result whose elements depend on one of each input alone.

    All have the shape of y; one backward pass for each input serves all elements.
    """
    rows = []
    for gradient in _recorded_gradients(y, variables):
        _clear(variables)
        if gradient is not None:
            gradient.backward()
        rows.append([_array(x.grad, y.shape) for x in variables])
    _clear(variables)
    return rows


def _recorded_gradients(y: Variable, variables: Sequence[Variable]) -> list[Variable | None]:
    """The gradients of y as Variables, with graphs of their own."""
    _clear(variables)
    y.backward(create_graph=True)
    gradients = [x.grad for x in variables]
    _clear(variables)
    return gradients


def _by_rows(y: Variable, variables: Sequence[Variable]) -> list[Array]:
    """The Jacobians by one backward pass for each element of y."""
    results = [np.zeros((y.size, *x.shape)) for x in variables]
    for i in range(y.size):
        row = _row(y, i, variables)
        if y.size > 1 and any(np.isnan(part).any() for part in row):
            row = _row(y, i, variables, alone=True)
        for result, part in zip(results, row, strict=True):
            result[i] = part
    y.cleargrad()
    shapes = [(*y.shape, *x.shape) for x in variables]
    return [result.reshape(shape) for result, shape in zip(results, shapes, strict=True)]


def _row(y: Variable, i: int, variables: Sequence[Variable], alone: bool = False) -> list[Array]:
    """The gradients of the i-th element of y.

    A seed of 0 for the other elements is fast, but makes 0 * inf nan where one of them has an
    infinite slope; taken `alone`, the element has nothing of them.
    """
    _clear(variables)
    if alone:
        y.cleargrad()
        y[np.unravel_index(i, y.shape)].backward()
    else:
        y.grad = _unit(i, y.shape)
        y.backward()
    return [_array(x.grad, x.shape) for x in variables]


def _by_columns(y: Variable, variables: Sequence[Variable]) -> list[Array]:
    """The Jacobians by one backward pass for each element of the inputs.

    The gradient is linear in the seed that backward begins with, so its own gradient for the seed
    is a column of the Jacobian.  One that is not finite may be so because of another element.
    """
    seed = Variable(np.ones(y.shape))
    _clear(variables)
    y.grad = seed
    y.backward(create_graph=True)
    gradients = [x.grad for x in variables]
    y.cleargrad()
    results = []
    for x, gradient in zip(variables, gradients, strict=True):
        result = np.zeros((x.size, *y.shape))
        for i in range(x.size if gradient is not None else 0):
            seed.cleargrad()
            gradient.grad = _unit(i, x.shape)
            gradient.backward()
            result[i] = 0.0 if seed.grad is None else seed.grad
        results.append(np.moveaxis(result, 0, -1).reshape(*y.shape, *x.shape))
    return results


def _value_and_gradients(f: Differentiable, xs: Sequence[Any]) -> tuple[Array, list[Array]]:
    variables = _variables(xs)
    y = _applied(f, variables)
    y.backward()
    return y.data, [_array(x.grad, x.shape) for x in variables]


def _applied(f: Differentiable, variables: Sequence[Variable]) -> Variable:
    """The result of `f`; a plain number or array is a constant."""
    y = f(*variables)
    return y if isinstance(y, Variable) else constant(y)


def _unit(i: int, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` but for a one at the i-th element."""
    unit = np.zeros(shape)
    unit.reshape(-1)[i] = 1.0
    return unit


def _variables(xs: Sequence[Any]) -> list[Variable]:
    return [Variable(np.array(x, dtype=np.float64)) for x in xs]


def _clear(variables: Sequence[Variable]) -> None:
    for x in variables:
        x.cleargrad()


def _array(gradient: Any, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape) if gradient is None else np.asarray(gradient)


def _unpacked(results: Sequence[Any]) -> Any:
    return results[0] if len(results) == 1 else tuple(results)

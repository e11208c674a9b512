"""What is built from gradients: Jacobians, Hessians, products with them, and numerical checks.

A function here takes a Variable for each input and returns a Variable.  Inputs are numbers or
arrays (taken as float64).  Results for one input are an array, for several a tuple of them in the
inputs' order.  The gradient of an array-valued function is that of the sum of its elements.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dezero.graph import Variable, constant, no_grad

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
def jacobians(y: Variable, variables: Sequence[Variable]) -> list[Array]:
    """The Jacobian of a recorded result for each Variable; their `grad` is left clear."""
    short = [x for x in variables if x.size < y.size]
    found = dict(zip(map(id, short), _by_columns(y, short), strict=True)) if short else {}
    long = [x for x in variables if id(x) not in found]
    found |= zip(map(id, long), _by_rows(y, long), strict=True) if long else ()
    _clear(variables)
    return [found[id(x)] for x in variables]


def hessians(y: Variable, variables: Sequence[Variable]) -> list[list[Array]]:
    """The second derivatives of a recorded result, a row for each Variable's gradient."""
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
        _clear(variables)
        y.grad = _unit(i, y.shape)
        y.backward()
        for result, x in zip(results, variables, strict=True):
            if x.grad is not None:
                result[i] = x.grad
    y.cleargrad()
    shapes = [(*y.shape, *x.shape) for x in variables]
    return [result.reshape(shape) for result, shape in zip(results, shapes, strict=True)]


def _by_columns(y: Variable, variables: Sequence[Variable]) -> list[Array]:
    """The Jacobians by one backward pass for each element of the inputs.

    The gradient is linear in the seed that backward begins with, so its own gradient for the seed
    is a column of the Jacobian.
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


# ------------------------------------------------------------------------------- numerical checks
COMPLEX_STEP = 1e-30
"""The imaginary step, relative to the input: nothing is subtracted, so it may be that small."""

LEVELS = 12
"""Halvings of the real step, from a tenth of the input."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A gradient beside an independent numerical one, for one input.

    All arrays have the input's shape.  `error` is the numerical method's own estimate of its
    error, `agrees` whether the two differ by no more than that and the tolerance.
    """

    analytic: Array
    numerical: Array
    error: Array
    agrees: Array
    method: str

    @property
    def difference(self) -> Array:
        """The distance of the two, nan where one of them is."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(self.analytic - self.numerical))

    @property
    def worst(self) -> tuple[int, ...]:
        """The element that agrees least: one that does not agree first, then by difference."""
        rank = np.where(np.isnan(self.difference), np.inf, self.difference)
        rank = np.where(self.agrees, rank / (1.0 + np.abs(self.numerical)), np.inf)
        return tuple(map(int, np.unravel_index(int(np.argmax(rank)), rank.shape)))


def numerical_grad(f: Differentiable, *xs: Any) -> Any:
    """The gradients of `f` by numbers alone, each in its input's shape.

    By complex step where `f` allows it (Squire and Trapp, SIAM Review 40, 1998), else by central
    differences with Richardson's extrapolation (Ridders, Adv. Eng. Software 4, 1982).
    """
    return _unpacked([numerical for numerical, _, _ in _numerical(f, xs)])


def gradient_check(f: Differentiable, *xs: Any, tolerance: float = 1e-6) -> list[Comparison]:
    """Compare the gradient of `f` with an independent numerical one, input by input.

    An element agrees where the difference is at most `tolerance`, relative to the larger of the
    two, plus the numerical method's own error.  What is not finite never agrees.
    """
    _, gradients = _value_and_gradients(f, xs)
    comparisons = []
    for analytic, (numerical, error, method) in zip(gradients, _numerical(f, xs), strict=True):
        with np.errstate(invalid="ignore"):
            bound = tolerance * np.maximum(np.abs(analytic), np.abs(numerical)) + error
            agrees = (np.abs(analytic - numerical) <= bound) & np.isfinite(analytic)
        comparisons.append(Comparison(analytic, numerical, error, np.asarray(agrees), method))
    return comparisons


def _numerical(f: Differentiable, xs: Sequence[Any]) -> list[tuple[Array, Array, str]]:
    """For each input: the gradient, its error, and the method."""
    arrays = [np.array(x, dtype=np.float64) for x in xs]
    found = []
    for k, x in enumerate(arrays):
        numerical, error = np.empty(x.shape), np.empty(x.shape)
        methods = set()
        for i in np.ndindex(x.shape):

            def along(t: Any, k: int = k, i: tuple[int, ...] = i) -> Any:
                """The sum of the value's elements where one element of one input is t."""
                moved = [a.astype(type(t)) if j == k else a for j, a in enumerate(arrays)]
                moved[k][i] = t
                return _total(f, moved)

            numerical[i], error[i], method = _derivative(along, float(x[i]))
            methods.add(method)
        found.append((numerical, error, " and ".join(sorted(methods)) or "complex step"))
    return found


def _total(f: Differentiable, arrays: Sequence[Array]) -> Any:
    with no_grad(), np.errstate(all="ignore"):
        y = _applied(f, list(map(Variable, arrays))).data
        return np.sum(y)[()]


def _derivative(along: Callable[[Any], Any], x: float) -> tuple[float, float, str]:
    """The derivative of a function of one number, its error, and the method.

    A complex step is right only for analytic functions, and |z| is none; it is taken where the
    differences confirm it.  Of these the smaller steps count first: they see less of a kink
    nearby, or of other periods.
    """
    steps = sorted({1e-5 * (abs(x) or 1.0), 0.1 * abs(x) or 0.1, 0.1})
    known = [e for e in (_differences(along, x, step) for step in steps) if not np.isnan(e[1])]
    exact = _complex_step(along, x)
    if known and known[0][1] <= 0.1 * abs(exact) and _confirmed(exact, *known[0]):
        return exact, min(e[1] for e in known if _confirmed(exact, *e)), "complex step"
    estimate, error = _trusted(known, flat=not exact)
    if _confirmed(exact, estimate, error):
        return exact, error, "complex step"
    return estimate, error, "central differences"


def _confirmed(exact: float, estimate: float, error: float) -> bool:
    return bool(np.isfinite(exact) and abs(exact - estimate) <= 1e-4 * abs(exact) + 10 * error)


def _trusted(known: list[tuple[float, float]], flat: bool) -> tuple[float, float]:
    """The better of two estimates that agree, with small steps rather than large.

    Where none agree, that of least error, but their distance is the error: cancellation inside the
    function can hide from differences of small steps.  So where it may not be `flat`, estimates
    that nothing moves count for nothing by themselves.
    """
    moving = [e for e in known if flat or e != (0.0, 0.0)] or known
    for pair in itertools.combinations(moving, 2):
        (estimate, error), (other, its_error) = sorted(pair, key=lambda e: e[1])
        if abs(estimate - other) <= error + its_error:
            return estimate, error
    if not known:
        return float("nan"), float("nan")
    estimate, error = min(moving, key=lambda e: e[1])
    return estimate, max(error, *(abs(estimate - other) for other, _ in known))


def _complex_step(along: Callable[[Any], Any], x: float) -> float:
    """Im f(x + ih) / h; nan where the function is not for complex numbers."""
    step = COMPLEX_STEP * max(abs(x) or 1.0, 1e-200)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            y = along(complex(x, step))
    except (TypeError, np.exceptions.ComplexWarning):
        return float("nan")
    return float(np.imag(y)) / step


def _differences(along: Callable[[Any], Any], x: float, step: float) -> tuple[float, float]:
    """The best entry of the extrapolation table of central differences, and its error."""
    best, least = float("nan"), float("nan")
    previous: list[float] = []
    with np.errstate(all="ignore"):
        for _ in range(LEVELS):
            above, below = along(x + step), along(x - step)
            row = [(above - below) / ((x + step) - (x - step))]
            noise = 4 * np.finfo(np.float64).eps * max(abs(above), abs(below)) / step
            for j, earlier in enumerate(previous):
                row.append(row[j] + (row[j] - earlier) / (4.0 ** (j + 1) - 1))
                error = max(abs(row[-1] - row[j]), abs(row[-1] - earlier)) + noise
                if not error >= least and not np.isnan(error):
                    best, least = float(row[-1]), float(error)
            previous = row
            step /= 2
    return best, least

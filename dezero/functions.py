"""Elementary functions and comparisons, each with its derivative, and the names of all functions.

The table of elementary functions reads: NumPy's ufunc, then the gradient for each input in terms
of the output's gradient `gy`, the output `y` and the inputs.  Of several equal forms the accurate
one is taken.  At kinks the gradient is the subgradient of minimum norm, at edges the limit.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from dezero.arrays import (  # noqa: F401, all functions are reached through this module
    broadcast_to,
    dot,
    getitem,
    matmul,
    max,
    mean,
    min,
    norm,
    prod,
    reshape,
    sum,
    sum_to,
    swapaxes,
    transpose,
)
from dezero.core_simple import pow, zero
from dezero.function import Rule
from dezero.graph import ARRAY_FUNCTIONS, UFUNCS, Operand, Variable, operand

Gradient = Callable[..., Operand]


def _rule(ufunc: Callable[..., Any], name: str, gradients: tuple[Gradient, ...]) -> type[Rule]:
    """A Rule class out of a row of the table."""

    def partial(gradient: Gradient) -> Gradient:
        return lambda self, gy, y, *xs: gradient(gy, y, *xs)

    members = {
        "__module__": __name__,
        "__doc__": f"{name}, a row of the table.",
        "forward": staticmethod(ufunc),
        "partials": tuple(map(partial, gradients)),
    }
    return type(name.capitalize(), (Rule,), members)


def _unary(ufunc: Callable[..., Any], doc: str, gradient: Gradient) -> Callable[[Any], Variable]:
    rule = _rule(ufunc, ufunc.__name__.strip("_"), (gradient,))

    def function(x: Any) -> Variable:
        return rule()(x)

    _name(function, ufunc, doc)
    return function


def _binary(
    ufunc: Callable[..., Any], doc: str, gradient0: Gradient, gradient1: Gradient
) -> Callable[[Any, Any], Variable]:
    rule = _rule(ufunc, ufunc.__name__.strip("_"), (gradient0, gradient1))

    def function(x0: Any, x1: Any) -> Variable:
        return rule()(x0, x1)

    _name(function, ufunc, doc)
    return function


def _name(function: Callable[..., Variable], ufunc: Callable[..., Any], doc: str) -> None:
    function.__name__ = function.__qualname__ = ufunc.__name__.strip("_")
    function.__doc__ = doc
    if isinstance(ufunc, np.ufunc):
        UFUNCS[ufunc] = function


def _flat(gy: Operand, *_: Operand) -> Operand:
    return zero(gy)


# ---------------------------------------------------------------------- exponentials and powers
LN2 = float(np.log(2.0))
LN10 = float(np.log(10.0))

sqrt = _unary(np.sqrt, "Square root; its derivative at 0 is inf.", lambda gy, y, x: gy / (2 * y))
cbrt = _unary(np.cbrt, "Cube root, of negative numbers too.", lambda gy, y, x: gy / (3 * (y * y)))
exp = _unary(np.exp, "e**x.", lambda gy, y, x: gy * y)
exp2 = _unary(np.exp2, "2**x.", lambda gy, y, x: gy * (y * LN2))
expm1 = _unary(np.expm1, "e**x - 1, accurate near 0.", lambda gy, y, x: gy * np.exp(x))
log = _unary(np.log, "Natural logarithm.", lambda gy, y, x: gy / x)
log2 = _unary(np.log2, "Logarithm to base 2.", lambda gy, y, x: gy / (x * LN2))
log10 = _unary(np.log10, "Logarithm to base 10.", lambda gy, y, x: gy / (x * LN10))
log1p = _unary(np.log1p, "log(1 + x), accurate near 0.", lambda gy, y, x: gy / (1 + x))

# ---------------------------------------------------------------- trigonometry; angles in radians
sin = _unary(np.sin, "Sine; x in radians.", lambda gy, y, x: gy * np.cos(x))
cos = _unary(np.cos, "Cosine; x in radians.", lambda gy, y, x: -gy * np.sin(x))
tan = _unary(np.tan, "Tangent; x in radians.", lambda gy, y, x: gy * (1 + y * y))
arcsin = _unary(
    np.arcsin,
    "Inverse sine, in radians.",
    lambda gy, y, x: gy / np.sqrt((1 - x) * (1 + x)),
)
arccos = _unary(
    np.arccos,
    "Inverse cosine, in radians.",
    lambda gy, y, x: -gy / np.sqrt((1 - x) * (1 + x)),
)
arctan = _unary(np.arctan, "Inverse tangent, in radians.", lambda gy, y, x: gy / (1 + x * x))
arctan2 = _binary(
    np.arctan2,
    "Angle of the point (x, y) from the x axis, in radians.",
    lambda gy, y, x0, x1: gy * (x1 / (r := np.hypot(x0, x1)) / r),
    lambda gy, y, x0, x1: -gy * (x0 / (r := np.hypot(x0, x1)) / r),
)
hypot = _binary(
    np.hypot,
    "sqrt(x**2 + y**2) without overflow; its gradient at the origin is 0.",
    lambda gy, y, x0, x1: gy * np.where(y == 0, 0.0, x0 / y),
    lambda gy, y, x0, x1: gy * np.where(y == 0, 0.0, x1 / y),
)

# ----------------------------------------------------------------------------------- hyperbolics
sinh = _unary(np.sinh, "Hyperbolic sine.", lambda gy, y, x: gy * np.cosh(x))
cosh = _unary(np.cosh, "Hyperbolic cosine.", lambda gy, y, x: gy * np.sinh(x))
tanh = _unary(np.tanh, "Hyperbolic tangent.", lambda gy, y, x: gy / np.square(np.cosh(x)))
arcsinh = _unary(np.arcsinh, "Inverse hyperbolic sine.", lambda gy, y, x: gy / np.hypot(1.0, x))
arccosh = _unary(
    np.arccosh,
    "Inverse hyperbolic cosine.",
    lambda gy, y, x: gy / np.sqrt((x - 1) * (x + 1)),
)
arctanh = _unary(
    np.arctanh, "Inverse hyperbolic tangent.", lambda gy, y, x: gy / ((1 - x) * (1 + x))
)

# --------------------------------------------------------------------------------- kinks and steps
abs = _unary(
    np.absolute,
    "Absolute value; its derivative at 0 is 0.",
    lambda gy, y, x: gy * np.sign(x),
)
abs.__name__ = abs.__qualname__ = "abs"
sign = _unary(np.sign, "-1, 0 or 1; flat.", _flat)
floor = _unary(np.floor, "Largest integer not above x; flat.", _flat)
ceil = _unary(np.ceil, "Smallest integer not below x; flat.", _flat)
minimum = _binary(
    np.minimum,
    "The smaller of two values; a tie shares the gradient in halves.",
    lambda gy, y, x0, x1: np.where(x0 < x1, gy, np.where(x0 == x1, 0.5 * gy, 0.0)),
    lambda gy, y, x0, x1: np.where(x1 < x0, gy, np.where(x0 == x1, 0.5 * gy, 0.0)),
)
maximum = _binary(
    np.maximum,
    "The larger of two values; a tie shares the gradient in halves.",
    lambda gy, y, x0, x1: np.where(x0 > x1, gy, np.where(x0 == x1, 0.5 * gy, 0.0)),
    lambda gy, y, x0, x1: np.where(x1 > x0, gy, np.where(x0 == x1, 0.5 * gy, 0.0)),
)


class Clip(Rule):
    """x between low and high; at a bound the gradient for x is 0."""

    @staticmethod
    def forward(x: Operand, low: Operand, high: Operand) -> Operand:
        return np.minimum(np.maximum(x, low), high)

    partials = (
        lambda self, gy, y, x, low, high: np.where((x > low) * (x < high), gy, 0.0),
        lambda self, gy, y, x, low, high: np.where((x < low) * (low < high), gy, 0.0),
        lambda self, gy, y, x, low, high: np.where(np.maximum(x, low) > high, gy, 0.0),
    )


def clip(x: Any, low: Any, high: Any) -> Variable:
    """min(max(x, low), high); at a bound the gradient for x is 0."""
    return Clip()(x, low, high)


class Where(Rule):
    """Elements of x0 where the condition is not zero, of x1 elsewhere."""

    selects = True
    forward = staticmethod(np.where)
    partials = (
        lambda self, gy, y, condition, x0, x1: zero(gy),
        lambda self, gy, y, condition, x0, x1: np.where(condition, gy, 0.0),
        lambda self, gy, y, condition, x0, x1: np.where(condition, 0.0, gy),
    )

    def taken(self, i: int, shape: tuple[int, ...]) -> Operand:
        """Where branch `i` (1 or 2) was taken."""
        condition = operand(self.inputs[0]._data)
        if isinstance(condition, np.ndarray):
            condition = np.broadcast_to(condition, shape)
        return condition if i == 1 else condition == 0.0


def where(condition: Any, x0: Any, x1: Any) -> Variable:
    """x where the condition is not zero, y elsewhere; the branch not taken leaks no nan."""
    return Where()(condition, x0, x1)


# -------------------------------------------------------------------- activations, overflow-free
def _relu(x: Operand) -> Operand:
    return np.maximum(x, 0.0)


def _sigmoid(x: Operand) -> Operand:
    if isinstance(x, Variable):
        return sigmoid(x)
    return 1.0 / (1.0 + np.exp(-x))


def _softplus(x: Operand) -> Operand:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.absolute(x)))


relu = _unary(
    _relu,
    "max(x, 0); its derivative at 0 is 0.",
    lambda gy, y, x: np.where(x > 0, gy, 0.0),
)
sigmoid = _unary(_sigmoid, "1/(1 + exp(-x)).", lambda gy, y, x: gy * (_sigmoid(x) * _sigmoid(-x)))
softplus = _unary(_softplus, "log(1 + exp(x)).", lambda gy, y, x: gy * _sigmoid(x))


# ------------------------------------------------------------------------------------ comparisons
def _comparison(ufunc: np.ufunc, compare: Callable[[Any, Any], Any], text: str) -> Any:
    def forward(x0: Operand, x1: Operand) -> Operand:
        return 1.0 * compare(x0, x1)

    forward.__name__ = ufunc.__name__
    function = _binary(forward, f"1 where x0 {text} x1, 0 elsewhere; flat.", _flat, _flat)
    UFUNCS[ufunc] = function
    return function


less = _comparison(np.less, operator.lt, "<")
less_equal = _comparison(np.less_equal, operator.le, "<=")
greater = _comparison(np.greater, operator.gt, ">")
greater_equal = _comparison(np.greater_equal, operator.ge, ">=")
equal = _comparison(np.equal, operator.eq, "==")
not_equal = _comparison(np.not_equal, operator.ne, "!=")

# Elementwise comparison replaces identity in ==, as it does for ndarray; Variables still hash by
# identity, so they serve as keys.
for _operator, _function in {
    "__lt__": less,
    "__le__": less_equal,
    "__gt__": greater,
    "__ge__": greater_equal,
    "__eq__": equal,
    "__ne__": not_equal,
}.items():
    setattr(Variable, _operator, _function)


ARRAY_FUNCTIONS |= {np.where: where, np.clip: clip}

# -------------------------------------------------------------------------- the language's names
FUNCTIONS: dict[str, Callable[..., Variable]] = {
    function.__name__: function
    for function in (
        *(sqrt, cbrt, exp, exp2, expm1, log, log2, log10, log1p, pow),
        *(sin, cos, tan, arcsin, arccos, arctan, arctan2, hypot),
        *(sinh, cosh, tanh, arcsinh, arccosh, arctanh),
        *(abs, sign, floor, ceil, minimum, maximum, where, clip, relu, sigmoid, softplus),
        *(sum, mean, prod, min, max, dot, norm, transpose),
    )
}
"""The functions an expression may call, by name; parameters without a default are the operands."""

NAMED: frozenset[str] = frozenset({"axis", "keepdims"})
"""The parameters that an expression may give by name, as whole numbers."""

PAIRS: dict[str, Callable[..., Variable]] = {"min": minimum, "max": maximum}
"""What these reductions mean when they are called with two values."""

ELEMENTWISE: frozenset[str] = frozenset(FUNCTIONS) - {
    *("sum", "mean", "prod", "min", "max", "dot", "norm", "transpose"),
}
"""The functions that work element by element, so that many evaluations may share one call."""

ALIASES: dict[str, str] = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "ln": "log",
}
"""The ``math`` module's and C's names for the same functions."""

CONSTANTS: dict[str, float] = {
    "pi": float(np.pi),
    "e": float(np.e),
    "tau": 2 * float(np.pi),
    "inf": float(np.inf),
    "nan": float(np.nan),
}
"""Names with a value of their own, unless the user gives them another."""

"""Elementary functions and comparisons, each with its derivative, and the language's functions.

The table of elementary functions reads: NumPy's ufunc, a sentence, then the gradient for each input
in terms of the output's gradient `gy`, the output `y` and the inputs (`_` is the rule).  Of several
equal forms the accurate one is taken.  At kinks the gradient is the subgradient of minimum norm, at
edges the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import float64

from dezero.arithmetic import pow
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
from dezero.graph import ARRAY_FUNCTIONS, CONSTANT, UFUNCS, Operand, Variable
from dezero.names import RELATIONS, Known, Relation, c_alias
from dezero.rule import Partial, Rule, composed, flat

Choice = Callable[..., Operand]
"""Where an input is taken, from the inputs."""


def _rule(
    forward: Callable[..., Operand], name: str, *partials: Partial, choices: tuple[Choice, ...] = ()
) -> type[Rule]:
    """A Rule class out of a row of the table."""
    members = {
        "__module__": __name__,
        "__slots__": (),
        "__doc__": f"{name}, a row of the table.",
        "forward": forward if isinstance(forward, np.ufunc) else staticmethod(forward),
        "partials": partials,
        "selects": bool(choices),
        "choices": choices,
    }
    return type(name.capitalize(), (Rule,), members)


def _unary(
    forward: Callable[[Any], Operand],
    sentence: str,
    partial: Partial,
    name: str = "",
    choices: tuple[Choice, ...] = (),
) -> Callable[[Any], Variable]:
    """The function of a ufunc, or of an array function of one value, and its derivative."""
    name = name or forward.__name__.strip("_")
    forward = _whole(forward, partial)
    rule = _rule(forward, name, partial, choices=choices)

    def function(x: Any) -> Variable:
        return rule()(x)

    _introduce(function, name, sentence, forward)
    return function


def _binary(
    forward: Callable[[Any, Any], Operand],
    sentence: str,
    partial0: Partial,
    partial1: Partial,
    choices: tuple[Choice, ...] = (),
) -> Callable[[Any, Any], Variable]:
    """The function of a ufunc, or of an array function of two values, and its derivatives."""
    name = forward.__name__.strip("_")
    forward = _whole(forward, partial0, partial1)
    rule = _rule(forward, name, partial0, partial1, choices=choices)

    def function(x0: Any, x1: Any) -> Variable:
        return rule()(x0, x1)

    _introduce(function, name, sentence, forward)
    return function


def _whole(forward: Callable[..., Operand], *partials: Partial) -> Callable[..., Operand]:
    """The forward of a row as one operation, where there is a derivative to keep."""
    is_one = isinstance(forward, np.ufunc) or hasattr(forward, "in_ufuncs")
    return forward if is_one or set(partials) == {flat} else composed(forward)


def _introduce(
    function: Callable[..., Variable], name: str, sentence: str, forward: Callable[..., Operand]
) -> None:
    """Give a function its name and sentence, and let it stand in for its ufunc on Variables."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = sentence
    if isinstance(forward, np.ufunc):
        UFUNCS[forward] = function
    else:
        ARRAY_FUNCTIONS[forward] = function


# --------------------------------------------------------------------- derivatives that are rules
# Where the formula of a derivative, differentiated once more, would lose digits or leave the range
# of numbers, the derivative is a rule with partials of its own; so every order is accurate.
def _derived(
    name: str, forward: Callable[..., Operand], *partials: Partial
) -> Callable[..., Operand]:
    """A derivative that is a rule itself, for operands of any kind.

    A program keeps it as one operation too, so that every order of a formula is as accurate.  The
    class is made when it is first recorded, so that importing the engine takes no longer.
    """
    made: list[type[Rule]] = []
    whole = composed(forward)
    whole.__name__ = name

    def function(*operands: Operand) -> Operand:
        if not any(isinstance(x, Variable) for x in operands):
            return whole(*operands)
        if not made:
            made.append(_rule(whole, name, *partials))
        return made[0]()(*operands)

    ARRAY_FUNCTIONS[whole] = function
    return function


def _within(d: Operand, y: Operand) -> Operand:
    """d without the sign of a zero, and nan where y, the function itself, has no value."""
    if type(d) is float64 and type(y) is float64:
        return d + 0.0 if y == y else y
    return d + 0.0 * np.square(np.sign(y))


_inside = _derived("inside", _within, lambda _, gy, y, d, value: gy, flat)

_sech2 = _derived(
    "sech2",
    lambda x: 1.0 / (c := np.cosh(x)) / c,
    lambda _, gy, y, x: gy * (-2.0 * np.tanh(x) * y),
)
_arcsin_slope = _derived(
    "arcsin_slope",
    lambda x: 1.0 / np.sqrt((1.0 - x) * (1.0 + x)),
    lambda _, gy, y, x: gy * (x * y * (y * y)),
)
_arctan_slope = _derived(
    "arctan_slope",
    lambda x: 1.0 / (r := np.hypot(1.0, x)) / r,
    lambda _, gy, y, x: gy * (-2.0 * (x * y) * y),
)
_arcsinh_slope: Callable[..., Operand] = _derived(
    "arcsinh_slope",
    lambda x: 1.0 / np.hypot(1.0, x),
    lambda _, gy, y, x: gy * _arcsinh_bend(x),
)
_arcsinh_bend: Callable[..., Operand] = _derived(
    "arcsinh_bend",
    lambda x: -(x * (d := 1.0 / np.hypot(1.0, x))) * (d * d),
    lambda _, gy, y, x: (
        gy * ((2.0 * np.square(x * (d := _arcsinh_slope(x))) - np.square(d)) * d * d * d)
    ),
)
_arccosh_slope = _derived(
    "arccosh_slope",
    lambda x: 1.0 / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0)),
    lambda _, gy, y, x: gy * (-(x * y) * (y * y)),
)
_arctanh_slope = _derived(
    "arctanh_slope",
    lambda x, value: 1.0 / _within((1.0 - x) * (1.0 + x), value),
    lambda _, gy, y, x, value: gy * (2.0 * (x * y) * y),
    flat,
)
_cbrt_slope = _derived(
    "cbrt_slope",
    lambda x: 1.0 / (3.0 * np.square(np.cbrt(x))),
    lambda _, gy, y, x: gy * (y / x * (-2.0 / 3.0)),
)
_sigmoid_slope = _derived(
    "sigmoid_slope",
    lambda x: _sigmoid(x) * _sigmoid(-x),
    lambda _, gy, y, x: gy * (-y * np.tanh(0.5 * x)),
)
_difference = _derived(
    "difference",
    lambda a, b: (a - b) * (a + b),
    lambda _, gy, y, a, b: gy * (2.0 * a),
    lambda _, gy, y, a, b: gy * (-2.0 * b),
)
# Of the point (a, b) at the distance r, which is given: a/r**2, a/r, b**2/r**3 and -a*b/r**3.
_inversion: Callable[..., Operand] = _derived(
    "inversion",
    lambda a, b, r: a / r / r,
    lambda _, gy, y, a, b, r: gy * _difference(_inversion(b, a, r), y),
    lambda _, gy, y, a, b, r: gy * (-2.0 * y * _inversion(b, a, r)),
    flat,
)
_cosine: Callable[..., Operand] = _derived(
    "cosine",
    lambda a, b, r: np.where(r == 0.0, 0.0, a / r),
    lambda _, gy, y, a, b, r: gy * _bend(a, b, r),
    lambda _, gy, y, a, b, r: gy * np.where(r == 0.0, 0.0, -y * _cosine(b, a, r) / r),
    flat,
)
_bend: Callable[..., Operand] = _derived(
    "bend",
    lambda a, b, r: np.where(r == 0.0, 0.0, np.square(b / r / np.sqrt(r))),
    lambda _, gy, y, a, b, r: gy * (-3.0 * _cosine(a, b, r) * (q := _inversion(b, a, r)) * q),
    lambda _, gy, y, a, b, r: (
        gy
        * (
            _inversion(b, a, r)
            * (2.0 * np.square(_cosine(a, b, r)) - np.square(_cosine(b, a, r)))
            / r
        )
    ),
    flat,
)

# ---------------------------------------------------------------------- exponentials and powers
LN2 = float(np.log(2.0))
LN10 = float(np.log(10.0))

sqrt = _unary(
    np.sqrt, "Square root; its derivative at 0 is inf.", lambda _, gy, y, x: gy / (2 * y + 0.0)
)
cbrt = _unary(
    np.cbrt, "Cube root, of negative numbers too.", lambda _, gy, y, x: gy * _cbrt_slope(x)
)
exp = _unary(np.exp, "e**x.", lambda _, gy, y, x: gy * y)
exp2 = _unary(np.exp2, "2**x.", lambda _, gy, y, x: gy * (y * LN2))
expm1 = _unary(np.expm1, "e**x - 1, accurate near 0.", lambda _, gy, y, x: gy * np.exp(x))
log = _unary(np.log, "Natural logarithm.", lambda _, gy, y, x: gy / _inside(x, y))
log2 = _unary(np.log2, "Logarithm to base 2.", lambda _, gy, y, x: gy / _inside(x, y) / LN2)
log10 = _unary(np.log10, "Logarithm to base 10.", lambda _, gy, y, x: gy / LN10 / _inside(x, y))
log1p = _unary(np.log1p, "log(1 + x), accurate near 0.", lambda _, gy, y, x: gy / _inside(1 + x, y))

# ---------------------------------------------------------------- trigonometry; angles in radians
sin = _unary(np.sin, "Sine; x in radians.", lambda _, gy, y, x: gy * np.cos(x))
cos = _unary(np.cos, "Cosine; x in radians.", lambda _, gy, y, x: -gy * np.sin(x))
tan = _unary(np.tan, "Tangent; x in radians.", lambda _, gy, y, x: gy * (1 + y * y))
arcsin = _unary(np.arcsin, "Inverse sine, in radians.", lambda _, gy, y, x: gy * _arcsin_slope(x))
arccos = _unary(
    np.arccos, "Inverse cosine, in radians.", lambda _, gy, y, x: -gy * _arcsin_slope(x)
)
arctan = _unary(
    np.arctan, "Inverse tangent, in radians.", lambda _, gy, y, x: gy * _arctan_slope(x)
)
arctan2 = _binary(
    np.arctan2,
    "Angle of the point (x, y) from the x axis, in radians.",
    lambda _, gy, y, x0, x1: gy * _inversion(x1, x0, np.hypot(x0, x1)),
    lambda _, gy, y, x0, x1: -gy * _inversion(x0, x1, np.hypot(x0, x1)),
)
hypot = _binary(
    np.hypot,
    "sqrt(x**2 + y**2) without overflow; its gradient at the origin is 0.",
    lambda _, gy, y, x0, x1: gy * _cosine(x0, x1, y),
    lambda _, gy, y, x0, x1: gy * _cosine(x1, x0, y),
)

# ----------------------------------------------------------------------------------- hyperbolics
sinh = _unary(np.sinh, "Hyperbolic sine.", lambda _, gy, y, x: gy * np.cosh(x))
cosh = _unary(np.cosh, "Hyperbolic cosine.", lambda _, gy, y, x: gy * np.sinh(x))
tanh = _unary(np.tanh, "Hyperbolic tangent.", lambda _, gy, y, x: gy * _sech2(x))
arcsinh = _unary(np.arcsinh, "Inverse hyperbolic sine.", lambda _, gy, y, x: gy * _arcsinh_slope(x))
arccosh = _unary(
    np.arccosh, "Inverse hyperbolic cosine.", lambda _, gy, y, x: gy * _arccosh_slope(x)
)
arctanh = _unary(
    np.arctanh, "Inverse hyperbolic tangent.", lambda _, gy, y, x: gy * _arctanh_slope(x, y)
)


# --------------------------------------------------------------------------------- kinks and steps
def _nothing(y: Operand) -> Operand:
    """0, or nan where y is."""
    return 0.0 * np.square(np.sign(y))


def _kept(taken: Operand, gy: Operand) -> Operand:
    """The gradient where an operand is taken; the masks of the sweep have the same condition."""
    return np.where(taken, gy, 0.0)


def _tied(alone: Operand, gy: Operand, y: Operand) -> Operand:
    """The gradient of an operand that is taken: all of it where alone, else half."""
    return np.where(alone, gy, 0.5 * gy + _nothing(y))


abs = _unary(
    np.absolute,
    "Absolute value; its derivative at 0 is 0.",
    lambda _, gy, y, x: gy * np.sign(x),
    name="abs",
)
sign = _unary(np.sign, "-1, 0 or 1; flat.", flat)
floor = _unary(np.floor, "Largest integer not above x; flat.", flat)
ceil = _unary(np.ceil, "Smallest integer not below x; flat.", flat)
minimum = _binary(
    np.minimum,
    "The smaller of two values; a tie shares the gradient in halves.",
    lambda _, gy, y, x0, x1: _kept((x0 > x1) == 0.0, _tied(x0 < x1, gy, y)),
    lambda _, gy, y, x0, x1: _kept((x1 > x0) == 0.0, _tied(x1 < x0, gy, y)),
    choices=(lambda x0, x1: (x0 > x1) == 0.0, lambda x0, x1: (x1 > x0) == 0.0),
)
maximum = _binary(
    np.maximum,
    "The larger of two values; a tie shares the gradient in halves.",
    lambda _, gy, y, x0, x1: _kept((x0 < x1) == 0.0, _tied(x0 > x1, gy, y)),
    lambda _, gy, y, x0, x1: _kept((x1 < x0) == 0.0, _tied(x1 > x0, gy, y)),
    choices=(lambda x0, x1: (x0 < x1) == 0.0, lambda x0, x1: (x1 < x0) == 0.0),
)


@composed
def _clip(x: Operand, low: Operand, high: Operand) -> Operand:
    return np.minimum(np.maximum(x, low), high)


class Clip(Rule):
    """x between constant bounds; at a bound the gradient is 0."""

    forward = staticmethod(_clip)

    partials = (
        lambda self, gy, y, x, low, high: _kept(
            ((x <= low) + (x >= high)) == 0.0, gy + _nothing(y)
        ),
        flat,
        flat,
    )
    selects = True
    choices = (lambda x, low, high: ((x <= low) + (x >= high)) == 0.0, None, None)


def clip(x: Any, low: Any, high: Any) -> Variable:
    """min(max(x, low), high); at a bound that is a plain number the gradient for x is 0."""
    if _is_input(low):
        inner = maximum(x, low)
        return minimum(inner, high) if _is_input(high) else Clip()(inner, -np.inf, high)
    if _is_input(high):
        return minimum(Clip()(x, low, np.inf), high)
    return Clip()(x, low, high)


def _is_input(bound: Any) -> bool:
    """Whether a bound varies; a constant under an input's name is one that takes no gradient."""
    if not isinstance(bound, Variable) or bound.generation != CONSTANT:
        return isinstance(bound, Variable)
    return bound.name is not None and bound.name.isidentifier() and bound.name not in CONSTANTS


class Where(Rule):
    """Elements of x0 where the condition is not zero, of x1 elsewhere."""

    forward = staticmethod(np.where)
    partials = (
        flat,
        lambda self, gy, y, condition, x0, x1: np.where(condition, gy, 0.0),
        lambda self, gy, y, condition, x0, x1: np.where(condition, 0.0, gy),
    )
    selects = True
    choices = (
        None,
        lambda condition, x0, x1: condition,
        lambda condition, x0, x1: condition == 0.0,
    )


def where(condition: Any, x0: Any, x1: Any) -> Variable:
    """x where the condition is not zero, y elsewhere; the branch not taken leaks no nan."""
    return Where()(condition, x0, x1)


# -------------------------------------------------------------------- activations, overflow-free
@composed
def _relu(x: Operand) -> Operand:
    return np.maximum(x, 0.0)


@composed
def _sigmoid(x: Operand) -> Operand:
    if x.dtype.kind == "c":  # an absolute value is not analytic
        return 1.0 / (1.0 + np.exp(-x))
    e = np.exp(-np.absolute(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


@composed
def _softplus(x: Operand) -> Operand:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.absolute(x)))


relu = _unary(
    _relu,
    "max(x, 0); its derivative at 0 is 0.",
    lambda _, gy, y, x: _kept((x <= 0) == 0.0, gy + _nothing(y)),
    choices=(lambda x: (x <= 0) == 0.0,),
)
sigmoid = _unary(_sigmoid, "1/(1 + exp(-x)).", lambda _, gy, y, x: gy * _sigmoid_slope(x))
softplus = _unary(
    _softplus,
    "log(1 + exp(x)).",
    lambda _, gy, y, x: gy * (sigmoid if isinstance(x, Variable) else _sigmoid)(x),
)


# ------------------------------------------------------------------------------------ comparisons
def _comparison(relation: Relation) -> Callable[[Any, Any], Variable]:
    compare = relation.operator

    def forward(x0: Operand, x1: Operand) -> Operand:
        return 1.0 * compare(x0, x1)

    forward.__name__ = relation.ufunc.__name__
    sentence = f"1 where x0 {relation.symbol} x1, 0 elsewhere; flat."
    function = UFUNCS[relation.ufunc] = _binary(forward, sentence, flat, flat)
    return function


less, less_equal, greater, greater_equal, equal, not_equal = map(_comparison, RELATIONS)

# Elementwise comparison replaces identity in ==, as it does for ndarray; Variables still hash by
# identity, so they serve as keys.
Variable.__lt__ = less
Variable.__le__ = less_equal
Variable.__gt__ = greater
Variable.__ge__ = greater_equal
Variable.__eq__ = equal  # type: ignore[method-assign, assignment]
Variable.__ne__ = not_equal  # type: ignore[method-assign, assignment]

ARRAY_FUNCTIONS |= {np.where: where, np.clip: clip, _clip: clip}

# -------------------------------------------------------------------------- the language's names
_REDUCED = ("axis", "keepdims")

FUNCTIONS: dict[str, Known] = {
    known.name: known
    for known in (
        Known(sqrt, ("x",)),
        Known(cbrt, ("x",)),
        Known(exp, ("x",)),
        Known(exp2, ("x",)),
        Known(expm1, ("x",)),
        Known(log, ("x",), aliases=("ln",)),
        Known(log2, ("x",)),
        Known(log10, ("x",)),
        Known(log1p, ("x",)),
        Known(pow, ("x", "y")),
        Known(sin, ("x",)),
        Known(cos, ("x",)),
        Known(tan, ("x",)),
        Known(arcsin, ("x",), aliases=c_alias(np.arcsin)),
        Known(arccos, ("x",), aliases=c_alias(np.arccos)),
        Known(arctan, ("x",), aliases=c_alias(np.arctan)),
        Known(arctan2, ("y", "x"), aliases=c_alias(np.arctan2)),
        Known(hypot, ("x", "y")),
        Known(sinh, ("x",)),
        Known(cosh, ("x",)),
        Known(tanh, ("x",)),
        Known(arcsinh, ("x",), aliases=c_alias(np.arcsinh)),
        Known(arccosh, ("x",), aliases=c_alias(np.arccosh)),
        Known(arctanh, ("x",), aliases=c_alias(np.arctanh)),
        Known(abs, ("x",)),
        Known(sign, ("x",)),
        Known(floor, ("x",)),
        Known(ceil, ("x",)),
        Known(minimum, ("x", "y")),
        Known(maximum, ("x", "y")),
        Known(where, ("condition", "x", "y")),
        Known(clip, ("x", "low", "high")),
        Known(relu, ("x",)),
        Known(sigmoid, ("x",)),
        Known(softplus, ("x",)),
        Known(sum, ("x",), _REDUCED, elementwise=False),
        Known(mean, ("x",), _REDUCED, elementwise=False),
        Known(prod, ("x",), _REDUCED, elementwise=False),
        Known(min, ("x",), _REDUCED, elementwise=False, pair=minimum),
        Known(max, ("x",), _REDUCED, elementwise=False, pair=maximum),
        Known(dot, ("x", "y"), elementwise=False),
        Known(norm, ("x",), _REDUCED, elementwise=False),
        Known(transpose, ("x",), elementwise=False),
    )
}
"""The functions that an expression may call, by name: a row a function."""

NAMES: dict[str, Known] = FUNCTIONS | {
    alias: known for known in FUNCTIONS.values() for alias in known.aliases
}
"""The same by name or alias; a call with n values means ``NAMES[name].form(n)``."""

CONSTANTS: dict[str, float] = {
    "pi": float(np.pi),
    "e": float(np.e),
    "inf": float(np.inf),
    "nan": float(np.nan),
}
"""Names with a value of their own, unless the user gives them another."""

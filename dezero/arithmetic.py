"""Arithmetic: the operators of `Variable` and their derivatives, under the notes' names."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy import float64

from dezero.graph import ARRAY_FUNCTIONS, UFUNCS, Operand, Variable, constant
from dezero.rule import Rule, composed, flat


class Add(Rule):
    """x0 + x1."""

    forward = staticmethod(operator.add)
    partials = (
        lambda self, gy, y, x0, x1: gy,
        lambda self, gy, y, x0, x1: gy,
    )


class Mul(Rule):
    """x0 * x1."""

    forward = staticmethod(operator.mul)
    partials = (
        lambda self, gy, y, x0, x1: gy * x1,
        lambda self, gy, y, x0, x1: gy * x0,
    )


class Neg(Rule):
    """-x."""

    forward = staticmethod(operator.neg)
    partials = (lambda self, gy, y, x: -gy,)


class Pos(Rule):
    """+x, a copy."""

    forward = staticmethod(np.positive)  # type: ignore[assignment]
    partials = (lambda self, gy, y, x: gy,)


class Sub(Rule):
    """x0 - x1."""

    forward = staticmethod(operator.sub)
    partials = (
        lambda self, gy, y, x0, x1: gy,
        lambda self, gy, y, x0, x1: -gy,
    )


class Div(Rule):
    """x0 / x1; the second gradient comes from the quotient, as x1**2 would leave the range.

    So would gy / x1 where x1 is large and gy with it, as under log; gy * y is then moderate.
    """

    forward = staticmethod(operator.truediv)
    partials = (
        lambda self, gy, y, x0, x1: gy / x1,
        lambda self, gy, y, x0, x1: -(gy * y) / x1,
    )


class Pow(Rule):
    """x**c for a literal number c (notes, step 22); a square is a product, exactly."""

    __slots__ = ("c",)

    def __init__(self, c: float) -> None:
        self.c = c

    def forward(self, x: Operand) -> Operand:
        return np.positive(x) if self.c == 1 else _power(x, self.c)

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The gradient for x; that of x**0 is 0, at 0 too."""
        if self.c == 0:
            return flat(self, gy)
        lower = self.c - 1
        if lower + 1 != self.c:
            return gy * (self.c * lowered(x, self.c, 1.0))
        return gy if self.c == 1 else gy * (self.c * _power(x, lower))

    partials = (gradient,)


SHORTCUTS: dict[float, np.ufunc | None] = {
    -1.0: np.reciprocal,
    0.0: None,
    0.5: np.sqrt,
    1.0: np.positive,
    2.0: np.square,
}
"""What NumPy does instead of a power, where there is a single exponent; None gives 1."""


def raised(x0: Operand, x1: Operand) -> Operand:
    """x0**x1, for arrays the very bits that their elements give one by one.

    The last digit of a shortcut may differ from what NumPy gives for an array of exponents.
    """
    y = np.power(x0, x1)
    if type(x1) is np.ndarray and type(y) is np.ndarray:
        for exponent in SHORTCUTS:
            np.power(x0, exponent, out=y, where=x1 == exponent)
    return y


def _lowered(x0: Operand, x1: Operand, k: Operand) -> Operand:
    exponent = x1 - k
    y = raised(x0, exponent)
    lost = x1 - (exponent + k)
    if type(y) is float64:
        return y * (1.0 + lost * np.log(x0)) if lost and 0.0 < x0 < np.inf else y
    log = np.log(x0)
    return np.where(np.absolute(log) < np.inf, y * (1.0 + lost * log), y)


lowered = composed(_lowered, in_text=lambda x0, x1, k: raised(x0, x1 - k))
"""x0**(x1 - k) for a whole number k, as accurate as x0**x1 although x1 - k is rounded.

The bits that the exponent loses are worth 200 units in the last place for x0 near the ends of the
range.  Formulas and code have the plain power in its place, so that they read as they should.
"""


class Power(Rule):
    """x0**x1, both variable; 0**0 is flat in x0 and 0**x1 in x1, for x1 >= 0."""

    forward = staticmethod(raised)
    partials = (
        lambda self, gy, y, x0, x1: (
            gy * np.where((x0 == 0) * (x1 == 0), 0.0, x1 * lowered(x0, x1, 1.0))
        ),
        lambda self, gy, y, x0, x1: gy * np.where((x0 == 0) * (x1 >= 0), 0.0, y * np.log(x0)),
    )


class Mod(Rule):
    """x0 % x1 as in Python: the remainder has the sign of x1; nan where x1 is 0."""

    forward = staticmethod(operator.mod)
    partials = (
        lambda self, gy, y, x0, x1: gy + _nothing(y),
        lambda self, gy, y, x0, x1: -gy * (x0 // x1 + _nothing(y)),
    )


class FloorDiv(Rule):
    """x0 // x1, the whole number of times that x1 goes into x0; flat."""

    forward = staticmethod(operator.floordiv)
    partials = (flat, flat)


def _nothing(y: Operand) -> Operand:
    """0, or nan where y is."""
    return 0.0 * np.square(np.sign(y))


class Lowered(Rule):
    """x0**(x1 - k), the power in a derivative of order k; see `lowered`."""

    forward = staticmethod(lowered)
    partials = (
        lambda self, gy, y, x0, x1, k: (
            gy * np.where((x0 == 0) * (x1 == k), 0.0, (x1 - k) * lowered(x0, x1, k + 1.0))
        ),
        lambda self, gy, y, x0, x1, k: gy * np.where((x0 == 0) * (x1 >= k), 0.0, y * np.log(x0)),
        flat,
    )


ARRAY_FUNCTIONS[lowered] = lambda x0, x1, k: Lowered()(x0, x1, k)


def _power(x: Operand, c: float) -> Operand:
    return x if c == 1 else x * x if c == 2 else np.power(x, c)


def add(x0: Any, x1: Any) -> Variable:
    """x0 + x1."""
    return Add()(x0, x1)


def mul(x0: Any, x1: Any) -> Variable:
    """x0 * x1."""
    return Mul()(x0, x1)


def neg(x: Any) -> Variable:
    """-x."""
    return Neg()(x)


def pos(x: Any) -> Variable:
    """+x."""
    return Pos()(x)


def sub(x0: Any, x1: Any) -> Variable:
    """x0 - x1."""
    return Sub()(x0, x1)


def rsub(x0: Any, x1: Any) -> Variable:
    """x1 - x0."""
    return Sub()(x1, x0)


def div(x0: Any, x1: Any) -> Variable:
    """x0 / x1."""
    return Div()(x0, x1)


def rdiv(x0: Any, x1: Any) -> Variable:
    """x1 / x0."""
    return Div()(x1, x0)


def mod(x0: Any, x1: Any) -> Variable:
    """x - y*floor(x/y), which has the sign of y, as Python's x % y; exact."""
    return Mod()(x0, x1)


def rmod(x0: Any, x1: Any) -> Variable:
    """x1 % x0."""
    return Mod()(x1, x0)


def floordiv(x0: Any, x1: Any) -> Variable:
    """x0 // x1."""
    return FloorDiv()(x0, x1)


def rfloordiv(x0: Any, x1: Any) -> Variable:
    """x1 // x0."""
    return FloorDiv()(x1, x0)


def pow(x: Any, c: Any) -> Variable:
    """The power that ** gives.

    A plain number `c` is a literal (see `Pow`), anything else a variable.
    """
    return Pow(c)(x) if isinstance(c, int | float) else Power()(x, c)


def rpow(x: Any, c: Any) -> Variable:
    """c**x."""
    return Power()(c, x)


def square(x: Any) -> Variable:
    """x*x."""
    return Pow(2)(x)


def without(product: Operand, y: Operand, depth: int = 4) -> Operand:
    """A recorded product without its factor y; None where it is not found a few steps down.

    A length y has the derivative x/y, which has none itself at the origin; but that of y**2 is
    2*y*x/y, and 2*x without the factor.  Gradients that are numbers have no factors to be seen.
    """
    creator = product.creator if isinstance(product, Variable) else None
    if depth == 0 or creator is None:
        return None
    if type(creator) is Mul:
        for x, other in zip(creator.inputs, creator.inputs[::-1]):
            rest = constant(1.0) if x is y else without(x, y, depth - 1)
            if rest is not None:
                return other * rest
    if type(creator) is Add:
        rests = [without(x, y, depth - 1) for x in creator.inputs]
        if rests[0] is not None and rests[1] is not None:
            return rests[0] + rests[1]
    return None


UFUNCS |= {
    np.add: add,
    np.subtract: sub,
    np.multiply: mul,
    np.divide: div,
    np.remainder: mod,
    np.floor_divide: floordiv,
    np.power: pow,
    np.negative: neg,
    np.positive: pos,
    np.square: square,
}

Variable.__add__ = add
Variable.__radd__ = add
Variable.__mul__ = mul
Variable.__rmul__ = mul
Variable.__neg__ = neg
Variable.__pos__ = pos
Variable.__sub__ = sub
Variable.__rsub__ = rsub
Variable.__truediv__ = div
Variable.__rtruediv__ = rdiv
Variable.__mod__ = mod
Variable.__rmod__ = rmod
Variable.__floordiv__ = floordiv
Variable.__rfloordiv__ = rfloordiv
Variable.__pow__ = pow
Variable.__rpow__ = rpow

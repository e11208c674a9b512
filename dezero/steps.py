"""Steps and remainders: functions that are flat or linear between their jumps."""

from __future__ import annotations

import numpy as np

from dezero.graph import UFUNCS, Operand
from dezero.rows import binary, inside, unary
from dezero.rule import flat

sign = unary(np.sign, "-1, 0 or 1; flat.", flat)
floor = unary(np.floor, "Largest integer not above x; flat.", flat)
ceil = unary(np.ceil, "Smallest integer not below x; flat.", flat)
trunc = unary(np.trunc, "The whole part of x, towards 0; flat.", flat)
round = unary(
    np.rint,
    "The nearest integer, of two the even one; round(x, n) has n decimals; flat.",
    flat,
    name="round",
)


def _round_to(x0: Operand, x1: Operand) -> Operand:
    scale = np.power(10.0, np.absolute(x1))
    shifted = np.where(x1 < 0.0, x0 / scale, x0 * scale)
    whole = np.rint(shifted)
    rounded = np.where(x1 < 0.0, whole * scale, whole / scale)
    return np.where(np.absolute(shifted) < 2.0**52, rounded, x0)  # there is nothing to round


def _frac(x: Operand) -> Operand:
    return x - np.trunc(x)


def _isnan(x: Operand) -> Operand:
    return 1.0 * (x != x)


def _isinf(x: Operand) -> Operand:
    return 1.0 * (np.absolute(x) == np.inf)


def _isfinite(x: Operand) -> Operand:
    return 1.0 * (np.absolute(x) < np.inf)


def _heaviside(x0: Operand, x1: Operand) -> Operand:
    return np.where(x0 == 0.0, x1, np.where(x0 > 0.0, 1.0, 0.0 * np.sign(x0)))


round_to = binary(_round_to, "x to y decimals, of two the even one; flat.", flat, flat)
frac = unary(_frac, "x - trunc(x); its derivative is 1.", lambda _, gy, y, x: gy * inside(1.0, y))
isnan = unary(_isnan, "1 where x is nan, 0 elsewhere; flat.", flat)
isinf = unary(_isinf, "1 where x is inf or -inf, 0 elsewhere; flat.", flat)
isfinite = unary(_isfinite, "1 where x is neither infinite nor nan, 0 elsewhere; flat.", flat)
heaviside = binary(
    _heaviside,
    "0 where x < 0, 1 where x > 0, y where x is 0.",
    flat,
    lambda _, gy, y, x0, x1: np.where(x0 == 0.0, gy, 0.0),
    choices=(None, lambda x0, x1: x0 == 0.0),
)
fmod = binary(
    np.fmod,
    "x - y*trunc(x/y), with the sign of x; its derivatives are 1 and -trunc(x/y).",
    lambda _, gy, y, x0, x1: gy * inside(1.0, y),
    lambda _, gy, y, x0, x1: -gy * inside(np.trunc(x0 / x1), y),
)
copysign = binary(
    np.copysign,
    "abs(x) with the sign of y.",
    lambda _, gy, y, x0, x1: gy * (np.sign(x0) * np.copysign(1.0, x1)),
    flat,
)

UFUNCS |= {
    np.isnan: isnan,
    np.isinf: isinf,
    np.isfinite: isfinite,
    np.heaviside: heaviside,
}

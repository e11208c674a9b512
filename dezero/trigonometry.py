"""Trigonometric functions and their inverses; angles in radians."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import factorial

import numpy as np

from dezero.arithmetic import without
from dezero.graph import ARRAY_FUNCTIONS, UFUNCS, Operand
from dezero.rows import bell, binary, derived, unary
from dezero.rule import composed, flat

DEGREE = 180.0 / np.pi
RADIAN = np.pi / 180.0

arcsin_slope = derived(
    "arcsin_slope",
    lambda x: 1.0 / np.sqrt((1.0 - x) * (1.0 + x)),
    lambda _, gy, y, x: gy * (x * y * (y * y)),
)
_arctan_slope: Callable[..., Operand] = derived(
    "arctan_slope",
    lambda x: 1.0 / (r := np.hypot(1.0, x)) / r,
    lambda _, gy, y, x: gy * _arctan_bend(x),
)
_arctan_bend: Callable[..., Operand] = derived(
    "arctan_bend",
    lambda x: -2.0 * (x * (d := bell(x))) * d,
    lambda _, gy, y, x: gy * _arctan_third(x),
)
_arctan_third: Callable[..., Operand] = derived(
    "arctan_third",
    lambda x: 2.0 * (d := bell(x)) * (3.0 * np.square(x * d) - np.square(d)),
    lambda _, gy, y, x: gy * (24.0 * (x * (d := bell(x))) * ((d - x * (x * d)) * (d * d))),
)
_difference = derived(
    "difference",
    lambda a, b: (a - b) * (a + b),
    lambda _, gy, y, a, b: gy * (2.0 * a),
    lambda _, gy, y, a, b: gy * (-2.0 * b),
)


# Of the point (a, b) at the distance r, which is given.  Parts of r come one by one, so that only a
# result that leaves the range of numbers does.
def _at(of: Callable[[Operand, Operand, Operand], Operand]) -> Callable[..., Operand]:
    """A function of a/r, b/r and r as one of a, b and r, which is 0 at the origin."""
    return lambda a, b, r: np.where(r == 0.0, 0.0, of(a / r, b / r, r))


def _round(
    name: str,
    of: Callable[[Operand, Operand, Operand], Operand],
    by_a: Callable[[Operand, Operand, Operand], Operand],
    by_b: Callable[[Operand, Operand, Operand], Operand],
) -> Callable[..., Operand]:
    """The same as a rule, from its derivatives by a and b when r follows them."""
    return derived(
        name,
        _at(of),
        lambda _, gy, y, a, b, r: gy * by_a(a, b, r),
        lambda _, gy, y, a, b, r: gy * by_b(a, b, r),
        flat,
    )


def _turned(of: Callable[..., Operand]) -> Callable[..., Operand]:
    """The same with a and b exchanged."""
    return lambda a, b, r: of(b, a, r)


# a/r**2, and of hypot: the slope a/r, then b**2/r**3, -a*b/r**3, -3*a*b**2/r**5 and
# b*(2*a**2 - b**2)/r**5.
_inversion: Callable[..., Operand] = derived(
    "inversion",
    lambda a, b, r: a / r / r,
    lambda _, gy, y, a, b, r: gy * _difference(_inversion(b, a, r), y),
    lambda _, gy, y, a, b, r: gy * (-2.0 * y * _inversion(b, a, r)),
    flat,
)
_mixed_fourth = _at(lambda c, s, r: 3.0 * (c * s) * (3.0 * (s * s) - 2.0 * (c * c)) / r / r / r)
_bend_by_a = _round(
    "bend_by_a",
    lambda c, s, r: -3.0 * c * (s / r) * (s / r),
    _at(lambda c, s, r: (q := s / r / np.sqrt(r)) * (3.0 * (4.0 * (c * c) - s * s) * q)),
    _mixed_fourth,
)
_bend_by_b = _round(
    "bend_by_b",
    lambda c, s, r: s / r * (2.0 * (c * c) - s * s) / r,
    _mixed_fourth,
    _at(lambda c, s, r: (2.0 * np.square(c * c - s * s) - 7.0 * np.square(c * s)) / r / r / r),
)
_bend = _round("bend", lambda c, s, r: np.square(s / np.sqrt(r)), _bend_by_a, _bend_by_b)
_shear = _round("shear", lambda c, s, r: -(c * s) / r, _bend_by_b, _turned(_bend_by_b))
_cosine = _round("cosine", lambda c, s, r: c, _bend, _shear)


def radial(
    gy: Operand, y: Operand, x: Operand, unit: Callable[..., Operand], *others: Operand
) -> Operand:
    """The gradient for x of a length y, where `unit` gives x/y; that of y**2 has a bend at 0."""
    rest = without(gy, y)
    return gy * unit(x, *others) if rest is None else rest * x


sin = unary(np.sin, "Sine; x in radians.", lambda _, gy, y, x: gy * np.cos(x))
cos = unary(np.cos, "Cosine; x in radians.", lambda _, gy, y, x: -gy * np.sin(x))


@composed
def _cot(x: Operand) -> Operand:
    return 1.0 / np.tan(x)


def _sec(x: Operand) -> Operand:
    return 1.0 / np.cos(x)


def _csc(x: Operand) -> Operand:
    return 1.0 / np.sin(x)


tan = unary(np.tan, "Tangent; x in radians.", lambda _, gy, y, x: gy * (1 + y * y))
sec = unary(_sec, "Secant, 1/cos(x).", lambda _, gy, y, x: gy * (y * np.tan(x)))
csc = unary(_csc, "Cosecant, 1/sin(x).", lambda _, gy, y, x: -gy * (y * _cot(x)))
cot = unary(_cot, "Cotangent, 1/tan(x).", lambda _, gy, y, x: -gy * (1 + y * y))
arcsin = unary(np.arcsin, "Inverse sine, in radians.", lambda _, gy, y, x: gy * arcsin_slope(x))
arccos = unary(np.arccos, "Inverse cosine, in radians.", lambda _, gy, y, x: -gy * arcsin_slope(x))
arctan = unary(np.arctan, "Inverse tangent, in radians.", lambda _, gy, y, x: gy * _arctan_slope(x))


def _arcsec(x: Operand) -> Operand:
    return np.arccos(1.0 / x)


def _arccsc(x: Operand) -> Operand:
    return np.arcsin(1.0 / x)


def _arccot(x: Operand) -> Operand:
    return np.arctan(1.0 / x)


arcsec = unary(
    _arcsec,
    "Inverse secant, arccos(1/x).",
    lambda _, gy, y, x: gy * (np.square(u := 1.0 / x) * arcsin_slope(u)),
)
arccsc = unary(
    _arccsc,
    "Inverse cosecant, arcsin(1/x).",
    lambda _, gy, y, x: -gy * (np.square(u := 1.0 / x) * arcsin_slope(u)),
)
arccot = unary(
    _arccot, "Inverse cotangent, arctan(1/x).", lambda _, gy, y, x: -gy * _arctan_slope(x)
)
arctan2 = binary(
    np.arctan2,
    "Angle of the point (x, y) from the x axis, in radians.",
    lambda _, gy, y, x0, x1: gy * _inversion(x1, x0, np.hypot(x0, x1)),
    lambda _, gy, y, x0, x1: -gy * _inversion(x0, x1, np.hypot(x0, x1)),
)
hypot = binary(
    np.hypot,
    "sqrt(x**2 + y**2) without overflow; its gradient at the origin is 0.",
    lambda _, gy, y, x0, x1: radial(gy, y, x0, _cosine, x1, y),
    lambda _, gy, y, x0, x1: radial(gy, y, x1, _cosine, x0, y),
)


# ------------------------------------------------------------------------------------ angles, sinc
def _degrees(x: Operand) -> Operand:
    return x * DEGREE


def _radians(x: Operand) -> Operand:
    return x * RADIAN


degrees = unary(_degrees, "An angle in degrees, from radians.", lambda _, gy, y, x: gy * DEGREE)
radians = unary(_radians, "An angle in radians, from degrees.", lambda _, gy, y, x: gy * RADIAN)


def _half_turns(x: Operand) -> tuple[Operand, Operand]:
    """The sine and cosine of pi*x, accurate near their zeros."""
    rest = x - 2.0 * np.rint(0.5 * x)
    size = np.absolute(rest)
    inner = np.where(size > 0.5, np.copysign(1.0, rest) - rest, rest)
    return np.sin(np.pi * inner), np.sin(np.pi * (0.5 - size))


@cache
def _sinc_derivative(n: int) -> Callable[..., Operand]:
    """The derivative of order n of sinc, as a rule.

    x times it is pi**(n - 1)*sin(pi*x + n*pi/2) less n times the derivative before; near 0, where
    this cancels, it is, with z = pi*x, pi**n times the sum of (-1)**k*z**(2*k - n)/(2*k - n)! over
    2*k + 1.
    """
    bound, last = 1.0 + 0.5 * n, n // 2 + 1
    while bound ** (2 * last - n) > 2.0**-56 * factorial(2 * last - n):
        last += 1

    def forward(x: Operand) -> Operand:
        z = np.pi * x
        near, square = 0.0, z * z
        for k in range(last, (n - 1) // 2, -1):
            near = (-1.0) ** k / ((2 * k + 1) * factorial(2 * k - n)) + square * near
        cycle = _half_turns(x)
        far = cycle[0] / np.pi / x
        for k in range(1, n + 1):
            sign = -1.0 if k % 4 in (2, 3) else 1.0
            far = (sign * np.pi ** (k - 1) * cycle[k % 2] - k * far) / x
        return np.where(np.absolute(z) < bound, np.pi**n * (near * z if n % 2 else near), far)

    return derived(
        f"sinc_derivative{n}", forward, lambda _, gy, y, x: gy * _sinc_derivative(n + 1)(x)
    )


def _sinc(x: Operand) -> Operand:
    if x.dtype.kind == "c":
        return np.sinc(x)
    return np.where(x == 0.0, 1.0, _half_turns(x)[0] / np.pi / x)


sinc = unary(
    _sinc,
    "sin(pi*x)/(pi*x), 1 at 0.",
    lambda _, gy, y, x: gy * _sinc_derivative(1)(x),
)

UFUNCS |= {np.degrees: degrees, np.rad2deg: degrees, np.radians: radians, np.deg2rad: radians}
ARRAY_FUNCTIONS[np.sinc] = sinc

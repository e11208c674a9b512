"""Hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dezero.graph import Operand
from dezero.rows import bell, derived, inside, unary, within
from dezero.rule import composed, flat
from dezero.trigonometry import arcsin_slope

FAR = 20.0
"""From here on exp(-2*x) is less than a rounding of 1."""

_sech2 = derived(
    "sech2",
    lambda x: 1.0 / (c := np.cosh(x)) / c,
    lambda _, gy, y, x: gy * (-2.0 * np.tanh(x) * y),
)
_csch2 = derived(
    "csch2",
    lambda x: 1.0 / (s := np.sinh(x)) / s,
    lambda _, gy, y, x: gy * (-2.0 * y / np.tanh(x)),
)
_arcsinh_slope: Callable[..., Operand] = derived(
    "arcsinh_slope",
    lambda x: 1.0 / np.hypot(1.0, x),
    lambda _, gy, y, x: gy * _arcsinh_bend(x),
)
_arcsinh_bend: Callable[..., Operand] = derived(
    "arcsinh_bend",
    lambda x: -(x * (d := 1.0 / np.hypot(1.0, x))) * (d * d),
    lambda _, gy, y, x: gy * _arcsinh_third(x),
)
_arcsinh_third: Callable[..., Operand] = derived(
    "arcsinh_third",
    lambda x: (2.0 * np.square(x * (d := _arcsinh_slope(x))) - (q := bell(x))) * (q * d),
    lambda _, gy, y, x: (
        gy * (3.0 * (t := x * _arcsinh_slope(x)) * ((3.0 * (q := bell(x)) - 2.0 * t * t) * (q * q)))
    ),
)
_arccosh_slope = derived(
    "arccosh_slope",
    lambda x: 1.0 / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0)),
    lambda _, gy, y, x: gy * (-(x * y) * (y * y)),
)
_arctanh_slope = derived(
    "arctanh_slope",
    lambda x, value: 1.0 / within((1.0 - x) * (1.0 + x), value),
    lambda _, gy, y, x, value: gy * (2.0 * (x * y) * y),
    flat,
)
_arccoth_slope = derived(
    "arccoth_slope",
    lambda x, value: within(1.0 / (1.0 - x) / (1.0 + x), value),
    lambda _, gy, y, x, value: gy * (2.0 * (x * y) * y),
    flat,
)

sinh = unary(np.sinh, "Hyperbolic sine.", lambda _, gy, y, x: gy * np.cosh(x))
cosh = unary(np.cosh, "Hyperbolic cosine.", lambda _, gy, y, x: gy * np.sinh(x))
tanh = unary(np.tanh, "Hyperbolic tangent.", lambda _, gy, y, x: gy * _sech2(x))


@composed
def _sech(x: Operand) -> Operand:
    if x.dtype.kind == "c":  # an absolute value is not analytic
        return 1.0 / np.cosh(x)
    near = 1.0 / (1.0 + 2.0 * np.square(np.sinh(0.5 * x)))  # cosh itself is less accurate near 0
    return np.where(np.absolute(x) < FAR, near, 2.0 * np.exp(-np.absolute(x)))


@composed
def _csch(x: Operand) -> Operand:
    if x.dtype.kind == "c":
        return 1.0 / np.sinh(x)
    far = 2.0 * np.sign(x) * np.exp(-np.absolute(x))
    return np.where(np.absolute(x) < FAR, 1.0 / np.sinh(x), far)


@composed
def _coth(x: Operand) -> Operand:
    return 1.0 / np.tanh(x)


@composed
def _arcsech(x: Operand) -> Operand:
    return np.log1p(np.sqrt((1.0 - x) * (1.0 + x))) - np.log(x)


@composed
def _arccsch(x: Operand) -> Operand:
    near = np.sign(x) * (np.log1p(np.hypot(1.0, x)) - np.log(np.absolute(x)))
    return np.where((np.absolute(x) < 1e-300) * (x != 0.0), near, np.arcsinh(1.0 / x))


@composed
def _arccoth(x: Operand) -> Operand:
    return np.arctanh(1.0 / x)


sech = unary(_sech, "Hyperbolic secant, 1/cosh(x).", lambda _, gy, y, x: -gy * (y * np.tanh(x)))
csch = unary(_csch, "Hyperbolic cosecant, 1/sinh(x).", lambda _, gy, y, x: -gy * (y * _coth(x)))
coth = unary(_coth, "Hyperbolic cotangent, 1/tanh(x).", lambda _, gy, y, x: -gy * _csch2(x))
arcsinh = unary(np.arcsinh, "Inverse hyperbolic sine.", lambda _, gy, y, x: gy * _arcsinh_slope(x))
arccosh = unary(
    np.arccosh, "Inverse hyperbolic cosine.", lambda _, gy, y, x: gy * _arccosh_slope(x)
)
arctanh = unary(
    np.arctanh, "Inverse hyperbolic tangent.", lambda _, gy, y, x: gy * _arctanh_slope(x, y)
)
arcsech = unary(
    _arcsech, "Inverse hyperbolic secant.", lambda _, gy, y, x: -gy / inside(x, y) * arcsin_slope(x)
)
arccsch = unary(
    _arccsch,
    "Inverse hyperbolic cosecant.",
    lambda _, gy, y, x: -gy / np.absolute(x) * _arcsinh_slope(x),
)
arccoth = unary(
    _arccoth,
    "Inverse hyperbolic cotangent, arctanh(1/x).",
    lambda _, gy, y, x: gy * _arccoth_slope(x, y),
)

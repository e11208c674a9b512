"""Special functions, most of them SciPy's, each with its derivative.

SciPy is imported when one of its functions is called.  The orders and degrees, which are first
values, take no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from dezero.gaussian import SLOPE, lgamma, tgamma
from dezero.graph import ARRAY_FUNCTIONS, CONSTANT, Config, Operand, Variable
from dezero.rows import binary, derived, inside, unary
from dezero.rule import LIBRARY, Partial, composed, flat, primitive


# --------------------------------------------------------------------------------- SciPy's own
@cache
def _scipy() -> dict[str, Any]:
    """What scipy.special has, by name.  Raises ImportError, which says how to install it."""
    try:
        import scipy.special
    except ModuleNotFoundError:
        hint = "python -m pip install scipy"
        raise ImportError(f"this needs scipy, which is not installed: {hint}") from None
    names: dict[str, Any] = vars(scipy.special)
    return names


def _primitive(name: str, nin: int, theirs: str = "") -> Callable[..., Operand]:
    """A function of scipy.special as an operation."""

    @primitive(nin)
    def operation(*operands: Operand) -> Operand:
        return _scipy()[theirs or name](*operands)

    operation.__name__ = name
    return operation


def _special(
    forward: Callable[..., Operand],
    sentence: str,
    *partials: Partial,
    order: str = "",
    weight: int = LIBRARY,
) -> Callable[..., Variable]:
    """The function of a row, which needs SciPy at the latest for its derivative.

    `order` says what the first value is, where it takes no gradient; `weight` what a number of it
    counts for.
    """
    forward.weight = weight  # type: ignore[attr-defined]
    made: Callable[..., Callable[..., Variable]] = unary if len(partials) == 1 else binary
    inner = made(forward, sentence, *partials)

    def function(*xs: Any) -> Variable:
        recorded = [isinstance(x, Variable) and x.generation != CONSTANT for x in xs]
        if Config.enable_backprop and order and recorded[0]:
            raise ValueError(f"{function.__name__} takes no gradient for {order}, its first value")
        if forward not in _WITHOUT or (Config.enable_backprop and any(recorded)):
            _scipy()
        return inner(*xs)

    function.__name__ = function.__qualname__ = inner.__name__
    function.__doc__ = sentence
    ARRAY_FUNCTIONS[forward] = function
    return function


_digamma = _primitive("digamma", 1)
_beta = _primitive("beta", 2)
_betaln = _primitive("betaln", 2)
_binom = _primitive("binom", 2)
_jv, _yv, _iv, _kv = (_primitive(name, 2) for name in ("jv", "yv", "iv", "kv"))
_j0, _j1, _y0, _y1 = (_primitive(name, 1) for name in ("j0", "j1", "y0", "y1"))
_i0, _i1, _k0, _k1 = (_primitive(name, 1) for name in ("i0", "i1", "k0", "k1"))
_erfi = _primitive("erfi", 1)
_expi = _primitive("expi", 1)
_exp1 = _primitive("exp1", 1)
_gammainc = _primitive("gammainc", 2)
_gammaincc = _primitive("gammaincc", 2)


# --------------------------------------------------------------------------- the gamma function
@composed
def _gamma(x: Operand) -> Operand:
    """Of whole numbers exact, as long as a float64 holds it."""
    whole = (x == np.floor(x)) * (x <= 23.0)
    large = whole * (x > 18.0)  # then a last digit of tgamma is no fraction
    low = np.where(large, x - 5.0, x)
    y = tgamma(low)
    y = np.where(whole, np.rint(y), y)
    further = low * (low + 1.0) * (low + 2.0) * (low + 3.0) * (low + 4.0)
    return np.where(large, y * further, y)


@primitive(2)
def _polygamma(n: Operand, x: Operand) -> Operand:
    whole = np.where((n == np.floor(n)) & (n >= 0.0), n, np.nan)
    sign = np.where(whole % 2.0 == 0.0, -1.0, 1.0)
    far, pole = np.asarray(x < REFLECTED), x == np.floor(x)
    nearer = np.where(far, np.where(pole, -1.0, 1.0 - x), x)  # -1 is a pole too
    higher = sign * _scipy()["gamma"](whole + 1.0) * _scipy()["zeta"](whole + 1.0, nearer)
    if (far & ~pole).any():
        higher = np.where(far & ~pole, _reflected(whole, x, -sign * higher), higher)
    return np.where(n == 0.0, _digamma(x), higher)[()]


REFLECTED = -20.0
"""Left of this SciPy's zeta takes the longer, the further: a term for each whole number."""

LARGEST_ORDER = 170
"""The order beyond which a factorial is too large for a float64."""


def _reflected(n: Operand, x: Operand, other: Operand) -> Operand:
    """polygamma(n, x), where `other` is (-1)**n*polygamma(n, 1 - x): DLMF 5.15.6."""
    n, x = np.broadcast_arrays(n, x)
    rest = x - np.rint(x)
    with np.errstate(all="ignore"):
        size = np.abs(rest)  # from 0 to 1/2, where the cotangent is 0
        near = np.where(size < 0.25, size, 0.5 - size)
        cot = np.tan(np.pi * near) ** np.where(size < 0.25, -1.0, 1.0) * np.sign(rest)
        found = np.where(n % 2.0 == 0.0, -np.sign(rest), 1.0) * np.inf
        for order in np.unique(n[(n > 0.0) & (n <= LARGEST_ORDER)]).tolist():
            slope = np.polynomial.polynomial.polyval(cot, _cot_slope(int(order)))
            found = np.where(n == order, other - np.pi ** (order + 1.0) * slope, found)
    return np.where(np.isnan(n), np.nan, found)


@cache
def _cot_slope(n: int) -> tuple[float, ...]:
    """The derivative of order n of cot(u) as a polynomial in cot(u), from the constant on."""
    terms = [0, 1]
    for _ in range(n):
        slope = [k * a for k, a in enumerate(terms)][1:]
        terms = [0] * (len(slope) + 2)
        for k, a in enumerate(slope):
            terms[k] -= a
            terms[k + 2] -= a
    return tuple(map(float, terms))


_polygamma.__name__ = "polygamma"
_WITHOUT = {_gamma, lgamma}
"""What has its value without SciPy."""

digamma = _special(
    _digamma,
    "The derivative of lgamma.",
    lambda _, gy, y, x: gy * inside(_polygamma(1.0, x), y),
)
polygamma = _special(
    _polygamma,
    "The derivative of order n of digamma; n takes no gradient.",
    flat,
    lambda _, gy, y, x0, x1: gy * inside(_polygamma(x0 + 1.0, x1), y),
    order="the order n",
)


SHIFT = 16


def _difference(a: Operand, b: Operand) -> Operand:
    """digamma(a) - digamma(a + b), also where they are nearly the same.

    By the recurrence to a + 16, then the difference of the asymptotic series, term by term.
    """
    total = 0.0
    for k in range(SHIFT):
        total = total - b / (a + k) / (a + k + b)
    low, high = a + SHIFT, a + b + SHIFT
    p, q = 1.0 / (low * low), 1.0 / (high * high)
    square = b * (low + high) * p * q
    series = 1.0 / 12.0 - (p + q) / 120.0 + (p * p + p * q + q * q) / 252.0
    series = (
        series - (p + q) * (p * p + q * q) / 240.0 + (p**4 + p * q * (p * p + q * q) + q**4) / 132.0
    )
    rest = -np.log1p(b / low) - 0.5 * b / low / high - square * series
    return np.where((a > 0.0) * (a + b > 0.0), total + rest, _digamma(a) - _digamma(a + b))


_rise = derived(
    "rise",
    _difference,
    lambda _, gy, y, a, b: gy * (_polygamma(1.0, a) - _polygamma(1.0, a + b)),
    lambda _, gy, y, a, b: -gy * _polygamma(1.0, a + b),
)


def trigamma(x: Any) -> Variable:
    """The derivative of digamma."""
    return polygamma(1.0, x)


gamma = _special(
    _gamma, "Gamma function, exact for whole numbers.", lambda _, gy, y, x: gy * (y * _digamma(x))
)
lgamma_ = _special(
    lgamma,
    "The logarithm of the absolute value of gamma.",
    lambda _, gy, y, x: gy * _digamma(x),
)


def factorial(x: Any) -> Variable:
    """x!, of any number gamma(x + 1)."""
    return gamma(x + 1.0)


beta = _special(
    _beta,
    "Beta function, gamma(x)*gamma(y)/gamma(x + y).",
    lambda _, gy, y, x0, x1: gy * (y * _rise(x0, x1)),
    lambda _, gy, y, x0, x1: gy * (y * _rise(x1, x0)),
)
betaln = _special(
    _betaln,
    "The logarithm of the absolute value of beta.",
    lambda _, gy, y, x0, x1: gy * _rise(x0, x1),
    lambda _, gy, y, x0, x1: gy * _rise(x1, x0),
)


def _above(x: Operand, y: Operand) -> Operand:
    """digamma(x + 1) - digamma(x - y + 1): the slope of log(binom(x, y)) by x."""
    return -_rise(x - y + 1.0, y)


def _beside(x: Operand, y: Operand) -> Operand:
    """digamma(x - y + 1) - digamma(y + 1): the slope by y."""
    return _rise(x - y + 1.0, 2.0 * y - x)


def _at_zero(x: Operand, y: Operand) -> Operand:
    """The slope of binom by x where it is 0 beyond y = x, as in binom(5, 7)."""
    return -np.cos(np.pi * (y - x)) * _beta(y - x, x + 1.0)


def _at_zero_below(x: Operand, y: Operand) -> Operand:
    """The slope of binom by y where it is 0 at a negative y, as in binom(5, -1)."""
    return -np.cos(np.pi * y) * _beta(-y, x + 1.0)


_binom_by_x = derived(
    "binom_by_x",
    lambda x, y, b: np.where(b == 0.0, np.where(y < 0.0, 0.0, _at_zero(x, y)), b * _above(x, y)),
    lambda _, gy, __, x, y, b: gy * (b * (_polygamma(1.0, x + 1.0) - _polygamma(1.0, x - y + 1.0))),
    lambda _, gy, __, x, y, b: gy * (b * _polygamma(1.0, x - y + 1.0)),
    lambda _, gy, __, x, y, b: gy * _above(x, y),
    in_text=lambda x, y, b: b * _above(x, y),
)
_binom_by_y = derived(
    "binom_by_y",
    lambda x, y, b: np.where(
        b == 0.0,
        np.where(y < 0.0, _at_zero_below(x, y), -_at_zero(x, y)),
        b * _beside(x, y),
    ),
    lambda _, gy, __, x, y, b: gy * (b * _polygamma(1.0, x - y + 1.0)),
    lambda _, gy, __, x, y, b: (
        -gy * (b * (_polygamma(1.0, x - y + 1.0) + _polygamma(1.0, y + 1.0)))
    ),
    lambda _, gy, __, x, y, b: gy * _beside(x, y),
    in_text=lambda x, y, b: b * _beside(x, y),
)
binom = _special(
    _binom,
    "The number of ways to choose y of x things, for any numbers.",
    lambda _, gy, y, x0, x1: gy * _binom_by_x(x0, x1, y),
    lambda _, gy, y, x0, x1: gy * _binom_by_y(x0, x1, y),
)


# ------------------------------------------------------------------------- incomplete gammas
def _density(a: Operand, x: Operand) -> Operand:
    """x**(a - 1)*exp(-x)/gamma(a); for large a by Stirling's series, where nothing cancels."""
    half = np.exp(-0.5 * x)  # exp(-x) alone loses its digits first
    small = np.where(x < 3000.0, np.power(x, a - 1.0) * half / tgamma(a) * half, 0.0)
    ratio, square = (x - a) / a, 1.0 / (a * a)
    series = 1.0 / 1680.0 - square / 1188.0
    series = 1.0 / 360.0 - square * (1.0 / 1260.0 - square * series)
    series = (1.0 / 12.0 - square * series) / a
    large = np.exp(a * (np.log1p(ratio) - ratio) - series) * np.sqrt(a / (2.0 * np.pi)) / x
    edge = np.where(a < 1.0, np.inf, np.where(a == 1.0, 1.0, 0.0))
    return np.where(x == 0.0, edge, np.where(a < 20.0, small, large))


_gamma_density = derived(
    "gamma_density",
    _density,
    flat,
    lambda _, gy, y, a, x: gy * (y * ((a - 1.0) / x - 1.0)),
)
gammainc = _special(
    _gammainc,
    "The regularized lower incomplete gamma function; a takes no gradient.",
    flat,
    lambda _, gy, y, x0, x1: gy * inside(_gamma_density(x0, x1), y),
    order="the parameter a",
)
gammaincc = _special(
    _gammaincc,
    "1 - gammainc(a, x), accurate where that is small.",
    flat,
    lambda _, gy, y, x0, x1: -gy * inside(_gamma_density(x0, x1), y),
    order="the parameter a",
)

# --------------------------------------------------------------------------- Bessel functions
_V = "the order v"
_SLOW = 120
"""What those of any order count for: they take up to twelve microseconds."""


def _y_plain(v: Operand, x: Operand) -> Operand:
    return 0.5 * (_yv(v - 1.0, x) - _yv(v + 1.0, x))


_yv_slope: Callable[..., Operand] = derived(
    "yv_slope",
    lambda v, x: np.where((x == 0.0) * (v >= 0.0), np.inf, _y_plain(v, x)),
    flat,
    lambda _, gy, y, v, x: gy * (0.5 * (_yv_slope(v - 1.0, x) - _yv_slope(v + 1.0, x))),
    in_text=_y_plain,
)
jv = _special(
    _jv,
    "Bessel function of the first kind, of order v; v takes no gradient.",
    flat,
    lambda _, gy, y, x0, x1: gy * (0.5 * (_jv(x0 - 1.0, x1) - _jv(x0 + 1.0, x1))),
    order=_V,
    weight=_SLOW,
)
yv = _special(
    _yv,
    "Bessel function of the second kind, of order v; v takes no gradient.",
    flat,
    lambda _, gy, y, x0, x1: gy * _yv_slope(x0, x1),
    order=_V,
    weight=_SLOW,
)
iv = _special(
    _iv,
    "Modified Bessel function of the first kind, of order v; v takes no gradient.",
    flat,
    lambda _, gy, y, x0, x1: gy * (0.5 * (_iv(x0 - 1.0, x1) + _iv(x0 + 1.0, x1))),
    order=_V,
    weight=_SLOW,
)
kv = _special(
    _kv,
    "Modified Bessel function of the second kind, of order v; v takes no gradient.",
    flat,
    lambda _, gy, y, x0, x1: gy * (-0.5 * (_kv(x0 - 1.0, x1) + _kv(x0 + 1.0, x1))),
    order=_V,
    weight=_SLOW,
)
j0 = _special(_j0, "jv(0, x).", lambda _, gy, y, x: -gy * _j1(x))
j1 = _special(_j1, "jv(1, x).", lambda _, gy, y, x: gy * (0.5 * (_j0(x) - _jv(2.0, x))))
y0 = _special(_y0, "yv(0, x).", lambda _, gy, y, x: -gy * _y1(x))
_y1_slope = derived(
    "y1_slope",
    lambda x: np.where(x == 0.0, np.inf, 0.5 * (_y0(x) - _yv(2.0, x))),
    lambda _, gy, y, x: -gy * (0.5 * (_y1(x) + _yv_slope(2.0, x))),
    in_text=lambda x: 0.5 * (_y0(x) - _yv(2.0, x)),
)
y1 = _special(_y1, "yv(1, x).", lambda _, gy, y, x: gy * _y1_slope(x))
i0 = _special(_i0, "iv(0, x).", lambda _, gy, y, x: gy * _i1(x))
i1 = _special(_i1, "iv(1, x).", lambda _, gy, y, x: gy * (0.5 * (_i0(x) + _iv(2.0, x))))
k0 = _special(_k0, "kv(0, x).", lambda _, gy, y, x: -gy * _k1(x))
k1 = _special(_k1, "kv(1, x).", lambda _, gy, y, x: gy * (-0.5 * (_k0(x) + _kv(2.0, x))))


# ------------------------------------------------------------------------ integrals and inverses
@primitive(1)
def _lambertw(x: Operand) -> Operand:
    if x.dtype.kind == "c":
        return _scipy()["lambertw"](x)
    y = np.real(_scipy()["lambertw"](x))
    return np.where(x >= -math.exp(-1.0), y, np.nan)[()]


_lambertw.__name__ = "lambertw"


def _lambertw_plain(x: Operand, w: Operand) -> Operand:
    return np.where(x == 0.0, 1.0, w / x) / (1.0 + w)


_lambertw_slope = derived(
    "lambertw_slope",
    lambda x, w: np.where(x == np.inf, 0.0, _lambertw_plain(x, w)),
    lambda _, gy, y, x, w: gy * (-y * y * (2.0 + w) / (1.0 + w)),
    flat,
    in_text=_lambertw_plain,
)
lambertw = _special(
    _lambertw,
    "The w >= -1 of which w*exp(w) is x.",
    lambda _, gy, y, x: gy * _lambertw_slope(x, y),
)
erfi = _special(
    _erfi,
    "2/sqrt(pi) times the integral of exp(t**2) from 0 to x.",
    lambda _, gy, y, x: gy * (SLOPE * np.exp(x * x)),
)
expi = _special(
    _expi,
    "Exponential integral, that of exp(t)/t from -inf to x.",
    lambda _, gy, y, x: gy * (np.exp(0.5 * x) / x * np.exp(0.5 * x)),
)
exp1 = _special(
    _exp1,
    "Exponential integral, that of exp(-t)/t from x to inf.",
    lambda _, gy, y, x: -gy * inside(np.exp(-x) / x, y),
)

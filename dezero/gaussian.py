"""The error function and its kin, the normal distribution, and the values of gamma and lgamma.

The values of erf, erfc, gamma and lgamma are the C library's, which machine code calls too; the
others are made of those.  Nothing here needs SciPy.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy import float64

from dezero.graph import CONSTANT, Operand, Variable, as_operand
from dezero.names import C_NAMES
from dezero.rows import derived, inside, unary
from dezero.rule import LIBRARY, composed, flat, primitive

SQRT_TWO = math.sqrt(2.0)
SQRT_TAU = 2.5066282746310007
HALF_SQRT_PI = 0.886226925452758
SLOPE = 1.1283791670955126  # 2/sqrt(pi), to the last digit, as the others are


# --------------------------------------------------------------------- what the C library computes
def _each(function: Callable[[float], float], x: Operand) -> Operand:
    """A function of numbers, of every element."""
    if x.dtype.kind == "c":
        raise TypeError("only for real numbers")
    return np.asarray(np.frompyfunc(function, 1, 1)(x), float64)[()]


@cache
def _from_libm(name: str) -> Callable[[float], float]:
    """A function of the C library, whose last digits are better than those of `math`."""
    for library in (None, "libm.so.6", "ucrtbase"):
        try:
            function = ctypes.CDLL(library)[name]
        except (OSError, TypeError, AttributeError):
            continue
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
        return function
    return _total(math.gamma if name == "tgamma" else math.lgamma)


def _total(function: Callable[[float], float]) -> Callable[[float], float]:
    """A function of `math` without its exceptions."""

    def total(x: float) -> float:
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.inf if x == 0 or function is math.lgamma else math.nan

    return total


@primitive(1)
def _erf(x: Operand) -> Operand:
    return _each(math.erf, x)


@primitive(1)
def _erfc(x: Operand) -> Operand:
    return _each(math.erfc, x)


@primitive(1)
def tgamma(x: Operand) -> Operand:
    """The gamma function, of arrays; its last digit may be wrong for whole numbers."""
    return _each(_from_libm("tgamma"), x)


@primitive(1)
def lgamma(x: Operand) -> Operand:
    """The logarithm of the gamma function's absolute value, of arrays."""
    return _each(_from_libm("lgamma"), x)


for _operation, _name in ((_erf, "erf"), (_erfc, "erfc"), (tgamma, "tgamma"), (lgamma, "lgamma")):
    _operation.__name__ = C_NAMES[_operation] = _name


# --------------------------------------------------------------------------------- bells and tails
@cache
def _bell(n: int, a: float) -> Callable[..., Operand]:
    """The derivative of order n of exp(-a*x**2), a polynomial times it, as a rule.

    Where exp(-a*x**2) has lost digits, being small, the product has them all.
    """

    def forward(x: Operand) -> Operand:
        if n == 0:
            return np.exp(-a * (x * x))
        inner = np.minimum(np.maximum(x, -60.0), 60.0)
        before, factor = 1.0, -2.0 * a * inner
        for k in range(1, n):
            before, factor = factor, -2.0 * a * (inner * factor + k * before)
        half = np.exp(-0.5 * a * (inner * inner))
        return factor * half * half

    return derived(f"bell{n}", forward, lambda _, gy, y, x: gy * _bell(n + 1, a)(x))


erf = unary(
    _erf,
    "Error function, 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x.",
    lambda _, gy, y, x: gy * (SLOPE * _bell(0, 1.0)(x)),
)
erfc = unary(
    _erfc,
    "1 - erf(x), accurate where that is small.",
    lambda _, gy, y, x: gy * (-SLOPE * _bell(0, 1.0)(x)),
)


@composed
def _normpdf(x: Operand) -> Operand:
    return np.exp(-0.5 * (x * x)) / SQRT_TAU


@composed
def _normcdf(x: Operand) -> Operand:
    return 0.5 * _erfc(-x / SQRT_TWO)


normpdf = unary(
    _normpdf,
    "The standard normal density; normpdf(x, mean, sd) has a mean and a standard deviation.",
    lambda _, gy, y, x: gy * (_bell(1, 0.5)(x) / SQRT_TAU),
)
_normcdf.weight = LIBRARY  # type: ignore[attr-defined]
normcdf = unary(
    _normcdf,
    "The probability of a standard normal number below x; normcdf(x, mean, sd) of another.",
    lambda _, gy, y, x: gy * (_bell(0, 0.5)(x) / SQRT_TAU),
)


# ---------------------------------------------------------------------------------- scaled by exp
_SCALED = (
    1.2530080582697296,
    -0.1356211061245812,
    -0.0475622943534492,
    0.12964515870276475,
    -0.11927366341538638,
    0.06830802734384515,
    -0.02377051491717134,
    0.0025293918180474668,
    0.0018886903449991718,
    -0.0007798322884823084,
    -0.00010515971958448065,
    0.0001250994355712812,
    4.9491966499683475e-06,
    -2.0100843094844722e-05,
    -7.308281468783663e-07,
    3.4730241678415198e-06,
    3.5576086684081416e-07,
    -6.175617678992122e-07,
    -1.4047654315429365e-07,
    1.0277997488268992e-07,
    4.106401366794662e-08,
    -1.3906145791717403e-08,
    -8.217595058713953e-09,
    1.2019719440084177e-09,
    8.393734858695227e-10,
    -3.45149748757823e-11,
)
"""(1 + 2*x)*exp(x**2)*erfc(x) as a polynomial in (x - 3)/(x + 3), within 6e-17 for x > 0."""


@composed
def _erfcx(x: Operand) -> Operand:
    right = np.maximum(x, 1.0)
    t = 1.0 - 6.0 / (right + 3.0)
    terms: list[Any] = [*_SCALED]
    while len(terms) > 1:  # Estrin's scheme, as deep as the logarithm of the degree
        terms = [a + t * b for a, b in zip(terms[::2], terms[1::2])] + terms[len(terms) & ~1 :]
        t = t * t
    left = np.minimum(x, 1.0)
    return np.where(x < 1.0, np.exp(left * left) * _erfc(left), terms[0] / (1.0 + 2.0 * right))


STEP = 3.0 / 32.0  # exact, as its multiples are


@cache
def _erfcx_derivative(n: int) -> Callable[..., Operand]:
    """The derivative of order n of erfcx, as a rule.

    For x > 0 it is (-1)**n * 2**(n + 1)/sqrt(pi) times the integral of u**n * exp(-u*u - 2*u*x)
    over u > 0, by the trapezoidal rule after u*(1 + x) = exp(s - exp(-s)) (Takahasi and Mori,
    1974), whose terms are all positive; for x < 0 it is by the recurrence
    c(n) = 2*x*c(n - 1) + 2*(n - 1)*c(n - 2), whose terms have one sign.
    """
    nodes = []
    for j in range(-34, 43):
        s = j * STEP
        v = math.exp(s - math.exp(-s))
        weight = STEP * v * (1.0 + math.exp(-s)) * v**n * (-2.0) ** n * SLOPE
        nodes.append((v, weight))

    def forward(x: Operand) -> Operand:
        w = 1.0 / (1.0 + np.maximum(x, 0.0))
        square, slope = -(w * w), -2.0 * (1.0 - w)
        terms = [weight * np.exp(v * v * square + v * slope) for v, weight in nodes]
        while len(terms) > 1:  # in pairs, so that roundings do not add up
            terms = [a + b for a, b in zip(terms[::2], [*terms[1::2], 0.0])]
        right = w ** (n + 1) * terms[0]
        before: Any = _erfcx(x)
        left = 2.0 * x * before - SLOPE
        for k in range(1, n):
            before, left = left, 2.0 * (x * left + k * before)
        return np.where(x < 0.0, left, right)

    rule = derived(
        f"erfcx_derivative{n}", forward, lambda _, gy, y, x: gy * _erfcx_derivative(n + 1)(x)
    )
    rule.weight = len(nodes)  # type: ignore[attr-defined]
    return rule


_erfcx.weight = 77  # type: ignore[attr-defined]
erfcx = unary(
    _erfcx,
    "exp(x**2)*erfc(x), without underflow.",
    lambda _, gy, y, x: gy * _erfcx_derivative(1)(x),
)


# --------------------------------------------------------------------------------------- inverses
def _upper(q: Operand) -> Operand:
    """The z > 0 beyond which a normal distribution has the probability q < 0.5.

    A rational function in sqrt(-2*log(q)), within 5e-3, then two steps of Halley's method.
    """
    t = np.sqrt(-2.0 * np.log(q))
    above = 2.4016232397562947 + t * (0.7369448174128511 + t * 0.016279603341491578)
    below = 1.0 + t * (1.3118292606033282 + t * (0.18560078481184103 + t * 0.002374911614851394))
    z = t - above / below
    for _ in range(2):
        u = (0.5 * _erfc(z / SQRT_TWO) - q) * SQRT_TAU * np.exp(0.5 * (z * z))
        z = z + u / (1.0 - 0.5 * (z * u))
    return z


@composed
def _norminv(p: Operand) -> Operand:
    rest = np.minimum(p, 1.0 - p)
    z = np.where(rest > 0.0, _upper(rest), np.where(rest == 0.0, np.inf, np.nan))
    return np.where(p > 0.5, z, -z)


def _norminv_steep(p: Operand, z: Operand) -> Operand:
    return SQRT_TAU * 0.5 * _erfcx(np.absolute(z) / SQRT_TWO) / np.minimum(p, 1.0 - p)


_norminv_slope = derived(
    "norminv_slope",
    lambda p, z: np.where(np.absolute(z) == np.inf, np.inf, _norminv_steep(p, z)),
    lambda _, gy, y, p, z: gy * (z * y * y),
    flat,
    in_text=_norminv_steep,
)
_norminv.weight = LIBRARY  # type: ignore[attr-defined]
norminv = unary(
    _norminv,
    "The inverse of normcdf; norminv(x, mean, sd) has a mean and a standard deviation.",
    lambda _, gy, y, x: gy * _norminv_slope(x, y),
)


@composed
def _erfinv(x: Operand) -> Operand:
    size = np.absolute(x)
    square = 0.25 * math.pi * (x * x)
    y = HALF_SQRT_PI * x * (1.0 + square * (1.0 / 3.0 + square * (7.0 / 30.0)))
    for _ in range(2):
        u = (_erf(y) - x) * (HALF_SQRT_PI) * np.exp(y * y)
        y = y - u / (1.0 + y * u)
    rest = 0.5 * (1.0 - size)
    far = np.where(rest > 0.0, _upper(rest), np.where(rest == 0.0, np.inf, np.nan)) / SQRT_TWO
    return np.where(size < 0.5, y, np.copysign(far, x))


_erfinv.weight = LIBRARY  # type: ignore[attr-defined]
erfinv = unary(
    _erfinv,
    "The inverse of erf.",
    lambda _, gy, y, x: gy * (HALF_SQRT_PI * np.exp(y * y)),
)


# ------------------------------------------------------------ the normal distribution, anywhere
@composed
def _positive(sd: Operand) -> Operand:
    return np.where(sd > 0.0, sd, np.nan)


positive = unary(
    _positive, "x where it is positive, nan elsewhere.", lambda _, gy, y, x: gy * inside(1.0, y)
)


def _spread(sd: Any) -> Any:
    """A standard deviation; nan where it is not positive."""
    fixed = not isinstance(sd, Variable) or sd.generation == CONSTANT
    operand = as_operand(sd)
    if fixed and isinstance(operand, np.ndarray | float64) and np.all(operand > 0.0):
        return sd
    return positive(sd)


def normpdf_of(x: Any, mean: Any, sd: Any = 1.0) -> Variable:
    """The density of a normal distribution with a mean and a standard deviation."""
    sd = _spread(sd)
    return normpdf((x - mean) / sd) / sd  # type: ignore[no-any-return]


def normcdf_of(x: Any, mean: Any, sd: Any = 1.0) -> Variable:
    """The probability of a number below x, of such a distribution."""
    return normcdf((x - mean) / _spread(sd))


def norminv_of(p: Any, mean: Any, sd: Any = 1.0) -> Variable:
    """The number below which the probability is p, of such a distribution."""
    product = _spread(sd) * norminv(p)
    return mean * inside(1.0, product) + product  # type: ignore[no-any-return]

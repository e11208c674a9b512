"""Exponentials, logarithms, roots, and the smooth activations made of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy import float64

from dezero.graph import UFUNCS, Operand
from dezero.rows import binary, derived, inside, unary, within
from dezero.rule import composed, flat

_cbrt_slope = derived(
    "cbrt_slope",
    lambda x: 1.0 / (3.0 * np.square(np.cbrt(x))),
    lambda _, gy, y, x: gy * (y * (-2.0 / 3.0) / x),
)
_sigmoid_slope = derived(
    "sigmoid_slope",
    lambda x: _sigmoid(x) * _sigmoid(-x),
    lambda _, gy, y, x: gy * (-y * np.tanh(0.5 * x)),
)
# ---------------------------------------------------------------------- exponentials and powers
LN2 = float(np.log(2.0))
LN10 = float(np.log(10.0))

sqrt = unary(
    np.sqrt, "Square root; its derivative at 0 is inf.", lambda _, gy, y, x: gy / (2 * y + 0.0)
)
cbrt = unary(
    np.cbrt, "Cube root, of negative numbers too.", lambda _, gy, y, x: gy * _cbrt_slope(x)
)
exp = unary(np.exp, "e**x.", lambda _, gy, y, x: gy * y)
exp2 = unary(np.exp2, "2**x.", lambda _, gy, y, x: gy * (y * LN2))
expm1 = unary(np.expm1, "e**x - 1, accurate near 0.", lambda _, gy, y, x: gy * np.exp(x))
log = unary(
    np.log,
    "Natural logarithm; log(x, base) is to another base.",
    lambda _, gy, y, x: gy / inside(x, y),
)
log2 = unary(np.log2, "Logarithm to base 2.", lambda _, gy, y, x: gy / inside(x, y) / LN2)
log10 = unary(np.log10, "Logarithm to base 10.", lambda _, gy, y, x: gy / LN10 / inside(x, y))
log1p = unary(np.log1p, "log(1 + x), accurate near 0.", lambda _, gy, y, x: gy / inside(1 + x, y))


def _exp10(x: Operand) -> Operand:
    return np.power(10.0, x)


@cache
def _exp10_derivative(n: int) -> Callable[..., Operand]:
    """The derivative of order n of exp10, as a rule: where 10**x has lost digits, it has none."""

    def forward(x: Operand) -> Operand:
        half = np.power(10.0, 0.5 * x)
        return LN10 * np.power(10.0, x) if n == 1 else LN10**n * half * half

    return derived(
        f"exp10_derivative{n}", forward, lambda _, gy, y, x: gy * _exp10_derivative(n + 1)(x)
    )


exp10 = unary(_exp10, "10**x.", lambda _, gy, y, x: gy * _exp10_derivative(1)(x))


def _log_to_base(x0: Operand, x1: Operand) -> Operand:
    quotient = np.log(x0) / np.log(x1)
    return np.where(x1 == 10.0, np.log10(x0), np.where(x1 == 2.0, np.log2(x0), quotient))


log_to_base = binary(
    _log_to_base,
    "The logarithm of x to base y, exact for powers of 2 and 10.",
    lambda _, gy, y, x0, x1: gy / inside(x0, np.log(x0)) / np.log(x1),
    lambda _, gy, y, x0, x1: -gy * y / inside(x1, np.log(x1)) / np.log(x1),
)


def _xlogy(x0: Operand, x1: Operand) -> Operand:
    return np.where((x0 == 0.0) * (x1 == x1), 0.0, x0 * np.log(x1))


xlogy = binary(
    _xlogy,
    "x*log(y), 0 where x is 0.",
    lambda _, gy, y, x0, x1: gy * np.log(x1),
    lambda _, gy, y, x0, x1: (
        gy * np.where((x0 == 0.0) * (x1 <= 0.0), 0.0, x0 / inside(x1, np.log(x1)))
    ),
)


# ------------------------------------------------------------------ logistics, which never overflow
@composed
def _sigmoid(x: Operand) -> Operand:
    if type(x) is float64:
        e = np.exp(-x if x > 0.0 else x)
        return (e if x < 0.0 else 1.0) / (1.0 + e)
    if x.dtype.kind == "c":  # an absolute value is not analytic
        return 1.0 / (1.0 + np.exp(-x))
    e = np.exp(-np.absolute(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


@composed
def _softplus(x: Operand) -> Operand:
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.absolute(x)))


sigmoid = unary(_sigmoid, "1/(1 + exp(-x)).", lambda _, gy, y, x: gy * _sigmoid_slope(x))
softplus = unary(
    _softplus,
    "log(1 + exp(x)).",
    lambda _, gy, y, x: gy * _sigmoid(x),
)


def _log_sigmoid(x: Operand) -> Operand:
    return -_softplus(-x)


def _logit(x: Operand) -> Operand:
    return np.log(x / (1.0 - x))


@composed
def _logaddexp(x0: Operand, x1: Operand) -> Operand:
    difference = np.where(x0 == x1, 0.0, x0 - x1)  # that of infinities is none
    return np.maximum(x0, x1) + np.log1p(np.exp(-np.absolute(difference)))


def _logaddexp2(x0: Operand, x1: Operand) -> Operand:
    difference = np.where(x0 == x1, 0.0, x0 - x1)
    return np.maximum(x0, x1) + np.log1p(np.exp2(-np.absolute(difference))) / LN2


_logit_slope = derived(
    "logit_slope",
    lambda x, value: within(1.0 / x / (1.0 - x), value),
    lambda _, gy, y, x, value: gy * ((2.0 * x - 1.0) * y * y),
    flat,
)

log_sigmoid = unary(
    _log_sigmoid, "log(sigmoid(x)), without underflow.", lambda _, gy, y, x: gy * _sigmoid(-x)
)
logit = unary(
    _logit, "log(x/(1 - x)), the inverse of sigmoid.", lambda _, gy, y, x: gy * _logit_slope(x, y)
)
logaddexp = binary(
    _logaddexp,
    "log(exp(x) + exp(y)), without overflow.",
    lambda _, gy, y, x0, x1: gy * _sigmoid(x0 - x1),
    lambda _, gy, y, x0, x1: gy * _sigmoid(x1 - x0),
)
logaddexp2 = binary(
    _logaddexp2,
    "log2(2**x + 2**y), without overflow.",
    lambda _, gy, y, x0, x1: gy * _sigmoid(LN2 * (x0 - x1)),
    lambda _, gy, y, x0, x1: gy * _sigmoid(LN2 * (x1 - x0)),
)

UFUNCS |= {np.logaddexp: logaddexp, np.logaddexp2: logaddexp2}

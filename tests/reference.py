"""Values with two derivatives by means of their own: what the engine's are compared with.

A `Jet` has a value, its first and its second derivatives for the inputs, in three hundred bits, by
Taylor's formula forwards: no tape, no adjoint, no rule of the engine.  Beside them go a few lanes
of float64 in which every rounding is another one (Parker's Monte Carlo arithmetic): how far they
scatter is the noise of a result.

At kinks it keeps to the manual's conventions.  A derivative that is absent is not 0 but nothing:
an infinite slope makes nan of the one and leaves the other.  What cannot be told raises `Undecided`
or is nan: a tie that rounding breaks, the sign of a zero that is divided by, what leaves the range.
"""

import math

import mpmath
import numpy as np
from mpmath import mpf

from tests.jets import (
    BOTH_NAN,
    INFINITE,
    LANES,
    LARGE,
    NAN,
    ONE,
    TWO,
    ZERO,
    Arithmetic,
    Undecided,
    pairs,
)


def divide(jets, a, b):
    if jets.unknown(a, b):
        return jets.lost(a, b)
    if jets.sign(b) == 0:  # its sign is not kept
        return jets.lost(a, b)
    parts = [_quotient(x, y) for x, y in ((a.value, b.value), (a.lanes[0], b.lanes[0]))]
    value, slope, other, mixed, bend = zip(*parts, strict=True)
    bends = {(0, 1): mixed, (1, 1): bend}
    return jets.combined([a, b], value, [slope, other], bends, exact=True)


def power(jets, x, y):
    """x**y; a constant exponent has no derivative, so that the base may be negative."""
    if jets.unknown(x, y):
        if x.value == 1 or y.value == 0:  # 1 to IEEE, whatever the other is
            raise Undecided
        return jets.lost(x, y)
    sign = jets.sign(x)
    if sign == 0:
        return _power_of_zero(jets, x, y)
    whole = y.exact and y.value == mpmath.floor(y.value)
    if sign < 0 and not whole:
        if not y.exact:
            jets.compared(jets.constant(float(mpmath.nint(y.value))), y)
        return jets.nothing(jets.add(x, y))
    base, exponent = jets.shaken(x.lanes[0]), y.lanes[0]
    exponent = exponent if whole else jets.shaken(exponent)
    exact, near = (
        _power(library, a, b, sign < 0)
        for library, a, b in ((mpmath, x.value, y.value), (np, base, exponent))
    )
    lanes = (x.lanes[0] ** y.lanes[0], *near[1:])
    value, *slopes = zip(exact, lanes, strict=True)
    bends = {(0, 0): slopes[2], (0, 1): slopes[3], (1, 1): slopes[4]}
    return jets.combined([x, y], value, slopes[:2], bends, exact=y.value in (0, 1, 2))


def _power_of_zero(jets, x, y):
    if jets.sign(y) < 0:
        return jets.lost(x, y)
    to_one = jets.compared(y, jets.constant(1.0))
    to_two = jets.compared(y, jets.constant(2.0))
    zero = jets.sign(y) == 0
    slope = ZERO if zero or to_one > 0 else ONE if to_one == 0 else INFINITE
    bend = BOTH_NAN
    if zero or to_one == 0 or to_two > 0:
        bend = ZERO
    elif to_two == 0:
        bend = TWO
    mixed = ZERO if to_one > 0 else BOTH_NAN
    bends = {(0, 0): bend, (0, 1): mixed, (1, 1): BOTH_NAN if zero else ZERO}
    value = ONE if zero else ZERO
    return jets.combined([x, y], value, [slope, ZERO], bends, exact=True)


def smooth(jets, formula, x, edges=()):
    """An analytic function: (value, slope, bend) from the library and the number."""
    if jets.unknown(x):
        return jets.lost(x)
    for edge, side, quarters, slope in edges:
        place = jets.compared(x, jets.constant(edge)) * side
        if place < 0:
            return jets.nothing(x)
        if place == 0 and slope is None:
            return jets.lost(x)
        if place == 0:
            value = quarters * mpmath.pi / 2
            lanes = np.full(LANES, float(value))
            bends = {(0, 0): BOTH_NAN}
            return jets.combined([x], (value, lanes), [(mpf(slope), slope)], bends, exact=True)
    exact, near = formula(mpmath, x.value), formula(np, jets.shaken(x.lanes[0]))
    lanes = (formula(np, x.lanes[0])[0], *near[1:])  # in which terms may cancel
    value, slope, bend = zip(exact, lanes, strict=True)
    told = value[0] in (0, 1) or formula is _sqrt
    return jets.combined([x], value, [slope], {(0, 0): bend}, exact=told)


def staircase(jets, x, whole, stairs=1):
    """floor and its like, which jump at some multiples of a half where `stairs` is 2."""
    if jets.unknown(x):
        return jets.constant(NAN, x)
    nearest = float(mpmath.nint(x.value * stairs) / stairs)
    jets.compared(x, jets.constant(nearest))
    return jets.constant(whole(x.value), x)


def relation(jets, a, b, holds):
    """1 or 0; a nan is only unequal."""
    sign = jets.compared(a, b)
    return jets.constant(float(holds(sign)), a, b)


def absolute(jets, x):
    """Its slope at 0 is 0; whether a square of it bends there, as x*x does, is not told."""
    sign = jets.sign(x)
    if sign is None:
        return jets.nothing(x)
    if sign == 0:
        return jets.combined([x], ZERO, [ZERO], {(0, 0): BOTH_NAN}, exact=True)
    return x if sign > 0 else jets.negative(x)


def extremum(jets, xs, side):
    """The largest (side 1) or the smallest (side -1); those that tie share equally."""
    if any(mpmath.isnan(x.value) and x.sure for x in xs):
        return jets.lost(*xs)
    best = [xs[0]]
    for x in xs[1:]:
        sign = jets.compared(x, best[0]) * side
        if sign > 0:
            best = [x]
        elif sign == 0:
            best.append(x)
    if len(best) == 1:
        return jets.among(best[0], xs)
    share = (mpf(1) / len(best), 1.0 / len(best))
    value = (best[0].value, best[0].lanes[0])
    return jets.among(jets.combined(best, value, [share] * len(best), exact=True), xs)


def true(jets, x):
    """Whether a condition holds: it is false only where it is 0."""
    return jets.sign(x) != 0


def kept(jets, x, low, high):
    """x between bounds that are plain numbers; at a bound nothing changes."""
    at = [jets.compared(x, bound) for bound in (low, high)]
    if None in at:
        return jets.nothing(x)
    if at[0] > 0 and at[1] < 0:
        return x
    return jets.among(high if at[1] >= 0 or low.value > high.value else low, [x])


def length(jets, xs):
    """The Euclidean norm; at the origin its slope is 0 and its second derivative not told."""
    if jets.unknown(*xs):
        return jets.lost(*xs)
    places = pairs(len(xs))
    if all(jets.sign(x) == 0 for x in xs):
        return jets.combined(xs, ZERO, [ZERO] * len(xs), dict.fromkeys(places, BOTH_NAN))
    parts = [
        _length(library, [part(x) for x in xs])
        for library, part in ((mpmath, lambda x: x.value), (np, lambda x: x.lanes[0]))
    ]
    bends = {kl: (parts[0][2][kl], parts[1][2][kl]) for kl in places}
    slopes = list(zip(parts[0][1], parts[1][1], strict=True))
    return jets.combined(xs, (parts[0][0], parts[1][0]), slopes, bends)


def angle(jets, y, x):
    """arctan2."""
    if jets.unknown(y, x):
        return jets.lost(y, x)
    upright = jets.sign(y)
    ahead = jets.sign(x) if upright == 0 or x.value < 0 else 1
    if upright == 0 and ahead == 0:
        return jets.lost(y, x)
    exact = _angle(mpmath, y.value, x.value)
    near = _angle(np, jets.shaken(y.lanes[0]), jets.shaken(x.lanes[0]))
    lanes = (np.arctan2(y.lanes[0], x.lanes[0]), *near[1:])
    value, first, second, bend, mixed, other = zip(exact, lanes, strict=True)
    bends = {(0, 0): bend, (0, 1): mixed, (1, 1): other}
    sure = upright != 0 or ahead > 0  # on the other side the sign of a zero decides
    return jets.combined([y, x], value, [first, second], bends, exact=upright == 0, sure=sure)


def _quotient(a, b):
    y = a / b
    return y, 1 / b, -y / b, -1 / b / b, 2 * y / b / b


def _power(m, x, y, negative):
    value = x**y
    lower = x ** (y - 1)
    log = (m.nan if negative else m.log(x)) + 0 * x
    return (
        *(value, y * lower, value * log, y * (y - 1) * x ** (y - 2)),
        *(lower * (1 + y * log), value * log * log),
    )


def _length(m, xs):
    n = m.sqrt(sum(x * x for x in xs))
    bends = {}
    for k, j in pairs(len(xs)):
        others = sum((x * x for i, x in enumerate(xs) if i != k), 0 * n)
        bends[k, j] = (others if k == j else -xs[k] * xs[j]) / n / n / n
    return n, [x / n for x in xs], bends


def _angle(m, y, x):
    square = x * x + y * y
    bend = 2 * (x / square) * (y / square)
    mixed = (y - x) * (y + x) / square / square
    return m.atan2(y, x), x / square, -y / square, -bend, mixed, bend


# ------------------------------------------------------------------------------- the functions
def _sqrt(m, x):
    y = m.sqrt(x)
    return y, 0.5 / y, -0.25 / y / x


def _cbrt(m, x):
    y = m.cbrt(abs(x)) * m.sign(x)
    return y, y / x / 3, -2 * y / x / x / 9


def _sigmoid(m, x):
    y = 1 / (1 + m.exp(-x))
    slope = y / (1 + m.exp(x))
    return y, slope, -slope * m.tanh(x / 2)


def _softplus(m, x):
    y, slope, _ = _sigmoid(m, x)
    return (x + abs(x)) / 2 + m.log1p(m.exp(-abs(x))), y, slope


def _log_sigmoid(m, x):
    y, slope, bend = _softplus(m, -x)
    return -y, slope, -bend


def _logit(m, x):
    slope = 1 / x / (1 - x)
    return m.log(x / (1 - x)), slope, (2 * x - 1) * slope * slope


def _tan(m, x):
    y = m.tan(x)
    return y, 1 + y * y, 2 * y * (1 + y * y)


def _tanh(m, x):
    y, slope = m.tanh(x), 1 / m.cosh(x) ** 2
    return y, slope, -2 * y * slope


def _from_slope(value, slope, factor):
    """A function whose slope is a power of a polynomial, and so its bend."""

    def formula(m, x):
        d = slope(m, x)
        return value(m, x), d, factor(x) * d * d * d

    return formula


def _logarithm(base):
    def formula(m, x):
        log = m.log(base) if base else 1
        return m.log(x) / log, 1 / x / log, -1 / x / x / log

    return formula


def _exponential(m, x):
    y = m.exp(x)
    return y, y, y


def _arccos(m, x):
    _, slope, bend = _arcsin(m, x)
    return m.acos(x), -slope, -bend


def _arctan(m, x):
    slope = 1 / (1 + x * x)
    return m.atan(x), slope, -2 * x * slope * slope


def _arctanh(m, x):
    slope = 1 / ((1 - x) * (1 + x))
    return m.atanh(x), slope, 2 * x * slope * slope


_arcsin = _from_slope(
    lambda m, x: m.asin(x), lambda m, x: 1 / m.sqrt((1 - x) * (1 + x)), lambda x: x
)
_arcsinh = _from_slope(lambda m, x: m.asinh(x), lambda m, x: 1 / m.sqrt(1 + x * x), lambda x: -x)
_arccosh = _from_slope(
    lambda m, x: m.acosh(x), lambda m, x: 1 / m.sqrt((x - 1) * (x + 1)), lambda x: -x
)
inf = math.inf

SMOOTH = {
    "sqrt": (_sqrt, (0.0, 1, 0, inf)),
    "exp": (_exponential,),
    "exp2": (lambda m, x: (2**x, 2**x * m.log(2), 2**x * m.log(2) ** 2),),
    "expm1": (lambda m, x: (m.expm1(x), m.exp(x), m.exp(x)),),
    "log": (_logarithm(0), (0.0, 1, 0, None)),
    "log2": (_logarithm(2), (0.0, 1, 0, None)),
    "log10": (_logarithm(10), (0.0, 1, 0, None)),
    "log1p": (lambda m, x: (m.log1p(x), 1 / (1 + x), -1 / (1 + x) ** 2), (-1.0, 1, 0, None)),
    "sin": (lambda m, x: (m.sin(x), m.cos(x), -m.sin(x)),),
    "cos": (lambda m, x: (m.cos(x), -m.sin(x), -m.cos(x)),),
    "tan": (_tan,),
    "arcsin": (_arcsin, (-1.0, 1, -1, inf), (1.0, -1, 1, inf)),
    "arccos": (_arccos, (-1.0, 1, 2, -inf), (1.0, -1, 0, -inf)),
    "arctan": (_arctan,),
    "sinh": (lambda m, x: (m.sinh(x), m.cosh(x), m.sinh(x)),),
    "cosh": (lambda m, x: (m.cosh(x), m.sinh(x), m.cosh(x)),),
    "tanh": (_tanh,),
    "arcsinh": (_arcsinh,),
    "arccosh": (_arccosh, (1.0, 1, 0, inf)),
    "arctanh": (_arctanh, (-1.0, 1, 0, None), (1.0, -1, 0, None)),
    "sigmoid": (_sigmoid,),
    "softplus": (_softplus,),
    "log_sigmoid": (_log_sigmoid,),
    "logit": (_logit, (0.0, 1, 0, None), (1.0, -1, 0, None)),
    "exp10": (lambda m, x: (10**x, 10**x * m.log(10), 10**x * m.log(10) ** 2),),
    "degrees": (lambda m, x: (x * 180 / m.pi, 180 / m.pi + 0 * x, 0 * x),),
    "radians": (lambda m, x: (x * m.pi / 180, m.pi / 180 + 0 * x, 0 * x),),
}
"""Formulas for both libraries, and the edges: a place, the side where the function is, its value
in right angles, its slope.  A slope of None is where the value is infinite too."""

OPERATORS = {
    "add": Arithmetic.add,
    "subtract": Arithmetic.subtract,
    "multiply": Arithmetic.multiply,
    "divide": divide,
    "power": power,
    "negative": Arithmetic.negative,
    "less": lambda jets, a, b: relation(jets, a, b, lambda s: s is not None and s < 0),
    "less_equal": lambda jets, a, b: relation(jets, a, b, lambda s: s is not None and s <= 0),
    "greater": lambda jets, a, b: relation(jets, a, b, lambda s: s is not None and s > 0),
    "greater_equal": lambda jets, a, b: relation(jets, a, b, lambda s: s is not None and s >= 0),
    "equal": lambda jets, a, b: relation(jets, a, b, lambda s: s == 0),
    "not_equal": lambda jets, a, b: relation(jets, a, b, lambda s: s != 0),
}


def _cube_root(jets, x):
    if jets.unknown(x):
        return jets.lost(x)
    if jets.sign(x) == 0:
        bends = {(0, 0): BOTH_NAN}
        return jets.combined([x], ZERO, [INFINITE], bends, exact=True)
    return smooth(jets, _cbrt, x)


def _sinc(jets, x):
    """sin(pi*x)/(pi*x); at 0 it is 1, its slope 0 and its bend -pi**2/3."""
    if jets.unknown(x):
        return jets.lost(x)
    if jets.sign(x) == 0:
        bend = (-(mpmath.pi**2) / 3, -(math.pi**2) / 3)
        return jets.combined([x], ONE, [ZERO], {(0, 0): bend}, exact=True)
    return smooth(jets, _wave, x)


def _wave(m, x):
    z = m.pi * x
    s, c = m.sin(z) / z, m.cos(z)
    return s, (c - s) / x, -m.pi * m.pi * s - 2 * (c - s) / x / x


def _sign(jets, x):
    sign = jets.sign(x)
    return jets.constant(NAN if sign is None else sign, x)


def _clip(jets, x, low, high):
    """A bound that no input reaches is a plain number."""
    plain_low, plain_high = (jets.constant(number) for number in (-LARGE, LARGE))
    if low.plain and high.plain:
        return kept(jets, x, low, high)
    x = kept(jets, x, low, plain_high) if low.plain else extremum(jets, [x, low], 1)
    return kept(jets, x, plain_low, high) if high.plain else extremum(jets, [x, high], -1)


def truncated(x):
    """The whole part of a number."""
    return mpmath.sign(x) * mpmath.floor(abs(x))


def _inverted(name):
    """A function of 1/x."""
    return lambda jets, x: ELEMENTWISE[name](jets, divide(jets, jets.constant(1.0), x))


def _reciprocal(name):
    """1 over a function."""
    return lambda jets, x: divide(jets, jets.constant(1.0), ELEMENTWISE[name](jets, x))


def _remainder(whole):
    """x - y*whole(x/y), in which the whole number is flat."""

    def remainder(jets, x, y):
        times = staircase(jets, divide(jets, x, y), whole)
        return jets.subtract(x, jets.multiply(y, times))

    return remainder


def _step(jets, x, y):
    """heaviside: y where x is 0."""
    sign = jets.sign(x)
    if sign == 0:
        return y
    return jets.constant(NAN if sign is None else float(sign > 0), x, y)


def _with_sign(jets, x, y):
    """copysign; a zero's own sign is not known here."""
    sign = jets.sign(y)
    if not sign:
        raise Undecided
    size = absolute(jets, x)
    return jets.among(size if sign > 0 else jets.negative(size), (x, y))


def _logarithm_to(jets, x, base):
    return divide(jets, ELEMENTWISE["log"](jets, x), ELEMENTWISE["log"](jets, base))


def _times_logarithm(jets, x, y):
    """xlogy: 0 where x is 0, and there the slope for x is log(y)."""
    if not y.sure:
        raise Undecided
    logarithm = ELEMENTWISE["log"](jets, y)
    if jets.sign(x) == 0 and not mpmath.isfinite(logarithm.value):
        raise Undecided
    return jets.multiply(x, logarithm)


def _of_difference(name, scale):
    """The larger of two values and a function of their difference: log(b**x + b**y)."""

    def function(jets, x, y):
        if jets.unknown(x, y):
            return jets.lost(x, y)
        larger, smaller = (x, y) if x.value >= y.value else (y, x)
        factor = jets.natural(scale)
        rest = jets.multiply(jets.subtract(smaller, larger), factor)
        return jets.add(larger, divide(jets, ELEMENTWISE[name](jets, rest), factor))

    return function


def _decimals(jets, x, n):
    """round(x, n)."""
    if jets.unknown(x, n):
        return jets.constant(NAN, x, n)
    shift = power(jets, jets.constant(10.0), jets.constant(float(n.value)))
    whole = staircase(jets, jets.multiply(x, shift), mpmath.nint, 2)
    if not (whole.sure and n.exact):
        raise Undecided
    return divide(jets, whole, jets.among(shift, (x, n)))


def _tells(tells):
    """A question about a number itself."""

    def function(jets, x):
        if not x.sure:
            raise Undecided
        return jets.constant(float(tells(x.value)), x)

    return function


ELEMENTWISE = {
    **{
        name: lambda jets, x, row=row: smooth(jets, row[0], x, row[1:])
        for name, row in SMOOTH.items()
    },
    "cbrt": _cube_root,
    "sinc": _sinc,
    "pow": power,
    "arctan2": angle,
    "hypot": lambda jets, x, y: length(jets, [x, y]),
    "abs": absolute,
    "sign": _sign,
    "floor": lambda jets, x: staircase(jets, x, mpmath.floor),
    "ceil": lambda jets, x: staircase(jets, x, mpmath.ceil),
    "minimum": lambda jets, x, y: extremum(jets, [x, y], -1),
    "maximum": lambda jets, x, y: extremum(jets, [x, y], 1),
    "where": lambda jets, c, x, y: jets.among(x if true(jets, c) else y, (c, x, y)),
    "clip": _clip,
    "relu": lambda jets, x: kept(jets, x, jets.constant(0.0), jets.constant(LARGE)),
    **{
        name: _reciprocal(of)
        for name, of in (
            *(("sec", "cos"), ("csc", "sin"), ("cot", "tan")),
            *(("sech", "cosh"), ("csch", "sinh"), ("coth", "tanh")),
        )
    },
    **{
        name: _inverted(of)
        for name, of in (
            *(("arcsec", "arccos"), ("arccsc", "arcsin"), ("arccot", "arctan")),
            *(("arcsech", "arccosh"), ("arccsch", "arcsinh"), ("arccoth", "arctanh")),
        )
    },
    "square": lambda jets, x: jets.multiply(x, x),
    "trunc": lambda jets, x: staircase(jets, x, truncated),
    "round": lambda jets, x: staircase(jets, x, mpmath.nint, 2),
    "round/2": _decimals,
    "frac": lambda jets, x: jets.subtract(x, staircase(jets, x, truncated)),
    "mod": _remainder(mpmath.floor),
    "fmod": _remainder(truncated),
    "heaviside": _step,
    "copysign": _with_sign,
    "isnan": _tells(mpmath.isnan),
    "isinf": _tells(mpmath.isinf),
    "isfinite": _tells(mpmath.isfinite),
    "log/2": _logarithm_to,
    "xlogy": _times_logarithm,
    "logaddexp": _of_difference("softplus", 0),
    "logaddexp2": _of_difference("softplus", 2),
    "remainder": _remainder(mpmath.floor),
    "floor_divide": lambda jets, x, y: staircase(jets, divide(jets, x, y), mpmath.floor),
    "and": lambda jets, x, y: jets.among(
        jets.constant(float(true(jets, x) and true(jets, y))), (x, y)
    ),
    "or": lambda jets, x, y: jets.among(
        jets.constant(float(true(jets, x) or true(jets, y))), (x, y)
    ),
    **OPERATORS,
}


# ---------------------------------------------------------------------------------------- arrays
def each(jets, function, *operands):
    """A function of jets, element by element, with NumPy's broadcasting."""
    wide = np.broadcast_arrays(*operands) if len(operands) > 1 else operands
    result = np.empty(wide[0].shape, object)
    for i in np.ndindex(result.shape):
        result[i] = function(jets, *(x[i] for x in wide))
    return result


def _reduced(function):
    """A function of a list of jets over an axis, or all."""

    def reduction(jets, x, axis=None, keepdims=0):
        if axis is None:
            whole = function(jets, list(x.reshape(-1)))
            return as_array(whole, (1,) * x.ndim if keepdims else ())
        moved = np.moveaxis(x, axis, -1)
        result = np.empty(moved.shape[:-1], object)
        for i in np.ndindex(result.shape):
            result[i] = function(jets, list(moved[i]))
        return np.expand_dims(result, axis) if keepdims else result

    return reduction


def as_array(jet, shape=()):
    """One jet as an array."""
    result = np.empty(shape, object)
    result[...] = jet
    return result


def total(jets, xs):
    """The sum of jets."""
    result = xs[0]
    for x in xs[1:]:
        result = jets.add(result, x)
    return result


def _product(jets, xs):
    result = xs[0]
    for x in xs[1:]:
        result = jets.multiply(result, x)
    return result


def _finite(*arrays):
    """Where elements are mixed the engine masks no more, so that a nan below may be seen."""
    for array in arrays:
        for x in array.reshape(-1):
            numbers = (x.value, *x.first.values(), *x.second.values())
            if not all(map(mpmath.isfinite, numbers)):
                raise Undecided


def mean(jets, xs):
    """The mean of jets."""
    return divide(jets, total(jets, xs), jets.constant(float(len(xs))))


def _norm(jets, xs):
    _finite(np.array(xs, object))
    return length(jets, xs)


def matrix_product(jets, a, b):
    """a @ b: each element a sum of products."""
    _finite(a, b)
    rows = a if a.ndim == 2 else a[None]
    columns = b.T if b.ndim == 2 else b[None]
    result = np.empty((len(rows), len(columns)), object)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            terms = [jets.multiply(x, y) for x, y in zip(row, column, strict=True)]
            result[i, j] = total(jets, terms)
    shape = a.shape[:-1] + b.shape[1:]
    return result.reshape(shape)


def _dot(jets, a, b):
    if a.ndim == 0 or b.ndim == 0:
        return each(jets, Arithmetic.multiply, a, b)
    return matrix_product(jets, a, b)


def _of_several(function):
    return lambda jets, *xs: function(jets, xs)


ELEMENTWISE |= {
    f"{name}/{count}": _of_several(function)
    for count in (2, 3)
    for name, function in {
        "sum": total,
        "mean": mean,
        "prod": _product,
        "min": lambda jets, xs: extremum(jets, xs, -1),
        "max": lambda jets, xs: extremum(jets, xs, 1),
        "hypot": length,
    }.items()
}

ARRAYS = {
    "sum": _reduced(total),
    "mean": _reduced(mean),
    "prod": _reduced(_product),
    "min": _reduced(lambda jets, xs: extremum(jets, xs, -1)),
    "max": _reduced(lambda jets, xs: extremum(jets, xs, 1)),
    "norm": _reduced(_norm),
    "dot": _dot,
    "matrix_multiply": matrix_product,
    "transpose": lambda jets, x: x.T,
}
"""Functions of whole arrays."""

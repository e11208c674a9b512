"""Jets: values with two derivatives, exact and as rounding leaves them (see `tests.reference`)."""

import itertools
import math

import mpmath
import numpy as np
from mpmath import mpf

BITS = 300
LANES = 12
EPS = float(np.finfo(float).eps)
LARGE = mpf(10) ** 40
"""Numbers beyond it, or below its reciprocal, are not told."""
LEAST = 1e-280
"""The least noise: far from where float64 itself loses digits."""
INF, NAN = mpf("inf"), mpf("nan")


class Undecided(Exception):
    """Rounding, or the sign of a zero, decides here."""


class Jet:
    """A number with its derivatives, exact and in lanes.

    `first` has a number for each input that it changes with, `second` for each pair (i <= j); the
    lanes are arrays of all, `sizes` the same with nothing cancelled.  `exact` tells whether float64
    has the very value, `sure` whether the value is known at all, where it is nan, `plain` whether
    it is a number that is made of no input.
    """

    __slots__ = ("exact", "first", "lanes", "plain", "second", "sizes", "sure", "value")

    def __init__(self, value, first, second, lanes, sizes, exact=False, sure=True, plain=False):
        self.value = value
        self.first = first
        self.second = second
        self.lanes = lanes
        self.sizes = sizes
        self.exact = exact
        self.sure = sure
        self.plain = plain

    def noise(self):
        """How far value, first and second derivatives scatter, as arrays.

        Backwards the terms of a derivative are added up in another order, in which they may cancel
        last, so a rounding of the terms counts too.
        """
        exact = [np.array(float(self.value)), *map(np.zeros_like, self.sizes)]
        for i, d in self.first.items():
            exact[1][i] = float(d)
        for (i, j), d in self.second.items():
            exact[2][i, j] = exact[2][j, i] = float(d)
        least = [abs(exact[0]), *self.sizes]
        with np.errstate(all="ignore"):
            return [
                np.maximum(np.max(np.abs(lanes - x), axis=0), EPS * size + LEAST)
                for lanes, x, size in zip(self.lanes, exact, least, strict=True)
            ]


class Arithmetic:
    """Jets for a number of inputs."""

    def __init__(self, inputs, seed):
        self.inputs = inputs
        self.random = np.random.default_rng(seed)

    def shaken(self, x):
        """Each lane moved by up to a unit in the last place."""
        return x * (1.0 + EPS * self.random.uniform(-1.0, 1.0, np.shape(x)))

    def constant(self, number, *operands):
        """A number that changes with no input; plain where none of the operands is made of one."""
        n = self.inputs
        lanes = (np.full(LANES, float(number)), np.zeros((LANES, n)), np.zeros((LANES, n, n)))
        sizes = (np.zeros(n), np.zeros((n, n)))
        sure = all(x.sure for x in operands)
        return Jet(mpf(number), {}, {}, lanes, sizes, True, sure, all(x.plain for x in operands))

    def natural(self, base):
        """The natural logarithm of a base, or 1; its last digits are lost on float64."""
        number = mpmath.log(base) if base else mpf(1)
        jet = self.constant(number)
        jet.exact = _is_float(number)
        return jet

    def input(self, number, i):
        """Input i."""
        jet = self.constant(number)
        jet.first[i] = mpf(1)
        jet.lanes[1][:, i] = 1.0
        jet.sizes[0][i] = 1.0
        jet.plain = False
        return jet

    def combined(self, operands, value, slopes, bends=None, exact=False, sure=True):
        """A function of jets, from its value and its partial derivatives.

        `slopes` has one for each operand, `bends` (default: a linear function) one for each pair
        (k <= l) of operands that has any.  Each is a pair: the exact number, the lanes.
        """
        slopes = {k: slope for k, slope in enumerate(slopes) if operands[k].first}
        bends = {kl: bend for kl, bend in (bends or {}).items() if {*kl} <= slopes.keys()}
        first, second = {}, {}
        for k, (slope, _) in slopes.items():
            _gather(first, {i: slope * d for i, d in operands[k].first.items()})
            _gather(second, {ij: slope * d for ij, d in operands[k].second.items()})
        for (k, other), (bend, _) in bends.items():
            _gather(second, _crossed(bend, operands[k].first, operands[other].first, k == other))
        lanes = self._lanes(operands, value[1], slopes, bends)
        sizes = self._sizes(operands, slopes, bends)
        jet = Jet(value[0], first, second, lanes, sizes, sure=sure)
        jet.plain = all(x.plain for x in operands)
        self._range(jet)
        if exact and all(x.exact for x in operands) and _is_float(jet.value):
            jet.exact = True
            jet.lanes = (np.full(LANES, float(jet.value)), *lanes[1:])
        return jet

    def _range(self, jet):
        """What is beyond the range that is drawn in is not told, nor what is made of it."""
        if not jet.sure or abs(jet.value) > LARGE or 0 < abs(jet.value) < 1 / LARGE:
            jet.value, jet.sure = NAN, False
            jet.first, jet.second = dict.fromkeys(jet.first, NAN), dict.fromkeys(jet.second, NAN)
        for part in (jet.first, jet.second):
            for key, number in part.items():
                if LARGE < abs(number) < INF:
                    part[key] = NAN

    def _sizes(self, operands, slopes, bends):
        """The derivatives as sums of absolute terms."""
        with np.errstate(all="ignore"):
            first, second = np.zeros(self.inputs), np.zeros((self.inputs, self.inputs))
            for k, (slope, _) in slopes.items():
                size = abs(float(slope))
                first = first + _times(size, operands[k].sizes[0])
                second = second + _times(size, operands[k].sizes[1])
            for (k, other), (bend, _) in bends.items():
                square = np.multiply.outer(operands[k].sizes[0], operands[other].sizes[0])
                square = square if k == other else square + square.T
                second = second + _times(abs(float(bend)), square)
            return first, second

    def _lanes(self, operands, value, slopes, bends):
        """The same sums of products, each rounded in another way."""
        with np.errstate(all="ignore"):
            n = self.inputs
            first, second = np.zeros((LANES, n)), np.zeros((LANES, n, n))
            for k, (_, slope) in slopes.items():
                column = np.reshape(self.shaken(np.broadcast_to(slope, LANES)), (LANES, 1))
                first = first + self.shaken(_times(column, operands[k].lanes[1]))
                second = second + self.shaken(_times(column[:, None], operands[k].lanes[2]))
            for (k, other), (_, bend) in bends.items():
                column = np.reshape(self.shaken(np.broadcast_to(bend, LANES)), (LANES, 1, 1))
                a, b = operands[k].lanes[1], operands[other].lanes[1]
                square = _times(a[:, :, None], b[:, None, :])
                if k != other:
                    square = square + np.swapaxes(square, 1, 2)
                second = second + self.shaken(_times(column, square))
            return self.shaken(np.broadcast_to(value, LANES)), first, second

    def compared(self, a, b):
        """The sign of a - b as float64 has it for sure; None beside a nan."""
        if not (a.sure and b.sure):
            raise Undecided
        if mpmath.isnan(a.value) or mpmath.isnan(b.value):
            return None
        if a is b:
            return 0
        distance = a.value - b.value
        if not (a.exact and b.exact):
            noise = np.max(np.abs(a.lanes[0] - b.lanes[0] - float(distance)))
            if not abs(distance) > 16 * noise + EPS * (abs(a.value) + abs(b.value)):
                raise Undecided
        return int(mpmath.sign(distance))

    def sign(self, x):
        """The sign of a jet; None of a nan."""
        return self.compared(x, self.constant(0.0))

    def nothing(self, x):
        """nan, as is x: without a derivative that is known."""
        return self.combined([x], (NAN, np.full(LANES, np.nan)), [BOTH_NAN], {(0, 0): BOTH_NAN})

    def add(self, a, b):
        value = (a.value + b.value, a.lanes[0] + b.lanes[0])
        return self.combined([a, b], value, [ONE, ONE], exact=True, sure=a.sure and b.sure)

    def subtract(self, a, b):
        value = (a.value - b.value, a.lanes[0] - b.lanes[0])
        return self.combined([a, b], value, [ONE, MINUS], exact=True, sure=a.sure and b.sure)

    def negative(self, x):
        return self.combined([x], (-x.value, -x.lanes[0]), [MINUS], exact=True, sure=x.sure)

    def multiply(self, a, b):
        value = (a.value * b.value, a.lanes[0] * b.lanes[0])
        slopes = [(b.value, b.lanes[0]), (a.value, a.lanes[0])]
        bends = {(0, 1): ONE}
        return self.combined([a, b], value, slopes, bends, exact=True, sure=a.sure and b.sure)

    def unknown(self, *operands):
        """Whether any value is nan."""
        return any(mpmath.isnan(x.value) for x in operands)

    def lost(self, *operands):
        """A value that is nan for sure, where all of the operands are known, or nobody knows."""
        nan = all(x.sure for x in operands) and self.unknown(*operands)
        bends = dict.fromkeys(pairs(len(operands)), BOTH_NAN)
        value = (NAN, np.full(LANES, np.nan))
        return self.combined(operands, value, [BOTH_NAN] * len(operands), bends, sure=nan)

    def scaled(self, x, factor):
        """The value of x as it is, its derivatives times a factor."""
        slope = (mpf(factor), factor)
        return self.combined([x], (x.value, x.lanes[0]), [slope], exact=True, sure=x.sure)

    def among(self, x, xs):
        """The jet x that is chosen among several: it is made of all of them."""
        if x.plain and not all(other.plain for other in xs):
            x = self.scaled(x, 1.0)
            x.plain = False
        return x


ZERO, ONE, TWO = ((mpf(number), float(number)) for number in (0, 1, 2))
MINUS = (mpf(-1), -1.0)
INFINITE = (INF, math.inf)
BOTH_NAN = (NAN, math.nan)


def pairs(count):
    """The places (k <= l) of second derivatives."""
    return list(itertools.combinations_with_replacement(range(count), 2))


def _gather(total, terms):
    for key, term in terms.items():
        total[key] = total[key] + term if key in total else term


def _crossed(bend, first, second, same):
    """The part of a bend in the second derivatives."""
    terms = {}
    for i, a in first.items():
        for j, b in second.items():
            if same and i > j:
                continue
            term = bend * a * b
            if not same and i == j:
                term = 2 * term
            key = (min(i, j), max(i, j))
            terms[key] = terms[key] + term if key in terms else term
    return terms


def _is_float(value):
    return mpmath.isfinite(value) and mpf(float(value)) == value


def _times(a, b):
    """A product in which 0 is nothing, since here every number is there."""
    return np.where((a == 0) | (b == 0), 0.0, a * b)

"""Steps and remainders beside Python's own operators and the standard library, to the bit."""

import math
import random

import numpy as np
import pytest

from dezero import Variable
from dezero import functions as F
from dezero.calculus import grad


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of a division by 0; here it is what is tested."""
    with np.errstate(all="ignore"):
        yield


def numbers(count, seed=1):
    """Numbers of every size, whole ones and halves among them."""
    chance = random.Random(seed)
    for _ in range(count):
        kind = chance.random()
        if kind < 0.4:
            yield chance.choice((-1, 1)) * 10 ** chance.uniform(-5, 5)
        else:
            yield chance.randint(-40, 40) / chance.choice((1, 2, 4, 10))


def pairs(count):
    return zip(numbers(count), numbers(count, 2), strict=True)


def value(function, *at):
    return float(function(*map(Variable, map(np.array, at))).data)


def same(got, expected):
    return got == expected and math.copysign(1, got) == math.copysign(1, expected)


def test_roundings_are_pythons():
    for x in numbers(2000):
        assert value(F.round, x) == round(x)
        assert value(F.trunc, x) == math.trunc(x)
        assert value(F.frac, x) == x - math.trunc(x)
        assert F.frac.__name__ == "frac" and grad(F.frac)(x) == 1.0
        assert grad(F.round)(x) == grad(F.trunc)(x) == 0.0


@pytest.mark.parametrize("decimals", [-2, -1, 0, 1, 2, 5])
def test_rounding_to_decimals_is_numpys(decimals):
    for x in numbers(500):
        got = value(F.round_to, x, float(decimals))
        assert got == np.round(x, decimals)
    assert grad(F.round_to)(1.26, 1.0) == (0.0, 0.0)


def test_rounding_to_decimals_keeps_what_is_too_large_to_round():
    assert value(F.round_to, 1.7e308, 3.0) == 1.7e308
    assert value(F.round_to, 1e300, 300.0) == 1e300


def test_remainders_are_pythons():
    for x, y in pairs(3000):
        if y:
            assert same(value(F.mod, x, y), x % y), (x, y)
            assert same(value(F.fmod, x, y), math.fmod(x, y)), (x, y)


def test_remainders_have_their_derivatives():
    for x, y in pairs(1000):
        if y:
            assert grad(F.mod)(x, y) == (1.0, -float(x // y))
            assert grad(F.fmod)(x, y) == (1.0, -float(np.trunc(x / y)))


def test_copysign():
    for x, y in pairs(1000):
        assert same(value(F.copysign, x, y), math.copysign(x, y))
        slope = math.copysign(1, x) * math.copysign(1, y) if x else 0.0
        assert grad(F.copysign)(x, y) == (slope, 0.0)
    assert same(value(F.copysign, 2.0, -0.0), -2.0)


def test_heaviside_is_numpys():
    for x, y in pairs(1000):
        assert value(F.heaviside, x, y) == np.heaviside(x, y)
        assert grad(F.heaviside)(x, y) == (0.0, 1.0 if x == 0 else 0.0)
    assert math.isnan(value(F.heaviside, math.nan, 1.0))


def test_kinds_of_numbers():
    for x in (1.0, -0.0, 1e308, math.inf, -math.inf, math.nan):
        assert value(F.isnan, x) == math.isnan(x)
        assert value(F.isinf, x) == math.isinf(x)
        assert value(F.isfinite, x) == math.isfinite(x)

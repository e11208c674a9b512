"""Derivatives on whose way, but not at whose end, the range of numbers is left.

DEZERO_LAWS sets how many formulas are drawn (default: 100).
"""

import math
import os
import random

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from dezero import Function, Variable
from dezero import functions as F
from dezero.calculus import grad, hessian

COUNT = int(os.environ.get("DEZERO_LAWS", "100"))
ULP = mpf(2) ** -52


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of overflow; here it is what is tested."""
    with np.errstate(all="ignore"), mpmath.workdps(50):
        yield


# A step is an operation on a number u, its derivative by mpmath from u and the result.
STEPS = {
    "reciprocal": (lambda u: 1 / u, lambda u: 1 / u, lambda u, y: -y / u),
    "root": (F.sqrt, mpmath.sqrt, lambda u, y: y / u / 2),
    "square": (lambda u: u**2, lambda u: u**2, lambda u, y: 2 * y / u),
    "fifth power": (lambda u: u**5, lambda u: u**5, lambda u, y: 5 * y / u),
    "tenth power": (lambda u: u**0.1, lambda u: u ** mpf(0.1), lambda u, y: mpf(0.1) * y / u),
    "exponential": (F.exp, mpmath.exp, lambda u, y: y),
    "logarithm": (F.log, mpmath.log, lambda u, y: 1 / u),
    "large": (lambda u: 1e150 * u, lambda u: mpf(1e150) * u, lambda u, y: mpf(1e150)),
    "small": (lambda u: u / 1e150, lambda u: u / mpf(1e150), lambda u, y: 1 / mpf(1e150)),
}


def chain(chance):
    """Steps one after another from a number, all of whose values are inside the range."""
    x = 10 ** chance.uniform(-150, 150) if chance.random() < 0.5 else chance.uniform(1, 690)
    steps, values = [], [mpf(x)]
    for _ in range(20):
        name = chance.choice(list(STEPS))
        if name == "exponential" and values[-1] > 690:
            continue
        y = STEPS[name][1](values[-1])
        if 1e-300 < y < 1e300 and abs(mpmath.log(y)) > 1e-3:
            steps.append(name)
            values.append(y)
        if len(steps) == 6:
            break
    return x, steps, values


def on_the_way(steps, values):
    """The gradients of the last value by each value before it, from the last to the first."""
    found = [mpf(1)]
    for name, u, y in zip(reversed(steps), values[-2::-1], values[:0:-1], strict=True):
        found.append(found[-1] * STEPS[name][2](u, y))
    return found


def drawn(chance):
    """(x, steps, the derivative, how much it moves with every value's last digit)."""
    while True:
        x, steps, values = chain(chance)
        found = on_the_way(steps, values)
        inside = all(1e-300 < abs(g) < 1e300 for g in found)
        reached = max(map(abs, found)) < 1e120 and min(map(abs, found)) > mpf("1e-470")
        reached = reached or (max(map(abs, found)) < mpf("1e470") and min(map(abs, found)) > 1e-120)
        if inside or not reached or not 1e-300 < abs(found[-1]) < 1e300:
            continue
        moved = 0
        for i in range(len(values) - 1):  # every value is rounded, and what follows with it
            shaken = values[: i + 1]
            shaken[i] *= 1 + ULP
            for name in steps[i:]:
                shaken.append(STEPS[name][1](shaken[-1]))
            moved += abs(on_the_way(steps, shaken)[-1] - found[-1])
        return x, steps, found[-1], moved + 4 * abs(found[-1]) * ULP


def applied(steps):
    def function(x):
        for name in steps:
            x = STEPS[name][0](x)
        return x

    return function


def test_a_gradient_that_leaves_the_range_on_its_way_and_comes_back():
    chance = random.Random(1)
    wrong = []
    for _ in range(COUNT):
        x, steps, true, noise = drawn(chance)
        got = float(grad(applied(steps))(x))
        if not (math.isfinite(got) and abs(mpf(got) - true) <= 4 * noise):
            wrong.append((x, steps, got, true))
    assert wrong == []


def test_an_element_has_the_bits_that_it_has_alone():
    chance = random.Random(2)
    for _ in range(COUNT // 5):
        x, steps, _, _ = drawn(chance)
        others = [10 ** chance.uniform(-5, 5) for _ in range(5)]
        together = grad(applied(steps))(np.array([*others, x]))
        alone = [float(grad(applied(steps))(each)) for each in [*others, x]]
        assert np.array_equal(together, alone, equal_nan=True)


def test_higher_orders_too():
    assert hessian(lambda x: 1 / F.sqrt(F.exp(x)))(600.0) == pytest.approx(
        float(mpmath.exp(-300) / 4), rel=1e-14
    )
    h = 6.62607015e-34
    assert hessian(lambda h: 1 / h**5)(h) == pytest.approx(float(30 * mpf(h) ** -7), rel=1e-14)


def test_what_is_infinite_stays_so():
    assert grad(F.sqrt)(0.0) == np.inf
    assert grad(lambda x: 1 / x)(1e-200) == -np.inf
    assert np.isnan(grad(lambda x, y: y * F.sqrt(x))(0.0, 0.0)[0])


@pytest.mark.parametrize("low", [1e-150, 1e-140, 1e-130, 1e-100, 1e-60])
def test_what_a_smaller_seed_would_lose_is_not_taken_from_it(low):
    got = grad(lambda x: low * (1e300 * (1e300 * (1e-250 * x * 1e-250))))(1.0)
    assert got == np.inf or got == pytest.approx(low * 1e100, rel=1e-14)


def test_gradients_are_still_added_to_those_that_are_there():
    x = Variable(np.array(600.0))
    for times in (1, 2, 3):
        (1 / F.sqrt(F.exp(x))).backward()
        assert x.grad == pytest.approx(-times * float(mpmath.exp(-300)) / 2, rel=1e-13)


def test_intermediate_gradients_are_those_of_the_seed():
    x = Variable(np.array(6.62607015e-34))
    power = x**5
    y = 1 / power
    y.backward(retain_grad=True)
    assert (y.grad, power.grad) == (1.0, -np.inf)
    assert x.grad == pytest.approx(float(-5 * mpf(6.62607015e-34) ** -6))


def test_a_function_of_the_user_is_walked_once():
    class Clipped(Function):
        calls = 0

        def forward(self, x):
            return x

        def backward(self, gy):
            Clipped.calls += 1
            return np.clip(gy, -1, 1)

    grad(lambda x: Clipped()(1e-200 * (1e-200 * x)))(1.0)
    assert Clipped.calls == 1

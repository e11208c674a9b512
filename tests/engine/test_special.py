"""Special functions: values and derivatives against mpmath, in units of the noise.

SciPy's own values are taken as they are where they are good; the derivatives are ours.  DEZERO_LAWS
sets how many points each function is tried at.
"""

import math
import os
import random
import subprocess
import sys

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from dezero import Variable, special
from dezero import functions as F
from tests.conftest import of_scipy
from tests.engine.test_orders import digit, error

POINTS = max(int(os.environ.get("DEZERO_LAWS", "100")) // 25, 4)
ORDERS = 2
LIMIT = 4.0

ORDER = (0.0, 0.5, 2.0, 3.7)
SHAPE = (0.3, 1.0, 2.5, 15.0, 40.0, 300.0)


def log_gamma(x):
    return mpmath.log(abs(mpmath.gamma(x)))


def below(a, x):
    return mpmath.hyp1f1(1, a + 1, x) * x**a * mpmath.exp(-x) / mpmath.gamma(a + 1)


def above(a, x):
    with mpmath.workdps(150):
        return 1 - below(a, x)


TRUE = {
    "gamma": (mpmath.gamma, [], [(0, 20), (-4, 0)]),
    "lgamma": (log_gamma, [], [(0, 20), (-4, 0), (20, 1e5)]),
    "digamma": (mpmath.digamma, [], [(0, 20), (-4, 0), (20, 1e5)]),
    "trigamma": (lambda x: mpmath.polygamma(1, x), [], [(0, 20), (-4, 0)]),
    "polygamma": (lambda n, x: mpmath.polygamma(int(n), x), [0.0, 2.0, 5.0], [(0, 20)]),
    "factorial": (mpmath.factorial, [], [(-0.9, 20)]),
    "binom": (mpmath.binomial, [20.5, 3.0], [(0.1, 10)]),
    "beta": (mpmath.beta, [0.5, 7.0], [(0.1, 20)]),
    "betaln": (lambda a, b: mpmath.log(mpmath.beta(a, b)), [0.5, 7.0], [(0.1, 20)]),
    "gammainc": (below, SHAPE, [(0.1, 1.5)]),
    "gammaincc": (above, SHAPE[:-1], [(0.1, 1.5)]),
    "erfi": (mpmath.erfi, [], [(-5, 5)]),
    "expi": (mpmath.ei, [], [(-20, 0), (0.5, 50)]),
    "exp1": (mpmath.e1, [], [(0, 50)]),
    "lambertw": (lambda x: mpmath.lambertw(x), [], [(-0.36, 0), (0, 10), (10, 1e6)]),
    "jv": (mpmath.besselj, ORDER, [(0, 30)]),
    "yv": (mpmath.bessely, ORDER, [(0, 30)]),
    "iv": (mpmath.besseli, ORDER, [(0, 30)]),
    "kv": (mpmath.besselk, ORDER, [(0, 30)]),
    **{f"j{n}": (lambda x, n=n: mpmath.besselj(n, x), [], [(0, 30)]) for n in (0, 1)},
    **{f"y{n}": (lambda x, n=n: mpmath.bessely(n, x), [], [(0.1, 6)]) for n in (0, 1)},
    **{f"i{n}": (lambda x, n=n: mpmath.besseli(n, x), [], [(0, 30)]) for n in (0, 1)},
    **{f"k{n}": (lambda x, n=n: mpmath.besselk(n, x), [], [(0.1, 6)]) for n in (0, 1)},
}
"""mpmath's function, the first values to try it with, and the ranges of the last.

Of the incomplete gamma functions the last value is in units of the first.
"""

SCIPY_IS_BAD = {
    "binom": 30.0,  # of which the second derivative is a difference of nearly the same
    "beta": 20.0,
    "betaln": 20.0,
    "gammainc": 20.0,  # the value alone: its derivative is ours
    "gammaincc": 20.0,
    "jv": 100.0,  # of broken orders, beyond 15
    "yv": 100.0,
}
"""Where a value of SciPy's own is off by more than 4 units of noise, and by how much."""


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of overflow; here it is no matter."""
    with np.errstate(all="ignore"), mpmath.workdps(30):
        yield


def test_every_function_is_held():
    assert TRUE.keys() == {name for name, known in F.FUNCTIONS.items() if of_scipy(known)}


def derivatives_by_mpmath(truth, at):
    """The value and the derivatives by the last value, one more than is asked."""
    *first, x = map(mpf, at)
    distance = abs(x - mpmath.nint(x)) if x < 0 else abs(x)
    scale = min(distance, mpf(1))
    series = mpmath.taylor(lambda t: truth(*first, x + scale * t), 0, ORDERS + 1, chop=False)
    return [mpmath.re(c) * math.factorial(n) / scale**n for n, c in enumerate(series)]


def ours(function, at):
    """The same as the engine has it."""
    *first, last = at
    x = Variable(np.array(last))
    y = function(*first, x)
    found = [float(y.data)]
    for _ in range(ORDERS):
        y.backward(create_graph=True)
        y = x.grad
        x.cleargrad()
        found.append(float(y.data))
    return found


@pytest.mark.parametrize("name", TRUE)
def test_values_and_derivatives(name):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    truth, firsts, ranges = TRUE[name]
    chance = random.Random(name)
    for _ in range(POINTS):
        first = [chance.choice(firsts)] if firsts else []
        x = chance.uniform(*chance.choice(ranges))
        at = (*first, x * first[0] if name.startswith("gammainc") else x)
        true = derivatives_by_mpmath(truth, at)
        for order, got in enumerate(ours(F.FUNCTIONS[name].function, at)):
            noise = digit(true[order]) + abs(true[order + 1]) * digit(at[-1])
            is_ours = order and name.startswith("gammainc")
            limit = LIMIT if is_ours else max(LIMIT, SCIPY_IS_BAD.get(name, 0.0))
            assert error(got, true[order], noise) <= limit, (at, order, got, true[order])


@pytest.mark.parametrize("name", ["beta", "betaln", "binom"])
def test_both_derivatives_of_functions_of_two(name):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    truth = TRUE[name][0]
    for at in ((4.5, 2.25), (0.5, 0.75), (12.0, 3.0)):
        variables = [Variable(np.array(x)) for x in at]
        F.FUNCTIONS[name].function(*variables).backward()
        for i, x in enumerate(variables):
            true = mpmath.diff(truth, at, tuple(int(i == j) for j in (0, 1)))
            assert float(x.grad) == pytest.approx(float(true), rel=1e-13)


def test_factorials_are_exact():
    for n in range(23):
        assert float(F.factorial(constant := np.float64(n)).data) == math.factorial(n), constant


@pytest.mark.parametrize("name", ["jv", "yv", "iv", "kv", "polygamma", "gammainc", "gammaincc"])
def test_orders_take_no_gradient(name):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    function = F.FUNCTIONS[name].function
    with pytest.raises(ValueError, match=f"{name} takes no gradient for the"):
        function(Variable(np.array(1.0)), Variable(np.array(2.0)))
    assert np.isfinite(function(1.0, Variable(np.array(2.0))).data)


def test_values_outside_a_domain_are_nan():
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    outside = [("lambertw", -0.5), ("exp1", -1.0), ("erfinv", 1.5), ("norminv", -0.1), ("y0", -1.0)]
    for name, at in outside:
        x = Variable(np.array(at))
        y = F.FUNCTIONS[name].function(x)
        y.backward()
        assert math.isnan(float(y.data)) and math.isnan(float(x.grad)), name


WITHOUT_SCIPY = """
import sys
sys.modules["scipy"] = None
from dezero_cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def without_scipy(*words):
    command = [sys.executable, "-c", WITHOUT_SCIPY, *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_without_scipy_the_message_says_what_to_install():
    for text in ("jv(2, x)", "gamma(x)", "digamma(x)"):
        done = without_scipy("eval", text, "x=2.5")
        assert done.returncode == 2 and "python -m pip install scipy" in done.stderr
        assert done.stderr.count("\n") == 3 and "Traceback" not in done.stderr


def test_without_scipy_the_values_are_there():
    text = "erf(x) + erfc(x) + normcdf(x) + norminv(x) + gamma(x) + lgamma(x) + factorial(x)"
    done = without_scipy("eval", text, "x=0.5", "--no-grad", "--get", "value")
    half, one = mpf("0.5"), mpf("1.5")
    true = 1 + mpmath.ncdf(half) + mpmath.gamma(half) + log_gamma(half) + mpmath.gamma(one)
    assert float(done.stdout) == pytest.approx(float(true), rel=1e-14)
    done = without_scipy("eval", "erf(x) + normcdf(x)", "x=0.5", "--get", "grad.x")
    slope = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-half * half) + mpmath.npdf(half)
    assert float(done.stdout) == pytest.approx(float(slope), rel=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 30, 120])
def test_polygamma_far_left_of_0_is_that_of_its_poles(n):
    """Hurwitz's zeta function in 400 digits; SciPy's takes a term for each whole number."""
    draw = np.random.default_rng(n)
    places = [
        *(-20.1 - draw.uniform(0, 80, 30)),
        -33.5,
        -33.25,
        -50.75,
        -1e5 - 0.5,
        -(2.0**40) + 0.25,
    ]
    with mpmath.workdps(400):
        for x in map(float, places):
            exact = mpmath.mpf(x)
            whole = mpmath.floor(exact)
            if abs(x) < 1e6:
                terms = mpmath.zeta(n + 1, exact - whole)
                terms += mpmath.fsum((exact + k) ** -(n + 1) for k in range(int(-whole)))
            else:  # the terms that are left of this are less than a digit
                left = (-1) ** (n + 1) * mpmath.zeta(n + 1, 1 - exact + whole)
                terms = mpmath.zeta(n + 1, exact - whole) + left
            wanted = (-1) ** (n + 1) * mpmath.factorial(n) * terms
            got = float(special._polygamma(float(n), np.float64(x)))
            assert got == pytest.approx(float(wanted), rel=1e-13), x


def test_polygamma_far_left_of_0_has_its_poles_and_takes_every_order():
    assert np.isinf(special._polygamma(1.0, np.array([-25.0, -1e300, -np.inf]))).all()
    assert np.isnan(special._polygamma(1.5, np.array([-25.3]))).all()
    many = special._polygamma(np.array([0.0, 1.0, 2.0]), np.array([-30.3, -30.3, -1.3]))
    one = [special._polygamma(*each) for each in ((0.0, -30.3), (1.0, -30.3), (2.0, -1.3))]
    np.testing.assert_array_equal(many, one)
    signs = np.sign(special._polygamma(np.array([[200.0], [201.0]]), np.array([-25.3, -25.7])))
    np.testing.assert_array_equal(signs, [[1, -1], [1, 1]])

"""Derivatives of orders 1 to 4 over the whole range of numbers, against mpmath.

DEZERO_LAWS sets how many points each function is tried at (default: 100).  The noise of a
derivative is its own last digit and what the last digits of the inputs amount to.
"""

import math
import os
import random

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from dezero import Variable
from dezero import functions as F
from dezero.calculus import hessian
from tests.conftest import of_scipy

pytestmark = pytest.mark.unmeasured
"""Laws of every function, which other tests run as well."""


POINTS = int(os.environ.get("DEZERO_LAWS", "100"))
ORDERS = 4
LIMIT = 4.0
"""The worst error allowed, in units of the noise."""


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of overflow; here it is what is tested."""
    with np.errstate(all="ignore"), mpmath.workdps(60):
        yield


# ---------------------------------------------------------- the truth: Taylor series, term by term
def times(a, b):
    return [sum(a[i] * b[n - i] for i in range(n + 1)) for n in range(len(a))]


def over(a, b):
    quotient = []
    for n in range(len(a)):
        rest = sum(quotient[i] * b[n - i] for i in range(n))
        quotient.append((a[n] - rest) / b[0])
    return quotient


def raised(a, exponent):
    """The power of a series; of a negative number the odd root."""
    power = [mpmath.sign(a[0]) ** 3 * abs(a[0]) ** exponent]
    for n in range(1, len(a)):
        terms = ((exponent * i - (n - i)) * a[i] * power[n - i] for i in range(1, n + 1))
        power.append(sum(terms) / (n * a[0]))
    return power


def integrated(value, slope):
    return [value, *(c / n for n, c in enumerate(slope[:-1], 1))]


def plus(number, a):
    return [a[0] + number, *a[1:]]


def scaled(number, a):
    return [number * c for c in a]


def by_cycle(*values):
    """The series of a function from its value and its derivatives, which come round."""
    return lambda x: [values[n % len(values)](x[0]) / math.factorial(n) for n in range(len(x))]


def inverse(value, slope):
    return lambda x: integrated(value(x[0]), slope(x))


exp = by_cycle(mpmath.exp)
sine = by_cycle(mpmath.sin, mpmath.cos, lambda x: -mpmath.sin(x), lambda x: -mpmath.cos(x))
cosine = by_cycle(mpmath.cos, lambda x: -mpmath.sin(x), lambda x: -mpmath.cos(x), mpmath.sin)
cosh = by_cycle(mpmath.cosh, mpmath.sinh)
sinh = by_cycle(mpmath.sinh, mpmath.cosh)
one = lambda x: [mpf(1), *[mpf(0)] * (len(x) - 1)]  # noqa: E731
reciprocal = lambda x: over(one(x), x)  # noqa: E731
root = lambda x: raised(x, mpf("0.5"))  # noqa: E731
beyond = lambda x: plus(-1, times(x, x))  # noqa: E731, x*x - 1
round_ = lambda x: plus(1, times(x, x))  # noqa: E731, x*x + 1


def bell(x):
    """The derivative of the sigmoid function."""
    half = cosh_of(scaled(mpf("0.5"), x))
    return over(scaled(mpf("0.25"), one(x)), times(half, half))


def cosh_of(a):
    """cosh of a multiple of x."""
    return [c * a[1] ** n for n, c in enumerate(cosh(a))]


sigmoid = inverse(lambda x: 1 / (1 + mpmath.exp(-x)), bell)


def exp_of(a):
    """exp of a multiple of x."""
    factor = a[1]
    return [mpmath.exp(a[0]) * factor**n / math.factorial(n) for n in range(len(a))]


fading = inverse(lambda x: 1 / (1 + mpmath.exp(x)), lambda x: scaled(-1, bell(x)))


def size(x):
    return scaled(mpmath.sign(x[0]), x)


def secant_slope(x):
    return reciprocal(times(size(x), root(beyond(x))))


def sinc(a):
    """The derivatives of sin(z)/z, z a multiple of x, by its series or its recurrence."""
    z, factor = a[0], a[1]
    found = []
    for n in range(len(a)):
        if abs(z) > 20:
            last = n * found[-1] if n else 0
            found.append((mpmath.sin(z + n * mpmath.pi / 2) - last) / z)
        else:
            terms = (
                (-1) ** k * z ** (2 * k - n) / ((2 * k + 1) * math.factorial(2 * k - n))
                for k in range((n + 1) // 2, 60)
            )
            found.append(sum(terms))
    return [c * factor**n / math.factorial(n) for n, c in enumerate(found)]


def bells(sign, a):
    """The series of a function from its derivative, 2*sign*sqrt(a/pi)*exp(-a*x**2)."""

    def series(x):
        found = [mpf(1), -2 * a * x[0]]
        while len(found) < len(x) - 1:
            k = len(found) - 1
            found.append(-2 * a * (x[0] * found[k] + k * found[k - 1]))
        top = 2 * sign * mpmath.sqrt(a / mpmath.pi) * mpmath.exp(-a * x[0] ** 2)
        return [top * c / math.factorial(n + 1) for n, c in enumerate(found)]

    return series


def density(x):
    return [c * (n + 1) for n, c in enumerate(bells(mpf("0.5"), 0.5)([*x, mpf(0)]))]


def scaled_tail(x):
    """The series of exp(x**2)*erfc(x) by its recurrence, at as many digits as that loses."""
    at = x[0]
    with mpmath.workdps(60 + 4 * max(0, int(mpmath.log10(abs(at) + 1))) * len(x)):
        tail = mpmath.exp(at * at) * mpmath.erfc(at) if abs(at) < 1e8 else far_tail(at)
        found = [tail, 2 * at * tail - 2 / mpmath.sqrt(mpmath.pi)]
        while len(found) < len(x):
            n = len(found)
            found.append(2 * at * found[-1] + 2 * (n - 1) * found[-2])
        return [c / math.factorial(n) for n, c in enumerate(found)]


def far_tail(x):
    """The asymptotic series, which is as good as exact out there."""
    if x < 0:
        return mpf("inf")
    terms = [mpf(1)]
    for k in range(1, 200):
        terms.append(-terms[-1] * (2 * k - 1) / (2 * x * x))
    return mpmath.fsum(terms) / (x * mpmath.sqrt(mpmath.pi))


def quantile(x, slope, forward, start):
    """The series of an inverse: its value by Newton's method, its derivatives by reversion."""
    y = mpf(float(start(np.float64(float(x[0]))).data))
    for _ in range(6):
        y -= (forward(y) - x[0]) / slope([y, mpf(1)])[0]
    derivatives = slope([y, mpf(1), *[mpf(0)] * (len(x) - 2)])
    inner, found = [mpf(0)] * len(x), [y]
    for n in range(1, len(x)):  # dy/dx = 1/slope(y(x)), a coefficient at a time
        inner[0] = mpf(0)
        composed = [mpf(0)] * len(x)
        power = [mpf(1), *[mpf(0)] * (len(x) - 1)]
        for c in derivatives:
            composed = [a + c * b for a, b in zip(composed, power)]
            power = times(power, inner)
        found.append(over(one(x), composed)[n - 1] / n)
        inner[n] = found[n]
    return found


def erf_slope(x):
    """The Taylor series of erf' at x[0]."""
    return [c * (n + 1) for n, c in enumerate(bells(1, 1.0)([*x, mpf(0)]))]


def normal_slope(x):
    return density(x)


INFINITE = (-math.inf, math.inf)
BEYOND = (1, math.inf)
ONE = {
    "sqrt": (root, (0, math.inf)),
    "cbrt": (lambda x: raised(x, mpf(1) / 3), INFINITE),
    "exp": (exp, INFINITE),
    "exp2": (lambda x: exp_of(scaled(mpmath.log(2), x)), INFINITE),
    "expm1": (lambda x: [mpmath.expm1(x[0]), *exp(x)[1:]], INFINITE),
    "log": (inverse(mpmath.log, reciprocal), (0, math.inf)),
    "log2": (
        inverse(mpmath.log, lambda x: scaled(1 / mpmath.log(2), reciprocal(x))),
        (0, math.inf),
    ),
    "log10": (
        inverse(mpmath.log10, lambda x: scaled(1 / mpmath.log(10), reciprocal(x))),
        (0, math.inf),
    ),
    "log1p": (inverse(mpmath.log1p, lambda x: reciprocal(plus(1, x))), (-1, math.inf)),
    "sin": (sine, INFINITE),
    "cos": (cosine, INFINITE),
    "tan": (lambda x: over(sine(x), cosine(x)), INFINITE),
    "arcsin": (inverse(mpmath.asin, lambda x: reciprocal(root(scaled(-1, beyond(x))))), (-1, 1)),
    "arccos": (
        inverse(mpmath.acos, lambda x: scaled(-1, reciprocal(root(scaled(-1, beyond(x)))))),
        (-1, 1),
    ),
    "arctan": (inverse(mpmath.atan, lambda x: reciprocal(round_(x))), INFINITE),
    "sinh": (by_cycle(mpmath.sinh, mpmath.cosh), INFINITE),
    "cosh": (cosh, INFINITE),
    "tanh": (inverse(mpmath.tanh, lambda x: reciprocal(times(cosh(x), cosh(x)))), INFINITE),
    "arcsinh": (inverse(mpmath.asinh, lambda x: reciprocal(root(round_(x)))), INFINITE),
    "arccosh": (inverse(mpmath.acosh, lambda x: reciprocal(root(beyond(x)))), (1, math.inf)),
    "arctanh": (inverse(mpmath.atanh, lambda x: reciprocal(scaled(-1, beyond(x)))), (-1, 1)),
    "square": (lambda x: times(x, x), INFINITE),
    "exp10": (lambda x: exp_of(scaled(mpmath.log(10), x)), INFINITE),
    "sec": (lambda x: over(one(x), cosine(x)), INFINITE),
    "csc": (lambda x: over(one(x), sine(x)), INFINITE),
    "cot": (lambda x: over(cosine(x), sine(x)), INFINITE),
    "arcsec": (lambda x: inverse(mpmath.asec, secant_slope)(x), BEYOND),
    "arccsc": (lambda x: scaled(-1, inverse(mpmath.acsc, secant_slope)(x)), BEYOND),
    "arccot": (inverse(mpmath.acot, lambda x: scaled(-1, reciprocal(round_(x)))), INFINITE),
    "sech": (lambda x: reciprocal(cosh(x)), INFINITE),
    "csch": (lambda x: reciprocal(sinh(x)), INFINITE),
    "coth": (
        inverse(mpmath.coth, lambda x: scaled(-1, reciprocal(times(sinh(x), sinh(x))))),
        INFINITE,
    ),
    "arcsech": (
        inverse(
            mpmath.asech,
            lambda x: scaled(-1, reciprocal(times(x, root(scaled(-1, beyond(x)))))),
        ),
        (0, 1),
    ),
    "arccsch": (
        inverse(mpmath.acsch, lambda x: scaled(-1, reciprocal(times(size(x), root(round_(x)))))),
        INFINITE,
    ),
    "arccoth": (inverse(mpmath.acoth, lambda x: scaled(-1, reciprocal(beyond(x)))), BEYOND),
    "sinc": (lambda x: sinc(scaled(mpmath.pi, x)), (-1e307, 1e307)),
    "degrees": (lambda x: scaled(180 / mpmath.pi, x), INFINITE),
    "radians": (lambda x: scaled(mpmath.pi / 180, x), INFINITE),
    "erf": (lambda x: [mpf(0), *bells(1, 1.0)(x)], INFINITE),
    "erfc": (lambda x: [mpf(0), *bells(-1, 1.0)(x)], INFINITE),
    "normcdf": (lambda x: [mpf(0), *bells(mpf("0.5"), 0.5)(x)], INFINITE),
    "normpdf": (lambda x: density(x), INFINITE),
    "erfcx": (lambda x: scaled_tail(x), INFINITE),
    "erfinv": (lambda x: quantile(x, erf_slope, mpmath.erf, F.erfinv), (-1, 1)),
    "norminv": (lambda x: quantile(x, normal_slope, mpmath.ncdf, F.norminv), (0, 1)),
    "logit": (inverse(mpmath.log, lambda x: reciprocal(times(x, plus(1, scaled(-1, x))))), (0, 1)),
    "log_sigmoid": (inverse(mpmath.log, fading), INFINITE),
    "frac": (lambda x: [x[0], mpf(1), *[mpf(0)] * (len(x) - 2)], INFINITE),
    "abs": (lambda x: scaled(mpmath.sign(x[0]), x), INFINITE),
    "relu": (lambda x: x if x[0] > 0 else [mpf(0)] * len(x), INFINITE),
    "sigmoid": (sigmoid, INFINITE),
    "softplus": (inverse(lambda x: mpmath.log1p(mpmath.exp(x)), sigmoid), INFINITE),
    **dict.fromkeys(
        ("sign", "floor", "ceil", "trunc", "round", "isnan", "isinf", "isfinite"),
        (lambda x: [mpf(0)] * len(x), INFINITE),
    ),
}


# ------------------------------------------------- the same for two values: sums of products, exact
def round_terms(terms, wrt):
    """Differentiate a sum of c * a**i * b**j * r**k by a or b, where r is hypot(a, b)."""
    result = {}
    for powers, c in terms.items():
        lower, higher = list(powers), list(powers)
        lower[wrt] -= 1
        higher[wrt] += 1
        higher[2] -= 2
        for key, factor in ((tuple(lower), powers[wrt]), (tuple(higher), powers[2])):
            if factor:
                result[key] = result.get(key, 0) + c * factor
    return result


def round_value(terms, a, b):
    r = mpmath.sqrt(a * a + b * b)
    return sum((c * a**i * b**j * r**k for (i, j, k), c in terms.items()), mpf(0))


def power_terms(terms, wrt):
    """Differentiate a sum of c * y**p * x**(y - k) * log(x)**m by x or y."""
    result = {}
    for (p, k, m), c in terms.items():
        if wrt == 0:
            parts = (((p + 1, k + 1, m), 1), ((p, k + 1, m), -k), ((p, k + 1, m - 1), m))
        else:
            parts = (((p - 1, k, m), p), ((p, k, m + 1), 1))
        for key, factor in parts:
            if factor:
                result[key] = result.get(key, 0) + c * factor
    return result


def power_value(terms, x, y):
    log = mpmath.log(x)
    total = sum((c * y**p * x ** (-k) * log**m for (p, k, m), c in terms.items()), mpf(0))
    return total * mpmath.exp(y * log)


def xlogy_terms(terms, wrt):
    """Differentiate a sum of c * x**i * y**j * log(y)**k by x or y."""
    result = {}
    for (i, j, k), c in terms.items():
        parts = (((i, j - 1, k), j), ((i, j - 1, k - 1), k)) if wrt else (((i - 1, j, k), i),)
        for key, factor in parts:
            if factor:
                result[key] = result.get(key, 0) + c * factor
    return result


def xlogy_value(terms, x, y):
    log = mpmath.log(y)
    return sum((c * x**i * y**j * log**k for (i, j, k), c in terms.items()), mpf(0))


def share_terms(factor):
    """Differentiate a sum of c * s**i, where s is the sigmoid function of factor * (x - y)."""

    def differentiate(terms, wrt):
        result = {}
        for i, c in terms.items():
            for power, sign in ((i, 1), (i + 1, -1)):
                step = c * i * sign * (-1) ** wrt * factor()
                result[power] = result.get(power, 0) + step
        return result

    return differentiate


def share_value(factor):
    def value(terms, x, y):
        s = 1 / (1 + mpmath.exp(-factor() * (x - y)))
        return sum((c * s**i for i, c in terms.items()), mpf(0))

    return value


TWO = {
    "xlogy": ([{(0, 0, 1): 1}, {(1, -1, 0): 1}], xlogy_terms, xlogy_value),
    **{
        name: ([{1: 1}, {0: 1, 1: -1}], share_terms(factor), share_value(factor))
        for name, factor in (("logaddexp", lambda: mpf(1)), ("logaddexp2", lambda: mpmath.log(2)))
    },
    "hypot": ([{(1, 0, -1): 1}, {(0, 1, -1): 1}], round_terms, round_value),
    "arctan2": ([{(0, 1, -2): 1}, {(1, 0, -2): -1}], round_terms, round_value),
    "pow": ([{(1, 1, 0): 1}, {(0, 0, 1): 1}], power_terms, power_value),
}
CHOICES = {"minimum", "maximum", "where", "clip"}
"""Of these tests/engine/test_choices.py has the derivatives; they have none of their own."""
STEPS = {"mod", "fmod", "copysign", "heaviside"}
"""Of these tests/engine/test_steps.py has."""
SPECIAL = {name for name, known in F.FUNCTIONS.items() if of_scipy(known)}
"""Of these tests/engine/test_special.py has."""


def test_every_function_is_held():
    elementwise = {name for name, known in F.FUNCTIONS.items() if known.elementwise}
    assert ONE.keys() | TWO.keys() | CHOICES | STEPS | SPECIAL == elementwise


# --------------------------------------------------------------------------------------- the points
def magnitude(chance):
    """A number of any magnitude, from the smallest to the largest, of either sign."""
    kind = chance.random()
    if kind < 0.5:
        number = math.ldexp(chance.uniform(1, 2), chance.randint(-1074, 1023))
    elif kind < 0.8:
        number = 10 ** chance.uniform(-4, 4)
    else:
        number = chance.uniform(0, 1000)
    return chance.choice((-number, number))


def points(chance, low, high, count):
    """Numbers inside a domain, some of them close to its edges."""
    edges = [edge for edge in (low, high) if math.isfinite(edge) and edge]
    while count:
        x = magnitude(chance)
        if edges and chance.random() < 0.3:
            edge = chance.choice(edges)
            x = edge + math.copysign(
                2 ** -chance.uniform(1, 60), high - edge - (edge - low) or -edge
            )
        if low < x < high and x != 0:
            count -= 1
            yield x


def derivatives(function, at, path):
    """The derivatives along a path of places, one order after another."""
    variables = [Variable(np.array(x)) for x in at]
    y = function(*variables)
    found = []
    for place in path:
        y.backward(create_graph=True)
        y = variables[place].grad
        for x in variables:
            x.cleargrad()
        found.append(0.0 if y is None else float(y.data))
        if y is None or y.creator is None:
            found += [0.0] * (len(path) - len(found))
            break
    return found


LARGEST = mpf(float(np.finfo(float).max))


def error(got, true, noise):
    """The distance in units of the noise; beyond the range of numbers nothing is finite."""
    if abs(true) > LARGEST * (1 - mpf(2) ** -50):
        return 0.0 if math.isnan(got) or abs(got) > 1.7e308 else math.inf
    if not math.isfinite(got):
        return math.inf
    return float(abs(mpf(got) - true) / noise)


def digit(number):
    """What a rounding amounts to."""
    return max(abs(mpf(number)) * mpf(2) ** -52, mpf(5e-324))


def errors_of_one(name, count, seed=1):
    """(error, order, x, got, true) for every derivative."""
    truth, domain = ONE[name]
    function = F.FUNCTIONS[name].function
    for x in points(random.Random(seed), *domain, count):
        series = truth([mpf(x), mpf(1), *[mpf(0)] * ORDERS])
        true = [c * math.factorial(n) for n, c in enumerate(series)]
        got = derivatives(function, [x], [0] * ORDERS)
        for order in range(1, ORDERS + 1):
            noise = digit(true[order]) + abs(true[order + 1]) * digit(x)
            yield error(got[order - 1], true[order], noise), order, x, got[order - 1], true[order]


def errors_of_two(name, count, seed=1):
    """The same for derivatives by either value, in any order."""
    starts, differentiate, value = TWO[name]
    function = F.FUNCTIONS[name].function
    chance = random.Random(seed)
    while count:
        at = [magnitude(chance), magnitude(chance)]
        if chance.random() < 0.5:
            at[1] = at[0] * chance.uniform(-2, 2)
        if name == "xlogy":
            at[1] = abs(at[1])
        if name.startswith("logaddexp") and not abs(at[0] - at[1]) < 1500:
            continue
        if name == "pow":
            at[0] = abs(at[0])
            log = math.log(at[0]) or 1
            at[1] = chance.choice((at[1], chance.uniform(-3, 3), chance.uniform(-700, 700) / log))
            if not all(abs((at[1] - k) * log) < 700 for k in (0, ORDERS + 1)):
                continue
        if 0.0 in at or not all(map(math.isfinite, at)):
            continue
        count -= 1
        path = [chance.randint(0, 1) for _ in range(ORDERS)]
        got = derivatives(function, at, path)
        terms = starts[path[0]]
        with mpmath.workdps(800 if name != "pow" else 60):
            exact = [mpf(x) for x in at]
            for order in range(1, ORDERS + 1):
                true = value(terms, *exact)
                noise = digit(true) + sum(
                    abs(value(differentiate(terms, i), *exact)) * digit(at[i]) for i in (0, 1)
                )
                yield error(got[order - 1], true, noise), order, (*at, path), got[order - 1], true
                if order < ORDERS:
                    terms = differentiate(terms, path[order])


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_four_orders_over_the_whole_range(name):
    errors = errors_of_one if name in ONE else errors_of_two
    wrong = [found for found in errors(name, POINTS) if not found[0] <= LIMIT]
    assert wrong == []


def test_four_orders_of_literal_powers():
    """Exponents of which 1 is taken with a rounding, and others; 0.1 is its own float64."""
    chance = random.Random(1)
    wrong = []
    for _ in range(POINTS):
        x = abs(magnitude(chance))
        c = chance.choice((0.1, 1 / 3, -0.1, -1.7, 0.5, 2.7, 1e-20, chance.uniform(-3, 3)))
        if x == 0 or not all(abs((c - k) * math.log(x)) < 700 for k in (0, ORDERS + 1)):
            continue
        series = raised([mpf(x), mpf(1), *[mpf(0)] * ORDERS], mpf(c))
        got = derivatives(lambda x, c=c: x**c, [x], [0] * ORDERS)
        for order in range(1, ORDERS + 1):
            true, beyond = (series[n] * math.factorial(n) for n in (order, order + 1))
            far = error(got[order - 1], true, digit(true) + abs(beyond) * digit(x))
            if not far <= LIMIT:
                wrong.append((far, x, c, order, got[order - 1], true))
    assert wrong == []


def test_edges_of_literal_powers():
    for x, slope in ((0.0, math.inf), (-0.0, math.inf), (math.inf, 0.0)):
        for at in (x, np.array([x, 2.0])):
            assert np.ravel(derivative(lambda x: x**0.1, at))[0] == slope
    assert np.isnan(derivative(lambda x: x**0.1, -1.0))


def derivative(function, at):
    x = Variable(np.array(at))
    function(x).backward()
    return x.grad


SQUARED = {
    "hypot": lambda x, y: F.hypot(x, y) ** 2,
    "norm": lambda x, y: F.norm(x * np.array([1.0, 0.0]) + y * np.array([0.0, 1.0])) ** 2,
    "abs": lambda x, y: F.abs(x) ** 2 + y * y,
    "a product": lambda x, y: (lambda r: r * r)(F.hypot(x, y)),
}


@pytest.mark.parametrize("name", SQUARED)
@pytest.mark.parametrize("at", [(0.0, 0.0), (0.0, 2.0), (-3.0, 0.0), (1e-170, 1e-170), (0.3, -4.0)])
def test_the_square_of_a_length_has_its_bend_at_the_origin_too(name, at):
    outer = {
        "itself": (lambda u: u, lambda s: (1.0, 0.0)),
        "a multiple": (lambda u: -3 * u / 2, lambda s: (-1.5, 0.0)),
        "a bell": (lambda u: F.exp(-u), lambda s: (-math.exp(-s), math.exp(-s))),
        "a logarithm": (lambda u: F.log1p(u), lambda s: (1 / (1 + s), -1 / (1 + s) ** 2)),
    }
    x, y = at
    for function, slopes in outer.values():
        first, second = slopes(x * x + y * y)
        found = hessian(lambda x, y, f=function: f(SQUARED[name](x, y)))(x, y)
        true = [
            [2 * first + 4 * x * x * second, 4 * x * y * second],
            [4 * x * y * second, 2 * first + 4 * y * y * second],
        ]
        assert np.allclose(found, true, rtol=1e-13, atol=1e-15)

"""At an end of its domain a function has the slope that it tends to; outside it has none.

The right slopes at ends are mpmath's beside them, or known; of binomials they are differences of
mpmath's values.
"""

import mpmath
import numpy as np
import pytest

from dezero import functions as F
from dezero.calculus import grad
from dezero.programs.trace import trace
from tests.conftest import of_scipy

inf, nan = np.inf, np.nan


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of log(0); here it is what is tested."""
    with np.errstate(all="ignore"):
        yield


def slopes(name, values):
    """The value and the slopes by all that takes a gradient: of numbers, and of a program."""
    known = F.NAMES[name]
    if of_scipy(known):
        pytest.importorskip("scipy.special", reason="SciPy is not installed")
    function = known.form(len(values))
    held = len(known.orders) if len(values) > 1 else 0
    orders, free = values[:held], values[held:]

    def rest(*xs):
        return function(*orders, *xs)

    found = grad(rest)(*free)
    alone = [float(rest(*free).data), *map(float, found if isinstance(found, tuple) else (found,))]
    names = [f"x{i}" for i in range(len(free))]
    value, *columns = trace(rest, names).run({n: np.array([x]) for n, x in zip(names, free)})
    program = [float(value[0]), *(float(column[0]) for column in columns)]
    np.testing.assert_array_equal(program, alone)
    return alone


OUTSIDE = [
    *((f"norm{kind}", (0.5, 0.25, sd)) for kind in ("cdf", "pdf", "inv") for sd in (0.0, -1, nan)),
    *(("norminv", (p, 0.25, 2.0)) for p in (-0.5, 1.5, nan)),
    *((name, (a, x)) for name in ("gammainc", "gammaincc") for a, x in ((2.0, -2.0), (2.0, nan))),
    *(("gammainc", (-1.0, x)) for x in (0.0, 1.0, inf)),
    *(("polygamma", (n, 2.0)) for n in (-1.0, 0.5, nan)),
    *(("digamma", (x,)) for x in (-1.0, -3.0, -inf, nan)),
    ("polygamma", (0.0, -1.0)),
    *(("fmod", values) for values in ((5.0, 0.0), (inf, 2.0), (nan, 2.0), (5.0, nan))),
    *(("frac", (x,)) for x in (inf, -inf, nan)),
    *(("arcsech", (x,)) for x in (-1.0, 2.0, nan)),
]


@pytest.mark.parametrize(("name", "values"), OUTSIDE, ids=str)
def test_outside_its_domain_a_function_has_neither_value_nor_slope(name, values):
    assert np.isnan(slopes(name, values)).all()


ENDS = [
    ("norminv", (0.0,), -inf, inf),
    ("norminv", (1.0,), inf, inf),
    ("norminv", (0.0, 3.0, 2.0), -inf, inf),
    *(("yv", (v, 0.0), -inf, inf) for v in (0.0, 0.5, 1.0, 1.5, 2.0)),
    ("y0", (0.0,), -inf, inf),
    ("y1", (0.0,), -inf, inf),
    ("lambertw", (inf,), inf, 0.0),
    ("lambertw", (0.0,), 0.0, 1.0),
    ("arccsch", (0.0,), inf, -inf),
    ("arccsch", (-0.0,), -inf, -inf),
    ("arcsech", (0.0,), inf, -inf),
    ("arcsech", (1.0,), 0.0, -inf),
    ("fmod", (5.0, inf), 5.0, 1.0),
    ("frac", (-1.75,), -0.75, 1.0),
]


@pytest.mark.parametrize(("name", "values", "value", "slope"), ENDS, ids=str)
def test_at_an_end_a_function_has_the_slope_it_tends_to(name, values, value, slope):
    assert slopes(name, values)[:2] == [value, slope]


BINOMIALS = [(5, 7), (5, 6), (5, -1), (5, -3), (0, 1), (3.5, 5.5), (3.5, -2), (60, 75), (-0.5, 1.5)]


@pytest.mark.parametrize("values", BINOMIALS, ids=str)
def test_a_binomial_that_is_0_has_slopes(values):
    with mpmath.workdps(60):
        by = [mpmath.diff(mpmath.binomial, values, order) for order in ((1, 0), (0, 1))]
        expected = [0.0, *(float(slope) if abs(slope) > 1e-40 else 0.0 for slope in by)]
    assert slopes("binom", tuple(map(float, values))) == pytest.approx(expected, rel=1e-12)


def test_a_binomial_at_a_zero_by_hand():
    assert slopes("binom", (5.0, 7.0)) == pytest.approx([0.0, -1 / 42, 1 / 42], rel=1e-14)

"""What `math` and NumPy have, and where the language has it, or why not."""

import inspect
import math

import numpy as np
import pytest

from dezero import Variable
from dezero.functions import NAMES
from dezero.graph import UFUNCS

OPERATORS = "an operator of the language"
SEVERAL = "gives several results"
WHOLE = "of whole numbers only"
LOGIC = "and, or, not and comparisons are operators"
NO_NUMBER = "about the float64 itself, not the number"

MATH = {
    "dist": "norm(x - y)",
    "fsum": "sum",
    "sumprod": "dot",
    "fma": "x*y + z",
    "isclose": "a comparison: abs(x - y) < bound",
    "remainder": "NumPy's function of that name is another: mod and fmod are clear",
    "frexp": SEVERAL,
    "modf": "trunc and frac",
    "ldexp": "x*2**n",
    "nextafter": NO_NUMBER,
    "ulp": NO_NUMBER,
    **dict.fromkeys(("gcd", "lcm", "isqrt", "perm"), WHOLE),
}
"""Names of `math` that the language does not have, and why."""

UFUNC = {
    **dict.fromkeys("add subtract multiply divide negative positive".split(), OPERATORS),
    **dict.fromkeys("power float_power matmul floor_divide".split(), OPERATORS),
    **dict.fromkeys("reciprocal".split(), OPERATORS),
    **dict.fromkeys("less less_equal greater greater_equal equal not_equal".split(), LOGIC),
    **dict.fromkeys("logical_and logical_or logical_xor logical_not".split(), LOGIC),
    **dict.fromkeys("divmod frexp modf".split(), SEVERAL),
    **dict.fromkeys("nextafter spacing signbit".split(), NO_NUMBER),
    **dict.fromkeys("vecdot matvec vecmat".split(), "dot and @"),
    "absolute": "abs",
    "conjugate": "of complex numbers",
    "remainder": "mod",
    "ldexp": "x*2**n",
}
"""Ufuncs of float64 that the language does not have under that name, and why."""


def test_every_function_of_math_is_there_or_has_a_reason():
    missing = {
        name
        for name, function in vars(math).items()
        if not name.startswith("_") and callable(function) and name not in NAMES
    }
    assert missing <= MATH.keys()
    assert not {*MATH} & {*NAMES}


def float_ufuncs():
    """NumPy's ufuncs of float64, by name."""
    for name, ufunc in vars(np).items():
        if isinstance(ufunc, np.ufunc) and any("d" in kind for kind in ufunc.types):
            yield name, ufunc


def test_every_ufunc_of_numbers_is_there_or_has_a_reason():
    missing = {ufunc.__name__ for name, ufunc in float_ufuncs() if ufunc.__name__ not in NAMES}
    assert missing <= UFUNC.keys()


@pytest.mark.parametrize(
    "name", sorted({u.__name__ for _, u in float_ufuncs() if u.__name__ in NAMES})
)
def test_a_ufunc_of_variables_is_the_languages_function(name):
    ufunc = getattr(np, name)
    at = [0.375, 0.75][: ufunc.nin]
    variables = [Variable(np.array(x)) for x in at]
    with np.errstate(all="ignore"):
        got = NAMES[name].function(*variables)
        expected = ufunc(*at)
    np.testing.assert_allclose(got.data, expected, rtol=4e-16)
    if name not in ("fmin", "fmax", "fabs", "rint"):
        assert UFUNCS[ufunc] is NAMES[name].function


def test_names_of_math_mean_what_they_mean_there():
    chosen = {"gamma": 2.5, "lgamma": 2.5, "acosh": 1.5}
    pairs = {"atan2", "copysign", "fmod", "hypot", "pow", "comb", "prod"}
    for name, function in vars(math).items():
        if name not in NAMES or not callable(function) or name in pairs | {"factorial", "trunc"}:
            continue
        x = chosen.get(name, 0.375)
        if len(inspect.signature(NAMES[name].function).parameters) == 1 and name != "log":
            with np.errstate(all="ignore"):
                got = float(NAMES[name].function(Variable(np.array(x)).data).data)
            assert got == pytest.approx(float(function(x)), rel=1e-15), name

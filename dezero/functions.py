"""The functions of the language, a row each, and its constants.

The rules stand in files by subject: exponentials.py, trigonometry.py, hyperbolics.py, steps.py,
choices.py, arrays.py; here is what the language knows of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dezero.arithmetic import mod, pow, square
from dezero.arrays import (  # noqa: F401, all functions are reached through this module
    broadcast_to,
    dot,
    getitem,
    matmul,
    max,
    mean,
    min,
    norm,
    prod,
    reshape,
    sum,
    sum_to,
    swapaxes,
    transpose,
)
from dezero.choices import (  # noqa: F401
    abs,
    average,
    clip,
    distance,
    equal,
    greater,
    greater_equal,
    greatest,
    least,
    less,
    less_equal,
    maximum,
    minimum,
    not_equal,
    product,
    relu,
    total,
    where,
)
from dezero.exponentials import (
    cbrt,
    exp,
    exp2,
    exp10,
    expm1,
    log,
    log1p,
    log2,
    log10,
    log_sigmoid,
    log_to_base,
    logaddexp,
    logaddexp2,
    logit,
    sigmoid,
    softplus,
    sqrt,
    xlogy,
)
from dezero.hyperbolics import (
    arccosh,
    arccoth,
    arccsch,
    arcsech,
    arcsinh,
    arctanh,
    cosh,
    coth,
    csch,
    sech,
    sinh,
    tanh,
)
from dezero.names import CONSTANTS as CONSTANTS
from dezero.names import Known, c_alias
from dezero.steps import (
    ceil,
    copysign,
    floor,
    fmod,
    frac,
    heaviside,
    isfinite,
    isinf,
    isnan,
    round,
    round_to,
    sign,
    trunc,
)
from dezero.trigonometry import (
    arccos,
    arccot,
    arccsc,
    arcsec,
    arcsin,
    arctan,
    arctan2,
    cos,
    cot,
    csc,
    degrees,
    hypot,
    radians,
    sec,
    sin,
    sinc,
    tan,
)

_REDUCED = ("axis", "keepdims")

FUNCTIONS: dict[str, Known] = {
    known.name: known
    for known in (
        Known(sqrt, ("x",)),
        Known(cbrt, ("x",)),
        Known(square, ("x",), aliases=("sqr",)),
        Known(pow, ("x", "y")),
        Known(exp, ("x",)),
        Known(exp2, ("x",)),
        Known(exp10, ("x",)),
        Known(expm1, ("x",)),
        Known(log, ("x",), aliases=("ln",), others={2: log_to_base}),
        Known(log2, ("x",)),
        Known(log10, ("x",), aliases=("lg",)),
        Known(log1p, ("x",)),
        Known(xlogy, ("x", "y")),
        Known(sin, ("x",)),
        Known(cos, ("x",)),
        Known(tan, ("x",)),
        Known(sec, ("x",)),
        Known(csc, ("x",)),
        Known(cot, ("x",)),
        Known(arcsin, ("x",), aliases=c_alias(np.arcsin)),
        Known(arccos, ("x",), aliases=c_alias(np.arccos)),
        Known(arctan, ("x",), aliases=c_alias(np.arctan)),
        Known(arcsec, ("x",), aliases=("asec",)),
        Known(arccsc, ("x",), aliases=("acsc",)),
        Known(arccot, ("x",), aliases=("acot",)),
        Known(arctan2, ("y", "x"), aliases=c_alias(np.arctan2)),
        Known(hypot, ("x", "y"), several=distance),
        Known(sinc, ("x",)),
        Known(degrees, ("x",), aliases=("rad2deg",)),
        Known(radians, ("x",), aliases=("deg2rad",)),
        Known(sinh, ("x",)),
        Known(cosh, ("x",)),
        Known(tanh, ("x",)),
        Known(sech, ("x",)),
        Known(csch, ("x",)),
        Known(coth, ("x",)),
        Known(arcsinh, ("x",), aliases=c_alias(np.arcsinh)),
        Known(arccosh, ("x",), aliases=c_alias(np.arccosh)),
        Known(arctanh, ("x",), aliases=c_alias(np.arctanh)),
        Known(arcsech, ("x",), aliases=("asech",)),
        Known(arccsch, ("x",), aliases=("acsch",)),
        Known(arccoth, ("x",), aliases=("acoth",)),
        Known(abs, ("x",), aliases=c_alias(np.absolute)),
        Known(sign, ("x",), aliases=("sgn",)),
        Known(copysign, ("x", "y")),
        Known(floor, ("x",)),
        Known(ceil, ("x",), aliases=("ceiling",)),
        Known(trunc, ("x",), aliases=("int",)),
        Known(round, ("x",), aliases=("rint",), others={2: round_to}),
        Known(frac, ("x",)),
        Known(mod, ("x", "y")),
        Known(fmod, ("x", "y")),
        Known(heaviside, ("x", "y")),
        Known(isnan, ("x",)),
        Known(isinf, ("x",)),
        Known(isfinite, ("x",)),
        Known(minimum, ("x", "y"), aliases=("fmin",)),
        Known(maximum, ("x", "y"), aliases=("fmax",)),
        Known(where, ("condition", "x", "y")),
        Known(clip, ("x", "low", "high")),
        Known(relu, ("x",)),
        Known(sigmoid, ("x",), aliases=("expit",)),
        Known(logit, ("x",)),
        Known(softplus, ("x",)),
        Known(log_sigmoid, ("x",)),
        Known(logaddexp, ("x", "y")),
        Known(logaddexp2, ("x", "y")),
        Known(sum, ("x",), _REDUCED, elementwise=False, several=total),
        Known(mean, ("x",), _REDUCED, elementwise=False, several=average),
        Known(prod, ("x",), _REDUCED, elementwise=False, several=product),
        Known(min, ("x",), _REDUCED, elementwise=False, others={2: minimum}, several=least),
        Known(max, ("x",), _REDUCED, elementwise=False, others={2: maximum}, several=greatest),
        Known(dot, ("x", "y"), elementwise=False),
        Known(norm, ("x",), _REDUCED, elementwise=False),
        Known(transpose, ("x",), elementwise=False),
    )
}
"""The functions that an expression may call, by name: a row a function."""

NAMES: dict[str, Known] = FUNCTIONS | {
    alias: known for known in FUNCTIONS.values() for alias in known.aliases
}
"""The same by name or alias; a call with n values means ``NAMES[name].form(n)``."""

ELEMENTWISE: frozenset[Callable[..., Any]] = frozenset(
    function
    for known in FUNCTIONS.values()
    for function in (
        *([known.function] if known.elementwise else []),
        *known.others.values(),
        *([known.several] if known.several else []),
    )
)
"""What a call may mean that works element by element."""

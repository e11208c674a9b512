"""Degrees of freedom of a result, its coverage factor and its expanded uncertainty.

JCGM 100:2008, G.4: Welch and Satterthwaite's formula, in which inputs that are correlated, as the
means of readings taken together are, count as one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from dezero_cli.extras import require
from dezero_cli.faults import ValuesError
from dezero_cli.uncertainty.distributions import connected
from dezero_cli.uncertainty.inputs import Inputs


def effective(rotated: Sequence[np.ndarray], inputs: Inputs, sigmas: np.ndarray) -> np.ndarray:
    """The effective degrees of freedom of each number of the results; inf where none are finite.

    `rotated` are the parts of `first_order.rotated`.  Raises ValuesError for correlated inputs
    whose degrees of freedom differ, for which there is no formula.
    """
    sums: Any = np.zeros(len(sigmas))
    with np.errstate(all="ignore"):
        for group in _groups(inputs):
            squares = sum(np.square(rotated[i] / sigmas[:, np.newaxis]) for i in group)
            sums = sums + np.square(squares).sum(axis=1) / _freedom(inputs, group)
        return np.where(sigmas == 0, math.inf, 1.0 / sums)


def _groups(inputs: Inputs) -> list[list[int]]:
    """The inputs, those together that are correlated."""
    together = [] if inputs.matrix is None else connected(inputs.matrix)
    alone = set(range(len(inputs.names))).difference(*together)
    return [*together, *([i] for i in sorted(alone))]


def _freedom(inputs: Inputs, group: Sequence[int]) -> float:
    names = [inputs.names[i] for i in group]
    found = {name: inputs.freedom.get(name, math.inf) for name in names}
    if len(set(found.values())) > 1:
        shown = ", ".join(f"{name} {number:g}" for name, number in found.items())
        fault = "correlated inputs need the same degrees of freedom"
        raise ValuesError(f"--dof: {fault}: {shown}")
    return found[names[0]]


def coverage(freedom: float, level: float) -> float:
    """How many standard uncertainties hold a share of the results: Student's t, both sides.

    The degrees of freedom are cut to a whole number, as G.4 has it.  Raises MissingError without
    SciPy, which the quantiles of Student's t are from.
    """
    if math.isnan(freedom):
        return math.nan
    share = (1.0 + level) / 2
    if math.isinf(freedom):
        return NormalDist().inv_cdf(share)
    require("scipy")
    from scipy.special import stdtrit

    whole = max(math.floor(freedom * (1.0 + 1e-9)), 1)
    return float(stdtrit(whole, share))


def expanded(
    rotated: Sequence[np.ndarray], inputs: Inputs, sigmas: np.ndarray, level: float
) -> Mapping[str, np.ndarray]:
    """Under "dof", "coverage" and "expanded" a number for each number of the results."""
    freedom = effective(rotated, inputs, sigmas)
    factors = np.array([coverage(each, level) for each in freedom.tolist()])
    return {"dof": freedom, "coverage": factors, "expanded": factors * sigmas}

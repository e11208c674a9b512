"""Values without a least one, which fall along a way for ever, steeply or ever more slowly."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dezero_cli.solving import rescue
from dezero_cli.solving.conditions import Constraints
from dezero_cli.solving.free import Objective
from dezero_cli.solving.functions import Array

DOUBLINGS = 40
"""Doublings of the distance that count as for ever."""
TINY = 1e-280
"""A fall beneath which numbers end."""

WITHOUT_END = "the value goes on without end"
EVER_SLOWER = "the value goes on, ever more slowly: there is no best point"


def falls(value: Callable[[float], float]) -> str | None:
    """Whether a value falls at every doubling of a distance, and in which manner; None if not.

    It may end where numbers do: at minus infinity, or as close to its limit as they come.
    """
    before, steps = value(0.0), list[float]()
    for k in range(DOUBLINGS):
        f = value(2.0**k)
        if f == -math.inf:
            break
        step = before - f
        if not step > 0:
            if k > 3 and abs(step) <= max(TINY, 4e-16 * abs(before)):
                break
            return None
        steps.append(step)
        before = f
    return WITHOUT_END if len(steps) < 3 or steps[-1] > steps[1] else EVER_SLOWER


def along(objective: Objective, constraints: Constraints, x: Array, direction: Array) -> str | None:
    """Whether the value falls for ever from a point along a direction, on which conditions hold."""
    reach = float(np.abs(direction).max(initial=0.0))
    if not reach > 0 or not math.isfinite(reach):
        return None

    def value(t: float) -> float:
        y = constraints.clipped(x + t * direction)
        if constraints.own:
            y = rescue.restored(constraints, y)
        fair = not constraints.equal.size or constraints.violation(y) <= 1e-9
        return objective.value(y) if fair else math.nan

    with np.errstate(all="ignore"):
        return falls(value)


def either_way(
    objective: Objective, constraints: Constraints, x: Array, direction: Array
) -> str | None:
    """The same, or against the direction."""
    ways = (direction, -direction)
    return next(filter(None, (along(objective, constraints, x, way) for way in ways)), None)

"""A minimum or maximum of an expression, what acts there, and what it is by its Hessian."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.language.equations import Equation
from dezero_cli.language.expression import Expression
from dezero_cli.language.ranges import Limits
from dezero_cli.language.spelling import quoted
from dezero_cli.number_format import number_text
from dezero_cli.solving import constrained, endless, free
from dezero_cli.solving.conditions import Constraints
from dezero_cli.solving.constrained import FLAT, MAXIMUM, MINIMUM, SADDLE, Optimum
from dezero_cli.solving.free import MANY, Objective
from dezero_cli.solving.functions import Array, Functions, Layout

ENDLESS = 1e20
"""How far below the size of its terms at the start a value is taken to be without a least one."""


@dataclass
class OptimumTask:
    """What is to be minimised: `start` has the unknowns, `held` the values of all other names."""

    expression: Expression
    start: Mapping[str, Array]
    held: Mapping[str, Array]
    limits: Mapping[str, Limits] = field(default_factory=dict)
    constraints: Sequence[Equation] = ()
    maximize: bool = False
    starts: int = 1
    seed: int = 0


@dataclass
class Found:
    """Where a search ended; `gradient` is what is left of it beside the conditions that act."""

    value: float
    at: dict[str, Array]
    gradient: dict[str, Array]
    active: list[dict[str, Any]]
    kind: str
    converged: bool
    steps: int
    message: str
    better_start: int | None = None
    """Which of several starts found less than the one that was given, if one did."""


@np.errstate(all="ignore")
def optimum(task: OptimumTask) -> Found:
    """The optimum that a task asks for; the best of several starts.

    Raises ExpressionError for an operation that NumPy refuses, and ValuesError for an array.
    """
    layout = Layout(task.start)
    objective = Objective(
        Functions([task.expression], layout, task.held), -1.0 if task.maximize else 1.0
    )
    constraints = _constraints(task, layout)
    start = layout.packed(task.start)
    _check_value(task, objective, start)
    ends = [_end(objective, constraints, each) for each in _starts(task, constraints, start)]

    def rank(i: int) -> tuple[bool, float]:
        return not ends[i].converged, objective.value(ends[i].x)

    best = min(range(len(ends)), key=rank)
    found = _found(task, objective, constraints, ends[best])
    first, value = ends[0], objective.value(ends[best].x)
    margin = 1e-9 * max(abs(value), objective.scale * 1e-6, 1e-300)
    if best and (not first.converged or objective.value(first.x) > value + margin):
        found.better_start = best + 1
    return found


def _check_value(task: OptimumTask, objective: Objective, start: Array) -> None:
    """Refuse an array, and data without a number where they leave the value without one."""
    values = objective.functions.values(start)
    if values.size != 1:
        fault = f"one number is needed, and this is an array of {values.size}: sum(...) adds it up"
        raise ValuesError(fault)
    if not math.isnan(float(values[0])):
        return
    for name in task.expression.names:
        if name in task.held and np.isnan(task.held[name]).any():
            place = int(np.flatnonzero(np.isnan(np.ravel(task.held[name])))[0])
            fault = f"{quoted(name)} has no number in place {place + 1}: leave that row out"
            raise ValuesError(fault)


def _constraints(task: OptimumTask, layout: Layout) -> Constraints:
    """The constraints and the limits as conditions of the vector of unknowns."""
    functions = Functions([each.residual for each in task.constraints], layout, task.held)
    start = layout.packed(task.start)
    sizes = [
        Functions([each.residual], layout, task.held).values(start).size
        for each in task.constraints
    ]
    signs = [-1.0 if each.sign == "<=" else 1.0 for each in task.constraints]
    equal = [each.sign == "==" for each in task.constraints]
    ends = [task.limits.get(name, Limits(-math.inf, math.inf)) for name in layout.names]
    low = np.repeat([each.low for each in ends], layout.sizes)
    high = np.repeat([each.high for each in ends], layout.sizes)
    return Constraints(
        functions,
        np.repeat(signs, sizes),
        np.repeat(np.array(equal, bool), sizes),
        low,
        high,
    )


def _starts(task: OptimumTask, constraints: Constraints, start: Array) -> list[Array]:
    """The given start, then others drawn inside the limits, or around it where there are none."""
    found = [start]
    draw = np.random.default_rng(task.seed)
    low, high = constraints.low, constraints.high
    size = np.maximum(np.abs(start), 1.0)
    for _ in range(task.starts - 1):
        even, spread = draw.random(start.size), draw.standard_normal(start.size)
        x = start + 3 * size * spread
        x = np.where(np.isfinite(low), low + np.abs(x - low), x)
        x = np.where(np.isfinite(high) & ~np.isfinite(low), high - np.abs(x - high), x)
        inside = np.isfinite(low) & np.isfinite(high)
        between = np.where(inside, low, 0) + even * np.where(inside, high - low, 0)
        found.append(np.where(inside, between, x))
    return found


def _end(objective: Objective, constraints: Constraints, start: Array) -> Optimum:
    """Where a search from one start ends."""
    if constraints.equal.size:
        found = constrained.minimum(objective, constraints, start)
        return _with_an_end(objective, constraints, found, start)
    none = np.zeros(0)
    x, done = free.minimum(objective, start)
    for _ in range(0 if start.size > MANY else 5):
        kind, direction = constrained.verdict(objective, constraints, Optimum(x, none, done))
        if kind not in (SADDLE, MAXIMUM):
            break
        if without := endless.either_way(objective, constraints, x, direction):
            return Optimum(x, none, False, endless=without)
        size = max(float(np.abs(x).max()), 1.0)
        ends = [free.minimum(objective, x + size * s * direction) for s in (0.01, -0.01, 0.3, -0.3)]
        tried, good = min(ends, key=lambda end: (not end[1], objective.value(end[0])))
        if not good or objective.value(tried) >= objective.value(x):
            break
        x, done = tried, good
    return _with_an_end(objective, constraints, Optimum(x, none, done), start)


def _with_an_end(
    objective: Objective, constraints: Constraints, found: Optimum, start: Array
) -> Optimum:
    """The same, but not as an end where the value goes on falling, or the start is better."""
    if found.endless:
        return found
    steps = objective.steps
    value = objective.value(found.x)
    without = _how_it_falls(objective, constraints, found, start)
    if value < -ENDLESS * max(objective.scale, 1.0):
        without = endless.WITHOUT_END
    fair = not constraints.equal.size or constraints.violation(start) <= 1e-9
    worse = value - objective.value(start) > 1e-9 * max(abs(value), objective.scale)
    objective.steps = steps
    if without:
        return found._replace(converged=False, endless=without)
    return found._replace(converged=found.converged and not (fair and worse))


def _how_it_falls(
    objective: Objective, constraints: Constraints, found: Optimum, start: Array
) -> str | None:
    """How the value goes on falling from where a search ended, if it does."""
    if found.x.size > MANY or found.degenerate or constraints.violation(found.x) > 1e-9:
        return None
    moved = found.x - start
    ways = [(found.x, moved)]
    if found.converged:
        kind, direction = constrained.verdict(objective, constraints, found)
        if kind == MINIMUM:
            return None
        if kind != FLAT:
            return endless.either_way(objective, constraints, found.x, direction)
    if objective.gradient(found.x).any():
        ways.append((start, moved / 8))
    return next(filter(None, (endless.along(objective, constraints, *w) for w in ways)), None)


def _found(
    task: OptimumTask, objective: Objective, constraints: Constraints, end: Optimum
) -> Found:
    """What is told of the end of a search."""
    value = float(objective.functions.values(end.x)[0])
    left = objective.gradient(end.x)
    if end.multipliers.size:
        left = left - end.multipliers @ constraints.jacobian(end.x)
    kind = _kind(task, objective, constraints, end)
    layout = objective.functions.layout
    return Found(
        value,
        layout.unpacked(end.x),
        layout.unpacked(objective.sign * left),
        _active(task, constraints, end) if constraints.equal.size else [],
        kind,
        end.converged,
        objective.steps,
        _message(task, objective, constraints, end, kind, value),
    )


def _kind(task: OptimumTask, objective: Objective, constraints: Constraints, end: Optimum) -> str:
    if end.x.size > MANY * 5:
        return FLAT if not end.converged else (MAXIMUM if task.maximize else MINIMUM)
    if end.degenerate:
        return FLAT
    kind = constrained.verdict(objective, constraints, end)[0]
    turned = {MINIMUM: MAXIMUM, MAXIMUM: MINIMUM} if task.maximize else {}
    return turned.get(kind, kind)


def _message(
    task: OptimumTask,
    objective: Objective,
    constraints: Constraints,
    end: Optimum,
    kind: str,
    value: float,
) -> str:
    if end.degenerate:
        return "the constraints are degenerate there: they have no multipliers"
    if end.converged:
        ends = {FLAT: "the Hessian does not tell whether it is an optimum"}
        ends[SADDLE] = "the gradient is 0, but the value is curved both ways"
        wrong, way = (MINIMUM, "up") if objective.sign < 0 else (MAXIMUM, "down")
        ends[wrong] = f"the gradient is 0, but the value is curved {way} in all directions"
        return ends.get(kind, "found to the last digits")
    if objective.sign * value == -math.inf:
        return endless.WITHOUT_END
    if not math.isfinite(value):
        return f"the value is {number_text(value)} there: try another start"
    if constraints.violation(end.x) > 1e-9:
        return f"no point that meets the constraints was found: here {_missed(task, end.x)}"
    if end.endless:
        return end.endless
    return "the search did not come to an end: try another start, or --starts"


def _missed(task: OptimumTask, x: Array) -> str:
    """Which constraint is farthest from holding, and by how much."""
    layout = Layout(task.start)
    found = []
    for each in task.constraints:
        gaps = Functions([each.residual], layout, task.held).values(x)
        signed = {"<=": gaps, ">=": -gaps}.get(each.sign, np.abs(gaps))
        found.append((float(np.max(signed)), each.text))
    gap, text = max(found, key=lambda pair: (not math.isnan(pair[0]), pair[0]))
    return f"{text} is missed by {gap:.3g}"


def _active(task: OptimumTask, constraints: Constraints, end: Optimum) -> list[dict[str, Any]]:
    """The conditions that act, each with d value / d limit."""
    sign = -1.0 if task.maximize else 1.0
    found: list[dict[str, Any]] = []
    held = ~constraints.equal & (end.multipliers == 0)
    done = 0
    for each in task.constraints:
        size = _size(each, task, end.x)
        rows = slice(done, done + size)
        done += size
        if each.sign != "==" and held[rows].all():
            continue
        towards = sign * _towards(each, task)
        multipliers = towards * end.multipliers[rows]
        shown: Any = multipliers if size > 1 else float(multipliers[0])
        found.append({"st": each.text, "multiplier": shown})
    found += _active_bounds(task, constraints, end, sign)
    return found


def _size(each: Equation, task: OptimumTask, x: Array) -> int:
    layout = Layout(task.start)
    return Functions([each.residual], layout, task.held).values(x).size


def _towards(each: Equation, task: OptimumTask) -> float:
    """1 where raising the limit makes the condition harder to meet, -1 where easier.

    The limit is the side without unknowns, or else the right one.
    """

    def varies(side: Expression) -> bool:
        return any(name in task.start for name in side.names)

    on_the_left = varies(each.right) and not varies(each.left)
    return (-1.0 if each.sign == "<=" else 1.0) * (-1.0 if on_the_left else 1.0)


def _active_bounds(
    task: OptimumTask, constraints: Constraints, end: Optimum, sign: float
) -> list[dict[str, Any]]:
    layout = Layout(task.start)
    owners = np.repeat(np.arange(len(layout.names)), layout.sizes)
    found = []
    own = constraints.own
    sides = [(">=", 1.0, constraints.lower, constraints.low)]
    sides += [("<=", -1.0, constraints.upper, constraints.high)]
    for relation, towards, places, limits in sides:
        multipliers = np.zeros(layout.size)
        multipliers[places] = sign * towards * end.multipliers[own : own + len(places)]
        own += len(places)
        for i, name in enumerate(layout.names):
            mine = multipliers[owners == i].reshape(layout.shapes[name])
            if mine.any():
                limit = number_text(float(limits[owners == i][0]))
                shown: Any = mine if mine.ndim else float(mine)
                found.append({"st": f"{quoted(name)} {relation} {limit}", "multiplier": shown})
    return found

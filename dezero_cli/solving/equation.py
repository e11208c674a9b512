"""Equations to be solved: which search serves, and what is told of its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.language.expression import Expression
from dezero_cli.language.ranges import Limits
from dezero_cli.solving import every, roots, systems
from dezero_cli.solving.functions import Array, Functions, Layout
from dezero_cli.solving.roots import Residual, Root


@dataclass
class EquationTask:
    """Equations whose `residuals` are to be 0: `start` has the unknowns, `held` all other values.

    `brackets` are the ranges in which unknowns lie, if given.
    """

    residuals: Sequence[Expression]
    start: Mapping[str, Array]
    held: Mapping[str, Array]
    brackets: Mapping[str, Limits] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What the user should know of the search, beside its end."""


@dataclass
class Solved:
    """Where a search ended."""

    at: dict[str, Array]
    residual: float
    converged: bool
    steps: int
    message: str


@np.errstate(all="ignore")
def solve(task: EquationTask) -> Solved:
    """One solution.  Raises ValuesError for another number of equations than of unknowns."""
    layout = Layout(task.start)
    functions = Functions(task.residuals, layout, task.held)
    start = layout.packed(task.start)
    _check_count(functions, layout, start)
    name = layout.names[0]
    if layout.size == 1 and name in task.brackets:
        return _in_bracket(Residual(functions), layout, task.brackets[name])
    if layout.size == 1:
        return _from_start(functions, layout, start)
    return _told(layout, systems.solved(functions, start))


@np.errstate(all="ignore")
def solve_all(task: EquationTask) -> list[Solved]:
    """Every solution of one equation in the range of its one unknown, in order.

    Raises ValuesError for several equations, and for a curve that turns too often.
    """
    layout = Layout(task.start)
    functions = Functions(task.residuals, layout, task.held)
    _check_count(functions, layout, layout.packed(task.start))
    curve = Residual(functions)
    low, high = task.brackets[layout.names[0]]
    found = every.roots_between(curve, low, high)
    if not found.followed:
        task.notes.append(UNFOLLOWED)
    return [_of_root(layout, each, curve.steps) for each in found.roots]


def _check_count(functions: Functions, layout: Layout, start: Array) -> None:
    """Refuse another number of equations than of unknowns; an array is as many of them."""
    count = functions.values(start).size
    if count != layout.size:
        equations = f"{count} equation{'s' if count != 1 else ''}"
        unknowns = f"{layout.size} unknown{'s' if layout.size != 1 else ''}"
        raise ValuesError(f"{equations} for {unknowns} ({', '.join(layout.names)})")


def _in_bracket(curve: Residual, layout: Layout, bracket: Limits) -> Solved:
    """A root between two ends: where the signs are the same, any that the range has."""
    found = roots.bracketed(curve, *bracket)
    if found is None or not found.found:
        inside = every.roots_between(curve, *bracket).roots
        if inside:
            found = inside[0]
    if found is None:
        best = every.best_between(curve, *bracket)
        found = Root(best, abs(curve.value(best)), "none", curve.steps)
    return _of_root(layout, found, curve.steps)


UNFOLLOWED = "the curve turns more often than it was followed: roots may be missing"
FALLS_OFF = "no root: the difference falls off to 0, and is only too small for a number there"


def _of_root(layout: Layout, root: Root, steps: int) -> Solved:
    messages = {
        roots.ROOT: "solved",
        "none": "no root found in the range: this is the point with the least residual",
    }
    if root.residual == 0:
        messages["none"] = FALLS_OFF
    message = messages.get(root.kind, f"the sign changes across {root.kind}, which is not a root")
    at = layout.unpacked(np.array([root.x]))
    return Solved(at, root.residual, root.found, steps, message)


def _told(layout: Layout, found: systems.Solution) -> Solved:
    residual = float(np.abs(found.residual).max(initial=0))
    message = found.message if found.converged or residual else FALLS_OFF
    return Solved(layout.unpacked(found.x), residual, found.converged, found.steps, message)


def _from_start(functions: Functions, layout: Layout, start: Array) -> Solved:
    """A root of one equation from a start: the searches of systems, then brackets around it."""
    found = systems.solved(functions, start)
    if found.converged:
        return _told(layout, found)
    curve = Residual(functions)
    x = float(start[0])
    size = max(abs(x), 1e-3)
    for k in range(-8, 12):
        width = size * 2.0**k
        for low, high in ((x - width, x), (x, x + width)):
            root = roots.bracketed(curve, low, high)
            if root is not None and root.found:
                return _of_root(layout, root, found.steps + curve.steps)
    told = _told(layout, found)
    told.steps += curve.steps
    return told if math.isfinite(told.residual) else _told(layout, found)

"""What helps where the search under constraints fails: penalties; points without multipliers."""

from __future__ import annotations

import numpy as np

from dezero_cli import extras
from dezero_cli.solving import free
from dezero_cli.solving.conditions import LITTLE, Constraints
from dezero_cli.solving.free import Objective
from dezero_cli.solving.functions import EPSILON, Array

MOST_STEPS = 400
MOST_DESCENTS = 200
DEPENDENT = 1e-5
"""How near to 0 a sum of the conditions' gradients is for these to be dependent."""


class Missed(Objective):
    """Half the squares of what the conditions are missed by, times a weight."""

    def __init__(self, objective: Objective, constraints: Constraints, weight: float = 1.0) -> None:
        super().__init__(objective.functions, objective.sign)
        self.constraints = constraints
        self.weight = weight

    def value(self, x: Array) -> float:
        """The value, infinite outside of a domain."""
        self.steps += 1
        found = self.weight / 2 * float(np.sum(self._missed(x) ** 2))
        return found if np.isfinite(found) else np.inf

    def gradient(self, x: Array) -> Array:
        """Its gradient."""
        return np.asarray(self.weight * self._missed(x) @ self.constraints.jacobian(x))

    def hessian(self, x: Array) -> Array:
        """Its second derivatives."""
        missed, jacobian = self._missed(x), self.constraints.jacobian(x)
        rows = jacobian[missed != 0]
        curved = self.constraints.curvature(x, missed)
        return np.asarray(self.weight * (rows.T @ rows + curved))

    def noise(self, x: Array) -> float:
        """How far rounding may move the value."""
        return EPSILON * self.value(x)

    def _missed(self, x: Array) -> Array:
        c = self.constraints.values(x)
        return np.where(self.constraints.equal, c, np.minimum(c, 0))


class Penalised(Missed):
    """An objective to which these squares are added."""

    def value(self, x: Array) -> float:
        """The value with the penalties."""
        return Objective.value(self, x) + super().value(x)

    def gradient(self, x: Array) -> Array:
        """Its gradient."""
        return np.asarray(Objective.gradient(self, x) + super().gradient(x))

    def hessian(self, x: Array) -> Array:
        """Its second derivatives."""
        return np.asarray(Objective.hessian(self, x) + super().hessian(x))

    def noise(self, x: Array) -> float:
        """How far rounding may move the objective."""
        return Objective.noise(self, x)


def least_missed(objective: Objective, constraints: Constraints, starts: list[Array]) -> Array:
    """Where the conditions are missed by least, of the ends of searches from some points.

    One more begins a little beside the first, as the conditions may have no slope there.
    """
    size = np.maximum(np.abs(starts[0]), 1.0)
    beside = starts[0] + 0.1 * size * np.random.default_rng(0).standard_normal(size.size)
    ends = [constraints.clipped(start) for start in starts]
    for start in (*starts, beside):
        missed = Missed(objective, constraints)
        ends.append(constraints.clipped(free.minimum_near(missed, constraints.clipped(start))))
        objective.steps += missed.steps
    return min(ends, key=lambda x: (constraints.violation(x) > 1e-9, constraints.missed(x)))


def penalty_point(objective: Objective, constraints: Constraints, start: Array) -> Array:
    """Where the value with ever heavier penalties is least: a start that is nearly feasible."""
    x = start
    for weight in (1.0, 1e2, 1e4):
        penalised = Penalised(objective, constraints, weight)
        x = free.minimum_near(penalised, x)
        objective.steps += penalised.steps
    return constraints.clipped(x)


def restored(constraints: Constraints, x: Array) -> Array:
    """The point moved until every condition holds, where that is farther than rounding reaches.

    So it is where the conditions' gradients vanish or are opposed: there rounding lets a point be
    far outside.
    """
    first = _restoring_step(constraints, x)
    if not np.isfinite(first).all() or (np.abs(first) <= 1e-11 * np.maximum(np.abs(x), 1)).all():
        return x
    for _ in range(MOST_STEPS):
        step = _restoring_step(constraints, x)
        x = constraints.clipped(x + step)
        if (np.abs(step) <= 1e-16 * np.maximum(np.abs(x), LITTLE)).all():
            break
    return x


def _restoring_step(constraints: Constraints, x: Array) -> Array:
    c, jacobian = constraints.values(x), constraints.jacobian(x)
    rows = constraints.equal | (c <= 0)  # what is at its limit stays there
    if not (rows & (c != 0)).any() or not (np.isfinite(c).all() and np.isfinite(jacobian).all()):
        return np.zeros(x.size)
    rows[constraints.own :] = False  # bounds: what is at one is left there instead
    free = (x > constraints.low) & (x < constraints.high)
    matrix = jacobian[rows] * free
    size = np.linalg.norm(matrix, axis=1)
    unit = 1 / np.where(size > 0, size, 1.0)
    scaled = matrix * unit[:, np.newaxis]
    return np.asarray(np.linalg.lstsq(scaled, -c[rows] * unit, rcond=1e-15)[0])


def is_degenerate(constraints: Constraints, x: Array, start: Array) -> bool:
    """Whether the gradients of the conditions at their limits are dependent with the right signs.

    Then the point is one of Fritz John's, whatever is minimised, and there need be no multipliers.
    """
    jacobian = constraints.jacobian(x)
    near = constraints.equal | (constraints.values(x) <= 1e-10 * constraints.terms(x))
    size = np.linalg.norm(jacobian, axis=1)
    around = (start, start + np.maximum(np.abs(start), 1))
    before = np.max([np.linalg.norm(constraints.jacobian(y), axis=1) for y in around], axis=0)
    if not near.any() or not np.isfinite(jacobian).all():
        return False
    if (near & (size <= 1e-6 * before)).any():
        return True
    rows = jacobian[near] / size[near, np.newaxis]
    low = np.where(constraints.equal[near], -np.inf, 0.0)
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        if not others.any():
            continue
        found = extras.optimize().lsq_linear(rows[others].T, -rows[i], (low[others], np.inf))
        if np.linalg.norm(found.x @ rows[others] + rows[i]) <= DEPENDENT:
            return True
    return False


def descended(objective: Objective, constraints: Constraints, x: Array) -> Array:
    """The point moved along what the conditions leave, to first order, while the value falls.

    A linear program gives each step within a box, of which conditions whose gradients are dependent
    are no fault; then the point is restored.
    """
    size = np.maximum(np.abs(x), 1.0)
    radius, value = 0.1, objective.value(x)
    for _ in range(MOST_DESCENTS):
        step = _falling_step(objective, constraints, x, radius * size)
        moved = restored(constraints, constraints.clipped(x + step))
        fallen = value - objective.value(moved)
        if fallen > 1e-12 * objective.scale and constraints.violation(moved) <= 1e-12:
            x, value, radius = moved, value - fallen, min(2 * radius, 1.0)
        else:
            radius /= 4
        if radius < 1e-8:
            break
    return x


def _falling_step(objective: Objective, constraints: Constraints, x: Array, reach: Array) -> Array:
    """The step in a box along which the value falls most, with the conditions as planes."""
    g, c, jacobian = objective.gradient(x), constraints.values(x), constraints.jacobian(x)
    if not all(np.isfinite(each).all() for each in (g, c, jacobian)):
        return np.zeros(x.size)
    equal = constraints.equal
    found = extras.optimize().linprog(
        g,
        *(-jacobian[~equal], np.maximum(c[~equal], 0)),
        *((jacobian[equal], -c[equal]) if equal.any() else (None, None)),
        bounds=np.stack([-reach, reach], axis=1),
    )
    return np.zeros(x.size) if found.x is None else np.asarray(found.x)

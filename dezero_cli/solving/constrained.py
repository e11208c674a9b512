"""Minima under constraints: SLSQP, then Newton's method on the KKT system of the active set."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dezero_cli import extras
from dezero_cli.solving import endless, rescue
from dezero_cli.solving.conditions import LITTLE, Constraints
from dezero_cli.solving.free import Objective
from dezero_cli.solving.functions import EPSILON, Array

NEAR = 1e-6
"""How near to its limit a constraint may be acting, beside its terms."""
OPPOSED = 1e8
"""How many times larger than the gradient what acts may be that makes it up."""
ROUNDS = 40
VANISHING = 1e-18
"""A fall that counts as none, beside the terms of the value at the start."""


class Optimum(NamedTuple):
    """A point, the multiplier of each condition there, and whether it is a KKT point.

    Where the conditions are `degenerate`, there are no multipliers.
    """

    x: Array
    multipliers: Array
    converged: bool
    degenerate: bool = False
    endless: str = ""
    """How the value goes on falling, if it does."""


def minimum(objective: Objective, constraints: Constraints, start: Array) -> Optimum:
    """The constrained minimum that searches from `start` end at.

    From a saddle they go on in the direction in which the value is curved down.
    """
    found = _kkt_point(objective, constraints, start)
    for _ in range(5):
        kind, direction = verdict(objective, constraints, found)
        if not found.converged or found.degenerate or kind not in (SADDLE, MAXIMUM):
            break
        without = endless.either_way(objective, constraints, found.x, direction)
        if without:
            return found._replace(converged=False, endless=without)
        size = max(float(np.abs(found.x).max()), 1.0)
        steps = [_farthest(constraints, found.x, way * direction) * way for way in (1.0, -1.0)]
        steps += [size * step for step in (1e-2, -1e-2, 0.3, -0.3)]
        tried = [found.x + step * direction for step in steps]
        ends = [_kkt_point(objective, constraints, begin) for begin in tried]
        better = min(ends, key=lambda end: (not end.converged, objective.value(end.x)))
        if not better.converged or objective.value(better.x) >= objective.value(found.x):
            break
        found = better
    return found


MINIMUM, MAXIMUM, SADDLE, FLAT = "minimum", "maximum", "saddle", "flat"


def _farthest(constraints: Constraints, x: Array, direction: Array) -> float:
    """How far the conditions hold along a direction, up to many times the size of the point."""
    allowed = max(constraints.violation(x), 1e-9)
    near, far = 0.0, 10 * max(float(np.abs(x).max()), 1.0)
    if constraints.violation(x + far * direction) <= allowed:
        return far
    for _ in range(40):
        middle = (near + far) / 2
        if constraints.violation(x + middle * direction) <= allowed:
            near = middle
        else:
            far = middle
    return near


def verdict(objective: Objective, constraints: Constraints, found: Optimum) -> tuple[str, Array]:
    """What a KKT point is by the Hessian of the Lagrangian, and the direction of least curvature.

    Within what the conditions leave that hold the point (those with multipliers): a minimum where
    it is curved up in every direction, a saddle where it is curved down in one, else flat.  It is
    flat, too, where the curvature is that of a search that has not quite arrived: where it falls
    over the next step, as that of x**4 does.
    """
    jacobian = constraints.jacobian(found.x)
    holding = constraints.equal | (np.abs(found.multipliers) > 0)
    free = _null_space(jacobian[holding])

    def projected(x: Array) -> Array:
        hessian = objective.hessian(x) - constraints.curvature(x, found.multipliers)
        return np.asarray(free.T @ hessian @ free)

    hessian = projected(found.x)
    if not free.shape[1] or not np.isfinite(hessian).all():
        return MINIMUM, np.zeros(found.x.size)
    diagonal = np.sqrt(np.abs(np.diag(hessian)))
    unit = 1 / np.where(diagonal > 0, diagonal, float(diagonal.max()) or 1.0)
    curvatures, axes = np.linalg.eigh(hessian * np.outer(unit, unit))
    direction = free @ (unit * axes[:, 0])
    direction /= float(np.abs(direction).max()) or 1.0
    noise = SEEN * float(np.abs(curvatures).max())
    if curvatures[0] < -noise:
        return MAXIMUM if curvatures[-1] < -noise else SADDLE, direction
    if curvatures[0] <= noise:
        return FLAT, direction
    left = objective.gradient(found.x) - found.multipliers @ jacobian
    step = free @ np.linalg.solve(hessian, -free.T @ left)
    moved = np.linalg.eigvalsh(projected(found.x + step) * np.outer(unit, unit))
    return MINIMUM if moved[0] > curvatures[0] / 2 else FLAT, direction


SEEN = 1e-9
"""The least curvature that is told from none, beside the largest."""


def _null_space(jacobian: Array) -> Array:
    """An orthonormal basis of the directions along which no row of `jacobian` changes."""
    n = jacobian.shape[1]
    if not len(jacobian):
        return np.eye(n)
    sizes = np.linalg.norm(jacobian, axis=1)
    rows = jacobian[sizes > 0] / sizes[sizes > 0, np.newaxis]
    if not len(rows):
        return np.eye(n)
    _, values, axes = np.linalg.svd(rows)
    rank = int(np.sum(values > 1e-10 * values[0]))
    return np.asarray(axes[rank:].T)


def _kkt_point(objective: Objective, constraints: Constraints, start: Array) -> Optimum:
    """The point at which the gradient is made of those of what acts.

    Where the first search fails, others follow: in other units, from a point with penalties.
    """
    objective.scale = objective.noise(start) / EPSILON
    begin = constraints.clipped(start)
    best = _searched(objective, constraints, begin, False)
    others: Sequence[tuple[Callable[[], Array], bool]] = (
        (lambda: rescue.penalty_point(objective, constraints, begin), False),
        (lambda: best.x, False),
        (lambda: best.x, True),
        (lambda: begin, True),
    )
    for again, scaled in others:
        if best.converged:
            break
        found = _searched(objective, constraints, again(), scaled)
        best = _better(objective, constraints, best, found)
    if not best.converged and constraints.violation(best.x) > 1e-9:
        x = rescue.least_missed(objective, constraints, [begin, best.x])
        if constraints.violation(x) > 1e-9:
            return Optimum(x, np.zeros(len(constraints.equal)), False)
        best = _better(objective, constraints, best, _searched(objective, constraints, x, False))
    return _without_multipliers(objective, constraints, best, begin)


def _searched(
    objective: Objective, constraints: Constraints, start: Array, scaled: bool
) -> Optimum:
    return polished(objective, constraints, _slsqp(objective, constraints, start, scaled))


def _without_multipliers(
    objective: Objective, constraints: Constraints, found: Optimum, start: Array
) -> Optimum:
    """The same, unless the conditions are degenerate there: then a point at which all hold."""
    x = rescue.restored(constraints, found.x)
    if found.converged and x is found.x:
        return found
    if constraints.violation(x) > 1e-12 or not rescue.is_degenerate(constraints, x, start):
        return found
    lower = rescue.descended(objective, constraints, x)
    again = polished(objective, constraints, lower)
    if again.converged:
        return again
    return Optimum(lower, np.zeros(len(constraints.equal)), True, True)


def _better(
    objective: Objective, constraints: Constraints, one: Optimum, other: Optimum
) -> Optimum:
    """The better of two points: that which is a KKT point, holds, or has the lower value."""

    def rank(each: Optimum) -> tuple[bool, bool, float]:
        missed = constraints.violation(each.x)
        feasible = missed <= 1e-9
        return not each.converged, not feasible, objective.value(each.x) if feasible else missed

    return min(one, other, key=rank)


def _slsqp(objective: Objective, constraints: Constraints, start: Array, scaled: bool) -> Array:
    """Where SciPy's SLSQP ends; with `scaled`, the unknowns and the value have a size of one."""
    unit = np.maximum(np.abs(start), 1e-3) if scaled else np.ones(start.size)
    size = 1.0
    if scaled:
        g = objective.gradient(start) * unit
        size = float(np.abs(g).max(initial=0)) or 1.0
        size = size if math.isfinite(size) else 1.0
    own, equal = constraints.own, constraints.equal
    inequality = np.flatnonzero(~equal[:own])
    equality = np.flatnonzero(equal[:own])

    def part(kind: str, rows: Array) -> dict[str, object]:
        def fun(z: Array) -> Array:
            return np.asarray(constraints.values(z * unit)[rows])

        def jac(z: Array) -> Array:
            return np.asarray(np.nan_to_num(constraints.jacobian(z * unit)[rows] * unit))

        return {"type": kind, "fun": fun, "jac": jac}

    conditions = [part("eq", equality)] if equality.size else []
    conditions += [part("ineq", inequality)] if inequality.size else []
    bounds = list(zip(constraints.low / unit, constraints.high / unit, strict=True))
    with np.errstate(all="ignore"):
        try:
            found = extras.optimize().minimize(
                lambda z: objective.value(z * unit) / size,
                start / unit,
                jac=lambda z: np.nan_to_num(objective.gradient(z * unit) * unit / size),
                method="SLSQP",
                bounds=bounds,
                constraints=conditions,
                options={"ftol": 1e-14, "maxiter": 500},
            )
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return start
    x = np.asarray(found.x, np.float64) * unit
    return constraints.clipped(x) if np.isfinite(x).all() else start


# ------------------------------------------------------------------------------------- the polish
def polished(objective: Objective, constraints: Constraints, x: Array) -> Optimum:
    """The point to the last digits, by Newton's method on the KKT system of what acts there.

    What acts is guessed from the multipliers; a condition that is then not met is added, one
    whose multiplier gets the wrong sign is left out, until the set stands.
    """
    g, c, jacobian = objective.gradient(x), constraints.values(x), constraints.jacobian(x)
    if not all(np.isfinite(each).all() for each in (g, c, jacobian)):
        return Optimum(x, np.zeros(c.size), False)
    near = constraints.equal | (c <= NEAR * np.maximum(constraints.terms(x), 1.0))
    acting = near & (constraints.equal | (_multipliers(g, jacobian, near, constraints.equal) > 0))
    best = _judged(objective, constraints, x)
    seen: list[Array] = []
    while len(seen) < ROUNDS and not any((acting == each).all() for each in seen):
        seen.append(acting.copy())
        found, multipliers = _newton(objective, constraints, x, acting)
        inside = constraints.clipped(found)
        found = inside if np.abs(inside - found).max(initial=0.0) <= 1e-14 else found
        judged = _judged(objective, constraints, found)
        if judged.converged:
            return judged
        best = _better(objective, constraints, best, judged)
        c = constraints.values(found)
        missed = ~acting & (c < -1e-14 * np.maximum(constraints.terms(found), 1.0))
        wrong = acting & ~constraints.equal & (multipliers < 0)
        if missed.any():
            acting = acting | missed
        elif wrong.any():
            acting[np.argmin(np.where(wrong, multipliers, np.inf))] = False
        else:
            break
    return best


def _multipliers(g: Array, jacobian: Array, near: Array, equal: Array) -> Array:
    """The multipliers that explain the gradient best, with the right signs; 0 for what is far."""
    rows = np.flatnonzero(near)
    found = np.zeros(len(near))
    if not rows.size or not g.any():
        return found
    matrix = jacobian[rows].T
    units = np.linalg.norm(matrix, axis=0)
    units = np.where(units > 0, units, 1.0)
    low = np.where(equal[rows], -np.inf, 0.0)
    size = np.linalg.norm(g)
    answer = extras.optimize().lsq_linear(matrix / units, g / size, (low, np.inf), method="bvls")
    found[rows] = answer.x / units * size
    held = rows[equal[rows] | (found[rows] > 0)]
    refined = found[held] + _least_squares(jacobian[held].T, g - found @ jacobian)
    if (equal[held] | (refined > 0)).all():
        found[held] = refined
    found[(np.abs(found) * np.linalg.norm(jacobian, axis=1) < 1e-10 * size) & ~equal] = 0
    return found


def _newton(
    objective: Objective, constraints: Constraints, x: Array, acting: Array
) -> tuple[Array, Array]:
    """The point where the gradient is made of those of what acts, at its limits."""
    rows = np.flatnonzero(acting)
    n, multipliers = x.size, np.zeros(len(acting))
    best, least = x, math.inf
    since = 0
    for _ in range(60):
        g, c, jacobian = (
            objective.gradient(x),
            constraints.values(x)[rows],
            constraints.jacobian(x)[rows],
        )
        if not all(np.isfinite(each).all() for each in (g, c, jacobian)):
            break
        if least == math.inf:
            multipliers[rows] = _least_squares(jacobian.T, g)
        error = _kkt_error(objective, constraints, x, multipliers, rows)
        since = 0 if error < least / 2 else since + 1
        if error < least:
            best, least, kept = x, error, multipliers.copy()
        if error == 0 or since > 4:
            break
        hessian = objective.hessian(x) - constraints.curvature(x, multipliers)
        if not np.isfinite(hessian).all():
            break
        system = np.block([[hessian, -jacobian.T], [jacobian, np.zeros((len(rows), len(rows)))]])
        left = g - multipliers[rows] @ jacobian  # small in the end, and so are a step's errors
        step = _solved(system, np.concatenate([-left, -c]))
        x = constraints.at_bounds(x + step[:n], acting)
        multipliers[rows] += step[n:]
        if not np.isfinite(x).all():
            break
    return (best, kept) if least < math.inf else (best, multipliers)


def _least_squares(matrix: Array, b: Array) -> Array:
    """The shortest of the best solutions, in units that make the columns of one length."""
    units = np.linalg.norm(matrix, axis=0)
    units = np.where(units > 0, units, 1.0)
    return np.asarray(np.linalg.lstsq(matrix / units, b, rcond=1e-12)[0] / units)


def _solved(matrix: Array, b: Array) -> Array:
    """The solution of a symmetric system in balanced units; the shortest where it is singular."""
    unit = np.ones(len(b))
    for _ in range(3):
        size = np.sqrt(np.abs(matrix * np.outer(unit, unit)).max(axis=1))
        unit = unit / np.where(size > 0, size, 1.0)
    balanced, right = matrix * np.outer(unit, unit), b * unit
    try:
        if np.linalg.cond(balanced) < 1e13:
            return np.asarray(unit * np.linalg.solve(balanced, right))
    except np.linalg.LinAlgError:
        pass
    return np.asarray(unit * np.linalg.lstsq(balanced, right, rcond=1e-13)[0])


def _kkt_error(
    objective: Objective, constraints: Constraints, x: Array, multipliers: Array, rows: Array
) -> float:
    """How far the KKT conditions are from holding, beside their terms."""
    g, jacobian, c = (
        objective.gradient(x),
        constraints.jacobian(x)[rows],
        constraints.values(x)[rows],
    )
    pushed = jacobian * multipliers[rows, np.newaxis]
    hessian = objective.hessian(x) - constraints.curvature(x, multipliers)
    terms = np.abs(g) + np.abs(pushed).sum(axis=0) + np.abs(hessian) @ np.abs(x)
    left = np.abs(g - pushed.sum(axis=0))
    missed = np.abs(c) / constraints.terms(x)[rows]
    size = max(float(np.max(terms, initial=0)), 1e-300)
    return float(np.max(left, initial=0)) / size + float(np.max(missed, initial=0))


def _judged(objective: Objective, constraints: Constraints, x: Array) -> Optimum:
    """Whether a point is a KKT point: feasible, and its gradient is made of what acts."""
    g, c, jacobian = objective.gradient(x), constraints.values(x), constraints.jacobian(x)
    if not all(np.isfinite(each).all() for each in (g, c, jacobian)):
        return Optimum(x, np.zeros(c.size), False)
    near = constraints.equal | (c <= 1e-11 * constraints.terms(x))
    multipliers = _multipliers(g, jacobian, near, constraints.equal)
    left = np.abs(g - multipliers @ jacobian)
    sizes = np.abs(g) + np.abs(multipliers[:, np.newaxis] * jacobian).sum(axis=0)
    hessian = objective.hessian(x) - constraints.curvature(x, multipliers)
    units = np.maximum(np.abs(x), 1.0)  # far out, what is left of a slope goes a long way
    largest = np.minimum(sizes.max(initial=0), (sizes * units).max(initial=0) / units)
    allowed = 1e-9 * np.maximum(largest, 1e-300) + 1e-11 * np.abs(hessian) @ np.abs(x)
    allowed += VANISHING * objective.scale / np.maximum(np.abs(x), LITTLE)
    pushed = float(np.abs(multipliers[:, np.newaxis] * jacobian).max(initial=0))
    opposed = pushed > OPPOSED * float(np.abs(g).max(initial=0))  # nothing but rounding is left
    good = bool((left <= allowed).all()) and constraints.violation(x) <= 1e-12 and not opposed
    return Optimum(x, multipliers, good)

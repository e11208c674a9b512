"""Minima under constraints: SLSQP, then Newton's method on the KKT system of the active set."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dezero_cli import extras
from dezero_cli.solving.free import Objective
from dezero_cli.solving.functions import EPSILON, Array, Functions

NEAR = 1e-6
"""How near to its limit a constraint may be acting, beside its terms."""
ROUNDS = 40
LITTLE = 1e-8
VANISHING = 1e-18
"""A fall that counts as none, beside the terms of the value at the start."""


class Constraints:
    """Conditions c(x) = 0 (`equal`) or c(x) >= 0, bounds of the unknowns among them, last.

    Each condition is a value of `functions` times a sign.
    """

    def __init__(
        self, functions: Functions, signs: Array, equal: Array, low: Array, high: Array
    ) -> None:
        self.functions = functions
        self.signs = signs
        self.low, self.high = low, high
        self.lower = np.flatnonzero(np.isfinite(low))
        self.upper = np.flatnonzero(np.isfinite(high))
        bounds = len(self.lower) + len(self.upper)
        self.equal = np.concatenate([equal, np.zeros(bounds, bool)])
        self.own = len(signs)

    def values(self, x: Array) -> Array:
        """How far each condition is from its limit; less than 0 where it does not hold."""
        own = self.signs * self.functions.values(x)
        below = x[self.lower] - self.low[self.lower]
        above = self.high[self.upper] - x[self.upper]
        return np.concatenate([own, below, above])

    def jacobian(self, x: Array) -> Array:
        """The derivatives of the conditions, a row each."""
        unit = np.eye(x.size)
        own = self.signs[:, np.newaxis] * self.functions.jacobian(x)
        return np.concatenate([own, unit[self.lower], -unit[self.upper]])

    def curvature(self, x: Array, multipliers: Array) -> Array:
        """The second derivatives of the conditions' sum, each times its multiplier."""
        weights = self.signs * multipliers[: self.own]
        return self.functions.curvature(x, weights)

    def terms(self, x: Array) -> Array:
        """The size of what each condition is a difference of, and a little where that is 0."""
        own = self.functions.noise(x) / EPSILON
        own = np.where(np.isfinite(own), own, 1.0)
        below = np.maximum(np.abs(x[self.lower]), np.abs(self.low[self.lower]))
        above = np.maximum(np.abs(x[self.upper]), np.abs(self.high[self.upper]))
        return np.asarray(np.maximum(np.concatenate([own, below, above]), LITTLE))

    def at_bounds(self, x: Array, acting: Array) -> Array:
        """The point with the unknowns whose bounds act at these, whatever rounding did."""
        below, above = np.split(acting[self.own :], [len(self.lower)])
        x = x.copy()
        x[self.lower[below]] = self.low[self.lower[below]]
        x[self.upper[above]] = self.high[self.upper[above]]
        return x

    def clipped(self, x: Array) -> Array:
        """The point between its bounds that is nearest."""
        return np.asarray(np.clip(x, self.low, self.high))

    def violation(self, x: Array) -> float:
        """How far the worst condition is from holding, beside its terms where these are large."""
        c = self.values(x)
        missed = np.where(self.equal, np.abs(c), np.maximum(-c, 0))
        if not missed.size:
            return 0.0
        found = float(np.max(missed / np.maximum(self.terms(x), 1.0)))
        return found if math.isfinite(found) else math.inf


class Optimum(NamedTuple):
    """matrix point, the multiplier of each condition there, and whether it is a KKT point."""

    x: Array
    multipliers: Array
    converged: bool


def minimum(objective: Objective, constraints: Constraints, start: Array) -> Optimum:
    """The constrained minimum that searches from `start` end at.

    From a saddle they go on in the direction in which the value is curved down.
    """
    found = _kkt_point(objective, constraints, start)
    for _ in range(5):
        kind, direction = verdict(objective, constraints, found)
        if not found.converged or kind != SADDLE:
            break
        size = max(float(np.abs(found.x).max()), 1.0)
        tried = [found.x + size * step * direction for step in (1e-2, -1e-2, 0.3, -0.3)]
        ends = [_kkt_point(objective, constraints, begin) for begin in tried]
        better = min(ends, key=lambda end: (not end.converged, objective.value(end.x)))
        if not better.converged or objective.value(better.x) >= objective.value(found.x):
            break
        found = better
    return found


MINIMUM, SADDLE, FLAT = "minimum", "saddle", "flat"


def verdict(objective: Objective, constraints: Constraints, found: Optimum) -> tuple[str, Array]:
    """What a KKT point is by the Hessian of the Lagrangian, and the direction of least curvature.

    Within what the conditions leave that hold the point (those with multipliers): a minimum where
    it is curved up in every direction, a saddle where it is curved down in one, else flat.
    """
    jacobian = constraints.jacobian(found.x)
    holding = constraints.equal | (np.abs(found.multipliers) > 0)
    free = _null_space(jacobian[holding])
    hessian = objective.hessian(found.x) - constraints.curvature(found.x, found.multipliers)
    if not free.shape[1] or not np.isfinite(hessian).all():
        return MINIMUM, np.zeros(found.x.size)
    projected = free.T @ hessian @ free
    diagonal = np.sqrt(np.abs(np.diag(projected)))
    largest = float(diagonal.max())
    unit = 1 / np.where(diagonal > 1e-8 * largest, diagonal, largest or 1.0)
    curvatures, axes = np.linalg.eigh(projected * np.outer(unit, unit))
    direction = free @ (unit * axes[:, 0])
    direction /= float(np.abs(direction).max()) or 1.0
    noise = SEEN * max(float(np.abs(curvatures).max()), 0.0)
    if curvatures[0] > noise:
        return MINIMUM, direction
    return SADDLE if curvatures[0] < -noise else FLAT, direction


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
    """The point at which the gradient is made of those of what acts."""
    best: Optimum | None = None
    objective.scale = objective.noise(start) / EPSILON
    begin = constraints.clipped(start)
    for scaled in (False, True):
        for _ in range(2):
            x = _slsqp(objective, constraints, begin, scaled)
            found = polished(objective, constraints, x)
            best = found if best is None else _better(objective, constraints, best, found)
            if best.converged:
                return best
            begin = best.x
        begin = constraints.clipped(start)
    assert best is not None
    return best


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
        step = _solved(system, np.concatenate([-g, -c]))
        x = constraints.at_bounds(x + step[:n], acting)
        multipliers = np.zeros(len(acting))
        multipliers[rows] = step[n:]
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
    allowed = 1e-9 * max(float(sizes.max(initial=0)), 1e-300) + 1e-11 * np.abs(hessian) @ np.abs(x)
    allowed += VANISHING * objective.scale / np.maximum(np.abs(x), LITTLE)
    good = bool((left <= allowed).all()) and constraints.violation(x) <= 1e-12
    return Optimum(x, multipliers, good)

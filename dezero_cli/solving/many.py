"""Fits of many small groups of rows at once: the parameters of each group are columns too.

One run of machine code serves all groups.  What is not found to the last digits here, with a
minimum inside the limits and parameters well apart, is left to the search of single fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from dezero.programs.trace import Program
from dezero_cli.solving.fit import FitTask, Fitted
from dezero_cli.solving.least import CONVERGED, EPSILON, LINEAR
from dezero_cli.solving.rows import Array, Block, RowModel
from dezero_cli.solving.worth import student

STEPS = 40
"""Steps after which a group is left to the search of single fits."""

NEARLY = 1e-7
"""What a step may leave to do, beside the residuals, before it is taken in longer numbers."""

APART = float(np.sqrt(np.finfo(np.longdouble).eps / 1e-12))
"""How far apart columns of length 1 must be for their products to keep twelve digits."""


@dataclass
class _Part:
    """Rows of some groups, one behind the other, and how many each has."""

    block: Block
    counts: Array

    def only(self, groups: Array) -> _Part:
        """The rows of the groups that are chosen."""
        if groups.all():
            return self
        rows = np.repeat(groups, self.counts)
        return _Part({n: x[rows] for n, x in self.block.items()}, self.counts[groups])

    def sums(self, rows: Array) -> Array:
        """The sum over the rows of each group."""
        starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        return np.asarray(np.add.reduceat(rows, starts, axis=-1))


class _Products(NamedTuple):
    """J'J, J'e and e'e of each group, the groups along the last axis."""

    matrix: Array
    gradient: Array
    squares: Array


class _Ends(NamedTuple):
    """Of each group: a point, steps, whether it is near a minimum, the sum of squares there."""

    points: Array
    steps: Array
    near: Array
    squares: Array


ALIKE = 1e-9
"""What sums of squares differ by, beside themselves, if they are of the same minimum."""


def _better(ends: list[_Ends]) -> tuple[Array, Array, Array]:
    """Points, steps, and for which groups every search came near a minimum; the first if alike."""
    best = ends[0]
    for other in ends[1:]:
        less = other.squares < best.squares * (1 - ALIKE)
        best = _Ends(
            np.where(less, other.points, best.points),
            best.steps + other.steps,
            best.near & other.near,
            np.where(less, other.squares, best.squares),
        )
    return best[:3]


class ManyFits:
    """Fits of one model, each begun at all of `begins`: the best end counts."""

    def __init__(self, task: FitTask, model: RowModel, begins: list[Array]) -> None:
        self.task, self.model, self.begins = task, model, begins
        self.message = LINEAR if model.is_linear(model.params) else CONVERGED
        ends = [task.limits.get(name) for name in task.params]
        self.low = np.array([[-np.inf if each is None else each.low] for each in ends])
        self.high = np.array([[np.inf if each is None else each.high] for each in ends])

    def fitted(self, block: Block, counts: Array) -> tuple[Array, Fitted | None]:
        """The numbers of the groups that do not need a search of their own, and their fits.

        The rows of `block` are those of the first group, `counts[0]` of them, then of the next.
        """
        known = np.isfinite(self.begins).all() and self.task.robust is None
        good = (counts > len(self.task.params)) & bool(known and self.task.starts == 1)
        chosen = np.flatnonzero(good)
        if not chosen.size:
            return chosen, None
        with np.errstate(all="ignore"):
            part = _Part(block, counts).only(good)
            points, steps, near = _better([self._searched(part, each) for each in self.begins])
            if not near.any():
                return chosen[near], None
            good, found = self._ended(part.only(near), points[:, near], steps[near])
        return chosen[near][good], found

    # -------------------------------------------------------------------------------------------
    def _values(self, program: Program, part: _Part, points: Array) -> Array:
        return self.model.values(program, part.block, np.repeat(points, part.counts, axis=1))

    def _products(self, part: _Part, points: Array, longer: bool = False) -> _Products:
        found = None
        if longer:
            at = np.repeat(points, part.counts, axis=1)
            found = self.model.extended(self.model.first, part.block, at)
        if found is None:
            found = self._values(self.model.first, part, points)
        e, jacobian = found[0], found[1:]
        width = len(jacobian)
        matrix = np.empty((width, width, len(part.counts)), found.dtype)
        for i in range(width):
            matrix[i, i:] = matrix[i:, i] = part.sums(jacobian[i:] * jacobian[i])
        return _Products(matrix, part.sums(jacobian * e), part.sums(e * e))

    def _curved(self, part: _Part, points: Array, products: _Products) -> Array:
        """J'J and what the second derivatives add to it, as float64."""
        matrix = np.array(products.matrix, np.float64)
        if self.model.is_linear(self.model.params):
            return matrix
        e = self._values(self.model.first, part, points)[0]
        second = part.sums(self._values(self.model.second, part, points) * e)
        pairs = combinations_with_replacement(range(len(points)), 2)
        for (i, j), more in zip(pairs, second, strict=True):
            matrix[i, j] += more
            if i != j:
                matrix[j, i] += more
        return matrix

    def _scale(self, part: _Part, points: Array) -> tuple[Array, Array, Array]:
        """LEFT and its weight in each row, and the norm of LEFT in units of its errors."""
        left, *_, unit = self._values(self.model.sides, part, points)
        weight = 1 / np.square(unit)
        return left, weight, np.sqrt(part.sums(weight * left * left))

    def _searched(self, part: _Part, begin: Array) -> _Ends:
        """Where the search of each group leads from `begin`.

        Newton's method, and where that does not go down Gauss's with Marquardt's damping.
        """
        groups = len(part.counts)
        points = np.repeat(begin[:, None], groups, axis=1)
        damping, steps = np.zeros(groups), np.zeros(groups, int)
        near, active = np.zeros(groups, bool), np.arange(groups)
        squares = np.full(groups, np.inf)
        tiny = 1e3 * EPSILON * self._scale(part, points)[2]
        now = self._products(part, points)
        for _ in range(STEPS):
            at, damped = points[:, active], damping[active]
            move, left = self._step(part, at, now, damped)
            tried = at + move
            inside = ((tried > self.low) & (tried < self.high)).all(axis=0)
            new = self._products(part, np.where(inside, tried, at))
            close = left <= np.maximum(NEARLY * np.sqrt(now.squares), tiny[active])
            enough = close & (damped == 0)
            better = inside & ((new.squares < now.squares) | (enough & np.isfinite(new.squares)))
            points[:, active] = np.where(better, tried, at)
            now = _Products(*(np.where(better, a, b) for a, b in zip(new, now, strict=True)))
            squares[active] = now.squares
            milder = np.where(damped > 1e-6, damped / 10, 0)
            milder = np.where(close, 0, milder)  # no sum is less there: Newton's step decides
            damping[active] = np.where(better | close, milder, np.maximum(10 * damped, 1e-3))
            steps[active] += 1
            near[active] = done = better & enough
            kept = ~done & (damping[active] < 1e8)
            if not kept.any():
                break
            part, active = part.only(kept), active[kept]
            now = _Products(*(each[..., kept] for each in now))
        return _Ends(points, steps, near, squares)

    def _step(
        self, part: _Part, points: Array, now: _Products, damping: Array
    ) -> tuple[Array, Array]:
        """A step for each group, and its norm in units of the residuals; nan is no step."""
        matrix = np.array(now.matrix)
        plain = damping == 0
        if plain.any():
            curved = self._curved(part, points, now)
            matrix = np.where(plain, curved, matrix)
        unit = np.sqrt(np.einsum("iig->ig", now.matrix))
        matrix = matrix / (unit[:, None] * unit[None])
        for i in range(len(unit)):
            matrix[i, i] += damping
        factor = _cholesky(matrix)
        pushed = _forward(factor, now.gradient / unit)
        return -_backward(factor, pushed) / unit, np.sqrt(np.sum(np.square(pushed), axis=0))

    # -------------------------------------------------------------------------------------------
    def _ended(self, part: _Part, points: Array, steps: Array) -> tuple[Array, Fitted]:
        """Which fits end here, and those, from points near them, by a step in longer numbers."""
        zero = np.zeros(len(part.counts))
        move, _ = self._step(part, points, self._products(part, points, True), zero)
        points = np.asarray(points + move, np.float64)
        end = self._products(part, points, True)
        _, left = self._step(part, points, end, zero)
        y, weight, scale = self._scale(part, points)
        unit = np.sqrt(np.einsum("iig->ig", end.matrix))
        factor = _cholesky(end.matrix / (unit[:, None] * unit[None]))
        size = np.sqrt(end.squares)
        good = left <= np.maximum(NEARLY * size, 64 * EPSILON * scale)
        good &= ((points > self.low) & (points < self.high)).all(axis=0)
        good &= np.einsum("iig->ig", factor).min(axis=0) > APART
        good &= ~((np.abs(points) * unit < 2 * EPSILON * scale) & (points != 0)).any(axis=0)
        total = part.sums(weight)
        mean = part.sums(weight * y) / total
        centred = part.sums(weight * np.square(y - np.repeat(mean, part.counts)))
        inverse = _inverse(factor) / (unit[:, None] * unit[None])
        totals = np.stack([np.asarray(end.squares, np.float64), centred, np.square(scale)])
        columns = part.counts, points, inverse, totals, steps + 1
        return good, self._told(*(column[..., good] for column in columns))

    def _told(
        self, counts: Array, points: Array, inverse: Array, sums: Array, steps: Array
    ) -> Fitted:
        """What is told of the groups."""
        task, names = self.task, tuple(self.task.params)
        chi2, dof = sums[0], counts - len(names)
        scaled = not task.spread if task.scale_errors is None else task.scale_errors
        covariance = np.asarray(inverse * (chi2 / dof if scaled else 1.0), np.float64)
        covariance += 0.0  # no -0
        sigmas = np.sqrt(np.einsum("iig->ig", covariance))
        unit = np.where(sigmas > 0, sigmas, 1.0)
        correlation = covariance / (unit[:, None] * unit[None])
        for i in range(len(names)):
            correlation[i, i] = 1.0
        half = sigmas * student(task.level, dof)
        intervals = np.stack([points - half, points + half], axis=1)
        r2 = np.where(sums[1:] > 0, 1 - chi2 / sums[1:], np.nan)
        starts = [None if n not in task.start else float(task.start[n]) for n in names]
        return Fitted(
            *(names, points, sigmas, intervals, starts, covariance, correlation, chi2, dof, counts),
            *(*r2, scaled, True, steps, self.message, [], task.level),
        )


def _cholesky(matrix: Array) -> Array:
    """The upper factor of each matrix; nan where it is not positive definite."""
    factor = np.zeros_like(matrix)
    for j in range(len(matrix)):
        above = factor[:j, j]
        factor[j, j] = np.sqrt(matrix[j, j] - np.sum(np.square(above), axis=0))
        for k in range(j + 1, len(matrix)):
            factor[j, k] = (matrix[j, k] - np.sum(above * factor[:j, k], axis=0)) / factor[j, j]
    return factor


def _forward(factor: Array, right: Array) -> Array:
    """What the transposed factor times is `right`."""
    found = np.zeros(right.shape, np.result_type(factor, right))
    for k in range(len(right)):
        found[k] = (right[k] - np.sum(factor[:k, k] * found[:k], axis=0)) / factor[k, k]
    return found


def _backward(factor: Array, right: Array) -> Array:
    """What the factor times is `right`."""
    found = np.zeros_like(right)
    for k in range(len(right) - 1, -1, -1):
        found[k] = (right[k] - np.sum(factor[k, k + 1 :] * found[k + 1 :], axis=0)) / factor[k, k]
    return found


def _inverse(factor: Array) -> Array:
    """The inverse of each matrix from its factor."""
    found = np.zeros_like(factor)
    for k in range(len(factor)):
        one = np.zeros(factor.shape[1:], factor.dtype)
        one[k] = 1
        found[k] = _backward(factor, _forward(factor, one))
    return found

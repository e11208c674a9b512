"""The search for the least sum of squares, then Newton on the gradient.

It is Marquardt's, and SciPy's trust region where that reaches no end.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field

import numpy as np

from dezero_cli import extras
from dezero_cli.solving.reduced import FitRows, Reduced, solved, triangle
from dezero_cli.solving.rows import Array

EPSILON = float(np.finfo(np.float64).eps)
TOLERANCE = 1e-15
NEARLY = 1e-9
"""The tolerance of a search of many rows that Newton's method goes on from."""
NEWTON_STEPS = 60
MARCHED = 60
"""Marquardt's steps before SciPy's search is tried."""

CONVERGED = "the gradient is 0 to its rounding"
LINEAR = "linear: solved directly"
FADED = 1e-3
"""What a parameter moves the data by, beside their rounding, if it has no effect any more."""

SINGULAR = 1e-14
"""The least singular value, beside the largest, of columns of length 1 that are told apart."""


@dataclass
class End:
    """Where a search ended; `point` in longer numbers where there are few rows."""

    point: Array
    reduced: Reduced
    steps: int
    converged: bool
    left: float
    """The norm of the step that Newton's method would still take, in units of the residuals."""
    message: str
    bounded: Array = field(default_factory=lambda: np.zeros(0, bool))
    """Which parameters are held at a limit."""
    null: Array | None = None
    """A direction along which the residuals do not change, if there is one."""


class Search:
    """The search between limits; `scale` is the size of the data, in units of their errors."""

    def __init__(self, rows: FitRows, low: Array, high: Array, scale: float) -> None:
        self.rows, self.low, self.high, self.scale = rows, low, high, scale
        self.steps = 0
        self._sampled: Array | None = None

    def run(self, start: Array, most: int | None = None) -> End:
        """Where the search from a start ends."""
        if self.rows.is_small:
            return self._marched(start) or self.polished(self._trust_region(start, most))
        sample = Search(self.rows.sample, self.low, self.high, self.scale)
        found = sample.run(start, most)
        self.steps += found.steps
        near = np.asarray(found.point, np.float64)
        if found.converged:
            curvature = sample.rows.curvature(near)
            self._sampled = curvature * (self.rows.count / sample.rows.count)
            end = self.polished(near)
            self._sampled = None
            if end.converged:
                return end
        end = self.polished(self._trust_region(near, most, NEARLY))
        return end if end.converged else self.polished(self._trust_region(start, most))

    def _marched(self, start: Array) -> End | None:
        """Where Gauss's steps, damped as Marquardt has it, lead; None where they reach no end.

        From most starts they do, and SciPy's search takes longer to load than they to run.
        """
        point, damping = start, 1e-3
        reduced = self.rows.reduced(start)
        for _ in range(MARCHED):
            move = _damped(reduced, damping)
            tried = point + move
            if not ((tried > self.low) & (tried < self.high)).all():
                return None
            found = self.rows.reduced(tried)
            self.steps += 1
            gained = reduced.size - found.size
            if found.is_finite and gained >= 0:
                point, reduced, damping = tried, found, damping / 10
                if gained <= NEARLY * reduced.size:
                    end = self.polished(point)
                    return end if end.converged else None
            else:
                damping = max(10 * damping, 1e-3)
                if damping > 1e8:
                    return None
        return None

    def polished(self, point: Array) -> End:
        """Newton's method on the gradient, with exact second derivatives, to the last digits."""
        at = np.asarray(point, np.longdouble if self.rows.is_long else np.float64)
        reduced = self.rows.reduced(at, self.rows.is_long)
        left = best = math.inf
        for step in range(NEWTON_STEPS):
            newton = self._newton(at, reduced)
            if newton is None:
                return self._ended(at, reduced, math.inf, False)
            move, left = newton
            if not self._is_polishing(left, reduced):  # still far: steps must go down
                found = self._descended(at, move, reduced)
                if found is None:
                    return self._ended(at, reduced, left, False)
                at, reduced = found
                self.steps += 1
                continue
            if left >= best / 2 and step:
                break
            if not self.rows.is_long and left <= 1e-8 * reduced.size:  # one step ends it
                at = self._inside(at + move)
                break
            best = left
            at = self._inside(at + move)
            reduced = self.rows.reduced(at, self.rows.is_long)
            self.steps += 1
        return self._ended(at, reduced, min(left, best), True)

    # -------------------------------------------------------------------------------------------
    def _trust_region(self, start: Array, most: int | None, tolerance: float = TOLERANCE) -> Array:
        """Where SciPy's search ends, on the triangle that has all the search needs."""
        known: dict[bytes, Reduced] = {}

        def at(x: Array) -> Reduced:
            key = x.tobytes()
            if key not in known:
                known.clear()
                known[key] = self.rows.reduced(x)
                self.steps += 1
            return known[key]

        def residual(x: Array) -> Array:
            found = at(x)
            if not found.is_finite:
                return np.full(len(x) + 1, np.inf)
            return np.append(found.moved, found.rest)

        def jacobian(x: Array) -> Array:
            return np.concatenate([at(x).triangle, np.zeros((1, len(x)))])

        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = extras.optimize().least_squares(
                    residual,
                    _strictly_inside(start, self.low, self.high),
                    jacobian,
                    (self.low, self.high),
                    x_scale="jac",
                    ftol=tolerance,
                    xtol=tolerance,
                    gtol=TOLERANCE,
                    max_nfev=most or 1000 + 500 * len(start),
                )
            except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                return start
        x = np.asarray(found.x, np.float64)
        return _at_limits(x, found.active_mask, self.low, self.high)

    def _newton(self, at: Array, reduced: Reduced) -> tuple[Array, float] | None:
        """The step to where the gradient vanishes, and its norm in units of the residuals.

        The Hessian is R'(I + R^-T S R^-1)R, with S from the second derivatives; a curvature that
        is negative is followed downhill.
        """
        if not reduced.is_finite:
            return None
        free = self._free(at, reduced.gradient)
        move = np.zeros(len(at), at.dtype)
        if not free.any():
            return move, 0.0
        columns = reduced.triangle[:, free]
        unit = np.sqrt(np.sum(np.square(columns), axis=0))
        if not (unit > 0).all():
            return None
        factor = triangle(np.column_stack([columns / unit, reduced.moved]))
        factor, pushed = factor[: len(unit), :-1], factor[: len(unit), -1]
        if not np.diag(factor).all():
            return None
        along = pushed if self._is_straight else self._bent(at, free, factor, unit, pushed)
        if along is None:
            return None
        move[free] = -solved(factor, along) / unit
        return move, float(np.sqrt(np.sum(np.square(along))))

    def _bent(
        self, at: Array, free: Array, factor: Array, unit: Array, pushed: Array
    ) -> Array | None:
        """The push, through the curvature that the second derivatives add to J'J."""
        unit = np.asarray(unit, np.float64)
        curvature = self.rows.curvature(at) if self._sampled is None else self._sampled
        bent = curvature[np.ix_(free, free)] / np.outer(unit, unit)
        if not np.isfinite(bent).all():
            return None
        try:
            inverse = np.linalg.inv(np.asarray(factor, np.float64))
        except np.linalg.LinAlgError:  # in longer numbers alone it has one
            return None
        middle = np.eye(len(unit)) + inverse.T @ bent @ inverse
        curvatures, axes = np.linalg.eigh((middle + middle.T) / 2)
        curvatures = np.maximum(np.abs(curvatures), 1e-8)
        return np.asarray(axes @ ((axes.T @ pushed) / curvatures))

    @property
    def _is_straight(self) -> bool:
        """Whether there are no second derivatives."""
        return self.rows.model.is_linear(self.rows.model.params) and self.rows.loss is None

    def _free(self, at: Array, gradient: Array) -> Array:
        """Which parameters are not held at a limit by the gradient."""
        held = (at <= self.low) & (gradient > 0) | (at >= self.high) & (gradient < 0)
        return np.asarray(~held)

    def _without_effect(self, at: Array, reduced: Reduced, free: Array) -> Array | None:
        """A parameter whose effect has faded: another number would change no digit of the data.

        That of one in which the model is linear is the same everywhere, however small.
        """
        model = self.rows.model
        unit = np.linalg.norm(np.asarray(reduced.triangle, np.float64), axis=0)
        size = np.maximum(np.abs(np.asarray(at, np.float64)), 1.0)
        faded = free & (unit * size <= FADED * EPSILON * self.scale)
        for i in np.flatnonzero(faded):
            if not model.is_linear([model.params[i]]):
                return np.asarray(np.eye(len(free))[i])
        return None

    def _is_polishing(self, left: float, reduced: Reduced) -> bool:
        return left <= max(1e-3 * reduced.size, 1e4 * EPSILON * self.scale)

    def _descended(self, at: Array, move: Array, reduced: Reduced) -> tuple[Array, Reduced] | None:
        """The point along a step where the sum of squares is less."""
        factor = 1.0
        for _ in range(40):
            tried = self._inside(at + factor * move)
            found = self.rows.reduced(tried, self.rows.is_long)
            if found.is_finite and found.size < reduced.size:
                return tried, found
            factor /= 2
        return None

    def _inside(self, point: Array) -> Array:
        return np.asarray(np.minimum(np.maximum(point, self.low), self.high))

    def _ended(self, at: Array, reduced: Reduced, left: float, polished: bool) -> End:
        """The end, and what it is worth."""
        if not self.rows.is_long:
            reduced = self.rows.reduced(at, exactly=True, near=reduced)
        if self._sampled is not None and polished:
            newton = self._newton(at, reduced)
            left = math.inf if newton is None else newton[1]
        enough = max(1e-7 * reduced.size, 64 * EPSILON * self.scale)
        done = polished and left <= enough
        bounded = ~self._free(at, reduced.gradient)
        null = null_direction(reduced, ~bounded) if reduced.is_finite else None
        if null is None and reduced.is_finite:
            null = self._without_effect(at, reduced, ~bounded)
        done = done and null is None
        message = CONVERGED if done else "the search did not come to an end"
        return End(at, reduced, self.steps, done, left, message, bounded, null)


def _damped(reduced: Reduced, damping: float) -> Array:
    """Marquardt's step (J. Soc. Ind. Appl. Math. 11, 1963), with the columns of J made equal."""
    columns = np.asarray(reduced.triangle, np.float64)
    unit = np.linalg.norm(columns, axis=0)
    unit[unit == 0] = 1.0
    rows = np.concatenate([columns / unit, math.sqrt(damping) * np.eye(len(unit))])
    right = np.concatenate([np.asarray(reduced.moved, np.float64), np.zeros(len(unit))])
    if not (np.isfinite(rows).all() and np.isfinite(right).all()):
        return np.full(len(unit), np.nan)
    return np.asarray(-np.linalg.lstsq(rows, right, rcond=None)[0] / unit)


def null_direction(reduced: Reduced, free: Array) -> Array | None:
    """A direction of the parameters that moves no residual, with length 1 in steps that count."""
    columns = np.asarray(reduced.triangle, np.float64)[:, free]
    if not columns.size:
        return None
    unit = np.linalg.norm(columns, axis=0)
    largest = unit.max()
    direction = np.zeros(len(free))
    if not (unit > 0).all() or not largest > 0:
        direction[np.flatnonzero(free)[np.argmin(unit)]] = 1.0
        return direction
    _, values, axes = np.linalg.svd(columns / unit)
    if values[-1] > SINGULAR * values[0] * math.sqrt(len(unit)):
        return None
    direction[free] = axes[-1] / unit
    return direction


def _strictly_inside(start: Array, low: Array, high: Array) -> Array:
    """The start, a little way from the limits: the search begins inside them."""
    width = np.where(np.isfinite(high - low), high - low, np.maximum(np.abs(start), 1.0))
    start = np.maximum(start, np.where(np.isfinite(low), low + 1e-6 * width, -np.inf))
    return np.asarray(np.minimum(start, np.where(np.isfinite(high), high - 1e-6 * width, np.inf)))


def _at_limits(x: Array, active: Array, low: Array, high: Array) -> Array:
    """A point, exactly on a limit where the search came close to one that holds it."""
    near = 1e-6 * np.maximum(np.abs(x), 1e-8)
    x = np.where((active < 0) | (x - low <= near), low, x)
    return np.asarray(np.where((active > 0) | (high - x <= near), high, x))

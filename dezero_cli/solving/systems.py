"""Systems of equations from a start: hybr, then Newton's method on exact Jacobians."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dezero_cli import extras
from dezero_cli.solving import fading
from dezero_cli.solving.functions import Array, Functions

POLISH_STEPS = 200
NEAR = 1e-6
"""Newton's step at a solution of several orders, beside the solution or the start."""


@dataclass
class Solution:
    """Where a search ended."""

    x: Array
    residual: Array
    converged: bool
    steps: int
    message: str


def solved(functions: Functions, start: Array) -> Solution:
    """The solution of as many equations as unknowns that is nearest to the start, as it were.

    Several searches are tried, and the best point of all is polished; `converged` tells whether
    the residual is within its own rounding there.
    """
    search = _Search(functions, start)
    best = search.polished(start)
    for find in (_hybrid, _levenberg_marquardt, _damped):
        if search.is_solution(best):
            break
        for begin in search.starts(best):
            found = search.polished(find(search, begin))
            best = min(best, found, key=search.size)
            if search.is_solution(best):
                break
    good = search.is_solution(best)
    message = "solved" if good else "no solution found: this is the best point"
    return Solution(best, functions.values(best), good, search.steps, message)


class _Search:
    """What the searches share: the functions, counted, and what counts as a solution."""

    def __init__(self, functions: Functions, start: Array) -> None:
        self.functions = functions
        self.start = start
        self.steps = 0
        noise = functions.noise(start)
        self.terms = np.where(np.isfinite(noise), noise, 0) / np.finfo(float).eps

    def values(self, x: Array) -> Array:
        """The residuals, large where they are not numbers."""
        self.steps += 1
        found = self.functions.values(x)
        return np.asarray(np.where(np.isfinite(found), found, 1e150))

    def jacobian(self, x: Array) -> Array:
        """Their derivatives, finite."""
        found = self.functions.jacobian(x)
        return np.asarray(np.nan_to_num(found, nan=0.0, posinf=1e150, neginf=-1e150))

    def size(self, x: Array) -> float:
        """How large the residuals are beside the terms of the start."""
        scale = np.where(self.terms > 0, self.terms, 1.0)
        return float(np.linalg.norm(self.values(x) / scale))

    def is_solution(self, x: Array) -> bool:
        """Whether each residual is 0 as far as its rounding lets one see."""
        f = np.abs(self.values(x))
        if not np.isfinite(x).all() or f.max(initial=0) >= 1e150:
            return False
        if any(self.fades(x, i) for i in np.flatnonzero(f == 0).tolist()):
            return False
        if (f == 0).all():
            return True
        noise = self.functions.noise(x)
        if (f <= 64 * noise).all():
            return True
        return bool((f <= np.fmax(64 * noise, 1e-16 * self.terms)).all()) and self.is_near(x)

    def fades(self, x: Array, i: int) -> bool:
        """Whether a residual is 0 only because it has fallen off along an unknown."""
        if np.abs(self.jacobian(x)[i]).max(initial=0) > fading.TINY:
            return False
        size = np.maximum(np.abs(x), 1.0)
        ways = [*np.diag(size)] if x.size <= 10 else [x - self.start]

        def along(way: Array) -> Callable[[float], float]:
            return lambda t: float(self.functions.values(x + t * way)[i])

        return any(fading.fades(along(way)) for way in ways)

    def is_near(self, x: Array) -> bool:
        """Whether Newton's next step is short: 1/x is small far out, but has no root there."""
        step = _newton_step(self.jacobian(x), self.values(x))
        size = np.abs([x, self.start]).max(initial=0)
        return bool(0 < np.abs(step).max(initial=0) <= NEAR * size)

    def starts(self, best: Array) -> Iterator[Array]:
        """The start, then the best point so far."""
        yield self.start
        yield best

    def polished(self, x: Array) -> Array:
        """The best point of Newton's method from `x`, as long as it goes on falling."""
        best, size = x, self.size(x)
        since = 0
        for _ in range(POLISH_STEPS):
            x = x - _newton_step(self.jacobian(x), self.values(x))
            if not np.isfinite(x).all():
                break
            now = self.size(x)
            since = 0 if now < 0.9 * size else since + 1
            if now < size:
                best, size = x, now
            if size == 0 or since >= 3:
                break
        return best


def _newton_step(jacobian: Array, f: Array) -> Array:
    """The step of Newton's method; the shortest one where the Jacobian is singular."""
    scale = np.abs(jacobian).max(axis=1, initial=0)
    scale = np.where(scale > 0, scale, 1.0)[:, np.newaxis]
    try:
        step = np.linalg.solve(jacobian / scale, f / scale[:, 0])
        if np.isfinite(step).all():
            return np.asarray(step)
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(jacobian / scale, f / scale[:, 0], rcond=1e-12)[0])


Find = Callable[[_Search, Array], Array]


def _by_scipy(search: _Search, start: Array, method: str) -> Array:
    with np.errstate(all="ignore"):
        found = extras.optimize().root(
            search.values, start, jac=search.jacobian, method=method, tol=1e-14
        )
    return np.asarray(found.x) if np.isfinite(found.x).all() else start


def _hybrid(search: _Search, start: Array) -> Array:
    return _by_scipy(search, start, "hybr")


def _levenberg_marquardt(search: _Search, start: Array) -> Array:
    return _by_scipy(search, start, "lm")


def _damped(search: _Search, start: Array) -> Array:
    """Newton's method with steps that are halved until the residuals fall."""
    x, size = start, search.size(start)
    for _ in range(500):
        step = _newton_step(search.jacobian(x), search.values(x))
        factor = 1.0
        while factor > 1e-10 and not search.size(x - factor * step) < size * (1 - 1e-4 * factor):
            factor /= 2
        if factor <= 1e-10:
            break
        x = x - factor * step
        size = search.size(x)
    return x

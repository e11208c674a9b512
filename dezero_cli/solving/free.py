"""Minima without constraints: SciPy's searches on exact derivatives, then Newton's method."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dezero_cli import extras
from dezero_cli.solving.functions import EPSILON, Array, Functions

MANY = 200
"""Unknowns beyond which a search works without the whole Hessian."""
POLISH_STEPS = 300
MOST_PRODUCTS, CLOSE = 2000, 1e-6
"""Products with the Hessian for a step, and what the step may leave of the gradient."""
Towards = Callable[["Objective", Array, Array], Array | None]
"""A step that goes down from a point with this gradient; None where there is no number."""
VANISHING = 1e-32
"""A fall that counts as none, beside the terms of the value at the start."""


class Objective:
    """A function to minimise: one value, infinite where it is not a number; counted."""

    def __init__(self, functions: Functions, sign: float = 1.0) -> None:
        self.functions = functions
        self.sign = sign
        self.steps = 0
        self.scale = 0.0  # the size of the terms at the start of the search

    def value(self, x: Array) -> float:
        """The value, infinite outside the domain."""
        self.steps += 1
        found = self.sign * float(self.functions.values(x)[0])
        return math.inf if math.isnan(found) else found

    def gradient(self, x: Array) -> Array:
        """The gradient."""
        return np.asarray(self.sign * self.functions.jacobian(x)[0])

    def hessian(self, x: Array) -> Array:
        """The second derivatives."""
        return self.functions.curvature(x, np.array([self.sign]))

    def hessian_along(self, x: Array, direction: Array) -> Array:
        """The second derivatives times a vector."""
        return self.functions.curved_along(x, np.array([self.sign]), direction)

    def noise(self, x: Array) -> float:
        """How far rounding may move the value."""
        found = float(self.functions.noise(x)[0])
        return found if math.isfinite(found) else 0.0


def minimum(objective: Objective, start: Array) -> tuple[Array, bool]:
    """The minimum that a search from `start` ends at, and whether it is one to the last digits."""
    if start.size > MANY:
        return _of_many(objective, start)
    value = objective.value(start)
    objective.scale = objective.noise(start) / EPSILON
    best, done = polished(objective, start, 2)
    if done:
        return best, True
    best = start
    for find in (_trust_region, _quasi_newton, _simplex):
        found, done = polished(objective, find(objective, best), POLISH_STEPS)
        if done and objective.value(found) <= value:
            return found, True
        if objective.value(found) < objective.value(best):
            best = found
    return best, _is_kink(objective, best)


def minimum_near(objective: Objective, start: Array) -> Array:
    """Where one search from `start` ends, as a start for another."""
    objective.scale = objective.noise(start) / EPSILON
    return polished(objective, _trust_region(objective, start), 20)[0]


def _is_kink(objective: Objective, x: Array) -> bool:
    """Whether the value rises in proportion to the distance, in every direction that is tried.

    At a minimum without a gradient, such as that of max(x, -y), no better proof is at hand.
    """
    f = objective.value(x)
    size = np.maximum(np.abs(x), 1e-3)
    draw = np.random.default_rng(0)
    ways = np.concatenate([np.eye(x.size), draw.standard_normal((8 * x.size, x.size))])
    ways = np.concatenate([ways, -ways]) * size
    slopes = [
        min((objective.value(x + step * way) - f) / step for way in ways)
        for step in (1e-3, 1e-5, 1e-7)
    ]
    return math.isfinite(f) and 0 < max(slopes) < 10 * min(slopes)


def polished(
    objective: Objective, x: Array, most: int, towards: Towards | None = None
) -> tuple[Array, bool]:
    """The point after steps of Newton's method that go down, and whether they came to an end.

    Directions in which the function is curved down are followed downhill (the eigenvalues' sizes
    take their place), in units in which the Hessian has a diagonal of ones.  The end is where the
    fall that another step promises is within the value's rounding.  `towards` gives the steps
    (default: by the whole Hessian).
    """
    towards = towards or _by_hessian
    f = objective.value(x)
    if not math.isfinite(f):
        return x, False
    least = max(VANISHING * objective.scale, 5e-324)
    for _ in range(most):
        g = objective.gradient(x)
        if not np.isfinite(g).all():
            return x, False
        if not g.any():
            return x, True
        step = towards(objective, x, g)
        if step is None:
            return x, False
        promised = -float(g @ step) / 2
        rounding = max(objective.noise(x), EPSILON * abs(f), least)
        found = _line(objective, x, step, f, promised, rounding)
        if found is None:
            return x, promised <= 64 * rounding
        moved = np.abs(found - x)
        x, before, f = found, f, objective.value(found)
        if promised <= rounding and before - f <= rounding:
            return _last_steps(objective, x, f, rounding, towards), True
        if (moved <= EPSILON * np.abs(x)).all():
            return x, promised <= 64 * rounding
    return x, False


def _last_steps(
    objective: Objective, x: Array, f: float, rounding: float, towards: Towards
) -> Array:
    """The point after full steps of Newton's method, while these get the gradient down."""
    g = objective.gradient(x)
    size = math.inf
    for _ in range(3):
        step = towards(objective, x, g)
        now = math.inf if step is None else abs(float(g @ step))
        if step is None or not now < size / 4:
            break
        tried = x + step
        gradient = objective.gradient(tried)
        value = objective.value(tried)
        if not (value <= f + 8 * rounding and np.linalg.norm(gradient) < np.linalg.norm(g)):
            break
        x, g, size = tried, gradient, now
    return x


def _by_hessian(objective: Objective, x: Array, g: Array) -> Array | None:
    """A step that goes down: Newton's, with the sizes of the curvatures."""
    hessian = objective.hessian(x)
    if not np.isfinite(hessian).all():
        return None
    diagonal = np.sqrt(np.abs(np.diag(hessian)))
    least = 1e-8 * diagonal.max(initial=0)
    unit = 1 / np.where(diagonal > least, diagonal, least if least > 0 else 1.0)
    curvatures, axes = np.linalg.eigh(hessian * np.outer(unit, unit))
    sizes = np.maximum(np.abs(curvatures), 1e-14 * np.abs(curvatures).max(initial=0) or 1.0)
    return np.asarray(-unit * (axes @ ((axes.T @ (unit * g)) / sizes)))


def _line(
    objective: Objective, x: Array, step: Array, f: float, promised: float, rounding: float
) -> Array | None:
    """The point along a step where the value is less, or as little as rounding lets one see."""
    factor = 1.0
    for _ in range(60):
        tried = x + factor * step
        value = objective.value(tried)
        if value <= f - 1e-4 * factor * promised:
            return tried
        if promised <= rounding and value <= f + 2 * rounding:
            return tried
        factor /= 2
    return None


def _minimised(objective: Objective, start: Array, method: str, **more: object) -> Array:
    """Where a search of SciPy's ends; the start where it fails."""
    with np.errstate(all="ignore"):
        try:
            found = extras.optimize().minimize(objective.value, start, method=method, **more)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return start
    x = np.asarray(found.x, np.float64)
    return x if np.isfinite(x).all() else start


def _trust_region(objective: Objective, start: Array) -> Array:
    options = {"gtol": 1e-12, "maxiter": 300}
    return _minimised(
        objective,
        start,
        "trust-exact",
        jac=objective.gradient,
        hess=objective.hessian,
        options=options,
    )


def _quasi_newton(objective: Objective, start: Array) -> Array:
    options = {"gtol": 1e-12, "maxiter": 5000}
    return _minimised(objective, start, "BFGS", jac=objective.gradient, options=options)


def _simplex(objective: Objective, start: Array) -> Array:
    options = {"maxiter": 400 * start.size, "xatol": 1e-12, "fatol": 1e-15}
    return _minimised(objective, start, "Nelder-Mead", options=options)


def _of_many(objective: Objective, start: Array) -> tuple[Array, bool]:
    """A minimum in many unknowns: L-BFGS-B, then Newton's method by conjugate gradients."""
    options = {"maxiter": 20000, "maxfun": 20000, "ftol": 1e-11, "gtol": 1e-10, "maxcor": 30}
    objective.scale = objective.noise(start) / EPSILON
    x = _minimised(objective, start, "L-BFGS-B", jac=objective.gradient, options=options)
    return polished(objective, x, POLISH_STEPS, _by_products)


def _by_products(objective: Objective, x: Array, g: Array) -> Array | None:
    """Newton's step by conjugate gradients, which need the Hessian's products with vectors alone.

    Where the function is curved down along a direction, the step ends before it.
    """
    step, left = np.zeros_like(g), -g
    way, size = left, float(left @ left)
    enough = CLOSE**2 * size
    for _ in range(MOST_PRODUCTS):
        product = objective.hessian_along(x, way)
        curvature = float(way @ product)
        if not math.isfinite(curvature):
            return None
        if curvature <= 0:
            return step if step.any() else left
        step = step + size / curvature * way
        left = left - size / curvature * product
        before, size = size, float(left @ left)
        if size <= enough:
            break
        way = left + size / before * way
    return step

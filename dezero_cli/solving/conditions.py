"""Constraints and bounds as conditions c(x) = 0 and c(x) >= 0 of one vector."""

from __future__ import annotations

import math

import numpy as np

from dezero_cli.solving.functions import EPSILON, Array, Functions

LITTLE = 1e-8
"""What the size of a difference is taken for where its terms are 0."""


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

    def missed(self, x: Array) -> float:
        """How far the worst condition is from holding."""
        c = self.values(x)
        found = float(np.max(np.where(self.equal, np.abs(c), np.maximum(-c, 0)), initial=0.0))
        return found if math.isfinite(found) else math.inf

    def violation(self, x: Array) -> float:
        """How far the worst condition is from holding, beside its terms where these are large."""
        c = self.values(x)
        missed = np.where(self.equal, np.abs(c), np.maximum(-c, 0))
        if not missed.size:
            return 0.0
        found = float(np.max(missed / np.maximum(self.terms(x), 1.0)))
        return found if math.isfinite(found) else math.inf

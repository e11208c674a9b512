"""What a fit is worth: totals of the left side, inverses of products, Student's quantiles."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from dezero.gaussian import norminv
from dezero_cli import extras
from dezero_cli.solving.reduced import FitRows, solved, triangle
from dezero_cli.solving.rows import Array


class Totals(NamedTuple):
    """Sums of LEFT, each row with its weight: what R2 and the size of rounding need."""

    weight: float
    left: float
    square: float
    centred: float

    @property
    def scale(self) -> float:
        """The norm of LEFT, in units of the errors."""
        return math.sqrt(self.square)

    def determination(self, chi2: float, centred: bool = True) -> float:
        """R2, about the mean or about 0."""
        total = self.centred if centred else self.square
        return 1 - chi2 / total if total > 0 else math.nan

    @classmethod
    def of(cls, rows: FitRows, point: Array) -> Totals:
        """The sums over all rows; LEFT and the weights may depend on the parameters."""
        weight = left = square = centred = 0.0
        model = rows.model
        for block in rows.portions():
            found = model.values(model.weighed, block, point)
            with np.errstate(all="ignore"):
                w = 1 / np.square(found[-1])
            y = found[0]
            good = np.isfinite(w) & np.isfinite(y)
            w, y = w[good], y[good]
            if not len(y) or not w.sum() > 0:
                continue
            part, mean = float(w.sum()), float((w * y).sum() / w.sum())
            whole = weight + part
            shift = mean - (left / weight if weight else mean)
            centred += float((w * np.square(y - mean)).sum()) + shift**2 * weight * part / whole
            weight, left = whole, left + mean * part
            square += float((w * np.square(y)).sum())
        return cls(weight, left, square, centred)


def inverse_products(factor: Array) -> Array:
    """The inverse of J'J, from the R factor, so that the condition is not squared."""
    width = factor.shape[1]
    unit = np.sqrt(np.sum(np.square(factor), axis=0))
    factor = triangle(factor / unit) if width else factor
    columns = [solved(factor, one) / unit for one in np.eye(width, dtype=factor.dtype)]
    inverse = np.array(columns, factor.dtype).reshape(width, width).T
    return np.asarray(inverse @ inverse.T, np.float64)


NEARLY_NORMAL = 10_000
"""Degrees of freedom from which a series in their reciprocal has all digits."""


def student(level: float, dof: Any) -> Any:
    """The quantile of Student's distribution that a two-sided interval needs, or an array of them.

    Without degrees of freedom it is nan.
    """
    if np.min(dof) >= NEARLY_NORMAL:  # SciPy takes longer to load than most fits
        return _nearly_normal(-float(norminv((1 - level) / 2).data), dof)
    if not np.any(dof):
        return math.nan
    extras.require("scipy")
    from scipy.special import stdtrit

    return -stdtrit(dof, (1 - level) / 2)


def _nearly_normal(x: float, dof: Any) -> Any:
    """Student's quantile from the normal one: Abramowitz and Stegun 26.7.5."""
    terms = [
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    ]
    return sum(term / dof**k for k, term in reversed(list(enumerate(terms))))  # small ones first

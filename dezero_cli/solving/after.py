"""After a fit: its value, residual and band for rows, as arrays and as formulas for a table."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dezero_cli.language import symbolic
from dezero_cli.solving.fit import Fitted
from dezero_cli.solving.rows import Array, Block, RowModel
from dezero_cli.solving.worth import student

CONFIDENCE, PREDICTION = BANDS = ("confidence", "prediction")
"""Where the fitted curve is, and where a further observation would be."""

ADDED = ("fit", "residual", "sigma", "lower", "upper")
"""What a table gains."""


class RowsOfFit(NamedTuple):
    """LEFT, RIGHT, the standard uncertainty of RIGHT and of the band, and half the band's width."""

    left: Array
    fit: Array
    sigma: Array
    half: Array


def rows_of_fit(model: RowModel, fitted: Fitted, block: Block, kind: str) -> RowsOfFit:
    """What a fit says of some rows."""
    left, right, *gradient, unit = model.values(model.sides, block, fitted.values)
    moved = root(fitted.covariance) @ np.array(gradient)
    sigma = np.sqrt(np.sum(np.square(moved), axis=0))
    if kind == PREDICTION:
        sigma = np.hypot(sigma, noise(fitted) * unit)
    return RowsOfFit(left, right, sigma, student(fitted.level, fitted.dof) * sigma)


def formulas(model: RowModel, fitted: Fitted, kind: str) -> list[str]:
    """The columns `ADDED` as formulas of the data and the parameters."""
    left, right, *gradient, unit = symbolic.texts(model.sides, model.equation.left.text)
    parts = []
    for row in root(fitted.covariance):
        terms = [f"{c!r}*({g})" for c, g in zip(map(float, row), gradient, strict=True) if c]
        parts.append(f"({' + '.join(terms) or '0.0'})**2")
    if kind == PREDICTION:
        parts.append(f"({noise(fitted)!r}*({unit}))**2")
    sigma = f"sqrt({' + '.join(parts)})"
    reach = float(student(fitted.level, fitted.dof))
    half = f"{reach!r}*{sigma}" if math.isfinite(reach) else "nan"
    return [right, f"({left}) - ({right})", sigma, f"({right}) - {half}", f"({right}) + {half}"]


def noise(fitted: Fitted) -> float:
    """The standard deviation of an observation, in units of its error."""
    return math.sqrt(fitted.unit_variance) if fitted.scaled else 1.0


def root(covariance: Array) -> Array:
    """A matrix whose square is the covariance: its rows are apart."""
    unit = np.sqrt(np.diag(covariance))
    safe = np.where(unit > 0, unit, 1.0)
    sizes, axes = np.linalg.eigh(covariance / np.outer(safe, safe))
    return np.asarray((axes * np.sqrt(np.maximum(sizes, 0))).T * unit)

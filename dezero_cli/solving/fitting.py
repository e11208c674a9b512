"""`fit` for Python: an equation and columns in, parameters and what they are worth out."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dezero_cli import extras
from dezero_cli.faults import UsageError, ValuesError
from dezero_cli.language.equations import Equation, equation
from dezero_cli.language.model import Numbers
from dezero_cli.language.ranges import Limits
from dezero_cli.language.spelling import canonical, name_meant, quoted
from dezero_cli.language.symbolic import free_names
from dezero_cli.solving.calls import Ends, given_by, limits_by, numbers_by
from dezero_cli.solving.data import RowData, Spread
from dezero_cli.solving.fit import Fit, FitTask, Fitted
from dezero_cli.solving.robust import LOSSES
from dezero_cli.solving.rows import Array

_SIGMA = "\0sigma "
"""What stands before a column's name where its uncertainties are kept."""


@dataclass(frozen=True)
class FitResult:
    """What a fit found: by parameter, in the order of `names`."""

    names: tuple[str, ...]
    values: dict[str, float]
    sigmas: dict[str, float]
    """Standard uncertainties; nan of a parameter that a limit holds."""
    intervals: dict[str, tuple[float, float]]
    """Of Student's distribution, at the `level` asked for."""
    covariance: Array
    """Of the parameters in the order of `names`, shape (n, n)."""
    correlation: Array
    chi2: float
    """The sum of the squares of the residuals, each divided by its standard uncertainty."""
    loss: float | None
    """What `robust` has made least in its place; None without."""
    dof: int
    residual_sigma: float
    r2: float
    aic: float | None
    bic: float | None
    """None of a robust fit."""
    rows: int
    left_out: int
    """Rows in which a number is missing."""
    scaled: bool
    """Whether the uncertainties are scaled by the residuals."""
    at_limits: tuple[str, ...]
    converged: bool
    steps: int
    message: str


def fit(
    equation: str,
    data: Any,
    start: Mapping[str, float] | None = None,
    values: Mapping[str, float] | None = None,
    *,
    within: Mapping[str, Ends] | None = None,
    sigma: Mapping[str, Numbers] | None = None,
    define: Mapping[str, str] | None = None,
    scale_errors: bool | None = None,
    robust: str | None = None,
    level: float = 0.95,
    starts: int = 1,
    seed: int = 0,
) -> FitResult:
    """Fit an equation such as ``"y == a*exp(-k*t)"`` to columns, by least squares.

    >>> found = fit("y == a + b*x", {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7.4]})
    >>> round(found.values["b"], 9), round(found.sigmas["b"], 9)
    (2.12, 0.069282032)

    `data` are columns by name, all of one length: a mapping, or a data frame.  All other names of
    the equation are parameters, but for those that `values` holds.  `start` is where the search
    begins; a parameter in which the equation is linear needs none.  `within` bounds a parameter,
    `sigma` gives columns their standard uncertainties, in their units, as a number or one a row.
    Errors are scaled by the residuals where there is no `sigma`, unless `scale_errors` says
    otherwise.  `robust` is one of huber, soft_l1 and cauchy.  Of several `starts` the best end is
    given.

    Raises ExpressionError for a text with a fault, ValuesError for numbers that do not fit,
    UsageError for what cannot be fitted (a start that is missing, parameters that are not
    determined apart), and MissingError without SciPy.
    """
    extras.require("scipy")
    _check(robust, level, starts)
    given = given_by(values, define)
    columns = _columns(data)
    posed = _equation(equation, given, columns)
    names = free_names(posed.residual, [*columns, *given.values])
    used = [name for name in names if name in columns]
    held = {name: _one(name, given.values[name]) for name in names if name in given.values}
    params = [name for name in names if name not in columns and name not in held]
    begun = {name: _one(name, array) for name, array in numbers_by(start or {}).items()}
    limits = limits_by(within or {})
    _check_names([*begun, *limits], params, "parameters")
    _check_starts(params, begun, limits)
    rows = _rows({name: _column(name, columns[name]) for name in used}, sigma or {})
    task = FitTask(posed, used, params, rows.blocks, begun, held, limits, list(rows.spreads))
    task.scale_errors, task.robust, task.level = scale_errors, robust, level
    task.starts, task.seed, task.threads = starts, seed, os.cpu_count() or 1
    return _result(Fit(task).run(), rows.left_out)


def _result(found: Fitted, left_out: int) -> FitResult:
    names, criteria = found.names, (found.criterion(2), found.criterion(math.log(found.rows)))
    aic, bic = (None if each is None else float(each) for each in criteria)
    return FitResult(
        names,
        dict(zip(names, found.values.tolist(), strict=True)),
        dict(zip(names, found.sigmas.tolist(), strict=True)),
        {name: (float(a), float(b)) for name, (a, b) in zip(names, found.intervals, strict=True)},
        found.covariance,
        found.correlation,
        found.chi2,
        found.loss,
        found.dof,
        float(found.residual_sigma),
        found.r2,
        aic,
        bic,
        found.rows,
        left_out,
        found.scaled,
        tuple(found.at_limits),
        found.converged,
        found.steps,
        found.message,
    )


# ------------------------------------------------------------------------------- what a call says
def _check(robust: str | None, level: float, starts: int) -> None:
    if robust is not None and robust not in LOSSES:
        raise ValuesError(f"robust={robust!r}: expected one of {', '.join(LOSSES)}")
    if not 0 < level < 1:
        raise ValuesError(f"level={level}: it lies between 0 and 1")
    if starts < 1:
        raise ValuesError(f"starts={starts}: there must be 1 or more")


def _columns(data: Any) -> dict[str, Any]:
    """The columns of a mapping or of a data frame."""
    keys = data if isinstance(data, Mapping) else getattr(data, "columns", None)
    if keys is None:
        raise ValuesError("data: expected columns by name, or a data frame")
    return {canonical(str(name)): data[name] for name in keys}


def _equation(text: str, given: Any, columns: Mapping[str, Any]) -> Equation:
    for name in columns:
        if name in given.values or name in given.definitions:
            what = "value" if name in given.values else "definition"
            raise ValuesError(f"{quoted(name)} is a column, and has a {what}")
    return equation(text, given)


def _column(name: str, numbers: Any) -> Array:
    """A column as numbers; what is missing is nan."""
    try:
        array = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValuesError(f"{quoted(name)}: not a column of numbers") from None
    if array.ndim != 1:
        raise ValuesError(f"{quoted(name)} has shape {array.shape}: a column has one axis")
    return array


def _one(name: str, array: Array) -> float:
    if array.ndim:
        raise ValuesError(f"{quoted(name)} has shape {array.shape}: one number is needed")
    return float(array)


def _check_names(given: list[str], known: list[str], what: str) -> None:
    for name in given:
        if name not in known:
            hint = name_meant(name, known) or f"they are {', '.join(known) or 'none'}"
            raise ValuesError(f"no {quoted(name)} among the {what}: {hint}")


def _check_starts(
    params: Sequence[str], begun: Mapping[str, float], limits: Mapping[str, Limits]
) -> None:
    if not params:
        raise UsageError("nothing to be found: every name is a column or held")
    for name, number in begun.items():
        if not math.isfinite(number):
            raise ValuesError(f"the start {quoted(name)}={number} is not a finite number")
    for name, (low, high) in limits.items():
        if not low <= begun.get(name, low) <= high:
            raise ValuesError(f"the start {quoted(name)}={begun[name]} is not between its limits")


def _rows(columns: dict[str, Array], sigma: Mapping[str, Numbers]) -> RowData:
    """The rows that lack no number, with their uncertainties."""
    if not columns:
        raise UsageError("no name of the equation is a column")
    size = len(next(iter(columns.values())))
    spreads, block = {}, dict(columns)
    _check_names([canonical(name) for name in sigma], list(columns), "columns")
    for name, numbers in sigma.items():
        array = np.asarray(numbers, dtype=np.float64)
        block[_SIGMA + name] = np.full(size, array) if not array.ndim else _column(name, array)
        spreads[canonical(name)] = Spread(column=_SIGMA + name)
    for name, column in block.items():
        if len(column) != size:
            shown = quoted(name.removeprefix(_SIGMA))
            raise ValuesError(f"{shown} has {len(column)} values, the first column {size}")
    return RowData(lambda: [block], list(columns), spreads)

"""What a fit wrote as JSON -> its parameters and their covariance (``--fit FILE``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dezero_cli import reading
from dezero_cli.faults import FileError
from dezero_cli.language import json_input
from dezero_cli.language.spelling import canonical, quoted, typed

SLACK = 1e-6
"""How far a matrix may be from a covariance, of which every variance is 1."""


@dataclass(frozen=True)
class FittedValues:
    """What a fit found: the text of its equation, and parameters by name with their covariance.

    `covariance` has the order of `values`; a parameter that was held has zeros there.  `factor` is
    how many standard uncertainties the intervals of the fit reach, `level` of which probability
    they are; None where the file does not say.
    """

    text: str
    values: dict[str, float]
    covariance: np.ndarray
    factor: float | None = None
    level: float | None = None


def fitted(path: str) -> FittedValues:
    """What a file holds that ``dezero fit --json`` has written; ``-`` is standard input.

    Raises FileError for another file, for one with several fits, for a parameter or a covariance
    that is not finite, and for a matrix that is no covariance.
    """
    shown = reading.shown_name(path)
    data = _object(shown, reading.whole(path).removeprefix(reading.BOM))
    params = data.get("params")
    if type(params) is not dict or not params:
        raise FileError(shown, 'is not what dezero fit --json writes: it has no "params"')
    values = {canonical(name): _number(shown, name, item) for name, item in params.items()}
    if data.get("dof") == 0 and data.get("scaled") is True:
        given = " ".join(typed(f"{quoted(name)}={x!r}") for name, x in values.items())
        fault = "its parameters have no errors, as there were as many rows as parameters"
        raise FileError(shown, f"{fault}: give the values alone, {given}")
    covariance = _matrix(shown, data.get("covariance"), list(params))
    text, level = data.get("expr"), data.get("level")
    return FittedValues(
        text if type(text) is str else "",
        values,
        covariance,
        _factor(params),
        level if type(level) is float else None,
    )


def _object(shown: str, content: bytes) -> dict[str, Any]:
    if len(lines := content.strip().splitlines()) > 1 and lines[0].rstrip().endswith(b"}"):
        raise FileError(shown, f"has {len(lines)} fits, a line each: give one of them")
    try:
        data = json_input.loads(content)
    except ValueError as fault:
        raise FileError(shown, f"is not JSON: {fault}") from None
    if type(data) is not dict:
        raise FileError(shown, "is not a JSON object, as dezero fit --json writes")
    return data


def _number(shown: str, name: str, item: Any) -> float:
    value = item.get("value") if type(item) is dict else None
    if type(value) not in (int, float) or not math.isfinite(value):  # type: ignore[arg-type]
        raise FileError(shown, f"parameter {name} has no finite value")
    return float(value)  # type: ignore[arg-type]


def _matrix(shown: str, said: Any, names: list[str]) -> np.ndarray:
    """The covariance in the order of the names; what is not said is 0."""
    rows = said if type(said) is dict else {}
    matrix = np.zeros((len(names), len(names)))
    for i, first in enumerate(names):
        row = rows.get(first, {})
        for j, second in enumerate(names):
            cell = row.get(second, 0.0) if type(row) is dict else None
            matrix[i, j] = cell if type(cell) in (int, float) else math.nan
            if not math.isfinite(matrix[i, j]):
                raise FileError(shown, f"the covariance of {first} and {second} is not finite")
    if not _is_covariance(matrix):
        raise FileError(shown, "its covariance is none: no parameters can vary like that")
    return matrix


def _is_covariance(matrix: np.ndarray) -> bool:
    """Whether a matrix is symmetric without a negative variance, up to rounding."""
    variances = np.diagonal(matrix)
    if (variances < 0).any():
        return False
    sigmas = np.sqrt(variances)
    sizes = np.where(sigmas > 0, sigmas, 1.0)
    scaled = matrix / sizes[:, np.newaxis] / sizes
    if not (np.abs(scaled - scaled.T) <= SLACK).all() or scaled[sigmas == 0].any():
        return False
    return bool(np.linalg.eigvalsh(scaled)[0] >= -SLACK * len(matrix))


def _factor(params: Mapping[str, Any]) -> float | None:
    """How many standard uncertainties the intervals reach: Student's factor, the same for all."""
    for item in params.values():
        interval = item.get("interval")
        numbers = [item.get("sigma"), *(interval if type(interval) is list else ())]
        if len(numbers) == 3 and all(type(x) is float and math.isfinite(x) for x in numbers):
            sigma, low, high = numbers
            if sigma > 0:
                return float((high - low) / (2 * sigma))
    return None

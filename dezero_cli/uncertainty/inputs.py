"""What is asked of uncertainties, with the inputs' values -> arrays: `Inputs`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero.work import spend
from dezero_cli.faults import ValuesError
from dezero_cli.language.diagnosis import assignment
from dezero_cli.language.spelling import name_meant, quoted
from dezero_cli.uncertainty import first_order
from dezero_cli.uncertainty.asked import (
    HALF_WIDTHS,
    MEAN,
    Asked,
    Distribution,
    Percent,
    Size,
)

Values = Mapping[str, np.ndarray]


def column_name(name: str, index: tuple[int, ...]) -> str:
    """What the column of an element is called: by its input alone where that is one number."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name


@dataclass
class Inputs:
    """The inputs that are uncertain, and how.

    `sigmas` are standard uncertainties by name, each one number or as many as the input has;
    `matrix` their correlations in the order of these names and `triangle` its root, None where all
    are independent; elements of arrays are correlated with their counterparts alone.  `notes` are
    for the user.
    """

    sigmas: dict[str, Any]
    matrix: np.ndarray | None = None
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    freedom: Mapping[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.triangle = None if self.matrix is None else first_order.root(self.matrix)

    def distribution(self, name: str) -> Distribution:
        """How an input is distributed: normal, unless something else is said."""
        return self.distributions.get(name, Distribution())

    @property
    def names(self) -> list[str]:
        """The names of the inputs, in order."""
        return list(self.sigmas)


def resolved(asked: Asked, given: Values, stacked: bool = False) -> tuple[dict[str, Any], Inputs]:
    """The values, in which readings have become their means, and the inputs' uncertainties.

    With `stacked` the values are columns, and so are the uncertainties.  Raises ValuesError for a
    name without a value, for shapes that do not fit, for an uncertainty that is negative, and for
    correlations that cannot be.
    """
    readings = {} if stacked else _readings(asked, given)
    values = {**given} | {name: np.array(each.mean()) for name, each in readings.items()}
    sigmas: dict[str, Any] = {}
    for name in asked.names:
        if name in readings:
            count = len(readings[name])
            sigmas[name] = np.array(readings[name].std(ddof=1) / math.sqrt(count))
        elif name in asked.sizes:
            sigmas[name] = _sigma("--sigma", name, asked.sizes[name], values, stacked)
        else:
            kind = asked.distributions.get(name, _UNIFORM).kind
            half = _sigma("--half", name, asked.halves[name], values, stacked)
            sigmas[name] = half / HALF_WIDTHS[kind]
    freedom = {name: len(each) - 1.0 for name, each in readings.items()} | dict(asked.freedom)
    distributions = dict.fromkeys(asked.halves, _UNIFORM) | dict(asked.distributions)
    matrix = _matrix(asked, values, readings, stacked)
    notes = _together(asked, readings)
    return values, Inputs(sigmas, matrix, distributions, freedom, notes)


_UNIFORM = Distribution("uniform")


def _sigma(option: str, name: str, size: Size, given: Values, stacked: bool) -> np.ndarray:
    """The numbers of an uncertainty."""
    for wanted in (name, size):
        if isinstance(wanted, str) and wanted not in given:
            hint = name_meant(wanted, given) or f"add {assignment(wanted)}"
            raise ValuesError(f"{option} {name}: no value for {wanted}: {hint}")
    if isinstance(size, Percent):
        return np.asarray(size.share * np.absolute(given[name]))
    array = given[size] if isinstance(size, str) else size
    if not stacked and array.shape not in {(), given[name].shape}:
        raise ValuesError(f"{option} {name}: shape {array.shape} differs from the shape of {name}")
    if (array < 0).any():
        raise ValuesError(f"{option} {name}: an uncertainty cannot be negative")
    return array


def _readings(asked: Asked, given: Values) -> dict[str, np.ndarray]:
    """The readings of each input of type A; a value that is called ``mean`` comes first."""
    found = {}
    for name, size in asked.sizes.items():
        if not (isinstance(size, str) and size == MEAN) or MEAN in given:
            continue
        if name in given:
            if given[name].ndim != 1 or len(given[name]) < 2:
                raise ValuesError(
                    f"--sigma {name}=mean takes a list of 2 readings or more, as in "
                    f"{quoted(name)}=@readings.txt"
                )
            found[name] = given[name]
        else:
            hint = name_meant(name, given) or f"add {assignment(name)}"
            raise ValuesError(f"--sigma {name}: no value for {name}: {hint}")
    return found


def _matrix(
    asked: Asked, values: Values, readings: Mapping[str, np.ndarray], stacked: bool
) -> np.ndarray | None:
    """The correlations of all inputs; None where there are none."""
    if not asked.correlations:
        return None
    names = asked.names
    spend(len(names) ** 3)  # what its root takes
    matrix = np.eye(len(names))
    for (first, second), said in asked.correlations.items():
        shown = f"--corr {first},{second}"
        if not stacked and values[first].shape != values[second].shape:
            raise ValuesError(f"{shown}: the shapes of {first} and {second} differ")
        number = _of_readings(shown, first, second, readings) if isinstance(said, str) else said
        i, j = names.index(first), names.index(second)
        matrix[i, j] = matrix[j, i] = number
    return matrix


def _of_readings(shown: str, first: str, second: str, readings: Mapping[str, np.ndarray]) -> float:
    """The correlation of two means, which is that of their readings (JCGM 100:2008, 5.2.3)."""
    for name in (first, second):
        if name not in readings:
            raise ValuesError(f"{shown}=mean needs readings: add --sigma {name}=mean")
    one, other = readings[first], readings[second]
    if len(one) != len(other):
        counts = f"{first} has {len(one)} and {second} has {len(other)}"
        raise ValuesError(f"{shown}=mean needs readings that were taken together: {counts}")
    one, other = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(one @ one)) * math.sqrt(float(other @ other))
    return float(one @ other) / scale if scale else 0.0


def _together(asked: Asked, readings: Mapping[str, np.ndarray]) -> list[str]:
    """A note where readings may have been taken together, and nothing is said of it."""
    counts: dict[int, list[str]] = {}
    for name, each in readings.items():
        if not any(name in pair for pair in asked.correlations):
            counts.setdefault(len(each), []).append(name)
    return [
        f"note: {' and '.join(names)} have {count} readings each, taken as independent here; if "
        f"they were read together, add --corr {','.join(map(quoted, names))}=mean"
        for count, names in counts.items()
        if len(names) > 1
    ]

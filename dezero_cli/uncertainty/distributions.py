"""How inputs are distributed -> draws of them, block by block, each block from a stream of its own.

A distribution has the input's value for its mean and the standard uncertainty for its standard
deviation, whatever its kind (JCGM 101:2008, 6.4).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.uncertainty.asked import HALF_WIDTHS, Distribution
from dezero_cli.uncertainty.inputs import Inputs, column_name

BLOCK = 1 << 15
"""Draws of a block, at most; with the seed and the block's number it says what they are."""

MOST_NUMBERS = 1 << 22
"""Numbers of a block: of many columns there are fewer draws in each."""


@dataclass(frozen=True)
class Drawn:
    """One column of draws."""

    key: str
    mean: float
    sigma: float
    distribution: Distribution


class InputDraws:
    """Blocks of draws of the inputs: the same for the same seed, in whatever thread.

    `columns` are all that are drawn, `rows` how many draws a block has, where a function of them
    has so many `results`.  Raises ValuesError for a distribution that an input cannot have.
    """

    def __init__(
        self, inputs: Inputs, values: Mapping[str, np.ndarray], seed: int, results: int = 1
    ) -> None:
        self.seed = seed
        self.columns: list[Drawn] = []
        self._buffers = threading.local()
        places: dict[str, list[int]] = {}
        for name, sigma in inputs.sigmas.items():
            distribution = inputs.distribution(name)
            places[name] = list(self._added(name, values[name], sigma, distribution))
        self.groups = _groups(inputs, places)
        self.rows = max(1, min(BLOCK, MOST_NUMBERS // max(len(self.columns), results)))

    def _added(
        self, name: str, value: np.ndarray, sigma: Any, distribution: Distribution
    ) -> list[int]:
        """Add the columns of an input; the number of each."""
        sigmas = np.broadcast_to(sigma, value.shape)
        found = []
        for index in np.ndindex(value.shape):
            each = Drawn(
                column_name(name, index), float(value[index]), float(sigmas[index]), distribution
            )
            if distribution.kind == "lognormal" and each.sigma and not each.mean > 0:
                raise ValuesError(f"--dist {name}=lognormal: {each.key} is not more than 0")
            found.append(len(self.columns))
            self.columns.append(each)
        return found

    def block(self, number: int, rows: int | None = None) -> dict[str, np.ndarray]:
        """The first `rows` draws of a block, a column by name; good until the thread's next."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(number,))
        generator = np.random.Generator(np.random.PCG64(sequence))
        buffers = self._buffer()
        for column, out in zip(self.columns, buffers, strict=True):
            _standard(generator, column.distribution, out)
        for group in self.groups:
            group.correlate(generator, buffers)
        for column, out in zip(self.columns, buffers, strict=True):
            _scaled(column, out)
        return {c.key: out[:rows] for c, out in zip(self.columns, buffers, strict=True)}

    def _buffer(self) -> np.ndarray:
        """This thread's memory for a block."""
        found = vars(self._buffers).get("columns")
        if found is None:
            found = self._buffers.columns = np.empty((len(self.columns), self.rows))
        return found


class Group:
    """Columns that are correlated: normal, or t of the same degrees of freedom; or one t alone."""

    def __init__(self, columns: list[int], triangle: np.ndarray, freedom: float) -> None:
        self.columns = columns
        self.triangle = triangle
        self.freedom = freedom

    def correlate(self, generator: np.random.Generator, buffers: np.ndarray) -> None:
        """Make standard normal columns correlated, and t where they are."""
        for i in range(len(self.columns) - 1, -1, -1):  # the last first: each needs those before
            out = buffers[self.columns[i]]
            out *= self.triangle[i, i]
            for j in np.flatnonzero(self.triangle[i, :i]).tolist():
                out += self.triangle[i, j] * buffers[self.columns[j]]
        if math.isfinite(self.freedom):
            common = np.sqrt(
                (self.freedom - 2) / generator.chisquare(self.freedom, buffers.shape[1])
            )
            for i in self.columns:
                buffers[i] *= common


def _groups(inputs: Inputs, places: Mapping[str, list[int]]) -> list[Group]:
    """The columns that are correlated with one another, element by element, and each other t."""
    names = inputs.names
    matrix = np.eye(len(names)) if inputs.matrix is None else inputs.matrix
    triangle = np.eye(len(names)) if inputs.triangle is None else inputs.triangle
    groups = connected(matrix)
    alone = set(range(len(names))).difference(*groups)
    found = [
        Group([column], np.eye(1), distribution.freedom)
        for i in sorted(alone)
        if (distribution := inputs.distribution(names[i])).kind == "t"
        for column in places[names[i]]
    ]
    for together in groups:
        first = inputs.distribution(names[together[0]])
        for i in together:
            own = inputs.distribution(names[i])
            if own.kind not in {"normal", "t"} or own != first:
                shown = ", ".join(f"{names[j]} {_shown(inputs, names[j])}" for j in together)
                fault = "draws of correlated inputs are normal, or t of the same degrees of freedom"
                raise ValuesError(f"--corr: {fault}: {shown}")
        own_triangle = triangle[np.ix_(together, together)]
        elements = zip(*(places[names[i]] for i in together), strict=True)
        found += [Group(list(each), own_triangle, first.freedom) for each in elements]
    return found


def _shown(inputs: Inputs, name: str) -> str:
    return f"is {inputs.distribution(name)}"


def connected(matrix: np.ndarray) -> list[list[int]]:
    """The sets of two and more inputs that are correlated, directly or by way of others."""
    left = set(range(len(matrix)))
    found = []
    while left:
        reached = [left.pop()]
        for i in reached:  # grows as it is walked
            new = left.intersection(np.flatnonzero(matrix[i]).tolist())
            left -= new
            reached += sorted(new)
        if len(reached) > 1:
            found.append(sorted(reached))
    return sorted(found)


def _standard(generator: np.random.Generator, distribution: Distribution, out: np.ndarray) -> None:
    """Fill a column with draws of mean 0 and standard deviation 1; normal ones for what is made
    of them, which is t and lognormal.
    """
    kind = distribution.kind
    if kind in {"normal", "lognormal", "t"}:
        generator.standard_normal(out=out)
        return
    generator.random(out=out)
    if kind == "uniform":
        out -= 0.5
        out *= 2.0 * HALF_WIDTHS[kind]
    elif kind == "triangular":
        out -= generator.random(len(out))
        out *= HALF_WIDTHS[kind]
    else:
        np.cos(np.multiply(out, math.pi, out=out), out=out)
        out *= HALF_WIDTHS[kind]


def _scaled(column: Drawn, out: np.ndarray) -> None:
    """Give a column of mean 0 and standard deviation 1 those of the input."""
    if column.distribution.kind == "lognormal" and column.sigma:
        relative = column.sigma / column.mean
        spread = math.sqrt(math.log1p(relative * relative))
        out *= spread
        out += math.log(column.mean) - spread * spread / 2
        np.exp(out, out=out)
        return
    out *= column.sigma
    out += column.mean

"""The rows of a fit: columns and their uncertainties, without the rows that lack a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dezero_cli.faults import UsageError
from dezero_cli.language.spelling import quoted
from dezero_cli.number_format import number_text
from dezero_cli.solving.rows import Array, Block, row_count, spread_name

KEPT = 1 << 26
"""Numbers of a table that are kept in memory; a larger table is read again for every pass."""


class Spread(NamedTuple):
    """A standard uncertainty: a number, a part of the value itself, or a column."""

    number: float = 0.0
    part: float = 0.0
    column: str | None = None

    def of(self, values: Array, block: Block) -> Array:
        """The uncertainty in each row."""
        if self.column is not None:
            return block[self.column]
        return np.abs(values) * self.part if self.part else np.full(len(values), self.number)


class RowData:
    """The rows that `source` yields, each time that `blocks` is called.

    Blocks have the columns `names` and, for those in `spreads`, their uncertainties.  The rows are
    kept in memory where they are few enough; otherwise `source` is called again for every pass, if
    it `rereads`.
    """

    def __init__(
        self,
        source: Callable[[], Iterable[Block]],
        names: Sequence[str],
        spreads: Mapping[str, Spread] | None = None,
        rereads: bool = True,
    ) -> None:
        self._source, self.names, self.spreads = source, list(names), spreads or {}
        self.left_out = 0
        self.rows = 0
        self._kept: list[Block] | None = []
        numbers = 0
        for block in self._made():
            numbers += row_count(block) * len(block)
            if rereads and numbers > KEPT:
                self._kept = None
            if self._kept is not None:
                self._kept.append(block)
        if self._kept:
            self._kept = [_joined(self._kept)]

    def blocks(self) -> Iterable[Block]:
        """The rows from the first on."""
        return self._read() if self._kept is None else self._kept

    def _read(self) -> Iterator[Block]:
        before = self.left_out, self.rows
        yield from self._made()
        self.left_out, self.rows = before

    def _made(self) -> Iterator[Block]:
        """Blocks with uncertainties, without the rows with an empty cell."""
        self.left_out = self.rows = 0
        for block in self._source():
            made = {name: block[name] for name in self.names}
            for name, spread in self.spreads.items():
                made[spread_name(name)] = spread.of(block[name], block)
            whole = ~np.any([np.isnan(column) for column in made.values()], axis=0)
            kept = int(whole.sum())
            if kept < len(whole):
                self.left_out += len(whole) - kept
                made = {name: column[whole] for name, column in made.items()}
            self._check(made)
            self.rows += kept
            if kept:
                yield made

    def _check(self, block: Block) -> None:
        """Refuse an uncertainty that is no positive number."""
        for name in self.spreads:
            column = block[spread_name(name)]
            wrong = np.flatnonzero(~((column > 0) & np.isfinite(column)))
            if wrong.size:
                i = int(wrong[0])
                shown = number_text(float(column[i]))
                row = self.rows + i + 1
                raise UsageError(
                    f"--sigma {quoted(name)} is {shown} in row {row}: an uncertainty is more than 0"
                )


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return {name: np.ascontiguousarray(column) for name, column in blocks[0].items()}
    return {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}

"""Text cells of a whole table -> the types of its columns.

A column is of integers if every cell is written as one and fits, of numbers if every cell is a
number, and of text otherwise: it stays text if a type would change a cell, as the zeros of 007.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dezero_cli.tables.delimited import stripped

_INTEGER = r"^-?(0|[1-9][0-9]{0,18})$"
_NOT_A_NUMBER = r"^[+-]?(0[0-9]|[0-9]{19})"

_ORDER = (pl.Int64, pl.Float64, pl.String)


class Types:
    """The types of columns, learnt piece by piece; the columns `numbers` are always of numbers."""

    def __init__(self, numbers: Sequence[str]) -> None:
        self._numbers = numbers
        self._ranks: dict[str, int] = {}

    def learn(self, frame: pl.DataFrame) -> None:
        """Take further rows of text cells into account."""
        for name in frame.columns:
            rank = self._rank(name, frame[name])
            if rank is not None:
                self._ranks[name] = max(rank, self._ranks.get(name, 0))

    def include(self, others: Types) -> None:
        """Take into account what was learnt from other rows of the same columns."""
        self._numbers = others._numbers
        for name, rank in others._ranks.items():
            self._ranks[name] = max(rank, self._ranks.get(name, 0))

    def _rank(self, name: str, cells: pl.Series) -> int | None:
        if self._ranks.get(name) == len(_ORDER) - 1:
            return None
        known = stripped(cells).drop_nulls()
        if known.is_empty():
            return None
        if known.str.contains(_INTEGER).all() and _fits(known):
            return 0
        if name in self._numbers:
            return 1
        numbers = known.cast(pl.Float64, strict=False)
        odd = numbers.null_count() or known.str.contains(_NOT_A_NUMBER).any()
        return 2 if odd else 1

    def schema(self, columns: Sequence[str]) -> dict[str, type[pl.DataType]]:
        """The type of each column; an empty one is of text, or of numbers if these are needed."""
        return {
            name: _ORDER[self._ranks.get(name, 1 if name in self._numbers else 2)]
            for name in columns
        }

    def applied(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of text cells as columns of these types."""
        schema = self.schema(frame.columns)
        return pl.DataFrame(
            [
                frame[name] if kind == pl.String else stripped(frame[name]).cast(kind)
                for name, kind in schema.items()
            ]
        )


def _fits(integers: pl.Series) -> bool:
    """Whether integers fit into 64 bits."""
    return integers.cast(pl.Int64, strict=False).null_count() == 0

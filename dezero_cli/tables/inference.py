"""Rows of text of a whole table -> the types of its columns.

A column of CSV is of integers if every cell is written as one and fits, of numbers if every cell is
a number, and of text otherwise: it stays text if a type would change a cell, as the zeros of 007.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from dezero_cli.tables.cells import EXACT, changed, filled, numbers, pointed, stripped
from dezero_cli.tables.dialect import Dialect

_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
_NOT_A_NUMBER = r"^[+-]?(0[0-9]|[0-9]{19})"
_LONG = r"^-?[0-9]{16,}$"

_WIDE = 8
"""Columns for each row from which on a table is wide."""

_ORDER = (pl.Int64, pl.Float64, pl.String)


class Types:
    """The types of columns of text cells, learnt piece by piece; columns are known by their place.

    The columns at the places `used` are always of numbers; with `only` no others are looked at.
    """

    def __init__(self, used: Iterable[int], dialect: Dialect, only: bool = False) -> None:
        self._only = only
        self._used = {str(place) for place in used}
        self._dialect = dialect
        self._ranks: dict[str, int] = {}
        self._long: set[str] = set()

    def learn(self, piece: Any) -> None:
        """Take further rows into account."""
        frame = piece.frame
        names = list(self._used) if self._only else frame.columns
        if len(names) > _WIDE * frame.height > 0:
            names = self._learn_wide(frame, names)
        for name in names:
            rank = self._rank(name, frame[name])
            if rank is not None:
                self._ranks[name] = max(rank, self._ranks.get(name, 0))

    def include(self, others: Any) -> None:
        """Take into account what was learnt from other rows of the same columns."""
        self._used, self._dialect, self._only = others._used, others._dialect, others._only
        for name, rank in others._ranks.items():
            self._ranks[name] = max(rank, self._ranks.get(name, 0))
        self._long |= others._long

    def _learn_wide(self, frame: pl.DataFrame, names: list[str]) -> list[str]:
        """Learn columns of short numbers, all at once; the names of the others.

        A call of Polars for each of many short columns would take longer than all else.
        """
        free = [name for name in names if name not in self._used]
        cells = self._bare("", pl.concat(frame.select(free).get_columns()))
        whole = cells.str.contains(_INTEGER)
        number = cells.cast(pl.Int64, strict=False)
        short = whole & (number.abs() <= 1 << 53)
        floats = cells.cast(pl.Float64, strict=False)
        short_float = floats.is_finite() & (floats != 0) & (cells.str.len_bytes() <= EXACT)
        short_float &= ~cells.str.contains(_NOT_A_NUMBER)
        empty, shape = cells.is_null(), (len(free), frame.height)

        def rows(flags: pl.Series) -> np.ndarray:
            return flags.fill_null(False).to_numpy().reshape(shape)

        plain = rows(short | short_float | empty).all(axis=1)
        ranks = (~rows(short | empty)).any(axis=1).astype(int)
        for place in np.flatnonzero(plain & ~rows(empty).all(axis=1)).tolist():
            name = free[place]
            self._ranks[name] = max(int(ranks[place]), self._ranks.get(name, 0))
        others = set(np.array(free)[~plain].tolist())
        return [name for name in names if name in others or name in self._used]

    def _rank(self, name: str, cells: pl.Series) -> int | None:
        if self._ranks.get(name) == len(_ORDER) - 1:
            return None
        known = self._bare(name, cells).drop_nulls()
        if known.is_empty():
            return None
        if known.str.contains(_INTEGER).all() and _fits(known):
            if not _exact(known, known.cast(pl.Float64)):
                self._long.add(name)  # these would change if further cells were not whole
            return 0
        if name in self._used:
            return 1
        floats = known.cast(pl.Float64, strict=False)
        odd = floats.null_count() or known.str.contains(_NOT_A_NUMBER).any()
        return 2 if odd or not _exact(known, floats) or changed(known, floats) else 1

    def _bare(self, name: str, cells: pl.Series) -> pl.Series:
        if name in self._used:
            return filled(cells, self._dialect)
        bare = stripped(cells)
        return pointed(bare) if self._dialect.decimal == "," else bare

    def schema(self, columns: Sequence[str]) -> dict[str, Any]:
        """The type of each column; an empty one is of text, or of numbers if these are needed."""
        kinds = (self._kind(str(place)) for place in range(len(columns)))
        return dict(zip(columns, kinds, strict=True))

    def _kind(self, place: str) -> Any:
        rank = self._ranks.get(place, 1 if place in self._used else 2)
        if rank == 1 and place in self._long and place not in self._used:
            return pl.String
        return _ORDER[rank]

    def applied(
        self, piece: Any, columns: Sequence[str], wanted: Collection[str] | None = None
    ) -> pl.DataFrame:
        """Rows as columns of these types: those that are wanted, or all."""
        frame = piece.frame
        if self._dialect.decimal == ".":
            frame = self._with_numbers(frame)
        cells = zip(columns, frame, strict=True)
        return pl.DataFrame(
            {name: self._typed(each) for name, each in cells if wanted is None or name in wanted}
        )

    def _with_numbers(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Cells of which the columns of numbers, which may be many, have become such."""
        for kind in (pl.Int64, pl.Float64):
            names = [n for n in frame.columns if self._kind(n) == kind and n not in self._used]
            if names:
                bare = pl.col(names).str.strip_chars()
                frame = frame.with_columns(bare.cast(kind, strict=False))
        return frame

    def _typed(self, cells: pl.Series) -> pl.Series:
        kind = self._kind(cells.name)
        if kind in (pl.String, cells.dtype):
            return cells
        if kind == pl.Float64 and cells.name in self._used:
            return numbers(cells, self._dialect)[0]
        return self._bare(cells.name, cells).cast(kind)


def _fits(integers: pl.Series) -> bool:
    """Whether integers fit into 64 bits."""
    return integers.cast(pl.Int64, strict=False).null_count() == 0


def _exact(cells: pl.Series, floats: pl.Series) -> bool:
    """Whether no long integer would change."""
    long = cells.str.contains(_LONG)
    whole = cells.filter(long).cast(pl.Int64, strict=False)
    back = floats.filter(long).cast(pl.Int64, strict=False)
    return bool(whole.is_not_null().all() and (whole == back).fill_null(False).all())

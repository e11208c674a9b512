"""JSON values of a whole table -> the types of its columns: one type holds all values of a column.

Values are never changed to fit: a column of numbers and text, or of integers that float64 would
round, is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import polars as pl

from dezero_cli.faults import TableError
from dezero_cli.tables.jsonlines import MARKS

DEEPEST = 64
"""Levels of lists and objects that a column may have."""

LONG = "long integer"
"""The kind of integers that float64 does not hold."""

WORD = "word"
"""The kind of the words nan, inf and -inf, which are numbers beside numbers."""

_POLARS: dict[Any, Any] = {
    None: pl.String,
    bool: pl.Boolean,
    str: pl.String,
    int: pl.Int64,
    LONG: pl.Int64,
    WORD: pl.String,
    float: pl.Float64,
}


class JsonTypes:
    """The types of columns of JSON values, learnt piece by piece; `used` are always numbers."""

    def __init__(self, used: Iterable[str]) -> None:
        self._used = dict.fromkeys(used)
        self._kinds: dict[str, Any] = {}

    def learn(self, piece: Any) -> None:
        """Take further rows into account.  Raises TableError for values of different types."""
        piece.refuse_sparse()
        piece.refuse_unknown()
        piece.refuse_lossy()
        piece.refuse_rounded(self._used)
        piece.widen()
        for name in piece.columns:
            cells = piece.cells(name)
            try:
                self._kinds[name] = _merged(self._kinds.get(name), _kind(cells))
            except _MixedError:
                if name not in self._used:
                    raise self._explained(piece, name, cells) from None
                self._kinds[name] = str

    def _explained(self, piece: Any, name: str, cells: list[Any]) -> TableError:
        """The fault of the first row whose value does not fit those before it."""
        kind = self._kinds.get(name)
        for row, cell in zip(piece.places, cells, strict=True):
            try:
                kind = _merged(kind, _kind([cell]))
            except _MixedError as fault:
                return TableError(f"{fault}: write JSON Lines or CSV instead", row=row, column=name)
        return TableError("its values have no type that holds them all", column=name)

    def include(self, others: Any) -> None:
        """Take into account what was learnt from other rows of the same columns."""
        self._used = others._used
        for name, kind in others._kinds.items():
            self._kinds[name] = _merged(self._kinds.get(name), kind)

    def schema(self, columns: Sequence[str]) -> dict[str, Any]:
        """The type of each column; one without values is of text, or of numbers if needed."""
        return {name: self._type(name) for name in columns}

    def _type(self, name: str) -> Any:
        kind = self._kinds.get(name)
        return pl.Float64 if name in self._used and kind not in (int, LONG) else _polars(kind)

    def applied(
        self, piece: Any, columns: Sequence[str], wanted: Collection[str] | None = None
    ) -> pl.DataFrame:
        """Rows as columns of these types: those that are wanted, or all."""
        arrays = piece.arrays(self._used)
        piece.widen()
        return pl.DataFrame(
            {
                name: _numbers(name, piece.cells(name), arrays[name])
                if name in self._used and kind == pl.Float64
                else _series(name, piece.cells(name), kind)
                for name, kind in self.schema(columns).items()
                if wanted is None or name in wanted
            }
        )


def _series(name: str, cells: list[Any], kind: Any) -> pl.Series:
    """A column that the expression does not use."""
    if kind == pl.Float64:
        cells = [MARKS[cell] if type(cell) is str else cell for cell in cells]
    return pl.Series(name, cells, dtype=kind, strict=False)


def _numbers(name: str, cells: list[Any], array: Any) -> pl.Series:
    """Numbers that the expression uses; a cell without one stays empty."""
    empty = pl.Series([cell is None for cell in cells], dtype=pl.Boolean)
    return pl.Series(name, array).set(empty, None)


class _MixedError(Exception):
    """Values that no type holds."""


def _kind(cells: Iterable[Any], depth: int = 0) -> Any:
    """What all values are: None, a type of Python's, LONG, [kind of elements], {key: kind}."""
    known = [cell for cell in cells if cell is not None]
    types = set(map(type, known))
    if depth > DEEPEST:
        raise _MixedError("nested too deeply")
    if not types:
        return None
    if types == {list}:
        return [_kind((item for cell in known for item in cell), depth + 1)]
    if types == {dict}:
        if not all(known):
            raise _MixedError("an object without keys has no type in columns")
        keys = dict.fromkeys(key for cell in known for key in cell)
        return {key: _kind((cell.get(key) for cell in known), depth + 1) for key in keys}
    kind: Any = None
    if str in types and all(cell in MARKS for cell in known if type(cell) is str):
        kind = WORD
        types.discard(str)
    for each in types - {int}:
        kind = _merged(kind, each)
    return _merged(kind, _whole(known)) if int in types else kind


def _whole(cells: Iterable[Any]) -> Any:
    """The kind of the integers among some values."""
    numbers = [cell for cell in cells if type(cell) is int]
    low, high = min(numbers), max(numbers)
    if low < -(1 << 63) or high >= 1 << 63:
        raise _MixedError("an integer that does not fit into 64 bits")
    return int if low >= -(1 << 53) and high <= 1 << 53 else LONG


def _merged(one: Any, other: Any) -> Any:
    """What values of two kinds are together."""
    if one is None or other is None or one == other:
        return other if one is None else one
    if isinstance(one, list) and isinstance(other, list):
        return [_merged(one[0], other[0])]
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _merged(one.get(key), other.get(key)) for key in {**one, **other}}
    for kinds, both in (
        ((int, LONG), LONG),
        ((int, float, WORD), float),
        ((str, WORD), str),
    ):
        if one in kinds and other in kinds:
            return both
    if one in (LONG, float) and other in (LONG, float):
        raise _MixedError("an integer that would change beside numbers that are not whole")
    raise _MixedError("its type is not that of the values before it")


def _polars(kind: Any) -> Any:
    """The type of Polars for a kind."""
    if isinstance(kind, list):
        return pl.List(_polars(kind[0]))
    if isinstance(kind, dict):
        return pl.Struct({key: _polars(each) for key, each in kind.items()})
    return _POLARS[kind]

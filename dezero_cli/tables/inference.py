"""Text of a whole table -> the types of its columns.

A column is of integers if every cell is written as one and fits, of numbers if every cell is a
number, and of text otherwise: it stays text if a type would change a cell, as the zeros of 007, or
an integer beyond 2**53 in a column of other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dezero_cli.faults import TableError
from dezero_cli.language import json_input
from dezero_cli.tables import cells
from dezero_cli.tables.dialect import PLAIN, Dialect

_INTEGER = r"^(-?[1-9][0-9]{0,18}|0)$"
_NOT_A_NUMBER = r"^[+-]?(0[0-9]|[0-9]{19})"
_EXACT = 1 << 53

INTEGERS, NUMBERS, TRUTH, TEXT, OBJECTS, LISTS = (
    "integers",
    "numbers",
    "true or false",
    "text",
    "objects",
    "lists",
)


@dataclass(slots=True)
class Seen:
    """What the cells of a column have been: kinds with the first row of each, and large integers.

    These are integers beyond 2**53, which float64 does not hold.
    """

    kinds: dict[str, int] = field(default_factory=dict)
    large: int = 0


class Types:
    """The types of columns, by their places, learnt piece by piece.

    The columns `numbers` are always of numbers.
    """

    def __init__(self, numbers: Sequence[int] = (), dialect: Dialect = PLAIN) -> None:
        self._numbers = frozenset(numbers)
        self._dialect = dialect
        self._seen: dict[int, Seen] = {}

    def include(self, others: Types) -> None:
        """Take into account what was learnt from other rows of the same columns."""
        self._numbers, self._dialect = others._numbers, others._dialect
        for place, theirs in others._seen.items():
            seen = self._seen.setdefault(place, Seen())
            seen.kinds = theirs.kinds | seen.kinds
            seen.large = seen.large or theirs.large

    def schema(self, names: Mapping[int, str]) -> dict[str, Any]:
        """The type of each of the columns, which have these names, by places."""
        return {name: self.type_of(place) for place, name in names.items()}

    def type_of(self, place: int) -> Any:
        """The type of a column; an empty one is of text, or of numbers if these are needed."""
        seen = self._seen.get(place, Seen())
        kinds = set(seen.kinds)
        if kinds == {INTEGERS}:
            return pl.Int64()
        if place in self._numbers:
            return pl.Float64()
        exact = not (seen.large and INTEGERS in kinds)
        return pl.Float64() if kinds and kinds <= {INTEGERS, NUMBERS} and exact else pl.String()

    def learn(self, piece: Any) -> None:
        """Take further rows of text cells into account."""
        frame = piece.frame
        for place, name in enumerate(frame.columns):
            seen = self._seen.setdefault(place, Seen())
            known = cells.stripped(frame[name]).drop_nulls()
            if TEXT in seen.kinds or known.is_empty():
                continue
            integers = known.filter(known.str.contains(_INTEGER)).cast(pl.Int64, strict=False)
            integers = integers.drop_nulls()
            if len(integers):
                seen.kinds[INTEGERS] = 1
                seen.large |= bool((integers > _EXACT).any() or (integers < -_EXACT).any())
            if len(integers) < len(known):
                seen.kinds[self._kind(place, known)] = 1

    def _kind(self, place: int, known: pl.Series) -> str:
        """What cells are that are not all integers."""
        if place in self._numbers:
            return NUMBERS
        plain = cells.pointed(known, self._dialect)
        numbers = plain.cast(pl.Float64, strict=False)
        odd = numbers.null_count() or known.str.contains(_NOT_A_NUMBER).any()
        return TEXT if odd else NUMBERS

    def applied(self, piece: Any, names: Mapping[int, str]) -> pl.DataFrame:
        """Rows as columns of these types, those at the given places, under their names."""
        frame = piece.frame
        return pl.DataFrame({n: self._applied(frame[str(p)], p) for p, n in names.items()})

    def _applied(self, column: pl.Series, place: int) -> pl.Series:
        kind = self.type_of(place)
        if kind == pl.String:
            return column
        if place in self._numbers:
            return cells.numbers(column, self._dialect)[0].cast(kind)
        return cells.pointed(cells.stripped(column), self._dialect).cast(kind)


class JsonTypes(Types):
    """The types of the columns of JSON Lines: each value says its own.

    `nested` gives the type of a column of lists or objects.
    """

    def __init__(
        self, numbers: Sequence[int], dialect: Dialect, nested: Callable[[str], Any]
    ) -> None:
        super().__init__(numbers, dialect)
        self._nested = nested
        self._names: list[str] = []
        self._rows = 0

    def learn(self, piece: Any) -> None:
        """Take further rows into account.  Raises TableError where a column changes its type."""
        self._names = piece.names
        for row, members in enumerate(piece.texts(), 1):
            for place, name in enumerate(piece.names):
                text = members.get(name)
                if text is None or text == "null" or (place in self._numbers and text[0] == '"'):
                    continue
                seen = self._seen.setdefault(place, Seen())
                kind = _kind_of(text)
                fault = self._fault(text, kind, seen, place)
                if fault:
                    raise TableError(fault, row=row, column=name)
                seen.kinds.setdefault(kind, self._rows + row)
        self._rows += piece.seen

    def _fault(self, text: str, kind: str, seen: Seen, place: int) -> str | None:
        """What is wrong with a value beside those before it."""
        if kind == OBJECTS and text[1:-1].strip() == "":
            return "an empty object, which a table of columns cannot hold"
        if kind == INTEGERS:
            number = int(text)
            if not -(1 << 63) <= number < 1 << 63:
                return f"{text} is beyond 64 bits: write CSV or JSON Lines, which keep it"
            if abs(number) > _EXACT:
                seen.large = number
        if place in self._numbers or not seen.kinds:
            return None
        if seen.large and {INTEGERS, NUMBERS} <= {kind, *seen.kinds}:
            return f"{seen.large} changes beside numbers that are not integers: they have 53 bits"
        for other, row in seen.kinds.items():
            if other != kind and {other, kind} != {INTEGERS, NUMBERS}:
                return f"{kind}, but {other} in row {row}"
        return None

    def type_of(self, place: int) -> Any:
        """The type of a column."""
        kinds = set(self._seen.get(place, Seen()).kinds)
        if place not in self._numbers:
            if kinds & {OBJECTS, LISTS}:
                return self._nested(self._names[place])
            if kinds == {TRUTH}:
                return pl.Boolean()
        return super().type_of(place)

    def applied(self, piece: Any, names: Mapping[int, str]) -> pl.DataFrame:
        """Rows as columns of these types, those at the given places, under their names."""
        rows = piece.texts()
        found = {}
        for place, name in names.items():
            kind = self.type_of(place)
            texts = [row.get(piece.names[place]) for row in rows]
            texts = [None if text == "null" else text for text in texts]
            found[name] = self._series(name, texts, kind)
        return pl.DataFrame(found)

    def _series(self, name: str, texts: list[str | None], kind: Any) -> pl.Series:
        if kind.is_nested():
            return pl.Series(name, texts, pl.String).str.json_decode(kind)
        read: dict[Any, Callable[[str], Any]] = {
            pl.Int64: int,
            pl.Float64: _float,
            pl.Boolean: "true".__eq__,
            pl.String: _string,
        }
        convert = read[type(kind)]
        return pl.Series(name, [None if t is None else convert(t) for t in texts], kind)


def _kind_of(text: str) -> str:
    """What a value of JSON is."""
    first = text[0]
    if first in '"{[tf':
        return {'"': TEXT, "{": OBJECTS, "[": LISTS}.get(first, TRUTH)
    return INTEGERS if text.lstrip("-").isdigit() and text != "-0" else NUMBERS


def _float(text: str) -> float | None:
    """A number, also where it stands in quotes; None for a text that is empty."""
    word = text.strip('"').strip()
    if word in {"true", "false"}:
        return float(word == "true")
    return cells.as_number(word)


def _string(text: str) -> str:
    word = json_input.loads(text) if text[0] == '"' else text
    return word if type(word) is str else text

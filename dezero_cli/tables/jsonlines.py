"""JSON Lines: bytes -> an object a line -> numbers where wanted; the lines themselves are kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
import polars as pl

from dezero_cli import report
from dezero_cli.faults import TableError
from dezero_cli.language import json_input, values
from dezero_cli.tables import json_text
from dezero_cli.tables.cells import fortran
from dezero_cli.tables.dialect import NULL, STOP, Dialect

_NO_JSON = re.compile(rb'"(?:[^"\\]|\\.)*"|(-?\b(?:NaN|nan|Infinity|inf|None|True|False)\b)')
LONGEST = 40
"""Characters of a value that a message shows."""

NONFINITE = {"inf": np.inf, "-inf": -np.inf, "nan": np.nan}
"""What the key "nonfinite" of a line says of a number that is null there."""


class JsonLines:
    """The reader of JSON Lines; its columns are the keys of the objects in the first block."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._comment = dialect.comments()

    def cut(self, data: bytes) -> int:
        """Where the last complete line of `data` ends; 0 if there is none."""
        return data.rfind(b"\n") + 1

    def header(self, data: bytes, source: str) -> tuple[bytes, int]:
        """No header, and where the rows begin."""
        start = 0
        for _ in range(self.dialect.skip):
            start = data.find(b"\n", start) + 1 or len(data)
        first = data[start:].lstrip()
        line = first.partition(b"\n")[0].strip()
        if line[:1] == b"[":
            fault = (
                "a JSON array, where JSON Lines has an object on each line: jq -c '.[]' makes it so"
            )
            raise TableError(fault, source)
        if line == b"{" or (line[:1] == b"{" and line[-1:] in b",{[" and b"\n" in first):
            fault = "an object goes over several lines: jq -c . puts each on a line of its own"
            raise TableError(fault, source)
        return b"", start

    def names(self, line: bytes, data: bytes, source: str) -> list[str]:
        """All keys of the objects in `data`, in order of appearance."""
        try:
            found = self.rows(data, [], ())
        except TableError as fault:
            raise fault.below(source, 0) from None
        if not found.rows and not found.faults:
            raise TableError("the file is empty", source)
        return list(found.keys())

    def rows(self, data: bytes, names: list[str], used: Sequence[int]) -> Objects:
        """The rows of `data`.  Raises TableError, its rows counted from the start of `data`."""
        if self._comment:
            data = self._comment.sub(b"", data)
        lines = [line for line in map(bytes.strip, data.split(b"\n")) if line]
        read = json_input.loads if json_input.has_negative_zero(data) else orjson.loads
        objects: list[dict[str, Any]] = []
        faults: dict[int, TableError] = {}
        for row, line in enumerate(lines, 1):
            try:
                objects.append(_object(read, line, row))
            except TableError as fault:
                if self.dialect.on_bad == STOP:
                    raise
                faults[row] = fault
        kept = [line for row, line in enumerate(lines, 1) if row not in faults]
        numbers = [row for row in range(1, len(lines) + 1) if row not in faults]
        found = Objects(kept, objects, numbers, names, self.dialect, faults, len(lines))
        found.take(used)
        return found


def _object(read: Callable[[bytes], Any], line: bytes, row: int) -> dict[str, Any]:
    """The object of a line; a number beyond float64 is inf in it."""
    try:
        each = _loaded(read, line)
    except orjson.JSONDecodeError as fault:
        raise TableError(f"not JSON: {_reason(line, fault.msg)}", row=row) from None
    if type(each) is not dict:
        raise TableError("not a JSON object", row=row)
    return each


def _loaded(read: Callable[[bytes], Any], line: bytes) -> Any:
    """What `read` makes of a line; a number beyond float64 is inf."""
    try:
        return read(line)
    except orjson.JSONDecodeError:
        return json_input.loads(line)


def _reason(line: bytes, reason: str) -> str:
    """Why a line is not JSON."""
    for found in _NO_JSON.finditer(line):
        if found[1]:
            word = found[1].decode()
            number = word.lstrip("-").lower()[:3] in {"nan", "inf"}
            instead = f'write "{_spelt(word)}" or null' if number else f"write {_spelt(word)}"
            return f"{word} is not a word of JSON: {instead}"
    return reason


def _spelt(word: str) -> str:
    """A word of Python or JavaScript as it is written in JSON."""
    sign = "-" if word.startswith("-") else ""
    return {"nan": "nan", "none": "null", "true": "true", "false": "false"}.get(
        word.lstrip("-").lower(), f"{sign}inf"
    )


class Objects:
    """Rows that are JSON objects; see `Piece` in streams.py."""

    def __init__(
        self,
        lines: list[bytes],
        objects: list[dict[str, Any]],
        numbers: list[int],
        names: list[str],
        dialect: Dialect,
        faults: dict[int, TableError],
        seen: int,
    ) -> None:
        self._lines = lines
        self._objects = objects
        self._numbers = numbers
        self._dialect = dialect
        self._faults = faults
        self.names = names
        self.seen = seen
        self.nulls = 0
        self.arrays: dict[int, np.ndarray] = {}

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self._objects)

    @property
    def faults(self) -> list[tuple[int, TableError]]:
        """The rows that were left out, and why."""
        return sorted(self._faults.items())

    # --------------------------------------------------------------------------------- the numbers
    def take(self, used: Sequence[int]) -> None:
        """Read columns as float64: nan for null, for a missing key, and for the string "nan"."""
        wrong: dict[int, TableError] = {}
        for place in used:
            self.arrays[place] = self._column(self.names[place], wrong)
        if not wrong:
            return
        if self._dialect.on_bad == NULL:
            self.nulls = len(wrong)
            return
        if self._dialect.on_bad == STOP:
            raise next(iter(wrong.values()))
        kept = [i for i in range(self.rows) if i not in wrong]
        self._faults |= {self._numbers[i]: fault for i, fault in wrong.items()}
        self.arrays = {place: array[kept] for place, array in self.arrays.items()}
        self._lines = [self._lines[i] for i in kept]
        self._objects = [self._objects[i] for i in kept]
        self._numbers = [self._numbers[i] for i in kept]

    def _column(self, column: str, wrong: dict[int, TableError]) -> np.ndarray:
        """A column as float64; rows with something else are added to `wrong`."""
        self._find_repeated(column, wrong)
        cells = [self._cell(each, column) for each in self._objects]
        found = values.column(cells)
        if found is not None:
            return found
        array = np.full(len(cells), np.nan)
        for i, cell in enumerate(cells):
            one = values.column([cell])
            if one is None and type(cell) is str:
                number = fortran(cell)
                one = None if number is None else np.array([number])
            if one is not None:
                array[i] = one[0]
                continue
            shown = orjson.dumps(cell).decode()
            shown = shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."
            fault = TableError(f"{shown} is not a number", row=self._numbers[i], column=column)
            wrong.setdefault(i, fault)
        return array

    def _cell(self, each: dict[str, Any], column: str) -> Any:
        """A value to compute with: nan where there is none, what "nonfinite" says for null."""
        cell = each.get(column)
        if cell is None:
            said = _nonfinite(each)
            return np.nan if said is None else NONFINITE.get(said.get(column, ""), np.nan)
        missing = str(cell).strip() in self._dialect.missing if self._dialect.missing else False
        return np.nan if missing else cell

    def _find_repeated(self, column: str, wrong: dict[int, TableError]) -> None:
        """Add the rows that have a key twice to `wrong`; nearly always, counting rules them out."""
        key = orjson.dumps(column)
        rows = sum(column in each for each in self._objects)
        escaped = any(b"\\" in line for line in self._lines)
        if not escaped and sum(line.count(key) for line in self._lines) == rows:
            return
        for i, (line, each) in enumerate(zip(self._lines, self._objects, strict=True)):
            if column not in each or (b"\\" not in line and line.count(key) == 1):
                continue
            if json_input.first_repeated(line, names=(column,)) is not None:
                fault = TableError("this key is given twice", row=self._numbers[i], column=column)
                wrong.setdefault(i, fault)

    # ------------------------------------------------------------------------------------ the text
    def objects(self, taken: frozenset[str]) -> list[bytes]:
        """The objects as they were read.  Raises TableError for one with a key that is `taken`."""
        for name in sorted(taken & set().union(*self._objects)):
            rows = (i for i, each in enumerate(self._objects) if name in each)
            if name == report.NONFINITE:
                rows = (i for i in rows if _nonfinite(self._objects[i]) is None)
            row = next(rows, None)
            if row is None:
                continue
            fault = "this key is needed for a result: choose another name with --prefix"
            if name == report.NONFINITE:
                fault = "JSON Lines output uses this name itself: rename the column"
            raise TableError(fault, row=self._numbers[row], column=name)
        return self._lines

    def with_nonfinite(self, out: bytes) -> bytes:
        """Objects with results behind them, with one key "nonfinite" where there were two."""
        rows = [i for i, each in enumerate(self._objects) if report.NONFINITE in each]
        if not rows:
            return out
        lines = out.split(b"\n")
        for i in rows:
            lines[i] = json_text.with_one_nonfinite(lines[i])
        return b"\n".join(lines)

    def keys(self) -> dict[str, None]:
        """The keys of all objects, without the one that says which numbers are not finite."""
        found = dict.fromkeys(key for each in self._objects for key in each)
        if report.NONFINITE in found and all(
            _nonfinite(each) is not None for each in self._objects if report.NONFINITE in each
        ):
            del found[report.NONFINITE]
        return found

    @property
    def frame(self) -> pl.DataFrame:
        """The cells as text, lists and objects as JSON; columns are called by their places.

        Raises TableError for a key that is not one of the columns.
        """
        rows = self.texts()
        return pl.DataFrame(
            {str(i): [_plain(row.get(name)) for row in rows] for i, name in enumerate(self.names)},
            schema={str(i): pl.String for i in range(len(self.names))},
        )

    def texts(self) -> list[dict[str, str]]:
        """The value of each key as JSON text, as it came; what is not finite as a bare word.

        Raises TableError for a key that is not one of the columns.
        """
        known = {*self.names}
        for name in self.keys():
            if name not in known:
                rows = (self._numbers[i] for i, each in enumerate(self._objects) if name in each)
                raise TableError(
                    "this key is missing from the first rows", row=next(rows), column=name
                )
        found = []
        for line, each in zip(self._lines, self._objects, strict=True):
            members = json_text.members(line)
            said = _nonfinite(each)
            if said is not None:
                members.pop(report.NONFINITE, None)
                members |= {key: word for key, word in said.items() if each.get(key, 0) is None}
            found.append(members)
        return found


def _nonfinite(each: dict[str, Any]) -> dict[str, str] | None:
    """What an object says of numbers that are not finite; None if it says nothing of the kind."""
    said = each.get(report.NONFINITE)
    if type(said) is dict and all(type(w) is str and w in NONFINITE for w in said.values()):
        return said
    return None


def _plain(text: str | None) -> str | None:
    """The text of a cell: a string without its quotes, nothing for null."""
    if text is None or text == "null":
        return None
    if text[0] != '"':
        return text
    word = json_input.loads(text)
    return word if type(word) is str else None

"""JSON Lines: bytes -> an object per line -> numbers if needed; the lines themselves are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
import polars as pl

from dezero_cli import report
from dezero_cli.faults import TableError
from dezero_cli.language import json_input, values


class JsonLines:
    """The reader of JSON Lines; its columns are the keys of the objects in the first block."""

    def cut(self, data: bytes) -> int:
        """Where the last complete line of `data` ends; 0 if there is none."""
        return data.rfind(b"\n") + 1

    def columns(self, data: bytes, source: str) -> tuple[list[str], int]:
        """All keys of the objects in `data`, in order of appearance, and where the rows begin."""
        try:
            objects = self.piece(data, ()).objects
        except TableError as fault:
            raise fault.below(source, 0) from None
        if not objects:
            raise TableError("the file is empty", source)
        return list(dict.fromkeys(key for each in objects for key in each)), 0

    def piece(self, data: bytes, columns: Sequence[str]) -> Objects:
        """The rows of `data`.  Raises TableError, its rows counted from the start of `data`."""
        lines = [line for line in map(bytes.strip, data.split(b"\n")) if line]
        read = json_input.loads if json_input.has_negative_zero(data) else orjson.loads
        objects = []
        for row, line in enumerate(lines, 1):
            try:
                each = _loaded(read, line)
            except orjson.JSONDecodeError as fault:
                raise TableError(f"not JSON: {fault.msg}", row=row) from None
            if type(each) is not dict:
                raise TableError("not a JSON object", row=row)
            objects.append(each)
        return Objects(lines, objects, columns)


def _loaded(read: Callable[[bytes], Any], line: bytes) -> Any:
    """What `read` makes of a line; a number beyond float64 is inf."""
    try:
        return read(line)
    except orjson.JSONDecodeError:
        return json_input.loads(line)


class Objects:
    """Rows that are JSON objects."""

    def __init__(
        self, lines: list[bytes], objects: list[dict[str, Any]], columns: Sequence[str]
    ) -> None:
        self._lines = lines
        self.objects = objects
        self.columns = columns
        self.rows = len(objects)

    def numbers(self, column: str) -> np.ndarray:
        """A column as float64; nan for null, for a missing key, and for the string "nan"."""
        cells = [np.nan if cell is None else cell for cell in (o.get(column) for o in self.objects)]
        self._refuse_repeated(column)
        numbers = values.column(cells)
        if numbers is not None:
            return numbers
        for row, cell in enumerate(cells, 1):
            if values.column([cell]) is None:
                shown = orjson.dumps(cell).decode()
                shown = shown if len(shown) <= 40 else shown[:37] + "..."
                raise TableError(f"{shown} is not a number", row=row, column=column)
        raise AssertionError(column)

    def _refuse_repeated(self, column: str) -> None:
        """Refuse a row that has a key twice; nearly always, counting tells that none has."""
        key = orjson.dumps(column)
        rows = sum(column in each for each in self.objects)
        escaped = any(b"\\" in line for line in self._lines)
        if not escaped and sum(line.count(key) for line in self._lines) == rows:
            return
        for row, (line, each) in enumerate(zip(self._lines, self.objects, strict=True), 1):
            if column not in each or (b"\\" not in line and line.count(key) == 1):
                continue
            if json_input.first_repeated(line, names=(column,)) is not None:
                raise TableError("this key is given twice", row=row, column=column)

    def lines(self, taken: frozenset[str]) -> list[bytes]:
        """The objects as they were read.  Raises TableError for one with a key that is `taken`."""
        for name in taken & self.keys():
            row = next(i for i, each in enumerate(self.objects, 1) if name in each)
            fault = "this key is needed for a result: choose another name with --prefix"
            if name == report.NONFINITE:
                fault = "JSON Lines output uses this name itself: rename the column"
            raise TableError(fault, row=row, column=name)
        return self._lines

    def keys(self) -> set[str]:
        """The keys of all objects."""
        return set().union(*self.objects)

    @property
    def frame(self) -> pl.DataFrame:
        """The cells as text, lists and objects as JSON.  Raises TableError for an unknown key."""
        unknown = self.keys().difference(self.columns)
        if unknown:
            name = min(unknown)
            row = next(i for i, each in enumerate(self.objects, 1) if name in each)
            raise TableError("this key is missing from the first rows", row=row, column=name)
        return pl.DataFrame(
            {name: [_text(each.get(name)) for each in self.objects] for name in self.columns},
            schema=dict.fromkeys(self.columns, pl.String),
        )


def _text(cell: Any) -> str | None:
    """A JSON value as the text of a cell."""
    if cell is None or type(cell) is str:
        return cell
    try:
        return repr(cell) if type(cell) is float else orjson.dumps(cell).decode()
    except orjson.JSONEncodeError:
        raise TableError("an object is nested too deeply") from None

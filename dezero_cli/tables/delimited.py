"""CSV and TSV: bytes -> rows that are each checked -> columns of text, and of numbers if needed.

The cells stay text, so that whatever is not computed with is written as it was read.  A row has as
many cells as the header; blank lines are skipped; a cell that contains the separator, a quote or a
line end is in double quotes, and a quote inside it is doubled (RFC 4180).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson
import polars as pl

from dezero_cli.faults import TableError
from dezero_cli.tables import encode
from dezero_cli.tables.files import SEPARATORS

_QUOTE, _NEWLINE, _RETURN = b'"\n\r'
_EXACT = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""A number that JSON writes in the same way."""


class Delimited:
    """The reader of CSV or TSV."""

    def __init__(self, form: str) -> None:
        self.separator = SEPARATORS[form]
        self.form = form

    def cut(self, data: bytes) -> int:
        """Where the last complete row of `data` ends; 0 if there is none."""
        if b'"' not in data:
            return data.rfind(b"\n") + 1
        array = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero((array == _NEWLINE) & ~_inside(array))
        return int(ends[-1]) + 1 if len(ends) else 0

    def columns(self, data: bytes, source: str) -> tuple[list[str], int]:
        """The names in the header, at the start of `data`, and where the rows begin.

        Raises TableError for an empty table, and for two columns with one name.
        """
        start = len(data) - len(data.lstrip(b"\r\n"))
        array = np.frombuffer(data, np.uint8)[start:]
        ends = np.flatnonzero((array == _NEWLINE) & ~_inside(array))
        end = start + int(ends[0]) + 1 if len(ends) else len(data)
        if start == end:
            raise TableError("the file is empty", source)
        text = _decoded(data[start:end], source).rstrip("\r\n")
        if "\r" in text and '"' not in text:
            raise TableError("its lines end in CR only; expected LF or CR LF", source)
        names = next(csv.reader([text], delimiter=self.separator), [""])
        for name in names:
            if names.count(name) > 1:
                raise TableError(f"two columns are named {name!r}", source)
        return names, end

    def piece(self, data: bytes, columns: Sequence[str]) -> Rows:
        """The rows of `data`.  Raises TableError, its rows counted from the start of `data`."""
        data, count = self._checked(data, len(columns))
        if not count:
            return Rows(pl.DataFrame(schema=dict.fromkeys(columns, pl.String)))
        try:
            frame = pl.read_csv(
                data,
                has_header=False,
                separator=self.separator,
                schema=dict.fromkeys(columns, pl.String),
            )
        except pl.exceptions.PolarsError as fault:
            self._explain(data, len(columns))
            raise TableError(f"cannot be read as {self.form}: {encode.first_line(fault)}") from None
        if frame.height != count:
            raise TableError(f"cannot be read as {self.form}: its quotes do not match")
        return Rows(frame)

    def _checked(self, data: bytes, cells: int) -> tuple[bytes, int]:
        """The data without blank lines, and its number of rows.  Raises TableError for ragged rows.

        Without quotes the sums are enough: if on average a row has as many cells as the header,
        and none has more, each has as many.  (A row with more is a fault to Polars.)
        """
        array = np.frombuffer(data, np.uint8)
        if b'"' not in data and cells > 1:
            rows = np.count_nonzero(array == _NEWLINE) + (not data.endswith(b"\n") and data != b"")
            separators = np.count_nonzero(array == ord(self.separator))
            if separators == rows * (cells - 1):
                return data, int(rows)
        layout = _layout(array, ord(self.separator))
        _check_quotes(array, ord(self.separator), layout)
        _check_cells(layout, cells)
        whole = ~layout.blank
        if whole.all():
            return data, len(whole)
        kept = np.repeat(whole, layout.ends - layout.starts + 1)[: len(array)]
        return array[kept].tobytes(), int(np.count_nonzero(whole))

    def _explain(self, data: bytes, cells: int) -> None:
        """Raise the exact fault of data that Polars refuses, if it is in a row."""
        layout = _layout(np.frombuffer(data, np.uint8), ord(self.separator))
        _check_cells(layout, cells)
        try:
            data.decode()
        except UnicodeDecodeError as fault:
            row = _row_of(fault.start, layout)
            raise TableError(f"not UTF-8 (byte 0x{data[fault.start]:02x})", row=row) from None


class Rows:
    """Rows of text cells."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self.rows = frame.height

    def numbers(self, column: str) -> np.ndarray:
        """A column as float64; nan for an empty cell.  Raises TableError for other text."""
        cells = self.frame[column]
        numbers = cells.cast(pl.Float64, strict=False)
        if numbers.null_count() > cells.null_count():
            bare = stripped(cells)
            numbers = bare.cast(pl.Float64, strict=False)
            wrong = (numbers.is_null() & bare.is_not_null()).arg_true()
            if len(wrong):
                text = bare[int(wrong[0])]
                raise TableError(_not_a_number(text), row=int(wrong[0]) + 1, column=column)
        return numbers.to_numpy()

    def lines(self, taken: frozenset[str]) -> list[bytes]:
        """Each row as a JSON object on one line; a cell that reads as a JSON number is one.

        Raises TableError for a column whose name is `taken`.
        """
        for name in taken.intersection(self.frame.columns):
            raise TableError(
                "JSON Lines output uses this name itself: rename the column", column=name
            )
        parts: list[pl.Expr] = []
        for i, name in enumerate(self.frame.columns):
            key = orjson.dumps(name).decode()
            cell = pl.col(name)
            text = pl.struct(cell.alias("")).struct.json_encode().str.slice(4).str.head(-1)
            number = cell.str.contains(_EXACT)
            parts.append(pl.lit(("{" if i == 0 else ",") + key + ":"))
            parts.append(
                pl.when(cell.is_null()).then(pl.lit("null")).when(number).then(cell).otherwise(text)
            )
        joined = self.frame.select(pl.concat_str([*parts, pl.lit("}")])).to_series()
        return [line.encode() for line in joined.to_list()]


def stripped(cells: pl.Series) -> pl.Series:
    """Text without the blanks around it; null for a cell of blanks only."""
    bare = cells.str.strip_chars()
    return bare.set(bare == "", None)


class _Layout(NamedTuple):
    """Where each record begins and ends (its newline), its number of cells, whether it is blank."""

    starts: np.ndarray
    ends: np.ndarray
    cells: np.ndarray
    blank: np.ndarray


def _inside(array: np.ndarray) -> np.ndarray:
    """Whether each byte is inside quotes (the opening quote counts, the closing one does not)."""
    inside: np.ndarray = (np.cumsum(array == _QUOTE, dtype=np.uint8) & 1).astype(bool)
    return inside


def _layout(array: np.ndarray, separator: int) -> _Layout:
    outside = ~_inside(array)
    ends = np.flatnonzero((array == _NEWLINE) & outside)
    if len(array) and (not len(ends) or ends[-1] != len(array) - 1):
        ends = np.append(ends, len(array))
    separators = np.flatnonzero((array == separator) & outside)
    cells = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts
    blank = lengths == 0
    single = np.flatnonzero(lengths == 1)
    blank[single] = array[starts[single]] == _RETURN
    return _Layout(starts, ends, cells, blank)


def _check_quotes(array: np.ndarray, separator: int, layout: _Layout) -> None:
    """Refuse quotes inside a cell without quotes, and a quote that is never closed."""
    quotes = np.flatnonzero(array == _QUOTE)
    padded = np.concatenate([[_NEWLINE], array, [_NEWLINE]])
    opening, closing = quotes[0::2], quotes[1::2]
    stray = np.concatenate(
        [
            opening[~np.isin(padded[opening], [separator, _NEWLINE, _QUOTE])],
            closing[~np.isin(padded[closing + 2], [separator, _NEWLINE, _RETURN, _QUOTE])],
        ]
    )
    if len(stray):
        advice = "put the whole cell in quotes, and double the quote inside"
        row = _row_of(int(stray.min()), layout)
        raise TableError(f"a quote inside a cell: {advice}", row=row)
    if len(quotes) % 2:
        raise TableError("a quote is never closed", row=_row_of(int(quotes[-1]), layout))


def _check_cells(layout: _Layout, wanted: int) -> None:
    """Refuse a row that does not have as many cells as the header."""
    ragged = np.flatnonzero((layout.cells != wanted) & ~layout.blank)
    if len(ragged):
        got = int(layout.cells[ragged[0]])
        message = f"{got} cell{'s'[: got != 1]}, but the header has {wanted}"
        raise TableError(message, row=_row_of(int(layout.starts[ragged[0]]), layout))


def _row_of(place: int, layout: _Layout) -> int:
    """The number of the row that contains a byte; blank lines are not counted."""
    record = int(np.searchsorted(layout.ends, place))
    return record + 1 - int(np.count_nonzero(layout.blank[:record]))


def _not_a_number(text: str) -> str:
    comma = text.replace(",", ".", 1)
    shown = text if len(text) <= 40 else text[:37] + "..."
    try:
        float(comma)
    except ValueError:
        return f"{shown!r} is not a number"
    return (
        f"{shown!r} is not a number: write {comma}" if "," in text else f"{shown!r} is not a number"
    )


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as fault:
        byte = data[fault.start]
        raise TableError(f"not UTF-8 (byte 0x{byte:02x} in the header)", source) from None

"""Tables -> blocks of float64 columns by name, for what computes with rows and writes none."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dezero_cli import reading
from dezero_cli.extras import require
from dezero_cli.faults import TableError
from dezero_cli.formats.quiet import quiet
from dezero_cli.progress import Progress
from dezero_cli.tables.dialect import Dialect
from dezero_cli.tables.files import SEPARATORS, TEXT, Tables

ROWS = 1 << 20
"""Rows of a table of columns that are read at a time."""

Block = Mapping[str, np.ndarray]


class ColumnReader:
    """The columns of tables, known from the start; their rows can be read again from the start.

    Standard input can be read once.  Small text is read without Polars where it is not installed.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.skipped = 0
        """Rows that cannot be read and were left out, where the dialect says so."""
        self._plain: dict[str, list[str]] | None = None
        self._source: Any = None
        self._read: Mapping[str, int] = {}
        if tables.format not in TEXT:
            require("polars")
            from dezero_cli.tables import columnar
            from dezero_cli.tables.resting import Resting

            self._resting = Resting(tables)
            with quiet(Progress(0)), self._resting.named() as laid:
                self.schema = columnar.schema_of_all(laid)
            self.columns = list(self.schema)
        elif self._is_plain and importlib.util.find_spec("polars") is None:
            self._plain, self._read = _plain(tables)
            self.columns = list(self._plain)
        else:
            require("polars")
            from dezero_cli.tables.streams import TextTable

            self._source = TextTable(tables)
            self.columns = list(self._source.names)

    @property
    def _is_plain(self) -> bool:
        """Whether the standard library reads it: text with commas or tabs, written as usual."""
        usual = replace(self.tables.dialect, longest=Dialect().longest) == Dialect()
        return self.tables.format in SEPARATORS and usual

    def blocks(self, numbers: Sequence[str], texts: Sequence[str] = ()) -> Iterator[Block]:
        """The rows from the first on: columns of float64, an empty cell is nan.

        With `texts` as text, under `text_name`.  Raises TableError for a cell that is not a number.
        """
        if self._plain is not None:
            yield _plain_block(self._plain, self.tables.names, numbers, texts)
        elif self.tables.format in TEXT:
            yield from self._of_text(numbers, texts)
        else:
            yield from self._of_columns(numbers, texts)

    def row_name(self, number: int) -> str:
        """What a row that was read is called, of which the first is 0: with its file, if several.

        Rows that cannot be read are not counted where they are left out.
        """
        if self.skipped:
            return f"row {number + 1} of those that can be read"
        if len(self.tables.names) > 1:
            for name, rows in self._rows():
                if number < rows:
                    return f"row {number + 1} of {reading.shown_name(name)}"
                number -= rows
        return f"row {number + 1}"

    def _rows(self) -> Iterator[tuple[str, int]]:
        """The rows of each file."""
        if self.tables.format in TEXT:
            yield from self._read.items()
            return
        from dezero_cli.tables import columnar

        with self._resting.named() as laid:
            for name, known in zip(self.tables.names, laid.names, strict=True):
                yield name, columnar.row_count(replace(laid, names=(known,)))

    def _of_text(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Block]:
        from dezero_cli.tables.streams import TextTable

        source, self._source = self._source or TextTable(self.tables), None
        cells = source.places(texts)
        self.skipped = 0
        self._read = source.rows_read
        for piece in source.pieces(numbers):
            self.skipped += piece.skipped
            block = dict(piece.numbers)
            frame: Any = piece.frame if cells else None
            for name, place in cells.items():
                cell = frame[str(place)].fill_null("")
                block[text_name(name)] = np.array(cell.to_list(), object)
            yield block

    def _of_columns(self, numbers: Sequence[str], texts: Sequence[str]) -> Iterator[Block]:
        from dezero_cli.tables import columnar

        others = {name: text_name(name) for name in texts}
        with self._resting.named() as laid:
            for frame in columnar.frames(laid, self.schema, numbers, others, ROWS):
                block = {name: frame[name].fill_null(np.nan).to_numpy() for name in numbers}
                for name in others.values():
                    block[name] = np.array(frame[name].cast(str).fill_null("").to_list(), object)
                yield block


def text_name(name: str) -> str:
    """The name under which a block has a column as text; it may have it as numbers too."""
    return f"text of {name}\0"


def _plain(tables: Tables) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The cells of CSV or TSV by column, and the rows of each file, by the standard library."""
    found: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for name in tables.names:
        try:
            text = reading.whole(name).removeprefix(reading.BOM).decode()
        except UnicodeDecodeError as fault:
            wrong = f"not UTF-8 at byte {fault.start}"
            raise TableError(wrong, name) from None
        lines = csv.reader(text.splitlines(), delimiter=SEPARATORS[tables.format])
        rows = [row for row in lines if row]
        if not rows:
            raise TableError("the file is empty", name)
        header, *rest = rows
        if found and list(found) != header:
            raise TableError(f"its columns are not those of {tables.names[0]}", name)
        for number, row in enumerate(rest, 1):
            if len(row) != len(header):
                count = f"{len(row)} cells, but the header has {len(header)}"
                raise TableError(count, name, row=number)
        for i, column in enumerate(header):
            found.setdefault(column, []).extend(row[i] for row in rest)
        counts[name] = len(rest)
    return found, counts


def _plain_block(
    cells: Mapping[str, list[str]],
    files: Sequence[str],
    numbers: Sequence[str],
    texts: Sequence[str],
) -> Block:
    block = {text_name(name): np.array(cells[name], object) for name in texts}
    for name in numbers:
        column = np.empty(len(cells[name]))
        for i, cell in enumerate(cells[name]):
            try:
                column[i] = float(cell) if cell.strip() else np.nan
            except ValueError:
                shown = f"{cell.strip()[:40]!r} is not a number"
                raise TableError(shown, files[0], row=i + 1, column=name) from None
        block[name] = column
    return block

"""Rows of cells: their numbers, their cells as text, and their lines with results behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import polars as pl

from dezero_cli.faults import TableError
from dezero_cli.tables import cells, encode
from dezero_cli.tables.dialect import NULL

if TYPE_CHECKING:
    from dezero_cli.tables.delimited import Delimited

_EXACT = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""A number that JSON writes in the same way."""


class Record(NamedTuple):
    """One row: its number from 1, how many cells it has, these, its line, and how that ends."""

    row: int
    size: int
    cells: bytes
    line: bytes
    end: bytes


class Rows:
    """Rows that have a cell for each of `names`; the cells at the places `used` are numbers.

    `table` are the cells, a row a line, `lines` the lines as they came, which end in `end`; or a
    list of records, where that is not the same for all.  `wrong` are the cells that are not
    numbers: column and row, both from 0.  `open` tells whether a last cell is empty or missing.
    `faults` are the rows that were left out, by number, with what was wrong, `nulls` those of which
    cells were taken for nan; `seen` is how many rows there were.
    """

    def __init__(
        self,
        form: Delimited,
        names: list[str],
        table: bytes,
        used: Sequence[int],
        lines: bytes | list[Record],
        end: bytes = b"",
    ) -> None:
        self._form = form
        self.names = names
        self._table = table
        self._lines = lines
        self._end = end
        self.faults: list[tuple[int, TableError]] = []
        self.wrong: list[tuple[int, int]] = []
        self.arrays: dict[int, np.ndarray] = {}
        self.seen = 0
        self.nulls = 0
        last = len(names) - 1
        frame = self._numbers(used, last)
        if frame is None:
            frame = self._texts([*used, last])
        self.rows: int = frame.height
        self.open = bool(frame[str(last)].null_count())
        for place in used:
            self._take(place, frame[str(place)])

    @classmethod
    def of(
        cls, form: Delimited, names: list[str], records: list[Record], used: Sequence[int]
    ) -> Rows:
        """The rows of these records."""
        table = b"".join(part for each in records for part in (each.cells, b"\n"))
        return cls(form, names, table, used, records)

    # --------------------------------------------------------------------------------- the numbers
    def _numbers(self, used: Sequence[int], last: int) -> pl.DataFrame | None:
        """The cells at some places as numbers, the last as text; None if one is not a number."""
        dialect = self._form.dialect
        if any(map(cells.is_number, dialect.missing)):
            return None
        kinds = dict.fromkeys(map(str, used), pl.Float64)
        try:
            return self._parsed([*used, last], kinds, decimal_comma=dialect.decimal == ",")
        except pl.exceptions.PolarsError:
            return None

    def _texts(self, places: Sequence[int]) -> pl.DataFrame:
        try:
            return self._parsed(places, {})
        except pl.exceptions.PolarsError as fault:
            raise self._in_words(fault) from None

    def _parsed(self, places: Sequence[int], kinds: dict[str, Any], **options: Any) -> pl.DataFrame:
        """The cells at some places, as text or as a type of `kinds`, in columns called by place."""
        schema = {str(i): kinds.get(str(i), pl.String) for i in range(len(self.names))}
        if not self._table:
            return pl.DataFrame(schema=schema)
        return pl.read_csv(
            self._table,
            has_header=False,
            separator=self._form.separator,
            schema=schema,
            columns=sorted(set(places)) if len(places) < len(schema) else None,
            **options,
        )

    def _take(self, place: int, found: pl.Series) -> None:
        """Keep the numbers of a column, and note which of its cells are not numbers."""
        if found.dtype == pl.Float64:
            self.arrays[place] = found.fill_null(np.nan).to_numpy()
            return
        numbers, wrong = cells.numbers(found, self._form.dialect)
        self.arrays[place] = numbers.fill_null(np.nan).to_numpy()
        self.wrong += [(place, int(row)) for row in wrong]

    def fault(self, place: int, row: int) -> TableError:
        """What is wrong with a cell that is not a number."""
        text = self._texts([place])[str(place)][row]
        number = self._lines[row].row if isinstance(self._lines, list) else row + 1
        return cells.not_a_number(text, self._form.dialect, number, self.names[place].strip())

    def settled(self, seen: int) -> Rows:
        """These rows, of `seen`.  Raises TableError for a cell that is not a number."""
        self.seen = seen
        if self.wrong and self._form.dialect.on_bad != NULL:
            raise self.fault(*self.wrong[0])
        self.nulls = len({row for _, row in self.wrong})
        return self

    def _in_words(self, fault: Exception) -> TableError:
        """A fault of Polars in words: the first row that is not UTF-8, if there is one."""
        if isinstance(self._lines, bytes) and not is_utf8(self._lines):
            for row, line in enumerate(filter(bytes.strip, self._lines.split(b"\n")), 1):
                byte = first_not_utf8(line)
                if byte is not None:
                    return TableError(f"not UTF-8 (byte 0x{byte:02x})", row=row)
        return TableError(f"cannot be read as {self._form.form}: {encode.first_line(fault)}")

    # ------------------------------------------------------------------------------------ the text
    @property
    def frame(self) -> pl.DataFrame:
        """The cells, all as text; columns are called by their places."""
        return self._texts(range(len(self.names)))

    def with_results(self, results: pl.DataFrame) -> bytes:
        """The lines as they came, with the results behind them in the same dialect."""
        form = self._form
        comma = form.dialect.decimal == ","
        if isinstance(self._lines, list):
            figures = encode.delimited(results, form.between, comma=comma).split(b"\n")
            between = form.between.encode()
            pairs = zip(self._lines, figures, strict=False)
            return b"".join(r.line + between + figure + r.end for r, figure in pairs)
        if not self.rows:
            return b""
        separator = next(
            chr(i) for i in range(1, 32) if chr(i) not in "\n\r" and i not in self._lines
        )
        try:
            lines = pl.read_csv(
                self._lines,
                has_header=False,
                separator=separator,
                quote_char=None,
                schema={"": pl.String},
            )
        except pl.exceptions.PolarsError as fault:
            raise self._in_words(fault) from None
        frame = lines.hstack(results.rename({n: f" {n}" for n in results.columns}))
        return encode.delimited(frame, form.between, comma=comma, end=self._end, raw=True)

    def objects(self, taken: frozenset[str]) -> list[bytes]:
        """Each row as a JSON object on one line; a cell that reads as a JSON number is one.

        Raises TableError for a column whose name is `taken`, and for two of one name.
        """
        for name, count in Counter(self.names).items():
            if count > 1:
                shown = f"are named {name!r}" if name else "have no name"
                raise TableError(f"{count} columns {shown}: JSON needs names that differ")
        for name in taken.intersection(self.names):
            raise TableError(
                "JSON Lines output uses this name itself: rename the column", column=name
            )
        parts: list[pl.Expr] = []
        for i, name in enumerate(self.names):
            key = orjson.dumps(name).decode()
            cell = pl.col(str(i))
            text = pl.struct(cell.alias("")).struct.json_encode().str.slice(4).str.head(-1)
            number = cell.str.contains(_EXACT)
            parts.append(pl.lit(("{" if i == 0 else ",") + key + ":"))
            parts.append(
                pl.when(cell.is_null()).then(pl.lit("null")).when(number).then(cell).otherwise(text)
            )
        joined = self.frame.select(pl.concat_str([*parts, pl.lit("}")])).to_series()
        return [line.encode() for line in joined.to_list()]

    def with_nonfinite(self, out: bytes) -> bytes:
        """The lines as they are: no cell says which numbers are not finite."""
        return out


def line_end(data: bytes) -> bytes | None:
    """How all lines end; None if not all in the same way.  The last line may lack its end."""
    if b"\r" not in data:
        return b"\n"
    ends, all_ends = data.count(b"\r\n"), data.count(b"\n")
    return b"\r\n" if ends == all_ends else None if ends else b"\n"


def is_utf8(data: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    return first_not_utf8(data) is None


def first_not_utf8(data: bytes) -> int | None:
    """The first byte that is not UTF-8."""
    if data.isascii():
        return None
    try:
        data.decode()
    except UnicodeDecodeError as fault:
        return data[fault.start]
    return None

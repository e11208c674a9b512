"""CSV and TSV: bytes -> rows that are each checked -> columns of text, and of numbers if needed.

The rows stay text, so that whatever is not computed with is written as it was read.  A row has as
many cells as the header; blank lines are skipped; a cell that contains the separator, a quote or a
line end is in double quotes, and a quote inside it is doubled (RFC 4180).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import polars as pl

from dezero_cli.faults import TableError, UsageError
from dezero_cli.tables import cells as texts
from dezero_cli.tables import encode, layout
from dezero_cli.tables.dialect import BLANKS, Dialect
from dezero_cli.tables.files import SEPARATORS

WIDE = 200
"""Columns from which on all cells are looked at together."""
_EXACT = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""A number that JSON writes in the same way."""
_RUN = re.compile(rb'("(?:[^"]|"")*")|^[ \t]+|[ \t]+(?=\r?$)|[ \t]+', re.MULTILINE)
_CELL = re.compile(r'"((?:[^"]|"")*)"')
_LINE = "\x1f"
"""A separator that text does not contain, so that a line is one cell."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of columns, the line that they stand in, how lines end, where the rows begin."""

    names: list[str]
    start: int
    line: bytes = b""
    end: str = "\n"


class Delimited:
    """The reader of CSV or TSV."""

    def __init__(self, form: str, dialect: Dialect) -> None:
        self.given = dialect.separator or SEPARATORS[form]
        self.separator = "\t" if self.given == BLANKS else self.given
        self.form = form
        self.dialect = dialect
        self._end = b"\n"
        if dialect.decimal == self.given:
            raise UsageError("--decimal , needs cells that are separated by another sign")

    @property
    def comma_is_free(self) -> bool:
        """Whether a comma could be the decimal sign, and is not."""
        return self.given != "," and self.dialect.decimal == "."

    def cut(self, data: bytes) -> int:
        """Where the last complete row of `data` ends; 0 if there is none."""
        if b'"' not in data:
            return data.rfind(b"\n") + 1
        if self._has_comments(data):
            return max((end for _, end, whole in self._lines(data) if whole), default=0)
        array = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero((array == layout.NEWLINE) & ~layout.inside(array))
        return int(ends[-1]) + 1 if len(ends) else 0

    # ------------------------------------------------------------------------------- the header
    def columns(self, data: bytes, source: str) -> Header:
        """The header at the start of `data`.

        Raises TableError for an empty table, and for a header that cannot be read.
        """
        start, end = self._first_row(data, source)
        text = _decoded(data[start:end], source)
        line = text.rstrip("\r\n")
        try:
            names = self._cells(line)
        except TableError as fault:
            raise TableError(f"the header: {fault.message}", source) from None
        if "\r" in re.sub(r'"[^"]*"', "", line):
            raise TableError("its lines end in CR only; expected LF or CR LF", source)
        ending = "\r\n" if text.endswith("\r\n") else "\n"
        self._end = ending.encode()
        if self.dialect.header:
            return Header(names, end, line.encode(), ending)
        return Header([f"c{i}" for i in range(1, len(names) + 1)], start, b"", ending)

    def _first_row(self, data: bytes, source: str) -> tuple[int, int]:
        """Where the first row that is neither blank nor a comment begins and ends."""
        for start, end, _ in self._lines(data, one=True):
            if not self._is_blank(data[start:end]):
                return start, end
        raise TableError("the file is empty", source)

    def _cells(self, line: str) -> list[str]:
        """The cells of a line, without their quotes.  Raises TableError for stray quotes."""
        raw = self._tabbed(line.encode())
        array = np.frombuffer(raw, np.uint8)
        lay = layout.layout(array, ord(self.separator))
        layout.check_quotes(array, ord(self.separator), lay)
        places = np.flatnonzero((array == ord(self.separator)) & ~layout.inside(array))
        bounds = zip([-1, *places.tolist()], [*places.tolist(), len(raw)], strict=True)
        cells = (raw[start + 1 : end].decode() for start, end in bounds)
        return [cell[1:-1].replace('""', '"') if _CELL.fullmatch(cell) else cell for cell in cells]

    # --------------------------------------------------------------------------------- comments
    def _has_comments(self, data: bytes) -> bool:
        mark = self.dialect.comment
        return mark is not None and mark.encode() in data

    def _lines(self, data: bytes, one: bool = False) -> Iterator[tuple[int, int, bool]]:
        """Where the records of `data` begin and end, comments left out, and whether it is whole."""
        mark = self.dialect.comment.encode() if self.dialect.comment else None
        start = place = 0
        odd = False
        while place < len(data):
            end = data.find(b"\n", place) + 1
            line = data[place : end or len(data)]
            if not odd and mark and line.lstrip(b" \t").startswith(mark):
                start = place = place + len(line)
                continue
            odd ^= bool(line.count(b'"') & 1)
            place += len(line)
            if not odd:
                yield start, place, end > 0
                start = place
        if odd:
            yield start, place, False

    def before(self, data: bytes, row: int) -> bytes:
        """What of `data` comes before a row; blank lines and comments do not count."""
        left = row - 1
        for start, end, _ in self._lines(data):
            if left == 0:
                return data[:start]
            left -= not self._is_blank(data[start:end])
        return data

    def _is_blank(self, line: bytes) -> bool:
        return not line.strip(b" \t\r\n" if self.given == BLANKS else b"\r\n")

    def _end_after(self, lines: bytes) -> bytes:
        """How a last line ends that has no end: as the one above."""
        return b"\r\n" if lines.endswith(b"\r\n") else b"\n" if lines else self._end

    # ------------------------------------------------------------------------------------- rows
    def piece(self, data: bytes, columns: Sequence[str]) -> Rows:
        """The rows of `data`.  Raises TableError, its rows counted from the start of `data`."""
        if self._has_comments(data):
            data = b"".join(data[start:end] for start, end, _ in self._lines(data))
        if data and not data.endswith(b"\n"):
            data += self._end_after(data[: data.rfind(b"\n") + 1])
        if self.given == BLANKS:
            data = _BLANK_LINE.sub(b"", data)
        cells = self._tabbed(data)
        odd = b'"' in cells or (self.dialect.on_bad == "skip" and not layout.is_utf8(data))
        lines = None if odd else layout.even_on_average(cells, self.separator, len(columns))
        if lines is not None and not (len(columns) == 1 and _has_blank(data)):
            return Rows(self, data, cells, len(columns), lines, sure=len(columns) == 1)
        return self.looked_at(data, cells, len(columns))

    def looked_at(self, data: bytes, cells: bytes, width: int) -> Rows:
        """The rows of `data`, each looked at.  Raises TableError as `piece` does."""
        separator = ord(self.separator)
        array = np.frombuffer(cells, np.uint8)
        lay = layout.layout(array, separator)
        if self.dialect.on_bad == "skip":
            lay = layout.without_odd(cells, separator, lay)
        else:
            layout.check_quotes(array, separator, lay)
        if self.dialect.on_bad == "stop":
            layout.check_cells(lay, width)
        return self._mended(data, cells, lay, width)

    def _mended(self, data: bytes, cells: bytes, lay: layout.RowLayout, wanted: int) -> Rows:
        """Rows without blank lines; those with too few or too many cells filled or left out."""
        whole, fill = ~lay.blank, self.dialect.on_bad == "null"
        ragged = whole & (lay.cells != wanted)
        if fill and (lay.cells[ragged] > wanted).any():
            layout.check_cells(lay._replace(cells=np.maximum(lay.cells, wanted)), wanted)
        kept = whole if fill else whole & ~ragged
        if kept.all() and not ragged.any():
            return Rows(self, data, cells, wanted, len(kept))
        short = wanted - lay.cells[kept]
        joined = _joined(cells, lay, kept, self.separator.encode(), short)
        if self.given == BLANKS:
            raw = layout.layout(np.frombuffer(data, np.uint8), ord(self.separator))
            data = _joined(data, raw, kept, b" NaN", short)
        else:
            data = joined
        rows = Rows(self, data, joined, wanted, int(np.count_nonzero(kept)))
        rows.places, rows.read = np.cumsum(whole)[kept], int(np.count_nonzero(whole))
        return rows

    def _tabbed(self, data: bytes) -> bytes:
        """Text whose runs of blanks are single tabs, if blanks are the separator."""
        if self.given != BLANKS:
            return data

        def tab(run: re.Match[bytes]) -> bytes:
            if run[1]:
                return run[1]
            start, end = run.span()
            outer = start == 0 or data[start - 1] == layout.NEWLINE or data[end : end + 1] in _ENDS
            return b"" if outer else b"\t"

        return _RUN.sub(tab, data)

    def explained(self, data: bytes, fault: Exception) -> TableError:
        """The fault of data that Polars refuses."""
        lay = layout.layout(np.frombuffer(data, np.uint8), ord(self.separator))
        try:
            data.decode()
        except UnicodeDecodeError as wrong:
            row = layout.row_of(wrong.start, lay)
            return TableError(f"not UTF-8 (byte 0x{data[wrong.start]:02x})", row=row)
        return TableError(f"cannot be read as {self.form}: {encode.first_line(fault)}")


_ENDS = (b"", b"\n", b"\r")
_BLANK_LINE = re.compile(rb"^[ \t]*\r?\n", re.MULTILINE)


def _joined(
    data: bytes, lay: layout.RowLayout, kept: np.ndarray, mark: bytes, short: np.ndarray
) -> bytes:
    """The records that are kept; where one is short of cells, as many marks are added."""
    bounds = zip(lay.starts[kept].tolist(), lay.ends[kept].tolist(), short.tolist(), strict=True)
    return b"".join(_filled(data[a:b], mark * n) + b"\n" for a, b, n in bounds)


def _filled(line: bytes, more: bytes) -> bytes:
    return line[:-1] + more + b"\r" if line.endswith(b"\r") else line + more


def _has_blank(data: bytes) -> bool:
    return data.startswith((b"\n", b"\r\n")) or b"\n\n" in data or b"\n\r\n" in data


class Rows:
    """Rows of text: as whole lines, as cells, and some of their cells as numbers.

    `rows` is their number, `read` the number of rows that were read to get them, which is larger
    where bad ones are left out; `places` are their numbers among these.  All this is so from the
    call of `arrays` on, which comes first: rows that are not `sure` have as many cells as the
    header on average, and it sees whether each has.
    """

    def __init__(
        self,
        reader: Delimited,
        data: bytes,
        cells: bytes,
        width: int,
        rows: int,
        sure: bool = True,
    ) -> None:
        self._sure = sure
        self._reader = reader
        self._data = data
        self._cells = cells
        self._width = width
        self._kept: np.ndarray | None = None
        self.rows = self.read = rows
        self.places: np.ndarray | None = None
        self.numbers: dict[str, np.ndarray] = {}

    @property
    def skipped(self) -> int:
        """The number of rows that were left out."""
        return self.read - self.rows

    def arrays(self, columns: dict[str, int]) -> dict[str, np.ndarray]:
        """Columns, given by name and place, as float64; nan for an empty cell.

        Raises TableError for other text, or leaves such rows out, or takes the cell for empty.
        """
        if not self.rows:
            return {name: np.empty(0) for name in columns}
        plain = self._plain_arrays(columns)
        if not self._sure:
            self._look()
            return self.arrays(columns)
        if plain is not None:
            return plain
        frame = self._parsed(sorted(set(columns.values())))
        found: dict[str, np.ndarray] = {}
        bad = np.zeros(self.rows, bool)
        for name, place in columns.items():
            numbers, wrong = texts.numbers(frame[str(place)], self._reader.dialect)
            if len(wrong) and self._reader.dialect.on_bad == "stop":
                text = frame[str(place)][int(wrong[0])]
                reader = self._reader
                message = texts.not_a_number(
                    *(text.strip(), name, reader.comma_is_free),
                    *(reader.given, reader.dialect.header),
                )
                raise TableError(message, row=self._row(int(wrong[0])), column=name)
            bad[wrong.to_numpy()] = True
            found[name] = numbers.to_numpy()
        if self._reader.dialect.on_bad == "skip" and bad.any():
            self._kept = ~bad
            self.rows = int(np.count_nonzero(self._kept))
            return {name: numbers[self._kept] for name, numbers in found.items()}
        return found

    def _plain_arrays(self, columns: dict[str, int]) -> dict[str, np.ndarray] | None:
        """Columns of plain numbers and empty cells, read in one go; None if a cell is another.

        A row with too few cells has no last cell; where none has, none has too many either.
        """
        dialect = self._reader.dialect
        if not columns or dialect.missing or dialect.decimal != ".":
            return None
        schema: dict[str, Any] = {str(i): pl.String for i in range(self._width)}
        schema |= {str(place): pl.Float64 for place in columns.values()}
        last = self._width - 1
        try:
            frame = self._read(sorted({*columns.values(), last}), schema)
        except pl.exceptions.PolarsError:
            return None
        if frame.height != self.rows:
            return None
        self._sure |= not frame[str(last)].null_count()
        return {name: frame[str(i)].fill_null(np.nan).to_numpy() for name, i in columns.items()}

    def _look(self) -> None:
        """See whether each row has as many cells as the header, or is bad."""
        array = np.frombuffer(self._cells, np.uint8)
        if layout.is_even(array, ord(self._reader.separator), self._width) is None:
            looked_at = self._reader.looked_at(self._data, self._cells, self._width)
            self.__dict__.update(looked_at.__dict__)
        self._sure = True

    def _row(self, index: int) -> int:
        return index + 1 if self.places is None else int(self.places[index])

    def _parsed(self, places: Sequence[int] | None = None) -> pl.DataFrame:
        """The cells of some columns, or of all; each column is called by its place."""
        schema = {str(i): pl.String for i in range(self._width)}
        if not self._cells:
            return pl.DataFrame(schema=schema)
        if places is not None and not places:
            return pl.DataFrame()
        try:
            return self._read(places, schema)
        except pl.exceptions.PolarsError as fault:
            raise self._reader.explained(self._cells, fault) from None

    def _read(self, places: Sequence[int] | None, schema: dict[str, Any]) -> pl.DataFrame:
        """The cells of some columns, of the types that `schema` has for their places."""
        return _read(self._cells, separator=self._reader.separator, columns=places, schema=schema)

    def _filtered(self, cells: pl.Series) -> pl.Series:
        return cells if self._kept is None else cells.filter(pl.Series(self._kept))

    @property
    def frame(self) -> pl.DataFrame:
        """The cells as text; each column is called by its place."""
        frame = self._parsed()
        return frame if self._kept is None else frame.filter(pl.Series(self._kept))

    def parts(self) -> Iterator[Rows]:
        """The rows, which are at most as many cells as bytes, in one part."""
        yield self

    def text(self) -> pl.Series:
        """Each row as it was read, without its line end."""
        schema = {"": pl.String}
        if not self._data:
            return pl.Series("", [], dtype=pl.String)
        if b"\x1f" not in self._data:
            try:
                lines = _read(self._data, separator=_LINE, quote_char=None, schema=schema)[""]
            except pl.exceptions.PolarsError as fault:
                raise self._reader.explained(self._cells, fault) from None
            if len(lines) == len(self._kept if self._kept is not None else range(self.rows)):
                return self._filtered(lines)
        try:
            return self._filtered(pl.Series("", [line.decode() for line in self._split()]))
        except UnicodeDecodeError as fault:
            raise self._reader.explained(self._cells, fault) from None

    def returns(self) -> np.ndarray | bool:
        """Whether the rows end in CR LF: all of them, or each."""
        data = self._data
        if b"\r" not in data:
            return False
        if data.count(b"\r\n") == data.count(b"\n"):
            return True
        array = np.frombuffer(data, np.uint8)
        ends = layout.layout(array, ord(self._reader.separator)).ends
        each: np.ndarray = array[np.maximum(ends - 1, 0)] == layout.RETURN
        each = each if self._kept is None else each[self._kept]
        return each if 0 < np.count_nonzero(each) < len(each) else bool(each.any())

    def _split(self) -> Iterable[bytes]:
        lay = layout.layout(np.frombuffer(self._data, np.uint8), ord(self._reader.separator))
        for start, end in zip(lay.starts.tolist(), lay.ends.tolist(), strict=True):
            yield self._data[start:end].removesuffix(b"\r")

    def lines(self, names: Sequence[str]) -> list[bytes]:
        """Each row as a JSON object on one line; a cell that reads as a JSON number is one."""
        frame = self.frame
        keys = [orjson.dumps(name).decode() + ":" for name in names]
        if len(keys) > WIDE:
            return _wide_lines(frame, keys, self._reader.dialect.decimal)
        parts: list[pl.Expr] = []
        for i, key in enumerate(keys):
            if self._reader.dialect.decimal == ",":
                frame = frame.with_columns(texts.pointed(frame[str(i)]).alias(f"{i} pointed"))
            written = f"{i} pointed" if self._reader.dialect.decimal == "," else str(i)
            parts.append(pl.lit(("{" if i == 0 else ",") + key))
            parts.append(_as_json(pl.col(str(i)), pl.col(written)))
        joined = frame.select(pl.concat_str([*parts, pl.lit("}")])).to_series()
        return [line.encode() for line in joined.to_list()]


def _read(data: bytes, **options: Any) -> pl.DataFrame:
    """Rows as Polars reads them; it takes some text for packed data, such as cells of ``x^2``."""
    if data.startswith(_PACKED):
        return pl.read_csv(b"\n" + data, has_header=False, skip_rows=1, **options)
    return pl.read_csv(data, has_header=False, **options)


_PACKED = (b"x", b"(", b"\x1f")
"""How data that zlib, Zstandard or gzip has packed begin, and text may."""


def _as_json(cell: pl.Expr, written: pl.Expr) -> pl.Expr:
    """A cell as JSON; `written` is the same with a decimal point."""
    text = pl.struct(cell.alias("")).struct.json_encode().str.slice(4).str.head(-1)
    return (
        pl.when(cell.is_null())
        .then(pl.lit("null"))
        .when(written.str.contains(_EXACT))
        .then(written)
        .when(cell == "NaN")
        .then(pl.lit('"nan"'))
        .otherwise(text)
    )


def _wide_lines(frame: pl.DataFrame, keys: Sequence[str], decimal: str) -> list[bytes]:
    """Rows as JSON objects; all cells are one column, as a call for each of many takes long."""
    cells = pl.concat(frame.get_columns()).alias("cell")
    written = texts.pointed(cells) if decimal == "," else cells
    long = pl.DataFrame([cells, written.alias("written")])
    every = long.select(_as_json(pl.col("cell"), pl.col("written"))).to_series().to_list()
    rows = (every[i :: frame.height] for i in range(frame.height))
    return [
        ("{" + ",".join(map("".join, zip(keys, row, strict=True))) + "}").encode() for row in rows
    ]


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as fault:
        byte = data[fault.start]
        raise TableError(f"not UTF-8 (byte 0x{byte:02x} in the header)", source) from None

"""CSV and its relatives: bytes -> rows that are each checked -> numbers, and the lines themselves.

What is not computed with goes out as its line came in.  A row has as many cells as the header;
blank lines are skipped; a cell that contains the separator, a quote or a line end is in double
quotes, and a quote inside it is doubled (RFC 4180).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from dezero_cli.faults import TableError
from dezero_cli.tables.dialect import BLANKS, NULL, SKIP, STOP, Dialect
from dezero_cli.tables.layout import NEWLINE, Layout, inside, layout_of, stray_quotes
from dezero_cli.tables.rows import Record, Rows, first_not_utf8, is_utf8, line_end

_ADVICE = "put the whole cell in quotes, and double the quote inside"
_TOKENS = re.compile(rb'"(?:[^"]|"")*"?|[^ \t\r\n"][^ \t\r\n]*')


class Delimited:
    """The reader of a table of cells that are apart by a character, or by blanks."""

    def __init__(self, form: str, dialect: Dialect) -> None:
        self.form = form
        self.dialect = dialect
        self.between = dialect.of(form)
        self._blanks = self.between == BLANKS
        self.separator = "\t" if self._blanks else self.between
        """What is between the cells that are read: tabs stand for blanks."""
        self._comment = dialect.comments()

    # -------------------------------------------------------------------------------- the header
    def header(self, data: bytes, source: str) -> tuple[bytes, int]:
        """The line of the header at the start of `data`, and where the rows begin.

        It is empty if the table has none.  Raises TableError for an empty table.
        """
        start = 0
        for _ in range(self.dialect.skip):
            start = data.find(b"\n", start) + 1 or len(data)
        start = self._behind_blanks(data, start)
        if start == len(data):
            raise TableError("the file is empty", source)
        if not self.dialect.header:
            return b"", start
        end = start
        while True:
            end = data.find(b"\n", end) + 1 or len(data)
            if not data.count(b'"', start, end) % 2:
                return data[start:end], end
            if end == len(data):
                break
        stray = stray_quotes(data[start : data.find(b"\n", start)], ord(self.separator))
        fault = "a quote that is never closed"
        fault = f"a quote inside a name: {_ADVICE}" if len(stray) else fault
        raise TableError(f"the header has {fault}", source)

    def _behind_blanks(self, data: bytes, start: int) -> int:
        """Where the first line after blank lines and comments begins."""
        blank = re.compile(rb"(?:[ \t]*\r?\n)*" if self._blanks else rb"[\r\n]*")
        while True:
            start = blank.match(data, start).end()  # type: ignore[union-attr]
            comment = self._comment and self._comment.match(data, start)
            if not comment:
                return start
            start = comment.end()

    def names(self, line: bytes, data: bytes, source: str) -> list[str]:
        """The names in the line of the header; without one, c1, c2, ... for the first of `data`."""
        if not line:
            first = self._tabbed(self._without_comments(data))
            layout = layout_of(first, ord(self.separator))
            return [f"c{i + 1}" for i in range(int(layout.cells[~layout.blank][0]))]
        text = _decoded(line, source)
        bare = re.sub(r'"[^"]*"', "", text).rstrip("\r\n")
        if "\r" in bare:
            raise TableError("its lines end in CR only; expected LF or CR LF", source)
        table = self._tabbed(line).rstrip(b"\r\n")
        if len(stray_quotes(table, ord(self.separator))):
            raise TableError(f"the header has a quote inside a name: {_ADVICE}", source)
        return _split(table.decode(), self.separator)

    # ---------------------------------------------------------------------------------- the rows
    def cut(self, data: bytes) -> int:
        """Where the last complete row of `data` ends; 0 if there is none."""
        if b'"' not in data:
            return data.rfind(b"\n") + 1
        if self._comment is not None:  # quotes mean nothing in comments
            data = self._comment.sub(_covered, data)
        array = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero((array == NEWLINE) & ~inside(array))
        return int(ends[-1]) + 1 if len(ends) else 0

    def rows(self, data: bytes, names: list[str], used: Sequence[int]) -> Rows:
        """The rows of `data`, with a cell for each of `names`; those at places `used` are numbers.

        Raises TableError, its rows counted from the start of `data`.
        """
        data = self._without_comments(data)
        table = self._tabbed(data)
        if b'"' not in table and (found := self._even(data, table, names, used)):
            return found
        return self._picked(data, table, names, used)

    def _without_comments(self, data: bytes) -> bytes:
        return data if self._comment is None else self._comment.sub(b"", data)

    def _tabbed(self, data: bytes) -> bytes:
        """The data with a tab in place of each run of blanks, if blanks are between its cells."""
        if not self._blanks:
            return data
        if b'"' in data:
            return b"\n".join(b"\t".join(_TOKENS.findall(line)) for line in data.split(b"\n"))
        return re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t\r]+$", b"", data))

    def _even(
        self, data: bytes, table: bytes, names: list[str], used: Sequence[int]
    ) -> Rows | None:
        """The rows of data without quotes; None if one of them needs a closer look.

        If a row has as many cells as the header on average, and none has fewer, each has as many;
        a row with fewer has no last cell.
        """
        array, width = np.frombuffer(table, np.uint8), len(names)
        count = int(np.count_nonzero(array == NEWLINE)) + (table[-1:] != b"\n")
        cells = int(np.count_nonzero(array == ord(self.separator))) + count
        end = line_end(data)
        if not table or cells != count * width or end is None:
            return None
        try:
            found = Rows(self, names, table, used, data, end)
        except TableError:
            return None  # a closer look tells where the fault is
        if found.rows != count or (
            self.dialect.on_bad != STOP and (found.wrong or not is_utf8(data))
        ):
            return None
        if found.open and (width == 1 or self._uneven(table, width)):
            return None
        return found.settled(count)

    def _uneven(self, table: bytes, width: int) -> bool:
        """Whether a row has more or fewer cells than the header, or is blank."""
        layout = layout_of(table, ord(self.separator))
        return bool((layout.cells != width).any() or layout.blank.any())

    def _picked(self, data: bytes, table: bytes, names: list[str], used: Sequence[int]) -> Rows:
        """The rows, each looked at, without blank lines and those that are to be skipped."""
        layout = layout_of(table, ord(self.separator))
        count = int(np.count_nonzero(~layout.blank))
        faults = self._faults(table, layout, len(names))
        if faults and self.dialect.on_bad == STOP:
            raise next(iter(faults.values()))
        lines = table.count(b"\n") + (table[-1:] not in {b"", b"\n"})
        one_each = lines == len(layout.ends) and not layout.blank.any()
        end = line_end(data) if one_each and not faults else None
        if end is not None:
            found = Rows(self, names, table, used, data, end)
            if found.rows != count:
                raise TableError(f"cannot be read as {self.form}: its quotes do not match")
            if not (found.wrong and self.dialect.on_bad == SKIP):
                return found.settled(count)
        records = list(self._records(data, table, layout))
        if self.dialect.on_bad == NULL:
            records = [self._filled(each, len(names), faults) for each in records]
        kept = [each for each in records if each.row not in faults]
        found = Rows.of(self, names, kept, used)
        if found.wrong and self.dialect.on_bad == SKIP:
            faults |= {kept[row].row: found.fault(column, row) for column, row in found.wrong}
            kept = [each for each in kept if each.row not in faults]
            found = Rows.of(self, names, kept, used)
        found.faults = sorted(faults.items())
        return found.settled(count)

    def _faults(self, table: bytes, layout: Layout, width: int) -> dict[int, TableError]:
        """The rows that are not as they should be; what is wrong with quotes comes first."""
        found: dict[int, TableError] = {}

        def add(row: int, message: str) -> None:
            found.setdefault(row, TableError(message, row=row))

        if b'"' in table:
            for place in np.sort(stray_quotes(table, ord(self.separator))):
                add(layout.row_of(int(place)), f"a quote inside a cell: {_ADVICE}")
            if table.count(b'"') % 2 and not found:
                add(layout.row_of(table.rfind(b'"')), "a quote is never closed")
        for record in np.flatnonzero((layout.cells != width) & ~layout.blank):
            got = int(layout.cells[record])
            message = f"{got} cell{'s'[: got != 1]}, but the header has {width}"
            add(layout.row_of(int(layout.starts[record])), message)
        if not is_utf8(table):
            for start, end in zip(layout.starts, layout.ends, strict=True):
                byte = first_not_utf8(table[start:end])
                if byte is not None:
                    add(layout.row_of(int(start)), f"not UTF-8 (byte 0x{byte:02x})")
        return found

    def _records(self, data: bytes, table: bytes, layout: Layout) -> Iterator[Record]:
        """The rows one by one, without blank lines; their cells and their lines as they came."""
        whole = np.flatnonzero(~layout.blank)
        cut = [table[layout.starts[i] : layout.ends[i]] for i in whole]
        lines = cut if data is table else list(filter(bytes.strip, data.split(b"\n")))
        returns = [line.endswith(b"\r") for line in lines]
        if lines and not data.endswith(b"\n"):
            returns[-1] = returns[0]
        for i, (cells_, line) in enumerate(zip(cut, lines, strict=True)):
            end = b"\r\n" if returns[i] else b"\n"
            size = int(layout.cells[whole[i]])
            yield Record(i + 1, size, cells_.removesuffix(b"\r"), line.removesuffix(b"\r"), end)

    def _filled(self, record: Record, width: int, faults: dict[int, TableError]) -> Record:
        """A row with empty cells at its end, if it has too few; it then is without fault."""
        missing = width - record.size
        if missing <= 0 or record.row not in faults or "cell" not in faults[record.row].message:
            return record
        del faults[record.row]
        cut = record.cells + self.separator.encode() * missing
        line = record.line + self.between.encode() * missing
        return record._replace(size=width, cells=cut, line=line)


def _covered(found: re.Match[bytes]) -> bytes:
    """Blanks in place of a comment."""
    size = len(found[0])
    return b" " * (size - 1) + b"\n" if found[0].endswith(b"\n") else b" " * size


def _split(line: str, separator: str) -> list[str]:
    """The cells of a line whose quotes have been checked."""
    if '"' not in line:
        return line.split(separator)
    cell = re.compile(
        rf'(?:"((?:[^"]|"")*)"|([^"{re.escape(separator)}]*))(?:{re.escape(separator)}|\Z)'
    )
    found, place = [], 0
    while place <= len(line):
        match = cell.match(line, place)
        assert match is not None
        quoted = match[1]
        found.append(match[2] if quoted is None else quoted.replace('""', '"'))
        place = match.end() + (not match[0].endswith(separator) or match.end() == place)
    return found


def _decoded(data: bytes, source: str) -> str:
    byte = first_not_utf8(data)
    if byte is not None:
        raise TableError(f"not UTF-8 (byte 0x{byte:02x} in the header)", source)
    return data.decode()

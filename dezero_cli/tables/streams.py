"""Tables of text as they arrive: cut at line ends, processed by threads, written in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl

from dezero_cli import reading, report
from dezero_cli.faults import TableError
from dezero_cli.output import Output
from dezero_cli.progress import Progress
from dezero_cli.tables import compressed, encode
from dezero_cli.tables.delimited import Delimited
from dezero_cli.tables.dialect import SEPARATORS, Dialect
from dezero_cli.tables.files import Tables
from dezero_cli.tables.jsonlines import JsonLines
from dezero_cli.tables.step import Plan, Step

BLOCK = 4 << 20
"""Bytes that are processed at a time."""

HEAD = 1 << 16
"""Bytes at the start of each further file that are read to find its columns."""

LONGEST = 64 << 20
"""Bytes that one row may have, unless more are allowed."""

THREADS = 4
"""The most blocks that are processed at once; Polars has threads of its own for each."""

PAUSE, PATIENCE = 0.05, 0.2
"""Seconds without input, and seconds in all, after which a pipe's rows are processed."""


class Piece(Protocol):
    """Some rows of a table of text.

    `arrays` are columns as float64, by their places.  `seen` is how many rows there were, `faults`
    those that were left out, by number from 1, `nulls` those of which cells were taken for nan.
    """

    rows: int
    seen: int
    nulls: int
    arrays: dict[int, np.ndarray]
    faults: list[tuple[int, TableError]]

    @property
    def frame(self) -> pl.DataFrame:
        """The cells, all as text; columns are called by their places."""

    def objects(self, taken: frozenset[str]) -> list[bytes]:
        """A JSON object for each row.  Raises TableError for a key that is `taken`."""

    def with_nonfinite(self, out: bytes) -> bytes:
        """What `objects` gave, with results, so that "nonfinite" stands once in a line."""


class TextFormat(Protocol):
    """How a format of text divides its bytes into rows and columns."""

    def cut(self, data: bytes) -> int:
        """Where the last complete row of `data` ends."""

    def header(self, data: bytes, source: str) -> tuple[bytes, int]:
        """The line of the header of a file that begins with `data`, and where its rows begin."""

    def names(self, line: bytes, data: bytes, source: str) -> list[str]:
        """The columns of a file with such a header and with rows that begin with `data`."""

    def rows(self, data: bytes, names: list[str], used: Sequence[int]) -> Any:
        """The rows of `data`, a Piece; the columns at the places `used` are numbers."""


def text_format(tables: Tables) -> TextFormat:
    """The reader of a table of text."""
    return (
        JsonLines(tables.dialect)
        if tables.format == "jsonl"
        else Delimited(tables.format, tables.dialect)
    )


# ---------------------------------------------------------------------------------------- reading
@dataclass(slots=True)
class RowBlock:
    """Complete rows of a file, for which `size` bytes of input were read.

    `first` tells whether they are its first rows, `pause` whether the input has paused after them,
    `over` that they are the begin of a row that is too long.
    """

    source: str
    data: bytes
    size: int
    first: bool
    pause: bool = False
    over: bool = False


def blocks(
    name: str, cut: Callable[[bytes], int], size: int | None = None, most: int | None = None
) -> Iterator[RowBlock]:
    """The rows of a file, or of standard input for ``-``, in blocks; none if it is empty.

    `size` is how much is read at a time (default: BLOCK), `most` how long a row may be.
    """
    source = compressed.Source(name)
    try:
        piped = reading.is_stream(name)
        rest, first, ended, pause = b"", True, False, True
        while not ended:
            if piped and not pause and not source.wait(PAUSE):
                yield RowBlock(name, b"", 0, False, True)  # blocks in work must not wait for more
            taken = source.taken
            arrived, pause, ended = _arrived(source, piped, size or BLOCK)
            taken = source.taken - taken if taken or not first else source.taken
            data = rest + arrived
            if first:
                data = _without_mark(data, name)
            end = len(data) if ended else cut(data)
            if not end and len(data) > (most or LONGEST):
                yield RowBlock(name, data, taken, first, over=True)
                return
            rest = data[end:]
            if end:
                yield RowBlock(name, data[:end], taken, first, pause)
                first = False
    finally:
        source.close()


def _arrived(source: compressed.Source, piped: bool, most: int) -> tuple[bytes, bool, bool]:
    """The next bytes; whether a pipe has paused after them; whether they are the last."""
    parts: list[bytes] = []
    size, start = 0, time.monotonic()
    while size < most:
        if piped and parts:
            wait = min(PAUSE, start + PATIENCE - time.monotonic())
            if wait <= 0 or not source.wait(wait):
                return b"".join(parts), True, False
        parts.append(source.read(most - size))
        size += len(parts[-1])
        if not parts[-1]:
            return b"".join(parts), False, True
    return b"".join(parts), False, False


def _without_mark(data: bytes, name: str) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError("the file is UTF-16, expected UTF-8: convert it with iconv", name)
    return data.removeprefix(reading.BOM)


class TextTable:
    """The rows of a table of text, its files in order.

    `marks` tell a file that has changed since another pass.  `names` are the columns as they are
    written, `columns` without blanks around them, as they are looked up; `header` is the line that
    has them; `first` is the name of the first file.
    """

    def __init__(self, tables: Tables, marks: dict[str, tuple[int, ...]] | None = None) -> None:
        self.marks = {} if marks is None else marks
        self.format = text_format(tables)
        self._files = tables.names
        self.first = tables.names[0]
        self._most = tables.dialect.max_line or LONGEST
        self._by_file: dict[str, list[str]] = {}
        self.header = b""
        self._first = self._blocks(tables.names[0])
        self._head = self._below_header(next(self._first, None), tables.names[0])
        for name in tables.names[1:]:
            if not reading.is_stream(name):
                first = next(self._blocks(name, HEAD), None)
                self._below_header(first, name)
        if isinstance(self.format, JsonLines):
            self.names = list(dict.fromkeys(c for each in self._by_file.values() for c in each))
        else:
            self.names = self._by_file[tables.names[0]]
        self.columns = list(map(str.strip, self.names))

    def __iter__(self) -> Iterator[RowBlock]:
        """Every block of rows, without the headers."""
        yield self._head
        yield from self._first
        for name in self._files[1:]:
            for block in self._blocks(name):
                yield self._below_header(block, name) if block.first else block

    def _blocks(self, name: str, size: int | None = None) -> Iterator[RowBlock]:
        """The blocks of a file, which is the same at each time it is opened."""
        mark = reading.mark(name) if name != "-" else ()
        if self.marks.setdefault(name, mark) != mark:
            raise TableError("changed while it was read", name)
        return blocks(name, self.format.cut, size, self._most)

    def places(self, columns: Iterable[str]) -> list[int]:
        """Where columns are.

        Raises TableError for a column that stands twice, or that one of the files lacks.
        """
        columns = list(columns)
        for name, known in self._by_file.items():
            for column in columns:
                if column not in map(str.strip, known):
                    fault = f"this column is missing, but {self._files[0]} has it"
                    raise TableError(fault, name, column=column)
        return [self._place(column) for column in columns]

    def _place(self, column: str) -> int:
        for names in (self.names, self.columns):
            if names.count(column) == 1:
                return names.index(column)
        raise TableError(f"two columns are named {column!r}", self._files[0])

    def piece(self, block: RowBlock, used: Sequence[int]) -> Any:
        """The rows of a block, checked; the columns at the places `used` are numbers."""
        if block.over:
            quote = "a quote is never closed, or " if b'"' in block.data else ""
            raise TableError(f"{quote}it has more than {self._most} bytes: see --max-line", row=1)
        return self.format.rows(block.data, self.names, used)

    def pieces(self, used: Sequence[int]) -> Iterator[tuple[RowBlock, Any]]:
        """Every block with its rows, checked; the cells at the places `used` must be numbers."""
        tally = Tally()
        for block in self:
            try:
                piece = self.piece(block, used)
            except TableError as fault:
                raise tally.placed(fault, block.source) from None
            tally.add(piece, block.source)
            yield block, piece

    def _below_header(self, block: RowBlock | None, name: str) -> RowBlock:
        """The first block of a file without its header, which must match the other files."""
        if block is None:
            raise TableError("the file is empty", name)
        if block.over:
            raise TableError(f"the header is longer than {self._most} bytes", name)
        line, start = self.format.header(block.data, name)
        names = self.format.names(line, block.data[start:], name)
        if not self._by_file:
            self.header = line
        first = self._by_file.setdefault(self._files[0], names)
        if list(map(str.strip, names)) != list(map(str.strip, first)) and not isinstance(
            self.format, JsonLines
        ):
            theirs = f"those of {self._files[0]} are {_shown(first)}"
            raise TableError(f"its columns are {_shown(names)}, but {theirs}", name)
        self._by_file[name] = names
        return replace(block, data=block.data[start:])


def _shown(names: list[str]) -> str:
    return ", ".join(names[:8]) + ", ..." * (len(names) > 8)


# ---------------------------------------------------------------------------------------- working
class TextRows(NamedTuple):
    """A block of rows with their results, as text."""

    out: bytes
    piece: Any


def open_text(
    tables: Tables, plan: Plan, marks: dict[str, tuple[int, ...]] | None = None
) -> tuple[TextTable, Step, list[int]]:
    """The rows of a table of text, the step to apply to them, and the places of its columns.

    Raises TableError for files that do not match each other, and whatever Step raises.
    """
    source = TextTable(tables, marks)
    step = Step(plan, source.columns)
    return source, step, source.places(step.columns)


def row_count(tables: Tables) -> int:
    """The number of rows of a table of text."""
    return sum(piece.rows for _, piece in TextTable(tables).pieces(()))


def map_text(tables: Tables, plan: Plan, form: str, target: Output, progress: Progress) -> int:
    """Write a table of text, with its results, as text to `target`; return the number of rows.

    Raises TableError for the first row with a fault.
    """
    source, step, used = open_text(tables, plan)
    progress.notes += step.notes
    writer = _Writer(source, step, used, form, tables, plan.only)
    workers = min(THREADS, pl.thread_pool_size())
    tally = Tally()
    waiting: deque[tuple[RowBlock, Future[TextRows]]] = deque()

    def finish(block: RowBlock, future: Future[TextRows]) -> None:
        try:
            made = future.result()
        except TableError as fault:
            raise tally.placed(fault, block.source) from None
        tally.add(made.piece, block.source)
        target.write((b"" if progress.begun else writer.header()) + made.out)
        progress.add(made.piece.rows, block.size)
        progress.show()

    with ThreadPoolExecutor(workers) as pool:
        try:
            for block in source:
                waiting.append((block, pool.submit(writer.text, block)))
                while waiting and (len(waiting) > workers or block.pause):
                    finish(*waiting.popleft())
            while waiting:
                finish(*waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    progress.notes += tally.notes()
    return tally.rows


class Tally:
    """How many rows came of each file, and what became of the bad ones."""

    def __init__(self) -> None:
        self.rows = 0
        self._seen: dict[str, int] = {}
        self._left_out = self._nulls = 0
        self._first: TableError | None = None

    def placed(self, fault: TableError, source: str) -> TableError:
        """A fault in the next rows of a file, with its row counted from the file's start."""
        return fault.below(source, self._seen.get(source, 0))

    def add(self, piece: Piece, source: str) -> None:
        """Count further rows of a file."""
        if piece.faults and self._first is None:
            self._first = self.placed(piece.faults[0][1], source)
        self.rows += piece.rows
        self._left_out += len(piece.faults)
        self._nulls += piece.nulls
        self._seen[source] = self._seen.get(source, 0) + piece.seen

    def notes(self) -> list[str]:
        """What the user is to be told of bad rows."""
        notes = []
        if self._left_out:
            notes.append(f"note: {_rows(self._left_out)} skipped; the first: {self._first}")
        if self._nulls:
            notes.append(
                f"note: {_rows(self._nulls)} with cells that are not numbers, taken for nan"
            )
        return notes


def _rows(count: int) -> str:
    return f"{count} row{'s'[: count != 1]}"


class _Writer:
    """Turns blocks of rows into text."""

    def __init__(
        self, source: TextTable, step: Step, used: list[int], form: str, tables: Tables, only: bool
    ) -> None:
        self.source = source
        self.step = step
        self.used = used
        self.form = form
        self.only = only
        self._alike = form == tables.format
        own = Dialect() if form == "jsonl" else tables.dialect
        self._separator = (
            "" if form == "jsonl" else own.of(form) if self._alike else SEPARATORS[form]
        )
        self._comma = own.decimal == "," and self._separator != ","
        self._end = b"\r\n" if self._alike and source.header.endswith(b"\r\n") else b"\n"
        self._headed = own.header

    def header(self) -> bytes:
        """The text before the rows: the header as it came, with the names of the new columns."""
        if self.form == "jsonl" or not self._headed:
            return b""
        own = [] if self.only or self._alike else self.source.names
        line = encode.header([*own, *self.step.results], self._separator) + self._end
        if not self._alike or self.only:
            return line
        return self.source.header.rstrip(b"\r\n") + self._separator.encode() + line

    def _cells(self, frame: pl.DataFrame) -> bytes:
        return encode.delimited(frame, self._separator, comma=self._comma, end=self._end)

    def text(self, block: RowBlock) -> TextRows:
        """A block of rows with their results, as text."""
        piece = self.source.piece(block, self.used)
        arrays = {c: piece.arrays[i] for c, i in zip(self.step.columns, self.used, strict=True)}
        results = self.step.run(arrays, piece.rows)
        if self.form == "jsonl":
            taken = frozenset((*self.step.results, report.NONFINITE))
            lines = None if self.only else piece.objects(taken)
            out = encode.objects(lines, self.step.results, results)
            return TextRows(piece.with_nonfinite(out) if lines is not None else out, piece)
        frame = encode.results_frame([f"_{name}" for name in self.step.results], results)
        if self._alike and not self.only:
            return TextRows(piece.with_results(frame), piece)
        return TextRows(self._cells(frame if self.only else piece.frame.hstack(frame)), piece)

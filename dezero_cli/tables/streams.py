"""Tables of text as they arrive: cut at line ends, processed by threads, written in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import polars as pl

from dezero_cli import reading
from dezero_cli.faults import TableError
from dezero_cli.output import Output
from dezero_cli.progress import Progress
from dezero_cli.reading import LONGEST_ROW
from dezero_cli.tables import encode, sources
from dezero_cli.tables.delimited import Delimited, Header
from dezero_cli.tables.dialect import Dialect, skipped_note
from dezero_cli.tables.files import SEPARATORS, Tables
from dezero_cli.tables.jsonlines import JsonLines
from dezero_cli.tables.rootless import Rootless
from dezero_cli.tables.step import Plan, Step

BLOCK = 4 << 20
"""Bytes that are processed at a time."""

HEAD = 1 << 16
"""Bytes at the start of each further file that are read to find its columns."""

THREADS = 4
"""The most blocks that are processed at once; Polars has threads of its own for each."""

PAUSE, PATIENCE = 0.05, 0.2
"""Seconds without input, and seconds in all, after which a pipe's rows are processed."""


Made = TypeVar("Made")
"""What is made of a block of rows."""


class Piece(Protocol):
    """Some rows of a table of text; `read` counts those that were left out too."""

    rows: int
    read: int

    @property
    def frame(self) -> pl.DataFrame:
        """The cells, all as text; each column is called by its place."""

    def parts(self) -> Iterator[Piece]:
        """The rows again, so many at a time as have room as columns."""

    def arrays(self, columns: dict[str, int]) -> dict[str, np.ndarray]:
        """Columns, given by name and place, as float64.  Bad rows may be left out from then on."""

    def lines(self, names: Sequence[str]) -> list[bytes]:
        """A JSON object for each row, with these keys."""


class TextFormat(Protocol):
    """How a format of text divides its bytes into rows and columns."""

    def cut(self, data: bytes) -> int:
        """Where the last complete row of `data` ends."""

    def columns(self, data: bytes, source: str) -> Header:
        """The header of a file that begins with `data`."""

    def before(self, data: bytes, row: int) -> bytes:
        """What of `data` comes before a row."""

    def piece(self, data: bytes, columns: list[str]) -> Any:
        """The rows of `data`."""


def text_format(tables: Tables) -> TextFormat:
    """The reader of a format of text."""
    if tables.format == "jsonl":
        return JsonLines(tables.dialect)
    return Delimited(tables.format, tables.dialect)


# ---------------------------------------------------------------------------------------- reading
@dataclass(slots=True)
class RowBlock:
    """Complete rows of a file, for which `size` bytes of input were read.

    `first` tells whether they are its first rows, `pause` whether the input has paused after them,
    and `long` that this is the begin of a row that is longer than rows may be.
    """

    source: str
    data: bytes
    size: int
    first: bool
    pause: bool = False
    long: bool = False


def blocks(
    name: str,
    cut: Callable[[bytes], int],
    size: int | None = None,
    skip: int = 0,
    longest: int = LONGEST_ROW,
) -> Iterator[RowBlock]:
    """The rows of a file, or of standard input for ``-``, in blocks; none if it is empty.

    `size` is how much is read at a time (default: BLOCK), `skip` the number of lines that are left
    out at the start.
    """
    source = sources.table_source(name)
    try:
        piped = reading.is_stream(name)
        rest, first, ended, pause, counted = b"", True, False, True, 0
        while not ended:
            if piped and not pause and not source.wait(PAUSE):
                yield RowBlock(name, b"", 0, False, True)  # blocks in work must not wait for more
            arrived, pause, ended = _arrived(source, piped, max(size or BLOCK, len(rest)))
            data = rest + arrived
            if first:
                data, skip = _without_lines(_without_mark(data, name), skip)
            end = len(data) if ended else cut(data)
            rest = data[end:]
            if end:
                yield RowBlock(name, data[:end], source.consumed - counted, first, pause)
                counted = source.consumed
                first = False
            if len(rest) > longest:
                yield RowBlock(name, rest, 0, first, long=True)
                return
    finally:
        source.close()


def _without_lines(data: bytes, skip: int) -> tuple[bytes, int]:
    """Text without its first lines, and how many more are to be left out."""
    place = 0
    while skip and (end := data.find(b"\n", place) + 1):
        place, skip = end, skip - 1
    return (b"" if skip else data[place:]), skip


def _arrived(source: reading.Source, piped: bool, most: int) -> tuple[bytes, bool, bool]:
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
    """The rows of a table of text, its files in order; `columns` are known from the start.

    `longest` are the bytes that a row has on average in the block of `pieces` where they are most,
    `rows_read` the rows that `pieces` has read of each file, those that are left out too.
    """

    def __init__(self, tables: Tables) -> None:
        self.format = text_format(tables)
        self.dialect = tables.dialect
        self.is_json = tables.format == "jsonl"
        self._names = tables.names
        self._headers: dict[str, Header] = {}
        self._first = self._blocks(tables.names[0])
        self._head = self._below_header(next(self._first, None), tables.names[0])
        for name in tables.names[1:]:
            if not reading.is_stream(name):
                self._below_header(next(self._blocks(name, HEAD), None), name)
        headers = self._headers.values()
        every = dict.fromkeys(name for each in headers for name in each.names)
        self.header = self._headers[tables.names[0]]
        self.longest = 0
        self.rows_read: dict[str, int] = {}
        self.columns = list(every) if self.is_json else self.header.names
        self.names = [name.strip() for name in self.columns]

    def __iter__(self) -> Iterator[RowBlock]:
        """Every block of rows, without the headers."""
        yield self._head
        yield from self._first
        for name in self._names[1:]:
            for block in self._blocks(name):
                yield self._below_header(block, name) if block.first else block

    def _blocks(self, name: str, size: int | None = None) -> Iterator[RowBlock]:
        dialect = self.dialect
        return blocks(name, self.format.cut, size, dialect.skip, dialect.longest)

    def places(self, columns: Iterable[str]) -> dict[str, int]:
        """Where columns stand.  Raises TableError for one that a file lacks, or has twice."""
        found = {}
        for column in columns:
            for name, known in self._headers.items():
                if column not in [each.strip() for each in known.names]:
                    fault = f"this column is missing, but {self._names[0]} has it"
                    raise TableError(fault, name, column=column)
            if self.names.count(column) > 1:
                raise TableError(f"two columns are named {column!r}", self._names[0])
            found[column] = self.names.index(column)
        found = dict(sorted(found.items(), key=lambda pair: pair[1]))
        return {self.columns[place]: place for place in found.values()} if self.is_json else found

    def first_fault(self, block: RowBlock, work: Callable[[RowBlock], Made]) -> Made:
        """What `work` makes of a block.  Raises TableError for its first row with a fault.

        A reader may see that one row lacks a cell before it sees that one above has a bad one.
        """
        try:
            return work(block)
        except TableError as fault:
            found = fault
        while found.row is not None and found.row > 1:
            above = replace(block, data=self.format.before(block.data, found.row))
            try:
                work(above)
            except TableError as fault:
                found = fault
            else:
                break
        raise found

    def piece(self, block: RowBlock) -> Any:
        """The rows of a block, checked."""
        if block.long:
            raise TableError(self._too_long(block.data), row=1)
        if len(block.data) > self.dialect.longest:
            self._check_length(block.data)
        return self.format.piece(block.data, self.columns)

    def _check_length(self, data: bytes) -> None:
        """Refuse a row that is too long, though all of it has been read."""
        row = 0
        for line in data.split(b"\n"):
            row += bool(line.strip())
            if len(line) > self.dialect.longest:
                raise TableError(self._too_long(line), row=row)

    def _too_long(self, data: bytes) -> str:
        if not self.is_json and data.count(b'"') & 1:
            return "a quote is never closed"
        return f"longer than {self.dialect.longest:,} bytes: --max-line reads longer rows"

    def pieces(
        self, columns: Iterable[str], look: Callable[[Any], object] = lambda _: None
    ) -> Iterator[Any]:
        """The rows of every block, without those to be left out; `look` may refuse them too.

        Their `numbers` are the arrays of the `columns`.
        """
        places = self.places(columns)
        below = self.rows_read
        below.clear()

        def looked_at(block: RowBlock) -> Any:
            piece = self.piece(block)
            piece.numbers = piece.arrays(places)
            look(piece)
            return piece

        for block in self:
            before = below.setdefault(block.source, 0)
            try:
                piece = self.first_fault(block, looked_at)
            except TableError as fault:
                raise fault.below(block.source, before) from None
            below[block.source] += piece.read
            self.longest = max(self.longest, len(block.data) // max(piece.read, 1))
            yield piece

    def _below_header(self, block: RowBlock | None, name: str) -> RowBlock:
        """The first block of a file without its header, which must match the other files."""
        if block is None:
            raise TableError("the file is empty", name)
        if block.long:
            raise TableError(f"the header: {self._too_long(block.data)}", name)
        header = self.format.columns(block.data, name)
        first = self._headers.setdefault(self._names[0], header)
        same = [n.strip() for n in header.names] == [n.strip() for n in first.names]
        if not same and not self.is_json:
            theirs = f"those of {self._names[0]} are {_shown(first.names)}"
            raise TableError(f"its columns are {_shown(header.names)}, but {theirs}", name)
        self._headers[name] = header
        return replace(block, data=block.data[header.start :])


def _shown(names: list[str]) -> str:
    return ", ".join(names[:8]) + ", ..." * (len(names) > 8)


# ---------------------------------------------------------------------------------------- working
class TextRows(NamedTuple):
    """A block of rows with their results, as text; how many were read and left out.

    `rootless` are those without a root, of those that were not left out.
    """

    out: bytes
    read: int
    skipped: int
    rootless: np.ndarray


def open_text(tables: Tables, plan: Plan) -> tuple[TextTable, Step]:
    """The rows of a table of text, and the step to apply to them.

    Raises TableError for files that do not match each other, and whatever Step raises.
    """
    source = TextTable(tables)
    step = Step(plan, source.names)
    source.places(step.columns)
    return source, step


def row_count(tables: Tables) -> int:
    """The number of rows of a table of text."""
    return sum(piece.rows for piece in TextTable(tables).pieces(()))


def map_text(tables: Tables, plan: Plan, form: str, target: Output, progress: Progress) -> int:
    """Write a table of text, with its results, as text to `target`; return the number of rows.

    Raises TableError for the first row with a fault.
    """
    source, step = open_text(tables, plan)
    progress.notes += step.notes
    writer = _Writer(source, step, tables.format, form, plan.only)
    workers = min(THREADS, pl.thread_pool_size())
    below: dict[str, int] = {}
    waiting: deque[tuple[RowBlock, Future[TextRows]]] = deque()
    skipped = 0

    def finish(block: RowBlock, future: Future[TextRows]) -> None:
        nonlocal skipped
        before = below.setdefault(block.source, 0)
        try:
            made = future.result()
        except TableError as fault:
            raise fault.below(block.source, before) from None
        writer.rootless.add(made.rootless, sum(below.values()) - skipped)
        below[block.source] += made.read
        skipped += made.skipped
        target.write((b"" if progress.begun else writer.header()) + made.out)
        progress.add(made.read, block.size)
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
    progress.notes += skipped_note(skipped) + writer.rootless.notes
    return sum(below.values()) - skipped


class _Writer:
    """Turns blocks of rows into text."""

    def __init__(self, source: TextTable, step: Step, given: str, form: str, only: bool) -> None:
        self.source = source
        self.step = step
        self.rootless = Rootless(step)
        self.form = form
        self.only = only
        self._places = source.places(step.columns)
        self._same = given == form and form in SEPARATORS
        if form in SEPARATORS:
            dialect = source.dialect if given in SEPARATORS else Dialect()
            separator = dialect.separator if self._same else None
            end = source.header.end if self._same else "\n"
            self._style = encode.Style(separator or SEPARATORS[form], dialect.decimal, end)
        elif not only:
            refuse_twice(source.columns, form)

    def header(self) -> bytes:
        """The text before the rows."""
        headless = self.source.dialect.header is False and not self.source.is_json
        if self.form == "jsonl" or headless:
            return b""
        results = encode.header(self.step.results, self._style)
        if self.only:
            return results
        if self._same:
            return self.source.header.line + self._style.separator.encode() + results
        names = encode.header(self.source.columns, self._style)
        return names.removesuffix(b"\n") + self._style.separator.encode() + results

    def text(self, block: RowBlock) -> TextRows:
        """A block of rows with their results, as text."""
        return self.source.first_fault(block, self._text)

    def _text(self, block: RowBlock) -> TextRows:
        piece = self.source.piece(block)
        arrays = piece.arrays(self._places)
        arrays = {name.strip(): array for name, array in arrays.items()}
        results = self.step.run(arrays, piece.rows)
        make = self._objects if self.form == "jsonl" else self._delimited
        none = self.rootless.rows(arrays, results)
        return TextRows(make(piece, results), piece.read, piece.read - piece.rows, none)

    def _objects(self, piece: Any, results: list[np.ndarray]) -> bytes:
        names = self.step.results
        if self.only:
            return encode.objects(None, names, results)
        if not self.source.is_json:
            return encode.objects(piece.lines(self.source.columns), names, results)
        piece.refuse_taken(names)
        return encode.objects(piece.lines(()), names, results, piece.marks)

    def _delimited(self, piece: Any, results: list[np.ndarray]) -> bytes:
        columns = encode.results_frame(self.step.results, results)
        if self.only:
            return encode.delimited(columns, self._style)
        if self._same:
            return encode.lines(piece.text(), columns, self._style, piece.returns())
        start, found = 0, []
        for part in piece.parts():
            frame = part.frame.hstack(columns.slice(start, part.rows))
            found.append(encode.delimited(frame, self._style))
            start += part.rows
        return b"".join(found)


def refuse_twice(names: Sequence[str], form: str) -> None:
    """Refuse columns of one name where the format cannot hold them."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            said = f"two columns are named {name!r}" if name else "two columns have no name"
            raise TableError(f"{said}, which {form} cannot hold: --only leaves them out")
        seen.add(name)

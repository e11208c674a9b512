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
from dezero_cli.tables import encode
from dezero_cli.tables.delimited import Delimited
from dezero_cli.tables.files import SEPARATORS, Tables
from dezero_cli.tables.jsonlines import JsonLines
from dezero_cli.tables.step import Plan, Step

BLOCK = 4 << 20
"""Bytes that are processed at a time."""

HEAD = 1 << 16
"""Bytes at the start of each further file that are read to find its columns."""

LONGEST = 64 << 20
"""Bytes that one row may have; if there are more, a quote is never closed."""

THREADS = 4
"""The most blocks that are processed at once; Polars has threads of its own for each."""

PAUSE, PATIENCE = 0.05, 0.2
"""Seconds without input, and seconds in all, after which a pipe's rows are processed."""


class Piece(Protocol):
    """Some rows of a table of text."""

    rows: int

    @property
    def frame(self) -> pl.DataFrame:
        """The cells, all as text."""

    def numbers(self, column: str) -> np.ndarray:
        """A column as float64."""

    def lines(self, taken: frozenset[str]) -> list[bytes]:
        """A JSON object for each row.  Raises TableError for a key that is `taken`."""


class TextFormat(Protocol):
    """How a format of text divides its bytes into rows and columns."""

    def cut(self, data: bytes) -> int:
        """Where the last complete row of `data` ends."""

    def columns(self, data: bytes, source: str) -> tuple[list[str], int]:
        """The columns of a file that begins with `data`, and where its rows begin."""

    def piece(self, data: bytes, columns: list[str]) -> Any:
        """The rows of `data`."""


def text_format(form: str) -> TextFormat:
    """The reader of a format of text."""
    return JsonLines() if form == "jsonl" else Delimited(form)


# ---------------------------------------------------------------------------------------- reading
@dataclass(slots=True)
class RowBlock:
    """Complete rows of a file, for which `size` bytes of input were read.

    `first` tells whether they are its first rows, `pause` whether the input has paused after them.
    """

    source: str
    data: bytes
    size: int
    first: bool
    pause: bool = False


def blocks(name: str, cut: Callable[[bytes], int], size: int | None = None) -> Iterator[RowBlock]:
    """The rows of a file, or of standard input for ``-``, in blocks; none if it is empty.

    `size` is how much is read at a time (default: BLOCK).
    """
    source = reading.Source(name)
    try:
        piped = reading.is_stream(name)
        rest, first, ended, pause = b"", True, False, True
        while not ended:
            if piped and not pause and not source.wait(PAUSE):
                yield RowBlock(name, b"", 0, False, True)  # blocks in work must not wait for more
            arrived, pause, ended = _arrived(source, piped, size or BLOCK)
            data = rest + arrived
            if first:
                data = _without_mark(data, name)
            end = len(data) if ended else cut(data)
            if not end and len(data) > LONGEST:
                end = len(data)
            rest = data[end:]
            if end:
                yield RowBlock(name, data[:end], len(arrived), first, pause)
                first = False
    finally:
        source.close()


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
    """The rows of a table of text, its files in order; `columns` are known from the start."""

    def __init__(self, tables: Tables) -> None:
        self.format = text_format(tables.format)
        self._names = tables.names
        self._by_file: dict[str, list[str]] = {}
        self._first = blocks(tables.names[0], self.format.cut)
        self._head = self._below_header(next(self._first, None), tables.names[0])
        for name in tables.names[1:]:
            if not reading.is_stream(name):
                self._below_header(next(blocks(name, self.format.cut, HEAD), None), name)
        self.columns = list(dict.fromkeys(c for each in self._by_file.values() for c in each))

    def __iter__(self) -> Iterator[RowBlock]:
        """Every block of rows, without the headers."""
        yield self._head
        yield from self._first
        for name in self._names[1:]:
            for block in blocks(name, self.format.cut):
                yield self._below_header(block, name) if block.first else block

    def require(self, columns: Iterable[str]) -> None:
        """Refuse a file without one of `columns`."""
        for name, known in self._by_file.items():
            for column in columns:
                if column not in known:
                    fault = f"this column is missing, but {self._names[0]} has it"
                    raise TableError(fault, name, column=column)

    def piece(self, block: RowBlock) -> Any:
        """The rows of a block, checked."""
        return self.format.piece(block.data, self.columns)

    def pieces(self, numbers: Sequence[str]) -> Iterator[Any]:
        """The rows of every block, checked; the cells of the columns `numbers` must be numbers."""
        below: dict[str, int] = {}
        for block in self:
            before = below.setdefault(block.source, 0)
            try:
                piece = self.piece(block)
                for column in numbers:
                    piece.numbers(column)
            except TableError as fault:
                raise fault.below(block.source, before) from None
            below[block.source] += piece.rows
            yield piece

    def _below_header(self, block: RowBlock | None, name: str) -> RowBlock:
        """The first block of a file without its header, which must match the other files."""
        if block is None:
            raise TableError("the file is empty", name)
        columns, start = self.format.columns(block.data, name)
        first = self._by_file.setdefault(self._names[0], columns)
        if columns != first and not isinstance(self.format, JsonLines):
            theirs = f"those of {self._names[0]} are {_shown(first)}"
            raise TableError(f"its columns are {_shown(columns)}, but {theirs}", name)
        self._by_file[name] = columns
        return replace(block, data=block.data[start:])


def _shown(names: list[str]) -> str:
    return ", ".join(names[:8]) + ", ..." * (len(names) > 8)


# ---------------------------------------------------------------------------------------- working
class TextRows(NamedTuple):
    """A block of rows with their results, as text."""

    out: bytes
    rows: int


def open_text(tables: Tables, plan: Plan) -> tuple[TextTable, Step]:
    """The rows of a table of text, and the step to apply to them.

    Raises TableError for files that do not match each other, and whatever Step raises.
    """
    source = TextTable(tables)
    step = Step(plan, source.columns)
    source.require(step.columns)
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
    writer = _Writer(source, step, form, plan.only)
    workers = min(THREADS, pl.thread_pool_size())
    below: dict[str, int] = {}
    waiting: deque[tuple[RowBlock, Future[TextRows]]] = deque()

    def finish(block: RowBlock, future: Future[TextRows]) -> None:
        before = below.setdefault(block.source, 0)
        try:
            made = future.result()
        except TableError as fault:
            raise fault.below(block.source, before) from None
        below[block.source] += made.rows
        target.write((b"" if progress.begun else writer.header()) + made.out)
        progress.add(made.rows, block.size)
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
    return sum(below.values())


class _Writer:
    """Turns blocks of rows into text."""

    def __init__(self, source: TextTable, step: Step, form: str, only: bool) -> None:
        self.source = source
        self.step = step
        self.form = form
        self.only = only

    def header(self) -> bytes:
        """The text before the rows."""
        if self.form == "jsonl":
            return b""
        names = [*([] if self.only else self.source.columns), *self.step.results]
        return encode.delimited(pl.DataFrame(schema=names), SEPARATORS[self.form], header=True)

    def text(self, block: RowBlock) -> TextRows:
        """A block of rows with their results, as text."""
        piece: Piece = self.source.piece(block)
        arrays = {column: piece.numbers(column) for column in self.step.columns}
        results = self.step.run(arrays, piece.rows)
        if self.form == "jsonl":
            taken = frozenset((*self.step.results, report.NONFINITE))
            lines = None if self.only else piece.lines(taken)
            out = encode.objects(lines, self.step.results, results)
        else:
            frame = encode.results_frame(self.step.results, results)
            if not self.only:
                frame = piece.frame.hstack(frame)
            out = encode.delimited(frame, SEPARATORS[self.form])
        return TextRows(out, piece.rows)

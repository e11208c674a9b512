"""Tables of text, as they arrive: cut at line ends, worked on by threads, written in order."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl

from dezero_cli.output import Target
from dezero_cli.progress import Progress
from dezero_cli.tables import encode
from dezero_cli.tables.delimited import Delimited
from dezero_cli.tables.files import SEPARATORS, TableError, Tables, streams
from dezero_cli.tables.jsonlines import JsonLines
from dezero_cli.tables.step import Request, Step

CHUNK = 4 << 20
"""Bytes that are worked on at a time."""

HEAD = 1 << 16
"""Bytes at the beginning of each further file that tell its columns."""

LONGEST = 64 << 20
"""Bytes that one row may have; more of them are a quote that is never closed."""

THREADS = 4
"""Chunks that are worked on at once, at most; Polars brings threads of its own to each."""

PAUSE, PATIENCE = 0.05, 0.2
"""Seconds without input, and seconds in all, after which a pipe's rows are not kept waiting."""

_BOM = b"\xef\xbb\xbf"


class Piece(Protocol):
    """Some rows of a table of text."""

    rows: int

    @property
    def frame(self) -> pl.DataFrame:
        """The cells, all of them text."""

    def numbers(self, column: str) -> np.ndarray:
        """A column as float64."""

    def lines(self, taken: frozenset[str]) -> list[bytes]:
        """A JSON object for each row; a key that is `taken` is a fault."""


class Reader(Protocol):
    """What a format of text knows of its bytes."""

    def cut(self, data: bytes) -> int:
        """Where the last whole row of `data` ends."""

    def columns(self, data: bytes, source: str) -> tuple[list[str], int]:
        """The columns of a file that begins with `data`, and where its rows begin."""

    def piece(self, data: bytes, columns: list[str]) -> Any:
        """The rows of `data`."""


def reader(form: str) -> Reader:
    """The reader of a format of text."""
    return JsonLines() if form == "jsonl" else Delimited(form)


# ---------------------------------------------------------------------------------------- reading
@dataclass(slots=True)
class Chunk:
    """Whole rows of a file: the first of it or not, after `size` bytes of input.

    `pause` tells that no more input is there yet.
    """

    source: str
    data: bytes
    size: int
    first: bool
    pause: bool = False


def chunks(name: str, cut: Callable[[bytes], int], size: int | None = None) -> Iterator[Chunk]:
    """The rows of a file, or of standard input for ``-``, in chunks; none if it is empty.

    `size` is how much is read at a time, CHUNK unless told.
    """
    descriptor = 0 if name == "-" else os.open(name, os.O_RDONLY)
    try:
        piped = streams(name)
        rest, first, ended, pause = b"", True, False, True
        while not ended:
            if piped and not pause and not select.select([descriptor], [], [], PAUSE)[0]:
                yield Chunk(name, b"", 0, False, True)  # what is in work is not to wait for more
            arrived, pause, ended = _arrived(descriptor, name, piped, size or CHUNK)
            data = rest + arrived
            if first:
                data = _without_mark(data, name)
            end = len(data) if ended else cut(data)
            if not end and len(data) > LONGEST:
                end = len(data)
            rest = data[end:]
            if end:
                yield Chunk(name, data[:end], len(arrived), first, pause)
                first = False
    finally:
        if name != "-":
            os.close(descriptor)


def _arrived(descriptor: int, name: str, piped: bool, most: int) -> tuple[bytes, bool, bool]:
    """The next bytes; whether a pipe has paused after them; whether they are the last."""
    parts: list[bytes] = []
    size, start = 0, time.monotonic()
    try:
        while size < most:
            if piped and parts:
                wait = min(PAUSE, start + PATIENCE - time.monotonic())
                if wait <= 0 or not select.select([descriptor], [], [], wait)[0]:
                    return b"".join(parts), True, False
            parts.append(_read(descriptor, most - size))
            size += len(parts[-1])
            if not parts[-1]:
                return b"".join(parts), False, True
        return b"".join(parts), False, False
    except OSError as error:
        source = "standard input" if name == "-" else name
        raise OSError(error.errno, error.strerror, source) from None


def _read(descriptor: int, most: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, most)
        except BlockingIOError:  # another program has set the pipe so
            select.select([descriptor], [], [])


def _without_mark(data: bytes, name: str) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError("UTF-16 where UTF-8 is expected: convert it with iconv", name)
    return data.removeprefix(_BOM)


class Source:
    """The rows of a table of text, its files one after another; `columns` are known at once."""

    def __init__(self, tables: Tables) -> None:
        self.reader = reader(tables.format)
        self._names = tables.names
        self._by_file: dict[str, list[str]] = {}
        self._first = chunks(tables.names[0], self.reader.cut)
        self._head = self._below_header(next(self._first, None), tables.names[0])
        for name in tables.names[1:]:
            if not streams(name):
                self._below_header(next(chunks(name, self.reader.cut, HEAD), None), name)
        self.columns = list(dict.fromkeys(c for each in self._by_file.values() for c in each))

    def __iter__(self) -> Iterator[Chunk]:
        """Every chunk of rows, headers taken off."""
        yield self._head
        yield from self._first
        for name in self._names[1:]:
            for chunk in chunks(name, self.reader.cut):
                yield self._below_header(chunk, name) if chunk.first else chunk

    def require(self, columns: Iterable[str]) -> None:
        """Refuse a file without one of `columns`."""
        for name, known in self._by_file.items():
            for column in columns:
                if column not in known:
                    fault = f"no such column, which {self._names[0]} has"
                    raise TableError(fault, name, column=column)

    def piece(self, chunk: Chunk) -> Any:
        """The rows of a chunk, checked."""
        return self.reader.piece(chunk.data, self.columns)

    def pieces(self, numbers: Sequence[str]) -> Iterator[Any]:
        """The rows of every chunk, checked; and that the cells of `numbers` are some."""
        below: dict[str, int] = {}
        for chunk in self:
            before = below.setdefault(chunk.source, 0)
            try:
                piece = self.piece(chunk)
                for column in numbers:
                    piece.numbers(column)
            except TableError as fault:
                raise fault.below(chunk.source, before) from None
            below[chunk.source] += piece.rows
            yield piece

    def _below_header(self, chunk: Chunk | None, name: str) -> Chunk:
        """The first chunk of a file without the header; its columns are those of the others."""
        if chunk is None:
            raise TableError("empty, without even a row", name)
        columns, start = self.reader.columns(chunk.data, name)
        first = self._by_file.setdefault(self._names[0], columns)
        if columns != first and not isinstance(self.reader, JsonLines):
            raise TableError(
                f"its columns are {_shown(columns)}; those of {self._names[0]} are {_shown(first)}",
                name,
            )
        self._by_file[name] = columns
        return replace(chunk, data=chunk.data[start:])


def _shown(names: list[str]) -> str:
    return ", ".join(names[:8]) + ", ..." * (len(names) > 8)


# ---------------------------------------------------------------------------------------- working
class Worked(NamedTuple):
    """What a chunk of rows has become."""

    out: bytes
    rows: int


def opened(tables: Tables, request: Request) -> tuple[Source, Step]:
    """The rows of a table of text, and what is done with them.

    Raises TableError for files that do not go together, and what Step raises.
    """
    source = Source(tables)
    step = Step(request, source.columns)
    source.require(step.columns)
    return source, step


def row_count(tables: Tables) -> int:
    """The rows of a table of text."""
    return sum(piece.rows for piece in Source(tables).pieces(()))


def mapped(tables: Tables, request: Request, form: str, target: Target, progress: Progress) -> int:
    """Write a table of text, with its results, as text to `target`; the number of rows.

    Raises TableError at the first row that is at fault.
    """
    source, step = opened(tables, request)
    writer = _Writer(source, step, form, request.only)
    workers = min(THREADS, pl.thread_pool_size())
    below: dict[str, int] = {}
    waiting: deque[tuple[Chunk, Future[Worked]]] = deque()

    def finish(chunk: Chunk, future: Future[Worked]) -> None:
        before = below.setdefault(chunk.source, 0)
        try:
            worked = future.result()
        except TableError as fault:
            raise fault.below(chunk.source, before) from None
        below[chunk.source] += worked.rows
        target.write((b"" if progress.begun else writer.header()) + worked.out)
        progress.add(worked.rows, chunk.size)
        progress.show()

    with ThreadPoolExecutor(workers) as pool:
        try:
            for chunk in source:
                waiting.append((chunk, pool.submit(writer.worked, chunk)))
                while waiting and (len(waiting) > workers or chunk.pause):
                    finish(*waiting.popleft())
            while waiting:
                finish(*waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return sum(below.values())


class _Writer:
    """Turns chunks of rows into text."""

    def __init__(self, source: Source, step: Step, form: str, only: bool) -> None:
        self.source = source
        self.step = step
        self.form = form
        self.only = only

    def header(self) -> bytes:
        """What comes before the rows."""
        if self.form == "jsonl":
            return b""
        names = [*([] if self.only else self.source.columns), *self.step.results]
        return encode.delimited(pl.DataFrame(schema=names), SEPARATORS[self.form], header=True)

    def worked(self, chunk: Chunk) -> Worked:
        """The text of a chunk of rows with their results."""
        piece: Piece = self.source.piece(chunk)
        arrays = {column: piece.numbers(column) for column in self.step.columns}
        results = self.step.run(arrays, piece.rows)
        if self.form == "jsonl":
            taken = frozenset((*self.step.results, encode.NONFINITE))
            lines = None if self.only else piece.lines(taken)
            made = encode.objects(lines, self.step.results, results)
            out = b"".join(line + b"\n" for line in made)
        else:
            frame = encode.results_frame(self.step.results, results)
            if not self.only:
                frame = piece.frame.hstack(frame)
            out = encode.delimited(frame, SEPARATORS[self.form])
        return Worked(out, piece.rows)

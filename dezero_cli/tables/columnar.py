"""Tables of columns, read and written by Polars in batches: from or to Parquet or Arrow.

A table of text that becomes columns is read twice: its types must fit all rows.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import itertools
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from dezero_cli import reading
from dezero_cli.faults import CommandError, TableError
from dezero_cli.output import Output
from dezero_cli.progress import Progress
from dezero_cli.tables import background, compressed, encode
from dezero_cli.tables.files import SEPARATORS, TEXT, Tables
from dezero_cli.tables.inference import JsonTypes, Types
from dezero_cli.tables.quiet import quietly
from dezero_cli.tables.step import Plan, Step
from dezero_cli.tables.streams import Tally, TextTable, open_text

ROW_GROUP = 1 << 17
"""Rows in a row group of Parquet."""

BATCH = 1 << 15
"""Rows in a batch; several batches for each thread are in memory at once."""

PART = 1 << 24
"""Bytes of text that are written at a time."""

os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "1")
"""Row groups of Parquet that Polars reads ahead: more of them take memory and save no time."""

Schema = dict[str, Any]


def map_columns(
    tables: Tables,
    plan: Plan,
    form: str,
    target: Output,
    progress: Progress,
    types: Types | None = None,
) -> int:
    """Write a table with its results to `target`; return the number of rows.

    `types` are those of text, if they are already known.  Raises TableError for a fault in the
    data, and OSError if writing fails.
    """
    with _at_rest(tables) as resting, _unchanged(resting), quietly():
        return background.run(
            lambda until: _map_resting(resting, plan, form, target, progress, types, until),
            progress.show,
        )


def _map_resting(
    tables: Tables,
    plan: Plan,
    form: str,
    target: Output,
    progress: Progress,
    types: Types | None,
    until: background.Until,
) -> int:
    """Do what `map_columns` says for tables that can be read twice."""
    if tables.format in TEXT:
        frame, step, rows, read = _read_text(tables, plan, types, until)
    else:
        frame, step, rows = _scanned(tables, plan)
        read = {name: name for name in step.columns}
    progress.notes += step.notes
    schema = _schema_of(frame, tables.names[0], tables.format)
    given: Schema = {} if plan.only else schema
    _refuse_nested(given, form)
    progress.total = rows
    batch = _Batch(step, read, plan.only, progress, until)
    kept = frame.select(list(read.values())) if plan.only and read else frame
    wanted = given | dict.fromkeys(step.results, pl.Float64())
    with _faults(tables, target.output), pl.Config(streaming_chunk_size=BATCH):
        until.check()
        _sink(kept, batch, wanted, form, target)
    return batch.rows


@contextlib.contextmanager
def _faults(tables: Tables, output: str | None = None) -> Iterator[None]:
    """In this block a fault of Polars becomes one of this package's."""
    try:
        yield
    except BaseException as fault:  # noqa: BLE001, a panic of Polars is not an Exception
        raise _in_words(fault, output, tables) from None


@contextlib.contextmanager
def _at_rest(tables: Tables) -> Iterator[Tables]:
    """The tables as files that can be read twice; streams are copied to temporary files."""
    passing = {name for name in tables.names if _passes(name, tables.format)}
    if not passing:
        yield tables
        return
    with contextlib.ExitStack() as stack:
        laid = {}
        for name in passing:
            copy = stack.enter_context(_nameless())
            laid[name] = f"/proc/self/fd/{copy.fileno()}" if ON_LINUX else copy.name
            with contextlib.closing(compressed.Source(name)) as source:
                while data := source.read(1 << 20):
                    copy.write(data)
            copy.flush()
        names = tuple(laid.get(name, name) for name in tables.names)
        try:
            yield replace(tables, names=names)
        except TableError as fault:
            original = {path: name for name, path in laid.items()}
            source_name = original.get(fault.source or "", fault.source)
            raise TableError(fault.message, source_name, fault.row, fault.column) from None


@contextlib.contextmanager
def _unchanged(tables: Tables) -> Iterator[None]:
    """Raise TableError if a file of columns has changed at the end of the block."""
    names = [] if tables.format in TEXT else tables.names
    marks = {name: reading.mark(name) for name in names}
    try:
        yield
    finally:
        for name, mark in marks.items():
            if reading.mark(name) != mark:
                raise TableError("changed while it was read", name)


ON_LINUX = os.path.isdir("/proc/self/fd")


def _passes(name: str, form: str) -> bool:
    """Whether a file cannot be read twice as it is: a stream, or columns that are compressed."""
    if reading.is_stream(name):
        return True
    return form not in TEXT and compressed.kind_of(reading.head(name, [])) is not None


def _nameless() -> Any:
    """A temporary file that is gone with the process, whatever ends it, where that can be."""
    return tempfile.TemporaryFile() if ON_LINUX else tempfile.NamedTemporaryFile(prefix="dezero-")


# ---------------------------------------------------------------------------------------- sources
def opened(tables: Tables, plan: Plan) -> Step:
    """The step to apply to a table of columns.

    Raises TableError for files that do not match each other, and whatever Step raises.
    """
    with quietly():
        return background.run(lambda _: _scanned(tables, plan)[1])


def names(tables: Tables) -> list[str]:
    """The names of the columns of a table of columns."""
    with quietly():
        return list(background.run(lambda _: _schema(tables.names[0], tables.format)))


def _scanned(tables: Tables, plan: Plan) -> tuple[pl.LazyFrame, Step, int]:
    """A table of columns, the step to apply to it, and its number of rows."""
    first, *others = tables.names
    schema = _schema(first, tables.format)
    for name in others:
        _refuse_mixed(schema, first, _schema(name, tables.format), name)
    frame = _scan(tables.names, tables.format)
    if tables.rows:
        start, end = tables.rows
        frame = frame.slice(start, end - start)
    step = Step(plan, list(schema))
    for column in step.columns:
        if not _numeric(schema[column]):
            raise TableError(f"contains {schema[column]}, not numbers", first, column=column)
    with _faults(tables):
        return frame, step, frame.select(pl.len()).collect().item()


def _scan(names: tuple[str, ...], form: str) -> pl.LazyFrame:
    files = list(map(glob.escape, names))
    if form == "jsonl":
        return pl.scan_ndjson(files, infer_schema_length=None)
    scan = pl.scan_parquet if form == "parquet" else pl.scan_ipc
    return scan(files, hive_partitioning=False)


def _schema(name: str, form: str) -> Schema:
    if os.path.getsize(name) == 0:
        raise TableError("the file is empty", name)
    return _schema_of(_scan((name,), form), name, form)


def _schema_of(frame: pl.LazyFrame, name: str, form: str) -> Schema:
    """The columns of a table and their types.  Raises TableError if Polars finds none."""
    try:
        return dict(frame.collect_schema())
    except BaseException as fault:
        if isinstance(fault, MemoryError | OSError) and not isinstance(
            fault, pl.exceptions.PolarsError
        ):
            raise
        raise damaged(name, form, fault) from None


def row_count(tables: Tables) -> int:
    """The number of rows of a table of columns."""
    scan = _scan(tables.names, tables.format).select(pl.len())
    with quietly(), _faults(tables):
        return int(background.run(lambda _: scan.collect().item()))


def _refuse_mixed(schema: Schema, first: str, other: Schema, name: str) -> None:
    """Refuse a file whose columns or their types are not those of the first."""
    for column, kind in schema.items():
        if column not in other:
            raise TableError(f"this column is missing, but {first} has it", name, column=column)
        if other[column] != kind:
            raise TableError(
                f"its type is {other[column]}, but {kind} in {first}", name, column=column
            )
    for column in other:
        if column not in schema:
            raise TableError(f"{first} does not have this column", name, column=column)
    if list(other) != list(schema):
        raise TableError(f"its columns are in a different order from those of {first}", name)


def _numeric(kind: Any) -> bool:
    return bool(kind.is_numeric() or kind in (pl.Boolean, pl.Null))


def _refuse_nested(schema: Schema, form: str) -> None:
    """Refuse columns of types that the target cannot hold."""
    for column, kind in schema.items():
        leaves = list(_leaves(kind))
        if form in SEPARATORS and (kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration)):
            raise TableError(f"a cell of {form} cannot hold {kind}", column=column)
        if form == "jsonl" and any(leaf in (pl.Binary, pl.Object) for leaf in leaves):
            raise TableError(f"JSON cannot hold {kind}", column=column)
        if form == "jsonl" and kind.is_nested() and any(leaf.is_decimal() for leaf in leaves):
            raise TableError(f"JSON cannot hold {kind} as it is", column=column)
        if form == "parquet" and any(leaf == pl.Struct([]) for leaf in leaves):
            raise TableError(f"parquet cannot hold {kind}, which is without fields", column=column)


def _leaves(kind: Any) -> Iterator[Any]:
    """The types that a type is made of, without lists and objects that hold others."""
    kinds = [kind]
    while kinds:
        each = kinds.pop()
        inside = [field.dtype for field in each.fields] if isinstance(each, pl.Struct) else []
        if isinstance(each, pl.List | pl.Array):
            inside = [each.inner]
        kinds += inside
        if not inside:
            yield each


def learnt(
    tables: Tables,
    plan: Plan,
    until: background.Until | None = None,
    marks: dict[str, tuple[int, ...]] | None = None,
) -> tuple[Types, int]:
    """The types of the columns of a table of text, and its number of rows, all of them checked."""
    source, _, used = open_text(tables, plan, marks)
    types = _types(tables, used)
    tally = Tally()
    for block, piece in source.pieces(used):
        if until:
            until.check()
        try:
            types.learn(piece)
        except TableError as fault:
            raise tally.placed(fault, block.source) from None
        tally.add(piece, block.source)
    return types, tally.rows


def _types(tables: Tables, used: Sequence[int]) -> Types:
    """What learns the types of a table of text."""
    if tables.format != "jsonl":
        return Types(used, tables.dialect)

    def nested(name: str) -> Any:
        return _schema_of(_scan(tables.names, "jsonl"), tables.names[0], "jsonl")[name]

    return JsonTypes(used, tables.dialect, functools.cache(nested))


def _read_text(
    tables: Tables, plan: Plan, known: Types | None, until: background.Until
) -> tuple[pl.LazyFrame, Step, int, dict[str, str]]:
    """A table of text as columns: a first pass checks it and finds the types, a second reads it."""
    source, step, used = open_text(tables, plan)
    kept = used if plan.only else range(len(source.names))
    names = {place: source.columns[place] if plan.only else source.names[place] for place in kept}
    _refuse_alike(list(names.values()))
    types, rows = (known, 0) if known else learnt(tables, plan, until, source.marks)
    schema = types.schema(names)

    def frames(
        columns: list[str] | None, _predicate: Any, _rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        for _, piece in TextTable(tables, source.marks).pieces(used):
            frame = types.applied(piece, names)
            frame = frame if names else pl.DataFrame({"": [None] * piece.rows})
            yield frame.select(columns) if columns else frame

    if not names:
        schema = {"": pl.Null()}
    by_column = {c: names[i] for c, i in zip(step.columns, used, strict=True)}
    return register_io_source(frames, schema=schema), step, rows, by_column


def _refuse_alike(names: Sequence[str]) -> None:
    """Refuse names that stand twice, which a table of columns cannot tell apart."""
    for name, count in Counter(names).items():
        if count > 1:
            shown = f"columns are named {name!r}" if name else "columns have no name"
            raise TableError(f"{count} {shown}: Parquet and Arrow need names that differ")


# ------------------------------------------------------------------------------------ the pipeline
def _array(column: pl.Series) -> np.ndarray:
    """A column as float64, null as nan."""
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _text(frame: pl.DataFrame, form: str) -> bytes:
    """A table as text, without a header."""
    if form == "jsonl":
        return b"".join(line.encode() + b"\n" for line in encode.table_objects(frame))
    return encode.delimited(frame, SEPARATORS[form])


class _Batch:
    """The step between source and sink, on one batch of rows; threads call it."""

    def __init__(
        self,
        step: Step,
        read: dict[str, str],
        only: bool,
        progress: Progress,
        until: background.Until,
    ) -> None:
        self.step = step
        self.read = read
        self.only = only
        self.progress = progress
        self._until = until
        self.rows = 0
        self._lock = threading.Lock()

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The batch with its result columns."""
        self._until.check()
        arrays = {name: _array(frame[column]) for name, column in self.read.items()}
        added = encode.results_frame(self.step.results, self.step.run(arrays, frame.height))
        with self._lock:
            self.rows += frame.height
            self.progress.add(frame.height, frame.height)
        return added if self.only else frame.hstack(added)

    def text(self, frame: pl.DataFrame, form: str) -> bytes:
        """The batch with its results as text, a row a line."""
        made = self(frame)
        try:
            return _text(made, form)
        except BaseException as fault:
            for name in made.columns:  # a panic does not say which column it is about
                try:
                    _text(made.select(name), form)
                except BaseException:  # noqa: BLE001, a panic of Polars is not an Exception
                    shown = f"{form} cannot hold one of its values ({made.schema[name]})"
                    raise TableError(shown, column=name) from None
            raise fault from None


def _sink(frame: pl.LazyFrame, batch: _Batch, schema: Schema, form: str, target: Output) -> None:
    """Read, compute and write."""
    if form in TEXT:
        header = form != "jsonl"
        if header:
            target.write(encode.header(list(schema), SEPARATORS[form]) + b"\n")
        for read in frame.collect_batches(chunk_size=BATCH, maintain_order=True):
            for part in _in_bytes(read):
                target.write(batch.text(part, form))
        return
    stream = frame.map_batches(batch, schema=schema, streamable=True)
    if form == "parquet":
        stream.sink_parquet(target.sink(), row_group_size=ROW_GROUP)
    else:
        stream.sink_ipc(target.sink())


def _in_bytes(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of a batch in parts that are not too large as text."""
    wide = [name for name, kind in frame.schema.items() if kind in (pl.String, pl.Binary)]
    deep = [name for name, kind in frame.schema.items() if kind.is_nested()]
    if not wide and not deep:
        yield frame
        return
    sizes = np.zeros(frame.height)
    for name in wide:
        column = frame[name]
        lengths = column.str.len_bytes() if column.dtype == pl.String else column.bin.size()
        sizes += lengths.fill_null(0).to_numpy()
    for name in deep:
        sizes += frame[name].estimated_size() / max(frame.height, 1)
    marks = np.cumsum(sizes) // PART
    starts = [0, *(np.flatnonzero(np.diff(marks)) + 1).tolist(), frame.height]
    for start, end in itertools.pairwise(starts):
        if end > start:
            yield frame.slice(start, end - start)


def _in_words(fault: BaseException, output: str | None, tables: Tables) -> BaseException:
    """A fault of Polars as one of this package's, or as one of the operating system's."""
    if isinstance(fault, CommandError | MemoryError | background.Ended):
        return fault
    number = re.search(r"\(os error (\d+)\)|\[Errno (\d+)\]", str(fault))
    if number:
        code = int(number[1] or number[2])
        return OSError(code, os.strerror(code), output)
    if isinstance(fault, OSError) and fault.errno:
        return fault
    return damaged(tables.names[0], tables.format, fault)


def damaged(name: str, form: str, fault: BaseException) -> TableError:
    """The fault of a file that a library could not read."""
    return TableError(f"cannot be read as {form}: {_why(fault)}", name)


def _why(fault: BaseException) -> str:
    """Why Polars cannot read a file, in its words where these are for people."""
    reason = encode.first_line(fault).rpartition("out of specification: ")[2]
    plain = isinstance(fault, pl.exceptions.PolarsError) and reason.isascii() and len(reason) < 200
    technical = re.search(r"flatbuf|InvalidOffset|panick|unwrap|Option::|thrift|0x|\{|::", reason)
    return reason if plain and reason and not technical else "it is damaged"

"""Tables of columns, read and written by Polars in batches: from or to Parquet or Arrow.

A table of text that becomes columns is read twice: its types must fit all rows.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from dezero_cli import reading
from dezero_cli.faults import TableError
from dezero_cli.output import Output
from dezero_cli.progress import Progress
from dezero_cli.tables import background, encode
from dezero_cli.tables.files import SEPARATORS, TEXT, Tables
from dezero_cli.tables.inference import JsonTypes, Types
from dezero_cli.tables.step import Plan, Step
from dezero_cli.tables.streams import Tally, TextTable, open_text

ROW_GROUP = 1 << 17
"""Rows in a row group of Parquet."""

BATCH = 1 << 15
"""Rows in a batch; several batches for each thread are in memory at once."""

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
    with _at_rest(tables) as resting:
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
    with pl.Config(streaming_chunk_size=BATCH):
        try:
            until.check()
            _sink(kept, batch, wanted, form, target)
        except BaseException as fault:  # noqa: BLE001, a panic of Polars is not an Exception
            raise _in_words(fault, target.output) from None
    return batch.rows


@contextlib.contextmanager
def _at_rest(tables: Tables) -> Iterator[Tables]:
    """The tables as files that can be read twice; streams are copied to temporary files."""
    passing = {name for name in tables.names if reading.is_stream(name)}
    if not passing:
        yield tables
        return
    with contextlib.ExitStack() as stack:
        laid = {}
        for name in passing:
            copy = stack.enter_context(_nameless())
            laid[name] = f"/proc/self/fd/{copy.fileno()}" if ON_LINUX else copy.name
            with contextlib.closing(reading.Source(name)) as source:
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


ON_LINUX = os.path.isdir("/proc/self/fd")


def _nameless() -> Any:
    """A temporary file that is gone with the process, whatever ends it, where that can be."""
    return tempfile.TemporaryFile() if ON_LINUX else tempfile.NamedTemporaryFile(prefix="dezero-")


# ---------------------------------------------------------------------------------------- sources
def opened(tables: Tables, plan: Plan) -> Step:
    """The step to apply to a table of columns.

    Raises TableError for files that do not match each other, and whatever Step raises.
    """
    return background.run(lambda _: _scanned(tables, plan)[1])


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
    except (pl.exceptions.PolarsError, OSError) as fault:
        reason = encode.first_line(fault).rpartition("out of specification: ")[2]
        if "InvalidNumber" in reason:  # a row that is not JSON has been refused before
            reason = "a number is too large for a float64: write CSV, TSV or JSON Lines instead"
        raise TableError(f"cannot be read as {form}: {reason}", name) from None


def row_count(tables: Tables) -> int:
    """The number of rows of a table of columns."""
    scan = _scan(tables.names, tables.format).select(pl.len())
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
    """Refuse columns that a text cell cannot hold, if the target has text cells."""
    for column, kind in schema.items():
        if form in SEPARATORS and (kind.is_nested() or kind in (pl.Binary, pl.Object)):
            raise TableError(f"a cell of {form} cannot hold {kind}", column=column)


def learnt(tables: Tables, plan: Plan, until: background.Until | None = None) -> tuple[Types, int]:
    """The types of the columns of a table of text, and its number of rows, all of them checked."""
    source, _, used = open_text(tables, plan)
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
    types, rows = (known, 0) if known else learnt(tables, plan, until)
    schema = types.schema(names)

    def frames(
        columns: list[str] | None, _predicate: Any, _rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        for _, piece in TextTable(tables).pieces(used):
            frame = types.applied(piece, names)
            frame = frame if names else pl.DataFrame({"": [None] * piece.rows})
            yield frame.select(columns) if columns else frame

    if not names:
        schema = {"": pl.Null()}
    by_column = {c: names[i] for c, i in zip(step.columns, used, strict=True)}
    return register_io_source(frames, schema=schema), step, rows, by_column


def _refuse_alike(names: Sequence[str]) -> None:
    """Refuse names that stand twice, which a table of columns cannot tell apart."""
    for name in names:
        if names.count(name) > 1:
            shown = f"columns are named {name!r}" if name else "columns have no name"
            fault = f"{names.count(name)} {shown}: Parquet and Arrow need names that differ"
            raise TableError(fault)


# ------------------------------------------------------------------------------------ the pipeline
def _array(column: pl.Series) -> np.ndarray:
    """A column as float64, null as nan."""
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


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

    def lines(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The batch with its results as JSON, one row per line."""
        return pl.DataFrame({"": encode.table_objects(self(frame))}, schema={"": pl.String})


def _sink(frame: pl.LazyFrame, batch: _Batch, schema: Schema, form: str, target: Output) -> None:
    """Read, compute and write."""
    if form == "jsonl":
        lines = frame.map_batches(batch.lines, schema={"": pl.String}, streamable=True)
        lines.sink_csv(target.sink(), include_header=False, quote_style="never")
        return
    stream = frame.map_batches(batch, schema=schema, streamable=True)
    if form == "parquet":
        stream.sink_parquet(target.sink(), row_group_size=ROW_GROUP)
    elif form == "arrow":
        stream.sink_ipc(target.sink())
    else:
        stream.sink_csv(target.sink(), separator=SEPARATORS[form])


def _in_words(fault: BaseException, output: str | None) -> BaseException:
    """A fault of Polars as one of this package's, or as one of the operating system's."""
    if isinstance(fault, TableError | MemoryError | background.Ended):
        return fault
    number = re.search(r"\(os error (\d+)\)|\[Errno (\d+)\]", str(fault))
    if number:
        code = int(number[1] or number[2])
        return OSError(code, os.strerror(code), output)
    return TableError(encode.first_line(fault))

"""Tables of columns, read and written by Polars in batches: from or to Parquet or Arrow.

A table of text that becomes columns is read twice: its types must fit all rows.
"""

from __future__ import annotations

import glob
import io
import os
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from dezero_cli.faults import CommandError, TableError
from dezero_cli.formats import arrow
from dezero_cli.formats.frames import CHECKS
from dezero_cli.formats.quiet import quiet
from dezero_cli.output import Output
from dezero_cli.progress import Progress
from dezero_cli.tables import (
    background,
    bounded,
    encode,
    limits,
)
from dezero_cli.tables.dialect import skipped_note
from dezero_cli.tables.files import SEPARATORS, TEXT, Tables
from dezero_cli.tables.inference import Types
from dezero_cli.tables.json_types import JsonTypes
from dezero_cli.tables.resting import at_rest
from dezero_cli.tables.rootless import Rootless
from dezero_cli.tables.step import Plan, Step
from dezero_cli.tables.streams import THREADS, TextTable, open_text, refuse_twice

ROW_GROUP = 1 << 17
"""Rows in a row group of Parquet."""

BATCH = 1 << 15
"""Rows in a batch; several batches for each thread are in memory at once."""

os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "1")
"""Row groups of Parquet that Polars reads ahead: more of them take memory and save no time."""

TOLD = (pl.Duration, pl.Categorical, pl.Enum)
"""Types of columns that text has as strings."""

Schema = dict[str, Any]
AnyTypes = Types | JsonTypes


def map_columns(
    tables: Tables,
    plan: Plan,
    form: str,
    target: Output,
    progress: Progress,
    types: AnyTypes | None = None,
) -> int:
    """Write a table with its results to `target`; return the number of rows.

    `types` are those of text, if they are already known.  Raises TableError for a fault in the
    data, and OSError if writing fails.
    """
    with quiet(progress), at_rest(tables) as resting:
        try:
            return background.run(
                lambda until: _map_resting(resting, plan, form, target, progress, types, until),
                progress.show,
            )
        except BaseException as fault:  # noqa: BLE001, a panic of Polars is not an Exception
            raise _in_words(fault, resting, target.output) from None


def _map_resting(
    tables: Tables,
    plan: Plan,
    form: str,
    target: Output,
    progress: Progress,
    types: AnyTypes | None,
    until: background.Until,
) -> int:
    """Do what `map_columns` says for tables that can be read twice."""
    if tables.format in TEXT:
        frame, step, rows, group, notes = _read_text(tables, plan, types, until, progress)
        most = BATCH
        progress.notes += notes
    else:
        frame, step, rows, most = _scanned(tables, plan)
        group = ROW_GROUP
    progress.notes += step.notes
    schema = _schema_of(frame, tables.names[0], tables.format)
    given: Schema = {} if plan.only else schema
    limits.refuse_foreign(given, form)
    progress.total = counted = rows
    spelt = _spelt(step.columns, list(schema), tables.names[0])
    batch = _Batch(step, spelt, form, plan.only, progress, until)
    kept = frame.select(spelt.values()) if plan.only and spelt else frame
    if form in TEXT:
        given = {n: pl.String() if kind in TOLD else kind for n, kind in given.items()}
    wanted = given | dict.fromkeys(step.results, pl.Float64())
    group = bounded.batch_rows(len(wanted), group)
    if form == "parquet" and tables.format not in TEXT and not plan.only:
        group = _group_rows(frame, group, until)
    until.check()
    rows = bounded.batch_rows(len(wanted), most)
    with pl.Config(streaming_chunk_size=rows):
        if form == "jsonl":
            _write_lines(kept, batch, target, rows)
        else:
            _sink(kept, batch, wanted, form, target, group)
    if tables.format not in TEXT and batch.rows != counted:
        raise damaged(tables.names[0], tables.format)
    progress.notes += batch.rootless.notes
    return batch.rows


# ---------------------------------------------------------------------------------------- sources
def opened(tables: Tables, plan: Plan) -> Step:
    """The step to apply to a table of columns.

    Raises TableError for files that do not match each other, and whatever Step raises.
    """
    with quiet(Progress(0)):
        return background.run(lambda _: _scanned(tables, plan)[1])


def _scanned(tables: Tables, plan: Plan) -> tuple[pl.LazyFrame, Step, int, int]:
    """A table of columns, the step to apply to it, its number of rows, and how many at a time."""
    first, schema = tables.names[0], schema_of_all(tables)
    frame = _scan(tables.names, tables.format)
    start, end = tables.rows or (0, _rows(tables))
    most = bounded.readable_rows(tables.names) if tables.format == "parquet" else None
    if most is not None:
        frame = bounded.in_slices(frame, start, end, most)
    elif tables.rows:
        frame = frame.slice(start, end - start)
    step = Step(plan, [name.strip() for name in schema])
    for column, name in _spelt(step.columns, list(schema), first).items():
        if not _numeric(schema[name]):
            raise TableError(f"contains {schema[name]}, not numbers", first, column=column)
    return frame, step, end - start, min(BATCH, most or BATCH)


def _spelt(columns: Iterable[str], names: Sequence[str], source: str | None) -> dict[str, str]:
    """How the table spells columns.  Raises TableError for one that it has twice."""
    bare = [name.strip() for name in names]
    for column in columns:
        if bare.count(column) > 1:
            raise TableError(f"two columns are named {column!r}", source)
    return {column: names[bare.index(column)] for column in columns}


def _scan(names: tuple[str, ...], form: str) -> pl.LazyFrame:
    files = list(map(glob.escape, names))
    if form == "parquet":
        return pl.scan_parquet(files, hive_partitioning=False)
    if any(map(arrow.is_stream, names)):
        return pl.concat([_scan_arrow(name) for name in names])
    return pl.scan_ipc(files, hive_partitioning=False)


def _scan_arrow(name: str) -> pl.LazyFrame:
    """A file of Arrow's, or a stream, which is read a batch at a time."""
    if not arrow.is_stream(name):
        return pl.scan_ipc(glob.escape(name), hive_partitioning=False)

    def frames(
        columns: list[str] | None, _predicate: Any, most: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        for rows, batch in arrow.batches(name):
            if most is not None and most <= 0:
                return
            frame = pl.read_ipc_stream(io.BytesIO(batch), columns=columns, n_rows=most)
            most = None if most is None else most - rows
            yield frame

    return register_io_source(frames, schema=pl.read_ipc_stream(name, n_rows=0).schema)


def _schema(name: str, form: str) -> Schema:
    if os.path.getsize(name) == 0:
        raise TableError("the file is empty", name)
    if not CHECKS[form](name):
        raise damaged(name, form)
    odd = arrow.foreign(name) if form == "arrow" else None
    if odd is not None:
        raise TableError(f"it holds {odd[1]}, which cannot be read", name, column=odd[0])
    if form == "arrow" and arrow.is_bomb(name):
        raise TableError(arrow.BOMB, name)
    try:
        frame = _scan((name,), form)
    except BaseException as fault:  # noqa: BLE001, a panic of Polars is not an Exception
        raise _in_words(fault, Tables((name,), form), name) from None
    return _schema_of(frame, name, form)


def _schema_of(frame: pl.LazyFrame, name: str, form: str) -> Schema:
    """The columns of a table and their types.  Raises TableError if Polars finds none."""
    try:
        return dict(frame.collect_schema())
    except BaseException as fault:  # noqa: BLE001, a panic of Polars is not an Exception
        raise _in_words(fault, Tables((name,), form), name) from None


def damaged(name: str, form: str) -> TableError:
    """A file that is not what it should be."""
    return TableError(f"cannot be read as {form}: damaged", name)


def schema_of_all(tables: Tables) -> Schema:
    """The columns of tables and their types.  Raises TableError if they do not match."""
    first, *others = tables.names
    schema = _schema(first, tables.format)
    for name in others:
        _refuse_mixed(schema, first, _schema(name, tables.format), name)
    return schema


def frames(
    tables: Tables, schema: Schema, numbers: Sequence[str], others: Mapping[str, str], rows: int
) -> Iterator[pl.DataFrame]:
    """Columns of tables, so many rows at a time: `numbers` as float64, `others` under new names.

    Raises TableError for a column that is to be of numbers and is not.
    """
    for column in numbers:
        if not _numeric(schema[column]):
            fault = f"contains {schema[column]}, not numbers"
            raise TableError(fault, tables.names[0], column=column)
    frame = _scan(tables.names, tables.format).select(
        *(pl.col(name).cast(pl.Float64) for name in numbers),
        *(pl.col(name).alias(other) for name, other in others.items()),
    )
    start, end = tables.rows or (0, row_count(tables))
    if any(map(arrow.is_stream, tables.names)):
        yield from _passing(frame.slice(start, end - start), tables, rows)
        return
    for begin in range(start, end, rows):
        found = _collected(frame.slice(begin, min(rows, end - begin)), tables)
        if found.height != min(rows, end - begin):
            raise damaged(tables.names[0], tables.format)
        yield found


def _passing(frame: pl.LazyFrame, tables: Tables, rows: int) -> Iterator[pl.DataFrame]:
    """A table that is read once, from its beginning to its end."""
    with quiet(Progress(0)):
        try:
            yield from frame.collect_batches(chunk_size=rows)
        except BaseException as fault:  # noqa: BLE001, a panic of Polars is not an Exception
            raise _in_words(fault, tables, None) from None


def _collected(frame: pl.LazyFrame, tables: Tables) -> pl.DataFrame:
    with quiet(Progress(0)):
        try:
            return background.run(lambda _: frame.collect())
        except BaseException as fault:  # noqa: BLE001, a panic of Polars is not an Exception
            raise _in_words(fault, tables, None) from None


def row_count(tables: Tables) -> int:
    """The number of rows of a table of columns."""
    with quiet(Progress(0)):
        return int(background.run(lambda _: _rows(tables)))


def _rows(tables: Tables) -> int:
    streams = list(filter(arrow.is_stream, tables.names)) if tables.format == "arrow" else []
    files = tuple(name for name in tables.names if name not in streams)
    counted = _scan(files, tables.format).select(pl.len()).collect().item() if files else 0
    return int(counted) + sum(map(arrow.stream_rows, streams))


def columns(tables: Tables) -> list[str]:
    """The names of the columns."""
    with quiet(Progress(0)), at_rest(tables) as resting:
        return list(background.run(lambda _: _schema(resting.names[0], resting.format)))


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


def learnt(
    tables: Tables,
    plan: Plan,
    until: background.Until | None = None,
    progress: Progress | None = None,
) -> tuple[AnyTypes, int, int, int]:
    """The types of the columns of a table of text, all of whose rows are checked.

    With them come the number of rows, how many of these are to be left out, and how many bytes a
    row has on average where its rows are longest.
    """
    source, step = open_text(tables, plan)
    if len(source.columns) > limits.MOST_COLUMNS and not plan.only:
        fault = f"{len(source.columns):,} columns: at most {limits.MOST_COLUMNS:,} can be written"
        raise TableError(fault, tables.names[0])
    if not plan.only:
        refuse_twice(source.columns, "a table of columns")
    places = source.places(step.columns)
    types: AnyTypes = (
        JsonTypes(places) if source.is_json else Types(places.values(), tables.dialect, plan.only)
    )
    rows = skipped = 0
    for piece in source.pieces(step.columns, types.learn):
        if until:
            until.check()
        if progress:
            progress.check(piece.rows)
        rows += piece.rows
        skipped += piece.skipped
    return types, rows, skipped, source.longest


def _read_text(
    tables: Tables,
    plan: Plan,
    known: AnyTypes | None,
    until: background.Until,
    progress: Progress,
) -> tuple[pl.LazyFrame, Step, int, int, list[str]]:
    """A table of text as columns: a first pass checks it and finds the types, a second reads it.

    With them come the number of rows, and how many are to be in a row group.
    """
    source, step = open_text(tables, plan)
    first = (known, 0, 0, 1) if known else learnt(tables, plan, until, progress)
    types, rows, skipped, size = first
    used = source.places(step.columns).values()
    names = [
        f"{name} {place}" if plan.only and not source.is_json and place not in used else name
        for place, name in enumerate(source.columns)
    ]  # columns that are left out may have one name
    schema = types.schema(names)

    def frames(
        columns: list[str] | None, _predicate: Any, _rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = None if columns is None else set(columns)
        for piece in TextTable(tables).pieces(step.columns):
            for part in piece.parts():
                frame = types.applied(part, names, wanted)
                yield frame.select(columns) if columns else frame

    group = max(1, min(ROW_GROUP, bounded.GROUP // max(size, 1)))
    return register_io_source(frames, schema=schema), step, rows, group, skipped_note(skipped)


def _group_rows(frame: pl.LazyFrame, rows: int, until: background.Until) -> int:
    """How many rows are to be in a row group, by what is in columns of text and of lists."""
    names = [n for n, kind in frame.collect_schema().items() if not _is_plain(kind)]
    if not names:
        return rows

    def frames() -> Iterator[pl.DataFrame]:
        for each in frame.select(names).collect_batches(chunk_size=BATCH):
            until.check()
            yield each

    with pl.Config(streaming_chunk_size=BATCH):
        return bounded.rows_that_fit(frames(), rows, bounded.GROUP)


def _is_plain(kind: Any) -> bool:
    """Whether the cells of a column are all of one size."""
    return not kind.is_nested() and kind not in (pl.String, pl.Binary, pl.Categorical, pl.Enum)


# ------------------------------------------------------------------------------------ the pipeline
class _Batch:
    """The step between source and sink, on one batch of rows; threads call it."""

    def __init__(
        self,
        step: Step,
        spelt: dict[str, str],
        form: str,
        only: bool,
        progress: Progress,
        until: background.Until,
    ) -> None:
        self.step = step
        self.form = form
        self._spelt = spelt
        self.only = only
        self.progress = progress
        self._until = until
        self.rows = 0
        self.rootless = Rootless(step)
        self._lock = threading.Lock()

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The batch with its result columns."""
        self._until.check()
        arrays = {
            column: frame[name].cast(pl.Float64).to_numpy() for column, name in self._spelt.items()
        }
        results = self.step.run(arrays, frame.height)
        added = encode.results_frame(self.step.results, results)
        if self.form in TEXT and not self.only:
            limits.refuse_untold(frame, self.form)
            frame = _told(frame)
        self.rootless.add(self.rootless.rows(arrays, results))
        with self._lock:
            self.rows += frame.height
            self.progress.add(frame.height, frame.height)
        return added if self.only else frame.hstack(added)

    def lines(self, frame: pl.DataFrame) -> bytes:
        """The batch with its results as JSON, one row per line."""
        return encode.table_objects(self(frame))


def _told(frame: pl.DataFrame) -> pl.DataFrame:
    """The same with columns of the types TOLD as the text that stands for them."""
    return frame.with_columns(
        column.dt.to_string("iso") if column.dtype == pl.Duration else bounded.as_texts(column)
        for column in frame.get_columns()
        if column.dtype in TOLD
    )


def _write_lines(frame: pl.LazyFrame, batch: _Batch, target: Output, rows: int) -> None:
    """Read so many rows at a time, compute, and write JSON in pieces of bounded size."""
    waiting: deque[Future[bytes]] = deque()
    workers = min(THREADS, pl.thread_pool_size())
    with ThreadPoolExecutor(workers) as pool:
        try:
            for whole in frame.collect_batches(chunk_size=rows):
                for piece in bounded.pieces(whole, bounded.PIECE, keys=True):
                    waiting.append(pool.submit(batch.lines, piece))
                    if len(waiting) > workers:
                        target.write(waiting.popleft().result())
            while waiting:
                target.write(waiting.popleft().result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _sink(
    frame: pl.LazyFrame, batch: _Batch, schema: Schema, form: str, target: Output, group: int
) -> None:
    """Read, compute and write; Parquet with so many rows in a row group."""
    stream = frame.map_batches(batch, schema=schema, streamable=True)
    if form == "parquet":
        stream.sink_parquet(target.sink(), row_group_size=group)
    elif form == "arrow":
        stream.sink_ipc(target.sink())
    else:
        stream.sink_csv(target.sink(), separator=SEPARATORS[form])


def _in_words(fault: BaseException, tables: Tables, output: str | None) -> BaseException:
    """A fault of Polars as one of this package's, or as one of the operating system's."""
    ours = CommandError | MemoryError | background.Ended | KeyboardInterrupt | SystemExit
    if isinstance(fault, ours):
        return fault
    number = re.search(r"\(os error (\d+)\)|\[Errno (\d+)\]", str(fault))
    if number:
        code = int(number[1] or number[2])
        return OSError(code, os.strerror(code), output)
    if tables.format in TEXT:
        return TableError(encode.first_line(fault), tables.names[0])
    return damaged(tables.names[0], tables.format)

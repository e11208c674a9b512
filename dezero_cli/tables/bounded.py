"""Tables of columns in pieces whose bytes are bounded, however few bytes the file has.

In memory, cells of one text are one text; as soon as they are written, each takes its own bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from dezero_cli.formats import parquet

PIECE = 16 << 20
"""Bytes that are written at a time, about."""

GROUP = 1 << 26
"""Bytes in a row group that is written, before it is packed."""

READ = 1 << 27
"""Bytes of a row group that are read at a time, where twice as many do not hold it."""

_CELL = 24
"""Bytes of a number as text, about."""

_QUOTES = 3
"""Bytes around a text."""


def row_sizes(frame: pl.DataFrame, keys: bool = False) -> np.ndarray:
    """About how many bytes each row takes as text; with `keys`, as a JSON object."""
    sizes = np.zeros(frame.height, np.int64)
    for column in frame.get_columns():
        sizes += _sizes(column, keys) + (len(column.name.encode()) + 4 if keys else 0)
    return sizes


def _sizes(column: pl.Series, keys: bool) -> np.ndarray:
    """The bytes of each cell; lists and structures hold cells themselves."""
    kind: Any = column.dtype
    if isinstance(kind, pl.Array):
        column, kind = column.arr.to_list(), pl.List(kind.inner)
    if isinstance(kind, pl.Struct):
        inside = column.struct.unnest()
        return row_sizes(inside, keys) + 2
    if isinstance(kind, pl.List):
        counts = column.list.len().fill_null(0).to_numpy().astype(np.int64)
        inner = column.filter(pl.Series(counts > 0)).explode()
        ends = np.concatenate([[0], np.cumsum(_sizes(inner, keys))])
        places = np.cumsum(counts)
        found: np.ndarray = ends[places] - ends[places - counts] + 2
        return found
    if kind == pl.Binary:
        return column.bin.size().fill_null(0).to_numpy().astype(np.int64)
    if kind in (pl.String, pl.Categorical, pl.Enum):
        text = column.str.len_bytes() if kind == pl.String else column.cat.len_bytes()
        return text.fill_null(4).to_numpy().astype(np.int64) + _QUOTES
    return np.full(len(column), _CELL, np.int64)


def as_texts(column: pl.Series) -> pl.Series:
    """Categories as texts that share their bytes; Polars would copy each."""
    known = column.unique().drop_nulls()
    places = pl.Series(range(len(known)), dtype=pl.UInt32)
    codes = column.to_physical()
    place = codes.replace_strict(known.to_physical(), places, default=None, return_dtype=pl.UInt32)
    return known.cast(pl.String).gather(place).alias(column.name)


def pieces(frame: pl.DataFrame, most: int, keys: bool = False) -> Iterator[pl.DataFrame]:
    """A table cut where its rows take more than `most` bytes; a piece has one row at least."""
    ends = np.cumsum(row_sizes(frame, keys))
    start = 0
    while start < frame.height:
        before = ends[start - 1] if start else 0
        end = max(int(np.searchsorted(ends, before + most, side="right")), start + 1)
        yield frame.slice(start, end - start)
        start = end


def rows_that_fit(frames: Iterable[pl.DataFrame], rows: int, most: int) -> int:
    """How many rows, at most `rows`, take up to `most` bytes wherever they stand in a table."""
    for frame in frames:
        ends = np.concatenate([[0], np.cumsum(row_sizes(frame))])
        while rows > 1 and frame.height:
            starts = np.arange(0, frame.height, min(rows, frame.height))
            last = np.minimum(starts + rows, frame.height)
            times = -(-rows // frame.height)
            if (ends[last] - ends[starts]).max() * times <= most:
                break
            rows //= 2
    return rows


def batch_rows(width: int, rows: int, most: int = GROUP) -> int:
    """How many rows, at most `rows`, so many columns of numbers have in `most` bytes."""
    return max(1, min(rows, most // (8 * max(width, 1))))


def readable_rows(names: Iterable[str], most: int = READ) -> int | None:
    """How many rows of Parquet files to read at a time; None if their row groups are small."""
    found = None
    for name in names:
        for group in parquet.row_groups(name):
            rows, size = group.rows, group.size
            if size > 2 * most and rows > 0:
                found = min(max(1, rows * most // size), found or rows)
    return found


def in_slices(frame: pl.LazyFrame, start: int, end: int, rows: int) -> pl.LazyFrame:
    """Rows of a table, read so many at a time."""

    def frames(
        columns: list[str] | None, _predicate: Any, _rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = frame.select(columns) if columns else frame
        for place in range(start, end, rows):
            yield wanted.slice(place, min(rows, end - place)).collect()

    return register_io_source(frames, schema=frame.collect_schema())

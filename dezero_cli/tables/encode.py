"""Rows and their result columns -> CSV, TSV or JSON Lines.

In CSV and TSV a number is the shortest text that reads back to the same float64, or NaN, inf,
-inf.  In JSON Lines what is not finite is null, and "nonfinite" says which it is, as everywhere.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import orjson
import polars as pl

from dezero_cli import report

NONFINITE = "nonfinite"
"""The key beside numbers that are not finite."""


def delimited(frame: pl.DataFrame, separator: str, header: bool = False) -> bytes:
    """A table as CSV or TSV."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=header, separator=separator)
    return buffer.getvalue()


def results_frame(names: Sequence[str], arrays: Sequence[np.ndarray]) -> pl.DataFrame:
    """The result columns as a table."""
    return pl.DataFrame([pl.Series(name, array) for name, array in zip(names, arrays, strict=True)])


def objects(
    lines: list[bytes] | None, names: Sequence[str], arrays: Sequence[np.ndarray]
) -> list[bytes]:
    """Each row as a JSON object: the one in `lines`, if there are any, then the results."""
    rows = len(arrays[0])
    if not rows:
        return []
    table = np.stack(arrays, axis=1)
    figures = orjson.dumps(table.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    columns = len(names)
    parts = [b""] * ((2 * columns + 2) * rows)
    step = 2 * columns + 2
    parts[0::step] = [b"{"] * rows if lines is None else [_open(line) for line in lines]
    for i, name in enumerate(names):
        parts[1 + 2 * i :: step] = [b"," * (i > 0) + orjson.dumps(name) + b":"] * rows
        parts[2 + 2 * i :: step] = figures[i::columns]
    parts[step - 1 :: step] = [b"}"] * rows
    for row in np.flatnonzero(~np.isfinite(table).all(axis=1)):
        parts[row * step + step - 1] = _nonfinite(names, table[row].tolist())
    return [b"".join(parts[i : i + step]) for i in range(0, len(parts), step)]


def table_objects(frame: pl.DataFrame) -> list[str]:
    """Each row of a table of any types as a JSON object."""
    lines = frame.write_ndjson().split("\n")[: frame.height]
    floats = frame.select(name for name, kind in frame.schema.items() if kind.is_float())
    finite = floats.select((pl.all().is_finite() | pl.all().is_null()).name.keep())
    for row in (~finite.select(pl.all_horizontal(pl.all())).to_series()).arg_true():
        numbers = [0.0 if number is None else number for number in floats.row(row)]
        lines[row] = lines[row][:-1] + _nonfinite(floats.columns, numbers).decode()
    return lines


def _open(line: bytes) -> bytes:
    """An object that goes on."""
    inside = line[:-1].rstrip()
    return inside if inside == b"{" else inside + b","


def _nonfinite(names: Sequence[str], numbers: list[float]) -> bytes:
    """The end of an object with numbers that are not finite."""
    odd = {
        name: report.number_text(number)
        for name, number in zip(names, numbers, strict=True)
        if not math.isfinite(number)
    }
    return b',"' + NONFINITE.encode() + b'":' + orjson.dumps(odd) + b"}"


def first_line(fault: BaseException) -> str:
    """The first line of another library's message."""
    return str(fault).strip().partition("\n")[0]

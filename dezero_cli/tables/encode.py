"""Rows and their result columns -> CSV, TSV or JSON Lines.

In CSV and TSV a number is the shortest text that reads back to the same float64, or NaN, inf,
-inf.  In JSON Lines a number that is not finite is null, and "nonfinite" tells what it was.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from dezero_cli import report
from dezero_cli.faults import TableError


def delimited(
    frame: pl.DataFrame,
    separator: str,
    header: bool = False,
    comma: bool = False,
    end: bytes = b"\n",
    raw: bool = False,
) -> bytes:
    """A table as CSV or its like, lines that end in `end`.

    With `comma` numbers have a decimal comma; with `raw` cells are written without quotes.
    """
    buffer = io.BytesIO()
    frame.write_csv(
        buffer,
        include_header=header,
        separator=separator,
        decimal_comma=comma,
        line_terminator=end.decode(),
        quote_style="never" if raw else "necessary",
    )
    return buffer.getvalue()


def header(names: Sequence[str], separator: str) -> bytes:
    """The names of columns as a line without its end."""
    quote = re.compile(rf'[\n\r"{re.escape(separator)}]')
    escaped = (
        '"' + name.replace('"', '""') + '"' if quote.search(name) else name for name in names
    )
    return separator.join(escaped).encode()


def results_frame(names: Sequence[str], arrays: Sequence[np.ndarray]) -> pl.DataFrame:
    """The result columns as a table."""
    return pl.DataFrame([pl.Series(name, array) for name, array in zip(names, arrays, strict=True)])


def objects(lines: list[bytes] | None, names: Sequence[str], arrays: Sequence[np.ndarray]) -> bytes:
    """Each row as a JSON object on a line: the one in `lines`, if any, with the results added."""
    rows = len(arrays[0])
    opening = b"{" if lines is None else [_open(line) for line in lines]
    return report.json_rows([opening], dict(zip(names, arrays, strict=True)), rows)


def table_objects(frame: pl.DataFrame) -> list[str]:
    """Each row of a table of any types as a JSON object."""
    _refuse_nested_nonfinite(frame)
    decimals = [name for name, kind in frame.schema.items() if kind.is_decimal()]
    mark = f"decimal-{os.urandom(8).hex()}:"  # Polars writes decimals as text
    marked = (pl.concat_str([pl.lit(mark), pl.col(n).cast(pl.String)]).alias(n) for n in decimals)
    text = frame.with_columns(*marked).write_ndjson()
    if decimals:
        text = re.sub(f'"{mark}([^"]*)"', r"\1", text)
    lines = text.split("\n")[: frame.height]
    floats = frame.select(name for name, kind in frame.schema.items() if kind.is_float())
    finite = floats.select((pl.all().is_finite() | pl.all().is_null()).name.keep())
    for row in (~finite.select(pl.all_horizontal(pl.all())).to_series()).arg_true():
        numbers = [0.0 if number is None else number for number in floats.row(row)]
        lines[row] = lines[row][:-1] + report.nonfinite_ending(floats.columns, numbers).decode()
    return lines


def _refuse_nested_nonfinite(frame: pl.DataFrame) -> None:
    """Refuse lists and objects with numbers that are not finite, which JSON cannot tell."""
    for name, kind in frame.schema.items():
        columns = [frame[name]] if kind.is_nested() else []
        while columns:
            column = columns.pop()
            if isinstance(column.dtype, pl.Struct):
                columns += [column.struct.field(field.name) for field in column.dtype.fields]
            elif column.dtype.is_nested():
                columns.append(column.explode())
            elif column.dtype.is_float() and not column.is_finite().all():
                fault = f"JSON cannot hold a number that is not finite in {kind}"
                raise TableError(fault, column=name)


def _open(line: bytes) -> bytes:
    """A JSON object without its end, so that keys can be added."""
    inside = line[:-1].rstrip()
    return inside if inside == b"{" else inside + b","


def first_line(fault: BaseException) -> str:
    """The first line of another library's message."""
    return str(fault).strip().partition("\n")[0]

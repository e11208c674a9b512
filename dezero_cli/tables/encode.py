"""Rows and their result columns -> CSV, TSV or JSON Lines.

In CSV and TSV a number is the shortest text that reads back to the same float64, or NaN, inf,
-inf.  In JSON Lines a number that is not finite is null, and "nonfinite" tells what it was.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson
import polars as pl

from dezero_cli import report
from dezero_cli.number_format import number_text


class Style(NamedTuple):
    """How CSV and TSV are written."""

    separator: str
    decimal: str = "."
    end: str = "\n"


def delimited(frame: pl.DataFrame, style: Style, quoted: bool = True) -> bytes:
    """The rows of a table as CSV or TSV; cells are put in quotes where they need them."""
    if style.decimal != ".":
        numbers = [name for name, kind in frame.schema.items() if kind.is_float()]
        text = pl.col(numbers).cast(pl.String).str.replace(".", style.decimal, literal=True)
        frame = frame.with_columns(text)
    buffer = io.BytesIO()
    frame.write_csv(
        buffer,
        include_header=False,
        separator=style.separator,
        line_terminator=style.end,
        quote_style="necessary" if quoted else "never",
    )
    return buffer.getvalue()


def lines(
    text: pl.Series, results: pl.DataFrame, style: Style, returns: np.ndarray | bool
) -> bytes:
    """Lines of CSV or TSV with their results.

    `returns` tells whether lines end in CR LF: all of them, or each.
    """
    whole = pl.DataFrame([text, *results])
    if isinstance(returns, bool):
        style = style._replace(end="\r\n" if returns else "\n")
        return delimited(whole, style, quoted=False)
    last = results.columns[-1]
    style = style._replace(end="\n")
    cells = delimited(results.select(last), style, quoted=False).decode().split("\n")[:-1]
    ends = np.where(returns, "\r", "").tolist()
    marked = pl.Series(last, [cell + end for cell, end in zip(cells, ends, strict=True)])
    return delimited(whole.with_columns(marked), style, quoted=False)


def header(names: Sequence[str], style: Style) -> bytes:
    """The header of CSV or TSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=style.separator, lineterminator=style.end).writerow(names)
    return text.getvalue().encode()


def results_frame(names: Sequence[str], arrays: Sequence[np.ndarray]) -> pl.DataFrame:
    """The result columns as a table."""
    return pl.DataFrame([pl.Series(name, array) for name, array in zip(names, arrays, strict=True)])


def objects(
    lines: list[bytes] | None,
    names: Sequence[str],
    arrays: Sequence[np.ndarray],
    marks: Sequence[dict[str, str]] = (),
) -> bytes:
    """Each row as a JSON object on a line: the one in `lines`, if any, with the results added.

    `marks` are what "nonfinite" says of the numbers in `lines`.
    """
    rows = len(arrays[0])
    opening = b"{" if lines is None else [_open(line) for line in lines]
    text = report.json_rows([opening], dict(zip(names, arrays, strict=True)), rows)
    if not any(marks):
        return text
    made = text.split(b"\n")
    for row, before in enumerate(marks):
        if before:
            numbers = [float(array[row]) for array in arrays]
            odd = {n: x for n, x in zip(names, numbers, strict=True) if not math.isfinite(x)}
            plain = made[row].removesuffix(report.nonfinite_ending(names, numbers))
            plain = plain if odd else plain.removesuffix(b"}")
            every = {**before, **{name: number_text(x) for name, x in odd.items()}}
            ending = orjson.dumps({report.NONFINITE: every}).removeprefix(b"{")
            made[row] = plain + b"," + ending
    return b"\n".join(made)


class _Number:
    """A number with its key, where the number was text."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, match: re.Match[str]) -> str:
        """The text to put in place of a match."""
        return f"{self._key}:{match[1] or 'null'}"


def table_objects(frame: pl.DataFrame) -> bytes:
    """Each row of a table of any types as a JSON object on a line."""
    marks = {
        name: f"\ue000{i}"
        for i, (name, kind) in enumerate(frame.schema.items())
        if kind.is_decimal()
    }
    floats = frame.select(name for name, kind in frame.schema.items() if kind.is_float())
    finite = floats.select((pl.all().is_finite() | pl.all().is_null()).name.keep())
    odd = (~finite.select(pl.all_horizontal(pl.all())).to_series()).arg_true()
    made = io.BytesIO()
    frame.rename(marks).write_ndjson(made)
    if not marks and not len(odd):
        return made.getvalue()
    text = made.getvalue().decode()
    for name, mark in marks.items():  # decimals are numbers, with all their digits
        key = orjson.dumps(name).decode()
        text = re.sub(rf'"{mark}":(?:"([^"]*)"|null)', _Number(key), text)
    lines = text.split("\n")[: frame.height]
    for row in odd:
        numbers = [0.0 if number is None else number for number in floats.row(row)]
        lines[row] = lines[row][:-1] + report.nonfinite_ending(floats.columns, numbers).decode()
    return "\n".join([*lines, ""]).encode()


def _open(line: bytes) -> bytes:
    """A JSON object without its end, so that keys can be added."""
    inside = line[:-1].rstrip()
    return inside if inside == b"{" else inside + b","


def first_line(fault: BaseException) -> str:
    """The first line of another library's message."""
    return str(fault).strip().partition("\n")[0]

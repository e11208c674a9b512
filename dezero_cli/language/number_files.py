"""Files of numbers -> arrays: ``x=@x.txt``, ``x=@m.csv``, ``t=@decay.csv:t``, ``x=@-``.

Text is read here, with the standard library alone; columns of Parquet and Arrow by Polars, which
is imported for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from dezero_cli import reading
from dezero_cli.extras import require
from dezero_cli.faults import FileError, ValuesError, did_you_mean
from dezero_cli.formats import frames
from dezero_cli.language.spelling import canonical, meant, quoted

_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_COLUMNS: Final = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow"}
_LINES: Final = {".jsonl", ".ndjson"}
ENDINGS: Final = (".npy", ".json", ".txt", *_SEPARATORS, *_LINES, *_COLUMNS)
"""The endings of the files that VALUE may name."""

MOST_LISTED: Final = 8
"""Columns that a message lists at most."""


class _Table(NamedTuple):
    """The columns of a file: cells by name (by number where there is no header), and their lines.

    A cell is text, or a JSON value.
    """

    named: bool
    columns: dict[str, Sequence[Any]]
    lines: Sequence[int]


def split(text: str) -> tuple[str, str | None]:
    """The file and the column of FILE or FILE:COLUMN; a colon may be part of either name."""
    ends = [len(text), *(i for i in range(len(text) - 1, 0, -1) if text[i] == ":")]
    for end in ends:
        if text[:end] == "-" or os.path.exists(text[:end]):
            return text[:end], text[end + 1 :] if end < len(text) else None
    known = [end for end in ends if _ending(text[:end]) in ENDINGS]
    return (text[: known[-1]] if known else text), None


def _ending(path: str) -> str:
    """The ending that tells the format of a file, compressed or not."""
    return os.path.splitext(reading.without_ending(path)[0])[1].lower()


def from_file(name: str, text: str) -> np.ndarray:
    """The array that NAME=@TEXT stands for, where TEXT is FILE, FILE:COLUMN or ``-``.

    A file of one column is a list of numbers, one of several a matrix.  Raises FileError for a file
    that cannot be read, and ValuesError for what is not a number in it.
    """
    path, column = split(text)
    ending = _ending(path)
    if path != "-" and ending not in ENDINGS:
        *others, last = ENDINGS
        raise FileError(path, f"expected a file that ends in {', '.join(others)} or {last}")
    if ending in {".npy", ".json"} and column is not None:
        raise FileError(path, "has no columns with names")
    if ending == ".npy":
        return _npy(path)
    shown = f"{quoted(name)}=@{path}"
    if ending in _COLUMNS:
        return _from_frame(shown, path, _COLUMNS[ending], column)
    content = _decoded(path)
    lines = _objects(path, content) if ending in _LINES else None
    table = lines or _delimited(path, content, _SEPARATORS.get(ending), column is not None)
    return _array(shown, path, table, column)


class Columns(NamedTuple):
    """The columns of a file by name, and what reads the numbers of one; nan for an empty cell."""

    names: list[str]
    numbers: Callable[[str], np.ndarray]


def columns(path: str) -> Columns:
    """The columns of a file with a header, or of Parquet and Arrow.

    Raises FileError for a file that cannot be read, or has no names; reading a column raises
    ValuesError for what is not a number in it.
    """
    ending = _ending(path)
    if path != "-" and ending not in {".txt", *_SEPARATORS, *_LINES, *_COLUMNS}:
        listed = ", ".join([".txt", *_SEPARATORS, *sorted(_LINES), *list(_COLUMNS)[:-1]])
        raise FileError(path, f"expected a table that ends in {listed} or {list(_COLUMNS)[-1]}")
    if ending in _COLUMNS:
        frame = frames.whole(path, _COLUMNS[ending])
        return Columns(frame.columns, lambda name: _of_frame(path, frame, name))
    content = _decoded(path)
    lines = _objects(path, content) if ending in _LINES else None
    table = lines or _delimited(path, content, _SEPARATORS.get(ending), False)
    if not table.named:
        raise FileError(reading.shown_name(path), "has no header with the names of its columns")
    return Columns(list(table.columns), lambda name: _numbers(path, name, table))


def _npy(path: str) -> np.ndarray:
    import io

    content = reading.whole(path)
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:
        if isinstance(error, MemoryError):
            raise
        pickled = "Object arrays" in str(error) or content[:1] == b"\x80"
        reason = "pickled data is refused" if pickled else "not a NumPy array file"
        raise FileError(path, reason) from None
    if array.dtype.kind not in "biuf":
        raise FileError(path, f"contains {array.dtype}, not real numbers")
    return np.asarray(array, dtype=np.float64)


def _decoded(path: str) -> str:
    try:
        return reading.whole(path).removeprefix(reading.BOM).decode()
    except UnicodeDecodeError as error:
        raise FileError(reading.shown_name(path), f"not UTF-8 at byte {error.start}") from None


# ------------------------------------------------------------------------------------ lines of text
def _delimited(path: str, content: str, separator: str | None, header: bool) -> _Table:
    """The cells of lines of numbers; `header` says that the first line surely has the names.

    Without a `separator` the cells are apart by commas or tabs, if the first line has any, or by
    blanks.
    """
    first = _first_line(content)
    if ";" in first and (separator or ",") not in first:
        hint = "dezero map EXPR FILE --separator ';' --to jsonl writes a table that is"
        raise FileError(reading.shown_name(path), f"cells between ';' are not read here: {hint}")
    rows: list[list[str]] = []
    lines: list[int] = []
    for line, cells in _rows(path, content, separator):
        if len(cells) < 2 and all(map(_is_empty, cells)):
            continue
        if rows and len(cells) != len(rows[0]):
            message = f"{_count(len(cells), 'cell')}, but the first line has {len(rows[0])}"
            raise ValuesError(f"{reading.shown_name(path)}:{line}: {message}")
        rows.append(cells)
        lines.append(line)
    if not rows:
        return _Table(False, {"1": []}, [])
    header = header or _has_names(rows[0])
    names = list(map(str.strip, rows.pop(0))) if header else list(map(str, range(len(rows[0]))))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FileError(reading.shown_name(path), f"two columns are named {twice!r}")
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return _Table(header, dict(zip(names, columns, strict=True)), lines[header:])


def _first_line(content: str) -> str:
    """The first line that is not blank."""
    line = re.search(r"\S.*", content)
    return line[0] if line else ""


def _rows(path: str, content: str, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line, and its number."""
    import csv
    import io

    first = _first_line(content)
    separator = separator or next((each for each in ",\t" if each in first), None)
    if separator is None:
        yield from ((n, line.split()) for n, line in enumerate(content.splitlines(), 1))
        return
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    try:
        yield from ((reader.line_num, row) for row in reader)
    except csv.Error as error:
        reason = f"line {reader.line_num} cannot be read as CSV: {error}"
        raise FileError(reading.shown_name(path), reason) from None


def _objects(path: str, content: str) -> _Table:
    """The fields of JSON Lines; a field that an object lacks is empty."""
    from dezero_cli.language import json_input

    objects, lines = [], []
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            try:
                data = json_input.loads(line)
            except ValueError as error:
                raise ValuesError(f"{path}:{number}: not JSON: {error}") from None
            if type(data) is not dict:
                raise ValuesError(f"{path}:{number}: not a JSON object")
            objects.append(data)
            lines.append(number)
    names = dict.fromkeys(name for each in objects for name in each)
    return _Table(True, {name: [each.get(name) for each in objects] for name in names}, lines)


def _has_names(cells: Sequence[str]) -> bool:
    """Whether the first line has the names of columns, rather than numbers or mistyped ones."""
    text = [cell.strip() for cell in cells if cell.strip()]
    return bool(text) and not any(_is_number(cell) or _NEARLY.match(cell) for cell in text)


_NEARLY: Final = re.compile(r"[-+]?\.?\d")
"""How a number begins, and no name of a column."""


def _is_empty(cell: Any) -> bool:
    """Whether a cell has nothing in it."""
    return cell is None or (type(cell) is str and not cell.strip())


def _is_number(cell: Any) -> bool:
    """Whether a cell is a number; one that is empty stands for nan."""
    try:
        return _is_empty(cell) or (type(cell) in {str, int, float} and float(cell) is not None)
    except ValueError:
        return False


def _array(shown: str, path: str, table: _Table, column: str | None) -> np.ndarray:
    """The array of one column, or of all of them."""
    if column is not None:
        wanted = _chosen(shown, table.columns if table.named else (), column)
    else:
        firsts = ((name, next(_filled(cells), None)) for name, cells in table.columns.items())
        text = [name for name, cell in firsts if not _is_number(cell)]
        if len(table.columns) > 1 and text and table.named:
            raise _of_text(shown, list(table.columns), text)
        wanted = None
    names = table.columns if wanted is None else [wanted]
    arrays = [_numbers(path, name, table) for name in names]
    return arrays[0] if len(arrays) == 1 else np.column_stack(arrays)


def _filled(cells: Iterable[Any]) -> Iterator[Any]:
    """The cells that are not empty."""
    return (cell for cell in cells if not _is_empty(cell))


def _numbers(path: str, name: str, table: _Table) -> np.ndarray:
    """The numbers of a column."""
    cells = table.columns[name]
    wrong = next((i for i, cell in enumerate(cells) if not _is_number(cell)), None)
    if wrong is not None:
        place = f"{reading.shown_name(path)}:{table.lines[wrong]}"
        where = f"column {name}: " if table.named and len(table.columns) > 1 else ""
        shown = str(cells[wrong]).strip()[:40]
        raise ValuesError(f"{place}: {where}{shown!r} is not a number")
    return np.array([np.nan if _is_empty(cell) else float(cell) for cell in cells])


# ---------------------------------------------------------------------------- columns, by Polars
def _from_frame(shown: str, path: str, form: str, column: str | None) -> np.ndarray:
    """A column of Parquet or Arrow, or all of them."""
    frame = frames.whole(path, form)
    names = frame.columns if column is None else [_chosen(shown, frame.columns, column)]
    text = [name for name in names if not _is_numeric(frame[name].dtype)]
    if text and column is None and len(names) > 1:
        raise _of_text(shown, names, text)
    arrays = [_of_frame(path, frame, name) for name in names]
    return np.array(arrays[0] if len(arrays) == 1 else np.column_stack(arrays))


def _of_frame(path: str, frame: Any, name: str) -> np.ndarray:
    """The numbers of a column of a data frame."""
    if not _is_numeric(frame[name].dtype):
        raise FileError(path, f"column {name} is {frame[name].dtype}, not numbers")
    numbers = frame[name].cast(require("polars").Float64).fill_null(np.nan)
    return np.asarray(numbers.to_numpy())


def _is_numeric(dtype: Any) -> bool:
    return bool(dtype.is_numeric()) or str(dtype) in {"Boolean", "Null"}


# ------------------------------------------------------------------------------------------ faults
def _chosen(shown: str, columns: Any, column: str) -> str:
    """The column that is meant.  Raises ValuesError if there is none."""
    if not column.strip():
        raise ValuesError(f"{shown}: needs the name of a column")
    found = meant(canonical(column), column, columns)
    if found is not None:
        return found
    known = ", ".join(list(columns)[:MOST_LISTED]) + ", ..." * (len(columns) > MOST_LISTED)
    hint = did_you_mean(column, columns) or f"the columns are {known}"
    raise ValuesError(f"{shown}:{column}: no column {column}: {hint}")


def _of_text(shown: str, columns: Sequence[str], text: Sequence[str]) -> ValuesError:
    """The fault of a file of several columns of which some are text."""
    import shlex

    listed = ", ".join(text[:MOST_LISTED]) + ", ..." * (len(text) > MOST_LISTED)
    numeric = next((name for name in columns if name not in text), None)
    hint = "no column has numbers"
    if numeric is not None:
        hint = f"name one, as in {shlex.quote(f'{shown}:{numeric}')}"
    what = f"{listed} {'is' if len(text) == 1 else 'are'} text"
    return ValuesError(f"{shown}: {_count(len(columns), 'column')}, of which {what}: {hint}")


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s'[: count != 1]}"

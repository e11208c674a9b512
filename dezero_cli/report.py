"""Results -> text or JSON: nothing else knows what a result looks like.

A result is a mapping from the keys of the JSON object ("value", "grad", ...) to arrays, to
mappings of arrays by name, or to text.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from dezero_cli.language.diagnosis import ExpressionError

WIDTH = 100
"""Cells of a line of text."""


# ------------------------------------------------------------------------------------------- JSON
def json_line(result: Mapping[str, Any]) -> bytes:
    """The result as one line of strict JSON, its end included.

    Numbers that are not finite become null, and "nonfinite" says which they are.
    """
    import orjson

    plain = {key: _plain(item) for key, item in result.items()}
    line = orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)
    if b"null" in line:  # perhaps a number that is not finite
        numbers = {key: item for key, item in plain.items() if key not in {"id", "line"}}
        if nonfinite := dict(_nonfinite(numbers)):
            line = orjson.dumps(plain | {"nonfinite": nonfinite}, option=orjson.OPT_APPEND_NEWLINE)
    return line


def _plain(item: Any) -> Any:
    if isinstance(item, np.ndarray):
        return item.tolist()
    if isinstance(item, np.generic):
        return item.item()
    if isinstance(item, Mapping):
        return {key: _plain(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_plain(value) for value in item]
    return item


def _nonfinite(plain: Any) -> Iterator[tuple[str, str]]:
    """Paths such as ``grad.x[0]`` and what stands there."""
    pending: list[tuple[str, Any]] = [("", plain)]
    while pending:
        path, item = pending.pop()
        if type(item) is float:
            if not math.isfinite(item):
                yield path, number_text(item)
        elif isinstance(item, dict):
            prefix = path + "." if path else ""
            pending += [(prefix + key, value) for key, value in reversed(item.items())]
        elif isinstance(item, list):
            pending += [(f"{path}[{i}]", item[i]) for i in range(len(item) - 1, -1, -1)]


# ------------------------------------------------------------------------------------------- text
def number_text(number: float, precision: int | None = None) -> str:
    """The shortest text that reads back to the same float64, or `precision` digits."""
    number = float(number)
    return repr(number) if precision is None else f"{number:.{precision}g}"


def text_lines(rows: Iterable[tuple[str, Any]], precision: int | None = None) -> str:
    """A line a row, label and array; the numbers stand in one column, signs before it."""
    rows = list(rows)
    width = max((cells(label) for label, _ in rows), default=0)
    lines = []
    for label, array in rows:
        margin = label + " " * (width - cells(label) + 1)
        text = array_text(array, precision, width + 2)
        lines.append(margin + ("" if text.startswith("-") else " ") + text + "\n")
    return "".join(lines)


def derivative_label(names: Iterable[str]) -> str:
    """d/dx, d2/dx2, d3/dx2dy."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    total = sum(counts.values())
    order = "" if total == 1 else str(total)
    parts: list[Any] = [f"d{name}{count if count > 1 else ''}" for name, count in counts.items()]
    return f"d{order}/{''.join(parts)}"


def array_text(array: Any, precision: int | None, indent: int) -> str:
    """A number, or a list of numbers as NumPy and JSON write it; further lines are indented."""
    array = np.asarray(array)
    if array.ndim == 0:
        return number_text(float(array), precision)
    return np.array2string(
        array,
        separator=", ",
        prefix=" " * indent,
        max_line_width=WIDTH,
        threshold=sys.maxsize,
        formatter={"float_kind": lambda number: number_text(float(number), precision)},
    )


def cells(text: str) -> int:
    """How many cells of a terminal a text takes: wide letters two, combining marks none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0
        if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Mn"}
        else 2
        if unicodedata.east_asian_width(character) in {"W", "F"}
        else 1
        for character in text
    )


# ----------------------------------------------------------------------------------------- faults
def fault_text(fault: Exception | str) -> str:
    """``error: message``, for an expression with the place under a caret."""
    message = styled("error:", "red", sys.stderr) + " " + _one_line(str(fault)) + "\n"
    if not isinstance(fault, ExpressionError):
        return message
    line, caret = _excerpt(fault.text, fault.start)
    return message + f"  {line}\n  {' ' * caret}{styled('^', 'red', sys.stderr)}\n"


def styled(text: str, colour: str, stream: IO[Any]) -> str:
    """Text in bold colour where `stream` is a terminal and colour is wanted.

    The option ``--color`` decides, then the variable NO_COLOR (https://no-color.org).
    """
    wanted = _COLOR.get(_choice)
    if wanted is None:
        wanted = stream.isatty() and not os.environ.get("NO_COLOR")
    if not wanted:
        return text
    import click

    return click.style(text, fg=colour, bold=True)


_COLOR = {"always": True, "never": False}
_choice = "auto"


def use_color(choice: str) -> None:
    """From now on colour text on terminals ("auto"), everywhere ("always") or nowhere ("never")."""
    global _choice
    _choice = choice


def _one_line(text: str) -> str:
    """A message that no name in it can break into lines, or give commands to the terminal with."""
    return _printable(" ".join(text.split()))


def _printable(text: str) -> str:
    return "".join([c if c.isprintable() else "\ufffd" for c in text])


def _excerpt(text: str, place: int, most: int = 76) -> tuple[str, int]:
    """A line of `text` around `place`, printable, and the cell that `place` has in it."""
    first = max(0, min(place - most // 2, len(text) - most))
    before, after = "..." if first else "", "..." if first + most < len(text) else ""
    shown = _printable(text.translate(dict.fromkeys(b"\t\n\r", " ")))
    return before + shown[first : first + most] + after, cells(before + shown[first:place])


def warn(text: str) -> None:
    """Say ``KIND: something`` on standard error, in one line."""
    kind, colon, rest = _one_line(text).partition(":")
    sys.stderr.write(styled(kind + colon, "yellow", sys.stderr) + rest + "\n")


def write(text: str | bytes, stream: IO[Any] | None = None) -> None:
    """Write to standard output, text or the bytes of JSON."""
    if isinstance(text, bytes):
        sys.stdout.flush()
        (stream or sys.stdout.buffer).write(text)
    else:
        (stream or sys.stdout).write(text)


def columns(rows: Iterable[tuple[str, ...]]) -> str:
    """A table of text: columns as wide as their widest cell, two spaces between."""
    rows = list(rows)
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True)
        )
        for row in rows
    )
    return "".join(line.rstrip() + "\n" for line in lines)


def json_table(
    numbers: Sequence[int],
    identities: Sequence[tuple[Any, ...]] | None,
    expr: str,
    result: Mapping[str, Any],
) -> bytes:
    """A line of JSON for each row of the columns of `result`, as `json_line` writes it.

    `numbers` are those of the lines of input, `identities` their "id", empty where there is none.
    All numbers are written by one call; the text between them is the same in every row.
    """
    import orjson

    leaves = list(_leaves(result))
    table = np.empty((len(numbers), len(leaves)))
    for i, (_, column) in enumerate(leaves):
        table[:, i] = column
    figures = orjson.dumps(table.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    first, *rest = orjson.dumps(_holes(result)).split(_HOLE)
    known = b',"expr":' + orjson.dumps(expr) + b"," + first[1:]
    row = [b'{"line":', b"", known, *(part for piece in rest for part in (b"", piece))]
    row[-1] += b"\n"
    parts = row * len(numbers)
    parts[1 :: len(row)] = orjson.dumps(list(numbers))[1:-1].split(b",")
    if identities is not None:
        parts[2 :: len(row)] = _identified(identities, known)
    for i in range(len(leaves)):
        parts[3 + 2 * i :: len(row)] = figures[i :: len(leaves)]
    if not np.isfinite(table).all():
        for i, odd in _odd(table, [path for path, _ in leaves]):
            ending = rest[-1].removesuffix(b"}") + b',"nonfinite":' + orjson.dumps(odd) + b"}\n"
            parts[(i + 1) * len(row) - 1] = ending
    return b"".join(parts)


_HOLE = b'"\\u0000"'


def _holes(item: Any) -> Any:
    """The same mappings with a mark for each column; no name has such a letter."""
    if isinstance(item, Mapping):
        return {key: _holes(value) for key, value in item.items()}
    return "\0"


def _leaves(item: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The columns in mappings of mappings, and their paths such as ``hessian.x.y``."""
    if isinstance(item, Mapping):
        for key, value in item.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path, item


def _odd(table: np.ndarray, names: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with numbers that are not finite, and what "nonfinite" says of them."""
    for i in np.flatnonzero(~np.isfinite(table).all(axis=1)).tolist():
        row = zip(names, table[i].tolist(), strict=True)
        yield i, {name: number_text(number) for name, number in row if not math.isfinite(number)}


def _identified(identities: Sequence[tuple[Any, ...]], known: bytes) -> list[bytes]:
    """The text after the number of a line: the "id" that it may have, then what is `known`."""
    import orjson

    return [
        b',"id":' + orjson.dumps(identity[0]) + known if identity else known
        for identity in identities
    ]

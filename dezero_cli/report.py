"""Results -> text or JSON: nothing else knows what a result looks like.

A result is a mapping from the keys of the JSON object ("value", "grad", ...) to arrays, to
mappings of arrays by name, or to text.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations_with_replacement, zip_longest
from typing import IO, Any, Final

import numpy as np

from dezero_cli.faults import ExpressionError
from dezero_cli.number_format import ShowNumber, number_text, with_sigma

WIDTH = 100
"""Width of a line of text, in cells of the terminal."""

NONFINITE = "nonfinite"
"""The key that lists the numbers that are not finite."""


# ------------------------------------------------------------------------------------------- JSON
def json_line(result: Mapping[str, Any]) -> bytes:
    """The result as one line of strict JSON, line end included.

    A number that is not finite becomes null, and "nonfinite" tells what it was.
    """
    import orjson

    plain = {key: _plain(item) for key, item in result.items()}
    line = orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)
    if b"null" in line:  # perhaps a number that is not finite
        numbers = {key: item for key, item in plain.items() if key not in {"id", "line"}}
        if nonfinite := dict(_nonfinite(numbers)):
            line = orjson.dumps(plain | {NONFINITE: nonfinite}, option=orjson.OPT_APPEND_NEWLINE)
    return escaped(line)


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
    """Paths such as ``grad.x[0]``, and the number at each."""
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
def text_lines(rows: Iterable[tuple[str, Any]], show: ShowNumber = number_text) -> str:
    """A line for each row: label and array; numbers are aligned, with the signs before them."""
    rows = list(rows)
    width = max((cells(label) for label, _ in rows), default=0)
    lines = []
    for label, array in rows:
        margin = label + " " * (width - cells(label) + 1)
        text = array if isinstance(array, str) else array_text(array, width + 2, show)
        lines.append(margin + ("" if text.startswith("-") else " ") + text + "\n")
    return "".join(lines)


def result_rows(result: Mapping[str, Any], of: str = "") -> Iterator[tuple[str, Any]]:
    """The label and the array of each row of a result's text; `of` is the result's name."""
    if "names" in result:
        for i, name in enumerate(result["names"]):
            yield from result_rows(_of_one(result, i), name)
        yield from _joint_rows(result)
        return
    yield of or "value", result["value"]
    for name, gradient in result.get("grad", {}).items():
        yield derivative_label([name], of), gradient
    for name, block in result.get("jacobian", {}).items():
        yield " ".join(filter(None, ("jacobian", of, name))), block
    for pair in combinations_with_replacement(result.get("hessian", {}), 2):
        yield derivative_label(pair, of), result["hessian"][pair[0]][pair[1]]
    yield from _uncertainty_rows(result, of)
    for intermediate in result.get("intermediates", []):
        yield intermediate["expr"], intermediate["value"]
        yield f"  d{of}/d({intermediate['expr']})", intermediate["grad"]


def _uncertainty_rows(result: Mapping[str, Any], of: str) -> Iterator[tuple[str, Any]]:
    """The rows of what is known of a result's uncertainty."""
    behind = f" {of}" if of else ""
    if "sigma" in result:
        yield f"sigma{behind}", result["sigma"]
        for name, share in result["share"].items():
            yield f"share of {name}" + (f" in {of}" if of else ""), share
    for key in ("dof", "coverage", "expanded"):
        if key in result:
            yield key + behind, result[key]
    for key, said in (("order2", "second order"), ("mc", "draws")):
        for what in ("value", "mean", "sigma", "interval", "shortest"):
            if what in result.get(key, {}):
                yield f"{said}: {what}{behind}", result[key][what]
    if not of:
        yield from _joint_rows(result)


MOST_SHOWN = 12
"""Rows of a correlation matrix that are shown as text."""


def _joint_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The rows of what belongs to all results together."""
    draws = result.get("mc", {})
    for said, item in (("", result), ("draws: ", draws)):
        if len(item.get("correlation", ())) in range(1, MOST_SHOWN + 1):
            yield f"{said}correlation", item["correlation"]
    for key in ("samples", "seed"):
        if key in draws:
            yield f"draws: {key}", draws[key]


def copied_lines(result: Mapping[str, Any]) -> str:
    """A line for each result with an uncertainty, to be copied: ``9.801 ± 0.022``.

    By draws if there are any, else to second order if that was asked for, else to first.
    """
    if "names" in result:
        each = [(name, _of_one(result, i)) for i, name in enumerate(result["names"])]
    else:
        each = [("", dict(result))]
    lines = []
    for name, one in each:
        if "sigma" in one:
            best = one.get("mc") or one.get("order2") or one
            value = best["mean" if "mc" in one else "value"]
            shown = _with_sigmas(np.asarray(value), np.asarray(best["sigma"]))
            lines.append((f"{name} = " if name else "") + shown + "\n")
    return "".join(lines)


def _with_sigmas(values: np.ndarray, sigmas: np.ndarray) -> str:
    """Numbers with their uncertainties; arrays as lists."""
    if values.ndim == 0:
        return with_sigma(float(values), float(sigmas))
    pairs = zip(values.ravel().tolist(), np.broadcast_to(sigmas, values.shape).ravel(), strict=True)
    return "[" + ", ".join(with_sigma(value, float(sigma)) for value, sigma in pairs) + "]"


def budgets(result: Mapping[str, Any], show: ShowNumber, short: ShowNumber) -> str:
    """The table that laboratories print, of each result: a row an input, and a last one for all.

    Estimates are written by `show`, everything else by `short`.
    """
    if "names" not in result:
        return columns(_budget(result, "result", show, short))
    tables = [
        columns(_budget(_of_one(result, i), name, show, short))
        for i, name in enumerate(result["names"])
    ]
    return "\n".join(tables)


def _budget(
    result: Mapping[str, Any], name: str, show: ShowNumber, short: ShowNumber
) -> Iterator[tuple[str, ...]]:
    """The rows of a budget; those of correlated pairs have a share alone."""
    has_dof = "dof" in result
    titles = ("input", "estimate", "sigma", "distribution", "dof", "sensitivity", "contribution")
    yield *(title for title in titles if has_dof or title != "dof"), "share"
    for row in result["budget"]:
        if "estimate" not in row:  # a pair
            blank = ("",) * (6 if has_dof else 5)
            yield row["input"], *blank, array_text(row["share"], 0, short)
            continue
        cells = [row["input"], show(float(row["estimate"])), short(float(row["sigma"]))]
        cells.append(row["distribution"])
        cells += [short(float(row.get("dof", math.inf)))] if has_dof else []
        last = (row["sensitivity"], row["contribution"], row["share"])
        yield *cells, *(array_text(item, 0, short) for item in last)
    total = array_text(result["value"], 0, show), array_text(result["sigma"], 0, short)
    dof = (array_text(result["dof"], 0, short),) if has_dof else ()
    yield name, *total, "", *dof, "", total[1], "1"


_OF_ALL_DRAWS = {"samples", "seed", "covariance", "correlation"}
_OF_ALL = {"expr", "defs", "names", "covariance", "correlation"}
"""What belongs to all results of a list together."""


def _of_one(result: Mapping[str, Any], i: int) -> dict[str, Any]:
    """What belongs to one result of a list."""
    found = {key: item for key, item in result.items() if key not in _OF_ALL}
    if "mc" in found:
        found["mc"] = {key: x for key, x in found["mc"].items() if key not in _OF_ALL_DRAWS}
    found = {key: _element(item, i) for key, item in found.items() if key != "budget"}
    if "budget" in result:
        found["budget"] = [_of_row(row, i) for row in result["budget"]]
    return found


def _of_row(row: Mapping[str, Any], i: int) -> dict[str, Any]:
    """What belongs to one result of a list in a row of the budget."""
    return {key: item[i] if isinstance(item, list) else item for key, item in row.items()}


def _element(item: Any, i: int) -> Any:
    """What belongs to one result of a list."""
    if isinstance(item, Mapping):
        return {key: _element(value, i) for key, value in item.items()}
    return item[i]


def solution_rows(result: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The label and the array of each row of a solution's text."""
    for name, array in result["solution"].items():
        yield name, array
        for other, gradient in result.get("grad", {}).get(name, {}).items():
            yield derivative_label([other], name), gradient
        block = result.get("hessian", {}).get(name, {})
        for pair in combinations_with_replacement(block, 2):
            yield derivative_label(pair, name), block[pair[0]][pair[1]]
        if "sigma" in result:
            yield f"sigma {name}", result["sigma"][name]
            for other, share in result["share"][name].items():
                yield f"share of {other} in {name}", share
        if "mc" in result:
            for key in ("mean", "sigma", "interval"):
                yield f"{key} of draws of {name}", result["mc"][key][name]
    yield "residual", result["residual"]


def solution_text(result: Mapping[str, Any], show: ShowNumber = number_text) -> str:
    """The text of a solution; a line for each unknown that is uncertain, to be copied, ends it."""
    text = text_lines(solution_rows(result), show)
    if "sigma" not in result:
        return text
    best = result.get("mc") or {"mean": result["solution"], "sigma": result["sigma"]}
    for name in result["solution"]:
        shown = _with_sigmas(np.asarray(best["mean"][name]), np.asarray(best["sigma"][name]))
        text += f"{name} = {shown}\n"
    return text


def optimum_text(result: Mapping[str, Any], show: ShowNumber = number_text) -> str:
    """The text of a minimum or maximum: value, point, what acts with its multiplier, the kind."""
    rows = [("value", result["value"]), *result["at"].items()]
    rows += [(f"d/d{name}", left) for name, left in result["grad"].items()]
    rows += [(f"multiplier of {each['st']}", each["multiplier"]) for each in result["active"]]
    kind = result["kind"] if result["converged"] else "not converged"
    return text_lines(rows, show) + f"{kind}: {result['message']}\n"


def fit_text(result: Mapping[str, Any], show: ShowNumber = number_text) -> str:
    """The text of a fit: a row for each parameter, then what the fit is worth."""
    params = result["params"]
    rows = [("", "value", "sigma", f"{100 * result['level']:g}% interval", "start")]
    for name, each in params.items():
        low, high = map(show, each["interval"])
        start = "" if each["start"] is None else show(each["start"])
        sigma, interval = show(each["sigma"]), f"{low} to {high}"
        if name in result.get("at_limits", ()):
            sigma, interval = "", "at its limit"
        rows.append((name, show(each["value"]), sigma, interval, start))
    lines = [columns(rows), "\n", text_lines(_quality(result), show)]
    free = [name for name in result["correlation"] if name not in result.get("at_limits", ())]
    pairs = [
        (f"correlation of {a}, {b}", result["correlation"][a][b])
        for i, a in enumerate(free)
        for b in free[i + 1 :]
    ]
    lines.append(text_lines(pairs, show))
    errors = "scaled by the residuals" if result["scaled"] else "as the uncertainties given"
    steps = f"{result['steps']} step{'s'[: result['steps'] != 1]}"
    lines.append(f"errors: {errors}\n{steps}: {result['message']}\n")
    return "".join(lines)


def _quality(result: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The numbers that say what a fit is worth, with their labels."""
    labels = {
        "rows": "rows",
        "left_out": "rows left out",
        "loss": "loss",
        "chi2": "chi2",
        "dof": "degrees of freedom",
        "chi2_reduced": "reduced chi2",
        "residual_sigma": "residual sigma",
        "r2": "R2",
        "r2_uncentred": "R2 about 0",
        "aic": "AIC",
        "bic": "BIC",
    }
    counts = {"rows", "left_out", "dof"}
    return [
        (label, str(result[key]) if key in counts else result[key])
        for key, label in labels.items()
        if result.get(key) is not None and not (key == "left_out" and not result[key])
    ]


def derivative_label(names: Iterable[str], of: str = "") -> str:
    """d/dx, d2/dx2, d3/dx2dy; of a result with a name dv/dx, d2v/dxdy."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    total = sum(counts.values())
    order = "" if total == 1 else str(total)
    parts: list[Any] = [f"d{name}{count if count > 1 else ''}" for name, count in counts.items()]
    return f"d{order}{of}/{''.join(parts)}"


def element_label(name: str, index: tuple[int, ...], of: str = "") -> str:
    """d/dx, d/dx[1, 2]: the derivative for an element of an input; of a named result dv/dx."""
    return f"d{of}/d{name}" + (f"[{', '.join(map(str, index))}]" if index else "")


def array_text(array: Any, indent: int, show: ShowNumber = number_text) -> str:
    """A number, or a list of numbers as NumPy and JSON write it; further lines are indented."""
    array = np.asarray(array)
    if array.ndim == 0:
        return str(array) if array.dtype.kind in "iu" else show(float(array))
    return np.array2string(
        array,
        separator=", ",
        prefix=" " * indent,
        max_line_width=WIDTH,
        threshold=sys.maxsize,
        formatter={"float_kind": lambda number: show(float(number))},
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


# -------------------------------------------------------------- characters that a terminal obeys
OBEYED: Final = frozenset(
    map(
        chr,
        (
            *(set(range(32)) - {9, 10, 13}),
            *range(0x7F, 0xA0),
            *(0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
        ),
    )
)
"""Controls, except those of layout, and the marks that turn the direction of writing."""

_BYTES: Final = rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
"""Those that JSON may hold as they are, in UTF-8."""

_BEGINS: Final = (b"\x7f", b"\xc2", b"\xd8", b"\xe2\x80", b"\xe2\x81")

LONGEST_WORD, LONGEST_MESSAGE = 200, 2000
"""Characters of a word in a message, such as a name, and of a message, that are shown."""


def tame(text: str) -> str:
    """A text of several lines, with a mark in the place of what a terminal would obey."""
    found = OBEYED.intersection(text)
    return text.translate({ord(each): "\ufffd" for each in found}) if found else text


def escaped(line: bytes) -> bytes:
    """JSON with what a terminal would obey as ``\\u009b``; it can stand in strings alone."""
    if line.isascii():
        if b"\x7f" not in line:
            return line
    elif not any(begin in line for begin in _BEGINS):
        return line
    import re

    return re.sub(_BYTES, lambda found: b"\\u%04x" % ord(found[0].decode()), line)


def printable(text: str) -> str:
    """A text of one line, with a mark in the place of every character that is not printed."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else "\ufffd" for c in text])


def one_line(text: str) -> str:
    """A message on one line, printable; see `brief`."""
    return printable(" ".join(brief(text).split()))


def brief(text: str) -> str:
    """A message in which words that are very long, such as names, are cut in the middle."""
    if len(text) > LONGEST_WORD:
        text = " ".join([clipped(word, LONGEST_WORD) for word in text.split()])
    return clipped(text, LONGEST_MESSAGE)


def clipped(text: str, most: int) -> str:
    """A text of so many characters at most: its begin and its end, and dots between."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


# ----------------------------------------------------------------------------------------- faults
def fault_text(fault: Exception | str) -> str:
    """``error: message``, for an expression with the place under a caret."""
    message = styled("error:", "red", sys.stderr) + " " + one_line(str(fault)) + "\n"
    if not isinstance(fault, ExpressionError):
        return message
    line, caret = _excerpt(fault.text, fault.start)
    return message + f"  {line}\n  {' ' * caret}{styled('^', 'red', sys.stderr)}\n"


def styled(text: str, colour: str, stream: IO[Any]) -> str:
    """Text in bold colour if `stream` is a terminal and colour is wanted.

    The option ``--color`` decides first, then the variable NO_COLOR (https://no-color.org).
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
    """From now on colour text on terminals ("auto"), always ("always") or never ("never")."""
    global _choice
    _choice = choice


def _excerpt(text: str, place: int, most: int = 76) -> tuple[str, int]:
    """A line of `text` around `place`, printable, and the cell at which `place` is in it."""
    first = max(0, min(place - most // 2, len(text) - most))
    before, after = "..." if first else "", "..." if first + most < len(text) else ""
    shown = printable(text.translate(dict.fromkeys(b"\t\n\r", " ")))
    return before + shown[first : first + most] + after, cells(before + shown[first:place])


def warn(text: str) -> None:
    """Write ``KIND: something`` to standard error, in one line."""
    kind, colon, rest = one_line(text).partition(":")
    sys.stderr.write(styled(kind + colon, "yellow", sys.stderr) + rest + "\n")


def write(text: str | bytes, stream: IO[Any] | None = None) -> None:
    """Write to standard output, text or the bytes of JSON."""
    if isinstance(text, bytes):
        sys.stdout.flush()
        (stream or sys.stdout.buffer).write(text)
    else:
        (stream or sys.stdout).write(tame(text))


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


def fitted(rows: Sequence[tuple[str, ...]], width: int) -> list[tuple[str, ...]]:
    """The rows of a table that is to be `width` cells wide: long cells go on in further rows.

    The last column has the room that the others leave, each of which takes a quarter at most.
    """
    import textwrap

    widest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    limits = [min(each, width // 4) for each in widest[:-1]]
    limits.append(max(20, width - sum(limits) - 2 * len(limits)))
    wrappers = [textwrap.TextWrapper(limit, break_on_hyphens=False) for limit in limits]
    found: list[tuple[str, ...]] = []
    for row in rows:
        pieces = []
        for cell, wrapper in zip(row, wrappers, strict=True):
            wrapper.subsequent_indent = "    " if cell.startswith(" ") else ""
            pieces.append(wrapper.wrap(cell))
        found += zip_longest(*pieces, fillvalue="")
    return found


# ------------------------------------------------------------------------------ JSON, row by row
LinePart = bytes | Sequence[bytes]
"""A part of every line: the same bytes in all of them, or the bytes of each."""


def json_table(
    numbers: Sequence[int],
    identities: Sequence[tuple[Any, ...]] | None,
    expr: str,
    result: Mapping[str, Any],
    defs: Mapping[str, str],
) -> bytes:
    """A line of JSON for each row of the columns of `result`, as `json_line` writes it.

    `numbers` are the line numbers of the input, `identities` their "id", empty if there is none;
    `defs` the definitions of all lines.
    """
    import orjson

    counted = orjson.dumps(list(numbers))[1:-1].split(b",")
    known = b',"expr":' + orjson.dumps(expr) + b","
    known += b'"defs":' + orjson.dumps(defs) + b"," if defs else b""
    opening: LinePart = known if identities is None else _identified(identities, known)
    return json_rows([b'{"line":', counted, opening], result, len(numbers))


def json_rows(opening: Sequence[LinePart], result: Mapping[str, Any], rows: int) -> bytes:
    """A line of JSON for each row of the columns of `result`; `opening` is how the objects begin.

    Columns are arrays; what is none is the same in every row.  Writing each row by itself would
    take ten times as long.  So an object is written once, with a mark in place of each number; cut
    at the marks, it gives the text between the numbers, which is the same in every row.  All
    numbers are written in one call, and cut at the commas.  The lines are these pieces in
    alternation.
    """
    import orjson

    if not rows:
        return b""
    leaves = list(_leaves(result))
    table = np.empty((rows, len(leaves)))
    for i, (_, column) in enumerate(leaves):
        table[:, i] = column
    figures = orjson.dumps(table.ravel(), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    first, *between, last = orjson.dumps(_marked(result)).split(_MARK)
    pieces: list[LinePart] = [*opening, first.removeprefix(b"{")]
    for i, text in enumerate([*between, b""]):
        whole = leaves[i][1].dtype.kind == "i"
        pieces += [_whole(leaves[i][1]) if whole else figures[i :: len(leaves)], text]
    pieces.append(_endings(table, [path for path, _ in leaves], last))
    return escaped(b"".join(_spliced(pieces, rows)))


def _whole(column: np.ndarray) -> list[bytes]:
    """The integers of a column."""
    import orjson

    return orjson.dumps(column.tolist())[1:-1].split(b",")


def _spliced(pieces: Sequence[LinePart], rows: int) -> list[bytes]:
    """The pieces of all rows, row after row."""
    merged: list[LinePart] = []
    for piece in pieces:
        if isinstance(piece, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += piece
        else:
            merged.append(piece)
    parts = [piece if isinstance(piece, bytes) else b"" for piece in merged] * rows
    for i, piece in enumerate(merged):
        if not isinstance(piece, bytes):
            parts[i :: len(merged)] = piece
    return parts


_MARK = b'"\\u0000"'


def _marked(item: Any) -> Any:
    """The same mappings with a mark for each column; no name contains this character."""
    if isinstance(item, Mapping):
        return {key: _marked(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_marked(value) for value in item]
    return "\0" if isinstance(item, np.ndarray) else item


def _leaves(item: Any, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The columns in mappings and lists, and their paths such as ``hessian.x.y``."""
    if isinstance(item, Mapping):
        for key, value in item.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(item, list):
        for i, value in enumerate(item):
            yield from _leaves(value, f"{path}[{i}]")
    elif isinstance(item, np.ndarray):
        yield path, item


def _endings(table: np.ndarray, names: Sequence[str], last: bytes) -> LinePart:
    """How each line ends: with `last`, or with "nonfinite" if a number of its row is not finite."""
    odd = np.flatnonzero(~np.isfinite(table).all(axis=1)).tolist()
    if not odd:
        return last + b"\n"
    endings = [last + b"\n"] * len(table)
    for i in odd:
        endings[i] = last.removesuffix(b"}") + nonfinite_ending(names, table[i].tolist()) + b"\n"
    return endings


def nonfinite_ending(names: Sequence[str], numbers: Sequence[float]) -> bytes:
    """The end of an object in which some numbers are not finite: "nonfinite" names them."""
    import orjson

    odd = {n: number_text(x) for n, x in zip(names, numbers, strict=True) if not math.isfinite(x)}
    return b"," + orjson.dumps(NONFINITE) + b":" + orjson.dumps(odd) + b"}"


def _identified(identities: Sequence[tuple[Any, ...]], known: bytes) -> list[bytes]:
    """The text after the number of a line: its "id", if it has one, then what is `known`."""
    import orjson

    if all(len(identity) == 1 and type(identity[0]) is int for identity in identities):
        written = orjson.dumps([identity for (identity,) in identities])[1:-1].split(b",")
        return [b',"id":' + identity + known for identity in written]  # in a third of the time
    return [
        b',"id":' + orjson.dumps(identity[0]) + known if identity else known
        for identity in identities
    ]

"""Places in a result, such as ``grad.x``: what ``--get`` prints of it, and nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dezero_cli.faults import UsageError
from dezero_cli.number_format import ShowNumber, number_text
from dezero_cli.report import escaped

MOST_LISTED = 12
"""Places that a message lists at most."""

_INDEXED = r"(?s)(.+?)((?:\[\d+\])+)"


class NoPlaceError(UsageError):
    """A place that a result does not have."""


def keys(wanted: Iterable[str]) -> set[str]:
    """The keys of the JSON object that places begin with."""
    return {place.partition(".")[0].partition("[")[0] for place in wanted}


def found(result: Mapping[str, Any], place: str) -> Any:
    """What stands at a place of the JSON: keys joined by points, then indices in brackets.

    Raises NoPlaceError, which lists the places that there are.
    """
    try:
        return _keyed(result, place)
    except LookupError:
        pass
    indexed = re.fullmatch(_INDEXED, place)
    try:
        if indexed is not None:
            index = tuple(map(int, re.findall(r"\d+", indexed[2])))
            return np.asarray(_keyed(result, indexed[1]))[index]
    except LookupError:
        pass
    known = list(places(result))
    shown = ", ".join(known[:MOST_LISTED] or result) + ", ..." * (len(known) > MOST_LISTED)
    near = None
    if keys([place]).isdisjoint(result) and "solutions" not in result:
        last = place.rpartition(".")[2]
        near = next((each for each in known if last in each.split(".")), None)
    fault = f"did you mean {near}?" if near else f"the result has {shown}"
    raise NoPlaceError(f"--get {place}: {fault}")


def line(record: Mapping[str, Any], wanted: Sequence[str], show: ShowNumber) -> bytes:
    """What stands at each of the `wanted` places of a record, separated by tabs; else nan."""
    cells = []
    for place in wanted:
        try:
            cells.append(_cell(text(found(record, place), show)))
        except NoPlaceError:
            cells.append("nan")
    return "\t".join(cells).encode() + b"\n"


def table(result: Mapping[str, Any], wanted: Sequence[str], rows: int, show: ShowNumber) -> bytes:
    """The same for each row of the columns of a result; what stands in a row is one number."""
    columns = []
    for place in wanted:
        try:
            column = _keyed(result, place)  # no index: it would count the rows
        except LookupError:
            columns.append(["nan"] * rows)
            continue
        if isinstance(column, list | Mapping):
            columns.append([_cell(text(_row(column, row), show)) for row in range(rows)])
        else:
            columns.append(list(map(show, np.broadcast_to(column, (rows,)).tolist())))
    return "".join(map("%s\n".__mod__, map("\t".join, zip(*columns, strict=True)))).encode()


def _row(column: Any, row: int) -> Any:
    """What stands in one row of a column, or of columns by name."""
    if isinstance(column, Mapping):
        return {key: _row(each, row) for key, each in column.items()}
    return column[row] if isinstance(column, list) or np.ndim(column) else column


def _cell(shown: str) -> str:
    """A text as a cell of a line: as JSON where it holds a tab or a line end."""
    if shown.isprintable():
        return shown
    import orjson

    return escaped(orjson.dumps(shown)).decode()


def _keyed(result: Mapping[str, Any], place: str) -> Any:
    """What stands behind keys joined by points; a key may have points in it."""
    item: Any = result
    rest = place
    while True:
        if not isinstance(item, Mapping):
            raise LookupError(place)
        if rest in item:
            return item[rest]
        parts = rest.split(".")
        keys = (".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
        key = next((key for key in keys if key in item or _in_list(item, key)), None)
        if key is None:
            raise LookupError(place)
        item, rest = item[key] if key in item else _in_list(item, key), rest[len(key) + 1 :]


def _in_list(item: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """The object that a key such as ``solutions[0]`` means, in a list of objects."""
    indexed = re.fullmatch(r"(?s)(.+?)\[(\d+)\]", key)
    listed = item.get(indexed[1]) if indexed else None
    if indexed is None or not isinstance(listed, list) or int(indexed[2]) >= len(listed):
        return None
    found = listed[int(indexed[2])]
    return found if isinstance(found, Mapping) else None


def places(item: Any, place: str = "") -> Iterator[str]:
    """The places of a result that hold numbers."""
    if isinstance(item, Mapping):
        for key, value in item.items():
            yield from places(value, f"{place}.{key}" if place else key)
    elif isinstance(item, list) and all(isinstance(each, Mapping) for each in item):
        for i, value in enumerate(item):
            yield from places(value, f"{place}[{i}]")
    elif isinstance(item, float | np.ndarray | np.generic):
        yield place


def text(item: Any, show: ShowNumber = number_text) -> str:
    """A number as such, text as it is, anything else as JSON; what is not finite is null there."""
    if isinstance(item, str):
        return item
    plain = item.tolist() if isinstance(item, np.ndarray | np.generic) else item
    if isinstance(plain, float):
        return show(plain)
    return _json(plain, show)


def _json(item: Any, show: ShowNumber) -> str:
    if isinstance(item, np.ndarray | np.generic):
        item = item.tolist()
    if isinstance(item, float):
        return show(item) if math.isfinite(item) else "null"
    if isinstance(item, list):
        return "[" + ",".join([_json(each, show) for each in item]) + "]"
    import orjson

    if isinstance(item, Mapping):
        pairs = [f"{orjson.dumps(key).decode()}:{_json(each, show)}" for key, each in item.items()]
        return "{" + ",".join(pairs) + "}"
    return orjson.dumps(item).decode()

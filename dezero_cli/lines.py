"""Bytes -> lines -> requests: what `dezero batch` reads."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from dezero_cli import values
from dezero_cli.diagnosis import ExpressionError
from dezero_cli.values import ValuesError

CHUNK = 256 * 1024
"""Bytes that are read at once: enough lines to group, little memory."""

_NEXT_VALUE = re.compile(r"\s+(?=[^\W\d]\w*\s*=(?!=))")
_SENTINEL = secrets.randbits(50)


@dataclass(slots=True)
class Fault:
    """Why a line has no answer."""

    kind: str
    message: str
    column: int = 1


@dataclass(slots=True)
class Request:
    """One line: an expression with values by name, as JSON gave them or as arrays; or a fault."""

    line: int
    expr: str
    values: Mapping[str, Any]
    identity: Any = None
    has_identity: bool = False
    offset: int = 0
    fault: Fault | None = None


@dataclass(slots=True)
class Chunk:
    """Whole lines that arrived together, and how many bytes of input they were."""

    source: str
    first: int
    lines: list[bytes]
    size: int


def chunks(descriptor: int, source: str, longest: int, size: int = CHUNK) -> Iterator[Chunk]:
    """The lines of a file or a pipe, as soon as they have arrived.

    A line of more than `longest` bytes is cut there and marked by one byte more.
    """
    number, rest, started = 1, b"", False
    while True:
        data = os.read(descriptor, size)
        if not started:
            data, started = data.removeprefix(b"\xef\xbb\xbf"), True
        block = rest + data
        lines = block.split(b"\n")
        rest = lines.pop() if data else b""
        if not data and lines[-1:] == [b""]:
            lines.pop()
        if len(rest) > longest:
            rest = rest[: longest + 1]
        if lines:
            yield Chunk(source, number, lines, len(data))
            number += len(lines)
        if not data:
            return


def requests(
    lines: list[bytes], items: list[dict[str, Any]] | None, first: int, longest: int
) -> list[Request]:
    """The requests of lines, in order; blank lines and comments are none."""
    if items is not None:
        return [_from_object(number, item) for number, item in enumerate(items, first)]
    found = []
    for number, line in enumerate(lines, first):
        bare = line.strip()
        if bare and not bare.startswith(b"#"):
            found.append(_request(number, line, longest))
    return found


def objects(lines: list[bytes], longest: int) -> list[dict[str, Any]] | None:
    """All lines as JSON objects in one call of the parser; None where some line is no object.

    A number that nobody can guess stands between the lines, so that no line can borrow from
    another.
    """
    if max(map(len, lines)) > longest:
        return None
    try:
        items = orjson.loads(b"[" + (b",%d," % _SENTINEL).join(lines) + b"]")
    except orjson.JSONDecodeError:
        return None
    if len(items) != 2 * len(lines) - 1 or set(items[1::2]) - {_SENTINEL}:
        return None
    del items[1::2]
    return items if set(map(type, items)) == {dict} else None


def _request(number: int, line: bytes, longest: int) -> Request:
    """The request of one line."""
    if len(line) > longest:
        fault = Fault("line", f"the line is longer than {longest} bytes", longest + 1)
        return Request(number, "", {}, fault=fault)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = line.decode("utf-8", "replace")
        column = len(line[: error.start].decode("utf-8", "replace")) + 1
        return Request(number, shown, {}, fault=Fault("encoding", "not UTF-8", column))
    if text.lstrip().startswith("{"):
        return _from_json(number, text)
    return _from_plain(number, text)


def _from_json(number: int, text: str) -> Request:
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Request(number, text, {}, fault=Fault("json", f"not JSON: {error.msg}", error.colno))
    return _from_object(number, data)


def _from_object(number: int, data: dict[str, Any]) -> Request:
    """The request of a JSON object."""
    expr, given = data.get("expr"), data.get("vars")
    request = Request(number, expr if type(expr) is str else "", given or {})
    if "id" in data:
        request.identity, request.has_identity = data["id"], True
    if type(expr) is not str:
        what = "must be text" if "expr" in data else "is missing"
        request.fault = Fault("json", f'"expr" {what}')
    elif given is not None and type(given) is not dict:
        request.fault, request.values = Fault("json", '"vars" must be an object'), {}
    return request


def _from_plain(number: int, text: str) -> Request:
    """The request of ``EXPR ; a=3 b=2``."""
    expr, _, rest = text.partition(";")
    offset = len(expr) - len(expr.lstrip())
    request = Request(number, expr.strip(), {}, offset=offset)
    words = [word for word in _NEXT_VALUE.split(" " + rest) if word.strip()]
    try:
        request.values = values.assignments(words, files=False)
    except (ValuesError, ExpressionError) as error:
        request.fault = Fault("values", str(error), text.find(";") + 2)
    return request


def arrays(given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The values of a request as arrays."""
    return {
        name: item if isinstance(item, np.ndarray) else _array(name, item)
        for name, item in given.items()
    }


def _array(name: str, item: Any) -> np.ndarray:
    if not name.isidentifier():
        raise ValuesError(f"{name!r} is not a name")
    if isinstance(item, str) and item.startswith("@"):
        raise ValuesError(
            f"{name}: a line may not name a file; give {name}=@FILE on the command line"
        )
    return values.from_json(name, item)

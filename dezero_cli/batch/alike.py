"""Lines that differ only in their numbers, read in one call of the JSON parser.

For a million lines such as ``{"expr":"a*b","vars":{"a":1,"b":2}}``, most of the time goes into one
call of the parser per line, and into the objects that it makes of keys that never change.  So the
first line of a block is taken as a template: its numbers (and an "id") are slots, and the text
between them should be the same in every line.  That text is replaced by marks, in the whole block
at once, and what is left is one JSON list::

    [1,MARK1,2,MARK0,3,MARK1,4]     from     {"expr":"a*b","vars":{"a":1,"b":2}}
                                             {"expr":"a*b","vars":{"a":3,"b":4}}

The marks are numbers that nobody can guess.  If all of them are in their places, each line is the
template with other numbers; if not, the lines are not alike, and each is read by itself.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from dezero_cli.batch.lines import LineBlock, RecordFormula, lines_of

_MARK = int.from_bytes(os.urandom(5), "big") << 8
_JSON = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*"?)(\s*:)?|-?\d[\d.eE+-]*|true|false|null')
_PLAIN = re.compile(rb"=\s*(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=\s|$)")


MOST_COMPARED = 1 << 28
"""The bytes of a block times its pieces: the block is gone through once for each piece."""


@dataclass(slots=True)
class Alike:
    """Lines with one expression: a column of JSON numbers for each name, and each line's "id"."""

    expr: str
    columns: dict[str, list[Any]]
    identities: list[tuple[Any, ...]] | None


@dataclass(slots=True)
class _Template:
    """A line cut at its slots, and the slot of each name and of the "id"."""

    pieces: list[bytes]
    expr: str
    names: dict[str, int]
    identity: int | None


def alike(block: LineBlock, longest: int, formula: RecordFormula | None = None) -> Alike | None:
    """The lines of a block as columns; None if they are not all alike."""
    data = block.data
    if block.count < 2 or (len(data) > longest and max(map(len, data.split(b"\n"))) > longest):
        return None
    template = _template(data[: data.index(b"\n")], formula)
    if template is None:
        return None
    flat = _flat(data, template.pieces, block.count)
    if flat is None:
        return None
    step = 2 * len(template.pieces) - 2
    columns = {name: flat[2 * slot :: step] for name, slot in template.names.items()}
    if template.identity is None:
        return Alike(template.expr, columns, None)
    identities = flat[2 * template.identity :: step]
    if not set(map(type, identities)) <= {int, str, bool, type(None)}:
        return None
    return Alike(template.expr, columns, [(identity,) for identity in identities])


def _flat(data: bytes, pieces: list[bytes], count: int) -> list[Any] | None:
    """The slots and marks of all lines, in alternation; None if a line is not alike."""
    first, *between, last = pieces
    if not data.startswith(first) or not data.endswith(last):
        return None
    if len(pieces) * len(data) > MOST_COMPARED:
        return None  # lines of thousands of values are quicker one by one
    marks = [*range(_MARK + 1, _MARK + len(pieces) - 1), _MARK]
    body = data[len(first) : len(data) - len(last)].replace(last + b"\n" + first, b",%d," % _MARK)
    for piece, mark in zip(between, marks, strict=False):
        body = body.replace(piece, b",%d," % mark)
    try:
        flat: list[Any] = orjson.loads(b"[" + body + b"]")
    except orjson.JSONDecodeError:
        return None
    return flat if flat[1::2] == (marks * count)[:-1] and len(flat) % 2 else None


def _template(line: bytes, formula: RecordFormula | None) -> _Template | None:
    """The template of a line; None if its numbers do not stand for single values."""
    in_json = line.startswith(b"{")
    pieces = [b""]
    place = 0
    fixed = b'"expr"' if formula is None else b""
    values = line.find(b";") if formula is None else 0
    for start, end in _json_slots(line, fixed) if in_json else _plain_slots(line, values):
        pieces[-1] = line[place:start]
        pieces.append(b"")
        place = end
    pieces[-1] = line[place:]
    name_before = b'"' if in_json else b"="
    if len(pieces) < 2 or any(name_before not in piece for piece in pieces[1:-1]):
        return None
    probe = b"".join(b"%b%d" % (piece, _MARK + slot) for slot, piece in enumerate(pieces[:-1]))
    asked = lines_of(LineBlock("", 1, probe + pieces[-1], 1, 0), sys.maxsize, formula)
    if len(asked) != 1 or asked[0].fault is not None or asked[0].defs or asked[0].options:
        return None
    slots = {name: _slot(value) for name, value in asked[0].values.items()}
    identity = _slot(asked[0].identity[0]) if asked[0].identity else None
    if not {*slots.values(), identity} <= {None, *range(len(pieces) - 1)}:
        return None
    return _Template(pieces, asked[0].expr, slots, identity)


def _slot(value: Any) -> int:
    """The slot that a value of the template stands for, or -1; a plain line gives arrays."""
    if isinstance(value, np.ndarray) and value.ndim == 0 and np.isfinite(value):
        value = int(value)
    return value - _MARK if type(value) is int else -1


def _json_slots(line: bytes, fixed: bytes) -> Iterator[tuple[int, int]]:
    """Where the numbers, words and strings of a JSON object are, except keys and `fixed`."""
    key = b""
    for match in _JSON.finditer(line):
        if match[2]:
            key = match[1]
        elif key != fixed:
            yield match.span()


def _plain_slots(line: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Where the values of ``a=3 b=2`` are, from `start` on, that are also numbers in JSON."""
    if start >= 0:
        for match in _PLAIN.finditer(line, start):
            yield match.span(1)

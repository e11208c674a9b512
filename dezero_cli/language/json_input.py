"""JSON from users -> plain data: orjson's, but for what it reads otherwise than the language.

``-0`` is a number with a sign (orjson reads the integer 0), a number beyond float64 is inf (orjson
refuses it), half of a surrogate pair is a character that cannot be shown (orjson refuses it), and a
name that is given twice is a fault (orjson keeps the last).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from dezero_cli.faults import ValuesError
from dezero_cli.language.spelling import canonical

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|-?\d[\d.eE+-]*', re.DOTALL)
"""A string, or a number; one that is never closed ends with the text, in linear time."""
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(\\u[dD][89a-fA-F][\da-fA-F]{2})|\\.",
    re.DOTALL,
)
"""A pair of surrogates, one without its other half, or another escape."""
_NEGATIVE_ZERO: Final = re.compile(rb"-0(?![.\deE])")
_BLANK_COLON: Final = re.compile(rb'"\s+:')


def loads(text: bytes | str) -> Any:
    """The data of a JSON text.  Raises orjson.JSONDecodeError if it is ill-formed."""
    mended: bytes | str = text
    mends = {"infinity": (_TOKEN, _infinite), "surrogate": (_ESCAPE, _whole)}
    while True:
        try:
            data = orjson.loads(mended)
            break
        except orjson.JSONDecodeError as fault:
            what = next((what for what in mends if what in fault.msg), None)
            if what is None:
                raise
            pattern, mend = mends.pop(what)
            mended = pattern.sub(mend, _decoded(mended))
    raw = mended.encode("utf-8", "surrogateescape") if isinstance(mended, str) else mended
    return signed(raw, data)


def signed(text: bytes, data: Any) -> Any:
    """The data of a JSON text, of which orjson made `data`, with the sign of every ``-0``."""
    if b"-0" in text and has_negative_zero(text):
        return orjson.loads(_TOKEN.sub(_zero, _decoded(text)))
    return data


def has_negative_zero(text: bytes) -> bool:
    """Whether a text may have the number ``-0``, which orjson reads as the integer 0."""
    return _NEGATIVE_ZERO.search(text) is not None


def has_half(text: bytes) -> bool:
    """Whether a string has an escape that is half of a pair of surrogates."""
    return b"\\u" in text and any(escape[1] for escape in _ESCAPE.finditer(_decoded(text)))


def _decoded(text: bytes | str) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")


def _infinite(token: re.Match[str]) -> str:
    """A number beyond float64 as the word for it, in as many characters; else what it was."""
    with contextlib.suppress(ValueError):
        if token[0][0] != '"' and float(token[0]) in {float("inf"), float("-inf")}:
            return ('"-inf"' if token[0][0] == "-" else '"inf"').ljust(len(token[0]))
    return token[0]


def _whole(escape: re.Match[str]) -> str:
    """An escape in a string as it is, but for half of a surrogate pair."""
    return "\\ufffd" if escape[1] else escape[0]


def _zero(token: re.Match[str]) -> str:
    return "-0.0" if token[0] == "-0" else token[0]


# ------------------------------------------------------------------------------------------ names
def named(what: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values by name, names in their canonical spelling.

    Raises ValuesError for a name that stands there twice, once in each spelling.
    """
    if "".join(given).isascii():
        return given
    found = {canonical(name): item for name, item in given.items()}
    if len(found) < len(given):
        names = list(map(canonical, given))
        raise ValuesError(f"{what}{next(n for n in names if names.count(n) > 1)} is given twice")
    return found


def repeated(text: bytes, keys: int) -> bool:
    """Whether a text may have a key more than once, if its data has so many `keys` in all.

    Each key has a colon behind it, so that counting colons nearly always tells.
    """
    if text.count(b":") == keys:
        return False
    return text.count(b'":') != keys or _BLANK_COLON.search(text) is not None


def repeated_within(text: bytes) -> str | None:
    """A key that some object in a text has twice, the first in the innermost; None without."""
    import json

    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            found.append(next(name for name in names if names.count(name) > 1))

    with contextlib.suppress(RecursionError):
        json.loads(text, object_pairs_hook=look, parse_int=str, parse_float=str)
    return found[0] if found else None


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON with all of its keys, in order."""


def first_repeated(text: bytes, *path: str, names: Iterable[str] | None = None) -> str | None:
    """The first key that the object at a path of keys has twice; None if there is none.

    With `names` only these keys count.
    """
    import json

    try:
        found: Any = json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    except RecursionError:  # nested deeper than any value may be
        return None
    for key in path:
        found = next((item for name, item in found if name == key), None)
    if not isinstance(found, _Pairs):
        return None
    wanted = None if names is None else set(names)
    seen: set[str] = set()
    for key, _ in found:
        if key in seen and (wanted is None or key in wanted):
            return key
        seen.add(key)
    return None

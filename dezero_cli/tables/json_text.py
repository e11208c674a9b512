"""The text of JSON objects, member by member: what is not computed with stays as it was written."""

from __future__ import annotations

import re

from dezero_cli.language import json_input

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s",:{}\[\]]+')
_OWN = re.compile(rb'"nonfinite"\s*:\s*\{([^{}]*)\}')


def members(line: bytes) -> dict[str, str]:
    """The text of each value of the object on a line; of a key that stands twice, the last."""
    text = line.decode("utf-8", "replace")
    found: dict[str, str] = {}
    depth, key, begin = 0, None, None
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if depth == 1 and key is None:
            key = _key(sign) if sign[0] == '"' else None
        elif depth == 1 and begin is None:
            begin = token.end()
        elif depth == 1 and key is not None and sign in {",", "}"}:
            found[key] = text[begin : token.start()].strip()
            key = begin = None
        elif sign in {"{", "["}:
            depth += 1
        elif sign in {"}", "]"}:
            depth -= 1
    return found


def _key(text: str) -> str:
    if "\\" not in text:
        return text[1:-1]
    word = json_input.loads(text)
    assert type(word) is str
    return word


def with_one_nonfinite(line: bytes) -> bytes:
    """A line with one key "nonfinite", at its end, if it has two."""
    found = list(_OWN.finditer(line))
    if len(found) < 2:
        return line
    inside = b",".join(each[1].strip() for each in found if each[1].strip())
    for each in reversed(found):
        before, behind = line[: each.start()].rstrip(), line[each.end() :].lstrip()
        if before.endswith(b","):
            before = before[:-1]
        elif behind.startswith(b","):
            behind = behind[1:]
        line = before + behind
    return line[:-1] + b',"nonfinite":{' + inside + b"}}"

"""How names are spelt: in Unicode's NFC, so that one name is never two."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from dezero_cli.faults import UsageError, nearest

NAME: Final = r"[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*"
"""A name as in the grammar: what is not ASCII is then judged by str.isidentifier."""


def typed(word: str) -> str:
    """A word as it is typed in a shell: in single quotes where it has backquotes."""
    return f"'{word}'" if "`" in word else word


def quoted(name: str) -> str:
    """A name as it is written in an expression: in backquotes where it is not an identifier."""
    return name if name.isidentifier() and name not in WORDS else f"`{name}`"


def shown_names(names: Iterable[str]) -> str:
    """Names in a message, as they are written in an expression."""
    return ", ".join(map(quoted, names))


def name_meant(name: str, known: Iterable[str]) -> str | None:
    """The hint that names the nearest known name, as it is written in an expression."""
    near = nearest(name, known)
    return None if near is None else f"did you mean {quoted(near)}?"


WORDS: Final = frozenset({"and", "else", "if", "not", "or"})
"""The identifiers that are no names, since they stand for operators."""


def canonical(name: str) -> str:
    """A name as it is compared: without backquotes, and with letters that carry their accents.

    Where Unicode has such letters: a name that is composed and one that is not are the same.
    """
    if name[:1] == "`":
        name = name.strip("`")
    if name.isascii():
        return name
    from dezero.normal_forms import normalized

    return normalized("NFC", name)


def canonical_words(words: Iterable[str]) -> tuple[str, ...]:
    """The words of an option, such as ``--wrt``, in their canonical spelling."""
    return tuple(map(canonical, words))


def some_names(words: Iterable[str]) -> tuple[str, ...]:
    """The names in the words of an option such as ``--wrt``: ``a,b`` is ``a`` and ``b``.

    A name in backquotes may hold commas.  Raises UsageError for a word that lacks a name.
    """
    found: list[str] = []
    for word in words:
        parts = [part.strip() for part in re.findall(_UP_TO_COMMA, word + ",")]
        if word.count("`") % 2 or "" in parts:
            raise UsageError(f"expected names, as in x,y, got {word!r}")
        found += map(canonical, parts)
    return tuple(found)


_UP_TO_COMMA: Final = r"((?:`[^`]*`|[^,`])*),"
"""One of several names, and the comma behind it."""


def meant(name: str, written: str, known: Collection[str]) -> str | None:
    """Which of the `known` names a name means: columns and keys may be spelt in any way.

    The one that is spelt as `written` comes first, then the canonical one; None if there is none.
    """
    for spelling in (written, name):
        if spelling in known:
            return spelling
    others = (each for each in known if not each.isascii() and canonical(each) == name)
    return next(others, None)

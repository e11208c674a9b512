"""What a search varies: ``x=2:3``, ``--within x=0:``, ``--for x,y``, ``--fix b=0``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dezero_cli.faults import FileText, UsageError
from dezero_cli.language import ranges, statements
from dezero_cli.language.ranges import Limits
from dezero_cli.language.spelling import quoted, some_names, typed
from dezero_cli.language.statements import Head


def take_limits(said: dict[str, tuple[Head, str]]) -> dict[str, Limits]:
    """The limits NAME=LO:HI among statements, which lose them; LO:HI:COUNT are samples, and stay.

    Raises ValuesError for limits between which there is no number.
    """
    found = {}
    for key, (begun, word) in list(said.items()):
        text = statements.behind(word, begun)
        if begun.parameters is None and len(ranges.parts(text) or []) == 2:
            found[begun.name] = ranges.limits(begun.name, text)
            del said[key]
    return found


def within(
    words: Iterable[str], option: str = "--within", example: str = "x=0:1 or x=0:"
) -> dict[str, Limits]:
    """The limits in the words of an option, by name.

    Raises UsageError for a word that is no NAME=LO:HI, or a name that comes twice.
    """
    found: dict[str, Limits] = {}
    for word in words:
        begun = statements.head(word)
        if begun is None or begun.parameters is not None:
            raise UsageError(f"{option} {word}: expected NAME=LO:HI, as in {example}")
        statements.refuse_several(option, word, begun, "NAME=LO:HI")
        if begun.name in found:
            raise UsageError(f"{option}: {quoted(begun.name)} is given twice")
        found[begun.name] = ranges.limits(begun.name, statements.behind(word, begun))
    return found


def named(words: Iterable[str], option: str, said: dict[str, tuple[Head, str]]) -> tuple[str, ...]:
    """The names in the words of ``--for`` or ``--fix``; the statements gain what is NAME=VALUE.

    Raises UsageError for a name that is given twice, or that has another value already, but for
    one of a formula file.
    """
    found: list[str] = []
    for word in itertools.chain.from_iterable(map(_parts, words)):
        begun = statements.head(word)
        if begun is None:
            found += some_names([word])
            continue
        if begun.parameters is not None:
            raise UsageError(f"{option} {word}: expected NAME or NAME=VALUE")
        known, before = said.get(begun.name, (begun, word))
        other = statements.behind(before, known) != statements.behind(word, begun)
        if other and not isinstance(before, FileText):  # whose values give way
            name = typed(quoted(begun.name))
            taken = f"{quoted(begun.name)} has the value {statements.behind(before, known)} already"
            raise UsageError(f"{option} {word}: {taken}: leave that out, or write {option} {name}")
        said[begun.name] = begun, word
        found.append(begun.name)
    for name in found:
        if found.count(name) > 1:
            raise UsageError(f"{option}: {quoted(name)} is given twice")
    return tuple(found)


def _parts(word: str) -> list[str]:
    """``x=0,y=3`` as its parts ``x=0`` and ``y=3``; a list in brackets stays whole."""
    parts = re.split(r",(?=\s*[^\W\d]\w*\s*(?:=|,|$))(?![^\[(]*[\])])", word)
    return parts if "=" in word else [word]


def refuse_held(fixed: Iterable[str], wanted: Iterable[str], limits: Iterable[str]) -> None:
    """Raise UsageError for a name that is held by ``--fix`` and searched for, too."""
    for name in fixed:
        if name in wanted or name in limits:
            why = "is named by --for" if name in wanted else "has limits"
            raise UsageError(
                f"{quoted(name)} {why}, and is held by --fix: leave out one of the two"
            )


def start(name: str, values: Mapping[str, np.ndarray], limits: Mapping[str, Limits]) -> np.ndarray:
    """Where the search for a name begins: at its value, or else inside its limits."""
    if name in values:
        return values[name]
    low, high = limits[name]
    if np.isfinite([low, high]).all():
        return np.array(low / 2 + high / 2)
    return np.array(low + 1 if np.isfinite(low) else high - 1 if np.isfinite(high) else 0.0)


def none_varies(
    fault: str, hint: str, names: Sequence[str], values: Mapping[str, np.ndarray]
) -> UsageError:
    """The fault that nothing is searched for, where arrays are given or all numbers are held."""
    if not names:
        hint = "no name is in the expression"
    given = [name for name in names if name in values]
    for name in sorted(given, key=lambda name: not values[name].ndim)[:1]:
        array = f"is an array, which varies with --for {quoted(name)}"
        hint = f"{quoted(name)} {array if values[name].ndim else 'is held: leave out --fix'}"
    return UsageError(f"{fault}: {hint}")

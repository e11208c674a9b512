"""What to type instead of a name that the table does not have, or of a name that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from dezero.functions import CONSTANTS
from dezero.normal_forms import normalized
from dezero_cli.faults import ExpressionError, nearest
from dezero_cli.language.diagnosis import assignment
from dezero_cli.language.expression import Expression
from dezero_cli.language.spelling import quoted

_TWINS = str.maketrans(
    {
        "\u0430": "a", "\u0435": "e", "\u043e": "o", "\u0440": "p", "\u0441": "c", "\u0443": "y",
        "\u0445": "x", "\u0456": "i", "\u0410": "A", "\u0412": "B", "\u0415": "E", "\u041a": "K",
        "\u041c": "M", "\u041d": "H", "\u041e": "O", "\u0420": "P", "\u0421": "C", "\u0422": "T",
        "\u0425": "X", "\u0391": "A", "\u0392": "B", "\u0395": "E", "\u0397": "H", "\u0399": "I",
        "\u039a": "K", "\u039c": "M", "\u039d": "N", "\u039f": "O", "\u03a1": "P", "\u03a4": "T",
        "\u03a5": "Y", "\u03a7": "X", "\u03bf": "o", "\u03bd": "v", "\u03b1": "a",
    }
)  # fmt: skip
"""Letters of Cyrillic and Greek that look like Latin ones."""

MOST, LONGEST = 8, 60
"""The most columns that a message lists, and the characters of each."""


def missing(
    expression: Expression, name: str, table: Sequence[str], constants: Mapping[str, float]
) -> ExpressionError:
    """A name that is neither a column nor a value."""
    text, place = expression.source(name)
    message, hint = f"no column {name}", None
    twin = next((each for each in table if each != name and _shape(each) == _shape(name)), None)
    if twin is not None:
        message = f"no column {name} ({_points(name, twin)})"
        hint = f"the table has {twin} ({_points(twin, name)}), which looks alike"
    near = None if hint else _longer(name, table) or nearest(name, [*table, *constants, *CONSTANTS])
    if hint is None and near is not None:
        hint = f"did you mean {near}?" if quoted(near) == near else written(text, name, near)
    hint = _separator(name, table) or hint or _columns(name, table)
    return ExpressionError(message, text, place, place + len(name), hint)


def _columns(name: str, table: Sequence[str]) -> str:
    add = f"add {assignment(name)}"
    return f"the columns are {shown(table)}; or {add}" if table else add


def shown(names: Sequence[str]) -> str:
    """The first columns of a table."""
    short = (each if len(each) <= LONGEST else each[: LONGEST - 3] + "..." for each in names[:MOST])
    return ", ".join(short) + ", ..." * (len(names) > MOST)


def _separator(name: str, table: Sequence[str]) -> str | None:
    """The hint for a table whose cells are separated by another sign than it was read with."""
    if len(table) != 1:
        return None
    cells = {sign: [cell.strip('" ') for cell in table[0].split(sign)] for sign in ";\t| ,"}
    fits = (
        sign
        for sign, names in cells.items()
        if len(names) > 1 and name in names and (sign != " " or all(map(str.isidentifier, names)))
    )
    sign = next(fits, None)
    if sign is None:
        return None
    word = {"\t": "tab", " ": "space"}.get(sign, f"'{sign}'")
    return f"the only column is {shown(table)}: cells between {word} need --separator {word}"


def _longer(name: str, table: Iterable[str]) -> str | None:
    """A column whose name has more to it, such as a unit, if there is one alone."""
    begun = [
        each
        for each in table
        if each.lower().startswith(name.lower())
        and re.match(r"[^\w]", each[len(name) :])
        and quoted(each) != each
    ]
    return begun[0] if len(begun) == 1 else None


def written(text: str, name: str, column: str) -> str:
    """How to write a column in the place of a name, as the shell needs it."""
    if "`" in column:
        return f"the column {column} cannot be written: rename it"
    pattern = rf"(?<![\w`]){re.escape(name)}(?![\w`(])"
    whole = re.sub(pattern, lambda _: quoted(column), str(text))
    return f"write {quoted(column)} in backquotes: '{whole}'"


def _shape(name: str) -> str:
    """What a name looks like."""
    return normalized("NFKC", name).translate(_TWINS)


def alike(used: Iterable[str], table: Sequence[str]) -> list[str]:
    """What to tell of columns that are used and of others that look like them."""
    if all(map(str.isascii, table)):
        return []
    shapes: dict[str, list[str]] = {}
    for each in table:
        shapes.setdefault(_shape(each), []).append(each)
    return [
        f"column {name} ({_points(name, twin)}) is used; {twin} ({_points(twin, name)}) looks alike"
        for name in used
        for twin in dict.fromkeys(shapes[_shape(name)])
        if twin != name
    ]


def _points(name: str, other: str) -> str:
    """The code points in which a name differs from another."""
    odd = [letter for letter in name if letter not in other] or list(name)
    return " ".join(f"U+{ord(letter):04X}" for letter in odd[:4])


def in_backquotes(fault: ExpressionError, table: Sequence[str]) -> ExpressionError:
    """A fault at a place where the text has the very name of a column, if there is one."""
    text = str(fault.text)
    for column in sorted(map(str.strip, table), key=len, reverse=True):
        if not column or quoted(column) == column or "`" in column:
            continue
        start = _around(text, column, fault.start)
        if start is not None:
            end = start + len(column)
            whole = f"{text[:start]}{quoted(column)}{text[end:]}"
            said = f"{column} is a column, whose name needs backquotes"
            return ExpressionError(said, fault.text, start, end, f"write '{whole}'")
    return fault


def _around(text: str, column: str, place: int) -> int | None:
    """Where the name of a column stands around a place of a text; None if it does not."""
    start = text.find(column)
    while start >= 0:
        after = text[start + len(column) : start + len(column) + 1]
        alone = not (after.isalnum() and column[-1].isalnum())
        alone = alone and not (text[:start][-1:].isalnum() and column[0].isalnum())
        if alone and start <= place <= start + len(column) and text[:start].count("`") % 2 == 0:
            return start
        start = text.find(column, start + 1)
    return None

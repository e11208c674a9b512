"""The points of a table that a picture shows: which columns, and how uncertain they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dezero_cli.faults import FileText, UsageError, ValuesError, did_you_mean
from dezero_cli.language import symbolic
from dezero_cli.language.expression import Expression
from dezero_cli.language.number_files import Columns
from dezero_cli.language.parser import tokens
from dezero_cli.language.ranges import Range
from dezero_cli.language.spelling import canonical, meant, name_meant
from dezero_cli.language.statements import Given
from dezero_cli.pictures.fits import Points

if TYPE_CHECKING:
    from dezero_cli.uncertainty.asked import Size

MARGIN = 0.03
"""What the range of a table's points has beyond them, as a part of it."""


def sides(text: str) -> tuple[str | None, str]:
    """The left and the right side of ``LEFT == RIGHT``; None and the text of another expression."""
    depth, places = 0, []
    for kind, token, place in tokens(text):
        depth += (token in {"(", "["}) - (token in {")", "]"})
        if kind == "==" and not depth:
            places.append(place)
    if len(places) != 1:
        return None, text
    right = text.after(places[0] + 2) if isinstance(text, FileText) else text[places[0] + 2 :]
    return text[: places[0]].strip(), right.strip() if type(right) is str else right


def range_of(expression: Expression, said: Given, table: Columns) -> Range:
    """The range of the one name of the expression that is a column and has no value."""
    names = [name for name in symbolic.free_names(expression) if name not in said.values]
    found = [name for name in names if meant(name, name, table.names)]
    if len(found) != 1:
        example = (found or names or ["x"])[0]
        what = f"{' and '.join(found)} are columns" if found else "no name of it is a column"
        raise UsageError(f"no range, and {what}: give a range, such as {example}=0:10")
    numbers = table.numbers(_column(table, found[0]))
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        raise ValuesError(f"column {found[0]} has no numbers")
    low, high = float(numbers.min()), float(numbers.max())
    more = MARGIN * (high - low) or 0.5 * max(abs(low), 1.0)
    return Range(found[0], low - more * (low <= 0 or low > more), high + more, None)


def sizes(words: Sequence[str]) -> dict[str, Size]:
    """What ``--sigma`` says."""
    if not words:
        return {}
    from dezero_cli.uncertainty import asked

    said = asked.words_by_name("--sigma", words)
    return {name: asked.size(name, text) for name, text in said.items()}


def sorted_out(
    said: Mapping[str, Size],
    numbers: Mapping[str, float],
    family: tuple[str, np.ndarray] | None,
    table: Columns | None,
) -> tuple[dict[str, Size], dict[str, Size]]:
    """Which uncertainties are of values, and which of columns."""
    inner = {name: size for name, size in said.items() if name in numbers}
    outer = {name: size for name, size in said.items() if name not in inner}
    for name in outer:
        if family is not None and name == family[0]:
            raise UsageError(f"--sigma {name}: {name} is a list, whose values are exact")
        if table is None or meant(name, name, table.names) is None:
            known = [*numbers, *(table.names if table else [])]
            what = "value or column" if table else "value"
            hint = name_meant(name, known) or "add --data FILE for error bars"
            raise ValuesError(f"--sigma {name}: no {what} {name}: {hint}")
    return inner, outer


def of_table(
    table: Columns,
    names: Sequence[str],
    left: str | None,
    said: Given,
    sigmas: Mapping[str, Size],
) -> tuple[Points, list[str]]:
    """The points, and a note on rows that are left out.

    Over one range the `left` side of the equation says what is drawn; without one, it is the column
    that has an uncertainty, or the only other one.  Over two ranges the points are places.
    """
    upward = said.linked(names[1] if len(names) == 2 else left or _other(table, names, sigmas))
    columns = _values(table, [*names, *symbolic.free_names(upward)], said, sigmas)
    x, y = columns[names[0]], _evaluated(upward, columns)
    errors = _errors(columns, sigmas)
    sigma_x = errors.get(names[0])
    sigma_y = _propagated(upward, columns, {n: s for n, s in errors.items() if n != names[0]})
    every = [each for each in (x, y, sigma_x, sigma_y) if each is not None]
    whole = np.isfinite(every).all(axis=0)
    if not whole.any():
        raise ValuesError("no row of the table has a number in each column that is drawn")
    notes = []
    if count := int((~whole).sum()):
        rows = "1 row is" if count == 1 else f"{count:,} rows are"
        notes.append(f"note: {rows} left out, with a cell that is empty or not finite")
    kept = [None if each is None else each[whole] for each in (x, y, sigma_x, sigma_y)]
    return Points(kept[0], kept[1], kept[2], kept[3]), notes  # type: ignore[arg-type]


def _other(table: Columns, names: Sequence[str], sigmas: Mapping[str, Size]) -> str:
    """The column that is drawn where no equation says so."""
    across = _column(table, names[0])
    if said := [name for name in sigmas if meant(name, name, table.names) != across]:
        return _quoted(said[0])
    held = {size for size in sigmas.values() if isinstance(size, str)}
    rest = [name for name in table.names if name != across and name not in held]
    if len(rest) == 1:
        return _quoted(rest[0])
    listed = ", ".join(table.names)
    raise UsageError(f"which column is drawn? write 'COLUMN == EXPR'; the columns are {listed}")


def _quoted(name: str) -> str:
    from dezero_cli.language.spelling import quoted

    return quoted(canonical(name))


def _column(table: Columns, name: str) -> str:
    """The column that a name means.  Raises ValuesError if there is none."""
    found = meant(name, name, table.names)
    if found is None:
        hint = did_you_mean(name, table.names) or f"the columns are {', '.join(table.names)}"
        raise ValuesError(f"no column {name} in the table: {hint}")
    return found


def _values(
    table: Columns, names: Sequence[str], said: Given, sigmas: Mapping[str, Size]
) -> dict[str, np.ndarray]:
    """The numbers of the columns that are used, and the values of the other names."""
    held = [size for size in sigmas.values() if isinstance(size, str)]
    found: dict[str, np.ndarray] = {}
    for name in dict.fromkeys([*names, *sigmas, *held]):
        if meant(name, name, table.names) is None and name in said.values:
            found[name] = said.values[name]
        else:
            found[name] = table.numbers(_column(table, name))
    return found


def _evaluated(expression: Expression, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """An expression in each row."""
    names = symbolic.free_names(expression)
    return symbolic.program(expression, names, ()).run(columns)[0]


def _errors(columns: Mapping[str, np.ndarray], sigmas: Mapping[str, Size]) -> dict[str, np.ndarray]:
    """The standard uncertainty of each column that has one, in each row."""
    if not sigmas:
        return {}
    from dezero_cli.uncertainty.asked import Asked
    from dezero_cli.uncertainty.inputs import resolved

    _, inputs = resolved(Asked(sigmas), columns, stacked=True)
    rows = len(next(iter(columns.values())))
    return {name: np.broadcast_to(each, (rows,)) for name, each in inputs.sigmas.items()}


def _propagated(
    expression: Expression, columns: Mapping[str, np.ndarray], errors: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """The uncertainty of what is drawn, to first order; None without one."""
    wrt = [name for name in errors if name in expression.names]
    if not wrt:
        return None
    program = symbolic.program(expression, symbolic.free_names(expression), wrt)
    parts = [slope * errors[name] for name, slope in zip(wrt, program.run(columns)[1:])]
    return np.asarray(np.sqrt(np.sum(np.square(parts), axis=0)))

"""Cells of text -> float64: what counts as a number, as empty, and what to say of the rest."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from dezero_cli.faults import TableError
from dezero_cli.tables.dialect import Dialect

_FORTRAN = r"^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[dD]([+-]?[0-9]+)$"
"""A double of Fortran, such as 1.2D+03."""

LONGEST = 40
"""Characters of a cell that a message shows."""


def stripped(cells: pl.Series) -> pl.Series:
    """Text without the blanks around it; null for a cell of blanks only."""
    bare = cells.str.strip_chars()
    return bare.set(bare == "", None)


def numbers(cells: pl.Series, dialect: Dialect) -> tuple[pl.Series, np.ndarray]:
    """Cells as numbers, null for an empty one, and the places of those that are not numbers."""
    if dialect.decimal == "." and not dialect.missing:
        found = cells.cast(pl.Float64, strict=False)
        if found.null_count() == cells.null_count():
            return found, np.empty(0, np.intp)
    bare = stripped(cells)
    if dialect.missing:
        bare = bare.set(bare.is_in(list(dialect.missing)).fill_null(False), None)
    plain = pointed(bare, dialect)
    found = plain.cast(pl.Float64, strict=False)
    if found.null_count() > plain.null_count():
        found = plain.str.replace(_FORTRAN, "${1}e${2}").cast(pl.Float64, strict=False)
    return found, (found.is_null() & bare.is_not_null()).arg_true().to_numpy()


def pointed(cells: pl.Series, dialect: Dialect) -> pl.Series:
    """Cells with a decimal point in place of the table's decimal comma."""
    if dialect.decimal == ".":
        return cells
    dotted = cells.str.contains(".", literal=True).fill_null(False)
    return cells.set(dotted, "?").str.replace(",", ".", literal=True)


def as_number(text: str) -> float | None:
    """The number that a cell is; None for what is empty, or not a number."""
    try:
        return float(text) if text and "_" not in text else None
    except ValueError:
        return fortran(text)


def fortran(text: str) -> float | None:
    """The number that a double of Fortran is; None if it is not one."""
    found = re.match(_FORTRAN, text.strip())
    return float(f"{found[1]}e{found[2]}") if found else None


def not_a_number(text: str, dialect: Dialect, row: int, column: str) -> TableError:
    """The fault of a cell that is not a number, with what helps."""
    bare = text.strip()
    shown = bare if len(bare) <= LONGEST else bare[: LONGEST - 3] + "..."
    advice = _advice(bare, dialect, column)
    return TableError(f"{shown!r} is not a number{advice}", row=row, column=column)


_CURRENCY = re.compile(
    r"^[^\w\s]?\s*[$€£¥₹₽]|[$€£¥₹₽]\s*$|^(?:USD|EUR|GBP|CHF|JPY)\b|\b(?:USD|EUR|GBP|CHF|JPY)$"
)
_MISSING = {
    "na",
    "n/a",
    "n.a.",
    "#n/a",
    "null",
    "none",
    "missing",
    "-",
    "--",
    "---",
    ".",
    "..",
    "?",
    "*",
    "x",
    "\\n",
}
"""Cells that often stand for what is missing."""

_GROUPED = re.compile(
    r"^[+-]?[0-9]{1,3}([,.'’\u00a0\u202f _])[0-9]{3}(?:\1[0-9]{3})*(?:[.,][0-9]*)?$"
)


def _advice(text: str, dialect: Dialect, column: str) -> str:
    """What to do about a cell: a sign to take off, a decimal comma, a word for what is missing."""
    if text.endswith("%"):
        return f": a percent sign, which {_off(column, '%')} takes off"
    if _CURRENCY.search(text):
        sign = next((each for each in text if each in "$€£¥₹₽"), None)
        what = f"a currency sign, which {_off(column, '[^0-9.+-]')} takes off"
        return f": {what}" if sign or text else ""
    grouped = _GROUPED.match(text)
    point = dialect.decimal
    if (
        grouped
        and grouped[1] != point
        and (
            grouped[1] != ","
            or text.count(",") > 1
            or "." in text
            or len(text.partition(",")[2]) == 3
        )
    ):
        return f": thousands' signs, which {_off(column, f'[{grouped[1]}]')} takes off"
    if point == "." and "," in text and is_number(text.replace(",", ".", 1)):
        instead = "" if dialect.separator in {None, ","} else ", or say --decimal ,"
        return f": write {text.replace(',', '.', 1)}{instead}"
    if point == "," and "." in text and is_number(text):
        return f": --decimal , was said, so write {text.replace('.', ',')}"
    if text.lower() in _MISSING:
        return f": if it stands for what is missing, say --missing {_quoted(text)}"
    return ""


def _off(column: str, pattern: str) -> str:
    """The line of Miller's that takes characters off the cells of a column."""
    return f'mlr --csv put \'${{{column}}} = gsub(${{{column}}}, "{pattern}", "")\''


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def is_number(text: str) -> bool:
    """Whether a cell reads as a number."""
    try:
        return float(text) is not None
    except ValueError:
        return False

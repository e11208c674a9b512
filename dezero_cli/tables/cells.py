"""Cells of text as numbers, and what to say of one that is not a number."""

from __future__ import annotations

import math
import re
from decimal import Decimal

import polars as pl

from dezero_cli.tables.dialect import Dialect

_FORTRAN = r"^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[dD]([+-]?[0-9]+)$"
_COMMA = r"^([+-]?[0-9]*),([0-9]*(?:[eEdD][+-]?[0-9]+)?)$"


def stripped(cells: pl.Series) -> pl.Series:
    """Text without the blanks around it; null for a cell of blanks only."""
    bare = cells.str.strip_chars()
    return bare.set(bare == "", None)


def filled(cells: pl.Series, dialect: Dialect) -> pl.Series:
    """Bare cells, without those that count as empty, and with points for decimal commas."""
    bare = stripped(cells)
    if dialect.missing:
        bare = bare.set(bare.is_in(list(dialect.missing)), None)
    return pointed(bare) if dialect.decimal == "," else bare


def pointed(cells: pl.Series) -> pl.Series:
    """Cells with a point for the decimal comma of a number; a point is no decimal sign there."""
    point = cells.str.contains(r"^[+-]?[0-9]*\.[0-9]+$")
    turned = cells.str.replace(_COMMA, "${1}.${2}")
    return turned.scatter(point.arg_true(), cells.filter(point) + " ") if point.any() else turned


def numbers(cells: pl.Series, dialect: Dialect) -> tuple[pl.Series, pl.Series]:
    """Text cells as float64, null where they are empty; and which of them are no numbers."""
    plain = not dialect.missing and dialect.decimal == "."
    if plain:
        found = cells.cast(pl.Float64, strict=False)
        if found.null_count() == cells.null_count():
            return found, pl.Series([], dtype=pl.UInt32)
    bare = filled(cells, dialect)
    found = bare.cast(pl.Float64, strict=False)
    if found.null_count() > bare.null_count():
        bare = bare.str.replace(_FORTRAN, "${1}e${2}")
        found = bare.cast(pl.Float64, strict=False)
    return found, (found.is_null() & bare.is_not_null()).arg_true()


def reads_back(text: str, number: float) -> bool:
    """Whether a number, written with as many digits as a text has, is what the text says.

    It is not where float64 has fewer digits, or a smaller range.
    """
    if repr(number) == text:
        return True
    digits = re.sub(r"[eE].*|[^0-9]", "", text).lstrip("0")
    if not math.isfinite(number) or bool(digits) != bool(number):
        return not digits and not text.strip("0.+-eE")
    return Decimal(f"{number:.{max(len(digits), 1) - 1}e}") == Decimal(text)


def changed(cells: pl.Series, floats: pl.Series) -> bool:
    """Whether one of some cells that are numbers is not what float64 makes of it."""
    doubtful = cells.str.len_bytes() > EXACT
    odd = (floats == 0) | floats.is_infinite()
    if odd.any():
        doubtful |= odd & cells.str.contains(r"[0-9]") & (cells != "0")
    if not doubtful.any():
        return False
    known = zip(cells.filter(doubtful).to_list(), floats.filter(doubtful).to_list(), strict=True)
    return not all(cell.isalpha() or reads_back(cell, number) for cell, number in known)


EXACT = 15
"""Digits of a number of usual size that float64 keeps."""


# --------------------------------------------------------------------------- what is not a number
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:([ ,.'_\u00a0\u2009\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")
_MISSING = frozenset(
    "- -- --- . .. ? * na n/a n.a. #n/a <na> null none nil missing unknown #value! #div/0!".split()
)
_SIGNS = "%‰$€£¥₹₽₩¢"


def not_a_number(
    text: str, column: str, comma_is_free: bool, separator: str = ",", header: bool = True
) -> str:
    """What to say of a cell that is not a number, with what mends it where that is known.

    `comma_is_free` tells whether a comma may be the decimal sign; the table has cells that are
    apart by `separator`, and a header or none, which the commands that mend it must know.
    """
    shown = text if len(text) <= 40 else text[:37] + "..."
    said = f"{shown!r} is not a number"
    bare = text.strip()
    if bare.lower() in _MISSING:
        return f"{said}: --missing '{bare}' makes such cells count as empty"

    def without(signs: str) -> str:
        return _without(column, signs, separator, header)

    core = re.sub(f"[{_SIGNS}]", "", bare).strip()
    found = "".join(dict.fromkeys(sign for sign in bare if sign in _SIGNS))
    if found and _numberlike(core):
        kind = "percent" if found in "%‰" else "currency"
        groups = _THOUSANDS.fullmatch(core)
        signs = found + (groups[1] if groups else "")
        return f"{said}: take the {kind} sign off first: {without(signs)}"
    grouped = _THOUSANDS.fullmatch(bare)
    comma = bare.replace(",", ".", 1)
    if bare.count(",") == 1 and _numberlike(comma) and "." not in bare:
        other = ", or give --decimal ," if comma_is_free else ""
        more = f"; a thousands sign goes with: {without(',')}" if grouped else ""
        return f"{said}: write {comma}{other}{more}"
    if grouped:
        return f"{said}: take the thousands sign off first: {without(grouped[1])}"
    return said


def _numberlike(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+([.,' ]\d+)*[.,]?|[.,]\d+)([eE][+-]?\d+)?", text))


def _without(column: str, signs: str, separator: str, header: bool) -> str:
    """The command of Miller that takes signs out of a column."""
    if re.search(r"[{}'\\]", column + signs):
        return f'sed "s/[{signs}]//g" FILE'
    form = {",": "--csv", "\t": "--tsv", " ": "--pprint"}.get(
        separator, f"--csv --fs '{separator}'"
    )
    if not header:
        form, column = f"{form} -N", column.removeprefix("c")
    return f'mlr {form} put \'${{{column}}} = gsub(${{{column}}}, "[{signs}]", "")\' FILE'

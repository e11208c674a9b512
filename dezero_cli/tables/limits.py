"""What a format cannot hold of columns that go from or to Parquet and Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from dezero_cli.faults import TableError
from dezero_cli.tables.files import SEPARATORS, TEXT

MOST_COLUMNS = 100_000
"""Columns of text that can become columns of Parquet or Arrow."""

_YEARS = 200_000
"""Years before and after 1970 that dates in text may have."""

_IN_A_YEAR = {"ms": 31_536_000 * 10**3, "us": 31_536_000 * 10**6, "ns": 31_536_000 * 10**9}


def refuse_foreign(schema: Mapping[str, Any], form: str) -> None:
    """Refuse columns whose types the target cannot hold."""
    first: dict[Any, str] = {}
    for column, kind in schema.items():
        first.setdefault(kind, column)
    for kind, column in first.items():
        inner = list(_inner_types(kind))
        nested = kind.is_nested()
        strange = any(each in (pl.Binary, pl.Object) for each in inner)
        strange = strange or (nested and any(each.is_decimal() for each in inner))
        if (form in SEPARATORS and nested) or (form in TEXT and strange):
            raise TableError(f"a cell of {form} cannot hold {kind}", column=column)
        if kind.is_decimal() and kind.precision > 38:
            raise TableError(f"{kind} has more digits than can be read", column=column)


def _inner_types(kind: Any) -> Iterator[Any]:
    """The types of the values in lists and structs, or the type itself."""
    waiting = [kind]
    while waiting:
        each = waiting.pop()
        if isinstance(each, pl.Struct):
            waiting += [field.dtype for field in each.fields]
        elif isinstance(each, pl.List | pl.Array):
            waiting.append(each.inner)
        else:
            yield each


def _inner(column: pl.Series) -> Iterator[pl.Series]:
    """The values in the lists and structs of a column, or the column itself."""
    waiting = [column]
    while waiting:
        each = waiting.pop()
        if isinstance(each.dtype, pl.Struct):
            waiting += each.struct.unnest().get_columns()
        elif isinstance(each.dtype, pl.List | pl.Array):
            waiting.append(each.explode())
        else:
            yield each


def refuse_untold(frame: pl.DataFrame, form: str) -> None:
    """Refuse values that text cannot show: far times; in lists and objects of JSON, nan and inf."""
    for column in frame:
        for values in _inner(column):
            if _is_far(values):
                raise TableError("a time that is out of range", column=column.name)
            odd = column.dtype.is_nested() and values.dtype.is_float()
            if odd and not values.is_finite().all():
                fault = f"a list or an object of {form} cannot hold nan and inf"
                raise TableError(fault, column=column.name)


def _is_far(values: pl.Series) -> bool:
    """Whether there is a time that text cannot show."""
    kind = values.dtype
    if kind == pl.Date:
        most = _YEARS * 365
    elif isinstance(kind, pl.Datetime):
        most = _YEARS * _IN_A_YEAR[kind.time_unit]
    else:
        return False
    numbers = values.to_physical()
    return most < 1 << 63 and bool(((numbers > most) | (numbers < -most)).any())

"""JSON Lines: bytes -> an object per line -> numbers if needed; the lines themselves are kept."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import orjson
import polars as pl

from dezero_cli import report
from dezero_cli.faults import TableError
from dezero_cli.language import json_input, values
from dezero_cli.tables import limits
from dezero_cli.tables.cells import reads_back
from dezero_cli.tables.delimited import Header
from dezero_cli.tables.dialect import Dialect

MARKS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
"""What "nonfinite" may say of a number that is null."""

_MARKS = re.compile(
    rb'(?:,\s*"nonfinite"\s*:\s*\{[^{}]*\}|"nonfinite"\s*:\s*\{[^{}]*\}\s*,?)', re.DOTALL
)

_MANY = re.compile(rb"[0-9]{19}")

CELLS = 1 << 22
"""Cells, empty ones included, that rows have in memory as columns at a time."""

SPARSE, EMPTY = 40_000_000, 300
"""Cells from which on columns are refused where there are so many times as many as values."""


class JsonLines:
    """The reader of JSON Lines; its columns are the keys of the objects in the first block."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def cut(self, data: bytes) -> int:
        """Where the last complete line of `data` ends; 0 if there is none."""
        return data.rfind(b"\n") + 1

    def columns(self, data: bytes, source: str) -> Header:
        """All keys of the objects in `data`, in order of appearance, and where the rows begin."""
        try:
            objects = self._begin(data)
        except TableError as fault:
            raise fault.below(source, 0) from None
        if not objects:
            raise TableError("the file is empty", source)
        keys = dict.fromkeys(key for each in objects for key in each)
        if all(_is_marks(each.get(report.NONFINITE, {})) for each in objects):
            keys.pop(report.NONFINITE, None)
        return Header(list(keys), 0)

    def _begin(self, data: bytes) -> list[dict[str, Any]]:
        """The objects of `data`, up to the first line that is not one."""
        try:
            return self.piece(data, ()).objects
        except TableError as fault:
            if fault.row is None or fault.row == 1:
                raise
            return self.piece(self.before(data, fault.row), ()).objects

    def before(self, data: bytes, row: int) -> bytes:
        """What of `data` comes before a row; blank lines do not count."""
        lines = [line for line in data.split(b"\n") if line.strip()]
        return b"\n".join(lines[: row - 1])

    def piece(self, data: bytes, columns: Sequence[str]) -> Objects:
        """The rows of `data`.  Raises TableError, its rows counted from the start of `data`."""
        given = [line for line in map(bytes.strip, data.split(b"\n")) if line]
        read = json_input.loads if json_input.has_negative_zero(data) else orjson.loads
        lines, objects, places = [], [], []
        for row, line in enumerate(given, 1):
            try:
                objects.append(_object(read, line, row))
            except TableError:
                if self.dialect.on_bad != "skip":
                    raise
                continue
            lines.append(line)
            places.append(row)
        found = Objects(lines, objects, columns, self.dialect)
        found.places, found.read = places, len(given)
        return found


def _object(read: Callable[[bytes], Any], line: bytes, row: int) -> dict[str, Any]:
    """What `read` makes of a line; a number beyond float64 is inf."""
    try:
        each = read(line)
    except orjson.JSONDecodeError:
        try:
            each = json_input.loads(line)
        except orjson.JSONDecodeError as fault:
            raise TableError(_not_json(line, row, fault.msg), row=row) from None
    if type(each) is not dict:
        raise TableError(f"not a JSON object{_LINES if type(each) is list else ''}", row=row)
    return each


_LINES = ": jq -c '.[]' writes the elements of an array as lines"
_WORD = re.compile(rb"[:\[,]\s*([+-]?(?:nan|inf(?:inity)?))\b", re.IGNORECASE)


def _not_json(line: bytes, row: int, message: str) -> str:
    """What to say of a line that is not JSON."""
    word = _WORD.search(line)
    if row == 1 and line.startswith(b"["):
        return f"not JSON Lines but an array{_LINES}"
    if row == 1 and line == b"{":
        return "not JSON Lines, an object has several lines: jq -c . writes it in one"
    if word:
        text = word[1].decode()
        meant = "nan" if "nan" in text.lower() else "-inf" if text[0] == "-" else "inf"
        return f'not JSON: {text} is written "{meant}"'
    return f"not JSON: {message}"


def _is_marks(found: Any) -> bool:
    """Whether something is what "nonfinite" says in this package's output."""
    return type(found) is dict and all(type(x) is str and x in MARKS for x in found.values())


class Objects:
    """Rows that are JSON objects; `places` are their row numbers among the `read` ones."""

    def __init__(
        self,
        lines: list[bytes],
        objects: list[dict[str, Any]],
        columns: Sequence[str],
        dialect: Dialect,
    ) -> None:
        self._lines = lines
        self.objects = objects
        self.columns = columns
        self._dialect = dialect
        self.rows = self.read = len(objects)
        self.places: list[int] = []
        self.numbers: dict[str, np.ndarray] = {}

    @property
    def skipped(self) -> int:
        """The number of rows that were left out."""
        return self.read - self.rows

    @property
    def marks(self) -> list[dict[str, str]]:
        """What "nonfinite" says in each row."""
        key = report.NONFINITE
        found: list[Any] = [each.get(key, {}) for each in self.objects]
        return [each if each and _is_marks(each) else {} for each in found]

    def cells(self, column: str) -> list[Any]:
        """The values of a column; a null that was not finite is that number."""
        cells = [each.get(column) for each in self.objects]
        if any(report.NONFINITE in each for each in self.objects):
            for i, marks in enumerate(self.marks):
                if column in marks and cells[i] is None:
                    cells[i] = MARKS[marks[column]]
        return cells

    def arrays(self, columns: dict[str, int]) -> dict[str, np.ndarray]:
        """Columns as float64; nan for null, for a missing key, and for the string "nan".

        Raises TableError for anything else, or leaves such rows out, or takes the cell for empty.
        """
        found: dict[str, np.ndarray] = {}
        bad: set[int] = set()
        for column in columns:
            self._refuse_repeated(column)
            cells = self.cells(column)
            missing = self._dialect.missing
            cells = [
                np.nan if cell is None or (missing and cell in missing) else cell for cell in cells
            ]
            numbers = values.column(cells)
            if numbers is None:
                wrong = [i for i, cell in enumerate(cells) if values.column([cell]) is None]
                self._refuse(cells, wrong, column)
                bad.update(wrong)
                for i in wrong:
                    cells[i] = np.nan
                numbers = values.column(cells)
            assert numbers is not None
            found[column] = numbers
        if bad and self._dialect.on_bad == "skip":
            return self._without(bad, found)
        return found

    def _refuse(self, cells: list[Any], wrong: list[int], column: str) -> None:
        if wrong and self._dialect.on_bad == "stop":
            shown = orjson.dumps(cells[wrong[0]]).decode()
            shown = shown if len(shown) <= 40 else shown[:37] + "..."
            row = self.places[wrong[0]]
            raise TableError(f"{shown} is not a number", row=row, column=column)

    def _without(self, bad: set[int], found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Leave rows out, here and in the arrays."""
        kept = [i for i in range(self.rows) if i not in bad]
        self._lines = [self._lines[i] for i in kept]
        self.objects = [self.objects[i] for i in kept]
        self.places = [self.places[i] for i in kept]
        self.rows = len(kept)
        return {name: numbers[kept] for name, numbers in found.items()}

    def _refuse_repeated(self, column: str) -> None:
        """Refuse a row that has a key twice; nearly always, counting tells that none has."""
        key = orjson.dumps(column)
        rows = sum(column in each for each in self.objects)
        escaped = any(b"\\" in line for line in self._lines)
        if not escaped and sum(line.count(key) for line in self._lines) == rows:
            return
        for row, line, each in zip(self.places, self._lines, self.objects, strict=True):
            if column not in each or (b"\\" not in line and line.count(key) == 1):
                continue
            if json_input.first_repeated(line, names=(column,)) is not None:
                raise TableError("this key is given twice", row=row, column=column)

    def refuse_taken(self, taken: Sequence[str]) -> None:
        """Refuse an object with a key that the results use."""
        for name in self.keys().intersection(taken):
            row = next(i for i, each in zip(self.places, self.objects, strict=True) if name in each)
            fault = "this key is needed for a result: choose another name with --prefix"
            raise TableError(fault, row=row, column=name)
        for row, each in zip(self.places, self.objects, strict=True):
            if report.NONFINITE in each and not _is_marks(each[report.NONFINITE]):
                fault = "JSON Lines output uses this name itself: rename the column"
                raise TableError(fault, row=row, column=report.NONFINITE)

    def lines(self, names: Sequence[str]) -> list[bytes]:
        """The objects as they were read, without what "nonfinite" says in them."""
        pairs = zip(self._lines, self.objects, strict=True)
        return [_unmarked(line) if report.NONFINITE in each else line for line, each in pairs]

    def parts(self) -> Iterator[Objects]:
        """The rows again, so many at a time that their cells, empty ones included, have room."""
        self.refuse_sparse()
        size = max(1, CELLS // max(len(self.columns), 1))
        for start in range(0, max(self.rows, 1), size):
            rows = slice(start, start + size)
            found = Objects(self._lines[rows], self.objects[rows], self.columns, self._dialect)
            found.places = self.places[rows]
            yield found

    def refuse_sparse(self) -> None:
        """Refuse columns that would hardly have a cell, whose work has nothing to do with the file.

        Each key is a column, and each row has a cell in every column.
        """
        cells, given = self.rows * len(self.columns), sum(map(len, self.objects))
        if len(self.columns) > limits.MOST_COLUMNS:
            fault = f"{len(self.columns):,} keys: at most {limits.MOST_COLUMNS:,} can be columns"
            raise TableError(fault)
        if cells > SPARSE and cells > EMPTY * given:
            fault = f"{len(self.columns):,} keys in all, and a few in each row: write JSON Lines"
            raise TableError(fault, row=1)

    def keys(self) -> set[str]:
        """The keys of all objects."""
        return set().union(*self.objects)

    @property
    def frame(self) -> pl.DataFrame:
        """The cells as text, lists and objects as JSON; each column is called by its place."""
        self.refuse_unknown()
        self.refuse_lossy()
        objects = [_loaded_exactly(*pair) for pair in zip(self._lines, self.objects, strict=True)]
        exact = Objects(self._lines, objects, self.columns, self._dialect)
        return pl.DataFrame(
            {str(i): list(map(_text, exact.cells(c))) for i, c in enumerate(self.columns)},
            schema={str(i): pl.String for i in range(len(self.columns))},
        )

    def widen(self) -> None:
        """Read integers of many digits as they are; orjson rounds those beyond 64 bits."""
        for i, line in enumerate(self._lines):
            if _MANY.search(line):
                with contextlib.suppress(RecursionError, ValueError):
                    self.objects[i] = json.loads(line)

    def refuse_lossy(self) -> None:
        """Refuse what JSON alone holds: a key that stands twice, half of a pair of surrogates."""
        for row, line, each in zip(self.places, self._lines, self.objects, strict=True):
            if b"\\u" not in line and line.count(b":") == len(each):
                continue  # nearly all lines
            if json_input.has_half(line):
                raise TableError("half of a character, which only JSON can hold", row=row)
            name = json_input.repeated(line, len(each)) and json_input.repeated_within(line)
            if name is not None and name is not False:
                raise TableError("this key is given twice", row=row, column=name)

    def refuse_rounded(self, used: Collection[str]) -> None:
        """Refuse a number that float64 would round, in the columns that are not `used`."""
        others = [name for name in self.columns if name not in used]
        for row, line, each in zip(self.places, self._lines, self.objects, strict=True):
            if _WITH_FLOATS.isdisjoint(map(type, map(each.get, others))):
                continue
            if not _FINE.search(line) or _as_written(line, each, others):
                continue
            with contextlib.suppress(RecursionError):
                found = json.loads(line, parse_float=_rounded)
                names = (name for name in found if name not in used and _holds(found[name], _LOST))
                name = next(names, None)
                if name is not None:
                    fault = "a number that float64 would change: write JSON Lines or CSV instead"
                    raise TableError(fault, row=row, column=name)

    def refuse_unknown(self) -> None:
        """Refuse a key that the first rows do not have."""
        unknown = self.keys().difference([*self.columns, report.NONFINITE])
        if unknown:
            name = min(unknown)
            row = next(i for i, each in zip(self.places, self.objects, strict=True) if name in each)
            raise TableError("this key is missing from the first rows", row=row, column=name)


def _loaded_exactly(line: bytes, known: dict[str, Any]) -> dict[str, Any]:
    """An object whose numbers are the text that they are written as."""
    if json_input.has_half(line):
        return known
    try:
        found: dict[str, Any] = json.loads(line, parse_float=_kept, parse_int=_kept)
    except (RecursionError, ValueError):
        return known
    return found


_FINE = re.compile(rb"[0-9.]{17}|[eE][+-]?[0-9]{3}")
"""What a number may have that float64 would change."""
_LOST = object()


_WITH_FLOATS = {float, list, dict}
"""The types of values that may hold a number that float64 would change."""


def _as_written(line: bytes, each: dict[str, Any], columns: Sequence[str]) -> bool:
    """Whether it is seen at once that columns keep the numbers that a line has in them."""
    for name in columns:
        value = each.get(name)
        if type(value) in (list, dict):
            return False
        if type(value) is float:
            cell = b"%b:%b" % (orjson.dumps(name), orjson.dumps(value))
            if cell + b"," not in line and cell + b"}" not in line:
                return False
    return True


def _rounded(text: str) -> Any:
    return None if reads_back(text, float(text)) else _LOST


def _holds(data: Any, wanted: object) -> bool:
    """Whether an object is somewhere in JSON's data."""
    waiting = [data]
    while waiting:
        each = waiting.pop()
        if each is wanted:
            return True
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False


def _kept(text: str) -> orjson.Fragment:
    return orjson.Fragment(text)


def _unmarked(line: bytes) -> bytes:
    """A line without the key "nonfinite"."""
    matches = list(_MARKS.finditer(line))
    if len(matches) == 1:
        start, end = matches[0].span()
        shorter = line[:start] + line[end:]
        try:
            if report.NONFINITE not in orjson.loads(shorter):
                return shorter
        except orjson.JSONDecodeError:
            pass
    found = json.loads(line, parse_float=_kept, parse_int=_kept)
    found.pop(report.NONFINITE)
    return orjson.dumps(found)


def _text(cell: Any) -> str | None:
    """A JSON value as the text of a cell."""
    if cell is None or type(cell) is str:
        return cell
    if type(cell) is float:
        return "NaN" if cell != cell else repr(cell)
    try:
        return orjson.dumps(cell).decode()
    except orjson.JSONEncodeError:
        raise TableError("an object is nested too deeply") from None

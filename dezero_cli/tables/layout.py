"""Where the rows and cells of CSV lie in its bytes, and what is wrong with its quotes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dezero_cli.faults import TableError

QUOTE, NEWLINE, RETURN = b'"\n\r'


class RowLayout(NamedTuple):
    """Where each record begins and ends (its newline), its number of cells, whether it is blank."""

    starts: np.ndarray
    ends: np.ndarray
    cells: np.ndarray
    blank: np.ndarray


def inside(array: np.ndarray) -> np.ndarray:
    """Whether each byte is inside quotes (the opening quote counts, the closing one does not)."""
    found: np.ndarray = (np.cumsum(array == QUOTE, dtype=np.uint8) & 1).astype(bool)
    return found


def layout(array: np.ndarray, separator: int) -> RowLayout:
    """Where the records lie."""
    outside = ~inside(array)
    ends = np.flatnonzero((array == NEWLINE) & outside)
    if len(array) and (not len(ends) or ends[-1] != len(array) - 1):
        ends = np.append(ends, len(array))
    separators = np.flatnonzero((array == separator) & outside)
    cells = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts
    blank = lengths == 0
    single = np.flatnonzero(lengths == 1)
    blank[single] = array[starts[single]] == RETURN
    return RowLayout(starts, ends, cells, blank)


def is_even(array: np.ndarray, separator: int, cells: int) -> int | None:
    """The number of rows, if none has quotes or is blank, and each has as many cells; else None."""
    found = array == separator
    found |= array == NEWLINE
    stops = array[np.flatnonzero(found)]  # quicker than by the mask itself
    rows, rest = divmod(len(stops), cells)
    if rest or not rows or array[-1] != NEWLINE or np.count_nonzero(stops == NEWLINE) != rows:
        return None
    return rows if (stops[cells - 1 :: cells] == NEWLINE).all() else None


def even_on_average(data: bytes, separator: str, cells: int) -> int | None:
    """The number of lines, if they have as many cells as the header on average; else None.

    This is much quicker than to look at each of them.
    """
    array = np.frombuffer(data, np.uint8)
    lines = int(np.count_nonzero(array == NEWLINE))
    separators = int(np.count_nonzero(array == ord(separator)))
    return lines if lines and data.endswith(b"\n") and separators == lines * (cells - 1) else None


def stray_quotes(array: np.ndarray, separator: int) -> np.ndarray:
    """The places of quotes inside a cell without quotes, or that close one too early."""
    quotes = np.flatnonzero(array == QUOTE)
    padded = np.concatenate([[NEWLINE], array, [NEWLINE]])
    opening, closing = quotes[0::2], quotes[1::2]
    return np.concatenate(
        [
            opening[~np.isin(padded[opening], [separator, NEWLINE, QUOTE])],
            closing[~np.isin(padded[closing + 2], [separator, NEWLINE, RETURN, QUOTE])],
        ]
    )


def without_odd(data: bytes, separator: int, lay: RowLayout) -> RowLayout:
    """The same with no cells in the rows that have a stray quote, or that are not UTF-8.

    Raises TableError for a quote that is never closed: nobody knows where its row ends.
    """
    array = np.frombuffer(data, np.uint8)
    cells = lay.cells.copy()
    cells[np.searchsorted(lay.ends, stray_quotes(array, separator))] = 0
    check_closed(array, lay)
    if not is_utf8(data):
        bounds = zip(lay.starts.tolist(), lay.ends.tolist(), strict=True)
        cells[[i for i, (start, end) in enumerate(bounds) if not is_utf8(data[start:end])]] = 0
    return lay._replace(cells=cells)


def is_utf8(data: bytes) -> bool:
    """Whether bytes are text in UTF-8."""
    try:
        return data.isascii() or data.decode() is not None
    except UnicodeDecodeError:
        return False


def check_quotes(array: np.ndarray, separator: int, lay: RowLayout) -> None:
    """Refuse quotes inside a cell without quotes, and a quote that is never closed."""
    stray = stray_quotes(array, separator)
    if len(stray):
        advice = "put the whole cell in quotes, and double the quote inside"
        row = row_of(int(stray.min()), lay)
        raise TableError(f"a quote inside a cell: {advice}", row=row)
    check_closed(array, lay)


def check_closed(array: np.ndarray, lay: RowLayout) -> None:
    """Refuse a quote that is never closed."""
    quotes = np.flatnonzero(array == QUOTE)
    if len(quotes) % 2:
        raise TableError("a quote is never closed", row=row_of(int(quotes[-1]), lay))


def check_cells(lay: RowLayout, wanted: int) -> None:
    """Refuse a row that does not have as many cells as the header."""
    ragged = np.flatnonzero((lay.cells != wanted) & ~lay.blank)
    if len(ragged):
        got = int(lay.cells[ragged[0]])
        message = f"{got} cell{'s'[: got != 1]}, but the header has {wanted}"
        raise TableError(message, row=row_of(int(lay.starts[ragged[0]]), lay))


def row_of(place: int, lay: RowLayout) -> int:
    """The number of the row that contains a byte; blank lines are not counted."""
    record = int(np.searchsorted(lay.ends, place))
    return record + 1 - int(np.count_nonzero(lay.blank[:record]))

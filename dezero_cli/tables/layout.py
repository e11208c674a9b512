"""Where the rows and cells of quoted text are: every byte of a block at once, in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

QUOTE, NEWLINE, RETURN = b'"\n\r'

Bytes = np.ndarray


class Layout(NamedTuple):
    """Where each record begins and ends (its newline), its number of cells, whether it is blank."""

    starts: np.ndarray
    ends: np.ndarray
    cells: np.ndarray
    blank: np.ndarray

    def row_of(self, place: int) -> int:
        """The number of the row that contains a byte, from 1; blank lines are not counted."""
        record = int(np.searchsorted(self.ends, place))
        return record + 1 - int(np.count_nonzero(self.blank[:record]))


def inside(array: Bytes) -> np.ndarray:
    """Whether each byte is inside quotes (the opening quote counts, the closing one does not)."""
    found: np.ndarray = (np.cumsum(array == QUOTE, dtype=np.uint8) & 1).astype(bool)
    return found


def layout_of(data: bytes, separator: int) -> Layout:
    """The records of `data`, the last of which may lack its newline."""
    array = np.frombuffer(data, np.uint8)
    newlines, separators = array == NEWLINE, array == separator
    if b'"' in data:
        outside = ~inside(array)
        newlines &= outside
        separators &= outside
    ends = np.flatnonzero(newlines)
    if len(array) and (not len(ends) or ends[-1] != len(array) - 1):
        ends = np.append(ends, len(array))
    cells = np.diff(np.searchsorted(np.flatnonzero(separators), ends), prepend=0) + 1
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts
    blank = lengths == 0
    single = np.flatnonzero(lengths == 1)
    blank[single] = array[starts[single]] == RETURN
    return Layout(starts, ends, cells, blank)


def stray_quotes(data: bytes, separator: int) -> np.ndarray:
    """The places of quotes inside a cell without quotes, and of those that end one too early."""
    array = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(array == QUOTE)
    padded = np.concatenate([[NEWLINE], array, [NEWLINE]])
    opening, closing = quotes[0::2], quotes[1::2]
    before, behind = padded[opening], padded[closing + 2]
    return np.concatenate(
        [
            opening[~np.isin(before, [separator, NEWLINE, QUOTE])],
            closing[~np.isin(behind, [separator, NEWLINE, RETURN, QUOTE])],
        ]
    )

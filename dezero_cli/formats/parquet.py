"""What a Parquet file says of itself: whether its counts agree, and how much memory it takes.

The size of the file does not tell, as pages repeat; and readers believe a count that is wrong.
The format is that of https://parquet.apache.org/docs/file-format/metadata/: at the end of the file
a structure of Thrift's compact protocol, then its length and a magic.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dezero_cli.formats.arrow import opened

MAGIC = b"PAR1"

LARGEST = 4 << 20
"""Bytes of metadata that are looked at."""

_VALUE = 16
"""Bytes that a value takes in memory, besides what it takes in the file's pages."""

_DOUBLE, _BINARY, _MAP, _STRUCT = 7, 8, 11, 12
_LISTS = (9, 10)
_TRUE_OR_FALSE = (1, 2)


MOST_PAGES = 20_000
"""Pages that are looked at, the first of a file: beyond them a library has to see for itself."""

_HEADER, _LONGEST_HEADER = 1 << 10, 1 << 24
"""Bytes of a page's header that are read at first, and at most."""

_RATIO = 1 << 16
"""How many times larger than compressed a page can be."""


class Chunk(NamedTuple):
    """The values of a column in a row group, their bytes, unpacked, and where its pages begin."""

    values: int
    size: int
    place: int


class RowGroup(NamedTuple):
    """A row group: its rows, and its columns."""

    rows: int
    chunks: list[Chunk]

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        return sum(_VALUE * chunk.values + chunk.size for chunk in self.chunks)


def row_groups(source: str | BinaryIO) -> list[RowGroup]:
    """The row groups of a file; none where its metadata are too long to look at, or damaged.

    What reads the file will say so.
    """
    return _metadata(source)[1]


def is_sound(source: str | BinaryIO) -> bool:
    """Whether the counts of a file agree: its rows are its groups', and its values its pages'."""
    rows, groups = _metadata(source)
    if rows is None:
        return True
    chunks = [chunk for group in groups for chunk in group.chunks]
    return (
        rows == sum(group.rows for group in groups)
        and all(chunk.values >= group.rows >= 0 for group in groups for chunk in group.chunks)
        and _have_their_values(source, chunks)
    )


def _have_their_values(source: str | BinaryIO, chunks: list[Chunk]) -> bool:
    """Whether the pages of columns lie in the file and have the values that they should."""
    left = MOST_PAGES
    with opened(source) as (file, size):
        for chunk in chunks:
            place, values = chunk.place, chunk.values
            while values > 0:
                page = _page(file, place, size)
                if page is None or page.values > values:
                    return False
                place, values, left = page.end, values - page.values, left - 1
                if not left:
                    return True
    return True


class _Page(NamedTuple):
    """A page: where it ends, and how many values of the column it holds; a dictionary has none."""

    end: int
    values: int


def _page(file: BinaryIO, place: int, size: int) -> _Page | None:
    """The page at a place; None where its header is damaged."""
    length = _HEADER
    while 0 < place < size and length <= _LONGEST_HEADER:
        file.seek(place)
        compact = _Compact(file.read(min(length, size - place)))
        try:
            return _checked_page(compact, place, size)
        except (IndexError, OverflowError):
            length *= 16
    return None


def _checked_page(compact: _Compact, place: int, size: int) -> _Page | None:
    """What the header of a page says of it; None if that is impossible."""
    unpacked = packed = counted = -1
    is_dictionary = False
    for field in compact.fields(2, 3, 5, 7, 8):
        if field == 2:
            unpacked = compact.integer()
        elif field == 3:
            packed = compact.integer()
        else:
            is_dictionary = field == 7
            counts = [
                compact.integer() for _ in compact.fields(*((1, 2, 3, 5, 6)[: _COUNTS[field]]))
            ]
            counted = counts[0] if counts else -1
            if min(counts, default=-1) < 0 or max(counts[1:3], default=0) > counted:
                return None
    end = place + compact.place + packed
    fits = packed >= 0 and end <= size and 0 <= unpacked <= _RATIO * (packed + 1)
    if not fits or counted < 0 or (is_dictionary and counted > unpacked):
        return None
    return _Page(end, 0 if is_dictionary else counted)


_COUNTS = {5: 1, 7: 1, 8: 5}
"""The numbers of a page's header that are looked at, by its kind: the second kind tells nulls,
rows, and the lengths of levels too."""


def _metadata(source: str | BinaryIO) -> tuple[int | None, list[RowGroup]]:
    """The number of rows, None where it cannot be known, and the row groups."""
    with opened(source) as (file, size):
        file.seek(max(size - 8, 0))
        end = file.read(8)
        if len(end) < 8 or end[4:] != MAGIC:
            return None, []
        length = struct.unpack("<I", end[:4])[0]
        if length > min(LARGEST, size - 8):
            return None, []
        file.seek(size - 8 - length)
        compact = _Compact(file.read(length))
    rows, groups = 0, list[RowGroup]()
    try:
        for field in compact.fields(3, 4):
            if field == 3:
                rows = compact.integer()
            else:
                groups += _groups(compact)
    except (IndexError, OverflowError):
        return None, []
    return rows, groups


class _Compact:
    """Data of Thrift's compact protocol, read from its begin to its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def _byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def _size(self) -> int:
        found = shift = 0
        while (byte := self._byte()) & 0x80:
            found |= (byte & 0x7F) << shift
            shift += 7
        return found | byte << shift

    @property
    def place(self) -> int:
        """How many bytes have been read."""
        return self._place

    def integer(self) -> int:
        """A whole number."""
        found = self._size()
        return found >> 1 ^ -(found & 1)

    def elements(self) -> tuple[int, int]:
        """The type and the number of the elements of a list."""
        head = self._byte()
        return head & 15, head >> 4 if head >> 4 < 15 else self._size()

    def fields(self, *wanted: int) -> Iterator[int]:
        """The fields of a structure that are wanted, which the caller reads; others are skipped."""
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self.integer()
            if number in wanted:
                yield number
            elif head & 15 not in _TRUE_OR_FALSE:  # which have no bytes of their own
                self._skip(head & 15)

    def _skip(self, kind: int) -> None:
        """Leave out a value, whatever is nested in it."""
        waiting = [(kind, 1)]
        while waiting:
            kind, count = waiting.pop()
            if count > 1:
                waiting.append((kind, count - 1))
            if kind == _DOUBLE:
                self._place += 8
            elif kind == _BINARY:
                size = self._size()
                self._place += size
            elif kind in _LISTS:
                inner, count = self.elements()
                waiting += [(inner, count)] * (count > 0)
            elif kind == _MAP:
                count = self._size()
                kinds = self._byte() if count else 0
                waiting += [(kinds >> 4, 1), (kinds & 15, 1)] * min(count, len(self._data))
            elif kind == _STRUCT:
                head = self._byte()
                if head and not head >> 4:
                    self.integer()
                waiting += [(_STRUCT, 1)] * (head > 0)
                waiting += [(head & 15, 1)] * (head & 15 > 2)
            elif kind == 3:
                self._byte()
            else:
                self._size()


def _groups(compact: _Compact) -> Iterator[RowGroup]:
    """The row groups of a list."""
    for _ in range(compact.elements()[1]):
        rows = 0
        chunks: list[Chunk] = []
        for field in compact.fields(1, 3):
            if field == 3:
                rows = compact.integer()
                continue
            for _ in range(compact.elements()[1]):
                chunks += [_chunk(compact) for _ in compact.fields(3)]
        yield RowGroup(rows, chunks)


def _chunk(compact: _Compact) -> Chunk:
    """A column in a row group, whose dictionary comes before its other pages."""
    found = {5: 0, 6: 0, 9: 0, 11: 0}
    for field in compact.fields(*found):
        found[field] = compact.integer()
    first, dictionary = found[9], found[11]
    return Chunk(found[5], found[6], dictionary if 0 < dictionary < first else first)

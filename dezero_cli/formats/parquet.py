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


class RowGroup(NamedTuple):
    """A row group: its rows, about how many bytes it takes in memory, and its shortest column."""

    rows: int
    size: int
    least: int


def row_groups(source: str | BinaryIO) -> list[RowGroup]:
    """The row groups of a file; none where its metadata are too long to look at, or damaged.

    What reads the file will say so.
    """
    return _metadata(source)[1]


def is_sound(source: str | BinaryIO) -> bool:
    """Whether the counts of a file agree: its rows are its groups', and no column lacks values."""
    rows, groups = _metadata(source)
    return rows is None or (
        rows == sum(group.rows for group in groups)
        and all(group.least >= group.rows >= 0 for group in groups)
    )


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
            else:
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
        rows = size = 0
        least = None
        for field in compact.fields(1, 3):
            if field == 3:
                rows = compact.integer()
                continue
            for _ in range(compact.elements()[1]):
                for _ in compact.fields(3):
                    values, packed = _chunk(compact)
                    least = values if least is None else min(least, values)
                    size += _VALUE * values + packed
        yield RowGroup(rows, size, rows if least is None else least)


def _chunk(compact: _Compact) -> tuple[int, int]:
    """The values of a column in a row group, and the bytes of its pages, unpacked."""
    found = {5: 0, 6: 0}
    for field in compact.fields(*found):
        found[field] = compact.integer()
    return found[5], found[6]

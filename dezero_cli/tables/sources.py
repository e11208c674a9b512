"""Where the bytes of tables come from: files and pipes, unpacked on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from dezero_cli.faults import TableError
from dezero_cli.reading import Source, Unpacker, is_stream, kind_of


class TableSource(Source):
    """The bytes of a table: what a compressed file or pipe holds."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._unpacker: Any = None
        self._ahead: bytes | None = None
        self.consumed = 0

    def _raw(self, most: int) -> bytes:
        """The bytes as they stand in the file."""
        data = super().read(most)
        self.consumed += len(data)
        return data

    def begin(self) -> bytes:
        """The first bytes, which are to be read again."""
        if self._ahead is None:
            first = self._raw(1 << 16)
            kind = kind_of(first)
            if kind:
                self._unpacker = Unpacker(kind, self.name, first, self._raw)
                first = self._unpacker.read(1 << 16)
            self._ahead = first
        return self._ahead

    def read(self, most: int) -> bytes:
        """Up to `most` bytes or a few more, as soon as there are any; none at the end."""
        if self.begin():
            first, self._ahead = self._ahead or b"", b""
            return first
        return self._unpacker.read(most) if self._unpacker else self._raw(most)

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for bytes or their end; give whether there is something to read."""
        if self._ahead or (self._unpacker and self._unpacker.has_more):
            return True
        return super().wait(seconds)


_begun: dict[str, TableSource] = {}


def begin_of(name: str) -> bytes:
    """The first bytes of a table; those of a stream will be read again by `table_source`."""
    source = TableSource(name)
    if is_stream(name):
        _begun[name] = source
        return source.begin()
    try:
        return source.begin()
    finally:
        source.close()


def table_source(name: str) -> TableSource:
    """The source of a table."""
    return _begun.pop(name, None) or TableSource(name)


class Unchanged:
    """Files that must not change while they are read, as they were at the start."""

    def __init__(self, names: Iterable[str]) -> None:
        self._states = {name: _state(name) for name in names if not is_stream(name)}

    def check(self) -> None:
        """Raise TableError if a file has changed since."""
        for name, state in self._states.items():
            if _state(name) != state:
                raise TableError("changed while it was read", name)


def _state(name: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

"""Bytes of files, pipes and terminals, for every reader of input.

A name is what the user typed; ``-`` is standard input.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable, Sequence

from dezero_cli.faults import FileError, UsageError

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some programs write at the beginning of a UTF-8 file."""

LONGEST_ROW = 64 << 20
"""Bytes that one row of a table may have, unless ``--max-line`` says otherwise."""


def shown_name(name: str) -> str:
    """A file's name as messages show it."""
    return "standard input" if name == "-" else name


def require_file(name: str, hint: str = "") -> None:
    """Raise FileError if there is no such file, or if it is a folder."""
    if name == "-":
        return
    if not os.path.exists(name):
        raise FileError(name or repr(name), "no such file")
    if os.path.isdir(name):
        raise FileError(name, "is a directory" + hint)


def read_by_one(readers: Sequence[str]) -> None:
    """Raise UsageError if several of what the user typed read standard input."""
    if len(readers) > 1:
        one, other = readers[:2]
        raise UsageError(f"standard input can be read only once, not for {one} and for {other}")


def is_stream(name: str) -> bool:
    """Whether a name's bytes arrive as a stream, which can be read only once."""
    return name == "-" or not stat.S_ISREG(os.stat(name).st_mode)


def total_size(names: Iterable[str]) -> int:
    """The bytes of all files; 0 if one is a stream, whose size is unknown."""
    names = list(names)
    return 0 if any(map(is_stream, names)) else sum(map(os.path.getsize, names))


class Source:
    """The open source of bytes of one name.  It has a `fileno`, so `select` can wait for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._descriptor = 0 if name == "-" else os.open(name, os.O_RDONLY)

    def fileno(self) -> int:
        """The descriptor that the bytes come from."""
        return self._descriptor

    def read(self, most: int) -> bytes:
        """Up to `most` bytes, as soon as there are any; none at the end.

        Raises OSError, with the name that the user knows, if reading fails.
        """
        while True:
            try:
                return os.read(self._descriptor, most)
            except BlockingIOError:  # another program has made the pipe or terminal non-blocking
                select.select([self._descriptor], [], [])
            except OSError as error:
                raise OSError(error.errno, error.strerror, shown_name(self.name)) from None

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for bytes or their end; give whether there is something to read."""
        return bool(select.select([self._descriptor], [], [], seconds)[0])

    def close(self) -> None:
        """Close what was opened."""
        if self._descriptor > 0:
            os.close(self._descriptor)
        self._descriptor = -1


def whole(name: str) -> bytes:
    """All bytes of a file or of standard input.  Raises FileError if it cannot be read."""
    parts: list[bytes] = []
    try:
        source = Source(name)
        try:
            while part := source.read(1 << 20):
                parts.append(part)
        finally:
            source.close()
    except OSError as error:
        raise FileError(shown_name(name), (error.strerror or str(error)).lower()) from None
    return b"".join(parts)

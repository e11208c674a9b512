"""Bytes of files, pipes and terminals, compressed or not, for every reader of input.

A name is what the user typed; ``-`` is standard input.
"""

from __future__ import annotations

import os
import re
import select
import stat
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dezero_cli.extras import require
from dezero_cli.faults import FileError, TableError, UsageError

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some programs write at the beginning of a UTF-8 file."""

MOST_UNPACKED = 1 << 30
"""Bytes that a compressed file may hold where it is read whole."""

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
    """All bytes of a file or of standard input, unpacked if they are compressed.

    Raises FileError if it cannot be read, and for data that unpacks to more than MOST_UNPACKED.
    """
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
    data = b"".join(parts)
    kind = kind_of(data)
    return data if kind is None else _unpacked(Unpacker(kind, name, data, lambda most: b""))


def _unpacked(source: Unpacker) -> bytes:
    """All that compressed data holds."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := source.read(1 << 20):
            parts.append(part)
            size += len(part)
            if size > MOST_UNPACKED:
                raise FileError(shown_name(source.name), "unpacks to more than 1 GiB")
    except TableError as fault:
        raise FileError(shown_name(source.name), fault.message) from None
    return b"".join(parts)


# ------------------------------------------------------------------------------------ compressed
PACKED = {".gz": "gzip", ".bz2": "bzip2", ".zst": "zstd"}
"""Endings of compressed files."""

MAGIC = {
    "gzip": rb"\x1f\x8b\x08",
    "bzip2": rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",  # a text may begin with the name BZh
    "zstd": rb"\x28\xb5\x2f\xfd",
}
"""How compressed data begins, as patterns."""

LONGEST_MAGIC = 10
"""Bytes that tell."""

FED = 1 << 10
"""Bytes that are unpacked at a time where the library does not bound what comes out."""


def kind_of(data: bytes) -> str | None:
    """How data is compressed, by its begin."""
    return next((kind for kind, magic in MAGIC.items() if re.match(magic, data)), None)


def without_ending(name: str) -> tuple[str, str | None]:
    """A file's name without the ending of a compressed one, and how it is compressed."""
    for ending, kind in PACKED.items():
        if name.lower().endswith(ending):
            return name[: -len(ending)], kind
    return name, None


class Unpacker:
    """What compressed data holds, read in pieces of bounded size; several parts are one."""

    def __init__(self, kind: str, name: str, begin: bytes, read: Callable[[int], bytes]) -> None:
        self._kind = kind
        self.name = name
        self._read = read
        self._waiting = begin
        self._part: Any = None
        self.has_more = True

    def read(self, most: int) -> bytes:
        """Up to `most` bytes or a little more; none at the end.

        Raises TableError if the data is damaged.
        """
        while True:
            while self._waiting or self.has_more:
                out = self._unpacked(most)
                if out:
                    return out
            arrived = self._read(1 << 18)
            if not arrived:
                if self._part is not None:
                    raise self._damaged()
                return b""
            self._waiting = arrived

    def _unpacked(self, most: int) -> bytes:
        """The next bytes of what has arrived."""
        if self._part is None:
            self._waiting = self._waiting.lstrip(b"\0") if self._kind == "gzip" else self._waiting
            if not self._waiting:
                self.has_more = False
                return b""
            self._part = _PARTS[self._kind]()
        try:
            out, self._waiting, ended = self._part(self._waiting, most)
        except Exception:  # noqa: BLE001, each library has its own
            raise self._damaged() from None
        self.has_more = bool(self._waiting) or len(out) >= most
        if ended:
            self._part = None
        return bytes(out)

    def _damaged(self) -> TableError:
        return TableError(f"cannot be read as {self._kind}: damaged", self.name)


Part = Callable[[bytes, int], tuple[bytes, bytes, bool]]


def _gzip() -> Part:
    import zlib

    part = zlib.decompressobj(31)

    def unpacked(data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        out = part.decompress(data, most)
        return out, part.unused_data if part.eof else part.unconsumed_tail, part.eof

    return unpacked


def _bzip2() -> Part:
    import bz2

    part = bz2.BZ2Decompressor()

    def unpacked(data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        out = part.decompress(data, most)
        return out, part.unused_data if part.eof else b"", part.eof

    return unpacked


def _zstd() -> Part:
    part = require("zstandard").ZstdDecompressor().decompressobj()

    def unpacked(data: bytes, most: int) -> tuple[bytes, bytes, bool]:
        out = part.decompress(data[:FED])
        return out, part.unused_data + data[FED:] if part.eof else data[FED:], part.eof

    return unpacked


_PARTS: dict[str, Callable[[], Part]] = {"gzip": _gzip, "bzip2": _bzip2, "zstd": _zstd}

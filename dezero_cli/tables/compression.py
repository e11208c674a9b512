"""Compressed tables, as streams: gzip, bzip2 and Zstandard, known by content and by ending."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from dezero_cli.extras import require
from dezero_cli.faults import TableError
from dezero_cli.output import Output

ENDINGS = {".gz": "gzip", ".bz2": "bzip2", ".zst": "zstd"}
"""Endings of compressed files."""

MAGIC = {b"\x1f\x8b\x08": "gzip", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd"}
"""How compressed data begins."""

FED = 1 << 10
"""Bytes that are unpacked at a time where the library does not bound what comes out."""


def kind_of(data: bytes) -> str | None:
    """How data is compressed, by its begin."""
    return next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), None)


def without_ending(name: str) -> tuple[str, str | None]:
    """A file's name without the ending of a compressed one, and how it is compressed."""
    for ending, kind in ENDINGS.items():
        if name.lower().endswith(ending):
            return name[: -len(ending)], kind
    return name, None


# ---------------------------------------------------------------------------------------- reading
class Unpacker:
    """What compressed data holds, read in pieces of bounded size; several parts are one."""

    def __init__(self, kind: str, name: str, begin: bytes, read: Callable[[int], bytes]) -> None:
        self._kind = kind
        self._name = name
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
        return TableError(f"cannot be read as {self._kind}: damaged", self._name)


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


# ---------------------------------------------------------------------------------------- writing
class Packed(Output):
    """An output whose bytes are compressed on the way."""

    def __init__(self, target: Output, kind: str) -> None:
        super().__init__(target.output, -1)
        self._file = _packer(kind, _Sink(target))

    def write(self, data: bytes) -> None:
        """Write bytes."""
        self._file.write(data)

    def sink(self) -> BinaryIO:
        """A file object for other libraries to write to."""
        file: BinaryIO = self._file
        return file

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


class _Sink(io.RawIOBase):
    """An output as a file object."""

    def __init__(self, target: Output) -> None:
        super().__init__()
        self._target = target

    def writable(self) -> bool:
        """Whether it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes."""
        self._target.write(bytes(data))
        return len(data)


def _packer(kind: str, sink: Any) -> Any:
    if kind == "gzip":
        import gzip

        return gzip.GzipFile("", "wb", 6, sink, 0)
    if kind == "bzip2":
        import bz2

        return bz2.BZ2File(sink, "wb")
    return require("zstandard").ZstdCompressor().stream_writer(sink, closefd=False)


@contextlib.contextmanager
def packed(target: Output) -> Iterator[Output]:
    """An output, compressed if the ending of its name says so."""
    kind = without_ending(target.output or "")[1]
    if kind is None:
        yield target
        return
    packer = Packed(target, kind)
    yield packer
    packer.close()

"""Compressed tables, written as streams: gzip, bzip2 and Zstandard, by ending."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from dezero_cli.extras import require
from dezero_cli.output import Output
from dezero_cli.reading import without_ending


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

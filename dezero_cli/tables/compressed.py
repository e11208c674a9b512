"""Compressed files, known by their first bytes, read and written in streams."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from dezero_cli import reading
from dezero_cli.extras import require
from dezero_cli.faults import TableError
from dezero_cli.output import Output

ENDINGS = {"gz": "gzip", "zst": "zstd", "bz2": "bzip2"}
"""Endings of compressed files, and what they are compressed with."""

MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
_PIECE = 1 << 17


def kind_of(head: bytes) -> str | None:
    """What a file that begins with `head` is compressed with; None if it is not."""
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def without_ending(name: str) -> tuple[str, str | None]:
    """A file's name without the ending of compressed files, and what that stands for."""
    stem, suffix = os.path.splitext(name)
    kind = ENDINGS.get(suffix[1:].lower())
    return (name, None) if kind is None else (stem, kind)


def begin(kind: str, head: bytes) -> bytes:
    """The first bytes of what is compressed in a file that begins with `head`, as far as known."""
    with contextlib.suppress(OSError, EOFError, ValueError):
        return _INNER[kind](_Begun(head, lambda _: b""))(16)
    return b""


# ---------------------------------------------------------------------------------------- reading
class Source:
    """The bytes of a name, out of their compression if they are compressed.

    `taken` is how many bytes of the file or pipe were read.  Raises TableError for damaged data.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken = 0
        self._source = reading.opened(name)
        self._mark = self._source.mark()
        self._ahead = b""
        while len(self._ahead) < 4 and (more := self._raw(_PIECE)):
            self._ahead += more
        self.kind = kind_of(self._ahead)
        self._inner: _Inner | None = None
        if self.kind:
            data, self._ahead = self._ahead, b""
            self._inner = _INNER[self.kind](_Begun(data, self._raw))

    def _raw(self, most: int) -> bytes:
        data = self._source.read(most)
        self.taken += len(data)
        return data

    def fileno(self) -> int:
        """The descriptor that the bytes come from."""
        return self._source.fileno()

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for bytes or their end; give whether there is something to read."""
        return bool(self._ahead) or self._inner is not None or self._source.wait(seconds)

    def read(self, most: int) -> bytes:
        """Up to `most` bytes, as soon as there are any; none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:most], self._ahead[most:]
            return data
        if self._inner is None:
            data = self._raw(most)
        else:
            try:
                data = self._inner(most)
            except (OSError, EOFError, ValueError) as fault:
                if isinstance(fault, OSError) and fault.errno is not None:
                    raise
                cut = isinstance(fault, EOFError)
                how = "ends too early" if cut else "is damaged"
                raise TableError(f"its {self.kind} data {how}", self.name) from None
        if not data:
            self.check()
        return data

    def check(self) -> None:
        """Raise TableError if the file has changed since it was opened."""
        if self._mark != self._source.mark():
            raise TableError("changed while it was read", self.name)

    def close(self) -> None:
        """Close what was opened."""
        self._source.close()


_Inner = Callable[[int], bytes]


class _Begun:
    """A source of bytes of which the first have been read."""

    def __init__(self, data: bytes, more: Callable[[int], bytes]) -> None:
        self._data = data
        self._more = more

    def read(self, most: int = _PIECE) -> bytes:
        """The next bytes."""
        data, self._data = self._data, b""
        return data or self._more(most)


def _gzip(source: _Begun) -> _Inner:
    import gzip

    file: Any = _Whole(source)
    return gzip.GzipFile(fileobj=file).read1


class _Whole:
    """A source that gives as many bytes as it is asked for, as the `gzip` module wants it."""

    def __init__(self, source: _Begun) -> None:
        self._source = source
        self._rest = b""

    def read(self, most: int) -> bytes:
        """The next `most` bytes, fewer at the end."""
        while len(self._rest) < most and (more := self._source.read()):
            self._rest += more
        data, self._rest = self._rest[:most], self._rest[most:]
        return data


def _bzip2(source: _Begun) -> _Inner:
    import bz2

    file: Any = _Whole(source)
    return bz2.BZ2File(file).read1


def _zstd(source: _Begun) -> _Inner:
    zstandard = require("zstandard")
    reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)

    def read(most: int) -> bytes:
        try:
            return bytes(reader.read(most))
        except zstandard.ZstdError as fault:
            raise ValueError(str(fault)) from None

    return read


_INNER: dict[str, Callable[[_Begun], _Inner]] = {"gzip": _gzip, "bzip2": _bzip2, "zstd": _zstd}


# ---------------------------------------------------------------------------------------- writing
class Compressing(Output):
    """An output that writes to another one, compressed."""

    def __init__(self, target: Output, kind: str) -> None:
        super().__init__(target.output, -1)
        self._target = target
        self._compressor = _COMPRESSORS[kind]()

    def write(self, data: bytes) -> None:
        """Write bytes, which may reach the file later."""
        self._target.write(self._compressor.compress(data))

    def finish(self) -> None:
        """Write what has not reached the file yet."""
        self._target.write(self._compressor.flush())


@contextlib.contextmanager
def compressing(target: Output, kind: str | None) -> Iterator[Output]:
    """An output for what is to be compressed, or the target itself."""
    if kind is None:
        yield target
        return
    inner = Compressing(target, kind)
    yield inner
    inner.finish()


def _new_gzip() -> Any:
    import zlib

    return zlib.compressobj(6, zlib.DEFLATED, 31)


def _new_bzip2() -> Any:
    import bz2

    return bz2.BZ2Compressor()


def _new_zstd() -> Any:
    return require("zstandard").ZstdCompressor().compressobj()


_COMPRESSORS: dict[str, Callable[[], Any]] = {
    "gzip": _new_gzip,
    "bzip2": _new_bzip2,
    "zstd": _new_zstd,
}

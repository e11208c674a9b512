"""Where results are written: a file that is renamed once it is complete, or a stream."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, BinaryIO

from dezero_cli.faults import FileError

SUFFIX = ".part"
"""The ending of the name of a file that is not complete."""


class Output:
    """An open file, pipe or device; `output` is its name to the user, None for standard output."""

    def __init__(self, output: str | None, descriptor: int) -> None:
        self.output = output
        self._descriptor = descriptor
        self._writing = self._interrupted = False

    def sink(self) -> BinaryIO:
        """A file object for other libraries to write to.

        They get no path: a late thread would create the file again after it has been removed.
        """
        return open(self._descriptor, "wb", closefd=False)

    def write(self, data: bytes) -> None:
        """Write lines; on Ctrl-C, only the rest of a line that has been started."""
        view, place, end = memoryview(data), 0, len(data)
        self._writing = True
        try:
            while place < end:
                try:
                    place += os.write(self._descriptor, view[place:end])
                except BlockingIOError:  # another program has made the pipe non-blocking
                    select.select([], [self._descriptor], [])
                if self._interrupted:
                    end = data.find(b"\n", place - 1) + 1 if place else 0
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.output) from None
        finally:
            self._writing = False
        if self._interrupted:
            raise KeyboardInterrupt

    def interrupt(self, *_: object) -> None:
        """Ctrl-C: stop at once, unless a line is being written; the second time, at once."""
        if self._writing and not self._interrupted:
            self._interrupted = True
        else:
            raise KeyboardInterrupt


@contextlib.contextmanager
def open_output(output: str | None) -> Iterator[Output]:
    """Open what `output` names; ``-`` and None are standard output.

    A regular file appears, or changes, only after the block has ended without an exception; a
    signal that asks the program to end becomes one.  Raises FileError for a directory, and for a
    file in a directory that does not exist.
    """
    if output is None or output == "-":
        sys.stdout.flush()
        target = Output(None, sys.stdout.fileno())
        with signals(target.interrupt):
            yield target
    elif os.path.exists(output) and not os.path.isfile(output):
        if os.path.isdir(output):
            raise FileError(output, "is a directory")
        descriptor = os.open(output, os.O_WRONLY)
        with signals(), os.fdopen(descriptor, "wb"):
            yield Output(output, descriptor)
    else:
        with signals(), _new_file(output) as descriptor:
            yield Output(output, descriptor)


@contextlib.contextmanager
def _new_file(output: str) -> Iterator[int]:
    """A new file in the folder of `output`, renamed to it at the end if all went well."""
    final = os.path.realpath(output)
    folder, name = os.path.split(final)
    if not os.path.isdir(folder):
        raise FileError(output, "no such directory")
    path = os.path.join(folder, f".{_begin(name)}.{os.urandom(4).hex()}{SUFFIX}")
    try:
        with _named(output):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb"):
            with contextlib.suppress(OSError):  # no such file yet, or someone else's
                _like(os.stat(final), descriptor)
            yield descriptor
        with _named(output):
            os.replace(path, final)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _begin(name: str) -> str:
    """As much of a file's name as leaves room for more: a name has 255 bytes at most."""
    return os.fsencode(name)[:200].decode("utf-8", "ignore")


@contextlib.contextmanager
def _named(output: str) -> Iterator[None]:
    """Say what went wrong with a file under the name that the user knows."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, output) from None


def _like(old: os.stat_result, descriptor: int) -> None:
    """Give a new file the owner and the permissions of the old one; it runs as nobody else."""
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(OSError):  # root alone may
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & ~(stat.S_ISUID | stat.S_ISGID))


@contextlib.contextmanager
def signals(interrupt: Callable[..., Any] | None = None) -> Iterator[None]:
    """In this block, a signal that asks the program to end raises SystemExit.

    Ctrl-C calls `interrupt`, or raises KeyboardInterrupt.  Outside the main thread nothing changes.
    """
    wanted: dict[signal.Signals, Callable[..., Any]] = {
        signal.SIGTERM: _end,
        signal.SIGHUP: _end,
        signal.SIGINT: interrupt or signal.default_int_handler,
    }
    before: dict[signal.Signals, Any] = {}
    with contextlib.suppress(ValueError):  # only the main thread may
        for number, handler in wanted.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    """End with the status of a program that this signal has ended, after cleaning up."""
    raise SystemExit(128 + number)

"""Tables of columns laid to rest: streams as files that can be read twice, and that nobody cuts."""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dezero_cli import reading
from dezero_cli.faults import TableError
from dezero_cli.tables import sources
from dezero_cli.tables.files import TEXT, Tables

ON_LINUX = os.path.isdir("/proc/self/fd")


class Resting:
    """Tables, those of which that pass are copied to temporary files for as long as this lives.

    `tables` has the names under which they can be read.
    """

    def __init__(self, tables: Tables) -> None:
        self._copies: list[Any] = []
        self._original: dict[str | None, str] = {}
        names = [self._laid(name) if _is_moving(name, tables) else name for name in tables.names]
        self.tables = replace(tables, names=tuple(names))

    def _laid(self, name: str) -> str:
        """The name of a copy."""
        copy = _nameless()
        self._copies.append(copy)
        weakref.finalize(self, copy.close)
        with contextlib.closing(sources.table_source(name)) as source:
            while data := source.read(1 << 20):
                copy.write(data)
        copy.flush()
        laid = f"/proc/self/fd/{copy.fileno()}" if ON_LINUX else str(copy.name)
        self._original[laid] = name
        return laid

    def close(self) -> None:
        """Remove the copies."""
        for copy in self._copies:
            copy.close()

    @contextlib.contextmanager
    def named(self) -> Iterator[Tables]:
        """The tables; a fault in one is told under the name it was given by."""
        try:
            yield self.tables
        except TableError as fault:
            name = self._original.get(fault.source, fault.source)
            raise TableError(fault.message, name, fault.row, fault.column) from None


@contextlib.contextmanager
def at_rest(tables: Tables) -> Iterator[Tables]:
    """The tables as files that can be read twice."""
    with contextlib.closing(Resting(tables)) as resting, resting.named() as laid:
        yield laid


def _is_moving(name: str, tables: Tables) -> bool:
    """Whether a table has to be copied: Arrow's files, which would be mapped, and packed ones.

    A mapped file that another program cuts ends this one with a signal.
    """
    if reading.is_stream(name) or tables.format == "arrow":
        return True
    if tables.format in TEXT:
        return False
    with open(name, "rb") as file:
        return reading.kind_of(file.read(reading.LONGEST_MAGIC)) is not None


def _nameless() -> Any:
    """A temporary file that is gone with the process, whatever ends it, where that can be."""
    return tempfile.TemporaryFile() if ON_LINUX else tempfile.NamedTemporaryFile(prefix="dezero-")

"""Blocks of numbers in a temporary file, for passes over more rows than memory is to hold."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator, Mapping

import numpy as np


class Spool:
    """Blocks of float64 columns, which are read back one at a time and in their order.

    The file has no name, and is gone with the process.  `add` raises OSError where the disk is
    full.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, open for as long as the spool is used
        weakref.finalize(self, self._file.close)
        self._names: list[str] = []
        self._rows: list[int] = []

    def add(self, block: Mapping[str, np.ndarray]) -> None:
        """Write a block after the others, all of which have the same columns."""
        self._names = list(block)
        self._file.seek(0, 2)
        for column in block.values():
            self._file.write(np.ascontiguousarray(column, np.float64).data)
        self._file.flush()
        self._rows.append(len(column))

    def blocks(self) -> Iterator[dict[str, np.ndarray]]:
        """The blocks from the first on."""
        place = 0
        for rows in self._rows:
            numbers = np.empty((len(self._names), rows))
            self._file.seek(place)
            self._file.readinto(numbers.data)
            place += numbers.nbytes
            yield dict(zip(self._names, numbers, strict=True))

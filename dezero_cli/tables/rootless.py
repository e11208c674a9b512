"""Rows of `--solve` without a root: how many, and which is the first."""

from __future__ import annotations

import threading

import numpy as np

from dezero_cli.tables.step import Step


class Rootless:
    """Counts the rows of a table in which an equation has numbers, but no root."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self.count = 0
        self.first: int | None = None
        self._lock = threading.Lock()

    def rows(self, arrays: dict[str, np.ndarray], results: list[np.ndarray]) -> np.ndarray:
        """The rows of a block that have none, in order."""
        if not self._step.solves:
            return np.zeros(0, np.intp)
        none = np.isnan(results[0])
        for column in self._step.columns:
            none &= ~np.isnan(arrays[column])
        return np.flatnonzero(none)

    def add(self, rows: np.ndarray, before: int | None = None) -> None:
        """Add those of a block that `before` rows come before; None where blocks have no order."""
        if rows.size:
            with self._lock:
                self.count += rows.size
                if self.first is None and before is not None:
                    self.first = before + int(rows[0]) + 1

    @property
    def notes(self) -> list[str]:
        """What the user is to be told."""
        if not self.count:
            return []
        rows = "1 row has" if self.count == 1 else f"{self.count:,} rows have"
        of = "it is" if self.count == 1 else "the first of them"
        place = f", {of} row {self.first}" if self.first else ""
        return [f"note: {rows} no root in the bracket{place}"]

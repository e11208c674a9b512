"""How far a long run is, on a terminal."""

from __future__ import annotations

import sys
import time


class Progress:
    """A line on standard error, written over again and again: share, rows done, rate.

    `total` counts what `add` is given as `amount`, bytes or rows; where it is 0 nothing is shown.
    """

    INTERVAL = 0.2

    def __init__(self, total: int) -> None:
        self.total = total
        self.rows = self._amount = 0
        self.begun = False
        self._start = self._shown = time.monotonic()
        self._wanted = total > 0 and sys.stderr.isatty()

    def add(self, rows: int, amount: int) -> None:
        """More has been done."""
        self.begun = True
        self.rows += rows
        self._amount += amount

    def show(self) -> None:
        """Show how far it is, unless that has just been done."""
        now = time.monotonic()
        if not self._wanted or now - self._shown < self.INTERVAL:
            return
        self._shown = now
        share = min(self._amount / self.total, 1.0) if self.total else 0.0
        rate = self.rows / (now - self._start)
        sys.stderr.write(f"\r\033[Kmap {share:4.0%}  {self.rows:,} rows  {rate:,.0f} rows/s")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._wanted and self._shown != self._start:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

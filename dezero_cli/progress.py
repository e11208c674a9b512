"""How far a long run is, on a terminal."""

from __future__ import annotations

import sys
import time


class Progress:
    """A line on standard error, written over again and again: share, how many are done, rate.

    `label` names the command, `what` what it counts (rows, lines); `total` counts what `add` is
    given as `amount`, such as bytes.  Where `total` is 0 nothing is shown.
    """

    INTERVAL = 0.2

    def __init__(self, total: int, label: str = "map", what: str = "rows") -> None:
        self.total = total
        self.label = label
        self.what = what
        self.count = self._amount = 0
        self.begun = False
        self._start = self._shown = time.monotonic()
        self._wanted = total > 0 and sys.stderr.isatty()

    def add(self, count: int, amount: int) -> None:
        """More has been done."""
        self.begun = True
        self.count += count
        self._amount += amount

    def show(self) -> None:
        """Show how far it is, unless that has just been done."""
        now = time.monotonic()
        if not self._wanted or now - self._shown < self.INTERVAL:
            return
        self._shown = now
        share = min(self._amount / self.total, 1.0) if self.total else 0.0
        rate = self.count / (now - self._start)
        sys.stderr.write(
            f"\r\033[K{self.label} {share:4.0%}  {self.count:,} {self.what}  "
            f"{rate:,.0f} {self.what}/s"
        )
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._wanted and self._shown != self._start:
            self._shown = self._start
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

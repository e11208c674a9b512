"""The progress of a long run, on a terminal."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """A line on standard error that is overwritten as work goes on: percentage, count, rate.

    `label` names the command, `what` is what it counts (rows, lines); `total` is the sum of all
    the `amount` that `add` will be given, such as bytes.  If `total` is 0, nothing is shown.
    `notes` are what the user is to be told once the work is done.
    """

    INTERVAL = 0.2

    def __init__(self, total: int, label: str = "map", what: str = "rows") -> None:
        self.total = total
        self.label = label
        self.what = what
        self.count = self._amount = self._checked = 0
        self.begun = False
        self.notes: list[str] = []
        self.stream: TextIO | None = None
        self._start = self._shown = time.monotonic()
        self._wanted = total > 0 and sys.stderr.isatty()

    @property
    def _stream(self) -> TextIO:
        """Where it is shown: standard error, or what stands for it for a while."""
        return self.stream or sys.stderr

    def add(self, count: int, amount: int) -> None:
        """Add work that has been done."""
        if self._checked and not self.begun:
            self._start = time.monotonic()  # the first pass does not count for the rate
        self.begun = True
        self.count += count
        self._amount += amount

    def check(self, count: int) -> None:
        """Add what a first pass has looked at, before the work begins."""
        self._checked += count

    def show(self) -> None:
        """Show the progress, unless it was shown a moment ago."""
        now = time.monotonic()
        if not self._wanted or now - self._shown < self.INTERVAL:
            return
        self._shown = now
        share = min(self._amount / self.total, 1.0) if self.total else 0.0
        rate = self.count / (now - self._start)
        said = f"{share:4.0%}  {self.count:,} {self.what}  {rate:,.0f} {self.what}/s"
        if self._checked and not self.begun:
            said = f"first pass: {self._checked:,} {self.what}"
        self._stream.write(f"\r\033[K{self.label} {said}")
        self._stream.flush()

    def clear(self) -> None:
        """Clear the line."""
        if self._wanted and self._shown != self._start:
            self._shown = self._start
            self._stream.write("\r\033[K")
            self._stream.flush()

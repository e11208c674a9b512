"""Ranges that a user types: ``x=-3:3``, ``t=0:2*pi:100``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.language.values import split, value


@dataclass(frozen=True)
class Range:
    """The range of a name: from `start` to `stop`, both finite, with `count` samples if given."""

    name: str
    start: float
    stop: float
    count: int | None

    def places(self, count: int) -> np.ndarray:
        """Evenly spaced samples, ends included; `count` of them unless the user gave a COUNT."""
        return np.linspace(self.start, self.stop, self.count or count)


def is_range(word: str) -> bool:
    """Whether NAME=VALUE is NAME=START:STOP, not a list or a file."""
    text = word[word.index("=") + 1 :].lstrip()
    return ":" in text and not text.startswith(("@", "[", "{", '"'))


def span(word: str) -> Range:
    """The range that NAME=START:STOP or NAME=START:STOP:COUNT means.

    Raises ValuesError for a range that is empty, not finite or finer than a float64.
    """
    name, text = split(word)
    parts = [part.strip() for part in text.split(":")]
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise ValuesError(
            f"{name}={text}: a range must be START:STOP or START:STOP:COUNT, as in -3:3"
        )
    numbers = [value(name, part, files=False) for part in parts]
    if any(number.ndim for number in numbers):
        raise ValuesError(f"{name}={text}: the ends of a range must be numbers")
    start, stop, *counts = (float(number) for number in numbers)
    width, size = stop - start, max(abs(start), abs(stop))
    if not size <= 1e100:
        raise ValuesError(
            f"{name}={text}: the ends of a range must be finite, at most 1e100 in size"
        )
    if width <= 0:
        hint = f": write {name}={parts[1]}:{parts[0]}" if width < 0 else ""
        raise ValuesError(f"{name}={text}: the range is empty{hint}")
    if width < max(1e-9 * size, 1e-100):
        raise ValuesError(f"{name}={text}: the range is too narrow to draw")
    if counts and not (counts[0].is_integer() and 2 <= counts[0] <= 1_000_000):
        raise ValuesError(
            f"{name}={text}: COUNT must be a whole number of samples, from 2 to 1,000,000"
        )
    return Range(name, start, stop, int(counts[0]) if counts else None)

"""Ranges that a user types: ``x=-3:3``, ``t=0:2*pi:100``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dezero.work import spend
from dezero_cli.faults import ValuesError
from dezero_cli.language.parser import tokens
from dezero_cli.language.spelling import quoted, typed
from dezero_cli.language.values import value

MOST_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Range:
    """The range of a name: from `start` to `stop`, both finite, with `count` samples if given."""

    name: str
    start: float
    stop: float
    count: int | None

    def places(self, count: int, log: bool = False) -> np.ndarray:
        """Evenly spaced samples, ends included; `count` of them unless the user gave a COUNT.

        With `log` their logarithms are evenly spaced.  Raises ValuesError where these are none.
        """
        if not log:
            return np.linspace(self.start, self.stop, self.count or count)
        if self.start <= 0:
            shown = f"{self.name}={self.start:g}:{self.stop:g}"
            raise ValuesError(f"{shown}: a logarithmic axis needs a range above 0")
        return np.geomspace(self.start, self.stop, self.count or count)


def parts(text: str) -> list[str] | None:
    """START, STOP and perhaps COUNT of a text; None if it is not a range.

    A colon in brackets, one that belongs to a ``?``, or one of ``@FILE:COLUMN`` is another matter.
    """
    if ":" not in text or text.startswith("@"):
        return None
    depth = choices = begin = 0
    found = []
    for kind, token, place in tokens(text):
        depth += (token in _OPENING) - (token in _CLOSING)
        choices += kind == "?"
        if kind != ":" or depth:
            continue
        if choices:
            choices -= 1
            continue
        found.append(text[begin:place].strip())
        begin = place + 1
    return [*found, text[begin:].strip()] if found else None


_OPENING, _CLOSING = {"(", "["}, {")", "]"}


def samples(name: str, text: str) -> np.ndarray:
    """The numbers of START:STOP:COUNT, evenly spaced, ends included."""
    found = parts(text) or []
    if len(found) != 3 or not all(found):
        raise ValuesError(f"{name}={text}: a range needs START:STOP:COUNT here, as in 0:1:11")
    start, stop, count = (value(name, part, files=False) for part in found)
    if start.ndim or stop.ndim or not np.isfinite([start, stop]).all():
        raise ValuesError(f"{name}={text}: the ends of a range must be finite numbers")
    number = _count(name, text, count)
    spend(number)
    return np.linspace(float(start), float(stop), number)


def _count(name: str, text: str, count: np.ndarray) -> int:
    if count.ndim or not (float(count).is_integer() and 2 <= count <= MOST_SAMPLES):
        raise ValuesError(
            f"{name}={text}: COUNT must be a whole number of samples, from 2 to {MOST_SAMPLES:,}"
        )
    return int(count)


def span(name: str, text: str) -> Range:
    """The range that NAME=START:STOP or NAME=START:STOP:COUNT means.

    Raises ValuesError for a range that is empty, not finite or finer than a float64.
    """
    found = parts(text) or []
    if not 2 <= len(found) <= 3 or not all(found):
        raise ValuesError(
            f"{name}={text}: a range must be START:STOP or START:STOP:COUNT, as in -3:3"
        )
    numbers = [value(name, part, files=False) for part in found]
    if any(number.ndim for number in numbers):
        raise ValuesError(f"{name}={text}: the ends of a range must be numbers")
    start, stop, *counts = (float(number) for number in numbers)
    width, size = stop - start, max(abs(start), abs(stop))
    if not size <= 1e100:
        raise ValuesError(
            f"{name}={text}: the ends of a range must be finite, at most 1e100 in size"
        )
    if width <= 0:
        hint = f": write {name}={found[1]}:{found[0]}" if width < 0 else ""
        raise ValuesError(f"{name}={text}: the range is empty{hint}")
    if width < max(1e-9 * size, 1e-100):
        raise ValuesError(f"{name}={text}: the range is too narrow to draw")
    count = _count(name, text, np.array(counts[0])) if counts else None
    return Range(name, start, stop, count)


class Limits(NamedTuple):
    """Between which numbers a name stays; an end that is open is infinite."""

    low: float
    high: float


def limits(name: str, text: str) -> Limits:
    """What NAME=LO:HI allows; one end may be empty, and is then open.

    Raises ValuesError for ends that are not numbers, and where no number lies between them.
    """
    shown = f"{quoted(name)}={text}"
    found = parts(text) or []
    if len(found) != 2 or not any(found):
        raise ValuesError(f"{shown}: limits must be LO:HI, LO: or :HI, as in 0:1")
    numbers = [value(name, part, files=False) if part else None for part in found]
    if any(number is not None and (number.ndim or math.isnan(number)) for number in numbers):
        raise ValuesError(f"{shown}: the limits must be numbers")
    low, high = (math.nan if number is None else float(number) for number in numbers)
    other, fixed = typed(f"{quoted(name)}={found[1]}:{found[0]}"), f"{quoted(name)}={found[0]}"
    if low > high:
        raise ValuesError(f"{shown}: no number lies between: write {other}")
    if low == high:
        raise ValuesError(f"{shown}: the limits are the same: --fix {typed(fixed)} holds it")
    return Limits(-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)

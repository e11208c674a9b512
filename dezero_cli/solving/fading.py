"""A residual of 0 that is no root: what falls off for ever is 0 once numbers go no further down."""

from __future__ import annotations

import math
from collections.abc import Callable

TINY = 1e-280
"""What a value has fallen to just before numbers end; a root of any order is left farther off."""
FAR = 30
"""Doublings of the size of a point that count as for ever."""


def fades(value: Callable[[float], float]) -> bool:
    """Whether a value that is 0 at 0 only falls off, as exp(-x) does.

    So it is where it stays 0 for ever on one side, while on the other it begins to differ from 0
    by next to nothing.  `value` is a function of the distance, in units of the point's size.
    """
    for way in (1.0, -1.0):
        if _differs(value, way) is None:
            begin = _differs(value, -way)
            if begin is not None and abs(_edge(value, begin)) < TINY:
                return True
    return False


def _differs(value: Callable[[float], float], way: float) -> float | None:
    """A distance at which the value is a number other than 0, if there is one."""
    for k in range(-10, FAR):
        t = way * 2.0**k
        f = value(t)
        if f != 0 and not math.isnan(f):
            return t
    return None


def _edge(value: Callable[[float], float], outside: float) -> float:
    """The last value that is not 0 on the way from `outside` to 0."""
    inside, found = 0.0, value(outside)
    for _ in range(1100):
        middle = inside / 2 + outside / 2
        if middle in (inside, outside):
            break
        f = value(middle)
        if f == 0 or math.isnan(f):
            inside = middle
        else:
            outside, found = middle, f
    return found

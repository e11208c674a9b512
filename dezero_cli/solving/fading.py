"""Zeros that are none: a value that falls off, as exp(-x) does, is exactly 0 far out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dezero_cli.solving.functions import Array

TINY = 1e-280
"""The size below which a value that falls off will soon be rounded to 0."""
BEYOND = (1.0, 2.0**10, 2.0**40, 2.0**100)
"""How far behind a zero the value is looked at, in distances from where it is none."""


def fades(values: Callable[[Array], Array], start: Array, zero: Array) -> bool:
    """Whether values are 0 at `zero` since numbers end there: coming from `start` they are tiny.

    And they stay 0 however far the way goes on.  So x**2 has a root at 0, and max(0, x - 1) at 1,
    but exp(-x) none at 1000.
    """
    way = zero - start
    if not way.any() or not np.any(values(start)):
        return False
    if any(np.any(values(zero + far * way) != 0) for far in BEYOND):
        return False
    near, far = 0.0, 1.0
    for _ in range(1100):
        middle = near + (far - near) / 2
        if middle in (near, far):
            break
        if np.any(values(start + middle * way)):
            near = middle
        else:
            far = middle
    return bool(np.abs(values(start + near * way)).max() <= TINY)

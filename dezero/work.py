"""How much may be done: the numbers that operations make, counted before they are made.

A walk over an expression of numbers is counted as a whole, an operation on arrays from their
shapes.  What takes longer than making its numbers counts for as many as could be made meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager

from dezero.graph import Config, using_config

OPERATION = 32
"""What an operation counts for at least: it takes as long, however few numbers it makes."""


class AllowanceError(ValueError):
    """More would be done than is allowed."""


class Allowance:
    """The numbers that may be made, and those that were."""

    __slots__ = ("most", "used")

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def spend(self, numbers: int) -> None:
        """Count numbers that are to be made; AllowanceError where they are too many."""
        self.used += numbers
        if self.used > self.most:
            raise AllowanceError(f"more than {self.most:,} numbers")


def allowing(most: int | None) -> AbstractContextManager[None]:
    """Inside a ``with`` block operations of this thread may make so many numbers; None: any."""
    return using_config("allowance", None if most is None else Allowance(most))


def spend(numbers: int) -> None:
    """Count numbers that are to be made, where only so many may be; AllowanceError beyond."""
    allowance = Config.allowance
    if allowance is not None:
        allowance.spend(numbers)


def broadcast_size(shapes: Iterable[tuple[int, ...]]) -> int:
    """How many elements arrays of these shapes have together; 0 where they do not fit."""
    different = {shape for shape in shapes if shape}
    if len(different) < 2:
        return math.prod(different.pop()) if different else 1
    sizes = [1] * max(map(len, different))
    for shape in different:
        for i, size in enumerate(reversed(shape)):
            if size != sizes[i]:
                if size != 1 and sizes[i] != 1:
                    return 0
                sizes[i] = max(size, sizes[i]) if size and sizes[i] else 0
    return math.prod(sizes)

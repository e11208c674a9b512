"""Lists of values: an array along a new first axis, with its derivative."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy import float64

from dezero.arrays import Movement
from dezero.graph import ARRAY_FUNCTIONS, CONSTANT, Operand, Variable
from dezero.work import broadcast_size

DEEPEST = 32
"""Axes that an array has at most: NumPy broadcasts no more, and a Hessian has twice as many."""


class Stack(Movement):
    """The operands, broadcast against each other, one after another along a new first axis."""

    def numbers(self, *operands: Operand) -> int:
        """The elements of the array that it makes."""
        return len(operands) * broadcast_size(x.shape for x in operands)

    def forward(self, *xs: Operand) -> Operand:
        if xs and all(type(x) is float64 for x in xs):
            return np.array(xs)
        shapes = [x.shape for x in xs]
        if max(map(len, shapes), default=0) >= DEEPEST:
            raise ValueError(f"an array made of lists has at most {DEEPEST} axes")
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            different = " ".join(map(str, dict.fromkeys(shapes)))
            fault = f"operands could not be broadcast together with shapes {different}"
            raise ValueError(fault) from None
        return np.stack([np.broadcast_to(x, shape) for x in xs])

    def backward(self, *gys: Any) -> tuple[Any, ...]:
        """Each operand's part of the gradient."""
        return tuple(gys[0][i] for i in range(len(self.inputs)))

    def gradients(self, gys: list[Operand], recording: bool) -> list[Operand]:
        """Each operand's part of the gradient, which the engine sums where it was stretched."""
        gy = gys[0]
        return [None if x.generation == CONSTANT else gy[i] for i, x in enumerate(self.inputs)]

    def is_flat(self, i: int) -> bool:
        """Whether an operand never gets a gradient: every one does."""
        return False

    def moved(self, i: int, mask: Operand) -> Operand:
        """An operand's part of a mask."""
        return mask[i]


def stack(values: Iterable[Any]) -> Variable:
    """An array of the values along a new first axis; values of several shapes are broadcast.

    ValueError for no values, for shapes that do not fit together, and for too many axes.
    """
    return Stack()(*values)


def _stack(arrays: Iterable[Any], axis: int = 0) -> Variable:
    return stack(arrays) if axis == 0 else NotImplemented


ARRAY_FUNCTIONS[np.stack] = _stack

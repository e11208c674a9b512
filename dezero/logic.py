"""Logic on numbers: and, or, not.  Truth is 1.0 or 0.0, and flat; only 0 is false.

So nan and negative numbers are true.  All three are said in comparisons, products and maxima, which
every language that a program is written in has already.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero.graph import UFUNCS, Operand, Variable
from dezero.rule import Rule, flat


class And(Rule):
    """1 where neither x0 nor x1 is 0, 0 elsewhere."""

    @staticmethod
    def forward(x0: Operand, x1: Operand) -> Operand:
        return 1.0 * ((x0 != 0.0) * (x1 != 0.0))

    partials = (flat, flat)


class Or(Rule):
    """1 where x0 or x1 is not 0, 0 elsewhere."""

    @staticmethod
    def forward(x0: Operand, x1: Operand) -> Operand:
        return 1.0 * np.maximum(x0 != 0.0, x1 != 0.0)

    partials = (flat, flat)


class Not(Rule):
    """1 where x is 0, 0 elsewhere."""

    @staticmethod
    def forward(x: Operand) -> Operand:
        return 1.0 * (x == 0.0)

    partials = (flat,)


def logical_and(x0: Any, x1: Any) -> Variable:
    """1 where neither value is 0, 0 elsewhere; flat."""
    return And()(x0, x1)


def logical_or(x0: Any, x1: Any) -> Variable:
    """1 where a value is not 0, 0 elsewhere; flat."""
    return Or()(x0, x1)


def logical_not(x: Any) -> Variable:
    """1 where x is 0, 0 elsewhere; flat."""
    return Not()(x)


UFUNCS |= {np.logical_and: logical_and, np.logical_or: logical_or, np.logical_not: logical_not}

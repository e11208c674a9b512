"""The distance of a point from the origin by its coordinates, given one by one, to every order.

`numpy.hypot` for any number of values.  The gradient is the direction, a rule of its own for each
coordinate, whose derivative is said so that nothing cancels: differentiating x/n as a quotient
would, where x is most of the distance n.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from dezero.graph import ARRAY_FUNCTIONS, Operand, Variable, as_variable
from dezero.rule import PLAIN, Partial, Rule, composed, flat
from dezero.work import OPERATION, spend


@composed
def _distance(*xs: Operand) -> Operand:
    return reduce(np.hypot, xs)


@composed
def _component(x: Operand, *others_and_distance: Operand) -> Operand:
    return _over(x, others_and_distance[-1])


def _over(x: Operand, n: Operand) -> Operand:
    return np.where(n == 0.0, 0.0, x / n)


class Distance(Rule):
    """sqrt(x0**2 + x1**2 + ...) without overflow; its gradient at the origin is 0."""

    forward = staticmethod(_distance)

    @property
    def partials(self) -> tuple[Partial, ...]:  # type: ignore[override]
        """Along each coordinate, its component of the direction."""
        return tuple(map(_along, range(len(self.operands))))


class Component(Rule):
    """x over the distance of (x, others...), which is given; 0 at the origin."""

    forward = staticmethod(_component)

    @property
    def partials(self) -> tuple[Partial, ...]:  # type: ignore[override]
        """What is across x, over the distance, and the others' share of that."""
        return (_across, *map(_turned, range(len(self.operands) - 2)), flat)


def _along(i: int) -> Partial:
    def partial(_: Rule, gy: Operand, y: Operand, *xs: Operand) -> Operand:
        if isinstance(y, PLAIN):
            return gy * _over(xs[i], y)
        return gy * component(xs[i], *xs[:i], *xs[i + 1 :], y)

    return partial


def _across(_: Rule, gy: Operand, y: Operand, x: Operand, *others_and_distance: Operand) -> Operand:
    n = others_and_distance[-1]
    spend(OPERATION * len(others_and_distance))
    units = [_unit(i, x, others_and_distance) for i in range(len(others_and_distance) - 1)]
    scaled = [np.square(unit / np.sqrt(n)) for unit in units]
    return gy * np.where(n == 0.0, 0.0, reduce(np.add, scaled))


def _turned(i: int) -> Partial:
    def partial(_: Rule, gy: Operand, y: Operand, x: Operand, *rest: Operand) -> Operand:
        n = rest[-1]
        return gy * np.where(n == 0.0, 0.0, -y * _unit(i, x, rest) / n)

    return partial


def _unit(i: int, x: Operand, rest: tuple[Operand, ...]) -> Operand:
    """The component of one of the others, which come before their distance."""
    if isinstance(rest[-1], PLAIN):
        return _over(rest[i], rest[-1])
    return component(rest[i], x, *rest[:i], *rest[i + 1 :])


def component(*operands: Operand) -> Operand:
    """x over the distance of all coordinates: x, the other coordinates, and their distance."""
    if any(isinstance(x, Variable) for x in operands):
        return Component()(*operands)
    return _component(*operands)


def distance(*xs: Any) -> Variable:
    """The square root of the sum of the squares of one value or more, element by element."""
    if len(xs) > 2:
        spend(len(xs) ** 2)  # each coordinate's gradient knows all the others
        return Distance()(*xs)
    return as_variable(np.hypot(*xs) if len(xs) == 2 else np.absolute(*xs))


ARRAY_FUNCTIONS |= {_distance: distance, _component: component}

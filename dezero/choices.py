"""Choices and kinks: absolute values, extremes, bounds, conditions and comparisons."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from dezero.graph import ARRAY_FUNCTIONS, CONSTANT, UFUNCS, Operand, Variable, as_operand
from dezero.names import RELATIONS, Relation
from dezero.rows import binary, kept, nothing, tied, unary
from dezero.rule import Rule, composed, flat
from dezero.sweep import chosen
from dezero.trigonometry import radial
from dezero.work import OPERATION, spend

abs = unary(
    np.absolute,
    "Absolute value; its derivative at 0 is 0.",
    lambda _, gy, y, x: radial(gy, y, x, np.sign),
    name="abs",
)
minimum = binary(
    np.minimum,
    "The smaller of two values; a tie shares the gradient in halves.",
    lambda _, gy, y, x0, x1: kept((x0 > x1) == 0.0, tied(x0 < x1, gy, y)),
    lambda _, gy, y, x0, x1: kept((x1 > x0) == 0.0, tied(x1 < x0, gy, y)),
    choices=(lambda x0, x1: (x0 > x1) == 0.0, lambda x0, x1: (x1 > x0) == 0.0),
)
maximum = binary(
    np.maximum,
    "The larger of two values; a tie shares the gradient in halves.",
    lambda _, gy, y, x0, x1: kept((x0 < x1) == 0.0, tied(x0 > x1, gy, y)),
    lambda _, gy, y, x0, x1: kept((x1 < x0) == 0.0, tied(x1 > x0, gy, y)),
    choices=(lambda x0, x1: (x0 < x1) == 0.0, lambda x0, x1: (x1 < x0) == 0.0),
)


@composed
def _clip(x: Operand, low: Operand, high: Operand) -> Operand:
    return np.minimum(np.maximum(x, low), high)


class Clip(Rule):
    """x between bounds that are numbers; at a bound the gradient is 0."""

    forward = staticmethod(_clip)
    choices = (
        lambda x, low, high: ((x <= low) + (x >= high)) == 0.0,
        lambda x, low, high: (x < low) * (low < high),
        lambda x, low, high: np.maximum(x, low) > high,
    )
    partials = (
        lambda self, gy, y, x, low, high: kept(Clip.choices[0](x, low, high), gy + nothing(y)),
        lambda self, gy, y, x, low, high: kept(Clip.choices[1](x, low, high), gy),
        lambda self, gy, y, x, low, high: kept(Clip.choices[2](x, low, high), gy),
    )
    selects = True


def clip(x: Any, low: Any, high: Any, inputs: tuple[bool, bool] | None = None) -> Variable:
    """min(max(x, low), high); at a bound that is a plain number the gradient for x is 0.

    At a bound that is an input the gradient is shared in halves, as that of `max` and `min` is.
    `inputs` says of either bound whether it is one (default: whether it takes a gradient).
    """
    if inputs is None:
        low_varies, high_varies = map(_takes_gradient, (low, high))
    else:
        low_varies, high_varies = inputs
    if low_varies:
        inner = maximum(x, low)
        return minimum(inner, high) if high_varies else Clip()(inner, -np.inf, high)
    if high_varies:
        return minimum(Clip()(x, low, np.inf), high)
    return Clip()(x, low, high)


def _takes_gradient(x: Any) -> bool:
    return isinstance(x, Variable) and x.generation != CONSTANT


class Where(Rule):
    """Elements of x0 where the condition is not zero, of x1 elsewhere."""

    forward = staticmethod(np.where)
    partials = (
        flat,
        lambda self, gy, y, condition, x0, x1: np.where(condition, gy, 0.0),
        lambda self, gy, y, condition, x0, x1: np.where(condition, 0.0, gy),
    )
    selects = True
    choices = (
        None,
        lambda condition, x0, x1: condition,
        lambda condition, x0, x1: condition == 0.0,
    )


def where(condition: Any, x0: Any, x1: Any) -> Variable:
    """x where the condition is not zero, y elsewhere; the branch not taken leaks no nan."""
    return Where()(condition, x0, x1)


@composed
def _relu(x: Operand) -> Operand:
    return np.maximum(x, 0.0)


relu = unary(
    _relu,
    "max(x, 0); its derivative at 0 is 0.",
    lambda _, gy, y, x: kept((x <= 0) == 0.0, gy + nothing(y)),
    choices=(lambda x: (x <= 0) == 0.0,),
)


# ------------------------------------------------------------------------------------ comparisons
def _comparison(relation: Relation) -> Callable[[Any, Any], Variable]:
    compare = relation.operator

    def forward(x0: Operand, x1: Operand) -> Operand:
        return 1.0 * compare(x0, x1)

    forward.__name__ = relation.ufunc.__name__
    sentence = f"1 where x0 {relation.symbol} x1, 0 elsewhere; flat."
    function = UFUNCS[relation.ufunc] = binary(forward, sentence, flat, flat)
    return function


less, less_equal, greater, greater_equal, equal, not_equal = map(_comparison, RELATIONS)

# Elementwise comparison replaces identity in ==, as it does for ndarray; Variables still hash by
# identity, so they serve as keys.
Variable.__lt__ = less
Variable.__le__ = less_equal
Variable.__gt__ = greater
Variable.__ge__ = greater_equal
Variable.__eq__ = equal  # type: ignore[method-assign, assignment]
Variable.__ne__ = not_equal  # type: ignore[method-assign, assignment]

ARRAY_FUNCTIONS |= {np.where: where, np.clip: clip, _clip: clip}


# ----------------------------------------------------------------------------- of several values
class Several(Rule):
    """The smallest or the largest of several values; those that tie share the gradient equally.

    What the gradients have in common is computed once, not once for each value.
    """

    __slots__ = ()
    selects = True
    ufunc: np.ufunc
    beyond: np.ufunc

    def forward(self, *xs: Operand) -> Operand:
        return reduce(self.ufunc, xs)

    def attains(self, x: Operand, y: Operand) -> Operand:
        """Where a value is the output; of nan too."""
        return self.beyond(x, y) == 0.0

    def backward(self, *gys: Any) -> tuple[Any, ...]:
        """Every value's share of the output's gradient."""
        return tuple(self.shares(gys[0], self.forward(*self.operands), self.operands))

    def gradients(self, gys: list[Operand], recording: bool) -> list[Operand]:
        """The share of each value that takes a gradient."""
        y: Any = self.outputs[0]()
        shares = (
            self.shares(gys[0], y, self.inputs)
            if recording
            else self.shares(gys[0], y._data, self.operands)
        )
        pairs = zip(self.inputs, shares, strict=True)
        return [None if x.generation == CONSTANT else gx for x, gx in pairs]

    def shares(self, gy: Operand, y: Operand, xs: Sequence[Operand]) -> list[Operand]:
        """The output's gradient over the number of values that attain it, where they do."""
        spend(OPERATION * len(xs))
        ties = reduce(operator.add, [1.0 * self.attains(x, y) for x in xs])
        share = gy / ties + nothing(y)
        return [kept(self.attains(x, y), share) for x in xs]

    def is_flat(self, i: int) -> bool:
        """Whether a value never gets a gradient: every one does."""
        return False

    def taken(self, i: int, shape: tuple[int, ...], outer: Operand) -> Operand:
        """The elements of a value that are the output."""
        y = self.outputs[0]()
        value = self.forward(*self.operands) if y is None else as_operand(y)
        return chosen(self, i, self.attains(self.operands[i], value), shape, outer)


class Least(Several):
    """The smallest of several values."""

    ufunc, beyond = np.minimum, np.greater


class Greatest(Several):
    """The largest of several values."""

    ufunc, beyond = np.maximum, np.less


def least(*values: Any) -> Variable:
    """The smallest of several values; those that tie share the gradient equally."""
    return Least()(*values)


def greatest(*values: Any) -> Variable:
    """The largest of several values; those that tie share the gradient equally."""
    return Greatest()(*values)


def total(*values: Any) -> Variable:
    """The sum of several values, from left to right."""
    return reduce(operator.add, values)  # type: ignore[no-any-return]


def product(*values: Any) -> Variable:
    """The product of several values, from left to right."""
    return reduce(operator.mul, values)  # type: ignore[no-any-return]


def average(*values: Any) -> Variable:
    """The mean of several values."""
    return total(*values) / float(len(values))

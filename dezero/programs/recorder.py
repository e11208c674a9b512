"""The values of a trace, each recorded once, and the rewrites that change no bit of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from dezero.names import RELATIONS

Instruction = tuple[Callable[..., Any], tuple[int, ...]]
"""An operation and the numbers of the values that it is applied to.

The operation is a NumPy ufunc, ``numpy.where``, or the forward of a rule that is made of several
of those (see `dezero.rule.composed`), which `Program.lowered` writes out.
"""


class TraceError(TypeError):
    """An operation that a program of columns cannot hold; the message names it."""


class SizeError(Exception):
    """A program that would have more operations than were allowed."""


class Recorder:
    """The values of a trace: the same operation on the same operands is one value."""

    def __init__(self, inputs: Sequence[str], most: int | None = None) -> None:
        self.inputs = tuple(inputs)
        self.most = most
        self.values: list[Any] = list(inputs)  # a name, a float, or an Instruction
        self.numbers: dict[Any, int] = {}
        self.truths: set[int] = set()  # values that are 1.0 or 0.0 in every row

    def constant(self, number: float) -> int:
        """The number of a constant's value."""
        return self._number(float(number).hex(), float(number))

    def nothing(self) -> int:
        """The number of the 0.0 that nothing was sent to: what is added to it stays as it is.

        So -0.0 stays too, and to add up arrays that have an element each takes no operation.
        """
        return self._number("nothing", 0.0)

    def _number(self, key: Any, value: Any) -> int:
        known = self.numbers.get(key)
        if known is None:
            known = self.numbers[key] = len(self.values)
            self.values.append(value)
            if self.most is not None and known > self.most:
                raise SizeError(f"more than {self.most:,} operations")
            if self._is_truth(value):
                self.truths.add(known)
        return known

    def _is_truth(self, value: Any) -> bool:
        """Whether a value is 1.0 or 0.0 whatever the inputs are: a comparison, or made of such."""
        if not isinstance(value, tuple):
            return value in {0.0, 1.0} and math.copysign(1.0, value) > 0
        function, operands = value
        if function in _COMPARISONS:
            return True
        parts = operands[1:] if function is np.where else operands
        return function in _OF_TRUTHS and self.truths.issuperset(parts)

    def apply(self, function: Callable[..., Any], *operands: int) -> int:
        """The number of `function` applied to values, after every exact rewrite."""
        nothing = self.numbers.get("nothing")
        if nothing in operands and function is np.add:
            return operands[0] if operands[1] == nothing else operands[1]
        values = [self.values[i] for i in operands]
        if all(isinstance(value, float) for value in values):
            with np.errstate(all="ignore"):
                return self.constant(float(function(*map(np.float64, values))))
        rewrite = _REWRITES.get(function)
        if rewrite is not None:
            known = rewrite(self, *operands)
            if known is not None:
                return known
        if function in (np.add, np.multiply):  # commutative to the bit
            swapped = self.numbers.get((function, operands[::-1]))
            if swapped is not None:
                return swapped
        return self._number((function, operands), (function, operands))

    def truth(self, number: int) -> int:
        """The number of 1.0 where a value is not 0, of 0.0 where it is."""
        return self.apply(np.not_equal, number, self.constant(0.0))

    def negated(self, number: int) -> int | None:
        """What "not", a truth that is compared with 0, is said of; None for other values."""
        compared = self.operation(number, np.equal)
        if compared is None or compared[0] not in self.truths:
            return None
        return compared[0] if self.values[compared[1]] == 0.0 else None

    def is_constant(self, number: int, value: float) -> bool:
        """Whether a value is this constant (0.0 is not -0.0)."""
        return self.numbers.get(float(value).hex()) == number

    def operation(self, number: int, function: Callable[..., Any]) -> tuple[int, ...] | None:
        """The operands of a value that `function` made, else None."""
        value = self.values[number]
        return value[1] if isinstance(value, tuple) and value[0] is function else None

    def needed(self, outputs: Iterable[int]) -> list[int]:
        """The numbers of the constants and operations that outputs are made of, in order."""
        needed = set(outputs)
        for number in range(len(self.values) - 1, -1, -1):
            if number in needed and isinstance(self.values[number], tuple):
                needed.update(self.values[number][1])
        return sorted(needed)


# ----------------------------------------------------------------- rewrites, exact to the last bit
def _multiply(recorder: Recorder, x0: int, x1: int) -> int | None:
    for one, other in ((x0, x1), (x1, x0)):
        if recorder.is_constant(one, 1.0):
            return other
        if recorder.is_constant(one, -1.0):
            return recorder.apply(np.negative, other)
    return None


def _divide(recorder: Recorder, x0: int, x1: int) -> int | None:
    if recorder.is_constant(x1, 1.0):
        return x0
    return recorder.apply(np.negative, x0) if recorder.is_constant(x1, -1.0) else None


def _add(recorder: Recorder, x0: int, x1: int) -> int | None:
    negated = recorder.operation(x1, np.negative)
    return None if negated is None else recorder.apply(np.subtract, x0, negated[0])


def _subtract(recorder: Recorder, x0: int, x1: int) -> int | None:
    if recorder.is_constant(x1, 0.0):  # x + 0 is another matter: -0.0 + 0 is 0
        return x0
    negated = recorder.operation(x1, np.negative)
    return None if negated is None else recorder.apply(np.add, x0, negated[0])


def _negative(recorder: Recorder, x: int) -> int | None:
    negated = recorder.operation(x, np.negative)
    return None if negated is None else negated[0]


def _where(recorder: Recorder, condition: int, x0: int, x1: int) -> int | None:
    negated = recorder.negated(condition)
    if negated is not None:
        return recorder.apply(np.where, negated, x1, x0)
    decided = recorder.values[condition]
    if isinstance(decided, float):
        return x1 if decided == 0 else x0
    settled0 = _settle(recorder, x0, condition, 1)
    settled1 = _settle(recorder, x1, condition, 2)
    if settled0 == settled1:
        return settled0
    if (settled0, settled1) == (x0, x1):
        return None
    return recorder.apply(np.where, condition, settled0, settled1)


def _settle(recorder: Recorder, number: int, condition: int, branch: int, depth: int = 3) -> int:
    """A value inside a branch of `where`: there, the same condition is already decided.

    The engine masks gradients after every rule, so a few operations down are enough.
    """
    value = recorder.values[number]
    if not isinstance(value, tuple) or depth == 0:
        return number
    function, operands = value
    if function is np.where and operands[0] == condition:
        return int(operands[branch])
    settled = tuple(_settle(recorder, i, condition, branch, depth - 1) for i in operands)
    return number if settled == operands else recorder.apply(function, *settled)


def _not_equal(recorder: Recorder, x0: int, x1: int) -> int | None:
    zero = recorder.values[x1] == 0.0
    return x0 if zero and x0 in recorder.truths else None


def _and(recorder: Recorder, x0: int, x1: int) -> int:
    return recorder.apply(np.multiply, *(recorder.truth(x) for x in (x0, x1)))


def _or(recorder: Recorder, x0: int, x1: int) -> int:
    return recorder.apply(np.maximum, *(recorder.truth(x) for x in (x0, x1)))


def _equal(recorder: Recorder, x0: int, x1: int) -> int | None:
    zero = recorder.values[x1] == 0.0
    return recorder.negated(x0) if zero else None


def _not(recorder: Recorder, x: int) -> int:
    return recorder.apply(np.equal, x, recorder.constant(0.0))


_COMPARISONS = {relation.ufunc for relation in RELATIONS}
_OF_TRUTHS = {np.multiply, np.maximum, np.minimum, np.where}
"""What gives 1.0 or 0.0 where all that it may give, or multiplies, is 1.0 or 0.0."""

_REWRITES: dict[Callable[..., Any], Callable[..., int | None]] = {
    np.multiply: _multiply,
    np.divide: _divide,
    np.add: _add,
    np.subtract: _subtract,
    np.negative: _negative,
    np.positive: lambda recorder, x: x,
    np.square: lambda recorder, x: recorder.apply(np.multiply, x, x),
    np.reciprocal: lambda recorder, x: recorder.apply(np.divide, recorder.constant(1.0), x),
    np.where: _where,
    np.equal: _equal,
    np.not_equal: _not_equal,
    np.logical_and: _and,
    np.logical_or: _or,
    np.logical_not: _not,
}

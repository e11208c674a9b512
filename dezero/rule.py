"""Rule: a differentiable operation as a row of a table; so the engine's own are written."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any

from numpy import float64, generic, ndarray

from dezero.graph import (
    CONSTANT,
    Config,
    Function,
    Operand,
    Variable,
    as_operand,
    as_variable,
    constant,
)
from dezero.sweep import chosen
from dezero.work import OPERATION, broadcast_size

LIBRARY = 20
"""What a number that takes a call of a library counts for, in numbers that a ufunc makes."""

Partial = Callable[..., Operand]
"""The gradient for one input, from (the rule, the output's gradient, the output, the inputs...)."""


class Rule(Function):
    """A differentiable operation with one output, written as a row of a table.

    ``forward(x0, ...)`` gives the value y; ``partials[i](self, gy, y, x0, ...)`` the gradient for
    input i, in operators and ufuncs, from the output's gradient `gy`, the output and the inputs.
    Only the gradients that somebody needs are computed; a gradient in a shape that the inputs
    were broadcast to is summed back by the engine.  A partial that gives None sends nothing.
    """

    __slots__ = ("operands",)
    elementwise = True
    linear = True
    operands: list[Operand]
    partials: tuple[Partial, ...] = ()
    choices: tuple[Callable[..., Operand] | None, ...] = ()
    """Of an operation that `selects`: where each input is taken, from the inputs; None: all."""

    def __call__(self, *inputs: Any) -> Variable:
        """Apply the operation to Variables, arrays or numbers."""
        variables = []
        operands = []
        generation = CONSTANT
        plain = True
        for x in inputs:
            if type(x) is not Variable:
                x = as_variable(x) if isinstance(x, Variable) else constant(x)
            variables.append(x)
            data = x._data
            if type(data) is not float64:
                data = as_operand(data)
                if type(data) is not float64:
                    plain = False
            operands.append(data)
            if x.generation > generation:
                generation = x.generation
        if not plain and (allowance := Config.allowance) is not None:
            allowance.spend(OPERATION + self.weight * self.numbers(*operands))
        y = Variable._around(self.forward(*operands), CONSTANT)
        if generation == CONSTANT:
            return y
        if Config.enable_backprop:
            self.inputs = variables
            self.operands = operands
            self.outputs = [weakref.ref(y)]
            self.generation = generation
            y.creator = self
            y.generation = generation + 1
        else:
            y.generation = 0
            y._unrecorded = True
        return y

    def numbers(self, *operands: Operand) -> int:
        """How many numbers it makes of the operands, or takes as long as to make."""
        largest = operands[0]
        alike = True
        for x in operands[1:]:
            if x.shape != largest.shape:
                alike = alike and not (x.shape and largest.shape)
                largest = largest if x.size <= largest.size else x
        if alike or not self.elementwise:
            return largest.size  # type: ignore[no-any-return]
        return broadcast_size(x.shape for x in operands)

    def _copied(self, memo: dict[int, Any]) -> Function:
        twin = super()._copied(memo)
        assert isinstance(twin, Rule)
        twin.operands = [as_operand(x) for x in twin.inputs]
        return twin

    def backward(self, *gys: Any) -> tuple[Any, ...]:
        """Compute every input's gradient from the output's gradient."""
        y = self.outputs[0]()
        value = self.forward(*self.operands) if y is None else as_operand(y)
        return tuple(partial(self, gys[0], value, *self.operands) for partial in self.partials)

    def gradients(self, gys: list[Operand], recording: bool) -> list[Operand]:
        """Give the gradient for each input that needs one, None for the others."""
        y: Any = self.outputs[0]()
        operands: list[Any] = self.inputs
        if not recording:
            y = y._data
            operands = self.operands
        gy = gys[0]
        gxs = []
        for x, partial in zip(self.inputs, self.partials):
            gxs.append(None if x.generation == CONSTANT else partial(self, gy, y, *operands))
        return gxs

    def is_flat(self, i: int) -> bool:
        """Whether input `i` never gets a gradient, since nothing changes with it."""
        return self.partials[i] is flat

    def moved(self, i: int, mask: Operand) -> Operand:
        """What goes to input `i` where `mask` comes to the output; its value does not matter."""
        return self.partials[i](self, mask, None, *self.operands)

    def taken(self, i: int, shape: tuple[int, ...], outer: Operand) -> Operand:
        """The elements of input `i` that the output takes."""
        choice = self.choices[i]
        taken = None if choice is None else choice(*self.operands)
        return chosen(self, i, taken, shape, outer)


def flat(*_: Operand) -> None:
    """The partial of an operation that is flat wherever it has a gradient: nothing is sent."""


def composed(
    forward: Callable[..., Operand], in_text: Callable[..., Operand] | None = None
) -> Callable[..., Operand]:
    """A forward made of several ufuncs, as one operation on whatever is no plain array.

    A Variable runs the rule (see ``ARRAY_FUNCTIONS``) and a tracer records the operation as one,
    so that a program that is differentiated again uses the rule and not the ufuncs;
    ``in_ufuncs`` is the forward itself, ``in_text`` what formulas and code have in its place.
    """

    whole = _dispatched(forward)
    whole.in_ufuncs = forward  # type: ignore[attr-defined]
    whole.in_text = in_text or forward  # type: ignore[attr-defined]
    return whole


def primitive(nin: int) -> Callable[[Callable[..., Operand]], Callable[..., Operand]]:
    """A forward of `nin` values that is no ufunc and made of none, as one operation.

    A program keeps it for good, under its own name.
    """

    def kept(forward: Callable[..., Operand]) -> Callable[..., Operand]:
        whole = _dispatched(forward)
        whole.nin = nin  # type: ignore[attr-defined]
        whole.weight = LIBRARY  # type: ignore[attr-defined]
        return whole

    return kept


def _dispatched(forward: Callable[..., Operand]) -> Callable[..., Operand]:
    """The forward on plain arrays; of anything else, what it is on that."""

    @wraps(forward)
    def whole(*operands: Any) -> Operand:
        for x in operands:
            kind = type(x)
            if kind is not float64 and not isinstance(x, PLAIN):
                return kind.__array_function__(x, whole, {*map(type, operands)}, operands, {})
        return forward(*operands)

    return whole


PLAIN = (ndarray, generic, float, int)
"""Operands whose values are known."""

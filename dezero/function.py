"""Operations: Function, which users subclass, and Rule, which the engine's own tables fill in."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from numpy import float64, ndarray

from dezero.graph import (
    CONSTANT,
    Config,
    Operand,
    Recorded,
    Variable,
    as_array,
    as_operand,
    new,
    operand,
    resolve,
)


class Function:
    """An operation that knows its derivative; subclass it as the notes do.

    `forward` takes arrays and returns an array or a tuple of them; `backward` takes the gradient
    of each output and returns the gradient for each input.  After a call `inputs` holds the input
    Variables, `outputs` weak references to the results.
    """

    __slots__ = ("__weakref__", "generation", "inputs", "outputs", "shapes")
    inputs: list[Variable]
    outputs: list[weakref.ref[Variable]]
    generation: int
    shapes: list[tuple[int, ...]]
    selects = False
    """Whether the operation takes elements of one input or another, as ``where`` does."""
    elementwise = False
    """Whether an element of the output comes from the inputs' elements at that place alone."""
    moves = False
    """Whether the operation only moves, repeats or adds up elements."""

    def __call__(self, *inputs: Any) -> Any:
        """Apply the operation to Variables, arrays or numbers."""
        variables = [resolve(x) for x in inputs]
        ys = self.forward(*[as_array(operand(x._data)) for x in variables])
        outputs = [new(as_array(y), 0) for y in (ys if isinstance(ys, tuple) else (ys,))]
        _connect(self, variables, outputs)
        return outputs if len(outputs) > 1 else outputs[0]

    def forward(self, *xs: Any) -> Any:
        """Compute the outputs from the inputs' arrays."""
        raise NotImplementedError

    def backward(self, *gys: Any) -> Any:
        """Compute the inputs' gradients from the outputs' gradients."""
        raise NotImplementedError

    def gradients(self, gys: list[Operand], recording: bool) -> list[Operand]:
        """Call `backward`, whatever it was written for, and give an operand for each input."""
        inputs = self.inputs
        if recording:
            self.inputs = [Recorded(x) for x in inputs]
        try:
            gxs = self.backward(*gys)
        finally:
            self.inputs = inputs
        gxs = gxs if isinstance(gxs, tuple | list) else (gxs,)
        if len(gxs) != len(inputs):
            raise ValueError(
                f"{type(self).__name__}.backward gave {len(gxs)} gradients for {len(inputs)} inputs"
            )
        return [
            None if x.generation == CONSTANT or gx is None else _gradient(gx, recording)
            for x, gx in zip(inputs, gxs, strict=True)
        ]

    def taken(self, i: int, shape: tuple[int, ...]) -> Operand:
        """Where input `i` of an operation that `selects` was taken, broadcast to `shape`."""
        raise NotImplementedError


class Rule(Function):
    """A differentiable operation with one output, written as a row of a table.

    ``forward(x0, ...)`` gives the value y; ``partials[i](self, gy, y, x0, ...)`` the gradient for
    input i, in operators and ufuncs, from the output's gradient `gy`, the output and the inputs.
    Only the gradients that somebody needs are computed; a gradient in a shape that the inputs
    were broadcast to is summed back by the engine.
    """

    __slots__ = ("operands",)
    elementwise = True
    operands: list[Operand]
    partials: tuple[Callable[..., Operand], ...] = ()

    def __call__(self, *inputs: Any) -> Variable:
        """Apply the operation to Variables, arrays or numbers."""
        variables = []
        operands = []
        generation = CONSTANT
        for x in inputs:
            if type(x) is not Variable:
                x = resolve(x)
            variables.append(x)
            data = x._data
            operands.append(data if type(data) is float64 else operand(data))
            generation = max(generation, x.generation)
        if generation == CONSTANT:
            return new(self.forward(*operands), CONSTANT)
        y = new(self.forward(*operands), 0)
        if Config.enable_backprop:
            self.inputs = variables
            self.operands = operands
            self.outputs = [weakref.ref(y)]
            self.generation = generation
            y.creator = self
            y.generation = generation + 1
        else:
            y._unrecorded = True
        return y

    def backward(self, *gys: Any) -> tuple[Any, ...]:
        """Compute every input's gradient from the output's gradient."""
        y = self.outputs[0]()
        value = self.forward(*self.operands) if y is None else operand(y._data)
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


def _gradient(gx: Any, recording: bool) -> Operand:
    """A gradient that a user-written backward gave, as an operand nobody else holds."""
    if recording:
        return resolve(gx.copy() if isinstance(gx, ndarray) else gx)
    if isinstance(gx, Variable):
        gx = gx._data
    return operand(gx.copy() if isinstance(gx, ndarray) else as_operand(gx))


def _connect(function: Function, inputs: list[Variable], outputs: list[Variable]) -> None:
    """Record that `function` made `outputs` of `inputs`, where that is wanted."""
    generation = max(x.generation for x in inputs)
    if generation == CONSTANT or not Config.enable_backprop:
        for output in outputs:
            output.generation = min(generation, 0)
            output._unrecorded = generation != CONSTANT
        return
    function.generation = generation
    function.inputs = inputs
    function.outputs = [weakref.ref(output) for output in outputs]
    function.shapes = [output.shape for output in outputs]
    for output in outputs:
        output.set_creator(function)

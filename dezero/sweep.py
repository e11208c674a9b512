"""The walk of `Variable.backward`: from a result back to its inputs, in order of generation.

Everything here is written in operators and NumPy functions on operands, so the same walk adds up
arrays, Variables (while a gradient is being recorded) and tracers.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy import float64

from dezero.graph import (
    CONSTANT,
    Config,
    Function,
    Operand,
    Variable,
    as_operand,
    constant,
)
from dezero.work import OPERATION


def backward(y: Variable, retain_grad: bool = False, create_graph: bool = False) -> None:
    """Add the gradient of `y` with respect to every input to the input's `grad`.

    The seed is ``y.grad`` where it is set, ones otherwise; of an array the gradient is therefore
    that of its sum.  With `retain_grad` the gradients of intermediate results are kept; with
    `create_graph` the gradients are Variables with a graph of their own, ready to be
    differentiated again.  A constant has nothing to propagate.

    Raises RuntimeError for a result computed under `no_grad`: its inputs are not known.
    """
    if y.generation == CONSTANT:
        return
    if y._unrecorded:
        raise RuntimeError(
            "backward() needs the graph, and this Variable was computed under no_grad()"
        )
    y._grad = _seed(y, create_graph)
    if y.creator is not None:
        recording, Config.enable_backprop = Config.enable_backprop, create_graph
        left: set[str] = set()
        try:
            with np.errstate(
                divide="ignore",
                invalid="ignore",
                over="call",
                under="call",
                call=lambda kind, flag: left.add(kind),
            ):
                sweep = Sweep(y, retain_grad, create_graph)
                sweep.run()
                if left and sweep.is_linear():
                    Rescaled(sweep, left).settle()
        finally:
            Config.enable_backprop = recording


Variable.backward = backward


def _seed(y: Variable, create_graph: bool) -> Operand:
    """The gradient that `backward` begins with: the one set, or ones."""
    grad = y._grad
    if grad is None and type(y._data) is float64:
        grad = float64(1.0)
    elif grad is None:
        data = as_operand(y)
        is_number = isinstance(data, np.ndarray | np.generic)
        grad = np.ones_like(data)[()] if is_number else np.ones(data.shape)[()]
    if create_graph:
        return grad if isinstance(grad, Variable) else constant(grad)
    return as_operand(grad)


class Sweep:
    """One walk back from `root`, whose gradient is set.

    A heap of generations, each with the functions that wait in it, gives an order in which every
    gradient is complete before it is used (the notes sort a list at each insertion, which is
    quadratic in the width of the graph).
    """

    def __init__(self, root: Variable, retain_grad: bool, recording: bool) -> None:
        self.root = root
        self.seed = root._grad
        self.retain_grad = retain_grad
        self.recording = recording
        self.seen: set[Function] = set()
        self.masks: dict[Function, Any] = {}
        self.unsent: list[Variable] = []
        self.leaves: dict[int, tuple[Variable, Operand]] = {}

    def run(self) -> None:
        """Walk the whole graph; afterwards every input holds its gradient."""
        root = self.root.creator
        assert root is not None
        _forget(root, self.root)
        seen, masks, leaves = self.seen, self.masks, self.leaves
        recording, retain_grad, allowance = self.recording, self.retain_grad, Config.allowance
        seen.add(root)
        latest_first = [-root.generation]
        waiting = {-root.generation: [root]}
        while latest_first:
            for function in reversed(waiting.pop(heappop(latest_first))):
                references = function.outputs
                if len(references) == 1:  # nearly all functions
                    outputs: list[Any] = [references[0]()]
                    gys = [outputs[0]._grad]
                else:
                    outputs = [reference() for reference in references]
                    gys = _complete(outputs, function.shapes)
                if masks or function.selects:
                    gxs = self.masked(function, gys)
                else:
                    gxs = function.gradients(gys, recording)
                for x, gx in zip(function.inputs, gxs, strict=True):
                    if gx is None:
                        if x.generation != CONSTANT:
                            self.unsent.append(x)
                        continue
                    if type(gx) is not float64 or x._data.shape:
                        if allowance is not None:
                            allowance.spend(function.weight * gx.size)
                        gx = self.shape(x, gx, gys)
                    creator = x.creator
                    if creator is None:
                        if id(x) not in leaves:
                            leaves[id(x)] = x, x._grad
                    elif creator not in seen:  # it waits for its generation
                        seen.add(creator)
                        x._grad = gx
                        generation = -creator.generation
                        if generation in waiting:
                            waiting[generation].append(creator)
                        else:
                            waiting[generation] = [creator]
                            heappush(latest_first, generation)
                        if len(creator.outputs) > 1:
                            _forget(creator, x)
                        continue
                    x._grad = gx if x._grad is None else x._grad + gx
                if not retain_grad:
                    for y in outputs:
                        if y is not None:
                            y._grad = None
        if allowance is not None:
            allowance.spend(OPERATION * len(seen))
        if self.unsent:
            self.settle()

    def is_linear(self) -> bool:
        """Whether the gradients are numbers in proportion to the seed, as those of rules are."""
        data = self.root._data
        known = isinstance(data, _KNOWN) and data.dtype == float64
        return known and all(function.linear for function in self.seen)

    def settle(self) -> None:
        """Give a gradient of zero to the inputs that are reached by nothing else."""
        waiting, passed = self.unsent, set(self.seen)
        while waiting:
            x = waiting.pop()
            creator = x.creator
            if creator is None:
                if x._grad is None and x.generation != CONSTANT:
                    zeros = np.zeros(x._data.shape)[()]
                    x._grad = constant(zeros) if self.recording else zeros
            elif creator not in passed:
                passed.add(creator)
                waiting += creator.inputs

    def shape(self, x: Variable, gx: Any, gys: list[Any]) -> Any:
        """The gradient `gx` in the shape of `x`, in memory of its own where it will be kept."""
        if gx.shape != x._data.shape:
            gx = fit(gx, x._data.shape)
        return _unshared(gx, gys) if x.creator is None or self.retain_grad else gx

    # What a choice did not take gets a zero gradient, and 0 * inf would make it nan again on its
    # way to the inputs.  Below a choice, gradients are therefore masked after each rule; a mask
    # that is one number is decided at once.
    def masked(self, function: Function, gys: list[Any]) -> list[Any]:
        """The gradients of `function` within its mask, which is passed on to its inputs."""
        if not function.selects and function not in self.masks:
            gxs = function.gradients(gys, self.recording)
            self.unmask(function, gxs)
            return gxs
        if self.recording and Config.allowance is not None:
            Config.allowance.spend(MASKED)
        outer = self.masks.get(function)
        nothing = outer is not None and not outer.shape and isinstance(outer, _KNOWN) and not outer
        gxs = self.zeros(function) if nothing else function.gradients(gys, self.recording)
        masks: dict[Function, Any] = {}
        for i, (x, gx) in enumerate(zip(function.inputs, gxs, strict=True)):
            if gx is None:
                continue
            if nothing:
                mask = outer
            else:
                if outer is not None and (
                    outer.shape == () or (function.elementwise and outer.shape == gx.shape)
                ):
                    gxs[i] = np.where(outer, gx, 0.0)
                if function.selects:
                    mask = function.taken(i, gys[0].shape, outer)
                else:
                    mask = _reached(function, i, outer)
            if x.creator is not None:
                masks[x.creator] = _union(masks.get(x.creator, mask), mask)
        for creator, mask in masks.items():
            self.pass_mask(creator, mask)
        return gxs

    def zeros(self, function: Function) -> list[Any]:
        """A gradient of zero for each input that takes one."""
        flat = [
            x.generation == CONSTANT or function.is_flat(i) for i, x in enumerate(function.inputs)
        ]
        return [None if f else constant(0.0) if self.recording else float64(0.0) for f in flat]

    def unmask(self, function: Function, gxs: list[Any]) -> None:
        """Lift the masks of what an unmasked `function` sends something to."""
        for x, gx in zip(function.inputs, gxs, strict=True):
            if gx is not None and x.creator is not None:
                self.masks.pop(x.creator, None)

    def pass_mask(self, function: Function, mask: Any) -> None:
        """Mask a function, where only branches lead there."""
        if function in self.seen:
            mask = _union(self.masks.get(function), mask)
        if mask is None:
            self.masks.pop(function, None)
        else:
            self.masks[function] = mask


MASKED = 2048
"""What it counts for to record masks: they are operations of their own, and join others."""

_KNOWN = (np.ndarray, np.generic)
"""Operands whose elements are known, as those of a trace are not."""


SCALE = 2.0**600
"""What seeds are multiplied or divided by: a power of two, so that no digit changes."""


class Rescaled:
    """A walk that left the range of numbers on its way, repeated within it.

    Gradients are linear in the seed.  A seed that is larger by a power of two gives the same
    digits, and what would have been lost for being too small is kept, as under ``sqrt(exp(x))``;
    a smaller one keeps what would have been infinite, as under ``1/h**5``.  Each element is taken
    from the first of the larger seed, the plain one and the smaller that has it finite.
    """

    def __init__(self, sweep: Sweep, left: set[str]) -> None:
        self.sweep = sweep
        self.left = set(left)
        self.places = list(sweep.leaves.values())
        if sweep.retain_grad:
            for function in sweep.seen:
                results = [reference() for reference in function.outputs]
                self.places += [(y, None) for y in results if y is not None and y._grad is not None]

    def settle(self) -> None:
        """Put the better gradients in place of those of the walk."""
        found = [x._grad for x, _ in self.places]
        plain = found if all(g is None for _, g in self.places) else self.gradients(1.0)
        chosen = plain
        if "underflow" in self.left:
            chosen = list(map(_enlarged, chosen, self.gradients(SCALE)))
        if "overflow" in self.left:
            small, other = self.gradients(1.0 / SCALE), self.gradients(2.0**40 / SCALE)
            chosen = list(map(_reduced, chosen, small, other))
        self.sweep.root._grad = self.sweep.seed if self.sweep.retain_grad else None
        for (x, before), total, old, new in zip(self.places, found, plain, chosen, strict=True):
            x._grad = total if new is old else new if before is None else before + new

    def gradients(self, scale: float) -> list[Any]:
        """What a walk from the seed times `scale` sends to each place, over `scale`."""
        for x, _ in self.places:
            x._grad = None
        sweep = self.sweep
        sweep.root._grad = sweep.seed * float64(scale)
        Sweep(sweep.root, sweep.retain_grad, sweep.recording).run()
        return [x._grad / scale for x, _ in self.places]


def _enlarged(plain: Any, large: Any) -> Any:
    """A gradient, but that of the larger seed where it tells more than another rounding."""
    g, value = as_operand(plain), as_operand(large)
    return _mixed(np.isfinite(value) & ~(np.absolute(g - value) <= 1e-323), large, plain)


def _reduced(plain: Any, small: Any, other: Any) -> Any:
    """A gradient, but where it is not finite that of a smaller seed.

    Nothing of that is lost for being too small where another seed gives the same.
    """
    g, value, same = as_operand(plain), as_operand(small), as_operand(other)
    known = np.isfinite(value) & (value == same) & (value != 0.0)
    return _mixed(~np.isfinite(g) & known, small, plain)


def _mixed(better: Any, g0: Any, g1: Any) -> Any:
    """g0 where it is better, g1 elsewhere."""
    if not better.any():
        return g1
    return np.where(better, g0, g1) if better.ndim else g0


def chosen(function: Function, i: int, choice: Any, shape: tuple[int, ...], outer: Any) -> Any:
    """The mask of input `i` of an elementwise choice: `outer`, but only where `choice` is not 0.

    None is a mask of all; `shape` is that of the output.
    """
    if isinstance(choice, _KNOWN):
        if choice.all():
            choice = None
        elif choice.shape:
            choice = np.broadcast_to(choice, shape)
    if choice is None:
        choice = outer
    elif outer is not None:
        choice = np.where(outer, choice, 0.0)
    return _reached(function, i, choice)


def _union(mask0: Any, mask1: Any) -> Any:
    """Where either mask has an element; None is a mask of all."""
    if mask0 is None or mask1 is None or mask0 is mask1:
        return mask0 if mask0 is mask1 else None
    union = np.maximum(mask0 != 0.0, mask1 != 0.0)
    return None if isinstance(union, _KNOWN) and union.all() else union


def _reached(function: Function, i: int, mask: Any) -> Any:
    """The elements of input `i` that the masked outputs depend on; None where all may be."""
    if mask is None or mask.shape == ():
        return mask
    shape = function.inputs[i].shape
    if function.moves:
        mask = function.moved(i, 1.0 * (mask != 0.0))
    elif not function.elementwise or np.broadcast_shapes(mask.shape, shape) != mask.shape:
        return None
    return mask if mask.shape == shape else fit(mask != 0.0, shape)


def fit(gx: Any, shape: tuple[int, ...]) -> Any:
    """Bring a gradient to the `shape` of its input: the inverse of NumPy's broadcasting.

    Axes that the input was stretched along are summed; axes that it lacks a gradient along
    (a gradient that is the same for all elements) are filled.
    """
    extra = gx.ndim - len(shape)
    axes = tuple(
        i for i, n in enumerate(gx.shape) if i < extra or (n != 1 and shape[i - extra] == 1)
    )
    if axes:
        gx = np.sum(gx, axis=axes, keepdims=True)
    if extra > 0:
        gx = np.reshape(gx, gx.shape[extra:])
    if gx.shape != shape:
        gx = np.broadcast_to(gx, shape)
    return gx[()] if isinstance(gx, np.ndarray) and not shape else gx


def _forget(function: Function, reached: Variable) -> None:
    """Forget what an earlier walk retained of a function's outputs but the one just `reached`."""
    for reference in function.outputs:
        output = reference()
        if output is not None and output is not reached:
            output._grad = None


def _complete(outputs: list[Any], shapes: list[tuple[int, ...]]) -> list[Any]:
    """The outputs' gradients; zeros for outputs that nobody kept or used."""
    gys = [None if y is None else y._grad for y in outputs]
    return [np.zeros(shape) if gy is None else gy for gy, shape in zip(gys, shapes, strict=True)]


def _unshared(gx: Any, gys: list[Any]) -> Any:
    """A gradient that shares its memory with no other, so that it may be updated in place.

    A recorded number is copied as a recorded array is: the graph, and with it the order in which
    gradients are added up, is the same for both.
    """
    if isinstance(gx, float64):
        return gx
    shared = any(gx is gy for gy in gys)
    array = getattr(gx, "_data", gx)
    if isinstance(array, np.ndarray):
        shared = shared or array.base is not None
    return np.positive(gx) if shared else gx

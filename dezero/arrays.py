"""Reductions, shapes and matrices, each with its derivative, under NumPy's names and meaning.

The rules are written in operators and NumPy functions on operands, as those of `functions.py`
are; a gradient that is stretched or not yet summed is fitted to its input by the engine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy import float64

from dezero.arithmetic import without
from dezero.distance import distance
from dezero.graph import ARRAY_FUNCTIONS, UFUNCS, Operand, Variable, as_operand, constant
from dezero.rule import Rule, flat
from dezero.sweep import fit
from dezero.work import broadcast_size

Axis = int | tuple[int, ...] | None
Shape = tuple[int, ...]
ARRAYS = (np.ndarray, np.generic)
"""Operands that NumPy computes with itself; a tracer has ways of its own."""


def _axes(ndim: int, axis: Axis) -> Shape:
    """The axes meant by `axis`, counted from the first; NumPy's AxisError for one too many."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    if axes and ndim == 0:
        raise np.exceptions.AxisError("a number has no axes")
    return tuple(np.lib.array_utils.normalize_axis_tuple(axes, ndim))


def _kept(shape: Shape, axis: Axis) -> Shape:
    """The shape that a reduction over `axis` leaves with keepdims."""
    axes = _axes(len(shape), axis)
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


# ------------------------------------------------------------------------------------- reductions
class Reduction(Rule):
    """A rule over some axes or all, which are kept with length 1 or dropped."""

    __slots__ = ("axis", "keepdims")
    elementwise = False

    def __init__(self, axis: Axis, keepdims: bool) -> None:
        self.axis = axis
        self.keepdims = bool(keepdims)

    def axes(self, x: Operand) -> Shape | None:
        """The axes of x to reduce; NumPy itself lets a number have an axis 0."""
        return None if self.axis is None else _axes(x.ndim, self.axis)


class Sum(Reduction):
    """The sum of elements."""

    moves = True

    def forward(self, x: Operand) -> Operand:
        return np.sum(x, axis=self.axes(x), keepdims=self.keepdims)

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The output's gradient, for every element that was summed."""
        return np.broadcast_to(np.reshape(gy, _kept(x.shape, self.axis)), x.shape)

    partials = (gradient,)


class Extremum(Reduction):
    """The smallest or the largest element; those that tie share the gradient equally."""

    selects = True

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The output's gradient over the number of elements that attain it."""
        kept = _kept(x.shape, self.axis)
        attained = x == np.reshape(y, kept)
        count = np.sum(1.0 * attained, axis=self.axis, keepdims=True)
        nothing = 0.0 * np.square(np.sign(np.reshape(y, kept)))  # nan where the output is
        return np.where(attained, np.reshape(gy, kept) / count, nothing)

    partials = (gradient,)

    def taken(self, i: int, shape: Shape, outer: Operand) -> Operand:
        """The elements that attain the output; where that is nan, all."""
        x = self.operands[0]
        kept = _kept(x.shape, self.axis)
        y = np.reshape(self.forward(x), kept)
        taken = np.maximum(x == y, y != y)
        if outer is None:
            return None if isinstance(taken, ARRAYS) and taken.all() else taken
        return np.where(np.reshape(outer, kept) if outer.shape else outer, taken, 0.0)


class Min(Extremum):
    """The smallest element."""

    def forward(self, x: Operand) -> Operand:
        return np.min(x, axis=self.axes(x), keepdims=self.keepdims)


class Max(Extremum):
    """The largest element."""

    def forward(self, x: Operand) -> Operand:
        return np.max(x, axis=self.axes(x), keepdims=self.keepdims)


class Norm(Reduction):
    """The Euclidean norm, without overflow; its gradient at the origin is 0."""

    def forward(self, x: Operand) -> Operand:
        kept = np.max(np.absolute(x), axis=self.axes(x), keepdims=True, initial=0.0)
        scale = np.ldexp(1.0, np.frexp(kept)[1] - 1)  # a power of two, so that scaling is exact
        total = np.sum(np.square(x / scale), axis=self.axis, keepdims=True)
        y = scale * np.sqrt(total)
        return y if self.keepdims else np.squeeze(y, _axes(y.ndim, self.axis))[()]

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The unit vector along x, times the output's gradient."""
        kept = _kept(x.shape, self.axis)
        direction = Direction(self.axis)
        unit = direction if isinstance(gy, Variable) else direction.forward
        rest = without(gy, y)
        if rest is not None:
            return np.reshape(rest, kept) * x
        return np.reshape(gy, kept) * unit(x, np.reshape(y, kept))

    partials = (gradient,)


class Direction(Rule):
    """x over its norm n along some axes, which is given; 0 at the origin."""

    __slots__ = ("axis",)
    elementwise = False

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    def forward(self, x: Operand, n: Operand) -> Operand:
        return np.where(n == 0.0, 0.0, x / n)

    def gradient(self, gy: Operand, y: Operand, x: Operand, n: Operand) -> Operand:
        """What of gy is across x, over n.

        Along an axis that x is close to, the two terms gy - y * sum(y * gy) would cancel: there gy
        is rid of its element by a multiple of x first, which the projection does not see.  The
        squares add up to 1, so there is one such axis at most: beyond 1/2, and rounding, there
        might be two.
        """
        close = y * y > 0.75
        multiple = np.sum(np.where(close, gy / y, 0.0), axis=self.axis, keepdims=True)
        rest = np.where(close, 0.0, gy - multiple * y)
        scaled = y / np.sqrt(n)
        along = np.sum(scaled * rest, axis=self.axis, keepdims=True)
        return np.where(n == 0.0, 0.0, rest / n - scaled * along)

    partials = (gradient, flat)


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The sum of the elements along `axis` (default: all)."""
    return Sum(axis, keepdims)(x)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean of the elements along `axis` (default: all)."""
    shape = _array(x, np.mean).shape
    count = float(np.prod([shape[i] for i in _axes(len(shape), axis)]))
    return sum(x, axis, keepdims) / count


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The product of the elements along `axis` (default: all).

    The elements are multiplied in pairs, then the products in pairs, so no gradient divides.
    """
    full = _array(x, np.prod).shape
    level = _gathered(x, axis)
    *shape, count = level.shape
    if count == 0:
        level, count = constant(np.ones((*shape, 1))), 1
    odd = []
    while count > 1:
        half = count // 2
        if count % 2:
            odd.append(_slice(level, -1))
        level, count = _slice(level, slice(half)) * _slice(level, slice(half, 2 * half)), half
    y = _slice(level, 0)
    for last in odd:
        y = y * last
    return reshape(y, _kept(full, axis)) if keepdims else y


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The smallest element along `axis` (default: all); ties share the gradient equally."""
    return Min(axis, keepdims)(x)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The largest element along `axis` (default: all); ties share the gradient equally."""
    return Max(axis, keepdims)(x)


def norm(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The Euclidean norm along `axis` (default: of all elements); its gradient at 0 is 0."""
    operand = _array(x, np.linalg.norm)
    if isinstance(operand, ARRAYS):
        return Norm(axis, keepdims)(x)
    level = _gathered(x, axis)  # of a trace, which knows numbers alone
    elements = [_slice(level, i) for i in range(level.shape[-1])]
    y = distance(*elements) if elements else constant(np.zeros(level.shape[:-1]))
    return reshape(y, _kept(operand.shape, axis)) if keepdims else y


def _slice(x: Variable, index: int | slice) -> Variable:
    """x[..., index], where all of x is taken by one slice or another."""
    return Slice((..., index))(x)


def _array(x: Any, function: Any) -> Operand:
    """The operand of x for a function of whole arrays; a tracer of one number refuses it."""
    operand = as_operand(x)
    if not isinstance(operand, ARRAYS) and operand.ndim == 0:
        function(operand)
    return operand


def _gathered(x: Any, axis: Axis) -> Variable:
    """x with the axes that are reduced as one, the last."""
    shape = as_operand(x).shape
    axes = _axes(len(shape), axis)
    rest = tuple(i for i in range(len(shape)) if i not in axes)
    count = int(np.prod([shape[i] for i in axes]))
    return reshape(transpose(x, (*rest, *axes)), (*(shape[i] for i in rest), count))


# ----------------------------------------------------------------------------------------- shapes
class Movement(Rule):
    """A rule that moves, repeats or adds up elements."""

    elementwise = False
    moves = True


class Reshape(Movement):
    """The same elements in another shape."""

    __slots__ = ("shape",)

    def __init__(self, shape: int | Shape) -> None:
        self.shape = shape

    def forward(self, x: Operand) -> Operand:
        return np.reshape(x, self.shape)

    partials = (lambda self, gy, y, x: np.reshape(gy, x.shape),)


class Transpose(Movement):
    """The same elements with the axes in another order."""

    __slots__ = ("axes",)

    def __init__(self, axes: Shape | None) -> None:
        self.axes = axes

    def forward(self, x: Operand) -> Operand:
        return np.transpose(x, self.axes)

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The axes back in their order."""
        axes = self.axes
        back = None if axes is None else tuple(map(int, np.argsort(_axes(x.ndim, axes))))
        return np.transpose(gy, back)

    partials = (gradient,)


class BroadcastTo(Movement):
    """x repeated along new or stretched axes."""

    __slots__ = ("shape",)

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Operand) -> Operand:
        return np.broadcast_to(x, self.shape)

    def numbers(self, *operands: Operand) -> int:
        """The elements of its shape, which what is made of it has."""
        return math.prod(self.shape)

    partials = (lambda self, gy, y, x: gy,)  # the engine sums it back to the shape of x


class SumTo(Movement):
    """x summed along the axes that `shape` lacks or has with length 1."""

    __slots__ = ("shape",)

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Operand) -> Operand:
        narrow = tuple(
            m in {1, n} for m, n in zip(reversed(self.shape), reversed(x.shape), strict=False)
        )
        if len(narrow) < len(self.shape) or not all(narrow):
            raise ValueError(f"cannot sum an array of shape {x.shape} to shape {self.shape}")
        return fit(x, self.shape)

    partials = (lambda self, gy, y, x: np.broadcast_to(gy, x.shape),)


class GetItem(Movement):
    """x[index], by NumPy's basic or advanced indexing; nothing goes to what is not taken."""

    __slots__ = ("index",)
    selects = True

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, x: Operand) -> Operand:
        try:
            return x[self.index]
        except IndexError:
            if x.ndim:
                raise
            raise IndexError("a number has no elements") from None

    def numbers(self, *operands: Operand) -> int:
        """The elements of x, of which its gradient has as many, or those that are taken."""
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        taken = [part.size for part in parts if isinstance(part, np.ndarray)]
        return sorted([super().numbers(*operands), *taken])[-1]

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """Zeros but where the elements were taken from."""
        scatter = Scatter(self.index, x.shape)
        return scatter(gy) if isinstance(gy, Variable) else scatter.forward(gy)

    partials = (gradient,)

    def taken(self, i: int, shape: Shape, outer: Operand) -> Operand:
        """The elements that the index takes, where the mask of the output has them."""
        if self.inputs[0].creator is None:
            return None
        scatter = Scatter(self.index, self.operands[0].shape)
        if outer is not None:
            return scatter.forward(np.broadcast_to(1.0 * (outer != 0.0), shape))
        taken = scatter.forward(float64(1.0))
        return None if taken.all() else taken


class Slice(GetItem):
    """x[index], one of several that together take all of x."""

    __slots__ = ()
    selects = False


class Scatter(Movement):
    """Zeros of `shape`, with x added at `index`: the reverse of `GetItem`."""

    __slots__ = ("index", "shape")

    def __init__(self, index: Any, shape: Shape) -> None:
        self.index = index
        self.shape = shape

    def numbers(self, *operands: Operand) -> int:
        """The elements of its shape."""
        return math.prod(self.shape)

    def forward(self, x: Operand) -> Operand:
        if isinstance(x, ARRAYS):
            return scattered(x, self.index, self.shape)
        return x.__array_function__(scattered, {type(x)}, (x, self.index, self.shape), {})

    partials = (lambda self, gy, y, x: gy[self.index],)


def scattered(x: Operand, index: Any, shape: Shape) -> Operand:
    """Zeros of `shape`, with the array x added at `index`."""
    y = np.zeros(shape)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, list | np.ndarray) for part in parts):
        np.add.at(y, index, x)  # an element may have been taken more than once
    else:
        y[index] = x
    return y


def reshape(x: Any, shape: int | Shape) -> Variable:
    """The elements of x in another shape; one length may be -1, for what is left."""
    return Reshape(shape)(x)


def transpose(x: Any, axes: Shape | None = None) -> Variable:
    """x with its axes in the order `axes` (default: reversed)."""
    return Transpose(axes)(x)


def swapaxes(x: Any, axis0: int, axis1: int) -> Variable:
    """x with two axes exchanged."""
    axes = list(range(as_operand(x).ndim))
    axes[axis0], axes[axis1] = axes[axis1], axes[axis0]
    return transpose(x, tuple(axes))


def broadcast_to(x: Any, shape: Shape) -> Variable:
    """x broadcast to `shape` by NumPy's rules."""
    return BroadcastTo(shape)(x)


def sum_to(x: Any, shape: Shape) -> Variable:
    """x summed to `shape`: the reverse of `broadcast_to`; ValueError where that cannot be."""
    return SumTo(shape)(x)


def getitem(x: Any, index: Any) -> Variable:
    """x[index]: integers, slices, Ellipsis, None, or arrays of integers or booleans."""
    return GetItem(index)(x)


# --------------------------------------------------------------------------------------- matrices
def _columns(x: Operand) -> Operand:
    """x with its last two axes exchanged."""
    return np.swapaxes(x, -1, -2)


def _outer(x0: Operand, x1: Operand) -> Operand:
    """x0 * x1 for a column and a row, or stacks of them.

    In half of the time: where NumPy's buffer holds several rows, it copies the row into it.
    """
    with np.errstate():  # which puts the size of the buffer back
        np.setbufsize(512)
        return x0 * x1


class Matmul(Rule):
    """The matrix product, over the last two axes, leading axes broadcast."""

    elementwise = False

    @staticmethod
    def forward(x0: Operand, x1: Operand) -> Operand:
        try:
            return np.matmul(x0, x1)
        except ValueError:
            raise ValueError(_misfit(x0.shape, x1.shape)) from None

    def numbers(self, *operands: Operand) -> int:
        """The elements of the product, or what the products that they are sums of count for."""
        x0, x1 = (x.shape or (1,) for x in operands)
        stacked = broadcast_size([x0[:-2], x1[:-2]])
        made = stacked * math.prod(x0[-2:-1]) * (x1[-1] if len(x1) > 1 else 1)
        return int(made * x0[-1] // 16 if x0[-1] > 16 else made)

    def gradient0(self, gy: Operand, y: Operand, x0: Operand, x1: Operand) -> Operand:
        """gy @ x1.T; a vector x0 is a row, a vector x1 a column."""
        if x0.ndim == x1.ndim == 1:
            return gy * x1
        if x1.ndim == 1:
            return _outer(np.reshape(gy, (*gy.shape, 1)), x1)
        if x0.ndim == 1:
            column = np.matmul(x1, np.reshape(gy, (*gy.shape, 1)))
            return np.reshape(column, column.shape[:-1])
        return np.matmul(gy, _columns(x1))

    def gradient1(self, gy: Operand, y: Operand, x0: Operand, x1: Operand) -> Operand:
        """x0.T @ gy; a vector x0 is a row, a vector x1 a column."""
        if x0.ndim == x1.ndim == 1:
            return gy * x0
        if x0.ndim == 1:
            row = np.reshape(gy, (*gy.shape[:-1], 1, gy.shape[-1]))
            return _outer(np.reshape(x0, (*x0.shape, 1)), row)
        if x1.ndim == 1:
            count = int(np.prod(x0.shape[:-1]))
            return np.matmul(np.reshape(gy, (count,)), np.reshape(x0, (count, x0.shape[-1])))
        return np.matmul(_columns(x0), gy)

    partials = (gradient0, gradient1)


def _misfit(shape0: Shape, shape1: Shape) -> str:
    """Why two arrays have no matrix product."""
    if not shape0 or not shape1:
        return "a matrix product needs arrays; write * for the product with a number"
    return f"shapes {shape0} and {shape1} do not fit together in a matrix product"


def matmul(x0: Any, x1: Any) -> Variable:
    """x0 @ x1: vectors, matrices, or stacks of matrices whose leading axes broadcast."""
    return Matmul()(x0, x1)


def rmatmul(x0: Any, x1: Any) -> Variable:
    """x1 @ x0."""
    return Matmul()(x1, x0)


def dot(x0: Any, x1: Any) -> Variable:
    """The inner product of vectors, the matrix product of matrices, as numpy.dot.

    In general the sum over the last axis of x0 and the last but one of x1.
    """
    shape0, shape1 = as_operand(x0).shape, as_operand(x1).shape
    if not shape0 or not shape1:
        return Dot()(x0, x1)
    if len(shape1) <= 2:
        return Matmul()(x0, x1)
    *stack, rows, columns = shape1
    axes = (len(stack), *range(len(stack)), len(stack) + 1)
    wide = reshape(transpose(x1, axes), (rows, int(np.prod(stack)) * columns))
    return reshape(Matmul()(x0, wide), (*shape0[:-1], *stack, columns))


class Dot(Rule):
    """The product with a scalar, as ``numpy.dot`` gives it."""

    forward = staticmethod(np.dot)
    partials = (
        lambda self, gy, y, x0, x1: gy * x1,
        lambda self, gy, y, x0, x1: gy * x0,
    )


# -------------------------------------------------------------------------------- Variable's own
def _transpose_method(x: Variable, *axes: Any) -> Variable:
    """``x.transpose()``, ``x.transpose(1, 0)``, ``x.transpose((1, 0))``: the axes reordered."""
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
        axes = tuple(axes[0] or ())
    return transpose(x, axes or None)


def _reshape_method(x: Variable, *shape: Any) -> Variable:
    """``x.reshape(2, 3)`` or ``x.reshape((2, 3))``: the elements in another shape."""
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        shape = tuple(shape[0])
    return reshape(x, shape)


Variable.__getitem__ = getitem
Variable.__matmul__ = Variable.matmul = Variable.dot = matmul
Variable.__rmatmul__ = rmatmul
Variable.transpose = _transpose_method
Variable.reshape = _reshape_method
Variable.sum = sum
Variable.mean = mean
Variable.prod = prod
Variable.min = min
Variable.max = max

UFUNCS[np.matmul] = matmul
ARRAY_FUNCTIONS |= {
    np.sum: sum,
    np.mean: mean,
    np.prod: prod,
    np.min: min,
    np.max: max,
    np.linalg.norm: lambda x, axis=None, keepdims=False: norm(x, axis, keepdims),
    np.dot: dot,
    np.reshape: reshape,
    np.transpose: transpose,
    np.swapaxes: swapaxes,
    np.broadcast_to: broadcast_to,
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x, axis=None: x.size if axis is None else x.shape[axis],
}

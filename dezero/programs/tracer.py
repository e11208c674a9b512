"""Tracers: what flows through the engine's operators in place of numbers that are not there yet.

A Tracer stands for a column, which is one number in each row; a TracedArray for an array of such
numbers, of a shape that is the same in every row.  A program knows numbers alone, so what is done
to a TracedArray is done to its elements: operators and ufuncs are recorded one by one, reductions
and matrix products as sums and products, and movements are not recorded at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from dezero.arithmetic import SHORTCUTS
from dezero.arrays import scattered
from dezero.graph import Variable
from dezero.programs.recorder import Recorder, TraceError

Operation = Callable[..., Any]


class Traced(NDArrayOperatorsMixin):
    """What a Tracer and a TracedArray have in common: whatever is done to them is recorded."""

    __slots__ = ("recorder",)
    recorder: Recorder
    dtype = np.dtype(np.float64)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(x, Variable) for x in inputs):
            return NotImplemented
        if method == "__call__" and not options:
            if ufunc is np.matmul:
                return _matmul(self.recorder, *inputs)
            if ufunc.nout == 1 and ufunc.signature is None:
                return recorded(self.recorder, ufunc, inputs)
        raise TraceError(f"{ufunc.__name__} has no place in a program of columns")

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        if any(issubclass(kind, Variable) for kind in types):
            return NotImplemented
        is_one = hasattr(function, "in_ufuncs") or hasattr(function, "nin")
        if not options and (function is np.where or is_one):
            return recorded(self.recorder, function, inputs)
        ours = ARRAY_FUNCTIONS.get(function)
        if ours is None:
            raise TraceError(
                f"{function.__name__} has no place in a program of columns, which works row by row"
            )
        return ours(self.recorder, *inputs, **options)

    def __pow__(self, exponent: Any) -> Any:
        """x**c as ndarray does it: some plain numbers have operations of their own."""
        if isinstance(exponent, int | float) and exponent in SHORTCUTS:
            ufunc = SHORTCUTS[exponent]
            return np.ones(self.shape)[()] if ufunc is None else ufunc(self)
        return np.power(self, exponent)

    def __bool__(self) -> bool:
        raise TraceError("a branch on a value cannot be traced; use where(condition, a, b)")

    def __float__(self) -> float:
        raise TraceError("a column has no value while it is traced")

    __int__ = __index__ = __float__

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TraceError("a column has no value while it is traced")

    shape: tuple[int, ...]


class Tracer(Traced):
    """A column that is not there yet, by the number of its value in the recorder."""

    __slots__ = ("number",)
    shape = ()
    ndim = 0
    size = 1

    def __init__(self, recorder: Recorder, number: int) -> None:
        self.recorder = recorder
        self.number = number

    def __len__(self) -> int:
        raise TraceError("a column has no length while it is traced")

    def __getitem__(self, index: Any) -> Any:
        raise _one_number("an index")

    def __repr__(self) -> str:
        return f"Tracer({self.recorder.values[self.number]})"


class TracedArray(Traced):
    """An array of columns that are not there yet, by an array of their values' numbers."""

    __slots__ = ("numbers",)

    def __init__(self, recorder: Recorder, numbers: np.ndarray) -> None:
        self.recorder = recorder
        self.numbers = numbers

    shape = property(lambda self: self.numbers.shape)
    ndim = property(lambda self: self.numbers.ndim)
    size = property(lambda self: self.numbers.size)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> Any:
        return _around(self.recorder, self.numbers[index])

    def __repr__(self) -> str:
        return f"TracedArray({self.numbers.tolist()})"


def _around(recorder: Recorder, numbers: Any) -> Any:
    """What stands for the values of these numbers."""
    if np.ndim(numbers) == 0:
        return Tracer(recorder, int(numbers))
    return TracedArray(recorder, numbers)


def numbers_of(recorder: Recorder, x: Any) -> Any:
    """The number of a value, or an array of them; plain numbers become constants."""
    kind = type(x)
    if kind is Tracer or kind is TracedArray:
        if x.recorder is not recorder:
            raise TraceError("two traces cannot share a column")
        return x.number if kind is Tracer else x.numbers
    if np.ndim(x) == 0:
        return recorder.constant(float(x))
    array = np.asarray(x)
    numbers = [recorder.constant(float(element)) for element in array.ravel().tolist()]
    return np.array(numbers, dtype=np.intp).reshape(array.shape)


def recorded(recorder: Recorder, function: Operation, inputs: Sequence[Any]) -> Any:
    """An operation that works element by element, on operands that are broadcast."""
    numbers = [numbers_of(recorder, x) for x in inputs]
    if np.ndarray not in map(type, numbers):
        return Tracer(recorder, recorder.apply(function, *numbers))
    try:
        arrays = np.broadcast_arrays(*numbers)
    except ValueError:
        shapes = " ".join(str(np.shape(number)) for number in numbers)
        fault = f"operands could not be broadcast together with shapes {shapes}"
        raise ValueError(fault) from None  # as NumPy says it of arrays
    rows = zip(*(array.ravel().tolist() for array in arrays), strict=True)
    made = [recorder.apply(function, *row) for row in rows]
    return _around(recorder, np.array(made, dtype=np.intp).reshape(arrays[0].shape))


def _one_number(subject: str) -> TraceError:
    return TraceError(f"{subject} works on whole arrays, but here every input is one number")


# -------------------------------------------------------------- NumPy's functions of whole arrays
RUN = 8
"""Elements that a reduction adds up one after another; then it adds up what runs gave, likewise."""


def _reduction(function: Operation, ufunc: np.ufunc) -> Operation:
    """A reduction by a ufunc of two values, over some axes or all."""

    def reduction(recorder: Recorder, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if isinstance(x, Tracer):
            raise _one_number(function.__name__)
        given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = [i % x.ndim for i in given]
        kept = [i for i in range(x.ndim) if i not in axes]
        shape = tuple(x.shape[i] for i in kept)
        if not x.size:
            return function(np.ones(x.shape), axis=axis, keepdims=keepdims)
        rows = np.transpose(x.numbers, (*kept, *axes)).reshape(int(np.prod(shape)), -1)
        made = np.array([_folded(recorder, ufunc, row) for row in rows.tolist()], dtype=np.intp)
        whole = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        return _around(recorder, made.reshape(whole if keepdims else shape))

    return reduction


def _folded(recorder: Recorder, ufunc: np.ufunc, numbers: list[int]) -> int:
    """One value for several, so that rounding grows with the logarithm of their count."""
    while len(numbers) > 1:
        runs = [numbers[i : i + RUN] for i in range(0, len(numbers), RUN)]
        numbers = [reduce(lambda a, b: recorder.apply(ufunc, a, b), run) for run in runs]
    return numbers[0]


def _movement(function: Operation, of_numbers: bool = True) -> Operation:
    """A function that only moves or repeats elements, and one number too where `of_numbers`."""

    def movement(recorder: Recorder, x: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(x, Tracer) and not of_numbers:
            raise _one_number(function.__name__)
        return _around(
            recorder, function(np.asarray(numbers_of(recorder, x)), *arguments, **options)
        )

    return movement


def _matmul(recorder: Recorder, x0: Any, x1: Any) -> Any:
    """The matrix product; a vector x0 is a row, a vector x1 a column."""
    if x0.ndim == x1.ndim == 0:
        raise _one_number("@")
    rows = np.asarray(numbers_of(recorder, x0))
    columns = np.asarray(numbers_of(recorder, x1))
    rows = rows[np.newaxis] if rows.ndim == 1 else rows
    columns = columns[:, np.newaxis] if columns.ndim == 1 else columns
    if min(x0.ndim, x1.ndim) == 0 or rows.shape[-1] != columns.shape[-2]:
        raise ValueError("matmul: shapes do not fit together")
    left = TracedArray(recorder, rows[..., :, :, np.newaxis])
    right = TracedArray(recorder, columns[..., np.newaxis, :, :])
    y = np.sum(left * right, axis=-2)
    alone = tuple(axis for axis, x in ((-2, x0), (-1, x1)) if x.ndim == 1)
    return np.reshape(y, np.squeeze(np.empty(y.shape), alone).shape)


def _dot(recorder: Recorder, x0: Any, x1: Any) -> Any:
    """numpy.dot with a scalar; the engine has other products as matrix products."""
    if x0.ndim == x1.ndim == 0:
        raise _one_number("dot")
    return x0 * x1 if min(x0.ndim, x1.ndim) == 0 else _matmul(recorder, x0, x1)


def _stack(recorder: Recorder, xs: Sequence[Any], axis: int = 0) -> Any:
    return _around(recorder, np.stack([np.asarray(numbers_of(recorder, x)) for x in xs], axis))


def _scattered(recorder: Recorder, x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Nothing but where elements go; what goes to one place is added up."""
    numbers = np.full(shape, recorder.nothing())
    places = np.arange(numbers.size).reshape(shape)[index]
    flat = numbers.reshape(-1)
    added = np.broadcast_to(numbers_of(recorder, x), places.shape)
    for place, number in zip(np.ravel(places).tolist(), added.ravel().tolist(), strict=True):
        flat[place] = recorder.apply(np.add, int(flat[place]), number)
    return _around(recorder, numbers)


def _refused(function: Operation) -> Operation:
    """A function that the engine has in terms of others, and that one number has no use for."""

    def refusal(recorder: Recorder, *inputs: Any, **options: Any) -> Any:
        raise _one_number(function.__name__)

    return refusal


ARRAY_FUNCTIONS: dict[Operation, Operation] = {
    np.sum: _reduction(np.sum, np.add),
    np.prod: _reduction(np.prod, np.multiply),
    np.min: _reduction(np.min, np.minimum),
    np.max: _reduction(np.max, np.maximum),
    np.mean: _refused(np.mean),
    np.linalg.norm: _refused(np.linalg.norm),
    np.reshape: _movement(np.reshape),
    np.broadcast_to: _movement(np.broadcast_to),
    np.transpose: _movement(np.transpose, of_numbers=False),
    np.swapaxes: _movement(np.swapaxes, of_numbers=False),
    np.squeeze: _movement(np.squeeze),
    np.stack: _stack,
    np.dot: _dot,
    np.shape: lambda recorder, x: x.shape,
    np.ndim: lambda recorder, x: x.ndim,
    np.size: lambda recorder, x, axis=None: x.size if axis is None else x.shape[axis],
    scattered: _scattered,
}
"""NumPy's functions that are not ufuncs, for tracers; each takes the recorder first."""

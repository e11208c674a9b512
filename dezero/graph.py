"""The computational graph: its two kinds of node, Variable and Function, and its settings.

A `Variable` holds an array and remembers the `Function` that made it; `Variable.backward` (in
sweep.py) walks those functions from the last to the first and adds up gradients.

What flows through an operator is called an operand: a ``numpy.float64`` (a 0-d array's element,
ten times as fast as the array), an ``ndarray``, or anything else that answers to operators and to
NumPy's ufuncs.  Derivative rules are written in those alone, so that one rule serves arrays,
Variables (while the gradient itself is being recorded) and tracers.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy import float64, ndarray

Operand = Any
"""A ``numpy.float64``, an ``ndarray``, a Variable or a tracer."""


# --------------------------------------------------------------------------------- configuration
class _Config(threading.local):
    """Settings of the engine; each thread has its own."""

    enable_backprop = True
    allowance: Any = None
    """How many numbers may still be made (see work.py); None is any number."""


Config = _Config()
"""``Config.enable_backprop`` says whether operations record the graph (per thread)."""


@contextlib.contextmanager
def using_config(name: str, value: Any) -> Iterator[None]:
    """Set ``Config.name`` to `value` inside a ``with`` block, in this thread (notes, step 18).

    Raises AttributeError for a name that `Config` does not have.
    """
    old_value = getattr(Config, name)
    setattr(Config, name, value)
    try:
        yield
    finally:
        setattr(Config, name, old_value)


def no_grad() -> contextlib.AbstractContextManager[None]:
    """Evaluate without recording the graph: ``using_config('enable_backprop', False)``."""
    return using_config("enable_backprop", False)


# -------------------------------------------------------------------------------------- variables
class Gradient(ndarray):
    """An array that also answers to ``.data``, as a gradient that is a Variable does.

    The same code then reads ``x.grad.data`` with and without ``create_graph``.  What is computed
    from it is a plain ``ndarray``.
    """

    __slots__ = ()

    @property
    def data(self) -> Any:
        """The plain array, sharing memory."""
        return self.view(ndarray)

    @data.setter
    def data(self, data: Any) -> None:
        self[...] = data  # so that x.grad.data += 1 is that and no more

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        plain = array.view(ndarray)
        return plain[()] if return_scalar else plain

    def __repr__(self) -> str:
        return repr(self.view(ndarray))


CONSTANT = -1
"""The generation of a Variable that takes no gradient."""


class Variable:
    """An array that remembers how it was made.

    `data` is an ``ndarray`` (or None); anything else is a TypeError.  `grad` is None until a
    `backward` reaches the Variable, then an ``ndarray`` of the same shape (a Variable after
    ``backward(create_graph=True)``).  `generation` is 0 for an input and one more than the
    largest of its inputs' for a result.

    Operators and NumPy's functions apply to Variables as to arrays, and give Variables.
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "_grad",
        "_unrecorded",
        "creator",
        "generation",
        "name",
    )

    def __init__(self, data: ndarray | None, name: str | None = None) -> None:
        if data is not None and not isinstance(data, ndarray):
            raise TypeError(f"{type(data)} is not supported")
        self._data: Operand = data
        self._grad: Operand = None
        self._unrecorded = False
        self.creator: Function | None = None
        self.generation = 0
        self.name = name

    @property
    def data(self) -> Any:
        """The value, an ``ndarray``."""
        data = self._data
        if isinstance(data, np.generic):  # kept, so that an update in place is seen
            data = self._data = np.asarray(data)
        return data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = as_array(data)

    @property
    def grad(self) -> Any:
        """The gradient: an ``ndarray`` of this Variable's shape, a Variable, or None."""
        grad = self._grad
        if isinstance(grad, _ARRAYS) and type(grad) is not Gradient:
            grad = self._grad = np.asarray(grad).view(Gradient)
        return grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        self._grad = grad

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `data`."""
        return self._data.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes of `data`."""
        return self._data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of elements of `data`."""
        return self._data.size  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements of `data`."""
        return self._data.dtype  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return len(self.data)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __repr__(self) -> str:
        if self._data is None:
            return "variable(None)"
        return "variable(" + str(self.data).replace("\n", "\n" + " " * 9) + ")"

    def set_creator(self, func: Function) -> None:
        """Remember that `func` made this Variable."""
        self.creator = func
        self.generation = func.generation + 1

    def cleargrad(self) -> None:
        """Forget the gradient, so that the next `backward` starts from nothing."""
        self._grad = None

    @classmethod
    def _around(cls, data: Operand, generation: int, name: str | None = None) -> Variable:
        """A Variable around an operand, without a look at it."""
        variable = cls.__new__(cls)
        variable._data = data
        variable._grad = None
        variable._unrecorded = False
        variable.creator = None
        variable.generation = generation
        variable.name = name
        return variable

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        """A copy with a graph of its own, however deep, whose backward leaves this one alone."""
        made: list[Variable] = []
        waiting = [self]
        while waiting:
            original = waiting.pop()
            if id(original) not in memo:
                memo[id(original)] = original._alone(memo)
                made.append(original)
                if original.creator is not None:
                    waiting += original.creator.inputs
        for original in made:
            if original.creator is not None:
                memo[id(original)].creator = original.creator._copied(memo)
        return memo[id(self)]  # type: ignore[no-any-return]

    def _alone(self, memo: dict[int, Any]) -> Variable:
        """A copy without the graph."""
        twin = type(self).__new__(type(self))
        twin._data, twin.name = copy.deepcopy(self._data, memo), self.name
        twin._grad = None if self._grad is None else copy.deepcopy(self._grad, memo)
        twin._unrecorded, twin.generation, twin.creator = self._unrecorded, self.generation, None
        return twin

    @property
    def T(self) -> Variable:  # noqa: N802, NumPy's name for it
        """The same elements with the axes reversed."""
        return self.transpose()

    def __iter__(self) -> Iterator[Variable]:
        """Give x[0], x[1], ...; TypeError for a scalar."""
        return (self[i] for i in range(len(self)))

    # Each stands beside its rule: the walk in sweep.py, operators in arithmetic.py, comparisons in
    # functions.py, the rest in arrays.py.
    backward: ClassVar[Callable[..., None]]
    __add__: ClassVar[_Binary]
    __radd__: ClassVar[_Binary]
    __sub__: ClassVar[_Binary]
    __rsub__: ClassVar[_Binary]
    __mul__: ClassVar[_Binary]
    __rmul__: ClassVar[_Binary]
    __truediv__: ClassVar[_Binary]
    __rtruediv__: ClassVar[_Binary]
    __mod__: ClassVar[_Binary]
    __rmod__: ClassVar[_Binary]
    __floordiv__: ClassVar[_Binary]
    __rfloordiv__: ClassVar[_Binary]
    __pow__: ClassVar[_Binary]
    __rpow__: ClassVar[_Binary]
    __neg__: ClassVar[_Unary]
    __pos__: ClassVar[_Unary]
    __lt__: ClassVar[_Binary]
    __le__: ClassVar[_Binary]
    __gt__: ClassVar[_Binary]
    __ge__: ClassVar[_Binary]
    __matmul__: ClassVar[_Binary]
    __rmatmul__: ClassVar[_Binary]
    __getitem__: ClassVar[_Binary]
    dot: ClassVar[_Binary]
    matmul: ClassVar[_Binary]
    reshape: ClassVar[_Method]
    transpose: ClassVar[_Method]
    sum: ClassVar[_Method]
    mean: ClassVar[_Method]
    prod: ClassVar[_Method]
    min: ClassVar[_Method]
    max: ClassVar[_Method]

    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy's ufuncs of Variables are this engine's functions."""
        function = UFUNCS.get(ufunc)
        if function is None or method != "__call__" or options:
            return NotImplemented
        return function(*inputs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any, options: Any
    ) -> Any:
        """NumPy's other functions of Variables are, too."""
        ours = ARRAY_FUNCTIONS.get(function)
        return NotImplemented if ours is None else ours(*arguments, **options)


UFUNCS: dict[np.ufunc, Callable[..., Variable]] = {}
"""NumPy's ufuncs and the functions that stand in for them when a Variable is an operand."""

ARRAY_FUNCTIONS: dict[Callable[..., Any], Callable[..., Variable]] = {}
"""The same for NumPy's functions that are not ufuncs, such as ``numpy.where``."""

_Unary = Callable[[Variable], Variable]
_Binary = Callable[[Variable, Any], Variable]
_Method = Callable[..., Variable]


class Recorded(Variable):
    """An input as a user-written backward sees it while the gradient is being recorded.

    Its `data` is the Variable itself: the notes' ``self.inputs[0].data`` then takes part in the
    recording, and higher derivatives of code written that way come out right.
    """

    __slots__ = ("original",)

    def __init__(self, original: Variable) -> None:
        super().__init__(None, original.name)
        self.original = original

    @property  # type: ignore[misc]
    def data(self) -> Any:
        """The Variable that stands for the array."""
        return self.original

    shape = property(lambda self: self.original.shape)
    ndim = property(lambda self: self.original.ndim)
    size = property(lambda self: self.original.size)
    dtype = property(lambda self: self.original.dtype)


# ------------------------------------------------------------------------------------ conversions
def as_array(x: Any) -> Any:
    """Give a scalar as a 0-d ``ndarray`` and anything else as it is (notes, step 21)."""
    if isinstance(x, ndarray):
        return x
    return np.array(x) if np.isscalar(x) else x


def as_variable(obj: Any) -> Variable:
    """Give `obj` if it is a Variable, else a new input that holds it (notes, step 21).

    Raises TypeError for what is neither a Variable, an ``ndarray`` nor a scalar.
    """
    if isinstance(obj, Variable):
        return obj.original if isinstance(obj, Recorded) else obj
    return Variable(as_array(obj))


def as_operand(x: Any) -> Operand:
    """Give what rules compute with: floating point, and a 0-d array as its element.

    `x` is a Variable, a number, or anything that ``numpy.asarray`` makes an array of; a tracer
    stays a tracer.
    """
    if not isinstance(x, _ARRAYS):
        if isinstance(x, Variable):
            x = as_variable(x)._data
        elif not hasattr(type(x), "__array_ufunc__"):
            x = np.asarray(x)
        if not isinstance(x, _ARRAYS):
            return x
    if x.dtype is not _FLOAT64 and x.dtype.kind in "biu":
        x = x.astype(float64)  # integers wrap around and have no negative powers
    return x if x.ndim else x[()]


def constant(data: Any, name: str | None = None) -> Variable:
    """A Variable that takes no gradient, so that `backward` passes it by.

    `data` is a number or anything that ``numpy.asarray`` makes an array of numbers of.
    """
    kind = type(data)
    operand = float64(data) if kind is float or kind is int else as_operand(data)
    return Variable._around(operand, CONSTANT, name)


def given(x: Any) -> Variable:
    """`x` if it is a Variable, else a constant."""
    return as_variable(x) if isinstance(x, Variable) else constant(x)


_FLOAT64 = np.dtype(float64)
_ARRAYS = (ndarray, np.generic)


# -------------------------------------------------------------------------------------- functions
class Function:
    """An operation that knows its derivative; subclass it as the notes do.

    `forward` takes arrays and returns an array or a tuple of them; `backward` takes the gradient
    of each output and returns the gradient for each input.  After a call `inputs` holds the input
    Variables, `outputs` weak references to the results.  An input that `backward` gives no
    gradient for has none.
    """

    __slots__ = ("__weakref__", "generation", "inputs", "outputs", "shapes")
    inputs: list[Variable]
    outputs: list[weakref.ref[Variable]]
    generation: int
    shapes: list[tuple[int, ...]]
    weight = 1
    """What a number that it makes counts for, where numbers are counted."""
    selects = False
    """Whether the operation takes some elements of its inputs and not others, as ``where`` does."""
    elementwise = False
    """Whether an element of the output comes from the inputs' elements at that place alone."""
    moves = False
    """Whether the operation only moves, repeats or adds up elements."""
    linear = False
    """Whether its gradients are known to be in proportion to those of its outputs."""

    def __call__(self, *inputs: Any) -> Any:
        """Apply the operation to Variables, arrays or numbers."""
        variables = [as_variable(x) if isinstance(x, Variable) else _fixed(x) for x in inputs]
        ys = self.forward(*[as_array(x.data) for x in variables])
        ys = ys if isinstance(ys, tuple) else (ys,)
        outputs = [Variable._around(as_array(y), 0) for y in ys]
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
        return [
            None if x.generation == CONSTANT or gx is None else _gradient(gx, recording)
            for x, gx in itertools.zip_longest(inputs, gxs[: len(inputs)])
        ]

    def _copied(self, memo: dict[int, Any]) -> Function:
        """A copy between the copies, in `memo`, of its inputs and outputs."""
        known = memo.get(id(self))
        if known is None:
            known = memo[id(self)] = copy.copy(self)
            known.inputs = [memo[id(x)] for x in self.inputs]
            outputs = [reference() for reference in self.outputs]
            known.outputs = [
                weakref.ref(memo[id(y)] if id(y) in memo else Variable(None)) for y in outputs
            ]
        return known

    def is_flat(self, i: int) -> bool:
        """Whether input `i` never gets a gradient, since nothing changes with it."""
        return False

    def moved(self, i: int, mask: Operand) -> Operand:
        """What goes to input `i` of an operation that `moves` where `mask` comes to its output."""
        raise NotImplementedError

    def taken(self, i: int, shape: tuple[int, ...], outer: Operand) -> Operand:
        """The elements of input `i` of an operation that `selects` which the output takes.

        `outer` masks the output, whose shape is `shape`; None is a mask of all.
        """
        raise NotImplementedError


def _fixed(x: Any) -> Variable:
    """A Variable that takes no gradient, around an array as it is."""
    return Variable._around(x if hasattr(type(x), "__array_ufunc__") else np.asarray(x), CONSTANT)


def _gradient(gx: Any, recording: bool) -> Operand:
    """A gradient that a user-written backward gave, as an operand nobody else holds."""
    if isinstance(gx, ndarray):
        gx = gx.copy()
    if recording:
        return as_variable(gx) if isinstance(gx, Variable) else constant(gx)
    return as_operand(gx)


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

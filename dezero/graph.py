"""The computational graph: Variable, Function, and how an operation records itself.

A `Variable` holds an array and remembers the `Function` that made it; `Variable.backward` walks
those functions from the last to the first and adds up gradients.

What flows through an operator is called an operand: a ``numpy.float64`` (a 0-d array's element,
ten times as fast as the array), an ``ndarray``, or anything else that answers to operators and to
NumPy's ufuncs.  Derivative rules are written in those alone, so that one rule serves arrays,
Variables (while the gradient itself is being recorded) and tracers.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import float64, ndarray

from dezero.sweep import Sweep

Operand = Any
"""A ``numpy.float64``, an ``ndarray``, a Variable or a tracer."""


# --------------------------------------------------------------------------------- configuration
class _Config(threading.local):
    """Settings of the engine; each thread has its own."""

    enable_backprop = True


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
CONSTANT = -1
"""The generation of a Variable that takes no gradient."""


class Variable:
    """An array that remembers how it was made.

    `data` is an ``ndarray`` (or None); anything else is a TypeError.  `grad` is None until a
    `backward` reaches the Variable, then an ``ndarray`` of the same shape (a Variable after
    ``backward(create_graph=True)``).  `generation` is 0 for an input and one more than the
    largest of its inputs' for a result.
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
        if isinstance(grad, np.generic):
            grad = self._grad = np.asarray(grad)
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

    def backward(self, retain_grad: bool = False, create_graph: bool = False) -> None:
        """Add this Variable's gradient with respect to every input to the input's `grad`.

        The seed is `grad` where it is set, ones otherwise; of an array the gradient is therefore
        that of its sum.  With `retain_grad` the gradients of intermediate results are kept; with
        `create_graph` the gradients are Variables with a graph of their own, ready to be
        differentiated again.  A constant has nothing to propagate.

        Raises RuntimeError for a result computed under `no_grad`: its inputs are not known.
        """
        if self.generation == CONSTANT:
            return
        if self._unrecorded:
            raise RuntimeError(
                "backward() needs the graph, and this Variable was computed under no_grad()"
            )
        self._grad = _seed(self, create_graph)
        if self.creator is not None:
            with (
                using_config("enable_backprop", create_graph),
                np.errstate(all="ignore"),
            ):
                Sweep(self, retain_grad, create_graph).run()

    if TYPE_CHECKING:  # bound in core_simple.py and functions.py, beside the rules

        def __add__(self, other: Any) -> Variable: ...
        def __radd__(self, other: Any) -> Variable: ...
        def __sub__(self, other: Any) -> Variable: ...
        def __rsub__(self, other: Any) -> Variable: ...
        def __mul__(self, other: Any) -> Variable: ...
        def __rmul__(self, other: Any) -> Variable: ...
        def __truediv__(self, other: Any) -> Variable: ...
        def __rtruediv__(self, other: Any) -> Variable: ...
        def __pow__(self, other: Any) -> Variable: ...
        def __rpow__(self, other: Any) -> Variable: ...
        def __neg__(self) -> Variable: ...
        def __pos__(self) -> Variable: ...
        def __lt__(self, other: Any) -> Variable: ...
        def __le__(self, other: Any) -> Variable: ...
        def __gt__(self, other: Any) -> Variable: ...
        def __ge__(self, other: Any) -> Variable: ...

    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        function = UFUNCS.get(ufunc)
        if function is None or method != "__call__" or options:
            return NotImplemented
        return function(*inputs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any, options: Any
    ) -> Any:
        ours = ARRAY_FUNCTIONS.get(function)
        return NotImplemented if ours is None else ours(*arguments, **options)


UFUNCS: dict[np.ufunc, Callable[..., Variable]] = {}
"""NumPy's ufuncs and the functions that stand in for them when a Variable is an operand."""

ARRAY_FUNCTIONS: dict[Callable[..., Any], Callable[..., Variable]] = {}
"""The same for NumPy's functions that are no ufuncs, such as ``numpy.where``."""


def as_array(x: Any) -> Any:
    """Give a scalar as a 0-d ``ndarray`` and anything else as it is (notes, step 21)."""
    if isinstance(x, ndarray):
        return x
    return np.array(x) if np.isscalar(x) else x


def as_variable(obj: Any) -> Variable:
    """Give `obj` if it is a Variable, else a new Variable that holds it (notes, step 21)."""
    return _resolve(obj) if isinstance(obj, Variable) else Variable(as_array(obj))


def constant(data: Any, name: str | None = None) -> Variable:
    """A Variable that takes no gradient, so that `backward` passes it by.

    `data` is a number or anything that ``numpy.asarray`` makes an array of numbers of.
    """
    if type(data) is float or type(data) is int:
        data = float64(data)
    variable = _new(operand(_as_operand(data)), CONSTANT)
    variable.name = name
    return variable


def operand(data: Any) -> Operand:
    """What rules compute with: floating point, and 0-d arrays as their element."""
    if isinstance(data, ndarray | np.generic):
        if data.dtype is not _FLOAT64 and data.dtype.kind in "biu":
            data = data.astype(float64)  # integers wrap around and have no negative powers
        return data if data.ndim else data[()]
    return data


def _as_operand(data: Any) -> Any:
    """An array of whatever is no operand yet; a tracer stays a tracer."""
    return data if hasattr(type(data), "__array_ufunc__") else np.asarray(data)


_FLOAT64 = np.dtype(float64)


def _seed(y: Variable, create_graph: bool) -> Operand:
    """The gradient that `backward` begins with: the one set, or ones."""
    grad = y._grad
    if grad is None:
        data = operand(y._data)
        grad = np.ones_like(data)[()] if isinstance(data, ndarray | np.generic) else float64(1.0)
    if create_graph:
        return grad if isinstance(grad, Variable) else constant(grad)
    return operand(grad._data if isinstance(grad, Variable) else grad)


class _Recorded(Variable):
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


def _resolve(x: Any) -> Variable:
    """The Variable that an operator's argument stands for."""
    if isinstance(x, _Recorded):
        return x.original
    if isinstance(x, Variable):
        return x
    return constant(x)


# -------------------------------------------------------------------------------------- functions
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

    def __call__(self, *inputs: Any) -> Any:
        """Apply the operation to Variables, arrays or numbers."""
        variables = [_resolve(x) for x in inputs]
        ys = self.forward(*[as_array(operand(x._data)) for x in variables])
        outputs = [_new(as_array(y), 0) for y in (ys if isinstance(ys, tuple) else (ys,))]
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
            self.inputs = [_Recorded(x) for x in inputs]
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
    operands: list[Operand]
    partials: tuple[Callable[..., Operand], ...] = ()

    def __call__(self, *inputs: Any) -> Variable:
        """Apply the operation to Variables, arrays or numbers."""
        variables = []
        operands = []
        generation = CONSTANT
        for x in inputs:
            if type(x) is not Variable:
                x = _resolve(x)
            variables.append(x)
            data = x._data
            operands.append(data if type(data) is float64 else operand(data))
            generation = max(generation, x.generation)
        if generation == CONSTANT:
            return _new(self.forward(*operands), CONSTANT)
        y = _new(self.forward(*operands), 0)
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
        return _resolve(gx.copy() if isinstance(gx, ndarray) else gx)
    if isinstance(gx, Variable):
        gx = gx._data
    return operand(gx.copy() if isinstance(gx, ndarray) else _as_operand(gx))


def _new(data: Operand, generation: int) -> Variable:
    """A Variable around any operand, without a look at it."""
    variable = Variable.__new__(Variable)
    variable._data = data
    variable._grad = None
    variable._unrecorded = False
    variable.creator = None
    variable.generation = generation
    variable.name = None
    return variable


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

"""The computational graph's nodes: Variable, and the settings of the engine.

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
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import float64, ndarray

from dezero.sweep import Sweep

if TYPE_CHECKING:
    from dezero.function import Function

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
        if isinstance(grad, ndarray | np.generic) and type(grad) is not Gradient:
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

    if TYPE_CHECKING:  # bound in core_simple.py, functions.py and arrays.py, beside the rules

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
        def __matmul__(self, other: Any) -> Variable: ...
        def __rmatmul__(self, other: Any) -> Variable: ...
        def __getitem__(self, index: Any) -> Variable: ...
        def __iter__(self) -> Iterator[Variable]: ...
        def reshape(self, *shape: Any) -> Variable: ...
        def transpose(self, *axes: Any) -> Variable: ...
        def dot(self, other: Any) -> Variable: ...
        def matmul(self, other: Any) -> Variable: ...
        def sum(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def mean(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def prod(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def min(self, axis: Any = None, keepdims: bool = False) -> Variable: ...
        def max(self, axis: Any = None, keepdims: bool = False) -> Variable: ...

        T: Variable

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
    return resolve(obj) if isinstance(obj, Variable) else Variable(as_array(obj))


def constant(data: Any, name: str | None = None) -> Variable:
    """A Variable that takes no gradient, so that `backward` passes it by.

    `data` is a number or anything that ``numpy.asarray`` makes an array of numbers of.
    """
    if type(data) is float or type(data) is int:
        data = float64(data)
    variable = new(operand(as_operand(data)), CONSTANT)
    variable.name = name
    return variable


def operand(data: Any) -> Operand:
    """What rules compute with: floating point, and 0-d arrays as their element."""
    if isinstance(data, ndarray | np.generic):
        if data.dtype is not _FLOAT64 and data.dtype.kind in "biu":
            data = data.astype(float64)  # integers wrap around and have no negative powers
        return data if data.ndim else data[()]
    return data


def as_operand(data: Any) -> Any:
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


def resolve(x: Any) -> Variable:
    """The Variable that an operator's argument stands for."""
    if isinstance(x, Recorded):
        return x.original
    if isinstance(x, Variable):
        return x
    return constant(x)


def new(data: Operand, generation: int) -> Variable:
    """A Variable around any operand, without a look at it."""
    variable = Variable.__new__(Variable)
    variable._data = data
    variable._grad = None
    variable._unrecorded = False
    variable.creator = None
    variable.generation = generation
    variable.name = None
    return variable

"""The define-by-run engine: Variable, Function and the arithmetic operators.

A `Variable` holds an array and remembers the `Function` that made it; `Variable.backward` walks
those functions from the last to the first and adds up gradients.  The names and the behaviour are
those of steps 17 to 22 of building DeZero, so code written for those steps runs unchanged.

What flows through an operator is called an operand: a ``numpy.float64`` (a 0-d array's element,
ten times as fast as the array), an ``ndarray``, or anything else that answers to operators and to
NumPy's ufuncs.  Derivative rules are written in those alone, so that one rule serves arrays,
Variables (while the gradient itself is being recorded) and tracers.
"""

from __future__ import annotations

import contextlib
import operator
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

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
_LEAF, _CONSTANT, _UNRECORDED = range(3)  # what a Variable without a creator is


class Variable:
    """An array that remembers how it was made.

    `data` is an ``ndarray`` (or None); anything else is a TypeError.  `grad` is None until a
    `backward` reaches the Variable, then an ``ndarray`` of the same shape (a Variable after
    ``backward(create_graph=True)``).  `generation` is 0 for an input and one more than the
    largest of its inputs' for a result.
    """

    __slots__ = ("_data", "_grad", "_role", "creator", "generation", "name", "__weakref__")

    def __init__(self, data: ndarray | None, name: str | None = None) -> None:
        if data is not None and not isinstance(data, ndarray):
            raise TypeError(f"{type(data)} is not supported")
        self._data: Operand = data
        self._grad: Operand = None
        self._role = _LEAF
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
        if self._role == _CONSTANT:
            return
        if self._role == _UNRECORDED:
            raise RuntimeError(
                "backward() needs the graph, and this Variable was computed under no_grad()"
            )
        if self._grad is None:
            self._grad = _seed(self, create_graph)
        if self.creator is not None:
            with using_config("enable_backprop", create_graph), np.errstate(all="ignore"):
                Sweep(self, retain_grad, create_graph).run()

    # Elementwise comparison replaces identity in ==, as it does for ndarray; hashing stays by
    # identity, so Variables still serve as keys.
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
    variable = Variable(np.asarray(data), name)
    variable._data = operand(variable._data)
    variable._role = _CONSTANT
    return variable


def operand(data: Any) -> Operand:
    """What rules compute with: floating point, and 0-d arrays as their element."""
    if isinstance(data, ndarray | np.generic):
        if data.dtype.kind in "biu":  # integers wrap around and have no negative powers
            data = data.astype(float64)
        return data[()] if data.ndim == 0 else data
    return data


def _seed(y: Variable, create_graph: bool) -> Operand:
    data = operand(y._data)
    ones = np.ones_like(data)[()] if isinstance(data, ndarray | np.generic) else float64(1.0)
    return constant(ones) if create_graph else ones


class _Recorded(Variable):
    """An input as a user-written backward sees it while the gradient is being recorded.

    Its `data` is the Variable itself: the notes' ``self.inputs[0].data`` then takes part in the
    recording, and higher derivatives of code written that way come out right.
    """

    __slots__ = ("original",)

    def __init__(self, original: Variable) -> None:
        super().__init__(None, original.name)
        self.original = original

    @property
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
        outputs = [_new(as_array(y)) for y in (ys if isinstance(ys, tuple) else (ys,))]
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
            None if x._role == _CONSTANT or gx is None else _gradient(gx, recording)
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

    __slots__ = ()
    partials: tuple[Callable[..., Operand], ...] = ()

    def __call__(self, *inputs: Any) -> Variable:
        """Apply the operation to Variables, arrays or numbers."""
        variables = [x if type(x) is Variable else _resolve(x) for x in inputs]
        data = self.forward(
            *[
                data if type(data := x._data) is float64 else operand(data)
                for x in variables
            ]
        )
        y = _new(data)
        generation = -1
        for x in variables:
            if x._role != _CONSTANT and x.generation > generation:
                generation = x.generation
        if generation < 0:
            y._role = _CONSTANT
        elif Config.enable_backprop:
            self.generation = generation
            self.inputs = variables
            self.outputs = [weakref.ref(y)]
            y.creator = self
            y.generation = generation + 1
        else:
            y._role = _UNRECORDED
        return y

    def backward(self, *gys: Any) -> tuple[Any, ...]:
        """Compute every input's gradient from the output's gradient."""
        y = self.outputs[0]()
        operands = [operand(x._data) for x in self.inputs]
        value = self.forward(*operands) if y is None else operand(y._data)
        return tuple(partial(self, gys[0], value, *operands) for partial in self.partials)

    def gradients(self, gys: list[Operand], recording: bool) -> list[Operand]:
        """Give the gradient for each input that needs one, None for the others."""
        y: Any = self.outputs[0]()
        operands: list[Any] = self.inputs
        if not recording:
            y = y._data
            operands = [
                data if type(data := x._data) is float64 else operand(data) for x in operands
            ]
        return [
            None if x._role == _CONSTANT else partial(self, gys[0], y, *operands)
            for x, partial in zip(self.inputs, self.partials, strict=False)
        ]


def _gradient(gx: Any, recording: bool) -> Operand:
    """A gradient that a user-written backward gave, as an operand nobody else holds."""
    if recording:
        return _resolve(gx)
    if isinstance(gx, Variable):
        gx = gx._data
    gx = operand(gx if isinstance(gx, np.generic) else np.array(gx))
    return gx


def _new(data: Operand) -> Variable:
    """A Variable around any operand, without a look at it."""
    variable = Variable.__new__(Variable)
    variable._data = data
    variable._grad = None
    variable._role = _LEAF
    variable.creator = None
    variable.generation = 0
    variable.name = None
    return variable


def _connect(function: Function, inputs: list[Variable], outputs: list[Variable]) -> None:
    """Record that `function` made `outputs` of `inputs`, where that is wanted."""
    generations = [x.generation for x in inputs if x._role != _CONSTANT]
    if not generations or not Config.enable_backprop:
        for output in outputs:
            output._role = _UNRECORDED if generations else _CONSTANT
        return
    function.generation = max(generations)
    function.inputs = inputs
    function.outputs = [weakref.ref(output) for output in outputs]
    function.shapes = [output.shape for output in outputs]
    for output in outputs:
        output.set_creator(function)


# ------------------------------------------------------------------------------------- arithmetic
class Add(Rule):
    """x0 + x1."""

    forward = staticmethod(operator.add)
    partials = (
        lambda self, gy, y, x0, x1: gy,
        lambda self, gy, y, x0, x1: gy,
    )


class Mul(Rule):
    """x0 * x1."""

    forward = staticmethod(operator.mul)
    partials = (
        lambda self, gy, y, x0, x1: gy * x1,
        lambda self, gy, y, x0, x1: gy * x0,
    )


class Neg(Rule):
    """-x."""

    forward = staticmethod(operator.neg)
    partials = (lambda self, gy, y, x: -gy,)


class Pos(Rule):
    """+x, a copy."""

    forward = staticmethod(np.positive)
    partials = (lambda self, gy, y, x: gy,)


class Sub(Rule):
    """x0 - x1."""

    forward = staticmethod(operator.sub)
    partials = (
        lambda self, gy, y, x0, x1: gy,
        lambda self, gy, y, x0, x1: -gy,
    )


class Div(Rule):
    """x0 / x1; the second gradient comes from the quotient, as x1**2 would underflow."""

    forward = staticmethod(operator.truediv)
    partials = (
        lambda self, gy, y, x0, x1: gy / x1,
        lambda self, gy, y, x0, x1: -gy * (y / x1),
    )


class Pow(Rule):
    """x**c for a literal number c (notes, step 22); a square is a product, exactly."""

    __slots__ = ("c",)

    def __init__(self, c: float) -> None:
        self.c = c

    def forward(self, x: Operand) -> Operand:
        return np.positive(x) if self.c == 1 else _power(x, self.c)

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The gradient for x; that of x**0 is 0, at 0 too."""
        if self.c == 0:
            return zero(gy)
        return gy if self.c == 1 else gy * (self.c * _power(x, self.c - 1))

    partials = (gradient,)


class Power(Rule):
    """x0**x1, both variable; x0**0 is flat in x0 and 0**x1 in x1, for x1 >= 0."""

    forward = staticmethod(np.power)
    partials = (
        lambda self, gy, y, x0, x1: gy * np.where(x1 == 0, 0.0, x1 * np.power(x0, x1 - 1)),
        lambda self, gy, y, x0, x1: gy * np.where((x0 == 0) * (x1 >= 0), 0.0, y * np.log(x0)),
    )


def _power(x: Operand, c: float) -> Operand:
    return x if c == 1 else x * x if c == 2 else np.power(x, c)


def zero(gy: Operand) -> Operand:
    """The gradient of an operation that is flat wherever it has a gradient."""
    return constant(0.0) if isinstance(gy, Variable) else float64(0.0)


def add(x0: Any, x1: Any) -> Variable:
    """x0 + x1."""
    return Add()(x0, x1)


def mul(x0: Any, x1: Any) -> Variable:
    """x0 * x1."""
    return Mul()(x0, x1)


def neg(x: Any) -> Variable:
    """-x."""
    return Neg()(x)


def pos(x: Any) -> Variable:
    """+x."""
    return Pos()(x)


def sub(x0: Any, x1: Any) -> Variable:
    """x0 - x1."""
    return Sub()(x0, x1)


def rsub(x0: Any, x1: Any) -> Variable:
    """x1 - x0."""
    return Sub()(x1, x0)


def div(x0: Any, x1: Any) -> Variable:
    """x0 / x1."""
    return Div()(x0, x1)


def rdiv(x0: Any, x1: Any) -> Variable:
    """x1 / x0."""
    return Div()(x1, x0)


def pow(x: Any, c: Any) -> Variable:
    """x**c; a plain number `c` is a literal (see `Pow`), anything else a variable."""
    return Pow(c)(x) if isinstance(c, int | float) else Power()(x, c)


def rpow(x: Any, c: Any) -> Variable:
    """c**x."""
    return Power()(c, x)


def square(x: Any) -> Variable:
    """x*x."""
    return Pow(2)(x)


UFUNCS |= {
    np.add: add,
    np.subtract: sub,
    np.multiply: mul,
    np.divide: div,
    np.power: pow,
    np.negative: neg,
    np.positive: pos,
    np.square: square,
}

Variable.__add__ = Variable.__radd__ = add  # type: ignore[attr-defined]
Variable.__mul__ = Variable.__rmul__ = mul  # type: ignore[attr-defined]
Variable.__neg__ = neg  # type: ignore[attr-defined]
Variable.__pos__ = pos  # type: ignore[attr-defined]
Variable.__sub__ = sub  # type: ignore[attr-defined]
Variable.__rsub__ = rsub  # type: ignore[attr-defined]
Variable.__truediv__ = div  # type: ignore[attr-defined]
Variable.__rtruediv__ = rdiv  # type: ignore[attr-defined]
Variable.__pow__ = pow  # type: ignore[attr-defined]
Variable.__rpow__ = rpow  # type: ignore[attr-defined]

"""A run of the engine written down: Tracer records what the operators do, Program is the record.

Variables that hold Tracers run through the same rules as Variables that hold arrays, so the trace
of a function and its `backward` is the value and every gradient as one straight line of NumPy
operations on columns.  Nothing here knows a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from dezero.arithmetic import SHORTCUTS, raised
from dezero.graph import Variable

Instruction = tuple[Callable[..., Any], tuple[int, ...]]
"""An operation and the numbers of the values that it is applied to.

The operation is a NumPy ufunc, ``numpy.where``, or the forward of a rule that is made of several
of those (see `dezero.rule.composed`), which `Program.lowered` writes out.
"""

BLOCK = 8192
"""Rows that `Program.run` works on at a time: a dozen buffers of them fit a core's cache."""


class TraceError(TypeError):
    """An operation that a program of columns cannot hold; the message names it."""


class SizeError(Exception):
    """A program that would have more operations than were allowed."""


@dataclass(frozen=True, slots=False)
class Program:
    """Named columns in, columns out, and the operations between, in order.

    Values are numbered: first the inputs, then the constants, then the operations' results, each
    a float64 (a comparison gives 1.0 or 0.0).  `outputs` holds the numbers of the results.
    """

    inputs: tuple[str, ...]
    constants: tuple[float, ...]
    operations: tuple[Instruction, ...]
    outputs: tuple[int, ...]

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What two programs that compute the same have in common (nan and -0.0 told apart)."""
        constants = tuple(float(c).hex() for c in self.constants)
        return self.inputs, constants, self.operations, self.outputs

    @property
    def first(self) -> int:
        """The number of the first operation's result."""
        return len(self.inputs) + len(self.constants)

    @cached_property
    def lowered(self) -> Program:
        """The same in ufuncs and ``numpy.where`` alone, as everything but a derivative needs it."""
        return self.written_out(lambda _: False)

    @cached_property
    def buffers(self) -> tuple[list[int], int]:
        """A buffer for each operation's result, as `run` uses them, and how many there are."""
        return _assign_buffers(self)

    def written_out(self, kept: Callable[[Any], bool]) -> Program:
        """The same with every operation made of several ufuncs written out, but those `kept`."""

        def is_left(function: Any) -> bool:
            return not hasattr(function, "in_ufuncs") or kept(function)

        if all(is_left(function) for function, _ in self.operations):
            return self
        recorder = Recorder(self.inputs)
        tracers = [Tracer(recorder, number) for number in range(len(self.inputs))]
        values = replay(self, tracers, lambda f: f if is_left(f) else f.in_ufuncs)
        program = recorder.program(output_number(recorder, value) for value in values)
        return program.written_out(kept)  # what was written out may be made of others

    def run(self, columns: Mapping[str, Any]) -> list[np.ndarray]:
        """Replay the program on columns (1-d arrays of one length, or numbers for all rows).

        Gives an array of that length for each output; of length 1 where all inputs are numbers.
        The bits are those of the engine itself on the same arrays.  Raises KeyError for a
        missing column and ValueError for columns of different lengths.
        """
        arrays = [np.asarray(columns[name], dtype=np.float64) for name in self.inputs]
        rows = np.broadcast_shapes((1,), *(array.shape for array in arrays))[0]
        results = [np.empty(rows) for _ in self.outputs]
        replay = _Replay(self.lowered)
        with np.errstate(all="ignore"):
            for start in range(0, rows, BLOCK):
                block = slice(start, min(start + BLOCK, rows))
                replay.block(
                    [array[block] if array.shape == (rows,) else array for array in arrays],
                    [result[block] for result in results],
                )
        return results


class _Replay:
    """The buffers of one run, each used again once its value is dead."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.constants = [np.float64(c) for c in program.constants]
        self.slots, count = program.buffers
        self.buffers = [np.empty(BLOCK) for _ in range(count)]

    def block(self, inputs: list[np.ndarray], results: list[np.ndarray]) -> None:
        """Compute one block of rows into `results`."""
        rows = len(results[0])
        values: list[Any] = [*inputs, *self.constants]
        for (function, operands), slot in zip(self.program.operations, self.slots, strict=True):
            out = self.buffers[slot][:rows]
            _apply(function, [values[i] for i in operands], out)
            values.append(out)
        for result, number in zip(results, self.program.outputs, strict=True):
            result[...] = values[number]


def _assign_buffers(program: Program) -> tuple[list[int], int]:
    """A buffer for each operation's result such that no living value is overwritten."""
    last = {
        number: position
        for position, (_, operands) in enumerate(program.operations)
        for number in operands
    }
    last |= dict.fromkeys(program.outputs, len(program.operations))
    free: list[int] = []
    slots: list[int] = []
    count = 0
    for position, (function, operands) in enumerate(program.operations):
        dying = [
            slots[i - program.first]
            for i in set(operands)
            if i >= program.first and last[i] == position
        ]
        in_place = function is not np.where  # where copies one operand before it reads the other
        free += dying if in_place else []
        if not free:
            free.append(count)
            count += 1
        slots.append(free.pop())
        free += [] if in_place else dying
    return slots, count


def _apply(function: Callable[..., Any], operands: list[Any], out: np.ndarray) -> None:
    if function is np.where:
        condition, chosen, other = operands
        np.copyto(out, other)
        np.copyto(out, chosen, where=np.not_equal(condition, 0.0))
    elif function is np.power:
        out[...] = raised(*operands)
    else:
        function(*operands, out=out)


class Recorder:
    """The values of a trace: the same operation on the same operands is one value."""

    def __init__(self, inputs: Sequence[str], most: int | None = None) -> None:
        self.inputs = tuple(inputs)
        self.most = most
        self.values: list[Any] = list(inputs)  # a name, a float, or an Instruction
        self.numbers: dict[Any, int] = {}

    def constant(self, number: float) -> int:
        """The number of a constant's value."""
        return self._number(float(number).hex(), float(number))

    def _number(self, key: Any, value: Any) -> int:
        known = self.numbers.get(key)
        if known is None:
            known = self.numbers[key] = len(self.values)
            self.values.append(value)
            if self.most is not None and known > self.most:
                raise SizeError(f"more than {self.most:,} operations")
        return known

    def apply(self, function: Callable[..., Any], *operands: int) -> int:
        """The number of `function` applied to values, after every exact rewrite."""
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

    def is_constant(self, number: int, value: float) -> bool:
        """Whether a value is this constant (0.0 is not -0.0)."""
        return self.numbers.get(float(value).hex()) == number

    def operation(self, number: int, function: Callable[..., Any]) -> tuple[int, ...] | None:
        """The operands of a value that `function` made, else None."""
        value = self.values[number]
        return value[1] if isinstance(value, tuple) and value[0] is function else None

    def program(self, outputs: Iterable[int]) -> Program:
        """The program of `outputs`; what none of them needs is dropped."""
        outputs = list(outputs)
        needed = self._needed(outputs)
        constants = [i for i in needed if isinstance(self.values[i], float)]
        operations = [i for i in needed if isinstance(self.values[i], tuple)]
        order = [*range(len(self.inputs)), *constants, *operations]
        renumbered = {old: new for new, old in enumerate(order)}
        return Program(
            self.inputs,
            tuple(self.values[i] for i in constants),
            tuple(
                (function, tuple(renumbered[i] for i in operands))
                for function, operands in (self.values[i] for i in operations)
            ),
            tuple(renumbered[i] for i in outputs),
        )

    def _needed(self, outputs: list[int]) -> list[int]:
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
}


# ----------------------------------------------------------------------------------------- tracer
class Tracer(NDArrayOperatorsMixin):
    """A column that is not there yet: operators and ufuncs on it are recorded."""

    __slots__ = ("number", "recorder")
    shape = ()
    ndim = 0
    size = 1
    dtype = np.dtype(np.float64)

    def __init__(self, recorder: Recorder, number: int) -> None:
        self.recorder = recorder
        self.number = number

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(x, Variable) for x in inputs):
            return NotImplemented
        if method != "__call__" or options or ufunc.nout != 1 or ufunc.signature is not None:
            raise TraceError(f"numpy.{ufunc.__name__} has no place in a program of columns")
        return self._record(ufunc, inputs)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        if any(issubclass(kind, Variable) for kind in types):
            return NotImplemented
        if options or not (function is np.where or hasattr(function, "in_ufuncs")):
            raise TraceError(
                f"numpy.{function.__name__} has no place in a program of columns, "
                "which works row by row"
            )
        return self._record(function, inputs)

    def _record(self, function: Callable[..., Any], inputs: Sequence[Any]) -> Tracer:
        numbers = [self._operand(x) for x in inputs]
        return Tracer(self.recorder, self.recorder.apply(function, *numbers))

    def _operand(self, x: Any) -> int:
        if isinstance(x, Tracer):
            if x.recorder is not self.recorder:
                raise TraceError("two traces cannot share a column")
            return x.number
        if np.ndim(x) != 0:
            raise TraceError("an array inside a function of columns; pass it as an input")
        return self.recorder.constant(float(x))

    def __pow__(self, exponent: Any) -> Any:
        """x**c as ndarray does it: some plain numbers have operations of their own."""
        if isinstance(exponent, int | float) and exponent in SHORTCUTS:
            ufunc = SHORTCUTS[exponent]
            return np.float64(1.0) if ufunc is None else self._record(ufunc, (self,))
        return np.power(self, exponent)

    def __bool__(self) -> bool:
        raise TraceError("a branch on a value cannot be traced; use where(condition, a, b)")

    def __float__(self) -> float:
        raise TraceError("a column has no value while it is traced")

    __int__ = __index__ = __float__

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TraceError("a column has no value while it is traced")

    def __len__(self) -> int:
        raise TraceError("a column has no length while it is traced")

    def __getitem__(self, index: Any) -> Any:
        raise TraceError("an index has no place in a program of columns, which works row by row")

    def __repr__(self) -> str:
        return f"Tracer({self.recorder.values[self.number]})"


def trace(
    function: Callable[..., Any],
    inputs: Sequence[str],
    wrt: Sequence[str] | None = None,
    most: int | None = None,
) -> Program:
    """The program of a function's value and its gradient for each input.

    `function` takes a Variable for each of `inputs` and returns one Variable; the outputs are the
    value, then the gradients for the inputs named in `wrt` (default: all; none if empty).
    Raises TraceError where an operation has no place in a program of columns, SizeError where
    there are more than `most`.
    """
    recorder = Recorder(inputs, most)
    variables = column_variables(recorder)
    wrt = recorder.inputs if wrt is None else wrt
    y = function(*variables.values())
    if wrt and isinstance(y, Variable):
        y.backward()
    gradients = [variables[name].grad for name in wrt]
    return recorder.program(output_number(recorder, value) for value in [y, *gradients])


def column_variables(recorder: Recorder) -> dict[str, Variable]:
    """A Variable over a Tracer for each input of a recorder."""
    variables = {}
    for number, name in enumerate(recorder.inputs):
        variables[name] = Variable._around(Tracer(recorder, number), 0, name)
    return variables


def output_number(recorder: Recorder, value: Any) -> int:
    """The number of a result; no gradient is a gradient of 0."""
    if isinstance(value, Variable):
        value = value._data
    if value is None:
        return recorder.constant(0.0)
    if isinstance(value, Tracer):
        return value.number
    if np.ndim(value) != 0:
        raise TraceError("the result is an array, where a program of columns has a number a row")
    return recorder.constant(float(value))


def differentiate(
    program: Program, wanted: Sequence[tuple[int, Sequence[str]]], most: int | None = None
) -> Program:
    """The program of the gradients of outputs, each for the inputs named with it.

    The program is replayed once on Variables over new Tracers, so derivatives of any order cost
    what their own shared operations cost.  Raises SizeError, before anything is done, if a walk
    back from each output takes more than `most` operations, or as soon as as many are recorded.
    """
    if most is not None and _work(program, [output for output, _ in wanted]) > most:
        raise SizeError(f"more than {most:,} operations")
    recorder = Recorder(program.inputs, most)
    variables = column_variables(recorder)
    outputs = replay(program, list(variables.values()))
    numbers: list[int] = []
    for output, wrt in wanted:
        for variable in variables.values():
            variable.cleargrad()
        y = outputs[output]
        if isinstance(y, Variable):
            y.backward()
        numbers += [output_number(recorder, variables[name].grad) for name in wrt]
    return recorder.program(numbers)


def _work(program: Program, outputs: Sequence[int]) -> int:
    """At least how many operations the walks back from outputs take: one an operand."""
    work = 0
    for output in outputs:
        needed = {program.outputs[output]}
        for number in range(program.first + len(program.operations) - 1, program.first - 1, -1):
            if number in needed:
                operands = program.operations[number - program.first][1]
                needed.update(operands)
                work += len(operands)
    return work


def replay(
    program: Program, operands: Sequence[Any], form: Callable[[Any], Any] = lambda f: f
) -> list[Any]:
    """A program's outputs for any operands, one for each input: arrays, Variables or Tracers.

    `form` gives what is called for an operation.
    """
    values: list[Any] = [*operands, *program.constants]
    with np.errstate(all="ignore"):
        for function, numbers in program.operations:
            values.append(form(function)(*(values[i] for i in numbers)))
    return [values[i] for i in program.outputs]


def merge(parts: Sequence[tuple[Program, int]]) -> Program:
    """One program of single outputs of several programs with the same inputs."""
    recorder = Recorder(parts[0][0].inputs)
    tracers = [Tracer(recorder, number) for number in range(len(recorder.inputs))]
    replayed: dict[int, list[Any]] = {}
    for program, _ in parts:
        if id(program) not in replayed:
            replayed[id(program)] = replay(program, tracers)
    return recorder.program(output_number(recorder, replayed[id(p)][i]) for p, i in parts)

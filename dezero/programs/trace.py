"""A run of the engine written down: tracers record what the operators do, Program is the record.

Variables that hold Tracers run through the same rules as Variables that hold arrays, so the trace
of a function and its `backward` is the value and every gradient as one straight line of NumPy
operations on columns.  Nothing here knows a derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dezero.arithmetic import raised
from dezero.graph import CONSTANT, Variable
from dezero.programs.recorder import Instruction, Recorder
from dezero.programs.recorder import SizeError as SizeError
from dezero.programs.recorder import TraceError as TraceError
from dezero.programs.tracer import TracedArray, Tracer

BLOCK = 8192
"""Rows that `Program.run` works on at a time: a dozen buffers of them fit a core's cache."""


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
        return self.written_out(lambda _: False, lambda f: f.in_ufuncs)

    @cached_property
    def readable(self) -> Program:
        """The same as formulas and code have it: an operation that has a form to read takes it."""
        return self.written_out(lambda _: False)

    @cached_property
    def buffers(self) -> tuple[list[int], int]:
        """A buffer for each operation's result, as `run` uses them, and how many there are."""
        return _assign_buffers(self)

    def written_out(
        self, kept: Callable[[Any], bool], form: Callable[[Any], Any] = lambda f: f.in_text
    ) -> Program:
        """The same with every operation made of several ufuncs written out, but those `kept`.

        `form` gives what is written for an operation.
        """

        def is_left(function: Any) -> bool:
            return not hasattr(function, "in_ufuncs") or kept(function)

        if all(is_left(function) for function, _ in self.operations):
            return self
        recorder = Recorder(self.inputs)
        tracers = [Tracer(recorder, number) for number in range(len(self.inputs))]
        forms = {f: f if is_left(f) else form(f) for f, _ in self.operations}
        values = replay(self, tracers, forms.__getitem__)
        program = recorded_program(recorder, [output_number(recorder, value) for value in values])
        return program.written_out(kept, form)  # what was written out may be made of others

    def run(self, columns: Mapping[str, Any]) -> list[np.ndarray]:
        """Replay the program on columns (1-d arrays of one length, or numbers for all rows).

        Gives an array of that length for each output; of length 1 where all inputs are numbers.
        The bits are those of one walk of the engine on the same arrays, which is not repeated
        where it left the range of numbers (see ``dezero.sweep.Rescaled``).  Raises KeyError for a
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
    elif isinstance(function, np.ufunc):
        function(*operands, out=out)
    else:
        out[...] = function(*operands)


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
    wrt = recorder.inputs if wrt is None else wrt
    variables = column_variables(recorder, wrt)
    y = function(*variables.values())
    value = output_number(recorder, y)
    if wrt and isinstance(y, Variable):
        y.backward()
    gradients = [output_number(recorder, variables[name].grad) for name in wrt]
    return recorded_program(recorder, [value, *gradients])


def recorded_program(recorder: Recorder, outputs: Iterable[int]) -> Program:
    """The program of `outputs`; what none of them needs is dropped."""
    outputs = list(outputs)
    needed = recorder.needed(outputs)
    constants = [i for i in needed if isinstance(recorder.values[i], float)]
    operations = [i for i in needed if isinstance(recorder.values[i], tuple)]
    order = [*range(len(recorder.inputs)), *constants, *operations]
    renumbered = {old: new for new, old in enumerate(order)}
    return Program(
        recorder.inputs,
        tuple(recorder.values[i] for i in constants),
        tuple(
            (function, tuple(renumbered[i] for i in operands))
            for function, operands in (recorder.values[i] for i in operations)
        ),
        tuple(renumbered[i] for i in outputs),
    )


def column_variables(recorder: Recorder, wrt: Collection[str]) -> dict[str, Variable]:
    """A Variable over a Tracer for each input of a recorder; those not in `wrt` are constant."""
    variables = {}
    for number, name in enumerate(recorder.inputs):
        generation = 0 if name in wrt else CONSTANT
        variables[name] = Variable._around(Tracer(recorder, number), generation, name)
    return variables


def output_number(recorder: Recorder, value: Any) -> int:
    """The number of a result; no gradient is a gradient of 0."""
    if isinstance(value, Variable):
        value = value._data
    if value is None:
        return recorder.constant(0.0)
    if isinstance(value, Tracer):
        return value.number
    if isinstance(value, TracedArray) or np.ndim(value) != 0:
        raise TraceError("the result is an array, where every row has one number")
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
    variables = column_variables(recorder, {name for _, wrt in wanted for name in wrt})
    outputs = replay(program, list(variables.values()))
    numbers: list[int] = []
    for output, wrt in wanted:
        for variable in variables.values():
            variable.cleargrad()
        y = outputs[output]
        if isinstance(y, Variable):
            y.backward()
        numbers += [output_number(recorder, variables[name].grad) for name in wrt]
    return recorded_program(recorder, numbers)


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
    values: list[Any] = [*operands, *map(np.float64, program.constants)]
    with np.errstate(all="ignore"):
        for function, numbers in program.operations:
            values.append(form(function)(*(values[i] for i in numbers)))
    return [values[i] for i in program.outputs]


def merge(parts: Sequence[tuple[Program, int]]) -> Program:
    """One program of single outputs of several programs with the same inputs."""
    recorder = Recorder(parts[0][0].inputs)
    tracers = [Tracer(recorder, number) for number in range(len(recorder.inputs))]
    programs = {id(program): program for program, _ in parts}  # each is replayed once
    results = {key: replay(program, tracers) for key, program in programs.items()}
    outputs = [results[id(program)][i] for program, i in parts]
    return recorded_program(recorder, [output_number(recorder, value) for value in outputs])

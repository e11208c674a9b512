"""A Program as the text of an LLVM module: a loop over rows, a vector of them at a time.

The arithmetic is IEEE's, operation by operation: no fast-math, no fused multiply-add, so its bits
are NumPy's.  Elementary functions are calls, of a vector function where there is one, else of
libm's, lane by lane.  A long program is cut into segments, each a loop of its own over a tile of
rows, and the values that pass between segments wait in scratch memory: compilation then takes
time in proportion to the program, and the loop that runs stays in the instruction cache.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from dezero.arithmetic import SHORTCUTS
from dezero.names import C_NAMES, RELATIONS
from dezero.programs.trace import Program

SEGMENT = 256
"""Operations in a segment; the time to allocate registers grows faster than their number."""

TILE = 256
"""Rows, at most, that a segment works on before the next one has its turn."""

SCRATCH = 1 << 16
"""Numbers that scratch memory holds at most, tiles permitting, so that it stays in a cache."""

ARITHMETIC = {np.add: "fadd", np.subtract: "fsub", np.multiply: "fmul", np.divide: "fdiv"}
CONDITIONS = {relation.ufunc: relation.llvm for relation in RELATIONS}
INTRINSICS = {np.absolute, np.sqrt, np.floor, np.ceil, np.trunc, np.rint, np.copysign}
"""The functions that LLVM has itself, under C's names."""

ELEMENTARY = {ufunc: name for ufunc, name in C_NAMES.items() if ufunc not in INTRINSICS}
"""The functions that are calls, and C's names for them."""


with np.errstate(invalid="ignore"):
    _TAKES_ROOTS = bool(np.isnan(np.power(-np.inf, 0.5)))
    """Whether this NumPy takes a square root for the exponent 0.5, where C's pow gives inf."""


class UnsupportedError(Exception):
    """An operation that cannot be compiled; the message names it."""


@dataclass(frozen=True)
class Machine:
    """What code is made for.

    `lanes` is how many numbers a vector holds; `prefix` with "v" for each argument begins the
    names of the vector functions (the x86-64 vector function ABI); `vector` and `scalar` are the
    C functions that there are in vector form and at all.
    """

    lanes: int
    prefix: str
    vector: frozenset[str]
    scalar: frozenset[str]


@dataclass(frozen=True)
class Module:
    """The text of a module, whose function is

        void kernel(double **inputs, int64_t *steps, double **outputs, void *scratch, int64_t bytes)

    A step is -1 for a column, 0 for a number (a whole vector of it); `bytes` is the length of a
    column, a positive multiple of the vector's.  At `scratch` there is room for that many numbers.
    Code that streams writes past the caches; its outputs must begin at a multiple of the vector's.
    `calls` says whether there is any function that is called.
    """

    text: str
    scratch: int
    calls: bool


STREAMED = "!0 = !{i32 1}"
"""What marks a store that is to go past the caches."""

TABLES = "ptr %inputs, ptr %steps, ptr %outputs, ptr %scratch"


def module(program: Program, machine: Machine, streams: bool = False) -> Module:
    """The module of a program.  Raises UnsupportedError for an operation without machine code."""
    layout = _Layout(program.lowered, machine, streams)
    declarations: dict[str, str] = {}
    bodies = [_Segment(layout, declarations, span) for span in layout.spans]
    if len(bodies) == 1:
        functions = [bodies[0].text(f"void @kernel({TABLES}, i64 %end)", "0")]
    else:
        functions = [
            body.text(f"internal void @segment{number}({TABLES}, i64 %start, i64 %end)", "%start")
            for number, body in enumerate(bodies)
        ]
        functions.append(_kernel(len(bodies), layout.tile))
    text = "\n".join([*declarations.values(), *functions, STREAMED])
    calls = any(not name.startswith("llvm.") for name in declarations)
    return Module(text, layout.slots * layout.tile // 8, calls)


def sums(program: Program, machine: Machine) -> Module:
    """The module whose function adds up products of the outputs; it writes no columns.

    The first of its `outputs` has room for a vector for each pair of outputs, row by row of the
    upper triangle, whose lanes add up to the sum over all rows; the second holds the matrix that
    the outputs are multiplied by before.  Raises UnsupportedError for a long program too.
    """
    layout = _Layout(program.lowered, machine, False)
    if len(layout.spans) > 1:
        raise UnsupportedError("a program of several segments")
    declarations: dict[str, str] = {}
    body = _Sums(layout, declarations, layout.spans[0])
    text = body.text(f"void @kernel({TABLES}, i64 %end)", "0")
    return Module("\n".join([*declarations.values(), text]), 0, True)


def _kernel(segments: int, tile: int) -> str:
    """The function that gives each segment its turn on each tile."""
    calls = "\n".join(
        f"  call void @segment{number}({TABLES}, i64 %start, i64 %end)"
        for number in range(segments)
    )
    return f"""define void @kernel({TABLES}, i64 %bytes) {{
entry:
  br label %tile
tile:
  %start = phi i64 [ 0, %entry ], [ %end, %tile ]
  %left = sub i64 %bytes, %start
  %short = icmp ult i64 %left, {tile}
  %size = select i1 %short, i64 %left, i64 {tile}
  %end = add i64 %start, %size
{calls}
  %more = icmp ult i64 %end, %bytes
  br i1 %more, label %tile, label %exit
exit:
  ret void
}}"""


class _Layout:
    """Where a program's values are: spans of operations, and slots of scratch memory.

    `slot` gives the place of each value that a later segment reads; a slot holds the `tile` bytes
    of a tile's rows, and serves again once the last segment that reads it is over.
    """

    def __init__(self, program: Program, machine: Machine, streams: bool) -> None:
        self.program = program
        self.machine = machine
        self.streams = streams
        count = len(program.operations)
        self.spans = [range(i, min(i + SEGMENT, count)) for i in range(0, max(count, 1), SEGMENT)]
        self.slot: dict[int, int] = {}
        self.slots = 0
        self._assign_slots()
        vector = 8 * machine.lanes
        rows = min(TILE, SCRATCH // max(self.slots, 1))
        self.tile = max(8 * rows // vector, 1) * vector

    def _assign_slots(self) -> None:
        last = {
            number: position // SEGMENT
            for position, (_, operands) in enumerate(self.program.operations)
            for number in operands
        }
        free: list[int] = []
        dying: dict[int, list[int]] = {}
        for position in range(len(self.program.operations)):
            segment, first = divmod(position, SEGMENT)
            if first == 0:
                free += dying.pop(segment - 1, [])
            number = self.program.first + position
            end = last.get(number, segment)
            if end > segment:
                if not free:
                    free.append(self.slots)
                    self.slots += 1
                self.slot[number] = free.pop()
                dying.setdefault(end, []).append(self.slot[number])


class _Segment:
    """The text of one segment: straight-line code for a vector of rows, in a loop."""

    def __init__(self, layout: _Layout, declarations: dict[str, str], span: range) -> None:
        self.layout = layout
        self.program = layout.program
        self.machine = layout.machine
        self.declarations = declarations
        self.span = span
        self.vector = f"<{self.machine.lanes} x double>"
        self.entry: list[str] = []
        self.carried: list[str] = []
        self.body: list[str] = []
        self.last: list[str] = []
        self.values: dict[int, str] = {}
        self.masks: dict[int, str] = {}
        self.names = 0

    def text(self, header: str, start: str) -> str:
        """The segment as an LLVM function, for the bytes of the columns from `start` to %end."""
        for position in self.span:
            self._compute(position)
        self._deliver()
        entry, carried, body, last = map(
            "\n".join, (self.entry, self.carried, self.body, self.last)
        )
        return f"""define {header} {{
entry:
{entry}
  br label %rows
rows:
  %at = phi i64 [ {start}, %entry ], [ %next, %rows ]
{carried}
  %row = sub i64 %at, {start}
{body}
  %next = add i64 %at, {8 * self.machine.lanes}
  %more = icmp ult i64 %next, %end
  br i1 %more, label %rows, label %exit
exit:
{last}
  {"fence seq_cst" if self.layout.streams else ""}
  ret void
}}"""

    def _deliver(self) -> None:
        """What is done with the outputs."""
        for place, output in enumerate(self.program.outputs):
            made = max(output - self.program.first, 0)  # inputs and constants: by the first
            if made in self.span or not self.program.operations:
                self._store(place, output)

    def _compute(self, position: int) -> None:
        function, operands = self.program.operations[position]
        number = self.program.first + position
        self.values[number] = self._operation(number, function, operands)
        slot = self.layout.slot.get(number)
        if slot is not None:
            self._put(self._scratch(slot), self.values[number])

    def _store(self, place: int, number: int) -> None:
        column, value = self._pointer("outputs", place), self._value(number)
        address = self._emit(f"getelementptr i8, ptr {column}, i64 %at")
        if self.layout.streams:
            self._put(address, value, f"{8 * self.machine.lanes}, !nontemporal !0")
        else:
            self._put(address, value)

    # ------------------------------------------------------------------------------ lines of text
    def _emit(self, instruction: str) -> str:
        name = f"%v{self.names}"
        self.names += 1
        self.body.append(f"  {name} = {instruction}")
        return name

    def _put(self, address: str, value: str, align: str = "8") -> None:
        self.body.append(f"  store {self.vector} {value}, ptr {address}, align {align}")

    def _get(self, address: str) -> str:
        return self._emit(f"load {self.vector}, ptr {address}, align 8")

    def _scratch(self, slot: int) -> str:
        base = f"%slot{slot}_{self.names}"
        self.entry.append(
            f"  {base} = getelementptr i8, ptr %scratch, i64 {slot * self.layout.tile}"
        )
        return self._emit(f"getelementptr i8, ptr {base}, i64 %row")

    def _pointer(self, table: str, place: int, kind: str = "ptr") -> str:
        """An element of `inputs`, `steps` or `outputs`, read before the loop."""
        name = f"%{table}{place}"
        self.entry += [
            f"  {name}p = getelementptr {kind}, ptr %{table}, i64 {place}",
            f"  {name} = load {kind}, ptr {name}p",
        ]
        return name

    # --------------------------------------------------------------------------------- operands
    def _value(self, number: int) -> str:
        """The name of a value, read first where it comes from outside this segment."""
        known = self.values.get(number)
        if known is None:
            known = self.values[number] = self._read(number)
        return known

    def _read(self, number: int) -> str:
        inputs = len(self.program.inputs)
        if number >= self.program.first:
            return self._get(self._scratch(self.layout.slot[number]))
        if number >= inputs:
            return self._constant(self.program.constants[number - inputs])
        column = self._pointer("inputs", number)
        offset = self._emit(f"and i64 %at, {self._pointer('steps', number, 'i64')}")
        return self._get(self._emit(f"getelementptr i8, ptr {column}, i64 {offset}"))

    def _constant(self, number: float) -> str:
        lane = f"double 0x{struct.pack('>d', number).hex()}"
        return f"<{', '.join([lane] * self.machine.lanes)}>"

    def _literal(self, number: int) -> float | None:
        """The constant that a value is, else None."""
        place = number - len(self.program.inputs)
        return self.program.constants[place] if 0 <= place < len(self.program.constants) else None

    # ------------------------------------------------------------------------------- operations
    def _operation(self, number: int, function: Callable[..., Any], numbers: Sequence[int]) -> str:
        xs = [self._value(i) for i in numbers]
        if function in CONDITIONS:
            self.masks[number] = self._compare(CONDITIONS[function], *xs)
            return self._select(self.masks[number], self._constant(1.0), self._constant(0.0))
        if function is np.where:
            mask = self.masks.get(numbers[0]) or self._compare("une", xs[0], self._constant(0.0))
            return self._select(mask, xs[1], xs[2])
        if function is np.power:
            return self._power(xs[0], xs[1], self._literal(numbers[1]))
        return self._applied(function, xs)

    def _applied(self, function: Callable[..., Any], xs: Sequence[str]) -> str:
        """A function whose operands alone say what to do."""
        if function in ARITHMETIC:
            return self._emit(f"{ARITHMETIC[function]} {self.vector} {xs[0]}, {xs[1]}")
        if function in INTRINSICS:
            return self._intrinsic(C_NAMES[function], *xs)
        if function in ELEMENTARY:
            return self._call(ELEMENTARY[function], xs)
        special = _SPECIAL.get(function)
        if special is None:
            raise UnsupportedError(getattr(function, "__name__", repr(function)))
        return special(self, *xs)

    def _compare(self, condition: str, x0: str, x1: str) -> str:
        return self._emit(f"fcmp {condition} {self.vector} {x0}, {x1}")

    def _select(self, mask: str, x0: str, x1: str) -> str:
        kind = f"<{self.machine.lanes} x i1>"
        return self._emit(f"select {kind} {mask}, {self.vector} {x0}, {self.vector} {x1}")

    def _multiply(self, x0: str, x1: str) -> str:
        return self._emit(f"fmul {self.vector} {x0}, {x1}")

    def _divide(self, x0: str, x1: str) -> str:
        return self._emit(f"fdiv {self.vector} {x0}, {x1}")

    def _intrinsic(self, operation: str, *xs: str) -> str:
        name = f"llvm.{operation}.v{self.machine.lanes}f64"
        kinds = ", ".join([self.vector] * len(xs))
        self.declarations[name] = f"declare {self.vector} @{name}({kinds})"
        arguments = ", ".join(f"{self.vector} {x}" for x in xs)
        return self._emit(f"call {self.vector} @{name}({arguments})")

    def _negative(self, x: str) -> str:
        return self._emit(f"fneg {self.vector} {x}")

    def _minimum(self, x0: str, x1: str) -> str:
        return self._extreme("olt", x0, x1)

    def _maximum(self, x0: str, x1: str) -> str:
        return self._extreme("ogt", x0, x1)

    def _extreme(self, condition: str, x0: str, x1: str) -> str:
        """As NumPy has it: the second of two equals (0.0 and -0.0), and nan where either is."""
        chosen = self._select(self._compare(condition, x0, x1), x0, x1)
        return self._select(self._compare("uno", x0, x0), x0, chosen)

    def _sign(self, x: str) -> str:
        """-1, 0 or 1; the sign of nan is nan, that of -0.0 is 0.0."""
        zero, one, minus = map(self._constant, (0.0, 1.0, -1.0))
        flat = self._select(self._compare("oeq", x, zero), zero, x)
        below = self._select(self._compare("olt", x, zero), minus, flat)
        return self._select(self._compare("ogt", x, zero), one, below)

    def _remainder(self, x0: str, x1: str) -> str:
        """NumPy's: C's remainder, and x1 more where that has not the sign of x1; 0 has it too."""
        rest, wrong = self._rest(x0, x1)
        moved = self._select(wrong, self._emit(f"fadd {self.vector} {rest}, {x1}"), rest)
        zero = self._constant(0.0)
        signed = self._intrinsic("copysign", zero, x1)
        return self._select(self._compare("oeq", rest, zero), signed, moved)

    def _floor_divide(self, x0: str, x1: str) -> str:
        """NumPy's: of what is left without the remainder, so that it fits the remainder."""
        rest, wrong = self._rest(x0, x1)
        zero, one = self._constant(0.0), self._constant(1.0)
        divided = self._divide(self._emit(f"fsub {self.vector} {x0}, {rest}"), x1)
        less = self._emit(f"fsub {self.vector} {divided}, {one}")
        divided = self._select(wrong, less, divided)
        floor = self._intrinsic("floor", divided)
        above = self._emit(f"fsub {self.vector} {divided}, {floor}")
        rounded = self._compare("ogt", above, self._constant(0.5))
        floor = self._select(rounded, self._emit(f"fadd {self.vector} {floor}, {one}"), floor)
        quotient = self._divide(x0, x1)
        signed = self._intrinsic("copysign", zero, quotient)
        floor = self._select(self._compare("oeq", divided, zero), signed, floor)
        return self._select(self._compare("oeq", x1, zero), quotient, floor)

    def _rest(self, x0: str, x1: str) -> tuple[str, str]:
        """C's remainder, and where it is not 0 and has not the sign of x1."""
        zero = self._constant(0.0)
        self.declarations["fmod"] = "declare double @fmod(double, double)"  # which frem calls
        rest = self._emit(f"frem {self.vector} {x0}, {x1}")
        differ = self._emit(
            f"xor <{self.machine.lanes} x i1> {self._compare('olt', rest, zero)}, "
            f"{self._compare('olt', x1, zero)}"
        )
        not_zero = self._compare("une", rest, zero)
        return rest, self._emit(f"and <{self.machine.lanes} x i1> {not_zero}, {differ}")

    def _power(self, x: str, exponent: str, literal: float | None) -> str:
        """x**exponent; NumPy takes the square root where an exponent is 0.5, for -inf too."""
        if literal in (3.0, 4.0):  # within 2 ulp, and no product overflows before the power does
            square = self._multiply(x, x)
            return self._multiply(square, x if literal == 3 else square)
        if literal is not None and literal in SHORTCUTS:
            shortcut = SHORTCUTS[literal]
            return self._constant(1.0) if shortcut is None else self._applied(shortcut, [x])
        power = self._call("pow", [x, exponent])
        if literal is not None or not _TAKES_ROOTS:
            return power
        half = self._compare("oeq", exponent, self._constant(0.5))
        return self._select(half, self._intrinsic("sqrt", x), power)

    # ------------------------------------------------------------------- elementary functions
    def _call(self, function: str, xs: Sequence[str]) -> str:
        arguments = ", ".join(f"{self.vector} {x}" for x in xs)
        return self._emit(f"call {self.vector} @{self._callee(function, len(xs))}({arguments})")

    def _callee(self, function: str, arity: int) -> str:
        """The name of a function of vectors, declared or defined in the module."""
        if function in self.machine.vector:
            name = f"{self.machine.prefix}{'v' * arity}_{function}"
            kinds = ", ".join([self.vector] * arity)
            self.declarations[name] = f"declare {self.vector} @{name}({kinds})"
        elif function in self.machine.scalar:
            name = f"lanes_{function}"
            self.declarations[name] = self._lane_by_lane(name, function, arity)
        else:
            raise UnsupportedError(function)
        return name

    def _lane_by_lane(self, name: str, function: str, arity: int) -> str:
        kind = self.vector
        lines = []
        for lane in range(self.machine.lanes):
            xs = [f"%x{i}_{lane}" for i in range(arity)]
            lines += [f"  {x} = extractelement {kind} %x{i}, i32 {lane}" for i, x in enumerate(xs)]
            arguments = ", ".join(f"double {x}" for x in xs)
            before = "undef" if lane == 0 else f"%y{lane - 1}"
            lines += [
                f"  %r{lane} = call double @{function}({arguments})",
                f"  %y{lane} = insertelement {kind} {before}, double %r{lane}, i32 {lane}",
            ]
        parameters = ", ".join(f"{kind} %x{i}" for i in range(arity))
        declaration = f"declare double @{function}({', '.join(['double'] * arity)})"
        body = "\n".join(lines)
        return (
            f"{declaration}\ndefine internal {kind} @{name}({parameters}) noinline {{\n{body}\n"
            f"  ret {kind} %y{self.machine.lanes - 1}\n}}"
        )


class _Sums(_Segment):
    """A segment that adds up products of the outputs, multiplied by a matrix before."""

    def _deliver(self) -> None:
        outputs = [self._value(number) for number in self.program.outputs]
        target, matrix = self._pointer("outputs", 0), self._pointer("outputs", 1)
        turned = [self._combined(matrix, i, outputs) for i in range(len(outputs))]
        for place, (x0, x1) in enumerate(combinations_with_replacement(turned, 2)):
            made = self._intrinsic("fmuladd", x0, x1, f"%sum{place}")
            self.carried.append(
                f"  %sum{place} = phi {self.vector} [ zeroinitializer, %entry ], [ {made}, %rows ]"
            )
            self.last += [
                f"  %to{place} = getelementptr {self.vector}, ptr {target}, i64 {place}",
                f"  store {self.vector} {made}, ptr %to{place}, align 8",
            ]

    def _combined(self, matrix: str, row: int, outputs: Sequence[str]) -> str:
        """A row of the matrix times the outputs."""
        total = self._constant(0.0)
        for column, output in enumerate(outputs):
            name, place = f"%m{row}_{column}", row * len(outputs) + column
            self.entry += [
                f"  {name}p = getelementptr double, ptr {matrix}, i64 {place}",
                f"  {name}n = load double, ptr {name}p",
                f"  {name}v = insertelement {self.vector} poison, double {name}n, i32 0",
                f"  {name} = shufflevector {self.vector} {name}v, {self.vector} poison, "
                f"<{self.machine.lanes} x i32> zeroinitializer",
            ]
            total = self._intrinsic("fmuladd", name, output, total)
        return total


_SPECIAL: dict[Callable[..., Any], Callable[..., str]] = {
    np.negative: _Segment._negative,
    np.positive: lambda segment, x: x,
    np.square: lambda segment, x: segment._multiply(x, x),
    np.reciprocal: lambda segment, x: segment._divide(segment._constant(1.0), x),
    np.minimum: _Segment._minimum,
    np.maximum: _Segment._maximum,
    np.sign: _Segment._sign,
    np.remainder: _Segment._remainder,
    np.floor_divide: _Segment._floor_divide,
}

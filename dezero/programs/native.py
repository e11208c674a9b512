"""Programs as machine code: compiled by LLVM, run on float64 columns by several threads.

Where llvmlite is not installed, or a program has an operation without machine code, the same
calls are served by `Program.run`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero.programs import llvm_ir
from dezero.programs.llvm_ir import ELEMENTARY, Machine
from dezero.programs.trace import Program

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CHUNK = 1 << 16
"""Rows that a thread takes at a time; a single chunk is done by the caller's own thread."""

CHUNKS = 8
"""Chunks for each thread that suffice where there are many rows."""

LINE = 64
"""Bytes of a cache line, of which no vector takes more than one."""

STREAMED = 1 << 25
"""Bytes of results from which they are written past the caches, which they would not fit into."""

SUMMED = 16
"""Outputs whose products are added up as they are made: of more, sums no longer fit registers."""

LARGE = 1 << 18
"""Bytes from which a result's memory is worth using again."""

SPARE = 1 << 28
"""Bytes of memory that nobody holds any more and that are kept for results to come, at most."""

LIBRARIES = ("libm.so.6", "libmvec.so.1")
"""Where glibc has its functions of numbers and of vectors."""

_kernels: dict[Any, Kernel] = {}
_lock = threading.Lock()


def compiled(program: Program) -> Kernel:
    """The kernel of a program, kept for the life of the process; safe to call in any thread."""
    kernel = _kernels.get(program.key)
    if kernel is None:
        with _lock:
            kernel = _kernels.get(program.key)
            if kernel is None:
                kernel = _kernels[program.key] = Kernel(program, host())
    return kernel


class Kernel:
    """A program ready to run on columns, as machine code for `machine` if there can be any."""

    def __init__(self, program: Program, machine: Machine | None) -> None:
        self.program = program
        self.machine = machine
        self._code = None if machine is None else _Code.of(program, machine)

    @property
    def is_native(self) -> bool:
        """Whether machine code serves the program, and not `Program.run`."""
        return self._code is not None

    @cached_property
    def _streaming(self) -> _Code:
        """The code for results that are larger than the caches.

        Not for code that calls functions: between calls, stores past the caches take far longer.
        """
        assert self.machine is not None
        return _Code(llvm_ir.module(self.program, self.machine, streams=True), self.machine.lanes)

    def run(self, columns: Mapping[str, ArrayLike], threads: int | None = None) -> list[np.ndarray]:
        """Run the program on columns (1-d arrays of one length, or numbers for all rows).

        Gives an array of that length for each output; of length 1 where all inputs are numbers.
        Long columns are shared out among `threads` (default: one a core).  A row's result has
        the same bits wherever the row is.  The arithmetic gives NumPy's bits; elementary
        functions are within 4 units in the last place.  Raises KeyError for a missing column and
        ValueError for columns of different lengths.
        """
        if self._code is None:
            return self.program.run(columns)
        arrays, rows = self._arrays(columns)
        outputs = len(self.program.outputs)
        code, phase = self._code, 0
        if 8 * rows * outputs >= STREAMED and not code.calls:
            first = _phase(arrays, rows, code.lanes)
            if first is not None:
                code, phase = self._streaming, first
        results = [_result(rows, phase) for _ in range(outputs)]
        run = _Run(code, arrays, results, rows, phase)
        run.chunks(cores() if threads is None else threads)
        return results

    def matrix(self, columns: Mapping[str, ArrayLike], threads: int | None = None) -> np.ndarray:
        """What `run` gives, as the rows of one array."""
        if self._code is None:
            return np.stack(self.program.run(columns))
        arrays, rows = self._arrays(columns)
        outputs, room = len(self.program.outputs), -(-rows * 8 // LINE) * (LINE // 8)
        results = _result(outputs * room, 0).reshape(outputs, room)[:, :rows]
        run = _Run(self._code, arrays, list(results), rows)
        run.chunks(cores() if threads is None else threads)
        return results

    @cached_property
    def _summing(self) -> _Code | None:
        """The code that adds up products of the outputs, if they are few."""
        if self.machine is None or len(self.program.outputs) > SUMMED:
            return None
        try:
            return _Code(llvm_ir.sums(self.program, self.machine), self.machine.lanes)
        except llvm_ir.UnsupportedError:
            return None

    def products(self, columns: Mapping[str, ArrayLike], turn: np.ndarray) -> np.ndarray:
        """The sums over the rows of (turn @ outputs) (turn @ outputs)', by the caller's thread.

        No column is written on the way.  Of n rows a sum is off by at most n*eps/lanes of the sum
        of its sizes; one that is not a finite number may make others so.
        """
        arrays, rows = self._arrays(columns)
        code = self._summing
        done = 0 if code is None else rows - rows % code.lanes
        total = np.zeros(turn.shape)
        if code is not None and done:
            total += _Run(code, arrays, [], rows).sums(done, turn)
        if done < rows:
            rest = {
                name: array[done:] if array.shape == (rows,) else array
                for name, array in zip(self.program.inputs, arrays, strict=True)
            }
            outputs = turn @ self.matrix(rest, 1)
            total += outputs @ outputs.T
        return total

    def _arrays(self, columns: Mapping[str, ArrayLike]) -> tuple[list[np.ndarray], int]:
        """The inputs, and how many rows they have."""
        arrays = [_column(columns[name]) for name in self.program.inputs]
        if any(array.ndim > 1 for array in arrays):
            raise ValueError("a column is an array with one axis")
        return arrays, np.broadcast_shapes((1,), *(array.shape for array in arrays))[0]


class _Code:
    """Machine code, and what it asks of its caller."""

    def __init__(self, module: llvm_ir.Module, lanes: int) -> None:
        from llvmlite import binding as llvm

        compiler = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(),
            features=llvm.get_host_cpu_features().flatten(),
            opt=2,
            jit=True,
        )
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(module.text), compiler)
        self.engine.finalize_object()
        pointers = [ctypes.c_void_p] * 4
        kind = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_int64)  # lets other threads run
        self.function = kind(self.engine.get_function_address("kernel"))
        self.lanes = lanes
        self.scratch = module.scratch
        self.calls = module.calls

    @classmethod
    def of(cls, program: Program, machine: Machine) -> _Code | None:
        """The code of a program, None where an operation has none."""
        try:
            return cls(llvm_ir.module(program, machine), machine.lanes)
        except llvm_ir.UnsupportedError:
            return None


class _Run:
    """One run: the columns of so many rows in, and results, in chunks that any thread may take.

    The rows before `phase`, fewer than a vector, are done apart: the others begin at one.
    """

    def __init__(
        self,
        code: _Code,
        arrays: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        rows: int,
        phase: int = 0,
    ) -> None:
        self.code = code
        self.results = results
        self.rows = rows
        self.phase = phase
        self.is_column = [array.shape == (self.rows,) for array in arrays]
        self.arrays = [
            array if is_column else np.full(code.lanes, array, np.float64)
            for array, is_column in zip(arrays, self.is_column, strict=True)
        ]
        steps = [-1 if is_column else 0 for is_column in self.is_column]
        self.steps = (ctypes.c_int64 * len(steps))(*steps)

    def chunks(self, threads: int) -> None:
        """Do all rows, on the caller's thread and up to ``threads - 1`` others."""
        size = max(CHUNK, self.rows // (CHUNKS * max(threads, 1)) // CHUNK * CHUNK)
        waiting = deque(
            slice(start, min(start + size, self.rows))
            for start in range(self.phase, self.rows, size)
        )
        if self.phase:
            self._chunk(slice(0, self.phase))
        helpers = min(threads, len(waiting)) - 1
        if helpers < 1:
            self._work(waiting)
            return
        with ThreadPoolExecutor(helpers) as pool:
            futures = [pool.submit(self._work, waiting) for _ in range(helpers)]
            self._work(waiting)
        for future in futures:
            future.result()

    def sums(self, rows: int, turn: np.ndarray) -> np.ndarray:
        """What code that adds up products makes of the first rows, a multiple of a vector."""
        count, lanes = len(turn), self.code.lanes
        matrix = np.ascontiguousarray(turn, np.float64)
        room = np.empty((count * (count + 1) // 2, lanes))
        total = np.zeros(len(room))
        for start in range(0, rows, CHUNK):
            part = slice(start, min(start + CHUNK, rows))
            self._call(self._parts(part), [room, matrix], 8 * (part.stop - start))
            total += room.sum(axis=1)
        found = np.zeros((count, count))
        found[np.triu_indices(count)] = total
        return found + np.triu(found, 1).T

    def _work(self, waiting: deque[slice]) -> None:
        while True:
            try:
                rows = waiting.popleft()
            except IndexError:  # another thread took the last
                return
            self._chunk(rows)

    def _chunk(self, rows: slice) -> None:
        """Some rows: whole vectors in place, the rest in vectors padded with ones."""
        lanes = self.code.lanes
        middle = rows.stop - (rows.stop - rows.start) % lanes
        if rows.start < middle:
            whole = slice(rows.start, middle)
            size = 8 * (middle - rows.start)
            self._call(self._parts(whole), [result[whole] for result in self.results], size)
        if middle < rows.stop:
            rest = slice(middle, rows.stop)
            outputs = [_aligned(lanes, 0) for _ in self.results]
            self._call([self._padded(part) for part in self._parts(rest)], outputs, 8 * lanes)
            for result, output in zip(self.results, outputs, strict=True):
                result[rest] = output[: rows.stop - middle]

    def _parts(self, rows: slice) -> list[np.ndarray]:
        """These rows of the columns as the code reads them; a copy where a column is not so."""
        return [
            np.require(array[rows], np.float64, ["C", "A"]) if is_column else array
            for array, is_column in zip(self.arrays, self.is_column, strict=True)
        ]

    def _padded(self, part: np.ndarray) -> np.ndarray:
        vector = np.ones(self.code.lanes)
        vector[: len(part)] = part
        return vector

    def _call(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], size: int) -> None:
        scratch = np.empty(self.code.scratch)
        self.code.function(
            _pointers(inputs), self.steps, _pointers(outputs), scratch.ctypes.data, size
        )


class _Memory:
    """The memory of one large result, which waits to be used again once no array is upon it.

    The system hands out new memory as pages of zeros, and that takes longer than many a program.
    """

    spare: deque[np.ndarray] = deque()

    def __init__(self, rows: int, phase: int) -> None:
        self.column = self._waiting(rows, phase)
        self.__array_interface__ = self.column.__array_interface__

    def _waiting(self, rows: int, phase: int) -> np.ndarray:
        """Spare memory that fits, else new; what does not fit goes back to the system."""
        while True:
            try:
                column = self.spare.pop()
            except IndexError:
                return _aligned(rows, phase)
            if len(column) == rows and (column.ctypes.data + 8 * phase) % LINE == 0:
                return column

    def __del__(self, spare: deque[np.ndarray] = spare, most: int = SPARE) -> None:
        if sum(column.nbytes for column in tuple(spare)) + self.column.nbytes <= most:
            spare.append(self.column)


def _result(rows: int, phase: int) -> np.ndarray:
    return np.asarray(_Memory(rows, phase)) if 8 * rows >= LARGE else _aligned(rows, phase)


def _aligned(rows: int, phase: int) -> np.ndarray:
    """New memory, of which row `phase` begins a cache line."""
    room = np.empty(rows + LINE // 8 - 1)
    first = (-room.ctypes.data // 8 - phase) % (LINE // 8)
    return room[first : first + rows]


def _phase(arrays: Sequence[np.ndarray], rows: int, lanes: int) -> int | None:
    """The row at which all columns begin a vector; None where there is no such row."""
    columns = [array for array in arrays if array.shape == (rows,)]
    phases = {-array.ctypes.data % (8 * lanes) for array in columns}
    if any(not array.flags.c_contiguous or array.dtype != np.float64 for array in columns):
        return None
    phase, odd = divmod(phases.pop(), 8) if phases else (0, 0)
    return None if phases or odd else min(phase, rows)


def _pointers(arrays: Sequence[np.ndarray]) -> Any:
    return (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])


def _column(values: ArrayLike) -> np.ndarray:
    """An array of real numbers: converted now if Python must, chunk by chunk if NumPy can."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return np.asarray(values)
    return np.asarray(values, dtype=np.float64)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def host() -> Machine | None:
    """What this machine's code may use: its vectors and libraries; None without llvmlite."""
    try:
        from llvmlite import binding as llvm
    except ImportError:
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for library in LIBRARIES:
        with contextlib.suppress(RuntimeError):
            llvm.load_library_permanently(library)
    lanes, prefix = _vectors(llvm.get_default_triple(), llvm.get_host_cpu_features())
    vector = {
        name
        for function, name in ELEMENTARY.items()
        if prefix and llvm.address_of_symbol(f"{prefix}{'v' * function.nin}_{name}")
    }
    scalar = {name for name in ELEMENTARY.values() if llvm.address_of_symbol(name)}
    return Machine(lanes, prefix, frozenset(vector), frozenset(scalar))


def _vectors(triple: str, features: Mapping[str, bool]) -> tuple[int, str]:
    """The lanes of a vector, and how the x86-64 vector function ABI begins a name for it."""
    if not triple.startswith("x86_64"):
        return 2, ""
    if features.get("avx512f"):
        return 8, "_ZGVeN8"
    return (4, "_ZGVdN4") if features.get("avx2") else (2, "_ZGVbN2")

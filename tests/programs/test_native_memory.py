"""The memory of machine code: within its columns, used again, past the caches."""

import subprocess
import sys

import numpy as np
import pytest

from dezero import functions as F
from dezero.programs import native
from dezero.programs.native import CHUNK, Kernel, compiled
from dezero.programs.trace import trace
from tests.programs.rows import columns, differences, same
from tests.programs.test_native import on_each_machine, quiet  # noqa: F401, a fixture

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

GUARDED = """
import ctypes, mmap
import numpy as np
from dezero import functions as F
from dezero.programs.native import _Run, compiled
from dezero.programs.trace import trace

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
kernel = compiled(trace(lambda x, y: F.exp(x) * y, ["x", "y"]))
kept = []

def at_the_end(rows):
    memory = mmap.mmap(-1, 3 * PAGE)
    whole = np.frombuffer(memory, np.uint8)
    kept.append(whole)
    for page in (0, 2):
        assert libc.mprotect(whole.ctypes.data + page * PAGE, PAGE, 0) == 0
    return whole[2 * PAGE - 8 * rows : 2 * PAGE].view(np.float64)

for rows in range(1, 41):
    x, y = at_the_end(rows), at_the_end(rows)
    x[:], y[:] = np.linspace(0, 1, rows), 2.0
    results = [at_the_end(rows) for _ in range(3)]
    _Run(kernel._code, [x, y], results, rows).chunks(1)
    assert np.allclose(results[0], 2 * np.exp(x), rtol=1e-14)
    start = kept[-1][PAGE : PAGE + 8 * rows].view(np.float64)
    start[:] = x
    assert np.allclose(kernel.run({"x": start, "y": y})[0], results[0], rtol=0)
    sums = kernel.products({"x": x, "y": y}, np.eye(3))
    assert np.allclose(sums, np.array(results) @ np.array(results).T, rtol=1e-13)
print("within")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="guards its pages by mprotect")
def test_nothing_is_read_or_written_outside_a_column():
    done = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "within\n"), done.stderr


def test_memory_serves_again_only_once_nobody_holds_it():
    program = trace(lambda x: x * 2, ["x"], [])
    rows = native.LARGE // 8 + 5
    x = np.arange(rows, dtype=float)
    first = compiled(program).run({"x": x})[0]
    slice_ = first[-3:]
    address = first.ctypes.data
    second = compiled(program).run({"x": x + 1})[0]
    assert not np.shares_memory(first, second) and second[0] == 2.0
    del first
    third = compiled(program).run({"x": x + 2})[0]
    assert third.ctypes.data != address and slice_.tolist() == (2 * x[-3:]).tolist()
    del slice_
    fourth = compiled(program).run({"x": x + 3})[0]
    assert fourth.ctypes.data == address and same(fourth, 2 * x + 6).all()
    del second, third, fourth
    compiled(program).run({"x": np.ones(rows + 8)})
    assert {len(column) for column in native._Memory.spare} == {rows + 8}


# ---------------------------------------------------------------------- results beyond the caches
ARITHMETIC = trace(lambda x, y: (x + y) * x / y, ["x", "y"])


@pytest.fixture
def runs(monkeypatch):
    """Results of any size may be written past the caches; the code and the phase of each run."""
    noted = []
    run = native._Run

    def noting(code, arrays, results, rows, phase=0):
        noted.append((code, phase))
        return run(code, arrays, results, rows, phase)

    monkeypatch.setattr(native, "STREAMED", 0)
    monkeypatch.setattr(native, "_Run", noting)
    return noted


def at_phase(column, phase):
    """The same numbers where row `phase` begins a cache line."""
    moved = native._aligned(len(column), phase)
    moved[:] = column
    return moved


@on_each_machine
@pytest.mark.parametrize("rows", [1, 7, 8, 1000, 3 * CHUNK + 13])
def test_results_past_the_caches_are_the_same(runs, machine, rows):
    kernel = Kernel(ARITHMETIC, machine)
    for phase in range(machine.lanes):
        x, y = (at_phase(column[:rows], phase) for column in columns(2, rows))
        expected = ARITHMETIC.run({"x": x, "y": y})
        for threads in (1, 2, 3):
            got = kernel.run({"x": x, "y": y}, threads)
            assert differences(got, expected) == []
            assert runs.pop() == (kernel._streaming, min(phase, rows))


def test_columns_that_begin_no_vector_together_stay_within_the_caches(runs):
    kernel = Kernel(ARITHMETIC, native.host())
    x, y = (column[:1000] for column in columns(2, 1000))
    for left in (at_phase(x, 0), np.repeat(x, 2)[::2], at_phase(x, 1).astype(np.float32)):
        table = {"x": left, "y": at_phase(y, 1)}
        assert differences(kernel.run(table), ARITHMETIC.run(table)) == []
        assert runs.pop() == (kernel._code, 0)


def test_numbers_and_columns_past_the_caches(runs):
    kernel = Kernel(ARITHMETIC, native.host())
    table = {"x": at_phase(np.linspace(1, 2, 1003), 1), "y": 3.0}
    assert differences(kernel.run(table), ARITHMETIC.run(table)) == []
    assert runs.pop() == (kernel._streaming, 1)
    assert [part.tolist() for part in kernel.run({"x": 3.0, "y": 3.0})] == [[6.0], [3.0], [-1.0]]


def test_many_small_results_and_calls_of_functions(runs):
    names = [f"x{i}" for i in range(40)]
    many = trace(lambda *xs: sum(x * x for x in xs), names)
    table = {name: at_phase(np.linspace(i, i + 1, 99), 1) for i, name in enumerate(names)}
    kernel = Kernel(many, native.host())
    assert differences(kernel.run(table), many.run(table)) == []
    assert runs.pop() == (kernel._streaming, 1)
    calls = Kernel(trace(F.exp, ["x"]), native.host())
    calls.run({"x": at_phase(np.linspace(0, 1, 99), 1)})
    assert runs.pop() == (calls._code, 0)

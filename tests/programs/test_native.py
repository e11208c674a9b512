"""Machine code against the engine: arithmetic to the bit, elementary functions within 4 ulp.

An error of an ulp in an elementary function may grow on its way through a formula, so whole
formulas are judged operation by operation: every intermediate value is an output, and each is
compared with what NumPy makes of the very operands that the machine code had.  That the formula's
own outputs are the same bits is checked too, and so are the oracle's values.
"""

import dataclasses
import functools
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import mpmath
import numpy as np
import pytest

from dezero import Function
from dezero import functions as F
from dezero.arithmetic import raised
from dezero.functions import FUNCTIONS
from dezero.programs import llvm_ir, native
from dezero.programs.llvm_ir import ELEMENTARY
from dezero.programs.native import CHUNK, Kernel, compiled
from dezero.programs.trace import Program, trace
from dezero_cli.language.parser import parse
from tests.conftest import cases, of_scipy, parts
from tests.programs.rows import ROWS, columns, differences, engine, ordered, same

pytest.importorskip("llvmlite", reason="llvmlite is not installed")

ULPS = 4
HOST = native.host()
NARROWER = [
    dataclasses.replace(HOST, lanes=lanes, prefix=prefix)
    for lanes, prefix in ((4, "_ZGVdN4"), (2, "_ZGVbN2"))
    if HOST.prefix and lanes < HOST.lanes
]
WITHOUT_LIBMVEC = dataclasses.replace(HOST, prefix="", vector=frozenset())
MACHINES = [HOST, *NARROWER, WITHOUT_LIBMVEC]
on_each_machine = pytest.mark.parametrize(
    "machine", MACHINES, ids=lambda t: f"{t.lanes} lanes{'' if t.vector else ' of libm'}"
)


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of overflow and of nan; here they are what is tested."""
    with np.errstate(all="ignore"):
        yield


def names(count: int) -> tuple[str, ...]:
    return tuple(f"x{i}" for i in range(count))


def alone(ufunc: np.ufunc) -> Program:
    """The program of one call."""
    operands = tuple(range(ufunc.nin))
    return Program(names(ufunc.nin), (), ((ufunc, operands),), (ufunc.nin,))


def run(program: Program, arrays, machine=HOST, **options) -> list[np.ndarray]:
    kernel = Kernel(program, machine)
    assert kernel.is_native
    return kernel.run(dict(zip(program.inputs, arrays, strict=True)), **options)


def distance(got: np.ndarray, expected: np.ndarray) -> int:
    """How many float64 numbers are between two at most; nan and the sign of zero must agree."""
    number = ~np.isnan(expected)
    if (np.isnan(got) == number).any():
        return 2**62
    zero = (got == 0) & (expected == 0)
    if (np.signbit(got) != np.signbit(expected))[zero].any():
        return 2**62
    apart = [ordered(x[number]).astype(np.longdouble) for x in (got, expected)]
    return int(np.max(np.abs(apart[0] - apart[1]), initial=0))


def by_numpy(function, operands, literal: bool) -> np.ndarray:
    if function is np.power and not literal:
        return raised(*operands)
    return np.asarray(function(*operands), float)


def faults(kernel: Kernel, arrays) -> list[tuple[str, int]]:
    """The operations that differ from NumPy's by more than they may, and by how much."""
    program = kernel.program.lowered
    count = program.first + len(program.operations)
    every = dataclasses.replace(program, outputs=tuple(range(count)))
    values = run(every, arrays, kernel.machine)
    results = kernel.run(dict(zip(program.inputs, arrays, strict=True)))
    for result, number in zip(results, program.outputs, strict=True):
        assert same(result, values[number]).all()
    wrong = []
    for value, (function, numbers) in zip(values[program.first :], program.operations, strict=True):
        literal = len(program.inputs) <= numbers[-1] < program.first
        operands = [values[i] for i in numbers]
        if literal:
            operands[-1] = np.float64(program.constants[numbers[-1] - len(program.inputs)])
        apart = distance(value, by_numpy(function, operands, literal))
        if apart > (ULPS if function in ELEMENTARY else 0):
            wrong.append((function.__name__, apart))
    return wrong


# ------------------------------------------------------------------------------- single functions
@on_each_machine
@pytest.mark.parametrize("ufunc", ELEMENTARY, ids=lambda ufunc: ufunc.__name__)
def test_elementary_functions_are_near_numpy(ufunc, machine):
    arrays = columns(ufunc.nin)
    assert faults(Kernel(alone(ufunc), machine), arrays) == []


ELEMENTWISE = [
    name for name, known in FUNCTIONS.items() if known.elementwise and not of_scipy(known)
]
TRUE = {
    "tgamma": mpmath.gamma,
    "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "exp2": lambda x: mpmath.power(2, x),
    "log2": lambda x: mpmath.log(x, 2),
    "power": mpmath.power,
    "fmod": lambda x, y: mpmath.mpf(math.fmod(float(x), float(y))),
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "arctan2": mpmath.atan2,
    "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh,
    "arctanh": mpmath.atanh,
}


@on_each_machine
@pytest.mark.parametrize("ufunc", ELEMENTARY, ids=lambda ufunc: ufunc.__name__)
def test_elementary_functions_are_near_the_truth(ufunc, machine):
    arrays = columns(ufunc.nin, 300, seed=3)
    (got,) = run(alone(ufunc), arrays, machine)
    expected = ufunc(*arrays)
    ordinary = np.flatnonzero(np.isfinite(expected) & (expected != 0))
    assert len(ordinary) > 50
    true = TRUE.get(ufunc.__name__) or getattr(mpmath, ufunc.__name__)
    worst = 0.0
    with mpmath.workdps(60):
        for row in ordinary[-500:]:
            value = true(*(mpmath.mpf(float(x[row])) for x in arrays))
            ulp = float(np.spacing(abs(float(value))))
            worst = max(worst, float(abs(mpmath.mpf(float(got[row])) - value) / ulp))
    assert worst <= ULPS


@on_each_machine
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_each_function_and_its_gradients(name, machine):
    function, count = FUNCTIONS[name].function, len(FUNCTIONS[name].parameters)
    program = trace(function, names(count))
    arrays = columns(count)
    assert faults(Kernel(program, machine), arrays) == []
    if arithmetic_alone(program):
        assert differences(run(program, arrays, machine), engine(function, arrays)) == []


@pytest.mark.parametrize("c", [-2, -1, -0.5, 0, 0.1, 0.5, 1, 1.5, 2, 3, 4, 10, np.inf, np.nan])
def test_each_literal_power(c):
    assert faults(Kernel(trace(lambda x: x**c, ["x"]), HOST), columns(1)) == []
    bare = Program(("x",), (float(c),), ((np.power, (0, 1)),), (2,))
    assert faults(Kernel(bare, HOST), columns(1)) == []


@on_each_machine
def test_comparisons_and_what_follows_from_them(machine):
    def function(a, b):
        below = F.less(a, b)
        return below * F.greater_equal(b, a) + F.where(below, a, F.equal(a, b)) + F.where(a, b, 1.0)

    arrays = columns(2)
    assert (
        differences(run(trace(function, names(2)), arrays, machine), engine(function, arrays)) == []
    )


# ------------------------------------------------------------------------------------ whole cases
def gradient_program(text: str) -> Program:
    expression = parse(text)
    free = [name for name in expression.names if name not in F.CONSTANTS]
    return trace(lambda *xs: expression.evaluate(dict(zip(free, xs, strict=True))), free)


def arithmetic_alone(program: Program) -> bool:
    return not any(function in ELEMENTARY for function, _ in program.lowered.operations)


@functools.cache
def groups() -> list[list]:
    """The cases with inputs, those that make the same program together."""
    found: dict = {}
    for case in cases():
        if case["vars"]:
            program = gradient_program(case["expr"])
            found.setdefault(program.key, [program]).append(case)
    return list(found.values())


def oracle_faults(case, kernel: Kernel):
    """Where a kernel's results at one point are not the oracle's, as for the engine itself."""
    if not (case["smooth"] and case.get("grad")):
        return
    results = kernel.run(case["vars"])
    pairs = [(case["value"], case["noise"]["value"])]
    pairs += [(case["grad"][name], case["noise"]["grad"][name]) for name in kernel.program.inputs]
    for got, (want, noise) in zip(results, pairs, strict=True):
        if not abs(got[0] - want) <= max(1e-12 * abs(want), 8 * noise):
            yield case["id"], got[0], want


@parts(6)
def test_each_case_operation_by_operation_and_against_the_oracle(part):
    wrong = []
    for program, *alike in groups()[part::6]:
        arrays = columns(len(program.inputs), ROWS // 20, seed=part)
        kernel = Kernel(program, HOST)
        wrong += [(case["expr"], fault) for case in alike for fault in oracle_faults(case, kernel)]
        if arithmetic_alone(program):
            replay = program.run(dict(zip(program.inputs, arrays, strict=True)))
            got = kernel.run(dict(zip(program.inputs, arrays, strict=True)))
            wrong += [(alike[0]["expr"], fault) for fault in differences(got, replay)]
        else:
            wrong += [(alike[0]["expr"], fault) for fault in faults(kernel, arrays)]
    assert wrong == []


def test_the_cases_are_all_there():
    assert sum(len(alike) - 1 for alike in groups()) > 2300 and len(groups()) > 1000


# --------------------------------------------------------------------------- long programs, layout
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_segments_of_any_length_give_the_same_bits(monkeypatch, length):
    monkeypatch.setattr(llvm_ir, "SEGMENT", length)
    monkeypatch.setattr(llvm_ir, "TILE", 24)
    texts = ["x*y+x/y-(x-y)**2", "where(x<y, exp(x)*y, sin(y)/x)+hypot(x, y)", "1.5", "max(x, y)"]
    for text in texts:
        program = gradient_program(text)
        arrays = columns(len(program.inputs), 100)
        inputs = dict(zip(program.inputs, arrays, strict=True))
        monkeypatch.undo()
        expected = Kernel(program, HOST).run(inputs)
        monkeypatch.setattr(llvm_ir, "SEGMENT", length)
        monkeypatch.setattr(llvm_ir, "TILE", 24)
        assert differences(Kernel(program, HOST).run(inputs), expected) == []


def test_a_long_program_with_many_values_alive():
    text = "*".join(f"(x-{i}/100*y+sin(x*{i}))" for i in range(100))
    program = gradient_program(text)
    assert len(program.operations) > 3 * llvm_ir.SEGMENT
    assert faults(Kernel(program, HOST), columns(2, 300)) == []


def test_a_program_of_constants_and_inputs_alone():
    constants = (np.nan, np.inf, -np.inf, -0.0, 5e-324, 0.1, -1.7976931348623157e308)
    program = Program(("x", "y"), constants, (), (1, *range(2, 9), 0))
    arrays = columns(2, 0)
    got = run(program, arrays)
    assert differences([got[0], got[-1]], [arrays[1], arrays[0]]) == []
    for part, constant in zip(got[1:-1], constants, strict=True):
        assert same(part, np.full_like(part, constant)).all()


def test_names_are_no_part_of_the_code():
    wild = ('"\n}', "%x", "@kernel; ret void", "θ")
    program = trace(lambda *xs: sum(xs[1:], xs[0]), wild)
    text = llvm_ir.module(program, HOST).text
    assert text == llvm_ir.module(dataclasses.replace(program, inputs=names(4)), HOST).text
    assert compiled(program).run(dict.fromkeys(wild, 2.0))[0].tolist() == [8.0]


# ------------------------------------------------------------------------------ columns, in memory
MIXED = trace(lambda x, y: F.exp(x) * y + F.sin(y) / x + F.pow(x, y), ["x", "y"])


@on_each_machine
def test_a_rows_bits_do_not_depend_on_its_place(machine):
    kernel = Kernel(MIXED, machine)
    arrays = columns(2, 100)
    whole = kernel.run({"x": arrays[0], "y": arrays[1]})
    for k in range(34):
        part = kernel.run({"x": arrays[0][k:], "y": arrays[1][k:]})
        assert differences(part, [column[k:] for column in whole]) == []
        part = kernel.run({"x": arrays[0][:k], "y": arrays[1][:k]})
        assert differences(part, [column[:k] for column in whole]) == []
    order = np.random.default_rng(0).permutation(len(arrays[0]))
    part = kernel.run({"x": arrays[0][order], "y": arrays[1][order]})
    assert differences(part, [column[order] for column in whole]) == []


def test_threads_change_nothing():
    arrays = columns(2, 2 * CHUNK + 13)
    expected = run(MIXED, arrays, threads=1)
    middle = [x[CHUNK - 3 : CHUNK + 5] for x in arrays]
    part = [column[CHUNK - 3 : CHUNK + 5] for column in expected]
    assert differences(run(MIXED, middle), part) == []
    for threads in (2, 3, 8, None):
        assert differences(run(MIXED, arrays, threads=threads), expected) == []


def test_runs_of_one_kernel_in_several_threads():
    kernel = compiled(MIXED)
    tables = [dict(zip("xy", columns(2, 20_000, seed), strict=True)) for seed in range(8)]
    expected = [kernel.run(table) for table in tables]
    with ThreadPoolExecutor(8) as pool:
        for got, want in zip(pool.map(kernel.run, tables), expected, strict=True):
            assert differences(got, want) == []


def shapes(column: np.ndarray):
    """The same numbers, otherwise in memory."""
    yield "reversed", column[::-1].copy()[::-1]
    apart = np.zeros(3 * len(column))
    apart[::3] = column
    yield "strided", apart[::3]
    yield "a column of a matrix", np.stack([column, column], axis=1)[:, 1]
    yield "unaligned", np.frombuffer(b"abc" + column.tobytes(), np.uint8)[3:].view(np.float64)
    yield "big-endian", column.astype(">f8")
    read_only = column.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    yield "a list", column.tolist()
    yield "objects", column.astype(object)


@pytest.mark.parametrize("rows", [5, 1000])
def test_columns_that_lie_otherwise_in_memory(rows):
    x, y = (column[-rows:] for column in columns(2))
    expected = run(MIXED, [x, y])
    for name, other in shapes(x):
        assert differences(run(MIXED, [other, y]), expected) == [], name
    for name, other in shapes(y):
        assert differences(run(MIXED, [x, other]), expected) == [], name


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint32, np.float32, np.float16, bool])
def test_columns_of_other_types(kind):
    x = np.arange(1001).astype(kind)
    y = np.linspace(0.5, 2, 1001)
    expected = run(MIXED, [x.astype(np.float64), y])
    assert differences(run(MIXED, [x, y]), expected) == []
    assert differences(run(MIXED, [x[::7], y[::7]]), [part[::7] for part in expected]) == []


@pytest.mark.parametrize("number", [2.5, np.float32(2.5), np.array(2.5), np.array([2.5])])
@pytest.mark.parametrize("rows", [1, 5, 1000, CHUNK + 3])
def test_numbers_serve_all_rows(number, rows):
    x = np.linspace(0.1, 3, rows)
    full = np.full(rows, 2.5)
    assert differences(run(MIXED, [x, number]), run(MIXED, [x, full])) == []
    assert differences(run(MIXED, [number, x]), run(MIXED, [full, x])) == []
    repeated = np.broadcast_to(np.float64(2.5), rows)
    assert differences(run(MIXED, [repeated, x]), run(MIXED, [full, x])) == []


def test_numbers_alone_are_one_row():
    program = trace(lambda x, y: x * y, ["x", "y"])
    assert [part.tolist() for part in run(program, [2, 3.0])] == [[6.0], [3.0], [2.0]]


def test_no_rows_are_no_rows():
    assert [part.shape for part in run(MIXED, [np.empty(0), 1.0])] == [(0,)] * 3


@pytest.mark.parametrize("serve", [compiled, lambda program: program], ids=["native", "replay"])
def test_what_is_wrong_with_columns(serve):
    with pytest.raises(KeyError, match="y"):
        serve(MIXED).run({"x": np.ones(3)})
    with pytest.raises(ValueError, match="shape"):
        serve(MIXED).run({"x": np.ones(3), "y": np.ones(4)})
    with pytest.raises(ValueError, match=r"axis|broadcast"):
        serve(MIXED).run({"x": np.ones((3, 2)), "y": np.ones((3, 2))})
    with pytest.raises(ValueError, match="convert"):
        serve(MIXED).run({"x": np.array(["one", "two"]), "y": 1.0})


# --------------------------------------------------------------------------- kernels, and fallback
@pytest.fixture
def forgetful(monkeypatch):
    """No kernel and no knowledge of the machine is kept from or for other tests."""
    monkeypatch.setattr(native, "_kernels", {})
    native.host.cache_clear()
    yield monkeypatch
    native.host.cache_clear()


def test_programs_that_compute_the_same_share_a_kernel(forgetful):
    def program(constant):
        return trace(lambda x: F.sin(x) + constant, ["x"])

    assert compiled(program(0.0)) is compiled(program(0.0))
    assert compiled(program(0.0)) is not compiled(program(-0.0))
    assert compiled(program(np.nan)) is compiled(program(np.nan))
    assert len(native._kernels) == 3


def test_a_kernel_is_compiled_once_by_many_threads(forgetful):
    begin = threading.Barrier(8)

    def get(_):
        begin.wait()
        return compiled(MIXED)

    with ThreadPoolExecutor(8) as pool:
        assert len({id(kernel) for kernel in pool.map(get, range(8))}) == 1


def test_without_llvmlite_the_replay_serves(forgetful):
    forgetful.setitem(sys.modules, "llvmlite", None)
    kernel = compiled(MIXED)
    x, y = columns(2, 1000)
    assert not kernel.is_native
    expected = MIXED.run({"x": x, "y": y})
    assert differences(kernel.run({"x": x, "y": y}, threads=2), expected) == []


class Spaced(Function):
    def forward(self, x):
        return np.spacing(x) * 2

    def backward(self, gy):
        return np.zeros_like(gy) if isinstance(gy, np.ndarray) else gy * 0.0


def test_an_operation_without_machine_code_is_served_by_the_replay():
    program = trace(Spaced(), ["x"])
    kernel = compiled(program)
    assert not kernel.is_native
    assert kernel.run({"x": [1.5, 4.0]})[0].tolist() == [2.0**-51, 2.0**-49]
    with pytest.raises(llvm_ir.UnsupportedError, match="spacing"):
        llvm_ir.module(program, HOST)


def test_without_libmvec_libm_serves(forgetful):
    forgetful.setattr(native, "_vectors", lambda triple, features: (HOST.lanes, "_ZGVno"))
    kernel = compiled(MIXED)
    assert native.host().vector == frozenset() and kernel.is_native
    x, y = columns(2, 1000)
    assert faults(kernel, [x, y]) == []
    assert kernel.run({"x": 0.5, "y": 2.0})[0][0] == pytest.approx(
        np.exp(0.5) * 2 + np.sin(2.0) / 0.5 + 0.25, rel=1e-15
    )


def test_without_a_function_in_any_library_the_replay_serves():
    bare = dataclasses.replace(WITHOUT_LIBMVEC, scalar=frozenset())
    assert not Kernel(MIXED, bare).is_native
    assert Kernel(trace(lambda x: x * 2, ["x"]), bare).is_native


# ------------------------------------------------------------------------- sums of products
@on_each_machine
@pytest.mark.parametrize("rows", [1, 7, 8, 1000, 2 * CHUNK + 13])
def test_products_are_summed_as_they_are_made(machine, rows):
    program = trace(lambda x, y: F.sin(x) * y + x * x * y, ["x", "y"])
    kernel = Kernel(program, machine)
    x, y = np.random.default_rng(5).uniform(-2, 2, (2, rows))
    turn = np.array([[1.0, 0, 0], [0.5, -2, 0], [3, 0.25, 1]])
    for table in ({"x": x, "y": y}, {"x": np.repeat(x, 2)[::2], "y": 0.75}):
        outputs = turn @ np.array(program.run(table), np.longdouble)
        rounding = 1e-14 * (np.abs(outputs) @ np.abs(outputs).T)
        found = kernel.products(table, turn)
        assert (np.abs(found - outputs @ outputs.T) <= rounding).all()
        assert (found == found.T).all()
        assert np.array_equal(kernel.matrix(table, 1), np.stack(kernel.run(table)))


def test_products_of_many_outputs_and_of_long_programs():
    many = trace(lambda *xs: sum(x * x for x in xs), names(native.SUMMED + 1))
    long = trace(lambda x: functools.reduce(lambda y, _: F.sin(y) + x, range(300), x), ["x"])
    for program in (many, long):
        drawn = np.random.default_rng(5).uniform(-2, 2, (len(program.inputs), 99))
        table = dict(zip(program.inputs, drawn, strict=True))
        kernel = Kernel(program, native.host())
        assert kernel._summing is None
        outputs = np.array(kernel.run(table))
        found = kernel.products(table, np.eye(len(outputs)))
        assert np.allclose(found, outputs @ outputs.T, rtol=1e-12)


def test_a_row_that_is_not_finite_shows_in_its_sums():
    kernel = compiled(trace(lambda x: F.log(x), ["x"]))
    column = np.linspace(1, 2, 100)
    assert np.isfinite(kernel.products({"x": column}, np.eye(2))).all()
    for row in (50, 99):
        column[row] = -1
        assert not np.isfinite(kernel.products({"x": column}, np.eye(2))).all()
        column[row] = 1

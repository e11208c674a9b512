"""Programs: a replay gives the engine's own bits, and what cannot be traced says so."""

import mpmath
import numpy as np
import pytest

from dezero import Function, Variable, neg
from dezero import functions as F
from dezero.functions import FUNCTIONS
from dezero.graph import ARRAY_FUNCTIONS
from dezero.programs.trace import BLOCK, Program, TraceError, differentiate, merge, trace
from dezero_cli.faults import ExpressionError
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse
from tests.conftest import cases, of_scipy, parts
from tests.programs.rows import EDGES, ROWS, columns, differences, engine, same


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of overflow and of nan; here they are what is tested."""
    with np.errstate(all="ignore"):
        yield


ELEMENTWISE = sorted(
    name for name, known in FUNCTIONS.items() if known.elementwise and not of_scipy(known)
)


def arity(name: str) -> int:
    """The operands of a function of the language."""
    return len(FUNCTIONS[name].parameters)


def names(count: int) -> list[str]:
    return [f"x{i}" for i in range(count)]


def replayed(function, arrays) -> list[np.ndarray]:
    """The value and each gradient as a program gives them."""
    program = trace(function, names(len(arrays)))
    return program.run(dict(zip(program.inputs, arrays, strict=True)))


def functions(program: Program) -> list[str]:
    return [function.__name__ for function, _ in program.operations]


# -------------------------------------------------------------------- a replay gives the same bits
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_replay_of_each_function_has_the_engines_bits(name):
    arrays = columns(arity(name))
    expected = engine(FUNCTIONS[name].function, arrays)
    assert differences(replayed(FUNCTIONS[name].function, arrays), expected) == []


@pytest.mark.parametrize("name", ["less", "less_equal", "greater", "greater_equal", "equal"])
def test_a_replay_of_each_comparison(name):
    def function(a, b):
        return getattr(F, name)(a, b) * a + F.not_equal(a, b)

    arrays = columns(2)
    assert differences(replayed(function, arrays), engine(function, arrays)) == []


@pytest.mark.parametrize("c", [-2, -1, -0.5, 0, 0.1, 0.5, 1, 1.5, 2, 3, 4, 10, np.inf, np.nan])
def test_a_replay_of_each_literal_power(c):
    def function(x):
        return x**c

    arrays = columns(1)
    assert differences(replayed(function, arrays), engine(function, arrays)) == []


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_replay_of_second_derivatives(name):
    count = arity(name)
    arrays = columns(count, 500)
    variables = [Variable(array) for array in arrays]
    y = FUNCTIONS[name].function(*variables)
    y.backward(create_graph=True)
    first = variables[-1].grad
    for x in variables:
        x.cleargrad()
    if first is not None:
        first.backward()
    expected = [np.zeros(1) if x.grad is None else np.asarray(x.grad) for x in variables]
    program = trace(FUNCTIONS[name].function, names(count))
    second = differentiate(program, [(count, program.inputs)])
    got = second.run(dict(zip(program.inputs, arrays, strict=True)))
    close = [
        np.isclose(a, b, rtol=1e-12, atol=0, equal_nan=True)
        for a, b in zip(got, expected, strict=True)
    ]
    ordinary = np.all([(np.abs(x) > 1e-3) & (np.abs(x) < 300) for x in arrays], axis=0)
    assert ordinary.sum() > 100 and all(part[ordinary].all() for part in close)


@parts(4)
def test_a_replay_of_each_case_has_the_engines_bits(part):
    texts = sorted({case["expr"] for case in cases()})
    assert len(texts) > 2000
    wrong = []
    for text in texts[part::4]:
        expression = parse(text)
        free = [name for name in expression.names if name not in F.CONSTANTS] or ["unused"]

        def function(*xs, expression=expression, free=free):
            return expression.evaluate(dict(zip(free, xs, strict=True)))

        arrays = columns(len(free), ROWS // 20, seed=part)
        wrong += [
            (text, fault)
            for fault in differences(replayed(function, arrays), engine(function, arrays))
        ]
    assert wrong == []


def test_a_replay_of_more_rows_than_a_block():
    def function(x, y):
        return F.sin(x * y) * F.exp(-(x**2)) + F.pow(x, y)

    arrays = columns(2, 3 * BLOCK + 17)
    assert differences(replayed(function, arrays), engine(function, arrays)) == []


# ------------------------------------------------------------------------------- what is recorded
def test_the_same_operation_on_the_same_operands_is_recorded_once():
    program = trace(lambda x, y: F.sin(x * y) + F.sin(y * x) * F.sin(x * y), ["x", "y"], [])
    assert functions(program) == ["multiply", "sin", "multiply", "add"]


def test_what_no_output_needs_is_dropped():
    def function(x, y):
        F.exp(y)
        return x + 1.0

    program = trace(function, ["x", "y"])
    assert functions(program) == ["add"] and program.constants == (1.0, 0.0)
    assert [part.tolist() for part in program.run({"x": 2.0, "y": 1.0})] == [[3.0], [1.0], [0.0]]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x * 1.0, []),
        (lambda x: 1.0 * x, []),
        (lambda x: x / 1.0, []),
        (lambda x: x**1, []),
        (lambda x: x - 0.0, []),
        (lambda x: neg(neg(x)), []),
        (lambda x: +x, []),
        (lambda x: x**2, ["multiply"]),
        (lambda x: x * -1.0, ["negative"]),
        (lambda x: x + (-x), ["subtract"]),
        (lambda x: x - (-x), ["add"]),
        (lambda x: x + 0.0, ["add"]),
        (lambda x: x * 0.0, ["multiply"]),
        (lambda x: F.where(x > 0, F.where(x > 0, x, 1.0), F.where(x > 0, 1.0, x)), []),
        (lambda x: x * (F.exp(Variable(np.array(0.0))) + 1.0), ["multiply"]),
    ],
)
def test_rewrites_are_exact(function, expected):
    """x + 0 and x * 0 stay: the first changes -0.0, the second is nan for inf."""
    program = trace(function, ["x"], [])
    assert [f for f in functions(program) if f != "greater"] == expected
    x = EDGES.copy()
    assert differences(program.run({"x": x}), engine(function, [x])[:1]) == []


def test_constants_are_folded_and_told_apart_by_their_bits():
    program = trace(lambda x: x * (2.0 * np.sqrt(2.0)), ["x"], [])
    assert program.constants == (2.0 * np.sqrt(2.0),)
    keys = {trace(lambda x, c=c: x + c, ["x"], []).key for c in (0.0, -0.0, np.nan, np.nan)}
    assert len(keys) == 3


def test_merged_programs_share_their_operations():
    first = trace(lambda x: F.sin(x) * 2, ["x"], [])
    second = trace(lambda x: F.sin(x) * 3, ["x"], [])
    both = merge([(first, 0), (second, 0)])
    assert functions(both) == ["sin", "multiply", "multiply"]


HELD = [
    function.__name__.strip("_")
    for function, ours in ARRAY_FUNCTIONS.items()
    if hasattr(function, "in_ufuncs") and ours.__name__ in ELEMENTWISE
]


@pytest.mark.parametrize("name", HELD)
def test_a_function_of_several_ufuncs_is_one_operation_until_it_is_written_out(name):
    function = FUNCTIONS[name].function
    if name == "clip":  # between bounds that vary it is a minimum of a maximum
        program = trace(lambda x: F.clip(x, 0.0, 1.0), ["x"], [])
    else:
        program = trace(function, names(arity(name)), [])
    assert functions(program) == [f"_{name}"] and functions(merge([(program, 0)])) == [f"_{name}"]
    assert not any(hasattr(f, "in_ufuncs") for f, _ in program.lowered.operations)
    assert program.lowered.lowered is program.lowered
    assert {"clip", "relu", "sigmoid", "softplus"} <= set(HELD)


def taylor(text: str, order: int, at: float) -> float:
    """A derivative of x alone, by the command's own door."""
    _, program = symbolic.derivatives(parse(text), ["x"], ["x"], order)
    return float(program.run({"x": at})[1][0])


@pytest.mark.parametrize("at", [-30.0, -0.5, 0.0, 0.25, 7.0])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("exp(softplus(x))", lambda x: 1 + mpmath.exp(x)),
        ("x*softplus(x)", lambda x: x * mpmath.log1p(mpmath.exp(x))),
        ("sigmoid(x)**2", lambda x: (1 + mpmath.exp(-x)) ** -2),
        ("log(sigmoid(x))", lambda x: -mpmath.log1p(mpmath.exp(-x))),
    ],
)
def test_every_order_comes_from_a_functions_own_rule(text, function, order, at):
    with mpmath.workdps(60):
        exact = float(mpmath.diff(function, at, order, h=mpmath.mpf(10) ** -8))
    assert taylor(text, order, at) == pytest.approx(exact, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "at"),
    [("x*relu(x)", 0.0), ("clip(x, 0, 1)*x", 0.0), ("clip(x, 0, 1)*x", 1.0), ("abs(x)*x", 0.0)],
)
@pytest.mark.parametrize("order", [2, 3])
def test_kinks_have_one_convention_at_every_order(text, at, order):
    expression = parse(text)
    x = y = Variable(np.array(at))
    y = expression.evaluate({"x": x})
    for _ in range(order):
        x.cleargrad()
        y.backward(create_graph=True)
        y = x.grad if isinstance(x.grad, Variable) else Variable(np.array(0.0))
    assert taylor(text, order, at) == float(y.data)


class Swish(Function):
    """Written as the notes write a Function."""

    def forward(self, x):
        return x / (1 + np.exp(-x))

    def backward(self, gy):
        x = self.inputs[0].data
        s = 1 / (1 + np.exp(-x))
        return gy * (s + x * s * (1 - s))


class TwoOutputs(Function):
    def forward(self, x, y):
        return x * y, np.hypot(x, y)

    def backward(self, ga, gb):
        x, y = self.inputs[0].data, self.inputs[1].data
        r = np.hypot(x, y)
        return ga * y + gb * x / r, ga * x + gb * y / r


def test_functions_that_users_wrote_are_traced_unchanged():
    arrays = columns(1)
    assert differences(replayed(Swish(), arrays), engine(Swish(), arrays)) == []

    def function(x, y):
        a, b = TwoOutputs()(x, y)
        return a * b

    arrays = columns(2)
    assert differences(replayed(function, arrays), engine(function, arrays)) == []


# -------------------------------------------------------------------------- what cannot be traced
class Branch(Function):
    def forward(self, x):
        return x if x > 0 else -x

    def backward(self, gy):
        return gy


class Counted(Function):
    def forward(self, x):
        return x * len(x)

    def backward(self, gy):
        return gy


REFUSED = {
    "a branch on a value": Branch(),
    "a branch on a value cannot": lambda x: x if x > 0 else -x,
    "sum works on whole arrays, but here every input is one number": F.sum,
    "dot works on whole arrays": lambda x: F.dot(x, x),
    "@ works on whole arrays": lambda x: x @ x,
    "modf has no place": lambda x: Variable(np.modf(x._data)[0]),
    "add has no place": lambda x: Variable(np.add.reduce(x._data)),
    "cumsum has no place": lambda x: Variable(np.cumsum(x._data)),
    "an index works on whole arrays": lambda x: x[0],
    "length": Counted(),
    "value while": lambda x: x * float(x._data),
    "value while it": lambda x: x * int(x._data),
    "has no value": lambda x: x * np.array([x._data, x._data]),
    "the result is an array": lambda x: x * np.ones(3),
    "the result is an array, where": lambda x: Variable(np.ones(3)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_place_in_a_program_is_named(message):
    with pytest.raises(TraceError, match=message):
        trace(REFUSED[message], ["x"])


@pytest.mark.parametrize("name", [n for n, known in FUNCTIONS.items() if not known.elementwise])
def test_no_reduction_is_traced(name):
    fault = f"{name} works on whole arrays, but here every input is one number"
    called = parse(f"{name}({', '.join(names(arity(name)))})")
    with pytest.raises(ExpressionError, match=fault):
        symbolic.program(called, called.names, called.names)
    with pytest.raises((TraceError, ValueError)):
        trace(FUNCTIONS[name].function, names(arity(name)))


def test_two_traces_cannot_share_a_column():
    kept = []
    trace(lambda x: kept.append(x) or x * 2, ["x"])
    with pytest.raises(TraceError, match="two traces"):
        trace(lambda x: x + kept[0], ["x"])


# ---------------------------------------------------------------------------------------- columns
PROGRAM = trace(lambda x, y: F.exp(x) * y, ["x", "y"])


def test_a_missing_column_is_a_key_error():
    with pytest.raises(KeyError, match="y"):
        PROGRAM.run({"x": np.ones(3)})


def test_columns_of_different_lengths_are_a_value_error():
    with pytest.raises(ValueError, match="shape"):
        PROGRAM.run({"x": np.ones(3), "y": np.ones(4)})


@pytest.mark.parametrize("number", [2.0, 2, np.float32(2), np.array(2), np.array([2.0])])
def test_a_number_serves_all_rows(number):
    x = np.linspace(-1, 1, 5)
    expected = PROGRAM.run({"x": x, "y": np.full(5, 2.0)})
    assert differences(PROGRAM.run({"x": x, "y": number}), expected) == []


def test_numbers_alone_are_one_row():
    assert [part.tolist() for part in PROGRAM.run({"x": 0.0, "y": 3.0})] == [[3.0], [3.0], [1.0]]


def test_a_number_as_exponent_has_the_bits_of_a_column_of_it():
    program = trace(F.pow, ["x", "y"])
    x = columns(1)[0]
    for exponent in (-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 0.3):
        every = program.run({"x": x, "y": np.full_like(x, exponent)})
        assert differences(program.run({"x": x, "y": exponent}), every) == []
        assert differences(engine(F.pow, [x, np.full_like(x, exponent)]), every) == []


def test_no_rows_are_no_rows():
    assert [part.shape for part in PROGRAM.run({"x": np.empty(0), "y": 1.0})] == [(0,)] * 3


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.float32, ">f8", bool])
def test_columns_of_other_types_are_converted(kind):
    x = np.array([0, 1, 1, 0, 1]).astype(kind)
    expected = PROGRAM.run({"x": x.astype(float), "y": 2.0})
    assert differences(PROGRAM.run({"x": x, "y": 2.0}), expected) == []
    wide = np.zeros(10, x.dtype)
    wide[::2] = x
    assert differences(PROGRAM.run({"x": wide[::2], "y": 2.0}), expected) == []


def test_inputs_and_constants_are_outputs_too():
    program = Program(("x",), (-0.0, np.nan), (), (0, 1, 2, 0))
    x = EDGES.copy()
    got = program.run({"x": x})
    assert all(same(part, x).all() for part in (got[0], got[3]))
    assert np.signbit(got[1]).all() and np.isnan(got[2]).all()

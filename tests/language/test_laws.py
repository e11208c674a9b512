"""Laws that every expression obeys, tried on expressions drawn from the grammar.

DEZERO_LAWS sets how many expressions a law is tried on; where each takes machine code of its own,
a tenth of that.
"""

import functools
import json
import operator
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from dezero import Variable, constant
from dezero import functions as F
from dezero.programs import native
from dezero.programs.formula import formulas
from dezero_cli.language import derivatives, symbolic
from dezero_cli.language.expression import Apply, Chain, Load
from dezero_cli.language.parser import parse
from dezero_cli.language.results import inputs
from dezero_cli.main import run
from dezero_cli.report import json_line
from tests.language.strategies import (
    ANALYTIC_EXPRESSIONS,
    EXPRESSIONS,
    LOGICAL_EXPRESSIONS,
    NAMES,
    NUMBERS,
    POINTS,
)

EXAMPLES = int(os.environ.get("DEZERO_LAWS", "100"))
ALL = EXPRESSIONS | LOGICAL_EXPRESSIONS
every = settings(max_examples=EXAMPLES, deadline=None, database=None)


@pytest.fixture(autouse=True, scope="module")
def quiet():
    """NumPy's warnings are not what is tested."""
    with np.errstate(all="ignore"):
        yield


def arrays(point):
    return {name: np.array(value) for name, value in point.items()}


def value_and_gradient(text, point):
    """The value, and the gradient for every name, as floats."""
    value, gradient = derivatives.value_and_gradient(parse(text), arrays(point), NAMES)
    return float(value), np.array([float(gradient[name]) for name in NAMES])


def noise(text, point):
    """How much value and gradient move when an input moves by its last digit; 0 by that of 1."""
    middle = value_and_gradient(text, point)
    moved = [0.0, np.zeros(len(NAMES))]
    for name in NAMES:
        for towards in (-np.inf, np.inf):
            step = np.copysign(np.finfo(float).eps, towards)
            moved_input = np.nextafter(point[name], towards) if point[name] else step
            near = point | {name: float(moved_input)}
            value, gradient = value_and_gradient(text, near)
            moved[0] = np.fmax(moved[0], abs(value - middle[0]))
            moved[1] = np.fmax(moved[1], abs(gradient - middle[1]))
    return moved


def moderate(point):
    """Whether the last digits of large terms that cancel are no larger than the rest."""
    return all(1e-6 < abs(number) < 1e6 for number in point.values() if number)


def agree(got, expected, slack, relative=1e-10):
    """Within `relative`, or what the inputs' own last digits amount to; nan agrees with nan."""
    got, expected = np.asarray(got), np.asarray(expected)
    bound = relative * np.fmax(1.0, np.abs(expected)) + 1e4 * slack
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    return bool(np.all(same | (np.abs(got - expected) <= bound)))


# --------------------------------------------------------------------------- the same everywhere
@every
@given(EXPRESSIONS, POINTS)
def test_python_reads_an_expression_the_same(text, point):
    """Precedence is Python's: its own parser calls the same operators on the same Variables."""
    numbers = re.sub(r"(?<![\w.])(\d[\d_]*\.?\d*(e-?\d+)?|\.\d+)", r"number(\1)", text)
    names = {name: Variable(x) for name, x in arrays(point).items()}
    names |= {name: called(known) for name, known in F.NAMES.items()} | {
        "pi": constant(np.pi),
        "number": lambda x: constant(float(x)),
    }
    python = eval(numbers.replace("^", "**"), {"__builtins__": {}}, names)
    expected = float(python.data)
    assert agree(value_and_gradient(text, point)[0], expected, noise(text, point)[0], 1e-12)


def called(known):
    return lambda *values: known.form(len(values))(*values)


@settings(max_examples=max(EXAMPLES // 40, 1), deadline=None, database=None)
@given(st.lists(st.tuples(ALL, POINTS, POINTS), min_size=40, max_size=40))
def test_batch_gives_evals_own_bytes(drawn):
    """Every expression at two points, which batch stacks into columns."""
    asked = [(text, point) for text, *points in drawn for point in points]
    lines = [json_line({"expr": text, "vars": point}) for text, point in asked]
    command = [sys.executable, "-m", "dezero_cli", "batch"]
    done = subprocess.run(command, input=b"".join(lines), capture_output=True, check=True)
    expected = [line_of(number, *each) for number, each in enumerate(asked, 1)]
    assert done.stdout.splitlines(keepends=True) == expected


def line_of(number, text, point):
    """What eval gives, on a line of batch."""
    values = arrays(point)
    names = inputs(parse(text), values, None)
    value, grad = derivatives.value_and_gradient(parse(text), values, names)
    return json_line({"line": number, "expr": text, "value": value, "grad": grad})


@every
@given(ALL, POINTS, POINTS)
def test_a_program_gives_the_engines_bits(text, point, other):
    """Replayed on columns, alone and beside another row."""
    program = symbolic.program(parse(text), NAMES, NAMES)
    columns = {name: np.array([point[name], other[name]]) for name in NAMES}
    replayed = np.array(program.run(columns))
    for row, at in enumerate((point, other)):
        value, gradient = value_and_gradient(text, at)
        np.testing.assert_array_equal(replayed[:, row], [value, *gradient])


@settings(max_examples=max(EXAMPLES // 10, 1), deadline=None, database=None)
@given(ALL, POINTS, POINTS)
def test_machine_code_gives_the_engines_numbers(text, point, other):
    """Arithmetic to the bit; elementary functions as far as their last digits carry."""
    program = symbolic.program(parse(text), NAMES, NAMES)
    columns = {name: np.array([point[name], other[name]]) for name in NAMES}
    compiled = np.array(native.compiled(program).run(columns))
    replayed = np.array(program.run(columns))
    if {function for function, _ in program.lowered.operations} <= EXACT:
        np.testing.assert_array_equal(compiled, replayed)
        return
    for row, at in enumerate((point, other)):
        got, expected = compiled[:, row], replayed[:, row]
        slack = noise(text, at)
        if not agree(got, expected, np.array([slack[0], *slack[1]])):
            event("a last digit decided a step")
            assert kink(parse(text), at) is not None, (got, expected)


@settings(max_examples=max(EXAMPLES // 10, 1), deadline=None, database=None)
@given(ALL, st.lists(POINTS, min_size=1, max_size=4))
def test_a_table_gives_machine_codes_bits(text, rows):
    """A table read and written as text, against columns in memory."""
    words = [word for name in NAMES for word in ("--wrt", name)]
    with tempfile.TemporaryDirectory() as folder:
        table, target = f"{folder}/t.jsonl", f"{folder}/o.jsonl"
        Path(table).write_bytes(b"".join(json_line(row) for row in rows))
        assert run(["map", text, table, "-o", target, "--only", *words]) == 0
        written = [json.loads(line) for line in Path(target).read_text().splitlines()]
    columns = {name: np.array([row[name] for row in rows]) for name in NAMES}
    expected = native.compiled(symbolic.program(parse(text), NAMES, NAMES)).run(columns)
    keys = ["value", *(f"d_{name}" for name in NAMES)]
    got = [
        [float(row["nonfinite"][k] if row[k] is None else row[k]) for row in written] for k in keys
    ]
    np.testing.assert_array_equal(got, expected)


EXACT = {
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.sqrt, np.where),
    *(np.minimum, np.maximum, np.less, np.less_equal, np.greater, np.greater_equal, np.equal),
    *(np.not_equal, np.sign, np.floor, np.ceil),
}


@every
@given(ALL, POINTS)
def test_a_printed_formula_means_the_same(text, point):
    """The value and each derivative, printed, parsed and evaluated."""
    assume(moderate(point))
    printed = formulas(symbolic.program(parse(text), NAMES, NAMES))
    value, gradient = value_and_gradient(text, point)
    slack_value, slack_gradient = noise(text, point)
    assume(np.isfinite([value, *gradient]).all())
    again = [float(derivatives.value(parse(line), arrays(point))) for line in printed]
    if not (agree(again[0], value, slack_value) and agree(again[1:], gradient, slack_gradient)):
        event("the sign of a zero or a nan times 0, which no formula tells, decided a step")
        expression = parse(text)
        hidden = step_at_zero(expression, point) or nan_decides(expression, point)
        assert hidden, (printed, again)


ZEROS = {
    "arctan2": lambda a, b: a == 0 and b <= 0,
    "truediv": lambda a, b: b == 0,
    "pow": lambda a, b: a == 0,
    "floordiv": lambda a, b: b == 0,
    "mod": lambda a, b: b == 0,
}
"""Operations that jump where an operand goes from 0.0 to -0.0."""


def step_at_zero(expression, point):
    """Whether an operation is at such a jump."""
    return any(name in ZEROS and ZEROS[name](*xs) for name, xs in operations(expression, point))


DECIDES = {
    "logical_not": 1,
    "logical_and": 2,
    "logical_or": 2,
    "choice": 1,
    "chain": 4,
    "where": 1,
    "lt": 2,
    "le": 2,
    "gt": 2,
    "ge": 2,
    "eq": 2,
    "ne": 2,
}
"""Operations that take a nan for true or false, and how many of their operands they look at."""


def nan_decides(expression, point):
    """Whether a nan is a condition: ``log(x)*0`` is one for x < 0, and 0 in a formula."""
    return any(
        name in DECIDES and np.isnan(xs[: DECIDES[name]]).any()
        for name, xs in operations(expression, point)
    )


@every
@given(ALL)
def test_printing_settles(text):
    """What was printed, parsed and printed again, stays as it is."""
    for _ in range(2):
        printed, text = text, formulas(symbolic.program(parse(text), NAMES, ()))[0]
    printed, text = text, formulas(symbolic.program(parse(text), NAMES, ()))[0]
    assert text == printed


# ------------------------------------------------------------------------------- of derivatives
@every
@given(ANALYTIC_EXPRESSIONS, POINTS)
def test_the_gradient_is_that_of_the_complex_step(text, point):
    assume(moderate(point))
    value, gradient = value_and_gradient(text, point)
    assume(np.isfinite([value, *gradient]).all())
    slack = noise(text, point)[1]
    expression = parse(text)
    for i, name in enumerate(NAMES):
        values = {n: Variable(np.array(complex(v))) for n, v in point.items()}
        still = expression.evaluate(values).data
        step = 1e-30 * abs(point[name]) or 1e-100
        values[name] = Variable(np.array(complex(point[name], step)))
        moved = expression.evaluate(values).data
        if still.imag != 0 or not abs(still.real - value) <= 1e-9 * abs(value):
            event("another branch of the complex plane, or a complex function of few digits")
            return
        slope = float(moved.imag) / step
        if not np.isfinite(slope):
            event("complex overflow")
            return
        assert agree(gradient[i], slope, slack[i], 1e-9)


@every
@given(ALL, POINTS)
def test_permuting_the_inputs_permutes_the_gradient(text, point):
    turned = dict(zip("xyz", "yzx", strict=True))
    renamed = re.sub(r"\b[xyz]\b", lambda match: turned[match[0]], text)
    value, gradient = value_and_gradient(text, point)
    again, permuted = value_and_gradient(renamed, {turned[n]: v for n, v in point.items()})
    np.testing.assert_array_equal([again, *permuted[[1, 2, 0]]], [value, *gradient])


@every
@given(ALL, ALL, POINTS)
def test_the_gradient_is_linear(first, second, point):
    assume(moderate(point))
    parts = [value_and_gradient(text, point)[1] for text in (first, second)]
    combined = value_and_gradient(f"2.5*({first}) - ({second})/4", point)[1]
    expected = 2.5 * parts[0] - parts[1] / 4
    assume(np.isfinite(expected).all())
    scale = max(np.abs(parts).max(), 1.0)
    slack = max(noise(text, point)[1].max() for text in (first, second))
    assert np.abs(combined - expected).max() <= 1e-12 * scale + 1e4 * slack


@every
@given(ALL, ALL, POINTS)
def test_the_chain_rule_by_substitution(outer, inner, point):
    u, inner_gradient = value_and_gradient(inner, point)
    composed = re.sub(r"\bx\b", f"({inner})", outer)
    value, gradient = value_and_gradient(composed, point)
    assume(np.isfinite([u, value, *inner_gradient, *gradient]).all())
    outer_value, outer_gradient = value_and_gradient(outer, point | {"x": u})
    assert outer_value == value or (np.isnan(value) and np.isnan(outer_value))
    expected = outer_gradient * [0.0, 1.0, 1.0] + outer_gradient[0] * inner_gradient
    assume(np.isfinite(expected).all())
    scale = max(1.0, abs(outer_gradient).max(), abs(outer_gradient[0] * inner_gradient).max())
    slack = noise(composed, point)[1].max()
    assert np.abs(gradient - expected).max() <= 1e-11 * scale + 1e4 * slack


# ----------------------------------------------------------------------- HIPS autograd as oracle
autograd = pytest.importorskip("autograd")
extend = pytest.importorskip("autograd.extend")
anp = autograd.numpy
their_cbrt = extend.primitive(np.cbrt)
extend.defvjp(their_cbrt, lambda y, x: lambda g: g / (3 * y**2))

THEIRS_LACKS = {"copysign", "fmod", "heaviside", "isnan", "isinf", "isfinite"}
THEIRS = {
    **{
        known.function: getattr(anp, known.name)
        for known in F.FUNCTIONS.values()
        if known.elementwise and hasattr(anp, known.name) and known.name not in THEIRS_LACKS
    },
    operator.neg: operator.neg,
    operator.add: operator.add,
    operator.sub: operator.sub,
    operator.mul: operator.mul,
    operator.truediv: operator.truediv,
    operator.pow: anp.power,
    operator.lt: lambda a, b: 1.0 * anp.less(a, b),
    operator.le: lambda a, b: 1.0 * anp.less_equal(a, b),
    operator.gt: lambda a, b: 1.0 * anp.greater(a, b),
    operator.ge: lambda a, b: 1.0 * anp.greater_equal(a, b),
    operator.eq: lambda a, b: 1.0 * anp.equal(a, b),
    operator.ne: lambda a, b: 1.0 * anp.not_equal(a, b),
    F.cbrt: their_cbrt,
    F.square: lambda x: x * x,
    F.exp10: lambda x: anp.exp(x * np.log(10.0)),
    F.xlogy: lambda a, b: a * anp.log(b),
    F.sec: lambda x: 1 / anp.cos(x),
    F.csc: lambda x: 1 / anp.sin(x),
    F.cot: lambda x: 1 / anp.tan(x),
    F.arcsec: lambda x: anp.arccos(1 / x),
    F.arccsc: lambda x: anp.arcsin(1 / x),
    F.arccot: lambda x: anp.arctan(1 / x),
    F.sech: lambda x: 1 / anp.cosh(x),
    F.csch: lambda x: 1 / anp.sinh(x),
    F.coth: lambda x: 1 / anp.tanh(x),
    F.arcsech: lambda x: anp.arccosh(1 / x),
    F.arccsch: lambda x: anp.arcsinh(1 / x),
    F.arccoth: lambda x: anp.arctanh(1 / x),
    F.degrees: lambda x: x * 180 / np.pi,
    F.radians: lambda x: x * np.pi / 180,
    F.logit: lambda x: anp.log(x / (1 - x)),
    F.log_sigmoid: lambda x: -anp.logaddexp(-x, 0.0),
    F.logaddexp2: lambda a, b: anp.logaddexp(a * np.log(2), b * np.log(2)) / np.log(2),
    F.total: lambda *xs: functools.reduce(operator.add, xs),
    F.product: lambda *xs: functools.reduce(operator.mul, xs),
    F.average: lambda *xs: functools.reduce(operator.add, xs) / len(xs),
    F.distance: lambda *xs: anp.sqrt(sum(x * x for x in xs)),
    F.least: lambda *xs: functools.reduce(anp.minimum, xs),
    F.greatest: lambda *xs: functools.reduce(anp.maximum, xs),
    F.hypot: lambda a, b: anp.sqrt(a * a + b * b),
    F.relu: lambda x: anp.maximum(x, 0.0),
    F.sigmoid: lambda x: 1 / (1 + anp.exp(-x)),
    F.softplus: lambda x: anp.logaddexp(x, 0.0),
    F.clip: lambda x, low, high: anp.minimum(anp.maximum(x, low), high),
    F.where: lambda c, a, b: anp.where(c != 0, a, b),
    F.pow: anp.power,
}


def hips(expression, point):
    """Value and gradient by HIPS autograd, which calls its own functions in the same order."""

    def function(values):
        stack = []
        for step in expression.steps:
            if isinstance(step, Apply):
                operands = stack[-step.arity :]
                del stack[-step.arity :]
                assume(step.function in THEIRS)
                stack.append(THEIRS[step.function](*operands))
            elif isinstance(step, Load):
                index = NAMES.index(step.name) if step.name in NAMES else None
                stack.append(np.float64(F.CONSTANTS[step.name]) if index is None else values[index])
            else:
                number = step.operand
                stack.append(np.float64(number.data if isinstance(number, Variable) else number))
        return stack[0] + 0.0 * values[0]

    at = np.array([point[name] for name in NAMES])
    return float(function(at)), autograd.grad(function)(at)


KINKS = {
    "abs": (lambda x: x == 0, "0 here, the subgradient of least norm"),
    "sign": (lambda x: x == 0, "flat on both sides"),
    "floor": (lambda x: x == np.floor(x), "flat on both sides"),
    "ceil": (lambda x: x == np.floor(x), "flat on both sides"),
    "degrees": (lambda x: abs(x) < 1e-300, "underflow"),
    "xlogy": (lambda a, b: a == 0 or b == 0, "0 here where the factor is"),
    "sinc": (lambda x: abs(x) < 0.5, "autograd has the formula, which cancels"),
    "arccot": (lambda x: x == 0, "a jump"),
    "arcsech": (lambda x: x in (0, 1), "infinite here"),
    "arccsch": (lambda x: x == 0, "infinite here"),
    "logit": (lambda x: x in (0, 1), "infinite here"),
    "csc": (lambda x: x == 0, "infinite here"),
    "cot": (lambda x: x == 0, "infinite here"),
    "csch": (lambda x: x == 0, "infinite here"),
    "coth": (lambda x: x == 0, "infinite here"),
    "least": (lambda *xs: len(set(xs)) < len(xs), "a tie is shared"),
    "greatest": (lambda *xs: len(set(xs)) < len(xs), "a tie is shared"),
    "distance": (lambda *xs: not any(xs), "0 here at the origin"),
    "relu": (lambda x: x == 0, "0 here, the subgradient of least norm; autograd halves"),
    "cbrt": (lambda x: x == 0, "infinite here"),
    "where": (lambda c, a, b: True, "the branch not taken never leaks here"),
    "clip": (lambda x, low, high: x in (low, high) or low >= high, "0 here at a bound"),
    "hypot": (lambda a, b: a == 0 and b == 0, "0 here at the origin"),
    "minimum": (lambda a, b: a == b, "a tie is halved"),
    "maximum": (lambda a, b: a == b, "a tie is halved"),
    "arctan2": (lambda a, b: a == 0 and b == 0, "undefined at the origin"),
    "pow": (lambda a, b: a <= 0, "0 here for d/dy at base 0, nan at a negative base"),
    "sqrt": (lambda x: x == 0, "infinite here"),
}
"""Where the two may differ, and what is held here."""


def operations(expression, point):
    """The name of each operation, with its operands, in order."""
    kept = []
    inputs = {name: Variable(np.array(value)) for name, value in point.items()}
    expression.evaluate(inputs, keep=kept)
    for _, step, result in kept:
        is_chain = type(step.function) is Chain
        name = "pow" if step.function is operator.pow else getattr(step.function, "__name__", "")
        inputs = result.creator.inputs if result.creator else ()
        if is_chain:  # what its two comparisons compare
            name, inputs = "chain", [x for y in inputs if y.creator for x in y.creator.inputs]
        operands = [float(x.data) for x in inputs]
        if name == "pow" and len(operands) == 1:
            operands.append(0.0)
        if operands:
            yield name, operands


def kink(expression, point):
    """The first operation that is at its kink, else None."""
    for name, operands in operations(expression, point):
        if name in KINKS and KINKS[name][0](*operands):
            return name
    return None


@every
@given(EXPRESSIONS, POINTS)
def test_hips_autograd_agrees(text, point):
    expression = parse(text)
    value, gradient = value_and_gradient(text, point)
    their_value, their_gradient = hips(expression, point)
    slack_value, slack_gradient = noise(text, point)
    assume(np.isfinite([value, their_value]).all())
    assert agree(value, their_value, slack_value)
    both = np.isfinite(gradient) & np.isfinite(their_gradient)
    if agree(gradient[both], their_gradient[both], slack_gradient[both]):
        return
    reason = kink(expression, point)
    event(f"differs at a kink: {reason}, {KINKS.get(reason, ('', ''))[1]}")
    assert reason is not None, (gradient, their_gradient)


@every
@given(ALL, NUMBERS)
def test_a_function_of_nothing_is_flat(text, number):
    """An input that the expression does not use has gradient 0."""
    values = arrays(dict.fromkeys((*NAMES, "unused"), number))
    gradient = derivatives.value_and_gradient(parse(text), values, ["unused"])[1]
    assert gradient["unused"] == 0.0

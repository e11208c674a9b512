"""Derived formulas are tidy, mean what the engine computes, and take work in proportion."""

import itertools
import sys

import numpy as np
import pytest

from dezero import Variable
from dezero.functions import NAMES
from dezero.programs.constants import quotient
from dezero.programs.dialects import FORMS
from dezero.programs.formula import formulas
from dezero.programs.kinds import exact
from dezero.programs.tidy import tidied
from dezero.programs.trace import SizeError, differentiate
from dezero_cli.faults import ExpressionError
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse

TIDY = [
    # equal terms, wherever they stand in a sum
    ("(x + 1)*(x - 1)", 1, ["2*x"]),
    ("x*(x + 1)", 1, ["2*x + 1"]),
    ("(x*y + z)*(x*y - z)", 1, ["2*x*y*y", "2*x*y*x", "-2*z"]),
    ("(x - y) + z*x + x", 1, ["2 + z", "-1", "x"]),
    ("0.1*x*y + 0.2*x*y + 0.3*y*x", 1, ["0.6*y", "0.6*x"]),
    ("x/3 + x/6", 1, ["0.5"]),
    ("log(x)/x", 3, ["(11 - 6*log(x))/x**4"]),
    ("sin(x)*exp(x)", 4, ["-4*sin(x)*exp(x)"]),
    ("exp(x)*x", 9, ["(9 + x)*exp(x)"]),
    # what all terms share
    ("cos(3*x + 2)*a + cos(2*x + 1)*a", 1, None),
    ("a*sin(3*x + 2) + a*sin(2*x + 1)", 1, ["sin(2*x + 1) + sin(3*x + 2)", None]),
    ("x/(x + y)", 1, ["(1 - x/(x + y))/(x + y)", "-x/(x + y)/(x + y)"]),
    ("x**2 + x**3", 1, ["3*x**2 + 2*x"]),
    # quotients and roots
    ("1/(x + y)", 1, ["-1/(x + y)**2", "-1/(x + y)**2"]),
    ("x/(x*x + 1)**2", 1, None),
    ("cos(x)**2*z", 1, None),
    ("m/sqrt(1 - v*v)", 1, ["1/sqrt(1 - v**2)", "m/sqrt(1 - v**2)/(1 - v**2)*v"]),
    # guards
    ("x**y", 1, ["where(x == 0 and y == 0, 0, y*x**(y - 1))", None]),
    ("x**y + 3*x**y*z", 1, ["where(x == 0 and y == 0, 0, y*x**(y - 1)*(3*z + 1))", None, "3*x**y"]),
    ("(1 + x**2)**y", 1, ["2*y*(1 + x**2)**(y - 1)*x", "(1 + x**2)**y*log(1 + x**2)"]),
    ("x**(2 + y**2)", 1, ["(2 + y**2)*x**(1 + y**2)", None]),
    ("cosh(x)**y", 1, ["y*cosh(x)**(y - 1)*sinh(x)", "cosh(x)**y*log(cosh(x))"]),
    # choices
    ("max(x, y)*z", 1, ["where(x < y, 0, where(x > y, 1, 0.5)*z)", None, "maximum(x, y)"]),
    ("min(max(x/y, 0), 1)", 1, None),
    ("where(x > y, x*z, y*z)", 1, ["where(x > y, z, 0)", "where(x > y, 0, z)", None]),
    # constants
    ("q/(4*pi*r)", 1, ["1/(4*pi*r)", "-q/r/r/(4*pi)"]),
    ("x/5.123", 1, ["1/5.123"]),
    ("7.123*(x*x*y)/5.123", 1, [None, None]),
    ("exp(-x*x/2)/sqrt(2*pi)", 1, ["-exp(-x**2/2)*x/sqrt(2*pi)"]),
]


@pytest.mark.parametrize(("text", "order", "expected"), TIDY)
def test_formulas_are_tidy_and_have_the_engines_values(text, order, expected):
    expression = parse(text)
    names = symbolic.free_names(expression)
    wanted, program = symbolic.derivatives(expression, names, names, order)
    got = formulas(program)[1:]
    if expected is not None:
        assert [e and g for g, e in zip(got, expected, strict=True)] == expected
    generator = np.random.default_rng(len(text))
    points = generator.uniform(0.05, 0.95, (len(names), 40))
    right = engine(expression, names, wanted, points)
    inputs = dict(zip(names, map(Variable, points), strict=True))
    for formula, row in zip(got, right, strict=True):
        values = np.broadcast_to(parse(formula).evaluate(inputs).data, row.shape)
        scale = np.abs(row).max()
        np.testing.assert_allclose(values, row, 1e-11, 1e-12 * scale, err_msg=formula)


def engine(expression, names, wanted, points):
    """The derivatives by the engine's own graph, of any order, shape (wanted, points)."""
    rows = []
    for each in wanted:
        inputs = [Variable(row) for row in points]
        y = expression.evaluate(dict(zip(names, inputs, strict=True)))
        for name in each:
            for x in inputs:
                x.cleargrad()
            if isinstance(y, Variable):
                y.backward(create_graph=True)
            y = inputs[names.index(name)].grad
        rows.append(np.broadcast_to(0.0 if y is None else y.data, points[0].shape))
    return rows


HIGHER = [
    ("tan(x)", 7),
    ("sin(x*y)", 5),
    ("exp(sin(x)/(x + y))", 3),
    ("log(x + y*y)*x", 4),
    ("x**y", 3),
    ("hypot(x, y)", 4),
    ("arctan2(x, y)*x", 3),
    ("tanh(x*y)/x", 4),
    ("maximum(x, y)**3*y", 3),
    ("sqrt(x + y)*sigmoid(x)", 4),
]


@pytest.mark.parametrize(("text", "order"), HIGHER)
def test_what_is_tidied_between_orders_has_the_engines_values(text, order):
    expression = parse(text)
    names = symbolic.free_names(expression)
    points = np.random.default_rng(order).uniform(0.2, 1.5, (len(names), 40))
    wanted, program = symbolic.derivatives(expression, names, names, order)
    got = program.run(dict(zip(names, points, strict=True)))[1:]
    for each, values, row in zip(wanted, got, engine(expression, names, wanted, points)):
        atol = 1e-11 * np.abs(row).max()
        np.testing.assert_allclose(np.broadcast_to(values, row.shape), row, 1e-9, atol, str(each))


ELEMENTWISE = {known.name: known for known in NAMES.values() if known.elementwise}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_program_and_what_it_is_tidied_to_have_the_same_values(name):
    known = ELEMENTWISE[name]
    orders = {f"x{i}" for i, each in enumerate(known.parameters) if each in known.orders}
    parameters = [f"x{i}" for i in range(len(known.parameters))]
    expression = parse(f"{name}({', '.join(parameters)})*x0/3 - x0*x0")
    wrt = [parameter for parameter in parameters if parameter not in orders]
    program = symbolic.program(expression, parameters, wrt)
    points = np.random.default_rng(1).uniform(-2, 2, (len(parameters), 100))
    columns = dict(zip(parameters, points, strict=True))
    for ours, engines in zip(tidied(program).run(columns), program.run(columns), strict=True):
        atol = 1e-13 * np.nanmax(np.abs(engines[np.isfinite(engines)]), initial=1.0)
        np.testing.assert_allclose(ours, engines, 1e-12, atol)


@pytest.mark.parametrize("value", [0.5, 3.0, 1e-7, 1 / 5.123, np.pi / 4, 2 / np.pi**2, 0.1, 1e300])
def test_a_constant_reads_back_within_its_last_digit(value):
    above, below = quotient(exact(value))
    text = f"({above or 1})/({below or 1})"
    assert abs(float(parse(text).evaluate({}).data) / value - 1) < 5e-16


def test_the_order_of_a_sum_keeps_the_digits_of_small_terms():
    program = symbolic.program(parse("x + (y - z) + x"), ["x", "y", "z"], [])
    (text,) = formulas(program)
    inputs = {"x": Variable(np.array(0.3)), "y": Variable(np.array(1e16))}
    value = parse(text).evaluate(inputs | {"z": Variable(np.array(1e16))}).data
    assert text == "2*x + (y - z)" or text == "y - z + 2*x"
    assert value == 0.6


# ------------------------------------------------------------------------------------- proportion
SHAPES = {
    "a sum of sines of one input": lambda n: " + ".join(f"sin({i}*x0)" for i in range(1, n // 3)),
    "a sum of sines of its inputs": lambda n: " + ".join(f"sin(x{i})" for i in range(n // 2)),
    "a product of its inputs": lambda n: "*".join(f"x{i}" for i in range(n)),
    "quotients": lambda n: "/".join(f"x{i}" for i in range(n)),
    "choices": lambda n: " + ".join(f"maximum(x0, {i})" for i in range(n // 4)),
    "equal terms": lambda n: " + ".join(f"{i}*x0*x1/x2" for i in range(1, n // 4)),
}
NESTS = {
    "sines": lambda n: "sin(" * n + "x0" + ")" * n,
    "polynomials": lambda n: "(" * n + "x0" + "".join(f"*x0 + {i})" for i in range(n)),
    "maxima": lambda n: "maximum(" * n + "x0" + "".join(f", x{i % 5})" for i in range(n)),
}
ALL = [
    *itertools.product(SHAPES, ["formulas", *FORMS]),
    *itertools.product(NESTS, [form for form in FORMS if form != "latex"]),
]


def derived(text, form):
    """Derive for one input, and write in a form."""
    expression = parse.__wrapped__(text)
    names = symbolic.free_names(expression)
    wanted, program = symbolic.derivatives(expression, names, names[:1])
    if form == "formulas":
        formulas(program)
    else:
        FORMS[form](program, [(), *wanted], text)


def calls(work):
    """How many functions are called."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.unmeasured
@pytest.mark.parametrize(("shape", "form"), ALL)
def test_twice_the_expression_is_twice_the_work(shape, form):
    short, long = (({**SHAPES, **NESTS}[shape])(n) for n in (150, 300))
    derived(short, form)
    assert calls(lambda: derived(long, form)) < 2.3 * calls(lambda: derived(short, form)) + 1000


def test_the_gradient_for_all_inputs_takes_one_walk():
    def work(n):
        expression = parse.__wrapped__(" + ".join(f"sin(x{i})" for i in range(n)))
        names = symbolic.free_names(expression)
        return calls(lambda: formulas(symbolic.derivatives(expression, names, names)[1]))

    assert work(400) < 2.3 * work(200) + 1000


@pytest.mark.parametrize(("text", "most"), [("tan(x)", 200), ("sin(x*y)", 2000), ("log(x)/x", 700)])
def test_high_orders_stay_small(text, most):
    expression = parse(text)
    names = symbolic.free_names(expression)
    assert len(symbolic.derivatives(expression, names, names, 20)[1].operations) < most


def test_operations_beyond_the_bound_are_not_done():
    expression = parse("exp(sin(x)*y)/(x + y)")
    fault = "its derivatives of order 4 take more than 300 operations, which --max-operations"
    with pytest.raises(ExpressionError, match=fault):
        symbolic.derivatives(expression, ["x", "y"], ["x", "y"], 4, most=300)
    with pytest.raises(ExpressionError, match="its derivatives take more than 5 operations"):
        symbolic.derivatives(expression, ["x", "y"], ["x", "y"], most=5)
    program = symbolic.program(expression, ["x", "y"], ["x", "y"])
    assert calls(lambda: refused(program)) < 100 < len(program.operations) * 10


def refused(program):
    with pytest.raises(SizeError):
        differentiate(program, [(1, ["x"])], most=10)

"""And, or, not: Python's truth of numbers, flat, on arrays, in programs and in derived text."""

import math

import numpy as np
import pytest

from dezero import Variable
from dezero import functions as F
from dezero.calculus import grad, hessian
from dezero.logic import logical_and, logical_not, logical_or
from dezero.programs.formula import formulas
from dezero.programs.native import compiled
from dezero.programs.trace import trace
from dezero_cli.language.parser import parse

VALUES = [0.0, -0.0, 1.0, -2.0, 5e-324, math.inf, -math.inf, math.nan]
FUNCTIONS = {
    "and": (logical_and, np.logical_and, lambda a, b: a and b),
    "or": (logical_or, np.logical_or, lambda a, b: a or b),
    "not": (logical_not, np.logical_not, lambda a: not a),
}
PAIRS = [(a, b) for a in VALUES for b in VALUES]


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of 1/0; here it is in the branch that is not taken."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_zero_is_false(name):
    ours, ufunc, by_python = FUNCTIONS[name]
    columns = [np.array(column) for column in zip(*PAIRS, strict=True)][: ufunc.nin]
    expected = [float(bool(by_python(*row))) for row in zip(*columns, strict=True)]
    got = ours(*map(Variable, columns))
    assert got.data.dtype == float and got.data.tolist() == expected
    assert ufunc(*map(Variable, columns)).data.tolist() == expected
    names = ["a", "b"][: ufunc.nin]
    for function in (
        ours,
        lambda *xs: ufunc(*xs),
        lambda *xs: Variable._around(ufunc(*(x._data for x in xs)), 0),
    ):
        program = trace(function, names, [])
        assert program.run(dict(zip(names, columns, strict=True)))[0].tolist() == expected
        kernel = compiled(program)
        assert kernel.run(dict(zip(names, columns, strict=True)))[0].tolist() == expected


@pytest.mark.parametrize("name", FUNCTIONS)
def test_logic_is_flat(name):
    ours, ufunc, _ = FUNCTIONS[name]

    def function(*xs):
        return ours(*(1.0 / x for x in xs)) * 3.0 + F.log(xs[0])

    at = (2.0, 0.0)[: ufunc.nin]
    first, second = grad(function)(*at), hessian(function)(*at)
    expected = [0.5, 0.0][: ufunc.nin]
    assert (list(first) if ufunc.nin > 1 else [first]) == expected
    assert np.ravel(second).tolist() == ([-0.25, 0, 0, 0] if ufunc.nin > 1 else [-0.25])


def test_a_condition_of_several_keeps_the_branch_not_taken_out():
    def function(x, y):
        return F.where(logical_and(x > 0, logical_or(y > 0, x > 2)), F.log(x) * F.sqrt(y), y)

    points = [(1.0, 4.0), (-1.0, -4.0), (0.0, 0.0), (3.0, -1.0)]
    expected = [(2.0, 0.0), (0.0, 1.0), (0.0, 1.0), (math.nan, math.nan)]
    assert np.array_equal([grad(function)(*at) for at in points], expected, equal_nan=True)
    program = trace(function, ["x", "y"])
    columns = dict(zip("xy", np.array(points).T, strict=True))
    for run in (program.run, compiled(program).run):
        assert np.array_equal(np.transpose(run(columns)[1:]), expected, equal_nan=True)
    for formula, column in zip(formulas(program)[1:], zip(*expected, strict=True), strict=True):
        got = parse(formula).evaluate({name: Variable(x) for name, x in columns.items()}).data
        assert np.array_equal(got, column, equal_nan=True), formula


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y: logical_and(x < y, y < 1.0), "less less multiply"),
        (
            lambda x, y: logical_or(x < y, logical_and(x, y < 1)),
            "less less not_equal multiply maximum",
        ),
        (lambda x, y: logical_not(logical_not(x < y)), "less"),
        (lambda x, y: F.where(logical_not(x < y), x, y), "less where"),
        (lambda x, y: F.where(x < y, y < 2, 0.0) != 0, "less less where"),
        (lambda x, y: F.maximum(x, y) != 0, "maximum not_equal"),
        (lambda x, y: (x < y) * x != 0, "less multiply not_equal"),
        (lambda x, y: (x < y) * -0.0 != 0, "less multiply not_equal"),
    ],
)
def test_a_truth_is_not_compared_again(function, expected):
    program = trace(function, ["x", "y"], [])
    assert " ".join(operation.__name__ for operation, _ in program.operations) == expected

"""Arrays in programs: whatever is done to lists of columns is what the engine does in each row.

DEZERO_LAWS sets how many expressions are drawn.
"""

import contextlib
import os
import random

import mpmath
import numpy as np
import pytest

from dezero import Function, Variable, constant
from dezero import functions as F
from dezero.calculus import hessian, value_and_grad
from dezero.lists import stack
from dezero.logic import logical_and
from dezero.programs.dialects import FORMS
from dezero.programs.formula import FormulaError, formulas
from dezero.programs.native import compiled
from dezero.programs.recorder import Recorder
from dezero.programs.trace import TraceError, column_variables, differentiate, trace
from dezero_cli.language.parser import parse

DRAWN = int(os.environ.get("DEZERO_LAWS", "40"))
NAMES = ("a", "b", "c", "d")
ROWS = 4
POINTS = np.random.default_rng(3).uniform(0.3, 2.0, (ROWS, len(NAMES)))


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of 1/0; here it is what is tested."""
    with np.errstate(all="ignore"):
        yield


def held(function, points=POINTS, rtol=1e-11):
    """The program of a function, which gives the engine's values and two derivatives a row."""
    names = NAMES[: points.shape[1]]
    program = trace(function, names)
    columns = dict(zip(names, points.T, strict=True))
    second = [differentiate(program, [(i, names)]) for i in range(1, len(names) + 1)]
    for run in (lambda part: part.run(columns), lambda part: compiled(part).run(columns)):
        first = np.broadcast_arrays(points[:, 0], *run(program))[1:]
        rows = [np.broadcast_arrays(points[:, 0], *run(part))[1:] for part in second]
        for row, point in enumerate(points):
            value, gradient = value_and_grad(function)(*point)
            expected = [value, *(gradient if len(names) > 1 else [gradient])]
            scale = np.max(np.abs(expected))
            got = [column[row] for column in first]
            np.testing.assert_allclose(got, expected, rtol=rtol, atol=1e-13 * scale)
            curves = np.reshape(hessian(function)(*point), -1)
            got = [column[row] for part in rows for column in part]
            scale = max(np.max(np.abs(curves)), scale)
            np.testing.assert_allclose(got, curves, rtol=rtol, atol=1e-12 * scale)
    return program


# ---------------------------------------------------------------------------- drawn expressions
def reduced(draw, x):
    """A reduction over an axis or all."""
    function = draw.choice([F.sum, F.mean, F.prod, F.max, F.min, F.norm])
    axis = draw.choice([None, *range(-x.ndim, x.ndim)])
    return function(x, axis=axis, keepdims=draw.random() < 0.3)


def indexed(draw, x):
    """An element, a slice, or those of a column."""
    count = x.shape[0]
    one = draw.randrange(-count, count)
    kinds = [one, slice(one % count, None), slice(None, None, draw.choice([2, -1]))]
    kinds += [(slice(None), -1), (one, 0), (Ellipsis, slice(1))] if x.ndim > 1 else [Ellipsis]
    return x[draw.choice(kinds)]


def elementwise(draw, x, y):
    """An operation on two that fit together, or of one."""
    return draw.choice(
        [
            lambda: x + y,
            lambda: x * y,
            lambda: x - y * 0.5,
            lambda: x / (1.0 + y * y),
            lambda: F.hypot(x, y),
            lambda: F.maximum(x, y),
            lambda: F.where(x > y, F.sin(x), y * x),
            lambda: F.where(logical_and(x > 0.5, y), F.sqrt(x * x + 1), F.sigmoid(y)),
            lambda: F.tanh(x) ** 2,
            lambda: F.exp(-x * x),
            lambda: F.softplus(y),
            lambda: 2.0 - F.clip(x, 0.5, 1.5) % 0.4,
        ]
    )()


def multiplied(draw, x, y):
    """A product with a matrix, where the shapes fit."""
    if x.ndim and y.ndim and x.shape[-1] == y.shape[max(y.ndim - 2, 0)]:
        return draw.choice([F.matmul, F.dot])(x, y)
    if x.ndim and y.ndim and x.shape[-1] == y.shape[-1]:
        return x @ F.transpose(y)
    return F.dot(x, 2.0)


def fit(x, y):
    """Whether two shapes can be broadcast."""
    return all(1 in {m, n} or m == n for m, n in zip(x.shape[::-1], y.shape[::-1], strict=False))


def expression(seed):
    """A function of four numbers through lists of them, the same for the same seed."""

    def function(*xs):
        draw = random.Random(seed)
        pool = [*xs, constant(1.5), constant(np.array([0.5, -1.0, 2.0]))]
        for _ in range(draw.randint(3, 7)):
            arrays = [x for x in pool if x.ndim]
            kind = draw.random()
            x, y = draw.choice(pool), draw.choice(pool)
            if kind < 0.35 or len(arrays) < 3:
                same = [z for z in pool if z.shape in {(), x.shape}] if x.ndim < 2 else list(xs)
                pool.append(stack(draw.choices(same, k=draw.choice([2, 3, 3]))))
            elif kind < 0.5:
                pool.append(reduced(draw, draw.choice(arrays)))
            elif kind < 0.6:
                pool.append(indexed(draw, draw.choice(arrays)))
            elif kind < 0.65:
                pool.append(F.transpose(draw.choice(arrays)))
            elif kind < 0.8:
                pool.append(multiplied(draw, draw.choice(arrays), draw.choice(pool)))
            elif fit(x, y):
                pool.append(elementwise(draw, x, y))
        return sum((F.mean(stack([F.tanh(x * 0.25), 1.0])) for x in pool[-3:]), xs[0] * xs[1])

    return function


@pytest.mark.parametrize("part", range(4))
def test_drawn_expressions(part):
    sizes = [len(held(expression(seed)).operations) for seed in range(part, DRAWN, 4)]
    assert max(sizes) > 50


def test_drawn_formulas_are_read_back_as_the_same():
    read = 0
    for seed in range(DRAWN):
        program = trace(expression(seed), NAMES)
        with contextlib.suppress(FormulaError):  # of a formula that would be too long
            texts = formulas(program)
            if len("".join(texts)) > 20_000 or "%" in "".join(texts):
                continue
            columns = dict(zip(NAMES, POINTS.T, strict=True))
            inputs = {name: Variable(column) for name, column in columns.items()}
            for text, expected in zip(texts, program.run(columns), strict=True):
                got = np.broadcast_to(parse(text).evaluate(inputs).data, expected.shape)
                scale = np.max(np.abs(expected))
                np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12 * scale)
            read += 1
    assert read > DRAWN / 3


# ------------------------------------------------------------------------------------- formulas
def vector(*xs):
    return stack(xs)


FORMULAS = {
    "a + b + c": lambda a, b, c: F.sum(vector(a, b, c)),
    "(a + b + c)/3": lambda a, b, c: F.mean(vector(a, b, c)),
    "a*b*c": lambda a, b, c: F.prod(vector(a, b, c)),
    "hypot(a, b)": lambda a, b, c: F.norm(vector(a, b)),
    "hypot(hypot(a, b), c)": lambda a, b, c: F.norm(vector(a, b, c)),
    "maximum(a, b)": lambda a, b, c: F.max(vector(a, b)),
    "minimum(minimum(a, b), c)": lambda a, b, c: F.min(vector(a, b, c)),
    "(a + c)*b": lambda a, b, c: F.dot(vector(a, b), vector(b, c)),
    "b": lambda a, b, c: vector(a, b, c)[1],
    "c": lambda a, b, c: vector(a, b, c)[-1],
    "a + c": lambda a, b, c: F.sum(vector(a, b, c)[::2]),
    "a**2 + c*b": lambda a, b, c: (vector(vector(c, a), vector(a, c)) @ vector(a, b))[1],
    "a*c": lambda a, b, c: F.transpose(vector(vector(a, b), vector(c, 1.0)))[0][0] * c,
    "sin(a) + sin(2*b)": lambda a, b, c: F.sum(F.sin(vector(a, b) * np.array([1.0, 2.0]))),
    "abs(a)": lambda a, b, c: F.norm(vector(a)),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_have_no_lists_and_the_same_derivatives(text):
    program = held(FORMULAS[text], POINTS[:, :3])
    value, *gradient = formulas(program)
    assert value == text
    for point in POINTS[:, :3]:
        inputs = {name: Variable(np.array(x)) for name, x in zip("abc", point, strict=True)}
        expected = value_and_grad(FORMULAS[text])(*point)[1]
        got = [float(parse(formula).evaluate(inputs).data) for formula in gradient]
        assert got == pytest.approx([float(g) for g in expected], rel=1e-13)


def test_every_language_has_them():
    program = trace(lambda a, b: F.norm(vector(a, b, 2.0)) * F.max(vector(a, b)), ["a", "b"])
    for form in FORMS:
        assert FORMS[form](program, [(), ("a",), ("b",)], "a list")


# -------------------------------------------------------------------------------- edges and ties
@pytest.mark.parametrize(
    "tie", [(1.0, 1.0, 1.0), (2.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-0.0, 0.0, 1.0)]
)
@pytest.mark.parametrize("function", [F.max, F.min, F.prod, F.norm])
def test_ties_and_the_origin(function, tie):
    def f(a, b, c):
        return function(vector(a, b, c)) * 3.0

    program = trace(f, ["a", "b", "c"])
    columns = dict(zip("abc", tie, strict=True))
    expected = [float(g) for g in value_and_grad(f)(*tie)[1]]
    for run in (program.run, compiled(program).run):
        assert [float(column[0]) for column in run(columns)[1:]] == pytest.approx(
            expected, rel=1e-15
        )


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
@pytest.mark.parametrize("small", [1.0, 1e-3, 1e-8])
def test_the_curvature_of_a_norm_keeps_its_digits(small, scale):
    point = (small * scale, -2.0 * small * scale, 3.0 * scale, 0.5 * small * scale)
    program = trace(lambda *xs: F.norm(vector(*xs)), NAMES)
    exact = [mpmath.mpf(x) for x in point]
    n = mpmath.sqrt(sum(x * x for x in exact))
    for i, name in enumerate(NAMES):
        second = differentiate(program, [(i + 1, NAMES)]).run(dict(zip(NAMES, point, strict=True)))
        for j in range(len(NAMES)):
            same = sum(x * x for k, x in enumerate(exact) if k != i) if i == j else 0
            true = (same if i == j else -exact[i] * exact[j]) / n**3
            assert float(second[j][0]) == pytest.approx(float(true), rel=1e-14), (name, j)


def fourth(function, path, point):
    """A derivative of the fourth order, through four programs."""
    program, output = trace(function, NAMES, []), 0
    for i in path:
        program, output = differentiate(program, [(output, NAMES)]), i
    return float(program.run(dict(zip(NAMES, point, strict=True)))[output][0])


@pytest.mark.parametrize(
    ("function", "true"),
    [
        (lambda *xs: F.norm(vector(*xs)), lambda *xs: mpmath.sqrt(sum(x * x for x in xs))),
        (lambda *xs: F.prod(vector(*xs, xs[0])), lambda a, b, c, d: a * b * c * d * a),
        (
            lambda a, b, c, d: F.max(vector(F.exp(-a * b), F.norm(vector(b, c)) - d)),
            lambda a, b, c, d: mpmath.exp(-a * b),
        ),
        (
            lambda a, b, c, d: F.dot(vector(a, b) / F.norm(vector(a, b, c)), vector(c, F.sin(d))),
            lambda a, b, c, d: (a * c + b * mpmath.sin(d)) / mpmath.sqrt(a * a + b * b + c * c),
        ),
    ],
)
@pytest.mark.parametrize("path", [(0, 0, 0, 0), (0, 1, 1, 0), (0, 1, 2, 3), (2, 2, 1, 2)])
def test_fourth_derivatives(function, true, path):
    point = (0.75, -1.25, 2.0, 0.5)
    with mpmath.workdps(50):
        order = tuple(path.count(i) for i in range(4))
        expected = float(mpmath.diff(true, point, order))
    assert fourth(function, path, point) == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_an_infinite_slope_of_what_is_not_taken_does_not_leak():
    program = trace(
        lambda a, b: vector(F.log(a), b * b)[1] + F.max(vector(F.log(a), b)), ["a", "b"]
    )
    assert [float(x[0]) for x in program.run({"a": 0.0, "b": 3.0})] == [12.0, 0.0, 7.0]
    program = trace(
        lambda a, b: F.sum(F.where(vector(a, b) > 0.0, F.log(vector(a, b)), 0.0)), ["a", "b"]
    )
    assert [float(x[0]) for x in program.run({"a": 0.0, "b": 1.0})] == [0.0, 0.0, 1.0]


# ------------------------------------------------------------------------------- what is recorded
def test_operations_grow_with_the_elements_and_no_faster():
    def chained(*xs):
        y = vector(*xs)
        return sum((y[i] * y[i + 1] for i in range(len(xs) - 1)), F.sum(F.sin(y)))

    def counts(function, size):
        return len(trace(function, [f"x{i}" for i in range(size)]).operations)

    for function in (
        chained,
        lambda *xs: F.sum(vector(*xs)),
        lambda *xs: F.norm(vector(*xs)),
        lambda *xs: F.max(vector(*xs)),
        lambda *xs: F.prod(vector(*xs)),
        lambda *xs: F.dot(vector(*xs), vector(*xs[::-1])),
        lambda *xs: vector(*xs)[len(xs) // 2],
    ):
        small, large = counts(function, 40), counts(function, 160)
        assert large <= 4.2 * small + 8


def test_movements_are_not_recorded():
    def function(a, b, c):
        x = F.transpose(F.reshape(F.broadcast_to(vector(a, b, c), (2, 3)), (3, 2)))
        return F.swapaxes(x, 0, 1)[::-1][0][1] + F.sum_to(x, (1, 1))[0, 0] * 0.0

    names = [
        operation.__name__ for operation, _ in trace(lambda *xs: function(*xs), "abc").operations
    ]
    assert set(names) == {"add", "multiply"}


def test_a_sum_of_many_is_nearly_exact():
    names = [f"x{i}" for i in range(1000)]
    program = trace(lambda *xs: F.sum(vector(*xs)), names, [])
    got = program.run(dict.fromkeys(names, 0.1))[0][0]
    assert abs(got - 100.0) <= 4 * np.spacing(100.0)


def test_shapes_are_static():
    variables = column_variables(Recorder("abc"), "abc").values()
    x = stack([stack(variables), 1.0])
    assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, np.float64)
    assert (x @ x.T).shape == (2, 2) and x[0].shape == (3,) and x[0, 1].shape == ()
    assert F.sum(x, axis=0, keepdims=True).shape == (1, 3) and F.norm(x, axis=1).shape == (2,)
    assert F.prod(x, axis=-1, keepdims=True).shape == (2, 1) and np.shape(x) == (2, 3)
    assert (x * x[0]).shape == (2, 3) and F.mean(x).shape == () and (x[:0] @ x.T).shape == (0, 2)
    assert [row.shape for row in x] == [(3,), (3,)] and F.norm(x[:0], axis=0).shape == (3,)
    assert repr(x._data[1]) == "TracedArray([3, 3, 3])"
    y = F.sum(F.sin(x))
    y.backward(retain_grad=True)
    assert x.grad.shape == (2, 3)


class Squares(Function):
    """Written as the notes write a Function, with NumPy's functions of arrays."""

    def forward(self, x):
        return np.sum(x**2) + np.prod(x) ** 0 + np.max(x, axis=0)

    def backward(self, gy):
        x = self.inputs[0].data
        return gy * (2 * x + np.where(x == np.max(x), 1.0, 0.0))


def test_functions_that_users_wrote_work_on_lists():
    held(lambda a, b, c, d: Squares()(vector(a, b, c * d)), rtol=1e-9)


@pytest.mark.parametrize(
    ("function", "fault", "message"),
    [
        (lambda a, b: vector(a, b) * 2, TraceError, "the result is an array"),
        (lambda a, b: F.sum(a) + b, TraceError, "sum works on whole arrays"),
        (lambda a, b: F.norm(a) + vector(a, b)[0], TraceError, "norm works on whole arrays"),
        (lambda a, b: a @ vector(a, b), ValueError, r"write \* for the product with a number"),
        (
            lambda a, b: vector(a, b) @ vector(a, b, b),
            ValueError,
            r"shapes \(2,\) and \(3,\) do not",
        ),
        (lambda a, b: vector(a, b) + vector(a, b, b), ValueError, r"shapes \(2,\) \(3,\)"),
        (lambda a, b: vector(vector(a, b), vector(a, b, b)), ValueError, r"\(2,\) \(3,\)"),
        (lambda a, b: vector(a, b)[2], IndexError, "out of bounds"),
        (lambda a, b: vector(a, b)[a], IndexError, "only integers"),
        (lambda a, b: F.sum(vector(a, b), axis=1), np.exceptions.AxisError, "out of bounds"),
        (lambda a, b: vector(a, b) if vector(a, b) > 0 else a, TraceError, "a branch on a value"),
        (lambda a, b: Variable(np.linalg.inv(vector(a, b)._data)), TraceError, "inv has no place"),
        (lambda a, b: F.max(vector(a, b)[:0]), ValueError, "zero-size"),
    ],
)
def test_what_has_no_place_or_no_meaning_is_named(function, fault, message):
    with pytest.raises(fault, match=message):
        trace(function, ["a", "b"])

"""The problems of the books: each to the digits that rounding leaves."""

import json
import math
import os
import re

import numpy as np
import pytest

from dezero_cli.language.equations import constraints, equations
from dezero_cli.language.ranges import Limits
from dezero_cli.language.statements import given
from dezero_cli.solving.equation import EquationTask, solve
from dezero_cli.solving.functions import Functions, Layout
from dezero_cli.solving.optimum import OptimumTask, optimum
from dezero_cli.solving.roots import Residual
from tests.conftest import DATA


def problems(name, key):
    return json.loads((DATA / "solving" / f"{name}.json").read_text(encoding="utf-8"))[key]


def said(values):
    return given([f"{name}={json.dumps(value)}" for name, value in values.items()])


def close(found, wanted, digits=10):
    return abs(found - wanted) <= 10**-digits * (abs(wanted) or 1)


@pytest.mark.parametrize("problem", problems("mgh", "problems"), ids=lambda p: p["name"])
def test_minima(problem) -> None:
    words = said(problem["start"] | problem["data"])
    start = {name: words.values[name] for name in problem["params"]}
    held = {name: x for name, x in words.values.items() if name not in start}
    found = optimum(OptimumTask(words.linked(problem["expr"]), start, held))
    values = [problem["fmin"], *(other["f"] for other in problem["other_minima"])]
    assert found.converged
    assert any(close(found.value, value) for value in values)


LOCAL = {"HS16": 23.1446, "HS20": 40.1987}
"""The minima that are nearest to the starts, where others are less."""


def constrained(problem, starts=1):
    words = said(problem["start"])
    limits = {
        name: Limits(problem["lower"].get(name, -math.inf), problem["upper"].get(name, math.inf))
        for name in {**problem["lower"], **problem["upper"]}
    }
    st = [each for text in problem["constraints"] for each in constraints(text, words)]
    expression = words.linked(problem["minimize"])
    task = OptimumTask(expression, words.values, {}, limits, st, starts=starts, seed=1)
    return task, optimum(task)


@pytest.mark.parametrize("problem", problems("hs", "problems"), ids=lambda p: p["name"])
def test_constrained_minima(problem) -> None:
    task, found = constrained(problem)
    assert found.converged
    if problem["name"] in LOCAL:
        assert close(found.value, LOCAL[problem["name"]], 5)
        task, found = constrained(problem, 20)
    assert close(found.value, problem["fmin"])
    for each in task.constraints:
        residual = Functions([each.residual], Layout(found.at), {})
        value = float(residual.values(residual.layout.packed(found.at))[0])
        missed = {"<=": max(value, 0), ">=": max(-value, 0), "==": abs(value)}[each.sign]
        assert missed <= 1e-12 * max(1, abs(problem["fmin"]), *map(abs, problem["xmin"].values()))


FLAT = {"aps.13.00"}
"""The equations whose residual is exactly 0 in a range."""


@pytest.mark.parametrize("problem", problems("hs_more", "problems"), ids=lambda p: p["name"])
def test_more_constrained_minima(problem) -> None:
    """The book has the figures of programs of its time: eight digits.  HS2 starts at another."""
    _, found = constrained(problem, 20 if problem["name"] == "HS2" else 1)
    assert found.converged
    assert close(found.value, problem["fmin"], 8)


@pytest.mark.parametrize("problem", problems("mgh_more", "problems"), ids=lambda p: p["name"])
def test_more_minima(problem) -> None:
    values = problem["start"] | problem["data"]
    texts = [f"{name}={json.dumps(value)}" for name, value in values.items()]
    words = given([*texts, *problem["definitions"]])
    start = {name: words.values[name] for name in problem["start"]}
    held = {name: x for name, x in words.values.items() if name not in start}
    found = optimum(OptimumTask(words.linked(problem["expr"]), start, held))
    assert found.converged
    assert any(close(found.value, value, 5.3) for value in problem["minima"])


MATHEMATICS = {name: getattr(np, name) for name in ("sin", "cos", "exp", "log", "sqrt", "pi")}


def by_complex_steps(text, at):
    """The gradient of a formula at a point, evaluated by Python itself."""
    code = compile(text, "formula", "eval")
    return np.array(
        [
            np.imag(eval(code, MATHEMATICS, at | {name: x + 1e-30j})) / 1e-30
            for name, x in at.items()
        ]
    )


def multiplied(at, active):
    """The sum of the multipliers times the gradients of what they belong to."""
    total = np.zeros(len(at))
    for each in active:
        left, right = re.split("[<>=]=?", each["st"])
        total += each["multiplier"] * by_complex_steps(f"({left}) - ({right})", at)
    return total


ALL = [*problems("hs", "problems"), *problems("hs_more", "problems")]


@pytest.mark.parametrize("problem", ALL, ids=lambda p: p["name"])
def test_multipliers(problem) -> None:
    """They make up the gradient of the value, and push outwards, by complex steps."""
    _, found = constrained(problem)
    at = {name: float(x) for name, x in found.at.items()}
    gradient = by_complex_steps(problem["minimize"], at)
    scale = max(1.0, np.abs(gradient).max())
    if "no multipliers" not in found.message:
        np.testing.assert_allclose(multiplied(at, found.active), gradient, atol=1e-8 * scale)
    for each in found.active:
        outwards = each["multiplier"] * (1 if ">" in each["st"] else -1)
        assert "==" in each["st"] or outwards >= 0


@pytest.mark.parametrize("problem", problems("roots", "equations"), ids=lambda p: p["id"])
def test_roots_in_brackets(problem) -> None:
    (equation,) = equations(problem["expr"], given([]))
    start = {problem["unknown"]: np.array(0.0)}
    brackets = {problem["unknown"]: Limits(*problem["bracket"])}
    found = solve(EquationTask([equation.residual], start, {}, brackets))
    x, root = float(found.at[problem["unknown"]]), float(problem["exact"])
    assert found.converged
    if problem["id"] in FLAT:
        assert found.residual == 0
        return
    curve = Residual(Functions([equation.residual], Layout(start), {}))
    reach = 2 * curve.noise(x) / abs(curve.slope(x)) if curve.slope(x) else 0.0
    assert abs(x - root) <= max(reach, 2 * np.spacing(abs(root)))


@pytest.mark.parametrize("problem", problems("roots", "systems"), ids=lambda p: p["name"])
def test_systems(problem) -> None:
    words = said(problem["start"] | problem.get("given", {}))
    residuals = [equations(text, words)[0].residual for text in problem["equations"]]
    start = {name: words.values[name] for name in problem["start"]}
    held = {name: x for name, x in words.values.items() if name not in start}
    found = solve(EquationTask(residuals, start, held))
    assert found.converged
    functions = Functions(residuals, Layout(found.at), held)
    at = functions.layout.packed(found.at)
    terms = functions.noise(at) / (np.finfo(float).eps / 2)
    assert (np.abs(functions.values(at)) <= 1e-12 * np.maximum(terms, 1e-300)).all()
    for name, exact in problem["exact"].items():
        assert close(float(found.at[name]), float(exact), 9)


DEGENERATE = [  # no multipliers: a cusp, a single point, limits that touch
    ("(x - 2)**2 + y**2", ["(1 - x)**3 - y >= 0"], {"x": -2, "y": -2}, (0, math.inf), 1.0),
    ("x + y", ["x**2 + y**2 <= 0"], {"x": 1, "y": 1}, None, 0.0),
    ("x", ["y >= x**2", "y <= 0"], {"x": 3, "y": 3}, None, 0.0),
    # a start at which the linear system of the constraints has no solution
    (
        "4*x**2 + 2*y**2 + 2*z**2 - 33*x + 16*y - 24*z",
        ["3*x - 2*y**2 == 7", "4*x - z**2 == 11"],
        {"x": 0, "y": 0, "z": 0},
        None,
        -143.646142201,
    ),
]


@pytest.mark.parametrize(("text", "st", "start", "limits", "value"), DEGENERATE)
def test_constraints_that_are_degenerate(text, st, start, limits, value) -> None:
    words = said(start)
    conditions = [each for one in st for each in constraints(one, words)]
    bounds = dict.fromkeys(start, Limits(*limits)) if limits else {}
    task = OptimumTask(words.linked(text), words.values, {}, bounds, conditions)
    found = optimum(task)
    assert found.converged
    assert found.value == pytest.approx(value, rel=1e-10, abs=1e-10)


# ------------------------------------------------------------------------------------ many unknowns
LAWS = "DEZERO_LAWS" in os.environ
"""Whether the sizes are those of the run by hand."""


def many(text, start, **held):
    words = given([])
    task = OptimumTask(words.linked(text), {"x": np.asarray(start)}, held)
    return optimum(task)


def test_extended_rosenbrock_in_many_unknowns() -> None:
    text = "sum(100*(x[1::2] - x[0::2]**2)**2 + (1 - x[0::2])**2)"
    found = many(text, [-1.2, 1.0] * (500 if LAWS else 150))
    assert (found.converged, found.kind) == (True, "minimum")
    np.testing.assert_allclose(found.at["x"], 1, rtol=1e-15)


CONVEX = "sum(exp(x) + x**2/2) - dot(b, x) + 5*sum((x[1:] - x[:-1])**2)"


def test_a_convex_function_of_many_unknowns() -> None:
    n = 500 if LAWS else 250
    b = np.random.default_rng(1).uniform(-1, 1, n)
    found = many(CONVEX, np.zeros(n), b=b)
    assert (found.converged, found.kind) == (True, "minimum")
    x = np.zeros(n)  # Newton's method on the whole matrix
    bend = 10 * (np.diag(np.r_[1, np.full(n - 2, 2.0), 1]) - np.eye(n, k=1) - np.eye(n, k=-1))
    for _ in range(50):
        x = x - np.linalg.solve(np.diag(np.exp(x) + 1) + bend, np.exp(x) + x - b + bend @ x)
    np.testing.assert_allclose(found.at["x"], x, rtol=1e-10, atol=1e-12)


def test_many_unknowns_without_a_least_value() -> None:
    found = many("sum(x) + sum(x**3)", np.linspace(-1, 1, 300))
    assert not found.converged
    assert found.message == "the value goes on without end"

"""solve, minimize and maximize from Python: right values, the commands' own, clear faults."""

import inspect
import math
import typing

import numpy as np
import pytest
from scipy import optimize, special

import dezero_cli
from dezero_cli import Model, maximize, minimize, solve
from dezero_cli.faults import ExpressionError, ValuesError


# ---------------------------------------------------------------------------------------- equations
def test_a_solution_and_its_derivative_are_those_of_lamberts_function():
    found = solve("x*exp(x) == a", {"x": 1}, {"a": 2})
    w = special.lambertw(2).real
    assert found.converged and type(found.at["x"]) is float
    assert found.at["x"] == pytest.approx(w, rel=1e-15)
    assert found.gradient == {"x": {"a": pytest.approx(w / (2 * (1 + w)), rel=1e-14)}}


def test_a_root_in_a_bracket_is_brents():
    found = solve("tan(x) - 2*x", within={"x": (1, 1.5)})
    right = optimize.brentq(lambda x: math.tan(x) - 2 * x, 1, 1.5, xtol=1e-15)
    assert found.converged and found.at["x"] == pytest.approx(right, rel=1e-14)


def test_several_equations_with_definitions_and_a_function():
    found = solve(
        ("g(x) + y == s", "r == 2"),
        {"x": 1, "y": 3},
        {"s": 5},
        define={"g(t)": "t**2", "r": "y - x"},
    )
    x = (-1 + math.sqrt(13)) / 2  # x**2 + x + 2 == 5
    assert found.at == pytest.approx({"x": x, "y": x + 2}, rel=1e-14)
    assert found.gradient["y"]["s"] == pytest.approx(1 / (2 * x + 1), rel=1e-13)


def test_an_array_is_unknown_in_its_shape():
    matrix, b = np.array([[4.0, 1.0], [2.0, 3.0]]), np.array([1.0, 2.0])
    found = solve("A@x == b", {"x": [0, 0]}, {"A": matrix, "b": b})
    assert found.at["x"] == pytest.approx(np.linalg.solve(matrix, b), rel=1e-14)
    assert found.gradient["x"]["b"] == pytest.approx(np.linalg.inv(matrix), rel=1e-13)
    assert found.gradient["x"]["A"].shape == (2, 2, 2)


def test_where_there_is_no_solution_it_is_said_and_nothing_is_differentiated():
    found = solve("x**2 + a == 0", {"x": 1}, {"a": 1})
    assert not found.converged and found.gradient == {} and found.message


def test_the_command_gives_the_same(dezero):
    told = dezero("solve", "x*exp(x) == a", "--for", "x=1", "a=2", "--json").json
    found = solve("x*exp(x) == a", {"x": 1}, {"a": 2})
    assert (told["solution"], told["grad"]) == (found.at, found.gradient)
    assert (told["steps"], told["residual"]) == (found.steps, found.residual)
    told = dezero("maximize", "x*y", "x=1", "y=1", "--st", "x + y <= 3", "--json").json
    best = maximize("x*y", {"x": 1, "y": 1}, st="x + y <= 3")
    assert (told["value"], told["at"], told["active"]) == (best.value, best.at, best.active)
    assert (told["kind"], told["steps"]) == (best.kind, best.steps)


# ------------------------------------------------------------------------------------------- optima
def test_a_minimum_of_least_squares_is_linear_algebras():
    x, y = np.arange(5.0), np.array([1.0, 2.9, 5.2, 6.8, 9.1])
    found = minimize("sum((y - a*x - b)**2)", {"a": 1, "b": 0}, {"x": x, "y": y})
    slope, height = np.polyfit(x, y, 1)
    assert found.converged and found.kind == "minimum"
    assert found.at == pytest.approx({"a": slope, "b": height}, rel=1e-12)


def test_a_constraint_and_an_open_end_act():
    found = minimize("x + y", {"x": 1, "y": 1}, within={"x": (7, None)}, st=["x*y >= 25"])
    assert found.at == pytest.approx({"x": 7, "y": 25 / 7}, rel=1e-12)
    active = {each["st"]: each["multiplier"] for each in found.active}
    assert active == pytest.approx({"x*y >= 25": 1 / 7, "x >= 7.0": 1 - 25 / 49}, rel=1e-9)


def test_a_model_brings_its_definitions_and_the_call_may_add_some():
    model = Model("f(x) + k", {"f(t)": "(t - c)**2"}, k="3")
    found = minimize(model, {"x": 4}, {"c": 2}, st="f(x) >= least", define={"least": "1"})
    assert found.value == pytest.approx(4.0, rel=1e-12)
    assert found.at["x"] == pytest.approx(3.0, rel=1e-9)


def test_several_starts_find_the_lower_valley():
    text, start = "x**4 - 4*x**2 + x", {"x": 1.4}
    one, many = minimize(text, start), minimize(text, start, starts=8, seed=1)
    roots = np.roots([4, 0, -8, 1]).real
    right = min(roots, key=lambda x: x**4 - 4 * x**2 + x)
    assert one.value > many.value and many.better_start is not None
    assert many.at["x"] == pytest.approx(right, rel=1e-9)


# ------------------------------------------------------------------------------------------- faults
@pytest.mark.parametrize(
    "call, kind, said",
    [
        (lambda: solve("x == 1"), ValuesError, "nothing is unknown"),
        (lambda: solve("x == a", {"x": 1}), ExpressionError, "no value for a"),
        (lambda: solve("x == 1", {"y": 1}), ValuesError, "no y among the names"),
        (lambda: solve("x == 1", {"x": 1}, {"x": 2}), ValuesError, "x is searched for"),
        (lambda: solve("x + r", {"x": 1, "r": 1}, define={"r": "x"}), ValuesError, "a definition"),
        (lambda: solve("x = 1", {"x": 1}), ExpressionError, "unexpected '='"),
        (lambda: solve("x*y == 1", {"x": 1, "y": 1}), ValuesError, "1 equation for 2 unknowns"),
        (lambda: solve("x == 1", {"x": "one"}), ValuesError, "x: not a number"),
        (lambda: solve("x == a", {"x": 1}, {"a": "@f"}), ValuesError, "a: not a number"),
        (lambda: solve("x == 1", within={"x": (2, 1)}), ValuesError, "no number lies between"),
        (lambda: solve("x == 1", within={"x": (math.nan, 1)}), ValuesError, "no number lies"),
        (lambda: minimize("[x, x]", {"x": 1}), ValuesError, "not a list of several"),
        (lambda: minimize("x**2", {"x": 1}, starts=0), ValuesError, "must be 1 or more"),
        (lambda: maximize("x", {"x": 1}, st="x + 1"), ExpressionError, "expected a constraint"),
    ],
)
def test_a_call_that_cannot_be_is_refused(call, kind, said):
    with pytest.raises(kind, match=said):
        call()


def test_every_argument_and_result_has_a_type():
    for function in (dezero_cli.solve, dezero_cli.minimize, dezero_cli.maximize):
        hints = typing.get_type_hints(function)
        assert {*hints} == {*inspect.signature(function).parameters, "return"}

"""Equations: their sides, their residual, and advice that is accepted where it is followed."""

import re

import numpy as np
import pytest

from dezero import Variable
from dezero_cli.faults import CommandError, ExpressionError
from dezero_cli.language import ranges, unknowns
from dezero_cli.language.equations import constraints, equation, equations
from dezero_cli.language.statements import given, statements


def at(expression, **values):
    return float(expression.evaluate({n: Variable(np.array(x)) for n, x in values.items()}).data)


def test_the_sides_and_the_residual_know_the_definitions() -> None:
    said = given(["r=x*y", "f(t)=t**2"])
    found = equation("f(r) - 1 == 3*x", said)
    assert found.sign == "=="
    assert at(found.left, x=2.0, y=3.0) == 35.0
    assert at(found.right, x=2.0) == 6.0
    assert at(found.residual, x=2.0, y=3.0) == 29.0


def test_a_chain_is_a_constraint_for_each_sign() -> None:
    low, high = constraints("0 <= x < 1", given([]))
    assert (low.sign, low.right.names, high.sign) == ("<=", ("x",), "<=")


def test_an_expression_without_a_sign_is_0_and_a_list_is_a_system() -> None:
    found = equations("[a*b == 6, a - b]", given([]))
    assert [at(each.residual, a=4.0, b=1.0) for each in found] == [-2.0, 3.0]


ADVISED = [
    "y = a*x",
    "cos(x) = x",
    "y == a*t if t < 3 else b",
    "y = a*t if t < 3 else b",
    "y == t < 3 ? a : b",
    "f(x) = 2",
]


@pytest.mark.parametrize("text", ADVISED)
def test_advice_is_an_equation(text: str) -> None:
    said = given(["f(x)=x"])
    with pytest.raises(ExpressionError) as caught:
        equation(text, said)
    advice = re.findall(r"write (.*?)(?:, or (.*))?$", str(caught.value))[0]
    for each in filter(None, advice):
        assert equation(each, said).left.names[0] in {"y", "x", "t"}


@pytest.mark.parametrize("text", ["x >= 1 if a else b", "x + y = 1", "x => 1", "x =< 1"])
def test_advice_is_a_constraint(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        constraints(text, given([]))
    advice = str(caught.value).partition("write ")[2]
    typed = advice if "x" in advice else re.sub("=>|=<", advice, text)
    assert constraints(typed, given([]))


@pytest.mark.parametrize("text", ["x", "x < 1", "a == b <= c", "a == b and c == d", "a == b == c"])
def test_what_is_no_equation_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        equation(text, given([]))


def test_limits_are_taken_out_of_the_statements() -> None:
    said = statements(["x=2:3", "y=:pi", "z=0:1:11", "w=4"])
    found = unknowns.take_limits(said)
    assert found == {"x": (2.0, 3.0), "y": (-np.inf, np.pi)}
    assert list(said) == ["z", "w"]


@pytest.mark.parametrize("text", ["3:2", "2:2", ":", "0:1:3", "nan:1", "[1,2]:3"])
def test_limits_without_a_number_between_them_are_refused(text: str) -> None:
    with pytest.raises(CommandError):
        ranges.limits("x", text)


def test_names_of_options_may_have_values() -> None:
    said = statements(["a=1"])
    assert unknowns.named(["a,`b c`", "d=0.5"], "--for", said) == ("a", "b c", "d")
    assert list(said) == ["a", "d"]
    with pytest.raises(CommandError, match="twice"):
        unknowns.named(["x", "x"], "--for", said)
    with pytest.raises(CommandError, match="already"):
        unknowns.named(["a=2"], "--fix", said)

"""Texts that are no expressions: one message, the place under a caret, exit status 2."""

import json

import numpy as np
import pytest

from dezero import Variable
from dezero_cli.faults import ExpressionError
from dezero_cli.language.parser import parse
from dezero_cli.main import run
from tests.conftest import DATA

ERRORS = [json.loads(line) for line in (DATA / "parse_errors.jsonl").read_text().splitlines()]

# The contract writes powers with ^ too, so these are expressions after all.
POWERS = {"2^3^4": 2.0**81, "x ^ 2": 2.25}


def test_there_are_all_the_texts():
    assert len(ERRORS) == 259


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case["id"])
def test_it_is_refused_with_one_message_and_a_caret(case, capfd):
    text = case["expr"]
    if text in POWERS:
        inputs = {name: Variable(np.array(value)) for name, value in case["vars"].items()}
        assert parse(text).evaluate(inputs).data == POWERS[text]
        return
    status = run(["eval", "--", text, *(f"{name}={v}" for name, v in case["vars"].items())])
    out, err = capfd.readouterr()
    assert status == 2 and out == ""
    message, shown, caret = err.splitlines()
    assert message.startswith("error: ") and len(message) > 12
    assert caret.strip() == "^" and len(caret) <= len(shown) + 1
    if len(text) < 70 and text.isascii() and text.isprintable():
        assert shown == "  " + text
        with pytest.raises(ExpressionError) as fault:
            parse(text).evaluate({n: Variable(np.array(v)) for n, v in case["vars"].items()})
        assert caret.index("^") == 2 + fault.value.start


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a*b+", 5, "expected a value after '+'"),
        ("2 +  ", 4, "expected a value after '+'"),
        ("1+*2", 3, "expected a value after '+'"),
        ("*2", 1, "expected a value before '*'"),
        ("(1", 1, "this '(' is never closed"),
        ("sin((1)", 4, "this '(' is never closed"),
        ("(1))", 4, "unmatched ')'"),
        ("()", 2, "expected a value between the parentheses"),
        ("", 1, "the expression is empty"),
        ("2x", 2, "expected an operator before 'x': write 2*x"),
        ("2(x+1)", 2, "expected an operator before '(': write 2*(x+1)"),
        ("(a)(b)", 4, "expected an operator before '(': write (...)*(b)"),
        ("x y", 3, "expected an operator before 'y': write x*y"),
        ("2 sin(x)", 3, "expected an operator before 'sin': write 2*sin(...)"),
        ("x(y)", 1, "x is not a function: write x*(y)"),
        ("sin x", 5, "expected '(' after sin: write sin(x)"),
        ("sinus(1)", 1, "unknown function sinus: did you mean sin?"),
        ("1+SIN(1)", 3, "unknown function SIN: did you mean sin?"),
        ("arctan2(1)", 1, "arctan2 takes 2 values, got 1"),
        ("sin(1,2)", 1, "sin takes 1 value, got 2"),
        ("1,2*x", 2, "',' only separates the arguments of a function: write 1.2"),
        ("1.5,2", 4, "',' only separates the arguments of a function"),
        ("2*|x|", 3, "unexpected '|': write abs(x)"),
        ("x|y", 2, "unexpected '|': write maximum(a, b) for 'or' of two comparisons"),
        ("a<b<c", 4, "comparisons do not chain: write (a < b)*(b < c)"),
        ("a % b", 3, "unexpected '%': there is no remainder or percent operator"),
        ("a // b", 3, "'//' is not an operator: there is no floor division: write floor(a/b)"),
        (
            "x = 1",
            3,
            "unexpected '=': write == to compare; values come after the expression, as NAME=VALUE",
        ),
        ("6 ÷ 2", 3, "unexpected U+00F7 (division sign): write /"),
        ("1\u2003+1", 2, "unexpected U+2003 (em space): write a plain space"),
        ("1\u200b+1", 2, "unexpected U+200B (zero width space)"),
        ("x²", 2, "unexpected U+00B2 (superscript two): write **2"),
        ("1e", 1, "the exponent must be a whole number, as in 1e-3"),
        ("1_", 1, "'_' may only stand between two digits"),
        ("0x1F", 1, "numbers are decimal, as in 255 or 1e-3"),
        (
            "x.real",
            2,
            "unexpected '.': names have no attributes, and a number needs at least one digit",
        ),
        ("x and y", 3, "'and' is not an operator: write a*b for 'and' of two comparisons"),
    ],
)
def test_messages(text, column, message):
    with pytest.raises(ExpressionError) as fault:
        parse(text)
    assert (fault.value.column, str(fault.value)) == (column, message)


def test_a_missing_value_names_the_nearest():
    with pytest.raises(ExpressionError, match=r"no value for lenght: did you mean length\?"):
        parse("2*lenght").evaluate({"length": Variable(np.array(1.0))})
    with pytest.raises(ExpressionError, match=r"no value for π: add π=VALUE, or write pi$"):
        parse("2*π").evaluate({})

"""Texts that are no expressions: one message, the place under a caret, exit status 2."""

import json

import numpy as np
import pytest

from dezero import Variable
from dezero_cli.faults import ExpressionError
from dezero_cli.language.parser import parse
from dezero_cli.main import run
from tests.conftest import DATA

NO_FILE = {"@x"}  # a formula file, which is not there

ERRORS = [json.loads(line) for line in (DATA / "parse_errors.jsonl").read_text().splitlines()]

# The contract writes powers with ^ too, so these are expressions after all.
POWERS = {"2^3^4": 2.0**81, "x ^ 2": 2.25}


def test_there_are_all_the_texts():
    assert len(ERRORS) == 250


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
    if text in NO_FILE:
        assert err == "error: x: no such file or directory\n"
        return
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
        ("(a)(b)", 4, "expected an operator before '(': write * between them"),
        ("x y", 3, "expected an operator before 'y': write x*y"),
        ("2 sin(x)", 3, "expected an operator before 'sin': write 2*sin(...)"),
        ("x(y)", 1, "x is not a function: write x*(y)"),
        ("sin x", 5, "expected '(' after sin: write sin(x)"),
        ("sinus(1)", 1, "unknown function sinus: did you mean sin?"),
        ("1+SIN(1)", 3, "unknown function SIN: did you mean sin?"),
        ("arctan2(1)", 1, "arctan2 takes 2 values, got 1"),
        ("sin(1,2)", 1, "sin takes 1 value, got 2"),
        (
            "1,2*x",
            2,
            "',' separates arguments and the elements of a list: write 1.2",
        ),
        (
            "1.5,2",
            4,
            "',' separates arguments and the elements of a list: write [1.5,2] for several results",
        ),
        ("2*|x|", 3, "unexpected '|': write abs(x)"),
        ("x|y", 2, "unexpected '|': write or"),
        ("x:y", 2, "unexpected ':': a choice is written c ? a : b"),
        ("x ? y", 3, "this '?' needs a colon: c ? a : b"),
        ("x if y", 3, "this 'if' needs an else: a if c else b"),
        ("[x", 1, "this '[' is never closed"),
        ("(x]", 3, "'(' is closed by ']': write )"),
        ("[]", 2, "expected a value between the brackets"),
        ("x[y]", 3, "a place in an array is a whole number or a slice, as in x[0] and x[1:3]"),
        ("x[1.5]", 3, "a place in an array is a whole number"),
        ("x[1:2:0]", 7, "the step of a slice cannot be 0"),
        ("`x", 1, "unexpected '`': a name in backquotes ends with another backquote"),
        ("x and", 6, "expected a value after 'and'"),
        ("a := b", 3, "':=' is not an operator: values come after the expression, as NAME=VALUE"),
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


# What was typed, what the message advises, the text after doing so, and what was meant at x=3, y=2.
ADVISED = [
    ("1,000*x", "1000", "1000*x", 3000.0),
    ("1,5*x", "1.5", "1.5*x", 4.5),
    ("x⁴", "**4", "x**4", 81.0),
    ("x⁻¹", "**-1", "x**-1", 1 / 3),
    ("sin²(x)", "sin(x)**2", "sin(x)**2", np.sin(3.0) ** 2),
    ("sin^2(x)", "sin(x)**2", "sin(x)**2", np.sin(3.0) ** 2),
    ("tan⁻¹(x)", "arctan(x)", "arctan(x)", np.arctan(3.0)),
    ("x*½", "(1/2)", "x*(1/2)", 1.5),
    ("2π", "2*pi", "2*pi", 2 * np.pi),
    ("2x", "2*x", "2*x", 6.0),
    ("x mod y", "%", "x % y", 1.0),
    ("x div y", "//", "x // y", 1.0),
    ("|y-x|", "abs(y-x)", "abs(y-x)", 1.0),
    ("x =< y", "<=", "x <= y", 0.0),
    ("x=>y", ">=", "x>=y", 1.0),
    ("x ~= y", "!=", "x != y", 1.0),
    ("x <> y", "!=", "x != y", 1.0),
    ("x === y", "==", "x == y", 0.0),
    ("x>1 & y>2", "and", "x>1 and y>2", 0.0),
    ("x>1 | y>2", "or", "x>1 or y>2", 1.0),
    ("~(x>1)", "not", "not(x>1)", 0.0),
    ("x>1 ∧ y>2", "and", "x>1 and y>2", 0.0),
    ("x × y", "*", "x * y", 6.0),
    ("x − y", "-", "x - y", 1.0),
    ("x ≥ y", ">=", "x >= y", 1.0),
    ("sin x", "sin(x)", "sin(x)", np.sin(3.0)),
    ("if(x>y, x, y)", "where(c, a, b), or a if c else b", "x if x>y else y", 3.0),
]


@pytest.mark.parametrize(("typed", "advised", "corrected", "meant"), ADVISED)
def test_what_a_message_advises_is_accepted_and_means_what_was_meant(
    typed, advised, corrected, meant
):
    with pytest.raises(ExpressionError) as fault:
        parse(typed)
    assert fault.value.hint == f"write {advised}"
    values = {"x": Variable(np.array(3.0)), "y": Variable(np.array(2.0))}
    assert parse(corrected).evaluate(values).data == meant


def test_a_middle_dot_is_a_letter_but_not_meant_as_one():
    with pytest.raises(ExpressionError, match=r"no value for x·y: write x\*y$"):
        parse("x·y").evaluate({})

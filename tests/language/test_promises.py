"""What SECURITY.md promises about expressions from strangers, where no other test shows it.

DEZERO_LAWS sets how deep texts are nested: 1000 for two hundred thousand levels.
"""

import difflib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from dezero import Variable
from dezero.arithmetic import Pow
from dezero_cli.faults import LONGEST_NAME, MOST_KNOWN, ExpressionError, nearest
from dezero_cli.language import derivatives, formula_file, statements
from dezero_cli.language.parser import parse

DEPTH = 200 * int(os.environ.get("DEZERO_LAWS", "100"))
SHAPES = {
    "a long sum": lambda n: "+".join(["x"] * n),
    "a long product": lambda n: "*".join(["x"] * n),
    "a tower of powers": lambda n: "**".join(["x"] * n),
    "parentheses": lambda n: "(" * n + "x" + ")" * n,
    "signs": lambda n: "-" * n + "x",
    "calls": lambda n: "sin(" * n + "x" + ")" * n,
    "calls of two": lambda n: "max(x," * n + "1" + ")" * n,
    "branches": lambda n: "where(x < 1,x," * n + "1" + ")" * n,
    "choices": lambda n: "x if x < 1 else " * n + "1",
    "choices in choices": lambda n: "(x if x < 1 else " * n + "1" + ")" * n,
    "signs of choices": lambda n: "x ? x : " * n + "1",
    "signs of choices within": lambda n: "x ? " * n + "1" + " : x" * n,
    "negations": lambda n: "not " * n + "x",
    "signs of negation": lambda n: "!" * n + "x",
    "and": lambda n: " and ".join(["x"] * n),
    "or in parentheses": lambda n: "(x || " * n + "x" + ")" * n,
    "a chain of comparisons": lambda n: " < ".join(["x"] * n),
    "comparisons": lambda n: "(x < " * n + "x" + ")" * n,
    "remainders": lambda n: " % ".join(["x"] * n),
    "whole quotients": lambda n: "//".join(["x"] * n),
    "a list": lambda n: f"[{', '.join(['x'] * n)}]",
    "sums of lists": lambda n: "sum([x, " * n + "1" + "])" * n,
    "places of lists": lambda n: "[x, " * n + "x" + "][0]" * n,
    "names in backquotes": lambda n: " + ".join(f"`a {i}`" for i in range(n)),
    "a choice that lacks its else": lambda n: "x if x else " * n,
    "lists that are never closed": lambda n: "[x, " * n,
    "names": lambda n: "+".join(f"a{i}" for i in range(n)),
    "a sum that is never closed": lambda n: "(x+" * n,
    "two values side by side": lambda n: "(" * n + "x x" + ")" * n,
}


def calls(function):
    """How many calls of Python and C functions a function makes."""
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def differentiated(text):
    try:
        expression = parse.__wrapped__(text)
        values = {name: np.array(0.5) for name in expression.names}
        derivatives.value_and_gradient(expression, values, expression.names)
    except ExpressionError as fault:
        assert fault.message


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_text_is_twice_the_work(shape):
    short, long = SHAPES[shape](2000), SHAPES[shape](4000)
    differentiated(short)
    assert calls(lambda: differentiated(long)) < 2.2 * calls(lambda: differentiated(short)) + 1000


@pytest.mark.parametrize("shape", SHAPES)
def test_no_depth_of_a_text_is_too_deep(shape):
    """Without recursion: a text is read, or refused for what is wrong with it."""
    try:
        expression = parse.__wrapped__(SHAPES[shape](DEPTH))
        assert len(expression.steps) >= DEPTH or shape == "parentheses"
    except ExpressionError as fault:
        assert "never closed" in shape or "lacks" in shape or "side by side" in shape, fault


def defined(count):
    """The value and gradient of as many definitions, each made of the one before by a function."""
    words = ["d0=x", "g(t)=t + y", *(f"d{i}=g(d{i - 1})*0.5" for i in range(1, count))]
    expression = statements.given(reversed(words)).linked(f"d{count - 1}")
    values = {name: np.array(0.5) for name in expression.names}
    derivatives.value_and_gradient(expression, values, expression.names)


def test_twice_the_definitions_are_twice_the_work():
    short, long = (calls(lambda n=n: defined(n)) for n in (2000, 4000))
    assert long < 2.2 * short + 1000


def filed(folder, count):
    """The statements of a formula file of as many lines, some of which go on."""
    path = folder / f"{count}.dz"
    lines = (f"d{i} = (d{i - 1} +  # half\n  1)/2" for i in range(1, count))
    path.write_text("\n".join(["d0 = x", *lines]) + "\n")
    return formula_file.statements(str(path))


def test_twice_the_lines_of_a_formula_file_are_twice_the_work(tmp_path):
    assert len(filed(tmp_path, 1000)) == 1000
    short, long = (calls(lambda n=n: filed(tmp_path, n)) for n in (1000, 2000))
    assert long < 2.2 * short + 1000


class Counted(str):
    """A name that counts how often it is compared."""

    comparisons = 0
    __hash__ = str.__hash__

    def __eq__(self, other):
        Counted.comparisons += 1
        return str.__eq__(self, other)


def test_values_by_any_number_of_names():
    values = {Counted(f"a{i}"): np.array(1.0) for i in range(5000)}
    Counted.comparisons = 0
    value, gradients = derivatives.value_and_gradient(parse("1"), values, list(values))
    assert value == 1.0 and len(gradients) == 5000
    assert Counted.comparisons < 10 * 5000


def test_few_and_short_names_are_compared_letter_by_letter(monkeypatch):
    compared = []
    matches = difflib.get_close_matches

    def recorded(name, known, **options):
        known = list(known)
        compared.append(known)
        return matches(name, known, **options)

    monkeypatch.setattr(difflib, "get_close_matches", recorded)
    names = ["b" * 10_000, "length", *(f"a{i}" for i in range(60_000))]
    assert nearest("lenght", names) == "length"
    assert len(compared[0]) == MOST_KNOWN and max(map(len, compared[0])) <= LONGEST_NAME
    assert nearest("b" * 9_999, names) is None and len(compared) == 1


@pytest.mark.parametrize(
    "text",
    [
        "x.__class__",
        "().__class__.__bases__",
        "x.real",
        "__import__('os')",
        "open(x)",
        "eval(x)",
        "getattr(x, x)",
        "x[y]",
        "'text'",
        "lambda: x",
        "[x for x in x]",
        "x := 1",
        "x; x",
        "`x",
        "$(x)",
        "@x",
        "{x}",
        "x\nx",
    ],
)
def test_what_python_or_a_shell_would_run_is_no_expression(text):
    with pytest.raises(ExpressionError):
        parse(text)


def test_no_name_gives_commands_to_the_terminal(dezero, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("a\x1b[31m,x\n1,2\n")
    for words in (
        ["map", "q", "t.csv"],
        ["batch", "no\x1b[31mfile"],
        ["eval", "a\x1b[31m"],
        ["eval", "x", "x=@\x1b[31m.csv"],
        ["eval", "x", "--\x1b[31m"],
    ):
        outcome = dezero(*words)
        assert outcome.status and outcome.err and "\x1b" not in outcome.err


def test_what_needs_too_much_memory_is_said(tmp_path):
    size = 20_000
    line = json.dumps(
        {"expr": "x + y", "vars": {"x": [0] * size, "y": [[0]] * size}}, separators=(",", ":")
    )
    (tmp_path / "lines.jsonl").write_text(line + "\n1 + 1\n")
    batch = f"{sys.executable} -m dezero_cli batch --max-numbers 9999999999"
    command = f"ulimit -v 2000000; {batch} lines.jsonl"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=False)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["error"] == {"type": "memory", "message": "not enough memory", "column": 1}
    assert second["value"] == 2.0 and done.returncode == 1
    (tmp_path / "vars.json").write_text(json.dumps(json.loads(line)["vars"]))
    command = f"ulimit -v 2000000; {sys.executable} -m dezero_cli eval x+y --vars vars.json"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, b"error: not enough memory\n")


@pytest.mark.parametrize(
    ("text", "steps"),
    [("x**-2", 3), ("x**(-2)", 3), ("2**-1", 3), ("-2", 1), ("--2", 1), ("-2**2", 4), ("-x", 2)],
)
def test_a_sign_is_part_of_a_literal(text, steps):
    expression = parse(text)
    assert len(expression.steps) == steps
    value, _ = derivatives.value_and_gradient(expression, {"x": np.array(3.0)}, [])
    assert value == eval(text, {"x": 3.0})


def test_a_signed_exponent_is_a_literal_power():
    assert type(parse("x**-2").evaluate({"x": Variable(np.array(3.0))}).creator) is Pow

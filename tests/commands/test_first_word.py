"""A first word that is an expression means `eval`; ``-`` is an expression on standard input."""

import os
import re
import subprocess
import sys

import pytest

from dezero_cli.main import COMMANDS

DEZERO = [sys.executable, "-m", "dezero_cli"]


def piped(data, *words, **environment):
    """A process with `data` on standard input: its status, output and errors."""
    done = subprocess.run(
        [*DEZERO, *words],
        input=data if isinstance(data, bytes) else data.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# ------------------------------------------------------------------------------------- expressions
@pytest.mark.parametrize(
    "words",
    [
        ["a*b+c", "a=3", "b=2", "c=1"],
        ["-x**2", "x=3"],
        ["-x", "x=3"],
        ["--x", "x=3"],
        ["--x*2", "x=3"],
        ["+x", "x=3"],
        ["(x)", "x=3"],
        ["2"],
        ["-1"],
        [".5*x", "x=1"],
        ["sin(x)", "x=0", "--json"],
        ["x=3", "x**2"],
        ["x=3", "--no-grad", "x**2"],
        [" x", "x=3"],
        ["eval*2", "eval=3"],
        ["map-x", "map=1", "x=2"],
        ["x==1", "x=1"],
        ["x<1", "x=1"],
        ["x*y", "--vars", os.devnull],
        ["2x", "x=1"],
        ["x.y"],
        ["./formula"],
        ["x y", "x=1"],
        ["x", "x=3"][::-1],
        ["θ*2", "θ=1", "--get", "grad.θ"],
    ],
)
def test_an_expression_needs_no_command(dezero, words):
    outcome = dezero(*words)
    assert outcome == dezero("eval", *words)
    assert "command" not in outcome.err


@pytest.mark.parametrize("words", [["x*2", "x=3"], ["--xy", "xy=3"], ["-x", "x=3"], ["2"]])
def test_it_may_stand_behind_two_hyphens(dezero, words):
    assert dezero("--", *words) == dezero("eval", "--", *words)
    assert dezero("--", *words).status == 0
    assert dezero("--color=never", "--", *words).status == 0
    assert dezero("--", "eval", *words) == dezero("eval", *words)
    assert dezero("--", "evall", *words).err == "error: no command 'evall': did you mean eval?\n"


def test_what_comes_out(dezero):
    assert dezero("x**2", "x=3", "--get", "value") == (0, "9.0\n", "")
    assert dezero("-x**2", "x=3") == (0, "value -9.0\nd/dx  -6.0\n", "")
    assert dezero("x=3", "x**2") == (0, "value  9.0\nd/dx   6.0\n", "")


@pytest.mark.parametrize(
    "words", [["--color", "never"], ["--color=never"], ["--color", "always"], ["--color=always"]]
)
def test_color_may_stand_before_it(dezero, words):
    assert dezero(*words, "x*2", "x=3").out == "value  6.0\nd/dx   2.0\n"
    assert dezero(*words, "x=3", "x*2").out == "value  6.0\nd/dx   2.0\n"
    wrong = dezero(*words, "2x", "x=3")
    assert wrong.status == 2 and ("\x1b[" in wrong.err) == ("always" in words[-1])
    assert wrong == dezero(*words, "eval", "2x", "x=3")
    assert dezero("2x", "x=3", *words) == wrong


# ---------------------------------------------------------------------------------------- commands
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_never_an_expression(dezero, command):
    shown = dezero(command, "--help").out
    assert shown.startswith(f"Usage: dezero {command} ")
    alone = piped("", command)
    assert f"no command {command!r}" not in alone[2]
    with_value = dezero(command, f"{command}=3", "--no-such-option")
    assert with_value.status == 2 and "--no-such-option" in with_value.err


@pytest.mark.parametrize(
    ("word", "near"),
    [("evall", "eval"), ("evla", "eval"), ("Eval", "eval"), ("bacth", "batch"), ("batc", "batch"),
     ("derrive", "derive"), ("chek", "check"), ("grpah", "graph"), ("maps", "map"),
     ("function", "functions"), ("plto", "plot")],
)  # fmt: skip
def test_a_misspelt_command_gets_its_suggestion(dezero, word, near):
    for words in ([word], [word, "x**2", "x=3"], ["--color=never", word]):
        outcome = dezero(*words)
        assert outcome == (2, "", f"error: no command {word!r}: did you mean {near}?\n")


@pytest.mark.parametrize("word", ["x", "pi", "theta", "e", "θ", "_"])
def test_a_name_alone_is_said_to_be_no_command(dezero, word):
    for words in ([word], [word, f"{word}=3"]):
        outcome = dezero(*words)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err == (
            f"error: no command {word!r}: the commands are {', '.join(COMMANDS)}; "
            f"for the expression, write dezero eval {word}\n"
        )


def test_what_is_no_expression_either(dezero):
    assert dezero("").err.startswith("error: no command '': the commands are ")
    assert "no such option" in dezero("--vresion").err
    assert dezero("--version").out.startswith("dezero ")
    assert dezero("-h").out == dezero("--help").out
    assert dezero("x=3").status == 2
    assert dezero("x", "y").status == 2


def test_help_shows_both_spellings(dezero):
    assert re.search(r"dezero 'a\*b\+c' a=3 b=2 c=1 +the same as dezero eval", dezero("-h").out)


# ------------------------------------------------------------------------------------- completion
@pytest.mark.parametrize(
    ("words", "count", "completed"),
    [
        ("dezero ev", 1, ["plain,eval"]),
        ("dezero ", 1, [f"plain,{name}" for name in COMMANDS]),
        ("dezero eval x --js", 3, ["plain,--json"]),
        ("dezero 'x*2' x=1 --js", 3, ["plain,--json"]),
        ("dezero 'x*2' --fo", 2, ["plain,--format"]),
        ("dezero 'x*2' --format ", 3, ["plain,plain", "plain,sci", "plain,eng"]),
        ("dezero --color always ba", 3, ["plain,batch"]),
    ],
)
def test_completion_is_as_it_was(words, count, completed):
    status, out, err = piped(
        "", COMP_WORDS=words, COMP_CWORD=str(count), _DEZERO_COMPLETE="bash_complete"
    )
    assert (status, out.splitlines(), err) == (0, completed, "")


# -------------------------------------------------------------------------------- standard input
@pytest.mark.parametrize(
    "text", ["x**2", "x**2\n", "  x**2  \n\n", "x**2\r\n", "\ufeffx**2\n"]
)  # fmt: skip
def test_an_expression_on_standard_input(text):
    expected = (0, "value  9.0\nd/dx   6.0\n", "")
    assert piped(text, "-", "x=3") == expected
    if text == "x**2\n":
        for words in (["eval", "-", "x=3"], ["x=3", "-"], ["eval", "x=3", "-"]):
            assert piped(text, *words) == expected


def test_the_json_says_what_was_read():
    assert (
        piped("x*2\n", "-", "x=1", "--json")[1] == '{"expr":"x*2","value":2.0,"grad":{"x":2.0}}\n'
    )
    assert piped("-x\n", "-", "x=1", "--get", "expr", "--get", "value")[1] == "-x\n-1.0\n"


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["check", "-", "x=3", "--get", "agrees"], "true\n"),
        (["derive", "-"], "d/dx  2*x\n"),
        (["derive", "-", "--json"], '{"expr":"x**2","grad":{"x":"2*x"}}\n'),
    ],
)
def test_other_commands_read_it_too(words, out):
    assert piped("x**2\n", *words) == (0, out, "")


def test_what_is_wrong_with_standard_input():
    for data, message in [
        (b"", "the expression is empty"),
        (b"\n", "the expression is empty"),
        (b"\xff", "standard input: not UTF-8 at byte 0"),
        (b"x*\n", "expected a value after '*'"),
        (b"x\n+1\n", "an expression must be one line"),
    ]:
        status, out, err = piped(data, "-", "x=1")
        assert (status, out) == (2, "") or (status, out) == (1, "")
        assert err.startswith("error: ") and message in err and "Traceback" not in err


def test_a_batch_reads_lines_from_there_as_before():
    expected = '{"line":1,"expr":"x","value":3.0,"grad":{"x":1.0}}\n'
    for words in (["batch"], ["batch", "-"]):
        assert piped("x ; x=3\n", *words) == (0, expected, "")
    assert piped("x=3\n", "batch", "--expr", "x", "-")[1] == expected

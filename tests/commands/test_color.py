"""Colour on a real terminal: `--color`, NO_COLOR, and none where nobody can see it."""

import os
import pty
import subprocess
import sys

import pytest

from dezero_cli.main import COMMANDS
from tests.conftest import on_terminal

DEZERO = [sys.executable, "-m", "dezero_cli"]
RED, YELLOW = "\x1b[31m\x1b[1merror:\x1b[0m", "\x1b[33m\x1b[1mnote:\x1b[0m"


def seen(*words, **variables):
    """What a terminal shows on standard error."""
    leader, terminal = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [*DEZERO, *words],
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env={**clean, "TERM": "xterm-256color", **variables},
    ):
        os.close(terminal)
        return on_terminal(leader).decode().replace("\r\n", "\n")


def test_a_terminal_gets_colour_and_a_pipe_none():
    assert seen("eval", "x+", "x=1") == (
        f"{RED} expected a value after '+'\n  x+\n    \x1b[31m\x1b[1m^\x1b[0m\n"
    )
    assert seen("eval", "log(x)", "x=0").startswith(f"{YELLOW} log(x) is -inf")
    piped = subprocess.run([*DEZERO, "eval", "x+"], capture_output=True, text=True)
    assert piped.stderr == "error: expected a value after '+'\n  x+\n    ^\n"


@pytest.mark.parametrize(
    ("words", "variables", "coloured"),
    [
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": "0"}, False),
        ([], {"NO_COLOR": ""}, True),
        (["--color=auto"], {"NO_COLOR": "1"}, False),
        (["--color=always"], {"NO_COLOR": "1"}, True),
        (["--color=never"], {}, False),
        (["--color=always", "--color=never"], {}, False),
    ],
)
def test_the_option_decides_then_the_variable(words, variables, coloured):
    for line in (["eval", "x+", *words], [*words, "eval", "x+"]):
        shown = seen(*line, **variables)
        assert "expected a value" in shown and ("\x1b" in shown) == coloured


@pytest.mark.parametrize("command", COMMANDS)
def test_the_option_goes_before_and_after_every_command(dezero, command):
    words = {"functions": ["stray"], "batch": ["nowhere.txt"]}.get(command, ["x+", "x=1:2"])
    for line in (
        ["--color", "always", command, *words],
        [command, "--color", "always", *words],
        [command, *words, "--color=always"],
    ):
        status, out, err = dezero(*line)
        assert status == 2 and out == "" and err.startswith(RED)
        plain = dezero(
            *(word for word in line if word not in {"--color", "--color=always", "always"})
        )
        assert plain.err == err.replace("\x1b[31m\x1b[1m", "").replace("\x1b[0m", "")
    assert "--color [auto|always|never]" in dezero(command, "--help").out


def test_every_fault_obeys_even_one_of_the_command_line_itself(dezero):
    for words in (["eval", "x", "--jsno"], ["evla", "x"], ["--nope"]):
        assert dezero(*words, "--color=always").err.startswith(RED)
        assert dezero(*words).err.startswith("error:")
    for words in (["eval", "x", "--color=red"], ["--color", "red", "eval", "x"]):
        status, _, err = dezero(*words)
        assert status == 2 and "'red' is not one of 'auto', 'always', 'never'" in err
    assert dezero("eval", "x", "--color").err == "error: option '--color' needs a value\n"
    assert "'--color'" in dezero("eval", "x", "--colour=always").err


def test_results_are_never_coloured(dezero):
    assert "\x1b" not in dezero("eval", "x**2", "x=3", "--color=always").out
    assert dezero("--color=always", "eval", "--", "-x", "x=1").out == "value -1.0\nd/dx  -1.0\n"


def test_after_two_dashes_it_is_an_expression(dezero):
    status, _, err = dezero("eval", "--", "--color=always")
    assert status == 2 and "\x1b" not in err

"""`dezero functions`, as a list and for one name; `dezero help`."""

import os
import pty
import re
import subprocess
import sys

import pytest

from dezero.functions import FUNCTIONS, NAMES
from dezero_cli import report
from dezero_cli.main import COMMANDS
from tests.conftest import on_terminal, unmeasured

DEZERO = [sys.executable, "-m", "dezero_cli"]


@pytest.mark.parametrize("name", ["hypot", "atan2", "min", "clip"])
def test_one_function_by_its_name_or_an_alias(dezero, name):
    shown = dezero("functions", name).out
    known = NAMES[name]
    assert shown.splitlines()[1].startswith(f"{known.name}({', '.join(known.parameters)})")
    assert known.sentence in shown and "CONSTANT" not in shown
    of_all = {f["name"]: f for f in dezero("functions", "--json").json["functions"]}
    found = dezero("functions", name, "--json").json
    assert found == {"functions": [of_all[known.name]], "constants": {}}
    assert dezero("functions", f"{name}(x)").out == shown


def test_one_constant(dezero):
    assert dezero("functions", "pi").out == "CONSTANT  VALUE\npi        3.141592653589793\n"
    assert dezero("functions", "e", "--json").json == {
        "functions": [],
        "constants": {"e": 2.718281828459045},
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("hypott", "did you mean hypot?"),
        ("zzzzqq", "dezero functions lists them all"),
        ("", "dezero functions lists them all"),
    ],
)
def test_an_unknown_function_is_one_line(dezero, name, hint):
    outcome = dezero("functions", name)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"error: no function {name!r}: {hint}\n"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(width):
    leader, follower = pty.openpty()
    environment = unmeasured() | {"COLUMNS": str(width)}
    process = subprocess.Popen([*DEZERO, "functions"], stdout=follower, env=environment)
    os.close(follower)
    lines = on_terminal(leader).decode().replace("\r", "").splitlines()
    assert process.wait() == 0
    assert max(map(len, lines)) <= width
    text = re.sub(r"\s", "", "".join(lines))
    for known in FUNCTIONS.values():
        assert f"{known.name}(" in text


def test_cells_go_on_in_further_rows():
    rows = [("A", "B", "C"), ("f(x)", "one, two, three", "a sentence of many words"), ("", "", "x")]
    assert report.fitted(rows, 80) == rows
    narrow = report.fitted(rows, 32)
    assert all(len(line) <= 32 for line in report.columns(narrow).splitlines())
    assert " ".join(" ".join(cells) for cells in zip(*narrow, strict=True)).split() == (
        "A f(x) B one, two, three C a sentence of many words x".split()
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(dezero, command):
    assert dezero("help", command) == dezero(command, "--help")


def test_help_without_a_command_and_of_none(dezero):
    assert dezero("help") == dezero("--help")
    assert "dezero help COMMAND" in dezero("help").out
    outcome = dezero("help", "derve")
    assert (outcome.status, outcome.err) == (2, "error: no command 'derve': did you mean derive?\n")
    assert "did you mean help?" in dezero("hepl").err

"""Every command and number shown in the README is real."""

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
OPTIONAL = ("dot", "jq", "mlr", "node", "sqlite3", "zsh")
"""Programs that a machine may lack; the rest of a block that names one is then passed over."""


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def steps(block):
    """Commands and the output that follows each."""
    parts = re.split(r"^\$ ", block, flags=re.M)
    assert parts[0] == ""
    for part in parts[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command += "\n" + more
        yield command, output


def missing(command):
    """The optional programs that a command names and that are not installed."""
    named = set(re.findall(r"[\w-]+", command)).intersection(OPTIONAL)
    return {program for program in named if shutil.which(program) is None}


def label(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_console_blocks(page, tmp_path):
    prelude = f'dezero() {{ "{sys.executable}" -m dezero_cli "$@"; }}\n'
    shutil.copytree(ROOT / "docs" / "data", tmp_path / "docs" / "data")
    wrong = []
    lacking = set()
    for block in blocks(page, "console"):
        for command, expected in steps(block):
            if missing(command):
                lacking |= missing(command)
                break
            done = subprocess.run(
                ["bash", "-c", prelude + command],
                cwd=tmp_path,
                text=True,
                timeout=120,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
            if done.stdout != expected:
                wrong.append(f"$ {command}\n{done.stdout}")
    assert wrong == []
    if lacking:
        pytest.skip(f"not installed: {', '.join(sorted(lacking))}; what needs none of it is right")


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_python_blocks(page):
    session = "\n".join(blocks(page, "pycon"))  # what one block names, the next may use
    example = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_readme_has_exactly_two_set_up_commands():
    assert [block.strip() for block in blocks(PAGES[0], "sh")] == [
        'python -m pip install . && dezero eval "a*b+c" a=3 b=2 c=1',
        'python -m pip install -e ".[dev]" && python -m pytest',
    ]

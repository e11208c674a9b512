"""Every command and number shown in the README is real."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_console_blocks(page, tmp_path):
    prelude = f'dezero() {{ "{sys.executable}" -m dezero_cli "$@"; }}\n'
    wrong = []
    for block in blocks(page, "console"):
        for command, expected in steps(block):
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks(page):
    parser = doctest.DocTestParser()
    for block in blocks(page, "pycon"):
        example = parser.get_doctest(block, {}, page.name, str(page), 0)
        assert doctest.DocTestRunner().run(example).failed == 0


def test_the_readme_has_exactly_two_set_up_commands():
    assert [block.strip() for block in blocks(PAGES[0], "sh")] == [
        'python -m pip install . && dezero eval "a*b+c" a=3 b=2 c=1',
        'python -m pip install -e ".[dev]" && python -m pytest',
    ]

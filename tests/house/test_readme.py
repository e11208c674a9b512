"""Every command and number shown in the README is real."""

import doctest
import re
import shutil
import subprocess

import pytest

from tests.house.console import ROOT, blocks, environment, missing, steps

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def label(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_console_blocks(page, tmp_path):
    shell = environment(tmp_path)
    shutil.copytree(ROOT / "docs" / "data", tmp_path / "work" / "docs" / "data")
    wrong = []
    lacking = set()
    for block in blocks(page.read_text(encoding="utf-8"), "console"):
        for command, expected in steps(block):
            if missing(command):
                lacking |= missing(command)
                break
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path / "work",
                env=shell,
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
    session = "\n".join(
        blocks(page.read_text(encoding="utf-8"), "pycon")
    )  # what one block names, the next may use
    example = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_readme_has_exactly_two_set_up_commands():
    assert [block.strip() for block in blocks(PAGES[0].read_text(encoding="utf-8"), "sh")] == [
        'python -m pip install . && dezero eval "a*b+c" a=3 b=2 c=1',
        'python -m pip install -e ".[dev]" && python -m pytest',
    ]


def test_the_first_screen_shows_a_variable_a_file_and_a_json_pipe():
    (first, *_) = blocks(PAGES[0].read_text(encoding="utf-8").partition("## ")[0], "console")
    commands = [command for command, _ in steps(first)]
    for use in ("v=$(dezero 'x**2' x=3 --get value)", "dezero batch formulas.txt"):
        assert any(command.startswith(use) for command in commands)
    assert any(
        re.fullmatch(r"jq -c .* \| dezero batch --expr .* \| jq .*", command)
        for command in commands
    )

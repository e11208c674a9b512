"""Every command and number shown in the README is real."""

import doctest
import re
import shutil
import subprocess
from fnmatch import fnmatch

import pytest

from tests.house.console import ROOT, blocks, environment, missing, steps

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def label(page):
    return str(page.relative_to(ROOT))


def made(command):
    """The files and folders that a command makes, as its text tells."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
    return set(re.findall(r"(?:> ?| -o | mkdir |^mkdir | mv \S+ )([\w./]+)", bare)) - {"/dev/null"}


def named(command):
    """The words of a command that may be files, or patterns of files."""
    return set(re.findall(r"[\w./*]*\w", command))


def before(page, number):
    """The commands above a block that make what it reads, or what those read."""
    wanted = set().union(*(named(command) for command, _ in steps(console(page)[number])))
    above = [command for block in console(page)[:number] for command, _ in steps(block)]
    needed = []
    for command in reversed(above):
        if any(fnmatch(file, name) for file in made(command) for name in wanted):
            needed.insert(0, command)
            wanted |= named(command)
    return needed


def console(page):
    return blocks(page.read_text(encoding="utf-8"), "console")


@pytest.mark.parametrize(
    ("page", "number"),
    [
        pytest.param(page, number, id=f"{label(page)}, {number + 1}")
        for page in PAGES
        for number in range(len(console(page)))
    ],
)
def test_console_blocks(page, number, tmp_path):
    """A block shows what its commands print, in a folder with what the page made for it."""
    shell = environment(tmp_path)
    for folder in ("data", "models"):
        shutil.copytree(ROOT / "docs" / folder, tmp_path / "work" / "docs" / folder)
    wrong = []
    lacking = set()
    for command, expected in [
        *((c, None) for c in before(page, number)),
        *steps(console(page)[number]),
    ]:
        lacking |= missing(command)
        if lacking:
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
        if done.stdout != expected and expected is not None:
            wrong.append(f"$ {command}\n{done.stdout}")
    assert wrong == []
    if lacking:
        pytest.skip(f"not installed: {', '.join(sorted(lacking))}; what needs none of it is right")


def test_a_block_is_given_what_the_page_made_for_it():
    page = ROOT / "docs" / "how-to" / "tables.md"
    last = len(console(page)) - 1
    assert any("'days/*.csv'" in command for command, _ in steps(console(page)[last]))
    assert [made(command) for command in before(page, last)] == [
        {"days", "days/1.csv"},
        {"days/2.csv"},
    ]


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

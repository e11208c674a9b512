"""The one-liners of the manual in four shells, and what quotes keep whole in each of them."""

import re
import shlex
import shutil
import subprocess

import pytest

from tests.house.console import ROOT, blocks, environment, missing, steps

SHELLS = {
    "bash": ["bash", "--norc", "-c"],
    "dash": ["dash", "-c"],
    "zsh": ["zsh", "-f", "-c"],
    "fish": ["fish", "--no-config", "-c"],
}
PAGE = (ROOT / "docs" / "how-to" / "one-liners.md").read_text(encoding="utf-8")
ONE_LINERS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    """Run a script in one of the shells, in a folder of its own, as its output and errors come."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    known = environment(tmp_path)
    work = tmp_path / "work"
    work.mkdir()

    def call(script):
        return subprocess.run(
            [*SHELLS[request.param], script],
            cwd=work,
            env=known,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    call.name = request.param
    call.work = work
    return call


# -------------------------------------------------------------------------------- the manual's page
def test_there_are_at_least_25():
    assert len(ONE_LINERS) >= 25
    assert PAGE.count("\n### ") == len(ONE_LINERS)
    for title, body in ONE_LINERS.items():
        (block,) = blocks(body, "console")
        assert "dezero" in block, title
        assert any(output for _, output in steps(block)), title


@pytest.mark.parametrize("title", ONE_LINERS)
def test_it_prints_what_the_page_says(shell, title):
    (block,) = blocks(ONE_LINERS[title], "console")
    commands, outputs = zip(*steps(block), strict=True)
    script = "\n".join(commands)
    (script,) = (blocks(ONE_LINERS[title], "fish") if shell.name == "fish" else None) or [script]
    if missing(script):
        pytest.skip(f"not installed: {', '.join(sorted(missing(script)))}")
    assert shell(script).stdout == "".join(outputs)


# ------------------------------------------------------------------------------------------ quotes
QUOTED = [
    ["2*x", "x=[1,2]"],
    ["x=[[1,2],[3,4]]", "x@x"],
    ["x*y", "x=2", "y=3", "--get", "value", "--get=grad.x"],
    ["x*2", "x=[1,2]", "--get", "value[1]"],
    ["x**2", "x=3"],
    ["$x", "x=3"],
    ["$(x)", "x=3"],
    ["`x`", "x=3"],
    ["!x", "x=3"],
    ["x!=y", "x=3", "y=4"],
    ["x<y", "x=3", "y=4"],
    ["x>y", "x=3", "y=4"],
    ["x<<y", "x=3"],
    ["x & y", "x=3", "y=4"],
    ["x | y", "x=3", "y=4"],
    ["x;y", "x=3", "y=4"],
    ["(x", "x=3"],
    ["sin(x)", "x=3"],
    ["{x,y}", "x=3"],
    ["-x", "x=3"],
    ["-x**2", "x=-3"],
    ["--x", "x=3"],
    ["~x", "x=3"],
    ["#x", "x=3"],
    ["x # y", "x=3"],
    ["=x", "x=3"],
    ["x^2", "x=3"],
    ["%x", "x=3"],
    ["x % y", "x=3", "y=2"],
    ["x ? y : z", "x=3"],
    ["*", "x=3"],
    [" x ", "x=3"],
    ["x  +   1", "x = 3"],
    ["x\ty", "x=3"],
    ["x\ny", "x=3"],
    ['"x"', "x=3"],
    ["x'y", "x=3"],
    ["x\\y", "x=3"],
    ["", "x=3"],
    ["θ*½", "θ=3"],
    ["@x", "x=3"],
    ["x", "x=@no such file.csv"],
]


@pytest.fixture
def answer(dezero):
    """What `dezero eval` prints for these very arguments, without a shell."""

    def call(words):
        outcome = dezero("eval", *words)
        return outcome.out + outcome.err

    return call


def test_single_quotes_keep_every_word_whole(shell):
    scripts = [" ".join(["printf '<%s>'", *map(quoted, words)]) for words in QUOTED]
    said = shell("\necho '-- next'\n".join(scripts)).stdout.split("-- next\n")
    assert said == ["".join(f"<{word}>" for word in words) for words in QUOTED]
    assert list(shell.work.iterdir()) == []  # nothing was written by a '>' that got out


def test_what_is_in_single_quotes_is_answered(shell, answer):
    if shell.name != "bash":
        pytest.skip(
            "the words that reach the command are the same in every shell, by the test above"
        )
    scripts = [" ".join(["dezero eval", *map(quoted, words)]) for words in QUOTED]
    said = shell("\necho '-- next'\n".join(scripts)).stdout.split("-- next\n")
    told = {tuple(words): answer(words) for words in QUOTED}
    assert dict(zip(told, said, strict=True)) == told
    assert list(shell.work.iterdir()) == []  # nothing was written by a '>' that got out


def quoted(word):
    """A word in single quotes; one that is in it stands outside, behind a backslash."""
    return "'" + word.replace("'", "'\\''") + "'"


def test_the_quotes_of_the_standard_library_are_these():
    for words in QUOTED:
        for word in words:
            assert shlex.split(quoted(word)) == shlex.split(shlex.quote(word)) == [word]


@pytest.mark.parametrize(
    "words",
    [
        "x x=-1.5e3",
        "x/2 x=3",
        "x+1 x=3",
        "-x x=3",
        "+x x=1_000",
        "x^2 x=3",
        "x%y x=7 y=4",
        "sqrt x=3",
        "theta/2 theta=pi/4",
        "x,y x=1",
        "x:y x=1",
        "x x=@none.csv",
        "x/y x=1 y=3 --get value --get grad.x --get hessian.x.y",
        "x/y x=1 y=3 --get=hessian.x.y --sigma x=0.1 --precision 3 --format eng",
    ],
)
def test_what_needs_no_quotes(shell, answer, words):
    assert shell(f"dezero eval {words}").stdout == answer(words.split())


@pytest.mark.parametrize(
    ("words", "stops"),
    [
        ("x**2 x=3", {"zsh", "fish"}),
        ("x x=2*pi", {"zsh", "fish"}),
        ("2*x x=[1,2]", {"zsh", "fish"}),
        ("+x x=[1,2]", {"zsh"}),
        ("+x 'x=[1,2]' --get value[0]", {"zsh"}),
        ("sin(x) x=3", {"bash", "dash", "zsh", "fish"}),
    ],
)
def test_what_happens_without_quotes(shell, answer, words, stops):
    done = shell(f"dezero eval {words}")
    if shell.name in stops:
        assert done.returncode != 0 and "value" not in done.stdout.split()
    else:
        assert (done.stdout, done.returncode) == (answer(shlex.split(words)), 0)


@pytest.mark.parametrize("expr", ["x<y", "x>y", "x;y", "x&y", "x|y", "#x"])
def test_without_quotes_another_expression_arrives(shell, answer, expr):
    if (shell.name, expr) == ("fish", "x&y"):
        pytest.skip("fish takes an & inside a word as it is")
    words = [expr, "--no-grad", "x=1", "y=2"]
    assert shell(f"dezero eval {' '.join(words)}").stdout != answer(words)


def test_a_variable_of_the_shell_goes_into_a_value(shell):
    setting = {"fish": "set side 3"}.get(shell.name, "side=3")
    assert shell(f"{setting}; dezero 'side**2' side=$side --get value").stdout == "9.0\n"
    setting = {"fish": "set f 'x**2 + 1'"}.get(shell.name, "f='x**2 + 1'")
    assert shell(f'{setting}; dezero "$f" x=3 --get value').stdout == "10.0\n"

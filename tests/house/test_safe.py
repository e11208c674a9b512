"""What the surroundings of a run can do to it: terminals, folders, limits, owners, processes."""

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dezero_cli import report
from dezero_cli.pictures import terminal
from tests.conftest import unmeasured

DEZERO = [sys.executable, "-m", "dezero_cli"]
OBEYED = "\x1b\x7f\x80\x9b\x9f\u061c\u200e\u200f\u202a\u202e\u2066\u2069"
"""Some of what a terminal would obey: escapes, controls of one byte and two, marks of direction."""


def start(*words, **options):
    """Run a command line in a process of its own."""
    options = {
        "capture_output": True,
        "check": False,
        "env": unmeasured(),
        "timeout": 120,
    } | options
    return subprocess.run([*DEZERO, *words], **options)


# -------------------------------------------------------------------------------------- terminals
def obeyed(text):
    """The characters in a text that a terminal obeys, apart from those of layout."""
    marks = {0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
    controls = {*range(32), *range(0x7F, 0xA0)} - {9, 10, 13}
    return {c for c in text if ord(c) in controls | marks}


NAME = f"`a{OBEYED}`"
WORDS = [
    ("eval", f"{NAME}*2", f"{NAME}=1"),
    ("eval", f"{NAME}*2", f"{NAME}=1", "--json"),
    ("eval", f"{NAME}*2", "x=1"),
    ("eval", "x", f"x=@{OBEYED}.csv"),
    ("eval", f"x + {OBEYED}", "x=1"),
    ("eval", "x", "x=1", "--get", OBEYED),
    ("check", NAME, f"{NAME}=2"),
    ("check", NAME, f"{NAME}=2", "--json"),
    ("derive", f"{NAME}**2"),
    ("derive", f"{NAME}**2", "--json"),
    *(
        ("derive", f"{NAME}**2", "--to", to)
        for to in ("c", "python", "numpy", "js", "sql", "latex")
    ),
    ("graph", f"{NAME}**2"),
    ("graph", f"{NAME}**2", "--to", "mermaid"),
    ("batch", f"{OBEYED}.txt"),
    ("map", "x", f"{OBEYED}.csv"),
    ("plot", "x", "x=0:1", "-o", f"{OBEYED}.xyz"),
    ("functions", OBEYED),
    (OBEYED,),
    ("eval", "x", f"--{OBEYED}"),
]


@pytest.mark.parametrize("words", WORDS, ids=range(len(WORDS)))
def test_nothing_that_a_terminal_obeys_is_printed(dezero, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    outcome = dezero(*words)
    assert outcome.out + outcome.err and not obeyed(outcome.out + outcome.err)


def test_json_escapes_what_a_terminal_obeys(dezero, tmp_path):
    path = tmp_path / "lines"
    asked = [
        {"expr": NAME, "vars": {f"a{OBEYED}": 1}, "id": OBEYED},
        {"expr": NAME, "vars": {f"a{OBEYED}": 2}, "id": OBEYED},
        {"expr": f"{NAME}*{NAME}", "vars": {f"a{OBEYED}": 2}, "id": [OBEYED]},
        {"expr": f"{NAME}*b", "id": OBEYED},
        {"expr": "x", OBEYED: 1},
    ]
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in asked))
    outcome = dezero("batch", str(path))
    assert not obeyed(outcome.out + outcome.err) and outcome.status == 1
    records = [json.loads(line) for line in outcome.out.splitlines()]
    assert [each["expr"] for each in records[:4]] == [each["expr"] for each in asked[:4]]
    assert [each["id"] for each in records[:4]] == [each["id"] for each in asked[:4]]
    assert records[1]["grad"] == {f"a{OBEYED}": 1.0}
    got = dezero("batch", str(path), "--get", "id", "--get", "value")
    assert not obeyed(got.out)


def test_pictures_hold_nothing_that_a_terminal_obeys(dezero, tmp_path, monkeypatch):
    name, title = f"`a{OBEYED}`", f"t{OBEYED}\x1b]0;t\x07"
    words = ["plot", f"{name}**2*k", f"{name}=0:1", "k=[1,2]", "--title", title]
    assert dezero(*words, "-o", str(tmp_path / "a.svg")).status == 0
    drawn = (tmp_path / "a.svg").read_text()
    assert drawn.startswith("<?xml") and not obeyed(drawn)
    subject = SimpleNamespace()
    for coloured in (False, True):
        lines = ["\x1b[34m.\x1b[0m" * coloured, title]
        monkeypatch.setattr(terminal, "text", lambda *_, found=lines: found)
        monkeypatch.setattr(terminal, "coloured", lambda found=coloured: found)
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        terminal.show(subject, title)
        out = sys.stdout.getvalue()
        assert out.count("\x1b") == 2 * coloured and not obeyed(re.sub(terminal.COLOUR, "", out))


def test_letters_of_every_script_are_printed_as_they_are():
    for text in (
        "θ Δx é ü ß 温度 Température σ² ½ … – √ ∞ العربية עברית क्षेत्र می\u200cشود 👩\u200d🔬",
    ):
        assert report.tame(text) == text
        assert report.escaped(text.encode()) == text.encode()


def test_long_names_are_clipped_in_messages(dezero, tmp_path):
    name = "a" * 100_000
    path = tmp_path / "lines"
    path.write_text(f"{name} + 1\nsin(x) ; x={name}{name}\nx ; {name}=\n")
    outcome = dezero("batch", str(path))
    records = [json.loads(line) for line in outcome.out.splitlines()]
    assert all(len(each["error"]["message"]) < 3000 for each in records)
    assert max(map(len, outcome.err.splitlines())) < 3000
    for words in (["eval", name], ["eval", "x", f"x={name}"], ["eval", "x", f"--{name}"], [name]):
        assert len(dezero(*words).err) < 3000, words
    assert records[0]["error"]["message"].startswith("no value for aaa")


# ---------------------------------------------------------------------------------------- folders
def test_the_files_of_the_folder_are_not_modules(tmp_path):
    for name in ("socket", "types", "re", "random", "numpy", "polars", "distributed", "json"):
        (tmp_path / f"{name}.py").write_text("open('taken', 'w')\nraise SystemExit('taken')\n")
    (tmp_path / "t.csv").write_text("x\n1\n2\n")
    (tmp_path / "lines").write_text("x*2 ; x=3\n" * 3)
    console = ["-c", "import sys; sys.path.pop(0); from dezero_cli.__main__ import main; main()"]
    for words in (
        ["map", "x**2", "t.csv", "-o", "out", "--scheduler", "local"],
        ["batch", "--jobs", "2", "lines"],
        ["eval", "sum(x)", "x=@t.csv"],
    ):
        done = subprocess.run(
            [sys.executable, *console, *words],
            cwd=tmp_path,
            env=unmeasured() | {"PYTHONSAFEPATH": ""},
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert not (tmp_path / "taken").exists()
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["rows"] == 2


def test_the_module_run_by_name_takes_none_of_the_folder(tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit('taken')\n")
    (tmp_path / "orjson.py").write_text("raise SystemExit('taken')\n")
    done = start("eval", "x", "x=1", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_matplotlibs_settings_in_the_folder_are_not_obeyed(tmp_path):
    (tmp_path / "evil.py").write_text("open('taken', 'w')\n")
    (tmp_path / "matplotlibrc").write_text("backend: module://evil\ntext.usetex: True\n")
    done = start("plot", "x", "x=0:1", "-o", "a.svg", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"") and not (tmp_path / "taken").exists()
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe")
    done = start("plot", "x", "x=0:1", "-o", "a.svg", cwd=tmp_path)
    assert done.returncode == 1 and re.fullmatch(
        rb"error: matplotlib cannot be imported: [^\n]*\n", done.stderr
    )


# ------------------------------------------------------------------------------------------ files
def test_an_output_may_have_the_longest_name_that_there_is(dezero, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("x\n1\n")
    for name in ("a" * 251 + ".csv", "ü" * 125 + ".csv", "温" * 83 + ".csv"):
        assert dezero("map", "x", "t.csv", "-o", name) == (0, "", "")
        assert (tmp_path / name).read_text() == "x,value,d_x\n1,1.0,1.0\n"
    longer = "a" * 252 + ".csv"
    outcome = dezero("map", "x", "t.csv", "-o", longer)
    assert outcome.status == 1 and ".part" not in outcome.err and outcome.err.count("\n") == 1
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".*"))


def test_a_new_file_runs_as_nobody_else(dezero, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("x\n1\n")
    (tmp_path / "out.csv").write_text("old")
    if os.geteuid() == 0:
        os.chown("out.csv", 1234, 4321)
    os.chmod("out.csv", 0o6751)
    before = os.stat("out.csv")
    assert dezero("map", "x", "t.csv", "-o", "out.csv").status == 0
    after = os.stat("out.csv")
    assert stat.S_IMODE(after.st_mode) == 0o751
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


HEADERS = ["(True,)", "(-1,)", "(2.0,)", "('a',)", "(1,)*40", "None", "(1", "(99, 99)", "[2]"]


@pytest.mark.parametrize("shape", HEADERS)
def test_a_numpy_file_with_a_wrong_header_is_one_line(dezero, tmp_path, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (118 - len(header)) + b"\n"
    path = tmp_path / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8))
    assert dezero("eval", "x", f"x=@{path}") == (2, "", f"error: {path}: not a NumPy array file\n")


def test_an_archive_is_no_array(dezero, tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(3))
    path = tmp_path / "x.npy"
    os.rename(tmp_path / "a.npz", path)
    assert dezero("eval", "x", f"x=@{path}") == (2, "", f"error: {path}: not a NumPy array file\n")


# ----------------------------------------------------------------------- the environment and limits
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("given", [{}, {"COMP_WORDS": "dezero"}, {"COMP_CWORD": "1"}])
def test_completion_without_its_variables_is_one_line(dezero, monkeypatch, shell, given):
    for name in ("COMP_WORDS", "COMP_CWORD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_DEZERO_COMPLETE", f"{shell}_complete")
    outcome = dezero()
    assert (
        outcome.status == 2 and outcome.err.startswith("error: ") and "internal" not in outcome.err
    )
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("word", ["x", "", "1.5", "-1", "9" * 30, "²"])
def test_completion_with_a_wrong_number_is_no_fault_of_ours(dezero, monkeypatch, word):
    monkeypatch.setenv("COMP_WORDS", "dezero ev")
    monkeypatch.setenv("COMP_CWORD", word)
    monkeypatch.setenv("_DEZERO_COMPLETE", "bash_complete")
    outcome = dezero()
    assert outcome.status in {0, 2} and "internal" not in outcome.err


@pytest.mark.parametrize("count", [6, 16])
def test_few_open_files_are_one_line(tmp_path, count):
    (tmp_path / "t.csv").write_text("x\n1\n")
    for words in ("t.csv --to parquet -o o.parquet", "t.csv -o out --scheduler local"):
        command = f"ulimit -n {count}; {' '.join(DEZERO)} map x {words}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=unmeasured(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1
        assert re.fullmatch(rb"error: this needs \d+ open files, [^\n]*\n", done.stderr)
    assert os.listdir(tmp_path) == ["t.csv"]


# -------------------------------------------------------------------------------------- processes
PRESSED = """
import os, signal, sys
sys.argv = ["bin/dezero", "eval", "x", "x=1"]
class Pressed:
    def find_spec(name, *_):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Pressed)
from dezero_cli.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "name", ["dezero_cli.__main__", "dezero_cli.main", "click", "numpy", "dezero"]
)
def test_ctrl_c_while_the_program_starts_is_silent(name):
    """It is pressed as a module is looked for."""
    command = [sys.executable, "-c", PRESSED.format(name=name)]
    done = subprocess.run(command, env=unmeasured(), capture_output=True, check=False)
    assert done.returncode in {130, -signal.SIGINT}
    assert done.stdout + done.stderr == b""


# --------------------------------------------------------------------------------------- promises
def test_every_promise_names_tests_that_are_there():
    root = Path(__file__).parent.parent.parent
    text = (root / "SECURITY.md").read_text()
    promises = [part.split("\n\n")[0] for part in text.split("\n- **")[1:]]
    assert len(promises) > 20
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
        assert named, promise
        for path, name in named:
            assert f"\ndef {name}(" in (root / path).read_text(), (path, name)

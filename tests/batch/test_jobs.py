"""`dezero batch --jobs auto`: one process, then one a core; and formulas that come back."""

import random

import pytest

from dezero_cli.batch import cores as machine
from dezero_cli.batch.cores import cores
from dezero_cli.commands import batch as command
from dezero_cli.language import parser

FORMULAS = ["x**2*y", "sin(x)/y", "hypot(x, y)", "log(x) + y", "sqrt(", "x/0", "z", "k*x - y"]


def drawn(seed, count=1500):
    """Lines of formulas that come back, alike ones in runs, bad ones, blanks and comments."""
    draw = random.Random(seed)
    lines = []
    while len(lines) < count:
        expr = draw.choice(FORMULAS)
        run = draw.choice([1, 1, 1, 40])
        for _ in range(run):
            x, y = round(draw.uniform(-2, 2), 2), draw.randint(-2, 2)
            as_json = f'{{"id":{len(lines)},"expr":"{expr}","vars":{{"x":{x},"y":{y}}}}}'
            lines.append(draw.choice(["", "# note", "{", as_json, f"{expr} ; x={x} y={y}"]))
    return "\n".join(lines)


@pytest.fixture
def batch(dezero, tmp_path):
    """Run `dezero batch` on a file of this text."""

    def call(content, *args):
        path = tmp_path / "lines.txt"
        path.write_text(content, encoding="utf-8")
        return dezero("batch", str(path), *args)

    return call


@pytest.fixture
def at_once(monkeypatch):
    """Work is handed to two processes from the first line on."""
    monkeypatch.setattr(command, "ENOUGH", 0.0)
    monkeypatch.setattr(machine, "cores", lambda: 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_bytes_are_the_same_for_any_number_of_processes(batch, seed, at_once):
    content = drawn(seed)
    alone = batch(content, "k=3", "--jobs", "1")
    for jobs in ([], ["--jobs", "auto"], ["--jobs", "2"], ["--jobs", "3"]):
        assert batch(content, "k=3", *jobs) == alone


def test_the_bytes_are_the_same_where_the_work_is_handed_over(batch, monkeypatch):
    content = drawn(4, 12_000)  # of several blocks
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(command, "ENOUGH", 1e-9)  # after the first of them
    assert batch(content, "k=3") == batch(content, "k=3", "--jobs", "1")


def test_fail_fast_stops_at_the_same_line(batch, at_once):
    content = drawn(5)
    assert batch(content, "--fail-fast") == batch(content, "--fail-fast", "--jobs", "1")


def test_one_process_goes_on_where_there_are_no_others(batch, monkeypatch, at_once):
    from dezero_cli.batch import workers

    def none(*_):
        raise OSError(11, "Resource temporarily unavailable", "a worker process")

    monkeypatch.setattr(workers, "_Worker", none)
    content = drawn(6, 300)
    assert batch(content) == batch(content, "--jobs", "1")
    refused = batch(content, "--jobs", "2")
    assert refused.status == 1 and "a worker process" in refused.err and refused.out == ""


@pytest.mark.parametrize("given", ["0", "x", "257", "-1", "1.5", ""])
def test_what_is_no_number_of_processes_is_refused(batch, given):
    outcome = batch("1", "--jobs", given)
    assert (outcome.status, outcome.out) == (2, "")
    assert "expected a number from 1 to 256, or auto" in outcome.err


# ------------------------------------------------------------------------------ control groups
@pytest.mark.parametrize(
    ("files", "lines", "most"),
    [
        ({}, "0::/", 8),
        ({"cpu.max": "max 100000"}, "0::/", 8),
        ({"cpu.max": "200000 100000"}, "0::/", 2),
        ({"cpu.max": "50000 100000"}, "0::/", 1),
        ({"a/cpu.max": "300000 100000"}, "0::/a/b", 3),
        ({"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, "0::/a/b", 3),
        ({"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "1"}, "4:cpu,cpuacct:/a", 8),
        ({"cpu/a/cpu.cfs_quota_us": "2", "cpu/a/cpu.cfs_period_us": "1"}, "4:cpu,cpuacct:/a", 2),
        ({"cpu.max": "rubbish"}, "0::/\nrubbish", 8),
    ],
)
def test_a_control_group_limits_the_cores(tmp_path, monkeypatch, files, lines, most):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(8))
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "own").write_text(lines + "\n")
    assert cores(tmp_path / "groups", tmp_path / "own") == most
    assert cores(tmp_path / "groups", tmp_path / "nothing") in (8, most)


# ------------------------------------------------------------------------ what is parsed before
def test_a_text_that_comes_back_is_made_twice_at_most():
    made = []

    @parser.recent(len)
    def length(text):
        made.append(text)
        return len(text)

    texts = [f"text {i}" for i in range(2000)]
    for _ in range(5):
        assert [length(text) for text in texts] == list(map(len, texts))
    assert sorted(made) == sorted(2 * texts)


def test_what_is_kept_is_bounded_by_its_characters(monkeypatch):
    monkeypatch.setattr(parser, "MOST_TEXT", 100)
    returning = parser._Returning(str.upper, len)
    for _ in range(3):
        for letter in "abcdefghij":
            assert returning(30 * letter) == 30 * letter.upper()
    assert len(returning.kept) == 3 and returning.total == 90
    assert returning("x" * 101) == returning("x" * 101) == "X" * 101
    assert returning.total == sum(map(len, [each for (each,) in returning.kept])) <= 100

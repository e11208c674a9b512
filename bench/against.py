"""This checkout beside another one of the project: the same work by turns, each in its own process.

The other may be older, and keep its modules elsewhere: what is measured is reached through the
command line, the engine's public names, and the places where the parser has stood.
"""

from __future__ import annotations

import inspect
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import batch, scalars, startup
from bench.timing import Row, ratio

HERE = Path(__file__).parents[1]
ROUNDS = 100
WANTED = "<= 1.03"
CALLS = {"value and gradient": 20, "parse": 5}
"""How often each is called a turn; the median call counts, so that waking up does not."""

WORKER = (
    """
import importlib, pathlib, statistics, sys, time
from typing import Any
import numpy as np
import dezero, dezero_cli
root, text = sys.argv[1:]
for package in (dezero, dezero_cli):
    assert pathlib.Path(package.__file__).is_relative_to(root), package
"""
    + inspect.getsource(scalars.goldstein_price)
    + """
def gradient():
    x, y = dezero.Variable(np.array(0.5)), dezero.Variable(np.array(-0.3))
    goldstein_price(x, y).backward()
    return x.grad, y.grad

def parser():
    for name in ("dezero_cli.language.parser", "dezero_cli.expression"):
        try:
            parse = importlib.import_module(name).parse
        except (ImportError, AttributeError):
            continue
        parse = getattr(parse, "__wrapped__", parse)  # the same text is parsed once otherwise
        return lambda: parse(text)

work = {"value and gradient": gradient, "parse": parser()}
for line in sys.stdin:
    name, count = line.rsplit(None, 1)
    times = []
    for _ in range(int(count) if work[name] else 0):
        start = time.perf_counter()
        work[name]()
        times.append(time.perf_counter() - start)
    print(statistics.median(times) if times else "missing", flush=True)
"""
)

Side = Callable[[], float]
"""Does its work once; gives the seconds that it took."""


def by_turns(name: str, sides: Mapping[Path, Side], rounds: int) -> Row:
    """The median seconds of each side, after two rounds to warm up, and their ratio."""
    times: dict[Path, list[float]] = {root: [] for root in sides}
    for turn in range(rounds + 2):
        for root, work in sides.items():
            seconds = work()
            if turn > 1:
                times[root].append(seconds)
    ours, theirs = (statistics.median(each) for each in times.values())
    return ratio(f"{name} / the other's", ours, theirs, WANTED)


def environment(root: Path) -> dict[str, str]:
    """What has Python import a checkout's packages."""
    return {**os.environ, "PYTHONPATH": str(root)}


def command(root: Path, words: list[str], lines: Path, place: Path) -> Side:
    """A whole process, begun where no checkout is found by chance."""

    def run() -> float:
        with lines.open("rb") as content:
            start = time.perf_counter()
            subprocess.run(
                words,
                stdin=content,
                stdout=subprocess.DEVNULL,
                env=environment(root),
                cwd=place,
                check=True,
            )
            return time.perf_counter() - start

    return run


@contextmanager
def worker(root: Path, place: Path) -> Iterator[Callable[[str, int], float | None]]:
    """A process that has imported a checkout: it does what it is told, and says how long it took.

    None is for what the checkout does not have.
    """
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(root), scalars.GOLDSTEIN_PRICE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(root),
        cwd=place,
    ) as process:
        tells, told = process.stdin, process.stdout
        assert tells is not None
        assert told is not None

        def call(name: str, count: int) -> float | None:
            tells.write(f"{name} {count}\n")
            tells.flush()
            answer = told.readline().strip()
            if not answer:
                raise RuntimeError(f"{root}: {name} failed")
            return None if answer == "missing" else float(answer)

        yield call
        tells.close()


def compare_startup(roots: list[Path], place: Path, rounds: int) -> list[Row]:
    """A whole `dezero eval`."""
    nothing = Path(os.devnull)
    sides = {root: command(root, startup.OURS, nothing, place) for root in roots}
    return [by_turns("start-up: dezero eval", sides, rounds)]


def compare_scalars(roots: list[Path], place: Path, rounds: int) -> list[Row]:
    """Value and gradient of Goldstein-Price, and the parsing of its text, without start-up."""
    rows: list[Row] = []
    with ExitStack() as stack:
        workers = {root: stack.enter_context(worker(root, place)) for root in roots}
        for name, count in CALLS.items():
            title = f"Goldstein-Price: {name}"
            if any(call(name, 200) is None for call in workers.values()):  # warm, too
                rows.append({"comparison": f"{title}: not found in both", "wanted": ""})
                continue
            sides = {root: _timed(call, name, count) for root, call in workers.items()}
            rows.append(by_turns(title, sides, rounds))
    return rows


def _timed(call: Callable[[str, int], float | None], name: str, count: int) -> Side:
    return lambda: call(name, count) or 0.0


def compare_batch(roots: list[Path], place: Path, rounds: int) -> list[Row]:
    """Whole runs of `dezero batch` over the files of the comparison with the peers."""
    files = {
        "200,000 JSON Lines of x**3/2-y": batch.numbers(place / "alike", 200_000, "x**3/2-y"),
        "2,000 distinct expressions": batch.formulas(place / "distinct", 2_000),
        "2,000 expressions, 20 times in turn": batch.repeated(place / "repeated"),
    }
    rows = []
    for name, path in files.items():
        sides = {root: command(root, [*batch.OURS, "--jobs", "1"], path, place) for root in roots}
        rows.append(by_turns(f"batch: {name}", sides, rounds))
    return rows


COMPARED = {"startup": compare_startup, "scalars": compare_scalars, "batch": compare_batch}


def run(other: Path, names: list[str], rounds: int = ROUNDS) -> list[Row]:
    """This checkout's figures, those of the other, and their ratios."""
    roots = [HERE, other.resolve()]
    if roots[0] == roots[1]:
        raise SystemExit(f"{other}: is this checkout")
    rows = []
    with tempfile.TemporaryDirectory(prefix="dezero-bench-") as folder:
        for name in names:
            print(f"{name} against {other} ...", file=sys.stderr, flush=True)
            rows += COMPARED[name](roots, Path(folder), rounds)
    return rows

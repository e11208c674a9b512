"""What the tests share: the cases with an oracle's values, and the command line as a function."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dezero.names import Known
from dezero_cli.main import run


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """A test marked `unmeasured` runs without coverage, which makes it several times as long.

    It proves something of every case there is, and runs no line that other tests do not.
    """
    trace = sys.gettrace()
    if trace is None or pyfuncitem.get_closest_marker("unmeasured") is None:
        return (yield)
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)


DATA = Path(__file__).parent / "data"


@functools.cache
def cases() -> list[dict[str, Any]]:
    """The real expressions that every way of computing is tried on; no test changes them."""
    names = (path.name for path in sorted(DATA.glob("*.jsonl")))
    apart = ("parse_errors.jsonl", "suites2.jsonl", "language2.jsonl")
    return [case for name in names if name not in apart for case in data(name)]


def data(name: str) -> list[dict[str, Any]]:
    """The JSON objects of a file of the tests."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def of_scipy(known: Known) -> bool:
    """Whether a function is one of SciPy's, at the latest in its derivative."""
    return known.function.__module__ == "dezero.special"


def unmeasured() -> dict[str, str]:
    """The environment without what has each process measure its coverage, half of a short run.

    For commands that prove what a person sees, and run no line that other tests do not.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def on_terminal(leader: int) -> bytes:
    """All that a terminal is shown, until the last process at it is gone; this closes it.

    What a process wrote may come a moment after the process has ended.
    """
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while block := os.read(leader, 1 << 16):
            shown += block
    os.close(leader)
    return shown


def parts(count: int) -> pytest.MarkDecorator:
    """Run a test over the cases in so many parts; the first is enough to measure coverage."""
    rest = [pytest.param(part, marks=pytest.mark.unmeasured) for part in range(1, count)]
    return pytest.mark.parametrize("part", [0, *rest])


class Outcome(NamedTuple):
    """What a run of the command line gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output read as JSON."""
        return json.loads(self.out)


@pytest.fixture
def dezero(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Outcome]:
    """Run the command line in this process."""

    def call(*args: str) -> Outcome:
        capfdbinary.readouterr()
        status = run(list(args))
        captured = capfdbinary.readouterr()
        return Outcome(status, captured.out.decode(), captured.err.decode())

    return call

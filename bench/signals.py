"""Runs that a signal ends at a random moment: what is left of them.

``python -m bench.signals [COUNT [COMMAND...]]`` starts `map`, `batch`, `plot`, `fit` and `cluster`
(`map --scheduler local`) so many times for each of KILL, TERM, INT and HUP, and prints what was
found: outputs that are old, new or neither, files that were left behind, lines that are not whole,
processes that still run, messages, and the statuses.  INT and HUP go to all processes of a run, as
a terminal sends them, or to the first alone, by turns; KILL and TERM go to the first alone.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEZERO = [sys.executable, "-m", "dezero_cli"]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ROWS = 100_000
COMMANDS = ("map", "batch", "plot", "fit", "cluster")
OLD = b"the old file\n"
LINGER = 15.0
"""Seconds that processes may take to notice that the first is gone: they start before they look."""


@dataclass(frozen=True, slots=True)
class Case:
    """The words of a run; what it writes (a file, a folder, or its standard output), and how much.

    Outputs that hold the time or random names are alike in their size alone.
    """

    words: list[str]
    target: Path | None = None
    exact: bool = True
    folder: bool = False


def cases(place: Path) -> dict[str, list[Case]]:
    """The runs of each command."""
    lines, table, small = place / "lines.txt", place / "t.csv", place / "s.csv"
    lines.write_text("".join(f"sin(x)*{i} ; x={i}\n" for i in range(ROWS // 4)))
    table.write_text("x\n" + "".join(f"{i}.5\n" for i in range(ROWS)))
    small.write_text("t,y\n" + "".join(f"{i},{2 * i + i % 7}.5\n" for i in range(ROWS // 10)))
    outs = {ending: place / f"out.{ending}" for ending in ENDINGS}

    def into(ending: str, *words: str) -> Case:
        return Case([*words, "-o", str(outs[ending])], outs[ending], ending in {"csv", "jsonl"})

    both = [str(table), str(small).replace("s.csv", "t2.csv")]
    shutil.copy(table, both[1])
    parts, local = place / "parts", ["--scheduler", "local"]
    return {
        "map": [
            *(into(e, "map", "x**2", str(table)) for e in ("csv", "jsonl", "parquet", "arrow")),
            Case(["map", "x**2", str(table)]),
        ],
        "batch": [Case(["batch", *jobs, str(lines)]) for jobs in ([], ["--jobs", "3"])],
        "plot": [into(e, "plot", "sin(x)", "x=-3:3") for e in ("png", "svg")],
        "fit": [into("csv", "fit", "y == a*t + b", str(small))],
        "cluster": [
            Case(["map", "x**2", *both, "-o", str(parts), *local], parts, folder=True),
        ],
    }


ENDINGS = ("csv", "jsonl", "parquet", "arrow", "png", "svg")


@dataclass(slots=True)
class Run:
    """What is left of a run: its status, what it wrote, processes and temporary files."""

    status: int
    out: bytes
    err: bytes
    running: int = 0
    temporary: int = 0


def run(case: Case, number: int, moment: float, everyone: bool = False) -> Run:
    """A run that gets a signal after some seconds."""
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryDirectory() as place,
    ):
        process = subprocess.Popen(
            [*DEZERO, *case.words],
            stdout=out,
            stderr=err,
            env=os.environ | {"TMPDIR": place},
            start_new_session=True,
        )
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            (os.killpg if everyone else os.kill)(process.pid, number)
        process.wait()
        running, temporary = lingering(process.pid), len(left_in(place))
        out.seek(0)
        err.seek(0)
        return Run(process.returncode, out.read(), err.read(), running, temporary)


def left_in(place: str) -> list[str]:
    """What is left among temporary files, but for Dask's locks, which it keeps and uses again."""
    return [name for name in os.listdir(place) if name != "dask-scratch-space"]


def lingering(session: int) -> int:
    """How many processes of a session still run after a while; they are ended."""
    end = time.monotonic() + LINGER
    while (found := processes(session)) and time.monotonic() < end:
        time.sleep(0.02)
    for number in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return len(found)


def processes(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            state, _, _, own = (
                Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[:4]
            )
            if int(own) == session and state != "Z":
                found.append(int(name))
    return found


def content(case: Case, ended: Run) -> bytes:
    """What a run has written, in one piece."""
    if case.target is None:
        return ended.out
    if case.folder:
        return b"".join(path.read_bytes() for path in sorted(case.target.glob("t*.csv")))
    return case.target.read_bytes()


def prepare(case: Case) -> None:
    """Put an old file where the output goes; a folder is not there."""
    if case.folder and case.target is not None:
        shutil.rmtree(case.target, ignore_errors=True)
    elif case.target is not None:
        case.target.write_bytes(OLD)


def judged(case: Case, expected: bytes, ended: Run) -> list[str]:
    """What is to be said of a run's output, of what it left behind, and of its messages."""
    said = [f"status {ended.status}"]
    if case.folder and case.target is not None:
        said.append(of_folder(case, expected))
    elif case.target is not None:
        now = case.target.read_bytes()
        same = now == expected or (not case.exact and len(now) > len(expected) * 0.9)
        said.append("old" if now == OLD else "new" if same else "NEITHER")
        for path in case.target.parent.glob(".*.part"):
            said.append("a .part left")
            path.unlink()
    else:
        whole = "whole lines" if ended.out[-1:] in {b"", b"\n"} else "A LINE IS CUT"
        said.append(whole if expected.startswith(ended.out) else "WRONG LINES")
    if ended.temporary:
        said.append("temporary files left")
    if ended.running:
        said.append("PROCESSES LEFT")
    if ended.err:
        said.append(message(ended.err))
    return said


def message(text: bytes) -> str:
    """What kind of message a run has shown."""
    if b"Traceback" not in text and b"Fatal Python" not in text:
        return "one line of message" if text.count(b"\n") == 1 else "LINES of message"
    ours = b"dezero_cli" in text or b"multiprocessing" in text
    return "TRACEBACK" if ours else "a traceback of Python's start"


def of_folder(case: Case, expected: bytes) -> str:
    """What is to be said of a cluster's folder: every file with the name of a part is whole."""
    assert case.target is not None
    if not case.target.exists():
        return "no folder"
    if (case.target / "manifest.json").exists():
        return "new" if content(case, Run(0, b"", b"")) == expected else "NEITHER"
    size = len(expected) // 2
    wrong = [path for path in case.target.glob("t*.csv") if path.stat().st_size != size]
    parts = len(list(case.target.glob(".*.part")))
    return "A PART IS CUT" if wrong else "whole parts" + (", and a .part" if parts else "")


def table(command: str, chosen: Sequence[Case], count: int, draw: random.Random) -> None:
    """Print a row for each signal."""
    expected, seconds = [], []
    for case in chosen:
        prepare(case)
        begin = time.perf_counter()
        expected.append(content(case, run(case, signal.SIGKILL, 600.0)))
        seconds.append(time.perf_counter() - begin)
    for number in SIGNALS:
        found: collections.Counter[str] = collections.Counter()
        for i in range(count):
            which = i % len(chosen)
            case = chosen[which]
            prepare(case)
            everyone = number in {signal.SIGINT, signal.SIGHUP} and i // len(chosen) % 2 == 0
            ended = run(case, number, draw.random() * seconds[which] * 1.1, everyone)
            said = judged(case, expected[which], ended)
            found.update(said)
            if any(each[:2].isupper() for each in said):
                where = "to all" if everyone else "to the first"
                shown = " ".join(case.words), number.name, where, said, ended.err[-500:].decode()
                print(*shown, file=sys.stderr, flush=True)
        print(f"| {command} | {number.name} | {json.dumps(dict(sorted(found.items())))} |")
        sys.stdout.flush()


def main() -> None:
    """Print the table of each command that is named, or of all."""
    count, wanted = int(sys.argv[1]) if sys.argv[1:] else 200, sys.argv[2:] or COMMANDS
    draw = random.Random(1)
    for number in SIGNALS[1:]:  # those that are ignored here would be ignored by the runs
        signal.signal(number, signal.SIG_DFL)
    with tempfile.TemporaryDirectory() as name:
        found = cases(Path(name))
        for command in wanted:
            table(command, found[command], count, draw)


if __name__ == "__main__":
    main()

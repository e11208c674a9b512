"""Runs that a signal ends at a random moment: what is left of them.

``python -m bench.signals [COUNT]`` starts `map`, `batch` and `plot` so many times for each of KILL,
TERM, INT and HUP, and prints what was found: outputs that are old, new or neither, files that were
left behind, lines that are not whole, tracebacks, and the statuses.
"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DEZERO = [sys.executable, "-m", "dezero_cli"]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ROWS = 100_000
FORMS = {"map": ("csv", "jsonl", "parquet", "arrow"), "plot": ("png", "svg"), "batch": ("1", "2")}
"""What the runs of a command are divided among."""
OLD = b"the old file\n"

Look = Callable[[bytes], bool]
"""Whether the bytes that were written are what an unharmed run writes, or whole lines of it."""


def cases(folder: Path) -> dict[str, tuple[list[str], str | None]]:
    """The words of each command, and the file that it replaces; None for standard output."""
    lines = folder / "lines.txt"
    lines.write_text("".join(f"sin(x)*{i} ; x={i}\n" for i in range(ROWS // 4)))
    table = folder / "t.csv"
    table.write_text("x\n" + "".join(f"{i}.5\n" for i in range(ROWS)))
    found = {
        f"map {e}": (["map", "x**2", str(table), "-o"], f"out.{e}")
        for e in ("csv", "jsonl", "parquet", "arrow")
    }
    found |= {f"plot {e}": (["plot", "sin(x)", "x=-3:3", "-o"], f"out.{e}") for e in ("png", "svg")}
    found["batch"] = (["batch", str(lines)], None)
    found["batch --jobs"] = (["batch", "--jobs", "2", str(lines)], None)
    return found


def one(words: Sequence[str], number: int, moment: float, cwd: Path) -> tuple[int, bytes, bytes]:
    """The status and what was written by a run that gets a signal after some seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen([*DEZERO, *words], stdout=out, stderr=err, cwd=cwd)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        process.wait()
        out.seek(0)
        err.seek(0)
        return process.returncode, out.read(), err.read()


def judged(expected: bytes, target: Path | None, out: bytes, err: bytes, folder: Path) -> list[str]:
    """What is to be said of a run: old, new or whole lines; and what is wrong."""
    said = []
    if target is None:
        whole = out == expected[: len(out)] and (not out or out.endswith(b"\n"))
        said.append("whole lines" if whole else "WRONG LINES")
    else:
        now = target.read_bytes()
        same = now == expected or (target.suffix not in {".csv", ".jsonl"} and len(now) > len(OLD))
        said.append("old" if now == OLD else "new" if same else "NEITHER")
        left = [name for name in os.listdir(folder) if name.endswith(".part")]
        if left:
            said.append("a .part left")
            for name in left:
                os.unlink(folder / name)
    if err.strip():
        said.append("traceback" if b"Traceback" in err else "message")
    return said


def temporary() -> set[str]:
    """The temporary files that are there."""
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("dezero-")}


def main() -> None:
    """Print a row for each command and signal."""
    count = int(sys.argv[1]) if sys.argv[1:] else 200
    draw = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command, (words, file) in cases(folder).items():
            target = None if file is None else folder / file
            words = words if target is None else [*words, str(target)]
            begin = time.perf_counter()
            _, expected, _ = one(words, signal.SIGKILL, 600.0, folder)
            seconds = time.perf_counter() - begin
            if target is not None:
                expected = target.read_bytes()
            for number in SIGNALS:
                before = temporary()
                found: collections.Counter[str] = collections.Counter()
                for _ in range(count // len(FORMS[command.split()[0]])):
                    if target is not None:
                        target.write_bytes(OLD)
                    status, out, err = one(words, number, draw.random() * seconds * 1.1, folder)
                    found[f"status {status}"] += 1
                    found.update(judged(expected, target, out, err, folder))
                found["temporary files left"] += len(temporary() - before)
                print(f"| {command} | {number.name} | {json.dumps(dict(sorted(found.items())))} |")
                sys.stdout.flush()


if __name__ == "__main__":
    main()

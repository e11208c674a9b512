"""Files and pipes: `dezero batch` as a whole process beside Miller, jq, orjson and three peers."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.timing import Row, in_turn, ratio

FORMULAS = Path(__file__).parent.parent / "tests" / "data" / "feynman.jsonl"
OURS = [sys.executable, "-m", "dezero_cli", "batch"]
MILLER = ["mlr", "--ijsonl", "--ojsonl", "put", "$value=$x**3/2-$y; $d_x=3*$x**2/2; $d_y=-1"]
JQ = ["jq", "-c", ". + {value: (.x*.x*.x/2-.y), d_x: (3*.x*.x/2), d_y: -1}"]

PEAK = """
import re, sys
from pathlib import Path
from dezero_cli.main import run
assert run(["batch"]) == 0
sys.stderr.write(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""

BARE = """
import sys, orjson
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(orjson.dumps(orjson.loads(line)) + b"\\n")
"""

PYTORCH = """
import math, sys, orjson, torch
def of(name):
    scalar, tensor = getattr(math, name.replace("arc", "a")), getattr(torch, name)
    return lambda x: tensor(x) if torch.is_tensor(x) else scalar(x)
names = {name: of(name) for name in ("sqrt", "exp", "sin", "cos", "arccos")} | {"pi": math.pi}
for line in sys.stdin.buffer:
    item = orjson.loads(line)
    inputs = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in item["vars"].items()
    }
    y = eval(item["expr"], names, inputs)
    y.backward()
    grad = {name: x.grad.item() for name, x in inputs.items()}
    sys.stdout.buffer.write(orjson.dumps({"value": y.item(), "grad": grad}) + b"\\n")
"""

SYMPY = """
import sys, orjson, sympy
from sympy.parsing.sympy_parser import parse_expr
for line in sys.stdin.buffer:
    item = orjson.loads(line)
    names = {name: sympy.Symbol(name) for name in item["vars"]}
    y = parse_expr(item["expr"], {"arccos": sympy.acos} | names)
    grad = {
        name: float(sympy.diff(y, x).evalf(subs=item["vars"])) for name, x in names.items()
    }
    value = float(y.evalf(subs=item["vars"]))
    sys.stdout.buffer.write(orjson.dumps({"value": value, "grad": grad}) + b"\\n")
"""

SYMENGINE = """
import re, sys, orjson, symengine
for line in sys.stdin.buffer:
    item = orjson.loads(line)
    y = symengine.sympify(re.sub(r"\\barc(?=cos|sin|tan)", "a", item["expr"]))
    grad = {
        name: float(y.diff(symengine.Symbol(name)).subs(item["vars"])) for name in item["vars"]
    }
    value = float(y.subs(item["vars"]))
    sys.stdout.buffer.write(orjson.dumps({"value": value, "grad": grad}) + b"\\n")
"""


# -------------------------------------------------------------------------------------------- input
def numbers(path: Path, count: int, expr: str | None) -> Path:
    """Lines that differ in x and y: objects for `dezero batch`, or flat records for Miller."""
    generator = random.Random(count)
    start = f'{{"expr":"{expr}","vars":' if expr else ""
    with path.open("w") as file:
        for _ in range(count):
            x, y = generator.uniform(-10, 10), generator.uniform(-10, 10)
            file.write(f'{start}{{"x":{x},"y":{y}}}{"}" if expr else ""}\n')
    return path


def formulas(path: Path, count: int) -> Path:
    """The Feynman formulas with renamed inputs, so that no text repeats."""
    cases = [json.loads(line) for line in FORMULAS.read_text(encoding="utf-8").splitlines()]
    with path.open("w") as file:
        for i in range(count):
            case = cases[37 * i % len(cases)]  # a few of them are a fair sample, too
            names = "|".join(map(re.escape, case["vars"]))
            text = re.sub(rf"\b({names})\b", rf"\g<1>_{i}", case["expr"])
            values = {f"{name}_{i}": value for name, value in case["vars"].items()}
            file.write(json.dumps({"expr": text, "vars": values}) + "\n")
    return path


# ---------------------------------------------------------------------------------------- processes
def process(command: list[str], path: Path) -> Callable[[], None]:
    """A whole run of a command that reads `path` on standard input."""

    def run() -> None:
        with path.open("rb") as lines:
            subprocess.run(command, stdin=lines, stdout=subprocess.DEVNULL, check=True)

    return run


def peak(path: Path) -> float:
    """The peak memory of `dezero batch` on a file, in MiB, as the process itself knows it.

    What the system tells of a child begins with the memory of the parent that it was forked from.
    """
    with path.open("rb") as lines:
        command = [sys.executable, "-c", PEAK]
        done = subprocess.run(
            command,
            stdin=lines,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
    return int(done.stderr) / 1024


def latency(jobs: int, count: int = 20, pause: float = 0.2) -> float:
    """The median seconds from a line to its answer, with a pause before each line."""
    times = []
    command = [*OURS, "--jobs", str(jobs)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for i in range(count + 1):
            time.sleep(pause)
            start = time.perf_counter()
            running.stdin.write(b"x**3/2-y ; x=%d y=1\n" % i)
            running.stdin.flush()
            running.stdout.readline()
            times.append(time.perf_counter() - start)
        running.stdin.close()
    return statistics.median(times[1:])  # the first waits for the start-up


# -------------------------------------------------------------------------------------- comparisons
def alike(place: Path, count: int = 200_000) -> list[Row]:
    """Many numbers for one expression."""
    lines = numbers(place / "ours.jsonl", count, "x**3/2-y")
    flat = numbers(place / "flat.jsonl", count, None)
    sides = {
        "ours": process([*OURS, "--jobs", "1"], lines),
        "all": process(OURS, lines),
        "bare": process([sys.executable, "-c", BARE], lines),
        "start": process(OURS, Path(os.devnull)),
    }
    if shutil.which("mlr"):
        sides["miller"] = process(MILLER, flat)
    times = in_turn(sides, 7)
    name = f"{count:,} JSON Lines of x**3/2-y with both derivatives"
    work = times["ours"] - times["start"]
    rows = [
        ratio(f"{name} / orjson.loads + dumps", times["ours"], times["bare"], "<= 6"),
        {"comparison": "the same without start-up", "ours": work, "unit": "s", "wanted": ""},
    ]
    if "miller" not in times:
        return [*rows, {"comparison": f"{name}: Miller (mlr) is missing", "wanted": ""}]
    return [
        ratio(f"{name} / Miller, a thread a core", times["ours"], times["miller"], "<= 0.333"),
        ratio(f"{name}, by default / Miller, a thread a core", times["all"], times["miller"], ""),
        *rows,
    ]


def records(place: Path, count: int = 200_000) -> list[Row]:
    """One formula over records; the peers have its derivatives written by hand."""
    flat = numbers(place / "records.jsonl", count, None)
    peers = {"Miller": (MILLER, "<= 0.5"), "jq": (JQ, "<= 0.2")}
    there = {name: command for name, (command, _) in peers.items() if shutil.which(command[0])}
    sides = {name: process(command, flat) for name, command in there.items()}
    times = in_turn({"ours": process([*OURS, "--expr", "x**3/2-y"], flat), **sides}, 5)
    title = f"{count:,} records through --expr 'x**3/2-y' with both derivatives"
    return [
        ratio(f"{title} / {name}, by hand", times["ours"], times[name], wanted)
        if name in times
        else {"comparison": f"{title}: {name} is missing", "wanted": ""}
        for name, (_, wanted) in peers.items()
    ]


def memory(place: Path) -> list[Row]:
    """The peak for ten times as many lines."""
    peaks = [peak(numbers(place / "lines.jsonl", n, "x**3/2-y")) for n in (200_000, 2_000_000)]
    return [
        ratio("peak memory at 2,000,000 lines / at 200,000", peaks[1], peaks[0], "<= 1.1", "MiB")
    ]


def distinct(place: Path, count: int = 2_000) -> list[Row]:
    """Expressions that never repeat; SymPy, which is slow, gets 40 of them and is scaled."""
    return [
        *against(place, count, "PyTorch float64 eval, backward()", "torch", PYTORCH, "<= 0.4"),
        *against(place, count, "SymPy parse_expr, diff, evalf(subs)", "sympy", SYMPY, "<= 0.25"),
        *against(place, count, "symengine sympify, diff, subs", "symengine", SYMENGINE, ""),
    ]


def against(place: Path, count: int, name: str, module: str, script: str, wanted: str) -> list[Row]:
    """Whole processes, then what each expression takes without start-up."""
    title = f"{count:,} distinct expressions"
    if importlib.util.find_spec(module) is None:
        return [{"comparison": f"{title}: {name}: {module} is missing", "wanted": ""}]
    some = 40 if module == "sympy" else count
    theirs, nothing = [sys.executable, "-c", script], Path(os.devnull)
    sides = {
        "ours": process(OURS, formulas(place / "ours.jsonl", count)),
        "theirs": process(theirs, formulas(place / "theirs.jsonl", some)),
        "our start": process(OURS, nothing),
        "their start": process(theirs, nothing),
    }
    times = in_turn(sides, 1 if module == "sympy" else 5)
    our_work = times["ours"] - times["our start"]
    their_work = (times["theirs"] - times["their start"]) * count / some
    whole = times["their start"] + their_work
    return [
        ratio(f"{title}, whole processes / {name}", times["ours"], whole, wanted),
        ratio(f"{title}, no start-up / {name}", our_work, their_work, ""),
    ]


def repeated(path: Path, count: int = 2_000, times: int = 20) -> Path:
    """Formulas that come back in turn."""
    once = formulas(path, count).read_text()
    path.write_text(once * times)
    return path


def cores(place: Path, count: int = 40_000) -> list[Row]:
    """One job, two, the default, and two processes with half of the lines each."""
    whole = formulas(place / "many.jsonl", count)
    lines = whole.read_text().splitlines(keepends=True)
    halves = [place / "first.jsonl", place / "second.jsonl"]
    halves[0].write_text("".join(lines[: count // 2]))
    halves[1].write_text("".join(lines[count // 2 :]))

    def apart() -> None:
        with halves[0].open("rb") as first:
            other = subprocess.Popen(OURS, stdin=first, stdout=subprocess.DEVNULL)
            process(OURS, halves[1])()
            other.wait()

    sides = {n: process([*OURS, "--jobs", n], whole) for n in ("1", "2", "auto")}
    times = in_turn({**sides, "apart": apart}, 5)
    name = f"{count:,} distinct expressions"
    return [
        ratio(f"{name}, the default / --jobs 1", times["auto"], times["1"], "<= 0.65"),
        ratio(f"{name}, --jobs 2 / --jobs 1", times["2"], times["1"], "<= 0.588"),
        ratio(f"{name}, two runs of halves / --jobs 1", times["apart"], times["1"], "reported"),
    ]


def run() -> list[Row]:
    """Medians of whole processes in turn."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        return [
            *alike(place),
            *records(place),
            *memory(place),
            *distinct(place),
            *cores(place),
            *(
                {
                    "comparison": f"a line a while: from line to answer, --jobs {jobs}",
                    "ours": latency(jobs) * 1e3,
                    "unit": "ms",
                    "wanted": "<= 50",
                }
                for jobs in (1, 2)
            ),
        ]

"""Tables: Goldstein-Price and both partials for every row, files in and files out.

Miller computes the same from formulas typed by hand, what they share in variables of their own.
All sides are whole processes.
"""

from __future__ import annotations

import gzip
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from bench.columns import SUBJECTS
from bench.timing import Row, in_turn, ratio

ROWS = 2_000_000
FEW, MANY = 5_000_000, 20_000_000
SUBJECT = SUBJECTS[0]
OURS = [sys.executable, "-m", "dezero_cli", "map", SUBJECT.text]
PEAK = """
import re, sys
from pathlib import Path
from dezero_cli.main import run
assert run(sys.argv[1:]) == 0
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def table(rows: int, seed: int) -> pl.DataFrame:
    """Columns x and y between -2 and 2."""
    generator = np.random.default_rng(seed)
    return pl.DataFrame({name: generator.uniform(-2, 2, rows) for name in ("x", "y")})


def miller_program() -> str:
    """The value and both derivatives in Miller's language."""

    def fields(text: str) -> str:
        return re.sub(r"\b([xy])\b", r"$\1", text)

    lines = [f"var {name} = {fields(text)}" for name, text in SUBJECT.shared.items()]
    names = ("value", "d_x", "d_y")
    lines += [f"${n} = {fields(text)}" for n, text in zip(names, SUBJECT.results, strict=True)]
    return "; ".join(lines)


def process(command: list[str], source: Path | None = None, target: Path | None = None) -> None:
    """Run a command to its end, standard input and output from and to files."""
    with open(source or "/dev/null", "rb") as given, open(target or "/dev/null", "wb") as taken:
        subprocess.run(command, stdin=given, stdout=taken, check=True)


def check(ours: Path, theirs: Path) -> None:
    """Make sure that two tables hold the same results."""
    columns = ["value", "d_x", "d_y"]
    got, expected = (pl.read_csv(path).select(columns).to_numpy() for path in (ours, theirs))
    assert np.allclose(got, expected, rtol=1e-9, atol=1e-6)


def text(folder: Path) -> list[Row]:
    """CSV to CSV beside Miller, and pipes beside files."""
    source, ours, theirs = (folder / name for name in ("t.csv", "ours.csv", "theirs.csv"))
    table(ROWS, 0).write_csv(source)
    files = [*OURS, str(source), "-o", str(ours)]
    sides = {"files": lambda: process(files), "pipes": lambda: process(OURS, source, ours)}
    times = in_turn(sides, 5)
    rows = [ratio("map: 2 M rows of CSV, pipes / files", times["pipes"], times["files"], "<= 1.5")]
    if shutil.which("mlr") is None:
        return [*rows, {"comparison": "map: Miller (mlr) is not installed", "wanted": ""}]
    miller = ["mlr", "--icsv", "--ocsv", "put", miller_program(), str(source)]
    sides = {"ours": lambda: process(files), "theirs": lambda: process(miller, target=theirs)}
    times = in_turn(sides, 1)
    check(ours, theirs)
    name = "map: 2 M rows of CSV, Goldstein-Price and both derivatives / Miller"
    return [ratio(name, times["ours"], times["theirs"], "<= 0.2"), *rows]


POLARS = f"""
import sys
import polars as pl
x, y = pl.col("x"), pl.col("y")
{"; ".join(f"{name} = {text}" for name, text in SUBJECT.shared.items())}
value, d_x, d_y = {", ".join(f"({text})" for text in SUBJECT.results)}
frame = pl.scan_csv(sys.argv[1]).with_columns(value=value, d_x=d_x, d_y=d_y)
frame.sink_csv(sys.argv[2])
"""
"""The same by Polars alone, whose formulas are typed by hand; it finds what they share."""


def processor(command: list[str]) -> float:
    """The processor seconds of a whole process, of all its threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def many(folder: Path) -> Row:
    """CSV to CSV beside Polars alone, 20 M rows: the median of three turns."""
    source, ours, theirs = (folder / name for name in ("m.csv", "ours.csv", "theirs.csv"))
    table(MANY, 2).write_csv(source)
    sides = {
        "ours": [*OURS, str(source), "-o", str(ours)],
        "theirs": [sys.executable, "-c", POLARS, str(source), str(theirs)],
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(4):  # the first warms up
        for name, command in sides.items():
            Path(command[-1]).unlink(missing_ok=True)
            spent = processor(command)
            seconds[name] += [spent] if turn else []
    check(ours, theirs)
    for path in (source, ours, theirs):
        path.unlink()
    times = [statistics.median(seconds[name]) for name in sides]
    return ratio("map: 20 M rows of CSV, processor time / Polars alone", *times, "<= 1.25")


def packed(folder: Path) -> Row:
    """gz in, beside the same through zcat."""
    plain, source, target = folder / "t.csv", folder / "t.csv.gz", folder / "ours.csv"
    with open(plain, "rb") as given, gzip.open(source, "wb", 6) as taken:
        shutil.copyfileobj(given, taken)
    piped = f"zcat {source} | {shlex.join([*OURS, '-', '-o', str(target)])}"
    sides = {
        "gz": lambda: process([*OURS, str(source), "-o", str(target)]),
        "zcat": lambda: process(["sh", "-c", piped]),
    }
    times = in_turn(sides, 3)
    return ratio(
        "map: 2 M rows of CSV, gz in / zcat | dezero", times["gz"], times["zcat"], "<= 1.2"
    )


def peaks(folder: Path) -> list[float]:
    """The most memory, in MiB, of runs from Parquet to Parquet; medians of five, in turn."""
    target, commands = folder / "o.parquet", []
    for rows in (FEW, MANY):
        source = folder / f"{rows}.parquet"
        table(rows, 1).write_parquet(source, row_group_size=1 << 18)
        words = ["map", SUBJECT.text, str(source), "-o", str(target)]
        commands.append([sys.executable, "-c", PEAK, *words])
    found: list[list[int]] = [[], []]
    for _ in range(5):
        for seen, command in zip(found, commands, strict=True):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seen.append(int(done.stdout))
    return [statistics.median(seen) / 1024 for seen in found]


def run() -> list[Row]:
    """Speed on CSV, memory on Parquet."""
    with tempfile.TemporaryDirectory(prefix="dezero-bench-") as name:
        rows = [*text(Path(name)), packed(Path(name)), many(Path(name))]
        few, most = peaks(Path(name))
    return [
        *rows,
        {
            "comparison": "map: peak memory, Parquet of 20 M rows",
            "ours": most,
            "unit": "MiB",
            "wanted": "<= 1024",
        },
        ratio("map: peak memory, Parquet of 20 M rows / of 5 M", most, few, "<= 1.1", "MiB"),
    ]

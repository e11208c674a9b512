"""Fits of many rows: five parameters, Parquet in, whole processes beside SciPy's curve_fit.

Processor time is of the whole process, of all its threads: reading and imports are included.  The
step of the fit alone is what remains without them.  The digits are those of the worst parameter,
beside Gauss's method in long doubles on all rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.timing import Row, ratio

SIZES = {10_000: "", 1_000_000: "<= 0.5", 10_000_000: "<= 0.125"}
ROUNDS = 3
OURS = """
import json, resource, sys
from pathlib import Path
import numpy as np
from dezero_cli.commands import fit as command
from dezero_cli.main import run
class Timed(command.Fit):
    def __init__(self, task):
        self.before = processor()
        super().__init__(task)
    def run(self, near=False):
        found = super().run(near)
        figures.update(step=processor() - self.before, values=found.values.tolist())
        return found
def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
figures = {}
command.Fit = Timed
words = ["a=2", "k=0.5", "b=1", "w=1.2", "c=0", "--get", "steps"]
assert run(["fit", "y == a*exp(-k*x) + b*sin(w*x) + c", sys.argv[1], *words]) == 0
"""
THEIRS = """
import json, resource, sys
from pathlib import Path
import numpy as np
import polars as pl
from scipy.optimize import curve_fit
def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
def model(x, a, k, b, w, c):
    return a * np.exp(-k * x) + b * np.sin(w * x) + c
table = pl.read_parquet(sys.argv[1])
x, y = table["x"].to_numpy(), table["y"].to_numpy()
before = processor()
values, _ = curve_fit(model, x, y, p0=[2, 0.5, 1, 1.2, 0])
figures = {"step": processor() - before, "values": values.tolist()}
"""
LAST = """
status = Path("/proc/self/status").read_text()
peak = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")]
print(json.dumps(figures | {"whole": processor(), "peak": peak[0]}))
"""


def table(rows: int) -> pl.DataFrame:
    """A falling exponential and a wave, with noise."""
    draw = np.random.default_rng(1)
    x = draw.uniform(0, 10, rows)
    noise = 0.1 * draw.standard_normal(rows)
    return pl.DataFrame({"x": x, "y": 3 * np.exp(-0.7 * x) + 2 * np.sin(1.3 * x) + 0.5 + noise})


def process(script: str, name: str) -> dict[str, Any]:
    """Processor seconds of a whole process and of its fit, its peak in MiB, what it found."""
    command = [sys.executable, "-c", script + LAST, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def extended(table: pl.DataFrame, near: list[float]) -> np.ndarray:
    """The parameters of least squares in long doubles, by Gauss's method from near them."""
    point = np.array(near, np.longdouble)
    for _ in range(20):
        move = solved(*normal_equations(table, point))
        point = point - move
        if (np.abs(move) <= 4e-18 * np.abs(point)).all():
            break
    return point


def normal_equations(table: pl.DataFrame, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """J'J and J'e in long doubles, a hundred thousand rows at a time."""
    a, k, b, w, c = point
    matrix, right = np.zeros((5, 5), np.longdouble), np.zeros(5, np.longdouble)
    for part in table.iter_slices(100_000):
        x, y = (part[name].to_numpy().astype(np.longdouble) for name in "xy")
        falling, wave = np.exp(-k * x), np.sin(w * x)
        rows = [falling, -a * x * falling, wave, b * x * np.cos(w * x), np.ones_like(x)]
        jacobian = np.stack(rows)
        matrix += jacobian @ jacobian.T
        right += jacobian @ (a * falling + b * wave + c - y)
    return matrix, right


def solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The solution of a few linear equations, by elimination, in the numbers that they have."""
    system = np.column_stack([matrix, right])
    for i in range(len(system)):
        system[i] /= system[i, i]
        for j in range(len(system)):
            if j != i:
                system[j] -= system[j, i] * system[i]
    return system[:, -1]


def digits(got: list[float], exact: np.ndarray) -> float:
    """The decimal digits to which the worst number is right, 16 at most."""
    wrong = np.abs(np.array(got, np.longdouble) - exact) / np.abs(exact)
    return float(-np.log10(max(wrong.max(), 1e-16)))


def compared(rows: int, name: str) -> list[Row]:
    """Both programs in turn on a table; the least of each figure."""
    sides: dict[str, list[dict[str, Any]]] = {OURS: [], THEIRS: []}
    for _ in range(ROUNDS):
        for script, runs in sides.items():
            runs.append(process(script, name))

    def least(script: str, figure: str) -> float:
        return float(min(run[figure] for run in sides[script]))

    title = f"fit of {rows:,} rows, five parameters, beside curve_fit"
    made = [
        ratio(f"{title}: {shown}", least(OURS, figure), least(THEIRS, figure), wanted)
        for figure, shown, wanted in (
            ("whole", "whole process, processor time", SIZES[rows]),
            ("step", "the fit alone, processor time", "<= 0.125" if rows > 10_000 else ""),
        )
    ]
    peaks = least(OURS, "peak"), least(THEIRS, "peak")
    ours, theirs = (sides[script][0]["values"] for script in (OURS, THEIRS))
    exact = extended(pl.read_parquet(name), ours)
    right: Row = {
        "comparison": f"{title}: digits of the worst parameter",
        "ours": digits(ours, exact),
        "theirs": digits(theirs, exact),
        "wanted": ">= 10",
    }
    return [*made, ratio(f"{title}: peak memory", *peaks, "", unit="MiB"), right]


def run() -> list[Row]:
    """A table of each size."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            name = str(Path(folder) / f"{count}.parquet")
            table(count).write_parquet(name)
            rows += compared(count, name)
    return rows

"""Fits of many rows: five parameters, Parquet in, whole processes beside SciPy's curve_fit.

Processor time is of the whole process, of all its threads: reading and imports are included.  The
step of the fit alone is what remains without them.  A number of rows needs some seconds to be made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

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


def process(script: str, name: str) -> dict[str, float]:
    """Processor seconds of a whole process and of its fit, and its peak in MiB."""
    command = [sys.executable, "-c", script + LAST, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compared(rows: int, name: str) -> list[Row]:
    """Both programs in turn on a table; the least of each figure."""
    sides: dict[str, list[dict[str, float]]] = {OURS: [], THEIRS: []}
    for _ in range(ROUNDS):
        for script, runs in sides.items():
            runs.append(process(script, name))

    def least(script: str, figure: str) -> float:
        return min(run[figure] for run in sides[script])

    title = f"fit of {rows:,} rows, five parameters"
    made = [
        ratio(f"{title}: {shown}", least(OURS, figure), least(THEIRS, figure), wanted)
        for figure, shown, wanted in (
            ("whole", "whole process, processor time", SIZES[rows]),
            ("step", "the fit alone, processor time", "<= 0.125" if rows > 10_000 else ""),
        )
    ]
    peaks = least(OURS, "peak"), least(THEIRS, "peak")
    return [*made, ratio(f"{title}: peak memory", *peaks, "", unit="MiB")]


def run() -> list[Row]:
    """A table of each size."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            name = str(Path(folder) / f"{count}.parquet")
            table(count).write_parquet(name)
            rows += compared(count, name)
    return rows

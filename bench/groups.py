"""Ten thousand small fits: ``fit --by`` beside a loop of SciPy's curve_fit and R's nlsList."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.timing import Row, ratio

GROUPS, ROWS = 10_000, 20
FOR_R = 1_000
"""Groups that R is given, whose time is taken for the tenth part."""

LOOP = f"""
import sys
import numpy as np
from scipy.optimize import curve_fit

table = np.loadtxt(sys.argv[1], delimiter=",", skiprows=1)
for rows in table.reshape(-1, {ROWS}, 3):
    curve_fit(lambda t, a, k, c: a * np.exp(-k * t) + c, rows[:, 1], rows[:, 2], [50, 0.3, 20])
"""

NLS_LIST = """
library(nlme)
table <- read.csv(commandArgs(TRUE)[1])
fits <- nlsList(y ~ a*exp(-k*t) + c | g, table, start=list(a=50, k=0.3, c=20))
"""


def write_table(path: Path, groups: int) -> None:
    """Decays with a noise, a row after the other."""
    draw = np.random.default_rng(1)
    t = np.tile(np.linspace(0, 10, ROWS), groups)
    a, k, c = (
        np.repeat(draw.uniform(low, high, groups), ROWS)
        for low, high in [(40, 60), (0.2, 0.5), (15, 25)]
    )
    y = a * np.exp(-k * t) + c + draw.normal(0, 0.3, len(t))
    rows = np.column_stack([np.repeat(np.arange(groups), ROWS), t, y])
    np.savetxt(path, rows, fmt=["%d", "%.17g", "%.17g"], delimiter=",", header="g,t,y", comments="")


def seconds(command: Sequence[str], repeats: int = 3) -> float:
    """The processor time of a whole process, the least of several."""
    found = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def run() -> list[Row]:
    """Whole processes, start and reading included, in processor time."""
    with tempfile.TemporaryDirectory() as folder:
        table, part = Path(folder, "groups.csv"), Path(folder, "part.csv")
        write_table(table, GROUPS)
        write_table(part, FOR_R)
        words = ["y == a*exp(-k*t) + c", str(table), "k=0.3", "--by", "g", "--jobs", "1"]
        ours = seconds([sys.executable, "-m", "dezero_cli", "fit", *words])
        loop = seconds([sys.executable, "-c", LOOP, str(table)])
        name = f"{GROUPS:,} groups of {ROWS} rows"
        found = [ratio(f"{name}: a loop of curve_fit", ours, loop, "<= 0.05")]
        if shutil.which("Rscript"):
            script = Path(folder, "groups.R")
            script.write_text(NLS_LIST)
            theirs = seconds(["Rscript", str(script), str(part)], 1) * GROUPS / FOR_R
            found.append(ratio(f"{name}: R's nlsList, from {FOR_R:,}", ours, theirs, "<= 0.05"))
        return found

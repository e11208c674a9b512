"""Fits: NIST's nonlinear problems from both starts, whole processes, beside four other programs.

The digits are those of the worst parameter, and of the worst standard deviation, of a run; what is
not printed, or is not a number, has none.  Programs are run as they come, without tolerances.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from bench.timing import Row

DATA = Path(__file__).parents[1] / "tests" / "data" / "fit" / "nist_strd.json"
BEYOND = {"Lanczos1"}
"""Problems whose residuals are lost in the rounding of their data: no standard deviations."""


class Run(NamedTuple):
    """What a run found: digits of the worst parameter and standard deviation, and its seconds."""

    name: str
    digits: float
    sigma_digits: float
    seconds: float
    answered: bool
    """Whether it printed numbers: a search that gives up, or a tool that cannot run, does not."""


class Question(NamedTuple):
    """A problem with a start, and a folder that has its rows as data.csv and data.txt."""

    problem: dict[str, Any]
    start: dict[str, float]
    folder: Path


PYTHON = """
import json, sys
import numpy as np
from numpy import exp, log, arctan, pi
rows = np.loadtxt("data.txt", ndmin=2).T
{columns} = rows
def model(x, {params}):
    {inputs} = x
    return {model}
start = {start}
"""
CURVE_FIT = (
    PYTHON
    + """
from scipy.optimize import curve_fit
found, covariance = curve_fit(model, rows[1:], {response}, p0=list(start.values()))
print(json.dumps([found.tolist(), np.sqrt(np.diag(covariance)).tolist()]))
"""
)
LMFIT = (
    PYTHON
    + """
from lmfit import Model
found = Model(model).fit({response}, x=rows[1:], **start)
names = list(start)
print(json.dumps([[found.params[n].value for n in names],
                  [found.params[n].stderr or float("nan") for n in names]]))
"""
)
R = """
data <- read.csv("data.csv")
arctan <- atan
found <- nls({response} ~ {model}, data=data, start=list({start}){more})
table <- summary(found)$coefficients
cat(sprintf("[[%s],[%s]]", paste(sprintf("%.17g", table[,1]), collapse=","),
            paste(sprintf("%.17g", table[,2]), collapse=",")))
"""
GNUPLOT = """
set fit logfile "/dev/null"
set fit quiet
set fit errorvariables
arctan(x) = atan(x)
f({inputs}) = {model}
{start}
fit f({inputs}) "data.txt" using {places} via {params}
set print "-"
print sprintf("[[{form}],[{form}]]", {params}, {errors})
"""


def _dezero(q: Question) -> list[str]:
    words = [f"{name}={value!r}" for name, value in q.start.items()]
    text = f"{q.problem['response']} == {q.problem['model']}"
    return [sys.executable, "-m", "dezero_cli", "fit", text, "data.csv", *words, "--json"]


def _python(script: str) -> Callable[[Question], list[str]]:
    def command(q: Question) -> list[str]:
        columns = q.problem["columns"]
        text = script.format(
            columns=", ".join(columns),
            inputs=", ".join(columns[1:]) + ",",
            params=", ".join(q.start),
            model=q.problem["model"],
            response=q.problem["response"],
            start=q.start,
        )
        return [sys.executable, "-c", text]

    return command


def _r(more: str) -> Callable[[Question], list[str]]:
    def command(q: Question) -> list[str]:
        start = ", ".join(f"{name}={value!r}" for name, value in q.start.items())
        model, response = q.problem["model"], q.problem["response"]
        text = R.format(response=response, model=model, start=start, more=more)
        return ["Rscript", "--vanilla", "-e", text]

    return command


def _gnuplot(q: Question) -> list[str]:
    columns, names = q.problem["columns"], list(q.start)
    shown = q.problem["response"].replace(columns[0], "$1")
    text = GNUPLOT.format(
        inputs=", ".join(columns[1:]),
        model=q.problem["model"],
        start="\n".join(f"{name} = {value!r}" for name, value in q.start.items()),
        places=":".join([*(str(i + 2) for i in range(len(columns) - 1)), f"({shown})"]),
        params=", ".join(names),
        errors=", ".join(f"{name}_err" for name in names),
        form=",".join(["%.17g"] * len(names)),
    )
    return ["gnuplot", "-e", "; ".join(text.split("\n"))]  # -e takes one line


TOOLS: dict[str, tuple[Callable[[Question], list[str]], str]] = {
    "dezero fit": (_dezero, "scipy"),
    "gnuplot fit": (_gnuplot, "gnuplot"),
    "R nls": (_r(""), "Rscript"),
    "R nls, port": (_r(', algorithm="port"'), "Rscript"),
    "curve_fit": (_python(CURVE_FIT), "scipy"),
    "lmfit": (_python(LMFIT), "lmfit"),
}


def is_there(tool: str) -> bool:
    """Whether what a tool needs is installed: a program, or a library of this Python."""
    needed = TOOLS[tool][1]
    return find_spec(needed) is not None or shutil.which(needed) is not None


def right_digits(got: list[float], wanted: list[str]) -> float:
    """The decimal digits to which the worst number is right."""
    if len(got) != len(wanted):
        return 0.0
    errors = [abs(g - float(w)) / abs(float(w)) for g, w in zip(got, wanted, strict=True)]
    worst = max((e if math.isfinite(e) else 1.0 for e in errors), default=1.0)
    return 16.0 if worst == 0 else max(0.0, -math.log10(worst))


def _numbers(text: str) -> list[list[float]]:
    """Parameters and standard deviations, from what a run printed."""
    try:
        found = json.loads(re.sub(r"\bnan\b", "NaN", text.strip().splitlines()[-1]))
    except (ValueError, IndexError):
        return [[], []]
    if isinstance(found, dict):
        params = found["params"].values()
        found = [[p["value"] for p in params], [p["sigma"] for p in params]]
    return [[math.nan if x is None else float(x) for x in part] for part in found]


def run_once(tool: str, question: Question) -> Run:
    """A run of a tool, as a process of its own."""
    command = TOOLS[tool][0](question)
    start = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=question.folder, timeout=120
    )
    seconds = time.perf_counter() - start
    values, sigmas = _numbers(done.stdout)
    problem = question.problem
    right = right_digits(values, problem["exact"])
    sure = right_digits(sigmas, problem["exact_sd"])
    return Run(problem["name"], right, sure, seconds, bool(values))


def questions(folder: Path) -> list[Question]:
    """All problems with both starts, their rows written into folders."""
    found = []
    for problem in json.loads(DATA.read_text(encoding="utf-8"))["problems"]:
        place = folder / problem["name"]
        place.mkdir()
        rows = [list(map(repr, row)) for row in problem["data"]]
        (place / "data.txt").write_text("".join(" ".join(row) + "\n" for row in rows))
        lines = [problem["columns"], *rows]
        (place / "data.csv").write_text("".join(",".join(line) + "\n" for line in lines))
        for start in ("start1", "start2"):
            begin = dict(zip(problem["params"], problem[start], strict=True))
            found.append(Question(problem, begin, place))
    return found


def _figures(runs: list[Run]) -> dict[str, float]:
    """What is said of the runs of a tool."""
    sure = [run for run in runs if run.name not in BEYOND]
    return {
        "runs without an answer": sum(not run.answered for run in runs),
        "runs right to 6 digits": sum(run.digits >= 6 for run in runs),
        "runs right to 10 digits": sum(run.digits >= 10 for run in runs),
        "digits of the worst run": min(run.digits for run in runs),
        f"of {len(sure)}, standard deviations right to 9 digits": sum(
            run.sigma_digits >= 9 for run in sure
        ),
        "seconds of all processes": sum(run.seconds for run in runs),
        "seconds of a process, median": statistics.median(run.seconds for run in runs),
    }


def _wanted(figure: str, count: int) -> str:
    """The target of a figure."""
    if figure == "digits of the worst run":
        return ">= 10"
    if "10 digits" in figure:
        return f">= {count}"
    return f">= {figure.split(',')[0].split()[-1]}" if "deviations" in figure else ""


def run() -> list[Row]:
    """A row for each figure and tool; tools take their turns at each problem."""
    tools = [tool for tool in TOOLS if is_there(tool)]
    runs: dict[str, list[Run]] = {tool: [] for tool in tools}
    with tempfile.TemporaryDirectory() as folder:
        asked = questions(Path(folder))
        for question in asked:
            for tool in tools:
                runs[tool].append(run_once(tool, question))
    ours = _figures(runs.pop("dezero fit"))
    name = f"NIST, {len(asked)} fits"
    rows: list[Row] = [
        {"comparison": f"{name}: {figure}", "ours": x, "wanted": _wanted(figure, len(asked))}
        for figure, x in ours.items()
    ]
    for tool, its in runs.items():
        theirs = _figures(its)
        rows += [
            {"comparison": f"{name}, {tool}: {figure}", "ours": ours[figure], "theirs": x}
            | {"wanted": ""}
            for figure, x in theirs.items()
        ]
    absent = [tool for tool in TOOLS if tool not in tools]
    return rows + [
        {"comparison": f"{name}, {tool}: not installed", "wanted": ""} for tool in absent
    ]

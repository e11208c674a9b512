"""A picture: a curve with its derivatives, a whole process, beside Matplotlib by hand."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.timing import Row, in_turn, ratio

TEXT = "sin(x)*exp(-x/5)"
BY_HAND = """
import sys
import numpy as np
import matplotlib.pyplot as plt

x = np.linspace(0, 20, 1001)
y = np.sin(x) * np.exp(-x / 5)
dy = (np.cos(x) - np.sin(x) / 5) * np.exp(-x / 5)
d2y = -np.exp(-x / 5) * (2 * np.cos(x) + 24 / 5 * np.sin(x)) / 5
figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(7, 6), layout="constrained")
upper.plot(x, y, label=r"$f(x) = \\sin(x) \\exp(-x/5)$")
lower.plot(x, dy, "--", label=r"$df/dx = (\\cos(x) - \\sin(x)/5) \\exp(-x/5)$")
lower.plot(x, d2y, "-.", label=r"$d^2f/dx^2 = -(2 \\cos(x) + 24/5 \\sin(x)) \\exp(-x/5)/5$")
upper.set_ylabel("$f(x)$")
lower.set_ylabel("derivatives")
lower.set_xlabel("$x$")
for axes in (upper, lower):
    axes.grid(True)
    axes.axhline(0)
    axes.legend()
plt.savefig(sys.argv[1], dpi=200)
"""
"""What a person would write, who has derived by hand."""


def drawn(form: str, folder: str) -> Row:
    """One picture of each, medians of ten whole processes in turn."""
    ours = [sys.executable, "-m", "dezero_cli", "plot", TEXT, "x=0:20", "--order", "2", "-o"]
    theirs = [sys.executable, "-c", BY_HAND]
    env = {**os.environ, "MPLBACKEND": "agg"}

    def process(command: list[str], name: str) -> None:
        subprocess.run([*command, str(Path(folder) / f"{name}.{form}")], check=True, env=env)

    sides = {"ours": lambda: process(ours, "ours"), "theirs": lambda: process(theirs, "theirs")}
    times = in_turn(sides, 10)
    name = f"plot: a curve with two derivatives as {form.upper()} / Matplotlib by hand"
    return ratio(name, times["ours"], times["theirs"], "<= 1.15")


def on_terminal() -> Row:
    """A curve with its derivative on a terminal, beside the start of Python with NumPy."""
    ours = [sys.executable, "-m", "dezero_cli", "plot", TEXT, "x=0:20"]

    def process(command: list[str]) -> None:
        main, side = pty.openpty()
        running = subprocess.Popen(command, stdout=side)
        os.close(side)
        try:
            while os.read(main, 65536):
                pass
        except OSError:  # the other end is closed
            pass
        running.wait()
        os.close(main)

    times = in_turn({"ours": lambda: process(ours)}, 20)
    name = "plot: a curve with its derivative in the terminal, whole process"
    return {"comparison": name, "ours": times["ours"], "unit": "s", "wanted": "<= 0.25"}


def run() -> list[Row]:
    """Both forms, then the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        return [drawn("png", folder), drawn("svg", folder), on_terminal()]

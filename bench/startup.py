"""Start-up: a whole `dezero eval` against importing its three libraries."""

from __future__ import annotations

import subprocess
import sys

from bench.timing import Row, in_turn, ratio

OURS = [sys.executable, "-m", "dezero_cli", "eval", "a*b+c", "a=3", "b=2", "c=1"]
THEIRS = [sys.executable, "-c", "import numpy, click, lark"]


def run() -> list[Row]:
    """Medians of 20 whole processes in turn."""

    def process(command: list[str]) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    times = in_turn({"ours": lambda: process(OURS), "theirs": lambda: process(THEIRS)}, 20)
    name = "start-up: dezero eval / import numpy, click, lark"
    return [ratio(name, times["ours"], times["theirs"], "<= 1.25")]

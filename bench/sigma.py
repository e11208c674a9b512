"""Draws: the end gauge of the GUM's example H.1, beside NumPy by hand and the package mcerp."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.timing import Row, in_turn, ratio
from dezero_cli.language.parser import parse
from dezero_cli.uncertainty import blocks, draws
from dezero_cli.uncertainty.asked import Asked, Draws
from dezero_cli.uncertainty.distributions import InputDraws
from dezero_cli.uncertainty.inputs import resolved

TEXT = "ls + d - ls*(da*theta + alpha*dt)"
VALUES = {"ls": 50000623, "d": 215, "da": 0, "theta": -0.1, "alpha": 1.15e-5, "dt": 0}
SIGMAS = {"ls": 25, "d": 9.7, "da": 5.8e-7, "theta": 0.41, "alpha": 1.2e-6, "dt": 0.029}
COUNT = 10**7


def ours(count: int = COUNT) -> draws.Sample:
    """Draws, the formula, mean, sigma and both intervals."""
    asked = Asked({name: np.array(float(s)) for name, s in SIGMAS.items()})
    values, inputs = resolved(asked, {name: np.array(float(x)) for name, x in VALUES.items()})
    function, _ = blocks.of_expression(parse(TEXT), values, set(inputs.names))
    return draws.sample(function, InputDraws(inputs, values, 1), Draws(count))


def by_hand(count: int = COUNT) -> tuple[Any, ...]:
    """The same with NumPy, but for the shortest interval."""
    generator = np.random.default_rng(1)
    drawn = (generator.normal(VALUES[name], SIGMAS[name], count) for name in VALUES)
    ls, d, da, theta, alpha, dt = drawn
    y = ls + d - ls * (da * theta + alpha * dt)
    return y.mean(), y.std(ddof=1), np.quantile(y, [0.025, 0.975])


def _mcerp() -> Callable[[], Any]:
    """The package mcerp as it comes, with as many points as its Latin hypercube may have here."""
    import mcerp

    mcerp.npts = COUNT // 10

    def run() -> Any:
        x = {name: mcerp.N(VALUES[name], SIGMAS[name]) for name in VALUES}
        y = x["ls"] + x["d"] - x["ls"] * (x["da"] * x["theta"] + x["alpha"] * x["dt"])
        return y.mean, y.std, y.percentile((0.025, 0.975))

    return run


def peak(count: int) -> float:
    """The peak of the memory of a process with so many draws, in MiB."""
    program = (
        f"from bench import sigma; sigma.ours({count}); print(open('/proc/self/status').read())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def run() -> list[Row]:
    """Medians of five runs in turn; peaks of processes."""
    times = in_turn({"ours": ours, "by hand": by_hand}, 5)
    name = "10^7 draws of GUM H.1 / NumPy by hand"
    rows = [ratio(name, times["ours"], times["by hand"], "<= 0.5")]
    name = "peak memory of 10^8 draws / 10^6"
    rows.append(ratio(name, peak(10**8), peak(10**6), "<= 1.1", "MiB"))
    try:
        theirs = in_turn({"theirs": _mcerp()}, 1)["theirs"]
    except ImportError:
        return rows
    mine = in_turn({"ours": lambda: ours(COUNT // 10)}, 5)["ours"]
    return [*rows, ratio("10^6 draws of GUM H.1 / mcerp", mine, theirs, "reported")]

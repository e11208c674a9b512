"""Implied volatilities of 10^5 options, beside SciPy's Newton method with vega by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from bench.timing import Row, in_turn, ratio
from dezero_cli.language.equations import equation
from dezero_cli.language.ranges import Limits
from dezero_cli.language.statements import given
from dezero_cli.solving.columns import ColumnRoots

TEXT = "C == S*normcdf(d) - K*exp(-r*T)*normcdf(d - v*sqrt(T))"
WORD = "d=(log(S/K) + (r + v**2/2)*T)/(v*sqrt(T))"
COUNT = 10**5
BY_HAND = """
import sys
import polars as pl
from bench import options
table = pl.read_parquet(sys.argv[1])
found = options.by_hand({name: table[name].to_numpy() for name in table.columns})
table.with_columns(v=found).write_parquet(sys.argv[2])
"""


def price(columns: dict[str, Any], v: Any) -> tuple[Any, Any]:
    """The price of a call by Black and Scholes, and its vega."""
    from scipy.special import ndtr

    s, k, t, r = (columns[name] for name in "SKTr")
    root = v * np.sqrt(t)
    d = (np.log(s / k) + (r + v**2 / 2) * t) / root
    vega = s * np.exp(-(d**2) / 2) / np.sqrt(2 * np.pi) * np.sqrt(t)
    return s * ndtr(d) - k * np.exp(-r * t) * ndtr(d - root), vega


def options() -> dict[str, Any]:
    """Options with prices of volatilities between 0.1 and 0.9."""
    draw = np.random.default_rng(3)
    spot = draw.uniform(50, 150, COUNT)
    strike = spot * np.exp(draw.normal(0, 0.2, COUNT))
    columns = {"S": spot, "K": strike, "T": draw.uniform(0.1, 2, COUNT)}
    columns["r"] = draw.uniform(0, 0.08, COUNT)
    return columns | {"C": price(columns, draw.uniform(0.1, 0.9, COUNT))[0]}


def by_hand(columns: dict[str, Any]) -> Any:
    """SciPy's Newton method over whole columns."""
    from scipy.optimize import newton

    def left(v: Any) -> Any:
        return price(columns, v)[0] - columns["C"]

    start = np.full(COUNT, 0.4)
    return newton(left, start, lambda v: price(columns, v)[1], tol=1e-12, maxiter=100)


def run() -> list[Row]:
    """Medians of five runs in turn: the search alone, then whole processes with their files."""
    import polars as pl

    columns = options()
    search = ColumnRoots(
        equation(TEXT, given([WORD])).residual, list(columns), "v", Limits(0.001, 5)
    )
    alone = {"ours": lambda: search.found(columns, COUNT), "theirs": lambda: by_hand(columns)}
    times = in_turn(alone, 5)
    rows = [ratio("10^5 implied volatilities / SciPy's newton", *times.values(), "<= 0.25")]
    with tempfile.TemporaryDirectory() as folder:
        table, out = (os.path.join(folder, name) for name in ("t.parquet", "o.parquet"))
        pl.DataFrame(columns).write_parquet(table)
        words = ["map", TEXT, table, WORD, "--solve", "v=0.001:5", "-o", out]
        ours = [sys.executable, "-m", "dezero_cli", *words]
        theirs = [sys.executable, "-c", BY_HAND, table, out]
        sides = {
            "ours": lambda: subprocess.run(ours, check=True),
            "theirs": lambda: subprocess.run(theirs, check=True),
        }
        times = in_turn(sides, 5)
    name = "10^5 implied volatilities, whole processes / SciPy's newton"
    return [*rows, ratio(name, *times.values(), "<= 0.25")]

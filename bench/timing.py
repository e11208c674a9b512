"""Timing in turn: machines are noisy, so both sides run alternately and medians are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]


def in_turn(sides: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """The median seconds of each side over `repeats` rounds, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, work in sides.items():
            start = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def seconds(work: Callable[[], Any]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(name: str, ours: float, theirs: float, bound: str, unit: str = "s") -> Row:
    """A row that compares two figures; the ratio is ours to theirs."""
    return {
        "comparison": name,
        "ours": ours,
        "theirs": theirs,
        "unit": unit,
        "ratio": ours / theirs,
        "wanted": bound,
    }


def exponent(sizes: list[int], times: list[float]) -> float:
    """The slope of log(time) against log(size): 1 is linear growth."""
    import numpy as np

    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def table(rows: list[Row]) -> str:
    """The rows as text."""
    lines = [f"{'comparison':58}{'ours':>12}{'theirs':>12}{'ratio':>9}  wanted"]
    for row in rows:
        figures = [row.get("ours"), row.get("theirs")]
        shown = "".join(f"{'' if f is None else format(f, '.4g'):>12}" for f in figures)
        quotient = "" if row.get("ratio") is None else format(row["ratio"], ".3f")
        lines.append(f"{row['comparison']:58}{shown}{quotient:>9}  {row['wanted']}")
    return "\n".join(lines)

"""Timing in turn: machines are noisy, so both sides run alternately and medians are compared."""

from __future__ import annotations

import operator
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]


def in_turn(
    sides: Mapping[str, Callable[[], Any]], repeats: int, pause: float = 0.0
) -> dict[str, float]:
    """The median seconds of each side over `repeats` rounds, after one round to warm up.

    If both sides have threads of their own, which spin on the cores for a while when they have
    nothing to do, each turn begins after `pause` seconds and a call that wakes up its threads.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, work in sides.items():
            if pause:
                time.sleep(pause)
                work()
            start = time.perf_counter()
            work()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def ratio(name: str, ours: float, theirs: float, bound: str, unit: str = "s") -> Row:
    """A row that compares two figures; the ratio is ours divided by theirs."""
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


def met(row: Row) -> bool | None:
    """Whether a row's ratio, or its figure, meets its target; None if it has none."""
    words = str(row["wanted"]).split()
    if len(words) < 2 or words[0] not in _ORDERS:
        return None
    figure = row["ratio"] if row.get("ratio") is not None else row.get("ours")
    return None if figure is None else _ORDERS[words[0]](figure, float(words[1].rstrip("x")))


_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def cells(row: Row) -> list[str]:
    """A row as the text of its columns."""
    figures = [row.get("ours"), row.get("theirs")]
    unit = row.get("unit", "")
    shown = ["" if f is None else f"{f:.4g} {unit}".strip() for f in figures]
    quotient = "" if row.get("ratio") is None else f"{row['ratio']:.3f}"
    verdict = {True: "met", False: "not met", None: ""}[met(row)]
    return [row["comparison"], *shown, quotient, str(row["wanted"]), verdict]


HEADER = ["comparison", "ours", "theirs", "ratio", "target", ""]


def table(rows: list[Row]) -> str:
    """The rows as text."""
    lines = [HEADER, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )

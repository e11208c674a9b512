"""The page of the manual: five sentences, a picture of ratios, every row, and what is behind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.timing import HEADER, Row, cells, met

SENTENCES = (
    (
        "start-up: dezero eval / import numpy, click, lark",
        "One formula at a prompt takes {ours:.2f} s, about as long as Python takes to import "
        "NumPy, click and Lark ({ratio:.2f} of it: Lark itself is not needed).",
    ),
    (
        "2,000 distinct expressions, whole processes / PyTorch float64 eval, backward()",
        "A file of 2,000 different formulas takes {ratio:.2f} of PyTorch's time, start-up "
        "included.",
    ),
    (
        "Goldstein-Price, 4M rows / JAX under jit",
        "A formula over four million rows, with its gradient, takes {ratio:.2f} of JAX's time "
        "under jit.",
    ),
    (
        "map: 2 M rows of CSV, Goldstein-Price and both derivatives / Miller",
        "Two million rows of CSV, with the derivatives, take {ratio:.2f} of the time of Miller.",
    ),
    (
        "10^5 implied volatilities / SciPy's newton",
        "Solving an equation in each of 100,000 rows takes {ratio:.2f} of the time of SciPy's "
        "newton with a derivative by hand, start-up left out.",
    ),
)
"""A comparison, and what is said of it."""

LESS = ("s", "MiB", "characters")
"""Units of which less is better."""

SHOWN = 40
"""Bars of the picture."""

OWN = ("--jobs 1", "leaves", "files", "Program.run", "value and gradient", "200,000", "5 M")
"""How comparisons end that are with this project itself."""


def written(rows: list[Row], versions: Mapping[str, str], minutes: float, path: Path) -> None:
    """Write the page, and its picture beside it."""
    picture = path.with_name("performance.svg")
    _draw(rows, picture)
    path.write_text(_markdown(rows, versions, minutes, picture.name), encoding="utf-8")


def _is_slower(row: Row) -> bool:
    """Whether another program takes less time, or less memory."""
    others = row.get("theirs") is not None and not row["comparison"].endswith(OWN)
    return others and row.get("ratio") is not None and _ratio(row) > 1 and row.get("unit") in LESS


def _slower(row: Row) -> str:
    """What a row says whose other program takes less."""
    what = {"s": "of the time", "MiB": "of the memory"}.get(row["unit"], "of the length")
    return f"{row['comparison']}: {_ratio(row):.3f} {what}"


def _short(row: Row) -> str:
    """What a row says that misses its target."""
    figure = "" if row.get("ratio") is None else f": {_ratio(row):.3f}"
    return f"{row['comparison']}{figure}, the target is {row['wanted']}"


def _said(rows: list[Row]) -> list[str]:
    """The sentences whose comparisons were made."""
    known = {row["comparison"]: row for row in rows if row.get("ratio") is not None}
    return [text.format(**known[name]) for name, text in SENTENCES if name in known]


def _draw(rows: list[Row], path: Path) -> None:
    """A bar for each comparison with another program, from far ahead to behind."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    seconds = [row for row in rows if row.get("unit") == "s" and row.get("ratio") is not None]
    others = (row for row in seconds if not row["comparison"].endswith(OWN))
    chosen = sorted(others, key=_ratio)[-SHOWN:]
    ratios = np.array([_ratio(row) for row in chosen])
    with rc_context({"svg.hashsalt": "dezero", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 0.6 + 0.24 * len(chosen)), layout="constrained")
        axes = figure.add_subplot()
        colours = np.where(ratios <= 1, "#0072b2", "#d55e00")
        axes.barh(range(len(chosen)), ratios - 1, left=1.0, color=colours)
        axes.set_yticks(range(len(chosen)), [row["comparison"] for row in chosen], fontsize=7)
        axes.set_xscale("log")
        axes.axvline(1.0, color="black", linewidth=0.8)
        axes.set_xlabel("our time / theirs: left of 1 we are quicker")
        axes.spines[["top", "right"]].set_visible(False)
        axes.invert_yaxis()
        figure.savefig(path, metadata={"Date": None})


def _ratio(row: Row) -> float:
    return float(row["ratio"])


def _markdown(rows: list[Row], versions: Mapping[str, str], minutes: float, picture: str) -> str:
    """The page as text."""
    slower = [_slower(row) for row in rows if _is_slower(row)]
    short = [_short(row) for row in rows if met(row) is False and not _is_slower(row)]
    lines = [
        "# Performance",
        "",
        *_said(rows),
        "",
        f"![Ratios of times, ours to those of others, as bars]({picture})",
        "",
        "This page is written by `python -m bench --write docs/performance.md`; do not edit it.",
        "The two sides of a comparison run alternately in one run and their medians are compared;",
        "the ratio is ours divided by theirs.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {number} |" for name, number in versions.items()),
        f"| all of it took | {minutes:.1f} minutes |",
        "",
        "|" + "|".join(HEADER) + "|",
        "|---" * len(HEADER) + "|",
        *("| " + " | ".join(c.replace("|", "\\|") for c in cells(row)) + " |" for row in rows),
        "",
        "## Where another program takes less",
        "",
        *(f"- {line}" for line in slower or ["Nowhere, in the comparisons above."]),
        "",
        "## Where a target is missed",
        "",
        *(f"- {line}" for line in short or ["Nowhere, in the comparisons above."]),
        "",
    ]
    return "\n".join(lines)

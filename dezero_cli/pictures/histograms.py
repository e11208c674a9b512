"""The picture of draws: a histogram, and the normal distribution of first order over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero_cli.pictures import canvas
from dezero_cli.pictures.canvas import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THINNEST = 1e-300
"""Widths that are no more than this have a density beyond all numbers."""


@dataclass(frozen=True)
class DrawnResult:
    """The draws of one result: bins with how many draws fell into each.

    `edges` are increasing, shape (n+1,), `counts` (n,); `samples` is how many draws there are in
    all, those outside of the bins included.  `mean` and `interval` are those of the draws, `normal`
    the value and the standard uncertainty to first order.
    """

    name: str
    edges: np.ndarray
    counts: np.ndarray
    samples: int
    mean: float
    interval: tuple[float, float]
    level: float = 0.95
    normal: tuple[float, float] | None = None

    @property
    def width(self) -> float:
        """A quarter of the interval: the standard deviation, if it is a normal one of 95 %."""
        return (self.interval[1] - self.interval[0]) / 4


def picture(results: Sequence[DrawnResult], form: str, look: Look | None = None) -> bytes:
    """The picture as a file of one of canvas.FORMS: a panel for each result."""
    how = look or Look()
    return canvas.picture(lambda: draw(results, how), form, how)


def draw(results: Sequence[DrawnResult], look: Look) -> Figure:
    """A histogram for each result, side by side, up to three in a row."""
    from matplotlib.figure import Figure

    columns = 2 if len(results) == 4 else min(len(results), 3)
    rows = math.ceil(len(results) / columns)
    width = 7.0 if columns == 1 else 4.6 * columns
    figure = Figure(figsize=look.size or (width, 4.4 * rows), layout="constrained")
    every = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, shown in zip(every, results):
        histogram(axes, shown, look)
    for axes in every[len(results) :]:
        axes.set_visible(False)
    canvas.entitle(figure, look)
    return figure


def histogram(axes: Axes, shown: DrawnResult, look: Look) -> None:
    """One histogram as a density, with its mean, its interval and the normal of first order."""
    colours, ink = look.colours.colours, look.colours.ink
    edges, density = _shown_bins(shown)
    axes.stairs(
        density,
        edges,
        fill=True,
        color=colours[0],
        alpha=0.4,
        label="those outside of the interval",
        zorder=2,
    )
    _interval(axes, shown, edges, density, look)
    mean = f"mean {canvas.number(shown.mean, shown.width)}"
    axes.axvline(shown.mean, color=ink, linewidth=1.2, label=mean, zorder=3.5)
    top = float(density.max(initial=0.0))
    if shown.normal is not None:
        top = max(top, _normal(axes, shown.normal, _extent(shown, edges), look))
    axes.set_xlim(*_extent(shown, edges))
    axes.set_ylim(0.0, 1.08 * top or 1.0)
    axes.set_xlabel(shown.name)
    axes.set_ylabel("probability density")
    canvas.legend(axes)


def _shown_bins(shown: DrawnResult) -> tuple[np.ndarray, np.ndarray]:
    """Bins as wide as the eye needs, and the density in them; far ends that are empty are left."""
    edges, counts = np.asarray(shown.edges, float), np.asarray(shown.counts, float)
    inside = np.cumsum(counts) / max(counts.sum(), 1.0)
    first = int(np.searchsorted(inside, 2e-4))
    last = int(np.searchsorted(inside, 1 - 2e-4)) + 1
    step = max(1, math.ceil((last - first) / 120))
    starts = np.arange(first, min(last, len(counts)), step)
    ends = np.append(starts[1:], min(starts[-1] + step, len(counts)))
    sums = np.add.reduceat(counts[: ends[-1]], starts)
    shown_edges = np.append(edges[starts], edges[ends[-1]])
    if not (np.diff(shown_edges) > THINNEST).all():  # the same draws, but for their rounding
        middle = float(shown_edges[0])
        reach = 0.05 * abs(middle) if abs(middle) > 1e6 * THINNEST else 1.0
        shown_edges, sums = np.array([middle - reach, middle + reach]), sums.sum(keepdims=True)
    return shown_edges, sums / np.diff(shown_edges) / max(shown.samples, 1)


def _interval(
    axes: Axes, shown: DrawnResult, edges: np.ndarray, density: np.ndarray, look: Look
) -> None:
    """The interval: the part of the histogram in it is darker, its ends are dotted lines."""
    low, high = shown.interval
    cut = np.clip(edges, low, high)
    axes.stairs(
        np.where(np.diff(cut) > 0, density, 0.0),
        cut,
        fill=True,
        color=look.colours.colours[0],
        label=f"{shown.samples:,} draws",
        zorder=2.2,
    )
    style: Any = {"color": look.colours.ink, "linestyle": (0, (1.5, 1.5)), "linewidth": 1.4}
    ends = ", ".join(canvas.number(end, shown.width) for end in (low, high))
    label = f"{100 * shown.level:.4g} % interval [{ends}]"
    axes.axvline(low, label=label, zorder=3.2, **style)
    axes.axvline(high, zorder=3.2, **style)


def _extent(shown: DrawnResult, edges: np.ndarray) -> tuple[float, float]:
    """The horizontal limits: they show the normal, too, as far as the draws stay readable."""
    low, high = float(edges[0]), float(edges[-1])
    if shown.normal is None or not math.isfinite(sum(shown.normal)):
        return low, high
    value, sigma = shown.normal
    width = high - low
    return (
        max(min(low, value - 3 * sigma), low - width),
        min(max(high, value + 3 * sigma), high + width),
    )


def _normal(
    axes: Axes, normal: tuple[float, float], extent: tuple[float, float], look: Look
) -> float:
    """The normal distribution of first order; gives its height."""
    value, sigma = normal
    if not THINNEST < sigma < math.inf:
        axes.axvline(value, color=look.colours.colours[1], label=f"first order: {value:.4g} ± 0")
        return 0.0
    x = np.linspace(*extent, 801)
    height = 1 / (sigma * math.sqrt(2 * math.pi))
    stated = f"{canvas.number(value, sigma)} ± {canvas.number(sigma, sigma)}"
    y = height * np.exp(-0.5 * np.square((x - value) / sigma))
    axes.plot(
        x,
        y,
        color=look.colours.colours[1],
        linestyle=canvas.DASHES[1],
        linewidth=2,
        label=f"normal, to first order: {stated}",
        zorder=4,
    )
    return height if extent[0] <= value <= extent[1] else float(y.max())

"""Labels at the curves themselves: where these are apart, or beside their right ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero_cli.pictures.canvas import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACES = np.linspace(0.06, 0.94, 177)
"""Where along a panel labels may stand on their curves, as parts of its width: so near to one
another that no curve crosses a label unseen."""
BESIDE = 0.05
"""How far a label reaches to both sides, about."""


@dataclass(frozen=True)
class Named:
    """A curve that has its label beside it."""

    x: np.ndarray
    y: np.ndarray
    text: str
    colour: Any
    dashes: Any = "-"

    def within(self, axes: Axes) -> np.ndarray:
        """The places of the curve that are within the axes, in parts of the panel, shape (n, 2)."""
        finite = np.isfinite(self.y) & np.isfinite(self.x)
        data = np.stack([self.x[finite], self.y[finite]], axis=1)
        shown = axes.transAxes.inverted().transform(axes.transData.transform(data))
        return np.asarray(shown[((shown > -0.01) & (shown < 1.01)).all(axis=1)])


def label(axes: Axes, curves: Sequence[Named], look: Look) -> None:
    """Label curves at the right of a panel; on the curves where their ends are not apart.

    A curve that is nowhere apart from the others has its label at the right in any case.
    """
    placed = [(places, each) for each in curves if len(places := each.within(axes))]
    gap = 1.3 * 11 / 72 / _height(axes)
    last = np.sort([places[-1, 1] for places, _ in placed])
    if np.diff(last).min(initial=1.0) >= gap:
        _at_ends(axes, [(places[-1], each) for places, each in placed], gap)
        return
    heights = np.stack([_heights(places) for places, _ in placed])
    left = []
    for (places, each), found in zip(placed, _apart(heights, gap)):
        if found is None:
            left.append((places[-1], each))
        else:
            _on_curve(axes, *found, each, look)
    _at_ends(axes, left, gap)


def _heights(places: np.ndarray) -> np.ndarray:
    """How high a curve is at each of PLACES; nan where it is not within the panel."""
    near = np.abs(places[:, 0] - PLACES[:, np.newaxis]).argmin(axis=1)
    is_near = np.abs(places[near, 0] - PLACES) < 0.01
    return np.where(is_near, places[near, 1], np.nan)


def _apart(heights: np.ndarray, gap: float) -> list[tuple[float, float] | None]:
    """For each curve the place where it is farthest from the others, if it is far enough there.

    A label would hide an extreme, and stands beside it then; and none hides another label.
    """
    found: list[tuple[float, float] | None] = []
    for i, own in enumerate(heights):
        others = np.delete(heights, i, axis=0)
        away = np.nanmin(np.abs(np.where(np.isnan(others), np.inf, others) - own), axis=0)
        score = np.minimum(_least_near(np.where(np.isnan(own), 0.0, away)), 2 * gap)
        score[_least_near(~_extreme(own)) == 0] = 0.0
        score[(own < gap) | (own > 1 - gap)] = 0.0  # it would hide the axis
        for x, y in filter(None, found):
            score[(np.abs(PLACES - x) < 2 * BESIDE) & (np.abs(own - y) < gap)] = 0.0
        best = int((score + 0.1 * gap * PLACES).argmax())
        beside = _beside_extreme(heights, i, gap, found) if score[best] < 1.2 * gap else None
        on_it = (float(PLACES[best]), float(own[best])) if score[best] >= 0.6 * gap else None
        found.append(beside or on_it)
    return found


def _extreme(own: np.ndarray) -> np.ndarray:
    """Whether a curve turns at each of PLACES."""
    turns = np.zeros(len(own), bool)
    turns[1:-1] = np.diff(own)[1:] * np.diff(own)[:-1] <= 0
    return turns


def _beside_extreme(
    heights: np.ndarray, i: int, gap: float, taken: Sequence[tuple[float, float] | None]
) -> tuple[float, float] | None:
    """A place as high as an extreme of curve `i` and to its right, where no curve and label is."""
    aside = int(np.ceil(1.6 * BESIDE / (PLACES[1] - PLACES[0])))
    for j in np.flatnonzero(_extreme(heights[i]))[:3]:
        x, y = PLACES[min(j + aside, len(PLACES) - 1)], float(heights[i, j])
        near = heights[:, np.abs(PLACES - x) <= BESIDE]
        labels = [place for place in taken if place and abs(place[0] - x) < 2 * BESIDE]
        others = [*near[~np.isnan(near)], *(height for _, height in labels)]
        if min((abs(y - other) for other in others), default=1.0) >= 0.6 * gap:
            return float(x), y
    return None


def _least_near(values: np.ndarray) -> np.ndarray:
    """The least value within BESIDE of each place."""
    near = np.abs(PLACES - PLACES[:, np.newaxis]) <= BESIDE
    return np.asarray(np.where(near, values, np.inf).min(axis=1))


def _on_curve(axes: Axes, x: float, y: float, curve: Named, look: Look) -> None:
    paper = {"facecolor": look.colours.paper, "edgecolor": "none", "pad": 1.0}
    style: Any = {"ha": "center", "va": "center", "transform": axes.transAxes, "bbox": paper}
    axes.text(x, y, curve.text, color=curve.colour, zorder=5, **style)


def _at_ends(axes: Axes, last: list[tuple[np.ndarray, Named]], gap: float) -> None:
    """Labels at the right ends of curves, each with its dashes; thin lines join what is apart."""
    from matplotlib.lines import Line2D

    last.sort(key=lambda pair: float(pair[0][1]))
    levels = spread([float(place[1]) for place, _ in last], gap)
    for ((x, y), each), level in zip(last, levels):
        line: Any = {"color": each.colour, "clip_on": False, "transform": axes.transAxes}
        if abs(level - y) > 0.1 * gap:
            axes.add_line(Line2D([x, 1.015], [y, level], linewidth=0.8, **line))
        sample = Line2D([1.015, 1.062], [level] * 2, linestyle=each.dashes, linewidth=1.6, **line)
        axes.add_line(sample)
        axes.text(1.07, level, each.text, color=each.colour, va="center", transform=axes.transAxes)


def _height(axes: Axes) -> float:
    """About how high a panel is without what is written above and below it, in inches."""
    place = axes.get_subplotspec()
    whole = float(axes.get_figure(root=True).get_size_inches()[1])  # type: ignore[union-attr]
    if place is None:
        return 0.8 * whole
    ratios = np.asarray(place.get_gridspec().get_height_ratios(), dtype=float)
    return 0.75 * whole * float(ratios[place.rowspan.start] / ratios.sum())


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Increasing heights moved as little as possible so that they are a `gap` apart.

    It is the isotonic regression of what remains when the gaps are taken away, by pooling.
    """
    blocks: list[tuple[float, int]] = []  # mean, and how many are in it
    for i, height in enumerate(heights):
        mean, count = height - i * gap, 1
        while blocks and blocks[-1][0] >= mean:
            other, many = blocks.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        blocks.append((mean, count))
    level = [mean for mean, count in blocks for _ in range(count)]
    return [each + i * gap for i, each in enumerate(level)]

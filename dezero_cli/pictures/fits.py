"""The picture of a fit: data with error bars, the curve with its band, residuals below."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero_cli.pictures import canvas
from dezero_cli.pictures.canvas import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS, MOST_BARS = 20_000, 2_000
"""The most points that are drawn, and up to how many have error bars."""


@dataclass(frozen=True)
class Points:
    """Data: places and values, shape (n,), with their standard uncertainties if there are any.

    `rows` is how many there are in all, if these are some of them; `joined` whether a line goes
    from each to the next.
    """

    x: np.ndarray
    y: np.ndarray
    sigma_x: np.ndarray | None = None
    sigma_y: np.ndarray | None = None
    name: str = "data"
    rows: int | None = None
    joined: bool = False

    def thinned(self) -> Points:
        """At most MOST_POINTS of them, evenly taken; they say out of how many."""
        if len(self.x) <= MOST_POINTS:
            return self
        kept = np.linspace(0, len(self.x) - 1, MOST_POINTS).astype(int)
        x, y = self.x[kept], self.y[kept]
        return replace(self, x=x, y=y, sigma_x=None, sigma_y=None, rows=self.rows or len(self.x))

    def within(self, low: float, high: float) -> Points:
        """Those whose places are from `low` to `high`."""
        kept = (self.x >= low) & (self.x <= high)
        sigmas = (None if each is None else each[kept] for each in (self.sigma_x, self.sigma_y))
        sigma_x, sigma_y = sigmas
        return replace(self, x=self.x[kept], y=self.y[kept], sigma_x=sigma_x, sigma_y=sigma_y)

    @property
    def label(self) -> str:
        """What they are, with how many of how many are drawn, if they are not all."""
        if self.rows is None or self.rows == len(self.x):
            return self.name
        return f"{self.name} ({len(self.x):,} of {self.rows:,} rows)"


@dataclass(frozen=True)
class FitPicture:
    """What the picture of a fit shows.

    `residuals` are data minus fit, shape (n,), in the order of the points.  With one column of
    places, `curve` is the fit at increasing places, shape (2, m); with none or several, points
    stand at the numbers of their rows, and `curve` has the fit at these.  `band` are its lower and
    upper ends at the same places, shape (2, m), and `band_name` says what they are.
    """

    points: Points
    residuals: np.ndarray
    curve: np.ndarray
    names: tuple[str, str]
    band: np.ndarray | None = None
    band_name: str = "95 % confidence band"
    curve_name: str = "fit"
    by_rows: bool = False


def picture(shown: FitPicture, form: str, look: Look | None = None) -> bytes:
    """The picture as a file of one of canvas.FORMS."""
    how = look or Look()
    return canvas.picture(lambda: draw(shown, how), form, how)


def draw(shown: FitPicture, look: Look) -> Figure:
    """Data and fit in the upper panel, residuals in the lower."""
    figure, (upper, lower) = canvas.panels(look, [3.6, 1.5])
    some = shown.points.thinned()
    points(upper, some, look)
    if shown.by_rows:
        _fit_of_rows(upper, shown, look)
    else:
        curve(upper, shown.curve, shown.curve_name, look)
        if shown.band is not None:
            band(upper, shown.curve[0], shown.band, shown.band_name, look)
    _scales((upper, lower), look)
    _limits(upper, shown, look)
    canvas.zero_line(upper, look)
    canvas.legend(upper, columns=3)
    left = replace(shown.points, y=shown.residuals, name="")
    _residuals(lower, left.thinned(), look)
    upper.set_ylabel(shown.names[1])
    lower.set_ylabel("data − fit")
    lower.set_xlabel(shown.names[0])
    figure.align_ylabels()
    return figure


def points(axes: Axes, shown: Points, look: Look) -> None:
    """Points with their error bars of one standard uncertainty."""
    many = len(shown.x) > MOST_BARS
    ink = look.colours.ink
    if shown.joined:
        axes.plot(shown.x, shown.y, color=ink, linewidth=0.8, zorder=2.4)
    bars: Any = {"xerr": shown.sigma_x, "yerr": shown.sigma_y}
    if many or all(each is None for each in bars.values()):
        style: Any = {"linestyle": "", "marker": "o", "markeredgewidth": 0, "color": ink}
        size = max(1.0, 5.0 * min(1.0, (200 / max(len(shown.x), 1)) ** 0.5))
        options: Any = {"alpha": 0.4, "rasterized": True} if many else {}
        axes.plot(shown.x, shown.y, markersize=size, zorder=2.5, **style, **options)
        axes.plot([], [], markersize=max(size, 3.0), zorder=2.5, label=shown.label, **style)
        return
    drawn = axes.errorbar(
        shown.x,
        shown.y,
        **bars,
        linestyle="",
        marker="o",
        markersize=4,
        color=ink,
        elinewidth=1,
        capsize=2.5,
        label=shown.label + " ± 1 σ" * bool(shown.label),
        zorder=2.5,
    )
    if not look.log:  # the limits show all bars; those at an edge are then whole
        for artist in drawn.get_children():
            artist.set_clip_on(False)


def curve(axes: Axes, line: np.ndarray, name: str, look: Look) -> None:
    """The curve of a fit, above the data."""
    axes.plot(line[0], line[1], color=look.colours.colours[0], linewidth=2, label=name, zorder=4)


def band(axes: Axes, x: np.ndarray, ends: np.ndarray, name: str, look: Look) -> None:
    """A band about a curve, with ends that print in black and white."""
    colour = look.colours.colours[0]
    label = name or None
    axes.fill_between(x, *ends, color=colour, alpha=0.25, linewidth=0, label=label, zorder=2)
    for end in ends:
        axes.plot(x, end, color=colour, alpha=0.8, linewidth=0.6, zorder=2)


def _fit_of_rows(axes: Axes, shown: FitPicture, look: Look) -> None:
    """The fit at each row: a mark, with its band as a bar."""
    colour = look.colours.colours[0]
    x, y = shown.curve
    if shown.band is not None and len(x) <= MOST_BARS:
        axes.vlines(
            x, *shown.band, color=colour, alpha=0.3, linewidth=5, label=shown.band_name, zorder=2
        )
    kept = slice(None, None, max(1, len(x) // MOST_POINTS))
    style: Any = {"linestyle": "", "marker": "_", "markersize": 10, "markeredgewidth": 2}
    axes.plot(x[kept], y[kept], color=colour, label=shown.curve_name, zorder=4, **style)


def _scales(both: tuple[Axes, Axes], look: Look) -> None:
    if "x" in look.log:
        both[0].set_xscale("log")  # which both share
    if "y" in look.log:
        both[0].set_yscale("log")


def _limits(axes: Axes, shown: FitPicture, look: Look) -> None:
    """Limits that show data, bars, curve and band: the band at most the height of these more."""
    reach = shown.points.sigma_y if shown.points.sigma_y is not None else 0.0
    inner = np.concatenate([shown.points.y - reach, shown.points.y + reach, shown.curve[1]])
    log = "y" in look.log
    inner = inner[np.isfinite(inner) & ((inner > 0) | (not log))]
    if not len(inner):
        return
    low, high = float(inner.min()), float(inner.max())
    if shown.band is not None:
        low, high = widened((low, high), shown.band, log)
    axes.set_ylim(*canvas.room(low, high, log))


def widened(limits: tuple[float, float], band: np.ndarray, log: bool) -> tuple[float, float]:
    """Limits that show a band, too: at most their own height more at each end."""
    low, high = limits
    ends = band[np.isfinite(band)]
    if log or not len(ends):
        return limits
    height = high - low
    return max(min(low, ends.min()), low - height), min(max(high, ends.max()), high + height)


def _residuals(axes: Axes, left: Points, look: Look) -> None:
    """Residuals about 0, in limits that are symmetric."""
    points(axes, left, look)
    axes.axhline(0.0, color=look.colours.colours[0], linewidth=2, zorder=3)
    reach = np.abs(left.y) + (0.0 if left.sigma_y is None else left.sigma_y)
    reach = reach[np.isfinite(reach)]
    most = 1.1 * float(reach.max()) if len(reach) and reach.max() > 0 else 1.0
    axes.set_ylim(-most, most)

"""The picture of a field: filled contours, arrows along its gradient, points and paths over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero_cli.pictures import canvas, surfaces
from dezero_cli.pictures.canvas import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS, SHORT = 15, 0.4
"""Arrows along each axis of the gradient field, and the ratio of a short one to the longest."""


@dataclass(frozen=True)
class Path:
    """Places one after another, shape (2, n): the steps of a search, or points of a table.

    Where they are `joined`, the first is marked as the start and the last as the end.
    """

    places: np.ndarray
    name: str = "data"
    joined: bool = False


@dataclass(frozen=True)
class FieldPicture:
    """A field with what the axes and the value are called, and a heading of one line or several."""

    field: surfaces.Field
    names: tuple[str, str]
    heading: str = ""
    path: Path | None = None
    gradient: bool = True
    value: str = ""


def picture(shown: FieldPicture, form: str, look: Look | None = None) -> bytes:
    """The picture as a file of one of canvas.FORMS."""
    how = look or Look()
    return canvas.picture(lambda: draw(shown, how), form, how)


def draw(shown: FieldPicture, look: Look) -> Figure:
    """Filled contours, arrows along the gradient, and the path over both."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=look.size or (6.6, 5.4), layout="constrained")
    axes = figure.add_subplot()
    fill(figure, axes, shown)
    if shown.gradient and shown.path is None:
        arrows(axes, shown.field, look)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(True)
    _scales(axes, shown, look)
    axes.set_xlabel(shown.names[0])
    axes.set_ylabel(shown.names[1])
    if shown.path is not None:
        walk(axes, shown.path, look)
    axes.set_title(shown.heading, fontsize=11, loc="left", verticalalignment="bottom")
    canvas.entitle(figure, look)
    return figure


def _scales(axes: Axes, shown: FieldPicture, look: Look) -> None:
    """Logarithmic axes; or one scale for both, where their ranges are alike."""
    if "x" in look.log:
        axes.set_xscale("log")
    if "y" in look.log:
        axes.set_yscale("log")
    width, height = (float(np.ptp(each)) for each in (shown.field.x, shown.field.y))
    if not look.log and 0.5 <= width / height <= 2:
        axes.set_aspect("equal")


def walk(axes: Axes, path: Path, look: Look) -> None:
    """A path in white with a dark edge, so that it stands out from every colour; or its points."""
    from matplotlib.patheffects import withStroke

    limits = axes.get_xlim(), axes.get_ylim()
    x, y = path.places
    edge: Any = {"markeredgecolor": "black", "zorder": 5, "linestyle": ""}
    if path.joined:
        stroke = [withStroke(linewidth=3.6, foreground="black")]
        axes.plot(x, y, color="white", linewidth=1.8, path_effects=stroke, zorder=4)
    size = 5.0 if len(x) <= 200 else 2.5
    axes.plot(x, y, marker="o", markersize=size, color="white", label=path.name, **edge)
    if path.joined:
        axes.plot(x[:1], y[:1], marker="s", markersize=9, color="white", label="start", **edge)
        axes.plot(x[-1:], y[-1:], marker="*", markersize=16, color="white", label="end", **edge)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
    handles, entries = axes.get_legend_handles_labels()
    place: Any = {"loc": "upper right", "bbox_to_anchor": (1, -0.1), "borderpad": 0}
    axes.legend(handles, entries, ncols=3, **place)


def fill(figure: Figure, axes: Axes, shown: FieldPicture) -> None:
    """Contours, filled between levels, and what their colours mean."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    field = shown.field
    levels = surfaces.levels(field)
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}
    beyond: Any = extend[levels.below, levels.above]
    colours = colormaps["viridis"]
    norm = BoundaryNorm(levels.bounds, colours.N, extend=beyond)
    z = np.ma.masked_invalid(field.z)
    options: Any = {"levels": levels.bounds, "extend": beyond}
    filled = axes.contourf(field.x, field.y, z, cmap=colours, norm=norm, **options)
    filled.set(edgecolor="white", linewidth=0.4)
    bar = figure.colorbar(filled, ax=axes, spacing="uniform", ticks=levels.bounds)
    bar.set_label(shown.value)
    bar.set_ticks(list(levels.bounds), labels=[level_label(level) for level in levels.bounds])


def arrows(axes: Axes, field: surfaces.Field, look: Look) -> None:
    """Arrows along the gradient; if sizes differ much, the lengths are a power of them."""
    rows, columns = (_spread(len(each)) for each in (field.y, field.x))
    u, v = field.gradient[:, rows][:, :, columns]
    size = np.hypot(u, v)
    shown = np.isfinite(size) & (size > 0) & np.isfinite(field.z[np.ix_(rows, columns)])
    if not shown.any():
        return
    small, most = np.quantile(size[shown], [0.1, 0.95])
    power = 1.0 if small >= SHORT * most else np.log(SHORT) / np.log(small / most)
    power = max(round(power, 1), 0.1)
    scaled = np.where(shown, np.minimum(size / most, 1.0) ** power, np.nan)
    axes.quiver(
        field.x[columns],
        field.y[rows],
        *(np.ma.masked_invalid(part / size * scaled) for part in (u, v)),
        angles="xy",
        color="white",
        edgecolor="#333333",
        linewidth=0.5,
        pivot="middle",
        scale=1.25 * ARROWS,
        scale_units="width",
        width=0.006,
    )
    length = "" if power == 1 else rf", length $\propto |\nabla f|^{{{power:g}}}$"
    note = rf"arrows: uphill, along $\nabla f${length}"
    axes.annotate(
        note,
        (1, 0),
        (0, -40),
        xycoords="axes fraction",
        textcoords="offset points",
        horizontalalignment="right",
        verticalalignment="top",
        fontsize=9,
        color=look.colours.ink,
    )


def _spread(count: int) -> np.ndarray:
    """Up to ARROWS indices of samples, evenly spaced, half a step from the borders."""
    arrows = min(ARROWS, count)
    return np.unique(np.round((np.arange(arrows) + 0.5) * (count - 1) / arrows).astype(int))


def level_label(level: float) -> str:
    """A round number; a very large or small one has its power of ten written out."""
    digits, _, exponent = f"{level:.6g}".partition("e")
    if abs(level) >= 1e5:
        digits, _, exponent = f"{level:.5e}".partition("e")
        digits = f"{float(digits):g}"
    if not exponent:
        return digits.replace("-", "\N{MINUS SIGN}")
    power = f"10^{{{int(exponent)}}}"
    if digits in {"1", "-1"}:
        return f"${digits[:-1]}{power}$"
    return rf"${digits}\times {power}$"

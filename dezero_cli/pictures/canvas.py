"""What all pictures have in common: their look, their colours, and the files that they become."""

from __future__ import annotations

import io
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dezero_cli import report
from dezero_cli.extras import require
from dezero_cli.faults import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = ("png", "svg", "pdf")
ENDINGS = ".png, .svg or .pdf"
SIDES: Final = (2.0, 50.0)
"""The least and the greatest side of a picture, in inches."""


@dataclass(frozen=True)
class Theme:
    """The colours of a picture: what is written, what is behind, and what is drawn."""

    ink: str
    paper: str
    pale: str
    colours: tuple[str, ...]
    """Colours that the colour-blind can tell apart too (Okabe and Ito, 2008), for this paper."""


THEMES: Final[Mapping[str, Theme]] = {
    "light": Theme(
        "#333333",
        "#ffffff",
        "#dddddd",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07a00", "#56b4e9", "#000000"),
    ),
    "dark": Theme(
        "#dddddd",
        "#1b1b1b",
        "#444444",
        ("#56b4e9", "#e69f00", "#00c795", "#e093bf", "#f0e442", "#9ad0f5", "#ffffff"),
    ),
}
DASHES = ("-", (0, (6, 2)), (0, (6, 2, 1.5, 2)), (0, (1.5, 1.5)), (0, (9, 3)), (0, (3, 3)), "-")
NO_DATES: Mapping[str, Mapping[str, None]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


@dataclass(frozen=True)
class Look:
    """How a picture is to look: its title, its size in inches, its logarithmic axes, its theme."""

    title: str = ""
    size: tuple[float, float] | None = None
    log: str = ""
    theme: str = "light"

    @property
    def colours(self) -> Theme:
        """The colours of the theme."""
        return THEMES[self.theme]


def size_of(text: str) -> tuple[float, float]:
    """Width and height in inches of a text such as 7x4.5.  Raises UsageError for another."""
    try:
        width, height = (float(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise UsageError(f"--size {text}: expected WIDTHxHEIGHT in inches, as in 7x5") from None
    if not (SIDES[0] <= width <= SIDES[1] and SIDES[0] <= height <= SIDES[1]):
        raise UsageError(f"--size {text}: a side is from {SIDES[0]:g} to {SIDES[1]:g} inches")
    return width, height


def form_of(name: str, hint: str = "") -> str:
    """The format of a picture that goes to a file of that name.  Raises UsageError for another."""
    ending = Path(name).suffix.lower().lstrip(".")
    if ending not in FORMS:
        raise UsageError(f"{name}: expected a file that ends in {ENDINGS}{hint}")
    return ending


def picture(draw: Callable[[], Figure], form: str, look: Look) -> bytes:
    """What `draw` draws as a file of one of FORMS; the same figure gives the same bytes."""
    with style(look.colours):
        figure = draw()
        content = io.BytesIO()
        figure.savefig(content, format=form, metadata=dict(NO_DATES[form]))
    drawn = content.getvalue()
    if form == "svg":  # whose comments repeat the texts
        return report.tame(drawn.decode()).encode()
    return drawn


@contextmanager
def style(theme: Theme = THEMES["light"]) -> Iterator[None]:
    """Matplotlib with only this module's style, without its warnings, and without a display."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    os.environ["MPLBACKEND"] = "agg"  # the user's choice may not be installed
    matplotlib = require("matplotlib")
    with warnings.catch_warnings(), matplotlib.rc_context(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_settings(theme))
        yield


def _settings(theme: Theme) -> Any:
    inked = ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color")
    paper = ("axes.facecolor", "figure.facecolor", "savefig.facecolor")
    return {
        **dict.fromkeys(inked, theme.ink),
        **dict.fromkeys(paper, theme.paper),
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "figure.constrained_layout.h_pad": 0.1,
        "figure.constrained_layout.w_pad": 0.1,
        "font.size": 11,
        "grid.color": theme.pale,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "path.simplify_threshold": 0.05,
        "savefig.dpi": 200,
        "svg.hashsalt": "dezero",
    }


def panels(look: Look, heights: Sequence[float], width: float = 7.0) -> tuple[Figure, list[Axes]]:
    """A figure with panels one below the other, in inches, which share their horizontal axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=look.size or (width, sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
    figure.get_layout_engine().set(hspace=0.02)  # type: ignore[union-attr, call-arg]
    entitle(figure, look)
    for each in axes[:, 0]:
        each.grid(True)
        each.set_axisbelow(True)
    return figure, list(axes[:, 0])


def entitle(figure: Figure, look: Look) -> None:
    """The title above everything, at the left."""
    if look.title:
        figure.suptitle(plain(look.title), x=0.01, ha="left", fontsize=13, fontweight="bold")


def plain(text: str) -> str:
    """A text that Matplotlib sets as it stands, without reading a formula in it."""
    return text.replace("$", r"\$")


def legend(axes: Axes, columns: int = 1, heading: str = "") -> None:
    """The legend above a panel, at the left, above a power of ten that may stand there."""
    handles, entries = axes.get_legend_handles_labels()
    if not handles and not heading:
        return
    order = sorted(range(len(handles)), key=lambda i: -_level(handles[i]))
    shown = axes.legend(
        [handles[i] for i in order],
        [entries[i] for i in order],
        title=heading,
        alignment="left",
        loc="lower left",
        bbox_to_anchor=(0, 1.05 if has_offset(axes) else 1),
        borderpad=0,
        borderaxespad=0.4,
        ncols=columns,
        columnspacing=1.6,
    )
    shown.get_title().set_multialignment("left")


def _level(handle: Any) -> float:
    """How far above others an artist, or the first one of a group, is drawn."""
    artist = handle[0] if isinstance(handle, tuple) else handle
    return float(artist.get_zorder())


def has_offset(axes: Axes) -> bool:
    """Whether a power of ten or a number to add stands above the numbers of the vertical axis."""
    formatter = axes.yaxis.get_major_formatter()
    formatter.set_locs(list(axes.yaxis.get_majorticklocs()))
    return bool(formatter.get_offset())


def zero_line(axes: Axes, look: Look) -> None:
    """A line at 0 where the numbers of the vertical axis have both signs."""
    low, high = axes.get_ylim()
    beside = 0.02 * (high - low)  # so near it would double the axis
    if low < -beside and beside < high and axes.get_yscale() == "linear":
        axes.axhline(0.0, color=look.colours.ink, linewidth=0.8, zorder=1.5)


def room(low: float, high: float, log: bool = False, part: float = 0.05) -> tuple[float, float]:
    """Limits with a little room beyond the least and the greatest value."""
    if log and low > 0:
        around = room(float(np.log10(low)), float(np.log10(high)), part=part)
        return 10.0 ** around[0], 10.0 ** around[1]
    more = part * (high - low)
    if more <= 1e-9 * max(abs(low), abs(high)):
        more = 2 * part * max(abs(low), abs(high)) or 1.0
    return low - more, high + more


def number(value: float, scale: float) -> str:
    """A number to two digits of `scale`, which is the size of what is uncertain or tells apart."""
    if not (np.isfinite([value, scale]).all() and scale > 0):
        return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
    decimals = 1 - math.floor(math.log10(scale))
    if value == 0:
        return "0"
    digits = max(0, decimals + math.floor(math.log10(abs(value))))
    spelt = max(abs(value), scale) >= 1e-4 and abs(value) < 1e6
    text = f"{value:.{max(decimals, 0)}f}" if spelt else f"{value:.{digits}e}"
    return text.replace("-", "\N{MINUS SIGN}")

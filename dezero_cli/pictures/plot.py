"""Pictures of an expression: curves with their derivatives, contours with the gradient field."""

from __future__ import annotations

import io
import itertools
import logging
import os
import re
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero.programs.formula import FormulaError
from dezero.programs.latex import LaTeX, latex_name
from dezero.programs.terms import Terms
from dezero.programs.tidy import tidied
from dezero.programs.trace import Program, differentiate, merge
from dezero_cli.extras import require
from dezero_cli.faults import PictureError
from dezero_cli.language import symbolic
from dezero_cli.language.expression import Expression
from dezero_cli.language.ranges import Range
from dezero_cli.language.results import names_of
from dezero_cli.number_format import number_text
from dezero_cli.pictures import sampling
from dezero_cli.report import derivative_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMS = ("png", "svg", "pdf")
CURVE_SAMPLES, FIELD_SAMPLES = 1001, 201
LARGEST = 1e300
"""Larger values count as infinite, and their reciprocals as 0: distances would overflow."""
NARROW = 1e-4
"""A curve shorter than this part of the range, a tenth of a pixel, is not visible."""
ARROWS, SHORT = 15, 0.4
"""Arrows along each axis of the gradient field, and the ratio of a short one to the longest."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that the colour-blind can tell apart too (Okabe and Ito, 2008)."""
DASHES = ("-", (0, (6, 2)), (0, (6, 2, 1.5, 2)), (0, (1.5, 1.5)), (0, (9, 3)), (0, (3, 3)), "-")
INK, PALE = "#333333", "#dddddd"
STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "font.size": 11,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "path.simplify_threshold": 0.05,
    "savefig.dpi": 200,
    "svg.hashsalt": "dezero",
    "xtick.color": INK,
    "ytick.color": INK,
}
NO_DATES: Mapping[str, Mapping[str, None]] = {
    "png": {},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


@dataclass(frozen=True)
class Subject:
    """What to draw: an expression over one or two ranges; its other names have fixed values."""

    expression: Expression
    ranges: Sequence[Range]
    fixed: Mapping[str, float]
    order: int = 1

    @property
    def names(self) -> list[str]:
        """The names that have ranges."""
        return [each.name for each in self.ranges]

    def program(self) -> Program:
        """The value and its derivatives up to one order above those drawn, or its gradient."""
        inputs = [*self.fixed, *self.names]
        program = symbolic.program(self.expression, inputs, self.names)
        if len(self.names) == 2:
            return program
        outputs = [(program, 0), (program, 1)]
        for _ in range(self.order):
            last, output = outputs[-1]
            last = differentiate(tidied(last), [(output, self.names)])
            outputs.append((last, 0))
        return merge(outputs)

    def run(self, program: Program, *places: np.ndarray) -> np.ndarray:
        """The outputs of a program, shape (outputs, n), at n places, limited for drawing."""
        columns = {**self.fixed, **dict(zip(self.names, places, strict=True))}
        outputs = [np.broadcast_to(output, places[0].shape) for output in program.run(columns)]
        stacked = np.stack(outputs)
        size = np.abs(stacked)
        stacked[size < 1 / LARGEST] = 0.0
        return np.where(size > LARGEST, np.copysign(np.inf, stacked), stacked)


def picture(subject: Subject, form: str) -> bytes:
    """The picture as a file of one of FORMS; the same subject gives the same bytes."""
    with style():
        if subject.expression.is_list:
            figure = results(subject)
        else:
            figure = curves(subject) if len(subject.ranges) == 1 else contours(subject)
        content = io.BytesIO()
        figure.savefig(content, format=form, metadata=dict(NO_DATES[form]))
    return content.getvalue()


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib with only this module's style, without its warnings, and without a display."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    os.environ["MPLBACKEND"] = "agg"  # the user's choice may not be installed
    matplotlib = require("matplotlib")
    with warnings.catch_warnings(), matplotlib.rc_context(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


# ------------------------------------------------------------------------------------- one range
def curves(subject: Subject) -> Figure:
    """The function and its derivatives up to `order` over one range, on shared axes."""
    program = subject.program()
    drawn = sampled_curves(subject, program)
    return drawing(subject, drawn, curve_labels(subject, program, 400.0))


def results(subject: Subject) -> Figure:
    """A curve for each result of a list over one range, on shared axes."""
    drawn = []
    for each in subject.expression.results:
        one = replace(subject, expression=each, order=0)
        drawn += sampled_curves(one, one.program())
    return drawing(subject, drawn, [symbol(name) for name in names_of(subject.expression)])


def drawing(subject: Subject, drawn: Sequence[sampling.Curve], labels: Sequence[str]) -> Figure:
    """Curves over one range with their labels; the first is drawn last, over the others."""
    from matplotlib.figure import Figure

    rows = sum(1.8 if "frac" in label else 1 + label.count("\n") for label in labels)
    figure = Figure(figsize=(7, 4 + 0.25 * rows), layout="constrained")
    axes = figure.add_subplot()
    for i in range(len(drawn) - 1, -1, -1):
        axes.plot(
            drawn[i].x,
            drawn[i].y,
            color=COLOURS[i % len(COLOURS)],
            linestyle=DASHES[i % len(DASHES)],
            linewidth=2.2 if i == 0 else 1.6,
            label=labels[i],
            zorder=3 - i / 10,
        )
    extent = subject.ranges[0]
    axes.set_xlim(extent.start, extent.stop)
    axes.set_ylim(*sampling.common_limits(drawn))
    axes.grid(True)
    if np.prod(axes.get_ylim()) < 0:
        axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1.5)
    axes.set_xlabel(symbol(extent.name))
    handles, entries = axes.get_legend_handles_labels()
    place = (0, 1.05 if has_offset(axes) else 1)
    axes.legend(handles[::-1], entries[::-1], loc="lower left", bbox_to_anchor=place, borderpad=0)
    return figure


def has_offset(axes: Axes) -> bool:
    """Whether a power of ten or a number to add stands above the numbers of the vertical axis."""
    formatter = axes.yaxis.get_major_formatter()
    formatter.set_locs(list(axes.yaxis.get_majorticklocs()))
    return bool(formatter.get_offset())


def sampled_curves(subject: Subject, program: Program) -> list[sampling.Curve]:
    """The curves of a function and its derivatives, which are undefined wherever it is."""
    places = subject.ranges[0].places(CURVE_SAMPLES)
    values = np.array(subject.run(program, places))
    for lower, derivative in itertools.pairwise(values):
        derivative[~np.isfinite(lower)] = np.nan
    drawn = []
    for i in range(subject.order + 1):
        pair = merge([(program, j) for j in range(i + 2)])

        def along(place: np.ndarray, _: np.ndarray, pair: Program = pair) -> np.ndarray:
            *lower, value, slope = subject.run(pair, place)
            undefined = ~np.isfinite(lower).all(axis=0)
            return np.where(undefined, np.nan, np.stack([value, slope]))

        drawn.append(sampling.curve(along, places, values[i], values[i + 1]))
    if not len(drawn[0].samples):
        raise nowhere(subject, "finite value")
    if drawn[0].length() < NARROW * (places[-1] - places[0]):
        raise nowhere(subject, f"visible range of finite values below {LARGEST:g}")
    return drawn


def nowhere(subject: Subject, what: str) -> PictureError:
    """The fault of a function that has no `what` to draw."""
    places = " and ".join(
        f"{r.name} from {number_text(r.start)} to {number_text(r.stop)}" for r in subject.ranges
    )
    return PictureError(f"nothing to draw: no {what} for {places}")


# ------------------------------------------------------------------------------------ two ranges
def contours(subject: Subject) -> Figure:
    """Filled contours of the function over two ranges, and arrows along its gradient."""
    from matplotlib.figure import Figure

    program = subject.program()
    places = [each.places(FIELD_SAMPLES) for each in subject.ranges]
    field = sampling.field(lambda x, y: subject.run(program, x, y), *places)
    if not len(field.samples):
        raise nowhere(subject, "finite value")
    figure = Figure(figsize=(6.6, 5.4), layout="constrained")
    axes = figure.add_subplot()
    fill(figure, axes, field)
    arrows(axes, field)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(True)
    width, height = (each.stop - each.start for each in subject.ranges)
    if 0.5 <= width / height <= 2:
        axes.set_aspect("equal")
    axes.set_xlabel(symbol(subject.names[0]))
    axes.set_ylabel(symbol(subject.names[1]))
    title = function_label(subject, program, 400.0)
    axes.set_title(title, fontsize=11, loc="left", verticalalignment="bottom")
    return figure


def fill(figure: Figure, axes: Axes, field: sampling.Field) -> None:
    """Contours, filled between levels, and what their colours mean."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    levels = sampling.levels(field)
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}
    beyond: Any = extend[levels.below, levels.above]
    colours = colormaps["viridis"]
    norm = BoundaryNorm(levels.bounds, colours.N, extend=beyond)
    z = np.ma.masked_invalid(field.z)
    options: Any = {"levels": levels.bounds, "extend": beyond}
    filled = axes.contourf(field.x, field.y, z, cmap=colours, norm=norm, **options)
    filled.set(edgecolor="white", linewidth=0.4)
    bar = figure.colorbar(filled, ax=axes, spacing="uniform", ticks=levels.bounds)
    bar.set_ticks(list(levels.bounds), labels=[level_label(level) for level in levels.bounds])


def arrows(axes: Axes, field: sampling.Field) -> None:
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
        edgecolor=INK,
        linewidth=0.5,
        pivot="middle",
        scale=1.25 * ARROWS,
        scale_units="width",
        width=0.006,
    )
    length = "" if power == 1 else rf", length $\propto |\nabla f|^{{{power:g}}}$"
    note = rf"arrows: $\nabla f${length}"
    axes.annotate(
        note,
        (1, 0),
        (0, -24),
        xycoords="axes fraction",
        textcoords="offset points",
        horizontalalignment="right",
        verticalalignment="top",
        fontsize=9,
        color=INK,
    )


def _spread(count: int) -> np.ndarray:
    """Up to ARROWS indices of samples, evenly spaced, half a step from the borders."""
    arrows = min(ARROWS, count)
    return np.unique(np.round((np.arange(arrows) + 0.5) * (count - 1) / arrows).astype(int))


# ----------------------------------------------------------------------------------------- labels
BRACKETS, DEEPEST = re.compile(r"[{}]|\\left|\\right"), 6
"""Matplotlib reads formulas by recursion, nearly a hundred calls for each pair of brackets."""
LONGEST = 400
"""Characters of a formula that may fit; measuring a longer one takes longer than drawing."""


def curve_labels(subject: Subject, program: Program, width: float) -> list[str]:
    """The labels of a function and its derivatives; short ones are formulas."""
    name = subject.names[0]
    labels = [function_label(subject, program, width)]
    for i in range(1, subject.order + 1):
        power = "" if i == 1 else f"^{i}"
        mark = f"d{power}f/d{latex_name(name)}{power}"
        formula = latex(program, i)
        candidates = [] if formula is None else [f"${mark} = {formula}$"]
        labels.append(fitting([*candidates, f"${mark}$"], width) or derivative_label([name] * i))
    return labels


def function_label(subject: Subject, program: Program, width: float) -> str:
    """The function as a formula with its fixed values; if that is long, as the user's own text."""
    fixed = [(name, f"{value:.6g}") for name, value in subject.fixed.items()]
    formula = latex(program, 0)
    if formula is not None:
        arguments = ", ".join(map(latex_name, subject.names))
        values = "".join(rf",\quad {latex_name(name)} = {text}" for name, text in fixed)
        label = fitting([f"$f({arguments}) = {formula}{values}$"], width)
        if label is not None:
            return label
    shown = " ".join(subject.expression.text[:1000].split())
    text = f"f({', '.join(subject.names)}) = {shown}"
    text += "".join(f", {name} = {number}" for name, number in fixed)
    for columns in range(80, 30, -6):
        lines = textwrap.wrap(
            text, columns, max_lines=3, placeholder=" ...", break_on_hyphens=False
        )
        if all(width_of(line, math=False) <= width for line in lines):
            break
    return "\n".join(lines)


def latex(program: Program, output: int) -> str | None:
    """An output as a formula that Matplotlib may be able to set; None if it is long or deep."""
    if len(program.operations) > 1000:
        return None
    printer = LaTeX(Terms(merge([(program, output)]).readable, written_out=True))
    printer.longest = 60
    try:
        formula = printer.formulas()[0]
    except FormulaError:
        return None
    for theirs, ours in (("\\left|", "|"), ("\\right|", "|"), ("\\frac", "\\dfrac")):
        formula = formula.replace(theirs, ours)
    steps = (1 if part in {"{", "\\left"} else -1 for part in BRACKETS.findall(formula))
    return formula if max(itertools.accumulate(steps), default=0) <= DEEPEST else None


def symbol(name: str) -> str:
    """A name as the label of an axis."""
    return fitting([f"${latex_name(name)}$"], 300) or textwrap.shorten(name, 40)


def fitting(candidates: Sequence[str], width: float) -> str | None:
    """The first label that Matplotlib can set in `width` points; None if there is none."""
    for candidate in candidates:
        try:
            if len(candidate) <= LONGEST and width_of(candidate, math=True) <= width:
                return candidate
        except ValueError:  # not a formula that it knows
            continue
    return None


def width_of(label: str, math: bool) -> float:
    """The width of a line in points.  Raises ValueError for a formula with a fault."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    new: Any = RendererAgg
    return float(
        new(1, 1, 72).get_text_width_height_descent(label, FontProperties(), ismath=math)[0]
    )


def missing_letters(subject: Subject) -> str:
    """The letters of the expression that the font of the labels does not have."""
    with style():
        from matplotlib.font_manager import FontProperties, findfont, get_font

        font = get_font(findfont(FontProperties()))
    letters = dict.fromkeys(subject.expression.text[:1000])
    return "".join(letter for letter in letters if not font.get_char_index(ord(letter)))


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

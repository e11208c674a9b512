"""Pictures of an expression: curves with their derivatives, contours with the gradient field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero.programs.latex import latex_name
from dezero_cli.language import symbolic
from dezero_cli.language.words import definitions_used
from dezero_cli.pictures import canvas, ends, fields, fits, labels, sampling
from dezero_cli.pictures.canvas import Look
from dezero_cli.pictures.fields import Path
from dezero_cli.pictures.fits import Points
from dezero_cli.pictures.subject import Member, Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALIKE = 3.0
"""Derivatives share a panel unless one is more than this many times higher than another."""
MOST_FORMULAS = 4
"""Results whose formulas stand above the picture; more have their names alone."""
SEEN_APART = 2e-3
"""How far two lines are apart, beside the width, that are seen as two."""
MOST_ASYMPTOTES = 40
"""Asymptotes that have a dotted line each."""
AXIS_WIDTH = 150.0
"""The room for names at the vertical axis, in points."""
LINE_HEIGHT = 0.23
"""Of a line of text, in inches."""


def picture(subject: Subject, form: str, look: Look, points: Points | None = None) -> bytes:
    """The picture as a file of one of canvas.FORMS; the same subject gives the same bytes.

    `points` are drawn over one range as data with error bars, over two as their places alone.
    """
    draw = curves if len(subject.ranges) == 1 else contours
    return canvas.picture(lambda: draw(subject, look, points), form, look)


def room(look: Look) -> float:
    """The room for a line of text above a panel, in points."""
    return labels.WIDTH if look.size is None else max(100.0, 72 * look.size[0] - 144)


# ------------------------------------------------------------------------------------- one range
def curves(subject: Subject, look: Look, points: Points | None = None) -> Figure:
    """The function, or several, over one range, and their derivatives in panels below."""
    members = list(subject.members())
    drawn = [member.curves() for member in members]
    panels = _panels(subject, members, drawn, room(look))
    more = (points is not None) + (subject.uncertain is not None)  # lines of the legend
    tops = [(3.8 if len(panels) == 1 else 3.2) + LINE_HEIGHT * more] + [2.0] * len(panels[1:])
    heights = [top + LINE_HEIGHT * panel.rows for top, panel in zip(tops, panels)]
    figure, axes = canvas.panels(look, heights)
    for each, panel in zip(axes, panels):
        _draw(each, panel, look)
    low, high = panels[0].limits
    for member, (first, *_) in zip(members, drawn):
        low, high = _band(axes[0], member, first, (low, high), look)
    if points is not None:
        shown = points.within(subject.ranges[0].start, subject.ranges[0].stop)
        fits.points(axes[0], shown.thinned(), look)
        low, high = _with_points(shown, (low, high), panels[0].log)
    panels[0] = replace(panels[0], limits=(low, high))
    _span(axes[-1], subject, look)
    for each, panel in zip(axes, panels):
        each.set_ylim(*canvas.room(*panel.limits, panel.log))
        canvas.zero_line(each, look)
        each.set_ylabel(panel.name)
        canvas.legend(each, heading=panel.heading)
        ends.label(each, panel.named(look), look)
    figure.align_ylabels()
    return figure


@dataclass(frozen=True)
class Panel:
    """What shares a vertical axis: its curves, with their numbers, which give colour and dashes.

    `entries` say in the legend what curves are, `labels` stand at the curves' ends; both are empty
    for a curve that the other one names.  The `heading` stands above all.
    """

    name: str
    heading: str
    curves: list[sampling.Curve]
    numbers: list[int]
    entries: list[str]
    labels: list[str]
    limits: tuple[float, float]
    log: bool = False

    @property
    def rows(self) -> float:
        """How many lines of text stand above the panel."""
        every = [
            line for text in (self.heading, *self.entries) for line in text.split("\n") if line
        ]
        return sum(1.8 if "frac" in line else 1 for line in every)

    def colours(self, look: Look) -> list[Any]:
        """The colour of each curve; those of many go from dark to light."""
        every, count = look.colours.colours, max(self.numbers) + 1
        if count <= len(every):
            return [every[number] for number in self.numbers]
        from matplotlib import colormaps

        shift = 0.15 if look.theme == "dark" else 0.0
        return [colormaps["viridis"](shift + 0.85 * i / (count - 1)) for i in self.numbers]

    def named(self, look: Look) -> list[ends.Named]:
        """The curves that have their labels beside them."""
        every = zip(self.curves, self.labels, self.colours(look), self.numbers)
        return [
            ends.Named(each.x, each.y, text, shade, dashes(number))
            for each, text, shade, number in every
            if text
        ]


def _panels(
    subject: Subject,
    members: Sequence[Member],
    drawn: Sequence[Sequence[sampling.Curve]],
    width: float,
) -> list[Panel]:
    """The function's panel, and those of the derivatives: one for each group alike in height."""
    functions = [each[0] for each in drawn]
    log = "y" in subject.log
    limits = sampling.joint_limits(functions, log)
    found = [_panel(subject, members, 0, functions, limits, width, log)]
    for order in range(1, subject.order + 1):
        derivatives = [each[order] for each in drawn]
        every = [sampling.derivative_limits(each) for each in derivatives if len(each.samples)]
        if not every:
            continue
        limits = min(low for low, _ in every), max(high for _, high in every)
        panel = _panel(subject, members, order, derivatives, limits, width)
        if len(found) > 1 and len(members) == 1 and _alike(found[-1].limits, limits):
            found[-1] = _joined(found[-1], panel)
        else:
            found.append(panel)
    return found


def _panel(
    subject: Subject,
    members: Sequence[Member],
    order: int,
    curves: list[sampling.Curve],
    limits: tuple[float, float],
    width: float,
    log: bool = False,
) -> Panel:
    """The panel of one order of derivative."""
    (variable,) = subject.names
    symbols = [_symbol(member.subject.result, [variable], order) for member in members]
    alone = len(members) == 1
    name = f"${symbols[0]}$" if len(set(symbols)) == 1 else _several(members, variable, order)
    numbers = [order] if alone else list(range(len(members)))
    entries, heading = [""] * len(members), ""
    if alone:
        entries = [_formula(members[0], order, symbols[0], width)]
    elif subject.family is None:
        if len(members) <= MOST_FORMULAS:
            entries = [_formula(m, order, symbol, width) for m, symbol in zip(members, symbols)]
    elif not subject.expression.is_list:
        heading = _formula(members[0], order, symbols[0], width)
    texts = [""] * len(members) if alone else [labels.at_curve(m.label) for m in members]
    return Panel(name, heading, curves, numbers, entries, texts, limits, log)


def _symbol(result: str, variables: Sequence[str], order: int) -> str:
    """f(x), df/dx, d^2f/dx^2: what a curve is, as mathematics; log(y) is itself."""
    name, x = latex_name(result), latex_name(variables[0])
    if not order:
        arguments = f"({', '.join(map(latex_name, variables))})"
        return name + arguments if result.isidentifier() else name
    power = "" if order == 1 else f"^{order}"
    return f"d{power}{name}/d{x}{power}"


def _several(members: Sequence[Member], variable: str, order: int) -> str:
    """What the vertical axis of several results is called: their names where they are few."""
    if order:
        power = "" if order == 1 else f"^{order}"
        return f"$d{power}/d{latex_name(variable)}{power}$"
    names = dict.fromkeys(latex_name(member.subject.result) for member in members)
    return labels.fitting([f"${', '.join(names)}$"], AXIS_WIDTH) or ""


def _formula(member: Member, order: int, symbol: str, width: float) -> str:
    """What a curve is, with its formula where that fits; the function's may be as typed."""
    subject = member.subject
    fixed = (
        {} if order else {n: x for n, x in subject.fixed.items() if n in subject.expression.names}
    )
    program, output = member.ladder.output(order)
    found = labels.formula(symbol, program, output, fixed, width)
    if found is not None:
        return found
    if order:
        return labels.fitting([f"${symbol}$"], width) or subject.derivative_name(order)
    return _typed(subject, fixed, width)


def _typed(subject: Subject, fixed: Mapping[str, float], width: float) -> str:
    """What is drawn as it was typed, with the definitions and the values that it uses."""
    expression = subject.expression
    meant = definitions_used(expression)
    return labels.typed(subject.heading, expression.text, fixed, width, meant)


def _alike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two ranges of values can share an axis."""
    sizes = [max(abs(low), abs(high)) for low, high in (one, other)]
    return max(sizes) <= ALIKE * min(sizes)


def _joined(one: Panel, other: Panel) -> Panel:
    """Two panels as one."""
    low, high = zip(one.limits, other.limits)
    return Panel(
        "derivatives",
        "",
        one.curves + other.curves,
        one.numbers + other.numbers,
        one.entries + other.entries,
        one.labels + other.labels,
        (min(low), max(high)),
    )


def _draw(axes: Axes, panel: Panel, look: Look) -> None:
    """The curves of a panel; the first is drawn last, over the others."""
    every = zip(panel.curves, panel.colours(look), panel.numbers, panel.entries)
    for i, (each, shade, number, entry) in enumerate(every):
        axes.plot(
            each.x,
            np.where(each.y > 0, each.y, np.nan) if panel.log else each.y,
            color=shade,
            linestyle=dashes(number),
            linewidth=1.6 if number else 2.0,
            label=entry or None,
            zorder=3 - i / 100,
        )
    if panel.log:
        axes.set_yscale("log")
    far = np.unique(np.concatenate([each.asymptotes for each in panel.curves]))
    apart = SEEN_APART * max((float(np.ptp(each.x)) for each in panel.curves), default=0.0)
    far = far[np.diff(far, prepend=-np.inf) > apart]
    for place in far if len(far) <= MOST_ASYMPTOTES else ():
        axes.axvline(
            place, color=look.colours.ink, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1.5
        )


def dashes(number: int) -> Any:
    """The dashes of a curve, by which curves are told apart without colour."""
    return canvas.DASHES[number % len(canvas.DASHES)]


def _span(axes: Axes, subject: Subject, look: Look) -> None:
    """The horizontal axis."""
    extent = subject.ranges[0]
    if "x" in look.log:
        axes.set_xscale("log")
    axes.set_xlim(extent.start, extent.stop)
    axes.set_xlabel(labels.symbol(extent.name))


def _band(
    axes: Axes,
    member: Member,
    drawn: sampling.Curve,
    limits: tuple[float, float],
    look: Look,
) -> tuple[float, float]:
    """The band of uncertain values about a curve; gives limits that show it, or most of it."""
    reach = member.band(drawn.x)
    if reach is None or member.subject.uncertain is None:
        return limits
    both = np.stack([drawn.y - reach, drawn.y + reach])
    named = axes.get_legend_handles_labels()[1]
    label = member.subject.uncertain.label
    fits.band(axes, drawn.x, both, "" if label in named else label, look)
    log = "y" in member.subject.log
    return fits.widened(limits, both, log)


def _with_points(points: Points, limits: tuple[float, float], log: bool) -> tuple[float, float]:
    """Limits that show points, with their error bars."""
    reach = np.zeros(len(points.x)) if points.sigma_y is None else points.sigma_y
    bars = np.concatenate([points.y - reach, points.y + reach])
    bars = bars[np.isfinite(bars) & ((bars > 0) | (not log))]
    return float(bars.min(initial=limits[0])), float(bars.max(initial=limits[1]))


# ------------------------------------------------------------------------------------ two ranges
def contours(subject: Subject, look: Look, points: Points | None = None) -> Figure:
    """Filled contours of the function over two ranges, and arrows along its gradient."""
    field = subject.field()
    program = symbolic.program(subject.expression, subject.inputs, subject.names)
    symbol = _symbol(subject.result, subject.names, 0)
    fixed = {n: x for n, x in subject.fixed.items() if n in subject.expression.names}
    heading = labels.formula(symbol, program, 0, fixed, room(look))
    if heading is None:
        heading = _typed(subject, fixed, room(look))
    names = labels.symbol(subject.names[0]), labels.symbol(subject.names[1])
    path = None
    if points is not None:
        label = f"{points.label}, in order" if points.joined else points.label
        path = Path(np.stack([points.x, points.y]), label, points.joined)
    return fields.draw(fields.FieldPicture(field, names, heading, path, value=f"${symbol}$"), look)

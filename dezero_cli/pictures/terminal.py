"""Curves and contours as text, in dots of braille: a picture on a terminal, without Matplotlib."""

from __future__ import annotations

import itertools
import math
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dezero_cli import report
from dezero_cli.number_format import number_text
from dezero_cli.pictures import sampling, surfaces
from dezero_cli.pictures.fits import Points
from dezero_cli.pictures.subject import Member, Subject

WIDEST, NARROWEST = 100, 30
ROWS, LOWER_ROWS, MOST_ROWS = 16, 7, 24
"""Lines of the function's panel, of that of its derivatives, and of a field."""
MOST_MARKS = 60
"""How many letters of points may hide the curve."""
BRAILLE = 0x2800
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bit of each dot of a braille letter, four high and two wide (Unicode 6.2, chapter 21)."""
SHADES = " ░▒▓█"
COLOURS = (34, 33, 32, 35, 36, 31)
"""ANSI's colours for one curve after another."""
COLOUR = "(\x1b\\[(?:3[1-6]|0)m)"
"""What changes the colour, and nothing else."""


def show(subject: Subject, title: str, points: Points | None = None) -> None:
    """Print a picture as wide as the terminal."""
    size = shutil.get_terminal_size()
    width = max(NARROWEST, min(size.columns - 1, WIDEST))
    lines = text(subject, width, size.lines, points, coloured())
    whole = "\n".join([report.tame(title)] * bool(title) + lines) + "\n"
    pieces = re.split(COLOUR, whole)  # of the text between our own colours, nothing is obeyed
    pieces[::2] = map(report.tame, pieces[::2])
    sys.stdout.write("".join(pieces))


def coloured() -> bool:
    """Whether standard output takes colours."""
    import os

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def text(
    subject: Subject, width: int, height: int, points: Points | None = None, colour: bool = False
) -> list[str]:
    """The lines of a picture that is so many letters wide, and as high as is good."""
    if len(subject.ranges) == 2:
        return _shaded(subject, width, height, points)
    members = list(subject.members())
    drawn = [member.curves() for member in members]
    rows = max(6, min(ROWS, height - 6 - (LOWER_ROWS + 2) * (subject.order > 0)))
    panels = [_function_panel(subject, members, drawn, points)]
    if subject.order:
        panels.append(_derivative_panel(subject, members, drawn))
    margin = max(len(mark) for panel in panels for mark in panel.marks)
    lines: list[str] = []
    for i, panel in enumerate(panels):
        lines += panel.lines(width - margin - 2, LOWER_ROWS if i else rows, margin, colour)
    return [*lines, *_axis(subject, margin, width)]


@dataclass(frozen=True)
class Strip:
    """A panel of text: a heading, curves with labels, scattered points, and the limits.

    `reaches` say how far the band of each curve reaches, if it has one.
    """

    subject: Subject
    heading: str
    curves: Sequence[sampling.Curve]
    reaches: Sequence[np.ndarray | None]
    labels: Sequence[str]
    limits: tuple[float, float]
    log: bool = False
    points: Points | None = None

    @property
    def marks(self) -> tuple[str, str]:
        """The numbers at the upper and the lower end of the vertical axis."""
        low, high = self.limits
        return _mark(high, high - low), _mark(low, high - low)

    def lines(self, width: int, rows: int, margin: int, colour: bool) -> list[str]:
        """The heading, then a line of letters for each row."""
        bits = np.zeros((rows, width), dtype=int)
        owner = np.full((rows, width), -1)
        every = list(zip(self.curves, self.reaches))
        for number, (each, reach) in reversed(list(enumerate(every))):
            for y in (each.y,) if reach is None else (each.y - reach, each.y + reach, each.y):
                dots = self._dots(each.x, y, width, rows)
                _put(_joined(*dots, 4 * rows), bits, owner, number)
        letters = np.vectorize(lambda b: chr(BRAILLE + b) if b else " ", otypes=[str])(bits)
        low, high = self.limits
        if low < 0 < high and not self.log:
            axis = letters[round((rows - 1) * high / (high - low))]
            axis[axis == " "] = "┈"
        places = self._scattered(width, rows)
        for row, column in places:
            if len(places) <= MOST_MARKS or letters[row, column] in " ┈":
                letters[row, column] = "o"
                owner[row, column] = -1
        self._name_curves(letters, owner, rows, width)
        upper, lower = self.marks
        found = [self.heading] if self.heading else []
        for i in range(rows):
            mark = upper if i == 0 else lower if i == rows - 1 else ""
            found.append(f"{mark:>{margin}} │" + _painted(letters[i], owner[i], colour))
        return found

    def _dots(
        self, x: np.ndarray, y: np.ndarray, width: int, rows: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places in dots, from the left and from the top; nan where there is nothing."""
        low, high = self.limits
        extent = self.subject.ranges[0]
        across = _part(x, extent.start, extent.stop, "x" in self.subject.log)
        along = _part(y, low, high, self.log)
        return across * (2 * width - 1), (1 - along) * (4 * rows - 1)

    def _scattered(self, width: int, rows: int) -> list[tuple[int, int]]:
        """The letters on which points lie."""
        if self.points is None:
            return []
        x, y = self._dots(self.points.x, self.points.y, width, rows)
        inside = (x >= 0) & (x < 2 * width) & (y >= 0) & (y < 4 * rows)
        letters = np.stack([y[inside] // 4, x[inside] // 2]).astype(int)
        return [(row, column) for row, column in np.unique(letters, axis=1).T.tolist()]

    def _name_curves(self, letters: np.ndarray, owner: np.ndarray, rows: int, width: int) -> None:
        """Write each label at the right end of its curve, where no other label stands."""
        taken: set[int] = set()
        for number, (each, label) in enumerate(zip(self.curves, self.labels)):
            x, y = self._dots(each.x, each.y, width, rows)
            inside = np.flatnonzero(np.isfinite(x + y) & (y >= 0) & (y <= 4 * rows - 1))
            if not label or not len(inside):
                continue
            row = int(y[inside[-1]] // 4)
            near = sorted(range(rows), key=lambda i: abs(i - row))
            row = next((i for i in near if i not in taken), row)
            taken.add(row)
            shown = f" {label[: width // 3]}"
            letters[row, width - len(shown) :] = list(shown)
            owner[row, width - len(shown) :] = number


def _part(values: np.ndarray, low: float, high: float, log: bool) -> np.ndarray:
    """How far values are from `low` to `high`, as a part."""
    with np.errstate(all="ignore"):
        if log:
            values = np.log(np.where(values > 0, values, np.nan))
            low, high = math.log(low), math.log(high)
        return np.asarray((values - low) / (high - low))


def _joined(x: np.ndarray, y: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The dots of a line through places, from one to the next; gaps stay."""
    y = np.clip(y, -2.0 * height, 3.0 * height)
    kept = np.isfinite(x[:-1] + x[1:]) & np.isfinite(y[:-1] + y[1:])
    steps = np.maximum(np.abs(np.diff(x)), np.abs(np.diff(y)))
    counts = np.where(kept, np.ceil(np.where(kept, steps, 0.0)), 0).astype(int) + kept
    begin = np.repeat(np.flatnonzero(kept), counts[kept])
    order = np.arange(len(begin)) - np.repeat(np.cumsum(counts[kept]) - counts[kept], counts[kept])
    part = order / np.maximum(counts[begin] - 1, 1)
    return (x[begin] + part * np.diff(x)[begin], y[begin] + part * np.diff(y)[begin])


def _put(
    places: tuple[np.ndarray, np.ndarray], bits: np.ndarray, owner: np.ndarray, number: int
) -> None:
    """Set the dots at places; the letters they are in belong to a curve."""
    x, y = (np.round(each).astype(int) for each in places)
    inside = (x >= 0) & (x < 2 * bits.shape[1]) & (y >= 0) & (y < 4 * bits.shape[0])
    x, y = x[inside], y[inside]
    np.bitwise_or.at(bits, (y // 4, x // 2), DOTS[y % 4, x % 2])
    owner[y // 4, x // 2] = number


def _painted(letters: np.ndarray, owner: np.ndarray, colour: bool) -> str:
    """A row of letters, each in its curve's colour."""
    if not colour:
        return "".join(letters).rstrip()
    found, last = [], -1
    for letter, number in zip(letters, owner):
        if number != last:
            found.append(f"\x1b[{COLOURS[number % len(COLOURS)] if number >= 0 else 0}m")
            last = number
        found.append(letter)
    return "".join(found) + ("\x1b[0m" if last >= 0 else "")


def _mark(value: float, scale: float) -> str:
    """A number at an axis, to three digits of what the axis shows."""
    if abs(value) < 1e-9 * scale:
        return "0"
    digits = max(1, min(12, 3 + math.ceil(math.log10(abs(value) / scale)))) if scale else 6
    return number_text(float(f"{value:.{digits - 1}e}")).removesuffix(".0")


def _axis(subject: Subject, margin: int, width: int) -> list[str]:
    """The horizontal axis with the ends of the range, and the name between."""
    extent = subject.ranges[0]
    inner = width - margin - 2
    scale = extent.stop - extent.start
    left, right = _mark(extent.start, scale), _mark(extent.stop, scale)
    name = extent.name.center(max(0, inner - len(left) - len(right)))
    return [f"{'':>{margin}} └{'─' * inner}", f"{'':>{margin}}  {left}{name}{right}"]


def _function_panel(
    subject: Subject,
    members: Sequence[Member],
    drawn: Sequence[Sequence[sampling.Curve]],
    points: Points | None,
) -> Strip:
    functions = [each[0] for each in drawn]
    log = "y" in subject.log
    low, high = sampling.joint_limits(functions, log)
    reaches = [member.band(each.x) for member, each in zip(members, functions)]
    bands = [(c.y - r, c.y + r) for c, r in zip(functions, reaches) if r is not None]
    more = np.concatenate([[] if points is None else points.y, *itertools.chain(*bands)])
    more = more[np.isfinite(more) & ((more > 0) | (not log))]
    low, high = float(more.min(initial=low)), float(more.max(initial=high))
    if high == low:
        low, high = low - (abs(low) or 1.0), high + (abs(high) or 1.0)
    several = [member.label for member in members] if len(members) > 1 else [""]
    return Strip(subject, _heading(subject), functions, reaches, several, (low, high), log, points)


def _derivative_panel(
    subject: Subject, members: Sequence[Member], drawn: Sequence[Sequence[sampling.Curve]]
) -> Strip:
    """The first derivatives; those above would be too many for so few dots."""
    shown = [each[1] for each in drawn if len(each[1].samples)]
    every = [sampling.derivative_limits(each) for each in shown] or [(-1.0, 1.0)]
    low, high = min(low for low, _ in every), max(high for _, high in every)
    if high == low:
        low, high = low - (abs(low) or 1.0), high + (abs(high) or 1.0)
    labels = [member.label for member in members] if len(members) > 1 else [""]
    result = subject.result if len({m.subject.result for m in members}) == 1 else ""
    heading = f"d{result}/d{subject.names[0]}"
    derivatives = [each[1] for each in drawn]
    return Strip(subject, heading, derivatives, [None] * len(drawn), labels, (low, high))


# ------------------------------------------------------------------------------------ two ranges
def _shaded(subject: Subject, width: int, height: int, points: Points | None) -> list[str]:
    """A field as shades from the least to the greatest value, between the levels of a picture."""
    field = subject.field()
    levels = surfaces.levels(field).bounds
    vertical = subject.ranges[1]
    scale = vertical.stop - vertical.start
    upper, lower = _mark(vertical.stop, scale), _mark(vertical.start, scale)
    margin = max(len(upper), len(lower), len(vertical.name))
    columns, rows = width - margin - 2, max(6, min(MOST_ROWS, height - 6))
    across = np.linspace(0, len(field.x) - 1, columns).round().astype(int)
    along = np.linspace(len(field.y) - 1, 0, rows).round().astype(int)
    values = field.z[np.ix_(along, across)]
    cuts = levels[np.linspace(0, len(levels) - 1, len(SHADES) + 1).round().astype(int)[1:-1]]
    shades = np.array([*SHADES, "·"])
    numbers = np.where(np.isfinite(values), np.searchsorted(cuts, values, "right"), len(SHADES))
    found = [_heading(subject)]
    drawn = shades[numbers]
    if points is not None:
        _mark_places(drawn, points, subject)
    for i, letters in enumerate(drawn):
        marks = {0: upper, rows // 2: vertical.name, rows - 1: lower}
        found.append(f"{marks.get(i, ''):>{margin}} │{''.join(letters)}")
    found += _axis(subject, margin, width)
    shown = [_mark(cut, float(np.ptp(levels))) for cut in cuts]
    legend = [f"blank: below {shown[0]}", *(f"{s}: {m}" for s, m in zip(SHADES[1:], shown))]
    return [*found, f"{'':>{margin}}  " + "  ".join(legend) + " and above"]


def _mark_places(letters: np.ndarray, points: Points, subject: Subject) -> None:
    """Write an o where a point is."""
    rows, columns = letters.shape
    horizontal, vertical = subject.ranges
    across = _part(points.x, horizontal.start, horizontal.stop, "x" in subject.log)
    along = 1 - _part(points.y, vertical.start, vertical.stop, "y" in subject.log)
    inside = (across >= 0) & (across <= 1) & (along >= 0) & (along <= 1)
    places = along[inside] * (rows - 1), across[inside] * (columns - 1)
    letters[tuple(np.round(each).astype(int) for each in places)] = "o"


def _heading(subject: Subject) -> str:
    """What is drawn, as it was typed, with the values of the other names."""
    fixed = "".join(f", {n} = {x:.4g}" for n, x in subject.fixed.items())
    band = "" if subject.uncertain is None else " (± 1 σ)"
    return f"{subject.heading} = {' '.join(subject.expression.text.split())}{fixed}{band}"

"""What stands beside the curves: formulas, broken at operators where they are long, and names."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dezero.programs.formula import FormulaError
from dezero.programs.latex import LaTeX, latex_name
from dezero.programs.terms import Terms
from dezero.programs.trace import Program, merge
from dezero_cli.pictures.canvas import style

BRACKETS, DEEPEST = re.compile(r"[{}]|\\left|\\right"), 6
"""Matplotlib reads formulas by recursion, nearly a hundred calls for each pair of brackets."""
LONGEST, PARTS, LINES = 700, 120, 3
"""Characters, parts and lines of a formula that is set; longer ones take longer than drawing."""
MOST_LINES = 6
"""Lines of a typed formula with its definitions."""
WIDTH = 360.0
"""The room for a label in points, where a picture is 7 inches wide."""
_DIGITS = re.compile(r"\d+\.\d+")
_MATH = re.compile(r"\\left|\\right|[{}()\[\]]| [+-] | \\, ")
_TYPED = re.compile(
    r"`[^`]*`|\d[\d_.]*[eE][-+]?\d+|[(*/^,]\s*[-+]|(?P<after>,)"
    r"|(?P<before>[-+]|[<>=!&|?]+|\b(?:or|and|if|else)\b)"
)
INDENT = 12.0
"""How far lines that go on begin to the right, in points."""


def formula(
    left: str, program: Program, output: int, fixed: Mapping[str, float], width: float = WIDTH
) -> str | None:
    """An output as ``left = formula`` with the fixed values, in up to LINES lines that fit.

    The values are in lines of their own where one line does not hold all.  None where mathematics
    cannot be set.  Numbers have four digits.
    """
    latex = formula_of(program, output)
    if latex is None or len(latex) > LONGEST:
        return None
    values = [f"{latex_name(name)} = {scientific(f'{x:.4g}')}" for name, x in fixed.items()]
    values = [f",\\quad {value}" for value in values]
    try:
        pieces = _pieces(f"{left} = ", _four_digits(latex), width - INDENT)
        widths = [width_of(f"${piece}$", math=True) for piece in (*pieces, *values)]
    except ValueError:  # not a formula that Matplotlib knows
        return None
    if sum(widths) <= width:
        return f"${''.join([*pieces, *values])}$"
    lines = _packed(pieces, widths, width)
    if lines is None or len(lines) > LINES:
        return None
    more = _packed(values, widths[len(pieces) :], width) or []
    return "\n".join(_math_line(line, i) for i, line in enumerate([*lines, *more]))


def _math_line(pieces: Sequence[str], number: int) -> str:
    """A line of mathematics; one that goes on lacks what only joins it to the one before."""
    line = "".join(pieces)
    if number:
        line = "\\quad " + re.sub(r"^ \\, ", r"\\cdot ", re.sub(r"^,\\quad ", "", line))
    return f"${line}$"


def formula_of(program: Program, output: int) -> str | None:
    """An output as a formula that Matplotlib may be able to set; None if it is long or deep."""
    if len(program.operations) > 1000:
        return None
    printer = LaTeX(Terms(merge([(program, output)]).readable, written_out=True))
    printer.longest = PARTS
    try:
        found = printer.formulas()[0]
    except FormulaError:
        return None
    for theirs, ours in (("\\left|", "|"), ("\\right|", "|"), ("\\frac", "\\dfrac")):
        found = found.replace(theirs, ours)
    steps = (1 if part in {"{", "\\left"} else -1 for part in BRACKETS.findall(found))
    return found if max(itertools.accumulate(steps), default=0) <= DEEPEST else None


def _four_digits(text: str) -> str:
    """Numbers such as 0.3989422804014327 as 0.3989."""
    return _DIGITS.sub(lambda number: _rounded(number[0]), text)


def _rounded(number: str) -> str:
    digits, whole = f"{float(number):.4g}", f"{float(number):.0f}"
    shorter = whole if "e" in digits else digits
    return shorter if len(shorter) < len(number) else number


def scientific(text: str) -> str:
    """A number such as 1.2e-05 as a power of ten."""
    digits, _, exponent = text.partition("e")
    return f"{digits} \\cdot 10^{{{int(exponent)}}}" if exponent else text


def _pieces(left: str, latex: str, width: float) -> list[str]:
    """A formula cut before each plus and minus that no bracket holds; wider parts at products."""
    first, *others = _cut(latex, {" + ", " - "})
    found = []
    for piece in (left + first, *others):
        is_wide = len(piece) > 80 and width_of(f"${piece}$", math=True) > width
        found += _cut(piece, {" \\, "}) if is_wide else [piece]
    return found


def _cut(latex: str, operators: Iterable[str]) -> list[str]:
    """A formula in parts that begin with one of the operators, outside of brackets."""
    depth, begin, parts = 0, 0, []
    for match in _MATH.finditer(latex):
        token = match[0]
        if token in {"{", "(", "["}:
            depth += 1
        elif token in {"}", ")", "]"}:
            depth -= 1
        elif not depth and token in operators and match.start() > 0:
            parts.append(latex[begin : match.start()])
            begin = match.start()
    return [*parts, latex[begin:]]


def _packed(pieces: Sequence[str], widths: Sequence[float], width: float) -> list[list[str]] | None:
    """Pieces in lines no wider than `width`, as many in each as fit; None if one is too wide."""
    lines: list[list[str]] = []
    used = width + 1
    for piece, own in zip(pieces, widths):
        if used + own > width:
            lines.append([])
            used = INDENT
        if used + own > width + INDENT:
            return None
        lines[-1].append(piece)
        used += own
    return lines


def typed(
    left: str,
    text: str,
    fixed: Mapping[str, float],
    width: float = WIDTH,
    definitions: Mapping[str, str] | None = None,
) -> str:
    """A text that the user typed, broken before operators, with its definitions and values."""
    lines = _typed_lines(left, text, width)
    for name, meant in (definitions or {}).items():
        if len(lines) < MOST_LINES:
            lines += _typed_lines(f"with {name}", meant, width)[: MOST_LINES - len(lines)]
    values = _short(f", {name} = {value:.4g}" for name, value in fixed.items())
    sizes = [width_of(part, math=False) for part in values]
    if len(lines) == 1 and sum(sizes) + width_of("".join(lines[0]), math=False) <= width:
        lines[0] += values
    else:
        lines += _packed(values, sizes, width) or []
    first, *more = ("".join(line).strip() for line in lines)
    return "\n".join([first, *("    " + line.removeprefix(", ") for line in more)])


def _typed_lines(left: str, text: str, width: float) -> list[list[str]]:
    """An equation in up to LINES lines; dots stand for what does not fit."""
    pieces = _short(_typed_pieces(f"{left} = ", " ".join(text.split())[:1000]))
    lines = _packed(pieces, [width_of(part, math=False) for part in pieces], width) or []
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], [*lines[LINES - 1][:-1], " ..."]]
    return lines


def _short(pieces: Iterable[str]) -> list[str]:
    """Pieces of at most 40 letters, which fit in a line."""
    wrapped = (textwrap.wrap(piece, 40, drop_whitespace=False) for piece in pieces)
    return [part for parts in wrapped for part in parts]


def _typed_pieces(left: str, text: str) -> list[str]:
    """A text cut before its operators and after its commas; backquoted names stay whole."""
    places = [0]
    for match in _TYPED.finditer(text):
        places += [match.end()] if match["after"] else [match.start()] if match["before"] else []
    cut = [text[i:j] for i, j in itertools.pairwise([*places, len(text)]) if j > i]
    return [left + _four_digits(cut[0]), *map(_four_digits, cut[1:])]


def symbol(name: str) -> str:
    """A name as the label of an axis or of a curve."""
    return fitting([f"${latex_name(name)}$"], 300) or textwrap.shorten(name, 40)


def at_curve(text: str) -> str:
    """A label such as ``v, k = 2`` with its names as mathematics, where that can be set."""
    parts = [part.split(" = ") for part in text.split(", ")]
    shown = [" = ".join([latex_name(part[0]), *map(scientific, part[1:])]) for part in parts]
    return fitting([f"${', '.join(shown)}$"], 200) or textwrap.shorten(text, 40)


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


def missing_letters(text: str) -> str:
    """The letters of a text that the font of the labels does not have."""
    with style():
        from matplotlib.font_manager import FontProperties, findfont, get_font

        font = get_font(findfont(FontProperties()))
    letters = dict.fromkeys(text[:1000])
    return "".join(letter for letter in letters if not font.get_char_index(ord(letter)))

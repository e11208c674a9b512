"""``dezero plot``: a picture of an expression and its derivatives."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from dezero_cli import report
from dezero_cli.arguments import ExpressionCommand, defs_option
from dezero_cli.faults import UsageError, did_you_mean
from dezero_cli.language import explain, ranges, statements, symbolic
from dezero_cli.language.diagnosis import missing_value
from dezero_cli.language.expression import Expression
from dezero_cli.language.ranges import Range
from dezero_cli.language.words import Formula, formula
from dezero_cli.output import open_output
from dezero_cli.pictures import plot as plotting

HELP = """Draw EXPR and its derivatives over a range, or its contours and gradient over two.

\b
  dezero plot 'sin(x)*exp(-x/5)' x=0:20 -o damped.svg
  dezero plot 'a*x**3 - x' x=-2:2 a=0.5 --order 2 -o cubic.pdf
  dezero plot 'sin(r)/r' 'r=hypot(x, y)' x=-9:9 y=-9:9 -o ripple.svg
  dezero plot '(1-x)**2 + 100*(y-x**2)**2' x=-2:2 y=-1:3 -o valley.png

A range is START:STOP or START:STOP:COUNT; its ends may be expressions of constants (-pi:pi).
Poles, jumps and undefined ranges are left as gaps.
"""
ENDINGS = ".png, .svg or .pdf"
LARGEST = 4_000_000
"""The most samples that a grid may have."""


@click.command(
    "plot",
    cls=ExpressionCommand,
    help=HELP,
    short_help="Draw EXPR and its derivatives over one or two ranges.",
    no_args_is_help=True,
)
@click.argument("words", nargs=-1, metavar="EXPR NAME=START:STOP... [NAME=VALUE]...")
@click.option(
    "--order",
    type=click.IntRange(0, 6),
    metavar="N",
    help="Draw derivatives up to order N, with one range (default: 1).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False),
    metavar="FILE",
    help="Write a .png, .svg or .pdf file; - is standard output.",
)
@click.option(
    "--to",
    "form",
    type=click.Choice(plotting.FORMS),
    help="Output format, whatever the name of FILE.",
)
@defs_option
def command(
    words: tuple[str, ...],
    order: int | None,
    output: str | None,
    form: str | None,
    defs: str | None,
) -> None:
    """Read the ranges, draw, write."""
    if output is None and sys.stdout.isatty():
        raise UsageError(f"a picture cannot be shown on a terminal: add -o FILE ({ENDINGS})")
    form = form or _form(output)
    asked = formula(words, "'x**2' x=-3:3", defs)
    shown = _ranges(asked)
    said = asked.given(columns=[each.name for each in shown])
    expression, fixed = said.linked(asked.text), said.values
    _check(expression, shown, fixed)
    if expression.is_list and (order is not None or len(shown) == 2):
        raise UsageError("several results are drawn over one range, without derivatives")
    if order is not None and len(shown) == 2:
        raise UsageError("--order works with one range only: two ranges show the gradient")
    numbers = {name: float(array) for name, array in fixed.items() if name in expression.names}
    subject = plotting.Subject(expression, shown, numbers, 1 if order is None else order)
    picture = plotting.picture(subject, form)
    if missing := plotting.missing_letters(subject):
        report.warn(f"note: the font lacks these letters, so the picture shows boxes: {missing}")
    with open_output(output) as target:
        target.write(picture)
    given = {*fixed, *(each.name for each in shown)}
    if note := explain.note_on_e(expression, given, explain.GIVE_E):
        report.warn(note)


def _ranges(asked: Formula) -> list[Range]:
    """The ranges among the statements, which they leave."""
    found = []
    for key, (begun, word) in list(asked.said.items()):
        text = statements.behind(word, begun)
        if begun.parameters is None and ranges.parts(text) is not None:
            found.append(ranges.span(begun.name, text))
            del asked.said[key]
    return found


def _form(output: str | None) -> str:
    """The format of a picture that goes to a file of that name, or to standard output."""
    if output is None or output == "-":
        return plotting.FORMS[0]
    ending = Path(output).suffix.lower().lstrip(".")
    if ending not in plotting.FORMS:
        raise UsageError(f"{output}: expected a file that ends in {ENDINGS}, or --to")
    return ending


def _check(expression: Expression, shown: Sequence[Range], fixed: Mapping[str, np.ndarray]) -> None:
    """Refuse what cannot be drawn: no range, or too many; a name without a value, or unknown."""
    given = {each.name for each in shown}
    names = symbolic.free_names(expression, [*fixed, *given])
    example = next((name for name in names if name not in fixed), "x")
    if not 1 <= len(shown) <= 2:
        count = "no range" if not shown else f"{len(shown)} ranges"
        raise UsageError(f"{count}: give one or two, such as {example}=-3:3")
    for name in names:
        if name not in given and name not in fixed:
            known = dict.fromkeys([*given, *fixed])
            text, place = expression.source(name)
            raise missing_value(text, name, place, known)
    for each in shown:
        if each.name not in expression.names:
            hint = did_you_mean(each.name, names) or f"it uses {', '.join(names) or 'no names'}"
            raise UsageError(f"no {each.name} in the expression: {hint}")
    if math.prod(each.count or plotting.FIELD_SAMPLES for each in shown) > LARGEST:
        raise UsageError(f"a grid may have at most {LARGEST:,} samples: give smaller counts")
    for name, array in fixed.items():
        if array.ndim:
            raise UsageError(f"{name} is a list: a plot needs one number, or a range")

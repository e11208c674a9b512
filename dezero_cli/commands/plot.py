"""``dezero plot``: a picture of an expression and its derivatives."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click
import numpy as np

from dezero_cli import report
from dezero_cli.arguments import (
    ExpressionCommand,
    defs_option,
    max_operations_option,
    size_option,
    theme_option,
    title_option,
)
from dezero_cli.faults import UsageError, did_you_mean
from dezero_cli.language import equations, explain, ranges, statements, symbolic
from dezero_cli.language.diagnosis import missing_value
from dezero_cli.language.expression import Expression
from dezero_cli.language.fitted import FittedValues, fitted
from dezero_cli.language.ranges import Range
from dezero_cli.language.spelling import canonical
from dezero_cli.language.words import Formula, formula
from dezero_cli.output import open_output
from dezero_cli.pictures import canvas, points
from dezero_cli.pictures.subject import FIELD_SAMPLES, Subject, Uncertain

if TYPE_CHECKING:
    from dezero_cli.language.number_files import Columns
    from dezero_cli.pictures.fits import Points
    from dezero_cli.uncertainty.asked import Size

HELP = """Draw EXPR and its derivatives over a range, or its contours and gradient over two.

\b
  dezero plot 'sin(x)*exp(-x/5)' x=0:20 -o damped.svg
  dezero plot 'a*x**3 - x' x=-2:2 a=[0.5,1,2] -o family.pdf
  dezero plot 'y == a*exp(-k*t)' a=9 k=0.3 --data decay.csv --sigma y=sy -o fit.png
  dezero plot '(1-x)**2 + 100*(y-x**2)**2' x=-2:2 y=-1:3 -o valley.png

A range is START:STOP or START:STOP:COUNT; its ends may be expressions of constants (-pi:pi).
Poles, jumps and undefined ranges are left as gaps.  A list of values is a curve for each.
Without -o the picture is drawn in the terminal, in letters.
"""
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
    help="Draw derivatives up to order N, with one range (default: 1, or 0 with several curves, "
    "with --data and with --fit).",
)
@click.option(
    "--data",
    metavar="FILE",
    help="Add the points of a table; 'y == EXPR' says which column is drawn.",
)
@click.option("--join", is_flag=True, help="Join the points of --data, in the order of their rows.")
@click.option(
    "--fit",
    metavar="FILE",
    help="Take values, and their covariance for a band, from what dezero fit --json wrote.",
)
@click.option(
    "--sigma",
    multiple=True,
    metavar="NAME=S",
    help="The standard uncertainty of a value, drawn as a band, or of a column of --data, drawn "
    "as error bars; S is a number, 2%, or the name of a column (repeatable).",
)
@click.option(
    "--log",
    type=click.Choice(("x", "y", "xy")),
    help="Logarithmic axes.",
)
@title_option
@size_option
@theme_option
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
    type=click.Choice(canvas.FORMS),
    help="Output format, whatever the name of FILE.",
)
@max_operations_option
@defs_option
def command(
    words: tuple[str, ...],
    order: int | None,
    data: str | None,
    join: bool,
    fit: str | None,
    sigma: tuple[str, ...],
    log: str | None,
    title: str,
    size: str | None,
    theme: str,
    output: str | None,
    form: str | None,
    max_operations: int,
    defs: str | None,
) -> None:
    """Read what is to be drawn, draw, write."""
    in_terminal = output is None and form is None and sys.stdout.isatty()
    if output is None and form and sys.stdout.isatty():
        raise UsageError(f"a picture cannot be shown on a terminal: add -o FILE ({canvas.ENDINGS})")
    form = form or _form(output)
    look = canvas.Look(title, canvas.size_of(size) if size else None, log or "", theme)
    readers = [option for option, file in (("--data", data), ("--fit", fit)) if file == "-"]
    asked = formula(words, "'x**2' x=-3:3", defs, readers=readers)
    table = points.opened(data) if data else None
    found = fitted(fit) if fit else None
    if join and not table:
        raise UsageError("--join joins the points of --data: add --data FILE")
    scene = _scene(asked, table, found, sigma, order, look.log, max_operations)
    if scene.points is not None:
        scene = replace(scene, points=replace(scene.points, joined=join))
    if in_terminal:
        _show(scene, title)
    else:
        _write(scene, look, form, output)
    for note in scene.notes:
        report.warn(note)


@dataclass(frozen=True)
class Scene:
    """What is drawn: a subject, the points of a table, and what the user should know."""

    subject: Subject
    points: Points | None
    notes: list[str]


def _write(scene: Scene, look: canvas.Look, form: str, output: str | None) -> None:
    """Draw a picture and write it."""
    from dezero_cli.pictures import labels, plot

    picture = plot.picture(scene.subject, form, look, scene.points)
    if missing := labels.missing_letters(f"{scene.subject.expression.text} {look.title}"):
        report.warn(f"note: the font lacks these letters, so the picture shows boxes: {missing}")
    with open_output(output) as target:
        target.write(picture)


def _show(scene: Scene, title: str) -> None:
    """Draw in the terminal."""
    from dezero_cli.pictures import terminal

    terminal.show(scene.subject, title, scene.points)


def _scene(
    asked: Formula,
    table: Columns | None,
    fit: FittedValues | None,
    sigma: Sequence[str],
    order: int | None,
    log: str,
    most: int,
) -> Scene:
    """What is to be drawn.  Raises UsageError and its like for what cannot be."""
    shown = _ranges(asked)
    left, text = points.sides(asked.text) if table or fit else (None, asked.text)
    if fit and left is None:
        left, _ = points.sides(fit.text)
    names = [each.name for each in shown]
    known = [*(table.names if table else []), *(fit.values if fit else [])]
    said = asked.given(columns=[*names, *known])
    if fit:
        found = {name: np.array(value) for name, value in fit.values.items()}
        said.values = {n: x for n, x in found.items() if n not in said.definitions} | said.values
    if text is not asked.text:
        equations.equation(asked.text, said, most)  # which refuses what is no equation
    expression = said.linked(text, most)
    if table and not shown:
        shown = [points.range_of(expression, said, table)]
        names = [shown[0].name]
    family = _family(expression, said.values)
    _check(expression, shown, said.values)
    several = expression.is_list or family is not None
    if len(shown) == 2 and (several or order is not None or sigma):
        fault = "two ranges show one result and its gradient: no lists, no --order, no --sigma"
        raise UsageError(fault)
    numbers = {n: float(x) for n, x in said.values.items() if n in expression.names and not x.ndim}
    sizes = points.sizes(sigma)
    inner, outer = points.sorted_out(sizes, numbers, family, table)
    notes: list[str] = []
    scattered = None
    if table:
        scattered, notes = points.of_table(table, names, left or asked.name, said, outer)
    if note := explain.note_on_e(expression, [*said.values, *names], explain.GIVE_E):
        notes.append(note)
    if order is None:
        order = 0 if several or table or fit or len(shown) == 2 else 1
    unused = next((name for name in "fyghF" if name not in expression.names), "value")
    result = asked.name or (canonical(left) if left else unused)
    band = _spread(inner, numbers, _kept(fit, asked))
    return Scene(
        Subject(expression, shown, numbers, order, family, result, log, band, most),
        scattered,
        notes,
    )


def _kept(fit: FittedValues | None, asked: Formula) -> FittedValues | None:
    """A fit without the parameters that have another value on the command line."""
    if fit is None:
        return None
    kept = [name for name in fit.values if name not in asked.said]
    numbers = [list(fit.values).index(name) for name in kept]
    values = {name: fit.values[name] for name in kept}
    return replace(fit, values=values, covariance=fit.covariance[np.ix_(numbers, numbers)])


def _spread(
    sizes: Mapping[str, Size], numbers: Mapping[str, float], fit: FittedValues | None
) -> Uncertain | None:
    """The uncertain values: those of a fit with their covariance, the others independent."""
    names = tuple(name for name in (fit.values if fit else []) if name not in sizes)
    if not sizes and not names:
        return None
    from dezero.programs.latex import latex_name

    covariance = np.zeros((len(names) + len(sizes),) * 2)
    if fit and names:
        kept = [list(fit.values).index(name) for name in names]
        covariance[: len(names), : len(names)] = fit.covariance[np.ix_(kept, kept)]
    if sizes:
        from dezero_cli.uncertainty.asked import Asked
        from dezero_cli.uncertainty.inputs import resolved

        given = {name: np.array(number) for name, number in numbers.items()}
        _, inputs = resolved(Asked(sizes), given)
        sigmas = [float(inputs.sigmas[name]) for name in sizes]
        covariance[len(names) :, len(names) :] = np.diag(np.square(sigmas))
    elif fit and fit.factor:
        level = "" if fit.level is None else f"{100 * fit.level:.4g} % "
        label = f"{level}confidence band (± {fit.factor:.3g} σ)"
        return Uncertain(names, covariance, fit.factor, label)
    shown = ", ".join(f"${latex_name(name)}$" for name in (*names, *sizes))
    return Uncertain((*names, *sizes), covariance, label=f"± 1 σ of {shown}")


def _family(expression: Expression, given: dict[str, np.ndarray]) -> tuple[str, np.ndarray] | None:
    """The one name whose value is a list, a curve for each; None without one.

    A list of one value is that value.
    """
    for name, array in given.items():
        if array.shape == (1,):
            given[name] = array[0]
    lists = [name for name, array in given.items() if array.ndim and name in expression.names]
    if not lists:
        return None
    if len(lists) > 1:
        raise UsageError(f"{' and '.join(lists)} are lists: one name may have a curve for each")
    name, array = lists[0], given[lists[0]]
    if array.ndim > 1 or not len(array):
        raise UsageError(
            f"{name} has shape {array.shape}: a plot needs a number, a list or a range"
        )
    return name, array


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
    return canvas.FORMS[0] if output is None or output == "-" else canvas.form_of(output)


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
    if math.prod(each.count or FIELD_SAMPLES for each in shown) > LARGEST:
        raise UsageError(f"a grid may have at most {LARGEST:,} samples: give smaller counts")

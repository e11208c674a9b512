"""``dezero plot``: a picture of an expression and its derivatives."""

from __future__ import annotations

import sys

import click

from dezero_cli import report
from dezero_cli.arguments import (
    ExpressionCommand,
    defs_option,
    max_operations_option,
    size_option,
    theme_option,
    title_option,
)
from dezero_cli.faults import UsageError
from dezero_cli.language import number_files
from dezero_cli.language.fitted import fitted
from dezero_cli.language.words import formula
from dezero_cli.output import open_output
from dezero_cli.pictures import canvas, points
from dezero_cli.pictures.scene import Drawing, Scene, staged

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
    if join and not data:
        raise UsageError("--join joins the points of --data: add --data FILE")
    wanted = Drawing(
        formula(words, "'x**2' x=-3:3", defs, readers=readers),
        number_files.columns(data) if data else None,
        fitted(fit) if fit else None,
        points.sizes(sigma),
        order,
        look.log,
        join,
        max_operations,
    )
    scene = staged(wanted)
    if in_terminal:
        _show(scene, title)
    else:
        _write(scene, look, form, output)
    for note in scene.notes:
        report.warn(note)


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


def _form(output: str | None) -> str:
    """The format of a picture that goes to a file of that name, or to standard output."""
    return (
        canvas.FORMS[0] if output is None or output == "-" else canvas.form_of(output, ", or --to")
    )

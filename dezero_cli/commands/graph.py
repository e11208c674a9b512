"""``dezero graph``: the computational graph of an expression."""

from __future__ import annotations

from pathlib import Path

import click

from dezero.utils import dot_text
from dezero_cli import report
from dezero_cli.arguments import ExpressionCommand, defs_option, max_operations_option
from dezero_cli.faults import UsageError
from dezero_cli.language import explain, symbolic
from dezero_cli.language.words import formula
from dezero_cli.pictures import graph as drawing

HELP = """Print the computational graph of EXPR as Graphviz DOT.

\b
  dezero graph 'sin(x*y) + x'
  dezero graph 'sin(x*y) + x' x=1 y=2 -o graph.svg
  dezero graph 'sin(x*y) + x' --to mermaid
  dezero graph 'r*exp(-r)' 'r=hypot(x, y)'

If all inputs have values, every node shows its value and its gradient.
"""


@click.command("graph", cls=ExpressionCommand, help=HELP, no_args_is_help=True)
@click.argument("words", nargs=-1, metavar="EXPR [NAME=VALUE]...")
@click.option("--to", "form", type=click.Choice(["dot", "mermaid"]), help="Output format.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw into a .svg, .png or .pdf file (with Graphviz).",
)
@defs_option
@max_operations_option
def command(
    words: tuple[str, ...],
    form: str | None,
    output: Path | None,
    defs: str | None,
    max_operations: int,
) -> None:
    """Build the graph, then print or draw it."""
    if form and output:
        raise UsageError("--to prints text and -o draws a file: choose one")
    asked = formula(words, defs=defs)
    said = asked.given()
    expression, given = said.linked(asked.text, max_operations), said.values
    missing = [name for name in symbolic.free_names(expression) if name not in given]
    if missing and not asked.own(said):  # the values of a formula file are left aside
        given = {}
    if given and missing:
        raise UsageError(f"give values for all inputs or for none: {missing[0]} has no value")
    graph = drawing.nodes(expression, given)
    if output:
        drawing.draw(dot_text(graph), output)
    else:
        report.write(drawing.mermaid(graph) if form == "mermaid" else dot_text(graph))
    if note := explain.note_on_e(expression, given, explain.GIVE_E):
        report.warn(note)

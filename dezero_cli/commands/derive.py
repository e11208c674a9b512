"""``dezero derive``: partial derivatives as formulas or as code."""

from __future__ import annotations

import click

from dezero_cli import report
from dezero_cli.arguments import ExpressionCommand, json_option, wrt_option
from dezero_cli.faults import UsageError
from dezero_cli.language import explain, symbolic
from dezero_cli.language.parser import parse
from dezero_cli.language.spelling import canonical_words
from dezero_cli.language.words import expression_and_values

HELP = """Print each partial derivative of EXPR as a formula.

\b
  dezero derive 'x**3/2 - y'
  dezero derive 'sin(x*y)' --wrt x --order 2
  dezero derive 'a*exp(-b*t)' --to c
  dezero derive 'a*exp(-b*t)' --to c --name decay --real float

The formulas are in this tool's own language, so it can read them back.
"""
MOST = 1_000_000
"""Operations that derivatives may take, unless told otherwise."""
FORMS = ("latex", "c", "python", "numpy", "sql", "js")
FUNCTIONS = ("c", "python", "numpy", "js")


@click.command("derive", cls=ExpressionCommand, help=HELP)
@click.argument("words", nargs=-1, metavar="EXPR")
@wrt_option
@click.option(
    "--order", type=click.IntRange(1, 20), default=1, metavar="N", help="Order of the derivatives."
)
@click.option(
    "--to", "form", type=click.Choice(FORMS), help="Print the value and the derivatives as code."
)
@click.option("--name", metavar="NAME", help="With --to: what the function is called (default: f).")
@click.option(
    "--real", type=click.Choice(("double", "float")), help="With --to c: the type of its numbers."
)
@click.option(
    "--max-operations",
    type=click.IntRange(1),
    default=MOST,
    show_default=True,
    metavar="N",
    help="The most operations that the derivatives may take.",
)
@json_option
def command(
    words: tuple[str, ...],
    wrt: tuple[str, ...],
    order: int,
    form: str | None,
    name: str | None,
    real: str | None,
    max_operations: int,
    as_json: bool,
) -> None:
    """Differentiate, write the formulas, report."""
    text, given = expression_and_values(words, "'a*b+c'")
    if given:
        raise UsageError(
            f"unexpected {given[0]!r}: derive takes no values; use dezero eval for numbers"
        )
    if form and as_json:
        raise UsageError("--to prints code: leave out --json")
    if name is not None and form not in FUNCTIONS:
        raise UsageError(f"--name is for functions: --to {', '.join(FUNCTIONS[:-1])} or js")
    if real and form != "c":
        raise UsageError("--real is for C: --to c")
    expression, wrt = parse(text), canonical_words(wrt)
    names = symbolic.wanted_names(expression, wrt)
    free = symbolic.free_names(expression, wrt)
    wanted, program = symbolic.derivatives(expression, free, names, order, max_operations)
    if form:
        options = (name, real or "double")
        report.write(symbolic.code(form, program, [(), *wanted], text, *options))
    else:
        _write(text, wanted, symbolic.texts(program, text)[1:], as_json)
    if note := explain.note_on_e(expression, names, "--wrt e makes it an input"):
        report.warn(note)


def _write(text: str, wanted: list[tuple[str, ...]], formulas: list[str], as_json: bool) -> None:
    """Write the derivatives as formulas."""
    if as_json:
        keys = [",".join(each) for each in wanted]
        report.write(
            report.json_line({"expr": text, "grad": dict(zip(keys, formulas, strict=True))})
        )
        return
    if not wanted:
        report.warn("note: the expression has no inputs to differentiate by")
        return
    rows = [(report.derivative_label(each), f) for each, f in zip(wanted, formulas, strict=True)]
    report.write(report.columns(rows))

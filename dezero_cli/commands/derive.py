"""``dezero derive``: partial derivatives as formulas or as code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from dezero_cli import report
from dezero_cli.arguments import (
    ExpressionCommand,
    defs_option,
    json_option,
    max_operations_option,
    wrt_option,
)
from dezero_cli.faults import FileText, UsageError
from dezero_cli.language import explain, symbolic
from dezero_cli.language.expression import Expression
from dezero_cli.language.results import names_of
from dezero_cli.language.spelling import some_names
from dezero_cli.language.statements import Given
from dezero_cli.language.words import Formula, definitions_used, formula

HELP = """Print each partial derivative of EXPR as a formula.

\b
  dezero derive 'x**3/2 - y'
  dezero derive 'sin(x*y)' --wrt x --order 2
  dezero derive 'a*exp(-k*t)' k=1/tau
  dezero derive 'a*exp(-b*t)' --to c
  dezero derive 'a*exp(-b*t)' --to c --name decay --real float

The formulas are in this tool's own language, so it can read them back.
"""
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
@json_option
@defs_option
@max_operations_option
def command(
    words: tuple[str, ...],
    wrt: tuple[str, ...],
    order: int,
    form: str | None,
    name: str | None,
    real: str | None,
    as_json: bool,
    defs: str | None,
    max_operations: int,
) -> None:
    """Differentiate, write the formulas, report."""
    asked = formula(words, "'a*b+c'", defs)
    said = asked.given()
    _refuse_values(asked, said)
    if form and as_json:
        raise UsageError("--to prints code: leave out --json")
    if name is not None and form not in FUNCTIONS:
        raise UsageError(f"--name is for functions: --to {', '.join(FUNCTIONS[:-1])} or js")
    if real and form != "c":
        raise UsageError("--real is for C: --to c")
    wrt = some_names(wrt)
    expression = said.linked(asked.text, max_operations).without(wrt)
    names = symbolic.wanted_names(expression, wrt)
    free = symbolic.free_names(expression, wrt)
    found = [
        symbolic.derivatives(each, free, names, order, max_operations)
        for each in expression.results
    ]
    if form:
        _write_code(expression, found, form, (name, real or "double"), free)
    else:
        _write_formulas(expression, found, as_json)
    if note := explain.note_on_e(expression, names, "--wrt e makes it an input"):
        report.warn(note)


def _refuse_values(asked: Formula, said: Given) -> None:
    """Refuse a value of the command line; those of a formula file are left aside."""
    for name in said.values:
        word = asked.said[name][1]
        if not isinstance(word, FileText):
            message = "derive takes no values; use dezero eval for numbers"
            raise UsageError(f"unexpected {word!r}: {message}")


def _write_code(
    expression: Expression,
    found: Sequence[symbolic.Derivatives],
    form: str,
    options: tuple[str | None, str],
    free: Sequence[str],
) -> None:
    """Write the value and the derivatives of each result as code."""
    title = _title(expression)
    local = {} if form == "latex" else symbolic.definitions(expression, free)
    if expression.is_list:
        wanted, numbers, program = symbolic.of_several(found)
        results = names_of(expression)
        if len(set(results)) < len(results):
            raise UsageError("two results have the same name: give each a name of its own")
        of = tuple(results[i] for i in numbers)
    else:
        wanted, program = found[0]
        wanted, of = [(), *wanted], ()
    report.write(symbolic.code(form, program, wanted, title, *options, of, local))


def _title(expression: Expression) -> str:
    """What the code computes, definitions included."""
    defs = [f"{head} = {text}" for head, text in definitions_used(expression).items()]
    return "; ".join([expression.text, *defs])


def _write_formulas(
    expression: Expression, found: Sequence[symbolic.Derivatives], as_json: bool
) -> None:
    """Write the derivatives of each result as formulas."""
    rows: list[dict[tuple[str, ...], str]] = []
    for wanted, program in found:
        formulas = symbolic.texts(program, expression.text)[1:]
        rows.append(dict(zip(wanted, formulas, strict=True)))
    if as_json:
        grad: dict[str, Any] = {
            ",".join(key): [row[key] for row in rows] if expression.is_list else rows[0][key]
            for key in rows[0]
        }
        several = {"names": names_of(expression)} if expression.is_list else {}
        defs = definitions_used(expression)
        head = {"expr": str(expression.text)} | ({"defs": defs} if defs else {})
        report.write(report.json_line(head | several | {"grad": grad}))
        return
    if not rows[0]:
        report.warn("note: the expression has no inputs to differentiate by")
        return
    of = names_of(expression) if expression.is_list else [""]
    lines = [
        (report.derivative_label(key, name), formula)
        for name, row in zip(of, rows, strict=True)
        for key, formula in row.items()
    ]
    report.write(report.columns(lines))

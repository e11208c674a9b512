"""``dezero eval``: the value of an expression and its gradient for every input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import numpy as np

from dezero_cli import places, report
from dezero_cli.arguments import (
    ExpressionCommand,
    defs_option,
    format_option,
    get_option,
    hessian_option,
    jacobian_option,
    json_option,
    max_operations_option,
    no_grad_option,
    precision_option,
    sigma_option,
    vars_option,
    wrt_option,
)
from dezero_cli.faults import UsageError
from dezero_cli.language import bounds, propagation, statements
from dezero_cli.language.expression import Expression
from dezero_cli.language.results import Wanted, results, wanted_by
from dezero_cli.language.spelling import canonical_words, some_names
from dezero_cli.language.words import definitions_used, formula
from dezero_cli.number_format import NumberFormat

HELP = """Print the value of EXPR and its gradient for every input.

\b
  dezero eval 'x**3/2 - y' x=2 y=1
  dezero eval 'sin(theta)' theta=pi/4 --json
  dezero eval 'a*x + b' a=2 b=1 'x=[1,2,3]'
  dezero eval 'sum(a*x + b)' a=2 b=1 x=@data.csv:length
  dezero eval 'exp(-r)/r' 'r=hypot(x, y)' x=3 y=4
  v=$(dezero eval 'x**2' x=3 --get value)
  dezero eval 'm*g*h' m=2 g=9.81 h=3 --sigma m=0.01 --sigma h=0.05

VALUE is a number, an expression of constants, a list or @FILE. NAME=FORMULA defines a name, and
'g(t)=FORMULA' a function. EXPR may be a list of several results, or @FILE with a formula in it. The
gradient of an array-valued expression is the gradient of its sum.

\b
Files of values (several columns are a matrix, @FILE:COLUMN is one of them, @- is standard input):
  npy json txt csv tsv jsonl ndjson parquet arrow feather ipc
"""


@click.command("eval", cls=ExpressionCommand, help=HELP, no_args_is_help=True)
@click.argument("words", nargs=-1, metavar="EXPR [NAME=VALUE]...")
@vars_option
@defs_option
@wrt_option
@no_grad_option
@click.option(
    "--retain-grad", is_flag=True, help="Add every intermediate result with its gradient."
)
@jacobian_option
@hessian_option
@sigma_option
@click.option("--strict", is_flag=True, help="Exit with status 1 if a result is not finite.")
@json_option
@get_option
@precision_option
@format_option
@max_operations_option
@click.option(
    "--max-numbers",
    type=click.IntRange(1),
    metavar="N",
    help="Refuse operations that make more numbers (default: no limit).",
)
def command(
    words: tuple[str, ...],
    vars_file: str | None,
    defs: str | None,
    wrt: tuple[str, ...],
    no_grad: bool,
    retain_grad: bool,
    jacobian: bool,
    hessian: bool,
    sigma: tuple[str, ...],
    strict: bool,
    as_json: bool,
    get: tuple[str, ...],
    precision: int | None,
    form: str | None,
    max_operations: int,
    max_numbers: int | None,
) -> int:
    """Read the arguments, evaluate, report."""
    if get and as_json:
        raise UsageError("--get prints numbers alone: leave out --json")
    asked = formula(words, defs=defs, vars_file=vars_file, readers=statements.readers(sigma))
    sigmas, get = propagation.uncertainties(sigma), canonical_words(get)
    options = Wanted(some_names(wrt) or None, no_grad, jacobian, hessian, retain_grad, sigmas)
    wanted = wanted_by(get, options)
    said = asked.given()
    given = said.values
    with bounds.within(max_numbers, asked.text):
        expression = said.linked(asked.text, max_operations)
        found = results(expression, given, wanted, own=asked.own(said))
    used = definitions_used(expression)
    result = {"expr": str(asked.text)} | ({"defs": used} if used else {}) | found
    show = NumberFormat(precision, form)
    if get:
        report.write("".join(places.text(places.found(result, w), show) + "\n" for w in get))
    elif as_json:
        report.write(report.json_line(result))
    else:
        report.write(report.text_lines(report.result_rows(result, asked.name or ""), show))
    return _explain(expression, given, result, strict)


def _explain(
    expression: Expression, given: Mapping[str, np.ndarray], result: Mapping[str, Any], strict: bool
) -> int:
    """Say why a result is not finite; give the exit status."""
    if all(map(_finite, [result["value"], *result.get("grad", {}).values()])):
        return 0
    from dezero_cli.language.explain import explanation

    asked = result.get("grad", {})
    notes = (explanation(each, given, asked) for each in expression.results)
    if note := next(filter(None, notes), None):
        report.warn(note)
    return 1 if strict else 0


def _finite(item: Any) -> bool:
    """Whether an array, or each of a list of results, is finite."""
    return all(map(_finite, item)) if type(item) is list else bool(np.isfinite(item).all())

"""``dezero eval``: the value of an expression and its gradient for every input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations_with_replacement
from typing import Any

import click
import numpy as np

from dezero import Variable
from dezero_cli import report
from dezero_cli.arguments import (
    ExpressionCommand,
    expression_and_values,
    hessian_option,
    jacobian_option,
    json_option,
    precision_option,
    vars_option,
)
from dezero_cli.language import differentiate, values
from dezero_cli.language.expression import Expression, Operation, parse

HELP = """Print the value of EXPR and its gradient for every input.

\b
  dezero eval 'x**3/2 - y' x=2 y=1
  dezero eval 'sin(theta)' theta=pi/4 --json
  dezero eval 'a*x + b' a=2 b=1 x=[1,2,3]
  dezero eval 'a*x + b' a=2 b=1 x=@data.csv
  dezero eval 'm*g*h' m=2 g=9.81 h=3 --sigma m=0.01 --sigma h=0.05

VALUE is a number, an expression of constants, a JSON list or @FILE (.npy, .json, or .csv and
.txt with one number a line). The gradient of an array-valued expression is that of its sum.
"""


@click.command("eval", cls=ExpressionCommand, help=HELP, no_args_is_help=True)
@click.argument("words", nargs=-1, metavar="EXPR [NAME=VALUE]...")
@vars_option
@click.option("--wrt", multiple=True, metavar="NAME", help="Gradient for NAME only (repeatable).")
@click.option("--no-grad", is_flag=True, help="Print the value alone.")
@click.option("--retain-grad", is_flag=True, help="Add every intermediate with its gradient.")
@jacobian_option
@hessian_option
@click.option(
    "--sigma",
    multiple=True,
    metavar="NAME=S",
    help="Propagate the standard uncertainty S of NAME to the result (repeatable).",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a result is not finite.")
@json_option
@precision_option
def command(
    words: tuple[str, ...],
    vars_file: str | None,
    wrt: tuple[str, ...],
    no_grad: bool,
    retain_grad: bool,
    jacobian: bool,
    hessian: bool,
    sigma: tuple[str, ...],
    strict: bool,
    as_json: bool,
    precision: int | None,
) -> int:
    """Take the arguments, differentiate, report."""
    if no_grad and (wrt or retain_grad or jacobian or hessian or sigma):
        raise click.UsageError("--no-grad prints the value alone: leave out what needs a gradient")
    text, assignments = expression_and_values(words)
    expression = parse(text)
    given = values.merged(
        values.variables_file(vars_file) if vars_file else {}, values.assignments(assignments)
    )
    sigmas = differentiate.checked_sigmas(values.uncertainties(sigma), given)
    result: dict[str, Any] = {"expr": text}
    if no_grad:
        result["value"] = differentiate.value(expression, given)
    else:
        result |= _derivatives(expression, given, wrt, sigmas, retain_grad)
        names = list(result["grad"])
        if jacobian:
            result["jacobian"] = differentiate.jacobian(expression, given, names)
        if hessian:
            result["hessian"] = differentiate.hessian(expression, given, names)
    if as_json:
        report.write(report.json_line(result))
    else:
        report.write(report.text_lines(_rows(result), precision))
    return _explain(expression, given, result, strict)


def _derivatives(
    expression: Expression,
    given: Mapping[str, np.ndarray],
    wrt: tuple[str, ...],
    sigmas: Mapping[str, np.ndarray],
    retain_grad: bool,
) -> dict[str, Any]:
    """The value, the gradients and what else was asked for."""
    kept: list[tuple[Operation, Variable]] | None = [] if retain_grad else None
    names = differentiate.inputs(expression, given, wrt)
    needed = list(dict.fromkeys([*names, *sigmas]))
    value, gradients = differentiate.value_and_gradient(expression, given, needed, kept)
    result: dict[str, Any] = {"value": value, "grad": {name: gradients[name] for name in names}}
    if kept is not None:
        result["intermediates"] = [
            {
                "expr": expression.text[operation.start : operation.end],
                "value": variable.data,
                "grad": np.zeros(variable.shape) if variable.grad is None else variable.grad,
            }
            for operation, variable in kept
        ]
    if sigmas:
        result |= differentiate.propagated(value, gradients, sigmas)
    return result


def _rows(result: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Labels and arrays of the text form."""
    yield "value", result["value"]
    for name, gradient in result.get("grad", {}).items():
        yield f"d/d{name}", gradient
    for name, block in result.get("jacobian", {}).items():
        yield f"jacobian {name}", block
    for pair in combinations_with_replacement(result.get("hessian", {}), 2):
        yield report.derivative_label(pair), result["hessian"][pair[0]][pair[1]]
    if "sigma" in result:
        yield "sigma", result["sigma"]
        for name, share in result["share"].items():
            yield f"share of {name}", share
    for intermediate in result.get("intermediates", []):
        yield intermediate["expr"], intermediate["value"]
        yield f"  d/d({intermediate['expr']})", intermediate["grad"]


def _explain(
    expression: Expression, given: Mapping[str, np.ndarray], result: Mapping[str, Any], strict: bool
) -> int:
    """Say why a result is not finite; give the exit status."""
    arrays = [result["value"], *result.get("grad", {}).values()]
    if all(np.isfinite(array).all() for array in arrays):
        return 0
    from dezero_cli.language.explain import explanation

    note = explanation(expression, given)
    if note:
        report.warn(note)
    return 1 if strict else 0

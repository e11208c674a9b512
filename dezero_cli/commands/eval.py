"""``dezero eval``: the value of an expression and its gradient for every input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from dezero_cli import places, report
from dezero_cli.arguments import (
    ExpressionCommand,
    corr_option,
    defs_option,
    dist_option,
    dof_option,
    draws_seed_option,
    file_names,
    fit_option,
    format_option,
    get_option,
    half_option,
    hessian_option,
    jacobian_option,
    json_option,
    level_option,
    max_operations_option,
    mc_option,
    no_grad_option,
    order_option,
    precision_option,
    sigma_option,
    vars_option,
    wrt_option,
)
from dezero_cli.faults import UsageError, ValuesError
from dezero_cli.language import bounds, statements
from dezero_cli.language.derivatives import Values
from dezero_cli.language.expression import Expression
from dezero_cli.language.results import Wanted, results, wanted_by
from dezero_cli.language.spelling import canonical_words, some_names
from dezero_cli.language.words import definitions_used, formula
from dezero_cli.number_format import NumberFormat
from dezero_cli.output import open_output

if TYPE_CHECKING:
    from dezero_cli.language.fitted import FittedValues
    from dezero_cli.uncertainty.asked import Asked
    from dezero_cli.uncertainty.draws import Sample
    from dezero_cli.uncertainty.propagation import Aside

HELP = """Print the value of EXPR and its gradient for every input.

\b
  dezero eval 'x**3/2 - y' x=2 y=1
  dezero eval 'sin(theta)' theta=pi/4 --json
  dezero eval 'a*x + b' a=2 b=1 'x=[1,2,3]'
  dezero eval 'sum(a*x + b)' a=2 b=1 x=@data.csv:length
  dezero eval 'exp(-r)/r' 'r=hypot(x, y)' x=3 y=4
  v=$(dezero eval 'x**2' x=3 --get value)
  dezero eval 'm*g*h' m=2 g=9.81 h=3 --sigma m=0.01 --sigma h=2% --budget
  dezero eval 'log(x)' x=1 --half x=0.9 --mc 1000000 --seed 1

VALUE is a number, an expression of constants, a list or @FILE. NAME=FORMULA defines a name, and
'g(t)=FORMULA' a function. EXPR may be a list of several results, or @FILE with a formula in it. The
gradient of an array-valued expression is the gradient of its sum. Of a list of readings, --sigma
NAME=mean takes the mean and its uncertainty, and --corr A,B=mean that they were read together.

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
@half_option
@corr_option
@fit_option
@dist_option
@dof_option
@order_option
@mc_option
@draws_seed_option
@level_option
@click.option("--budget", is_flag=True, help="Print the table of what each input contributes.")
@click.option(
    "--plot",
    metavar="FILE",
    shell_complete=file_names,
    help="With --mc: draw the histogram, to .png, .svg or .pdf.",
)
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
    half: tuple[str, ...],
    corr: tuple[str, ...],
    fit: str | None,
    dist: tuple[str, ...],
    dof: tuple[str, ...],
    order: int,
    mc: str | None,
    seed: int | None,
    level: float | None,
    budget: bool,
    plot: str | None,
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
    if plot:
        _check_plot(plot, mc)
    readers = [*statements.readers([*sigma, *half]), *(["--fit"] if fit == "-" else [])]
    asked = formula(words, defs=defs, vars_file=vars_file, readers=readers)
    uncertain = _uncertain(sigma, half, corr, dist, dof, order, mc, seed, level, budget, bool(fit))
    options = Wanted(some_names(wrt) or None, no_grad, jacobian, hessian, retain_grad)
    get = canonical_words(get)
    wanted = wanted_by(get, options, bool(uncertain) or bool(fit))
    known = _fitted(fit)
    said = asked.given(known.values if known else ())
    given = said.values
    with bounds.within(max_numbers, asked.text):
        expression = said.linked(asked.text, max_operations)
        if known is not None:
            from dezero_cli.uncertainty import of_fit

            known = of_fit.among(known, expression.names, {*given, *said.definitions})
            numbers = {name: np.array(value) for name, value in known.values.items()}
            given, uncertain = numbers | given, of_fit.uncertain(known, uncertain)
        found, aside = _results(expression, given, wanted, uncertain, asked.own(said))
    used = definitions_used(expression)
    result = {"expr": str(asked.text)} | ({"defs": used} if used else {}) | found
    if plot and aside is not None and aside.sample is not None:
        _draw(plot, result, aside.sample, asked.name or str(asked.text), level)
    show = NumberFormat(precision, form)
    if get:
        report.write("".join(places.text(places.found(result, w), show) + "\n" for w in get))
    elif as_json:
        report.write(report.json_line(result))
    else:
        if budget:
            short = NumberFormat(precision or 5, form)
            report.write(report.budgets(result, show, short) + "\n")
        else:
            report.write(report.text_lines(report.result_rows(result, asked.name or ""), show))
        report.write(report.copied_lines(result))
    for note in aside.notes if aside else ():
        report.warn(note)
    return _explain(expression, given, result, strict)


def _uncertain(*options: Any) -> Asked | None:
    """What is said of uncertainties, if anything is; the last is whether a fit says more."""
    if options[:-1] == NOTHING:
        return None
    from dezero_cli.uncertainty import asked

    return asked.from_words(*options)


def _fitted(file: str | None) -> FittedValues | None:
    """What a fit found, if there is one."""
    if file is None:
        return None
    from dezero_cli.language import fitted

    return fitted.fitted(file)


NOTHING = ((), (), (), (), (), 1, None, None, None, False)
"""The options of uncertainty where none is given."""


def _results(
    expression: Expression,
    given: Values,
    wanted: Wanted,
    uncertain: Asked | None,
    own: list[str],
) -> tuple[dict[str, Any], Aside | None]:
    """The results, by the door of uncertainties where there are any, and what is not in them."""
    if uncertain is None:
        return results(expression, given, wanted, own=own), None
    from dezero_cli.uncertainty import propagation
    from dezero_cli.uncertainty import results as propagated

    aside = propagation.Aside()
    found = propagated.results(expression, given, wanted, uncertain, own=own, aside=aside)
    return found, aside


def _check_plot(file: str, mc: str | None) -> None:
    """Refuse a picture that cannot be, before anything is drawn."""
    from dezero_cli.pictures import canvas

    if not mc:
        raise UsageError("--plot draws a histogram of draws: add --mc N")
    canvas.form_of(file)


def _draw(
    file: str, result: Mapping[str, Any], sample: Sample, name: str, level: float | None
) -> None:
    """Draw the histogram of each number of the results, with the normal of first order over it.

    `name` is what a single result is called.
    """
    import textwrap

    from dezero_cli.extras import require
    from dezero_cli.pictures import canvas, histograms
    from dezero_cli.uncertainty.asked import LEVEL
    from dezero_cli.uncertainty.inputs import column_name

    form = canvas.form_of(file)
    if sample.left_out == sample.samples:
        raise ValuesError("--plot: no draw has a finite result")
    require("matplotlib")
    values = result["value"] if "names" in result else [result["value"]]
    sigmas = result["sigma"] if "names" in result else [result["sigma"]]
    keys = [
        column_name(textwrap.shorten(each, 60, placeholder=" ..."), index)
        for each, value in zip(result.get("names", [name]), values, strict=True)
        for index in np.ndindex(np.shape(value))
    ]
    normals = zip(*(np.concatenate(list(map(np.ravel, x))) for x in (values, sigmas)), strict=True)
    drawn = [
        histograms.DrawnResult(
            *(key, edges, counts, sample.samples - sample.left_out, float(sample.means[i])),
            *((float(low), float(high)), level or LEVEL, (float(value), float(sigma))),
        )
        for i, (key, (edges, counts), (low, high), (value, sigma)) in enumerate(
            zip(keys, sample.histograms, sample.intervals, normals, strict=True)
        )
    ]
    with open_output(file) as target:
        target.write(histograms.picture(drawn, form))


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

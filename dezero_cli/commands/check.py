"""``dezero check``: the gradient compared with an independent numerical one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from dezero_cli import places, report
from dezero_cli.arguments import (
    ExpressionCommand,
    defs_option,
    format_option,
    get_option,
    json_option,
    max_operations_option,
    precision_option,
    vars_option,
)
from dezero_cli.faults import UsageError
from dezero_cli.language import derivatives
from dezero_cli.language.results import held, inputs, names_of
from dezero_cli.language.spelling import canonical_words, some_names
from dezero_cli.language.words import definitions_used, formula
from dezero_cli.number_format import NumberFormat

if TYPE_CHECKING:
    from dezero.numerical import Comparison

HELP = """Compare the gradient of EXPR with numerical ones; exit with status 1 unless they agree.

\b
  dezero check 'sin(x)*y' x=1 y=2
  dezero check 'exp(-r)/r' 'r=hypot(x, y)' x=3 y=4
  dezero check 'sum((x@w - y)**2)' x=@x.csv 'w=[1,2]' y=@y.csv --wrt w

The numerical methods are the complex step, if the expression allows it, and Richardson's
extrapolation of differences with steps of several sizes. The gradient is called wrong only if two
methods that confirm each other exclude it; where they do not, as at a kink, the answer is that it
cannot be told. For an array, the element that agrees least is shown; --json has them all.
"""


@click.command(
    "check",
    cls=ExpressionCommand,
    help=HELP,
    short_help="Compare the gradient of EXPR with a numerical one.",
    no_args_is_help=True,
)
@click.argument("words", nargs=-1, metavar="EXPR [NAME=VALUE]...")
@vars_option
@defs_option
@click.option(
    "--wrt", multiple=True, metavar="NAME[,NAME]...", help="Check these inputs only (repeatable)."
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0),
    default=1e-6,
    show_default=True,
    metavar="T",
    help="Largest relative difference allowed, in addition to the numerical method's own error.",
)
@json_option
@get_option
@precision_option
@format_option
@max_operations_option
def command(
    words: tuple[str, ...],
    vars_file: str | None,
    defs: str | None,
    wrt: tuple[str, ...],
    tolerance: float,
    as_json: bool,
    get: tuple[str, ...],
    precision: int | None,
    form: str | None,
    max_operations: int,
) -> int:
    """Read the arguments, compare, report."""
    if get and as_json:
        raise UsageError("--get prints numbers alone: leave out --json")
    asked = formula(words, defs=defs, vars_file=vars_file)
    said = asked.given()
    chosen = some_names(wrt)
    expression, given = held(said.linked(asked.text, max_operations), said.values, chosen)
    by = [name for name in inputs(expression, given, chosen or None) if given[name].size]
    elements = zip(names_of(expression), expression.results, strict=True)
    several = expression.is_list
    compared = {
        (element if several else "", name): comparison
        for element, each in elements
        for name, comparison in derivatives.check(each, given, by, tolerance).items()
    }
    verdicts = {key: _verdict(comparison) for key, comparison in compared.items()}
    unconfirmed = [key for key, verdict in verdicts.items() if not verdict]
    show = NumberFormat(precision, form)
    if as_json or get:
        agrees = False if False in verdicts.values() else None if unconfirmed else True
        used = definitions_used(expression)
        head: dict[str, Any] = {"expr": str(asked.text)} | ({"defs": used} if used else {})
        head |= {"names": names_of(expression)} if several else {}
        result = head | {"agrees": agrees, "check": _checks(compared)}
        wanted = canonical_words(get)
        shown = "".join(places.text(places.found(result, w), show) + "\n" for w in wanted)
        report.write(shown if get else report.json_line(result))
    else:
        rows = [_row(key, comparison, show) for key, comparison in compared.items()]
        header = ("", "analytic", "numerical", "difference", "method")
        report.write(report.columns([header, *rows]) if rows else "nothing to check: no inputs\n")
    for key in unconfirmed:
        report.warn(f"error: {_fault(key, compared[key])}")
    return 1 if unconfirmed else 0


Key = tuple[str, str]
"""The name of a result, empty where there is one alone, and that of an input."""


def _checks(compared: Mapping[Key, Comparison]) -> dict[str, Any]:
    """The comparisons by input; of several results by result, then by input."""
    found: dict[str, Any] = {}
    for (element, name), comparison in compared.items():
        (found.setdefault(element, {}) if element else found)[name] = _object(comparison)
    return found


def _verdict(comparison: Comparison) -> bool | None:
    """Whether all elements of an input agree; None if none disagrees and some cannot be told."""
    if comparison.disagrees.any():
        return False
    return True if comparison.agrees.all() else None


def _object(comparison: Comparison) -> dict[str, Any]:
    verdict = _verdict(comparison)
    why = {"reason": comparison.reason[comparison.worst]} if verdict is None else {}
    return {
        "agrees": verdict,
        **why,
        "method": comparison.method,
        "analytic": comparison.analytic,
        "numerical": comparison.numerical,
        "difference": comparison.difference,
        "error": comparison.error,
    }


def _row(key: Key, comparison: Comparison, show: NumberFormat) -> tuple[str, ...]:
    """The element of an input that agrees least."""
    worst = comparison.worst
    numbers = (comparison.analytic, comparison.numerical, comparison.difference)
    texts = [show(array[worst]) for array in numbers]
    said = {True: "", False: "  DISAGREES", None: "  CANNOT TELL"}[_verdict(comparison)]
    return (_label(key, worst), *texts, comparison.method + said)


def _label(key: Key, index: tuple[int, ...]) -> str:
    """The derivative of a result for an element of an input."""
    return report.element_label(key[1], index, key[0])


def _fault(key: Key, comparison: Comparison) -> str:
    """Why an input's gradient is not confirmed."""
    worst = comparison.worst
    count = comparison.agrees.size - int(comparison.agrees.sum())
    others = f" (and {count - 1} more elements)" if count > 1 else ""
    what = f"cannot be checked: {comparison.reason[worst]}"
    if comparison.disagrees[worst]:
        what = "disagrees with the numerical derivative"
    return f"{_label(key, worst)} {what}{others}"

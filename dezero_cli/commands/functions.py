"""``dezero functions``: the functions and constants that an expression may use."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from dezero.functions import CONSTANTS, FUNCTIONS, NAMES
from dezero.names import Known
from dezero_cli import report
from dezero_cli.arguments import json_option
from dezero_cli.faults import ExpressionError, UsageError, did_you_mean
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse
from dezero_cli.number_format import number_text

HELP = """List the functions and constants that an expression may use, with their derivatives.

\b
  dezero functions
  dezero functions hypot
  dezero functions atan2 --json

With a NAME, an alias or not, show that function or constant alone.
"""


LONG = 400
"""Characters from which a derivative is left out of the list of all functions."""


@click.command(
    "functions", help=HELP, short_help="List the functions and constants, with their derivatives."
)
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """Collect the tables, report."""
    chosen, constants = (FUNCTIONS.values(), CONSTANTS) if name is None else _named(name)
    functions = [_function(known) for known in chosen]
    if as_json:
        report.write(report.json_line({"functions": functions, "constants": constants}))
        return
    tables = [_rows(functions, LONG if name is None else sys.maxsize)] if functions else []
    if constants:
        values = [(constant, number_text(value)) for constant, value in constants.items()]
        tables.append([("CONSTANT", "VALUE"), *values])
    report.write("\n".join(map(report.columns, tables)))


def _named(name: str) -> tuple[Iterable[Known], Mapping[str, float]]:
    """The function or the constant of a name.  Raises UsageError if there is none."""
    bare = name.partition("(")[0].strip()
    if bare in CONSTANTS:
        return [], {bare: CONSTANTS[bare]}
    if bare not in NAMES:
        hint = did_you_mean(bare, [*NAMES, *CONSTANTS]) or "dezero functions lists them all"
        raise UsageError(f"no function {bare!r}: {hint}")
    return [NAMES[bare]], {}


def _rows(functions: Iterable[dict[str, Any]], longest: int) -> list[tuple[str, ...]]:
    """The rows of the functions' table, as wide as the terminal where there is one.

    A derivative of `longest` characters or more is left out.
    """
    rows: list[tuple[str, ...]] = [
        (f["call"] if i == 0 else "", ", ".join(f["aliases"]) if i == 0 else "", label)
        for f in functions
        for i, label in enumerate([f["summary"], *_details(f, longest)])
    ]
    rows.insert(0, ("FUNCTION", "ALSO", ""))
    return report.fitted(rows, shutil.get_terminal_size().columns) if sys.stdout.isatty() else rows


def _details(function: dict[str, Any], longest: int) -> list[str]:
    """The derivatives, and the arguments that a call may give by name."""
    lines = [
        f"  d/d{name} = {d if len(d) < longest else '...'}"
        for name, d in function.get("derivative", {}).items()
    ]
    by_name = [f"{keyword}=..." for keyword in function.get("keywords", [])]
    return [*lines, *([f"  by name: {', '.join(by_name)}"] if by_name else [])]


def _function(known: Known) -> dict[str, Any]:
    call = f"{known.name}({', '.join(known.parameters)})"
    others = FUNCTIONS.values()
    shorter = [other.name for other in others if known.function in other.others.values()]
    entry: dict[str, Any] = {
        "name": known.name,
        "call": call,
        "aliases": [*known.aliases, *shorter],
        "summary": known.sentence,
    }
    if known.keywords:
        entry["keywords"] = list(known.keywords)
    if known.elementwise:
        with contextlib.suppress(ExpressionError):  # one of SciPy's, which is not installed
            entry["derivative"] = symbolic.gradient(parse(call), known.orders)
    return entry

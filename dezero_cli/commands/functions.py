"""``dezero functions``: the functions and constants that an expression may use."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from dezero.functions import CONSTANTS, FUNCTIONS
from dezero.names import Known
from dezero_cli import report
from dezero_cli.arguments import json_option
from dezero_cli.faults import ExpressionError
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse
from dezero_cli.number_format import number_text

HELP = """List the functions and constants that an expression may use, with their derivatives."""


LONG = 400
"""Characters from which a derivative is left to ``dezero derive``."""


@click.command(
    "functions", help=HELP, short_help="List the functions and constants, with their derivatives."
)
@json_option
def command(as_json: bool) -> None:
    """Collect the tables, report."""
    functions = [_function(known) for known in FUNCTIONS.values()]
    if as_json:
        report.write(report.json_line({"functions": functions, "constants": CONSTANTS}))
        return
    rows = [
        (f["call"] if i == 0 else "", ", ".join(f["aliases"]) if i == 0 else "", label)
        for f in functions
        for i, label in enumerate([f["summary"], *_details(f)])
    ]
    report.write(report.columns([("FUNCTION", "ALSO", ""), *rows]) + "\n")
    constants = [(name, number_text(value)) for name, value in CONSTANTS.items()]
    report.write(report.columns([("CONSTANT", "VALUE"), *constants]))


def _details(function: dict[str, Any]) -> list[str]:
    """The derivatives, and the arguments that a call may give by name."""
    lines = [
        f"  d/d{name} = {d if len(d) < LONG else '...'}"
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

"""``dezero functions``: the functions and constants that an expression may use."""

from __future__ import annotations

from typing import Any

import click

from dezero.functions import ALIASES, CONSTANTS, ELEMENTWISE, FUNCTIONS, NAMED, PAIRS
from dezero_cli import report
from dezero_cli.arguments import json_option
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse

HELP = """List the functions and constants that an expression may use, with their derivatives."""


@click.command(
    "functions", help=HELP, short_help="List the functions and constants, with their derivatives."
)
@json_option
def command(as_json: bool) -> None:
    """Collect the tables, report."""
    functions = [_function(name) for name in FUNCTIONS]
    if as_json:
        report.write(report.json_line({"functions": functions, "constants": CONSTANTS}))
        return
    rows = [
        (f["call"] if i == 0 else "", ", ".join(f["aliases"]) if i == 0 else "", label)
        for f in functions
        for i, label in enumerate([f["summary"], *_details(f)])
    ]
    report.write(report.columns([("FUNCTION", "ALSO", ""), *rows]) + "\n")
    constants = [(name, report.number_text(value)) for name, value in CONSTANTS.items()]
    report.write(report.columns([("CONSTANT", "VALUE"), *constants]))


def _details(function: dict[str, Any]) -> list[str]:
    """The derivatives, and the arguments that a call may give by name."""
    lines = [f"  d/d{name} = {d}" for name, d in function.get("derivative", {}).items()]
    by_name = [f"{keyword}=..." for keyword in function.get("keywords", [])]
    return [*lines, *([f"  by name: {', '.join(by_name)}"] if by_name else [])]


def _function(name: str) -> dict[str, Any]:
    function = FUNCTIONS[name]
    code = function.__code__
    required = code.co_argcount - len(function.__defaults__ or ())
    parameters = ["x", "y", "z"] if required > 1 else ["x"]
    if name == "where":
        parameters = ["condition", "x", "y"]
    elif name == "clip":
        parameters = ["x", "low", "high"]
    elif name in {"arctan2"}:
        parameters = ["y", "x"]
    shown = ", ".join(parameters[:required])
    keywords = [p for p in code.co_varnames[required : code.co_argcount] if p in NAMED]
    aliases = [alias for alias, target in ALIASES.items() if target == name]
    entry: dict[str, Any] = {
        "name": name,
        "call": f"{name}({shown})",
        "aliases": aliases + [short for short, pair in PAIRS.items() if pair is function],
        "summary": (function.__doc__ or "").split("\n")[0],
    }
    if keywords:
        entry["keywords"] = keywords
    if name in ELEMENTWISE:
        entry["derivative"] = symbolic.gradient(parse(f"{name}({shown})"))
    return entry

"""The options of commands that read tables: how their text is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from dezero_cli.tables.dialect import LONGEST

_TABLE_OPTIONS = (
    click.option("--missing", metavar="A,B", help="Cells that count as empty, such as NA,-."),
    click.option("--separator", metavar="S", help="Between cells: a sign, or tab, space, pipe."),
    click.option("--decimal", metavar="S", default=".", help="The decimal sign, '.' or ','."),
    click.option("--comment", metavar="S", help="Leave out lines that begin with S."),
    click.option(
        "--skip", type=click.IntRange(0), default=0, metavar="N", help="Lines before the header."
    ),
    click.option("--no-header", is_flag=True, help="There is no header: columns are c1, c2, ..."),
    click.option(
        "--on-bad",
        type=click.Choice(["stop", "skip", "null"]),
        default="stop",
        help="A row that cannot be read: stop, skip it, or take its bad cells as empty.",
    ),
    click.option(
        "--max-line",
        type=click.IntRange(1),
        default=LONGEST,
        metavar="BYTES",
        help="Refuse longer rows of text (default: 64 MiB).",
    ),
)


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for how a table of text is written, the keywords of `dialect_of`."""
    for option in reversed(_TABLE_OPTIONS):
        command = option(command)
    return command

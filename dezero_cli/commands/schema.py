"""``dezero schema``: the JSON Schema of what the commands print."""

from __future__ import annotations

from pathlib import Path

import click

import dezero_cli
from dezero_cli import report

HELP = """Print the JSON Schema of what the commands print with --json.

\b
  dezero schema > result.schema.json
  dezero schema | jq '."$defs".eval'

Each command has a definition of its own; the draft is 2020-12.
"""

SCHEMA = Path(dezero_cli.__path__[0], "result.schema.json")


@click.command("schema", help=HELP, short_help="Print the JSON Schema of the output.")
def command() -> None:
    """Print the file."""
    report.write(SCHEMA.read_text(encoding="utf-8"))

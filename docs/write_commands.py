"""Write docs/reference/commands.md from the help of every command: ``make docs``."""

from __future__ import annotations

from pathlib import Path

import click

from dezero_cli.main import COMMANDS, cli

PAGE = Path(__file__).parent / "reference" / "commands.md"
WIDTH = 78

HEAD = """# Commands

This page is what `dezero COMMAND --help` prints; `make docs` writes it, and a test fails when it is
out of date.

For all commands:

- Options and arguments may stand in any order. An expression or a value may begin with `-`, without
  `--` before it.
- Results go to standard output, messages to standard error.
- The exit status is 0 on success, 1 if something failed during the run (a bad line of a batch, a
  check that does not agree, a result that is not finite with `--strict`, a full disk), and 2 if the
  command line is wrong. Ctrl-C gives 130.
- Messages are coloured only on a terminal. `--color never`, or the environment variable
  `NO_COLOR`, turns that off; `--color always` keeps the colour in a pipe.
"""


def page() -> str:
    """The text of the page."""
    group = click.Context(cli, info_name="dezero", terminal_width=WIDTH, **cli.context_settings)
    contexts = [group]
    for name in COMMANDS:
        command = cli.get_command(group, name)
        assert command is not None
        contexts.append(click.Context(command, group, name, terminal_width=WIDTH))
    return "\n".join([HEAD, *map(_section, contexts)])


def _section(context: click.Context) -> str:
    return f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

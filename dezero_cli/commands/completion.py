"""``dezero completion``: the script with which a shell completes what is typed."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from dezero_cli import report

SHELLS = ("bash", "zsh", "fish")

HELP = """Print the script with which a shell completes commands, options, choices and files.

\b
  dezero completion bash > ~/.dezero-complete.bash     and source it in ~/.bashrc
  dezero completion zsh > ~/.dezero-complete.zsh       and source it in ~/.zshrc
  dezero completion fish > ~/.config/fish/completions/dezero.fish
"""


@click.command(
    "completion",
    help=HELP,
    short_help="Print the script for the Tab key in a shell.",
    no_args_is_help=True,
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print click's script for the shell; bash before 4.4 is told that it is too old."""
    made = get_completion_class(shell)
    assert made is not None
    root = context.find_root().command
    report.write(made(root, {}, "dezero", "_DEZERO_COMPLETE").source().lstrip("\n"))

"""Words of the command line: expressions that begin with a minus sign, values by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from dezero_cli.language import values

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_LONG_OPTION = re.compile(r"--[a-z][a-z-]+(=.*)?", re.DOTALL)


class ExpressionCommand(click.Command):
    """A command whose EXPR and NAME=VALUE words may begin with ``-`` without a ``--`` before."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sort the words into options and the rest, then let click read both."""
        takes_value = {
            name: not (option.is_flag or option.count)
            for option in self.get_params(ctx)
            if isinstance(option, click.Option)
            for name in (*option.opts, *option.secondary_opts)
        }
        options: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for word in rest:
            name = word.split("=", 1)[0]
            if word == "--":
                words += rest
            elif name in takes_value:
                options.append(word)
                if takes_value[name] and name == word:
                    following = next(rest, None)
                    if following is None and not ctx.resilient_parsing:
                        raise click.BadOptionUsage(name, f"option {name!r} needs a value", ctx)
                    options += [] if following is None else [following]
            elif _LONG_OPTION.fullmatch(word):
                options.append(word)
            else:
                words.append(word)
        return super().parse_args(ctx, [*options, "--", *words])


def file_names(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Have the shell complete a word as it completes the names of files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def expression_and_values(words: tuple[str, ...]) -> tuple[str, list[str]]:
    """The expression and the NAME=VALUE words, in whatever order they were typed."""
    expressions = [word for word in words if not values.is_assignment(word)]
    assignments = [word for word in words if values.is_assignment(word)]
    if not expressions and assignments:  # nothing but 'x = 1': the language says what is wrong
        expressions, assignments = assignments[:1], assignments[1:]
    if not expressions:
        raise click.UsageError("missing EXPR, the expression; for example: 'a*b+c' a=3 b=2 c=1")
    if len(expressions) > 1:
        stray = expressions[1]
        hint = (
            "write NAME=VALUE without spaces"
            if "=" in expressions
            else ("quote the whole expression, and give values as NAME=VALUE")
        )
        raise click.UsageError(f"unexpected {stray!r} after the expression: {hint}")
    return expressions[0], assignments


# ------------------------------------------------------------------- options of several commands
vars_option = click.option(
    "--vars", "vars_file", metavar="FILE", help="Read values from a JSON object; - is stdin."
)
jacobian_option = click.option(
    "--jacobian", is_flag=True, help="Add the Jacobian: value's shape, then input's."
)
hessian_option = click.option(
    "--hessian", is_flag=True, help="Add the second derivatives for each pair of inputs."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
precision_option = click.option(
    "--precision",
    type=click.IntRange(1, 17),
    metavar="N",
    help="Significant digits in text (default: the shortest exact text).",
)

"""Options of the command line, and words that begin with a minus sign."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dezero_cli.faults import UsageError
from dezero_cli.number_format import FORMS
from dezero_cli.reading import LONGEST_ROW

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

LONG_OPTION = re.compile(r"--[a-z][a-z-]+(=.*)?", re.DOTALL)
"""What is an option even where it is misspelt, and never the begin of an expression."""


class ExpressionCommand(click.Command):
    """A command whose EXPR and NAME=VALUE words may begin with ``-``, without ``--`` first."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sort the words into options and the rest, then have click read both."""
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
            elif LONG_OPTION.fullmatch(word):
                options.append(word)
            else:
                words.append(word)
        return super().parse_args(ctx, [*options, "--", *words])


def file_names(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Have the shell complete a word as the name of a file."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


# ------------------------------------------------------------------- options of several commands
wrt_option = click.option(
    "--wrt",
    multiple=True,
    metavar="NAME[,NAME]...",
    help="Differentiate by these names only (repeatable).",
)
no_grad_option = click.option("--no-grad", is_flag=True, help="Print only the value.")
sigma_option = click.option(
    "--sigma",
    multiple=True,
    metavar="NAME=S",
    help="Propagate the standard uncertainty S of NAME: a number, 2%, or the name of a value or "
    "column (repeatable).",
)
fit_option = click.option(
    "--fit",
    metavar="FILE",
    help="Take values with their covariance from a file of fit --json.",
)
corr_option = click.option(
    "--corr",
    multiple=True,
    metavar="A,B=R",
    help="The correlation R of two inputs with uncertainties (repeatable).",
)
order_option = click.option(
    "--order",
    type=click.IntRange(1, 2),
    default=1,
    metavar="1|2",
    help="2 adds the mean and the uncertainty to second order.",
)
mc_option = click.option(
    "--mc",
    metavar="N|auto",
    help="Add N draws of the inputs, or as many as two digits (auto:3: three) need.",
)
draws_seed_option = click.option(
    "--seed", type=click.IntRange(0), metavar="K", help="Make the same draws again."
)
dist_option = click.option(
    "--dist",
    multiple=True,
    metavar="NAME=KIND",
    help="How NAME is distributed: normal, uniform, triangular, arcsine, lognormal, t:DOF "
    "(repeatable).",
)
half_option = click.option(
    "--half",
    multiple=True,
    metavar="NAME=A",
    help="NAME is within A, uniform unless --dist says otherwise (repeatable).",
)
dof_option = click.option(
    "--dof",
    multiple=True,
    metavar="NAME=N",
    help="The degrees of freedom of NAME's uncertainty; adds those of the result, the coverage "
    "factor and the expanded uncertainty (repeatable).",
)
level_option = click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="P",
    help="What share intervals hold (default: 0.95).",
)
vars_option = click.option(
    "--vars",
    "vars_file",
    metavar="FILE",
    help="Read values from a JSON object; - is standard input.",
)
defs_option = click.option(
    "--defs", metavar="FILE", help="Read definitions and functions from a formula file."
)
max_operations_option = click.option(
    "--max-operations",
    type=click.IntRange(1),
    default=1_000_000,
    metavar="N",
    help="Refuse definitions, functions and derivatives of more operations (default: 1,000,000).",
)
jacobian_option = click.option(
    "--jacobian", is_flag=True, help="Add the Jacobian (shape: the value's, then the input's)."
)
hessian_option = click.option(
    "--hessian", is_flag=True, help="Add the second derivatives for each pair of inputs."
)
title_option = click.option("--title", default="", help="A title above the picture.")
size_option = click.option(
    "--size", metavar="WxH", help="Width and height of the picture in inches, as in 7x5."
)
theme_option = click.option(
    "--theme",
    type=click.Choice(("light", "dark")),
    default="light",
    help="Colours for a light or a dark background (default: light).",
)
within_option = click.option(
    "--within",
    multiple=True,
    metavar="NAME=LO:HI",
    help="Keep NAME between two numbers; one may be left out (repeatable).",
)
fix_option = click.option(
    "--fix",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Hold NAME at VALUE, or at its start (repeatable).",
)
for_option = click.option(
    "--for",
    "unknowns",
    multiple=True,
    metavar="NAME[=START]...",
    help="Search for these names only: x,y or x=0.5 (repeatable).",
)
starts_option = click.option(
    "--starts",
    type=click.IntRange(1),
    metavar="N",
    help="Search from N starts, drawn inside the limits, and keep the best.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(0), metavar="K", help="The seed of what is drawn (default: 0)."
)


def starts_and_seed(starts: int | None, seed: int | None) -> tuple[int, int]:
    """What ``--starts`` and ``--seed`` mean.  Raises UsageError for a seed of nothing."""
    if seed is not None and starts is None:
        raise UsageError("--seed is for starts that are drawn: add --starts N")
    return starts or 1, seed or 0


MOST_JOBS = 256


def _jobs(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """The number of processes; None for ``auto``."""
    if value == "auto":
        return None
    if not value.isdecimal() or not 1 <= int(value) <= MOST_JOBS:
        raise click.BadParameter(f"expected a number from 1 to {MOST_JOBS}, or auto")
    return int(value)


jobs_option = click.option(
    "--jobs",
    callback=_jobs,
    default="auto",
    metavar="N|auto",
    help="Number of processes; auto, the default, is one a core once there is work for them.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
precision_option = click.option(
    "--precision",
    type=click.IntRange(1, 17),
    metavar="N",
    help="Significant digits in text (default: the shortest exact text).",
)
format_option = click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="Numbers in text without an exponent, with one, or with a multiple of three.",
)
get_option = click.option(
    "--get",
    multiple=True,
    metavar="WHAT",
    help="Print this number alone, by its place in the JSON: value, grad.x, hessian.x.y "
    "(repeatable).",
)


# ------------------------------------------------------------ how the text of a table is written
def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for how a table of text is written, the keywords of `dialect_of`.

    They are built here, so that a command without tables does not wait for them.
    """
    options = (
        click.option("--missing", metavar="A,B", help="Cells that count as empty, such as NA,-."),
        click.option(
            "--separator", metavar="S", help="Between cells: a sign, or tab, space, pipe."
        ),
        click.option("--decimal", metavar="S", default=".", help="The decimal sign, '.' or ','."),
        click.option("--comment", metavar="S", help="Leave out lines that begin with S."),
        click.option(
            "--skip",
            type=click.IntRange(0),
            default=0,
            metavar="N",
            help="Lines before the header.",
        ),
        click.option(
            "--no-header", is_flag=True, help="There is no header: columns are c1, c2, ..."
        ),
        click.option(
            "--on-bad",
            type=click.Choice(["stop", "skip", "null"]),
            default="stop",
            help="A row that cannot be read: stop, skip it, or take its bad cells as empty.",
        ),
        click.option(
            "--max-line",
            type=click.IntRange(1),
            default=LONGEST_ROW,
            metavar="BYTES",
            help="Refuse longer rows of text (default: 64 MiB).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command

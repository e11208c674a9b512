"""``dezero map``: an expression and its derivatives for every row of a table."""

from __future__ import annotations

import glob
import math
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dezero_cli import report
from dezero_cli.arguments import (
    ExpressionCommand,
    corr_option,
    defs_option,
    file_names,
    fit_option,
    hessian_option,
    max_operations_option,
    no_grad_option,
    sigma_option,
    table_options,
    wrt_option,
)
from dezero_cli.extras import require, require_descriptors
from dezero_cli.faults import CommandError, ExpressionError, UsageError
from dezero_cli.language import unknowns, values
from dezero_cli.language.equations import equation
from dezero_cli.language.results import Wanted
from dezero_cli.language.spelling import quoted, some_names
from dezero_cli.language.statements import behind, head, is_statement
from dezero_cli.language.values import one_number
from dezero_cli.language.words import Formula, formula
from dezero_cli.progress import Progress
from dezero_cli.tables import files
from dezero_cli.tables.dialect import Dialect, dialect_of
from dezero_cli.tables.files import ENDINGS, Tables

if TYPE_CHECKING:
    from collections.abc import Collection

    from dezero_cli.language.statements import Given
    from dezero_cli.tables.step import Plan

HELP = """Evaluate EXPR and its derivatives for every row of a table.

\b
  dezero map '4*pi**2*L/T**2' pendulum.csv
  dezero map 'a*exp(-k*t)' runs.csv k=0.5 --wrt t,k -o fitted.parquet
  dezero map 'm*v**2/2' flight.csv 'v=hypot(vx, vy)' --as E
  dezero map 'm*v**2/2' 'days/*.parquet' -o energy.parquet
  dezero map 'x*exp(x) == y' t.csv --solve x=0:100
  dezero map 'x*y' t.csv --sigma x=0.01 --sigma y=sy --only
  zcat big.csv.gz | dezero map 'sin(x)/x' --to jsonl | jq .d_x

Names in EXPR are columns, constants given as NAME=VALUE, or definitions. The output has the table's
columns, then value, then d_NAME for each column used. Several files are one table; a quoted pattern
may match any number of files. Standard input is read if there is no TABLE, or for -.

\b
Formats, by ending or --from and --to:
  csv tsv jsonl ndjson parquet arrow feather ipc

For the computation, columns that EXPR uses are converted to float64; an empty cell counts as nan.
Everything else is written as it was read. A table can be larger than memory.
"""


@click.command("map", cls=ExpressionCommand, help=HELP, no_args_is_help=True)
@click.argument(
    "words", nargs=-1, metavar="EXPR [TABLE]... [NAME=VALUE]...", shell_complete=file_names
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=file_names,
    help="Write to FILE, and replace it only when complete.",
)
@click.option("--from", "source", type=click.Choice(list(ENDINGS)), help="The format of TABLE.")
@click.option("--to", "form", type=click.Choice(list(ENDINGS)), help="The format of the output.")
@wrt_option
@no_grad_option
@hessian_option
@click.option(
    "--solve",
    metavar="NAME=LO:HI",
    help="EXPR is an equation: add its root NAME in each row, and the root's derivatives.",
)
@click.option("--as", "name", metavar="NAME", help="Call the result NAME, not value.")
@click.option("--only", is_flag=True, help="Leave out the table's own columns.")
@click.option("--prefix", default="", metavar="P", help="Put P before the names of new columns.")
@sigma_option
@corr_option
@fit_option
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run on this Dask cluster, or on 'local' workers; -o then names a folder of parts.",
)
@click.option("--resume", is_flag=True, help="With --scheduler: keep the parts that are complete.")
@table_options
@defs_option
@max_operations_option
def command(
    words: tuple[str, ...],
    output: str | None,
    source: str | None,
    form: str | None,
    wrt: tuple[str, ...],
    no_grad: bool,
    hessian: bool,
    solve: str | None,
    name: str | None,
    only: bool,
    prefix: str,
    sigma: tuple[str, ...],
    corr: tuple[str, ...],
    fit: str | None,
    scheduler: str | None,
    resume: bool,
    defs: str | None,
    max_operations: int,
    **written: Any,
) -> None:
    """Read the arguments, find the tables, compute every row."""
    wanted = Wanted(
        some_names(wrt) or None,
        no_grad,
        hessian=hessian,
    )
    sizes, pairs = _uncertain(sigma, corr, no_grad)
    if resume and not scheduler:
        raise UsageError("--resume needs --scheduler")
    dialect = dialect_of(**written)
    try:
        asked, names = _sorted(words, defs)
        root = _root(solve)
        said = asked.given()
        if root is None:  # what is wrong without a table is said first
            used = said.linked(asked.text, max_operations).names
        else:
            used = equation(asked.text, said, max_operations).residual.names
    except ExpressionError as fault:
        raise _as_column(fault, words, source, dialect) from None
    found = files.found(names, source, dialect)
    require_descriptors(1024 if scheduler else 64)
    require("polars", "llvmlite")
    from dezero_cli.tables.step import Plan

    constants, statements = _given(asked)
    if fit:
        constants, sizes, pairs = _with_fit(fit, used, said, constants, sizes, pairs)
    result = name or asked.name
    plan = Plan(
        *(asked.text, constants, wanted, only, prefix, statements, result, max_operations),
        *(sizes, pairs, root),
    )
    if scheduler:
        _spread(found, plan, form, output, scheduler, resume)
    else:
        _alone(found, plan, form, output)


def _as_column(
    fault: ExpressionError, words: tuple[str, ...], source: str | None, dialect: Dialect
) -> ExpressionError:
    """The fault of an expression, or that a column with such a name needs backquotes."""
    names = [word for word in words if not is_statement(word)][1:]
    try:
        from dezero_cli.tables import hints, mapping

        return hints.in_backquotes(fault, mapping.columns(files.found(names, source, dialect)))
    except (CommandError, ImportError, OSError):
        return fault


def _uncertain(
    sigma: tuple[str, ...], corr: tuple[str, ...], no_grad: bool
) -> tuple[dict[str, str], tuple[tuple[str, str, float], ...]]:
    """The uncertainties as text, and their correlations.  Raises UsageError as eval does."""
    if no_grad and sigma:
        raise UsageError("--no-grad prints only the value: leave out options that need a gradient")
    from dezero_cli.uncertainty import asked

    sizes = asked.words_by_name("--sigma", sigma)
    said = asked.from_words(corr=corr, common=True).correlations
    asked.Asked(dict(sizes), correlations=said).checked()
    if asked.MEAN in said.values():
        raise UsageError("--corr a,b=mean is for readings, which eval takes: give a number")
    return sizes, tuple((*pair, float(number)) for pair, number in said.items())


def _with_fit(
    file: str,
    used: Collection[str],
    said: Given,
    constants: dict[str, float],
    sizes: dict[str, str],
    pairs: tuple[tuple[str, str, float], ...],
) -> tuple[dict[str, float], dict[str, str], tuple[tuple[str, str, float], ...]]:
    """The constants, the uncertainties and their correlations, with those of a fit."""
    from dezero_cli.language import fitted
    from dezero_cli.uncertainty import of_fit
    from dezero_cli.uncertainty.asked import Asked

    fit = of_fit.among(fitted.fitted(file), used, {*said.values, *said.definitions})
    more = of_fit.uncertain(fit, Asked(dict(sizes))).correlations
    found = {name: repr(sigma) for name, sigma in of_fit.sigmas(fit).items()}
    pairs += tuple((*pair, float(number)) for pair, number in more.items())
    return constants | fit.values, found | sizes, pairs


def _root(word: str | None) -> tuple[str, float, float] | None:
    """The unknown and its bracket, if there is one."""
    if word is None:
        return None
    ((name, limits),) = unknowns.within([word], "--solve", "x=0:1").items()
    if not math.isfinite(limits.low) or not math.isfinite(limits.high):
        raise UsageError(f"--solve {word}: a bracket needs both ends, as in {name}=0:1")
    return name, *limits


def _alone(found: Tables, plan: Plan, form: str | None, output: str | None) -> None:
    """Compute all rows in this process, and show the progress."""
    from dezero_cli.tables import mapping

    target_format = files.target_format(output, form, found)
    if target_format not in files.TEXT and output in {None, "-"} and sys.stdout.isatty():
        raise UsageError(f"{target_format} cannot be shown on a terminal: give -o FILE")
    progress = Progress(found.size)
    try:
        mapping.map_tables(found, plan, target_format, output, progress)
    finally:
        progress.clear()
    for note in progress.notes:
        report.warn(note)


def _spread(
    found: Tables, plan: Plan, form: str | None, folder: str | None, scheduler: str, resume: bool
) -> None:
    """Compute the tables on a cluster."""
    if folder is None or folder == "-":
        raise UsageError("--scheduler writes a folder of parts: give -o FOLDER")
    from dezero_cli.tables import cluster

    target_format = ENDINGS[form] if form else found.format
    cluster.map_on_cluster(found, plan, target_format, folder, scheduler, resume)


def _meant(said: Sequence[str]) -> str:
    """What to type instead of definitions alone: ``y=x**2`` may be meant to name the result."""
    begun = head(said[0]) if len(said) == 1 else None
    if begun is None or begun.parameters is not None:
        return "; for example: 'x**2 + y' table.csv"
    return (
        f": {said[0]!r} is a definition; type {behind(said[0], begun)!r} --as {quoted(begun.name)}"
    )


def _sorted(words: tuple[str, ...], defs: str | None) -> tuple[Formula, list[str]]:
    """What is to be computed, and the names of tables."""
    said = [word for word in words if is_statement(word) and not _names_files(word)]
    rest = [word for word in words if not is_statement(word) or _names_files(word)]
    if not rest or (os.path.isfile(rest[0]) and not rest[1:]):
        raise UsageError("missing the expression EXPR" + _meant(said))
    if os.path.splitext(rest[0])[1][1:] in ENDINGS and os.path.isfile(rest[0]):
        raise UsageError(f"the expression comes first, then the tables: {rest[-1]!r} {rest[0]}")
    readers = ["the table"] if rest[1:] in ([], ["-"]) else []
    return formula([rest[0], *said], defs=defs, readers=readers), rest[1:]


def _names_files(word: str) -> bool:
    """Whether a word is a file or a pattern of files, even one such as ``year=2024/p.csv``."""
    return os.path.isfile(word) or (glob.has_magic(word) and bool(glob.glob(word)))


def _given(asked: Formula) -> tuple[dict[str, float], tuple[str, ...]]:
    """The constants, and the statements whose meaning depends on the columns of the table."""
    constants: dict[str, float] = {}
    others = []
    for begun, word in asked.said.values():
        array = None
        if begun.parameters is None:
            array = values.literal(begun.name, behind(word, begun))
        if array is None:
            others.append(word)
        else:
            constants[begun.name] = one_number(begun.name, array)
    return constants, tuple(others)

"""``dezero fit``: the parameters of an equation that fit the rows of a table."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np

from dezero_cli import extras, places, report
from dezero_cli.arguments import (
    ExpressionCommand,
    defs_option,
    file_names,
    fix_option,
    format_option,
    get_option,
    jobs_option,
    json_option,
    max_operations_option,
    precision_option,
    seed_option,
    starts_and_seed,
    starts_option,
    table_options,
    vars_option,
    within_option,
)
from dezero_cli.commands.fit_words import FitWords
from dezero_cli.faults import UsageError
from dezero_cli.language.results import Wanted
from dezero_cli.language.spelling import canonical_words, quoted
from dezero_cli.language.symbolic import free_names
from dezero_cli.number_format import NumberFormat
from dezero_cli.solving import after
from dezero_cli.solving.data import rows_to_draw
from dezero_cli.solving.fit import Fit, FitTask, Fitted
from dezero_cli.solving.groups import GroupFits
from dezero_cli.solving.robust import LOSSES
from dezero_cli.solving.rows import RowModel, spread_name
from dezero_cli.tables import files
from dezero_cli.tables.dialect import dialect_of
from dezero_cli.tables.files import ENDINGS

HELP = """Fit an equation to the rows of a table: least squares, with exact derivatives.

\b
  dezero fit 'y == a + b*x' line.csv
  dezero fit 'y == a*exp(-k*t) + c' decay.csv k=0.1
  dezero fit 'y == a*exp(-k*t) + c' decay.csv k=0:1 --sigma y=sy --json
  dezero fit 'log(y) == b1 - b2*x' runs.parquet
  dezero fit 'y == m*x' x=[1,2,3] y=[2.1,3.9,6.2]

Columns are data, all other names parameters. NAME=START is where the search begins; a parameter in
which the equation is linear needs none. NAME=LO:HI keeps a parameter between limits. Errors are
scaled by the residuals where no --sigma is given. A row with an empty cell is left out.
"""


@click.command("fit", cls=ExpressionCommand, help=HELP, no_args_is_help=True)
@click.argument(
    "words", nargs=-1, metavar="EQUATION [TABLE]... [NAME=START]...", shell_complete=file_names
)
@click.option("--from", "source", type=click.Choice(list(ENDINGS)), help="The format of TABLE.")
@table_options
@within_option
@fix_option
@click.option(
    "--sigma",
    multiple=True,
    metavar="NAME=S",
    help="The standard uncertainty of a column: a number, a part such as 2%, a column, or a "
    "formula of columns (repeatable; several count together).",
)
@click.option(
    "--scale-errors/--no-scale-errors",
    default=None,
    help="Scale errors by the residuals (default: where there is no --sigma).",
)
@click.option("--robust", type=click.Choice(LOSSES), help="A loss that outliers move less.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    metavar="P",
    help="The level of the intervals (default: 0.95).",
)
@starts_option
@seed_option
@click.option(
    "--by", multiple=True, metavar="COLUMN", help="A fit for each group of rows, a JSON line each."
)
@jobs_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=file_names,
    help="Write the table with the columns fit, residual, sigma, lower and upper.",
)
@click.option(
    "--band",
    type=click.Choice(after.BANDS),
    help="What sigma, lower and upper are of: the curve (default), or a further observation.",
)
@click.option("--prefix", metavar="P", help="Put P before the columns of -o.")
@click.option(
    "--plot",
    metavar="FILE",
    shell_complete=file_names,
    help="Draw data, fit, band and residuals (.png, .svg, .pdf).",
)
@vars_option
@defs_option
@json_option
@get_option
@precision_option
@format_option
@max_operations_option
def command(
    words: tuple[str, ...],
    source: str | None,
    within: tuple[str, ...],
    fix: tuple[str, ...],
    sigma: tuple[str, ...],
    scale_errors: bool | None,
    robust: str | None,
    level: float,
    starts: int | None,
    seed: int | None,
    by: tuple[str, ...],
    jobs: int | None,
    output: str | None,
    band: str | None,
    prefix: str | None,
    plot: str | None,
    vars_file: str | None,
    defs: str | None,
    as_json: bool,
    get: tuple[str, ...],
    precision: int | None,
    form: str | None,
    max_operations: int,
    **written: Any,
) -> int:
    """Read the arguments and the table, search, report."""
    if get and as_json:
        raise UsageError("--get prints numbers alone: leave out --json")
    get = canonical_words(get)
    _refuse_idle(by, bool(get), output, plot, band, prefix)
    begun = starts_and_seed(starts, seed)
    dialect = dialect_of(**written)
    asked = FitWords(
        words, source, dialect, defs, vars_file, fix, within, sigma, by, max_operations
    )
    task = asked.task()
    task.scale_errors, task.robust, task.level = scale_errors, robust, level
    task.starts, task.seed = begun
    if not (as_json or get):
        report.warn(asked.note)
    for warning in asked.warnings:
        report.warn(warning)
    if robust and not task.spread:
        report.warn(TURNS.format(name=robust))
    if asked.group is not None:
        return _groups(asked, task, asked.group, jobs)
    if output and asked.reader is None:
        raise UsageError("-o writes the table with the fit: there is no table")
    fitting = Fit(task)
    found = fitting.run()
    if output:
        _write_table(asked, fitting.model, found, band or after.CONFIDENCE, output, prefix or "")
    if plot:
        _draw(asked, fitting.model, found, band or after.CONFIDENCE, plot)
    result = asked.head | told(found, asked.held) | {"left_out": asked.data.left_out}
    show = NumberFormat(precision, form)
    if get:
        report.write("".join(places.text(places.found(result, w), show) + "\n" for w in get))
    elif as_json:
        report.write(report.json_line(result))
    else:
        report.write(report.fit_text(result, show))
    return _status(found, fitting.model)


def _refuse_idle(
    by: Sequence[str],
    get: bool,
    output: str | None,
    plot: str | None,
    band: str | None,
    prefix: str | None,
) -> None:
    """Raise UsageError for options that rule each other out, or that nothing obeys."""
    if by and (get or output or plot):
        raise UsageError("--by writes a JSON line a group: leave out --get, -o and --plot")
    if len(by) > 1:
        raise UsageError("--by takes one column, and is given twice")
    if band and not (output or plot):
        raise UsageError("--band is what -o and --plot show: add one of them")
    if prefix is not None and not output:
        raise UsageError("--prefix is for the columns of -o: add -o FILE")


def told(found: Fitted, held: Mapping[str, float]) -> dict[str, Any]:
    """A fit as it is told, or many in columns; what is held is a parameter without an error."""
    names = found.names

    def by_name(matrix: np.ndarray) -> dict[str, dict[str, Any]]:
        return {n: dict(zip(names, row, strict=True)) for n, row in zip(names, matrix, strict=True)}

    params: dict[str, dict[str, Any]] = {
        name: {
            "value": found.values[i],
            "sigma": found.sigmas[i],
            "interval": list(found.intervals[i]),
            "start": found.starts[i],
        }
        for i, name in enumerate(names)
    }
    for name, value in held.items():
        params[name] = {"value": value, "sigma": 0.0, "interval": [value, value], "start": value}
    result = {
        "params": params,
        "level": found.level,
        **({} if found.loss is None else {"loss": found.loss}),
        "chi2": found.chi2,
        "dof": found.dof,
        "chi2_reduced": found.chi2_reduced,
        "residual_sigma": found.residual_sigma,
        "r2": found.r2,
        "r2_uncentred": found.r2_uncentred,
        "aic": found.criterion(2),
        "bic": found.criterion(np.log(found.rows)),
        "covariance": by_name(found.covariance),
        "correlation": by_name(found.correlation),
        "rows": found.rows,
        "scaled": found.scaled,
        "converged": found.converged,
        "steps": found.steps,
        "message": found.message,
    }
    return result | ({"at_limits": found.at_limits} if found.at_limits else {})


TURNS = (
    "note: to {name} a residual is large beyond 1, which without --sigma is 1 in the units of the "
    "left side"
)
"""What is to be known of a robust loss."""

FADED = 1e4
"""How many times as large as a parameter its error is, if the user is to be told."""


def _status(found: Fitted, model: RowModel) -> int:
    """The exit status; says on standard error what the user should know."""
    if found.better_start is not None:
        first = "the start given" if any(x is not None for x in found.starts) else "the first"
        report.warn(f"note: start {found.better_start} found a better fit than {first}")
    for name in found.at_limits:
        report.warn(f"note: {quoted(name)} is at its limit, and held there: it has no error")
    for name, value, sigma in zip(found.names, found.values, found.sigmas, strict=True):
        if sigma > FADED * abs(value) > 0 and not model.is_linear([name]):
            report.warn(
                f"note: the rows hardly determine {quoted(name)}: its error is "
                f"{sigma / abs(value):.0e} times as large; another start may lead elsewhere"
            )
    if not found.dof:
        lacking = "no residuals tell of errors" if found.scaled else "there are no intervals"
        report.warn(f"note: as many rows as parameters: {lacking}")
    if not found.converged:
        report.warn(f"warning: not converged: {found.message}")
    return 0 if found.converged else 1


def _groups(asked: FitWords, task: FitTask, by: str, jobs: int | None) -> int:
    """A JSON line for each group; the exit status."""
    import orjson

    from dezero_cli.batch import parts

    groups = GroupFits(task, *asked.data.grouped())
    if not groups.parts:
        raise UsageError("0 rows: there is no group to be fitted")

    def work(part: int) -> bytes:
        """The lines of a part, and before them what is to be told of it."""
        fits = groups.fits(part)
        lines, faults, status = [b""] * len(fits.names), [], 0
        if fits.fitted:
            names = [fits.names[i] for i in fits.together]
            made = _lines(by, names, asked.head | told(fits.fitted, asked.held))
            for i, line in zip(fits.together, made, strict=True):
                lines[i] = line
        for i, found in fits.alone.items():
            head = {"by": {by: fits.names[i]}} | asked.head
            if isinstance(found, Fitted):
                lines[i] = report.json_line(head | told(found, asked.held))
                if not found.converged:
                    faults.append(f"warning: {quoted(by)} = {fits.names[i]}: {found.message}")
                    status = 1
                continue
            fault = {"type": type(found).__name__, "message": str(found)}
            lines[i] = report.json_line(head | {"error": fault})
            faults.append(f"error: {quoted(by)} = {fits.names[i]}: {found}")
            status = 1
        return orjson.dumps([int(status), faults]) + b"\n" + b"".join(lines)

    status = 0
    with contextlib.closing(parts.in_order(work, len(groups.parts), jobs)) as answers:
        for answer in answers:
            first, _, lines = answer.partition(b"\n")
            failed, faults = orjson.loads(first)
            report.write(lines)
            for fault in faults:
                report.warn(fault)
            status |= failed
    return status


def _lines(by: str, groups: Sequence[str], result: Mapping[str, Any]) -> list[bytes]:
    """A line for each group of a result in columns."""
    import orjson

    opening = b'{"by":{' + orjson.dumps(by) + b":", [orjson.dumps(group) for group in groups], b"},"
    return report.json_rows(opening, result, len(groups)).splitlines(keepends=True)


def _write_table(
    asked: FitWords, model: RowModel, found: Fitted, band: str, output: str, prefix: str
) -> None:
    """Write the table with the columns that a fit adds."""
    extras.require("polars", "llvmlite")
    from dezero_cli.tables import mapping
    from dezero_cli.tables.step import Plan

    assert asked.reader is not None
    tables = asked.reader.tables
    if "-" in tables.names:
        raise UsageError("-o reads the table twice, and standard input is read once: name a file")
    expr = f"[{', '.join(after.formulas(model, found, band))}]"
    definitions = [
        f"{quoted(spread_name(name))}={spread.text(quoted(name))}"
        for name, spread in asked.spreads.items()
    ]
    constants = dict(zip(found.names, map(float, found.values), strict=True)) | asked.held
    for spread in asked.spreads.values():
        constants |= spread.numbers
    plan = Plan(
        expr,
        constants,
        Wanted(no_grad=True),
        prefix=prefix,
        defs=tuple(definitions),
        most=asked.most,
        names=after.ADDED,
    )
    mapping.map_tables(tables, plan, files.target_format(output, None, tables, None), output)


def _draw(asked: FitWords, model: RowModel, found: Fitted, band: str, output: str) -> None:
    """Draw data and fit."""
    extras.require("matplotlib")
    from dezero_cli.output import open_output
    from dezero_cli.pictures import canvas, fits

    form = canvas.form_of(output)
    block = rows_to_draw(asked.data.blocks())
    here = after.rows_of_fit(model, found, block, band)
    equation = model.equation
    places = [n for n in free_names(equation.right) if n in block]
    over = places[0] if len(places) == 1 else None
    by_rows = over is None
    numbers = np.arange(1.0, len(here.fit) + 1)
    x = numbers if over is None else block[over]
    curve, ends = np.stack([x, here.fit]), np.stack([here.fit - here.half, here.fit + here.half])
    if over is not None:
        beyond = 0.0 if np.ptp(x) else 0.1 * (abs(x[0]) or 1.0)
        line = np.linspace(x.min() - beyond, x.max() + beyond, 400)
        along = {n: line if n == over else np.full(400, np.median(c)) for n, c in block.items()}
        there = after.rows_of_fit(model, found, along, band)
        curve = np.stack([line, there.fit])
        ends = np.stack([there.fit - there.half, there.fit + there.half])
    spread = block.get(spread_name(over)) if over in asked.spreads else None
    errors = model.values(model.sides, block, found.values)[-1] if asked.spreads else None
    picture = fits.FitPicture(
        fits.Points(x, here.left, spread, errors, rows=found.rows),
        here.left - here.fit,
        curve,
        (over or "row", _side_text(equation.text)),
        ends if np.isfinite(ends).all() else None,
        f"{100 * found.level:g} % {band} band",
        by_rows=by_rows,
    )
    with open_output(output) as target:
        target.write(fits.picture(picture, form))


def _side_text(text: str) -> str:
    """LEFT as it is written."""
    return text.partition("==")[0].strip()

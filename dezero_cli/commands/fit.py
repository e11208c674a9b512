"""``dezero fit``: the parameters of an equation that fit the rows of a table."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
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
    starts_option,
    table_options,
    vars_option,
    within_option,
)
from dezero_cli.faults import ExpressionError, UsageError, ValuesError, did_you_mean
from dezero_cli.language import explain, unknowns, values
from dezero_cli.language.equations import equation
from dezero_cli.language.ranges import Limits
from dezero_cli.language.results import Wanted
from dezero_cli.language.spelling import canonical, canonical_words, meant, quoted, typed
from dezero_cli.language.statements import is_statement
from dezero_cli.language.symbolic import free_names
from dezero_cli.language.words import definitions_used, formula
from dezero_cli.number_format import NumberFormat
from dezero_cli.solving import after
from dezero_cli.solving.data import RowData, Spread, rows_to_draw
from dezero_cli.solving.fit import Fit, FitTask, Fitted
from dezero_cli.solving.groups import GroupFits
from dezero_cli.solving.robust import LOSSES
from dezero_cli.solving.rows import RowModel, spread_name
from dezero_cli.tables import files
from dezero_cli.tables.blocks import ColumnReader, text_name
from dezero_cli.tables.dialect import Dialect, dialect_of, skipped_note
from dezero_cli.tables.files import ENDINGS
from dezero_cli.uncertainty import asked as uncertain

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
    help="The standard uncertainty of a column: a number, a part such as 2%, or a column "
    "(repeatable; several count together).",
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
@click.option("--by", metavar="COLUMN", help="A fit for each group of rows, a JSON line each.")
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
    default=after.CONFIDENCE,
    help="What sigma, lower and upper are of: the curve, or a further observation.",
)
@click.option("--prefix", default="", metavar="P", help="Put P before the columns of -o.")
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
    seed: int,
    by: str | None,
    jobs: int | None,
    output: str | None,
    band: str,
    prefix: str,
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
    if by is not None and (get or output or plot):
        raise UsageError("--by writes a JSON line a group: leave out --get, -o and --plot")
    dialect = dialect_of(**written)
    asked = FitWords(
        words, source, dialect, defs, vars_file, fix, within, sigma, by, max_operations
    )
    task = asked.task()
    task.scale_errors, task.robust, task.level = scale_errors, robust, level
    task.starts, task.seed = starts or 1, seed
    if not (as_json or get or by is not None):
        report.warn(asked.note)
    for warning in asked.warnings:
        report.warn(warning)
    if by is not None:
        return _groups(asked, task, by, jobs)
    if output and asked.reader is None:
        raise UsageError("-o writes the table with the fit: there is no table")
    fitting = Fit(task)
    found = fitting.run()
    if output:
        _write_table(asked, fitting.model, found, band, output, prefix)
    if plot:
        _draw(asked, fitting.model, found, band, plot)
    result = asked.head | told(found, asked.held)
    if asked.data.left_out:
        result["left_out"] = asked.data.left_out
    show = NumberFormat(precision, form)
    if get:
        report.write("".join(places.text(places.found(result, w), show) + "\n" for w in get))
    elif as_json:
        report.write(report.json_line(result))
    else:
        report.write(report.fit_text(result, show))
    return _status(found, fitting.model)


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


FADED = 1e4
"""How many times as large as a parameter its error is, if the user is to be told."""


def _status(found: Fitted, model: RowModel) -> int:
    """The exit status; says on standard error what the user should know."""
    if found.better_start is not None:
        report.warn(f"note: start {found.better_start} found a better fit than the start given")
    for name in found.at_limits:
        report.warn(f"note: {quoted(name)} is at its limit, and held there: it has no error")
    for name, value, sigma in zip(found.names, found.values, found.sigmas, strict=True):
        if sigma > FADED * abs(value) > 0 and not model.is_linear([name]):
            report.warn(
                f"note: the rows hardly determine {quoted(name)}: its error is "
                f"{sigma / abs(value):.0e} times as large; another start may lead elsewhere"
            )
    if not found.dof:
        report.warn("note: as many rows as parameters: no residuals tell of errors")
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
        raise UsageError("-o reads the table a second time, which standard input is not: name it")
    expr = f"[{', '.join(after.formulas(model, found, band))}]"
    definitions = [
        f"{quoted(spread_name(name))}={spread.text(quoted(name))}"
        for name, spread in asked.spreads.items()
    ]
    constants = dict(zip(found.names, map(float, found.values), strict=True)) | asked.held
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
        line = np.linspace(x.min(), x.max(), 400)
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


class FitWords:
    """What the words ask: the equation, the data, what varies from which start."""

    def __init__(
        self,
        words: Sequence[str],
        source: str | None,
        dialect: Dialect,
        defs: str | None,
        vars_file: str | None,
        fixed: Sequence[str],
        within: Sequence[str],
        sigma: Sequence[str],
        by: str | None,
        most: int,
    ) -> None:
        said = list(filter(is_statement, words))
        rest = [word for word in words if not is_statement(word)]
        tables = _tables(rest, said)
        self.most = most
        self.formula = formula([*rest[:1], *said], EXAMPLE, defs, vars_file, tables[:1])
        limits = unknowns.take_limits(self.formula.said)
        fixed = unknowns.named(fixed, "--fix", self.formula.said)
        limits |= unknowns.within(within)
        self.reader = self._reader(tables, source, dialect, limits)
        self.table = list(self.reader.columns) if self.reader else []
        columns = [canonical(name) for name in self.table]
        self.given = self.formula.given(columns=[*columns, *limits])
        self.equation = equation(self.formula.text, self.given, most)
        self.names = self._free_names(columns)
        self.lists = {n: x for n, x in self.given.values.items() if x.ndim and n in self.names}
        self.columns = self._columns()
        self.params = self._params(fixed, limits)
        self.limits = self._limits(limits, fixed)
        self.held = {n: float(self.given.values[n]) for n in self.names if n in fixed}
        self.spreads = self._spreads(sigma)
        self._check()
        self.data = self._data(by)

    @property
    def head(self) -> dict[str, Any]:
        """The equation and what is defined and held, as they are told."""
        used = definitions_used(self.equation.residual)
        head: dict[str, Any] = {"expr": str(self.formula.text)}
        head |= {"defs": used} if used else {}
        return head | ({"held": list(self.held)} if self.held else {})

    @property
    def note(self) -> str:
        """What was taken for what."""
        data = ", ".join(map(quoted, sorted([*self.columns, *self.lists])))
        text = f"data: {data}; parameters: {', '.join(map(quoted, sorted(self.params)))}"
        return text + (f"; held: {', '.join(map(quoted, self.held))}" if self.held else "")

    @property
    def warnings(self) -> list[str]:
        """What may have been meant otherwise, and the rows that are left out."""
        found = []
        unused = [name for name in self.table if canonical(name) not in self.columns]
        for name in self.params:
            near = did_you_mean(name, unused)
            if near and name not in self.given.values:
                found.append(f"warning: {quoted(name)} is taken for a parameter: {near}")
        if e_note := explain.note_on_e(self.equation.residual, [*self.table, *self.names], GIVE_E):
            found.append(e_note)
        if self.data.left_out:
            count = self.data.left_out
            rows = f"{count} row{'s'[: count != 1]} with an empty cell"
            found.append(f"note: {rows} {'is' if count == 1 else 'are'} left out")
        skipped = skipped_note(self.reader.skipped if self.reader else 0)
        return found + [f"note: {each}" for each in skipped]

    def task(self) -> FitTask:
        """What is to be fitted."""
        start = {n: float(self.given.values[n]) for n in self.params if n in self.given.values}
        return FitTask(
            self.equation,
            [*self.columns, *self.lists],
            self.params,
            self.data.blocks,
            start,
            self.held,
            self.limits,
            list(self.spreads),
            threads=os.cpu_count() or 1,
            most=self.most,
        )

    # -------------------------------------------------------------------------------------------
    def _reader(
        self,
        tables: Sequence[str],
        source: str | None,
        dialect: Dialect,
        limits: Mapping[str, Limits],
    ) -> ColumnReader | None:
        """The table, if there is one: lists among the values take its place."""
        given = self.formula.given(columns=list(limits))
        equation(self.formula.text, given, self.most)  # a fault in it is said first
        if not tables and any(x.ndim for x in given.values.values()):
            return None
        return ColumnReader(files.found(tables, source, dialect))

    def _free_names(self, columns: Sequence[str]) -> list[str]:
        given = [*columns, *self.given.values]
        return free_names(self.equation.residual, given)

    def _columns(self) -> dict[str, str]:
        """The column of the table that each name means."""
        found = {}
        for name in self.names:
            written = self.equation.residual.written(name)
            column = meant(name, written, self.table)
            if column is None:
                continue
            if name in self.given.values:
                raise ValuesError(
                    f"{quoted(name)} is both a column of the table and a value on the command "
                    "line: leave out the value, or give it another name"
                )
            found[name] = column
        for name in self.equation.residual.definitions:
            if meant(name, name, self.table) is not None:
                raise ValuesError(
                    f"{quoted(name)} is both a column of the table and a definition: give the "
                    "definition another name"
                )
        return found

    def _params(self, fixed: Sequence[str], limits: Mapping[str, Limits]) -> list[str]:
        data = {*self.columns, *self.lists}
        for name in fixed:
            if name not in self.names:
                raise UsageError(self._unknown("--fix", name))
            if name in data:
                raise UsageError(f"--fix: {quoted(name)} is data, not a parameter")
            if name not in self.given.values:
                hint = f"--fix {typed(f'{quoted(name)}=1')}"
                if name in limits:
                    hint = f"{typed(f'{quoted(name)}=1')} in place of its limits"
                raise UsageError(f"--fix: {quoted(name)} needs a value: {hint}")
        return [name for name in self.names if name not in data and name not in fixed]

    def _limits(self, limits: Mapping[str, Limits], fixed: Sequence[str]) -> dict[str, Limits]:
        """The limits of parameters, between which the starts lie."""
        for name, (low, high) in limits.items():
            if name in fixed:
                raise UsageError(f"{quoted(name)} has limits, and is held: leave out one of them")
            if name not in self.params:
                if name in {*self.columns, *self.lists}:
                    raise UsageError(f"--within: {quoted(name)} is data, not a parameter")
                raise UsageError(self._unknown("--within", name))
            start = self.given.values.get(name)
            if start is not None and not low <= start <= high:
                raise UsageError(f"the start {quoted(name)}={start} is not between its limits")
        return dict(limits)

    def _unknown(self, option: str, name: str) -> str:
        hint = did_you_mean(name, self.names) or f"the names are {', '.join(self.names)}"
        return f"{option}: no {quoted(name)} in the equation: {hint}"

    def _spreads(self, sigma: Sequence[str]) -> dict[str, Spread]:
        """The uncertainty of each column."""
        found = {}
        for name, text in uncertain.words_by_name("--sigma", sigma).items():
            if name not in {*self.columns, *self.lists}:
                what = "a parameter" if name in self.params else "not in the equation"
                hint = f"the data are {', '.join([*self.columns, *self.lists])}"
                raise UsageError(f"--sigma {quoted(name)} is {what}: {hint}")
            found[name] = self._spread(name, text)
        return found

    def _spread(self, name: str, text: str) -> Spread:
        known = [*self.table, *(n for n, x in self.given.values.items() if x.ndim)]
        column = meant(canonical(text), text, known)
        if column is not None:
            return Spread(column=column)
        if text.endswith("%"):
            return Spread(part=uncertain.percent(name, text).share)
        if text.isidentifier() and not values.literal(name, text, False):
            hint = did_you_mean(text, known) or "give a number, 2%, or the name of a column"
            raise ValuesError(f"--sigma {quoted(name)}={text}: no column {text}: {hint}")
        number = values.value(name, text)
        if number.ndim or not (np.isfinite(number) and number > 0):
            raise ValuesError(
                f"--sigma {quoted(name)}={text}: expected a number that is more than 0"
            )
        return Spread(number=float(number))

    def _check(self) -> None:
        """Refuse a fit without data or parameters, and values that are for nothing."""
        if not self.columns and not self.lists:
            known = ", ".join(self.table[:8]) or "none"
            text, hint = self.equation.left.text, f"the columns are {known}"
            raise ExpressionError("no name of the equation is a column", text, 0, hint=hint)
        if not self.params:
            raise UsageError("nothing to be found: every name is data or held")
        for name in self.formula.own(self.given):
            used = self.names, [s.column for s in self.spreads.values()]
            if not any(name in each for each in used):
                raise UsageError(self._unknown(f"{quoted(name)}=...", name))

    def _data(self, by: str | None) -> RowData:
        sizes = {n: x.shape for n, x in self.given.values.items() if x.ndim}
        lists = {n: self.given.values[n] for n in sizes}
        spread = [s.column for s in self.spreads.values() if s.column]
        read = [name for name in spread if name not in sizes]
        read = list(dict.fromkeys([*self.columns.values(), *read]))
        names = [*self.columns, *self.lists]
        if by is not None and meant(canonical(by), by, self.table) is None:
            hint = did_you_mean(by, self.table) or f"the columns are {', '.join(self.table)}"
            raise UsageError(f"--by {by}: no column {by}: {hint}")
        if self.reader is None:
            _check_lists({n: lists[n] for n in [*self.lists, *spread] if n in lists})
            return RowData(lambda: [lists], names, self.spreads)
        reader, own = self.reader, self.columns
        group = None if by is None else meant(canonical(by), by, self.table)
        texts = [] if group is None else [group]
        if self.lists:
            shown = ", ".join(self.lists)
            raise UsageError(f"{shown} is a list, but there is a table: data come from one of them")

        def source() -> Iterable[Mapping[str, np.ndarray]]:
            for block in reader.blocks(read, texts):
                made = {**block, **{name: block[column] for name, column in own.items()}}
                yield made

        rereads = not any(name == "-" for name in reader.tables.names)
        key = None if group is None else text_name(group)
        return RowData(source, names, self.spreads, rereads, key)


EXAMPLE = "'y == a + b*x' table.csv"
GIVE_E = "call the parameter otherwise"
"""How `e` is made a parameter."""


def _tables(rest: Sequence[str], said: Sequence[str]) -> list[str]:
    """The words that name tables."""
    if equations := [word for word in said if not rest or os.path.isfile(rest[0])]:
        shown = equations[0].replace("=", "==", 1)
        if " " in shown or "(" in shown.partition("==")[0]:
            raise UsageError(f"an equation has ==: write {shown!r}")
    if not rest:
        raise UsageError(f"missing the equation; for example: {EXAMPLE}")
    if os.path.splitext(rest[0])[1][1:] in ENDINGS and os.path.isfile(rest[0]):
        shown = f": {rest[-1]!r} {rest[0]}" if rest[1:] else f"; for example: {EXAMPLE}"
        raise UsageError(f"the equation comes first, then the tables{shown}")
    return list(rest[1:])


def _check_lists(lists: Mapping[str, np.ndarray]) -> None:
    """Refuse lists of different lengths."""
    first, *others = lists
    for name in others:
        if lists[name].shape != lists[first].shape:
            sizes = f"{lists[first].size} and {lists[name].size}"
            raise UsageError(f"{quoted(first)} and {quoted(name)} have {sizes} values")
    for name, array in lists.items():
        if array.ndim > 1:
            raise UsageError(f"{quoted(name)} is a matrix: a list of numbers is needed")

"""What the words of ``dezero fit`` ask: the equation, the data, what varies from which start."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dezero_cli.faults import ExpressionError, UsageError, ValuesError, did_you_mean
from dezero_cli.language import explain, symbolic, unknowns, values
from dezero_cli.language.equations import equation
from dezero_cli.language.parser import is_expression
from dezero_cli.language.ranges import Limits
from dezero_cli.language.spelling import canonical, meant, name_meant, quoted, shown_names, typed
from dezero_cli.language.statements import is_statement
from dezero_cli.language.symbolic import free_names
from dezero_cli.language.words import definitions_used, formula
from dezero_cli.number_format import number_text
from dezero_cli.solving.data import RowData, Spread
from dezero_cli.solving.fit import FitTask
from dezero_cli.tables import files
from dezero_cli.tables.blocks import ColumnReader, text_name
from dezero_cli.tables.dialect import Dialect, skipped_note
from dezero_cli.tables.files import ENDINGS
from dezero_cli.uncertainty import asked as uncertain

SIZES = "a number, 2%, a column or a formula of columns"
EXAMPLE = "'y == a + b*x' table.csv"
GIVE_E = "call the parameter otherwise"
"""How `e` is made a parameter."""


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
        by: Sequence[str],
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
        self.sources = dict(self.columns)
        """The columns that names stand for, in the equation and in uncertainties."""
        self.spreads = self._spreads(sigma)
        self.group = self._group(by)
        self._check()
        self.data = self._data()

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
        data = shown_names(sorted([*self.columns, *self.lists]))
        text = f"data: {data}; parameters: {shown_names(sorted(self.params))}"
        return text + (f"; held: {shown_names(self.held)}" if self.held else "")

    @property
    def warnings(self) -> list[str]:
        """What may have been meant otherwise, and the rows that are left out."""
        found = []
        unused = [name for name in self.table if canonical(name) not in self.columns]
        for name in self.params:
            near = name_meant(name, unused)
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
            where=self.data.where,
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
        params = [name for name in self.names if name not in data and name not in fixed]
        for name in params:
            start = self.given.values.get(name)
            if start is not None and not np.isfinite(start):
                shown = f"{quoted(name)}={number_text(float(start))}"
                raise UsageError(f"the start {shown} is not a finite number")
        return params

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
        hint = name_meant(name, self.names) or f"the names are {shown_names(self.names)}"
        return f"{option}: no {quoted(name)} in the equation: {hint}"

    def _spreads(self, sigma: Sequence[str]) -> dict[str, Spread]:
        """The uncertainty of each column."""
        found = {}
        for name, text in uncertain.words_by_name("--sigma", sigma).items():
            if name not in {*self.columns, *self.lists}:
                what = "a parameter" if name in self.params else "not in the equation"
                hint = f"the data are {shown_names([*self.columns, *self.lists])}"
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
            if text in self.given.definitions:
                return self._formula_spread(name, text)
            hint = did_you_mean(text, known) or f"give {SIZES}"
            raise ValuesError(f"--sigma {quoted(name)}={text}: no column {text}: {hint}")
        try:
            number = values.value(name, text)
        except ExpressionError:
            return self._formula_spread(name, text)
        if number.ndim or not (np.isfinite(number) and number > 0):
            raise ValuesError(
                f"--sigma {quoted(name)}={text}: expected a number that is more than 0"
            )
        return Spread(number=float(number))

    def _formula_spread(self, name: str, text: str) -> Spread:
        """An uncertainty that is a formula of columns, such as sqrt(n)."""
        expression = self.given.linked(text, self.most)
        inputs = free_names(expression, [*map(canonical, self.table), *self.given.values])
        numbers: dict[str, float] = {}
        for each in inputs:
            column = meant(each, expression.written(each), self.table)
            value = self.given.values.get(each)
            if column is not None:
                self.sources[each] = column
            elif value is not None and each not in self.params and not value.ndim:
                numbers[each] = float(value)
            elif each in self.params or value is None:
                what = "a parameter" if each in self.params else "not a column"
                raise ValuesError(f"--sigma {quoted(name)}={text}: {quoted(each)} is {what}")
        return Spread(formula=symbolic.program(expression, inputs, (), self.most), numbers=numbers)

    def _check(self) -> None:
        """Refuse a fit without data or parameters, and values that are for nothing."""
        if not self.columns and not self.lists:
            known = ", ".join(self.table[:8]) or "none"
            text, hint = self.equation.left.text, f"the columns are {known}"
            raise ExpressionError("no name of the equation is a column", text, 0, hint=hint)
        if not self.params:
            raise UsageError("nothing to be found: every name is data or held")
        spreads = self.spreads.values()
        used = {*self.names, *(n for each in spreads for n in [*each.columns, *each.numbers])}
        for name in self.formula.own(self.given):
            if name not in used:
                raise UsageError(self._unknown(f"{quoted(name)}=...", name))

    def _group(self, by: Sequence[str]) -> str | None:
        """The column whose texts are groups."""
        if not by:
            return None
        if self.reader is None:
            raise UsageError("--by names a column of a table: there is no table")
        found = meant(canonical(by[0]), by[0], self.table)
        if found is None:
            hint = did_you_mean(by[0], self.table) or f"the columns are {', '.join(self.table)}"
            raise UsageError(f"--by {by[0]}: no column {by[0]}: {hint}")
        return found

    def _data(self) -> RowData:
        sizes = {n: x.shape for n, x in self.given.values.items() if x.ndim}
        lists = {n: self.given.values[n] for n in sizes}
        spread = [name for each in self.spreads.values() for name in each.columns]
        read = [self.sources.get(name, name) for name in spread if name not in sizes]
        read = list(dict.fromkeys([*self.columns.values(), *read]))
        names = [*self.columns, *self.lists]
        if self.reader is None:
            _check_lists({n: lists[n] for n in [*self.lists, *spread] if n in lists})
            return RowData(lambda: [lists], names, self.spreads)
        reader, own = self.reader, self.sources
        texts = [] if self.group is None else [self.group]
        if self.lists:
            shown = shown_names(self.lists)
            raise UsageError(f"{shown} is a list, but there is a table: data come from one of them")

        def source() -> Iterable[Mapping[str, np.ndarray]]:
            for block in reader.blocks(read, texts):
                made = {**block, **{name: block[column] for name, column in own.items()}}
                yield made

        rereads = not any(name == "-" for name in reader.tables.names)
        key = None if self.group is None else text_name(self.group)
        return RowData(source, names, self.spreads, rereads, key, reader.row_name)


def _tables(rest: Sequence[str], said: Sequence[str]) -> list[str]:
    """The words that name tables."""
    if equations := [word for word in said if not rest or os.path.isfile(rest[0])]:
        shown = equations[0].replace("=", "==", 1)
        if " " in shown or "(" in shown.partition("==")[0]:
            hint = f"write {shown!r}" if is_expression(shown) else f"for example: {EXAMPLE}"
            raise UsageError(f"an equation has ==: {hint}")
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

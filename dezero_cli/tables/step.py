"""An expression bound to the columns of a table: arrays of columns in, result columns out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dezero.functions import CONSTANTS
from dezero.programs import native
from dezero_cli.faults import ExpressionError, ValuesError, did_you_mean
from dezero_cli.language import explain, symbolic, values
from dezero_cli.language.expression import Expression
from dezero_cli.language.parser import parse
from dezero_cli.language.results import Wanted, results
from dezero_cli.language.spelling import canonical, meant


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with every row: plain data, which can be sent to another process.

    `constants` are the values on the command line.  The uncertainties in `wanted` are still text, a
    number or a column for each name, because only the table tells the names of its columns.
    """

    expr: str
    constants: Mapping[str, float] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    only: bool = False
    prefix: str = ""


class Step:
    """The compiled program of a plan for a table with the given columns.

    `columns` are those that it reads, `results` the names of those that it adds, `notes` what the
    user should know.  A name means the column of that name, however the table spells it; one that
    is spelt as in the expression comes first.  Raises ExpressionError or ValuesError if the plan
    does not fit the table.
    """

    def __init__(self, plan: Plan, table: Sequence[str]) -> None:
        self._expression = parse(plan.expr)
        self._column = known = _columns(self._expression, plan, table)
        _check_names(self._expression, plan, known, table)
        note = explain.note_on_e(self._expression, [*known, *plan.constants], explain.GIVE_E)
        self.notes = [note] if note else []
        used = [name for name in self._expression.names if name in known]
        self._constants = {n: np.array(value) for n, value in plan.constants.items()}
        self._sigmas = _uncertainties(plan, known, table)
        written = _differentiated(plan, used, known, table)
        self._wanted = replace(plan.wanted, wrt=tuple(written), sigmas={}, shares=False)
        self._derived = list(dict.fromkeys([*written, *self._sigmas]))
        fixed = [name for name in self._expression.names if name in self._constants]
        inputs = list(dict.fromkeys([*used, *fixed, *self._derived]))
        program = symbolic.program(self._expression, inputs, self._derived)
        self._kernel = native.compiled(program)
        spread = [given for given in self._sigmas.values() if isinstance(given, str)]
        self._read = [name for name in inputs if name in known]
        self.columns = tuple(dict.fromkeys([*map(known.__getitem__, self._read), *spread]))
        derivatives = [f"d_{known.get(name, name)}" for name in written]
        names = ["value", *derivatives, *["sigma"][: len(self._sigmas)]]
        self.results = tuple(plan.prefix + name for name in names)
        if not plan.only:
            _refuse_taken(self.results, table)

    def run(self, arrays: Mapping[str, np.ndarray], rows: int) -> list[np.ndarray]:
        """The result columns for `rows` rows, given a float64 array for each of `columns`.

        It runs in one thread: the reader and writer of the table already use all cores.
        """

        def compiled(
            _: Expression, given: Mapping[str, np.ndarray], *__: object
        ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            outputs = self._kernel.run(given, threads=1)
            value, *gradients = (np.broadcast_to(output, (rows,)) for output in outputs)
            return value, dict(zip(self._derived, gradients, strict=True))

        wanted = replace(self._wanted, sigmas=self._standard_uncertainties(arrays))
        given = self._constants | {name: arrays[self._column[name]] for name in self._read}
        found = results(self._expression, given, wanted, True, compiled)
        columns = [found["value"], *found.get("grad", {}).values()]
        return [*columns, np.broadcast_to(found["sigma"], (rows,))] if self._sigmas else columns

    def _standard_uncertainties(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The standard uncertainty of each name in each row; nan if it is negative."""
        found = {}
        for name, given in self._sigmas.items():
            sigma = arrays[given] if isinstance(given, str) else np.array(given)
            found[name] = np.where(sigma < 0, np.nan, sigma)
        return found


def _columns(expression: Expression, plan: Plan, table: Sequence[str]) -> dict[str, str]:
    """The column that each name of the expression and of the options means, if there is one."""
    found = {}
    for name in dict.fromkeys([*expression.names, *(plan.wanted.wrt or ()), *plan.wanted.sigmas]):
        written = expression.written(name) if name in expression.places else name
        column = meant(name, written, table)
        if column is not None:
            found[name] = column
    return found


def _check_names(
    expression: Expression, plan: Plan, known: Mapping[str, str], table: Sequence[str]
) -> None:
    """Refuse a name that is both a column and a value, and a name that is neither."""
    for name in expression.names:
        if name in known and name in plan.constants:
            raise ValuesError(
                f"{name} is both a column of the table and a value on the command line: "
                "leave out the value, or give it another name"
            )
        if name not in known and name not in plan.constants and name not in CONSTANTS:
            raise _missing(expression, name, table, plan.constants)


def _missing(
    expression: Expression, name: str, table: Sequence[str], constants: Mapping[str, float]
) -> ExpressionError:
    """A name that is neither a column nor a value."""
    place = expression.places[name]
    hint = did_you_mean(name, [*table, *constants, *CONSTANTS])
    if len(table) == 1 and ";" in table[0]:
        hint = f"the only column is {table[0]}; cells must be separated by ',', not ';'"
    elif hint is None:
        shown = ", ".join(table[:8]) + ", ..." * (len(table) > 8)
        hint = f"the columns are {shown}; or add {name}=VALUE" if table else f"add {name}=VALUE"
    return ExpressionError(f"no column {name}", expression.text, place, place + len(name), hint)


def _differentiated(
    plan: Plan, used: list[str], known: Mapping[str, str], table: Sequence[str]
) -> list[str]:
    """The names to write a derivative for."""
    if plan.wanted.no_grad:
        return []
    for name in plan.wanted.wrt or ():
        _refuse_unknown("--wrt", name, known, table, plan.constants)
    return list(dict.fromkeys(plan.wanted.wrt or ())) or used


def _refuse_unknown(
    option: str,
    name: str,
    known: Mapping[str, str],
    table: Sequence[str],
    constants: Mapping[str, float],
) -> None:
    if name not in known and name not in constants:
        hint = did_you_mean(name, [*table, *constants]) or f"add {name}=VALUE"
        raise ValuesError(f"{option} {name}: no column {name}: {hint}")


def _uncertainties(
    plan: Plan, known: Mapping[str, str], table: Sequence[str]
) -> dict[str, float | str]:
    """The standard uncertainty of each name: a number, or the name of a column."""
    found: dict[str, float | str] = {}
    for name, text in plan.wanted.sigmas.items():
        assert isinstance(text, str)
        _refuse_unknown("--sigma", name, known, table, plan.constants)
        column = meant(canonical(text), text, table)
        if column is not None:
            found[name] = column
            continue
        if text.isidentifier() and text not in CONSTANTS:
            hint = did_you_mean(text, table) or "give a number or the name of a column"
            raise ValuesError(f"--sigma {name}={text}: no column {text}: {hint}")
        number = np.array(-1) if text.startswith("@") else values.value(name, text)
        if number.ndim or not number >= 0:
            raise ValuesError(
                f"--sigma {name}={text}: expected a column or a number that is not negative"
            )
        found[name] = float(number)
    return found


def _refuse_taken(results: Sequence[str], table: Sequence[str]) -> None:
    for name in results:
        if meant(canonical(name), name, table) is not None:
            raise ValuesError(
                f"the table already has a column {name}: rename the new columns with --prefix, "
                "or leave out the table's columns with --only"
            )

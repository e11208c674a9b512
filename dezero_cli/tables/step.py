"""An expression bound to the columns of a table: arrays of columns in, result columns out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dezero.functions import CONSTANTS
from dezero.programs import native
from dezero.programs.trace import Program, merge
from dezero_cli.faults import ValuesError, did_you_mean
from dezero_cli.language import equations, explain, statements, symbolic, values
from dezero_cli.language.diagnosis import assignment
from dezero_cli.language.expression import Expression
from dezero_cli.language.ranges import Limits
from dezero_cli.language.results import Wanted, names_of, results
from dezero_cli.language.spelling import canonical, meant, name_meant
from dezero_cli.solving.columns import ColumnRoots, root_program
from dezero_cli.tables import hints
from dezero_cli.uncertainty.asked import percent
from dezero_cli.uncertainty.columns import RowSize, sigma_input, sigma_program


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with every row: plain data, which can be sent to another process.

    `constants` are the values on the command line, `defs` the statements whose meaning depends on
    the table's columns; `name` is what the result is called, `names` what all new columns are, of
    a plan without derivatives.  The uncertainties `sigmas` are still
    text, a number or a column for each name, because only the table tells the names of its
    columns; `correlations` are those of pairs of these names.  With `solve`, a name and a bracket,
    the expression is an equation, whose root in each row is the result.
    """

    expr: str
    constants: Mapping[str, float] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    only: bool = False
    prefix: str = ""
    defs: tuple[str, ...] = ()
    name: str | None = None
    most: int | None = None
    sigmas: Mapping[str, str] = field(default_factory=dict)
    correlations: tuple[tuple[str, str, float], ...] = ()
    solve: tuple[str, float, float] | None = None
    names: tuple[str, ...] = ()

    @property
    def matrix(self) -> np.ndarray | None:
        """The correlations of the names of `sigmas`, in order; None without any."""
        if not self.correlations:
            return None
        names = list(self.sigmas)
        matrix = np.eye(len(names))
        for first, second, number in self.correlations:
            i, j = names.index(first), names.index(second)
            matrix[i, j] = matrix[j, i] = number
        return matrix

    def linked(self, table: Sequence[str]) -> tuple[Expression, dict[str, float]]:
        """The expression with its definitions, and the constants, for a table with these columns.

        Whether ``k=2*e`` is a definition is known only now, if there may be a column e.
        """
        columns = [canonical(name) for name in table]
        given = statements.sorted_out(statements.statements(self.defs), False, columns)
        more = {name: values.one_number(name, array) for name, array in given.values.items()}
        if self.solve:
            expression = equations.equation(self.expr, given, self.most).residual
        else:
            expression = given.linked(self.expr, self.most)
        return expression, {**self.constants, **more}


class Step:
    """The compiled program of a plan for a table with the given columns.

    `columns` are those that it reads, `results` the names of those that it adds, `notes` what the
    user should know.  A name means the column of that name, however the table spells it; one that
    is spelt as in the expression comes first.  Raises ExpressionError or ValuesError if the plan
    does not fit the table.
    """

    def __init__(self, plan: Plan, table: Sequence[str]) -> None:
        expression, constants = plan.linked(table)
        plan = replace(plan, constants=constants)
        held = [name for name in plan.wanted.wrt or () if name in expression.definitions]
        whole, expression = expression, expression.without(held)
        self._column = known = _columns(whole, plan, table)
        _check_names(whole, plan, known, table)
        note = explain.note_on_e(whole, [*known, *plan.constants], explain.GIVE_E)
        self.notes = [note] if note else []
        self._constants = {n: np.array(value) for n, value in plan.constants.items()}
        self._sigmas = _uncertainties(plan, known, table)
        written = _differentiated(plan, expression, known, table, held)
        self._matrix = plan.matrix
        self._wanted = replace(plan.wanted, wrt=tuple(written), hessian=False)
        self._derived = list(dict.fromkeys([*written, *self._sigmas]))
        self._roots: ColumnRoots | None = None
        inputs = [n for n in whole.names if n in known or n in self._constants]
        inputs = list(dict.fromkeys([*inputs, *self._derived]))
        given = [name for name in inputs if name not in held]
        spread = {name: size for name, size in self._sigmas.items() if isinstance(size, str)}
        self._spread = {sigma_input(name): column for name, column in spread.items()}
        self._held = {
            name: native.compiled(symbolic.program(whole.definition(name), given, ()))
            for name in held
        }
        self._elements = expression.results
        self._pairs = _pairs(written) if plan.wanted.hessian else []
        if plan.solve:
            unknown, low, high = plan.solve
            self._roots = ColumnRoots(expression, inputs, unknown, Limits(low, high))
        self._kernel = native.compiled(self._program([*inputs, *self._spread], written))
        self._read = [name for name in inputs if name in known]
        read = [*map(known.__getitem__, self._read), *self._spread.values()]
        self.columns = tuple(dict.fromkeys(read))
        self.notes += hints.alike(self.columns, table)
        shown = [known.get(name, name) for name in written]
        self.results = _result_names(expression, plan, shown, bool(self._sigmas))
        if not plan.only:
            _refuse_taken(self.results, table, bool(plan.names))

    @property
    def solves(self) -> bool:
        """Whether the result is the root of an equation."""
        return self._roots is not None

    def _program(self, inputs: Sequence[str], written: Sequence[str]) -> Program:
        """The value of each result, its gradient, and what is wanted besides.

        That is second derivatives, then the standard uncertainty.
        """
        parts: list[tuple[Program, int]] = []
        if self._roots:
            known = (self._roots.residual, inputs, self._roots.unknown, self._derived)
            whole = root_program(*known, self._pairs)
            if not self._sigmas:
                return whole
            first = root_program(*known)
            spread = sigma_program(first, self._derived, self._sigmas, self._matrix)
            return merge([*((whole, i) for i in range(len(whole.outputs))), (spread, 0)])
        for each in self._elements:
            first = symbolic.program(each, inputs, self._derived)
            parts += [(first, i) for i in range(1 + len(self._derived))]
            if self._pairs:
                _, second = symbolic.derivatives(each, inputs, written, 2)
                parts += [(second, 1 + i) for i in range(len(self._pairs))]
            if self._sigmas:
                spread = sigma_program(first, self._derived, self._sigmas, self._matrix)
                parts.append((spread, 0))
        return merge(parts) if len(parts) > 1 + len(self._derived) else first

    def run(self, arrays: Mapping[str, np.ndarray], rows: int) -> list[np.ndarray]:
        """The result columns for `rows` rows, given a float64 array for each of `columns`.

        It runs in one thread: the reader and writer of the table already use all cores.
        """
        given = self._constants | {name: arrays[self._column[name]] for name in self._read}
        given |= {name: arrays[column] for name, column in self._spread.items()}
        given |= {n: kernel.run(given, threads=1)[0] for n, kernel in self._held.items()}
        if self._roots:
            given[self._roots.unknown] = self._roots.found(given, rows)
        outputs = (np.broadcast_to(x, (rows,)) for x in self._kernel.run(given, threads=1))
        found_columns: list[list[np.ndarray]] = [[], [], [], []]
        values, gradients, seconds, sigmas = found_columns
        for each in self._elements:
            value = next(outputs)
            every = dict(zip(self._derived, outputs, strict=False))
            seconds += itertools.islice(outputs, len(self._pairs))
            sigmas += itertools.islice(outputs, 1 if self._sigmas else 0)
            found = results(
                each, given, self._wanted, True, lambda *_, y=value, gys=every: (y, gys)
            )
            values.append(found["value"])
            gradients += found.get("grad", {}).values()
        return [*values, *gradients, *seconds, *sigmas]


def _columns(expression: Expression, plan: Plan, table: Sequence[str]) -> dict[str, str]:
    """The column that each name of the expression and of the options means, if there is one."""
    found = {}
    asked = [*expression.names, *(plan.wanted.wrt or ()), *plan.sigmas]
    for name in dict.fromkeys(asked):
        if name in expression.definitions:
            continue
        written = expression.written(name) if name in expression.places else name
        column = meant(name, written, table)
        if column is not None:
            found[name] = column
    return found


def _check_unknown(plan: Plan, expression: Expression, known: Mapping[str, str]) -> None:
    """Refuse an unknown that the equation does not have, or that has values already."""
    if plan.solve is None:
        return
    unknown = plan.solve[0]
    if unknown in known or unknown in plan.constants:
        what = "a column of the table" if unknown in known else "a value on the command line"
        raise ValuesError(f"--solve {unknown}: {unknown} is {what}: give the unknown another name")
    if unknown not in expression.names:
        hint = name_meant(unknown, expression.names) or "solve for a name of the equation"
        raise ValuesError(f"--solve {unknown}: no {unknown} in the equation: {hint}")
    for name in plan.wanted.wrt or ():
        if name in expression.definitions:
            raise ValuesError(f"--wrt {name}: {name} is a definition, which moves with the root")


def _check_names(
    expression: Expression, plan: Plan, known: Mapping[str, str], table: Sequence[str]
) -> None:
    """Refuse a name that is both a column and a value, and a name that is neither."""
    _check_unknown(plan, expression, known)
    for name in expression.definitions:
        if meant(name, name, table) is not None:
            raise ValuesError(
                f"{name} is both a column of the table and a definition: give the definition "
                "another name"
            )
    for name in expression.names:
        if name in known and name in plan.constants:
            raise ValuesError(
                f"{name} is both a column of the table and a value on the command line: "
                "leave out the value, or give it another name"
            )
        constant = name in plan.constants or expression.is_constant(name)
        if plan.solve and name == plan.solve[0]:
            continue
        if name not in known and not constant:
            raise hints.missing(expression, name, table, plan.constants)


def _differentiated(
    plan: Plan,
    expression: Expression,
    known: Mapping[str, str],
    table: Sequence[str],
    held: Sequence[str],
) -> list[str]:
    """The names to write a derivative for."""
    if plan.wanted.no_grad:
        return []
    for name in plan.wanted.wrt or ():
        if name not in held:
            _refuse_unknown("--wrt", name, known, table, plan.constants)
    used = [name for name in expression.names if name in known]
    return list(dict.fromkeys(plan.wanted.wrt or ())) or used


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Each pair of names once."""
    return list(itertools.combinations_with_replacement(names, 2))


def _result_names(
    expression: Expression, plan: Plan, names: Sequence[str], sigma: bool
) -> tuple[str, ...]:
    """What the new columns are called: results, derivatives, second ones, uncertainties."""
    if plan.names:
        return tuple(plan.prefix + name for name in plan.names)
    if plan.name and expression.is_list:
        raise ValuesError("--as names one result: give the elements of a list names of their own")
    name = plan.name or (plan.solve[0] if plan.solve else None)
    alone = name is None and not expression.is_list
    elements = [name] if name else names_of(expression)
    of = [""] if alone else [f"{element}_" for element in elements]
    pairs = _pairs(names) if plan.wanted.hessian else []
    found = [
        *elements,
        *(f"d_{each}{name}" for each in of for name in names),
        *(f"d2_{each}{first}_{second}" for each in of for first, second in pairs),
        *(f"sigma_{each}".rstrip("_") for each in of if sigma),
    ]
    for name in found:
        if found.count(name) > 1:
            raise ValuesError(f"two new columns would be called {name}: give the elements names")
    return tuple(plan.prefix + name for name in found)


def _refuse_unknown(
    option: str,
    name: str,
    known: Mapping[str, str],
    table: Sequence[str],
    constants: Mapping[str, float],
) -> None:
    if name not in known and name not in constants:
        hint = name_meant(name, [*table, *constants]) or f"add {assignment(name)}"
        raise ValuesError(f"{option} {name}: no column {name}: {hint}")


def _uncertainties(
    plan: Plan, known: Mapping[str, str], table: Sequence[str]
) -> dict[str, RowSize]:
    """The standard uncertainty of each name: a number, a share, or the name of a column."""
    found: dict[str, RowSize] = {}
    for name, text in plan.sigmas.items():
        _refuse_unknown("--sigma", name, known, table, plan.constants)
        column = meant(canonical(text), text, table)
        if column is not None:
            found[name] = column
            continue
        if text.endswith("%"):
            found[name] = percent(name, text)
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


def _refuse_taken(results: Sequence[str], table: Sequence[str], named: bool) -> None:
    for name in results:
        if meant(canonical(name), name, table) is not None:
            hint = "rename the new columns with --prefix"
            hint += "" if named else ", or leave out the table's columns with --only"
            raise ValuesError(f"the table already has a column {name}: {hint}")

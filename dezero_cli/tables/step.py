"""An expression bound to the columns of a table: arrays of its columns in, result columns out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dezero.functions import CONSTANTS
from dezero.programs import native
from dezero_cli.language import symbolic, values
from dezero_cli.language.diagnosis import ExpressionError, did_you_mean
from dezero_cli.language.expression import Expression, parse
from dezero_cli.language.values import ValuesError


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of every row: plain data, which can be sent to another process.

    `constants` are the values of the command line, `sigmas` a text by name: a number or a column.
    """

    expr: str
    constants: Mapping[str, float] = field(default_factory=dict)
    wrt: tuple[str, ...] = ()
    sigmas: Mapping[str, str] = field(default_factory=dict)
    no_grad: bool = False
    only: bool = False
    prefix: str = ""


class Step:
    """The compiled program of a request for a table with the given columns.

    `columns` are those that it reads, `results` the names of those that it adds.  Raises
    ExpressionError or ValuesError where the request does not fit the table.
    """

    def __init__(self, request: Request, table: Sequence[str]) -> None:
        expression = parse(request.expr)
        _check_names(expression, request, table)
        used = [name for name in expression.names if name in table]
        self._constants = {n: np.float64(value) for n, value in request.constants.items()}
        self._sigmas = _uncertainties(request, table)
        self._written = _differentiated(request, used, table)
        self._derived = list(dict.fromkeys([*self._written, *self._sigmas]))
        known = [name for name in expression.names if name in self._constants]
        self._inputs = list(dict.fromkeys([*used, *known, *self._derived]))
        self._kernel = native.compiled(symbolic.program(expression, self._inputs, self._derived))
        spread = [given for given in self._sigmas.values() if isinstance(given, str)]
        read = [name for name in self._inputs if name in table]
        self.columns = tuple(dict.fromkeys([*read, *spread]))
        names = ["value", *(f"d_{name}" for name in self._written), *["sigma"][: len(self._sigmas)]]
        self.results = tuple(request.prefix + name for name in names)
        if not request.only:
            _refuse_taken(self.results, table)

    def run(self, arrays: Mapping[str, np.ndarray], rows: int) -> list[np.ndarray]:
        """The result columns for `rows` rows, given a float64 array for each of `columns`.

        One thread does it: whoever reads and writes the table does so in as many as there are.
        """
        outputs = self._kernel.run({**self._constants, **arrays}, threads=1)
        value, *gradients = (np.broadcast_to(output, (rows,)) for output in outputs)
        by_name = dict(zip(self._derived, gradients, strict=True))
        results = [value, *(by_name[name] for name in self._written)]
        if self._sigmas:
            results.append(self._sigma(by_name, arrays, rows))
        return results

    def _sigma(
        self, gradients: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray], rows: int
    ) -> np.ndarray:
        """The standard uncertainty of the value, to first order; nan where one is negative."""
        total = np.zeros(rows)
        with np.errstate(all="ignore"):
            for name, given in self._sigmas.items():
                sigma = arrays[given] if isinstance(given, str) else np.full(rows, given)
                part = gradients[name] * np.where(sigma < 0, np.nan, sigma)
                np.hypot(total, part, out=total)
        return total


def _check_names(expression: Expression, request: Request, table: Sequence[str]) -> None:
    """Refuse a name that is given twice, as a column and as a value, or not at all."""
    for name in expression.names:
        if name in table and name in request.constants:
            raise ValuesError(
                f"{name} is a column of the table and a value on the command line: "
                "leave out the value, or use another name for it"
            )
        if name not in table and name not in request.constants and name not in CONSTANTS:
            raise _missing(expression, name, table, request.constants)


def _missing(
    expression: Expression, name: str, table: Sequence[str], constants: Mapping[str, float]
) -> ExpressionError:
    """A name that is neither a column nor a value."""
    place = expression.places[name]
    hint = did_you_mean(name, [*table, *constants, *CONSTANTS])
    if len(table) == 1 and ";" in table[0]:
        hint = f"the only column is {table[0]}; cells are separated by ',', not ';'"
    elif hint is None:
        shown = ", ".join(table[:8]) + ", ..." * (len(table) > 8)
        hint = f"the columns are {shown}; or add {name}=VALUE" if table else f"add {name}=VALUE"
    return ExpressionError(f"no column {name}", expression.text, place, place + len(name), hint)


def _differentiated(request: Request, used: list[str], table: Sequence[str]) -> list[str]:
    """The names that a derivative is written for."""
    if request.no_grad:
        return []
    for name in request.wrt:
        _refuse_unknown("--wrt", name, table, request.constants)
    return list(dict.fromkeys(request.wrt)) or used


def _refuse_unknown(
    option: str, name: str, table: Sequence[str], constants: Mapping[str, float]
) -> None:
    if name not in table and name not in constants:
        hint = did_you_mean(name, [*table, *constants]) or f"add {name}=VALUE"
        raise ValuesError(f"{option} {name}: no column {name}: {hint}")


def _uncertainties(request: Request, table: Sequence[str]) -> dict[str, float | str]:
    """The standard uncertainty of each name: a number, or the name of a column."""
    found: dict[str, float | str] = {}
    for name, text in request.sigmas.items():
        _refuse_unknown("--sigma", name, table, request.constants)
        if text in table:
            found[name] = text
            continue
        if text.isidentifier() and text not in CONSTANTS:
            hint = did_you_mean(text, table) or "give a number or the name of a column"
            raise ValuesError(f"--sigma {name}={text}: no column {text}: {hint}")
        number = np.array(-1) if text.startswith("@") else values.value(name, text)
        if number.ndim or not number >= 0:
            raise ValuesError(f"--sigma {name}={text}: expected a number from 0 on, or a column")
        found[name] = float(number)
    return found


def _refuse_taken(results: Sequence[str], table: Sequence[str]) -> None:
    for name in results:
        if name in table:
            raise ValuesError(
                f"the table has a column {name} already: name the new ones with --prefix, "
                "or leave the table's out with --only"
            )

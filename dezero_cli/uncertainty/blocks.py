"""An expression -> a function of blocks of draws: machine code, where there can be any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dezero import Variable, constant
from dezero.lists import stack
from dezero.programs import native
from dezero.programs.recorder import Recorder
from dezero.programs.trace import (
    Program,
    SizeError,
    TraceError,
    column_variables,
    output_number,
    recorded_program,
)
from dezero.work import OPERATION
from dezero_cli.faults import ExpressionError
from dezero_cli.language import derivatives
from dezero_cli.language.expression import Expression
from dezero_cli.uncertainty.draws import Blocks
from dezero_cli.uncertainty.inputs import column_name

MOST_OPERATIONS = 20_000
"""Operations of a program, beyond which draws are evaluated one by one."""

DRAWN_FOR = 4
"""What a drawn number, and one that is added up, counts for: both take longer than a sum."""

MOST_COMPILED = 1000
"""Operations beyond which a compiler takes longer than NumPy saves."""

Values = Mapping[str, np.ndarray]


def of_expression(expression: Expression, values: Values, drawn: set[str]) -> tuple[Blocks, int]:
    """The function of the results of an expression, of which the inputs `drawn` have draws.

    And how many numbers each draw makes.

    The columns are named as `column_name` says; everything else is as in `values`.
    """
    used = {name: values[name] for name in expression.places if name in values}
    try:
        program = _program(expression, used, drawn)
    except (SizeError, TraceError):
        program = None
    except ExpressionError as fault:
        if not isinstance(fault.__cause__, TraceError):
            raise
        program = None
    if program is None:
        work = (
            DRAWN_FOR
            * OPERATION
            * (expression.work + sum(1 + value.size for value in used.values()))
        )
        return lambda columns: _one_by_one(expression, used, drawn, columns), work
    kernel = native.compiled(program) if len(program.operations) <= MOST_COMPILED else None

    def run(columns: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        given = {name: columns[name] for name in program.inputs}
        rows = len(next(iter(columns.values())))
        found = kernel.run(given, threads=1) if kernel else program.run(given)
        return [np.broadcast_to(y, (rows,)) for y in found]

    drawn_or_summed = len(program.inputs) + len(program.outputs)
    weights = sum(getattr(each[0], "weight", 1) for each in program.operations)
    return run, DRAWN_FOR * drawn_or_summed + weights


def _program(expression: Expression, values: Values, drawn: set[str]) -> Program:
    """The program of every number of the results; what is not drawn is written into it."""
    keys = [
        column_name(name, index)
        for name in values
        if name in drawn
        for index in np.ndindex(values[name].shape)
    ]
    recorder = Recorder(keys, MOST_OPERATIONS)
    columns = column_variables(recorder, ())
    given = {
        name: _array(name, value.shape, columns) if name in drawn else constant(value)
        for name, value in values.items()
    }
    numbers: list[int] = []
    for element in expression.results:
        y = element.evaluate(given)
        every = [y[index] if index else y for index in np.ndindex(y.shape)]
        numbers += [output_number(recorder, number) for number in every]
    return recorded_program(recorder, numbers)


def _array(name: str, shape: tuple[int, ...], columns: Mapping[str, Variable]) -> Any:
    """An array of columns as one Variable."""
    if not shape:
        return columns[name]
    if 0 in shape:
        return constant(np.zeros(shape))
    every = stack([columns[column_name(name, index)] for index in np.ndindex(shape)])
    return every.reshape(shape)


def _one_by_one(
    expression: Expression, values: Values, drawn: set[str], columns: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """The same draw by draw, for what is no program of columns, such as a median."""
    rows = len(next(iter(columns.values())))
    varying = {
        name: np.stack(
            [columns[column_name(name, index)] for index in np.ndindex(values[name].shape)], axis=-1
        ).reshape(rows, *values[name].shape)
        for name in values
        if name in drawn
    }
    results = []
    for row in range(rows):
        given = {**values} | {name: np.asarray(array[row]) for name, array in varying.items()}
        each = [derivatives.value(element, given) for element in expression.results]
        results.append(np.concatenate([np.ravel(y) for y in each]))
    return list(np.array(results).T)

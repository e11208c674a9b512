"""A program of columns -> one that gives the standard uncertainty in every row, to first order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dezero.programs.recorder import Recorder
from dezero.programs.trace import Program, output_number, recorded_program, replay
from dezero.programs.tracer import Tracer
from dezero_cli.uncertainty import first_order
from dezero_cli.uncertainty.asked import Percent

RowSize = float | str | Percent
"""A standard uncertainty: a number, the column that holds it, or a share of the value."""


def sigma_input(name: str) -> str:
    """What the program calls the column with the uncertainty of an input: no name is like it."""
    return f"\0{name}"


def sigma_program(
    program: Program,
    derived: Sequence[str],
    sizes: Mapping[str, RowSize],
    matrix: np.ndarray | None,
) -> Program:
    """The program of one output, the standard uncertainty.

    `program` has a value and then its derivatives by the names `derived`; `matrix` are the
    correlations of the names of `sizes`, in order.  It needs an input `sigma_input` for each that
    is a column; where one is negative, the uncertainty is nan.
    """
    recorder = Recorder(program.inputs)
    inputs = {name: Tracer(recorder, number) for number, name in enumerate(program.inputs)}
    gradients = dict(zip(derived, replay(program, list(inputs.values()))[1:], strict=True))
    parts = [
        first_order.products(gradients[name], _sigma(name, size, inputs))
        for name, size in sizes.items()
    ]
    triangle = None if matrix is None else first_order.root(matrix)
    sigma = first_order.length(first_order.rotated(parts, triangle))
    return recorded_program(recorder, [output_number(recorder, sigma)])


def _sigma(name: str, size: RowSize, inputs: Mapping[str, Tracer]) -> Any:
    if isinstance(size, Percent):
        return size.share * np.absolute(inputs[name])
    if isinstance(size, str):
        column: Any = inputs[sigma_input(name)]
        return np.where(np.less(column, 0.0), np.nan, column)
    return size

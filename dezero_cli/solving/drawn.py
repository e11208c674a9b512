"""The solution of equations for many draws of what was given: Newton's method over columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dezero.programs import native
from dezero.programs.trace import merge
from dezero_cli.faults import ExpressionError
from dezero_cli.language import symbolic
from dezero_cli.language.expression import Expression
from dezero_cli.solving import systems
from dezero_cli.solving.functions import Array, Functions, Layout

Columns = Mapping[str, Array]
MOST_STEPS = 60
MOST_FAILED = 100
"""Draws of a block that are searched one by one without success, before the others are given up."""
SMALL = 1e-9
"""A step of Newton's method that leaves less than rounding to do, beside the solution."""


def of_columns(
    residuals: Sequence[Expression],
    solution: Mapping[str, Array],
    held: Mapping[str, Array],
    keys: Mapping[str, Sequence[str]],
) -> Callable[[Columns], list[Array]]:
    """A function of columns of draws that gives a column for each number of the solution.

    `keys` names the columns of each value that is drawn, one for each of its elements; a search
    begins at `solution`.  Where it finds none, the column has nan; so it has where Newton's method
    fails after MOST_FAILED slower searches that failed, too.
    """
    names = [name for name in dict.fromkeys(_names(residuals)) if name in held]
    layout = Layout(solution)
    start = layout.packed(solution)
    kernel = _kernel(residuals, names, solution, {name: held[name] for name in names})

    def alone(columns: Columns, row: int) -> Array:
        drawn = {
            name: np.reshape([columns[key][row] for key in each], held[name].shape)
            for name, each in keys.items()
        }
        found = systems.solved(Functions(residuals, layout, {**held, **drawn}), start)
        return found.x if found.converged else np.full(layout.size, np.nan)

    def run(columns: Columns) -> list[Array]:
        rows = len(next(iter(columns.values())))
        found = np.full((layout.size, rows), np.nan)
        with np.errstate(all="ignore"):
            if kernel is not None:
                given = {name: columns.get(name, held[name]) for name in names}
                found = _newton(kernel, layout.names, given, np.tile(start[:, np.newaxis], rows))
            failed = 0
            for row in np.flatnonzero(~np.isfinite(found).all(axis=0)).tolist():
                if failed < MOST_FAILED:
                    found[:, row] = alone(columns, row)
                    failed += not np.isfinite(found[:, row]).all()
        return list(found)

    return run


def _names(residuals: Sequence[Expression]) -> list[str]:
    return [name for each in residuals for name in each.names]


def _kernel(
    residuals: Sequence[Expression],
    names: Sequence[str],
    solution: Mapping[str, Array],
    held: Mapping[str, Array],
) -> native.Kernel | None:
    """The residuals, then their derivatives row by row, in machine code; None for arrays."""
    if any(array.ndim for array in (*solution.values(), *held.values())):
        return None
    try:
        programs = [
            symbolic.program(each, [*names, *solution], list(solution)) for each in residuals
        ]
    except ExpressionError:
        return None
    parts = [(program, 0) for program in programs]
    parts += [(program, 1 + i) for program in programs for i in range(len(solution))]
    return native.compiled(merge(parts))


def _newton(kernel: native.Kernel, unknowns: Sequence[str], given: Columns, start: Array) -> Array:
    """The solution in every column of `start`; nan where steps do not come to an end."""
    n = len(unknowns)
    result = np.full(start.shape, np.nan)
    rows, x = np.arange(start.shape[1]), start
    for _ in range(MOST_STEPS):
        if not rows.size:
            break
        outputs = kernel.run({**given, **dict(zip(unknowns, x, strict=True))}, threads=1)
        every = np.stack([np.broadcast_to(each, rows.shape) for each in outputs])
        step = _steps(every[:n], every[n:].reshape(n, n, -1))
        x = x - step
        close = (np.abs(step) <= SMALL * np.abs(x)).all(axis=0) | (every[:n] == 0).all(axis=0)
        result[:, rows[close]] = x[:, close]
        kept = ~close & np.isfinite(x).all(axis=0)
        given = {name: y[kept] if y.ndim else y for name, y in given.items()}
        rows, x = rows[kept], x[:, kept]
    return result


def _steps(residuals: Array, jacobians: Array) -> Array:
    """The step of Newton's method for each column; nan where there is none."""
    if len(residuals) == 1:
        return np.asarray(residuals / jacobians[0])
    matrices = np.moveaxis(jacobians, -1, 0)
    finite = np.isfinite(matrices).all(axis=(1, 2)) & (np.linalg.det(matrices) != 0)
    found = np.full(residuals.shape, np.nan)
    right = residuals.T[finite][..., np.newaxis]
    found[:, finite] = np.linalg.solve(matrices[finite], right)[..., 0].T
    return found

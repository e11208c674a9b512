"""A fit for each group of rows, begun where the fit of all rows ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from dezero_cli.faults import CommandError
from dezero_cli.solving.fit import Fit, FitTask, Fitted
from dezero_cli.solving.rows import Array, Block, Blocks


def group_fits(
    task: FitTask, block: Block, groups: Array
) -> Iterator[tuple[str, Fitted | CommandError]]:
    """Each group, in the order of first appearance, with its fit or why there is none.

    `groups` has the group of each row of `block`.
    """
    whole = Fit(replace(task, blocks=lambda: [block]))
    try:
        begin = dict(zip(task.params, map(float, whole.run().values), strict=True))
    except CommandError:  # all rows together may fit nothing
        begin = dict(task.start)
    for name, rows in _rows_by_group(groups):
        part = {column: values[rows] for column, values in block.items()}
        mine = replace(task, blocks=_only(part))
        try:
            yield name, _fitted(Fit(mine, whole.model), begin)
        except CommandError as fault:
            yield name, fault


def _only(part: Block) -> Blocks:
    return lambda: [part]


def _fitted(fit: Fit, begin: dict[str, float]) -> Fitted:
    """The fit of a group, from where all rows lead and, if that fails, from the start given."""
    given = fit.task
    fit.task = replace(given, start=begin)
    try:
        found = fit.run(near=True)
        if found.converged:
            return replace(found, starts=[given.start.get(n) for n in found.names])
    except CommandError:
        if begin == given.start:
            raise
    fit.task = given
    return fit.run()


def _rows_by_group(groups: Array) -> Iterator[tuple[str, Array]]:
    """The rows of each group, in the order of first appearance."""
    names, first, numbers = np.unique(groups.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=len(names)))
    parts: Sequence[Array] = np.split(order, ends[:-1])
    for i in np.argsort(first):
        yield str(names[i]), parts[i]

"""A fit for each group of rows, begun where the fit of all rows ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dezero_cli.faults import CommandError
from dezero_cli.solving.fit import Fit, FitTask, Fitted
from dezero_cli.solving.many import ALIKE, ManyFits
from dezero_cli.solving.reduced import SMALL
from dezero_cli.solving.rows import Array, Block, Blocks, RowModel

ROWS = 1 << 15
"""Rows of the groups that are fitted together, unless one alone has more."""


@dataclass
class PartFits:
    """The fits of a part: of the groups `together` in columns, of each of the others `alone`.

    Groups are known by their places in `names`; of one that cannot be fitted there is the reason.
    """

    names: list[str]
    together: list[int]
    fitted: Fitted | None
    alone: dict[int, Fitted | CommandError]


class GroupFits:
    """The groups of `block`, in the order of first appearance, in parts that are fitted together.

    `groups` has the group of each row.  What a part gives depends on its own rows, and on where
    the fit of all rows ended.
    """

    def __init__(self, task: FitTask, block: Block, groups: Array) -> None:
        self.task = task
        whole = Fit(replace(task, blocks=lambda: [block]))
        whole.check_starts()
        self.model: RowModel = whole.model
        try:
            self.begin = dict(zip(task.params, map(float, whole.run().values), strict=True))
        except CommandError:  # all rows together may fit nothing
            self.begin = dict(task.start)
        known: dict[str, int] = {}
        numbers = [known.setdefault(name, len(known)) for name in groups.tolist()]
        self.order = np.argsort(np.array(numbers, int), kind="stable")
        self.block = {name: column[self.order] for name, column in block.items()}
        self.names = list(known)
        self.counts = np.bincount(numbers, minlength=len(known)) if numbers else np.zeros(0, int)
        self.ends = np.cumsum(self.counts)
        self.parts = self._parts()
        point = np.array([self.begin.get(name, np.nan) for name in task.params])
        own = whole.begun()
        own = np.where(np.isfinite(own), own, point)  # what is linear is found in one step
        same = (own == point) | np.isin(task.params, whole.linear)
        self.many = ManyFits(task, self.model, [point] if same.all() else [point, own])

    def _parts(self) -> list[range]:
        """The groups of each part: the same for any number of processes."""
        found, first, rows = [], 0, 0
        for i, count in enumerate(self.counts.tolist()):
            if rows and rows + count > ROWS:
                found.append(range(first, i))
                first, rows = i, 0
            rows += count
        return [*found, range(first, len(self.counts))] if len(self.counts) else []

    def fits(self, part: int) -> PartFits:
        """The fits of a part."""
        groups = self.parts[part]
        ends, counts = (
            self.ends[groups.start : groups.stop],
            self.counts[groups.start : groups.stop],
        )
        rows = slice(int(ends[0] - counts[0]), int(ends[-1]))
        block = {name: column[rows] for name, column in self.block.items()}
        together, fitted = np.zeros(0, int), None
        if len(groups) > 1 or counts[0] <= SMALL:
            together, fitted = self.many.fitted(block, counts)
        others = np.setdiff1d(np.arange(len(groups)), together).tolist()
        alone = {i: self._alone(groups.start + i) for i in others}
        return PartFits(self.names[groups.start : groups.stop], together.tolist(), fitted, alone)

    def _alone(self, group: int) -> Fitted | CommandError:
        """The fit of a group that needs a search of its own."""
        end, count = int(self.ends[group]), int(self.counts[group])
        part = {name: column[end - count : end] for name, column in self.block.items()}
        mine = replace(self.task, blocks=_only(part), where=self._where(end - count))
        try:
            return _fitted(Fit(mine, self.model), self.begin)
        except CommandError as fault:
            return fault

    def _where(self, first: int) -> Callable[[int], str]:
        """What rows of the table are called that stand together from `first` on."""
        return lambda number: self.task.where(int(self.order[first + number]))


def _only(part: Block) -> Blocks:
    return lambda: [part]


def _fitted(fit: Fit, begin: dict[str, float]) -> Fitted:
    """The fit of a group: the better one of those from where all rows lead and from the start."""
    given = fit.task
    if fit.is_all_linear or begin == given.start:
        return fit.run()
    found = [*_tried(fit, begin, near=True), *_tried(fit, given.start)]
    if not any(each.converged for each in found):
        found += _tried(fit, begin)
    if not found:
        return fit.run()  # which says why
    ends = [each for each in found if each.converged] or found
    least = min(ends, key=_least)
    best = ends[0] if _least(ends[0]) <= _least(least) * (1 + ALIKE) else least
    return replace(best, starts=[given.start.get(n) for n in best.names])


def _tried(fit: Fit, start: Mapping[str, float], near: bool = False) -> list[Fitted]:
    """The fit from a start, if there is one; from one that is `near` only if it converges."""
    given = fit.task
    fit.task = replace(given, start=start)
    try:
        found = fit.run(near)
    except CommandError:
        return []
    finally:
        fit.task = given
    return [found] if found.converged or not near else []


def _least(found: Fitted) -> float:
    """What a fit has made least."""
    return float(found.chi2 if found.loss is None else found.loss)

"""The rows of a fit: columns and their uncertainties, without the rows that lack a number."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dezero.programs import native
from dezero.programs.trace import Program
from dezero_cli.faults import UsageError
from dezero_cli.language import symbolic
from dezero_cli.language.spelling import quoted
from dezero_cli.number_format import number_text
from dezero_cli.solving.rows import Array, Block, row_count, row_name, spread_name
from dezero_cli.solving.spool import Spool

GROUP = "\0group"
"""The name under which kept rows have their group; no column is called so."""

KEPT = 1 << 22
"""Numbers of a table that are kept in memory; more are spooled to a temporary file."""

SPOOLED = 1 << 28
"""Numbers that are spooled; a larger table is read again for every pass, if it can be."""


EVEN = 1 << 18
"""Rows of a block: the same however a table is stored, so that sums have the same bits."""


class Spread(NamedTuple):
    """A standard uncertainty: a number, a part of the value itself, a column, or a formula.

    The inputs of a `formula` are columns, but for those that `numbers` holds.
    """

    number: float = 0.0
    part: float = 0.0
    column: str | None = None
    formula: Program | None = None
    numbers: Mapping[str, float] = {}

    @property
    def columns(self) -> list[str]:
        """The columns that it is made of."""
        if self.formula is not None:
            return [name for name in self.formula.inputs if name not in self.numbers]
        return [] if self.column is None else [self.column]

    def text(self, name: str) -> str:
        """The uncertainty of the column `name` as an expression."""
        if self.column is not None:
            return quoted(self.column)
        if self.formula is not None:
            return symbolic.texts(self.formula, name)[0]
        return f"abs({name})*{self.part!r}" if self.part else repr(self.number)

    def of(self, values: Array, block: Block) -> Array:
        """The uncertainty in each row."""
        if self.column is not None:
            return block[self.column]
        if self.formula is not None:
            given: dict[str, Any] = {**{n: block[n] for n in self.columns}, **self.numbers}
            found = native.compiled(self.formula).matrix(given)[0]
            return np.ascontiguousarray(np.broadcast_to(found, len(values)))
        return np.abs(values) * self.part if self.part else np.full(len(values), self.number)


class LeftOut:
    """Which rows were left out: a bit a row, of the blocks in which there were any."""

    def __init__(self) -> None:
        self._blocks: list[tuple[int, int, int, Array]] = []
        self.kept = self.read = 0

    def add(self, whole: Array) -> None:
        """The next rows: which of them are kept."""
        kept, read = int(np.count_nonzero(whole)), len(whole)
        if kept < read:
            self._blocks.append((self.kept, self.read, read, np.packbits(whole)))
        self.kept, self.read = self.kept + kept, self.read + read

    def before(self, number: int) -> int:
        """The number of a row that was kept, from 0, when all others were there too."""
        gone = 0
        for kept, read, rows, bits in self._blocks:
            if kept > number:
                break
            places = np.flatnonzero(np.unpackbits(bits, count=rows))
            if number - kept < len(places):
                return read + int(places[number - kept])
            gone = read + rows - kept - len(places)
        return number + gone


class RowData:
    """The rows that `source` yields, each time that `blocks` is called.

    Blocks have the columns `names` and, for those in `spreads`, their uncertainties.  The rows are
    kept in memory where they are few, or have `groups`; more go through a temporary file.  `source`
    is called again for every pass where they are too many for that, if it `rereads`.  `named` is
    what a row of `source` is called, of which the first is 0.
    """

    def __init__(
        self,
        source: Callable[[], Iterable[Block]],
        names: Sequence[str],
        spreads: Mapping[str, Spread] | None = None,
        rereads: bool = True,
        groups: str | None = None,
        named: Callable[[int], str] = row_name,
    ) -> None:
        self._source, self.names, self.spreads = source, list(names), spreads or {}
        self.missing, self._named = LeftOut(), named
        self._by, self._rereads = groups, rereads and groups is None
        self._kept: list[Block] = []
        self._spool: Spool | None = None
        self._stored = True
        numbers = 0
        for block in _evenly(self._made()):
            numbers += row_count(block) * len(block)
            if self._stored and not self._keep(block, numbers):
                self._stored, self._kept, self._spool = False, [], None
        if self._kept:
            self._kept = [_joined(self._kept)]

    def blocks(self) -> Iterable[Block]:
        """The rows from the first on."""
        if not self._stored:
            return self._read()
        return self._kept if self._spool is None else self._spool.blocks()

    def where(self, number: int) -> str:
        """What the row with a number among those that are kept is called."""
        return self._named(self.missing.before(number))

    def _keep(self, block: Block, numbers: int) -> bool:
        """Keep a block in memory, or where there are so many numbers in a file; is there room?"""
        if self._rereads and numbers > SPOOLED:
            return False
        if self._by is not None or numbers <= KEPT:
            self._kept.append(block)
            return True
        try:
            if self._spool is None:
                self._spool = Spool()
                for each in self._kept:
                    self._spool.add(each)
                self._kept = []
            self._spool.add(block)
        except OSError as fault:
            if self._rereads:
                return False
            wrong = f"the rows do not fit into a temporary file: {fault.strerror}"
            raise UsageError(f"{wrong}; name a file instead of a pipe") from None
        return True

    @property
    def left_out(self) -> int:
        """Rows in which a number is missing."""
        return self.missing.read - self.missing.kept

    def grouped(self) -> tuple[Block, Array]:
        """All rows, and the group of each, where they were kept with their groups."""
        block = dict((self._kept or [{}])[0])
        return block, block.pop(GROUP, np.zeros(0, object))

    def _read(self) -> Iterator[Block]:
        yield from _evenly(self._made())

    def _made(self) -> Iterator[Block]:
        """Blocks with uncertainties, without the rows with an empty cell."""
        missing = LeftOut()
        for block in self._source():
            made = {name: block[name] for name in self.names}
            for name, spread in self.spreads.items():
                made[spread_name(name)] = spread.of(block[name], block)
            used = [block[n] for spread in self.spreads.values() for n in spread.columns]
            cells = [*(block[name] for name in self.names), *used]
            whole = ~functools.reduce(np.logical_or, map(np.isnan, cells))
            if self._by is not None:
                made[GROUP] = block[self._by]
            first = missing.kept
            missing.add(whole)
            if missing.read > self.missing.read:  # the first pass
                self.missing = missing
            if not whole.all():
                made = {name: column[whole] for name, column in made.items()}
            self._check(made, first)
            if missing.kept > first:
                yield made

    def _check(self, block: Block, first: int) -> None:
        """Refuse an uncertainty that is no positive number."""
        for name in self.spreads:
            column = block[spread_name(name)]
            wrong = np.flatnonzero(~((column > 0) & np.isfinite(column)))
            if wrong.size:
                i = int(wrong[0])
                shown = number_text(float(column[i]))
                row = self.where(first + i)
                raise UsageError(
                    f"--sigma {quoted(name)} is {shown} in {row}: an uncertainty is more than 0"
                )


def rows_to_draw(blocks: Iterable[Block], most: int = 200_000) -> Block:
    """The rows for a picture: the first of them where they are very many."""
    found: list[Block] = []
    rows = 0
    for block in blocks:
        found.append({name: column[: most - rows] for name, column in block.items()})
        rows += row_count(found[-1])
        if rows >= most:
            break
    return _joined(found)


def _evenly(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same rows in blocks of EVEN; the last has those that are left."""
    waiting: list[Block] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += row_count(block)
        if count >= EVEN:
            whole = _joined(waiting)
            done = count - count % EVEN
            for start in range(0, done, EVEN):
                yield {name: column[start : start + EVEN] for name, column in whole.items()}
            waiting, count = [{name: column[done:] for name, column in whole.items()}], count - done
    if count:
        yield _joined(waiting)


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return {name: np.ascontiguousarray(column) for name, column in blocks[0].items()}
    return {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}

"""An equation over rows of data: residual and exact derivatives for its parameters, in blocks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dezero import Variable
from dezero.programs import native
from dezero.programs.tidy import tidied
from dezero.programs.trace import Program, SizeError, differentiate, merge, replay, trace
from dezero_cli.faults import ExpressionError
from dezero_cli.language import symbolic
from dezero_cli.language.equations import Equation

Array = np.ndarray
Block = Mapping[str, Array]
"""Some rows: a column of float64 for each name."""
Blocks = Callable[[], Iterable[Block]]
"""The rows of a table, from the first on each time that it is called."""

EXTENDED = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps
"""Whether this machine has numbers that are longer than float64."""

_SPREAD = "sigma of "
"""How inputs of programs are called that hold the uncertainty of a column; no name begins so."""


def spread_name(name: str) -> str:
    """The name under which a block has the standard uncertainty of a column."""
    return _SPREAD + name


class RowModel:
    """LEFT == RIGHT for a row, with `params` to be found; `held` are the numbers of other names.

    The residual is (LEFT - RIGHT)/u: u is 1, or where columns have a standard uncertainty what
    these make of LEFT - RIGHT to first order, at the parameters of the moment (the effective
    variance).  `spread` names those columns; blocks have the uncertainties under `spread_name`.
    Raises ExpressionError for an operation that needs a whole column, and if there are more than
    `most` operations.
    """

    def __init__(
        self,
        equation: Equation,
        columns: Sequence[str],
        params: Sequence[str],
        held: Mapping[str, float],
        spread: Sequence[str] = (),
        most: int | None = None,
    ) -> None:
        self.equation, self.params, self.most = equation, tuple(params), most
        self.held = {name: float(x) for name, x in held.items()}
        self.columns, self.spread = tuple(columns), tuple(spread)
        self.inputs = [*columns, *map(spread_name, spread), *self.held, *params]
        self.first = self._weighted()
        self.linear_pairs = self._linear_pairs()

    @functools.cached_property
    def second(self) -> Program:
        """The second derivatives, one for each pair of parameters."""
        wanted = [(1 + i, self.params[i:]) for i in range(len(self.params))]
        try:
            return differentiate(tidied(self.first), wanted, self.most)
        except SizeError:
            text = self.equation.left.text
            fault = f"its second derivatives take more than {self.most:,} operations"
            raise ExpressionError(fault, text, 0) from None

    @functools.cached_property
    def sides(self) -> Program:
        """LEFT, RIGHT, the gradient of LEFT - RIGHT, and u."""
        parts = [(self._side(self.equation.left), 0), (self._side(self.equation.right), 0)]
        gradient = symbolic.program(self.equation.residual, self.inputs, self.params, self.most)
        parts += [(gradient, 1 + i) for i in range(len(self.params))]
        return merge([*parts, (self._unit_program(), 0)])

    @functools.cached_property
    def weighed(self) -> Program:
        """LEFT and u."""
        return merge([(self._side(self.equation.left), 0), (self._unit_program(), 0)])

    @property
    def is_weighted(self) -> bool:
        """Whether there are uncertainties."""
        return bool(self.spread)

    def is_linear(self, names: Collection[str]) -> bool:
        """Whether the residual is linear in these parameters together."""
        chosen = [i for i, name in enumerate(self.params) if name in names]
        return all((i, j) in self.linear_pairs for i in chosen for j in chosen if i <= j)

    def linear(self, rather: Sequence[str]) -> list[str]:
        """Parameters in which the residual is linear together: first of all those in `rather`."""
        order = [*rather, *(name for name in self.params if name not in rather)]
        found: list[str] = []
        for name in order:
            if self.is_linear([*found, name]):
                found.append(name)
        return [name for name in self.params if name in found]

    # -------------------------------------------------------------------------------------------
    def _side(self, side: Any) -> Program:
        return symbolic.program(side, self.inputs, (), self.most)

    def _plain(self) -> Program:
        """LEFT - RIGHT, and its derivatives for the columns that have uncertainties."""
        return symbolic.program(self.equation.residual, self.inputs, self.spread, self.most)

    def _spreads(self, variables: Sequence[Any]) -> list[Any]:
        start = len(self.columns)
        return list(variables[start : start + len(self.spread)])

    def _unit_program(self) -> Program:
        plain = self._plain()
        return trace(lambda *xs: _unit(replay(plain, xs)[1:], self._spreads(xs)), self.inputs, ())

    def _weighted(self) -> Program:
        """The residual and its gradient for the parameters."""
        if not self.spread:
            return symbolic.program(self.equation.residual, self.inputs, self.params, self.most)
        plain = self._plain()

        def function(*variables: Variable) -> Variable:
            residual, *slopes = replay(plain, list(variables))
            weighted: Variable = residual / _unit(slopes, self._spreads(variables))
            return weighted

        return trace(function, self.inputs, self.params, self.most)

    def _linear_pairs(self) -> set[tuple[int, int]]:
        """The pairs of parameters for which the second derivative is the constant 0."""
        count = len(self.params)
        pairs = [(i, j) for i in range(count) for j in range(i, count)]
        second = self.second
        inputs = len(second.inputs)
        zeros = {inputs + i for i, x in enumerate(second.constants) if x == 0}
        return {pair for pair, n in zip(pairs, second.outputs, strict=True) if n in zeros}

    # -------------------------------------------------------------------------------------------
    def values(self, program: Program, block: Block, point: Array, threads: int = 1) -> Array:
        """The outputs of a program for the rows of a block, an output a row of the result."""
        return native.compiled(program).matrix(self._given(block, point), threads)

    def products(self, block: Block, point: Array, turn: Array) -> Array:
        """The sums over the rows of (turn @ r) (turn @ r)', r the residual and its gradient."""
        return native.compiled(self.first).products(self._given(block, point), turn)

    def extended(self, program: Program, block: Block, point: Array) -> Array | None:
        """The same in longer numbers; None where an operation has no form for them."""
        rows = row_count(block)
        given = self._given(block, point)
        operands = [np.asarray(given[name], np.longdouble) for name in program.inputs]
        try:
            outputs = replay(program.lowered, operands)
        except (TypeError, ValueError):
            return None
        found = [np.broadcast_to(np.asarray(each, np.longdouble), (rows,)) for each in outputs]
        return np.stack(found)

    def _given(self, block: Block, point: Array) -> dict[str, Any]:
        return {**block, **self.held, **dict(zip(self.params, point, strict=True))}


def _unit(slopes: Sequence[Any], spreads: Sequence[Any]) -> Any:
    """What uncertainties make of a result with these slopes."""
    if not slopes:
        return 1.0
    if len(slopes) == 1:
        return np.absolute(slopes[0]) * spreads[0]
    parts = [np.square(slope * spread) for slope, spread in zip(slopes, spreads, strict=True)]
    return np.sqrt(functools.reduce(lambda x, y: x + y, parts))


def row_name(number: int) -> str:
    """What a row is called, of which the first is 0."""
    return f"row {number + 1}"


def row_count(block: Block) -> int:
    """The rows of a block."""
    return max((len(column) for column in block.values()), default=0)

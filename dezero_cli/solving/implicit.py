"""The derivatives of a solution for what was given, by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dezero_cli.language.expression import Expression
from dezero_cli.solving.functions import Array, Functions, Layout

ByName = dict[str, dict[str, Array]]


class Implicit:
    """A solution of equations as a function of the values given.

    `solution` has the unknowns, `given` the values to differentiate by, `held` all others.  Where
    the equations do not determine the unknowns by themselves (a root of even order), the
    derivatives are nan.
    """

    def __init__(
        self,
        residuals: Sequence[Expression],
        solution: Mapping[str, Array],
        given: Mapping[str, Array],
        held: Mapping[str, Array],
    ) -> None:
        self.unknowns, self.given = Layout(solution), Layout(given)
        both = Layout({**solution, **given})
        self._functions = Functions(residuals, both, held)
        self._point = both.packed({**solution, **given})
        jacobian = self._functions.jacobian(self._point)
        n = self.unknowns.size
        self.is_singular = _is_singular(jacobian[:, :n])
        self._inverse = _inverse(jacobian[:, :n])
        self.matrix = -self._inverse @ jacobian[:, n:]

    def gradients(self) -> ByName:
        """The derivatives: an array of the unknown's shape, then the value's, for each pair."""
        return {
            name: {other: self._block(name, other) for other in self.given.names}
            for name in self.unknowns.names
        }

    def _block(self, name: str, other: str) -> Array:
        rows, columns = _places(self.unknowns)[name], _places(self.given)[other]
        shape = (*self.unknowns.shapes[name], *self.given.shapes[other])
        return np.asarray(self.matrix[rows, columns].reshape(shape))

    def hessians(self) -> dict[str, ByName]:
        """The second derivatives of each unknown for each pair of the values."""
        every = self.second()
        found: dict[str, ByName] = {}
        for name, rows in _places(self.unknowns).items():
            blocks = {
                (one, other): every[rows, i, j].reshape(
                    self.unknowns.shapes[name] + self.given.shapes[one] + self.given.shapes[other]
                )
                for one, i in _places(self.given).items()
                for other, j in _places(self.given).items()
            }
            found[name] = {
                one: {other: blocks[one, other] for other in self.given.names}
                for one in self.given.names
            }
        return found

    def bent(self, sigmas: Array, first: Array) -> Array:
        """How many times as large the uncertainty of each unknown is to second order as to first.

        `sigmas` are those of the values, which count as independent; `first` those of the unknowns.
        """
        spread = self.second() * sigmas[:, np.newaxis] * sigmas
        with np.errstate(all="ignore"):
            added = np.sum(np.square(spread), axis=(1, 2)) / (2 * np.square(first))
            return np.asarray(np.sqrt(1 + added))

    def second(self) -> Array:
        """The second derivatives of every unknown for every pair of values.

        Differentiating F(u(p), p) = 0 twice, the second derivative of F along two directions in
        which u moves with p, plus F's Jacobian times that of u, is 0.
        """
        moved = np.concatenate([self.matrix, np.eye(self.given.size)])
        rows = [
            -moved.T @ self._functions.curvature(self._point, weights) @ moved
            for weights in self._inverse
        ]
        return np.array(rows).reshape(len(rows), self.given.size, self.given.size)


def _is_singular(jacobian: Array) -> bool:
    """Whether the equations do not determine the unknowns near the solution, to rounding."""
    sizes = np.linalg.norm(jacobian, axis=1)
    if not np.isfinite(sizes).all() or (sizes == 0).any():
        return True
    return bool(np.linalg.cond(jacobian / sizes[:, np.newaxis]) > 1e13)


def _inverse(jacobian: Array) -> Array:
    try:
        found = np.linalg.inv(jacobian)
    except np.linalg.LinAlgError:
        found = np.full(jacobian.shape, np.nan)
    return np.asarray(found)


def _places(layout: Layout) -> dict[str, slice]:
    """Where each array stands in the vector of all."""
    ends = np.cumsum(layout.sizes).tolist()
    begins = [0, *ends[:-1]]
    return {n: slice(i, j) for n, i, j in zip(layout.names, begins, ends, strict=True)}

"""Expressions as functions of one vector, with exact derivatives and their rounding noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dezero import Variable, calculus, constant, using_config
from dezero_cli.language.expression import Expression, Operation

Array = np.ndarray
EPSILON = float(np.finfo(np.float64).eps)


class Layout:
    """Arrays by name as one vector, one behind the other."""

    def __init__(self, start: Mapping[str, Array]) -> None:
        self.names = tuple(start)
        self.shapes = {name: np.shape(array) for name, array in start.items()}
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]
        self.size = sum(self.sizes)

    def packed(self, values: Mapping[str, Array]) -> Array:
        """The vector of arrays by name; numbers fill arrays."""
        parts = [np.broadcast_to(values[n], self.shapes[n]).ravel() for n in self.names]
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)

    def unpacked(self, vector: Array) -> dict[str, Array]:
        """The arrays that a vector holds; a number has no axes."""
        ends = np.cumsum(self.sizes)[:-1]
        parts = zip(self.names, np.split(np.asarray(vector, np.float64), ends), strict=True)
        return {name: part.reshape(self.shapes[name]) for name, part in parts}


class Functions:
    """Some expressions of a vector of unknowns, with all else held.

    The values of all, one behind the other, are the vector of which `jacobian` is the derivative.
    What is computed last is kept, since searches ask for value and derivatives of one point.
    """

    def __init__(
        self, expressions: Sequence[Expression], layout: Layout, held: Mapping[str, Array]
    ) -> None:
        self.expressions = list(expressions)
        self.layout = layout
        self.held = {name: constant(np.asarray(array, np.float64)) for name, array in held.items()}

    def values(self, x: Array) -> Array:
        """The values at a point; ExpressionError for an operation that NumPy refuses."""
        with using_config("enable_backprop", False):
            scope = self._scope(x)[0]
            found = [np.ravel(each.evaluate(scope).data) for each in self.expressions]
        return np.concatenate(found).astype(np.float64) if found else np.zeros(0)

    def jacobian(self, x: Array) -> Array:
        """The derivatives of every value for every unknown, a row for each value."""
        rows = [np.zeros((0, self.layout.size))]
        for each in self.expressions:
            scope, variables = self._scope(x)
            y = each.evaluate(scope)
            if y.size == 1:
                y.backward()
                parts = [_gradient(v) for v in variables]
            else:
                parts = [
                    jacobian.reshape(y.size, -1) for jacobian in calculus.jacobians(y, variables)
                ]
            rows.append(np.concatenate(parts, axis=1))
        return np.concatenate(rows)

    def curvature(self, x: Array, weights: Array) -> Array:
        """The Hessian of the sum of the values, each with its weight."""
        scope, variables = self._scope(x)
        total = self._weighted(scope, weights)
        rows = calculus.hessians(total, variables)
        sizes = self.layout.sizes
        blocks = [
            [part.reshape(m, n) for part, n in zip(row, sizes, strict=True)]
            for row, m in zip(rows, sizes, strict=True)
        ]
        hessian = np.block(blocks) if blocks else np.zeros((0, 0))
        return (hessian + hessian.T) / 2

    def curved_along(self, x: Array, weights: Array, direction: Array) -> Array:
        """The same Hessian times a vector, at the price of two gradients."""
        parts = self.layout.unpacked(x)
        along = self.layout.unpacked(direction)

        def total(*variables: Variable) -> Variable:
            return self._weighted(self.held | dict(zip(parts, variables, strict=True)), weights)

        products = calculus.hvp(total)(tuple(parts.values()), tuple(along.values()))
        return np.concatenate([np.ravel(each) for each in products])

    def noise(self, x: Array) -> Array:
        """How far rounding may move each value: eps times what its operations contribute.

        Every operation's result is off by up to half a unit in its last place, which its own
        derivative carries on to the value; and so is every unknown and every value held.
        """
        found = [self._noise(each, x) for each in self.expressions]
        return np.concatenate(found) if found else np.zeros(0)

    # -------------------------------------------------------------------------------------------
    def _scope(self, x: Array) -> tuple[dict[str, Variable], list[Variable]]:
        """A Variable for each name, and those of the unknowns."""
        parts = {n: Variable(np.array(part), n) for n, part in self.layout.unpacked(x).items()}
        return self.held | parts, list(parts.values())

    def _weighted(self, scope: Mapping[str, Variable], weights: Array) -> Variable:
        total, done = constant(0.0), 0
        for each in self.expressions:
            y = each.evaluate(scope)
            part = weights[done : done + y.size]
            done += y.size
            if y.size == 1:
                if part[0] != 0:
                    total = total + (y * float(part[0])).sum()
            elif part.any():
                total = total + (y * part.reshape(y.shape)).sum()
        return total

    def _noise(self, expression: Expression, x: Array) -> Array:
        with using_config("enable_backprop", False):
            size = expression.evaluate(self._scope(x)[0]).size
        found = np.zeros(size)
        for i in range(size):
            scope = {n: Variable(np.array(v.data), n) for n, v in self._scope(x)[0].items()}
            kept: list[Operation] = []
            y = expression.evaluate(scope, kept)
            with np.errstate(all="ignore"):
                (y if size == 1 else y.reshape(size)[i]).backward(retain_grad=True)
                every = [*(operation.result for operation in kept), *scope.values()]
                moved = [np.sum(np.abs(v.data * v.grad)) for v in every if v.grad is not None]
            found[i] = EPSILON / 2 * float(sum(moved))
        return found


def _gradient(variable: Variable) -> Array:
    """The gradient of a Variable as a row; 0 where it has none."""
    if variable.grad is None:
        return np.zeros((1, variable.size))
    return np.asarray(variable.grad, np.float64).reshape(1, -1)

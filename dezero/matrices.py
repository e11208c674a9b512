"""Linear algebra, under NumPy's names, with its derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero.arrays import reshape, sum
from dezero.graph import ARRAY_FUNCTIONS, Operand, Variable, given
from dezero.rule import Rule


class Matrix(Rule):
    """A rule on whole matrices."""

    __slots__ = ()
    elementwise = False


def _square(x: Operand) -> Operand:
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        raise ValueError(f"expected a square matrix, got shape {x.shape}")
    return x


def _cofactors(x: Operand) -> Operand:
    """The derivative of the determinant, of singular matrices too: by singular values."""
    u, s, v = np.linalg.svd(x)
    others = np.array([np.prod(np.delete(s, i)) for i in range(len(s))])
    sign = np.sign(np.linalg.det(u) * np.linalg.det(v))
    return sign * (u * others) @ v


class Det(Matrix):
    """The determinant."""

    def forward(self, x: Operand) -> Operand:
        return np.linalg.det(_square(x))

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The cofactors; while it is recorded, y times the inverse."""
        if isinstance(gy, Variable):
            return gy * y * inv(x).T
        return gy * _cofactors(x)

    partials = (gradient,)


class Inv(Matrix):
    """The inverse."""

    def forward(self, x: Operand) -> Operand:
        return np.linalg.inv(_square(x))

    partials = (lambda self, gy, y, x: -np.matmul(np.matmul(np.transpose(y), gy), np.transpose(y)),)


class Solve(Matrix):
    """The solution of a @ y = b, a vector or a matrix of columns."""

    def forward(self, a: Operand, b: Operand) -> Operand:
        return np.linalg.solve(_square(a), b)

    def system(self, gy: Operand, y: Operand, a: Operand, b: Operand) -> Operand:
        """The gradient for a."""
        g = np.linalg.solve(np.transpose(a), gy)
        if len(y.shape) == 1:
            g, y = np.reshape(g, (-1, 1)), np.reshape(y, (-1, 1))
        return -np.matmul(g, np.transpose(y))

    partials = (
        system,
        lambda self, gy, y, a, b: np.linalg.solve(np.transpose(a), gy),
    )


def det(x: Any) -> Variable:
    """The determinant of a square matrix."""
    return Det()(x)


def inv(x: Any) -> Variable:
    """The inverse of a square matrix."""
    return Inv()(x)


def solve(a: Any, b: Any) -> Variable:
    """The x of which a @ x is b, a vector or a matrix."""
    return Solve()(a, b)


def trace(x: Any) -> Variable:
    """The sum of the diagonal of a matrix."""
    x = given(x)
    if x.ndim != 2:
        raise ValueError(f"expected a matrix, got shape {x.shape}")
    places = np.arange(min(x.shape))
    return sum(x[places, places])


def outer(x: Any, y: Any) -> Variable:
    """Every product of an element of x and an element of y, as a matrix."""
    return reshape(x, (-1, 1)) * reshape(y, (1, -1))


ARRAY_FUNCTIONS |= {
    np.linalg.det: det,
    np.linalg.inv: inv,
    np.linalg.solve: solve,
    np.trace: trace,
    np.outer: outer,
}

"""Linear algebra, under NumPy's names, with its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import float64

from dezero.arrays import reshape, sum
from dezero.graph import ARRAY_FUNCTIONS, Operand, Variable, as_operand, constant, given
from dezero.lists import stack
from dezero.rule import Rule


class Matrix(Rule):
    """A rule on whole matrices."""

    __slots__ = ()
    elementwise = False

    def numbers(self, *operands: Operand) -> int:
        """What eliminations, and for the gradient singular values, take as long as to make."""
        x, *others = (x.shape for x in operands)
        rows = x[0] if x else 1
        columns = math.prod(others[0][1:]) if others else 0
        return rows * rows * (rows + columns)


def _square(x: Operand) -> Operand:
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        raise ValueError(f"expected a square matrix, got shape {x.shape}")
    return x


def _cofactors(x: Operand) -> Operand:
    """The derivative of the determinant, of singular matrices too: by singular values."""
    if not np.isfinite(x).all():
        return np.full(x.shape, np.nan)
    u, s, v = np.linalg.svd(x)
    others = np.array([np.prod(np.delete(s, i)) for i in range(len(s))])
    sign = np.sign(np.linalg.det(u) * np.linalg.det(v))
    return sign * (u * others) @ v


def _is_regular(x: Operand) -> bool:
    """Whether the inverse has half of its digits at least."""
    if not np.isfinite(x).all():
        return False
    s = np.linalg.svd(x, compute_uv=False)
    return bool(s.size == 0 or s[-1] > 1e-8 * s[0])


def _minors(x: Variable) -> Variable:
    """The cofactors of any matrix, each a determinant that can be differentiated again."""
    n = len(x)
    if n == 1:
        return constant(np.ones((1, 1)))
    others = [np.delete(np.arange(n), i) for i in range(n)]
    parts = [det(x[np.ix_(rows, columns)]) for rows in others for columns in others]
    return reshape(stack(parts), (n, n)) * (-1.0) ** np.add.outer(np.arange(n), np.arange(n))


class Det(Matrix):
    """The determinant."""

    def forward(self, x: Operand) -> Operand:
        y = np.linalg.det(_square(x))
        return float64(np.nan) if np.isnan(x).any() else y  # which elimination may pass by

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The cofactors; while it is recorded, y times the inverse, or minors if there is none."""
        if not isinstance(gy, Variable):
            return gy * _cofactors(x)
        return gy * y * inv(x).T if _is_regular(as_operand(x)) else gy * _minors(x)

    partials = (gradient,)


def _solved(function: Callable[..., Operand], *operands: Operand) -> Operand:
    """What a function of a regular matrix gives; ValueError for any other matrix."""
    try:
        return function(*operands)
    except np.linalg.LinAlgError:
        raise ValueError("the matrix has no inverse") from None


class Inv(Matrix):
    """The inverse."""

    def forward(self, x: Operand) -> Operand:
        return _solved(np.linalg.inv, _square(x))

    partials = (lambda self, gy, y, x: -np.matmul(np.matmul(np.transpose(y), gy), np.transpose(y)),)


class Solve(Matrix):
    """The solution of a @ y = b, a vector or a matrix of columns."""

    def forward(self, a: Operand, b: Operand) -> Operand:
        if b.ndim not in {1, 2} or len(b) != len(_square(a)):
            fault = f"shapes {a.shape} and {b.shape} do not fit together in a system of equations"
            raise ValueError(fault)
        return _solved(np.linalg.solve, a, b)

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

"""Robust losses, under SciPy's names and meaning, as functions of the residual.

A loss rho(e**2) is the square of sign(e)*sqrt(rho(e**2)), which is smooth: with that in the place
of the residual a robust fit is one of least squares.  Beyond 1 rows count for less and less.
"""

from __future__ import annotations

from typing import Final

import numpy as np

Array = np.ndarray

LOSSES: Final = ("huber", "soft_l1", "cauchy")


class Loss:
    """One of the losses by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def residual(self, e: Array) -> Array:
        """sign(e)*sqrt(rho(e**2))."""
        return np.asarray(np.sign(e) * np.sqrt(self._rho(np.square(e))[0]))

    def slope(self, e: Array) -> Array:
        """The derivative of `residual`."""
        _, first, _ = self._rho(np.square(e))
        return np.where(np.abs(e) < _TINY, 1.0, first * e / _safe(self.residual(e)))

    def bend(self, e: Array) -> Array:
        """The derivative of `slope`."""
        square = np.square(e)
        _, first, second = self._rho(square)
        value, slope = _safe(self.residual(e)), self.slope(e)
        found = (first + 2 * second * square - np.square(slope)) / value
        return np.where(np.abs(e) < 1e-5, 0.0, found)

    def weights(self, e: Array) -> Array:
        """What SciPy multiplies the rows of the Jacobian by: sqrt(rho' + 2 rho'' e**2)."""
        square = np.square(e)
        _, first, second = self._rho(square)
        return np.asarray(np.sqrt(np.maximum(first + 2 * second * square, 2.2e-16)))

    def _rho(self, z: Array) -> tuple[Array, Array, Array]:
        """The loss of a squared residual and its first two derivatives."""
        if self.name == "huber":
            root = np.sqrt(np.maximum(z, 1.0))
            inside = z <= 1
            return (
                np.where(inside, z, 2 * root - 1),
                1 / root,
                np.where(inside, 0.0, -0.5 / root**3),
            )
        if self.name == "soft_l1":
            root = np.sqrt(1 + z)
            return 2 * z / (1 + root), 1 / root, -0.5 / root**3
        return np.log1p(z), 1 / (1 + z), -1 / np.square(1 + z)


_TINY = 1e-150


def _safe(value: Array) -> Array:
    return np.where(value == 0, 1.0, value)

"""Gradients and the spread of the inputs -> the spread of the results, to first order.

Everything here is arrays.  With g the gradient of a result and S the covariance of the inputs,
sigma**2 = g' S g (JCGM 100:2008, equation 13), computed as the length of R' p, where p has the
products of the derivatives with the standard uncertainties and R R' is the correlation matrix: so
it is never negative, and what cancels does so exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dezero_cli.faults import ValuesError

Array = np.ndarray

TOLERANCE = 1e-9
"""How far below 0 rounding may take the least eigenvalue of a correlation matrix."""

_PIVOT = 1e-14


def propagated(jacobian: Array, covariance: Array) -> Array:
    """The covariance of results: the Jacobian (results, inputs) and the covariance of the inputs.

    An input of variance 0 contributes nothing, whatever its derivative.  Raises ValuesError for a
    matrix that is no covariance.
    """
    sigmas = np.sqrt(np.diagonal(covariance))
    contributions = [products(jacobian[:, [i]], sigma) for i, sigma in enumerate(sigmas)]
    return covariance_of(rotated(contributions, root(correlation(covariance))))


def correlation(covariance: Array) -> Array:
    """The correlation matrix of a covariance; what has no variance is correlated with nothing."""
    with np.errstate(all="ignore"):
        sigmas = np.sqrt(np.diagonal(covariance))
        found = covariance / sigmas[:, np.newaxis] / sigmas
    found[~np.isfinite(found)] = 0.0
    found = np.clip(np.tril(found, -1), -1.0, 1.0)
    return np.asarray(found + found.T + np.eye(len(found)))


def root(matrix: Array) -> Array:
    """The lower triangle R of a correlation matrix, R R': Cholesky's, for singular ones too.

    Raises ValuesError for a matrix that no numbers can have.
    """
    if np.linalg.eigvalsh(matrix)[0] < -TOLERANCE * len(matrix):
        raise ValuesError("--corr: no inputs can have these correlations all at once")
    found = np.zeros_like(matrix)
    for j in range(len(matrix)):
        rest = matrix[j:, j] - found[j:, :j] @ found[j, :j]
        if rest[0] > _PIVOT * len(matrix):
            found[j:, j] = rest / np.sqrt(rest[0])
    return found


def products(derivatives: Any, sigma: Any) -> Array:
    """Derivatives times a standard uncertainty; an uncertainty of 0 makes any derivative 0."""
    with np.errstate(all="ignore"):
        return np.where(np.equal(sigma, 0.0), 0.0, derivatives * sigma)


def rotated(contributions: Sequence[Any], triangle: Array | None) -> list[Any]:
    """What independent inputs of unit variance would contribute instead: R' p.

    `contributions` has an array for each input, all of one shape where inputs are correlated;
    without a `triangle` the inputs are independent.
    """
    if triangle is None:
        return list(contributions)
    found = []
    with np.errstate(all="ignore"):
        for i in range(len(triangle)):
            total = contributions[i] * triangle[i, i]
            for j in (np.flatnonzero(triangle[i + 1 :, i]) + i + 1).tolist():
                total = total + contributions[j] * triangle[j, i]
            found.append(total)
    return found


def length(parts: Sequence[Any]) -> Any:
    """The length of a vector of parts, element by element, without leaving the range of numbers."""
    with np.errstate(all="ignore"):
        total: Any = np.absolute(parts[0])
        for part in parts[1:]:
            total = np.hypot(total, part)
    return total


def sizes(rows: Sequence[Array]) -> Array:
    """The standard uncertainty of each result; each part has a row a result, an element a number.

    The parts are those of `rotated`.
    """
    with np.errstate(all="ignore"):
        found = [np.hypot.reduce(part, axis=1, initial=0.0) for part in rows]
    return np.asarray(length(found))


def covariance_of(rows: Sequence[Array]) -> Array:
    """The covariance of the results, of the parts that `sizes` takes."""
    return sum((part @ part.T for part in rows), start=np.zeros(()))


def joint(rows: Sequence[Array], sigmas: Array) -> tuple[Array, Array]:
    """The covariance and the correlation of results, of the parts and what `sizes` gives of them.

    The correlation stays in the range of numbers where the covariance does not.
    """
    with np.errstate(all="ignore"):
        units = [np.nan_to_num(part / sigmas[:, np.newaxis], posinf=0.0) for part in rows]
        found = correlation(covariance_of(units))
        return found * sigmas[:, np.newaxis] * sigmas, found


def shares(
    contributions: Sequence[Any], matrix: Array | None, sigma: Any
) -> tuple[list[Any], dict[tuple[int, int], Any]]:
    """What share of the square of `sigma` each input has, and each correlated pair.

    All together are 1; that of a pair is negative where its inputs make up for each other.
    """

    def ratio(part: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.where(np.equal(sigma, 0.0), 0.0, part / sigma)

    ratios = [ratio(part) for part in contributions]
    own = [_summed(r * r) for r in ratios]
    if matrix is None:
        return own, {}
    first, second = np.nonzero(np.triu(matrix, 1))
    pairs = zip(first.tolist(), second.tolist(), strict=True)
    return own, {(i, j): _summed(2.0 * matrix[i, j] * ratios[i] * ratios[j]) for i, j in pairs}


def _summed(squares: Array) -> Any:
    """The sum over the elements of an input, which are the last axis of what has rows."""
    return squares.sum(axis=1) if squares.ndim == 2 else squares

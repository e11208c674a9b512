"""The rows of a fit reduced to a triangle: what searches need of however many rows.

For the residuals e and their Jacobian J, the R factor of [J e] has all of it: J'J = R'R, J'e = R'c,
and e'e = c'c + rest**2.  Factors of blocks of rows are stacked and reduced again.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from dezero_cli.solving.robust import Loss
from dezero_cli.solving.rows import Array, Block, Blocks, RowModel, row_count

SMALL = 20_000
"""Rows up to which longer numbers are worth their time."""

PORTION = 1 << 14
"""Rows that are reduced at a time."""

SHARE = 1 << 17
"""Rows that a thread is given: fewer, and threads would wait for one another more than work."""


class Reduced(NamedTuple):
    """Rows reduced at one point; `triangle` is R, `moved` c, `rest` what no parameter reaches."""

    triangle: Array
    moved: Array
    rest: float

    @property
    def size(self) -> float:
        """The norm of the residuals."""
        return float(np.hypot(np.sqrt(np.sum(np.square(self.moved))), self.rest))

    @property
    def factor(self) -> Array:
        """The R factor of [J e]."""
        return np.block(
            [[self.triangle, self.moved[:, None]], [np.zeros(len(self.moved)), self.rest]]
        )

    @property
    def gradient(self) -> Array:
        """J'e."""
        return np.asarray(self.triangle.T @ self.moved)

    @property
    def is_finite(self) -> bool:
        """Whether every number is one."""
        return bool(np.isfinite(self.triangle).all() and np.isfinite(self.size))


class FitRows:
    """A model over its rows, with a loss; sums over all rows are made by `threads` threads."""

    def __init__(
        self, model: RowModel, blocks: Blocks, loss: Loss | None = None, threads: int = 1
    ) -> None:
        self.model, self.blocks, self.loss, self.threads = model, blocks, loss, threads
        self.count = sum(map(row_count, blocks()))
        self.is_small = self.count <= SMALL
        self.is_long = self.is_small
        """Whether numbers are longer where exactness is asked for."""

    # -------------------------------------------------------------------------------------------
    def reduced(self, point: Array, exactly: bool = False, near: Reduced | None = None) -> Reduced:
        """The rows at a point; `exactly` without squaring the condition.

        Where there are many rows and `near` is how they are reduced at a point near by, its
        triangle takes most of the condition from them, so that products lose no digits (Yamamoto
        et al., Electron. Trans. Numer. Anal. 44, 2015: CholeskyQR2); otherwise by orthogonal steps.
        """
        width = len(self.model.params)
        if exactly and near is not None and not self.is_small:
            found = self._levelled(point, near)
            if found is not None:
                return found
        if self.is_long and exactly:
            factors = [self._extended(block, point) for block in self.blocks()]
            known = [factor for factor in factors if factor is not None]
            if len(known) == len(factors):
                return _of_factor(_stacked(known, width + 1))
        if self.is_small or exactly:
            return _of_factor(_stacked(self._mapped(self._factor, point), width + 1))
        found = _of_products(self._sum(self._products, point))
        return self.reduced(point, True) if found is None else found

    def _levelled(self, point: Array, near: Reduced) -> Reduced | None:
        """The rows reduced by products of nearly orthogonal columns; None where they are not."""
        factor = near.factor
        unit = np.sqrt(np.sum(np.square(factor), axis=0))
        if not (np.isfinite(unit).all() and (np.diag(factor) > 1e-6 * unit).all()):
            return None
        inverse = np.linalg.inv(factor)
        total = self._sum(functools.partial(self._products, inverse=inverse), point)
        if not np.abs(total - np.eye(len(total))).max() * len(total) < 0.5:  # positive definite
            return None
        return _of_factor(np.linalg.cholesky(total).T @ factor)

    @functools.cached_property
    def sample(self) -> FitRows:
        """Rows spread evenly over all, few enough for a search; all where they are few."""
        if self.is_small:
            return self
        step = -(-self.count // (SMALL // 2))
        found = []
        done = 0
        for block in self.blocks():
            rows = slice(-done % step, None, step)
            found.append({name: np.ascontiguousarray(x[rows]) for name, x in block.items()})
            done += row_count(block)
        whole = {name: np.concatenate([block[name] for block in found]) for name in found[0]}
        sample = FitRows(self.model, lambda: [whole], self.loss)
        sample.is_long = False  # where it ends is where all rows are searched from
        return sample

    def squares(self, point: Array) -> float:
        """The sum of the squared residuals, in longer numbers where there are few rows."""
        total = np.longdouble(0)
        for block in self.portions():
            found = self.model.extended(self.model.first, block, point) if self.is_long else None
            if found is None:
                found = self.model.values(self.model.first, block, np.asarray(point, np.float64))
            total += np.sum(np.square(self._lossy(found)[0]))
        return float(total)

    def curvature(self, point: Array) -> Array:
        """The sum of each residual times its Hessian."""
        width = len(self.model.params)
        found = np.zeros((width, width))
        found[np.triu_indices(width)] = self._sum(self._curved, point)
        return found + np.triu(found, 1).T

    # -------------------------------------------------------------------------------------------
    def portions(self) -> Iterator[Block]:
        """The rows, a few thousand at a time."""
        return (part for block in self.blocks() for part in _portions(block))

    def _sum(self, work: Callable[[Block, Array], Array], point: Array) -> Array:
        """The sum of what is made of the shares of rows."""
        return np.asarray(sum(self._mapped(work, point)))

    def _mapped(self, work: Callable[[Block, Array], Array], point: Array) -> Iterator[Array]:
        """What is made of the shares of rows, in their order, by several threads."""
        at = np.asarray(point, np.float64)
        shares = (part for block in self.blocks() for part in _portions(block, SHARE))
        if self.is_small or self.threads < 2:
            yield from (work(share, at) for share in shares)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            while some := list(itertools.islice(shares, 4 * self.threads)):
                yield from pool.map(work, some, itertools.repeat(at))

    def _jacobian(self, block: Block, point: Array) -> Array:
        """Residual and gradient, a row of the result each."""
        return self._lossy(self.model.values(self.model.first, block, point))

    def _lossy(self, found: Array) -> Array:
        if self.loss is None:
            return found
        value, slope = self.loss.residual(found[0]), self.loss.slope(found[0])
        return np.concatenate([value[None], found[1:] * slope])

    def _factor(self, block: Block, point: Array) -> Array:
        return triangle(_in_order(self._jacobian(block, point)))

    def _products(self, block: Block, point: Array, inverse: Array | None = None) -> Array:
        size = len(point) + 1
        turn = np.roll(np.eye(size), 1, axis=1)  # the residual last
        if inverse is not None:
            turn = inverse.T @ turn
        with np.errstate(all="ignore"):
            if self.loss is None:
                return self.model.products(block, point, turn)
            total = np.zeros_like(turn)
            for part in _portions(block):
                rows = turn @ self._jacobian(part, point)
                total += rows @ rows.T
            return total

    def _extended(self, block: Block, point: Array) -> Array | None:
        """The R factor of a block in longer numbers, if the model has a form for them."""
        found = self.model.extended(self.model.first, block, point)
        if found is None:
            return None
        with np.errstate(all="ignore"):
            return triangle(_in_order(self._lossy(found)))

    def _curved(self, block: Block, point: Array) -> Array:
        return np.asarray(sum(self._curved_portion(part, point) for part in _portions(block)))

    def _curved_portion(self, block: Block, point: Array) -> Array:
        second = self.model.values(self.model.second, block, point)
        first = self.model.values(self.model.first, block, point)
        with np.errstate(all="ignore"):
            if self.loss is None:
                return np.asarray(second @ first[0])
            value, slope = self.loss.residual(first[0]), self.loss.slope(first[0])
            i, j = np.triu_indices(len(self.model.params))
            bent = value * self.loss.bend(first[0])
            products = (first[1 + i] * first[1 + j]) @ bent
            return np.asarray(second @ (value * slope) + products)


def _portions(block: Block, most: int = PORTION) -> Iterator[Block]:
    rows = row_count(block)
    if rows <= most:
        yield block
        return
    for start in range(0, rows, most):
        part = slice(start, start + most)
        yield {name: column[part] for name, column in block.items()}


def _in_order(found: Array) -> Array:
    """The Jacobian with the residual last, a row for each row."""
    return np.concatenate([found[1:], found[:1]]).T


def triangle(rows: Array) -> Array:
    """The R factor of a matrix; by Householder's reflections here where numbers are longer."""
    if not np.isfinite(rows).all():
        return np.full((rows.shape[1], rows.shape[1]), np.nan)
    if rows.dtype != np.longdouble:
        return np.asarray(np.linalg.qr(rows, mode="r"))
    left = rows.copy()
    steps = min(rows.shape)
    for k in range(steps):
        mirror = left[k:, k].copy()
        size = np.sqrt(np.sum(np.square(mirror)))
        if size == 0:
            continue
        mirror[0] += size if mirror[0] >= 0 else -size
        factor = 2 / np.sum(np.square(mirror))
        left[k:, k:] -= np.outer(mirror, factor * (mirror @ left[k:, k:]))
    return np.triu(left[:steps])


def solved(factor: Array, right: Array) -> Array:
    """What an upper triangle times is `right`, by substitution, in the numbers that they have."""
    found = np.zeros_like(right)
    for k in range(len(right) - 1, -1, -1):
        found[k] = (right[k] - factor[k, k + 1 :] @ found[k + 1 :]) / factor[k, k]
    return found


def _stacked(factors: Iterable[Array], width: int) -> Array:
    """The R factor of all rows from those of their blocks."""
    total = np.zeros((0, width))
    for factor in factors:
        total = triangle(np.concatenate([total, factor]))
    missing = max(0, width - len(total))
    return np.concatenate([total, np.zeros((missing, width))])


def _of_factor(factor: Array) -> Reduced:
    return Reduced(factor[:-1, :-1], factor[:-1, -1], abs(float(factor[-1, -1])))


def _of_products(products: Array) -> Reduced | None:
    """The R factor of J'J; None where too few of its digits are left."""
    if not np.isfinite(products).all():
        return _of_factor(np.full(products.shape, np.nan))
    unit = np.sqrt(np.diag(products)).copy()
    unit[unit == 0] = 1.0
    try:
        factor = np.linalg.cholesky(products / np.outer(unit, unit)).T * unit
    except np.linalg.LinAlgError:
        return None
    return _of_factor(factor) if (np.diag(factor) > 1e-6 * unit)[:-1].all() else None

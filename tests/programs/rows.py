"""Columns for programs: random rows of every size, edges, and the engine's own answer on them."""

import itertools
import os
from collections.abc import Callable

import numpy as np
import pytest

from dezero import Variable, sweep

ROWS = int(os.environ.get("ROWS", "10000"))
"""Random rows; ``ROWS=100000 python -m pytest`` takes longer and looks further."""

TINY, HUGE = 5e-324, 1.7976931348623157e308
EDGES = np.array(
    [
        *(0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e-8, -1e-8, 710.0, -745.2),
        *(np.inf, -np.inf, np.nan, HUGE, -HUGE, TINY, -TINY, 1e-310, -2.2250738585072014e-308),
        *(np.nextafter(1, 0), np.nextafter(1, 2), np.pi / 2, 1e22, -(2.0**53), 1e300, -1e-300),
    ]
)


def edges(count: int) -> list[np.ndarray]:
    """All pairs of edges, or for more columns a thousand rows drawn from them."""
    if count <= 2:
        return list(np.array(list(itertools.product(EDGES, repeat=count))).T)
    generator = np.random.default_rng(2)
    return [generator.choice(EDGES, 1000) for _ in range(count)]


def random(count: int, rows: int, seed: int) -> list[np.ndarray]:
    """Rows of ordinary numbers, of numbers of any magnitude and of any bits at all."""
    generator = np.random.default_rng(seed)
    kinds = [
        lambda n: generator.uniform(-1, 1, n),
        lambda n: generator.uniform(-12, 12, n),
        lambda n: generator.uniform(0, 3, n),
        lambda n: 1 + generator.normal(0, 1e-4, n),
        lambda n: generator.choice([-1.0, 1.0], n) * 10 ** generator.uniform(-20, 20, n),
        lambda n: generator.integers(-9, 10, n).astype(float),
        lambda n: generator.integers(0, 2**64, n, dtype=np.uint64).view(np.float64),
    ]
    parts = np.diff(np.linspace(0, rows, len(kinds) + 1).astype(int))
    return [
        np.concatenate([kind(n) for kind, n in zip(kinds, parts, strict=True)])
        for _ in range(count)
    ]


def columns(count: int, rows: int = ROWS, seed: int = 1) -> list[np.ndarray]:
    """Edges, then random rows."""
    if count == 0:
        return []
    pairs = zip(edges(count), random(count, rows, seed), strict=True)
    return [np.concatenate(pair) for pair in pairs]


def engine(function: Callable[..., Variable], arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The value and each gradient as one walk of the engine gives them on whole arrays.

    A walk that left the range of numbers is not repeated here, as a program repeats nothing.
    """
    variables = [Variable(array) for array in arrays]
    y = function(*variables)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "SCALE", 1.0)
        y.backward()
    gradients = [np.zeros(1) if x.grad is None else np.asarray(x.grad) for x in variables]
    shape = arrays[0].shape if arrays else (1,)
    return [np.broadcast_to(part, shape) for part in (np.asarray(y.data, float), *gradients)]


def ordered(x: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of the float64 numbers, next to one another."""
    bits = np.ascontiguousarray(x).view(np.int64)
    return np.where(bits >= 0, bits, np.int64(-(2**63)) - bits)


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two arrays have the same bits; one nan is as good as another."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return (a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))


def differences(got: list[np.ndarray], expected: list[np.ndarray]) -> list[tuple[int, int]]:
    """The place of the first row of each output whose bits are not the expected ones."""
    assert len(got) == len(expected)
    assert all(a.shape == b.shape for a, b in zip(got, expected, strict=True))
    return [
        (output, int(np.argmin(equal)))
        for output, equal in enumerate(map(same, got, expected))
        if not equal.all()
    ]

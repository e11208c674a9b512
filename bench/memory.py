"""Memory: what a loop of evaluations keeps, and the peak of a long chain over large arrays."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import numpy as np

from bench.scalars import ours as evaluation
from bench.timing import Row
from dezero import Variable, no_grad
from dezero import functions as F  # noqa: N812, the book's name for it

SIZE = 10_000_000


def kept() -> float:
    """KiB more after 10,000 evaluations with gradient, the garbage collector off."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    for _ in range(1_000):
        evaluation()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(10_000):
        evaluation()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    gc.enable()
    return (after - before) / 1024


def chain() -> Variable:
    """Twenty steps over 10^7 numbers."""
    y = Variable(np.ones(SIZE))
    for _ in range(20):
        y = F.sin(y)
    return y


def peak(work: Callable[[], object]) -> float:
    """The peak of the memory that `work` takes, in arrays of 10^7 float64."""
    tracemalloc.start()
    work()
    arrays = tracemalloc.get_traced_memory()[1] / (8 * SIZE)
    tracemalloc.stop()
    return arrays


def without_graph() -> None:
    """The chain under no_grad."""
    with no_grad():
        chain()


def run() -> list[Row]:
    """Figures of this engine alone."""
    figures = [
        ("KiB kept by 10,000 evaluations, gc disabled", kept(), "<= 64"),
        ("arrays at the peak of the chain, no_grad", peak(without_graph), "<= 5"),
        ("arrays at the peak, gradient, retain_grad", peak(lambda: chain().backward(True)), ""),
        ("arrays at the peak, gradient", peak(lambda: chain().backward()), "fewer"),
    ]
    return [{"comparison": name, "ours": f, "wanted": wanted} for name, f, wanted in figures]

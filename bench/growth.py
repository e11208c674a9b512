"""Growth: time against size for long sums, deep nesting and wide graphs."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from functools import partial

import numpy as np

from bench.timing import Row, exponent, ratio
from dezero import Variable
from dezero_cli.language.parser import parse


def differentiate(text: str) -> None:
    """Parse, evaluate and differentiate a text in x."""
    x = Variable(np.array(1.0))
    parse.__wrapped__(text).evaluate({"x": x}).backward()


def balanced(leaves: int) -> None:
    """A balanced sum of that many inputs."""
    level = [Variable(np.array(1.0)) for _ in range(leaves)]
    while len(level) > 1:
        level = [a + b for a, b in zip(level[::2], level[1::2], strict=True)]
    level[0].backward()


def least(work: Callable[[int], None], sizes: list[int]) -> list[float]:
    """The least of eight times of each size, in turn, with the garbage collector off.

    Growth is about the work itself, not about a machine that is slower for a while.
    """
    rounds = [[timeit.timeit(partial(work, n), number=1) for n in sizes] for _ in range(8)]
    return [min(times) for times in zip(*rounds, strict=True)]


def run() -> list[Row]:
    """Exponents over four sizes, and the ratio of two widths."""
    shapes = {
        "a sum of 10^5 terms": (100_000, lambda n: differentiate("+".join(["x"] * n))),
        "2*10^4 nested parentheses": (20_000, lambda n: differentiate("(" * n + "x" + ")" * n)),
        "2*10^4 unary minuses": (20_000, lambda n: differentiate("-" * n + "x")),
    }
    rows: list[Row] = []
    for name, (largest, work) in shapes.items():
        sizes = [largest // 8, largest // 4, largest // 2, largest]
        times = least(work, sizes)
        rows.append(
            {
                "comparison": f"{name}: seconds, exponent of growth",
                "ours": times[-1],
                "ratio": exponent(sizes, times),
                "wanted": "exponent about 1",
            }
        )
    wide, narrow = least(balanced, [65_536, 16_384])
    rows.append(ratio("balanced sum, 65,536 leaves / 16,384 leaves", wide, narrow, "<= 5"))
    return rows

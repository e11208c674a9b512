"""Growth: time against size for long sums, deep nesting and wide graphs."""

from __future__ import annotations

import numpy as np

from bench.timing import Row, exponent, ratio, seconds
from dezero import Variable
from dezero_cli.expression import parse


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


def best(size: int, work: object) -> float:
    """The least of three times: growth is about the work, not the noise."""
    return min(seconds(lambda: work(size)) for _ in range(3))  # type: ignore[operator]


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
        times = [best(size, work) for size in sizes]
        rows.append(
            {
                "comparison": f"{name}: seconds, exponent of growth",
                "ours": times[-1],
                "ratio": exponent(sizes, times),
                "wanted": "exponent about 1",
            }
        )
    wide, narrow = best(65_536, balanced), best(16_384, balanced)
    rows.append(ratio("balanced sum, 65,536 leaves / 16,384 leaves", wide, narrow, "<= 5"))
    return rows

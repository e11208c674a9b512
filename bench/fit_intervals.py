"""``python -m bench.fit_intervals [N]``: how often 95% intervals of fits hold the true parameters.

Of each model, N tables are simulated with normal noise of a known standard deviation; each is
fitted with that as its uncertainty, and without it, so that errors are scaled by the residuals.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from dezero_cli.language import derivatives, statements
from dezero_cli.language.equations import equation
from dezero_cli.solving.fit import FitTask, Fitted
from dezero_cli.solving.groups import GroupFits
from dezero_cli.solving.rows import spread_name

ROWS = 20


class Case(NamedTuple):
    """A model, its true parameters, and the noise in y."""

    text: str
    truth: dict[str, float]
    noise: float


CASES = [
    Case("a + b*x", {"a": 1, "b": 2}, 0.5),
    Case("a*exp(-k*x) + c", {"a": 10, "k": 0.8, "c": 1}, 0.1),
    Case("a*exp(-(x - m)**2/(2*s**2))", {"a": 5, "m": 2.4, "s": 0.7}, 0.1),
    Case("a*x/(b + x)", {"a": 4, "b": 1.5}, 0.05),
]


def held(case: Case, count: int, known: bool, seed: int = 0) -> dict[str, float]:
    """The percentage of tables whose interval holds the truth, for each parameter."""
    names = list(case.truth)
    draw = np.random.default_rng(seed)
    x = np.tile(np.linspace(0, 5, ROWS), count)
    left = equation(f"y == {case.text}", statements.given([]))
    zero = {"x": x, "y": np.zeros_like(x)}
    free = {name: np.asarray(value, float) for name, value in case.truth.items()}
    y = derivatives.value(left.right, zero | free) + case.noise * draw.standard_normal(len(x))
    block = {"x": x, "y": np.asarray(y)}
    if known:
        block[spread_name("y")] = np.full(len(x), case.noise)
    spread = ["y"] if known else []
    task = FitTask(left, ["x", "y"], names, lambda: [block], case.truth, spread=spread)
    found = np.zeros(len(names))
    fits = GroupFits(task, block, np.repeat(np.arange(count), ROWS).astype(object))
    truth = np.array(list(case.truth.values()))[:, None]
    for part in map(fits.fits, range(len(fits.parts))):
        for each in [part.fitted, *part.alone.values()]:
            assert isinstance(each, Fitted)
            low, high = each.intervals.reshape(len(names), 2, -1).swapaxes(0, 1)
            found += ((low <= truth) & (truth <= high)).sum(axis=1)
    return dict(zip(names, (100 * found / count).tolist(), strict=True))


def main() -> None:
    """Print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    print(f"| {count:,} tables of {ROWS} rows | sigma known | scaled |")
    print("|---|---|---|")
    for case in CASES:
        shares = [held(case, count, known) for known in (True, False)]
        shown = [", ".join(f"{n} {x:.1f}%" for n, x in share.items()) for share in shares]
        print(f"| `{case.text}` | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()

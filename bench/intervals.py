"""``python -m bench.intervals [N]``: how often 95% intervals hold the truth, in N measurements.

The true inputs are known; each measurement disturbs them by their uncertainties, and an interval is
made of what was measured: the result and 1.96 of its standard uncertainty to either side, to first
and to second order, and the symmetric interval of 20,000 draws.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np

from dezero_cli.language import derivatives
from dezero_cli.language.parser import parse
from dezero_cli.uncertainty import blocks, draws, first_order, second_order
from dezero_cli.uncertainty.asked import Asked, Distribution, Draws
from dezero_cli.uncertainty.distributions import InputDraws
from dezero_cli.uncertainty.inputs import resolved

FACTOR = 1.959963984540054
DRAWS = 20_000


class Case(NamedTuple):
    """A model with its true inputs, their uncertainties, correlations and distributions."""

    name: str
    text: str
    values: dict[str, float]
    sigmas: dict[str, float]
    correlations: dict[tuple[str, str], float | str]
    kinds: dict[str, str]


CASES = [
    Case("sum of two", "a + b", {"a": 1, "b": 2}, {"a": 0.3, "b": 0.4}, {}, {}),
    Case(
        "reactance (GUM H.2)",
        "V/I*sin(phi)",
        {"V": 4.999, "I": 0.019661, "phi": 1.04446},
        {"V": 0.0032, "I": 9.5e-6, "phi": 0.00075},
        {("V", "I"): -0.36, ("V", "phi"): 0.86, ("I", "phi"): -0.65},
        {},
    ),
    Case(
        "end gauge (GUM H.1)",
        "ls + d - ls*(da*theta + alpha*dt)",
        {"ls": 50000623, "d": 215, "da": 0, "theta": -0.1, "alpha": 1.15e-5, "dt": 0},
        {"ls": 25, "d": 9.7, "da": 5.8e-7, "theta": 0.41, "alpha": 1.2e-6, "dt": 0.029},
        {},
        {},
    ),
    Case("square near 0", "x**2", {"x": 1}, {"x": 0.5}, {}, {}),
    Case(
        "quotient, 15%", "a*b/c", {"a": 5, "b": 2, "c": 1}, {"a": 0.1, "b": 0.05, "c": 0.15}, {}, {}
    ),
    Case(
        "exponential, uniform",
        "a*exp(x)",
        {"a": 2, "x": 1},
        {"a": 0.02, "x": 0.4},
        {},
        {"x": "uniform"},
    ),
]


def held(case: Case, count: int) -> list[float]:
    """The share of measurements whose interval holds the truth: first order, second, draws."""
    expression = parse(case.text)
    asked = Asked(
        {name: np.array(float(s)) for name, s in case.sigmas.items()},
        correlations=case.correlations,
        distributions={name: Distribution(kind) for name, kind in case.kinds.items()},
    )
    truth = {name: np.array(float(x)) for name, x in case.values.items()}
    values, inputs = resolved(asked, truth)
    function, _ = blocks.of_expression(expression, values, set(inputs.names))
    wanted = float(derivatives.value(expression, values))
    source = InputDraws(inputs, values, 0)
    found = np.zeros(3)
    for number in range(count):
        if not number % 32768:
            block = {n: c.copy() for n, c in source.block(number // 32768).items()}
        measured = {name: np.array(column[number % 32768]) for name, column in block.items()}
        value, gradient = derivatives.value_and_gradient(expression, measured, inputs.names)
        parts = [first_order.products(gradient[n], s) for n, s in inputs.sigmas.items()]
        sigma = float(first_order.length(first_order.rotated(parts, inputs.triangle)))
        (moments,) = second_order.moments(expression, measured, inputs)
        drawn = draws.sample(
            function, InputDraws(inputs, measured, number + 1), Draws(DRAWS), threads=1
        )
        low, high = drawn.intervals[0]
        found += (
            abs(float(value) - wanted) <= FACTOR * sigma,
            abs(moments.mean - wanted) <= FACTOR * moments.sigma,
            low <= wanted <= high,
        )
    return (100 * found / count).tolist()


def main() -> None:
    """Print a table for the manual."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"| {count:,} measurements | First order | Second order | Draws |")
    print("|---|---|---|---|")
    for case in CASES:
        shares = " | ".join(f"{share:.1f}%" for share in held(case, count))
        print(f"| {case.name}: `{case.text}` | {shares} |", flush=True)


if __name__ == "__main__":
    main()

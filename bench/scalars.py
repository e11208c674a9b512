"""Scalars: Goldstein-Price and both partials, through Variables and through the peers."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.timing import Row, in_turn, ratio
from dezero import Variable
from dezero_cli.language.parser import parse

GOLDSTEIN_PRICE = (
    "(1+(x+y+1)**2*(19-14*x+3*x**2-14*y+6*x*y+3*y**2))"
    "*(30+(2*x-3*y)**2*(18-32*x+12*x**2+48*y-36*x*y+27*y**2))"
)


def goldstein_price(x: Any, y: Any) -> Any:
    """The test function in plain operators, for any library's numbers."""
    first = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    second = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return first * second


def ours() -> Any:
    """Value and gradient through Variables."""
    x, y = Variable(np.array(0.5)), Variable(np.array(-0.3))
    goldstein_price(x, y).backward()
    return x.grad, y.grad


def run() -> list[Row]:
    """Medians of 300 evaluations in turn."""
    import torch
    from autograd import value_and_grad

    def pytorch() -> Any:
        x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
        y = torch.tensor(-0.3, dtype=torch.float64, requires_grad=True)
        goldstein_price(x, y).backward()
        return x.grad, y.grad

    hips = value_and_grad(goldstein_price, (0, 1))
    sides = {"ours": ours, "torch": pytorch, "hips": lambda: hips(0.5, -0.3)}
    sides["parse"] = lambda: parse.__wrapped__(GOLDSTEIN_PRICE)
    times = in_turn(sides, 300)
    return [
        ratio(
            "Goldstein-Price and gradient / PyTorch eager", times["ours"], times["torch"], "<= 0.6"
        ),
        ratio("Goldstein-Price and gradient / HIPS autograd", times["ours"], times["hips"], "< 1"),
        ratio("parsing its text / value and gradient", times["parse"], times["ours"], "reported"),
    ]

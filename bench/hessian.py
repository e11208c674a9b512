"""The Hessian of Rosenbrock's function of 200 inputs, and the gradient of a least-squares loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.timing import Row, in_turn, ratio
from dezero import Variable
from dezero.calculus import hessian

INPUTS = 200


def rosenbrock(x: Any) -> Any:
    """The chained function, for any library's arrays."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def run() -> list[Row]:
    """Medians in turn."""
    return [*hessians(), *least_squares()]


def hessians() -> list[Row]:
    """Ours beside HIPS autograd's, after a check that they are the same."""
    import autograd
    import autograd.numpy as anp

    def theirs(x: Any) -> Any:
        return anp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x = np.linspace(-1.2, 1.0, INPUTS)
    ours, hips = hessian(rosenbrock), autograd.hessian(theirs)
    assert np.allclose(ours(x), hips(x), rtol=1e-12)
    times = in_turn({"ours": lambda: ours(x), "hips": lambda: hips(x)}, 7)
    name = f"Hessian of Rosenbrock's function of {INPUTS} inputs / HIPS autograd"
    return [ratio(name, times["ours"], times["hips"], "<= 1")]


def least_squares() -> list[Row]:
    """sum((x@w - y)**2) for x of 2,000 by 500: the gradient for w, and for all three."""
    import torch

    random = np.random.default_rng(7)
    arrays = [random.normal(size=shape) for shape in ((2000, 500), (500,), (2000,))]
    rows = []
    for wanted in ("w", "x, w and y"):
        every = wanted != "w"

        def ours(every: bool = every) -> Any:
            x, w, y = (Variable(array) for array in arrays)
            residual = (x if every else arrays[0]) @ w - (y if every else arrays[2])
            (residual**2).sum().backward()
            return w.grad

        def pytorch(every: bool = every) -> Any:
            x, w, y = (torch.from_numpy(array).requires_grad_(every) for array in arrays)
            w.requires_grad_(True)
            ((x @ w - y) ** 2).sum().backward()
            return w.grad

        assert np.allclose(ours(), pytorch().numpy(), rtol=1e-12)
        times = in_turn({"ours": ours, "torch": pytorch}, 60, pause=0.1)
        name = f"least squares, 2,000 by 500, gradient for {wanted} / PyTorch eager"
        rows.append(ratio(name, times["ours"], times["torch"], "<= 1.3"))
    return rows

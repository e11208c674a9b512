"""Accuracy: the worst error over the real expressions, in units of each case's rounding noise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Row
from dezero import Variable
from dezero.functions import CONSTANTS, FUNCTIONS, NAMES
from dezero_cli.language.parser import parse

DATA = Path(__file__).parent.parent / "tests" / "data"
Result = tuple[float, dict[str, float]]


def cases() -> Iterator[dict[str, Any]]:
    """The smooth cases whose gradient the oracle gives."""
    for path in sorted(DATA.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if case.get("smooth") and case.get("grad"):
                yield case


def ours(case: dict[str, Any]) -> Result:
    """Value and gradient of this engine."""
    inputs = {name: Variable(np.array(value)) for name, value in case["vars"].items()}
    y = parse(case["expr"]).evaluate(inputs)
    y.backward()
    grads = {n: 0.0 if x.grad is None else float(x.grad) for n, x in inputs.items()}
    return float(y.data), grads


def python_text(expr: str) -> str:
    """The expression as Python reads it, its literals floats."""
    return re.sub(r"(?<![\w.])(\d[\d_]*)(?![\w.])", r"\1.0", expr.strip().replace("^", "**"))


def namespace(module: Any, extra: dict[str, Any]) -> dict[str, Any]:
    """The language's functions as another library has them."""
    known = {name: getattr(module, name, None) for name in FUNCTIONS}
    known |= extra
    return known | {alias: known.get(row.name) for alias, row in NAMES.items()} | CONSTANTS


def hips() -> Callable[[dict[str, Any]], Result]:
    """HIPS autograd, which differentiates Python functions over its own numpy."""
    import autograd.numpy as anp
    from autograd import value_and_grad

    names = namespace(anp, {"pow": lambda a, b: a**b, "hypot": lambda a, b: (a * a + b * b) ** 0.5})

    def evaluate(case: dict[str, Any]) -> Result:
        inputs = list(case["vars"])
        code = compile(python_text(case["expr"]), "case", "eval")
        function = lambda *xs: eval(code, {**names, **dict(zip(inputs, xs, strict=True))}) + 0.0  # noqa: E731
        value, grads = value_and_grad(function, tuple(range(len(inputs))))(*case["vars"].values())
        return float(value), dict(zip(inputs, map(float, grads), strict=True))

    return evaluate


def pytorch() -> Callable[[dict[str, Any]], Result]:
    """PyTorch eager on float64 tensors."""
    import torch

    names = namespace(
        torch,
        {"cbrt": None, "pow": torch.pow, "asinh": torch.asinh, "abs": torch.abs},
    )

    def evaluate(case: dict[str, Any]) -> Result:
        xs = {
            n: torch.tensor(v, dtype=torch.float64, requires_grad=True)
            for n, v in case["vars"].items()
        }
        value = eval(python_text(case["expr"]), {**names, **xs})
        value.backward()
        return float(value), {n: 0.0 if x.grad is None else float(x.grad) for n, x in xs.items()}

    return evaluate


def worst(evaluate: Callable[[dict[str, Any]], Result]) -> tuple[float, int]:
    """The largest error over the noise among errors above 1e-15 relative, and the cases done."""
    largest, done = 0.0, 0
    for case in cases():
        try:
            value, grads = evaluate(case)
        except (TypeError, AttributeError, ValueError, RuntimeError, AssertionError):
            continue  # a function that this peer does not have
        done += 1
        pairs = [(value, case["value"], case["noise"]["value"])]
        pairs += [(grads[n], g, case["noise"]["grad"][n]) for n, g in case["grad"].items()]
        for got, expected, noise in pairs:
            if noise and abs(got - expected) > 1e-15 * abs(expected):
                largest = max(largest, abs(got - expected) / noise)
    return largest, done


def run() -> list[Row]:
    """The worst of each library over the cases that it can do."""
    rows: list[Row] = []
    with np.errstate(all="ignore"):
        for name, library in {"dezero": lambda: ours, "autograd": hips, "torch": pytorch}.items():
            try:
                error, done = worst(library())
            except ImportError:
                continue
            label = f"worst error / rounding noise, {name}, {done} cases"
            rows.append({"comparison": label, "ours": error, "wanted": "the least"})
    return rows

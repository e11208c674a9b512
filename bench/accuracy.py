"""Accuracy: the worst error over the real expressions, in units of each case's rounding noise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Row
from dezero import Variable, constant
from dezero.functions import CONSTANTS, FUNCTIONS, NAMES
from dezero.names import RELATIONS
from dezero.programs.trace import Program, differentiate
from dezero_cli.faults import ExpressionError
from dezero_cli.language import derivatives, symbolic
from dezero_cli.language.parser import parse

DATA = Path(__file__).parent.parent / "tests" / "data"
Result = tuple[float, dict[str, float]]


def cases() -> Iterator[dict[str, Any]]:
    """The smooth cases whose gradient the oracle gives, but those of special functions.

    These are SciPy's, and so is their accuracy; other libraries have few of them.
    """
    for path in sorted(set(DATA.glob("*.jsonl")) - {DATA / "language2.jsonl"}):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if case.get("smooth") and case.get("grad"):
                yield case


def ours(case: dict[str, Any]) -> Result:
    """Value and gradient of this engine."""
    inputs = {name: Variable(np.array(value)) for name, value in case["vars"].items()}
    held = {name: constant(x.data) for name, x in inputs.items() if name not in case["grad"]}
    y = parse(case["expr"]).evaluate(inputs | held)  # the order of a Bessel function is held
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


LACKING = (
    *(TypeError, AttributeError, ValueError, RuntimeError, AssertionError),
    *(SyntaxError, NameError, ExpressionError),  # other libraries' text; a Bessel function's order
)
"""What tells that a library does not have what a case needs."""


def worst(evaluate: Callable[[dict[str, Any]], Result]) -> tuple[float, int]:
    """The largest error over the noise among errors above 1e-15 relative, and the cases done."""
    largest, done = 0.0, 0
    for case in cases():
        try:
            value, grads = evaluate(case)
        except LACKING:
            continue
        done += 1
        pairs = [(value, case["value"], case["noise"]["value"])]
        pairs += [(grads[n], g, case["noise"]["grad"][n]) for n, g in case["grad"].items()]
        for got, expected, noise in pairs:
            if noise and abs(got - expected) > 1e-15 * abs(expected):
                largest = max(largest, abs(got - expected) / noise)
    return largest, done


STEPS = {relation.ufunc for relation in RELATIONS} | {np.sign, np.floor, np.ceil, np.where}
"""What is not rounded."""

SWEEPS = 12
"""How many disturbed sweeps a noise is the worst of, as in the data."""


def our_hessian(case: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The Hessian of this engine."""
    given = {name: np.array(value) for name, value in case["vars"].items()}
    rows = derivatives.hessian(parse(case["expr"]), given, list(given))
    return {x: {y: float(second) for y, second in row.items()} for x, row in rows.items()}


def disturbed(program: Program, values: dict[str, float], random: Any) -> np.ndarray:
    """A program's outputs, SWEEPS of each, with every result 1 to 2 roundings off."""
    program = program.lowered
    columns = [np.full(SWEEPS, values[name]) for name in program.inputs]
    columns += [np.full(SWEEPS, constant) for constant in program.constants]
    for function, operands in program.operations:
        y = 1.0 * function(*(columns[i] for i in operands))
        off = random.choice((-1.0, 1.0), SWEEPS) * random.uniform(1.0, 2.0, SWEEPS)
        columns.append(y if function in STEPS else y * (1.0 + off * np.finfo(float).eps / 2))
    return np.array([columns[i] for i in program.outputs])


def worst_hessian() -> tuple[float, int]:
    """As `worst`, of the Hessians, with a noise that is measured here as that of the gradients."""
    random = np.random.default_rng(1)
    largest, done = 0.0, 0
    for case in cases():
        if not case.get("hess"):
            continue
        expression, names = parse(case["expr"]), list(case["vars"])
        try:
            program = symbolic.program(expression, names, names)
            found = our_hessian(case)
        except LACKING:
            continue
        for place, name in enumerate(names):
            row = differentiate(program, [(1 + place, names)])
            swept = disturbed(row, case["vars"], random)
            for other, sweeps in zip(names, swept, strict=True):
                right = case["hess"][name][other]
                noise, error = np.max(np.abs(sweeps - right)), abs(found[name][other] - right)
                if noise and error > 1e-15 * abs(right):
                    largest = max(largest, float(error / noise))
        done += 1
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
        error, done = worst_hessian()
        label = f"worst error of a Hessian / rounding noise, dezero, {done} cases"
        rows.append({"comparison": label, "ours": error, "wanted": "reported"})
    return rows

"""Columns: value and gradients of 4 million rows in memory, two threads, beside the peers."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.scalars import GOLDSTEIN_PRICE
from bench.timing import Row, in_turn, ratio
from dezero.programs.native import compiled
from dezero.programs.trace import Program, trace
from dezero_cli.language.parser import parse

ROWS = 4_000_000
THREADS = 2
Columns = dict[str, np.ndarray]
Side = Callable[[], Any]


class Subject(NamedTuple):
    """A formula in our language, in Python operators, and with derivatives typed for numexpr.

    `shared` are numexpr's intermediate columns, which spare it repeated work.
    """

    name: str
    text: str
    function: Callable[..., Any]
    shared: dict[str, str]
    results: list[str]


def goldstein_price(_: Any, x: Any, y: Any) -> Any:
    """The test function in plain operators."""
    first = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    second = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return first * second


def gaussian(library: Any, t: Any, t1: Any, s: Any) -> Any:
    """The normal density in plain operators."""
    return library.exp(-(((t - t1) / s) ** 2) / 2) / (math.sqrt(2 * math.pi) * s)


DENSITY = "exp(-(t - t1)**2/(2*s**2))/(sqrt(2*3.141592653589793)*s)"
SUBJECTS = [
    Subject(
        "Goldstein-Price",
        GOLDSTEIN_PRICE,
        goldstein_price,
        {
            "p": "19 - 14*x + 3*x**2 - 14*y + 6*x*y + 3*y**2",
            "q": "18 - 32*x + 12*x**2 + 48*y - 36*x*y + 27*y**2",
            "A": "1 + (x + y + 1)**2*p",
            "B": "30 + (2*x - 3*y)**2*q",
        },
        [
            "A*B",
            "B*(2*(x + y + 1)*p + (x + y + 1)**2*(6*x + 6*y - 14))"
            " + A*(4*(2*x - 3*y)*q + (2*x - 3*y)**2*(24*x - 36*y - 32))",
            "B*(2*(x + y + 1)*p + (x + y + 1)**2*(6*x + 6*y - 14))"
            " + A*(-6*(2*x - 3*y)*q + (2*x - 3*y)**2*(54*y - 36*x + 48))",
        ],
    ),
    Subject(
        "the normal density",
        "exp(-((t-t1)/s)**2/2)/(sqrt(2*pi)*s)",
        gaussian,
        {"f": DENSITY},
        ["f", "-f*(t - t1)/s**2", "f*(t - t1)/s**2", "f*((t - t1)**2/s**2 - 1)/s"],
    ),
]


def program(subject: Subject) -> Program:
    """The value and every gradient of a subject."""
    expression = parse(subject.text)
    names = [name for name in expression.names if name != "pi"]
    return trace(lambda *xs: expression.evaluate(dict(zip(names, xs, strict=True))), names)


def table(names: tuple[str, ...]) -> Columns:
    """A column of numbers between 0.5 and 1.5 for each name."""
    generator = np.random.default_rng(0)
    return {name: generator.uniform(0.5, 1.5, ROWS) for name in names}


def jax_side(subject: Subject, columns: Columns) -> Side:
    """JAX under jit; its threads are as many as the machine's cores."""
    import jax

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def evaluate(*xs: Any) -> Any:
        y, pull = jax.vjp(lambda *xs: subject.function(jax.numpy, *xs), *xs)
        return [y, *pull(jax.numpy.ones_like(y))]

    xs = [jax.numpy.asarray(column) for column in columns.values()]
    return lambda: jax.block_until_ready(evaluate(*xs))


def torch_side(subject: Subject, columns: Columns) -> Side:
    """PyTorch eager."""
    import torch

    torch.set_num_threads(THREADS)
    xs = [torch.from_numpy(column).requires_grad_() for column in columns.values()]

    def evaluate() -> Any:
        y = subject.function(torch, *xs)
        return [y.detach(), *torch.autograd.grad(y, xs, torch.ones_like(y))]

    return evaluate


def numexpr_side(subject: Subject, columns: Columns) -> Side:
    """numexpr, with the derivatives typed by hand."""
    import numexpr

    numexpr.set_num_threads(THREADS)

    def evaluate() -> Any:
        known = dict(columns)
        for name, text in subject.shared.items():
            known[name] = numexpr.evaluate(text, known)
        return [numexpr.evaluate(text, known) for text in subject.results]

    return evaluate


def compare(subject: Subject) -> list[Row]:
    """Medians in turn, after a check that all sides compute the same."""
    part = program(subject)
    kernel, columns = compiled(part), table(part.inputs)
    sides: dict[str, Side] = {
        "ours": lambda: kernel.run(columns, threads=THREADS),
        "JAX under jit": jax_side(subject, columns),
        "PyTorch eager": torch_side(subject, columns),
        "numexpr": numexpr_side(subject, columns),
    }
    expected = sides["ours"]()
    for side in sides.values():
        for got, want in zip(side(), expected, strict=True):
            assert np.allclose(np.asarray(got), want, rtol=1e-9, atol=1e-9)
    times = in_turn(sides, 11)
    ours = times.pop("ours")
    best = min(times, key=times.__getitem__)
    rows = [
        ratio(f"{subject.name}, 4M rows / {name}", ours, seconds, "<= 0.25" if name == best else "")
        for name, seconds in times.items()
    ]
    replay = in_turn({"replay": lambda: part.run(columns)}, 3)["replay"]
    return [*rows, ratio(f"{subject.name}, 4M rows / Program.run", ours, replay, "reported")]


def fresh() -> Row:
    """Seconds to trace and compile in a new process, llvmlite's import included."""
    code = """
import time
from bench.columns import SUBJECTS, program
from dezero.programs.native import compiled
start = time.perf_counter()
assert compiled(program(SUBJECTS[0])).is_native
print(time.perf_counter() - start)
"""
    command = [sys.executable, "-c", code]
    runs = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(9)
    ]
    name = "Goldstein-Price traced and compiled, seconds"
    return {"comparison": name, "ours": float(np.median(runs)), "wanted": "<= 0.15"}


def run() -> list[Row]:
    """Both subjects, and the time to compile the first."""
    return [fresh(), *(row for subject in SUBJECTS for row in compare(subject))]

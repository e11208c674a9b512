"""``Model.compile()``: value and gradients of 4 million rows through the public face, and peers."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.columns import (
    SUBJECTS,
    THREADS,
    Columns,
    Side,
    Subject,
    jax_side,
    table,
    torch_side,
)
from bench.timing import Row, in_turn, ratio
from dezero_cli import Model

RUNS = 7


def numexpr_value(subject: Subject, columns: Columns) -> Side:
    """numexpr, the value alone, as it is typed in one line."""
    import numexpr

    numexpr.set_num_threads(THREADS)
    text = subject.text.replace("^", "**").replace("pi", repr(np.pi))
    return lambda: numexpr.evaluate(text, columns)


def compare(subject: Subject) -> list[Row]:
    """Medians in turn, after a check that all sides compute the same."""
    model = Model(subject.text)
    run, columns = model.compile(), table(model.inputs)
    sides: dict[str, Side] = {
        "ours": lambda: run(**columns),
        "numexpr, the value alone": numexpr_value(subject, columns),
        "JAX under jit": jax_side(subject, columns),
        "PyTorch eager": torch_side(subject, columns),
    }
    value, gradient = run(**columns)
    expected = [value, *(gradient[name] for name in model.inputs)]
    for name, side in sides.items():
        found: Any = [side()] if "numexpr" in name else side()
        if name != "ours":
            for got, want in zip(found, expected, strict="numexpr" not in name):
                assert np.allclose(np.asarray(got), want, rtol=1e-9, atol=1e-9)
    times = in_turn(sides, RUNS)
    ours = times.pop("ours")
    return [
        ratio(f"Model.compile, {subject.name}, 4M rows / {name}", ours, seconds, "")
        for name, seconds in times.items()
    ]


def run() -> list[Row]:
    """Both subjects of the columns."""
    return [row for subject in SUBJECTS for row in compare(subject)]

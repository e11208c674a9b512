"""``python -m bench.c_code FILE``: the C of ten formulas beside SymPy's, as a page of the manual.

Each side prints the value and every derivative as one C function. What is counted is what stands in
its body; errors are those of the compiled functions at drawn points, in units of 2**-52 of the
right value, which SymPy's exact derivatives give in forty digits.
"""

from __future__ import annotations

import ctypes
import functools
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dezero.programs.code import Options
from dezero.programs.dialects import FORMS
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse

POINTS = 1000


class Formula(NamedTuple):
    """A formula that is used, with where its inputs lie."""

    title: str
    text: str
    ranges: dict[str, tuple[float, float]]


FORMULAS = [
    Formula(
        "thermistor (Steinhart-Hart)",
        "1/(A + B*log(R) + C*log(R)**3)",
        {"A": (1e-3, 2e-3), "B": (2e-4, 3e-4), "R": (500, 5e4), "C": (5e-8, 2e-7)},
    ),
    Formula(
        "low-pass biquad, b0/a0",
        "(1 - cos(2*pi*f/fs))/2/(1 + sin(2*pi*f/fs)/(2*Q))",
        {"f": (50, 2e4), "fs": (44100, 48000), "Q": (0.5, 10)},
    ),
    Formula(
        "rotation by a quaternion, x",
        "(1 - 2*(qy**2 + qz**2))*x + 2*(qx*qy - qw*qz)*y + 2*(qx*qz + qw*qy)*z",
        dict.fromkeys(("qy", "qz", "x", "qx", "qw", "y", "z"), (-1, 1)),
    ),
    Formula(
        "Black-Scholes, d1",
        "(log(S/K) + (r + s**2/2)*T)/(s*sqrt(T))",
        {"S": (50, 90), "K": (100, 150), "r": (0.01, 0.05), "s": (0.1, 0.5), "T": (0.1, 2)},
    ),
    Formula(
        "Kalman step",
        "x + P/(P + R)*(z - x)",
        {"x": (0, 1), "P": (0.1, 2), "R": (0.1, 2), "z": (2, 3)},
    ),
    Formula(
        "haversine",
        "2*r*arcsin(sqrt(sin((p2 - p1)/2)**2 + cos(p1)*cos(p2)*sin((l2 - l1)/2)**2))",
        {"r": (6356, 6378), "p2": (0.1, 1), "p1": (-1, 0), "l2": (0.1, 1), "l1": (-1, 0)},
    ),
    Formula(
        "Arrhenius",
        "A*exp(-E/(8.314462618*T))",
        {"A": (1e8, 1e12), "E": (3e4, 9e4), "T": (250, 500)},
    ),
    Formula(
        "van der Waals",
        "n*8.314462618*T/(V - n*b) - a*n**2/V**2",
        {"n": (1, 2), "T": (300, 500), "V": (0.01, 0.1), "b": (3e-5, 5e-5), "a": (0.1, 0.3)},
    ),
    Formula(
        "Butterworth gain, order 4",
        "1/sqrt(1 + (f/fc)**8)",
        {"f": (10, 2000), "fc": (500, 1500)},
    ),
    Formula(
        "Antoine",
        "10**(A - B/(C + T))",
        {"A": (7, 9), "B": (1500, 1800), "C": (220, 240), "T": (0, 100)},
    ),
]


class Counts(NamedTuple):
    """What stands in the body of a function."""

    operations: int
    calls: int
    lines: int


def counts(code: str) -> Counts:
    """The operations, among them the calls of functions, and the lines of a function of C."""
    body = re.sub(r"/\*.*?\*/", "", code, flags=re.S).partition("{")[2].rpartition("}")[0]
    body = re.sub(r"\(\*(\w+)\)", r"\1", body)
    tokens = re.findall(r"[A-Za-z_]\w*(?=\()|\w+\.?\w*(?:(?<=e)[-+]\d+)?|&&|\|\||[<>=!]=|\S", body)
    calls = len(re.findall(r"[A-Za-z_]\w*\(", body))
    operators = 0
    for before, token in zip([";", *tokens], tokens):
        is_sign = token in "+-" and (before in "(=,?:*/;" or before in {"return", "{"})
        operators += token in {*"+-*/<>?", "&&", "||", "==", "<=", ">=", "!="} and not is_sign
    return Counts(operators + calls, calls, sum(bool(line.strip()) for line in body.splitlines()))


# ------------------------------------------------------------------------------- the two sides
def ours(formula: Formula) -> str:
    """The function as this project prints it."""
    expression = parse(formula.text)
    names = symbolic.free_names(expression)
    wanted, program = symbolic.derivatives(expression, names, names)
    return FORMS["c"](program, [(), *wanted], formula.text, Options("f"))


def in_sympy(formula: Formula) -> tuple[list[object], list[object]]:
    """The inputs as symbols, and the value with each derivative."""
    import sympy

    names = {name: sympy.Symbol(name) for name in formula.ranges}
    text = formula.text.replace("arcsin", "asin")
    value = sympy.sympify(text, locals=names)
    return list(names.values()), [value, *(value.diff(symbol) for symbol in names.values())]


def theirs(formula: Formula, shared: bool) -> str:
    """The function as SymPy's codegen prints it, what is used twice `shared` or not."""
    import sympy
    from sympy.utilities.codegen import C99CodeGen, codegen

    inputs, results = in_sympy(formula)
    outputs = [sympy.Symbol(name) for name in ("value", *(f"d_{name}" for name in formula.ranges))]
    equations = [sympy.Eq(name, result) for name, result in zip(outputs, results, strict=True)]
    [(_, code), *_] = codegen(
        ("f", equations),
        header=False,
        empty=False,
        argument_sequence=[*inputs, *outputs],
        code_gen=C99CodeGen(cse=shared),
    )
    return str(code)


# ------------------------------------------------------------------------------------- measured
Call = Callable[[list[float]], list[float]]


def compiled(code: str, directory: Path, name: str) -> ctypes.CDLL:
    """The function, compiled."""
    source = directory / f"{name}.c"
    source.write_text(re.sub(r'#include "\w+.h"\n', "", code), encoding="utf-8")
    built = directory / f"{name}.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", built, source, "-lm"], check=True)
    return ctypes.CDLL(str(built))


def calls(formula: Formula, directory: Path) -> list[Call]:
    """The functions of `sides`, from a point to the value and the derivatives."""
    size = len(formula.ranges)
    mine, *others = (compiled(code, directory, f"side{i}") for i, code in enumerate(sides(formula)))
    mine.f.restype = ctypes.c_double

    def call_ours(point: list[float]) -> list[float]:
        gradient = (ctypes.c_double * size)()
        return [mine.f(*map(ctypes.c_double, point), gradient), *gradient]

    def call_theirs(other: ctypes.CDLL, point: list[float]) -> list[float]:
        results = [ctypes.c_double() for _ in range(size + 1)]
        other.f(*map(ctypes.c_double, point), *map(ctypes.byref, results))
        return [result.value for result in results]

    return [call_ours, *(functools.partial(call_theirs, other) for other in others)]


def sides(formula: Formula) -> list[str]:
    """Ours, and SymPy's with what is used twice shared, and as it comes."""
    return [ours(formula), theirs(formula, True), theirs(formula, False)]


def errors(formula: Formula) -> list[float]:
    """The worst error of each function at drawn points."""
    import mpmath
    import sympy

    inputs, results = in_sympy(formula)
    right = sympy.lambdify(inputs, results, "mpmath")
    draw, worst = random.Random(1), [0.0, 0.0, 0.0]
    with tempfile.TemporaryDirectory() as directory, mpmath.workdps(40):
        every = calls(formula, Path(directory))
        for _ in range(POINTS):
            point = [draw.uniform(*bounds) for bounds in formula.ranges.values()]
            exact = right(*map(mpmath.mpf, point))
            for side, call in enumerate(every):
                for got, want in zip(call(point), exact, strict=True):
                    if want:
                        error = abs(mpmath.mpf(got) - want) / abs(want) / mpmath.mpf(2) ** -52
                        worst[side] = max(worst[side], float(error))
    return worst


# ---------------------------------------------------------------------------------------- the page
INTRODUCTION = """# C for a controller

This page is written by `python -m bench.c_code docs/how-to/c-code.md`; do not edit it.

`dezero derive --to c` prints a function that can be committed as it is: C99 that is C++ too, with
`<math.h>` alone, no globals, nothing that `-Wall -Wextra -Wconversion -pedantic` warns of. Write
`static` before it, give it a name with `--name`, and with `--real float` it has `float` throughout,
with `sinf` and `2.0f`. What is used twice is computed once, small whole powers are products, and
conditions are conditions. Inputs keep their names where C allows them; a comment says which are
called otherwise.

Ten formulas, each with its value and every derivative, beside what SymPy {version}'s `codegen`
prints for the same: C99 with `cse=True`, so that what is used twice is computed once, and as it
comes. Operations are counted in the function's body, calls of
`<math.h>` among them. The error is the worst of all results at {points:,} drawn points, compiled
with `gcc -O2`, in units of 2^-52 of the right value.

| formula | operations | calls | lines | worst error |
|---|---|---|---|---|
"""


def page() -> str:
    """The page."""
    import sympy

    text = INTRODUCTION.format(version=sympy.__version__, points=POINTS)
    total = np.zeros((3, 3), int)
    for formula in FORMULAS:
        each = [counts(code) for code in sides(formula)]
        cells = [" / ".join(map(str, column)) for column in zip(*each, strict=True)]
        cells.append(" / ".join(f"{error:.1f}" for error in errors(formula)))
        text += f"| {formula.title} | {' | '.join(cells)} |\n"
        total += each
    sums = [" / ".join(map(str, column)) for column in total.T[:2]]
    text += f"| all | {' | '.join(sums)} | | |\n\n"
    text += (
        "Each cell is ours / SymPy's with `cse=True` / SymPy's as it comes. The ten in our text:"
    )
    text += "\n\n```text\n"
    width = max(len(formula.title) for formula in FORMULAS)
    text += (
        "".join(f"{formula.title:{width}}  {formula.text}\n" for formula in FORMULAS) + "```\n\n"
    )
    for formula in (FORMULAS[0], FORMULAS[4]):
        text += f"The {formula.title}, ours:\n\n```c\n{ours(formula)}```\n\n"
        text += "and SymPy's, with `cse=True`:\n\n```c\n"
        body = theirs(formula, True)
        text += body[body.index("void f(") :].strip() + "\n```\n\n"
    return text.rstrip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

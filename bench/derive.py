"""Derived formulas: growth with the size of the expression; length and time beside SymPy's.

A nest of n calls has a derivative of n factors, each of which is written out, and a sum of products
in one input as many terms: such formulas are of quadratic length themselves, so there the time is
set against the length of the text.
"""

from __future__ import annotations

import json
import statistics
import time
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.growth import least
from bench.timing import Row, exponent, ratio
from dezero.programs.dialects import FORMS
from dezero_cli.faults import ExpressionError
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse

DATA = Path(__file__).parent.parent / "tests" / "data"
SIZES = [500, 1000, 2000, 4000]
DEPTHS = [75, 125, 200, 350]
"""Of nests, whose written-out derivatives are still within what `derive` writes."""

SHAPES: dict[str, Callable[[int], str]] = {
    "sums": lambda n: " + ".join(f"sin({i}*x)" for i in range(1, n // 3 + 1)),
    "products": lambda n: "*".join(f"x{i}" for i in range(n)),
    "nests": lambda n: "sin(" * n + "x0" + ")" * n,
}
"""Expressions of n operations."""


def derived(text: str, form: str) -> int:
    """Derive for one input, write in a form, and give the length of what was written."""
    expression = parse.__wrapped__(text)
    names = symbolic.free_names(expression)
    wanted, program = symbolic.derivatives(expression, names, names[:1])
    if form == "formulas":
        return sum(map(len, symbolic.texts(program, text)[1:]))
    return len(symbolic.code(form, program, [(), *wanted], text))


def growth(shape: str, form: str) -> Row:
    """Time against operations, or against the length of the text where that grows faster."""
    is_written_out = shape == "nests" and form in ("formulas", "latex")
    sizes = DEPTHS if is_written_out else SIZES
    texts = {n: SHAPES[shape](n) for n in sizes}
    times = least(lambda n: derived(texts[n], form), sizes)
    against = [derived(texts[n], form) for n in sizes] if is_written_out else sizes
    unit = "characters" if is_written_out else "operations"
    return {
        "comparison": f"derive {shape} as {form}, {against[-1]:,} {unit}: seconds, exponent",
        "ours": times[-1],
        "ratio": exponent(against, times),
        "wanted": "<= 1.2",
    }


# ------------------------------------------------------------------------------------ beside SymPy
def cases() -> list[str]:
    """The smooth expressions of the tests' data, each once."""
    found: dict[str, None] = {}
    for path in sorted(DATA.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            if case.get("smooth") and case.get("grad"):
                found[case["expr"]] = None
    return list(found)


def sympy_names() -> dict[str, Any]:
    """This language's functions as SymPy has them."""
    import sympy

    one = {f"arc{name}": getattr(sympy, f"a{name}") for name in ("sin", "cos", "tan", "tan2")}
    one |= {f"arc{name}h": getattr(sympy, f"a{name}h") for name in ("sin", "cos", "tan")}
    two = {"min": sympy.Min, "minimum": sympy.Min, "max": sympy.Max, "maximum": sympy.Max}
    made = {
        "abs": sympy.Abs,
        "pow": sympy.Pow,
        "ln": sympy.log,
        "e": sympy.E,
        "exp2": lambda x: 2**x,
        "log2": lambda x: sympy.log(x, 2),
        "log10": lambda x: sympy.log(x, 10),
        "expm1": lambda x: sympy.exp(x) - 1,
        "log1p": lambda x: sympy.log(1 + x),
        "hypot": lambda x, y: sympy.sqrt(x**2 + y**2),
        "where": lambda c, x, y: sympy.Piecewise((x, c), (y, True)),
        "relu": lambda x: sympy.Max(x, 0),
        "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
        "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    }
    return one | two | made


def by_sympy(text: str, names: list[str], functions: dict[str, Any]) -> dict[str, str] | None:
    """All derivatives of an expression as SymPy prints them; None where it cannot read it."""
    import sympy
    from sympy.parsing.sympy_parser import parse_expr

    symbols = {name: sympy.Symbol(name) for name in names}
    try:
        y = parse_expr(text.replace("^", "**"), functions | symbols)
        theirs = {name: str(sympy.diff(y, symbol)) for name, symbol in symbols.items()}
    except (TypeError, ValueError, AttributeError, SyntaxError, tokenize.TokenError):
        return None
    is_open = any(word in each for each in theirs.values() for word in ("Derivative", "Subs("))
    return None if is_open else theirs


def beside_sympy() -> list[Row]:
    """The length of all derivatives of each case, and the time that they take in one process."""
    functions = sympy_names()
    lengths: list[tuple[int, int]] = []
    ours_took = theirs_took = 0.0
    for text in cases():
        start = time.perf_counter()
        try:
            ours = symbolic.gradient(parse.__wrapped__(text))
        except ExpressionError:  # the order of a Bessel function takes no gradient
            continue
        middle = time.perf_counter()
        names = list(ours)
        theirs = by_sympy(text, names, functions)
        if names and theirs is not None:
            ours_took += middle - start
            theirs_took += time.perf_counter() - middle
            lengths.append(tuple(sum(len(each[name]) for name in names) for each in (ours, theirs)))
    totals = [sum(side) for side in zip(*lengths, strict=True)]
    median = statistics.median(a / b for a, b in lengths)
    subject = f"derivatives of {len(lengths):,} expressions / SymPy parse_expr, diff, str"
    return [
        ratio(f"length of the {subject}", *map(float, totals), "<= 1.1", "characters"),
        {"comparison": "the same, the median ratio", "ratio": median, "wanted": "<= 1"},
        ratio(f"time of the {subject}", ours_took, theirs_took, "<= 0.1"),
    ]


def run() -> list[Row]:
    """Exponents for each shape and form, then both comparisons with SymPy."""
    forms = ["formulas", *FORMS]
    rows = [growth(shape, form) for shape in SHAPES for form in forms]
    try:
        return rows + beside_sympy()
    except ImportError as missing:
        return [*rows, {"comparison": f"derive: {missing.name} is missing", "wanted": ""}]

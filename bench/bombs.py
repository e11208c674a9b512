"""Lines that are short and ask for much: the time and the memory that `dezero batch` gives them.

``python -m bench.bombs [NAME...]`` answers each in a process of its own, with the defaults, after a
harmless line and before one, and prints a row of a table for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any


def line(expr: str, options: Mapping[str, Any] | None = None, **values: Any) -> str:
    """A line of JSON."""
    return json.dumps({"expr": expr, "vars": values, **(options or {})})


def _deeper(item: Any, levels: int) -> Any:
    for _ in range(levels):
        item = [item]
    return item


def axis_of(count: int, after: int) -> Any:
    """Some numbers along the axis that has `after` axes behind it."""
    return [_deeper(float(i), after) for i in range(1, count + 1)]


def column(count: int) -> list[list[float]]:
    """Some numbers as a matrix of one column."""
    return [[float(i)] for i in range(count)]


def row(count: int) -> list[float]:
    """Some numbers, all positive."""
    return [1.0 + i / count for i in range(count)]


EYE = [[float(i == j) + 0.01 for i in range(40)] for j in range(40)]
"""A matrix that has an inverse."""


def names(count: int = 2000) -> dict[str, float]:
    """A value for each of many names."""
    return {f"a{i}": i % 7 + 1 for i in range(count)}


def bombs() -> Iterator[tuple[str, str]]:
    """Each line with what it is."""
    yield from of_arrays()
    yield from of_terms()
    yield from of_texts()


def of_arrays() -> Iterator[tuple[str, str]]:
    """Lines whose operations make large arrays, or take long with them."""
    axes = {f"a{i}": axis_of(2, i) for i in range(29)}
    yield "29 axes", line("+".join(axes), **axes)
    yield "three axes", line("x+y+z", x=row(700), y=column(700), z=axis_of(700, 2))
    yield "row and column", line("x + y", x=row(9000), y=column(9000))
    yield "row and column, just within", line("x*y", x=row(1500), y=column(1500))
    yield "outer", line("outer(x, x)", x=row(20000))
    yield "sum of outer", line("sum(outer(x, x))", x=row(6000))
    yield "sum of outer, within", line("sum(outer(x, x))", x=row(3000))
    yield "infinities", line("outer(x, x)/0", x=row(1500))
    yield "product of outers", line("sum(outer(x, x) @ outer(x, x))", x=row(4000))
    yield "product of stacks", line("x @ y", x=axis_of(300, 2), y=[[row(500)]])
    yield "determinant", line("det(outer(x, x) + 1)", x=row(3000))
    yield "determinant, within", line("det(outer(x, x))", x=row(400))
    yield "inverse", line("sum(inv(outer(x, x)))", x=row(2000))
    yield "hessian of a determinant", line("det(x)", {"hessian": True}, x=[row(12)] * 12)
    yield "system", line("solve(outer(x, x) + 1, outer(x, x))", x=row(1500))


def of_terms() -> Iterator[tuple[str, str]]:
    """Lines of many terms, names, definitions and results."""
    terms = "+".join(["sin(x)"] * 50_000)
    yield "50,000 terms", line(terms, x=row(30_000))
    yield "50,000 terms of a number", line(terms, x=1.0)
    square = "(" + "+".join(names()) + ")**2"
    yield "hessian of 2,000 names", line(square, {"hessian": True}, **names())
    square = "(" + "+".join(names(1000)) + ")**2"
    yield "hessian of 1,000 names", line(square, {"hessian": True}, **names(1000))
    product = "*".join(names(900))
    yield "hessian of a product", line(product, {"hessian": True}, **names(900))
    yield "hessian of an array", line("sum(x)**2", {"hessian": True}, x=row(12_000))
    yield "hessian of softmax", line("softmax(x)", {"hessian": True}, x=row(2000))
    yield "jacobian of softmax", line("softmax(x)", {"jacobian": True}, x=row(12_000))
    yield "jacobian of cumsum", line("cumsum(x)", {"jacobian": True}, x=row(9000))
    yield "jacobian, within", line("cumsum(x)*x", {"jacobian": True}, x=row(1500))
    yield "cumsum", line("cumsum(outer(x, x))", x=row(9000))
    yield "median", line("median(outer(x, x))", x=row(5000))
    yield "prod", line("prod(outer(x, x))", x=row(5000))
    yield "interp", line("interp(outer(x, x), y, y)", x=row(5000), y=row(5000))
    yield "interp, within", line("sum(interp(outer(x, x), y, y))", x=row(1000), y=row(5000))
    for name in ("erfcx", "lgamma", "digamma", "lambertw", "norminv", "sinc", "j1"):
        yield f"{name} of an array", line(f"sum({name}(outer(x, x)))", x=row(1400))
    yield "orders", line("sum(jv(outer(x, x)*100, x*1000))", x=row(1000))
    yield "lists nested", line("[" * 32 + "x" + "]" * 32, x=row(40_000))
    pairs = "x"
    for _ in range(14):
        pairs = f"[{pairs}, {pairs}]" if len(pairs) < 400_000 else f"[{pairs}]"
    yield "a list of lists", line(pairs, x=row(2000))
    yield (
        "lists doubled by functions",
        line(
            "h(h(h(h(h(h(x))))))",
            {"defs": {"h(t)": "g(g(g(t)))", "g(t)": "[t, t]"}},
            x=row(5000),
        ),
    )
    doubling = {f"f{i}(t)": f"f{i - 1}(f{i - 1}(t))" for i in range(1, 26)} | {"f0(t)": "t*t"}
    yield "functions of functions", line("f25(x)", {"defs": doubling}, x=1.0)
    yield "functions, within", line("f19(x)", {"defs": doubling}, x=1.0)
    chain = {f"r{i}": f"r{i - 1}*1.01+x" for i in range(1, 12_000)} | {"r0": "x"}
    yield (
        "a list of one long chain",
        line("[" + ",".join(["r11999"] * 4000) + "]", {"defs": chain}, x=1.0),
    )
    many = names(40_000)
    yield "a list of 40,000 names", line("[" + ",".join(many) + "]", **many)
    yield "a list of 1,500 names", line("[" + ",".join(names(1500)) + "]", **names(1500))
    yield "sum of everything", line("sum(" + ",".join(many) + ")", **many)
    yield "max of everything", line("max(" + ",".join(many) + ")", **many)
    yield "hypot of everything", line("hypot(" + ",".join(many) + ")", **many)
    yield "hypot of 9,000 names", line("hypot(" + ",".join(names(9000)) + ")", **names(9000))
    yield (
        "hessian of hypot",
        line("hypot(" + ",".join(names(700)) + ")", {"hessian": True}, **names(700)),
    )
    yield (
        "hessian of max",
        line("max(" + ",".join(names(900)) + ")**2", {"hessian": True}, **names(900)),
    )
    yield "hypot of itself", "hypot(" + ",".join(["x"] * 500_000) + ") ; x=1"
    yield "max of itself", "max(" + ",".join(["x"] * 500_000) + ") ; x=1"


def of_texts() -> Iterator[tuple[str, str]]:
    """Lines whose text asks for more than it seems: ranges, marks, draws, digits, brackets."""
    many = names(15_000)
    yield "slices", line("+".join(["x[:]"] * 100_000), x=row(10_000))
    yield "indices", line("+".join(f"x[{i}]" for i in range(60_000)), x=[1] * 60_000)
    yield "a range", "x ; x=0:1:1e12"
    yield "500 ranges", "1 ; " + " ".join(f"x{i}=0:1:1000000" for i in range(500))
    yield "80 ranges", "1 ; " + " ".join(f"x{i}=0:1:1000000" for i in range(80))
    yield "a constant array", "x ; x=outer(" + f"{row(9000)}, {row(9000)})"
    for name in ("digamma(x)", "trigamma(x)", "polygamma(3, x)", "lgamma(x)"):
        yield f"{name} far left of 0", f"{name} ; x=-1e9+0.5"
    marks = "\u0300\u0316"
    yield "100,000 pairs of marks", "a" + marks * 100_000 + " ; x=1"
    yield "marks in backquotes", "`a" + marks * 100_000 + "` ; x=1"
    yield "marks in a key", line("x", **{"x": 1, "a" + marks * 80_000: 2})
    drawn = {"sigma": {"x": 0.1}, "mc": 4_000_000}
    yield "draws of Bessel functions", line("jv(50.3, x*100) + kv(20.5, x)", drawn, x=3)
    yield "draws, within", line("jv(50.3, x*100)", drawn | {"mc": 700_000}, x=3)
    results = "[" + ",".join(["x"] * 3000) + "]"
    yield "draws of 3,000 results", line(results, drawn | {"mc": 100_000}, x=1)
    products = "[" + ",".join(["x*y*z"] * 50_000) + "]"
    yield "hessian of 50,000 results", line(products, {"hessian": True}, x=1, y=2, z=3)
    yield "a chain of matrix products", line("@".join(["x"] * 3000), x=[[0.01] * 100] * 100)
    yield "jacobian of an inverse", line("inv(x)", {"jacobian": True}, x=EYE)
    circle = {f"r{i}": f"r{(i + 1) % 30_000}" for i in range(30_000)}
    yield "a circle of 30,000 definitions", line("r0", {"defs": circle}, x=1)
    yield "clip in clip", "clip(" * 60_000 + "x" + ", 0, 1)" * 60_000 + " ; x=1"
    freedom = {"sigma": dict.fromkeys(many, 0.1), "dof": dict.fromkeys(many, 5)}
    yield "degrees of freedom of 15,000 names", line("+".join(many), freedom, **many)
    order2 = {"sigma": {"x": 0.1}, "order": 2}
    yield "order 2 of an array", line("sum(sin(x))**2", order2, x=row(2000))
    yield "transposes", line("+".join(["transpose(x)"] * 70_000), x=[[1.0]])
    yield "hessian of Bessel functions", line("sum(jv(2.5, x))", {"hessian": True}, x=row(1500))
    yield "a number of 900,000 digits", "x ; x=" + "9" * 900_000
    yield "an exponent of 900,000 digits", "x ; x=1e" + "9" * 900_000
    yield "a literal of 900,000 digits", "1" * 900_000 + "*x ; x=1"
    yield "a JSON number of 900,000 digits", '{"expr":"x","vars":{"x":' + "9" * 900_000 + "}}"
    yield "a JSON list of 500,000 numbers", line("x", x=[1] * 300_000)
    yield "brackets in brackets", '{"expr":"x","vars":{"x":' + "[" * 500_000 + "]" * 500_000 + "}}"
    yield "parentheses", "(" * 500_000 + "x" + ")" * 500_000 + " ; x=1"
    yield "signs", "-" * 1_000_000 + "x ; x=1"
    yield "a tower of powers", "**".join(["x"] * 300_000) + " ; x=1"
    yield "choices", "x if x else " * 80_000 + "x ; x=0"
    yield "a name of 900,000 letters", "a" * 900_000 + " + 1"
    yield "a name of 900,000 letters, unknown", "sin(x) + " + "a" * 900_000 + " ; x=1"
    yield "an id of 900,000 letters", json.dumps({"expr": "x +", "id": "i" * 900_000})
    yield "words", "x ; " + " ".join(f"a{i}={i}" for i in range(80_000))
    yield "definitions", line("x", {"defs": {f"a{i}": "x" for i in range(60_000)}}, x=1.0)
    yield "no fault of the formula", "+".join(["x"] * 400_000) + "+ ; x=1"


def measured(text: str, options: tuple[str, ...] = ()) -> tuple[float, float, list[str]]:
    """The seconds and the GiB that a run of `batch` over a text takes, and its answers."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write(text.encode())
        given.seek(0)
        begin = time.perf_counter()
        command = [sys.executable, "-m", "dezero_cli", "batch", *options]
        process = subprocess.Popen(command, stdin=given, stdout=out, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        out.seek(0)
        return seconds, usage.ru_maxrss / 2**20, out.read().decode().splitlines()


def answer(found: list[str]) -> str:
    """What was said of the line in the middle."""
    if len(found) != 3 or [json.loads(found[i]).get("value") for i in (0, 2)] != [2.0, 4.0]:
        return f"LOST: {len(found)} lines"
    said = json.loads(found[1])
    return str(said["error"]["message"])[:60] if "error" in said else "answered"


def main() -> None:
    """Print a row for each line, and one for what is together."""
    wanted = sys.argv[1:]
    for name, text in bombs():
        if wanted and name not in wanted:
            continue
        seconds, memory, found = measured(f"1+1\n{text}\n2+2\n")
        print(f"| {name} | {len(text):,} | {seconds:.1f} | {memory:.2f} | {answer(found)} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

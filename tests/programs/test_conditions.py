"""Conditions stay conditions: and, or, not in code are the language's own, and mean the same."""

import ctypes
import json
import math
import random
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest

from dezero import functions as F
from dezero.logic import logical_and, logical_not, logical_or
from dezero.programs.dialects import FORMS
from dezero.programs.formula import Printer, formulas
from dezero.programs.terms import Terms
from dezero.programs.trace import trace
from tests.programs.rows import engine

POINTS = [(a, b) for a in (-1.5, 0.0, 0.5, 2.0) for b in (-2.0, 0.0, 0.5, 3.0)]
COLUMNS = [np.array(column) for column in zip(*POINTS, strict=True)]
OUTPUTS = [(), ("x",), ("y",)]
COUNT = 40


def condition(draw, x, y, depth):
    """A comparison, a number, or and, or, not of conditions."""
    if depth == 0 or draw.random() < 0.2:
        a, b = draw.choice([(x, y), (y, x * x), (x + y, 0.5), (x, 0.0), (y, 1.0)])
        return draw.choice([a < b, a <= b, a > b, a == b, a != b, x, y * 1.0])
    left, right = (condition(draw, x, y, depth - 1) for _ in range(2))
    both, either = logical_and(left, right), logical_or(left, right)
    return draw.choice([both, both, either, either, logical_not(left), F.minimum(left != 0, y > 0)])


def drawn(seed):
    """A function with choices by conditions, some of them nested or used as numbers."""

    def function(x, y):
        draw = random.Random(seed)
        tests = [condition(draw, x, y, 3) for _ in range(3)]
        value = F.where(tests[0], x * y, F.where(tests[1], x * 3.0, y * y))
        return value + logical_not(tests[0]) * x + logical_and(tests[1], tests[2]) * 2.0

    return function


EXPECTED = [np.transpose(engine(drawn(seed), COLUMNS)) for seed in range(COUNT)]


def code(form: str, seed: int) -> str:
    text = FORMS[form](trace(drawn(seed), ["x", "y"]), OUTPUTS, "conditions")
    return text.replace(" f(", f" f{seed}(")


def held(results):
    """Whether the results of each function at each point are the engine's."""
    for seed, rows in enumerate(results):
        np.testing.assert_array_equal(np.array(rows, dtype=float), EXPECTED[seed], str(seed))
    assert seed == COUNT - 1


def test_c(tmp_path):
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    source, library = tmp_path / "f.c", tmp_path / "f.so"
    source.write_text("\n".join(code("c", seed) for seed in range(COUNT)))
    options = ["-std=c99", "-Wall", "-Werror", "-Wno-unused-variable", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", library, source, "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))

    def rows(seed):
        function = getattr(loaded, f"f{seed}")
        function.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_double * 2]
        function.restype = ctypes.c_double
        gradient = (ctypes.c_double * 2)()
        return [(function(x, y, gradient), *gradient) for x, y in POINTS]

    held(rows(seed) for seed in range(COUNT))


def test_javascript():
    node = shutil.which("node") or pytest.skip("no node")
    script = "\n".join(code("js", seed) for seed in range(COUNT))
    functions = ", ".join(f"f{seed}" for seed in range(COUNT))
    script += f"\nfor (const f of [{functions}]) console.log(JSON.stringify("
    script += f"{json.dumps(POINTS)}.map(([x, y]) => Object.values(f(x, y)))));"
    done = subprocess.run([node, "-"], input=script.encode(), capture_output=True, check=True)
    held(json.loads(line) for line in done.stdout.splitlines())


def test_numpy():
    def rows(seed):
        names: dict = {}
        exec(code("numpy", seed), names)
        return [names[f"f{seed}"](*map(np.float64, point)) for point in POINTS]

    held(rows(seed) for seed in range(COUNT))


def test_sql():
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE input (x REAL, y REAL)")
        database.executemany("INSERT INTO input VALUES (?, ?)", POINTS)
        held(database.execute(code("sql", seed)).fetchall() for seed in range(COUNT))


def test_formulas_as_python_reads_them():
    names = {"where": lambda c, a, b: a if c else b, "maximum": max, "minimum": min}

    def rows(seed):
        texts = Printer(Terms(trace(drawn(seed), ["x", "y"]).lowered)).formulas()
        return [[eval(text, names | {"x": x, "y": y}) for text in texts] for x, y in POINTS]

    held(rows(seed) for seed in range(COUNT))


def test_a_negation_of_what_has_no_value_holds():
    program = trace(lambda x, y: F.where(logical_not(x < y), 1.0, 2.0), ["x", "y"], [])
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE input AS SELECT NULL AS x, 1.0 AS y")
        (value,) = database.execute(FORMS["sql"](program, [()], "t")).fetchone()
    assert value == program.run({"x": math.nan, "y": 1.0})[0][0] == 1.0


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("c", "return (x > 0.0 && (y <= 0.0 || !(x < y)) ? x : y);"),
        ("js", "value: (x > 0.0 && (y <= 0.0 || !(x < y)) ? x : y)"),
        (
            "numpy",
            "np.where((x > 0.0) & ((y <= 0.0) | np.logical_not(x < y)), x, y)",
        ),
        (
            "sql",
            '(CASE WHEN "x" > 0.0e0 AND ("y" <= 0.0e0 OR ("x" < "y") IS NOT TRUE) '
            'THEN "x" ELSE "y" END)',
        ),
        ("latex", r"x & x > 0 \land (y \le 0 \lor \lnot \left(x < y\right)) \\"),
    ],
)
def test_conditions_stay_conditions(form, text):
    def function(x, y):
        return F.where(logical_and(x > 0, logical_or(y <= 0, logical_not(x < y))), x, y)

    program = trace(function, ["x", "y"], [])
    assert text in FORMS[form](program, [()], "t")
    assert formulas(program) == ["where(x > 0 and (y <= 0 or not (x < y)), x, y)"]

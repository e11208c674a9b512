"""CONTRIBUTING.md on adding a function: followed to the letter in a copy of the tree.

What comes out is compared with mpmath, NumPy and the standard library's `math`.
"""

import ctypes
import json
import math
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXPRESSION = "sech(x)*trunc(y)"
X, Y = 0.75, -2.5
VALUE = float(mpmath.sech(X)) * math.trunc(Y)
SLOPE = float(mpmath.diff(mpmath.sech, X)) * math.trunc(Y)
CURVATURE = float(mpmath.diff(mpmath.sech, X, 2)) * math.trunc(Y)


def snippets():
    """The page's code, each with the file that it belongs to and the line that it stands before."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.split("\n## Adding a function\n")[1].split("\n## ")[0]
    for code in re.findall(r"```python\n(.*?)```", section, re.S):
        if code.startswith("Known("):
            yield "functions.py", f"        {code.strip()},\n", '    )\n}\n"""The functions that'
        elif code.startswith("np."):
            yield "names.py", f"    {code.strip()},\n", '}\n"""NumPy\'s ufuncs that C has'
        else:
            yield "functions.py", code + "\n", "# " + "-" * 74 + " the language's names"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree in which the page has been followed."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("dezero", "dezero_cli"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    files = [snippet[0] for snippet in snippets()]
    assert sorted(files) == ["functions.py"] * 4 + ["names.py"]
    for name, code, before in snippets():
        source = copy / "dezero" / name
        parts = source.read_text(encoding="utf-8").split(before)
        assert len(parts) == 2, before
        source.write_text(f"{parts[0]}{code}{before}{parts[1]}", encoding="utf-8")
    return copy


@pytest.fixture
def run(tree):
    """Run Python in the copy; give its output."""

    def call(*words, text=""):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            input=text.encode(),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return call


@pytest.fixture
def dezero(run):
    """Run the command line of the copy; give its output."""
    return lambda *words, **options: run("-m", "dezero_cli", *words, **options)


def near(*numbers):
    return pytest.approx(numbers, rel=1e-13, abs=1e-300)


def test_eval_gives_derivatives_of_two_orders(dezero):
    words = ("eval", EXPRESSION, f"x={X}", f"y={Y}", "--hessian", "--json")
    result = json.loads(dezero(*words))
    assert (result["value"], *result["grad"].values()) == near(VALUE, SLOPE, 0.0)
    rows = result["hessian"]
    assert [*rows["x"].values(), *rows["y"].values()] == [pytest.approx(CURVATURE), 0, 0, 0]


def test_batch_gives_what_eval_gives(dezero):
    lines = "".join(f"{EXPRESSION} ; x={X * n} y={Y * n}\n" for n in (1, 2, 3))
    results = [json.loads(line) for line in dezero("batch", text=lines).splitlines()]
    for n, result in enumerate(results, 1):
        value = float(mpmath.sech(X * n)) * math.trunc(Y * n)
        slope = float(mpmath.diff(mpmath.sech, X * n)) * math.trunc(Y * n)
        assert (result["value"], *result["grad"].values()) == near(value, slope, 0.0)


def test_map_runs_machine_code(run, dezero):
    pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    code = (
        "from dezero.programs.native import compiled\n"
        "from dezero_cli.language import symbolic\n"
        "from dezero_cli.language.parser import parse\n"
        f"names = ['x', 'y']\nprogram = symbolic.program(parse({EXPRESSION!r}), names, names)\n"
        "assert compiled(program).is_native\n"
    )
    assert run("-c", code) == ""
    table = "x,y\n" + "".join(f"{X * n},{Y * n}\n" for n in range(1, 20))
    rows = dezero("map", EXPRESSION, "-", "--from", "csv", text=table).splitlines()[1:]
    x, y, value, d_x, d_y = np.array([row.split(",") for row in rows], float).T
    np.testing.assert_allclose(value, np.trunc(y) / np.cosh(x), rtol=1e-14)
    np.testing.assert_allclose(d_x, -value * np.tanh(x), rtol=1e-14)
    assert len(rows) == 19 and not d_y.any()


def test_derived_formulas_can_be_fed_back(dezero):
    formulas = json.loads(dezero("derive", EXPRESSION, "--json"))["grad"]
    second = json.loads(dezero("derive", EXPRESSION, "--order", "2", "--json"))["grad"]
    assert formulas["y"] == second["x,y"] == second["y,y"] == "0"
    for formula, expected in ((formulas["x"], SLOPE), (second["x,x"], CURVATURE)):
        value = dezero("eval", formula, f"x={X}", f"y={Y}", "--no-grad", "--json")
        assert json.loads(value)["value"] == pytest.approx(expected, rel=1e-13)


def test_latex(dezero):
    shown = dezero("derive", EXPRESSION, "--to", "latex").splitlines()
    assert shown[0] == r"f = \frac{\operatorname{trunc}\left(y\right)}{\cosh\left(x\right)}"


def test_numpy(dezero):
    names: dict = {}
    exec(dezero("derive", EXPRESSION, "--to", "numpy"), names)
    assert tuple(map(float, names["f"](X, Y))) == near(VALUE, SLOPE, 0.0)


def test_python(dezero):
    names: dict = {}
    exec(dezero("derive", EXPRESSION, "--to", "python"), names)
    assert names["f"](X, Y) == near(VALUE, SLOPE, 0.0)


def test_c(dezero, tmp_path):
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    source, library = tmp_path / "f.c", tmp_path / "f.so"
    source.write_text(dezero("derive", EXPRESSION, "--to", "c"))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
    function = ctypes.CDLL(str(library)).f
    function.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_double * 2]
    function.restype = ctypes.c_double
    gradient = (ctypes.c_double * 2)()
    assert (function(X, Y, gradient), *gradient) == near(VALUE, SLOPE, 0.0)


def test_javascript(dezero):
    node = shutil.which("node") or pytest.skip("no node")
    code = dezero("derive", EXPRESSION, "--to", "js")
    code += f"\nconsole.log(JSON.stringify(Object.values(f({X}, {Y}))));"
    done = subprocess.run([node, "-"], input=code.encode(), capture_output=True, check=True)
    assert tuple(json.loads(done.stdout)) == near(VALUE, SLOPE, 0.0)


def test_sql(dezero):
    query = dezero("derive", EXPRESSION, "--to", "sql")
    with sqlite3.connect(":memory:") as database:
        try:
            database.execute("SELECT trunc(cosh(1.5))")
        except sqlite3.OperationalError:
            pytest.skip("SQLite without its mathematical functions")
        database.execute("CREATE TABLE input (x REAL, y REAL)")
        database.execute("INSERT INTO input VALUES (?, ?)", (X, Y))
        assert database.execute(query).fetchone() == near(VALUE, SLOPE, 0.0)


def test_check_agrees(dezero):
    shown = dezero("check", EXPRESSION, f"x={X}", f"y={Y}", "--json")
    numerical = [row["numerical"] for row in json.loads(shown)["check"].values()]
    assert numerical == pytest.approx([SLOPE, 0.0], rel=1e-9)


def test_graph_shows_both(dezero):
    shown = dezero("graph", EXPRESSION, f"x={X}", f"y={Y}")
    assert "sech(x)" in shown and "trunc(y)" in shown


def test_plot_draws(dezero, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    dezero("plot", EXPRESSION, "x=-3:3", f"y={Y}", "-o", str(tmp_path / "picture.svg"))
    assert "<svg" in (tmp_path / "picture.svg").read_text(encoding="utf-8")


def test_functions_lists_both(dezero):
    listed = json.loads(dezero("functions", "--json"))["functions"]
    sech, trunc = listed[-2:]
    assert (sech["call"], sech["summary"]) == ("sech(x)", "1/cosh(x).")
    assert (trunc["call"], trunc["derivative"]) == ("trunc(x)", {"x": "0"})


def test_the_laws_draw_both(tree, run):
    for name in ("__init__.py", "language/__init__.py", "language/strategies.py"):
        (tree / "tests" / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / name, tree / "tests" / name)
    code = "from tests.language import strategies as s; print(*s.ONE)"
    assert {"sech", "trunc"} <= set(run("-c", code).split())

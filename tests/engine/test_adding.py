"""CONTRIBUTING.md on adding a function: followed to the letter in a copy of the tree.

What comes out is compared with mpmath, NumPy and the standard library's `math`.
"""

import ctypes
import json
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
EXPRESSION = "haversin(x)*float_power(2, y)"
X, Y = 0.75, -2.5


def truth(x, y):
    return (1 - mpmath.cos(x)) / 2 * mpmath.power(2, y)


def exact(*orders, at=(X, Y)):
    """The value, or a partial derivative, by mpmath."""
    return float(mpmath.diff(truth, at, orders) if any(orders) else truth(*at))


VALUE = exact(0, 0)
SLOPES = (exact(1, 0), exact(0, 1))
CURVATURES = (exact(2, 0), exact(1, 1), exact(0, 2))


def snippets():
    """The page's code, each with the file that it belongs to and the line that it stands before."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.split("\n## Adding a function\n")[1].split("\n## ")[0]
    subject = {"haversin": "trigonometry.py", "float_power": "exponentials.py"}
    for code in re.findall(r"```python\n(.*?)```", section, re.S):
        if code.startswith("Known("):
            yield "functions.py", f"        {code.strip()},\n", '    )\n}\n"""The functions that'
        elif code.startswith("np."):
            yield "names.py", f"    {code.strip()},\n", '}\n"""NumPy\'s ufuncs that C has'
        elif code.startswith("from "):
            yield "functions.py", code, '_REDUCED = ("axis"'
        else:
            yield next(subject[name] for name in subject if name in code), code, ""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree in which the page has been followed."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("dezero", "dezero_cli"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    files = [snippet[0] for snippet in snippets()]
    others = ["exponentials.py", "names.py", "trigonometry.py"]
    assert sorted(files) == sorted(["functions.py"] * 4 + others)
    for name, code, before in snippets():
        source = copy / "dezero" / name
        text = source.read_text(encoding="utf-8")
        parts = text.split(before) if before else [text + "\n\n", ""]
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
    assert (result["value"], *result["grad"].values()) == near(VALUE, *SLOPES)
    rows = result["hessian"]
    xx, xy, yy = CURVATURES
    assert (*rows["x"].values(), *rows["y"].values()) == near(xx, xy, xy, yy)


def test_batch_gives_what_eval_gives(dezero):
    lines = "".join(f"{EXPRESSION} ; x={X * n} y={Y * n}\n" for n in (1, 2, 3))
    results = [json.loads(line) for line in dezero("batch", text=lines).splitlines()]
    for n, result in enumerate(results, 1):
        at = (X * n, Y * n)
        expected = [exact(*orders, at=at) for orders in ((0, 0), (1, 0), (0, 1))]
        assert (result["value"], *result["grad"].values()) == near(*expected)


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
    np.testing.assert_allclose(value, np.sin(x / 2) ** 2 * 2**y, rtol=1e-14)
    np.testing.assert_allclose(d_x, np.sin(x) / 2 * 2**y, rtol=1e-14)
    np.testing.assert_allclose(d_y, value * np.log(2), rtol=1e-14)
    assert len(rows) == 19


def test_derived_formulas_can_be_fed_back(dezero):
    formulas = json.loads(dezero("derive", EXPRESSION, "--json"))["grad"]
    second = json.loads(dezero("derive", EXPRESSION, "--order", "2", "--json"))["grad"]
    pairs = zip([*formulas.values(), *second.values()], [*SLOPES, *CURVATURES], strict=True)
    for formula, expected in pairs:
        value = dezero("eval", formula, f"x={X}", f"y={Y}", "--no-grad", "--json")
        assert json.loads(value)["value"] == pytest.approx(expected, rel=1e-13)


def test_latex(dezero):
    shown = dezero("derive", EXPRESSION, "--to", "latex").splitlines()
    assert r"{\sin\left(\frac{x}{2}\right)}^{2}" in shown[0] and "float_power" in shown[0]


def test_numpy(dezero):
    names: dict = {}
    exec(dezero("derive", EXPRESSION, "--to", "numpy"), names)
    assert tuple(map(float, names["f"](X, Y))) == near(VALUE, *SLOPES)


def test_python(dezero):
    names: dict = {}
    exec(dezero("derive", EXPRESSION, "--to", "python"), names)
    assert names["f"](X, Y) == near(VALUE, *SLOPES)


def test_c(dezero, tmp_path):
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    source, library = tmp_path / "f.c", tmp_path / "f.so"
    source.write_text(dezero("derive", EXPRESSION, "--to", "c"))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
    function = ctypes.CDLL(str(library)).f
    function.argtypes = [ctypes.c_double, ctypes.c_double, ctypes.c_double * 2]
    function.restype = ctypes.c_double
    gradient = (ctypes.c_double * 2)()
    assert (function(X, Y, gradient), *gradient) == near(VALUE, *SLOPES)


def test_javascript(dezero):
    node = shutil.which("node") or pytest.skip("no node")
    code = dezero("derive", EXPRESSION, "--to", "js")
    code += f"\nconsole.log(JSON.stringify(Object.values(f({X}, {Y}))));"
    done = subprocess.run([node, "-"], input=code.encode(), capture_output=True, check=True)
    assert tuple(json.loads(done.stdout)) == near(VALUE, *SLOPES)


def test_sql(dezero):
    query = dezero("derive", EXPRESSION, "--to", "sql")
    with sqlite3.connect(":memory:") as database:
        try:
            database.execute("SELECT pow(sin(1.5), 2.0)")
        except sqlite3.OperationalError:
            pytest.skip("SQLite without its mathematical functions")
        database.execute("CREATE TABLE input (x REAL, y REAL)")
        database.execute("INSERT INTO input VALUES (?, ?)", (X, Y))
        assert database.execute(query).fetchone() == near(VALUE, *SLOPES)


def test_check_agrees(dezero):
    shown = dezero("check", EXPRESSION, f"x={X}", f"y={Y}", "--json")
    numerical = [row["numerical"] for row in json.loads(shown)["check"].values()]
    assert numerical == pytest.approx(SLOPES, rel=1e-9)


def test_graph_shows_both(dezero):
    shown = dezero("graph", EXPRESSION, f"x={X}", f"y={Y}")
    assert "haversin(x)" in shown and "float_power(2, y)" in shown


def test_plot_draws(dezero, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    dezero("plot", EXPRESSION, "x=-3:3", f"y={Y}", "-o", str(tmp_path / "picture.svg"))
    assert "<svg" in (tmp_path / "picture.svg").read_text(encoding="utf-8")


def test_functions_lists_both(dezero):
    listed = json.loads(dezero("functions", "--json"))["functions"]
    haversin, float_power = listed[-2:]
    assert (haversin["call"], haversin["summary"]) == ("haversin(x)", "(1 - cos(x))/2.")
    assert haversin["derivative"] == {"x": "sin(x)/2"}
    assert float_power["call"] == "float_power(x, y)"


def test_the_laws_draw_both(tree, run):
    for name in ("__init__.py", "conftest.py", "language/__init__.py", "language/strategies.py"):
        (tree / "tests" / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / name, tree / "tests" / name)
    code = "from tests.language import strategies as s; print(*s.ONE, *s.TWO)"
    assert {"haversin", "float_power"} <= set(run("-c", code).split())

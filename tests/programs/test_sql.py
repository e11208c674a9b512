"""Queries on the columns that tables have: whole numbers, text, gaps, nan, other columns."""

import math
import re
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest

from dezero.programs.dialects import FORMS
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse
from tests.programs.test_code import LONG


def query(text, order=1):
    expression = parse(text)
    names = symbolic.free_names(expression)
    wanted, program = symbolic.derivatives(expression, names, names, order)
    return FORMS["sql"](program, [(), *wanted], text)


@pytest.fixture(params=["sqlite", "duckdb"])
def base(request):
    """An empty database of each kind."""
    if request.param == "duckdb":
        duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
        with duckdb.connect() as connection:
            yield connection
        return
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("SELECT sin(1.0), ln(1.0), power(2.0, 3.0)")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without mathematical functions")
    yield connection
    connection.close()


def run(base, table, text, *rows):
    base.execute(f"CREATE TABLE input ({table})")
    for row in rows:
        base.execute(f"INSERT INTO input VALUES ({', '.join('?' * len(row))})", row)
    return base.execute(query(text)).fetchall()


@pytest.mark.parametrize("kind", ["INTEGER", "BIGINT", "SMALLINT", "DECIMAL(9, 3)", "VARCHAR"])
def test_columns_of_every_type_compute_as_floats(base, kind):
    rows = run(base, f"x {kind}, y {kind}", "x/y", (1, 2), (3, 4))
    assert rows == [(0.5, 0.5, -0.25), (0.75, 0.25, -3 / 16)]


def test_whole_numbers_do_not_overflow(base):
    (row,) = run(base, "x INTEGER, y INTEGER", "x**3*y/y**2", (2_000_000, 3))
    assert row == pytest.approx((8e18 / 3, 4e12, -8e18 / 9), rel=1e-15)


def test_text_is_compared_as_numbers(base):
    rows = run(base, "x VARCHAR, y VARCHAR", "where(x < y, x, 2*y)", ("9", "10"), ("10", "9"))
    assert [row[0] for row in rows] == [9.0, 18.0]


def test_signs_divide_as_floats(base):
    (row,) = run(base, "x INTEGER, y INTEGER", "sign(x)/(sign(x) + sign(y))", (3, 4))
    assert row[0] == 0.5


@pytest.mark.parametrize("cell", ["", "N/A", "-", "1,5", "12 kg", "abc", "--", None])
def test_in_sqlite_text_that_is_no_number_is_missing(cell):
    base = sqlite3.connect(":memory:")
    rows = run(base, "x TEXT, y REAL", "x*y", (cell, 2.0), (" 1.5e0 ", 2.0), ("-.5", 2.0))
    base.close()
    assert rows == [(None, 2.0, None), (3.0, 2.0, 1.5), (-1.0, 2.0, -0.5)]


def test_in_duckdb_text_that_is_no_number_is_an_error():
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    with duckdb.connect() as base, pytest.raises(duckdb.ConversionException):
        run(base, "x VARCHAR, y DOUBLE", "x*y", ("N/A", 2.0))


CONDITIONS = [
    ("where(x > 0, 1, 2)", lambda x: 1 if x > 0 else 2),
    ("where(x + x > 1, 1, 2)", lambda x: 1 if x + x > 1 else 2),
    ("where(sqrt(x) > 1, 1, 2)", lambda x: 1 if not math.isnan(x) and x > 1 else 2),
    ("where(1 < x - 5, 1, 2)", lambda x: 1 if x - 5 > 1 else 2),
    ("where(sqrt(x) == sqrt(x), 1, 2)", lambda x: 1 if x >= 0 else 2),
    ("where(x != 3, 1, 2)", lambda x: 1 if x != 3 else 2),
    ("where((sqrt(x) < 2) == 0, 1, 2)", lambda x: 1 if not 0 <= x < 4 else 2),
    ("where(((x < 1) + (x > 9)) == 0, 1, 2)", lambda x: 1 if not (x < 1 or x > 9) else 2),
    ("where(where(sqrt(x) > 2, 0, x < 9), 1, 2)", lambda x: 1 if not x > 4 and x < 9 else 2),
    ("where(where(sqrt(x) > 2, x > 9, x < 1), 1, 2)", lambda x: 1 if x > 9 or x < 1 else 2),
    ("where(x*(x < 9), 1, 2)", lambda x: 1 if math.isnan(x) or x * (x < 9) else 2),
]


@pytest.mark.parametrize(("text", "right"), CONDITIONS)
def test_conditions_hold_of_what_is_missing_as_they_hold_of_nan(base, text, right):
    cells = [None, -3.0, 0.0, 0.5, 3.0, 5.0, 20.0]
    rows = run(base, "x DOUBLE", text, *((cell,) for cell in cells))
    numbers = [math.nan if cell is None else cell for cell in cells]
    assert [row[0] for row in rows] == list(map(right, numbers))
    program = symbolic.program(parse(text), ["x"], [])
    assert list(program.run({"x": np.array(numbers)})[0]) == list(map(right, numbers))


@pytest.mark.parametrize(
    "text", ["min(x, 2)", "max(2, x)", "min(x + x, 2)", "sign(x)", "hypot(x, 1)"]
)
def test_what_is_missing_stays_missing(base, text):
    rows = run(base, "x DOUBLE", text, (None,), (math.nan,), (1.5,))
    assert [row[0] is None or math.isnan(row[0]) for row in rows] == [True, True, False]


def test_a_column_that_is_not_there_is_an_error(base):
    with pytest.raises(Exception, match=r"(?i)no such column|not have a column"):
        run(base, "y DOUBLE", "x*2", (1.0,))


def test_helper_columns_and_the_tables_own_are_apart(base):
    table = "x DOUBLE, t1 VARCHAR, t2 DOUBLE, value DOUBLE, step1 DOUBLE, given DOUBLE"
    (row,) = run(base, table, "exp(x)*sin(exp(x))*t2", (0.5, "text", 2.0, 7.0, 8.0, 9.0))
    e = math.exp(0.5)
    assert row == pytest.approx(
        (2 * e * math.sin(e), 2 * e * (math.sin(e) + e * math.cos(e)), e * math.sin(e)), rel=1e-14
    )


def nested(depth):
    text, value, slope = "x", 0.3, 1.0
    for _ in range(depth):
        text = f"sin({text} + 1)"
        value, slope = math.sin(value + 1), slope * math.cos(value + 1)
    return text, value, slope


@pytest.mark.parametrize("depth", [30, 100])
def test_what_is_shared_is_not_written_out(base, depth):
    """Where SQLite put each step into the next, twenty steps would take a million times as long."""
    text, value, slope = nested(depth)
    (row,) = run(base, "x DOUBLE", text, (0.3,))
    assert row == pytest.approx((value, slope), rel=1e-12)


def test_a_sum_of_thousands_is_within_the_limits(base):
    (row,) = run(base, "x DOUBLE", "+".join(f"x*{k}" for k in range(1, 3000)) + "+exp(x)", (0.5,))
    total = 2999 * 3000 / 2
    assert row == pytest.approx((total / 2 + math.exp(0.5), total + math.exp(0.5)), rel=1e-12)


@pytest.mark.parametrize("kind", ["horner", "sum", "choices", "quotients"])
def test_long_and_nested_queries_run(base, kind):
    text = LONG[kind]
    (row,) = run(base, "x DOUBLE", text, (0.7,))
    program = symbolic.program(parse(text), ["x"], ["x"])
    assert row == pytest.approx([float(each[0]) for each in program.run({"x": 0.7})], rel=1e-9)


def test_nested_comparisons_are_written_once(base):
    text = "x"
    for _ in range(40):
        text = f"where(sqrt({text}) > 1, y, x + 1)"
    assert len(query(text)) < 100_000
    (row,) = run(base, "x DOUBLE, y DOUBLE", text, (0.2, 3.0))
    program = symbolic.program(parse(text), ["x", "y"], ["x", "y"])
    right = [float(each[0]) for each in program.run({"x": 0.2, "y": 3.0})]
    assert row == pytest.approx(right, rel=1e-14)


def test_a_step_keeps_what_is_needed_after_it():
    steps = re.findall(r"step\d AS \(SELECT (.*) FROM", query("sin(exp(x)*y)*exp(x)", 1))
    assert steps[0] == '"y", exp("x") AS "t1"' and len(steps) > 2
    assert not any('"x"' in step for step in steps[1:])


def test_a_table_that_sqlite_imported(tmp_path):
    if shutil.which("sqlite3") is None:
        pytest.skip("no sqlite3")
    (tmp_path / "t.csv").write_text("x,y\n10,9\n,3\n1,2\n")
    (tmp_path / "q.sql").write_text(query("x/y + (x < y)"))
    command = ["sqlite3", ":memory:", "-csv", ".import t.csv input", ".read q.sql"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(10 / 9)[:16], "", "1.5"]

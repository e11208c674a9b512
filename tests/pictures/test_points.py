"""`dezero plot --data`: which columns of a table are drawn, and their error bars."""

import json

import numpy as np
import pytest

from dezero_cli.language import number_files, statements
from dezero_cli.language.parser import parse
from dezero_cli.pictures import points

T, Y, S = [0.0, 1.0, 2.0, 4.0], [9.0, 6.0, 4.5, 2.0], [0.5, 0.4, 0.3, 0.2]


@pytest.fixture
def decay(tmp_path):
    """A table of times, values and their uncertainties."""
    path = tmp_path / "decay.csv"
    rows = (f"{t},{y},{s}" for t, y, s in zip(T, Y, S, strict=True))
    path.write_text("t,y,sy\n" + "\n".join(rows) + "\n")
    return path


def drawn(path, left, *sigmas, names=("t",), values=()):
    """The points of a table, and the notes."""
    table = number_files.columns(str(path))
    sizes = points.sizes(sigmas)
    said = statements.given(values, columns=table.names)
    return points.of_table(table, names, left, said, sizes)


def test_an_equation_says_what_is_drawn_and_errors_go_through_it(decay):
    found, notes = drawn(decay, "log(y/c)", "y=sy", values=("c=2",))
    assert found.x.tolist() == T and notes == []
    np.testing.assert_allclose(found.y, np.log(np.array(Y) / 2), rtol=1e-15)
    np.testing.assert_allclose(found.sigma_y, np.array(S) / np.array(Y), rtol=1e-14)
    assert found.sigma_x is None


def test_without_an_equation_it_is_the_uncertain_column_or_the_only_other(decay, tmp_path):
    assert drawn(decay, None, "y=sy")[0].y.tolist() == Y
    table = number_files.columns(str(decay))
    with pytest.raises(points.UsageError, match=r"which column is drawn.* t, y, sy"):
        points.of_table(table, ["t"], None, statements.given([]), {})
    (tmp_path / "two.tsv").write_text("mass (kg)\tt\n3\t1\n4\t2\n")
    assert drawn(tmp_path / "two.tsv", None)[0].y.tolist() == [3, 4]


def test_errors_are_numbers_shares_and_columns_in_both_directions(decay):
    found, _ = drawn(decay, "y", "y=2%", "t=0.25")
    np.testing.assert_allclose(found.sigma_y, 0.02 * np.array(Y), rtol=1e-15)
    assert found.sigma_x.tolist() == [0.25] * 4


def test_rows_with_an_empty_cell_are_left_out_and_counted(tmp_path):
    (tmp_path / "gaps.csv").write_text("t,y,s,other\n1,2,0.1,\n2,,0.1,\n3,4,,5\n4,5,0.2,\n")
    found, notes = drawn(tmp_path / "gaps.csv", "y", "y=s")
    assert found.x.tolist() == [1, 4] and found.sigma_y.tolist() == [0.1, 0.2]
    assert notes == ["note: 2 rows are left out, with a cell that is empty or not finite"]
    (tmp_path / "none.csv").write_text("t,y\n1,\n,2\n")
    with pytest.raises(points.ValuesError, match="no row of the table has a number in each"):
        drawn(tmp_path / "none.csv", "y")


def test_two_ranges_take_places(decay):
    found, _ = drawn(decay, None, names=("t", "y"))
    assert found.x.tolist() == T and found.y.tolist() == Y


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("y == a*x", ("y", "a*x")),
        ("log(y)==where(x == 0, 1, x)", ("log(y)", "where(x == 0, 1, x)")),
        ("a*x", (None, "a*x")),
        ("a == b == c", (None, "a == b == c")),
        ("`a == b` + x", (None, "`a == b` + x")),
        ("(y == x)", (None, "(y == x)")),
    ],
)
def test_sides_of_an_equation(text, sides):
    assert points.sides(text) == sides


def test_the_range_is_that_of_the_column_with_a_margin(decay):
    table = number_files.columns(str(decay))
    found = points.range_of(parse("a*exp(-k*t)"), statements.given(["a=1", "k=2"]), table)
    assert (found.name, found.start, found.stop) == ("t", -0.12, 4.12)
    with pytest.raises(points.UsageError, match="no range, and t and y are columns: give a range"):
        points.range_of(parse("t*y"), statements.given([]), table)
    with pytest.raises(points.UsageError, match="no range, and no name of it is a column"):
        points.range_of(parse("x"), statements.given([]), table)


def test_a_margin_does_not_cross_0(tmp_path):
    (tmp_path / "t.csv").write_text("t,y\n0.01,1\n10,2\n")
    table = number_files.columns(str(tmp_path / "t.csv"))
    assert points.range_of(parse("t"), statements.given([]), table).start == 0.01


@pytest.mark.parametrize("form", ["csv", "tsv", "txt", "jsonl", "parquet", "arrow"])
def test_tables_of_every_form_have_columns(tmp_path, form):
    path = tmp_path / f"t.{form}"
    if form in {"parquet", "arrow"}:
        pl = pytest.importorskip("polars")
        frame = pl.DataFrame({"t": T, "y": [9, 6, None, 2], "who": ["a", "b", "c", "d"]})
        (frame.write_parquet if form == "parquet" else frame.write_ipc)(path)
    elif form == "jsonl":
        rows = ({"t": t, "y": y} for t, y in zip(T, [9, 6, None, 2], strict=True))
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        sep = {"csv": ",", "tsv": "\t", "txt": " "}[form]
        rows = zip(T, ["9", "6", "nan", "2"], strict=True)
        path.write_text(f"t{sep}y\n" + "".join(f"{t}{sep}{y}\n" for t, y in rows))
    table = number_files.columns(str(path))
    assert table.names[:2] == ["t", "y"] and table.numbers("t").tolist() == T
    np.testing.assert_array_equal(table.numbers("y"), [9, 6, np.nan, 2])


def test_faults_of_tables_are_one_line(dezero, tmp_path, decay):
    def fault(*words):
        status, out, err = dezero("plot", *words)
        assert out == "" and err.startswith("error: ") and "internal" not in err
        return status, err[7:-1]

    words = ("y == a*t", "a=1", "-o", str(tmp_path / "a.png"))
    status, message = fault(*words, "--data", str(tmp_path / "no.csv"))
    assert status == 2 and "no.csv" in message
    (tmp_path / "bare.csv").write_text("1,2\n3,4\n")
    assert "has no header" in fault(*words, "--data", str(tmp_path / "bare.csv"))[1]
    (tmp_path / "t.xlsx").write_text("")
    assert "expected a table that ends in" in fault(*words, "--data", str(tmp_path / "t.xlsx"))[1]
    (tmp_path / "text.csv").write_text("t,y\n1,one\n")
    assert (
        "text.csv:2: column y: 'one' is not a number"
        in fault(*words, "--data", str(tmp_path / "text.csv"))[1]
    )
    data = ("--data", str(decay))
    assert (
        fault(*words, *data, "--sigma", "y=sz")[1]
        == "no column sz in the table: the columns are t, y, sy"
    )
    swallowed = fault("y == t if t < 1 else 2", *words[2:], *data)[1]
    assert "write y == (t if t < 1 else 2)" in swallowed
    assert fault(*words, *data, "--sigma", "z=1")[1].startswith("--sigma z: no value or column z")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".csv"] * 3 + [".xlsx"]


def test_the_command_draws_points_and_bands(dezero, tmp_path, decay):
    target = tmp_path / "fit.svg"
    outcome = dezero(
        *("plot", "y == a*exp(-k*t)", "a=9", "k=0.3", "--data", str(decay)),
        *("--sigma", "y=sy", "--sigma", "k=0.02", "--title", "A decay", "-o", str(target)),
    )
    assert outcome == (0, "", "")
    content = target.read_text()
    for text in ("A decay", "data ± 1 σ", "± 1 σ from $σ(k) = 0.02$"):
        assert f"<!-- {text} -->" in content


def test_a_variable_named_f_is_not_called_by_itself(dezero, tmp_path):
    target = tmp_path / "a.svg"
    assert dezero("plot", "f**2", "f=0:1", "-o", str(target)).status == 0
    assert "y(f) = " in target.read_text() and "f(f)" not in target.read_text()


def test_a_fit_gives_values_and_the_band_of_its_covariance(dezero, tmp_path, decay):
    fit = {"expr": "y == a*exp(-k*t)", "params": {}, "covariance": {"a": {"a": 0.16}}}
    for name, value, sigma in (("a", 9.0, 0.4), ("k", 0.3, 0.0)):
        ends = [value - 2.5 * sigma, value + 2.5 * sigma]
        fit["params"][name] = {"value": value, "sigma": sigma, "interval": ends}
    (tmp_path / "fit.json").write_text(json.dumps(fit))
    target = tmp_path / "fit.svg"
    words = ("plot", "a*exp(-k*t)", "--fit", str(tmp_path / "fit.json"), "-o", str(target))
    for more, texts in (
        ((), ("a = 9", "confidence band (± 2.5 σ)")),
        (("a=8",), ("a = 8",)),
        (("--sigma", "k=0.1"), ("± 1 σ from $σ(a) = 0.4$, $σ(k) = 0.1$",)),
    ):
        assert dezero(*words, "--data", str(decay), *more) == (0, "", "")
        content = target.read_text()
        assert all(text in content for text in texts) and "y(t) = " in content
    assert dezero(*words, "t=0:4").status == 0  # without data, too
    outcome = dezero("plot", "a*t", "--fit", str(decay), "t=0:4", "-o", str(target))
    assert outcome.status == 2 and "decay.csv: is not JSON" in outcome.err

"""What `dezero fit` tells of robust fits, limits, rows and groups, and which words it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import least_squares

from dezero_cli.pictures import fits

CELLS = ["x,y,s,g", "7,2.1,0.1,q", "5,,0.1,w", "3,6.2,0.2,w", "0,3,0.2,w", "4,4.4,0.1,q"]
NOTE = "data: x, y; parameters: a, b\nnote: 1 row with an empty cell is left out\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table(here):
    """A table in which the second row lacks a number and x is 0 in the fourth."""
    (here / "t.csv").write_text("\n".join([*CELLS, ""]))
    return here


def written(here, name, columns):
    """A table of numbers as CSV."""
    rows = [",".join(columns), *(",".join(map(repr, row)) for row in zip(*columns.values()))]
    (here / name).write_text("\n".join([*rows, ""]))


# ------------------------------------------------------------------------------ what a fit is worth
@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_a_robust_fit_tells_its_loss_beside_the_sum_of_squares(dezero, here, loss):
    x, y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.1, 3.9, 6.2, 7.7, 30.0, 12.4]
    written(here, "r.csv", {"x": x, "y": y})
    outcome = dezero("fit", "y == a + b*x", "r.csv", "--sigma", "y=0.3", "--robust", loss, "--json")
    found = outcome.json

    def residuals(p):
        return (np.array(y) - p[0] - p[1] * np.array(x)) / 0.3

    theirs = least_squares(residuals, [0, 2], loss=loss, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    squares = np.square(residuals([found["params"][n]["value"] for n in "ab"]))
    total = np.square((np.array(y) - np.mean(y)) / 0.3).sum()
    assert found["loss"] == pytest.approx(2 * theirs.cost, rel=1e-9)
    assert found["chi2"] == pytest.approx(squares.sum(), rel=1e-12)
    assert found["chi2_reduced"] == pytest.approx(squares.sum() / 4, rel=1e-12)
    assert found["r2"] == pytest.approx(1 - squares.sum() / total, rel=1e-9)
    assert found["aic"] is None
    assert found["bic"] is None
    assert "nonfinite" not in found


def test_the_scale_of_a_robust_loss_is_said_where_no_uncertainty_gives_it(dezero, table):
    words = ("y == b*x", "t.csv", "--robust", "huber", "--get", "dof")
    unit = "note: to huber a residual is large beyond 1, which without --sigma is 1 in the units of"
    assert unit in dezero("fit", *words).err
    assert unit not in dezero("fit", *words, "--sigma", "y=0.2").err


def test_a_limit_that_holds_a_parameter_leaves_it_without_an_error(dezero, here):
    t = np.arange(8.0)
    written(here, "d.csv", {"t": t.tolist(), "y": (50 * np.exp(-0.3 * t) + 2 + t % 3).tolist()})
    held = dezero("fit", "y == a*exp(-k*t)", "d.csv", "k=0.05", "--fix", "k", "--json").json
    limited = dezero("fit", "y == a*exp(-k*t)", "d.csv", "k=0:0.05", "--json").json
    assert limited["at_limits"] == ["k"]
    assert limited["params"]["k"] == {
        "value": 0.05,
        "sigma": None,
        "interval": [None, None],
        "start": None,
    }
    assert limited["dof"] == held["dof"] == 7
    assert limited["aic"] == pytest.approx(held["aic"], rel=1e-12)
    assert limited["bic"] == pytest.approx(held["bic"], rel=1e-12)
    text = dezero("fit", "y == a*exp(-k*t)", "d.csv", "k=0:0.05", "--precision", "4").out
    assert "k  0.05          at its limit\n" in text
    assert "correlation" not in text


def test_a_fit_through_as_many_rows_as_parameters_has_the_errors_that_are_given(dezero, here):
    written(here, "two.csv", {"x": [1.0, 3.0], "y": [2.0, 8.0]})
    line = ("fit", "y == a + b*x", "two.csv", "--json")
    given = dezero(*line, "--sigma", "y=0.1")
    assert given.json["params"]["b"]["sigma"] == pytest.approx(0.1 / np.sqrt(2))
    assert given.json["params"]["b"]["interval"] == [None, None]
    assert given.err == "note: as many rows as parameters: there are no intervals\n"
    (here / "two.json").write_text(given.out)
    read = dezero("eval", "a + b*x", "--fit", "two.json", "x=1", "--get", "sigma")
    assert float(read.out) == pytest.approx(0.1, rel=1e-14)
    scaled = "note: as many rows as parameters: no residuals tell of errors\n"
    assert dezero(*line).err == scaled


def test_an_exact_line_has_no_minus_zero(dezero, here):
    written(
        here, "e.csv", {"x": [1.0, 2.0, 3.0, 4.0], "y": [3.0, 5.0, 7.0, 9.0], "g": [1, 1, 2, 2]}
    )
    assert "-0.0" not in dezero("fit", "y == a + b*x", "e.csv", "--json").out
    assert "-0.0" not in dezero("fit", "y == a + b*x", "e.csv", "--by", "g").out


def test_rows_left_out_are_always_counted(dezero, table):
    assert dezero("fit", "y == b*x", "t.csv", "--get", "left_out").out == "1\n"
    assert dezero("fit", "s == b*x", "t.csv", "--get", "left_out").out == "0\n"
    assert "left out" not in dezero("fit", "s == b*x", "t.csv").out


# ---------------------------------------------------------------------------------- which row it is
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_row_is_called_by_its_number_in_the_table(dezero, table, name):
    if name != "t.csv":
        assert dezero("map", "x", "t.csv", "--as", "z", "--no-grad", "-o", name).status == 0
    outcome = dezero("fit", "y == a*x**(-b)", name, "b=1")
    assert outcome.status == 2
    assert "in row 4 (y = 3.0, x = 0.0): give another start\n" in outcome.err


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_row_of_several_files_is_called_with_its_file(dezero, table, form):
    (table / "u.csv").write_text("\n".join([CELLS[0], "1,1.5,0.1,q", "2,,0.1,q", ""]))
    for name in ("t", "u"):
        if form == "parquet":
            dezero("map", "x", f"{name}.csv", "--as", "z", "--no-grad", "-o", f"{name}.parquet")
    outcome = dezero("fit", "y == a*x**(-b)", f"u.{form}", f"t.{form}", "b=1")
    assert f"in row 4 of t.{form} (y = 3.0, x = 0.0)" in outcome.err


def test_a_row_of_a_group_is_called_by_its_number_in_the_table(dezero, table):
    outcome = dezero("fit", "y == a*x**(-b)", "t.csv", "b=1", "--by", "g")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert "in row 4 (y = 3.0, x = 0.0)" in lines[1]["error"]["message"]


def test_rows_that_cannot_be_read_are_not_counted(dezero, table):
    (table / "v.csv").write_text("x,y\n1,2\n?,3\n2,3\n0,1\n")
    outcome = dezero("fit", "y == a*x**(-b)", "v.csv", "b=1", "--on-bad", "skip")
    assert "in row 3 of those that can be read (y = 1.0, x = 0.0)" in outcome.err


def test_an_uncertainty_that_is_none_is_called_by_its_row(dezero, table):
    (table / "v.csv").write_text("x,y,s\n1,2,1\n2,,1\n2,3,0\n0,1,1\n")
    outcome = dezero("fit", "y == b*x", "v.csv", "--sigma", "y=s")
    assert outcome.err.endswith("--sigma y is 0.0 in row 3: an uncertainty is more than 0\n")


# --------------------------------------------------------------------------------- uncertainties
@pytest.mark.parametrize(
    "sigma", [["y=2*s"], ["y=double", "double=2*s"], ["y=c*s", "c=2"], ["y=sqrt(4*s**2)"]]
)
def test_an_uncertainty_is_a_formula_of_columns(dezero, table, sigma):
    dezero("map", "2*s", "t.csv", "--as", "twice", "--no-grad", "-o", "w.csv")
    column = dezero("fit", "y == a + b*x", "w.csv", "--sigma", "y=twice", "--json").json
    words = ("y == a + b*x", "w.csv", "--sigma", *sigma)
    assert dezero("fit", *words, "--json").json == column
    dezero("fit", *words, "-o", "one.csv", "--band", "prediction")
    dezero(
        "fit",
        "y == a + b*x",
        "w.csv",
        "--sigma",
        "y=twice",
        "-o",
        "other.csv",
        "--band",
        "prediction",
    )
    assert (table / "one.csv").read_text() == (table / "other.csv").read_text()


@pytest.mark.parametrize(
    ("sigma", "told"),
    [
        ("y=a*s", "--sigma y=a*s: a is a parameter"),
        ("y=k*s", "--sigma y=k*s: k is not a column"),
        ("y=ss", "--sigma y=ss: no column ss: did you mean s?"),
        ("y=sum(s)", "sum works on whole arrays, but here every input is one number"),
        ("y=s-0.6", "--sigma y is -0.5 in row 1: an uncertainty is more than 0"),
        ("y=sqrt(s-0.6)", "--sigma y is nan in row 1: an uncertainty is more than 0"),
    ],
)
def test_an_uncertainty_that_cannot_be_is_one_line(dezero, table, sigma, told):
    outcome = dezero("fit", "y == a + b*x", "t.csv", "--sigma", sigma)
    assert outcome.status == 2
    assert told in outcome.err


# ----------------------------------------------------------------------------------------- groups
def test_groups_are_told_what_was_taken_for_what(dezero, table):
    (table / "t.csv").write_text("x,y,g\n1,2,q\n2,3,q\n4,5,q\n1,,w\n")
    assert dezero("fit", "y == a + b*x", "t.csv", "--by", "g").err == NOTE
    quoted = dezero("fit", "y == a + b*x", "t.csv", "--by", "`g`", "--json")
    assert quoted.json["by"] == {"g": "q"}


def test_a_start_that_all_groups_lack_is_one_fault(dezero, table):
    outcome = dezero("fit", "y == a*x**(-b)", "t.csv", "--by", "g")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == NOTE + "error: b needs a start: add b=1, or limits, as in b=0:10\n"


# ------------------------------------------------------------------------------ words of no effect
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["b=nan"], "the start b=nan is not a finite number"),
        (["b=inf"], "the start b=inf is not a finite number"),
        (["b=1", "--seed", "3"], "--seed is for starts that are drawn: add --starts N"),
        (["b=1", "--band", "prediction"], "--band is what -o and --plot show: add one of them"),
        (["b=1", "--prefix", "p"], "--prefix is for the columns of -o: add -o FILE"),
        (["b=1", "--by", "g", "--by", "x"], "--by takes one column, and is given twice"),
        (["b", "=", "1"], "write NAME=VALUE without spaces"),
        (["--within", "a=0:1,b=0:9"], "write --within a=0:1 --within b=0:9"),
        (["--within", "b=9:1"], "b=9:1: no number lies between: write b=1:9"),
    ],
)
def test_words_without_an_effect_are_refused(dezero, table, words, told):
    outcome = dezero("fit", "y == a*x**(-b)", "t.csv", *words)
    assert outcome.status == 2
    assert outcome.err.endswith(told + "\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--within", "`k k`=1:0"], "write '`k k`=0:1'"),
        (["--within", "`k q`=0:1"], "no `k q` in the equation: did you mean `k k`?"),
        (["--fix", "`k k`"], "--fix '`k k`=1'"),
    ],
)
def test_hints_write_names_as_the_language_does(dezero, table, words, told):
    assert told in dezero("fit", "y == a*x + `k k`", "t.csv", *words).err


def test_a_corrected_equation_is_one(dezero, table):
    fault = dezero("fit", "y = N exp(-k*x)", "t.csv", "k=1").err
    assert fault == "error: an equation has ==: for example: 'y == a + b*x' table.csv\n"
    fault = dezero("fit", "y = N*exp(-k*x)", "t.csv", "k=1").err
    assert fault == "error: an equation has ==: write 'y == N*exp(-k*x)'\n"


def test_a_picture_of_one_row_has_a_curve(dezero, table, monkeypatch):
    drawn = []
    monkeypatch.setattr(fits, "picture", lambda picture, form: drawn.append(picture) or b"")
    written(table, "one.csv", {"x": [2.0], "y": [6.0]})
    assert dezero("fit", "y == b*x", "one.csv", "--plot", "one.svg").status == 0
    x, y = drawn[0].curve
    assert (x[0], x[-1]) == (1.8, 2.2)
    np.testing.assert_allclose(y, 3 * x)


# ------------------------------------------------------------------------------- starts that fail
def test_a_group_is_fitted_as_well_as_alone_whatever_the_others_are_like(dezero, here):
    """One group with tiny errors leads the fit of all rows to where the others fit badly."""
    t = np.arange(9.0)
    shapes = {"A": (0.01, 2.0, 3e-4), "B": (1000.0, 1.3, 30.0), "C": (5.0, 0.25, 0.15)}
    draw = np.random.default_rng(7)
    rows = ["g,t,y,s"]
    for name, (size, rate, sigma) in shapes.items():
        y = size * (np.exp(-rate * t) + 0.2) + sigma * draw.standard_normal(9)
        lines = [f"{a!r},{b!r},{sigma!r}" for a, b in zip(t.tolist(), y.tolist(), strict=True)]
        rows += [f"{name},{line}" for line in lines]
        (here / f"{name}.csv").write_text("\n".join(["t,y,s", *lines, ""]))
    (here / "all.csv").write_text("\n".join([*rows, ""]))
    words = ("k=0.5", "--sigma", "y=s", "--json")
    groups = dezero("fit", "y == a*exp(-k*t) + c", "all.csv", "--by", "g", *words)
    assert groups.status == 0
    for line in map(json.loads, groups.out.splitlines()):
        alone = dezero("fit", "y == a*exp(-k*t) + c", f"{line['by']['g']}.csv", *words).json
        assert line["chi2"] == pytest.approx(alone["chi2"], rel=1e-9)
        for name in "akc":
            assert line["params"][name]["value"] == pytest.approx(
                alone["params"][name]["value"], rel=1e-9
            )


DECAY = ["y == a*exp(-k*t) + c", "t=[0.2,1,2,4,9]", "y=[5,4,3,2,1]"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([*DECAY, "k=-300"], "the model is nan at the start (a=0.0, k=-300.0, c=0.0) in row 4"),
        ([*DECAY, "k=1000"], "a and k are not determined apart"),
        ([*DECAY, "k=-50"], "no row depends on k at the start"),
        (["y == a**2*x", "x=[1,2,3]", "y=[2,4,6]", "a=0"], "depends on a at the start (a=0.0)"),
    ],
)
def test_a_start_that_leads_nowhere_asks_for_another(dezero, words, told):
    outcome = dezero("fit", *words)
    assert outcome.status == 2
    assert told in outcome.err
    assert "give another start" in outcome.err


@pytest.mark.parametrize("ends", ["-2:2", "-10:10", "-3:4"])
def test_the_middle_of_limits_may_have_no_slope(dezero, ends):
    words = ("y == a**2*x", "x=[1,2,3]", "y=[2,4,6]", f"a={ends}", "--get", "params.a.value")
    assert abs(float(dezero("fit", *words).out)) == pytest.approx(np.sqrt(2), rel=1e-14)


def test_what_is_to_be_held_may_have_a_start(dezero, here):
    written(here, "d.csv", {"t": [0.0, 1.0, 2.0, 3.0], "y": [5.0, 3.1, 2.0, 1.2]})
    words = ("fit", "y == a*b*exp(-k*t)", "d.csv", "a=1", "b=1", "k=0.1")
    fault = dezero(*words).err
    assert "hold one with --fix b\n" in fault
    held = dezero(*words, "--fix", "b", "--json").json
    assert dezero(*words, "--fix", "b=1", "--json").json == held
    other = dezero(*words, "--fix", "b=2").err
    assert (
        other == "error: --fix b=2: b has the value 1 already: leave that out, or write --fix b\n"
    )
    (here / "m.dz").write_text("b=7\nk=0.1\ny == a*b*exp(-k*t)\n")
    of_file = dezero("fit", "@m.dz", "d.csv", "--fix", "b=1", "--json").json
    assert of_file["params"]["a"]["value"] == pytest.approx(held["params"]["a"]["value"], rel=1e-12)


def test_a_table_without_rows_and_lists_without_a_table_are_named(dezero, here):
    (here / "zero.csv").write_text("x,y\n")
    for words in (["zero.csv"], ["x=[]", "y=[]"]):
        assert "there are no rows to be fitted\n" in dezero("fit", "y == a + b*x", *words).err
    lists = dezero("fit", "y == m*x", "x=[1,2,3]", "y=[2,4,6.1]", "--by", "y")
    assert lists.err == "error: --by names a column of a table: there is no table\n"


def test_a_fit_without_errors_says_so_where_it_is_read(dezero, here):
    written(here, "two.csv", {"x": [1.0, 2.0], "y": [2.0, 3.5]})
    (here / "two.json").write_text(dezero("fit", "y == a + b*x", "two.csv", "--json").out)
    fault = dezero("eval", "a + b*x", "--fit", "two.json", "x=3").err
    assert "as many rows as parameters: give the values alone, a=0.5 b=1.5\n" in fault
    assert dezero("eval", "a + b*x", "a=0.5", "b=1.5", "x=3", "--get", "value").out == "5.0\n"

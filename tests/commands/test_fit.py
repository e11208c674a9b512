"""`dezero fit`: tables and lists in, parameters out, and what is written beside them."""

import bz2
import errno
import gzip
import importlib.util
import json

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from dezero_cli.faults import UsageError
from dezero_cli.solving import data as rows_of
from dezero_cli.solving import reduced
from dezero_cli.solving.spool import Spool
from tests.commands.test_eval import shell

DECAY = "y == a*exp(-k*t) + c"
T = np.arange(8.0)
Y = np.array([10.13, 6.61, 4.38, 3.13, 2.26, 1.84, 1.51, 1.33])


def model(t, a, k, c):
    return a * np.exp(-k * t) + c


def by_scipy(t=T, y=Y, **options):
    values, covariance = optimize.curve_fit(model, t, y, [9, 0.4, 1], xtol=1e-14, **options)
    return values, np.sqrt(np.diag(covariance))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table(here):
    frame = pl.DataFrame({"t": T, "y": Y, "sy": 0.02 + 0.01 * T, "site": ["p", "q"] * 4})
    frame.write_csv("decay.csv")
    return frame


def found(outcome):
    assert outcome.status == 0, outcome.err
    params = outcome.json["params"]
    return np.array([[params[n][key] for n in "akc"] for key in ("value", "sigma")])


DIALECTS = {
    "semicolons": (";", ",", "", "", ["--separator", ";", "--decimal", ","]),
    "comments": (",", ".", "# made by hand\n", "", ["--comment", "#"]),
    "skipped": (",", ".", "made by hand\n", "", ["--skip", "1"]),
    "missing": (",", ".", "", "NA,1,1,p\n", ["--missing", "NA"]),
    "bad": (",", ".", "", "oops,1,1,p\n", ["--on-bad", "null"]),
}


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_table_however_it_is_written_gives_the_same_fit(dezero, table, here, kind):
    separator, decimal, before, after, options = DIALECTS[kind]
    lines = (here / "decay.csv").read_text().replace(",", separator).replace(".", decimal)
    (here / "other.csv").write_text(before + lines + after)
    plain = dezero("fit", DECAY, "decay.csv", "k=0.3", "--json").json
    other = dezero("fit", DECAY, "other.csv", "k=0.3", "--json", *options).json
    assert (plain.pop("left_out"), other.pop("left_out")) == (0, bool(after))
    assert other == plain


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("by", [[], ["--by", "site"]])
def test_rows_that_cannot_be_read_are_skipped_and_counted(dezero, table, here, form, by):
    rows = table.to_dicts()
    rows.insert(2, {"t": "late", "y": 1, "sy": 1, "site": "p"})
    if form == "csv":
        lines = [",".join(map(str, row.values())) for row in rows]
        (here / "bad.csv").write_text("\n".join(["t,y,sy,site", *lines, "1,2"]) + "\n")
    else:
        lines = [json.dumps(row) for row in rows]
        (here / "bad.jsonl").write_text("\n".join([*lines, "{"]) + "\n")
    more = ["k=0.3", "--sigma", "y=sy", *by, "--json"]
    outcome = dezero("fit", DECAY, f"bad.{form}", *more, "--on-bad", "skip")
    plain = dezero("fit", DECAY, "decay.csv", *more)
    assert (outcome.status, outcome.out) == (plain.status, plain.out)
    assert outcome.err == plain.err + "note: 2 rows that could not be read left out\n"


def test_a_table_without_a_header_has_numbered_columns(dezero, table, here):
    text = (here / "decay.csv").read_text().partition("\n")[2]
    (here / "bare.csv").write_text(text)
    words = ["c2 == a*exp(-k*c1) + c", "bare.csv", "k=0.3", "--no-header", "--json"]
    assert (
        dezero("fit", *words).json["params"]
        == (dezero("fit", DECAY, "decay.csv", "k=0.3", "--json").json["params"])
    )


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.jsonl", "d.parquet", "d.arrow", "d.csv.gz"])
def test_every_format_gives_the_fit_of_scipy(dezero, table, name):
    if name.endswith("tsv"):
        table.write_csv(name, separator="\t")
    elif name.endswith("jsonl"):
        table.write_ndjson(name)
    elif name.endswith("parquet"):
        table.write_parquet(name)
    elif name.endswith("arrow"):
        table.write_ipc(name)
    else:
        text = table.write_csv().encode()
        with open(name, "wb") as file:
            file.write(gzip.compress(text) if name.endswith("gz") else text)
    values = found(dezero("fit", DECAY, name, "k=0.3", "--json"))
    assert values == pytest.approx(np.array(by_scipy()), rel=1e-6)


def test_several_files_and_a_pipe_are_one_table(dezero, table, here):
    whole = found(dezero("fit", DECAY, "decay.csv", "k=0.3", "--json"))
    table[:3].write_csv("1.csv")
    table[3:].write_csv("2.csv")
    parts = dezero("fit", DECAY, "1.csv", "2.csv", "k=0.3", "--json")
    assert found(parts) == pytest.approx(whole, rel=1e-12)
    piped = shell(f"cat decay.csv | dezero fit '{DECAY}' - k=0.3 --json", cwd=here)
    assert json.loads(piped.stdout)["params"]["k"]["value"] == pytest.approx(whole[0, 1], rel=1e-12)
    listed = [f"t={T.tolist()}", f"y={Y.tolist()}"]
    assert found(dezero("fit", DECAY, *listed, "k=0.3", "--json")) == pytest.approx(
        whole, rel=1e-12
    )


@pytest.mark.parametrize("many", [False, True])
def test_the_same_rows_give_the_same_bytes_however_they_come(dezero, here, monkeypatch, many):
    draw = np.random.default_rng(4)
    t = draw.uniform(0, 8, 900)
    frame = pl.DataFrame({"t": t, "y": model(t, 9, 0.4, 1) + 0.1 * draw.standard_normal(900)})
    if many:  # than are searched at once, held in memory, and summed by a thread
        for place, most in ((reduced, "SMALL"), (rows_of, "KEPT"), (rows_of, "EVEN")):
            monkeypatch.setattr(place, most, 200)
        monkeypatch.setattr(reduced, "SHARE", 64)
    write_all(frame)
    words = ["fit", DECAY, "k=0.3", "--json"]
    expected = dezero(*words, "d.csv")
    assert found(expected)[0] == pytest.approx([9, 0.4, 1], rel=0.05)
    for name in (
        "d.tsv",
        "d.jsonl",
        "d.parquet",
        "d.arrow",
        "d.stream",
        "d.csv.gz",
        "d.csv.zst",
        "d.csv",
    ):
        if many and name == "d.csv":  # read again for every pass
            monkeypatch.setattr(rows_of, "SPOOLED", 200)
        assert dezero(*words, name).out == expected.out, name
    assert dezero(*words, "part1.csv", "part2.csv").out == expected.out
    lists = dezero(*words, *(f"{name}={frame[name].to_list()}" for name in "ty"))
    assert lists.out == expected.out


def write_all(frame):
    """The same rows in every format, packed, and in two parts."""
    text = frame.write_csv().encode()
    for name, content in (("d.csv", text), ("d.csv.gz", gzip.compress(text))):
        with open(name, "wb") as file:
            file.write(content)
    with open("d.csv.zst", "wb") as file:
        file.write(pytest.importorskip("zstandard").ZstdCompressor().compress(text))
    frame.write_csv("d.tsv", separator="\t")
    frame.write_ndjson("d.jsonl")
    frame.write_parquet("d.parquet")
    frame.write_ipc("d.arrow")
    frame.write_ipc_stream("d.stream")
    frame[:311].write_csv("part1.csv")
    frame[311:].write_csv("part2.csv")


def test_pipes_give_the_bytes_of_files(dezero, table, here):
    expected = dezero("fit", DECAY, "decay.csv", "k=0.3", "--json").out
    table.write_parquet("d.parquet")
    for name in ("decay.csv", "d.parquet"):
        assert shell(f"cat {name} | dezero fit '{DECAY}' - k=0.3 --json").stdout == expected


def test_plain_csv_needs_no_library(dezero, table, monkeypatch):
    whole = found(dezero("fit", DECAY, "decay.csv", "k=0.3", "--json"))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "polars" else find(n))
    assert found(dezero("fit", DECAY, "decay.csv", "k=0.3", "--json")).tolist() == whole.tolist()
    for text, message in {
        "t,y\n0,1\n1\n": "1 cells, but the header has 2",
        "t,y\n0,1\n1,x\n": "'x' is not a number",
        "": "the file is empty",
        "t,y\n0,\xe9\n": "not UTF-8",
    }.items():
        with open("bad.csv", "w", encoding="latin-1") as file:
            file.write(text)
        refused = dezero("fit", "y == a + b*t", "bad.csv")
        assert refused.status in (1, 2) and message in refused.err
    table[:3].write_csv("one.csv")
    table.rename({"t": "u"}).write_csv("two.csv")
    assert "its columns are not those of one.csv" in dezero("fit", DECAY, "one.csv", "two.csv").err


def test_uncertainties_of_the_data_weigh_the_rows(dezero, table):
    sy = table["sy"].to_numpy()
    given = dezero("fit", DECAY, "decay.csv", "k=0.3", "--sigma", "y=sy", "--json")
    expected = by_scipy(sigma=sy, absolute_sigma=True)
    assert found(given) == pytest.approx(np.array(expected), rel=1e-6)
    assert given.json["scaled"] is False
    words = ["--sigma", "y=sy", "--scale-errors", "--json"]
    scaled = dezero("fit", DECAY, "decay.csv", "k=0.3", *words)
    assert found(scaled) == pytest.approx(np.array(by_scipy(sigma=sy)), rel=1e-6)
    parts = dezero("fit", DECAY, "decay.csv", "k=0.3", "--sigma", "y=2%", "--json")
    assert found(parts) == pytest.approx(
        np.array(by_scipy(sigma=0.02 * Y, absolute_sigma=True)), rel=1e-6
    )
    alike = dezero("fit", DECAY, "decay.csv", "k=0.3", "--sigma", "y=0.1", "--json")
    assert found(alike)[0] == pytest.approx(by_scipy()[0], rel=1e-6)


def test_what_a_fit_is_worth(dezero, table):
    told = dezero("fit", DECAY, "decay.csv", "k=0.3", "--level", "0.9", "--json").json
    values, sigmas = by_scipy()
    left = Y - model(T, *values)
    chi2 = left @ left
    assert (told["rows"], told["dof"], told["level"]) == (8, 5, 0.9)
    assert told["chi2"] == pytest.approx(chi2, rel=1e-9)
    assert told["chi2_reduced"] == pytest.approx(chi2 / 5, rel=1e-9)
    assert told["residual_sigma"] == pytest.approx(np.sqrt(chi2 / 5), rel=1e-9)
    assert told["r2"] == pytest.approx(1 - chi2 / np.sum((Y - Y.mean()) ** 2), rel=1e-12)
    assert told["r2_uncentred"] == pytest.approx(1 - chi2 / (Y @ Y), rel=1e-12)
    assert told["aic"] == pytest.approx(8 * np.log(chi2 / 8) + 6, rel=1e-9)
    assert told["bic"] == pytest.approx(8 * np.log(chi2 / 8) + 3 * np.log(8), rel=1e-9)
    low, high = told["params"]["k"]["interval"]
    reach = stats.t.ppf(0.95, 5) * sigmas[1]
    assert [low, high] == pytest.approx([values[1] - reach, values[1] + reach], rel=1e-6)
    assert told["correlation"]["k"]["k"] == 1.0


def test_the_text_has_a_row_for_each_parameter(dezero, table):
    words = ["k=0.3", "c=1", "--precision", "5"]
    status, out, err = dezero("fit", DECAY, "decay.csv", *words)
    assert status == 0 and err == "data: t, y; parameters: a, c, k\n"
    first, *rows = out.splitlines()
    assert first.split() == ["value", "sigma", "95%", "interval", "start"]
    assert [row.split()[0] for row in rows[:3]] == ["a", "k", "c"]
    assert rows[0].split()[1] == f"{by_scipy()[0][0]:.5g}"
    assert "errors: scaled by the residuals" in out and "correlation of a, k" in out


def test_bare_numbers(dezero, table):
    words = ["k=0.3", "--get", "params.k.value", "--get", "chi2"]
    lines = dezero("fit", DECAY, "decay.csv", *words).out.splitlines()
    values = by_scipy()[0]
    chi2 = np.sum((Y - model(T, *values)) ** 2)
    assert list(map(float, lines)) == pytest.approx([values[1], chi2], rel=1e-6)


def test_held_and_limited_parameters(dezero, table):
    held = dezero("fit", DECAY, "decay.csv", "k=0.3", "--fix", "c=1", "--json").json
    assert held["params"]["c"] == {"value": 1.0, "sigma": 0.0, "interval": [1.0, 1.0], "start": 1.0}
    values, _ = optimize.curve_fit(lambda t, a, k: model(t, a, k, 1.0), T, Y, [9, 0.4], xtol=1e-14)
    assert held["params"]["k"]["value"] == pytest.approx(values[1], rel=1e-6)
    assert held["dof"] == 6 and held["held"] == ["c"]
    inside = dezero("fit", DECAY, "decay.csv", "k=0:2", "--json")
    assert found(inside) == pytest.approx(np.array(by_scipy()), rel=1e-6)
    at = dezero("fit", DECAY, "decay.csv", "k=0.1", "--within", "k=0:0.3", "--json")
    assert at.json["params"]["k"]["value"] == 0.3 and at.json["at_limits"] == ["k"]
    assert "k is at its limit" in at.err
    drawn = dezero("fit", DECAY, "decay.csv", "k=0:5", "--starts", "4", "--seed", "1", "--json")
    assert found(drawn) == pytest.approx(np.array(by_scipy()), rel=1e-6)


def test_definitions_and_values_of_a_file(dezero, table, here):
    (here / "vars.json").write_text('{"c": 1, "k": 0.3}')
    (here / "model.dz").write_text("rate = k\ngrown(s) = a*exp(-rate*s) + c\n")
    words = ["y == grown(t)", "decay.csv", "--vars", "vars.json", "--defs", "model.dz", "--json"]
    told = dezero("fit", *words)
    assert found(told) == pytest.approx(np.array(by_scipy()), rel=1e-6)
    assert told.json["defs"] == {"grown(s)": "a*exp(-rate*s) + c", "rate": "k"}


def test_rows_with_an_empty_cell_are_left_out_and_counted(dezero, here):
    (here / "t.csv").write_text("x,y,s\n1,2,1\n2,,1\n3,6.1,1\n4,8,\n5,9.9,2\n")
    told = dezero("fit", "y == a + b*x", "t.csv", "--json")
    assert told.json["left_out"] == 1 and told.json["rows"] == 4
    assert told.err == "note: 1 row with an empty cell is left out\n"
    b, a = np.polyfit([1, 3, 4, 5], [2, 6.1, 8, 9.9], 1)
    params = told.json["params"]
    assert [params["a"]["value"], params["b"]["value"]] == pytest.approx([a, b], rel=1e-9)
    told = dezero("fit", "y == a + b*x", "t.csv", "--sigma", "y=s", "--json")
    assert told.json["left_out"] == 2 and "2 rows" in told.err


# ------------------------------------------------------------------------------------- many fits
def test_a_fit_for_each_group(dezero, here):
    x = np.arange(5.0)
    lines = ["x,y,site"]
    for site, a, b in [("north", 1, 2), ("south", -3, 0.5)]:
        noise = np.array([0.1, -0.2, 0.1, 0.05, -0.05])
        lines += [f"{i},{float(a + b * i + e)!r},{site}" for i, e in zip(x, noise, strict=True)]
    lines.append("1,2,alone")
    (here / "g.csv").write_text("\n".join(lines) + "\n")
    status, out, err = dezero("fit", "y == a + b*x", "g.csv", "--by", "site", "--json")
    north, south, alone = map(json.loads, out.splitlines())
    assert status == 1 and "site = alone" in err
    assert [each["by"] for each in (north, south)] == [{"site": "north"}, {"site": "south"}]
    assert "cannot determine" in alone["error"]["message"]
    slopes = np.polyfit(x, np.array([0.1, -0.2, 0.1, 0.05, -0.05]), 1)
    for each, a, b in [(north, 1, 2), (south, -3, 0.5)]:
        params = each["params"]
        expected = [a + slopes[1], b + slopes[0]]
        assert [params["a"]["value"], params["b"]["value"]] == pytest.approx(expected, rel=1e-9)
    nonlinear = dezero("fit", "y == a*exp(b*x) + 0*c", "g.csv", "--by", "sites")
    assert nonlinear.status == 2 and "did you mean site" in nonlinear.err


@pytest.fixture
def groups(here):
    """Sixty decays of unlike sizes; among them one row alone, and one that is no decay at all."""
    draw = np.random.default_rng(5)
    lines = ["t,y,s,tube"]
    for tube in range(60):
        a, k, c = draw.uniform(30, 60), draw.uniform(0.1, 0.9), draw.uniform(-5, 20)
        for t in np.linspace(0, 9, 12 + tube % 5).tolist():
            y = a * np.exp(-k * t) + c + draw.normal(0, 0.2)
            lines.append(f"{t!r},{float(y)!r},{0.1 + 0.01 * t},tube {tube}")
    lines += ["1,2,0.1,alone", *(f"{t},3,0.1,flat" for t in range(8))]
    draw.shuffle(body := lines[1:])
    (here / "tubes.csv").write_text("\n".join([lines[0], *body]) + "\n")
    return pl.DataFrame([row.split(",") for row in body], ["t", "y", "s", "tube"], orient="row")


@pytest.mark.parametrize("more", [[], ["--sigma", "y=s"], ["k=0:1"]])
def test_groups_together_are_fitted_as_each_alone(dezero, groups, here, more):
    words = [DECAY, "tubes.csv", *([] if "k=0:1" in more else ["k=0.3"]), *more]
    told = dezero("fit", *words, "--by", "tube", "--jobs", "1")
    records = {each["by"]["tube"]: each for each in map(json.loads, told.out.splitlines())}
    order = groups["tube"].unique(maintain_order=True).to_list()
    assert told.status == 1 and list(records) == order
    assert "error" in records["alone"] and "error" in records["flat"]
    for tube in ["tube 0", "tube 17", "tube 59"]:
        groups.filter(pl.col("tube") == tube).write_csv(here / "one.csv")
        alone = json.loads(dezero("fit", words[0], "one.csv", *words[2:], "--json").out)
        for key in ["chi2", "dof", "r2", "r2_uncentred", "aic", "rows", "scaled"]:
            assert records[tube][key] == pytest.approx(alone[key], rel=1e-11)
        for name, param in alone["params"].items():
            mine = records[tube]["params"][name]
            assert mine["value"] == pytest.approx(param["value"], rel=1e-13)
            assert mine["sigma"] == pytest.approx(param["sigma"], rel=1e-11)
            assert mine["interval"] == pytest.approx(param["interval"], rel=1e-11)
            assert records[tube]["covariance"][name] == pytest.approx(
                alone["covariance"][name], rel=1e-10
            )


def test_groups_give_the_same_bytes_for_any_number_of_processes(dezero, groups, monkeypatch):
    monkeypatch.setattr("dezero_cli.solving.groups.ROWS", 100)
    words = ["fit", DECAY, "tubes.csv", "k=0.3", "--by", "tube", "--jobs"]
    alone = dezero(*words, "1")
    assert len(alone.out.splitlines()) == 62
    for jobs in ["auto", "2", "3"]:
        assert dezero(*words, jobs) == alone
    monkeypatch.setattr("dezero_cli.batch.parts.ENOUGH", 0.0)
    monkeypatch.setattr("dezero_cli.batch.parts.cores", lambda: 2)
    assert dezero(*words, "auto") == alone


# ------------------------------------------------------------------------------- after the fit
@pytest.mark.parametrize("band", ["confidence", "prediction"])
def test_the_table_gains_the_fit_and_its_band(dezero, table, band):
    words = ["k=0.3", "-o", "out.csv", "--band", band, "--level", "0.9", "--json"]
    told = dezero("fit", DECAY, "decay.csv", *words)
    assert told.status == 0
    out = pl.read_csv("out.csv")
    assert out.columns == [*table.columns, "fit", "residual", "sigma", "lower", "upper"]
    values, _ = by_scipy()
    gradient = np.array(
        [np.exp(-values[1] * T), -values[0] * T * np.exp(-values[1] * T), T * 0 + 1]
    )
    spread = (Y - model(T, *values)) @ (Y - model(T, *values)) / 5
    covariance = np.linalg.inv(gradient @ gradient.T) * spread
    sigma = np.sqrt(np.einsum("ir,ij,jr->r", gradient, covariance, gradient))
    if band == "prediction":
        sigma = np.hypot(sigma, np.sqrt(spread))
    fit, reach = model(T, *values), stats.t.ppf(0.95, 5)
    assert out["fit"].to_numpy() == pytest.approx(fit, rel=1e-7)
    assert out["residual"].to_numpy() == pytest.approx(Y - fit, abs=1e-6)
    assert out["sigma"].to_numpy() == pytest.approx(sigma, rel=1e-5)
    assert out["lower"].to_numpy() == pytest.approx(fit - reach * sigma, rel=1e-5)
    assert out["upper"].to_numpy() == pytest.approx(fit + reach * sigma, rel=1e-5)


def test_the_fit_goes_on_to_other_commands(dezero, table, here):
    told = dezero("fit", DECAY, "decay.csv", "k=0.3", "--json")
    (here / "fit.json").write_text(told.out)
    (values, _), covariance = found(told), told.json["covariance"]
    matrix = np.array([[covariance[m][n] for n in "akc"] for m in "akc"])
    a, k, c = values
    slope = np.array([np.exp(-2 * k), -2 * a * np.exp(-2 * k), 1])
    sigma = np.sqrt(slope @ matrix @ slope)
    answer = dezero("eval", "a*exp(-k*t) + c", "t=2", "--fit", "fit.json", "--json").json
    assert answer["value"] == pytest.approx(a * np.exp(-2 * k) + c, rel=1e-12)
    assert answer["sigma"] == pytest.approx(sigma, rel=1e-9)
    words = ["a*exp(-k*t) + c", "decay.csv", "--fit", "fit.json", "--only", "--no-grad"]
    mapped = dezero("map", *words)
    assert mapped.status == 0, mapped.err
    assert float(mapped.out.splitlines()[3].split(",")[0]) == pytest.approx(answer["value"])
    words = ["a*exp(-k*t) + c", "t=0:7", "--fit", "fit.json", "-o", "curve.png"]
    drawn = dezero("plot", *words)
    assert drawn.status == 0, drawn.err
    assert (here / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("equation", "words"),
    [
        (DECAY, ["k=0.3", "--sigma", "y=sy"]),
        ("y == a + b*t + c*sy**2", []),
        ("log(y) == a - b*t", []),
    ],
)
def test_a_picture(dezero, table, here, equation, words):
    drawn = dezero("fit", equation, "decay.csv", *words, "--plot", "fit.png", "--json")
    assert drawn.status == 0, drawn.err
    assert (here / "fit.png").read_bytes().startswith(b"\x89PNG")


# ------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["y = a*t", "decay.csv"], "an equation has =="),
        (["a*t", "decay.csv"], "expected an equation"),
        (["y == a*t", "none.csv"], "no such file"),
        (["y == a*exp(k*t)", "decay.csv"], "k needs a start"),
        (["y == a*t", "decay.csv", "b=1"], "no b in the equation"),
        (["y == a*t", "decay.csv", "t=1"], "both a column of the table and a value"),
        (["y == t", "decay.csv"], "nothing to be found"),
        (["q == a*w + 1", "decay.csv"], "no name of the equation is a column"),
        (["y == a*t", "decay.csv", "--fix", "t=1"], "t is both a column"),
        (["y == a*t", "decay.csv", "--fix", "t"], "t is data"),
        (["y == a*t", "decay.csv", "--fix", "q=1"], "no q in the equation"),
        (["y == a*t", "decay.csv", "--within", "q=0:1"], "no q in the equation"),
        (["y == a*t", "decay.csv", "--within", "a=0:1", "--fix", "a=1"], "has limits, and is held"),
        (["y == a*t", "decay.csv", "a=3", "--within", "a=0:1"], "is not between its limits"),
        (["y == a*t", "decay.csv", "--sigma", "a=1"], "a is a parameter"),
        (["y == a*t", "decay.csv", "--sigma", "y=0"], "expected a number that is more than 0"),
        (["y == a*t", "decay.csv", "--sigma", "y=st"], "no column st"),
        (["y == a*t", "decay.csv", "--by", "sit"], "did you mean site"),
        (["y == a*log(t)", "decay.csv"], "in row 1"),
        (
            ["y == a*exp(-k*t)", "decay.csv", "k=2000"],
            "depends on k at the start (a=10.13, k=2000.0): give",
        ),
        (["y == a*b*t", "decay.csv", "a=1", "b=1"], "not determined apart"),
        (["y == a + b", "decay.csv"], "not determined apart"),
        (["y == a*x", "x=[1,2,3]", "y=[1,2]"], "3"),
        (["y == a*x + b + c*x**2", "x=[1,2]", "y=[1,2]"], "2 rows cannot determine 3 parameters"),
        (["y == a*x", "x=[1,2]", "y=[1,2]", "-o", "o.csv"], "there is no table"),
    ],
)
def test_what_cannot_be_is_one_line(dezero, table, words, told):
    outcome = dezero("fit", *words)
    assert outcome.status in (1, 2) and outcome.out == ""
    assert told in outcome.err
    assert sum("error:" in line for line in outcome.err.splitlines()) == 1
    assert "Warning" not in outcome.err


def test_a_near_column_is_said(dezero, table):
    outcome = dezero("fit", "y == a + b*t + site_*sy", "decay.csv")
    assert "site_ is taken for a parameter: did you mean site?" in outcome.err


@pytest.mark.parametrize("most", ["KEPT", "SPOOLED"])
def test_a_table_larger_than_what_is_kept_is_fitted_alike(dezero, table, monkeypatch, most):
    whole = found(dezero("fit", DECAY, "decay.csv", "k=0.3", "--json"))
    monkeypatch.setattr(rows_of, most, 4)
    again = found(dezero("fit", DECAY, "decay.csv", "k=0.3", "--json"))
    assert again == pytest.approx(whole, rel=1e-12)
    with bz2.open("d.csv.bz2", "wb") as file:
        file.write(table.write_csv().encode())
    packed = found(dezero("fit", DECAY, "d.csv.bz2", "k=0.3", "--json"))
    assert packed == pytest.approx(whole, rel=1e-12)


def test_a_full_disk_is_one_line_for_a_pipe_and_nothing_for_a_file(dezero, table, monkeypatch):
    whole = found(dezero("fit", DECAY, "decay.csv", "k=0.3", "--json"))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rows_of, "KEPT", 4)
    monkeypatch.setattr(Spool, "add", full)
    again = found(dezero("fit", DECAY, "decay.csv", "k=0.3", "--json"))
    assert again == pytest.approx(whole, rel=1e-12)
    with pytest.raises(UsageError, match="No space left on device; name a file instead of a pipe"):
        rows_of.RowData(lambda: [{"t": T}], ["t"], rereads=False)


def test_the_band_of_weighed_rows(dezero, table):
    words = [
        "y == a + b*t",
        "decay.csv",
        "--sigma",
        "y=5%",
        "-o",
        "out.csv",
        "--band",
        "prediction",
    ]
    assert dezero("fit", *words).status == 0
    out = pl.read_csv("out.csv")
    weights = 1 / (0.05 * Y)
    design = np.array([np.ones(8), T]) * weights
    covariance = np.linalg.inv(design @ design.T)
    line = np.array([np.ones(8), T])
    sigma = np.sqrt(np.einsum("ir,ij,jr->r", line, covariance, line) + (0.05 * Y) ** 2)
    assert out["sigma"].to_numpy() == pytest.approx(sigma, rel=1e-9)


def test_a_better_start_is_told_and_a_slope_that_is_not_finite_is_named(dezero, here):
    x = np.linspace(0, 6, 40)
    (here / "wave.csv").write_text(
        "x,y\n" + "".join(f"{float(u)!r},{float(np.sin(5 * u))!r}\n" for u in x)
    )
    words = ["y == sin(w*x)", "wave.csv", "w=0.4", "--within", "w=0:8", "--starts", "30"]
    outcome = dezero("fit", *words, "--seed", "3", "--json")
    assert outcome.json["params"]["w"]["value"] == pytest.approx(5, rel=1e-9)
    assert "found a better fit than the start given" in outcome.err
    words = ["y == x*sqrt(abs(w))*(w >= 0) + sqrt(w)", "wave.csv", "w=0"]
    refused = dezero("fit", *words)
    assert refused.status == 2
    assert "the derivative of the model for w is" in refused.err and "in row 1" in refused.err


# ------------------------------------------------------------------- slopes, groups, names, sizes
@pytest.mark.parametrize(
    ("equation", "sigma", "residual", "start"),
    [
        ("y == a + b*t", "t=0.1", lambda p, t, y: (y - p[0] - p[1] * t) / abs(p[1] * 0.1), (9, -1)),
        (
            "log(y) == a + b*t",
            "y=5%",
            lambda p, t, y: (np.log(y) - p[0] - p[1] * t) / 0.05,
            (2, -0.3),
        ),
        (
            "y == a*exp(-b*t)",
            "t=0.05",
            lambda p, t, y: (
                (y - p[0] * np.exp(-p[1] * t)) / abs(0.05 * p[0] * p[1] * np.exp(-p[1] * t))
            ),
            (9, 0.4),
        ),
    ],
)
def test_one_uncertainty_through_a_slope(dezero, table, equation, sigma, residual, start):
    starts = [f"a={start[0]}", f"b={start[1]}"]
    outcome = dezero("fit", equation, "decay.csv", *starts, "--sigma", sigma, "--json")
    assert outcome.status == 0, outcome.err
    expected = optimize.least_squares(residual, start, xtol=1e-15, ftol=1e-15, args=(T, Y))
    params = outcome.json["params"]
    found = [params["a"]["value"], params["b"]["value"]]
    assert found == pytest.approx(expected.x, rel=1e-5)
    assert outcome.json["chi2"] == pytest.approx(2 * expected.cost, rel=1e-8)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_groups_by_a_column_of_the_equation(dezero, here, form):
    frame = pl.DataFrame({"dose": [0, 0, 1, 1], "y": [1.0, 1.1, 3.0, 3.2]})
    (frame.write_csv if form == "csv" else frame.write_parquet)(f"g.{form}")
    outcome = dezero("fit", "y == a + 0*dose", f"g.{form}", "--by", "dose")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [each["by"]["dose"] for each in lines] == ["0", "1"]
    assert [each["params"]["a"]["value"] for each in lines] == pytest.approx([1.05, 3.1])


def test_groups_without_rows_or_without_an_end_are_told(dezero, here):
    pl.DataFrame({"g": [], "x": [], "y": []}).write_csv("h.csv")
    empty = dezero("fit", "y == a + b*x", "h.csv", "--by", "g")
    assert (empty.status, empty.out) == (2, "") and "no group to be fitted" in empty.err
    pl.DataFrame({"g": ["d"] * 3, "x": [1, 1, 1], "y": [1, 2, 3]}).write_csv("u.csv")
    both = ["--sigma", "y=0.1", "--sigma", "x=0.1"]
    outcome = dezero("fit", "y == a + b*x", "u.csv", "--by", "g", *both)
    assert outcome.status == 1
    assert outcome.err.startswith("data: x, y; parameters: a, b\nwarning: g = d: ")


def test_new_columns_have_their_names_whatever_parameters_and_columns_are_called(dezero, here):
    x = np.linspace(-2, 2, 9)
    pl.DataFrame({"x": x, "y": 2 * np.exp(-((x - 0.1) ** 2) / 2)}).write_csv("g.csv")
    bell = "y == fit*exp(-(x - lower)**2/(2*sigma**2))"
    assert dezero("fit", bell, "g.csv", "lower=0", "sigma=1.1", "-o", "1.csv").status == 0
    added = ["fit", "residual", "sigma", "lower", "upper"]
    assert pl.read_csv("1.csv").columns == ["x", "y", *added]
    assert pl.read_csv("1.csv")["fit"].to_list() == pytest.approx(
        pl.read_csv("1.csv")["y"].to_list()
    )
    again = dezero("fit", "y == a + b*x", "1.csv", "-o", "2.csv")
    assert again.err.endswith("has a column fit: rename the new columns with --prefix\n")
    assert dezero("fit", "y == a + b*x", "1.csv", "-o", "2.csv", "--prefix", "n_").status == 0
    assert pl.read_csv("2.csv").columns[7:] == [f"n_{name}" for name in added]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["y == a + b*x", "x=[0,1,2]", "y=[1e154,3e154,5.1e154]"], "left side is too large"),
        (["y == a + b*x", "x=[0,1,2]", "y=[1e-200,3e-200,5.1e-200]"], "left side is too small"),
        (["y == a + b*x", "x=[0,1,1e308]", "y=[1,3,5]"], "derivative for b is too large"),
        (
            ["y == (a*x if x < x0 else b)", "x=[0,1,2,3,4]", "y=[1,2,3,4,4]", "x0=2.5"],
            "no row depends on x0: hold it with --fix x0\n",
        ),
        (
            ["y == a*exp(-k*x) + c", "x=[0,2,4,6,8,10]", "y=[80.3,66.1,56,48.1,42,37]", "k=50"],
            "no row depends on k where the search ended",
        ),
    ],
)
def test_what_no_digit_of_the_data_determines(dezero, words, told):
    outcome = dezero("fit", *words)
    assert outcome.status == 2 and told in outcome.err and "Warning" not in outcome.err


def test_a_slope_of_nothing_is_a_slope_whatever_the_units(dezero):
    words = ["x=[1e-22,2e-22,3e-22,4e-22]", "y=[1,1.1,0.9,1]"]
    outcome = dezero("fit", "y == a + b*x", *words, "--json")
    assert outcome.status == 0, outcome.err
    assert abs(outcome.json["params"]["b"]["value"]) < outcome.json["params"]["b"]["sigma"]


def test_notes_of_a_fit(dezero, here):
    data = ["x=[0,1,2,3]", "y=[5,3,2.8,2.75]"]
    outcome = dezero("fit", "y == a*exp(-k*x) + e", *data, "k=1", "--get", "dof")
    assert "note: e is 2.718281828459045 here; call the parameter otherwise" in outcome.err
    data = ["x=[0,2,4,6,8,10]", "y=[80.3,66.1,56,48.1,42,37]"]
    far = dezero("fit", "y == a*exp(-k*x) + c", *data, "k=60", "--get", "dof")
    assert "note: the rows hardly determine k: its error is" in far.err

"""`--fit`: parameters of a fit with their covariance, in formulas and tables."""

import json
import math
from pathlib import Path

import pytest

from tests.conftest import DATA

FITS = json.loads((DATA / "uncertainty.json").read_text(encoding="utf-8"))["fits"]
LINE = "y1 + y2*(t - 20)"


@pytest.fixture
def fitted(tmp_path):
    """A file as ``dezero fit --json`` prints it, of the GUM's example H.3; and its figures."""
    known = FITS[0]["computed_here"]
    joint = known["correlation"] * known["u_y1"] * known["u_y2"]
    file = tmp_path / "fit.json"
    parameters = {"y1": {"value": known["y1"]}, "y2": {"value": known["y2"]}}
    rows = {
        "y1": {"y1": known["u_y1"] ** 2, "y2": joint},
        "y2": {"y1": joint, "y2": known["u_y2"] ** 2},
    }
    held = {"fixed": {"value": 2.0, "sigma": 0.0}}
    file.write_text(json.dumps({"params": parameters | held, "covariance": rows, "chi2": 1}))
    return str(file), known


def test_the_thermometer_of_h3(dezero, fitted):
    """Printed: -0.1494 with 0.0041 at 30 degrees."""
    file, known = fitted
    found = dezero("eval", LINE, "t=30", "--fit", file, "--json").json
    assert found["value"] == pytest.approx(known["prediction"], rel=1e-14)
    assert found["sigma"] == pytest.approx(known["u_prediction"], rel=1e-9)
    assert list(found["share"]) == ["y1", "y2", "y1,y2"]
    assert dezero("eval", LINE, "t=30", "--fit", file).out.endswith("\n-0.1494 ± 0.0041\n")


def test_more_uncertainties_and_values_of_the_user(dezero, fitted):
    file, known = fitted
    more = dezero("eval", LINE, "t=30", "--fit", file, "--sigma", "t=0.5", "--json").json
    part = 0.5 * known["y2"]
    assert more["sigma"] == pytest.approx(math.hypot(known["u_prediction"], part), rel=1e-9)
    given = dezero("eval", LINE, "t=30", "y2=0", "--fit", file, "--json").json
    assert (given["value"], list(given["share"])) == (known["y1"], ["y1"])
    held = dezero("eval", "y1*fixed", "--fit", file, "--json").json
    assert held["sigma"] == pytest.approx(2 * known["u_y1"]) and list(held["share"]) == ["y1"]
    drawn = dezero(
        "eval", LINE, "t=30", "--fit", file, "--mc", "50000", "--seed", "1", "--json"
    ).json
    assert drawn["mc"]["sigma"] == pytest.approx(known["u_prediction"], rel=0.02)


def test_a_table_through_a_fit(dezero, fitted, tmp_path):
    file, _ = fitted
    (tmp_path / "t.csv").write_text("t\n30\n20\n")
    asked = ["map", LINE, str(tmp_path / "t.csv"), "--fit", file, "--only", "--to", "jsonl"]
    for sigma in ([], ["--sigma", "t=0.5"]):
        rows = map(json.loads, dezero(*asked, *sigma).out.splitlines())
        for t, row in zip((30, 20), rows, strict=True):
            alone = dezero("eval", LINE, f"t={t}", "--fit", file, *sigma, "--json").json
            assert row["value"] == pytest.approx(alone["value"], rel=1e-14)
            assert row["sigma"] == pytest.approx(alone["sigma"], rel=1e-12)


def test_an_equation_through_a_fit(dezero, fitted):
    """The temperature of a correction, by hand: t = 20 + (c - y1)/y2."""
    file, known = fitted
    words = ["solve", f"{LINE} == c", "--for", "t=30", "c=-0.15", "--fit", file]
    found = dezero(*words, "--json").json
    gap = (-0.15 - known["y1"]) / known["y2"]
    assert found["solution"]["t"] == pytest.approx(20 + gap, rel=1e-12)
    slopes = {"y1": -1 / known["y2"], "y2": -gap / known["y2"], "c": 1 / known["y2"]}
    assert found["grad"]["t"] == pytest.approx(slopes, rel=1e-9)
    parts = [slopes[name] * known[f"u_{name}"] for name in ("y1", "y2")]
    joint = 2 * known["correlation"] * parts[0] * parts[1]
    sigma = math.sqrt(parts[0] ** 2 + parts[1] ** 2 + joint)
    assert found["sigma"]["t"] == pytest.approx(sigma, rel=1e-9)
    more = dezero(*words, "--sigma", "c=0.001", "--json").json["sigma"]["t"]
    assert more == pytest.approx(math.hypot(sigma, 0.001 * slopes["c"]), rel=1e-9)
    narrow = json.loads(Path(file).read_text())  # a tenth: the quotient of these has a variance
    for row in narrow["covariance"].values():
        row.update({name: cell / 100 for name, cell in row.items()})
    Path(file).write_text(json.dumps(narrow))
    drawn = dezero(*words, "--mc", "20000", "--seed", "1", "--json").json["mc"]["sigma"]["t"]
    assert drawn == pytest.approx(sigma / 10, rel=0.05)
    needed = dezero("solve", f"{LINE} == 0", "--fit", file)
    assert needed.err == "error: t needs a start: add t=1, or a bracket such as t=0:2\n"


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"params": {"a": 1}}'])
def test_what_is_no_fit(dezero, tmp_path, text):
    (tmp_path / "fit.json").write_text(text)
    table = str(tmp_path / "t.csv")
    Path(table).write_text("t\n1\n")
    for words in (["eval", "a"], ["solve", "a*t == 1", "t=1"], ["map", "a*t", table]):
        outcome = dezero(*words, "--fit", str(tmp_path / "fit.json"))
        assert outcome.status == 2 and "fit.json: " in outcome.err and outcome.err.count("\n") == 1


def test_what_is_said_twice(dezero, fitted):
    outcome = dezero("eval", "y1", "--fit", fitted[0], "--sigma", "y1=0.1")
    assert outcome.err == "error: y1 has an uncertainty from --fit: give y1=VALUE too\n"
    assert dezero("eval", "y1", "--fit", "nothing.json").err.startswith("error: nothing.json: no")

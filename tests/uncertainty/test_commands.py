"""Asked on the command line: what is typed, what is printed, what is refused."""

import json
import math
import re

import numpy as np
import pytest

from dezero_cli.number_format import with_sigma

OHM = ["V/I*sin(phi)", "V=4.999", "I=0.019661", "phi=1.04446"]
SPREAD = ["--sigma", "V=0.0032", "--sigma", "I=9.5e-6", "--sigma", "phi=0.00075"]
FREEDOM = ["--dof", "V=4", "--dof", "I=4", "--dof", "phi=4"]
TOGETHER = ["--corr", "V,I=-0.36", "--corr", "V,phi=0.86", "--corr", "I,phi=-0.65"]


def test_the_text_of_a_result(dezero):
    asked = [
        *OHM,
        *SPREAD,
        *TOGETHER,
        "--order",
        "2",
        "--mc",
        "1000",
        "--seed",
        "1",
        "--dof",
        "V=4",
    ]
    asked += ["--dof", "I=4", "--dof", "phi=4", "--precision", "5"]
    lines = dezero("eval", *asked).out.splitlines()
    labels = [re.split("  | -", line)[0] for line in lines]
    assert labels[:6] == ["value", "d/dV", "d/dI", "d/dphi", "sigma", "share of V"]
    assert labels[6:14] == [
        *("share of I", "share of phi", "share of V,I", "share of V,phi", "share of I,phi"),
        *("dof", "coverage", "expanded"),
    ]
    assert labels[14:16] == ["second order: value", "second order: sigma"]
    assert labels[16:-1] == [
        f"draws: {what}" for what in ("mean", "sigma", "interval", "shortest", "samples", "seed")
    ]
    assert lines[-3].split() == ["draws:", "samples", "1000"]
    assert re.fullmatch(r"219\.8\d ± 0\.\d\d", lines[-1])


def test_the_line_to_be_copied_is_of_the_best_that_was_asked(dezero):
    asked = ["eval", "[a, a**2]", "a=1", "--sigma", "a=0.5"]
    assert dezero(*asked).out.endswith("\na = 1.00 ± 0.50\nvalue_2 = 1.0 ± 1.0\n")
    assert dezero(*asked, "--order", "2").out.endswith("\nvalue_2 = 1.2 ± 1.1\n")
    drawn = dezero(*asked, "--mc", "100000", "--seed", "1").out
    assert drawn.endswith("\na = 1.00 ± 0.50\nvalue_2 = 1.2 ± 1.1\n")
    array = dezero("eval", "2*x", "x=[1,2]", "--sigma", "x=0.05").out
    assert array.endswith("\n[2.00 ± 0.10, 4.00 ± 0.10]\n")


@pytest.mark.parametrize(
    ("value", "sigma", "text"),
    [
        (9.801, 0.02213, "9.801 ± 0.022"),
        (50000838, 31.7, "50000838 ± 32"),
        (50000838, 317, "50000840 ± 320"),
        (5, 9.96, "5 ± 10"),
        (-1e-9, 0.5, "0.00 ± 0.50"),
        (1e20, 3e15, "(1.000000 ± 0.000030)e+20"),
        (-1.5e-20, 2e-22, "(-1.500 ± 0.020)e-20"),
        (1234, 0.0005, "1234.00000 ± 0.00050"),
        (1, 0, "1.0 ± 0.0"),
        (1, 1e-30, "1.0 ± 1e-30"),
        (math.nan, 1, "nan ± 1.0"),
        (1, math.inf, "1.0 ± inf"),
    ],
)
def test_both_numbers_end_at_the_second_digit_of_the_uncertainty(value, sigma, text):
    assert with_sigma(value, sigma) == text


def test_a_percentage_is_of_the_size_of_the_value(dezero, tmp_path):
    for value in (4.0, -4.0):
        found = dezero("eval", "x", f"x={value}", "--sigma", "x=2.5%", "--get", "sigma").out
        assert found == "0.1\n"
    arrays = dezero("eval", "x", "x=[1,-2]", "--sigma", "x=10%", "--json").json
    assert arrays["sigma"] == pytest.approx([0.1, 0.2])
    assert arrays["covariance"] == pytest.approx(np.diag([0.01, 0.04]))
    table = tmp_path / "t.csv"
    table.write_text("x\n1\n-2\n")
    out = dezero("map", "3*x", str(table), "--sigma", "x=10%", "--only").out
    assert [row.split(",")[-1][:6] for row in out.splitlines()] == ["sigma", "0.3000", "0.6000"]


def test_a_batch_answers_as_eval_does(dezero, tmp_path):
    """Keys of a line, and options for all lines, that of the draws too."""
    line = {
        "expr": "V/I*sin(phi)",
        "vars": {"V": 4.999, "I": 0.019661, "phi": 1.04446},
        "sigma": {"V": 0.0032, "I": 9.5e-6, "phi": 0.00075},
        "corr": {"V,I": -0.36, "V,phi": 0.86, "I,phi": -0.65},
        "dof": {"V": 4, "I": 4, "phi": 4},
        "level": 0.9,
        "order": 2,
        "mc": 5000,
        "seed": 3,
    }
    options = [*SPREAD, *TOGETHER, "--order", "2", "--mc", "5000", "--seed", "3", "--level", "0.9"]
    options += FREEDOM
    alone = dezero("eval", *OHM, *options, "--json").json
    file = tmp_path / "lines.jsonl"
    file.write_text(json.dumps(line) + "\n")
    assert dezero("batch", str(file)).json == {"line": 1, **alone}
    file.write_text(f"{OHM[0]} ; {' '.join(OHM[1:])}\n")
    assert dezero("batch", str(file), *options).json == {"line": 1, **alone}
    half = {"expr": "x", "vars": {"x": 1}, "half": {"x": 0.5}, "dist": {"x": "arcsine"}}
    file.write_text(json.dumps(half) + "\n")
    assert dezero("batch", str(file)).json["sigma"] == 0.5 / math.sqrt(2)
    readings = {"expr": "x*y", "vars": {"x": [1, 2, 3], "y": 2}, "sigma": {"x": "mean", "y": "5%"}}
    file.write_text(json.dumps(readings) + "\n")
    found = dezero("batch", str(file)).json
    assert found["value"] == 4 and found["sigma"] == pytest.approx(math.hypot(2 / 3**0.5, 0.2))


def test_lines_that_are_alike_are_answered_together(dezero, tmp_path):
    """Correlations in columns give the bits that each line has by itself."""
    file = tmp_path / "lines.txt"
    options = ["--sigma", "x=0.1", "--sigma", "y=2%", "--corr", "x,y=-0.5"]
    file.write_text("".join(f"x*sin(y) ; x={x} y=0.{x}\n" for x in range(1, 9)))
    together = [json.loads(line) for line in dezero("batch", str(file), *options).out.splitlines()]
    for x, found in enumerate(together, 1):
        alone = dezero("eval", "x*sin(y)", f"x={x}", f"y=0.{x}", *options, "--json").json
        assert found == {"line": x, **alone}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sigma": {"x": 0.1}, "corr": [1]}, '"corr" must be an object of numbers by names'),
        ({"sigma": {"x": 0.1}, "corr": {"x": 1}}, "expected NAME,NAME"),
        ({"sigma": {"x": 0.1}, "corr": {"x,y": "a"}}, '"corr" must be an object of numbers'),
        ({"sigma": {"x": 0.1}, "dist": {"x": 1}}, '"dist" must be an object of distributions'),
        ({"sigma": {"x": 0.1}, "dof": {"x": "1"}}, '"dof" must be an object of numbers by name'),
        ({"sigma": {"x": 0.1}, "order": True}, '"order" must be 1 or 2'),
        ({"sigma": {"x": 0.1}, "mc": []}, '"mc" must be a number of draws'),
        ({"sigma": {"x": 0.1}, "mc": 10**9, "seed": 1}, "takes more than 100,000,000 numbers"),
        ({"sigma": {"x": 0.1}, "mc": 10, "seed": -1}, '"seed" must be a whole number'),
        ({"sigma": {"x": 0.1}, "mc": 10, "seed": 2**64}, '"seed" must be a whole number'),
        ({"sigma": {"x": 0.1}, "level": 1.5}, '"level" must be a number between 0 and 1'),
        ({"sigma": {"x": "two"}}, "no value for two"),
        ({"sigma": {"x": True}}, "not true or false"),
        ({"sigma": {"x": -1}}, "an uncertainty cannot be negative"),
        ({"sigma": {"x": 0.1}, "dof": {"x": -1}}, "degrees of freedom are more than 0"),
        ({"mc": 10}, "--mc needs the inputs' uncertainties"),
    ],
)
def test_keys_of_a_line_that_are_wrong(dezero, tmp_path, keys, message):
    file = tmp_path / "lines.jsonl"
    line = json.dumps({"expr": "x**2", "vars": {"x": 2}, **keys})
    file.write_text(f"{line}\nx ; x=1\n")
    first, second = map(json.loads, dezero("batch", str(file)).out.splitlines())
    assert message in first["error"]["message"] and second["value"] == 1


def test_map_has_correlations_in_every_row(dezero, tmp_path):
    table = tmp_path / "t.csv"
    rows = [(1.5, 2.0, 0.1), (-0.5, 3.0, 0.2), (2.0, 0.0, 0.0)]
    table.write_text("x,y,s\n" + "".join(f"{x},{y},{s}\n" for x, y, s in rows))
    options = ["--sigma", "x=s", "--sigma", "y=5%", "--corr", "x,y=0.7"]
    for formula in ("exp(x)*y", "sqrt(y)*x", "x/(1 + y**2)"):
        out = dezero("map", formula, str(table), *options, "--only", "--to", "jsonl").out
        for (x, y, s), line in zip(rows, out.splitlines(), strict=True):
            alone = dezero("eval", formula, f"x={x}", f"y={y}", f"s={s}", *options, "--json").json
            expected = alone["sigma"]
            assert json.loads(line)["sigma"] == pytest.approx(expected, rel=1e-14), formula
    several = dezero("map", "[a, b]", str(table), "a=x*y", "b=x-y", *options, "--only").out
    assert several.splitlines()[0].endswith("sigma_a,sigma_b")
    refused = dezero("map", "x*y", str(table), "--sigma", "x=s", "--corr", "x,y=0.1")
    assert (refused.status, "y has no uncertainty" in refused.err) == (2, True)
    options[-1] = "x,y=mean"
    assert "which eval takes" in dezero("map", "x*y", str(table), *options).err


def test_an_uncertainty_of_0_in_a_row_leaves_no_nan(dezero, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y,s\n0,2,0\n0,2,1\n")
    out = dezero(
        "map", "sqrt(x) + y", str(table), "--sigma", "x=s", "--sigma", "y=0.5", "--only"
    ).out
    assert [row.split(",")[-1] for row in out.splitlines()] == ["sigma", "0.5", "inf"]


def test_readings(dezero, tmp_path):
    (tmp_path / "r.txt").write_text("1.0\n2.0\n4.0\n")
    asked = ["eval", "2*V", f"V=@{tmp_path / 'r.txt'}", "--sigma", "V=mean"]
    found = dezero(*asked, "--json").json
    assert found["value"] == pytest.approx(14 / 3)
    assert found["sigma"] == pytest.approx(2 * np.std([1, 2, 4], ddof=1) / math.sqrt(3))
    assert found["dof"] == pytest.approx(2)
    assert found["coverage"] == pytest.approx(4.302652729911275)  # tables of Student's t
    named = dezero(*asked, "mean=0.5", "--json").json  # the user's own name comes first
    assert named["sigma"] == [1.0, 1.0, 1.0] and "dof" not in named
    assert dezero(*asked, "--dof", "V=1", "--json").json["dof"] == pytest.approx(1)


def test_readings_that_were_not_taken_together(dezero):
    asked = ["eval", "x*y", "x=[1,2,3]", "y=[1,2]", "--sigma", "x=mean", "--sigma", "y=mean"]
    unequal = dezero(*asked, "--corr", "x,y=mean")
    assert (
        "--corr x,y=mean needs readings that were taken together: x has 3 and y has 2"
        in unequal.err
    )
    assert dezero(*asked).err == ""
    named = dezero("eval", "x*y", "x=1", "y=2", "s=-1", "--sigma", "x=s")
    assert named.err == "error: --sigma x: an uncertainty cannot be negative\n"


def test_nothing_of_numbers_out_of_range_is_a_fault(dezero):
    """Sums of squares overflow where uncertainties, shares and correlations do not."""
    found = dezero("eval", "[x, 2*x]", "x=1e300", "--sigma", "x=2%", "--mc", "10", "--json").json
    assert found["sigma"] == pytest.approx([2e298, 4e298], rel=1e-15)
    assert np.array(found["correlation"]) == pytest.approx(np.ones((2, 2)), rel=1e-15)
    assert found["nonfinite"]["covariance[0][0]"] == "inf"
    tiny = dezero("eval", "1e-200*x", "x=1", "--sigma", "x=1", "--order", "2", "--json").json
    assert tiny["order2"]["sigma"] == tiny["sigma"] == 1e-200
    same = ["eval", "x*0", "x=5", "--sigma", "x=1", "--seed", "1", "--get", "mc.interval"]
    assert dezero(*same, "--mc", "1200000").out == "[0.0,0.0]\n"
    empty = dezero("eval", "x*y", "x=[]", "y=1", "--sigma", "y=1", "--mc", "10")
    assert empty.err == "error: --mc has nothing to draw: an array is empty\n"


def test_many_numbers_have_limits(dezero, tmp_path):
    np.save(tmp_path / "x.npy", np.linspace(1, 2, 1200))
    asked = ["eval", "k*x", f"x=@{tmp_path / 'x.npy'}", "k=2", "--sigma", "k=0.1"]
    found = dezero(*asked, "--json").json
    assert len(found["sigma"]) == 1200 and "covariance" not in found
    assert "--mc draws at most 256 results, here are 1,200" in dezero(*asked, "--mc", "10").err
    np.save(tmp_path / "x.npy", np.ones(8000))
    assert "there is dezero map" in dezero(*asked, "--sigma", "x=0.1").err
    long = dezero(
        "eval", "sum(x)", asked[2], "--sigma", "x=1", "--mc", "3000", "--seed", "1", "--json"
    )
    assert long.json["mc"]["sigma"] == pytest.approx(8000**0.5, rel=0.05)


def test_a_level_alone_is_of_the_normal_distribution(dezero):
    found = dezero("eval", "x", "x=1", "--sigma", "x=2", "--level", "0.9", "--json").json
    assert found["coverage"] == pytest.approx(1.6448536269514722)
    assert found["nonfinite"] == {"dof": "inf"}


def test_budgets(dezero):
    table = dezero("eval", *OHM, *SPREAD, *TOGETHER, *FREEDOM, "--budget").out
    head, *rows, blank, last = table.splitlines()
    assert head.split() == [
        *("input", "estimate", "sigma", "distribution", "dof", "sensitivity", "contribution"),
        "share",
    ]
    assert [row.split()[0] for row in rows] == ["V", "I", "phi", "V,I", "V,phi", "I,phi", "result"]
    assert sum(float(row.split()[-1]) for row in rows[:-1]) == pytest.approx(1, abs=1e-4)
    assert (blank, last) == ("", "219.85 ± 0.30")
    several = dezero(
        "eval", "[x, y*x]", "x=[1,2]", "y=3", "--sigma", "x=5%", "--half", "y=2", "--budget"
    )
    assert [line.split()[0] for line in several.out.splitlines() if line][:5] == [
        *("input", "x[0]", "x[1]", "y", "x")
    ]
    assert "uniform" in several.out


def test_pictures_of_draws(dezero, tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "draws.svg"
    asked = ["eval", "[x, y*x]", "x=1", "y=[1,2]", "--sigma", "x=0.1", "--sigma", "y=0.1"]
    assert dezero(*asked, "--mc", "2000", "--seed", "1", "--plot", str(file)).status == 0
    picture = file.read_text(encoding="utf-8")
    assert picture.startswith("<?xml") and len(picture) > 20_000
    assert "add --mc N" in dezero(*asked, "--plot", str(file)).err
    assert dezero(*asked, "--mc", "2000", "--plot", "draws.bmp").status == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--sigma x=0.1 --corr x,y=0.5", "--corr y: y has no uncertainty: add --sigma y=S"),
        ("--sigma x=0.1 --sigma y=1 --corr x,y=1.5", "--corr x,y: a correlation is from -1 to 1"),
        (
            "--sigma x=0.1 --sigma y=1 --corr x,x=0.5",
            "--corr x,x: x is correlated with itself by 1",
        ),
        ("--sigma x=0.1 --sigma y=1 --corr x=0.5", "--corr: expected NAME,NAME=R, got 'x=0.5'"),
        ("--sigma x=0.1 --sigma y=1 --corr x,y=.1 --corr y,x=.1", "--corr y,x is given twice"),
        ("--sigma x=0.1 --sigma y=1 --corr x,y=mean", "--corr x,y=mean needs readings: add"),
        ("--sigma x=0.1 --sigma y=1 --sigma z=1 --corr x,y=0.5", "--corr x,y: the shapes of x and"),
        ("--sigma x=%", "--sigma x=%: expected a number before %"),
        ("--sigma x=[1,2]%", "--sigma x=[1,2]%: expected a number before %"),
        ("--sigma x=-2%", "--sigma x: an uncertainty cannot be negative"),
        ("--sigma x=0.1,y=0.2", "write --sigma x=0.1 --sigma y=0.2"),
        ("--sigma x=0.1 --sigma x=0.2", "--sigma x is given twice"),
        ("--sigma zz=mean", "--sigma zz: no value for zz"),
        ("--sigma z=mean --sigma x=mean", "--sigma x=mean takes a list of 2 readings"),
        ("--sigma z=[1,2,3]", "--sigma z: shape (3,) differs from the shape of z"),
        ("--sigma x=0.1 --dist x", "--dist: expected NAME=KIND, got 'x'"),
        ("--sigma x=0.1 --dof x=[1,2]", "--dof x=[1,2]: expected one number"),
        ("--sigma x=0.1 --corr x,=0.5", "--corr: expected NAME,NAME=R"),
        ("--sigma x=mean", "--sigma x=mean takes a list of 2 readings or more"),
        ("--sigma x=0.1 --dist x=gauss", "--dist x=gauss: expected one of normal, uniform"),
        ("--sigma x=0.1 --dist x=unifrom", "--dist x=unifrom: did you mean uniform?"),
        ("--sigma x=0.1 --dist x=t", "--dist x=t needs its degrees of freedom, as in t:5"),
        ("--sigma x=0.1 --dist x=t:2", "has no standard deviation"),
        ("--sigma x=0.1 --dist y=uniform", "--dist y: y has no uncertainty: add --sigma y=S"),
        ("--half x=0.1 --dist x=normal", "--half x: a normal has no half width"),
        ("--half x=0.1 --sigma x=1", "x has both --sigma and --half: give one of them"),
        ("--half x=-1", "--half x: an uncertainty cannot be negative"),
        ("--sigma x=0.1 --mc 1", "--mc 1: expected a number of draws"),
        ("--sigma x=0.1 --mc 1.5", "--mc 1.5: expected a number of draws"),
        ("--sigma x=0.1 --mc auto:9", "--mc auto:9: expected a number of draws"),
        ("--mc 100", "--mc needs the inputs' uncertainties: add --sigma NAME=S"),
        ("--order 2", "--order 2 needs the inputs' uncertainties"),
        ("--level 0.9", "--level needs the inputs' uncertainties"),
        ("--seed 2", "--seed is for draws: add --mc N"),
        ("--sigma x=0.1 --dof x=0", "--dof x: degrees of freedom are more than 0"),
        ("--sigma x=0.1 --no-grad", "--no-grad prints only the value"),
        ("--sigma x=0.1 --get mc.mean", "--get mc.mean: the result has value"),
        ("--get order2.sigma", "--get order2 needs the inputs' uncertainties"),
        ("--sigma z=0.1 --mc 100 --dist z=lognormal", "z[1] is not more than 0"),
    ],
)
def test_what_is_typed_wrong(dezero, words, message):
    y = "y=[1,2]" if "shapes" in message else "y=2"
    outcome = dezero("eval", "x*y + sum(z)", "x=1", y, "z=[1,-2]", *words.split())
    assert outcome.status == 2 and outcome.err.startswith("error: ") and message in outcome.err
    assert outcome.err.count("\n") == 1


def test_correlations_that_draws_cannot_have(dezero):
    asked = ["eval", "x*y", "x=1", "y=2", "--sigma", "x=1", "--sigma", "y=1", "--corr", "x,y=0.5"]
    uniform = dezero(*asked, "--dist", "y=uniform", "--mc", "100")
    assert "normal, or t of the same degrees of freedom: x is normal, y is uniform" in uniform.err
    freedom = dezero(*asked, "--dof", "y=3")
    assert "correlated inputs need the same degrees of freedom" in freedom.err
    three = ["eval", "x*y*z", "x=1", "y=2", "z=3"]
    three += [f"--sigma={name}=1" for name in "xyz"]
    impossible = dezero(*three, "--corr=x,y=0.9", "--corr=y,z=0.9", "--corr=x,z=-0.9")
    assert impossible.err == "error: --corr: no inputs can have these correlations all at once\n"


def test_the_solution_of_an_equation_has_correlated_inputs_too(dezero):
    spread = ["--sigma", "a=0.1", "--sigma", "b=5%", "--corr", "a,b=-0.4"]
    solved = dezero("solve", "x**2 == a*b", "--for", "x=1", "a=2", "b=3", *spread, "--json").json
    direct = dezero("eval", "sqrt(a*b)", "a=2", "b=3", *spread, "--json").json
    assert solved["sigma"]["x"] == pytest.approx(direct["sigma"], rel=1e-12)
    assert solved["share"]["x"] == pytest.approx(direct["share"], rel=1e-10)


def test_names_in_backquotes_may_hold_anything(dezero):
    asked = [
        "eval",
        "`a,b`*`c=d`",
        "`a,b`=1",
        "`c=d`=2",
        "--sigma",
        "`a,b`=1",
        "--sigma",
        "`c=d`=1",
    ]
    found = dezero(*asked, "--corr", "`a,b`,`c=d`=1", "--mc", "1000", "--seed", "1", "--json").json
    assert found["sigma"] == 3 and list(found["share"]) == ["a,b", "c=d", "`a,b`,`c=d`"]


def test_a_definition_held_fixed_may_be_uncertain(dezero):
    asked = ["eval", "r*y", "r=2*x", "x=1", "y=2", "--sigma", "r=1"]
    assert "r is a definition: --wrt r takes it for an input" in dezero(*asked).err
    found = dezero(*asked, "--wrt", "r", "--mc", "20000", "--seed", "1", "--json").json
    assert found["sigma"] == 2 and found["mc"]["sigma"] == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize(
    "words",
    [
        ("a*b", "a=2", "b=3", "--sigma", "a=0"),
        ("a - b", "a=1", "b=2", "--sigma", "a=0.1", "--sigma", "b=0.1", "--corr", "a,b=1"),
        ("0*x", "x=1", "--sigma", "x=1"),
        ("x", "x=1e300", "--sigma", "x=1e298"),
        ("x", "x=1e-310", "--sigma", "x=1e-312"),
    ],
)
def test_a_picture_of_draws_that_are_all_the_same_or_of_any_size(dezero, tmp_path, words):
    pytest.importorskip("matplotlib")
    file = tmp_path / "draws.svg"
    found = dezero("eval", *words, "--mc", "500", "--seed", "1", "--plot", str(file))
    assert (found.status, found.err) == (0, "")
    assert "500 draws" in file.read_text(encoding="utf-8")


def test_no_finite_draw_is_no_picture(dezero, tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "draws.svg"
    found = dezero("eval", "log(x)", "x=-10", "--sigma", "x=1", "--mc", "500", "--plot", str(file))
    assert found.status == 2 and not file.exists()
    assert found.err == "error: --plot: no draw has a finite result\n"

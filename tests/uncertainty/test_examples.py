"""Worked examples of the standards, against figures that others computed and printed."""

import json
import math

import pytest

from tests.conftest import DATA

EXAMPLES = {
    each["name"]: each
    for each in json.loads((DATA / "uncertainty.json").read_text(encoding="utf-8"))["examples"]
}
HEAVY = "NIST Uncertainty Machine, A = b c / d"
"""1/x of a normal x has no variance, so draws have none that stays."""


def words(example):
    """The example as words of the command line."""
    found = [example["expr"], *(f"{n}={i['value']!r}" for n, i in example["inputs"].items())]
    for name, each in example["inputs"].items():
        found += ["--sigma", f"{name}={each['u']!r}"]
        if each["dist"] != "normal":
            kind = f"t:{each['dof']}" if each["dist"] == "t" else each["dist"]
            found += ["--dist", f"{name}={kind}"]
        elif "dof" in each:
            found += ["--dof", f"{name}={each['dof']}"]
    for a, b, r in example["correlations"]:
        found += ["--corr", f"{a},{b}={r!r}"]
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_first_and_second_order_and_draws(dezero, name):
    example = EXAMPLES[name]
    wanted = example["computed_here"]
    more = ["--order", "2", "--mc", "200000", "--seed", "1", "--json"]
    found = dezero("eval", *words(example), *more).json
    assert found["value"] == pytest.approx(wanted["value"], rel=1e-11)
    assert found["sigma"] == pytest.approx(wanted["u_first_order"], rel=1e-12, abs=1e-300)
    shares = sum(found["share"].values())
    assert shares == pytest.approx(1 if found["sigma"] else 0, abs=1e-12)
    assert found["order2"]["value"] == pytest.approx(wanted["value_second_order"], rel=1e-11)
    # not of correlated and of other inputs than normal ones, of which the file says nothing
    if (second := wanted["u_second_order_gum_5_1_2"]) is not None:
        assert found["order2"]["sigma"] == pytest.approx(second, rel=1e-10)
    if name == HEAVY:
        return
    drawn, other = found["mc"], wanted["monte_carlo"]
    sigma = other["u"]
    error = sigma * math.sqrt(1 / 200_000 + 1 / other["samples"])
    assert abs(drawn["mean"] - other["value"]) < 4 * error
    assert drawn["sigma"] == pytest.approx(sigma, rel=0.012)
    assert drawn["interval"] == pytest.approx(other["interval_95"], abs=0.03 * sigma)
    lengths = [high - low for low, high in (drawn["shortest"], other["interval_95_shortest"])]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.012)


PRINTED = [
    ("GUM H.1 end gauge", "sigma", 31.71, 2),
    ("GUM H.1 end gauge", "order2.sigma", 33.91115, 5),
    ("GUM H.4 radon, second approach style: ratio", "sigma", 0.0083, 4),
    ("JCGM 101 9.2.3 four rectangular", "sigma", 2.0, 2),
    ("JCGM 101 9.3 mass calibration", "sigma", 0.0539, 4),
    ("JCGM 101 9.3 mass calibration", "order2.sigma", 0.0750, 4),
    ("JCGM 101 9.4 comparison loss, x1 = 0.01", "order2.value", 0.00015, 5),
    ("JCGM 101 9.4 comparison loss, x1 = 0.01", "order2.sigma", 0.000112, 6),
    ("JCGM 101 9.4 comparison loss, x1 = 0, r = 0.9", "order2.sigma", 6.7e-05, 6),
    ("JCGM 101 9.4 comparison loss, x1 = 0.05, r = 0.9", "order2.sigma", 0.000505, 6),
    ("JCGM 102 9.3 magnitude, re = 0.001, r = 0", "sigma", 0.01, 2),
    ("NIST TN 1900 E11 step attenuator", "sigma", 0.0224, 4),
    ("EURACHEM A1 calibration standard", "sigma", 0.835199, 6),
    ("EURACHEM A1 calibration standard", "value", 1002.7, 1),
    ("EURACHEM A3 acid-base titration", "sigma", 0.0001843, 7),
    ("Welch-Satterthwaite", "dof", 12.8, 1),
]


@pytest.mark.parametrize(("name", "place", "printed", "places"), PRINTED)
def test_figures_as_they_are_printed(dezero, name, place, printed, places):
    found = float(dezero("eval", *words(EXAMPLES[name]), "--order", "2", "--get", place).out)
    assert round(found, places) == printed


def test_the_intervals_of_the_mass_calibration(dezero):
    """JCGM 101, table 6: the standard's own is of 1,000,000 draws."""
    asked = [*words(EXAMPLES["JCGM 101 9.3 mass calibration"]), "--mc", "1000000", "--seed", "2"]
    drawn = dezero("eval", *asked, "--json").json["mc"]
    assert drawn["sigma"] == pytest.approx(0.0754, abs=0.0002)
    assert drawn["shortest"] == pytest.approx([1.0834, 1.3825], abs=0.002)


def test_the_logarithm_of_a_uniform(dezero):
    """By integrals: the variance of log(x) on (1 - a, 1 + a)."""
    a = 1 / 1.2
    half, sigma = a, a / math.sqrt(3)

    def moment(power):
        if power == 0:
            return lambda x: x
        return lambda x: x * math.log(x) ** power - power * moment(power - 1)(x)

    mean, square = ((moment(p)(1 + a) - moment(p)(1 - a)) / (2 * a) for p in (1, 2))
    asked = ["eval", "log(x)", "x=1", "--half", f"x={half!r}", "--order", "2", "--json"]
    found = dezero(*asked, "--mc", "300000", "--seed", "1").json
    assert found["sigma"] == pytest.approx(sigma, rel=1e-14)
    q = sigma**2
    assert found["order2"]["sigma"] == pytest.approx(math.sqrt(q + 2.5 * q * q), rel=1e-14)
    assert found["mc"]["sigma"] == pytest.approx(math.sqrt(square - mean**2), rel=0.006)
    assert found["mc"]["mean"] == pytest.approx(mean, abs=0.006)


def test_the_simultaneous_readings_of_h2(dezero):
    readings = EXAMPLES["GUM H.2 X"]["published"]["raw"]
    asked = ["eval", "[R, X, Z]", "R=V/I*cos(phi)", "X=V/I*sin(phi)", "Z=V/I"]
    asked += [f"{name}={values}" for name, values in readings.items()]
    asked += [word for name in readings for word in ("--sigma", f"{name}=mean")]
    found = dezero(*asked, "--corr", "V,I,phi=mean", "--json").json
    assert [round(x, 3) for x in found["value"]] == [127.732, 219.847, 254.26]
    # table H.4 prints 0.071, 0.295 and 0.236: the second is cut, not rounded
    assert [round(x, 4) for x in found["sigma"]] == [0.0711, 0.2956, 0.2363]
    correlation = found["correlation"]
    assert [round(correlation[i][j], 3) for i, j in ((0, 1), (0, 2), (1, 2))] == [
        -0.588,
        -0.485,
        0.993,
    ]
    assert found["dof"] == pytest.approx([4, 4, 4])  # of five readings that were taken together
    alone = dezero(*asked, "--json")
    assert "--corr V,I,phi=mean" in alone.err and alone.json["sigma"] != found["sigma"]


def test_the_expanded_uncertainty_of_h1(dezero):
    """Printed: 93 nm at 99%, of 16 degrees of freedom."""
    freedom = {"ls": 18, "d": 25.6, "da": 50, "theta": 1e9, "dt": 2}
    asked = words(EXAMPLES["GUM H.1 end gauge"])
    for name, number in freedom.items():
        asked += ["--dof", f"{name}={number}"]
    found = dezero("eval", *asked, "--level", "0.99", "--json").json
    assert int(found["dof"]) == 16
    assert round(found["expanded"]) == 93
    assert round(found["coverage"], 2) == 2.92

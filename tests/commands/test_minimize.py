"""`dezero minimize` and `maximize`: what people type, what they read, and what they are told."""

import math

import pytest


def test_what_varies_is_said_and_what_was_found(dezero) -> None:
    parts = dezero("minimize", "(x - a)**2 + y**2", "--for", "x=max(0,pi,1),y", "a=3", "y=1")
    found = dezero("minimize", "(x - a)**2 + y**2", "--for", "x=0", "--for", "y=1", "a=3")
    assert found == parts and found.err == "varies: x, y; held: a\n"
    assert found.out == (
        "value  0.0\nx      3.0\ny      0.0\nd/dx   0.0\nd/dy   0.0\n"
        "minimum: found to the last digits\n"
    )


def test_json(dezero) -> None:
    found = dezero("maximize", "x*y", "x=1", "y=1", "--st", "x + y <= 4", "--json").json
    assert found["at"] == {"x": pytest.approx(2), "y": pytest.approx(2)}
    assert found["active"] == [{"st": "x + y <= 4", "multiplier": pytest.approx(2)}]
    assert (found["kind"], found["converged"]) == ("maximum", True)
    assert set(found) == {
        *("expr", "value", "at", "grad", "active", "kind", "converged", "steps", "message")
    }


MULTIPLIERS = [  # the constraint in its form, and the same with a limit that is a little more
    ("minimize", "x + y", "x*y >= {}", 25, "x=6"),
    ("minimize", "x + y", "{} <= x*y", 25, "x=6"),
    ("minimize", "x + y", "{} <= x*y <= 90", 25, "x=6"),
    ("minimize", "-x - y", "x**2 + y**2 <= {}", 2, "x=0.5"),
    ("minimize", "-x - y", "{} >= x**2 + y**2", 2, "x=0.5"),
    ("maximize", "x + y", "x**2 + y**2 <= {}", 2, "x=0.5"),
    ("maximize", "x + y", "-9 <= x**2 + y**2 < {}", 2, "x=0.5"),
    ("minimize", "x**2 + y**2", "x + 2*y == {}", 3, "x=1"),
    ("minimize", "x**2 + y**2", "{} == x + 2*y", 3, "x=1"),
    ("maximize", "-(x**2) - y**2", "x + 2*y >= {}", 3, "x=1"),
]


@pytest.mark.parametrize(("command", "text", "constraint", "limit", "start"), MULTIPLIERS)
def test_a_multiplier_is_the_slope_of_the_value(
    dezero, command, text, constraint, limit, start
) -> None:
    def run(number):
        words = (start, "y=1.5", "--st", constraint.format(number), "--json")
        return dezero(command, text, *words).json

    step = 1e-4
    slope = (run(limit + step)["value"] - run(limit - step)["value"]) / (2 * step)
    (active,) = run(limit)["active"]
    assert active["multiplier"] == pytest.approx(slope, rel=1e-6)


def test_bounds_have_multipliers_too(dezero) -> None:
    words = ("(x - 3)**2 + y**2", "x=0", "y=1:4", "--within", "x=:2", "--json")
    found = dezero("minimize", *words).json
    assert found["at"] == {"x": 2, "y": 1}
    assert found["active"] == [
        {"st": "y >= 1.0", "multiplier": 2},
        {"st": "x <= 2.0", "multiplier": -2},
    ]


KINDS = [
    ("x**2 + y**2", "x=1", "y=2", "minimum"),
    ("x**2 - y**2", "x=0", "y=0", "saddle"),
    ("(x - y)**2", "x=1", "y=2", "flat"),
    ("x**4 + y**2", "x=1", "y=1", "flat"),
    ("(1e8*x - 1)**2 + (1e-8*y - 1)**2", "x=1", "y=1", "minimum"),
]


@pytest.mark.parametrize(("text", "x", "y", "kind"), KINDS)
def test_the_hessian_tells_what_was_found(dezero, text, x, y, kind) -> None:
    found = dezero("minimize", text, x, y, "--json").json
    assert (found["kind"], found["converged"]) == (kind, kind != "saddle")  # the value has no least


WITHOUT = {  # what is asked, and how it goes on
    "-x**2 x=0": "without end",
    "x**2-y**2 x=1 y=0": "without end",
    "x**3 x=1": "without end",
    "log(x) x=1": "without end",
    "x x=1 y=1 --st y==x**2": "without end",
    "x x=1 y=1 --st y>=x**2 --st y>=0": "without end",
    "-x x=1 y=1 --st y==x**3": "without end",
    "-x*y x=3 y=2 --st x-y<=1": "without end",
    "-x**2 x=1 y=1 --st x==y": "without end",
    "-x**2-y**2 x=1 y=1 --st x+y==3": "without end",
    "exp(-x) x=1": "ever more slowly",
    "1/x x=1": "ever more slowly",
    "exp(-x)+exp(-y) x=1 y=1 --st x==y": "ever more slowly",
    "sum(log(1+exp(-w*x))) x=[1,2,3] --for w=0": "ever more slowly",
}


@pytest.mark.parametrize("words", WITHOUT)
def test_a_value_without_a_least_one_is_no_minimum(dezero, words) -> None:
    found = dezero("minimize", *words.split(" "), "--json")
    if "sum" not in words:
        first, *rest = words.split(" ")
        turned = dezero("maximize", f"-({first})", *rest, "--json")
        assert turned.status == 1 and WITHOUT[words] in turned.json["message"]
    assert (found.status, found.json["converged"]) == (1, False)
    assert WITHOUT[words] in found.json["message"]


IMPOSSIBLE = {  # what cannot be met, where it is missed by least, and by how much there
    "x x=5 --st sin(x)>=2 --within x=0:10": ({"x": 2.5 * math.pi}, "sin(x)>=2 is missed by 1"),
    "x+y x=1 y=1 --st x**2+y**2<=-1": ({"x": 0, "y": 0}, "x**2+y**2<=-1 is missed by 1"),
    "x x=5 --within x=0:10 --st x>=11": ({"x": 10}, "x>=11 is missed by 1"),
    "x**2+y**2 x=0 y=0 --st x+y>=1 --st x+y<=0": ({"x": 0.25, "y": 0.25}, "missed by 0.5"),
}


@pytest.mark.parametrize("words", IMPOSSIBLE)
def test_where_constraints_are_missed_by_least_is_told(dezero, words) -> None:
    outcome = dezero("minimize", *words.split(" "), "--json")
    at, told = IMPOSSIBLE[words]
    assert outcome.status == 1 and outcome.json["message"].endswith(told)
    assert outcome.json["at"] == pytest.approx(at, abs=1e-6)


def test_constraints_without_a_slope_at_the_start_are_met(dezero) -> None:
    words = "x**2+y**2 x=0 y=0 --st x**2+y**2>=1 --json".split(" ")
    found = dezero("minimize", *words).json
    assert found["converged"] and found["value"] == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    ("words", "value"),
    [("cos(x) x=0", -1), ("max(0,5-x)**2 x=0", 0), ("(x-y)**2 x=1 y=5", 0), ("x**4 x=1", 0)],
)
def test_a_least_value_is_found_from_a_maximum_and_on_flat_ground(dezero, words, value) -> None:
    found = dezero("minimize", *words.split(" "), "--json").json
    assert found["converged"] and found["value"] == pytest.approx(value, abs=1e-12)


def test_a_search_does_not_stay_on_a_saddle(dezero) -> None:
    found = dezero("minimize", "(y**2 - 1)**2 + x**2", "x=1", "y=0", "--json").json
    assert (found["value"], found["kind"]) == (pytest.approx(0, abs=1e-20), "minimum")


def test_several_starts(dezero) -> None:
    words = ("x**4 - 3*x**2 + x", "x=1", "--within", "x=-3:3", "--starts", "10")
    found = dezero("minimize", *words, "--json")
    assert found.json["at"]["x"] == pytest.approx(-1.3008395659415772)
    assert "found a better value" in found.err
    assert dezero("minimize", *words, "--seed", "5", "--json").json["value"] == (
        pytest.approx(found.json["value"])
    )


def test_arrays_vary_where_for_names_them(dezero) -> None:
    words = ("sum((x - c)**2)", "--for", "x=[0,0,0]", "c=[1,2,3]", "--st", "sum(x) == 3", "--json")
    found = dezero("minimize", *words).json
    assert found["at"]["x"] == pytest.approx([0, 1, 2])
    assert found["active"][0]["multiplier"] == pytest.approx(-2)


def test_fix_holds_what_would_vary(dezero) -> None:
    found = dezero("minimize", "(x - y)**2 + x**2", "x=1", "--fix", "y=2", "--json")
    assert found.json["at"] == {"x": pytest.approx(1)}


DOMAINS = [
    ("x*log(x)", "x=5", -1 / math.e),
    ("x - 2*sqrt(x - 1)", "x=10", 0),
    ("4*(x**-12 - x**-6)", "x=2", -1),
    ("abs(x - 1)", "x=7", 0),
    ("max(x, -2*x, 0.5*x + 0.1)", "x=7", 0.08),
]


@pytest.mark.parametrize(("text", "x", "value"), DOMAINS)
def test_edges_and_kinks(dezero, text, x, value) -> None:
    found = dezero("minimize", text, x, "--json").json
    assert found["converged"]
    assert found["value"] == pytest.approx(value, abs=1e-12)


FAILING = [
    (["-x", "x=1"], "without end"),
    (["log(x)", "x=-1"], "the value is nan there"),
    (["x", "x=1", "--st", "x >= 1", "--st", "x <= 0"], "no point that meets the constraints"),
]


@pytest.mark.parametrize(("words", "told"), FAILING)
def test_what_does_not_converge_is_status_1(dezero, words, told) -> None:
    found = dezero("minimize", *words, "--json")
    assert found.status == 1
    assert not found.json["converged"]
    assert told in found.err


REFUSED = [
    (["x + y", "x=1"], "no value for y"),
    (["x + y"], "no value for x"),
    (["x", "x=1", "--within", "z=0:1"], "no z in the expression"),
    (["x", "x=1", "--fix", "x"], "nothing varies: x is held: leave out --fix"),
    (["1 + 2"], "nothing varies: no name is in the expression"),
    (["x*y", "y=1"], "no value for x"),
    (["x**2", "x=1:2", "--fix", "x"], "x has limits, and is held by --fix"),
    (["x**2 + y", "--for", "x=1,y=2", "--fix", "y"], "y is named by --for, and is held by --fix"),
    (["x**2 + y**2 == 1", "x=1", "y=1"], "a condition is 1 or 0, and has no slope: give it as"),
    (["x > 1", "x=1"], "a condition is 1 or 0"),
    (["(y - a*x)**2", "a=1", "x=[1,2]", "y=[1,2]"], "an array of 2: sum(...) adds it up"),
    (["w", "--for", "w=[1,2,3]"], "an array of 3"),
    (["sum((y - a)**2)", "a=1", 'y=[1,"nan",2]'], "y has no number in place 2"),
    (["x", "x=1", "--st", "x"], "expected a constraint"),
    (["x", "x=1", "--st", "x = 3"], "write x == 3"),
    (["x*a", "--for", "x=1", "a=2", "--within", "a=0:3"], "a has limits, but is held"),
    (["x", "x=1", "--within", "x=3:1"], "write x=1:3"),
    (["[x, x]", "x=1"], "one value is needed"),
    (["x@x", "x=[1,2]"], "nothing varies: x is an array, which varies with --for x"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_is_wrong_is_said_in_one_line(dezero, words, told) -> None:
    found = dezero("minimize", *words)
    assert found.status == 2
    assert told in found.err.partition("\n")[0]


def test_hundreds_of_unknowns(dezero) -> None:
    start = [float(i % 3) for i in range(250)]
    found = dezero(
        "minimize", "sum((x - 2)**4 + (x - 2)**2) + 3", f"x={start}", "--for", "x", "--json"
    )
    assert found.status == 0, found.err
    assert found.json["value"] == pytest.approx(3, rel=1e-14)
    assert found.json["at"]["x"] == pytest.approx([2.0] * 250, abs=1e-7)

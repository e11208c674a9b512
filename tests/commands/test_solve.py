"""`dezero solve`: what people type, what they read, and what they are told."""

import json
import math
import sys

import pytest

COLEBROOK = "1/sqrt(f) == -2*log10(k/3.7 + 2.51/(Re*sqrt(f)))"


def test_a_start_and_a_bracket(dezero) -> None:
    assert dezero("solve", "cos(x) == x", "x=0.5").out == (
        "x         0.7390851332151607\nresidual  0.0\n"
    )
    assert dezero("solve", "x**3 - 27", "x=1:9", "--get", "solution.x").out == "3.0\n"


def test_json_has_the_derivatives_and_the_uncertainty(dezero) -> None:
    words = ("--for", "f=0.02", "Re=1e5", "k=1e-4", "--sigma", "k=2e-5", "--json")
    found = dezero("solve", COLEBROOK, *words).json
    assert found["equations"] == [COLEBROOK]
    assert found["solution"]["f"] == pytest.approx(0.018513866077471642672, rel=1e-14)
    assert found["converged"]
    assert found["residual"] <= 1e-14
    slope = found["grad"]["f"]["k"]
    assert found["sigma"]["f"] == pytest.approx(abs(slope) * 2e-5, rel=1e-12)
    assert found["share"]["f"] == {"k": pytest.approx(1)}


def test_correlated_uncertainties(dezero) -> None:
    words = ("x + y == a", "x - y == b", "--for", "x=0", "--for", "y=0", "a=3", "b=1", "--json")
    more = ("--sigma", "a=0.3", "--sigma", "b=0.4", "--corr", "a,b=1")
    found = dezero("solve", *words, *more).json
    assert found["sigma"] == {"x": pytest.approx(0.35), "y": pytest.approx(0.05)}


def test_draws(dezero) -> None:
    words = ("x**3 == a", "--for", "x=1", "a=8", "--sigma", "a=0.5", "--mc", "20000", "--seed", "3")
    found = dezero("solve", *words, "--json").json
    assert found["mc"]["mean"]["x"] == pytest.approx(2 - 0.5**2 / 9 / 2**5, abs=2e-3)
    assert found["mc"]["sigma"]["x"] == pytest.approx(0.5 / 12, rel=0.03)
    assert dezero("solve", *words).out.endswith(" ± 0.042\n")


def test_every_root_in_a_range(dezero) -> None:
    found = dezero("solve", "sin(x) == a", "x=0:7", "a=0", "--all", "--json").json
    roots = [each["solution"]["x"] for each in found["solutions"]]
    assert roots == pytest.approx([0, math.pi, 2 * math.pi], abs=1e-15)
    slopes = [each["grad"]["x"]["a"] for each in found["solutions"]]
    assert slopes == pytest.approx([1, -1, 1])
    one = dezero("solve", "sin(x)", "x=0:7", "--all", "--get", "solutions[1].solution.x")
    assert float(one.out) == math.pi
    none = dezero("solve", "x**2 + 1", "x=-1:1", "--all", "--json")
    assert (none.status, none.json["solutions"]) == (1, [])


def test_definitions_and_lists_of_equations(dezero) -> None:
    found = dezero("solve", "[s == 3, x*y == 2]", "s=x+y", "x=0", "y=3", "--json").json
    assert found["solution"] == {"x": pytest.approx(1), "y": pytest.approx(2)}
    assert found["defs"] == {"s": "x+y"}


def test_second_derivatives(dezero) -> None:
    found = dezero("solve", "x**2 == a", "--for", "x=1", "a=4", "--hessian", "--json").json
    assert found["hessian"]["x"]["a"]["a"] == pytest.approx(-1 / 32)


def test_a_formula_file_holds_its_values(dezero, tmp_path) -> None:
    file = tmp_path / "pipe.dz"
    file.write_text(f"Re = 1e5\nk = 1e-4\n{COLEBROOK}\n", encoding="utf-8")
    found = dezero("solve", f"@{file}", "f=0.02", "--json").json
    assert found["solution"]["f"] == pytest.approx(0.018513866077471642672, rel=1e-14)
    assert list(found["grad"]["f"]) == ["k", "Re"]


REFUSED = [
    (["x*y == 2", "x=1", "y=2"], "which of x, y is unknown"),
    (["x*y == 2", "x=1"], "no value for y"),
    (["x + 1"], "x needs a start"),
    (["x + y == 1", "--for", "x=0", "--for", "y=1"], "1 equation for 2 unknowns (x, y)"),
    (["x == 1", "x == 2", "x=0"], "2 equations for 1 unknown (x)"),
    (["cos(x) = x", "x=1"], "write cos(x) == x"),
    (["y = a*2", "a=1"], "write y == a*2"),
    (["y == a*2 if a > 1 else 3", "a=1", "y=1"], "write y == (a*2 if a > 1 else 3)"),
    (["x == 2", "x=3:1"], "write x=1:3"),
    (["x**2 == 4", "x=[1,1]"], "nothing is unknown: x is an array, which varies with --for x"),
    (["x == 2", "x=3", "--fix", "x"], "nothing is unknown: x is held: leave out --fix"),
    (["x == 2", "z=1", "x=0", "--for", "z"], "no z in the equations"),
    (["x == a", "--for", "x=0", "a=1", "--sigma", "x=1"], "x is unknown"),
    (["x == a", "--for", "x=0", "a=1", "--wrt", "b"], "no b in the equations: they use x, a"),
    (["x == 2", "x=1", "--all"], "needs one unknown with a range"),
    (["x == 1 <= 2", "x=1:3"], "'<=' has no place in an equation"),
    (["x <= 2", "x=1:3"], "a condition is 1 or 0, and has no slope: write an equation"),
    (["x == 1 or x == 2", "x=0:3", "--all"], "a condition is 1 or 0"),
    (["x**2 == a", "x=0:5", "a=4", "--fix", "x"], "x has limits, and is held by --fix"),
    (["x*exp(x) == a", "x=-5:5", "a=[1,2]", "--all"], "2 equations for 1 unknown (x)"),
    (["x + y == 3", "x*y == 2", "--for", "x=0,y"], "y needs a start"),
]


def test_a_list_of_equations_is_told_as_its_elements(dezero) -> None:
    words = ["[x + y == 3, f(x, y) == 2]", "f(a,b)=a*b", "--for", "x=0,y=3", "--json"]
    found = dezero("solve", *words)
    assert found.json["equations"] == ["x + y == 3", "f(x, y) == 2"]
    assert sorted(found.json["solution"].values()) == pytest.approx([1, 2])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "x**2==a --for x=-5:5 a=0 --sigma a=0.01",
            "the equations do not determine",
        ),
        ("x+y==a 2*x+2*y==6 --for x=0,y=3 a=3", "the equations do not determine"),
        ("x**2==a --for x=1 a=0 --sigma a=0.01", "x is curved over them, and its sigma larger"),
        ("x**2==a --for x=1 a=0.05 --sigma a=0.1", "x is curved over them, and its sigma larger"),
        ("x**2==a --for x=1 a=1 --sigma a=0.1", ""),
    ],
)
def test_derivatives_that_say_little_are_noted(dezero, words, told) -> None:
    outcome = dezero("solve", *words.split(" "))
    assert outcome.status == 0 and bool(outcome.err) == bool(told) and told in outcome.err


@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_is_wrong_is_said_in_one_line(dezero, words, told) -> None:
    found = dezero("solve", *words)
    assert found.status == 2
    assert told in found.err.partition("\n")[0]
    assert found.out == ""


@pytest.mark.parametrize("text", ["1/x", "x**2 + 1", "exp(x)"])
def test_no_root_is_status_1_with_the_best_point(dezero, text) -> None:
    found = dezero("solve", text, "x=-1:1.5", "--json")
    assert found.status == 1
    assert found.err.startswith("note: ")
    assert not found.json["converged"]
    assert "x" in found.json["solution"]


def test_scipy_is_named_where_it_is_missing(dezero, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    for command in ("solve", "minimize", "maximize"):
        found = dezero(command, "x**2 - 2", "x=1")
        assert found.status == 1
        assert found.err == (
            "error: this needs scipy, which is not installed: python -m pip install scipy\n"
        )


def test_map_adds_the_root_of_every_row(dezero, tmp_path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,y\n1,2\n2,5\n1,nan\n", encoding="utf-8")
    words = ("map", "x*exp(a*x) == y", str(table), "--solve", "x=0:10")
    header, first, *_, last = dezero(*words, "--sigma", "y=0.1").out.splitlines()
    assert header == "a,y,x,d_x_a,d_x_y,sigma_x"
    _, _, x, d_a, d_y, sigma = map(float, first.split(","))
    alone = json.loads(
        dezero("solve", "x*exp(a*x) == y", "--for", "x=1", "a=1", "y=2", "--json").out
    )
    assert x == pytest.approx(alone["solution"]["x"], rel=1e-15)
    assert [d_a, d_y] == pytest.approx([alone["grad"]["x"][n] for n in ("a", "y")], rel=1e-12)
    assert sigma == pytest.approx(0.1 * d_y)
    assert last.split(",")[2].lower() == "nan"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["x*a", "--solve", "x=0:1"], "expected an equation"),
        (["x*a == y", "--solve", "a=0:1"], "a is a column of the table"),
        (["x*a == y", "--solve", "z=0:1"], "no z in the equation"),
        (["x*a == y", "--solve", "x=0:"], "a bracket needs both ends"),
        (["x*a == y", "--solve", "x"], "expected NAME=LO:HI"),
    ],
)
def test_map_refuses(dezero, tmp_path, words, told) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,y\n1,2\n", encoding="utf-8")
    found = dezero("map", words[0], str(table), *words[1:])
    assert found.status == 2
    assert told in found.err


@pytest.mark.parametrize("equation", ["1/x == 0", "1/(1 + x**2) == 0", "1/sqrt(2 + x) == 0"])
def test_what_only_falls_off_has_no_root(dezero, equation) -> None:
    found = dezero("solve", equation, "x=2")
    assert found.status == 1
    assert "no solution found" in found.err

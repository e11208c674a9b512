"""A value that falls off until it is 0 has no root there; a root that is flat is one."""

import pytest

pytestmark = pytest.mark.unmeasured

FALLS = ["exp(-x)", "erfc(x)", "1/cosh(x)**9", "normpdf(x)"]


@pytest.mark.parametrize("formula", FALLS)
@pytest.mark.parametrize("words", [["x=1"], ["x=1:2000"], ["x=0.5:1e6", "--all"]])
def test_what_falls_off_has_no_root(dezero, formula, words):
    outcome = dezero("solve", formula, *words)
    assert outcome.status == 1 and "no " in outcome.err


@pytest.mark.parametrize(
    ("formula", "words", "root"),
    [
        ("x**2", ["x=0:5"], 0.0),
        ("x**100", ["x=1"], 0.0),
        ("max(0, x - 1)", ["x=3"], 1.0),
        ("x*exp(-1/x**2)", ["x=1"], 0.0),
        ("x*exp(-x)", ["x=3"], 0.0),
        ("exp(-x)*(x - 2)", ["x=-5:2000", "--all"], 2.0),
        ("exp(-x**2)*(x - 1)", ["x=-50:50", "--all"], 1.0),
    ],
)
def test_flat_roots_are_found(dezero, formula, words, root):
    place = "solutions[0].solution.x" if "--all" in words else "solution.x"
    outcome = dezero("solve", formula, *words, "--get", place)
    assert (outcome.status, float(outcome.out)) == (0, root)


def test_a_system_that_falls_off_is_not_solved(dezero):
    assert dezero("solve", "exp(-x)", "x*exp(-y)", "x=1", "y=1").status == 1


def test_a_wrong_place_names_those_of_every_solution(dezero):
    outcome = dezero("solve", "x**2 - 4", "x=-5:5", "--all", "--get", "x")
    assert outcome.status == 2 and "solutions[1].solution.x" in outcome.err

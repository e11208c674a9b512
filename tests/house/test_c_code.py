"""The page on C says what the C that is printed now costs, and counts as one counts by hand."""

from pathlib import Path

import pytest

from bench.c_code import FORMULAS, counts, ours

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "c-code.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.title)
def test_the_page_is_current(formula):
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {formula.title} |")]
    cells = [cell.split(" / ")[0].strip() for cell in row.split("|")[2:5]]
    assert cells == [str(count) for count in counts(ours(formula))], "see the page's first line"


def test_the_functions_on_the_page_are_current():
    shown = [formula for formula in FORMULAS if ours(formula) in PAGE]
    assert len(shown) == PAGE.count("#include <math.h>") == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return -x*y;", (1, 0, 1)),
        ("const double t1 = 2.0e-3 - x;  /* a - b */\n  return pow(t1, -2.0)/t1;", (3, 1, 2)),
        ("(*value) = x*(-y + 1) + sin(x);", (4, 1, 1)),
        ("return (x < 1.0 && y >= 2.0 ? -x : log(-y));", (5, 1, 1)),
        ("return x;", (0, 0, 1)),
    ],
)
def test_operations_are_counted_as_by_hand(body, expected):
    assert counts(f"double f(double x, double *y) {{\n  {body}\n}}\n") == expected

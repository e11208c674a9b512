"""The fits of NIST's Statistical Reference Datasets, and what a fit says of itself."""

import json
import math
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from dezero_cli.faults import UsageError
from dezero_cli.language import statements
from dezero_cli.language.equations import equation
from dezero_cli.language.ranges import Limits
from dezero_cli.solving import data, reduced
from dezero_cli.solving.fit import FitTask, fit
from dezero_cli.solving.groups import GroupFits
from dezero_cli.solving.least import Search
from dezero_cli.solving.reduced import solved, triangle
from dezero_cli.solving.rows import spread_name
from dezero_cli.solving.worth import student

DATA = Path(__file__).parents[1] / "data" / "fit"
NONLINEAR = json.loads((DATA / "nist_strd.json").read_text(encoding="utf-8"))["problems"]
LINEAR = json.loads((DATA / "nist_linear.json").read_text(encoding="utf-8"))["problems"]

BEYOND = {"Lanczos1"}
"""Its residuals are 1e-13 of the data, whose own rounding is 1e-16."""


def task(text, block, params, **more):
    block = {name: np.asarray(column, float) for name, column in block.items()}
    columns = [name for name in block if not name.startswith("sigma of")]
    given = statements.given([])
    return FitTask(equation(text, given), columns, params, lambda: [block], **more)


def posed(problem, start=None):
    block = dict(zip(problem["columns"], np.array(problem["data"]).T, strict=True))
    text = f"{problem['response']} == {problem['model']}"
    begin = dict(zip(problem["params"], problem[start], strict=True)) if start else {}
    return task(text, block, problem["params"], start=begin)


def digits(got, wanted):
    wanted = float(wanted)
    return 15.0 if got == wanted else -math.log10(abs(got - wanted) / (abs(wanted) or 1.0))


@pytest.mark.parametrize("start", ["start1", "start2"])
@pytest.mark.parametrize("problem", NONLINEAR, ids=lambda problem: problem["name"])
def test_nonlinear_reference_fits_are_right_to_ten_digits(problem, start):
    found = fit(posed(problem, start))
    assert found.converged
    assert min(map(digits, found.values, problem["exact"])) >= 10
    if problem["name"] not in BEYOND:
        assert min(map(digits, found.sigmas, problem["exact_sd"])) >= 9


@pytest.mark.parametrize("problem", LINEAR, ids=lambda problem: problem["name"])
def test_linear_reference_fits_need_no_start(problem):
    found = fit(posed(problem))
    assert found.message == "linear: solved directly"
    least = 8 if problem["name"] == "Wampler5" else 10
    assert min(map(digits, found.values, problem["exact"])) >= least
    assert min(map(digits, found.sigmas, problem["exact_sd"])) >= 9


def test_an_exact_line_is_exact():
    found = fit(task("y == a + b*x", {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}, ["a", "b"]))
    assert (found.values == [0, 2]).all()
    assert found.chi2 == 0
    assert (found.sigmas == 0).all()


@pytest.mark.parametrize(
    ("model", "params", "words"),
    [
        ("a*b*x", ["a", "b"], "a and b are not determined apart"),
        ("(a + 2*b)*x", ["a", "b"], "only a + 2*b is"),
        ("a*x + b*x + c", ["a", "b", "c"], "a and b are not determined apart: only a + b is"),
        ("a*x + b*(x > 9)", ["a", "b"], "no row depends on b"),
        ("a*x + b*x**2 + c*x**3 + d*x**4 + e", ["a", "b", "c", "d", "e"], "4 rows cannot"),
        ("a*log(x - q)", ["a", "q"], "is nan at the start"),
    ],
)
def test_what_rows_do_not_determine_is_named(model, params, words):
    block = {"x": [1, 2, 3, 4], "y": [2, 4.1, 6, 8]}
    start = dict.fromkeys(params, 2.0)
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        fit(task(f"y == {model}", block, params, start=start))
    assert words in str(caught.value)


def test_what_needs_a_start_is_named_and_linear_parameters_need_none():
    block = {"x": [0, 1, 2, 3, 4], "y": [5, 3.2, 2.2, 1.6, 1.3]}
    with pytest.raises(UsageError, match="k needs a start"):
        fit(task("y == a*exp(-k*x) + c", block, ["a", "k", "c"]))
    found = fit(task("y == a*exp(-k*x) + c", block, ["a", "k", "c"], start={"k": 0.1}))
    assert found.converged
    assert found.starts == [None, 0.1, None]


def test_limits_hold_and_say_so():
    block = {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}
    limits = {"a": Limits(0, 1)}
    found = fit(task("y == a*x + b", block, ["a", "b"], limits=limits))
    assert found.at_limits == ["a"]
    assert found.values[0] == 1
    assert found.values[1] == pytest.approx(2.5, rel=1e-12)
    assert math.isnan(found.sigmas[0])
    inside = fit(task("y == a*x + b", block, ["a", "b"], limits={"a": Limits(0, 10)}))
    assert inside.at_limits == []
    assert inside.values[0] == pytest.approx(2, rel=1e-12)


PEARSON = {
    "x": [0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4],
    "y": [5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5],
}
YORK = {
    spread_name("x"): 1 / np.sqrt([1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1]),
    spread_name("y"): 1 / np.sqrt([1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500]),
}


def test_errors_in_both_axes():
    """Pearson's data with York's weights: York et al. (2004), American Journal of Physics 72."""
    found = fit(task("y == a + b*x", PEARSON | YORK, ["a", "b"], spread=["x", "y"]))
    assert found.converged
    assert not found.scaled
    assert found.values == pytest.approx([5.47991022, -0.480533407], rel=1e-8)
    assert found.chi2_reduced == pytest.approx(1.4832941, rel=1e-7)


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_robust_losses_are_those_of_scipy(loss):
    optimize = pytest.importorskip("scipy.optimize")
    draw = np.random.default_rng(3)
    x = np.linspace(0, 4, 40)
    y = 5 * np.exp(-x) + 1 + 0.1 * draw.standard_normal(40)
    y[::9] += 4
    found = fit(
        task("y == a*exp(-k*x) + c", {"x": x, "y": y}, ["a", "k", "c"], start={"k": 2}, robust=loss)
    )

    def model(x, a, k, c):
        return a * np.exp(-k * x) + c

    tight = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)
    more = {"loss": loss, "method": "trf", "x_scale": "jac", "absolute_sigma": True}
    values, covariance = optimize.curve_fit(
        model, x, y, [5, 1, 1], np.ones(40), **more, **tight, max_nfev=10000
    )
    assert found.converged
    assert found.values == pytest.approx(values, rel=1e-6)
    dof = 40 - 3
    sigmas = np.sqrt(np.diag(covariance) * found.loss / dof)
    assert found.sigmas == pytest.approx(sigmas, rel=1e-4)


@pytest.mark.parametrize("rows", [200, 30_000])
@pytest.mark.parametrize("start", [0.5, 8.0, 1e-3, 40.0])
def test_the_search_ends_alike_whether_scipy_is_needed_or_not(monkeypatch, rows, start):
    x = np.linspace(0, 5, rows)
    y = 3 * np.exp(-1.7 * x) + 0.4 + 0.02 * np.sin(31 * x)
    posed = task("y == a*exp(-k*x) + c", {"x": x, "y": y}, ["a", "k", "c"], start={"k": start})
    found = fit(posed)
    monkeypatch.setattr(Search, "_marched", lambda *_: None)
    other = fit(posed)
    assert found.converged
    assert other.converged
    np.testing.assert_allclose(found.values, other.values, rtol=1e-11)
    np.testing.assert_allclose(found.sigmas, other.sigmas, rtol=1e-9)


def test_a_usual_fit_loads_no_search_of_scipy(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n0,5.1\n1,3.2\n2,2.1\n3,1.6\n4,1.2\n")
    code = (
        "import sys; from dezero_cli.main import run\n"
        "try: run(['fit', 'y == a*exp(-k*x) + c', 't.csv', 'k=0.5', '--get', 'converged'])\n"
        "except SystemExit: pass\n"
        "print('scipy.optimize' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split()[-1] == "False"


def test_many_rows_are_fitted_as_few_are():
    draw = np.random.default_rng(1)
    x = np.linspace(0, 5, 60_000)
    y = 3 * np.exp(-0.7 * x) + 0.5 + 0.01 * draw.standard_normal(x.size)
    asked = task("y == a*exp(-k*x) + c", {"x": x, "y": y}, ["a", "k", "c"], start={"k": 2})
    found = fit(asked)
    parts = [{"x": x[i : i + 7001], "y": y[i : i + 7001]} for i in range(0, x.size, 7001)]
    asked.blocks, asked.threads = (lambda: parts), 2
    again = fit(asked)
    assert found.converged
    assert again.converged
    assert again.values == pytest.approx(found.values, rel=1e-12)
    assert again.sigmas == pytest.approx(found.sigmas, rel=1e-12)
    model = found.values[0] * np.exp(-found.values[1] * x) + found.values[2]
    assert found.chi2 == pytest.approx(np.sum((y - model) ** 2), rel=1e-12)


WAVE = "y == a*exp(-k*x) + b*sin(w*x) + c"
NAMES = ["a", "k", "b", "w", "c"]
START = {"a": 2, "k": 0.5, "b": 1, "w": 1.2, "c": 0}
ROWS = 1_000_000 if os.environ.get("DEZERO_LAWS") else 30_000


def wave_rows(count, seed=1):
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, count)
    y = 3 * np.exp(-0.7 * x) + 2 * np.sin(1.3 * x) + 0.5 + 0.1 * draw.standard_normal(count)
    return {"x": x, "y": y}


def longer_gauss_newton(block, point):
    """Where Gauss and Newton's method ends in extended precision, and the standard deviations."""
    x, y = (np.asarray(block[name], np.longdouble) for name in ("x", "y"))
    at = np.asarray(point, np.longdouble)
    for _ in range(6):
        a, k, b, w, c = at
        falling, sine, cosine = np.exp(-k * x), np.sin(w * x), np.cos(w * x)
        left = y - (a * falling + b * sine + c)
        jacobian = np.stack([falling, -a * x * falling, sine, b * x * cosine, np.ones_like(x)])
        factor = triangle(np.column_stack([jacobian.T, left]))
        at = at + solved(factor[:5, :5], factor[:5, 5])
    inverse = np.linalg.inv(np.asarray(factor[:5, :5], float))
    return at, np.linalg.norm(inverse, axis=1) * float(abs(factor[5, 5])) / math.sqrt(len(x) - 5)


def test_many_rows_are_right_to_ten_digits_beside_extended_precision():
    block = wave_rows(ROWS)
    found = fit(task(WAVE, block, NAMES, start=START))
    values, sigmas = longer_gauss_newton(block, found.values)
    assert min(map(digits, found.values, values)) >= 10
    assert min(map(digits, found.sigmas, sigmas)) >= 9


def test_many_rows_of_columns_that_are_nearly_alike_keep_their_digits():
    x = np.linspace(0, 1, 40_000)
    y = 1 + 2 * (x + 1e4) + np.sin(50 * x)
    found = fit(task("y == a + b*(x + 1e4)", {"x": x, "y": y}, ["a", "b"]))
    middle = np.asarray(x, np.longdouble) + 1e4
    centred = middle - middle.mean()
    slope = np.sum(centred * y) / np.sum(centred**2)
    assert found.values[1] == pytest.approx(float(slope), rel=1e-11)
    assert found.values[0] == pytest.approx(float(np.mean(y) - slope * middle.mean()), rel=1e-9)


def test_memory_does_not_grow_with_the_rows(monkeypatch):
    monkeypatch.setattr(data, "KEPT", 1 << 13)
    monkeypatch.setattr(reduced, "SMALL", 2_000)
    monkeypatch.setattr(reduced, "PORTION", 1 << 10)
    monkeypatch.setattr(reduced, "SHARE", 1 << 11)
    monkeypatch.setattr(data, "EVEN", 1 << 12)

    def peak(blocks):
        made = data.RowData(lambda: (wave_rows(4_000, i) for i in range(blocks)), ["x", "y"])
        asked = task(WAVE, wave_rows(1), NAMES, start=START)
        asked.blocks = made.blocks
        tracemalloc.start()
        found = fit(asked)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.rows == 4_000 * blocks
        return size

    fit(task(WAVE, wave_rows(100), NAMES, start=START))  # what is compiled and imported stays
    assert peak(16) < 1.2 * peak(4)


def test_a_row_that_no_parameter_makes_finite_asks_for_no_start():
    block = {"t": [0.0, 1, 2], "y": [5.0, 3, 2]}
    words = r"not finite in row 1 \(t = 0.0, y = 5.0\), whatever the values of a, c: leave out"
    with pytest.raises(UsageError, match=words):
        fit(task("y == a*log(t) + c", block, ["a", "c"]))


@pytest.mark.parametrize("known", [True, False])
def test_intervals_hold_the_truth_as_often_as_they_say(known):
    count = 2_000 if os.environ.get("DEZERO_LAWS") else 60
    draw = np.random.default_rng(3)
    x = np.tile(np.linspace(0, 5, 8), count)
    block = {"x": x, "y": 4 * x / (1.5 + x) + 0.05 * draw.standard_normal(x.size)}
    if known:
        block[spread_name("y")] = np.full(x.size, 0.05)
    truth = {"a": 4.0, "b": 1.5}
    asked = task("y == a*x/(b + x)", block, ["a", "b"], start=truth)
    asked.spread = ["y"] if known else []
    groups = np.repeat(np.arange(count), 8).astype(object)
    fits = GroupFits(asked, block, groups)
    parts = [fits.fits(part) for part in range(len(fits.parts))]
    every = [each.intervals[..., None] for part in parts for each in part.alone.values()]
    low, high = np.concatenate([*(part.fitted.intervals for part in parts), *every], -1).swapaxes(
        0, 1
    )
    wanted = np.array(list(truth.values()))[:, None]
    assert low.shape == (2, count)
    shares = np.mean((low <= wanted) & (wanted <= high), axis=1)
    # Student's factor is exact where errors are scaled, and wide where they are known
    expected = math.erf(special.stdtrit(6, 0.975) / math.sqrt(2)) if known else 0.95
    assert np.abs(shares - expected).max() < 3 * math.sqrt(expected * (1 - expected) / count)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.683, 0.95, 0.999, 1 - 1e-9])
def test_quantiles_of_many_degrees_of_freedom_are_those_of_scipy(level):
    for dof in (10_000, 12_345, 10**6, 10**9):
        wanted = -special.stdtrit(dof, (1 - level) / 2)
        assert student(level, dof) == pytest.approx(wanted, rel=2e-13)
    assert student(level, 9_999) == pytest.approx(student(level, 10_000), rel=1e-7 * 10)

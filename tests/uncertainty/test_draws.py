"""Draws: of known distributions, the same in any number of threads, intervals from bins."""

import math
import statistics
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from dezero_cli.language.parser import parse
from dezero_cli.uncertainty import blocks, draws, intervals
from dezero_cli.uncertainty.asked import Asked, Distribution, Draws
from dezero_cli.uncertainty.distributions import BLOCK, InputDraws
from dezero_cli.uncertainty.inputs import resolved

NORMAL = statistics.NormalDist()


def sampled(text, values, sigmas, count, level=0.95, threads=2, seed=1, pairs=None, kinds=None):
    asked = Asked(
        {name: np.array(float(s)) for name, s in sigmas.items()},
        correlations=pairs or {},
        distributions=kinds or {},
    )
    given, inputs = resolved(asked, {n: np.array(x, dtype=float) for n, x in values.items()})
    function, _ = blocks.of_expression(parse(text), given, set(inputs.names))
    how = Draws(None, count) if count < 10 else Draws(count)
    return draws.sample(function, InputDraws(inputs, given, seed), how, level, threads)


KINDS = {
    "normal": stats.norm(3, 0.5),
    "uniform": stats.uniform(3 - 0.5 * math.sqrt(3), math.sqrt(3)),
    "triangular": stats.triang(0.5, 3 - 0.5 * math.sqrt(6), math.sqrt(6)),
    "arcsine": stats.arcsine(3 - 0.5 * math.sqrt(2), math.sqrt(2)),
    "lognormal": stats.lognorm(math.sqrt(math.log1p(1 / 36)), 0, 3 / math.sqrt(1 + 1 / 36)),
    "t": stats.t(5, 3, 0.5 * math.sqrt(3 / 5)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_distribution_is_what_it_is_called(kind):
    """By the distance of Kolmogorov and Smirnov from SciPy's; all have mean 3 and sigma 0.5."""
    known = KINDS[kind]
    assert known.mean() == pytest.approx(3) and known.std() == pytest.approx(0.5)
    distribution = Distribution(kind, 5.0 if kind == "t" else math.inf)
    asked = Asked({"x": np.array(0.5)}, distributions={"x": distribution})
    given, inputs = resolved(asked, {"x": np.array(3.0)})
    source = InputDraws(inputs, given, 7)
    column = np.concatenate([source.block(i)["x"].copy() for i in range(3)])
    assert stats.kstest(column, known.cdf).pvalue > 0.001
    found = sampled("x", {"x": 3}, {"x": 0.5}, 100_000, kinds={"x": distribution})
    assert found.means[0] == pytest.approx(3, abs=0.01)
    assert found.sigmas[0] == pytest.approx(0.5, rel=0.02)
    assert found.intervals[0] == pytest.approx(known.ppf([0.025, 0.975]), abs=0.03)


def test_correlated_draws_have_their_correlations():
    pairs = {("x", "y"): 0.8, ("y", "z"): -0.3}
    for freedom in (math.inf, 6.0):
        kind = Distribution("normal") if math.isinf(freedom) else Distribution("t", freedom)
        sigmas = {"x": 1, "y": 2, "z": 0.5}
        found = sampled(
            "[x, y, z]", dict.fromkeys("xyz", 1), sigmas, 300_000, pairs=pairs,
            kinds=dict.fromkeys("xyz", kind),
        )  # fmt: skip
        scale = np.sqrt(np.diagonal(found.covariance))
        correlation = found.covariance / np.outer(scale, scale)
        expected = [[1, 0.8, 0], [0.8, 1, -0.3], [0, -0.3, 1]]
        np.testing.assert_allclose(correlation, expected, atol=0.012)
        np.testing.assert_allclose(scale, [1, 2, 0.5], rtol=0.02)


@pytest.mark.parametrize("count", [1000, 5 * BLOCK + 17, 1_500_000])
def test_threads_change_no_bit(count):
    asked = ("[x*sin(y), x/y]", {"x": 2, "y": 3}, {"x": 0.1, "y": 0.3}, count)
    one, other = (sampled(*asked, threads=threads) for threads in (1, 3))
    for key in ("means", "covariance", "intervals", "shortest"):
        assert vars(one)[key].tobytes() == vars(other)[key].tobytes()
    assert one.samples == count
    assert sampled(*asked, seed=2).means[0] != one.means[0]


def test_moments_are_those_of_all_draws_together():
    """Sums of blocks, beside NumPy on one array of the same draws, far from 0."""
    asked = Asked({"x": np.array(0.01), "y": np.array(0.02)})
    given, inputs = resolved(asked, {"x": np.array(1e6), "y": np.array(2.0)})
    source = InputDraws(inputs, given, 3)
    columns = [{n: c.copy() for n, c in source.block(i).items()} for i in range(5)]
    x, y = (np.concatenate([each[name] for each in columns])[:150_000] for name in "xy")
    found = sampled("[x, x*y]", {"x": 1e6, "y": 2}, {"x": 0.01, "y": 0.02}, 150_000, seed=3)
    size = np.outer([0.01, 2e4], [0.01, 2e4])
    np.testing.assert_allclose(found.covariance / size, np.cov([x, x * y]) / size, atol=1e-9)
    np.testing.assert_allclose(found.means, [x.mean(), (x * y).mean()], rtol=1e-14)
    ordered = np.sort(x)
    held = round(0.95 * 150_000)
    first = (150_000 - held) // 2 - 1
    assert found.intervals[0].tolist() == [ordered[first], ordered[first + held]]
    widths = ordered[held:] - ordered[:-held]
    assert found.shortest[0][1] - found.shortest[0][0] == widths.min()


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99, 0.9999])
@pytest.mark.parametrize(
    "make",
    [
        lambda rng, n: rng.standard_normal(n),
        lambda rng, n: rng.standard_normal(n) ** 2,
        lambda rng, n: -rng.standard_exponential(n),
        lambda rng, n: rng.standard_cauchy(n),
        lambda rng, n: 1 / (1 + 0.3 * rng.standard_normal(n)),
        lambda rng, n: np.cos(rng.uniform(0, np.pi, n)) + 1e9,
        lambda rng, n: np.where(rng.random(n) < 0.02, 1e6, 0) + rng.standard_normal(n),
        lambda rng, n: np.floor(rng.uniform(0, 3, n)),
    ],
)
def test_intervals_from_bins_are_those_of_sorting(make, level):
    """Within a thousandth of the standard deviation; of the shortest, the length."""
    every = make(np.random.default_rng(1), 400_000)
    bins = intervals.bins_of(every[:100_000], level)
    bins.counts += bins.counted(every)
    found = bins.intervals(level, every.min(), every.max())
    if found is None:  # then there is a second pass
        low, high = every.min(), every.max()
        bins = intervals.Bins(low, high + 1e-9 * (high - low))
        bins.counts += bins.counted(every)
        found = bins.intervals(level, low, high)
    ordered = np.sort(every)
    symmetric, _ = intervals.in_sorted(ordered, level)
    allowed = 1e-3 * every.std()
    last = len(every) - 1
    for got, end in zip(found[0], symmetric, strict=True):
        place = np.searchsorted(ordered, end)  # where a draw more or less may take it
        low, high = ordered[[max(place - 2, 0), min(place + 2, last)]]
        assert low - allowed <= got <= high + allowed
    held = round(level * len(every))
    fewer, more = ((ordered[n:] - ordered[:-n]).min() for n in (held - 2, min(held + 2, last)))
    assert fewer - 2 * allowed <= found[1][1] - found[1][0] <= more + 2 * allowed


def test_a_level_far_out_takes_a_second_pass():
    """Ends that the first draws say nothing of: the least and the greatest of all."""
    asked = ("[x**3, y, x]", {"x": 0, "y": 0}, {"x": 1, "y": 1}, 700_000)
    found = sampled(*asked, level=0.9999999)
    kinds = [NORMAL.inv_cdf(1 / 700_000) ** 3, NORMAL.inv_cdf(1 / 700_000)]
    for i, least in enumerate([*kinds, kinds[1]]):
        low, high = found.intervals[i]
        assert 0.4 * least > low > 2 * least and -0.4 * least < high < -2 * least
        size = 1e-3 * found.sigmas[i]
        assert found.shortest[i] == pytest.approx([low, high], abs=size)
    assert found.intervals[0][0] == pytest.approx(found.intervals[2][0] ** 3, rel=1e-3)


def test_the_first_draws_may_all_be_left_out():
    """Bins are then made of what there is, and of nothing where there is nothing."""

    def late(columns):
        x = columns["x"].copy()
        seen.append(x[0])
        return [x if len(seen) > 33 else np.full_like(x, math.nan)]

    asked = Asked({"x": np.array(1.0)})
    given, inputs = resolved(asked, {"x": np.array(5.0)})
    seen = []
    found = draws.sample(late, InputDraws(inputs, given, 1), Draws(40 * BLOCK), threads=1)
    assert found.left_out == 33 * BLOCK and found.means[0] == pytest.approx(5, abs=0.02)
    nothing = draws.sample(
        lambda columns: [np.full_like(columns["x"], math.nan)],
        InputDraws(inputs, given, 1),
        Draws(40 * BLOCK),
    )
    assert nothing.left_out == nothing.samples and np.isnan(nothing.intervals).all()


def test_memory_does_not_grow_with_the_draws():
    peaks = []
    for count in (1_100_000, 3_300_000):
        tracemalloc.start()
        sampled("x*y", {"x": 1, "y": 2}, {"x": 0.1, "y": 0.1}, count, threads=2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.02 * peaks[0]


def test_draws_of_arrays_and_of_what_is_no_program():
    values, sigmas = {"x": [1.0, 2.0, 4.0], "k": 2.0}, {"x": 0.5, "k": 0.1}
    found = sampled("k*x", values, sigmas, 100_000)
    assert found.means == pytest.approx([2, 4, 8], abs=0.02)
    expected = np.outer(values["x"], values["x"]) * 0.01 + np.eye(3) * (4 * 0.25 + 0.01 * 0.25)
    np.testing.assert_allclose(found.covariance, expected, atol=0.03)
    alone = sampled("median(x)", values, {"x": 0.5}, 3000)
    assert alone.means[0] == pytest.approx(2, abs=0.1)
    row = sampled("x @ [[1, 2], [3, 4]] @ x", {"x": [1.0, 1.0]}, {"x": 0.1}, 50_000)
    assert row.means[0] == pytest.approx(10 + 5 * 0.01, abs=0.05)


def test_draws_without_a_finite_result_are_left_out(dezero):
    asked = ["eval", "log(x)", "x=1", "--sigma", "x=0.4", "--mc", "100000", "--seed", "1"]
    found = dezero(*asked, "--json")
    share = NORMAL.cdf(-2.5)
    left_out = int(found.err.split("note: ")[-1].split(" of ")[0].replace(",", ""))
    assert left_out == pytest.approx(share * 100_000, abs=4 * math.sqrt(share * 100_000))
    assert found.json["mc"]["samples"] == 100_000 and math.isfinite(found.json["mc"]["sigma"])
    nothing = dezero("eval", "log(x)", "x=-9", "--sigma", "x=0.1", "--mc", "1000", "--json").json
    assert nothing["mc"]["mean"] is None and nothing["nonfinite"]["mc.interval[0]"] == "nan"


def test_auto_stops_where_the_digits_stand():
    sigma = 1.5
    found = sampled("x", {"x": 0}, {"x": sigma}, 2)
    assert found.settled and found.samples < 10_000_000 and found.samples % BLOCK == 0
    assert found.sigmas[0] == pytest.approx(sigma, abs=0.05)
    more = sampled("x", {"x": 0}, {"x": sigma}, 3)
    assert more.samples > found.samples and more.sigmas[0] == pytest.approx(sigma, abs=0.005)
    end = sigma * NORMAL.inv_cdf(0.975)
    assert more.intervals[0] == pytest.approx([-end, end], abs=0.005)
    assert sampled("x", {"x": 0}, {"x": sigma}, 2, threads=1).samples == found.samples


def test_heavy_tails_are_told(dezero):
    asked = ["eval", "a/c", "a=1", "c=1", "--sigma", "c=0.3", "--mc", "300000", "--seed", "1"]
    assert "of the variance: mean and sigma of the draws may not exist" in dezero(*asked).err


def test_no_llvmlite_no_difference_but_in_time(monkeypatch):
    asked = ("x*y + 1", {"x": 2, "y": 3}, {"x": 0.1, "y": 0.3}, 100_000)
    with_code = sampled(*asked)
    monkeypatch.setattr(blocks.native, "compiled", lambda program: _Plain(program))
    without = sampled(*asked)
    assert without.means == pytest.approx(with_code.means, rel=1e-14)


class _Plain:
    def __init__(self, program):
        self.program = program

    def run(self, columns, threads):
        return self.program.run(columns)


@pytest.mark.parametrize("scale", [1e-200, 1e-307, 1e200, 1e300])
@pytest.mark.parametrize("count", [1, 20_000, 1_500_000])
def test_squares_beyond_numbers_spoil_nothing(scale, count):
    """Draws of a scaled result are the scaled draws: kept, counted in bins, and until they stand.

    `count` of less than ten is `auto` with so many digits.
    """
    plain = sampled("x*y", {"x": 1, "y": 3}, {"x": 0.25, "y": 0.5}, count)
    found = sampled("x*y", {"x": scale, "y": 3}, {"x": 0.25 * scale, "y": 0.5}, count)
    if count >= 10:
        assert found.samples == plain.samples
        assert found.sigmas / scale == pytest.approx(plain.sigmas, rel=1e-9)
        assert found.means / scale == pytest.approx(plain.means, rel=1e-9)
        assert found.intervals / scale == pytest.approx(plain.intervals, rel=1e-5)
        assert found.shortest / scale == pytest.approx(plain.shortest, rel=2e-3)
    exact = math.sqrt((1 + 0.25**2) * (9 + 0.25) - 9)
    assert found.sigmas[0] / scale == pytest.approx(exact, rel=0.02)


def test_where_no_draw_is_finite_none_is_heavy():
    found = sampled("log(x)", {"x": -10}, {"x": 0.1}, 2000)
    assert found.left_out == 2000 and found.heaviest == 0 and math.isnan(found.sigmas[0])

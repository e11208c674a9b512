"""What a picture shows of a function of one value: curves with their gaps, and limits.

A gap is found, not guessed: if values and exact derivatives do not agree, the interval between two
samples is halved again and again.  Across a jump the difference of its ends stays, towards a pole
it grows without bound, and for a continuous function, however steep, it goes to zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

ValueAndSlope = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From n places and the number of each one's interval to values and exact derivatives, (2, n)."""
Ends = tuple[np.ndarray, np.ndarray]
"""Place, value and derivative at the left and at the right ends of intervals, each (3, n)."""

COARSE, FINE = 12, 40
"""Numbers of halvings: up to which a curve is drawn, and after which a gap is judged."""
EARLY, SETTLED = 6, 1.05
"""After how many halvings what is continuous and not steep is seen to be so; and the factor by
which values at a pole grow from there to COARSE, unless they have grown already."""
MOST = 20_000
"""Intervals to look into; if there are more, the samples are too few to tell anything."""
VISIBLE = 1e-3
"""The smallest part of a curve's height that the eye can see."""
FLAT = 1e-9
"""Differences smaller than this part of the values are rounding errors."""
UNRESOLVED = 0.3
"""Neighbours that differ by this part of the height are too far apart to show what is between."""


# ----------------------------------------------------------------------------------------- curves
@dataclass(frozen=True)
class Curve:
    """Places and values in order, with nan between stretches that are not joined.

    `samples` are the finite values sampled; `down` and `up` tell whether the function falls below
    or rises above them without bound, `asymptotes` where it does.
    """

    x: np.ndarray
    y: np.ndarray
    samples: np.ndarray
    down: bool
    up: bool
    asymptotes: np.ndarray

    def length(self) -> float:
        """The length, along x, of the stretches that are drawn."""
        return float(np.diff(self.x)[np.isfinite(self.y[1:] + self.y[:-1])].sum())

    def limits(self, reach: float = 3.0, log: bool = False) -> tuple[float, float]:
        """The least and the greatest value; if unbounded, within `reach` interquartile ranges.

        With `log`, of the logarithms of the values above 0, of which there must be some.
        """
        samples = np.log10(self.samples[self.samples > 0]) if log else self.samples
        low, high = float(samples.min()), float(samples.max())
        fence = fences(samples, reach)
        falls = self.down or (log and bool((self.samples <= 0).any()))
        low, high = max(low, fence[0]) if falls else low, min(high, fence[1]) if self.up else high
        return (10.0**low, 10.0**high) if log else (low, high)


def curve(function: ValueAndSlope, x: np.ndarray, y: np.ndarray, slope: np.ndarray) -> Curve:
    """The curve of samples at increasing places `x`: values `y` with derivatives `slope`.

    Undefined stretches, jumps and poles become gaps of their true width.  A single undefined sample
    is left out: its neighbours show whether there is a gap.
    """
    finite = np.isfinite(y)
    kept = np.ones_like(finite)
    kept[1:-1] = finite[1:-1] | ~finite[:-2] | ~finite[2:]
    samples = np.stack([x, y, slope])[:, kept]
    with np.errstate(all="ignore"):
        between = Intervals(function, (samples[:, :-1], samples[:, 1:]), visible(y[finite]))
        jumps, poles = between.jumps(), between.poles()
        jumps = jumps.only(~np.isin(jumps.interval, poles.interval))  # one gap an interval
        gaps = [jumps, poles, between.edges()]
        down, up = (bool(np.concatenate([getattr(gap, way) for gap in gaps]).any()) for way in WAYS)
    places, values = _with_gaps(samples[:2], gaps)
    values = np.where(np.isfinite(values), values, np.nan)
    far = np.concatenate([gap.asymptotes() for gap in gaps])
    return Curve(places, values, y[finite], down, up, np.sort(far))


def visible(y: np.ndarray) -> float:
    """The least difference of finite values that is visible and not a rounding error."""
    if not len(y):
        return math.inf
    low, high = np.quantile(y, [0.05, 0.95])
    height = high - low or np.ptp(y)
    return float(max(VISIBLE * height, FLAT * np.quantile(np.abs(y), 0.95)))


def fences(y: np.ndarray, reach: float) -> tuple[float, float]:
    """`reach` interquartile ranges below and above the quartiles (Tukey, 1977)."""
    lower, upper = np.quantile(y, [0.25, 0.75])
    return float(lower - reach * (upper - lower)), float(upper + reach * (upper - lower))


def joint_limits(curves: Sequence[Curve], log: bool = False) -> tuple[float, float]:
    """The limits of curves on one axis, from the lowest to the highest; there must be one to show.

    Curves without a value to show are ignored.
    """
    shown = [each for each in curves if (each.samples > 0).any() or (len(each.samples) and not log)]
    every = [each.limits(log=log) for each in shown]
    return min(low for low, _ in every), max(high for _, high in every)


def derivative_limits(derivative: Curve) -> tuple[float, float]:
    """The limits of a derivative; spikes that the samples do not resolve must not flatten the rest.

    So it is at sin(1/x), whose derivative swings without end: they are cut far from the quartiles.
    """
    low, high = derivative.limits(reach=1.0)
    samples = derivative.samples
    far = int(np.abs(samples - np.median(samples)).argmax())
    near = samples[max(far - 1, 0) : far + 2]
    if np.ptp(near) > UNRESOLVED * np.ptp(samples):
        fence = fences(samples, 3.0)
        low, high = max(low, fence[0]), min(high, fence[1])
    return low, high


# ------------------------------------------------------------------------------------------- gaps
WAYS = ("down", "up")


@dataclass(frozen=True)
class Gaps:
    """Where curves are not joined: numbers of intervals, and the ends of the gaps in them.

    `down` and `up` tell whether the values fall or rise without bound towards the gap.
    """

    interval: np.ndarray
    ends: Ends
    down: np.ndarray
    up: np.ndarray

    def asymptotes(self) -> np.ndarray:
        """Where values fall or rise without bound: the middles of such gaps."""
        left, right = (end[0][self.down | self.up] for end in self.ends)
        return np.asarray(left / 2 + right / 2)

    def only(self, chosen: np.ndarray) -> Gaps:
        """Some of the gaps."""
        ends = self.ends[0][:, chosen], self.ends[1][:, chosen]
        return Gaps(self.interval[chosen], ends, self.down[chosen], self.up[chosen])


@dataclass(frozen=True)
class Intervals:
    """Intervals between samples, and the least difference of values that is visible."""

    function: ValueAndSlope
    ends: Ends
    visible: float

    def jumps(self) -> Gaps:
        """Jumps, and poles where the sign changes: the difference of the ends stays or grows.

        Only intervals whose difference the derivatives at the ends do not explain are looked into.
        """
        left, right = self.ends
        before = np.abs(right[1] - left[1])
        smooth = (right[0] - left[0]) * (left[2] / 2 + right[2] / 2)
        accounted = np.abs(right[1] - left[1] - smooth) <= self.visible
        chosen = _few(np.isfinite(before) & (before > self.visible) & ~accounted)

        def leftward(left: np.ndarray, middle: np.ndarray, right: np.ndarray) -> Any:
            nearer, farther = np.abs(middle[1] - left[1]), np.abs(right[1] - middle[1])
            return ~(nearer < np.where(np.isnan(farther), np.inf, farther))

        coarse: Ends | None = None
        for stage in (EARLY, COARSE - EARLY):  # after each, few are still steep
            (coarse,) = self._narrowed(chosen, leftward, (stage,), coarse)
            steep = ~(np.abs(coarse[1][1] - coarse[0][1]) <= before[chosen] / 16)
            chosen, coarse = chosen[steep], (coarse[0][:, steep], coarse[1][:, steep])
        assert coarse is not None
        (fine,) = self._narrowed(chosen, leftward, (FINE - COARSE,), coarse)
        coarsely, finely = (np.abs(right[1] - left[1]) for left, right in (coarse, fine))
        endless = ~(finely <= 2 * coarsely) | ~(finely < 1e9 * self.visible)
        return self._gaps(chosen, coarse, fine, endless).only(~(finely <= before[chosen] / 2))

    def poles(self) -> Gaps:
        """Poles where the sign stays: between ends whose derivatives have opposite signs."""
        left, right = self.ends
        opposite = np.sign(left[2]) * np.sign(right[2]) < 0
        chosen = _few(opposite & np.isfinite(left[1] + right[1]))

        def leftward(left: np.ndarray, middle: np.ndarray, right: np.ndarray) -> Any:
            return np.sign(middle[2]) != np.sign(left[2])

        early, coarse = self._narrowed(chosen, leftward, (EARLY, COARSE - EARLY))
        before, now = (np.abs(self._moves(chosen, e)).sum(axis=0) for e in (early, coarse))
        steepest = np.abs(left[2] * (right[0] - left[0])) + np.abs(right[2] * (right[0] - left[0]))
        going = ~((now <= SETTLED * before) & (now <= steepest[chosen]))
        chosen, coarse = chosen[going], (coarse[0][:, going], coarse[1][:, going])
        (fine,) = self._narrowed(chosen, leftward, (FINE - COARSE,), coarse)
        endless = self._endless(chosen, coarse, fine)
        return self._gaps(chosen, coarse, fine, endless).only(endless)

    def edges(self) -> Gaps:
        """The ends of undefined stretches."""
        defined = np.isfinite(self.ends[0][1])
        chosen = _few(defined != np.isfinite(self.ends[1][1]))
        defined = defined[chosen]

        def leftward(left: np.ndarray, middle: np.ndarray, right: np.ndarray) -> Any:
            return np.isfinite(middle[1]) != defined

        coarse, fine = self._narrowed(chosen, leftward)
        return self._gaps(chosen, coarse, fine, self._endless(chosen, coarse, fine))

    def _narrowed(
        self,
        chosen: np.ndarray,
        leftward: Callable[..., Any],
        stages: Sequence[int] = (COARSE, FINE - COARSE),
        begin: Ends | None = None,
    ) -> list[Ends]:
        """The ends of chosen intervals after each stage, which has so many halvings.

        `leftward` decides from the left end, the middle and the right end which half to keep.  The
        middle is a little off centre: poles are often at round numbers, which it should miss.
        """
        left, right = begin or (self.ends[0][:, chosen], self.ends[1][:, chosen])
        ends = []
        for halvings in stages:
            for _ in range(halvings if len(chosen) else 0):
                place = left[0] + 0.49 * (right[0] - left[0])
                middle = np.stack([place, *self.function(place, chosen)])
                keep = leftward(left, middle, right)
                left, right = np.where(keep, left, middle), np.where(keep, middle, right)
            ends.append((left, right))
        return ends

    def _moves(self, chosen: np.ndarray, ends: Ends) -> np.ndarray:
        """How far the values at the ends have moved, shape (2, n); 0 at an undefined end."""
        moves = np.stack([now[1] - end[1, chosen] for now, end in zip(ends, self.ends)])
        return np.where(np.isnan(moves), 0.0, moves)

    def _endless(self, chosen: np.ndarray, coarse: Ends, fine: Ends) -> np.ndarray:
        """Whether the values keep moving as the ends come closer."""
        coarsely, finely = (np.abs(self._moves(chosen, e)).sum(axis=0) for e in (coarse, fine))
        endless: np.ndarray = (finely > 2 * coarsely) | np.isinf(finely)
        endless &= finely > self.visible
        return endless

    def _gaps(self, chosen: np.ndarray, coarse: Ends, fine: Ends, endless: np.ndarray) -> Gaps:
        moves = self._moves(chosen, fine)
        down, up = (moves < -self.visible).any(axis=0), (moves > self.visible).any(axis=0)
        return Gaps(chosen, coarse, endless & down, endless & up)


def _few(mask: np.ndarray) -> np.ndarray:
    """The numbers of the marked intervals; none if they are too many."""
    chosen = np.flatnonzero(mask)
    return chosen if len(chosen) <= MOST else chosen[:0]


def _with_gaps(samples: np.ndarray, gaps: Sequence[Gaps]) -> tuple[np.ndarray, np.ndarray]:
    """Places and values with those at the ends of each gap, and nan in it."""
    intervals = np.concatenate([gap.interval for gap in gaps])
    order = np.argsort(intervals, kind="stable")
    left, right = (
        np.concatenate([gap.ends[side][:2] for gap in gaps], axis=1)[:, order] for side in (0, 1)
    )
    hole = np.stack([(left[0] + right[0]) / 2, np.full(len(order), np.nan)])
    inserted = np.stack([left, hole, right], axis=-1).reshape(2, -1)
    where = np.repeat(intervals[order] + 1, 3)
    return np.insert(samples[0], where, inserted[0]), np.insert(samples[1], where, inserted[1])

"""Blocks of draws through a function: how the results are distributed (JCGM 101:2008, 7).

A block's draws depend on the seed and its number alone, and blocks are added up in their order, so
that the number of threads changes no bit.  The first draws are kept, and sorted they give the
intervals; where there are more, the first say where to count the others in fine bins, so that
memory does not grow with the draws.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from dezero.programs.native import cores
from dezero.work import spend
from dezero_cli.uncertainty.asked import LEVEL, Draws
from dezero_cli.uncertainty.distributions import InputDraws
from dezero_cli.uncertainty.intervals import Bins, Pair, bins_of, in_sorted

Blocks = Callable[[Mapping[str, np.ndarray]], Sequence[np.ndarray]]
"""Columns of draws by name -> a column for each number of the results; called in any thread."""

KEPT = 1 << 20
"""Numbers of results that are kept as they are."""

MOST_AUTOMATIC = 10**8
"""Draws after which `auto` gives up."""

NOWHERE = ((math.nan, math.nan), (math.nan, math.nan))
"""Intervals of draws that are farther apart than numbers reach."""

FEWEST = 16
"""Blocks that `auto` judges by, at least."""


@dataclass
class Sample:
    """What draws give: for each number of the results its mean, its standard uncertainty and its
    intervals; and the covariance.

    `intervals` are probabilistically symmetric, `shortest` the shortest.  `left_out` draws had a
    result that is not finite; `settled` is false where `auto` gave up.  `heaviest` is the greatest
    part of a variance that a single draw makes.  `histograms` are for a picture: the edges of
    bins, and how many draws are in each.
    """

    means: np.ndarray
    sigmas: np.ndarray
    covariance: np.ndarray
    intervals: np.ndarray
    shortest: np.ndarray
    samples: int
    seed: int
    left_out: int
    settled: bool
    heaviest: float
    histograms: list[tuple[np.ndarray, np.ndarray]]


def sample(
    blocks: Blocks,
    source: InputDraws,
    draws: Draws,
    level: float = LEVEL,
    threads: int | None = None,
    work: int = 1,
) -> Sample:
    """Draw from the source, and send the draws through a function of blocks.

    `draws` says how many; `level` is what share the intervals hold, `work` how many numbers each
    draw makes, for those who allow only so many.
    """
    return _Run(blocks, source, draws, level, threads or cores(), work).sample()


@dataclass
class _Part:
    """What one block gives: its sums, and its results or how many of them are in each bin.

    `products` are the sums of products of the distances from the means, `ends` the ends of the
    symmetric intervals.
    """

    rows: int
    means: np.ndarray
    products: np.ndarray
    extremes: np.ndarray
    ends: np.ndarray
    results: np.ndarray
    counts: list[np.ndarray] = field(default_factory=list)


class _Total:
    """The sums of blocks, added one after another."""

    def __init__(self, part: _Part) -> None:
        self.rows = part.rows
        self.means = part.means.copy()
        self.products = part.products.copy()
        self.extremes = part.extremes.copy()

    def add(self, part: _Part) -> None:
        """Add a block (Chan, Golub and LeVeque, 1979)."""
        rows = self.rows + part.rows
        if not part.rows:
            return
        distance = part.means - self.means
        outer = distance[:, np.newaxis] * distance
        self.products += part.products + outer * (self.rows * part.rows / rows)
        self.means += distance * (part.rows / rows)
        np.minimum(self.extremes[0], part.extremes[0], out=self.extremes[0])
        np.maximum(self.extremes[1], part.extremes[1], out=self.extremes[1])
        self.rows = rows


class _Run:
    """One run of draws, and what has been added up so far."""

    def __init__(
        self,
        blocks: Blocks,
        source: InputDraws,
        draws: Draws,
        level: float,
        threads: int,
        work: int,
    ) -> None:
        self.blocks = blocks
        self.source = source
        self.digits = draws.digits if draws.count is None else None
        self.count = MOST_AUTOMATIC if draws.count is None else draws.count
        self.level = level
        self.threads = threads
        self.work = work
        self.bins: list[Bins] = []
        self.kept: list[np.ndarray] = []
        self.drawn = 0
        self.units = np.ones(())

    def sample(self) -> Sample:
        """Do all blocks in order, the first of which are kept; then say what they give."""
        last = -(-self.count // self.source.rows)
        if self.digits is None:
            spend(self.count * self.work)
        begin = self._finite(0)
        self.units = _units(begin)
        self.judge = _Judge(self.digits or 0, self.units)
        first = self._summed(begin / self.units[:, np.newaxis])
        self.total = _Total(first)
        self._take(first)
        kept = min(last, max(1, KEPT // (self.source.rows * max(len(first.means), 1))))
        settled = self._take_all(1, kept)
        if not settled and kept < last:
            self._bin()
            settled = self._take_all(kept, last)
        return self._result(settled or self.digits is None)

    def _take_all(self, begin: int, end: int) -> bool:
        """Take blocks until `auto` has enough; whether it has."""
        for part in self._in_order(begin, end):
            self._take(part)
            if self.digits is not None and self.judge.has_settled():
                return True
        return False

    def _take(self, part: _Part) -> None:
        number = self.drawn // self.source.rows
        self.drawn += min(self.source.rows, self.count - number * self.source.rows)
        if number:
            self.total.add(part)
        for bins, counts in zip(self.bins, part.counts, strict=False):
            bins.counts += counts
        if not self.bins:
            self.kept.append(part.results)
        if self.digits is not None:
            self.judge.add(part)

    def _in_order(self, begin: int, end: int) -> Iterator[_Part]:
        """The blocks one after another; some threads work ahead."""
        if self.threads < 2 or end - begin < 2:
            for number in range(begin, end):
                self._spend()
                yield self._part(number)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque[Future[_Part]] = deque()
            try:
                for number in range(begin, end):
                    self._spend()
                    waiting.append(pool.submit(self._part, number))
                    if len(waiting) >= 2 * self.threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _spend(self) -> None:
        """Count the numbers of a block, where nobody knows how many blocks there will be."""
        if self.digits is not None:
            spend(self.source.rows * self.work)

    def _part(self, number: int) -> _Part:
        """Draw a block, send it through the function, and add it up."""
        return self._summed(self._finite(number))

    def _finite(self, number: int) -> np.ndarray:
        """The results of a block's draws, a row a number, without those that are not finite.

        Once the units are known, the results are in these.
        """
        rows = min(self.source.rows, self.count - number * self.source.rows)
        with np.errstate(all="ignore"):
            found = self.blocks(self.source.block(number, rows))
        results = np.array(found, dtype=np.float64).reshape(len(found), rows)
        if (self.units != 1.0).any():
            results /= self.units[:, np.newaxis]
        finite = np.isfinite(results).all(axis=0)
        return results if finite.all() else results[:, finite]

    def _summed(self, results: np.ndarray) -> _Part:
        with np.errstate(all="ignore"):
            return self._sums(results)

    def _sums(self, results: np.ndarray) -> _Part:
        size, rows = results.shape
        if not rows:
            extremes = np.array([np.full(size, math.inf), np.full(size, -math.inf)])
            nothing = np.zeros((size, size))
            return _Part(0, np.zeros(size), nothing, extremes, extremes, results)
        means = results.mean(axis=1)
        distances = results - means[:, np.newaxis]
        if size == 1:
            products = np.square(distances).sum(axis=1)[:, np.newaxis]
        else:
            products = np.einsum("ir,jr->ij", distances, distances)
        extremes = np.array([results.min(axis=1), results.max(axis=1)])
        ends = extremes if self.digits is None else _ends(results, self.level)
        part = _Part(rows, means, products, extremes, ends, results)
        if self.bins:
            counts = [b.counted(row) for b, row in zip(self.bins, results, strict=True)]
            part.counts, part.results = counts, results[:, :0]
        return part

    def _bin(self) -> None:
        """From now on count the draws; begin with those that were kept."""
        for row in np.concatenate(self.kept, axis=1):
            bins = bins_of(row, self.level)
            bins.counts += bins.counted(row)
            self.bins.append(bins)

    def _result(self, settled: bool) -> Sample:
        total = self.total
        kept = np.concatenate(self.kept, axis=1)
        pairs = np.array([self._intervals(i, row) for i, row in enumerate(kept)])
        intervals = pairs * self.units[:, np.newaxis, np.newaxis]
        with np.errstate(all="ignore"):
            covariance = np.divide(total.products, total.rows - 1)
            if total.rows < 2:
                covariance = np.full_like(total.products, math.nan)
            sigmas = np.sqrt(np.diagonal(covariance)) * self.units
            covariance = covariance * self.units * self.units[:, np.newaxis]
        return Sample(
            total.means * self.units if total.rows else np.full_like(total.means, math.nan),
            sigmas,
            covariance,
            intervals[:, 0],
            intervals[:, 1],
            self.drawn,
            self.source.seed,
            self.drawn - total.rows,
            settled,
            self._heaviest(),
            [self._histogram(i, row) for i, row in enumerate(kept)],
        )

    def _heaviest(self) -> float:
        """The greatest part that the farthest draw makes of a sum of squares."""
        if not self.total.rows:
            return 0.0
        with np.errstate(all="ignore"):
            squares = np.square(self.total.extremes - self.total.means).max(axis=0)
            return float(np.nanmax(squares / np.diagonal(self.total.products), initial=0.0))

    def _histogram(self, i: int, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bins = self.bins[i] if self.bins else bins_of(kept, self.level)
        if not self.bins:
            bins.counts += bins.counted(kept)
        return bins.edges * self.units[i], bins.counts[1:-1]

    def _intervals(self, i: int, kept: np.ndarray) -> tuple[Pair, Pair]:
        """The intervals of one number of the results."""
        if not self.bins or not self.total.rows:
            return in_sorted(np.sort(kept), self.level)
        least, most = self.total.extremes[:, i].tolist()
        found = self.bins[i].intervals(self.level, least, most)
        return found or self._counted_again(i, least, most)

    def _counted_again(self, i: int, least: float, most: float) -> tuple[Pair, Pair]:
        """The intervals by a second pass of the same draws, in bins from the least to the most."""
        bins = Bins(least, most + 1e-9 * (most - least))
        for number in range(-(-self.drawn // self.source.rows)):
            bins.counts += bins.counted(self._finite(number)[i])
        return bins.intervals(self.level, least, most) or NOWHERE


def _units(results: np.ndarray) -> np.ndarray:
    """The unit of each number of the results: a power of two, so that dividing rounds nothing.

    It is 1 but for numbers whose squares may be too large or too small to be numbers.
    """
    sizes = np.abs(results).max(axis=1, initial=0.0)
    _, exponents = np.frexp(sizes)
    exponents = np.where(np.abs(exponents) > 300, np.clip(exponents, -1000, 1000), 0)
    return np.asarray(np.ldexp(1.0, exponents))


def _ends(results: np.ndarray, level: float) -> np.ndarray:
    """The ends of the symmetric interval of each number."""
    rows = results.shape[1]
    low = min(int((1 - level) / 2 * rows), rows - 1)
    parted = np.partition(results, (low, rows - 1 - low), axis=1)
    return np.array([parted[:, low], parted[:, rows - 1 - low]])


class _Judge:
    """Whether the digits asked for stand (JCGM 101:2008, 7.9.4).

    Blocks give means, standard deviations and ends of intervals; each average over the blocks has
    a standard deviation, twice which is to be less than half of the last digit of sigma.
    """

    def __init__(self, digits: int, units: np.ndarray) -> None:
        self.digits = digits
        self.units = units
        self.rows: list[np.ndarray] = []

    def add(self, part: _Part) -> None:
        """Add a block."""
        if part.rows < 2:
            return
        sigmas = np.sqrt(np.diagonal(part.products) / (part.rows - 1))
        self.rows.append(np.array([sigmas, part.means, *part.ends]))

    def has_settled(self) -> bool:
        """Whether the blocks so far are enough."""
        if len(self.rows) < FEWEST:
            return False
        every = np.array(self.rows)
        with np.errstate(all="ignore"):
            spread = every.std(axis=0, ddof=1) / math.sqrt(len(every))
            sigmas = every[:, 0].mean(axis=0)
            unit = 10.0 ** (np.floor(np.log10(sigmas * self.units)) - (self.digits - 1))
            unit /= self.units
            return bool(np.where(sigmas > 0, 2 * spread <= unit / 2, True).all())

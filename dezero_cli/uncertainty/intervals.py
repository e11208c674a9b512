"""Draws -> the intervals that hold a share of them: symmetric in probability, and the shortest.

From sorted draws as JCGM 101:2008, 7.7 has it; from counts in fine bins where there are too many
draws to keep, to within a bin, which is 10^-3 of the standard deviation or less.
"""

from __future__ import annotations

import numpy as np

BINS = 1 << 17
"""Bins in which draws are counted."""

TINY = 1e-290
"""The least width of all bins together."""

Pair = tuple[float, float]


def in_sorted(draws: np.ndarray, level: float) -> tuple[Pair, Pair]:
    """The symmetric and the shortest interval of draws in order; nan without draws."""
    count = len(draws)
    if not count:
        return (np.nan, np.nan), (np.nan, np.nan)
    held = min(max(int(level * count + 0.5), 1), count - 1)
    first = max((count - held + 1) // 2 - 1, 0)
    widths = draws[held:] - draws[: count - held]
    least = int(np.argmin(widths)) if len(widths) else 0
    last = count - 1
    return (
        (float(draws[first]), float(draws[min(first + held, last)])),
        (float(draws[least]), float(draws[min(least + held, last)])),
    )


class Bins:
    """Draws counted in bins of one width; those beyond on either side in one more bin each."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.high = max(high, low + 1e-12 * abs(low), low + TINY)
        self.scale = BINS / (self.high - self.low)
        self.counts = np.zeros(BINS + 2, dtype=np.int64)

    @property
    def edges(self) -> np.ndarray:
        """The edges of the bins, but for the two beyond."""
        return np.linspace(self.low, self.high, BINS + 1)

    def counted(self, draws: np.ndarray) -> np.ndarray:
        """How many of the draws are in each bin."""
        places = draws - self.low
        places *= self.scale
        places += 1.0
        np.clip(places, 0.0, BINS + 1.0, out=places)
        return np.bincount(places.astype(np.int32), minlength=BINS + 2)

    def intervals(self, level: float, least: float, most: float) -> tuple[Pair, Pair] | None:
        """Both intervals of what was counted, which lies between `least` and `most`.

        None where an end is not in a bin, but beyond them.
        """
        total = int(self.counts.sum())
        below = np.cumsum(self.counts)[:-1]  # at each edge
        held = level * total
        ends = np.array([(total - held) / 2, (total + held) / 2])
        starts = np.append(below[below <= total - held], total - held)
        if ends[0] < below[0] or ends[1] > below[-1] or below[0] == below[-1]:
            return None
        filled = np.concatenate(([False], below[1:] > below[:-1], [False]))
        around = filled[1:] | filled[:-1]  # the edges of bins with anything in them
        counts, places = below[around], self.edges[around]
        lows = np.interp(starts, counts, places)
        widths = np.interp(starts + held, counts, places) - lows
        inside = starts + held <= below[-1]
        best = int(np.argmin(np.where(inside, widths, np.inf)))
        beyond = (best == 0 and self.low > least) or (
            best >= int(inside.sum()) - 1 and self.high < most
        )
        if beyond:
            return None
        shortest = [lows[best], lows[best] + widths[best]]
        found = np.clip([np.interp(ends, counts, places), shortest], least, most)
        (low, high), (begin, end) = found.tolist()
        return (low, high), (begin, end)


def bins_of(draws: np.ndarray, level: float) -> Bins:
    """Bins for draws like these, of which there will be many more.

    They reach as far beyond the middle as the intervals may, and no farther than the draws do, so
    that a few draws far away make no bin wider.
    """
    if not len(draws):
        return Bins(0.0, 1.0)
    tail = (1.0 - level) / 20
    low, high = np.quantile(draws, [tail, 1.0 - tail]).tolist()
    least, most = float(draws.min()), float(draws.max())
    width = high - low
    margin = 0.2 * (min(most, high + width) - max(least, low - width))
    return Bins(max(least - margin, low - width), min(most + margin, high + width))

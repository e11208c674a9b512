"""Every root of one equation in a range: a grid that follows the curve, then each cell."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.solving import roots
from dezero_cli.solving.functions import Array
from dezero_cli.solving.roots import ROOT, Residual, Root

CELLS, MOST_CELLS, ROUNDS = 2000, 200_000, 24
MOST_CHANGES = 20_000
"""Cells that may have a root each; more take minutes."""
FOLLOWED = 0.02
"""How far the curve may be from a cubic with its ends' slopes, beside its values in the cell."""
LOW = 0.2
"""How low a turn is, beside what is around it, that may reach 0 where a cubic follows the curve."""
MOST_FLAT = 200
"""Cells in a round whose rounding is looked at."""
SMALL = 1e-7
"""How small values are beside the largest where they may be rounding alone."""


class Grid(NamedTuple):
    """Points of a range in order, with the residual and its slope there.

    `flat` are cells, by their left ends, in which the residual is within its rounding; `followed`
    tells whether the curve is that of the cubics through the points.
    """

    xs: Array
    fs: Array
    slopes: Array
    flat: Array
    followed: bool


class Roots(NamedTuple):
    """Roots in order, and whether the curve was followed everywhere."""

    roots: list[Root]
    followed: bool


def roots_between(curve: Residual, low: float, high: float) -> Roots:
    """Every root in a range, in order.

    A grid is halved where the curve leaves the cubics through its values and slopes, and has the
    turns of these as further points.  In each cell a change of sign is a root, a pole or a jump,
    and a turn towards 0 may hide two roots or a double one.  Raises ValuesError if there may be
    more roots than MOST_CHANGES.
    """
    grid = _with_turns(curve, _followed(curve, low, high))
    zeros = grid.xs[_alone(grid.fs == 0)]
    found = [Root(float(x), 0.0, ROOT, curve.steps) for x in zeros if not curve.fades(float(x))]
    xs, fs, slopes, *_ = _beside_zeros(curve, grid)
    cells = _interesting(fs, slopes)
    cells = cells[~np.isin(xs[cells], grid.flat)]
    if len(cells) > MOST_CHANGES:
        fault = f"more than {MOST_CHANGES:,} changes of sign in the range: give a shorter one"
        raise ValuesError(fault)
    for i in cells.tolist():
        found += _in_cell(curve, float(xs[i]), float(xs[i + 1]), fs[i : i + 2], (low, high))
    found += _in_flat_cells(curve, grid)
    for end in (0, -1):
        x, f = float(grid.xs[end]), float(grid.fs[end])
        if f != 0 and math.isfinite(f) and roots.is_zero_at_end(curve, x, (high, low)[end], 2):
            found.append(Root(x, abs(f), ROOT, curve.steps))
    return Roots(_distinct(curve, [each for each in found if each.found]), grid.followed)


def _with_turns(curve: Residual, grid: Grid) -> Grid:
    """The grid with the points at which the cubics between its points turn."""
    xs, fs, slopes = grid.xs, grid.fs, grid.slopes
    widths = np.diff(xs)
    with np.errstate(all="ignore"):
        left, right, rise = slopes[:-1] * widths, slopes[1:] * widths, np.diff(fs)
        a, b = 3 * (left + right - 2 * rise), 2 * (3 * rise - 2 * left - right)
        root = np.sqrt(b * b - 4 * a * left)
        half = -(b + np.copysign(root, b)) / 2
        parts = np.stack([half / a, left / half])
        wanted = (parts > 1e-3) & (parts < 1 - 1e-3)
        wanted &= ~np.isin(xs[:-1], grid.flat)
        new = np.unique((xs[:-1] + parts * widths)[wanted])
        new = new[~np.isin(new, xs)]
        if not new.size:
            return grid
    return _with_points(curve, grid, new)


def _with_points(curve: Residual, grid: Grid, new: Array) -> Grid:
    """The grid with further points, in order."""
    with np.errstate(all="ignore"):
        values, gradients = curve.sampled(new)
    places = np.searchsorted(grid.xs, new)
    return grid._replace(
        xs=np.insert(grid.xs, places, new),
        fs=np.insert(grid.fs, places, values),
        slopes=np.insert(grid.slopes, places, gradients),
    )


def _beside_zeros(curve: Residual, grid: Grid) -> Grid:
    """The grid with points close to both sides of its zeros, from which cells can be looked at."""
    xs, fs = grid.xs, grid.fs
    zeros = np.flatnonzero(_alone(fs == 0))
    new = []
    for i in zeros.tolist() if zeros.size <= MOST_CHANGES else ():
        reach = min(2 * _reach(curve, float(xs[i])), 1e300)
        for j in (i - 1, i + 1):
            if 0 <= j < len(xs) and fs[j] != 0:
                width = abs(float(xs[j] - xs[i]))
                step = max(reach, 1e-9 * width)
                if step < width / 2:
                    new.append(float(xs[i]) + math.copysign(step, j - i))
    return _with_points(curve, grid, np.unique(new)) if new else grid


def _in_flat_cells(curve: Residual, grid: Grid) -> list[Root]:
    """A root of high order in each run of cells in which the residual is within its rounding."""
    places = np.sort(np.searchsorted(grid.xs, grid.flat))
    found = []
    for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if places.size else []:
        a, b = float(grid.xs[run[0]]), float(grid.xs[min(run[-1] + 1, len(grid.xs) - 1)])
        x = _turn(curve, a, b) if curve.slope(a) * curve.slope(b) < 0 else a / 2 + b / 2
        if not curve.fades(x):
            found.append(Root(x, abs(curve.value(x)), ROOT, curve.steps))
    return found


def _alone(zero: Array) -> Array:
    """The zeros of a grid; of those that fill a range, the first and the last."""
    inner = zero.copy()
    inner[1:-1] &= zero[:-2] & zero[2:]
    inner[[0, -1]] = False
    return np.asarray(zero & ~inner)


def best_between(curve: Residual, low: float, high: float) -> float:
    """The point of a grid with the least residual."""
    xs = _grid(low, high)
    sizes = np.abs(curve.sampled(xs)[0])
    return float(xs[int(np.argmin(np.where(np.isnan(sizes), np.inf, sizes)))])


def _grid(low: float, high: float) -> Array:
    """Even points between finite ends; towards an infinite one, ever wider."""
    if math.isfinite(low) and math.isfinite(high):
        return np.linspace(low, high, CELLS + 1)
    spread = np.concatenate([[0.0], np.geomspace(1e-6, 1e12, CELLS)])
    if math.isfinite(low):
        return low + spread
    if math.isfinite(high):
        return high - spread[::-1]
    return np.concatenate([-spread[:0:-1], spread])


def _followed(curve: Residual, low: float, high: float) -> Grid:
    """The grid, halved until cubics follow the curve or its values are within their rounding."""
    xs = _grid(low, high)
    flat: list[float] = []
    followed = True
    with np.errstate(all="ignore"):
        fs, slopes = curve.sampled(xs)
        large = float(np.nanmax(np.abs(fs[np.isfinite(fs)]), initial=0.0))
        waiting = np.arange(len(xs) - 1)
        for _ in range(ROUNDS):
            followed = len(xs) + waiting.size <= MOST_CELLS
            if not waiting.size or not followed:
                break
            middles = xs[waiting] / 2 + xs[waiting + 1] / 2
            values, gradients = curve.sampled(middles)
            widths = xs[waiting + 1] - xs[waiting]
            bent = widths * (slopes[waiting] - slopes[waiting + 1]) / 8
            cubic = (fs[waiting] + fs[waiting + 1]) / 2 + bent
            size = np.fmax(np.abs(fs[waiting]), np.abs(fs[waiting + 1]))
            size = np.fmax(size, np.abs(values))
            split = ~(np.abs(values - cubic) <= FOLLOWED * size)
            blank = np.isnan(fs[waiting]) & np.isnan(fs[waiting + 1]) & np.isnan(values)
            split &= ~blank & (middles > xs[waiting]) & (middles < xs[waiting + 1])
            for i in np.flatnonzero(split & (size <= SMALL * large))[:MOST_FLAT].tolist():
                if size[i] <= 8 * curve.noise(float(middles[i])):
                    split[i] = False
                    flat.append(float(xs[waiting[i]]))
            new = np.flatnonzero(split)
            xs, fs, slopes, waiting = _merged(
                (xs, fs, slopes), (middles[new], values[new], gradients[new]), waiting[new]
            )
    return Grid(xs, fs, slopes, np.array(flat), followed)


def _merged(
    old: tuple[Array, Array, Array], new: tuple[Array, Array, Array], cells: Array
) -> tuple[Array, Array, Array, Array]:
    """The points of both, in order, and the cells on both sides of the new ones."""
    xs, fs, slopes = (np.insert(a, cells + 1, b) for a, b in zip(old, new, strict=True))
    left = cells + np.arange(len(cells))
    return xs, fs, slopes, np.sort(np.concatenate([left, left + 1]))


def _interesting(fs: Array, slopes: Array) -> Array:
    """The cells in which the sign changes, the curve turns towards 0, or a domain ends."""
    with np.errstate(all="ignore"):
        a, b = fs[:-1], fs[1:]
        crossing = (a < 0) & (b > 0) | (a > 0) & (b < 0)
        turning = (a * b > 0) & (np.sign(a) * slopes[:-1] < 0) & (np.sign(b) * slopes[1:] > 0)
        turning &= np.fmin(np.abs(a), np.abs(b)) <= LOW * _around(fs)
        edge = np.isnan(a) != np.isnan(b)
    return np.flatnonzero(crossing | turning | edge)


def _around(fs: Array) -> Array:
    """The largest size at the ends of each cell and at those of the cells beside it."""
    sizes = np.concatenate([[0.0], np.abs(fs), [0.0]])
    return np.asarray(np.fmax.reduce([sizes[:-3], sizes[1:-2], sizes[2:-1], sizes[3:]]))


def _in_cell(
    curve: Residual, a: float, b: float, ends: Array, room: tuple[float, float]
) -> list[Root]:
    """The roots in a cell, whose ends are none."""
    if np.isnan(ends).any():
        return _at_edge(curve, a, b, room)
    if (ends[0] < 0) != (ends[1] < 0):
        found = roots.bracketed(curve, a, b, room)
        return [found] if found else []
    turn = _turn(curve, a, b)
    f = curve.value(turn)
    if (f < 0) != (ends[0] < 0) and f != 0:
        both = [roots.bracketed(curve, i, j, room) for i, j in ((a, turn), (turn, b))]
        return [each for each in both if each]
    if abs(f) <= 8 * curve.noise(turn):
        return [Root(turn, abs(f), ROOT, curve.steps)]
    return []


def _turn(curve: Residual, a: float, b: float) -> float:
    """Where the slope changes its sign, by bisection."""
    falls = curve.slope(a) < 0
    for _ in range(2000):
        middle = a / 2 + b / 2
        if not a < middle < b:
            break
        if (curve.slope(middle) < 0) == falls:
            a = middle
        else:
            b = middle
    return min((a, b), key=lambda x: abs(curve.value(x)))


def _at_edge(curve: Residual, a: float, b: float, room: tuple[float, float]) -> list[Root]:
    """The root between the end of a domain and the point of a cell that is inside it, if any."""
    inside, outside = (b, a) if math.isnan(curve.value(a)) else (a, b)
    start = inside
    for _ in range(2000):
        middle = inside / 2 + outside / 2
        if middle in (inside, outside):
            break
        if math.isnan(curve.value(middle)):
            outside = middle
        else:
            inside = middle
    f = curve.value(inside)
    smaller = abs(f) <= abs(curve.value(start))
    if smaller and roots.is_zero_at_end(curve, inside, room[inside > outside], 8):
        return [Root(inside, abs(f), ROOT, curve.steps)]
    if start == inside:
        return []
    found = roots.bracketed(curve, min(start, inside), max(start, inside), room)
    return [found] if found else []


def _distinct(curve: Residual, found: list[Root]) -> list[Root]:
    """The roots in order, each once: two within their rounding of one another are one."""
    kept: list[Root] = []
    for each in sorted(found):
        if kept and each.x - kept[-1].x <= _reach(curve, each.x) + _reach(curve, kept[-1].x):
            kept[-1] = min(kept[-1], each, key=lambda root: root.residual)
        else:
            kept.append(each)
    return kept


def _reach(curve: Residual, x: float) -> float:
    """How far rounding may move a root: of even order, as far as the square root of its noise."""
    slope, noise = abs(curve.slope(x)), curve.noise(x)
    curvature = abs(float(curve.functions.curvature(np.array([x]), np.array([1.0]))[0, 0]))
    apart = 8 * noise / slope if slope > 0 else math.inf
    if curvature > 0:
        apart = min(apart, 4 * math.sqrt(noise / curvature))
    units = 8 * float(np.spacing(abs(x)))
    return units + (apart if math.isfinite(apart) else 0.0)

"""Every root of one equation in a range: a grid that follows the curve, then each cell."""

from __future__ import annotations

import math

import numpy as np

from dezero_cli.solving import roots
from dezero_cli.solving.functions import Array
from dezero_cli.solving.roots import ROOT, Residual, Root

CELLS, MOST_CELLS, ROUNDS = 2000, 200_000, 24
FOLLOWED = 0.02
"""How far the curve may be from a cubic with its ends' slopes, beside its values in the cell."""


def roots_between(curve: Residual, low: float, high: float) -> list[Root]:
    """Every root in a range, in order.

    A grid is halved where the curve leaves the cubics through its values and slopes.  In each
    cell a change of sign is a root, a pole or a jump, and a turn towards 0 may hide two roots or
    a double one.
    """
    xs, fs, slopes = _followed(curve, low, high)
    zeros = [float(x) for x in xs[_alone(fs == 0)] if not curve.fades(float(x))]
    found = [Root(x, 0.0, ROOT, curve.steps) for x in zeros]
    for i in _interesting(fs, slopes).tolist():
        found += _in_cell(curve, float(xs[i]), float(xs[i + 1]), fs[i : i + 2], (low, high))
    for end in (0, -1):
        if math.isfinite(fs[end]) and 0 < abs(fs[end]) <= 2 * curve.noise(float(xs[end])):
            found.append(Root(float(xs[end]), abs(float(fs[end])), ROOT, curve.steps))
    return _distinct(curve, [each for each in found if each.found])


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


def _followed(curve: Residual, low: float, high: float) -> tuple[Array, Array, Array]:
    """The grid, halved until cubics follow the curve, with the values and the slopes there."""
    xs = _grid(low, high)
    with np.errstate(all="ignore"):
        fs, slopes = curve.sampled(xs)
        waiting = np.arange(len(xs) - 1)
        for _ in range(ROUNDS):
            if not waiting.size or len(xs) + waiting.size > MOST_CELLS:
                break
            middles = xs[waiting] / 2 + xs[waiting + 1] / 2
            values, gradients = curve.sampled(middles)
            widths = xs[waiting + 1] - xs[waiting]
            bent = widths * (slopes[waiting] - slopes[waiting + 1]) / 8
            cubic = (fs[waiting] + fs[waiting + 1]) / 2 + bent
            size = np.fmax(np.abs(fs[waiting]), np.abs(fs[waiting + 1]))
            split = ~(np.abs(values - cubic) <= FOLLOWED * np.fmax(size, np.abs(values)))
            blank = np.isnan(fs[waiting]) & np.isnan(fs[waiting + 1]) & np.isnan(values)
            split &= ~blank & (middles > xs[waiting]) & (middles < xs[waiting + 1])
            new = np.flatnonzero(split)
            xs, fs, slopes, waiting = _merged(
                (xs, fs, slopes), (middles[new], values[new], gradients[new]), waiting[new]
            )
    return xs, fs, slopes


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
        edge = np.isnan(a) != np.isnan(b)
    return np.flatnonzero(crossing | turning | edge)


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
    if abs(f) <= 8 * curve.noise(inside) and abs(f) <= abs(curve.value(start)):
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

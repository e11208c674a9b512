"""What a picture shows of a function of two values: fields with their poles, and levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dezero_cli.pictures.sampling import FLAT, Intervals, fences, visible

Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Value and gradient, shape (3, n), at the places of two coordinates."""


@dataclass(frozen=True)
class Field:
    """Values `z` over a grid, shape (len(y), len(x)), and their gradient, (2, len(y), len(x)).

    Values are nan where the function is undefined, and next to poles.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    gradient: np.ndarray
    diverges: bool

    @property
    def samples(self) -> np.ndarray:
        """The finite values."""
        finite: np.ndarray = self.z[np.isfinite(self.z)]
        return finite


def field(surface: Surface, x: np.ndarray, y: np.ndarray) -> Field:
    """Sample a function of two coordinates, in one pass, on the grid of `x` and `y`."""
    places = np.meshgrid(x, y)
    z, *gradient = surface(places[0].ravel(), places[1].ravel()).reshape(3, len(y), len(x))
    poles = np.zeros(z.shape, dtype=bool)
    with np.errstate(all="ignore"):
        diverges = [_mark_poles(surface, places, z, gradient[axis], axis, poles) for axis in (0, 1)]
    return Field(
        x, y, np.where(np.isfinite(z) & ~poles, z, np.nan), np.stack(gradient), any(diverges)
    )


def _mark_poles(
    surface: Surface,
    places: Sequence[np.ndarray],
    z: np.ndarray,
    slope: np.ndarray,
    axis: int,
    poles: np.ndarray,
) -> bool:
    """Mark the places on both sides of each pole between neighbours along one coordinate.

    Gives whether values grow without bound, there or towards an undefined place.
    """
    numbers = np.arange(z.size).reshape(z.shape)
    pair = [numbers[:, :-1], numbers[:, 1:]] if axis == 0 else [numbers[:-1], numbers[1:]]
    left, right = (side.ravel() for side in pair)
    samples = np.stack([places[axis].ravel(), z.ravel(), slope.ravel()])
    other = places[1 - axis].ravel()[left]

    def along(place: np.ndarray, interval: np.ndarray) -> np.ndarray:
        coordinates = (place, other[interval])
        values = surface(*(coordinates if axis == 0 else coordinates[::-1]))
        return np.stack([values[0], values[1 + axis]])

    ends = samples[:, left], samples[:, right]
    between = Intervals(along, ends, visible(z[np.isfinite(z)]))
    for gaps in (between.jumps(), between.poles()):
        found = gaps.interval[gaps.down | gaps.up]
        poles.flat[left[found]] = poles.flat[right[found]] = True
    edges = between.edges()
    return bool(poles.any() or (edges.down | edges.up).any())


# ------------------------------------------------------------------------------------------ levels
GROWTH = 25.0
"""How many times the usual size values must reach for levels in a geometric series."""


@dataclass(frozen=True)
class Levels:
    """The levels between the colours of a picture, and whether values lie beyond them."""

    bounds: np.ndarray
    below: bool
    above: bool


def levels(field: Field) -> Levels:
    """Levels that show a field: evenly spaced, or a series of 1, 2, 5, 10 if it grows.

    Evenly spaced levels would hide the valley of a field that grows outward over decades, and all
    but the foot of one that grows towards a pole.
    """
    values = field.samples
    if np.ptp(values) <= FLAT * np.abs(values).max():
        return Levels(_even(values.min(), values.max()), False, False)
    shown = np.clip(values, *np.quantile(values, [0.01, 0.99])) if field.diverges else values
    base, mixed = _base(shown)
    sizes = np.abs(shown - base)
    grows = sizes.max() > GROWTH * np.quantile(sizes, 0.25 if mixed else 0.1)
    rim = np.concatenate([field.z[0], field.z[-1], field.z[:, 0], field.z[:, -1]])
    outward = np.nanmax(np.abs(rim - base), initial=0.0) >= sizes.max() / 2
    if grows and (not mixed if field.diverges else outward):
        bounds = _series(shown, base, mixed)
    else:
        bounds = _even(*(_fenced(values) if field.diverges else (values.min(), values.max())))
    return Levels(bounds, bool(values.min() < bounds[0]), bool(values.max() > bounds[-1]))


def _fenced(values: np.ndarray) -> tuple[float, float]:
    """The least and the greatest value of a field with poles that do not hide the others."""
    fence = fences(values, 1.5)
    return max(float(values.min()), fence[0]), min(float(values.max()), fence[1])


def _base(values: np.ndarray) -> tuple[float, bool]:
    """The value from which values grow, and whether they grow from it in both directions."""
    low, middle, high = (float(q) for q in np.quantile(values, [0.0, 0.5, 1.0]))
    if low < 0 < high and -low / 20 < high < -low * 20:
        return 0.0, True
    base = low if high - middle >= middle - low else high
    return (0.0 if abs(base) < 0.01 * (high - low) else base), False


def _series(values: np.ndarray, base: float, mixed: bool) -> np.ndarray:
    """The base and the levels 1, 2, 5, 10, ... away from it (fewer if they are many)."""
    sizes = np.abs(values - base)
    least = np.quantile(sizes[sizes > 0], 0.1 if mixed else 0.005)
    least = max(least, 1e-9 * sizes.max())
    away = [(sign, (sign * (values - base)).max()) for sign in (-1.0, 1.0)]
    count = 8 if mixed else 12
    steps = [s * _decades(min(least, most), most, count) for s, most in away if most > 0]
    return np.unique(np.concatenate([[base], *(base + step for step in steps)]))


def _decades(least: float, most: float, count: int) -> np.ndarray:
    """Round numbers from about `least` to `most` or beyond, about `count` at most."""
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
    for step, digits in ((1, (1, 2, 5)), (1, (1, 3)), *((n, (1,)) for n in range(1, 4))):
        exponents = range(first, last + step, step)
        series = np.array([float(f"{d}e{exponent}") for exponent in exponents for d in digits])
        inner = series[(series >= least) & (series < most)]
        if len(inner) <= count:
            break
    return np.append(inner, series[series >= most][:1])


def _even(low: float, high: float) -> np.ndarray:
    """About ten evenly spaced round numbers from below `low` to above `high`."""
    size = max(abs(low), abs(high))
    if high - low <= FLAT * size:
        return np.array([low - 0.1 * size, low + 0.1 * size]) if size else np.array([-1.0, 1.0])
    step = (high - low) / 10
    power = 10.0 ** math.floor(math.log10(step))
    step = power * next(nice for nice in (1, 2, 2.5, 5, 10) if nice * power >= step)
    return step * np.arange(math.floor(low / step), math.ceil(high / step) + 1)

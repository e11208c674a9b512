"""Gradients by numbers alone, and the engine's beside them.

A function here takes a Variable for each input and returns a Variable; see `dezero.calculus`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dezero.calculus import Array, Differentiable, value_and_grad
from dezero.graph import Variable, no_grad

COMPLEX_STEP = 1e-30
"""The imaginary step, relative to the input: nothing is subtracted, so it may be that small."""

LEVELS = 10
"""Halvings of a real step: down to a thousandth of it."""

STEPS = (1e-7, 1e-4, 0.1)
"""Real steps, relative to the input; together with the halvings they leave no gap."""

CLOSE = 2.0**-46
"""The step between neighbours, relative to the input, whose values show rounding and stairs."""

TELLING = 1e-4
"""The largest error, relative to the derivative, of an estimate that counts by itself."""

NOTHING = 1e-9
"""What counts as no derivative, relative to the value's size over the input's."""

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A gradient beside an independent numerical one, for one input.

    All arrays have the input's shape.  `error` is the numerical method's own estimate of its
    error.  `agrees` is whether a method confirms the gradient, `disagrees` whether two methods that
    confirm each other refute it; where neither holds, `reason` says why that cannot be told.
    """

    analytic: Array
    numerical: Array
    error: Array
    agrees: Array
    disagrees: Array
    reason: Array
    method: str

    @property
    def difference(self) -> Array:
        """The distance of the two, nan where one of them is."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(self.analytic - self.numerical))

    @property
    def worst(self) -> tuple[int, ...]:
        """The element that agrees least: one that disagrees first, then what cannot be told."""
        rank = np.where(np.isnan(self.difference), np.inf, self.difference)
        rank = np.where(self.agrees, rank / (1.0 + np.abs(self.numerical)), 1e308)
        rank = np.where(self.disagrees, np.inf, rank)
        return tuple(map(int, np.unravel_index(int(np.argmax(rank)), rank.shape)))


def numerical_grad(f: Differentiable, *xs: Any) -> Any:
    """The gradients of `f` by numbers alone, each in its input's shape.

    By complex step where `f` allows it (Squire and Trapp, SIAM Review 40, 1998) and differences
    confirm it, else by central differences with Richardson's extrapolation (Ridders, Adv. Eng.
    Software 4, 1982).
    """
    arrays = [np.array(x, dtype=np.float64) for x in xs]
    gradients = []
    for k, x in enumerate(arrays):
        gradient = np.empty(x.shape)
        for i in np.ndindex(x.shape):
            gradient[i] = _Estimates(_along(f, arrays, k, i), float(x[i])).best[0]
        gradients.append(gradient)
    return gradients[0] if len(xs) == 1 else tuple(gradients)


def gradient_check(f: Differentiable, *xs: Any, tolerance: float = 1e-6) -> list[Comparison]:
    """Compare the gradient of `f` with independent numerical ones, input by input.

    An element agrees where its difference from an estimate is at most `tolerance`, relative to the
    larger of the two, plus the estimate's own error.  It disagrees where two methods exclude it
    that confirm each other: the complex step and differences, or differences of steps of two
    sizes.  Else, and where something is not finite, it cannot be told.
    """
    _, gradients = value_and_grad(f)(*xs)
    gradients = (gradients,) if len(xs) == 1 else gradients
    arrays = [np.array(x, dtype=np.float64) for x in xs]
    comparisons = []
    for k, (x, analytic) in enumerate(zip(arrays, gradients, strict=True)):
        numerical, error = np.empty(x.shape), np.empty(x.shape)
        agrees, disagrees = np.zeros(x.shape, bool), np.zeros(x.shape, bool)
        reason = np.full(x.shape, "", dtype=object)
        methods = set()
        for i in np.ndindex(x.shape):
            estimates = _Estimates(_along(f, arrays, k, i), float(x[i]))
            numerical[i], error[i], method = estimates.best
            agrees[i], disagrees[i], reason[i] = estimates.verdict(float(analytic[i]), tolerance)
            methods.add(method)
        method = " and ".join(sorted(methods)) or "complex step"
        comparisons.append(
            Comparison(analytic, numerical, error, agrees, disagrees, reason, method)
        )
    return comparisons


def _along(
    f: Differentiable, arrays: Sequence[Array], k: int, i: tuple[int, ...]
) -> Callable[[Any], Any]:
    """The sum of the value's elements as a function of element i of input k."""

    def along(t: Any) -> Any:
        moved = [a.astype(type(t)) if j == k else a for j, a in enumerate(arrays)]
        moved[k][i] = t
        with no_grad(), np.errstate(all="ignore"):
            y = f(*map(Variable, moved))
            return np.sum(y.data if isinstance(y, Variable) else y)[()]

    return along


@dataclass(frozen=True, slots=True)
class _Differences:
    """An extrapolated derivative with its error, from steps of one size.

    `sides` tells whether the derivatives from above and from below are the same, so that there is
    no kink.
    """

    estimate: float
    error: float
    sides: bool

    @property
    def telling(self) -> bool:
        """Whether it tells something by itself."""
        return self.sides and self.error <= TELLING * abs(self.estimate)

    def excludes(self, derivative: float, tolerance: float) -> bool:
        """Whether another derivative is too far away."""
        largest = max(abs(derivative), abs(self.estimate))
        return not abs(derivative - self.estimate) <= tolerance * largest + 2 * self.error


class _Estimates:
    """The derivative of a function of one number, estimated in several ways.

    A complex step is right only for analytic functions, and |z| is none: it is blind to that part
    of a function.  Differences of large steps see kinks and periods far away, those of small steps
    are lost in rounding; so they come in several sizes, small steps first.  `close` are the values
    of neighbours, from which rounding is measured (More and Wild, SIAM J. Sci. Comput. 33, 2011).
    """

    def __init__(self, along: Callable[[Any], Any], x: float) -> None:
        size = abs(x) or 1.0
        with np.errstate(all="ignore"):
            self.step, self.close = _neighbours(along, x, size)
            self.value = float(self.close[4])
            far = [along(x - 0.1 * size), along(x + 0.1 * size)]
            self.nothing = NOTHING * float(np.nanmax(np.abs([self.value, *far, 0.0]))) / size
            noise = _noise(self.close)
            found = []
            for step in sorted({*(step * size for step in STEPS), 0.1}):
                if step > size:  # out there the value may have other rounding
                    noise = max(noise, _noise(_neighbours(along, x + step, step)[1]))
                found.append(_differences(along, x, step, self.value, noise))
        self.known = [each for each in found if np.isfinite(each.estimate + each.error)]
        self.complex = _complex_step(along, x)

    @property
    def best(self) -> tuple[float, float, str]:
        """The derivative, its error and the method."""
        least = min(self._sound or self.known, key=lambda each: each.error, default=None)
        if least is None or (np.isfinite(self.complex) and self._confirmed):
            return self.complex, least.error if least else float("nan"), "complex step"
        return least.estimate, least.error, "central differences"

    @property
    def _sound(self) -> list[_Differences]:
        """The differences that tell something, without those that smaller steps refute.

        Where nothing changes, the function is flat, or it loses all digits of small steps: that
        counts only where the complex step does not know better.
        """
        sound: list[_Differences] = []
        for each in self.known:
            flat = each.estimate == each.error == 0
            if abs(self.complex) > 0 if flat else abs(each.estimate) <= 1e-4 * self.nothing:
                continue
            if each.telling and not (sound and sound[0].excludes(each.estimate, 2 * each.error)):
                sound.append(each)
        return sound

    @property
    def _confirmed(self) -> bool:
        """Whether differences confirm the complex step, and the best of them does."""
        if not np.isfinite(self.complex):
            return False
        least = min(self._sound, key=lambda each: each.error, default=None)
        if least is not None:
            return not least.excludes(self.complex, 1e-9)
        near = [each for each in self.known if not each.excludes(self.complex, 1e-9)]
        return any(each.sides for each in near)

    def verdict(self, derivative: float, tolerance: float) -> tuple[bool, bool, str]:
        """Whether a derivative agrees, whether it disagrees, and why neither can be told."""
        if not np.isfinite(derivative + self.value):
            return False, False, "a derivative or the value is not finite there"
        if not self.known:
            return False, False, "the function is not finite around the point"
        sound = self._sound
        excluding = [each for each in sound if each.excludes(derivative, tolerance)]
        distance = abs(derivative - self.complex)
        largest = max(abs(derivative), abs(self.complex))
        by_complex = self._confirmed and distance <= tolerance * largest
        if by_complex or (sound and not excluding) or (not sound and self._nothing(derivative)):
            return True, False, ""
        refuted = self._confirmed and not distance <= 2 * tolerance * largest and bool(excluding)
        if (refuted or len(excluding) >= 2) and len(excluding) == len(sound):
            if self._stairs(excluding[0].estimate):
                return False, False, "the function has steps or loses all digits nearby"
            return False, True, ""
        if not any(each.sides for each in self.known[:2]):
            return False, False, "there seems to be a kink or a step"
        return False, False, "rounding, or a kink or a step nearby, hides the derivative"

    def _nothing(self, derivative: float) -> bool:
        """Whether all derivatives are nothing beside the value, or nothing at all."""
        most = self.nothing
        small = any(e.sides and max(abs(e.estimate), e.error) <= most for e in self.known)
        return small and abs(derivative) <= most and not abs(self.complex) > most

    def _stairs(self, slope: float) -> bool:
        """Whether most neighbours have equal values although a slope would tell them apart."""
        if not abs(slope) * self.step > 4 * np.spacing(abs(self.value)):
            return False
        return bool(np.count_nonzero(np.diff(self.close) == 0) >= 4)


def _neighbours(along: Callable[[Any], Any], x: float, size: float) -> tuple[float, Array]:
    """A small step, and the values of a function at nine points so far apart."""
    step = max(CLOSE * size, 4 * float(np.spacing(x)))
    return step, np.array([along(x + i * step) for i in range(-4, 5)], np.float64)


def _noise(close: Array) -> float:
    """The rounding noise of a function, from its values at neighbouring points."""
    least = EPSILON * float(np.max(np.abs(close)))
    differences = np.diff(close, 2)
    square = 1.0 / 6.0  # (k!)**2/(2k)!, which makes the square of a difference that of the noise
    found = []
    for k in range(3, 6):
        differences = np.diff(differences)
        square *= k * k / (2 * k * (2 * k - 1))
        found.append(float(np.sqrt(square * np.mean(differences**2))))
    return max(least, 2 * float(np.median(found)))


def _complex_step(along: Callable[[Any], Any], x: float) -> float:
    """Im f(x + ih) / h; nan where the function is not for complex numbers."""
    step = COMPLEX_STEP * max(abs(x) or 1.0, 1e-200)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            y = along(complex(x, step))
    except (TypeError, np.exceptions.ComplexWarning):
        return float("nan")
    return float(np.imag(y)) / step


def _differences(
    along: Callable[[Any], Any], x: float, step: float, value: float, noise: float
) -> _Differences:
    """The best entry of the extrapolation table of central differences, and its error.

    The same of differences to one side, whose errors have all powers of the step.
    """
    steps = step * 0.5 ** np.arange(LEVELS)
    above = np.array([along(x + h) for h in steps], np.float64)
    below = np.array([along(x - h) for h in steps], np.float64)
    up, down = (x + steps) - x, x - (x - steps)
    rounding = noise / steps
    estimate, error = _extrapolated((above - below) / (up + down), rounding, 4.0)
    high, high_error = _extrapolated((above - value) / up, 2 * rounding, 2.0)
    low, low_error = _extrapolated((value - below) / down, 2 * rounding, 2.0)
    bound = 4 * (high_error + low_error) + 1e-9 * abs(estimate)
    return _Differences(estimate, error, bool(abs(high - low) <= bound))


def _extrapolated(first: Array, rounding: Array, ratio: float) -> tuple[float, float]:
    """The entry of Richardson's table with the least error, and that error.

    `first` are estimates for steps halved, `ratio` is by how much that lessens their first error.
    """
    best, least = float("nan"), float("inf")
    previous: list[float] = []
    for start, noise in zip(first.tolist(), rounding.tolist(), strict=True):
        row = [start]
        for j, earlier in enumerate(previous):
            row.append(row[j] + (row[j] - earlier) / (ratio ** (j + 1) - 1))
            error = max(abs(row[-1] - row[j]), abs(row[-1] - earlier)) + 2 * noise
            if error < least:
                best, least = row[-1], error
        previous = row
    return best, least

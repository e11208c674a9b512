"""A root of one equation in one unknown, inside a bracket."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dezero_cli import extras
from dezero_cli.language import derivatives
from dezero_cli.solving import fading
from dezero_cli.solving.functions import Functions

MOST_STEPS = 2000
ROOT, POLE, JUMP = "a root", "a pole", "a jump"


class Root(NamedTuple):
    """Where a search ended: a root, unless `kind` says otherwise."""

    x: float
    residual: float
    kind: str
    steps: int

    @property
    def found(self) -> bool:
        """Whether it is a root."""
        return self.kind == ROOT


class Residual:
    """An equation's residual as a function of its one unknown."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.steps = 0
        expression = functions.expressions[0]
        held = {name: variable.data for name, variable in functions.held.items()}
        used = [held[name] for name in expression.names if name in held]
        self._held = held
        self._stacked = not any(map(np.ndim, used)) and expression.elementwise

    def value(self, x: float) -> float:
        """The residual at a point."""
        self.steps += 1
        return float(self.functions.values(np.array([x]))[0])

    def slope(self, x: float) -> float:
        """Its derivative."""
        return float(self.functions.jacobian(np.array([x]))[0, 0])

    def fades(self, x: float) -> bool:
        """Whether the residual is 0 at a point only because it has fallen off, as exp(-x) does."""
        size = max(abs(x), 1.0)
        return fading.fades(lambda t: self.value(x + size * t))

    def noise(self, x: float) -> float:
        """How far rounding may move the residual, rounding of the unknown included."""
        found = float(self.functions.noise(np.array([x]))[0])
        return found if math.isfinite(found) else 0.0

    def sampled(self, xs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The residual and its derivative at many points."""
        self.steps += len(xs)
        if not self._stacked:
            values = np.array([self.functions.values(np.array([x]))[0] for x in xs])
            slopes = np.array([self.functions.jacobian(np.array([x]))[0, 0] for x in xs])
            return values, slopes
        name = self.functions.layout.names[0]
        given = self._held | {name: xs}
        expression = self.functions.expressions[0]
        value, gradients = derivatives.value_and_gradient(expression, given, [name])
        return np.broadcast_to(value, xs.shape).astype(float), gradients[name]


def bracketed(
    curve: Residual, low: float, high: float, room: tuple[float, float] | None = None
) -> Root | None:
    """The root between two points at which the residual has different signs, or is 0.

    Poles are told from roots by what is around, within `room` (default: the bracket).  None if the
    signs are the same, and no end is a root within its rounding; and where the residual falls off
    to 0 at an end.
    """
    found = _finite_ends(curve, low, high)
    if found is None:
        return None
    a, b, fa, fb = found
    for x, f in ((a, fa), (b, fb)):
        if f == 0:
            return None if curve.fades(x) else Root(x, 0.0, ROOT, curve.steps)
    if (fa < 0) == (fb < 0):
        ends = ((a, fa, b), (b, fb, a))
        near = [(abs(f), x) for x, f, other in ends if is_zero_at_end(curve, x, other, 2)]
        return Root(min(near)[1], min(near)[0], ROOT, curve.steps) if near else None
    x = _polished(curve, _crossing(curve, a, b, fa, fb), a, b)
    return Root(x, abs(curve.value(x)), kind_at(curve, x, *(room or (a, b))), curve.steps)


def _finite_ends(
    curve: Residual, low: float, high: float
) -> tuple[float, float, float, float] | None:
    """The ends with the residual there: finite, and moved inwards where it is not a number."""
    ends = []
    for end, other in ((low, high), (high, low)):
        for x in _inwards(end, other):
            f = curve.value(x)
            if not math.isnan(f):
                ends.append((x, f))
                break
    if len(ends) < 2 or ends[0][0] >= ends[1][0]:
        return None
    (a, fa), (b, fb) = ends
    return a, b, fa, fb


def is_zero_at_end(curve: Residual, x: float, other: float, times: float) -> bool:
    """Whether the residual at an end is 0 within so many times its rounding.

    Beside a pole that rounding is as large as the residual, which falls from there inwards.
    """
    f = abs(curve.value(x))
    step = min(float(np.spacing(abs(x))) * 2.0**26, abs(other - x) / 2)
    inside = abs(curve.value(x + math.copysign(step, other - x)))
    return f <= times * curve.noise(x) and not inside < f / 1000


def _inwards(end: float, other: float) -> list[float]:
    """An end, then points that move away from it towards the other end."""
    if math.isinf(end):
        start = other if math.isfinite(other) else 0.0
        sizes = [2.0**k for k in range(1000, 60, -60)] + [2.0**k for k in range(60, 0, -1)]
        return [start + math.copysign(size, end) for size in sizes]
    width = (other if math.isfinite(other) else end + math.copysign(1.0, other)) - end
    steps = [width * 2.0**-k for k in range(52, 4, -4)]
    return [end, float(np.nextafter(end, other)), *(end + step for step in steps)]


def _crossing(curve: Residual, a: float, b: float, fa: float, fb: float) -> float:
    """Where the residual changes its sign: Brent's method, with bisection where that fails."""
    a, b, fa, fb = _without_infinity(curve, a, b, fa, fb)
    if fa == 0 or fb == 0:
        return a if fa == 0 else b
    try:
        x, report = extras.optimize().brentq(
            curve.value, a, b, xtol=5e-324, rtol=8.9e-16, maxiter=500, full_output=True, disp=False
        )
        if report.converged and math.isfinite(curve.value(x)):
            return float(x)
    except (ValueError, RuntimeError):
        pass
    return _bisected(curve, a, b, fa)


def _without_infinity(
    curve: Residual, a: float, b: float, fa: float, fb: float
) -> tuple[float, float, float, float]:
    """A part of the bracket with finite values at its ends, by bisection."""
    for _ in range(MOST_STEPS):
        if math.isfinite(fa) and math.isfinite(fb):
            break
        middle = _middle(a, b)
        f = curve.value(middle)
        if middle in (a, b) or math.isnan(f):
            break
        if (f < 0) == (fa < 0):
            a, fa = middle, f
        else:
            b, fb = middle, f
    return a, b, fa, fb


def _middle(a: float, b: float) -> float:
    """The middle of two numbers: of their exponents where they are far apart."""
    small, large = sorted((abs(a), abs(b)))
    if a * b > 0 and large > 1e3 * small:
        return math.copysign(math.sqrt(small) * math.sqrt(large), a)
    return a / 2 + b / 2


def _bisected(curve: Residual, a: float, b: float, fa: float) -> float:
    """The last number with the sign of the left end, or where the residual is 0."""
    for _ in range(MOST_STEPS):
        middle = _middle(a, b)
        f = curve.value(middle)
        if middle in (a, b) or f == 0:
            return middle
        if (f < 0) == (fa < 0):
            a = middle
        else:
            b = middle
    return a


def _polished(curve: Residual, x: float, low: float, high: float) -> float:
    """The point after some steps of Newton's method, as long as the residual falls."""
    f = abs(curve.value(x))
    for _ in range(8):
        slope = curve.slope(x)
        if f == 0 or not math.isfinite(slope) or slope == 0:
            break
        step = curve.value(x) / slope
        tried = [x - step, float(np.nextafter(x, x - step * math.inf if step else x))]
        found = [(abs(curve.value(y)), y) for y in tried if low <= y <= high and y != x]
        better = [each for each in found if each[0] < f]
        if not better:
            break
        f, x = min(better)
    return x


def kind_at(curve: Residual, x: float, low: float, high: float) -> str:
    """What a change of sign at `x` is: a root, a pole or a jump.

    It is a root where the residual is within its own rounding; and where the residual's
    difference across `x` falls as its distance from `x` does: across a pole it grows, across a
    jump it stays.
    """
    f = curve.value(x)
    if f == 0:
        return ROOT
    unit = float(np.spacing(abs(x))) or 5e-324
    near = _difference(curve, x, 16 * unit, low, high)  # farther than the search's own tolerance
    far = _difference(curve, x, min(unit * 2.0**26, max(high - x, x - low)), low, high)
    if not math.isfinite(near) or near > 100 * far:
        return POLE
    if abs(f) <= 4 * curve.noise(x) or near < 0.7 * far:
        return ROOT
    return POLE if near > 1.5 * far else JUMP


def _difference(curve: Residual, x: float, width: float, low: float, high: float) -> float:
    left, right = max(low, x - width), min(high, x + width)
    return abs(curve.value(right) - curve.value(left))

"""Statistics and running sums of arrays, under NumPy's and SciPy's names, with their derivatives.

Most are made of sums and of elementary functions of Variables, and take their derivatives thence.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from dezero.arrays import ARRAYS, Axis, Movement, Reduction, _axes, _kept, max, mean, sum
from dezero.choices import equal, where
from dezero.exponentials import exp, log, sqrt
from dezero.graph import ARRAY_FUNCTIONS, Operand, Variable, as_operand, constant, given
from dezero.rows import inside, nothing
from dezero.rule import Rule


def _deviation(x: Any, axis: Axis) -> Any:
    """x less its mean along `axis`."""
    return given(x) - mean(x, axis, True)


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean square distance from the mean along `axis` (default: of all)."""
    return mean(_deviation(x, axis) ** 2, axis, keepdims)


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The square root of var; its gradient is 0 where all elements are equal."""
    square = var(x, axis, keepdims)
    return where(equal(square, 0.0), 0.0, sqrt(square))


class Median(Reduction):
    """The middle element, or the mean of the two in the middle."""

    def forward(self, x: Operand) -> Operand:
        if 0 in (x.shape[i] for i in _axes(x.ndim, self.axis)):
            raise ValueError("an empty array has no median")
        return np.median(x, axis=self.axes(x), keepdims=self.keepdims)

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The output's gradient for what is in the middle; elements that tie share it equally."""
        data = as_operand(x)
        axes, kept = _axes(data.ndim, self.axis), _kept(data.shape, self.axis)
        rest = tuple(i for i in range(data.ndim) if i not in axes)
        rows = np.sort(
            np.transpose(data, (*rest, *axes)).reshape((*(data.shape[i] for i in rest), -1))
        )
        count = rows.shape[-1]
        weight = np.zeros(data.shape) + nothing(np.reshape(as_operand(y), kept))
        for place in ((count - 1) // 2, count // 2):
            attained = data == rows[..., place].reshape(kept)
            weight += 0.5 * attained / attained.sum(axis=axes, keepdims=True)
        return np.reshape(gy, kept) * weight

    partials = (gradient,)


def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The middle element along `axis` (default: of all), or the mean of the two in the middle."""
    return Median(axis, keepdims)(x)


class CumSum(Movement):
    """The running sum along an axis."""

    __slots__ = ("axis",)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Operand) -> Operand:
        return np.cumsum(x, axis=self.axis)

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The running sum from the other end."""
        back = [slice(None)] * x.ndim
        back[self.axis] = slice(None, None, -1)
        index = tuple(back)
        return np.cumsum(gy[index], axis=self.axis)[index]

    partials = (gradient,)


def cumsum(x: Any, axis: int | None = None) -> Variable:
    """The running sum along `axis` (default: of all elements, in order)."""
    x = given(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    (axis,) = _axes(x.ndim, axis)
    return CumSum(axis)(x)


def diff(x: Any, axis: int = -1) -> Variable:
    """The differences of neighbours along `axis` (default: the last)."""
    x = given(x)
    (place,) = _axes(x.ndim, axis)
    before = (slice(None),) * place
    return x[(*before, slice(1, None))] - x[(*before, slice(None, -1))]  # type: ignore[no-any-return]


def _shifted(x: Any, axis: Axis) -> tuple[Variable, Variable]:
    """x less its largest element along `axis`, which is held constant, and that element."""
    top = as_operand(max(constant(as_operand(x)), axis, True))
    top = constant(np.where(np.isfinite(top), top, 0.0))
    return given(x) - top, top


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """log(sum(exp(x))) along `axis` (default: of all), without overflow."""
    rest, top = _shifted(x, axis)
    whole = log(sum(exp(rest), axis, True)) + top
    return whole if keepdims else sum(whole, axis)


def softmax(x: Any, axis: Axis = None) -> Variable:
    """exp(x)/sum(exp(x)) along `axis` (default: of all), without overflow."""
    part = exp(_shifted(x, axis)[0])
    return part / sum(part, axis, True)


def interp(x: Any, xs: Any, ys: Any) -> Variable:
    """The line through the points (xs, ys) at x; beyond them it is level.

    `xs` must grow.  On a point the derivative is the smaller of those beside it, 0 at an extremum.
    In a program x may be a column, and the points are numbers.
    """
    x, xs, ys = map(given, (x, xs, ys))
    if xs.ndim != 1 or xs.shape != ys.shape or xs.size < 2:
        raise ValueError("interp takes two lists of the same length, of two points at least")
    places, heights = as_operand(xs), as_operand(ys)
    for which, operand in (("second", places), ("third", heights)):
        if type(operand) is not np.ndarray:
            raise ValueError(f"the {which} value of interp must be a list of numbers in formulas")
    if not (np.diff(places) > 0.0).all():
        raise ValueError("the second value of interp must grow from element to element")
    if not isinstance(as_operand(x), ARRAYS):
        return Pieces(places.tolist(), heights.tolist())(x)
    place = np.clip(np.searchsorted(places, x.data, "right") - 1, 0, xs.size - 2)
    slopes = np.diff(heights) / np.diff(places)
    before, after = slopes[np.maximum(place - 1, 0)], slopes[place]
    on_point = (x.data == places[place]) & (place > 0)
    level = on_point & (before * after <= 0.0)
    left = place - (on_point & (np.absolute(before) < np.absolute(after)))
    x0, y0, x1, y1 = xs[left], ys[left], xs[left + 1], ys[left + 1]
    between = where(level, ys[place], _line(x, x0, x1, y0, y1))
    return where(x <= places[0], ys[0], where(x >= places[-1], ys[-1], between))


def _line(x: Variable, x0: Any, x1: Any, y0: Any, y1: Any) -> Variable:
    """The line through two points; where x is nan it has no slope."""
    return y0 + (x - x0) * inside(1.0, x) / (x1 - x0) * (y1 - y0)  # type: ignore[no-any-return]


class Pieces(Rule):
    """The same of what has no value yet, such as a column, between numbers: as nested choices."""

    __slots__ = ("heights", "places")

    def __init__(self, places: list[float], heights: list[float]) -> None:
        self.places = places
        self.heights = heights

    def slopes(self) -> list[float]:
        """The slope of each piece."""
        return (np.diff(self.heights) / np.diff(self.places)).tolist()  # type: ignore[no-any-return]

    def forward(self, x: Operand) -> Operand:
        points = itertools.pairwise(zip(self.places, self.heights, strict=True))
        lines = [y0 + (x - x0) / (x1 - x0) * (y1 - y0) for (x0, y0), (x1, y1) in points]
        return self.chosen(x, lines, self.heights[0], self.heights[-1])

    def gradient(self, gy: Operand, y: Operand, x: Operand) -> Operand:
        """The slope of the piece, nan where x is."""
        slopes: list[Operand] = [*self.slopes()]
        for i, (before, after) in enumerate(itertools.pairwise(self.slopes())):
            if after != 0.0 and before * after <= 0.0:
                slopes[i + 1] = np.where(x == self.places[i + 1], 0.0, after)
        return gy * inside(self.chosen(x, slopes, 0.0, 0.0), x)

    def chosen(self, x: Operand, pieces: list[Operand], below: float, above: float) -> Operand:
        """The piece that x is in, by a tree of choices; a point is in the flatter piece."""
        neighbours = zip(self.places[1:], itertools.pairwise(self.slopes()), strict=False)
        is_left = [
            x <= place if before * after > 0.0 and abs(before) < abs(after) else x < place
            for place, (before, after) in neighbours
        ]
        while len(pieces) > 1:
            pairs = zip(is_left[::2], pieces[::2], pieces[1::2], strict=False)
            pieces = [np.where(*pair) for pair in pairs] + pieces[len(pieces) & ~1 :]
            is_left = is_left[1::2]
        inner = np.where(x >= self.places[-1], above, pieces[0])
        return np.where(x <= self.places[0], below, inner)

    partials = (gradient,)


ARRAY_FUNCTIONS |= {
    np.var: var,
    np.std: std,
    np.median: median,
    np.cumsum: cumsum,
    np.diff: diff,
    np.interp: interp,
}

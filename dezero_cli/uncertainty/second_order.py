"""Standard uncertainties to second order, from exact second and third derivatives.

With g, H, T the first, second and third derivatives at the inputs' values and S the inputs'
covariance: the mean is the value + tr(H S)/2, and
sigma**2 = g' S g + tr((H S)**2)/2 + sum(g_i T_jkl S_ij S_kl), which for independent inputs is the
formula of JCGM 100:2008, 5.1.2, the note.  For normal inputs and a polynomial of degree 2 it is
exact.

T is never made: with S = R R', the derivatives along each column of R are taken, f'' along it is
added up, and the gradient of that sum, contracted with S g, is the third term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dezero import Variable, constant
from dezero_cli.language.expression import Expression
from dezero_cli.uncertainty.inputs import Inputs


class Moments(NamedTuple):
    """The mean of a result, and its variance in units of `scale` squared, which stay in range.

    A negative variance is as it came out.
    """

    mean: float
    relative: float
    scale: float

    @property
    def variance(self) -> float:
        """The variance."""
        return self.relative * self.scale**2

    @property
    def sigma(self) -> float:
        """The standard uncertainty; 0 where the terms leave a negative variance."""
        return float(self.scale * np.sqrt(np.maximum(self.relative, 0.0)))


@dataclass(frozen=True)
class Directions:
    """The columns of R, each with a number for every element of every uncertain input.

    `parts` has an array for each name, of the shape (directions, elements).
    """

    parts: dict[str, np.ndarray]
    count: int


def directions(inputs: Inputs, values: Mapping[str, np.ndarray]) -> Directions:
    """The directions that the inputs vary in; what has no uncertainty varies in none."""
    names = inputs.names
    sizes = [values[name].size for name in names]
    begins = np.cumsum([0, *sizes])
    every = np.zeros((begins[-1], begins[-1]))
    triangle = np.eye(len(names)) if inputs.triangle is None else inputs.triangle
    for i, j in zip(*np.nonzero(triangle), strict=True):
        sigma = np.broadcast_to(inputs.sigmas[names[i]], values[names[i]].shape).ravel()
        for element in range(sizes[i]):
            every[begins[j] + element, begins[i] + element] = triangle[i, j] * sigma[element]
    every = every[every.any(axis=1)]
    cuts = zip(names, begins, begins[1:], strict=False)
    parts = {name: every[:, i:j] for name, i, j in cuts}
    return Directions({name: part for name, part in parts.items() if part.any()}, len(every))


def moments(
    expression: Expression, values: Mapping[str, np.ndarray], inputs: Inputs
) -> list[Moments]:
    """The mean and the variance to second order of each element of a result."""
    along = directions(inputs, values)
    scalar = all(value.ndim == 0 for value in values.values())
    if scalar and expression.elementwise and not expression.has_lists:
        return [_of_columns(expression, values, along)]
    return _one_by_one(expression, values, along)


class _Sums:
    """What is added up of a result over the directions."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.first: list[np.ndarray] = []
        self.second: list[np.ndarray] = []
        self.third: dict[str, Any] = {}

    def moments(self, along: Directions) -> Moments:
        """The mean and the variance of the result."""
        slopes = np.concatenate(self.first) if self.first else np.zeros(0)
        curvatures = np.concatenate(self.second) if self.second else np.zeros((0, 0))
        # S g, by way of the directions: S = R R', and R' g are the slopes
        with np.errstate(all="ignore"):
            scale = max(np.abs(slopes).max(initial=0.0), np.abs(curvatures).max(initial=0.0))
            scale = float(scale) if 0.0 < scale < np.inf else 1.0
            mean = self.value + float(np.trace(curvatures)) / 2
            slopes, curvatures = slopes / scale, curvatures / scale
            third = sum(
                float(np.sum(_masked(gradient, part) / scale * (slopes @ part)))
                for gradient, part in ((g, along.parts[n]) for n, g in self.third.items())
            )
            relative = slopes @ slopes + np.sum(curvatures * curvatures.T) / 2 + third
        return Moments(mean, float(relative), scale)


def _of_columns(
    expression: Expression, values: Mapping[str, np.ndarray], along: Directions
) -> Moments:
    """The moments of one number that is made element by element: all directions at once."""
    with np.errstate(all="ignore"):
        sums = _Sums(float(_value(expression, values).data))
        step = Variable(np.zeros(along.count))
        xs = {name: Variable(np.repeat(values[name], along.count)) for name in along.parts}
        moved = {name: _moved(x, along.parts[name][:, 0], step) for name, x in xs.items()}
        if along.count:
            y = expression.evaluate(_constants(values, moved))
            _add(sums, y, step, xs, along)
    return sums.moments(along)


def _moved(x: Variable, part: np.ndarray, step: Variable) -> Variable:
    """A step from x along a direction; what does not move has no part, not 0 times infinity."""
    return x + np.where(part != 0, part * step, 0.0)


def _masked(gradient: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The derivatives for the elements that vary at all."""
    return np.where(part.any(axis=0), gradient, 0.0)


def _value(expression: Expression, values: Mapping[str, np.ndarray]) -> Variable:
    return expression.evaluate({name: constant(value) for name, value in values.items()})


def _constants(
    values: Mapping[str, np.ndarray], moved: Mapping[str, Variable]
) -> dict[str, Variable]:
    return {name: constant(value) for name, value in values.items()} | dict(moved)


def _one_by_one(
    expression: Expression, values: Mapping[str, np.ndarray], along: Directions
) -> list[Moments]:
    """The moments of each element of any result, direction by direction."""
    with np.errstate(all="ignore"):
        value = _value(expression, values)
        every = [_Sums(float(number)) for number in value.data.ravel()]
        for row in range(along.count):
            for i, sums in enumerate(every):
                step = Variable(np.zeros(()))
                xs = {name: Variable(values[name]) for name in along.parts}
                moved = {
                    name: _moved(x, along.parts[name][row].reshape(x.shape), step)
                    for name, x in xs.items()
                }
                y = expression.evaluate(_constants(values, moved))
                y = y if y.ndim == 0 else y[np.unravel_index(i, y.shape)]
                _add(sums, y, step, xs, along)
    return [sums.moments(along) for sums in every]


def _add(
    sums: _Sums, y: Variable, step: Variable, xs: Mapping[str, Variable], along: Directions
) -> None:
    """Add the derivatives of y along one direction, or along one in each row."""
    slope = _gradients(y, [step])[0]
    rows = step.size
    if slope is None:
        sums.first.append(np.zeros(rows))
        sums.second.append(np.zeros((rows, along.count)))
        return
    sums.first.append(np.ravel(slope.data))
    curvature, *mixed = _gradients(slope, [step, *xs.values()])
    second = np.zeros((rows, along.count))
    for name, gradient in zip(xs, mixed, strict=True):
        if gradient is not None:
            part = along.parts[name]
            second += _masked(np.reshape(gradient.data, (rows, -1)), part) @ part.T
    sums.second.append(second)
    if curvature is None or curvature.creator is None:
        return
    for name, gradient in zip(xs, _gradients(curvature, list(xs.values())), strict=True):
        if gradient is not None:
            part = np.reshape(gradient.data, (rows, -1)).sum(axis=0)
            sums.third[name] = sums.third.get(name, 0.0) + part


def _gradients(y: Variable, xs: Sequence[Variable]) -> list[Variable | None]:
    """The gradients of y, recorded, so that they have gradients of their own."""
    for x in xs:
        x.cleargrad()
    y.backward(create_graph=True)
    found = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    return found

"""The uncertainty of an expression's results at its inputs' values, under the keys of the JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero.work import spend
from dezero_cli.faults import CommandError, ValuesError
from dezero_cli.language import derivatives
from dezero_cli.language.expression import Expression
from dezero_cli.language.results import WRITTEN
from dezero_cli.language.spelling import quoted
from dezero_cli.uncertainty import first_order, second_order
from dezero_cli.uncertainty.asked import LEVEL, Asked
from dezero_cli.uncertainty.inputs import Inputs, column_name

if TYPE_CHECKING:
    from dezero_cli.uncertainty.draws import Blocks, Sample

Values = Mapping[str, np.ndarray]

MOST_NUMBERS = 5 * 10**7
"""Numbers that the derivatives of all results may be, beyond which a table is the better way."""

MOST_JOINT = 1000
"""Numbers of the results that are given a covariance, a row for each."""

MOST_DRAWN = 256
"""Numbers of the results that have draws: each takes a megabyte."""

FEW = 30
"""Inputs of which second order is looked at though nobody asked for it."""

LOOKS = 100
"""Inputs times results of which it is, if they are not done all at once."""

MISLEADING = 0.1
"""How far first order may be from second order before the user is told."""

NEGATIVE = "the terms of second order leave a negative variance"

HEAVY = 0.1
"""What part of the variance of draws the farthest may make before the user is told."""


@dataclass
class Aside:
    """What is not in a result: notes for the user, and the draws for a picture."""

    notes: list[str] = field(default_factory=list)
    sample: Sample | None = None


def shares(parts: Sequence[Any], inputs: Inputs, sigma: Any) -> dict[str, Any]:
    """The shares by name, and those of correlated pairs by both names with a comma between."""
    own, pairs = first_order.shares(parts, inputs.matrix, sigma)
    names = inputs.names
    found = dict(zip(names, own, strict=True))
    for (i, j), share in pairs.items():
        found[f"{quoted(names[i])},{quoted(names[j])}"] = share
    return found


class Form:
    """How numbers are given for each result: one number, an array, or a list over the results."""

    def __init__(self, is_list: bool, shapes: Sequence[tuple[int, ...]]) -> None:
        self.is_list = is_list
        self.shapes = shapes

    @property
    def is_joint(self) -> bool:
        """Whether there are several numbers, which have a covariance, but not too many."""
        several = self.is_list or self.shapes[0] != ()
        return several and sum(int(np.prod(shape)) for shape in self.shapes) <= MOST_JOINT

    def shaped(self, numbers: Any) -> Any:
        """Numbers of all results, one after another, in the form of the results."""
        found = []
        begin = 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            part = numbers[begin : begin + size]
            found.append(np.reshape(part, (*shape, *numbers.shape[1:])))
            begin += size
        return found if self.is_list else found[0]


class Propagation:
    """What is found of the uncertainty of one expression at its inputs' values."""

    def __init__(
        self, expression: Expression, values: Values, inputs: Inputs, asked: Asked
    ) -> None:
        self.expression = expression
        self.values = values
        self.inputs = inputs
        self.asked = asked
        elements = expression.results
        if asked.draws is not None:
            refuse_many(len(elements))
        spend(2 * WRITTEN * len(elements) * len(inputs.names))
        every = [_jacobians(element, values, inputs) for element in elements]
        self.form = Form(expression.is_list, [shape for shape, _ in every])
        self.slopes = [np.concatenate(each) for each in zip(*(j for _, j in every), strict=True)]
        self.parts = [
            first_order.products(slopes, np.broadcast_to(sigma, values[name].shape).reshape(-1))
            for slopes, (name, sigma) in zip(self.slopes, inputs.sigmas.items(), strict=True)
        ]
        self.rotated = first_order.rotated(self.parts, inputs.triangle)
        self.sigmas = first_order.sizes(self.rotated)

    def found(self, aside: Aside | None) -> dict[str, Any]:
        """Everything that is asked; what is for the user alone goes `aside`."""
        found = self._first_order()
        notes = [*self.inputs.notes]
        size = len(self.sigmas)
        if self.asked.order == 2:
            found["order2"] = self._second_order(notes)
        elif aside is not None and self._elements <= FEW and self._elements * size <= LOOKS:
            notes += self._misleading()
        if self.asked.draws is not None:
            sample = self._sample()
            found["mc"] = self._drawn(sample)
            notes += notes_on(sample)
            if aside is not None:
                aside.sample = sample
        if aside is not None:
            aside.notes += notes
        return found

    @property
    def _elements(self) -> int:
        """How many numbers are uncertain."""
        return sum(self.values[name].size for name in self.inputs.names)

    def _first_order(self) -> dict[str, Any]:
        """The uncertainties, shares, covariance, degrees of freedom and budget."""
        shaped = self.form.shaped
        every = shares(self.parts, self.inputs, self.sigmas[:, np.newaxis])
        found: dict[str, Any] = {"sigma": shaped(self.sigmas)}
        found["share"] = {name: shaped(share) for name, share in every.items()}
        if self.form.is_joint:
            spend(2 * WRITTEN * len(self.sigmas) ** 2)
            covariance, correlation = first_order.joint(self.rotated, self.sigmas)
            found |= {"covariance": covariance, "correlation": correlation}
        level = self.asked.level
        if self.inputs.freedom or (level is not None and self.asked.draws is None):
            from dezero_cli.uncertainty import freedom

            expanded = freedom.expanded(self.rotated, self.inputs, self.sigmas, level or LEVEL)
            found |= {key: shaped(numbers) for key, numbers in expanded.items()}
        if self.asked.budget:
            pairs = [name for name in every if name not in self.inputs.sigmas]
            pair_rows = [{"input": pair, "share": found["share"][pair]} for pair in pairs]
            found["budget"] = [*self._budget(), *pair_rows]
        return found

    def _budget(self) -> list[dict[str, Any]]:
        """A row for each element of each input: what it is, and what it does to each result."""
        shaped = self.form.shaped
        rows = []
        for number, (name, spread) in enumerate(self.inputs.sigmas.items()):
            value = self.values[name]
            sigmas = np.broadcast_to(spread, value.shape)
            for place, index in enumerate(np.ndindex(value.shape)):
                part = self.parts[number][:, place]
                with np.errstate(all="ignore"):
                    share = np.where(self.sigmas == 0, 0.0, np.square(part / self.sigmas))
                known: dict[str, Any] = {
                    "input": column_name(quoted(name), index),
                    "estimate": value[index],
                    "sigma": sigmas[index],
                    "distribution": str(self.inputs.distribution(name)),
                }
                if name in self.inputs.freedom:
                    known["dof"] = self.inputs.freedom[name]
                rows.append(
                    known
                    | {
                        "sensitivity": shaped(self.slopes[number][:, place]),
                        "contribution": shaped(part),
                        "share": shaped(share),
                    }
                )
        return rows

    def _moments(self) -> list[second_order.Moments]:
        return [
            each
            for element in self.expression.results
            for each in second_order.moments(element, self.values, self.inputs)
        ]

    def _second_order(self, notes: list[str]) -> dict[str, Any]:
        """The means and the uncertainties to second order."""
        every = self._moments()
        if any(each.relative < 0 for each in every):
            notes.append(f"note: {NEGATIVE}, which is taken as 0: --mc 1000000 tells what is right")
        means, sigmas = [each.mean for each in every], [each.sigma for each in every]
        shaped = self.form.shaped
        return {"value": shaped(np.array(means)), "sigma": shaped(np.array(sigmas))}

    def _misleading(self) -> list[str]:
        """A note where first order is more than 10% from second order."""
        try:
            every = self._moments()
        except CommandError:
            return []
        for first, each in zip(self.sigmas.tolist(), every, strict=True):
            if each.relative < 0:
                return [f"note: {NEGATIVE}: first order may mislead, --mc 1000000 does not"]
            if abs(first - each.sigma) > MISLEADING * max(first, each.sigma):
                return [
                    f"note: sigma is {first:.4g} to first order, but {each.sigma:.4g} to second: "
                    "--order 2 gives the latter, --mc 1000000 needs no order at all"
                ]
        return []

    def _sample(self) -> Sample:
        """Draws of the inputs, through the expression."""
        from dezero_cli.uncertainty import blocks

        if not len(self.sigmas) or not self._elements:
            raise ValuesError("--mc has nothing to draw: an array is empty")
        function, work = blocks.of_expression(self.expression, self.values, set(self.inputs.names))
        return sampled(function, self.values, self.inputs, self.asked, len(self.sigmas), work)

    def _drawn(self, sample: Sample) -> dict[str, Any]:
        """The means, uncertainties and intervals of draws."""
        shaped = self.form.shaped
        found = {
            "mean": shaped(sample.means),
            "sigma": shaped(sample.sigmas),
            "interval": shaped(sample.intervals),
            "shortest": shaped(sample.shortest),
            "samples": sample.samples,
            "seed": sample.seed,
        }
        if self.form.is_joint:
            correlation = first_order.correlation(sample.covariance)
            found |= {"covariance": sample.covariance, "correlation": correlation}
        return found


def refuse_many(count: int) -> None:
    """Raise ValuesError for more results than can be drawn."""
    if count > MOST_DRAWN:
        raise ValuesError(f"--mc draws at most {MOST_DRAWN} results, here are {count:,}")


def sampled(
    function: Blocks, values: Values, inputs: Inputs, asked: Asked, count: int, work: int = 1
) -> Sample:
    """Draws of the inputs, as many as are asked for, through a function of `count` results.

    Raises ValuesError for too many results, and for a distribution that an input cannot have.
    """
    import secrets

    from dezero_cli.uncertainty import distributions, draws

    assert asked.draws is not None
    refuse_many(count)
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    source = distributions.InputDraws(inputs, values, seed, count)
    return draws.sample(function, source, asked.draws, asked.level or LEVEL, work=work)


def of_gradients(
    gradients: Mapping[str, Mapping[str, np.ndarray]], values: Values, inputs: Inputs
) -> dict[str, Any]:
    """Under "sigma" and "share" those of results by name, whose derivatives are known.

    `gradients` has, for each result and each input, an array of the result's shape, then the
    input's; `values` and `inputs` are as `inputs.resolved` gives them.
    """
    found: dict[str, Any] = {"sigma": {}, "share": {}}
    for result, slopes in gradients.items():
        first = inputs.names[0]
        shape = np.shape(slopes[first])[: np.ndim(slopes[first]) - values[first].ndim]
        parts = [
            first_order.products(
                np.reshape(slopes[name], (-1, values[name].size)),
                np.broadcast_to(sigma, values[name].shape).reshape(-1),
            )
            for name, sigma in inputs.sigmas.items()
        ]
        sigmas = first_order.sizes(first_order.rotated(parts, inputs.triangle))
        every = shares(parts, inputs, sigmas[:, np.newaxis])
        found["sigma"][result] = sigmas.reshape(shape)
        found["share"][result] = {name: share.reshape(shape) for name, share in every.items()}
    return found


def _jacobians(
    element: Expression, values: Values, inputs: Inputs
) -> tuple[tuple[int, ...], list[np.ndarray]]:
    """The shape of a result, and for each input a row for each of its numbers."""
    value = derivatives.value(element, values)
    if value.ndim == 0:
        found = derivatives.value_and_gradient(element, values, inputs.names)[1]
    else:
        count = value.size * sum(values[name].size for name in inputs.names)
        if count > MOST_NUMBERS:
            raise ValuesError(
                f"--sigma needs {count:,} derivatives of {value.size:,} results: for long columns "
                "there is dezero map"
            )
        found = derivatives.jacobian(element, values, inputs.names)
    return value.shape, [
        np.reshape(found[name], (value.size, values[name].size)) for name in inputs.names
    ]


def notes_on(sample: Sample) -> list[str]:
    """What a user should know of draws before taking their word for it."""
    notes = []
    if sample.left_out:
        notes.append(
            f"note: {sample.left_out:,} of {sample.samples:,} draws have a result that is not "
            "finite, and are left out"
        )
    if sample.heaviest > HEAVY and sample.samples >= LARGE:
        notes.append(
            f"note: one draw of {sample.samples:,} makes {100 * sample.heaviest:.0f}% of the "
            "variance: mean and sigma of the draws may not exist; the intervals do"
        )
    if not sample.settled:
        notes.append(f"note: the digits do not stand after {sample.samples:,} draws")
    return notes


LARGE = 1000
"""Draws of which the farthest should not matter."""

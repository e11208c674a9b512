"""What is asked of an expression, uncertainties too, in; results out: `results`.

This is the door of `eval`, `batch` and their like where there are uncertainties; it goes through
that of the language for the value and the derivatives.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dezero_cli.faults import CommandError, UsageError, ValuesError
from dezero_cli.language import derivatives
from dezero_cli.language import results as plain
from dezero_cli.language.expression import Expression
from dezero_cli.language.results import Wanted
from dezero_cli.language.spelling import quoted
from dezero_cli.uncertainty import first_order, freedom, second_order
from dezero_cli.uncertainty.asked import LEVEL, Asked, Draws
from dezero_cli.uncertainty.inputs import Inputs, resolved

Values = Mapping[str, np.ndarray]

MOST_NUMBERS = 5 * 10**7
"""Numbers that the derivatives of all results may be, beyond which a table is the better way."""


def results(
    expression: Expression,
    given: Values,
    wanted: Wanted,
    asked: Asked,
    stacked: bool = False,
    own: Iterable[str] | None = None,
    notes: list[str] | None = None,
) -> dict[str, Any]:
    """The value, everything `wanted`, and the uncertainties, under the keys of the JSON object.

    The arguments are those of the language's `results`, and `asked`, whose `notes` for the user
    are added to a list.  Raises UsageError where `wanted` rules a gradient out, and ValuesError
    for uncertainties that do not fit the values.
    """
    if not asked:
        return plain.results(expression, given, wanted, stacked, own=own)
    if wanted.no_grad:
        fault = "--no-grad prints only the value: leave out options that need a gradient"
        raise UsageError(fault)
    expression, given = plain.held(expression, given, wanted.wrt or ())
    for name in asked.names:
        if name in expression.definitions:
            hint = f"--wrt {name} takes it for an input"
            raise ValuesError(f"--sigma {name}: {name} is a definition: {hint}")
    values, inputs = resolved(asked, given, stacked)
    shown = plain.inputs(expression, values, wanted.wrt, own)
    if stacked and not expression.is_list:
        return _columns(expression, values, wanted, inputs, shown)
    found = plain.results(expression, values, replace(wanted, wrt=tuple(shown)), stacked)
    return found | _Propagation(expression, values, inputs, asked).found(notes)


def _columns(
    expression: Expression, values: Values, wanted: Wanted, inputs: Inputs, shown: Sequence[str]
) -> dict[str, Any]:
    """The results of many lines at once, whose values are columns."""
    every = tuple(dict.fromkeys([*shown, *inputs.names]))
    found = plain.results(expression, values, replace(wanted, wrt=every), stacked=True)
    gradients = found["grad"]
    for key in ("grad", "hessian", "jacobian"):
        if key in found:
            found[key] = _of_names(found[key], shown)
    parts = [first_order.products(gradients[name], sigma) for name, sigma in inputs.sigmas.items()]
    sigma = first_order.length(first_order.rotated(parts, inputs.triangle))
    return found | {"sigma": sigma, "share": shares(parts, inputs, sigma)}


def _of_names(found: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Derivatives for these names, and for no others."""
    return {
        name: _of_names(found[name], names) if isinstance(found[name], Mapping) else found[name]
        for name in names
    }


def shares(parts: Sequence[Any], inputs: Inputs, sigma: Any) -> dict[str, Any]:
    """The shares by name, and those of correlated pairs by both names with a comma between."""
    own, pairs = first_order.shares(parts, inputs.matrix, sigma)
    names = inputs.names
    found = dict(zip(names, own, strict=True))
    for (i, j), share in pairs.items():
        found[f"{quoted(names[i])},{quoted(names[j])}"] = share
    return found


def contributions(
    expression: Expression, values: Values, inputs: Inputs
) -> tuple[list[np.ndarray], list[tuple[int, ...]]]:
    """What each input contributes to each number of the results, and the results' shapes.

    An array for each input: a row for each number, in which every element has its own.
    """
    elements = expression.results
    shapes = []
    rows: list[list[np.ndarray]] = []
    for element in elements:
        jacobians = _jacobian(element, values, inputs)
        shape = jacobians[0].shape[: jacobians[0].ndim - values[inputs.names[0]].ndim]
        shapes.append(shape)
        size = int(np.prod(shape))
        rows.append(
            [
                first_order.products(
                    jacobian.reshape(size, -1),
                    np.broadcast_to(sigma, values[name].shape).reshape(-1),
                )
                for jacobian, (name, sigma) in zip(jacobians, inputs.sigmas.items(), strict=True)
            ]
        )
    return [np.concatenate(each) for each in zip(*rows, strict=True)], shapes


def _jacobian(element: Expression, values: Values, inputs: Inputs) -> list[np.ndarray]:
    """The Jacobian of a result for each input, unless it is too large."""
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
    return [found[name] for name in inputs.names]


FEW = 30
"""Inputs, and results, of which second order is looked at though nobody asked for it."""

MISLEADING = 0.1
"""How far first order may be from second order before the user is told."""

NEGATIVE = "the terms of second order leave a negative variance"


class Form:
    """How numbers are given for each result: one number, an array, or a list over the results."""

    def __init__(self, is_list: bool, shapes: Sequence[tuple[int, ...]]) -> None:
        self.is_list = is_list
        self.shapes = shapes

    @property
    def is_joint(self) -> bool:
        """Whether there are several numbers, which have a covariance."""
        return self.is_list or self.shapes[0] != ()

    def shaped(self, numbers: Any) -> Any:
        """Numbers of all results, one after another, in the form of the results."""
        found = []
        begin = 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            found.append(np.reshape(numbers[begin : begin + size], (*shape, *numbers.shape[1:])))
            begin += size
        return found if self.is_list else found[0]


class _Propagation:
    """What is found of the uncertainty of one expression at its inputs' values."""

    def __init__(
        self, expression: Expression, values: Values, inputs: Inputs, asked: Asked
    ) -> None:
        self.expression = expression
        self.values = values
        self.inputs = inputs
        self.asked = asked
        self.parts, shapes = contributions(expression, values, inputs)
        self.form = Form(expression.is_list, shapes)
        self.rotated = first_order.rotated(self.parts, inputs.triangle)
        self.sigmas = first_order.sizes(self.rotated)

    def found(self, notes: list[str] | None) -> dict[str, Any]:
        """Everything that is asked; `notes` are added to, where there is a user to read them."""
        found = self._first_order()
        said = [*self.inputs.notes]
        if self.asked.order == 2:
            found["order2"] = self._second_order(said)
        elif notes is not None and len(self.sigmas) <= FEW >= self._elements:
            said += self._misleading()
        if self.asked.draws is not None:
            found["mc"] = self._draws(self.asked.draws, said)
        if notes is not None:
            notes += said
        return found

    @property
    def _elements(self) -> int:
        """How many numbers are uncertain."""
        return sum(self.values[name].size for name in self.inputs.names)

    def _first_order(self) -> dict[str, Any]:
        """The uncertainties, shares, covariance and degrees of freedom."""
        shaped = self.form.shaped
        every = shares(self.parts, self.inputs, self.sigmas[:, np.newaxis])
        found: dict[str, Any] = {"sigma": shaped(self.sigmas)}
        found["share"] = {name: shaped(share) for name, share in every.items()}
        if self.form.is_joint:
            found |= joint(first_order.covariance_of(self.rotated))
        level = self.asked.level
        if self.inputs.freedom or (level is not None and self.asked.draws is None):
            expanded = freedom.expanded(self.rotated, self.inputs, self.sigmas, level or LEVEL)
            found |= {key: shaped(numbers) for key, numbers in expanded.items()}
        return found

    def _moments(self) -> list[second_order.Moments]:
        return [
            each
            for element in self.expression.results
            for each in second_order.moments(element, self.values, self.inputs)
        ]

    def _second_order(self, notes: list[str]) -> dict[str, Any]:
        """The means and the uncertainties to second order."""
        every = self._moments()
        if any(each.variance < 0 for each in every):
            notes.append(f"note: {NEGATIVE}, which is taken as 0: --mc 1000000 tells what is right")
        means, sigmas = ([each.mean for each in every], [each.sigma for each in every])
        return {
            "value": self.form.shaped(np.array(means)),
            "sigma": self.form.shaped(np.array(sigmas)),
        }

    def _misleading(self) -> list[str]:
        """A note where first order is more than 10% from second order."""
        try:
            every = self._moments()
        except CommandError:
            return []
        for first, each in zip(self.sigmas.tolist(), every, strict=True):
            if each.variance < 0:
                return [f"note: {NEGATIVE}: first order may mislead, --mc 1000000 does not"]
            if abs(first - each.sigma) > MISLEADING * max(first, each.sigma):
                return [
                    f"note: sigma is {first:.4g} to first order, but {each.sigma:.4g} to second: "
                    "--order 2 gives that, --mc 1000000 an answer that needs neither"
                ]
        return []

    def _draws(self, wanted: Draws, notes: list[str]) -> dict[str, Any]:
        """The means, uncertainties and intervals of draws."""
        from dezero_cli.uncertainty import blocks, distributions, draws

        seed = self.asked.seed
        if seed is None:
            seed = secrets.randbits(32)
        source = distributions.Source(self.inputs, self.values, seed)
        function = blocks.of_expression(self.expression, self.values, set(self.inputs.names))
        level = self.asked.level or LEVEL
        sample = draws.sample(function, source, wanted, level)
        if sample.left_out:
            notes.append(
                f"note: {sample.left_out:,} of {sample.samples:,} draws have a result that is not "
                "finite, and are left out"
            )
        if not sample.settled:
            notes.append(f"note: the digits do not stand after {sample.samples:,} draws")
        shaped = self.form.shaped
        found = {
            "mean": shaped(sample.means),
            "sigma": shaped(sample.sigmas),
            "interval": shaped(sample.intervals),
            "shortest": shaped(sample.shortest),
            "samples": sample.samples,
            "seed": sample.seed,
        }
        return found | (joint(sample.covariance) if self.form.is_joint else {})


def joint(covariance: np.ndarray) -> dict[str, Any]:
    """The covariance and the correlation of all numbers of the results, in order."""
    return {"covariance": covariance, "correlation": first_order.correlation(covariance)}

"""What is asked of an expression, uncertainties too, in; results out: `results`.

This is the door of `eval`, `batch` and their like where there are uncertainties; it goes through
that of the language for the value and the derivatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dezero_cli.faults import UsageError, ValuesError
from dezero_cli.language import derivatives
from dezero_cli.language import results as plain
from dezero_cli.language.expression import Expression
from dezero_cli.language.results import Wanted
from dezero_cli.language.spelling import quoted
from dezero_cli.uncertainty import first_order
from dezero_cli.uncertainty.asked import Asked
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
    found |= _first_order(expression, values, inputs)
    if notes is not None:
        notes += inputs.notes
    return found


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


def _first_order(expression: Expression, values: Values, inputs: Inputs) -> dict[str, Any]:
    """The uncertainties to first order, with the covariance of the results if there are several."""
    parts, shapes = contributions(expression, values, inputs)
    rotated = first_order.rotated(parts, inputs.triangle)
    sigmas = first_order.sizes(rotated)
    every = shares(parts, inputs, sigmas[:, np.newaxis])
    form = Form(expression.is_list, shapes)
    found = {
        "sigma": form.shaped(sigmas),
        "share": {name: form.shaped(share) for name, share in every.items()},
    }
    return found | (form.joint(first_order.covariance_of(rotated)) if form.is_joint else {})


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
            found.append(np.reshape(numbers[begin : begin + size], shape))
            begin += size
        return found if self.is_list else found[0]

    def joint(self, covariance: np.ndarray) -> dict[str, Any]:
        """The covariance and the correlation of all numbers of the results, in order."""
        return {"covariance": covariance, "correlation": first_order.correlation(covariance)}

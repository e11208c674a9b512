"""What is asked of an expression, uncertainties too, in; results out: `results`.

This is the door of `eval`, `batch` and their like where there are uncertainties; it goes through
that of the language for the value and the derivatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero_cli.faults import UsageError, ValuesError
from dezero_cli.language import results as plain
from dezero_cli.language.expression import Expression
from dezero_cli.language.results import Wanted
from dezero_cli.uncertainty.asked import Asked

if TYPE_CHECKING:
    from dezero_cli.uncertainty.inputs import Inputs
    from dezero_cli.uncertainty.propagation import Aside

Values = Mapping[str, np.ndarray]


def results(
    expression: Expression,
    given: Values,
    wanted: Wanted,
    asked: Asked,
    stacked: bool = False,
    own: Iterable[str] | None = None,
    aside: Aside | None = None,
) -> dict[str, Any]:
    """The value, everything `wanted`, and the uncertainties, under the keys of the JSON object.

    The arguments are those of the language's `results`, and `asked`; what is for the user alone
    goes `aside`.  Raises UsageError where `wanted` rules a gradient out, and ValuesError for
    uncertainties that do not fit the values.
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
    from dezero_cli.uncertainty.inputs import resolved

    with np.errstate(all="ignore"):
        values, inputs = resolved(asked, given, stacked)
        shown = plain.inputs(expression, values, wanted.wrt, own)
        if stacked:
            return _columns(expression, values, wanted, inputs, shown)
        found = plain.results(expression, values, replace(wanted, wrt=tuple(shown)))
        from dezero_cli.uncertainty.propagation import Propagation

        return found | Propagation(expression, values, inputs, asked).found(aside)


def _columns(
    expression: Expression, values: Values, wanted: Wanted, inputs: Inputs, shown: Sequence[str]
) -> dict[str, Any]:
    """The results of many lines at once, whose values are columns, to first order."""
    from dezero_cli.uncertainty import first_order
    from dezero_cli.uncertainty.propagation import shares

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

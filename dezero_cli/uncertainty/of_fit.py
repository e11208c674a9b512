"""What a fit found -> values and uncertainties of a formula's inputs: `--fit FILE`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.language.fitted import FittedValues
from dezero_cli.uncertainty import first_order
from dezero_cli.uncertainty.asked import Asked


def among(fit: FittedValues, used: Collection[str], given: Collection[str]) -> FittedValues:
    """The parameters that are `used`, but for those whose values are `given` otherwise."""
    kept = [i for i, name in enumerate(fit.values) if name in used and name not in given]
    names = list(fit.values)
    values = {names[i]: fit.values[names[i]] for i in kept}
    return replace(fit, values=values, covariance=fit.covariance[np.ix_(kept, kept)])


def sigmas(fit: FittedValues) -> dict[str, float]:
    """The standard uncertainties of the parameters; those that were held have none."""
    found = np.sqrt(np.diagonal(fit.covariance)).tolist()
    return {name: sigma for name, sigma in zip(fit.values, found, strict=True) if sigma}


def uncertain(fit: FittedValues, more: Asked | None) -> Asked:
    """What is asked, and the uncertainties of the fit.  Raises ValuesError for one said twice."""
    more = Asked() if more is None else more
    sizes = sigmas(fit)
    for name in more.names:
        if name in sizes:
            raise ValuesError(f"{name} has an uncertainty from --fit: give {name}=VALUE too")
    correlation = first_order.correlation(fit.covariance)
    names = list(fit.values)
    pairs: dict[tuple[str, str], float | str] = {
        (names[i], names[j]): float(correlation[i, j])
        for j in range(len(names))
        for i in range(j)
        if correlation[i, j]
    }
    arrays = {name: np.array(sigma) for name, sigma in sizes.items()}
    return replace(
        more, sizes={**arrays, **more.sizes}, correlations={**pairs, **more.correlations}
    ).checked()

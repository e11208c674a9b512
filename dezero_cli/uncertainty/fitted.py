"""What a fit found, as its JSON says it: values, uncertainties and correlations of parameters."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.language.json_input import loads
from dezero_cli.language.spelling import canonical
from dezero_cli.uncertainty import first_order
from dezero_cli.uncertainty.asked import Asked


@dataclass(frozen=True)
class Fitted:
    """The parameters of a fit; those that were held have no uncertainty.

    `covariance` has a row for each of `names`, which are those that were fitted.
    """

    values: dict[str, np.ndarray]
    names: tuple[str, ...]
    covariance: np.ndarray

    @property
    def sigmas(self) -> dict[str, float]:
        """The standard uncertainties."""
        sigmas = np.sqrt(np.diagonal(self.covariance)).tolist()
        return dict(zip(self.names, sigmas, strict=True))

    def among(self, used: Collection[str], given: Collection[str]) -> Fitted:
        """The parameters that are `used`, but for those whose values are `given` otherwise."""
        wanted = {name for name in self.values if name in used and name not in given}
        kept = [i for i, name in enumerate(self.names) if name in wanted]
        values = {name: value for name, value in self.values.items() if name in wanted}
        names = tuple(self.names[i] for i in kept)
        return Fitted(values, names, self.covariance[np.ix_(kept, kept)])

    def asked(self, more: Asked | None) -> Asked:
        """What is asked, with the uncertainties of the fit; ValuesError for one said twice."""
        more = Asked() if more is None else more
        for name in more.names:
            if name in self.names:
                raise ValuesError(f"{name} has an uncertainty from --fit: give {name}=VALUE too")
        correlation = first_order.correlation(self.covariance)
        sizes = {name: np.array(sigma) for name, sigma in self.sigmas.items()}
        pairs = {
            (self.names[i], self.names[j]): float(correlation[i, j])
            for j in range(len(self.names))
            for i in range(j)
            if correlation[i, j]
        }
        correlations = {**pairs, **more.correlations}
        return replace(more, sizes={**sizes, **more.sizes}, correlations=correlations).checked()


def fitted(what: str, text: bytes) -> Fitted:
    """What the JSON of ``dezero fit --json`` says, of the file that is called `what`.

    Raises ValuesError for anything else.
    """
    try:
        return _fitted(loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValuesError(f"{what} is not what dezero fit --json prints") from None


def _fitted(data: Mapping[str, Any]) -> Fitted:
    params = {canonical(name): each for name, each in data["params"].items()}
    values = {name: np.array(float(each["value"])) for name, each in params.items()}
    rows = {canonical(name): row for name, row in data.get("covariance", {}).items()}
    names = tuple(name for name in params if name in rows)
    by_name = [{canonical(n): float(x) for n, x in rows[name].items()} for name in names]
    covariance = np.array([[row[name] for name in names] for row in by_name])
    covariance = covariance.reshape(len(names), len(names))
    if not (np.diagonal(covariance) >= 0).all() or not math.isfinite(covariance.sum()):
        raise ValueError
    return Fitted(values, names, covariance)

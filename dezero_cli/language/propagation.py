"""Standard uncertainties of inputs -> the standard uncertainty of the result, to first order.

sigma**2 = sum((d/dNAME * S)**2) over the inputs (and their elements) with standard uncertainty S,
which are taken as independent (JCGM 100:2008, equation 10).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dezero.functions import CONSTANTS
from dezero_cli.faults import ValuesError, did_you_mean
from dezero_cli.language.diagnosis import assignment
from dezero_cli.language.spelling import canonical
from dezero_cli.language.statements import behind, head
from dezero_cli.language.values import value

Sigmas = Mapping[str, np.ndarray | str]
"""For each name its standard uncertainty, or the name of the value that holds it."""


def uncertainties(words: Iterable[str]) -> dict[str, np.ndarray | str]:
    """The NAME=S words of ``--sigma``: an array, or the name of another value, for each name."""
    return {name: uncertainty(name, text) for name, text in sigma_words(words).items()}


def sigma_words(words: Iterable[str]) -> dict[str, str]:
    """The text S of each NAME=S."""
    found: dict[str, str] = {}
    for word in words:
        begun = head(word)
        if begun is None or begun.parameters is not None:
            raise ValuesError(f"--sigma: expected NAME=S, got {word!r}")
        if following := re.search(r",\s*(?=[^,=]+=)", word[begun.end :]):
            one, other = word[: begun.end + following.start()], word[begun.end + following.end() :]
            hint = f"write --sigma {one} --sigma {other}"
            raise ValuesError(f"--sigma takes one NAME=S: {hint}")
        if begun.name in found:
            raise ValuesError(f"--sigma {begun.name} is given twice")
        found[begun.name] = behind(word, begun)
    return found


def uncertainty(name: str, text: str) -> np.ndarray | str:
    """The standard uncertainty S of a name: an array, or the name of the value that holds it."""
    if (text.isidentifier() and text not in CONSTANTS) or text[:1] == "`":
        return canonical(text)
    array = value(name, text)
    if not (array >= 0).all():
        raise ValuesError(f"--sigma {name}: an uncertainty cannot be negative")
    return array


def checked(sigmas: Sigmas, given: Mapping[str, np.ndarray], stacked: bool) -> dict[str, Any]:
    """The standard uncertainties as arrays, checked; with `stacked`, one for each row.

    Raises ValuesError for a name without a value, a wrong shape or a negative uncertainty.
    """
    found: dict[str, Any] = {}
    for name, sigma in sigmas.items():
        for wanted in (name, sigma):
            if isinstance(wanted, str) and wanted not in given:
                hint = did_you_mean(wanted, given) or f"add {assignment(wanted)}"
                raise ValuesError(f"--sigma {name}: no value for {wanted}: {hint}")
        array = given[sigma] if isinstance(sigma, str) else sigma
        if not stacked and array.shape not in {(), given[name].shape}:
            raise ValuesError(
                f"--sigma {name}: shape {array.shape} differs from the shape of {name}"
            )
        if (array < 0).any():
            raise ValuesError(f"--sigma {name}: an uncertainty cannot be negative")
        found[name] = array
    return found


def parts(
    value: np.ndarray, gradients: Mapping[str, np.ndarray], sigmas: Mapping[str, Any], stacked: bool
) -> dict[str, Any]:
    """What each input contributes: the size of d/dNAME * S; with `stacked`, in each row.

    Raises ValuesError for a value that is an array, unless it is `stacked`.
    """
    if value.ndim and not stacked:
        raise ValuesError(
            f"--sigma needs a result that is one number, but its shape is {value.shape}"
        )
    with np.errstate(all="ignore"):
        products = {name: gradients[name] * sigma for name, sigma in sigmas.items()}
        if stacked:
            return {name: np.absolute(product) for name, product in products.items()}
        return {name: np.hypot.reduce(np.ravel(p), initial=0.0) for name, p in products.items()}


def total(contributions: Mapping[str, Any]) -> Any:
    """The standard uncertainty of the result."""
    sigma: Any = np.float64(0.0)
    with np.errstate(all="ignore"):
        for part in contributions.values():
            sigma = np.hypot(sigma, part)
    return sigma


def shares(contributions: Mapping[str, Any], sigma: Any) -> dict[str, Any]:
    """The share of each input in the square of `sigma`."""
    with np.errstate(all="ignore"):
        ratios = {n: np.where(sigma == 0, 0.0, part / sigma) for n, part in contributions.items()}
    return {name: ratio * ratio for name, ratio in ratios.items()}

"""`solve`, `minimize` and `maximize` for Python: formulas and numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dezero_cli import extras
from dezero_cli.faults import ValuesError
from dezero_cli.language import statements, unknowns
from dezero_cli.language.diagnosis import missing_value
from dezero_cli.language.equations import constraints
from dezero_cli.language.equations import equations as read
from dezero_cli.language.expression import Expression
from dezero_cli.language.model import Model, Numbers, plain
from dezero_cli.language.ranges import Limits
from dezero_cli.language.spelling import canonical, name_meant, quoted
from dezero_cli.language.statements import Given
from dezero_cli.solving import equation
from dezero_cli.solving.equation import EquationTask
from dezero_cli.solving.functions import Array
from dezero_cli.solving.implicit import Implicit
from dezero_cli.solving.optimum import Found, OptimumTask, optimum

Ends = tuple[float | None, float | None]
"""The least and the largest number that a name may have; None is an open end."""


@dataclass(frozen=True)
class EquationSolution:
    """Where the search for a solution ended; a solution only if it `converged`."""

    at: dict[str, Any]
    """The unknowns: floats, or arrays in the shape of their starts."""
    gradient: dict[str, dict[str, Any]]
    """The derivatives of each unknown for each value given; empty where there is no solution."""
    residual: float
    """The largest difference that is left between two sides."""
    converged: bool
    steps: int
    message: str


def solve(
    equations: str | Iterable[str],
    start: Mapping[str, Numbers] | None = None,
    values: Mapping[str, Numbers] | None = None,
    *,
    within: Mapping[str, Ends] | None = None,
    define: Mapping[str, str] | None = None,
) -> EquationSolution:
    """Solve equations such as ``"cos(x) == x"`` for the names in `start` and `within`.

    >>> found = solve("x*exp(x) == a", {"x": 1}, {"a": 2})
    >>> round(found.at["x"], 12), round(found.gradient["x"]["a"], 12)
    (0.852605502014, 0.230109837493)

    `start` is where the search begins; `within` gives an unknown a bracket, in which a root of one
    equation is found whenever the signs at its ends differ.  `values` are the other names', and
    `define` what names and functions stand for.  The derivatives are exact, by the implicit
    function theorem.

    Raises ExpressionError for a text with a fault and for a name without a value, ValuesError for
    numbers that do not fit and for another number of equations than of unknowns, and MissingError
    without SciPy.
    """
    extras.require("scipy")
    given = given_by(values, define)
    texts = [equations] if isinstance(equations, str) else equations
    residuals = [each.residual for text in texts for each in read(text, given)]
    limits = limits_by(within or {})
    begun = _start(start or {}, limits, given)
    held = _held(residuals, begun, given)
    end = equation.solve(EquationTask(residuals, begun, held, limits))
    slopes = Implicit(residuals, end.at, held, {}).gradients() if end.converged else {}
    return EquationSolution(
        plain(end.at), plain(slopes), end.residual, end.converged, end.steps, end.message
    )


def minimize(
    expression: str | Model,
    start: Mapping[str, Numbers] | None = None,
    values: Mapping[str, Numbers] | None = None,
    *,
    within: Mapping[str, Ends] | None = None,
    st: str | Sequence[str] = (),
    define: Mapping[str, str] | None = None,
    starts: int = 1,
    seed: int = 0,
) -> Found:
    """Find where an expression is least, varying the names in `start` and `within`.

    >>> found = minimize("x + y", {"x": 1, "y": 1}, within={"x": (0, None)}, st="x*y >= 25")
    >>> found.kind, round(found.value, 9), round(found.at["x"], 9)
    ('minimum', 10.0, 5.0)

    `within` bounds a name, `st` are constraints such as ``"0 <= x + y <= 1"``; both act on the
    result, whose `active` has the multipliers.  `values` are the other names', and `define` what
    names and functions stand for; a Model brings definitions of its own.  Of several `starts` the
    best end is given; `seed` says which are drawn.

    Raises ExpressionError for a text with a fault and for a name without a value, ValuesError for
    numbers that do not fit, and MissingError without SciPy.
    """
    return _optimum(False, expression, start, values, within, st, define, starts, seed)


def maximize(
    expression: str | Model,
    start: Mapping[str, Numbers] | None = None,
    values: Mapping[str, Numbers] | None = None,
    *,
    within: Mapping[str, Ends] | None = None,
    st: str | Sequence[str] = (),
    define: Mapping[str, str] | None = None,
    starts: int = 1,
    seed: int = 0,
) -> Found:
    """Find where an expression is largest; all else is as in `minimize`.

    >>> round(maximize("x*exp(-k*x)", {"x": 1}, {"k": 0.5}).at["x"], 9)
    2.0
    """
    return _optimum(True, expression, start, values, within, st, define, starts, seed)


def _optimum(
    upwards: bool,
    expression: str | Model,
    start: Mapping[str, Numbers] | None,
    values: Mapping[str, Numbers] | None,
    within: Mapping[str, Ends] | None,
    st: str | Sequence[str],
    define: Mapping[str, str] | None,
    starts: int,
    seed: int,
) -> Found:
    extras.require("scipy")
    if starts < 1:
        raise ValuesError(f"starts={starts}: there must be 1 or more")
    own = expression.definitions if isinstance(expression, Model) else {}
    given = given_by(values, {**own, **(define or {})})
    whole = given.linked(expression.text if isinstance(expression, Model) else expression)
    if whole.is_list:
        raise ValuesError("one value is needed, not a list of several")
    texts = [st] if isinstance(st, str) else st
    conditions = [each for text in texts for each in constraints(text, given)]
    limits = limits_by(within or {})
    begun = _start(start or {}, limits, given)
    held = _held([whole, *(each.residual for each in conditions)], begun, given)
    task = OptimumTask(whole, begun, held, limits, conditions, upwards, starts, seed)
    found = optimum(task)
    return replace(found, at=plain(found.at), gradient=plain(found.gradient))


# ------------------------------------------------------------------------------- what a call says
def given_by(values: Mapping[str, Numbers] | None, define: Mapping[str, str] | None) -> Given:
    """What is said of names that are not searched for."""
    said = statements.statements(f"{head}={body}" for head, body in (define or {}).items())
    given = statements.defined(said)
    given.values = numbers_by(values or {})
    return given


def numbers_by(numbers: Mapping[str, Numbers]) -> dict[str, Array]:
    """Numbers and arrays by name, as float64.  Raises ValuesError for what is neither."""
    found = {}
    for name, given in numbers.items():
        try:
            found[canonical(name)] = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValuesError(f"{quoted(name)}: not a number or an array of numbers") from None
    return found


def limits_by(within: Mapping[str, Ends]) -> dict[str, Limits]:
    """Limits by name.  Raises ValuesError where there is no number between them."""
    found = {}
    for name, (low, high) in within.items():
        ends = Limits(-math.inf if low is None else low, math.inf if high is None else high)
        if not ends.low < ends.high:
            raise ValuesError(f"within: no number lies between the ends {low} and {high} of {name}")
        found[canonical(name)] = ends
    return found


def _start(
    start: Mapping[str, Numbers], limits: Mapping[str, Limits], given: Given
) -> dict[str, Array]:
    """Where every unknown begins."""
    begun = numbers_by(start)
    found = {name: unknowns.start(name, begun, limits) for name in {**begun, **limits}}
    if not found:
        raise ValuesError("nothing is unknown: give a start, as in {'x': 1}")
    for name in found:
        if name in given.values or name in given.definitions:
            what = "value" if name in given.values else "definition"
            raise ValuesError(f"{quoted(name)} is searched for, and has a {what}")
    return found


def _held(
    parts: Sequence[Expression], begun: Mapping[str, Array], given: Given
) -> dict[str, Array]:
    """The values that the expressions use; refuses names without one, and unknowns not in use."""
    used = dict.fromkeys(name for part in parts for name in part.names)
    for name in begun:
        if name not in used:
            hint = name_meant(name, used) or f"they are {', '.join(used)}"
            raise ValuesError(f"no {quoted(name)} among the names: {hint}")
    known = dict.fromkeys([*begun, *given.values])
    for part in parts:
        for name in part.names:
            if name not in known and not part.is_constant(name):
                text, place = part.source(name)
                raise missing_value(text, name, place, known)
    return {name: given.values[name] for name in used if name in given.values}

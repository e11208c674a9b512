"""What is asked (`Wanted`) in, results out: `eval`, `batch` and `map` all call `results`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dezero import Config
from dezero.work import OPERATION, spend
from dezero_cli import places
from dezero_cli.faults import UsageError, ValuesError
from dezero_cli.language import derivatives
from dezero_cli.language.derivatives import Kept, Values
from dezero_cli.language.diagnosis import assignment
from dezero_cli.language.expression import Expression, Load
from dezero_cli.language.spelling import name_meant


@dataclass(eq=False, repr=False)  # what a dataclass writes takes a while at every start
class Wanted:
    """What is asked of an expression in addition to its value.

    `wrt` are the names to differentiate by (None: all inputs).  Raises UsageError if `no_grad` is
    combined with something that needs a gradient.
    """

    wrt: tuple[str, ...] | None = None
    no_grad: bool = False
    jacobian: bool = False
    hessian: bool = False
    retain_grad: bool = False

    def __post_init__(self) -> None:
        if self.no_grad and self.derives:
            raise UsageError(
                "--no-grad prints only the value: leave out options that need a gradient"
            )

    @property
    def derives(self) -> bool:
        """Whether an option asks for derivatives, which are there by default as well."""
        return bool(self.wrt or self.jacobian or self.hessian or self.retain_grad)


PLAIN = {"value", "expr", "line", "id"}
"""What a result has without any derivative."""


UNCERTAIN = {
    *("sigma", "share", "covariance", "correlation", "order2", "mc"),
    *("dof", "coverage", "expanded", "budget"),
}
"""What a result has of uncertainties."""


def wanted_by(get: Sequence[str], options: Wanted, uncertain: bool = False) -> Wanted:
    """What is wanted where ``--get`` asks for these places of the JSON object; none means all.

    A Jacobian or a Hessian needs no option of its own then, and the value alone no gradient;
    `uncertain` says whether the inputs have uncertainties.  Raises UsageError for a key that the
    options rule out.
    """
    keys = places.keys(get)
    needing = {"grad", "jacobian", "hessian", "intermediates", *UNCERTAIN}.intersection(keys)
    if not uncertain and (asked := UNCERTAIN.intersection(keys)):
        hint = "needs the inputs' uncertainties: add --sigma NAME=S"
        raise UsageError(f"--get {'sigma' if 'share' in asked else min(asked)} {hint}")
    if options.no_grad and needing:
        raise UsageError(f"--no-grad prints only the value: leave out --get {min(needing)}")
    if get and not (options.derives or uncertain) and PLAIN.issuperset(get):
        return Wanted(no_grad=True)
    return replace(
        options,
        jacobian=options.jacobian or "jacobian" in keys,
        hessian=options.hessian or "hessian" in keys,
        retain_grad=options.retain_grad or "intermediates" in keys,
    )


Evaluate = Callable[..., tuple[np.ndarray, Mapping[str, np.ndarray]]]
"""A function that gives the value and the gradients, as `derivatives.value_and_gradient` does."""


def results(
    expression: Expression,
    given: Values,
    wanted: Wanted,
    stacked: bool = False,
    evaluate: Evaluate = derivatives.value_and_gradient,
    own: Iterable[str] | None = None,
) -> dict[str, Any]:
    """The value and everything `wanted`, under the keys of the JSON object.

    Of the names that the expression does not use, those in `own` (None: all) have a gradient of 0.
    With `stacked`, `given` are columns of numbers, `expression` works element by element, and
    every result is a column: a row's results depend only on its own numbers.  Raises ValuesError
    for a name without a value and ExpressionError for an operation that NumPy refuses.
    """
    expression, given = held(expression, given, wanted.wrt or ())
    names = [] if wanted.no_grad else inputs(expression, given, wanted.wrt, own)
    if expression.is_list:
        return _several(expression, given, replace(wanted, wrt=tuple(names)))
    kept: Kept | None = [] if wanted.retain_grad else None
    value, every = evaluate(expression, given, names, kept)
    if Config.allowance is not None:
        spend(WRITTEN * (value.size + sum([gradient.size for gradient in every.values()])))
    if wanted.no_grad:
        return {"value": value}
    found: dict[str, Any] = {"value": value, "grad": {name: every[name] for name in names}}
    if wanted.jacobian:
        of = found["grad"] if stacked else derivatives.jacobian(expression, given, names)
        found["jacobian"] = of
    if wanted.hessian:
        hessian = derivatives.hessian_columns if stacked else derivatives.hessian
        found["hessian"] = hessian(expression, given, names)
    if kept is not None:
        found["intermediates"] = _intermediates(kept)
    if len(found) > 2:
        further = [found[key] for key in ("jacobian", "hessian", "intermediates") if key in found]
        spend(WRITTEN * sum(map(_size, further)))
    return found


WRITTEN = 20
"""What a number of a result counts for: as text it takes longer, and more memory."""


def _size(found: Any) -> int:
    """How many numbers results have."""
    if isinstance(found, np.ndarray):
        return found.size
    items = found.values() if isinstance(found, Mapping) else found
    return 1 if isinstance(found, str) else sum(map(_size, items))


def held(expression: Expression, given: Values, names: Iterable[str]) -> tuple[Expression, Values]:
    """The expression in which definitions among `names` are inputs, and those inputs' values."""
    defined = [name for name in names if name in expression.definitions] if names else ()
    if not defined:
        return expression, given
    found = {n: derivatives.value(expression.definition(n), given) for n in defined}
    return expression.without(defined), {**given, **found}


def _several(expression: Expression, given: Values, wanted: Wanted) -> dict[str, Any]:
    """The results of a list: under each key a list over the elements, the gradient's by name."""
    elements = expression.results
    spend(OPERATION * len(elements) * (1 + len(wanted.wrt or ())))
    if wanted.no_grad:
        wanted = replace(wanted, wrt=None)
    each = [results(element, given, wanted) for element in elements]
    found: dict[str, Any] = {"names": names_of(expression)}
    for key in each[0]:
        found[key] = _side_by_side([result[key] for result in each])
    return found


def _side_by_side(items: Sequence[Any]) -> Any:
    """The items of several results: a list for each key, or one list."""
    if isinstance(items[0], Mapping):
        return {key: _side_by_side([item[key] for item in items]) for key in items[0]}
    return list(items)


def names_of(expression: Expression) -> list[str]:
    """What the results are called: ``value``; in a list by their names, or ``value_1`` and on."""
    if not expression.is_list:
        return ["value"]
    names: list[str] = []
    seen: set[str] = set()
    for i, each in enumerate(expression.results, 1):
        first = each.steps[0] if len(each.steps) == 1 else None
        own = isinstance(first, Load) and first.name not in seen
        names.append(first.name if isinstance(first, Load) and own else f"value_{i}")
        seen.add(names[-1])
    return names


def inputs(
    expression: Expression,
    values: Values,
    wrt: tuple[str, ...] | None,
    own: Iterable[str] | None = None,
) -> list[str]:
    """The names that a gradient is given for: `wrt`, or all inputs in order of appearance.

    Of the inputs that the expression does not use, those in `own` (None: all) come last.  Raises
    ValuesError for a name in `wrt` that has no value.
    """
    if wrt is None:
        used = [name for name in expression.places if name in values]
        others = values if own is None else own
        return used + [name for name in others if name not in expression.places]
    for name in wrt:
        if name not in values:
            hint = name_meant(name, values) or f"add {assignment(name)}"
            raise ValuesError(f"no value for {name}: {hint}")
    return list(dict.fromkeys(wrt))


def _intermediates(kept: Kept) -> list[dict[str, Any]]:
    """Every operation by its source text, with its value and gradient."""
    return [
        {
            "expr": operation.source,
            "value": (y := operation.result).data,
            "grad": np.zeros(y.shape) if y.grad is None else y.grad,
        }
        for operation in kept
    ]

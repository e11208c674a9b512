"""An expression and values by name -> the value and its gradients: what every command shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dezero import Variable, constant, using_config
from dezero_cli.language.diagnosis import ExpressionError, did_you_mean
from dezero_cli.language.expression import Expression, Operation
from dezero_cli.language.values import ValuesError

if TYPE_CHECKING:
    from dezero import calculus


def inputs(expression: Expression, values: Mapping[str, Any], wrt: Sequence[str] = ()) -> list[str]:
    """The names that a gradient is given for: `wrt`, or all inputs in order of appearance.

    Inputs that the expression does not use come last.  Raises ValuesError for a name in `wrt`
    that has no value.
    """
    for name in wrt:
        if name not in values:
            hint = did_you_mean(name, values) or f"add {name}=VALUE"
            raise ValuesError(f"no value for {name}: {hint}")
    if wrt:
        return list(dict.fromkeys(wrt))
    used = [name for name in expression.names if name in values]
    return used + [name for name in values if name not in expression.places]


def value(expression: Expression, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """The value alone, without recording a graph."""
    with using_config("enable_backprop", False):
        data = expression.evaluate({name: Variable(array) for name, array in values.items()}).data
    return np.asarray(data)


def value_and_gradient(
    expression: Expression,
    values: Mapping[str, np.ndarray],
    names: Iterable[str],
    keep: list[tuple[Operation, Variable]] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The value and the gradient for each of `names`, in the shape of its input.

    The gradient of an array is that of its sum.  With `keep`, every operation and its result,
    gradient included, is added to that list.
    """
    names = list(names)
    wanted = set(names)
    variables = {
        name: Variable(array) if name in wanted else constant(array)
        for name, array in values.items()
    }
    y = expression.evaluate(variables, keep)
    y.backward(retain_grad=keep is not None)
    gradients = {}
    for name in names:
        gradient = variables[name].grad
        gradients[name] = np.zeros(values[name].shape) if gradient is None else gradient
    return np.asarray(y.data), gradients


def jacobian(
    expression: Expression, values: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """The Jacobian for each of `names`: of the value's shape followed by the input's."""
    from dezero import calculus

    y, variables = _recorded(expression, values, names)
    return dict(zip(names, calculus.jacobians(y, variables), strict=True))


def hessian(
    expression: Expression, values: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """The second derivatives for each pair of `names`: of the one's shape, then the other's.

    Those of an array are those of its sum.
    """
    from dezero import calculus

    y, variables = _recorded(expression, values, names)
    rows = [dict(zip(names, row, strict=True)) for row in calculus.hessians(y, variables)]
    return dict(zip(names, rows, strict=True))


def hessian_columns(
    expression: Expression, columns: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """The Hessian for each row of columns, of an expression that works element by element.

    A row's elements depend on that row alone, so one pass for each of `names` serves all rows.
    """
    from dezero import calculus

    y, variables = _recorded(expression, columns, names)
    rows = calculus.elementwise_hessians(y, variables)
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, rows, strict=True)}


def _recorded(
    expression: Expression, values: Mapping[str, np.ndarray], names: Sequence[str]
) -> tuple[Variable, list[Variable]]:
    """The value with its graph, and the Variables of `names`."""
    variables = {
        name: Variable(array) if name in names else constant(array)
        for name, array in values.items()
    }
    return expression.evaluate(variables), [variables[name] for name in names]


def check(
    expression: Expression,
    values: Mapping[str, np.ndarray],
    names: Sequence[str],
    tolerance: float,
) -> dict[str, calculus.Comparison]:
    """The gradient for each of `names` beside a numerical one."""
    from dezero import calculus

    others = {name: constant(array) for name, array in values.items() if name not in names}

    def function(*variables: Variable) -> Variable:
        try:
            return expression.evaluate(others | dict(zip(names, variables, strict=True)))
        except ExpressionError as fault:
            if isinstance(fault.__cause__, TypeError):  # no function of complex numbers
                raise fault.__cause__ from None
            raise

    expression.evaluate({name: constant(array) for name, array in values.items()})
    arrays = [values[name] for name in names]
    compared = calculus.gradient_check(function, *arrays, tolerance=tolerance)
    return dict(zip(names, compared, strict=True))


def propagated(
    value: np.ndarray, gradients: Mapping[str, np.ndarray], sigmas: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The standard uncertainty of a value to first order, and each input's share of its square.

    sigma**2 = sum((d/dNAME * S)**2) over inputs (and their elements) of standard uncertainty S,
    taken as independent (JCGM 100:2008, equation 10).
    """
    if value.ndim:
        raise ValuesError(f"--sigma needs a result that is one number, not of shape {value.shape}")
    parts = {}
    for name, sigma in sigmas.items():
        with np.errstate(all="ignore"):
            parts[name] = np.hypot.reduce(np.ravel(gradients[name] * sigma), initial=0.0)
    return _shares(parts)


def propagated_columns(
    gradients: Mapping[str, np.ndarray], sigmas: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The same for each row of columns."""
    with np.errstate(all="ignore"):
        return _shares({name: np.absolute(gradients[name] * s) for name, s in sigmas.items()})


def _shares(parts: Mapping[str, Any]) -> dict[str, Any]:
    total: Any = np.float64(0.0)
    with np.errstate(all="ignore"):
        for part in parts.values():
            total = np.hypot(total, part)
        ratios = {name: np.where(total == 0, 0.0, part / total) for name, part in parts.items()}
    return {"sigma": total, "share": {name: ratio * ratio for name, ratio in ratios.items()}}


def checked_sigmas(
    sigmas: Mapping[str, np.ndarray | str], given: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The standard uncertainties, each fit for its input; one may be the name of another value.

    Raises ValuesError for a name without a value, a wrong shape and what is negative.
    """
    checked = {}
    for name, sigma in sigmas.items():
        for wanted in (name, sigma):
            if isinstance(wanted, str) and wanted not in given:
                hint = did_you_mean(wanted, given) or f"add {wanted}=VALUE"
                raise ValuesError(f"--sigma {name}: no value for {wanted}: {hint}")
        array = given[sigma] if isinstance(sigma, str) else sigma
        if array.shape not in {(), given[name].shape}:
            raise ValuesError(f"--sigma {name}: shape {array.shape} is not that of {name}")
        if not (array >= 0).all():
            raise ValuesError(f"--sigma {name}: an uncertainty is not negative")
        checked[name] = array
    return checked

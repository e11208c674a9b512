"""An expression and values by name -> its value and its derivatives, through Variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dezero import Variable, constant, using_config
from dezero_cli.faults import ExpressionError
from dezero_cli.language.expression import Expression, Operation

if TYPE_CHECKING:
    from dezero import numerical

Values = Mapping[str, np.ndarray]
"""An array for each name."""
Kept = list[Operation]
"""Every operation that was applied, with its result."""


def value(expression: Expression, values: Values) -> np.ndarray:
    """Only the value; no graph is recorded."""
    with using_config("enable_backprop", False):
        data = expression.evaluate({name: Variable(array) for name, array in values.items()}).data
    return np.asarray(data)


def value_and_gradient(
    expression: Expression, values: Values, names: Sequence[str], keep: Kept | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The value and the gradient for each of `names`, in the shape of its input.

    The gradient of an array is the gradient of its sum.  With `keep`, every operation and its
    result, gradient included, is added to that list.
    """
    if not names and keep is None:
        return value(expression, values), {}
    y, variables = _recorded(expression, values, names, keep)
    y.backward(retain_grad=keep is not None)
    gradients = {}
    for name, variable in zip(names, variables, strict=True):
        gradient = variable.grad
        gradients[name] = np.zeros(values[name].shape) if gradient is None else gradient
    return np.asarray(y.data), gradients


def jacobian(expression: Expression, values: Values, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The Jacobian for each of `names`; its shape is the value's, then the input's."""
    from dezero import calculus

    y, variables = _recorded(expression, values, names)
    return dict(zip(names, calculus.jacobians(y, variables), strict=True))


def hessian(
    expression: Expression, values: Values, names: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """The second derivatives for each pair of `names`; the shape is the first's, then the second's.

    For an array, they are the second derivatives of its sum.
    """
    from dezero import calculus

    y, variables = _recorded(expression, values, names)
    return _by_pairs(names, calculus.hessians(y, variables))


def hessian_columns(
    expression: Expression, columns: Values, names: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """The Hessian of an expression that works element by element, for each row of the columns.

    A row's elements depend on that row alone, so one pass for each of `names` serves all rows.
    """
    from dezero import calculus

    y, variables = _recorded(expression, columns, names)
    return _by_pairs(names, calculus.elementwise_hessians(y, variables))


def _by_pairs(
    names: Sequence[str], rows: Sequence[Sequence[np.ndarray]]
) -> dict[str, dict[str, np.ndarray]]:
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, rows, strict=True)}


def _recorded(
    expression: Expression, values: Values, names: Sequence[str], keep: Kept | None = None
) -> tuple[Variable, list[Variable]]:
    """The value with its graph, and the Variables of `names`.

    With `keep` all inputs take gradients, so that what is made of the others alone has one too;
    those of `names` alone have a name then.
    """
    wanted = set(names)
    other = constant if keep is None else Variable
    variables = {
        name: Variable(array, name) if name in wanted else other(array)
        for name, array in values.items()
    }
    return expression.evaluate(variables, keep), [variables[name] for name in names]


def check(
    expression: Expression, values: Values, names: Sequence[str], tolerance: float
) -> dict[str, numerical.Comparison]:
    """The gradient for each of `names`, compared with a numerical one."""
    from dezero import numerical

    others = {name: constant(array) for name, array in values.items() if name not in names}

    def function(*variables: Variable) -> Variable:
        try:
            return expression.evaluate(others | dict(zip(names, variables, strict=True)))
        except ExpressionError as fault:
            if isinstance(fault.__cause__, TypeError):  # not a function of complex numbers
                raise fault.__cause__ from None
            raise

    expression.evaluate({name: constant(array) for name, array in values.items()})
    arrays = [values[name] for name in names]
    compared = numerical.gradient_check(function, *arrays, tolerance=tolerance)
    return dict(zip(names, compared, strict=True))

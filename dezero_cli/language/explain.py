"""Notes: why a result is not finite, and what an `e` was taken for."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from dezero import Variable
from dezero.functions import CONSTANTS
from dezero_cli.language.expression import Expression, Operation
from dezero_cli.language.parser import tokens
from dezero_cli.language.spelling import canonical
from dezero_cli.number_format import number_text


def explanation(
    expression: Expression, values: Mapping[str, np.ndarray], asked: Collection[str]
) -> str | None:
    """The note on a value or a gradient, by the names `asked`, that is not finite; else None."""
    kept: list[Operation] = []
    inputs = {
        name: Variable(np.array(array), name if name in asked else None)
        for name, array in values.items()
    }
    y = expression.evaluate(inputs, keep=kept)
    for name in expression.names:
        if name in values and not np.isfinite(values[name]).all():
            return f"note: {name} is {_first(values[name])}"
    for kind, number, place in tokens(expression.text):
        if kind == "NUMBER" and math.isinf(float(number)):
            return f"note: {number} is too large for a float64 (column {place + 1})"
    for operation in kept:
        result = operation.result
        if not np.isfinite(result.data).all() and _operands_finite(result):
            return _note(operation.source, result.data, operation, values)
    y.backward(retain_grad=True)
    for operation in reversed(kept):
        result = operation.result
        if result.grad is None or not np.isfinite(result.grad).all() or result.creator is None:
            continue
        for operand in result.creator.inputs:
            if operand.grad is not None and not np.isfinite(operand.grad).all():
                subject = f"the derivative of {operation.source}"
                beyond = _overflows(result)
                return _note(subject, operand.grad, operation, values, beyond)
    return None


def _overflows(result: Variable) -> bool:
    """Whether the derivative of an operation is too large for a float64, rather than infinite."""
    kinds: list[str] = []
    gradient = np.asarray(result.grad)[()]
    with np.errstate(all="ignore", over="call", call=lambda kind, flag: kinds.append(kind)):
        assert result.creator is not None
        result.creator.backward(gradient)
    return bool(kinds)


GIVE_E = "e=VALUE gives it another value"
"""What to do about an `e` where names take their values from NAME=VALUE."""


def note_on_e(expression: Expression, inputs: Collection[str], instead: str) -> str | None:
    """The note on an `e` that is a number here although it may be meant as an input.

    None if it is one of the `inputs`, and if it is only the base of powers, as in ``e**x``.
    `instead` says how to make it an input.
    """
    if "e" in inputs or not (expression.is_constant("e") and expression.e_alone):
        return None
    return f"note: e is {number_text(CONSTANTS['e'])} here; {instead}"


def _operands_finite(result: Variable) -> bool:
    """Whether some element is not finite although its operands are finite."""
    if result.creator is None:
        return True
    finite: Any = True
    for operand in result.creator.inputs:
        mask = np.isfinite(operand.data)
        fits = np.broadcast_shapes(mask.shape, result.shape) == result.shape
        finite = finite & (mask if fits else mask.all())
    return bool((finite & ~np.isfinite(result.data)).any())


def _first(array: np.ndarray) -> str:
    flat = np.ravel(array)
    return number_text(flat[~np.isfinite(flat)][0])


def _note(
    subject: str,
    array: np.ndarray,
    operation: Operation,
    values: Mapping[str, np.ndarray],
    beyond: bool = False,
) -> str:
    """``note: SUBJECT is -inf at x = 0.0 (column 5)``, or that it is beyond a float64's range."""
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0]) if np.ndim(array) else ()
    where = []
    for name in dict.fromkeys(_names(operation.source)):
        if name in values:
            value = values[name]
            at = value[index] if value.shape == np.shape(array) else value
            shown = "[" + ", ".join(map(str, index)) + "]" if np.ndim(value) else ""
            if np.ndim(at) == 0:
                where.append(f"{name}{shown} = {number_text(float(at))}")
    place = f" at {', '.join(where)}" if where else ""
    found = "is too large for a float64" if beyond else f"is {_first(array)}"
    return f"note: {subject} {found}{place} (column {operation.step.start + 1})"


def _names(text: str) -> list[str]:
    """The names in a part of an expression."""
    return [canonical(token) for kind, token, _ in tokens(text) if kind in {"NAME", "QUOTED"}]

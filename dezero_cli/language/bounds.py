"""How much work a text may make: the operations that it expands to, the numbers that they make.

Both are counted before the work is done, and what is refused names the option that allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dezero import Config
from dezero.work import Allowance, AllowanceError
from dezero_cli.faults import ExpressionError
from dezero_cli.language.expression import Expression

MOST_OPERATIONS = 1_000_000
"""What functions and definitions may expand to, unless the user says otherwise."""

MOST_NUMBERS = 100_000_000
"""What the operations of a line of a batch may make, unless the user says otherwise."""


def require_operations(count: int, most: int, text: str) -> None:
    """Refuse an expression that expands to more than `most` operations."""
    if count > most:
        message = f"the expression expands to {count:,} operations"
        hint = f"--max-operations {count} allows them; the limit is {most:,}"
        raise ExpressionError(message, text, 0, hint=hint)


def too_many_derivatives(order: int, most: int | None, text: str) -> ExpressionError:
    """The fault of derivatives that take more than `most` operations."""
    subject = "its derivatives" if order == 1 else f"its derivatives of order {order}"
    fault = f"{subject} take more than {most:,} operations, which --max-operations allows"
    return ExpressionError(fault, text, 0)


def at_most(expression: Expression, values: Mapping[str, np.ndarray]) -> int | None:
    """No fewer numbers than a value and its gradient make, at a glance; None if that is unknown.

    As long as axes become no longer and no more, an array has at most as many elements as its
    longest axis to the power of the number of axes.
    """
    work = expression.work_in_proportion
    if not work:
        return None
    longest, axes = 1, 0
    for array in values.values():
        if array.ndim:
            longest, axes = max(longest, *array.shape), max(axes, array.ndim)
    size: int = longest ** (axes + 1)
    return AT_MOST_FOR_ONE * (work + len(values)) * size


AT_MOST_FOR_ONE = 1000
"""More than an operation with its derivatives counts for, a number of its result."""


def too_many_numbers(most: int) -> str:
    """What is wrong with operations that make more numbers than are allowed."""
    return f"this takes more than {most:,} numbers, which --max-numbers allows"


class within:  # noqa: N801, it is used as a function
    """Let the operations on a text make at most so many numbers in a ``with`` block; None: any.

    Raises ExpressionError beyond that, with the place of the operation where one made them.
    """

    __slots__ = ("before", "most", "text")

    def __init__(self, most: int | None, text: str) -> None:
        self.most = most
        self.text = text

    def __enter__(self) -> within:
        self.before = Config.allowance
        Config.allowance = None if self.most is None else Allowance(self.most)
        return self

    def lift(self, expression: Expression, values: Mapping[str, np.ndarray]) -> None:
        """Count no more where a value and its gradient cannot make too many."""
        allowance = Config.allowance
        most = None if allowance is None else at_most(expression, values)
        if most is not None and most <= allowance.most - allowance.used:
            Config.allowance = None

    def __exit__(self, kind: Any, fault: Any, _: Any) -> None:
        Config.allowance = self.before
        if fault is None or self.most is None:
            return
        if isinstance(fault, AllowanceError):
            raise ExpressionError(too_many_numbers(self.most), self.text, 0) from None
        if isinstance(fault, ExpressionError) and isinstance(fault.__cause__, AllowanceError):
            fault.message = too_many_numbers(self.most)

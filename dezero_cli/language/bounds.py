"""How much work a text may make: the operations that it expands to, the numbers that they make.

Both are counted before the work is done, and what is refused names the option that allows it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dezero.work import AllowanceError, allowing
from dezero_cli.faults import ExpressionError

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


def too_many_numbers(most: int) -> str:
    """What is wrong with operations that make more numbers than are allowed."""
    return f"this takes more than {most:,} numbers, which --max-numbers allows"


@contextlib.contextmanager
def within(most: int | None, text: str) -> Iterator[None]:
    """Let the operations on a text make at most so many numbers; None: any.

    Raises ExpressionError beyond that, with the place of the operation where one made them.
    """
    try:
        with allowing(most):
            yield
    except AllowanceError:
        assert most is not None
        raise ExpressionError(too_many_numbers(most), text, 0) from None
    except ExpressionError as fault:
        if most is not None and isinstance(fault.__cause__, AllowanceError):
            fault.message = too_many_numbers(most)
        raise

"""Words of the command line: which is the expression, and which give values."""

from __future__ import annotations

from collections.abc import Sequence

from dezero_cli.faults import UsageError
from dezero_cli.language.values import is_assignment


def expression_and_values(
    words: Sequence[str], example: str = "'a*b+c' a=3 b=2 c=1"
) -> tuple[str, list[str]]:
    """The expression and the NAME=VALUE words, in whatever order they were typed.

    Raises UsageError unless there is exactly one expression; `example` shows what to type.
    """
    expressions = [word for word in words if not is_assignment(word)]
    assignments = [word for word in words if is_assignment(word)]
    if not expressions and assignments:  # only 'x = 1': the parser says what is wrong
        expressions, assignments = assignments[:1], assignments[1:]
    if not expressions:
        raise UsageError(f"missing the expression EXPR; for example: {example}")
    if len(expressions) > 1:
        hint = (
            "write NAME=VALUE without spaces"
            if "=" in expressions
            else "quote the whole expression, and give values as NAME=VALUE"
        )
        raise UsageError(f"unexpected {expressions[1]!r} after the expression: {hint}")
    return expressions[0], assignments

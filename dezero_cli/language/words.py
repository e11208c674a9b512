"""Words of the command line: which is the expression, and which give values."""

from __future__ import annotations

from collections.abc import Sequence

from dezero_cli import reading
from dezero_cli.faults import FileError, UsageError
from dezero_cli.language.values import is_assignment


def expression_and_values(
    words: Sequence[str], example: str = "'a*b+c' a=3 b=2 c=1"
) -> tuple[str, list[str]]:
    """The expression and the NAME=VALUE words, in whatever order they were typed.

    An expression ``-`` is read from standard input.  Raises UsageError unless there is exactly one
    expression; `example` shows what to type.
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
    return expression_text(expressions[0]), assignments


def expression_text(word: str) -> str:
    """The expression that a word is; ``-`` is what standard input holds."""
    if word != "-":
        return word
    try:
        return reading.whole("-").removeprefix(reading.BOM).decode().strip()
    except UnicodeDecodeError as error:
        raise FileError("standard input", f"not UTF-8 at byte {error.start}") from None

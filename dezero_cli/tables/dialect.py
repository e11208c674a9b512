"""How a table of text is written, and what becomes of its bad rows: what the options say."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dezero_cli.faults import UsageError

SEPARATORS = {"csv": ",", "tsv": "\t"}
"""The formats of cells apart by a character, and that character."""

BLANKS = " "
"""The separator that stands for any run of blanks."""

_NAMED = {"tab": "\t", "\\t": "\t", "space": BLANKS, "comma": ",", "semicolon": ";", "pipe": "|"}

STOP, SKIP, NULL = "stop", "skip", "null"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What was said of a table of text: plain data, which can be sent to another process.

    `separator` is None for the format's own.  `missing` are cells that count as empty for the
    columns that are computed with; `on_bad` is what happens to a row with a fault,
    `max_line` the bytes that a row may have, if not the usual number.
    """

    separator: str | None = None
    decimal: str = "."
    comment: str | None = None
    skip: int = 0
    header: bool = True
    missing: tuple[str, ...] = ()
    on_bad: str = STOP
    max_line: int | None = None

    def of(self, form: str) -> str:
        """The separator of the cells of a table in format `form`."""
        return self.separator or SEPARATORS[form]

    def comments(self) -> re.Pattern[bytes] | None:
        """What finds the lines that are comments."""
        if self.comment is None:
            return None
        return re.compile(rb"(?m)^" + re.escape(self.comment.encode()) + rb"[^\n]*(?:\n|\Z)")


PLAIN = Dialect()
"""How a table is written where nothing was said of it."""


def dialect(
    separator: str | None = None,
    decimal: str | None = None,
    comment: str | None = None,
    missing: tuple[str, ...] = (),
    skip: int = 0,
    header: bool = True,
    on_bad: str = STOP,
    max_line: int | None = None,
) -> Dialect:
    """What the options say.  Raises UsageError for a separator that cannot be one."""
    character = None if separator is None else _NAMED.get(separator, separator)
    if character is not None and (len(character) != 1 or not character.isascii()):
        raise UsageError(f"--separator {separator!r}: expected one character, tab or space")
    if character is not None and (character.isalnum() or character in '"\r\n._+-'):
        raise UsageError(f"--separator {separator!r}: this character is part of cells")
    point = decimal or "."
    if point not in {".", ","}:
        raise UsageError(f"--decimal {decimal!r}: expected , or .")
    if point == "," and character == ",":
        raise UsageError("--decimal , needs another --separator, such as ';'")
    if comment == "" or (comment and not comment.strip()):
        raise UsageError("--comment: expected the characters that a comment begins with")
    words = tuple(text.strip() for each in missing for text in each.split(","))
    return Dialect(character, point, comment, skip, header, words, on_bad, max_line)

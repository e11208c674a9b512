"""How a table of text is written: its separator, decimal sign, missing values, and so on."""

from __future__ import annotations

from dataclasses import dataclass

from dezero_cli.faults import UsageError
from dezero_cli.reading import LONGEST_ROW

BLANKS = " "
"""The separator that stands for any run of blanks."""

WORDS = {"tab": "\t", "\\t": "\t", "space": BLANKS, "comma": ",", "semicolon": ";", "pipe": "|"}
"""Separators that have a name."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the options say of the text of a table; `separator` is None where the format tells it.

    `missing` are cells that count as empty, `comment` begins lines that are left out, `skip` is
    the number of lines before the header, `on_bad` what is done with a row that cannot be read,
    and `longest` the bytes that a row may have.
    """

    separator: str | None = None
    decimal: str = "."
    missing: tuple[str, ...] = ()
    comment: str | None = None
    skip: int = 0
    header: bool = True
    on_bad: str = "stop"
    longest: int = LONGEST_ROW

    def __post_init__(self) -> None:
        if self.decimal not in {".", ","}:
            raise UsageError(f"--decimal is '.' or ',', not {self.decimal!r}")
        if self.comment is not None and (not self.comment or '"' in self.comment):
            raise UsageError("--comment is the text that a line of comment begins with")


def separator_of(word: str) -> str:
    """The separator that a word of the command line means.  Raises UsageError if it is none."""
    separator = WORDS.get(word.lower(), word)
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n\0.-+':
        raise UsageError(
            f"--separator is one character, or tab, space, comma, semicolon, pipe; not {word!r}"
        )
    return separator


def dialect_of(
    missing: str | None,
    separator: str | None,
    decimal: str,
    comment: str | None,
    skip: int,
    no_header: bool,
    on_bad: str,
    max_line: int,
) -> Dialect:
    """What the options of the command line say.  Raises UsageError for what cannot be."""
    return Dialect(
        None if separator is None else separator_of(separator),
        decimal,
        tuple(cell.strip() for cell in missing.split(",")) if missing else (),
        comment,
        skip,
        not no_header,
        on_bad,
        max_line,
    )


def skipped_note(count: int) -> list[str]:
    """What to tell the user of rows that were left out."""
    return [f"{count:,} row{'s'[: count != 1]} that could not be read left out"] if count else []

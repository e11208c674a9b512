"""What can go wrong: a class for each kind of fault, and hints at the name that was meant.

A fault is raised where it is known and shown in one place, `dezero_cli.main`, as one line; its
`status` is what the command then exits with.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any


class CommandError(Exception):
    """A fault that ends a command with one line; its text is the message."""

    status = 2
    """2: the command line is wrong.  Subclasses with 1: the command ran, and something failed."""


class FileText(str):
    """A text that stands in a file, from the character `offset` of the line `first` on.

    `lines` are the offsets, counted from the begin of that line, at which the lines begin.
    """

    file: str
    first: int
    lines: list[int]
    offset: int

    def __new__(cls, text: str, file: str, first: int, lines: list[int], offset: int) -> FileText:
        """The text of a part of a file."""
        made = super().__new__(cls, text)
        made.file, made.first, made.lines, made.offset = file, first, lines, offset
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return FileText, (str(self), self.file, self.first, self.lines, self.offset)

    def after(self, begin: int) -> FileText:
        """What stands from a character on."""
        rest = self[begin:]
        blank = len(rest) - len(rest.lstrip())
        offset = self.offset + begin + blank
        return FileText(rest.strip(), self.file, self.first, self.lines, offset)

    def place(self, start: int) -> str:
        """``FILE:LINE:COLUMN`` of a character."""
        import bisect

        at = self.offset + start
        line = bisect.bisect_right(self.lines, at) - 1
        return f"{self.file}:{self.first + line}:{at - self.lines[line] + 1}"


class UsageError(CommandError):
    """Arguments and options that cannot be used together."""


class ExpressionError(CommandError):
    """What is wrong with an expression that a user typed, and where.

    `start` and `end` are offsets in `text`; `hint` says what to type instead, if that is known.
    """

    def __init__(
        self, message: str, text: str, start: int, end: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, text, start, end, hint)  # what pickling passes on
        self.message = message
        self.text = text
        self.start = start
        self.end = start + 1 if end is None else end
        self.hint = hint

    @property
    def column(self) -> int:
        """The column of the fault, counted from 1."""
        return self.start + 1

    def __str__(self) -> str:
        place = f"{self.text.place(self.start)}: " if isinstance(self.text, FileText) else ""
        return f"{place}{self.message}: {self.hint}" if self.hint else f"{place}{self.message}"


class ValuesError(CommandError):
    """A value that is not an array of numbers, or that does not fit where it is used."""


class FileError(CommandError):
    """A file or folder that cannot be used: missing, a folder, or in use by something else."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)  # what pickling passes on
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class TableError(CommandError):
    """What is wrong with a table: in which file, in which row (counted from 1) and column."""

    status = 1  # the command line is right, but the data is not

    def __init__(
        self,
        message: str,
        source: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message, source, row, column)  # what pickling passes on
        self.message = message
        self.source = source
        self.row = row
        self.column = column

    def __str__(self) -> str:
        row = f"row {self.row}" if self.row is not None else ""
        column = f"column {self.column}" if self.column is not None else ""
        place = ", ".join(filter(None, (row, column)))
        source = "standard input" if self.source == "-" else self.source
        return ": ".join(filter(None, (source, place, self.message)))

    def below(self, source: str, rows: int) -> TableError:
        """The same fault in a file whose first `rows` rows come before the rows counted here."""
        row = None if self.row is None else self.row + rows
        return TableError(self.message, self.source or source, row, self.column)


class PictureError(CommandError):
    """A picture with nothing to show, or one that the drawing program refuses."""

    status = 1


class MissingError(CommandError):
    """A library or a program that is not installed."""

    status = 1


class ClusterError(CommandError):
    """A cluster that cannot be reached, or that loses its workers."""

    status = 1


# ------------------------------------------------------------------------------------------ hints
MOST_KNOWN, LONGEST_NAME = 200, 60
"""Limits on what is compared letter by letter: a line of a batch may hold more, longer names."""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that `name` most likely stands for; None if none is near."""
    import difflib

    candidates = {candidate.lower(): candidate for candidate in known}
    if name.lower() in candidates:
        return candidates[name.lower()]
    if len(name) > LONGEST_NAME:
        return None
    short = (each for each in candidates if len(each) <= LONGEST_NAME)
    compared = itertools.islice(short, MOST_KNOWN)
    close = difflib.get_close_matches(name.lower(), compared, n=1, cutoff=cutoff)
    return candidates[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The hint that names the nearest known name."""
    near = nearest(name, known)
    return None if near is None else f"did you mean {near}?"

"""Which tables are read and written, in which format; and what is wrong with one."""

from __future__ import annotations

import glob
import importlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from dezero_cli.language.values import ValuesError

ENDINGS = {
    "csv": "csv",
    "tsv": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
    "arrow": "arrow",
    "feather": "arrow",
    "ipc": "arrow",
}
"""Endings of files, and the formats that they tell."""

TEXT = frozenset({"csv", "tsv", "jsonl"})
"""The formats of lines of text; the others hold columns of known types."""

SEPARATORS = {"csv": ",", "tsv": "\t"}


class TableError(ValuesError):
    """What is wrong with a table: in which file, in which row (counted from 1) and column."""

    status = 1
    """What the command ends with: the command line was right, and the data is not."""

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
        """The same fault, where the rows that it was counted in begin below `rows` others."""
        row = None if self.row is None else self.row + rows
        return TableError(self.message, self.source or source, row, self.column)


@dataclass(frozen=True, slots=True)
class Tables:
    """Files that make up one table, ``-`` for standard input, and the format of all of them.

    With `rows`, only those rows are meant, counted from 0, of one file of columns.
    """

    names: tuple[str, ...]
    format: str
    rows: tuple[int, int] | None = field(default=None)

    @property
    def size(self) -> int:
        """The bytes of all files; 0 where one is a pipe or a terminal."""
        return 0 if any(map(streams, self.names)) else sum(map(os.path.getsize, self.names))


def streams(name: str) -> bool:
    """Whether a table arrives as a stream, which can be read once only."""
    return name == "-" or not stat.S_ISREG(os.stat(name).st_mode)


def found(words: Sequence[str], wanted: str | None) -> Tables:
    """The tables that words of the command line name: files, patterns, or ``-`` alone.

    `wanted` is the format by name; without it the endings tell.  Raises ValuesError.
    """
    names = [name for word in words or ["-"] for name in _expanded(word)]
    if "-" in names and len(names) > 1:
        raise ValuesError("standard input goes without other tables")
    form = ENDINGS[wanted] if wanted else "csv" if names == ["-"] else ""
    formats = [form or ending(name, "--from") for name in names]
    for name, other in zip(names, formats, strict=True):
        if other != formats[0]:
            raise ValuesError(f"{names[0]} is {formats[0]} and {name} is {other}: not one table")
    return Tables(tuple(names), formats[0])


def _expanded(word: str) -> list[str]:
    """The files that one word stands for."""
    if word == "-" or os.path.exists(word):
        if os.path.isdir(word):
            raise ValuesError(f"{word}: is a directory: name its files, as '{word}/*.csv'")
        return [word]
    names = sorted(glob.glob(word, recursive=True)) if glob.has_magic(word) else []
    names = [name for name in names if not os.path.isdir(name)]
    if not names:
        raise ValuesError(f"{word or repr(word)}: no such file")
    return names


def ending(name: str, option: str) -> str:
    """The format that the ending of a file's name tells.  Raises ValuesError for another."""
    suffix = os.path.splitext(name)[1][1:].lower()
    if suffix not in ENDINGS:
        shown = f".{suffix}" if suffix else "no ending"
        raise ValuesError(
            f"{name}: {shown} tells no format: give {option} with one of {', '.join(ENDINGS)}"
        )
    return ENDINGS[suffix]


def target_format(output: str | None, wanted: str | None) -> str:
    """The format that is written: `wanted`, or what the ending of `output` tells, or CSV."""
    if wanted:
        return ENDINGS[wanted]
    if output is None or output == "-":
        return "csv"
    if os.path.isdir(output):
        raise ValuesError(f"{output}: is a directory")
    return "csv" if os.path.exists(output) and streams(output) else ending(output, "--to")


def require(module: str, extra: str) -> Any:
    """Import a library that an extra of this package brings, or say which extra is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise click.ClickException(
            f"this needs {module}: pip install 'dezero-cli[{extra}]'"
        ) from None

"""Which tables are read and written, and in which format."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dezero_cli import reading
from dezero_cli.faults import FileError, UsageError
from dezero_cli.tables import sources
from dezero_cli.tables.dialect import Dialect

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
"""Endings of files, and the formats that they stand for."""

TEXT = frozenset({"csv", "tsv", "jsonl"})
"""The formats of lines of text; the others hold columns of known types."""

SEPARATORS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True, slots=True)
class Tables:
    """Files that make up one table, ``-`` for standard input, and the format of all of them.

    With `rows`, only this range of the rows of one file of columns, counted from 0.
    """

    names: tuple[str, ...]
    format: str
    dialect: Dialect = field(default=Dialect())
    rows: tuple[int, int] | None = field(default=None)

    @property
    def size(self) -> int:
        """The bytes of all files; 0 if one is a pipe or a terminal."""
        return reading.total_size(self.names)


def found(words: Sequence[str], wanted: str | None, dialect: Dialect | None = None) -> Tables:
    """The tables that words of the command line name: files, patterns, or ``-`` alone.

    `wanted` is the format by name; without it the endings decide, or what the files begin with.
    Raises FileError or UsageError.
    """
    if "=" in words:
        raise UsageError("write NAME=VALUE without spaces")
    names = [name for word in words or ["-"] for name in _expanded(word)]
    if "-" in names and len(names) > 1:
        raise UsageError("standard input cannot be combined with other tables")
    formats = [ENDINGS[wanted] if wanted else _format_of(name) for name in names]
    for name, other in zip(names, formats, strict=True):
        if other != formats[0]:
            raise UsageError(
                f"{names[0]} is {formats[0]} but {name} is {other}: "
                "all files of a table must have one format"
            )
    return Tables(tuple(names), formats[0], dialect or Dialect())


def _expanded(word: str) -> list[str]:
    """The files that one word stands for."""
    if glob.has_magic(word) and not os.path.exists(word):
        names = sorted(name for name in glob.glob(word, recursive=True) if not os.path.isdir(name))
        if names:
            return names
    reading.require_file(word, f": name its files, such as '{word}/*.csv'")
    return [word]


def _format_of(name: str) -> str:
    """The format that a table's ending stands for, or without one that its first bytes show.

    A stream that is neither of these is CSV.  Raises FileError for such a file.
    """
    if name != "-" and _suffix(name) in ENDINGS:
        return ending(name, "--from")
    form = by_content(name)
    return form if form != "csv" or reading.is_stream(name) else ending(name, "--from")


def by_content(name: str) -> str:
    """The format of a table by its first bytes; CSV if they are not those of another."""
    begin = sources.begin_of(name)
    if begin.startswith(b"PAR1"):
        return "parquet"
    if begin.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    bare = begin.removeprefix(reading.BOM).lstrip()
    return "jsonl" if re.match(rb"\{|\[\s*[\[{]", bare) else "csv"


def ending(name: str, option: str | None) -> str:
    """The format that the ending of a file's name stands for; an `option` may say it instead.

    Raises FileError if there is none.
    """
    suffix = _suffix(name)
    if suffix not in ENDINGS:
        shown = f".{suffix}" if suffix else "a name without an ending"
        known = ", ".join(ENDINGS)
        hint = f"give {option} with one of {known}" if option else f"it may be one of {known}"
        raise FileError(name, f"{shown} does not tell the format: {hint}")
    return ENDINGS[suffix]


def _suffix(name: str) -> str:
    return os.path.splitext(reading.without_ending(name)[0])[1][1:].lower()


def target_format(
    output: str | None, wanted: str | None, tables: Tables, option: str | None = "--to"
) -> str:
    """The format to write: `wanted`, or that of the ending of `output`, or that of the tables.

    Files of columns are shown as CSV.
    """
    if wanted:
        return ENDINGS[wanted]
    if output is None or output == "-":
        piped = any(map(reading.is_stream, tables.names))
        return tables.format if piped or tables.format in TEXT else "csv"
    if os.path.isdir(output):
        raise FileError(output, "is a directory")
    return "csv" if os.path.exists(output) and reading.is_stream(output) else ending(output, option)

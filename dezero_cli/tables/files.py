"""Which tables are read and written, and in which format."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from dezero_cli import reading
from dezero_cli.faults import FileError, UsageError
from dezero_cli.tables import compressed
from dezero_cli.tables.dialect import PLAIN, SEPARATORS, Dialect

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

__all__ = ["ENDINGS", "SEPARATORS", "TEXT", "Tables", "ending", "found", "target_format"]


@dataclass(frozen=True, slots=True)
class Tables:
    """Files that make up one table, ``-`` for standard input, and the format of all of them.

    With `rows`, only this range of the rows of one file of columns, counted from 0.  `dialect` says
    how text is written.
    """

    names: tuple[str, ...]
    format: str
    rows: tuple[int, int] | None = field(default=None)
    dialect: Dialect = PLAIN

    @property
    def size(self) -> int:
        """The bytes of all files; 0 if one is a pipe or a terminal."""
        return reading.total_size(self.names)


def found(words: Sequence[str], wanted: str | None, dialect: Dialect = PLAIN) -> Tables:
    """The tables that words of the command line name: files, patterns, or ``-`` alone.

    `wanted` is the format by name; without it the endings decide.  Raises FileError or UsageError.
    """
    names = [name for word in words or ["-"] for name in _expanded(word)]
    if "-" in names and len(names) > 1:
        raise UsageError("standard input cannot be combined with other tables")
    formats = [ENDINGS[wanted] if wanted else _format(name) for name in names]
    for name, other in zip(names, formats, strict=True):
        if other != formats[0]:
            raise UsageError(
                f"{names[0]} is {formats[0]} but {name} is {other}: "
                "all files of a table must have one format"
            )
    return Tables(tuple(names), formats[0], dialect=dialect)


def _format(name: str) -> str:
    """The format of a file by its first bytes, or else by its ending; of a stream by its bytes."""
    stream = reading.is_stream(name)
    known = _by_content(name, stream)
    if known == "" and stream and os.path.splitext(name)[1][1:].lower() not in ENDINGS:
        return "csv"
    return known or ending(name, "--from")


def _by_content(name: str, stream: bool) -> str:
    """The format that the first bytes of a file stand for; nothing where they stand for none."""
    head = reading.head(name, [*_MAGIC, *compressed.MAGIC, reading.BOM + b"{"])
    kind = compressed.kind_of(head)
    if kind:
        head = compressed.begin(kind, head)
    for magic, form in _MAGIC.items():
        if head.startswith(magic):
            return form
    text = head.removeprefix(reading.BOM).lstrip()
    return "jsonl" if stream and text[:1] in {b"{", b"["} else ""


_MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}


def _expanded(word: str) -> list[str]:
    """The files that one word stands for."""
    if glob.has_magic(word) and not os.path.exists(word):
        names = sorted(name for name in glob.glob(word, recursive=True) if not os.path.isdir(name))
        if names:
            return names
    reading.require_file(word, f": name its files, such as '{word}/*.csv'")
    return [word]


def ending(name: str, option: str) -> str:
    """The format that the ending of a file's name stands for.  Raises FileError if none."""
    stem, _ = compressed.without_ending(name)
    suffix = os.path.splitext(stem)[1][1:].lower()
    if suffix not in ENDINGS:
        shown = f".{suffix}" if suffix else "no ending"
        known = ", ".join(ENDINGS)
        raise FileError(
            name, f"{shown} does not tell the format: give {option} with one of {known}"
        )
    return ENDINGS[suffix]


def target_format(output: str | None, wanted: str | None, tables: Tables) -> str:
    """The format to write: `wanted`, or that of the ending of `output`, or the one that is read.

    Columns of files that are to be shown are CSV; a pipe of columns makes one.
    """
    piped = any(map(reading.is_stream, tables.names))
    given = tables.format if tables.format in TEXT or piped else "csv"
    if wanted:
        return ENDINGS[wanted]
    if output is None or output == "-":
        return given
    if os.path.isdir(output):
        raise FileError(output, "is a directory")
    return given if os.path.exists(output) and reading.is_stream(output) else ending(output, "--to")

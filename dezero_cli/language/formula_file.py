"""A formula file -> its statements: a definition a line, and the result last."""

from __future__ import annotations

import re
from typing import Final

from dezero_cli import reading
from dezero_cli.faults import FileError, FileText
from dezero_cli.language.values import NO_FILES_IN_FILE

_PIECES: Final = re.compile(r"`[^`\n]*`?|#[^\n]*|[\[(]|[\])]|\n|[^`#\[\]()\n]+")
"""What matters between statements: a quoted name, a comment, brackets, an end of line."""


def statements(name: str) -> list[FileText]:
    """The statements of a file; ``-`` is standard input.

    A statement ends with its line, unless brackets are open; ``#`` begins a comment.  Raises
    FileError for a file that cannot be read or that is empty.
    """
    try:
        text = reading.whole(name).removeprefix(reading.BOM).decode()
    except UnicodeDecodeError as error:
        raise FileError(reading.shown_name(name), f"not UTF-8 at byte {error.start}") from None
    found = [_placed(name, text, *span) for span in _spans(text)]
    if not found:
        raise FileError(reading.shown_name(name), "has no formula")
    for statement in found:
        if re.search(r"=\s*@", statement):
            raise FileError(reading.shown_name(name), NO_FILES_IN_FILE)
    return found


def _spans(text: str) -> list[tuple[int, int, str]]:
    """Where each statement begins and ends, and its text with comments and line ends as blanks."""
    spans = []
    pieces: list[str] = []
    depth = begin = place = 0
    for match in _PIECES.finditer(text + "\n"):
        piece = match[0]
        place = match.end()
        if piece[0] == "#":
            piece = " " * len(piece)
        elif piece in "[(":
            depth += 1
        elif piece in "])":
            depth -= 1
        elif piece == "\n":
            piece = " "
            if depth <= 0:
                spans.append((begin, place - 1, "".join(pieces)))
                pieces, begin, depth = [], place, 0
                continue
        pieces.append(piece.replace("\r", " "))
    if pieces:
        spans.append((begin, len(text), "".join(pieces)))
    return [span for span in spans if span[2].strip()]


def _placed(name: str, text: str, begin: int, end: int, statement: str) -> FileText:
    """A statement that knows where each of its characters stands in the file."""
    blank = len(statement) - len(statement.lstrip())
    first = text.count("\n", 0, begin) + 1
    lines = [0, *(i + 1 for i, c in enumerate(text[begin:end]) if c == "\n")]
    return FileText(statement.strip(), reading.shown_name(name), first, lines, blank)

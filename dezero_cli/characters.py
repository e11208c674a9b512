"""Characters that a terminal would obey: how text, JSON and messages are rid of them."""

from __future__ import annotations

from typing import Final

OBEYED: Final = frozenset(
    map(
        chr,
        (
            *(set(range(32)) - {9, 10, 13}),
            *range(0x7F, 0xA0),
            *(0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
        ),
    )
)
"""Controls, except those of layout, and the marks that turn the direction of writing."""

_BYTES: Final = rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
"""Those that JSON may hold as they are, in UTF-8."""

_BEGINS: Final = (b"\x7f", b"\xc2", b"\xd8", b"\xe2\x80", b"\xe2\x81")

LONGEST_WORD, LONGEST_MESSAGE = 200, 2000
"""Characters of a word in a message, such as a name, and of a message, that are shown."""


def tame(text: str) -> str:
    """A text of several lines, with a mark in the place of what a terminal would obey."""
    found = OBEYED.intersection(text)
    return text.translate({ord(each): "\ufffd" for each in found}) if found else text


def escaped(line: bytes) -> bytes:
    """JSON with what a terminal would obey as ``\\u009b``; it can stand in strings alone."""
    if not any(begin in line for begin in _BEGINS):
        return line
    import re

    return re.sub(_BYTES, lambda found: b"\\u%04x" % ord(found[0].decode()), line)


def printable(text: str) -> str:
    """A text of one line, with a mark in the place of every character that is not printed."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else "\ufffd" for c in text])


def one_line(text: str) -> str:
    """A message on one line, printable; see `brief`."""
    return printable(" ".join(brief(text).split()))


def brief(text: str) -> str:
    """A message in which words that are very long, such as names, are cut in the middle."""
    if len(text) > LONGEST_WORD:
        text = " ".join([clipped(word, LONGEST_WORD) for word in text.split()])
    return clipped(text, LONGEST_MESSAGE)


def clipped(text: str, most: int) -> str:
    """A text of so many characters at most: its begin and its end, and dots between."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"

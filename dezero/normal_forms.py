"""Names in Unicode's normal forms, in time that grows with their length."""

from __future__ import annotations

import unicodedata
from typing import Literal

MARKS = 30
"""Combining marks behind a letter, as many as UAX #15 allows in text for streams."""


def normalized(form: Literal["NFC", "NFD", "NFKC", "NFKD"], name: str) -> str:
    """A name in a normal form; as it is where more marks than MARKS follow one another.

    Those would be put in order one by one, in time that grows with the square of their number.
    """
    count = 0
    for letter in name if len(name) > MARKS else "":
        count = count + 1 if unicodedata.combining(letter) else 0
        if count > MARKS:
            return name
    return unicodedata.normalize(form, name)

"""Constants as a person writes them: 3, 0.5, 1/3, 1/5.123, 2*pi."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from dezero.programs.kinds import LARGEST, ONE

Quotient = tuple[str | None, str | None]
"""What is written above and below the line; None is 1."""
EXACT = 4e-16
"""A number is a multiple of pi if it is no farther from one, relatively."""
LONG = 8
"""Characters from which on a decimal fraction is long."""


@lru_cache(4096)
def quotient(value: Fraction, alone: bool = False) -> Quotient:
    """What a positive number is written as: a factor of others, or alone.

    A long decimal fraction is written as a quotient of short numbers or as a multiple of pi, where
    it is one within its last digit.
    """
    usual = (_decimal(value), None) if alone and _terminates(value) else plain(value)
    if _length(usual) < LONG:
        return usual
    found = [usual]
    if value.denominator > 1 and value > 1 / LARGEST and _terminates(1 / value):
        found.append((None, _decimal(1 / value)))
    elif (inverse := _short_inverse(value)) is not None:
        found.append((None, inverse))
    if max(value.numerator, value.denominator) < 10**7:
        found.append(_whole(value))
    if (multiple := multiple_of_pi(value)) is not None:
        found.append(multiple)
    return min(found, key=_length)


def plain(value: Fraction) -> Quotient:
    """A positive number as a decimal fraction, or as one of small whole numbers."""
    return _whole(value) if is_fraction(value) else (_decimal(value), None)


def above_and_below(value: Fraction) -> tuple[Fraction, Fraction]:
    """A number as what is multiplied by and what is divided by."""
    whole = is_fraction(value)
    return (Fraction(value.numerator), Fraction(value.denominator)) if whole else (value, ONE)


def is_fraction(value: Fraction) -> bool:
    """Whether a number is written as a quotient of small whole numbers."""
    return value.denominator <= 1000 and (not _terminates(value) or _is_dyadic(value))


def multiple_of_pi(value: Fraction) -> Quotient | None:
    """A number as a small fraction times a power of pi, or the root of 2*pi."""
    for name, unit in _UNITS.items():
        for sign in (1, -1):
            scaled = float(value) / unit**sign
            if not 1e-3 < scaled < 1e4:
                continue
            simple = Fraction(scaled).limit_denominator(1000)
            if abs(scaled / simple - 1) > EXACT:
                continue
            above, below = _whole(simple)
            if sign == 1:
                return name if above is None else f"{above}*{name}", below
            return above, name if below is None else f"{below}*{name}"
    return None


_UNITS = {
    **{"pi" + f"**{n}" * (n > 1): math.pi**n for n in (1, 2, 3)},
    "sqrt(2*pi)": math.sqrt(2 * math.pi),
}


def below_the_line(text: str) -> str:
    """What is divided by, in parentheses where it is a product."""
    return f"({text})" if "*" in text and not text.startswith("sqrt(") else text


def _whole(value: Fraction) -> Quotient:
    above, below = (None if n == 1 else _decimal(Fraction(n)) for n in value.as_integer_ratio())
    return above, below


def _short_inverse(value: Fraction) -> str | None:
    """The short decimal fraction that a number is the reciprocal of, if it is."""
    text = f"{1 / float(value):.{LONG}g}"
    return text if abs(float(text) * float(value) - 1) <= EXACT and "e" not in text else None


def _length(written: Quotient) -> int:
    return sum(len(text) + 1 for text in written if text is not None)


def _decimal(value: Fraction) -> str:
    if value.denominator == 1 and abs(value) < 10**15:
        return str(value.numerator)
    return "e" if float(value) == math.e else repr(float(value))


def _terminates(value: Fraction) -> bool:
    """Whether a number has a decimal form of reasonable length."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1 and value.denominator < 10**17


def _is_dyadic(value: Fraction) -> bool:
    return value.denominator in {1, 2, 4, 8, 16, 32, 64}

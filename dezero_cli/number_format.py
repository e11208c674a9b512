"""Numbers as text: the shortest that reads back, or so many digits, in one of three forms."""

from __future__ import annotations

import math
from collections.abc import Callable

FORMS = ("plain", "sci", "eng")
"""Without an exponent; with one; with one that is a multiple of three."""

ShowNumber = Callable[[float], str]
"""What writes a number."""


def number_text(number: float) -> str:
    """The shortest text that reads back to the same float64."""
    return repr(float(number))


class NumberFormat:
    """How numbers are written: so many significant digits (None: the fewest that read back).

    `form` is one of FORMS; None takes an exponent where it makes the text short, as Python does.
    """

    __slots__ = ("form", "precision")

    def __init__(self, precision: int | None = None, form: str | None = None) -> None:
        self.precision = precision
        self.form = form

    def __call__(self, number: float) -> str:
        """The text of a number; nan, inf and -inf are themselves."""
        number = float(number)
        if not math.isfinite(number):
            return repr(number)
        if self.form is None:
            return repr(number) if self.precision is None else _short(number, self.precision)
        from decimal import Decimal

        digits = repr(number) if self.precision is None else f"{number:.{self.precision - 1}e}"
        exact = Decimal(digits)
        if self.form == "plain":
            return f"{exact:f}"
        exponent = exact.adjusted() if exact else 0
        if self.form == "eng":
            exponent -= exponent % 3
        mantissa = exact.scaleb(-exponent)
        if self.precision is None:
            mantissa = mantissa.normalize()
        return f"{mantissa:f}e{exponent:+03d}"


def _short(number: float, precision: int) -> str:
    """A number to so many digits; each of them is written where an exponent follows.

    Without one, zeros at the end would say nothing: 2.5 to four digits is 2.5, but 105 to two is
    1.0e+02, since 1e+02 would be taken for a number that has only one.
    """
    text = f"{number:.{precision}g}"
    return f"{number:.{precision - 1}e}" if "e" in text else text


def with_sigma(value: float, sigma: float) -> str:
    """``9.801 ± 0.022``: both rounded to the second digit of the standard uncertainty."""
    if not (math.isfinite(value) and 1e-15 * abs(value) < sigma < math.inf):
        return f"{number_text(value)} ± {number_text(sigma)}"
    from decimal import Decimal

    rounded = Decimal(f"{sigma:.1e}")
    exact = Decimal(value)
    digits = exact.adjusted() if abs(exact) > rounded else rounded.adjusted()
    last = rounded.adjusted() - 1
    if last >= -_MOST_PLACES and digits < _MOST_PLACES:
        places = max(0, -last)
        return f"{round(exact, -last) + 0:.{places}f} ± {rounded:.{places}f}"
    places = digits - last
    exact, rounded = round(exact.scaleb(-digits), places) + 0, rounded.scaleb(-digits)
    return f"({exact:.{places}f} ± {rounded:.{places}f})e{digits:+03d}"


_MOST_PLACES = 15
"""Digits before and behind the point, from which an exponent takes the place of zeros."""

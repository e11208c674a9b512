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

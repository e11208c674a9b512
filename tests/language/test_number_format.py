"""Numbers as text: significant digits are those of the exact value, rounded half to even."""

import decimal
import math
import random
import struct

import pytest

from dezero_cli.number_format import FORMS, NumberFormat


def drawn(count):
    """Floats of any size, ties among them: whole numbers, halves, few digits, any bits."""
    generator = random.Random(17)
    for i in range(count):
        sign = generator.choice([1, -1])
        yield (
            sign
            * [
                float(generator.randrange(10 ** generator.randrange(1, 9))),
                (2 * generator.randrange(10**4) + 1) / 2 ** generator.randrange(1, 12),
                float(f"{generator.randrange(1000)}5e{generator.randrange(-12, 20)}"),
                struct.unpack("<d", generator.randbytes(8))[0],
            ][i % 4]
        )


def rounded(number, digits):
    """The exact value of a float64 to so many significant digits, by decimal arithmetic."""
    context = decimal.Context(
        prec=digits, rounding=decimal.ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999
    )
    return context.plus(decimal.Decimal(number))


@pytest.mark.parametrize("form", [None, *FORMS])
def test_digits_are_those_of_the_exact_value_rounded_half_to_even(form):
    for number in filter(math.isfinite, drawn(8000)):
        for digits in (1, 2, 3, 7, 15, 17):
            text = NumberFormat(digits, form)(number)
            expected = rounded(number, digits)
            assert decimal.Decimal(text) == expected, (number, digits, form)
            mantissa, e, exponent = text.partition("e")
            if form in {None, "sci"} and e:
                assert sum(map(str.isdigit, mantissa)) == digits
            if form == "sci" and expected:
                assert int(exponent) == expected.adjusted()
            if form == "eng" and expected:
                assert int(exponent) % 3 == 0 and 1 <= abs(decimal.Decimal(mantissa)) < 1000
            assert (form != "plain") or not e
            assert text.startswith("-") == (math.copysign(1, number) < 0)


@pytest.mark.parametrize(
    ("number", "digits", "form", "text"),
    [
        (105.0, 2, None, "1.0e+02"),
        (115.0, 2, None, "1.2e+02"),
        (105.0, 3, None, "105"),
        (2.5, 1, None, "2"),
        (2.5, 4, None, "2.5"),
        (1e300, 3, None, "1.00e+300"),
        (105.0, 2, "plain", "100"),
        (105.0, 2, "sci", "1.0e+02"),
        (105.0, 2, "eng", "100e+00"),
        (999.9, 2, "eng", "1.0e+03"),
        (0.0, 2, None, "0"),
        (math.nan, 2, None, "nan"),
    ],
)
def test_examples(dezero, number, digits, form, text):
    assert NumberFormat(digits, form)(number) == text
    options = ["--precision", str(digits), *(["--format", form] if form else [])]
    assert dezero("eval", "x", f"x={number!r}", "--get", "value", *options).out == text + "\n"

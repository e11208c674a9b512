"""The kinds of terms that a program's operations become: a sum, a product, a choice, a call.

A term's parts are numbers of terms that stand before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import NamedTuple

LARGEST = 1e290
"""Constants are gathered up to this, and down to its reciprocal."""
MODERATE = 10**9
"""A constant beyond this, or below its reciprocal, is no coefficient: it stays where it is."""

LONGEST = 10**30
"""What stands above or below the line of an exact constant at most."""
ONE = Fraction(1)

Exponent = int | Fraction
Factors = tuple[tuple[int, Exponent], ...]
"""Terms by their numbers, each with its exponent."""


class NumberTerm(NamedTuple):
    """A constant; a float only where it is not finite."""

    value: Fraction | float


class NameTerm(NamedTuple):
    """An input."""

    name: str


class SumTerm(NamedTuple):
    """left + right."""

    left: int
    right: int


class ProductTerm(NamedTuple):
    """A coefficient times factors, one after another; an exponent of -1 divides by the base."""

    coefficient: Fraction
    factors: Factors


class PowerTerm(NamedTuple):
    """base**exponent, where the exponent is not a constant."""

    base: int
    exponent: int


class ComparisonTerm(NamedTuple):
    """1 where the left side and the right are in the relation, else 0."""

    symbol: str
    left: int
    right: int


class ChoiceTerm(NamedTuple):
    """`chosen` where the condition is not 0, else `other`."""

    condition: int
    chosen: int
    other: int


class CallTerm(NamedTuple):
    """A function, under NumPy's name, of its arguments."""

    function: str
    arguments: tuple[int, ...]


Term = (
    NumberTerm
    | NameTerm
    | SumTerm
    | ProductTerm
    | PowerTerm
    | ComparisonTerm
    | ChoiceTerm
    | CallTerm
)


def exact(value: float) -> Fraction | float:
    """The number a person would have written for a float64; one that is not finite as it is."""
    if not math.isfinite(value):
        return value
    simple = Fraction(value).limit_denominator(1000)
    return simple if float(simple) == value else Fraction(repr(value))


def is_moderate(value: Fraction, most: int = MODERATE) -> bool:
    """Whether a number is a coefficient: neither it nor its reciprocal is beyond `most`."""
    return (
        value == 0
        or value.denominator <= most * abs(value.numerator) <= most**2 * value.denominator
    )


def are_powers(*exponents: Exponent) -> bool:
    """Whether exponents are whole numbers above 0."""
    return all(isinstance(exponent, int) and exponent > 0 for exponent in exponents)


def is_odd(exponent: Exponent) -> bool:
    """Whether a power of a number below 0 may be below 0 too."""
    return not isinstance(exponent, int) or exponent % 2 == 1


def exact_product(c0: Fraction, c1: Fraction) -> Fraction | None:
    """c0*c1, rounded where it is long; None near the ends of a float64's range."""
    return c0 if c1 is ONE else c1 if c0 is ONE else short(c0 * c1)


def short(value: Fraction) -> Fraction | None:
    """An exact constant, rounded where it is long; None near the ends of a float64's range."""
    if value.denominator <= LONGEST and abs(value.numerator) <= LONGEST:
        return value
    if value and not 1 / LARGEST < abs(value) < LARGEST:
        return None
    return Fraction(repr(float(value)))


def children(term: Term) -> list[int]:
    """The numbers of the terms that a term is made of."""
    match term:
        case ProductTerm():
            return [base for base, _ in term.factors]
        case CallTerm():
            return list(term.arguments)
        case ComparisonTerm():
            return [term.left, term.right]
        case SumTerm() | PowerTerm() | ChoiceTerm():
            return list(term)
    return []


def reachable(
    terms: list[Term],
    outputs: Iterable[int],
    parts: Callable[[Term], Iterable[int]] = children,
) -> list[int]:
    """The terms that outputs are made of, parts before wholes."""
    needed = set(outputs)
    for number in range(len(terms) - 1, -1, -1):
        if number in needed:
            needed.update(parts(terms[number]))
    return sorted(needed)

"""Terms -> terms whose products are made a factor at a time, for code to name what is shared.

Products that begin alike then have that beginning in common, as a*b*c has a*b.  A small whole
power is a product too.  Every product keeps its factors' order, and so its range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from dezero.programs.constants import above_and_below
from dezero.programs.terms import (
    CallTerm,
    ChoiceTerm,
    ComparisonTerm,
    Exponent,
    PowerTerm,
    ProductTerm,
    SumTerm,
    Term,
    Terms,
    reachable,
)

LARGEST_POWER = 4
"""Whole powers up to this are products."""


class SharedTerms:
    """The terms that a program's outputs need, products a factor at a time; equal ones are one.

    `parts` are those of the terms' parts that the outputs have in them, else None.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms: list[Term] = []
        self.numbers: dict[tuple[type, Term], int] = {}
        made: dict[int, int] = {}
        self.take_apart(terms, terms.outputs, made)
        self.outputs = [made[number] for number in terms.outputs]
        count = len(self.terms)
        self.take_apart(terms, [part for part in terms.parts if part is not None], made)
        numbers = [None if part is None else made[part] for part in terms.parts]
        self.parts = [part if part is not None and part < count else None for part in numbers]
        del self.terms[count:]

    def take_apart(self, terms: Terms, outputs: Sequence[int], made: dict[int, int]) -> None:
        """Make what `outputs` need and `made`, which has the new numbers, lacks."""
        for number in reachable(terms.terms, outputs):
            term = terms.terms[number]
            if number in made:
                continue
            if isinstance(term, ProductTerm):
                factors = [(made[base], exponent) for base, exponent in term.factors]
                made[number] = self.signed(term.coefficient, factors)
            else:
                made[number] = self.intern(renumbered(term, made.__getitem__))

    def intern(self, term: Term) -> int:
        """The number of a term."""
        known = self.numbers.setdefault((type(term), term), len(self.terms))
        if known == len(self.terms):
            self.terms.append(term)
        return known

    def product(self, coefficient: Fraction, *factors: tuple[int, Exponent]) -> int:
        """The number of a product; of one factor alone, that."""
        if coefficient == 1 and len(factors) == 1 and factors[0][1] == 1:
            return factors[0][0]
        return self.intern(ProductTerm(coefficient, factors))

    def signed(self, coefficient: Fraction, factors: list[tuple[int, Exponent]]) -> int:
        """A coefficient times factors: its numerator first, its denominator and its sign last."""
        (base, exponent), *rest = [self.factor(*factor) for factor in factors]
        top, bottom = above_and_below(abs(coefficient))
        if exponent == -1:  # c/(d*x)
            top, bottom = top / bottom, Fraction(1)
        number = self.product(top, (base, exponent))
        for base, exponent in rest:
            number = self.product(Fraction(1), (number, 1), (base, exponent))
        number = self.product(1 / bottom, (number, 1))
        return self.product(Fraction(-1), (number, 1)) if coefficient < 0 else number

    def factor(self, base: int, exponent: Exponent) -> tuple[int, Exponent]:
        """A factor whose exponent is 1 or -1, which divides."""
        if exponent in (1, -1):
            return base, exponent
        if not isinstance(exponent, int) or abs(exponent) > LARGEST_POWER:
            return self.product(Fraction(1), (base, exponent)), 1
        power = base
        for _ in range(abs(exponent) - 1):
            power = self.product(Fraction(1), (power, 1), (base, 1))
        return power, 1 if exponent > 0 else -1


def renumbered(term: Term, number: Callable[[int], int]) -> Term:
    """A term, no product, of the same parts under other numbers."""
    match term:
        case SumTerm(left, right):
            return SumTerm(number(left), number(right))
        case PowerTerm(base, exponent):
            return PowerTerm(number(base), number(exponent))
        case ComparisonTerm(symbol, left, right):
            return ComparisonTerm(symbol, number(left), number(right))
        case ChoiceTerm(condition, chosen, other):
            return ChoiceTerm(number(condition), number(chosen), number(other))
        case CallTerm(function, arguments):
            return CallTerm(function, tuple(map(number, arguments)))
    return term

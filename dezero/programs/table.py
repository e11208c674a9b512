"""A table of terms, each before those that use it, in which equal terms are one."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from dezero.names import RELATIONS
from dezero.programs.kinds import (
    MODERATE,
    ONE,
    CallTerm,
    ComparisonTerm,
    Exponent,
    Factors,
    NameTerm,
    NumberTerm,
    ProductTerm,
    SumTerm,
    Term,
    children,
    exact,
    exact_product,
    is_moderate,
    is_odd,
    short,
)

SYMBOLS: dict[Any, str] = {relation.ufunc: relation.symbol for relation in RELATIONS}
_EXACT: dict[Any, Callable[..., Fraction]] = {
    np.add: operator.add,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
}
SPREAD = {"cos": 17.0, "log": 16.0, "log2": 16.0, "log10": 17.0, "arccos": 8.0}
"""How far, in powers of ten, a value of these functions is from 1 at most, unless it is 0."""
WIDEST = 17.0
"""A product that is no farther from 1 than that leaves the range nowhere but near its ends."""


class TermTable:
    """Terms by their numbers; `lengths` has about how long each is when it is written out.

    `signs` tells what is known of each: 2 if it is above 0 by more than a number can be too small
    for, 1 if it is not below 0, else 0; where it is nan, neither.  `truths` are those that are 1 or
    0 whatever the inputs are.
    """

    most = MODERATE
    """The largest coefficient."""

    def __init__(self) -> None:
        self.terms: list[Term] = []
        self.lengths: list[int] = []
        self.signs: list[int] = []
        self.truths: set[int] = set()
        self.numbers: dict[object, int] = {}
        self.insides: dict[int, tuple[tuple[int, int], ...]] = {}
        self.opened_sums: dict[int, list[tuple[int, Fraction]]] = {}

    def intern(self, term: Term) -> int:
        """The number of a term."""
        key = _key(term)
        known = self.numbers.get(key)
        if known is None:
            known = self.numbers[key] = len(self.terms)
            self.terms.append(term)
            own = len(term.name) if isinstance(term, NameTerm) else 1
            self.lengths.append(own + sum(self.lengths[part] + 1 for part in children(term)))
            self.signs.append(self._sign(term))
            if self._is_truth(term):
                self.truths.add(known)
        return known

    def _is_truth(self, term: Term) -> bool:
        """Whether a term is 1 or 0: a comparison, or made of such."""
        match term:
            case ProductTerm(Fraction(numerator=1, denominator=1), factors):
                return all(exponent == 1 and base in self.truths for base, exponent in factors)
            case CallTerm("maximum" | "minimum", arguments):
                return self.truths.issuperset(arguments)
        return isinstance(term, ComparisonTerm)

    def _sign(self, term: Term) -> int:
        match term:
            case NumberTerm(value):
                return 2 if value > 0 else int(value == 0)
            case SumTerm(left, right):
                signs = self.signs[left], self.signs[right]
                return max(signs) if min(signs) else 0
            case ProductTerm(coefficient, factors):
                even = (self.signs[base] or not is_odd(exponent) for base, exponent in factors)
                return int(coefficient > 0 and all(even))
            case CallTerm("sqrt" | "cbrt", (base,)):
                return self.signs[base]
            case CallTerm("cosh"):
                return 2
            case CallTerm("exp" | "exp2" | "absolute" | "hypot") | ComparisonTerm():
                return 1
            case CallTerm("maximum" | "minimum", parts):
                return min(self.signs[part] for part in parts)
        return 0

    def number(self, value: float | Fraction) -> int:
        """The number of a constant's term."""
        return self.intern(NumberTerm(exact(value) if isinstance(value, float) else value))

    def constants(self, numbers: Iterable[int]) -> list[Fraction | float]:
        """The values of terms that are constants."""
        terms = [self.terms[number] for number in numbers]
        return [term.value for term in terms if isinstance(term, NumberTerm)]

    def fold(self, function: Any, values: list[Fraction | float]) -> int:
        """The number of the term for a function of constants, exact where it is arithmetic."""
        made = _EXACT.get(function)
        if made is not None and all(isinstance(value, Fraction) for value in values):
            result = short(made(*values))
            if result is not None:
                return self.number(result)
        with np.errstate(all="ignore"):
            return self.number(float(function(*(np.float64(float(x)) for x in values))))

    def value(self, number: int) -> Fraction | None:
        """The number that a term is; None for other terms."""
        term = self.terms[number]
        is_finite = isinstance(term, NumberTerm) and isinstance(term.value, Fraction)
        return term.value if is_finite else None  # type: ignore[union-attr, return-value]

    def factors(self, number: int) -> tuple[Fraction, Factors]:
        """A term as a coefficient and factors with their exponents."""
        term = self.terms[number]
        if isinstance(term, ProductTerm):
            return term
        if isinstance(term, NumberTerm) and isinstance(term.value, Fraction):
            if is_moderate(term.value, self.most):
                return term.value, ()
            sign = Fraction(1 if term.value > 0 else -1)
            return sign, ((self.number(abs(term.value)), 1),)
        return ONE, ((number, 1),)

    def product(self, coefficient: Fraction, factors: Iterable[tuple[int, Exponent]]) -> int:
        """The term for a coefficient times factors."""
        parts = tuple(factors)
        if not parts or not coefficient:
            return self.number(coefficient)
        leading = self.value(parts[0][0]) if parts[0][1] == 1 else None
        if leading is not None and (len(parts) == 1 or coefficient not in _UNITS):
            joined = exact_product(coefficient, leading)
            if joined is not None and len(parts) == 1:
                return self.number(joined)
            if joined is not None:  # c*(n*x) is (c*n)*x
                first = self.number(abs(joined))
                return self.product(Fraction(1 if joined > 0 else -1), ((first, 1), *parts[1:]))
        if len(parts) == 1 and parts[0][1] == 1 and coefficient == 1:
            return parts[0][0]
        return self.intern(ProductTerm(coefficient, parts))

    def core(self, factors: Factors) -> int:
        """The term for factors alone."""
        return self.product(ONE, factors)

    def spread(self, factors: Iterable[tuple[int, Exponent]]) -> float:
        """How far from 1 a product of factors is at most, in powers of ten, unless it is 0."""
        total = 0.0
        for base, exponent in factors:
            if base in self.truths:
                continue
            match self.terms[base]:
                case CallTerm(function) if function in SPREAD:
                    total += SPREAD[function] * abs(float(exponent))
                case NumberTerm(Fraction() as value) if value:
                    total += abs(math.log10(abs(value)) * float(exponent))
                case _:
                    return np.inf
        return total


_UNITS = (Fraction(1), Fraction(-1))


def _key(term: Term) -> object:
    """What equal terms have in common; a fraction's own hash takes long."""
    if isinstance(term, ProductTerm):
        return ProductTerm, *term.coefficient.as_integer_ratio(), term.factors
    return type(term), term

"""Program -> terms: its operations in a normal form, which printers write as text.

A term is a sum of two terms, a product of one exact coefficient and powers of factors, a
comparison, a choice or a call, each made once however often it is used.  The rewriting keeps the
value but for rounding: constants and powers are gathered, and choices by one condition become one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from dezero.names import RELATIONS
from dezero.programs.trace import Program

SYMBOLS: dict[Any, str] = {relation.ufunc: relation.symbol for relation in RELATIONS}
LARGEST = 1e290
"""A coefficient beyond this, or below its reciprocal, stays apart from the others."""
MOST_FACTORS = 32
"""A product of more factors becomes a factor itself, so that long products take linear time."""

Exponent = int | Fraction
Factors = tuple[tuple[int, Exponent], ...]
"""Terms by their numbers, each with its exponent."""


# ---------------------------------------------------------------- the kinds; parts are numbers
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
    """A coefficient times powers."""

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


class Terms:
    """The terms of a program, each before those that use it; equal terms are one."""

    def __init__(self, program: Program) -> None:
        self.terms: list[Term] = []
        self.numbers: dict[tuple[type, Term], int] = {}
        values = [self.intern(NameTerm(name)) for name in program.inputs]
        values += [self.number(constant) for constant in program.constants]
        for function, operands in program.operations:
            values.append(self.apply(function, [values[i] for i in operands]))
        self.outputs = [values[i] for i in program.outputs]

    def intern(self, term: Term) -> int:
        """The number of a term."""
        key = (type(term), term)
        known = self.numbers.get(key)
        if known is None:
            known = self.numbers[key] = len(self.terms)
            self.terms.append(term)
        return known

    def number(self, value: float | Fraction) -> int:
        """The number of a constant's term."""
        return self.intern(NumberTerm(exact(value) if isinstance(value, float) else value))

    def apply(self, function: Any, operands: list[int]) -> int:
        """The number of the term for an operation."""
        make = _MAKERS.get(function)
        if make is not None:
            return make(self, *operands)
        terms = [self.terms[number] for number in operands]
        constants = [term.value for term in terms if isinstance(term, NumberTerm)]
        if len(constants) == len(terms):
            return self.fold(function, constants)
        if function in SYMBOLS:
            return self.intern(ComparisonTerm(SYMBOLS[function], *operands))
        return self.intern(CallTerm(function.__name__, tuple(operands)))

    def fold(self, function: Any, values: Iterable[Fraction | float]) -> int:
        """The number of the term for a function of constants."""
        with np.errstate(all="ignore"):
            return self.number(float(function(*map(float, values))))

    # ------------------------------------------------------------------------------- arithmetic
    def factors(self, number: int) -> tuple[Fraction, Factors]:
        """A term as a coefficient and factors with their exponents."""
        term = self.terms[number]
        if isinstance(term, ProductTerm):
            return term
        if isinstance(term, NumberTerm) and isinstance(term.value, Fraction):
            return term.value, ()
        return Fraction(1), ((number, 1),)

    def product(self, coefficient: Fraction, factors: Iterable[tuple[int, Exponent]]) -> int:
        """The term for a coefficient times powers; whole exponents of one base are added.

        A power with a fractional exponent is a base of its own: x**0.5*x**0.5 is not x below 0.
        """
        whole: dict[int, int] = {}
        for base, exponent in factors:
            if isinstance(exponent, int):
                whole[base] = whole.get(base, 0) + exponent
            else:
                root = self.power_of(base, exponent)
                whole[root] = whole.get(root, 0) + 1
        self.merge_comparisons(whole)
        parts = tuple(
            (exponent == 1 and self.root(base)) or (base, exponent)
            for base, exponent in whole.items()
            if exponent != 0
        )
        if not parts or coefficient == 0:
            return self.number(coefficient)
        if coefficient == 1 and len(parts) == 1 and parts[0][1] == 1:
            return parts[0][0]
        return self.intern(ProductTerm(coefficient, parts))

    def power_of(self, base: int, exponent: Exponent) -> int:
        """The term for one power."""
        return self.intern(ProductTerm(Fraction(1), ((base, exponent),)))

    def root(self, number: int) -> tuple[int, Exponent] | None:
        """Base and exponent of a power with a fractional exponent; None for other terms."""
        term = self.terms[number]
        if not isinstance(term, ProductTerm) or term.coefficient != 1 or len(term.factors) != 1:
            return None
        return None if isinstance(term.factors[0][1], int) else term.factors[0]

    def multiply(self, x0: int, x1: int) -> int:
        """x0*x1; choices by one condition become one."""
        return self.by_sides(self.times, x0, x1)

    def times(self, x0: int, x1: int) -> int:
        """x0*x1; powers of the same factors are gathered."""
        (c0, f0), (c1, f1) = self.factors(x0), self.factors(x1)
        if len(f0) + len(f1) > MOST_FACTORS:
            f0, c0 = ((x0, 1),) if len(f0) > 1 else f0, c0 if len(f0) <= 1 else Fraction(1)
        coefficient = _times(c0, c1)
        if coefficient is None:  # nearly out of a float64's range
            if c0 == 1 and not f0:
                return x1
            if c1 == 1 and not f1:
                return x0
            return self.intern(ProductTerm(Fraction(1), ((x0, 1), (x1, 1))))
        return self.product(coefficient, (*f0, *f1))

    def divide(self, x0: int, x1: int) -> int:
        """x0/x1."""
        return self.multiply(x0, self.reciprocal(x1))

    def reciprocal(self, x: int) -> int:
        """1/x."""
        coefficient, factors = self.factors(x)
        if coefficient == 0:  # as in floating point; a product with the zero would be zero itself
            return self.number(math.inf)
        if any(not isinstance(e, int) for _, e in factors):
            return self.power_of(x, -1)
        return self.product(1 / coefficient, [(base, -exponent) for base, exponent in factors])

    def negative(self, x: int) -> int:
        """-x."""
        coefficient, factors = self.factors(x)
        return self.product(-coefficient, factors)

    def add(self, x0: int, x1: int) -> int:
        """x0 + x1; choices by one condition become one."""
        return self.by_sides(self.sum, x0, x1)

    def sum(self, x0: int, x1: int) -> int:
        """x0 + x1; multiples of the same factors are gathered."""
        (c0, f0), (c1, f1) = self.factors(x0), self.factors(x1)
        alike = f0 == f1 or (len(f0) == len(f1) and set(f0) == set(f1))
        if alike and abs(c0 + c1) < LARGEST:
            return self.product(c0 + c1, f0)
        if alike and not f0:
            return self.fold(np.add, (c0, c1))
        if c0 == 0 and not f0:
            return x1
        if c1 == 0 and not f1:
            return x0
        return self.intern(SumTerm(x0, x1))

    def subtract(self, x0: int, x1: int) -> int:
        """x0 - x1."""
        return self.add(x0, self.negative(x1))

    def power(self, x: int, c: int) -> int:
        """x**c; a whole constant c becomes an exponent."""
        term = self.terms[c]
        if not isinstance(term, NumberTerm) or not isinstance(term.value, Fraction):
            return self.intern(PowerTerm(x, c))
        value = term.value
        exponent = int(value) if value.denominator == 1 and abs(value) < 10**6 else value
        if exponent == -1:
            return self.reciprocal(x)
        coefficient, factors = self.factors(x)
        if not factors:
            return self.constant_power(coefficient, exponent)
        simple = coefficient == 1 and len(factors) == 1 and factors[0][1] == 1
        return self.product(Fraction(1), ((factors[0][0] if simple else x, exponent),))

    def constant_power(self, base: Fraction, exponent: Exponent) -> int:
        """base**exponent, exactly where that stays a short number."""
        if isinstance(exponent, int) and abs(exponent) <= 64 and (exponent > 0 or base):
            value = base**exponent
            if value == 0 or 1 / LARGEST < abs(value) < LARGEST:
                return self.number(value)
        return self.fold(np.power, (base, exponent))

    # -------------------------------------------------------------------------------- conditions
    def is_comparison(self, number: int) -> bool:
        """Whether a term is a comparison."""
        return isinstance(self.terms[number], ComparisonTerm)

    def merge_comparisons(self, powers: dict[int, int]) -> None:
        """Comparisons are 0 or 1: their powers are themselves, and a == b contains a <= b."""
        for number in [n for n, e in powers.items() if e > 0]:
            term = self.terms[number]
            if not isinstance(term, ComparisonTerm):
                continue
            powers[number] = 1
            equal = ComparisonTerm("==", term.left, term.right)
            known = self.numbers.get((ComparisonTerm, equal))
            if term.symbol in {"<=", ">="} and known is not None and powers.get(known, 0) > 0:
                del powers[number]

    def negated(self, number: int) -> int | None:
        """What "not", ``(a < b) == 0``, is said of, comparisons alone; None for other terms."""
        term = self.terms[number]
        if not isinstance(term, ComparisonTerm) or term.symbol != "==":
            return None
        if self.terms[term.right] != NumberTerm(0):
            return None
        coefficient, factors = self.factors(term.left)
        compared = all(exponent == 1 and self.is_comparison(base) for base, exponent in factors)
        return term.left if coefficient == 1 and compared else None

    def where(self, condition: int, x0: int, x1: int) -> int:
        """x0 where the condition holds, else x1."""
        while (opposite := self.negated(condition)) is not None:
            condition, x0, x1 = opposite, x1, x0
        x0, x1 = self.chosen(condition, x0, 0), self.chosen(condition, x1, 1)
        decided = self.terms[condition]
        if x0 == x1 or (isinstance(decided, NumberTerm) and decided.value != 0):
            return x0
        if isinstance(decided, NumberTerm):
            return x1
        return self.intern(ChoiceTerm(condition, x0, x1))

    def chosen(self, condition: int, x: int, side: int) -> int:
        """What `x` is on one side of a condition: its own choices by that condition are made."""
        coefficient, factors = self.factors(x)
        made: list[tuple[int, Exponent]] = []
        for base, exponent in factors:
            choice = self.terms[base]
            if exponent == 1 and isinstance(choice, ChoiceTerm) and choice.condition == condition:
                c, inner = self.factors(choice.other if side else choice.chosen)
                product = _times(coefficient, c)
                if product is not None:
                    coefficient = product
                    made += inner
                    continue
            made.append((base, exponent))
        return x if tuple(made) == factors else self.product(coefficient, made)

    def by_sides(self, make: Callable[[int, int], int], x0: int, x1: int) -> int:
        """make(x0, x1); of two choices by the same condition, on either side of it."""
        choice0, choice1 = self.multiple(x0), self.multiple(x1)
        if choice0 is None or choice1 is None or choice0[0] != choice1[0] or choice0 == choice1:
            return make(x0, x1)
        condition, *sides = choice0
        return self.where(condition, *map(make, sides, choice1[1:]))

    def multiple(self, x: int) -> tuple[int, int, int] | None:
        """The condition and the two sides of c*where(condition, a, b); None for other terms."""
        coefficient, factors = self.factors(x)
        if len(factors) != 1 or factors[0][1] != 1:
            return None
        choice = self.terms[factors[0][0]]
        if not isinstance(choice, ChoiceTerm):
            return None
        scaled = []
        for side in choice[1:]:
            c, inner = self.factors(side)
            product = _times(coefficient, c)
            if product is None:
                return None
            scaled.append(self.product(product, inner))
        return choice.condition, scaled[0], scaled[1]


_MAKERS: dict[Any, Callable[..., int]] = {
    np.add: Terms.add,
    np.subtract: Terms.subtract,
    np.multiply: Terms.multiply,
    np.divide: Terms.divide,
    np.negative: Terms.negative,
    np.power: Terms.power,
    np.where: Terms.where,
}


def exact(value: float) -> Fraction | float:
    """The number a person would have written for a float64; one that is not finite as it is."""
    if not math.isfinite(value):
        return value
    simple = Fraction(value).limit_denominator(1000)
    return simple if float(simple) == value else Fraction(repr(value))


def _times(c0: Fraction, c1: Fraction) -> Fraction | None:
    product = c0 * c1
    if product and not 1 / LARGEST < abs(product) < LARGEST:
        return None
    if product.denominator > 10**30 or product.numerator > 10**30:
        return Fraction(repr(float(product)))
    return product


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


def reachable(terms: list[Term], outputs: Iterable[int]) -> list[int]:
    """The terms that outputs are made of, parts before wholes."""
    needed = set(outputs)
    for number in range(len(terms) - 1, -1, -1):
        if number in needed:
            needed.update(children(terms[number]))
    return sorted(needed)

"""Program -> terms: its operations in a normal form, which printers write as text.

A term is a sum of two terms, a product of one exact coefficient and factors, a comparison, a
choice or a call, each made once however often it is used.  The rewriting keeps the value but for
rounding, and the range: moderate constants are gathered, choices by one condition become one, and
what is multiplied and divided by the same is neither; but factors keep their order, as x*y may
overflow where x/z*y does not, and no power is made of x/y/y, whose divisor may vanish where y does
not.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from dezero.names import RELATIONS
from dezero.programs.trace import Program

SYMBOLS: dict[Any, str] = {relation.ufunc: relation.symbol for relation in RELATIONS}
LARGEST = 1e290
"""Constants are gathered up to this, and down to its reciprocal."""
MODERATE = 10**9
"""A constant beyond this, or below its reciprocal, is no coefficient: it stays where it is."""
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
        if all(isinstance(term, NumberTerm) for term in terms):
            return self.fold(function, self.constants(operands))
        if function in SYMBOLS:
            return self.intern(ComparisonTerm(SYMBOLS[function], *operands))
        return self.intern(CallTerm(function.__name__, tuple(operands)))

    def constants(self, numbers: Iterable[int]) -> list[Fraction | float]:
        """The values of terms that are constants."""
        terms = [self.terms[number] for number in numbers]
        return [term.value for term in terms if isinstance(term, NumberTerm)]

    def fold(self, function: Any, values: list[Fraction | float]) -> int:
        """The number of the term for a function of constants, exact where it is arithmetic."""
        made = _EXACT.get(function)
        if made is not None and all(isinstance(value, Fraction) for value in values):
            result = _short(made(*values))
            if result is not None:
                return self.number(result)
        with np.errstate(all="ignore"):
            return self.number(float(function(*(np.float64(float(value)) for value in values))))

    # ------------------------------------------------------------------------------- arithmetic
    def factors(self, number: int) -> tuple[Fraction, Factors]:
        """A term as a coefficient and factors with their exponents."""
        term = self.terms[number]
        if isinstance(term, ProductTerm):
            return term
        if isinstance(term, NumberTerm) and isinstance(term.value, Fraction):
            if _is_moderate(term.value):
                return term.value, ()
            sign = Fraction(1 if term.value > 0 else -1)
            return sign, ((self.number(abs(term.value)), 1),)
        return Fraction(1), ((number, 1),)

    def value(self, number: int) -> Fraction | None:
        """The number that a term is; None for other terms."""
        term = self.terms[number]
        is_finite = isinstance(term, NumberTerm) and isinstance(term.value, Fraction)
        return term.value if is_finite else None  # type: ignore[union-attr, return-value]

    def product(self, coefficient: Fraction, factors: Iterable[tuple[int, Exponent]]) -> int:
        """The term for a coefficient times factors."""
        parts = tuple(factors)
        if not parts or coefficient == 0:
            return self.number(coefficient)
        leading = self.value(parts[0][0]) if parts[0][1] == 1 else None
        if leading is not None and (abs(coefficient) != 1 or len(parts) == 1):
            joined = _times(coefficient, leading)
            if joined is not None and len(parts) == 1:
                return self.number(joined)
            if joined is not None:  # c*(n*x) is (c*n)*x
                first = self.number(abs(joined))
                return self.product(Fraction(1 if joined > 0 else -1), ((first, 1), *parts[1:]))
        if coefficient == 1 and len(parts) == 1 and parts[0][1] == 1:
            return parts[0][0]
        return self.intern(ProductTerm(coefficient, parts))

    def core(self, factors: Factors) -> int:
        """The term for factors alone."""
        return self.product(Fraction(1), factors)

    def multiply(self, x0: int, x1: int) -> int:
        """x0*x1; choices by one condition become one."""
        return self.by_sides(self.times, x0, x1)

    def times(self, x0: int, x1: int) -> int:
        """x0*x1: the factors of one after those of the other, which is one factor where it can."""
        (c0, f0), (c1, f1) = self.factors(x0), self.factors(x1)
        if self.value(x0) is not None and self.value(x1) is not None:
            return self.fold(np.multiply, self.constants((x0, x1)))
        if x0 == x1 and f0 and (len(f0) > 1 or not isinstance(f0[0][1], int)):
            f0, f1 = ((self.core(f0), 1),), ((self.core(f0), 1),)
        if self.comes_first(f1, f0):
            (c0, f0), (c1, f1) = (c1, f1), (c0, f0)
        return self.joined(c0, c1, f0, [(self.core(f1), 1)] if len(f1) > 1 else f1)

    def comes_first(self, f0: Factors, f1: Factors) -> bool:
        """Whether f0*f1 is written so and not f1*f0, which has the same bits."""
        if len(f0) != 1 or len(f1) != 1:
            return len(f0) > 1 >= len(f1)
        if (f0[0][1] == -1) != (f1[0][1] == -1):
            return f1[0][1] == -1
        return self.value(f0[0][0]) is not None

    def divide(self, x0: int, x1: int) -> int:
        """x0/x1."""
        (c0, f0), (c1, f1) = self.factors(x0), self.factors(x1)
        if c1 == 0:  # as in floating point; a product with the zero would be zero itself
            return self.multiply(x0, self.number(math.inf))
        if self.value(x0) is not None and self.value(x1) is not None:
            return self.fold(np.divide, self.constants((x0, x1)))
        match f1:
            case ((_, 1), (base, -1)) if not f0:  # c/(x/y) is c*y/x
                f0, f1 = ((base, 1),), ((f1[0][0], -1),)
            case ((base, -1),):
                f1 = ((base, 1),)
            case ((_, 1),):
                f1 = ((f1[0][0], -1),)
            case (_, *_):
                f1 = ((self.core(f1), -1),)
        return self.joined(c0, 1 / c1, f0, f1)

    def joined(
        self, c0: Fraction, c1: Fraction, f0: Factors, f1: Iterable[tuple[int, Exponent]]
    ) -> int:
        """The product of two coefficients, factors, and one factor more at most."""
        coefficient = _times(c0, c1)
        if coefficient is None or not _is_moderate(coefficient):  # each stays where it is
            last = [(base, exponent) for base, exponent in f1]
            if not f0 and not last and coefficient is not None:
                return self.number(coefficient)
            sign = Fraction(1 if (c0 < 0) == (c1 < 0) else -1)
            c0, c1 = abs(c0), abs(c1)
            f0 = ((self.product(c0, f0), 1),)
            inverse = bool(last) and last[0][1] == -1
            other = self.product(1 / c1 if inverse else c1, [(last[0][0], 1)] if inverse else last)
            return self.intern(ProductTerm(sign, (*f0, (other, -1 if inverse else 1))))
        if len(f0) >= MOST_FACTORS:
            f0 = ((self.core(f0), 1),)
        chain = list(f0)
        for base, exponent in f1:
            self.append(chain, base, exponent)
        return self.product(coefficient, chain)

    def append(self, chain: list[tuple[int, Exponent]], base: int, exponent: Exponent) -> None:
        """Add a factor to a product; it cancels what is before it, or before that.

        Whatever the factors, no value between is then larger or smaller than those that were.
        """
        if self.is_contained(chain, base, exponent):
            return
        for place in range(len(chain) - 1, max(len(chain) - 3, -1), -1):
            made = self.cancelled(chain[place], (base, exponent), place == len(chain) - 1)
            if made is not None:
                chain[place : place + 1] = [made] if made[1] != 0 else []
                return
        inner = self.terms[chain[-1][0]] if chain and chain[-1][1] == 1 else None
        if isinstance(inner, ProductTerm) and inner.coefficient == 1:  # y*(x/z)*z is y*x
            made = self.cancelled(inner.factors[-1], (base, exponent), True)
            if made is not None:
                chain[-1] = self.core((*inner.factors[:-1], *([made] if made[1] != 0 else []))), 1
                return
        if len(chain) == 1 and chain[0][0] == base and _are_powers(chain[0][1], exponent):
            chain[0] = (base, chain[0][1] + exponent)
        else:
            chain.append((base, exponent))

    def cancelled(
        self, known: tuple[int, Exponent], added: tuple[int, Exponent], is_last: bool
    ) -> tuple[int, Exponent] | None:
        """One factor for two of which one divides by what the other is; None for others."""
        (base, over), (known_base, under) = (added, known) if known[1] == -1 else (known, added)
        if under != -1 or not _are_powers(over, 1):
            return None
        below, power = self.whole_power(known_base)
        if below == base:
            rest = over - power
            if rest >= 0:
                return (base, rest) if is_last or rest == 0 or known[1] != -1 else None
            return self.core(((base, -rest),)), -1
        if over != 1 or known[1] != -1 or not is_last:
            return None
        match self.terms[known_base]:
            case ProductTerm(Fraction(numerator=1, denominator=1), factors):
                if factors[-1] == (base, 1):
                    return self.core(factors[:-1]), -1
                if len(factors) == 2 and factors[0] == (base, 1) and factors[1][1] != -1:
                    return self.core(factors[1:]), -1
        return None

    def whole_power(self, number: int) -> tuple[int, int]:
        """A term as a base and a whole exponent above 0."""
        match self.terms[number]:
            case ProductTerm(Fraction(numerator=1, denominator=1), ((base, int() as power),)):
                if power > 0:
                    return base, power
        return number, 1

    def negative(self, x: int) -> int:
        """-x."""
        value = self.value(x)
        coefficient, factors = self.factors(x)
        return self.product(-coefficient, factors) if value is None else self.number(-value)

    def add(self, x0: int, x1: int) -> int:
        """x0 + x1; choices by one condition become one."""
        return self.by_sides(self.sum, x0, x1)

    def sum(self, x0: int, x1: int) -> int:
        """x0 + x1; multiples of the same factors are gathered."""
        (c0, f0), (c1, f1) = self.factors(x0), self.factors(x1)
        if self.value(x0) is not None and self.value(x1) is not None:
            return self.fold(np.add, self.constants((x0, x1)))
        if f0 == f1 or (len(f0) == len(f1) and sorted(f0) == sorted(f1)):
            return self.product(c0 + c1, f0)
        if c0 == 0:
            return x1
        if c1 == 0:
            return x0
        if isinstance(self.terms[x1], SumTerm) and not isinstance(self.terms[x0], SumTerm):
            x0, x1 = x1, x0
        return self.intern(SumTerm(x0, x1))

    def subtract(self, x0: int, x1: int) -> int:
        """x0 - x1."""
        return self.add(x0, self.negative(x1))

    def power(self, x: int, c: int) -> int:
        """x**c; a constant c becomes an exponent."""
        exponent = self.value(c)
        if exponent is None:
            return self.intern(PowerTerm(x, c))
        whole = int(exponent) if exponent.denominator == 1 and abs(exponent) < 10**6 else exponent
        value = self.value(x)
        if value is not None:
            return self.constant_power(value, whole)
        if whole == -1:
            return self.divide(self.number(1.0), x)
        if whole in (0, 1):
            return x if whole == 1 else self.number(1.0)
        return self.core(((x, whole),))

    def constant_power(self, base: Fraction, exponent: Exponent) -> int:
        """base**exponent, exactly where that stays a short number."""
        if isinstance(exponent, int) and abs(exponent) <= 64 and (exponent > 0 or base):
            value = base**exponent
            if value == 0 or 1 / LARGEST < abs(value) < LARGEST:
                return self.number(value)
        return self.fold(np.power, [base, Fraction(exponent)])

    # -------------------------------------------------------------------------------- conditions
    def is_comparison(self, number: int) -> bool:
        """Whether a term is a comparison."""
        return isinstance(self.terms[number], ComparisonTerm)

    def is_contained(
        self, chain: list[tuple[int, Exponent]], base: int, exponent: Exponent
    ) -> bool:
        """Whether a product is no other with one comparison more: they are 0 or 1.

        Where a == b is a factor, a <= b says nothing new; it goes where a == b comes after it.
        """
        term = self.terms[base]
        if exponent != 1 or not isinstance(term, ComparisonTerm):
            return False
        if term.symbol == "==":
            weaker = [
                self.numbers.get((ComparisonTerm, ComparisonTerm(symbol, term.left, term.right)))
                for symbol in ("<=", ">=")
            ]
            chain[:] = [factor for factor in chain if factor[1] != 1 or factor[0] not in weaker]
        equal = ComparisonTerm("==", term.left, term.right)
        stronger = {base} | (
            {self.numbers.get((ComparisonTerm, equal))} if term.symbol in {"<=", ">="} else set()
        )
        return any(e == 1 and number in stronger for number, e in chain)

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
        choices = [self.terms[base] for base, e in factors if e == 1]
        if not any(isinstance(c, ChoiceTerm) and c.condition == condition for c in choices):
            return x
        made = self.number(coefficient)
        for base, exponent in factors:
            choice = self.terms[base]
            if exponent == 1 and isinstance(choice, ChoiceTerm) and choice.condition == condition:
                base = choice.other if side else choice.chosen
            if exponent == -1:
                made = self.divide(made, base)
            else:
                made = self.times(made, self.core(((base, exponent),)))
        return made

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
        scale = self.number(coefficient)
        return choice.condition, self.times(scale, choice.chosen), self.times(scale, choice.other)


_MAKERS: dict[Any, Callable[..., int]] = {
    np.add: Terms.add,
    np.subtract: Terms.subtract,
    np.multiply: Terms.multiply,
    np.divide: Terms.divide,
    np.negative: Terms.negative,
    np.power: Terms.power,
    np.where: Terms.where,
}


_EXACT: dict[Any, Callable[..., Fraction]] = {
    np.add: operator.add,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
}


def exact(value: float) -> Fraction | float:
    """The number a person would have written for a float64; one that is not finite as it is."""
    if not math.isfinite(value):
        return value
    simple = Fraction(value).limit_denominator(1000)
    return simple if float(simple) == value else Fraction(repr(value))


def _is_moderate(value: Fraction) -> bool:
    return value == 0 or 1 <= abs(value) * MODERATE <= MODERATE**2


def _are_powers(*exponents: Exponent) -> bool:
    return all(isinstance(exponent, int) and exponent > 0 for exponent in exponents)


def _times(c0: Fraction, c1: Fraction) -> Fraction | None:
    return _short(c0 * c1)


def _short(value: Fraction) -> Fraction | None:
    """An exact constant, rounded where it is long; None near the ends of a float64's range."""
    if value and not 1 / LARGEST < abs(value) < LARGEST:
        return None
    if value.denominator > 10**30 or value.numerator > 10**30:
        return Fraction(repr(float(value)))
    return value


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

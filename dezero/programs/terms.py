"""Program -> terms: its operations in a normal form, which printers write as text.

A term is a sum of two terms, a product of one exact coefficient and powers of factors, a
comparison or a call, each made once however often it is used.  The rewriting keeps the value but
for rounding: constants and powers are gathered, and choices by one condition become one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from dezero.programs.trace import Program

COMPARISONS: dict[Any, str] = {
    np.less: "<",
    np.less_equal: "<=",
    np.greater: ">",
    np.greater_equal: ">=",
    np.equal: "==",
    np.not_equal: "!=",
}
LARGEST = 1e290
"""A coefficient beyond this, or below its reciprocal, stays apart from the others."""
MOST_FACTORS = 32
"""A product of more factors becomes a factor itself, so that long products take linear time."""


class Term(NamedTuple):
    """One node: a number, a name, a sum of two, a product, a power, a comparison or a call.

    kind "number": `value` a Fraction, or a float that is not finite; "name": `value` the text;
    "sum", "power", "call", "compare": `parts` are the numbers of terms, `value` the function or
    the comparison; "product": `value` is the coefficient, `parts` pairs of a term and its exponent.
    """

    kind: str
    value: Any
    parts: tuple[Any, ...] = ()


class Terms:
    """The terms of a program, each before those that use it; equal terms are one."""

    def __init__(self, program: Program) -> None:
        self.terms: list[Term] = []
        self.numbers: dict[Term, int] = {}
        values = [self.intern(Term("name", name)) for name in program.inputs]
        values += [self.number(constant) for constant in program.constants]
        for function, operands in program.operations:
            values.append(self.apply(function, [values[i] for i in operands]))
        self.outputs = [values[i] for i in program.outputs]

    def intern(self, term: Term) -> int:
        """The number of a term."""
        known = self.numbers.get(term)
        if known is None:
            known = self.numbers[term] = len(self.terms)
            self.terms.append(term)
        return known

    def number(self, value: float | Fraction) -> int:
        """The number of a constant's term."""
        if isinstance(value, float):
            value = exact(value)
        return self.intern(Term("number", value))

    def apply(self, function: Any, operands: list[int]) -> int:
        """The number of the term for an operation."""
        make = _MAKERS.get(function)
        if make is not None:
            return make(self, *operands)
        values = [self.terms[number].value for number in operands]
        if all(self.terms[number].kind == "number" for number in operands):
            return self.fold(function, values)
        kind = "compare" if function in COMPARISONS else "call"
        value = COMPARISONS.get(function, function.__name__)
        return self.intern(Term(kind, value, tuple(operands)))

    def fold(self, function: Any, values: Iterable[Fraction | float]) -> int:
        """The number of the term for a function of constants."""
        with np.errstate(all="ignore"):
            return self.number(float(function(*map(float, values))))

    # ------------------------------------------------------------------------------- arithmetic
    def factors(self, number: int) -> tuple[Any, tuple[Any, ...]]:
        """A term as a coefficient and factors with their exponents."""
        term = self.terms[number]
        if term.kind == "number" and isinstance(term.value, Fraction):
            return term.value, ()
        if term.kind == "product":
            return term.value, term.parts
        return Fraction(1), ((number, 1),)

    def product(self, coefficient: Fraction, factors: Iterable[tuple[int, Any]]) -> int:
        """The term for a coefficient times powers; whole exponents of one base are added.

        A power with a fractional exponent is a base of its own: x**0.5*x**0.5 is no x below 0.
        """
        whole: dict[int, int] = {}
        for base, exponent in factors:
            if not isinstance(exponent, int):
                base = self.intern(Term("product", Fraction(1), ((base, exponent),)))
            whole[base] = whole.get(base, 0) + (exponent if isinstance(exponent, int) else 1)
        self.merge_comparisons(whole)
        parts = tuple(
            self.terms[base].parts[0] if exponent == 1 and self.is_root(base) else (base, exponent)
            for base, exponent in whole.items()
            if exponent != 0
        )
        if not parts or coefficient == 0:
            return self.number(coefficient)
        if coefficient == 1 and len(parts) == 1 and parts[0][1] == 1:
            return int(parts[0][0])
        return self.intern(Term("product", coefficient, parts))

    def is_root(self, number: int) -> bool:
        """Whether a term is a power with a fractional exponent."""
        kind, value, parts = self.terms[number]
        return kind == "product" and value == 1 and len(parts) == 1 and type(parts[0][1]) is not int

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
            if (1, ()) in ((c0, f0), (c1, f1)):
                return x1 if (c0, f0) == (1, ()) else x0
            return self.intern(Term("product", Fraction(1), ((x0, 1), (x1, 1))))
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
            return self.intern(Term("product", Fraction(1), ((x, -1),)))
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
        if (c0, f0) == (0, ()):
            return x1
        if (c1, f1) == (0, ()):
            return x0
        return self.intern(Term("sum", None, (x0, x1)))

    def subtract(self, x0: int, x1: int) -> int:
        """x0 - x1."""
        return self.add(x0, self.negative(x1))

    def power(self, x: int, c: int) -> int:
        """x**c; a whole constant c becomes an exponent."""
        exponent = self.terms[c]
        if exponent.kind != "number" or not isinstance(exponent.value, Fraction):
            return self.intern(Term("power", None, (x, c)))
        value = exponent.value
        whole = int(value) if value.denominator == 1 and abs(value) < 10**6 else value
        coefficient, factors = self.factors(x)
        if whole == -1:
            return self.reciprocal(x)
        if not factors:
            if isinstance(whole, int) and abs(whole) <= 64 and (whole > 0 or coefficient):
                value = coefficient**whole
                if value == 0 or 1 / LARGEST < abs(value) < LARGEST:
                    return self.number(value)
            return self.fold(np.power, (coefficient, whole))
        simple = coefficient == 1 and len(factors) == 1 and factors[0][1] == 1
        base = factors[0][0] if simple else x
        return self.product(Fraction(1), ((base, whole),))

    # -------------------------------------------------------------------------------- conditions
    def merge_comparisons(self, powers: dict[int, int]) -> None:
        """Comparisons are 0 or 1: their powers are themselves, and a == b contains a <= b."""
        for number in [n for n, e in powers.items() if e > 0 and self.terms[n].kind == "compare"]:
            powers[number] = 1
            _, relation, sides = self.terms[number]
            equal = self.numbers.get(Term("compare", "==", sides))
            if relation in {"<=", ">="} and equal is not None and powers.get(equal, 0) > 0:
                del powers[number]

    def is_negation(self, number: int) -> bool:
        """Whether a term is "not", ``(a < b) == 0``, of comparisons."""
        kind, relation, sides = self.terms[number]
        if (kind, relation) != ("compare", "==") or self.terms[sides[1]] != Term("number", 0):
            return False
        coefficient, factors = self.factors(sides[0])
        return coefficient == 1 and all(
            exponent == 1 and self.terms[base].kind == "compare" for base, exponent in factors
        )

    def where(self, condition: int, x0: int, x1: int) -> int:
        """x0 where the condition holds, else x1."""
        while self.is_negation(condition):
            condition, x0, x1 = self.terms[condition].parts[0], x1, x0
        x0, x1 = self.chosen(condition, x0, 0), self.chosen(condition, x1, 1)
        decided = self.terms[condition]
        if x0 == x1 or (decided.kind == "number" and decided.value != 0):
            return x0
        if decided.kind == "number":
            return x1
        return self.intern(Term("call", "where", (condition, x0, x1)))

    def chosen(self, condition: int, x: int, side: int) -> int:
        """What `x` is on one side of a condition: its own choices by that condition are made."""
        coefficient, factors = self.factors(x)
        made: list[tuple[int, Any]] = []
        for base, exponent in factors:
            if exponent == 1 and self.terms[base][:2] == ("call", "where"):
                by, *sides = self.terms[base].parts
                c, inner = self.factors(sides[side])
                product = _times(coefficient, c)
                if by == condition and product is not None:
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
        if choice[:2] != ("call", "where"):
            return None
        condition, *sides = choice.parts
        scaled = []
        for side in sides:
            c, inner = self.factors(side)
            product = _times(coefficient, c)
            if product is None:
                return None
            scaled.append(self.product(product, inner))
        return condition, scaled[0], scaled[1]


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
    if term.kind == "product":
        return [base for base, _ in term.parts]
    return [part for part in term.parts if isinstance(part, int)]


def reachable(terms: list[Term], outputs: Iterable[int]) -> list[int]:
    """The terms that outputs are made of, parts before wholes."""
    needed = set(outputs)
    for number in range(len(terms) - 1, -1, -1):
        if number in needed:
            needed.update(children(terms[number]))
    return sorted(needed)

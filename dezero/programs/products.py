"""Products of terms: powers and quotients gathered where no value on the way leaves the range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from dezero.programs.kinds import (
    LARGEST,
    CallTerm,
    ComparisonTerm,
    Exponent,
    Factors,
    PowerTerm,
    ProductTerm,
    are_powers,
    children,
    exact_product,
    is_moderate,
)
from dezero.programs.table import WIDEST, TermTable

MOST_FACTORS = 32
"""A product of more factors becomes a factor itself, so that long products take linear time."""


RANGE = 290.0
"""Powers of ten that are in the range for sure."""


class Products(TermTable):
    """Multiplication, division and powers of terms."""

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
            return self.times(x0, self.number(math.inf))
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
        coefficient = exact_product(c0, c1)
        if coefficient is None or not is_moderate(coefficient, self.most):  # each stays where it is
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
        if not self.is_raised(chain, base, exponent):
            chain.append((base, exponent))
            half = len(chain) // 2
            if half > 1 and chain[:half] == chain[half:]:  # x/y*x/y is (x/y)**2
                chain[:] = [(self.core(tuple(chain[:half])), 2)]

    def is_raised(self, chain: list[tuple[int, Exponent]], base: int, exponent: Exponent) -> bool:
        """Make the last factor a higher power of itself, where that is as near to the range.

        So it is where no value of the base, or what is before it, is very large or very small:
        1/s/s is 1/s**2, and x/s/s stays as it is, since s**2 leaves the range where x/s/s does not.
        """
        if not chain or not isinstance(exponent, int):
            return False
        last, power = chain[-1]
        inverse = power == exponent == -1
        if inverse:
            (last, power), (base, exponent) = self.whole_power(last), self.whole_power(base)
        if last != base or not are_powers(power, exponent):
            return False
        total = power + exponent
        if self.spread(((base, total),)) < RANGE or self.spread(chain[:-1]) <= WIDEST:
            chain[-1] = (self.core(((base, total),)), -1) if inverse else (base, total)
            return True
        root = self.terms[base]
        is_root = inverse and isinstance(root, CallTerm) and root.function == "sqrt"
        if is_root and total == 2 and (base, -1) in chain[:-1]:
            chain[-1] = (children(root)[0], -1)  # x/sqrt(u)/sqrt(u)/sqrt(u) is x/sqrt(u)/u
            return True
        return False

    def cancelled(
        self, known: tuple[int, Exponent], added: tuple[int, Exponent], is_last: bool
    ) -> tuple[int, Exponent] | None:
        """One factor for two of which one divides by what the other is; None for others."""
        (base, over), (known_base, under) = (added, known) if known[1] == -1 else (known, added)
        if under != -1 or not are_powers(over, 1):
            return None
        below, power = self.whole_power(known_base)
        if below == base:
            rest = over - power
            if rest >= 0:
                return (base, rest) if is_last or rest == 0 or known[1] != -1 else None
            return self.core(((base, -rest),)), -1
        left = self.without(known_base, base, over) if is_last else None
        return None if left is None else (left, -1)

    def without(self, number: int, base: int, power: Exponent) -> int | None:
        """A product divided by a power that is its last factor, or either of two; else None."""
        term = self.terms[number]
        if not isinstance(term, ProductTerm) or term.coefficient != 1:
            return None
        factors = term.factors
        for i in (len(factors) - 1, 0):
            found, exponent = factors[i]
            alone = i > 0 or (len(factors) == 2 and factors[1][1] != -1)
            if found != base or not are_powers(exponent) or exponent < power or not alone:
                continue
            left = [(base, exponent - power)] if exponent > power else []
            return self.core((*factors[:i], *left, *factors[i + 1 :]))
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

    def is_contained(
        self, chain: list[tuple[int, Exponent]], base: int, exponent: Exponent
    ) -> bool:
        """Whether a product is no other with one truth more: they are 0 or 1.

        Where a == b is a factor, a <= b says nothing new; it goes where a == b comes after it.
        """
        if exponent != 1 or base not in self.truths:
            return False
        term, is_known = self.terms[base], (base, 1) in chain
        if is_known or not isinstance(term, ComparisonTerm):
            return is_known
        if term.symbol == "==":
            weaker = [
                self.numbers.get((ComparisonTerm, ComparisonTerm(symbol, term.left, term.right)))
                for symbol in ("<=", ">=")
            ]
            chain[:] = [factor for factor in chain if factor[1] != 1 or factor[0] not in weaker]
        equal = self.numbers.get((ComparisonTerm, ComparisonTerm("==", term.left, term.right)))
        return term.symbol in {"<=", ">="} and (equal, 1) in chain

    # -------------------------------------------------------------------------- shared factors
    def length(self, factors: Factors) -> int:
        """About how long a product is when it is written out."""
        return sum(self.lengths[base] + 1 + 3 * (abs(exponent) != 1) for base, exponent in factors)

    def splits(self, factors: Factors) -> list[tuple[Factors, Factors]]:
        """A product as what it may share with others, times a rest that is as near to the range.

        What is before the last factor has been computed, and so has each factor itself.
        """
        wide = [self.spread((factor,)) for factor in factors]
        narrow = sum(w for w in wide if w <= WIDEST) <= WIDEST
        count = sum(w > WIDEST for w in wide)
        found: list[tuple[Factors, Factors]] = [(factors, ())] if len(factors) > 1 else []
        if len(factors) > 2:
            found.append((factors[:-1], factors[-1:]))
        for i, (factor, w) in enumerate(zip(factors, wide, strict=True)):
            alone = narrow and count - (w > WIDEST) <= 1
            if i == len(factors) - 1 or w <= WIDEST or alone:
                found.append(((factor,), (*factors[:i], *factors[i + 1 :])))
        return found

    def shared(
        self, addends: Sequence[tuple[Fraction, Factors]]
    ) -> tuple[list[tuple[Fraction, Factors]], Factors]:
        """The addends without the factors that all of them have, and those factors."""
        left: list[tuple[Fraction, Factors]] = list(addends)
        outside: list[tuple[int, Exponent]] = []
        while True:
            splits = [dict(self.splits(factors)) for _, factors in left]
            common = [each for each in splits[0] if all(each in other for other in splits)]
            if not common:
                return left, tuple(outside)
            longest = max(common, key=self.length)
            outside[:0] = longest
            left = [(c, split[longest]) for (c, _), split in zip(left, splits, strict=True)]

    def times_factors(self, number: int, factors: Factors) -> int:
        """A term times factors."""
        for base, exponent in factors:
            if exponent == -1:
                number = self.divide(number, base)
            else:
                number = self.times(number, self.core(((base, exponent),)))
        return number

"""Choices between terms: those by one condition become one."""

from __future__ import annotations

from dezero.programs.kinds import ChoiceTerm, ComparisonTerm, NumberTerm
from dezero.programs.products import Products


class Choices(Products):
    """Choices, and what is said of them as factors."""

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

    def multiply(self, x0: int, x1: int) -> int:
        """x0*x1; choices by one condition become one."""
        choice0, choice1 = self.multiple(x0), self.multiple(x1)
        if choice0 is None or choice1 is None or choice0[0] != choice1[0] or choice0 == choice1:
            return self.times(x0, x1)
        condition, *sides = choice0
        return self.where(condition, *map(self.times, sides, choice1[1:]))

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

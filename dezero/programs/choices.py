"""Choices between terms: those by one condition become one."""

from __future__ import annotations

from dezero.programs.kinds import ChoiceTerm, ComparisonTerm, NumberTerm
from dezero.programs.products import Products

MOST_APART = 4
"""A condition comes apart into so many at most, so that nests of them take linear time."""


class Choices(Products):
    """Choices, and what is said of them as factors."""

    def negated(self, number: int) -> int | None:
        """What "not", ``(a < b) == 0``, is said of, truths alone; None for other terms."""
        term = self.terms[number]
        if not isinstance(term, ComparisonTerm) or term.symbol != "==":
            return None
        return term.left if term.left in self.truths and self.value(term.right) == 0 else None

    def where(self, condition: int, x0: int, x1: int) -> int:
        """x0 where the condition holds, else x1.

        A condition that is a choice itself, whose one side is a constant, comes apart.
        """
        outer: list[tuple[int, int, bool]] = []
        while len(outer) < MOST_APART:
            test = self.terms[condition]
            if (opposite := self.negated(condition)) is not None:
                condition, x0, x1 = opposite, x1, x0
            elif isinstance(test, ChoiceTerm) and self.is_either(test.chosen, x0, x1):
                outer.append((test.condition, x1 if self.value(test.chosen) == 0 else x0, True))
                condition = test.other
            elif isinstance(test, ChoiceTerm) and self.is_either(test.other, x0, x1):
                outer.append((test.condition, x1 if self.value(test.other) == 0 else x0, False))
                condition = test.chosen
            else:
                break
        made = self.choice(condition, x0, x1)
        for condition, constant, is_chosen in reversed(outer):
            sides = (constant, made) if is_chosen else (made, constant)
            made = self.choice(condition, *sides)
        return made

    def is_either(self, test: int, x0: int, x1: int) -> bool:
        """Whether a constant condition takes a constant of the two."""
        value = self.value(test)
        return value is not None and self.value(x0 if value != 0 else x1) is not None

    def choice(self, condition: int, x0: int, x1: int) -> int:
        """x0 where a condition that is no choice holds, else x1."""
        return self.between(condition, self.chosen(condition, x0, 0), self.chosen(condition, x1, 1))

    def between(self, condition: int, x0: int, x1: int) -> int:
        """The same for sides that have no choice by the condition; what they share is outside."""
        decided = self.terms[condition]
        if x0 == x1 or (isinstance(decided, NumberTerm) and decided.value != 0):
            return x0
        if isinstance(decided, NumberTerm):
            return x1
        sides = [self.factors(x0), self.factors(x1)]
        if not sides[0][1] or not sides[1][1]:
            return self.intern(ChoiceTerm(condition, x0, x1))
        sides, outside = self.shared(sides)
        made = self.intern(ChoiceTerm(condition, *(self.product(*side) for side in sides)))
        return self.times_factors(made, outside)

    def chosen(self, condition: int, x: int, side: int, depth: int = 4) -> int:
        """What `x` is on one side of a condition: its own choices by that condition are made."""
        coefficient, factors = self.factors(x)
        settled = [self.settled(condition, base, side, depth) for base, _ in factors]
        if settled == [base for base, _ in factors]:
            return x
        made = self.number(coefficient)
        for base, (_, exponent) in zip(settled, factors, strict=True):
            if exponent == -1:
                made = self.divide(made, base)
            else:
                made = self.times(made, self.core(((base, exponent),)))
        return made

    def settled(self, condition: int, x: int, side: int, depth: int) -> int:
        """A choice on one side of a condition: made, if it is by the same, or in its own sides."""
        term = self.terms[x]
        if not isinstance(term, ChoiceTerm):
            return x
        if term.condition == condition:
            return term.other if side else term.chosen
        if depth == 0:
            return x
        sides = [self.chosen(condition, part, side, depth - 1) for part in term[1:]]
        return x if sides == list(term[1:]) else self.between(term.condition, *sides)

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

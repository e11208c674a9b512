"""Conditions in code: which terms are only ever 0 or 1, and how they are joined."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from dezero.programs.formula import Rope, interleave
from dezero.programs.terms import (
    ChoiceTerm,
    ComparisonTerm,
    NameTerm,
    NumberTerm,
    ProductTerm,
    SumTerm,
    Term,
    children,
)

ALTERNATIVE, CONJUNCTION, COMPARED, WHOLE = range(4)
"""How tightly a condition binds: a or b, a and b, a < b, a name or what is in brackets."""

Test = tuple[Rope, int]
"""A condition and how tightly it binds."""


class Connectives(NamedTuple):
    """How a language joins conditions."""

    both: str
    either: str
    negation: str
    least: int = COMPARED
    """What binds less than this is put in brackets before it is joined."""

    def all(self, tests: Sequence[Test]) -> Test:
        """That all conditions hold."""
        return self._joined(self.both, CONJUNCTION, tests)

    def any(self, tests: Sequence[Test]) -> Test:
        """That one condition holds at least."""
        return self._joined(self.either, ALTERNATIVE, tests)

    def _joined(self, word: str, level: int, tests: Sequence[Test]) -> Test:
        if len(tests) == 1:
            return tests[0]
        ropes = [
            rope if how == level or how >= self.least else ("(", rope, ")") for rope, how in tests
        ]
        return interleave(ropes, word), level

    def negate(self, test: Test) -> Test:
        """That a condition does not hold."""
        before, after = self.negation.split("{}")
        return (before, test[0], after), WHOLE


class Flags:
    """The terms that are 0 or 1, each by its number: comparisons, and products of them alone."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = terms
        self.flags: set[int] = set()
        self.cheap: dict[int, int] = {}  # terms that are repeated rather than named, by depth
        self.numbers: dict[tuple[type, Term], int] = {}
        for number, term in enumerate(terms):
            self.numbers[type(term), term] = number
            if isinstance(term, ComparisonTerm) or self._is_conjunction(term):
                self.flags.add(number)
            depth = self._depth(term)
            if depth is not None:
                self.cheap[number] = depth

    def __contains__(self, number: int) -> bool:
        return number in self.flags

    def _is_conjunction(self, term: Term) -> bool:
        return (
            isinstance(term, ProductTerm)
            and term.coefficient == 1
            and all(base in self.flags and exponent == 1 for base, exponent in term.factors)
        )

    def _depth(self, term: Term) -> int | None:
        """How deep what is repeated is: names, their negatives, and comparisons of those."""
        if isinstance(term, NumberTerm | NameTerm):
            return 0
        is_sign = isinstance(term, ProductTerm) and term.coefficient == -1
        if is_sign and [exponent for _, exponent in term.factors] != [1]:  # type: ignore[union-attr]
            return None
        if is_sign or (isinstance(term, ComparisonTerm) and self.counted(term) is None):
            depth = 1 + max(self.cheap.get(part, 0) for part in children(term))
            return depth if depth <= 2 else None
        return None

    def is_cheap(self, number: int) -> bool:
        """Whether a term is repeated where it is used more than once."""
        return number in self.cheap

    def counted(self, term: ComparisonTerm) -> int | None:
        """What a comparison says of conditions, whether there are none; None for other ones."""
        is_zero = self.terms[term.right] == NumberTerm(0)
        if term.symbol not in {"==", "!="} or not is_zero:
            return None
        return term.left if self.alternatives(term.left) else None

    def alternatives(self, number: int, named: Container[int] = ()) -> list[int]:
        """The conditions that a term is the sum of, down to those that have names; or none."""
        found: dict[int, None] = {}
        pending, seen = [number], set()
        while pending:
            number = pending.pop()
            term = self.terms[number]
            if number in seen:
                continue
            seen.add(number)
            if number in self.flags:
                found[number] = None
            elif isinstance(term, SumTerm) and number not in named:
                pending += [term.right, term.left]
            else:
                return []
        return list(found)


Sides = frozenset[tuple[int, bool]]
"""Conditions, each with whether it holds."""
MOST_SIDES = 4


def sides_of_use(terms: Sequence[Term], order: Sequence[int]) -> dict[int, Sides]:
    """For each term the sides of choices on which alone it is used.

    `order` has the terms that are used, parts before wholes.  A condition of a higher number than
    the term's own says nothing here: what it compares may not be known yet.
    """
    found: dict[int, Sides] = {}
    for number in reversed(order):
        term, here = terms[number], found.setdefault(number, frozenset())
        for place, part in enumerate(children(term)):
            sides = here
            if isinstance(term, ChoiceTerm) and place:
                sides = here | {(term.condition, place == 1)} if len(here) < MOST_SIDES else here
            found[part] = found[part] & sides if part in found else sides
    return {
        number: frozenset(side for side in sides if side[0] < number)
        for number, sides in found.items()
    }

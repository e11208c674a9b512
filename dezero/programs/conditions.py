"""Conditions in code: which terms are only ever 0 or 1, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
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
    """The terms that are conditions, each by its number.

    They are 0 or 1, as comparisons, products of those and choices between them are, or sums of such
    that nothing but a condition is made of.
    """

    def __init__(self, terms: Sequence[Term], outputs: Sequence[int]) -> None:
        self.terms = terms
        self.numbers: dict[tuple[type, Term], int] = {}
        self.truths: set[int] = set()
        self.counts: set[int] = set()  # how many conditions hold
        self.cheap: dict[int, int] = {}  # terms that are repeated rather than named, by depth
        for number, term in enumerate(terms):
            self.numbers[type(term), term] = number
            if (
                isinstance(term, ComparisonTerm)
                or self._is_conjunction(term)
                or self._is_side(term)
            ):
                self.truths.add(number)
            elif isinstance(term, SumTerm) and all(map(self._is_count, children(term))):
                self.counts.add(number)
            depth = self._depth(term)
            if depth is not None:
                self.cheap[number] = depth
        self.conditions = self.truths | self._alternatives(outputs)

    def __contains__(self, number: int) -> bool:
        return number in self.conditions

    def is_cheap(self, number: int) -> bool:
        """Whether a term is repeated where it is used more than once."""
        return number in self.cheap

    def is_counted(self, term: ComparisonTerm) -> bool:
        """Whether a comparison says of conditions that none holds, or that one does."""
        is_zero = self.terms[term.right] == NumberTerm(0)
        return term.symbol in {"==", "!="} and is_zero and self._is_count(term.left)

    def _is_count(self, number: int) -> bool:
        return number in self.truths or number in self.counts

    def _is_conjunction(self, term: Term) -> bool:
        return (
            isinstance(term, ProductTerm)
            and term.coefficient == 1
            and all(base in self.truths and exponent == 1 for base, exponent in term.factors)
        )

    def _is_side(self, term: Term) -> bool:
        """Whether a term is a choice between conditions, of which one may be settled."""
        return isinstance(term, ChoiceTerm) and all(
            part in self.truths or self.settled(part) is not None
            for part in (term.chosen, term.other)
        )

    def settled(self, number: int) -> bool | None:
        """Whether a term is the constant 1 or 0; None for other terms."""
        term = self.terms[number]
        known = isinstance(term, NumberTerm) and term.value in {0, 1}
        return bool(term.value) if known else None  # type: ignore[union-attr]

    def _alternatives(self, outputs: Sequence[int]) -> set[int]:
        """The counts of which it is only asked whether any condition holds."""
        asked = self.counts.difference(outputs)
        for number in range(len(self.terms) - 1, -1, -1):
            term = self.terms[number]
            parts = children(term)
            if isinstance(term, ChoiceTerm):
                parts = [term.chosen, term.other]
            elif number in asked or (isinstance(term, ComparisonTerm) and self.is_counted(term)):
                parts = []
            asked.difference_update(parts)
        return asked

    def _depth(self, term: Term) -> int | None:
        """How deep what is repeated is: names, their negatives, and comparisons of those."""
        if isinstance(term, NumberTerm | NameTerm):
            return 0
        is_sign = isinstance(term, ProductTerm) and term.coefficient == -1
        if is_sign and [exponent for _, exponent in term.factors] != [1]:  # type: ignore[union-attr]
            return None
        if is_sign or (isinstance(term, ComparisonTerm) and not self.is_counted(term)):
            depth = 1 + max(self.cheap.get(part, 0) for part in children(term))
            return depth if depth <= 2 else None
        return None


Sides = frozenset[tuple[int, bool]]
"""Conditions, each with whether it holds."""
MOST_SIDES = 4


def by_need(terms: Sequence[Term], outputs: Sequence[int]) -> list[int]:
    """The terms that outputs are made of, parts before wholes, conditions before their choices."""
    order: dict[int, None] = {}
    pending = [(number, False) for number in reversed(outputs)]
    while pending:
        number, parts_are_done = pending.pop()
        if parts_are_done:
            order[number] = None
        elif number not in order:
            pending.append((number, True))
            pending += [(part, False) for part in reversed(children(terms[number]))]
    return list(order)


def sides_of_use(terms: Sequence[Term], order: Sequence[int]) -> dict[int, Sides]:
    """For each term the sides of choices on which alone it is used; `order` is that of need."""
    found: dict[int, Sides] = {}
    for number in reversed(order):
        term, here = terms[number], found.setdefault(number, frozenset())
        for place, part in enumerate(children(term)):
            sides = here
            if isinstance(term, ChoiceTerm) and place and len(here) < MOST_SIDES:
                sides = here | {(term.condition, place == 1)}
            found[part] = found[part] & sides if part in found else sides
    place_of = {number: place for place, number in enumerate(order)}
    return {
        number: frozenset(side for side in sides if place_of[side[0]] < place_of[number])
        for number, sides in found.items()
    }

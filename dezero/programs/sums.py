"""Sums of terms: equal terms are collected, and a factor that all terms share is written once.

The order of a sum stays as it is, for (x - y) + z keeps digits of z that x + z - y loses: a term
that comes again only adds its coefficient to the first.  A factor is taken out of a product only
where what is left has been computed before, or where the factor is a number of moderate size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

import numpy as np

from dezero.programs.choices import Choices
from dezero.programs.kinds import ONE, ChoiceTerm, Factors, NameTerm, ProductTerm, SumTerm, short

SMALL = 8
"""A sum of at most so many terms is opened inside another, to find equal terms in it."""

LARGE = 64
"""The same for sums that are multiplied out."""
DEEPEST = 8
"""Factors are taken out of what others have been taken out of, up to this depth."""

Scale = Fraction
Addend = tuple[Scale, Factors]
"""A coefficient and the factors of a term in a sum."""


class Addition(NamedTuple):
    """A sum that is not a term yet: its parts, each times a number."""

    parts: tuple[tuple[int | Addition, Scale], ...]


class _Layout(NamedTuple):
    """A sum as a line of leaves and joins, the parts of a join before it.

    A leaf is its place in `leaves`, a join the numbers that its parts are multiplied with.
    """

    steps: list[int | tuple[Scale, ...]]
    leaves: list[tuple[Scale, int]]


class Sums(Choices):
    """Sums and differences of terms."""

    def total(self, root: Addition, with_choices: bool = True) -> int:
        """The term for a sum; `with_choices`, those by one condition become one."""
        layout = self.laid_out(root, opening=False)
        addends = self.gathered(layout.leaves, with_choices)
        if any(self.is_small_sum(number) for _, number in layout.leaves):
            opened = self.laid_out(root, opening=True)
            fewer = self.gathered(opened.leaves, with_choices)
            merged = len(opened.leaves) - _count(fewer) > len(layout.leaves) - _count(addends)
            if merged and (self.written_out or _count(fewer) <= _count(addends)):
                layout, addends = opened, fewer
        return self.built(layout, addends)

    written_out = True
    """Whether a term is written wherever it is used, as in a formula, or once, as in code."""
    budget = 0
    """How many terms may still be made where sums are multiplied out."""
    depth = 0
    """How many sums are being made whose terms are what is left of others."""
    factoring = True
    """Whether what terms of a sum share is written once; if not, sums are multiplied out."""

    def is_small_sum(self, number: int) -> bool:
        """Whether a term is a multiple of a sum of a few terms."""
        factors = self.factors(number)[1]
        return len(factors) == 1 and factors[0][1] == 1 and len(self.addends(factors[0][0])) > 1

    def addends(self, number: int) -> list[tuple[int, Scale]]:
        """The terms of a sum of a few; for any other term, that term alone."""
        known = self.opened_sums.get(number)
        if known is not None:
            return known
        most = SMALL if self.budget <= 0 else LARGE
        found: list[tuple[int, Scale]] = []
        pending = [(number, ONE)]
        while pending and len(found) + len(pending) <= most:
            each, scale = pending.pop()
            coefficient, factors = self.factors(each)
            whole = self.terms[factors[0][0]] if len(factors) == 1 and factors[0][1] == 1 else None
            if isinstance(whole, SumTerm):
                scale *= coefficient
                pending += [(whole.right, scale), (whole.left, scale)]
            else:
                found.append((each, scale))
        self.opened_sums[number] = [(number, ONE)] if pending else found
        return self.opened_sums[number]

    # --------------------------------------------------------------------------- multiplied out
    def multiply(self, x0: int, x1: int) -> int:
        """x0*x1; a sum on the left is multiplied out where that loses no digits."""
        return self.over_addends(super().multiply, x0, x1)

    def divide(self, x0: int, x1: int) -> int:
        """x0/x1; a sum on the left is divided term by term where that loses no digits."""
        return self.over_addends(super().divide, x0, x1)

    def over_addends(self, make: Callable[[int, int], int], x0: int, x1: int) -> int:
        """make(x0, x1), of each term of a sum x0 that is rounded anyway: not of x - y."""
        if self.factoring or self.budget <= 0 or not self.is_small_sum(x0):
            return make(x0, x1)
        addends = self.addends(x0)
        self.budget -= len(addends)
        if sum(self.is_exact(number) for number, _ in addends) > 1:
            return make(x0, x1)
        return self.total(Addition(tuple((make(n, x1), scale) for n, scale in addends)))

    def is_exact(self, number: int) -> bool:
        """Whether a term is a constant or a name but for its coefficient."""
        factors = self.factors(number)[1]
        bases = [self.terms[base] for base, _ in factors]
        return not bases or (len(bases) == 1 and isinstance(bases[0], NameTerm))

    def laid_out(self, root: Addition, opening: bool) -> _Layout:
        """A sum as a line of leaves; with `opening`, small sums in it are part of it."""
        layout = _Layout([], [])
        pending: list[tuple[int | Addition | None, Scale, tuple[Scale, ...]]] = [(root, ONE, ())]
        while pending:
            node, scale, join = pending.pop()
            if node is None:
                layout.steps.append(join)
                continue
            if isinstance(node, int):
                if not (opening and self.is_small_sum(node)):
                    layout.steps.append(len(layout.leaves))
                    layout.leaves.append((scale, node))
                    continue
                node = self.opened(node)
            pending.append((None, ONE, tuple(own for _, own in node.parts)))
            pending += [(part, _times(scale, own), ()) for part, own in reversed(node.parts)]
        return layout

    def opened(self, number: int) -> Addition:
        """A multiple of a sum as an addition of its two sides."""
        coefficient, factors = self.factors(number)
        whole = self.terms[factors[0][0]]
        assert isinstance(whole, SumTerm)
        if coefficient == -1:
            return Addition(((Addition(((whole.left, ONE), (whole.right, ONE))), coefficient),))
        return Addition(((whole.left, coefficient), (whole.right, coefficient)))

    # ---------------------------------------------------------------------------- equal terms
    def gathered(
        self, leaves: Sequence[tuple[Scale, int]], with_choices: bool
    ) -> list[Addend | None]:
        """Each leaf with its coefficient in the whole; None where an earlier one has it all."""
        if with_choices:
            leaves = self.by_condition(leaves)
        first: dict[frozenset[object], int] = {}
        addends: list[Addend | None] = []
        for i, (scale, number) in enumerate(leaves):
            value = self.value(number)
            coefficient, factors = self.factors(number) if value is None else (value, ())
            coefficient = _times(coefficient, scale)
            known = first.setdefault(self.monomial(factors), i)
            addends.append((coefficient, factors) if known == i else None)
            if known != i:
                before, form = addends[known] or (Fraction(0), factors)
                shorter = min((form, factors), key=self.length)
                addends[known] = self.added(before, coefficient, shorter)
        return [addend if addend is not None and addend[0] != 0 else None for addend in addends]

    def added(self, c0: Fraction, c1: Fraction, factors: Factors) -> Addend:
        """c0*f + c1*f; of constants the floating point sum, if that is beyond the range."""
        if factors or short(c0 + c1) is not None:
            return c0 + c1, factors
        return Fraction(1), ((self.fold(np.add, [c0, c1]), 1),)

    def by_condition(self, leaves: Sequence[tuple[Scale, int]]) -> list[tuple[Scale, int]]:
        """The leaves, of which those that choose by one condition have become one choice."""
        chosen: dict[int, list[int]] = {}
        for i, (_, number) in enumerate(leaves):
            for base, exponent in self.factors(number)[1]:
                term = self.terms[base]
                if exponent == 1 and isinstance(term, ChoiceTerm):
                    chosen.setdefault(term.condition, []).append(i)
                    break
        made = list(leaves)
        for condition, places in chosen.items():
            if len(places) < 2:
                continue
            sides = [
                [(self.chosen(condition, leaves[i][1], side), leaves[i][0]) for i in places]
                for side in (0, 1)
            ]
            totals = (self.total(Addition(tuple(each)), with_choices=False) for each in sides)
            made[places[0]] = (ONE, self.where(condition, *totals))
            for i in places[1:]:
                made[i] = (Fraction(0), leaves[i][1])
        return made

    def scaled(self, scale: Scale, number: int) -> tuple[Fraction, Factors]:
        """A multiple of a term as a coefficient and factors."""
        coefficient, factors = self.factors(number)
        return _times(coefficient, scale), factors

    def monomial(self, factors: Factors) -> frozenset[object]:
        """What products have in common that are equal but for their order.

        Numerators and denominators are kept apart, as x*y/x is not y where x is 0.
        """
        counts: dict[object, int] = {}
        for base, exponent in factors:
            if not isinstance(exponent, int):
                counts[base, exponent] = counts.get((base, exponent), 0) + 1
                continue
            for inner, power in self.inner(base):
                key = (inner, power * exponent > 0)
                counts[key] = counts.get(key, 0) + power * exponent
        return frozenset(counts.items())

    def inner(self, number: int) -> tuple[tuple[int, int], ...]:
        """The factors of a factor: whole powers of terms that are no products, if they are few."""
        known = self.insides.get(number)
        if known is None:
            known = self.insides[number] = self._inner(number)
        return known

    def _inner(self, number: int) -> tuple[tuple[int, int], ...]:
        term = self.terms[number]
        if not isinstance(term, ProductTerm) or term.coefficient != 1:
            return ((number, 1),)
        found: list[tuple[int, int]] = []
        for base, exponent in term.factors:
            if not isinstance(exponent, int):
                return ((number, 1),)
            found += [(b, e * exponent) for b, e in self.insides.get(base, ((base, 1),))]
        return tuple(found) if len(found) <= SMALL else ((number, 1),)

    # -------------------------------------------------------------------------- shared factors
    def factored(self, addends: list[Addend | None]) -> None:
        """Take factors that several addends share out of them, the longest first."""
        while groups := self.groups(addends):
            used: set[int] = set()
            for common, members in groups:
                free = {i: rest for i, rest in members.items() if i not in used}
                if len(free) > 1 and (not self.written_out or self.saves(common, free, addends)):
                    used.update(free)
                    self.take_out(common, free, addends)
            if not used:
                return

    def groups(self, addends: Sequence[Addend | None]) -> list[tuple[Factors, dict[int, Factors]]]:
        """What several addends share, and what is left of each; the longest first."""
        members: dict[Factors, dict[int, Factors]] = {}
        for i, addend in enumerate(addends):
            if addend is not None:
                for common, rest in self.splits(addend[1]):
                    members.setdefault(common, {}).setdefault(i, rest)
        groups = [group for group in members.items() if len(group[1]) > 1]
        return sorted(groups, key=lambda g: -self.length(g[0]) * (len(g[1]) - 1))

    def saves(
        self, common: Factors, rests: Mapping[int, Factors], addends: Sequence[Addend | None]
    ) -> bool:
        """Whether a sum is no longer with a common part written once."""
        length = self.length(common)
        saved = -length - 2
        for i, rest in rests.items():
            addend = addends[i]
            is_bare = not rest and addend is not None and _is_unit(addend[0])
            saved += length - 2 * (is_bare and common[0][1] != -1)
        return saved >= 0

    def take_out(
        self, common: Factors, rests: Mapping[int, Factors], addends: list[Addend | None]
    ) -> None:
        """Let the first of some addends be the common part times the sum of their rests."""
        leaves = []
        for i, rest in rests.items():
            addend = addends[i]
            assert addend is not None
            leaves.append((self.core(rest), addend[0]))
            addends[i] = None
        self.depth += 1
        inner = self.total(Addition(tuple(leaves)), with_choices=False)
        self.depth -= 1
        if len(common) == 1:
            made = self.times_factors(inner, common)
        else:
            made = self.times(self.core(common), inner)
        addends[min(rests)] = self.factors(made)

    def built(self, layout: _Layout, addends: list[Addend | None]) -> int:
        """The term for a sum whose leaves are given with their coefficients in the whole."""
        if self.factoring and _count(addends) > 1 and self.depth < DEEPEST:
            self.factored(addends)
        kept = [addend for addend in addends if addend is not None]
        if len(kept) == 1:
            return self.product(*kept[0])
        sizes = {abs(c) for c, _ in kept}
        scale = sizes.pop() if len(sizes) == 1 else ONE
        made = self.joined_up(layout, addends, scale)
        return self.number(0.0) if made is None else self.product(*self.scaled(scale, made))

    def joined_up(
        self, layout: _Layout, leaves: Sequence[Addend | None], scale: Scale
    ) -> int | None:
        """The sum of leaves in the order of a layout, divided by `scale`; None where none is."""
        made: list[int | None] = []
        for step in layout.steps:
            if isinstance(step, int):
                leaf, own = leaves[step], layout.leaves[step][0]
                made.append(
                    None
                    if leaf is None
                    else self.product(_over(_over(leaf[0], own), scale), leaf[1])
                )
                continue
            parts = made[len(made) - len(step) :]
            del made[len(made) - len(step) :]
            terms = [
                part if own is ONE else self.product(*self.scaled(own, part))
                for part, own in zip(parts, step, strict=True)
                if part is not None
            ]
            made.append(reduce(self.pair, terms) if terms else None)
        return made[0]

    def pair(self, x0: int, x1: int) -> int:
        """x0 + x1, in the order that reads best."""
        is_sum0, is_sum1 = (isinstance(self.terms[x], SumTerm) for x in (x0, x1))
        c0, c1 = self.factors(x0)[0].numerator, self.factors(x1)[0].numerator
        if (is_sum1 and not is_sum0) or (c0 < 0 < c1):
            x0, x1 = x1, x0
        return self.intern(SumTerm(x0, x1))


def _count(addends: Sequence[Addend | None]) -> int:
    return sum(addend is not None for addend in addends)


def _times(c0: Scale, c1: Scale) -> Scale:
    return c0 if c1 is ONE else c1 if c0 is ONE else c0 * c1


def _is_unit(scale: Scale) -> bool:
    return scale.denominator == 1 and scale.numerator in (1, -1)


def _over(c0: Scale, c1: Scale) -> Scale:
    return c0 if c1 is ONE else c0 / c1

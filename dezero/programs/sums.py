"""Sums of terms: equal terms are collected, and a factor that all terms share is written once.

The order of a sum stays as it is, for (x - y) + z keeps digits of z that x + z - y loses: a term
that comes again only adds its coefficient to the first.  A factor is taken out of a product only
where what is left has been computed before, or where the factor is a number of moderate size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from dezero.programs.choices import Choices
from dezero.programs.kinds import ChoiceTerm, Factors, ProductTerm, SumTerm, short
from dezero.programs.table import WIDEST

ONE = Fraction(1)
SMALL = 8
"""A sum of at most so many terms is opened inside another, to find equal terms in it."""

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

    def total(self, root: Addition) -> int:
        """The term for a sum."""
        layout = self.laid_out(root, opening=False)
        addends = self.gathered(layout.leaves, with_choices=True)
        if any(self.is_small_sum(number) for _, number in layout.leaves):
            opened = self.laid_out(root, opening=True)
            fewer = self.gathered(opened.leaves, with_choices=True)
            merged = len(opened.leaves) - _count(fewer) > len(layout.leaves) - _count(addends)
            if merged and (self.written_out or _count(fewer) <= _count(addends)):
                layout, addends = opened, fewer
        return self.built(layout, addends)

    written_out = True
    """Whether a term is written wherever it is used, as in a formula, or once, as in code."""

    def is_small_sum(self, number: int) -> bool:
        """Whether a term is a multiple of a sum of a few terms."""
        factors = self.factors(number)[1]
        if len(factors) != 1 or factors[0][1] != 1:
            return False
        pending, count = [factors[0][0]], 0
        if not isinstance(self.terms[pending[0]], SumTerm):
            return False
        while pending and count <= SMALL:
            term = self.terms[pending.pop()]
            if isinstance(term, SumTerm):
                count += 1
                pending += [term.left, term.right]
        return count <= SMALL

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
            pending += [(part, scale * own, ()) for part, own in reversed(node.parts)]
        return layout

    def opened(self, number: int) -> Addition:
        """A multiple of a sum as an addition of its two sides."""
        coefficient, factors = self.factors(number)
        whole = self.terms[factors[0][0]]
        assert isinstance(whole, SumTerm)
        sides = Addition(((whole.left, ONE), (whole.right, ONE)))
        return sides if coefficient == 1 else Addition(((sides, coefficient),))

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
            coefficient *= scale
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
                [(leaves[i][0], self.chosen(condition, leaves[i][1], side)) for i in places]
                for side in (0, 1)
            ]
            made[places[0]] = (ONE, self.where(condition, *map(self.in_a_row, sides)))
            for i in places[1:]:
                made[i] = (Fraction(0), leaves[i][1])
        return made

    def in_a_row(self, leaves: Sequence[tuple[Scale, int]]) -> int:
        """The term for a sum of leaves, one after another."""
        steps: list[int | tuple[Scale, ...]] = [0]
        for i in range(1, len(leaves)):
            steps += [i, (ONE, ONE)]
        flat = [(ONE, self.product(*self.scaled(scale, number))) for scale, number in leaves]
        return self.built(_Layout(steps, [(ONE, n) for _, n in flat]), self.gathered(flat, False))

    def scaled(self, scale: Scale, number: int) -> tuple[Fraction, Factors]:
        """A multiple of a term as a coefficient and factors."""
        coefficient, factors = self.factors(number)
        return coefficient * scale, factors

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

    def length(self, factors: Factors) -> int:
        """About how long a product is when it is written out."""
        return sum(self.lengths[base] + 1 + 3 * (abs(exponent) != 1) for base, exponent in factors)

    # -------------------------------------------------------------------------- shared factors
    def shared(
        self, addends: Sequence[Addend], always: bool
    ) -> tuple[list[Addend], list[tuple[int, int]]]:
        """The addends without the factors that all of them have, and those factors."""
        left: list[Addend] = list(addends)
        outside: list[tuple[int, int]] = []
        while True:
            places = [self.removable(factors) for _, factors in left]
            common = [key for key in places[0] if all(key in place for place in places)]
            if not always:
                common = [key for key in common if self.saves(key, left)]
            if not common:
                return left, outside
            outside.append(common[-1])
            left = [
                (c, (*f[: place[common[-1]]], *f[place[common[-1]] + 1 :]))
                for (c, f), place in zip(left, places, strict=True)
            ]

    def removable(self, factors: Factors) -> dict[tuple[int, int], int]:
        """The factors, each with its place, without which a product is as near to the range.

        What is before the last factor has been computed, and so has each factor itself.
        """
        places: dict[tuple[int, int], int] = {}
        wide = [self.spread((factor,)) for factor in factors]
        for i, (base, exponent) in enumerate(factors):
            if not isinstance(exponent, int):
                continue
            rest = [*wide[:i], *wide[i + 1 :]]
            narrow = sum(w for w in rest if w <= WIDEST) <= WIDEST
            alone = narrow and sum(w > WIDEST for w in rest) <= 1
            if i == len(factors) - 1 or wide[i] <= WIDEST or alone:
                places[base, exponent] = i
        return places

    def saves(self, key: tuple[int, int], addends: Sequence[Addend]) -> bool:
        """Whether a sum is no longer with a factor taken out of it."""
        length = self.length((key,))
        bare = [f == (key,) and abs(c) == 1 and key[1] != -1 for c, f in addends]
        return sum(length - 2 * is_bare for is_bare in bare) >= length + 2

    def built(self, layout: _Layout, addends: Sequence[Addend | None]) -> int:
        """The term for a sum whose leaves are given with their coefficients in the whole."""
        kept = [addend for addend in addends if addend is not None]
        outside: list[tuple[int, int]] = []
        scale = ONE
        if len(kept) > 1:
            kept, outside = self.shared(kept, always=not self.written_out)
            if len({abs(c) for c, _ in kept}) == 1 and (outside or len(kept) > 2):
                scale = Fraction(abs(kept[0][0]))
        following = iter(kept)
        leaves = [None if a is None else next(following) for a in addends]
        made = self.joined_up(layout, leaves, scale)
        if made is None:
            return self.number(0.0)
        return self.times_factors(self.product(*self.scaled(scale, made)), reversed(outside))

    def times_factors(self, number: int, factors: Iterable[tuple[int, int]]) -> int:
        """A term times factors."""
        for base, exponent in factors:
            if exponent == -1:
                number = self.divide(number, base)
            else:
                number = self.times(number, self.core(((base, exponent),)))
        return number

    def joined_up(
        self, layout: _Layout, leaves: Sequence[Addend | None], scale: Scale
    ) -> int | None:
        """The sum of leaves in the order of a layout, divided by `scale`; None where none is."""
        made: list[int | None] = []
        for step in layout.steps:
            if isinstance(step, int):
                leaf, own = leaves[step], layout.leaves[step][0]
                made.append(None if leaf is None else self.product(leaf[0] / own / scale, leaf[1]))
                continue
            parts = made[len(made) - len(step) :]
            del made[len(made) - len(step) :]
            terms = [
                part if own == 1 else self.product(*self.scaled(own, part))
                for part, own in zip(parts, step, strict=True)
                if part is not None
            ]
            made.append(None if not terms else terms[0] if len(terms) == 1 else self.pair(*terms))
        return made[0]

    def pair(self, x0: int, x1: int) -> int:
        """x0 + x1, in the order that reads best."""
        is_sum0, is_sum1 = (isinstance(self.terms[x], SumTerm) for x in (x0, x1))
        c0, c1 = self.factors(x0)[0], self.factors(x1)[0]
        if (is_sum1 and not is_sum0) or (c0 < 0 < c1):
            x0, x1 = x1, x0
        return self.intern(SumTerm(x0, x1))


def _count(addends: Sequence[Addend | None]) -> int:
    return sum(addend is not None for addend in addends)

"""Program -> terms: its operations in a normal form, which printers write as text.

A term is a sum of two terms, a product of one exact coefficient and factors, a comparison, a
choice or a call, each made once however often it is used.  The rewriting keeps the value but for
rounding, and the range: moderate constants are gathered, choices by one condition become one, and
what is multiplied and divided by the same is neither; but factors keep their order, as x*y may
overflow where x/z*y does not, and no power is made of x/y/y, whose divisor may vanish where y does
not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from dezero.programs.kinds import (
    ONE,
    CallTerm,
    ChoiceTerm,
    ComparisonTerm,
    Exponent,
    NameTerm,
    NumberTerm,
    PowerTerm,
    ProductTerm,
    SumTerm,
    Term,
    children,
    reachable,
)
from dezero.programs.sums import Addition, Sums
from dezero.programs.table import SYMBOLS
from dezero.programs.trace import Program

__all__ = [
    "CallTerm",
    "ChoiceTerm",
    "ComparisonTerm",
    "Exponent",
    "NameTerm",
    "NumberTerm",
    "PowerTerm",
    "ProductTerm",
    "SumTerm",
    "Term",
    "Terms",
    "children",
    "reachable",
]


class Terms(Sums):
    """The terms of a program, each before those that use it; equal terms are one.

    `written_out` says whether a term is written wherever it is used or once, with a name;
    `factoring` whether what terms of a sum share is taken out; if not, sums are multiplied out.
    The last `parts` outputs are no results: they are given in `parts` if they are terms of their
    own, else None stands for them there.
    """

    def __init__(
        self,
        program: Program,
        written_out: bool = False,
        factoring: bool = True,
        parts: int = 0,
    ) -> None:
        super().__init__()
        self.written_out, self.factoring = written_out, factoring
        if not factoring:
            self.most = 10**30
            self.budget = 1000 + len(program.operations) // 4
        self.functions: dict[str, Any] = {}
        values: list[int | Addition] = [self.intern(NameTerm(name)) for name in program.inputs]
        values += [self.number(constant) for constant in program.constants]
        results = program.outputs[: len(program.outputs) - parts]
        whole = _wholes(program, results)
        for number, (function, operands) in enumerate(program.operations, program.first):
            scales = _SCALES.get(function)
            if scales is None:
                made = self.apply(function, [values[i] for i in operands])  # type: ignore[misc]
                values.append(made)
                continue
            addition = Addition(tuple(zip((values[i] for i in operands), scales, strict=True)))
            values.append(self.total(addition) if whole[number] else addition)
        self.outputs: list[int] = [values[i] for i in results]  # type: ignore[misc]
        others = (values[i] for i in program.outputs[len(results) :])
        self.parts = [None if isinstance(value, Addition) else value for value in others]

    def apply(self, function: Any, operands: list[int]) -> int:
        """The number of the term for an operation."""
        make = _MAKERS.get(function)
        if make is not None:
            return make(self, *operands)
        terms = [self.terms[number] for number in operands]
        if all(isinstance(term, NumberTerm) for term in terms):
            return self.fold(function, self.constants(operands))
        if function is np.equal and self.value(operands[1]) == 0 and self.signs[operands[0]] == 2:
            return self.number(0.0)  # the base of a power that needs no guard
        if function in SYMBOLS:
            return self.intern(ComparisonTerm(SYMBOLS[function], *operands))
        self.functions[function.__name__] = function
        return self.intern(CallTerm(function.__name__, tuple(operands)))


_SCALES: dict[Any, tuple[Fraction, ...]] = {
    np.add: (ONE, ONE),
    np.subtract: (ONE, -ONE),
    np.negative: (-ONE,),
}
_MAKERS: dict[Any, Callable[..., int]] = {
    np.multiply: Terms.multiply,
    np.divide: Terms.divide,
    np.power: Terms.power,
    np.where: Terms.where,
}


def _wholes(program: Program, results: Sequence[int]) -> list[bool]:
    """Whether each value of a program is more than a part of one sum."""
    uses = [0] * (program.first + len(program.operations))
    whole = [False] * len(uses)
    for function, operands in program.operations:
        for number in operands:
            uses[number] += 1
            whole[number] = whole[number] or uses[number] > 1 or function not in _SCALES
    for number in results:
        whole[number] = True
    return whole

"""Program -> terms -> Program: the same outputs of fewer operations.

What is differentiated again and again is tidied in between, so that a derivative of high order has
the terms that a person would have, and not all those that the rules one after another make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dezero.programs.kinds import (
    CallTerm,
    ChoiceTerm,
    ComparisonTerm,
    Exponent,
    NameTerm,
    NumberTerm,
    PowerTerm,
    ProductTerm,
    SumTerm,
    reachable,
)
from dezero.programs.recorder import Recorder, SizeError
from dezero.programs.table import SYMBOLS
from dezero.programs.terms import Terms
from dezero.programs.trace import Program, output_number, recorded_program
from dezero.programs.tracer import Tracer

_COMPARISONS = {symbol: ufunc for ufunc, symbol in SYMBOLS.items()}


LARGEST = 5000
"""A program of more operations has no equal terms that are worth the search."""


def tidied(program: Program) -> Program:
    """The same outputs, with equal terms collected; operations that are rules stay as they are.

    Where that takes as many operations, as for nests of functions, it is the program itself.
    """
    if len(program.operations) > LARGEST:
        return program
    terms = Terms(program, written_out=True, factoring=False)
    recorder = Recorder(program.inputs, program.first + len(program.operations))
    try:
        return _Writer(terms, recorder).program()
    except SizeError:
        return program


class _Writer:
    """Terms as operations on tracers."""

    def __init__(self, terms: Terms, recorder: Recorder) -> None:
        self.terms, self.recorder = terms, recorder
        self.inputs = {name: Tracer(recorder, i) for i, name in enumerate(recorder.inputs)}
        self.written: dict[int, Any] = {}

    def program(self) -> Program:
        """The program of the outputs; SizeError where the recorder has no place for it."""
        for number in reachable(self.terms.terms, self.terms.outputs):
            term = self.terms.terms[number]
            self.written[number] = _WRITERS[type(term)](self, term)
        outputs = [self.written[number] for number in self.terms.outputs]
        numbers = [output_number(self.recorder, x) for x in outputs]
        return recorded_program(self.recorder, numbers)

    def sum(self, term: SumTerm) -> Any:
        """left + right, or a difference where the right side has a minus sign."""
        right = self.terms.terms[term.right]
        if isinstance(right, ProductTerm) and right.coefficient < 0:
            positive = self.product(ProductTerm(-right.coefficient, right.factors))
            return self.written[term.left] - positive
        return self.written[term.left] + self.written[term.right]

    def product(self, term: ProductTerm) -> Any:
        """Coefficient and factors, from left to right."""
        above, below = map(float, term.coefficient.as_integer_ratio())
        if below > 1000:
            above, below = float(term.coefficient), 1.0
        made: Any = None if abs(above) == 1 else np.float64(abs(above))
        for base, exponent in term.factors:
            made = self.times(made, self.written[base], exponent)
        made = made if below == 1 else made / below
        return -made if above < 0 else made

    def times(self, made: Any, base: Any, exponent: Exponent) -> Any:
        """A product with one factor more; None is 1."""
        if exponent == -1:
            return (np.float64(1.0) if made is None else made) / base
        factor = base if exponent == 1 else self.raised(base, exponent)
        return factor if made is None else made * factor

    def raised(self, base: Any, exponent: Exponent) -> Any:
        """base**exponent for a number; a square is a product, as in the engine."""
        return base * base if exponent == 2 else np.power(base, float(exponent))


_WRITERS: dict[type, Callable[[_Writer, Any], Any]] = {
    NumberTerm: lambda self, term: np.float64(float(term.value)),
    NameTerm: lambda self, term: self.inputs[term.name],
    SumTerm: _Writer.sum,
    ProductTerm: _Writer.product,
    PowerTerm: lambda self, term: np.power(self.written[term.base], self.written[term.exponent]),
    ComparisonTerm: lambda self, term: _COMPARISONS[term.symbol](
        self.written[term.left], self.written[term.right]
    ),
    ChoiceTerm: lambda self, term: np.where(*(self.written[part] for part in term)),
    CallTerm: lambda self, term: self.terms.functions[term.function](
        *(self.written[part] for part in term.arguments)
    ),
}

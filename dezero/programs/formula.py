"""Program -> text that a person or another tool can read.

A printer writes a program's terms as a formula of the tool's own language, as LaTeX, or as code,
with as few parentheses as Python needs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from dezero.functions import FUNCTIONS
from dezero.graph import ARRAY_FUNCTIONS
from dezero.names import CONSTANTS
from dezero.programs.constants import below_the_line, quotient
from dezero.programs.terms import (
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
    Terms,
    children,
    reachable,
)
from dezero.programs.trace import Program

# ------------------------------------------------------------------------------------------ ropes
Rope = Any
"""Text in pieces: a str, or a tuple of ropes; a formula of n terms is joined once."""


def join(rope: Rope) -> str:
    """The text of a rope, without recursion."""
    pieces: list[str] = []
    pending = [rope]
    while pending:
        piece = pending.pop()
        if isinstance(piece, str):
            pieces.append(piece)
        else:
            pending.extend(reversed(piece))
    return "".join(pieces)


def first_piece(rope: Rope) -> str:
    """The str that a rope begins with."""
    while not isinstance(rope, str):
        rope = rope[0]
    return rope


def fill(template: str, **parts: Rope) -> Rope:
    """A rope of a template whose {names} are ropes."""
    pieces = re.split(r"\{(\w+)\}", template)
    return tuple(piece if i % 2 == 0 else parts[piece] for i, piece in enumerate(pieces))


# Precedence, from what binds least to what binds most.  Remainders and whole quotients bind as
# products do, but x % y*z is easily misread, and a minus sign before x % y is not that of x.
OR, AND, NOT, COMPARISON, SUM, REMAINDER, PRODUCT, SIGN, POWER, ATOM = range(10)
REMAINDERS = {"remainder": "%", "floor_divide": "//"}
"""The functions that are operators, and how they are written."""


_TAKEN = {"and", "else", "if", "not", "or", *CONSTANTS}
"""What would be read as an operator or a constant."""


class FormulaError(ValueError):
    """A program that has no text in the form asked for; the message says why."""


class Printer:
    """Writes terms as a formula of the tool's own language; subclasses write other forms."""

    longest = 200_000
    both, either, negation = "{a} and {b}", "{a} or {b}", "not ({a})"
    """How "and", "or" and "not" are written for conditions {a} and {b}."""
    one = "1"

    def __init__(self, terms: Terms) -> None:
        self.terms = terms.terms
        self.truths = terms.truths
        self.outputs = terms.outputs
        self.conditions: dict[int, tuple[Rope, int]] = {}  # the truths, as conditions
        self.written: dict[int, tuple[Rope, int]] = {}
        self.named: set[int] = set()  # terms that have a name of their own in the text

    def formulas(self) -> list[str]:
        """The text of each output."""
        for number in self.needed():
            self.written[number] = self.text(number)
        return [join(self.written[number][0]) for number in self.outputs]

    def needed(self) -> list[int]:
        """The terms that the outputs are made of, parts before wholes."""
        sizes = [1] * len(self.terms)
        for number, term in enumerate(self.terms):
            sizes[number] += sum(sizes[part] for part in children(term))
        size = sum(sizes[number] for number in self.outputs)
        if size > self.longest:
            raise FormulaError(
                f"the formula would have {size} parts; as code, with --to c, it shares them"
            )
        return reachable(self.terms, self.outputs, self.parts)

    def parts(self, term: Term) -> list[int]:
        """The terms whose texts the text of a term is made of."""
        return children(term)

    def text(self, number: int) -> tuple[Rope, int]:
        """The rope of a term whose parts are written, and how tightly it binds."""
        if number not in self.truths:
            return self.write(self.terms[number])
        self.conditions[number] = self.stated(self.terms[number])
        return self.truth(*self.conditions[number])

    def truth(self, condition: Rope, precedence: int) -> tuple[Rope, int]:
        """A condition as a number, which is 1 or 0."""
        return condition, precedence

    def stated(self, term: Term) -> tuple[Rope, int]:
        """A truth as a condition."""
        match term:
            case ComparisonTerm("==", left, right) if self.is_negation(left, right):
                return fill(self.negation, a=self.conditions[left][0]), NOT
            case ComparisonTerm():
                return self.sides(term), COMPARISON
            case CallTerm("maximum", parts):
                return self.combined(self.either, parts, OR)
            case CallTerm("minimum", parts):
                return self.combined(self.both, parts, AND)
            case ProductTerm(_, factors):
                return self.combined(self.both, [base for base, _ in factors], AND)
        raise AssertionError(term)

    def is_negation(self, left: int, right: int) -> bool:
        """Whether ``left == right`` says that a condition which is written out does not hold."""
        return left in self.truths and left not in self.named and self.terms[right] == NumberTerm(0)

    def combined(self, template: str, parts: Iterable[int], precedence: int) -> tuple[Rope, int]:
        """Several conditions as one; "and" in "or" has parentheses, as compilers advise."""
        conditions = [self.conditions[part] for part in parts]
        first, *others = [rope if p >= NOT else ("(", rope, ")") for rope, p in conditions]
        for other in others:
            first = fill(template, a=first, b=other)
        return first, ATOM if template.endswith(")") else precedence

    def write(self, term: Term) -> tuple[Rope, int]:
        """The rope of a term whose parts are written, and how tightly it binds."""
        return _WRITERS[type(term)](self, term)

    def part(self, number: int, least: int) -> Rope:
        """A part, in parentheses where it binds less than `least`."""
        rope, precedence = self.written[number]
        return rope if precedence >= least else ("(", rope, ")")

    def number(self, term: NumberTerm) -> tuple[Rope, int]:
        """A constant."""
        text = self.number_text(term.value)
        if "/" in text or below_the_line(text) != text:
            return text, PRODUCT if not text.startswith("-") else SIGN - 1
        return text, ATOM if not text.startswith("-") else SIGN

    def number_text(self, value: Fraction | float) -> str:
        """A constant as a person writes it: 3, 0.5, 1/3, pi."""
        if isinstance(value, float):
            return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        if value == 0:
            return "0"
        top, bottom = quotient(abs(value), alone=True)
        line = "" if bottom is None else f"/{below_the_line(bottom)}"
        return "-" * (value < 0) + (top or "1") + line

    def name(self, name: str) -> str:
        """An input; one that is no plain name, or means something else, in backquotes."""
        return name if name.isidentifier() and name not in _TAKEN else f"`{name}`"

    def sum(self, term: SumTerm) -> tuple[Rope, int]:
        """a + b, or a - b where b has a minus sign."""
        left = self.part(term.left, SUM)
        subtracted = None if term.right in self.named else self.magnitude(self.terms[term.right])
        if subtracted is None:
            return (left, " + ", self.part(term.right, SUM + 1)), SUM
        return (left, " - ", subtracted), SUM

    def magnitude(self, term: Term) -> Rope | None:
        """A term with a minus sign, without it; None for other terms."""
        match term:
            case ProductTerm(-1, ((base, 1),)):
                return self.part(base, PRODUCT)
            case ProductTerm(coefficient, factors) if coefficient < 0:
                return self.product(ProductTerm(-coefficient, factors))[0]
            case NumberTerm(Fraction() as value) if value < 0:
                return self.number(NumberTerm(-value))[0]
        return None

    def product(self, term: ProductTerm) -> tuple[Rope, int]:
        """Coefficient and factors, from left to right as they are multiplied and divided."""
        coefficient, factors = term
        top, bottom = self.coefficient(abs(coefficient))
        (base, exponent), rest = factors[0], factors[1:]
        first = self.part(base, SIGN if exponent == -1 or top else PRODUCT)
        if exponent != -1:
            first = first if exponent == 1 else self.literal_power(self.part(base, ATOM), exponent)
            pieces = [first] if top is None else [top, "*", first]
        elif bottom is not None:
            pieces, bottom = [top or self.one, "/(", bottom, "*", first, ")"], None
        else:
            pieces = [top or self.one, "/", first]
        for base, exponent in rest:
            pieces += self.further(base, exponent)
        if bottom is not None:
            pieces += ["/", below_the_line(bottom)]
        if coefficient < 0:
            rope = ("(", tuple(pieces), ")") if first_piece(pieces)[0] == "-" else tuple(pieces)
            return ("-", rope), SIGN - 1  # to C -- is an operator, to SQL a comment
        return tuple(pieces), POWER if len(pieces) == 1 else PRODUCT

    def further(self, base: int, exponent: Exponent) -> tuple[Rope, Rope]:
        """A factor that is not the first, with its operator."""
        if exponent in (1, -1):
            return ("*" if exponent == 1 else "/"), self.part(base, SIGN)
        return "*", self.literal_power(self.part(base, ATOM), exponent)

    def coefficient(self, value: Fraction) -> tuple[str | None, str | None]:
        """The texts of a positive coefficient above and below the line; None is 1."""
        return quotient(value)

    def literal_power(self, base: Rope, exponent: Exponent) -> Rope:
        """base**exponent for a number."""
        text = self.number_text(Fraction(exponent))
        return (base, "**", f"({text})" if "/" in text else below_the_line(text))

    def power(self, term: PowerTerm) -> tuple[Rope, int]:
        """base**exponent for a term."""
        return (self.part(term.base, ATOM), "**", self.part(term.exponent, SIGN)), POWER

    def relation(self, symbol: str) -> str:
        """How a comparison is written."""
        return symbol

    def sides(self, term: ComparisonTerm) -> Rope:
        """a < b."""
        left, right = self.part(term.left, SUM), self.part(term.right, SUM)
        return (left, f" {self.relation(term.symbol)} ", right)

    def comparison(self, term: ComparisonTerm) -> tuple[Rope, int]:
        """A comparison as a number, which is 1 or 0."""
        return self.sides(term), COMPARISON

    def choice(self, term: ChoiceTerm) -> tuple[Rope, int]:
        """where(condition, a, b)."""
        return ("where(", self.arguments(term), ")"), ATOM

    def call(self, term: CallTerm) -> tuple[Rope, int]:
        """f(a, b), or a % b."""
        if term.function in REMAINDERS:
            left, right = term.arguments
            operator = f" {REMAINDERS[term.function]} "
            return (self.part(left, REMAINDER), operator, self.part(right, SIGN)), REMAINDER
        name = _CALLED.get(term.function, term.function.strip("_"))
        return (name, "(", self.arguments(term.arguments), ")"), ATOM

    def arguments(self, numbers: Iterable[int]) -> Rope:
        """Terms with commas between."""
        return interleave([self.written[number][0] for number in numbers], ", ")


_WRITERS: dict[type, Callable[[Any, Any], tuple[Rope, int]]] = {
    NumberTerm: lambda printer, term: printer.number(term),
    NameTerm: lambda printer, term: (printer.name(term.name), ATOM),
    SumTerm: lambda printer, term: printer.sum(term),
    ProductTerm: lambda printer, term: printer.product(term),
    PowerTerm: lambda printer, term: printer.power(term),
    ComparisonTerm: lambda printer, term: printer.comparison(term),
    ChoiceTerm: lambda printer, term: printer.choice(term),
    CallTerm: lambda printer, term: printer.call(term),
}


_CALLED = {"absolute": "abs", "rint": "round"}
"""What the language calls a ufunc, where that is not NumPy's name."""


def interleave(ropes: list[Rope], separator: str) -> Rope:
    """The ropes with a separator between."""
    return tuple(piece for rope in ropes for piece in (separator, rope))[1:]


def formulas(program: Program) -> list[str]:
    """A formula for each output of a program, in the tool's own language.

    Raises FormulaError where writing every shared part out would take too long a text.
    """
    return Printer(Terms(program.written_out(_has_a_name), written_out=True)).formulas()


def _has_a_name(function: Any) -> bool:
    """Whether the language calls an operation by the operation's own name."""
    known = FUNCTIONS.get(function.__name__.strip("_"))
    return known is not None and ARRAY_FUNCTIONS[function] is known.function

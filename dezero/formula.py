"""Program -> text that a person or another tool can read.

The operations of a program become terms in a normal form: a sum of two terms, or a product of one
exact coefficient and powers of factors, each term written once however often it is used.  A
printer then writes terms as a formula of the tool's own language, as LaTeX, or as code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from dezero.trace import Program

COMPARISONS: dict[Any, str] = {
    np.less: "<",
    np.less_equal: "<=",
    np.greater: ">",
    np.greater_equal: ">=",
    np.equal: "==",
    np.not_equal: "!=",
}
LARGEST = 1e290
"""A coefficient beyond this, or below its reciprocal, stays apart from the others."""
MOST_FACTORS = 32
"""A product of more factors becomes a factor itself, so that long products take linear time."""


class Term(NamedTuple):
    """One node: a number, a name, a sum of two, a product, a power, a comparison or a call.

    kind "number": `value` a Fraction, or a float that is not finite; "name": `value` the text;
    "sum", "power", "call", "compare": `parts` are the numbers of terms, `value` the function or
    the comparison; "product": `value` is the coefficient, `parts` pairs of a term and its exponent.
    """

    kind: str
    value: Any
    parts: tuple[Any, ...] = ()


class Terms:
    """The terms of a program, each before those that use it; equal terms are one."""

    def __init__(self, program: Program) -> None:
        self.terms: list[Term] = []
        self.numbers: dict[Term, int] = {}
        values = [self.intern(Term("name", name)) for name in program.inputs]
        values += [self.number(constant) for constant in program.constants]
        for function, operands in program.operations:
            values.append(self.apply(function, [values[i] for i in operands]))
        self.outputs = [values[i] for i in program.outputs]

    def intern(self, term: Term) -> int:
        """The number of a term."""
        known = self.numbers.get(term)
        if known is None:
            known = self.numbers[term] = len(self.terms)
            self.terms.append(term)
        return known

    def number(self, value: float | Fraction) -> int:
        """The number of a constant's term."""
        if isinstance(value, float):
            value = exact(value)
        return self.intern(Term("number", value))

    def apply(self, function: Any, operands: list[int]) -> int:
        """The number of the term for an operation."""
        make = _MAKERS.get(function)
        if make is not None:
            return make(self, *operands)
        values = [self.terms[number].value for number in operands]
        if all(self.terms[number].kind == "number" for number in operands):
            return self.fold(function, values)
        kind = "compare" if function in COMPARISONS else "call"
        value = COMPARISONS.get(function, function.__name__)
        return self.intern(Term(kind, value, tuple(operands)))

    def fold(self, function: Any, values: Iterable[Fraction | float]) -> int:
        """The number of the term for a function of constants."""
        with np.errstate(all="ignore"):
            return self.number(float(function(*map(float, values))))

    # ------------------------------------------------------------------------------- arithmetic
    def factors(self, number: int) -> tuple[Any, tuple[Any, ...]]:
        """A term as a coefficient and factors with their exponents."""
        term = self.terms[number]
        if term.kind == "number" and isinstance(term.value, Fraction):
            return term.value, ()
        if term.kind == "product":
            return term.value, term.parts
        return Fraction(1), ((number, 1),)

    def product(self, coefficient: Fraction, factors: Iterable[tuple[int, Any]]) -> int:
        """The term for a coefficient times powers; whole exponents of one base are added.

        A power with a fractional exponent is a base of its own: x**0.5*x**0.5 is no x below 0.
        """
        whole: dict[int, int] = {}
        for base, exponent in factors:
            if not isinstance(exponent, int):
                base = self.intern(Term("product", Fraction(1), ((base, exponent),)))
            whole[base] = whole.get(base, 0) + (exponent if isinstance(exponent, int) else 1)
        parts = tuple(
            self.terms[base].parts[0] if exponent == 1 and self.is_root(base) else (base, exponent)
            for base, exponent in whole.items()
            if exponent != 0
        )
        if not parts or coefficient == 0:
            return self.number(coefficient)
        if coefficient == 1 and len(parts) == 1 and parts[0][1] == 1:
            return int(parts[0][0])
        return self.intern(Term("product", coefficient, parts))

    def is_root(self, number: int) -> bool:
        """Whether a term is a power with a fractional exponent."""
        kind, value, parts = self.terms[number]
        return kind == "product" and value == 1 and len(parts) == 1 and type(parts[0][1]) is not int

    def multiply(self, x0: int, x1: int) -> int:
        """x0*x1."""
        (c0, f0), (c1, f1) = self.factors(x0), self.factors(x1)
        if len(f0) + len(f1) > MOST_FACTORS:
            f0, c0 = ((x0, 1),) if len(f0) > 1 else f0, c0 if len(f0) <= 1 else Fraction(1)
        coefficient = _times(c0, c1)
        if coefficient is None:  # nearly out of a float64's range
            if (1, ()) in ((c0, f0), (c1, f1)):
                return x1 if (c0, f0) == (1, ()) else x0
            return self.intern(Term("product", Fraction(1), ((x0, 1), (x1, 1))))
        return self.product(coefficient, (*f0, *f1))

    def divide(self, x0: int, x1: int) -> int:
        """x0/x1."""
        return self.multiply(x0, self.reciprocal(x1))

    def reciprocal(self, x: int) -> int:
        """1/x."""
        coefficient, factors = self.factors(x)
        if coefficient == 0:  # as in floating point; a product with the zero would be zero itself
            return self.number(math.inf)
        if any(not isinstance(e, int) for _, e in factors):
            return self.intern(Term("product", Fraction(1), ((x, -1),)))
        return self.product(1 / coefficient, [(base, -exponent) for base, exponent in factors])

    def negative(self, x: int) -> int:
        """-x."""
        coefficient, factors = self.factors(x)
        return self.product(-coefficient, factors)

    def add(self, x0: int, x1: int) -> int:
        """x0 + x1; multiples of the same factors are gathered."""
        (c0, f0), (c1, f1) = self.factors(x0), self.factors(x1)
        alike = f0 == f1 or (len(f0) == len(f1) and set(f0) == set(f1))
        if alike and abs(c0 + c1) < LARGEST:
            return self.product(c0 + c1, f0)
        if alike and not f0:
            return self.fold(np.add, (c0, c1))
        if (c0, f0) == (0, ()):
            return x1
        if (c1, f1) == (0, ()):
            return x0
        return self.intern(Term("sum", None, (x0, x1)))

    def subtract(self, x0: int, x1: int) -> int:
        """x0 - x1."""
        return self.add(x0, self.negative(x1))

    def power(self, x: int, c: int) -> int:
        """x**c; a whole constant c becomes an exponent."""
        exponent = self.terms[c]
        if exponent.kind != "number" or not isinstance(exponent.value, Fraction):
            return self.intern(Term("power", None, (x, c)))
        value = exponent.value
        whole = int(value) if value.denominator == 1 and abs(value) < 10**6 else value
        coefficient, factors = self.factors(x)
        if whole == -1:
            return self.reciprocal(x)
        if not factors:
            if isinstance(whole, int) and abs(whole) <= 64 and (whole > 0 or coefficient):
                value = coefficient**whole
                if value == 0 or 1 / LARGEST < abs(value) < LARGEST:
                    return self.number(value)
            return self.fold(np.power, (coefficient, whole))
        simple = coefficient == 1 and len(factors) == 1 and factors[0][1] == 1
        base = factors[0][0] if simple else x
        return self.product(Fraction(1), ((base, whole),))

    def where(self, condition: int, x0: int, x1: int) -> int:
        """x0 where the condition holds, else x1."""
        decided = self.terms[condition]
        if x0 == x1 or (decided.kind == "number" and decided.value != 0):
            return x0
        if decided.kind == "number":
            return x1
        return self.intern(Term("call", "where", (condition, x0, x1)))


_MAKERS: dict[Any, Callable[..., int]] = {
    np.add: Terms.add,
    np.subtract: Terms.subtract,
    np.multiply: Terms.multiply,
    np.divide: Terms.divide,
    np.negative: Terms.negative,
    np.power: Terms.power,
    np.where: Terms.where,
}


def exact(value: float) -> Fraction | float:
    """The number a person would have written for a float64; one that is not finite as it is."""
    if not math.isfinite(value):
        return value
    simple = Fraction(value).limit_denominator(1000)
    return simple if float(simple) == value else Fraction(repr(value))


def _times(c0: Fraction, c1: Fraction) -> Fraction | None:
    product = c0 * c1
    if product and not 1 / LARGEST < abs(product) < LARGEST:
        return None
    if product.denominator > 10**30 or product.numerator > 10**30:
        return Fraction(repr(float(product)))
    return product


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


# Precedence, from what binds least to what binds most.
COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)


class FormulaError(ValueError):
    """A program that has no text in the form asked for; the message says why."""


class Printer:
    """Writes terms as a formula of the tool's own language; subclasses write other forms."""

    longest = 200_000

    def __init__(self, terms: Terms) -> None:
        self.terms = terms.terms
        self.outputs = terms.outputs
        self.written: dict[int, tuple[Rope, int]] = {}
        self.named: set[int] = set()  # terms that have a name of their own in the text

    def formulas(self) -> list[str]:
        """The text of each output."""
        for number in self.needed():
            self.written[number] = self.write(self.terms[number])
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
        return reachable(self.terms, self.outputs)

    def write(self, term: Term) -> tuple[Rope, int]:
        """The rope of a term whose parts are written, and how tightly it binds."""
        writers: dict[str, Callable[[Term], tuple[Rope, int]]] = {
            "number": self.number,
            "name": lambda term: (self.name(term.value), ATOM),
            "sum": self.sum,
            "product": self.product,
            "power": lambda term: self.power(self.part(term.parts[0], ATOM), term.parts[1]),
            "compare": self.compare,
            "call": self.call,
        }
        return writers[term.kind](term)

    def part(self, number: int, least: int) -> Rope:
        """A part, in parentheses where it binds less than `least`."""
        rope, precedence = self.written[number]
        return rope if precedence >= least else ("(", rope, ")")

    def number(self, term: Term) -> tuple[Rope, int]:
        """A constant."""
        text = self.number_text(term.value)
        if "/" in text:
            return text, PRODUCT if not text.startswith("-") else SIGN - 1
        return text, ATOM if not text.startswith("-") else SIGN

    def number_text(self, value: Fraction | float) -> str:
        """A constant as a person writes it: 3, 0.5, 1/3, pi."""
        if isinstance(value, float):
            return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        if float(value) in _NAMED:
            return _NAMED[float(value)]
        if value.denominator == 1 and abs(value) < 10**15:
            return str(value.numerator)
        if _terminates(value) or value.denominator > 1000:
            return repr(float(value))
        return f"{value.numerator}/{value.denominator}"

    def name(self, name: str) -> str:
        """An input."""
        return name

    def sum(self, term: Term) -> tuple[Rope, int]:
        """a + b, or a - b where b has a minus sign."""
        left, right = term.parts
        other = self.terms[right]
        if not isinstance(other.value, Fraction) or other.value >= 0 or right in self.named:
            return (self.part(left, SUM), " + ", self.part(right, SUM)), SUM
        if other.value == -1 and len(other.parts) == 1 and other.parts[0][1] == 1:
            return (self.part(left, SUM), " - ", self.part(other.parts[0][0], PRODUCT)), SUM
        magnitude = self.write(other._replace(value=-other.value))[0]
        return (self.part(left, SUM), " - ", magnitude), SUM

    def product(self, term: Term) -> tuple[Rope, int]:
        """Coefficient and factors over those with negative exponents."""
        coefficient: Fraction = term.value
        above = [(base, e) for base, e in term.parts if not (isinstance(e, int) and e < 0)]
        below = [(base, -e) for base, e in term.parts if isinstance(e, int) and e < 0]
        top, bottom = self.coefficient(abs(coefficient))
        numerator = self.factor_list(top, above)
        alone = bottom is None and len(below) == 1
        denominator = self.factor_list(bottom, below, SIGN if alone else PRODUCT)
        rope = self.quotient(numerator, denominator)
        if coefficient < 0:
            return ("-", rope), SIGN - 1
        return rope, POWER if coefficient == 1 and len(above) == 1 and not below else PRODUCT

    def coefficient(self, value: Fraction) -> tuple[str | None, str | None]:
        """The texts of a positive coefficient above and below the line; None is 1."""
        if (_terminates(value) and not _is_dyadic(value)) or value.denominator > 1000:
            return self.number_text(value), None
        top = None if value.numerator == 1 else self.number_text(Fraction(value.numerator))
        bottom = None if value.denominator == 1 else self.number_text(Fraction(value.denominator))
        return top, bottom

    def factor_list(
        self, number: str | None, factors: list[tuple[int, Any]], least: int = PRODUCT
    ) -> list[Rope]:
        """The ropes of a number and powers, to be multiplied."""
        ropes: list[Rope] = [] if number is None else [number]
        for base, exponent in factors:
            if exponent == 1:
                ropes.append(self.part(base, least))
            else:
                ropes.append(self.literal_power(self.part(base, ATOM), exponent))
        return ropes

    def literal_power(self, base: Rope, exponent: Any) -> Rope:
        """base**exponent for a number."""
        text = self.number_text(Fraction(exponent))
        return (base, "**", f"({text})" if "/" in text else text)

    def power(self, base: Rope, exponent: int) -> tuple[Rope, int]:
        """base**exponent for a term."""
        return (base, "**", self.part(exponent, SIGN)), POWER

    def quotient(self, above: list[Rope], below: list[Rope]) -> Rope:
        """above/below."""
        top = interleave(above, "*") if above else "1"
        if not below:
            return top
        bottom = interleave(below, "*")
        return (top, "/", ("(", bottom, ")") if len(below) > 1 else bottom)

    def compare(self, term: Term) -> tuple[Rope, int]:
        """a < b."""
        left, right = (self.part(number, SUM) for number in term.parts)
        return (left, f" {term.value} ", right), COMPARISON

    def call(self, term: Term) -> tuple[Rope, int]:
        """f(a, b)."""
        name = "abs" if term.value == "absolute" else term.value
        arguments = interleave([self.written[number][0] for number in term.parts], ", ")
        return (name, "(", arguments, ")"), ATOM


_NAMED = {math.pi: "pi", math.e: "e"}


def _terminates(value: Fraction) -> bool:
    """Whether a number has a decimal form of reasonable length."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1 and value.denominator < 10**17


def _is_dyadic(value: Fraction) -> bool:
    return value.denominator in {1, 2, 4, 8, 16, 32, 64}


def interleave(ropes: list[Rope], separator: str) -> Rope:
    """The ropes with a separator between."""
    return tuple(piece for rope in ropes for piece in (separator, rope))[1:]


def children(term: Term) -> list[int]:
    """The numbers of the terms that a term is made of."""
    if term.kind == "product":
        return [base for base, _ in term.parts]
    return [part for part in term.parts if isinstance(part, int)]


def reachable(terms: list[Term], outputs: Iterable[int]) -> list[int]:
    """The terms that outputs are made of, parts before wholes."""
    needed = set(outputs)
    for number in range(len(terms) - 1, -1, -1):
        if number in needed:
            needed.update(children(terms[number]))
    return sorted(needed)


def formulas(program: Program) -> list[str]:
    """A formula for each output of a program, in the tool's own language.

    Raises FormulaError where writing every shared part out would take too long a text.
    """
    return Printer(Terms(program)).formulas()

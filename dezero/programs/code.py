"""Programs as code: what every language that a function is written in has in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from dezero.programs.constants import is_fraction
from dezero.programs.formula import ATOM, SUM, FormulaError, Printer, Rope, interleave, join
from dezero.programs.terms import (
    CallTerm,
    ChoiceTerm,
    ComparisonTerm,
    Exponent,
    NameTerm,
    NumberTerm,
    PowerTerm,
    Term,
    Terms,
    children,
    reachable,
)


class Code(Printer):
    """Terms as code: what is used more than once gets a name first."""

    calls: Mapping[str, str] = {}
    """The language's functions by NumPy's names: a name, or a template with {a} and {b}."""
    power_call = "pow"
    """What raises to a power that is a finite number."""
    reserved: frozenset[str] = frozenset()
    """Words that no input may be called by."""
    infinity, nan = "inf", "nan"
    test = "({condition} ? {chosen} : {other})"
    parameter = "{name}"
    statement = "{name} = {text}"
    whole = "{body}"
    """A function of a title, its parameters and its lines."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self.statements: list[tuple[int, str, str]] = []  # term, its name, its text
        self.inputs = [term.name for term in self.terms if isinstance(term, NameTerm)]
        self.taken = {name.lower() for name in self.inputs}

    # ------------------------------------------------------------------------- whole functions
    def function(self, wrt: Sequence[Sequence[str]], title: str) -> str:
        """A function that gives the outputs, each derived for the names in `wrt`."""
        texts = self.formulas()
        results = list(zip(map(output_name, wrt), texts, strict=True))
        parameters, body = self.parameters(results), "\n".join(self.lines(results))
        return self.whole.format(title=title, parameters=parameters, body=body)

    def parameters(self, results: Sequence[tuple[str, str]]) -> str:
        """What the function takes; `results` has the name and the text of each output."""
        return ", ".join(self.parameter.format(name=self.name(name)) for name in self.inputs)

    def lines(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """The function's lines: what is shared, then the results."""
        shared = [self.statement.format(name=name, text=text) for _, name, text in self.statements]
        return [*shared, *self.results(results)]

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """The lines that give the results."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------ expressions
    def formulas(self) -> list[str]:
        """The text of each output; `statements` then holds what has to come before."""
        order = reachable(self.terms, self.outputs)
        uses = self.uses(order)
        for number in order:
            term = self.terms[number]
            self.written[number] = self.write(term)
            if uses[number] > 1 and not isinstance(term, NumberTerm | NameTerm):
                name = self.fresh()
                self.statements.append((number, name, join(self.written[number][0])))
                self.written[number] = (self.name(name), ATOM)
                self.named.add(number)
        return [join(self.written[number][0]) for number in self.outputs]

    def uses(self, order: Sequence[int]) -> dict[int, int]:
        """How often the text of each term is needed; a template may repeat what it is given."""
        uses = dict.fromkeys(order, 0)
        for number in [*self.outputs, *(c for n in order for c in children(self.terms[n]))]:
            uses[number] += 1
        for term in (self.terms[number] for number in order):
            if self.repeats(term):
                uses.update((part, uses[part] + 1) for part in children(term))
        return uses

    def fresh(self) -> str:
        """A name that no input has, in capitals or not: SQL tells them no different."""
        name = f"t{len(self.statements) + 1}"
        while name in self.taken:
            name += "_"
        return name

    def name(self, name: str) -> str:
        """An input; a word that the language reserves gets a line after it."""
        return name + "_" if name in self.reserved else name

    def number_text(self, value: Fraction | float) -> str:
        """A float64 literal."""
        if isinstance(value, float):
            text = self.nan if value != value else self.infinity
            return f"-{text}" if value < 0 else text
        return repr(float(value))

    def coefficient(self, value: Fraction) -> tuple[str | None, str | None]:
        """The texts of a positive coefficient above and below the line; None is 1."""
        if not is_fraction(value):
            return self.number_text(value), None
        above, below = (
            None if n == 1 else self.number_text(Fraction(n)) for n in value.as_integer_ratio()
        )
        return above, below

    def condition(self, number: int) -> Rope:
        """A term as the condition of a choice."""
        term = self.terms[number]
        if isinstance(term, ComparisonTerm) and number not in self.named:
            return self.sides(term)
        unequal = f" {self.relation('!=')} "
        return (self.part(number, SUM), unequal, self.number_text(Fraction(0)))

    def chosen(self, condition: Rope, chosen: Rope, other: Rope) -> tuple[Rope, int]:
        """`chosen` where the condition holds, else `other`."""
        return fill(self.test, condition=condition, chosen=chosen, other=other), ATOM

    def comparison(self, term: ComparisonTerm) -> tuple[Rope, int]:
        """A comparison as a number."""
        one, zero = self.number_text(Fraction(1)), self.number_text(Fraction(0))
        return self.chosen(self.sides(term), one, zero)

    def choice(self, term: ChoiceTerm) -> tuple[Rope, int]:
        """`chosen` where the condition is not 0, else `other`."""
        chosen, other = self.written[term.chosen][0], self.written[term.other][0]
        return self.chosen(self.condition(term.condition), chosen, other)

    def call(self, term: CallTerm) -> tuple[Rope, int]:
        """A function by the language's name for it."""
        template = self.calls.get(term.function)
        if template is None:
            raise FormulaError(f"{term.function} has no form in this language")
        arguments = [self.written[part][0] for part in term.arguments]
        if "{" in template:
            return fill(template, a=arguments[0], b=arguments[-1]), ATOM
        return (template, "(", interleave(arguments, ", "), ")"), ATOM

    def literal_power(self, base: Rope, exponent: Exponent) -> Rope:
        """base**exponent for a number; the square of a name is a product."""
        if exponent == 2 and isinstance(base, str):
            return ("(", base, "*", base, ")")
        return (self.power_call, "(", base, ", ", self.number_text(Fraction(exponent)), ")")

    def power(self, term: PowerTerm) -> tuple[Rope, int]:
        """base**exponent for a term."""
        base, exponent = self.part(term.base, ATOM), self.part(term.exponent, ATOM)
        if self.repeats(term):
            return fill(self.calls["power"], a=base, b=exponent), ATOM
        exponent = self.written[term.exponent][0]
        return (self.power_call, "(", base, ", ", exponent, ")"), ATOM

    def repeats(self, term: Term) -> bool:
        """Whether the text of a term has those of its parts more than once."""
        if isinstance(term, PowerTerm):
            base = self.terms[term.base]
            is_one = not isinstance(base, NumberTerm) or abs(base.value) == 1
            return is_one and "{a}" in self.calls["power"]
        return isinstance(term, CallTerm) and "{a}" in self.calls.get(term.function, "")


def output_name(wrt: Sequence[str]) -> str:
    """The name of an output that is derived for the names in `wrt`: value, d_x, d_x_y."""
    return "_".join(("d", *wrt)) if wrt else "value"


def fill(template: str, **parts: Rope) -> Rope:
    """A rope of a template whose {names} are ropes."""
    pieces = re.split(r"\{(\w+)\}", template)
    return tuple(piece if i % 2 == 0 else parts[piece] for i, piece in enumerate(pieces))

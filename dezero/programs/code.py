"""Programs as code: what every language that a function is written in has in common."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from dezero.programs.conditions import COMPARED, WHOLE, Connectives, Flags, Test
from dezero.programs.constants import above_and_below
from dezero.programs.formula import (
    ATOM,
    SUM,
    FormulaError,
    Printer,
    Rope,
    fill,
    interleave,
    join,
)
from dezero.programs.identifiers import Names, Spelling
from dezero.programs.sharing import SharedTerms
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


class IdentifierError(ValueError):
    """A name that a language does not allow; the message says so."""


class Options(NamedTuple):
    """How code is asked for."""

    name: str | None = None
    """What the function is called, if not ``f``."""
    real: str = "double"
    """The type of C's numbers."""
    of: tuple[str, ...] = ()
    """What each output is, or is derived of, where there are several results."""
    definitions: tuple[str, ...] = ()
    """What the program's last outputs are called; they are no results, but locals."""


PLAIN = Options()


class Statement(NamedTuple):
    """A line that names what is used more than once."""

    number: int
    name: str
    text: str
    is_flag: bool


class Code(Printer):
    """Terms as code: what is used more than once gets a name first."""

    spelling: Spelling
    language = ""
    calls: Mapping[str, str] = {}
    """The language's functions by NumPy's names: a name, or a template with {a} and {b}."""
    power_call = "pow"
    """What raises to a power that is a finite number."""
    infinity, nan = "inf", "nan"
    test = "({condition} ? {chosen} : {other})"
    connectives = Connectives(" && ", " || ", "!({})")
    comment = "/* {} */"
    parameter = "{name}"
    statement = flag_statement = "{name} = {text}"
    is_function = True
    deepest = 400
    """Ten times the depth at which expressions are taken apart; Python, for one, has a limit."""
    whole = "{body}"
    """A function of its comments, its name, its parameters and its lines."""

    def __init__(self, terms: Terms, options: Options = PLAIN) -> None:
        super().__init__(terms)
        self.of = options.of
        shared = SharedTerms(terms)
        self.terms, self.outputs = shared.terms, shared.outputs
        wishes = zip(shared.parts, options.definitions, strict=True)
        self.wishes = {part: name for part, name in wishes if part is not None}
        self.inputs = [term.name for term in terms.terms if isinstance(term, NameTerm)]
        self.function_name = self.allowed("f" if options.name is None else options.name)
        own = [self.function_name] if self.is_function else []
        self.names = Names(self.spelling, self.inputs, own)
        self.flags = Flags(self.terms, self.outputs)
        self.helpers = itertools.count(1)
        self.tests: dict[int, Test] = {}
        self.statements: list[Statement] = []
        self.depths: dict[int, int] = {}
        self.one = self.number_text(Fraction(1))

    def allowed(self, name: str) -> str:
        """The function's name.  Raises IdentifierError for one that the language does not allow."""
        if not self.spelling.allows(name):
            raise IdentifierError(f"a function in {self.language} cannot be called {name!r}")
        return name

    # ------------------------------------------------------------------------- whole functions
    def function(self, wrt: Sequence[Sequence[str]], title: str) -> str:
        """A function that gives the outputs, each derived for the names in `wrt`."""
        texts = self.formulas()
        results = list(zip(output_names(wrt, self.of), texts, strict=True))
        return self.whole.format(
            comments=self.comments(title),
            name=self.function_name,
            parameters=self.parameters(results),
            body="\n".join(self.lines(results)),
        )

    def comments(self, title: str) -> str:
        """A line with the title, and one for each input that is called otherwise here."""
        lines = [title, *(f"{here} is the input {name}" for name, here in self.renamed)]
        return "\n".join(map(self.remark, lines))

    @property
    def renamed(self) -> list[tuple[str, str]]:
        """The inputs that are called otherwise here, with what they are called."""
        return self.names.renamed

    def remark(self, text: str) -> str:
        """A text as a comment."""
        return self.comment.format(_harmless(text))

    def parameters(self, results: Sequence[tuple[str, str]]) -> str:
        """What the function takes; `results` has the name and the text of each output."""
        return ", ".join(self.parameter.format(name=self.name(name)) for name in self.inputs)

    def lines(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """The function's lines: what is shared, then the results."""
        shared = [
            (self.flag_statement if each.is_flag else self.statement).format(
                name=each.name, text=each.text
            )
            for each in self.statements
        ]
        return [*shared, *self.results(results)]

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """The lines that give the results."""
        raise NotImplementedError

    # ---------------------------------------------------------------------- what gets a name
    def formulas(self) -> list[str]:
        """The text of each output; `statements` then holds what has to come before."""
        order = self.order()
        uses = self.uses(order)
        for number in order:
            term = self.terms[number]
            if number in self.flags:
                self.tests[number] = self.flag(number)
            self.written[number] = self.write(term)
            self.depths[number] = self.depth(term)
            is_shared = uses[number] > 1 and not self.flags.is_cheap(number)
            is_named = number in self.wishes and not isinstance(term, NumberTerm | NameTerm)
            if is_shared or is_named or self.depths[number] > self.deepest:
                self.give_name(number)
        return [join(self.written[number][0]) for number in self.outputs]

    def order(self) -> list[int]:
        """The terms that are needed, parts before wholes."""
        return reachable(self.terms, self.outputs)

    def depth(self, term: Term) -> int:
        """How deeply the text of a term is nested; what only goes on to the right counts little."""
        first, *rest = [*(self.depths[part] for part in children(term)), 0]
        goes_on = isinstance(term, SumTerm | ProductTerm)
        return max([first + (1 if goes_on else 10), *(depth + 10 for depth in rest)])

    def give_name(self, number: int) -> None:
        """Name a term in a statement of its own."""
        wish = self.wishes.get(number) or f"t{next(self.helpers)}"
        name, is_flag = self.names.take(wish), number in self.tests
        rope = self.tests[number][0] if is_flag else self.written[number][0]
        self.statements.append(Statement(number, name, self.guarded(number, join(rope)), is_flag))
        self.written[number] = (self.quoted(name), ATOM)
        self.named.add(number)
        self.depths[number] = 0
        if is_flag:
            self.tests[number] = (self.quoted(name), WHOLE)
            self.written[number] = self.as_number(number)

    def guarded(self, number: int, text: str) -> str:
        """The text of a term that gets a name."""
        return text

    def uses(self, order: Sequence[int]) -> dict[int, int]:
        """How often the text of each term is needed; a template may repeat what it is given."""
        uses = dict.fromkeys(order, 0)
        for number in self.outputs:
            uses[number] += 1
        for number in reversed(order):
            term = self.terms[number]
            times = uses[number] if self.flags.is_cheap(number) else 1
            for part in children(term):
                uses[part] += times + self.repeats(term)
        return uses

    def repeats(self, term: Term) -> bool:
        """Whether the text of a term has those of its parts more than once."""
        if isinstance(term, ChoiceTerm):  # where side() has the condition twice
            return {term.chosen, term.other} <= self.flags.truths
        if isinstance(term, PowerTerm):
            base = self.terms[term.base]
            is_one = not isinstance(base, NumberTerm) or abs(base.value) == 1
            return is_one and "{a}" in self.calls["power"]
        if self.flags.is_extreme(term):  # written as "and" or "or"
            return False
        return isinstance(term, CallTerm) and "{a}" in self.calls.get(term.function, "")

    # ------------------------------------------------------------------------------ conditions
    def flag(self, number: int) -> Test:
        """A term that is a condition, as one."""
        term = self.terms[number]
        if isinstance(term, ChoiceTerm):
            return self.side(term)
        if not isinstance(term, ComparisonTerm):
            either = number not in self.flags.truths or self.flags.is_alternative(term)
            join_tests = self.connectives.any if either else self.connectives.all
            return join_tests([self.tests[part] for part in children(term)])
        if not self.flags.is_counted(term):
            return self.sides(term), COMPARED
        condition = self.condition(term.left)
        return self.connectives.negate(condition) if term.symbol == "==" else condition

    def side(self, term: ChoiceTerm) -> Test:
        """A choice between conditions as one: a and b, or not a and c."""
        condition = self.condition(term.condition)
        opposite = self.connectives.negate(condition)
        settled = [self.flags.settled(part) for part in (term.chosen, term.other)]
        if settled == [True, None]:
            return self.connectives.any([condition, self.tests[term.other]])
        if settled == [None, True]:
            return self.connectives.any([opposite, self.tests[term.chosen]])
        sides = [
            test if holds else self.connectives.all([test, self.tests[part]])
            for test, part, holds in zip(
                (condition, opposite), (term.chosen, term.other), settled, strict=True
            )
            if holds is not False
        ]
        return self.connectives.any(sides)

    def condition(self, number: int) -> Test:
        """A term as a condition, which holds where it is not 0."""
        if number in self.tests:
            return self.tests[number]
        return self.unequal(number), COMPARED

    def unequal(self, number: int) -> Rope:
        """That a term is not 0."""
        return (
            self.part(number, SUM),
            f" {self.relation('!=')} ",
            self.number_text(Fraction(0)),
        )

    def chosen(self, condition: Rope, chosen: Rope, other: Rope) -> tuple[Rope, int]:
        """`chosen` where the condition holds, else `other`."""
        return fill(self.test, condition=condition, chosen=chosen, other=other), ATOM

    def as_number(self, number: int) -> tuple[Rope, int]:
        """A condition as a number."""
        return self.chosen(self.tests[number][0], self.one, self.number_text(Fraction(0)))

    def comparison(self, term: ComparisonTerm) -> tuple[Rope, int]:
        """A comparison as a number."""
        return self.as_number(self.flags.numbers[ComparisonTerm, term])

    def product(self, term: ProductTerm) -> tuple[Rope, int]:
        """Factors one after another; those that are 0 or 1 are a condition."""
        number = self.flags.numbers.get((ProductTerm, term))
        return super().product(term) if number not in self.tests else self.as_number(number)

    def choice(self, term: ChoiceTerm) -> tuple[Rope, int]:
        """`chosen` where the condition is not 0, else `other`."""
        number = self.flags.numbers[ChoiceTerm, term]
        if number in self.tests:
            return self.as_number(number)
        chosen, other = self.written[term.chosen][0], self.written[term.other][0]
        return self.chosen(self.condition(term.condition)[0], chosen, other)

    # ----------------------------------------------------------------------------- expressions
    def name(self, name: str) -> str:
        """An input."""
        return self.quoted(self.names.inputs[name])

    def quoted(self, name: str) -> str:
        """A name as it stands in an expression."""
        return name

    def number_text(self, value: Fraction | float) -> str:
        """A float64 literal."""
        if isinstance(value, float):
            text = self.nan if value != value else self.infinity
            return f"-{text}" if value < 0 else text
        return repr(float(value))

    def coefficient(self, value: Fraction) -> tuple[str | None, str | None]:
        """The texts of a positive coefficient above and below the line; None is 1."""
        above, below = (None if n == 1 else self.number_text(n) for n in above_and_below(value))
        return above, below

    def call(self, term: CallTerm) -> tuple[Rope, int]:
        """A function by the language's name for it."""
        template = self.calls.get(term.function)
        if template is None:
            name = term.function.strip("_").replace("tgamma", "gamma")
            raise FormulaError(f"{name} has no form in {self.language}")
        if "{" in template:
            parts = [self.part(part, ATOM) for part in term.arguments]
            return fill(template, a=parts[0], b=parts[-1]), ATOM
        arguments = [self.written[part][0] for part in term.arguments]
        return (template, "(", interleave(arguments, ", "), ")"), ATOM

    def literal_power(self, base: Rope, exponent: Exponent) -> Rope:
        """base**exponent for a number."""
        return (self.power_call, "(", base, ", ", self.number_text(Fraction(exponent)), ")")

    def power(self, term: PowerTerm) -> tuple[Rope, int]:
        """base**exponent for a term."""
        if self.repeats(term):
            base, exponent = self.part(term.base, ATOM), self.part(term.exponent, ATOM)
            return fill(self.calls["power"], a=base, b=exponent), ATOM
        base, exponent = self.written[term.base][0], self.written[term.exponent][0]
        return (self.power_call, "(", base, ", ", exponent, ")"), ATOM


def output_names(wrt: Sequence[Sequence[str]], of: Sequence[str] = ()) -> list[str]:
    """The names of outputs that are derived for names: value, d_x, d_x_y, each once.

    With `of`, the names of the results that they are derived of: v, d_v_x, d_v_x_y.
    """
    names: dict[str, None] = {}
    for each, result in itertools.zip_longest(wrt, of, fillvalue=""):
        name = "_".join(filter(None, ("d", result, *each))) if each else result or "value"
        while name in names:
            name += "_"
        names[name] = None
    return list(names)


def _harmless(text: str) -> str:
    """A text for one line of a comment, which it neither ends nor begins, turns nor goes on."""
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    text = text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
    return text + "." if text.endswith("\\") else text


Form = Callable[..., str]
"""Takes a program, the names that each output is derived for, a title, and Options; gives text."""


def function_form(language: type[Code]) -> Form:
    """What writes programs in a language."""

    def form(
        program: Program, wrt: Sequence[Sequence[str]], title: str, options: Options = PLAIN
    ) -> str:
        written = program.written_out(lambda function: function.__name__ in language.calls)
        terms = Terms(written, parts=len(options.definitions))
        return language(terms, options).function(wrt, title)

    return form

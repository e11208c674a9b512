"""Programs as LaTeX."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence
from fractions import Fraction

from dezero.names import RELATIONS
from dezero.normal_forms import normalized
from dezero.programs.formula import (
    ATOM,
    COMPARISON,
    POWER,
    PRODUCT,
    SIGN,
    Printer,
    Rope,
    interleave,
)
from dezero.programs.terms import (
    CallTerm,
    ChoiceTerm,
    Exponent,
    NumberTerm,
    PowerTerm,
    ProductTerm,
    Term,
    Terms,
    children,
)
from dezero.programs.trace import Program

_GREEK = set(
    (
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho "
        "sigma tau upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi "
        "Omega pi"
    ).split()
)
_CALLS = {
    **{name: "\\" + name for name in "exp sin cos tan sinh cosh tanh arcsin arccos arctan".split()},
    "log": "\\ln",
    "minimum": "\\min",
    "maximum": "\\max",
    "remainder": "\\operatorname{mod}",
    "rint": "\\operatorname{round}",
}
_NAMED = {
    **{f"_{name}": f"\\{name}" for name in "sec csc cot coth".split()},
    **{
        f"_{name}": f"\\operatorname{{{name}}}"
        for name in (
            "sech csch arcsec arccsc arccot arcsech arccsch arccoth sinc erfcx erfinv logit "
            "normpdf normcdf norminv"
        ).split()
    },
    "_gamma": "\\Gamma",
    "digamma": "\\psi",
}
"""What mathematics calls functions, those made of several operations among them."""
_ENCLOSING = {
    "sqrt": ("\\sqrt{", "}"),
    "cbrt": ("\\sqrt[3]{", "}"),
    "absolute": ("\\left|", "\\right|"),
    "floor": ("\\left\\lfloor ", "\\right\\rfloor"),
    "ceil": ("\\left\\lceil ", "\\right\\rceil"),
}
_RELATIONS = {relation.symbol: relation.latex for relation in RELATIONS}


def latex_name(name: str) -> str:
    """x, \\theta, x_{1}: a name as mathematics sets it; ``x_`` and ``_1`` keep their lines."""
    name = normalized("NFC", name)
    if not name.isidentifier():
        return "\\text{" + "".join(_ESCAPED.get(letter, letter) for letter in name) + "}"
    if "" in name.split("_"):
        return "\\mathrm{" + _spelt(name).replace("_", "\\_") + "}"
    stem, line, index = name.partition("_")
    digits = re.fullmatch(r"([^\W\d_]+)(\d+)", name)
    if digits:
        stem, line, index = digits[1], "_", digits[2]
    symbol = "\\" + stem if stem in _GREEK else _spelt(stem)
    if len(stem) > 1 and stem not in _GREEK:
        symbol = f"\\mathrm{{{symbol}}}"
    return symbol + (f"_{{{_spelt(index.replace('_', ','))}}}" if line else "")


_ESCAPED = {letter: f"\\{letter}" for letter in "#$%&_{}"} | {
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
}
"""What LaTeX has for letters that mean something to it."""


def _spelt(text: str) -> str:
    """A text with its Greek letters as commands: \\Delta x for Δx."""
    letters = [_command(letter) for letter in text]
    return "".join(
        letter + " " * (len(letter) > 1 and after[:1].isalpha())
        for letter, after in zip(letters, [*letters[1:], ""])
    )


def _command(letter: str) -> str:
    """\\theta for θ; any other letter is itself."""
    words = unicodedata.name(letter, "").replace("LAMDA", "LAMBDA").split()
    if words[:1] != ["GREEK"] or words[2:3] != ["LETTER"] or len(words) != 4:
        return letter
    name = words[3].lower() if words[1] == "SMALL" else words[3].capitalize()
    return f"\\{name}" if name in _GREEK else letter


class LaTeX(Printer):
    """Formulas for LaTeX's mathematics mode."""

    both, either = "{a} \\land {b}", "{a} \\lor {b}"
    negation = "\\lnot \\left({a}\\right)"

    def part(self, number: int, least: int) -> Rope:
        """A part, in parentheses that fit where it binds less than `least`."""
        rope, precedence = self.written[number]
        return rope if precedence >= least else ("\\left(", rope, "\\right)")

    def name(self, name: str) -> str:
        """x, \\theta, x_{1}."""
        return latex_name(name)

    def number_text(self, value: Fraction | float) -> str:
        """A number; powers of ten as such."""
        text = super().number_text(value)
        sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
        if "/" in text:
            above, below = text.split("/")
            below = below[1:-1] if below.startswith("(") else below
            return f"{sign}\\frac{{{_constant(above)}}}{{{_constant(below)}}}"
        return sign + _constant(text)

    def coefficient(self, value: Fraction) -> tuple[str | None, str | None]:
        """The texts of a positive coefficient above and below the line; None is 1."""
        above, below = (None if t is None else _constant(t) for t in super().coefficient(value))
        return above, below

    def product(self, term: ProductTerm) -> tuple[Rope, int]:
        """Coefficient and factors as one fraction, equal factors gathered; it is not computed."""
        coefficient, powers = self.gathered(term)
        above = [(base, e) for base, e in powers if not (isinstance(e, int) and e < 0)]
        below = [(base, -e) for base, e in powers if isinstance(e, int) and e < 0]
        top, bottom = self.coefficient(abs(coefficient))
        rope = self.quotient(self.factor_list(top, above), self.factor_list(bottom, below))
        if coefficient < 0:
            return ("-", rope), SIGN - 1
        return rope, POWER if coefficient == 1 and len(above) == 1 and not below else PRODUCT

    def parts(self, term: Term) -> list[int]:
        """The terms whose texts are needed: not those of the products in a product."""
        if isinstance(term, ProductTerm) and not self.truths.issuperset(children(term)):
            return [base for base, _ in self.gathered(term)[1]]
        return super().parts(term)

    def gathered(self, term: ProductTerm) -> tuple[Fraction, list[tuple[int, Exponent]]]:
        """The coefficient and the powers of a product, those of the products in it included."""
        coefficient = term.coefficient
        whole: dict[int, int] = {}
        roots: list[tuple[int, Exponent]] = []
        pending = [(base, e, 1) for base, e in reversed(term.factors)]
        while pending:
            base, exponent, outer = pending.pop()
            inner = self.terms[base]
            if not isinstance(exponent, int):
                roots.append((base, exponent * outer))
            elif isinstance(inner, ProductTerm) and abs(exponent) == 1:
                coefficient *= inner.coefficient ** (exponent * outer)
                pending += [(b, e, exponent * outer) for b, e in reversed(inner.factors)]
            else:
                whole[base] = whole.get(base, 0) + exponent * outer
        powers = [*((base, e) for base, e in whole.items() if e != 0), *roots]
        return coefficient, sorted(powers, key=lambda power: self.rank(power[0]))

    def rank(self, base: int) -> int:
        """Where a factor stands: numbers first, functions last."""
        term = self.terms[base]
        return 0 if isinstance(term, NumberTerm) else 2 if isinstance(term, CallTerm) else 1

    def factor_list(
        self, number: str | None, factors: Sequence[tuple[int, Exponent]]
    ) -> list[Rope]:
        """Factors side by side; a dot keeps two numbers apart."""
        ropes: list[Rope] = [] if number is None else [number]
        for base, exponent in factors:
            if exponent != 1:
                ropes.append(self.literal_power(self.part(base, ATOM), exponent))
            elif ropes and isinstance(self.terms[base], NumberTerm):
                ropes.append(("\\cdot ", self.part(base, PRODUCT)))
            else:
                ropes.append(self.part(base, PRODUCT))
        return ropes

    def number(self, term: NumberTerm) -> tuple[Rope, int]:
        """A constant; a power, a fraction or a multiple is a product."""
        text, precedence = super().number(term)
        is_product = re.match(r"-?(\\frac|\{|[^\\]+ \\(cdot|,))", text)
        return text, min(precedence, PRODUCT) if is_product else precedence

    def literal_power(self, base: Rope, exponent: Exponent) -> Rope:
        """base^{exponent}."""
        return ("{", base, "}^{", self.number_text(Fraction(exponent)), "}")

    def power(self, term: PowerTerm) -> tuple[Rope, int]:
        """base^{exponent} for a term."""
        base, exponent = self.part(term.base, ATOM), self.written[term.exponent][0]
        return ("{", base, "}^{", exponent, "}"), POWER

    def quotient(self, above: list[Rope], below: list[Rope]) -> Rope:
        """A fraction."""
        if not below:
            return interleave(above, " \\, ") if above else "1"
        top = interleave(_bare(above), " \\, ") if above else "1"
        return ("\\frac{", top, "}{", interleave(_bare(below), " \\, "), "}")

    def relation(self, symbol: str) -> str:
        """How mathematics writes a comparison."""
        return _RELATIONS[symbol]

    def truth(self, condition: Rope, precedence: int) -> tuple[Rope, int]:
        """A condition as a number, in Iverson's brackets."""
        return ("\\left[", condition, "\\right]"), ATOM

    def choice(self, term: ChoiceTerm) -> tuple[Rope, int]:
        """Two cases, one above the other."""
        condition, chosen, other = (self.written[number][0] for number in term)
        stated = self.conditions.get(term.condition)
        shown = (condition, " \\ne 0") if stated is None else stated[0]
        cases = (chosen, " & ", shown, " \\\\ ", other, " & \\text{otherwise}")
        return ("\\begin{cases} ", cases, " \\end{cases}"), ATOM

    def call(self, term: CallTerm) -> tuple[Rope, int]:
        """A function, or the notation that mathematics has for it."""
        if term.function in _ENCLOSING:
            before, after = _ENCLOSING[term.function]
            return (before, self.written[term.arguments[0]][0], after), ATOM
        if term.function == "remainder":
            left, right = (self.part(part, POWER) for part in term.arguments)
            return (left, " \\bmod ", right), COMPARISON
        if term.function == "floor_divide":
            above, below = (self.written[part][0] for part in term.arguments)
            return ("\\left\\lfloor \\frac{", above, "}{", below, "}\\right\\rfloor"), ATOM
        names = _CALLS | _NAMED
        name = names.get(term.function, f"\\operatorname{{{term.function}}}")
        return (name, "\\left(", self.arguments(term.arguments), "\\right)"), ATOM


def _constant(text: str) -> str:
    """A constant of the tool's own language; powers of ten as such."""
    named = {"inf": "\\infty", "nan": "\\mathrm{nan}"}
    for pattern, form in _CONSTANT:
        text = re.sub(pattern, form, text)
    return named.get(text, text)


_CONSTANT: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"e([+-])0*(\d+)", lambda m: f" \\cdot 10^{{{m[1].strip('+')}{m[2]}}}"),
    (r"sqrt\((.*)\)", r"\\sqrt{\1}"),
    (r"pi\*\*(\d)", r"{\\pi}^{\1}"),
    (r"(?<!\\)\bpi", r"\\pi"),
    (r"\*", r" \\, "),
]


def _bare(factors: list[Rope]) -> list[Rope]:
    """Factors above or below the line of a fraction, where one alone needs no parentheses."""
    if len(factors) != 1:
        return factors
    match factors[0]:
        case ("\\left(", rope, "\\right)"):
            return [rope]
    return factors


def latex(
    program: Program, wrt: Sequence[Sequence[str]], title: str, of: Sequence[str] = ()
) -> str:
    """An equation a line for each output; `wrt` holds the names that it is derived for.

    `of` says of which of several results.
    """
    written = program.written_out(lambda function: function.__name__ in _NAMED)
    formulas = LaTeX(Terms(written, written_out=True)).formulas()
    symbols = itertools.starmap(_symbol, itertools.zip_longest(wrt, of, fillvalue=""))
    return "".join(f"{symbol} = {text}\n" for symbol, text in zip(symbols, formulas, strict=True))


def _symbol(wrt: Sequence[str], of: str) -> str:
    """f, or what a result is called, or the symbol of a derivative of that."""
    result = latex_name(of) if of else "f"
    if not wrt:
        return result
    counts: dict[str, int] = {}
    for name in wrt:
        counts[name] = counts.get(name, 0) + 1
    below = " \\, ".join(f"\\partial {latex_name(n)}{_order(c)}" for n, c in counts.items())
    return f"\\frac{{\\partial{_order(len(wrt))} {result}}}{{{below}}}"


def _order(count: int) -> str:
    return f"^{{{count}}}" if count > 1 else ""

"""Programs as LaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from dezero.programs.formula import ATOM, POWER, PRODUCT, SUM, Printer, Rope, interleave
from dezero.programs.terms import Term, Terms
from dezero.programs.trace import Program

_GREEK = set(
    (
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho "
        "sigma tau upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi "
        "Omega pi"
    ).split()
)
_LATEX_CALLS = {
    **{name: "\\" + name for name in "exp sin cos tan sinh cosh tanh arcsin arccos arctan".split()},
    "log": "\\ln",
    "minimum": "\\min",
    "maximum": "\\max",
}
_LATEX_COMPARISONS = {"<=": "\\le", ">=": "\\ge", "==": "=", "!=": "\\ne"}


def latex_name(name: str) -> str:
    """x, \\theta, x_{1}: a name as mathematics sets it; ``x_`` and ``_1`` keep their lines."""
    name = unicodedata.normalize("NFC", name)
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
        named = {"pi": "\\pi", "inf": "\\infty", "-inf": "-\\infty", "nan": "\\mathrm{nan}"}
        if "/" in text:
            above, below = text.split("/")
            sign = "-" if above.startswith("-") else ""
            return f"{sign}\\frac{{{above.lstrip('-')}}}{{{below}}}"
        return re.sub(
            r"e([+-])0*(\d+)",
            lambda m: f" \\cdot 10^{{{m[1].strip('+')}{m[2]}}}",
            named.get(text, text),
        )

    def factor_list(
        self, number: str | None, factors: list[tuple[int, Any]], least: int = PRODUCT
    ) -> list[Rope]:
        """Factors side by side; a dot keeps two numbers apart."""
        ropes = super().factor_list(number, factors)
        for i, (base, exponent) in enumerate(factors, len(ropes) - len(factors)):
            if i and exponent == 1 and self.terms[base].kind == "number":
                ropes[i] = ("\\cdot ", ropes[i])
        return ropes

    def literal_power(self, base: Rope, exponent: Any) -> Rope:
        """base^{exponent}."""
        return ("{", base, "}^{", self.number_text(Fraction(exponent)), "}")

    def power(self, base: Rope, exponent: int) -> tuple[Rope, int]:
        """base^{exponent} for a term."""
        return ("{", base, "}^{", self.written[exponent][0], "}"), POWER

    def quotient(self, above: list[Rope], below: list[Rope]) -> Rope:
        """A fraction."""
        if not below:
            return interleave(above, " \\, ") if above else "1"
        top = interleave(_bare(above), " \\, ") if above else "1"
        return ("\\frac{", top, "}{", interleave(_bare(below), " \\, "), "}")

    def compare(self, term: Term) -> tuple[Rope, int]:
        """A comparison, which is 1 or 0, in Iverson's brackets."""
        return ("\\left[", self.condition(term), "\\right]"), ATOM

    def condition(self, term: Term) -> Rope:
        """A comparison as such."""
        left, right = (self.part(part, SUM) for part in term.parts)
        return (left, f" {_LATEX_COMPARISONS.get(term.value, term.value)} ", right)

    def call(self, term: Term) -> tuple[Rope, int]:
        """A function, or the notation that mathematics has for it."""
        arguments = [self.written[part][0] for part in term.parts]
        enclosing = {
            "sqrt": ("\\sqrt{", "}"),
            "cbrt": ("\\sqrt[3]{", "}"),
            "absolute": ("\\left|", "\\right|"),
            "floor": ("\\left\\lfloor ", "\\right\\rfloor"),
            "ceil": ("\\left\\lceil ", "\\right\\rceil"),
        }.get(term.value)
        if enclosing:
            return (enclosing[0], arguments[0], enclosing[1]), ATOM
        if term.value == "where":
            test = self.terms[term.parts[0]]
            shown = self.condition(test) if test.kind == "compare" else (arguments[0], " \\ne 0")
            cases = (arguments[1], " & ", shown, " \\\\ ", arguments[2], " & \\text{otherwise}")
            return ("\\begin{cases} ", cases, " \\end{cases}"), ATOM
        name = _LATEX_CALLS.get(term.value, f"\\operatorname{{{term.value}}}")
        return (name, "\\left(", interleave(arguments, ", "), "\\right)"), ATOM


def _bare(factors: list[Rope]) -> list[Rope]:
    """Factors above or below the line of a fraction, where one alone needs no parentheses."""
    if len(factors) != 1:
        return factors
    match factors[0]:
        case ("\\left(", rope, "\\right)"):
            return [rope]
    return factors


def latex(program: Program, wrt: Sequence[Sequence[str]], title: str) -> str:
    """An equation a line for each output; `wrt` holds the names that it is derived for."""
    formulas = LaTeX(Terms(program)).formulas()
    return "".join(f"{_symbol(n)} = {text}\n" for n, text in zip(wrt, formulas, strict=True))


def _symbol(wrt: Sequence[str]) -> str:
    """f, or the symbol of a derivative of f."""
    if not wrt:
        return "f"
    counts: dict[str, int] = {}
    for name in wrt:
        counts[name] = counts.get(name, 0) + 1
    below = " \\, ".join(f"\\partial {latex_name(n)}{_order(c)}" for n, c in counts.items())
    return f"\\frac{{\\partial{_order(len(wrt))} f}}{{{below}}}"


def _order(count: int) -> str:
    return f"^{{{count}}}" if count > 1 else ""

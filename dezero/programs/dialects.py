"""Programs as functions in C, Python, NumPy and JavaScript, and the table of all forms.

A language calls functions by C's names; what it calls otherwise, and what C does not have, is in
its own table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction

from dezero.names import C_NAMES
from dezero.programs.code import PLAIN, Code, Form, Options, function_form
from dezero.programs.conditions import WHOLE, Connectives, Sides, by_need, sides_of_use
from dezero.programs.formula import FormulaError, join
from dezero.programs.identifiers import (
    C_SPELLING,
    JAVASCRIPT_SPELLING,
    MATH_H,
    NUMPY_SPELLING,
    PYTHON_SPELLING,
)
from dezero.programs.latex import latex
from dezero.programs.sql import SQL
from dezero.programs.terms import NameTerm, Terms, children, reachable

_C_CALLS = {ufunc.__name__: name for ufunc, name in C_NAMES.items()}
SMALLEST_FLOAT, LARGEST_FLOAT = 2.0**-149, (2 - 2.0**-23) * 2.0**127


class C(Code):
    """A C99 function, with <math.h>, that returns the first output and stores the others.

    It is one of C++ too, and uses nothing but its parameters.
    """

    language = "C"
    spelling = C_SPELLING
    calls = _C_CALLS | {
        # fmin and fmax pass over nan, where here it stays
        "minimum": "(isnan({a}) || {a} < {b} ? {a} : {b})",
        "maximum": "(isnan({a}) || {a} > {b} ? {a} : {b})",
        "sign": "({a} > 0.0 ? 1.0 : ({a} < 0.0 ? -1.0 : {a}))",
    }
    infinity, nan = "INFINITY", "NAN"
    flag_statement = "    const int {name} = {text};"

    def __init__(self, terms: Terms, options: Options = PLAIN) -> None:
        self.suffix = "f" if options.real == "float" else ""
        super().__init__(terms, options)
        self.gradient = self.names.take("grad")
        self.parameter = f"{options.real} {{name}}"
        self.statement = f"    const {options.real} {{name}} = {{text}};"
        self.whole = (
            f"#include <math.h>\n\n{{comments}}\n{options.real} {{name}}({{parameters}}) {{{{\n"
            "{body}\n}}\n"
        )
        if self.suffix:
            self.calls = {name: _in_floats(call) for name, call in self.calls.items()}
            self.power_call = "powf"

    def parameters(self, results: Sequence[tuple[str, str]]) -> str:
        """The inputs, then where the outputs but the first are stored."""
        text = super().parameters(results)
        stored = self.parameter.format(name=f"{self.gradient}[{len(results) - 1}]")
        return ", ".join(filter(None, (text, stored if len(results) > 1 else ""))) or "void"

    def lines(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """What is not used, for compilers that ask, and what is."""
        terms = (self.terms[number] for number in reachable(self.terms, self.outputs))
        used = {term.name for term in terms if isinstance(term, NameTerm)}
        unused = [f"    (void){self.name(name)};" for name in self.inputs if name not in used]
        return [*unused, *super().lines(results)]

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """Each output but the first into its place, then the first."""
        (_, first), *others = results
        lines = [
            f"    {self.gradient}[{i}] = {text};  {self.remark(name)}"
            for i, (name, text) in enumerate(others)
        ]
        return [*lines, f"    return {first};"]

    def number_text(self, value: Fraction | float) -> str:
        """A literal of the type asked for."""
        text = super().number_text(value)
        if not self.suffix or isinstance(value, float):
            return text
        if value and not SMALLEST_FLOAT <= abs(value) <= LARGEST_FLOAT:
            raise FormulaError(f"{text} is beyond the range of a float")
        return text + self.suffix


def _in_floats(call: str) -> str:
    """A call, or a template of one, for C's floats."""
    if "{" not in call:
        return call + "f"
    return re.sub(rf"\d\.\d|\b(?:{'|'.join(MATH_H)})(?=\()", r"\g<0>f", call)


class JavaScript(Code):
    """A JavaScript function that returns an object of the outputs."""

    language = "JavaScript"
    spelling = JAVASCRIPT_SPELLING
    calls = {name: f"Math.{call}" for name, call in _C_CALLS.items()} | {
        "absolute": "Math.abs",
        "exp2": "Math.pow(2, {a})",
        # where IEEE's power is 1, JavaScript's is NaN
        "power": "({a} === 1 || {a} === -1 && {b}*{b} === Infinity ? 1 : Math.pow({a}, {b}))",
        "minimum": "Math.min",
        "maximum": "Math.max",
        "sign": "Math.sign",
    }
    power_call = "Math.pow"
    infinity, nan = "Infinity", "NaN"
    comment = "// {}"
    statement = flag_statement = "  const {name} = {text};"
    whole = "{comments}\nfunction {name}({parameters}) {{\n{body}\n}}\n"

    def relation(self, symbol: str) -> str:
        """JavaScript's equal signs are three."""
        return {"==": "===", "!=": "!=="}.get(symbol, symbol)

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """An object with a field for each output."""
        fields = (f"{_field(name)}: {text}" for name, text in results)
        return [f"  return {{{', '.join(fields)}}};"]


def _field(name: str) -> str:
    """The name of an object's field."""
    return name if name.isidentifier() else json.dumps(name)


class Python(Code):
    """A Python function on floats, with `math`, that returns the outputs as a tuple.

    It raises what `math` raises where a value has no place among the numbers; what only one side
    of a choice needs is computed on that side alone.
    """

    language = "Python"
    spelling = PYTHON_SPELLING
    calls = {name: f"math.{call}" for name, call in _C_CALLS.items()} | {
        "floor": "float(math.floor({a}))",
        "ceil": "float(math.ceil({a}))",
        "minimum": "({a} if {a} < {b} or {a} != {a} else {b})",
        "maximum": "({a} if {a} > {b} or {a} != {a} else {b})",
        "sign": "(1.0 if {a} > 0.0 else -1.0 if {a} < 0.0 else {a})",
    }
    power_call = "math.pow"
    infinity, nan = "math.inf", "math.nan"
    test = "({chosen} if {condition} else {other})"
    connectives = Connectives(" and ", " or ", "not ({})")
    comment = "    # {}"
    statement = flag_statement = "    {name} = {text}"
    imports = "import math"
    raises = True
    """Whether a function of a number outside its domain is an error."""
    whole = "{imports}\n\n\ndef {{name}}({{parameters}}):\n{{comments}}\n{{body}}\n"

    def __init__(self, terms: Terms, options: Options = PLAIN) -> None:
        super().__init__(terms, options)
        self.whole = self.whole.format(imports=self.imports)
        self.sides_of_use: dict[int, Sides] = {}

    def order(self) -> list[int]:
        """The terms that are needed, and before each what it depends on whether it is."""
        return by_need(self.terms, self.outputs)

    def uses(self, order: Sequence[int]) -> dict[int, int]:
        """How often each term is needed, the conditions of what is guarded once more."""
        uses = super().uses(order)
        self.sides_of_use = sides_of_use(self.terms, order) if self.raises else {}
        shared = [n for n in order if uses[n] > 1 and not self.flags.is_cheap(n)]
        guards = {guard for n in shared for guard, _ in self.sides_of_use.get(n, ())}
        for guard in guards:
            for part in (guard, *children(self.terms[guard])):
                uses[part] += 1
        return uses

    def guarded(self, number: int, text: str) -> str:
        """The text of a term, which is left alone on the sides of choices that do not need it."""
        if "/" in text or "math." in text:
            for condition, holds in sorted(self.sides_of_use.get(number, ())):
                test = self.condition(condition)[0]
                sides = (text, self.nan) if holds else (self.nan, text)
                text = join(self.chosen(test, *sides)[0])
        return text

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """A line for each output, then all of them."""
        names = [self.names.take(name) for name, _ in results]
        lines = [
            self.statement.format(name=name, text=text)
            for name, (_, text) in zip(names, results, strict=True)
        ]
        return [*lines, f"    return {', '.join(names)}"]


class NumPy(Python):
    """A Python function on NumPy arrays that returns the outputs as a tuple."""

    language = "NumPy"
    spelling = NUMPY_SPELLING
    calls = {name: f"np.{name}" for name in [*_C_CALLS, "minimum", "maximum", "sign"]}
    power_call = "np.power"
    infinity, nan = "np.inf", "np.nan"
    test = "np.where({condition}, {chosen}, {other})"
    connectives = Connectives(" & ", " | ", "np.logical_not({})", least=WHOLE)
    imports = "import numpy as np"
    raises = False

    def lines(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """The inputs as float64, since whole numbers wrap; then as ever."""
        names = map(self.name, self.inputs)
        floats = [f"    {name} = np.asarray({name}, dtype=np.float64)" for name in names]
        return [*floats, *super().lines(results)]


FORMS: dict[str, Form] = {
    "latex": lambda program, wrt, title, options=PLAIN: latex(program, wrt, title),
    "c": function_form(C),
    "python": function_form(Python),
    "numpy": function_form(NumPy),
    "sql": function_form(SQL),
    "js": function_form(JavaScript),
}
"""What ``--to`` may ask for."""

"""Programs as functions in C, NumPy, JavaScript and SQL.

Code names what is used more than once; the functions of each language that are called otherwise
than NumPy's are in one table a language.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from dezero.programs.formula import (
    ATOM,
    SUM,
    FormulaError,
    Printer,
    Rope,
    interleave,
    join,
)
from dezero.programs.latex import latex
from dezero.programs.terms import Term, Terms, children, reachable
from dezero.programs.trace import Program


# ------------------------------------------------------------------------------------------- code
class Code(Printer):
    """Terms as code: what is used more than once gets a name first."""

    calls: Mapping[str, str] = {}
    """Templates for functions that the language does not call by NumPy's name."""
    reserved: frozenset[str] = frozenset()
    infinity, nan = "inf", "nan"
    test = "({condition} ? {chosen} : {other})"

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self.statements: list[tuple[int, str, str]] = []  # term, its name, its text
        self.inputs = {term.value.lower() for term in self.terms if term.kind == "name"}

    def formulas(self) -> list[str]:
        """The text of each output; `statements` then holds what has to come before."""
        order = reachable(self.terms, self.outputs)
        uses = dict.fromkeys(order, 0)
        for number in [*self.outputs, *(c for n in order for c in children(self.terms[n]))]:
            uses[number] += 1
        for term in (self.terms[number] for number in order):
            if "{a}" in self.calls.get(str(term.value), ""):  # what a template repeats
                uses.update((part, uses[part] + 1) for part in term.parts)
        for number in order:
            term = self.terms[number]
            self.written[number] = self.write(term)
            if uses[number] > 1 and term.kind not in {"number", "name"}:
                name = self.fresh()
                self.statements.append((number, name, join(self.written[number][0])))
                self.written[number] = (self.name(name), ATOM)
                self.named.add(number)
        return [join(self.written[number][0]) for number in self.outputs]

    def fresh(self) -> str:
        """A name that no input has, in capitals or not: SQL tells them no different."""
        name = f"t{len(self.statements) + 1}"
        while name in self.inputs:
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

    def condition(self, number: int) -> Rope:
        """A term as the condition of a choice."""
        term = self.terms[number]
        if term.kind == "compare" and number not in self.named:
            left, right = (self.part(part, SUM) for part in term.parts)
            return (left, f" {self.comparison(term.value)} ", right)
        return (self.part(number, SUM), f" {self.comparison('!=')} ", self.number_text(Fraction(0)))

    def comparison(self, operator: str) -> str:
        """How the language writes a comparison."""
        return operator

    def choice(self, condition: Rope, chosen: Rope, other: Rope) -> tuple[Rope, int]:
        """`chosen` where the condition holds, else `other`."""
        return fill(self.test, condition=condition, chosen=chosen, other=other), ATOM

    def compare(self, term: Term) -> tuple[Rope, int]:
        """A comparison as a number."""
        left, right = (self.part(part, SUM) for part in term.parts)
        condition = (left, f" {self.comparison(term.value)} ", right)
        return self.choice(condition, self.number_text(Fraction(1)), self.number_text(Fraction(0)))

    def call(self, term: Term) -> tuple[Rope, int]:
        """A function by the language's name for it."""
        if term.value == "where":
            condition, chosen, other = term.parts
            return self.choice(
                self.condition(condition), self.written[chosen][0], self.written[other][0]
            )
        template = self.calls.get(term.value)
        arguments = [self.written[part][0] for part in term.parts]
        if template is None:
            raise FormulaError(f"{term.value} has no form in this language")
        if "{" in template:
            return fill(template, a=arguments[0], b=arguments[-1]), ATOM
        return (template, "(", interleave(arguments, ", "), ")"), ATOM

    def literal_power(self, base: Rope, exponent: Any) -> Rope:
        """base**exponent for a number; the square of a name is a product."""
        if exponent == 2 and isinstance(base, str):
            return ("(", base, "*", base, ")")
        template = self.calls["power"]
        return (template, "(", base, ", ", self.number_text(Fraction(exponent)), ")")

    def power(self, base: Rope, exponent: int) -> tuple[Rope, int]:
        """base**exponent for a term."""
        return (self.calls["power"], "(", base, ", ", self.written[exponent][0], ")"), ATOM


def fill(template: str, **parts: Rope) -> Rope:
    """A rope of a template whose {names} are ropes."""
    pieces = re.split(r"\{(\w+)\}", template)
    return tuple(piece if i % 2 == 0 else parts[piece] for i, piece in enumerate(pieces))


_MATH = "sqrt cbrt exp expm1 log log2 log10 log1p sin cos tan sinh cosh tanh hypot floor ceil"
_INVERSES = {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}


class C(Code):
    """C99 with <math.h>."""

    calls = (
        {name: name for name in _MATH.split()}
        | _INVERSES
        | {
            "exp2": "exp2",
            "absolute": "fabs",
            "power": "pow",
            # fmin and fmax pass over nan, where here it stays
            "minimum": "(isnan({a}) || {a} < {b} ? {a} : {b})",
            "maximum": "(isnan({a}) || {a} > {b} ? {a} : {b})",
            "sign": "(isnan({a}) ? {a} : ({a} > 0.0) - ({a} < 0.0))",
        }
    )
    infinity, nan = "INFINITY", "NAN"
    reserved = frozenset(
        (
            "auto break case char const continue default do double else enum extern float for "
            "goto if inline int long register restrict return short signed sizeof static "
            "struct switch typedef union unsigned void volatile while main grad f j0 j1 jn y0 "
            "y1 yn gamma"
        ).split()
    )


class JavaScript(Code):
    """JavaScript's Math."""

    calls = {
        name: f"Math.{call}"
        for name, call in (
            {n: n for n in _MATH.split()}
            | _INVERSES
            | {
                "absolute": "abs",
                "power": "pow",
                "minimum": "min",
                "maximum": "max",
                "sign": "sign",
            }
        ).items()
    } | {"exp2": "Math.pow(2, {a})"}
    infinity, nan = "Infinity", "NaN"
    reserved = frozenset(
        (
            "break case catch class const continue debugger default delete do else export "
            "extends false finally for function if import in instanceof new null return super "
            "switch this throw true try typeof var void while with yield let static enum "
            "await implements package protected interface private public eval arguments f "
            "Math Infinity NaN undefined"
        ).split()
    )


class NumPy(Code):
    """NumPy's functions; arrays go in and come out."""

    calls = {
        name: f"np.{name}"
        for name in [
            *_MATH.split(),
            *_INVERSES,
            "exp2",
            "absolute",
            "power",
            "minimum",
            "maximum",
            "sign",
        ]
    }
    infinity, nan = "np.inf", "np.nan"
    test = "np.where({condition}, {chosen}, {other})"
    reserved = frozenset({*keyword.kwlist, "np", "f"})


class SQL(Code):
    """SQL as SQLite (with its math functions) and DuckDB read it."""

    calls = {
        **{n: n for n in "sqrt exp ln log2 log10 sin cos tan sinh cosh tanh floor ceil".split()},
        **_INVERSES,
        "absolute": "abs",
        "log": "ln",
        "power": "power",
        "sign": "sign",
        "exp2": "power(2.0, {a})",
        "cbrt": "(sign({a})*power(abs({a}), 1.0/3.0))",
        "hypot": "sqrt(({a})*({a}) + ({b})*({b}))",
        "log1p": "(CASE WHEN 1.0 + ({a}) = 1.0 THEN {a} "
        "ELSE ln(1.0 + ({a}))*({a})/((1.0 + ({a})) - 1.0) END)",
        "expm1": "(CASE WHEN abs({a}) < 1e-5 THEN ({a}) + ({a})*({a})/2.0 + "
        "({a})*({a})*({a})/6.0 WHEN abs({a}) < 1.0 THEN 2.0*sinh(({a})/2.0)*exp(({a})/2.0) "
        "ELSE exp({a}) - 1.0 END)",
        "minimum": "(CASE WHEN {a} < {b} THEN {a} WHEN {a} >= {b} THEN {b} END)",  # or NULL
        "maximum": "(CASE WHEN {a} > {b} THEN {a} WHEN {a} <= {b} THEN {b} END)",
    }
    infinity, nan = "9e999", "NULL"
    test = "(CASE WHEN {condition} THEN {chosen} ELSE {other} END)"

    def number_text(self, value: Fraction | float) -> str:
        """A literal with an exponent, which makes it a DOUBLE and not a DECIMAL."""
        text = super().number_text(value)
        return text if "e" in text or text == self.nan else text + "e0"

    def name(self, name: str) -> str:
        """A column, quoted, so that it may be any word."""
        return f'"{name}"'

    def comparison(self, operator: str) -> str:
        """SQL has its own equal signs."""
        return {"==": "=", "!=": "<>"}.get(operator, operator)


# ------------------------------------------------------------------------------- whole functions
def output_name(wrt: Sequence[str]) -> str:
    """The name of an output that is derived for the names in `wrt`: value, d_x, d_x_y."""
    return "_".join(("d", *wrt)) if wrt else "value"


def c_function(program: Program, wrt: Sequence[Sequence[str]], title: str) -> str:
    """A C function that returns the first output and stores the others in an array."""
    code = C(Terms(program))
    first, *others = code.formulas()
    parameters = [f"double {code.name(name)}" for name in program.inputs]
    parameters += [f"double grad[{len(others)}]"] if others else []
    lines = [f"    const double {name} = {text};" for _, name, text in code.statements]
    lines += [
        f"    grad[{i}] = {text};  /* {name} */"
        for i, (text, name) in enumerate(zip(others, map(output_name, wrt[1:]), strict=True))
    ]
    signature = f"double f({', '.join(parameters) or 'void'})"
    body = "\n".join([*lines, f"    return {first};"])
    return f"#include <math.h>\n\n/* {title} */\n{signature} {{\n{body}\n}}\n"


def numpy_function(program: Program, wrt: Sequence[Sequence[str]], title: str) -> str:
    """A Python function on NumPy arrays that returns the outputs as a tuple."""
    code = NumPy(Terms(program))
    results = code.formulas()
    names = list(map(output_name, wrt))
    lines = [f"    {name} = {text}" for _, name, text in code.statements]
    lines += [f"    {name} = {text}" for name, text in zip(names, results, strict=True)]
    parameters = ", ".join(map(code.name, program.inputs))
    body = "\n".join([*lines, f"    return {', '.join(names)}"])
    return f"import numpy as np\n\n\ndef f({parameters}):\n    # {title}\n{body}\n"


def javascript_function(program: Program, wrt: Sequence[Sequence[str]], title: str) -> str:
    """A JavaScript function that returns an object of the outputs."""
    code = JavaScript(Terms(program))
    results = code.formulas()
    lines = [f"  const {name} = {text};" for _, name, text in code.statements]
    fields = ", ".join(
        f"{name}: {text}" for name, text in zip(map(output_name, wrt), results, strict=True)
    )
    parameters = ", ".join(map(code.name, program.inputs))
    body = "\n".join([*lines, f"  return {{{fields}}};"])
    return f"// {title}\nfunction f({parameters}) {{\n{body}\n}}\n"


def sql_query(program: Program, wrt: Sequence[Sequence[str]], title: str) -> str:
    """A query that adds the outputs to the columns of a table named input."""
    code = SQL(Terms(program))
    results = code.formulas()
    steps = _steps(code)
    source, clauses = "input", []
    for count, step in enumerate(steps, 1):
        columns = ", ".join(f'{text} AS "{name}"' for name, text in step)
        clauses.append(f"step{count} AS (SELECT *, {columns} FROM {source})")  # noqa: S608, it is printed, not run
        source = f"step{count}"
    shared = "WITH " + ",\n".join(clauses) + "\n" if clauses else ""
    columns = ",\n".join(
        f'  {text} AS "{n}"' for n, text in zip(map(output_name, wrt), results, strict=True)
    )
    return f"-- {title}\n{shared}SELECT\n{columns}\nFROM {source};\n"


def _steps(code: Code) -> list[list[tuple[str, str]]]:
    """The shared terms in steps: a step uses only what earlier steps have named."""
    named = {number: (name, text) for number, name, text in code.statements}
    depth: dict[int, int] = {}
    steps: list[list[tuple[str, str]]] = []
    for number in reachable(code.terms, code.outputs):
        below = max((depth[child] for child in children(code.terms[number])), default=0)
        depth[number] = below
        if number in named:
            depth[number] = below + 1
            if below == len(steps):
                steps.append([])
            steps[below].append(named[number])
    return steps


FORMS: dict[str, Callable[[Program, Sequence[Sequence[str]], str], str]] = {
    "latex": latex,
    "c": c_function,
    "numpy": numpy_function,
    "sql": sql_query,
    "js": javascript_function,
}
"""What ``--to`` may ask for: each takes a program, what each output is derived for, a title."""

"""Programs as functions in C, NumPy, JavaScript and SQL.

A language calls functions by C's names; what it calls otherwise, and what C does not have, is in
its own table.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from dezero.names import C_NAMES, RELATIONS
from dezero.programs.code import Code
from dezero.programs.latex import latex
from dezero.programs.terms import Terms, children, reachable
from dezero.programs.trace import Program

_C_CALLS = {operation.__name__: name for operation, name in C_NAMES.items()}
_ELSEWHERE = {
    operation.__name__: name
    for operation, name in C_NAMES.items()
    if isinstance(operation, np.ufunc)
}
"""C's names of what other languages have too."""
_NUMPY_ALONE = ("minimum", "maximum", "sign", "remainder")
_SQL_RELATIONS = {relation.symbol: relation.sql for relation in RELATIONS}


class C(Code):
    """A C99 function, with <math.h>, that returns the first output and stores the others."""

    calls = _C_CALLS | {
        # fmin and fmax pass over nan, where here it stays
        "minimum": "(isnan({a}) || {a} < {b} ? {a} : {b})",
        "maximum": "(isnan({a}) || {a} > {b} ? {a} : {b})",
        "sign": "(isnan({a}) ? {a} : ({a} > 0.0) - ({a} < 0.0))",
        "remainder": "copysign(fmod({a}, {b}) + "
        "(fmod({a}, {b}) != 0.0 && (fmod({a}, {b}) < 0.0) != (({b}) < 0.0) ? {b} : 0.0), {b})",
        "floor_divide": "({b} == 0.0 ? ({a})/({b}) : rint((({a}) - fmod({a}, {b}))/({b})) - "
        "(fmod({a}, {b}) != 0.0 && (fmod({a}, {b}) < 0.0) != (({b}) < 0.0)))",
    }
    infinity, nan = "INFINITY", "NAN"
    reserved = frozenset(
        (
            "auto break case char const continue default do double else enum extern float for "
            "goto if inline int long register restrict return short signed sizeof static "
            "struct switch typedef union unsigned void volatile while main grad f j0 j1 jn y0 "
            "y1 yn gamma"
        ).split()
    )
    parameter = "double {name}"
    statement = "    const double {name} = {text};"
    whole = "#include <math.h>\n\n/* {title} */\ndouble f({parameters}) {{\n{body}\n}}\n"

    def parameters(self, results: Sequence[tuple[str, str]]) -> str:
        """The inputs, then where the outputs but the first are stored."""
        text = super().parameters(results)
        stored = f"double grad[{len(results) - 1}]" if len(results) > 1 else ""
        return ", ".join(filter(None, (text, stored))) or "void"

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """Each output but the first into its place, then the first."""
        (_, first), *others = results
        lines = [f"    grad[{i}] = {text};  /* {name} */" for i, (name, text) in enumerate(others)]
        return [*lines, f"    return {first};"]


class JavaScript(Code):
    """A JavaScript function that returns an object of the outputs."""

    calls = {name: f"Math.{call}" for name, call in _ELSEWHERE.items()} | {
        "absolute": "Math.abs",
        "exp2": "Math.pow(2, {a})",
        # where IEEE's power is 1, JavaScript's is NaN
        "power": "({a} === 1 || {a} === -1 && {b}*{b} === Infinity ? 1 : Math.pow({a}, {b}))",
        "minimum": "Math.min",
        "maximum": "Math.max",
        "sign": "Math.sign",
        "rint": "(Math.abs({a}) < 4503599627370496 ? "
        "Math.sign({a})*(Math.abs({a}) + 4503599627370496 - 4503599627370496) : {a})",
        "fmod": "(({a}) % ({b}))",
        "copysign": "(Math.abs({a})*(({b}) < 0 || 1/({b}) < 0 ? -1 : 1))",
        "remainder": "((({a}) % ({b})) + "
        "(({a}) % ({b}) !== 0 && (({a}) % ({b}) < 0) !== (({b}) < 0) ? ({b}) : 0))",
        "floor_divide": "({b} === 0 ? ({a})/({b}) : Math.round((({a}) - ({a}) % ({b}))/({b})) - "
        "(({a}) % ({b}) !== 0 && (({a}) % ({b}) < 0) !== (({b}) < 0) ? 1 : 0))",
    }
    power_call = "Math.pow"
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
    statement = "  const {name} = {text};"
    whole = "// {title}\nfunction f({parameters}) {{\n{body}\n}}\n"

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """An object with a field for each output."""
        return [f"  return {{{', '.join(f'{name}: {text}' for name, text in results)}}};"]


class NumPy(Code):
    """A Python function on NumPy arrays that returns the outputs as a tuple."""

    calls = {
        name: f"np.{name}"
        for name in (*_ELSEWHERE, "minimum", "maximum", "sign", "remainder", "floor_divide")
    }
    power_call = "np.power"
    infinity, nan = "np.inf", "np.nan"
    reserved = frozenset({*keyword.kwlist, "np", "f"})
    test = "np.where({condition}, {chosen}, {other})"
    both, either = "np.logical_and({a}, {b})", "np.logical_or({a}, {b})"
    negation = "np.logical_not({a})"
    statement = "    {name} = {text}"
    whole = "import numpy as np\n\n\ndef f({parameters}):\n    # {title}\n{body}\n"

    def results(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """A line for each output, then all of them."""
        lines = [self.statement.format(name=name, text=text) for name, text in results]
        return [*lines, f"    return {', '.join(name for name, _ in results)}"]


class SQL(Code):
    """A query that adds the outputs to the columns of a table named input.

    SQL as SQLite (with its math functions) and DuckDB read it.
    """

    calls = _ELSEWHERE | {
        "absolute": "abs",
        "log": "ln",
        "power": "power",
        "sign": "sign",
        "trunc": "trunc",
        "rint": "(CASE WHEN abs({a}) < 4503599627370496e0 THEN sign({a})*((abs({a}) + "
        "4503599627370496e0) - 4503599627370496e0) ELSE {a} END)",
        "fmod": "mod({a}, {b})",
        "copysign": "(CASE WHEN ({b}) < 0.0 THEN -abs({a}) ELSE abs({a}) END)",
        "remainder": "(mod({a}, {b}) + (CASE WHEN mod({a}, {b}) <> 0.0 AND "
        "(mod({a}, {b}) < 0.0) <> (({b}) < 0.0) THEN {b} ELSE 0.0 END))",
        "exp2": "power(2.0, {a})",
        # a third is rounded, which a step of Newton's mends
        "cbrt": "(CASE WHEN abs({a}) BETWEEN 1e-300 AND 1e300 THEN sign({a})*(2.0*"
        "power(abs({a}), 1.0/3.0) + abs({a})/power(power(abs({a}), 1.0/3.0), 2.0))/3.0 "
        "ELSE sign({a})*power(abs({a}), 1.0/3.0) END)",
        # of the larger side, so that no square overflows
        "hypot": "(CASE WHEN ({a}) = 0.0 AND ({b}) = 0.0 THEN 0.0 "
        "WHEN abs({a}) > abs({b}) THEN abs({a})*sqrt(1.0 + (({b})/({a}))*(({b})/({a}))) "
        "ELSE abs({b})*sqrt(1.0 + (({a})/({b}))*(({a})/({b}))) END)",
        "log1p": "(CASE WHEN 1.0 + ({a}) = 1.0 THEN {a} "
        "ELSE ln(1.0 + ({a}))*({a})/((1.0 + ({a})) - 1.0) END)",
        "expm1": "(CASE WHEN abs({a}) < 1e-5 THEN ({a}) + ({a})*({a})/2.0 + "
        "({a})*({a})*({a})/6.0 WHEN abs({a}) < 1.0 THEN 2.0*sinh(({a})/2.0)*exp(({a})/2.0) "
        "ELSE exp({a}) - 1.0 END)",
        # mod has the sign of a; where that is not the sign of b, b is added
        "floor_divide": "(CASE WHEN {b} = 0.0 THEN ({a})/({b}) WHEN mod({a}, {b}) <> 0.0 AND "
        "(mod({a}, {b}) < 0.0) <> ({b} < 0.0) THEN round((({a}) - mod({a}, {b}))/({b})) - 1.0 "
        "ELSE round((({a}) - mod({a}, {b}))/({b})) END)",
        "minimum": "(CASE WHEN {a} < {b} THEN {a} WHEN {a} >= {b} THEN {b} END)",  # or NULL
        "maximum": "(CASE WHEN {a} > {b} THEN {a} WHEN {a} <= {b} THEN {b} END)",
    }
    power_call = "power"
    infinity, nan = "9e999", "NULL"
    test = "(CASE WHEN {condition} THEN {chosen} ELSE {other} END)"
    both, either = "{a} AND {b}", "{a} OR {b}"
    negation = "({a}) IS NOT TRUE"  # of a comparison with NULL too
    whole = "-- {title}\n{body}\n"

    def number_text(self, value: Fraction | float) -> str:
        """A literal with an exponent, which makes it a DOUBLE and not a DECIMAL."""
        text = super().number_text(value)
        return text if "e" in text or text == self.nan else text + "e0"

    def name(self, name: str) -> str:
        """A column, quoted, so that it may be any word."""
        return f'"{name}"'

    def relation(self, symbol: str) -> str:
        """SQL has its own equal signs."""
        return _SQL_RELATIONS[symbol]

    def lines(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """A table a step, each with the columns of the one before, then the outputs."""
        source, tables = "input", []
        for count, step in enumerate(self.steps(), 1):
            columns = ", ".join(f'{text} AS "{name}"' for name, text in step)
            tables.append(f"step{count} AS (SELECT *, {columns} FROM {source})")  # noqa: S608, it is printed, not run
            source = f"step{count}"
        shared = ["WITH " + ",\n".join(tables)] if tables else []
        columns = ",\n".join(f'  {text} AS "{name}"' for name, text in results)
        return [*shared, "SELECT", columns, f"FROM {source};"]

    def steps(self) -> list[list[tuple[str, str]]]:
        """The shared terms in steps: a step uses only what earlier steps have named."""
        named = {number: (name, text) for number, name, text in self.statements}
        depth: dict[int, int] = {}
        steps: list[list[tuple[str, str]]] = []
        for number in reachable(self.terms, self.outputs):
            below = max((depth[child] for child in children(self.terms[number])), default=0)
            depth[number] = below
            if number in named:
                depth[number] = below + 1
                if below == len(steps):
                    steps.append([])
                steps[below].append(named[number])
        return steps


Form = Callable[[Program, Sequence[Sequence[str]], str], str]
"""Takes a program, the names that each output is derived for, and a title; gives text."""


def _function(language: type[Code]) -> Form:
    return lambda program, wrt, title: language(Terms(program.readable)).function(wrt, title)


FORMS: dict[str, Form] = {
    "latex": latex,
    "c": _function(C),
    "numpy": _function(NumPy),
    "sql": _function(SQL),
    "js": _function(JavaScript),
}
"""What ``--to`` may ask for."""

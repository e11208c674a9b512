"""Programs as queries in SQL, as SQLite (with its mathematical functions) and DuckDB read it.

A number that there is none of is NULL.  DuckDB's nan, which is equal to itself and larger than all
others there, is taken for NULL too, in the table and in every comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from dezero.names import C_NAMES, RELATIONS
from dezero.programs.code import PLAIN, Code, Options, Statement
from dezero.programs.conditions import Connectives
from dezero.programs.formula import ATOM, Rope, fill
from dezero.programs.identifiers import COLUMN_SPELLING, SQL_SPELLING, Names
from dezero.programs.terms import (
    CallTerm,
    ComparisonTerm,
    NameTerm,
    NumberTerm,
    Term,
    Terms,
    children,
    reachable,
)

_CALLS = {
    operation.__name__: name
    for operation, name in C_NAMES.items()
    if isinstance(operation, np.ufunc)
}
_RELATIONS = {relation.symbol: relation.sql for relation in RELATIONS}
_OR_NAN = "(CASE WHEN {a} <= 9e999 AND {b} <= 9e999 THEN %s END)"
"""The smaller or the larger of two, of which one may be nan."""
LARGEST_INLINE = 500
"""Queries that are longer, all written out, are kept from being written out, as SQLite does."""
# In text that is no number SQLite's cast finds 0, or the digits it begins with; DuckDB's, whose
# type for text is VARCHAR, says so itself.
_FLOAT = """\
  CASE WHEN CAST({column} AS DOUBLE) <= 9e999 AND (typeof({column}) <> 'text'
    OR CAST({column} AS VARCHAR) GLOB '*[0-9]*'
    AND NOT CAST({column} AS VARCHAR) GLOB '*[^-+.0-9eE ]*')
    THEN CAST({column} AS DOUBLE) END AS {name}"""


class SQL(Code):
    """A query that computes the outputs from the columns of a table named input."""

    language = "SQL"
    spelling = SQL_SPELLING
    calls = _CALLS | {
        "absolute": "abs",
        "log": "ln",
        "power": "power",
        "sign": "(CASE WHEN {a} <= 9e999 THEN CAST(sign({a}) AS DOUBLE) END)",
        "trunc": "trunc",
        "rint": "(CASE WHEN abs({a}) < 4503599627370496e0 THEN sign({a})*((abs({a}) + "
        "4503599627370496e0) - 4503599627370496e0) ELSE {a} END)",
        "fmod": "mod({a}, {b})",
        "copysign": "(CASE WHEN {b} < 0.0 THEN -abs({a}) ELSE abs({a}) END)",
        # mod has the sign of a; where that is not the sign of b, b is added
        "remainder": "(mod({a}, {b}) + (CASE WHEN mod({a}, {b}) <> 0.0 AND "
        "(mod({a}, {b}) < 0.0) <> ({b} < 0.0) THEN {b} ELSE 0.0 END))",
        "floor_divide": "(CASE WHEN {b} = 0.0 THEN {a}/{b} WHEN mod({a}, {b}) <> 0.0 AND "
        "(mod({a}, {b}) < 0.0) <> ({b} < 0.0) THEN round(({a} - mod({a}, {b}))/{b}) - 1.0 "
        "ELSE round(({a} - mod({a}, {b}))/{b}) END)",
        "exp2": "power(2.0, {a})",
        # a third is rounded, which a step of Newton's mends
        "cbrt": "(CASE WHEN abs({a}) BETWEEN 1e-300 AND 1e300 THEN sign({a})*(2.0*"
        "power(abs({a}), 1.0/3.0) + abs({a})/power(power(abs({a}), 1.0/3.0), 2.0))/3.0 "
        "ELSE sign({a})*power(abs({a}), 1.0/3.0) END)",
        # of the larger side, so that no square overflows
        "hypot": "(CASE WHEN {a} = 0.0 AND {b} = 0.0 THEN 0.0 "
        "WHEN abs({a}) > abs({b}) THEN abs({a})*sqrt(1.0 + ({b}/{a})*({b}/{a})) "
        "ELSE abs({b})*sqrt(1.0 + ({a}/{b})*({a}/{b})) END)",
        "log1p": "(CASE WHEN 1.0 + {a} = 1.0 THEN {a} "
        "ELSE ln(1.0 + {a})*{a}/((1.0 + {a}) - 1.0) END)",
        "expm1": "(CASE WHEN abs({a}) < 1e-5 THEN {a} + {a}*{a}/2.0 + {a}*{a}*{a}/6.0 "
        "WHEN abs({a}) < 1.0 THEN 2.0*sinh({a}/2.0)*exp({a}/2.0) ELSE exp({a}) - 1.0 END)",
        "minimum": "(CASE WHEN {a} < {b} THEN {a} WHEN {a} >= {b} THEN {b} END)",  # or NULL
        "maximum": "(CASE WHEN {a} > {b} THEN {a} WHEN {a} <= {b} THEN {b} END)",
    }
    power_call = "power"
    infinity, nan = "9e999", "NULL"
    test = "(CASE WHEN {condition} THEN {chosen} ELSE {other} END)"
    connectives = Connectives(" AND ", " OR ", "({}) IS NOT TRUE")
    comment = "-- {}"
    is_function = False
    deepest = 80  # SQLite's parser has a stack of a hundred
    whole = "{comments}\n{body}\n"

    def __init__(self, terms: Terms, options: Options = PLAIN) -> None:
        super().__init__(terms, options)
        self.table = Names(COLUMN_SPELLING, self.inputs)

    @property
    def renamed(self) -> list[tuple[str, str]]:
        """The inputs whose columns are to be called otherwise, with those."""
        return self.table.renamed

    def number_text(self, value: Fraction | float) -> str:
        """A literal with an exponent, which makes it a DOUBLE and not a DECIMAL."""
        text = super().number_text(value)
        return text if "e" in text or text == self.nan else text + "e0"

    def quoted(self, name: str) -> str:
        """A column, quoted, so that it may be any word."""
        return '"' + name.replace('"', '""') + '"'

    # ------------------------------------------------------------------------------ comparisons
    def sides(self, term: ComparisonTerm) -> Rope:
        """a < b; false where a side is nan, which only <> is true of."""
        if term.symbol == "!=":
            equal = ComparisonTerm("==", term.left, term.right)
            return ("(", self.sides(equal), ") IS NOT TRUE")
        larger = self.larger(term)
        if larger is None:
            return super().sides(term)
        return (super().sides(term), " AND ", self.part(larger, 0), " <= 9e999")

    def larger(self, term: ComparisonTerm) -> int | None:
        """The side as which nan, the largest of all, would make a comparison hold; or None."""
        larger = term.right if term.symbol in {"<", "<="} else term.left
        parts = [term.left, term.right] if term.symbol in {"==", "!="} else [larger]
        return larger if all(map(self.may_be_nan, parts)) else None

    def repeats(self, term: Term) -> bool:
        """Whether the text of a term has those of its parts more than once."""
        if isinstance(term, ComparisonTerm) and not self.flags.is_counted(term):
            return self.larger(term) is not None
        return super().repeats(term)

    def may_be_nan(self, number: int) -> bool:
        """Whether DuckDB may have nan for a term, and not NULL."""
        return not isinstance(self.terms[number], NumberTerm | NameTerm)

    def call(self, term: CallTerm) -> tuple[Rope, int]:
        """A function; of two values of which one may be nan, the smaller or the larger is too."""
        chooses = term.function in {"minimum", "maximum"}
        if chooses and any(map(self.may_be_nan, term.arguments)):
            a, b = (self.part(part, ATOM) for part in term.arguments)
            return fill(_OR_NAN % self.calls[term.function], a=a, b=b), ATOM
        return super().call(term)

    def relation(self, symbol: str) -> str:
        """SQL has its own equal signs."""
        return _RELATIONS[symbol]

    def unequal(self, number: int) -> Rope:
        """That a term is not 0, as nan is not."""
        return ("(", self.part(number, 0), " = ", self.number_text(Fraction(0)), ") IS NOT TRUE")

    # ---------------------------------------------------------------------------- the whole query
    def lines(self, results: Sequence[tuple[str, str]]) -> list[str]:
        """The columns as floats, a table a step with the columns of those before, the outputs."""
        tables, source = [], "input"
        if columns := self.floats():
            tables, source = [f"given AS (SELECT\n{columns}\nFROM input)"], "given"
        kept = "MATERIALIZED " if self.size() > LARGEST_INLINE else ""
        for count, columns in enumerate(self.selections(), 1):
            tables.append(f"step{count} AS {kept}(SELECT {columns} FROM {source})")  # noqa: S608, it is printed, not run
            source = f"step{count}"
        shared = ["WITH " + ",\n".join(tables)] if tables else []
        outputs = ",\n".join(f"  {text} AS {name}" for name, text in self.columns(results))
        return [*shared, "SELECT", outputs, f"FROM {source};"]

    def columns(self, results: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """The outputs with their columns, no two of which differ by their case alone."""
        names = Names(COLUMN_SPELLING, [name for name, _ in results])
        return [(self.quoted(names.inputs[name]), text) for name, text in results]

    def floats(self) -> str:
        """Each input that is used, once, as a float64 or NULL."""
        terms = (self.terms[number] for number in reachable(self.terms, self.outputs))
        used = [term.name for term in terms if isinstance(term, NameTerm)]
        columns = {name: self.quoted(self.table.inputs[name]) for name in used}
        return ",\n".join(
            _FLOAT.format(column=f"input.{column}", name=self.name(name))
            for name, column in columns.items()
        )

    def size(self) -> int:
        """How many parts the outputs have, all written out."""
        sizes: dict[int, int] = {}
        for number in reachable(self.terms, self.outputs):
            sizes[number] = 1 + sum(sizes[part] for part in children(self.terms[number]))
        return sum(sizes[number] for number in self.outputs)

    def selections(self) -> Iterator[str]:
        """The columns of each step: its own, and those before that it or a later one needs."""
        steps = self.steps()
        last = self.last_steps(steps)
        names = {n: self.written[n][0] for n in last if isinstance(self.terms[n], NameTerm)}
        ended: dict[int, list[int]] = {}
        for number, count in last.items():
            ended.setdefault(count, []).append(number)
        for count, step in enumerate(steps, 1):
            gone = [number for number in ended.get(count, ()) if number in names]
            for number in gone:
                del names[number]
            old = list(names.values()) if gone else ["*"]
            yield ", ".join([*old, *(f"{each.text} AS {self.quoted(each.name)}" for each in step)])
            names |= {each.number: self.quoted(each.name) for each in step}

    def last_steps(self, steps: list[list[Statement]]) -> dict[int, int]:
        """For each term the last step that it is used in; the outputs come after all steps."""
        step_of = {each.number: count for count, step in enumerate(steps, 1) for each in step}
        last = dict.fromkeys(reachable(self.terms, self.outputs), 0)
        last |= dict.fromkeys(self.outputs, len(steps) + 1)
        for number in reversed(list(last)):
            here = step_of.get(number, last[number])
            for part in children(self.terms[number]):
                last[part] = max(last[part], here)
        return last

    def steps(self) -> list[list[Statement]]:
        """The shared terms in steps: a step uses only what earlier steps have named."""
        named = {statement.number: statement for statement in self.statements}
        depth: dict[int, int] = {}
        steps: list[list[Statement]] = []
        for number in reachable(self.terms, self.outputs):
            below = max((depth[child] for child in children(self.terms[number])), default=0)
            depth[number] = below
            if number in named:
                depth[number] = below + 1
                if below == len(steps):
                    steps.append([])
                steps[below].append(named[number])
        return steps

"""The language: text -> `Expression` -> calls on Variables.

The grammar is in grammar.lark, and Lark makes its LALR tables.  Making them takes longer than all
the rest of a short run, so grammar.json keeps them as plain data, and Lark itself is only needed
when the grammar has changed: ``python -m dezero_cli.language.expression`` writes grammar.json anew.

The loop over the tables does a rule's work as soon as its parts are there, so there is no tree and
no recursion.  Rules that only pass their part on (one for each level of precedence) are followed
once and remembered, which makes the loop three times as fast as Lark's own with its callbacks.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import operator
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy

from dezero import Variable, constant
from dezero.functions import CONSTANTS, FUNCTIONS, NAMES
from dezero_cli.language import diagnosis
from dezero_cli.language.diagnosis import ExpressionError, Token

__all__ = ["Expression", "ExpressionError", "Operation", "parse"]

GRAMMAR: Final = Path(__file__).parents[1] / "grammar.lark"
TABLES: Final = Path(__file__).with_name("grammar.json")

OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "matrix_multiply": operator.matmul,
    "power": operator.pow,
    "negative": operator.neg,
}
"""What the rules of the grammar that stand for an operator do."""

_ELEMENTWISE: Final = {known.function for known in FUNCTIONS.values() if known.elementwise} | (
    set(OPERATORS.values()) - {operator.matmul}
)


class Operation(NamedTuple):
    """One application of an operator or a function."""

    function: Callable[..., Any]
    """What is called with the operands and `keywords`."""
    arity: int
    """The number of operands."""
    start: int
    """Where in the text the operation with its operands begins."""
    end: int
    """Where it ends."""
    place: int
    """Where the operator or the function's name is."""
    keywords: Mapping[str, int] | None
    """Arguments that a call gives by name."""


class Expression:
    """A parsed expression; it never changes, and threads may share it.

    `text` is what was parsed; `places` maps each free name, in order of appearance and constants
    included, to where it first appears; `program` is the expression in postfix order: a name is
    loaded, a Variable or a float (a literal exponent) is itself, and an `Operation` takes its
    operands from the end of what has been computed.
    """

    __slots__ = ("places", "program", "text")

    def __init__(self, text: str, places: Mapping[str, int], program: tuple[Any, ...]) -> None:
        self.text = text
        self.places = places
        self.program = program

    @property
    def names(self) -> tuple[str, ...]:
        """Every free name, in order of first appearance."""
        return tuple(self.places)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations in the order in which they are applied."""
        return tuple(Operation(*step) for step in self.program if type(step) is tuple)

    @property
    def elementwise(self) -> bool:
        """Whether evaluating on stacked numbers is evaluating on each of them."""
        return self.reduction is None

    @property
    def reduction(self) -> Operation | None:
        """The first operation that mixes the elements of an array; None if there is none."""
        for step in self.program:
            if type(step) is tuple and step[0] not in _ELEMENTWISE:
                return Operation(*step)
        return None

    def evaluate(
        self,
        values: Mapping[str, Variable],
        keep: list[tuple[Operation, Variable]] | None = None,
    ) -> Variable:
        """Apply the operations to `values`, a Variable for each name.

        A name without a value is one of `CONSTANTS`.  `keep` receives every operation with its
        result; literals then take gradients, so that every result has one.  Raises
        ExpressionError for a name without a value, and for an operation that NumPy refuses.
        """
        inputs = {name: self._value(name, values) for name in self.places}
        stack: list[Any] = []
        step: Any = None
        try:
            with numpy.errstate(all="ignore"):
                for step in self.program:
                    if type(step) is tuple:
                        function, arity, _, _, _, keywords = step
                        operands = stack[-arity:]
                        del stack[-arity:]
                        stack.append(
                            function(*operands, **keywords) if keywords else function(*operands)
                        )
                        if keep is not None:
                            keep.append((Operation(*step), stack[-1]))
                    elif type(step) is str:
                        stack.append(inputs[step])
                    elif keep is not None and type(step) is Variable:
                        stack.append(Variable(step.data.copy()))
                    else:
                        stack.append(step)
        except (ArithmeticError, IndexError, TypeError, ValueError) as error:
            raise diagnosis.refused_operation(self.text, Operation(*step), error) from error
        return stack[0]  # type: ignore[no-any-return]

    def _value(self, name: str, values: Mapping[str, Variable]) -> Variable:
        if name in values:
            return values[name]
        if name in CONSTANTS:
            return constant(CONSTANTS[name], name)
        raise diagnosis.missing_value(self.text, name, self.places[name], values)


# ---------------------------------------------------------------------------------------- parsing
@functools.lru_cache(maxsize=256)
def parse(text: str) -> Expression:
    """Parse an expression; the same text is parsed once.

    Raises ExpressionError, with the place of the fault, for anything but an expression.
    """
    return _Run(text).parse()


def tokens(text: str) -> list[Token]:
    """The tokens of a text: the kind of each, its own text, and its place."""
    return _tables().tokens(text)


@functools.lru_cache(maxsize=4096)
def _literal(text: str) -> Variable:
    return constant(float(text), text)


class _Rule(NamedTuple):
    """A rule of the grammar as the loop over the tables needs it."""

    origin: str
    size: int
    function: Callable[..., Any] | None
    """The operator that the rule applies."""
    method: Callable[[_Run], None] | None
    """What else the rule does."""


class _Tables:
    """Lark's LALR tables and the tokens of the grammar.

    `rows` has one table for each state, from the next symbol to the state that shifting it leads
    to or the rule to apply.  `landings` remembers where rules that only pass their part on end:
    (state below, symbol, next token) -> state.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        rules = [
            _Rule(origin, size, OPERATORS.get(alias), _METHODS.get(alias))
            for origin, size, alias in data["rules"]
        ]
        self.rows: list[dict[str, int | _Rule]] = [
            {symbol: rules[~action] if action < 0 else action for symbol, action in row.items()}
            for row in data["states"]
        ]
        self.start: int = data["start"]
        self.scan = re.compile(data["pattern"], re.DOTALL).finditer
        self.landings: dict[tuple[int, str, str], int] = {}

    def tokens(self, text: str) -> list[Token]:
        """The tokens of a text, the end included; what is no token has the kind "?"."""
        tokens: list[Token] = []
        add = tokens.append
        for match in self.scan(text):
            index = match.lastindex or 0
            token = match[index]
            if index == 1:
                add((token, token, match.start(1)))
            elif index == 2:
                add(("NUMBER", token, match.start(2)))
            elif index == 3 and token.isidentifier():
                add(("NAME", token, match.start(3)))
            else:
                add(("?", token, match.start(index)))
        add(("$END", "", len(text)))
        return tokens

    def land(self, below: int, symbol: str, kind: str) -> int:
        """Follow the rules that pass `symbol` on when `kind` comes next; give the state reached."""
        state = self.rows[below][symbol]
        while True:
            assert isinstance(state, int)
            rule = self.rows[state].get(kind)
            if not isinstance(rule, _Rule) or rule.size != 1 or rule.function or rule.method:
                break
            state = self.rows[below][rule.origin]
        self.landings[below, symbol, kind] = state
        return state


class _Run:
    """One run of the tables over a text: collects the places of names and the program."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.places: dict[str, int] = {}
        self.program: list[Any] = []
        self.starts: list[int] = []  # where each symbol on the stack of states begins
        self.end = 0  # where the last token taken ends
        self.token = ""  # the last token taken
        self.calls: list[_Call] = []  # the calls whose arguments are being read
        self.keyword_value: tuple[str, int] | None = None  # the last argument, if by name

    def parse(self) -> Expression:
        """Shift each token and apply every rule that it completes."""
        tables = _tables()
        rows, landings, program, starts = tables.rows, tables.landings, self.program, self.starts
        states = [tables.start]
        tokens = tables.tokens(self.text)
        for index, (kind, token, place) in enumerate(tokens):
            while type(action := rows[states[-1]].get(kind)) is not int:
                if action is None:
                    raise diagnosis.unexpected(
                        self.text, tokens, index, "NUMBER" in rows[states[-1]]
                    )
                assert isinstance(action, _Rule)
                origin, size, function, method = action
                if function is not None:
                    if function is operator.pow and type(program[-1]) is Variable:
                        program[-1] = float(program[-1].data)  # a literal exponent
                    program.append((function, size - 1, starts[-size], self.end, starts[-2], None))
                elif method is not None:
                    method(self)
                del states[-size:]
                if size > 1:
                    del starts[1 - size :]
                below = states[-1]
                landed = landings.get((below, origin, kind))
                states.append(tables.land(below, origin, kind) if landed is None else landed)
            states.append(action)
            starts.append(place)
            self.token = token
            self.end = place + len(token)
        return Expression(self.text, self.places, tuple(program))

    def number(self) -> None:
        """Load a literal."""
        self.program.append(_literal(self.token))

    def name(self) -> None:
        """Load a name."""
        name = sys.intern(self.token)
        self.program.append(name)
        if name not in self.places:
            self.places[name] = self.starts[-1]

    def negative(self) -> None:
        """Change the sign: of a literal now, of anything else when evaluated."""
        program, start = self.program, self.starts[-2]
        if type(program[-1]) is Variable:
            program[-1] = constant(-program[-1].data)
        else:
            program.append((operator.neg, 1, start, self.end, start, None))

    def first_value(self) -> None:
        """Begin the arguments of a call."""
        self.calls.append(_Call(0, {}))
        self.next_value()

    def next_value(self) -> None:
        """Add to the arguments of a call."""
        call = self.calls[-1]
        if self.keyword_value is not None:
            name, value = self.keyword_value
            if name in call.keywords:
                raise ExpressionError(
                    f"{name} is given twice", self.text, self.starts[-1], self.end
                )
            call.keywords[name] = value
            self.keyword_value = None
        elif call.keywords:
            raise ExpressionError(
                "a value after one given by name", self.text, self.starts[-1], self.end
            )
        else:
            call.arity += 1

    def keyword(self) -> None:
        """Take an argument that is given by name: a whole number."""
        size = -3 if self.text[self.starts[-2]] == "=" else -4
        start, number = self.starts[size], self.text[self.starts[size + 2] : self.end]
        name = self.text[start : self.starts[size + 1]].strip(" \t")
        value = float(number.replace(" ", "").replace("\t", ""))
        if not value.is_integer():
            raise ExpressionError(f"{name} takes a whole number", self.text, start, self.end)
        self.keyword_value = (name, int(value))

    def call(self) -> None:
        """Apply a function to no values."""
        self.apply(_Call(0, {}), -3)

    def call_values(self) -> None:
        """Apply a function to the values read."""
        self.apply(self.calls.pop(), -4)

    def apply(self, call: _Call, first: int) -> None:
        """Apply the function whose name is the symbol `first` on the stack."""
        start, parenthesis = self.starts[first], self.starts[first + 1]
        name = self.text[start:parenthesis].rstrip(" \t")
        known = NAMES.get(name)
        if known is None:
            raise diagnosis.unknown_function(self.text, name, start, parenthesis, self.end)
        fault = diagnosis.wrong_arguments(name, known, call.arity, call.keywords)
        if fault is not None:
            raise ExpressionError(fault, self.text, start, self.end)
        function = known.form(call.arity)
        keywords = call.keywords or None
        self.program.append((function, call.arity, start, self.end, start, keywords))


@dataclasses.dataclass(slots=True)
class _Call:
    """The arguments of a call, as far as they have been read."""

    arity: int
    keywords: dict[str, int]


_METHODS: Final[Mapping[str, Callable[[_Run], None]]] = {
    "number": _Run.number,
    "name": _Run.name,
    "negative": _Run.negative,
    "first_value": _Run.first_value,
    "next_value": _Run.next_value,
    "keyword": _Run.keyword,
    "call": _Run.call,
    "call_values": _Run.call_values,
}
"""What the other rules of the grammar do."""


# ------------------------------------------------------------------------------ tables from Lark
@functools.cache
def _tables() -> _Tables:
    """The tables of grammar.json where they are those of grammar.lark, else built anew."""
    grammar = GRAMMAR.read_text(encoding="utf-8")
    try:
        data = json.loads(TABLES.read_text(encoding="utf-8"))
    except FileNotFoundError:
        data = {}
    return _Tables(data if data.get("grammar") == grammar else build_tables(grammar))


def build_tables(grammar: str) -> dict[str, Any]:
    """Have Lark make the LALR tables of a grammar; give them as plain data (for grammar.json).

    `rules` holds [origin, size, alias] for each rule, `states` what each state does with the next
    symbol (the state to go to, or ~n for rule n), `pattern` the tokens as one regular expression:
    operators, numbers, names, anything else; white space before them is passed over.
    """
    import lark
    from lark.parsers.lalr_analysis import Shift

    parser = lark.Lark(grammar, parser="lalr")
    table = parser.parser.parser._parse_table
    literals = {
        terminal.name: terminal.pattern.value
        for terminal in parser.terminals
        if terminal.pattern.type == "str"
    }
    patterns = {terminal.name: terminal.pattern.value for terminal in parser.terminals}
    rules: list[tuple[str, int, str | None]] = []
    numbers: dict[Any, int] = {}

    def action(kind: Any, argument: Any) -> int:
        if kind is Shift:
            return int(argument)
        if argument not in numbers:
            numbers[argument] = len(rules)
            rules.append((argument.origin.name, len(argument.expansion), argument.alias))
        return ~numbers[argument]

    states = [
        {literals.get(symbol, symbol): action(*entry) for symbol, entry in row.items()}
        for _, row in sorted(table.states.items())
    ]
    operators = "|".join(map(re.escape, sorted(literals.values(), key=len, reverse=True)))
    pattern = f"[ \\t]*(?:({operators})|({patterns['NUMBER']})|({patterns['NAME']})|([^ \\t]))"
    start, end = table.start_states["start"], table.end_states["start"]
    states[end]["$END"] = end  # Lark compares states to see that a text is whole
    return {
        "grammar": grammar,
        "start": start,
        "pattern": pattern,
        "rules": rules,
        "states": states,
    }


def write_tables() -> None:
    """Write grammar.json for the grammar.lark of today."""
    tables = build_tables(GRAMMAR.read_text(encoding="utf-8"))
    TABLES.write_text(json.dumps(tables, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_tables()

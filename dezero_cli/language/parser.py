"""Text -> `Expression`: a loop over the grammar's tables.

The tables are Lark's (LALR, see grammar.py), so the grammar is the allow-list: a text that its
rules do not make is refused.  The loop is this project's own for two reasons.  It applies a rule as
soon as the rule's parts are there, so there is no tree and no recursion; and rules that only pass
their part on (one for each level of precedence) are followed once, and where they end is
remembered.  That makes it four times as fast as Lark's loop with callbacks, and saves importing
Lark, which takes longer than the rest of a short run.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from threading import Lock
from typing import Any, Final, Generic, NamedTuple, TypeVar

from dezero import constant
from dezero.arrays import getitem
from dezero.choices import where
from dezero.functions import NAMES
from dezero.logic import logical_not
from dezero_cli.faults import ExpressionError
from dezero_cli.language import diagnosis, grammar
from dezero_cli.language.diagnosis import Token
from dezero_cli.language.expression import (
    OPERATORS,
    RELATIONS,
    Apply,
    Call,
    Chain,
    Expression,
    Literal,
    Load,
    choice,
    listed,
)
from dezero_cli.language.spelling import canonical

T = TypeVar("T")


def recent(size: Callable[..., int]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keep what a function gave for the last arguments, and for those that come back.

    What is made of a text takes a hundred times its length; `size` gives that of some arguments.
    Those that come once are not kept for long: the memory of the last is used again for the next,
    which is quicker.
    """

    def keeping(function: Callable[..., T]) -> Callable[..., T]:
        return functools.wraps(function)(lru_cache(LAST)(_Returning(function, size)))

    return keeping


LAST = 2
"""How many are kept in any case."""
MOST_TEXT = 1 << 18
"""The characters, together, of the texts that are kept since they came back."""
MOST_SEEN = 1 << 14
"""The texts that are known to have come before."""


class _Returning(Generic[T]):
    """A function that is not called a third time for the same arguments, as long as there is room.

    The first time it notes that they came, the second time it keeps what the function gave.
    """

    def __init__(self, function: Callable[..., T], size: Callable[..., int]) -> None:
        self.function, self.size = function, size
        self.seen: set[int] = set()
        self.kept: OrderedDict[tuple[Any, ...], T] = OrderedDict()
        self.total = 0
        self.lock = Lock()

    def __call__(self, *arguments: Any) -> T:
        with self.lock:
            if arguments in self.kept:
                self.kept.move_to_end(arguments)
                return self.kept[arguments]
        made = self.function(*arguments)
        with self.lock:
            self._note(arguments, made)
        return made

    def _note(self, arguments: tuple[Any, ...], made: T) -> None:
        key = hash(arguments)
        if key not in self.seen:
            if len(self.seen) == MOST_SEEN:
                self.seen.clear()
            self.seen.add(key)
        elif arguments not in self.kept:
            self.kept[arguments] = made
            self.total += self.size(*arguments)
            while self.total > MOST_TEXT:
                self.total -= self.size(*self.kept.popitem(last=False)[0])


def parse_anew(text: str, defined: frozenset[str] = frozenset()) -> Expression:
    """Parse an expression; a text that was parsed before is looked up by `parse`.

    `defined` are the functions that the user defines.  Raises ExpressionError, with the place of
    the fault, if the text is not an expression.
    """
    return _Parse(text, defined).run()


parse = recent(lambda text, defined=None: len(text))(parse_anew)


def is_expression(text: str) -> bool:
    """Whether a text is an expression, without functions of the user's."""
    try:
        parse(text)
    except ExpressionError:
        return False
    return True


def tokens(text: str) -> list[Token]:
    """The tokens of a text, each with its kind, its own text and its place."""
    return _tables().tokens(text)


_literals: dict[str, Literal] = {}
"""The literals of earlier texts: most numbers in formulas are 1, 2, 0.5 and the like."""
MOST_KEPT, LONGEST_KEPT = 4096, 40
"""How many literals are kept, and how many characters one may have."""


def _literal(text: str) -> Literal:
    literal = Literal(constant(float(text), text))
    if len(_literals) < MOST_KEPT and len(text) <= LONGEST_KEPT:
        _literals[text] = literal
    return literal


class _Rule(NamedTuple):
    """A rule of the grammar as the loop over the tables needs it."""

    origin: str
    size: int
    function: Callable[..., Any] | None
    """The operator that the rule applies, if any."""
    method: Callable[[_Parse], None] | None
    """What the rule does otherwise, if anything."""


class _Tables:
    """The grammar's tables, ready for the loop.

    `rows` has one table for each state: from the next symbol to the state that shifting it leads
    to, or to the rule to apply.  `landings` remembers where rules that only pass their part on end:
    (state below, symbol, next token) -> state.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        rules = [
            _Rule(origin, size, OPERATORS.get(alias), _METHODS.get(alias))
            for origin, size, alias in data["rules"]
        ]
        self.rows: list[dict[str, Any]] = [
            {symbol: rules[~action] if action < 0 else action for symbol, action in row.items()}
            for row in data["states"]
        ]
        self.start: int = data["start"]
        self.words = {word: word for word in data["words"]}
        self.scan = re.compile(data["pattern"], re.DOTALL).findall
        self.landings: dict[tuple[int, str, str], int] = {}

    def tokens(self, text: str) -> list[Token]:
        """The tokens of a text, its end included; anything else has the kind "FOREIGN"."""
        tokens: list[Token] = []
        add = tokens.append
        words = self.words
        place = 0
        for blanks, symbol, number, word, other in self.scan(text):
            place += len(blanks)
            if symbol:
                add((symbol, symbol, place))
                place += len(symbol)
            elif number:
                add(("NUMBER", number, place))
                place += len(number)
            elif word:
                if word.isidentifier():
                    add((words.get(word, "NAME"), word, place))
                else:
                    add(("QUOTED" if word[0] == "`" else "FOREIGN", word, place))
                place += len(word)
            else:
                add(("FOREIGN", other, place))
                place += len(other)
        add(("$END", "", len(text)))
        return tokens

    def land(self, below: int, symbol: str, kind: str) -> int:
        """Follow the rules that pass `symbol` on when `kind` comes next; give the state reached."""
        state: int = self.rows[below][symbol]
        while True:
            rule = self.rows[state].get(kind)
            if not isinstance(rule, _Rule) or rule.size != 1 or rule.function or rule.method:
                break
            state = self.rows[below][rule.origin]
        self.landings[below, symbol, kind] = state
        return state


@functools.cache
def _tables() -> _Tables:
    return _Tables(grammar.tables())


@dataclasses.dataclass(slots=True)
class _Call:
    """The arguments of a call that have been read so far."""

    arity: int
    keywords: dict[str, int]


class _Parse:
    """One run of the tables over a text: collects the places of names and the steps.

    `firsts` holds the first token of each symbol on the stack of states, `last` is the last token
    taken: together they show where a symbol begins and ends.
    """

    def __init__(self, text: str, defined: frozenset[str]) -> None:
        self.text = text
        self.defined = defined
        self.places: dict[str, int] = {}
        self.called: dict[str, int] = {}  # the defined functions, each with its first place
        self.quoted: set[str] = set()
        self.loads: dict[str, Load] = {}
        self.steps: list[Any] = []
        self.firsts: list[Token] = []
        self.last: Token = ("", "", 0)
        self.calls: list[_Call] = []  # the calls whose arguments are being read
        self.keyword_value: tuple[str, int] | None = None  # the last argument, if named
        self.lists: list[int] = []  # how many items of each list have been read
        self.chains: list[list[Token]] = []  # the signs of the comparisons that are being read
        self.bounds: list[int | None] = []  # of a place in a subscript
        self.axes: list[Any] = []  # the places of a subscript

    @property
    def end(self) -> int:
        """Where the last token taken ends."""
        _, token, place = self.last
        return place + len(token)

    def run(self) -> Expression:
        """Shift each token and apply every rule that it completes."""
        tables = _tables()
        rows, landings = tables.rows, tables.landings
        steps, firsts = self.steps, self.firsts
        states, row = [tables.start], rows[tables.start]
        tokens = tables.tokens(self.text)
        new = tuple.__new__  # three times as fast as Apply's own constructor, in Python
        last = self.last
        for index, token in enumerate(tokens):
            kind = token[0]
            while type(action := row.get(kind)) is not int:
                if action is None:
                    raise diagnosis.unexpected(self.text, tokens, index, "NUMBER" in row)
                origin, size, function, method = action
                if function is not None:
                    if function is operator.pow and type(steps[-1]) is Literal:
                        steps[-1] = new(Literal, (float(steps[-1].operand.data),))  # a plain number
                    _, text, place = last
                    start, sign = firsts[-size][2], firsts[-2][2]
                    steps.append(new(Apply, (function, size - 1, start, place + len(text), sign)))
                elif method is not None:
                    self.last = last
                    method(self)
                if size == 1:
                    states.pop()
                elif size:
                    del states[-size:], firsts[1 - size :]
                else:
                    firsts.append(token)
                below = states[-1]
                state = landings.get((below, origin, kind))
                if state is None:
                    state = tables.land(below, origin, kind)
                states.append(state)
                row = rows[state]
            states.append(action)
            row = rows[action]
            firsts.append(token)
            last = token
        return Expression(self.text, self.places, tuple(steps), self.called, self.quoted)

    def number(self) -> None:
        """Load a literal."""
        text = self.last[1]
        self.steps.append(_literals.get(text) or _literal(text))

    def name(self) -> None:
        """Load a name."""
        load = self.loads.get(self.last[1])
        self.steps.append(self.first_load() if load is None else load)

    def first_load(self) -> Load:
        """The step for a name in a spelling that has not come before."""
        _, token, place = self.last
        name = canonical(token)
        load = self.loads.get(name)
        if load is None:
            load = self.loads[name] = Load(name)
            self.places[name] = place
        self.loads[token] = load
        if token[0] == "`":
            self.quoted.add(name)
        return load

    def unary(self, function: Callable[..., Any]) -> None:
        """Apply an operator that stands before its operand."""
        start = self.firsts[-2][2]
        self.steps.append(Apply(function, 1, start, self.end, start))

    def negation(self) -> None:
        """Not: 1 where the operand is 0."""
        self.unary(logical_not)

    def choose(self, function: Callable[..., Any], size: int) -> None:
        """Apply a choice, whose rule has `size` symbols; its sign or first word is the second."""
        start, sign = self.firsts[-size][2], self.firsts[1 - size][2]
        self.steps.append(Apply(function, 3, start, self.end, sign))

    def choice(self) -> None:
        """``a if c else b``."""
        self.choose(choice, 5)

    def conditional(self) -> None:
        """``c ? a : b``."""
        self.choose(where, 5)

    def first_compared(self) -> None:
        """Begin a chain of comparisons."""
        self.chains.append([self.firsts[-2]])

    def next_compared(self) -> None:
        """Add to a chain of comparisons."""
        self.chains[-1].append(self.firsts[-2])

    def compare(self) -> None:
        """Apply a chain of comparisons, or one alone."""
        signs = self.chains.pop()
        relations = [RELATIONS[sign] for _, sign, _ in signs]
        function = relations[0] if len(relations) == 1 else Chain(relations)
        start, place = self.firsts[-1][2], signs[0][2]
        self.steps.append(Apply(function, len(signs) + 1, start, self.end, place))

    def first_item(self) -> None:
        """Begin a list."""
        self.lists.append(1)

    def next_item(self) -> None:
        """Add to a list."""
        self.lists[-1] += 1

    def listed(self, size: int = 3) -> None:
        """Make an array of the values read."""
        bracket = self.firsts[-size][2]
        self.steps.append(Apply(listed, self.lists.pop(), bracket, self.end, bracket))

    def listed_with_comma(self) -> None:
        """The same where a comma stands behind the last one."""
        self.listed(4)

    def whole(self, sign: float = 1.0) -> None:
        """Read a whole number of a subscript."""
        _, text, place = self.last
        value = sign * float(text)
        if not value.is_integer() or abs(value) > sys.maxsize:
            message = "a place in an array is a whole number"
            raise ExpressionError(message, self.text, place, self.end)
        self.bounds.append(int(value))

    def negative_whole(self) -> None:
        """Read a negative whole number of a subscript, which counts from the end."""
        self.whole(-1.0)

    def open_bound(self) -> None:
        """A slice that begins or ends with the array."""
        self.bounds.append(None)

    def at(self) -> None:
        """One place of an axis."""
        self.axes.append(self.bounds.pop())

    def sliced(self) -> None:
        """The places of an axis from the first bound to before the second."""
        stop, start = self.bounds.pop(), self.bounds.pop()
        self.axes.append(slice(start, stop))

    def sliced_by(self) -> None:
        """The same in steps."""
        step, stop, start = self.bounds.pop(), self.bounds.pop(), self.bounds.pop()
        if step == 0:
            raise ExpressionError("the step of a slice cannot be 0", self.text, self.last[2])
        self.axes.append(slice(start, stop, step))

    def subscript(self) -> None:
        """Take places of an array."""
        function = functools.partial(getitem, index=tuple(self.axes))
        self.axes.clear()
        start, bracket = self.firsts[-4][2], self.firsts[-3][2]
        self.steps.append(Apply(function, 1, start, self.end, bracket))

    def negative(self) -> None:
        """Change the sign: of a literal now, of anything else when evaluated."""
        steps = self.steps
        if type(steps[-1]) is Literal:
            operand = steps[-1].operand
            name = operand.name
            opposite = name[1:] if name.startswith("-") else f"-{name}"
            steps[-1] = Literal(constant(-operand.data, opposite))
        else:
            self.unary(operator.neg)

    def first_value(self) -> None:
        """Begin the arguments of a call."""
        self.calls.append(_Call(0, {}))
        self.next_value()

    def next_value(self) -> None:
        """Add to the arguments of a call."""
        call, start = self.calls[-1], self.firsts[-1][2]
        if self.keyword_value is not None:
            name, value = self.keyword_value
            if name in call.keywords:
                raise ExpressionError(f"{name} is given twice", self.text, start, self.end)
            call.keywords[name] = value
            self.keyword_value = None
        elif call.keywords:
            raise ExpressionError(
                "a positional value cannot follow a named one", self.text, start, self.end
            )
        else:
            call.arity += 1

    def keyword(self) -> None:
        """Read an argument given by name, NAME = NUMBER, a whole number."""
        self.whole_number(-3, 1.0)

    def negative_keyword(self) -> None:
        """Read an argument given by name, NAME = - NUMBER."""
        self.whole_number(-4, -1.0)

    def whole_number(self, first: int, sign: float) -> None:
        """Keep an argument given by name; the name is the symbol `first` on the stack."""
        _, name, start = self.firsts[first]
        value = sign * float(self.last[1])
        if not value.is_integer():
            raise ExpressionError(f"{name} must be a whole number", self.text, start, self.end)
        self.keyword_value = (name, int(value))

    def call(self) -> None:
        """Apply a function to no values."""
        self.apply(_Call(0, {}), -3)

    def call_values(self) -> None:
        """Apply a function to the values read."""
        self.apply(self.calls.pop(), -4)

    def apply(self, call: _Call, first: int) -> None:
        """Apply the function whose name is the symbol `first` on the stack."""
        _, name, start = self.firsts[first]
        parenthesis = self.firsts[first + 1][2]
        if canonical(name) in self.defined:
            self.call_defined(canonical(name), call, start)
            return
        known = NAMES.get(name)
        if known is None:
            raise diagnosis.unknown_function(self.text, name, start, parenthesis, self.end)
        fault = diagnosis.wrong_arguments(name, known, call.arity, call.keywords)
        if fault is not None:
            raise ExpressionError(fault, self.text, start, self.end)
        function = known.form(call.arity)
        assert function is not None  # or there would be a fault
        if call.keywords:
            function = functools.partial(function, **call.keywords)
        self.steps.append(Apply(function, call.arity, start, self.end, start))

    def call_defined(self, name: str, call: _Call, start: int) -> None:
        """Call a function that the user defines."""
        if call.keywords:
            fault = f"{name} takes its values in order, not by name"
            raise ExpressionError(fault, self.text, start, self.end)
        self.called.setdefault(name, start)
        self.steps.append(Call(name, call.arity, start, self.end, start))


_METHODS: Final[Mapping[str, Callable[[_Parse], None]]] = {
    "choice": _Parse.choice,
    "conditional": _Parse.conditional,
    "not": _Parse.negation,
    "first_compared": _Parse.first_compared,
    "next_compared": _Parse.next_compared,
    "compare": _Parse.compare,
    "negative": _Parse.negative,
    "number": _Parse.number,
    "name": _Parse.name,
    "call": _Parse.call,
    "call_values": _Parse.call_values,
    "first_value": _Parse.first_value,
    "next_value": _Parse.next_value,
    "keyword": _Parse.keyword,
    "negative_keyword": _Parse.negative_keyword,
    "list": _Parse.listed,
    "list_with_comma": _Parse.listed_with_comma,
    "first_item": _Parse.first_item,
    "next_item": _Parse.next_item,
    "subscript": _Parse.subscript,
    "at": _Parse.at,
    "slice": _Parse.sliced,
    "slice_by": _Parse.sliced_by,
    "open_bound": _Parse.open_bound,
    "whole": _Parse.whole,
    "negative_whole": _Parse.negative_whole,
}
"""The method for each of the other rules of the grammar."""

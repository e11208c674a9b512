"""What a parsed text is: an `Expression`, whose steps are calls on Variables."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from dezero import Variable, constant
from dezero.choices import where
from dezero.functions import CONSTANTS, ELEMENTWISE, FUNCTIONS
from dezero.lists import stack
from dezero.logic import logical_and, logical_not, logical_or
from dezero.work import OPERATION, spend
from dezero_cli.language import diagnosis
from dezero_cli.language.spelling import NAME

OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "or": logical_or,
    "and": logical_and,
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "matrix_multiply": operator.matmul,
    "power": operator.pow,
}
"""The function for each rule of the grammar that stands for an operator of two operands."""

RELATIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
"""The function for each comparison."""


class Chain:
    """Comparisons that follow one another, as in ``a < b <= c``: 1 where all hold."""

    __slots__ = ("relations",)

    def __init__(self, relations: Sequence[Callable[..., Any]]) -> None:
        self.relations = tuple(relations)

    def __call__(self, *operands: Any) -> Any:
        """Compare each operand with the next one."""
        pairs = zip(self.relations, operands, operands[1:], strict=False)
        return functools.reduce(logical_and, (relation(a, b) for relation, a, b in pairs))


def choice(x0: Any, condition: Any, x1: Any) -> Any:
    """``x0 if condition else x1``."""
    return where(condition, x0, x1)


def listed(*values: Any) -> Any:
    """``[a, b]``: an array along a new first axis."""
    return stack(values)


def named(x: Any) -> Any:
    """What a definition does to its value: nothing."""
    return x


_ELEMENTWISE: Final = (
    ELEMENTWISE | {operator.neg, logical_not, choice, *OPERATORS.values(), *RELATIONS.values()}
) - {operator.matmul}

_CLIP: Final = FUNCTIONS["clip"].function
_ORDERED: Final = frozenset(known.function for known in FUNCTIONS.values() if known.orders)
"""What has an order, its first value, that takes no gradient."""


_NO_LARGER: Final = {FUNCTIONS["sum"].function, FUNCTIONS["mean"].function, operator.matmul}
"""Other functions that make no axis longer than those of their operands, and no further axis."""

MOST_OPERANDS = 8
"""Operands of an operation beyond which it may count for more than these."""


def is_elementwise(function: Callable[..., Any]) -> bool:
    """Whether a step's function works element by element."""
    return function in _ELEMENTWISE or type(function) is Chain


_POWERS: Final = {operator.pow, FUNCTIONS["pow"].function}
"""The operator and the function that take a base, then an exponent."""


class Load(NamedTuple):
    """A step: take the value of a name."""

    name: str


class Literal(NamedTuple):
    """A step: take a number."""

    operand: Any
    """A constant Variable; a float if the number is an exponent."""


class Apply(NamedTuple):
    """A step: apply an operator or a function to the last operands, which its result replaces."""

    function: Callable[..., Any]
    """The function to call with the operands; arguments given by name are already bound to it."""
    arity: int
    """The number of operands."""
    start: int
    """Where in the text the operation with its operands begins."""
    end: int
    """Where it ends."""
    place: int
    """Where the operator or the function's name is."""


class Call(NamedTuple):
    """A step: apply a function that the user defines."""

    name: str
    arity: int
    start: int
    end: int
    place: int


class Operation(NamedTuple):
    """An operation that was applied, and its result."""

    text: str
    """The text that it stands in."""
    step: Apply
    result: Variable

    @property
    def source(self) -> str:
        """The operation with its operands, as they are written."""
        return self.text[self.step.start : self.step.end]


Steps = tuple[Load | Literal | Apply | Call, ...]
Scope = Mapping[str, Variable]
"""A Variable for each name."""


class DefinedFunction(NamedTuple):
    """A function that the user defines: ``NAME(PARAMETERS) = BODY``."""

    name: str
    parameters: tuple[str, ...]
    body: Expression


class Expression:
    """A parsed expression; it never changes, and threads may share it.

    `text` is what was parsed; `places` maps each free name, in its canonical spelling and in order
    of appearance, constants included, to where it first appears; `steps` is the expression in
    postfix order.  `calls` maps the functions that the user defines to where they are first
    called; `quoted` are the names in backquotes, which are never constants; an `element` of a list
    is one result, even if it is a list itself.
    """

    __slots__ = (
        "bounds",
        "calls",
        "definitions",
        "element",
        "functions",
        "operations",
        "places",
        "quoted",
        "steps",
        "text",
    )

    def __init__(
        self,
        text: str,
        places: Mapping[str, int],
        steps: Steps,
        calls: Mapping[str, int] | None = None,
        quoted: Collection[str] = (),
        element: bool = False,
    ) -> None:
        self.text = text
        self.places = places
        self.steps = steps
        self.calls: Mapping[str, int] = calls or {}
        self.quoted = quoted
        self.element = element
        self.definitions: Mapping[str, Expression] = {}  # a model has some, and functions
        self.functions: Mapping[str, DefinedFunction] = {}
        self.bounds: dict[int, list[set[str]]] | None = None
        self.operations: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every free name, in order of first appearance."""
        return tuple(self.places)

    def source(self, name: str) -> tuple[str, int]:
        """The text that a name first appears in, and where."""
        return self.text, self.places[name]

    def written(self, name: str) -> str:
        """A name as it is spelt where it first appears, without backquotes."""
        text, place = self.source(name)
        if text[place] == "`":
            return text[place + 1 : text.index("`", place + 1)]
        spelling = re.compile(NAME).match(text, place)
        assert spelling is not None
        return spelling[0]

    def definition(self, name: str) -> Expression:
        """What a name of a model is defined as, with what that needs."""
        return self.definitions[name]

    def without(self, names: Sequence[str]) -> Expression:
        """The same with the definitions of these names as inputs."""
        return self

    def is_constant(self, name: str) -> bool:
        """Whether a name has a value of its own, unless the user gives it another."""
        return name in CONSTANTS and name not in self.quoted

    @property
    def e_alone(self) -> bool:
        """Whether `e` stands where it is not the base of a power, as in ``e*x``.

        Then it may well be meant as an input, such as a charge or an eccentricity.
        """
        return "e" in self.places and has_e_alone(self.steps)

    @property
    def elementwise(self) -> bool:
        """Whether evaluating stacked numbers gives the same as evaluating each of them."""
        return self.reduction is None

    @property
    def reduction(self) -> tuple[str, Apply] | None:
        """The first step that mixes the elements of an array, with its text; None without one."""
        for step in self.steps:
            if type(step) is Apply and not is_elementwise(step.function):
                return self.text, step
        return None

    @property
    def work(self) -> int:
        """No fewer than the operations on two values that an evaluation takes."""
        return 1 + sum(step.arity for step in self.steps if type(step) is Apply)

    @property
    def work_in_proportion(self) -> int:
        """The same where no operation makes longer axes, or more, than the values have; else 0."""
        if self.operations is None:
            self.operations = _work_in_proportion(self.steps) if type(self) is Expression else 0
        return self.operations

    @property
    def has_lists(self) -> bool:
        """Whether there is a list in it, so that arrays are made of single numbers."""
        return any(type(step) is Apply and step.function is listed for step in self.steps)

    @property
    def is_list(self) -> bool:
        """Whether the expression is a list at its top: several results."""
        last = self.steps[-1]
        return not self.element and type(last) is Apply and last.function is listed

    @property
    def results(self) -> list[Expression]:
        """The elements of a list, each an expression of its own; any other expression itself."""
        return self.operands if self.is_list else [self]

    @property
    def operands(self) -> list[Expression]:
        """What the last step is applied to, each an expression of its own."""
        begins: list[int] = []  # for each operand on the stack, the step that it begins with
        for i, step in enumerate(self.steps[:-1]):
            begin = i
            if isinstance(step, Apply | Call):
                begin = begins[len(begins) - step.arity]
                del begins[len(begins) - step.arity :]
            begins.append(begin)
        ends = [*begins[1:], len(self.steps) - 1]
        return [self._part(self.steps[i:j]) for i, j in zip(begins, ends, strict=True)]

    def _part(self, steps: Steps) -> Expression:
        """The expression of some of the steps."""
        used = {step.name for step in steps if isinstance(step, Load)}
        called = {step.name for step in steps if isinstance(step, Call)}
        places = {name: self.places[name] for name in sorted(used, key=self.places.__getitem__)}
        calls = {name: self.calls[name] for name in sorted(called, key=self.calls.__getitem__)}
        return Expression(self.text, places, steps, calls, self.quoted, element=True)

    def vary(self, clip: Apply, scope: Scope) -> tuple[bool, ...]:
        """Whether either bound of a call of `clip` is made of inputs, whatever is asked for."""
        if self.bounds is None:
            self.bounds = dict(self._names_in_bounds())
        return tuple(
            any(not self._is_own(name, scope) for name in names)
            for names in self.bounds[clip.place]
        )

    def _is_own(self, name: str, scope: Scope) -> bool:
        """Whether a name has the value that constants of that name have."""
        data = scope[name].data if name in scope else None
        is_number = isinstance(data, float | np.ndarray) and np.ndim(data) == 0
        return self.is_constant(name) and is_number and bool(data == CONSTANTS[name])

    def _names_in_bounds(self) -> Iterator[tuple[int, list[set[str]]]]:
        """The place of each call of `clip`, and the names in its two bounds."""
        stack: list[set[str]] = []  # for each operand, the names in it
        for step in self.steps:
            if isinstance(step, Load | Literal):
                stack.append({step.name} if isinstance(step, Load) else set())
                continue
            operands = stack[len(stack) - step.arity :]
            del stack[len(stack) - step.arity :]
            if type(step) is Apply and step.function is _CLIP:
                yield step.place, operands[1:]
            own = {step.name} if type(step) is Call else set()
            stack.append(own.union(*operands))

    def evaluate(self, values: Scope, keep: list[Operation] | None = None) -> Variable:
        """Apply the steps to `values`, a Variable for each name.

        A name without a value is one of `CONSTANTS`.  `keep` receives every operation with its
        result; literals and constants then take gradients, so that every result has one, and the
        inputs that are asked for are those whose Variables have names.  Raises
        ExpressionError for a name without a value, and for an operation that NumPy refuses.
        """
        spend(OPERATION // 2 * len(self.steps))
        return run(self, self.scope(values, values, keep), keep=keep)

    def scope(self, known: Scope, values: Scope, keep: list[Operation] | None = None) -> Scope:
        """A Variable for each name of the expression: what is known of it, or a constant.

        `values` are those that the user gives, for the message about a name without one.
        """
        scope = {}
        for name in self.places:
            if name in known:
                scope[name] = known[name]
            elif self.is_constant(name):
                value = CONSTANTS[name]
                scope[name] = constant(value, name) if keep is None else Variable(np.array(value))
            else:
                text, place = self.source(name)
                raise diagnosis.missing_value(text, name, place, values)
        return scope


def _work_in_proportion(steps: Steps) -> int:
    """The work of steps of which none makes more than its operands are together; else 0."""
    work = 1
    for step in steps:  # every line of a batch comes by here
        if type(step) is Apply:
            function, arity = step.function, step.arity
            known = function in _ELEMENTWISE or function in _NO_LARGER or type(function) is Chain
            if arity > MOST_OPERANDS or not known:
                return 0
            work += arity
        elif type(step) is Call:
            return 0
    return work


def has_e_alone(steps: Steps) -> bool:
    """Whether `e` stands somewhere in the steps where it is not the base of a power."""
    stack: list[bool] = []  # for each operand, whether it is e itself
    for step in steps:
        if isinstance(step, Load | Literal):
            stack.append(type(step) is Load and step.name == "e")
            continue
        operands = stack[len(stack) - step.arity :]
        del stack[len(stack) - step.arity :]
        if any(operands[type(step) is Apply and step.function in _POWERS :]):
            return True
        stack.append(False)
    return stack[0]


Enter = Callable[[Call, "list[Any]"], tuple[Expression, Scope]]
"""What a call of a defined function runs: the body, and the values of its names."""


def _held(order: Any) -> Any:
    """An order as a constant, unless it is made of an input that is asked for, which has a name."""
    if not isinstance(order, Variable):
        return order
    waiting, seen = [order], {id(order)}
    while waiting:
        x = waiting.pop()
        if x.creator is None:
            if x.name is not None and x.generation == 0:
                return order
            continue
        fresh = [each for each in x.creator.inputs if id(each) not in seen]
        seen.update(map(id, fresh))
        waiting += fresh
    return constant(order.data)


def run(
    expression: Expression,
    scope: Scope,
    enter: Enter | None = None,
    keep: list[Operation] | None = None,
) -> Variable:
    """Apply an expression's steps to the Variables of its names; its value.

    A call of a function that the user defines runs that function's steps before those that follow,
    without recursion; `enter` says what they are.  Raises ExpressionError for an operation that
    NumPy refuses.
    """
    stack: list[Any] = []
    waiting: list[tuple[Expression, Scope, Iterator[Any]]] = []
    steps: Iterator[Any] = iter(expression.steps)
    step: Any = None
    try:
        with np.errstate(all="ignore"):
            while True:
                for step in steps:
                    kind = type(step)
                    if kind is Apply:
                        arity = step.arity
                        if keep is not None and step.function in _ORDERED:
                            stack[-arity] = _held(stack[-arity])
                        if arity == 2:  # nearly all operations; quicker than slices
                            second = stack.pop()
                            stack.append(step.function(stack.pop(), second))
                        else:
                            operands = stack[-arity:]
                            del stack[-arity:]
                            function = step.function
                            if function is _CLIP:
                                function = functools.partial(
                                    _CLIP, inputs=expression.vary(step, scope)
                                )
                            stack.append(function(*operands))
                        if keep is not None:
                            keep.append(Operation(expression.text, step, stack[-1]))
                    elif kind is Load:
                        stack.append(scope[step.name])
                    elif kind is Literal:
                        operand = step.operand
                        if keep is not None and type(operand) is Variable:
                            operand = Variable(operand.data.copy())
                        stack.append(operand)
                    else:
                        assert enter is not None
                        waiting.append((expression, scope, steps))
                        operands = stack[len(stack) - step.arity :]
                        del stack[len(stack) - step.arity :]
                        expression, scope = enter(step, operands)
                        steps = iter(expression.steps)
                        break
                else:
                    if not waiting:
                        return stack[0]  # type: ignore[no-any-return]
                    expression, scope, steps = waiting.pop()
    except (ArithmeticError, ImportError, IndexError, TypeError, ValueError) as error:
        raise diagnosis.refused_operation(expression.text, step, error) from error

"""What a parsed text is: an `Expression`, whose steps are calls on Variables."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy

from dezero import Variable, constant
from dezero.functions import CONSTANTS, ELEMENTWISE, FUNCTIONS
from dezero_cli.language import diagnosis
from dezero_cli.language.spelling import NAME

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
}
"""The function for each rule of the grammar that stands for an operator of two operands."""

_ELEMENTWISE: Final = ELEMENTWISE | {operator.neg, *OPERATORS.values()} - {operator.matmul}

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


Steps = tuple[Load | Literal | Apply, ...]


class Expression:
    """A parsed expression; it never changes, and threads may share it.

    `text` is what was parsed; `places` maps each free name, in its canonical spelling and in order
    of appearance, constants included, to where it first appears; `steps` is the expression in
    postfix order.
    """

    __slots__ = ("places", "steps", "text")

    def __init__(self, text: str, places: Mapping[str, int], steps: Steps) -> None:
        self.text = text
        self.places = places
        self.steps = steps

    @property
    def names(self) -> tuple[str, ...]:
        """Every free name, in order of first appearance."""
        return tuple(self.places)

    def written(self, name: str) -> str:
        """A name as it is spelt where it first appears in the text."""
        spelling = re.compile(NAME).match(self.text, self.places[name])
        assert spelling is not None
        return spelling[0]

    @property
    def e_alone(self) -> bool:
        """Whether `e` stands where it is not the base of a power, as in ``e*x``.

        Then it may well be meant as an input, such as a charge or an eccentricity.
        """
        if "e" not in self.places:
            return False
        stack: list[bool] = []  # for each operand, whether it is e itself
        for step in self.steps:
            if type(step) is not Apply:
                stack.append(type(step) is Load and step.name == "e")
                continue
            operands = stack[len(stack) - step.arity :]
            del stack[len(stack) - step.arity :]
            if any(operands[step.function in _POWERS :]):
                return True
            stack.append(False)
        return stack[0]

    @property
    def elementwise(self) -> bool:
        """Whether evaluating stacked numbers gives the same as evaluating each of them."""
        return self.reduction is None

    @property
    def reduction(self) -> Apply | None:
        """The first step that mixes the elements of an array; None if there is none."""
        for step in self.steps:
            if type(step) is Apply and step.function not in _ELEMENTWISE:
                return step
        return None

    def evaluate(
        self,
        values: Mapping[str, Variable],
        keep: list[tuple[Apply, Variable]] | None = None,
    ) -> Variable:
        """Apply the steps to `values`, a Variable for each name.

        A name without a value is one of `CONSTANTS`.  `keep` receives every operation with its
        result; literals and constants then take gradients, so that every result has one.  Raises
        ExpressionError for a name without a value, and for an operation that NumPy refuses.
        """
        inputs = {name: self._value(name, values) for name in self.places}
        if keep is not None:
            inputs |= {name: Variable(x.data) for name, x in inputs.items() if name not in values}
        stack: list[Any] = []
        step: Any = None
        try:
            with numpy.errstate(all="ignore"):
                for step in self.steps:
                    if type(step) is Apply:
                        arity = step.arity
                        if arity == 2:  # nearly all operations; quicker than slices
                            second = stack.pop()
                            stack.append(step.function(stack.pop(), second))
                        else:
                            operands = stack[-arity:]
                            del stack[-arity:]
                            stack.append(step.function(*operands))
                        if keep is not None:
                            keep.append((step, stack[-1]))
                    elif type(step) is Load:
                        stack.append(inputs[step.name])
                    elif keep is not None and type(step.operand) is Variable:
                        stack.append(Variable(step.operand.data.copy()))
                    else:
                        stack.append(step.operand)
        except (ArithmeticError, ImportError, IndexError, TypeError, ValueError) as error:
            raise diagnosis.refused_operation(self.text, step, error) from error
        return stack[0]  # type: ignore[no-any-return]

    def _value(self, name: str, values: Mapping[str, Variable]) -> Variable:
        if name in values:
            return values[name]
        if name in CONSTANTS:
            return constant(CONSTANTS[name], name)
        raise diagnosis.missing_value(self.text, name, self.places[name], values)

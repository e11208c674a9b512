"""Rows of the tables of functions: a forward, a sentence, and the gradient for each input.

A row reads: NumPy's ufunc or a function of arrays, a sentence that says what it gives, then the
gradient for each input in terms of the output's gradient `gy`, the output `y` and the inputs (`_`
is the rule).  Of several equal forms the accurate one is taken.  At kinks the gradient is the
subgradient of minimum norm, at edges the limit.  The class of a rule is made when it is first
called, so that importing the tables takes no longer than reading them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import float64

from dezero.graph import ARRAY_FUNCTIONS, UFUNCS, Operand, Variable
from dezero.rule import Partial, Rule, composed, flat

SEVERAL = 4
"""What an operation that several ufuncs make counts for, in numbers made by one."""
Choice = Callable[..., Operand]
"""Where an input is taken, from the inputs."""


def rule_of(
    forward: Callable[..., Operand],
    name: str,
    *partials: Partial,
    choices: tuple[Choice | None, ...] = (),
) -> type[Rule]:
    """A Rule class out of a row of the table."""
    members = {
        "__module__": __name__,
        "__slots__": (),
        "__doc__": f"{name}, a row of the table.",
        "forward": forward if isinstance(forward, np.ufunc) else staticmethod(forward),
        "partials": partials,
        "selects": bool(choices),
        "choices": choices,
        "weight": 1 if isinstance(forward, np.ufunc) else getattr(forward, "weight", SEVERAL),
    }
    return type(name.capitalize(), (Rule,), members)


def unary(
    forward: Callable[[Any], Operand],
    sentence: str,
    partial: Partial,
    name: str = "",
    choices: tuple[Choice | None, ...] = (),
) -> Callable[[Any], Variable]:
    """The function of a ufunc, or of an array function of one value, and its derivative."""
    name = name or forward.__name__.strip("_")
    forward = _whole(forward, partial)
    rule: type[Rule] | None = None

    def function(x: Any) -> Variable:
        nonlocal rule
        if rule is None:
            rule = rule_of(forward, name, partial, choices=choices)
        return rule()(x)

    _introduce(function, name, sentence, forward)
    return function


def binary(
    forward: Callable[[Any, Any], Operand],
    sentence: str,
    partial0: Partial,
    partial1: Partial,
    name: str = "",
    choices: tuple[Choice | None, ...] = (),
) -> Callable[[Any, Any], Variable]:
    """The function of a ufunc, or of an array function of two values, and its derivatives."""
    name = name or forward.__name__.strip("_")
    forward = _whole(forward, partial0, partial1)
    rule: type[Rule] | None = None

    def function(x0: Any, x1: Any) -> Variable:
        nonlocal rule
        if rule is None:
            rule = rule_of(forward, name, partial0, partial1, choices=choices)
        return rule()(x0, x1)

    _introduce(function, name, sentence, forward)
    return function


def _whole(forward: Callable[..., Operand], *partials: Partial) -> Callable[..., Operand]:
    """The forward of a row as one operation, where there is a derivative to keep."""
    is_one = hasattr(forward, "nin") or hasattr(forward, "in_ufuncs")
    return forward if is_one or set(partials) == {flat} else composed(forward)


def _introduce(
    function: Callable[..., Variable], name: str, sentence: str, forward: Callable[..., Operand]
) -> None:
    """Give a function its name and sentence, and let it stand in for its ufunc on Variables."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = sentence
    if isinstance(forward, np.ufunc):
        UFUNCS[forward] = function
    else:
        ARRAY_FUNCTIONS[forward] = function


# --------------------------------------------------------------------- derivatives that are rules
# Where the formula of a derivative, differentiated once more, would lose digits or leave the range
# of numbers, the derivative is a rule with partials of its own; so every order is accurate.
def derived(
    name: str,
    forward: Callable[..., Operand],
    *partials: Partial,
    in_text: Callable[..., Operand] | None = None,
) -> Callable[..., Operand]:
    """A derivative that is a rule itself, for operands of any kind.

    A program keeps it as one operation too, so that every order of a formula is as accurate;
    `in_text` is what formulas and code have in its place, such as the same without an end.
    """
    made: list[type[Rule]] = []
    whole = composed(forward, in_text)
    whole.__name__ = name

    def recorded(*operands: Operand) -> Variable:
        if not made:
            made.append(rule_of(whole, name, *partials))
        return made[0]()(*operands)

    ARRAY_FUNCTIONS[whole] = recorded
    return whole


def within(d: Operand, y: Operand) -> Operand:
    """d without the sign of a zero, and nan where y, the function itself, has no value."""
    if type(d) is float64 and type(y) is float64:
        return d + 0.0 if y == y else y
    return d + 0.0 * np.square(np.sign(y))


def bell(x: Operand) -> Operand:
    """1/(1 + x**2) but for x beyond 1e154, whose powers are lost anyway where this is used."""
    return 1.0 / (1.0 + x * x)


inside = derived("inside", within, lambda _, gy, y, d, value: gy, flat)


_ZERO = float64(0.0)


def nothing(y: Operand) -> Operand:
    """0, or nan where y is."""
    return 0.0 * np.square(np.sign(y))


def kept(taken: Operand, gy: Operand) -> Operand:
    """The gradient where an operand is taken; the masks of the sweep have the same condition."""
    if type(taken) is np.bool_ and type(gy) is float64:
        return gy if taken else _ZERO
    return np.where(taken, gy, 0.0)


def tied(alone: Operand, gy: Operand, y: Operand) -> Operand:
    """The gradient of an operand that is taken: all of it where alone, else half."""
    if type(alone) is np.bool_ and alone:
        return gy
    return np.where(alone, gy, 0.5 * gy + nothing(y))

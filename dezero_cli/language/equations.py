"""Equations and inequalities: ``LEFT == RIGHT``, ``x*y >= 25``, ``0 <= x <= 1``."""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from dezero.logic import logical_and, logical_not, logical_or
from dezero_cli.faults import ExpressionError
from dezero_cli.language.diagnosis import Token
from dezero_cli.language.expression import (
    RELATIONS,
    Apply,
    Chain,
    Expression,
    Steps,
    choice,
)
from dezero_cli.language.parser import tokens
from dezero_cli.language.statements import Given, linked, parsed

EQUAL: Final = ("==",)
ORDERED: Final = ("==", "<=", ">=")
"""The signs of constraints; ``<`` and ``>`` mean these, for a limit belongs to what it bounds."""

LONGEST_SHOWN = 60
"""Characters of a corrected equation that a hint repeats."""


class Equation(NamedTuple):
    """``LEFT == RIGHT``, or an inequality; the parts know the definitions that they use."""

    text: str
    """How it is written; of a chain, its own part."""
    left: Expression
    sign: str
    """``==``, ``<=`` or ``>=``."""
    right: Expression
    residual: Expression
    """LEFT - RIGHT."""


def equation(text: str, given: Given, most: int | None = None) -> Equation:
    """The one equation that a text is.

    Raises ExpressionError for a text that is not an equation, with the correction where one is
    known, and as `Given.linked` does.
    """
    expression = _parsed(text, given.functions, EQUAL)
    found = _relations(expression, given, EQUAL, most)
    if not found:
        hint = "write LEFT == RIGHT"
        raise ExpressionError("expected an equation", text, 0, hint=hint)
    if len(found) > 1:
        raise ExpressionError("expected one equation, not a chain", text, 0)
    return found[0]


def equations(text: str, given: Given, most: int | None = None) -> list[Equation]:
    """The equations of a text: one, a chain ``a == b == c``, or a list of them.

    An expression without ``==`` is one that equals 0.  Raises as `equation` does.
    """
    every = []
    results = _parsed(text, given.functions, EQUAL).results
    for part, shown in zip(results, _elements(text, len(results)), strict=True):
        found = _relations(part, given, EQUAL, most) or [_vanishing(part, given, most)]
        every += [each._replace(text=shown) for each in found] if shown != text else found
    return every


def _elements(text: str, count: int) -> list[str]:
    """The elements of a list as they are written; the whole text for each where that is unclear."""
    inner = text.strip()
    if count > 1 and inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
        places = [place for kind, _, place in _outside(inner) if kind == ","]
        ends = zip([0, *(place + 1 for place in places)], [*places, len(inner)], strict=True)
        parts = [inner[i:j].strip() for i, j in ends]
        parts = [part for part in parts if part]
        if len(parts) == count:
            return parts
    return [text] * count


def constraints(text: str, given: Given, most: int | None = None) -> list[Equation]:
    """The constraints of a text: ``x*y >= 25``, ``x + y == 1``, or a chain ``0 <= x <= 1``.

    Raises as `equation` does.
    """
    expression = _parsed(text, given.functions, ORDERED)
    found = _relations(expression, given, ORDERED, most)
    if not found:
        hint = "write one as in x*y >= 25, x + y == 1 or 0 <= x <= 1, each with a --st of its own"
        raise ExpressionError("expected a constraint", text, 0, hint=hint)
    return found


# ------------------------------------------------------------------------- an expression in parts
_SIGNS = {function: sign for sign, function in RELATIONS.items()}
_CLOSED = {"<": "<=", ">": ">="}


def _relations(
    expression: Expression, given: Given, signs: Sequence[str], most: int | None
) -> list[Equation]:
    """An equation for each sign of the comparison that an expression is; none if it is another."""
    closed = _comparison(expression, signs)
    if not closed:
        return []
    last = expression.steps[-1]
    assert type(last) is Apply
    sides = expression.operands
    texts = _texts(expression.text, len(closed))
    pairs = zip(texts, sides, closed, sides[1:], strict=False)
    return [_equation(t, a, sign, b, last, given, most) for t, a, sign, b in pairs]


def _texts(text: str, count: int) -> list[str]:
    """Each comparison of a chain as it is written; the whole text where that is not the chain."""
    signs = [(sign, place) for kind, sign, place in _outside(text) if kind in RELATIONS]
    whole = " ".join(text.split())
    if len(signs) != count or count == 1:
        return [whole] * count
    ends = [0, *(place for _, place in signs), len(text)]
    begins = [0, *(place + len(sign) for sign, place in signs)]
    sides = [text[i:j].strip() for i, j in zip(begins, ends[1:], strict=True)]
    return [f"{a} {s} {b}" for a, (s, _), b in zip(sides, signs, sides[1:], strict=False)]


def _comparison(expression: Expression, signs: Sequence[str]) -> list[str]:
    """The signs of the comparison that an expression is at its top; none if it is another thing.

    Raises ExpressionError for a sign that is not expected beside one that is.
    """
    last = expression.steps[-1]
    if type(last) is not Apply:
        return []
    relations = last.function.relations if type(last.function) is Chain else (last.function,)
    written = [_SIGNS.get(relation, "") for relation in relations]
    closed = [_CLOSED.get(sign, sign) if signs is ORDERED else sign for sign in written]
    if all(sign in signs for sign in closed):
        return closed
    if any(sign in signs for sign in closed):
        other = next(sign for sign, each in zip(written, closed, strict=True) if each not in signs)
        fault = f"'{other}' has no place in an equation"
        raise ExpressionError(fault, expression.text, last.place)
    return []


def _equation(
    text: str,
    left: Expression,
    sign: str,
    right: Expression,
    at: Apply,
    given: Given,
    most: int | None,
) -> Equation:
    minus = Apply(operator.sub, 2, at.start, at.end, at.place)
    places = dict(left.places)
    places |= {name: place for name, place in right.places.items() if name not in places}
    steps: Steps = (*left.steps, *right.steps, minus)
    calls = {**right.calls, **left.calls}
    residual = Expression(left.text, places, steps, calls, left.quoted, element=True)
    parts = [_linked(each, given, most) for each in (left, right, residual)]
    return Equation(text, parts[0], sign, parts[1], parts[2])


def refuse_condition(expression: Expression, hint: str) -> None:
    """Raise ExpressionError for a condition, which is 1 or 0 and flat, where a value is needed."""
    last = expression.steps[-1]
    conditions = (*RELATIONS.values(), logical_and, logical_or, logical_not)
    if type(last) is Apply and (type(last.function) is Chain or last.function in conditions):
        fault = "a condition is 1 or 0, and has no slope"
        raise ExpressionError(fault, expression.text, last.place, hint=hint)


def _vanishing(expression: Expression, given: Given, most: int | None) -> Equation:
    """An expression that is to be 0."""
    refuse_condition(expression, "write an equation, LEFT == RIGHT")
    whole = _linked(expression, given, most)
    zero = parsed("0")
    return Equation(expression.text, whole, "==", zero, whole)


def _linked(expression: Expression, given: Given, most: int | None) -> Expression:
    """An expression with its definitions; refuses names whose values are no numbers."""
    whole = linked(expression, given.definitions, given.functions, most)
    given.refuse(whole)
    return whole


# ------------------------------------------------------------------- what was typed in its place
def _parsed(text: str, functions: Collection[str], signs: Sequence[str]) -> Expression:
    """The expression of a text in which a comparison is expected, or the fault with its advice."""
    try:
        expression = parsed(text, functions)
    except ExpressionError as fault:
        advice = _single_sign_advice(text, functions, signs)
        if advice is None:
            raise
        place = next(place for kind, _, place in tokens(text) if kind == "=")
        raise ExpressionError("unexpected '='", text, place, hint=advice) from fault
    corrected = _unswallowed(expression)
    if corrected is not None and _is_relation(corrected, functions, signs):
        message = "this choice takes in the equation before it"
        place = _outside_places(text, {"if", "?"})[0]
        other = f", or ({text}) == 0" if text[place] == "?" else ""
        raise ExpressionError(message, text, place, hint=_advice(corrected + other))
    return expression


def _single_sign_advice(text: str, functions: Collection[str], signs: Sequence[str]) -> str | None:
    """What to write instead of an equation with a single ``=``; None if that is not the fault."""
    corrected = _with_two_signs(text)
    if corrected is None:
        return None
    try:
        corrected = _unswallowed(parsed(corrected, functions)) or corrected
    except ExpressionError:
        return None
    return _advice(corrected) if _is_relation(corrected, functions, signs) else None


def _advice(corrected: str) -> str:
    return f"write {corrected}" if len(corrected) <= LONGEST_SHOWN else "write =="


def _is_relation(text: str, functions: Collection[str], signs: Sequence[str]) -> bool:
    """Whether a correction is what is expected."""
    try:
        return bool(_comparison(parsed(text, functions), signs))
    except ExpressionError:
        return False


def _outside(text: str) -> list[Token]:
    """The tokens of a text that stand outside all brackets."""
    depth, found = 0, []
    for token in tokens(text):
        depth -= token[1] in {")", "]"}
        if depth == 0 and token[1] not in {")", "]"}:
            found.append(token)
        depth += token[1] in {"(", "["}
    return found


def _outside_places(text: str, wanted: Collection[str]) -> list[int]:
    """Where the wanted kinds of tokens stand outside all brackets."""
    return [place for kind, _, place in _outside(text) if kind in wanted]


def _with_two_signs(text: str) -> str | None:
    """The text with ``==`` for its single ``=``; None without one."""
    signs = _outside_places(text, {"="})
    if len(signs) != 1:
        return None
    return f"{text[: signs[0]].rstrip()} == {text[signs[0] + 1 :].lstrip()}"


def _unswallowed(expression: Expression) -> str | None:
    """``y == (a if c else b)`` for ``y == a if c else b``; None for anything else."""
    last, text = expression.steps[-1], expression.text
    if not (type(last) is Apply and (last.function is choice or text[last.place] == "?")):
        return None
    ends = _outside_places(text, {"if", "?"})
    signs = [(sign, place) for kind, sign, place in _outside(text) if kind in RELATIONS]
    if not ends or not signs or signs[0][1] > ends[0] or signs[0][0] == "!=":
        return None
    sign, place = signs[0]
    return f"{text[:place].rstrip()} {sign} ({text[place + len(sign) :].strip()})"

"""Precedence is Python's: Python's own parser and interpreter give a drawn formula's value.

A tree is drawn, and written twice with no parentheses but those it needs: as Python has it, and in
the language, with C's signs among Python's words.  DEZERO_LAWS sets how many are drawn.
"""

import ast
import math
import os
import random

import numpy as np
import pytest

from dezero_cli.language import derivatives
from dezero_cli.language.parser import parse, tokens
from dezero_cli.main import run

DRAWN = 20 * int(os.environ.get("DEZERO_LAWS", "100"))
CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(10)
RELATIONS = ("<", "<=", ">", ">=", "==", "!=")
SPELLINGS = {"and": ("and", "&&"), "or": ("or", "||"), "**": ("**", "^")}
POINT = {"x": 2.0, "y": -0.5, "z": 0.0, "order": 3.0, "note": 1.0, "android": -1.5, "iff": 0.25}
BINARY = {
    **dict.fromkeys(("+", "-"), (SUM, SUM, PRODUCT)),
    **dict.fromkeys(("*", "/", "//", "%"), (PRODUCT, PRODUCT, SIGN)),
    "**": (POWER, ATOM, SIGN),
    "and": (AND, AND, NOT),
    "or": (OR, OR, AND),
}
"""The level of each operator, and the least levels of what stands to its left and right."""


class Pair:
    """A piece of a formula as Python has it and in the language, each with its level."""

    def __init__(self, python, ours, level, own=None):
        self.texts = (python, ours)
        self.levels = (level, level if own is None else own)

    def at(self, least):
        """Both texts, in parentheses where they would be read as something else."""
        pairs = zip(self.texts, self.levels, strict=True)
        return [text if level >= least else f"({text})" for text, level in pairs]


def leaf(chance):
    text = chance.choice([*POINT, "0", "1", "2", ".5", "1e1", "1_0", "3."])
    return Pair(text, text, ATOM)


def binary(chance, left, right):
    operator = chance.choice(list(BINARY))
    level, lower, upper = BINARY[operator]
    if operator == "**" and chance.random() < 0.7:
        right = leaf(chance)  # towers leave the range of numbers at once
    (a, ours_a), (b, ours_b) = left.at(lower), right.at(upper)
    sign = chance.choice(SPELLINGS.get(operator, (operator,)))
    return Pair(f"{a} {operator} {b}", f"{ours_a} {sign} {ours_b}", level)


def signed(chance, operand):
    kind = chance.choice(("-", "+", "!", "not"))
    if kind == "not":
        python, ours = operand.at(NOT)
        return Pair(f"not {python}", f"not {ours}", NOT)
    python, ours = operand.at(SIGN)
    if kind == "!":
        return Pair(f"(not {python})", f"!{ours}", ATOM, SIGN)
    return Pair(f"{kind}{python}", f"{kind}{ours}", SIGN)


def chain(chance, *operands):
    python, ours = operands[0].at(SUM)
    for operand in operands[1:]:
        relation = chance.choice(RELATIONS)
        their_part, our_part = operand.at(SUM)
        python, ours = f"{python} {relation} {their_part}", f"{ours} {relation} {our_part}"
    return Pair(python, ours, COMPARISON)


def choice(chance, taken, condition, other):
    (a, ours_a), (c, ours_c), (b, ours_b) = taken.at(OR), condition.at(OR), other.at(CHOICE)
    python = f"{a} if {c} else {b}"
    if chance.random() < 0.5:
        return Pair(python, f"{ours_a} if {ours_c} else {ours_b}", CHOICE)
    return Pair(python, f"{ours_c} ? {taken.texts[1]} : {ours_b}", CHOICE)


def tree(chance, size):
    """A tree of some operators; their operands are smaller trees."""
    if size <= 0:
        return leaf(chance)
    kind = chance.random()
    if kind < 0.5:
        part = chance.randrange(size)
        return binary(chance, tree(chance, part), tree(chance, size - 1 - part))
    if kind < 0.68:
        return signed(chance, tree(chance, size - 1))
    if kind < 0.84:
        return chain(chance, *(tree(chance, size // 3) for _ in range(chance.choice((2, 3, 4)))))
    return choice(chance, *(tree(chance, size // 3) for _ in range(3)))


class Numbers(ast.NodeTransformer):
    """Numbers are float64, and truth is 1 or 0: what Python gives for and, or, not is made so."""

    def visit_Constant(self, node):
        return _call("number", ast.copy_location(ast.Constant(float(node.value)), node))

    def _truth(self, node):
        return _call("truth", self.generic_visit(node))

    visit_BoolOp = visit_Compare = _truth

    def visit_UnaryOp(self, node):
        return self._truth(node) if isinstance(node.op, ast.Not) else self.generic_visit(node)


def _call(name, node):
    return ast.Call(ast.Name(name, ast.Load()), [node], [])


def of_python(text):
    """What Python gives for its text."""
    read = ast.fix_missing_locations(Numbers().visit(ast.parse(text, mode="eval")))
    names = {name: np.float64(x) for name, x in POINT.items()}
    names |= {"number": np.float64, "truth": lambda x: np.float64(bool(x))}
    return float(eval(compile(read, "drawn", "eval"), {"__builtins__": {}}, names))


def of_ours(text):
    arrays = {name: np.array(x) for name, x in POINT.items()}
    return float(derivatives.value(parse(text), arrays))


def same(got, expected):
    return got == expected or math.isclose(got, expected, rel_tol=1e-13) or got != got != expected


def test_python_reads_a_formula_the_same():
    chance = random.Random("precedence")
    finite = longest = 0
    with np.errstate(all="ignore"):
        for _ in range(DRAWN):
            drawn = tree(chance, chance.randint(1, 8))
            python, ours = drawn.texts
            expected = of_python(python)
            assert same(of_ours(ours), expected), (ours, python)
            finite += math.isfinite(expected)
            longest = max(longest, len(ours))
    assert finite > 0.7 * DRAWN and longest > 60


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("!x == y", "(!x) == y"),
        ("x == !y", "x == (!y)"),
        ("!x + y", "(!x) + y"),
        ("!x**y", "!(x**y)"),
        ("x**!y", "x**(!y)"),
        ("-!x", "-(!x)"),
        ("!-x", "!(-x)"),
        ("!!x", "!(!x)"),
        ("!x && y", "(!x) && y"),
        ("not x == y", "not (x == y)"),
        ("x ? y : z ? x : y", "x ? y : (z ? x : y)"),
        ("x ? y ? 1 : 2 : 3", "x ? (y ? 1 : 2) : 3"),
        ("x if y else z if x else y", "x if y else (z if x else y)"),
        ("x < y < z", "(x < y) and (y < z)"),
        ("x*y % z // 2 / x", "(((x*y) % z) // 2) / x"),
    ],
)
def test_how_signs_and_words_bind(text, whole):
    with np.errstate(all="ignore"):
        for x, y, z in np.array(np.meshgrid(*[[0.0, 1.0, 2.0, -3.0]] * 3)).reshape(3, -1).T:
            point = {"x": np.array(x), "y": np.array(y), "z": np.array(z)}
            got, expected = (float(derivatives.value(parse(t), point)) for t in (text, whole))
            assert same(got, expected), (x, y, z)


# -------------------------------------------------------------------------------------- tokens
def blanked(chance, text):
    """The tokens of a text with other blanks between them; words and numbers stay apart."""
    pieces, last = [], " "
    for _, token, _ in tokens(text):
        together = last[-1] + token[:1]
        needed = all(c.isalnum() or c in "_." for c in together) or together in GLUED
        pieces += [" " * chance.randint(needed, 2), token]
        last = token or " "
    return "".join(pieces)


GLUED = {"**", "//", "<=", ">=", "==", "!="}
"""Signs that are another one when they stand together."""


def test_blanks_change_nothing_and_tokens_are_the_text():
    chance = random.Random("blanks")
    for _ in range(DRAWN // 10):
        text = tree(chance, chance.randint(1, 8)).texts[1]
        found = tokens(text)
        assert "".join(token for _, token, _ in found) == text.replace(" ", "")
        assert all(text[place : place + len(token)] == token for _, token, place in found)
        spaced = blanked(chance, text)
        assert [t[:2] for t in tokens(spaced)] == [t[:2] for t in found], spaced
        assert same(of_ours(spaced), of_ours(text))


WORDS = ("if", "else", "and", "or", "not")


@pytest.mark.parametrize("word", WORDS)
def test_names_may_begin_and_end_with_a_word(word, capsys):
    for name in (f"{word}e", f"x{word}", f"{word}_{word}", word.upper(), f"{word}1", f"`{word}`"):
        assert run(["eval", f"{name}*2", f"{name}=3", "--get", "value"]) == 0
        assert capsys.readouterr().out == "6.0\n"
    assert run(["eval", f"{word}*2"]) == 2

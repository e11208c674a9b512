"""What is wrong with an expression, in words that help to put it right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dezero.functions import CONSTANTS, NAMES
from dezero.names import Known
from dezero_cli.faults import ExpressionError, did_you_mean, nearest

Token = tuple[str, str, int]
"""A token's kind, its text and where it begins."""

COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
OPERATORS = COMPARISONS | {"+", "-", "*", "/", "@", "**", "^"}

ADVICE = {
    "%": "there is no remainder or percent operator",
    "&": "write a*b for 'and' of two comparisons",
    "|": "write maximum(a, b) for 'or' of two comparisons",
    "~": "write 1 - a for 'not'",
    "!": "there is no factorial, and 'not equal' is !=",
    "?": "write where(condition, a, b)",
    ":": "write where(condition, a, b) for a choice",
    ";": "write one expression at a time",
    "=": "write == to compare; values come after the expression, as NAME=VALUE",
    "[": "give an array by name: 'sum(x)' x=[1,2,3]",
    "]": "give an array by name: 'sum(x)' x=[1,2,3]",
    "{": "write ( )",
    "}": "write ( )",
    '"': "there are no strings, only numbers",
    "'": "there are no strings, only numbers",
    "`": "write the name without quotes",
    "#": "there are no comments in an expression",
    ".": "names have no attributes, and a number needs at least one digit",
    "$": "write only the name",
    "\n": "an expression must be one line",
    "\r": "an expression must be one line",
    "×": "write *",
    "·": "write *",
    "⋅": "write *",
    "÷": "write /",
    "−": "write -",
    "–": "write -",
    "—": "write -",
    "⁃": "write -",
    "²": "write **2",
    "³": "write **3",
    "√": "write sqrt(x)",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "∞": "write inf",
}
"""What to write instead of characters that the language does not have."""

KEYWORDS = {
    "and": "write a*b for 'and' of two comparisons",
    "or": "write maximum(a, b) for 'or' of two comparisons",
    "not": "write 1 - a for 'not'",
    "if": "write where(condition, a, b)",
    "else": "write where(condition, a, b)",
}
GREEK = {"π": "pi"}
WORDS = {"lambda", "import", "return", "yield", "in", "is", "for", "var", "def", "let"}


# ------------------------------------------------------------------------------- faults of syntax
def unexpected(text: str, tokens: list[Token], index: int, value_expected: bool) -> ExpressionError:
    """Explain why the token at `index` cannot stand where it does."""
    kind, token, place = tokens[index]
    before = tokens[index - 1] if index else None
    if kind == "?" and token == "|" and value_expected:
        return ExpressionError("unexpected '|'", text, place, hint="write abs(x)")
    if kind == "?":
        return _foreign(text, token, place)
    if before is None and kind == "$END":
        return ExpressionError("the expression is empty", text, 0)
    if before is not None and (twice := _double_operator(text, before, tokens[index])):
        return twice
    if value_expected:
        return _no_value(text, tokens, index)
    assert before is not None
    if kind == "$END":
        return ExpressionError("this '(' is never closed", text, _open(tokens, index))
    if kind == ")":
        return ExpressionError("unmatched ')'", text, place)
    if kind == ",":
        point = f"write {before[1]}.{tokens[index + 1][1]}" if _decimal(tokens, index) else None
        message = "',' only separates the arguments of a function"
        return ExpressionError(message, text, place, hint=point)
    if kind == "=":
        return ExpressionError("unexpected '='", text, place, hint=ADVICE["="])
    if kind in COMPARISONS:
        hint = "write (a < b)*(b < c)"
        return ExpressionError("comparisons do not chain", text, place, place + len(token), hint)
    return _side_by_side(text, tokens, index)


def _decimal(tokens: list[Token], index: int) -> bool:
    """Whether the comma at `index` is meant as a decimal point."""
    (kind0, token0, place0), (kind1, _, place1) = tokens[index - 1], tokens[index + 1]
    digits = kind0 == kind1 == "NUMBER" and token0.isdigit()
    return digits and place0 + len(token0) + 1 == place1


def _foreign(text: str, token: str, place: int) -> ExpressionError:
    """A character that cannot begin a token, or that a name must not contain."""
    import unicodedata

    bad = 0
    while len(token) > 1 and token[: bad + 1].isidentifier():
        bad += 1
    character = token[bad]
    if character.isascii() and character.isprintable():
        shown = f"'{character}'" if character != "'" else '"\'"'
    else:
        name = unicodedata.name(character, "a control character").lower()
        shown = f"U+{ord(character):04X} ({name})"
    plain = unicodedata.normalize("NFKC", character)
    hint = ADVICE.get(character)
    if hint is None and plain != character:
        hint = f"write {plain}" if plain.strip() else "write a plain space"
    return ExpressionError(f"unexpected {shown}", text, place + bad, hint=hint)


_DOUBLE = {
    "//": "there is no floor division: write floor(a/b)",
    "<<": "there are no bit operations",
    ">>": "there are no bit operations",
    "^^": "write ** for powers",
    "===": "write ==",
    "<>": "write !=",
    "--": "there is no decrement",
    "++": "there is no increment",
    "+=": "values come after the expression, as NAME=VALUE",
    "-=": "values come after the expression, as NAME=VALUE",
    "*=": "values come after the expression, as NAME=VALUE",
}


def _double_operator(text: str, before: Token, after: Token) -> ExpressionError | None:
    """Two tokens that other languages read as one operator."""
    operator = before[1] + after[1]
    if operator not in _DOUBLE or before[2] + len(before[1]) != after[2]:
        return None
    return ExpressionError(
        f"'{operator}' is not an operator",
        text,
        before[2],
        after[2] + len(after[1]),
        _DOUBLE[operator],
    )


def _no_value(text: str, tokens: list[Token], index: int) -> ExpressionError:
    """An operator, a parenthesis or the end in the place of a value."""
    kind, token, place = tokens[index]
    before = tokens[index - 1] if index else None
    if before is None:
        message = "unmatched ')'" if kind == ")" else f"expected a value before '{token}'"
    elif (before[1], kind) == ("(", ")"):
        message = "expected a value between the parentheses"
    elif kind in OPERATORS and before[1] in {"(", ","}:
        message = f"expected a value before '{token}'"
    else:
        message = f"expected a value after '{before[1]}'"
    if kind == "$END" and before is not None:
        place = before[2] + len(before[1])
    return ExpressionError(message, text, place, place + max(len(token), 1))


def _open(tokens: list[Token], index: int) -> int:
    """Where the innermost parenthesis that is still open before the token at `index` begins."""
    depth = 0
    for _, token, place in reversed(tokens[:index]):
        depth += (token == ")") - (token == "(")
        if depth < 0:
            return place
    return tokens[index][2]


def _side_by_side(text: str, tokens: list[Token], index: int) -> ExpressionError:
    """Two values without an operator between them."""
    (kind, token, place), (kind0, token0, place0) = tokens[index], tokens[index - 1]
    end = place + len(token)
    joined = place0 + len(token0) == place
    if kind0 == "NUMBER" and joined and (fault := _number_fault(token0, kind, token)):
        return ExpressionError(fault, text, place0, end)
    for word in (token0, token):
        if word in KEYWORDS:
            return ExpressionError(
                f"'{word}' is not an operator",
                text,
                place if word == token else place0,
                end,
                KEYWORDS[word],
            )
        if word in WORDS:
            return ExpressionError(f"unexpected '{word}'", text, place if word == token else place0)
    operand = _operand(text, tokens, index)
    if kind0 == "NAME" and token0 in NAMES:
        hint = f"write {token0}({operand})"
        return ExpressionError(f"expected '(' after {token0}", text, place, end, hint)
    if kind0 == kind == "NUMBER":
        return ExpressionError("expected an operator between two numbers", text, place, end)
    left = token0 if kind0 in {"NUMBER", "NAME"} else "(...)"
    hint = f"write {left}*{operand}"
    return ExpressionError(f"expected an operator before '{token}'", text, place, end, hint)


def _number_fault(number: str, kind: str, token: str) -> str | None:
    """What is wrong with a number that is followed by something without a space."""
    if number == "0" and kind == "NAME" and re.fullmatch(r"[xX].*|[bBoO]\d*", token):
        return "numbers are decimal, as in 255 or 1e-3"
    if kind == "NAME" and re.fullmatch(r"[eE]", token):
        return "the exponent must be a whole number, as in 1e-3"
    if kind == "NAME" and token in {"j", "J"}:
        return "there are no complex numbers; for a product, write '*' before the name"
    if token.startswith("_"):
        return "'_' may only stand between two digits"
    if kind == "NUMBER":
        return f"{number}{token} is not a number"
    return None


def _operand(text: str, tokens: list[Token], index: int) -> str:
    """The value that begins at `index`, shortened if it is long."""
    kind, token, _ = tokens[index]
    if kind != "(":
        call = tokens[index + 1][1] == "(" if index + 1 < len(tokens) else False
        return f"{token}(...)" if kind == "NAME" and call else token
    depth = 0
    for _, other, place in tokens[index : index + 12]:
        depth += (other == "(") - (other == ")")
        if depth == 0:
            return text[tokens[index][2] : place + 1]
    return "(...)"


# --------------------------------------------------------------------- faults of names and values
def unknown_function(
    text: str, name: str, start: int, parenthesis: int, end: int
) -> ExpressionError:
    """A call of something that is not a function."""
    near = nearest(name, NAMES)
    if near is not None and len(name) > 1:
        return ExpressionError(
            f"unknown function {name}", text, start, start + len(name), f"did you mean {near}?"
        )
    if len(name) > 2 and name not in CONSTANTS:
        return ExpressionError(
            f"unknown function {name}",
            text,
            start,
            start + len(name),
            "'dezero functions' lists all functions",
        )
    argument = text[parenthesis:end] if end - parenthesis < 20 else "(...)"
    hint = f"write {name}*{argument}" if argument != "()" else None
    return ExpressionError(f"{name} is not a function", text, start, start + len(name), hint)


def wrong_arguments(name: str, known: Known, arity: int, keywords: Mapping[str, int]) -> str | None:
    """Why a function cannot be called in this way; None if it can."""
    if known.form(arity) is None:
        wanted = "1 or more" if known.several else " or ".join(map(str, known.arities))
        return f"{name} takes {wanted} value{'s' if wanted != '1' else ''}, got {arity}"
    allowed = known.keywords if arity == len(known.parameters) else ()
    for keyword in keywords:
        if keyword not in allowed:
            also = f"; it takes {', '.join(allowed)}" if allowed else ""
            return f"{name} takes no argument {keyword}{also}"
    return None


def missing_value(text: str, name: str, place: int, values: Mapping[str, Any]) -> ExpressionError:
    """A name without a value."""
    if name in NAMES:
        hint: str | None = f"the function is called as {name}(...)"
    elif name in GREEK:
        hint = f"add {name}=VALUE, or write {GREEK[name]}"
    else:
        hint = did_you_mean(name, [*values, *CONSTANTS]) or f"add {name}=VALUE"
    return ExpressionError(f"no value for {name}", text, place, place + len(name), hint)


def refused_operation(text: str, operation: Any, error: Exception) -> ExpressionError:
    """An operation that NumPy refuses for the values given."""
    message = str(error).strip().rstrip(".") or type(error).__name__
    shapes = re.search(r"broadcast together with shapes (\(.*?\)) (\(.*?\))", message)
    if shapes:
        message = f"shapes {shapes[1]} and {shapes[2]} do not match"
    nothing = re.match(r"zero-size array to reduction operation (max|min)imum", message)
    if nothing:
        message = f"an empty array has no {nothing[1]}"
    return ExpressionError(message, text, operation.place, operation.place + 1)

"""What is wrong with an expression, in words that help to put it right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dezero.functions import CONSTANTS, NAMES
from dezero.names import Known
from dezero_cli.faults import ExpressionError, nearest
from dezero_cli.language.spelling import name_meant, quoted, typed

Token = tuple[str, str, int]
"""A token's kind, its text and where it begins."""

COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
WORD_OPERATORS = {"and", "or", "not", "if", "else"}
OPERATORS = (
    COMPARISONS
    | WORD_OPERATORS
    | {"+", "-", "*", "/", "//", "%", "@", "**", "^", "&&", "||", "!", "?", ":"}
)
CLOSING = {")": "(", "]": "["}

ADVICE = {
    "&": "write and",
    "|": "write or",
    "~": "write not",
    ";": "write one expression at a time",
    "=": "write == to compare; values come after the expression, as NAME=VALUE",
    "{": "write ( ), or [ ] for a list",
    "}": "write ( )",
    '"': "there are no strings, only numbers",
    "'": "there are no strings, only numbers",
    "`": "a name in backquotes ends with another backquote",
    "#": "there are no comments in an expression",
    ".": "names have no attributes, and a number needs at least one digit",
    "$": "write only the name",
    "\n": "an expression must be one line",
    "\r": "an expression must be one line",
    "×": "write *",
    "⋅": "write *",
    "∙": "write *",
    "÷": "write /",
    "−": "write -",
    "–": "write -",
    "—": "write -",
    "⁃": "write -",
    "√": "write sqrt(x)",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "∞": "write inf",
    "±": "an uncertainty is an option: --sigma NAME=S",
    "∧": "write and",
    "∨": "write or",
    "¬": "write not",
}
"""What to write instead of characters that the language does not have."""

GREEK = {"π": "pi"}
WORDS_ELSEWHERE = {
    "mod": "write %",
    "div": "write //",
    "xor": None,
    "and": "write and",
    "or": "write or",
    "not": "write not",
    "then": "write a if c else b",
}
"""Words that other languages have between values, in capitals too."""
WORDS = {"lambda", "import", "return", "yield", "in", "is", "for", "var", "def", "let"}
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
FRACTIONS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}


CALLED_ELSEWHERE = {
    "tg": "tan",
    "ctg": "cot",
    "cotan": "cot",
    "cosec": "csc",
    "average": "mean",
    "med": "median",
    "lb": "log2",
    "sqroot": "sqrt",
}
"""What functions are called elsewhere, where the nearest name would mislead."""


# ------------------------------------------------------------------------------- faults of syntax
def unexpected(text: str, tokens: list[Token], index: int, value_expected: bool) -> ExpressionError:
    """Explain why the token at `index` cannot stand where it does."""
    kind, token, place = tokens[index]
    before = tokens[index - 1] if index else None
    if kind == "FOREIGN" and token == "|" and value_expected:
        return ExpressionError("unexpected '|'", text, place, hint=_absolute(text, place))
    for pair in zip(tokens[max(index - 1, 0) : index + 1], tokens[index:], strict=False):
        if pair[0] is not pair[1] and (twice := _double_operator(text, *pair)):
            return twice
    if kind == "FOREIGN":
        return _foreign(text, token, place, value_expected)
    if before is None and kind == "$END":
        return ExpressionError("the expression is empty", text, 0)
    if value_expected and _in_subscript(tokens, index):
        message = "a place in an array is a whole number or a slice, as in x[0] and x[1:3]"
        return ExpressionError(message, text, place, place + max(len(token), 1))
    if value_expected:
        return _no_value(text, tokens, index)
    assert before is not None
    opened = _open(tokens, index)
    if kind == "!":
        is_last = tokens[index + 1][0] in {"$END", ")", "]", ",", *OPERATORS}
        hint = f"write factorial({before[1]})" if before[0] in {"NAME", "NUMBER"} else None
        hint = hint if is_last else None
        return ExpressionError("unexpected '!'", text, place, hint=hint)
    if kind == "$END":
        return _unfinished(text, tokens, opened)
    if kind in CLOSING:
        if opened is None:
            return ExpressionError(f"unmatched '{kind}'", text, place)
        other = ")" if opened[1] == "(" else "]"
        return ExpressionError(
            f"'{opened[1]}' is closed by '{kind}'", text, place, hint=f"write {other}"
        )
    if kind == ",":
        return _comma(text, tokens, index)
    if kind == "=":
        return ExpressionError("unexpected '='", text, place, hint=ADVICE["="])
    if kind == ":":
        hint = "a choice is written c ? a : b"
        return ExpressionError("unexpected ':'", text, place, hint=hint)
    if kind in {"else", "not"}:
        return ExpressionError(f"unexpected '{kind}'", text, place, place + len(token))
    return _side_by_side(text, tokens, index)


def _absolute(text: str, place: int) -> str:
    """How |x| is written."""
    end = text.find("|", place + 1)
    inside = text[place + 1 : end].strip() if end > 0 else ""
    return f"write abs({inside})" if 0 < len(inside) <= LONGEST_SHOWN else "write abs(x)"


LONGEST_SHOWN = 24
"""Characters of a part of the text that a hint repeats."""


def _unfinished(text: str, tokens: list[Token], opened: Token | None) -> ExpressionError:
    """The end where something is missing: a bracket, or the rest of a choice."""
    if opened is not None:
        return ExpressionError(f"this '{opened[1]}' is never closed", text, opened[2])
    word, _, place = next(each for each in reversed(tokens) if each[0] in {"if", "?"})
    wanted = "an else: a if c else b" if word == "if" else "a colon: c ? a : b"
    return ExpressionError(f"this '{word}' needs {wanted}", text, place, place + len(word))


def _comma(text: str, tokens: list[Token], index: int) -> ExpressionError:
    """A comma where none can stand."""
    place = tokens[index][2]
    message = "',' separates arguments and the elements of a list"
    before, after = tokens[index - 1][1], tokens[index + 1][1]
    inside = text.strip()
    if inside.startswith("(") and inside.endswith(")") and _open(tokens, index) == tokens[0]:
        inside = inside[1:-1]
    whole = len(inside) <= LONGEST_SHOWN and not inside.endswith(",")
    hint = f"write [{inside}] for several results" if whole else None
    if _decimal(tokens, index):
        thousands = re.fullmatch(r"\d{3}(\.\d*)?", after) and before != "0"
        hint = f"write {before}{after}" if thousands else f"write {before}.{after}"
    return ExpressionError(message, text, place, hint=hint)


def _decimal(tokens: list[Token], index: int) -> bool:
    """Whether the comma at `index` is meant as a decimal point or between thousands."""
    (kind0, token0, place0), (kind1, _, place1) = tokens[index - 1], tokens[index + 1]
    digits = kind0 == kind1 == "NUMBER" and token0.isdigit()
    return digits and place0 + len(token0) + 1 == place1


def _foreign(text: str, token: str, place: int, value_expected: bool) -> ExpressionError:
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
    hint = ADVICE.get(character) or _superscript(text, place + bad, token[:bad])
    if character == "~" and not value_expected:
        hint = "an equation has =="
    if hint is None and character in FRACTIONS and value_expected:
        hint = f"write ({FRACTIONS[character]})"
    plain = unicodedata.normalize("NFKC", character)
    if hint is None and plain != character and character not in FRACTIONS:
        hint = f"write {plain}" if plain.strip() else "write a plain space"
    return ExpressionError(f"unexpected {shown}", text, place + bad, hint=hint)


def _superscript(text: str, place: int, name: str) -> str | None:
    """How the power is written that superscripts stand for: ``**-1`` for ⁻¹.

    Behind the name of a function the power is that of its value; sin⁻¹ is the arcsine.
    """
    end = place
    while end < len(text) and ord(text[end]) in SUPERSCRIPTS:
        end += 1
    if end == place:
        return None
    exponent = text[place:end].translate(SUPERSCRIPTS)
    if name not in NAMES:
        return f"write **{exponent}"
    argument = re.match(r"\s*(\([^()]*\))", text[end:])
    shown = argument[1] if argument and len(argument[1]) <= LONGEST_SHOWN else "(x)"
    if exponent == "-1" and f"arc{name}" in NAMES:
        return f"write arc{name}{shown}"
    return f"write {name}{shown}**{exponent}"


_DOUBLE = {
    "<<": "there are no bit operations",
    ">>": "there are no bit operations",
    "^^": "write ** for powers",
    "===": "write ==",
    "!==": "write !=",
    "<>": "write !=",
    "~=": "write !=",
    "=<": "write <=",
    "=>": "write >=",
    ":=": "values come after the expression, as NAME=VALUE",
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
    """An operator, a bracket or the end in the place of a value."""
    kind, token, place = tokens[index]
    before = tokens[index - 1] if index else None
    hint = None
    if kind == "if" and tokens[index + 1][1] == "(":
        hint = "write where(c, a, b), or a if c else b"
    if before is None:
        message = f"unmatched '{kind}'" if kind in CLOSING else f"expected a value before '{token}'"
    elif (before[1], kind) in {("(", ")"), ("[", "]")}:
        between = "parentheses" if kind == ")" else "brackets"
        message = f"expected a value between the {between}"
    elif kind in OPERATORS and before[1] in {"(", ",", "["}:
        message = f"expected a value before '{token}'"
    else:
        message = f"expected a value after '{before[1]}'"
    if before is not None and before[1] == "%" and tokens[index - 2][0] == "NUMBER":
        hint = f"write {tokens[index - 2][1]}/100"
    if kind == "$END" and before is not None:
        place = before[2] + len(before[1])
    return ExpressionError(message, text, place, place + max(len(token), 1), hint)


def _open(tokens: list[Token], index: int) -> Token | None:
    """The innermost bracket that is still open before the token at `index`."""
    opened: list[Token] = []
    for token in tokens[:index]:
        if token[1] in {"(", "["}:
            opened.append(token)
        elif token[1] in CLOSING and opened:
            opened.pop()
    return opened[-1] if opened else None


def _in_subscript(tokens: list[Token], index: int) -> bool:
    """Whether the innermost open bracket stands behind a value."""
    opened = _open(tokens, index)
    if opened is None or opened[1] != "[":
        return False
    at = tokens.index(opened)
    return at > 0 and tokens[at - 1][0] in {"NAME", "QUOTED", ")", "]"}


def _side_by_side(text: str, tokens: list[Token], index: int) -> ExpressionError:
    """Two values without an operator between them."""
    (kind, token, place), (kind0, token0, place0) = tokens[index], tokens[index - 1]
    end = place + len(token)
    joined = place0 + len(token0) == place
    if kind0 == "NUMBER" and joined and (fault := _number_fault(token0, kind, token)):
        return ExpressionError(fault, text, place0, end)
    for word in (token0, token):
        if word in WORDS:
            return ExpressionError(f"unexpected '{word}'", text, place if word == token else place0)
    if kind == "NAME" and token.lower() in WORDS_ELSEWHERE:
        hint = WORDS_ELSEWHERE[token.lower()]
        return ExpressionError(f"'{token}' is not an operator", text, place, end, hint)
    if kind in {"NAME", "QUOTED"} and tokens[index + 1][0] == "=":
        hint = "values stand behind the expression, as words of their own, or after ; in a line"
        return ExpressionError(f"unexpected '{token}='", text, place, end, hint)
    operand = _operand(text, tokens, index)
    powered = [each[1] for each in tokens[max(index - 3, 0) : index]]
    if kind == "(" and len(powered) == 3 and powered[0] in NAMES and powered[1] in {"^", "**"}:
        hint = f"write {powered[0]}{operand}**{powered[2]}" if operand != "(...)" else None
        return ExpressionError(
            f"expected '(' after {powered[0]}", text, tokens[index - 2][2], hint=hint
        )
    if kind0 == "NAME" and token0 in NAMES:
        hint = f"write {token0}({operand})" if "..." not in operand else None
        return ExpressionError(f"expected '(' after {token0}", text, place, end, hint)
    if kind0 == kind == "NUMBER":
        return ExpressionError("expected an operator between two numbers", text, place, end)
    left = token0 if kind0 in {"NUMBER", "NAME", "QUOTED"} else "(...)"
    hint = f"write {left}*{GREEK.get(operand, operand)}"
    if left == "(...)":
        hint = "write * between them"
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
    near = CALLED_ELSEWHERE.get(name) or nearest(name, NAMES, cutoff=0.75)
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
        fewest = 1 if 1 in known.arities else 2
        wanted = f"{fewest} or more" if known.several else " or ".join(map(str, known.arities))
        return f"{name} takes {wanted} value{'s' if wanted != '1' else ''}, got {arity}"
    allowed = known.keywords if arity == len(known.parameters) else ()
    for keyword in keywords:
        if keyword not in allowed:
            also = f"; it takes {', '.join(allowed)}" if allowed else ""
            return f"{name} takes no argument {keyword}{also}"
    return None


def assignment(name: str) -> str:
    """How a value is given on the command line; quoted for the shell where it has backquotes."""
    return typed(f"{quoted(name)}=VALUE")


def missing_value(text: str, name: str, place: int, values: Mapping[str, Any]) -> ExpressionError:
    """A name without a value."""
    if name in NAMES:
        hint: str | None = f"the function is called as {name}(...)"
    elif "·" in name:  # which Unicode allows in names
        hint = f"write {name.replace('·', '*')}"
    elif name in GREEK:
        hint = f"add {name}=VALUE, or write {GREEK[name]}"
    else:
        near = [each for each in [*values, *CONSTANTS] if each != name]
        hint = name_meant(name, near) or f"add {assignment(name)}"
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

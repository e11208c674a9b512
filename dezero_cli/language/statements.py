"""Words such as ``a=3``, ``r=hypot(x, y)``, ``g(t)=exp(-t)``: values, definitions, functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from dezero_cli.faults import FileText, ValuesError
from dezero_cli.language import bounds, values
from dezero_cli.language.expression import DefinedFunction, Expression
from dezero_cli.language.parser import parse, parse_anew
from dezero_cli.language.spelling import NAME, canonical, typed

ANY_NAME: Final = rf"(?:{NAME}|`[^`\r\n]+`)"
_HEAD = re.compile(rf"\s*({ANY_NAME})\s*(\(\s*{ANY_NAME}\s*(?:,\s*{ANY_NAME}\s*)*\))?\s*=(?!=)")
"""How NAME=VALUE and NAME(PARAMETERS)=EXPR begin; no expression begins so."""


_UNIT = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)? ?[^\W\d_]+|[-+]?\d[\d.]*\s*[°%].*"
"""A number with a unit behind it."""


class Head(NamedTuple):
    """What stands before the ``=`` of a statement, and where the text behind it begins."""

    name: str
    parameters: tuple[str, ...] | None
    end: int


def head(text: str) -> Head | None:
    """The head of a statement; None if the text is an expression."""
    match = _HEAD.match(text)
    if match is None or not (match[1].isidentifier() or match[1][0] == "`"):
        return None
    if match[2] is None:
        return Head(canonical(match[1]), None, match.end())
    parameters = re.findall(ANY_NAME, match[2])
    return Head(canonical(match[1]), tuple(map(canonical, parameters)), match.end())


def is_statement(word: str) -> bool:
    """Whether a word of the command line is NAME=VALUE or NAME(PARAMETERS)=EXPR."""
    return head(word) is not None


def readers(words: Iterable[str]) -> list[str]:
    """The names in statements NAME=VALUE whose VALUE is read from standard input."""
    every = ((word, head(word)) for word in words)
    return [
        begun.name
        for word, begun in every
        if begun is not None and re.fullmatch(r"@-(:.*)?", behind(word, begun))
    ]


class Given:
    """What is said of names: their values, their definitions, and functions.

    `refused` are names of a JSON file whose values are not numbers, with what is wrong with them:
    a fault where they are used, and no harm where they are not.
    """

    __slots__ = ("definitions", "functions", "refused", "values")

    def __init__(self) -> None:
        self.values: dict[str, np.ndarray] = {}
        self.definitions: dict[str, Expression] = {}
        self.functions: dict[str, DefinedFunction] = {}
        self.refused: dict[str, str] = {}

    def linked(self, text: str, most: int | None = None) -> Expression:
        """The expression of a text, with what it uses of the definitions and functions.

        Raises ExpressionError for a text that is not an expression, and as Linked does, and
        ValuesError for a name in it whose value is `refused`.
        """
        expression = parsed(text, self.functions)
        if self.definitions or self.functions:
            expression = linked(expression, self.definitions, self.functions, most)
        self.refuse(expression)
        return expression

    def refuse(self, expression: Expression) -> None:
        """Raise ValuesError for a name in an expression whose value is `refused`."""
        for name in expression.places:
            if name in self.refused:
                raise ValuesError(self.refused[name])


def linked(
    expression: Expression,
    definitions: Mapping[str, Expression],
    functions: Mapping[str, DefinedFunction],
    most: int | None = None,
) -> Expression:
    """An expression with what is defined."""
    from dezero_cli.language.linking import Linked

    return Linked(expression, definitions, functions, most or bounds.MOST_OPERATIONS)


def parsed(text: str, functions: Collection[str] = ()) -> Expression:
    """The expression of a text that may call the user's functions.

    A text out of a file is parsed anew, since it knows its place in that file.
    """
    parse_text = parse_anew if isinstance(text, FileText) else parse
    return parse_text(text, frozenset(functions))


def given(words: Iterable[str], files: bool = True, columns: Collection[str] = ()) -> Given:
    """What words of the form NAME=VALUE and NAME(PARAMETERS)=EXPR say.

    With `files` a VALUE may be ``@FILE``.  A VALUE is a definition where it has a name that is not
    a constant; the names given here and the `columns` of a table are none.  Raises ValuesError,
    or ExpressionError for a VALUE that is an expression with a fault.
    """
    return sorted_out(statements(words), files, columns)


def defined(said: Mapping[str, tuple[Head, str]]) -> Given:
    """The definitions and functions of statements that have no values among them."""
    result = Given()
    functions = [(begun, word) for begun, word in said.values() if begun.parameters is not None]
    _add_functions(result, functions)
    for begun, word in said.values():
        if begun.parameters is None:
            result.definitions[begun.name] = parsed(behind(word, begun), result.functions)
    return result


def statements(words: Iterable[str]) -> dict[str, tuple[Head, str]]:
    """The text behind the head of each word, by name; ``g()`` is the function g."""
    found: dict[str, tuple[Head, str]] = {}
    for word in words:
        begun = head(word)
        where = f"{word.place(0)}: " if isinstance(word, FileText) else ""
        if begun is None:
            raise ValuesError(f"{where}expected NAME=VALUE, got {str(word)!r}")
        key = begun.name if begun.parameters is None else f"{begun.name}()"
        if key in found:
            raise ValuesError(f"{where}{begun.name} is given twice")
        found[key] = begun, word
    return found


def sorted_out(
    said: Mapping[str, tuple[Head, str]], files: bool = True, columns: Collection[str] = ()
) -> Given:
    """Which of the statements are values, definitions and functions."""
    result = Given()
    functions = [(begun, word) for begun, word in said.values() if begun.parameters is not None]
    _add_functions(result, functions)
    known = {*columns, *(begun.name for begun, _ in said.values() if begun.parameters is None)}
    for begun, word in said.values():
        if begun.parameters is None:
            _sort(result, begun.name, behind(word, begun), files, known)
    return result


def _add_functions(result: Given, functions: Iterable[tuple[Head, str]]) -> None:
    """Add functions, whose bodies may call one another."""
    functions = list(functions)
    named = {begun.name for begun, _ in functions}
    for begun, word in functions:
        assert begun.parameters is not None
        if len(set(begun.parameters)) < len(begun.parameters):
            raise ValuesError(f"{begun.name} has two parameters of one name")
        body = parsed(behind(word, begun), named)
        result.functions[begun.name] = DefinedFunction(begun.name, begun.parameters, body)


def refuse_several(option: str, word: str, begun: Head, shown: str) -> None:
    """Raise ValuesError for ``a=1,b=2`` behind an option that takes one of these a time."""
    if following := re.search(r",\s*(?=[^,=]+=)", word[begun.end :]):
        one, other = word[: begun.end + following.start()], word[begun.end + following.end() :]
        hint = f"write {option} {typed(one)} {option} {typed(other)}"
        raise ValuesError(f"{option} takes one {shown}: {hint}")


def behind(word: str, begun: Head) -> str:
    """The text behind the head of a statement; one out of a file keeps its place there."""
    return word.after(begun.end) if isinstance(word, FileText) else word[begun.end :].strip()


def _sort(result: Given, name: str, text: str, files: bool, known: Collection[str]) -> None:
    """Add a value or a definition."""
    array = values.literal(name, text, files)
    if array is None and ":" in text:
        from dezero_cli.language import ranges

        array = None if ranges.parts(text) is None else ranges.samples(name, text)
    if array is None:
        if re.fullmatch(_UNIT, text):
            raise ValuesError(f"{name}={text}: values are plain numbers, without units")
        expression = parsed(text, result.functions)
        if not _is_constant(expression, result.functions, known):
            result.definitions[name] = expression
            return
        whole = linked(expression, {}, result.functions) if expression.calls else expression
        array = np.array(whole.evaluate({}).data)
    result.values[name] = array


def _is_constant(
    expression: Expression, functions: Mapping[str, DefinedFunction], known: Collection[str]
) -> bool:
    """Whether an expression, with what it calls, has constants for names and nothing else."""
    pending: list[tuple[Expression, tuple[str, ...]]] = [(expression, ())]
    seen: set[str] = set()
    while pending:
        part, parameters = pending.pop()
        for name in part.places:
            if name not in parameters and (name in known or not part.is_constant(name)):
                return False
        for name in part.calls:
            if name not in seen:
                seen.add(name)
                pending.append((functions[name].body, functions[name].parameters))
    return True

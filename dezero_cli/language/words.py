"""Words of the command line: which is the expression, and which say what names mean."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from dezero_cli import reading
from dezero_cli.faults import FileError, FileText, UsageError
from dezero_cli.language import statements, values
from dezero_cli.language.statements import Given, Head

if TYPE_CHECKING:
    import numpy as np

    from dezero_cli.language.expression import Expression


class Formula:
    """What the words of a command say: an expression, and what is given for its names.

    `text` is the expression's; `name` what a formula file calls its result, if it does; `said`
    the statements by name, of which `given` sorts out the values and the definitions; `vars_file`
    a JSON file with values, which give way to those of the statements.
    """

    def __init__(
        self,
        text: str,
        name: str | None,
        said: dict[str, tuple[Head, str]],
        vars_file: str | None = None,
    ) -> None:
        self.text = text
        self.name = name
        self.said = said
        self.vars_file = vars_file

    def given(self, columns: Collection[str] = ()) -> Given:
        """What is given for names."""
        named: dict[str, np.ndarray] = {}
        refused: dict[str, str] = {}
        if self.vars_file:
            named, refused = values.variables_file(self.vars_file)
        said = {
            key: (begun, word)
            for key, (begun, word) in self.said.items()
            if not (isinstance(word, FileText) and key in named)  # a value is the command line's
        }
        found = statements.sorted_out(said, columns=[*columns, *named, *refused])
        here = {*found.values, *found.definitions}
        found.values = {n: x for n, x in named.items() if n not in here} | found.values
        found.refused = {n: fault for n, fault in refused.items() if n not in here}
        return found

    def own(self, found: Given) -> list[str]:
        """The values of the command line, which have a gradient of 0 where nothing uses them."""
        of_file = {key for key, (_, word) in self.said.items() if isinstance(word, FileText)}
        return [name for name in found.values if name not in of_file]


def formula(
    words: Sequence[str],
    example: str = "'a*b+c' a=3 b=2 c=1",
    defs: str | None = None,
    vars_file: str | None = None,
    readers: Sequence[str] = (),
) -> Formula:
    """The expression and the statements of words, in whatever order they were typed.

    An expression ``-`` is read from standard input, ``@FILE`` from a formula file; `defs` is a
    file of statements alone, `vars_file` one of values.  The command line's statements win over
    those of files.  Raises UsageError unless there is exactly one expression, of which `example` is
    one, and if several of these and of `readers` read standard input.
    """
    word, said = expression_and_statements(words, example)
    named = {"the expression": word.removeprefix("@"), "--vars": vars_file, "--defs": defs}
    asking = [what for what, file in named.items() if file == "-"]
    reading.read_by_one([*asking, *statements.readers(said), *readers])
    shared = library(defs)
    if not word.startswith("@"):
        every = shared | statements.statements(said)
        return Formula(expression_text(word), None, every, vars_file)
    *others, last = file_statements(word[1:])
    begun = statements.head(last)
    if begun is not None and begun.parameters is not None:
        message = "the last line is the result: an expression, or NAME = EXPRESSION"
        raise FileError(last.place(0), message)
    text, name = (last, None) if begun is None else (last.after(begun.end), begun.name)
    of_file = statements.statements(others)
    return Formula(text, name, shared | of_file | statements.statements(said), vars_file)


def library(defs: str | None) -> dict[str, tuple[Head, str]]:
    """The statements of the file that ``--defs`` names; the result of a formula file is left."""
    if not defs:
        return {}
    *others, last = file_statements(defs)
    if others and statements.head(last) is None and not re.search("(?<![=<>!])=(?!=)", last):
        return statements.statements(others)
    return statements.statements([*others, last])


def file_statements(name: str) -> list[FileText]:
    """The statements of a formula file."""
    from dezero_cli.language import formula_file

    if not name:
        raise UsageError("@ needs the name of a formula file, as in @model.dz")
    return formula_file.statements(name)


def expression_and_statements(words: Iterable[str], example: str) -> tuple[str, list[str]]:
    """The one word that is an expression, and the others."""
    expressions: list[str] = []
    said: list[str] = []
    for word in words:
        (said if statements.is_statement(word) else expressions).append(word)
    if not expressions and said:  # only 'x = 1': the parser says what is wrong
        expressions, said = said[:1], said[1:]
    if not expressions:
        raise UsageError(f"missing the expression EXPR; for example: {example}")
    if len(expressions) > 1:
        hint = (
            "write NAME=VALUE without spaces"
            if "=" in expressions
            else "quote the whole expression, and give values as NAME=VALUE"
        )
        raise UsageError(f"unexpected {expressions[1]!r} after the expression: {hint}")
    if "." in expressions[0] and os.path.isfile(expressions[0]):
        raise UsageError(f"{expressions[0]} is a file: write @{expressions[0]}")
    return expressions[0], said


def expression_text(word: str) -> str:
    """The expression that a word is; ``-`` is what standard input holds."""
    if word != "-":
        return word
    try:
        return reading.whole("-").removeprefix(reading.BOM).decode().strip()
    except UnicodeDecodeError as error:
        raise FileError("standard input", f"not UTF-8 at byte {error.start}") from None


def definitions_used(expression: Expression) -> dict[str, str]:
    """The definitions and functions that an expression uses, as written, by their heads."""
    heads = {f"{f.name}({', '.join(f.parameters)})": f.body for f in expression.functions.values()}
    every = heads | dict(expression.definitions)
    return {head: " ".join(each.text.split()) for head, each in every.items()}

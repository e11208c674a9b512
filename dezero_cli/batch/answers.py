"""Lines -> lines of JSON: the answers of `dezero batch`.

Lines with the same expression and the same names are stacked and evaluated in one pass, which
gives exactly the same numbers as evaluating each by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero_cli import places, report
from dezero_cli.batch.alike import alike
from dezero_cli.batch.lines import Formula, Line, LineBlock, LineFault, arrays, lines_of
from dezero_cli.faults import ExpressionError, ValuesError
from dezero_cli.language import json_input, values
from dezero_cli.language.expression import Expression
from dezero_cli.language.parser import parse
from dezero_cli.language.results import Wanted, results
from dezero_cli.number_format import ShowNumber, number_text


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says for every line."""

    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    fail_fast: bool = False
    longest: int = 1 << 20
    formula: Formula | None = None
    get: tuple[str, ...] = ()
    show: ShowNumber = number_text

    def used(self, expression: Expression) -> dict[str, np.ndarray]:
        """The values of the command line that a line of this expression uses."""
        named = {*expression.places, *(self.wanted.wrt or ())}
        for name, sigma in self.wanted.sigmas.items():
            named |= {name, sigma} if isinstance(sigma, str) else {name}
        return {name: array for name, array in self.values.items() if name in named}


@dataclass(slots=True)
class Answer:
    """What is written for a block: lines of JSON, and (line, column, message) of each fault."""

    out: bytes
    faults: list[tuple[int, int, str]] = field(default_factory=list)


def answer(block: LineBlock, settings: Settings) -> Answer:
    """Answer all lines of a block, in their order."""
    lines = alike(block, settings.longest, settings.formula)
    if lines is not None:
        numbers = range(block.first, block.first + block.count)
        out = _stacked(numbers, lines.identities, lines.expr, lines.columns, settings, block.data)
        if out is not None:
            return Answer(out)
    asked = lines_of(block, settings.longest, settings.formula)
    texts = _answers(asked, settings)
    faults = []
    for i, line in enumerate(asked):
        if line.fault is not None:
            fault = line.fault
            faults.append((line.number, fault.column, fault.message))
            texts[i] = written(faulty(line, fault), settings)
            if settings.fail_fast:
                del texts[i + 1 :]
                break
    return Answer(b"".join(texts), faults)


def _answers(asked: list[Line], settings: Settings) -> list[bytes]:
    """The answer to each line; for a line without one, its fault is set."""
    texts = [b""] * len(asked)
    for (expr, *names), members in _groups(asked).items():
        together = [asked[i] for i in members]
        out = _together(expr, names, together, settings) if len(members) > 1 else None
        if out is None:
            for i in members:
                texts[i] = _alone(asked[i], settings)
        else:
            for i, line in zip(members, out.splitlines(keepends=True), strict=True):
                texts[i] = line
    return texts


def _groups(asked: list[Line]) -> dict[tuple[str, ...], list[int]]:
    """The lines by expression and names."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, line in enumerate(asked):
        if line.fault is None:
            key = (line.expr, *line.values)
            members = groups.get(key)
            if members is None:
                groups[key] = [i]
            else:
                members.append(i)
    return groups


def _together(
    expr: str, names: Sequence[str], asked: list[Line], settings: Settings
) -> bytes | None:
    """The answers to lines with one expression and the same names; None if not in one pass."""
    columns = zip(*(line.values.values() for line in asked), strict=True)
    given = dict(zip(names, columns, strict=True))
    numbers = [line.number for line in asked]
    identities = [line.identity for line in asked]
    return _stacked(numbers, identities if any(identities) else None, expr, given, settings)


def _stacked(
    numbers: Sequence[int],
    identities: Sequence[tuple[Any, ...]] | None,
    expr: str,
    columns: Mapping[str, Sequence[Any]],
    settings: Settings,
    text: bytes = b"",
) -> bytes | None:
    """The answers to lines of one expression in one pass.

    None if that is not possible: for values that are not numbers, for an expression that mixes the
    elements of arrays, for one with a fault, and for a 0 whose sign the `text` of the lines has.
    """
    try:
        expression = parse(expr)
        given = _columns(len(numbers), columns, settings.used(expression))
        if given is None or not expression.elementwise:
            return None
        zeros = text and not all(given[name].all() for name in columns)
        if zeros and json_input.has_negative_zero(text):
            return None
        answers = results(expression, given, settings.wanted, stacked=True, own=columns)
    except Exception:  # noqa: BLE001, answered by itself, each line says what is wrong with it
        return None
    if settings.get:
        begun = {"line": list(numbers), "expr": [expr] * len(numbers)}
        if identities is not None:
            begun["id"] = [identity[0] if identity else math.nan for identity in identities]
        return places.table(begun | answers, settings.get, len(numbers), settings.show)
    return report.json_table(numbers, identities, expr, answers)


def _columns(
    count: int, columns: Mapping[str, Sequence[Any]], constants: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """An array for each name, values of the command line repeated; None if one is not a number."""
    if any(array.ndim for array in constants.values()):
        return None
    given = {name: np.full(count, array) for name, array in constants.items()}
    for name, items in columns.items():
        array = values.column(items) if name.isidentifier() else None
        if array is None:
            return None
        given[name] = array
    return given


def record(line: Line) -> dict[str, Any]:
    """The keys that every record begins with."""
    begun: dict[str, Any] = {"line": line.number}
    if line.identity:
        begun["id"] = line.identity[0]
    begun["expr"] = line.expr
    return begun


def faulty(line: Line, fault: LineFault) -> dict[str, Any]:
    """The record of a line that has a fault."""
    error = {"type": fault.kind, "message": fault.message, "column": fault.column}
    return record(line) | {"error": error}


def written(answered: Mapping[str, Any], settings: Settings) -> bytes:
    """The record of a line as JSON, or what ``--get`` asks of it."""
    if settings.get:
        return places.line(answered, settings.get, settings.show)
    return report.json_line(answered)


def _alone(line: Line, settings: Settings) -> bytes:
    """The answer to one line; empty if there is none, and then the line's fault is set."""
    try:
        expression = parse(line.expr)
        given = settings.used(expression) | arrays(line.values)
        answer = results(expression, given, settings.wanted, own=line.values)
        return written(record(line) | answer, settings)
    except ExpressionError as error:
        line.fault = LineFault("expression", str(error), line.offset + error.column)
    except ValuesError as error:
        line.fault = LineFault("values", str(error))
    except MemoryError:
        line.fault = LineFault("memory", "not enough memory")
    except Exception as error:  # noqa: BLE001, so that the other lines are answered
        message = f"internal error, please report it: {type(error).__name__}: {error}"
        line.fault = LineFault("internal", message)
    return b""

"""Requests -> lines of JSON: the answers of `dezero batch`.

Requests with the same expression and the same names are stacked and evaluated in one pass, which
gives the same bits as one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from dezero_cli import differentiate, report
from dezero_cli.diagnosis import ExpressionError
from dezero_cli.expression import Expression, parse
from dezero_cli.lines import Chunk, Fault, Request, arrays, objects, requests
from dezero_cli.values import ValuesError


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says for every line."""

    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    wrt: Sequence[str] = ()
    no_grad: bool = False
    fail_fast: bool = False
    longest: int = 1 << 20


@dataclass(slots=True)
class Answer:
    """What goes to standard output and standard error for a chunk."""

    out: bytes
    errors: list[str]
    size: int


def answer(chunk: Chunk, settings: Settings) -> Answer:
    """Answer all lines of a chunk, in their order."""
    lines = [line.rstrip(b"\r") for line in chunk.lines]
    items = objects(lines, settings.longest)
    if items is not None:
        out = _alike(items, chunk.first, settings)
        if out is not None:
            return Answer(out, [], chunk.size)
    asked = requests(lines, items, chunk.first, settings.longest)
    results = _answers(asked, settings)
    errors = []
    for i, request in enumerate(asked):
        if request.fault is not None:
            fault = request.fault
            errors.append(f"{chunk.source}:{request.line}:{fault.column}: {fault.message}")
            results[i] = _record(request) | {
                "error": {"type": fault.kind, "message": fault.message, "column": fault.column}
            }
            if settings.fail_fast:
                del results[i + 1 :]
                break
    return Answer(report.json_lines(results), errors, chunk.size)


def _alike(items: list[dict[str, Any]], first: int, settings: Settings) -> bytes | None:
    """The answers to objects with one expression and the same names: the usual case, and fast.

    None where they are not alike, or where an answer is no finite number.
    """
    try:
        text, names = items[0]["expr"], tuple(items[0]["vars"])
        if {item["expr"] for item in items} != {text} or type(text) is not str:
            return None
        rows = [item["vars"] for item in items]
        if set(map(tuple, rows)) != {names}:
            return None
        given = _stacked(names, [row.values() for row in rows], settings)
        outcome = None if given is None else _stacked_results(text, given, settings)
    except (KeyError, TypeError, AttributeError, ExpressionError, ValuesError):
        return None
    if outcome is None:
        return None
    columns = [outcome["value"], *outcome.get("grad", {}).values()]
    table = np.stack([np.broadcast_to(column, (len(items),)) for column in columns], axis=1)
    if not np.isfinite(table).all():
        return None
    identities = [item.get("id", report.MISSING) for item in items]
    return report.json_table(first, identities, text, outcome, table)


def _answers(asked: list[Request], settings: Settings) -> list[dict[str, Any]]:
    """The answer to each request; where there is none, the request's fault is set."""
    results: list[dict[str, Any]] = [{} for _ in asked]
    for (text, *names), members in _groups(asked).items():
        rows = [asked[i].values.values() for i in members]
        outcome = None
        if len(members) > 1:
            try:
                given = _stacked(names, rows, settings)
                outcome = None if given is None else _stacked_results(text, given, settings)
            except (ExpressionError, ValuesError):
                outcome = None
        if outcome is None:
            for i in members:
                results[i] = _alone(asked[i], settings)
        else:
            for i, result in zip(members, _rows(outcome, len(members)), strict=True):
                results[i] = _record(asked[i]) | result
    return results


def _groups(asked: list[Request]) -> dict[tuple[str, ...], list[int]]:
    """The requests by expression and names."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, request in enumerate(asked):
        if request.fault is None:
            key = (request.expr, *request.values)
            members = groups.get(key)
            if members is None:
                groups[key] = [i]
            else:
                members.append(i)
    return groups


def _record(request: Request) -> dict[str, Any]:
    """The keys that every record begins with."""
    record: dict[str, Any] = {"line": request.line}
    if request.has_identity:
        record["id"] = request.identity
    record["expr"] = request.expr
    return record


def _alone(request: Request, settings: Settings) -> dict[str, Any]:
    """The answer to one request; empty, and its fault set, where there is none."""
    try:
        expression = parse(request.expr)
        given = {**settings.values, **arrays(request.values)}
        return _record(request) | _results(expression, given, settings)
    except ExpressionError as error:
        request.fault = Fault("expression", str(error), request.offset + error.column)
    except ValuesError as error:
        request.fault = Fault("values", str(error))
    return {}


def _results(
    expression: Expression, given: Mapping[str, np.ndarray], settings: Settings
) -> dict[str, Any]:
    """The value and the gradients of one evaluation."""
    if settings.no_grad:
        return {"value": differentiate.value(expression, given)}
    names = differentiate.inputs(expression, given, settings.wrt)
    value, gradients = differentiate.value_and_gradient(expression, given, names)
    return {"value": value, "grad": gradients}


def _stacked_results(
    text: str, given: Mapping[str, np.ndarray], settings: Settings
) -> dict[str, Any] | None:
    """The results for columns of inputs; None for an expression that mixes their elements."""
    expression = parse(text)
    return _results(expression, given, settings) if expression.elementwise else None


def _rows(outcome: Mapping[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """The results of columns, row by row."""
    values = np.broadcast_to(outcome["value"], (count,)).tolist()
    if "grad" not in outcome:
        yield from ({"value": value} for value in values)
        return
    names = list(outcome["grad"])
    columns = [np.broadcast_to(array, (count,)).tolist() for array in outcome["grad"].values()]
    gradients = zip(*columns, strict=True) if columns else [()] * count
    for value, gradient in zip(values, gradients, strict=True):
        yield {"value": value, "grad": dict(zip(names, gradient, strict=True))}


def _stacked(
    names: Sequence[str], rows: Sequence[Iterable[Any]], settings: Settings
) -> dict[str, np.ndarray] | None:
    """A column for each name, numbers of the command line repeated; None if some are no numbers."""
    if not all(map(str.isidentifier, names)):
        return None
    if any(array.ndim for array in settings.values.values()):
        return None
    flat = list(chain.from_iterable(rows))
    kinds = set(map(type, flat))
    if not kinds <= {float, int} and (kinds != {np.ndarray} or any(array.ndim for array in flat)):
        return None
    try:
        table = np.array(flat, dtype=np.float64).reshape(len(rows), len(names))
    except OverflowError:
        return None
    common = {name: np.full(len(rows), array) for name, array in settings.values.items()}
    return common | {name: table[:, i].copy() for i, name in enumerate(names)}

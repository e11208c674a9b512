"""Requests -> lines of JSON: the answers of `dezero batch`.

Requests with the same expression and the same names are stacked and evaluated in one pass, which
gives the same bits as one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero_cli import report
from dezero_cli.batch.alike import alike
from dezero_cli.batch.lines import Chunk, Fault, Request, arrays, requests
from dezero_cli.language import differentiate, values
from dezero_cli.language.diagnosis import ExpressionError
from dezero_cli.language.expression import Expression, parse
from dezero_cli.language.values import ValuesError


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says for every line."""

    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    wrt: Sequence[str] = ()
    no_grad: bool = False
    jacobian: bool = False
    hessian: bool = False
    sigmas: Mapping[str, np.ndarray | str] = field(default_factory=dict)
    fail_fast: bool = False
    longest: int = 1 << 20


@dataclass(slots=True)
class Answer:
    """What is written for a chunk: lines of JSON, and (line, column, message) of each fault."""

    out: bytes
    faults: list[tuple[int, int, str]] = field(default_factory=list)


def answer(chunk: Chunk, settings: Settings) -> Answer:
    """Answer all lines of a chunk, in their order."""
    lines = alike(chunk, settings.longest)
    if lines is not None:
        numbers = range(chunk.first, chunk.first + chunk.count)
        out = _stacked(numbers, lines.identities, lines.expr, lines.columns, settings)
        if out is not None:
            return Answer(out)
    asked = requests(chunk, settings.longest)
    written = _answers(asked, settings)
    faults = []
    for i, request in enumerate(asked):
        if request.fault is not None:
            fault = request.fault
            faults.append((request.line, fault.column, fault.message))
            error = {"type": fault.kind, "message": fault.message, "column": fault.column}
            written[i] = report.json_line(record(request) | {"error": error})
            if settings.fail_fast:
                del written[i + 1 :]
                break
    return Answer(b"".join(written), faults)


def _answers(asked: list[Request], settings: Settings) -> list[bytes]:
    """The answer to each request; where there is none, the request's fault is set."""
    written = [b""] * len(asked)
    for (expr, *names), members in _groups(asked).items():
        together = [asked[i] for i in members]
        out = _together(expr, names, together, settings) if len(members) > 1 else None
        if out is None:
            for i in members:
                written[i] = _alone(asked[i], settings)
        else:
            for i, line in zip(members, out.splitlines(keepends=True), strict=True):
                written[i] = line
    return written


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


def _together(
    expr: str, names: Sequence[str], asked: list[Request], settings: Settings
) -> bytes | None:
    """The answers to requests with one expression and the same names; None if not in one pass."""
    columns = zip(*(request.values.values() for request in asked), strict=True)
    given = dict(zip(names, columns, strict=True))
    numbers = [request.line for request in asked]
    identities = [request.identity for request in asked]
    return _stacked(numbers, identities if any(identities) else None, expr, given, settings)


def _stacked(
    numbers: Sequence[int],
    identities: Sequence[tuple[Any, ...]] | None,
    expr: str,
    columns: Mapping[str, Sequence[Any]],
    settings: Settings,
) -> bytes | None:
    """The answers to lines of one expression in one pass.

    None where that cannot be: for values that are no numbers, for an expression that mixes the
    elements of arrays, and for one with a fault.
    """
    given = _columns(len(numbers), columns, settings)
    if given is None:
        return None
    try:
        expression = parse(expr)
        if not expression.elementwise:
            return None
        results = _results(expression, given, settings, stacked=True)
    except Exception:  # noqa: BLE001, one by one, each line says what is wrong with it
        return None
    return report.json_table(numbers, identities, expr, results)


def _columns(
    count: int, columns: Mapping[str, Sequence[Any]], settings: Settings
) -> dict[str, np.ndarray] | None:
    """An array for each name, numbers of the command line repeated; None if some are no numbers."""
    if any(array.ndim for array in settings.values.values()):
        return None
    given = {name: np.full(count, array) for name, array in settings.values.items()}
    for name, items in columns.items():
        array = values.column(items) if name.isidentifier() else None
        if array is None:
            return None
        given[name] = array
    return given


def record(request: Request) -> dict[str, Any]:
    """The keys that every record begins with."""
    begun: dict[str, Any] = {"line": request.line}
    if request.identity:
        begun["id"] = request.identity[0]
    begun["expr"] = request.expr
    return begun


def _alone(request: Request, settings: Settings) -> bytes:
    """The answer to one request; empty, and its fault set, where there is none."""
    try:
        expression = parse(request.expr)
        given = {**settings.values, **arrays(request.values)}
        return report.json_line(record(request) | _results(expression, given, settings))
    except ExpressionError as error:
        request.fault = Fault("expression", str(error), request.offset + error.column)
    except ValuesError as error:
        request.fault = Fault("values", str(error))
    except MemoryError:
        request.fault = Fault("memory", "not enough memory")
    except Exception as error:  # noqa: BLE001, so that the other lines have their answers
        message = f"internal fault, please report it: {type(error).__name__}: {error}"
        request.fault = Fault("internal", message)
    return b""


def _results(
    expression: Expression,
    given: Mapping[str, np.ndarray],
    settings: Settings,
    stacked: bool = False,
) -> dict[str, Any]:
    """The value and the derivatives of one evaluation, or of one for each row of columns."""
    if settings.no_grad:
        return {"value": differentiate.value(expression, given)}
    names = differentiate.inputs(expression, given, settings.wrt)
    sigmas = differentiate.checked_sigmas(settings.sigmas, given)
    needed = list(dict.fromkeys([*names, *sigmas]))
    value, every = differentiate.value_and_gradient(expression, given, needed)
    gradients = {name: every[name] for name in names}
    results: dict[str, Any] = {"value": value, "grad": gradients}
    if settings.jacobian:
        results["jacobian"] = (
            gradients if stacked else differentiate.jacobian(expression, given, names)
        )
    if settings.hessian:
        hessian = differentiate.hessian_columns if stacked else differentiate.hessian
        results["hessian"] = hessian(expression, given, names)
    if sigmas and stacked:
        results |= differentiate.propagated_columns(every, sigmas)
    elif sigmas:
        results |= differentiate.propagated(value, every, sigmas)
    return results

"""Lines -> lines of JSON: the answers of `dezero batch`.

Lines with the same expression and the same names are stacked and evaluated in one pass, which
gives exactly the same numbers as evaluating each by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson

from dezero_cli import places, report
from dezero_cli.batch.alike import alike
from dezero_cli.batch.lines import Line, LineBlock, LineFault, RecordFormula, arrays, lines_of
from dezero_cli.faults import ExpressionError, UsageError, ValuesError
from dezero_cli.language import bounds, json_input, statements, values
from dezero_cli.language.expression import Expression
from dezero_cli.language.parser import parse, recent
from dezero_cli.language.results import Wanted
from dezero_cli.language.spelling import canonical_words, some_names
from dezero_cli.language.words import definitions_used
from dezero_cli.number_format import ShowNumber, number_text
from dezero_cli.uncertainty.asked import KEYS, Asked, from_json_keys
from dezero_cli.uncertainty.results import results


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says for every line."""

    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    fail_fast: bool = False
    longest: int = 1 << 20
    formula: RecordFormula | None = None
    get: tuple[str, ...] = ()
    show: ShowNumber = number_text
    defs: tuple[str, ...] = ()
    most: int | None = None
    most_numbers: int = bounds.MOST_NUMBERS
    uncertain: Asked = field(default_factory=Asked)

    def linked(
        self, expr: str, own: tuple[tuple[str, str], ...] = (), values: Iterable[str] = ()
    ) -> tuple[Expression, Mapping[str, str]]:
        """The expression of a line with the command line's definitions and its `own`.

        And what it uses of them, as written, by their heads.  A line's `values` take the place of
        the command line's definitions.
        """
        if not (self.defs or own):
            return parse(expr), {}
        return _linked(expr, self.defs, own, frozenset(values), self.most)

    def wanted_by(self, line: Line) -> Wanted:
        """What a line asks for: its own options come before those of the command line.

        Raises UsageError for an option that has another form.
        """
        if not line.options:
            return self.wanted
        said = {key: orjson.loads(text) for key, text in line.options}
        for key in ("hessian", "jacobian", "no_grad"):
            if key in said and type(said[key]) is not bool:
                raise UsageError(f'"{key}" must be true or false')
        if "wrt" in said:
            said["wrt"] = _names(said["wrt"])
        return replace(self.wanted, **{key: said[key] for key in said if key not in KEYS})

    def asked_by(self, line: Line) -> Asked:
        """What a line says of uncertainties; the rest is as on the command line."""
        said = {key: orjson.loads(text) for key, text in line.options if key in KEYS}
        return from_json_keys(said, self.uncertain) if said else self.uncertain

    def used(self, expression: Expression, asked: Asked) -> dict[str, np.ndarray]:
        """The values of the command line that a line of this expression uses."""
        if not self.values:
            return {}
        named = {*expression.places, *(self.wanted.wrt or ()), *asked.used}
        return {name: array for name, array in self.values.items() if name in named}


def _names(data: Any) -> tuple[str, ...] | None:
    """The names of ``"wrt"``: a list of them, or one text with commas."""
    if type(data) is str:
        return some_names([data]) if data else None
    if type(data) is not list or not all(type(name) is str for name in data):
        raise UsageError('"wrt" must be a list of names')
    return canonical_words(data) or None


def _statement(definition: tuple[str, str]) -> str:
    """A definition as a word; the name of a JSON object needs no backquotes."""
    head, text = definition
    return f"{head}={text}" if statements.head(f"{head}=") else f"`{head}`={text}"


def _length(expr: str, defs: object, own: tuple[tuple[str, str], ...], *rest: object) -> int:
    """The characters of a line's own text."""
    return len(expr) + sum(len(head) + len(text) for head, text in own)


@recent(_length)
def _linked(
    expr: str,
    defs: tuple[str, ...],
    own: tuple[tuple[str, str], ...],
    values: frozenset[str],
    most: int | None,
) -> tuple[Expression, Mapping[str, str]]:
    """The model of a line, and what it uses; one that came before is looked up."""
    ours = statements.statements(map(_statement, own))
    given = statements.defined(statements.statements(defs) | ours)
    for name in values:
        given.definitions.pop(name, None)
    expression = given.linked(expr, most)
    return expression, definitions_used(expression)


@dataclass(slots=True)
class Answer:
    """What is written for a block: lines of JSON, and (line, column, message) of each fault.

    `constants` are the names of the formula that are constants unless a record has them, with
    whether records with (1) and without them (0) were among the lines.  `returned` is whether
    expressions come back, so that of more lines at once many would be alike.  `rest` are the lines
    at the end of the block that are still to be answered, since the answers are long already.
    """

    out: bytes
    faults: list[tuple[int, int, str]] = field(default_factory=list)
    constants: list[tuple[str, int]] = field(default_factory=list)
    returned: bool = False
    rest: int = 0


MOST_HELD = 32 << 20
"""Bytes of answers that are held; beyond that the lines that follow are answered later."""


def answer(block: LineBlock, settings: Settings, seen: set[int] | None = None) -> Answer:
    """Answer all lines of a block, in their order; `seen` are the expressions of earlier blocks."""
    lines = alike(block, settings.longest, settings.formula)
    if lines is not None:
        numbers = range(block.first, block.first + block.count)
        first = Line(block.first, lines.expr, lines.columns)
        out = _stacked(numbers, lines.identities, first, lines.columns, settings, block.data)
        if out is not None:
            return Answer(out, constants=_constants([first], settings))
    asked = lines_of(block, settings.longest, settings.formula, settings.most_numbers)
    texts = _answers(asked, settings)
    rest = 0
    if len(texts) < len(asked):
        rest = block.first + block.count - asked[len(texts)].number
        asked = asked[: len(texts)]
    faults = []
    for i, line in enumerate(asked):
        if line.fault is not None:
            fault = line.fault
            faults.append((line.number, fault.column, fault.message))
            texts[i] = written(faulty(line, fault), settings)
            if settings.fail_fast:
                del texts[i + 1 :]
                rest = 0
                break
    returned = seen is not None and _returned(asked, seen)
    return Answer(b"".join(texts), faults, _constants(asked, settings), returned, rest)


FEW = 8
"""Lines of one expression in a block: if there are fewer, a larger block answers them sooner."""

MOST_SEEN = 1 << 14
"""The expressions that are known to have come before."""


def _returned(asked: Iterable[Line], seen: set[int]) -> bool:
    """Whether most expressions were `seen`, to which they are added, and few lines share one."""
    every = [hash(line.expr) for line in asked]
    own = set(every)
    before = len(own & seen)
    if len(seen) > MOST_SEEN:
        seen.clear()
    seen |= own
    return 2 * before > len(own) and FEW * len(own) > len(every)


def _constants(asked: Iterable[Line], settings: Settings) -> list[tuple[str, int]]:
    """Which of the formula's constants the records have, and which they lack."""
    if settings.formula is None or not settings.formula.constants:
        return []
    answered = [line.values for line in asked if line.fault is None]
    every = {(n, int(n in given)) for n in settings.formula.constants for given in answered}
    return sorted(every)


def _answers(asked: list[Line], settings: Settings) -> list[bytes]:
    """The answer to each line, or to the first of them where these are long.

    For a line without one, its fault is set.
    """
    texts = [b""] * len(asked)
    alone: list[int] = []
    for members in _groups(asked).values():
        together = [asked[i] for i in members]
        out = _together(together, settings) if len(members) > 1 else None
        if out is None:
            alone += members
        else:
            for i, line in zip(members, out.splitlines(keepends=True), strict=True):
                texts[i] = line
    held = 0
    for i in sorted(alone):
        if held > MOST_HELD:
            return texts[:i]
        texts[i] = _alone(asked[i], settings)
        held += len(texts[i])
    return texts


def _groups(asked: list[Line]) -> dict[tuple[Any, ...], list[int]]:
    """The lines by expression, definitions, options and names."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, line in enumerate(asked):
        if line.fault is None:
            key = (line.expr, line.defs, line.options, *line.values)
            members = groups.get(key)
            if members is None:
                groups[key] = [i]
            else:
                members.append(i)
    return groups


def _together(asked: list[Line], settings: Settings) -> bytes | None:
    """The answers to lines of one group; None if not in one pass."""
    first = asked[0]
    columns = zip(*(line.values.values() for line in asked), strict=True)
    given = dict(zip(first.values, columns, strict=True))
    numbers = [line.number for line in asked]
    identities = [line.identity for line in asked]
    with_ids = identities if any(identities) else None
    return _stacked(numbers, with_ids, first, given, settings)


def _stacked(
    numbers: Sequence[int],
    identities: Sequence[tuple[Any, ...]] | None,
    asked: Line,
    columns: Mapping[str, Sequence[Any]],
    settings: Settings,
    text: bytes = b"",
) -> bytes | None:
    """The answers to lines that ask the same, as `asked` does, in one pass.

    None if that is not possible: for values that are not numbers, for an expression that mixes the
    elements of arrays, for one with a fault, and for a 0 whose sign the `text` of the lines has.
    """
    try:
        expression, defs = settings.linked(asked.expr, asked.defs, columns)
        wanted, uncertain = settings.wanted_by(asked), settings.asked_by(asked)
        if not uncertain.is_columnar:
            return None
        given = _columns(len(numbers), columns, settings.used(expression, uncertain))
        if given is None or not expression.elementwise:
            return None
        work = expression.work * (1 + len(given) * wanted.hessian)
        if bounds.AT_MOST_FOR_ONE * work > settings.most_numbers:
            return None  # which is counted, line by line
        together = max(1, MOST_TOGETHER // work)
        if together < len(numbers):
            return _in_parts(together, numbers, identities, asked, columns, settings, text)
        zeros = text and not all(given[name].all() for name in columns)
        if zeros and json_input.has_negative_zero(text):
            return None
        answers = results(expression, given, wanted, uncertain, stacked=True, own=columns)
    except Exception:  # noqa: BLE001, answered by itself, each line says what is wrong with it
        return None
    if settings.get:
        begun = {"line": list(numbers), "expr": [asked.expr] * len(numbers)}
        if identities is not None:
            begun["id"] = [identity[0] if identity else math.nan for identity in identities]
        return places.table(begun | answers, settings.get, len(numbers), settings.show)
    return report.json_table(numbers, identities, asked.expr, answers, defs)


MOST_TOGETHER = 1 << 23
"""The numbers of the values that lines make in one pass: a long formula has fewer lines at once."""


def _in_parts(
    size: int,
    numbers: Sequence[int],
    identities: Sequence[tuple[Any, ...]] | None,
    asked: Line,
    columns: Mapping[str, Sequence[Any]],
    settings: Settings,
    text: bytes,
) -> bytes | None:
    """What `_stacked` gives, for so many lines at a time."""
    found = []
    for begin in range(0, len(numbers), size):
        part = slice(begin, begin + size)
        some = {name: items[part] for name, items in columns.items()}
        known = None if identities is None else identities[part]
        out = _stacked(numbers[part], known, asked, some, settings, text)
        if out is None:
            return None
        found.append(out)
    return b"".join(found)


def _columns(
    count: int, columns: Mapping[str, Sequence[Any]], constants: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """An array for each name, values of the command line repeated; None if one is not a number."""
    if any(array.ndim for array in constants.values()):
        return None
    given = {name: np.full(count, array) for name, array in constants.items()}
    for name, items in columns.items():
        array = values.column(items)
        if array is None:
            return None
        given[name] = array
    return given


def _fault_of(error: ExpressionError, line: Line) -> LineFault:
    """The fault of a line's expression, or of a definition, whose place the line does not have."""
    if error.text == line.expr:
        return LineFault("expression", str(error), line.offset + error.column)
    shown = error.text if len(error.text) <= MOST_SHOWN else error.text[:MOST_SHOWN] + "..."
    return LineFault("expression", f"{error}, in {' '.join(shown.split())}")


MOST_SHOWN = 60
"""Characters of a definition that a message shows."""


def record(line: Line, defs: Mapping[str, str]) -> dict[str, Any]:
    """The keys that every record begins with; `defs` are the definitions that it echoes."""
    begun: dict[str, Any] = {"line": line.number}
    if line.identity:
        begun["id"] = line.identity[0]
    begun["expr"] = line.expr
    if defs:
        begun["defs"] = defs
    return begun


def faulty(line: Line, fault: LineFault) -> dict[str, Any]:
    """The record of a line that has a fault."""
    message = report.brief(fault.message)
    error = {"type": fault.kind, "message": message, "column": fault.column}
    return record(line, dict(line.defs)) | {"error": error}


def written(answered: Mapping[str, Any], settings: Settings) -> bytes:
    """The record of a line as JSON, or what ``--get`` asks of it."""
    if settings.get:
        return places.line(answered, settings.get, settings.show)
    return report.json_line(answered)


def _alone(line: Line, settings: Settings) -> bytes:
    """The answer to one line; empty if there is none, and then the line's fault is set."""
    try:
        with bounds.within(settings.most_numbers, line.expr) as allowed:
            expression, defs = settings.linked(line.expr, line.defs, line.values)
            wanted, uncertain = settings.wanted_by(line), settings.asked_by(line)
            given = settings.used(expression, uncertain) | arrays(line.values)
            if not (uncertain or wanted.derives):
                allowed.lift(expression, given)
            answer = results(expression, given, wanted, uncertain, own=line.values)
        return written(record(line, defs) | answer, settings)
    except ExpressionError as error:
        line.fault = _fault_of(error, line)
    except UsageError as error:
        line.fault = LineFault("json", str(error))
    except ValuesError as error:
        line.fault = LineFault("values", str(error))
    except MemoryError:
        line.fault = LineFault("memory", "not enough memory")
    except Exception as error:  # noqa: BLE001, so that the other lines are answered
        message = f"internal error, please report it: {type(error).__name__}: {error}"
        line.fault = LineFault("internal", message)
    return b""

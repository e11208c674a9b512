"""Bytes -> lines -> what each line asks: the input of `dezero batch`."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson

from dezero_cli import reading
from dezero_cli.faults import ExpressionError, ValuesError, did_you_mean
from dezero_cli.language import bounds, json_input, statements, values
from dezero_cli.language.spelling import meant
from dezero_cli.language.statements import ANY_NAME
from dezero_cli.uncertainty.asked import KEYS

BLOCK = 128 * 1024
"""Bytes to read at once: enough lines to group, but little memory."""

LARGE = 4 * 1024 * 1024
"""Bytes to read at once where expressions come back, so that many lines are alike in a block."""

SOON, LATE = 0.5, 2.0
"""Seconds of a block: if it takes less, the next may be larger; if more, they are small again."""

MOST_LISTED = 8
"""Fields of a record that a message lists at most."""

_SEMICOLON = re.compile(r"`[^`]*`|;")
_SEPARATOR = re.compile(r"`[^`]*`|[()\[\]]|\s+")
_NEXT_STATEMENT = re.compile(rf"{ANY_NAME}\s*(?:\([^()=]*\))?\s*=(?!=)")


@dataclass(slots=True)
class LineFault:
    """Why a line cannot be answered."""

    kind: str
    message: str
    column: int = 1


@dataclass(slots=True)
class Line:
    """One line: an expression with values by name, as read from JSON or as arrays; or a fault.

    `identity` contains the "id" of the line, if it has one; `offset` is where in the line the
    expression begins.  `defs` are the line's definitions, the head and the text of each, `options`
    what it asks for besides, as in ``("hessian", b"true")``.
    """

    number: int
    expr: str
    values: Mapping[str, Any]
    identity: tuple[Any, ...] = ()
    offset: int = 0
    fault: LineFault | None = None
    defs: tuple[tuple[str, str], ...] = ()
    options: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class RecordFormula:
    """One expression for all lines, which are then records: objects whose fields are its values.

    `fields` are the names that are taken from a record, in order, each as it is written in the
    expression; without a field that is `required` a line has a fault.  Those in `constants` stand
    for their constants then, of which the user is told.  All other fields may be anything.
    """

    text: str
    fields: Mapping[str, str]
    required: frozenset[str]
    constants: tuple[str, ...] = ()
    definitions: frozenset[str] = frozenset()

    def line(self, number: int, record: Mapping[str, Any]) -> Line:
        """What a record asks."""
        given = {name: record[key] for name, key in self.fields.items() if key in record}
        if len(given) < len(self.fields):  # perhaps the record spells a name in another way
            keys = {name: meant(name, key, record) for name, key in self.fields.items()}
            given = {name: record[key] for name, key in keys.items() if key is not None}
        asked = Line(number, self.text, given)
        if len(given) < len(self.fields):
            missing = [n for n in self.fields if n in self.required and n not in given]
            if missing and self.definitions.isdisjoint(given):
                known = ", ".join(itertools.islice(record, MOST_LISTED)) or "nothing"
                known += ", ..." * (len(record) > MOST_LISTED)
                message = f"no field {missing[0]}: the record has {known}"
                asked.fault = LineFault("values", message)
        return asked


@dataclass(slots=True)
class LineBlock:
    """Complete lines that arrived together: `count` of them, separated by ``\\n``.

    `source` is the file as the user named it, `first` the number of the first line, `size` the
    bytes of input since the previous block.
    """

    source: str
    first: int
    data: bytes
    count: int
    size: int

    def parted(self, rest: int) -> tuple[LineBlock, LineBlock | None]:
        """The block without so many lines at its end, and those."""
        if not rest:
            return self, None
        lines, count = self.data.split(b"\n"), self.count - rest
        begun, left = b"\n".join(lines[:count]), b"\n".join(lines[count:])
        size = max(self.size - len(left), 0)
        one = LineBlock(self.source, self.first, begun, count, size)
        return one, LineBlock(self.source, self.first + count, left, rest, self.size - size)


class LineReader:
    """The lines of files, one file after another, as they arrive; ``-`` is standard input.

    `size` is how many bytes are read at once.  Little more than `longest` bytes of a line are kept,
    enough to see that it is too long.  A LineReader has a `fileno`, so `select` can wait for it.
    """

    def __init__(self, names: Sequence[str], longest: int, size: int = BLOCK) -> None:
        self.ended = not names
        self.size = size
        self.is_grown = False
        """Whether more is read at once since expressions come back."""
        self._names = list(names)
        self._most = longest + 1 + len(reading.BOM)
        self._source: reading.Source | None = None
        self._rest = bytearray()
        self._number = 1
        self._unreported = 0

    def fileno(self) -> int:
        """The descriptor that the next lines come from; a file is opened when its turn comes."""
        return self._opened().fileno()

    def read(self) -> LineBlock | None:
        """The lines that one read of the input completes; None if it completes none.

        Raises OSError, with the name of the file, if reading fails.
        """
        data = self._read()
        self._unreported += len(data)
        if not data:
            return self._end()
        complete, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._keep(data)
            return None
        block = b"".join((self._rest, complete))
        self._rest.clear()
        self._keep(rest)
        return self._block(block)

    def grow(self, seconds: float) -> None:
        """Read more at once, since expressions come back, unless a block took so long."""
        if seconds < SOON:
            self.size, self.is_grown = min(4 * max(self.size, BLOCK), LARGE), True

    def shrink(self, seconds: float) -> None:
        """Read less at once again if a block took so long that answers are waited for."""
        if self.is_grown and seconds > LATE:
            self.size, self.is_grown = BLOCK, False

    def _read(self) -> bytes:
        """What there is to be read; a grown block takes what a pipe gives in several parts."""
        source = self._opened()
        data = source.read(self.size)
        while self.is_grown and data and len(data) < self.size and source.wait(0):
            more = source.read(self.size - len(data))
            if not more:
                break
            data += more
        return data

    def close(self) -> None:
        """Close the file that is open."""
        if self._source is not None:
            self._source.close()
        self._source = None

    def _opened(self) -> reading.Source:
        if self._source is None:
            self._source = reading.Source(self._names[0])
            self._number = 1
        return self._source

    def _keep(self, data: bytes) -> None:
        """Add to the line that is not yet complete."""
        self._rest += data[: max(0, self._most - len(self._rest))]

    def _end(self) -> LineBlock | None:
        """The last line of a file, if no newline ends it."""
        last = self._block(bytes(self._rest)) if self._rest else None
        self._rest.clear()
        self.close()
        del self._names[0]
        self.ended = not self._names
        return last

    def _block(self, data: bytes) -> LineBlock:
        if self._number == 1:
            data = data.removeprefix(reading.BOM)
        count = data.count(b"\n") + 1
        block = LineBlock(self._names[0], self._number, data, count, self._unreported)
        self._number += count
        self._unreported = 0
        return block


# ----------------------------------------------------------------------------------------- lines
def lines_of(
    block: LineBlock,
    longest: int,
    formula: RecordFormula | None = None,
    most_numbers: int | None = None,
) -> list[Line]:
    """What the lines of a block ask, in order; blank lines and comments ask nothing.

    With a `formula` the lines are records, which give its values.  What is computed of a line's own
    values, such as ranges, has `most_numbers` at most.
    """
    found = []
    for number, line in enumerate(block.data.split(b"\n"), block.first):
        if line.startswith(b"{") and len(line) <= longest:
            with contextlib.suppress(orjson.JSONDecodeError):
                data = orjson.loads(line)
                if b"-0" in line:
                    data = _signed(line, data)
                found.append(_from_object(number, data, line, formula))
                continue
        bare = line.strip()
        if bare and not bare.startswith(b"#"):
            found.append(_line(number, line.removesuffix(b"\r"), longest, formula, most_numbers))
    return found


def _signed(line: bytes, data: dict[str, Any]) -> dict[str, Any]:
    """The object of a line with the sign of every ``-0``, but for its "id", which is no number."""
    found: dict[str, Any] = json_input.signed(line, data)
    return found | {"id": data["id"]} if found is not data and "id" in data else found


def _line(
    number: int, line: bytes, longest: int, formula: RecordFormula | None, most: int | None
) -> Line:
    """What one line asks."""
    expr = "" if formula is None else formula.text
    if len(line) > longest:
        fault = LineFault("line", f"the line is longer than {longest} bytes", longest + 1)
        return Line(number, expr, {}, fault=fault)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = line.decode("utf-8", "replace")
        column = len(line[: error.start].decode("utf-8", "replace")) + 1
        fault = LineFault("encoding", "not UTF-8", column)
        return Line(number, expr or shown, {}, fault=fault)
    if text.lstrip().startswith("{"):
        return _from_json(number, text, formula)
    if formula:
        return _from_values(number, text, formula, most)
    return _from_plain(number, text, most)


def _from_json(number: int, text: str, formula: RecordFormula | None) -> Line:
    try:
        data = json_input.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"not JSON: {error.msg}"
        if not text.rstrip().endswith("}"):
            message += ": an object is one line, as jq -c writes it"
        expr = text if formula is None else formula.text
        return Line(number, expr, {}, fault=LineFault("json", message, error.colno))
    return _from_object(number, data, text.encode(), formula)


def _from_object(
    number: int, data: dict[str, Any], line: bytes, formula: RecordFormula | None
) -> Line:
    """What the JSON object in `line` asks."""
    asked = _asked(number, data, line) if formula is None else formula.line(number, data)
    if formula is not None and asked.fault is None:
        asked.fault = _repeated_field(line, data, formula)
    if "id" in data:
        try:
            asked.identity = (_exact(data["id"], line),)
        except orjson.JSONEncodeError:
            asked.fault = LineFault("json", '"id" is nested too deeply')
    return asked


def _repeated_field(line: bytes, data: dict[str, Any], formula: RecordFormula) -> LineFault | None:
    """The fault of a record that has a field of the formula twice."""
    if not json_input.repeated(line, len(data)):
        return None
    keys = [meant(name, key, data) for name, key in formula.fields.items()]
    used = [key for key in keys if key is not None]
    if b"\\" not in line and all(line.count(orjson.dumps(key)) == 1 for key in used):
        return None  # the colons are those of other fields
    twice = json_input.first_repeated(line, names=used)
    return None if twice is None else LineFault("values", f"{twice} is given twice")


def _asked(number: int, data: dict[str, Any], line: bytes) -> Line:
    """The expression and the values of {"expr": ..., "vars": {...}}."""
    expr, given = data.get("expr"), data.get("vars")
    values = given if type(given) is dict else {}
    asked = Line(number, expr if type(expr) is str else "", values)
    if type(expr) is not str:
        what = "must be a string" if "expr" in data else "is missing"
        asked.fault = LineFault("json", f'"expr" {what}')
    elif given is not None and type(given) is not dict:
        asked.fault = LineFault("json", '"vars" must be an object')
    elif not data.keys() <= PLAIN_KEYS:
        asked.fault = _extra(asked, data)
    elif json_input.repeated(line, len(data) + len(asked.values)):
        asked.fault = _repeated(line)
    try:
        asked.values = json_input.named("", asked.values)
    except ValuesError as error:
        asked.fault, asked.values = LineFault("values", str(error)), {}
    return asked


PLAIN_KEYS = {"expr", "vars", "id"}
OPTIONS = ("wrt", "hessian", "jacobian", "no_grad", *KEYS)
"""What a line may ask for itself, under the names of the options."""


def _extra(asked: Line, data: dict[str, Any]) -> LineFault | None:
    """Add the definitions and the options of a line; the fault of a key that there is not."""
    known = [*sorted(PLAIN_KEYS), "defs", *OPTIONS]
    for key in data:
        if key not in known:
            hint = did_you_mean(key, known)
            hint = hint or (f'put {key} into "vars"' if key.isidentifier() else "")
            return LineFault("json", f"unknown key {key[:60]!r}" + (f": {hint}" if hint else ""))
    defs = data.get("defs") or {}
    if type(defs) is not dict or not all(type(text) is str for text in defs.values()):
        return LineFault("json", '"defs" must be an object of formulas by name')
    for name in defs:
        if name in asked.values:
            return LineFault("values", f"{name} is given twice")
    asked.defs = tuple(defs.items())
    asked.options = tuple((key, orjson.dumps(data[key])) for key in OPTIONS if key in data)
    return None


def _repeated(line: bytes) -> LineFault | None:
    """The fault of a line that has a key or a value twice."""
    if (key := json_input.first_repeated(line, names=("expr", "vars", "defs"))) is not None:
        return LineFault("json", f'"{key}" is given twice')
    if (name := json_input.first_repeated(line, "vars")) is not None:
        return LineFault("values", f"{name} is given twice")
    return None


def _exact(identity: Any, line: bytes) -> Any:
    """An "id" with its integers as they are in the line, even if orjson has made floats of them.

    Raises orjson.JSONEncodeError for an "id" nested deeper than orjson can write.
    """
    halved = b"\\u" in line
    if type(identity) not in {float, list, dict} and not (halved and type(identity) is str):
        return identity
    encoded = orjson.dumps(identity)
    if halved and _UNSHOWN in encoded:  # half of a surrogate pair, perhaps
        return _written_out(line)
    pending = [identity]
    while pending:
        item = pending.pop()
        if type(item) is float and abs(item) >= 2**63:
            return _written_out(line)
        pending += item.values() if type(item) is dict else item if type(item) is list else ()
    return identity if type(identity) is str else orjson.Fragment(encoded)


_UNSHOWN = "\ufffd".encode()


def _written_out(line: bytes) -> orjson.Fragment:
    """The "id" of a line as Python's own parser reads it.

    Raises orjson.JSONEncodeError for a line nested deeper than that parser reads.
    """
    import json

    try:
        identity = json.loads(line)["id"]
    except RecursionError:
        raise orjson.JSONEncodeError("nested too deeply") from None
    text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        text = json.dumps(identity, separators=(",", ":"))
    return orjson.Fragment(text)


def _from_plain(number: int, text: str, most: int | None) -> Line:
    """What ``EXPR ; a=3 b=2`` asks."""
    end = next((m.start() for m in _SEMICOLON.finditer(text) if m[0] == ";"), len(text))
    expr, rest = text[:end], text[end + 1 :]
    offset = len(expr) - len(expr.lstrip())
    asked = Line(number, expr.strip(), {}, offset=offset)
    try:
        with bounds.within(most, rest):
            _give(asked, _words(rest))
    except ExpressionError as error:
        place = max(text.find(error.text, end), end + 1)
        asked.fault = LineFault("expression", str(error), place + error.column)
    except ValuesError as error:
        asked.fault = LineFault("values", str(error), end + 2)
    return asked


def _give(asked: Line, words: list[str]) -> None:
    """Add the values and the definitions of ``a=3 r=hypot(x, y)``."""
    said = statements.statements(words)
    given = statements.sorted_out(said, files=False)
    asked.values = _kept(given.values, words)
    if given.definitions or given.functions:
        defined = [each for each in said.values() if each[0].name not in given.values]
        functions = [each for each in said.values() if each[0].parameters is not None]
        every = dict.fromkeys([*defined, *functions])
        asked.defs = tuple(
            (word[: begun.end - 1].strip(), statements.behind(word, begun)) for begun, word in every
        )


class Again(NamedTuple):
    """What stands for an array until it is made again: all those of a block would be too many."""

    words: tuple[str, ...]

    def arrays(self) -> dict[str, np.ndarray]:
        """The values of the line that has these words."""
        return statements.sorted_out(statements.statements(self.words), files=False).values


KEPT = 1000
"""The numbers of an array that a line keeps until it is answered."""


def _kept(given: Mapping[str, np.ndarray], words: Sequence[str]) -> dict[str, Any]:
    """The values of a line without the arrays that are larger than its text."""
    most = max(KEPT, sum(map(len, words)))
    again = Again(tuple(words))
    return {n: again if x.size > most else x for n, x in given.items()}


def _from_values(number: int, text: str, formula: RecordFormula, most: int | None) -> Line:
    """What ``a=3 b=2`` asks of a formula."""
    if text.lstrip().startswith("["):
        message = "a record is an object, not a list: jq -c '.[]' makes a line of each"
        return Line(number, formula.text, {}, fault=LineFault("json", message))
    words = _words(text.removeprefix(";"))
    try:
        used = [word for word in words if _named(word) in formula.fields]
        with bounds.within(most, text):
            given = statements.sorted_out(statements.statements(used), files=False)
        asked = formula.line(number, _kept(given.values, used) | dict.fromkeys(given.definitions))
        asked.values = {n: x for n, x in asked.values.items() if n not in given.definitions}
        asked.defs = tuple((n, str(each.text)) for n, each in given.definitions.items())
        if "id" not in formula.fields:
            identities = [word for word in words if _named(word) == "id"]
            asked.identity = tuple(map(_identity, identities[:1]))
        return asked
    except (ValuesError, ExpressionError) as error:
        return Line(number, formula.text, {}, fault=LineFault("values", str(error)))


def _identity(word: str) -> Any:
    """What ``id=7`` or ``id=r7`` says: a number, a string or a word of JSON, or text."""
    text = word.partition("=")[2].strip()
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    if type(data) is float:  # as it is written
        return orjson.Fragment(text)
    return text if type(data) in {list, dict} else data


def _named(word: str) -> str:
    """The name that a word NAME=VALUE gives a value."""
    begun = statements.head(word)
    if begun is None:
        raise ValuesError(f"expected NAME=VALUE, got {word!r}")
    return begun.name


def _words(text: str) -> list[str]:
    """The words of ``a=3 r=hypot(x, y)``: blanks separate them outside brackets and backquotes."""
    words = []
    depth = begin = 0
    for match in _SEPARATOR.finditer(text + " "):
        piece = match[0]
        if piece in "([":
            depth += 1
        elif piece in ")]":
            depth -= 1
        elif piece[0].isspace() and depth <= 0 and _NEXT_STATEMENT.match(text, match.end()):
            words.append(text[begin : match.start()].strip())
            begin = match.end()
    words.append(text[begin:].strip())
    return [word for word in words if word]


def arrays(given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The values of a line as arrays."""
    again = next((item for item in given.values() if type(item) is Again), None)
    if again is not None:
        given = {**given, **{name: x for name, x in again.arrays().items() if name in given}}
    return {
        name: item if isinstance(item, np.ndarray) else _array(name, item)
        for name, item in given.items()
    }


def _array(name: str, item: Any) -> np.ndarray:
    if isinstance(item, str) and item.startswith("@"):
        raise ValuesError(values.NO_FILES.format(name=name))
    return values.from_json(name, item)

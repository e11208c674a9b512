"""Whether the lengths that an Arrow file gives fit into it, before anything is read by them.

Libraries allocate what a file asks for: a single wrong bit can ask for more than any machine has.
The format is that of https://arrow.apache.org/docs/format/Columnar.html: messages in FlatBuffers,
each followed by the buffers of a batch.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

MAGIC = b"ARROW1"
CONTINUED = b"\xff\xff\xff\xff"
_END = CONTINUED + bytes(4)

MOST_UNPACKED = 1 << 30
"""Bytes that a batch may have in any case when it is unpacked."""

BOMB = "a batch of it unpacks to more than 1 GiB: cut it into smaller ones"
"""What is said of a file with a larger one (see `is_bomb`)."""

_DICTIONARY, _BATCH = 2, 3
"""Types of messages."""

_RATIO = {0: 256, 1: 1 << 16}
"""How many times larger than compressed a buffer can be, for LZ4 and for Zstandard."""

_MOST = 1 << 40
_MOST_FIELDS = 1 << 20

_DECIMAL, _STRUCT = 7, 13
_FOREIGN = {11: "an interval", 14: "a union", 22: "a run-end encoding"}
"""Types of columns that Polars does not have."""


class WrongError(Exception):
    """The file is damaged."""


class _Table:
    """A table of FlatBuffers: fields by their number."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data = data
        self.place = place
        self._fields = place - _number("<i", data, place)
        self._size = _number("<H", data, self._fields)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        """The table that the data holds."""
        return cls(data, _number("<I", data, 0))

    def _at(self, field: int) -> int | None:
        slot = 4 + 2 * field
        offset = _number("<H", self.data, self._fields + slot) if slot < self._size else 0
        return self.place + offset if offset else None

    def number(self, field: int, form: str, default: int = 0) -> int:
        """A number."""
        place = self._at(field)
        return default if place is None else _number(form, self.data, place)

    def table(self, field: int) -> _Table | None:
        """A table inside this one."""
        place = self._at(field)
        return None if place is None else _Table(self.data, place + _number("<I", self.data, place))

    def text(self, field: int) -> str:
        """A text."""
        place = self._at(field)
        if place is None:
            return ""
        place += _number("<I", self.data, place)
        size = _number("<I", self.data, place)
        return self.data[place + 4 : place + 4 + size].decode("utf-8", "replace")

    def tables(self, field: int) -> Iterator[_Table]:
        """A list of tables."""
        place = self._at(field)
        if place is None:
            return
        place += _number("<I", self.data, place)
        for i in range(_number("<I", self.data, place)):
            at = place + 4 + 4 * i
            yield _Table(self.data, at + _number("<I", self.data, at))

    def structs(self, field: int, form: str) -> Iterator[tuple[int, ...]]:
        """A list of records of numbers."""
        place = self._at(field)
        if place is None:
            return
        place += _number("<I", self.data, place)
        size = struct.calcsize(form)
        count = _number("<I", self.data, place)
        if place + 4 + count * size > len(self.data):
            raise WrongError
        yield from struct.iter_unpack(form, self.data[place + 4 : place + 4 + count * size])


def _number(form: str, data: bytes, place: int) -> int:
    if place < 0 or place + struct.calcsize(form) > len(data):
        raise WrongError
    return int(struct.unpack_from(form, data, place)[0])


@contextlib.contextmanager
def opened(source: str | BinaryIO) -> Iterator[tuple[BinaryIO, int]]:
    """A file by its path, or one that is open and stays so, and its size."""
    with open(source, "rb") if isinstance(source, str) else contextlib.nullcontext(source) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        yield file, size


def is_sound(source: str | BinaryIO) -> bool:
    """Whether the lengths in a file of Arrow's, or in a stream of its kind, are possible."""
    with opened(source) as (file, size):
        begin = file.read(len(MAGIC))
        try:
            if begin == MAGIC:
                _check_file(file, size)
            else:
                _check_stream(file, size)
        except (WrongError, struct.error, OverflowError):
            return False
    return True


def is_stream(source: str | BinaryIO) -> bool:
    """Whether a file holds Arrow's stream, not its file."""
    with opened(source) as (file, _):
        return file.read(4) == CONTINUED


def batches(path: str) -> Iterator[tuple[int, bytes]]:
    """The batches of a stream: the rows of each, and a stream of that batch alone.

    Raises WrongError for a stream that is not sound.
    """
    with opened(path) as (file, size):
        schema = b""
        dictionaries: dict[int, list[bytes]] = {}
        for message in _messages(file, size):
            whole = _read(file, message.place, message.end - message.place, size)
            head = message.head
            if message.kind == _DICTIONARY and head is not None:
                known = dictionaries.setdefault(head.number(0, "<q"), [])
                if not head.number(2, "<B"):  # not more of the same, but another
                    known.clear()
                known.append(whole)
            elif message.kind == _BATCH and head is not None:
                needed = [each for parts in dictionaries.values() for each in parts]
                yield head.number(0, "<q"), b"".join([schema, *needed, whole, _END])
            elif not schema:
                schema = whole


def stream_rows(path: str) -> int:
    """The rows of a stream."""
    with opened(path) as (file, size):
        heads = [each.head for each in _messages(file, size) if each.kind == _BATCH]
    return sum(head.number(0, "<q") for head in heads if head is not None)


def is_bomb(source: str | BinaryIO) -> bool:
    """Whether a batch unpacks to more than memory should hold, and than data of any use do."""
    with opened(source) as (file, size):
        if file.read(len(MAGIC)) != MAGIC:
            messages = list(_messages(file, size))
        else:
            footer = _footer(file, size)[0]
            blocks = [block for field in (2, 3) for block in footer.structs(field, "<qiiq")]
            messages = [_message(file, size, place, length) for place, length, *_ in blocks]
        for message in messages:
            packed = message.end - message.start
            if _unpacked(file, size, message) > max(MOST_UNPACKED, 256 * packed):
                return True
    return False


def _unpacked(file: BinaryIO, size: int, message: _Message) -> int:
    """The bytes that the buffers of a batch have when they are unpacked."""
    batch = message.head
    if message.kind == _DICTIONARY and batch is not None:
        batch = batch.table(1)
    if message.kind not in {_DICTIONARY, _BATCH} or batch is None or batch.table(3) is None:
        return 0
    sizes = [
        _number("<q", _read(file, message.start + offset, 8, size), 0) if length else 0
        for offset, length in batch.structs(2, "<qq")
    ]
    return sum(max(0, each) for each in sizes)


def _read(file: BinaryIO, place: int, length: int, size: int) -> bytes:
    if place < 0 or length < 0 or place + length > size:
        raise WrongError
    file.seek(place)
    return file.read(length)


def _check_file(file: BinaryIO, size: int) -> None:
    """Check the batches that the footer lists; nothing else lies between them and the footer."""
    footer, end = _footer(file, size)
    last = _end_of_schema(file, size)
    fields = _fields(footer.table(1))
    for kind, field in ((_DICTIONARY, 2), (_BATCH, 3)):
        for place, length, _, body in footer.structs(field, "<qiiq"):
            message = _message(file, size, place, length)
            if place % 8 or (message.kind, message.end) != (kind, place + length + body):
                raise WrongError
            _check_message(file, size, message, fields)
            last = max(last, message.end)
    if not 0 <= end - last <= 64:
        raise WrongError


def _end_of_schema(file: BinaryIO, size: int) -> int:
    """Where the message with the schema ends, which comes first; older files have no mark."""
    head = _read(file, 8, 8, size)
    marked = head[:4] == CONTINUED
    return (16 if marked else 12) + _number("<i", head, 4 if marked else 0)


def _fields(schema: _Table | None) -> list[bool]:
    """For each array of a batch, depth first, whether it has as many elements as the batch rows."""
    found = []
    waiting = [(field, True) for field in reversed(list(schema.tables(1)))] if schema else []
    while waiting:
        field, is_whole = waiting.pop()
        found.append(is_whole)
        whole = is_whole and field.number(2, "<B") == _STRUCT
        if field.table(4) is None:  # a dictionary's column is of indices
            waiting += [(each, whole) for each in reversed(list(field.tables(5)))]
        if len(found) > _MOST_FIELDS:
            raise WrongError
    return found


def foreign(path: str) -> tuple[str, str] | None:
    """The first column of a type that cannot be read, and its type."""
    with opened(path) as (file, size):
        if file.read(len(MAGIC)) == MAGIC:
            schema = _footer(file, size)[0].table(1)
        else:
            length = _number("<i", _read(file, 4, 4, size), 0)
            schema = _Table.root(_read(file, 8, length, size)).table(2)
    for column in schema.tables(1) if schema else ():
        waiting = [column]
        while waiting:
            field = waiting.pop()
            kind = field.number(2, "<B")
            if kind in _FOREIGN:
                return column.text(0), _FOREIGN[kind]
            decimal = field.table(3) if kind == _DECIMAL else None
            if decimal is not None and decimal.number(2, "<i", 128) > 128:
                return column.text(0), "a decimal of 256 bits"
            waiting += field.tables(5)
    return None


def _footer(file: BinaryIO, size: int) -> tuple[_Table, int]:
    """The footer of a file, and where it begins."""
    if _read(file, size - 6, 6, size) != MAGIC:
        raise WrongError
    length = _number("<i", _read(file, size - 10, 4, size), 0)
    return _Table.root(_read(file, size - 10 - length, length, size)), size - 10 - length


class _Message(NamedTuple):
    """A message: its type and its table, where it begins, and where its body begins and ends."""

    kind: int
    head: _Table | None
    place: int
    start: int
    end: int


def _message(file: BinaryIO, size: int, place: int, length: int) -> _Message:
    """The message of so many bytes before its body."""
    data = _read(file, place, length, size)
    table = _Table.root(data[8 if data[:4] == CONTINUED else 4 :])
    body, start = table.number(3, "<q"), place + length
    if body < 0 or start + body > size:
        raise WrongError
    return _Message(table.number(1, "<B"), table.table(2), place, start, start + body)


def _messages(file: BinaryIO, size: int) -> Iterator[_Message]:
    """The messages of a stream."""
    place = 0
    while place + 8 <= size:
        head = _read(file, place, 8, size)
        length = _number("<i", head, 4)
        if head[:4] != CONTINUED:
            raise WrongError
        if length == 0:
            return
        message = _message(file, size, place, length + 8)
        yield message
        place = message.end


def _check_stream(file: BinaryIO, size: int) -> None:
    """Check each message of a stream; the first has the schema."""
    fields: list[bool] = []
    for message in _messages(file, size):
        if message.place == 0:
            fields = _fields(message.head)
        _check_message(file, size, message, fields)


def _check_message(file: BinaryIO, size: int, message: _Message, fields: Sequence[bool]) -> None:
    """Raise WrongError for a batch whose buffers do not lie in its body, or are too large."""
    kind, batch = message.kind, message.head
    if kind == _DICTIONARY and batch is not None:
        batch = batch.table(1)
    if kind in {_DICTIONARY, _BATCH} and batch is not None:
        _check_batch(file, size, message.start, message.end - message.start, batch)
        if kind == _BATCH:
            _check_lengths(batch, fields)


def _check_lengths(batch: _Table, fields: Sequence[bool]) -> None:
    """Raise WrongError for an array with more or fewer elements than the batch has rows."""
    rows = batch.number(0, "<q")
    nodes = list(batch.structs(1, "<qq"))
    if len(nodes) != len(fields):
        raise WrongError
    if any(whole and count != rows for whole, (count, _) in zip(fields, nodes, strict=True)):
        raise WrongError


def _check_batch(file: BinaryIO, size: int, start: int, body: int, batch: _Table) -> None:
    rows = batch.number(0, "<q")
    if not 0 <= rows < _MOST:
        raise WrongError
    for count, empty in batch.structs(1, "<qq"):
        if not 0 <= empty <= count < _MOST:
            raise WrongError
    compression = batch.table(3)
    ratio = None if compression is None else _RATIO.get(compression.number(0, "<b"))
    if compression is not None and ratio is None:
        raise WrongError
    for offset, length in batch.structs(2, "<qq"):
        if offset % 8 or offset < 0 or length < 0 or offset + length > body:
            raise WrongError
        if ratio is not None and length:
            whole = _number("<q", _read(file, start + offset, 8, size), 0)
            if whole != -1 and not 0 <= whole <= length * ratio:
                raise WrongError

"""A user's text -> arrays: ``a=3``, ``theta=pi/4``, ``x=[1,2]``, ``x=@data.npy``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from dezero.lists import DEEPEST
from dezero_cli import reading
from dezero_cli.faults import ExpressionError, ValuesError
from dezero_cli.language.parser import is_expression, parse
from dezero_cli.language.spelling import NAME, quoted

_SEPARATOR = rf"([^,;\[\]()]*)[,;]\s*({NAME})\s*=(?!=)"
"""A value that is followed by another one without a space between them."""

NO_FILES = "a line of a batch cannot name a file: give {name}=@FILE on the command line"
"""The message for a line of a batch that names a file: lines may come from anyone."""

NO_FILES_IN_FILE = "a formula file cannot name another file: give NAME=@FILE on the command line"
"""The message for a formula file that names a file."""

_JSON_ONLY = r'["{}]'
"""What a list of numbers in JSON may have, and a list of expressions may not."""

_NAMED = rf"{NAME}|[*/+(`]"
"""What a list of expressions has, and a list of numbers in JSON has not."""

_WORDS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def value(name: str, text: str, files: bool = True) -> np.ndarray:
    """The array that the text of one VALUE stands for, which has no names but constants."""
    array = literal(name, text, files)
    return _constant(name, text) if array is None else array


def literal(name: str, text: str, files: bool = True) -> np.ndarray | None:
    """The array that a VALUE stands for if it is a number, JSON or ``@FILE``; else None."""
    try:
        return np.array(float(text))
    except ValueError:
        pass
    text = text.strip()
    if not text:
        raise ValuesError(f"{quoted(name)}= has no value")
    if text.startswith("@"):
        if not files:
            raise ValuesError(NO_FILES.format(name=quoted(name)))
        if text == "@":
            raise ValuesError(f"{quoted(name)}=@ needs a file name")
        return _from_file(name, text[1:])
    if text.startswith(("{", '"')):
        return from_json(name, _json(f"{quoted(name)}={text}", text))
    if text.startswith("["):
        return _list(name, text)
    if joined := re.match(_SEPARATOR, text):
        shown = f"{name}={joined[1].strip()} {joined[2]}=..."
        raise ValuesError(f"values are separated by spaces: write {shown}")
    return None


def _from_file(name: str, text: str) -> np.ndarray:
    """The array of ``@FILE``, of ``@FILE:COLUMN`` or of standard input, ``@-``."""
    if reading.without_ending(text)[0].lower().endswith(".json"):
        return from_json(name, _json(text, reading.whole(text)))
    from dezero_cli.language import number_files

    return number_files.from_file(name, text)


def one_number(name: str, array: np.ndarray) -> float:
    """The value of a name that is the same in every row of a table."""
    if array.ndim:
        raise ValuesError(
            f"{name} must be one number: values that change from row to row belong in a column"
        )
    return float(array)


def _list(name: str, text: str) -> np.ndarray | None:
    """The array of a JSON list; None for a list of expressions."""
    from dezero_cli.language import json_input

    try:
        data = json_input.loads(text)
    except ValueError as error:
        if re.search(_JSON_ONLY, text) or not (re.search(_NAMED, text) or is_expression(text)):
            raise ValuesError(f"{quoted(name)}={text} is not JSON: {error}") from None
        return None
    return from_json(name, data)


def _constant(name: str, text: str) -> np.ndarray:
    expression = parse(text)
    for free, place in expression.places.items():
        if not expression.is_constant(free):
            raise ExpressionError(
                f"the value of {name} may only use constants, not {free}",
                text,
                place,
                place + len(free),
            )
    return np.array(expression.evaluate({}).data)


def _json(what: str, text: str | bytes) -> Any:
    from dezero_cli.language import json_input

    try:
        return json_input.loads(text)
    except ValueError as error:
        raise ValuesError(f"{what} is not JSON: {error}") from None


def from_json(name: str, data: Any) -> np.ndarray:
    """The float64 array of a JSON number or (nested) list; "nan", "inf", "-inf" are numbers."""
    try:
        if type(data) is float or type(data) is int:
            return np.array(float(data))
        if isinstance(data, str) and data in _WORDS:
            return np.array(_WORDS[data])
        if not isinstance(data, list):
            raise ValuesError(f"{name} must be a number or a list of numbers, not {_kind(data)}")
        return np.array(data, dtype=np.float64) if _numeric(data) else _array(name, data)
    except OverflowError:
        raise ValuesError(f"{name} is too large for a float64") from None


def column(data: Sequence[Any]) -> np.ndarray | None:
    """The float64 column of JSON numbers or of 0-d arrays; None if there is anything else."""
    kinds = set(map(type, data))
    if str in kinds:
        data = [_WORDS.get(item, item) if type(item) is str else item for item in data]
        kinds = set(map(type, data))
    if kinds <= {float, int} or (kinds == {np.ndarray} and not any(item.ndim for item in data)):
        return np.array(data, dtype=np.float64)
    return None


def _numeric(data: list[Any]) -> bool:
    return all(type(item) is float or type(item) is int for item in data)


def _array(name: str, data: list[Any]) -> np.ndarray:
    """The array of a nested list, words for numbers included; level by level, without recursion."""
    shape: tuple[int, ...] = ()
    level: list[Any] = [data]
    while level and all(isinstance(item, list) for item in level):
        length = len(level[0])
        if any(len(item) != length for item in level):
            raise ValuesError(f"{name} has rows of different lengths")
        shape += (length,)
        level = [item for row in level for item in row]
    if len(shape) > DEEPEST:
        raise ValuesError(f"{name} has {len(shape)} axes, but an array can have at most {DEEPEST}")
    numbers = []
    for item in level:
        if isinstance(item, str) and item in _WORDS:
            numbers.append(_WORDS[item])
        elif type(item) is float or type(item) is int:
            numbers.append(float(item))
        else:
            raise ValuesError(f"{name} must contain only numbers, not {_kind(item)}")
    return np.array(numbers, dtype=np.float64).reshape(shape)


def _kind(data: Any) -> str:
    if isinstance(data, str):
        return f"the string {data[:20]!r}"
    return {bool: "true or false", dict: "an object", list: "a list", type(None): "null"}.get(
        type(data), type(data).__name__
    )


def from_object(what: str, text: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of the text of a JSON object {NAME: number or list}.

    And what is wrong with the values that are neither, by name.
    """
    from dezero_cli.language import json_input

    data = _json(what, text)
    if not isinstance(data, dict):
        raise ValuesError(f"{what} must be an object of values by name, not {_kind(data)}")
    twice = json_input.first_repeated(text) if json_input.repeated(text, len(data)) else None
    if twice is not None:
        raise ValuesError(f"{what}: {twice} is given twice")
    found: dict[str, np.ndarray] = {}
    refused: dict[str, str] = {}
    for name, item in json_input.named(f"{what}: ", data).items():
        try:
            found[name] = from_json(name, item)
        except ValuesError as error:
            refused[name] = str(error)
    return found, refused


def variables_file(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of ``--vars FILE``, a JSON object, and what is wrong with its other values."""
    return from_object(reading.shown_name(path), reading.whole(path))

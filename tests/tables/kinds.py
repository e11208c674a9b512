"""Kinds of column: as Polars holds them, as cells of CSV, and as values of JSON.

The three are written down side by side, so that each tells what the others should become.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

INF, NAN = math.inf, math.nan


class Kind(NamedTuple):
    """Three values of a kind: a column, cells of CSV as they stand there, values of JSON.

    In JSON ``inf``, ``-inf`` and ``nan`` are null, and stand under "nonfinite".
    """

    column: pl.Series
    cells: list[str]
    json: list[str]


def _kind(values: list[Any], kind: Any, cells: list[str], json: list[str] | None = None) -> Kind:
    """A kind; without `json` the cells are what JSON has too, and an empty one is null."""
    bare = [cell or "null" for cell in cells]
    return Kind(pl.Series(values, dtype=kind, strict=True), cells, bare if json is None else json)


def _text(values: list[str | None], cells: list[str], json: list[str]) -> Kind:
    return _kind(values, pl.String, cells, json)


def _ticks(ticks: list[int | None], kind: Any, cells: list[str], json: list[str]) -> Kind:
    """Times as so many units since the start."""
    return Kind(pl.Series(ticks, dtype=pl.Int64).cast(kind), cells, json)


def _integers(kind: Any, low: int, high: int) -> Kind:
    return _kind([low, None, high], kind, [str(low), "", str(high)])


def _quoted(*cells: str) -> list[str]:
    return [f'"{cell}"' if cell else "null" for cell in cells]


KINDS: dict[str, Kind] = {
    **{f"int{n}": _integers(getattr(pl, f"Int{n}"), -(2 ** (n - 1)), 2 ** (n - 1) - 1)
       for n in (8, 16, 32, 64, 128)},
    **{f"uint{n}": _integers(getattr(pl, f"UInt{n}"), 0, 2**n - 1) for n in (8, 16, 32, 64)},
    "float32": _kind([0.5, None, -3.25], pl.Float32, ["0.5", "", "-3.25"]),
    "float64": _kind([0.1, None, 5e-324], pl.Float64, ["0.1", "", "5e-324"]),
    "large float64": _kind([1.5e300, -1e-7, 0.30000000000000004], pl.Float64,
                           ["1.5e300", "-1e-7", "0.30000000000000004"]),
    "inf, nan": _kind([INF, NAN, -INF], pl.Float64, ["inf", "NaN", "-inf"],
                      ["inf", "nan", "-inf"]),
    "-0.0": _kind([-0.0, 0.0, 1.5], pl.Float64, ["-0.0", "0.0", "1.5"]),
    "decimal": _kind([Decimal("1.10"), None, Decimal("-12345678.90")], pl.Decimal(10, 2),
                     ["1.10", "", "-12345678.90"]),
    "decimal of 38 digits": _kind(
        [Decimal("0.1"), None, Decimal("9999999999999999999999999999.0000000001")],
        pl.Decimal(38, 10), ["0.1000000000", "", "9999999999999999999999999999.0000000001"]),
    "boolean": _kind([True, None, False], pl.Boolean, ["true", "", "false"]),
    "text": _text(["a", None, "ß日🎉"], ["a", "", "ß日🎉"], _quoted("a", "", "ß日🎉")),
    "empty text": _text(["", None, "x"], ['""', "", "x"], ['""', "null", '"x"']),
    "quotes": _text(['"', 'a"b', "'c'"], ['""""', '"a""b"', "'c'"],
                    [r'"\""', r'"a\"b"', '"\'c\'"']),
    "backslashes": _text(["\\", "\\n", "C:\\x"], ["\\", "\\n", "C:\\x"],
                         [r'"\\"', r'"\\n"', r'"C:\\x"']),
    "line ends": _text(["a\nb", "a\r\nb", "a\rb"], ['"a\nb"', '"a\r\nb"', '"a\rb"'],
                       [r'"a\nb"', r'"a\r\nb"', r'"a\rb"']),
    "separators": _text(["a,b", "a\tb", "a;b|c"], ['"a,b"', '"a\tb"', "a;b|c"],
                        ['"a,b"', r'"a\tb"', '"a;b|c"']),
    "control characters": _text(["\0", "\x01\x1f\x7f", "\u2028\x85"],
                                ["\0", "\x01\x1f\x7f", "\u2028\x85"],
                                [r'"\u0000"', '"\\u0001\\u001f\x7f"', '"\u2028\x85"']),
    "blanks": _text([" a", "b ", " "], [" a", "b ", " "], _quoted(" a", "b ", " ")),
    "leading zeros": _text(["007", "1", "-05"], ["007", "1", "-05"], ['"007"', '"1"', '"-05"']),
    "text like numbers": _text(["1.10", "1e2", "-0"], ["1.10", "1e2", "-0"],
                               _quoted("1.10", "1e2", "-0")),
    "text of long integers": _text(["123456789012345678901", "1", "-2"],
                                   ["123456789012345678901", "1", "-2"],
                                   ["123456789012345678901", "1", "-2"]),
    "text of long fractions": _text(["3.14159265358979323846", "1e400", "1"],
                                    ["3.14159265358979323846", "1e400", "1"],
                                    ["3.14159265358979323846", "1e400", "1"]),
    "words": _text(["true", "null", "x"], ["true", "null", "x"], _quoted("true", "null", "x")),
    "date": _kind([dt.date(2024, 2, 29), None, dt.date(1, 1, 1)], pl.Date,
                  ["2024-02-29", "", "0001-01-01"], _quoted("2024-02-29", "", "0001-01-01")),
    "time": _kind([dt.time(0), None, dt.time(23, 59, 59, 999999)], pl.Time,
                  ["00:00:00.000000000", "", "23:59:59.999999000"],
                  _quoted("00:00:00", "", "23:59:59.999999")),
    "datetime in ms": _ticks([1, None, -1], pl.Datetime("ms"),
                             ["1970-01-01T00:00:00.001", "", "1969-12-31T23:59:59.999"],
                             _quoted("1970-01-01 00:00:00.001", "", "1969-12-31 23:59:59.999")),
    "datetime in µs": _ticks([1, None, -1], pl.Datetime("us"),
                             ["1970-01-01T00:00:00.000001", "", "1969-12-31T23:59:59.999999"],
                             _quoted("1970-01-01 00:00:00.000001", "",
                                     "1969-12-31 23:59:59.999999")),
    "datetime in ns": _ticks([1, None, -1], pl.Datetime("ns"),
                             ["1970-01-01T00:00:00.000000001", "",
                              "1969-12-31T23:59:59.999999999"],
                             _quoted("1970-01-01 00:00:00.000000001", "",
                                     "1969-12-31 23:59:59.999999999")),
    "datetime with a zone": _ticks(
        [1729989000000, None, 1729992600000], pl.Datetime("ms", "Europe/Berlin"),
        ["2024-10-27T02:30:00.000+0200", "", "2024-10-27T02:30:00.000+0100"],
        _quoted("2024-10-27T02:30:00+02:00", "", "2024-10-27T02:30:00+01:00")),
    "duration": _ticks([0, None, -90061001], pl.Duration("ms"),
                       ["PT0S", "", "-P1DT1H1M1.001S"], _quoted("PT0S", "", "-P1DT1H1M1.001S")),
    "list": _kind([[1, None], None, []], pl.List(pl.Int64), ['"[1,null]"', "", "[]"],
                  ["[1,null]", "null", "[]"]),
    "list of text": _kind([['a"', ""], None, ["\\"]], pl.List(pl.String),
                          ['"[""a\\"""",""""]"', "", '"[""\\\\""]"'],
                          [r'["a\"",""]', "null", r'["\\"]']),
    "list of inf, nan": _kind([[1.5, NAN], None, [INF]], pl.List(pl.Float64),
                              ['"[1.5,""nan""]"', "", '"[""inf""]"'],
                              ['[1.5,"nan"]', "null", '["inf"]']),
    "list of decimals": _kind([[Decimal("1.10")], None, []], pl.List(pl.Decimal(10, 2)),
                              ["[1.10]", "", "[]"], ["[1.10]", "null", "[]"]),
    "array": _kind([[1, 2], None, [3, None]], pl.Array(pl.Int64, 2),
                   ['"[1,2]"', "", '"[3,null]"'], ["[1,2]", "null", "[3,null]"]),
    "struct": _kind([{"a": 1, "b": "x"}, None, {"a": None, "b": None}],
                    pl.Struct({"a": pl.Int64, "b": pl.String}),
                    ['"{""a"":1,""b"":""x""}"', "", '"{""a"":null,""b"":null}"'],
                    ['{"a":1,"b":"x"}', "null", '{"a":null,"b":null}']),
    "binary": _kind([b"\0\xff", None, b""], pl.Binary, ["AP8=", "", '""'],
                    ['"AP8="', "null", '""']),
    "categorical": _kind(["a", None, 'b,"'], pl.Categorical, ["a", "", '"b,"""'],
                         ['"a"', "null", r'"b,\""']),
    "enum": _kind(["lo", None, "hi"], pl.Enum(["lo", "mid", "hi"]), ["lo", "", "hi"],
                  _quoted("lo", "", "hi")),
    "nothing": _kind([None, None, None], pl.Null, ["", "", ""]),
}  # fmt: skip

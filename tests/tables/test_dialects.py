"""`dezero map` in every dialect of text, and what of a table it never touches."""

import datetime
import decimal
import itertools
import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from dezero_cli.faults import TableError, UsageError
from dezero_cli.tables import encode, streams
from dezero_cli.tables.delimited import Delimited
from dezero_cli.tables.dialect import Dialect, separator_of
from dezero_cli.tables.files import found
from dezero_cli.tables.inference import Types
from dezero_cli.tables.json_types import JsonTypes
from dezero_cli.tables.jsonlines import JsonLines
from tests.tables.test_map import write

ROWS = [["x", "name", "y"], ["1.5", "a b", "2"], ["-0", "", "1e2"]]
SIGNS = {"semicolon": ";", ";": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "|": "|", "comma": ","}


@pytest.mark.parametrize("word", SIGNS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_marks(dezero, tmp_path, word, end, mark):
    sign = SIGNS[word]
    text = mark + "".join(sign.join(row) + end for row in ROWS)
    path = write(tmp_path, "t.csv", text)
    results = [["value", "d_x", "d_y"], ["3.0", "2.0", "1.5"], ["-0.0", "100.0", "-0.0"]]
    pairs = zip(ROWS, results, strict=True)
    wanted = "".join(sign.join([*row, *more]) + end for row, more in pairs)
    words = ("map", "x*y", path, "--separator", word)
    target = tmp_path / "o.csv"
    assert dezero(*words, "-o", str(target)) == (0, "", "")
    assert target.read_bytes().decode() == wanted


@pytest.mark.parametrize("word", ["", "ab", '"', "\n", ".", "-", "+", "é"])
def test_what_is_no_separator(word):
    with pytest.raises(UsageError, match="one character"):
        separator_of(word)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--decimal", ";"], "--decimal"),
        (["--decimal", ","], "--decimal , needs cells that are separated by another sign"),
        (["--comment", ""], "--comment is the text that a line of comment begins with"),
        (["--comment", '"'], "--comment is the text that a line of comment begins with"),
        (["--separator", "ab"], "--separator is one character, or tab, space, comma,"),
    ],
)
def test_options_that_cannot_be(dezero, tmp_path, options, said):
    path = write(tmp_path, "t.csv", "x\n1\n")
    outcome = dezero("map", "x", path, *options)
    assert (outcome.status, outcome.out) == (2, "") and said in outcome.err
    with pytest.raises(UsageError, match="not ';'"):
        Dialect(decimal=";")


DIALECTS = {
    "decimal commas, exponents and whole numbers": (
        "x;y\n1,5e2;-2\n,5;+3\n",
        ["x*y", "--separator", ";", "--decimal", ",", "--no-grad"],
        "x;y;value\n1,5e2;-2;-300,0\n,5;+3;1,5\n",
    ),
    "missing cells count only where they are used": (
        "x,s\nNA,NA\n-,-\n1,x\n",
        ["x", "--missing", "NA, -", "--no-grad"],
        "x,s,value\nNA,NA,NaN\n-,-,NaN\n1,x,1.0\n",
    ),
    "comments before, between and after": (
        "# one\nx,y\n  # two, three\n1,2\n#3,4\n5,6\n# end",
        ["x+y", "--comment", "#", "--no-grad"],
        "x,y,value\n1,2,3.0\n5,6,11.0\n",
    ),
    "lines that are skipped, then comments": (
        "a,b\nc\n// d\nx\n1\n",
        ["x", "--skip", "2", "--comment", "//", "--no-grad"],
        "x,value\n1,1.0\n",
    ),
    "no header and other names": (
        "1;2\n3;4\n",
        ["c1-c2", "--no-header", "--separator", ";", "--only"],
        "-1.0;1.0;-1.0\n-1.0;1.0;-1.0\n",
    ),
    "quotes doubled, ends of lines and separators in quotes": (
        'x,"a ""b"""\n1,"1,2\n3"\n"2","""x"""\n',
        ["x", "--no-grad"],
        'x,"a ""b""",value\n1,"1,2\n3",1.0\n"2","""x""",2.0\n',
    ),
    "the sign between cells where the header has it in quotes": (
        '"x,1",y\n2,3\n',
        ["`x,1`*y", "--no-grad"],
        '"x,1",y,value\n2,3,6.0\n',
    ),
}


@pytest.mark.parametrize("case", DIALECTS)
@pytest.mark.parametrize("block", [1, 9, 1 << 20])
def test_dialects_wherever_they_are_cut(dezero, tmp_path, monkeypatch, case, block):
    monkeypatch.setattr(streams, "BLOCK", block)
    text, words, out = DIALECTS[case]
    assert dezero("map", *words, write(tmp_path, "t.csv", text)) == (0, out, "")


def test_decimal_commas_need_no_quotes_in_other_formats(dezero, tmp_path):
    path = write(tmp_path, "t.csv", "x;n\n1,5;2.5\n-0,0;a\n")
    words = ("map", "x", path, "--separator", ";", "--decimal", ",", "--no-grad")
    assert dezero(*words, "--to", "jsonl").out == (
        '{"x":1.5,"n":"2.5","value":1.5}\n{"x":-0.0,"n":"a","value":-0.0}\n'
    )
    said = f"error: {path}: row 1, column n: '2.5' is not a number\n"
    assert dezero("map", "n", *words[2:]) == (1, "", said)
    assert dezero(*words, "-o", str(tmp_path / "o.parquet")).status == 0
    frame = pl.read_parquet(tmp_path / "o.parquet")
    assert frame.rows() == [(1.5, "2.5", 1.5), (0.0, "a", 0.0)]


@pytest.mark.parametrize(
    ("how", "status", "out"),
    [
        ("stop", 1, None),
        ("skip", 0, "x,y,value\n1,2,2.0\n5,6,30.0\n"),
        ("null", 0, "x,y,value\n1,2,2.0\nq,4,NaN\n3,,NaN\n5,6,30.0\n"),
    ],
)
def test_bad_rows(dezero, tmp_path, how, status, out):
    path = write(tmp_path, "t.csv", "x,y\n1,2\nq,4\n3\n5,6\n")
    outcome = dezero("map", "x*y", path, "--no-grad", "--on-bad", how)
    assert outcome.status == status
    if out is not None:
        assert outcome.out == out
    if how == "skip":
        assert outcome.err == "2 rows that could not be read left out\n"
    target = tmp_path / "o.parquet"
    outcome = dezero("map", "x*y", path, "--no-grad", "--on-bad", how, "-o", str(target))
    assert outcome.status == status and target.exists() == (status == 0)
    if how == "skip":
        assert pl.read_parquet(target).rows() == [(1, 2, 2.0), (5, 6, 30.0)]


def test_bad_lines_of_json(dezero, tmp_path):
    lines = '{"x":1}\n{"x":"q"}\n[1]\nrubbish\n{"x":"-"}\n{"x":2}\n'
    path = write(tmp_path, "t.jsonl", lines)
    words = ("map", "2*x", path, "--no-grad", "--missing", "-")
    outcome = dezero(*words, "--on-bad", "skip")
    assert outcome.err == "3 rows that could not be read left out\n"
    assert outcome.out == (
        '{"x":1,"value":2.0}\n'
        '{"x":"-","value":null,"nonfinite":{"value":"nan"}}\n'
        '{"x":2,"value":4.0}\n'
    )
    said = "row 3: not a JSON object: jq -c '.[]' writes the elements of an array as lines"
    outcome = dezero(*words, "--on-bad", "null")
    assert (outcome.status, outcome.err) == (1, f"error: {path}: {said}\n")
    write(tmp_path, "t.jsonl", '{"x":1}\n{"x":"q"}\n{"x":-0}\n')
    said = 'row 2, column x: "q" is not a number'
    assert dezero(*words) == (1, "", f"error: {path}: {said}\n")
    assert dezero(*words, "--on-bad", "null", "--to", "csv").out == (
        "x,value\n1,2.0\nq,NaN\n-0,-0.0\n"
    )


@pytest.mark.parametrize("most", [3, 4])
def test_a_row_beyond_the_longest(dezero, tmp_path, most):
    path = write(tmp_path, "t.csv", "x\n1\n1234\n")
    outcome = dezero("map", "x", path, "--no-grad", "--max-line", str(most))
    if most == 4:
        assert outcome == (0, "x,value\n1,1.0\n1234,1234.0\n", "")
    else:
        said = "row 2: longer than 3 bytes: --max-line reads longer rows"
        assert outcome == (1, "", f"error: {path}: {said}\n")


@pytest.mark.parametrize(
    ("text", "expr", "hint"),
    [
        ("Tem (K)\n1\n", "Tem*2", "write `Tem (K)` in backquotes: '`Tem (K)`*2'"),
        ("speed,time\n1,2\n", "sped", "did you mean speed?"),
        ("a,b\n1,2\n", "qqq", "the columns are a, b; or add qqq=VALUE"),
        ("a\n1\n", "\u0430*2", "the table has a (U+0061), which looks alike"),
        ("a`b\n1\n", "a*2", "the column a`b cannot be written: rename it"),
        ("a;b\n1;2\n", "a*b", "cells between ';' need --separator ';'"),
        ("a\tb\n1\t2\n", "a*b", "cells between tab need --separator tab"),
    ],
)  # fmt: skip
def test_hints(dezero, tmp_path, text, expr, hint):
    path = write(tmp_path, "t.csv", text)
    outcome = dezero("map", expr, path)
    assert (outcome.status, outcome.out) == (2, "") and hint in outcome.err


# --------------------------------------------------------------------- what is never touched
KINDS = pl.DataFrame(
    {
        "x": [1.0, 2.0],
        "whole": [2**62 + 1, None],
        "real": [-0.0, 1e300],
        "text": ['q"u,o', None],
        "truth": [True, None],
        "day": [datetime.date(2024, 2, 29), None],
        "time": [datetime.datetime(2024, 2, 29, 12, 30), None],
    }
)
AS_TEXT = [
    ["4611686018427387905", "-0.0", 'q"u,o', "true", "2024-02-29", "2024-02-29T12:30:00.000000"],
    ["", "1e300", "", "", "", ""],
]
WRITE = {"parquet": pl.DataFrame.write_parquet, "arrow": pl.DataFrame.write_ipc}
READ = {"parquet": pl.read_parquet, "arrow": pl.read_ipc}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(WRITE, WRITE)))
def test_columns_stay_as_they_are(dezero, tmp_path, source, target):
    more = pl.DataFrame(
        {
            "price": pl.Series([decimal.Decimal("1.10"), None], dtype=pl.Decimal(10, 2)),
            "bytes": [b"\0\xff", None],
            "list": [[1, None], []],
            "object": [{"a": 1, "b": [None, "x"]}, {"a": None, "b": None}],
            "nothing": pl.Series([None, None], dtype=pl.Int8),
        }
    )
    frame = KINDS.hstack(more)
    path, made = tmp_path / f"t.{source}", tmp_path / f"o.{target}"
    WRITE[source](frame, path)
    assert dezero("map", "x**2", str(path), "--no-grad", "-o", str(made)) == (0, "", "")
    found_ = READ[target](made)
    assert found_.drop("value").equals(frame) and found_.drop("value").schema == frame.schema
    assert str(found_["real"][0]) == "-0.0" and found_["value"].to_list() == [1.0, 4.0]


@pytest.mark.parametrize("form", WRITE)
def test_columns_as_json(dezero, tmp_path, form):
    path = tmp_path / f"t.{form}"
    frame = KINDS.with_columns(list=pl.Series([[1, None], []]), odd=pl.Series([np.inf, None]))
    WRITE[form](frame, path)
    out = dezero("map", "x/0", str(path), "--no-grad", "--to", "jsonl").out
    first, second = map(json.loads, out.splitlines())
    assert (first["whole"], first["list"], first["truth"]) == (2**62 + 1, [1, None], True)
    assert (first["text"], first["day"]) == ('q"u,o', "2024-02-29")
    assert first["nonfinite"] == {"odd": "inf", "value": "inf"}
    assert second["nonfinite"] == {"value": "inf"} and second["text"] is None


def test_the_rows_of_columns_as_json_to_the_byte():
    frame = pl.DataFrame(
        {
            "x": [1.5, np.nan, None],
            'k"': pl.Series([decimal.Decimal("1.10"), None, decimal.Decimal(-2)]),
            "y": [-np.inf, 2.0, None],
        },
        schema_overrides={'k"': pl.Decimal(10, 2)},
    )
    assert encode.table_objects(frame).decode().splitlines() == [
        '{"x":1.5,"k\\"":1.10,"y":null,"nonfinite":{"y":"-inf"}}',
        '{"x":null,"k\\"":null,"y":2.0,"nonfinite":{"x":"nan"}}',
        '{"x":null,"k\\"":-2.00,"y":null}',
    ]
    plain = pl.DataFrame({"x": [1.5, None], "t": ["a", None]})
    assert encode.table_objects(plain) == b'{"x":1.5,"t":"a"}\n{"x":null,"t":null}\n'


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-0"], pl.Float64, [1.0, -0.0]),
        (["1", " 2 ", ""], pl.Int64, [1, 2, None]),
        (["007", "1"], pl.String, ["007", "1"]),
        (["9223372036854775807"], pl.Int64, [2**63 - 1]),
        (["9223372036854775808"], pl.String, ["9223372036854775808"]),
        (["9007199254740993", "1.5"], pl.String, ["9007199254740993", "1.5"]),
        (["1.5", "2"], pl.Float64, [1.5, 2.0]),
        (["", " "], pl.String, [None, " "]),
        (["2024-01-01", "1"], pl.String, ["2024-01-01", "1"]),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_types_of_text(cells, kind, values, apart):
    reader = Delimited("csv", Dialect())
    names = ["s", "x"]
    rows = [f"{cell},1.5\n".encode() for cell in cells]
    types, others = Types([1], Dialect()), Types([1], Dialect())
    if apart:
        for row in rows:
            each = Types([1], Dialect())
            each.learn(reader.piece(row, names))
            others.include(each)
        types.include(others)
    else:
        types.learn(reader.piece(b"".join(rows), names))
    assert types.schema(names) == {"s": kind, "x": pl.Float64}
    made = types.applied(reader.piece(b"".join(rows), names), names)
    assert made["s"].to_list() == values and made["s"].dtype == kind
    assert list(map(str, made["s"])) == list(map(str, values))
    assert made["x"].to_list() == [1.5] * len(cells)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2], pl.Int64),
        ([1, 2.5], pl.Float64),
        ([None, None], pl.String),
        (["a", None], pl.String),
        ([True, False], pl.Boolean),
        ([2**60, 1], pl.Int64),
        ([[1], [], None], pl.List(pl.Int64)),
        ([[1], [2.5]], pl.List(pl.Float64)),
        ([{"a": 1, "b": "x"}, {"a": 2, "b": None}], pl.Struct({"a": pl.Int64, "b": pl.String})),
        ([{"a": [{"b": 1}]}], pl.Struct({"a": pl.List(pl.Struct({"b": pl.Int64}))})),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_types_of_json(cells, kind, apart):
    reader, names = JsonLines(Dialect()), ["s", "x"]
    lines = [json.dumps({"s": cell, "x": None}).encode() + b"\n" for cell in cells]
    types = JsonTypes(["x"])
    for part in lines if apart else [b"".join(lines)]:
        each = JsonTypes(["x"])
        each.learn(reader.piece(part, names))
        types.include(each)
    assert types.schema(names) == {"s": kind, "x": pl.Float64}
    made = types.applied(reader.piece(b"".join(lines), names), names)
    assert made["s"].to_list() == cells and made["s"].dtype == kind
    assert made["x"].to_list() == [None] * len(cells)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([1, "a"], "its type is not that of the values before it"),
        ([True, 1], "its type is not that of the values before it"),
        ([[1], [["a"]]], "its type is not that of the values before it"),
        ([[1], {"a": 1}], "its type is not that of the values before it"),
        ([{}], "an object without keys has no type in columns"),
        ([2**60, 1.5], "an integer that would change beside numbers that are not whole"),
        ([2**63], "an integer that does not fit into 64 bits"),
    ],
)
def test_json_that_no_type_holds(cells, said):
    lines = b"".join(json.dumps({"s": cell}).encode() + b"\n" for cell in cells)
    with pytest.raises(TableError, match=said) as caught:
        JsonTypes([]).learn(JsonLines(Dialect()).piece(lines, ["s"]))
    assert (caught.value.row, caught.value.column) == (len(cells), "s")


def test_nested_json(dezero, tmp_path):
    deep = "[" * 70 + "1" + "]" * 70
    path = write(tmp_path, "t.jsonl", f'{{"x":1,"s":{deep}}}\n')
    outcome = dezero("map", "x", path, "-o", str(tmp_path / "o.parquet"))
    assert outcome.status == 1 and "row 1, column s: nested too deeply" in outcome.err
    lines = '{"x":1,"s":[1.10,{"a":"b,c"}],"t":12345678901234567890123,"b":false}\n{"x":2}\n'
    path = write(tmp_path, "n.jsonl", lines)
    assert dezero("map", "x", path, "--no-grad", "--to", "csv").out == (
        'x,s,t,b,value\n1,"[1.10,{""a"":""b,c""}]",12345678901234567890123,false,1.0\n2,,,,2.0\n'
    )


def test_json_that_was_not_finite(dezero, tmp_path):
    lines = (
        '{"x":null,"y":1,"nonfinite":{"x":"-inf"}}\n'
        '{"nonfinite": {"x": "nan"}, "x": null, "y": 2}\n'
        '{"x":3,"y":null,"nonfinite":{"y":"inf"}}\n{"x":4,"y":4}\n'
    )
    path = write(tmp_path, "t.jsonl", lines)
    assert dezero("map", "2*x", path, "--no-grad").out == (
        '{"x":null,"y":1,"value":null,"nonfinite":{"x":"-inf","value":"-inf"}}\n'
        '{ "x": null, "y": 2,"value":null,"nonfinite":{"x":"nan","value":"nan"}}\n'
        '{"x":3,"y":null,"value":6.0,"nonfinite":{"y":"inf"}}\n{"x":4,"y":4,"value":8.0}\n'
    )
    assert dezero("map", "2*x", path, "--no-grad", "--to", "csv").out == (
        "x,y,value\n-inf,1,-inf\nNaN,2,NaN\n3,inf,6.0\n4,4,8.0\n"
    )


@pytest.mark.parametrize("form", WRITE)
def test_damaged_columns_are_one_line(dezero, tmp_path, form):
    path = tmp_path / f"t.{form}"
    frame = pl.DataFrame({"x": np.arange(100.0), "s": [f"text {i}" for i in range(100)]})
    WRITE[form](frame, path)
    data = path.read_bytes()
    random = np.random.default_rng(3)
    cuts = [data[: len(data) * part // 8] for part in range(1, 8)]
    flips = [
        data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        for place in random.integers(0, len(data), 40).tolist()
    ]
    for bad in [*cuts, *flips]:
        path.write_bytes(bad)
        status, out, err = dezero("map", "x", str(path), "--to", "jsonl", "--only", "--no-grad")
        assert "panic" not in err and "Traceback" not in err
        if bad in cuts or status:
            assert (status, err) == (1, f"error: {path}: cannot be read as {form}: damaged\n")
        else:
            assert out.count("\n") == 100


def test_files_of_one_table_must_match(dezero, tmp_path):
    paths = {}
    for name, frame in {
        "one": pl.DataFrame({"x": [1.0], "y": [1]}),
        "kind": pl.DataFrame({"x": [1.0], "y": ["a"]}),
        "less": pl.DataFrame({"x": [1.0]}),
        "more": pl.DataFrame({"x": [1.0], "y": [1], "z": [1]}),
        "turned": pl.DataFrame({"y": [1], "x": [1.0]}),
    }.items():
        paths[name] = str(tmp_path / f"{name}.parquet")
        frame.write_parquet(paths[name])
    for name, said in {
        "kind": ": column y: its type is String, but Int64 in " + paths["one"],
        "less": f": column y: this column is missing, but {paths['one']} has it",
        "more": f": column z: {paths['one']} does not have this column",
        "turned": f": its columns are in a different order from those of {paths['one']}",
    }.items():
        outcome = dezero("map", "x", paths["one"], paths[name])
        assert outcome == (1, "", f"error: {paths[name]}{said}\n")
    assert found([paths["one"]], None).format == "parquet"


def test_columns_of_a_wide_table_have_the_types_that_each_has_alone():
    cells = ["1", "-5", "0", "1.5", "-0", "", " 7 ", "1e400", "x", "nan", "007", "0.0", "1e-400"]
    cells += ["9007199254740993", "123456789012345678901", "3.14159265358979323846", "0.1000000001"]
    pairs = [(first, second) for first in cells for second in cells]
    wide = pl.DataFrame({str(i): pair for i, pair in enumerate(pairs)})
    together = Types([3], Dialect())
    together.learn(SimpleNamespace(frame=wide))
    names = [f"c{i}" for i in range(len(pairs))]
    alone = {}
    for i, name in enumerate(names):
        each = Types([3], Dialect())
        each.learn(SimpleNamespace(frame=wide.select(str(i))))
        alone[name] = each.schema(names)[name]
    assert together.schema(names) == alone
    made = together.applied(SimpleNamespace(frame=wide), names)
    assert dict(made.schema) == alone
    assert made["c0"].to_list() == [1, 1] and made[f"c{3 * len(cells)}"].to_list() == [1.5, 1.0]

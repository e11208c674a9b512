"""Values from files: a column, a matrix, standard input; names that options take; ``--vars``."""

import bz2
import gzip
import importlib
import io
import json
import re
import shlex

import numpy as np
import polars as pl
import pytest
import zstandard

from dezero_cli import reading
from dezero_cli.faults import UsageError
from dezero_cli.language.spelling import some_names

TABLE = {"time": [0.0, 1.0, 2.5], "name": ["a", "b", "c"], "Temp (°C)": [20.0, None, -3.25]}
WRITERS = {
    "csv": lambda frame, path: frame.write_csv(path),
    "tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    "jsonl": lambda frame, path: frame.write_ndjson(path),
    "ndjson": lambda frame, path: frame.write_ndjson(path),
    "parquet": lambda frame, path: frame.write_parquet(path),
    "arrow": lambda frame, path: frame.write_ipc(path),
    "feather": lambda frame, path: frame.write_ipc(path),
}
FORMATS = pytest.mark.parametrize("form", WRITERS)


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Write TABLE, or other columns, in a format; the name is relative to the working folder."""
    monkeypatch.chdir(tmp_path)

    def call(form, columns=TABLE, name="decay"):
        WRITERS[form](pl.DataFrame(columns), tmp_path / f"{name}.{form}")
        return f"{name}.{form}"

    return call


@pytest.fixture
def typed(monkeypatch):
    """Put a text on standard input, to be read once."""

    def call(text):
        stream = io.BytesIO(text.encode())
        monkeypatch.setattr("os.read", lambda descriptor, most: stream.read(most))

    return call


def value(outcome):
    assert outcome.status == 0, outcome.err
    return outcome.json["value"]


# ------------------------------------------------------------------------------------------- files
@FORMATS
def test_one_column_of_a_table_by_its_name(dezero, table, form):
    path = table(form)
    assert value(dezero("eval", "t", f"t=@{path}:time", "--json")) == TABLE["time"]
    for column in ("Temp (°C)", "`Temp (°C)`"):
        found = value(dezero("eval", "t", f"t=@{path}:{column}", "--json"))
        assert found == [20.0, None, -3.25]  # an empty cell is nan
    swapped = dezero("eval", "sum(t*u)", f"t=@{path}:time", f"u=@{path}:time", "--json").json
    assert swapped["grad"] == {"t": TABLE["time"], "u": TABLE["time"]}


@FORMATS
def test_several_columns_are_a_matrix(dezero, table, form):
    path = table(form, {"a": [1.5, 2.0], "b": [3.0, -4.0]})
    assert value(dezero("eval", "x", f"x=@{path}", "--json")) == [[1.5, 3.0], [2.0, -4.0]]
    assert value(dezero("eval", "x@[1, 1]", f"x=@{path}", "--json")) == [4.5, -2.0]
    one = table(form, {"a": [1.5, 2.0]})
    assert value(dezero("eval", "x", f"x=@{one}", "--json")) == [1.5, 2.0]


@FORMATS
def test_columns_of_text_say_how_to_name_one(dezero, table, form):
    path = table(form)
    outcome = dezero("eval", "t", f"t=@{path}")
    advice = f"t=@{path}:time"
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == (
        f"error: t=@{path}: 3 columns, of which name is text: name one, as in {advice}\n"
    )
    assert value(dezero("eval", "t", advice, "--json")) == TABLE["time"]
    assert "no column tme: did you mean time?" in dezero("eval", "t", f"t=@{path}:tme").err
    assert "the columns are time, name" in dezero("eval", "t", f"t=@{path}:xyz").err
    text = dezero("eval", "t", f"t=@{path}:name")
    assert text.status == 2 and "column name" in text.err and text.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("m.csv", "1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("m.csv", "a,b\r\n1,2\r\n\r\n3,4", [[1, 2], [3, 4]]),
        ("m.csv", '\ufeff"a, b",c\n"1", 2\n', [[1, 2]]),
        ("m.csv", "1,2,3\n", [[1, 2, 3]]),
        ("m.csv", "1,\n,4\n", [[1, None], [None, 4]]),
        ("m.csv", "x\n1\n2\n", [1, 2]),
        ("m.csv", ",a\n0,1\n1,2\n", [[0, 1], [1, 2]]),
        ("m.csv", "1\n\n2\n", [1, 2]),
        ("m.csv", "", []),
        ("m.csv", "x\n", []),
        ("m.tsv", "1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ("m.txt", "1\n2e3\n-inf\n", [1, 2000, None]),
        ("m.txt", "1 2\n 3  4\n", [[1, 2], [3, 4]]),
        ("m.txt", "1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("m.jsonl", '{"a":1,"b":2}\n{"b":4}\n', [[1, 2], [None, 4]]),
    ],
)
def test_plain_text(dezero, typed, tmp_path, name, text, expected):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    assert value(dezero("eval", "x", f"x=@{path}", "--json", "--no-grad")) == expected
    if name.endswith(("txt", "csv")):
        typed(text)
        assert value(dezero("eval", "x", "x=@-", "--json", "--no-grad")) == expected


@pytest.mark.parametrize(
    ("ending", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", zstandard.compress)],
)
def test_compressed_files_are_what_they_hold(dezero, tmp_path, ending, pack):
    for name, text in (
        ("m.csv", "a,b\n1,2\n3,4\n"),
        ("m.jsonl", '{"a":1,"b":2}\n{"a":3,"b":4}\n'),
        ("m.json", "[2, 4]"),
    ):
        path = tmp_path / (name + ending)
        path.write_bytes(pack(text.encode()))
        column = "" if name == "m.json" else ":b"
        assert value(dezero("eval", "x", f"x=@{path}{column}", "--json", "--no-grad")) == [2, 4]


def test_text_that_begins_as_compressed_data_does_is_text(dezero, tmp_path, typed):
    path = tmp_path / "m.csv"
    path.write_text("BZh,b\n1,2\n")
    assert value(dezero("eval", "x", f"x=@{path}:BZh", "--json")) == [1]
    assert dezero("map", "BZh", str(path), "--only", "--no-grad").out == "value\n1.0\n"
    typed("BZh9 + 1")
    assert dezero("eval", "-", "BZh9=1", "--get", "value").out == "2.0\n"


def test_compressed_files_are_not_unpacked_without_end(dezero, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_UNPACKED", 1 << 20)
    path = tmp_path / "m.csv.gz"
    path.write_bytes(gzip.compress(b"1\n" * (1 << 22)))
    outcome = dezero("eval", "x", f"x=@{path}")
    assert outcome.err == f"error: {path}: unpacks to more than 1 GiB\n"


def test_a_column_of_standard_input(dezero, typed):
    typed("t,y\n1,2\n3,4\n")
    assert value(dezero("eval", "y", "y=@-:y", "--json")) == [2, 4]


@pytest.mark.parametrize(
    ("name", "text", "column", "message"),
    [
        ("m.csv", "1,2\n3\n", "", "m.csv:2: 1 cell, but the first line has 2"),
        ("m.csv", "a,b\n1,2\n3,x\n", "", "m.csv:3: column b: 'x' is not a number"),
        ("m.csv", "1,2\n3,x\n", "", "m.csv:2: 'x' is not a number"),
        ("m.csv", "1O,2\n3,4\n", "", "m.csv:1: '1O' is not a number"),
        ("m.csv", "1;2\n3;4\n", "", "m.csv: cells between ';' are not read here: dezero map"),
        ("m.csv", "a;b\n1,5;2\n", ":a", "m.csv: cells between ';' are not read here: dezero map"),
        ("m.csv.gz", "\x1f\udc8b\x08", "", "m.csv.gz: cannot be read as gzip: damaged"),
        ("m.txt", "-2,5 \n3\n", "", "m.txt:2: 1 cell, but the first line has 2"),
        ("m.csv", "a,2\n3,4\n", "", "m.csv:1: 'a' is not a number"),
        ("m.csv", "a,a\n1,2\n", "", "m.csv: two columns are named 'a'"),
        ("m.csv", "a,b\nq,r\n", "", "2 columns, of which a, b are text: no column has numbers"),
        ("m.csv", "1,2\n", ":", "x=@m.csv: needs the name of a column"),
        ("m.csv", "1,2\n", ":a", "no column a: the columns are 1, 2"),
        ("m.csv", "\udcff", "", "m.csv: not UTF-8 at byte 0"),
        ("m.csv", f'a\n"{"1" * 200_000}"\n', ":a", "m.csv: line 2 cannot be read as CSV"),
        ("m.jsonl", '{"a":1}\n[2]\n', "", "m.jsonl:2: not a JSON object"),
        ("m.jsonl", '{"a":1}\n{"a":true}\n', "", "m.jsonl:2: 'True' is not a number"),
        ("m.jsonl", '{"a"\n', "", "m.jsonl:1: not JSON"),
        ("m.parquet", "text", "", "m.parquet: cannot be read"),
        ("m.arrow", "text", ":a", "m.arrow: cannot be read"),
        ("m.json", "[1,2]", ":a", "m.json: has no columns with names"),
        ("m.npy", "", ":a", "m.npy: has no columns with names"),
    ],
)
def test_faults_of_files_are_one_line(dezero, tmp_path, monkeypatch, name, text, column, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    outcome = dezero("eval", "x", f"x=@{name}{column}")
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err and outcome.err.count("\n") == 1


def test_a_name_with_a_colon_is_a_file_where_there_is_one(dezero, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("b\n1\n")
    (tmp_path / "a:b.csv").write_text("c:d\n2\n")
    assert value(dezero("eval", "x", "x=@a.csv:b", "--json")) == [1]
    assert value(dezero("eval", "x", "x=@a:b.csv", "--json")) == [2]
    assert value(dezero("eval", "x", "x=@a:b.csv:c:d", "--json")) == [2]
    assert dezero("eval", "x", "x=@none.csv:b").err.startswith("error: none.csv: no such file")
    assert "a.csv" in dezero("plot", "x", "x=@a.csv:z", "-o", "p.svg").err  # is no range


def test_text_needs_no_other_library_and_columns_say_which(dezero, table, monkeypatch):
    paths = [table(form) for form in ("csv", "tsv", "jsonl", "parquet")]
    found = importlib.import_module

    def missing(name, *rest):
        if name == "polars":
            raise ModuleNotFoundError(name)
        return found(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    for path in paths[:3]:
        assert value(dezero("eval", "t", f"t=@{path}:time", "--json")) == TABLE["time"]
    outcome = dezero("eval", "t", f"t=@{paths[3]}:time")
    assert outcome.status == 1 and outcome.err.endswith(": python -m pip install polars\n")


def test_every_command_reads_files(dezero, table):
    path = table("csv", {"a": [1.0, 2.0], "b": [3.0, 4.0]})
    word = f"x=@{path}"
    assert dezero("check", "sum(x**2)", word).status == 0
    assert "gradient" in dezero("graph", "sum(x**2)", word).out
    one = table("csv", {"a": [2.0]}, "one")
    assert dezero("batch", one, "--expr", "sum(x)", word).out.startswith('{"line":1')
    assert "must be one number" in dezero("map", "a*x", path, word).err
    words = ["eval", "sum(x)", "x=[1,2]", "--sigma", f"x=@{path}:b", "--json"]
    assert dezero(*words).json["sigma"] == 5.0


@pytest.mark.parametrize("command", ["eval", "check", "derive", "functions", "graph"])
def test_the_examples_of_the_help_work(dezero, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("1,2\n3,4\n5,7\n")
    (tmp_path / "y.csv").write_text("1\n2\n3\n")
    (tmp_path / "data.csv").write_text("name,length\na,1.5\nb,2\n")
    help_text = dezero(command, "--help").out
    lines = re.findall(r"^  +(dezero .*)$", help_text, re.M)
    assert len(lines) >= 3
    for line in lines:
        if " -o " not in line:
            assert dezero(*shlex.split(line)[1:]).status == 0, line


# --------------------------------------------------------------------------------- standard input
@pytest.mark.parametrize(
    "words",
    [
        ["eval", "-", "--vars", "-"],
        ["eval", "x*y", "x=@-", "y=@-"],
        ["eval", "-", "x=@-:t"],
        ["eval", "x", "x=1", "--defs", "-", "--vars", "-"],
        ["eval", "@-", "x=@-"],
        ["eval", "x", "x=@-", "--sigma", "x=@-"],
        ["check", "-", "--vars", "-"],
        ["batch", "x=@-"],
        ["batch", "-", "x=@-"],
        ["batch", "--expr", "-"],
        ["batch", "--defs", "-"],
        ["map", "x*k", "k=@-"],
        ["map", "-"],
        ["derive", "-", "--defs", "-"],
    ],
    ids=" ".join,
)
def test_one_thing_reads_standard_input(dezero, words):
    outcome = dezero(*words)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: standard input can be read only once, not for ")
    assert outcome.err.count("\n") == 1


# ------------------------------------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ()),
        (["a"], ("a",)),
        (["a,b"], ("a", "b")),
        (["a, b", "c"], ("a", "b", "c")),
        (["`a,b`,c"], ("a,b", "c")),
        (["c,`a,b`"], ("c", "a,b")),
        (["` `,`=,`"], (" ", "=,")),
        (["e\u0301"], ("\u00e9",)),
    ],
)
def test_options_take_several_names(words, expected):
    assert some_names(words) == expected


@pytest.mark.parametrize("word", ["", ",", "a,", ",a", "a,,b", "`a", "a`,b"])
def test_a_name_that_is_missing_is_said(word):
    with pytest.raises(UsageError, match="expected names, as in x,y"):
        some_names([word])


def test_wrt_takes_several_names_everywhere(dezero, table, tmp_path):
    both = ["--wrt", "b,a"]
    words = ["a*b*c", "a=2", "b=3", "c=5"]
    assert dezero("eval", *words, *both, "--json").json["grad"] == {"b": 10.0, "a": 15.0}
    assert list(dezero("check", *words, *both, "--json").json["check"]) == ["b", "a"]
    assert list(dezero("derive", "a*b*c", *both, "--json").json["grad"]) == ["b", "a"]
    path = table("csv", {"a": [2.0], "b": [3.0], "c": [5.0]})
    assert dezero("map", "a*b*c", path, *both, "--only").out == "value,d_b,d_a\n30.0,10.0,15.0\n"
    lines = tmp_path / "lines"
    lines.write_text("a*b*c ; a=2 b=3 c=5\n")
    assert dezero("batch", str(lines), *both).json["grad"] == {"b": 10.0, "a": 15.0}
    lines.write_text('{"expr":"`a,b`*c","vars":{"a,b":2,"c":3,"d":4},"wrt":"d,`a,b`"}\n')
    assert dezero("batch", str(lines)).json["grad"] == {"d": 0.0, "a,b": 3.0}
    quoted = dezero("eval", "`a,b`*c", "`a,b`=2", "c=3", "--wrt", "`a,b`,c", "--json").json
    assert quoted["grad"] == {"a,b": 3.0, "c": 2.0}
    for command in (["eval", *words], ["derive", "a"], ["check", *words], ["map", "a", path]):
        outcome = dezero(*command, "--wrt", "a,,b")
        assert outcome.status == 2 and outcome.err.count("\n") == 1


# -------------------------------------------------------------------------------------------- vars
def test_a_file_of_values_may_hold_anything_that_is_not_used(dezero, tmp_path):
    path = tmp_path / "vars.json"
    given = {"x": 2, "who": "\ud800", "t": [1, "a"], "deep": {"y": [None]}, "no": None, "z": 3}
    path.write_text(json.dumps(given))
    outcome = dezero("eval", "x**2", "--vars", str(path), "--json")
    assert outcome.json == {"expr": "x**2", "value": 4.0, "grad": {"x": 4.0, "z": 0.0}}
    assert dezero("check", "x**2", "--vars", str(path)).status == 0
    for name, message in [
        ("t", "t must contain only numbers, not the string 'a'"),
        ("deep", "deep must be a number or a list of numbers, not an object"),
        ("no", "no must be a number or a list of numbers, not null"),
    ]:
        for words in ([f"x*{name}"], ["x*r", f"r=2*{name}"]):
            outcome = dezero("eval", *words, "--vars", str(path))
            assert (outcome.status, outcome.err) == (2, f"error: {message}\n")
        assert dezero("eval", f"x*{name}", f"{name}=3", "--vars", str(path)).status == 0


# ----------------------------------------------------------------------------- lists of expressions
def test_lists_of_expressions_are_values(dezero, table, tmp_path):
    expected = 1 + np.pi
    lines = tmp_path / "lines"
    for words in (["eval", "sum(x)", "x=[1, pi]"], ["eval", "sum(x)", "x=[pi/pi, 2*pi/2]"]):
        assert value(dezero(*words, "--json")) == expected
    for line, words in [
        ("sum(x) ; x=[1,pi]", []),
        ("sum(x)", ["x=[1,pi]"]),
        ("x=[1, pi] a=3", ["--expr", "sum(x)"]),
        ("a=3", ["--expr", "sum(x)", "x=[1,pi]"]),
    ]:
        lines.write_text(line + "\n")
        assert value(dezero("batch", str(lines), *words)) == expected
    assert dezero("check", "sum(x)", "x=[1,pi]", "--json").json["agrees"]
    assert "4.14159" in dezero("graph", "sum(x)", "x=[1,pi]").out
    assert "must be one number" in dezero("map", "a*x", table("csv", {"a": [1]}), "x=[1,pi]").err
    matrix = dezero("eval", "x", "x=[[1,pi],[e,-inf]]", "--json").json
    assert matrix["value"] == [[1.0, np.pi], [np.e, None]]


def test_arrays_have_at_most_32_axes_whatever_they_are_made_of(dezero, tmp_path):
    deep, most = ("[" * n + "1" + "]" * n for n in (33, 32))
    said = dezero("eval", "sum(x)", f"x={deep}")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "x has 33 axes, but an array can have at most 32" in said.err
    assert dezero("eval", "sum(x/y)", f"x={most}", "y=0", "--hessian").status == 0
    lists = f"({deep})[0]"
    lines = tmp_path / "lines.txt"
    lines.write_text(f"{lists}\nsum(x) x={deep}\n")
    for outcome in (dezero("eval", lists), dezero("derive", lists), dezero("batch", str(lines))):
        assert "at most 32 axes" in outcome.err and "internal" not in outcome.out + outcome.err
        assert outcome.status in {1, 2}


@pytest.mark.filterwarnings("error")
def test_an_empty_array_is_a_note_or_one_line(dezero, tmp_path):
    said = dezero("eval", "median(x)", "x=[]").err.splitlines()
    assert said[0] == "error: an empty array has no median" and len(said) == 3
    lines = tmp_path / "lines.jsonl"
    names = ("mean", "std", "var", "median")
    lines.write_text("".join(f'{{"expr": "{name}(x)", "vars": {{"x": []}}}}\n' for name in names))
    said = dezero("batch", str(lines)).err.splitlines()
    assert len(said) == 1 and said[0].endswith(":4:1: an empty array has no median")

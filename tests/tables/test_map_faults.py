"""`dezero map` where something is wrong: one clear line, and the target as it was."""

import os
import resource
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from dezero_cli import reading
from dezero_cli.tables import streams
from tests.commands.test_eval import shell
from tests.tables.test_map import DEZERO, numbers, write

GOOD = "x,y\n1,2\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with some tables."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "good.csv", GOOD)
    write(tmp_path, "other.csv", "x,z\n1,2\n")
    write(tmp_path, "empty.csv", "")
    write(tmp_path, "good.jsonl", '{"x":1}\n')
    write(tmp_path, "other.jsonl", '{"z":1}\n')
    write(tmp_path, "text.txt", GOOD)
    write(tmp_path, "taken.csv", "x,value\n1,2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,y\n1,2\n3,four\n", "row 2, column y: 'four' is not a number"),
        ('x,y\n1,2\n\n3,"4,5"\n', "row 2, column y: '4,5' is not a number: write 4.5"),
        (
            "x,y\n1,2\n3,-\n",
            "row 2, column y: '-' is not a number: --missing '-' makes such cells count as empty",
        ),
        ("x,y\n1,2\n3\n", "row 2: 1 cell, but the header has 2"),
        ("x,y\n1,2\n3,4,5\n", "row 2: 3 cells, but the header has 2"),
        ("x,y\n1,2,3\n4\n", "row 1: 3 cells, but the header has 2"),
        ('x,y\n"1\n",2\n3,4,"5\n"\n', "row 2: 3 cells, but the header has 2"),
        ('x,y\n1,2\n3,"4\n5,6\n', "row 2: a quote is never closed"),
        (
            'x,y\n1,2\n3" ,4\n5,6\n',
            "row 2: a quote inside a cell: put the whole cell in quotes, "
            "and double the quote inside",
        ),
        (
            'x,y\n1,2\n"3"0,4\n',
            "row 2: a quote inside a cell: put the whole cell in quotes, "
            "and double the quote inside",
        ),
        (b"x,y\n1,2\n3,caf\xe9\n", "row 2: not UTF-8 (byte 0xe9)"),
        (b"x,y,caf\xe9\n1,2,3\n", "not UTF-8 (byte 0xe9 in the header)"),
        (
            "x,y\n1,2\n".encode("utf-16"),
            "the file is UTF-16, expected UTF-8: convert it with iconv",
        ),
        ("x,y\r1,2\r", "its lines end in CR only; expected LF or CR LF"),
        ("x,y,x\n1,2,3\n", "two columns are named 'x'"),
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
    ],
)
@pytest.mark.parametrize("target", ["o.csv", "o.jsonl", "o.parquet", "o.arrow"])
def test_bad_csv(dezero, here, content, message, target):
    write(here, "T.csv", content)
    write(here, target, "as it was")
    assert dezero("map", "x*y", "T.csv", "-o", target) == (1, "", f"error: T.csv: {message}\n")
    assert (here / target).read_text() == "as it was"
    assert not [name for name in os.listdir() if name.startswith(".")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"x":1}\n{"x":"four"}\n', 'row 2, column x: "four" is not a number'),
        ('{"x":1}\n{"x":true}\n', "row 2, column x: true is not a number"),
        ('{"x":1}\n\n{"x":[1]}\n', "row 2, column x: [1] is not a number"),
        ('{"x":1}\n{"x":1', "row 2: not JSON: unexpected end of data"),
        ('{"x":1}\n[1]\n', "row 2: not a JSON object"),
        (b'{"x":1}\n{"x":1,"a":"\xe9"}\n', "row 2: not JSON: str is not valid UTF-8"),
        ("\n \n", "the file is empty"),
    ],
)
@pytest.mark.parametrize("target", ["o.csv", "o.jsonl", "o.parquet"])
def test_bad_json_lines(dezero, here, content, message, target):
    write(here, "T.jsonl", content)
    outcome = dezero("map", "x**2", "T.jsonl", "-o", target)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"error: T.jsonl: {message}") and outcome.err.count("\n") == 1
    assert not (here / target).exists()


def test_a_key_that_the_output_uses_itself(dezero, here, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 1 << 10)
    words = ["map", "x", "value.jsonl", "--to", "jsonl"]
    write(here, "value.jsonl", '{"x":1}\n' * 1000 + '{"x":2,"value":3}\n')
    assert "the table already has a column value: rename" in dezero(*words).err
    write(here, "value.jsonl", '{"x":1}\n' * 10_000 + '{"x":2,"value":3}\n')  # beyond its begin
    with_value = dezero(*words).err
    assert "row 10001, column value: this key is needed for a result: choose" in with_value
    assert dezero(*words, "--prefix", "p_").out.endswith('"value":3,"p_value":2.0,"p_d_x":1.0}\n')
    write(here, "nonfinite.jsonl", '{"x":1,"nonfinite":2}\n')
    words[2] = "nonfinite.jsonl"
    message = "JSON Lines output uses this name itself: rename the column"
    assert dezero(*words).err == f"error: nonfinite.jsonl: row 1, column nonfinite: {message}\n"
    assert dezero(*words, "--only").out == '{"value":1.0,"d_x":1.0}\n'


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(dezero, here, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 1 << 10)
    monkeypatch.setattr(streams, "LONGEST_ROW", 1 << 12)
    read, original = [], reading.Source.read
    counted = lambda source, most: read.append(most) or original(source, most)  # noqa: E731
    monkeypatch.setattr(reading.Source, "read", counted)
    write(here, "t.csv", "x,s\n" + "1,a\n" * 300 + '1,"a\n' + "1,a\n" * 10_000)
    outcome = dezero("map", "x", "t.csv", "-o", "o.csv")
    assert outcome.err == "error: t.csv: row 301: a quote is never closed\n"
    assert 0 < len(read) < 20


def test_json_whose_values_go_into_no_column(dezero, here):
    write(here, "t.jsonl", '{"x":1,"a":1}\n{"x":2,"a":[1]}\n')
    assert dezero("map", "x", "t.jsonl", "-o", "o.csv").status == 0
    outcome = dezero("map", "x", "t.jsonl", "-o", "o.parquet")
    assert outcome.status == 1 and outcome.err.startswith(
        "error: t.jsonl: row 2, column a: its type is not that of the values before it: "
    )


def test_rows_are_counted_through_chunks_and_files(dezero, here, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 64)
    write(here, "a.csv", "x\n" + "1\n" * 1000)
    write(here, "b.csv", "x\n" + "1\n" * 700 + "\n\nbad\n" + "worse\n" * 900)
    for target in ("o.csv", "o.parquet"):
        outcome = dezero("map", "x", "a.csv", "b.csv", "-o", target)
        assert outcome.err == "error: b.csv: row 701, column x: 'bad' is not a number\n"


WRONG = """
x*y good.csv other.csv
1 other.csv: its columns are x, z, but those of good.csv are x, y
x good.jsonl other.jsonl
1 other.jsonl: column x: this column is missing, but good.jsonl has it
x good.csv empty.csv
1 empty.csv: the file is empty
x good.csv good.jsonl
2 good.csv is csv but good.jsonl is jsonl: all files of a table must have one format
x text.txt
2 text.txt: .txt does not tell the format: give --from with one of csv, tsv, jsonl, ndjson, ...
x good.csv -o o.txt
2 o.txt: .txt does not tell the format: give --to with one of csv, tsv, jsonl, ndjson, parquet, ...
x gone.csv
2 gone.csv: no such file
x gone*.csv
2 gone*.csv: no such file
x .
2 .: is a directory: name its files, such as './*.csv'
x - good.csv
2 standard input cannot be combined with other tables
x good.csv -o .
2 .: is a directory
x good.csv -o gone/o.csv
2 gone/o.csv: no such directory
x taken.csv
2 the table already has a column value: rename the new columns with --prefix, or leave ...
x*k good.csv k=1 x=2
2 x is both a column of the table and a value on the command line: leave out the value, or ...
x*k good.csv k=[1,2]
2 k must be one number: values that change from row to row belong in a column
x good.csv --wrt yy
2 --wrt yy: no column yy: did you mean y?
x good.csv --no-grad --wrt x
2 --no-grad prints only the value: leave out options that need a gradient
x good.csv --resume
2 --resume needs --scheduler
x good.csv --scheduler local
2 --scheduler writes a folder of parts: give -o FOLDER
good.csv
2 missing the expression EXPR; for example: 'x**2 + y' table.csv
good.csv x*y
2 the expression comes first, then the tables: 'x*y' good.csv
k=1
2 missing the expression EXPR: 'k=1' is a definition; type '1' --as k
x good.csv --from parquet
1 good.csv: cannot be read as parquet: ...
x empty.csv --from arrow
1 empty.csv: the file is empty
x good.csv --sigma x=1 --sigma x=2
2 --sigma x is given twice
x good.csv --form csv
2 no such option '--form'...
"""


LINES = WRONG.strip().split("\n")


@pytest.mark.parametrize(("words", "fault"), list(zip(LINES[0::2], LINES[1::2], strict=True)))
def test_commands_that_are_refused(dezero, here, words, fault):
    outcome = dezero("map", *words.split())
    start = fault[2:].removesuffix("...")
    assert (outcome.status, outcome.out) == (int(fault[0]), "")
    assert outcome.err.startswith(f"error: {start}") and outcome.err.count("\n") == 1
    assert fault.endswith("...") or outcome.err == f"error: {start}\n"


@pytest.mark.parametrize(
    ("expr", "message", "place"),
    [
        ("x*yy", "no column yy: did you mean y?", 2),
        ("x*speed", "no column speed: the columns are x, y; or add speed=VALUE", 2),
        ("x + sum(y)", "sum works on whole arrays, but here every input is one number", 4),
        ("2x", "expected an operator before 'x': write 2*x", 1),
    ],
)
def test_faults_of_the_expression_have_a_place(dezero, here, expr, message, place):
    caret = f"error: {message}\n  {expr}\n  {' ' * place}^\n"
    assert dezero("map", expr, "good.csv") == (2, "", caret)


def test_semicolons_between_the_cells_are_named(dezero, here):
    write(here, "a.csv", "x;y\n1;2\n")
    message = "error: no column x: the only column is x;y: cells between ';' need --separator ';'\n"
    assert dezero("map", "x*y", "a.csv") == (2, "", f"{message}  x*y\n  ^\n")


def test_columns_of_other_types(dezero, here):
    frame = pl.DataFrame({"x": [1.0], "s": ["a"], "l": [[1]]})
    frame.write_parquet("a.parquet")
    frame.with_columns(pl.col("x").cast(pl.Int64)).write_parquet("b.parquet")
    frame.drop("s").write_parquet("c.parquet")
    frame.select("s", "x", "l").write_parquet("d.parquet")
    for words, message in (
        (["s", "a.parquet"], "a.parquet: column s: contains String, not numbers"),
        (["x", "a.parquet"], "column l: a cell of csv cannot hold List(Int64)"),
        (["x", "[ab].parquet"], "b.parquet: column x: its type is Int64, but Float64 in a.parquet"),
        (
            ["x", "[ac].parquet"],
            "c.parquet: column s: this column is missing, but a.parquet has it",
        ),
        (
            ["x", "c.parquet", "a.parquet"],
            "a.parquet: column s: c.parquet does not have this column",
        ),
        (
            ["x", "[ad].parquet"],
            "d.parquet: its columns are in a different order from those of ...",
        ),
    ):
        outcome = dezero("map", *words)
        start = f"error: {message}".removesuffix("...")
        assert outcome.status == 1 and outcome.err.startswith(start)


def test_a_damaged_parquet_file(dezero, here):
    numbers(1000).write_parquet("t.parquet")
    whole = (here / "t.parquet").read_bytes()
    write(here, "t.parquet", whole[:100] + b"\xff" * 4000 + whole[4100:])
    outcome = dezero("map", "x", "t.parquet", "-o", "o.parquet")
    assert outcome.status == 1 and outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1 and not (here / "o.parquet").exists()


# ------------------------------------------------------------------------------------ interruptions
@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Tables that take a few seconds, made once."""
    folder = tmp_path_factory.mktemp("built")
    frame = numbers(500_000)
    frame.write_parquet(folder / "one.parquet")
    frame.write_csv(folder / "t.csv")
    pl.concat([frame] * 16).write_parquet(folder / "t.parquet", row_group_size=100_000)
    return folder


@pytest.fixture
def large(here, built):
    """A folder with tables that take a few seconds."""
    for path in built.iterdir():
        os.link(path, here / path.name)
    return here


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize(
    ("source", "target"), [("t.csv", "o.csv"), ("t.parquet", "o.parquet"), ("t.csv", "o.parquet")]
)
def test_a_run_that_is_ended_leaves_nothing(large, source, target, stop):
    names = ["t.csv"] * 16 if source == "t.csv" else [source]
    write(large, target, "as it was")
    before = sorted(os.listdir())
    command = [*DEZERO, "map", "sin(x)*exp(-y)*cosh(x)", *names, "-o", target]
    heard = {"preexec_fn": lambda: signal.signal(stop, signal.SIG_DFL)}  # not so under nohup
    with subprocess.Popen(command, stderr=subprocess.PIPE, **heard) as process:
        wait_until(lambda: sorted(os.listdir()) != before)
        process.send_signal(stop)
        assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 128 + stop
    assert sorted(os.listdir()) == before
    assert (large / target).read_text() == "as it was"


def wait_until(true):
    """Wait for something to happen."""
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_killed_run_leaves_the_target(large):
    write(large, "o.csv", "as it was")
    before = set(os.listdir())
    with subprocess.Popen([*DEZERO, "map", "sin(x)", *["t.csv"] * 16, "-o", "o.csv"]) as process:
        wait_until(lambda: set(os.listdir()) != before)
        process.kill()
    assert (large / "o.csv").read_text() == "as it was"
    (left,) = set(os.listdir()) - before
    assert left.startswith(".o.csv.") and left.endswith(".part")


def test_ctrl_c_on_a_pipe_ends_with_a_whole_line(here):
    command = [*DEZERO, "map", "x*y"]
    streams_ = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **streams_) as process:
        process.stdin.write(b"x,y\n" + b"1.5,2.5\n" * 100_000)
        process.stdin.flush()
        first = os.read(process.stdout.fileno(), 100)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == b""
    lines = (first + out).split(b"\n")
    assert lines[-1] == b"" and set(lines[1:-1]) == {b"1.5,2.5,3.75,2.5,1.5"}


@pytest.mark.parametrize("source", ["t.csv", "t.parquet"])
def test_a_reader_that_has_enough_ends_it_quietly(large, source):
    done = shell(f"dezero map 'x*y' {source} | head -1; echo ${{PIPESTATUS[0]}}", cwd=large)
    assert (done.stdout, done.stderr) == ("x,y,value,d_x,d_y\n0\n", "")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
def test_a_full_disk_says_so(large, form):
    before = sorted(os.listdir(large))
    full = f"dezero map 'x*y' one.parquet --to {form}"
    done = shell(f"{full} > /dev/full", cwd=large)
    assert (done.returncode, done.stderr) == (1, "error: output: no space left on device\n")
    done = shell(f"{full} -o /dev/full", cwd=large)
    assert (done.returncode, done.stderr) == (1, "error: /dev/full: no space left on device\n")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    for source in ("t.csv", "one.parquet"):
        command = [*DEZERO, "map", "x*y", source, "-o", f"o.{form}"]
        limited = subprocess.run(command, preexec_fn=limit, capture_output=True, check=False)
        assert limited.stderr.decode() == f"error: o.{form}: file too large\n"
        assert limited.returncode == 1
        assert sorted(os.listdir(large)) == before


def test_a_device_is_written_and_not_replaced(here):
    assert shell("dezero map x good.csv -o /dev/null; test -c /dev/null", cwd=here).returncode == 0
    done = shell("mkfifo p; cat p & dezero map x good.csv -o p; wait; test -p p", cwd=here)
    assert (done.returncode, done.stdout) == (0, "x,y,value,d_x\n1,2,1.0,1.0\n")


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        (
            "polars",
            [],
            "this needs polars, which is not installed: python -m pip install polars llvmlite",
        ),
        (
            "distributed",
            ["--scheduler", "local", "-o", "o"],
            "this needs distributed, which is not installed: python -m pip install distributed",
        ),
    ],
)
def test_an_extra_that_is_missing(here, module, words, message):
    code = f"import sys; sys.modules[{module!r}] = None; from dezero_cli.main import main; main()"
    command = [sys.executable, "-c", code, "map", "x", "good.csv", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {message}\n")


def test_help_needs_no_extra(here):
    code = "import sys; sys.modules['polars'] = None; from dezero_cli.main import main; main()"
    command = [sys.executable, "-c", code, "map", "--help"]
    assert b"--scheduler" in subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_settings_of_polars_that_it_panics_at_are_ignored(here, form):
    names = ("MAX_THREADS", "ROW_GROUP_PREFETCH_SIZE", "IDEAL_MORSEL_SIZE", "CONCURRENCY_BUDGET")
    wrong = {f"POLARS_{name}": text for name, text in zip(names, ("0", "a", "-1", ""), strict=True)}
    pl.DataFrame({"x": [1.5]}).write_parquet("t.parquet")
    (here / "t.csv").write_text("x\n1.5\n")
    command = [sys.executable, "-m", "dezero_cli", "map", "x*x", f"t.{form}"]
    done = subprocess.run(command, env=os.environ | wrong, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x,value,d_x\n1.5,2.25,3.0\n", "")


def test_a_definition_alone_may_be_meant_to_name_the_result(dezero, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("w,h\n80,1.8\n")
    outcome = dezero("map", "bmi = w/h**2", "t.csv")
    assert outcome.status == 2 and "'w/h**2' --as bmi" in outcome.err
    assert dezero("map", "w/h**2", "--as", "bmi", "t.csv").out.startswith("w,h,bmi,")

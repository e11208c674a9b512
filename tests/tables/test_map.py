"""`dezero map`: what comes out of a table, in every format, however it arrives."""

import csv
import datetime
import json
import os
import pty
import re
import select
import subprocess
import sys
import threading

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dezero_cli.language.results import Wanted
from dezero_cli.tables import files as tables
from dezero_cli.tables import mapping, streams
from dezero_cli.tables.step import Plan
from tests.commands.test_eval import shell
from tests.conftest import on_terminal

DEZERO = [sys.executable, "-m", "dezero_cli"]
GOLDSTEIN_PRICE = (
    "(1+(x+y+1)**2*(19-14*x+3*x**2-14*y+6*x*y+3*y**2))"
    "*(30+(2*x-3*y)**2*(18-32*x+12*x**2+48*y-36*x*y+27*y**2))"
)
ELEMENTARY = (
    "exp(-x**2)*sin(3*y) + arctan2(x, y)*log1p(x*x) + cbrt(x)*hypot(x, y)/cosh(y) + abs(x)**y"
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def numbers(rows, seed=0):
    """A table of two columns of numbers, of every magnitude and both signs."""
    random = np.random.default_rng(seed)
    scale = 10.0 ** random.integers(-3, 4, rows)
    return pl.DataFrame({"x": random.normal(size=rows) * scale, "y": random.normal(size=rows)})


# --------------------------------------------------------------------------------- what comes out
MEASURED = """\
run,x,y,note
007,2,1,"a, b"
008, 1.50 ,3,"say ""hi\"""
009,,1e3,
"""


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (
            ["x**3/2 - y", "t.csv"],
            [
                "run,x,y,note,value,d_x,d_y",
                '007,2,1,"a, b",3.0,6.0,-1.0',
                '008, 1.50 ,3,"say ""hi""",-1.3125,3.375,-1.0',
                "009,,1e3,,NaN,NaN,-1.0",
            ],
        ),
        (["k*y", "k=pi*0+2", "t.csv", "--only"], ["value,d_y", "2.0,2.0", "6.0,2.0", "2000.0,2.0"]),
        (
            ["k=2", "k*y", "t.csv", "--only", "--wrt", "k"],
            ["value,d_k", "2.0,1.0", "6.0,3.0", "2000.0,1000.0"],
        ),
        (
            ["y*x", "--only", "t.csv", "--wrt", "y", "--wrt", "run"],
            ["value,d_y,d_run", "2.0,2.0,0.0", "4.5,1.5,0.0", "NaN,NaN,0.0"],
        ),
        (
            ["-y", "t.csv", "--only", "--no-grad", "--prefix", "m_"],
            ["m_value", "-1.0", "-3.0", "-1000.0"],
        ),
        (["2+3", "t.csv", "--only"], ["value", "5.0", "5.0", "5.0"]),
        (
            ["1/(y-1)", "t.csv", "--only", "--to", "tsv"],
            [
                "value\td_y",
                "inf\t-inf",
                "0.5\t-0.25",
                "0.001001001001001001\t-1.002003004005006e-6",
            ],
        ),
    ],
)
def test_columns(dezero, here, words, out):
    (here / "t.csv").write_text(MEASURED)
    assert dezero("map", *words) == (0, "\n".join(out) + "\n", "")


def test_a_column_that_is_named_as_a_constant_wins(dezero, here):
    (here / "t.csv").write_text("e,pi2\n1,2\n")
    assert dezero("map", "e*pi", "t.csv", "--only").out == f"value,d_e\n{np.pi},{np.pi}\n"


def test_json_lines_stay_as_they_came(dezero, here):
    lines = [
        '{"x":1.50, "id":123456789012345678901234,"deep":{"a":[1,{"b":null}]},"é":"\\u00e9 ü"}',
        '{"x":"nan"}',
        "{}",
        '{"x":0, "late":true}',
    ]
    (here / "t.jsonl").write_text("\n".join(lines))
    out = dezero("map", "1/x", "t.jsonl", "--to", "ndjson").out.splitlines()
    assert out == [
        lines[0][:-1] + ',"value":0.6666666666666666,"d_x":-0.4444444444444444}',
        '{"x":"nan","value":null,"d_x":null,"nonfinite":{"value":"nan","d_x":"nan"}}',
        '{"value":null,"d_x":null,"nonfinite":{"value":"nan","d_x":"nan"}}',
        '{"x":0, "late":true,"value":null,"d_x":null,"nonfinite":{"value":"inf","d_x":"-inf"}}',
    ]
    as_text = dezero("map", "x", "t.jsonl", "--no-grad", "--to", "csv").out
    assert as_text.splitlines()[:2] == [
        "x,id,deep,é,late,value",
        '1.50,123456789012345678901234,"{""a"":[1,{""b"":null}]}",é ü,,1.5',
    ]


def test_cells_become_json_numbers_only_where_nothing_changes(dezero, here):
    (here / "t.csv").write_text('a,b,c\n1.50,007,"q""\\\n\t"\n-0,1e5,\n.5,+1,nan\n')
    out = dezero("map", "1", "t.csv", "--to", "jsonl", "--no-grad").out
    assert out == (
        '{"a":1.50,"b":"007","c":"q\\"\\\\\\n\\t","value":1.0}\n'
        '{"a":-0,"b":1e5,"c":null,"value":1.0}\n'
        '{"a":".5","b":"+1","c":"nan","value":1.0}\n'
    )


def test_every_float64_survives_csv(dezero, here):
    bits = np.random.default_rng(7).integers(0, 2**64, 20_000, dtype=np.uint64)
    special = [0.0, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1e23]
    x = np.concatenate([special, bits.view(np.float64)])
    x = x[~np.isnan(x)]
    (here / "t.csv").write_text("x\n" + "".join(f"{v!r}\n" for v in x.tolist()))
    assert dezero("map", "x", "t.csv", "--only", "--no-grad", "-o", "o.csv").status == 0
    read = [float(line) for line in (here / "o.csv").read_text().splitlines()[1:]]
    assert np.array(read).tobytes() == x.tobytes()


# ---------------------------------------------------------------------------------------- formats
FORMATS = ["csv", "tsv", "jsonl", "parquet", "arrow"]


def read_back(path):
    """A file of any format as a table, by code that is not this package's."""
    form = path.suffix[1:]
    if form in {"csv", "tsv"}:
        return pl.read_csv(path, separator="," if form == "csv" else "\t", infer_schema_length=None)
    if form == "jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return pl.DataFrame(rows, infer_schema_length=None)
    return {"parquet": pl.read_parquet, "arrow": pl.read_ipc}[form](path)


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_format_into_every_other(dezero, here, source, target):
    frame = numbers(1000).with_columns(
        n=pl.int_range(1000) + 2**60,
        text=pl.when(pl.int_range(1000) % 3 > 0).then(pl.lit('é, "q"\t')),
        gap=pl.when(pl.int_range(1000) % 2 > 0).then(pl.col("y")),
    )
    frame.write_parquet("t.parquet")
    assert dezero("map", "0", "t.parquet", "--no-grad", "-o", f"s.{source}").status == 0
    assert read_back(here / f"s.{source}").drop("value").equals(frame)
    words = ["map", "x*y + gap", f"s.{source}", "--prefix", "r_", "-o", f"o.{target}"]
    assert dezero(*words) == (0, "", "")
    got = read_back(here / f"o.{target}").drop("nonfinite", strict=False)
    assert got.columns == [*frame.columns, "value", "r_value", "r_d_x", "r_d_y", "r_d_gap"][:10]
    assert got.select(frame.columns).equals(frame)
    x, y, gap = (frame[c].to_numpy() for c in ("x", "y", "gap"))
    np.testing.assert_array_equal(got["r_value"].cast(pl.Float64).to_numpy(), x * y + gap)
    np.testing.assert_array_equal(got["r_d_x"].to_numpy(), y)


def test_types_of_columns_stay(dezero, here):
    frame = pl.DataFrame(
        {
            "n": pl.Series([1, 2, None], dtype=pl.UInt8),
            "flag": [True, False, None],
            "day": [datetime.date(2020, 1, 1)] * 3,
            "list": [[1.5], [], None],
            "single": pl.Series([0.1, 0.2, 0.3], dtype=pl.Float32),
        }
    )
    frame.write_parquet("t.parquet")
    assert dezero("map", "n*flag + single", "t.parquet", "-o", "o.feather").status == 0
    got = pl.read_ipc("o.feather")
    assert got.select(frame.columns).equals(frame)
    assert got.select(frame.columns).schema == frame.schema
    value = got["value"].to_numpy()
    np.testing.assert_array_equal(
        value, [1 + float(np.float32(0.1)), float(np.float32(0.2)), np.nan]
    )


def test_types_of_text_are_those_of_all_rows(dezero, here, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 100)
    rows = "".join(f"{i},{i},{i},{i:02}, {i} ,\n" for i in range(100))
    (here / "t.csv").write_text(f"a,b,c,d,x,none\n{rows}1,1.5,word,1,2.5,\n")
    assert dezero("map", "x", "t.csv", "-o", "o.parquet").status == 0
    got = pl.read_parquet("o.parquet")
    kinds = [pl.Int64, pl.Float64, pl.String, pl.String, pl.Float64, pl.String]
    assert got.schema.dtypes() == [*kinds, pl.Float64, pl.Float64]
    assert got["d"].to_list()[:2] == ["00", "01"] and got["x"].to_list()[-2:] == [99.0, 2.5]


def test_json_of_columns_says_what_is_not_finite(dezero, here):
    frame = pl.DataFrame(
        {"x": [1.0, float("nan"), None, float("inf")], "s": ["a", "\u2028", "b", "c"]}
    )
    frame.write_parquet("t.parquet")
    rows = dezero("map", "x+1", "t.parquet", "--no-grad", "--to", "jsonl").out.split("\n")[:-1]
    assert [json.loads(row).get("nonfinite") for row in rows] == [
        None, {"x": "nan", "value": "nan"}, {"value": "nan"}, {"x": "inf", "value": "inf"},
    ]  # fmt: skip


# --------------------------------------------------------------------------- how a table arrives
def test_line_ends_marks_and_blank_lines(dezero, here):
    plain = dezero("map", "x*y", write(here, "t.csv", "x,y\n1,2\n3,4\n"), "--only").out
    for text in (
        "x,y\r\n1,2\r\n3,4\r\n",
        "\ufeffx,y\n1,2\n3,4",
        "\n\nx,y\n\n1,2\n\r\n3,4\n\n\n",
        '"x","y"\n"1","2"\n"3","4"\n',
    ):
        out = dezero("map", "x*y", write(here, "t.csv", text), "--only").out
        assert out == plain.replace("\n", "\r\n" if "x,y\r\n" in text else "\n")


def write(folder, name, text):
    """Write a file and give its path."""
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return str(folder / name)


def test_files_and_patterns_are_one_table(dezero, here):
    for day in (3, 1, 2):
        write(here, f"day{day}.csv", f"x,d\n{day},{day}{day}\n")
    write(here, "day[1].csv", "x,d\n7,7\n")
    out = "x,d,value,d_x\n1,11,1.0,2.0\n2,22,4.0,4.0\n3,33,9.0,6.0\n"
    assert dezero("map", "x**2", "day?.csv").out == out
    assert dezero("map", "x**2", "day1.csv", "day2.csv", "day3.csv").out == out
    for form in FORMATS:
        assert dezero("map", "x", "day[1].csv", "--only", "-o", f"is[1].{form}").status == 0
        write(here, f"is1.{form}", "another")
        assert dezero("map", "value", f"is[1].{form}", "-o", "o.parquet", "--only").status == 0
        assert pl.read_parquet("o.parquet").rows() == [(7.0, 1.0)]
    for day in (1, 2, 3):
        pl.read_csv(f"day{day}.csv").write_parquet(f"day{day}.parquet")
    assert dezero("map", "x**2", "day?.parquet").out == out
    (here / "deep" / "er").mkdir(parents=True)
    pl.read_csv("day1.csv").write_ipc("deep/er/a.arrow")
    assert dezero("map", "x", "deep/**/*.arrow", "--only").out == "value,d_x\n1.0,1.0\n"


def test_pipes(here):
    write(here, "t.csv", "x,y\n1,2\n3,4\n")
    both = "x,y,value,d_x,d_y\n1,2,2.0,2.0,1.0\n3,4,12.0,4.0,3.0\n"
    assert shell("dezero map 'x*y' < t.csv", cwd=here).stdout == both
    assert shell("cat t.csv | dezero map 'x*y' -", cwd=here).stdout == both
    assert shell("dezero map 'x*y' <(cat t.csv) --from csv", cwd=here).stdout == both
    assert shell("cat t.csv | dezero map 'x*y' -o o.csv; cat o.csv", cwd=here).stdout == both
    assert shell("dezero map 'x*y' t.csv -o - | cat", cwd=here).stdout == both
    piped = "cat t.csv | dezero map 'x*y' --to parquet | dezero map 'x/y' --only --to csv"
    assert shell(piped, cwd=here).stdout == "value,d_x,d_y\n0.5,0.5,-0.25\n0.75,0.25,-0.1875\n"
    piped = "dezero map 'x*y' t.csv --to arrow | dezero map x --from arrow --only --to jsonl"
    assert shell(piped, cwd=here).stdout.splitlines()[1] == '{"value":3.0,"d_x":1.0}'


def test_the_output_is_the_input(dezero, here):
    path = write(here, "t.csv", "x\n1\n2\n")
    os.chmod(path, 0o640)
    (here / "link.csv").symlink_to("t.csv")
    assert dezero("map", "2*x", "t.csv", "-o", "link.csv").status == 0
    assert (here / "t.csv").read_text() == "x,value,d_x\n1,2.0,2.0\n2,4.0,2.0\n"
    assert (here / "link.csv").is_symlink() and os.stat(path).st_mode & 0o777 == 0o640


def test_rows_come_out_while_the_pipe_is_open():
    command = [*DEZERO, "map", "x**2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wanted = b"x,value,d_x\n"
        process.stdin.write(b"x\n")
        for i in range(3):
            process.stdin.write(b"%d\n" % i)
            process.stdin.flush()
            wanted += b"%d,%d.0,%d.0\n" % (i, i * i, 2 * i)
            got = b""
            while len(got) < len(wanted) and select.select([process.stdout], [], [], 30)[0]:
                got += os.read(process.stdout.fileno(), 1000)
            assert got == wanted
            wanted = b""
        process.stdin.close()
        assert process.wait(30) == 0


def test_all_rows_come_out_before_a_pipe_goes_quiet():
    """Rows of a bit more than one chunk, and then nothing: none is kept waiting."""
    rows = streams.BLOCK // 8 + 1000
    with subprocess.Popen(
        [*DEZERO, "map", "0", "--no-grad"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        writer = threading.Thread(target=process.stdin.write, args=(b"x\n" + b"1234567\n" * rows,))
        writer.start()
        wanted, got = len("x,value\n") + rows * len("1234567,0.0\n"), 0
        while got < wanted - 20_000 and select.select([process.stdout], [], [], 30)[0]:
            got += len(os.read(process.stdout.fileno(), 1 << 16))
        writer.join()
        process.stdin.flush()
        while got < wanted and select.select([process.stdout], [], [], 30)[0]:
            got += len(os.read(process.stdout.fileno(), 1 << 16))
        assert got == wanted
        process.stdin.close()
        assert process.stdout.read() == b""


CELLS = st.text(st.sampled_from('ab,"\n\r\t é'), max_size=6)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(CELLS, st.integers(-9, 9), CELLS), min_size=1, max_size=12),
    size=st.integers(1, 60),
    form=st.sampled_from(["csv", "tsv"]),
)
def test_wherever_the_bytes_are_cut(tmp_path_factory, rows, size, form):
    """Cells with separators, quotes and line ends come through chunks of any size."""
    folder = tmp_path_factory.getbasetemp()
    separator = {"csv": ",", "tsv": "\t"}[form]
    source, target = folder / f"cut.{form}", folder / f"out.{form}"
    with open(source, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator).writerows([("a", "x", "b"), *rows])
    before, streams.BLOCK = streams.BLOCK, size
    try:
        done = mapping.map_tables(
            tables.found([str(source)], None),
            Plan("x**2", wanted=Wanted(no_grad=True)),
            form,
            str(target),
        )
    finally:
        streams.BLOCK = before
    with open(target, newline="", encoding="utf-8") as file:
        got = list(csv.reader(file, delimiter=separator))
    assert done == len(rows)
    assert got == [["a", "x", "b", "value"]] + [[a, str(x), b, f"{x * x}.0"] for a, x, b in rows]


# ---------------------------------------------------------------------------- the same as elsewhere
def test_the_bits_of_batch(dezero, here):
    frame = numbers(2000, seed=3)
    frame.write_csv("t.csv")
    assert dezero("map", GOLDSTEIN_PRICE, "t.csv", "--only", "-o", "o.parquet").status == 0
    lines = [{"expr": GOLDSTEIN_PRICE, "vars": row} for row in frame.iter_rows(named=True)]
    (here / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    answers = [json.loads(line) for line in dezero("batch", "lines.jsonl").out.splitlines()]
    expected = [(a["value"], a["grad"]["x"], a["grad"]["y"]) for a in answers]
    assert pl.read_parquet("o.parquet").rows() == expected


def test_within_4_units_in_the_last_place_of_batch(dezero, here):
    """One elementary function at a time, so that no later step can make more of a difference."""
    frame = numbers(500, seed=4)
    frame.write_csv("t.csv")
    for function in ("sin(x)", "exp(y)", "log(abs(x))", "tanh(y)", "abs(x)**y", "arctan2(x,y)"):
        assert dezero("map", function, "t.csv", "--no-grad", "-o", "o.parquet").status == 0
        got = pl.read_parquet("o.parquet")["value"].to_numpy()
        lines = [json.dumps({"expr": function, "vars": row}) for row in frame.iter_rows(named=True)]
        (here / "lines.jsonl").write_text("\n".join(lines))
        answers = dezero("batch", "lines.jsonl", "--no-grad").out.splitlines()
        expected = np.array([json.loads(line)["value"] for line in answers])
        assert (abs(got - expected) <= 4 * np.spacing(abs(expected))).all(), function


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow"])
def test_the_order_of_many_rows_and_the_same_bytes_again(dezero, here, form):
    frame = numbers(300_000).with_columns(n=pl.int_range(300_000))
    frame.write_parquet("t.parquet", row_group_size=10_000)
    for name in ("a", "b"):
        assert dezero("map", ELEMENTARY, "t.parquet", "-o", f"{name}.{form}").status == 0
    assert (here / f"a.{form}").read_bytes() == (here / f"b.{form}").read_bytes()
    got = read_back(here / f"a.{form}")
    assert got["n"].equals(frame["n"])
    assert got["x"].equals(frame["x"])


# ---------------------------------------------------------------------------------------- the rest
# so often that the line is shown on a fast machine too
OFTEN = "from dezero_cli import main, progress; progress.Progress.INTERVAL = 0.01; main.main()"


def test_progress_is_for_files_on_a_terminal(here):
    frame = numbers(400_000)
    frame.write_csv("t.csv")
    frame.write_parquet("t.parquet", row_group_size=20_000)
    for words, shown in (
        (["t.csv", "-o", "o.csv"], True),
        (["t.parquet", "-o", "o.parquet"], True),
        (["-", "-o", "o.csv"], False),
    ):
        leader, follower = pty.openpty()
        with open("t.csv", "rb") as source:
            command = [sys.executable, "-c", OFTEN, "map", ELEMENTARY, *words]
            env = {**os.environ, "POLARS_MAX_THREADS": "1"}
            process = subprocess.Popen(command, stdin=source, stderr=follower, env=env)
        os.close(follower)
        seen = on_terminal(leader)
        assert process.wait() == 0
        lines = re.findall(rb"map +(\d+)%  ([\d,]+) rows  [\d,]+ rows/s", seen)
        assert bool(lines) == shown and (not shown or seen.endswith(b"\r\x1b[K"))
        for numbers_seen, most in zip(zip(*lines), (100, 400_000)):
            counts = [int(number.replace(b",", b"")) for number in numbers_seen]
            assert counts == sorted(counts) and 0 < counts[-1] <= most


def test_memory_does_not_grow_with_the_rows(here):
    """Forty times the rows, and hardly more memory: a peak of whole tables would be 8 times it."""
    code = (
        "import re, sys; from dezero_cli.main import run\n"
        "assert run(['map', 'x*y + sin(x)', *sys.argv[1:]]) == 0\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024)"
    )
    peaks = {}
    for rows in (50_000, 2_000_000):
        numbers(rows).write_parquet(f"{rows}.parquet", row_group_size=50_000)
        words = [f"{rows}.parquet", "-o", "o.parquet"]
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        peaks[rows] = float(done.stdout)
    assert peaks[2_000_000] - peaks[50_000] < 150, peaks


def test_the_help_shows_every_option_and_examples(dezero):
    text = dezero("map", "--help").out
    assert text.count("\n    dezero map ") == 6
    for option in ("--from", "--to", "--wrt", "--only", "--prefix", "--sigma", "--scheduler"):
        assert option in text


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_without_a_root_are_counted(dezero, tmp_path, ending) -> None:
    table = tmp_path / f"t.{ending}"
    frame = pl.DataFrame({"id": [1, 2, 3, 4, 5], "y": [1.0, None, -3.0, 2.0, -5.0]})
    frame.write_csv(table) if ending == "csv" else frame.write_parquet(table)
    words = ("map", "x*exp(x) == y", str(table), "--solve", "x=-1:50", "-o")
    done = dezero(*words, str(tmp_path / f"o.{ending}"))
    place = ", the first of them row 3" if ending == "csv" else ""  # columns come in any order
    note = f"note: 2 rows have no root in the bracket{place}\n"
    assert (done.status, done.err) == (0, note)


@pytest.mark.parametrize("cell", ["x^2", "x\x01", "(x)", "x", "\x1fy"])
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_text_that_begins_as_packed_data_do_is_text(dezero, tmp_path, monkeypatch, cell, form):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "t.csv", f"f,y\n{cell},1\n{cell},2\n")
    outcome = dezero("map", "y**2", "t.csv", "--no-grad", "-o", f"o.{form}")
    assert outcome.status == 0, outcome.err
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[form]
    assert read(f"o.{form}").rows() == [(cell, 1, 1.0), (cell, 2, 4.0)]
    assert dezero("fit", "y == a", "t.csv", "--get", "params.a.value").out == "1.5\n"

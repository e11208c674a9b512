"""`dezero map` on tables as they are: dialects, names, compression, damage; right to the byte."""

import bz2
import gzip
import os
import threading
from pathlib import Path

import polars as pl
import pytest

from dezero_cli import reading
from dezero_cli.faults import TableError
from dezero_cli.formats import arrow, parquet
from dezero_cli.tables import mapping
from dezero_cli.tables.files import found
from dezero_cli.tables.step import Plan
from tests.commands.test_eval import shell
from tests.tables.test_map import numbers, write

DATA = Path(__file__).parent.parent / "data" / "tables"

SEMI = 'x;y;n\n1,5;2;a b\n2,5;NA;"q;""r"\n\n# c "x\n3;;-\n'
BLANKS = ' a   b\n 1   2\n\n"3"\t\t 4  \n5\n'

# what stands in the table, the words of the command, what comes out
REAL = {
    "a semicolon, a decimal comma, missing cells and comments": (
        SEMI,
        "x*y --separator ; --decimal , --missing NA,- --comment #",
        "x;y;n;value;d_x;d_y\n1,5;2;a b;3,0;2,0;1,5\n"
        '2,5;NA;"q;""r";NaN;NaN;2,5\n3;;-;NaN;NaN;3,0\n',
    ),
    "to JSON with numbers in JSON's notation": (
        "x;s\n1,5;1,2,3\n",
        "x --separator semicolon --decimal , --to jsonl",
        '{"x":1.5,"s":"1,2,3","value":1.5,"d_x":1.0}\n',
    ),
    "any run of blanks, short rows filled": (
        BLANKS,
        "a*b --separator space --on-bad null",
        ' a   b value d_a d_b\n 1   2 2.0 2.0 1.0\n"3"\t\t 4   12.0 4.0 3.0\n5 NaN NaN NaN 5.0\n',
    ),
    "any run of blanks, short rows left out": (
        BLANKS,
        "a*b --separator space --on-bad skip",
        ' a   b value d_a d_b\n 1   2 2.0 2.0 1.0\n"3"\t\t 4   12.0 4.0 3.0\n',
    ),
    "no header": ("1,2\n3,4\n", "c1*c2 --no-header --no-grad", "1,2,2.0\n3,4,12.0\n"),
    "bad cells as empty ones": (
        "x,y\n1,a\nb,2\n3\n",
        "x --no-grad --on-bad null",
        "x,y,value\n1,a,1.0\nb,2,NaN\n3,,3.0\n",
    ),
    "bad rows left out": (
        "x,y\n1,a\nb,2\n3\n4,5,6\n7,8\n",
        "x --no-grad --on-bad skip",
        "x,y,value\n1,a,1.0\n7,8,7.0\n",
    ),
    "lines before the header, a stray quote in them": (
        'title "\n\nx\n1\n',
        "x --skip 1 --no-grad",
        "x,value\n1,1.0\n",
    ),
    "the nameless column of an index": (
        ",x\n0,5\n1,6\n",
        "x --no-grad",
        ",x,value\n0,5,5.0\n1,6,6.0\n",
    ),
    "a nameless column of R's, in quotes": (
        '"","x"\n"1",5\n',
        "x --no-grad",
        '"","x",value\n"1",5,5.0\n',
    ),
    "several nameless columns": ("x,,\n1,2,3\n", "x --no-grad", "x,,,value\n1,2,3,1.0\n"),
    "names that were given to nameless columns": (
        "column_2,y,\n1,2,3\n",
        "y --no-grad",
        "column_2,y,,value\n1,2,3,2.0\n",
    ),
    "names that stand twice and are not used": (
        "a,x,a\n1,2,3\n",
        "x --no-grad",
        "a,x,a,value\n1,2,3,2.0\n",
    ),
    "blanks around names": (
        "x, y ,\u00a0z\n1,2,3\n",
        "x+y+z --no-grad",
        "x, y ,\u00a0z,value\n1,2,3,6.0\n",
    ),
    "quotes and line ends stay": (
        'x,s\r\n"1","a\r\nb"\r\n2," c "\r\n',
        "x --no-grad",
        'x,s,value\r\n"1","a\r\nb",1.0\r\n2," c ",2.0\r\n',
    ),
    "numbers that are not used stay": (
        "x,n\n1,123456789012345678901\n2,1.10\n3,1e2\n4,-0\n",
        "x --no-grad --to jsonl",
        '{"x":1,"n":123456789012345678901,"value":1.0}\n{"x":2,"n":1.10,"value":2.0}\n'
        '{"x":3,"n":1e2,"value":3.0}\n{"x":4,"n":-0,"value":4.0}\n',
    ),
    "exponents of Fortran's": (
        "x\n1.2D+03\n-.5d-1\n",
        "x --no-grad",
        "x,value\n1.2D+03,1200.0\n-.5d-1,-0.05\n",
    ),
    "a long name": (f"x,{'n' * 200_000}\n1,2\n", "x --only --no-grad", "value\n1.0\n"),
    "a comment with a quote between quoted cells": (
        'x,s\n1,"a"\n# it"s\n2,"b"\n',
        "x --comment # --no-grad",
        'x,s,value\n1,"a",1.0\n2,"b",2.0\n',
    ),
    "tabs": ("x\ty\n1\t2\n", "x*y --separator tab --no-grad", "x\ty\tvalue\n1\t2\t2.0\n"),
    "bars": ("x|y\n1|2\n", "x*y --separator | --no-grad", "x|y|value\n1|2|2.0\n"),
    "names in backquotes": (
        "Unit Cost,1B\n2,3\n",
        "`Unit_Cost`*`1B` --no-grad",
        "Unit Cost,1B,value\n2,3,6.0\n",
    ),
}


@pytest.mark.parametrize("case", REAL)
def test_to_the_byte(dezero, tmp_path, case):
    text, words, out = REAL[case]
    path = write(tmp_path, "t.csv", text)
    expr, *options = words.split()
    outcome = dezero("map", expr.replace("Unit_Cost", "Unit Cost"), path, *options)
    assert (outcome.status, outcome.out) == (0, out)
    assert bool(outcome.err) == ("left out" in case)


@pytest.mark.parametrize(
    ("text", "expr", "message"),
    [
        ('x,y"\n1,2\n', "x", "t.csv: the header: a quote inside a cell: put the whole cell in ..."),
        ('"x","y"\r1,2\r', "x", "t.csv: its lines end in CR only; expected LF or CR LF"),
        ('x,"y\n1,2\n', "x", "t.csv: the header: a quote is never closed"),
        ("x,y,x\n1,2,3\n", "x", "t.csv: two columns are named 'x'"),
        ("x\nNA\n", "x", "t.csv: row 1, column x: 'NA' is not a number: --missing 'NA' ..."),
        ("x\n12%\n", "x", "t.csv: row 1, column x: '12%' is not a number: take the percent sign "
         "off first: mlr --csv put '${x} = gsub(${x}, \"[%]\", \"\")' FILE"),
        ("x\n$5.10\n", "x", "t.csv: row 1, column x: '$5.10' is not a number: take the cur..."),
        ('x\n"1,234,567"\n', "x", "t.csv: row 1, column x: '1,234,567' is not a number: take ..."),
        ("Unit Cost\n1\n", "Unit Cost*2", "Unit Cost is a column, whose name needs backquotes: "
         "write '`Unit Cost`*2'"),
        ("1B\n1\n", "2*1B", "1B is a column, whose name needs backquotes: write '2*`1B`'"),
        ("Temp (°C)\n1\n", "Temp*2", "no column Temp: write `Temp (°C)` in backquotes: '`Temp ..."),
        ("\u00b5\n1\n", "\u03bc", "no column \u03bc (U+03BC): the table has \u00b5 (U+00B5), ..."),
        ("a b\n1 2\n", "a", "no column a: the only column is a b: cells between space need ..."),
        ("x\n" + "1" * 3000 + "\n", "x", "t.csv: row 1: longer than 2,000 bytes: --max-line ..."),
    ],
)  # fmt: skip
def test_what_is_said(dezero, tmp_path, monkeypatch, text, expr, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "t.csv", text)
    outcome = dezero("map", expr, "t.csv", "--max-line", "2000")
    assert outcome.status in {1, 2} and outcome.out == ""
    first, *rest = outcome.err.splitlines()
    start = f"error: {message}".removesuffix("...")
    assert first.startswith(start) and (message.endswith("...") or first == start)
    assert not rest or rest[0].strip() == expr


def test_what_was_not_finite_passes_through_any_chain(dezero, tmp_path):
    here = str(tmp_path)
    path = write(tmp_path, "t.csv", "x\n0\n-0\n2\nnan\n")
    for i, form in enumerate(["jsonl", "csv", "jsonl", "parquet", "jsonl", "arrow", "tsv"]):
        target = f"{here}/o{i}.{form}"
        words = ["1/x" if i == 0 else "value_0", path, "--as", f"value_{i}", "--no-grad"]
        assert dezero("map", *words, "-o", target) == (0, "", "")
        path = target
    rows = [line.split("\t") for line in Path(path).read_text().splitlines()[1:]]
    assert [set(row[1:]) for row in rows] == [{"inf"}, {"-inf"}, {"0.5"}, {"NaN"}]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"x":1,"a":true}\n{"x":2,"a":1}', "row 2, column a: its type is not that of the values"),
        ('{"x":1,"a":{}}', "row 1, column a: an object without keys has no type in columns"),
        ('{"x":1,"a":%s}' % ("9" * 30), "row 1, column a: an integer that does not fit into 64"),
        ('{"x":1,"x":5}', "row 1, column x: this key is given twice"),
        (
            '{"x":1,"a":123456789012345678}\n{"x":1,"a":1.5}',
            "row 2, column a: an integer that would",
        ),
        ('[{"x":1}]', "row 1: not a JSON object: jq -c"),
        ('{"x":NaN}', 'row 1: not JSON: NaN is written "nan"'),
    ],
)
def test_json_that_fits_no_column(dezero, tmp_path, lines, message):
    path = write(tmp_path, "t.jsonl", lines)
    outcome = dezero("map", "x", path, "-o", str(tmp_path / "o.parquet"))
    assert outcome.status == 1 and outcome.err.startswith(f"error: {path}: {message}")
    assert outcome.err.count("\n") == 1


def test_types_of_text_change_no_cell(dezero, tmp_path):
    text = "x,a,b,c,d\n1,-0,123456789012345678,1,007\n2,1,NaN,2.5,1\n"
    path, target = write(tmp_path, "t.csv", text), str(tmp_path / "o.parquet")
    assert dezero("map", "x", path, "--no-grad", "-o", target).status == 0
    got = pl.read_parquet(target)
    assert got["a"].dtype == pl.Float64 and str(got["a"][0]) == "-0.0"
    assert got["b"].to_list() == ["123456789012345678", "NaN"]
    assert got["c"].to_list() == [1.0, 2.5] and got["d"].to_list() == ["007", "1"]


PACKED = {"gz": (gzip.compress, gzip.decompress), "bz2": (bz2.compress, bz2.decompress)}


@pytest.mark.parametrize("kind", PACKED)
def test_compressed_tables(dezero, tmp_path, kind):
    pack, unpack = PACKED[kind]
    plain = b"x,s\n" + b"".join(b"%d,word\n" % i for i in range(1000))
    wanted = dezero("map", "x*2", write(tmp_path, "t.csv", plain)).out
    path = write(tmp_path, f"t.csv.{kind}", pack(plain[:100]) + pack(plain[100:]))
    target = tmp_path / f"o.csv.{kind}"
    assert dezero("map", "x*2", path) == (0, wanted, "")
    assert dezero("map", "x*2", path, "-o", str(target)) == (0, "", "")
    assert unpack(target.read_bytes()).decode() == wanted
    columns = str(tmp_path / f"o.parquet.{kind}")
    assert dezero("map", "x*2", path, "-o", columns) == (0, "", "")
    assert dezero("map", "value", columns, "--as", "again", "--no-grad").out.count("\n") == 1001
    write(tmp_path, "other.csv", pack(plain)[:-9])
    outcome = dezero("map", "x", str(tmp_path / "other.csv"), "-o", str(target))
    assert outcome.status == 1 and outcome.err.endswith(": damaged\n")
    assert unpack(target.read_bytes()).decode() == wanted


def test_zstandard(dezero, tmp_path):
    zstandard = pytest.importorskip("zstandard")
    plain = b"x\n" + b"1.5\n" * 100_000
    path = write(tmp_path, "t.csv.zst", zstandard.ZstdCompressor().compress(plain))
    target = tmp_path / "o.csv.zst"
    assert dezero("map", "x", path, "-o", str(target)) == (0, "", "")
    with zstandard.ZstdDecompressor().stream_reader(target.read_bytes()) as stream:
        assert stream.read() == b"x,value,d_x\n" + b"1.5,1.5,1.0\n" * 100_000


def test_a_pipe_is_known_by_its_content(tmp_path):
    write(tmp_path, "t.csv", "x\n1\n")
    chain = "dezero map x t.csv --no-grad --to {} | gzip | dezero map value --as v --no-grad"
    assert shell(chain.format("csv"), cwd=tmp_path).stdout == "x,value,v\n1,1.0,1.0\n"
    assert shell(chain.format("jsonl"), cwd=tmp_path).stdout == '{"x":1,"value":1.0,"v":1.0}\n'
    chain += " | dezero map v --as w --no-grad --to csv"
    assert shell(chain.format("parquet"), cwd=tmp_path).stdout == "x,value,v,w\n1,1.0,1.0,1.0\n"
    assert shell(chain.format("arrow"), cwd=tmp_path).stdout == "x,value,v,w\n1,1.0,1.0,1.0\n"


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl", "parquet.gz"])
def test_a_file_without_a_known_ending_is_known_by_its_content(dezero, tmp_path, form):
    write(tmp_path, "t.csv", "x\n1\n")
    named = str(tmp_path / f"o.{form}")
    assert dezero("map", "x", str(tmp_path / "t.csv"), "--no-grad", "-o", named).status == 0
    for name in ("part-00000", "t.dat", "t.txt.gz"):
        path = tmp_path / name
        path.write_bytes(Path(named).read_bytes())
        out = dezero("map", "value", str(path), "--as", "v", "--no-grad", "--only", "--to", "csv")
        assert out == (0, "v\n1.0\n", "")


@pytest.mark.parametrize("text", ['{"x":2}\n', "x\n2\n"])
def test_a_pipe_with_a_name_is_known_by_its_content(dezero, tmp_path, text):
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: Path(path).write_text(text))
    writer.start()
    assert dezero("map", "x", path, "--no-grad", "--to", "tsv").out == "x\tvalue\n2\t2.0\n"
    writer.join()


# ------------------------------------------------------------------------------------------ damage
@pytest.mark.parametrize("path", sorted(DATA.glob("keep_*.arrow")), ids=lambda path: path.name)
def test_damaged_arrow_is_one_line(dezero, tmp_path, path):
    outcome = dezero("map", "x*y", str(path), "-o", str(tmp_path / "o.csv"))
    assert outcome == (1, "", f"error: {path}: cannot be read as arrow: damaged\n")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", sorted(DATA.glob("lost_*")), ids=lambda path: path.name)
def test_no_rows_are_lost_where_counts_do_not_agree(dezero, tmp_path, path):
    """Polars reads these without a word: no rows, or some numbers that are not the table's.

    Where only a pass in pieces loses rows, one over all of them gives what the sound table does.
    """
    fault = f"error: {path}: cannot be read as {path.suffix[1:]}: damaged\n"
    outcome = dezero("map", "x*y", str(path), "-o", str(tmp_path / "o.csv"))
    assert outcome == (1, "", fault) and os.listdir(tmp_path) == []
    sound = str(DATA / "sound_numbers.parquet")
    for status, words in (
        (1, ("fit", "x == a + b*y", "{}", "--json")),
        (2, ("eval", "sum(x)", "x=@{}:x", "--no-grad", "--json")),
    ):
        found = dezero(*(word.format(path) for word in words))
        right = dezero(*(word.format(sound) for word in words))
        assert found in ((status, "", fault), right)


@pytest.mark.parametrize("path", sorted(DATA.glob("sound_*")), ids=lambda path: path.name)
def test_tables_of_all_types_are_sound(path):
    check = arrow.is_sound if path.suffix == ".arrow" else parquet.is_sound
    assert check(str(path))


FOREIGN = {
    "bin.arrow": "column bin: a cell of csv cannot hold Binary",
    "mdni.arrow": "column mdni: it holds an interval, which cannot be read",
    "ree.arrow": "column ree: it holds a run-end encoding, which cannot be read",
    "union.arrow": "column union: it holds a union, which cannot be read",
    "dec256.arrow": "column dec256: it holds a decimal of 256 bits, which cannot be read",
    "tsms.parquet": "column tsms: a time that is out of range",
    "d32.parquet": "column d32: a time that is out of range",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_types_that_text_cannot_hold_are_named(dezero, name):
    outcome = dezero("map", "x", str(DATA / f"ty_{name}"))
    assert outcome.status == 1 and outcome.err.endswith(f"{FOREIGN[name]}\n")
    assert outcome.err.count("\n") == 1


def test_types_that_pass(dezero):
    assert dezero("map", "x", str(DATA / "ty_dec.arrow"), "--to", "jsonl", "--no-grad").out == (
        '{"x":1.5,"dec":1.10,"value":1.5}\n{"x":2.5,"dec":null,"value":2.5}\n'
    )
    out = dezero("map", "x", str(DATA / "ty_dur.arrow"), "--no-grad").out
    assert out == "x,dur,value\n1.5,PT0.000001S,1.5\n2.5,,2.5\n"


def test_lengths_of_sound_arrow_files_are_possible(tmp_path):
    frame = numbers(1000).with_columns(s=pl.lit("text") + pl.int_range(1000).cast(pl.String))
    for name, compression in (("a", "uncompressed"), ("b", "lz4"), ("c", "zstd")):
        frame.write_ipc(tmp_path / name, compression=compression)
        assert arrow.is_sound(str(tmp_path / name))
    frame.write_ipc_stream(tmp_path / "d")
    assert arrow.is_sound(str(tmp_path / "d")) and arrow.is_stream(str(tmp_path / "d"))
    assert not arrow.is_sound(write(tmp_path, "e", (tmp_path / "b").read_bytes()[:-100]))


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow"])
def test_a_table_that_changes_while_it_is_read(tmp_path, monkeypatch, form):
    numbers(1000).write_csv(tmp_path / "t.csv")
    source, target = tmp_path / "t.csv", tmp_path / f"o.{form}"
    write(tmp_path, target.name, "as it was")
    read = reading.Source.read

    def changing(self, most):
        data = read(self, most)
        if not data:
            source.write_bytes(b"x,y\n1,2\n")
        return data

    monkeypatch.setattr(reading.Source, "read", changing)
    with pytest.raises(Exception, match=r"t\.csv: changed while it was read"):
        mapping.map_tables(found([str(source)], None), Plan("x"), form, str(target))
    assert target.read_text() == "as it was"


def test_many_columns(dezero, tmp_path):
    names = ",".join(f"c{i}" for i in range(40_000))
    path = write(tmp_path, "t.csv", f"{names}\n{','.join('1' for _ in range(40_000))}\n")
    assert dezero("map", "c1 + c39999", path, "--only").out == "value,d_c1,d_c39999\n2.0,1.0,1.0\n"


def test_times_that_text_cannot_show_are_named():
    from dezero_cli.tables import limits

    for unit, most in [("ms", 10**3), ("us", 10**6)]:
        far = pl.Series("when", [0, 250_000 * 31_536_000 * most]).cast(pl.Datetime(unit))
        with pytest.raises(TableError, match="a time that is out of range"):
            limits.refuse_untold(pl.DataFrame([far]), "csv")
        limits.refuse_untold(pl.DataFrame([far[:1]]), "csv")
    days = pl.Series("day", [-300_000 * 365, 0], dtype=pl.Int32).cast(pl.Date)
    with pytest.raises(TableError, match="a time that is out of range"):
        limits.refuse_untold(pl.DataFrame([days]), "csv")


def test_what_nonfinite_says_goes_out_of_lines():
    from dezero_cli.tables.jsonlines import _loaded_exactly, _unmarked

    assert _unmarked(b'{"x":1,"nonfinite":{"y":"inf"},"y":null}') == b'{"x":1,"y":null}'
    twice = b'{"s":"\\"nonfinite\\":{}","x":1.50,"nonfinite":{"y":"inf"}}'
    assert _unmarked(twice) == b'{"s":"\\"nonfinite\\":{}","x":1.50}'
    known = {"s": "\ud800", "x": 1.5}
    assert _loaded_exactly(b'{"s":"\\ud800","x":1.50}', known) is known
    assert _loaded_exactly(b"[" * 100_000, known) is known

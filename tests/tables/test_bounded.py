"""Columns in pieces whose bytes are bounded: cells of one text are one text until written."""

import itertools
import json

import numpy as np
import polars as pl
import pytest

from dezero_cli.formats import parquet
from dezero_cli.tables import bounded, columnar, delimited, jsonlines, limits

CELLS = {
    "text": ["a" * 100, None, "", "é" * 50],
    "list": [["a" * 100, "b"], [], None, ["c"] * 30],
    "lists": [[[1.0] * 10], None, [[], [2.0]], []],
    "record": [{"k": "a" * 90}, {"k": None}, None, {"k": "b"}],
    "records": [[{"key": 1.5}] * 9, [], None, [{"key": None}]],
    "number": [1.5, None, -1e-300, 2.0],
    "bytes": ["abc", None, "", "é" * 50],
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in CELLS if name != "bytes"])
def test_rows_are_not_larger_than_their_size_says(name):
    frame = pl.DataFrame({name: CELLS[name]})
    lines = frame.write_ndjson().encode().splitlines()
    sizes = bounded.row_sizes(frame, keys=True)
    assert len(sizes) == len(lines)
    assert all(len(line) <= size + 16 for line, size in zip(lines, sizes.tolist(), strict=True))


def test_binary_cells_and_arrays_have_sizes():
    frame = pl.DataFrame({"b": [b"abc", None, b"\0" * 50]})
    assert bounded.row_sizes(frame).tolist() == [3, 0, 50]
    array = pl.DataFrame({"a": pl.Series([["x", "yy"], ["", "z"]], dtype=pl.Array(pl.String, 2))})
    assert bounded.row_sizes(array).tolist() == [11, 9]


@pytest.mark.parametrize("seed", range(5))
def test_pieces_keep_to_their_bound_and_join(seed):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"s": ["a" * int(n) for n in rng.integers(0, 90, 300)]})
    found = list(bounded.pieces(frame, 200))
    assert pl.concat(found).equals(frame)
    assert all(bounded.row_sizes(each).sum() <= 200 for each in found)
    assert all(  # none could take the first row of the next one as well
        bounded.row_sizes(pl.concat([one, two.head(1)])).sum() > 200
        for one, two in itertools.pairwise(found)
    )
    assert [each.height for each in bounded.pieces(frame, 0)].count(0) == 0


@pytest.mark.parametrize("most", [1, 50, 1000, 10**6])
def test_rows_that_fit_do_so_wherever_they_stand(most):
    rng = np.random.default_rng(3)
    lengths = (rng.pareto(1, 1000) * 5).astype(int)
    frame = pl.DataFrame({"s": ["a" * int(n) for n in lengths]})
    frames = [frame.slice(i, 128) for i in range(0, 1000, 128)]
    rows = bounded.rows_that_fit([*frames, frame.clear()], 4096, most)
    sums = np.convolve(lengths + 3, np.ones(min(rows, 1000), int), "valid")
    assert rows == 1 or sums.max() <= 2 * most  # as windows need not begin where groups do
    assert rows == 4096 or np.convolve(lengths + 3, np.ones(2 * rows, int)).max() > most / 8


def test_row_groups_are_what_was_written(here):
    plain = pl.DataFrame({"x": np.ones(1000), "y": np.arange(1000)})
    plain.write_parquet("t.parquet", row_group_size=400)
    groups = parquet.row_groups("t.parquet")
    assert [group.rows for group in groups] == [400, 400, 200]
    assert all(group.size >= group.rows * 16 for group in groups)
    lists = pl.DataFrame({"l": [[1.0] * 1000] * 50, "x": np.ones(50)})
    lists.write_parquet("l.parquet")
    assert parquet.row_groups("l.parquet")[0].size >= 50_000 * 8
    assert bounded.readable_rows(["t.parquet", "l.parquet"]) is None
    assert bounded.readable_rows(["t.parquet", "l.parquet"], 8000) < 50


def test_metadata_that_is_damaged_says_nothing(here):
    pl.DataFrame({"x": np.ones(9), "s": ["a"] * 9}).write_parquet("t.parquet")
    whole = (here / "t.parquet").read_bytes()
    rng = np.random.default_rng(1)
    for place in rng.integers(max(0, len(whole) - 500), len(whole), 300).tolist():
        bad = bytearray(whole)
        bad[place] ^= 1 << int(rng.integers(8))
        (here / "bad.parquet").write_bytes(bad)
        assert isinstance(parquet.row_groups("bad.parquet"), list)
    (here / "bad.parquet").write_bytes(b"PAR1")
    assert parquet.row_groups("bad.parquet") == []


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "arrow"])
def test_what_is_read_and_written_in_pieces_is_the_whole(dezero, here, monkeypatch, form):
    x = np.arange(500.0)
    table = pl.DataFrame({"x": x, "s": [f"{'a' * (i % 90)}{i}" for i in range(500)]})
    table.write_parquet("t.parquet", row_group_size=300)
    monkeypatch.setattr(bounded.readable_rows, "__defaults__", (2000,))
    monkeypatch.setattr(bounded, "PIECE", 500)
    monkeypatch.setattr(bounded, "GROUP", 5000)
    seen = []
    real = columnar._Batch.__call__

    def counted(self, frame):
        seen.append(frame.height)
        return real(self, frame)

    monkeypatch.setattr(columnar._Batch, "__call__", counted)
    assert dezero("map", "x**2", "t.parquet", "-o", f"o.{form}").status == 0
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "arrow": pl.read_ipc}
    if form == "jsonl":
        rows = map(json.loads, (here / "o.jsonl").read_text().splitlines())
        found = pl.DataFrame(list(rows))
    else:
        found = read[form](f"o.{form}")
    assert found["s"].equals(table["s"])
    assert np.array_equal(found["value"].to_numpy(), x**2)
    assert max(seen) < 40
    if form == "parquet":
        groups = [group.rows for group in parquet.row_groups("o.parquet")]
        assert max(groups) <= 64 and sum(groups) == 500


# ---------------------------------------------------------------------------------- many columns
def test_keys_that_hardly_a_row_has_become_no_columns(dezero, here):
    (here / "t.jsonl").write_text("".join(f'{{"x":1,"k{i}":1}}\n' for i in range(11_000)))
    for form in ("csv", "parquet"):
        outcome = dezero("map", "x", "t.jsonl", "-o", f"o.{form}")
        fault = "11,001 keys in all, and a few in each row: write JSON Lines"
        assert outcome == (1, "", f"error: t.jsonl: row 1: {fault}\n")
    assert dezero("map", "x", "t.jsonl", "-o", "o.jsonl").status == 0


def test_rows_of_json_become_columns_in_parts(dezero, here, monkeypatch):
    rows = [{"x": i, **{f"k{(i + j) % 7}": j for j in range(3)}} for i in range(50)]
    (here / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = {form: dezero("map", "2*x", "t.jsonl", "--to", form).out for form in ("csv", "tsv")}
    dezero("map", "2*x", "t.jsonl", "-o", "whole.parquet")
    monkeypatch.setattr(jsonlines, "CELLS", 24)  # three rows
    for form, text in whole.items():
        assert dezero("map", "2*x", "t.jsonl", "--to", form).out == text
    dezero("map", "2*x", "t.jsonl", "-o", "parts.parquet")
    assert pl.read_parquet("parts.parquet").equals(pl.read_parquet("whole.parquet"))


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_more_columns_than_can_be_written(dezero, here, monkeypatch, form):
    monkeypatch.setattr(limits, "MOST_COLUMNS", 3)
    text = "x,a,b,c\n1,2,3,4\n" if form == "csv" else '{"x":1,"a":2,"b":3,"c":4}\n'
    (here / f"t.{form}").write_text(text)
    for to in ("parquet", "arrow", *(["csv"] if form == "jsonl" else [])):
        outcome = dezero("map", "x", f"t.{form}", "-o", f"o.{to}")
        assert outcome.status == 1 and outcome.err.startswith(f"error: t.{form}: 4 ")
        assert "at most 3 can be" in outcome.err and outcome.err.count("\n") == 1
    assert dezero("map", "x", f"t.{form}").status == 0


def test_wide_csv_becomes_the_json_of_narrow_csv(dezero, here, monkeypatch):
    cells = ["1", "007", "", "NaN", "nan", '"a,b"', '"q""t"', "é", "-0", "1e5", "1.50", " 2", "inf"]
    names = [f"c{i}" for i in range(len(cells))]
    turned = [cells[i:] + cells[:i] for i in range(len(cells))]
    lines = [",".join(["x", *names]), *(",".join(["1", *row]) for row in turned)]
    (here / "t.csv").write_text("\n".join(lines) + "\n")
    narrow = dezero("map", "x", "t.csv", "--to", "jsonl")
    monkeypatch.setattr(delimited, "WIDE", 1)
    assert narrow.status == 0 and dezero("map", "x", "t.csv", "--to", "jsonl") == narrow
    comma = dezero("map", "x", "t.csv", "--to", "jsonl", "--decimal", ",", "--separator", ";")
    assert comma.status != 0  # one column
    (here / "s.csv").write_text("x;a;b\n1,5;2,5;t\n2;x;3\n")
    words = ["map", "x", "s.csv", "--decimal", ",", "--separator", ";", "--to", "jsonl"]
    wide = dezero(*words)
    monkeypatch.setattr(delimited, "WIDE", 200)
    assert wide.status == 0 and dezero(*words) == wide


def test_categories_are_text_that_shares_its_bytes(here):
    column = pl.Series("s", ["b", None, "a", "b"]).cast(pl.Categorical)
    assert bounded.as_texts(column).to_list() == ["b", None, "a", "b"]
    fixed = pl.Series("s", ["b", None, "a"], dtype=pl.Enum(["a", "b", "c"]))
    assert bounded.as_texts(fixed).to_list() == ["b", None, "a"]
    assert bounded.as_texts(column.clear()).to_list() == []

"""Streams of Arrow's are read a batch at a time, and batches that unpack to too much not at all."""

import io
from pathlib import Path

import polars as pl
import pytest

from dezero_cli.formats import arrow
from dezero_cli.tables import columnar, files

PARTS = [
    pl.DataFrame(
        {
            "x": [float(i) for i in range(first, first + count)],
            "kind": pl.Series(["a", "b", "c"] * count, dtype=pl.Categorical)[:count],
            "text": [f"line {i}" for i in range(first, first + count)],
            "list": [[i, None] for i in range(first, first + count)],
        }
    )
    for first, count in ((0, 3), (3, 1), (4, 5))
]
WHOLE = pl.concat(PARTS, rechunk=False)


@pytest.fixture
def stream(tmp_path, monkeypatch):
    """A stream of several batches, some of whose columns need a dictionary."""
    monkeypatch.chdir(tmp_path)
    Path("t.arrow").write_bytes(b"".join(messages(PARTS)) + b"\xff\xff\xff\xff\0\0\0\0")
    return "t.arrow"


def messages(parts):
    """The messages of a stream with one schema, and a dictionary and a batch for each part."""
    for number, part in enumerate(parts):
        data = io.BytesIO()
        part.write_ipc_stream(data, compression="zstd")
        schema, *others = arrow._messages(data, len(data.getvalue()))
        for each in [schema][number:] + others:
            yield data.getvalue()[each.place : each.end]


def test_each_batch_can_be_read_alone(stream):
    found = [(rows, pl.read_ipc_stream(io.BytesIO(each))) for rows, each in arrow.batches(stream)]
    assert [rows for rows, _ in found] == [3, 1, 5] == [frame.height for _, frame in found]
    assert pl.concat([frame for _, frame in found]).rows() == WHOLE.rows()
    assert arrow.stream_rows(stream) == 9


@pytest.mark.parametrize("form", ["jsonl", "parquet", "arrow"])
def test_the_rows_are_those_of_the_stream_read_whole(dezero, stream, form):
    outcome = dezero("map", "x**2", "t.arrow", "-o", f"o.{form}")
    assert outcome.status == 0, outcome.err
    read = {"jsonl": pl.read_ndjson, "parquet": pl.read_parquet, "arrow": pl.read_ipc}[form]
    expected = WHOLE.with_columns(value=pl.col("x") ** 2, d_x=2 * pl.col("x"))
    found = read(f"o.{form}").with_columns(pl.col("kind").cast(pl.String))
    assert found.rows() == expected.with_columns(pl.col("kind").cast(pl.String)).rows()


def test_streams_and_files_are_one_table(dezero, stream):
    WHOLE.write_ipc("u.arrow")
    tables = files.found(["t.arrow", "u.arrow"], None)
    assert columnar.row_count(tables) == 18
    schema = columnar.schema_of_all(tables)
    frames = list(columnar.frames(tables, schema, ["x"], {"text": "said"}, 4))
    assert max(frame.height for frame in frames) <= 4
    assert pl.concat(frames).rows() == WHOLE.select("x", "text").rows() * 2
    assert dezero("map", "x", "t.arrow", "u.arrow", "--to", "jsonl").out.count("\n") == 18


@pytest.mark.parametrize("name", ["t.arrow", "u.arrow"])
def test_a_batch_that_unpacks_to_too_much_is_refused(dezero, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame({"x": [0.0] * 1_000_000})
    (frame.write_ipc_stream if name == "t.arrow" else frame.write_ipc)(name, compression="zstd")
    assert not arrow.is_bomb(name)
    monkeypatch.setattr(arrow, "MOST_UNPACKED", 1 << 16)
    assert arrow.is_bomb(name)
    for words in (["map", "x", name], ["fit", "x == a", name]):
        outcome = dezero(*words)
        assert outcome.status == 1 and outcome.out == ""
        assert f"{name}: a batch of it unpacks to more than 1 GiB" in outcome.err
    values = dezero("eval", "sum(x)", f"x=@{name}:x")
    assert values.status == 2 and "a batch of it unpacks to more than 1 GiB" in values.err


def test_a_stream_cut_inside_a_batch_is_damaged(dezero, stream):
    content = Path(stream).read_bytes()
    Path("cut.arrow").write_bytes(content[: len(content) - 200])
    outcome = dezero("map", "x", "cut.arrow")
    assert (outcome.status, outcome.err) == (
        1,
        "error: cut.arrow: cannot be read as arrow: damaged\n",
    )


def test_the_first_rows_alone(stream):
    scanned = columnar._scan(("t.arrow",), "arrow")
    assert scanned.head(4).collect().rows() == WHOLE.head(4).rows()
    assert scanned.select("x").tail(2).collect().rows() == [(7.0,), (8.0,)]

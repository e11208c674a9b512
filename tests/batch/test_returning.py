"""Expressions that come back are read more at once, and answered together."""

import fcntl
import functools
import json
import os

import pytest

from dezero_cli.batch import lines
from dezero_cli.batch.answers import _returned
from dezero_cli.batch.lines import Line, LineReader
from dezero_cli.commands import batch as command


def test_a_grown_reader_takes_what_a_pipe_gives_in_parts():
    reading, writing = os.pipe()
    reader = LineReader([f"/dev/fd/{reading}"], 1 << 20, 8)
    reader.grow(lines.SOON)
    assert not reader.is_grown
    reader.grow(0.1)
    assert (reader.is_grown, reader.size) == (True, 4 * lines.BLOCK)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    os.write(writing, b"x\n" * 20_000)
    assert reader.read().count == 20_000  # and it does not wait for more
    os.close(writing)
    assert reader.read() is None and reader.ended
    os.close(reading)
    for _ in range(9):
        reader.grow(0.1)
    assert reader.size == lines.LARGE
    reader.shrink(lines.LATE)
    assert reader.size == lines.LARGE
    reader.shrink(lines.LATE + 1)
    assert (reader.is_grown, reader.size) == (False, lines.BLOCK)


@pytest.mark.parametrize("words", [["--jobs", "1"], ["--jobs", "2"], []])
def test_the_bytes_are_those_of_small_blocks(dezero, tmp_path, monkeypatch, words):
    texts = [f"sin(x)*{i} + y/(x + {i})" for i in range(300)]
    asked = [
        json.dumps({"expr": text, "vars": {"x": i % 7 - 3, "y": 1 + i % 5}, "id": i})
        for i, text in enumerate(texts * 12)
    ]
    asked[1000:1000] = ["x +", '{"expr": 1}']
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(asked))
    small = dezero("batch", str(path), "--jobs", "1")
    sizes = []
    grow = LineReader.grow

    def noting(self, seconds):
        grow(self, 0.0)
        sizes.append(self.size)

    monkeypatch.setattr(LineReader, "grow", noting)
    monkeypatch.setattr(lines, "BLOCK", 8192)
    monkeypatch.setattr(command, "LineReader", functools.partial(LineReader, size=8192))
    large = dezero("batch", str(path), *words)
    assert (large.out, large.err, large.status) == (small.out, small.err, small.status)
    assert sizes


def test_expressions_that_come_once_or_alike_are_read_as_before():
    seen = set()
    unlike = [Line(i, f"x+{i}", {}) for i in range(100)]
    assert not _returned(unlike, seen) and len(seen) == 100
    assert _returned(unlike, seen)
    alike = [Line(i, "x", {}) for i in range(100)]
    assert not _returned(alike, seen) and not _returned(alike, seen)

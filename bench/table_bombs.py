"""Tables that are short and ask for much: the time and the memory that `dezero map` gives them.

``python -m bench.table_bombs [NAME...]`` makes each table, answers it in a process of its own with
the defaults, and prints a row of a table for it.  What has been written after LONGEST seconds is
killed.
"""

from __future__ import annotations

import bz2
import gzip
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LONGEST = 60
TEXT = "long text " * 10_000
"""A hundred thousand letters."""

Bomb = tuple[str, str, Callable[[Path], object], list[str]]
"""What it is, the name of the table, what writes it, and the words behind the table."""


def _frame(rows: int, categories: bool = False) -> object:
    import polars as pl

    text = pl.Series("s", [TEXT]).new_from_index(0, rows)
    text = text.cast(pl.Categorical) if categories else text
    return pl.DataFrame({"x": pl.Series([1.0]).new_from_index(0, rows), "s": text})


def _parquet(rows: int) -> Callable[[Path], object]:
    return lambda path: _frame(rows).write_parquet(path)  # type: ignore[attr-defined]


def _arrow(rows: int, stream: bool = False, categories: bool = False) -> Callable[[Path], object]:
    def write(path: Path) -> object:
        frame = _frame(rows, categories)
        to = frame.write_ipc_stream if stream else frame.write_ipc  # type: ignore[attr-defined]
        return to(path, compression="zstd")

    return write


def _zstd(data: bytes, times: int) -> Callable[[Path], object]:
    def write(path: Path) -> object:
        import zstandard

        with open(path, "wb") as file, zstandard.ZstdCompressor().stream_writer(file) as packer:
            packer.write(b"x\n")
            for _ in range(times):
                packer.write(data)
        return None

    return write


def _packed(pack: Callable[[bytes], bytes], data: bytes, times: int) -> Callable[[Path], object]:
    part = pack(data)
    return lambda path: path.write_bytes(pack(b"x\n") + part * times)


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def _zeros(count: int) -> Callable[[Path], object]:
    """A file whose zeros take no room."""

    def write(path: Path) -> object:
        path.write_bytes(b"x\n")
        os.truncate(path, count)
        return None

    return write


def _keys(count: int) -> str:
    return "{" + ",".join(f'"k{i}":{i}' for i in range(count)) + ',"x":1}\n'


def bombs() -> Iterator[Bomb]:
    """Each table with what it is."""
    for to in ("csv", "jsonl", "parquet", "arrow"):
        yield f"one text 60,000 times, to {to}", "t.parquet", _parquet(60_000), ["--to", to]
    for to in ("csv", "arrow"):
        words = ["--to", to]
        yield f"Arrow of one text 20,000 times, to {to}", "t.arrow", _arrow(20_000), words
        yield f"a stream of it, to {to}", "t.arrow", _arrow(20_000, stream=True), words
    yield "categories, one of 100 KB", "t.arrow", _arrow(60_000, categories=True), ["--to", "csv"]
    million = b"0" * (1 << 20)
    yield "gzip: a row of 8 GiB", "t.csv.gz", _packed(gzip.compress, million, 8192), []
    yield "bzip2: a row of 1 GiB", "t.csv.bz2", _packed(bz2.compress, million, 1024), []
    yield "Zstandard: a row of 8 GiB", "t.csv.zst", _zstd(million, 8192), []
    lines = b"1\n" * (1 << 19)
    yield "gzip: 25 million rows", "t.csv.gz", _packed(gzip.compress, lines, 48), []
    yield "a row of 8 GiB of zero bytes", "t.csv", _zeros(8 << 30), []
    wide = ",".join(f"c{i}" for i in range(300_000)) + ",x\n" + "1," * 300_000 + "1\n"
    for to in ("csv", "jsonl", "parquet"):
        yield f"300,000 columns, to {to}", "t.csv", _text(wide), ["--to", to]
    yield "300,000 columns of one name", "t.csv", _text("a," * 300_000 + "x\n"), []
    for to in ("jsonl", "csv", "parquet"):
        yield f"300,000 keys, to {to}", "t.jsonl", _text(_keys(300_000) * 2), ["--to", to]
    rows = "".join(f'{{"x":1,"k{i}":1}}\n' for i in range(20_000))
    yield "a new key in each of 20,000 rows", "t.jsonl", _text(rows), ["--to", "csv"]
    rows = "".join(
        json.dumps({"x": 1} | {f"k{(7 * i + 491 * j) % 5000}": 1 for j in range(10)}) + "\n"
        for i in range(20_000)
    )
    for to in ("csv", "parquet"):
        yield (
            f"10 of 5,000 keys in each of 20,000 rows, to {to}",
            "t.jsonl",
            _text(rows),
            ["--to", to],
        )
    yield "one key 300,000 times", "t.jsonl", _text('{"x":1' + ',"x":1' * 300_000 + "}\n"), []
    deep = '{"x":1,"a":' + "[" * 400_000 + "]" * 400_000 + "}\n"
    yield "400,000 brackets", "t.jsonl", _text(deep), []
    yield "400,000 braces", "t.jsonl", _text('{"x":' + '{"a":' * 400_000 + "\n"), []
    yield "a number of 4,000,000 digits", "t.csv", _text("x\n" + "9" * 4_000_000 + "\n"), []
    yield "JSON: the same", "t.jsonl", _text('{"x":' + "9" * 4_000_000 + "}\n"), []
    yield "an open quote", "t.csv", _text('x\n"' + "1\n" * 20_000_000), []
    quotes = "x\n" + '"""""""",\n' * 400_000
    yield "quotes alone", "t.csv", _text(quotes), []
    yield "a header of 20 MB", "t.csv", _text("x," + "n" * 20_000_000 + "\n1,2\n"), []
    yield "returns alone", "t.csv", _text("x\n" + "\r" * 20_000_000 + "\n"), []
    yield "one cell in all rows but one", "t.csv", _text("x,y\n" + "1\n" * 4_000_000), []


def measured(words: list[str], folder: str) -> tuple[float, float, str]:
    """The seconds and the GiB that a run takes, and what it ends with."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "dezero_cli", "map", "2*x", *words]
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=told)
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.perf_counter() - begin
            if ended:
                break
            if seconds > LONGEST:
                process.kill()
            time.sleep(0.02)
        told.seek(0)
        lines = told.read().decode(errors="replace").splitlines()
    code = os.waitstatus_to_exitcode(status)
    said = "killed" if code == -9 else (lines[0][:70] if lines else "answered")
    return seconds, usage.ru_maxrss / 2**20, f"{said} ({len(lines)} lines)" if lines[1:] else said


def main() -> None:
    """Print a row for each table."""
    wanted = sys.argv[1:]
    for what, name, write, words in bombs():
        if wanted and what not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            making = multiprocessing.get_context("fork").Process(target=write, args=[path])
            making.start()  # apart, since a process begins with the memory of the one it is of
            making.join()
            size = path.stat().st_size
            ending = words[-1] if words else "csv" if ".csv" in name else "jsonl"
            seconds, memory, said = measured([name, *words, "-o", f"o.{ending}"], folder)
        print(f"| {what} | {size:,} | {seconds:.1f} | {memory:.2f} | {said} |", flush=True)


if __name__ == "__main__":
    main()

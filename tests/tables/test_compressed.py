"""`dezero map` on compressed tables: in and out, by ending and by content, damaged and cut."""

import bz2
import gzip
import itertools
import os

import polars as pl
import pytest

from dezero_cli import reading
from tests.tables.test_map import write

zstandard = pytest.importorskip("zstandard")

PLAIN = b"x,s\n" + b"".join(b"%d,w%d\n" % (i, i * i) for i in range(500))
OUT = b"x,s,value\n" + b"".join(b"%d,w%d,%d.0\n" % (i, i * i, 2 * i) for i in range(500))


def unpacked_zstd(data):
    """What Zstandard's data holds."""
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
        return stream.read()


def packed_zstd(data):
    """Data as Zstandard has it."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


KINDS = {
    "gz": (gzip.compress, gzip.decompress),
    "bz2": (bz2.compress, bz2.decompress),
    "zst": (packed_zstd, unpacked_zstd),
}
SAID = {"gz": "gzip", "bz2": "bzip2", "zst": "zstd"}


@pytest.fixture
def piped(dezero, tmp_path):
    """Run the command line with bytes on standard input."""
    saved = os.dup(0)

    def call(data, *args):
        with open(write(tmp_path, "stdin", data), "rb") as file:
            os.dup2(file.fileno(), 0)
            return dezero(*args)

    yield call
    os.dup2(saved, 0)
    os.close(saved)


@pytest.mark.parametrize(("given", "made"), list(itertools.product(KINDS, KINDS)))
def test_any_kind_to_any(dezero, tmp_path, given, made):
    path = write(tmp_path, f"t.csv.{given}", KINDS[given][0](PLAIN))
    target = tmp_path / f"o.csv.{made}"
    assert dezero("map", "2*x", path, "--no-grad", "-o", str(target)) == (0, "", "")
    assert KINDS[made][1](target.read_bytes()) == OUT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["t.csv", "t.CSV.GZ", "t.csv.zst", "t.csv.bz2"])
def test_content_decides_what_is_read(dezero, tmp_path, kind, name):
    path = write(tmp_path, name, KINDS[kind][0](PLAIN))
    assert dezero("map", "2*x", path, "--no-grad") == (0, OUT.decode(), "")


def test_an_ending_alone_makes_nothing_compressed(dezero, tmp_path):
    path = write(tmp_path, "t.csv.gz", PLAIN)
    assert dezero("map", "2*x", path, "--no-grad") == (0, OUT.decode(), "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cuts", [(1,), (4, 5), (0, 100, 2000)])
def test_several_parts_are_one(dezero, piped, tmp_path, kind, cuts):
    pack = KINDS[kind][0]
    bounds = itertools.pairwise([0, *cuts, len(PLAIN)])
    data = b"".join(pack(PLAIN[start:end]) for start, end in bounds)
    path = write(tmp_path, f"t.csv.{kind}", data)
    assert dezero("map", "2*x", path, "--no-grad") == (0, OUT.decode(), "")
    assert piped(data, "map", "2*x", "--no-grad") == (0, OUT.decode(), "")


def test_zeros_after_gzip_are_no_damage(dezero, tmp_path):
    path = write(tmp_path, "t.csv.gz", gzip.compress(PLAIN) + bytes(512))
    assert dezero("map", "2*x", path, "--no-grad") == (0, OUT.decode(), "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_is_cut_or_damaged_is_one_line(dezero, tmp_path, kind, form):
    data = KINDS[kind][0](PLAIN)
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]
    target = write(tmp_path, f"o.{form}", "as it was")
    name = f"t.csv.{kind}"
    cuts = [data[:-1], data[:middle], data[:12], data + data[:middle]]
    for bad in [*cuts, flipped, data + b"rubbish"]:
        path = write(tmp_path, name, bad)
        outcome = dezero("map", "2*x", path, "-o", target)
        said = f"error: {path}: cannot be read as {SAID[kind]}: damaged\n"
        assert outcome == (1, "", said), bad
        assert (tmp_path / f"o.{form}").read_text() == "as it was"
    assert sorted(os.listdir(tmp_path)) == sorted([f"o.{form}", name])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["jsonl", "parquet", "arrow"])
def test_other_formats_in_and_out(dezero, tmp_path, kind, form):
    source = write(tmp_path, "t.csv", PLAIN)
    target = tmp_path / f"o.{form}.{kind}"
    assert dezero("map", "2*x", source, "--no-grad", "-o", str(target)) == (0, "", "")
    inside = write(tmp_path, f"inside.{form}", KINDS[kind][1](target.read_bytes()))
    read = {"jsonl": pl.read_ndjson, "parquet": pl.read_parquet, "arrow": pl.read_ipc}[form]
    assert read(inside)["value"].to_list() == [2.0 * i for i in range(500)]
    out = dezero("map", "value/2", str(target), "--as", "x2", "--only", "--no-grad", "--to", "csv")
    assert out == (0, "x2\n" + "".join(f"{i}.0\n" for i in range(500)), "")


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_pipes_are_known_by_their_content(piped, tmp_path, kind):
    frame = pl.DataFrame({"x": [1.5, 2.5], "s": ["a", "b"]})
    frame.write_parquet(tmp_path / "p")
    frame.write_ipc(tmp_path / "a")
    frame.write_ipc_stream(tmp_path / "i")
    pack = KINDS[kind][0] if kind else bytes
    wanted = "x,s,value\n1.5,a,3.0\n2.5,b,5.0\n"
    contents = [(tmp_path / name).read_bytes() for name in "pai"]
    words = ("map", "2*x", "--no-grad")
    for data in [*contents, b"\xef\xbb\xbfx,s\n1.5,a\n2.5,b\n"]:
        assert piped(pack(data), *words, "--to", "csv") == (0, wanted, "")
    lines = b' \n{"x":1.5,"s":"a"}\n{"x":2.5,"s":"b"}\n'
    assert piped(pack(lines), *words, "--to", "csv") == (0, wanted, "")
    assert piped(pack(lines), *words).out == (
        '{"x":1.5,"s":"a","value":3.0}\n{"x":2.5,"s":"b","value":5.0}\n'
    )


@pytest.mark.parametrize(
    "content",
    [b"", gzip.compress(b""), bz2.compress(b""), packed_zstd(b"")],
    ids=["plain", "gz", "bz2", "zst"],
)
def test_nothing_inside_is_an_empty_file(dezero, piped, tmp_path, content):
    path = write(tmp_path, "t.csv", content)
    assert dezero("map", "x", path) == (1, "", f"error: {path}: the file is empty\n")
    assert piped(content, "map", "x") == (1, "", "error: standard input: the file is empty\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, 7, 1 << 16])
def test_pieces_are_bounded_however_well_it_packs(kind, most):
    plain = bytes(300_000)
    waiting = [KINDS[kind][0](plain)]
    unpacker = reading.Unpacker(SAID[kind], "t", b"", lambda _: waiting.pop() if waiting else b"")
    total = 0
    for _ in range(50):
        piece = unpacker.read(most)
        assert kind == "zst" or len(piece) <= most
        total += len(piece)
    if most == 1 << 16:
        assert total == len(plain) and unpacker.read(most) == b""

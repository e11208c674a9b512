"""Compressed tables: known by ending and by content, in and out."""

import bz2
import gzip
import io

import pytest
import zstandard

from dezero_cli.faults import TableError
from dezero_cli.reading import Unpacker, kind_of
from tests.commands.test_eval import shell

CSV = b"x,y\n1,2\n3,4\n"
MAPPED = b"x,y,value,d_x,d_y\n1,2,2.0,2.0,1.0\n3,4,12.0,4.0,3.0\n"
PACK = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: zstandard.ZstdCompressor().compress(data),
}
UNPACK = {
    "gz": gzip.decompress,
    "bz2": bz2.decompress,
    "zst": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read(),
}
KINDS = pytest.mark.parametrize("kind", PACK)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@KINDS
def test_what_is_read_by_its_ending(dezero, here, kind):
    (here / f"t.csv.{kind}").write_bytes(PACK[kind](CSV))
    assert dezero("map", "x*y", f"t.csv.{kind}").out == MAPPED.decode()
    assert dezero("map", "x*y", f"t.csv.{kind}", "-o", "o.csv").status == 0
    assert (here / "o.csv").read_bytes() == MAPPED


@KINDS
def test_what_is_read_by_its_content(here, kind):
    (here / "packed").write_bytes(PACK[kind](CSV))
    assert shell("dezero map 'x*y' < packed", cwd=here).stdout == MAPPED.decode()


@KINDS
def test_what_is_written_by_its_ending(dezero, here, kind):
    (here / "t.csv").write_bytes(CSV)
    assert dezero("map", "x*y", "t.csv", "-o", f"o.csv.{kind}").status == 0
    packed = (here / f"o.csv.{kind}").read_bytes()
    assert kind_of(packed) is not None and UNPACK[kind](packed) == MAPPED


@KINDS
def test_several_parts_are_one(dezero, here, kind):
    head, tail = CSV[:8], CSV[8:]
    (here / f"t.csv.{kind}").write_bytes(PACK[kind](head) + PACK[kind](tail))
    assert dezero("map", "x*y", f"t.csv.{kind}").out == MAPPED.decode()


@KINDS
@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_what_is_damaged_is_one_line_and_the_old_output_stays(dezero, here, kind, harm):
    packed = bytearray(PACK[kind](CSV * 2000))
    if harm == "cut":
        del packed[len(packed) // 2 :]
    else:
        packed[8:40] = bytes(32)
    (here / f"t.csv.{kind}").write_bytes(packed)
    (here / "o.csv").write_text("old\n")
    outcome = dezero("map", "x*1", f"t.csv.{kind}", "-o", "o.csv")
    assert outcome.status == 1 and (here / "o.csv").read_text() == "old\n"
    assert outcome.err.startswith(f"error: t.csv.{kind}: ") and outcome.err.count("\n") == 1


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "zstd"])
@pytest.mark.parametrize("most", [1, 7, 1 << 16])
def test_pieces_are_bounded_and_join(kind, most):
    ending = {"gzip": "gz", "bzip2": "bz2", "zstd": "zst"}[kind]
    data = bytes(range(256)) * 400
    source = io.BytesIO(PACK[ending](data) + PACK[ending](b"more"))
    unpacker = Unpacker(kind, "t", source.read(3), source.read)
    pieces = []
    while piece := unpacker.read(most):
        pieces.append(piece)
    assert b"".join(pieces) == data + b"more"
    if kind != "zstd":
        assert max(map(len, pieces)) <= most
    source = io.BytesIO(PACK[ending](data)[:-6])
    unpacker = Unpacker(kind, "t", b"", source.read)
    with pytest.raises(TableError, match=f"cannot be read as {kind}: damaged"):
        while unpacker.read(1 << 16):
            pass

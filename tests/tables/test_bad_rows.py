"""`dezero map` with rows that are bad in one way each, and what is advised for their cells."""

import shlex
import shutil
import subprocess

import pytest

BAD = [b"3", b"3,4,5", b'"3"0,4', b'3,a"b', b"3,caf\xe9", b'3,"4"5"6"', b"x,4"]


@pytest.mark.parametrize("bad", BAD)
def test_any_bad_row_is_skipped(dezero, tmp_path, monkeypatch, bad):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_bytes(b'x,y\n1,2\n%b\n5,"6"\n' % bad)
    assert dezero("map", "2*x", "t.csv").status == 1
    status, out, err = dezero("map", "2*x", "t.csv", "--on-bad", "skip")
    odd = bad.count(b'"') % 2
    if odd:
        assert (status, err) == (1, "error: t.csv: row 2: a quote is never closed\n")
    else:
        assert (status, out) == (0, 'x,y,value,d_x\n1,2,2.0,2.0\n5,"6",10.0,2.0\n')


def test_folders_of_partitions_are_no_values(dezero, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        (tmp_path / f"year={year}" / "p.csv").write_text(f"x\n{year}\n")
    assert dezero("map", "x", "year=2024/p.csv", "--only").out == "value,d_x\n2024.0,1.0\n"
    assert dezero("map", "x*k", "k=2", "year=*/p.csv", "--only", "--no-grad").out == (
        "value\n4046.0\n4048.0\n"
    )


@pytest.mark.skipif(shutil.which("mlr") is None, reason="mlr is not installed")
@pytest.mark.parametrize("cell", ["12%", "$1,234.50", "1.234.567", "€5", "-$3"])
@pytest.mark.parametrize(
    ("name", "separator", "options"),
    [
        ("t.csv", ",", []),
        ("t.tsv", "\t", []),
        ("s.csv", ";", ["--separator", ";"]),
        ("h.csv", ",", ["--no-header"]),
    ],
)
def test_what_is_advised_for_signs_helps(
    dezero, tmp_path, monkeypatch, cell, name, separator, options
):
    monkeypatch.chdir(tmp_path)
    cell = f'"{cell}"' if separator in cell else cell
    header = "" if options == ["--no-header"] else f"c1{separator}c2\n"
    (tmp_path / name).write_text(f"{header}1{separator}{cell}\n")
    err = dezero("map", "c1*c2", name, *options).err
    advice = err.partition(" first: ")[2].strip()
    mended = subprocess.run(
        [name if word == "FILE" else word for word in shlex.split(advice)],
        capture_output=True,
        check=True,
    ).stdout
    (tmp_path / name).write_bytes(mended)
    number = float(
        "".join(c for c in cell if c.isdigit() or c in ".-").replace("1.234.567", "1234567")
    )
    out = dezero("map", "c1*c2", name, *options, "--only", "--no-grad").out
    assert float(out.splitlines()[-1].replace(",", ".")) == number


@pytest.mark.parametrize("used", ["x", "y", "z", "2+3", "x*z"])
@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("1,2,3\n1,2\n1,2,3,4\n", "row 2: 2 cells, but the header has 3"),
        ("1,2,3,4\n1,2\n", "row 1: 4 cells, but the header has 3"),
        ("1,2,3\n\n1,2,3,4,5\n", "row 2: 5 cells, but the header has 3"),
        ("1,2,\n1,2\n1,2,3,\n", "row 2: 2 cells, but the header has 3"),
    ],
)
def test_rows_that_are_even_on_average_alone(dezero, tmp_path, monkeypatch, used, rows, fault):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(f"x,y,z\n{rows}")
    for target in ("o.csv", "o.jsonl", "o.parquet"):
        assert dezero("map", used, "t.csv", "-o", target).err == f"error: t.csv: {fault}\n"

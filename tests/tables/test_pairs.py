"""Every format to every format, with every kind of column that the expression does not use.

What comes out is what went in, by type and value, or one line names the column.  Text is read by
the modules csv and json and by a few lines here, Parquet and Arrow by Polars.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl
import pytest

from dezero_cli.tables import cells
from tests.tables.kinds import KINDS

pytestmark = pytest.mark.unmeasured

FORMATS = ("csv", "tsv", "jsonl", "parquet", "arrow")
COLUMNS = ("parquet", "arrow")
SEPARATORS = {"csv": ",", "tsv": "\t"}
WORDS = ("inf", "-inf", "nan")

NESTED = ["list", "list of text", "list of inf, nan", "list of decimals", "array", "struct"]
REFUSED = {
    ("columns", "delimited"): ([*NESTED, "binary"], "a cell of {form} cannot hold "),
    ("columns", "jsonl"): (["list of inf, nan", "list of decimals", "binary"], "cannot hold "),
    ("jsonl", "columns"): (
        [
            "int128",
            "uint64",
            "decimal of 38 digits",
            "text of long integers",
            "text of long fractions",
        ],
        "write JSON Lines or CSV instead",
    ),
}
"""Kinds that do not pass from some formats to others, and what is said."""


def group(form: str) -> str:
    """What formats have in common."""
    return "columns" if form in COLUMNS else "delimited" if form in SEPARATORS else form


def refused(source: str, target: str) -> tuple[list[str], str]:
    """The kinds that do not pass, and a part of what is said."""
    kinds, said = REFUSED.get((group(source), group(target)), ([], ""))
    return kinds, said.format(form=target)


# ------------------------------------------------------------------------------------ what goes in
def write(path: Path, form: str, names: list[str]) -> None:
    """A table with x and the columns of these kinds."""
    if form in COLUMNS:
        table = pl.DataFrame({"x": [1.0, 2.0, 3.0], **{n: KINDS[n].column for n in names}})
        (table.write_parquet if form == "parquet" else table.write_ipc)(path)
        return
    rows = [[str(i + 1)] + [KINDS[n].cells[i] for n in names] for i in range(3)]
    if form == "jsonl":
        text = "".join(f"{line_of(i, names)}\n" for i in range(3))
    else:
        head = [f'"{name}"' for name in ["x", *names]]
        text = "".join(SEPARATORS[form].join(row) + "\n" for row in [head, *rows])
    path.write_bytes(text.encode())


def line_of(row: int, names: list[str]) -> str:
    """A row as JSON."""
    values = {name: KINDS[name].json[row] for name in names}
    odd = {name: word for name, word in values.items() if word in WORDS}
    parts = [f"{json.dumps(n)}:{'null' if n in odd else v}" for n, v in values.items()]
    ending = [f'"nonfinite":{json.dumps(odd)}'] if odd else []
    return "{" + ",".join([f'"x":{row + 1}', *parts, *ending]) + "}"


# ----------------------------------------------------------------------------------- what comes out
def cells_of(path: Path, form: str) -> dict[str, list[str | None]]:
    """The cells of CSV; one that is empty and not in quotes is None."""
    pattern = rf'("(?:[^"]|"")*"|[^"{SEPARATORS[form]}\n]*)({SEPARATORS[form]}|\n)'
    rows, row = [], []
    for match in re.finditer(pattern, path.read_bytes().decode()):
        raw = match[1]
        row.append(raw[1:-1].replace('""', '"') if raw.startswith('"') else raw or None)
        if match[2] == "\n":
            rows.append(row)
            row = []
    head, *body = rows
    assert all(len(row) == len(head) for row in body)
    return {name: [row[i] for row in body] for i, name in enumerate(head)}


def read_json(text: str) -> object:
    """JSON whose numbers are told from text, with all of their digits."""
    return json.loads(text, parse_int=lambda n: ("number", n), parse_float=lambda n: ("number", n))


def values_of(path: Path) -> dict[str, list[object]]:
    """The values of JSON Lines; one that is not finite is its word, told from text."""
    found: dict[str, list[object]] = {}
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        each = read_json(line)
        marks = each.pop("nonfinite", {})
        for name, value in each.items():
            word = ("number", marks[name]) if name in marks else value
            found.setdefault(name, []).append(word)
    return found


def number(text: str) -> tuple[Decimal, bool] | None:
    """What a text is as a number, with its sign; None for other text."""
    try:
        return Decimal(text), text.startswith("-")
    except InvalidOperation:
        return None


def is_number(text: str) -> bool:
    """Whether JSON has a text as a number."""
    try:
        return type(json.loads(text)) in (int, float) and text.strip() == text
    except ValueError:
        return False


# ----------------------------------------------------------------------------- what should come out
def bare(cell: str) -> str | None:
    """A cell of CSV as it stands there -> its text."""
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell or None


def as_json(cell: str | None) -> object:
    """What a cell of CSV is in JSON."""
    if cell is None:
        return None
    if cell == "NaN":
        return "nan"
    return ("number", cell) if is_number(cell) else cell


def as_column(cells: list[str | None]) -> pl.Series:
    """What cells of CSV are as a column."""
    known = [cell for cell in cells if cell is not None]
    if known and all(re.fullmatch("0|-?[1-9][0-9]*", cell) for cell in known):
        whole = [int(cell) for cell in known]
        if min(whole) >= -(2**63) and max(whole) < 2**63:
            return pl.Series([None if c is None else int(c) for c in cells], dtype=pl.Int64)
        return pl.Series(cells, dtype=pl.String)
    plain = [cell for cell in known if cell.lstrip("-") not in ("inf", "NaN")]
    exact = all(
        number(cell) and not re.match("-?0[0-9]", cell)
        and number(repr(float(cell))) == number(cell)
        for cell in plain
    )  # fmt: skip
    if known and exact:
        return pl.Series([None if c is None else float(c) for c in cells], dtype=pl.Float64)
    return pl.Series(cells, dtype=pl.String)


def of_json(text: str) -> object:
    """A value of JSON for Polars."""
    if text in WORDS:
        return float(text)
    value = json.loads(text)
    if isinstance(value, list) and any(type(each) is float for each in value):
        return [float(each) for each in value]
    return value


def cell_of_json(text: str) -> str | None:
    """What a value of JSON is as a cell; lists and objects are JSON."""
    if text in WORDS:
        return {"nan": "NaN"}.get(text, text)
    value = json.loads(text)
    return value if value is None or isinstance(value, str) else text


def alike(got: list[object], wanted: list[object]) -> bool:
    """Whether texts are the same, or are the same number written in another way."""
    return len(got) == len(wanted) and all(
        g == w
        or (isinstance(g, str) and isinstance(w, str) and number(g) == number(w) is not None)
        or (isinstance(g, tuple) and isinstance(w, tuple) and number(g[1]) == number(w[1]))
        for g, w in zip(got, wanted, strict=True)
    )


def check(name: str, source: str, target: str, got: object) -> None:
    """What came out of a column."""
    kind = KINDS[name]
    if target in COLUMNS:
        if source in COLUMNS:
            wanted = kind.column
        elif source == "jsonl":
            values = [of_json(text) for text in kind.json]
            floats = any(type(v) is float for v in values)
            values = [float(v) if floats and type(v) is int else v for v in values]
            empty = values == [None] * 3
            wanted = pl.Series(values, dtype=pl.String if empty else None)
        else:
            wanted = as_column([bare(cell) for cell in kind.cells])
        assert got.dtype == wanted.dtype
        assert str(got.to_list()) == str(wanted.to_list())  # nan and -0.0 told from others
        return
    if target == "jsonl":
        if source in COLUMNS or source == "jsonl":
            wanted = [("number", v) if v in WORDS else read_json(v) for v in kind.json]
            if source in COLUMNS and kind.column.dtype == pl.String:
                wanted = kind.column.to_list()
        else:
            wanted = [as_json(bare(cell)) for cell in kind.cells]
    elif source == "jsonl":
        wanted = [cell_of_json(text) for text in kind.json]
    else:
        wanted = [bare(cell) for cell in kind.cells]
    assert alike(got, wanted) if source in COLUMNS else got == wanted


def converted(dezero, tmp_path, source, target, names):
    path, out = tmp_path / f"t.{source}", tmp_path / f"o.{target}"
    write(path, source, names)
    return dezero("map", "2*x", str(path), "--no-grad", "-o", str(out)), out


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_from_format_to_format(dezero, tmp_path, source, target):
    bad, said = refused(source, target)
    names = [name for name in KINDS if name not in bad]
    outcome, out = converted(dezero, tmp_path, source, target, names)
    assert outcome == (0, "", "")
    if target in COLUMNS:
        table = (pl.read_parquet if target == "parquet" else pl.read_ipc)(out)
        found = {name: table[name] for name in table.columns}
    else:
        found = values_of(out) if target == "jsonl" else cells_of(out, target)
    assert list(found) == ["x", *names, "value"]
    for name in names:
        check(name, source, target, found[name])
    for name in bad:
        outcome, _ = converted(dezero, tmp_path, source, target, [name])
        assert outcome.status == 1 and outcome.err.count("\n") == 1
        assert f"column {name}: " in outcome.err and said in outcome.err


def test_the_manual_has_the_table_of_pairs():
    lines = [f"| from, to | {' | '.join(FORMATS)} |", "|---" * (len(FORMATS) + 1) + "|"]
    for source in FORMATS:
        counts = (str(len(KINDS) - len(refused(source, target)[0])) for target in FORMATS)
        lines.append(f"| {source} | {' | '.join(counts)} |")
    manual = Path(__file__).parents[2] / "docs" / "how-to" / "tables.md"
    text = manual.read_text(encoding="utf-8")
    assert "\n".join(lines) in text and f"{len(KINDS)} kinds of column" in text


@pytest.mark.parametrize(
    ("lines", "target", "message"),
    [
        ('{"x":1}\n{"x":1,"c":1}', "csv", None),
        ('{"x":1,"c":"\\ud800"}', "csv", "row 1: half of a character, which only JSON can hold"),
        (
            '{"x":1,"c":"\\ud800"}',
            "parquet",
            "row 1: half of a character, which only JSON can hold",
        ),
        ('{"x":1,"c":1,"c":2}', "csv", "row 1, column c: this key is given twice"),
        ('{"x":1}\n{"x":1,"c":[{"a":1,"a":2}]}', "csv", "row 2, column a: this key is given twice"),
        ('{"x":1,"c":1,"c":2}', "arrow", "row 1, column c: this key is given twice"),
        ('{"x":1,"c":{"a":[1e400]}}', "arrow", "row 1, column c: a number that float64 would cha"),
        ('{"x":3.14159265358979323846,"c":0.10000000000000001}', "arrow", None),
        ('{"x":1,"c":"\\ud83c\\udf89","n":1.10}', "tsv", None),
    ],
)
def test_what_json_alone_can_hold(dezero, tmp_path, lines, target, message):
    path = tmp_path / "t.jsonl"
    path.write_text(lines)
    outcome = dezero("map", "x", str(path), "--no-grad", "-o", str(tmp_path / f"o.{target}"))
    start = f"error: {path}: {message}" if message else ""
    assert outcome.status == bool(message) and outcome.err.startswith(start)
    assert outcome.err.count("\n") == bool(message)
    assert target != "tsv" or "\t🎉\t1.10\t" in (tmp_path / "o.tsv").read_text(encoding="utf-8")


def test_times_inside_lists_are_looked_at(dezero, tmp_path):
    days = pl.Series("c", [[0, 300_000 * 365]], dtype=pl.List(pl.Int32)).cast(pl.List(pl.Date))
    named = pl.Series("d", [{"Binary": 1}])  # a name that is the name of a type
    for column in (days, named):
        pl.DataFrame([pl.Series("x", [1.0]), column]).write_parquet(tmp_path / "t.parquet")
        outcome = dezero("map", "x", str(tmp_path / "t.parquet"), "--no-grad", "--to", "jsonl")
        said = "error: column c: a time that is out of range\n" if column is days else ""
        assert outcome.err == said and outcome.status == bool(said)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("0.1", True), ("0.10000000000000001", True), ("0.10000000000000000555", True),
        ("3.14159265358979323846", False), ("1e400", False), ("-1e-400", False), ("0e400", True),
        ("-0.000", True), ("+1.50", True), ("123456789012345678.0", False), ("5e-324", True),
    ],
)  # fmt: skip
def test_texts_that_float64_says_as_well(text, same):
    assert cells.reads_back(text, float(text)) == same

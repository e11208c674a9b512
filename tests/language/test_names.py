"""One name is one name however its accents are written, on all the ways in."""

import json
import unicodedata

import pytest

from dezero.programs.identifiers import ascii_name
from dezero_cli.faults import ExpressionError
from dezero_cli.language.spelling import canonical
from dezero_cli.language.statements import given

NAMES = [
    "\u00e9",  # one letter, or e and an accent
    "x\u0302",  # x with a hat, for which there is no one letter
    "\u1e69_0",  # two marks
    "\u1100\u1161",  # Korean
    "\u212b",  # the sign for angstrom is the letter A with a ring
    "\u0928\u0940",  # a letter of Hindi with a vowel sign
]
FORMS = ["NFC", "NFD"]


def forms(name):
    return [unicodedata.normalize(form, name) for form in FORMS]


@pytest.fixture(params=[(n, w, g) for n in NAMES for w in (0, 1) for g in (0, 1)])
def spelt(request):
    """A name as it stands in the expression, and as it is given."""
    name, written, given = request.param
    return forms(name)[written], forms(name)[given]


def test_values_find_their_names(dezero, tmp_path, spelt):
    written, given = spelt
    canonical = forms(written)[0]
    file = tmp_path / "file.json"
    file.write_text(json.dumps({given: 3}))
    for words in ([f"{given}=3"], ["--vars", str(file)]):
        answer = dezero("eval", f"{written}**2", *words, "--wrt", given, "--json").json
        assert answer == {"expr": f"{written}**2", "value": 9.0, "grad": {canonical: 6.0}}
    assert dezero("check", f"{written}**2", f"{given}=3", "--wrt", given).status == 0
    assert dezero("eval", written, f"{given}=3", "--get", f"grad.{given}").out == "1.0\n"
    sigma = dezero("eval", f"2*{written}", f"{given}=3", "--sigma", f"{given}=0.5", "--json").json
    assert sigma["sigma"] == 1.0
    assert dezero("graph", written, f"{given}=3").status == 0
    assert dezero("plot", written, f"{given}=0:3", "-o", str(tmp_path / "a.svg")).status == 0


def test_lines_find_their_names(dezero, tmp_path, spelt):
    written, given = spelt
    file = tmp_path / "lines.txt"
    request = json.dumps({"expr": f"{written}*2", "vars": {given: 3}}, ensure_ascii=False)
    lines = [request, request.replace("3", "4"), f"{written}*2 ; y=1 {given}=3", f"{written}*2"]
    file.write_text("\n".join(lines), encoding="utf-8")
    for words in ([], [f"{given}=3"]):
        outcome = dezero("batch", str(file), *words)
        answers = list(map(json.loads, outcome.out.splitlines()))
        assert [each.get("value") for each in answers] == [6, 8, 6, 6 if words else None]
        assert list(answers[0]["grad"]) == [forms(written)[0]]
    record = json.dumps({given: 3, "y": 0}, ensure_ascii=False)
    file.write_text(f"{record}\n{record}\n{given}=3\n", encoding="utf-8")
    outcome = dezero("batch", "--expr", f"{written}*2", str(file), "--get", f"grad.{given}")
    assert outcome.out == "2.0\n" * 3


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_columns_are_found(dezero, tmp_path, spelt, form):
    written, given = spelt
    (tmp_path / "t.csv").write_text(f"{given},y\n3,0.5\n", encoding="utf-8")
    table = str(tmp_path / f"t.{form}")
    if form != "csv":
        assert dezero("map", "y", str(tmp_path / "t.csv"), "-o", table, "--prefix", "p").status == 0
    words = ["--wrt", given, "--sigma", f"{given}=0.5", "--to", "jsonl", "--only"]
    answer = dezero("map", f"{written}**2", table, *words).json
    assert answer == {"value": 9.0, f"d_{given}": 6.0, "sigma": 3.0}
    assert dezero("map", "y", table, "--sigma", f"y={written}", "--to", "jsonl", "--only").json == {
        "value": 0.5,
        "d_y": 1.0,
        "sigma": 3.0,
    }
    fault = dezero("map", written, table, f"{given}=3")
    assert fault.status == 2 and "is both a column of the table and a value" in fault.err


@pytest.mark.parametrize("name", ["\u00e9", "\u212b"])
def test_both_spellings_in_a_table_are_two_columns(dezero, tmp_path, name):
    composed, apart = forms(name)
    table = tmp_path / "t.csv"
    table.write_text(f"{apart},{composed}\n2,3\n", encoding="utf-8")
    for written, value in ((composed, 3.0), (apart, 2.0)):
        answer = dezero("map", f"{written}*1", str(table), "--to", "jsonl", "--only").json
        assert answer == {"value": value, f"d_{written}": 1.0}
    file = tmp_path / "records.jsonl"
    file.write_text(json.dumps({apart: 2, composed: 3}) + "\n")
    for written, value in ((composed, "3.0\n"), (apart, "2.0\n")):
        words = ["batch", "--expr", written, str(file), "--get", "value"]
        assert dezero(*words).out == value


def test_both_spellings_in_an_expression_are_one_name(dezero, tmp_path):
    composed, apart = forms("\u00e9")
    text = f"{composed}*{apart}"
    assert dezero("derive", text, "--json").json["grad"] == {composed: f"2*{composed}"}
    code = dezero("derive", text, "--to", "numpy").out
    names: dict = {}
    exec(code, names)
    assert names["f"](3.0) == (9.0, 6.0)
    assert f"{composed} is given twice" in dezero("eval", text, f"{composed}=1", f"{apart}=2").err
    line = json.dumps({"expr": text, "vars": {composed: 1, apart: 2}})
    assert json_fault(dezero, tmp_path, line) == f"{composed} is given twice"
    assert (
        json_fault(dezero, tmp_path, f"{text} ; {composed}=1 {apart}=2")
        == f"{composed} is given twice"
    )


def json_fault(dezero, tmp_path, line):
    """The message of the error record of a line."""
    file = tmp_path / "line.txt"
    file.write_text(line)
    return dezero("batch", str(file)).json["error"]["message"]


def test_a_result_is_not_added_beside_a_column_of_its_name(dezero, tmp_path):
    composed, apart = forms("\u00e9")
    table = tmp_path / "t.csv"
    table.write_text(f"{composed},d_{apart}\n2,3\n", encoding="utf-8")
    assert "the table already has a column" in dezero("map", composed, str(table)).err


def test_marks_alone_are_no_names(dezero):
    for word in ("\u0301=1", "x\u00a0y=1", "\u00b2=3", "x\u2013y=1"):
        assert dezero("eval", "x", "x=1", word).status == 2


def test_marks_beyond_thirty_keep_their_order_and_names_take_time_in_proportion():
    """Unicode's order of marks would be made by exchanges, whose number grows with the square."""
    few, many = "a" + "\u0300\u0316" * 15, "a" + "\u0300\u0316" * 16
    assert canonical(few) == unicodedata.normalize("NFC", few) != few
    assert canonical(many) == many
    long = "a" + "\u0300\u0316" * 400_000
    assert canonical(long) is long
    assert ascii_name(long) == "a"
    assert canonical("e\u0301" * 1000) == "\u00e9" * 1000


def test_a_circle_of_many_definitions_is_told_in_a_few_names():
    words = [f"r{i}=r{(i + 1) % 3000}" for i in range(3000)]
    with pytest.raises(ExpressionError) as fault:
        given(words).linked("r0")
    told = "r0 needs r1, which needs r2, which needs r3, which needs r4, which needs r5"
    assert str(fault.value) == f"{told}, which needs ..., which needs r0"

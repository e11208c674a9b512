"""JSON as input: what the language reads otherwise than the JSON parser."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dezero_cli.language import json_input

NUMBERS = st.one_of(
    st.floats(allow_nan=False).filter(math.isfinite).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["-0", "0", "-0.0", "-0e5", "1e400", "-1e400", "1" + "0" * 310, "1e-400"]),
)
TEXTS = st.text(st.sampled_from('-0:,"\\{}[] e1x\u00e9'), max_size=6).map(json.dumps)
DOCUMENTS = st.recursive(
    NUMBERS | TEXTS | st.sampled_from(["true", "null", '"inf"']),
    lambda part: (
        st.lists(part, max_size=4).map(lambda items: "[" + " , ".join(items) + "]")
        | st.lists(st.tuples(TEXTS, st.sampled_from(["", " "]), part), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{k}{blank}:{v}" for k, blank, v in pairs) + "}"
        )
    ),
    max_leaves=12,
)


def exactly(data):
    """The data with numbers as the text of the float64, infinite ones as the words for them."""
    if isinstance(data, dict):
        return {key: exactly(item) for key, item in data.items()}
    if isinstance(data, list):
        return list(map(exactly, data))
    if isinstance(data, bool) or not isinstance(data, int | float):
        return data
    return str(float(data)) if math.isinf(data) else float(data).hex()


@given(DOCUMENTS)
def test_the_data_is_that_of_pythons_own_parser(text):
    """Python's parser reads 1e400 as inf, and -0 as a float if told to."""
    expected = json.loads(text, parse_int=float)
    assert exactly(json_input.loads(text)) == exactly(expected)
    assert exactly(json_input.loads(text.encode())) == exactly(expected)


@given(DOCUMENTS, st.data())
def test_what_is_ill_formed_is_refused_as_ever(text, data):
    place = data.draw(st.integers(0, len(text)))
    broken = text[:place] + data.draw(st.sampled_from(["", "}", '"', "1e400,", "-0 1"]))
    try:
        json.loads(broken, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(orjson.JSONDecodeError):
            json_input.loads(broken)
    else:
        json_input.loads(broken)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "1e400x", "[1e400,]", '["\ud800",1e400]'])
def test_what_is_not_json_is_not_accepted_for_its_numbers(text):
    with pytest.raises(orjson.JSONDecodeError):
        json_input.loads(text)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["", " ", "\t "]), DOCUMENTS), max_size=5))
def test_a_key_that_stands_twice_is_found(pairs):
    text = "{" + ",".join(f"{key}{blank}:{item}" for key, blank, item in pairs) + "}"
    keys = [json.loads(key) for key, _, _ in pairs]
    twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
    data = json.loads(text)
    assert json_input.first_repeated(text.encode()) == twice
    if twice is not None:
        assert json_input.repeated(text.encode(), len(data))
        assert json_input.first_repeated(text.encode(), names=(twice,)) == twice


def test_strings_that_never_end_take_no_time():
    """A search at each quote of such a text would take minutes."""
    for text in ('[1e400,"' + '\\"' * 300_000, "[-0," * 100_000 + '"' + '\\"' * 100_000):
        with pytest.raises(orjson.JSONDecodeError):
            json_input.loads(text)


# ------------------------------------------------------------------------------- on all the ways in
@pytest.mark.parametrize("zero", ["-0", "-0.0", "[-0]", "[[-0, -0.0]]"])
def test_a_zero_keeps_its_sign(dezero, tmp_path, zero):
    expected = dezero("eval", "1/x", f"x={zero.replace('-0,', '-0.0,')}", "--json").json
    assert "inf" not in str(expected["nonfinite"]).replace("-inf", "")
    file = tmp_path / "x.json"
    file.write_text(zero)
    assert dezero("eval", "1/x", f"x=@{file}", "--json").json == expected
    file.write_text(f'{{"x": {zero}}}')
    assert dezero("eval", "1/x", "--vars", str(file), "--json").json == expected
    for line in (f'{{"expr":"1/x","vars":{{"x":{zero}}}}}', f"1/x ; x={zero}"):
        file.write_text(f"{line}\n" * 3)
        for got in map(json.loads, dezero("batch", str(file)).out.splitlines()):
            assert {key: got[key] for key in expected} == expected
    file.write_text(f'{{"x":{zero}}}\nx={zero}\n' * 2)
    for got in map(json.loads, dezero("batch", "--expr", "1/x", str(file)).out.splitlines()):
        assert {key: got[key] for key in expected} == expected


def test_a_number_beyond_float64_is_infinite(dezero, tmp_path):
    file = tmp_path / "x.json"
    file.write_text('{"x": 1e400, "y": [-1e400, 2], "z": -1' + "0" * 400 + "}")
    outcome = dezero("eval", "x + sum(y) + z", "--vars", str(file), "--no-grad", "--json")
    assert outcome.json["nonfinite"] == {"value": "nan"} and "note: x is inf" in outcome.err
    file.write_text('{"expr":"atan(x)","vars":{"x":1e400}}\n{"expr":"x","vars":{"x":1e400}\n')
    first, second = map(json.loads, dezero("batch", str(file)).out.splitlines())
    assert first["value"] == math.pi / 2 and second["error"]["type"] == "json"
    assert dezero("eval", "atan(x)", "x=1e400", "--get", "value").out == f"{math.pi / 2}\n"
    assert dezero("eval", "atan(1e400)", "--get", "value").out == f"{math.pi / 2}\n"


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_numbers_of_json_lines_tables(dezero, tmp_path, form):
    file = tmp_path / "t.jsonl"
    file.write_text('{"x":-0}\n{"x":1e400}\n{"x":-1e400}\n{"x":-0.0}\n{"x":0}\n')
    out = tmp_path / f"out.{form}"
    words = ["map", "atan(1/x)", str(file), "-o", str(out), "--only", "--no-grad"]
    assert dezero(*words).status == 0
    lines = [line for line in out.read_text().splitlines() if line != "value"]
    got = [json.loads(line)["value"] if form == "jsonl" else float(line) for line in lines]
    expected = [-math.pi / 2, 0.0, -0.0, -math.pi / 2, math.pi / 2]
    assert list(map(str, got)) == list(map(str, expected))


def test_a_name_that_is_given_twice_is_a_fault(dezero, tmp_path):
    file = tmp_path / "x.json"
    file.write_text('{"x": 1, "y": 2, "x" : 3}')
    assert "x is given twice" in dezero("eval", "x", "--vars", str(file)).err
    lines = [
        '{"expr":"x","vars":{"x":1,"x":2}}',
        '{"expr":"x","vars" :{"x":1, "x" :2}}',
        r'{"expr":"x","vars":{"x":1,"\u0078":2}}',
        '{"expr":"x","vars":{"y":1,"y":2,"x":1}}',
        "x ; x=1 x=2",
        '{"id":"a:b","expr":"x","vars":{"x":1,"x":2}}',
        '{"id":{"x":1,"x":2},"expr":"x","vars":{"x":1}}',
        '{"id":"x\\":","expr":"x","vars":{"x":1}}',
    ]
    file.write_text("\n".join(lines) + "\n")
    outcome = dezero("batch", str(file))
    messages = [
        json.loads(line).get("error", {}).get("message") for line in outcome.out.split("\n")[:-1]
    ]
    assert messages == [f"{name} is given twice" for name in "xxxyxx"] + [None, None]
    records = '{"x":1,"a":1,"a":2}\n{"x":1,"x":2}\n{"x":1,"a":{"x":1}}\n{"x":1,"a":"x"}\n'
    file.write_text(records)
    outcome = dezero("batch", "--expr", "x", str(file))
    assert ["error" in line for line in outcome.out.splitlines()] == [False, True, False, False]
    table = tmp_path / "t.jsonl"
    table.write_text(records)
    fault = dezero("map", "x", str(table), "--to", "jsonl")
    assert fault.status == 1 and "row 2, column x: this key is given twice" in fault.err
    table.write_text('{"x":1,"a":1,"a":2}\n{"x":1,"a":{"x":1}}\n{"x":1,"a":"x"}\n')
    assert dezero("map", "x", str(table), "--to", "jsonl").status == 0

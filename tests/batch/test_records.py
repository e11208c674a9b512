"""`dezero batch --expr`: one formula over records; ``--get`` as columns; whose gradient."""

import json
import math
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dezero_cli import main
from dezero_cli.batch.alike import alike
from dezero_cli.batch.answers import Settings, answer
from dezero_cli.batch.lines import LineBlock, RecordFormula
from dezero_cli.language.parser import parse
from tests.language.strategies import EXPRESSIONS, POINTS

EXPR = "a*b + sin(c)/a"
FORMULA = RecordFormula(EXPR, {name: name for name in "abc"}, frozenset("abc"))


def block(lines):
    data = b"\n".join(lines)
    return LineBlock("-", 1, data, len(lines), len(data))


def one_by_one(lines, settings_):
    """The answers to lines that arrive one at a time."""
    blocks = [LineBlock("-", n, line, 1, len(line)) for n, line in enumerate(lines, 1)]
    alone = [answer(each, settings_) for each in blocks]
    return b"".join(each.out for each in alone), [f for each in alone for f in each.faults]


def objects(outcome):
    return [json.loads(line) for line in outcome.out.splitlines()]


@pytest.fixture
def batch(dezero, tmp_path):
    """Run `dezero batch` on a file of these lines."""

    def call(lines, *args):
        path = tmp_path / "lines.txt"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return dezero("batch", str(path), *args)

    return call


# ------------------------------------------------------- the same as {"expr": ..., "vars": ...}
def random_records(count, seed):
    generator = random.Random(seed)
    for i in range(count):
        yield {"a": generator.gauss(0, 9), "b": generator.randrange(-9, 9), "c": i, "id": f"r{i}"}


def asked(record, names="abc"):
    """The line that says the formula with the values of a record."""
    given = {name: value for name, value in record.items() if name in names}
    whole = {"expr": EXPR, "vars": given}
    if "id" in record:
        whole["id"] = record["id"]
    return json.dumps(whole)


OPTIONS = ["", "--hessian", "--no-grad", "--wrt b", "--sigma a=0.1", "--get value --get grad.c"]


@pytest.mark.parametrize("options", [o.split() for o in OPTIONS], ids=OPTIONS)
def test_records_give_the_bytes_that_the_formula_with_their_values_gives(batch, options):
    alike_records = list(random_records(300, 1))
    unlike = [dict(r) for r in random_records(60, 2)]
    generator = random.Random(3)
    for record in unlike:
        if generator.random() < 0.3:
            record.pop("id")
        if generator.random() < 0.2:
            record["b"] = generator.choice([[1, 2.5], "inf", None, "text", {"x": 1}, True])
    for records in (alike_records, unlike, alike_records[:1]):
        of_records = batch(map(json.dumps, records), "--expr", EXPR, *options)
        of_formulas = batch(map(asked, records), *options)
        assert of_records == of_formulas
    assert of_records.status == 0


def test_alike_records_equal_the_same_records_one_by_one():
    lines = [
        b'{"id":%d,"when":"2024-01-01T00:%02d","a":%d,"tags":%d,"b":%.3f,"c":-1e%d}'
        % (i, i % 60, i + 1, i * i, i / 7, i % 5)
        for i in range(200)
    ]
    for settings_ in (Settings(formula=FORMULA), Settings(formula=FORMULA, get=("id", "grad.b"))):
        assert alike(block(lines), 1 << 20, FORMULA) is not None
        together = answer(block(lines), settings_)
        assert (together.out, together.faults) == one_by_one(lines, settings_)


SCALARS = st.one_of(
    st.integers(-5, 5), st.floats(-9, 9), st.sampled_from([None, True, "nan", "x", "a\tb", 10**25])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner)
)
RECORDS = st.lists(
    st.tuples(
        st.fixed_dictionaries({"a": st.integers(1, 4)}, optional={"b": SCALARS, "c": SCALARS}),
        st.dictionaries(st.sampled_from(["d", "expr", "vars", "id", "x y"]), ANYTHING, max_size=2),
    ).map(lambda parts: parts[0] | parts[1]),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(RECORDS, st.booleans())
def test_no_record_borrows_from_another(records, doubled):
    lines = [json.dumps(record).encode() for record in records * (1 + doubled)]
    for settings_ in (
        Settings(formula=FORMULA),
        Settings(formula=FORMULA, get=("id", "line", "value", "value[1]", "grad.b", "grad")),
    ):
        together = answer(block(lines), settings_)
        assert (together.out, together.faults) == one_by_one(lines, settings_)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(expr=EXPRESSIONS, points=st.lists(POINTS, min_size=1, max_size=3))
def test_a_record_equals_eval_of_the_same(tmp_path_factory, capfdbinary, expr, points):
    path = tmp_path_factory.getbasetemp() / "points.jsonl"
    path.write_text("".join(json.dumps(point) + "\n" for point in points))
    capfdbinary.readouterr()
    assert main.run(["batch", "--expr", expr, str(path)]) == 0
    of_records = capfdbinary.readouterr().out.decode().splitlines()
    names = parse(expr).names
    for point in points:
        used = {name: value for name, value in point.items() if name in names}
        assert main.run(["eval", expr, *(f"{k}={v!r}" for k, v in used.items()), "--json"]) == 0
    of_eval = capfdbinary.readouterr().out.decode().splitlines()
    assert [line[line.index('"expr":') :] for line in of_records] == [line[1:] for line in of_eval]


# ------------------------------------------------------------------------------- what a record is
def test_other_fields_may_be_anything(batch):
    others = ["null", '"text"', "true", "[]", '[1,"a",null]', '{"x":{"y":[]}}', "1e300", '"@file"']
    lines = [f'{{"p":{i},"other":{other},"q":2}}' for i, other in enumerate(others)]
    for some in (lines, lines[:1], lines[::-1] + lines):
        outcome = batch(some, "--expr", "p*q")
        assert (outcome.status, outcome.err) == (0, "")
        assert all(list(r["grad"]) == ["p", "q"] for r in objects(outcome))
    names = '{"a b":1,"":2,"x.y":3,"expr":4,"vars":5,"wrt":6,"lambda":7,"p":8,"q":9,"hesian":1}'
    assert [r["value"] for r in objects(batch([names] * 2, "--expr", "p*q"))] == [72.0, 72.0]


@pytest.mark.parametrize(
    "identity",
    ["null", "true", "3", "-0.5", '"a"', '""', '"a\\tb"', '"\\u00e9"', "[1,2]", '{"k":[null]}',
     "12345678901234567890", "123456789012345678901234567890", "1e3"],
)  # fmt: skip
def test_an_id_comes_back(batch, identity):
    record = f'{{"id":{identity},"x":2}}'
    for lines in ([record], [record, record]):
        for found in objects(batch(lines, "--expr", "x**2")):
            assert list(found) == ["line", "id", "expr", "value", "grad"]
            assert found["id"] == json.loads(identity)
            assert type(found["id"]) is type(json.loads(identity))
        columns = batch(lines, "--expr", "x**2", "--get", "id", "--get", "value").out
        for line in columns.splitlines():
            shown, value = line.split("\t")  # a tab in a text would be one more cell
            assert value == "4.0"
            text = json.loads(identity)
            if isinstance(text, str) and text.isprintable():
                assert shown == text
            else:
                assert json.loads(shown) == text


def test_an_id_may_be_used_by_the_formula(batch):
    outcome = batch(['{"id":3}', '{"id":4}'], "--expr", "id*2")
    assert [(r["id"], r["value"], r["grad"]) for r in objects(outcome)] == [
        (3, 6.0, {"id": 2.0}),
        (4, 8.0, {"id": 2.0}),
    ]


def test_plain_lines_are_records(batch):
    lines = ["a=1 b=2", "", "# a comment", "  a = 3   b = [2, 3] ", "; a=pi/2 b=2", "b=1 a=2 z=9"]
    outcome = batch([*lines, '{"a":5,"b":6}'], "--expr", "a*b")
    assert (outcome.status, outcome.err) == (0, "")
    assert [(r["line"], r["value"]) for r in objects(outcome)] == [
        (1, 2.0),
        (4, [6.0, 9.0]),
        (5, 3.141592653589793),
        (6, 2.0),
        (7, 30.0),
    ]
    assert all(list(r["grad"]) == ["a", "b"] for r in objects(outcome))  # as the formula has them


BAD = [
    ("{}", "values", "no field a: the record has nothing"),
    ('{"a":1}', "values", "no field b: the record has a"),
    ('{"A":1,"b":2,"id":3}', "values", "no field a: the record has A, b, id"),
    ('{"a":1,"b":null}', "values", "b must be a number or a list of numbers, not null"),
    ('{"a":1,"b":true}', "values", "b must be a number or a list of numbers, not true or false"),
    ('{"a":1,"b":"2"}', "values", "b must be a number or a list of numbers, not the string '2'"),
    ('{"a":1,"b":{"x":1}}', "values", "b must be a number or a list of numbers, not an object"),
    ('{"a":1,"b":"@/etc/passwd"}', "values", "cannot name a file"),
    ('{"a":1,"b":', "json", "not JSON"),
    ('{"a":1,"b":2} {', "json", "not JSON"),
    ('{"a":1,"b":NaN}', "json", "not JSON"),
    ('[{"a":1,"b":2}]', "json", "a record is an object, not a list: jq -c '.[]' makes"),
    ("7", "values", "expected NAME=VALUE, got '7'"),
    ("a=1", "values", "no field b: the record has a"),
    ("a=1 b=", "values", "b= has no value"),
    ("a=1 b=c", "expression", "no value for c"),
    ("a=1 b=2 a=1", "values", "a is given twice"),
    ("a=1 b=@/etc/passwd", "values", "cannot name a file"),
]  # fmt: skip


def test_a_bad_record_does_not_stop_the_others(batch):
    lines = [line for bad, _, _ in BAD for line in ('{"a":2,"b":3}', bad)]
    outcome = batch(lines, "--expr", "a*b")
    found = objects(outcome)
    assert outcome.status == 1 and [r["line"] for r in found] == list(range(1, len(lines) + 1))
    assert [r["value"] for r in found[::2]] == [6.0] * len(BAD)
    for (_, kind, message), record in zip(BAD, found[1::2], strict=True):
        assert record["expr"] == "a*b"
        assert record["error"]["type"] == kind and message in record["error"]["message"]
    assert len(outcome.err.splitlines()) == len(BAD)
    columns = batch(lines, "--expr", "a*b", "--get", "line", "--get", "value")
    assert columns.status == 1 and columns.err == outcome.err
    rows = [line.split("\t") for line in columns.out.splitlines()]
    assert [row[1] for row in rows] == ["6.0", "nan"] * len(BAD)
    stopped = batch(lines, "--expr", "a*b", "--fail-fast", "--get", "value")
    assert (stopped.status, stopped.out) == (1, "6.0\nnan\n") and stopped.err.count("\n") == 1


def test_lines_that_cannot_be_read(dezero, tmp_path):
    path = tmp_path / "records.txt"
    path.write_bytes(b'{"x":1}\n{"x":2,"note":"%b"}\nx=\xff\n{"x":3}\n' % (b"a" * 99))
    outcome = dezero("batch", "--expr", "2*x", "--max-line", "60", str(path))
    found = objects(outcome)
    assert [r["expr"] for r in found] == ["2*x"] * 4
    assert [r.get("value") for r in found] == [2.0, None, None, 6.0]
    assert [r["error"]["type"] for r in found[1:3]] == ["line", "encoding"]
    assert outcome.status == 1 and outcome.err.count("\n") == 2


def test_windows_lines_and_a_bom(dezero, tmp_path):
    path = tmp_path / "records.txt"
    path.write_bytes(b'\xef\xbb\xbf{"x":1}\r\n\r\nx=2\r\n{"x":3}')
    outcome = dezero("batch", "--expr", "2*x", str(path), "--get", "line", "--get", "value")
    assert outcome == (0, "1\t2.0\n3\t4.0\n4\t6.0\n", "")


def test_a_long_record_is_not_listed_whole(batch):
    wide = json.dumps({f"column{i}": i for i in range(100)})
    message = objects(batch([wide], "--expr", "x"))[0]["error"]["message"]
    assert message.endswith("column7, ...")


def test_a_formula_with_a_fault_stops_before_anything_is_read(dezero):
    for expr, message in [("2x", "write 2*x"), ("", "empty"), ("nope(x)", "nope")]:
        outcome = dezero("batch", "--expr", expr, "no-such-file")
        assert (outcome.status, outcome.out) == (2, "") and message in outcome.err


# ------------------------------------------------------------------------- constants, and defaults
@pytest.mark.parametrize("constant", ["e", "pi"])
def test_a_field_called_as_a_constant_wins(batch, constant):
    alike_lines = [f'{{"{constant}":{i}}}' for i in range(1, 4)]
    mixed = [*alike_lines, '{"z":1}', f"{constant}=5", "z=1"]
    for lines in (alike_lines, mixed, mixed[::-1]):
        found = {r["line"]: r for r in objects(batch(lines, "--expr", f"{constant}*2"))}
        for number, line in enumerate(lines, 1):
            if constant in line:
                assert found[number]["grad"] == {constant: 2.0}
                assert found[number]["value"] in {2.0, 4.0, 6.0, 10.0}
            else:
                assert found[number]["grad"] == {}
                assert found[number]["value"] == 2 * getattr(math, constant)


def test_values_of_the_command_line_are_for_records_that_lack_them(batch):
    lines = ['{"x":3}', '{"x":4,"k":10}', "x=5"]
    outcome = batch(lines, "--expr", "x*k", "k=2", "unused=7")
    assert (outcome.status, outcome.err) == (0, "")
    assert [(r["value"], r["grad"]) for r in objects(outcome)] == [
        (6.0, {"x": 2.0, "k": 3.0}),
        (40.0, {"x": 10.0, "k": 4.0}),
        (10.0, {"x": 2.0, "k": 5.0}),
    ]


# -------------------------------------------------------------------------------- --get, --jobs
def test_get_prints_columns(batch):
    lines = ['{"id":"a","x":2}', '{"x":[1,2],"id":7}', '{"x":-1}', '{"id":"b"}']
    wanted = ["id", "line", "value", "grad.x", "value[1]", "hessian.x.x", "expr"]
    outcome = batch(lines, "--expr", "x**3", *(word for w in wanted for word in ("--get", w)))
    assert outcome.out.splitlines() == [
        "a\t1\t8.0\t12.0\tnan\t12.0\tx**3",
        "7\t2\t[1.0,8.0]\t[3.0,12.0]\t8.0\t[[6.0,0.0],[0.0,12.0]]\tx**3",
        "nan\t3\t-1.0\t3.0\tnan\t-6.0\tx**3",
        "b\t4\tnan\tnan\tnan\tnan\tx**3",
    ]
    assert outcome.status == 1 and "no field x" in outcome.err
    assert batch(lines[:1] * 3, "--expr", "1/x", "--get", "value", "--format", "eng").out == (
        "500e-03\n" * 3
    )
    assert batch(["x=3", "x=7"], "--expr", "1/x", "--get", "value", "--precision", "2").out == (
        "0.33\n0.14\n"
    )


def test_an_index_never_counts_the_lines(batch):
    lines = ['{"x":1}', '{"x":2}', '{"x":5}']
    for places in ("value[1]", "grad.x[0]", "line[1]", "expr[0]", "value[0][0]"):
        assert batch(lines, "--expr", "2*x", "--get", places).out == "nan\n" * 3
    assert batch(lines, "--expr", "2*x", "--get", "grad").out == '{"x":2.0}\n' * 3
    assert batch(lines, "--expr", "2*x", "--get", "hessian").out == '{"x":{"x":0.0}}\n' * 3


def test_get_of_what_no_record_has(dezero, batch):
    outcome = dezero("batch", "--get", "valu", "no-such-file")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: --get valu: a record has value, grad.NAME, ")
    for place in ("value.x", "grad.x.y", "grad.z", "hessian.x.z", "id.a"):
        outcome = dezero("batch", "--expr", "x*y", "--get", place, "no-such-file")
        assert (outcome.status, outcome.out) == (2, "") and f"--get {place}: " in outcome.err
    lines = ["x**2 ; x=3", "x*y ; x=1 y=2", "2x"]
    outcome = batch(lines, "--get", "value", "--get", "grad.y")
    assert outcome.out == "9.0\tnan\n2.0\t1.0\nnan\tnan\n"


@pytest.mark.parametrize("options", [[], ["--get", "id", "--get", "value", "--get", "grad.b"]])
def test_processes_give_the_same_bytes(batch, options):
    records = [json.dumps(record) for record in random_records(4000, 4)]
    for i in range(0, 4000, 97):
        records[i] = BAD[i % len(BAD)][0]
    alone = batch(records, "--expr", EXPR, *options)
    spread = batch(records, "--expr", EXPR, *options, "--jobs", "2")
    assert sum(map(len, records)) > 4 * 32 * 1024
    assert spread == alone and alone.status == 1


# ------------------------------------------------------------------------- whose gradient is whose
def gradients(outcome):
    assert outcome.status == 0
    return [list(r["grad"].items()) for r in objects(outcome)]


@pytest.mark.parametrize("count", [1, 3])
def test_a_value_of_the_command_line_is_in_the_gradient_of_the_lines_that_use_it(batch, count):
    lines = ["x*k ; x=2", "x**2 ; x=3", '{"expr":"k","vars":{"k":5}}'] * count
    assert (
        gradients(batch(lines, "k=10", "unused=[1,2]"))
        == [
            [("x", 10.0), ("k", 2.0)],
            [("x", 6.0)],
            [("k", 1.0)],
        ]
        * count
    )
    assert (
        gradients(batch(lines, "k=10", "x=1", "--wrt", "k"))
        == [
            [("k", 2.0)],
            [("k", 0.0)],
            [("k", 1.0)],
        ]
        * count
    )
    used = gradients(batch(["x*2 ; x=1"] * count, "k=1", "--wrt", "k", "--wrt", "x"))
    assert used == [[("k", 0.0), ("x", 2.0)]] * count


@pytest.mark.parametrize("count", [1, 3])
def test_an_unused_value_of_a_line_itself_has_gradient_0(batch, count):
    lines = [
        "b*a ; z=1 a=2 y=3 b=4",
        '{"expr":"b*a","vars":{"z":1,"a":2,"y":[3,4],"b":4}}',
    ] * count
    first, second = (gradients(batch(lines, "k=1", "y=9"))[i] for i in (0, 1))
    assert first == [("b", 2.0), ("a", 4.0), ("z", 0.0), ("y", 0.0)]  # used ones as they appear
    assert second == [("b", 2.0), ("a", 4.0), ("z", 0.0), ("y", [0.0, 0.0])]


def test_the_gradient_has_the_order_of_the_expression(dezero, batch):
    names = list("cabd")
    values = [f"{name}=1" for name in sorted(names)]
    for some in (values, values[::-1]):
        assert list(dezero("eval", "c+a*b-d", *some, "--json").json["grad"]) == names
        for count in (1, 3):
            lines = ["c+a*b-d ; " + " ".join(some)] * count
            assert all(list(dict(g)) == names for g in gradients(batch(lines)))
            assert all(list(dict(g)) == names for g in gradients(batch(["c+a*b-d"], *some)))
            plain = [" ".join(some)] * count
            assert all(list(dict(g)) == names for g in gradients(batch(plain, "--expr", "c+a*b-d")))

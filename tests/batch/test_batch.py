"""`dezero batch`: what it reads, what it answers, and that grouping changes no bit."""

import json
import os
import random
import sys
from subprocess import PIPE, Popen, run

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dezero_cli import main
from dezero_cli.batch.alike import alike
from dezero_cli.batch.answers import Settings, answer
from dezero_cli.batch.lines import LineBlock, LineReader
from dezero_cli.language.results import Wanted
from tests.conftest import cases

BATCH = [sys.executable, "-m", "dezero_cli", "batch"]


def block(lines, first=1):
    data = b"\n".join(lines)
    return LineBlock("-", first, data, len(lines), len(data))


def one_by_one(lines, settings=None):
    """The answers to lines that arrive one at a time."""
    alone = [answer(block([line], n), settings or Settings()) for n, line in enumerate(lines, 1)]
    return b"".join(each.out for each in alone), [f for each in alone for f in each.faults]


def records(outcome):
    return [json.loads(line) for line in outcome.out.splitlines()]


@pytest.fixture
def batch(dezero, tmp_path):
    """Run `dezero batch` on a file of these bytes."""

    def call(content, *args):
        path = tmp_path / "lines.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return dezero("batch", str(path), *args)

    return call


# ---------------------------------------------------------------------------------- what is read
def test_plain_lines_and_objects(batch):
    outcome = batch(
        'x**3/2 - y ; x=2 y=1\n{"expr":"a*b","vars":{"a":3,"b":2},"id":7}\nsin(t) ; t = pi/6\n'
    )
    assert outcome.out == (
        '{"line":1,"expr":"x**3/2 - y","value":3.0,"grad":{"x":6.0,"y":-1.0}}\n'
        '{"line":2,"id":7,"expr":"a*b","value":6.0,"grad":{"a":2.0,"b":3.0}}\n'
        '{"line":3,"expr":"sin(t)","value":0.49999999999999994,"grad":{"t":0.8660254037844387}}\n'
    )
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfx*2 ; x=1\r\n\r\n  # a comment\r\n\t\r\n x*3 ; x=1",
        b"x*2 ; x=1\n\n#\n#x ; x=\n x*3 ; x=1\n",
        b'\xef\xbb\xbf{"expr":"x*2","vars":{"x":1}}\r\n\n \n\n{"expr":"x*3","vars":{"x":1}}\r\n',
    ],
)
def test_blank_lines_comments_line_ends_and_bom(batch, content):
    outcome = batch(content)
    assert [(r["line"], r["expr"], r["value"]) for r in records(outcome)] == [
        (1, "x*2", 2.0),
        (5, "x*3", 3.0),
    ]
    assert outcome.status == 0


def test_a_lone_carriage_return_ends_no_line(batch):
    outcome = batch(b"1+1\r2+2\n")
    assert len(records(outcome)) == 1
    assert records(outcome)[0]["error"]["column"] == 4


def test_nothing_gives_nothing(batch, dezero):
    assert batch(b"") == (0, "", "")
    assert batch(b"\n# nothing\n") == (0, "", "")
    assert dezero("batch", os.devnull) == (0, "", "")


def test_several_files_and_values_for_all_lines(dezero, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("k*x ; x=1\nk*x ; x=2 k=5")
    second.write_text('{"expr":"k*x","vars":{"x":3}}\n')
    outcome = dezero("batch", str(first), "k=10", str(second))
    assert [(r["line"], r["value"], r["grad"]) for r in records(outcome)] == [
        (1, 10.0, {"k": 1.0, "x": 10.0}),
        (2, 10.0, {"k": 2.0, "x": 5.0}),
        (1, 30.0, {"k": 3.0, "x": 10.0}),
    ]


def test_standard_input_between_files(tmp_path):
    (tmp_path / "a").write_text("1\n")
    done = run([*BATCH, "a", "-", "a"], input=b"2", stdout=PIPE, cwd=tmp_path)
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == [1.0, 2.0, 1.0]


def test_only_the_command_line_names_files(batch, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("42\n")
    outcome = batch(
        f'x ; x=@{secret}\n{{"expr":"x","vars":{{"x":"@{secret}"}}}}\ny\n', f"y=@{secret}"
    )
    refused = "a line of a batch cannot name a file: give x=@FILE on the command line"
    assert [r["error"]["message"] for r in records(outcome)[:2]] == [refused, refused]
    assert records(outcome)[2]["value"] == [42.0]
    assert outcome.status == 1


def test_no_grad_and_wrt(batch):
    lines = "x*y ; x=2 y=3\nx*y ; x=4 y=5\nx ; x=1\n"
    assert [set(r) for r in records(batch(lines, "--no-grad"))] == [{"line", "expr", "value"}] * 3
    limited = records(batch(lines, "--wrt", "y"))
    assert [r.get("grad") for r in limited] == [{"y": 2.0}, {"y": 4.0}, None]
    assert "no value for y" in limited[2]["error"]["message"]
    assert batch(lines, "--no-grad", "--wrt", "x").status == 2


IDENTITIES = [
    *("null", "true", "0", "-7", "1.5", '"a"', '"\\u00e9\\n\\""', '"%d%s{}"', "[]", "{}"),
    *('{"a":[1,{"b":null}],"line":2}', "18446744073709551615", "12345678901234567890123456789"),
    *("[1,[123456789012345678901234567890]]", "9007199254740993", "-98765432109876543210"),
]


def test_any_id_is_passed_through(batch):
    lines = [f'{{"id":{i},"expr":"x","vars":{{"x":1}}}}' for i in IDENTITIES]
    bad = [f'{{"expr":"x+","id":{i}}}' for i in IDENTITIES]
    outcome = batch("\n".join(lines + bad))
    assert [r["id"] for r in records(outcome)] == [json.loads(i) for i in IDENTITIES] * 2
    every_one = "".join(batch(line).out for line in lines)
    assert [r["id"] for r in map(json.loads, every_one.splitlines())] == [
        json.loads(i) for i in IDENTITIES
    ]


def test_numbers_read_and_written_exactly(batch):
    numbers = ["9007199254740993", "18446744073709551616", "0.1", "1e22", "5e-324", "-0.0"]
    numbers += ["1.7976931348623157e308", "123456789012345678", "2.2250738585072011e-308"]
    lines = [f'{{"expr":"x","vars":{{"x":{number}}}}}' for number in numbers]
    plain = [f"x ; x={number}" for number in numbers]
    got = [r["value"] for r in records(batch("\n".join(lines + plain)))]
    assert [np.float64(x).tobytes() for x in got] == [np.float64(x).tobytes() for x in numbers] * 2


def test_numbers_that_are_not_finite(batch):
    outcome = batch(
        '{"expr":"x","vars":{"x":"nan"}}\n{"expr":"log(x)*y","vars":{"x":0,"y":1}}\n'
        '{"expr":"x-y","vars":{"x":"inf","y":"-inf"}}\n1/0\n'
    )
    assert [(r["value"], r["nonfinite"]) for r in records(outcome)] == [
        (None, {"value": "nan"}),
        (None, {"value": "-inf", "grad.x": "inf", "grad.y": "-inf"}),
        (None, {"value": "inf"}),
        (None, {"value": "inf"}),
    ]


# ------------------------------------------------------------------------------------- bad lines
BAD = [
    (b"x+ ; x=1", "expression", 3),
    (b"   x+ ; x=1", "expression", 6),
    (b"x+y ; x=1", "expression", 3),
    (b'{"expr":"x+y","vars":{"x":1}}', "expression", 3),
    (b"x ; x=", "values", 4),
    (b"x ; 5", "values", 4),
    (b"x ; x==5", "values", 4),
    (b"x ; x=1 x=2", "values", 4),
    (b"x ; x=y", "expression", 1),
    (b'{"expr":"x","vars":{"x":1},"hesian":true}', "json", 1),
    (b'{"expr":"x","vars":{"x":1},"hessian":1}', "json", 1),
    (b'{"expr":"x","vars":{"x":1},"defs":["r"]}', "json", 1),
    (b'{"expr":"x","vars":{"x":null}}', "values", 1),
    (b'{"expr":"x","vars":{"x":true}}', "values", 1),
    (b'{"expr":"x","vars":{"x":"1"}}', "values", 1),
    (b'{"expr":"x","vars":{"x":[1,[2]]}}', "values", 1),
    (b'{"expr":"x","vars":{"x":' + b"[" * 70 + b"1" + b"]" * 70 + b"}}", "values", 1),
    (b'{"expr":"x","vars":[1]}', "json", 1),
    (b'{"expr":"x","vars":0}', "json", 1),
    (b'{"expr":["x"]}', "json", 1),
    (b'{"vars":{"x":1}}', "json", 1),
    (b'{"vars":3}', "json", 1),
    (b'{"expr":3,"vars":[[1]]}', "json", 1),
    (b'{"expr":"x","vars":{"x":1e999}', "json", 31),
    (b'{"expr":"x","vars":{"x":1,"x":2}}', "values", 1),
    (b'{"expr":"x","vars":{"x":1},"vars":{"x":1}}', "json", 1),
    (b'{"expr":"x","vars":{"x":--5}}', "json", 26),
    (b'{"expr":"x","id":' + b"[" * 500 + b"]" * 500 + b"}", "json", 1),
    (b'{"expr":"x",}', "json", 12),
    (b'{"expr":"x"} {"expr":"x"}', "json", 14),
    (b'"x"', "expression", 1),
    (b"x*\xff ; x=1", "encoding", 3),
    ("θ*".encode() + b"\xff ; x=1", "encoding", 3),
    (b'{"expr":"\xed\xa0\x80"}', "encoding", 10),
    (b"x\x00", "expression", 2),
    (b"1" * 300, "line", 201),
]


def test_bad_lines_are_records_and_the_rest_goes_on(batch, tmp_path):
    lines = [line for bad, _, _ in BAD for line in (bad, b"2*3")]
    outcome = batch(b"\n".join(lines), "--max-line", "200")
    found = records(outcome)
    assert [r["line"] for r in found] == list(range(1, len(lines) + 1))
    assert [r["value"] for r in found[1::2]] == [6.0] * len(BAD)
    faults = [(r["error"]["type"], r["error"]["column"]) for r in found[::2]]
    expected = [("line", 201) if len(bad) > 200 else (kind, column) for bad, kind, column in BAD]
    assert faults == expected
    errors = outcome.err.splitlines()
    assert len(errors) == len(BAD)
    for record, error in zip(found[::2], errors, strict=True):
        fault = record["error"]
        place = f"{tmp_path}/lines.txt:{record['line']}:{fault['column']}: "
        assert error == place + " ".join(fault["message"].split())
    assert outcome.status == 1


def test_bad_lines_of_any_length(batch):
    outcome = batch(b"\n".join(bad for bad, _, _ in BAD))
    assert [r["error"]["type"] for r in records(outcome)[:-1]] == [kind for _, kind, _ in BAD[:-1]]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_fail_fast_stops_at_the_first(batch, jobs):
    lines = [f"x*{i} ; x=1" for i in range(9000)]
    lines[7000] = lines[8999] = "x* ; x=1"
    outcome = batch("\n".join(lines), "--fail-fast", "--jobs", jobs)
    assert [r["line"] for r in records(outcome)] == list(range(1, 7002))
    assert outcome.err.count("\n") == 1
    assert ":7001:3: expected a value after '*'" in outcome.err
    assert outcome.status == 1


def test_what_was_typed_wrong_has_status_2(dezero, tmp_path):
    for args, message in [
        ([str(tmp_path / "none")], "none: no such file"),
        ([os.devnull, str(tmp_path)], f"{tmp_path}: is a directory"),
        (["-", "x=@none.csv"], "none.csv: no such file or directory"),
        (["--jobs", "0"], "--jobs"),
        (["--max-line", "0"], "--max-line"),
        (["--fail-fats"], "--fail-fast"),
        (["x=1", "x=2", os.devnull], "x is given twice"),
    ]:
        outcome = dezero("batch", *args)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("error: ")
        assert message in outcome.err
        assert outcome.err.count("\n") == 1


# ------------------------------------------------------------------------------------- long lines
def peak_kib(args, blocks):
    """The peak memory of a process that is fed these blocks, and what it wrote."""
    with Popen([*BATCH, *args], stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        for block in blocks:
            process.stdin.write(block)
        process.stdin.close()
        out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss, out, err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_line_without_end_takes_no_memory(jobs):
    small, _, _ = peak_kib(["--jobs", jobs], [b"1\n2\n"])
    endless = [b"1\n", *[b"1" * (1 << 20)] * 200, b"\n2\n", b"3" * (1 << 20), b"3"]
    large, out, err = peak_kib(["--jobs", jobs], endless)
    found = [json.loads(line) for line in out.splitlines()]
    assert [r.get("value") for r in found] == [1.0, None, 2.0, None]
    assert [r["error"]["type"] for r in found[1::2]] == ["line", "line"]
    assert err.decode().splitlines() == [
        f"-:{n}:1048577: the line is longer than 1048576 bytes" for n in (2, 4)
    ]
    assert large - small < 16 * 1024  # KiB; the line has 200 MiB


def test_a_line_of_just_the_longest_length(batch):
    just, more = b"1+1+1" + b" " * 15, b"1+1+1" + b" " * 16
    for bom in (b"", b"\xef\xbb\xbf"):
        outcome = batch(bom + just + b"\n" + more, "--max-line=20")
        assert [r.get("value") for r in records(outcome)] == [3.0, None]
        assert [r.get("value") for r in records(batch(bom + just, "--max-line=20"))] == [3.0]
        assert [r.get("value") for r in records(batch(bom + more, "--max-line=20"))] == [None]


# ----------------------------------------------------------------------- the same as `dezero eval`
@pytest.mark.unmeasured
def test_every_case_equals_eval_to_the_byte(batch, capfdbinary):
    every = cases()
    lines = [json.dumps({"expr": c["expr"], "vars": c["vars"], "id": c["id"]}) for c in every]
    outcome = batch("\n".join(lines))
    assert outcome.status == 0
    got = [line[line.index('"expr":') :] for line in outcome.out.splitlines()]
    for case in every:
        values = [f"{name}={value!r}" for name, value in case["vars"].items()]
        assert main.run(["eval", case["expr"], *values, "--json"]) == 0
    expected = capfdbinary.readouterr().out.decode().splitlines()
    assert got == [line.removeprefix("{") for line in expected]
    assert [json.loads(line)["id"] for line in outcome.out.splitlines()] == [
        case["id"] for case in every
    ]


# --------------------------------------------------------------------------- grouping, bit for bit
NUMBERS = [
    *("0", "-0", "-0.0", "1", "-1", "2", "0.5", "3", "-3", "1.5", "1e300", "5e-324", "-2e-310")
]
NUMBERS += [*('"nan"', '"inf"', '"-inf"', "9007199254740993", "18446744073709551615")]
EXPRESSIONS = {
    "x**y": "xy",
    "x**(y-1) + 2**x - (-1)**y": "xy",
    "pow(x, y)*x**3 - x**0.5 + x**-2": "xy",
    "sin(x)*exp(y)/tanh(x*y) - arctan2(x, y)": "xy",
    "where(x > y, log(x), sqrt(y)*z) + minimum(x, z)/clip(y, x, z)": "xyz",
    "hypot(x, y) + cbrt(z) - log1p(x) + expm1(z)*arcsinh(y)": "xyz",
    "sigmoid(x) + softplus(y) - relu(z) + abs(x)*sign(y)*floor(z)": "xyz",
    "3": "x",
    "x": "xy",
    "x@y": "xy",
}


def number(generator):
    """A float64 of any size, an integer, or one of the awkward ones."""
    kind = generator.randrange(4)
    if kind == 0:
        return generator.choice(NUMBERS)
    if kind == 1:
        return str(generator.randrange(-5, 6))
    return repr(generator.gauss(0, 1) * 10.0 ** generator.choice([0, 0, 1, generator.gauss(0, 50)]))


def object_lines(generator, expr, names, count, with_id):
    for i in range(count):
        values = ",".join(f'"{name}":{number(generator)}' for name in names)
        identity = f'"id":{i},' if with_id else ""
        yield f'{{{identity}"expr":"{expr}","vars":{{{values}}}}}'.encode()


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_alike_lines_equal_the_same_lines_one_by_one(expr):
    generator = random.Random(expr)
    for with_id in (False, True):
        lines = list(object_lines(generator, expr, EXPRESSIONS[expr], 300, with_id))
        assert alike(block(lines), 1 << 20) is not None
        together = answer(block(lines), Settings())
        assert (together.out, together.faults) == one_by_one(lines)


def test_mixed_lines_equal_the_same_lines_one_by_one():
    generator = random.Random(1)
    lines = [b"# mixed", b"", b"x+", b'{"expr":"x","vars":{"x":[1,2]}}', b"x ; x=[1,2]"]
    for expr, names in EXPRESSIONS.items():
        lines += object_lines(generator, expr, names, 20, False)
        lines += object_lines(generator, expr, names[::-1], 20, True)
        for _ in range(20):
            values = " ".join(f"{name}={number(generator)}" for name in names)
            lines.append(f"{expr} ; {values}".encode())
    generator.shuffle(lines)
    for settings_ in (
        Settings(),
        Settings(wanted=Wanted(no_grad=True)),
        Settings(wanted=Wanted(wrt=("y",))),
        Settings(values={"k": np.array(2.0), "y": np.array(0.5)}),
        Settings(values={"k": np.array([2.0, 3.0])}),
    ):
        together = answer(block(lines), settings_)
        assert (together.out, together.faults) == one_by_one(lines, settings_)


TEMPLATES = [
    b'{"expr":"x**2/3-y","vars":{"x":%b,"y":%b}}',
    b'{"id":%b,"expr":"x","vars":{"x":%b}}',
    b'{"vars":{"expr":%b,"x":%b},"expr":"x*expr", "id":"a,1"}',
    b'{"expr":"x","vars":{"x":%b,"x":%b}}',
    b'{"expr":"x*k","n":[1,2],"vars":{"x":%b},"k":%b}',
    b"x**2/3-y ; x=%b y=%b",
    b"x ; x=%b  y = %b ",
    b'"id":%b ; x=%b',
]
SLOTS = [b"1", b"-2.5", b"-0", b"0.0", b'"nan"', b'"a"', b"null", b"[1]", b"nan", b"+1", b"1e5"]
SLOTS += [b'1,"y":2', b'"\\""', b"1_000", b"{}", b"true", b"--1", b".5", b"1" * 23]
EDITS = [
    b"",
    b",",
    b'"',
    b"}",
    b"{",
    b"\\",
    b" ",
    b"1",
    b"-",
    b":",
    b"=",
    b";",
    b"\r",
    b"\xff",
    b"x",
]


@st.composite
def nearly_alike(draw):
    """Lines of one shape, some with a character lost, put in, or changed."""
    template = draw(st.sampled_from(TEMPLATES))
    slot = st.one_of(st.sampled_from(SLOTS[:4]), st.sampled_from(SLOTS))
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        line = template % (draw(slot), draw(slot))
        if draw(st.integers(0, 3)) == 0:
            place = draw(st.integers(0, len(line)))
            width = draw(st.integers(0, 2))
            line = line[:place] + draw(st.sampled_from(EDITS)) + line[place + width :]
        lines.append(line)
    return lines


ONE = b'{"id":%b,"expr":"x","vars":{"x":%b}}'
IMPOSTORS = [  # lines that are almost an instance of the first one's shape, or tempt to think so
    [b'{"expr":"x","vars":{"x":1,"y":2}}', b'{"expr":"x","vars":{"x":1,9,2}}'],
    [b'{"expr":"x-z","vars":{"x":1,"y":2,"z":3}}', b'{"expr":"x-z","vars":{"x":1,"z":2,"y":3}}'],
    [b'{"expr":"x","vars":{"x":1}}', b'{"expr":"x","vars":{"x":2]]'],
    [b'{"expr":"x","vars":{"x":1}}', b'{"expr":"x","vars":{"x":2', b"}}"],
    [b'{"expr":"x","vars":{"x":1', b'}}{"expr":"x","vars":{"x":2}}'],
    [b'{"expr":"x","vars":{"x":--1}}', b'{"expr":"x","vars":{"x":--2}}'],
    [b'{"expr":"x","vars":{"x":1}}}', b'{"expr":"x","vars":{"x":2}}}'],
    [
        b'{"id":"a","n":[[1], [2]],"expr":"x","vars":{"x":1}}',
        b'{"id":"], [","n":[[1], [2]],"expr":"x","vars":{"x":1}}',
    ],
    [b'{"id":"a","expr":"x","vars":{"x":1}}', b'{"id":"a","expr":"y","vars":{"x":1}}'],
    [b'{"expr":"expr","vars":{"expr":"inf"}}', b'{"expr":"expr","vars":{"expr":1}}'],
    [b"x*y ; x=1 y=pi/2", b"x*y ; x=2 y=pi/2"],
    [b"x*y ; x=1 y=[1]", b"x*y ; x=2 y=[1]"],
    [b"1/x ; x=0", b"1/x ; x=-0", b"1/x ; x=-0.0"],
    [ONE % (b"0", b"1"), ONE % (b"-0", b"-0"), ONE % (b"3", b"-0.0"), ONE % (b"4", b"0")],
    [ONE % (b"0", b"1"), ONE % (b"-0", b"2")],
    [ONE % (b"1", b"1e400"), ONE % (b"2", b"-1e400"), ONE % (b"3", b'"-0"')],
    [b'{"expr":"x","vars":{"x":1}}', b'{"expr":"x","vars":{"x":1,"x":2}}'],
    [b'{"expr":"x","vars":{"x":1,"x":2}}', b'{"expr":"x","vars":{"x":3,"x":4}}'],
    *([ONE % (b"1", b"1"), ONE % (i.encode(), b"2"), ONE % (b"2", b"3")] for i in IDENTITIES),
]


@pytest.mark.parametrize("lines", IMPOSTORS)
def test_lines_that_only_seem_alike(lines):
    for some in (lines, lines[::-1], lines * 3):
        together = answer(block(some), Settings())
        assert (together.out, together.faults) == one_by_one(some)


def test_strings_that_never_end_take_no_time():
    """A search at each quote of such a line would take minutes."""
    line = b'{"expr":"' + b'\\"' * 300_000
    outcome = answer(block([line, line]), Settings())
    assert [message[:8] for _, _, message in outcome.faults] == ["not JSON"] * 2


@settings(max_examples=300, deadline=None)
@given(nearly_alike())
def test_no_line_borrows_from_another(lines):
    together = answer(block(lines), Settings())
    assert (together.out, together.faults) == one_by_one(lines)


# ---------------------------------------------------------------------------------- how it arrives
@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=8), st.integers(1, 9), *[st.booleans()] * 2)
def test_lines_arrive_whole_however_they_are_cut(blocks, size, newline, grown):
    content = b"\n".join(blocks) + b"\n" * newline
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    name = f"/dev/fd/{reading}"
    reader = LineReader([name], 1 << 20, size)
    reader.is_grown = grown
    found, numbers, total = [], [], 0
    while not reader.ended:
        each = reader.read()
        if each is not None:
            found += each.data.split(b"\n")
            numbers += range(each.first, each.first + each.count)
            total += each.size
    os.close(reading)
    expected = content.removeprefix(b"\xef\xbb\xbf")
    assert b"\n".join(found) == expected.removesuffix(b"\n")
    assert numbers == list(range(1, len(found) + 1))
    assert total <= len(content)


@pytest.mark.parametrize("jobs", ["2", "3"])
def test_processes_give_the_same_bytes(batch, jobs):
    generator = random.Random(2)
    lines = [json.dumps({"expr": c["expr"], "vars": c["vars"]}).encode() for c in cases()[::3]]
    lines += [bad for bad, _, _ in BAD] * 9
    generator.shuffle(lines)
    lines += object_lines(generator, "x**y", "xy", 3000, True)
    content = b"\n".join(lines)
    alone, spread = batch(content), batch(content, "--jobs", jobs)
    assert len(content) >= 9 * 32 * 1024
    assert spread.out == alone.out
    assert spread.err == alone.err
    assert spread.status == alone.status == 1

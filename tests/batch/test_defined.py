"""Definitions of the command line in `dezero batch`; ids, constants and odd letters of records."""

import json
import math
import random
import shlex

import pytest

from dezero_cli.batch.answers import Settings, answer
from dezero_cli.batch.lines import LineBlock

DEFS = ["r=hypot(x, y)", "g(t)=exp(-t)*k", "k=2*s", "unused=zz**2"]


@pytest.fixture
def batch(dezero, tmp_path):
    """Run `dezero batch` on a file of these lines."""

    def call(lines, *args):
        path = tmp_path / "lines.txt"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return dezero("batch", str(path), *args)

    return call


def objects(outcome):
    return [json.loads(line) for line in outcome.out.splitlines()]


def point(generator):
    return {name: generator.uniform(-2, 2) for name in "xys"}


# ---------------------------------------------------------------------------- definitions that echo
@pytest.mark.parametrize(
    ("expr", "used"),
    [
        ("r*2", {"r": "hypot(x, y)"}),
        ("g(x) + y", {"g(t)": "exp(-t)*k", "k": "2*s"}),
        ("x*y", None),
    ],
)
@pytest.mark.parametrize("form", ["json", "plain", "record", "mixed"])
def test_an_answer_can_be_run_again(batch, expr, used, form):
    generator = random.Random(5)
    points = [point(generator) for _ in range(40)]
    lines, words = [], DEFS
    for i, each in enumerate(points):
        plain = " ".join(f"{name}={number!r}" for name, number in each.items())
        asked = {
            "json": json.dumps({"expr": expr, "vars": each}),
            "plain": f"{expr} ; {plain}",
            "record": json.dumps(each | {"id": i, "other": None}),
        }
        lines.append(asked[form] if form != "mixed" else asked[["json", "plain"][i % 2]])
    if form == "record":
        words = [*DEFS, "--expr", expr]
    answers = objects(batch(lines, *words))
    assert [each.get("defs") for each in answers] == [used] * len(points)
    again = [
        json.dumps({"expr": a["expr"], "vars": p} | ({"defs": used} if used else {}))
        for a, p in zip(answers, points, strict=True)
    ]
    repeated = objects(batch(again))
    assert [each["value"] for each in repeated] == [each["value"] for each in answers]
    for one, other in zip(answers, repeated, strict=True):
        assert {n: g for n, g in other["grad"].items() if n in one["grad"]} == one["grad"]


def test_grouped_lines_are_the_bytes_of_single_ones():
    generator = random.Random(6)
    lines = [json.dumps({"expr": "r*g(x)", "vars": point(generator)}).encode() for _ in range(50)]
    settings = Settings(defs=tuple(DEFS))
    together = answer(LineBlock("-", 1, b"\n".join(lines), 50, 0), settings)
    alone = [answer(LineBlock("-", i, line, 1, 0), settings) for i, line in enumerate(lines, 1)]
    assert together.out == b"".join(each.out for each in alone)
    assert b'"defs":{"g(t)":"exp(-t)*k","r":"hypot(x, y)","k":"2*s"}' in together.out


def test_a_lines_own_come_first(batch):
    lines = [
        '{"expr":"r*2","vars":{"x":3,"y":4}}',
        '{"expr":"r*2","vars":{"x":3,"y":4,"r":8}}',
        '{"expr":"r*2","vars":{"x":3},"defs":{"r":"x+1"}}',
        "r*2 ; x=3 r=x+2",
        '{"expr":"r*2","vars":{"x":3},"defs":{"r":"x+"}}',
    ]
    found = objects(batch(lines, "r=hypot(x, y)"))
    assert [each.get("value") for each in found] == [10.0, 16.0, 8.0, 10.0, None]
    echoed = [each.get("defs", {}).get("r") for each in found]
    assert echoed == ["hypot(x, y)", None, "x+1", "x+2", "x+"]


# ----------------------------------------------------------------------------------- ids of records
@pytest.mark.parametrize("count", [1, 2, 30])
def test_the_id_of_a_plain_record_is_passed_through(batch, count):
    ids = [
        "7",
        "r9",
        "1.50",
        '"a b"',
        "null",
        "[1,2]",
        "01",
        "12345678901234567890123",
        "a b",
        "true",
    ]
    for text in ids:
        found = batch([f"id={text} a={i}" for i in range(count)], "--expr", "a*2").out.splitlines()
        shown = text if text not in {"r9", "a b", "[1,2]", "01"} else f'"{text}"'
        assert [line.partition(',"expr"')[0] for line in found] == [
            f'{{"line":{i},"id":{shown}' for i in range(1, count + 1)
        ]
    mixed = objects(batch(["id=1 a=1", "a=2", "a=3 id=x"], "--expr", "a*2"))
    assert [each.get("id", "none") for each in mixed] == [1, "none", "x"]
    assert batch(["id=r9 a=1"], "--expr", "a*2", "--get", "id", "--get", "value").out == "r9\t2.0\n"
    of_formula = objects(batch(["id=7 a=3"], "--expr", "a*id"))
    assert of_formula[0]["grad"] == {"a": 7.0, "id": 3.0} and "id" not in of_formula[0]


# ----------------------------------------------------------------------------- constants for fields
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    ("expr", "fields", "words", "noted"),
    [
        ("e*x", [{}, {}], [], ["e"]),
        ("e*x", [{"e": 3}, {}], [], ["e"]),
        ("e*x", [{"e": 3}, {"e": 4}], [], []),
        ("e**x", [{}, {}], [], []),
        ("e*x", [{}, {}], ["e=2"], []),
        ("`e`*x", [{"e": 2}], [], []),
        ("r*x", [{}, {}], ["r=e*x"], ["e"]),
        ("r*x", [{}, {"pi": 3}], ["r=pi*e*x"], ["e", "pi"]),
        ("pi*x", [{}, {}], [], []),
        ("pi*x", [{}, {"pi": 3}], [], ["pi"]),
        ("pi*x", [{"pi": 3}] * 2, [], []),
    ],
)
def test_a_constant_in_place_of_a_field_is_noted_once(batch, expr, fields, words, noted, jobs):
    if jobs == "2" and len(noted) != 1:
        pytest.skip("one kind is enough")
    lines = [json.dumps({"x": i} | each) for i in (1, 2, 3) for each in fields]
    err = batch(lines, "--expr", expr, *words, "--jobs", jobs).err.splitlines()
    values = {"e": math.e, "pi": math.pi}
    assert sorted(err) == [
        f"note: {n} is {values[n]} where a record has no {n}; {n}=VALUE gives it another value"
        for n in noted
    ]


# -------------------------------------------------------------------------------------- odd letters
@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "\\udc00\\ud800", "a\\uD83D z"])
def test_half_of_a_surrogate_pair_does_no_harm_where_it_is_not_used(batch, half):
    lines = [f'{{"a":{i},"b":"{half}","c":"\\ud83d\\ude00","{half}":[1]}}' for i in range(3)]
    outcome = batch(lines, "--expr", "a*2")
    assert [each["value"] for each in objects(outcome)] == [0.0, 2.0, 4.0]
    assert (outcome.status, outcome.err) == (0, "")
    (used,) = objects(batch([f'{{"a":"{half}"}}'], "--expr", "a*2"))
    assert used["error"]["type"] == "values"
    (asked,) = objects(batch([f'{{"expr":"{half}","vars":{{}}}}']))
    assert asked["error"]["type"] == "expression"


@pytest.mark.parametrize("identity", ['"\\ud800"', '{"a":["\\udfff"]}', '"\\\\ud800"', '"\\ufffd"'])
def test_an_id_comes_back_whatever_it_holds(batch, identity):
    for line in (f'{{"id":{identity},"a":1}}', f'{{"id":{identity},"a":1,"b":"\\ud800"}}'):
        (found,) = objects(batch([line], "--expr", "a*2"))
        assert found["id"] == json.loads(identity)


# ----------------------------------------------------------------- a formula in the place of a file
@pytest.mark.parametrize("expr", ["x*y", "sin(x)", "x + y*2", "x**2"])
def test_a_formula_that_is_no_file_is_answered_with_the_option(dezero, tmp_path, expr):
    outcome = dezero("batch", expr, "x=1")
    assert (outcome.status, outcome.out) == (2, "")
    start, _, advice = outcome.err.partition(": for a formula for all lines, write --expr ")
    assert start == f"error: {expr}: no such file"
    path = tmp_path / "lines"
    path.write_text("x=2 y=3\n")
    assert dezero("batch", str(path), "--expr", *shlex.split(advice)).status == 0
    assert dezero("batch", "lines").err == "error: lines: no such file\n"
    assert dezero("batch", "none.txt").err == "error: none.txt: no such file\n"

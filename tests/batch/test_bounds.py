"""Work is bounded: what operations make is counted before it is made, and the same in any block."""

import itertools
import json
import random

import numpy as np
import pytest

from dezero import Config, Variable, functions
from dezero.work import OPERATION, AllowanceError, allowing, broadcast_size
from dezero_cli.batch.answers import Settings, answer
from dezero_cli.batch.lines import Again, LineBlock, arrays, lines_of
from dezero_cli.faults import ExpressionError
from dezero_cli.language import bounds
from dezero_cli.language.parser import parse
from dezero_cli.language.results import Wanted, results
from tests.conftest import cases

REFUSED = "this takes more than 100,000,000 numbers, which --max-numbers allows"
ROW, COLUMN = [1.0] * 20_000, [[1.0]] * 20_000


def of(text, **settings):
    """The answers to lines, as records."""
    data = text.encode()
    block = LineBlock("-", 1, data, data.count(b"\n") + 1, len(data))
    return [json.loads(line) for line in answer(block, Settings(**settings)).out.splitlines()]


def line(expr, options=None, **values):
    return json.dumps({"expr": expr, "vars": values, **(options or {})})


DOUBLING = {"f0(t)": "t*t"} | {f"f{i}(t)": f"f{i - 1}([t, t])" for i in range(1, 33)}
BEYOND = {
    "a row and a column": line("x + y", x=ROW, y=COLUMN),
    "29 axes": line(
        "+".join(f"a{i}" for i in range(29)),
        **{f"a{i}": np.ones((2, *[1] * i)).tolist() for i in range(29)},
    ),
    "outer": line("sum(outer(x, x))", x=ROW),
    "a choice": line("x if x > y else y", x=ROW, y=COLUMN),
    "clip": line("sum(clip(x, y, 2))", x=ROW, y=COLUMN),
    "max": line("max(x, y, 1)", x=ROW, y=COLUMN),
    "hypot": line("sum(hypot(x, y, 1))", x=ROW, y=COLUMN),
    "a list": line("sum([x, y])", x=ROW, y=COLUMN),
    "lists of lists": line("sum(f15(x))", {"defs": DOUBLING}, x=ROW[:4000]),
    "a product": line("x @ y", x=COLUMN, y=[ROW]),
    "long sums of products": line("sum((x*y) @ (x*y))", x=ROW[:2000], y=COLUMN[:2000]),
    "interp": line("sum(interp(x + y, z, z))", x=ROW[:2500], y=COLUMN[:2500], z=[1, 2]),
    "a determinant": line("det(x*y)", x=ROW[:700], y=COLUMN[:700]),
    "a function of a library": line("sum(erfcx(x*y))", x=ROW[:3000], y=COLUMN[:3000]),
    "a Hessian": line("sum(x)**2", {"hessian": True}, x=ROW),
    "a Jacobian": line("cumsum(x)", {"jacobian": True}, x=ROW),
    "a Hessian of names": line(
        "*".join(f"a{i}" for i in range(2000)),
        {"hessian": True},
        **{f"a{i}": 1 for i in range(2000)},
    ),
    "a list of names": line(
        "[" + ",".join(f"a{i}" for i in range(3000)) + "]", **{f"a{i}": 1 for i in range(3000)}
    ),
    "hypot of names": line("hypot(" + ",".join(["x"] * 20_000) + ")", x=1),
    "a result as text": line("x*y", x=ROW[:2200], y=COLUMN[:2200]),
    "ranges": "1 ; " + " ".join(f"x{i}=0:1:1000000" for i in range(101)),
    "a constant array": "x ; x=outer(" + f"{ROW}, {ROW})",
    "draws of library functions": line(
        "jv(50.3, x*100) + kv(20.5, x)", {"sigma": {"x": 0.1}, "mc": 4_000_000}, x=3
    ),
    "a Hessian of many results": line(
        "[" + ",".join(["x*y*z"] * 50_000) + "]", {"hessian": True}, x=1, y=2, z=3
    ),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_what_makes_too_many_numbers_is_refused_before_it_is_made(kind):
    first, second, third = of(f"1+1\n{BEYOND[kind]}\n2+2")
    assert second["error"]["type"] == "expression" and second["error"]["message"].startswith(
        REFUSED
    )
    assert (first["value"], third["value"]) == (2.0, 4.0)


def test_a_refusal_has_the_place_of_the_operation():
    (record,) = of(line("1 + sin(x*y)", x=ROW, y=COLUMN))
    assert record["error"]["column"] == "1 + sin(x*y)".index("*") + 1


def made(y):
    """The numbers of all results in a graph that are not inputs."""
    waiting, seen = [y], {}
    while waiting:
        x = waiting.pop()
        if id(x) not in seen and x.creator is not None:
            seen[id(x)] = x
            waiting += x.creator.inputs
    return sum(x.size for x in seen.values())


def counted(expression, values):
    """What an evaluation counts for without limit, and the graph's own numbers and gradients."""
    variables = {name: Variable(np.array(x, dtype=float)) for name, x in values.items()}
    with allowing(1 << 62), np.errstate(all="ignore"):
        y = expression.evaluate(variables)
        forward = Config.allowance.used
        y.backward()
        return forward, Config.allowance.used - forward, made(y), variables


@pytest.mark.parametrize("case", cases()[::7], ids=lambda case: case["expr"][:40])
def test_no_fewer_are_counted_than_are_made(case):
    expression = parse(case["expr"])
    values = {name: np.full((3, 4), x) for name, x in case["vars"].items() if np.ndim(x) == 0}
    if len(values) < len(case["vars"]):
        values = case["vars"]
    try:
        forward, back, size, variables = counted(expression, values)
    except ExpressionError:
        pytest.skip("not of arrays")
    assert forward >= size
    written = 20 * (expression.evaluate(variables).size + sum(x.size for x in variables.values()))
    most = bounds.at_most(expression, {name: x.data for name, x in variables.items()})
    assert most is None or forward + back + written <= most
    if not size:
        return  # nothing but inputs
    assert back >= sum(x.grad.size for x in variables.values() if x.grad is not None)


@pytest.mark.parametrize("name", sorted(functions.FUNCTIONS))
def test_every_function_counts_what_it_makes(name):
    known = functions.FUNCTIONS[name]
    for shapes in itertools.product([(), (5,), (4, 1)], repeat=len(known.parameters)):
        variables = [Variable(np.full(shape, 0.5)) for shape in shapes]
        with allowing(1 << 62), np.errstate(all="ignore"):
            try:
                y = known.function(*variables)
            except (TypeError, ValueError, IndexError):
                continue
            if any(shapes):
                assert Config.allowance.used >= max(made(y), y.size)


def test_what_is_recorded_below_choices_and_shares_of_many_results_count():
    both = {"sigma": {"x": 0.1, "y": 0.2}, "order": 2}
    second = line("+".join(["sin(x)*cos(y)"] * 20), both, x=1, y=2)
    names = [f"a{i}" for i in range(40)]
    text = f"[{','.join(names)}]"
    shares = line(text, {"sigma": dict.fromkeys(names, 0.1)}, **dict.fromkeys(names, 1))
    for asked, most in ((second, 500_000), (shares, 130_000)):
        assert "error" in of(asked, most_numbers=most)[0]
        assert "sigma" in of(asked, most_numbers=40 * most)[0]


def test_small_arrays_of_known_operations_are_not_counted_one_by_one():
    x = {name: np.ones((3, 1)) for name in "xyz"}
    known = ["x", "sin(x)*y + 2", "sum(x*y @ z)", "x if x > y else 2", "hypot(x, y, z)"]
    assert all(bounds.at_most(parse(text), x) is not None for text in known)
    larger = ["[x, y]", "outer(x, y)", "cumsum(x)", "x[0]", f"max({','.join('x' * 9)})"]
    found = [bounds.at_most(parse(text), x) for text in larger]
    assert found == [None] * 5
    assert (
        bounds.at_most(parse("x*y"), {"x": np.ones([3] + [1] * 59), "y": x["y"]})
        > bounds.MOST_NUMBERS
    )


@pytest.mark.parametrize("most", [10, 100, 1000, 10_000, 100_000])
def test_what_is_not_counted_one_by_one_would_not_have_been_refused(monkeypatch, most):
    texts = [line("sum(sin(x)*y + exp(x))", x=list(range(n)), y=[1] * n) for n in range(1, 9)]
    glanced = of("\n".join(texts), most_numbers=most)
    monkeypatch.setattr(bounds, "at_most", lambda *_: None)
    assert of("\n".join(texts), most_numbers=most) == glanced


def test_sizes_are_those_of_numpy():
    draw = random.Random(5)
    for _ in range(500):
        shapes = [tuple(draw.choices([0, 1, 1, 3], k=draw.randrange(4))) for _ in range(3)]
        try:
            expected = int(np.prod(np.broadcast_shapes(*shapes)))
        except ValueError:
            expected = 0
        assert broadcast_size(shapes) == expected, shapes


def test_lines_are_refused_alike_alone_and_together():
    draw = random.Random(1)
    texts = ["a*b + a", "sin(a)*exp(b)", "+".join(["a*b"] * 40), "hypot(a, b, 1, 2)"]
    for most in (1, 100, 300, 1000, 5000, 10_000, 10**8):
        text = draw.choice(texts)
        lines = [f"{text} ; a={i + 1} b=2" for i in range(5)]
        for wanted in (Wanted(), Wanted(no_grad=True), Wanted(hessian=True)):
            together = of("\n".join(lines), most_numbers=most, wanted=wanted)
            alone = [
                of(each, most_numbers=most, wanted=wanted)[0] | {"line": i}
                for i, each in enumerate(lines, 1)
            ]
            assert together == alone


def test_a_long_formula_takes_few_lines_at_once_and_gives_the_same(monkeypatch):
    text = "+".join(["sin(a)*b"] * 30)
    lines = "\n".join(f"{text} ; a={i} b=2" for i in range(1, 20))
    expected = of(lines)
    monkeypatch.setattr("dezero_cli.batch.answers.MOST_TOGETHER", 300)
    assert of(lines) == expected


def test_the_limit_is_said_where_definitions_and_values_are():
    expression = parse("sum(x)")
    values = {"x": np.ones(1000)}
    refused = pytest.raises(ExpressionError, match="more than 500 numbers, which --max-numbers")
    with refused, bounds.within(500, "sum(x)"):
        results(expression, values, Wanted())
    with bounds.within(100_000, "sum(x)"):
        assert results(expression, values, Wanted())["value"] == 1000.0
    with bounds.within(None, "sum(x)"):
        assert results(expression, values, Wanted())["value"] == 1000.0


def test_eval_has_a_limit_where_one_is_asked_for(dezero):
    words = ["eval", "sum(x)", f"x={[1.0] * 1000}", "--get", "value"]
    assert dezero(*words).out == "1000.0\n"
    outcome = dezero(*words, "--max-numbers", "999")
    assert outcome.status == 2 and "--max-numbers allows" in outcome.err
    assert dezero(*words, "--max-numbers", "100000").status == 0


def test_an_allowance_is_spent_in_its_block_alone():
    x = Variable(np.ones(100))
    with allowing(50 + OPERATION), pytest.raises(AllowanceError, match="more than 82 numbers"):
        functions.FUNCTIONS["sin"].function(x)
    assert functions.FUNCTIONS["sin"].function(x).size == 100


def test_no_more_of_long_answers_are_held_than_are_allowed(monkeypatch):
    lines = [f"sum(x)+{i} ; x=0:1:2000" if i % 3 else f"x*{i} ; x=3" for i in range(30)]
    data = "\n".join([*lines, "]", "1 + 1"]).encode()
    block = LineBlock("-", 1, data, len(lines) + 2, len(data))
    whole = answer(block, Settings())
    assert whole.rest == 0
    monkeypatch.setattr("dezero_cli.batch.answers.MOST_HELD", 20_000)
    parts, sizes = [], 0
    rest = block
    while rest is not None:
        done = answer(rest, Settings())
        part, rest = rest.parted(done.rest)
        sizes += part.size
        parts.append(done)
    assert len(parts) > 5
    assert max(len(each.out) for each in parts) < 50_000
    assert b"".join(each.out for each in parts) == whole.out
    assert [fault for each in parts for fault in each.faults] == whole.faults
    assert sizes == len(data)


@pytest.mark.parametrize("words", ["x=0:1:100000", "x=sin(0*outer([1, 2], [1, 2]))", "x=[1, 2]"])
def test_arrays_that_are_larger_than_their_text_are_made_where_they_are_needed(words):
    data = f"sum(x) ; {words}".encode()
    (asked,) = lines_of(LineBlock("-", 1, data, 1, len(data)), 1 << 20)
    (kept,) = asked.values.values()
    array = arrays(asked.values)["x"]
    assert isinstance(kept, Again) is (array.size > 1000)
    assert array.size == {"x=0:1:100000": 100_000, "x=[1, 2]": 2}.get(words, 4)


def test_the_large_arrays_of_a_line_are_made_again_once():
    words = " ".join(f"x{i}=0:1:20001" for i in range(4))
    (record,) = of(f"x0[-1] + x3[0] ; {words}", most_numbers=2_000_000)
    assert record["value"] == 1.0
    (record,) = of(f"1 ; {words}", most_numbers=100_000, wanted=Wanted(no_grad=True))
    assert record["value"] == 1.0


def test_long_texts_are_not_all_kept(monkeypatch):
    from dezero_cli.language import parser

    monkeypatch.setattr(parser, "MOST_TEXT", 8192)
    long = "x+" * 4096
    assert parse("x+1") is parse("x+1")
    first = parse(long + "1")
    assert parse(long + "1") is first
    for i in range(2, 5):
        parse(long + str(i))
    assert parse(long + "1") is not first

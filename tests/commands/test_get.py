"""``--get``: bare numbers by their place in the JSON; ``--precision`` and ``--format``."""

import json
import math
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dezero_cli.number_format import NumberFormat


def got(dezero, *words):
    """The lines that are printed, where nothing else is."""
    outcome = dezero(*words)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.endswith("\n")
    return outcome.out.removesuffix("\n").split("\n")


# ----------------------------------------------------------------------------------------- places
@pytest.mark.parametrize(
    ("words", "places", "lines"),
    [
        (["x**2", "x=3"], ["value"], ["9.0"]),
        (["x**2", "x=3"], ["grad.x", "value", "grad.x"], ["6.0", "9.0", "6.0"]),
        (["x**2*y", "x=2", "y=3"], ["expr", "grad"], ["x**2*y", '{"x":12.0,"y":4.0}']),
        (["x**2*y", "x=2", "y=3"], ["hessian.x.y"], ["4.0"]),
        (["x**2*y", "x=2", "y=3"], ["hessian.x"], ['{"x":6.0,"y":4.0}']),
        (["x**2*y", "x=2", "y=3", "--wrt", "y"], ["grad.y", "hessian.y.y"], ["4.0", "0.0"]),
        (["x*y", "x=[1,2]", "y=3"], ["jacobian.x"], ["[[3.0,0.0],[0.0,3.0]]"]),
        (["x*y", "x=[1,2]", "y=3"], ["jacobian.y[1]"], ["2.0"]),
        (["x*2", "x=[1,2]"], ["value", "value[1]", "grad.x[0]"], ["[2.0,4.0]", "4.0", "2.0"]),
        (["x*2", "x=[[1,2],[3,4]]"], ["value[1]", "value[1][0]"], ["[6.0,8.0]", "6.0"]),
        (["x*2", "x=[]"], ["value"], ["[]"]),
        (["a*b", "a=2", "b=3", "--sigma", "a=0.5"], ["sigma", "share.a"], ["1.5", "1.0"]),
        (["a*b", "a=2", "b=3", "--sigma", "a=0.5"], ["share"], ['{"a":1.0}']),
        (["(x+1)*2", "x=1"], ["intermediates[0]"], ['{"expr":"x+1","value":2.0,"grad":2.0}']),
        (["x*2", "x=1", "--no-grad"], ["value"], ["2.0"]),
        (["θ*2", "θ=1"], ["grad.θ"], ["2.0"]),
    ],
)  # fmt: skip
def test_what_stands_at_a_place(dezero, words, places, lines):
    wanted = [word for place in places for word in ("--get", place)]
    assert got(dezero, "eval", *words, *wanted) == lines
    assert got(dezero, "eval", *(f"--get={place}" for place in places), *words) == lines


def test_each_number_of_the_json_has_its_place(dezero):
    words = ["x**2*y + sin(z)", "x=0.1", "y=[1,2]", "z=3"]
    asked = ["--hessian", "--jacobian"]
    whole = dezero("eval", *words, *asked, "--json").json

    def walk(item, place):
        if isinstance(item, dict):
            for key, each in item.items():
                yield from walk(each, f"{place}.{key}" if place else key)
        elif isinstance(item, list):
            yield place, item
            for i, each in enumerate(item):
                yield from walk(each, f"{place}[{i}]")
        elif not isinstance(item, str):
            yield place, item

    numbers = dict(walk(whole, ""))
    assert {"value[1]", "grad.y[0]", "hessian.x.y[1]", "jacobian.y[1][0]"} <= set(numbers)
    wanted = [word for place in numbers for word in ("--get", place)]
    lines = got(dezero, "eval", *words, *asked, *wanted)
    assert [json.loads(line) for line in lines] == list(numbers.values())


def test_numbers_that_are_not_finite_are_text(dezero):
    outcome = dezero("eval", "1/x", "x=0", "--get", "value", "--get", "grad.x")
    assert (outcome.status, outcome.out) == (0, "inf\n-inf\n")
    assert outcome.err == "note: 1/x is inf at x = 0.0 (column 1)\n"
    outcome = dezero("eval", "x+0", "x=nan", "--get", "value", "--strict", "--format", "plain")
    assert (outcome.status, outcome.out) == (1, "nan\n")
    outcome = dezero("eval", "1/x", "x=[0,1]", "--get", "value", "--get", "value[0]")
    assert (outcome.status, outcome.out) == (0, "[null,1.0]\ninf\n")  # a list is strict JSON


@pytest.mark.parametrize(
    "place",
    ["valu", "grad.z", "grad.x.y", "value.x", "value[2]", "value[-1]", "value[0][0]", "value[x]",
     "nonfinite", "", ".", "value.", "[0]", "grad..x"],
)  # fmt: skip
def test_what_is_not_there_lists_what_is(dezero, place):
    outcome = dezero("eval", "x*y", "x=[1,2]", "y=3", "--get", "value", "--get", place)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == f"error: --get {place}: the result has value, grad.x, grad.y\n"


@pytest.mark.parametrize("place", ["sigma", "share.x"])
def test_an_uncertainty_needs_those_of_the_inputs(dezero, place):
    for command in (["eval", "x*y", "x=1", "y=2"], ["batch"]):
        outcome = dezero(*command, "--get", place)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("error: --get sigma needs the inputs' uncertainties: add")


def test_a_long_list_of_places_is_cut(dezero):
    names = [f"x{i}" for i in range(30)]
    values = [f"{name}=1" for name in names]
    err = dezero("eval", "+".join(names), *values, "--get", "none").err
    assert err.endswith("grad.x9, grad.x10, ...\n")
    assert "grad.z" not in dezero("eval", "x", "x=1", "--get", "grad.z").err.partition(": the ")[2]


def test_it_goes_with_no_other_form_of_output(dezero):
    for command in ("eval", "check"):
        outcome = dezero(command, "x*2", "x=1", "--get", "value", "--json")
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err == "error: --get prints numbers alone: leave out --json\n"
    for place in ("hessian.x.x", "jacobian.x", "intermediates"):
        outcome = dezero("eval", "x*2", "x=1", "--no-grad", "--get", place)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith("error: --no-grad prints only the value")
    assert dezero("eval", "x*2", "x=1", "--no-grad", "--get", "grad.x").err == (
        "error: --no-grad prints only the value: leave out --get grad\n"
    )
    assert "'--get' needs a value" in dezero("eval", "x*2", "x=1", "--get").err


def test_check_has_places_too(dezero):
    words = ["check", "x**2*y", "x=3", "y=[1,2]"]
    wanted = ["agrees", "check.x.analytic", "check.y.analytic[1]", "check.x.method", "expr"]
    lines = got(dezero, *words, *(word for place in wanted for word in ("--get", place)))
    assert lines == ["true", "18.0", "9.0", "complex step", "x**2*y"]
    outcome = dezero("check", "relu(x)", "x=0", "--get", "agrees")
    assert (outcome.status, outcome.out) == (1, "null\n")  # a kink: nobody can tell
    outcome = dezero("check", "x*2", "x=1", "--get", "value")
    assert outcome.status == 2
    assert outcome.err.startswith("error: --get value: the result has check.x.analytic, ")


# ---------------------------------------------------------------------------- digits and exponents
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def exponent_of(text):
    return int(text.partition("e")[2])


def digits_of(text):
    """The significant digits of a text of a number that is not 0."""
    mantissa = text.partition("e")[0].lstrip("-")
    return len(mantissa.replace(".", "").lstrip("0"))


@given(FLOATS, st.sampled_from([None, "plain", "sci", "eng"]))
@example(-0.0, "eng")
@example(5e-324, "plain")
@example(999999.5, "eng")
def test_without_precision_the_text_reads_back_to_the_same_float(number, form):
    text = NumberFormat(None, form)(number)
    assert float(text) == number and math.copysign(1, float(text)) == math.copysign(1, number)
    assert Decimal(text) == Decimal(repr(number))  # and it is the shortest such text
    if form == "plain":
        assert "e" not in text
    elif form is not None:
        assert text[text.index("e") + 1] in "+-" and len(text) - text.index("e") >= 4
        mantissa = abs(Decimal(text.partition("e")[0]))
        assert number == 0 or 1 <= mantissa < (10 if form == "sci" else 1000)
        assert form == "sci" or exponent_of(text) % 3 == 0


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(FLOATS, st.integers(1, 17), st.sampled_from([None, "plain", "sci", "eng"]))
@example(999999.0, 3, "eng")
@example(99.95, 3, "sci")
@example(0.5, 1, "plain")
@example(2.5, 1, "plain")
@example(12345.678, 3, "plain")
def test_precision_rounds_the_exact_number(number, precision, form):
    text = NumberFormat(precision, form)(number)
    exact = Context(prec=precision, rounding=ROUND_HALF_EVEN).create_decimal(Decimal(number))
    assert Decimal(text) == exact
    assert text.startswith("-") == (math.copysign(1, number) < 0)
    if form == "plain":
        assert "e" not in text
    elif form is not None:
        mantissa = abs(Decimal(text.partition("e")[0]))
        assert number == 0 or 1 <= mantissa < (10 if form == "sci" else 1000)
        assert form == "sci" or exponent_of(text) % 3 == 0
    if form == "sci" and number:
        assert digits_of(text) == precision


@pytest.mark.parametrize(
    ("number", "options", "text"),
    [
        ("12345.678", [], "12345.678"),
        ("12345.678", ["--precision", "3"], "1.23e+04"),
        ("12345.678", ["--format", "plain"], "12345.678"),
        ("12345.678", ["--precision", "3", "--format", "plain"], "12300"),
        ("12345.678", ["--precision", "3", "--format", "sci"], "1.23e+04"),
        ("12345.678", ["--precision", "4", "--format", "eng"], "12.35e+03"),
        ("4.7e-9", ["--format", "eng"], "4.7e-09"),
        ("4.7e-9", ["--format", "plain"], "0.0000000047"),
        ("1e300", ["--format", "plain"], "1" + "0" * 300),
        ("0", ["--precision", "3", "--format", "sci"], "0.00e+00"),
        ("2", ["--precision", "3", "--format", "plain"], "2.00"),
        ("[1e6,2.5]", ["--format", "eng"], "[1e+06,2.5e+00]"),
        ("[1e6,2.5]", ["--format", "plain", "--precision", "2"], "[1000000,2.5]"),
    ],
)
def test_formats(dezero, number, options, text):
    assert got(dezero, "eval", "+x", f"x={number}", "--get", "value", *options) == [text]
    shown = dezero("eval", "+x", f"x={number}", "--no-grad", *options).out
    assert shown.split(maxsplit=1) == ["value", text.replace(",", ", ") + "\n"]
    assert dezero("check", "x*1", "x=2", "--get", "check.x.analytic", *options).status == 0


def test_digits_and_forms_that_there_are_not(dezero):
    for options in (["--precision", "0"], ["--precision", "18"], ["--precision", "x"]):
        outcome = dezero("eval", "x", "x=1", *options)
        assert (outcome.status, outcome.out) == (2, "") and "--precision" in outcome.err
    outcome = dezero("eval", "x", "x=1", "--format", "hex")
    assert outcome.status == 2 and "'plain', 'sci', 'eng'" in outcome.err


def test_json_keeps_every_digit(dezero):
    outcome = dezero("eval", "x/3", "x=1", "--json", "--precision", "2", "--format", "sci")
    assert outcome.json["value"] == 1 / 3

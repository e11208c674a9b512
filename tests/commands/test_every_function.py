"""Every function through every command: `eval`, `check`, `derive`, `map` and `batch`."""

import json

import pytest

from dezero.functions import FUNCTIONS, NAMES
from tests.conftest import of_scipy

ELEMENTWISE = [known for known in FUNCTIONS.values() if known.elementwise]
BEYOND_1 = {"arcsec", "arccsc", "arccosh", "arccoth"}
SEVERAL = [known.name for known in FUNCTIONS.values() if known.several]


def point(known):
    """Where a function has a value and a derivative, by the names of its values."""
    first = 1.625 if known.name in BEYOND_1 else 0.375
    numbers = dict(zip(known.parameters, (first, 0.75, 1.25)))
    return numbers | dict.fromkeys(known.orders, 2.0)


def words(known):
    """The call, NAME=VALUE for each of its values, and --wrt for those that take a gradient."""
    values = point(known)
    free = [name for name in known.parameters if name not in known.orders]
    call = f"{known.name}({', '.join(known.parameters)})"
    return (
        call,
        [f"{name}={x}" for name, x in values.items()],
        [w for n in free for w in ("--wrt", n)],
    )


@pytest.mark.parametrize("known", ELEMENTWISE, ids=lambda known: known.name)
def test_every_command_knows_every_function(known, dezero, tmp_path):
    if of_scipy(known):
        pytest.importorskip("scipy.special", reason="SciPy is not installed")
    call, values, wrt = words(known)
    result = dezero("eval", call, *values, *wrt, "--json").json
    grad = result["grad"]
    if known.name != "sign":  # whose step is no smaller than its value
        assert dezero("check", call, *values, *wrt).status == 0
    formulas = dezero("derive", call, *wrt, "--json").json["grad"]
    for name, formula in formulas.items():
        again = dezero("eval", formula, *values, "--no-grad", "--get", "value")
        assert float(again.out) == pytest.approx(grad[name], rel=1e-14, abs=1e-300)
    table = tmp_path / "t.csv"
    numbers = point(known)
    row = ",".join(map(str, numbers.values()))
    table.write_text("\n".join([",".join(numbers), row, row, ""]))
    mapped = dezero("map", call, str(table), *wrt, "--only").out.splitlines()
    names, cells = mapped[0].split(","), [float(cell) for cell in mapped[-1].split(",")]
    expected = [result["value"], *(grad[name] for name in formulas)]
    assert names == ["value", *(f"d_{name}" for name in formulas)]
    assert cells == pytest.approx(expected, rel=1e-14, abs=1e-300)


def test_batch_gives_what_eval_gives(dezero, tmp_path):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    lines = tmp_path / "lines.txt"
    taken = [known for known in ELEMENTWISE if not known.orders]
    asked = [
        {"expr": words(known)[0], "vars": {n: x * (1 + k / 64) for n, x in point(known).items()}}
        for k in (0, 1)
        for known in taken
    ]
    lines.write_text("".join(json.dumps(line) + "\n" for line in asked))
    answers = [json.loads(line) for line in dezero("batch", str(lines)).out.splitlines()]
    for line, answer in zip(asked, answers, strict=True):
        values = [f"{name}={x!r}" for name, x in line["vars"].items()]
        alone = dezero("eval", line["expr"], *values, "--json").json
        assert (answer["value"], answer["grad"]) == (alone["value"], alone["grad"]), line


@pytest.mark.parametrize("name", SEVERAL)
def test_several_values_are_taken_element_by_element(name, dezero, tmp_path):
    call = f"{name}(x, y, z, 0.5)"
    result = dezero("eval", call, "x=1.5", "y=-2", "z=3", "--json").json
    assert dezero("check", call, "x=1.5", "y=-2", "z=3").status == 0
    table = tmp_path / "t.csv"
    table.write_text("x,y,z\n1.5,-2,3\n")
    mapped = dezero("map", call, str(table), "--only").out.splitlines()[1].split(",")
    expected = (result["value"], *result["grad"].values())
    assert tuple(map(float, mapped)) == pytest.approx(expected, rel=1e-14)


def test_aliases_are_the_functions():
    expected = {
        "ln": "log",
        "lg": "log10",
        "asec": "arcsec",
        "acoth": "arccoth",
        "expit": "sigmoid",
        "rint": "round",
        "int": "trunc",
        "fabs": "abs",
        "sgn": "sign",
        "ceiling": "ceil",
        "fmin": "minimum",
        "fmax": "maximum",
        "sqr": "square",
        "tgamma": "gamma",
        "gammaln": "lgamma",
        "loggamma": "lgamma",
        "psi": "digamma",
        "fact": "factorial",
        "binomial": "binom",
        "choose": "binom",
        "besselj": "jv",
        "bessely": "yv",
        "besseli": "iv",
        "besselk": "kv",
        "deg2rad": "radians",
        "rad2deg": "degrees",
    }
    assert {alias: NAMES[alias].name for alias in expected} == expected


def test_an_order_takes_no_gradient_and_says_so(dezero):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    for command in ("eval", "check"):
        outcome = dezero(command, "1 + besselj(n, x)", "n=2", "x=1")
        assert outcome.status == 2 and outcome.err.count("\n") == 3
        assert "jv takes no gradient for the order v" in outcome.err
    assert dezero("eval", "besselj(n, x)", "n=2", "x=1", "--wrt", "x").status == 0
    assert (
        dezero("derive", "jv(n, x)", "--wrt", "x").out == "d/dx  (jv(n - 1, x) - jv(n + 1, x))/2\n"
    )
    assert "takes no gradient" in dezero("derive", "jv(n, x)").err


NOT_FINITE = [
    ("jv(0.5, x)", ("x=-1",), "nan", "nan"),
    ("yv(1, x)", ("x=0",), "-inf", None),
    ("polygamma(1, x)", ("x=0",), "inf", "-inf"),
    ("kv(a, x)", ("x=0", "a=1", "--wrt", "x"), "inf", "-inf"),
    ("iv(a + 0.5, x)", ("x=-1", "a=1", "--wrt", "x"), "nan", "nan"),
]


@pytest.mark.parametrize(("call", "words", "value", "slope"), NOT_FINITE, ids=str)
def test_an_order_that_is_held_does_not_hide_why_a_result_is_not_finite(
    call, words, value, slope, dezero
):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    outcome = dezero("eval", call, *words)
    lines = outcome.out.split()
    assert outcome.status == 0 and lines[1] == value and slope in {None, lines[3]}
    assert outcome.err.startswith(f"note: {call} is {value} at ") and outcome.err.count("\n") == 1


def test_the_gradients_of_steps_are_there_beside_an_order_that_is_held(dezero):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    for words in (("jv(2, 3*x)",), ("jv(n, 3*x)", "n=2", "--wrt", "x")):
        shown = dezero("eval", *words, "x=1", "--retain-grad", "--json").json
        slopes = {step["expr"]: step["grad"] for step in shown["intermediates"]}
        assert slopes["3*x"] == pytest.approx(shown["grad"]["x"] / 3)
    refused = dezero("eval", "jv(n, 3*x)", "n=2", "x=1", "--retain-grad")
    assert refused.status == 2 and "takes no gradient for the order v" in refused.err


@pytest.mark.parametrize("name", [known.name for known in FUNCTIONS.values() if known.orders])
def test_an_order_may_be_a_number(name, dezero, tmp_path):
    pytest.importorskip("scipy.special", reason="SciPy is not installed")
    table = tmp_path / "t.csv"
    table.write_text("x\n0.375\n0.75\n")
    known = dezero("eval", f"{name}(2, x)", "x=0.375", "--json").json
    mapped = dezero("map", f"{name}(2, x)", str(table), "--only").out.splitlines()[1].split(",")
    expected = [known["value"], known["grad"]["x"]]
    assert list(map(float, mapped)) == pytest.approx(expected, rel=1e-14)
    formula = dezero("derive", f"{name}(2, x)", "--json").json["grad"]["x"]
    again = dezero("eval", formula, "x=0.375", "--get", "value")
    assert float(again.out) == pytest.approx(expected[1], rel=1e-14)


def test_the_list_of_functions_has_derivatives_for_all_but_orders(dezero):
    listed = dezero("functions", "--json").json["functions"]
    assert [each["name"] for each in listed] == list(FUNCTIONS)
    for each in listed:
        known = FUNCTIONS[each["name"]]
        free = [name for name in known.parameters if name not in known.orders]
        assert not known.elementwise or list(each["derivative"]) == free


@pytest.mark.parametrize(("call", "least"), [("hypot(x)", "2"), ("sum()", "1"), ("max()", "1")])
def test_how_few_values_a_function_of_several_takes(call, least, dezero):
    fault = dezero("eval", call, "x=1").err.splitlines()[0]
    assert f" takes {least} or more values, got " in fault


def test_latex_has_the_names_of_mathematics(dezero):
    shown = dezero("derive", "sec(x)*gamma(x)*sech(x)", "--to", "latex").out.splitlines()[0]
    x = "\\left(x\\right)"
    assert shown == f"f = \\sec{x} \\, \\Gamma{x} \\, \\operatorname{{sech}}{x}"


def test_what_a_language_lacks_is_one_line(dezero):
    for form, text in (("js", "erf(x)"), ("sql", "normcdf(x)"), ("c", "lambertw(x)")):
        outcome = dezero("derive", text, "--to", form)
        assert outcome.status == 2 and " has no form in " in outcome.err
        assert outcome.out == "" and outcome.err.count("\n") == 3


def test_a_column_is_interpolated_between_numbers(dezero, tmp_path):
    call, points = "interp(v, [0, 1, 5, 6], [2, 3, 8, 1])", (-1, 0, 0.5, 1, 3, 5, 5.5, 6, 9)
    table = tmp_path / "t.csv"
    table.write_text("v\n" + "".join(f"{x}\n" for x in points))
    rows = dezero("map", call, str(table), "--only").out.splitlines()[1:]
    formula = dezero("derive", call, "--json").json["grad"]["v"]
    for x, row in zip(points, rows, strict=True):
        known = dezero("eval", call, f"v={x}", "--json").json
        again = dezero("eval", formula, f"v={x}", "--get", "value").out
        assert [*map(float, row.split(","))] == [known["value"], known["grad"]["v"]]
        assert float(again) == known["grad"]["v"]
    drawn = dezero("plot", call, "v=0:6", "-o", str(tmp_path / "v.svg"))
    assert (drawn.status, drawn.err) == (0, "")


@pytest.mark.parametrize("name", ["median", "cumsum", "det", "inv"])
def test_what_no_column_has_is_named_as_it_is_typed(name, dezero, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n1,2\n")
    said = dezero("map", f"sum({name}([[x, y], [y, 1]]))", str(table))
    assert said.status == 2 and said.err.startswith(f"error: {name} has no place in a program")

"""A model is said once: definitions, functions, lists and formula files, in every command."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dezero import Variable
from dezero_cli import Model
from dezero_cli.faults import ExpressionError, ValuesError
from dezero_cli.language import derivatives, statements
from dezero_cli.main import run

NUMBERS = st.floats(0.25, 4.0)


def linked(text, *words, most=None):
    return statements.given(words).linked(text, most)


def value_and_gradient(expression, **values):
    arrays = {name: np.array(float(x)) for name, x in values.items()}
    value, gradient = derivatives.value_and_gradient(expression, arrays, list(arrays))
    return float(value), {name: float(x) for name, x in gradient.items()}


# ---------------------------------------------------------------------------------- definitions
def test_gradients_flow_through_a_definition():
    expression = linked("exp(-r)/r", "r=hypot(x, y)")
    value, gradient = value_and_gradient(expression, x=3, y=4)
    slope = -np.exp(-5) / 5 - np.exp(-5) / 25
    assert value == pytest.approx(np.exp(-5) / 5, rel=1e-15)
    assert gradient == pytest.approx({"x": slope * 0.6, "y": slope * 0.8}, rel=1e-14)


def test_the_inputs_come_in_the_order_in_which_the_written_out_formula_has_them():
    expression = linked("a*r + b", "r=hypot(x, s)", "s=y*c")
    assert expression.names == ("a", "x", "y", "c", "b")


def test_a_definition_is_computed_once():
    calls = []
    expression = linked("r + r*r + g(r)", "r=sin(x)", "g(t)=t*2")
    kept = []
    expression.evaluate({"x": Variable(np.array(1.0))}, kept)
    calls = [operation.source for operation in kept]
    assert calls.count("sin(x)") == 1 and calls.count("r") == 1


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_writing_a_definition_out_changes_no_bit_of_a_value(x, y):
    short = linked("exp(-r)/r + r**2", "r=hypot(x, y)")
    long = linked("exp(-hypot(x, y))/hypot(x, y) + hypot(x, y)**2")
    one, other = (value_and_gradient(each, x=x, y=y) for each in (short, long))
    assert one[0] == other[0]
    assert one[1] == pytest.approx(other[1], rel=1e-14)  # sums of slopes, in another order


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_writing_out_a_definition_that_is_used_once_changes_no_bit(x, y):
    short = linked("x*exp(-r)", "r=hypot(x, y)")
    assert value_and_gradient(short, x=x, y=y) == value_and_gradient(
        linked("x*exp(-hypot(x, y))"), x=x, y=y
    )


@settings(deadline=None)
@given(st.permutations(["r=hypot(x, y)", "s=r*k", "k=z**2", "g(t)=t*k"]), NUMBERS)
def test_the_order_of_definitions_does_not_matter(words, x):
    found = value_and_gradient(linked("g(s) + r", *words), x=x, y=2, z=3)
    wanted = value_and_gradient(
        linked("g(s) + r", "k=z**2", "g(t)=t*k", "r=hypot(x, y)", "s=r*k"), x=x, y=2, z=3
    )
    assert found == wanted


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_a_function_applied_is_its_body_with_the_arguments(x, y):
    applied = linked("f(sin(x), y) + f(y, x)", "f(a, b)=a**2/b - c", "c=x*y")
    body = linked("(sin(x)**2/y - x*y) + (y**2/x - x*y)")
    one, other = (value_and_gradient(each, x=x, y=y) for each in (applied, body))
    assert one[0] == other[0]
    assert one[1] == pytest.approx(other[1], rel=1e-13, abs=1e-13)


def test_arguments_shadow_and_users_win_over_constants_and_functions():
    assert value_and_gradient(linked("g(x)", "g(e)=e**2"), x=3)[0] == 9
    assert value_and_gradient(linked("pi*x", "pi=3"), x=2, pi=3) == (6, {"x": 3, "pi": 2})
    assert value_and_gradient(linked("sin(x)", "sin(t)=t + 1"), x=2)[0] == 3
    assert value_and_gradient(linked("k*x", "k=2*e", "e=1.5"), x=2, e=1.5)[0] == 6


def test_what_nothing_uses_is_ignored_but_parsed():
    assert linked("x", "r=y**2", "g(t)=t*z").names == ("x",)
    with pytest.raises(ExpressionError, match="expected a value after"):
        linked("x", "r=y*")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["r=x", "x=s", "s=r"], "r needs x, which needs s, which needs r"),
        (["r=r*1000"], "r is defined by itself: give it another name"),
        (["r=f(x)", "f(t)=f(t - 1)"], "f calls itself"),
        (["r=f(x)", "f(t)=g(t)", "g(t)=f(t)"], "f needs g, which needs f"),
        (["r=f(x)", "f(t)=t*r"], "r needs f, which needs r"),
        (["r=f(1, 2)", "f(t)=t"], "f takes 1 value, got 2"),
        (["r=f(t=1)", "f(t)=t"], "f takes its values in order, not by name"),
    ],
)
def test_circles_and_wrong_calls_are_named(words, message):
    with pytest.raises(ExpressionError) as fault:
        linked("r", *words)
    assert str(fault.value) == message


def test_words_that_say_a_name_twice():
    for words in (["r=x", "r=y"], ["g(t)=t", "g(u)=u"]):
        with pytest.raises(ValuesError, match="is given twice"):
            linked("r", *words)
    with pytest.raises(ValuesError, match="two parameters of one name"):
        linked("r", "g(t, t)=t")


# ------------------------------------------------------------------------------------ proportion
def test_functions_that_would_expand_without_end_are_refused_before_they_are_run():
    words = ["f0(t)=t + t", *(f"f{i}(t)=f{i - 1}(f{i - 1}(t))" for i in range(1, 61))]
    with pytest.raises(ExpressionError, match=r"expands to 1,152,921,504,606,846,976 operations"):
        linked("f60(x)", *words)


def test_the_limit_that_the_message_gives_is_enough():
    words = ["f0(t)=t + 1", *(f"f{i}(t)=f{i - 1}(f{i - 1}(t))" for i in range(1, 6))]
    with pytest.raises(ExpressionError) as fault:
        linked("f5(x)", *words, most=31)
    assert fault.value.hint == "--max-operations 32 allows them; the limit is 31"
    assert value_and_gradient(linked("f5(x)", *words, most=32), x=1) == (33, {"x": 1})


@pytest.mark.unmeasured
def test_a_hundred_thousand_definitions_are_no_recursion():
    words = ["d0=x", *(f"d{i}=d{i - 1} + 1" for i in range(1, 100_000))]
    assert value_and_gradient(linked("d99999", *words), x=1) == (100_000, {"x": 1})


def test_functions_nested_in_thousands_are_no_recursion():
    words = ["f0(t)=t + 1", *(f"f{i}(t)=f{i - 1}(t)" for i in range(1, 5000))]
    assert value_and_gradient(linked("f4999(x)", *words), x=1) == (2, {"x": 1})


# ------------------------------------------------------------------------- the commands are alike
MODELS = [
    ("exp(-r)/r", ["r=hypot(x, y)"]),
    ("g(x)*g(y) + r", ["g(t)=exp(-t**2)*k", "k=x + 1", "r=x if x > y else y**2"]),
    ("x % y + (0.5 < x <= 3) and not y == 2 or x", ["u=1"]),
    ("norm([x, y, s]) + [x, y][1]*max([x, s])", ["s=x*y"]),
]


@pytest.mark.parametrize(("text", "words"), MODELS)
@settings(max_examples=10, deadline=None)
@given(x=NUMBERS, y=NUMBERS)
def test_eval_batch_map_and_derive_agree(text, words, x, y):
    expression = linked(text, *words)
    value, gradient = value_and_gradient(expression, x=x, y=y)
    model = Model(text, dict(word.split("=", 1) for word in words if word != "u=1"))
    values, columns = model.compile()(x=np.array([x]), y=np.array([y]))
    assert values[0] == pytest.approx(value, rel=1e-13)
    for name in ("x", "y"):
        assert columns[name][0] == pytest.approx(gradient[name], rel=1e-12, abs=1e-13)
    formulas = model.derive()
    for name, formula in formulas.items():
        found = value_and_gradient(linked(formula), x=x, y=y)[0]
        assert found == pytest.approx(gradient[name], rel=1e-12, abs=1e-13)


def test_a_batch_line_carries_definitions(dezero, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text(
        "exp(-r)/r ; r=hypot(x, y) x=3 y=4\n"
        "g(2)*x ; g(t)=t**2*k x=1 k=3\n"
        '{"expr":"exp(-r)/r","defs":{"r":"hypot(x, y)"},"vars":{"x":3,"y":4},"wrt":"r"}\n'
        '{"expr":"g(x)","defs":{"g(t)":"t**2"},"vars":{"x":3},"hessian":true}\n'
        '{"expr":"[x, s]","defs":{"s":"x*y"},"vars":{"x":3,"y":4}}\n'
    )
    status, out, err = dezero("batch", str(path))
    assert (status, err) == (0, "")
    first, second, third, fourth, fifth = map(json.loads, out.splitlines())
    assert first["defs"] == {"r": "hypot(x, y)"} and list(first["grad"]) == ["x", "y"]
    assert second["value"] == 12.0 and second["grad"] == {"k": 4.0, "x": 12.0}
    assert third["grad"] == {"r": pytest.approx(-np.exp(-5) / 5 - np.exp(-5) / 25)}
    assert fourth["hessian"] == {"x": {"x": 2.0}}
    assert fifth["names"] == ["x", "s"] and fifth["grad"] == {"x": [1.0, 4.0], "y": [0.0, 3.0]}


def test_lines_with_definitions_are_answered_as_each_by_itself(dezero, tmp_path):
    lines = [
        f'{{"expr":"r*r","defs":{{"r":"hypot(x, {i % 3})"}},"vars":{{"x":{i}}}}}' for i in range(60)
    ]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(lines))
    together = dezero("batch", str(path)).out.splitlines()
    for i in (0, 1, 31, 59):
        path.write_text("\n" * i + lines[i])
        assert dezero("batch", str(path)).out.splitlines() == [together[i]]


def test_the_command_line_defines_for_every_line(dezero, tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"x":3,"y":4}\n{"x":6,"y":8}\n')
    out = dezero("batch", str(path), "--expr", "g(r)", "r=hypot(x, y)", "g(t)=2*t").out
    assert [json.loads(line)["value"] for line in out.splitlines()] == [10.0, 20.0]
    assert [json.loads(line)["grad"]["x"] for line in out.splitlines()] == [1.2, 1.2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"expr":"x","vars":{"x":1},"hesian":true}', "unknown key 'hesian': did you mean hessian"),
        ('{"expr":"x","x":1}', "unknown key 'x': put x into"),
        ('{"expr":"x","vars":{"x":1},"wrt":3}', '"wrt" must be a list of names'),
        ('{"expr":"x","vars":{"x":1},"sigma":3}', '"sigma" must be an object'),
        ('{"expr":"r","defs":{"r":"x*"},"vars":{"x":1}}', "expected a value after '*', in x*"),
        ('{"expr":"r","defs":{"r":"s","s":"r"}}', "r needs s, which needs r"),
        ('{"expr":"x","vars":{"x":1},"defs":{"r":"@f"}}', "unexpected"),
    ],
)
def test_what_a_line_may_not_ask(dezero, tmp_path, line, message):
    path = tmp_path / "lines.jsonl"
    path.write_text(line + "\n")
    status, out, _ = dezero("batch", str(path))
    assert status == 1
    error = json.loads(out)["error"]["message"]
    assert message in error or message == "unexpected"


# ------------------------------------------------------------------------------- several results
def test_a_list_has_a_gradient_for_each_result(dezero):
    words = ("[v, phi]", "v=hypot(vx, vy)", "phi=atan2(vy, vx)", "vx=3", "vy=4")
    assert dezero("eval", *words).out.splitlines() == [
        "v         5.0",
        "dv/dvx    0.6",
        "dv/dvy    0.8",
        "phi       0.9272952180016122",
        "dphi/dvx -0.16",
        "dphi/dvy  0.12",
    ]
    found = json.loads(dezero("eval", *words, "--json", "--hessian", "--jacobian").out)
    assert found["names"] == ["v", "phi"] and found["defs"]["v"] == "hypot(vx, vy)"
    assert found["grad"]["vx"] == [0.6, -0.16]
    assert found["jacobian"]["vy"] == [0.8, 0.12]
    assert found["hessian"]["vx"]["vy"] == pytest.approx([-0.096, 0.0112])


def test_results_of_several_shapes_stand_side_by_side(dezero):
    found = json.loads(dezero("eval", "[x, sum(x), [1, 2, 3]]", "x=[1,2]", "--json").out)
    assert found["names"] == ["x", "value_2", "value_3"]
    assert found["value"] == [[1.0, 2.0], 3.0, [1.0, 2.0, 3.0]]
    assert found["grad"] == {"x": [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]}


def test_one_result_in_a_list_is_a_list(dezero):
    assert json.loads(dezero("eval", "[v]", "v=x**2", "x=3", "--json").out)["value"] == [9.0]


def test_columns_are_called_by_the_elements(dezero, tmp_path):
    pytest.importorskip("polars")
    path = tmp_path / "t.csv"
    path.write_text("vx,vy\n3,4\n")
    words = ("map", "[v, vx/vy]", str(path), "v=hypot(vx, vy)", "--only", "--hessian")
    header, row = dezero(*words, "--sigma", "vx=0.1").out.splitlines()
    assert header == (
        "v,value_2,d_v_vx,d_v_vy,d_value_2_vx,d_value_2_vy,"
        "d2_v_vx_vx,d2_v_vx_vy,d2_v_vy_vy,d2_value_2_vx_vx,d2_value_2_vx_vy,d2_value_2_vy_vy,"
        "sigma_v,sigma_value_2"
    )
    numbers = [5, 0.75, 0.6, 0.8, 0.25, -0.1875, 0.128, -0.096, 0.072, 0, -0.0625, 0.09375]
    assert list(map(float, row.split(","))) == pytest.approx([*numbers, 0.06, 0.025])
    chained = dezero("map", "v**2", str(path), "v=hypot(vx, vy)", "--as", "E").out.splitlines()
    assert chained[0] == "vx,vy,E,d_E_vx,d_E_vy" and chained[1].startswith("3,4,25.0,6.0,8.0")
    held = dezero("map", "v**2", str(path), "v=hypot(vx, vy)", "--wrt", "v", "--only").out
    assert held == "value,d_v\n25.0,10.0\n"


# ---------------------------------------------------------------------------------- formula files
LENS = """# a thin lens
n = 1.5                  # the glass
P(R) = (n - 1)/R         # the power of a face
f = 1/(P(R1) +           # a line goes on inside brackets
       P(R2))

image = 1/(1/f - 1/d)
"""


@pytest.fixture
def lens(tmp_path):
    path = tmp_path / "lens.dz"
    path.write_text(LENS)
    return path


def test_a_formula_file_is_an_expression(dezero, lens):
    found = json.loads(dezero("eval", f"@{lens}", "R1=1", "R2=2", "d=10", "--json").out)
    assert found["expr"] == "1/(1/f - 1/d)" and list(found["grad"]) == ["n", "R1", "R2", "d"]
    assert found["defs"] == {"P(R)": "(n - 1)/R", "f": "1/(P(R1) + P(R2))"}
    assert found["value"] == pytest.approx(1 / (1 / (1 / 0.75) - 0.1))
    again = json.loads(dezero("eval", f"@{lens}", "R1=1", "R2=2", "d=10", "n=2", "--json").out)
    assert again["value"] == pytest.approx(1 / (1.5 - 0.1))


def test_a_file_of_definitions_serves_any_command(dezero, lens):
    out = dezero("eval", "f", "--defs", str(lens), "R1=1", "R2=2").out
    assert out.startswith("value  1.3333333333333333")
    assert "d/dR1" in dezero("derive", f"@{lens}").out


def test_faults_of_a_formula_file_have_their_place(dezero, lens, tmp_path):
    status, _, err = dezero("eval", f"@{lens}", "R1=1", "R2=2")
    assert status == 2
    assert err.splitlines()[0] == f"error: {lens}:7:20: no value for d: add d=VALUE"
    path = tmp_path / "bad.dz"
    for text, message in [
        ("a = 1\nb = (x +\n  )\nb", "bad.dz:3:3: expected a value after '+'"),
        ("a = @f.csv\na", "a formula file cannot name another file"),
        ("# nothing\n\n", "bad.dz: has no formula"),
        ("a = 1\nf(x) = x", "the last line is the result"),
        ("a = 1\na = 2\na", "a is given twice"),
        ("`a # b` = 1\nx*", "bad.dz:2:3: expected a value after '*'"),
    ]:
        path.write_text(text)
        status, out, err = dezero("eval", f"@{path}", "x=1")
        assert (status, out) == (2, "") and message in err, text
    assert "no such file" in dezero("eval", f"@{tmp_path}/none.dz").err


# -------------------------------------------------------------------------------------- from Python
def test_a_model_in_python():
    decay = Model("a*exp(-k*t)", k="1/tau")
    assert decay.inputs == ("a", "tau", "t")
    assert decay(a=2, t=1, tau=4) == 2 * np.exp(-0.25)
    assert decay.gradient(a=2, t=1, tau=4)["a"] == np.exp(-0.25)
    assert decay.hessian(a=2, t=1, tau=4)["a"]["t"] == pytest.approx(-np.exp(-0.25) / 4)
    np.testing.assert_allclose(decay(a=2, t=[0, 1], tau=4), [2, 2 * np.exp(-0.25)])
    value, gradient = decay.compile()(a=2.0, t=np.arange(3.0), tau=4.0)
    np.testing.assert_allclose(value, 2 * np.exp(-np.arange(3) / 4))
    np.testing.assert_allclose(gradient["tau"], 2 * np.arange(3) / 16 * np.exp(-np.arange(3) / 4))
    assert Model("x**3").derive(order=2) == {"x,x": "6*x"}
    assert Model("[x, x*y]").derive("x") == {"x": ["1", "y"]}
    assert Model("[x, x*y]").gradient(x=2, y=3) == {"x": [1.0, 3.0], "y": [0.0, 2.0]}
    assert Model("g(`my x`)", {"g(t)": "t**2"})({"my x": 3}) == 9.0
    with pytest.raises(ValuesError, match="no value for tau: did you mean ta"):
        decay(a=2, t=1, ta=4)


def test_names_of_any_kind(capsys):
    assert run(["eval", "`Temp (°C)`*2 + `e`", "`Temp (°C)`=20", "`e`=1"]) == 0
    assert capsys.readouterr().out == "value         41.0\nd/dTemp (°C)  2.0\nd/de          1.0\n"
    assert run(["eval", "`e`*2"]) == 2
    assert "no value for e" in capsys.readouterr().err

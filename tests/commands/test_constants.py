"""The named constants: which there are, and what is said about an `e`."""

import math

import pytest

from dezero_cli.language.parser import parse

NOTE = "note: e is 2.718281828459045 here; "


@pytest.mark.parametrize("command", ["eval", "check"])
def test_tau_is_an_input(dezero, command):
    assert "no value for tau" in dezero(command, "exp(-t/tau)", "t=1").err
    assert dezero(command, "exp(-t/tau)", "t=1", "tau=2").status == 0


def test_tau_is_an_input_where_names_are_free(dezero, tmp_path):
    grad = dezero("derive", "exp(-t/tau)", "--json").json["grad"]
    value = dezero("eval", grad["tau"], "t=1", "tau=2", "--get", "value").out
    assert float(value) == pytest.approx(math.exp(-0.5) / 4, rel=1e-15)
    table = tmp_path / "t.csv"
    table.write_text("t\n1\n")
    assert "no column tau" in dezero("map", "exp(-t/tau)", str(table)).err
    assert "no value for tau" in dezero("plot", "exp(-t/tau)", "t=0:1", "-o", "-").err
    assert "no value for tau: add tau=VALUE" in dezero("eval", "t", "t=tau/2").err


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("e", True),
        ("e*x", True),
        ("x**e", True),
        ("e**e", True),
        ("sin(e)", True),
        ("x - e**-e", True),
        ("where(x, e**x, e)", True),
        ("pow(x, e)", True),
        ("e**x", False),
        ("e^(-x**2)", False),
        ("-(e)**2*x", False),
        ("pow(e, x)", False),
        ("1e3*x", False),
        ("x + e_0", False),
    ],
)
def test_an_e_that_is_not_the_base_of_a_power_is_noted(dezero, text, alone):
    assert parse(text).e_alone is alone
    outcome = dezero("derive", text)
    note = NOTE + "--wrt e makes it an input\n"
    assert outcome.status == 0 and (note in outcome.err) is alone
    assert dezero("derive", text, "--to", "c").err == note * alone
    assert NOTE not in dezero("derive", text, "--json").out


def test_an_e_that_is_an_input_is_not_noted(dezero, tmp_path):
    assert dezero("derive", "e*x", "--wrt", "e").err == ""
    assert dezero("graph", "e*x", "e=2", "x=1").err == ""
    target = str(tmp_path / "curve.svg")
    assert dezero("plot", "e*x", "x=0:1", "e=2", "-o", target).err == ""
    assert dezero("plot", "e*x", "x=2", "e=0:1", "-o", target).err == ""
    table = tmp_path / "t.csv"
    table.write_text("x,e\n1,2\n")
    assert dezero("map", "e*x", str(table)).err == ""
    assert dezero("eval", "e*x", "x=1").err == ""  # all names have values there


def test_each_command_says_what_works_there(dezero, tmp_path):
    note = NOTE + "e=VALUE gives it another value\n"
    outcome = dezero("graph", "e*x*e")
    assert outcome.status == 0 and outcome.err == note
    outcome = dezero("plot", "e*x", "x=0:1", "-o", str(tmp_path / "curve.svg"))
    assert outcome.status == 0 and outcome.err == note


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("form", ["tsv", "jsonl", "arrow"])
def test_a_table_is_noted_once(dezero, tmp_path, source, form):
    (tmp_path / "t.csv").write_text("x\n" + "1\n" * 3)
    table = str(tmp_path / f"t.{source}")
    if source != "csv":
        dezero("map", "x", str(tmp_path / "t.csv"), "--prefix", "r_", "-o", table)
    outcome = dezero("map", "e*x", table, "--to", form, "-o", str(tmp_path / "out"))
    assert outcome.status == 0 and outcome.err == NOTE + "e=VALUE gives it another value\n"
    outcome = dezero("map", "e*x", table, "e=2", "--to", form, "-o", str(tmp_path / "out"))
    assert outcome.status == 0 and outcome.err == ""


def test_retain_grad_is_for_what_is_made_of_constants_too(dezero):
    """d(sqrt(pi)*x)/d(sqrt(pi)) is x, and so with an input that is held fixed."""
    for words in (["sqrt(pi)*x"], ["sqrt(p)*x", "p=3.5", "--wrt", "x"], ["sqrt(3)*x"]):
        answer = dezero("eval", *words, "x=3", "--retain-grad", "--json").json
        assert list(answer["grad"]) == ["x"]
        assert [each["grad"] for each in answer["intermediates"]] == [3.0, 1.0]
    label = dezero("graph", "sqrt(pi)*x", "x=3").out
    assert "gradient 3" in label.replace("\\n", "\n")

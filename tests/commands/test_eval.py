"""`dezero eval`: what people type, and what they read."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from dezero_cli.language.parser import parse
from tests.conftest import on_terminal

DEZERO = [sys.executable, "-m", "dezero_cli"]


def shell(command, **options):
    """Run a real command line, where `dezero` is this package's console script."""
    script = f'dezero() {{ "{sys.executable}" -m dezero_cli "$@"; }}\n{command}'
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False, **options
    )


# ----------------------------------------------------------------------------------------- results
@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["x**3/2 - y", "x=2", "y=1"], "value  3.0\nd/dx   6.0\nd/dy  -1.0\n"),
        (["a*b+c", "a=3", "b=2", "c=1", "--no-grad"], "value  7.0\n"),
        (["-x**2", "x=3"], "value -9.0\nd/dx  -6.0\n"),
        (["--precision", "3", "-x/3", "x=1"], "value -0.333\nd/dx  -0.333\n"),
        (["-(x)", "x=-1"], "value  1.0\nd/dx  -1.0\n"),
        (["--2*x", "x=1"], "value  2.0\nd/dx   2.0\n"),
        (["x=2", "x*3"], "value  6.0\nd/dx   3.0\n"),
        (["a==b", "a=1", "b=1"], "value  1.0\nd/da   0.0\nd/db   0.0\n"),
        (["e+pi*0", "e=3"], "value  3.0\nd/de   1.0\n"),
        (["2+3"], "value  5.0\n"),
        (["θ*2", "θ=pi/4"], "value  1.5707963267948966\nd/dθ   2.0\n"),
        (["2**-1 + 2^3"], "value  8.5\n"),
        (["x", "x=1_000"], "value  1000.0\nd/dx   1.0\n"),
        (
            ["sum_of_x", "sum_of_x=1", "y=[1,2]"],
            "value        1.0\nd/dsum_of_x  1.0\nd/dy         [0.0, 0.0]\n",
        ),
    ],
)
def test_text(dezero, words, out):
    assert dezero("eval", *words) == (0, out, "")


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (["a*b+c", "a=3", "b=2", "c=1"], {"value": 7.0, "grad": {"a": 2.0, "b": 3.0, "c": 1.0}}),
        (["x*y", "x=2", "y=3", "--wrt", "y"], {"value": 6.0, "grad": {"y": 2.0}}),
        (
            ["x*y", "y=3", "x=2", "--wrt", "y", "--wrt", "x"],
            {"value": 6.0, "grad": {"y": 2.0, "x": 3.0}},
        ),
        (["x", "x=2", "--no-grad"], {"value": 2.0}),
        (["-x", "x=0"], {"value": -0.0, "grad": {"x": -1.0}}),
        (
            ["x*2", "x=[[1,2],[3,4]]"],
            {"value": [[2.0, 4.0], [6.0, 8.0]], "grad": {"x": [[2.0, 2.0], [2.0, 2.0]]}},
        ),
        (["sqrt(x)", "x=0"], {"value": 0.0, "grad": {"x": None}, "nonfinite": {"grad.x": "inf"}}),
        (
            ["1/x", 'x=[1,"inf",0]', "--no-grad"],
            {"value": [1.0, 0.0, None], "nonfinite": {"value[2]": "inf"}},
        ),
        (["x+0", "x=nan"], {"value": None, "grad": {"x": 1.0}, "nonfinite": {"value": "nan"}}),
    ],
)
def test_json(dezero, words, result):
    outcome = dezero("eval", *words, "--json")
    assert outcome.status == 0
    assert outcome.out.endswith("}\n") and outcome.out.count("\n") == 1
    assert outcome.json == {"expr": words[0], **result}
    assert list(outcome.json.get("grad", {})) == list(result.get("grad", {}))


def test_numbers_are_the_shortest_that_read_back(dezero):
    out = dezero("eval", "x/3", "x=1", "--json").out
    assert '"value":0.3333333333333333' in out
    assert dezero("eval", "x", "x=1e300").out.startswith("value  1e+300\n")


def test_no_grad_goes_through_using_config(dezero, monkeypatch):
    from dezero_cli.language import derivatives

    calls = []
    original = derivatives.using_config
    monkeypatch.setattr(derivatives, "using_config", lambda *a: calls.append(a) or original(*a))
    assert dezero("eval", "x**2", "x=3", "--no-grad").out == "value  9.0\n"
    assert calls == [("enable_backprop", False)]


def test_retain_grad_gives_every_intermediate(dezero):
    result = dezero("eval", "(a+b)*c/2", "a=1", "b=2", "c=4", "--retain-grad", "--json").json
    assert result["intermediates"] == [
        {"expr": "a+b", "value": 3.0, "grad": 2.0},
        {"expr": "(a+b)*c", "value": 12.0, "grad": 0.5},
        {"expr": "(a+b)*c/2", "value": 6.0, "grad": 1.0},
    ]
    assert result["grad"] == {"a": 2.0, "b": 2.0, "c": 1.5}


def test_uncertainties_are_propagated_to_first_order(dezero):
    result = dezero(
        "eval",
        "m*g*h",
        "m=2",
        "g=9.81",
        "h=3",
        "--sigma",
        "m=0.01",
        "--sigma",
        "h=0.05",
        "--wrt",
        "g",
        "--json",
    ).json
    parts = {"m": 9.81 * 3 * 0.01, "h": 2 * 9.81 * 0.05}
    total = np.hypot(*parts.values())
    assert result["sigma"] == pytest.approx(total, rel=1e-14)
    assert result["share"] == pytest.approx({n: (p / total) ** 2 for n, p in parts.items()})
    assert list(result["grad"]) == ["g"]
    assert dezero("eval", "x", "x=1", "--sigma", "x=-1").status == 2
    assert "did you mean length?" in dezero("eval", "length", "length=1", "--sigma", "lenght=1").err
    assert dezero("eval", "2*x", "x=[1,2]", "--sigma", "x=1", "--json").json["sigma"] == [2.0, 2.0]


# ----------------------------------------------------------------------------------------- values
def test_files(dezero, tmp_path):
    np.save(tmp_path / "x.npy", np.array([1, 2, 3]))
    (tmp_path / "x.json").write_text("[1, 2, 3]")
    (tmp_path / "x.csv").write_bytes(b"\xef\xbb\xbf1\r\n2\r\n\r\n3")
    (tmp_path / "all.json").write_text('{"x": [1, 2, 3], "k": "inf"}')
    for name in ("x.npy", "x.json", "x.csv"):
        assert dezero("eval", "x*2", f"x=@{tmp_path / name}", "--no-grad").out == (
            "value  [2.0, 4.0, 6.0]\n"
        )
    out = dezero("eval", "k*x", "k=2", "--vars", str(tmp_path / "all.json"), "--no-grad").out
    assert out == "value  [2.0, 4.0, 6.0]\n"


def test_values_from_standard_input():
    done = shell("""echo '{"x": 3}' | dezero eval 'x**2' --vars -""")
    assert (done.returncode, done.stdout) == (0, "value  9.0\nd/dx   6.0\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x"], "no value for x: add x=VALUE"),
        (["x", "x=foo"], "no value for foo: add foo=VALUE"),
        (["x", "x="], "x= has no value"),
        (["x", "x=@"], "x=@ needs a file name"),
        (["x+y", "x=1,y=2"], "values are separated by spaces: write x=1 y=..."),
        (["max(x)", "x=[]"], "an empty array has no max"),
        (["x", "x=1", "x=2"], "x is given twice"),
        (["x", "x=[1,2"], "x=[1,2 is not JSON"),
        (["x", "x=[1,[2]]"], "x must contain only numbers, not a list"),
        (["x", "x=[[1,2],[3]]"], "x has rows of different lengths"),
        (["x", "x=[true]"], "x must contain only numbers, not true or false"),
        (["x", "x=@/nonexistent.csv"], "/nonexistent.csv: no such file or directory"),
        (["x", "x=@data.xls"], "data.xls: expected a file that ends in .npy, .json, .txt, .csv"),
        (["x", "x", "=", "3"], "write NAME=VALUE without spaces"),
        (["x", "y", "x=1"], "unexpected 'y' after the expression"),
        (["x+y", "x=[1,2]", "y=[1,2,3]"], "shapes (2,) and (3,) do not match"),
        (["x", "x=1", "--wrt", "y"], "no value for y"),
        (["x", "x=1", "--jsno"], "no such option '--jsno'. Did you mean '--json'?"),
        (["x", "x=1", "--precision", "99"], "99 is not in the range 1<=x<=17"),
        ([], "missing the expression EXPR"),
        (["x", "1x=3"], "unexpected '1x=3' after the expression"),
    ],
)
def test_faults_are_one_message_and_status_2(dezero, words, message):
    status, out, err = dezero("eval", *words)
    assert status == 2 and out == ""
    assert err.startswith("error: ") and message in err
    assert len(err.splitlines()) in (1, 3)


def test_a_pickle_and_a_bad_line_are_refused(dezero, tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "pickled data is refused" in dezero("eval", "x", f"x=@{tmp_path / 'x.npy'}").err
    (tmp_path / "x.txt").write_text("1\ntwo\n")
    assert "x.txt:2: 'two' is not a number" in dezero("eval", "x", f"x=@{tmp_path / 'x.txt'}").err
    (tmp_path / "y.npy").write_bytes(b"nonsense")
    assert "not a NumPy array file" in dezero("eval", "x", f"x=@{tmp_path / 'y.npy'}").err


# -------------------------------------------------------------------------------------- not finite
@pytest.mark.parametrize(
    ("words", "note"),
    [
        (["1 + log(x)", "x=0"], "note: log(x) is -inf at x = 0.0 (column 5)"),
        (["2*sqrt(x)", "x=0"], "note: the derivative of sqrt(x) is inf at x = 0.0 (column 3)"),
        (
            ["1/h**5", "h=1e-55"],
            "note: the derivative of 1/h**5 is too large for a float64 at h = 1e-55 (column 1)",
        ),
        (["1/0"], "note: 1/0 is inf (column 1)"),
        (["y + 1/x", "x=[1,0]", "y=1"], "note: 1/x is inf at x[1] = 0.0 (column 5)"),
        (["x*y", "x=inf", "y=0"], "note: x is inf"),
        (
            ["x1e400 + 1e400", "x1e400=1"],
            "note: 1e400 is too large for a float64 (column 10)",
        ),
        (["exp(x*y)", "x=1000", "y=2"], "note: exp(x*y) is inf at x = 1000.0, y = 2.0 (column 1)"),
    ],
)
def test_a_result_that_is_not_finite_is_explained(dezero, words, note):
    status, _, err = dezero("eval", *words)
    assert (status, err) == (0, note + "\n")
    assert dezero("eval", *words, "--strict").status == 1


@pytest.mark.parametrize(
    ("expr", "given", "slope"),
    [
        ("clip(x, 0, 1)", ["x=1"], 0.0),
        ("clip(x, -1, 2/2)", ["x=1"], 0.0),
        ("clip(x, 0, y)", ["x=1", "y=1"], 0.5),
        ("clip(x, 0, 2*y)", ["x=1", "y=0.5"], 0.5),
        ("clip(x, 0, e)", ["x=1", "e=1"], 0.5),
        ("clip(x, 0, x)", ["x=5"], 1.0),
    ],
)
def test_the_slope_at_a_bound_is_the_same_whatever_is_asked_for(dezero, expr, given, slope):
    for asked in ([], ["--wrt", "x"], ["--retain-grad"], ["--hessian"]):
        result = dezero("eval", expr, *given, *asked, "--json").json
        assert result["grad"]["x"] == slope


def test_strict_is_content_with_finite_results(dezero):
    assert dezero("eval", "x", "x=1", "--strict").status == 0


# ---------------------------------------------------------------------------------- the terminal
def test_carets_stand_under_wide_letters(dezero):
    err = dezero("eval", "面积 + 2 3", "面积=1").err
    line, caret = err.splitlines()[1:]
    assert line == "  面积 + 2 3"
    assert caret.index("^") == 2 + 4 + len(" + 2 ")


def test_a_long_expression_is_shown_around_the_fault(dezero):
    err = dezero("eval", "+".join(["x"] * 500) + "+*" + "+".join(["y"] * 500), "x=1").err
    _, line, caret = err.splitlines()
    assert len(line) < 90 and line[caret.index("^")] == "*"


def test_commands_are_suggested(dezero):
    assert dezero("evla", "x").err == "error: no command 'evla': did you mean eval?\n"
    assert "the commands are" in dezero("zzz").err


def test_help_and_version(dezero):
    assert dezero("--help").out == dezero("-h").out
    assert "NAME=VALUE" in dezero("eval", "--help").out
    assert dezero("--version").out.startswith("dezero 0.")
    assert dezero().status == 2


def test_a_closed_pipe_ends_quietly():
    done = shell("dezero functions | head -1; echo ${PIPESTATUS[0]}")
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "0"
    done = shell("dezero eval x x=1 | true; echo ${PIPESTATUS[0]}")
    assert (done.stderr, done.stdout) == ("", "0\n")


def test_a_full_disk_is_one_line_and_status_1():
    done = shell("dezero eval x x=1 > /dev/full")
    assert done.returncode == 1 and done.stderr == "error: output: no space left on device\n"


DURING_IMPORTS = """
class Finder:
    def find_spec(self, name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""
AS_PYTHON_ENDS = "atexit.register(os.kill, os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize("moment", [DURING_IMPORTS, AS_PYTHON_ENDS])
def test_an_interruption_before_or_after_the_work_is_quiet(moment):
    code = f"import atexit, os, signal, sys\n{moment}\nfrom dezero_cli.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "eval", "1"], capture_output=True)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_interruption_is_status_130():
    streams = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen([*DEZERO, "eval", "x", "--vars", "-"], **streams) as process:
        process.stdin.write(b" " * 1_000_000)  # more than a pipe holds: it is being read
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in err


def test_off_a_terminal_there_is_no_colour_and_on_one_no_color_is_honoured():
    def errors(**environment):
        leader, child = pty.openpty()
        command = [*DEZERO, "eval", "1+"]
        variables = {**os.environ, "TERM": "xterm", **environment}
        subprocess.run(command, stderr=child, env=variables, check=False, timeout=60)
        os.close(child)
        return on_terminal(leader).decode()

    assert "\x1b" in errors()
    assert "\x1b" not in errors(NO_COLOR="1")
    assert "\x1b" not in shell("dezero eval '1+'").stderr


def test_every_part_of_a_result_has_its_lines(dezero):
    words = ["x**2*y", "x=2", "y=3", "--jacobian", "--hessian", "--retain-grad"]
    lines = [line.split() for line in dezero("eval", *words).out.splitlines()]
    assert lines == [
        ["value", "12.0"],
        ["d/dx", "12.0"],
        ["d/dy", "4.0"],
        ["jacobian", "x", "12.0"],
        ["jacobian", "y", "4.0"],
        ["d2/dx2", "6.0"],
        ["d2/dxdy", "4.0"],
        ["d2/dy2", "0.0"],
        ["x**2", "4.0"],
        ["d/d(x**2)", "3.0"],
        ["x**2*y", "12.0"],
        ["d/d(x**2*y)", "1.0"],
    ]
    shown = dezero(
        "eval", "x*y", "x=3", "y=4", "--sigma", "x=0.3", "--sigma", "y=0.3", "--precision", "4"
    ).out
    assert [line.split() for line in shown.splitlines()[3:]] == [
        ["sigma", "1.5"],
        ["share", "of", "x", "0.64"],
        ["share", "of", "y", "0.36"],
        ["12.0", "±", "1.5"],
    ]


def test_the_same_text_is_parsed_once():
    assert parse("a*b + 1") is parse("a*b + 1")


def test_functions_lists_names_aliases_and_constants(dezero):
    text = dezero("functions").out
    assert "arcsin(x)" in text and "asin" in text and "3.141592653589793" in text
    listing = json.loads(dezero("functions", "--json").out)
    assert {"sqrt", "where", "clip"} <= {function["name"] for function in listing["functions"]}
    assert list(listing["constants"]) == ["pi", "e", "inf", "nan"]
    assert listing["constants"]["pi"] == 3.141592653589793
    for function in listing["functions"]:
        if "derivative" in function:  # a function of numbers
            words = [f"{name}=1" for name in re.findall(r"\w+", function["call"])[1:]]
            assert dezero("eval", function["call"], *words, "--no-grad").status == 0

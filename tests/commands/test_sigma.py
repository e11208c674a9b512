"""`--sigma`: propagated uncertainties beside those of the package `uncertainties`."""

import json
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from uncertainties import ufloat, umath

from dezero import functions as F
from dezero_cli.language.parser import parse
from dezero_cli.language.results import Wanted
from dezero_cli.tables import step as steps
from dezero_cli.uncertainty.asked import Asked
from dezero_cli.uncertainty.results import results
from tests.conftest import cases

ROOT = Path(__file__).parents[2]


def cube_root(x):
    """What `uncertainties` has no function for, in its own operators."""
    return math.copysign(1, x.n) * abs(x) ** (1 / 3)


THEIRS = {
    known.name: getattr(umath, name) for name, known in F.NAMES.items() if hasattr(umath, name)
}
THEIRS |= {"abs": abs, "cbrt": cube_root}
NAMES = {
    name: THEIRS[known.name] for name, known in F.NAMES.items() if known.name in THEIRS
} | F.CONSTANTS
CASES = [case for case in cases() if case["smooth"] and case.get("grad")]


def sigmas_of(case):
    """A standard uncertainty for each input, to each another share of it."""
    return {
        name: 0.01 * (i + 1) * max(abs(value), 0.1)
        for i, (name, value) in enumerate(case["vars"].items())
    }


def oracle(case):
    """The uncertainty that the package gives; None where it lacks a function."""
    number = r"(?<![\w.])(\d[\d_]*)(?![\w.])"
    text = re.sub(number, r"\1.0", case["expr"].strip().replace("^", "**"))
    inputs = {name: ufloat(case["vars"][name], s) for name, s in sigmas_of(case).items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(eval(text, {"__builtins__": {}}, NAMES | inputs), "s", 0.0)
    except NameError:
        return None


def close(got, expected, case):
    """Within 1e-12, or 4 times the rounding noise of the gradient at that point."""
    noise = math.hypot(*(case["noise"]["grad"][name] * s for name, s in sigmas_of(case).items()))
    return abs(got - expected) <= max(1e-12 * abs(expected), 4 * noise)


@pytest.fixture(scope="module")
def oracles():
    """The cases that the package can do, each with its uncertainty."""
    found = [(case, oracle(case)) for case in CASES]
    return [(case, sigma) for case, sigma in found if sigma is not None]


def test_nearly_all_cases_are_compared(oracles):
    assert len(oracles) == 2309
    assert len(CASES) - len(oracles) == 47  # those of min, max, maximum and log2


def test_eval(oracles):
    wrong = []
    for case, expected in oracles:
        arrays = {name: np.array(value) for name, value in case["vars"].items()}
        sigmas = {name: np.array(s) for name, s in sigmas_of(case).items()}
        found = results(parse(case["expr"]), arrays, Wanted(), Asked(sigmas))
        sigma, shares = found["sigma"], found["share"]
        if not close(sigma, expected, case):
            wrong.append((case["id"], sigma, expected))
        if sigma and abs(sum(shares.values()) - 1) > 1e-12:
            wrong.append((case["id"], shares))
    assert wrong == []


@pytest.mark.unmeasured
def test_map(oracles, monkeypatch):
    """Each case as a table of one row, numbers and columns for S in turn; without machine code."""

    class Plain:
        def __init__(self, program):
            self.program = program

        def run(self, columns, threads):
            return self.program.run(columns)

    monkeypatch.setattr(steps.native, "compiled", Plain)
    wrong = []
    for i, (case, expected) in enumerate(oracles):
        sigmas = sigmas_of(case)
        table = dict(case["vars"])
        texts = {name: repr(s) for name, s in sigmas.items()}
        if i % 2:
            table |= {f"s_{name}": s for name, s in sigmas.items()}
            texts = {name: f"s_{name}" for name in sigmas}
        plan = steps.Plan(case["expr"], only=True, sigmas=texts)
        step = steps.Step(plan, list(table))
        arrays = {name: np.array([table[name]]) for name in step.columns}
        sigma = step.run(arrays, 1)[step.results.index("sigma")][0]
        if not close(sigma, expected, case):
            wrong.append((case["id"], sigma, expected))
    assert wrong == []


def test_the_commands_agree(dezero, tmp_path, oracles):
    table = tmp_path / "t.csv"
    for case, _ in oracles[:: len(oracles) // 12]:
        sigmas = {name: repr(s) for name, s in sigmas_of(case).items()}
        options = [word for name, s in sigmas.items() for word in ("--sigma", f"{name}={s}")]
        values = [f"{name}={value!r}" for name, value in case["vars"].items()]
        alone = dezero("eval", case["expr"], *values, *options, "--json").json
        names, cells = case["vars"], map(repr, case["vars"].values())
        table.write_text(",".join(names) + "\n" + ",".join(cells) + "\n", encoding="utf-8")
        outcome = dezero("map", case["expr"], str(table), *options, "--only", "--to", "jsonl")
        row = json.loads(outcome.out)
        assert row["sigma"] == pytest.approx(alone["sigma"], rel=1e-12), case["id"]


def test_a_number_or_a_column_and_constants(dezero, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y,sx\n2,3,0.1\n2,3,\n2,3,-1\n", encoding="utf-8")
    words = ["map", "k*x*y", str(table), "k=1", "--only", "--no-grad"]
    assert dezero(*words, "--sigma", "x=sx").status == 2  # a gradient is needed
    words[-1:] = ["--wrt", "y", "--sigma", "x=sx", "--sigma", "y=0.2", "--sigma", "k=pi/10"]
    outcome = dezero(*words)
    assert outcome.out.startswith("value,d_y,sigma\n6.0,2.0,")
    sigmas = [float(line.split(",")[2]) for line in outcome.out.splitlines()[1:]]
    assert sigmas[0] == pytest.approx(math.hypot(3 * 0.1, 2 * 0.2, 6 * math.pi / 10), rel=1e-15)
    assert np.isnan(sigmas[1:]).all()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("z=1", "--sigma z: no column z: add z=VALUE"),
        ("x=sxx", "--sigma x=sxx: no column sxx: did you mean sx?"),
        ("x=-1", "--sigma x=-1: expected a column or a number that is not negative"),
        ("x=[1,2]", "--sigma x=[1,2]: expected a column or a number that is not negative"),
        ("x=@f.csv", "--sigma x=@f.csv: expected a column or a number that is not negative"),
        ("x", "--sigma: expected NAME=S, got 'x'"),
    ],
)
def test_what_is_typed_wrong(dezero, tmp_path, option, message):
    (tmp_path / "t.csv").write_text("x,sx\n1,2\n", encoding="utf-8")
    outcome = dezero("map", "x**2", str(tmp_path / "t.csv"), "--sigma", option)
    assert (outcome.status, outcome.err) == (2, f"error: {message}\n")


def test_a_batch_propagates_as_eval_does(dezero, tmp_path):
    """Alone and stacked, from numbers and from another value of the line."""
    lines = [f"x*sin(y)*z ; x={x} y=0.5 z=2 s=0.{x}" for x in (1, 2, 3, 0)]
    file = tmp_path / "lines.txt"
    file.write_text("".join(line + "\n" for line in lines))
    options = ("--sigma", "x=0.1", "--sigma", "y=s", "--wrt", "x")
    answers = dezero("batch", str(file), *options).out.splitlines()
    for number, (line, answer) in enumerate(zip(lines, answers, strict=True), 1):
        text, _, assigned = line.partition(" ; ")
        alone = dezero("eval", text, *assigned.split(), *options, "--json").out
        assert answer == alone.replace("{", f'{{"line":{number},', 1).strip()
    assert json.loads(answers[0])["share"].keys() == {"x", "y"}


def test_faults_of_sigma_in_a_batch(dezero, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("x+y ; x=1 y=2\nx ; x=1\nx*y ; x=1 y=[1,2]\n")
    outcome = dezero("batch", str(file), "--sigma", "y=0.1")
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert outcome.status == 1 and answers[0]["sigma"] == 0.1
    assert answers[1]["error"]["message"].startswith("--sigma y: no value for y")
    assert answers[2]["sigma"] == pytest.approx([0.1, 0.1], rel=1e-15)
    assert dezero("batch", str(file), "--sigma", "y=").status == 2
    assert dezero("batch", str(file), "--sigma", "y=1", "--sigma", "y=2").status == 2
    assert "negative" in dezero("batch", str(file), "--sigma", "y=-1").err


def test_the_pendulums_of_the_manual_are_what_their_script_makes():
    command = [sys.executable, "pendulum.py"]
    made = subprocess.run(command, cwd=ROOT / "docs" / "data", capture_output=True, check=True)
    assert made.stdout == (ROOT / "docs" / "data" / "pendulum.csv").read_bytes()

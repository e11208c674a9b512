"""The formula files of the manual, each against a computation of another kind.

The end gauge's figures are among the examples of ``tests/uncertainty``.
"""

import ctypes
import itertools
import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp

from dezero.programs import native
from dezero_cli import Model
from dezero_cli.language import formula_file, statements, symbolic

MODELS = Path(__file__).parents[2] / "docs" / "models"
ANGLES = ("base", "shoulder", "elbow")


def words(values):
    return [f"{name}={value!r}" for name, value in values.items()]


def model(name):
    """The model of a formula file, with the values that it gives."""
    *others, last = formula_file.statements(str(MODELS / name))
    begun = statements.head(last)
    given = statements.given(others, files=False)
    return given.linked(last.after(begun.end) if begun else last), given.values


def test_every_file_is_tried_and_on_the_page():
    pages = (MODELS.parent / "how-to" / f"{name}.md" for name in ("models", "uncertainty"))
    page = "".join(each.read_text(encoding="utf-8") for each in pages)
    names = sorted(path.name for path in MODELS.iterdir())
    assert names == ["arm.dz", "black-scholes.dz", "end-gauge.dz", "lenses.dz"]
    assert all(f"cat docs/models/{name}\n" in page for name in names)


# ------------------------------------------------------------------------------- Black and Scholes
def expected_payoff(S, K, T, r, vol, q):
    """The price as what the option is worth at its end, on average: an integral."""
    drift, spread = (r - q - vol**2 / 2) * T, vol * mp.sqrt(T)
    least = (mp.log(K / S) - drift) / spread
    worth = lambda u: (S * mp.exp(drift + spread * u) - K) * mp.npdf(u)  # noqa: E731
    return mp.exp(-r * T) * mp.quad(worth, [least, 0, 4, 8, 20])


def slopes_of_price(option, name):
    """The price and its first two derivatives for an input, from 30 digits of the integral."""
    x, step = mp.mpf(option[name]), mp.mpf(10) ** -8
    below, at, above = (expected_payoff(**option | {name: x + k * step}) for k in (-1, 0, 1))
    return at, (above - below) / (2 * step), (above - 2 * at + below) / step**2


OPTION = {"S": 100.0, "K": 95.0, "T": 0.5, "r": 0.03, "vol": 0.25, "q": 0.02}


@pytest.mark.parametrize("strike", [60.0, 95.0, 140.0])
def test_the_price_of_a_call_and_its_greeks(dezero, strike):
    option = OPTION | {"K": strike}
    path = f"@{MODELS}/black-scholes.dz"
    found = json.loads(dezero("eval", path, *words(option), "--hessian", "--json").out)
    with mp.workdps(30):
        for name in option:
            price, slope, bend = map(float, slopes_of_price(option, name))
            assert found["value"] == pytest.approx(price, rel=1e-13)
            assert found["grad"][name] == pytest.approx(slope, rel=1e-12), name
            assert found["hessian"][name][name] == pytest.approx(bend, rel=1e-9), name


def test_a_put_and_a_call_differ_by_the_forward(dezero):
    words_ = ["--defs", f"{MODELS}/black-scholes.dz", "put=call - S*exp(-q*T) + K*exp(-r*T)"]
    found = json.loads(dezero("eval", "[call, put]", *words_, *words(OPTION), "--json").out)
    call, put = found["value"]
    assert call - put == pytest.approx(100 * np.exp(-0.01) - 95 * np.exp(-0.015), rel=1e-14)
    deltas = found["grad"]["S"]
    assert deltas[0] - deltas[1] == pytest.approx(np.exp(-0.01), rel=1e-14)


# -------------------------------------------------------------------------------------- two lenses
def through(f1, f2, gap, distance):
    """Image and size by ray transfer matrices: in an image no height depends on the angle."""
    lens = [np.array([[1, 0], [-1 / f, 1]]) for f in (f1, f2)]
    space = [np.array([[1, length], [0, 1]]) for length in (distance, gap)]
    (a, b), (c, d) = lens[1] @ space[1] @ lens[0] @ space[0]
    image = -b / d
    return image, a + image * c


def test_two_lenses_with_uncertainties(dezero):
    chance = random.Random("lenses")
    for _ in range(20):
        at = {
            "f1": chance.uniform(30, 70),
            "f2": chance.uniform(60, 110),
            "gap": chance.uniform(250, 400),
            "distance": chance.uniform(90, 150),
        }
        sigmas = {name: chance.uniform(0.1, 1) for name in at}
        options = [word for each in words(sigmas) for word in ("--sigma", each)]
        path = f"@{MODELS}/lenses.dz"
        found = json.loads(dezero("eval", path, *words(at), *options, "--json").out)
        assert found["names"] == ["image", "size"]
        assert found["value"] == pytest.approx(through(**at), rel=1e-11)
        slopes = {n: np.imag(through(**at | {n: at[n] + 1e-30j})) * 1e30 for n in at}
        for name in at:
            assert found["grad"][name] == pytest.approx(slopes[name], rel=1e-10)
        spread = np.sqrt(sum((slopes[n] * sigmas[n]) ** 2 for n in at))
        assert found["sigma"] == pytest.approx(spread, rel=1e-10)


# ------------------------------------------------------------------------------------------ an arm
def turned(axis, angle):
    """The matrix of a rotation about an axis, by Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], float)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def hand(base, shoulder, elbow, height, upper, fore):
    """The hand's place by a product of rotations, and its Jacobian by each joint's own axis."""
    up, sideways = np.array([0.0, 0, 1]), np.array([0.0, -1, 0])
    first = turned(up, base)
    second = first @ turned(sideways, shoulder)
    third = second @ turned(sideways, elbow)
    joint = np.array([0, 0, height])
    knee = joint + second @ [upper, 0, 0]
    end = knee + third @ [fore, 0, 0]
    columns = [np.cross(up, end), np.cross(first @ sideways, end - joint)]
    return end, np.array([*columns, np.cross(first @ sideways, end - knee)])


def test_the_hand_of_an_arm_and_its_jacobian(dezero):
    chance = random.Random("arm")
    expression, lengths = model("arm.dz")
    program = symbolic.program(expression.results[0], expression.names, ANGLES)
    for _ in range(20):
        angles = {name: chance.uniform(-3, 3) for name in ANGLES}
        options = [word for name in ANGLES for word in ("--wrt", name)]
        path = f"@{MODELS}/arm.dz"
        found = json.loads(
            dezero("eval", path, *words(angles), *options, "--jacobian", "--json").out
        )
        place, columns = hand(**angles, **{n: float(x) for n, x in lengths.items()})
        assert found["names"] == ["x", "y", "z"]
        assert found["value"] == pytest.approx(place, rel=1e-13, abs=1e-15)
        for name, column in zip(ANGLES, columns, strict=True):
            assert found["jacobian"][name] == pytest.approx(column, rel=1e-13, abs=1e-15)
        arrays = {n: np.array([x]) for n, x in (angles | lengths).items()}
        rows = np.array(native.compiled(program).run(arrays))[:, 0]
        assert rows == pytest.approx([place[0], *columns[:, 0]], rel=1e-13, abs=1e-15)


def test_the_derived_formulas_of_the_arm(dezero):
    """What `derive` prints is a formula of the joints and lengths alone, and right."""
    out = json.loads(dezero("derive", f"@{MODELS}/arm.dz", "--json").out)
    angles = {"base": 0.3, "shoulder": 0.9, "elbow": -0.6}
    lengths = {"height": 0.4, "upper": 0.5, "fore": 0.35}
    _, columns = hand(**angles, **lengths)
    for name, i in itertools.product(ANGLES, range(3)):
        formula = Model(out["grad"][name][i])
        assert set(formula.inputs) <= {*angles, *lengths}
        got = formula({n: x for n, x in (angles | lengths).items() if n in formula.inputs})
        assert got == pytest.approx(columns[ANGLES.index(name)][i], rel=1e-13, abs=1e-15)


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed")
def test_the_arm_in_c(dezero, tmp_path):
    options = ("--wrt", ",".join(ANGLES), "--to", "c", "--name", "hand")
    code = dezero("derive", f"@{MODELS}/arm.dz", *options).out
    (tmp_path / "hand.c").write_text(code)
    command = "cc -std=c99 -Wall -Werror -shared -fPIC -o hand.so hand.c -lm"
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    at = {"base": 0.3, "shoulder": 0.9, "elbow": -0.6, "height": 0.4, "upper": 0.5, "fore": 0.35}
    place, columns = hand(**at)
    value, gradient = (ctypes.c_double * 3)(), (ctypes.c_double * 9)()
    names = re.findall(r"double (\w+),", code)
    assert sorted(names) == sorted(at)
    numbers = [ctypes.c_double(at[name]) for name in names]
    ctypes.CDLL(str(tmp_path / "hand.so")).hand(*numbers, value, gradient)
    assert list(value) == pytest.approx(place, rel=1e-14)
    assert list(gradient) == pytest.approx(columns.T.reshape(-1), rel=1e-14, abs=1e-15)

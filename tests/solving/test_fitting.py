"""fit from Python: the fits of others, data frames, what is left out, clear faults."""

import inspect
import json
import typing

import numpy as np
import polars as pl
import pytest
from scipy.optimize import curve_fit

import dezero_cli
from dezero_cli import fit
from dezero_cli.faults import ExpressionError, UsageError, ValuesError
from tests.conftest import DATA

T = np.array([0, 2, 5, 10, 20, 40.0])
Y = np.array([92.1, 80.4, 66.9, 51.5, 34.2, 24.1])
DECAY = "y == room + a*exp(-k*t)"
TEA = {"t": T, "y": Y}


def by_scipy(sigma, absolute):
    values, covariance = curve_fit(
        lambda t, room, a, k: room + a * np.exp(-k * t),
        *(T, Y, [20, 70, 0.1], sigma, absolute),
        xtol=1e-14,
        ftol=1e-14,
    )
    return dict(zip(("room", "a", "k"), values)), covariance


@pytest.mark.parametrize(("sigma", "scaled"), [(None, True), (0.5, False), ([0.5] * 6, False)])
def test_a_fit_is_that_of_scipy(sigma, scaled):
    found = fit(DECAY, TEA, {"k": 0.1}, sigma=None if sigma is None else {"y": sigma})
    values, covariance = by_scipy(np.full(6, 0.5), not scaled)
    assert (found.converged, found.scaled, found.rows) == (True, scaled, 6)
    assert found.names == ("room", "a", "k") == (*found.values,)
    assert found.values == pytest.approx(values, rel=1e-7)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-5)
    sigmas = dict(zip(found.names, np.sqrt(np.diag(found.covariance))))
    assert found.sigmas == pytest.approx(sigmas, rel=1e-14)


@pytest.mark.parametrize("name", ["Misra1a", "Thurber", "MGH10"])
def test_certified_values(name):
    every = json.loads((DATA / "fit" / "nist_strd.json").read_text(encoding="utf-8"))["problems"]
    for problem in (each for each in every if each["name"] == name):
        data = dict(zip(problem["columns"], np.array(problem["data"]).T, strict=True))
        start = dict(zip(problem["params"], problem["start1"], strict=True))
        found = fit(f"{problem['response']} == {problem['model']}", data, start)
        exact = dict(zip(problem["params"], map(float, problem["exact"]), strict=True))
        assert found.values == pytest.approx(exact, rel=1e-10)


def test_the_command_gives_the_same(dezero):
    words = [f"t={T.tolist()}", f"y={Y.tolist()}", "k=0.1", "--sigma", "y=0.5", "--json"]
    told = dezero("fit", DECAY, *words).json
    found = fit(DECAY, TEA, {"k": 0.1}, sigma={"y": 0.5})
    assert {n: each["value"] for n, each in told["params"].items()} == found.values
    assert {n: tuple(each["interval"]) for n, each in told["params"].items()} == found.intervals
    for key in ("chi2", "dof", "residual_sigma", "r2", "aic", "bic", "rows", "steps", "message"):
        assert told[key] == getattr(found, key)
    assert told["correlation"]["a"]["k"] == found.correlation[1, 2]


def test_a_data_frame_with_a_missing_number_and_a_definition():
    frame = pl.DataFrame({"t": [*T, 50.0], "y": [*Y, None], "other": ["text"] * 7})
    found = fit("y == room + swing", frame, {"tau": 10}, define={"swing": "a*exp(-t/tau)"})
    assert (found.rows, found.left_out) == (6, 1)
    assert 1 / found.values["tau"] == pytest.approx(fit(DECAY, TEA, {"k": 0.1}).values["k"])


def test_what_is_held_and_what_is_bounded():
    held = fit(DECAY, TEA, {"k": 0.1}, {"room": 22})
    assert (*held.values,) == ("a", "k")
    bounded = fit(DECAY, TEA, within={"k": (0, 0.05)})
    assert bounded.values["k"] == 0.05 and bounded.at_limits == ("k",)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: fit(DECAY, TEA), UsageError, "k needs a start"),
        (lambda: fit(DECAY, TEA, {"q": 1}), ValuesError, "no q among the parameters"),
        (lambda: fit(DECAY, TEA, {"k": [1, 2]}), ValuesError, "k has shape"),
        (lambda: fit("y == a*t + b*t", TEA), UsageError, "a and b are not determined apart"),
        (lambda: fit("y = a*t", TEA), ExpressionError, "write y == a"),
        (lambda: fit("y == t", TEA), UsageError, "nothing to be found"),
        (lambda: fit("z == a*x", TEA), UsageError, "no name of the equation is a column"),
        (lambda: fit("y == a*t", 3), ValuesError, "expected columns by name"),
        (lambda: fit("y == a*t", {"y": ["one"], "t": [1]}), ValuesError, "y: not a column"),
        (lambda: fit("y == a*t", {"y": [[1]], "t": [1]}), ValuesError, "y has shape"),
        (lambda: fit("y == a*t", {"y": [1, 2], "t": [1]}), ValuesError, "t has 1 values|y has 2"),
        (lambda: fit("y == a*t", TEA, values={"t": 1}), ValuesError, "t is a column"),
        (lambda: fit("y == a*t", TEA, define={"t": "1"}), ValuesError, "t is a column"),
        (lambda: fit("y == a*t", TEA, sigma={"y": [1, 2]}), ValuesError, "y has 2 values"),
        (lambda: fit("y == a*t", TEA, sigma={"a": 1}), ValuesError, "no a among the columns"),
        (lambda: fit("y == a*t", TEA, sigma={"y": -1}), UsageError, "is more than 0"),
        (lambda: fit("y == a*t", TEA, robust="l1"), ValuesError, "expected one of huber"),
        (lambda: fit("y == a*t", TEA, level=95), ValuesError, "between 0 and 1"),
        (lambda: fit("y == a*t", TEA, starts=0), ValuesError, "1 or more"),
        (lambda: fit("y == a*t", TEA, {"a": 3}, within={"a": (0, 1)}), ValuesError, "not between"),
    ],
)
def test_a_call_that_cannot_be_is_refused(call, kind, said):
    with pytest.raises(kind, match=said):
        call()


def test_every_argument_and_result_has_a_type():
    hints = typing.get_type_hints(dezero_cli.fit)
    assert {*hints} == {*inspect.signature(dezero_cli.fit).parameters, "return"}

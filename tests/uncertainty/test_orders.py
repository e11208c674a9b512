"""First and second order: laws, against another package and against moments that are known.

DEZERO_LAWS sets how many expressions are drawn (default: 60).
"""

import math
import os
import random
import re
import warnings

import numpy as np
import pytest
from uncertainties import correlated_values_norm, umath

from dezero import functions as F
from dezero_cli.faults import ValuesError
from dezero_cli.language import derivatives, statements
from dezero_cli.language.parser import parse
from dezero_cli.language.results import Wanted
from dezero_cli.uncertainty import first_order, second_order
from dezero_cli.uncertainty.asked import Asked
from dezero_cli.uncertainty.inputs import resolved
from dezero_cli.uncertainty.results import results
from tests.conftest import cases

DRAWN = int(os.environ.get("DEZERO_LAWS", "60"))
CASES = [case for case in cases() if case["smooth"] and case.get("grad") and len(case["vars"]) > 1]
THEIRS = {
    known.name: getattr(umath, name) for name, known in F.NAMES.items() if hasattr(umath, name)
} | F.CONSTANTS


def correlations(chance, names):
    """A correlation matrix by chance, and the same by pairs of names."""
    factors = chance.standard_normal((len(names), len(names) + 1))
    matrix = first_order.correlation(factors @ factors.T)
    pairs = {(names[i], names[j]): matrix[i, j] for j in range(len(names)) for i in range(j)}
    return matrix, pairs


def asked_of(sigmas, pairs=None):
    return Asked({name: np.array(float(s)) for name, s in sigmas.items()}, correlations=pairs or {})


def moments(expression, values, asked):
    given, inputs = resolved(asked, {n: np.array(v, float) for n, v in values.items()})
    return second_order.moments(expression, given, inputs)


# ------------------------------------------------------------------------------ first order
def test_the_package_uncertainties_agrees_where_inputs_are_correlated():
    chance = np.random.default_rng(5)
    compared = 0
    pick = random.Random(5)
    while compared < DRAWN:
        case = pick.choice(CASES)
        names = list(case["vars"])
        sigmas = {n: 0.01 * (i + 1) * max(abs(case["vars"][n]), 0.1) for i, n in enumerate(names)}
        matrix, pairs = correlations(chance, names)
        pairs_of = [(case["vars"][name], sigmas[name]) for name in names]
        inputs = correlated_values_norm(pairs_of, matrix)
        text = re.sub(r"(?<![\w.])(\d[\d_]*)(?![\w.])", r"\1.0", case["expr"].replace("^", "**"))
        scope = THEIRS | dict(zip(names, inputs, strict=True))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = getattr(eval(text.strip(), {"__builtins__": {}}, scope), "s", 0.0)
        except (NameError, TypeError):  # what it has no function for
            continue
        arrays = {name: np.array(value) for name, value in case["vars"].items()}
        found = results(parse(case["expr"]), arrays, Wanted(), asked_of(sigmas, pairs))
        parts = [case["grad"][n] * s for n, s in sigmas.items() if n in case["grad"]]
        noise = sum(case["noise"]["grad"][n] * s for n, s in sigmas.items() if n in case["grad"])
        allowed = 1e-12 * math.hypot(*parts) + 4 * noise
        assert abs(found["sigma"] - theirs) <= allowed, case["id"]
        if found["sigma"]:
            rounding = 1e-12 * max(1.0, *(abs(share) for share in found["share"].values()))
            assert abs(sum(found["share"].values()) - 1) < rounding, case["id"]
        compared += 1


def test_lists_have_the_covariance_of_their_gradients():
    chance = np.random.default_rng(1)
    names = ["x", "y", "z"]
    matrix, pairs = correlations(chance, names)
    sigmas = dict(zip(names, [0.1, 0.2, 0.3], strict=True))
    covariance = matrix * np.outer([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    values = {"x": np.array(1.5), "y": np.array(0.5), "z": np.array(-1.0)}
    found = results(parse("[x*y, sin(z)*x, y]"), values, Wanted(), asked_of(sigmas, pairs))
    jacobian = np.array([[0.5, 1.5, 0], [math.sin(-1), 0, 1.5 * math.cos(-1)], [0, 1, 0]])
    expected = jacobian @ covariance @ jacobian.T
    np.testing.assert_allclose(found["covariance"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["sigma"], np.sqrt(np.diagonal(expected)), rtol=1e-12)
    np.testing.assert_allclose(first_order.propagated(jacobian, covariance), expected, rtol=1e-12)
    scale = np.sqrt(np.diagonal(expected))
    np.testing.assert_allclose(found["correlation"], expected / np.outer(scale, scale), rtol=1e-12)


def test_arrays_are_their_elements():
    """An array with uncertainties is as many inputs; two arrays are correlated in pairs."""
    asked = asked_of({"x": 0.5, "y": 0.25}, {("x", "y"): 0.5})
    arrays = {"x": np.array([1.0, 2.0]), "y": np.array([3.0, 4.0])}
    found = results(parse("sum(x*y**2)"), arrays, Wanted(), asked)
    elements = asked_of(
        {"a": 0.5, "b": 0.5, "c": 0.25, "d": 0.25}, {("a", "c"): 0.5, ("b", "d"): 0.5}
    )
    numbers = {name: np.array(float(i)) for i, name in enumerate("abcd", 1)}
    single = results(parse("a*c**2 + b*d**2"), numbers, Wanted(), elements)
    assert found["sigma"] == pytest.approx(single["sigma"], rel=1e-14)
    share = single["share"]
    assert found["share"]["x"] == pytest.approx(share["a"] + share["b"], rel=1e-14)
    assert found["share"]["x,y"] == pytest.approx(share["a,c"] + share["b,d"], rel=1e-14)
    one = moments(parse("sum(x*y**2)"), arrays, asked)[0]
    other = moments(parse("a*c**2 + b*d**2"), numbers, elements)[0]
    assert one == pytest.approx(other, rel=1e-13)


@pytest.mark.parametrize("text", ["sqrt(x) + y", "x*log(x)*0 + y", "abs(x)**0.5 + y"])
def test_an_uncertainty_of_0_leaves_no_nan(text):
    values = {"x": np.array(0.0), "y": np.array(2.0)}
    found = results(parse(text), values, Wanted(), asked_of({"x": 0.0, "y": 0.5}))
    assert found["sigma"] == 0.5 and found["share"]["x"] == 0
    array = {"x": np.array([0.0, 4.0])}
    asked = Asked({"x": np.array([0.0, 0.5])})
    assert results(parse("sum(sqrt(x))"), array, Wanted(), asked)["sigma"] == 0.125
    assert moments(parse("sum(sqrt(x))"), array, asked)[0].sigma == pytest.approx(0.125, rel=0.01)


def test_what_cancels_does_so_exactly():
    asked = asked_of({"x": 0.3, "y": 0.3}, {("x", "y"): 1.0})
    values = {"x": np.array(5.0), "y": np.array(2.0)}
    assert results(parse("x - y"), values, Wanted(), asked)["sigma"] == 0.0
    assert results(parse("x + y"), values, Wanted(), asked)["sigma"] == 0.6


def test_sizes_far_from_1_stay_in_range():
    values = {"x": np.array(1.0), "y": np.array(2.0)}
    for scale in (1e-200, 1e200):
        found = results(
            parse(f"(3*x + 4*y)*{scale!r}"), values, Wanted(), asked_of({"x": 1, "y": 1})
        )
        assert found["sigma"] == pytest.approx(5 * scale, rel=1e-15)
        assert found["share"]["x"] == pytest.approx(0.36, rel=1e-15)
        (second,) = moments(parse(f"(3*x + 4*y)*{scale!r}"), values, asked_of({"x": 1, "y": 1}))
        assert second.sigma == pytest.approx(5 * scale, rel=1e-15)


def test_matrices_that_are_none():
    with pytest.raises(ValuesError, match="all at once"):
        first_order.root(np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]]))
    singular = np.array([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]])
    root = first_order.root(singular)
    np.testing.assert_allclose(root @ root.T, singular, atol=1e-15)


# ----------------------------------------------------------------------------- second order
def test_polynomials_of_degree_2_in_normal_inputs_are_exact():
    """Of c + b'x + x'Ax at m: the mean is f(m) + tr(A S), the variance g'S g + 2 tr(A S A S)."""
    chance = np.random.default_rng(2)
    for size in (1, 2, 3, 4):
        names = [f"x{i}" for i in range(size)]
        bend, slope, at = (chance.standard_normal(shape) for shape in ((size, size), size, size))
        bend = bend + bend.T
        terms = [f"{slope[i]!r}*{names[i]}".replace("np.float64", "") for i in range(size)]
        terms += [
            f"{float(bend[i, j])!r}*{names[i]}*{names[j]}" for i in range(size) for j in range(size)
        ]
        matrix, pairs = correlations(chance, names)
        sigmas = chance.uniform(0.1, 2, size)
        covariance = matrix * np.outer(sigmas, sigmas)
        gradient = slope + 2 * bend @ at
        text = " + ".join(terms)
        values = dict(zip(names, at.tolist(), strict=True))
        asked = asked_of(dict(zip(names, sigmas, strict=True)), pairs)
        (found,) = moments(parse(text), values, asked)
        product = bend @ covariance
        value = slope @ at + at @ bend @ at
        assert found.mean == pytest.approx(value + np.trace(product), rel=1e-12)
        variance = gradient @ covariance @ gradient + 2 * np.trace(product @ product)
        assert found.variance == pytest.approx(variance, rel=1e-12)


def test_correlated_inputs_are_sums_of_independent_ones():
    """x = R z with independent z: the same model, with R in the formula in place of --corr."""
    chance = np.random.default_rng(3)
    formulas = ["a*exp(b/c)", "sin(a*b) + c**3", "hypot(a, b)/c", "log(a + b*c)", "a/(b - c)**2"]
    for text in formulas:
        at = dict(zip("abc", [1.3, 0.7, 2.1], strict=True))
        matrix, pairs = correlations(chance, list("abc"))
        sigmas = chance.uniform(0.05, 0.3, 3)
        (found,) = moments(parse(text), at, asked_of(dict(zip("abc", sigmas, strict=True)), pairs))
        root = first_order.root(matrix) * sigmas[:, np.newaxis]
        said = [
            f"{name}={at[name]!r}" + "".join(f" + {float(r)!r}*z{j}" for j, r in enumerate(row))
            for name, row in zip("abc", root, strict=True)
        ]
        model = statements.defined(statements.statements(said)).linked(text)
        free = {f"z{j}": 0.0 for j in range(3)}
        (other,) = moments(model, free, asked_of(dict.fromkeys(free, 1.0)))
        assert found.mean == pytest.approx(other.mean, rel=1e-12)
        assert found.variance == pytest.approx(other.variance, rel=1e-11)


def test_independent_inputs_are_as_the_gum_has_them():
    """5.1.2, the note, term by term, with derivatives written out by hand: a*exp(b*c)."""
    a, b, c = 1.5, 0.4, 0.8
    s = {"a": 0.2, "b": 0.3, "c": 0.1}
    e = math.exp(b * c)
    first = {"a": e, "b": a * c * e, "c": a * b * e}
    second = {
        "aa": 0, "ab": c * e, "ac": b * e,
        "bb": a * c * c * e, "bc": a * (1 + b * c) * e, "cc": a * b * b * e,
    }  # fmt: skip
    third = {  # d/di of d2/dj2
        "aaa": 0, "abb": c * c * e, "acc": b * b * e, "baa": 0, "bbb": a * c**3 * e,
        "bcc": a * b * (2 + b * c) * e, "caa": 0, "cbb": a * c * (2 + b * c) * e,
        "ccc": a * b**3 * e,
    }  # fmt: skip
    variance = sum((first[n] * s[n]) ** 2 for n in "abc")
    for i in "abc":
        for j in "abc":
            bend = second["".join(sorted(i + j))]
            variance += (bend**2 / 2 + first[i] * third[i + j + j]) * (s[i] * s[j]) ** 2
    mean = a * e + sum(second[n + n] * s[n] ** 2 for n in "abc") / 2
    (found,) = moments(parse("a*exp(b*c)"), {"a": a, "b": b, "c": c}, asked_of(s))
    assert (found.mean, found.variance) == pytest.approx((mean, variance), rel=1e-13)


def differences(expression, at, s, step):
    """The GUM's formula with the engine's Hessians at two steps to either side of each input.

    And how far it may be from right, by the difference of the two.
    """

    def bends(name, moved_by):
        moved = at | {name: np.array(at[name] + moved_by)}
        hessian = derivatives.hessian(expression, moved, list(at))
        return sum(float(hessian[n][n]) * s[n] ** 2 for n in at)

    gradient = derivatives.value_and_gradient(expression, at, list(at))[1]
    hessian = derivatives.hessian(expression, at, list(at))
    variance = sum((float(gradient[n]) * s[n]) ** 2 for n in at)
    variance += sum((float(hessian[i][j]) * s[i] * s[j]) ** 2 / 2 for i in at for j in at)
    allowed = 1e-5 * variance
    for name in at:
        size = step * max(abs(float(at[name])), 0.1)
        wide, narrow = ((bends(name, h) - bends(name, -h)) / (2 * h) for h in (size, size / 2))
        factor = float(gradient[name]) * s[name] ** 2
        variance += factor * (4 * narrow - wide) / 3
        allowed += abs(factor) * (1e-5 * abs(narrow) + abs(wide - narrow))
    return variance, allowed


def test_real_formulas_against_differences_of_their_hessians():
    """Some oscillate so fast that only one of the steps is short enough and not too short."""
    few = [case for case in CASES if len(case["vars"]) < 6]
    for case in random.Random(7).sample(few, min(DRAWN // 2, len(few))):
        expression = parse(case["expr"])
        at = {name: np.array(float(x)) for name, x in case["vars"].items()}
        s = {name: 0.01 * max(abs(float(x)), 0.1) for name, x in at.items()}
        (found,) = moments(expression, at, asked_of(s))
        every = (differences(expression, at, s, step) for step in (1e-4, 1e-6, 1e-8, 1e-9))
        assert any(abs(found.variance - right) <= near for right, near in every), case["id"]


def test_all_directions_at_once_and_one_by_one_agree():
    names = [f"v{i}" for i in range(12)]
    text = "sin(" + " + ".join(f"{name}*{i + 1}" for i, name in enumerate(names)) + ")*exp(v3)*v1"
    chance = np.random.default_rng(4)
    values = {name: np.array(x) for name, x in zip(names, chance.uniform(0, 1, 12), strict=True)}
    _, pairs = correlations(chance, names)
    given, inputs = resolved(asked_of(dict.fromkeys(names, 0.1), pairs), values)
    along = second_order.directions(inputs, given)
    expression = parse(text)
    (found,) = second_order.moments(expression, given, inputs)
    (other,) = second_order._one_by_one(expression, given, along)
    assert found == pytest.approx(other, rel=1e-11)


def test_a_hundred_inputs(dezero):
    names = [f"x{i}" for i in range(100)]
    words = ["*".join(f"(1 + {name})" for name in names), *(f"{name}=0" for name in names)]
    words += [word for name in names for word in ("--sigma", f"{name}=0.1")]
    found = dezero("eval", *words, "--order", "2", "--json").json
    # a product: every factor has mean 1, and the variance to second order is n q + n(n-1) q**2 / 2
    assert found["order2"]["value"] == pytest.approx(1, rel=1e-12)
    variance = 100 * 0.01 + 100 * 99 * 0.01**2 / 2
    assert found["order2"]["sigma"] == pytest.approx(math.sqrt(variance), rel=1e-12)


def test_the_note_where_first_order_misleads(dezero):
    asked = ["eval", "x**2", "x=0", "--sigma", "x=10"]
    noted = dezero(*asked)
    assert "sigma is 0 to first order, but 141.4 to second: --order 2" in noted.err
    assert noted.out.endswith("0.0 ± 0.0\n")
    second = dezero(*asked, "--order", "2")
    assert second.err == "" and second.out.endswith("\n100 ± 140\n")
    assert dezero("eval", "x**2", "x=100", "--sigma", "x=10").err == ""
    found = dezero("eval", "hypot(x, y)", "x=0.001", "y=0", "--half", "y=0.02", "--sigma", "x=0.01")
    assert "negative variance" in found.err

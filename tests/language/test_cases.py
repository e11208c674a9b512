"""Every real expression: value, gradient and Hessian against the oracle."""

import importlib.util
import re

import numpy as np
import pytest

from dezero import Variable, constant
from dezero.functions import FUNCTIONS
from dezero_cli.faults import ExpressionError
from dezero_cli.language.parser import parse
from tests.conftest import cases, data, of_scipy, parts

# Here the oracle's own last digit is lost to rounding at 1e-9; noise alone can judge them.
ILL_CONDITIONED = {case["id"] for case in data("ill_conditioned.jsonl")}

SUITES, SPECIAL = data("suites2.jsonl"), data("language2.jsonl")
BESSEL = re.compile(r"\bbessel[jyik]\(([^,]*),")


def orders(case):
    """The inputs that are in the order of a Bessel function, which takes no gradient."""
    found = " ".join(BESSEL.findall(case["expr"]))
    return {name for name in case["vars"] if re.search(rf"\b{name}\b", found)}


def special_here():
    """The cases of special functions that this installation can evaluate."""
    if importlib.util.find_spec("scipy"):
        return SPECIAL
    known = {alias: each for each in FUNCTIONS.values() for alias in (each.name, *each.aliases)}
    return [
        case
        for case in SPECIAL
        if not any(f"{name}(" in case["expr"] and of_scipy(known[name]) for name in known)
    ]


CASES = cases() + SUITES + special_here()


def evaluated(case):
    """The inputs that vary, and the value."""
    held = orders(case)
    inputs = {
        name: constant(float(x)) if name in held else Variable(np.array(float(x)))
        for name, x in case["vars"].items()
    }
    y = parse(case["expr"]).evaluate(inputs)
    return {name: x for name, x in inputs.items() if name not in held}, y


def close(got, expected, noise):
    """Within 1e-12 relative, or 4 times the rounding noise of the expression at that point."""
    return abs(got - expected) <= max(1e-12 * abs(expected), 4 * noise)


def test_there_are_all_the_cases():
    assert [len(cases()), len(SUITES), len(SPECIAL)] == [2964, 444, 517]
    with_hessian = [sum("hess" in case for case in each) for each in (cases(), SUITES, SPECIAL)]
    assert with_hessian == [1340, 290, 264]


def test_values_and_gradients():
    wrong = []
    for case in CASES:
        inputs, y = evaluated(case)
        y.backward()
        if not close(float(y.data), case["value"], case["noise"]["value"]):
            wrong.append((case["id"], "value", y.data, case["value"]))
        for name, x in inputs.items() if case["smooth"] and "grad" in case else ():
            got = 0.0 if x.grad is None else float(x.grad)
            if not close(got, case["grad"][name], case["noise"]["grad"][name]):
                wrong.append((case["id"], name, got, case["grad"][name]))
    assert wrong == []


def test_a_gradient_that_is_refused_is_for_an_order():
    """No other function of the cases lacks a derivative."""
    refused = [case for case in special_here() if orders(case)]
    for case in refused:
        inputs = {name: Variable(np.array(float(x))) for name, x in case["vars"].items()}
        with pytest.raises(ExpressionError, match="takes no gradient for the order"):
            parse(case["expr"]).evaluate(inputs).backward()
    assert len(refused) == (28 if importlib.util.find_spec("scipy") else 0)


@parts(4)
def test_hessians(part):
    wrong = []
    for case in [case for case in CASES if "hess" in case][part::4]:
        inputs, y = evaluated(case)
        y.backward(create_graph=True)
        rows = {name: x.grad for name, x in inputs.items()}
        largest = max(abs(h) for row in case["hess"].values() for h in row.values())
        noise = max(case["noise"]["grad"][n] / abs(g or np.inf) for n, g in case["grad"].items())
        bound = max(1e-10, 4 * noise) * largest
        for name, row in rows.items():
            for x in inputs.values():
                x.cleargrad()
            if row is not None:
                row.backward()
            for other, x in inputs.items():
                got = 0.0 if x.grad is None else float(x.grad)
                if abs(got - case["hess"][name][other]) > bound:
                    wrong.append((case["id"], name, other, got, case["hess"][name][other]))
    assert [entry for entry in wrong if entry[0] not in ILL_CONDITIONED] == []

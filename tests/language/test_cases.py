"""Every real expression: value, gradient and Hessian against the oracle."""

import json

import numpy as np

from dezero import Variable
from dezero_cli.language.parser import parse
from tests.conftest import DATA, cases, parts

CASES = cases()

# Here the oracle's own last digit is lost to rounding at 1e-9; noise alone can judge them.
ILL_CONDITIONED = {
    json.loads(line)["id"] for line in (DATA / "ill_conditioned.jsonl").read_text().splitlines()
}


def close(got, expected, noise):
    """Within 1e-12 relative, or 4 times the rounding noise of the expression at that point."""
    return abs(got - expected) <= max(1e-12 * abs(expected), 4 * noise)


def test_there_are_all_the_cases():
    assert len(CASES) == 2964
    assert sum("hess" in case for case in CASES) == 1340


def test_values_and_gradients():
    wrong = []
    for case in CASES:
        inputs = {name: Variable(np.array(value)) for name, value in case["vars"].items()}
        y = parse(case["expr"]).evaluate(inputs)
        y.backward()
        if not close(float(y.data), case["value"], case["noise"]["value"]):
            wrong.append((case["id"], "value", y.data, case["value"]))
        for name, expected in case.get("grad", {}).items() if case["smooth"] else ():
            got = 0.0 if inputs[name].grad is None else float(inputs[name].grad)
            if not close(got, expected, case["noise"]["grad"][name]):
                wrong.append((case["id"], name, got, expected))
    assert wrong == []


@parts(4)
def test_hessians(part):
    wrong = []
    for case in [case for case in CASES if "hess" in case][part::4]:
        inputs = {name: Variable(np.array(value)) for name, value in case["vars"].items()}
        y = parse(case["expr"]).evaluate(inputs)
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

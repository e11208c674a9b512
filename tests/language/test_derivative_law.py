"""Every derivative of every expression, against numbers that carry their own.

Expressions are drawn with choices, steps, ties, shared nodes, arrays and conditions of any sign;
the value, the gradient, the Jacobian and the Hessian are within four times the noise of what
`tests.reference` gives in three hundred bits.  DEZERO_LAWS sets how many are drawn: 25000 for a
hundred thousand.

Numbers are of moderate magnitude: tests/engine/test_orders.py has the rest of the range.
"""

import collections
import operator
import os
import random

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from dezero import calculus
from dezero.programs import native
from dezero_cli.faults import ExpressionError
from dezero_cli.language import derivatives, symbolic
from dezero_cli.language.parser import parse
from dezero_cli.language.results import Wanted, results
from tests import reference
from tests.jets import BITS
from tests.language.drawn import Drawn, lacking

EXAMPLES = int(os.environ.get("DEZERO_LAWS", "100"))
START = int(os.environ.get("DEZERO_START", "0"))
LIMIT = 4.0
"""The worst error allowed, in units of the noise."""


@pytest.fixture(autouse=True)
def quiet():
    """NumPy warns of log(0); here it is what is tested."""
    with np.errstate(all="ignore"), mpmath.workprec(BITS):
        yield


def by_text(drawn):
    """What a command is answered."""
    wanted = Wanted(jacobian=True, hessian=True)
    found = results(parse(drawn.root.text), drawn.values, wanted)
    return found["value"], found["grad"], found["jacobian"], found["hessian"]


def by_graph(drawn):
    """The same of a graph in which what is used twice is one node."""
    inputs, names = list(drawn.values.values()), list(drawn.values)
    value, gradients = calculus.value_and_grad(drawn.recorded)(*inputs)
    jacobians = calculus.jacobian(drawn.recorded)(*inputs)
    hessians = calculus.hessian(drawn.recorded)(*inputs)
    if len(names) == 1:
        gradients, jacobians, hessians = [gradients], [jacobians], [[hessians]]
    return (
        np.asarray(value),
        dict(zip(names, gradients, strict=True)),
        dict(zip(names, jacobians, strict=True)),
        {a: dict(zip(names, row, strict=True)) for a, row in zip(names, hessians, strict=True)},
    )


KINDS = {
    *("an array", "a step", "a choice", "a tie", "a negative condition"),
    *("a shared node", "a nan below"),
}
DOORS = {"text": by_text, "graph": by_graph}


# -------------------------------------------------------------------------------- the comparison
def fault(got, true, noise):
    """The error in units of the noise; None where it cannot be told."""
    got = float(got)
    if mpmath.isinf(true):  # unless some 0 has been multiplied by it
        return 0.0 if got == true or np.isnan(got) else np.inf
    if mpmath.isnan(true) or not np.isfinite(noise):
        return None
    return float(abs(mpf(got) - true) / mpf(float(noise))) if np.isfinite(got) else np.inf


def compared(drawn, found):
    """(what, the error, got, right) for each number."""
    value, gradient, jacobian, hessian = found
    elements = list(drawn.root.truth.reshape(-1))
    total = reference.total(drawn.arithmetic, elements)
    yield from of_value(value, elements)
    assert value.shape == drawn.root.truth.shape
    for name, x in drawn.values.items():
        assert gradient[name].shape == x.shape
        assert jacobian[name].shape == value.shape + x.shape
        yield from of_first(f"d/d{name}", gradient[name], [total], drawn.offsets[name])
        yield from of_first(f"J{name}", jacobian[name], elements, drawn.offsets[name])
        for other, beside in drawn.values.items():
            assert hessian[name][other].shape == x.shape + beside.shape
            rows = hessian[name][other].reshape(x.size, beside.size)
            offsets = drawn.offsets[name], drawn.offsets[other]
            yield from of_second(f"d2/d{name}d{other}", rows, total, offsets)


def of_value(value, elements):
    for got, jet in zip(value.reshape(-1), elements, strict=True):
        if mpmath.isnan(jet.value) and jet.sure:
            yield "value", 0.0 if np.isnan(got) else np.inf, got, jet.value
        else:
            yield "value", fault(got, jet.value, jet.noise()[0]), got, jet.value


def of_first(what, rows, elements, offset):
    """A row of derivatives for each element; one that is absent is 0."""
    for jet, row in zip(elements, rows.reshape(len(elements), -1), strict=True):
        noise = jet.noise()[1]
        for k, got in enumerate(row, offset):
            true = jet.first.get(k, mpf(0))
            yield what, fault(got, true, noise[k]), got, true


def of_second(what, rows, jet, offsets):
    noise = jet.noise()[2]
    for place, got in np.ndenumerate(rows):
        i, j = sorted(map(operator.add, place, offsets))
        true = jet.second.get((i, j), mpf(0))
        if not mpmath.isinf(true):  # the slope of an infinite slope
            yield what, fault(got, true, noise[i, j]), got, true


def faults_of(drawn, found, tally):
    """The numbers that are wrong; the others are counted."""
    wrong, mixes = [], drawn.mixes
    for what, error, got, true in found:
        if error is None or (mixes and np.isnan(got)):
            tally["not told"] += 1
            continue
        tally["numbers"] += 1
        if error > LIMIT:
            wrong.append((what, error, float(got), mpmath.nstr(true, 17)))
        else:
            tally["worst"] = max(tally["worst"], error)
    return wrong


@pytest.mark.parametrize("name", reference.SMOOTH)
def test_the_reference_itself(name):
    """Its formulas are those of the function: mpmath's differences, and mpmath beside NumPy."""
    formula = reference.SMOOTH[name][0]
    for x in (mpf("1.25"), mpf("2.5")) if name == "arccosh" else (mpf("0.375"), mpf("0.75")):
        exact, lanes = formula(mpmath, x), formula(np, np.array([float(x)]))
        for order in (0, 1, 2):
            right = mpmath.diff(lambda t: formula(mpmath, t)[0], x, order)
            assert mpmath.almosteq(exact[order], right, rel_eps=mpf(10) ** -20)
            assert lanes[order][0] == pytest.approx(float(right), rel=1e-13)


def test_every_function_can_be_drawn():
    assert not lacking(), f"tests/reference.py has no value and slopes of {sorted(lacking())}"


def hold(count, draw, judge):
    """Judge so many drawn expressions; the kinds that were met and how many numbers."""
    wrong, tally, kinds = [], collections.Counter(), collections.Counter()
    for seed in range(START, START + count):
        drawn = draw(seed)
        kinds.update(drawn.kinds)
        faults = faults_of(drawn, judge(drawn), tally)
        if faults:
            wrong.append((seed, drawn.root.text, drawn.values, faults))
    print(f"{count} expressions, {len(wrong)} wrong; {dict(tally)}; {dict(kinds)}")
    assert wrong == []
    return tally, kinds


@pytest.mark.parametrize("door", DOORS)
def test_drawn_expressions(door):
    def draw(seed):
        chance = random.Random(f"{door} {seed}")
        return Drawn(chance, arrays=chance.random() < 0.45)

    tally, kinds = hold(2 * EXAMPLES, draw, lambda drawn: compared(drawn, DOORS[door](drawn)))
    assert tally["numbers"] > 8 * tally["not told"]
    assert kinds.keys() == KINDS and min(kinds.values()) > EXAMPLES / 100


# ------------------------------------------------------------------------- formulas and programs
def by_formula(drawn):
    """The value and the derivatives of two orders, printed, read and evaluated."""
    expression = parse(drawn.root.text)
    names = symbolic.free_names(expression)
    for order in (1, 2):
        wanted, program = symbolic.derivatives(expression, names, names, order)
        found = [
            derivatives.value(parse(text), drawn.values)
            for text in symbolic.texts(program, drawn.root.text)
        ]
        yield from zip([(), *wanted], found, strict=True)


def by_machine_code(drawn):
    """The value and the gradient as `map` computes them."""
    expression = parse(drawn.root.text)
    names = symbolic.free_names(expression)
    program = symbolic.program(expression, names, names)
    columns = {name: np.full(3, drawn.values[name]) for name in names}
    found = [column[0] for column in native.compiled(program).run(columns)]
    yield from zip([(), *((name,) for name in names)], found, strict=True)


FORMS = {"formula": (by_formula, 4), "machine code": (by_machine_code, 20)}


@pytest.mark.parametrize("form", FORMS)
def test_drawn_formulas_and_programs(form):
    run, slowness = FORMS[form]

    def judge(drawn):
        jet = drawn.root.truth[()]
        noises = jet.noise()
        try:
            found = list(run(drawn))
        except ExpressionError as error:  # a formula may be too long
            assert "parts; as code" in str(error)
            return
        for names, got in found:
            places = tuple(sorted(drawn.offsets[name] for name in names))
            part = (jet.first, jet.second)[len(places) - 1] if places else {(): jet.value}
            key = places[0] if len(places) == 1 else places
            true = part.get(key, mpf(0))
            yield names, fault(got, true, noises[len(places)][places]), float(got), true

    def draw(seed):
        return Drawn(random.Random(f"{form} {seed}"), arrays=False, elementwise=True)

    hold(max(EXAMPLES // slowness, 5), draw, judge)

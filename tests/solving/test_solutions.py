"""Solutions of equations: every root, derivatives by the implicit function theorem, columns."""

import math

import numpy as np
import pytest
from scipy import special

from dezero_cli.faults import ValuesError
from dezero_cli.language.equations import equation, equations
from dezero_cli.language.ranges import Limits
from dezero_cli.language.statements import given
from dezero_cli.solving.columns import ColumnRoots, root_program
from dezero_cli.solving.drawn import of_columns
from dezero_cli.solving.equation import EquationTask, solve, solve_all
from dezero_cli.solving.implicit import Implicit

PI = math.pi
TANGENTS = [0.0, 4.493409457909064, 7.725251836937707, 10.904121659428899]
DIGAMMA = [-4.6532377617431424, -3.6352933664369011, -2.6107208684441447, -1.5734984731623905]
DIGAMMA += [-0.50408300826445541, 1.4616321449683623]
EVERY = [
    ("sin(x)", 0, 10, [0, PI, 2 * PI, 3 * PI]),
    ("tan(x) == x", 0, 12, TANGENTS),
    ("tan(x)", 1, 10, [PI, 2 * PI, 3 * PI]),
    ("besselj(0, x)", 0, 50, list(special.jn_zeros(0, 16))),
    ("besselj(2, x)", 1, 30, list(special.jn_zeros(2, 8))),
    ("cos(20*arccos(x))", -1, 1, [-math.cos((2 * k + 1) * PI / 40) for k in range(20)]),
    ("(x - 1)**2*(x - 2)", 0, 3, [1, 2]),
    ("x**4 - 2*x**2 + 1", -3, 3, [-1, 1]),
    ("(x - 0.3)**2 - 1e-10", 0, 1, [0.29999, 0.30001]),
    ("cos(x) - 1", 0, 20, [0, 2 * PI, 4 * PI, 6 * PI]),
    ("x**3", -1, 1, [0]),
    ("1/(x - 1)", 0, 3, []),
    ("1/x + x", -3, 2, []),
    ("sign(x - 1) - 0.5", 0, 3, []),
    ("floor(x) - 2.5", 0, 10, []),
    ("x**2 + 1e-9", -1, 1, []),
    ("gamma(x) == 2", 0.1, 5, [0.44287739648472746, 3]),
    ("gamma(x) == 2", -5, 5, [-3.9784645417852408, -3.0763784655709277, 0.44287739648472746, 3]),
    ("gamma(x)", -5, 5, []),
    (
        "digamma(x)",
        -5,
        5,
        [
            -4.6532377617431424,
            -3.6352933664369011,
            -2.6107208684441447,
            -1.5734984731623905,
            -0.50408300826445541,
            1.4616321449683623,
        ],
    ),
    # beside a root that is a point of the grid, and three that one cubic follows
    ("x**2 == 0.004*x", 0, 20, [0, 0.004]),
    ("(x - 1)*(x - 1.0005)", 0, 2, [1, 1.0005]),
    ("(x - 1)*(x - 1.0003)*(x - 1.0006)", 0, 2, [1, 1.0003, 1.0006]),
    ("(x - 1.0001)*(x - 1.0003)*(x - 1.0006)", 0, 2, [1.0001, 1.0003, 1.0006]),
    ("cosh(x)*cos(x) == 1", 0, 10, [0, 4.730040744862704, 7.8532046240958376]),
    ("sin(x) - x + x**3/6", -1, 1, [0]),
    ("sqrt(x - 1)", 0, 3, [1]),
    ("log(x)*(x - 0.5)", 0, 3, [0.5, 1]),
    ("exp(-x)*sin(x)", 1, 20, [k * PI for k in range(1, 7)]),
    ("sin(1/x)", 0.01, 1, [1 / (k * PI) for k in range(31, 0, -1)]),
    ("exp(x) == 1e10", -math.inf, math.inf, [10 * math.log(10)]),
    ("abs(x - 2) - 1", 0, 5, [1, 3]),
]


@pytest.mark.parametrize(("text", "low", "high", "roots"), EVERY, ids=[each[0] for each in EVERY])
def test_no_root_is_missed_and_none_invented(text, low, high, roots) -> None:
    (posed,) = equations(text, given([]))
    start = {"x": np.array(0.0)}
    found = solve_all(EquationTask([posed.residual], start, {}, {"x": Limits(low, high)}))
    assert [float(each.at["x"]) for each in found] == pytest.approx(roots, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "root", "near"),
    [
        ("x**4 - 4*x**3 + 6*x**2 - 4*x + 1", 1, 1e-3),
        ("x**3 - 3*x**2 + 3*x - 1", 1, 1e-4),
        ("x**6 - 6*x**5 + 15*x**4 - 20*x**3 + 15*x**2 - 6*x + 1", 1, 1e-2),
    ],
)
def test_a_root_of_high_order_is_one_however_wide_its_rounding(text, root, near) -> None:
    (posed,) = equations(text, given([]))
    task = EquationTask([posed.residual], {"x": np.array(0.0)}, {}, {"x": Limits(0.1, 3)})
    (found,) = solve_all(task)
    assert float(found.at["x"]) == pytest.approx(root, abs=near)


def test_what_turns_too_often_is_said() -> None:
    (posed,) = equations("sin(x) == 0.5", given([]))
    task = EquationTask([posed.residual], {"x": np.array(0.0)}, {}, {"x": Limits(0, math.inf)})
    with pytest.raises(ValuesError, match="changes of sign"):
        solve_all(task)
    (posed,) = equations("2 + sin(1/x)", given([]))
    task = EquationTask([posed.residual], {"x": np.array(0.0)}, {}, {"x": Limits(1e-9, 1)})
    assert solve_all(task) == [] and "roots may be missing" in task.notes[0]


BRACKETS = [
    ("1/x - 1", 0, 3, 1.0),  # infinite at an end
    ("log(x) + x", 0, 5, 0.5671432904097838),
    ("log(x - 1) + 1", 0, 5, 1 + math.exp(-1)),  # not a number at an end
    ("sin(x)", 2, PI, PI),  # a root, to rounding, at an end
    ("x**2 - 4", 2, 9, 2.0),
    ("x - 1e-300", 0, 1, 1e-300),
    ("x**3 - 1e-30", -1, 1e10, 1e-10),
    ("exp(x) - 1e100", 0, math.inf, 100 * math.log(10)),
    ("(x - 1)**2*(x + 5)", 0, 3, 1.0),  # the same sign at both ends
]


@pytest.mark.parametrize(("text", "low", "high", "root"), BRACKETS)
def test_a_bracket_holds_a_root(text, low, high, root) -> None:
    (posed,) = equations(text, given([]))
    task = EquationTask([posed.residual], {"x": np.array(0.0)}, {}, {"x": Limits(low, high)})
    found = solve(task)
    assert found.converged
    assert float(found.at["x"]) == pytest.approx(root, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["1/x", "1/(x - 0.7)**3", "sign(x) + 0.5", "x**2 + 1", "tan(x + 2)"]
)
def test_poles_and_jumps_are_no_roots(text) -> None:
    (posed,) = equations(text, given([]))
    task = EquationTask([posed.residual], {"x": np.array(0.0)}, {}, {"x": Limits(-0.9, 1)})
    assert not solve(task).converged


# -------------------------------------------------------------------------------- derivatives
SHAPES = [
    ("x**3 + a*x == b", "x", lambda x, a, b: x**3 + a * x - b),
    ("x*exp(a*x) == b", "x", lambda x, a, b: x * np.exp(a * x) - b),
    ("x + sin(a*x)/2 == b", "x", lambda x, a, b: x + np.sin(a * x) / 2 - b),
    ("a*log(x) + x == b", "x", lambda x, a, b: a * np.log(x) + x - b),
    ("sqrt(x) + x**2*a == b", "x", lambda x, a, b: np.sqrt(x) + x**2 * a - b),
]
STEP = 1e-30


def test_first_derivatives_beside_a_complex_step_through_the_solved_problem() -> None:
    draw = np.random.default_rng(7)
    for number in range(500):
        text, name, f = SHAPES[number % len(SHAPES)]
        a, b = draw.uniform(0.2, 2), draw.uniform(0.5, 4)
        (posed,) = equations(text, given([]))
        values = {"a": np.array(a), "b": np.array(b)}
        solved = solve(EquationTask([posed.residual], {name: np.array(1.0)}, values))
        assert solved.converged
        x = float(solved.at[name])
        grad = Implicit([posed.residual], solved.at, values, {}).gradients()[name]
        slope = f(x + STEP * 1j, a, b).imag / STEP
        for each, ca, cb in (("a", a + STEP * 1j, b), ("b", a, b + STEP * 1j)):
            z = complex(x)
            for _ in range(3):  # the real part is solved: the imaginary one is in one step
                z = z - f(z, ca, cb) / slope
            assert grad[each] == pytest.approx(z.imag / STEP, rel=1e-9, abs=1e-12)


def test_second_derivatives_beside_the_closed_form() -> None:
    (posed,) = equations("x**2 == a*b", given([]))
    a, b = 2.5, 1.7
    values = {"a": np.array(a), "b": np.array(b)}
    implicit = Implicit([posed.residual], {"x": np.array(math.sqrt(a * b))}, values, {})
    found = implicit.hessians()["x"]
    assert found["a"]["a"] == pytest.approx(-0.25 * math.sqrt(b) * a**-1.5, rel=1e-12)
    assert found["a"]["b"] == pytest.approx(0.25 / math.sqrt(a * b), rel=1e-12)
    assert found["b"]["b"] == pytest.approx(-0.25 * math.sqrt(a) * b**-1.5, rel=1e-12)


def test_a_linear_system_has_the_inverse_for_its_derivative() -> None:
    words = given(["A=[[2,1],[1,3]]", "b=[3,5]"])
    (posed,) = equations("A @ x == b", words)
    task = EquationTask([posed.residual], {"x": np.zeros(2)}, words.values)
    solved = solve(task)
    grad = Implicit([posed.residual], solved.at, {"b": words.values["b"]}, words.values).gradients()
    np.testing.assert_allclose(grad["x"]["b"], np.linalg.inv(words.values["A"]), rtol=1e-12)


# ------------------------------------------------------------------------------------ columns
VOLATILITY = "C == S*normcdf(d) - K*exp(-r*T)*normcdf(d - v*sqrt(T))"
WORDS = ["d=(log(S/K) + (r + v**2/2)*T)/(v*sqrt(T))"]


def options(rows):
    draw = np.random.default_rng(3)
    spot = draw.uniform(50, 150, rows)
    strike, years = spot * np.exp(draw.normal(0, 0.2, rows)), draw.uniform(0.1, 2, rows)
    rate, vol = draw.uniform(0, 0.08, rows), draw.uniform(0.1, 0.9, rows)
    root = vol * np.sqrt(years)
    d = (np.log(spot / strike) + (rate + vol**2 / 2) * years) / root
    price = spot * special.ndtr(d) - strike * np.exp(-rate * years) * special.ndtr(d - root)
    return {"S": spot, "K": strike, "T": years, "r": rate, "C": price}, vol


def test_roots_of_columns_are_those_of_rows_and_their_derivatives_too() -> None:
    posed = equation(VOLATILITY, given(WORDS))
    columns, vol = options(300)
    search = ColumnRoots(posed.residual, list(columns), "v", Limits(0.001, 5))
    found = search.found(columns, 300)
    np.testing.assert_allclose(found, vol, rtol=1e-7)
    names = [*columns, "v"]
    pairs = [("C", "C"), ("C", "S"), ("T", "r")]
    program = root_program(posed.residual, names, "v", ["C", "S", "T", "r"], pairs)
    outputs = program.run({**columns, "v": found})
    for row in (0, 17, 123):
        values = {name: np.array(column[row]) for name, column in columns.items()}
        implicit = Implicit([posed.residual], {"v": np.array(found[row])}, values, {})
        grad, second = implicit.gradients()["v"], implicit.hessians()["v"]
        expected = [found[row], *(grad[n] for n in "CSTr"), *(second[a][b] for a, b in pairs)]
        np.testing.assert_allclose([each[row] for each in outputs], expected, rtol=1e-8)


def test_double_roots_of_columns_are_found_and_zeros_that_fall_off_are_none() -> None:
    g = np.array([0.0, 1.0, -1.0, 0.0])
    posed = equation("(u - 1)**2 == g", given([]))
    found = ColumnRoots(posed.residual, ["g"], "u", Limits(-5, 5)).found({"g": g}, 4)
    np.testing.assert_allclose(found, [1, 0, np.nan, 1], rtol=1e-15)
    posed = equation("(u - c)**4 == 0", given([]))
    c = np.linspace(-0.9, 0.9, 7)
    found = ColumnRoots(posed.residual, ["c"], "u", Limits(-1, 1)).found({"c": c}, 7)
    np.testing.assert_allclose(found, c, atol=1e-12)
    posed = equation("exp(x) == a", given([]))
    a = np.array([0.0, 1.0, 1e-300])
    found = ColumnRoots(posed.residual, ["a"], "x", Limits(-800, 800)).found({"a": a}, 3)
    np.testing.assert_allclose(found, [np.nan, 0, math.log(1e-300)], rtol=1e-15)


def density(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def test_what_is_left_of_an_equation_is_within_four_times_its_rounding() -> None:
    """Its rounding is bounded by hand: half a unit of each term, and that of d times the slope."""
    posed = equation(VOLATILITY, given(WORDS))
    rows = 100_000
    columns, _ = options(rows)
    v = ColumnRoots(posed.residual, list(columns), "v", Limits(0.001, 5)).found(columns, rows)
    spot, strike, years, rate, price = (columns[name] for name in "SKTrC")
    root, owed = v * np.sqrt(years), strike * np.exp(-rate * years)
    d = (np.log(spot / strike) + (rate + v**2 / 2) * years) / root
    gain, cost = spot * special.ndtr(d), owed * special.ndtr(d - root)
    rounding = sum(np.spacing(np.abs(each)) / 2 for each in (gain, cost, gain - cost, price))
    rounding += 2**-52 * spot * density(d) * np.abs(d)
    rounding += 2**-52 * owed * density(d - root) * (np.abs(d) + np.abs(d - root))
    # a price without any time value left has no root: it is met by all small volatilities
    timeless = price == np.maximum(spot - strike * np.exp(-rate * years), 0)
    assert timeless[np.isnan(v)].all()
    assert np.isnan(v).sum() < 10
    assert np.nanmax(np.abs(gain - cost - price) / rounding) <= 4


def test_a_row_has_the_same_bits_wherever_it_is_and_nan_without_a_root() -> None:
    posed = equation("x*exp(x) == y", given([]))
    search = ColumnRoots(posed.residual, ["y"], "x", Limits(-1, 50))
    y = np.linspace(-0.5, 1e3, 501)
    whole = search.found({"y": y}, 501)
    parts = np.concatenate([search.found({"y": part}, len(part)) for part in np.split(y, [7, 300])])
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_allclose(whole[1:], special.lambertw(y[1:]).real, rtol=1e-14)
    assert math.isnan(whole[0])


def test_the_solutions_of_draws_are_those_of_each_draw() -> None:
    residuals = [e.residual for e in equations("[x*y == a, x + y == b]", given([]))]
    held = {"a": np.array(2.0), "b": np.array(3.0)}
    solution = {"x": np.array(1.0), "y": np.array(2.0)}
    draw = np.random.default_rng(5)
    columns = {"a": draw.normal(2, 0.05, 50), "b": draw.normal(3, 0.05, 50)}
    x, y = of_columns(residuals, solution, held, {"a": ["a"], "b": ["b"]})(columns)
    root = np.sqrt(columns["b"] ** 2 - 4 * columns["a"])
    np.testing.assert_allclose(x, (columns["b"] - root) / 2, rtol=1e-12)
    np.testing.assert_allclose(y, (columns["b"] + root) / 2, rtol=1e-12)


# ------------------------------------------------------------------------------------ what fades
FADING = ["exp(-x)", "1/cosh(x)", "normcdf(-x)"]


@pytest.mark.parametrize("text", FADING)
def test_a_value_that_falls_off_to_0_has_no_root_there(text) -> None:
    (posed,) = equations(text, given([]))
    start, bracket = {"x": np.array(1e4)}, {"x": Limits(0, 1e4)}
    for x in (30.0, 1e4):
        assert not solve(EquationTask([posed.residual], {"x": np.array(x)}, {})).converged
    assert not solve(EquationTask([posed.residual], start, {}, bracket)).converged
    assert solve_all(EquationTask([posed.residual], start, {}, bracket)) == []
    both = [posed.residual, equations("y == 1", given([]))[0].residual]
    assert not solve(EquationTask(both, start | {"y": np.array(3.0)}, {})).converged


@pytest.mark.parametrize(
    ("text", "low", "high", "root"),
    [
        ("exp(-x)*(x - 3)", 0, 1e4, 3),  # 0 at the end of the range, and a root inside
        ("x**3", -1, 2, 0),  # the cube is too small for a number beside the root
        ("x**40", -1, 1, 0),
        ("max(x - 1, 0)", 0, 1, 0),  # 0 without falling off
        ("0 if x == 0 else x*exp(-x**-2)", -1, 4, 0),
    ],
)
def test_zeros_that_do_not_fall_off_are_roots(text, low, high, root) -> None:
    (posed,) = equations(text, given([]))
    task = EquationTask([posed.residual], {"x": np.array(0.0)}, {}, {"x": Limits(low, high)})
    found = solve(task)
    assert found.converged
    assert float(found.at["x"]) == pytest.approx(root, abs=0.1 if root == 0 else 1e-14)

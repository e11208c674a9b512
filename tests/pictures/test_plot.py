"""`dezero plot`: what the pictures show."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dezero_cli.faults import PictureError, UsageError, ValuesError
from dezero_cli.language import statements
from dezero_cli.language.parser import parse
from dezero_cli.language.ranges import Range, span
from dezero_cli.language.values import value
from dezero_cli.pictures import canvas, ends, fields, labels, sampling, surfaces
from dezero_cli.pictures import plot as plotting
from dezero_cli.pictures import subject as subjects
from dezero_cli.pictures.canvas import Look
from dezero_cli.pictures.fits import Points
from dezero_cli.pictures.subject import Subject, Uncertain

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
ROSENBROCK = "(1 - x)**2 + 100*(y - x**2)**2"


def subject_of(text, *words, order=1, **more):
    """What a command line draws."""
    ranges = [span(*word.split("=")) for word in words if ":" in word]
    numbers = {n: float(value(n, x)) for n, x in (w.split("=") for w in words if ":" not in w)}
    return Subject(parse(text), ranges, numbers, order, **more)


def figure(text, *words, order=1, look=Look(), points=None, **more):  # noqa: B008
    """The axes that a command line draws, and the axes of the colour bar if there is one."""
    subject = subject_of(text, *words, order=order, log=look.log, **more)
    with canvas.style():
        draw = plotting.curves if len(subject.ranges) == 1 else plotting.contours
        return draw(subject, look, points).axes


def drawn_lines(axes):
    """The lines of curves, not those at 0 and those that lead to labels."""
    return [line for line in axes.lines if len(line.get_xdata()) > 2 and line.get_clip_on()]


def curves(text, *words, order=1):
    """The lines of the function and of its derivatives, as (x, y)."""
    panels = figure(text, *words, order=order)
    return [line.get_data() for axes in panels for line in drawn_lines(axes)]


def crosses(line, place):
    """Whether a line is drawn over a place from one side to the other."""
    x, y = line
    joined = np.isfinite(y[:-1]) & np.isfinite(y[1:])
    return bool((joined & (x[:-1] < place) & (x[1:] > place)).any())


# ---------------------------------------------------------------------------------------- curves
def test_the_lines_are_the_function_and_its_exact_derivatives():
    drawn = curves("sin(a*x)*exp(-x/5)", "x=0:20", "a=2", order=3)
    x = drawn[0][0]
    root = 2j - 0.2  # the function is the imaginary part of exp(root*x)
    assert len(drawn) == 4
    for n, (places, y) in enumerate(drawn):
        assert np.array_equal(places, x) and (x[0], x[-1], len(x)) == (0, 20, 1001)
        np.testing.assert_allclose(y, (root**n * np.exp(root * x)).imag, rtol=0, atol=1e-12)


def test_the_samples_are_taken_in_one_pass(monkeypatch):
    passes = []
    original = subjects.run
    monkeypatch.setattr(
        subjects,
        "run",
        lambda program, columns, count: passes.append(count) or original(program, columns, count),
    )
    figure("x**3 + x", "x=-2:2:77")
    figure("exp(x - y)", "x=-2:2:50", "y=-2:2:40")
    assert passes == [77, 77, 2000]  # the program of each order once
    passes.clear()
    figure("1/x", "x=-2:2:200", order=0)  # a second look at few intervals, not at the samples
    assert passes[0] == 200 and max(passes[1:]) < 20


def test_a_count_is_obeyed_and_order_0_is_the_function_alone():
    (line,) = curves("x**2", "x=-3:3:7", order=0)
    assert line[0].tolist() == [-3, -2, -1, 0, 1, 2, 3] and line[1].tolist() == [
        9, 4, 1, 0, 1, 4, 9,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "extent", "poles"),
    [
        ("1/x", "x=-3:3", [0]),
        ("1/x", "x=-3:3:1000", [0]),
        ("1/x**2", "x=-3:3:1000", [0]),
        ("1/(x - 0.3)", "x=-3:3", [0.3]),
        ("x/(x**2 - 1)", "x=-3:3", [-1, 1]),
        ("tan(x)", "x=-2*pi:2*pi", [-1.5 * np.pi, -0.5 * np.pi, 0.5 * np.pi, 1.5 * np.pi]),
        ("log(abs(x - 1))", "x=0:3:1000", [1]),
        ("1000 + log(abs(x))", "x=-1:2", [0]),
        ("1/sin(3*x)", "x=-1:3", [0, np.pi / 3, 2 * np.pi / 3]),
        ("exp(1/x)", "x=-3:3", [0]),
        ("(x - 1e6)**-2", "x=1e6-3:1e6+3:1000", [1e6]),
    ],
)
def test_poles_are_gaps_and_nothing_joins_their_sides(text, extent, poles):
    panels = figure(text, extent)
    (x, y), derivative = (line.get_data() for axes in panels for line in drawn_lines(axes))
    holes = x[np.isnan(y)]
    width = x[-1] - x[0]
    for pole in poles:
        assert not crosses((x, y), pole) and not crosses(derivative, pole)
        assert np.abs(holes - pole).min() < 1e-5 * width
    assert all(np.abs(np.array(poles) - hole).min() < 2e-3 * width for hole in holes)
    vertical = [line.get_xdata() for line in panels[0].lines if len(line.get_xdata()) == 2]
    lines = sorted(at[0] for at in vertical if at[0] == at[1])
    np.testing.assert_allclose(lines, poles, atol=2e-3 * width)


@pytest.mark.parametrize(
    "text",
    [
        "abs(x)",
        "cbrt(x)",
        "sqrt(abs(x))",
        "sin(x)/x",
        "tanh(1e6*x)",
        "sin(1000*x)",
        "1/(x**2 + 1e-8)",
        "exp(x**2)",
        "sin(x)**2 + cos(x)**2",
        "x**9*1e30",
        "maximum(x, 0)",
        "2 + 0*x",
    ],
)
def test_what_is_continuous_has_no_gap(text):
    x, y = curves(text, "x=-3:3")[0]
    assert np.isfinite(y).all() and len(x) >= 1000


@settings(max_examples=60, deadline=None)
@example(2.7137243578452677, 2, 72)  # so near to a sample that halving soon stalls
@example(2.3905781032054043, 4, 193)  # which looks like a jump, too
@given(st.floats(-2.9, 2.9), st.sampled_from([1, 2, 3, 4, -1]), st.integers(50, 1001))
def test_a_pole_anywhere_is_a_gap_and_a_root_is_none(place, power, count):
    x = np.linspace(-3, 3, count)

    def function(x, _=None):
        with np.errstate(all="ignore"):
            distance = x - place
            return np.stack([distance**-power, -power * distance ** (-power - 1)])

    drawn = sampling.curve(function, x, *function(x))
    assert crosses((drawn.x, drawn.y), place) == (power == -1) or place in x
    assert (drawn.down or drawn.up) == (power > 0)


def test_jumps_are_open_and_reach_their_place():
    assert not crosses(curves("arctan(1/x)", "x=-3:3:500")[0], 0)
    (x, y), _ = curves("floor(x) + where(x > 0.25, 0.5, 0)", "x=-2:2")
    for place in (-1, 0, 0.25, 1):
        assert not crosses((x, y), place)
        finite = x[np.isfinite(y)]
        assert place - finite[finite < place].max() < 1e-5
    steps = np.diff(y)
    assert np.nanmax(np.abs(steps)) == 0


def test_undefined_stretches_are_blank_up_to_their_ends():
    (x, y), _ = curves("sqrt(1 - x**2)", "x=-1.7:2")
    inside = x[np.isfinite(y)]
    assert -1 <= inside.min() < -1 + 1e-5 and 1 - 1e-5 < inside.max() <= 1
    assert np.isnan(y[(x < -1.01) | (x > 1.01)]).all()
    _, (x, y) = curves("log(x)", "x=-2:2")
    assert np.isfinite(y[x > 1e-5]).all() and np.isnan(y[x <= 0]).all()  # though 1/x goes on


def test_limits_show_all_but_poles():
    def limits(text, extent="x=-3:3", order=1):
        return figure(text, extent, order=order)[0].get_ylim()

    low, high = limits("1/x")
    assert -20 < low < -2 and 2 < high < 20
    low, high = limits("tan(x)", "x=-6:6")
    assert -20 < low < -2 and 5 < high < 30
    low, high = limits("log(x)", "x=-1:5")
    assert -6 < low < -2 and 1.6 < high < 4
    low, high = limits("exp(x)", "x=0:20")
    assert high > np.exp(20) and low < 0  # no pole, so nothing is cut
    low, high = figure("sin(1/x)", "x=-1:1")[1].get_ylim()
    assert high - low < 100  # though the derivative goes to 1e5
    low, high = figure("exp(x)", "x=0:20")[1].get_ylim()
    assert high > np.exp(20)  # as steep as the function itself is
    low, high = figure("exp(-8*x**2)", "x=-4:4")[1].get_ylim()
    assert low < -4 / np.sqrt(np.e) and 4 / np.sqrt(np.e) < high  # narrow, but resolved
    assert limits("2 + 0*x", order=0) == pytest.approx((1.8, 2.2))
    low, high = limits("sin(x)**2 + cos(x)**2 + 1e6", order=0)
    assert high - low > 1e3  # rounding errors are not blown up


def test_derivatives_have_panels_of_their_own_below_and_are_told_apart_without_colour():
    panels = figure("x**3/2 - x", "x=-2:2", order=2)
    assert [axes.get_ylabel() for axes in panels] == ["$f(x)$", "derivatives"]
    lines = [line for axes in panels for line in drawn_lines(axes)]
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 3
    assert len({line.get_color() for line in lines}) == 3
    with canvas.style():
        panels[0].figure.draw_without_rendering()
        upper, lower = panels
        assert lower.get_position().y1 < upper.get_position().y0
        for axes in panels:
            legend = axes.get_legend().get_window_extent()
            assert legend.y0 >= axes.get_window_extent().y1
            assert axes.figure.bbox.x1 >= legend.x1 and axes.figure.bbox.y1 >= legend.y1
        assert lower.get_legend().get_window_extent().y1 < upper.get_window_extent().y0


def test_derivatives_that_differ_much_in_height_do_not_share_a_panel():
    names = [axes.get_ylabel() for axes in figure("sin(100*x)", "x=0:1", order=2)]
    assert names == ["$f(x)$", "$df/dx$", "$d^2f/dx^2$"]


def test_the_legend_is_above_a_power_of_ten():
    (axes,) = figure("1e6*x**3", "x=-70:70", order=0)
    with canvas.style():
        axes.figure.draw_without_rendering()
        offset = axes.yaxis.get_offset_text()
        assert offset.get_text() == "1e11"
        legend = axes.get_legend().get_window_extent()
        assert legend.y0 >= offset.get_window_extent().y1
        assert axes.figure.bbox.y1 >= legend.y1


@pytest.mark.parametrize("text", ["1e305*x", "sqrt(-x**2)"])
def test_a_point_is_no_curve(text):
    with pytest.raises(PictureError, match="no visible range of finite values"):
        figure(text, "x=-1:1")


def texts(axes):
    """The labels at curves, by their text, with their colours."""
    return {text.get_text(): text.get_color() for text in axes.texts}


def test_several_results_are_a_curve_each_with_its_name_at_the_curve():
    expression = statements.given(["v=sin(t)*k"]).linked("[v, t**2]")
    subject = Subject(expression, [span("t", "0:1")], {"k": 2.0}, 0)
    with canvas.style():
        (axes,) = plotting.curves(subject, Look()).axes
    lines = drawn_lines(axes)
    for line, function in zip(lines, (lambda t: 2 * np.sin(t), np.square), strict=True):
        places, values = line.get_data()
        np.testing.assert_allclose(values, function(places), rtol=1e-12, atol=1e-15)
    expected = ["$v$", "$\\mathrm{value}_{2}$"]
    assert texts(axes) == dict(zip(expected, [line.get_color() for line in lines], strict=True))


def test_a_family_is_a_curve_for_each_value_labelled_at_the_curve():
    upper, lower = figure("k*x**2", "x=0:2", order=1, family=("k", np.array([1.0, 2.0, 3.0])))
    for axes, function in ((upper, lambda k, x: k * x**2), (lower, lambda k, x: 2 * k * x)):
        lines = drawn_lines(axes)
        for k, line in zip((1, 2, 3), lines, strict=True):
            x, y = line.get_data()
            np.testing.assert_allclose(y, function(k, x), rtol=1e-12)
        labels = [f"$k = {k}$" for k in (1, 2, 3)]
        assert texts(axes) == dict(zip(labels, [line.get_color() for line in lines], strict=True))
        heights = [axes.texts[i].get_position()[1] for i in range(3)]
        assert heights == sorted(heights)
    assert upper.get_legend().get_title().get_text() == r"$f(x) = k \, {x}^{2}$"


def test_labels_stand_on_curves_that_meet_at_the_right():
    (axes,) = figure("exp(-k*x**2)", "x=-3:3", order=0, family=("k", np.array([0.3, 1.0, 4.0])))
    for text, line in zip(axes.texts, drawn_lines(axes), strict=True):
        across, along = text.get_position()
        assert across < 1
        x, y = axes.transData.inverted().transform(axes.transAxes.transform((across, along)))
        assert y == pytest.approx(np.interp(x, *line.get_data()), abs=0.03)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted), st.floats(0.01, 0.2))
def test_labels_are_spread_as_little_as_needed(heights, gap):
    moved = np.array(ends.spread(heights, gap))
    assert (np.diff(moved) >= gap - 1e-9).all()
    if (np.diff(heights) >= gap).all():
        np.testing.assert_allclose(moved, heights, atol=1e-12)
    assert moved.mean() == pytest.approx(np.mean(heights))


def test_too_many_curves_are_refused():
    with pytest.raises(UsageError, match="21 curves cannot be told apart"):
        figure("k*x", "x=0:1", family=("k", np.arange(21.0)))


def test_a_band_is_the_first_order_uncertainty_of_the_values():
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    spread = Uncertain(("a", "b"), covariance, 2.0, "95 %")
    (axes,) = figure("a*exp(b*x)", "x=0:1", "a=2", "b=-1", order=0, uncertain=spread)
    lower, upper, *_ = (line.get_data() for line in drawn_lines(axes)[1:])
    x = lower[0]
    gradient = np.stack([np.exp(-x), 2 * x * np.exp(-x)])
    reach = 2 * np.sqrt(np.einsum("in,ij,jn->n", gradient, covariance, gradient))
    np.testing.assert_allclose(lower[1], 2 * np.exp(-x) - reach, rtol=1e-12)
    np.testing.assert_allclose(upper[1], 2 * np.exp(-x) + reach, rtol=1e-12)
    assert "95 %" in axes.get_legend_handles_labels()[1]
    assert axes.get_ylim()[0] < (2 * np.exp(-x) - reach).min()


def test_points_are_shown_with_their_bars_even_beyond_the_curve():
    points = Points(np.array([0.5, 0.7, 9.0]), np.array([5.0, -4.0, 99.0]), sigma_y=np.ones(3))
    (axes,) = figure("x", "x=0:1", order=0, points=points)
    low, high = axes.get_ylim()
    assert -10 < low < -5 and 6 < high < 10  # the one beyond the range counts for nothing


def test_what_is_drawn_has_the_name_of_the_left_side():
    for result, names in (
        ("y", ["$y(x)$", "$dy/dx$"]),
        ("log(y)", [r"$\text{log(y)}$", r"$d\text{log(y)}/dx$"]),
    ):
        panels = figure("x**2", "x=0:1", result=result)
        assert [axes.get_ylabel() for axes in panels] == names
        panels[0].figure.draw_without_rendering()


def test_logarithmic_axes_have_samples_spaced_by_their_logarithms():
    (axes,) = figure("1/x**2 - 1", "x=0.01:100", order=0, look=Look(log="xy"))
    x, y = drawn_lines(axes)[0].get_data()
    assert axes.get_xscale() == axes.get_yscale() == "log"
    np.testing.assert_allclose(np.diff(np.log(x)), np.log(1e4) / 1000, rtol=1e-6)
    assert np.isnan(y[x > 1]).all() and np.isfinite(y[x < 0.99]).all()
    with pytest.raises(PictureError, match="no value above 0, which a logarithmic axis needs"):
        figure("-x**2", "x=1:2", order=0, look=Look(log="y"))
    with pytest.raises(ValuesError, match="a logarithmic axis needs a range above 0"):
        figure("x", "x=-1:1", look=Look(log="x"))


# ---------------------------------------------------------------------------------------- fields
def field(text, *words):
    ranges = [span(*word.split("=")) for word in words]
    subject = Subject(parse(text), ranges, {})
    return subject.field()


def test_levels_show_the_valley_of_a_field_that_spans_decades():
    drawn = field(ROSENBROCK, "x=-2:2", "y=-1:3")
    levels = surfaces.levels(drawn)
    assert levels.bounds[0] == 0 and not levels.below and not levels.above
    assert sum(levels.bounds < 10) >= 4 and levels.bounds[-1] > drawn.samples.max() > 2000
    assert {1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0} <= set(levels.bounds)
    raised = surfaces.levels(field(ROSENBROCK + " + 5000", "x=-2:2", "y=-1:3"))
    assert {5001.0, 5010.0, 5100.0, 6000.0} <= set(raised.bounds)
    hill = surfaces.levels(field(f"-({ROSENBROCK})", "x=-2:2", "y=-1:3"))
    np.testing.assert_array_equal(hill.bounds, -levels.bounds[::-1])


def test_levels_are_even_where_that_shows_more():
    for text in ("x*y", "sin(x)*cos(y)", "x**2 + y**2", "exp(-x**2 - y**2)"):
        drawn = field(text, "x=-3:3", "y=-3:3")
        bounds = surfaces.levels(drawn).bounds
        assert 6 <= len(bounds) <= 13
        np.testing.assert_allclose(np.diff(bounds), bounds[1] - bounds[0], rtol=1e-9)
        assert bounds[0] <= drawn.samples.min() and bounds[-1] >= drawn.samples.max()
    both = surfaces.levels(field("x**3*y", "x=-3:3", "y=-3:3")).bounds
    np.testing.assert_array_equal(both, -both[::-1])
    assert {-10.0, 0.0, 10.0} <= set(both)


NUMBERS = st.floats(-1e300, 1e300).map(lambda number: number if abs(number) > 1e-300 else 0.0)


@settings(max_examples=200, deadline=None)
@given(
    arrays(float, (3, 4), elements=NUMBERS | st.floats(1, 1 + 1e-12)),
    st.booleans(),
)
def test_levels_rise_and_tell_what_lies_beyond(z, diverges):
    levels = surfaces.levels(
        surfaces.Field(np.arange(4), np.arange(3), z, np.zeros((2, 3, 4)), diverges)
    )
    assert len(levels.bounds) >= 2 and (np.diff(levels.bounds) > 0).all()
    assert np.isfinite(levels.bounds).all()
    assert levels.below == (z.min() < levels.bounds[0])
    assert levels.above == (z.max() > levels.bounds[-1])
    room = 1e-9 * np.abs(z).max()
    if not diverges:
        assert levels.bounds[0] <= z.min() + room and z.max() - room <= levels.bounds[-1]


def test_fields_are_blank_at_poles_and_where_undefined():
    drawn = field("1/(x - y)", "x=-3:3:120", "y=-1:1:90")
    x, y = np.meshgrid(drawn.x, drawn.y)
    assert drawn.diverges
    assert np.isnan(drawn.z[np.abs(x - y) < 0.01]).all()
    assert np.isfinite(drawn.z[np.abs(x - y) > 0.1]).all()
    shown = surfaces.levels(drawn)
    assert shown.below and shown.above and np.abs(shown.bounds).max() < 20
    disc = field("sqrt(1 - x**2 - y**2)", "x=-2:2", "y=-2:2")
    x, y = np.meshgrid(disc.x, disc.y)
    assert np.array_equal(np.isfinite(disc.z), 1 - x**2 - y**2 >= 0) and not disc.diverges
    peak = surfaces.levels(field("1/(x**2 + y**2)", "x=-3:3", "y=-3:3"))
    assert peak.above and {0.1, 1.0, 10.0} <= set(peak.bounds)
    smooth = field("tanh(50*(x - y))*floor(x)", "x=-3:3", "y=-3:3")
    assert np.isfinite(smooth.z).all()


def test_arrows_point_along_the_exact_gradient():
    axes, bar = figure(ROSENBROCK, "x=-2:2", "y=-1:3")
    arrows = next(each for each in axes.collections if hasattr(each, "U"))
    x, y = arrows.X, arrows.Y
    gradient = np.stack([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])
    size = np.hypot(*gradient)
    length = np.hypot(arrows.U, arrows.V)
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V]) / length, gradient / size, atol=1e-9)
    order = np.argsort(size)
    assert len(x) == fields.ARROWS**2 and (np.diff(length[order]) >= -1e-12).all()
    assert any("nabla" in text.get_text() for text in axes.texts)
    shown = [label.get_text() for label in bar.get_yticklabels()]
    assert shown[0] == "0" and "100" in shown


# ---------------------------------------------------------------------------------------- labels
def entries(text, *words, order=1):
    """What the legends say, and what the horizontal axis is called."""
    panels = figure(text, *words, order=order)
    found = [text.get_text() for axes in panels for text in axes.get_legend().get_texts()]
    return found, panels[-1].get_xlabel()


def test_labels_are_formulas_with_what_is_fixed():
    found, name = entries("A*cos(omega*t)", "t=0:1", "A=1.5", "omega=pi")
    assert name == "$t$"
    assert found[0] == (
        r"$f(t) = A \, \cos\left(\omega \, t\right),\quad A = 1.5,\quad \omega = 3.142$"
    )
    assert found[1].startswith("$df/dt = -") and r"\sin" in found[1]
    assert entries("x**3", "x=0:1", order=2)[0][2] == r"$d^2f/dx^2 = 6 \, x$"
    assert entries("θ**2", "θ=0:1")[1] == r"$\theta$"
    assert entries("theta_1**2", "theta_1=0:1")[1] == r"$\theta_{1}$"


def test_numbers_in_labels_have_four_digits():
    found, _ = entries("0.39894228*x + k", "x=0:1", "k=1.2345678e-7")
    assert found[0].startswith(r"$f(x) = 0.3989 \, x + k,\quad k = 1.235 \cdot 10^{-7}$")
    assert "0.3989" in found[1] and "0.39894" not in found[1]


LONG = "A*sin(omega*x)*exp(-x/tau) + B*cos(omega*x)*exp(-2*x) + C*x**2*exp(-x) + D*cos(x) + F"


def test_a_long_formula_is_broken_before_operators_and_values_stay_whole():
    words = ("A=1", "B=2", "C=3", "D=4", "F=5", "omega=6", "tau=7", "x=0:1")
    (function, derivative), _ = entries(LONG, *words)
    lines = function.split("\n")
    assert len(lines) > 2 and all(line[0] == line[-1] == "$" for line in lines)
    assert lines[1].startswith(r"$\quad  + ") or lines[1].startswith(r"$\quad + ")
    whole = "".join(line.strip("$") for line in lines)
    for n, name in enumerate(["A", "B", "C", "D", "F", r"\omega", r"\tau"], 1):
        assert any(f"{name} = {n}" in line for line in lines), name
    assert whole.count("{") == whole.count("}") and derivative.startswith("$df/dx = ")
    with canvas.style():
        assert all(labels.width_of(line, math=True) <= 380 for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "where(x > 0, x, -x)",  # Matplotlib knows no cases
        "sqrt(" * 20 + "x" + ")" * 20,  # nor formulas as deep as these
        "+".join(f"sin({n}*x)" for n in range(2, 60)),
        "where(x > 1e-5, -x**-2, `a b - c`*x + " + "1*" * 30 + "x)",
    ],
)
def test_a_formula_that_cannot_be_set_is_the_text_that_was_typed(text):
    words = ["x=0:1", *(["`a b - c`=2"] if "`" in text else [])]
    found, _ = entries(text, *[word.replace("`", "") for word in words])
    assert "$" not in found[0] and found[0].startswith("f(x) = ")
    joined = "".join(line.strip() for line in found[0].split("\n"))
    assert joined.replace(" ", "").startswith(f"f(x)={text}".replace(" ", "")[:40])
    assert len(found[0].split("\n")) <= 4 and found[1].startswith("$df/dx")
    assert "1e-5" in found[0] or "1e-5" not in text  # a number is not broken at its sign
    with canvas.style():
        assert all(labels.width_of(line, math=False) <= 380 for line in found[0].split("\n"))


def test_what_is_typed_comes_with_its_definitions():
    given = ["r=where(x > 1, x, 1)", "g(t)=exp(-t)"]
    subject = Subject(statements.given(given).linked("g(r)*k"), [span("x", "0:2")], {"k": 2.0})
    with canvas.style():
        entry = plotting.curves(subject, Look()).axes[0].get_legend().get_texts()[0].get_text()
    lines = ["f(x) = g(r)*k", "with g(t) = exp(-t)", "with r = where(x > 1, x, 1)", "k = 2"]
    assert [line.strip() for line in entry.split("\n")] == lines


def test_odd_names_are_drawn(dezero, tmp_path):
    for name in ("_", "__x", "frac", "Δx_ё", "x_1_2", "n" * 300):
        axes, _ = figure(f"sin({name})", f"{name}=0:1")
        with canvas.style():
            axes.figure.draw_without_rendering()
    target = tmp_path / "name.png"
    status, _, err = dezero("plot", "变*2", "变=0:1", "-o", str(target))
    assert status == 0
    assert err == "note: the font lacks these letters, so the picture shows boxes: 变\n"


def test_levels_are_written_as_people_do():
    assert [fields.level_label(level) for level in (0, -2.5, 30000, 1e5, -3e6, 1e-7)] == [
        "0",
        "\N{MINUS SIGN}2.5",
        "30000",
        "$10^{5}$",
        r"$-3\times 10^{6}$",
        "$10^{-7}$",
    ]


def test_names_of_constants_and_files_in_ranges(dezero, tmp_path):
    (_, y), _ = curves("e*x", "e=0:2:3", "x=2")
    assert y.tolist() == [0, 2, 4]
    (tmp_path / "a:b.json").write_text("2")
    target = str(tmp_path / "picture.pdf")
    words = ["k*x", "x=-2*pi:2*pi", f"k=@{tmp_path / 'a:b.json'}", "-o", target]
    assert dezero("plot", *words) == (0, "", "")


@pytest.mark.parametrize("extent", [(-1e100, 1e100), (0, 1e-99), (1e9, 1e9 + 2)])
@pytest.mark.parametrize("text", ["x", "x**40", "exp(x)", "x*1e300", "1e-310*x", "1/(x*1e308)"])
def test_extreme_numbers_are_drawn_or_refused_in_one_line(text, extent):
    reach, unit = Range("x", *extent, 300), Range("y", 0, 1, 30)
    subjects = (
        Subject(parse(text), [reach], {}, 2),
        Subject(parse(text + " + y"), [reach, unit], {}),
    )
    for subject, draw in zip(subjects, (plotting.curves, plotting.contours), strict=True):
        with canvas.style():
            try:
                draw(subject, Look()).draw_without_rendering()
            except PictureError as fault:
                assert "nothing to draw" in str(fault)

"""The pictures that other commands draw: fits, histograms of draws, paths over contours."""

import numpy as np
import pytest

from dezero_cli.faults import UsageError
from dezero_cli.pictures import canvas, fields, fits, histograms, surfaces
from dezero_cli.pictures.canvas import Look
from tests.pictures.test_plot_files import is_form

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
X = np.linspace(0.0, 4.0, 9)
Y = np.exp(-X) + 0.01 * (-1.0) ** np.arange(9)


def fit(**changed):
    """A fit of an exponential to nine points."""
    line = np.linspace(-0.2, 4.2, 101)
    band = np.stack([np.exp(-line) - 0.1, np.exp(-line) + 0.1])
    points = fits.Points(X, Y, sigma_y=np.full(9, 0.05), **changed.pop("points", {}))
    given = {"band": band, "curve": np.stack([line, np.exp(-line)])} | changed
    return fits.FitPicture(points, Y - np.exp(-X), names=("t", "y"), **given)


def axes_of(module, shown, look=None):
    """The axes of a picture, laid out."""
    with canvas.style():
        figure = module.draw(shown, look or Look())
        figure.draw_without_rendering()
        return figure.axes


def entries(axes):
    """What the legend of a panel says."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def lines(axes):
    """The numbers of each line with more than two points."""
    every = (np.stack(line.get_data()) for line in axes.lines)
    return [line for line in every if line.shape[-1] > 2]


# ------------------------------------------------------------------------------------------ fits
def test_a_fit_has_data_curve_band_and_residuals_below():
    upper, lower = axes_of(fits, fit())
    assert entries(upper) == ["fit", "data ± 1 σ", "95 % confidence band"]
    assert any(np.array_equal(line, np.stack([X, Y])) for line in lines(upper))
    assert any(np.array_equal(line, fit().curve) for line in lines(upper))
    assert any(np.allclose(line, np.stack([X, Y - np.exp(-X)])) for line in lines(lower))
    bars = upper.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[:, 1] for bar in bars], np.stack([Y - 0.05, Y + 0.05], axis=1))
    low, high = lower.get_ylim()
    assert low == -high and upper.get_xlim() == lower.get_xlim()
    assert (upper.get_ylabel(), lower.get_xlabel()) == ("y", "t")
    assert upper.get_position().y0 > lower.get_position().y1


def test_errors_in_x_are_bars_too():
    upper, _ = axes_of(fits, fit(points={"sigma_x": np.full(9, 0.2)}))
    across, along = (part.get_segments() for part in upper.containers[0].lines[2])
    np.testing.assert_allclose([bar[:, 0] for bar in across], np.stack([X - 0.2, X + 0.2], axis=1))
    np.testing.assert_allclose([bar[:, 1] for bar in along], np.stack([Y - 0.05, Y + 0.05], axis=1))


def test_points_may_be_joined_in_their_order():
    upper, _ = axes_of(fits, fit(points={"joined": True}))
    joined = [line for line in upper.lines if line.get_linestyle() == "-" and len(line._x) == 9]
    assert joined[0].get_xydata().tolist() == np.stack([X, Y], axis=1).tolist()


def test_a_fit_of_rows_has_marks_that_nothing_joins():
    rows = np.arange(1.0, 10.0)
    shown = fit(curve=np.stack([rows, np.exp(-X)]), band=None, by_rows=True)
    upper, _ = axes_of(fits, shown)
    (marks,) = [line for line in upper.lines if line.get_label() == "fit"]
    assert marks.get_linestyle() == "None" and marks.get_xydata()[:, 0].tolist() == rows.tolist()


def test_many_rows_are_thinned_and_the_legend_says_so():
    x = np.linspace(0, 4, 50_000)
    points = fits.Points(x, np.exp(-x), sigma_y=np.ones(50_000))
    upper, _ = axes_of(fits, fits.FitPicture(points, 0 * x, np.stack([x, np.exp(-x)]), ("t", "y")))
    assert entries(upper) == ["fit", "data (20,000 of 50,000 rows)"]
    assert upper.lines[0].get_xdata()[[0, -1]].tolist() == [0, 4]


def test_the_limits_show_bars_but_a_band_does_not_flatten_the_data():
    wide = fit(band=np.array([[-1e6], [1e6]]) * np.ones(101))
    low, high = axes_of(fits, wide)[0].get_ylim()
    assert -3 < low < (Y - 0.05).min() and (Y + 0.05).max() < high < 4
    logarithmic = axes_of(fits, fit(band=None), Look(log="y"))[0]
    assert logarithmic.get_yscale() == "log" and logarithmic.get_ylim()[0] > 0


# ------------------------------------------------------------------------------------ histograms
def drawn(**changed):
    """Draws of exp(N(0, 0.4)) beside the normal of first order."""
    numbers = np.exp(np.random.default_rng(1).normal(0, 0.4, 40_000))
    counts, edges = np.histogram(numbers, 1500)
    interval = tuple(np.quantile(numbers, [0.025, 0.975]))
    given = {"normal": (1.0, 0.4)} | changed
    return histograms.DrawnResult("Z", edges, counts, 40_000, numbers.mean(), interval, **given)


def test_a_histogram_is_a_density_with_mean_interval_and_normal():
    (axes,) = axes_of(histograms, [drawn()])
    whole = axes.patches[0].get_data()
    assert 0.999 < (whole.values * np.diff(whole.edges)).sum() <= 1.0 and len(whole.values) <= 120
    inside = axes.patches[1].get_data()
    assert (inside.values * np.diff(inside.edges)).sum() == pytest.approx(0.95, abs=0.005)
    (normal,) = lines(axes)
    expected = np.exp(-((normal[0] - 1) ** 2) / 0.32) / (0.4 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(normal[1], expected, rtol=1e-12)
    assert entries(axes)[0] == "normal, to first order: 1.00 ± 0.40"
    assert entries(axes)[1:3] == ["mean 1.08", "95 % interval [0.46, 2.18]"]
    assert (
        entries(axes)[3:] == ["40,000 draws", "those outside of the interval"]
        and axes.get_xlabel() == "Z"
    )


def test_a_histogram_beside_a_first_order_of_zero_says_so():
    (axes,) = axes_of(histograms, [drawn(normal=(0.0, 0.0))])
    assert "first order: 0 ± 0" in entries(axes)
    (axes,) = axes_of(histograms, [drawn(normal=None, level=0.9)])
    mean, interval, *draws = entries(axes)
    assert mean.startswith("mean") and interval.startswith("90 % interval")
    assert draws == ["40,000 draws", "those outside of the interval"]


def test_several_results_have_a_panel_each():
    shown = [axes for axes in axes_of(histograms, [drawn()] * 5) if axes.get_visible()]
    assert len(shown) == 5


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (50.000838, 3.4e-5, "50.000838"),
        (9.80123, 0.0219, "9.801"),
        (-0.5, 0.25, "\N{MINUS SIGN}0.50"),
        (12345.0, 321.0, "12345"),
        (1.23456e-9, 2e-11, "1.235e\N{MINUS SIGN}09"),
        (0.0, 1e-7, "0"),
        (2.0, 0.0, "2"),
        (float("nan"), 1.0, "nan"),
    ],
)
def test_numbers_have_two_digits_of_what_tells_them_apart(value, scale, text):
    assert canvas.number(value, scale) == text


# ---------------------------------------------------------------------------------------- fields
def valley(**changed):
    """Rosenbrock's valley with the steps of a search."""

    def surface(x, y):
        slope = -2 * (1 - x) - 400 * x * (y - x**2)
        return np.stack([(1 - x) ** 2 + 100 * (y - x**2) ** 2, slope, 200 * (y - x**2)])

    field = surfaces.field(surface, np.linspace(-2, 2, 61), np.linspace(-1, 3, 61))
    return fields.FieldPicture(field, ("x", "y"), **changed)


def test_a_path_goes_from_its_start_to_its_end_over_contours():
    steps = np.array([[-1.2, -1.0, 0.0, 1.0], [1.0, 1.1, 0.0, 1.0]])
    axes, bar = axes_of(fields, valley(path=fields.Path(steps, "search", joined=True)))
    assert any(np.array_equal(line, steps) for line in lines(axes))
    assert entries(axes) == ["search", "start", "end"]
    start, end = (
        next(line for line in axes.lines if line.get_label() == name) for name in ("start", "end")
    )
    assert start.get_xydata().tolist() == [[-1.2, 1.0]] and end.get_xydata().tolist() == [[1, 1]]
    assert axes.get_xlim() == (-2, 2) and axes.get_ylim() == (-1, 3)
    assert bar.get_yticklabels()[0].get_text() == "0"


def test_points_over_contours_are_not_joined():
    places = np.array([[0.0, 1.0, 5.0], [0.0, 1.0, 5.0]])
    axes, _ = axes_of(fields, valley(path=fields.Path(places)))
    assert entries(axes) == ["data"] and axes.lines[0].get_linestyle() == "None"


# ----------------------------------------------------------------------------------------- files
@pytest.mark.parametrize("form", canvas.FORMS)
def test_every_part_becomes_a_file_of_every_form(form):
    parts = ((fits, fit()), (histograms, [drawn()]), (fields, valley()))
    for module, shown in parts:
        assert is_form(module.picture(shown, form), form)


@pytest.mark.parametrize("theme", canvas.THEMES)
def test_themes_have_paper_ink_and_the_title_in_the_given_size(theme):
    colours = canvas.THEMES[theme]
    look = Look(title="Cost: $5", size=(5, 4), theme=theme)
    with canvas.style(colours):
        figure = fits.draw(fit(), look)
        assert figure.get_size_inches().tolist() == [5, 4]
        assert figure.get_suptitle() == r"Cost: \$5"
        assert figure.axes[0].xaxis.label.get_color() == colours.ink


def test_the_form_is_the_ending_of_the_name():
    assert [canvas.form_of(name) for name in ("a.PNG", "b/c.svg", "d.pdf")] == [*canvas.FORMS]
    with pytest.raises(UsageError, match=r"a\.gif: expected a file that ends in \.png"):
        canvas.form_of("a.gif")

"""`dezero plot` on a terminal: curves in dots of braille, fields in shades."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest

from dezero_cli.language import statements
from dezero_cli.language.parser import parse
from dezero_cli.language.ranges import span
from dezero_cli.pictures import terminal
from dezero_cli.pictures.fits import Points
from dezero_cli.pictures.subject import Subject, Uncertain
from tests.conftest import unmeasured


def lines(text, *words, order=0, width=60, height=40, points=None, fixed=None, **more):
    """The lines of a picture."""
    ranges = [span(*word.split("=")) for word in words]
    subject = Subject(parse(text), ranges, fixed or {}, order, **more)
    return terminal.text(subject, width, height, points)


def dots(panel):
    """The dots of lines of braille behind the axis, as (row, column) from the top left."""
    letters = [line.partition("│")[2] for line in panel]
    bits = np.zeros((4 * len(letters), 2 * max(map(len, letters))), bool)
    for (i, j), bit in np.ndenumerate(terminal.DOTS):
        for row, line in enumerate(letters):
            for column, letter in enumerate(line):
                bits[4 * row + i, 2 * column + j] = 0x2800 <= ord(letter) < 0x2900 and bool(
                    (ord(letter) - 0x2800) & bit
                )
    return bits


def test_a_curve_is_dots_at_its_places_with_the_ends_of_the_axes():
    shown = lines("x**2", "x=-1:1")
    assert shown[0] == "f(x) = x**2"
    panel = shown[1 : 1 + terminal.ROWS]
    assert panel[0].startswith("1 │") and panel[-1].startswith("0 │")
    found = dots(panel)
    rows, columns = found.shape[0], 2 * (60 - 1 - 2)
    for column in range(found.shape[1]):
        x = -1 + 2 * column / (columns - 1)
        expected = (1 - x**2) * (rows - 1)
        places = np.flatnonzero(found[:, column])
        assert len(places) and np.abs(places - expected).min() < 2
    assert shown[-2] == "  └" + "─" * 57 and shown[-1].split() == ["-1", "x", "1"]
    assert all(len(line) <= 60 for line in shown)


def test_every_dot_of_a_letter_has_its_place():
    bits = np.zeros((1, 1), dtype=int)
    owner = np.zeros((1, 1), dtype=int)
    for row in range(4):
        for column in range(2):
            bits[:] = 0
            terminal._put((np.array([column]), np.array([row])), bits, owner, 0)
            letter = chr(0x2800 + bits[0, 0])
            import unicodedata

            numbers = {(0, 0): 1, (1, 0): 2, (2, 0): 3, (3, 0): 7}
            numbers |= {(0, 1): 4, (1, 1): 5, (2, 1): 6, (3, 1): 8}
            assert unicodedata.name(letter) == f"BRAILLE PATTERN DOTS-{numbers[row, column]}"


def test_a_pole_is_not_joined_and_does_not_flatten():
    panel = lines("1/x", "x=-1:1:1000", width=80)[1 : 1 + terminal.ROWS]
    found = dots(panel)
    assert (found.sum(axis=0) < found.shape[0]).all()
    assert found[:, : found.shape[1] // 2 - 8].any(axis=0).all()


def test_derivatives_are_a_panel_below_with_numbers_of_their_own():
    shown = lines("100*sin(x)", "x=0:6.2831853", order=1)
    place = shown.index("df/dx")
    assert place == 1 + terminal.ROWS and len(shown) == place + 1 + terminal.LOWER_ROWS + 2
    assert shown[1].split()[0] == "100" and shown[place + 1].split()[0] == "100"
    assert shown[-3].split()[0] == "-100"
    assert any("┈" in line for line in shown)  # where the values are 0


def test_a_family_has_its_labels_at_the_right_each_on_a_line_of_its_own():
    shown = lines("exp(-k*x)", "x=0:9", family=("k", np.array([0.5, 1.0, 2.0])))
    for value in ("0.5", "1", "2"):
        assert sum(line.endswith(f"k = {value}") for line in shown) == 1
    linked = statements.given(["v=2*t"]).linked("[v, t**2]")
    subject = Subject(linked, [span("t", "0:1")], {}, 0)
    assert sum(line.endswith(" v") for line in terminal.text(subject, 60, 40)) == 1


def test_a_band_is_a_curve_on_either_side():
    spread = Uncertain(("k",), np.array([[0.04]]))
    shown = lines("k*x", "x=0:1", fixed={"k": 1.0}, uncertain=spread)
    assert shown[0] == "f(x) = k*x, k = 1 (± 1 σ)" and shown[1].startswith("1.2 │")
    found = dots(shown[1 : 1 + terminal.ROWS])
    column = found[:, 90]
    places = np.flatnonzero(column)
    x = 90 / (2 * (60 - 3 - 2) - 1)
    for k in (0.8, 1.0, 1.2):
        assert np.abs(places - (1 - k * x / 1.2) * (len(column) - 1)).min() < 2


def test_points_are_letters_among_the_dots():
    points = Points(np.array([0.0, 0.5, 1.0, 7.0]), np.array([0.0, 4.0, 1.0, 1.0]))
    shown = lines("x", "x=0:1", points=points)
    assert shown[1].startswith("4 │") and sum(line.count("o") for line in shown[1:-2]) == 3


def test_two_ranges_are_shades_with_what_they_mean():
    shown = lines("x + y", "x=0:1", "y=0:1")
    assert shown[0] == "f(x, y) = x + y"
    field = [line.partition("│")[2].ljust(57) for line in shown[1:-3]]
    assert set(field[-1]) == set(" ░▒") and set(field[0]) == set("▒▓█")
    assert field[-1][0] == " " and field[0][-1] == "█"
    assert shown[-1].split("  ")[-1].startswith("█: ") and "blank: below" in shown[-1]
    undefined = lines("sqrt(x - 0.5) + 0*y", "x=0:1", "y=0:1")
    assert all("·····" in line for line in undefined[1:-3])


def test_points_lie_on_the_shades_at_their_places():
    points = Points(np.array([0.0, 1.0, 0.5, 9.0]), np.array([0.0, 1.0, 0.5, 0.5]))
    shown = lines("x + y", "x=0:1", "y=0:1", points=points)
    field = [line.partition("│")[2] for line in shown[1:-3]]
    assert field[-1][0] == field[0][-1] == "o" and sum(line.count("o") for line in field) == 3


@pytest.mark.parametrize("text", ["x*0 + 2", "1e200*x", "1e-200*x", "x - x", "sin(1/x)"])
@pytest.mark.parametrize("extent", ["x=0:1", "x=-1e99:1e99", "x=1e6:1e6+1"])
def test_any_curve_fits_in_any_width(text, extent):
    for width, height in ((30, 8), (100, 60)):
        shown = lines(text, extent, order=1, width=width, height=height)
        assert all(len(line) <= width for line in shown[1:]) and len(shown) > 10


def test_logarithmic_axes_are_straight_for_powers():
    panel = lines("x**2", "x=1:100", log="xy")[1 : 1 + terminal.ROWS]
    found = dots(panel)
    for column in range(found.shape[1]):
        expected = (1 - column / (found.shape[1] - 1)) * (found.shape[0] - 1)
        assert np.abs(np.flatnonzero(found[:, column]) - expected).min() < 2.5


# -------------------------------------------------------------------------------------- the command
def on_terminal(*words, columns=80, **environment):
    """What `dezero plot` shows on a terminal of 24 lines."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    code = "import sys; sys.modules['matplotlib'] = None\nfrom dezero_cli.main import run\n"
    code += f"sys.exit(run({['plot', *words]!r}))"
    env = {k: v for k, v in unmeasured().items() if k not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=side, stderr=subprocess.PIPE, env=env | environment
    )
    os.close(side)
    shown = b""
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    _, err = process.communicate(timeout=60)
    os.close(main)
    return process.returncode, shown.decode().replace("\r\n", "\n"), err.decode()


def test_a_terminal_shows_the_curve_without_matplotlib():
    status, shown, err = on_terminal("sin(x)", "x=-pi:pi", "--title", "A wave", columns=70)
    assert (status, err) == (0, "")
    lines = shown.split("\n")
    assert lines[:2] == ["A wave", "f(x) = sin(x)"] and "df/dx" in lines
    assert len(lines) <= 24 and "\x1b[34m" in shown
    _, plain, _ = on_terminal("sin(x)", "x=-pi:pi", columns=70, NO_COLOR="1")
    assert "\x1b" not in plain and max(map(len, plain.split("\n"))) == 69


def test_a_picture_that_is_asked_for_by_its_form_is_not_drawn_in_letters():
    status, shown, err = on_terminal("x", "x=0:1", "--to", "svg")
    assert (status, shown) == (2, "") and "a picture cannot be shown on a terminal" in err

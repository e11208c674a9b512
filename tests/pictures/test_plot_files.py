"""`dezero plot`: the files that it writes, and what it refuses."""

import os
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.conftest import unmeasured

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")
DEZERO = [sys.executable, "-m", "dezero_cli"]


def size(png):
    """The width and the height of a PNG picture, whose chunks are all there."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and png[-8:-4] == b"IEND"
    return struct.unpack(">II", png[16:24])


def is_picture(content, form):
    if form == "png":
        width, height = size(content)
        return width == 1400 and 700 < height < 1500
    return is_form(content, form)


def is_form(content, form):
    """Whether a file is a whole picture of that form."""
    if form == "png":
        return min(size(content)) > 0
    if form == "svg":
        root = ElementTree.fromstring(content)
        return root.tag == "{http://www.w3.org/2000/svg}svg" and b"<dc:date>" not in content
    return content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_files_by_ending_and_streams_by_option(dezero, tmp_path, form):
    target = tmp_path / f"picture.{form.upper()}"
    assert dezero("plot", "sin(x)", "x=-pi:pi", "-o", str(target)) == (0, "", "")
    assert is_picture(target.read_bytes(), form)
    plain = tmp_path / "picture"
    assert dezero("plot", "sin(x)", "x=-pi:pi", "-o", str(plain), "--to", form).status == 0
    assert plain.read_bytes() == target.read_bytes()
    output = {"png": ["-o", "-"], "svg": [], "pdf": ["-o", "/dev/stdout"]}[form]
    done = subprocess.run(
        [*DEZERO, "plot", "sin(x)", "x=-pi:pi", "--to", form, *output],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert (done.stdout, done.stderr) == (target.read_bytes(), b"")
    assert sorted(os.listdir(tmp_path)) == ["picture", target.name]


def test_standard_output_is_png_unless_told(dezero):
    done = subprocess.run([*DEZERO, "plot", "x*y", "x=0:1", "y=0:1"], capture_output=True)
    assert done.returncode == 0 and size(done.stdout) == (1320, 1080)


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_same_command_gives_the_same_bytes(form, tmp_path):
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\nfont.size: 30\nnonsense\n")
    pictures = []
    for seed, settings_ in (("1", {}), ("2", {"MPLBACKEND": "x", "MPLCONFIGDIR": str(tmp_path)})):
        done = subprocess.run(
            [*DEZERO, "plot", "x**2 - cos(y)", "x=-1:1:40", "y=-1:1:40", "--to", form],
            capture_output=True,
            timeout=120,
            check=True,
            env={**unmeasured(), "PYTHONHASHSEED": seed, **settings_},
        )
        assert done.stderr == b""
        pictures.append(done.stdout)
    assert pictures[0] == pictures[1] and len(pictures[0]) > 5000


def test_a_failure_leaves_the_old_file_and_nothing_else(dezero, tmp_path):
    target = tmp_path / "old.svg"
    target.write_text("old")
    status, out, err = dezero("plot", "log(x)", "x=-2:-1", "-o", str(target))
    assert (status, out) == (1, "")
    assert err == "error: nothing to draw: no finite value for x from -2.0 to -1.0\n"
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["old.svg"]
    link = tmp_path / "link.svg"
    link.symlink_to(target)
    assert dezero("plot", "log(x)", "x=1:2", "-o", str(link)).status == 0
    assert link.is_symlink() and is_picture(target.read_bytes(), "svg")
    folder = tmp_path / "folder.svg"
    folder.mkdir()
    outcome = dezero("plot", "x", "x=0:1", "-o", str(folder))
    assert outcome == (2, "", f"error: {folder}: is a directory\n")
    assert sorted(os.listdir(tmp_path)) == ["folder.svg", "link.svg", "old.svg"]


def test_a_closed_pipe_ends_quietly():
    command = f'"{sys.executable}" -m dezero_cli plot "x" x=0:1 --to svg | head -c 9'
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"<?xml ver", b"")


def test_without_matplotlib_one_line_says_how_to_install_it(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from dezero_cli.main import run\n"
        f"sys.exit(run(['plot', 'x', 'x=0:1', '-o', {str(tmp_path / 'a.png')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: this needs matplotlib, which is not installed: python -m pip install matplotlib\n"
    )
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------------------------------- faults
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x**2"], "no range: give one or two, such as x=-3:3"),
        (["a*t", "a=2"], "no range: give one or two, such as t=-3:3"),
        (["x*y*z", "x=0:1", "y=0:1", "z=0:1"], "3 ranges: give one or two"),
        (["x", "x=3:-3"], "x=3:-3: the range is empty: write x=-3:3"),
        (["x", "x=1:1"], "x=1:1: the range is empty"),
        (["x", "x=0:inf"], "x=0:inf: the ends of a range must be finite"),
        (["x", "x=nan:1"], "x=nan:1: the ends of a range must be finite"),
        (["x", "x=0:1e200"], "the ends of a range must be finite, at most 1e100"),
        (["x", "x=1:1+1e-13"], "the range is too narrow"),
        (["x", "x=:3"], "a range must be START:STOP or START:STOP:COUNT"),
        (["x", "x=0:1:2:3"], "a range must be START:STOP or START:STOP:COUNT"),
        (["x", "x=0:1:1"], "COUNT must be a whole number of samples"),
        (["x", "x=0:1:2.5"], "COUNT must be a whole number of samples"),
        (["x", "x=0:1:1e9"], "COUNT must be a whole number of samples"),
        (["x*y", "x=0:1:1e6", "y=0:1"], "a grid may have at most 4,000,000 samples"),
        (["x", "x=0:foo"], "the value of x may only use constants, not foo"),
        (["x", "x=0:[1]"], "the ends of a range must be numbers"),
        (["a + x", "x=0:1"], "no value for a: add a=VALUE"),
        (["length*2", "lenght=0:1"], "no value for length: did you mean lenght?"),
        (["x", "x=0:1", "z=0:1"], "no z in the expression: it uses x"),
        (["k*m*x", "x=0:1", "k=[1,2]", "m=[1,2]"], "k and m are lists: one name may have a curve"),
        (["k*x", "x=0:1", "k=[[1,2],[3,4]]"], "k has shape (2, 2): a plot needs a number, a list"),
        (["k*x*y", "x=0:1", "y=0:1", "k=[1,2]"], "two ranges show one result and its gradient"),
        (["sin(exp(x))", "x=0:1", "--order=6", "--max-operations=50"], "more than 50 operations"),
        (["x*y*k", "x=0:1", "y=0:1", "k=2", "--sigma", "k=1"], "no lists, no --order, no --sigma"),
        (["x", "x=0:1", "--join"], "--join joins the points of --data: add --data FILE"),
        (["x", "x=0:1", "--size", "7"], "--size 7: expected WIDTHxHEIGHT in inches, as in 7x5"),
        (["x", "x=0:1", "--size", "1x5"], "--size 1x5: a side is from 2 to 50 inches"),
        (["x", "x=-1:1", "--log", "x"], "x=-1:1: a logarithmic axis needs a range above 0"),
        (["x", "x=0:1", "--log", "z"], "'z' is not one of"),
        (["k*x", "x=0:1", "k=1", "--sigma", "q=1"], "--sigma q: no value q: add --data FILE"),
        (["k*x", "x=0:1", "k=[1,2]", "--sigma", "k=1"], "--sigma k: k is a list, whose values are"),
        (["k*x", "x=0:1", "k=1", "--sigma", "k=-1"], "an uncertainty cannot be negative"),
        (["x", "x=0:1", "x=1:2"], "x is given twice"),
        (["x", "x=0:1", "x=3"], "x is given twice"),
        (["x*y", "x=0:1", "y=0:1", "--order", "2"], "two ranges show one result and its gradient"),
        (["x", "x=0:1", "--order", "7"], "7 is not in the range 0<=x<=6"),
        (["x +", "x=0:1"], "expected a value after '+'"),
        (["sum(x)", "x=0:1"], "sum works on whole arrays"),
        (["x=0:1"], "values come after the expression"),
        (["x", "x=0:1", "-o", "picture.gif"], "picture.gif: expected a file that ends in .png"),
        (["x", "x=0:1", "-o", "a.b/c"], "a.b/c: expected a file that ends in .png, .svg or .pdf"),
        (["x", "x=0:1", "--to", "gif"], "'gif' is not one of"),
    ],
)  # fmt: skip
def test_faults_are_one_message_and_status_2(dezero, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = dezero("plot", *words)
    assert (status, out) == (2, "") and message in err
    assert err.startswith("error: ") and "internal" not in err
    assert os.listdir(tmp_path) == []


def test_a_curve_of_several_that_cannot_be_drawn_is_named(dezero, tmp_path):
    outcome = dezero("plot", "log(k*x)", "x=1:2", "k=[1,-1]", "-o", str(tmp_path / "a.svg"))
    fault = "nothing to draw of k = -1: no finite value for x from 1.0 to 2.0"
    assert outcome == (1, "", f"error: {fault}\n")


def test_a_list_of_one_value_is_that_value(dezero, tmp_path):
    for name, value in (("a.svg", "k=[2]"), ("b.svg", "k=2")):
        assert dezero("plot", "k*x", "x=0:1", value, "-o", str(tmp_path / name)).status == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_an_unwritable_file_is_named(dezero, tmp_path):
    target = tmp_path / "nowhere" / "a.png"
    outcome = dezero("plot", "x", "x=0:1", "-o", str(target))
    assert outcome == (2, "", f"error: {target}: no such directory\n")
    status, _, err = dezero("plot", "x", "x=0:1", "--to", "png", "-o", "/dev/full")
    assert (status, err) == (1, "error: /dev/full: no space left on device\n")

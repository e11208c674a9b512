"""The graph of a Variable as text and as a picture (DeZero, step 26)."""

import doctest
import re
import shutil

import numpy as np
import pytest

from dezero import Function, Variable, utils
from dezero import functions as F
from dezero.utils import get_dot_graph, plot_dot_graph


def labels(text):
    """The labels of the nodes, by number."""
    return dict(re.findall(r'(n\d+) \[label="(.*?)", ', text))


def edges(text):
    """The edges, as pairs of labels."""
    known = labels(text)
    return [(known[a], known[b]) for a, b in re.findall(r"(n\d+) -> (n\d+);", text)]


def test_the_books_first_graph():
    x0, x1 = Variable(np.array(1.0), "x0"), Variable(np.array(1.0), "x1")
    y = x0 + x1
    y.name = "y"
    text = get_dot_graph(y, verbose=False)
    assert edges(text) == [("x0", "Add"), ("x1", "Add"), ("Add", "y")]
    assert labels(get_dot_graph(y)) == {
        "n0": r"x0\n() float64",
        "n1": r"x1\n() float64",
        "n2": "Add",
        "n3": r"y\n() float64",
    }


def test_each_part_is_there_once():
    x = Variable(np.ones((2, 3)), "x")
    text = get_dot_graph(F.sum(F.exp(x) * x), verbose=False)
    assert sorted(labels(text).values()) == ["", "", "", "Exp", "Mul", "Sum", "x"]
    assert len(edges(text)) == 7


def test_a_function_of_ones_own_and_a_gradient_of_a_gradient():
    class Cube(Function):
        def forward(self, x):
            return x**3

        def backward(self, gy):
            return 3 * self.inputs[0].data ** 2 * gy

    x = Variable(np.array(2.0), 'a "name"\\')
    y = Cube()(x)
    y.backward(create_graph=True)
    assert (r"a \"name\"\\", "Cube") in edges_of_quoted(get_dot_graph(y, verbose=False))
    assert "Pow" in labels(get_dot_graph(x.grad, verbose=False)).values()


def edges_of_quoted(text):
    known = dict(re.findall(r'(n\d+) \[label="((?:\\.|[^"\\])*)"', text))
    return [(known[a], known[b]) for a, b in re.findall(r"(n\d+) -> (n\d+);", text)]


def test_a_long_chain_is_no_depth_of_calls():
    y = x = Variable(np.array(1.0), "x")
    for _ in range(5000):
        y = -y
    assert len(edges(get_dot_graph(y))) == 10_000
    assert len(edges(get_dot_graph(x))) == 0


def test_pictures(tmp_path, monkeypatch):
    x = Variable(np.array(1.0), "x")
    target = tmp_path / "graph.svg"
    if shutil.which("dot"):
        assert plot_dot_graph(F.sin(x), verbose=False, to_file=str(target)) is None
        assert "Sin" in target.read_text(encoding="utf-8")
        with pytest.raises(ValueError, match=r"dot failed: .*zzz"):
            plot_dot_graph(x, to_file=str(tmp_path / "x.zzz"))
        monkeypatch.chdir(tmp_path)
        plot_dot_graph(x)
        assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
        assert {path.name for path in tmp_path.iterdir()} == {"graph.svg", "graph.png"}
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg or \.pdf"):
        plot_dot_graph(x, to_file=str(tmp_path / "graph"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="'dot' is not installed"):
        plot_dot_graph(x, to_file=str(tmp_path / "other.svg"))
    assert not (tmp_path / "other.svg").exists()


def test_the_example_is_true():
    done = doctest.testmod(utils)
    assert done.attempted > 0 and done.failed == 0

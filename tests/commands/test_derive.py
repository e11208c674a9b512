"""`dezero derive` and `dezero graph`."""

import ctypes
import math
import shutil
import subprocess

import pytest

from dezero.programs.formula import formulas
from dezero_cli.language import symbolic
from dezero_cli.language.parser import parse
from dezero_cli.pictures.graph import clip


def test_text_and_json(dezero):
    assert dezero("derive", "x**3/2 - y") == (0, "d/dx  3*x**2/2\nd/dy  -1\n", "")
    assert dezero("derive", "x**3/2 - y", "--json").json == {
        "expr": "x**3/2 - y",
        "grad": {"x": "3*x**2/2", "y": "-1"},
    }
    assert dezero("derive", "-x*y", "--wrt", "y").out == "d/dy  -x\n"


def test_higher_orders_give_each_mixed_derivative_once(dezero):
    assert dezero("derive", "x**2*y", "--order", "2").out == (
        "d2/dx2   2*y\nd2/dxdy  2*x\nd2/dy2   0\n"
    )
    result = dezero("derive", "x**2*y", "--order", "3", "--json").json
    assert result["grad"] == {"x,x,x": "0", "x,x,y": "2", "x,y,y": "0", "y,y,y": "0"}


@pytest.mark.parametrize("form", ["latex", "c", "numpy", "sql", "js"])
def test_code(dezero, form):
    status, out, err = dezero("derive", "lambda*exp(-t1/2)", "--to", form)
    assert (status, err) == (0, "") and "exp" in out


def test_code_has_the_definitions_as_its_locals(dezero):
    words = ["exp(-r)/r + sin(s) - t1", "r=hypot(x, y)", "s=x + t1", "unused=x**9"]
    written = dezero("derive", *words, "--to", "c").out
    assert "const double r = hypot(x, y);" in written and "unused" not in written
    assert "const double s = x + t1;" in written and "t1_ = exp(-r)/r;" in written
    words = ["[r, r**2]", "r=hypot(x, y)", "--to", "numpy"]
    assert "    r = np.hypot(x, y)\n" in dezero("derive", *words).out
    # like terms are collected all the same
    assert "    return 2.0*x;" in dezero("derive", "s + x - 1", "s=x + 1", "--to", "c").out


def test_latex(dezero):
    assert dezero("derive", "sqrt(theta_1)/x", "--to", "latex").out.splitlines()[:2] == [
        r"f = \frac{\sqrt{\theta_{1}}}{x}",
        r"\frac{\partial f}{\partial \theta_{1}} = \frac{1}{2 \, x \, \sqrt{\theta_{1}}}",
    ]
    assert dezero("derive", "θ*Δx/(λ_α + 1)", "--to", "latex").out.splitlines()[:2] == [
        r"f = \frac{\theta \, \mathrm{\Delta x}}{\lambda_{\alpha} + 1}",
        r"\frac{\partial f}{\partial \theta} = \frac{\mathrm{\Delta x}}{\lambda_{\alpha} + 1}",
    ]
    assert dezero("derive", "a_b_c*_ + x_/__α", "--to", "latex").out.splitlines()[0] == (
        r"f = a_{b,c} \, \mathrm{\_} + \frac{\mathrm{x\_}}{\mathrm{\_\_\alpha}}"
    )
    assert dezero("derive", "(x+1)*y/(x*(y+2))", "--to", "latex").out.splitlines()[0] == (
        r"f = \frac{\left(x + 1\right) \, y}{x \, \left(y + 2\right)}"
    )
    assert dezero("derive", "sin(4*x)*x*exp(y)*pi", "--to", "latex").out.splitlines()[0] == (
        r"f = \pi \, x \, \sin\left(4 \, x\right) \, \exp\left(y\right)"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x+"], "expected a value after '+'"),
        (["length", "--wrt", "lenght"], "no lenght in the expression: did you mean length?"),
        (["x", "--order", "0"], "0 is not in the range"),
        (["x", "x=3"], "unexpected 'x=3': derive takes no values; use dezero eval for numbers"),
        (["x", "y"], "unexpected 'y' after the expression"),
        ([], "missing the expression EXPR"),
        (["x", "--to", "fortran"], "'fortran' is not one of"),
        (["x", "--to", "c", "--json"], "leave out --json"),
    ],
)
def test_faults(dezero, words, message):
    status, out, err = dezero("derive", *words)
    assert (status, out) == (2, "") and message in err


def test_nothing_to_derive_for_is_said(dezero):
    assert dezero("derive", "2+3") == (
        0,
        "",
        "note: the expression has no inputs to differentiate by\n",
    )


def test_functions_shows_derivatives(dezero):
    listing = {
        f["name"]: f.get("derivative") for f in dezero("functions", "--json").json["functions"]
    }
    assert listing["sin"] == {"x": "cos(x)"}
    assert listing["hypot"]["x"] == "where(hypot(x, y) == 0, 0, x/hypot(x, y))"
    assert "d/dx = 1/x" in dezero("functions").out


def test_a_graph_in_dot_and_mermaid(dezero):
    out = dezero("graph", "sin(x*y)+x").out
    assert out.startswith("digraph expression {") and '"sin(x*y)"' in out
    assert "n0 -> n4;" in out and out.count("->") == 5
    assert dezero("graph", "a<b", "--to", "mermaid").out.splitlines()[-1] == "  n1 --> n2"


def test_values_and_gradients_on_the_nodes(dezero):
    out = dezero("graph", "x*y + 1", "x=2", "y=3").out
    assert r'n0 [label="x\n= 2\ngradient 3"' in out
    assert r'"x*y\n= 6\ngradient 1"' in out
    assert "give values for all inputs" in dezero("graph", "x*y", "x=2").err


def test_pictures(dezero, tmp_path, monkeypatch):
    if shutil.which("dot"):
        target = tmp_path / "graph.svg"
        assert dezero("graph", "sin(x)*x", "x=1", "-o", str(target)).status == 0
        assert "<svg" in target.read_text() and list(tmp_path.iterdir()) == [target]
    assert ".svg, .png or .pdf" in dezero("graph", "x", "-o", "graph.gif").err
    monkeypatch.setenv("PATH", "")
    outcome = dezero("graph", "x", "-o", str(tmp_path / "x.svg"))
    assert outcome.status == 1 and "'dot' is not installed" in outcome.err


def test_labels_are_short():
    assert clip("x + " * 100).endswith("...") and len(clip("x + " * 100)) == 40


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("(2*x)**-1", "1/(2*x)"),
        ("(x/y)**-1", "y/x"),
        ("1/(x*y)", "1/(x*y)"),
        ("x/-(x + y)", "-x/(x + y)"),
        ("(x**0.5)**2", "(x**0.5)**2"),
        ("1/x**0.5", "1/x**0.5"),
        ("(x/2)**3", "(x/2)**3"),
        ("x + (y < x)", "x + (y < x)"),
        ("-(-x)**2", "-x**2"),
        ("(-x)**2", "x**2"),
        ("2**-(x*y)", "2**(-x*y)"),
        ("x - (y - z)", "x - (y - z)"),
        ("x - -y", "x + y"),
        ("(x < y)*(y < 2)", "x < y and y < 2"),
    ],
)
def test_parentheses(text, printed):
    names = ("x", "y", "z")
    assert formulas(symbolic.program(parse(text), names, ()))[0] == printed


def test_latex_of_higher_orders(dezero):
    lines = dezero("derive", "x**2*y_1", "--order", "2", "--to", "latex").out.splitlines()
    assert lines[1:] == [
        r"\frac{\partial^{2} f}{\partial x^{2}} = 2 \, y_{1}",
        r"\frac{\partial^{2} f}{\partial x \, \partial y_{1}} = 2 \, x",
        r"\frac{\partial^{2} f}{\partial y_{1}^{2}} = 0",
    ]


@pytest.mark.parametrize("form", [[], ["--to", "latex"]])
def test_a_formula_that_would_be_too_long_says_so(dezero, form):
    outcome = dezero("derive", "sin(" * 1000 + "x" + ")" * 1000, *form)
    assert outcome.status == 2 and "parts; as code, with --to c, it shares them" in outcome.err
    assert dezero("derive", "sin(" * 1000 + "x" + ")" * 1000, "--to", "c").status == 0


# -------------------------------------------------------------------------------- several results
POLAR = ("derive", "[x, y]", "x=r*cos(t)", "y=r*sin(t)", "--name", "polar")
AT = {"r": 2.0, "t": 0.5}
POLAR_VALUES = [
    *(2 * math.cos(0.5), 2 * math.sin(0.5)),
    *(math.cos(0.5), -2 * math.sin(0.5), math.sin(0.5), 2 * math.cos(0.5)),
]


@pytest.mark.parametrize("form", ["python", "numpy"])
def test_a_list_gives_one_function_with_values_and_jacobian(dezero, form):
    names = {}
    exec(dezero(*POLAR, "--to", form).out, names)
    assert [float(x) for x in names["polar"](**AT)] == pytest.approx(POLAR_VALUES, rel=1e-15)


def test_a_list_in_c_stores_its_values_and_its_jacobian(dezero, tmp_path):
    compiler = shutil.which("cc") or pytest.skip("no C compiler")
    text = dezero(*POLAR, "--to", "c").out
    assert "void polar(double r, double t, double value[2], double grad[4])" in text
    assert "/* [x, y]; x = r*cos(t); y = r*sin(t) */" in text and "/* d_x_t */" in text
    source, library = tmp_path / "polar.c", tmp_path / "polar.so"
    source.write_text(text)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
    command = [compiler, *strict, "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    value, gradient = (ctypes.c_double * 2)(), (ctypes.c_double * 4)()
    ctypes.CDLL(str(library)).polar(*map(ctypes.c_double, AT.values()), value, gradient)
    assert [*value, *gradient] == pytest.approx(POLAR_VALUES, rel=1e-15)


def test_a_list_in_other_forms(dezero):
    formulas = dezero("derive", "[x, y]", "x=r*cos(t)", "y=r*sin(t)", "--wrt", "t").out
    assert formulas == "dx/dt  -r*sin(t)\ndy/dt  r*cos(t)\n"
    assert "return {x: x, y: y, d_x_r: t1," in dezero(*POLAR, "--to", "js").out
    latex = dezero("derive", "[x, y]", "x=r*cos(t)", "y=r*sin(t)", "--to", "latex").out
    assert latex.splitlines()[0] == r"x = r \, \cos\left(t\right)"
    assert r"\frac{\partial y}{\partial t} = " in latex
    assert "the same name" in dezero("derive", "[value_2, x + 1]", "--to", "c").err


def test_a_definition_held_by_wrt_is_an_input(dezero):
    assert dezero("derive", "r**2", "r=hypot(x, y)", "--wrt", "r").out == "d/dr  2*r\n"
    assert "takes no values" in dezero("derive", "k*x", "k=2").err

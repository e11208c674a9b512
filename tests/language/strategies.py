"""Expressions drawn by the grammar's own levels, for the laws that all of them obey."""

from typing import NamedTuple

from hypothesis import strategies as st

from dezero.functions import FUNCTIONS
from tests.conftest import of_scipy

NAMES = ("x", "y", "z")
ANALYTIC = (
    *("sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan"),
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arctanh", "sigmoid"),
)
LONG = {"erfcx"}
"""Whose derivative takes pages to write out."""
ELEMENTWISE = [
    known
    for known in FUNCTIONS.values()
    if known.elementwise and not of_scipy(known) and known.name not in LONG
]
ONE, TWO, THREE = (
    [known.name for known in ELEMENTWISE if len(known.parameters) == arity] for arity in (1, 2, 3)
)
TWO += [
    known.name
    for known in FUNCTIONS.values()
    if (2 in known.others or known.several) and known.name not in TWO
]
THREE += [known.name for known in FUNCTIONS.values() if 3 in known.others or known.several]
CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, FACTOR, POWER, ATOM = range(10)


class Text(NamedTuple):
    """A piece of an expression and the grammar's rule that it is."""

    text: str
    level: int

    def at(self, level: int) -> str:
        """The piece where a rule of at least this level is wanted."""
        return self.text if self.level >= level else f"({self.text})"


def _binary(level: int, left: int, right: int, operators: str):
    def build(a: Text, operator: str, b: Text) -> Text:
        blank = " " * operator.isalpha()
        return Text(f"{a.at(left)}{blank}{operator}{blank}{b.at(right)}", level)

    return lambda pieces: st.builds(build, pieces, st.sampled_from(operators.split()), pieces)


def _call(name: str, *values: Text) -> Text:
    return Text(f"{name}({', '.join(value.text for value in values)})", ATOM)


LEAVES = st.sampled_from(
    [Text(text, ATOM) for text in (*NAMES * 4, *"1 2 3 0.5 10 1e-3 2.5 pi 0 1_000 .25".split())]
)
BINARY = [
    _binary(SUM, SUM, PRODUCT, "+ -"),
    _binary(PRODUCT, PRODUCT, FACTOR, "* /"),
]
POWERS = _binary(POWER, ATOM, FACTOR, "** ^")
NEGATIVE = lambda pieces: pieces.map(lambda a: Text(f"-{a.at(FACTOR)}", FACTOR))  # noqa: E731
LITERAL_POWERS = lambda pieces: st.builds(  # noqa: E731
    lambda a, n: Text(f"{a.at(ATOM)}**{n}", POWER), pieces, st.sampled_from([2, 3, -1, 0.5, 0, 1])
)


def _smooth(pieces):
    calls = st.builds(_call, st.sampled_from(ANALYTIC), pieces)
    return st.one_of(
        *(build(pieces) for build in BINARY), calls, NEGATIVE(pieces), LITERAL_POWERS(pieces)
    )


def _any(pieces):
    return st.one_of(
        *(build(pieces) for build in (*BINARY, POWERS, NEGATIVE, LITERAL_POWERS)),
        _binary(COMPARISON, SUM, SUM, "< <= > >= == !=")(pieces),
        st.builds(_call, st.sampled_from(ONE), pieces),
        st.builds(_call, st.sampled_from(TWO), pieces, pieces),
        st.builds(_call, st.sampled_from(THREE), pieces, pieces, pieces),
    )


def _chain(a: Text, first: str, b: Text, second: str, c: Text) -> Text:
    return Text(f"{a.at(SUM)} {first} {b.at(SUM)} {second} {c.at(SUM)}", COMPARISON)


def _choice(a: Text, condition: Text, b: Text) -> Text:
    return Text(f"{a.at(OR)} if {condition.at(OR)} else {b.text}", CHOICE)


def _conditional(a: Text, condition: Text, b: Text) -> Text:
    return Text(f"{condition.at(OR)} ? {a.text} : {b.text}", CHOICE)


def _logical(pieces):
    relations = st.sampled_from("< <= > >= == !=".split())
    return st.one_of(
        _binary(OR, OR, AND, "or ||")(pieces),
        _binary(AND, AND, NOT, "and &&")(pieces),
        pieces.map(lambda a: Text(f"not {a.at(NOT)}", NOT)),
        pieces.map(lambda a: Text(f"!{a.at(FACTOR)}", FACTOR)),
        st.builds(_chain, pieces, relations, pieces, relations, pieces),
        st.builds(_choice, pieces, pieces, pieces),
        st.builds(_conditional, pieces, pieces, pieces),
        _binary(PRODUCT, PRODUCT, FACTOR, "% //")(pieces),
        _any(pieces),
    )


def texts(extend=_any, size: int = 8):
    """Texts of expressions, at least three rules deep where a leaf is not drawn."""
    pieces = st.recursive(LEAVES, extend, max_leaves=size)
    return extend(extend(pieces)).map(lambda piece: piece.text)


EXPRESSIONS = texts()
ANALYTIC_EXPRESSIONS = texts(_smooth)
LOGICAL_EXPRESSIONS = texts(_logical)
NUMBERS = st.one_of(
    st.floats(-4, 4).filter(lambda x: x == 0 or abs(x) > 1e-90),  # nothing underflows
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0]),
)
POINTS = st.fixed_dictionaries(dict.fromkeys(NAMES, NUMBERS))

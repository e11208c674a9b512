"""What functions are called: in the language, in C, and what comparisons are called anywhere."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from dezero.graph import Variable


class Known:
    """What the language knows of a function; its sentence is the first line of its docstring.

    `parameters` are the names of its values, which are Variables; `keywords` what a call may give
    by name besides, as whole numbers.  `elementwise` says whether it works element by element, so
    that many evaluations may share one call.  `others` are what calls with other numbers of values
    mean, by that number, and `several` is what a call with any number from two means; those work
    element by element.  `orders` are the parameters that take no gradient.
    """

    __slots__ = (
        "aliases",
        "elementwise",
        "function",
        "keywords",
        "orders",
        "others",
        "parameters",
        "several",
    )

    def __init__(  # written out: to import dataclasses takes a third of the engine's own time
        self,
        function: Callable[..., Variable],
        parameters: tuple[str, ...],
        keywords: tuple[str, ...] = (),
        aliases: tuple[str, ...] = (),
        elementwise: bool = True,
        others: Mapping[int, Callable[..., Variable]] = MappingProxyType({}),
        several: Callable[..., Variable] | None = None,
        orders: tuple[str, ...] = (),
    ) -> None:
        self.function = function
        self.parameters = parameters
        self.keywords = keywords
        self.aliases = aliases
        self.elementwise = elementwise
        self.others = others
        self.several = several
        self.orders = orders

    @property
    def name(self) -> str:
        """What the language calls it."""
        return self.function.__name__

    @property
    def sentence(self) -> str:
        """What it gives, in a line."""
        return (self.function.__doc__ or "").partition("\n")[0]

    @property
    def arities(self) -> tuple[int, ...]:
        """How many values a call may have; one of `several` may have any number more."""
        return tuple(sorted({len(self.parameters), *self.others}))

    def form(self, arity: int) -> Callable[..., Variable] | None:
        """What a call with `arity` values means; None where it may not have so many."""
        if arity == len(self.parameters):
            return self.function
        return self.others.get(arity) or (self.several if arity > 1 else None)


CONSTANTS: dict[str, float] = {
    "pi": float(np.pi),
    "e": float(np.e),
    "inf": float(np.inf),
    "nan": float(np.nan),
}
"""Names with a value of their own, unless the user gives them another."""

C_NAMES: dict[Any, str] = {
    np.absolute: "fabs",
    np.sqrt: "sqrt",
    np.cbrt: "cbrt",
    np.exp: "exp",
    np.exp2: "exp2",
    np.expm1: "expm1",
    np.log: "log",
    np.log2: "log2",
    np.log10: "log10",
    np.log1p: "log1p",
    np.power: "pow",
    np.sin: "sin",
    np.cos: "cos",
    np.tan: "tan",
    np.arcsin: "asin",
    np.arccos: "acos",
    np.arctan: "atan",
    np.arctan2: "atan2",
    np.hypot: "hypot",
    np.sinh: "sinh",
    np.cosh: "cosh",
    np.tanh: "tanh",
    np.arcsinh: "asinh",
    np.arccosh: "acosh",
    np.arctanh: "atanh",
    np.floor: "floor",
    np.ceil: "ceil",
    np.trunc: "trunc",
    np.rint: "rint",
    np.fmod: "fmod",
    np.copysign: "copysign",
}
"""NumPy's ufuncs that C has too; machine code calls them, other languages note what differs.

The operations that are no ufuncs of NumPy are added where they are made.
"""


def c_alias(ufunc: np.ufunc) -> tuple[str, ...]:
    """C's name for a ufunc as an alias, where it differs."""
    name = C_NAMES.get(ufunc, ufunc.__name__)
    return () if name == ufunc.__name__ else (name,)


class Relation:
    """A comparison: NumPy's, Python's, and how each language writes it.

    `symbol` is that of the tool's own language, C, JavaScript and Python; `llvm` is LLVM's
    condition, which is ordered, but that nan is unequal to everything.
    """

    __slots__ = ("latex", "llvm", "operator", "sql", "symbol", "ufunc")

    def __init__(
        self,
        ufunc: np.ufunc,
        operator: Callable[[Any, Any], Any],
        symbol: str,
        llvm: str,
        latex: str,
        sql: str,
    ) -> None:
        self.ufunc = ufunc
        self.operator = operator
        self.symbol = symbol
        self.llvm = llvm
        self.latex = latex
        self.sql = sql


RELATIONS = (
    Relation(np.less, operator.lt, "<", "olt", "<", "<"),
    Relation(np.less_equal, operator.le, "<=", "ole", "\\le", "<="),
    Relation(np.greater, operator.gt, ">", "ogt", ">", ">"),
    Relation(np.greater_equal, operator.ge, ">=", "oge", "\\ge", ">="),
    Relation(np.equal, operator.eq, "==", "oeq", "=", "="),
    Relation(np.not_equal, operator.ne, "!=", "une", "\\ne", "<>"),
)

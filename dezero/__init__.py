"""Differentiate what you compute: a define-by-run engine for reverse-mode differentiation.

>>> import numpy as np
>>> from dezero import Variable, calculus, functions as F
>>> x = Variable(np.array(2.0))
>>> y = F.sin(x) * x**2
>>> y.backward()
>>> print(x.grad)
1.9726023611141572
>>> print(calculus.hessian(lambda x: F.sin(x) * x**2)(2.0))
-5.147769546028503

`Variable` is an array that remembers how it was made; operators, NumPy's functions and those of the
module `functions` apply to it. The module `calculus` makes functions of functions: gradients,
Jacobians, Hessians and products with them. `Function` is what an operation of your own subclasses.
`constant` makes what takes no gradient, `no_grad` and `using_config` switch recording off.

The names are those of the notes on DeZero, steps 17 to 22. The modules that are not named here are
the engine's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dezero import functions, lists, logic  # noqa: F401, NumPy's functions of Variables
from dezero.arithmetic import add, div, mul, neg, pow, square, sub
from dezero.graph import (
    Config,
    Function,
    Variable,
    as_array,
    as_variable,
    constant,
    no_grad,
    using_config,
)

if TYPE_CHECKING:
    from dezero import calculus

__version__ = "0.1.0"
__all__ = [
    "Config",
    "Function",
    "Variable",
    "add",
    "as_array",
    "as_variable",
    "calculus",
    "constant",
    "div",
    "functions",
    "mul",
    "neg",
    "no_grad",
    "pow",
    "square",
    "sub",
    "using_config",
]


def __getattr__(name: str) -> Any:
    """Import the module `calculus` when it is asked for: an expression's value needs none of it."""
    if name != "calculus":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import dezero.calculus as found

    return found


def __dir__() -> list[str]:
    """The names of the face alone."""
    return [*__all__, "__version__"]

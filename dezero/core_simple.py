"""The engine under the names of the notes it is built from (DeZero, steps 17 to 22).

Code written for those steps runs unchanged against this module.  It is a face: nothing in the
engine stands on it.
"""

from dezero.arithmetic import add, div, mul, neg, pos, pow, rdiv, rpow, rsub, square, sub
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

__all__ = [
    "Config",
    "Function",
    "Variable",
    "add",
    "as_array",
    "as_variable",
    "constant",
    "div",
    "mul",
    "neg",
    "no_grad",
    "pos",
    "pow",
    "rdiv",
    "rpow",
    "rsub",
    "square",
    "sub",
    "using_config",
]

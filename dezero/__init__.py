"""Differentiate expressions: a define-by-run engine for reverse-mode automatic differentiation."""

from dezero import functions
from dezero.core_simple import (
    Config,
    Function,
    Variable,
    add,
    as_array,
    as_variable,
    constant,
    div,
    mul,
    neg,
    no_grad,
    pow,
    rdiv,
    rsub,
    square,
    sub,
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
    "functions",
    "mul",
    "neg",
    "no_grad",
    "pow",
    "rdiv",
    "rsub",
    "square",
    "sub",
    "using_config",
]

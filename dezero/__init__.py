"""Differentiate expressions: a define-by-run engine for reverse-mode automatic differentiation."""

from dezero import functions, lists, logic
from dezero.arithmetic import add, div, mul, neg, pow, rdiv, rsub, square, sub
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
    "functions",
    "lists",
    "logic",
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

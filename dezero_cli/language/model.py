"""Model: a formula with its definitions, for Python; what every command does, as methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dezero_cli.faults import ValuesError
from dezero_cli.language import results as asked
from dezero_cli.language import statements, symbolic
from dezero_cli.language.results import Wanted
from dezero_cli.language.spelling import canonical, name_meant

Numbers = Any
"""What NumPy makes a float64 array of: a number, a list, an array."""


class Model:
    """A formula said once: an expression, and what its names and functions are defined as.

    >>> decay = Model("a*exp(-k*t)", k="1/tau")
    >>> decay(a=2, t=1, tau=4)
    1.5576015661428098

    Definitions are given by name; those of functions, and of names that are no identifiers, in a
    mapping: ``Model("g(x)*g(y)", {"g(t)": "exp(-t**2)"})``.  `text` and `definitions` are what was
    given; `inputs` are the names that need values.  Raises ExpressionError for a text with a fault
    and for definitions that need one another.
    """

    def __init__(
        self, text: str, definitions: Mapping[str, str] | None = None, /, **more: str
    ) -> None:
        given = {**(definitions or {}), **more}
        said = statements.statements(f"{head}={body}" for head, body in given.items())
        self.text = text
        self.definitions: dict[str, str] = given
        self.expression = statements.defined(said).linked(text)
        self.inputs = tuple(symbolic.free_names(self.expression))

    def __repr__(self) -> str:
        return f"Model({self.text!r})"

    def __call__(self, values: Mapping[str, Numbers] | None = None, /, **more: Numbers) -> Any:
        """The value for numbers, lists or arrays by name; a float, an array, or a list of results.

        Raises ValuesError for a name without a value, and ExpressionError for shapes that do not
        fit.
        """
        return self._results(values, more, Wanted(no_grad=True))["value"]

    def gradient(
        self, values: Mapping[str, Numbers] | None = None, /, **more: Numbers
    ) -> dict[str, Any]:
        """The gradient for each input, in the input's shape; of an array value, that of its sum."""
        found: dict[str, Any] = self._results(values, more, Wanted())["grad"]
        return found

    def hessian(
        self, values: Mapping[str, Numbers] | None = None, /, **more: Numbers
    ) -> dict[str, dict[str, Any]]:
        """The second derivatives for each pair of inputs, in the shapes of both."""
        found: dict[str, Any] = self._results(values, more, Wanted(hessian=True))["hessian"]
        return found

    def derive(self, *names: str, order: int = 1) -> dict[str, Any]:
        """The derivatives of an order as formulas, by the names that they are for: ``"x,y"``.

        By `names`, or by all inputs; of several results, a list of formulas each.
        """
        wrt = symbolic.wanted_names(self.expression, names)
        rows: list[list[str]] = []
        keys: list[tuple[str, ...]] = []
        for each in self.expression.results:
            keys, program = symbolic.derivatives(each, self.inputs, wrt, order)
            rows.append(symbolic.texts(program, self.text)[1:])
        columns = [list(column) for column in zip(*rows, strict=True)]
        shown: list[Any] = columns if self.expression.is_list else rows[0]
        return dict(zip(map(",".join, keys), shown, strict=True))

    def compile(self) -> Callable[..., tuple[np.ndarray, dict[str, np.ndarray]]]:
        """A function of columns: arrays of one length, or numbers for all rows, by name.

        It gives the value and the gradient for each input in every row, in machine code where
        llvmlite is installed, else by NumPy in blocks.  Raises ExpressionError for several
        results, and for an operation that needs a whole array.
        """
        from dezero.programs import native

        if self.expression.is_list:
            raise ValuesError("compile takes one result: make a Model of each element")
        kernel = native.compiled(symbolic.program(self.expression, self.inputs, self.inputs))

        def compiled(**columns: Numbers) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            value, *gradients = kernel.run(_arrays(columns, self.inputs))
            return value, dict(zip(self.inputs, gradients, strict=True))

        return compiled

    def _results(
        self, values: Mapping[str, Numbers] | None, more: Mapping[str, Numbers], wanted: Wanted
    ) -> dict[str, Any]:
        """The results as plain numbers and arrays."""
        given = _arrays({**(values or {}), **more}, self.inputs)
        found = asked.results(self.expression, given, wanted)
        return {key: plain(item) for key, item in found.items()}


def _arrays(given: Mapping[str, Numbers], inputs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The values as float64 arrays; ValuesError for an input without one."""
    arrays = {canonical(name): np.asarray(x, dtype=np.float64) for name, x in given.items()}
    for name in inputs:
        if name not in arrays:
            hint = name_meant(name, arrays) or f"add {name}=..."
            raise ValuesError(f"no value for {name}: {hint}")
    return arrays


def plain(item: Any) -> Any:
    """Arrays without axes as floats, also inside dictionaries and lists."""
    if isinstance(item, dict):
        return {key: plain(value) for key, value in item.items()}
    if isinstance(item, list):
        return [plain(value) for value in item]
    return float(item) if isinstance(item, np.ndarray | np.generic) and np.ndim(item) == 0 else item

"""Linking: an expression with the definitions and the functions that it uses, as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dezero import Variable
from dezero.work import OPERATION, spend
from dezero_cli.faults import ExpressionError
from dezero_cli.language import bounds
from dezero_cli.language.expression import (
    Apply,
    Call,
    DefinedFunction,
    Expression,
    Operation,
    Scope,
    has_e_alone,
    named,
    run,
)
from dezero_cli.language.spelling import quoted

Key = tuple[bool, str]
"""What may be walked: whether it is a function, and its name."""


class Linked(Expression):
    """An expression whose names may be definitions, and whose functions may be the user's.

    A definition is an expression that is computed once; every use of its name is that Variable, so
    that gradients flow through it.  `definitions` are those that are used, each after what it
    needs; `functions` the functions.  The `places` are those of the inputs (and of constants), in
    the order in which they would appear if all definitions were written out.
    """

    __slots__ = ("count", "expression", "given", "origins")

    def __init__(
        self,
        expression: Expression,
        definitions: Mapping[str, Expression] | None = None,
        functions: Mapping[str, DefinedFunction] | None = None,
        most: int = bounds.MOST_OPERATIONS,
    ) -> None:
        """Link an expression to what it uses.

        Raises ExpressionError for definitions that need one another, for a call with a wrong
        number of values, and for what would expand to more than `most` operations.
        """
        self.given = (definitions or {}, functions or {}, most)
        walk = _Walk(expression, *self.given)
        self.expression = expression
        self.count = walk.count
        self.origins = walk.origins
        places = {name: origin.places[name] for name, origin in walk.origins.items()}
        every = [expression, *walk.definitions.values()]
        every += [function.body for function in walk.functions.values()]
        quoted_names = {name for each in every for name in each.quoted}
        super().__init__(
            expression.text,
            places,
            expression.steps,
            expression.calls,
            quoted_names,
            expression.element,
        )
        self.definitions = walk.definitions
        self.functions = walk.functions

    def source(self, name: str) -> tuple[str, int]:
        """The text that a name first appears in, and where."""
        origin = self.origins[name]
        return origin.text, origin.places[name]

    @property
    def parts(self) -> list[Expression]:
        """The expression itself, the definitions and the functions' bodies."""
        bodies = [function.body for function in self.functions.values()]
        return [self.expression, *self.definitions.values(), *bodies]

    @property
    def e_alone(self) -> bool:
        """Whether `e` stands where it is not the base of a power."""
        parts = [self.expression, *self.definitions.values()]
        bodies = [f.body for f in self.functions.values() if "e" not in f.parameters]
        every = (each for each in [*parts, *bodies] if "e" in each.places)
        return "e" in self.places and any(has_e_alone(each.steps) for each in every)

    @property
    def reduction(self) -> tuple[str, Apply] | None:
        """The first step that mixes the elements of an array, with its text; None without one."""
        return next((found for each in self.parts if (found := each.reduction)), None)

    @property
    def work(self) -> int:
        """No fewer than the operations on two values that an evaluation takes."""
        steps = (step for part in self.parts for step in part.steps)
        widest = max((step.arity for step in steps if isinstance(step, Apply)), default=0)
        return 1 + widest * self.count

    @property
    def has_lists(self) -> bool:
        """Whether there is a list in any part, so that arrays are made of single numbers."""
        return any(each.has_lists for each in self.parts)

    @property
    def results(self) -> list[Expression]:
        """Each element of a list with what it uses; any other expression itself."""
        if not self.is_list:
            return [self]
        return [Linked(each, *self.given) for each in self.expression.results]

    def definition(self, name: str) -> Linked:
        """What a name is defined as, with what that needs."""
        return Linked(self.definitions[name], *self.given)

    def without(self, names: Sequence[str]) -> Linked:
        """The same with these definitions as inputs."""
        definitions, functions, most = self.given
        kept = {name: each for name, each in definitions.items() if name not in names}
        return Linked(self.expression, kept, functions, most)

    def evaluate(self, values: Scope, keep: list[Operation] | None = None) -> Variable:
        """Compute the definitions, then the expression; see Expression.evaluate."""
        spend(OPERATION * self.count)
        known: dict[str, Variable] = {**self.scope(values, values, keep)}

        def enter(call: Call, operands: list[Any]) -> tuple[Expression, Scope]:
            function = self.functions[call.name]
            scope = dict(zip(function.parameters, operands, strict=True))
            for name in function.body.places:
                if name not in scope:
                    scope[name] = known[name]
            return function.body, scope

        for name, definition in self.definitions.items():
            known[name] = run(definition, known, enter, keep)
            if keep is not None:
                text = quoted(name)
                keep.append(Operation(text, Apply(named, 1, 0, len(text), 0), known[name]))
        return run(self.expression, known, enter, keep)


class _Walk:
    """What an expression uses, found without recursion, in the order in which it is used.

    Definitions come after what they need.  `origins` has the expression in which each input first
    appears.
    """

    def __init__(
        self,
        expression: Expression,
        definitions: Mapping[str, Expression],
        functions: Mapping[str, DefinedFunction],
        most: int,
    ) -> None:
        self.known = definitions
        self.known_functions = functions
        self.definitions: dict[str, Expression] = {}
        self.functions: dict[str, DefinedFunction] = {}
        self.origins: dict[str, Expression] = {}
        self.costs: dict[str, int] = {}  # the operations of one call of each function
        self.path: dict[Key, Expression] = {}  # what is being walked, outermost first
        waiting = [(expression, self._uses(expression, ()))]
        while waiting:
            part, uses = waiting[-1]
            following = next(uses, None)
            if following is None:
                waiting.pop()
                self._leave()
                continue
            entered = self._enter(part, *following)
            if entered is not None:
                waiting.append(entered)
        self.count = self._cost(expression) + sum(map(self._cost, self.definitions.values()))
        bounds.require_operations(self.count, most, expression.text)
        spend(OPERATION * self.count)

    def _uses(self, part: Expression, parameters: Sequence[str]) -> Iterator[tuple[Key, int]]:
        """The names and functions of a part by place, without a function's own parameters."""
        if not part.calls:
            return (((False, n), place) for n, place in part.places.items() if n not in parameters)
        names = [((False, n), place) for n, place in part.places.items() if n not in parameters]
        calls = [((True, n), place) for n, place in part.calls.items()]
        return iter(sorted([*names, *calls], key=lambda use: use[1]))

    def _enter(
        self, part: Expression, key: Key, place: int
    ) -> tuple[Expression, Iterator[tuple[Key, int]]] | None:
        """What is to be walked for a name; None for an input and for what was walked before."""
        is_function, name = key
        if key in self.path:
            raise self._circle(part, key, place)
        if is_function:
            if name in self.functions:
                return None
            function = self.known_functions[name]
            self.path[key] = function.body
            return function.body, self._uses(function.body, function.parameters)
        if name in self.definitions:
            return None
        definition = self.known.get(name)
        if definition is None:
            self.origins.setdefault(name, part)
            return None
        self.path[key] = definition
        return definition, self._uses(definition, ())

    def _leave(self) -> None:
        """Note what has been walked as complete."""
        if not self.path:
            return
        (is_function, name), part = self.path.popitem()
        if is_function:
            self.functions[name] = self.known_functions[name]
            self.costs[name] = self._cost(part)
        else:
            self.definitions[name] = part

    def _cost(self, part: Expression) -> int:
        """The operations of a part with all calls written out; checks the calls."""
        cost = 0
        for step in part.steps:
            if type(step) is Apply:
                cost += 1
            elif type(step) is Call:
                cost += self.costs[step.name]
                _check_call(part.text, step, self.known_functions[step.name])
        return cost

    def _circle(self, part: Expression, key: Key, place: int) -> ExpressionError:
        """The fault of a definition that needs itself."""
        path = list(self.path)
        names = [quoted(name) for _, name in [*path[path.index(key) :], key]]
        if len(names) == 2:
            what = "is defined by itself: give it another name"
            message = f"{names[0]} calls itself" if key[0] else f"{names[0]} {what}"
        else:
            if len(names) > SHOWN:
                names[SHOWN - 2 : -1] = ["..."]
            needs = ", which needs ".join(names[1:])
            message = f"{names[0]} needs {needs}"
        return ExpressionError(message, part.text, place, place + len(key[1]))


SHOWN = 8
"""Names of a circle that a message has."""


def _check_call(text: str, call: Call, function: DefinedFunction) -> None:
    """Refuse a call with a wrong number of values."""
    wanted = len(function.parameters)
    if call.arity != wanted:
        values = f"{wanted} value{'s' if wanted != 1 else ''}"
        message = f"{call.name} takes {values}, got {call.arity}"
        raise ExpressionError(message, text, call.start, call.end)

"""``dezero minimize`` and ``dezero maximize``: optima, free and under constraints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from dezero_cli import extras, places, report
from dezero_cli.arguments import (
    ExpressionCommand,
    defs_option,
    fix_option,
    for_option,
    format_option,
    get_option,
    json_option,
    max_operations_option,
    precision_option,
    seed_option,
    starts_and_seed,
    starts_option,
    vars_option,
    within_option,
)
from dezero_cli.faults import UsageError
from dezero_cli.language import unknowns
from dezero_cli.language.diagnosis import missing_value
from dezero_cli.language.equations import Equation, constraints, refuse_condition
from dezero_cli.language.expression import Expression
from dezero_cli.language.spelling import canonical_words, name_meant, quoted
from dezero_cli.language.words import definitions_used, formula
from dezero_cli.number_format import NumberFormat
from dezero_cli.solving.optimum import Found, OptimumTask, optimum

HELP = """Find where EXPR is {least}, with exact derivatives.

\b
  dezero {command} {example} x=1 y=1
  dezero {command} 'x + y' x=1 y=1 {constraint}
  dezero {command} {example} x=1 y=1 --within x=0:0.5
  dezero {command} 'sum((y - a*x)**2)' --for a=1 x=@data.csv:x y=@data.csv:y

Names that are given as numbers vary, unless --for says which; arrays vary where --for names them.
--st gives a constraint (<=, >=, == and chains); a multiplier is d value / d limit. By the exact
Hessian the end is a {kind}, a saddle or flat.
"""


def command_of(name: str, least: str, example: str, constraint: str) -> click.Command:
    """The command of one of the two directions."""
    text = HELP.format(
        command=name, least=least, example=example, constraint=constraint, kind=f"{name[:4]}mum"
    )
    decorate: Sequence[Callable[[Any], Any]] = (
        click.argument("words", nargs=-1, metavar="EXPR NAME=START..."),
        for_option,
        within_option,
        click.option(
            "--st",
            multiple=True,
            metavar="CONSTRAINT",
            help="A constraint, such as 'x*y >= 25' or '0 <= x + y <= 1' (repeatable).",
        ),
        fix_option,
        starts_option,
        seed_option,
        vars_option,
        defs_option,
        json_option,
        get_option,
        precision_option,
        format_option,
        max_operations_option,
    )

    def run(**options: Any) -> int:
        return _run(name == "maximize", **options)

    run.__doc__ = "Read the arguments, search, report."
    function: Any = run
    for each in reversed(decorate):
        function = each(function)
    short = f"Find where EXPR is {least}, free or under constraints."
    made: click.Command = click.command(
        name, cls=ExpressionCommand, help=text, short_help=short, no_args_is_help=True
    )(function)
    return made


def _run(
    maximize: bool,
    words: tuple[str, ...],
    unknowns: tuple[str, ...],
    within: tuple[str, ...],
    st: tuple[str, ...],
    fix: tuple[str, ...],
    starts: int | None,
    seed: int | None,
    vars_file: str | None,
    defs: str | None,
    as_json: bool,
    get: tuple[str, ...],
    precision: int | None,
    form: str | None,
    max_operations: int,
) -> int:
    extras.require("scipy")
    if get and as_json:
        raise UsageError("--get prints numbers alone: leave out --json")
    asked = Sought(words, defs, vars_file, unknowns, fix, within, st, max_operations)
    task = asked.task()
    task.maximize = maximize
    task.starts, task.seed = starts_and_seed(starts, seed)
    found = optimum(task)
    result = asked.head | _told(found)
    show = NumberFormat(precision, form)
    if get:
        chosen = canonical_words(get)
        report.write("".join(places.text(places.found(result, w), show) + "\n" for w in chosen))
    elif as_json:
        report.write(report.json_line(result))
    else:
        report.warn(asked.note)
        report.write(report.optimum_text(result, show))
    if found.better_start is not None:
        report.warn(f"note: start {found.better_start} found a better value than the start given")
    if not found.converged:
        report.warn(f"note: {found.message}")
    return 0 if found.converged else 1


def _told(found: Found) -> dict[str, Any]:
    return {
        "value": found.value,
        "at": found.at,
        "grad": found.gradient,
        "active": found.active,
        "kind": found.kind,
        "converged": found.converged,
        "steps": found.steps,
        "message": found.message,
    }


class Sought:
    """What the words ask: the expression, what varies from which start, and what is held."""

    def __init__(
        self,
        words: Sequence[str],
        defs: str | None,
        vars_file: str | None,
        wanted: Sequence[str],
        fixed: Sequence[str],
        within: Sequence[str],
        st: Sequence[str],
        most: int,
    ) -> None:
        self.formula = formula(words, "'(x - 1)**2 + y**2' x=0 y=1", defs, vars_file)
        said = self.formula.said
        limits = unknowns.take_limits(said)
        wanted = unknowns.named(wanted, "--for", said)
        limits |= unknowns.take_limits(said)
        fixed = unknowns.named(fixed, "--fix", said)
        self.limits = limits | unknowns.within(within)
        unknowns.refuse_held(fixed, wanted, self.limits)
        self.given = self.formula.given(columns=list(limits))
        self.expression = self.given.linked(self.formula.text, most)
        refuse_condition(self.expression, "give it as a constraint, with --st")
        if self.expression.is_list:
            raise UsageError("one value is needed, not a list of several")
        self.constraints: list[Equation] = []
        for text in st:
            self.constraints += constraints(text, self.given, most)
        parts = [self.expression, *(each.residual for each in self.constraints)]
        self.names = list(dict.fromkeys(name for part in parts for name in part.names))
        self.unknowns = self._unknowns(wanted, fixed, list(limits))
        self._check(parts)

    @property
    def head(self) -> dict[str, Any]:
        """The expression and what is defined, as they are told."""
        used = definitions_used(self.expression)
        for each in self.constraints:
            used |= definitions_used(each.residual)
        return {"expr": str(self.formula.text)} | ({"defs": used} if used else {})

    @property
    def note(self) -> str:
        """What varies and what is held."""
        held = [n for n in self.names if n in self.given.values and n not in self.unknowns]
        varies = ", ".join(map(quoted, self.unknowns))
        return f"varies: {varies}" + (f"; held: {', '.join(map(quoted, held))}" if held else "")

    def task(self) -> OptimumTask:
        """What is to be searched."""
        start = {
            name: unknowns.start(name, self.given.values, self.limits) for name in self.unknowns
        }
        held = {n: x for n, x in self.given.values.items() if n not in self.unknowns}
        return OptimumTask(self.expression, start, held, self.limits, self.constraints)

    # -------------------------------------------------------------------------------------------
    def _unknowns(
        self, wanted: Sequence[str], fixed: Sequence[str], ranged: Sequence[str]
    ) -> list[str]:
        """What varies: what --for names, or the numbers given, and what has a range."""
        if wanted:
            return list(dict.fromkeys([*wanted, *ranged]))
        own = {*self.formula.own(self.given)} & {*self.names}
        numbers = [
            name
            for name in self.names
            if name in (own or self.given.values)
            and not self.given.values[name].ndim
            and name not in fixed
        ]
        return [name for name in self.names if name in {*numbers, *ranged}]

    def _check(self, parts: Sequence[Expression]) -> None:
        """Refuse names without values, and unknowns and limits that nothing uses."""
        for name in [*self.unknowns, *self.limits]:
            if name not in self.names:
                hint = name_meant(name, self.names) or f"it uses {', '.join(self.names)}"
                raise UsageError(f"no {quoted(name)} in the expression: {hint}")
            if name not in self.unknowns:
                raise UsageError(f"{quoted(name)} has limits, but is held: add --for {name}")
            if name not in self.limits and name not in self.given.values:
                raise UsageError(f"{quoted(name)} needs a start: add {quoted(name)}=1")
        known = {*self.unknowns, *self.given.values}
        for part in parts:
            for name in part.names:
                if name not in known and not part.is_constant(name):
                    text, place = part.source(name)
                    raise missing_value(text, name, place, dict.fromkeys(known))
        if not self.unknowns:
            hint = "give a start, as in x=1"
            raise unknowns.none_varies("nothing varies", hint, self.names, self.given.values)


command = command_of("minimize", "least", "'(x - 1)**2 + (y - x)**2'", "--st 'x*y >= 25'")

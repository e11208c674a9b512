"""``dezero solve``: equations, and the derivatives of the solution for what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import numpy as np

from dezero_cli import extras, places, report
from dezero_cli.arguments import (
    ExpressionCommand,
    corr_option,
    defs_option,
    dist_option,
    draws_seed_option,
    fit_option,
    fix_option,
    for_option,
    format_option,
    get_option,
    half_option,
    hessian_option,
    json_option,
    level_option,
    max_operations_option,
    mc_option,
    precision_option,
    sigma_option,
    vars_option,
    wrt_option,
)
from dezero_cli.faults import UsageError
from dezero_cli.language import fitted, statements, unknowns
from dezero_cli.language.diagnosis import assignment, missing_value
from dezero_cli.language.equations import Equation, equations
from dezero_cli.language.fitted import FittedValues
from dezero_cli.language.spelling import canonical_words, name_meant, quoted, some_names
from dezero_cli.language.words import definitions_used, expression_text, formula
from dezero_cli.number_format import NumberFormat
from dezero_cli.solving.drawn import of_columns
from dezero_cli.solving.equation import EquationTask, Solved, solve, solve_all
from dezero_cli.solving.functions import Layout
from dezero_cli.solving.implicit import Implicit
from dezero_cli.uncertainty import of_fit
from dezero_cli.uncertainty.asked import Asked, from_words
from dezero_cli.uncertainty.inputs import Inputs, column_name, resolved
from dezero_cli.uncertainty.propagation import notes_on, of_gradients, sampled

HELP = """Solve equations for unknowns, and differentiate the solution by what was given.

\b
  dezero solve 'cos(x) == x' x=0.5
  dezero solve 'x**3 == 2' x=1:2
  dezero solve 'tan(x) == x' x=0:20 --all
  dezero solve 'x + y == 3' 'x*y == 2' x=0 y=3
  dezero solve 'x*exp(x) == a' --for x=1 a=2 --sigma a=0.1

x=START is where the search begins, x=LO:HI a bracket: where the signs at its ends differ, a root
between them is found. An expression without == is to be 0. Where other names have numbers too,
--for says which are unknown. The derivatives are exact, by the implicit function theorem.
"""
EXAMPLE = "'cos(x) == x' x=0.5"
MOST_CURVED = 30
"""Uncertain numbers up to which second derivatives are looked at without being asked for."""
SINGULAR = (
    "the equations do not determine the solution by their slopes there (a root of even order, or "
    "one of many): its derivatives say nothing"
)


@click.command("solve", cls=ExpressionCommand, help=HELP, no_args_is_help=True)
@click.argument("words", nargs=-1, metavar="EQUATION... [NAME=VALUE | NAME=LO:HI]...")
@for_option
@fix_option
@click.option("--all", "every", is_flag=True, help="Give every root in the range NAME=LO:HI.")
@vars_option
@defs_option
@wrt_option
@hessian_option
@fit_option
@sigma_option
@half_option
@corr_option
@dist_option
@mc_option
@draws_seed_option
@level_option
@json_option
@get_option
@precision_option
@format_option
@max_operations_option
def command(
    words: tuple[str, ...],
    unknowns: tuple[str, ...],
    fix: tuple[str, ...],
    every: bool,
    vars_file: str | None,
    defs: str | None,
    wrt: tuple[str, ...],
    hessian: bool,
    fit: str | None,
    sigma: tuple[str, ...],
    half: tuple[str, ...],
    corr: tuple[str, ...],
    dist: tuple[str, ...],
    mc: str | None,
    seed: int | None,
    level: float | None,
    as_json: bool,
    get: tuple[str, ...],
    precision: int | None,
    form: str | None,
    max_operations: int,
) -> int:
    """Read the equations, search, report."""
    extras.require("scipy")
    if get and as_json:
        raise UsageError("--get prints numbers alone: leave out --json")
    uncertain = from_words(sigma, half, corr, dist, (), 1, mc, seed, level, common=bool(fit))
    get = canonical_words(get)
    asked = Posed(words, defs, vars_file, unknowns, fix, max_operations, fit)
    if asked.fit is not None:
        uncertain = of_fit.uncertain(asked.fit, uncertain)
    names = asked.differentiated(some_names(wrt), uncertain.names)
    spread = asked.uncertain_inputs(uncertain) if uncertain else None
    task = asked.task()
    if every and not (len(task.start) == 1 and task.brackets):
        raise UsageError("--all needs one unknown with a range, as in x=0:20")
    ends = solve_all(task) if every else [solve(task)]
    each = [
        asked.solution(end, names, hessian) | asked.spread(end, uncertain, spread) for end in ends
    ]
    result = asked.head | ({"solutions": each, "converged": bool(each)} if every else each[0])
    show = NumberFormat(precision, form)
    if get:
        report.write("".join(places.text(places.found(result, w), show) + "\n" for w in get))
    elif as_json:
        report.write(report.json_line(result))
    else:
        report.write("\n".join(report.solution_text(one, show) for one in each))
    for note in [*task.notes, *asked.notes]:
        report.warn(f"note: {note}")
    return _status(ends)


def _status(ends: Sequence[Solved]) -> int:
    """The exit status; says on standard error why there is no solution."""
    if not ends:
        report.warn("note: no root was found in the range")
        return 1
    for end in ends:
        if not end.converged:
            report.warn(f"note: {end.message}")
            return 1
    return 0


class Posed:
    """What the words ask: the equations, the unknowns with their starts, and what is held."""

    def __init__(
        self,
        words: Sequence[str],
        defs: str | None,
        vars_file: str | None,
        wanted: Sequence[str],
        fixed: Sequence[str],
        most: int,
        fit: str | None = None,
    ) -> None:
        texts = [word for word in words if not statements.is_statement(word)]
        first = [word for word in words if word not in texts[1:]]
        readers = ["--fit"] if fit == "-" else []
        self.formula = formula(first, EXAMPLE, defs, vars_file, readers)
        known = None if fit is None else fitted.fitted(fit)
        said = self.formula.said
        self.limits = unknowns.take_limits(said)
        wanted = unknowns.named(wanted, "--for", said)
        self.limits |= unknowns.take_limits(said)
        fixed = unknowns.named(fixed, "--fix", said)
        unknowns.refuse_held(fixed, wanted, self.limits)
        columns = [*self.limits, *(known.values if known else ())]
        self.given = self.formula.given(columns=columns)
        self.equations: list[Equation] = []
        for text in [self.formula.text, *map(expression_text, texts[1:])]:
            self.equations += equations(text, self.given, most)
        self.names = list(
            dict.fromkeys(name for each in self.equations for name in each.residual.names)
        )
        self.notes: dict[str, None] = {}
        self.unknowns = self._unknowns(wanted, fixed)
        self.fit = None if known is None else self._with_fit(known)
        self._check()

    def _with_fit(self, known: FittedValues) -> FittedValues:
        """What the equations have of a fit; it gives the values that nothing else gives."""
        said = {*self.given.values, *self.given.definitions, *self.unknowns}
        found = of_fit.among(known, self.names, said)
        numbers = {name: np.array(value) for name, value in found.values.items()}
        self.given.values = numbers | self.given.values
        return found

    @property
    def head(self) -> dict[str, Any]:
        """The equations and what is defined, as they are told."""
        used: dict[str, str] = {}
        for each in self.equations:
            used |= definitions_used(each.residual)
        texts = [each.text for each in self.equations]
        return {"equations": texts} | ({"defs": used} if used else {})

    def task(self) -> EquationTask:
        """What is to be solved."""
        start = {
            name: unknowns.start(name, self.given.values, self.limits) for name in self.unknowns
        }
        residuals = [each.residual for each in self.equations]
        return EquationTask(residuals, start, self._held(), self.limits)

    def differentiated(self, wrt: Sequence[str], sigmas: Sequence[str]) -> list[str]:
        """The names that the solution is differentiated by."""
        held = self._held()
        for name in [*wrt, *sigmas]:
            if name not in held:
                if name in self.unknowns:
                    raise UsageError(f"{quoted(name)} is unknown: give what was measured")
                if name not in self.names:
                    hint = name_meant(name, held) or f"they use {', '.join(self.names)}"
                    raise UsageError(f"no {quoted(name)} in the equations: {hint}")
                hint = name_meant(name, held) or f"add {assignment(name)}"
                raise UsageError(f"no value for {quoted(name)}: {hint}")
        used = [name for name in self.names if name in held]
        return list(dict.fromkeys([*(wrt or used), *sigmas]))

    def uncertain_inputs(self, uncertain: Asked) -> Inputs:
        """The inputs that are uncertain; readings become their means."""
        self.given.values, inputs = resolved(uncertain, self.given.values)
        return inputs

    def solution(self, end: Solved, names: Sequence[str], hessian: bool) -> dict[str, Any]:
        """What is told of one solution."""
        found: dict[str, Any] = {"solution": end.at, "residual": end.residual}
        if end.converged:
            implicit = self._implicit(end, names)
            if names and (implicit.is_singular or not np.isfinite(implicit.matrix).all()):
                self.notes[SINGULAR] = None
            found["grad"] = implicit.gradients()
            if hessian:
                found["hessian"] = implicit.hessians()
        return found | {"converged": end.converged, "steps": end.steps, "message": end.message}

    def spread(self, end: Solved, uncertain: Asked, inputs: Inputs | None) -> dict[str, Any]:
        """The uncertainty of each unknown: to first order, and by draws if these are asked for."""
        if inputs is None or not end.converged:
            return {}
        implicit = self._implicit(end, inputs.names)
        found = of_gradients(implicit.gradients(), self.given.values, inputs)
        if implicit.given.size <= MOST_CURVED:
            self._note_curvature(implicit, found["sigma"], inputs)
        if uncertain.draws is not None:
            found["mc"] = self._drawn(end, uncertain, inputs)
        return found

    def _note_curvature(
        self, implicit: Implicit, sigmas: Mapping[str, np.ndarray], inputs: Inputs
    ) -> None:
        """Note where second derivatives make an uncertainty a tenth larger, or more."""
        spread = np.concatenate(
            [
                np.broadcast_to(inputs.sigmas[name], self.given.values[name].shape).ravel()
                for name in inputs.names
            ]
        )
        bent = implicit.unknowns.unpacked(implicit.bent(spread, implicit.unknowns.packed(sigmas)))
        for name, times in bent.items():
            if np.max(times) > 1.1:
                more = f"{quoted(name)} is curved over them, and its sigma larger"
                self.notes[f"the uncertainties are large: {more}; --mc 100000 tells"] = None

    def _implicit(self, end: Solved, names: Sequence[str]) -> Implicit:
        """The solution as a function of these values."""
        held = self._held()
        given = {name: held.pop(name) for name in names}
        return Implicit([each.residual for each in self.equations], end.at, given, held)

    def _drawn(self, end: Solved, uncertain: Asked, inputs: Inputs) -> dict[str, Any]:
        """The mean, the uncertainty and the intervals of each unknown, by draws."""
        keys = {
            name: [column_name(name, index) for index in np.ndindex(self.given.values[name].shape)]
            for name in inputs.names
        }
        residuals = [each.residual for each in self.equations]
        function = of_columns(residuals, end.at, self._held(), keys)
        layout = Layout(end.at)
        sample = sampled(function, self.given.values, inputs, uncertain, layout.size)
        for note in notes_on(sample):
            report.warn(note)
        numbers = {"mean": sample.means, "sigma": sample.sigmas}
        found: dict[str, Any] = {key: layout.unpacked(array) for key, array in numbers.items()}
        for key, ends in (("interval", sample.intervals), ("shortest", sample.shortest)):
            low, high = (layout.unpacked(part) for part in ends.T)
            found[key] = {name: np.stack([low[name], high[name]], axis=-1) for name in low}
        return found | {"samples": sample.samples, "seed": sample.seed}

    # -------------------------------------------------------------------------------------------
    def _held(self) -> dict[str, np.ndarray]:
        return {
            n: x for n, x in self.given.values.items() if n not in self.unknowns and n in self.names
        }

    def _unknowns(self, wanted: Sequence[str], fixed: Sequence[str]) -> list[str]:
        """The names to solve for: those that --for or ranges name, or all that have numbers."""
        if wanted or self.limits:
            return list(dict.fromkeys([*wanted, *self.limits]))
        typed = self._typed()
        given = [n for n in self.names if n in typed and n not in fixed]
        numbers = [n for n in given if not self.given.values[n].ndim]
        if len(numbers) == len(self.equations):
            return numbers
        if len(numbers) > len(self.equations):
            shown = " or ".join(f"--for {quoted(n)}" for n in numbers[:3])
            names = ", ".join(map(quoted, numbers))
            raise UsageError(f"which of {names} is unknown? Add {shown}")
        return numbers

    def _typed(self) -> set[str]:
        """The names with values; those of a formula file only if no others have any."""
        own = {*self.formula.own(self.given)} & {*self.names}
        return own or {*self.given.values}

    def _check(self) -> None:
        """Refuse unknowns that no equation has, and names without values."""
        for name in self.unknowns:
            if name not in self.names:
                hint = name_meant(name, self.names) or f"they use {', '.join(self.names)}"
                raise UsageError(f"no {quoted(name)} in the equations: {hint}")
            if name not in self.limits and name not in self.given.values:
                raise self._without_start(name)
        known = {*self.unknowns, *self.given.values}
        without = [name for name in self.names if name not in known]
        if without and not (known - {*(self.fit.values if self.fit else ())}):
            raise self._without_start(without[0])
        for each in self.equations:
            for name in each.residual.names:
                if name not in known and not each.residual.is_constant(name):
                    raise _without_value(each, name, known)
        if not self.unknowns:
            hint = "give a start, as in x=1, or a bracket x=0:2"
            raise unknowns.none_varies("nothing is unknown", hint, self.names, self.given.values)

    @staticmethod
    def _without_start(name: str) -> UsageError:
        start = f"{quoted(name)}=1, or a bracket such as {quoted(name)}=0:2"
        return UsageError(f"{quoted(name)} needs a start: add {start}")


def _without_value(each: Equation, name: str, known: set[str]) -> Exception:
    text, place = each.residual.source(name)
    return missing_value(text, name, place, dict.fromkeys(known))

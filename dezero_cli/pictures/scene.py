"""What ``dezero plot`` is asked for -> what is drawn, or why it cannot be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dezero_cli.faults import UsageError
from dezero_cli.language import equations, explain, ranges, statements, symbolic
from dezero_cli.language.diagnosis import missing_value
from dezero_cli.language.expression import Expression
from dezero_cli.language.fitted import FittedValues
from dezero_cli.language.number_files import Columns
from dezero_cli.language.ranges import Range
from dezero_cli.language.spelling import canonical, name_meant
from dezero_cli.language.statements import Given
from dezero_cli.language.words import Formula
from dezero_cli.pictures import labels, points
from dezero_cli.pictures.subject import FIELD_SAMPLES, Subject, Uncertain

if TYPE_CHECKING:
    from dezero_cli.pictures.fits import Points
    from dezero_cli.uncertainty.asked import Size

MOST_SIGMAS = 3
"""Uncertain values whose sizes stand beside the name of a band."""
LARGEST = 4_000_000
"""The most samples that a grid may have."""
NAMES = "fyghF"
"""What the value is called where nothing says so: the first that the expression does not use."""


@dataclass(frozen=True)
class Drawing:
    """What is asked for: a formula, a table of points, a fit, and uncertainties by name.

    `order` is that of the derivatives, or None for what is usual; `log` the axes that are
    logarithmic; `joined` whether a line joins the points; `most` bounds the operations.
    """

    asked: Formula
    table: Columns | None
    fit: FittedValues | None
    sigmas: Mapping[str, Size]
    order: int | None
    log: str
    joined: bool
    most: int


@dataclass(frozen=True)
class Scene:
    """What is drawn: a subject, the points of a table, and what the user should know."""

    subject: Subject
    points: Points | None
    notes: list[str]


def staged(drawing: Drawing) -> Scene:
    """What is to be drawn.  Raises UsageError and its like for what cannot be."""
    shown = _ranges(drawing.asked)
    left, text = _sides(drawing)
    said = _given(drawing, shown)
    if text is not drawing.asked.text:
        equations.equation(drawing.asked.text, said, drawing.most)  # refuses what is none
    expression = said.linked(text, drawing.most)
    if drawing.table and not shown:
        shown = [points.range_of(expression, said, drawing.table)]
    _check(expression, shown, said.values)
    subject = _subject(drawing, expression, shown, said.values)
    result = drawing.asked.name or (canonical(left) if left else subject.result)
    inner, outer = points.sorted_out(drawing.sigmas, subject.fixed, subject.family, drawing.table)
    band = _uncertain(inner, subject.fixed, _kept(drawing))
    subject = replace(subject, result=result, uncertain=band)
    scattered, notes = None, list[str]()
    if drawing.table:
        wanted = left or drawing.asked.name
        scattered, notes = points.of_table(drawing.table, subject.names, wanted, said, outer)
        scattered = replace(scattered, joined=drawing.joined)
    if note := explain.note_on_e(expression, [*said.values, *subject.names], explain.GIVE_E):
        notes.append(note)
    return Scene(subject, scattered, notes)


def _sides(drawing: Drawing) -> tuple[str | None, str]:
    """What the value is called in an equation, and the text of what is drawn."""
    text = drawing.asked.text
    left = None
    if drawing.table or drawing.fit:
        left, text = points.sides(text)
    if drawing.fit and left is None:
        left, _ = points.sides(drawing.fit.text)
    return left, text


def _given(drawing: Drawing, shown: Sequence[Range]) -> Given:
    """What is said of names; the command line comes before a fit."""
    columns = drawing.table.names if drawing.table else []
    fit = drawing.fit.values if drawing.fit else {}
    said = drawing.asked.given(columns=[*(each.name for each in shown), *columns, *fit])
    found = {n: np.array(value) for n, value in fit.items() if n not in said.definitions}
    said.values = found | said.values
    return said


def _subject(
    drawing: Drawing,
    expression: Expression,
    shown: Sequence[Range],
    values: Mapping[str, np.ndarray],
) -> Subject:
    """The subject without its uncertainties."""
    used = {
        name: array[0] if array.shape == (1,) else array  # a list of one value is that value
        for name, array in values.items()
        if name in expression.names
    }
    family = _family(used)
    several = expression.is_list or family is not None
    if len(shown) == 2 and (several or drawing.order is not None or drawing.sigmas):
        fault = "two ranges show one result and its gradient: no lists, no --order, no --sigma"
        raise UsageError(fault)
    alone = not (several or drawing.table or drawing.fit or len(shown) == 2)
    order = int(alone) if drawing.order is None else drawing.order
    fixed = {name: float(array) for name, array in used.items() if not array.ndim}
    name = next((name for name in NAMES if name not in expression.names), "value")
    return Subject(expression, shown, fixed, order, family, name, drawing.log, most=drawing.most)


def _kept(drawing: Drawing) -> FittedValues | None:
    """A fit without the parameters that have another value or sigma on the command line."""
    fit = drawing.fit
    if fit is None:
        return None
    said = {*drawing.asked.said, *drawing.sigmas}
    kept = [i for i, name in enumerate(fit.values) if name not in said]
    values = {name: value for name, value in fit.values.items() if name not in said}
    return replace(fit, values=values, covariance=fit.covariance[np.ix_(kept, kept)])


def _uncertain(
    sizes: Mapping[str, Size], numbers: Mapping[str, float], fit: FittedValues | None
) -> Uncertain | None:
    """The uncertain values: those of a fit with their covariance, the others independent."""
    names = tuple(fit.values) if fit else ()
    if fit and fit.factor and names and not sizes:
        level = "" if fit.level is None else f"{100 * fit.level:.4g} % "
        label = f"{level}confidence band (± {fit.factor:.3g} σ)"
        return Uncertain(names, fit.covariance, fit.factor, label)
    if not sizes and not names:
        return None
    every = (*names, *sizes)
    covariance = np.diag([0.0] * len(names) + [x * x for x in _sigmas(sizes, numbers)])
    if fit and names:
        covariance[: len(names), : len(names)] = fit.covariance
    return Uncertain(every, covariance, label=_one_sigma(every, np.sqrt(np.diag(covariance))))


def _one_sigma(names: Sequence[str], sigmas: np.ndarray) -> str:
    """What a band of one sigma is called: after its few uncertain values, or the names of many."""
    from dezero.programs.latex import latex_name

    spelt = [latex_name(name) for name in names]
    if len(names) > MOST_SIGMAS:
        return f"± 1 σ of {', '.join(f'${name}$' for name in spelt)}"
    sizes = (labels.scientific(f"{sigma:.3g}") for sigma in sigmas)
    shown = (f"$σ({name}) = {size}$" for name, size in zip(spelt, sizes))
    return f"± 1 σ from {', '.join(shown)}"


def _sigmas(sizes: Mapping[str, Size], numbers: Mapping[str, float]) -> list[float]:
    """The standard uncertainties of values."""
    if not sizes:
        return []
    from dezero_cli.uncertainty.asked import Asked
    from dezero_cli.uncertainty.inputs import resolved

    _, inputs = resolved(Asked(sizes), {n: np.array(number) for n, number in numbers.items()})
    return [float(inputs.sigmas[name]) for name in sizes]


def _family(used: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray] | None:
    """The one name whose value is a list, a curve for each; None without one."""
    lists = [name for name, array in used.items() if array.ndim]
    if not lists:
        return None
    if len(lists) > 1:
        raise UsageError(f"{' and '.join(lists)} are lists: one name may have a curve for each")
    name, array = lists[0], used[lists[0]]
    if array.ndim > 1 or not len(array):
        raise UsageError(
            f"{name} has shape {array.shape}: a plot needs a number, a list or a range"
        )
    return name, array


def _ranges(asked: Formula) -> list[Range]:
    """The ranges among the statements, which they leave."""
    found = []
    for key, (begun, word) in list(asked.said.items()):
        text = statements.behind(word, begun)
        if begun.parameters is None and ranges.parts(text) is not None:
            found.append(ranges.span(begun.name, text))
            del asked.said[key]
    return found


def _check(expression: Expression, shown: Sequence[Range], fixed: Mapping[str, np.ndarray]) -> None:
    """Refuse what cannot be drawn: no range, or too many; a name without a value, or unknown."""
    given = {each.name for each in shown}
    names = symbolic.free_names(expression, [*fixed, *given])
    example = next((name for name in names if name not in fixed), "x")
    if not 1 <= len(shown) <= 2:
        count = "no range" if not shown else f"{len(shown)} ranges"
        raise UsageError(f"{count}: give one or two, such as {example}=-3:3")
    for name in names:
        if name not in given and name not in fixed:
            known = dict.fromkeys([*given, *fixed])
            text, place = expression.source(name)
            raise missing_value(text, name, place, known)
    for each in shown:
        if each.name not in expression.names:
            hint = name_meant(each.name, names) or f"it uses {', '.join(names) or 'no names'}"
            raise UsageError(f"no {each.name} in the expression: {hint}")
    if math.prod(each.count or FIELD_SAMPLES for each in shown) > LARGEST:
        raise UsageError(f"a grid may have at most {LARGEST:,} samples: give smaller counts")

"""What to draw, as numbers: curves with their derivatives and bands over a range, or a field."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dezero.programs.trace import Program
from dezero_cli.faults import PictureError, UsageError
from dezero_cli.language import symbolic
from dezero_cli.language.expression import Expression
from dezero_cli.language.ranges import Range
from dezero_cli.language.results import names_of
from dezero_cli.number_format import number_text
from dezero_cli.pictures import sampling, surfaces
from dezero_cli.report import derivative_label

CURVE_SAMPLES, FIELD_SAMPLES = 1001, 201
LARGEST = 1e300
"""Larger values count as infinite, and their reciprocals as 0: distances would overflow."""
NARROW = 1e-4
"""A curve shorter than this part of the range, a tenth of a pixel, is not visible."""
MOST_CURVES = 20


@dataclass(frozen=True)
class Uncertain:
    """Uncertain values: their names, their covariance (n, n), and how wide the band is.

    The band reaches `factor` standard uncertainties to both sides; `label` says what it is.
    """

    names: tuple[str, ...]
    covariance: np.ndarray
    factor: float = 1.0
    label: str = "± 1 σ"


@dataclass(frozen=True)
class Subject:
    """What to draw: an expression over one or two ranges; its other names have fixed values.

    A `family` is a name with several values, a curve each; `result` what the value is called;
    `log` the axes that are logarithmic; `most` bounds the operations of the derivatives.
    """

    expression: Expression
    ranges: Sequence[Range]
    fixed: Mapping[str, float]
    order: int = 1
    family: tuple[str, np.ndarray] | None = None
    result: str = "f"
    log: str = ""
    uncertain: Uncertain | None = None
    most: int | None = None

    @property
    def names(self) -> list[str]:
        """The names that have ranges."""
        return [each.name for each in self.ranges]

    @property
    def inputs(self) -> list[str]:
        """The names with values, then those with ranges."""
        return [*self.fixed, *([self.family[0]] if self.family else []), *self.names]

    def members(self) -> Iterator[Member]:
        """One curve each: of every result, for every value of the family.

        Raises UsageError for more than MOST_CURVES.
        """
        several = self.expression.is_list
        names = names_of(self.expression) if several else [self.result]
        name_of, numbers = self.family or ("", np.array([]))
        values: list[dict[str, float]] = [{name_of: x} for x in numbers.tolist()] or [{}]
        if len(names) * len(values) > MOST_CURVES:
            count = len(names) * len(values)
            raise UsageError(f"{count} curves cannot be told apart: draw at most {MOST_CURVES}")
        for name, each in zip(names, self.expression.results):
            one = replace(self, expression=each, result=name)
            ladder = Ladder(one)
            for given in values:
                label = ", ".join(
                    [name] * several + [f"{n} = {short(x)}" for n, x in given.items()]
                )
                yield Member(one, ladder, {**self.fixed, **given}, label)

    @property
    def heading(self) -> str:
        """``f(x)``: what the value is called, with the names that have ranges; ``log(y)`` alone."""
        result = self.result
        return f"{result}({', '.join(self.names)})" if result.isidentifier() else result

    def derivative_name(self, order: int) -> str:
        """What a derivative is called in text."""
        return derivative_label(self.names * order)

    def places(self) -> list[np.ndarray]:
        """The samples along each range, evenly spaced on its axis."""
        count = CURVE_SAMPLES if len(self.ranges) == 1 else FIELD_SAMPLES
        return [each.places(count, axis in self.log) for each, axis in zip(self.ranges, "xy")]

    def field(self) -> surfaces.Field:
        """The values and the gradient over two ranges.  Raises PictureError without values."""
        program = symbolic.program(self.expression, self.inputs, self.names)
        sampled = surfaces.field(
            lambda x, y: run(program, {**self.fixed, **dict(zip(self.names, (x, y)))}, len(x)),
            *self.places(),
        )
        if not len(sampled.samples):
            raise nowhere(self, "finite value")
        return sampled


def short(value: float) -> str:
    """A value as pictures show it, with four digits."""
    return f"{value:.4g}"


def run(program: Program, columns: Mapping[str, np.ndarray | float], count: int) -> np.ndarray:
    """The outputs of a program at n places, shape (outputs, n), limited for drawing."""
    stacked = np.stack([np.broadcast_to(output, (count,)) for output in program.run(columns)])
    size = np.abs(stacked)
    stacked[size < 1 / LARGEST] = 0.0
    return np.where(size > LARGEST, np.copysign(np.inf, stacked), stacked)


class Ladder:
    """The value of a subject over one range and its derivatives, up to one order above those drawn.

    `programs` are that of the first order, which has the value too, and one for each order above.
    """

    def __init__(self, subject: Subject) -> None:
        (name,) = subject.names
        self.programs = symbolic.successive(
            subject.expression, subject.inputs, name, subject.order + 1, subject.most
        )

    def output(self, order: int) -> tuple[Program, int]:
        """The program that has the value or a derivative, and the number of its output."""
        return (self.programs[0], order) if order < 2 else (self.programs[order - 1], 0)

    def run(self, order: int, columns: Mapping[str, np.ndarray | float], count: int) -> np.ndarray:
        """The value and the derivatives up to an order, at n places, shape (1 + order, n)."""
        programs = self.programs[: max(order, 1)]
        rows = [run(program, columns, count) for program in programs]
        return np.concatenate(rows)[: order + 1]


@dataclass(frozen=True)
class Member:
    """One curve of a picture: what it is of, the values of the other names, and its label."""

    subject: Subject
    ladder: Ladder
    fixed: Mapping[str, float]
    label: str

    def columns(self, places: np.ndarray) -> dict[str, np.ndarray | float]:
        """What programs take at some places."""
        (name,) = self.subject.names
        return {**self.fixed, name: places}

    def curves(self) -> list[sampling.Curve]:
        """The curves of the function and its derivatives, undefined wherever a lower one is.

        Raises PictureError where there is nothing to draw.
        """
        (places,) = self.subject.places()
        values = self.ladder.run(self.subject.order + 1, self.columns(places), len(places))
        for lower, derivative in itertools.pairwise(values):
            derivative[~np.isfinite(lower)] = np.nan
        drawn = [self._curve(i, places, *values[i : i + 2]) for i in range(len(values) - 1)]
        self._check(drawn[0], places)
        return drawn

    def _curve(
        self, order: int, places: np.ndarray, value: np.ndarray, slope: np.ndarray
    ) -> sampling.Curve:
        def along(place: np.ndarray, _: np.ndarray) -> np.ndarray:
            *lower, value, slope = self.ladder.run(order + 1, self.columns(place), len(place))
            undefined = ~np.isfinite(lower).all(axis=0)
            return np.where(undefined, np.nan, np.stack([value, slope]))

        return sampling.curve(along, places, value, slope)

    def _check(self, drawn: sampling.Curve, places: np.ndarray) -> None:
        if not len(drawn.samples):
            raise nowhere(self.subject, "finite value", self.label)
        if drawn.length() < NARROW * (places[-1] - places[0]):
            what = f"visible range of finite values below {LARGEST:g}"
            raise nowhere(self.subject, what, self.label)
        if "y" in self.subject.log and not (drawn.samples > 0).any():
            what = "value above 0, which a logarithmic axis needs,"
            raise nowhere(self.subject, what, self.label)

    def band(self, places: np.ndarray) -> np.ndarray | None:
        """How far the band reaches at some places, to first order; None without uncertain values.

        It is the root of g'Sg, where g is the gradient for the uncertain values and S their
        covariance (JCGM 100:2008, equation 13).
        """
        spread = self.subject.uncertain
        if spread is None:
            return None
        wrt = [name for name in spread.names if name in self.subject.expression.names]
        kept = [spread.names.index(name) for name in wrt]
        if not wrt:
            return None
        program = symbolic.program(self.subject.expression, self.subject.inputs, wrt)
        gradient = run(program, self.columns(places), len(places))[1:]
        covariance = spread.covariance[np.ix_(kept, kept)]
        with np.errstate(all="ignore"):
            variance = np.einsum("in,ij,jn->n", gradient, covariance, gradient)
            return np.asarray(spread.factor * np.sqrt(np.maximum(variance, 0.0)))


def nowhere(subject: Subject, what: str, label: str = "") -> PictureError:
    """The fault of a function that has no `what` to draw; the `label` says which of several."""
    places = " and ".join(
        f"{r.name} from {number_text(r.start)} to {number_text(r.stop)}" for r in subject.ranges
    )
    of = f" of {label}" if label else ""
    return PictureError(f"nothing to draw{of}: no {what} for {places}")

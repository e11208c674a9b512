"""An equation fitted to rows: the parameters of least squares, and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero_cli import extras
from dezero_cli.faults import UsageError
from dezero_cli.language.equations import Equation
from dezero_cli.language.ranges import Limits
from dezero_cli.language.spelling import quoted, typed
from dezero_cli.number_format import number_text
from dezero_cli.solving.least import EPSILON, LINEAR, End, Search, null_direction
from dezero_cli.solving.reduced import FitRows, Reduced, triangle
from dezero_cli.solving.robust import Loss
from dezero_cli.solving.rows import Array, Block, Blocks, RowModel, row_count, row_name
from dezero_cli.solving.worth import Totals, inverse_products, student

OPEN = Limits(-math.inf, math.inf)
LARGEST = 1e150
"""What the left side may be in units of its errors, so that sums of squares are numbers."""

DRAWN_STEPS = 200
"""Steps of the search from a start that is drawn, before the best of them is searched in full."""


@dataclass
class FitTask:
    """What is to be fitted to which rows.

    `columns` are the names that blocks have, `params` what is found, `start` where the search
    begins (a parameter in which the model is linear needs none), `held` the numbers of all other
    names; `spread` are the columns with a standard uncertainty, which blocks have under
    `rows.spread_name`.
    """

    equation: Equation
    columns: Sequence[str]
    params: Sequence[str]
    blocks: Blocks
    start: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    spread: Sequence[str] = ()
    scale_errors: bool | None = None
    robust: str | None = None
    level: float = 0.95
    starts: int = 1
    seed: int = 0
    threads: int = 1
    most: int | None = None
    where: Callable[[int], str] = row_name
    """What the row with a number among the rows that are fitted is called."""


Figure = Any
"""A number; an array of them where many fits are told together."""


@dataclass
class Fitted:
    """The parameters and what they are worth, by name or in the order of `names`.

    Of many fits that are told together each array has an axis more, the last, for the fits.
    """

    names: tuple[str, ...]
    values: Array
    sigmas: Array
    intervals: Array
    starts: list[float | None]
    covariance: Array
    correlation: Array
    chi2: Figure
    dof: Figure
    rows: Figure
    r2: Figure
    r2_uncentred: Figure
    scaled: bool
    converged: bool
    steps: Figure
    message: str
    at_limits: list[str]
    level: float
    better_start: int | None = None
    loss: float | None = None
    """What a robust fit has made least, in the place of chi2."""

    @property
    def chi2_reduced(self) -> Figure:
        """chi2 by degree of freedom."""
        return self.chi2 / self.dof if np.all(self.dof) else math.nan

    @property
    def unit_variance(self) -> Figure:
        """What errors are scaled by: that of an observation in units of its error."""
        return self.chi2_reduced if self.loss is None else self.loss / self.dof

    @property
    def residual_sigma(self) -> Figure:
        """The standard deviation of the residuals, in units of their errors."""
        return np.sqrt(self.chi2_reduced)

    def criterion(self, price: Figure) -> Figure:
        """n ln(chi2/n) + price*k: aic for 2, bic for ln n; k are those that no limit holds.

        A robust fit has none: its loss is not the likelihood of normal errors.
        """
        if self.loss is not None:
            return None
        with np.errstate(divide="ignore"):
            return self.rows * np.log(self.chi2 / self.rows) + price * (self.rows - self.dof)


def fit(task: FitTask) -> Fitted:
    """The fit that a task asks for.

    Raises UsageError for what cannot be fitted: fewer rows than parameters, a start that is
    missing or at which the model is not finite, parameters that are not determined apart.
    """
    return Fit(task).run()


class Fit:
    """One fit: what was asked, the model, its rows and the search."""

    def __init__(self, task: FitTask, model: RowModel | None = None) -> None:
        self.task = task
        self.model = model or RowModel(
            task.equation, task.columns, task.params, task.held, task.spread, task.most
        )
        loss = Loss(task.robust) if task.robust else None
        self.rows = FitRows(self.model, task.blocks, loss, task.threads)
        self.plain, self.plain_rows = self.model, self.rows
        if task.spread and len(self.model.linear_pairs) < len(self.model.second.outputs):
            self.plain = RowModel(
                task.equation, task.columns, task.params, task.held, (), task.most
            )
        if loss or self.plain is not self.model:
            self.plain_rows = FitRows(self.plain, task.blocks, None, task.threads)
        ends = [task.limits.get(name, OPEN) for name in task.params]
        self.low = np.array([each.low for each in ends])
        self.high = np.array([each.high for each in ends])

    def run(self, near: bool = False) -> Fitted:
        """Search, then say what was found; only by Newton's method if the start is `near`."""
        with np.errstate(all="ignore"):  # a search tries points that are far off
            return self._run(near)

    def _run(self, near: bool) -> Fitted:
        self._check_count()
        self.check_starts()
        some = self.rows.sample
        self._check_size(some)
        scale = Totals.of(some, np.ones(len(self.task.params))).scale
        scale *= math.sqrt(self.rows.count / max(some.count, 1))
        self.search = Search(self.rows, self.low, self.high, scale)
        near = near and self.rows.is_small and not self.is_all_linear
        end, better = self._refined() if near else self._searched()
        if end.null is None:
            end = self._snapped(end)
        if end.null is not None:
            raise UsageError(self._not_apart(end))
        return self._fitted(end, better)

    def _not_apart(self, end: End) -> str:
        """What the rows do not determine; a parameter that never counted is named before others."""
        start = self._filled(self._starts()[0])
        flat = ~np.asarray(self.rows.reduced(start).triangle, np.float64).any(axis=0)
        flat &= ~np.asarray(end.reduced.triangle, np.float64).any(axis=0)
        if flat.any():
            i = int(np.argmax(flat))
            name = quoted(self.task.params[i])
            hint = f"hold it with --fix {self._held(i)}"
            if self.is_all_linear:
                return f"no row depends on {name}: {hint}"
            at = self._point(start)
            return f"no row depends on {name} at the start ({at}): give another start, or {hint}"
        return self._apart(end)

    def _point(self, point: Array) -> str:
        """The parameters at a point, in words."""
        named = zip(self.task.params, point, strict=True)
        return ", ".join(f"{quoted(n)}={number_text(float(x) + 0.0)}" for n, x in named)

    def _held(self, i: int) -> str:
        """What ``--fix`` needs, to hold a parameter: its name, with a value where it has none."""
        name = self.task.params[i]
        return typed(quoted(name) if name in self.task.start else f"{quoted(name)}=1")

    def _apart(self, end: End) -> str:
        """In words: which parameters the rows do not determine, and what they do."""
        assert end.null is not None
        names = self.task.params
        unit = np.sqrt(np.sum(np.square(end.reduced.triangle), axis=0))
        parts = np.abs(end.null) * np.where(unit > 0, unit, 1.0)
        if not (np.isfinite(unit).all() and parts.any()):
            largest = int(np.argmax(np.abs(end.reduced.triangle).max(axis=0)))
            fault = f"the derivative for {quoted(names[largest])} is too large for its square"
            return f"{fault}: give the data in other units"
        strong = [i for i in np.argsort(-parts, kind="stable") if parts[i] > 1e-3 * parts.max()]
        strong.sort()
        shown = [quoted(names[i]) for i in strong]
        start = "" if self.is_all_linear else "give another start, or "
        hint = f"{start}hold {'it' if len(strong) == 1 else 'one'} with --fix"
        hint = f"{hint} {self._held(strong[-1])}"
        if len(strong) == 1:
            at = f"{shown[0]}={number_text(float(end.point[strong[0]]))}"
            return f"no row depends on {shown[0]} where the search ended, at {at}: {hint}"
        fault = f"{', '.join(shown[:-1])} and {shown[-1]} are not determined apart"
        if len(strong) == 2:
            ratio = -end.null[strong[0]] / end.null[strong[1]]
            fault += f": only {shown[0]} {_term(ratio, shown[1])} is (here)"
        return f"{fault}: {hint}"

    @property
    def is_all_linear(self) -> bool:
        """Whether one step of Newton's method is all that there is to be done."""
        return self.model.is_linear(self.task.params) and not self.task.robust

    # ------------------------------------------------------------------------------------- checks
    def _check_count(self) -> None:
        rows, count = self.rows.count, len(self.task.params)
        if not rows:
            raise UsageError("there are no rows to be fitted")
        if rows < count:
            raise UsageError(
                f"{_counted(rows, 'row')} cannot determine {_counted(count, 'parameter')}: "
                "hold some with --fix"
            )

    def _check_size(self, rows: FitRows) -> None:
        """Refuse data whose squares are no numbers, as some rows show."""
        ones = np.ones(len(self.task.params))
        for block in rows.portions():
            left, unit = self.model.values(self.model.weighed, block, ones)
            sizes = np.abs(left) / unit
            sizes = sizes[np.isfinite(sizes)]
            largest = float(sizes.max(initial=0.0))
            if largest > LARGEST or 0 < largest < 1 / LARGEST:
                said = "small" if largest < 1 else "large"
                raise UsageError(
                    f"the left side is too {said} (about {largest:.1g} in units of its errors): "
                    "give the data in other units"
                )

    def check_starts(self) -> None:
        """Refuse a parameter that needs a start and has none."""
        self.linear = self.plain.linear([n for n in self.task.params if n not in self.task.start])
        lacking = [
            name
            for name in self.task.params
            if name not in self.task.start and name not in self.linear and not self._between(name)
        ]
        if lacking:
            shown = ", ".join(map(quoted, lacking))
            verb = "needs a start" if len(lacking) == 1 else "need starts"
            hint = " ".join(typed(f"{quoted(name)}=1") for name in lacking)
            limits = typed(f"{quoted(lacking[0])}=0:10")
            raise UsageError(f"{shown} {verb}: add {hint}, or limits, as in {limits}")

    def _between(self, name: str) -> bool:
        limits = self.task.limits.get(name, OPEN)
        return math.isfinite(limits.low) or math.isfinite(limits.high)

    def _check_finite(self, point: Array) -> None:
        """Refuse a start at which the model is not finite, with the row."""
        done = 0
        for block in self.rows.portions():
            found = self.model.values(self.model.first, block, point)
            wrong = np.flatnonzero(~np.isfinite(found).all(axis=0))
            if wrong.size:
                self._refuse_row(block, int(wrong[0]), done, found, point)
            done += row_count(block)

    def _refuse_row(self, block: Block, i: int, before: int, found: Array, point: Array) -> None:
        cells = {n: float(block[n][i]) for n in self.task.columns if n in block}
        shown = ", ".join(f"{quoted(n)} = {number_text(x)}" for n, x in cells.items())
        where = self.task.where(before + i)
        infinite = [n for n, x in cells.items() if not math.isfinite(x)]
        if infinite:
            raise UsageError(f"{where} has {shown}: only finite numbers can be fitted")
        if self.is_all_linear:
            names = ", ".join(map(quoted, self.task.params))
            raise UsageError(
                f"the model is not finite in {where} ({shown}), whatever the values "
                f"of {names}: leave out that row, or change the equation"
            )
        what, value = "the model", found[0, i]
        if math.isfinite(value):
            k = int(np.flatnonzero(~np.isfinite(found[1:, i]))[0])
            what = f"the derivative of the model for {quoted(self.task.params[k])}"
            value = found[1 + k, i]
        raise UsageError(
            f"{what} is {number_text(float(value))} at the start ({self._point(point)}) in {where} "
            f"({shown}): give another start"
        )

    # ------------------------------------------------------------------------------------- search
    def _searched(self) -> tuple[End, int | None]:
        """The best end of all starts, and which start it came from, if not the given one."""
        unlimited = not np.isfinite([self.low, self.high]).any()
        if self.is_all_linear and unlimited:
            start = np.zeros(len(self.task.params))
            self._check_finite(start)
            return self._solved_linear(start), None
        extras.require("scipy")
        starts = self._starts()
        ends = [self._from(start, i) for i, start in enumerate(starts)]
        good = [i for i, end in enumerate(ends) if end is not None]
        if not good:
            self._check_finite(starts[0])

        def rank(i: int) -> float:
            end = ends[i]
            return end.reduced.size if end is not None and end.reduced.is_finite else math.inf

        best = min(good, key=rank)
        first = ends[0]
        chosen = ends[best]
        assert chosen is not None
        if best and first is not None and first.converged and rank(best) > rank(0) * (1 - 1e-9):
            return first, None
        return chosen, best + 1 if best else None

    def _refined(self) -> tuple[End, int | None]:
        """Where Newton's method ends from the start, if it does."""
        start = self._filled(self._starts()[0])
        return self.search.polished(np.minimum(np.maximum(start, self.low), self.high)), None

    def _solved_linear(self, start: Array) -> End:
        """Where Newton's method ends, which for a linear model is refinement."""
        end = self.search.polished(start)
        if end.converged:
            end.message = LINEAR
        return end

    def _from(self, start: Array, number: int) -> End | None:
        """Where the search from one start ends; None where the model is not finite there."""
        given = self._filled(start)
        reduced = self.rows.sample.reduced(given)
        own = np.array([name not in self.task.start for name in self.task.params])
        flat = np.asarray((reduced.triangle == 0).all(axis=0)) & own & np.isfinite(start)
        if flat.any():
            start = self._off(start, flat)
            given = self._filled(start)
            reduced = self.rows.sample.reduced(given)
        if not reduced.is_finite:
            if number == 0:
                self._check_finite(given)
            return None
        end = self.search.run(given, DRAWN_STEPS if number else None)
        if not (end.converged or number):
            self._check_finite(given)
        if end.converged or number or not self.linear or self.is_all_linear:
            return end
        second = self._projected(start, self.linear)
        if not self.rows.reduced(second).is_finite or (second == given).all():
            return end
        other = self.search.run(second)
        better = other.converged or other.reduced.size < end.reduced.size
        return other if better and other.reduced.is_finite else end

    def _off(self, start: Array, flat: Array) -> Array:
        """A start that is not the middle of limits for what has no slope there."""
        end = np.where(np.isfinite(self.high), self.high, self.low)  # towards a limit
        end = np.where(np.isfinite(end), end, start)
        return np.where(flat, 0.75 * start + 0.25 * end, start)

    def _filled(self, start: Array) -> Array:
        """A start with the linear parameters that lack one, found by least squares."""
        return self._projected(start, [n for n in self.linear if n not in self.task.start])

    def _projected(self, start: Array, names: Sequence[str]) -> Array:
        """A start with some linear parameters where they fit best, the others held."""
        found = np.where(np.isfinite(start), start, 0.0)
        chosen = [i for i, name in enumerate(self.task.params) if name in names]
        if not chosen:
            return found
        found[chosen] = 0.0
        reduced = self.plain_rows.reduced(found, exactly=True)
        if reduced.is_finite:
            columns = np.asarray(reduced.triangle[:, chosen], np.float64)
            unit = np.linalg.norm(columns, axis=0)
            unit[unit == 0] = 1.0
            moved = np.asarray(reduced.moved, np.float64)
            if not (np.isfinite(unit).all() and np.isfinite(moved).all()):  # in longer numbers only
                return np.asarray(np.minimum(np.maximum(found, self.low), self.high))
            found[chosen] = -np.linalg.lstsq(columns / unit, moved, rcond=1e-12)[0] / unit
        return np.asarray(np.minimum(np.maximum(found, self.low), self.high))

    def begun(self) -> Array:
        """The start, once it was checked; nan for what least squares find."""
        return self._starts()[0]

    def _without_start(self, name: str) -> float:
        """Where the search for a parameter begins; nan where least squares find that."""
        return math.nan if name in self.linear else _middle(*self.task.limits.get(name, OPEN))

    def _starts(self) -> list[Array]:
        """The given start, and others, drawn inside limits or around it where there are none."""
        given = self.task.start
        low, high = self.low, self.high
        first = np.array([given.get(n, self._without_start(n)) for n in self.task.params])
        found, draw = [first], np.random.default_rng(self.task.seed)
        centre = np.where(np.isfinite(first), first, 0.0)
        above, below = np.isfinite(low), np.isfinite(high)
        least, most = np.where(above, low, 0.0), np.where(below, high, 0.0)
        for _ in range(self.task.starts - 1):
            even, spread = draw.random(len(low)), draw.standard_normal(len(low))
            x = centre + np.maximum(np.abs(centre), 1e-3) * spread
            x = np.where(above, least + np.abs(x - least), x)
            x = np.where(below & ~above, most - np.abs(x - most), x)
            x = np.where(above & below, least + even * (most - least), x)
            found.append(np.where(np.isnan(first), np.nan, x))
        return found

    # ------------------------------------------------------------------------------------- results
    def _fitted(self, end: End, better: int | None) -> Fitted:
        """What is told of an end."""
        task, names = self.task, tuple(self.task.params)
        point = np.asarray(end.point, np.float64)
        reduced = self._errors(point, end.reduced)
        free = ~end.bounded
        dof = self.rows.count - int(free.sum())
        totals = Totals.of(self.rows, point)
        least = float(np.square(end.reduced.size))
        if self.rows.is_small:
            least = min(self.rows.squares(point), self.rows.squares(end.point))
        chi2, loss = least, None
        if self.rows.loss is not None:
            chi2, loss = FitRows(self.model, task.blocks).squares(point), least
        scaled = not task.spread if task.scale_errors is None else task.scale_errors
        factor = (least / dof if dof else math.nan) if scaled else 1.0
        covariance = np.zeros((len(names), len(names)))
        covariance[np.ix_(free, free)] = inverse_products(reduced.triangle[:, free]) * factor
        covariance += 0.0  # no -0
        sigmas = np.sqrt(np.diag(covariance))
        unit = np.where(sigmas > 0, sigmas, 1.0)
        correlation = covariance / np.outer(unit, unit)
        np.fill_diagonal(correlation, 1.0)
        sigmas[~free] = math.nan
        half = sigmas * student(task.level, dof)
        limited = [n for n, held in zip(names, end.bounded, strict=True) if held]
        return Fitted(
            names,
            point,
            sigmas,
            np.stack([point - half, point + half], axis=1),
            [None if n not in task.start else float(task.start[n]) for n in names],
            covariance,
            correlation,
            chi2,
            dof,
            self.rows.count,
            totals.determination(chi2),
            totals.determination(chi2, centred=False),
            scaled,
            end.converged,
            end.steps,
            end.message,
            limited,
            task.level,
            better,
            loss,
        )

    def _snapped(self, end: End) -> End:
        """The same end with 0 for a parameter that only rounding keeps from it."""
        unit = np.sqrt(np.sum(np.square(end.reduced.triangle), axis=0))
        tiny = np.abs(end.point) * unit < 2 * EPSILON * self.search.scale
        tiny &= (self.low <= 0) & (self.high >= 0)
        if not (tiny & (end.point != 0)).any():
            return end
        point = np.where(tiny, 0, end.point)
        allowed = self.rows.squares(end.point) + (EPSILON * self.search.scale) ** 2
        if self.rows.squares(point) <= allowed:
            end.point, end.reduced = point, self.rows.reduced(point, exactly=True)
            end.null = null_direction(end.reduced, ~end.bounded)
        return end

    def _errors(self, point: Array, reduced: Reduced) -> Reduced:
        """The triangle that the covariance is made of: of a robust fit as SciPy has it."""
        if self.rows.loss is None:
            return reduced
        loss, model = self.rows.loss, self.model
        factors = np.zeros((0, len(point)))
        for block in self.rows.portions():
            found = model.values(model.first, block, point)
            rows = (found[1:] * loss.weights(found[0])).T
            factors = triangle(np.concatenate([factors, rows]))
        return reduced._replace(triangle=factors)


def _term(ratio: float, name: str) -> str:
    sign = "-" if ratio < 0 else "+"
    size = f"{abs(ratio):.6g}"
    return f"{sign} {name}" if size == "1" else f"{sign} {size}*{name}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s'[: count != 1]}"


def _middle(low: float, high: float) -> float:
    """A start inside limits; nan where there are none."""
    if math.isfinite(low) and math.isfinite(high):
        return low / 2 + high / 2
    if math.isfinite(low):
        return low + max(abs(low), 1.0)
    return high - max(abs(high), 1.0) if math.isfinite(high) else math.nan

"""One equation in every row of columns: roots by machine code, and programs of their derivatives.

A row's root depends on its own numbers alone: the same bits, wherever the row is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dezero.programs import native
from dezero.programs.recorder import Recorder
from dezero.programs.trace import Program, merge, output_number, recorded_program, replay
from dezero.programs.tracer import Tracer
from dezero_cli.language import symbolic
from dezero_cli.language.expression import Expression
from dezero_cli.language.ranges import Limits
from dezero_cli.solving import roots
from dezero_cli.solving.functions import Array, Functions, Layout
from dezero_cli.solving.roots import Residual

BLOCK = 65_536
MOST_STEPS = 200
SMALL = 1e-9
"""A step of Newton's method that leaves less than rounding to do, beside the root."""
TOUCHING = 1e-9
"""How small a turn is, beside the largest value in the bracket, that may be a root."""
SAMPLES = 65
"""Points at which a sign is looked for in a bracket whose ends have the same."""


class ColumnRoots:
    """The root of an equation in each row, inside one bracket for all.

    `residual` is to be 0; `inputs` are the columns and numbers that it needs beside the unknown.
    """

    def __init__(
        self, residual: Expression, inputs: Sequence[str], unknown: str, bracket: Limits
    ) -> None:
        self.residual = residual
        self.inputs = [name for name in inputs if name != unknown]
        self.unknown = unknown
        self.bracket = bracket
        names = [*self.inputs, unknown]
        self._kernel = native.compiled(symbolic.program(residual, names, [unknown]))

    def found(self, given: Mapping[str, Array], rows: int) -> Array:
        """The root in every row; nan where the bracket has none."""
        result = np.empty(rows)
        with np.errstate(all="ignore"):
            for begin in range(0, rows, BLOCK):
                block = slice(begin, min(begin + BLOCK, rows))
                part = {n: given[n][block] if given[n].ndim else given[n] for n in self.inputs}
                result[block] = self._block(part, block.stop - begin)
        return result

    def _at(self, given: Mapping[str, Array], x: Array) -> tuple[Array, Array]:
        """The residual and its derivative for the unknown."""
        value, slope = self._kernel.run({**given, self.unknown: x}, threads=1)
        return np.broadcast_to(value, x.shape), np.broadcast_to(slope, x.shape)

    def _block(self, given: Mapping[str, Array], rows: int) -> Array:
        a, b = (np.full(rows, end) for end in self.bracket)
        fa, fb = self._at(given, a)[0], self._at(given, b)[0]
        same = ~((fa < 0) & (fb > 0) | (fa > 0) & (fb < 0) | (fa == 0) | (fb == 0))
        if same.any():
            a, b, fa, fb = self._scanned(given, a, b, fa, fb, np.flatnonzero(same))
        x = np.where(fa == 0, a, np.where(fb == 0, b, np.nan))
        active = np.flatnonzero((fa < 0) & (fb > 0) | (fa > 0) & (fb < 0))
        x[active] = self._searched(_taken(given, active), a[active], b[active], fa[active] < 0)
        left = self._at(given, x)[0]
        least = np.minimum(np.abs(fa), np.abs(fb))
        doubtful = active[~(np.abs(left[active]) <= 1e-6 * least[active])]
        for row in doubtful.tolist():
            x[row] = self._alone(_taken(given, row), float(a[row]), float(b[row]))
        for row in np.flatnonzero((fa == 0) | (fb == 0)).tolist():
            if self._curve(_taken(given, row)).fades(float(x[row])):
                x[row] = np.nan
        without = np.flatnonzero(np.isnan(x) & same)
        if without.size:
            x[without] = self._touching(_taken(given, without), without.size)
        return x

    def _touching(self, given: Mapping[str, Array], rows: int) -> Array:
        """Roots at which the residual does not change its sign; nan in rows without one."""
        a, b, large = self._turns(given, rows)
        found = np.full(rows, np.nan)
        some = np.flatnonzero(np.isfinite(a))
        given, a, b = _taken(given, some), a[some], b[some]
        falls = np.sign(self._at(given, a)[1])
        for _ in range(MOST_STEPS):
            x = a / 2 + b / 2
            if not ((x > a) & (x < b)).any():
                break
            left = np.sign(self._at(given, x)[1]) == falls
            a, b = np.where(left, x, a), np.where(left, b, x)
        fa, fb = np.abs(self._at(given, a)[0]), np.abs(self._at(given, b)[0])
        x, f = np.where(fa <= fb, a, b), np.minimum(fa, fb)
        for i in np.flatnonzero(f <= TOUCHING * large[some]).tolist():
            curve = self._curve(_taken(given, i))
            if f[i] <= 8 * curve.noise(float(x[i])) and not (
                f[i] == 0 and curve.fades(float(x[i]))
            ):
                found[some[i]] = x[i]
        return found

    def _turns(self, given: Mapping[str, Array], rows: int) -> tuple[Array, Array, Array]:
        """The cell of each row in which its residual turns closest to 0, and its largest size."""
        low, high = self.bracket
        a, b, large = np.full(rows, np.nan), np.full(rows, np.nan), np.zeros(rows)
        least = np.full(rows, np.inf)
        last, f0, slope0 = np.full(rows, low), *self._at(given, np.full(rows, low))
        for share in np.linspace(0, 1, SAMPLES)[1:]:
            x = np.full(rows, low + share * (high - low))
            f, slope = self._at(given, x)
            near = np.fmin(np.abs(f), np.abs(f0))
            turn = (np.sign(f0) * slope0 < 0) & (np.sign(f) * slope > 0) & (near < least)
            a, b = np.where(turn, last, a), np.where(turn, x, b)
            least, large = np.where(turn, near, least), np.fmax(large, np.abs(f))
            last, f0, slope0 = x, f, slope
        return a, b, large

    def _curve(self, given: Mapping[str, Array]) -> Residual:
        """The equation of one row."""
        return Residual(Functions([self.residual], Layout({self.unknown: np.array(0.0)}), given))

    def _scanned(
        self, given: Mapping[str, Array], a: Array, b: Array, fa: Array, fb: Array, rows: Array
    ) -> tuple[Array, Array, Array, Array]:
        """The brackets, those of `rows` narrowed to the first change of sign inside."""
        a, b, fa, fb = a.copy(), b.copy(), fa.copy(), fb.copy()
        part = _taken(given, rows)
        last, before = a[rows], fa[rows]
        for share in np.linspace(0, 1, SAMPLES)[1:]:
            x = a[rows] + share * (b[rows] - a[rows])
            f = self._at(part, x)[0]
            turned = (before < 0) & (f >= 0) | (before > 0) & (f <= 0)
            hit = rows[turned]
            a[hit], fa[hit], b[hit], fb[hit] = last[turned], before[turned], x[turned], f[turned]
            kept = ~turned
            rows, last, before = rows[kept], x[kept], f[kept]
            part = _taken(part, kept)
        return a, b, fa, fb

    def _searched(self, given: Mapping[str, Array], a: Array, b: Array, rises: Array) -> Array:
        """Newton's method, and bisection where it leaves the bracket or is slow."""
        result = np.full(len(a), np.nan)
        rows = np.arange(len(a))
        x, before = _middles(a, b), b - a
        for _ in range(MOST_STEPS):
            if not rows.size:
                break
            f, slope = self._at(given, x)
            left = (f < 0) == rises
            a, b = np.where(left, x, a), np.where(left, b, x)
            step = -f / slope
            moved = x + step
            bisect = ~((moved > a) & (moved < b) & (np.abs(step) <= before / 2))
            close = ~bisect & (np.abs(step) <= SMALL * np.abs(moved))
            moved = np.where(bisect, _middles(a, b), moved)
            still = (f == 0) | (moved == x) | ~(b - a > 2 * np.spacing(np.abs(x)))
            done = close | still
            result[rows[done]] = np.where(still, x, moved)[done]
            kept = np.flatnonzero(~done)
            before = np.abs(moved - x)[kept]
            rows, a, b, x, rises = rows[kept], a[kept], b[kept], moved[kept], rises[kept]
            if len(kept) < len(done):
                given = _taken(given, kept)
        return result

    def _alone(self, given: Mapping[str, Array], low: float, high: float) -> float:
        """The root of one row by the search of single equations, which tells poles from roots."""
        found = roots.bracketed(self._curve(given), low, high)
        return found.x if found is not None and found.found else np.nan


def _taken(given: Mapping[str, Array], rows: Any) -> dict[str, Array]:
    """The rows of columns; numbers serve all rows."""
    return {name: x[rows] if np.ndim(x) else x for name, x in given.items()}


def _middles(a: Array, b: Array) -> Array:
    """The middles of brackets: of the exponents where the ends are far apart."""
    even = a / 2 + b / 2
    far = (a > 0) & (b > 1e3 * a) | (b < 0) & (a < 1e3 * b)
    if not far.any():
        return even
    return np.where(far, np.copysign(np.sqrt(np.abs(a)) * np.sqrt(np.abs(b)), even), even)


def root_program(
    residual: Expression,
    inputs: Sequence[str],
    unknown: str,
    derived: Sequence[str],
    pairs: Sequence[tuple[str, str]] = (),
) -> Program:
    """The program of a root and its derivatives, whose last input is the root itself.

    The root comes first, then its derivatives by the names `derived`, then the second ones by
    `pairs` of them: by the implicit function theorem.
    """
    names = [*inputs, unknown] if unknown not in inputs else list(inputs)
    wrt = [unknown, *derived]
    first = symbolic.program(residual, names, wrt)
    keys: list[tuple[str, ...]] = []
    parts = [(first, 1 + i) for i in range(len(wrt))]
    if pairs:
        keys, second = symbolic.derivatives(residual, names, wrt, 2)
        parts += [(second, 1 + i) for i in range(len(keys))]
    whole = merge(parts)
    recorder = Recorder(whole.inputs)
    tracers: list[Any] = [Tracer(recorder, number) for number in range(len(names))]
    outputs = replay(whole, tracers)
    slope, partials = outputs[0], dict(zip(derived, outputs[1 : len(wrt)], strict=True))
    gradients = {name: -partials[name] / slope for name in derived}
    found: list[Any] = [tracers[names.index(unknown)], *gradients.values()]
    if pairs:
        known = dict(zip(map(frozenset, keys), outputs[len(wrt) :], strict=True))
        found += [_second(known, gradients, slope, unknown, pair) for pair in pairs]
    return recorded_program(recorder, [output_number(recorder, each) for each in found])


def _second(
    known: Mapping[frozenset[str], Any],
    gradients: Mapping[str, Any],
    slope: Any,
    unknown: str,
    pair: tuple[str, str],
) -> Any:
    """The second derivative of a root for a pair of names."""
    p, q = pair
    mixed = known[frozenset({unknown, p})] * gradients[q]
    mixed = mixed + known[frozenset({unknown, q})] * gradients[p]
    curved = known[frozenset({unknown})] * gradients[p] * gradients[q]
    return -(known[frozenset(pair)] + mixed + curved) / slope

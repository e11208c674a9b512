"""What is said of uncertainties: `--sigma`, `--corr`, `--dist` and their like, as plain data.

Words of the command line and keys of a batch's line are read here into the same `Asked`; what it
means is known once there are values (see `inputs.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from dezero.functions import CONSTANTS
from dezero_cli.faults import UsageError, ValuesError, did_you_mean
from dezero_cli.language.spelling import canonical, name_meant, some_names
from dezero_cli.language.statements import behind, head, refuse_several
from dezero_cli.language.values import from_json, value

MEAN = "mean"
"""What `--sigma V=mean` says: V has readings, of which the mean and its uncertainty are taken."""

LEVEL = 0.95
"""How much of the distribution an interval holds, unless the user says otherwise."""

DISTRIBUTIONS = ("normal", "uniform", "triangular", "arcsine", "lognormal", "t")
"""What an input's distribution may be; `t` has its degrees of freedom behind a colon."""

KEYS = ("sigma", "corr", "order", "dist", "half", "dof", "mc", "seed", "level")
"""What a line of a batch may ask for, under the names of the options."""

_NAMES_AND_VALUE = re.compile(r"((?:`[^`]*`|[^`=])*)=(.*)", re.DOTALL)


class Percent(NamedTuple):
    """A standard uncertainty as a share of the value."""

    share: float


Size = np.ndarray | str | Percent
"""A standard uncertainty: numbers, the name of a value (or ``mean``), or a share of the value."""


class Distribution(NamedTuple):
    """How an input is distributed: one of `DISTRIBUTIONS`, and a t's degrees of freedom."""

    kind: str = "normal"
    freedom: float = math.inf

    def __str__(self) -> str:
        return f"{self.kind}:{self.freedom:g}" if self.kind == "t" else self.kind


@dataclass(frozen=True)
class Draws:
    """How many draws: a number, or None for as many as make so many digits of sigma stand."""

    count: int | None
    digits: int = 2


@dataclass(frozen=True)
class Asked:
    """What is said of the inputs' uncertainties, and what is wanted of the results'.

    `sizes` are standard uncertainties by name and `halves` half widths; `correlations` a number,
    or ``mean``, for pairs of names; `freedom` degrees of freedom.  `level` is None unless given;
    with `budget` there is a row for each input.
    """

    sizes: Mapping[str, Size] = field(default_factory=dict)
    halves: Mapping[str, Size] = field(default_factory=dict)
    correlations: Mapping[tuple[str, str], float | str] = field(default_factory=dict)
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    freedom: Mapping[str, float] = field(default_factory=dict)
    order: int = 1
    draws: Draws | None = None
    seed: int | None = None
    level: float | None = None
    budget: bool = False

    def __bool__(self) -> bool:
        return bool(self.sizes or self.halves)

    @property
    def names(self) -> list[str]:
        """The inputs with an uncertainty, in the order in which they were said."""
        return [*self.sizes, *(name for name in self.halves if name not in self.sizes)]

    @property
    def used(self) -> list[str]:
        """The names whose values are needed: the inputs, and those that hold an uncertainty."""
        said = [*self.sizes.values(), *self.halves.values()]
        return [*self.names, *(size for size in said if isinstance(size, str))]

    @property
    def is_columnar(self) -> bool:
        """Whether many lines can be answered at once: first order, of numbers as they are."""
        plain = self.order == 1 and self.draws is None and not self.freedom and self.level is None
        means = MEAN in self.sizes.values() or MEAN in self.correlations.values()
        return plain and not means

    def checked(self) -> Asked:
        """The same, if it fits together.

        Raises ValuesError for a name that is said twice or has no uncertainty, and UsageError for
        options that need another.
        """
        for name in self.halves:
            if name in self.sizes:
                raise ValuesError(f"{name} has both --sigma and --half: give one of them")
            kind = self.distributions.get(name, Distribution("uniform")).kind
            if kind not in HALF_WIDTHS:
                shown = ", ".join(HALF_WIDTHS)
                raise ValuesError(f"--half {name}: a {kind} has no half width; {shown} have one")
        pairs = [name for pair in self.correlations for name in pair]
        said = {"--corr": pairs, "--dist": self.distributions, "--dof": self.freedom}
        for option, names in said.items():
            for name in names:
                if name not in self.sizes and name not in self.halves:
                    hint = name_meant(name, self.names) or f"add --sigma {name}=S"
                    raise ValuesError(f"{option} {name}: {name} has no uncertainty: {hint}")
        wanted = {"--order 2": self.order == 2, "--mc": self.draws, "--level": self.level}
        wanted["--budget"] = self.budget
        for option, given in wanted.items():
            if given and not self:
                raise UsageError(f"{option} needs the inputs' uncertainties: add --sigma NAME=S")
        if self.seed is not None and self.draws is None:
            raise UsageError("--seed is for draws: add --mc N")
        if self.seed is not None and self.seed >= 2**63:
            raise UsageError(f"--seed {self.seed}: expected a whole number below 2**63")
        return self


HALF_WIDTHS = {"uniform": math.sqrt(3.0), "triangular": math.sqrt(6.0), "arcsine": math.sqrt(2.0)}
"""The half width of a distribution that has one, in standard deviations."""


# ---------------------------------------------------------------------------- the command line
def from_words(
    sigma: Iterable[str] = (),
    half: Iterable[str] = (),
    corr: Iterable[str] = (),
    dist: Iterable[str] = (),
    dof: Iterable[str] = (),
    order: int = 1,
    mc: str | None = None,
    seed: int | None = None,
    level: float | None = None,
    budget: bool = False,
    common: bool = False,
) -> Asked:
    """What the options of the command line say; `common` to lines that may say more themselves.

    Raises ValuesError and UsageError for words that are not what the options take.
    """
    found = Asked(
        {name: size(name, text) for name, text in words_by_name("--sigma", sigma).items()},
        {n: size(n, text, "--half") for n, text in words_by_name("--half", half).items()},
        dict(_pairs(_correlated(word) for word in corr)),
        {n: distribution(n, text) for n, text in words_by_name("--dist", dist, "KIND").items()},
        {
            name: positive("--dof", name, _numbers(name, text, "--dof"))
            for name, text in words_by_name("--dof", dof, "N").items()
        },
        order,
        None if mc is None else draws(mc),
        seed,
        level,
        budget,
    )
    return found if common and not found else found.checked()


def words_by_name(option: str, words: Iterable[str], shown: str = "S") -> dict[str, str]:
    """The text behind the name in each NAME=S of an option."""
    found: dict[str, str] = {}
    for word in words:
        begun = head(word)
        if begun is None or begun.parameters is not None:
            raise ValuesError(f"{option}: expected NAME={shown}, got {word!r}")
        refuse_several(option, word, begun, f"NAME={shown}")
        if begun.name in found:
            raise ValuesError(f"{option} {begun.name} is given twice")
        found[begun.name] = behind(word, begun)
    return found


def size(name: str, text: str, option: str = "--sigma") -> Size:
    """The standard uncertainty S of a name, or its half width."""
    if (text.isidentifier() and text not in CONSTANTS) or text[:1] == "`":
        return canonical(text)
    if text.endswith("%"):
        return percent(name, text, option)
    return _not_negative(name, value(name, text), option)


def percent(name: str, text: str, option: str = "--sigma") -> Percent:
    """What ``2%`` says."""
    try:
        number = value(name, text[:-1])
    except ValuesError:
        number = np.array([])
    if number.ndim:
        raise ValuesError(f"{option} {name}={text}: expected a number before %")
    return Percent(float(_not_negative(name, number, option)) / 100.0)


def _not_negative(name: str, array: np.ndarray, option: str) -> np.ndarray:
    if not (array >= 0).all():
        raise ValuesError(f"{option} {name}: an uncertainty cannot be negative")
    return array


def _numbers(name: str, text: str, option: str) -> float:
    array = value(name, text)
    if array.ndim:
        raise ValuesError(f"{option} {name}={text}: expected one number")
    return float(array)


def positive(option: str, name: str, number: float) -> float:
    """A number of degrees of freedom."""
    if not number > 0:
        raise ValuesError(f"{option} {name}: degrees of freedom are more than 0")
    return number


def _correlated(word: str) -> tuple[tuple[str, ...], float | str]:
    """The names and the correlation of ``V,I=-0.36`` or ``V,I=mean``."""
    match = _NAMES_AND_VALUE.fullmatch(word)
    try:
        names = some_names([match[1]]) if match else ()
    except UsageError:
        names = ()
    if match is None or len(names) < 2 or not match[2].strip():
        raise ValuesError(f"--corr: expected NAME,NAME=R, got {word!r}")
    text = match[2].strip()
    return names, MEAN if text == MEAN else _numbers(",".join(names), text, "--corr")


def _pairs(
    said: Iterable[tuple[Sequence[str], float | str]],
) -> Iterable[tuple[tuple[str, str], float | str]]:
    """Each pair of names with its correlation."""
    seen: set[frozenset[str]] = set()
    for names, number in said:
        shown = ",".join(names)
        if len(names) < 2:
            raise ValuesError(f"--corr: expected NAME,NAME=R, got {shown}={number}")
        if not isinstance(number, str) and not -1.0 <= number <= 1.0:
            raise ValuesError(f"--corr {shown}: a correlation is from -1 to 1")
        for first, second in combinations(names, 2):
            pair = frozenset({first, second})
            if len(pair) < 2:
                raise ValuesError(f"--corr {shown}: {first} is correlated with itself by 1")
            if pair in seen:
                raise ValuesError(f"--corr {first},{second} is given twice")
            seen.add(pair)
            yield (first, second), number


def distribution(name: str, text: str) -> Distribution:
    """What ``uniform`` or ``t:5`` says."""
    kind, colon, number = text.partition(":")
    known = ", ".join(DISTRIBUTIONS) + ":DOF"
    if kind not in DISTRIBUTIONS or (colon and kind != "t"):
        hint = did_you_mean(kind, DISTRIBUTIONS)
        raise ValuesError(f"--dist {name}={text}: {hint or f'expected one of {known}'}")
    if kind != "t":
        return Distribution(kind)
    if not number:
        raise ValuesError(f"--dist {name}=t needs its degrees of freedom, as in t:5")
    freedom = _numbers(name, number, "--dist")
    if not freedom > 2:
        fault = "a t of 2 degrees of freedom or fewer has no standard deviation"
        raise ValuesError(f"--dist {name}={text}: {fault}")
    return Distribution(kind, freedom)


MOST_DRAWS = 10**12


def draws(text: str) -> Draws:
    """What ``1000000``, ``1e6``, ``auto`` or ``auto:3`` says."""
    if match := re.fullmatch(r"auto(?::([1-4]))?", text):
        return Draws(None, int(match[1] or 2))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (2 <= number <= MOST_DRAWS and number == int(number)):
        raise UsageError(f"--mc {text}: expected a number of draws, auto, or auto:DIGITS (1 to 4)")
    return Draws(int(number))


# ------------------------------------------------------------------------------ a line of a batch
def from_json_keys(said: Mapping[str, Any], common: Asked) -> Asked:
    """What a line of a batch says under `KEYS`; what it does not say is as in `common`.

    Raises ValuesError and UsageError for what these keys do not take.
    """
    found: dict[str, Any] = {}
    for key, attribute, read in (
        ("sigma", "sizes", _json_size),
        ("half", "halves", _json_size),
        ("dist", "distributions", _json_distribution),
        ("dof", "freedom", _json_freedom),
    ):
        if key in said:
            found[attribute] = {canonical(n): read(n, x) for n, x in _object(key, said[key])}
    if "corr" in said:
        pairs = (
            (some_names([n]), _json_correlation(n, x)) for n, x in _object("corr", said["corr"])
        )
        found["correlations"] = dict(_pairs(pairs))
    if "order" in said:
        if said["order"] not in (1, 2) or type(said["order"]) is bool:
            raise UsageError('"order" must be 1 or 2')
        found["order"] = int(said["order"])
    if "mc" in said:
        found["draws"] = _json_draws(said["mc"])
    if "seed" in said:
        if type(said["seed"]) is not int or not 0 <= said["seed"] < 2**63:
            raise UsageError('"seed" must be a whole number, 0 or more')
        found["seed"] = said["seed"]
    if "level" in said:
        if type(said["level"]) is not float or not 0 < said["level"] < 1:
            raise UsageError('"level" must be a number between 0 and 1')
        found["level"] = said["level"]
    asked = replace(common, **found)
    return asked.checked() if asked or found else asked


_OBJECTS = {
    "sigma": "uncertainties by name",
    "half": "half widths by name",
    "dist": "distributions by name",
    "dof": "numbers by name",
    "corr": 'numbers by names, as in {"a,b": 0.5}',
}


def _object(key: str, data: Any) -> Iterable[tuple[str, Any]]:
    if type(data) is not dict:
        raise UsageError(f'"{key}" must be an object of {_OBJECTS[key]}')
    return data.items()


def _json_size(name: str, item: Any) -> Size:
    if type(item) is str:
        return percent(name, item) if item.endswith("%") else canonical(item)
    return _not_negative(name, from_json(name, item), "--sigma")


def _json_distribution(name: str, item: Any) -> Distribution:
    if type(item) is not str:
        raise UsageError(f'"dist" must be an object of {_OBJECTS["dist"]}')
    return distribution(name, item)


def _json_freedom(name: str, item: Any) -> float:
    if type(item) not in (int, float):
        raise UsageError(f'"dof" must be an object of {_OBJECTS["dof"]}')
    return positive("--dof", name, float(item))


def _json_correlation(names: str, item: Any) -> float | str:
    if item == MEAN:
        return MEAN
    if type(item) not in (int, float):
        raise UsageError(f'"corr" must be an object of {_OBJECTS["corr"]}')
    return float(item)


def _json_draws(item: Any) -> Draws:
    if type(item) not in (int, float, str):
        raise UsageError('"mc" must be a number of draws, "auto" or "auto:DIGITS"')
    return draws(str(item))

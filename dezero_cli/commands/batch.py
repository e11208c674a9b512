"""``dezero batch``: an answer in JSON for each line of a file or a pipe."""

from __future__ import annotations

import contextlib
import gc
import math
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from dezero.functions import CONSTANTS
from dezero_cli import extras, reading, report
from dezero_cli.arguments import (
    ExpressionCommand,
    corr_option,
    defs_option,
    dist_option,
    dof_option,
    draws_seed_option,
    file_names,
    format_option,
    get_option,
    half_option,
    hessian_option,
    jacobian_option,
    jobs_option,
    level_option,
    max_operations_option,
    mc_option,
    no_grad_option,
    order_option,
    precision_option,
    sigma_option,
    wrt_option,
)
from dezero_cli.batch.answers import Answer, Settings, answer
from dezero_cli.batch.lines import LineBlock, LineReader, RecordFormula
from dezero_cli.faults import FileError, UsageError
from dezero_cli.language import statements
from dezero_cli.language.parser import is_expression
from dezero_cli.language.results import Wanted, wanted_by
from dezero_cli.language.spelling import canonical_words, name_meant, some_names
from dezero_cli.language.statements import Given
from dezero_cli.language.words import formula, library
from dezero_cli.number_format import NumberFormat, number_text
from dezero_cli.output import open_output
from dezero_cli.progress import Progress
from dezero_cli.uncertainty.asked import Asked, from_words

if TYPE_CHECKING:
    from dezero_cli.batch.workers import Pool

ENOUGH = 0.3
"""Seconds of work after which more processes are worth their start."""

HELP = """Evaluate and differentiate line by line: one JSON object per line.

\b
  printf 'x**2 ; x=3\\nsin(t) ; t=pi/6\\n' | dezero batch
  dezero batch formulas.txt k=2
  cat requests.jsonl | dezero batch --jobs 2 | jq .grad.x
  echo '2*r ; x=3 y=4' | dezero batch 'r=hypot(x, y)'
  cat records.jsonl | dezero batch --expr 'p*q' --get id --get value

A line is EXPR, or EXPR ; a=3 b=2, or {"expr": "...", "vars": {...}} with any "id". With --expr a
line is a record, {"p": 2, "q": 3} or p=2 q=3, whose fields are the values of that one formula;
other fields may be anything. Values and definitions on the command line apply to every line, and a
line's own come first. A bad line becomes a record with "error", and the others are still answered.
"""

KEYS = {
    "value": 0,
    "grad": 1,
    "jacobian": 1,
    "hessian": 2,
    "sigma": 0,
    "share": 1,
    "covariance": 0,
    "correlation": 0,
    "order2": 1,
    "mc": 1,
    "dof": 0,
    "coverage": 0,
    "expanded": 0,
    "line": 0,
    "id": 0,
    "expr": 0,
}
"""What ``--get`` may begin with, and how many names may follow."""


@click.command(
    "batch",
    cls=ExpressionCommand,
    help=HELP,
    short_help="Answer each line of a file or a pipe with a JSON object.",
)
@click.argument("words", nargs=-1, metavar="[FILE]... [NAME=VALUE]...", shell_complete=file_names)
@defs_option
@wrt_option
@no_grad_option
@jacobian_option
@hessian_option
@sigma_option
@half_option
@corr_option
@dist_option
@dof_option
@order_option
@mc_option
@draws_seed_option
@level_option
@click.option(
    "--expr",
    metavar="EXPR",
    help="One formula for all lines, which are then records: JSON objects, or a=3 b=2.",
)
@get_option
@precision_option
@format_option
@click.option("--fail-fast", is_flag=True, help="Stop at the first bad line.")
@jobs_option
@click.option(
    "--max-line",
    type=click.IntRange(1),
    default=1 << 20,
    metavar="BYTES",
    help="Refuse longer lines (default: 1 MiB).",
)
@max_operations_option
@click.option(
    "--max-numbers",
    type=click.IntRange(1),
    default=100_000_000,
    metavar="N",
    help="Refuse lines whose operations make more numbers (default: 100,000,000).",
)
def command(
    words: tuple[str, ...],
    defs: str | None,
    wrt: tuple[str, ...],
    no_grad: bool,
    jacobian: bool,
    hessian: bool,
    sigma: tuple[str, ...],
    half: tuple[str, ...],
    corr: tuple[str, ...],
    dist: tuple[str, ...],
    dof: tuple[str, ...],
    order: int,
    mc: str | None,
    seed: int | None,
    level: float | None,
    expr: str | None,
    get: tuple[str, ...],
    precision: int | None,
    form: str | None,
    fail_fast: bool,
    jobs: int | None,
    max_line: int,
    max_operations: int,
    max_numbers: int,
) -> int:
    """Read blocks of lines, answer them, write the answers."""
    files = [word for word in words if not statements.is_statement(word)] or ["-"]
    given_words = list(filter(statements.is_statement, words))
    named = {"the lines": "-" if "-" in files else "", "--expr": expr, "--defs": defs}
    asking = [what for what, file in named.items() if file == "-"]
    reading.read_by_one([*asking, *statements.readers([*given_words, *sigma, *half])])
    uncertain = from_words(sigma, half, corr, dist, dof, order, mc, seed, level, common=True)
    options, get = Wanted(some_names(wrt) or None, no_grad, jacobian, hessian), canonical_words(get)
    wanted = wanted_by(get, options, bool(uncertain))
    asked = None if expr is None else formula([expr, *given_words], defs=defs)
    said = library(defs) | statements.statements(given_words) if asked is None else asked.said
    known = statements.sorted_out(said)
    given = known.values
    records = None if asked is None else _formula(asked.text, known, wanted, uncertain)
    for place in get:
        _check_place(place, records, given)
    show = NumberFormat(precision, form)
    defined = tuple(
        word for begun, word in said.values() if begun.name not in given or begun.parameters
    )
    settings = Settings(
        *(given, wanted, fail_fast, max_line, records, get, show, defined, max_operations),
        *(max_numbers, uncertain),
    )
    for name in files:
        _require(name)
    answered = contextlib.closing(_answered(files, settings, jobs))
    with _Output(files) as output, _calm_memory(), answered as every:
        for block, each in every:
            output.write(block, each)
            if fail_fast and each.faults:
                break
        return 1 if output.failed else 0


def _require(name: str) -> None:
    """Refuse a FILE that there is not; it may have been meant as the formula for all lines."""
    try:
        reading.require_file(name)
    except FileError:
        if not name.isidentifier() and is_expression(name):
            import shlex

            hint = f"for a formula for all lines, write --expr {shlex.quote(name)}"
            raise UsageError(f"{name}: no such file: {hint}") from None
        if ";" in name:
            hint = "lines come from a file or from a pipe, as in printf 'x**2 ; x=3' | dezero batch"
            raise UsageError(f"{name}: no such file: {hint}") from None
        raise


def _check_place(
    place: str, formula: RecordFormula | None, given: Mapping[str, np.ndarray]
) -> None:
    """Refuse a place of ``--get`` that no record can have."""
    key, *names = place.partition("[")[0].split(".")
    depth = KEYS.get(key)
    known = ", ".join(each + ".NAME" * count for each, count in KEYS.items())
    if depth is None or len(names) > depth:
        raise UsageError(f"--get {place}: a record has {known}")
    if formula is not None:
        inputs = [*formula.fields, *(name for name in given if name not in formula.fields)]
        for name in names:
            if name not in inputs:
                hint = name_meant(name, inputs) or f"the formula has {', '.join(inputs)}"
                raise UsageError(f"--get {place}: no {name} in the formula: {hint}")


def _formula(expr: str, known: Given, wanted: Wanted, uncertain: Asked) -> RecordFormula:
    """The formula for all lines, and which fields of a record it takes."""
    from dezero_cli.language import symbolic

    expression = known.linked(expr)
    used = expression.names
    defined = frozenset(expression.definitions)
    names = dict.fromkeys([*used, *defined, *(wanted.wrt or ()), *uncertain.used])
    fields = {name: expression.written(name) if name in used else name for name in names}
    required = frozenset(symbolic.free_names(expression)).difference(known.values)
    constants = {"e": expression.e_alone, "pi": True}
    unsaid = [n for n, noted in constants.items() if noted and n in fields]
    watched = [n for n in unsaid if n not in known.values and expression.is_constant(n)]
    return RecordFormula(expr, fields, required, tuple(watched), defined)


def _answered(
    files: list[str], settings: Settings, jobs: int | None
) -> Generator[tuple[LineBlock, Answer], None, None]:
    """Every block of lines with its answer, in order, by one process or by `jobs`.

    Without a number by one process until it has worked for ENOUGH seconds, then by one a core.
    """
    with contextlib.closing(LineReader(files, settings.longest)) as reader:
        at_first = (jobs == 1 and math.inf) or (0.0 if jobs else ENOUGH)
        yield from _by_one(reader, settings, at_first)
        if reader.ended:
            return
        pool = _pool(files, settings, jobs)
        if pool is None:
            yield from _by_one(reader, settings, math.inf)
        else:
            from dezero_cli.batch import workers

            yield from workers.answers(reader, pool)


def _by_one(
    reader: LineReader, settings: Settings, seconds: float
) -> Iterator[tuple[LineBlock, Answer]]:
    """The blocks that this process answers until it has worked for so long."""
    seen: set[int] = set()
    while seconds > 0 and not reader.ended:
        block = reader.read()
        while block is not None:
            begun = time.perf_counter()
            done = answer(block, settings, seen)
            taken = time.perf_counter() - begun
            seconds -= taken
            if done.returned:
                reader.grow(taken)
            reader.shrink(taken)
            answered, block = block.parted(done.rest)
            yield answered, done


def _pool(files: list[str], settings: Settings, jobs: int | None) -> Pool | None:
    """The processes for the lines that are left; None where this one is to go on alone.

    Lines that are typed come one by one; and without a number of `jobs` there may be one core, or
    no processes to be had.
    """
    from dezero_cli.batch.cores import cores

    if jobs is None and (files == ["-"] and sys.stdin.isatty()):
        return None
    wanted = jobs or cores()
    if wanted == 1:
        return None
    from dezero_cli.batch.workers import Pool

    try:
        return Pool(settings, wanted)
    except OSError:
        if jobs is None:
            return None
        raise


@contextlib.contextmanager
def _calm_memory() -> Iterator[None]:
    """Save the garbage collector and the allocator work that a stream of blocks does not need.

    Reference counting is enough to free an evaluation; looking for cycles takes a third of the
    time.
    """
    enabled = gc.isenabled()
    gc.disable()
    extras.keep_memory()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Output:
    """Standard output in complete lines, errors, and progress on a terminal."""

    def __init__(self, files: list[str]) -> None:
        self.failed = False
        self._seen: set[tuple[str, bool]] = set()
        self._noted: set[str] = set()
        self._opened = contextlib.ExitStack()
        self._progress = Progress(reading.total_size(files), "batch", "lines")

    def __enter__(self) -> _Output:
        self.target = self._opened.enter_context(open_output(None))
        self._opened.callback(self._progress.clear)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._opened.__exit__(*exception)

    def write(self, block: LineBlock, each: Answer) -> None:
        """Write the answers to a block: the lines, then the faults."""
        if each.faults or sys.stdout.isatty():
            self._progress.clear()  # lines take its place
        self.target.write(each.out)
        for line, column, message in each.faults:
            self.failed = True
            report.warn(f"{block.source}:{line}:{column}: {message}")
        self._note(each.constants)
        self._progress.add(block.count, block.size)
        self._progress.show()

    def _note(self, constants: Iterable[tuple[str, int]]) -> None:
        """Say once which constants were taken where a record has no field of that name.

        Of `pi` only where other records have such a field: without any it is meant as it is.
        """
        self._seen.update((name, bool(had)) for name, had in constants)
        for name, had in list(self._seen):
            others = name == "e" or (name, True) in self._seen
            if not had and others and name not in self._noted:
                self._noted.add(name)
                value, instead = (
                    number_text(CONSTANTS[name]),
                    f"{name}=VALUE gives it another value",
                )
                report.warn(f"note: {name} is {value} where a record has no {name}; {instead}")

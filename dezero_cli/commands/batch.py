"""``dezero batch``: an answer in JSON for each line of a file or a pipe."""

from __future__ import annotations

import contextlib
import gc
import os
import stat
import sys
from collections.abc import Generator, Iterator
from typing import Any

import click
import numpy as np

from dezero_cli import report
from dezero_cli.arguments import ExpressionCommand, file_names, hessian_option, jacobian_option
from dezero_cli.batch.answers import Answer, Settings, answer
from dezero_cli.batch.lines import Chunk, Reader
from dezero_cli.language import values
from dezero_cli.output import opened

HELP = """Evaluate and differentiate a line at a time: one JSON object for each.

\b
  printf 'x**2 ; x=3\\nsin(t) ; t=pi/6\\n' | dezero batch
  dezero batch formulas.txt k=2
  cat requests.jsonl | dezero batch --jobs 2 | jq .grad.x

A line is EXPR, or EXPR ; a=3 b=2, or {"expr": "...", "vars": {...}} with any "id". Values on the
command line serve every line. A bad line becomes a record with "error", and the rest goes on.
"""


@click.command(
    "batch",
    cls=ExpressionCommand,
    help=HELP,
    short_help="Answer each line of a file or a pipe with a JSON object.",
)
@click.argument("words", nargs=-1, metavar="[FILE]... [NAME=VALUE]...", shell_complete=file_names)
@click.option("--wrt", multiple=True, metavar="NAME", help="Gradient for NAME only (repeatable).")
@click.option("--no-grad", is_flag=True, help="Values alone.")
@jacobian_option
@hessian_option
@click.option(
    "--sigma",
    multiple=True,
    metavar="NAME=S",
    help="Propagate the uncertainty S of NAME, a number or another value's name (repeatable).",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first bad line.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, metavar="N", help="N processes.")
@click.option(
    "--max-line",
    type=click.IntRange(1),
    default=1 << 20,
    metavar="BYTES",
    help="Refuse longer lines (default: 1 MiB).",
)
def command(
    words: tuple[str, ...],
    wrt: tuple[str, ...],
    no_grad: bool,
    jacobian: bool,
    hessian: bool,
    sigma: tuple[str, ...],
    fail_fast: bool,
    jobs: int,
    max_line: int,
) -> int:
    """Read chunks, answer them, write the answers."""
    if no_grad and (wrt or jacobian or hessian or sigma):
        raise click.UsageError("--no-grad gives values alone: leave out what needs a gradient")
    files = [word for word in words if not values.is_assignment(word)] or ["-"]
    given = values.assignments(word for word in words if values.is_assignment(word))
    sigmas = values.uncertainties(sigma)
    settings = Settings(given, wrt, no_grad, jacobian, hessian, sigmas, fail_fast, max_line)
    _check(files)
    answered = contextlib.closing(_answered(files, settings, jobs))
    with _Output(files) as output, _calm_memory(), answered as every:
        for chunk, each in every:
            output.write(chunk, each)
            if fail_fast and each.faults:
                break
        return 1 if output.failed else 0


def _check(files: list[str]) -> None:
    """Refuse, before anything is read, a file that is not there."""
    for name in files:
        if name != "-" and not os.path.exists(name):
            raise values.ValuesError(f"{name or repr(name)}: no such file")
        if os.path.isdir(name):
            raise values.ValuesError(f"{name}: is a directory")


def _answered(
    files: list[str], settings: Settings, jobs: int
) -> Generator[tuple[Chunk, Answer], None, None]:
    """Every chunk of the files with its answer, in order."""
    with contextlib.closing(Reader(files, settings.longest)) as reader:
        if jobs > 1:
            from dezero_cli.batch import workers

            yield from workers.answers(reader, settings, jobs)
        while not reader.ended:
            chunk = reader.read()
            if chunk is not None:
                yield chunk, answer(chunk, settings)


@contextlib.contextmanager
def _calm_memory() -> Iterator[None]:
    """Keep the collector and the allocator from work that a stream of chunks has no need of.

    Reference counting alone frees an evaluation; looking for cycles takes a third of the time.  A
    large array that is freed at once makes glibc keep freed memory for the next chunk, where it
    would give it back and take it again chunk by chunk.
    """
    enabled = gc.isenabled()
    gc.disable()
    np.empty(16 << 20, np.uint8)
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Output:
    """Standard output in whole lines, errors, and the progress bar of a terminal."""

    def __init__(self, files: list[str]) -> None:
        self.failed = False
        self._opened = contextlib.ExitStack()
        size = _size(files)
        self.bar: Any = None
        if size and sys.stderr.isatty():
            self.bar = click.progressbar(length=size, file=sys.stderr, label="batch")

    def __enter__(self) -> _Output:
        self.target = self._opened.enter_context(opened(None))
        if self.bar:
            self._opened.enter_context(self.bar)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._opened.__exit__(*exception)

    def write(self, chunk: Chunk, each: Answer) -> None:
        """Write the answers to a chunk: the lines, then the faults."""
        if self.bar and (each.faults or sys.stdout.isatty()):
            click.echo("\r\033[K", file=sys.stderr, nl=False)  # lines take the place of the bar
        self.target.write(each.out)
        for line, column, message in each.faults:
            self.failed = True
            report.warn(f"{chunk.source}:{line}:{column}: {message}")
        if self.bar:
            self.bar.update(chunk.size)


def _size(files: list[str]) -> int:
    """The bytes of files; 0 where one is no file but a pipe or a terminal."""
    found = [os.stat(name) for name in files if name != "-"]
    regular = len(found) == len(files) and all(stat.S_ISREG(each.st_mode) for each in found)
    return sum(each.st_size for each in found) if regular else 0

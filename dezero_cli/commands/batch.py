"""``dezero batch``: an answer in JSON for each line of a file or a pipe."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from dezero_cli import lines, report, values
from dezero_cli.answers import Answer, Settings, answer
from dezero_cli.arguments import ExpressionCommand

HELP = """Evaluate and differentiate a line at a time: one JSON object for each.

\b
  printf 'x**2 ; x=3\\nsin(t) ; t=pi/6\\n' | dezero batch
  dezero batch formulas.txt k=2
  cat requests.jsonl | dezero batch --jobs 2 | jq .grad.x

A line is EXPR, or EXPR ; a=3 b=2, or {"expr": "...", "vars": {...}} with any "id". Values on the
command line serve every line. A bad line becomes a record with "error", and the rest goes on.
"""


@click.command("batch", cls=ExpressionCommand, help=HELP)
@click.argument("words", nargs=-1, metavar="[FILE]... [NAME=VALUE]...")
@click.option("--wrt", multiple=True, metavar="NAME", help="Gradient for NAME only (repeatable).")
@click.option("--no-grad", is_flag=True, help="Values alone.")
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
    fail_fast: bool,
    jobs: int,
    max_line: int,
) -> int:
    """Read chunks, answer them, write the answers."""
    files = [word for word in words if not values.is_assignment(word)] or ["-"]
    given = values.assignments(word for word in words if values.is_assignment(word))
    settings = Settings(given, wrt, no_grad, fail_fast, max_line)
    for name in files:
        if name != "-" and not os.path.exists(name):
            raise values.ValuesError(f"{name}: no such file")
    arriving = _chunks(files, max_line, 64 * 1024 if jobs > 1 else lines.CHUNK)
    gc.disable()  # reference counting alone frees an evaluation; looking for cycles takes a third
    with _Output(files) as output:
        if jobs == 1:
            answered: Iterator[Answer] = (answer(chunk, settings) for chunk in arriving)
        else:
            from dezero_cli.workers import answers

            answered = answers(arriving, settings, jobs)
        for each in answered:
            output.write(each)
            if fail_fast and each.errors:
                break
        return 1 if output.failed else 0


def _chunks(files: list[str], longest: int, size: int) -> Iterator[lines.Chunk]:
    for name in files:
        if name == "-":
            yield from lines.chunks(sys.stdin.fileno(), "-", longest, size)
            continue
        descriptor = os.open(name, os.O_RDONLY)
        try:
            yield from lines.chunks(descriptor, name, longest, size)
        finally:
            os.close(descriptor)


class _Output:
    """Standard output in whole lines, errors, and the progress bar of a terminal."""

    def __init__(self, files: list[str]) -> None:
        self.failed = False
        self.writing = self.interrupted = False
        self.bar: Any = None
        if "-" not in files and sys.stderr.isatty():
            size = sum(os.path.getsize(name) for name in files)
            self.bar = click.progressbar(length=size, file=sys.stderr, label="batch")
        self.restore: Callable[[], Any] = lambda: None

    def __enter__(self) -> _Output:
        with contextlib.suppress(ValueError):  # only the main thread may
            before = signal.signal(signal.SIGINT, self.interrupt)
            self.restore = lambda: signal.signal(signal.SIGINT, before)
        if self.bar:
            self.bar.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.restore()
        if self.bar:
            self.bar.__exit__(*exception)

    def interrupt(self, *_: object) -> None:
        """Ctrl-C: at once, unless a line is being written; twice: at once."""
        if self.writing and not self.interrupted:
            self.interrupted = True
        else:
            raise KeyboardInterrupt

    def write(self, each: Answer) -> None:
        """Write the lines of a chunk and flush them."""
        self.writing = True
        report.write(each.out)
        sys.stdout.buffer.flush()
        self.writing = False
        for error in each.errors:
            self.failed = True
            report.warn(error)
        if self.bar:
            self.bar.update(each.size)
        if self.interrupted:
            raise KeyboardInterrupt

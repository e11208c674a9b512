"""Chunks of lines spread over processes; the answers come back in order."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from dezero_cli import report
from dezero_cli.answers import Answer, Settings, answer
from dezero_cli.lines import Chunk

IN_FLIGHT = 3
"""Chunks a process has before it: enough to be busy, few enough to bound the memory."""


def answers(arriving: Iterator[Chunk], settings: Settings, jobs: int) -> Iterator[Answer]:
    """The answers to chunks, in their order.

    Where a process dies, the chunks in flight are run again, one at a time; the lines of one that
    kills its process twice become error records.
    """
    pool = _pool(jobs)
    waiting: deque[tuple[Chunk, Future[Answer]]] = deque()
    try:
        for chunk in arriving:
            try:
                waiting.append((chunk, pool.submit(answer, chunk, settings)))
            except BrokenProcessPool as broken:
                waiting.append((chunk, _failed(broken)))
            while len(waiting) >= IN_FLIGHT * jobs or (waiting and waiting[0][1].done()):
                ready, pool = _next(waiting, pool, settings, jobs)
                yield from ready
        while waiting:
            ready, pool = _next(waiting, pool, settings, jobs)
            yield from ready
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), _leave_interrupts)


def _leave_interrupts() -> None:
    """Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _failed(error: BaseException) -> Future[Answer]:
    future: Future[Answer] = Future()
    future.set_exception(error)
    return future


def _next(
    waiting: deque[tuple[Chunk, Future[Answer]]],
    pool: ProcessPoolExecutor,
    settings: Settings,
    jobs: int,
) -> tuple[list[Answer], ProcessPoolExecutor]:
    """The first answer; where a process has died, all that were in flight, and a new pool."""
    chunk, future = waiting[0]
    try:
        result = future.result()
    except BrokenProcessPool:
        pool.shutdown(wait=False, cancel_futures=True)
        again = [each for each, _ in waiting]
        waiting.clear()
        last = again[-1].first + len(again[-1].lines) - 1
        report.warn(
            f"note: a worker process died; lines {chunk.first} to {last} of {chunk.source} "
            "are run again"
        )
        return [_again(each, settings) for each in again], _pool(jobs)
    waiting.popleft()
    return [result], pool


def _again(chunk: Chunk, settings: Settings) -> Answer:
    """A second run of a chunk, in a process of its own."""
    with _pool(1) as alone:
        try:
            return alone.submit(answer, chunk, settings).result()
        except BrokenProcessPool:
            return _lost(chunk)


def _lost(chunk: Chunk) -> Answer:
    """Error records for the lines of a chunk whose process died twice."""
    message = "the process that worked on this line died twice"
    records = [
        {
            "line": number,
            "expr": line.decode("utf-8", "replace").strip(),
            "error": {"type": "worker", "message": message, "column": 1},
        }
        for number, line in enumerate(chunk.lines, chunk.first)
        if line.strip() and not line.strip().startswith(b"#")
    ]
    errors = [f"{chunk.source}:{record['line']}:1: {message}" for record in records]
    return Answer(report.json_lines(records), errors, chunk.size)

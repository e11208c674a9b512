"""Numbered parts of one work spread over processes; what they give comes back in order."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import Connection

from dezero_cli.batch.cores import cores
from dezero_cli.batch.forked import Forked

ENOUGH = 0.5
"""Seconds that one process works before others are begun, unless their number is given."""

Work = Callable[[int], bytes]


def in_order(work: Work, count: int, jobs: int | None) -> Generator[bytes, None, None]:
    """work(0), work(1), ... up to `count`, by so many processes.

    Without a number by this process until it has worked for ENOUGH seconds, then by one a core.
    A part whose process dies is done by this one.
    """
    seconds = math.inf if jobs == 1 else 0.0 if jobs else ENOUGH
    done = 0
    while done < count and seconds > 0:
        begun = time.perf_counter()
        found = work(done)
        seconds -= time.perf_counter() - begun
        done += 1
        yield found
    wanted = min(jobs or cores(), count - done)
    if wanted < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(work, range(done, count))
        return
    yield from _spread(work, range(done, count), wanted, jobs is None)


def _spread(work: Work, parts: range, jobs: int, may_fail: bool) -> Iterator[bytes]:
    """The parts in turn by each of so many processes."""
    workers: list[_Worker] = []
    try:
        try:
            workers += (_Worker(work, parts[k::jobs]) for k in range(jobs))
        except OSError:
            if not may_fail:
                raise
        for i, part in enumerate(parts):
            found = workers[i % jobs].receive() if i % jobs < len(workers) else None
            yield work(part) if found is None else found
    finally:
        for worker in workers:
            worker.stop()


class _Worker(Forked):
    """A process that does some parts, one after the other."""

    def __init__(self, work: Work, parts: range) -> None:
        super().__init__(_work, work, parts)

    def receive(self) -> bytes | None:
        """What the next part gives; None once the process has died."""
        try:
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            return None


def _work(connection: Connection, work: Work, parts: range) -> None:
    """What a process does until its parts are done or the parent is gone."""
    for part in parts:
        try:
            connection.send_bytes(work(part))
        except Exception:  # noqa: BLE001, the parent notices that this process ends
            return

"""Numbered parts of one work spread over processes; what they give comes back in order."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import Connection

from dezero_cli.batch.cores import cores

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


class _Worker:
    """A process that does some parts, one after the other."""

    def __init__(self, work: Work, parts: range) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe(duplex=False)
        self.process = context.Process(
            target=_work, args=(theirs, self.connection, work, parts), daemon=True
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with warnings.catch_warnings():  # threads of a table's reader are idle by now
                warnings.simplefilter("ignore", DeprecationWarning)
                self.process.start()
        except OSError as error:
            raise OSError(error.errno, error.strerror, "a worker process") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def receive(self) -> bytes | None:
        """What the next part gives; None once the process has died."""
        try:
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            return None

    def stop(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.kill()
        self.process.join()
        self.process.close()


def _work(connection: Connection, parent: Connection, work: Work, parts: range) -> None:
    """What a process does until its parts are done or the parent is gone."""
    parent.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for part in parts:
        try:
            connection.send_bytes(work(part))
        except Exception:  # noqa: BLE001, the parent notices that this process ends
            return

"""Blocks of lines spread over processes; the answers come back in order.

The parent only moves bytes: it reads a block as soon as there is room for it, gives it to an idle
process, and passes on the answers in the order of the input.  Nothing waits for more input, and
only a few blocks per process and their answers are in memory at one time.
"""

from __future__ import annotations

import struct
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

import orjson

from dezero_cli import report
from dezero_cli.batch.answers import Answer, Settings, answer, faulty, written
from dezero_cli.batch.forked import Forked
from dezero_cli.batch.lines import LARGE, Line, LineBlock, LineFault, LineReader, lines_of

SIZES = range(16 * 1024, 256 * 1024 + 1)
"""Bytes to read at once: fewer if lines take long, so that the processes end together."""

QUICK, SLOW = 0.01, 0.04
"""Seconds per block: if it takes less, the next blocks are larger; if more, smaller."""

AHEAD = 4
"""Blocks per process that are read before the first of them is answered."""

_FIRST = struct.Struct(">QQ")
_LENGTH = struct.Struct(">Q")


@dataclass(slots=True, eq=False)
class _Task:
    """A block, when it was given to a process, its answer, and how many seconds it took."""

    block: LineBlock
    given: float = 0.0
    answer: Answer | None = None
    seconds: float = 0.0


def answers(reader: LineReader, pool: Pool) -> Iterator[tuple[LineBlock, Answer]]:
    """Every block that is left with its answer, in the order of the input; it ends the processes.

    If a process dies, its lines are run again, each by itself in a new process; a line whose
    process dies then too, twice, becomes an error record.
    """
    reader.size = LARGE if reader.is_grown else SIZES.start
    unfinished: deque[_Task] = deque()
    try:
        while unfinished or not reader.ended:
            pool.give()
            while unfinished and (done := unfinished[0].answer) is not None:
                task = unfinished.popleft()
                if done.returned:
                    reader.grow(task.seconds)
                reader.shrink(task.seconds)
                if not reader.is_grown:
                    reader.size = _size(reader.size, task.seconds)
                answered, rest = task.block.parted(done.rest)
                if rest is not None:
                    unfinished.appendleft(_Task(rest))
                    pool.todo.appendleft(unfinished[0])
                yield answered, done
            room = not reader.ended and len(unfinished) < AHEAD * len(pool.workers)
            if pool.collect(reader if room else None):
                block = reader.read()
                if block is not None:
                    unfinished.append(_Task(block))
                    pool.todo.append(unfinished[-1])
    finally:
        pool.stop()


def _size(size: int, seconds: float) -> int:
    """How many bytes to read at once, if the last block took so many seconds."""
    if seconds < QUICK:
        return min(2 * size, SIZES[-1])
    return max(size // 2, SIZES[0]) if seconds > SLOW else size


class Pool:
    """Processes, and the tasks that wait for one.  Raises OSError if there are none to be had."""

    def __init__(self, settings: Settings, jobs: int) -> None:
        self.settings = settings
        self.todo: deque[_Task] = deque()
        self.workers: list[_Worker] = []
        try:
            for _ in range(jobs):
                self.workers.append(_Worker(settings))
        except OSError:
            self.stop()
            raise
        self.tasks: list[_Task | None] = [None] * jobs

    def give(self) -> None:
        """Give the next tasks to the workers that have none."""
        for i, worker in enumerate(self.workers):
            if self.tasks[i] is None and self.todo:
                self.tasks[i] = task = self.todo.popleft()
                task.given = time.monotonic()
                if not worker.send(task.block):
                    self.replace(i)

    def collect(self, reader: LineReader | None) -> bool:
        """Wait for answers and take them; give whether `reader` has something to read."""
        busy = {self.workers[i].connection: i for i, task in enumerate(self.tasks) if task}
        if not busy and reader is None:
            return False
        descriptors = [reader.fileno()] if reader else []
        ready = wait([*busy, *descriptors])
        for connection, i in busy.items():
            task = self.tasks[i]
            if connection in ready and task is not None:
                task.answer = self.workers[i].receive()
                task.seconds = time.monotonic() - task.given
                if task.answer is None:
                    self.replace(i)
                self.tasks[i] = None
        return any(descriptor in ready for descriptor in descriptors)

    def replace(self, i: int) -> None:
        """Replace a process that died with a new one, and run its lines again."""
        task, self.tasks[i] = self.tasks[i], None
        assert task is not None
        block = task.block
        last = block.first + block.count - 1
        lines = f"lines {block.first} to {last}" if block.count > 1 else f"line {last}"
        report.warn(f"note: a worker process died; running {lines} of {block.source} again")
        self.workers[i].stop()
        self.workers[i] = _Worker(self.settings)
        task.answer = _again(block, self.settings)

    def stop(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.stop()


class _Worker(Forked):
    """A process that answers one block at a time."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(_work, settings)

    def send(self, block: LineBlock) -> bool:
        """Send a block; give whether the process was alive to take it."""
        try:
            self.connection.send_bytes(_FIRST.pack(block.first, block.count) + block.data)
        except OSError:
            return False
        return True

    def receive(self) -> Answer | None:
        """Wait for an answer; None if the process has died."""
        try:
            data = self.connection.recv_bytes()
        except (EOFError, OSError):
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
        return Answer(data[_LENGTH.size : end], *orjson.loads(data[end:]))


def _work(connection: Connection, settings: Settings) -> None:
    """What a process does: answer blocks until the parent is gone."""
    seen: set[int] = set()
    while True:
        try:
            data = connection.recv_bytes()
            first, count = _FIRST.unpack_from(data)
            done = answer(LineBlock("", first, data[_FIRST.size :], count, 0), settings, seen)
            length = _LENGTH.pack(len(done.out))
            others = orjson.dumps([done.faults, done.constants, done.returned, done.rest])
            connection.send_bytes(length + done.out + others)
        except Exception:  # noqa: BLE001, the parent is gone, or it notices that this process ends
            return


def _again(block: LineBlock, settings: Settings) -> Answer:
    """The answer to the lines of a block, each by itself in a process that it may kill.

    A process may be killed from outside, whatever it works on: a line is given up if it was alone
    with two processes that died.
    """
    worker = _Worker(settings)
    both = Answer(b"")
    for number, line in enumerate(block.data.split(b"\n"), block.first):
        alone = LineBlock(block.source, number, line, 1, 0)
        done = None
        for _ in range(2):
            done = done or (worker.receive() if worker.send(alone) else None)
            if done is None:
                worker.stop()
                worker = _Worker(settings)
        done = done or _lost(alone, settings)
        both.out += done.out
        both.faults += done.faults
        both.constants += done.constants
        if settings.fail_fast and both.faults:
            break
    worker.stop()
    return both


def _lost(line: LineBlock, settings: Settings) -> Answer:
    """The error record of a line whose process died twice; its values are not looked at again."""
    if line.data.startswith(b"{"):
        lost = lines_of(line, sys.maxsize, settings.formula, settings.most_numbers)[0]
    elif settings.formula is not None:
        lost = Line(line.first, settings.formula.text, {})
    else:
        text = line.data.decode("utf-8", "replace")
        lost = Line(line.first, text.partition(";")[0].strip(), {})
    fault = LineFault("worker", "the process that worked on this line died twice")
    out = written(faulty(lost, fault), settings)
    return Answer(out, [(line.first, fault.column, fault.message)])

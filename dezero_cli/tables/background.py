"""Work in a thread of its own, for libraries that an exception from a signal would break.

Python handles signals in the main thread, whatever that is doing.  If it is inside a call of
Polars, KeyboardInterrupt or SystemExit becomes a panic of Rust's, with a traceback.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

GRACE = 5.0
"""Seconds that work may take to end after it was told to."""


class Ended(Exception):  # noqa: N818, not an error: the way out of work that is to end
    """The work was told to end."""


class Until:
    """Tells work that it is to end."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def end(self) -> None:
        """Make the next `check` raise Ended."""
        self._event.set()

    def check(self) -> None:
        """Raise Ended if the work is to end."""
        if self._event.is_set():
            raise Ended


def run(work: Callable[[Until], Result], meanwhile: Callable[[], object] = lambda: None) -> Result:
    """What `work` returns or raises; until then, `meanwhile` is called ten times a second.

    An exception here, such as one from a signal, tells the work to end, and is passed on at most
    GRACE seconds later.
    """
    until = Until()
    results: list[Result] = []
    faults: list[BaseException] = []

    def called() -> None:
        try:
            results.append(work(until))
        except BaseException as fault:  # noqa: BLE001, it is raised again below
            faults.append(fault)

    thread = threading.Thread(target=called, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.1)
            meanwhile()
    except BaseException:
        until.end()
        thread.join(GRACE)
        raise
    if faults:
        raise faults[0]
    return results[0]

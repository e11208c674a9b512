"""Processes that are copies of this one, which alone sees to Ctrl-C."""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any


class Forked:
    """A process that does ``work(connection, *arguments)``; `connection` is this end of its pipe.

    Raises OSError, about a worker process, where none can be started.
    """

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_run, args=(theirs, self.connection, work, arguments), daemon=True
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

    def stop(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.kill()
        self.process.join()
        self.process.close()


def _run(
    connection: Connection, parent: Connection, work: Callable[..., None], arguments: Any
) -> None:
    parent.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    work(connection, *arguments)

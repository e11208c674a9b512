"""What a library prints by itself, on standard error, is not shown: it is told as one line."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator

from dezero_cli.progress import Progress


@contextlib.contextmanager
def quiet(progress: Progress) -> Iterator[None]:
    """In this block, only the progress is shown on standard error.

    Panics of Rust are printed to descriptor 2 by whatever thread they happen in.
    """
    shown = sys.stderr
    saved = os.dup(2)
    try:
        if _is_standard_error(shown):
            progress.stream = open(saved, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
        with tempfile.TemporaryFile() as hidden:
            os.dup2(hidden.fileno(), 2)
            sys.stderr = io.StringIO()
            try:
                yield
            finally:
                sys.stderr = shown
                os.dup2(saved, 2)
    finally:
        progress.stream = None
        os.close(saved)


def _is_standard_error(stream: object) -> bool:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return bool(stream.fileno() == 2)  # type: ignore[attr-defined]
    return False

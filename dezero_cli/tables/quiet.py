"""What a library prints on descriptor 2, such as the text of a panic, kept from the user."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """In this block descriptor 2 is a file; what was printed is shown only if all went well."""
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        with contextlib.suppress(OSError):
            os.write(2, caught.read())

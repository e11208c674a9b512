"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(content: bytes, path: Path) -> None:
    """Write a file beside its target and rename it, so that no one ever sees a part of it.

    A link is followed, and what is no file (``/dev/stdout``, a named pipe) is written to as it is.
    Raises OSError that names `path`.
    """
    target = Path(os.path.realpath(path))
    scratch = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        try:
            scratch.write_bytes(content)
            os.replace(scratch, target)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, str(path)) from None

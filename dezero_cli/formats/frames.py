"""A whole file of Parquet or Arrow as a data frame, or one line that says what is wrong with it."""

from __future__ import annotations

import io
from typing import Any

from dezero_cli import reading
from dezero_cli.extras import require
from dezero_cli.faults import FileError
from dezero_cli.formats import arrow, parquet
from dezero_cli.formats.quiet import quiet
from dezero_cli.progress import Progress

CHECKS = {"parquet": parquet.is_sound, "arrow": arrow.is_sound}
"""What sees by the counts and lengths in a file whether it is damaged."""


def whole(path: str, form: str) -> Any:
    """The data frame of a file of a form of CHECKS, unpacked if it is compressed.

    Raises FileError for a file that cannot be read, and MissingError without Polars.
    """
    pl = require("polars")
    content = io.BytesIO(reading.whole(path))
    damaged = FileError(reading.shown_name(path), f"cannot be read as {form}: damaged")
    if not CHECKS[form](content):
        raise damaged
    if form == "arrow" and arrow.is_bomb(content):
        raise FileError(reading.shown_name(path), arrow.BOMB)
    read = pl.read_parquet if form == "parquet" else pl.read_ipc
    if form == "arrow" and arrow.is_stream(content):
        read = pl.read_ipc_stream
    content.seek(0)
    try:
        with quiet(Progress(0)):
            return read(content)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # noqa: BLE001, a panic of Polars is not an Exception
        raise damaged from None

"""Libraries that some commands need and a bare installation lacks, imported where they are used."""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

from dezero_cli.faults import MissingError


def require(library: str, *others: str) -> Any:
    """Import a library.  Raises MissingError, which says how to install it.

    `others` are what the caller needs beside it.  The hint names the libraries themselves: this
    project is on no package index, and its name there could be anyone's.
    """
    if library == "polars":  # which reads settings when it is imported
        _ignore_wrong_settings()
        os.environ.setdefault("_RJEM_MALLOC_CONF", KEPT_FOR)
    try:
        return importlib.import_module(library)
    except ImportError as fault:
        if not isinstance(fault, ModuleNotFoundError):
            raise  # it is there, and something else is wrong
        hint = f"python -m pip install {' '.join((library, *others))}"
        raise MissingError(f"this needs {library}, which is not installed: {hint}") from None
    except (AttributeError, TypeError, ValueError) as fault:  # such as a broken file of settings
        raise MissingError(f"{library} cannot be imported: {fault}") from None


_NUMBERS = re.compile(r"POLARS_\w*(THREADS|SIZE|BUDGET|LIMIT)")
"""Settings of Polars that are numbers; it panics at those that are not, or that are zero."""


def _ignore_wrong_settings() -> None:
    for name, text in list(os.environ.items()):
        if _NUMBERS.fullmatch(name) and not re.fullmatch("0*[1-9][0-9]{0,8}", text):
            del os.environ[name]


KEPT_FOR = "dirty_decay_ms:10000"
"""How long Polars's allocator keeps what is freed: longer than a block of rows takes."""


def keep_memory() -> None:
    """Let glibc keep what is freed, for blocks to come that are as large.

    It would give large pieces back and ask for them again, as pages of zeros, which takes a third
    of the time of a stream of blocks.  That a large array is freed tells it not to.
    """
    import numpy as np

    np.empty(LARGEST, np.uint8)


LARGEST = 31 << 20
"""Bytes of the largest array from whose end glibc learns (DEFAULT_MMAP_THRESHOLD_MAX: 32 MiB)."""


def optimize() -> Any:
    """SciPy's searches, `scipy.optimize`.  Raises MissingError where SciPy is not installed."""
    require("scipy")
    import scipy.optimize

    return scipy.optimize


def require_descriptors(count: int) -> None:
    """Let the process open so many files; MissingError where its limit is lower (``ulimit -n``).

    Some libraries end with a long report where they can open no more.
    """
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        except (OSError, ValueError):
            fault = f"this needs {count} open files, and the limit is {soft}: see ulimit -n"
            raise MissingError(fault) from None

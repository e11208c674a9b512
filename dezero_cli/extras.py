"""Libraries that some commands need and a bare installation lacks, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from dezero_cli.faults import MissingError

INSTALLED_TOGETHER = {
    "polars": ("polars", "llvmlite"),
    "distributed": ("distributed", "polars", "llvmlite"),
    "matplotlib": ("matplotlib",),
}
"""The libraries to install where one is missing, by their own names on the package index.

This project is on no index, so that its own name there could be anyone's.
"""


def require(library: str) -> Any:
    """Import a library.  Raises MissingError, which says how to install it."""
    try:
        return importlib.import_module(library)
    except ImportError:
        names = " ".join(INSTALLED_TOGETHER[library])
        raise MissingError(f"this needs {library}: python -m pip install {names}") from None

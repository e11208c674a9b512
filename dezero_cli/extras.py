"""Libraries that some commands need and a bare installation lacks, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from dezero_cli.faults import MissingError

TOGETHER = {"polars": ("polars", "llvmlite")}
"""All libraries to install when one is missing, if it needs others with it."""


def require(library: str) -> Any:
    """Import a library.  Raises MissingError, which says how to install it.

    The hint names the libraries themselves: this project is on no package index, and its name
    there could be anyone's.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        names = " ".join(TOGETHER.get(library, (library,)))
        hint = f"python -m pip install {names}"
        raise MissingError(f"this needs {library}, which is not installed: {hint}") from None

"""Libraries that some commands need and a bare installation lacks, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from dezero_cli.faults import MissingError


def require(library: str, *others: str) -> Any:
    """Import a library.  Raises MissingError, which says how to install it.

    `others` are what the caller needs beside it.  The hint names the libraries themselves: this
    project is on no package index, and its name there could be anyone's.
    """
    try:
        return importlib.import_module(library)
    except ImportError:
        hint = f"python -m pip install {' '.join((library, *others))}"
        raise MissingError(f"this needs {library}, which is not installed: {hint}") from None


def optimize() -> Any:
    """SciPy's searches, `scipy.optimize`.  Raises MissingError where SciPy is not installed."""
    require("scipy")
    import scipy.optimize

    return scipy.optimize

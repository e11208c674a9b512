"""The command line of dezero: text, files and terminals around the engine; Model for Python."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes a while, in which Ctrl-C would show a traceback
if TYPE_CHECKING:
    from typing import Any

    from dezero_cli.language.model import Model as Model

__all__ = ["Model", "__version__"]


def __getattr__(name: str) -> Any:
    """Look up what is asked for, since the command line needs neither at its start."""
    if name == "Model":
        from dezero_cli.language.model import Model

        return Model
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("dezero-cli")

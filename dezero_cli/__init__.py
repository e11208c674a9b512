"""Formulas with their derivatives: what the command `dezero` does, for Python.

>>> from dezero_cli import Model
>>> decay = Model("a*exp(-k*t)", k="1/tau")
>>> decay(a=2, t=1, tau=4)
1.5576015661428098

`Model` is a formula that is evaluated, differentiated and compiled; `solve` takes equations,
`minimize` and `maximize` find optima.

What is wrong with a formula or a value is an exception of `dezero_cli.faults`; its text is the
message that the command shows. All modules but that one are the command's own.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own takes a while, in which Ctrl-C would show a traceback
if TYPE_CHECKING:
    from typing import Any

    from dezero_cli.language.model import Model
    from dezero_cli.solving.calls import maximize, minimize, solve

    __version__: str

__all__ = ["Model", "__version__", "maximize", "minimize", "solve"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, since the command line needs none of it at its start."""
    if name == "Model":
        from dezero_cli.language.model import Model

        return Model
    if name in {"solve", "minimize", "maximize"}:
        from dezero_cli.solving import calls

        return {
            "solve": calls.solve,
            "minimize": calls.minimize,
            "maximize": calls.maximize,
        }[name]
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import dezero

    return dezero.__version__


def __dir__() -> list[str]:
    """The names of the face alone."""
    return __all__

"""Formulas with their derivatives: what the command `dezero` does, for Python.

>>> from dezero_cli import Model
>>> decay = Model("a*exp(-k*t)", k="1/tau")
>>> decay(a=2, t=1, tau=4)
1.5576015661428098

`Model` is a formula that is evaluated, differentiated and compiled; `solve` takes equations,
`minimize` and `maximize` find optima, `fit` fits an equation to columns.

What is wrong with a formula or a value is an exception of `dezero_cli.faults`; its text is the
message that the command shows. All modules but that one are the command's own.
"""

import sys


def end_silently() -> None:
    """Ctrl-C ends the program without a traceback, unless someone else sees to it."""
    import _signal  # type: ignore[import-not-found]  # signal itself takes long

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


_name = sys.argv[0].rpartition("/")[2] if sys.argv else ""
if _name == "dezero" or sys.orig_argv[1:3] == ["-m", "dezero_cli"]:
    end_silently()  # this is the program, and finding its first module takes a while

TYPE_CHECKING = False  # typing's own takes a while, in which Ctrl-C would show a traceback
if TYPE_CHECKING:
    from typing import Any

    from dezero_cli.language.model import Model
    from dezero_cli.solving.calls import maximize, minimize, solve
    from dezero_cli.solving.fitting import fit

    __version__: str

__all__ = ["Model", "__version__", "fit", "maximize", "minimize", "solve"]


def __getattr__(name: str) -> "Any":
    """Import what is asked for, since the command line needs none of it at its start."""
    if name == "Model":
        from dezero_cli.language.model import Model

        return Model
    if name == "fit":
        from dezero_cli.solving.fitting import fit

        return fit
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

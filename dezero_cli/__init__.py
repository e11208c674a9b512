"""The command line of dezero: text, files and terminals around the engine."""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Give ``__version__`` when it is asked for: reading a package's metadata takes a while."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("dezero-cli")

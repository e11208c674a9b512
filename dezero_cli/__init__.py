"""The command line of dezero: text, files and terminals around the engine."""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Look up ``__version__`` only when asked: reading a package's metadata is slow."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("dezero-cli")

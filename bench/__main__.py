"""``python -m bench [--only NAME] [--json]``: every comparison, one table."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import bench
from bench.timing import Row, table

PEERS = ("numpy", "lark", "torch", "jax", "autograd", "sympy", "numexpr", "polars", "llvmlite")


def comparisons() -> list[str]:
    """The modules of this package that hold a comparison."""
    helpers = {"__main__", "timing"}
    return [m.name for m in pkgutil.iter_modules(bench.__path__) if m.name not in helpers]


def versions() -> dict[str, str]:
    """This machine, this Python and the peers that are installed."""
    found = {"machine": platform.platform(), "python": platform.python_version()}
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed, left out"
    return found


def main() -> None:
    """Run the comparisons and print them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=bench.__doc__)
    parser.add_argument("--only", action="append", choices=comparisons(), metavar="NAME")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    for name in options.only or comparisons():
        print(f"{name} ...", file=sys.stderr)
        try:
            rows += importlib.import_module(f"bench.{name}").run()
        except ImportError as missing:
            rows.append({"comparison": f"{name}: {missing.name} is missing", "wanted": ""})
    if options.json:
        print(json.dumps({"versions": versions(), "rows": rows}, indent=1))
        return
    for name, number in versions().items():
        print(f"{name:10} {number}")
    print(table(rows))


if __name__ == "__main__":
    main()

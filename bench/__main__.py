"""``python -m bench [--only NAME,...] [--json] [--write FILE]``: every comparison, one table.

``--against CHECKOUT`` compares this checkout with another one of the project instead.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import json
import os
import pkgutil
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import bench
from bench import against, page
from bench.timing import Row, table

PEERS = ("numpy", "torch", "jax", "autograd", "sympy", "symengine", "numexpr", "polars", "llvmlite")


def comparisons() -> list[str]:
    """The modules of this package that hold a comparison."""
    helpers = {"__main__", "against", "c_code", "page", "timing"}
    tables = {"bombs", "table_bombs", "fit_intervals", "intervals", "signals"}  # run by themselves
    names = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    return [name for name in names if name not in helpers | tables]


def versions() -> dict[str, str]:
    """This machine, this Python and the peers that are installed."""
    found = {
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed, left out"
    try:
        miller = subprocess.run(["mlr", "--version"], capture_output=True, text=True, check=False)
        found["miller"] = miller.stdout.split()[-1]
    except FileNotFoundError:
        found["miller"] = "not installed, left out"
    return found


def _processor() -> str:
    lines = (
        Path("/proc/cpuinfo").read_text().splitlines() if os.path.exists("/proc/cpuinfo") else []
    )
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def measured(name: str) -> list[Row]:
    """The rows of a comparison; one whose peer is missing is named and left out."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    try:
        rows: list[Row] = importlib.import_module(f"bench.{name}").run()
    except ImportError as missing:
        return [{"comparison": f"{name}: {missing.name} is missing", "wanted": ""}]
    return rows


def apart(name: str) -> list[Row]:
    """The same in a new process, where no other peer has threads or has broken up the memory."""
    command = [sys.executable, "-m", "bench", "--only", name, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        return [{"comparison": f"{name}: ended with status {done.returncode}", "wanted": ""}]
    rows: list[Row] = json.loads(done.stdout)["rows"]
    return rows


def compile_modules(*checkouts: Path) -> None:
    """Write a project's bytecode, as pip does for what it installs, the peers among it."""
    for checkout in checkouts:
        for name in ("dezero", "dezero_cli"):
            if not compileall.compile_dir(checkout / name, quiet=1):
                raise SystemExit(f"{checkout / name}: cannot be compiled")


def names_of(text: str) -> list[str]:
    """Names of comparisons, with commas between them."""
    names = text.split(",")
    for name in names:
        if name not in comparisons():
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(comparisons())}")
    return names


def main() -> None:
    """Run the comparisons and print them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=bench.__doc__)
    parser.add_argument("--only", action="extend", type=names_of, metavar="NAME,...")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="another checkout of this project, perhaps an older one: startup, scalars and batch"
        " (or those of --only) are run by turns, a process a side, and medians compared",
    )
    parser.add_argument(
        "--rounds", type=int, default=against.ROUNDS, help="turns of --against (default: 100)"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", metavar="FILE", help="write the page of the manual")
    options = parser.parse_args()
    here = Path(bench.__file__).parents[1]
    start = time.perf_counter()
    if options.against:
        names = options.only or list(against.COMPARED)
        if others := [name for name in names if name not in against.COMPARED]:
            parser.error(f"--against has no {', '.join(others)}")
        compile_modules(here, options.against)
        rows = against.run(options.against, names, options.rounds)
    else:
        compile_modules(here)
        names = options.only or comparisons()
        rows = measured(names[0]) if len(names) == 1 else [row for n in names for row in apart(n)]
    found = versions()
    minutes = (time.perf_counter() - start) / 60
    if options.write:
        page.written(rows, found, minutes, Path(options.write))
    elif options.json:
        print(json.dumps({"versions": found, "rows": rows}, indent=1))
    else:
        print("\n".join(f"{name:10} {number}" for name, number in found.items()))
        print(table(rows))
        print(f"{minutes:.1f} minutes")


if __name__ == "__main__":
    main()

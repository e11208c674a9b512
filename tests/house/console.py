"""Examples in Markdown as commands and what they print, and `dezero` as a program to run them."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import unmeasured

ROOT = Path(__file__).parents[2]
OPTIONAL = ("awk", "bc", "column", "dot", "jq", "make", "mlr", "node", "sqlite3", "zsh")
"""Programs that a machine may lack; the rest of a block that names one is then passed over."""


def blocks(text: str, language: str) -> list[str]:
    """The insides of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Commands, and the output that follows each.

    A command goes on where a line ends in a backslash, or where the next begins with ``> ``.
    """
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert parts[0] == ""
    for part in parts[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\") or output.startswith("> "):
            more, _, output = output.partition("\n")
            command += "\n" + more.removeprefix("> ")
        yield command, output


def missing(command: str) -> set[str]:
    """The optional programs that a command names and that are not installed."""
    named = set(re.findall(r"[\w-]+", command)).intersection(OPTIONAL)
    return {program for program in named if shutil.which(program) is None}


def environment(folder: Path) -> dict[str, str]:
    """The environment of a shell that finds `dezero` and has its home in `folder`."""
    script = folder / "bin" / "dezero"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dezero_cli "$@"\n')
    script.chmod(0o755)
    kept = {name: text for name, text in unmeasured().items() if not name.startswith("XDG_")}
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8"}

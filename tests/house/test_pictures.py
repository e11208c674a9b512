"""The pictures of the manual are those that its commands draw."""

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import unmeasured
from tests.house.console import blocks, steps

DOCS = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
IDENTITY = re.compile(r"\b[a-z][0-9a-f]{10}\b")
"""What Matplotlib calls a shape: a digest of its numbers."""
DRAWN_BY = re.compile(r"Matplotlib v[\d.]+|graphviz version [\d.]+")


def drawn():
    """The page, the command and the name of each picture."""
    for page in sorted(DOCS.glob("**/*.md")):
        for block in blocks(page.read_text(encoding="utf-8"), "console"):
            for command, _ in steps(block):
                name = re.search(r" -o (\S+\.svg)", command)
                if name and (DOCS / "pictures" / name[1]).exists():
                    yield pytest.param(command, name[1], id=name[1])


PICTURES = list(drawn())


@pytest.mark.parametrize(("command", "name"), PICTURES)
def test_a_picture_is_what_its_command_draws(tmp_path, command, name):
    if " graph " in command and shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    prelude = f'dezero() {{ "{sys.executable}" -m dezero_cli "$@"; }}\n'
    bash = ["bash", "-c", prelude + command]
    subprocess.run(bash, cwd=tmp_path, env=unmeasured(), timeout=120, check=True)
    old = (DOCS / "pictures" / name).read_text(encoding="utf-8")
    new = (tmp_path / name).read_text(encoding="utf-8")
    size = [ElementTree.fromstring(text).get("width") for text in (old, new)]
    if DRAWN_BY.findall(old) != DRAWN_BY.findall(new):  # which sets letters a little otherwise
        old_size, new_size = (float(width.removesuffix("pt")) for width in size)
        assert new_size == pytest.approx(old_size, rel=0.1)
        return
    shapes = [NUMBER.sub("#", IDENTITY.sub("@", text)) for text in (old, new)]
    assert shapes[0] == shapes[1] and size[0] == size[1]
    numbers = [np.array(NUMBER.findall(IDENTITY.sub("@", text)), float) for text in (old, new)]
    np.testing.assert_allclose(*numbers, rtol=0, atol=0.02)


def test_every_picture_has_a_command_and_is_shown():
    files = {path.name for path in (DOCS / "pictures").iterdir()}
    assert files == {parameter.values[1] for parameter in PICTURES} and len(files) >= 4
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("**/*.md"))
    for name in files:
        assert re.search(rf"!\[[^\]]{{20,}}\]\([./]*pictures/{re.escape(name)}\)", pages)
        assert (DOCS / "pictures" / name).stat().st_size < 200_000


def test_the_formulas_of_a_page_are_the_latex_above_them():
    page = (DOCS / "how-to" / "formulas.md").read_text(encoding="utf-8")
    (shown,) = blocks(page, "math")
    lines = [line.removesuffix(r" \\").replace("&", "") for line in shown.splitlines()[1:-1]]
    above = "".join(output for block in blocks(page, "console") for _, output in steps(block))
    assert len(lines) == 3 and "\n".join(lines) in above

"""The pictures of the manual are those that its commands draw."""

import io
import re
import shlex
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from tests.house.console import ROOT, blocks, steps

DOCS = ROOT / "docs"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
IDENTITY = re.compile(r"\b[a-z][0-9a-f]{10}\b")
"""What Matplotlib calls a shape: a digest of its numbers."""
DRAWN_BY = re.compile(r"Matplotlib v[\d.]+|graphviz version [\d.]+")


def drawn():
    """The command and the name of each picture."""
    for page in [ROOT / "README.md", *sorted(DOCS.glob("**/*.md"))]:
        for block in blocks(page.read_text(encoding="utf-8"), "console"):
            for command, _ in steps(block):
                name = re.search(r" (?:-o|--plot) (\S+\.(?:svg|png))", command)
                if name and (DOCS / "pictures" / name[1]).exists():
                    command = command.split("  #")[0].replace("\\\n", " ")
                    yield pytest.param(command, name[1], id=f"{page.stem}, {name[1]}")


PICTURES = list(drawn())


@pytest.mark.parametrize(("command", "name"), PICTURES)
def test_a_picture_is_what_its_command_draws(dezero, tmp_path, monkeypatch, command, name):
    (tmp_path / "docs").symlink_to(DOCS)
    monkeypatch.chdir(tmp_path)
    if " graph " in command and shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    program, *words = shlex.split(command)
    assert program == "dezero"
    outcome = dezero(*words)
    assert outcome.status == 0, outcome.err
    same = same_png if name.endswith(".png") else same_svg
    same(DOCS / "pictures" / name, tmp_path / name)


def same_png(old: Path, new: Path):
    """The same dots but for rounding, where the same Matplotlib has drawn them."""
    image = pytest.importorskip("PIL.Image", reason="Matplotlib brings Pillow")
    one, other = (image.open(io.BytesIO(path.read_bytes())) for path in (old, new))
    if one.info.get("Software") != other.info.get("Software"):
        assert np.allclose(one.size, other.size, rtol=0.1)
        return
    assert one.size == other.size
    dots = [np.asarray(each.convert("RGB"), dtype=float) for each in (one, other)]
    assert np.abs(dots[0] - dots[1]).mean() < 0.2


def same_svg(old: Path, new: Path):
    """The same shapes, with numbers that are equal but for rounding."""
    texts = [path.read_text(encoding="utf-8") for path in (old, new)]
    size = [ElementTree.fromstring(text).get("width") for text in texts]
    if len({tuple(DRAWN_BY.findall(text)) for text in texts}) > 1:  # letters are set otherwise
        old_size, new_size = (float(width.removesuffix("pt")) for width in size)
        assert new_size == pytest.approx(old_size, rel=0.1)
        return
    shapes = [NUMBER.sub("#", IDENTITY.sub("@", text)) for text in texts]
    assert shapes[0] == shapes[1] and size[0] == size[1]
    numbers = [np.array(NUMBER.findall(IDENTITY.sub("@", text)), float) for text in texts]
    np.testing.assert_allclose(*numbers, rtol=0, atol=0.02)


def test_every_picture_has_a_command_and_is_shown():
    files = {path.name for path in (DOCS / "pictures").iterdir()}
    assert files == {parameter.values[1] for parameter in PICTURES}
    assert sum(name.endswith(".png") for name in files) >= 12
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("**/*.md"))
    for name in files:
        assert re.search(rf"!\[[^\]]{{20,}}\]\([./]*pictures/{re.escape(name)}\)", pages)
        assert (DOCS / "pictures" / name).stat().st_size < 300_000


def test_a_changed_picture_is_noticed(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Matplotlib brings Pillow")
    old = DOCS / "pictures" / "damped.png"
    with image.open(old) as picture:
        dots = np.asarray(picture.convert("RGB")).copy()
        software = picture.info["Software"]
    dots[200:300, 200:300] = 0
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", software)
    image.fromarray(dots).save(tmp_path / "new.png", pnginfo=info)
    with pytest.raises(AssertionError):
        same_png(old, tmp_path / "new.png")


def test_the_formulas_of_a_page_are_the_latex_above_them():
    page = (DOCS / "how-to" / "formulas.md").read_text(encoding="utf-8")
    (shown,) = blocks(page, "math")
    lines = [line.removesuffix(r" \\").replace("&", "") for line in shown.splitlines()[1:-1]]
    above = "".join(output for block in blocks(page, "console") for _, output in steps(block))
    assert len(lines) == 3 and "\n".join(lines) in above

"""What Python sees of the two packages: few names, each described, and one version."""

import doctest
import inspect
import pydoc
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import dezero as engine
import dezero_cli
from dezero_cli.solving import calls

ROOT = Path(__file__).parents[2]
FACES = [engine, dezero_cli]


def page(package):
    """What help() shows of a package, as plain text."""
    return pydoc.plain(pydoc.render_doc(package))


@pytest.mark.parametrize("package", FACES, ids=lambda package: package.__name__)
def test_a_face_has_the_names_that_it_says_and_each_is_described(package):
    assert {*dir(package)} == {*package.__all__, "__version__"}
    for name in package.__all__:
        thing = inspect.getattr_static(package, name, None) or getattr(package, name)
        assert name == "__version__" or inspect.getdoc(thing), name


@pytest.mark.parametrize("package", FACES, ids=lambda package: package.__name__)
def test_the_examples_of_a_face_are_true(package):
    for module in [package, *([calls] if package is dezero_cli else [])]:
        done = doctest.testmod(module)
        assert done.attempted > 0 and done.failed == 0


def test_the_engines_face_is_about_fifteen_names():
    assert 12 <= len(engine.__all__) <= 18


def test_help_names_nothing_that_is_not_of_the_face():
    """The list of files apart, which Python itself puts there."""
    for package in FACES:
        shown = page(package)
        at_the_top = {*re.findall(r"^    (?:class )?(\w+)(?: = |\()", shown, re.M)}
        assert at_the_top <= {*package.__all__, "__all__"}, at_the_top
        assert not re.search(r"^     \|  _(?!_)\w+", shown, re.M)


def test_every_method_of_a_variable_is_described():
    """Python's own protocol, such as __len__, needs no words."""
    for cls in (engine.Variable, engine.Function):
        for name, thing in vars(cls).items():
            if not name.startswith("_") and callable(thing):
                assert inspect.getdoc(thing), name


def test_the_version_is_said_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "dezero.__version__"}
    assert dezero_cli.__version__ == engine.__version__
    said = rf'^__version__ = "{re.escape(engine.__version__)}"$'
    assert re.search(said, Path(engine.__file__).read_text(encoding="utf-8"), re.M)


def test_calculus_is_reached_without_an_import_of_its_own():
    second = engine.calculus.hessian(lambda x: x**3)(2.0)
    assert np.asarray(second) == 12.0


@pytest.mark.parametrize("package", FACES, ids=lambda package: package.__name__)
def test_a_name_that_is_not_there_is_pythons_own_fault(package):
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'x'"):
        package.x  # noqa: B018

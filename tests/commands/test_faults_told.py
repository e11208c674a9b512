"""What `dezero` says of faults that are not the user's, and of what is missing."""

import resource
import sys

import pytest

from dezero_cli import extras, main
from dezero_cli.faults import MissingError


@pytest.fixture
def failing(dezero, monkeypatch):
    """Run a command in which this is raised."""

    def call(fault):
        def run(*_, **__):
            raise fault

        monkeypatch.setattr(main.cli, "make_context", run)
        return dezero("eval", "x", "x=1")

    return call


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        (MemoryError(), 1, "not enough memory"),
        (ImportError("lib.so: failed to map segment"), 1, "not enough memory"),
        (ImportError("no name a in b", name="b"), 1, "the installation is incomplete: no name a"),
        (ImportError("no name a", name="dezero.graph"), 1, "another package named dezero"),
        (OSError(28, "No space left on device", "o.csv"), 1, "o.csv: no space left on device"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 0, ""),
        (RuntimeError("what"), 1, "internal error, please report it: RuntimeError: what"),
    ],
)
def test_a_fault_is_one_line_and_a_status(failing, fault, status, told):
    outcome = failing(fault)
    assert (outcome.status, outcome.out) == (status, "")
    assert told in outcome.err and outcome.err.count("\n") == (1 if told else 0)


def test_the_limit_of_open_files(monkeypatch):
    said = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 100))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: said.append(limits))
    extras.require_descriptors(64)
    assert said == [(64, 100)]
    extras.require_descriptors(5)
    assert said == [(64, 100)]

    def refused(*_):
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refused)
    with pytest.raises(MissingError, match="needs 64 open files, and the limit is 10"):
        extras.require_descriptors(64)
    monkeypatch.setitem(sys.modules, "resource", None)
    extras.require_descriptors(64)  # where limits are not known, nothing is asked


def test_a_library_that_is_there_and_broken(tmp_path, monkeypatch):
    (tmp_path / "broken_settings.py").write_text("raise ValueError('bad key')\n")
    (tmp_path / "broken_parts.py").write_text("from os import no_such_part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingError, match="broken_settings cannot be imported: bad key"):
        extras.require("broken_settings")
    with pytest.raises(ImportError, match="no_such_part"):
        extras.require("broken_parts")
    with pytest.raises(MissingError, match="python -m pip install no_such_library other"):
        extras.require("no_such_library", "other")

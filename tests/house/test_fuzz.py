"""Inputs that fuzzing started from or found, tried again."""

import pytest

from tests.fuzz_targets import CORPUS, TARGETS

FILES = sorted(path for path in CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_corpus(path):
    assert TARGETS[path.parent.name](path.read_bytes()) is None


def test_there_is_a_corpus_for_each_target():
    assert {path.parent.name for path in FILES} == set(TARGETS)

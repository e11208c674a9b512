"""Small tables of every kind that people have, each with its right output to the byte.

They stand in `tests/data/tables/corpus`, written by hand: `corpus.json` has the words of the
command for each, and the file with the right output or the one right line.
"""

import json
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parent.parent / "data" / "tables" / "corpus"
CASES: list[dict[str, Any]] = json.loads((CORPUS / "corpus.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["table"])
def test_right_to_the_byte(dezero, monkeypatch, case):
    monkeypatch.chdir(CORPUS)
    expr, *options = case["words"]
    outcome = dezero("map", expr, case["table"], *options)
    if "error" in case:
        assert (outcome.status, outcome.out) == (case["status"], "")
        assert outcome.err.splitlines()[0] == case["error"]
    else:
        assert (outcome.status, outcome.out.encode()) == (0, (CORPUS / case["out"]).read_bytes())
        assert outcome.err == (f"{case['note']}\n" if "note" in case else "")


def test_every_file_of_the_corpus_is_used():
    used = {case[key] for case in CASES for key in ("table", "out") if key in case}
    assert used | {"corpus.json"} == {path.name for path in CORPUS.iterdir()}
    assert len(CASES) >= 60

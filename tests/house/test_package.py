"""The walls between the rooms, and what a bare installation loads."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dezero_cli.language import grammar as language

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "dezero").rglob("*.py"), *(ROOT / "dezero_cli").rglob("*.py")]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def calls(path):
    """What a module calls, as it is written, with the arguments given by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            named = {word.arg: ast.unparse(word.value) for word in node.keywords}
            yield ast.unparse(node.func), named


def test_the_engine_knows_neither_text_nor_terminals():
    foreign = {"dezero_cli", "click", "lark", "orjson", "polars", "distributed", "pickle"}
    for path in (ROOT / "dezero").rglob("*.py"):
        names = set(imported(path))
        assert not names & foreign, path
        assert "llvmlite" not in names or path.name == "native.py"


def test_only_the_language_knows_lark_and_nothing_evaluates_python():
    for path in SOURCES:
        assert "lark" not in set(imported(path)) or path.name == "grammar.py", path
        called = {function.removeprefix("builtins.") for function, _ in calls(path)}
        assert not called & {"eval", "exec", "compile", "__import__"}, path


def test_nothing_unpickles_and_nothing_starts_a_shell():
    for path in SOURCES:
        assert not set(imported(path)) & {"pickle", "marshal", "shelve", "cloudpickle"}, path
        for function, named in calls(path):
            assert function not in {"os.system", "os.popen", "subprocess.getoutput"}, path
            assert "shell" not in named, path
            assert function != "np.load" or named["allow_pickle"] == "False", path


def test_the_tables_are_those_of_the_grammar():
    grammar = language.GRAMMAR.read_text(encoding="utf-8")
    stored = json.loads(language.TABLES.read_text(encoding="utf-8"))
    assert stored["grammar"] == grammar, "run python -m dezero_cli.language.grammar"
    built = json.loads(json.dumps(language.build_tables(grammar)))
    names = {"NUMBER", "NAME"}
    assert set(stored) == set(built) and stored["pattern"] == built["pattern"]
    assert len(stored["states"]) == len(built["states"])
    assert sorted(map(len, stored["states"])) == sorted(map(len, built["states"]))
    assert sorted(map(str, stored["rules"])) == sorted(map(str, built["rules"]))
    assert names <= {symbol for row in stored["states"] for symbol in row}


def test_eval_loads_nothing_that_it_does_not_use():
    code = (
        "import sys; from dezero_cli.main import run; run(['eval', 'a*b+c', 'a=3', 'b=2', 'c=1'])\n"
        "unused = {'lark', 'orjson', 'polars', 'llvmlite', 'matplotlib', 'difflib'}\n"
        "print(sorted(unused & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_dash_m_is_the_console_script():
    done = subprocess.run(
        [sys.executable, "-m", "dezero_cli", "eval", "2*3"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "value  6.0\n"


@pytest.mark.parametrize("name", ["Variable", "constant"])
def test_a_foreign_package_named_dezero_is_named_in_one_line(tmp_path, name):
    (tmp_path / "dezero").mkdir()
    (tmp_path / "dezero" / "__init__.py").write_text(f"class {name}:\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "dezero_cli", "eval", "x", "x=1"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: another package named dezero is installed in {tmp_path / 'dezero'}: install this "
        "one in an environment of its own, for example with pipx\n"
    )

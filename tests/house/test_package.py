"""The package: its tables are current, its parts are all there, and it loads what it uses."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dezero_cli.language import grammar as language
from tests.house import walls

pytestmark = pytest.mark.unmeasured
"""They read the source, and start processes."""


ROOT = Path(__file__).parents[2]


def test_only_the_language_knows_lark_and_nothing_evaluates_python():
    assert walls.one_file_knows_lark(ROOT) == []
    assert walls.nothing_evaluates_python(ROOT) == []


def test_nothing_unpickles_and_nothing_starts_a_shell():
    assert walls.nothing_unpickles(ROOT) == []
    assert walls.nothing_starts_a_shell(ROOT) == []


def test_the_tables_are_those_of_the_grammar():
    grammar = Path(language.GRAMMAR).read_text(encoding="utf-8")
    stored = json.loads(Path(language.TABLES).read_text(encoding="utf-8"))
    assert stored["grammar"] == grammar, "run python -m dezero_cli.language.grammar"
    assert stored == json.loads(json.dumps(language.build_tables(grammar)))


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_tables_are_the_same_bytes_each_time(tmp_path, seed):
    code = (
        "import sys; from dezero_cli.language import grammar\n"
        "grammar.TABLES = sys.argv[1]; grammar.write_tables()"
    )
    written = tmp_path / "grammar.json"
    environment = os.environ | {"PYTHONHASHSEED": seed}
    subprocess.run([sys.executable, "-c", code, written], check=True, env=environment)
    assert written.read_bytes() == Path(language.TABLES).read_bytes()


def test_larks_private_table_is_used_of_the_versions_that_have_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (lark,) = (each for each in project["project"]["dependencies"] if each.startswith("lark"))
    assert "<" in lark


def test_the_wheel_has_every_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {
        path.parent.relative_to(ROOT)
        for top in ("dezero", "dezero_cli")
        for path in (ROOT / top).rglob("*.py")
    }
    packages = {".".join(folder.parts) for folder in folders}
    assert packages == set(project["tool"]["setuptools"]["packages"])


def test_eval_loads_nothing_that_it_does_not_use():
    code = (
        "import sys; from dezero_cli.main import run; run(['eval', 'a*b+c', 'a=3', 'b=2', 'c=1'])\n"
        "unused = {'lark', 'orjson', 'polars', 'llvmlite', 'matplotlib', 'difflib', 'scipy'}\n"
        "unused |= {'dezero.calculus', 'dezero_cli.solving', 'dezero_cli.language.model'}\n"
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


def test_every_comparison_has_its_rows():
    sys.path.insert(0, str(ROOT))
    try:
        from bench.__main__ import comparisons
    finally:
        sys.path.remove(str(ROOT))
    for name in comparisons():
        source = (ROOT / "bench" / f"{name}.py").read_text(encoding="utf-8")
        assert "\ndef run() -> list[Row]:\n" in source, name

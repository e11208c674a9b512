"""The walls between the rooms stand, and each check is able to find the one who crosses."""

from pathlib import Path

import pytest

from tests.house import walls

pytestmark = pytest.mark.unmeasured
"""They read the source, and run none of it."""


ROOT = Path(__file__).parents[2]
SENTENCE = '"""What it is for."""\n'

IN_ORDER = {
    "dezero/__init__.py": "from dezero import functions\nfrom dezero.graph import Variable\n",
    "dezero/graph.py": "from __future__ import annotations\nimport threading\nimport numpy as np\n",
    "dezero/functions.py": "from .graph import Variable\nsetattr(Variable, '__add__', None)\n",
    "dezero/special.py": "def erfinv(x):\n    from scipy import special\n",
    "dezero/programs/__init__.py": SENTENCE,
    "dezero/programs/native.py": "from llvmlite import binding\nfrom ..graph import Variable\n",
    "dezero_cli/__init__.py": "def __getattr__(name):\n    from dezero_cli.language import model\n",
    "dezero_cli/main.py": "import click\nimport importlib\nfrom dezero_cli import report\n"
    "def get_command(self, ctx, cmd_name):\n"
    "    return importlib.import_module(f'dezero_cli.commands.{cmd_name}')\n",
    "dezero_cli/report.py": "import dezero\nfrom numpy import ndarray\n",
    "dezero_cli/language/__init__.py": SENTENCE,
    "dezero_cli/language/model.py": "import lark\nfrom dezero_cli import report\n"
    "from dezero import Variable\nimport dezero_cli.language.values\n",
    "dezero_cli/language/values.py": "import numpy\nnumpy.load('x', allow_pickle=False)\n",
    "dezero_cli/uncertainty/__init__.py": SENTENCE,
    "dezero_cli/uncertainty/draws.py": "from dezero_cli.language.model import Model\n",
    "dezero_cli/solving/__init__.py": SENTENCE,
    "dezero_cli/solving/fit.py": "from ..language import model\nimport scipy.optimize\n",
    "dezero_cli/batch/__init__.py": SENTENCE,
    "dezero_cli/batch/lines.py": "from .. import report\nfrom subprocess import run\nrun(['ls'])\n",
    "dezero_cli/tables/__init__.py": SENTENCE,
    "dezero_cli/tables/files.py": "class Tables: ...\nclass _Part: ...\nimport polars\n",
    "dezero_cli/tables/mapping.py": "from . import files\nclass _Part: ...\n",
    "dezero_cli/pictures/__init__.py": SENTENCE,
    "dezero_cli/pictures/plot.py": "from dezero_cli.uncertainty import draws\nimport matplotlib\n",
    "dezero_cli/commands/__init__.py": SENTENCE,
    "dezero_cli/commands/fit.py": "import click\nfrom dezero_cli.solving import fit\n"
    "from dezero_cli.tables import files\nimport dezero_cli.pictures.plot\n",
}

ENGINE, HALL, WING = "dezero/graph.py", "dezero_cli/report.py", "dezero_cli/tables/mapping.py"
CROSSINGS = [
    *(
        (walls.the_engine_stands_alone, ENGINE, f"def f():\n    import {library}", library)
        for library in (
            *("dezero_cli", "click", "lark", "orjson", "polars", "distributed", "matplotlib"),
            *("pickle", "scipy.special", "llvmlite.binding", "torch"),
        )
    ),
    (walls.the_engine_stands_alone, ENGINE, "from dezero_cli.report import text", "report.text"),
    (walls.the_engine_stands_alone, "dezero/special.py", "import scipy.special", "before a call"),
    (walls.the_engine_stands_alone, "dezero/special.py", "import scipy.optimize", "optimize"),
    (walls.the_engine_stands_alone, "dezero/native.py", "import llvmlite", "llvmlite"),
    (walls.only_the_machine_code_knows_llvm, WING, "import llvmlite.ir", "llvmlite.ir"),
    (walls.the_command_line_holds_no_rule, WING, "from dezero.rule import Rule", "Rule"),
    (walls.the_command_line_holds_no_rule, WING, "from dezero import Function", "Function"),
    (walls.the_command_line_holds_no_rule, WING, "from dezero.graph import _count", "private"),
    # a wing beside, a wing above, the hall, however the import is written and wherever it stands
    (walls.wings_import_from_below, WING, "from dezero_cli.batch import lines", "batch.lines"),
    (walls.wings_import_from_below, WING, "from ..batch.lines import Line", "batch.lines.Line"),
    (walls.wings_import_from_below, WING, "from .. import pictures", "dezero_cli.pictures"),
    (walls.wings_import_from_below, WING, "import dezero_cli.commands.fit", "commands.fit"),
    (
        walls.wings_import_from_below,
        "dezero_cli/language/values.py",
        "import importlib\nimportlib.import_module('dezero_cli.solving.fit')",
        "language imports dezero_cli.solving.fit",
    ),
    (
        walls.wings_import_from_below,
        "dezero_cli/solving/fit.py",
        "if TYPE_CHECKING:\n    from dezero_cli.uncertainty.draws import Draws",
        "solving imports dezero_cli.uncertainty.draws.Draws",
    ),
    (
        walls.wings_import_from_below,
        "dezero_cli/language/model.py",
        "def late():\n    from dezero_cli.tables import files",
        "language imports dezero_cli.tables.files",
    ),
    (
        walls.wings_import_from_below,
        HALL,
        "def late():\n    from dezero_cli.language.model import Model",
        "the hall imports dezero_cli.language.model.Model",
    ),
    (walls.wings_import_from_below, HALL, "from . import language", "the hall imports"),
    (
        walls.wings_import_from_below,
        "dezero_cli/__init__.py",
        "from dezero_cli.language.model import Model",
        "the hall imports dezero_cli.language.model.Model",
    ),
    (walls.wings_import_from_below, "dezero_cli/cellar/wine.py", "", "cellar is on no floor"),
    (walls.only_the_hall_and_the_commands_know_click, WING, "import click", "tables imports click"),
    (
        walls.only_the_hall_and_the_commands_know_click,
        "dezero_cli/solving/fit.py",
        "if TYPE_CHECKING:\n    from click.core import Context",
        "click.core.Context",
    ),
    (walls.one_file_knows_lark, WING, "def f():\n    from lark import Lark", "imports lark"),
    (
        walls.no_circle,
        ENGINE,
        "if TYPE_CHECKING:\n    from dezero.functions import Rule",
        "dezero.functions -> dezero.graph -> dezero.functions",
    ),
    (
        walls.no_circle,
        "dezero_cli/report.py",
        "def late():\n    from .main import run",
        "dezero_cli.main -> dezero_cli.report -> dezero_cli.main",
    ),
    (
        walls.no_circle,  # by way of a package's own file, in three steps
        "dezero/graph.py",
        "def late():\n    from dezero import Variable",
        "dezero -> dezero.functions -> dezero.graph -> dezero",
    ),
    (walls.one_class_a_name, ENGINE, "class Tables: ...", "class Tables"),
    (walls.one_class_a_name, HALL, "def f():\n    class Tables: ...", "class Tables"),
    (walls.packages_only_say_what_they_are, "dezero_cli/cellar/wine.py", "", "no docstring"),
    (
        walls.packages_only_say_what_they_are,
        "dezero_cli/tables/__init__.py",
        "def late():\n    from dezero_cli.tables import files",
        "imports",
    ),
    (walls.nothing_evaluates_python, ENGINE, "eval('1')", "eval"),
    (walls.nothing_evaluates_python, HALL, "list(map(exec, []))", "exec"),
    (walls.nothing_evaluates_python, WING, "import builtins\nbuiltins.compile", "compile"),
    (walls.nothing_evaluates_python, WING, "from builtins import eval as run", "eval"),
    (walls.nothing_evaluates_python, WING, "__import__('os')", "__import__"),
    (walls.nothing_unpickles, WING, "import pickle", "pickle"),
    (walls.nothing_unpickles, WING, "from marshal import loads", "marshal"),
    (walls.nothing_unpickles, WING, "import numpy as np\nnp.load('x')", "allow_pickle"),
    (walls.nothing_unpickles, WING, "import numpy\nnumpy.load('x', allow_pickle=True)", "load"),
    (walls.nothing_starts_a_shell, WING, "import os\nos.system('ls')", "os.system"),
    (walls.nothing_starts_a_shell, WING, "from os import popen", "os.popen"),
    (
        walls.nothing_starts_a_shell,
        HALL,
        "import subprocess as s\ns.run('ls', shell=True)",
        "shell",
    ),
    (
        walls.attributes_are_named_by_the_code,
        WING,
        "def cell(row, name):\n    return getattr(row, name)",
        "getattr(row, name) in cell",
    ),
    (walls.attributes_are_named_by_the_code, WING, "map(getattr, [], [])", "getattr is handed on"),
    (
        walls.attributes_are_named_by_the_code,
        HALL,
        "import operator\ndef pick(name):\n    return operator.attrgetter(name)",
        "attrgetter(name) in pick",
    ),
    (
        walls.attributes_are_named_by_the_code,
        WING,
        "from importlib import import_module\ndef load(name):\n    return import_module(name)",
        "import_module(name) in load",
    ),
    (
        walls.attributes_are_named_by_the_code,  # the engine's leave is not the command line's
        HALL,
        "def using_config(name, value):\n    setattr(Config, name, value)",
        "setattr(Config, name) in using_config",
    ),
]


def build(root, files):
    """Write a tree of sources."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("wall", walls.WALLS, ids=lambda wall: wall.__name__)
def test_the_walls_stand(wall):
    if findings := wall(ROOT):
        pytest.fail("\n".join(findings), pytrace=False)


def test_a_house_in_order_has_no_findings(tmp_path):
    build(tmp_path, IN_ORDER)
    assert [finding for wall in walls.WALLS for finding in wall(tmp_path)] == []


@pytest.mark.parametrize(
    ("wall", "path", "line", "what"),
    [pytest.param(*row, id=f"{row[0].__name__}, {row[3]}") for row in CROSSINGS],
)
def test_who_crosses_a_wall_is_named(tmp_path, wall, path, line, what):
    build(tmp_path, {**IN_ORDER, path: f"{IN_ORDER.get(path, '')}{line}\n"})
    findings = wall(tmp_path)
    folder = path.rpartition("/")[0]
    assert [finding for finding in findings if what in finding], findings
    assert all(finding.startswith((path, folder)) or "circle" in finding for finding in findings)


def test_a_crowded_hall_is_found(tmp_path):
    build(tmp_path, IN_ORDER | {f"dezero_cli/room_{i}.py": "" for i in range(10)})
    (finding,) = walls.the_hall_is_small(tmp_path)
    assert finding.startswith("dezero_cli: 13 files, more than 12")


def test_each_wall_is_crossed_by_a_test():
    crossed = {wall for wall, *_ in CROSSINGS} | {walls.the_hall_is_small}
    assert crossed == set(walls.WALLS)

"""The engine's own house: no module reaches back, and a name has one meaning."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "dezero"


def trees():
    """Each module of the engine by its name, parsed."""
    for path in ENGINE.rglob("*.py"):
        parts = path.relative_to(ENGINE.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


MODULES = dict(trees())


def imported(tree):
    """The modules of the engine that one imports, at any place in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name for name in inner if name in MODULES]
            yield from found
            if len(found) < len(inner):
                yield node.module


def test_no_import_circle():
    graph = {name: set(imported(tree)) for name, tree in MODULES.items()}
    assert {"dezero.graph", "dezero.rule"} <= graph["dezero.arithmetic"]
    assert set(TopologicalSorter(graph).static_order()) >= MODULES.keys()  # else CycleError


def test_nothing_stands_on_the_face_of_the_notes():
    assert not any("dezero.core_simple" in imported(tree) for tree in MODULES.values())


def test_a_class_has_a_name_of_its_own():
    names = [
        node.name
        for tree in MODULES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    aliases = [
        target.id
        for tree in MODULES.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in names
    ]
    assert len(names) == len(set(names)) and aliases == []

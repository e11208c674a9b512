"""The walls of the house: each a function from a tree of sources to what crosses it there.

A tree is a folder that holds the packages ``dezero`` and ``dezero_cli``. A check gives texts
``path: what``, and none for a tree in order. Every import counts, wherever it stands: inside a
function, or under TYPE_CHECKING, too.
"""

import ast
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

FLOORS = (
    ("formats",),
    ("language",),
    ("uncertainty", "solving"),
    ("batch", "tables", "pictures"),
    ("commands",),
)
"""The wings of ``dezero_cli``, from below; the hall, which is its own modules, is below them."""
MOST_IN_THE_HALL = 12

EVALUATE = {"eval", "exec", "compile", "__import__"}
UNPICKLE = {"pickle", "marshal", "shelve", "cloudpickle", "dill", "copyreg"}
SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
BY_NAME = {"getattr", "setattr", "delattr", "attrgetter", "methodcaller", "import_module"}

NAMED_BY_THE_CODE = {
    # the engine gives Variable its operators and methods, from tables of its own
    ("dezero", "", "setattr(Variable, _name)"),
    ("dezero", "", "setattr(Variable, _operator)"),
    # the notes' Config: settings are attributes, named in code that calls it
    ("dezero", "using_config", "getattr(Config, name)"),
    ("dezero", "using_config", "setattr(Config, name)"),
    # the standard streams that a shell closed: the names stand in the loop
    ("dezero_cli", "_reopen_closed", "getattr(sys, name)"),
    ("dezero_cli", "_reopen_closed", "setattr(sys, name)"),
    # the two ways that a curve leaves a picture: the names stand in WAYS
    ("dezero_cli", "curve", "getattr(gap, way)"),
    # a command that click was asked for, out of the list of the commands that there are
    ("dezero_cli", "get_command", "import_module(f'dezero_cli.commands.{cmd_name}')"),
    # a library that an extra brings: the name stands where it is asked for
    ("dezero_cli", "require", "import_module(library)"),
}
"""Attributes and modules whose name is computed: the package, the function, and the call."""


# ------------------------------------------------------------------------------------ what is there
class Module(NamedTuple):
    """A file of Python, read."""

    path: str
    """Where it is, from the root of the tree, with slashes."""
    name: str
    """What it is imported as."""
    tree: ast.Module

    @property
    def package(self) -> str:
        """The package that it stands in: itself, if it is one."""
        return self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]

    @property
    def wing(self) -> str:
        """The folder of ``dezero_cli`` that it is in; nothing for the hall."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "dezero_cli" and len(parts) > 2 else ""


class Import(NamedTuple):
    """An import as it stands in a file."""

    target: str
    """The module, or the name in a module, that is imported."""
    line: int
    lazy: bool
    """Whether it stands inside a function, or is for type checkers alone."""


@lru_cache(maxsize=4096)
def parsed(path: Path, _changed: tuple[int, int]) -> ast.Module:
    """A file's syntax tree, which no check changes."""
    return ast.parse(path.read_text(encoding="utf-8"))


def modules(root: Path) -> list[Module]:
    """Every module of the two packages."""
    found = []
    for top in ("dezero", "dezero_cli"):
        for path in sorted((root / top).rglob("*.py")):
            relative = path.relative_to(root)
            parts = relative.with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            status = os.stat(path)
            tree = parsed(path, (status.st_mtime_ns, status.st_size))
            found.append(Module(relative.as_posix(), name, tree))
    return found


def of(root: Path, top: str) -> list[Module]:
    """The modules of one of the packages."""
    return [module for module in modules(root) if module.path.split("/")[0] == top]


def within(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every node, with the name of the function that it is in, or nothing."""
    waiting = [(tree, "")]
    while waiting:
        node, function = waiting.pop()
        yield node, function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        elif isinstance(node, ast.Lambda):
            function = function or "lambda"
        waiting += [(child, function) for child in ast.iter_child_nodes(node)]


def imports(module: Module) -> list[Import]:
    """What a module imports, relative names made whole; import_module of a plain text, too."""
    found = []
    unrun = {
        id(child)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and last(node.test) == "TYPE_CHECKING"
        for child in node.body
    }
    for node, function in within(module.tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.package.split(".")[: -(node.level - 1) or None]
                base = ".".join([*above, *filter(None, [node.module])])
            targets = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and last(node.func) == "import_module":
            plain = node.args and isinstance(node.args[0], ast.Constant)
            targets = [str(node.args[0].value)] if plain else []
        found += [
            Import(target, node.lineno, bool(function) or id(node) in unrun) for target in targets
        ]
    return sorted(found, key=lambda each: each.line)


def last(function: ast.expr) -> str:
    """The last name of what is called: ``import_module`` of ``importlib.import_module``."""
    return ast.unparse(function).rpartition(".")[2]


def inside(target: str, package: str) -> bool:
    """Whether what is imported is a package, or in it."""
    return target == package or target.startswith(f"{package}.")


def said(module: Module, line: int, what: str) -> str:
    """A finding."""
    return f"{module.path}:{line}: {what}"


# ------------------------------------------------------------------------------ who may import what
def the_engine_stands_alone(root: Path) -> list[str]:
    """Python's own library and NumPy; SciPy's special functions, when called; LLVM in one file."""
    found = []
    for module in of(root, "dezero"):
        for each in imports(module):
            top = each.target.split(".")[0]
            if top in {"dezero", "numpy"} or (top in sys.stdlib_module_names - UNPICKLE):
                continue
            if inside(each.target, "scipy.special") and module.path == "dezero/special.py":
                if not each.lazy:
                    found.append(said(module, each.line, f"loads {each.target} before a call"))
            elif top != "llvmlite" or module.path != "dezero/programs/native.py":
                found.append(said(module, each.line, f"the engine imports {each.target}"))
    return found


def only_the_machine_code_knows_llvm(root: Path) -> list[str]:
    """Whatever else wants machine code asks the engine for it."""
    return [
        said(module, each.line, f"imports {each.target}")
        for module in of(root, "dezero_cli")
        for each in imports(module)
        if inside(each.target, "llvmlite")
    ]


def the_command_line_holds_no_rule(root: Path) -> list[str]:
    """No kind of operation is defined outside the engine, and its private names stay its own."""
    found = []
    for module in of(root, "dezero_cli"):
        for each in imports(module):
            if not inside(each.target, "dezero"):
                continue
            if any(part.startswith("_") for part in each.target.split(".")[1:]):
                found.append(said(module, each.line, f"{each.target} is private to the engine"))
            if each.target.split(".")[-1] in {"Function", "Rule"}:
                found.append(said(module, each.line, f"{each.target}: rules are the engine's"))
    return found


def floor(wing: str) -> int:
    """Which floor a wing is on, the hall being floor 0; -1 for a wing that is on none."""
    levels = [level for level, wings in enumerate(FLOORS, 1) if wing in wings]
    return levels[0] if levels else -1 if wing else 0


def wings_import_from_below(root: Path) -> list[str]:
    """A wing imports from lower floors and from itself; the hall imports no wing."""
    found = []
    there = modules(root)
    wings = {module.wing for module in there} - {""}
    for module in there:
        if module.wing and floor(module.wing) < 0:
            found.append(f"{module.path}: {module.wing} is on no floor")
            continue
        if not inside(module.name, "dezero_cli"):
            continue
        for each in imports(module):
            parts = each.target.split(".")
            wing = parts[1] if parts[0] == "dezero_cli" and parts[1:2] and parts[1] in wings else ""
            face = module.path == "dezero_cli/__init__.py" and each.lazy
            if wing and wing != module.wing and floor(wing) >= floor(module.wing) and not face:
                place = module.wing or "the hall"
                found.append(said(module, each.line, f"{place} imports {each.target}"))
    return found


def only_the_hall_and_the_commands_know_click(root: Path) -> list[str]:
    """What lies between can be called from a script, a notebook, a cluster's worker."""
    return [
        said(module, each.line, f"{module.wing} imports {each.target}")
        for module in of(root, "dezero_cli")
        for each in imports(module)
        if inside(each.target, "click") and module.wing not in {"", "commands"}
    ]


def one_file_knows_lark(root: Path) -> list[str]:
    """The library that makes the parser's tables."""
    files = [
        module.path
        for module in modules(root)
        if any(inside(each.target, "lark") for each in imports(module))
    ]
    return [f"{path}: imports lark, as {files[0]} does" for path in files[1:]]


# ------------------------------------------------------------------------------------------ circles
def edges(root: Path) -> dict[str, set[str]]:
    """Which module of the two packages imports which; `from package import module` is the module's.

    That a package's own file runs before a module in it is no import that anything says.
    """
    there = {module.name: module for module in modules(root)}
    graph: dict[str, set[str]] = {}
    for name, module in there.items():
        targets = {each.target for each in imports(module)}
        named = {target if target in there else target.rpartition(".")[0] for target in targets}
        graph[name] = named & set(there) - {name}
    return graph


def no_circle(root: Path) -> list[str]:
    """No module comes to import itself, by however many steps: the shortest way for each."""
    graph = edges(root)
    paths = {module.name: module.path for module in modules(root)}
    ways = {frozenset(way): way for start in sorted(graph) if (way := _way(graph, start, start))}
    ways = {names: _from_the_first(way) for names, way in ways.items()}
    return [f"{paths[way[0]]}: a circle: {' -> '.join([*way, way[0]])}" for way in ways.values()]


def _from_the_first(way: list[str]) -> list[str]:
    """A circle as it is told: from the first of its names on."""
    start = way.index(min(way))
    return way[start:] + way[:start]


def _way(graph: dict[str, set[str]], start: str, end: str) -> list[str]:
    """The modules from one to another over at least one import, the last left out; or nothing."""
    came: dict[str, str] = {}
    waiting = [start]
    for name in waiting:
        for target in sorted(graph[name]):
            if target == end:
                way = [name]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return way[::-1]
            if target not in came and target != start:
                came[target] = name
                waiting.append(target)
    return []


# -------------------------------------------------------------------------------------------- names
def one_class_a_name(root: Path) -> list[str]:
    """A name that means one thing here means nothing else there."""
    places = defaultdict(list)
    for module in modules(root):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module.path)
    return [
        f"{path}: class {name} is in {paths[0]}, too"
        for name, paths in places.items()
        for path in paths[1:]
    ]


def packages_only_say_what_they_are(root: Path) -> list[str]:
    """The file of a wing is a sentence: what is wanted is imported from where it stands."""
    found = []
    for path in sorted((root / "dezero_cli").glob("*/")):
        if not path.is_dir() or not list(path.glob("*.py")):
            continue
        face = path / "__init__.py"
        shown = face.relative_to(root).as_posix()
        tree = ast.parse(face.read_text(encoding="utf-8")) if face.exists() else ast.Module([], [])
        if not ast.get_docstring(tree):
            found.append(f"{shown}: no docstring")
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)):
            found.append(f"{shown}: imports")
    return found


def the_hall_is_small(root: Path) -> list[str]:
    """What every command stands on is a few files."""
    files = sorted(path.name for path in (root / "dezero_cli").glob("*.py"))
    if len(files) <= MOST_IN_THE_HALL:
        return []
    return [f"dezero_cli: {len(files)} files, more than {MOST_IN_THE_HALL}: {', '.join(files)}"]


# ------------------------------------------------------------------------ what a user's text is not
def nothing_evaluates_python(root: Path) -> list[str]:
    """``eval`` and the like are not called, nor handed on to be."""
    found = []
    for module in modules(root):
        for node in ast.walk(module.tree):
            name = ""
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                name = node.id
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "builtins":
                name = node.attr
            elif isinstance(node, ast.ImportFrom) and node.module == "builtins":
                name = next((alias.name for alias in node.names if alias.name in EVALUATE), "")
            if name in EVALUATE:
                found.append(said(module, node.lineno, name))
    return found


def nothing_unpickles(root: Path) -> list[str]:
    """Neither by name nor by way of NumPy."""
    found = []
    for module in modules(root):
        found += [
            said(module, each.line, f"imports {each.target}")
            for each in imports(module)
            if each.target.split(".")[0] in UNPICKLE
        ]
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"np.load", "numpy.load"}:
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                if given.get("allow_pickle") != "False":
                    found.append(said(module, node.lineno, "load without allow_pickle=False"))
    return found


def nothing_starts_a_shell(root: Path) -> list[str]:
    """A program is started by its name and its arguments, if at all."""
    found = []
    for module in modules(root):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in SHELLS:
                found.append(said(module, node.lineno, ast.unparse(node)))
            elif isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names} & SHELLS
                found += [said(module, node.lineno, name) for name in sorted(names)]
            elif isinstance(node, ast.Call) and any(word.arg == "shell" for word in node.keywords):
                found.append(said(module, node.lineno, f"{ast.unparse(node.func)} with shell"))
    return found


def attributes_are_named_by_the_code(root: Path) -> list[str]:
    """``getattr`` and the like get a name that stands there, or are listed with the reason."""
    found = []
    for module in modules(root):
        top = module.path.split("/")[0]
        called = set()
        for node, function in within(module.tree):
            if isinstance(node, ast.Call) and last(node.func) in BY_NAME:
                called.add(node.func)
                place = 1 if last(node.func).endswith("attr") else 0
                name = node.args[place] if len(node.args) > place else None
                shown = ", ".join(map(ast.unparse, node.args[: place + 1]))
                call = f"{last(node.func)}({shown})"
                plain = isinstance(name, ast.Constant)
                if not plain and (top, function, call) not in NAMED_BY_THE_CODE:
                    place_ = f" in {function}" if function else ""
                    found.append(said(module, node.lineno, f"{call}{place_}"))
            elif isinstance(node, ast.Name) and node.id in BY_NAME and node not in called:
                found.append(said(module, node.lineno, f"{node.id} is handed on"))
    return found


WALLS: tuple[Callable[[Path], list[str]], ...] = (
    the_engine_stands_alone,
    only_the_machine_code_knows_llvm,
    the_command_line_holds_no_rule,
    wings_import_from_below,
    only_the_hall_and_the_commands_know_click,
    one_file_knows_lark,
    no_circle,
    one_class_a_name,
    packages_only_say_what_they_are,
    the_hall_is_small,
    nothing_evaluates_python,
    nothing_unpickles,
    nothing_starts_a_shell,
    attributes_are_named_by_the_code,
)

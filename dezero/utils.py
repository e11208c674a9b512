"""Pictures of what was computed: the graph of a Variable, drawn by Graphviz (DeZero, step 26).

`Node`, `dot_text` and `drawn` are what ``dezero graph`` draws with, too.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dezero.graph import Function, Variable, as_variable

SHAPES = {
    "input": 'shape=ellipse, fillcolor="#dbeafe"',
    "literal": 'shape=plaintext, fillcolor="#ffffff"',
    "operation": 'shape=box, fillcolor="#fef3c7"',
}
"""What each kind of node looks like in Graphviz."""


@dataclass
class Node:
    """An input, a literal or an operation, and the numbers of the nodes it is computed from."""

    kind: str
    lines: list[str]
    operands: list[int] = field(default_factory=list)


def dot_text(nodes: Sequence[Node]) -> str:
    """Nodes in the language of Graphviz, inputs on the left."""
    lines = [
        "digraph expression {",
        "  rankdir=LR;",
        '  node [style="filled,rounded", fontname="Helvetica", fontsize=12];',
    ]
    for number, node in enumerate(nodes):
        label = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in node.lines)
        lines.append(f'  n{number} [label="{label}", {SHAPES[node.kind]}];')
    lines += [f"  n{a} -> n{b};" for b, node in enumerate(nodes) for a in node.operands]
    return "\n".join([*lines, "}"]) + "\n"


def drawn(source: str, kind: str) -> bytes:
    """A picture that Graphviz draws: ``png``, ``svg``, ``pdf`` or another kind that it knows.

    Raises FileNotFoundError where its program ``dot`` is not installed, and ValueError with its
    own words where it refuses.
    """
    program = shutil.which("dot")
    if program is None:
        raise FileNotFoundError("drawing needs Graphviz: its program 'dot' is not installed")
    done = subprocess.run(
        [program, f"-T{kind}"], input=source.encode(), capture_output=True, check=False
    )
    if done.returncode:
        raise ValueError(f"dot failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def get_dot_graph(output: Variable, verbose: bool = True) -> str:
    """The graph that a Variable was computed by, as Graphviz DOT.

    Variables are ellipses with their names, functions are boxes. With `verbose`, Variables also
    show their shape and the type of their elements.

    >>> import numpy as np
    >>> x = Variable(np.array(2.0), name="x")
    >>> print(get_dot_graph(x * x, verbose=False).splitlines()[3])
      n0 [label="x", shape=ellipse, fillcolor="#dbeafe"];
    """
    nodes: list[Node] = []
    numbers: dict[int, int] = {}
    for each in _parts(output):
        if isinstance(each, Variable):
            creator = each.creator
            operands = [] if creator is None else [numbers[id(creator)]]
            nodes.append(Node("input", _label(each, verbose), operands))
        else:
            operands = [numbers[id(x)] for x in each.inputs]
            nodes.append(Node("operation", [type(each).__name__], operands))
        numbers[id(each)] = len(nodes) - 1
    return dot_text(nodes)


def plot_dot_graph(output: Variable, verbose: bool = True, to_file: str = "graph.png") -> None:
    """Draw that graph into a file, of the kind that the end of its name says.

    Raises FileNotFoundError where Graphviz is not installed, and ValueError for a kind of file
    that it does not know; no file is written then.
    """
    path = Path(to_file)
    kind = path.suffix.lower().lstrip(".")
    if not kind.isalnum():
        raise ValueError(f"{to_file}: expected a name that ends in .png, .svg or .pdf")
    path.write_bytes(drawn(get_dot_graph(output, verbose), kind))


def _parts(output: Variable) -> list[Variable | Function]:
    """Variables and functions, each once and after all that it was computed from."""
    found: list[Variable | Function] = []
    entered: set[int] = set()
    waiting: list[tuple[Variable | Function, bool]] = [(as_variable(output), False)]
    while waiting:
        each, below = waiting.pop()
        if below:
            found.append(each)
        elif id(each) not in entered:
            entered.add(id(each))
            waiting.append((each, True))
            waiting += [(part, False) for part in reversed(_before(each))]
    return found


def _before(each: Variable | Function) -> list[Variable | Function]:
    """What a Variable or a function was computed from."""
    if isinstance(each, Variable):
        return [] if each.creator is None else [each.creator]
    return [*each.inputs]


def _label(variable: Variable, verbose: bool) -> list[str]:
    """The lines of a Variable's label."""
    shown = [variable.name] if variable.name else []
    return [*shown, f"{variable.shape} {variable.dtype}"] if verbose else shown

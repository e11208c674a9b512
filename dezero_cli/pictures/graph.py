"""The computational graph of an expression as Graphviz DOT or Mermaid."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dezero import Variable
from dezero_cli.faults import MissingError, PictureError, UsageError
from dezero_cli.language.expression import Apply, Expression, Load
from dezero_cli.number_format import NumberFormat
from dezero_cli.output import open_output
from dezero_cli.report import array_text, cells

SIX_DIGITS = NumberFormat(6)
LONGEST = 40
"""Cells of a label's line; a longer text is cut."""


@dataclass
class Node:
    """An input, a literal or an operation, and the nodes that it is computed from."""

    kind: str
    lines: list[str]
    operands: list[int] = field(default_factory=list)


def nodes(expression: Expression, values: Mapping[str, np.ndarray]) -> list[Node]:
    """The graph in the order of evaluation; with values, labels show results and gradients."""
    kept: list[tuple[Apply, Variable]] = []
    variables = {name: Variable(np.array(array)) for name, array in values.items()}
    if values:
        expression.evaluate(variables, kept).backward(retain_grad=True)
    graph: list[Node] = []
    inputs: dict[str, int] = {}
    stack: list[int] = []
    results = iter(kept)
    for step in expression.steps:
        if isinstance(step, Apply):
            node = Node("operation", [clip(expression.text[step.start : step.end])])
            node.operands = stack[-step.arity :]
            del stack[-step.arity :]
            node.lines += figures(next(results)[1]) if kept else []
        elif isinstance(step, Load):
            name = step.name
            if name in inputs:
                stack.append(inputs[name])
                continue
            inputs[name] = len(graph)
            node = Node("input", [name, *(figures(variables[name]) if name in variables else [])])
        else:
            number = step.operand
            number = float(number.data if isinstance(number, Variable) else number)
            node = Node("literal", [f"{number:.17g}"])
        stack.append(len(graph))
        graph.append(node)
    return graph


def figures(variable: Variable) -> list[str]:
    """The lines of a label that give a value and its gradient."""
    lines = [f"= {clip(array_text(variable.data, 0, SIX_DIGITS))}"]
    if variable.grad is not None:
        lines.append(f"gradient {clip(array_text(variable.grad, 0, SIX_DIGITS))}")
    return lines


def clip(text: str) -> str:
    """A text on one line; its end is cut off if it is long."""
    text = " ".join(text.split())
    return text if cells(text) <= LONGEST else text[: LONGEST - 3] + "..."


def dot(graph: list[Node]) -> str:
    """The graph for Graphviz, inputs on the left."""
    shapes = {
        "input": 'shape=ellipse, fillcolor="#dbeafe"',
        "literal": 'shape=plaintext, fillcolor="#ffffff"',
        "operation": 'shape=box, fillcolor="#fef3c7"',
    }
    lines = [
        "digraph expression {",
        "  rankdir=LR;",
        '  node [style="filled,rounded", fontname="Helvetica", fontsize=12];',
    ]
    for number, node in enumerate(graph):
        label = "\\n".join(_escape(line, '"\\') for line in node.lines)
        lines.append(f'  n{number} [label="{label}", {shapes[node.kind]}];')
    lines += [f"  n{a} -> n{b};" for b, node in enumerate(graph) for a in node.operands]
    return "\n".join([*lines, "}"]) + "\n"


def mermaid(graph: list[Node]) -> str:
    """The graph for Mermaid, which Markdown pages show."""
    brackets = {"input": ("([", "])"), "literal": ("(", ")"), "operation": ("[", "]")}
    lines = ["flowchart LR"]
    for number, node in enumerate(graph):
        opening, closing = brackets[node.kind]
        label = "<br/>".join(
            line.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
            for line in node.lines
        )
        lines.append(f'  n{number}{opening}"{label}"{closing}')
    lines += [f"  n{a} --> n{b}" for b, node in enumerate(graph) for a in node.operands]
    return "\n".join(lines) + "\n"


def _escape(text: str, characters: str) -> str:
    return "".join("\\" + c if c in characters else c for c in text)


def draw(source: str, path: Path) -> None:
    """Have Graphviz draw DOT into a .svg, .png or .pdf file, completely or not at all."""
    kind = path.suffix.lower().lstrip(".")
    if kind not in {"svg", "png", "pdf"}:
        raise UsageError(f"{path}: expected a file that ends in .svg, .png or .pdf")
    program = shutil.which("dot")
    if program is None:
        raise MissingError("drawing needs Graphviz: its program 'dot' is not installed")
    arguments = [program, f"-T{kind}"]
    try:
        done = subprocess.run(arguments, input=source.encode(), check=True, capture_output=True)
    except subprocess.CalledProcessError as fault:
        reason = fault.stderr.decode(errors="replace").strip()
        raise PictureError(f"dot failed: {reason}") from None
    with open_output(str(path)) as target:
        target.write(done.stdout)

"""The computational graph of an expression as Graphviz DOT or Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dezero import Variable
from dezero.utils import Node, drawn
from dezero_cli.faults import MissingError, PictureError, UsageError
from dezero_cli.language.expression import Apply, Expression, Literal, Load, Operation, named
from dezero_cli.number_format import NumberFormat
from dezero_cli.output import open_output
from dezero_cli.report import array_text, cells

SIX_DIGITS = NumberFormat(6)
LONGEST = 40
"""Cells of a label's line; a longer text is cut."""


def nodes(expression: Expression, values: Mapping[str, np.ndarray]) -> list[Node]:
    """The graph in the order of evaluation; with values, labels show results and gradients."""
    kept: list[Operation] = []
    variables = {name: Variable(np.array(array)) for name, array in values.items()}
    if values:
        expression.evaluate(variables, kept).backward(retain_grad=True)
    return _Drawing(expression, variables, kept).nodes


class _Drawing:
    """The nodes of an expression, of what it defines, and of the functions that it calls."""

    def __init__(
        self, expression: Expression, variables: Mapping[str, Variable], kept: list[Operation]
    ) -> None:
        self.nodes: list[Node] = []
        self.known: dict[str, int] = {}  # the node of each name
        self.variables = variables
        self.results = iter([each.result for each in kept if each.step.function is not named])
        self.functions = expression.functions
        for name, definition in expression.definitions.items():
            self.known[name] = number = self.draw(definition)
            self.nodes[number].lines[0] = clip(f"{name} = {self.nodes[number].lines[0]}")
        self.draw(expression)

    def draw(self, part: Expression) -> int:
        """Add the nodes of an expression; the number of the last one."""
        stack: list[int] = []
        waiting: list[tuple[str, dict[str, int], Iterator[Any]]] = []
        text, own, steps = part.text, dict[str, int](), iter(part.steps)
        while True:
            for step in steps:
                if isinstance(step, Load):
                    stack.append(own[step.name] if step.name in own else self.input(step.name))
                    continue
                if isinstance(step, Literal):
                    stack.append(self.literal(step))
                    continue
                operands = stack[len(stack) - step.arity :]
                del stack[len(stack) - step.arity :]
                if isinstance(step, Apply):
                    stack.append(self.operation(text, step, operands))
                    continue
                waiting.append((text, own, steps))
                function = self.functions[step.name]
                own = dict(zip(function.parameters, operands, strict=True))
                text, steps = function.body.text, iter(function.body.steps)
                break
            else:
                if not waiting:
                    return stack[0]
                text, own, steps = waiting.pop()

    def add(self, node: Node) -> int:
        """Add a node; its number."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def input(self, name: str) -> int:
        """The node of a name."""
        if name not in self.known:
            shown = figures(self.variables[name]) if name in self.variables else []
            self.known[name] = self.add(Node("input", [name, *shown]))
        return self.known[name]

    def literal(self, step: Literal) -> int:
        """The node of a number."""
        number = step.operand
        number = float(number.data if isinstance(number, Variable) else number)
        return self.add(Node("literal", [f"{number:.17g}"]))

    def operation(self, text: str, step: Apply, operands: list[int]) -> int:
        """The node of an operation."""
        result = next(self.results, None)
        shown = [] if result is None else figures(result)
        return self.add(Node("operation", [clip(text[step.start : step.end]), *shown], operands))


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


def draw(source: str, path: Path) -> None:
    """Have Graphviz draw DOT into a .svg, .png or .pdf file, completely or not at all."""
    kind = path.suffix.lower().lstrip(".")
    if kind not in {"svg", "png", "pdf"}:
        raise UsageError(f"{path}: expected a file that ends in .svg, .png or .pdf")
    try:
        picture = drawn(source, kind)
    except FileNotFoundError as fault:
        raise MissingError(str(fault)) from None
    except ValueError as fault:
        raise PictureError(str(fault)) from None
    with open_output(str(path)) as target:
        target.write(picture)

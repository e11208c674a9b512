"""What must hold of any bytes at all, as an expression and as the lines of a batch."""

from pathlib import Path

import numpy as np
import orjson

from dezero_cli import report
from dezero_cli.batch.answers import Settings, answer
from dezero_cli.batch.lines import LineBlock, RecordFormula
from dezero_cli.faults import ExpressionError
from dezero_cli.language import derivatives, symbolic
from dezero_cli.language.parser import parse

CORPUS = Path(__file__).parent / "data" / "corpus"
FORMULA = RecordFormula("x**2 + e*y", {"x": "x", "e": "e", "y": "y"}, frozenset("xy"))
MOST = 20
"""Operations beyond which an expression is parsed but not differentiated as a formula."""


def expressions(data: bytes) -> None:
    """A text is an expression with a value and a gradient, or a fault with its place."""
    text = data.decode("utf-8", "replace")
    try:
        expression = parse(text)
        values = {name: np.array(0.5) for name in expression.names}
        value, gradients = derivatives.value_and_gradient(expression, values, expression.names)
        assert value.shape == () and len(gradients) == len(values)
        if len(expression.steps) <= MOST and expression.elementwise:
            symbolic.gradient(expression)
    except ExpressionError as fault:
        check_fault(fault, text)


def check_fault(fault: ExpressionError, text: str) -> None:
    """One line of message, a place inside the text, and a caret under it."""
    message, _, caret = report.fault_text(fault).rstrip("\n").split("\n")
    assert message.startswith("error: ") and len(message) > 8
    assert caret.strip() == "^"
    assert 1 <= fault.column <= len(text) + 1


def lines(data: bytes) -> None:
    """Each line of a batch has one answer, the same alone and beside the others."""
    check_lines(data, Settings(longest=1000))
    check_lines(data, Settings(longest=1000, formula=FORMULA))  # the lines are records


def check_lines(data: bytes, settings: Settings) -> None:
    """The same, for one kind of lines."""
    together = answer(LineBlock("-", 1, data, data.count(b"\n") + 1, len(data)), settings)
    answers = together.out.splitlines(keepends=True)
    alone = []
    for number, line in enumerate(data.split(b"\n"), 1):
        alone += answer(LineBlock("-", number, line, 1, len(line)), settings).out.splitlines(True)
    assert answers == alone
    for each in answers:
        record = orjson.loads(each)
        assert "line" in record and ("error" in record) != ("value" in record)
    faults = [each for each in answers if b'"error"' in each and "error" in orjson.loads(each)]
    assert len(faults) == len(together.faults)


TARGETS = {"expressions": expressions, "lines": lines}

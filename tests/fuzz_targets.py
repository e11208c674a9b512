"""What must hold of any bytes: expressions, lines of a batch, tables, options, and `derive`."""

import atexit
import contextlib
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import orjson

from dezero_cli import report
from dezero_cli.batch.answers import Settings, answer
from dezero_cli.batch.lines import LineBlock, RecordFormula
from dezero_cli.faults import ExpressionError
from dezero_cli.language import derivatives, symbolic
from dezero_cli.language.parser import parse
from dezero_cli.main import run

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
        assert value.shape == () or not expression.elementwise
        assert [each.shape for each in gradients.values()] == [()] * len(values)
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


# --------------------------------------------------------------------------- the whole command line
def table(form: str) -> Callable[[bytes], None]:
    """Bytes are a table with a result for each row, or a fault in one line."""

    def read(data: bytes) -> None:
        path = SCRATCH / f"t.{form}"
        path.write_bytes(data)
        run_quietly(["map", "x**2", str(path), "-o", str(SCRATCH / "out.csv"), "--only"])

    return read


def options(data: bytes) -> None:
    """A value of an option is obeyed, or refused in one line."""
    number, _, value = data.partition(b" ")
    command, words = COMMANDS[len(number) % len(COMMANDS)]
    names = OPTIONS[command]
    name = names[sum(number) % len(names)]
    text = os.fsdecode(value.replace(b"\0", b""))
    if not text.lstrip().startswith(("@", "/")):  # files are another matter
        run_quietly([command, *words, f"{name}={text}"])


def derive(data: bytes) -> None:
    """A text has derivatives in every form, or a fault in one line."""
    text = data.decode("utf-8", "replace").replace("\0", "")
    form = FORMS[len(data) % len(FORMS)]
    words = [*(["--to", form] if form else []), "--order", "2" if len(data) % 2 else "1"]
    run_quietly(["derive", "--max-operations", "300", *words, "--", text])


def run_quietly(words: list[str]) -> None:
    """Run a command line, and check what it says of a fault: a line, a place, no more."""
    with captured() as read:
        status = run(words)
    _, err = read()
    assert status in {0, 1, 2}, (status, err)
    lines = [line for line in err.splitlines() if not line.startswith(("note: ", "warning: "))]
    for wrong in ("Traceback", "internal", "panicked", "PyErr", "pyo3", "ComputeError"):
        own = any(wrong in word.replace("\0", "") for word in words)  # a message may repeat it
        assert own or wrong not in err, err
    if status == 0:
        assert not lines, err
    elif words[0] != "check":
        assert lines and lines[0].startswith("error: ") and len(lines) in {1, 3}, err
    assert max(map(len, lines), default=0) < 5000


@contextlib.contextmanager
def captured() -> Iterator[Callable[[], tuple[str, str]]]:
    """What the block writes to standard output and standard error, by whatever means."""
    before = os.dup(0), os.dup(1), os.dup(2), sys.stdout, sys.stderr
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        for number, file in ((1, out), (2, err)):
            os.dup2(file.fileno(), number)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115

        def read() -> tuple[str, str]:
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
            return texts[0], texts[1]

        written: list[tuple[str, str]] = []
        try:
            yield lambda: written[0]
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            written.append(read())
            *numbers, sys.stdout, sys.stderr = before
            for number, old in enumerate(numbers):
                os.dup2(old, number)
                os.close(old)


SCRATCH = Path(tempfile.mkdtemp(prefix="dezero-fuzz-"))
atexit.register(shutil.rmtree, SCRATCH, True)
FORMS = ("", "c", "python", "numpy", "js", "sql", "latex")
COMMANDS: list[tuple[str, list[str]]] = [
    ("eval", ["x**2*y", "x=[1,2]", "y=3"]),
    ("batch", ["x=1"]),
    ("derive", ["x**2*y"]),
    ("check", ["x**2*y", "x=1", "y=3"]),
    ("graph", ["x**2*y"]),
    ("functions", []),
]
FILES = {"--output", "--scheduler", "--vars", "--defs", "--plot", "--fit", "--mc", "--starts"}
"""Options that name files, or ask for as much work as a user wants."""


def _options(name: str) -> list[str]:
    """The options of a command that take a value."""
    command = importlib.import_module(f"dezero_cli.commands.{name}").command
    taken = [each for each in command.params if each.param_type_name == "option"]
    names = [each.opts[-1] for each in taken if not each.is_flag]
    return [name for name in sorted(names) if name not in FILES] or ["--json"]


OPTIONS = {name: _options(name) for name, _ in COMMANDS}

TARGETS = {
    "expressions": expressions,
    "lines": lines,
    "csv": table("csv"),
    "jsonl": table("jsonl"),
    "parquet": table("parquet"),
    "arrow": table("arrow"),
    "options": options,
    "derive": derive,
}

"""An expression -> its derivatives as programs and formulas."""

from __future__ import annotations

from collections.abc import Sequence

from dezero import Variable
from dezero.functions import CONSTANTS
from dezero.programs.formula import FormulaError, formulas
from dezero.programs.tidy import tidied
from dezero.programs.trace import Program, SizeError, TraceError, differentiate, merge, trace
from dezero_cli.faults import ExpressionError, UsageError, did_you_mean
from dezero_cli.language.expression import Expression


def free_names(expression: Expression, wrt: Sequence[str] = ()) -> list[str]:
    """The free names of an expression; a constant's name is one only if it is in `wrt`."""
    return [name for name in expression.names if name not in CONSTANTS or name in wrt]


def program(
    expression: Expression, names: Sequence[str], wrt: Sequence[str], most: int | None = None
) -> Program:
    """The program of the value and the gradient for the names in `wrt`.

    Raises ExpressionError for an operation that needs a whole array, as `sum` does, and if there
    are more than `most` operations.
    """
    reduction = expression.reduction
    if reduction is not None:
        called = expression.text[reduction.start : reduction.end].partition("(")[0]
        subject = called if called.isidentifier() else "@"
        fault = f"{subject} works on whole arrays, but here every input is one number"
        raise ExpressionError(fault, expression.text, reduction.place, reduction.place + 1)

    def function(*variables: Variable) -> Variable:
        return expression.evaluate(dict(zip(names, variables, strict=True)))

    try:
        return trace(function, names, wrt, most)
    except SizeError:
        raise _too_large(expression, 1, most) from None
    except TraceError as fault:
        raise ExpressionError(str(fault), expression.text, 0) from None


def derivatives(
    expression: Expression,
    names: Sequence[str],
    wrt: Sequence[str],
    order: int = 1,
    most: int | None = None,
) -> tuple[list[tuple[str, ...]], Program]:
    """The partial derivatives of one order: their names, and a program of the value and them all.

    Mixed derivatives do not depend on the order of the names, so each is given once.  Raises
    ExpressionError if they take more than `most` operations.
    """
    base = program(expression, names, wrt, most)
    wanted: list[tuple[str, ...]] = [(name,) for name in wrt]
    last = [(base, i) for i in range(1, len(wrt) + 1)]
    for reached in range(2, order + 1):
        rests = [wrt[wrt.index(done[-1]) :] for done in wanted]
        outputs = [(i, rest) for (_, i), rest in zip(last, rests, strict=True)]
        try:
            part = differentiate(tidied(last[0][0]), outputs, most) if outputs else base
        except SizeError:
            raise _too_large(expression, reached, most) from None
        wanted = [(*done, n) for done, rest in zip(wanted, rests, strict=True) for n in rest]
        last = [(part, i) for i in range(len(wanted))]
    return wanted, merge([(base, 0), *last])


def _too_large(expression: Expression, order: int, most: int | None) -> ExpressionError:
    subject = "its derivatives" if order == 1 else f"its derivatives of order {order}"
    fault = f"{subject} take more than {most:,} operations, which --max-operations allows"
    return ExpressionError(fault, expression.text, 0)


def texts(part: Program, text: str) -> list[str]:
    """The outputs of a program as formulas in this language."""
    try:
        return formulas(part)
    except FormulaError as fault:
        raise ExpressionError(str(fault), text, 0) from None


def code(
    form: str,
    part: Program,
    wrt: Sequence[tuple[str, ...]],
    text: str,
    name: str | None = None,
    real: str = "double",
) -> str:
    """The outputs of a program, differentiated by `wrt`, as a function in another language.

    `name` is what the function is called, `real` the type of C's numbers.  Raises ExpressionError
    where the language has no form for it, and UsageError where it does not allow the name.
    """
    from dezero.programs.code import IdentifierError, Options
    from dezero.programs.dialects import FORMS

    try:
        return FORMS[form](part, wrt, text, Options(name, real))
    except IdentifierError as fault:
        raise UsageError(str(fault)) from None
    except FormulaError as fault:
        raise ExpressionError(str(fault), text, 0) from None


def gradient(expression: Expression) -> dict[str, str]:
    """Each partial derivative of an expression as a formula."""
    names = free_names(expression)
    part = program(expression, names, names)
    return dict(zip(names, texts(part, expression.text)[1:], strict=True))


def wanted_names(expression: Expression, wrt: Sequence[str]) -> list[str]:
    """The names to differentiate by: `wrt`, or all inputs.  Raises ExpressionError for another."""
    names = free_names(expression, wrt)
    for name in wrt:
        if name not in names:
            hint = did_you_mean(name, names)
            raise ExpressionError(f"no {name} in the expression", expression.text, 0, hint=hint)
    return list(dict.fromkeys(wrt)) or names

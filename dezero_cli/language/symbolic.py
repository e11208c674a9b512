"""An expression -> its derivatives as programs and formulas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dezero import Variable
from dezero.programs.formula import FormulaError, formulas
from dezero.programs.tidy import tidied
from dezero.programs.trace import Program, SizeError, TraceError, differentiate, merge, trace
from dezero_cli.faults import ExpressionError, UsageError
from dezero_cli.language import bounds
from dezero_cli.language.expression import Expression
from dezero_cli.language.spelling import name_meant

Derivatives = tuple[list[tuple[str, ...]], Program]
"""The names that derivatives are for, and a program of the value and them all."""


def free_names(expression: Expression, wrt: Sequence[str] = ()) -> list[str]:
    """The free names of an expression; a constant's name is one only if it is in `wrt`."""
    return [name for name in expression.names if not expression.is_constant(name) or name in wrt]


def program(
    expression: Expression, names: Sequence[str], wrt: Sequence[str], most: int | None = None
) -> Program:
    """The program of the value and the gradient for the names in `wrt`.

    Raises ExpressionError for an operation that needs a whole array, as `sum` does, and if there
    are more than `most` operations.
    """

    reduction = None if expression.has_lists else expression.reduction
    if reduction is not None:
        text, step = reduction
        called = text[step.start : step.end].partition("(")[0]
        subject = called if called.isidentifier() else text[step.place]
        fault = f"{subject} works on whole arrays, but here every input is one number"
        raise ExpressionError(fault, text, step.place, step.place + 1)

    def function(*variables: Variable) -> Variable:
        return expression.evaluate(dict(zip(names, variables, strict=True)))

    try:
        return trace(function, names, wrt, most)
    except SizeError:
        raise bounds.too_many_derivatives(1, most, expression.text) from None
    except TraceError as fault:
        raise ExpressionError(str(fault), expression.text, 0) from None


def derivatives(
    expression: Expression,
    names: Sequence[str],
    wrt: Sequence[str],
    order: int = 1,
    most: int | None = None,
) -> Derivatives:
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
            raise bounds.too_many_derivatives(reached, most, expression.text) from None
        wanted = [(*done, n) for done, rest in zip(wanted, rests, strict=True) for n in rest]
        last = [(part, i) for i in range(len(wanted))]
    return wanted, merge([(base, 0), *last])


def successive(
    expression: Expression, names: Sequence[str], name: str, order: int, most: int | None = None
) -> list[Program]:
    """The derivatives of order 1, 2, ... by one name: a program each, the first one's output is
    the value, then the derivative; those above have their derivative alone.

    Raises ExpressionError if they take more than `most` operations.
    """
    programs = [program(expression, names, (name,), most)]
    for reached in range(2, order + 1):
        output = 1 if reached == 2 else 0
        try:
            part = differentiate(tidied(programs[-1]), [(output, [name])], most)
        except SizeError:
            raise bounds.too_many_derivatives(reached, most, expression.text) from None
        programs.append(part)
    return programs


def of_several(
    found: Sequence[Derivatives],
) -> tuple[list[tuple[str, ...]], list[int], Program]:
    """The same of a list: what each output is derived for, its result's number, and a program.

    The values come first, then the derivatives of each result.
    """
    parts = [(program, 0) for _, program in found]
    keys: list[tuple[str, ...]] = [() for _ in found]
    numbers = list(range(len(found)))
    for number, (wanted, program) in enumerate(found):
        keys += wanted
        numbers += [number] * len(wanted)
        parts += [(program, i) for i in range(1, len(wanted) + 1)]
    return keys, numbers, merge(parts)


def definitions(expression: Expression, names: Sequence[str]) -> dict[str, Program]:
    """The programs of the definitions that an expression uses, but for those that are arrays."""
    found: dict[str, Program] = {}
    for name in expression.definitions:
        try:
            found[name] = program(expression.definition(name), names, ())
        except ExpressionError:
            continue
    return found


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
    of: tuple[str, ...] = (),
    local: Mapping[str, Program] | None = None,
) -> str:
    """The outputs of a program, differentiated by `wrt`, as a function in another language.

    `name` is what the function is called, `real` the type of C's numbers, `of` the results that
    the outputs are or are derived of, if there are several; `local` the definitions that the
    code has as its locals where its formulas come by them.  Raises ExpressionError where the
    language has no form for it, and UsageError where it does not allow the name.
    """
    from dezero.programs.code import IdentifierError, Options
    from dezero.programs.dialects import FORMS

    local = local or {}
    outputs = [*((part, i) for i in range(len(part.outputs))), *((d, 0) for d in local.values())]
    try:
        return FORMS[form](merge(outputs), wrt, text, Options(name, real, of, tuple(local)))
    except IdentifierError as fault:
        raise UsageError(str(fault)) from None
    except FormulaError as fault:
        raise ExpressionError(str(fault), text, 0) from None


def gradient(expression: Expression, orders: Collection[str] = ()) -> dict[str, str]:
    """Each partial derivative of an expression as a formula, but for `orders`, which have none."""
    names = free_names(expression)
    wrt = [name for name in names if name not in orders]
    part = program(expression, names, wrt)
    return dict(zip(wrt, texts(part, expression.text)[1:], strict=True))


def wanted_names(expression: Expression, wrt: Sequence[str]) -> list[str]:
    """The names to differentiate by: `wrt`, or all inputs.  Raises ExpressionError for another."""
    names = free_names(expression, wrt)
    for name in wrt:
        if name not in names:
            hint = name_meant(name, names)
            raise ExpressionError(f"no {name} in the expression", expression.text, 0, hint=hint)
    return list(dict.fromkeys(wrt)) or names

"""An expression for every row of a table: text to text is streamed, columns go through Polars."""

from __future__ import annotations

from dezero_cli.extras import keep_memory
from dezero_cli.faults import CommandError
from dezero_cli.output import Output, open_output
from dezero_cli.progress import Progress
from dezero_cli.tables import columnar, sources, streams
from dezero_cli.tables.compression import packed
from dezero_cli.tables.files import TEXT, Tables
from dezero_cli.tables.step import Plan


def map_tables(
    tables: Tables,
    plan: Plan,
    form: str,
    output: str | None,
    progress: Progress | None = None,
    types: columnar.AnyTypes | None = None,
) -> int:
    """Write `tables` with the results of `plan` as `form` to `output`; return the number of rows.

    `output` is a file, which appears only once it is complete; None is standard output.  `types`
    are those of text that becomes columns, if they are known.  Raises TableError, ValuesError or
    ExpressionError, and OSError if reading or writing fails.
    """
    progress = progress or Progress(0)
    keep_memory()
    unchanged = sources.Unchanged(tables.names)
    with open_output(output) as plain, packed(plain) as target:
        try:
            rows = _mapped(tables, plan, form, target, progress, types)
        except CommandError:
            unchanged.check()
            raise
        unchanged.check()
    return rows


def _mapped(
    tables: Tables,
    plan: Plan,
    form: str,
    target: Output,
    progress: Progress,
    types: columnar.AnyTypes | None,
) -> int:
    """Write the tables in the way that their format and `form` ask for."""
    if tables.format in TEXT and form in TEXT:
        return streams.map_text(tables, plan, form, target, progress)
    return columnar.map_columns(tables, plan, form, target, progress, types)


def check(tables: Tables, plan: Plan) -> list[str]:
    """Raise what `map_tables` would raise for columns that do not fit, without reading all rows.

    Returns the notes that the user is to be told.
    """
    text = tables.format in TEXT
    step = streams.open_text(tables, plan)[1] if text else columnar.opened(tables, plan)
    return step.notes


def row_count(tables: Tables) -> int:
    """The number of rows of tables: text is read to count them, columns store the number."""
    count = streams.row_count if tables.format in TEXT else columnar.row_count
    return count(tables)


def columns(tables: Tables) -> list[str]:
    """The names of the columns of a table."""
    return streams.TextTable(tables).names if tables.format in TEXT else columnar.columns(tables)

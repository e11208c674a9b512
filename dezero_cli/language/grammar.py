"""The tables of the grammar, as plain data: the only file that names Lark.

The grammar is in grammar.lark, and Lark makes its LALR tables.  Making them takes longer than the
rest of a short run, so grammar.json stores them, and Lark itself is needed only after the grammar
has changed: ``python -m dezero_cli.language.grammar`` writes grammar.json again.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Final

_HERE = os.path.dirname(__file__)
GRAMMAR: Final = os.path.join(os.path.dirname(_HERE), "grammar.lark")
TABLES: Final = os.path.join(_HERE, "grammar.json")


def tables() -> dict[str, Any]:
    """The tables of grammar.json if they belong to this grammar.lark; otherwise new ones."""
    grammar = _text(GRAMMAR)
    try:
        data: dict[str, Any] = json.loads(_text(TABLES))
    except FileNotFoundError:
        data = {}
    return data if data.get("grammar") == grammar else build_tables(grammar)


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # without pathlib, whose import takes longer
        return file.read()


def build_tables(grammar: str) -> dict[str, Any]:
    """The LALR tables that Lark makes of a grammar, as plain data (for grammar.json).

    `rules` holds [origin, size, alias] for each rule, `states` what each state does with the next
    symbol (the state to go to, or ~n for rule n), `pattern` a token as a regular expression with a
    group for each kind: the blanks before it, then an operator, a number, a name (in backquotes or
    not) or anything else; `words` are the names that stand for an operator.
    """
    import lark
    from lark.parsers.lalr_analysis import Shift

    parser = lark.Lark(grammar, parser="lalr")
    table = parser.parser.parser._parse_table
    literals = {
        terminal.name: terminal.pattern.value
        for terminal in parser.terminals
        if terminal.pattern.type == "str"
    }
    start, end = table.start_states["start"], table.end_states["start"]
    rows = {
        state: {literals.get(symbol, symbol): entry for symbol, entry in sorted(row.items())}
        for state, row in table.states.items()
    }
    order = _reached(start, rows, Shift)
    rules: dict[tuple[str, int, str | None], int] = {}

    def action(kind: Any, argument: Any) -> int:
        if kind is Shift:
            return order[argument]
        rule = (argument.origin.name, len(argument.expansion), argument.alias)
        return ~rules.setdefault(rule, len(rules))

    states = [{symbol: action(*entry) for symbol, entry in rows[state].items()} for state in order]
    states[order[end]]["$END"] = order[end]  # Lark compares states to see that a text is complete
    return {
        "grammar": grammar,
        "start": order[start],
        "pattern": _pattern(parser, [each for each in literals.values() if not each.isalpha()]),
        "words": sorted(each for each in literals.values() if each.isalpha()),
        "rules": list(rules),
        "states": states,
    }


def _reached(start: Any, rows: dict[Any, dict[str, Any]], shift: Any) -> dict[Any, int]:
    """A number for each state in the order in which they are reached; Lark's own differ by run."""
    order = {start: 0}
    pending = [start]
    for state in pending:
        for kind, argument in rows[state].values():
            if kind is shift and argument not in order:
                order[argument] = len(order)
                pending.append(argument)
    return order


def _pattern(parser: Any, operators: list[str]) -> str:
    """One regular expression for all tokens, with a group for each kind."""
    patterns = {terminal.name: terminal.pattern.value for terminal in parser.terminals}
    longest_first = "|".join(map(re.escape, sorted(operators, key=lambda text: (-len(text), text))))
    name = f"{patterns['QUOTED']}|{patterns['NAME']}"
    kinds = f"({longest_first})|({patterns['NUMBER']})|({name})|([^ \\t])"
    return f"([ \\t]*)(?:{kinds})"


def write_tables() -> None:
    """Write grammar.json for the present grammar.lark."""
    text = json.dumps(build_tables(_text(GRAMMAR)), ensure_ascii=True)
    with open(TABLES, "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    write_tables()

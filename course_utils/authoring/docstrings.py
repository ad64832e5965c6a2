"""Docstrings as Sphinx reads them: ours hold tables of bars, |x| and a last line "Source: …"."""

import re
from collections.abc import Iterable
from itertools import groupby

SOURCE = re.compile(r"^Source: ")
RULE = re.compile(r"^[\s|:-]+$")  # the line under the head of a table


def to_rst(lines: Iterable[str]) -> list[str]:
    """The lines of a docstring as reStructuredText.

    Args:
        lines: without indentation, as Sphinx hands them over.
    Returns:
        new lines: tables as list tables, other bars escaped, "Source:" set apart.
    """
    out = []
    for in_table, block in groupby(lines, lambda line: line.startswith("|")):
        rows = list(block)
        out += list_table(rows) if in_table else [line for row in rows for line in prose(row)]
    return out


def list_table(rows: list[str]) -> list[str]:
    """A table whose cells stand between bars as a list table; its first row is the head."""
    lines = ["", ".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        if not RULE.match(row):
            first, *others = (cell.strip() for cell in row.strip("| ").split("|"))
            lines += [f"   * - {first}", *(f"     - {cell}" for cell in others)]
    return [*lines, ""]


def prose(line: str) -> list[str]:
    """A line outside tables."""
    line = line.replace("|", r"\|")
    return ["", SOURCE.sub("**Source:** ", line)] if SOURCE.match(line) else [line]

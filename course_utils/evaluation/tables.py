"""Shares with their uncertainty, and tables of what was measured."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

Row = dict[str, object]
Tables = dict[str, list[Row]]  # title → rows, which all have the same columns

CONFIDENCE = 0.95


def share(hits: Sequence[bool]) -> dict[str, float | int | None]:
    """The share of True, with Wilson's interval of a binomial proportion.

    Args:
        hits: N of them; may be none.
    Returns:
        "share", "low" and "high", each 0 to 1, None where N is 0; "count", N.
    """
    count = len(hits)
    if count == 0:
        return {"share": None, "low": None, "high": None, "count": 0}
    right = int(np.sum(hits))
    interval = binomtest(right, count).proportion_ci(CONFIDENCE, "wilson")
    low, high = float(interval.low), float(interval.high)
    return {"share": right / count, "low": low, "high": high, "count": count}


def markdown(tables: Tables) -> str:
    """Tables in Markdown, each under its title."""
    return "\n".join(f"### {title}\n\n{_table(rows)}\n" for title, rows in tables.items())


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "none"
    lines = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([cell(v) for v in row.values()] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: object) -> str:
    """A value in a table: shares with interval and count, numbers with three decimals."""
    if isinstance(value, dict):
        if value["share"] is None:
            return "–"
        interval = f"{value['low']:.2f}–{value['high']:.2f}"
        return f"{value['share']:.3f} ({interval}, n {value['count']})"
    return f"{value:.3f}" if isinstance(value, float) else str(value)

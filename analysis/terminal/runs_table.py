"""Results of several runs as text for a person at a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.estimators.iavg import Group
from analysis.statistics.null_models import NullOfI
from analysis.terminal.run_text import estimate_text, like, place
from store.terminal.printing import count_of


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Lay rows out in columns: the first ones to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def number(value: float, pattern: str = "+.1f") -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else format(value, pattern)


def iavg_text(groups: Sequence[Group]) -> str:
    return "\n\n".join(_group(group) for group in groups) + "\n"


def _group(group: Group) -> str:
    head = ("persona", "runs", "before %", "after %", "sway pp", "I %")
    rows = [
        (
            person.persona,
            str(person.runs),
            number(person.before, ".1f"),
            number(person.after, ".1f"),
            number(person.sway),
            number(person.change) if not person.reason else f"undefined: {person.reason}",
        )
        for person in group.personas
    ]
    defined = len(group.personas) - group.undefined
    lines = [
        f"{group.platform}, {group.strategy}, {group.model}, {group.arm} arm",
        columns(head, rows),
        "",
        f"sway   {estimate_text(group.sway)} ({_clusters(group)})",
        f"I_avg  {number(group.i_avg)} % over {defined} of "
        f"{count_of(len(group.personas), 'persona')}"
        f"{f'; undefined for {group.undefined}' if group.undefined else ''}",
        f"       {null_text(group.null)}",
        "I_avg is a mean of ratios and leans upwards when nothing happens; the sway does not.",
    ]
    return "\n".join(lines)


def _clusters(group: Group) -> str:
    runs = sum(person.runs for person in group.personas)
    of_one = f"{count_of(group.sway.clusters, 'batch')} of one run"
    return of_one if runs == 1 else count_of(group.sway.clusters, "run")


def null_text(null: NullOfI) -> str:
    if math.isnan(null.mean):
        return f"its null is not known: {null.reason}"
    return (
        f"if nothing happened{like(null)}: mean {null.mean:+.0f} %, 95 % of values between "
        f"{null.low:+.0f} and {null.high:+.0f} %{place(null)}"
    )

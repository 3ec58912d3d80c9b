"""What to type for a table that lacks our columns, in its own column names."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.data.column_mapping import ColumnMapping, ColumnSource, columns_text
from store.untrusted.foreign_tables import ForeignTable

NAMES = (
    "run",
    "position",
    "answer",
    "score",
    "persona",
    "arm",
    "batch",
    "video",
    "window",
    "platform",
    "strategy",
    "model",
    "replicate",
    "p_yes",
    "dwell",
    "excluded",
)
"""Our columns."""
_LIKELY = {
    "run": "run runid userid user account accountid sessionid session bot botid puppet profile",
    "position": "position order index step rank viewindex timestamp time datetime date createdat",
    "answer": "answer liked like yes label relevant match matches category topic",
    "score": "score rating",
    "video": "video videoid awemeid itemid postid contentid id url",
}
"""What audits call them, without case and signs, the likelier first."""
_NEEDED = ("run", "position")
_PLAIN_NAME = re.compile(r"(?!.*\s(?:in|if|else)\s)[\w .:/()-]+")
_LONGEST_VALUE = 40


@dataclass(frozen=True)
class LackingColumn:
    """What a table lacks, and what to type."""

    text: str
    advice: str


def lacking(
    table: ForeignTable, known: Mapping[str, ColumnSource], mapping: ColumnMapping
) -> LackingColumn | None:
    """Say which column a table lacks; ``None`` where it has what is needed."""
    there = f"It has {columns_text(table.names)}."
    if len(table.names) == 1:
        there += " That is one column: cells are separated by a comma, a semicolon or a tab."
    for name, source in known.items():
        absent = [column for column in source.columns if column not in table.names]
        if absent:
            near = _nearest(absent[0], table.names)
            said = f"lacks the column {absent[0]!r}, which {name} should come from. {there}"
            entry = shlex.quote(f"{name}={near or 'COLUMN'}")
            return LackingColumn(said, f"{mapping.option} {entry}")
    missing = [name for name in _NEEDED if name not in known]
    if not missing and {"answer", "score"} & known.keys():
        return None
    said = (
        f"lacks the column {missing[0]!r}."
        if missing
        else ("has neither an 'answer' nor a 'score' column.")
    )
    return LackingColumn(f"{said} {there}", _proposal(table, known, mapping))


def equality_advice(option: str, column: str, values: Sequence[str]) -> str:
    """Say how to type that an answer is yes where a column has the first of these values."""
    fit = (text for text in values if len(text) <= _LONGEST_VALUE and not {*"\"'"} <= {*text})
    value = next(fit, "VALUE")
    return f"{option} {shlex.quote(f'answer={_quoted(column)}=={_quoted(value)}')}"


def _nearest(name: str, names: tuple[str, ...]) -> str:
    by_bare = {_bare(each): each for each in reversed(names)}
    alike = difflib.get_close_matches(_bare(name), by_bare, 1)
    return _quoted(by_bare[alike[0]]) if alike else ""


def _proposal(
    table: ForeignTable, known: Mapping[str, ColumnSource], mapping: ColumnMapping
) -> str:
    taken = {column for source in known.values() for column in source.columns}
    entries = []
    for name in ("run", "position", "answer", "video"):
        if name in known or (name == "answer" and "score" in known):
            continue
        column = _likely(name, [each for each in table.names if each not in taken])
        taken.add(column)
        if column:
            value = "==VALUE" * (name == "answer" and _bare(column) in ("category", "topic"))
            entries.append(f"{name}={_quoted(column)}{value}")
        elif name != "video":
            entries.append(f"{name}=COLUMN" + "==VALUE" * (name == "answer"))
    return f"{mapping.option} {shlex.quote(','.join(entries))}"


def _likely(name: str, names: list[str]) -> str:
    by_bare = {_bare(each): each for each in reversed(names)}
    return next((by_bare[word] for word in _LIKELY[name].split() if word in by_bare), "")


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _quoted(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    return f"'{name[:80]}'" if '"' in name else f'"{name[:80]}"'

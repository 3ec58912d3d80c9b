"""What ``reproduce`` prints: the file, what is in it, each table, and every figure that differs."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.report.compared_figures import TOLERANCE, FigureDifference
from analysis.report.reproduction import Reproduction
from store.terminal.printing import count_of
from store.untrusted.clean_text import show_line

MOST = 20
"""Differing figures that are told one by one; ``--json`` has a thousand."""
_LONGEST = 60


def tell_reproduction(told: Reproduction) -> str:
    return "\n".join([*_file(told), "", *_tables(told), *_differences(told), "", _verdict(told)])


def _file(told: Reproduction) -> Iterator[str]:
    yield f"{show_line(told.file)}\nSHA-256 {told.sha256}{_cited(told)}"
    what = f"study {told.study}" if told.study else f"run {', '.join(told.runs)}"
    held = ", ".join(count_of(count, kind) for kind, count in told.held.items())
    yield f"Holds {what}: {held}{'' if told.frames else ', no frames'}."
    if told.handles == "pseudonyms":
        yield "Pseudonyms stand for creators, videos and accounts; captions and replies are out."
    mine, here = told.made_by, told.derived_by
    same = "the same code" if mine.code == here.code else f"other code, {here.code[:12]}"
    made = f"Made by feedsway {mine.feedsway}, code {mine.code[:12]}, on Python {mine.python}."
    yield show_line(made)
    yield f"Derived again by feedsway {here.feedsway}, {same}, on Python {here.python}."
    if told.environment_differs:
        yield f"Different here: {'; '.join(map(show_line, told.environment_differs))}."


def _cited(told: Reproduction) -> str:
    if told.cited is None:
        return ""
    if told.as_cited:
        return "  as cited"
    return f"\nNOT THE FILE THAT IS CITED, whose SHA-256 is {told.cited}"


def _tables(told: Reproduction) -> Iterator[str]:
    yield f"{'table':<22}{'figures':>10}{'equal':>10}{'to 1e-9':>10}{'different':>11}"
    for table in told.tables:
        counts = f"{table.figures:>10,}{table.equal:>10,}{table.close:>10,}{table.different:>11,}"
        yield f"{show_line(table.name)[:21]:<22}{counts}"
    for said in told.unchecked:
        yield f"Not checked, {show_line(said)}."


def _differences(told: Reproduction) -> Iterator[str]:
    if told.differences:
        yield "\nDifferent, worst first:"
    yield from map(_difference, told.differences[:MOST])
    if told.different > MOST:
        yield f"  and {told.different - MOST:,} more (--json tells up to 1,000)"


def _difference(one: FigureDifference) -> str:
    bundled, derived = (
        show_line(text)[:_LONGEST] or "empty" for text in (one.bundled, one.derived)
    )
    where = f"{show_line(one.table)}, {show_line(one.row)[:120]}: {show_line(one.column)}"
    return f"  {where}\n    in the bundle {bundled}, derived {derived}"


def _verdict(told: Reproduction) -> str:
    if told.different:
        what = f"{count_of(told.different, 'figure')} of {told.figures:,} differ."
    elif not told.figures:
        what = "There is no figure in it that could be compared."
    else:
        close = f", {told.close:,} of them within {TOLERANCE:g}" * bool(told.close)
        what = f"All {told.figures:,} figures are equal{close}."
    return what if told.as_cited else f"{what} The file is not the one that is cited."

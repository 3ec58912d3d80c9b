"""The status as lines for a terminal.

Refuses to know where it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.daemon.web.run_status import LiveRun
from agent.daemon.web.status import EntryStatus, Status
from store.foreign.printing import count_of, share_text
from store.foreign.text import show_line
from store.maintenance.stats import size_told

_LONG = 3650
_LINES = 5
"""Unreadable lines that are told one by one."""


def lines(status: Status, now: datetime) -> Iterator[str]:
    """Yield what a person reads, in the status's own time zone."""
    now = now.astimezone(ZoneInfo(status.timezone))
    yield _headline(status)
    yield from _waiting(status)
    for run in status.running:
        yield from _run(run)
    if status.entries:
        yield ""
        yield from _columns([_entry(entry, status, now) for entry in status.entries])
    if status.studies:
        yield ""
    for study in status.studies:
        yield (
            f"study {study.name}: {study.complete} of {count_of(study.cells, 'run')} complete, "
            f"{study.videos} of {count_of(study.total, 'video')}"
        )
    if status.failures:
        yield ""
        yield from _columns(
            [
                [_at(one.at, now), one.entry, one.outcome, one.reason or "no reason is known"]
                for one in status.failures[:5]
            ]
        )
    yield ""
    yield from _machine(status)


def _headline(status: Status) -> str:
    if status.daemon is None:
        ended = f" It ended: {status.stopped}." if status.stopped else ""
        return f"No daemon runs here.{ended}"
    going = sum(run.run_id is not None for run in status.running)
    doing = "everything is paused" if status.paused else f"{count_of(going, 'run')} going on"
    return f"Daemon: {doing}. {status.daemon}"


def _waiting(status: Status) -> Iterator[str]:
    """Yield what waits for a person, with what to type."""
    for wall in status.walls:
        yield f"! {wall.platform} shows {wall.account} {wall.saw}. Look at it: {wall.command}"
        told = f"--looked {wall.platform} {wall.account}"
        yield f"  Then type: python -m agent status {told}"
    for breaker in status.breakers:
        yield f"! {breaker.platform} failed {breaker.failures} times in a row: {breaker.reason}"
    for trouble in status.troubles:
        yield f"! {trouble.trouble}: {trouble.detail}"
    for line in status.unreadable[:_LINES]:
        yield f"! {line.file}:{line.line} cannot be read: {line.problem} Type: {line.command}"
    if (more := status.counts.unreadable - _LINES) > 0:
        yield f"! {more} more lines cannot be read. Type: python -m store verify"
    if status.file_problem:
        yield f"! The changed watch file was refused: {status.file_problem}"


def _run(run: LiveRun) -> Iterator[str]:
    if run.run_id is None or run.windows is None:
        yield f"\n{run.entry} {'has ended its run and tidies up' if run.ending else 'is starting'}"
        return
    shares = " · ".join(
        f"{phase} {share_text(100 * share.yes / share.answered, 0)} % of {share.answered}"
        for phase, share in run.shares.items()
        if share.answered
    )
    yield ""
    yield f"{run.entry or 'by hand'}: {run.persona} on {run.platform}, {run.arm}, {run.run_id}"
    watched = f"{run.eligible} of {count_of(run.windows.total, 'video')}"
    yield f"  {watched}; yes: {shares or 'nothing yet'}"
    if run.last is not None:
        answer = run.last.answer or run.last.excluded or run.last.missing or "missing"
        p_yes = "" if run.last.p_yes is None else f" {run.last.p_yes:.2f}"
        yield f"  last: {answer}{p_yes}  {show_line((run.last.caption or '')[:70])}"


def _entry(entry: EntryStatus, status: Status, now: datetime) -> list[str]:
    if entry.paused or status.paused:
        state = "paused"
    elif entry.running:
        state = "running"
    else:
        word = "due since" if entry.next and entry.next < now else "next"
        zone = entry.timezone or status.timezone
        local = now.astimezone(ZoneInfo(zone))
        state = f"{word} {_at(entry.next, local)} {zone}" if entry.next else "no start known"
    last = entry.last
    if last is None or last.outcome is None:
        return [entry.name, state, "", ""]
    return [entry.name, state, f"last {last.outcome}", last.reason]


def _machine(status: Status) -> Iterator[str]:
    counts, cost, machine = status.counts, status.cost, status.machine
    yield (
        f"{count_of(counts.runs, 'run')}, {counts.complete} complete; "
        f"{count_of(counts.videos, 'video')}, "
        f"{counts.today} today ({status.timezone})"
    )
    unpriced = f", {count_of(cost.unpriced_calls, 'call')} unpriced" if cost.unpriced_calls else ""
    yield f"${cost.total_usd:.4f} for models, ${cost.today_usd:.4f} today{unpriced}"
    lasts = ""
    if machine.days_left is not None:
        days = machine.days_left
        told = f"{days:,.0f} days" if days < _LONG else "more than ten years"
        lasts = f"; lasts {told} at the rate of the last seven days"
    yield f"{size_told(machine.used)} used, {size_told(machine.free)} free{lasts}"


def _at(at: datetime, now: datetime) -> str:
    local = at.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def _columns(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()

"""``python -m agent status``: how a daemon's work stands, and what to ask of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from agent.cli.options import data_option, json_option
from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo, share_text
from store.untrusted.clean_text import show_line

if TYPE_CHECKING:
    from agent.daemon.web.address import Address
    from agent.daemon.web.run_status import LiveRun
    from agent.daemon.web.status import EntryStatus, SiteStatus, Status
    from store.runs.data_folder import DataFolder

EPILOG = """
\b
Examples:
  python -m agent status
  python -m agent status --json
"""
PATIENCE_S = 10.0
_LONG = 3650
_LINES = 5
"""Unreadable lines that are told one by one."""


@click.command(epilog=EPILOG)
@click.option("--pause", metavar="ENTRY", help="Interrupt an entry and start it no more; or: all.")
@click.option("--resume", metavar="ENTRY", help="Take it up again; or: all.")
@click.option("--run-now", metavar="ENTRY", help="Make it due now.")
@click.option("--retry", metavar="ENTRY", help="Try its last start again.")
@click.option(
    "--looked", nargs=2, metavar="PLATFORM ACCOUNT", help="You have dealt with this wall."
)
@data_option
@json_option
def status(data: Path, as_json: bool, **wishes: Any) -> None:
    """Tell what runs, what is next, what waits for you, what went wrong, disk and cost.

    Without a daemon it tells what its journal and the ledgers say.
    """
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    at = _serving(folder)
    for name, value in wishes.items():
        if value:
            _ask(at, name.replace("_", "-"), value)
    found = _look(folder) if at is None else _fetch(at) or _look(folder)
    if as_json:
        echo(found.model_dump_json(indent=2))
        return
    for line in status_lines(found, datetime.now(UTC)):
        echo(spell_commands(line))
    if at:
        echo(f"\nLook in: {at.link}")
    else:
        echo("No daemon runs here. Type: python -m agent daemon watch.toml", err=True)


def _serving(data: DataFolder) -> Address | None:
    """Return where the page is served, if a daemon holds the folder and told."""
    from agent.daemon.web import address
    from agent.daemon.web.status import LOCK
    from store.jsonl.locks import holder

    return address.read_address(data.daemon_dir) if holder(data.daemon_dir / LOCK) else None


def _look(data: DataFolder) -> Status:
    from agent.daemon.redact_secrets import SecretRedactor, secrets_of
    from agent.daemon.web.status import read_status

    return read_status(data, datetime.now(UTC), (), SecretRedactor(secrets_of(os.environ)))


def _fetch(at: Address) -> Status | None:
    """Ask the daemon, which also knows what is next; ``None`` where it does not answer."""
    from agent.daemon.web.status import Status
    from agent.errors import BadConfig

    try:
        return Status.model_validate_json(_request(at, "GET", "/api/status"))
    except BadConfig as error:
        echo(str(error), err=True)
        return None


def _ask(at: Address | None, what: str, value: str | tuple[str, str]) -> None:
    from agent.daemon.web.server import ActionBody
    from agent.errors import BadConfig

    if at is None:
        raise BadConfig("No daemon runs here to be asked. Type: python -m agent daemon watch.toml")
    if isinstance(value, tuple):
        wish = ActionBody(platform=value[0], account=value[1])
    else:
        whole = value == "all" and what in ("pause", "resume")
        wish = ActionBody(entry=None if whole else value)
    _request(at, "POST", f"/api/{what}", wish.model_dump_json())


def _request(at: Address, method: str, path: str, body: str | None = None) -> bytes:
    import httpx

    from agent.errors import BadConfig

    headers = {"Authorization": f"Bearer {at.token}"}
    try:
        # loopback without TLS: no certificates are loaded, which would take longer than the answer
        with httpx.Client(headers=headers, timeout=PATIENCE_S, verify=False) as client:
            answer = client.request(method, at.url + path, content=body)
    except httpx.TransportError as error:
        raise BadConfig(
            f"The daemon does not answer at {at.url} ({type(error).__name__}). "
            "Wait a moment, then type: python -m agent status"
        ) from None
    if answer.is_error:
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        raise BadConfig(problem.get("error") or f"The daemon answered {answer.text.strip()}")
    return answer.content


def status_lines(status: Status, now: datetime) -> Iterator[str]:
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
    for site in status.sites:
        yield _site(site, now)
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
        found = f" ({wall.found})" if wall.found else ""
        yield f"! {wall.platform} shows {wall.account} {wall.saw}{found}. Look: {wall.command}"
        options = f"--looked {wall.platform} {wall.account}"
        yield f"  Then type: python -m agent status {options}"
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


def _site(site: SiteStatus, now: datetime) -> str:
    name = f"{site.platform} (skin)" if site.skin else site.platform
    seen = "by a probe" if site.source == "probe" else "by a run"
    held = f"fails {'; '.join(site.fails)}" if site.fails else "no capability fails"
    return f"{name}: {held}, seen {seen} {_at(site.at, now)}"


def _machine(status: Status) -> Iterator[str]:
    from store.maintenance.stats import size_told

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
        left = f"{days:,.0f} days" if days < _LONG else "more than ten years"
        lasts = f"; lasts {left} at the rate of the last seven days"
    yield f"{size_told(machine.used)} used, {size_told(machine.free)} free{lasts}"


def _at(at: datetime, now: datetime) -> str:
    local = at.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def _columns(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()

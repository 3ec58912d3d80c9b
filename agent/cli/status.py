"""``python -m agent status``: how a daemon's work stands, and what a person may ask of it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import data_option, json_option
from store.foreign.printing import echo

if TYPE_CHECKING:
    from agent.daemon.web.address import Address
    from agent.daemon.web.status import Status
    from store.runs.data_folder import DataFolder

EPILOG = """
\b
Examples:
  python -m agent status
  python -m agent status --json
"""
PATIENCE_S = 10.0


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
    from agent.cli.status_text import lines

    for line in lines(found, datetime.now(UTC)):
        echo(line)
    if at:
        echo(f"\nLook in: {at.link}")
    else:
        echo("No daemon runs here. Type: python -m agent daemon watch.toml", err=True)


def _serving(data: DataFolder) -> Address | None:
    """Return where the page is served, if a daemon holds the folder and has told so."""
    from agent.daemon.web import address
    from agent.daemon.web.status import LOCK
    from store.jsonl.locks import holder

    return address.read(data) if holder(data.daemon_dir / LOCK) else None


def _look(data: DataFolder) -> Status:
    from agent.daemon.redact_secrets import SecretRedactor, secrets_of
    from agent.daemon.web.status import look

    return look(data, datetime.now(UTC), (), SecretRedactor(secrets_of(os.environ)))


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
        told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        raise BadConfig(told.get("error") or f"The daemon answered {answer.text.strip()}")
    return answer.content

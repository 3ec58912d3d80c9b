"""Hooks tell other programs what waits for a person, and never stop anything."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent.daemon.journal.events import (
    AnyEvent,
    BreakerChanged,
    ChildEnded,
    MachineNotice,
    PauseChanged,
    WallReported,
)
from agent.daemon.process import webhooks
from agent.daemon.process.child import LOGS, MOST_LOGS, prune_logs
from agent.daemon.process.webhooks import HookSender, compose_message
from store.runs.data_folder import DataFolder

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
WALL = WallReported(at=NOW, platform="tiktok", account="p12", open=True, wall="LoginRequired")
BREAKER = BreakerChanged(
    at=NOW, platform="youtube", open=True, failures=3, reason="http://u:canary@proxy refused"
)
DONE = ChildEnded(at=NOW, entry="two-arms", due=NOW, outcome="complete")
QUIET: list[AnyEvent] = [
    WALL.model_copy(update={"open": False}),
    BREAKER.model_copy(update={"open": False}),
    ChildEnded(at=NOW, entry="two-arms", due=NOW, outcome="fault"),
    PauseChanged(at=NOW, paused=True),
]


@dataclass
class Wanted:
    webhook: str | None = None
    command: Sequence[str] | None = None
    on: Sequence[str] = ("wall", "breaker", "study")


@contextmanager
def listening(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook's other end."""
    posted: list[dict[str, Any]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/canary-path", posted
        server.shutdown()
        thread.join()


def tell(wanted: Wanted, *events: AnyEvent) -> list[AnyEvent]:
    """Tell of events; return what went into the journal."""
    written: list[AnyEvent] = []
    told = HookSender(wanted, written.append)

    async def all_of_them() -> None:
        for event in events:
            await told.tell(event)

    asyncio.run(all_of_them())
    return written


def test_a_webhook_is_told_in_words_and_fields() -> None:
    with listening() as (url, posted):
        assert tell(Wanted(webhook=url), WALL, BREAKER, DONE, *QUIET) == []
    assert [one["event"] for one in posted] == ["wall", "breaker", "study"]
    assert posted[0]["text"] == (
        "tiktok shows p12 a sign-in wall. Its runs wait for you. "
        "Type: python -m agent login tiktok --account p12"
    )
    assert (posted[0]["account"], posted[2]["entry"]) == ("p12", "two-arms")
    assert "canary" not in posted[1]["text"]


def test_only_what_is_wanted_is_told() -> None:
    with listening() as (url, posted):
        tell(Wanted(webhook=url, on=("study",)), WALL, BREAKER, DONE)
    assert [one["event"] for one in posted] == ["study"]


def test_a_command_gets_it_as_its_input(tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    command = [sys.executable, "-c", code, str(tmp_path / "told")]
    assert tell(Wanted(command=command), WALL) == []
    assert json.loads((tmp_path / "told").read_text())["platform"] == "tiktok"


@pytest.mark.parametrize(
    ("wanted", "detail"),
    [
        (Wanted(webhook="http://127.0.0.1:9/canary"), "did not answer (ConnectError)"),
        (Wanted(webhook="no address canary"), "did not answer"),
        (Wanted(command=["/nowhere/canary"]), "cannot be started"),
        (Wanted(command=[sys.executable, "-c", "raise SystemExit(3)"]), "exit code 3"),
    ],
)
def test_a_failing_hook_is_noticed_and_its_address_not_told(wanted: Wanted, detail: str) -> None:
    (noticed,) = tell(wanted, WALL)
    assert isinstance(noticed, MachineNotice)
    assert (noticed.trouble, noticed.open) == ("hook", True)
    assert detail in noticed.detail
    assert "canary" not in noticed.detail


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE_S", 0.2)
    command = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    (noticed,) = tell(Wanted(command=command), WALL)
    assert isinstance(noticed, MachineNotice)
    assert "took more than" in noticed.detail


def test_a_hook_that_is_well_again_is_noticed() -> None:
    wanted = Wanted(webhook="http://127.0.0.1:9/")
    written: list[AnyEvent] = []
    told = HookSender(wanted, written.append)
    asyncio.run(told.tell(WALL))
    with listening() as (url, _):
        wanted.webhook = url
        asyncio.run(told.tell(WALL))
    assert [one.open for one in written if isinstance(one, MachineNotice)] == [True, False]


def test_an_answer_that_is_an_error_is_one() -> None:
    with listening(500) as (url, _):
        (noticed,) = tell(Wanted(webhook=url), WALL)
    assert isinstance(noticed, MachineNotice)
    assert noticed.detail == "the webhook answered 500"


def test_what_is_no_matter_is_not_told() -> None:
    assert [compose_message(event) for event in QUIET] == [None] * len(QUIET)


def test_childrens_logs_go_by_number_and_by_age(tmp_path: Path) -> None:
    import os

    data = DataFolder(tmp_path)
    now = datetime.now(UTC)
    for entry, count in (("often", MOST_LOGS + 5), ("seldom", 2)):
        folder = data.daemon_dir / LOGS / entry
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"20261120T{number:06}Z.log").write_text("x")
    for log in (data.daemon_dir / LOGS / "seldom").iterdir():
        old = (now - timedelta(days=60)).timestamp()
        os.utime(log, (old, old))
    assert prune_logs(data, now) == 5 + 1
    left = sorted(path.name for path in (data.daemon_dir / LOGS / "often").iterdir())
    assert left[0] == "20261120T000005Z.log"
    assert len(list((data.daemon_dir / LOGS / "seldom").iterdir())) == 1  # the newest stays

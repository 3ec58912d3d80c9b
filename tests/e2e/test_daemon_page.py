"""The page of a real daemon, steered by a real browser."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.daemon.journal.events import ChildEnded, ChildStarted, read_events
from agent.daemon.web import address
from agent.drivers.web.browser import find_browser, list_arguments
from store.runs.data_folder import DataFolder

WAIT_MS = 60_000
WATCH = """
[limits]
disk_mib = 0
memory_mib = 0

[page]
port = 0

[[entry]]
name = "yearly"
cron = "0 0 1 1 *"
run = { persona = "p12", before = 2, after = 2 }
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    (tmp_path / "watch.toml").write_text(WATCH)
    command = [sys.executable, "-m", "agent", "daemon", "watch.toml"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_pause_resume_and_run_now(daemon: subprocess.Popen[str], tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    data = DataFolder(tmp_path / "data")
    assert daemon.stderr is not None
    link = next(line for line in daemon.stderr if "#token=" in line).split()[-1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser().path, args=list_arguments()
        )
        page = browser.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(link)
        title = page.get_by_role("heading", level=1)
        expect(title).to_have_text("Waiting for the next start", timeout=WAIT_MS)
        page.get_by_role("button", name="Pause everything").click()
        expect(title).to_have_text("Everything is paused", timeout=WAIT_MS)
        page.get_by_role("button", name="Resume everything").click()
        expect(title).to_have_text("Waiting for the next start", timeout=WAIT_MS)
        page.get_by_role("button", name="Run yearly now").click()
        expect(page.get_by_role("article", name="yearly")).to_contain_text(
            "running", timeout=WAIT_MS
        )
        page.get_by_role("button", name="Pause yearly").click()
        expect(page.get_by_role("article", name="yearly")).to_contain_text(
            "interrupted", timeout=WAIT_MS
        )
        browser.close()
    told = list(read_events(data.daemon_dir / "journal.jsonl"))
    assert [event.outcome for event in told if isinstance(event, ChildEnded)] == ["interrupted"]
    assert [event.entry for event in told if isinstance(event, ChildStarted)] == ["yearly"]
    kept = address.read_address(data.daemon_dir)
    assert kept is not None
    assert kept.link == link
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(60) == 0

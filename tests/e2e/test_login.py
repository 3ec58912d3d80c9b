"""Signing in by hand: a real window, a page that signs in by itself, a profile that lasts."""

from __future__ import annotations

import json
import os
import signal
import stat
import tarfile
from pathlib import Path

import pytest

from tests.e2e.commands import feedsway, ledgers, start, steps_written, until
from tests.xvfb import screen


@pytest.mark.drill
def test_a_session_is_signed_in_kept_checked_and_moved(sign_in_page: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    words = ["login", "tiktok", "--account", "p12-1", "--data", str(data)]
    before = feedsway(*words, "--check")
    assert before.returncode == 2
    assert "python -m agent login tiktok --account p12-1" in before.stderr
    with screen(1280, 900, tmp_path):
        done = feedsway(*words, "--url", sign_in_page)
    assert done.returncode == 0, done.stderr
    assert "p12-1 is signed in to tiktok until" in done.stdout
    after = feedsway(*words, "--check", "--json")
    assert json.loads(after.stdout)["signed_in_until"] > "2026"
    file = tmp_path / "p12.tar.gz"
    assert feedsway(*words, "--dump", str(file)).returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with tarfile.open(file) as tar:
        assert not any("Cache" in name for name in tar.getnames())
    moved = ["login", "tiktok", "--account", "p12-2", "--data", str(tmp_path / "other")]
    assert feedsway(*moved, "--restore", str(file)).returncode == 0
    for told in (before, done, after):
        assert "canary" not in told.stdout + told.stderr


def test_without_a_screen_it_says_so(sign_in_page: str, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    words = ["login", "tiktok", "--account", "a", "--data", str(tmp_path), "--url", sign_in_page]
    done = feedsway(*words, env=environment)
    assert done.returncode == 2
    assert "A window needs a screen" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_platform_without_accounts(tmp_path: Path) -> None:
    done = feedsway("login", "playground", "--account", "a", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "knows no accounts" in done.stderr


@pytest.mark.timeout(240)
@pytest.mark.drill
def test_a_run_needs_the_session_and_its_profile_survives_a_kill(
    sign_in_page: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    account = ["--account", "p12-1", "--data", str(data)]
    words = ["run", "--persona", "p12", "--platform", "instagram", "--skin", "plain", *account]
    words += ["--model", "scripted/coin?p=0.4", "--no-index", "--before", "9", "--after", "9"]
    refused = feedsway(*words)
    assert refused.returncode == 2
    assert "python -m agent login instagram --account p12-1" in refused.stderr
    with screen(1280, 900, tmp_path):
        assert feedsway("login", "instagram", *account, "--url", sign_in_page).returncode == 0
    process = start(*words, log=tmp_path / "log")
    until(lambda: steps_written(data) >= 4, limit_s=120)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    again = feedsway(*words)
    assert again.returncode == 0, again.stderr
    assert "resumed" in again.stderr
    (ledger,) = ledgers(data)  # the refused run left none
    assert ledger.started.signed_in is True
    assert ledger.status == "complete"
    assert sum(step.eligible for step in ledger.steps) == 18

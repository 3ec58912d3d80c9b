"""Signing in by hand: a real window, a page that signs in by itself, a profile that lasts."""

from __future__ import annotations

import json
import stat
import tarfile
from pathlib import Path

from tests.e2e.commands import feedsway
from tests.xvfb import screen


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

"""Bad input gets one clear sentence that says what to type, exit code 2 and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress
from io import FileIO
from pathlib import Path

import pytest

from tests.e2e.commands import feedsway, is_root, only, start, steps_written, until

P12 = ("run", "--persona", "p12")
SHORT = ("--before", "15", "--after", "15")


def refused(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    told = done.stderr.strip().splitlines()[-1]
    for words in expected:
        assert words in told, told
    assert len(done.stderr) < 700, done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("run", "--persona", "p1222"), ["no persona 'p1222'", "p12", "Type:"]),
        (("run",), ["Type: python -m agent run --persona p12"]),
        ((*P12, "--platform", "tikktok"), ["no platform 'tikktok'", "Type:"]),
        ((*P12, "--model", "embeded/conse"), ["no model", "embedded/conse", "Type:"]),
        ((*P12, "--strategy", "simpel"), ["no strategy 'simpel'", "Type:"]),
        ((*P12, "--browser", "/no/browser"), ["no browser at '/no/browser'", "Type:"]),
        ((*P12, "--before", "0", "--after", "0"), ["nothing to watch", "Type:"]),
        ((*P12, "--encoder", "clop"), ["no encoder 'clop'", "Type:"]),
        ((*P12, "--arm", "yoked"), ["Type: --arm yoked --yoke RUN"]),
        ((*P12, "--strategy", "plain"), ["no taste of its own", "Type:"]),
        ((*P12, "--platform", "tiktok", "--speed", "2"), ["speed of life", "Type: --speed 1"]),
        ((*P12, "--platform", "youtube", "--feed", "random"), ["playground's own", "Type:"]),
    ],
)
def test_unknown_names(words: tuple[str, ...], expected: list[str], tmp_path: Path) -> None:
    refused(feedsway(*words, "--data", str(tmp_path / "data")), *expected)


def test_a_persona_file_that_is_none(tmp_path: Path) -> None:
    mine = tmp_path / "me.toml"
    mine.write_text('id = "me"\ntraits = ["one"]\n', encoding="utf-8")
    refused(feedsway("run", "--persona", str(mine), "--data", str(tmp_path)), "me.toml", "Type:")


def test_an_unreadable_catalogue(tmp_path: Path) -> None:
    words = ("--catalogue", str(tmp_path / "clips"), "--data", str(tmp_path / "data"))
    done = feedsway(*P12, "--model", "scripted/no", "--no-index", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "clips" in done.stderr
    assert "Type:" in done.stderr


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = feedsway("playground", "--port", port)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert f"{port}" in done.stderr
    assert "Type:" in done.stderr or "--port" in done.stderr


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    if is_root():  # rights hold root back nowhere, but a file is no folder for anyone
        blocked = tmp_path / "file"
        blocked.write_text("not a folder", encoding="utf-8")
        data = blocked / "data"
    else:
        data = tmp_path / "data"
        data.mkdir(mode=0o500)
    refused(feedsway(*P12, "--data", str(data)), "cannot be written", "--data FOLDER")


def test_no_browser_at_all(tmp_path: Path) -> None:
    empty = {**os.environ, "PATH": str(tmp_path), "HOME": str(tmp_path)}
    empty["PLAYWRIGHT_BROWSERS_PATH"] = str(tmp_path)
    done = feedsway(*P12, "--data", str(tmp_path / "data"), env=empty)
    refused(done, "No browser was found", "Type: make browser")


def _over(process: subprocess.Popen[bytes], filler: FileIO) -> bool:
    """Take what room there is, until it is over: a full disk makes a browser give some back."""
    with suppress(OSError):
        while filler.write(b"x" * (1 << 20)):
            pass
    return process.poll() is not None


@pytest.mark.drill
@pytest.mark.skipif(not is_root(), reason="a disk of one's own needs the right to mount it")
def test_a_full_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    data = tmp_path / "disk"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=230m", "tmpfs", str(data)], check=True)
    try:
        words = (*P12, *SHORT, "--model", "scripted/coin?p=0.2", "--data", str(data), "--no-index")
        process = start(*words, log=tmp_path / "log")
        until(lambda: steps_written(data) >= 5)
        filler = data / "filler"
        with filler.open("wb", buffering=0) as file:
            until(lambda: _over(process, file))
        code = process.wait()
        told = (tmp_path / "log").read_text(encoding="utf-8")
        assert code == 2, told
        assert "Traceback" not in told
        assert "cannot be written (No space left on device)" in told
        kept = only(data)
        assert kept.status == "interrupted"
        filler.unlink()
        done = feedsway(*words)
        assert done.returncode == 0, done.stderr
        assert only(data).steps[: len(kept.steps)] == kept.steps
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)

"""A lock says who holds it: a living process, since when, by which command; nobody else."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from store.jsonl.locks import LockHeld, NamedLock, holder, signature


def sign(path: Path, pid: int, host: str, at: datetime) -> None:
    path.write_text(json.dumps({"pid": pid, "host": host}))
    os.utime(path, (at.timestamp(), at.timestamp()))


def test_a_holder_is_named_and_after_its_release_nobody(tmp_path: Path) -> None:
    lock, other = NamedLock(tmp_path / "a" / ".lock"), NamedLock(tmp_path / "a" / ".lock")
    before = datetime.now(UTC) - timedelta(seconds=2)
    lock.acquire()
    found = signature(lock.path)
    assert found is not None
    pid, host, since, command = found
    assert (pid, host) == (os.getpid(), platform.node())
    assert before < since <= datetime.now(UTC) + timedelta(seconds=2)
    assert command == " ".join(psutil.Process().cmdline())
    words = f"process {pid} on {host} since {since:%Y-%m-%d %H:%M} UTC ({command})"
    assert holder(lock.path) == words
    with pytest.raises(LockHeld) as refused:
        other.acquire()
    assert str(refused.value) == words
    lock.release()
    assert lock.path.read_bytes() == b""
    assert holder(lock.path) is None
    other.acquire()
    other.release()


def test_the_name_of_a_dead_process_or_an_older_one_of_its_number_is_not_believed(
    tmp_path: Path,
) -> None:
    path, here = tmp_path / ".lock", platform.node()
    now = datetime.now(UTC)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    sign(path, ended.pid, here, now)
    assert signature(path) is None
    sign(path, os.getpid(), here, datetime(2001, 1, 1, tzinfo=UTC))  # signed before it began
    assert signature(path) is None
    sign(path, os.getpid(), here, now)
    assert signature(path) is not None


def test_a_holder_on_another_machine_is_believed_without_its_command(tmp_path: Path) -> None:
    at = datetime(2026, 10, 3, 8, 5, tzinfo=UTC)
    sign(tmp_path / ".lock", 17, "elsewhere", at)
    assert signature(tmp_path / ".lock") == (17, "elsewhere", at, "")
    assert holder(tmp_path / ".lock") == "process 17 on elsewhere since 2026-10-03 08:05 UTC"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"pid": 17}', '{"pid": 0, "host": "h"}', '{"pid": -1, "host": "h"}'],
)
def test_a_signature_that_cannot_be_read_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / ".lock").write_text(text)
    assert signature(tmp_path / ".lock") is None
    assert signature(tmp_path / "absent") is None

"""Who answers is told by what it is made of: content, versions, settings, a declared revision."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.errors import BadConfig
from agent.models import load, scripted
from agent.models.api import ServedModel
from agent.models.base import Reply
from agent.models.fingerprint import weights
from agent.run.start_or_resume import refuse_other_model
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.agent.models import tiny
from tests.agent.models.made_models import Recorded
from tests.store.samples import keep_run


def checkpoint(folder: Path, content: bytes = b"abcd") -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(content)
    (folder / "README.md").write_text("words", "utf-8")
    return folder


def test_weights_that_change_in_place_are_another_model(tmp_path: Path) -> None:
    folder, cache = checkpoint(tmp_path / "a"), tmp_path / "cache"
    before = weights(folder, cache)
    assert weights(folder, cache) == before == weights(checkpoint(tmp_path / "b"), cache)
    file = folder / "model.safetensors"
    stat = file.stat()
    file.write_bytes(b"abce")  # as many bytes, in the same inode, with the time put back
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.stat().st_ino == stat.st_ino
    assert weights(folder, cache) != before
    file.write_bytes(b"abcd")
    assert weights(folder, cache) == before
    (folder / "README.md").write_text("other words", "utf-8")
    assert weights(folder, cache) == before
    (folder / "config.json").write_text("{ }", "utf-8")
    assert weights(folder, cache) != before


def test_content_is_read_once_and_again_where_the_cache_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = checkpoint(tmp_path / "a"), tmp_path / "cache"
    found = weights(folder, cache)
    for kept in cache.iterdir():
        kept.write_bytes(b"{")
    assert weights(folder, cache) == found

    def never(*_: object) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("hashlib.file_digest", never)
    assert weights(folder, cache) == found


@pytest.mark.drill
def test_a_local_model_is_told_by_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tiny.save_llava(tmp_path / "llava")
    first = load(f"hfvlm/{folder}", device="cpu").fingerprint
    assert load(f"hfvlm/{folder}", device="cpu").fingerprint == first
    (file,) = folder.glob("*.safetensors")
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1  # one bit of one weight
    file.write_bytes(raw)
    assert load(f"hfvlm/{folder}", device="cpu").fingerprint != first


@pytest.mark.drill
def test_the_embedded_viewer_is_told_by_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = load("embedded/conse")
    before = viewer.fingerprint
    assert load("embedded/conse").fingerprint == before
    monkeypatch.setattr("agent.models.fingerprint.version", lambda name: "9.9.9")
    assert viewer.fingerprint != before


def test_scripts_are_told_by_their_settings() -> None:
    names = ("scripted/coin?p=0.3", "scripted/coin?p=0.4", "scripted/yes", "scripted/no")
    assert len({scripted.load(name).fingerprint for name in names}) == len(names)


def served(monkeypatch: pytest.MonkeyPatch, revision: str | None, **options: Any) -> ServedModel:
    monkeypatch.setenv("LOOPBACK_API_KEY", "none")
    monkeypatch.setenv("LOOPBACK_BASE_URL", "http://127.0.0.1:9/v1")
    model = load("openai-api/loopback/tiny", revision, **options)
    assert isinstance(model, ServedModel)
    return model


def test_a_served_model_is_told_by_what_was_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [served(monkeypatch, revision).fingerprint for revision in (None, "a", "b", "a")]
    assert told[0].startswith("undeclared-")
    assert told[1] == told[3]
    assert len(set(told)) == 3
    assert served(monkeypatch, "a", max_tokens=9).fingerprint != told[1]


def test_limits_and_retries_are_no_part_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = served(monkeypatch, "a")
    patient = served(monkeypatch, "a", timeout=99, attempt_timeout=90, max_retries=9)
    assert patient.fingerprint == plain.fingerprint
    assert patient.settings == plain.settings


def test_a_revision_of_weights_that_are_here_is_refused() -> None:
    words = ("rejudge", "latest", "--model", "scripted/yes", "--model-revision", "v2")
    refused = CliRunner().invoke(cli, words)
    assert refused.exit_code == 2
    assert refused.stderr.endswith("Type: the same without --model-revision\n")


def test_a_run_does_not_go_on_as_another_model(tmp_path: Path) -> None:
    keep_run(DataFolder(tmp_path), "r1", ["red"])
    run = read(DataFolder(tmp_path).ledger_path("r1"))
    model = Recorded(lambda question: Reply("Yes"))
    refuse_other_model(None, model)
    refuse_other_model(run.started, model)  # an older ledger declares none
    mine = run.started.model_copy(update={"fingerprint": model.fingerprint})
    refuse_other_model(mine, model)
    other = run.started.model_copy(update={"fingerprint": "another"})
    with pytest.raises(BadConfig, match=r"another.*Type: the same command with --new"):
        refuse_other_model(other, model)

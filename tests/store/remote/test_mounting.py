"""Which folders and settings a command takes for a data folder elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli import cli
from store.cli.main import main
from tests.agent.study.test_shards import study_file


@pytest.mark.parametrize("given", ["abc", "0", "-1", "1", "nan", "inf", "1e9"])
def test_seconds_that_no_lease_lasts_are_refused(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDSWAY_LEASE_S", given)
    monkeypatch.setenv("FEEDSWAY_CACHE", str(tmp_path / "caches"))
    told = CliRunner().invoke(main, ["runs", "--data", f"file://{tmp_path}/shared"])
    assert told.exit_code == 2
    assert "Set it to seconds from 10 to 3600." in told.stderr


def test_a_strangers_folder_is_no_cache_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its mark would have our files put up, and theirs written where its links lead."""
    monkeypatch.setenv("FEEDSWAY_CACHE", str(tmp_path / "caches"))
    folder, shared = tmp_path / "stranger", f"file://{tmp_path}/shared"
    folder.mkdir()
    (folder / "notes.txt").write_text("ours")
    (folder / ".mirror.json").write_text(json.dumps({"url": shared, "machine": "m"}))
    told = CliRunner().invoke(main, ["runs", "--data", str(folder)])
    assert told.exit_code == 2
    assert "was made elsewhere as a cache of" in told.stderr
    assert "type: rm" in told.stderr
    assert not (tmp_path / "shared").exists()
    assert CliRunner().invoke(main, ["runs", "--data", shared]).exit_code == 0
    (cache,) = (tmp_path / "caches").iterdir()
    assert CliRunner().invoke(main, ["runs", "--data", str(cache)]).exit_code == 0


def test_a_study_on_a_cluster_refuses_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its nodes would each write into a folder that nobody else sees."""
    monkeypatch.setenv("FEEDSWAY_CACHE", str(tmp_path / "caches"))
    words = ["study", str(study_file(tmp_path)), "--on", "ray", "--data", f"file://{tmp_path}/x"]
    told = CliRunner().invoke(cli, words)
    assert told.exit_code == 2
    assert "need a folder that all its nodes share" in told.stderr

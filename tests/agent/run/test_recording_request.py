"""A run of a recording: which one it watches is part of what it is."""

from __future__ import annotations

import gzip
from pathlib import Path

from agent.recordings.recording_file import NAME
from agent.run.run_options import RunRequest, config_of_request
from store.runs.data_folder import DataFolder

COMMITTED = next((Path(__file__).parents[2] / "recordings" / "tiktok").rglob(NAME))


def digest_of(folder: Path, data: Path) -> str:
    request = RunRequest(persona="p12", platform="recording", of=str(folder), before=1, after=1)
    return config_of_request(request, DataFolder(data)).digest()


def test_another_recording_of_the_same_name_is_another_run(tmp_path: Path) -> None:
    """The same command would else go on with half of one feed and half of another."""
    path = tmp_path / "made" / NAME
    path.parent.mkdir()
    path.write_bytes(COMMITTED.read_bytes())
    first = digest_of(path.parent, tmp_path)
    assert digest_of(path.parent, tmp_path) == first
    text = gzip.decompress(COMMITTED.read_bytes()).replace(b'"locale":"en-US"', b'"locale":"de-DE"')
    path.write_bytes(gzip.compress(text))
    assert digest_of(path.parent, tmp_path) != first

"""Four small clips for the pages that tests make themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.serving import make_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four test patterns of six seconds."""
    folder = tmp_path_factory.mktemp("clips")
    size = "testsrc2=size=270x480:rate=15:duration=6"
    make_clips(folder, [f"{size},hue=h={hue}" for hue in range(0, 360, 90)])
    return folder

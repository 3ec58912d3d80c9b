"""Four small clips for the pages that tests make themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four test patterns of six seconds."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(4):
        source = f"testsrc2=size=270x480:rate=15:duration=6,hue=h={number * 90}"
        subprocess.run(
            [
                imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i", source,
                "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k",
                str(folder / f"clip{number}.webm"),
            ],
            check=True,
        )  # fmt: skip
    return folder

"""What the set-up installs under the GPL is named in the README, and nothing else is."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
SHORT = 80
"""A licence field beyond this is a text, which may quote other licences."""


def installed() -> set[str]:
    """Every package that feedsway's own requirements bring here, its extras left out."""
    found: set[str] = set()
    waiting = ["feedsway"]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # of another system
        if name not in found:
            found.add(name)
            waiting += [
                re.split(r"[^\w.-]", need, maxsplit=1)[0]
                for need in needs
                if "extra ==" not in need
            ]
    return found


def says_gpl(name: str) -> bool:
    about = distribution(name).metadata
    fields = [*(about.get_all("License") or []), *(about.get_all("License-Expression") or [])]
    said = [field for field in fields if len(field) < SHORT]
    said += [one for one in about.get_all("Classifier") or [] if one.startswith("License")]
    return bool(re.search(r"(?<!L)GPL|(?<!Lesser )General Public", " ".join(said)))


def named() -> set[str]:
    """Packages of the README's table; the packaged program is named beside them."""
    text = README.read_text(encoding="utf-8")
    table = text[text.index("under the GPL") :]
    return {name.lower() for name in re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE)}


def test_packages_under_the_gpl_are_named() -> None:
    packages = installed()
    assert {"pyautogui", "imageio-ffmpeg", "numpy"} <= packages
    assert {name for name in packages if says_gpl(name)} == named() & packages
    assert "mouseinfo" in named()


def test_the_packaged_ffmpeg_is_named_with_its_licence() -> None:
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-L"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text = README.read_text(encoding="utf-8")
    version = re.search(r"either version (\d)", " ".join(told.split()))
    assert version is not None or sys.platform != "linux", "its text has changed: read it anew"
    if version is not None and "Lesser" not in told:
        row = f"`ffmpeg` program in `imageio-ffmpeg` | GPL {version[1]} or later"
        assert row in text

"""The image's recipe: read by hadolint, and by the rules that matter here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "deploy" / "Dockerfile"
LINTER = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


@pytest.mark.skipif(LINTER is None, reason="make setup installs hadolint")
@pytest.mark.parametrize("spoilt", [False, True])
def test_hadolint_finds_nothing(spoilt: bool, tmp_path: Path) -> None:
    assert LINTER is not None
    recipe = tmp_path / "Dockerfile"
    more = "RUN cd /tmp && sudo apt-get install curl\n" if spoilt else ""
    recipe.write_text(RECIPE.read_text("utf-8") + more, encoding="utf-8")
    done = subprocess.run([LINTER, str(recipe)], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is not spoilt, done.stdout


def test_the_image_installs_by_hash_and_runs_as_nobody_special() -> None:
    text = RECIPE.read_text("utf-8")
    lines = [line for line in text.replace("\\\n", "").splitlines() if line[:1] not in ("#", "")]
    installs = [line for line in lines if re.search(r"\bpip3? (install|download)", line)]
    assert len(installs) == 1
    assert "--no-deps --no-build-isolation" in installs[0]  # feedsway itself, from the context
    assert "RUN python deploy/install.py run --no-cache-dir" in lines
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]
    assert lines.index(users[-1]) < min(
        n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT")
    )
    assert not re.search(r"(?i)(api_key|token|password|secret)\s*=", text)
    assert not re.search(r"\b(curl|wget)\b|^ADD |https?://", text, re.MULTILINE)
    assert re.search(r"^FROM python:3\.\d+-slim-\w+$", text, re.MULTILINE)


def test_what_the_image_copies_is_let_in() -> None:
    let_in = set(re.findall(r"^!(.+)$", RECIPE.with_suffix(".dockerignore").read_text(), re.M))
    copied = [line.split()[1:-1] for line in RECIPE.read_text().splitlines() if line[:5] == "COPY "]
    names = {name for words in copied for name in words}
    assert len(names) > 7
    assert names <= let_in

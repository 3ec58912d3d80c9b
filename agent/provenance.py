"""What produced a run: the code, the libraries, the machine."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

from store.runs.run_provenance import Provenance

LIBRARIES = (
    "playwright",
    "torch",
    "transformers",
    "open_clip_torch",
    "chromadb",
    "inspect_ai",
    "numpy",
    "pillow",
)


@cache
def provenance() -> Provenance:
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name)
    commit = _git("rev-parse", "HEAD") if tracked else None  # else: some other project's checkout
    changes = _git("status", "--porcelain", "--untracked-files=no") if commit else None
    version = metadata.version("feedsway")
    return Provenance(
        code_version=f"{version}+{commit[:12]}" if commit else version,
        code_dirty=None if changes is None else bool(changes),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        libraries={name: metadata.version(name) for name in LIBRARIES},
    )


def _git(*arguments: str) -> str | None:
    """Ask git about the checkout that this file lies in; ``None`` where it lies in none."""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None

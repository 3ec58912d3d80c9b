"""``python deploy/install.py run``: install the locked packages, each file with a known hash.

It needs pip alone. feedsway itself comes after it: ``pip install --no-deps --no-build-isolation .``
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

LOCKS = Path(__file__).parent.parent / "locks"
LISTS = {"run": ("run",), "dev": ("run", "dev")}
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--quiet")
LOCKED = ("--no-deps", "--require-hashes", "--no-build-isolation")


def install_lists(names: tuple[str, ...], more: list[str]) -> None:
    """Have pip install lock files; leaves with pip's exit code where it stops."""
    lists = [word for name in names for word in ("--requirement", str(LOCKS / f"{name}.txt"))]
    code = subprocess.run([sys.executable, *PIP, *LOCKED, *lists, *more], check=False).returncode
    if code:
        told = "The locked packages were not installed; pip says why above."
        sys.stderr.write(f"{told} What locks are: docs/supply-chain.md\n")
        sys.exit(code)


def wants_cuda() -> bool:
    """Whether the installed torch is a build for NVIDIA's GPUs, by what it asks for."""
    try:
        return any(one.startswith(("cuda-", "nvidia-")) for one in requires("torch") or ())
    except PackageNotFoundError:
        return False


def main(words: list[str]) -> None:
    """Install a list of locks; what follows its name is for pip."""
    if not words or words[0] not in LISTS:
        sys.exit("Which packages? Type: python deploy/install.py run (or dev)")
    install_lists(("build",), words[1:])  # it builds those that come as sources
    install_lists(LISTS[words[0]], words[1:])
    if wants_cuda():
        install_lists(("cuda",), words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])

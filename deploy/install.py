"""``python deploy/install.py run``: install the locked packages, each file with a known hash.

It needs pip alone. feedsway itself comes after it: ``pip install --no-deps --no-build-isolation .``
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

LOCKS = Path(__file__).parent / "locks"
LISTS = {"run": ("run",), "dev": ("run", "dev")}
PIP = (sys.executable, "-m", "pip")
QUIET = ("--disable-pip-version-check", "--quiet")
LOCKED = ("--no-deps", "--require-hashes", "--no-build-isolation")


def call_pip(verb: str, *words: str) -> None:
    """Call pip; leaves with its exit code where it stops."""
    code = subprocess.run([*PIP, verb, *QUIET, *words], check=False).returncode
    if code:
        told = "The locked packages were not installed; pip says why above."
        sys.stderr.write(f"{told} What locks are: docs/supply-chain.md\n")
        sys.exit(code)


def install_lists(names: tuple[str, ...], *more: str) -> None:
    """Have pip install lock files, and compare the hash of each file."""
    lists = [word for name in names for word in ("--requirement", str(LOCKS / f"{name}.txt"))]
    call_pip("install", *LOCKED, *lists, *more)


def install_torch(*more: str) -> None:
    """Install the build of torch that pip prefers here, if its hash is one of those in the lock.

    Told all hashes, pip prefers a file whose hash an index names, which may be gigabytes for GPUs,
    over a build for CPUs that lies in a folder. So the file comes first, and is compared then.
    """
    pin = re.search(r"^torch==\S+", (LOCKS / "torch.txt").read_text("utf-8"), re.MULTILINE)
    if pin is None or pin[0] == f"torch=={read_version('torch').partition('+')[0]}":
        return
    with tempfile.TemporaryDirectory() as folder:
        call_pip("download", "--no-deps", "--only-binary", ":all:", "--dest", folder, pin[0])
        install_lists(("torch",), "--no-index", "--find-links", folder, *more)


def read_version(package: str) -> str:
    """Return the version of an installed package, or nothing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def wants_cuda() -> bool:
    """Whether the installed torch is a build for NVIDIA's GPUs, by what it asks for."""
    needs = requires("torch") if read_version("torch") else None
    return any(one.startswith(("cuda-", "nvidia-")) for one in needs or ())


def main(words: list[str]) -> None:
    """Install a list of locks; what follows its name is for ``pip install``."""
    if not words or words[0] not in LISTS:
        sys.exit("Which packages? Type: python deploy/install.py run (or dev)")
    install_lists(("build",), *words[1:])  # it builds those that come as sources
    install_torch(*words[1:])
    install_lists(LISTS[words[0]], *words[1:])
    if wants_cuda():
        install_lists(("cuda",), *words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])

"""``make lock``: resolve once for every system, and write what is chosen with its hashes.

One resolution becomes five files: what builds, torch, what feedsway runs on, what its development
needs beside that, and what a build of torch for NVIDIA's GPUs asks for.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = ROOT / "deploy" / "locks"
FILES = ("build", "torch", "run", "dev", "cuda")
CUDA = ("cuda-", "nvidia-", "triton")
"""How the packages begin that torch asks for in its builds for GPUs alone."""
MANY = "torch"
"""It has builds that no public index of packages lists: hashes of its version are kept."""
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_HEAD = (
    "# Written by `make lock`. Installed by deploy/install.py, which compares every file's hash.\n"
)


def split_entries(text: str) -> dict[str, str]:
    """Return a lock's entries by their first words: ``name==version ; marker``."""
    entries = re.split(r"\n(?=\S)", text.strip())
    kept = [one for one in entries if "==" in one.partition("\n")[0] and one[0] != "#"]
    return {one.partition(" \\\n")[0]: one for one in kept}


def read_name(pin: str) -> str:
    """Return the package's name of an entry, spelt as indexes do."""
    return re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower()


def read_locks() -> dict[str, str]:
    """Return the entries of all lock files that are there."""
    found: dict[str, str] = {}
    for name in FILES:
        path = LOCKS / f"{name}.txt"
        found |= split_entries(path.read_text("utf-8")) if path.exists() else {}
    return found


def add_hashes(entries: Mapping[str, str], more: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return the entries with further files' hashes, where the version is the same."""
    both = {}
    for pin, entry in entries.items():
        hashes = sorted({*_HASH.findall(entry), *more.get(pin, ())})
        both[pin] = " \\\n".join([pin, *(f"    --hash={one}" for one in hashes)])
    return both


def hash_wheels(wheels: Sequence[Path], pins: Iterable[str]) -> dict[str, list[str]]:
    """Return the hashes of other builds of pinned versions, such as torch's for CPUs alone."""
    known = {pin.partition(" ;")[0].lower(): pin for pin in pins}
    found: dict[str, list[str]] = {}
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        pin = known.get(f"{read_name(name)}=={version.partition('+')[0]}")
        if pin is None:
            raise SystemExit(f"{wheel.name} is no build of a locked version. See deploy/locks/")
        with wheel.open("rb") as stream:
            found.setdefault(pin, []).append(f"sha256:{file_digest(stream, 'sha256').hexdigest()}")
    return found


def resolve(uv: str, wanted: Path, extra: Sequence[str], chosen: str) -> dict[str, str]:
    """Have uv choose versions for every system, as chosen before wherever that still fits."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        build, out = Path(folder) / "build.in", Path(folder) / "lock.txt"
        build.write_text("\n".join(told["build-system"]["requires"]) + "\n", "utf-8")
        out.write_text(chosen, "utf-8")
        command = [uv, "pip", "compile", str(wanted), str(build), *extra, "--universal"]
        command += ["--python-version", told["project"]["requires-python"].removeprefix(">=")]
        command += ["--generate-hashes", "--no-annotate", "--no-header", "--system-certs"]
        subprocess.run([*command, "--quiet", "--output-file", str(out)], check=True)
        return split_entries(out.read_text("utf-8"))


def write_locks(entries: Mapping[str, str], run: Iterable[str], build: Iterable[str]) -> None:
    """Write the files; an entry is in one of them."""
    run_names, build_names = set(map(read_name, run)), set(build)
    texts = dict.fromkeys(FILES, "")
    for pin in sorted(entries, key=lambda one: (read_name(one), one)):
        name = read_name(pin)
        if name.startswith(CUDA):
            place = "cuda"
        elif name == MANY:
            place = MANY
        elif name in build_names:
            place = "build"
        else:
            place = "run" if name in run_names else "dev"
        texts[place] += entries[pin] + "\n"
    LOCKS.mkdir(exist_ok=True)
    for name, text in texts.items():
        (LOCKS / f"{name}.txt").write_text(_HEAD + text, "utf-8")


def main() -> None:
    """Read the command line and lock."""
    parser = argparse.ArgumentParser(prog="python -m deploy.lock", description=main.__doc__)
    parser.add_argument("--uv", default="uv", help="The uv to resolve with.")
    parser.add_argument("--upgrade", action="store_true", help="Choose the newest versions anew.")
    parser.add_argument("--also", nargs="*", type=Path, default=(), help="Other builds' wheels.")
    asked = parser.parse_args()
    before = read_locks()
    chosen = "" if asked.upgrade else "\n".join(before.values())
    project = ROOT / "pyproject.toml"
    entries = resolve(asked.uv, project, ["--extra", "dev"], chosen)
    run = resolve(asked.uv, project, [], "\n".join(entries.values()))
    kept = {pin: _HASH.findall(before.get(pin, "")) for pin in entries if read_name(pin) == MANY}
    also = hash_wheels(asked.also, entries)
    for pin, hashes in also.items():
        kept[pin] = [*kept.get(pin, ()), *hashes]
    told = tomllib.loads(project.read_text("utf-8"))["build-system"]["requires"]
    write_locks(add_hashes(entries, kept), run, [re.split(r"[^\w.-]", one)[0] for one in told])
    changed = len(set(entries) ^ set(before))
    told = (
        f"{len(entries)} packages are locked, {changed} of them anew. Type: git diff deploy/locks"
    )
    sys.stderr.write(f"{told}\n")


if __name__ == "__main__":
    main()

"""``make release``: check, build and list a release in ``build/release``; publishes nothing.

The same commit gives the same bytes: files are those that git tracks, and times are the commit's.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from hashlib import file_digest
from pathlib import Path

from deploy.sbom import write_lists

ROOT = Path(__file__).parent.parent
OUT = ROOT / "build" / "release"
_BUILD = "import sys; from setuptools import build_meta as b; b.build_{}(sys.argv[1])"
"""What pip does in the end, with the locked setuptools and nothing fetched for it."""


def ask_git(*words: str) -> str:
    """Return what git says of this repository."""
    command = ["git", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def check_state(version: str, changelog: str, unclean: str, tags: str) -> list[str]:
    """Return what keeps this from being released, each with what to type."""
    faults = []
    if unclean:
        faults.append("There are changes that are not committed. Type: git status")
    if not re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        faults.append(
            f"CHANGELOG.md has no heading '## {version}'. Rename 'Unreleased', and type: git commit"
        )
    if f"v{version}" in tags.split():
        faults.append(f"There is a tag v{version}. Raise the version in pyproject.toml")
    return faults


def export_commit(folder: Path) -> int:
    """Write the files of the last commit, and return its time."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return int(ask_git("log", "-1", "--format=%ct"))


def build(kind: str, source: Path, out: Path, time: int) -> Path:
    """Build a ``wheel`` or an ``sdist`` of a folder, with the commit's time in it."""
    out.mkdir(parents=True, exist_ok=True)
    before = set(out.iterdir())
    done = subprocess.run(
        [sys.executable, "-P", "-c", _BUILD.format(kind), str(out)],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(time)},
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )
    if done.returncode:
        sys.exit(f"{done.stderr}\nThe {kind} was not built. Type: make setup")
    (made,) = set(out.iterdir()) - before
    if kind == "sdist":
        repack_sdist(made, time)
    return made


def repack_sdist(path: Path, time: int) -> None:
    """Pack a source archive anew, so that it holds no time, order or owner of this machine."""
    packed = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = time, 0, 0, "", ""
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    path.write_bytes(gzip.compress(packed.getvalue(), mtime=time))


def build_both(out: Path) -> list[Path]:
    """Build both from the last commit; the source archive has to give the same wheel again."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        time = export_commit(place / "source")
        shutil.copytree(place / "source", place / "sdist")  # a build leaves files in its folder
        wheel = build("wheel", place / "source", out, time)
        sdist = build("sdist", place / "sdist", out, time)
        with tarfile.open(sdist) as archive:
            archive.extractall(place / "again", filter="data")
        (again,) = (place / "again").iterdir()
        second = build("wheel", again, place / "wheels", time)
        if second.read_bytes() != wheel.read_bytes():
            sys.exit(f"{sdist.name} builds another wheel than the commit does.")
        return [wheel, sdist]


def build_image(version: str) -> str:
    """Build the image where a Docker daemon answers; say what became of it."""
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "info"], capture_output=True, check=False).returncode
    ):
        return "No Docker daemon answers here: there is no image."
    tag = f"feedsway:{version}"
    command = [docker, "build", "--file", "deploy/Dockerfile", "--tag", tag, "."]
    subprocess.run(command, cwd=ROOT, check=True)
    subprocess.run([docker, "run", "--rm", tag, "--version"], check=True)
    return (
        f"The image is {tag}. To publish it, tag it with your registry's name and docker push it."
    )


def write_sums(files: list[Path], out: Path) -> Path:
    """Write the files' hashes, as ``sha256sum --check`` reads them."""
    lines = []
    for path in sorted(files):
        with path.open("rb") as stream:
            lines.append(f"{file_digest(stream, 'sha256').hexdigest()}  {path.name}\n")
    sums = out / "SHA256SUMS"
    sums.write_text("".join(lines), "utf-8")
    return sums


def main() -> None:
    """Check the state, then build; a draft may have faults, which are named."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=main.__doc__)
    parser.add_argument("--draft", action="store_true", help="Build in spite of what is not ready.")
    asked = parser.parse_args()
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    unclean = ask_git("status", "--porcelain")
    faults = check_state(told, changelog, unclean, ask_git("tag", "--list"))
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    if faults and not asked.draft:
        sys.exit("Nothing was built. To build a draft all the same: make release DRAFT=1")
    shutil.rmtree(OUT, ignore_errors=True)
    files = [*build_both(OUT), *write_lists(OUT)]
    files.append(write_sums(files, OUT))
    sys.stdout.writelines(f"{path.relative_to(ROOT)}\n" for path in files)
    sys.stderr.write(f"{build_image(told)}\nNothing was published. To do so, type:\n")
    sys.stderr.write(f"  git tag --sign v{told} && git push origin v{told}\n")
    sys.stderr.write("  twine upload build/release/*.whl build/release/*.tar.gz\n")


if __name__ == "__main__":
    main()

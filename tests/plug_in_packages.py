"""Packages with plug-ins: the example as pip installs it, and small ones that are written here."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import pytest

from personas import strategies
from store.encoders import registry
from store.plug_ins import entry_points as plug_ins

SOURCE = Path(__file__).with_name("plug_in_example")


def install(source: Path, target: Path) -> Path:
    """Install a package into a folder, with nothing but what is on this machine."""
    copy = target.with_name(f"{target.name}-source")
    copytree(source, copy)  # building leaves files behind
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    subprocess.run([*command, str(copy)], check=True, capture_output=True, text=True)
    return target


def write_package(
    folder: Path, name: str, code: str, points: Mapping[str, str], version: str = "1.0"
) -> Path:
    """Write a package of one module as pip would have installed it.

    ``points`` are targets by the group's last part and the name, as in ``models.mine``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    facts = folder / f"{name}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = []
    for point, target in points.items():
        group, _, key = point.partition(".")
        lines += [f"[feedsway.{group}]", f"{key} = {target}"]
    (facts / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    list_files(folder, facts)
    return folder


def list_files(folder: Path, facts: Path) -> None:
    """Write the list of a package's files, as pip does: all of the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    (facts / "RECORD").write_text("".join(f"{name},,\n" for name in names), encoding="utf-8")


@contextmanager
def seen(*folders: Path) -> Iterator[None]:
    """Let this process find the packages of these folders, and forget them afterwards."""
    with pytest.MonkeyPatch.context() as patched:
        known = set(sys.modules)
        for folder in folders:
            patched.syspath_prepend(folder)
        forget()
        try:
            yield
        finally:
            for name in set(sys.modules) - known:
                home = getattr(sys.modules[name], "__file__", None)
                if home and any(Path(home).is_relative_to(folder) for folder in folders):
                    del sys.modules[name]
    forget()


def forget() -> None:
    """Have everything looked up anew, as in a new process."""
    importlib.invalidate_caches()
    for kept in (
        plug_ins._declared,
        plug_ins._installed,
        plug_ins._load,
        plug_ins._hash_code,
        strategies._bytes,
        strategies._sheet,
        registry.load,
    ):
        kept.cache_clear()

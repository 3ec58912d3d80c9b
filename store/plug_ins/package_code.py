"""The code of an installed package: one hash of every file that can make it answer as it does."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_DIGITS = 16
_BUILT = ("__pycache__", "node_modules", "build", "dist")
"""Folders of a project that are made of others, or belong to tools."""
_SCRIPTS = ("bin", "Scripts")
"""Folders whose files begin with where this machine keeps Python."""


def find_home(module: str) -> Path | None:
    """Return the folder of a package, or the file of a module, without importing it."""
    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None


def hash_package(dist: Distribution | None, module: str) -> str:
    """Hash all files of a package, and all that lie beside the module that it names: 16 digits.

    Covered are the files that it was installed with, or the folder of its project where that is
    installed in place. What differs by machine is left out: what Python compiled, scripts, and
    notes of the installer.
    """
    named = dict(_list_files(dist, find_home(module)))
    digest = hashlib.sha256()
    for name, path in sorted(named.items()):
        digest.update(f"{name}\0{_hash_file(path)}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:_DIGITS] if named else ""


def _list_files(dist: Distribution | None, home: Path | None) -> Iterator[tuple[str, Path]]:
    """List files by their names within the package."""
    if home is not None and home.is_file():
        yield home.name, home
    elif home is not None and (home / "__init__.py").is_file():  # else several packages share it
        for path in _walk(home):
            yield f"{home.name}/{path.relative_to(home).as_posix()}", path
    if dist is None:
        return
    project = _find_project(dist)
    if project is not None:
        for path in _walk(project):
            yield f"project/{path.relative_to(project).as_posix()}", path
        return
    try:
        files = dist.files or ()
    except (OSError, TypeError, ValueError):  # a list that is damaged
        files = ()
    for listed in files:
        path = Path(str(dist.locate_file(listed)))
        if _counts(listed.parts) and path.is_file():
            yield listed.as_posix(), path


def _find_project(dist: Distribution) -> Path | None:
    """Return the folder of a package that is installed in place, as ``pip install -e`` does."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        noted = json.loads(dist.read_text("direct_url.json") or "{}")
        if noted["dir_info"]["editable"]:
            return Path(url2pathname(urlsplit(noted["url"]).path))
    return None


def _counts(parts: tuple[str, ...]) -> bool:
    """Whether a file says what the package does, on every machine the same."""
    if parts[0].endswith(".dist-info"):
        return parts[-1] == "entry_points.txt"
    return not (
        parts[-1].endswith(".pyc")
        or parts[0].startswith("__editable__")
        or any(part == "__pycache__" or part.endswith(".egg-info") for part in parts)
        or (parts[0] == ".." and any(part in _SCRIPTS for part in parts))
    )


def _walk(root: Path) -> Iterator[Path]:
    """List a folder's files, without hidden ones, what was built of others, and kept runs."""
    for folder, below, names in os.walk(root):
        here = Path(folder)
        below[:] = [name for name in below if not _is_other(here / name)]
        for name in names:
            if not (name.startswith(".") or name.endswith(".pyc")) and (here / name).is_file():
                yield here / name


def _is_other(folder: Path) -> bool:
    """Whether a folder in a project is none of its source."""
    if folder.name.startswith(".") or folder.name.endswith(".egg-info") or folder.name in _BUILT:
        return True
    return (folder / "pyvenv.cfg").is_file() or any(folder.glob("runs/*/ledger.jsonl"))


def _hash_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {type(error).__name__}"

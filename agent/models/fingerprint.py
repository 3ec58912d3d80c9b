"""Fingerprints of models: what tells one model from another of the same name.

Weights are told by their content, so that a checkpoint that was trained on in its place is another
model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from store.jsonl.atomic import write_whole

_KEPT = ".json"
_TELLING = (".safetensors", ".bin", ".pt", ".json", ".txt", ".model", ".jinja", ".gguf")
"""Ends of the files of a checkpoint that make it answer as it does."""
_DIGITS = 16


def fingerprint(parts: Any) -> str:
    """Hash what makes a model answer as it does: 16 hexadecimal digits of a SHA-256."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def packages(names: Iterable[str]) -> dict[str, str]:
    """Versions of packages that a model's weights come in."""
    return {name: _version(name) for name in names}


def weights(folder: Path, cache: Path | None = None) -> str:
    """Hash the content of a checkpoint's files, remembered in ``cache`` or the user's own."""
    cache = cache or user_cache_path("feedsway") / "weights"
    files = [path for path in sorted(folder.iterdir()) if path.suffix in _TELLING]
    return fingerprint([[path.name, _content(path, cache)] for path in files if path.is_file()])


def _content(path: Path, cache: Path) -> str:
    """SHA-256 of a file, remembered for as long as the file is the same."""
    real = path.resolve()
    stat = real.stat()
    # a change in place moves the change time even where the modification time is put back
    same = [str(real), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    memory = cache / f"{hashlib.sha256(json.dumps(same).encode()).hexdigest()}{_KEPT}"
    try:
        return str(json.loads(memory.read_bytes())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with real.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        write_whole(memory, json.dumps({"sha256": digest}).encode(), sync=False)
    except OSError:
        return digest  # without a cache it is read again next time
    return digest


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

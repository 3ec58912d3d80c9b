"""What lies in a folder, so that two states of it can be compared."""

from __future__ import annotations

import hashlib
import io
import re
import sqlite3
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from store.jsonl.append_only import committed
from store.jsonl.file_seal import check_seal, strip_seal
from store.jsonl.hash_chain import body_of

TEXTS = {".jsonl", ".json", ".csv", ".html", ".toml", ".md", ".txt", ".js", ".xml", ".tex"}
TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?")
STAMP = re.compile(rb"\d{8}-\d{6}(-[a-z0-9]+)*")
RANDOM = re.compile(
    rb'"(id|run_id|key|timings_ms|code_dirty|pid|seconds)":("[^"]*"|\{[^}]*\}|[^,}]*)'
)
LEFT_OUT = re.compile(r"(^|/)(\.[^/]*\.tmp|[^/]*\.lock|locks/.*|compact/.*|logs?/.*)$")
"""Locks, caches and temporary files: no results."""

REGISTER = "/derived/"
"""An entry too many in the register of what was made does no harm: its place holds nothing."""


def bodies(content: bytes) -> Counter[bytes]:
    """Count the lines that were committed, without their seals: each writing has its own salts."""
    return Counter(map(body_of, committed(content)[0]))


def plain(content: bytes) -> bytes:
    """Return a text without what a second time makes otherwise: clocks and random names."""
    for pattern, name in ((TIME, b"<time>"), (STAMP, b"<stamp>"), (RANDOM, rb'"\1":<random>')):
        content = pattern.sub(name, content)
    return content


@dataclass(frozen=True)
class Content:
    """What a file holds: lines, or a digest of all of it."""

    lines: Mapping[bytes, int] | None
    digest: str


@dataclass(frozen=True)
class State:
    """Everything in a folder."""

    files: Mapping[str, Content]
    raw: Mapping[str, bytes]
    """Files of lines as they are."""
    temporary: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> State:
        files: dict[str, Content] = {}
        raw: dict[str, bytes] = {}
        temporary = []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_dir() or path.is_symlink():
                continue
            if name.endswith(".tmp") or "/." in f"/{name}":
                temporary.append(name)
            if LEFT_OUT.search(name) or "/." in f"/{name}":
                continue
            if "/index/" in name:
                if path.name == "chroma.sqlite3":
                    files[name] = Content(None, _ids(path))
                continue
            content = path.read_bytes()
            if path.suffix == ".jsonl":
                raw[name] = content
            told = STAMP.sub(b"<stamp>", name.encode()).decode()
            files[told] = read(path.suffix, content, path.stat().st_mode & 0o777)
        return cls(files, raw, tuple(temporary))


def read(suffix: str, content: bytes, mode: int = 0) -> Content:
    """Take a file's content as what it is, and who may read it."""
    lines = None
    if suffix == ".jsonl":
        lines = Counter(plain(body) for body in bodies(content).elements())
        content = repr(sorted(lines.items())).encode()
    elif suffix in TEXTS:
        content = plain(strip_seal(content)) + check_seal(content).encode()
    elif suffix in (".tar", ".zip", ".xlsx"):
        try:
            content = repr(sorted(_members(suffix, content))).encode()
        except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile):
            content = b"damaged"
    return Content(lines, f"{hashlib.sha256(content).hexdigest()[:16]} {mode:o}")


def _members(suffix: str, content: bytes) -> Iterable[tuple[str, str]]:
    if suffix == ".tar":
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            for each in packed:
                file = packed.extractfile(each)
                yield each.name, read(Path(each.name).suffix, file.read() if file else b"").digest
        return
    with zipfile.ZipFile(io.BytesIO(content)) as packed_:
        for name in packed_.namelist():
            yield name, read(Path(name).suffix, packed_.read(name)).digest


def _ids(path: Path) -> str:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as index:
            found = index.execute("SELECT embedding_id FROM embeddings ORDER BY 1").fetchall()
    except sqlite3.Error as error:
        return f"unreadable: {error}"
    return read("", repr(found).encode()).digest


def differences(whole: State, found: State, compared: frozenset[str]) -> list[str]:
    """Tell where a state differs from that of an undisturbed call."""
    told = []
    for name in sorted(compared):
        one, other = whole.files.get(name), found.files.get(name)
        if one is None or other is None:
            if one is not other:
                told.append(f"{name} is {'missing' if other is None else 'there beside it'}")
        elif one.digest != other.digest:
            told.append(f"{name}: {_line_difference(one, other)}")
    beside = sorted(name for name in set(found.files) - set(whole.files) if REGISTER not in name)
    told += [f"{name} is there beside it" for name in beside]
    return told


def _line_difference(one: Content, other: Content) -> str:
    if one.lines is None or other.lines is None:
        return "its content differs"
    lost, doubled = (
        Counter(one.lines) - Counter(other.lines),
        Counter(other.lines) - Counter(one.lines),
    )
    first = next(iter(lost or doubled), b"")[:160].decode("utf-8", "replace")
    return f"{lost.total()} lines lost, {doubled.total()} doubled or other: {first}"


def lost_lines(before: State, after: State) -> list[str]:
    """Tell which lines that were committed are there no more."""
    told = []
    for name, content in before.raw.items():
        if gone := bodies(content) - bodies(after.raw.get(name, b"")):
            told.append(f"{name}: {gone.total()} lines that were committed are lost")
    return told


def half_results(before: State, whole: State, cut: State, compared: frozenset[str]) -> list[str]:
    """Tell which files have their final name and are neither as before nor as in the end."""
    told = []
    for name, content in cut.files.items():
        if name not in compared or content.lines is not None or "/index/" in name:
            continue
        known = [state.files[name].digest for state in (before, whole) if name in state.files]
        if known and content.digest not in known:
            told.append(f"{name} is half there")
    return told

"""The canary log: dated results of looking whether a site is as its adapter knows it.

One file a platform, ``canary/<platform>.jsonl``, which only grows. It names no video and nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError

from store.errors import DamagedLedger, DataUnwritable
from store.jsonl.append_only import LineFile, divide
from store.jsonl.base_record import Record, tell_fault
from store.jsonl.hash_chain import ChainWalk
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.paths import PathName
from store.runs.data_folder import DataFolder

PATIENCE_S = 10.0
"""How long another process's line is waited for."""
LATEST = 200
"""Lines of a log that a look at its newest result reads."""
UNKNOWN = "could not tell"


class CanaryRecord(Record):
    """What was found of a site, at one time."""

    kind: Literal["probe", "run", "layout_changed"]
    """A probe by hand; the first videos of a run; a run that ended since the site has changed."""
    at: AwareDatetime
    platform: PathName
    skin: bool = False
    """Whether it was the playground that looks like the site."""
    run_id: PathName | None = None
    adapter_version: int | None = None
    adapter_sha256: str | None = None
    own_adapter: bool = False
    """Whether the adapter file was a user's own; older lines do not say."""
    videos: int = 0
    verdicts: dict[str, str] = Field(default_factory=dict)
    """``holds``, ``fails`` or ``could not tell``, by capability."""
    reasons: dict[str, str] = Field(default_factory=dict)


def append_canary(data: DataFolder, record: CanaryRecord) -> None:
    """Append a result; raises ``DataUnwritable``."""
    path = data.canary_path(record.platform)
    lock = NamedLock(path.with_suffix(".lock"))
    try:
        lock.acquire(PATIENCE_S)
    except (LockHeld, OSError) as error:
        raise DataUnwritable(path, str(error)) from None
    try:
        file = LineFile(path)
        try:
            file.append(record.model_dump_json().encode() + b"\n")
        finally:
            file.close()
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None
    finally:
        lock.release()


def read_newest(data: DataFolder) -> list[CanaryRecord]:
    """Return the newest result of each platform, and of its skin by itself.

    A failure stays until a later result could tell of that capability. A damaged line counts not.
    """
    newest: dict[tuple[str, bool], CanaryRecord] = {}
    for path in sorted((data.root / "canary").glob("*.jsonl")):
        for line in _read_lines(path, LATEST):
            if isinstance(line, CanaryRecord):
                known = line.platform, line.skin
                newest[known] = _carried(newest.get(known), line)
    return [newest[known] for known in sorted(newest)]


def _carried(before: CanaryRecord | None, record: CanaryRecord) -> CanaryRecord:
    """Return a result with the earlier failures of which it could not tell.

    Where only those fail, it has the date and the source of the result that saw them.
    """
    if before is None:
        return record
    known = {name for name, verdict in record.verdicts.items() if verdict != UNKNOWN}
    fails = {name for name, verdict in before.verdicts.items() if verdict == "fails"} - known
    if not fails:
        return record
    shown = record if "fails" in record.verdicts.values() else before
    reasons = {name: before.reasons.get(name, "") for name in fails}
    verdicts = record.verdicts | dict.fromkeys(fails, "fails")
    return shown.model_copy(
        update={"verdicts": verdicts, "reasons": record.reasons | reasons},
    )


def read_canary(data: DataFolder, platform: str) -> list[CanaryRecord]:
    """Return a platform's results, the oldest first, without the lines that cannot be read."""
    lines = _read_lines(data.canary_path(platform))
    return [line for line in lines if isinstance(line, CanaryRecord)]


def find_canary_damage(data: DataFolder, platform: str = "*") -> list[DamagedLedger]:
    """Return the lines of canary logs that cannot be read, of one platform or of all."""
    paths = sorted((data.root / "canary").glob(f"{platform}.jsonl"))
    return [line for path in paths for line in _read_lines(path) if isinstance(line, DamagedLedger)]


def _read_lines(path: Path, last: int = sys.maxsize) -> Iterator[CanaryRecord | DamagedLedger]:
    """Check the chain of all lines, and yield the last of them."""
    walk = ChainWalk()
    lines = divide(path.read_bytes())[0] if path.exists() else []
    for line in lines:
        body, fault = walk.take(line)
        if walk.lines <= len(lines) - last:
            continue
        try:
            record = CanaryRecord.model_validate_json(body)
            yield record if fault is None else DamagedLedger(path, walk.lines, fault)
        except ValidationError as error:
            yield DamagedLedger(path, walk.lines, f"{tell_fault(error)}.")

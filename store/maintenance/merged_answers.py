"""What was answered about frames, and what else lies in a data folder, brought into another."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from store.errors import DataUnwritable, MergeRefused, StoreError
from store.maintenance.backup import kind_of
from store.maintenance.merged_files import MergeTarget, read_source, source_names
from store.maintenance.merged_lines import (
    FileLine,
    read_file_lines,
    silent,
    tells_otherwise,
    unite_answers,
    unite_canary,
)
from store.privacy import derived_files
from store.privacy.redaction import STAND_IN
from store.results.hallucination_probes import PROBE_FORMAT
from store.results.preference_pairs import PAIR_FORMAT
from store.results.value_spectrum import RETRIEVAL, read_retrieval
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import FOLDER as JUDGEMENTS
from store.runs.rejudgements import JUDGEMENT_LINE, RejudgedAnswer

_MOST_REPLY = 8 << 20


def bring_answers(
    target: MergeTarget,
    source: DataFolder,
    name: str,
    kind: TypeAdapter[Any],
    change: Callable[[list[FileLine]], list[FileLine]],
    *,
    among: bool = False,
) -> None:
    """Unite one file of answers with that of the same name."""
    path = target.data.root / name
    try:
        content = read_source(source, name) or b""
        theirs = read_file_lines(source.root / name, content, kind)
        if not theirs:
            return
        with target.held(path.with_suffix(".lock"), among=among):
            mine = read_file_lines(path, target.read(name) or b"", kind)
            if mine and tells_otherwise(mine, theirs):
                what = "asked as others, or drawn otherwise, than here"
                target.summary.conflicts.append(f"{source.root / name}: {what}")
                return
            united = unite_answers(mine, change(theirs))
            if united.added:
                target.write_lines(name, united.lines, content)
    except (DataUnwritable, MergeRefused):
        raise
    except StoreError as error:
        target.summary.problems.append(str(error))
        return
    target.summary.answers += united.added - united.heads
    if united.unlike:
        what = f"{united.unlike} questions were answered here as well, in other words"
        target.summary.conflicts.append(f"{source.root / name}: {what}")


def bring_findings(
    target: MergeTarget, source: DataFolder, kept: Set[str], untold: Set[str]
) -> None:
    """Spectra, pairs and probes, as far as they are about frames that are kept here.

    ``untold``: frames about which the words stay away, since others have forgotten some of them.
    """
    for folder, pattern, kind in (
        ("spectra", f"{JUDGEMENTS}/*.jsonl", JUDGEMENT_LINE),
        ("pairs", "*.jsonl", PAIR_FORMAT.line),
        ("probes", "*.jsonl", PROBE_FORMAT.line),
    ):
        for name in source_names(source, source.root / folder, pattern):
            here = partial(_lines_here, target, name, kind)
            change = partial(_of_kept_frames, target=target, kept=kept, untold=untold, here=here)
            bring_answers(target, source, name, kind, change)
    for name in source_names(source, source.spectra_dir, f"*/{RETRIEVAL}"):
        if (target.data.root / name).exists():
            continue  # the same spectrum makes it again
        try:
            shown = read_retrieval(source.root / name).shown
        except StoreError as error:
            target.summary.problems.append(str(error))
            continue
        if all(frame in kept and frame not in untold for frame in shown):
            target.bring_file(source, name)
    for name in source_names(source, source.root / "labels", "*.jsonl"):
        target.bring_file(source, name)


def _lines_here(target: MergeTarget, name: str, kind: TypeAdapter[Any]) -> list[FileLine]:
    return read_file_lines(target.data.root / name, target.read(name) or b"", kind)


def _of_kept_frames(
    lines: list[FileLine],
    target: MergeTarget,
    kept: Set[str],
    untold: Set[str],
    here: Callable[[], list[FileLine]],
) -> list[FileLine]:
    """Leave out what is about no kept frame; silence answers about frames in ``untold``."""
    concerned = [line for line in lines if line.frame in untold]
    answered = {line.key for line in here() if line.answered} if concerned else set()
    stay: list[FileLine] = []
    for line in lines:
        if line.frame is None or line.frame.startswith(STAND_IN):
            stay.append(line)
        elif line.frame not in kept:
            target.summary.forgotten += target.leave_out(line.raw)
        elif line.frame not in untold:
            stay.append(line)
        elif isinstance(line.record, RejudgedAnswer):
            stay += [] if line.key in answered else [silent(line, line.record)]
        else:
            target.summary.forgotten += target.leave_out(line.raw)
    return stay


def bring_canary(target: MergeTarget, source: DataFolder) -> None:
    for name in source_names(source, source.root / "canary", "*.jsonl"):
        path = target.data.root / name
        try:
            content = read_source(source, name) or b""
            with target.held(path.with_suffix(".lock")):
                united = unite_canary(source.root / name, target.read(name) or b"", content)
                if united.added:
                    target.write_lines(name, united.lines, content)
        except (DataUnwritable, MergeRefused):
            raise
        except StoreError as error:
            target.summary.problems.append(str(error))


def bring_derived(target: MergeTarget, source: DataFolder) -> None:
    """Enter what was made of frames and lies in neither folder, so that forgetting finds it."""
    for entry in derived_files.entries(source):
        place = Path(entry.path)
        if not place.is_absolute() or ".." in place.parts:
            continue  # of the folder itself, or made up
        try:
            there = place.resolve()
        except (OSError, ValueError, RuntimeError):  # no name that a disk takes, or links in a ring
            continue
        roots = [one.root.resolve() for one in (target.data, source)]
        if not any(here.is_relative_to(root) for here in (place, there) for root in roots):
            target.summary.files += derived_files.adopt(target.data, entry)


def bring_replies(target: MergeTarget, source: DataFolder, kept: Set[str], *, own: bool) -> None:
    """Kept replies about frames that are kept here: from one's own folders alone."""
    for name in source_names(source, source.replies_dir, "??/*.json"):
        if kind_of(name) != "replies" or (target.data.root / name).exists():
            continue
        if not own:
            target.summary.withheld += target.leave_out(name)
            continue
        try:
            shown = json.loads(read_source(source, name, _MOST_REPLY) or b"{}").get("frames")
        except (StoreError, ValueError, AttributeError, RecursionError):
            continue  # damaged, and so asked for again
        if isinstance(shown, list) and all(one in kept for one in shown):
            target.bring_file(source, name)
            target.summary.replies += 1

"""What is made of ledgers and frames, and holds something of a video as well: kept replies, value
spectra, reports, logs of studies, files that killed writers left behind.

Refuses to know how ledgers and the index are changed (``forget``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from store.errors import DataUnreadable
from store.jsonl.atomic import TEMPORARY
from store.jsonl.paths import path_within
from store.privacy import derived_register, redaction
from store.privacy.derived_register import DerivedEntry
from store.results.value_spectrum import Retrieval, RetrievedFrame, read_retrieval, write_retrieval
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import RejudgedAnswer, judgement_files, read_known

_TELLING = 20
"""Characters from which a kept reply says enough to be told apart; a shorter one tells nothing."""
_REPORT = "report"


@dataclass(frozen=True, slots=True)
class DerivedRemoval:
    """What is to leave."""

    entries: Set[str]
    """Ids of the frames of emptied steps, as the index has them."""
    frames: Set[str]
    """SHA-256 of pictures that are deleted."""
    shared: Set[str]
    """Of pictures that stay for another video, and were shown by an emptied step too."""
    texts: Set[str]
    """What judges said, and what captions said."""
    runs: Set[str]
    studies: Set[str]
    """Names of the runs that change, and of their studies."""
    change: Callable[[str], str]
    """A text without a creator's name."""
    token: Callable[[str], str]
    """What stands for a picture from now on."""

    def concerns(self, asked: RejudgedAnswer) -> bool:
        """Whether an answer that belongs to no run is about one of these pictures."""
        return asked.frame in self.frames or asked.frame in self.shared

    def is_named_in(self, text: str) -> bool:
        """Whether a line that cannot be read names one of these pictures."""
        return any(frame in text for frame in (*self.frames, *self.shared))

    def stand_in(self, frame: str) -> str:
        """Return what an answer names in place of a picture that is deleted."""
        return self.token(frame) if frame in self.frames else frame


def said_of(data: DataFolder, frames: Set[str]) -> set[str]:
    """Everything that the judges of spectra said about pictures."""
    return {
        text
        for path in judgement_files(data.spectra_dir)
        for line in read_known(path)
        if isinstance(line, RejudgedAnswer) and line.frame in frames
        for text in redaction.words(line.judgement)
    }


def forget_replies(data: DataFolder, gone: DerivedRemoval) -> int:
    """Delete kept replies about these pictures, or that say what was said about these videos."""
    telling = {text for text in gone.texts if len(text) >= _TELLING}
    frames = gone.frames | gone.shared
    count = 0
    for path in data.replies_dir.glob("??/*.json") if telling or frames else ():
        try:
            told = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            continue  # damaged, and so asked for again by its reader
        if not isinstance(told, dict):
            continue
        parts = [told.get(name) for name in ("text", "reason", "description", "screen_text")]
        shown = told.get("frames", ())
        named = isinstance(shown, list) and any(f in frames for f in shown if isinstance(f, str))
        if named or any(isinstance(part, str) and part[:2000] in telling for part in parts):
            data.remove(path)
            count += 1
    return count


def forget_spectra(data: DataFolder, gone: DerivedRemoval) -> None:
    """Take out what was found and what was said; the scores of the next report are of the rest.

    A retrieval that cannot be read goes as a whole; the same spectrum makes it again.
    """
    for path in judgement_files(data.spectra_dir):
        path_within(data.spectra_dir, path)
        redaction.redact_judgements(
            path, gone.concerns, gone.change, gone.stand_in, gone.is_named_in
        )
    for path in sorted(data.spectra_dir.glob("*/retrieval.json")):
        path_within(data.spectra_dir, path)
        try:
            old = read_retrieval(path)
        except DataUnreadable:  # of another version, or damaged: it could name anything
            data.remove(path)
            continue
        new = _without(old, gone)
        if new != old:
            write_retrieval(new, path)


def _without(retrieval: Retrieval, gone: DerivedRemoval) -> Retrieval:
    def stays(hit: RetrievedFrame) -> bool:
        return hit.entry not in gone.entries and hit.frame not in gone.frames

    keywords = []
    for keyword in retrieval.keywords:
        found = tuple(
            hit.model_copy(update={"caption": gone.change(hit.caption)})
            for hit in keyword.found
            if stays(hit)
        )
        keywords.append(keyword.model_copy(update={"found": found}))
    return retrieval.model_copy(update={"keywords": tuple(keywords)})


def forget_reports(data: DataFolder, gone: DerivedRemoval) -> int:
    """Delete reports that may show it, and logs of studies and the daemon, which name captions.

    A report can be made again of what stays; one that lies elsewhere is not known of.
    """
    reports = [data.run_dir(run) / _REPORT for run in gone.runs]
    reports += [*data.studies_dir.glob(f"*/{_REPORT}"), *data.spectra_dir.glob(f"*/{_REPORT}")]
    there = [path for path in reports if path.is_dir()]
    for folder in [*there, *(data.study_dir(name) / "logs" for name in gone.studies)]:
        data.remove(folder)
    for log in (data.daemon_dir / "logs").glob("*/*.log"):  # of its children; its own tells none
        data.remove(log)
    return len(there)


def forget_derived(data: DataFolder, concerned: Sequence[DerivedEntry]) -> int:
    """Delete what was made of it, and what nobody entered; returns how many."""
    there = [entry for entry in concerned if entry.is_there(data)]
    for entry in concerned:
        derived_register.remove(data, entry)
    unknown = derived_register.strays(data)
    for path in unknown:
        data.remove(path)
    return len(there) + len(unknown)


def sweep(data: DataFolder) -> None:
    """Delete what killed writers left behind, while nobody writes."""
    folders = (data.runs_dir, data.frames_dir, data.spectra_dir, data.studies_dir, data.replies_dir)
    left: list[Path] = list(data.root.glob(f".*{TEMPORARY}"))
    for folder in folders:
        left += folder.rglob(f".*{TEMPORARY}")
    for path in left:
        data.remove(path)

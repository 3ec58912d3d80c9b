"""What kept things look like once something is taken out of them: records, spectra, replies.

A ledger is rewritten whole, beside its place, and renamed: this is the one change that is ever made
to a committed line, and the ledger says so in a line of its own and in its schema. The hash chain
stays, so that a line which was not touched can still be shown to be what it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from store.errors import DataUnreadable, DataUnwritable, RunLocked
from store.jsonl.append_only import divide
from store.jsonl.atomic import TEMPORARY, write_whole
from store.jsonl.base_record import Record
from store.jsonl.hash_chain import GONE, body_of, reseal, rewrite_lines
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.mirrors import fetch_below
from store.jsonl.paths import path_within
from store.privacy import derived_files
from store.privacy.derived_files import DerivedEntry
from store.privacy.person_names import plain
from store.results.value_spectrum import Retrieval, RetrievedFrame, read_retrieval, write_retrieval
from store.runs.data_folder import DataFolder
from store.runs.ledger import read_lines as ledger_lines
from store.runs.ledger_lines import (
    REDACTED,
    Fault,
    Forgotten,
    Judgement,
    ObservedVideo,
    RunStarted,
    Video,
)
from store.runs.ledger_site_lines import FeedBatch, id_digest
from store.runs.rejudgements import RejudgedAnswer, judgement_files, read_known

Change = Callable[[str], str]
R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=ObservedVideo)
STAND_IN = "forgotten-"
"""What stands for an id or a hash begins so."""


def emptied(step: S, token: str) -> S:
    """A step of which only the measurement is left; ``token`` stands for its video."""
    old = step.video
    video = Video(
        id=token,
        ad=old.ad,
        live=old.live,
        photos=0 if old.photos is None and old.duration_s is not None else old.photos,
        ai_label=old.ai_label,
        paid_partnership=old.paid_partnership,
        ad_authorised=old.ad_authorised,
        batch=old.batch,
        batch_requested_at=old.batch_requested_at,
    )
    return step.model_copy(
        update={"video": video, "frames": (), "judgement": silenced(step.judgement)}
    )


def silenced(judgement: Judgement) -> Judgement:
    """A judgement without words: what a judge says describes the picture."""
    return judgement.model_copy(
        update={"reason": None, "description": None, "reply": "", "screen_text": None}
    )


def words(judgement: Judgement) -> list[str]:
    told = (judgement.reason, judgement.description, judgement.reply, judgement.screen_text)
    return [text for text in told if text]


_NAMING = ("caption", "url", "author_name", "music_title", "music_author")
"""Fields of a video in which somebody else can be named."""


def retold(step: S, change: Change, makers: Set[str] = frozenset()) -> S:
    """Change a step's texts; ``makers``: plain names by which a sound's author is known."""
    video = _changed(step.video, _NAMING, change)
    if step.video.music_author and plain(step.video.music_author) in makers:
        nobody = dict.fromkeys(("music_id", "music_title", "music_author"))
        video = video.model_copy(update=nobody)
    lists = {"hashtags": video.hashtags, "stickers": video.stickers}
    changed = {name: tuple(change(text) for text in texts) for name, texts in lists.items()}
    video = video.model_copy(update=changed)
    return step.model_copy(update={"video": video, "judgement": reworded(step.judgement, change)})


def reworded(judgement: Judgement, change: Change) -> Judgement:
    return _changed(judgement, ("reason", "description", "reply", "screen_text"), change)


def reported(fault: Fault, change: Change) -> Fault:
    """A fault whose message is changed, without details where they would have to be."""
    details = json.dumps(fault.details, ensure_ascii=False)
    left = fault.details if change(details) == details else {}
    return fault.model_copy(update={"message": change(fault.message), "details": left})


def _changed(record: R, names: Sequence[str], change: Change) -> R:
    told = {name: getattr(record, name) for name in names}
    return record.model_copy(update={name: change(text) for name, text in told.items() if text})


@contextmanager
def hold_alone(lock: NamedLock) -> Iterator[None]:
    """Keep other writers of a file out; raises ``RunLocked``."""
    try:
        lock.acquire()
    except LockHeld as error:
        raise RunLocked(lock.path.parent.name, str(error)) from None
    try:
        yield
    finally:
        lock.release()


def redact_ledger(
    path: Path,
    steps: Mapping[int, ObservedVideo],
    line: Forgotten,
    change: Change,
    digests: Mapping[str, str],
) -> None:
    """Put changed steps in the place of old ones, and say so in a line.

    ``digests``: what stands for those of videos that the site listed and the run did not show.
    Faults of emptied steps lose their words as well, which can name an address. Raises
    ``DataUnwritable``; the ledger is as it was then.
    """
    records, _ = ledger_lines(path)
    made: list[Record | bytes] = []
    stand_ins = dict(digests) | {
        id_digest(record.video.id): id_digest(steps[record.position].video.id)
        for record in records
        if isinstance(record, ObservedVideo) and record.position in line.positions
    }
    for record in records:
        new: Record = record
        if isinstance(record, RunStarted):
            new = record.model_copy(update={"schema_": max(record.schema_, REDACTED)})
        elif isinstance(record, ObservedVideo) and record.position in steps:
            new = _as_changed(record, steps[record.position])
        elif isinstance(record, FeedBatch):
            order = tuple(stand_ins.get(digest, digest) for digest in record.order)
            new = record.model_copy(update={"order": order})
        elif isinstance(record, Fault) and record.position in line.positions:
            new = record.model_copy(update={"message": "(forgotten)", "details": {}})
        elif isinstance(record, Fault):
            new = reported(record, change)
        made.append(new)
    _rewrite(path, records, made, line)


def _as_changed(record: ObservedVideo, changed: ObservedVideo) -> ObservedVideo:
    told = {name: getattr(changed, name) for name in ("video", "frames", "judgement")}
    return record.model_copy(update=told)


def redact_judgements(
    path: Path,
    concerned: Callable[[RejudgedAnswer], bool],
    change: Change,
    stand_in: Change,
    tells: Callable[[str], bool],
) -> None:
    """Silence what was said about these pictures, and change what was said about others.

    ``stand_in`` is what stands for a picture's hash, by which whoever has it could tell it again.
    A line that cannot be read stays as it stands, unless it ``tells``, or a text in it changes.
    """
    records = read_known(path)
    made: list[Record | bytes] = []
    for record in records:
        new: Record | bytes = record
        if isinstance(record, bytes):
            text = record.decode(errors="replace")
            new = GONE if tells(text) or change(text) != text else record
        elif isinstance(record, RejudgedAnswer) and concerned(record):
            frame = record.frame if record.frame.startswith(STAND_IN) else stand_in(record.frame)
            silent = silenced(record.judgement)
            new = record.model_copy(update={"judgement": silent, "frame": frame})
        elif isinstance(record, RejudgedAnswer):
            new = record.model_copy(update={"judgement": reworded(record.judgement, change)})
        made.append(new)
    if made != records:
        _rewrite(path, records, made)


def _rewrite(
    path: Path,
    records: Sequence[Record | bytes],
    made: Sequence[Record | bytes],
    line: Forgotten | None = None,
) -> None:
    """Put changed records in the place of those that a file holds, and a line at its end."""
    try:
        lines, _ = divide(path.read_bytes())
        changes = iter(zip(records, made, strict=True))
        bodies = [
            body if body == GONE else _changed_body(body, *next(changes))
            for body in map(body_of, lines)
        ]
        content = rewrite_lines(lines, bodies, f"{datetime.now(UTC):%Y-%m-%d}")
        if line is not None:
            left = [body for body in bodies if body != GONE]
            told = line.model_dump_json(by_alias=True).encode()
            content = reseal([divide(content)[0]], [*left, told])
        write_whole(path, content)
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None


def _changed_body(body: bytes, record: Record | bytes, new: Record | bytes) -> bytes:
    """Return a line's body; one that is as it was keeps its bytes."""
    if new == record:
        return body
    return new if isinstance(new, bytes) else new.model_dump_json(by_alias=True).encode()


_TELLING = 20
"""Characters from which a kept reply says enough to be told apart; a shorter one tells nothing."""
_REPORT = "report"


@dataclass(frozen=True, slots=True)
class DerivedRemoval:
    """What is to leave everything that is made of ledgers and frames."""

    entries: Set[str]
    """Ids of the frames of emptied steps, as the index has them."""
    frames: Set[str]
    """SHA-256 of pictures that are deleted."""
    shared: Set[str]
    """Of pictures that stay for another video, and were shown by an emptied step too."""
    texts: Set[str]
    runs: Set[str]
    studies: Set[str]
    """Names of the runs that change, and of their studies."""
    change: Callable[[str], str]
    token: Callable[[str], str]
    """What stands for a picture from now on."""

    def concerns(self, asked: RejudgedAnswer) -> bool:
        return asked.frame in self.frames or asked.frame in self.shared

    def is_named_in(self, text: str) -> bool:
        return any(frame in text for frame in (*self.frames, *self.shared))

    def stand_in(self, frame: str) -> str:
        return self.token(frame) if frame in self.frames else frame


def said_of(data: DataFolder, frames: Set[str]) -> set[str]:
    return {
        text
        for path in judgement_files(data.spectra_dir)
        for line in read_known(path)
        if isinstance(line, RejudgedAnswer) and line.frame in frames
        for text in words(line.judgement)
    }


def forget_replies(data: DataFolder, gone: DerivedRemoval) -> int:
    """Delete kept replies about these pictures, or that say what was said about these videos."""
    telling = {text for text in gone.texts if len(text) >= _TELLING}
    frames = gone.frames | gone.shared
    if not (telling or frames):
        return 0
    fetch_below(data.replies_dir)
    count = 0
    for path in data.replies_dir.glob("??/*.json"):
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
    """Take out what was found and what was said; the next report scores the rest.

    A retrieval that cannot be read goes as a whole; the same spectrum makes it again.
    """
    for path in judgement_files(data.spectra_dir):
        path_within(data.spectra_dir, path)
        with hold_alone(NamedLock(path.with_suffix(".lock"))):
            redact_judgements(path, gone.concerns, gone.change, gone.stand_in, gone.is_named_in)
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


def find_reports(data: DataFolder, runs: Iterable[str]) -> list[Path]:
    """Reports of these runs, of every spectrum, and what nobody entered: they may show it.

    A spectrum's shows captions too, which its entry does not name. A study's is found by its entry.
    """
    reports = [data.run_dir(run) / _REPORT for run in sorted(runs)]
    reports += sorted(data.spectra_dir.glob(f"*/{_REPORT}"))
    there = [path for path in reports if path.is_dir()]
    return list(dict.fromkeys([*there, *derived_files.strays(data)]))


def forget_reports(data: DataFolder, gone: DerivedRemoval) -> int:
    """Delete reports that may show it, and logs of studies and the daemon, which name captions.

    One that lies elsewhere is not known of.
    """
    there = find_reports(data, gone.runs)
    for path in [*there, *(data.study_dir(name) / "logs" for name in gone.studies)]:
        data.remove(path)
    for log in (data.daemon_dir / "logs").glob("*/*.log"):  # of its children; its own tells none
        data.remove(log)
    return len(there)


def forget_derived(data: DataFolder, concerned: Sequence[DerivedEntry]) -> int:
    """Delete what was made of it; returns how many."""
    there = [entry for entry in concerned if entry.is_there(data)]
    for entry in concerned:
        derived_files.remove(data, entry)
    return len(there)


def sweep(data: DataFolder) -> None:
    """Delete what killed writers left behind, while nobody writes."""
    folders = (data.runs_dir, data.frames_dir, data.spectra_dir, data.studies_dir, data.replies_dir)
    left: list[Path] = list(data.root.glob(f".*{TEMPORARY}"))
    for folder in folders:
        left += folder.rglob(f".*{TEMPORARY}")
    left += data.index_dir.glob("*.merging")
    for path in left:
        data.remove(path)

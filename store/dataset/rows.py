"""The rows of an export, a frame each, as flat fields, and the split of each.

Rows of one run or of one creator, of one video and near-duplicates stay together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from store.dataset.pseudonyms import KnownPeople, Pseudonyms, key_of, known_runs
from store.dataset.published_pictures import Blur
from store.errors import NothingToExport
from store.frames.frame_store import FrameStore
from store.frames.near_duplicates import THRESHOLD, alike_hashes, near_duplicates, nearest_elsewhere
from store.index.entries import Filters
from store.privacy.person_names import plain
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import RunStarted, Step

SPLITS = {"train": 0.8, "validation": 0.1, "test": 0.1}
By = Literal["runs", "creators", "videos"]
WIDER = 2 * THRESHOLD
"""Bits within which pictures can be alike still, and often are not: told, and never tied."""

Row = dict[str, Any]


def mark_duplicates(rows: Sequence[Row]) -> None:
    for row, twin in zip(rows, near_duplicates(row["phash"] for row in rows), strict=True):
        row["duplicate_of"] = None if twin is None else rows[twin]["id"]


def assign(rows: Sequence[Row], by: By) -> None:
    """Give each row its split: the largest groups first, each where most is lacking.

    The same rows always give the same splits. ``by`` runs keeps whole runs together; where runs
    show the same videos, all of them become one group. ``by`` creators lets a run be divided and
    keeps each creator's videos together; ``by`` videos lets these be divided too.
    """
    groups: dict[int, list[Row]] = {}
    for row, group in zip(rows, _groups(rows, by), strict=True):
        groups.setdefault(group, []).append(row)
    have = dict.fromkeys(SPLITS, 0)
    for members in sorted(groups.values(), key=_order):
        split = max(SPLITS, key=lambda name: 1 - have[name] / (SPLITS[name] * len(rows)))
        have[split] += len(members)
        for row in members:
            row["split"] = split


def _order(members: Sequence[Row]) -> tuple[int, str]:
    first = min(row["id"] for row in members)
    return -len(members), hashlib.sha256(first.encode()).hexdigest()


def shared_with_others(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Count rows of each split that share something with a row of another split.

    By what is shared, then by split.
    """
    found: dict[str, dict[str, int]] = {}
    ties: dict[str, Callable[[Row], Hashable]] = {
        "an equal look": lambda row: row["phash"],
        "the same video": lambda row: (row["platform"], row["video"]),
        "the same creator": _creator,
        "the same run": lambda row: row["run"],
    }
    for name, tie in ties.items():
        splits: dict[Hashable, set[str]] = {}
        for row in rows:
            splits.setdefault(tie(row), set()).add(row["split"])
        found[name] = dict.fromkeys(SPLITS, 0)
        for row in rows:
            found[name][row["split"]] += tie(row) is not None and len(splits[tie(row)]) > 1
    looks = {"a near-duplicate": THRESHOLD, f"a look within {WIDER} bits, alike or not": WIDER}
    found |= {name: {} for name in looks}
    for split in SPLITS:
        own = [row["phash"] for row in rows if row["split"] == split]
        others = [row["phash"] for row in rows if row["split"] != split]
        nearest = nearest_elsewhere(own, others, WIDER)
        for name, bits in looks.items():
            found[name][split] = int((nearest <= bits).sum())
    return found


def _creator(row: Row) -> tuple[str, str] | None:
    return (row["platform"], plain(row["author"])) if row.get("author") else None


def _groups(rows: Sequence[Row], by: By) -> list[int]:
    """Number of each row's group: what shares a run, a video or a look, directly or by others."""
    parent = list(range(len(rows)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    met: dict[Hashable, int] = {}
    for place, row in enumerate(rows):
        ties: list[Hashable] = [("video", row["platform"], row["video"])]
        if by == "runs":
            ties.append(("run", row["run"]))
        if by == "creators" and (creator := _creator(row)) is not None:
            ties.append(("creator", *creator))
        for tie in ties:
            parent[root(place)] = root(met.setdefault(tie, place))
    for one, two in alike_hashes([row["phash"] for row in rows]):
        parent[root(one)] = root(two)
    return [root(place) for place in range(len(rows))]


FIELDS = {
    "id": "string",
    "sha256": "string",
    "width": "int32",
    "height": "int32",
    "time_s": "float64",
    "phash": "string",
    "quality": "string",
    "duplicate_of": "string",
    "split": "string",
    "run": "string",
    "position": "int32",
    "at": "string",
    "platform": "string",
    "persona": "string",
    "persona_traits": "string",
    "strategy": "string",
    "model": "string",
    "arm": "string",
    "phase": "string",
    "excluded": "string",
    "video": "string",
    "url": "string",
    "author": "string",
    "caption": "string",
    "hashtags": "list",
    "likes": "int64",
    "comments": "int64",
    "views": "int64",
    "duration_s": "float64",
    "ad": "bool",
    "live": "bool",
    "photos": "int64",
    "created_at": "string",
    "music_id": "string",
    "music_title": "string",
    "music_author": "string",
    "shares": "int64",
    "saves": "int64",
    "language": "string",
    "category": "string",
    "subtitled": "bool",
    "subtitle_languages": "list",
    "stickers": "list",
    "ai_label": "bool",
    "paid_partnership": "bool",
    "ad_authorised": "bool",
    "answer": "string",
    "missing": "string",
    "p_yes": "float64",
    "score": "float64",
    "reason": "string",
    "description": "string",
    "reply": "string",
    "screen_text": "string",
    "action": "string",
    "liked": "bool",
    "dwell_s": "float64",
}
"""Every field but the picture, in order, with its type; ``list`` is a list of strings."""


@dataclass(frozen=True, slots=True)
class RowChoice:
    """What is exported."""

    where: Filters = field(default_factory=Filters)
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that does not count any more."""
    keep_handles: bool = False
    split_by: By = "runs"
    blur: bool = False
    study: str | None = None

    def takes(self, run: RunStarted, step: Step) -> bool:
        told = {
            "platform": run.platform,
            "persona": run.persona.id,
            "answer": step.judgement.answer or "missing",
            "run": run.run_id,
        }
        return (
            all(told[name] == value for name, value in self.where.conditions().items())
            and self.study in (None, run.study)
            and (self.since is None or step.at >= self.since)
            and (self.until is None or step.at < self.until)
        )


@dataclass(slots=True)
class ExportRows:
    """Rows, by run and position, and what is to be known of them."""

    rows: list[Row] = field(default_factory=list)
    runs: list[RunStarted] = field(default_factory=list)
    forgotten: int = 0
    """Steps of these runs that were emptied on request or by age."""
    problems: list[str] = field(default_factory=list)
    people: KnownPeople = field(default_factory=KnownPeople)
    """Every creator that is known, of runs that have no row too."""
    names: Pseudonyms | None = None
    """What stands for them; ``None`` where handles stay."""
    blur: Blur | None = None

    def named(self, text: str) -> str:
        return self.names.known(text) if self.names else text


def gather(data: DataFolder, choice: RowChoice) -> ExportRows:
    """Collect the rows, with splits, near-duplicates and pseudonyms; raises ``NothingToExport``."""
    found = ExportRows()
    steps: list[tuple[RunStarted, Step]] = []
    frames = FrameStore(data.frames_dir)
    for run in known_runs(data, found.people, found.problems):
        taken = [(run.started, s) for s in run.steps if s.frames and choice.takes(run.started, s)]
        if taken:
            steps += taken
            found.runs.append(run.started)
            found.forgotten += sum(len(line.positions) for line in run.forgotten)
    if not choice.keep_handles:
        found.names = Pseudonyms(key_of(data.pseudonym_key), found.people)
    for started, step in steps:
        for number, frame in enumerate(step.frames):
            if frames.has(frame.sha256):
                found.rows.append(_row(started, step, number))
            else:
                found.problems.append(f"{frames.path(frame.sha256)} is missing.")
    if not found.rows:
        raise NothingToExport
    mark_duplicates(found.rows)
    assign(found.rows, choice.split_by)
    if found.names is not None:
        for row in found.rows:
            remove_names(row, found.names)
    return found


def _row(run: RunStarted, step: Step, number: int) -> Row:
    """One row; ``sha256`` is that of the kept frame until the picture is written."""
    frame, video, said, did = step.frames[number], step.video, step.judgement, step.reaction
    row: dict[str, Any] = {}
    for record in (frame, step, video, said, did):
        row |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    row |= {
        "id": f"{run.run_id}/{step.position}/{number}",
        "run": run.run_id,
        "at": step.at.isoformat(),
        "platform": run.platform,
        "persona": run.persona.id,
        "persona_traits": run.persona.traits_hash,
        "strategy": run.strategy,
        "model": run.model,
        "arm": run.arm,
        "video": video.id,
        "hashtags": list(video.hashtags),
        "created_at": video.created_at and video.created_at.isoformat(),
        "subtitle_languages": list(video.subtitle_languages),
        "stickers": list(video.stickers),
    }
    return {name: row.get(name) for name in FIELDS}


def remove_names(row: Row, names: Pseudonyms) -> None:
    """Put pseudonyms in place of creators, videos and makers of sounds, in texts too."""
    own = row["author"]
    for name in ("caption", "music_title", "reason", "description", "reply", "screen_text"):
        row[name] = row[name] and names.text(row[name], own)
    for name in ("hashtags", "stickers"):
        row[name] = [names.text(text, own) for text in row[name]]
    _without_musician(row, names)
    row["author"] = own and names.creator(own)
    row["video"] = names.video(row["platform"], row["video"])
    row["url"] = None
    row["run"] = names.run(row["run"])
    for name in ("id", "duplicate_of"):
        if row[name]:
            run, place = row[name].split("/", 1)
            row[name] = f"{names.run(run)}/{place}"


def _without_musician(row: Row, names: Pseudonyms) -> None:
    """Replace whoever made the sound, who is mostly a creator: title and id lead there, too."""
    author, id_ = row["music_author"], row["music_id"]
    if author:
        title = row["music_title"]
        row["music_title"] = title and title.replace(author, names.creator(author))
        row["music_author"] = names.creator(author)
    row["music_id"] = id_ and names.music(row["platform"], id_)

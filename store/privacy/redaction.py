"""What a ledger and its re-judgements look like once something is taken out of them.

Each file is rewritten whole, beside its place, and renamed: this is the one change that is ever
made to a committed line, and the ledger says so in a line of its own and in its schema.

Refuses to know what is to be forgotten and why (``forget``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from store.errors import DataUnwritable
from store.jsonl.atomic import write_whole
from store.runs.ledger import read_lines as ledger_lines
from store.runs.records import (
    REDACTED,
    Fault,
    Forgotten,
    Judgement,
    ObservedVideo,
    Record,
    RunFinished,
    RunStarted,
    Video,
)
from store.runs.rejudgements import RejudgedAnswer, read_known

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
    """Everything that a judge said, and read."""
    told = (judgement.reason, judgement.description, judgement.reply, judgement.screen_text)
    return [text for text in told if text]


def retold(step: S, change: Change) -> S:
    """A step whose texts are changed."""
    video = _changed(step.video, ("caption", "url", "author_name"), change)
    video = video.model_copy(update={"hashtags": tuple(change(tag) for tag in video.hashtags)})
    return step.model_copy(update={"video": video, "judgement": reworded(step.judgement, change)})


def reworded(judgement: Judgement, change: Change) -> Judgement:
    """A judgement whose texts are changed."""
    return _changed(judgement, ("reason", "description", "reply", "screen_text"), change)


def reported(fault: Fault, change: Change) -> Fault:
    """A fault whose message is changed, without details where they would have to be."""
    details = json.dumps(fault.details, ensure_ascii=False)
    left = fault.details if change(details) == details else {}
    return fault.model_copy(update={"message": change(fault.message), "details": left})


def _changed(record: R, names: Sequence[str], change: Change) -> R:
    told = {name: getattr(record, name) for name in names}
    return record.model_copy(update={name: change(text) for name, text in told.items() if text})


def redact_ledger(
    path: Path, steps: Mapping[int, ObservedVideo], line: Forgotten, change: Change
) -> None:
    """Put changed steps, and their openings, in the place of old ones, and say so in a line.

    Faults of emptied steps lose their words as well, which can name an address.

    Raises
    ------
    DataUnwritable
        The disk refused. The ledger is as it was.
    """
    records, _ = ledger_lines(path)
    made: list[Record] = []
    for record in records:
        new: Record = record
        if isinstance(record, RunStarted):
            new = record.model_copy(update={"schema_": max(record.schema_, REDACTED)})
        elif isinstance(record, ObservedVideo) and record.position in steps:
            new = _as_changed(record, steps[record.position])
        elif isinstance(record, Fault) and record.position in line.positions:
            new = record.model_copy(update={"message": "(forgotten)", "details": {}})
        elif isinstance(record, Fault):
            new = reported(record, change)
        made.append(new)
    last = len(made) - isinstance(made[-1], RunFinished)
    made.insert(last, line)
    _rewrite(path, made)


def _as_changed(record: ObservedVideo, changed: ObservedVideo) -> ObservedVideo:
    """One of the two lines of a step, with what its step shows from now on."""
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
            if tells(text) or change(text) != text:
                continue
        elif isinstance(record, RejudgedAnswer) and concerned(record):
            frame = record.frame if record.frame.startswith(STAND_IN) else stand_in(record.frame)
            silent = silenced(record.judgement)
            new = record.model_copy(update={"judgement": silent, "frame": frame})
        elif isinstance(record, RejudgedAnswer):
            new = record.model_copy(update={"judgement": reworded(record.judgement, change)})
        made.append(new)
    if made != records:
        _rewrite(path, made)


def _rewrite(path: Path, records: Sequence[Record | bytes]) -> None:
    lines = [
        (line if isinstance(line, bytes) else line.model_dump_json(by_alias=True).encode()) + b"\n"
        for line in records
    ]
    try:
        write_whole(path, b"".join(lines))
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None

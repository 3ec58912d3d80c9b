"""Takes a video, an author, or what is old out of everything that is kept.

Everything that hangs on a ledger goes first and the ledger's own lines last, so that a call that
was cut off finds what is left to do; the request itself lies in the data folder until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from store.errors import (
    CopiesElsewhere,
    CopiesRemain,
    DataUnwritable,
    ForgetRefused,
    NothingToForget,
    RunLocked,
)
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import sync_folder
from store.jsonl.base_record import tell_fault
from store.jsonl.file_seal import write_sealed
from store.jsonl.locks import NamedLock, byte_lock, holder
from store.privacy import redaction
from store.privacy.forget_answers import ForgottenKeys, forget_answers, texts_about
from store.privacy.forget_plan import ForgetPlan, Request, RunPlan, plan, prepared
from store.runs.data_folder import DataFolder
from store.runs.ledger import LOCK, LedgerLine
from store.runs.ledger_lines import Forgotten, ObservedVideo
from store.runs.rejudgements import judgement_files


class DamagedRequest(ForgetRefused):
    """What a call to forget left behind when it was cut off cannot be read."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path} is damaged: {problem}. It says what is being forgotten. Delete it, and ask "
            "for the same again: python -m store forget"
        )


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """What was taken out."""

    videos: int
    steps: int
    edited: int
    runs: int
    frames: int
    shared: int
    vectors: int
    replies: int
    reports: int
    unread: tuple[str, ...] = ()
    """Why ledgers could not be read; they may tell of it still."""


def pending(data: DataFolder) -> Request | None:
    """The request that a call which was cut off did not finish; raises ``DamagedRequest``."""
    try:
        return Request.model_validate_json(data.forgetting.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise DamagedRequest(data.forgetting, tell_fault(error)) from None


def forget(
    data: DataFolder,
    request: Request,
    made: Callable[[ForgetPlan], None] = lambda _: None,
) -> ForgetResult:
    """Carry out a request, or go on with one from ``pending``.

    ``made`` is told the plan before anything is done; it may refuse by raising.

    Raises ``NothingToForget``; ``CopiesElsewhere`` where something made of it lies outside the data
    folder, where nothing is ever deleted; ``CopiesRemain`` where exports or trainings hold it, and
    are not to be removed; ``RunLocked`` and ``IndexLocked`` where somebody writes. Where somebody
    began to write meanwhile, the request is ``pending``.
    """
    _refuse_writers(data)
    made(_planned(data, request)[1])
    _refuse_writers(data)
    request, todo = _planned(data, request)  # runs may have gone on while a person thought
    try:
        write_sealed(data.forgetting, request.model_dump_json().encode())
        return _carry_out(data, request, todo)
    except OSError as error:
        raise DataUnwritable(data.root, error.strerror or str(error)) from None


def _planned(data: DataFolder, asked: Request) -> tuple[Request, ForgetPlan]:
    request = prepared(data, asked)
    todo = plan(data, request)
    if not todo.runs and not asked.salt:
        raise NothingToForget(request.asked, request.value, todo.unread)
    _refuse_copies(data, todo, request)
    return request, todo


def _carry_out(data: DataFolder, request: Request, todo: ForgetPlan) -> ForgetResult:
    from store.index.build import purge  # loads chromadb

    vectors = purge(data, todo.keys, request.url)
    preferences = ForgottenKeys(todo.frames, todo.videos)
    gone = _gone(data, todo, request, preferences)
    replies = redaction.forget_replies(data, gone)
    redaction.forget_spectra(data, gone)
    reports = redaction.forget_reports(data, gone)
    reports += redaction.forget_derived(data, todo.derived)
    _forget_frames(data, todo)
    for folder in (data.pairs_dir, data.probes_dir):
        forget_answers(folder, preferences, request.change)
    for run in todo.runs:
        _rewrite(data, run, request)
    data.remove(data.compact_dir)  # after the ledgers: what is compacted from now on tells nothing
    redaction.sweep(data)
    _refuse_writers(data)  # who began meanwhile has read what is forgotten: the request stays open
    data.remove(data.forgetting)
    sync_folder(data.root)
    return ForgetResult(
        len(todo.videos),
        todo.emptied,
        todo.edited,
        len(todo.runs),
        len(todo.frames),
        len(todo.shared),
        vectors,
        replies,
        reports,
        tuple(todo.unread),
    )


def _refuse_copies(data: DataFolder, todo: ForgetPlan, request: Request) -> None:
    if elsewhere := todo.elsewhere(data):
        raise CopiesElsewhere(elsewhere)
    if (copies := todo.copies(data)) and not request.remove_copies:
        raise CopiesRemain(copies)


def _refuse_writers(data: DataFolder) -> None:
    """A run that goes on could show the same frames while they are deleted."""
    for folder in (data.runs_dir, data.spectra_dir):
        for lock in sorted(folder.glob("**/*.lock")):
            if who := holder(lock):
                raise RunLocked(lock.relative_to(folder).parts[0], who)


def _gone(
    data: DataFolder, todo: ForgetPlan, request: Request, preferences: ForgottenKeys
) -> redaction.DerivedRemoval:
    folders = (data.pairs_dir, data.probes_dir)
    texts = todo.texts.union(*(texts_about(folder, preferences) for folder in folders))
    runs = {run.path.parent.name for run in todo.runs}
    return redaction.DerivedRemoval(
        todo.entries,
        todo.frames,
        todo.shared,
        texts,
        runs,
        todo.studies,
        request.change,
        request.token,
    )


def _forget_frames(data: DataFolder, todo: ForgetPlan) -> None:
    """Delete frames, and the pictures of walls that were met on the way to emptied steps."""
    frames = FrameStore(data.frames_dir)
    for sha256 in todo.frames:
        frames.remove(sha256)
    for run in todo.runs:
        for position in run.line.positions:
            for picture in (run.path.parent / "pictures").glob(f"{position:06}-*"):
                data.remove(picture)


def _rewrite(data: DataFolder, run: RunPlan, request: Request) -> None:
    with redaction.hold_alone(NamedLock(run.path.parent / LOCK)):
        for path in judgement_files(run.path.parent):
            with redaction.hold_alone(byte_lock(path.with_suffix(".lock"), data.answers_lock)):
                redaction.redact_judgements(
                    path,
                    lambda asked: asked.position in run.line.positions,
                    request.change,
                    request.token,
                    # a line that cannot be read could name any
                    lambda line: bool(run.line.positions) and '"judge"' not in line,
                )
        redaction.redact_ledger(run.path, run.steps, run.line, request.change, request.digests())


def remains(records: Iterable[LedgerLine], forgotten: Sequence[Forgotten]) -> list[str]:
    """What is left in steps that a ledger's own lines say were emptied."""
    emptied = {position for line in forgotten for position in line.positions}
    left, met = set[int](), set[int]()
    for record in records if emptied else ():
        if isinstance(record, ObservedVideo) and record.position in emptied:
            met.add(record.position)
            if redaction.emptied(record, record.video.id) != record:
                left.add(record.position)
    return [
        f"step {position} was forgotten and still tells of its video"
        for position in sorted(left | emptied - met)
    ]

"""Exports steps, a row each and without pictures: for spreadsheets, and for 4CAT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from store.dataset import manifest
from store.dataset.card import NAME as CARD
from store.dataset.export import DatasetExport, own_words
from store.dataset.leaks import refuse_leaks
from store.dataset.pseudonyms import KnownPeople, Pseudonyms, key_of, known_runs
from store.dataset.rows import Row, RowChoice, remove_names
from store.dataset.step_tables import write_csv, write_excel
from store.dataset.zeeschuimer import write_captures
from store.errors import DataUnwritable, NothingToExport
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import RunStarted, Step
from store.terminal.printing import count_of

StepWriter = Callable[[Path, Iterable[tuple[RunStarted, Step]]], dict[str, int]]
"""Writes steps into a folder; returns the rows of each file."""

STEP_FORMATS: dict[str, StepWriter] = {
    "csv": write_csv,
    "xlsx": write_excel,
    "zeeschuimer": write_captures,
}
_TEXTS = ("caption", "music_title", "reason", "description", "reply", "screen_text")


@dataclass(slots=True)
class _Steps:
    """What is exported: runs with the positions of their steps, and pseudonyms."""

    steps: list[tuple[RunStarted, Step]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    donations: int = 0
    """Histories that people gave, which are exported only if they are named."""
    names: Pseudonyms | None = None

    @property
    def runs(self) -> list[RunStarted]:
        return list({run.run_id: run for run, _ in self.steps}.values())

    def each(self) -> Iterator[tuple[RunStarted, Step]]:
        """Give each step as it is written."""
        if self.names is None:
            yield from self.steps
            return
        names = {run.run_id: self.names.run(run.run_id) for run in self.runs}
        renamed = {r.run_id: r.model_copy(update={"run_id": names[r.run_id]}) for r in self.runs}
        for run, step in self.steps:
            yield renamed[run.run_id], _pseudonymise(run.platform, step, self.names)


def export_steps(data: DataFolder, folder: Path, kind: str, choice: RowChoice) -> DatasetExport:
    """Write steps to a new or empty folder; ``kind`` is one of ``STEP_FORMATS``.

    Raises as ``export``, and ``ExcelUnavailable`` and ``TooLongForExcel``.
    """
    found = _gather(data, choice)
    frames = {frame.sha256 for _, step in found.steps for frame in step.frames}
    runs = found.runs
    try:
        with manifest.staged_export(data, folder, frames, [run.run_id for run in runs]) as building:
            counts = STEP_FORMATS[kind](building, found.each())
            if not counts:
                raise NothingToExport
            write_whole(building / CARD, _card(counts, found).encode())
            if found.names is not None:
                refuse_leaks(building, found.names, own_words(runs))
            told = {"format": kind, "made_at": datetime.now(UTC).isoformat(), "rows": counts}
            manifest.finish(building, told)
    except OSError as error:
        raise DataUnwritable(folder, error.strerror or str(error)) from None
    return DatasetExport(folder, counts, tuple(found.problems))


def _gather(data: DataFolder, choice: RowChoice) -> _Steps:
    found, people = _Steps(), KnownPeople()
    for run in known_runs(data, people, found.problems):
        first = run.started
        if first.persona.source == "donation" and first.from_elsewhere and not choice.where.run:
            found.donations += 1
            continue
        found.steps += [(first, step) for step in run.steps if choice.takes(first, step)]
    if not found.steps:
        raise NothingToExport
    if not choice.keep_handles:
        found.names = Pseudonyms(key_of(data.pseudonym_key), people)
    return found


def _pseudonymise(platform: str, step: Step, names: Pseudonyms) -> Step:
    """Return a step that names nobody, by the same rules as rows of screenshots."""
    video, said = step.video, step.judgement
    row: Row = {"platform": platform, "run": "", "id": None, "duplicate_of": None}
    row |= {"video": video.id, "hashtags": list(video.hashtags), "stickers": list(video.stickers)}
    row |= {name: getattr(video, name) for name in ("author", "url", "music_id", "music_author")}
    for name in _TEXTS:
        row[name] = getattr(video if name in type(video).model_fields else said, name)
    remove_names(row, names)
    texts = {name: row[name] for name in _TEXTS}
    told = {name: texts.pop(name) for name in ("reason", "description", "reply", "screen_text")}
    bare = {"id": row["video"], "author_name": None, "url": None, "author": row["author"]}
    bare |= {name: row[name] for name in ("music_id", "music_author")}
    bare |= {name: tuple(row[name]) for name in ("hashtags", "stickers")}
    return step.model_copy(
        update={
            "video": video.model_copy(update={**bare, **texts}),
            "judgement": said.model_copy(update=told),
        }
    )


def _card(counts: dict[str, int], found: _Steps) -> str:
    """Say what the files are, whom they name, and what they cannot say."""
    first, last = min(s.at for _, s in found.steps), max(s.at for _, s in found.steps)
    names = (
        "Creators' handles, ids and addresses of videos are in the fields as they were."
        if found.names is None
        else "Creators' handles and ids of videos are replaced by keyed hashes, in texts too, and "
        "addresses are left out. This is pseudonymous, not anonymous."
    )
    given = (
        f"{count_of(found.donations, 'data donation')} left out: `--run` exports one.\n\n"
        if found.donations
        else ""
    )
    rows = "\n".join(f"| {name} | {count} |" for name, count in counts.items())
    return (
        f"# Steps of short-video feeds\n\n{count_of(len(found.steps), 'step')} of "
        f"{count_of(len(found.runs), 'run')}, seen from {first:%Y-%m-%d} to {last:%Y-%m-%d}: a row "
        f"is a video that was shown, judged and reacted to.\n\n| file | rows |\n|---|---|\n{rows}\n"
        f"\n{given}{names} The videos belong to their creators. The law on personal data "
        "applies.\n\n"
        "The export is complete only with `manifest.json`: `python -m store export --check FOLDER` "
        "compares every file with it. An empty cell is not known, never 0.\n"
    )

"""What the commands give: text for people, fields for programs, and the sheet of a search."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any

from store.errors import DataUnwritable, StoreError
from store.frames.frame_store import FrameStore
from store.index.entries import Hit
from store.jsonl.base_record import Record
from store.jsonl.locks import holder
from store.maintenance.verify import VerifyReport
from store.runs.ledger import LOCK, LedgerStream, RunSummary
from store.runs.ledger_lines import Fault, ObservedVideo, Step
from store.runs.ledger_site_lines import last_difference
from store.runs.run_outline import outline_run
from store.terminal.printing import count_of
from store.untrusted.clean_text import show_line
from store.untrusted.size_limits import UnreadablePicture, decode_picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw


def run_fields(run: RunSummary) -> dict[str, Any]:
    started = run.started
    fields: dict[str, Any] = {"run": run.run_id, "status": _status(run), "steps": run.steps}
    if started is not None:
        fields |= {
            "started": started.at.isoformat(),
            "persona": started.persona.id,
            "platform": started.platform,
            "strategy": started.strategy,
            "model": started.model,
            "arm": started.arm,
            "account": started.account,
        }
    return fields | {"problem": run.problem, "ledger": str(run.path)}


def runs_table(runs: Sequence[RunSummary]) -> str:
    names = ("run", "started", "persona", "platform", "strategy", "model", "arm", "status", "steps")
    rows = [[*names]]
    for run in runs:
        fields = run_fields(run)
        fields["started"] = f"{run.started.at:%Y-%m-%d %H:%M}" if run.started else None
        cells = (fields.get(name) or ("0" if name == "steps" else "-") for name in names)
        rows.append([show_line(str(cell)) for cell in cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines + [run.problem for run in runs if run.problem])


def _status(run: RunSummary) -> str:
    """``running`` where a living process holds an unfinished ledger."""
    if run.status == "interrupted" and holder(run.path.parent / LOCK):
        return "running"
    return run.status


def ledger_lines(stream: LedgerStream) -> str:
    events: list[tuple[datetime, str]] = []

    def take(video: ObservedVideo) -> None:
        if isinstance(video, Step):
            events.append((video.at, _event_line(video)))

    run = outline_run(stream, take)
    started = run.started
    lines = [
        f"{started.run_id}  {run.status}, {count_of(run.steps, 'step')}",
        f"{started.persona.id} on {started.platform}, {started.strategy}, {started.model}, "
        f"{started.arm}, account {started.account}, seed {started.seed}",
        *(f"  {trait}" for trait in started.persona.traits),
        "",
        " pos  phase   answer      p_yes  action  dwell s  video",
    ]
    events += [(fault.at, _event_line(fault)) for fault in run.faults]
    lines += [line for _, line in sorted(events, key=itemgetter(0))]
    lines += [
        f"Forgotten on {record.at:%Y-%m-%d}, by {record.asked}: "
        f"{count_of(len(record.positions), 'step')} emptied, "
        f"{len(record.edited)} with a name taken out."
        for record in run.forgotten
    ]
    if told := last_difference(run.checks):
        lines.append(f"The site itself has counted otherwise: {told}.")
    if run.torn:
        lines.append(f"A torn last line of {run.torn} bytes is left out.")
    return "\n".join(lines)


def _event_line(event: Step | Fault) -> str:
    if isinstance(event, Fault):
        went_on = "" if event.recovered else " (the run stopped)"
        return f"{event.position:4}  ! {event.fault}: {shorten(event.message, 70)}{went_on}"
    judged = event.judgement
    answer = judged.answer or judged.missing or "missing"
    p_yes = "" if judged.p_yes is None else f"{judged.p_yes:.2f}"
    about = shorten(event.video.caption or event.video.id, 50, placeholder="…")
    mark = f"[{event.excluded}] " if event.excluded else ""
    dwell_s = event.reaction.dwell_s
    dwell = "?" if dwell_s is None else f"{dwell_s:.1f}"
    return (
        f"{event.position:4}  {event.phase:6}  {answer:10}  {p_yes:5}  "
        f"{event.reaction.action:6}  {dwell:>7}  {mark}{about}"
    )


def ledger_json(stream: LedgerStream) -> Iterator[str]:
    """Give a run as JSON, in parts, once the whole of its ledger was looked through."""
    run = outline_run(stream, lambda _: None)
    steps = (record for record in stream if isinstance(record, Step))
    yield f'{{\n  "status": {_indent(run.status, 2)},\n  "torn": {run.torn},\n'
    yield f'  "started": {_indent(run.started.model_dump(mode="json", by_alias=True), 2)},\n'
    yield f'  "resumes": {_indent(_fields(run.resumes), 2)},\n  "steps": ['
    for number, step in enumerate(islice(steps, run.steps)):
        yield f"{',' if number else ''}\n    {_indent(step.model_dump(mode='json'), 4)}"
    yield "\n  ]" if run.steps else "]"
    rest = {
        "open_step": run.open_step.model_dump(mode="json") if run.open_step else None,
        "checks": _fields(run.checks),
        "faults": _fields(run.faults),
        "forgotten": _fields(run.forgotten),
        "finished": run.finished.model_dump(mode="json") if run.finished else None,
    }
    for name, value in rest.items():
        yield f',\n  "{name}": {_indent(value, 2)}'
    yield "\n}"


def _fields(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [record.model_dump(mode="json") for record in records]


def _indent(value: object, by: int) -> str:
    """Return a value as it stands within JSON of two blanks a level."""
    told = json.dumps(value, indent=2, ensure_ascii=False)
    return told.replace("\n", "\n" + " " * by)


def hit_fields(hits: Sequence[Hit], frames: FrameStore) -> list[dict[str, Any]]:
    return [
        {"rank": rank, "similarity": round(hit.similarity, 4)}
        | asdict(hit.entry)
        | {"duplicate_of": hit.duplicate_of, "frame": str(frames.path(hit.entry.sha256))}
        for rank, hit in enumerate(hits, 1)
    ]


def hit_lines(hits: Sequence[Hit], frames: FrameStore) -> str:
    lines: list[str] = []
    for rank, hit in enumerate(hits, 1):
        entry = hit.entry
        caption = shorten(entry.caption, 70, placeholder="…") or "(no caption)"
        twin = f"  near-duplicate of {hit.duplicate_of}" if hit.duplicate_of else ""
        lines += [
            f"{rank:3}  {hit.similarity:.3f}  {caption}",
            f"     {entry.platform}  {entry.persona} said {entry.answer}  "
            f"{entry.run}/{entry.position}{twin}",
            f"     {frames.path(entry.sha256)}",
        ]
    return "\n".join(lines)


def report_lines(report: VerifyReport) -> str:
    indexed = ", ".join(f"{count} in {name}" for name, count in report.indexed.items())
    lines = [
        f"{count_of(report.runs, 'run')}, {count_of(report.steps, 'step')}, "
        f"{count_of(report.frames, 'frame')}; "
        f"indexed: {indexed or 'nothing'}",
        f"{count_of(report.orphans, 'frame')} that no ledger names, "
        f"{len(report.temporary)} temporary files left behind",
        *(f"  {path}" for path in report.temporary),
        f"{count_of(report.files, 'file')} under a hash; not checked, as caches and logs: "
        + (", ".join(f"{name} ({files})" for name, files in report.uncovered.items()) or "none"),
        *(f"Note: {note}" for note in report.notes),
    ]
    for problem in report.problems:
        lines += [f"WRONG: {problem.where}: {problem.what}", f"       {problem.fix}"]
    lines.append(_closing_words(report))
    return "\n".join(lines)


def _closing_words(report: VerifyReport) -> str:
    if not report.sound:
        return "Something is wrong."
    if report.unsealed:
        return (
            "All that bears a hash is as it was written; "
            f"of {count_of(report.unsealed, 'file')}, not all does."
        )
    return "Everything is as it was written."


def report_json(report: VerifyReport) -> str:
    return json.dumps({"sound": report.sound} | asdict(report), indent=2, ensure_ascii=False)


_COLUMNS = 5
_CELL = (200, 356)
"""Room for one frame, in pixels; nine by sixteen fills it."""
_TEXT = 66
_GAP = 12
_INK, _SOFT, _PAPER, _HOLE = "#1a1a1a", "#5f5f5f", "#ffffff", "#dcdcdc"


def write_sheet(hits: Sequence[Hit], frames: FrameStore, path: Path) -> None:
    """Draw frames with rank, similarity, persona, answer and caption; raises ``DataUnwritable``."""
    from PIL import Image, ImageDraw

    columns = max(1, min(_COLUMNS, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    width, height = _CELL[0] + _GAP, _CELL[1] + _TEXT + _GAP
    sheet = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, hit in enumerate(hits):
        left = _GAP + number % columns * width
        top = _GAP + number // columns * height
        picture = _picture(frames, hit.entry.sha256)
        offset = (_CELL[0] - picture.width) // 2, (_CELL[1] - picture.height) // 2
        sheet.paste(picture, (left + offset[0], top + offset[1]))
        _label(draw, (left, top + _CELL[1] + 6), number + 1, hit)
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:  # ValueError: no picture format has this suffix
        raise DataUnwritable(path, str(error)) from None


def _label(draw: ImageDraw, corner: tuple[int, int], rank: int, hit: Hit) -> None:
    from PIL import ImageFont

    left, top = corner
    entry = hit.entry
    head = f"{rank}.  {hit.similarity:.3f}  {entry.persona}  {entry.answer}"
    draw.text((left, top), head, fill=_INK, font=ImageFont.load_default(15))
    caption = wrap(shorten(entry.caption, 60, placeholder="…"), 32)
    draw.text((left, top + 22), "\n".join(caption), fill=_SOFT, font=ImageFont.load_default(12))


def _picture(frames: FrameStore, sha256: str) -> Image:
    from PIL import Image

    try:
        picture = decode_picture(frames.read(sha256))
    except (StoreError, UnreadablePicture):
        return Image.new("RGB", _CELL, _HOLE)
    picture.thumbnail(_CELL)
    return picture

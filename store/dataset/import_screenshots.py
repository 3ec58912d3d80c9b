"""Other people's screenshots as a run: platform ``imported``, one step a picture, no judgement.

So everything that reads runs reads them: index and search, exports, statistics, re-judging.
Pictures lose their metadata, and become JPEG.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from store.dataset.imported_run import ImportedRun, ImportedVideo, name_slug
from store.dataset.pseudonyms import IMPORTED
from store.dataset.published_pictures import bare
from store.errors import BadCaptions, DataUnreadable, OutsideFolder
from store.frames.frame_store import FrameStore, describe
from store.jsonl.paths import path_within
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, LedgerWriter, read, summarise
from store.runs.ledger_lines import (
    Frame,
    RunFinished,
    RunStarted,
    Video,
)
from store.untrusted.size_limits import (
    MOST_PICTURE_BYTES,
    TooManyBytes,
    UnreadablePicture,
    open_picture,
    open_table,
    read_file,
)

COLUMNS = ("file", "caption", "author", "video", "url", "hashtags", "at")
"""Of the CSV; only ``file`` must be there. Hashtags are parted by blanks, ``at`` is ISO 8601."""
_QUALITY = 95
_OTHER = "{} {} holds other pictures: add --name OTHER"


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder of pictures, and what is said of them."""

    folder: Path
    captions: Path
    name: str
    licence: str
    version: str
    """Of feedsway."""

    @property
    def run_id(self) -> str:
        return f"{IMPORTED}-{name_slug(self.name)}"


@dataclass(frozen=True, slots=True)
class ScreenshotImport:
    """What an import did."""

    run_id: str
    added: int
    present: int


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    picture: Path
    video: Video
    at: datetime | None


def bring_in(
    data: DataFolder,
    given: Collection,
    now: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> ScreenshotImport:
    """Keep a collection.

    One that was cut off goes on, and one that is there stays as it is. Raises ``BadCaptions`` where
    the CSV names a file that is no picture, has no column ``file``, or is not the one that the same
    run was begun with; ``DataUnreadable``, ``DataUnwritable`` and ``RunLocked``.
    """
    lines = _lines(given)
    mark = _mark(given, lines)
    path = data.ledger_path(given.run_id)
    done = 0
    if path.exists() and summarise(path) is not None:
        run = read(path)
        if run.started.config_hash != mark:
            _hold_against(given, lines, run)
        if run.finished:
            return ScreenshotImport(given.run_id, 0, len(run.steps))
        done = run.next_position
    frames = FrameStore(data.frames_dir)
    with LedgerWriter(path) as writer:
        if not path.stat().st_size:
            writer.append(_started(given, now, len(lines), mark))
        for position, line in enumerate(lines[done:], done):
            jpeg = _jpeg(given, line)
            frame = _described(given, line, jpeg)
            step = ImportedVideo(line.at or now, line.video, frame=frame).step(position)
            frames.put(jpeg)
            writer.append(step)
            if progress is not None:
                progress(position + 1, len(lines))
        writer.append(RunFinished(at=now, steps=len(lines), eligible=len(lines)))
    return ScreenshotImport(given.run_id, len(lines) - done, len(lines))


def _lines(given: Collection) -> list[_Line]:
    try:
        with open_table(given.captions) as file:
            table = csv.DictReader(file)
            if "file" not in (table.fieldnames or ()):
                raise BadCaptions(given.captions, 1, "there is no column named file")
            lines = list(_read(given, table))
    except OSError as error:
        raise DataUnreadable(given.captions, error.strerror or str(error)) from None
    except TooManyBytes as error:
        raise BadCaptions(given.captions, 1, str(error)) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadCaptions(given.captions, 1, f"it is no CSV in UTF-8 ({error})") from None
    if not lines:
        raise BadCaptions(given.captions, 1, "it names no picture")
    return lines


def _read(given: Collection, table: csv.DictReader[str]) -> Iterator[_Line]:
    for row in table:
        number = table.line_num
        told = {name: (row.get(name) or "").strip() or None for name in COLUMNS}
        name = told["file"]
        if name is None:
            raise BadCaptions(given.captions, number, f"there is no file of {given.folder} in it")
        try:
            picture = path_within(given.folder, given.folder / name)
        except OutsideFolder as error:
            raise BadCaptions(given.captions, number, str(error)) from None
        if not picture.is_file():
            raise BadCaptions(given.captions, number, f"there is no file {name} in {given.folder}")
        video = Video(
            id=told["video"] or picture.relative_to(given.folder).as_posix(),
            url=told["url"],
            author=told["author"],
            caption=told["caption"],
            hashtags=tuple(tag.lstrip("#") for tag in (told["hashtags"] or "").split()),
        )
        try:
            at = datetime.fromisoformat(told["at"]) if told["at"] else None
        except ValueError:
            raise BadCaptions(given.captions, number, f"{told['at']} is no date") from None
        at = at.replace(tzinfo=UTC) if at and not at.tzinfo else at
        yield _Line(number, picture, video, at)


def _mark(given: Collection, lines: Sequence[_Line]) -> str:
    """What a run that goes on must agree with: the pictures, and what is said of them."""
    told = [
        (
            hashlib.sha256(_bytes(given, line)).hexdigest(),
            line.video.model_dump(mode="json"),
            line.at and line.at.isoformat(),
        )
        for line in lines
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _hold_against(given: Collection, lines: Sequence[_Line], run: Ledger) -> None:
    """Refuse a run that holds other pictures, or says something else of them, and name the first.

    Only where the marks differ: one of an older feedsway did not know of the pictures' bytes.
    """
    if len(lines) != run.started.windows.before:
        raise BadCaptions(given.captions, 1, _OTHER.format("run", given.run_id))
    for step, line in zip(run.steps, lines, strict=False):
        same = step.video == line.video and line.at in (None, step.at)
        shown = hashlib.sha256(_jpeg(given, line)).hexdigest()
        if not same or [frame.sha256 for frame in step.frames] != [shown]:
            where = f"{line.picture.name} is not as it was imported, and run"
            raise BadCaptions(given.captions, line.number, _OTHER.format(where, given.run_id))


def _bytes(given: Collection, line: _Line) -> bytes:
    try:
        return read_file(line.picture, MOST_PICTURE_BYTES)
    except TooManyBytes as error:
        raise BadCaptions(given.captions, line.number, f"{line.picture}: {error}") from None
    except OSError as error:
        problem = f"{line.picture} cannot be read ({error.strerror or error})"
        raise BadCaptions(given.captions, line.number, problem) from None


def _jpeg(given: Collection, line: _Line) -> bytes:
    """The picture as JPEG, upright and without metadata; a JPEG file's picture is not touched."""
    from PIL import ImageOps

    raw = _bytes(given, line)
    try:
        with open_picture(raw) as picture:
            upright = picture.getexif().get(0x0112, 1) == 1
            if picture.format == "JPEG" and picture.mode in ("L", "RGB") and upright:
                return bare(raw)
            out = io.BytesIO()
            turned = ImageOps.exif_transpose(picture)
            turned.convert("RGB").save(out, "JPEG", quality=_QUALITY)
    except UnreadablePicture as error:
        raise BadCaptions(given.captions, line.number, f"{line.picture}: {error}") from None
    return bare(out.getvalue())


def _described(given: Collection, line: _Line, jpeg: bytes) -> Frame:
    try:
        seen = describe(jpeg)
    except UnreadablePicture as error:  # a JPEG file's header may promise what is not there
        raise BadCaptions(given.captions, line.number, f"{line.picture}: {error}") from None
    return Frame(
        sha256=hashlib.sha256(jpeg).hexdigest(),
        width=seen.width,
        height=seen.height,
        time_s=0.0,
        phash=seen.phash,
        quality=seen.quality,
    )


def _started(given: Collection, now: datetime, steps: int, mark: str) -> RunStarted:
    return ImportedRun(
        run_id=given.run_id,
        at=now,
        platform=IMPORTED,
        persona="nobody",
        source=IMPORTED,
        eligible=steps,
        mark=mark,
        version=given.version,
        config={"name": given.name, "licence": given.licence},
    ).first_line()

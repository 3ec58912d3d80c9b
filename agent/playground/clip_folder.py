"""A folder of one's own clips as a catalogue.

The folder holds clips (WebM, MP4) or pictures and a ``captions.csv`` that names them. It is
validated as a whole before anything is served. Clips are served as they are, without a mark;
pictures are made into clips as the shipped footage is.
"""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from agent.playground.catalogue import Catalogue, CatalogueItem, Kind
from agent.playground.errors import BadCatalogue
from agent.playground.fiducial_marker import CAPACITY
from store.errors import OutsideFolder
from store.jsonl.paths import path_within
from store.untrusted.size_limits import TooManyBytes, UnreadablePicture, open_picture, open_table

TABLE = "captions.csv"
NEEDED = ("file", "caption", "creator")
OPTIONAL = ("hashtags", "theme", "ad", "live", "likes")
VIDEOS = frozenset({".webm", ".mp4"})
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
NO_THEME = "everything"
PICTURE_SECONDS = 6.0
_MOST_DIGITS = 15

_TRUTHS = {"": False, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


def load_folder(folder: Path) -> Catalogue:
    """Read and check a folder; ``BadCatalogue`` names the line that is wrong.

    Columns are file, caption, creator and, where wanted, hashtags (separated by spaces), theme,
    ad, live (yes or no) and likes.
    """
    path = folder / TABLE
    try:
        with open_table(path) as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, reader.fieldnames or ())
            items = [_item(path, number, row, reader.line_num) for number, row in enumerate(reader)]
    except OSError as error:
        raise BadCatalogue(path, f"It cannot be read ({error.strerror}).") from error
    except TooManyBytes as error:
        raise BadCatalogue(path, f"{error}.".capitalize()) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadCatalogue(path, f"It is not a table of text ({error}).") from error
    if not any(item.kind == "video" for item in items):
        raise BadCatalogue(path, "It needs at least one line that is neither ad nor live.")
    if len(items) > CAPACITY:
        raise BadCatalogue(path, f"It has more than {CAPACITY} lines.")
    return Catalogue(tuple(items))


def count_videos(folder: Path) -> dict[str, int]:
    """Count the plain videos of each theme by the table; empty where it is unreadable."""
    try:
        with open_table(folder / TABLE) as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, TooManyBytes, csv.Error):
        return {}
    marks = [
        [_TRUTHS.get((row.get(name) or "").lower()) for name in ("ad", "live")] for row in rows
    ]
    plain = [row for row, mark in zip(rows, marks, strict=True) if not any(mark)]
    return dict(Counter(row.get("theme") or NO_THEME for row in plain))


def _check_columns(path: Path, names: Iterable[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    unknown = [name for name in names if name not in NEEDED + OPTIONAL]
    if missing:
        raise BadCatalogue(path, f"The column {missing[0]!r} is missing.", 1)
    if unknown:
        raise BadCatalogue(path, f"The column {unknown[0]!r} is not known.", 1)


def _item(path: Path, number: int, row: dict[str, str], line: int) -> CatalogueItem:
    if None in row or None in row.values():
        raise BadCatalogue(path, "It has another number of fields than the first line.", line)
    text = {name: row.get(name, "").strip() for name in NEEDED + OPTIONAL}
    for name in NEEDED:
        if not text[name]:
            raise BadCatalogue(path, f"The field {name!r} is empty.", line)
    ad, live = (_truth(path, name, text[name], line) for name in ("ad", "live"))
    if ad and live:
        raise BadCatalogue(path, "A line is an ad or live, not both.", line)
    likes = text["likes"]
    if likes and not (likes.isascii() and likes.isdigit() and len(likes) <= _MOST_DIGITS):
        raise BadCatalogue(path, f"Likes are a whole number, not {likes[:40]!r}.", line)
    try:
        file = path_within(path.parent, path.parent / text["file"])
    except OutsideFolder:
        raise BadCatalogue(path, f"{text['file']!r} lies outside the folder.", line) from None
    kind: Kind = "ad" if ad else "live" if live else "video"
    return CatalogueItem(
        number=number,
        id="own" + hashlib.sha256(f"{number} {text['file']}".encode()).hexdigest()[:8],
        kind=kind,
        theme=text["theme"] or NO_THEME,
        caption=text["caption"],
        creator=text["creator"].lstrip("@"),
        nickname=text["creator"].lstrip("@"),
        hashtags=tuple(tag.lstrip("#") for tag in text["hashtags"].split()),
        likes=int(likes or 0),
        comments=0,
        plays=0,
        seconds=_seconds(path, file, line),
        footage=str(file.resolve()),
        file=file.resolve() if file.suffix.lower() in VIDEOS else None,
    )


def _truth(path: Path, name: str, text: str, line: int) -> bool:
    if text.lower() not in _TRUTHS:
        raise BadCatalogue(path, f"The field {name!r} is yes or no, not {text!r}.", line)
    return _TRUTHS[text.lower()]


def _seconds(path: Path, file: Path, line: int) -> float:
    """Length of a clip; opening it is also how it is checked."""
    suffix = file.suffix.lower()
    if suffix not in VIDEOS | PICTURES:
        kinds = ", ".join(sorted(VIDEOS | PICTURES))
        raise BadCatalogue(path, f"{file.name!r} is none of {kinds}.", line)
    if not file.is_file():
        raise BadCatalogue(path, f"There is no file {file.name!r} in the folder.", line)
    if suffix in PICTURES:
        _check_picture(path, file, line)
        return PICTURE_SECONDS
    seconds = probe_length(file)
    if not seconds:
        raise BadCatalogue(path, f"{file.name!r} cannot be read as a clip.", line)
    return seconds


def probe_length(file: Path) -> float | None:
    """Length of a clip in seconds; ``None`` for what is none."""
    import imageio_ffmpeg  # looks for its program when imported

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(file)]
    # without an output ffmpeg always fails, after it has said what the file holds
    said = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    text = said.stderr.decode(errors="replace")
    length = re.search(r"Duration: (\d+):(\d+):(\d+\.\d+)", text)
    if length is None or " Video: " not in text:
        return None
    hours, minutes, seconds = map(float, length.groups())
    return 3600 * hours + 60 * minutes + seconds


def _check_picture(path: Path, file: Path, line: int) -> None:
    try:
        with open_picture(file) as picture:
            picture.verify()
    except UnreadablePicture as error:
        raise BadCatalogue(path, f"{file.name!r} cannot be read as a picture.", line) from error

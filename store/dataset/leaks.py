"""Searches every byte of an export for names of people, before the manifest is written.

Texts are searched as they are read, so that what Parquet packs is found as well; a kind of file
that cannot be searched is a leak. Nothing is mended.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from store.dataset.pseudonyms import IMPORTED, Pseudonyms
from store.dataset.published_pictures import bare
from store.errors import LeakingExport
from store.privacy.person_names import skeleton
from store.untrusted.foreign_tables import read_table
from store.untrusted.size_limits import open_picture

FOREIGN = (
    "author",
    "video",
    "url",
    "caption",
    "hashtags",
    "music_id",
    "music_title",
    "music_author",
    "stickers",
    "reason",
    "description",
    "reply",
    "screen_text",
    "chosen",
    "rejected",
    "statement",
    "error_statement",
    "swapped_out",
    "swapped_in",
)
"""Fields that hold what others wrote; no word in them is excused. A prompt is ours, and holds
traits of a persona beside it: a creator called "people" is not named by it."""
_NAMED = ("run", "id", "duplicate_of", "file_name")
"""Fields that carry the names of runs, which others gave where they are imported."""
_PICTURES = ("image", "images")
_RECOGNISED = ("textLanguage", "CategoryType")
"""Fields of a captured item that a site's own words fill."""
_ID = 8
"""Digits from which a number may be an id."""
_WORD = re.compile(r"\w+")


def refuse_leaks(folder: Path, names: Pseudonyms, own: Collection[str] = ()) -> None:
    """Raise ``LeakingExport`` where a known creator or video is named somewhere.

    ``own`` are words of those who made the runs: models and personas that happen to be called like
    a creator. They and the program's own words are excused in the card and in names of files.
    """
    excused = _program_words() | words_of(*own)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        where = path.relative_to(folder).as_posix()
        for place, text, strict in ((where, where, False), *_texts(path, where)):
            left = names.left_in(text)
            if any(strict or not is_excused(name, excused) for name in left):
                raise LeakingExport(place)


def words_of(*texts: str) -> set[str]:
    """Return the words of texts, as names are compared."""
    return {skeleton(word) for text in texts for word in _WORD.findall(text)}


def is_excused(name: str, words: Collection[str]) -> bool:
    """Tell whether what looks like a name is made of our own words, and of counts."""
    return all(word in words or (word.isdigit() and len(word) < _ID) for word in words_of(name))


@cache
def _program_words() -> frozenset[str]:
    """Every word of the programs that write exports, so that none of them passes for a name."""
    sources = [
        *Path(__file__).parent.glob("*.py"),
        Path(__file__).parents[1] / "results" / "preference_pairs.py",
    ]
    return frozenset(words_of(*(path.read_text("utf-8") for path in sources)))


def _texts(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise LeakingExport(f"{where}, which cannot be searched")
    yield from reader(path, where)


def _lines(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        yield f"{where}, line {number}", line, False


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:  # lines end where bytes say: U+2028 may stand in a text
        yield from map(json.loads, file)


def _records(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    for record in _json_lines(path):
        yield from _fields(record, where)


def _captures(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    """Every text of captured items, less what the site has recognised in them."""
    for line in _json_lines(path):
        data = {name: each for name, each in line.pop("data").items() if name not in _RECOGNISED}
        for text in _strings({"item_id": line.pop("item_id"), "data": data}):
            yield f"{where}, data", text, True
        for text in _strings(line):
            yield where, text, False


def _picture(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    yield from _beside(path.read_bytes(), where)


def _cells(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    table = read_table(path)
    for name in table.names:
        if name in (*FOREIGN, *_NAMED):
            for text in table.column(name).values:
                yield from _fields({name: text}, where)


def _table(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(200):
            for row in batch.to_pylist():
                for name in _PICTURES:
                    packed = row.pop(name, None) or ()
                    for picture in [packed] if isinstance(packed, dict) else packed:
                        yield from _beside(picture["bytes"], where)
                        yield where, picture["path"], False
                yield from _fields(row, where)


def _members(path: Path, where: str) -> Iterator[tuple[str, str, bool]]:
    with tarfile.open(path) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None:
                continue
            if member.name.endswith(".json"):
                yield from _fields(json.load(content), where)
            else:
                yield from _beside(content.read(), where)
                yield where, member.name, False


def _fields(row: dict[str, Any], where: str) -> Iterator[tuple[str, str, bool]]:
    for name, value in row.items():
        imported = name in _NAMED and str(value).startswith(IMPORTED)
        if name in FOREIGN or imported:
            for text in _strings(value):
                yield f"{where}, field {name}", text, True


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _beside(picture: bytes, where: str) -> Iterator[tuple[str, str, bool]]:
    """What a picture says beside what it shows; nothing of a JPEG file may be left."""
    if picture[:2] == b"\xff\xd8":
        if bare(picture) != picture:
            yield where, picture.decode("latin-1"), True
        return
    with open_picture(picture) as opened:
        for text in map(str, opened.info.values()):
            yield where, text, False


_READERS: dict[str, Callable[[Path, str], Iterator[tuple[str, str, bool]]]] = {
    ".md": _lines,
    ".txt": _lines,
    ".jsonl": _records,
    ".ndjson": _captures,
    ".csv": _cells,
    ".xlsx": _cells,
    ".parquet": _table,
    ".tar": _members,
    ".jpg": _picture,
    ".png": _picture,
}
"""By the end of a file's name: what gives each text, where it stands, and whether no word in it is
excused."""

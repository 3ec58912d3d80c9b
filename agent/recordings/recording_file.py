"""The format of a recording: one gzip file of JSON lines, checked line by line when it is read.

First a header, then what the document itself held, then responses and scenes in the order in which
they came, last the proof that it is whole.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent.errors import BadRecording
from store.untrusted.packed_lines import read_packed_lines
from store.untrusted.size_limits import ForeignFault

NAME = "recording.jsonl.gz"
SCHEMA = 1
MOST_BYTES = 64 * 2**20
"""Of the file, and of what it unpacks to; ten videos of a site have some ten MiB."""
MOST_LINE_BYTES = 16 * 2**20
MOST_LINES = 20_000
MOST_NODES = 20_000
"""Elements and texts of one scene."""
MOST_PIXELS = 10**6
MOST_SECONDS = 10**6
"""Of a player's clip."""
LONGEST = 100_000

WallName = Literal["consent", "login", "challenge", "age", "inactivity", "rate_limit", "error"]
Ending = Literal["declined", "gone", "stood"]
"""How a wall ended: by its button that declines, by itself, or not at all."""
Words = Annotated[str, Field(max_length=LONGEST)]
Name = Annotated[str, Field(max_length=200)]
MARKUP_NAME = r"^[a-z][a-z0-9_-]{0,60}$"
TagName = Annotated[str, Field(pattern=MARKUP_NAME)]
AttributeName = Annotated[str, Field(pattern=MARKUP_NAME)]
Address = Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+(/[^\s<>\"']*)?$", max_length=4000)]
Place = Annotated[float, Field(ge=-MOST_PIXELS, le=MOST_PIXELS, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=0, le=10**9)]


class RecordedValue(BaseModel):
    """A frozen value of a recording that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordingHeader(RecordedValue):
    """What was recorded, and with what."""

    kind: Literal["recording"] = "recording"
    format: Literal[1] = 1
    platform: Annotated[str, Field(pattern=r"^[a-z]{1,40}$")]
    url: Address
    recorded_on: date
    of_skin: bool = False
    """Whether the playground's look-alike was recorded, not the site."""
    signed_in: bool | None = None
    viewport: tuple[Annotated[int, Field(ge=1, le=10_000)], Annotated[int, Field(ge=1, le=10_000)]]
    locale: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,4}$")]
    browser: Name
    code_version: Name


class InlineData(RecordedValue):
    """JSON that the document itself held: a variable's (``window.NAME``) or a script element's."""

    kind: Literal["inline"] = "inline"
    name: Words
    attributes: dict[AttributeName, Words] = {}
    body: Any


class RecordedAnswer(RecordedValue):
    """What the site answered to its own page."""

    kind: Literal["answer"] = "answer"
    url: Address
    request: Words | None = None
    status: Annotated[int, Field(ge=200, le=599)] = 200
    body: Any = None
    asked_at: Annotated[int, Field(ge=-1, le=MOST_LINES)]
    """Scene during which the page asked, counted from 0; -1: before the first."""
    reacting: bool = False
    """Whether the visitor had begun to react to that scene by then."""
    early: bool = False
    """Whether it came before what the document itself held was read."""


class PlayerState(RecordedValue):
    """A video element as it stood. Of its pictures nothing is kept."""

    source: Number | None = None
    """Number of what it played, over the whole recording; ``None`` where nothing was loaded."""
    duration_s: Annotated[float, Field(gt=0, le=MOST_SECONDS)] | None = None
    playing: bool = False


class PageNode(RecordedValue):
    """An element of a page, or a text, which has no tag. Parents stand before their children."""

    n: Number
    """Its number: the same as long as the document has the same node."""
    p: Number | None = None
    """Number of the parent; ``None`` for the body."""
    tag: TagName | None = None
    shadow: bool = False
    """Whether it lies in the parent's open shadow root."""
    attributes: dict[AttributeName, Words] = {}
    box: tuple[Place, Place, Place, Place] | None = None
    """Left, top, width and height in the viewport, in CSS pixels."""
    unseen: Literal["display", "visibility", "opacity"] | None = None
    """The property of style that hides it."""
    text: Words = ""
    video: PlayerState | None = None
    picture: bool = False
    """Whether it is an image that was loaded."""
    next_button: bool = False


class DescribedVideo(BaseModel):
    """What the adapter read of a video on the day: the fields that are compared, if told."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    id: str | None = None
    author: str | None = None
    caption: str | None = None
    hashtags: list[str] | None = None
    duration_s: Annotated[float, Field(allow_inf_nan=False)] | None = None
    ad: bool | None = None
    live: bool | None = None


class Scene(RecordedValue):
    """The page as it stood once a video, or a wall, was seen."""

    kind: Literal["scene"] = "scene"
    address: Address
    document: Number
    """Number of the document, which grows where the page was opened anew."""
    nodes: Annotated[tuple[PageNode, ...], Field(max_length=MOST_NODES)]
    wall: WallName | None = None
    ending: Ending | None = None
    """Of a wall."""
    described: dict[Name, Any] | None = None
    """What the adapter read of the video on the day; not used in playback."""


class RecordingEnd(RecordedValue):
    """Last line: the proof that a recording is whole."""

    kind: Literal["end"] = "end"
    scenes: Number
    answers: Number


Line = RecordingHeader | InlineData | RecordedAnswer | Scene | RecordingEnd
_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


@dataclass(frozen=True)
class DueAnswer:
    """An answer and the number of the scene before which it came."""

    answer: RecordedAnswer
    due: int


@dataclass(frozen=True)
class Recording:
    """A recording as it was read."""

    header: RecordingHeader
    inline: tuple[InlineData, ...]
    answers: tuple[DueAnswer, ...]
    scenes: tuple[Scene, ...]

    @property
    def videos(self) -> tuple[Scene, ...]:
        return tuple(scene for scene in self.scenes if scene.wall is None)


def pack_lines(lines: Sequence[Line]) -> bytes:
    """Return the bytes of a recording, its last line added."""
    end = RecordingEnd(
        scenes=sum(isinstance(line, Scene) for line in lines),
        answers=sum(isinstance(line, RecordedAnswer) for line in lines),
    )
    texts = [
        json.dumps(_plain(line), ensure_ascii=False, separators=(",", ":"))
        for line in (*lines, end)
    ]
    return gzip.compress("\n".join([*texts, ""]).encode("utf-8", "replace"), mtime=0)


def _plain(line: Line) -> dict[str, Any]:
    kind: dict[str, Any] = {"kind": line.kind}
    return kind | line.model_dump(mode="json", exclude_defaults=True)


def find_recording(path: Path) -> Path:
    """Return the file of a recording that is named by itself or by its folder."""
    return path / NAME if path.is_dir() else path


def hash_recording(path: Path) -> str:
    """Return the SHA-256 of a recording's file, in hexadecimal."""
    return hashlib.sha256(find_recording(path).read_bytes()).hexdigest()


def read_recording(path: Path) -> Recording:
    """Read a recording; raises ``BadRecording`` where it is none, damaged, or too large."""
    place = find_recording(path)
    try:
        lines = [_LINE.validate_python(line) for line in _values(place)]
        for line in lines:
            if isinstance(line, Scene) and line.described is not None:
                DescribedVideo.model_validate(line.described)
    except OSError as error:
        raise BadRecording(str(path), error.strerror or "it cannot be read") from None
    except ForeignFault as error:
        raise BadRecording(str(path), str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:200]
        raise BadRecording(str(path), f"{where}: {first['msg']}") from None
    return _put_together(path, lines)


def _values(place: Path) -> Iterable[Any]:
    return read_packed_lines(place, MOST_BYTES, MOST_LINES, MOST_LINE_BYTES)


def _put_together(path: Path, lines: Sequence[Line]) -> Recording:
    if not lines or not isinstance(lines[0], RecordingHeader):
        raise BadRecording(str(path), "its first line is no header")
    scenes: list[Scene] = []
    inline: list[InlineData] = []
    answers: list[DueAnswer] = []
    for line in lines[1:]:
        if isinstance(line, Scene):
            _check_tree(path, line)
            scenes.append(line)
        elif isinstance(line, RecordedAnswer):
            answers.append(DueAnswer(line, len(scenes)))
        elif isinstance(line, InlineData):
            inline.append(line)
    end = RecordingEnd(scenes=len(scenes), answers=len(answers))
    if lines[-1] != end:
        raise BadRecording(str(path), "it is not whole: its last line does not fit")
    if not scenes:
        raise BadRecording(str(path), "it holds no scene")
    return Recording(lines[0], tuple(inline), tuple(answers), tuple(scenes))


def _check_tree(path: Path, scene: Scene) -> None:
    """Refuse nodes whose parent does not stand before them, or that stand twice."""
    known: set[int] = set()
    for at, node in enumerate(scene.nodes):
        rooted = node.p is None if at == 0 else node.p in known
        if not rooted or node.n in known:
            raise BadRecording(str(path), f"node {node.n} of a scene has no place")
        if node.tag is not None:
            known.add(node.n)

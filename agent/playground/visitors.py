"""What the site remembers of each visitor: an append-only file, replayed when it returns.

A line is written and flushed before the page hears of it, so that a killed site forgets nothing
that it has confirmed; a torn last line is dropped. Visitors never touch each other's files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from agent.playground.errors import DamagedState, FolderUnwritable, SettingsChanged, VisitorBusy
from agent.playground.recommend import History, Settings, Shelf, next_batch
from store.jsonl.append_only import divide
from store.jsonl.hash_chain import ChainWalk, seal_line

SCHEMA = 1
STILL_ON = (None, "pagehide")
"""Ends of a view after which the visitor has not moved on: a page that is closed moves nowhere."""


class WatchReport(BaseModel):
    """One view of one place, as the page's player reports it; later reports replace earlier."""

    model_config = ConfigDict(frozen=True, strict=True)

    index: int = Field(ge=0)
    """Place in the visitor's feed, from 0."""
    view: str = Field(min_length=1, max_length=200)
    """Names the view: a place that is visited twice has two."""
    watched_s: float = Field(ge=0, allow_inf_nan=False)
    """Seconds of content played so far in this view; pauses count nothing, loops count."""
    duration_s: float = Field(ge=0, allow_inf_nan=False)
    loops: int = Field(ge=0)
    ended_by: str | None = Field(default=None, max_length=40)
    """``None`` while the view goes on."""

    def adds_to(self, known: WatchReport | None) -> bool:
        """Whether this report says more than an earlier one; reports may arrive out of order."""
        if known is None or self.watched_s > known.watched_s:
            return True
        return self.watched_s == known.watched_s and self.ended_by != known.ended_by is None


class Like(BaseModel):
    """A like, or its withdrawal."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: str
    liked: bool


@dataclass(frozen=True)
class BatchPart:
    """A part of a batch, as it goes to the browser."""

    batch: int
    first: int
    numbers: tuple[int, ...]


class Visitor:
    """One visitor's feed and what is known of how it was watched.

    Its name seeds its feed; shelf and settings are fixed at the first visit. One that cannot be
    served is ``SettingsChanged``, ``VisitorBusy`` or ``DamagedState``.
    """

    def __init__(self, path: Path, name: str, shelf: Shelf, settings: Settings) -> None:
        self._path, self._name = path, name
        self._shelf, self._settings = shelf, settings
        self._batches: list[tuple[int, ...]] = []
        self._views: dict[int, dict[str, WatchReport]] = {}
        self._liked: set[str] = set()
        self._chain = ChainWalk()
        self._lock = FileLock(path.with_suffix(".lock"), blocking=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise VisitorBusy from None
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    @property
    def served(self) -> list[int]:
        return [number for batch in self._batches for number in batch]

    @property
    def resume_at(self) -> int:
        """The place that was not moved on from, or else the first unknown one."""
        last = max(self._views, default=-1)
        return last if last >= 0 and self._latest(last).ended_by in STILL_ON else last + 1

    def likes(self, item_id: str) -> bool:
        return item_id in self._liked

    def page(self, after: int | None) -> BatchPart | None:
        """Serve from a place on: the rest of its batch, or the next, made once.

        ``after`` counts the places that the browser has; ``None`` resumes. Returns ``None`` for a
        place beyond what could be served next.
        """
        place = self.resume_at if after is None else after
        total = len(self.served)
        if not 0 <= place <= total:
            return None
        if place == total:
            self._extend()
        first = 0
        for number, batch in enumerate(self._batches):
            if place < first + len(batch):
                return BatchPart(number, place, batch[place - first :])
            first += len(batch)
        raise AssertionError("a batch was just made for this place")

    def watch(self, watch: WatchReport) -> bool:
        """Take a report; ``False`` where its place was never served."""
        if watch.index >= len(self.served):
            return False
        if watch.adds_to(self._views.get(watch.index, {}).get(watch.view)):
            self._write({"watch": watch.model_dump()})
            self._take_watch(watch)
        return True

    def like(self, like: Like) -> None:
        if like.liked != self.likes(like.id):
            self._write({"like": like.model_dump()})
            self._take_like(like)

    def close(self) -> None:
        """Let another site have the visitor."""
        self._lock.release()

    def history(self) -> History:
        """What the recommender learns from."""
        items = self._shelf.catalogue.items
        served = self.served
        watched = [
            sum(w.watched_s for w in self._views[place].values()) if place in self._views else nan
            for place in range(len(served))
        ]
        return History(served, watched, [items[number].id in self._liked for number in served])

    def record(self) -> list[dict[str, Any]]:
        """What was watched and liked, by place of the feed."""
        items, served = self._shelf.catalogue.items, self.served
        return [
            {
                "index": place,
                "id": items[served[place]].id,
                "watched_s": round(sum(view.watched_s for view in views.values()), 3),
                "liked": self.likes(items[served[place]].id),
                "ended_by": self._latest(place).ended_by,
            }
            for place, views in sorted(self._views.items())
        ]

    def _latest(self, place: int) -> WatchReport:
        """The view of a place that began last."""
        return list(self._views[place].values())[-1]

    def _extend(self) -> None:
        batch = len(self._batches)
        chosen = next_batch(self._shelf, self._settings, self._name, batch, self.history())
        ids = [self._shelf.catalogue.items[number].id for number in chosen]
        self._write({"batch": {"number": batch, "items": ids}})
        self._batches.append(tuple(chosen))

    def _open(self) -> None:
        lines = _whole_lines(self._path)
        if not lines:
            self._write({"visitor": self._header()})
        for line in lines:
            body, fault = self._chain.take(line)
            try:
                if fault is not None:
                    raise ValueError(fault)
                self._replay(json.loads(body))
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedState(self._path, self._chain.lines) from error

    def _header(self) -> dict[str, Any]:
        catalogue = self._shelf.catalogue.fingerprint
        return {"schema": SCHEMA, "name": self._name, "catalogue": catalogue} | asdict(
            self._settings
        )

    def _replay(self, line: dict[str, Any]) -> None:
        ((kind, body),) = line.items()
        match kind:
            case "visitor":
                self._check(body)
            case "batch":
                numbers = (self._shelf.catalogue.by_id[item].number for item in body["items"])
                self._batches.append(tuple(numbers))
            case "watch":
                self._take_watch(WatchReport.model_validate(body))
            case "like":
                self._take_like(Like.model_validate(body))
            case _:
                raise ValueError(kind)

    def _check(self, header: dict[str, Any]) -> None:
        for name, now in self._header().items():
            if header[name] != now:
                raise SettingsChanged(name, header[name], now)

    def _take_watch(self, watch: WatchReport) -> None:
        self._views.setdefault(watch.index, {})[watch.view] = watch

    def _take_like(self, like: Like) -> None:
        (self._liked.add if like.liked else self._liked.discard)(like.id)

    def _write(self, line: dict[str, Any]) -> None:
        """Append a line; once this returns, killing the process does not lose it."""
        try:
            sealed, _ = seal_line(json.dumps(line, separators=(",", ":")).encode(), self._chain.end)
            with self._path.open("ab") as file:
                file.write(sealed + b"\n")
            self._chain.take(sealed)
        except OSError as error:
            raise FolderUnwritable(self._path, "--state", error.strerror or str(error)) from error


class Visitors:
    """All visitors of one site, in a folder made if need be, or ``FolderUnwritable``."""

    def __init__(self, folder: Path, shelf: Shelf, settings: Settings) -> None:
        self._folder, self._shelf, self._settings = folder, shelf, settings
        self._known: dict[str, Visitor] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".probe.lock", blocking=True):
                pass
        except OSError as error:
            raise FolderUnwritable(folder, "--state", error.strerror or str(error)) from error

    def get(self, name: str) -> Visitor:
        """Find a visitor, or meet a new one; ``VisitorRefused`` where it cannot be served."""
        if name not in self._known:
            path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.jsonl"
            self._known[name] = Visitor(path, name, self._shelf, self._settings)
        return self._known[name]

    def close(self) -> None:
        for visitor in self._known.values():
            visitor.close()


def _whole_lines(path: Path) -> list[bytes]:
    """Lines that were written whole. What a kill tore off after the last of them is dropped."""
    if not path.exists():
        return []
    content = path.read_bytes()
    lines, torn = divide(content)
    if torn:
        with path.open("r+b") as file:
            file.truncate(len(content) - torn)
    return lines

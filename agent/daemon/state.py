"""What the journal says of now: what is paused, running, broken, waiting for a person.

Refuses to know schedules, and to look anywhere but at the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from agent.daemon.journal import (
    AnyEvent,
    Breaker,
    DaemonStarted,
    DaemonStopped,
    Ended,
    FileRefused,
    FileTaken,
    Held,
    Noticed,
    Skipped,
    Started,
    Trouble,
    Wall,
)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One due time of one entry, and what became of it."""

    entry: str
    due: datetime
    attempts: int = 0
    started: datetime | None = None
    ended: Ended | None = None
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The daemon as its journal tells it."""

    paused_all: bool = False
    paused: frozenset[str] = frozenset()
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    walls: Mapping[tuple[str, str], Wall] = field(default_factory=dict)
    running: Mapping[tuple[str, datetime], Started] = field(default_factory=dict)
    last: Mapping[str, Occurrence] = field(default_factory=dict)
    troubles: Mapping[Trouble, Noticed] = field(default_factory=dict)
    file: FileTaken | None = None
    refused: FileRefused | None = None
    started: DaemonStarted | None = None
    stopped: DaemonStopped | None = None


class _Folding:
    def __init__(self) -> None:
        self.simple: dict[str, object] = {"paused_all": False}
        self.paused: set[str] = set()
        self.breakers: dict[str, Breaker] = {}
        self.walls: dict[tuple[str, str], Wall] = {}
        self.running: dict[tuple[str, datetime], Started] = {}
        self.last: dict[str, Occurrence] = {}
        self.troubles: dict[Trouble, Noticed] = {}

    def take(self, event: AnyEvent) -> None:
        """Take one event in."""
        match event:
            case Started() | Ended() | Skipped():
                self._occurred(event)
            case Breaker():
                _keep(self.breakers, event.platform, event, open=event.open)
            case Wall():
                _keep(self.walls, (event.platform, event.account), event, open=event.open)
            case Noticed():
                _keep(self.troubles, event.trouble, event, open=event.open)
            case Held(entry=None):
                self.simple["paused_all"] = event.paused
            case Held(entry=str(entry)):
                (self.paused.add if event.paused else self.paused.discard)(entry)
            case _:
                self._daemon(event)

    def _daemon(self, event: AnyEvent) -> None:
        match event:
            case FileTaken():
                self.simple |= {"file": event, "refused": None}
            case FileRefused():
                self.simple["refused"] = event
            case DaemonStarted():
                self.simple |= {"started": event, "stopped": None}
            case DaemonStopped():
                self.simple["stopped"] = event

    def _occurred(self, event: Started | Ended | Skipped) -> None:
        key = (event.entry, event.due)
        kept = self.last.get(event.entry)
        now = kept if kept and kept.due == event.due else Occurrence(*key)
        if isinstance(event, Started):
            self.running[key] = event
            now = replace(now, attempts=event.attempt, started=event.at, ended=None)
        elif isinstance(event, Ended):
            self.running.pop(key, None)
            now = replace(now, ended=event)
        else:
            now = replace(now, skipped=event.reason)
        self.last[event.entry] = now


def _keep(kept: dict[Any, Any], key: object, value: object, *, open: bool) -> None:  # noqa: A002
    if open:
        kept[key] = value
    else:
        kept.pop(key, None)


def fold(events: Iterable[AnyEvent]) -> State:
    """Return what the events, in order, say of now."""
    folding = _Folding()
    for event in events:
        folding.take(event)
    return State(
        paused=frozenset(folding.paused), breakers=folding.breakers, walls=folding.walls,
        running=folding.running, last=folding.last, troubles=folding.troubles,
        **folding.simple,  # type: ignore[arg-type]
    )  # fmt: skip

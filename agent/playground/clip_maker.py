"""Makes missing clips while the site already serves: first those that are wanted."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import PriorityQueue

from agent.playground.catalogue import CatalogueItem
from agent.playground.clips import ClipStore
from agent.playground.errors import PlaygroundError

_STOP, _WANTED, _SOMETIME, _END = range(4)
_NICENESS = 10  # whoever watches goes first
_TELL_EVERY = 24  # clips


@dataclass(order=True)
class _Job:
    rank: int
    turn: int
    items: tuple[CatalogueItem, ...] = field(compare=False)


class Workshop:
    """Threads that make clips; ``tell`` is called with a sentence now and then."""

    def __init__(self, store: ClipStore, tell: Callable[[str], None]) -> None:
        self._store, self._tell = store, tell
        self._jobs: PriorityQueue[_Job] = PriorityQueue()
        self._turns = itertools.count()
        self._guard = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._missing = self._made = 0
        self._faults: list[PlaygroundError] = []
        self._threads = [
            threading.Thread(target=self._work, name=f"clips-{number}", daemon=True)
            for number in range(_usable_cores())
        ]

    def start(self, items: Iterable[CatalogueItem]) -> int:
        """Begin to make clips: these, where missing, and whatever is wanted meanwhile.

        Returns how many of these are missing; ``FootageMissing`` where a package is.
        """
        groups: dict[str, list[CatalogueItem]] = defaultdict(list)  # each footage is decoded once
        for item in items:
            if not self._store.has(item):
                groups[item.footage].append(item)
        self._missing = sum(map(len, groups.values()))
        for group in groups.values():
            self._put(_SOMETIME, tuple(group))
        for thread in self._threads:
            thread.start()
        return self._missing

    def want(self, items: Iterable[CatalogueItem]) -> None:
        """Make these before all others."""
        for item in items:
            if not self._store.has(item):
                self._put(_WANTED, (item,))

    def make_now(self, item: CatalogueItem) -> None:
        """Make one clip here, or wait for the thread that makes it."""
        if not self._store.has(item):
            with self._lock(item.footage):
                self._store.make([item])

    def wait(self) -> None:
        """Wait until every clip is there, or raise what kept one from being made."""
        for _ in self._threads:
            self._put(_END, ())
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        if self._faults:
            raise self._faults[0]

    def stop(self) -> None:
        """Leave the rest undone; a clip being made is finished."""
        for _ in self._threads:
            self._put(_STOP, ())

    def _put(self, rank: int, items: tuple[CatalogueItem, ...]) -> None:
        self._jobs.put(_Job(rank, next(self._turns), items))

    def _lock(self, footage: str) -> threading.Lock:
        """Two threads never make the same clip."""
        with self._guard:
            return self._making.setdefault(footage, threading.Lock())

    def _work(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while items := self._jobs.get().items:
            try:
                with self._lock(items[0].footage):
                    made = self._store.make(items)
            except PlaygroundError as error:
                self._faults.append(error)
                self._tell(str(error))
            else:
                self._count(made)

    def _count(self, made: int) -> None:
        with self._guard:
            before, self._made = self._made, self._made + made
            done = self._made == self._missing
            if (
                made
                and self._missing
                and (done or before // _TELL_EVERY != self._made // _TELL_EVERY)
            ):
                self._tell(f"Made {self._made} of {self._missing} clips.")


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

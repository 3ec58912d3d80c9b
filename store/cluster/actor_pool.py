"""Actors that answer alike, one on each node or GPU; what a lost one leaves, another takes over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, TypeVar

from store.cluster.errors import (
    ActorsDiffer,
    ClusterFault,
    ClusterWithout,
    HostRefused,
    StartLost,
    WorkLost,
)
from store.cluster.ray_cluster import ActorLost, Cluster, ClusterNode, Hosted, RemoteActor

LOSSES = 10
"""Actors that one task may lose before it is given up, or one place while they start."""
PATIENCE_S = 120.0
"""Wall time without any actor that has a place, before the work is given up."""
LOAD_S = 1800.0
"""Wall time that an actor may load for: a large model is read from a slow disk."""
IDLE_NONE = 2
"""Tasks under way at one actor, so that the next one is there when it has done one."""
_LOOK_EVERY_S = 1.0

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@dataclass(eq=False)
class _Member(Generic[_Task, _Result]):
    """An actor of the pool."""

    actor: RemoteActor[_Task, _Result]
    placed: bool = False
    ready: bool = False
    under_way: int = 0
    about: Hashable = None
    """What its last task was about."""


@dataclass
class _Changes:
    """Wakes whoever waits for an actor."""

    _event: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self) -> None:
        await self._event.wait()


class ActorPool(Generic[_Task, _Result]):
    """Actors on a cluster, which any thread gives tasks to.

    Each living node has one (with GPUs, one for each GPU of it). A node that comes gets one, an
    actor that is lost is replaced, and its tasks are given to others.
    """

    def __init__(
        self, cluster: Cluster, make: Callable[[], Hosted[_Task, _Result]], *, gpu: bool
    ) -> None:
        self.description = b""
        """What every actor says of itself, once the pool is open."""
        self.each = IDLE_NONE
        """Tasks under way at one actor, at most."""
        self.lost = 0
        """Actors that were lost."""
        self._cluster = cluster
        self._make = make
        self._gpu = gpu and any(node.resources.get("GPU", 0) >= 1 for node in cluster.nodes())
        self._members: dict[tuple[str, int], _Member[_Task, _Result]] = {}
        self._unstarted: dict[tuple[str, int], int] = {}
        """Actors in a row that ended in a place before they had described themselves."""
        self._failure: ClusterFault | None = None
        self._changes = _Changes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def at_once(self) -> int:
        """Tasks that the actors which are ready take together, and one at least."""
        return self.each * max(1, sum(one.ready for one in list(self._members.values())))

    def open(self) -> Future[None]:
        """Start actors; done once one has described itself, or raises ``ClusterFault``."""
        return self._run(self._open())

    def submit(self, task: _Task, about: Hashable = None) -> Future[_Result]:
        """Have a task done by whichever actor has room.

        Where one was last given a task about the same, and has room, it is that one. The future
        raises ``ClusterFault`` where the pool can do no more.
        """
        return self._run(self._do(task, about))

    def close(self) -> None:
        """End every actor. What is under way is given up."""
        if self._loop.is_closed():
            return
        self._run(self._end()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        """Let what nobody foresaw end the pool, which would wait for ever."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(HostRefused(f"{type(error).__name__}: {error}."))

    async def _open(self) -> None:
        self._start(self._watch())
        while not self.description:
            if self._failure is not None:
                raise self._failure
            await self._changes.wait()

    async def _watch(self) -> None:
        """Keep an actor in each place, for as long as any can be had."""
        placed_at = monotonic()
        while self._failure is None:
            try:
                nodes = self._cluster.nodes()
            except ClusterFault as error:
                self._fail(error)
                return
            places = [place for node in nodes for place in self._places(node)]
            for place in set(self._members) - set(places):
                self._lose(place, self._members[place])
            for place in places:
                if place not in self._members:
                    self._start(self._bring_up(place))
            if any(one.placed for one in self._members.values()):
                placed_at = monotonic()
            elif monotonic() - placed_at > PATIENCE_S:
                what = "a free GPU" if self._gpu else "a free processor"
                self._fail(ClusterWithout(what, "ray start --address=HEAD:6379"))
            await asyncio.sleep(_LOOK_EVERY_S)

    def _places(self, node: ClusterNode) -> list[tuple[str, int]]:
        """Return a place for each actor that a node shall have."""
        if node.resources.get("CPU", 0) < 1:
            return []
        count = int(node.resources.get("GPU", 0)) if self._gpu else 1
        return [(node.id, number) for number in range(count)]

    async def _bring_up(self, place: tuple[str, int]) -> None:
        """Start an actor in a place, and let it be given tasks once it has described itself."""
        needs = {"CPU": 1.0, "GPU": 1.0} if self._gpu else {"CPU": 1.0}
        actor = self._cluster.start_actor(self._make, needs, place[0])
        member = self._members[place] = _Member(actor)
        try:
            await actor.process()
            member.placed = True
            async with asyncio.timeout(LOAD_S):
                described = await actor.describe()
        except (ActorLost, TimeoutError) as error:
            self._lose(place, member)
            self._unstarted[place] = self._unstarted.get(place, 0) + 1
            if self._unstarted[place] == LOSSES:
                self._fail(StartLost(LOSSES, str(error) or "it loads for too long"))
            return
        except ClusterFault as error:
            self._fail(error)
            return
        self.description = self.description or described
        if described != self.description:
            self._fail(ActorsDiffer(self.description.decode(), described.decode()))
        self._unstarted.pop(place, None)
        member.ready = True
        self._changes.tell()

    async def _do(self, task: _Task, about: Hashable) -> _Result:
        problem = ""
        for _ in range(LOSSES):
            place, member = await self._take(about)
            try:
                return await member.actor.answer(task)
            except ActorLost as error:
                problem = str(error)
                self._lose(place, member)
            finally:
                member.under_way -= 1
                self._changes.tell()
        raise WorkLost(LOSSES, problem)

    async def _take(self, about: Hashable) -> tuple[tuple[str, int], _Member[_Task, _Result]]:
        """Wait for an actor with room: the one that is at the same, else the idlest."""
        while self._failure is None:
            free = [
                (place, member)
                for place, member in self._members.items()
                if member.ready and member.under_way < self.each
            ]
            if free:
                place, member = min(
                    free,
                    key=lambda one: (about is None or one[1].about != about, one[1].under_way),
                )
                member.under_way += 1
                member.about = about
                return place, member
            await self._changes.wait()
        raise self._failure

    def _lose(self, place: tuple[str, int], member: _Member[_Task, _Result]) -> None:
        """Forget an actor, so that the next look starts another in its place."""
        if self._members.get(place) is member:
            del self._members[place]
            self.lost += member.placed
            member.ready = False
            member.actor.kill()
            self._changes.tell()

    def _fail(self, error: ClusterFault) -> None:
        self._failure = self._failure or error
        self._changes.tell()

    async def _end(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for member in self._members.values():
            member.actor.kill()
        self._members.clear()

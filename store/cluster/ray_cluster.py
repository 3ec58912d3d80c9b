"""A Ray cluster, joined or started: its nodes, and actors on them.

The one file that imports ray.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from store.cluster.cluster_address import ClusterAddress
from store.cluster.errors import ClusterUnreachable, HostRefused, RayMissing
from store.terminal.printing import count_of, remark

BROWSER = "browser"
"""Resource of a node: browsers that it can have open."""
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Variable that, as 0, has every process of a cluster that is started here listen on loopback."""
_SAFE = "/"
"""Ray has its workers import from the folder it is started in: nobody can write to this one."""
_KNOCK_S = 10.0
_LOCAL_BROWSERS = 64
"""Of a cluster that is started here: a study's own limit is lower."""

_Task = TypeVar("_Task", contravariant=True)
_Result = TypeVar("_Result", covariant=True)


class ActorLost(Exception):
    """An actor is gone, with its process or its node, and what it was doing with it."""


class Hosted(Protocol[_Task, _Result]):
    """What an actor holds: it is made on the actor's node, and answers there."""

    def describe(self) -> bytes:
        """Load what is heavy; say what tells it from another of its name."""
        ...

    async def answer(self, task: _Task) -> _Result: ...

    def end(self) -> None:
        """Let what is under way come to its end soon."""
        ...


@dataclass(frozen=True)
class ClusterNode:
    """A living node, with the resources that it declares."""

    id: str
    resources: Mapping[str, float]

    def has(self, needs: Mapping[str, float]) -> bool:
        """Whether it could ever hold an actor with these needs, free now or not."""
        return all(self.resources.get(name, 0) >= amount for name, amount in needs.items())


class _Host:
    """The actor: it runs what is hosted in a process of its own."""

    def __init__(self, make: Callable[[], Hosted[Any, Any]]) -> None:
        if os.environ.get("OMP_NUM_THREADS") == "1":  # Ray's, for many small tasks on a node
            del os.environ["OMP_NUM_THREADS"]
        self._hosted = make()

    async def process(self) -> int:
        return os.getpid()

    async def describe(self) -> bytes:
        return await asyncio.to_thread(self._hosted.describe)

    async def answer(self, task: Any) -> Any:
        return await self._hosted.answer(task)

    async def end(self) -> None:
        self._hosted.end()


class RemoteActor(Generic[_Task, _Result]):
    """An actor of ours on some node; each call raises ``ActorLost`` where it is gone."""

    def __init__(self, ray: ModuleType, handle: Any) -> None:
        self._ray = ray
        self._handle = handle

    async def process(self) -> int:
        """Wait until it has a place, and return the id of its process there."""
        number: int = await self._result(self._handle.process.remote())
        return number

    async def describe(self) -> bytes:
        described: bytes = await self._result(self._handle.describe.remote())
        return described

    async def answer(self, task: _Task) -> _Result:
        reference = self._handle.answer.remote(task)
        try:
            answered: _Result = await self._result(reference)
        except asyncio.CancelledError:
            with suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference)
            raise
        return answered

    def end(self) -> None:
        """Ask what is under way to come to its end."""
        self._handle.end.remote()

    def kill(self) -> None:
        """End its process, wherever it is by now."""
        with suppress(self._ray.exceptions.RayError, ConnectionError):
            self._ray.kill(self._handle)

    async def _result(self, reference: Any) -> Any:
        exceptions = self._ray.exceptions
        try:
            return await asyncio.wrap_future(reference.future())
        except exceptions.RayTaskError as error:  # what is hosted raised something
            raise HostRefused(f"{type(error.cause).__name__}: {error.cause}.") from error
        except (exceptions.RayError, ConnectionError) as error:
            raise ActorLost(_why_lost(error)) from error


class Cluster:
    """A cluster that this process is connected to."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray

    @classmethod
    @contextmanager
    def connect(cls, address: ClusterAddress) -> Iterator[Cluster]:
        """Join a cluster, or start one on this machine where none is found, until the end.

        Raises ``RayMissing`` and ``ClusterUnreachable``.
        """
        ray = _load_ray()
        former = os.environ.get(_LOOPBACK)
        kept = signal.getsignal(signal.SIGTERM)
        try:
            found = _init(ray, address)
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, kept)  # Ray ends the process without a word
        try:
            cluster = cls(ray)
            remark(f"{found}: {count_of(len(cluster.nodes()), 'node')}.\n")
            yield cluster
        finally:
            ray.shutdown()
            _bind_to_loopback(former)

    def nodes(self) -> list[ClusterNode]:
        """Return the nodes that live, by id; raises ``ClusterUnreachable``."""
        try:
            told = self._ray.nodes()
        except (self._ray.exceptions.RayError, ConnectionError) as error:
            raise ClusterUnreachable("its address any more", _first_line(error)) from error
        found = [
            ClusterNode(str(node["NodeID"]), dict(node["Resources"]))
            for node in told
            if node["Alive"]
        ]
        return sorted(found, key=lambda node: node.id)

    def start_actor(
        self,
        make: Callable[[], Hosted[_Task, _Result]],
        needs: Mapping[str, float],
        node: str | None = None,
    ) -> RemoteActor[_Task, _Result]:
        """Start an actor, on a node of this id or on any that has what it needs free."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        custom = {name: amount for name, amount in needs.items() if name not in ("CPU", "GPU")}
        place: Any = "SPREAD"
        if node is not None:
            place = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = self._ray.remote(_Host).options(
            num_cpus=needs.get("CPU", 0),
            num_gpus=needs.get("GPU", 0),
            resources=custom,
            scheduling_strategy=place,
        )
        return RemoteActor(self._ray, actor.remote(make))


def _load_ray() -> ModuleType:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to anybody
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # its words on lost nodes go to stdout
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a call after the end starts no cluster
    try:
        import ray  # over a second
    except ImportError:
        raise RayMissing from None
    return ray


def _init(ray: ModuleType, address: ClusterAddress) -> str:
    """Connect; say in words what was found."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    named = address.client or os.environ.get("RAY_ADDRESS")
    try:
        if _answers(named):
            with chdir(_SAFE):
                ray.init(address=named or "auto", **quiet)  # by "auto" it also finds its token
            return "Joined a cluster"
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterUnreachable(named or "this machine", _first_line(error)) from error
    browsers = {BROWSER: _LOCAL_BROWSERS}
    _bind_to_loopback()
    loopback = {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
    try:
        with chdir(_SAFE):
            ray.init(address="local", resources=browsers, **quiet, **loopback)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterUnreachable("this machine", _first_line(error)) from error
    return "No cluster was found, and one was started on this machine"


def _bind_to_loopback(value: str | None = "0") -> None:
    """Have a cluster that is started here listen on loopback alone; another value ends that.

    Whoever reaches a cluster can run code on it. Its processes read the variable, and Ray here has
    read it when it was imported.
    """
    from ray._private import ray_constants

    os.environ.pop(_LOOPBACK, None)
    if value is not None:
        os.environ[_LOOPBACK] = value
    ray_constants.ENABLE_RAY_CLUSTER = value != "0"


def _answers(named: str | None) -> bool:
    """Tell whether anybody listens where Ray would look; it takes minutes to find out itself.

    Raises ``OSError`` where nobody does at an address that was named.
    """
    from ray._private.services import canonicalize_bootstrap_address  # which ray.init asks too

    client = named if named and "://" in named else None
    try:
        found: str | None = client or canonicalize_bootstrap_address(named or "auto")
    except ConnectionError:
        if named:
            raise
        found = None  # Ray's word for none on this machine, which never had one
    if found is None:
        return False
    parts = urlsplit(found if client else f"//{found}")
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), _KNOCK_S).close()
    except OSError:
        if named:
            raise
        return False  # what an ended cluster has left
    return True


def _why_lost(error: Exception) -> str:
    """Say why an actor is gone; one that could not be made says so in its last line."""
    if "error raised in its creation task" in str(error):
        return str(error).strip().rpartition("\n")[2].strip()[:200]
    return _first_line(error)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]

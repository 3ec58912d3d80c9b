"""A pool of actors ends with an error where something unforeseen happens, and never waits on."""

from __future__ import annotations

from typing import Any, cast

import pytest

from store.cluster.actor_pool import ActorPool
from store.cluster.errors import HostRefused
from store.cluster.ray_cluster import Cluster, ClusterNode, Hosted


class _OddCluster:
    """A cluster whose answers break off in a way that nobody foresaw."""

    def __init__(self, nodes_told: int) -> None:
        self._left = nodes_told

    def nodes(self) -> list[ClusterNode]:
        self._left -= 1
        if self._left < 0:
            raise KeyError("Resources")
        return [ClusterNode("one", {"CPU": 1.0})]

    def start_actor(self, *_: Any) -> Any:
        raise RuntimeError("no room in the object store")


def _make() -> Hosted[bytes, bytes]:
    raise AssertionError("never reached")


@pytest.mark.parametrize(("nodes_told", "why"), [(0, "KeyError"), (9, "RuntimeError: no room")])
def test_what_nobody_foresaw_ends_the_pool(nodes_told: int, why: str) -> None:
    pool = ActorPool(cast("Cluster", _OddCluster(nodes_told)), _make, gpu=False)
    with pytest.raises(HostRefused, match=why):
        pool.open().result(timeout=5)
    pool.close()

"""What can go wrong with a cluster, drawn once.

::

    StoreError
    └─ ClusterFault            exit code 2: one sentence that ends in what to type
       ├─ RayMissing              ray is not installed
       ├─ ClusterUnreachable      no cluster answers at the address
       ├─ ClusterWithout(what)    no node has what the work needs
       ├─ ActorsDiffer            nodes load different models or encoders of one name
       ├─ HostRefused             a node cannot load what the work needs
       ├─ StartLost               actors of one place end before they can be given work
       └─ WorkLost                a task has lost as many actors as are put up with
"""

from __future__ import annotations

from store.errors import StoreError


class ClusterFault(StoreError):
    """A cluster cannot do the work."""


class RayMissing(ClusterFault):
    """Ray is not installed here."""

    def __init__(self) -> None:
        super().__init__("Ray is not installed. Type: pip install 'feedsway[ray]'")


class ClusterUnreachable(ClusterFault):
    """No cluster answers at an address."""

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(
            f"No Ray cluster answers at {address} ({problem}). Look at it, with the same version "
            "of Python and Ray as here. Type: ray status"
        )


class ClusterWithout(ClusterFault):
    """No node of the cluster has what the work needs."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"No node of the cluster has {what}. Type on a node that has: {fix}")


class ActorsDiffer(ClusterFault):
    """Nodes have loaded different things of one name."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(
            f"The nodes of the cluster differ: one loads {one[:300]}, another {other[:300]}. Give "
            "all the same files, devices and versions. Type on each: pip freeze"
        )


class HostRefused(ClusterFault):
    """A node cannot load what the work needs."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"A node of the cluster cannot do the work: {problem} Mend that there, or look at its "
            "logs. Type on it: ls /tmp/ray/session_latest/logs"
        )


class StartLost(ClusterFault):
    """Actors end in one place, again and again, before they can be given work."""

    def __init__(self, times: int, problem: str) -> None:
        super().__init__(
            f"{times} actors in a row have ended on one node while they started ({problem}). Look "
            "for what ends them: memory, or feedsway that is not installed there. Type on it: "
            "ls /tmp/ray/session_latest/logs"
        )


class WorkLost(ClusterFault):
    """A task has lost as many actors as are put up with."""

    def __init__(self, times: int, problem: str) -> None:
        self.times = times
        super().__init__(
            f"{times} actors in a row have ended at the same task ({problem}). What was done is "
            "kept. Look for what ends them, memory say. Type on a node: "
            "ls /tmp/ray/session_latest/logs"
        )

"""Clusters of several nodes on this machine, on loopback, whose nodes and workers can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import psutil

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # which makes Ray take loopback for this machine
    "RAY_AUTH_MODE": "disabled",
    "PYTHONPATH": str(Path(__file__).parents[3]),  # actors get encoders of the tests
}
LOOPBACK = "127.0.0.1"


@dataclass
class SimulatedNodes:
    """A head that does no work, and nodes that do."""

    cluster: Any
    browsers: int
    nodes: list[Any] = field(default_factory=list)
    killed: dict[str, int] = field(default_factory=lambda: {"node": 0, "worker": 0})

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a command that shall find this cluster."""
        return {**os.environ, **SETTINGS, "RAY_ADDRESS": self.cluster.address}

    def add(self) -> None:
        resources = {"browser": self.browsers} if self.browsers else {}
        made = self.cluster.add_node(num_cpus=1, resources=resources, node_ip_address=LOOPBACK)
        self.nodes.append(made)

    def kill_node(self, rng: np.random.Generator) -> None:
        """Kill a node without grace, and add another."""
        node = self.nodes.pop(int(rng.integers(len(self.nodes))))
        self.cluster.remove_node(node, allow_graceful=False)
        self.killed["node"] += 1
        self.add()

    def kill_worker(self, rng: np.random.Generator) -> None:
        """``kill -9`` of the process of an actor of ours, if there is any."""
        found = sorted(each.pid for each in psutil.process_iter(["cmdline"]) if _is_actor(each))
        if found:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(found[int(rng.integers(len(found)))]).kill()
                self.killed["worker"] += 1

    def kill_at_random(self, rng: np.random.Generator) -> None:
        (self.kill_node if rng.random() < 0.4 else self.kill_worker)(rng)


def _is_actor(process: psutil.Process) -> bool:
    words = process.info["cmdline"] or [""]
    return bool(words[0].startswith("ray::_Host"))


@contextmanager
def simulated_nodes(count: int, browsers: int = 0) -> Iterator[SimulatedNodes]:
    """Start a cluster; programs with its environment join it."""
    handler = signal.getsignal(signal.SIGTERM)
    kept = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster()
    try:
        cluster.add_node(num_cpus=0, node_ip_address=LOOPBACK)
        made = SimulatedNodes(cluster, browsers)
        for _ in range(count):
            made.add()
        yield made
    finally:
        cluster.shutdown()
        signal.signal(signal.SIGTERM, handler)
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_under_kills(
    nodes: SimulatedNodes, words: list[str], seed: int, most: int, every_s: tuple[float, float]
) -> tuple[int, str]:
    """Run a command while nodes and workers are killed; return its exit code and all it said.

    So many are killed at most, and no more once it has ended.
    """
    rng = np.random.default_rng(seed)
    with (
        TemporaryFile("w+") as said,
        subprocess.Popen(words, env=nodes.environment, stdout=said, stderr=said) as child,
    ):
        while child.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(rng.uniform(*every_s))
            if child.poll() is None and sum(nodes.killed.values()) < most:
                nodes.kill_at_random(rng)
        said.seek(0)
        return child.returncode, said.read()

"""Cells on the nodes of a cluster: each is the child of an actor, on a node that has a browser."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from agent.platforms import load_platform
from agent.study.cell_process import CellLost, CellProcess
from agent.study.conductor import Study, configure_cell
from agent.study.matrix import StudyCell
from store.cluster.errors import ClusterWithout
from store.cluster.ray_cluster import BROWSER, ActorLost, Cluster, RemoteActor

ACCOUNT = "account:"
"""Begins the name of the resource of the node on which an account is signed in."""
NODE_AWAY_S = 120.0
"""Wall time that a cell waits for a node which could run it."""
LAST_WORDS_S = 60.0
"""Wall time that a child may take to end."""
_LOOK_EVERY_S = 2.0


class HostedCell:
    """A cell's child on an actor's node; it ends with the actor's process."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    def describe(self) -> bytes:
        return b"a cell"

    async def answer(self, task: CellProcess) -> int:
        """Run the child; returns its exit code."""
        return await task.run(self._stop)

    def end(self) -> None:
        """Close the child's stdin, by which it ends in order."""
        self._stop.set()


class ClusterCells:
    """A study's cells on a cluster: as many on a node as it declares browsers."""

    def __init__(self, cluster: Cluster, study: Study) -> None:
        self._cluster = cluster
        self._study = study

    def check(self) -> None:
        """Refuse a study that has cells which no node could run; raises ``ClusterWithout``."""
        nodes = self._cluster.nodes()
        for cell in self._study.cells:
            needs = self._needs(cell)
            if not any(node.has({BROWSER: 1}) for node in nodes):
                raise ClusterWithout("browsers", _declare({BROWSER: 4}))
            if not any(node.has(needs) for node in nodes):
                account = next(name for name in needs if name != BROWSER)
                raise ClusterWithout(f"the {account}", _declare({BROWSER: 1, account: 1}))

    async def run(self, cell: StudyCell, process: CellProcess) -> int:
        """Run a cell where there is room for it; raises ``CellLost`` where its node is lost."""
        actor = self._cluster.start_actor(HostedCell, self._needs(cell))
        try:
            await self._wait_placed(actor, self._needs(cell))
            return await _run_to_end(actor, process)
        except ActorLost as error:
            raise CellLost(str(error)) from error
        finally:
            actor.kill()

    def _needs(self, cell: StudyCell) -> Mapping[str, float]:
        """A browser; of a live platform also the node where the account is signed in."""
        if not load_platform(cell.platform).live:
            return {BROWSER: 1.0}
        return {BROWSER: 1.0, f"{ACCOUNT}{configure_cell(self._study, cell).account}": 1.0}

    async def _wait_placed(
        self, actor: RemoteActor[CellProcess, int], needs: Mapping[str, float]
    ) -> None:
        placing = asyncio.create_task(actor.process())
        seen = monotonic()
        try:
            while not (await asyncio.wait([placing], timeout=_LOOK_EVERY_S))[0]:
                if any(node.has(needs) for node in self._cluster.nodes()):
                    seen = monotonic()
                elif monotonic() - seen > NODE_AWAY_S:
                    raise CellLost(f"no node has {', '.join(needs)} any more", again=False)
            placing.result()
        finally:
            placing.cancel()


async def _run_to_end(actor: RemoteActor[CellProcess, int], process: CellProcess) -> int:
    """Run the child; where this is cancelled it comes to its end in order first."""
    running = asyncio.create_task(actor.answer(process))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        actor.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await asyncio.gather(running, return_exceptions=True)
        raise
    finally:
        running.cancel()


def _declare(resources: Mapping[str, float]) -> str:
    told = ", ".join(f'"{name}": {amount:g}' for name, amount in resources.items())
    return f"ray start --address=HEAD:6379 --resources='{{{told}}}'"

"""Questions of two users are never answered in one batch, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest

from agent.models.local_server.turns import Turns


class Room:
    """Sees who is at the model at once, and in which order they came."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.inside: list[str] = []
        self.order: list[str] = []

    async def ask(self, user: str, pause: asyncio.Event | None = None) -> None:
        async with self.turns.of(user):
            self.inside.append(user)
            self.order.append(user)
            try:
                assert len(set(self.inside)) == 1, "a batch of two users"
                await (pause.wait() if pause else asyncio.sleep(0))
            finally:
                self.inside.remove(user)


def test_a_users_questions_go_together_and_users_take_turns() -> None:
    room, pause = Room(), asyncio.Event()

    async def play() -> None:
        tasks = [asyncio.create_task(room.ask(user, pause)) for user in "aabbcab"]
        await asyncio.sleep(0)
        assert room.order == ["a", "a"], "the third came after another had begun to wait"
        pause.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())
    assert "".join(room.order) == "aabbbca"
    assert not room.inside


@pytest.mark.parametrize("seed", range(20))
def test_whoever_gives_up_leaves_no_gap(seed: int) -> None:
    rng, room = np.random.default_rng(seed), Room()

    async def play() -> None:
        tasks = []
        for _ in range(60):
            tasks.append(asyncio.create_task(room.ask(str(rng.integers(3)))))
            if rng.random() < 0.3:
                tasks[rng.integers(len(tasks))].cancel()
            for _ in range(rng.integers(3)):
                await asyncio.sleep(0)
        async with asyncio.timeout(5):
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await room.ask("last")

    asyncio.run(play())
    assert room.order[-1] == "last"

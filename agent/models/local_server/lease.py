"""A user's side of a shared model server: come, wait until it answers, go."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from time import monotonic
from uuid import uuid4

from agent.errors import BadConfig, ModelFailed
from agent.models.local_server.runtime_folder import (
    ServerAddress,
    ServerFolder,
    ServerRecipe,
    is_held,
)

_LOOK_S = 0.2
_TELL_S = 15.0
Narrator = Callable[[str], object]


class ServerLease:
    """One process's claim on a server; the server lives for as long as any claim does.

    The claim is a lock of the operating system's, so that a killed user gives its claim up.
    """

    def __init__(self, recipe: ServerRecipe) -> None:
        if sys.platform == "win32":
            raise BadConfig(
                "vLLM runs on Linux. Start it there, then type: set VLLM_BASE_URL=http://HOST:8000/v1"
            )
        self.recipe = recipe
        self._folder = ServerFolder.for_recipe(recipe)
        self._claim = self._folder.user(f"{os.getpid()}-{uuid4().hex}")
        with self._folder.door:
            self._claim.acquire()
            if not is_held(self._folder.keeper):
                self._start_keeper()

    def wait(self, tell: Narrator) -> ServerAddress:
        """Wait until the server answers, in a thread; raises as `ready` does."""
        pause = threading.Event()
        for address in self._looks(tell):
            if address is not None:
                return address
            pause.wait(_LOOK_S)
        raise AssertionError("looks end with an address or an error")

    async def ready(self, tell: Narrator) -> ServerAddress:
        """Wait until the server answers; a Ctrl-C ends the waiting, and the server with it.

        Raises ``ModelFailed`` where it ended, or did not answer within its limit.
        """
        for address in self._looks(tell):
            if address is not None:
                return address
            await asyncio.sleep(_LOOK_S)
        raise AssertionError("looks end with an address or an error")

    def release(self) -> None:
        self._claim.release()

    def _looks(self, tell: Narrator) -> Iterator[ServerAddress | None]:
        """Look again and again, and say now and then how long it takes."""
        start = last = monotonic()
        while (address := self._folder.address()) is None:
            if not is_held(self._folder.keeper) and self._folder.address() is None:
                self.release()
                raise ModelFailed(
                    f"The server of {self.recipe.model} did not start; {self._folder.log} says "
                    "why. Mend it, then type the same command again"
                )
            now = monotonic()
            if last == start or now - last >= _TELL_S:
                last = now
                tell(
                    f"The server of {self.recipe.model} is starting: {now - start:.0f} s so far "
                    f"(it says in {self._folder.log}).\n"
                )
            yield None
        if last > start:
            tell(f"The server of {self.recipe.model} answers.\n")
        yield address

    def _start_keeper(self) -> None:
        """Start the keeper and wait until it holds its lock; it lives longer than this process."""
        self._folder.retract()
        self._folder.recipe.write_text(json.dumps(asdict(self.recipe)), encoding="utf-8")
        with self._folder.log.open("wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "agent.models.local_server", str(self._folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches its users only
            )
        assert keeper.stdout is not None
        with keeper.stdout as output:
            if not output.readline():
                self.release()
                raise ModelFailed(
                    f"The keeper of {self.recipe.model} did not start; {self._folder.log} says why"
                )
        # it is nobody's child to wait for: init takes it over, and until then a thread does
        threading.Thread(target=keeper.wait, daemon=True).start()

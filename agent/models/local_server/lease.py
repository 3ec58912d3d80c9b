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
from agent.models.local_server.worker_errors import read_error

_LOOK_S = 0.2
_BROKEN_S = 5.0  # within which a keeper sees that its server has ended
_ROOM_S = 10.0  # what servers that nobody uses have to end before another starts
OF_ONE_USER = ("FEEDSWAY_DAEMON_CHILD",)
"""What a server does not inherit: the mark by which a daemon ends all that a child has left."""
_TELL_S = 15.0
Narrator = Callable[[str], object]


class ServerLease:
    """One process's claim on a server; the server lives for as long as any claim does.

    The claim is a lock of the operating system's, so that a killed user gives its claim up.
    """

    def __init__(self, recipe: ServerRecipe, quiet_s: float = 0.0) -> None:
        if sys.platform == "win32":
            raise BadConfig(
                "vLLM runs on Linux. Start it there, then type: set VLLM_BASE_URL=http://HOST:8000/v1"
            )
        self.recipe = recipe
        self._quiet_s = quiet_s  # a start that takes no longer is not worth a word
        self._folder = ServerFolder.for_recipe(recipe)
        self._claim = self._folder.user(f"{os.getpid()}-{uuid4().hex}")
        self._claim_server()

    def wait(self, tell: Narrator, stop: threading.Event | None = None) -> ServerAddress:
        """Wait until the server answers, in a thread; raises as `ready` does.

        Setting ``stop`` ends the waiting with ``ModelFailed``.
        """
        pause = stop or threading.Event()
        for address in self._looks(tell):
            if address is not None:
                return address
            if pause.wait(_LOOK_S):
                raise ModelFailed(f"Nobody waits for the server of {self.recipe.model} any more")
        raise AssertionError("looks end with an address or an error")

    def renew(
        self, lost: ServerAddress | None, tell: Narrator, stop: threading.Event | None = None
    ) -> ServerAddress:
        """Wait for a server after one broke off, and start it where nobody does; as `wait`.

        It is the lost one where that still answers after all.
        """
        pause, until = stop or threading.Event(), monotonic() + _BROKEN_S
        while lost is not None and self._folder.address() == lost and monotonic() < until:
            if not is_held(self._folder.keeper) or pause.wait(_LOOK_S):
                break  # else its keeper is about to see that it is gone
        self._claim_server()
        return self.wait(tell, stop)

    def why_it_failed(self) -> Exception | None:
        """Return what a worker of ours raised instead of answering, if it has ended so."""
        try:
            return read_error(json.loads(self._folder.failure.read_bytes()))
        except (OSError, ValueError):
            return None

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

    def _claim_server(self) -> None:
        """Come through the door, and start the server's keeper where there is none."""
        with self._folder.door:
            if not self._claim.is_locked:
                self._claim.acquire()
            try:
                self._folder.leave.unlink(missing_ok=True)
                if not is_held(self._folder.keeper):
                    self._make_room()
                    self._start_keeper()
            except OSError:  # a full disk, for one
                self.release()
                raise

    def _looks(self, tell: Narrator) -> Iterator[ServerAddress | None]:
        """Look again and again, and say now and then how long it takes."""
        start = last = monotonic()
        while (address := self._folder.address()) is None:
            if not is_held(self._folder.keeper) and self._folder.address() is None:
                self.release()
                raise self.why_it_failed() or ModelFailed(
                    f"The server of {self.recipe.model} did not start; {self._folder.log} says "
                    "why. Mend it, then type the same command again"
                )
            now = monotonic()
            if now - start >= self._quiet_s and (last == start or now - last >= _TELL_S):
                last = now
                tell(
                    f"The server of {self.recipe.model} is starting: {now - start:.0f} s so far "
                    f"(it says in {self._folder.log}).\n"
                )
            yield None
        if last > start:
            tell(f"The server of {self.recipe.model} answers.\n")
        yield address

    def _make_room(self) -> None:
        """End servers that nobody uses: their memory may be what the new one needs."""
        pause, until = threading.Event(), monotonic() + _ROOM_S
        while (idle := self._folder.idle_neighbours()) and monotonic() < until:
            for each in idle:
                each.leave.touch()
            pause.wait(_LOOK_S)

    def _start_keeper(self) -> None:
        """Start the keeper and wait until it holds its lock; it lives longer than this process."""
        self._folder.retract()
        self._folder.failure.unlink(missing_ok=True)
        self._folder.recipe.write_text(json.dumps(asdict(self.recipe)), encoding="utf-8")
        with self._folder.log.open("wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-P", "-m", "agent.models.local_server", str(self._folder.path)],
                env={name: text for name, text in os.environ.items() if name not in OF_ONE_USER},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches its users only
            )
        assert keeper.stdout is not None
        with keeper.stdout as output:
            if not output.readline() and not is_held(self._folder.keeper):  # nor another's
                self.release()
                raise ModelFailed(
                    f"The keeper of {self.recipe.model} did not start; {self._folder.log} says why"
                )
        # it is nobody's child to wait for: init takes it over, and until then a thread does
        threading.Thread(target=keeper.wait, daemon=True).start()

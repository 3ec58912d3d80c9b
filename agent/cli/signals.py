"""Ctrl-C, SIGTERM and the loss of a parent end a command between two awaits."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")


def interruptible(work: Coroutine[Any, Any, Result], *, tethered: bool = False) -> Result:
    """Do the work; with ``tethered``, only for as long as stdin is open."""

    async def supervised() -> Result:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        if tethered:
            end = partial(loop.call_soon_threadsafe, task.cancel)
            Thread(target=_wait_for_stdin, args=(end,), daemon=True).start()
        return await work

    try:
        return asyncio.run(supervised())
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error


def _wait_for_stdin(end: Callable[[], object]) -> None:
    """Call ``end`` once whoever holds the other end of stdin is gone."""
    while os.read(0, 1024):
        pass
    with suppress(RuntimeError):  # the work has ended by itself
        end()

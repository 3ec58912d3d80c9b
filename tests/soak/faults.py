"""What the world does to a daemon: each fault is one function of a soak."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from agent.daemon.process.child import find_leftovers

if TYPE_CHECKING:
    from tests.soak.harness import Soak

Fault = Callable[["Soak", random.Random], str]


def _with_words(soak: Soak, *words: str) -> list[psutil.Process]:
    found = []
    for process in find_leftovers(soak.data.root):
        with suppress(psutil.Error):
            if all(word in " ".join(process.cmdline()) for word in words):
                found.append(process)
    return found


def _kill_one(processes: list[psutil.Process], rng: random.Random) -> str:
    if not processes:
        return ""
    with suppress(psutil.NoSuchProcess):
        victim = rng.choice(processes)
        victim.kill()
        return victim.name()
    return ""


def browser(soak: Soak, rng: random.Random) -> str:
    """Kill a browser."""
    found = [one for one in _with_words(soak, "chrom") if "--type=" not in str(one.cmdline())]
    return _kill_one(found, rng)


def child(soak: Soak, rng: random.Random) -> str:
    """Kill a run or a study."""
    return _kill_one(_with_words(soak, "-m agent ", "--tethered"), rng)


def daemon(soak: Soak, rng: random.Random) -> str:
    """Kill the daemon and start it again."""
    soak.kill_daemon()
    time.sleep(rng.uniform(0, 3))
    soak.start_daemon()
    return "daemon"


def site(soak: Soak, rng: random.Random) -> str:
    """Have no playground for a while."""
    killed = 0
    end = time.monotonic() + rng.uniform(2, 8)
    while time.monotonic() < end:
        for process in _with_words(soak, "agent.playground"):
            with suppress(psutil.NoSuchProcess):
                process.kill()
                killed += 1
        time.sleep(0.3)
    return "site" if killed else ""


def disk(soak: Soak, rng: random.Random) -> str:
    """Let no file grow for a while, as on a full disk: for the daemon and all that it starts."""
    _limit(soak, 1)
    time.sleep(rng.uniform(4, 12))
    _limit(soak, psutil.RLIM_INFINITY)
    return "disk"


def _limit(soak: Soak, size: int) -> None:
    for _ in range(3):  # also what was started meanwhile
        for process in _python(soak):
            with suppress(psutil.Error):
                process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))


def _python(soak: Soak) -> Iterator[psutil.Process]:
    yield psutil.Process(soak.pid)
    for process in find_leftovers(soak.data.root):
        with suppress(psutil.Error):
            if "python" in process.name():
                yield process


def clock(soak: Soak, rng: random.Random) -> str:
    """Set the clock forward or back."""
    soak.set_clock(rng.choice([-1, 1]) * rng.uniform(40, 400))
    return "clock"


ALL: dict[str, Fault] = {
    "browser": browser,
    "child": child,
    "daemon": daemon,
    "site": site,
    "disk": disk,
    "clock": clock,
}
KILLS = {name: ALL[name] for name in ("browser", "child", "daemon")}

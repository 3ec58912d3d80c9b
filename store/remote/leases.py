"""Leases: what one machine holds beside all others, until it gives it back or falls silent.

A lease is a row of objects with rising numbers, of which the highest counts. Each is created by one
machine only, so that of two that take a lease at once one gets it. The holder renews its object; a
store's own clock says when it last did. One that is silent for as long as it declared has lost the
lease, and knows so by its own clock before anybody else may take it.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from store.jsonl.locks import LockHeld
from store.remote.object_store import RemoteStore, StoredObject
from store.untrusted.clean_text import show_line

FOLDER = "leases"
LEASE_S = 60.0
"""Seconds of silence after which a lease is free."""
MARGIN_S = 2.0
"""A store's clock counts whole seconds. A holder gives up so much earlier, others wait longer."""
RENEWALS = 4
"""A lease is renewed so often in its time."""
SHORTEST_S, LONGEST_S = 10.0, 3600.0
"""What a lease may be set to last; one that claims more lasts no longer."""
_LOOK_EVERY_S = 0.5
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class LeaseClaim:
    """What a lease's object says of its holder."""

    machine: str
    """Of the cache that it is held from, made at random."""
    host: str
    pid: int
    token: str
    since: str
    lasts_s: float
    free: bool = False
    """Given back; the object stays, so that numbers only rise."""


class Lease:
    """One lease as its holder has it."""

    def __init__(self, store: RemoteStore, folder: str, number: int, claim: LeaseClaim) -> None:
        self._store, self._folder = store, folder
        self._number, self._claim = number, claim
        self._renewed_s = clock_s()
        self._taken = False

    @property
    def alive(self) -> bool:
        """Whether it is certain that nobody else may take it yet."""
        silent_s = clock_s() - self._renewed_s
        return not self._taken and silent_s < self._claim.lasts_s - MARGIN_S

    def renew(self) -> None:
        """Show that the holder lives; raises ``OSError`` where the store cannot be reached."""
        if not self.alive:
            return
        began = clock_s()
        if _highest(self._store, self._folder)[0] > self._number:
            self._taken = True
            return
        self._store.put(_name(self._folder, self._number), _encode(self._claim))
        self._renewed_s = began

    def give_back(self) -> None:
        """Let others take it at once; where the store cannot be reached, they wait."""
        if not self.alive:
            return
        fields = asdict(self._claim) | {"free": True}
        try:
            self._store.put(_name(self._folder, self._number), _encode(LeaseClaim(**fields)))
        except OSError:
            return


def take_lease(
    store: RemoteStore, name: str, machine: str, patience_s: float, lasts_s: float = LEASE_S
) -> Lease:
    """Take a lease, waiting up to ``patience_s`` seconds, or raise ``LockHeld``.

    One that this machine's cache already has is taken over at once: the lock here, which the caller
    holds, says that its process is gone. A cache that was copied to a machine of another name has
    to wait. Raises ``OSError``.
    """
    folder = f"{FOLDER}/{quote(name, safe='')}"
    until = clock_s() + patience_s
    while True:
        number, top = _highest(store, folder)
        claim = _read(store, top)
        here = claim is not None and (claim.machine, claim.host) == (machine, platform.node())
        if claim is not None and not claim.free and not here and top is not None:
            now = store.clock(f"{FOLDER}/.clock/{machine}")
            ends = top.modified + timedelta(seconds=claim.lasts_s + MARGIN_S)
            if now < ends:
                if clock_s() >= until:
                    raise LockHeld(_describe(claim, ends))
                _wait(min(_LOOK_EVERY_S, until - clock_s()))
                continue
        own = LeaseClaim(
            machine,
            platform.node(),
            os.getpid(),
            uuid.uuid4().hex,
            f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            lasts_s,
        )
        lease = Lease(store, folder, number + 1, own)
        if store.create(_name(folder, number + 1), _encode(own)):
            store.delete(_name(folder, old) for old in range(max(1, number - 1), number + 1))
            return lease


class LeaseKeeper:
    """Holds leases by the names of their locks, and renews them beside the work."""

    def __init__(self, store: RemoteStore, machine: str, lasts_s: float = LEASE_S) -> None:
        self._store, self._machine, self._lasts_s = store, machine, lasts_s
        self._held: dict[str, Lease] = {}
        self._guard = threading.Lock()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def hold(self, name: str, patience_s: float) -> None:
        """Take a lease and keep it; raises ``LockHeld``, and ``OSError``."""
        lease = take_lease(self._store, name, self._machine, patience_s, self._lasts_s)
        with self._guard:
            self._held[name] = lease
        if self._thread is None:
            self._thread = threading.Thread(target=self._renew, daemon=True, name="leases")
            self._thread.start()

    def release(self, name: str) -> None:
        with self._guard:
            lease = self._held.pop(name, None)
        if lease is not None:
            lease.give_back()

    def lost(self) -> list[str]:
        """Name the locks whose leases somebody else may hold."""
        with self._guard:
            return [name for name, lease in self._held.items() if not lease.alive]

    def check(self) -> None:
        """Raise ``OSError`` where a lease was lost, so that nothing more may be written."""
        if lost := self.lost():
            raise OSError(
                f"another machine may hold {show_line(lost[0])} by now: the store was not reached "
                f"for {self._lasts_s:.0f} s"
            )

    def close(self) -> None:
        self._end.set()
        for name in list(self._held):
            self.release(name)

    def _renew(self) -> None:
        while not self._end.wait(self._lasts_s / RENEWALS):
            with self._guard:
                held = list(self._held.values())
            for lease in held:
                try:
                    lease.renew()
                except OSError:
                    continue  # again in a while; ``check`` says when it was too long


def clock_s() -> float:
    """Return seconds that count on while the machine sleeps, where the system has such a clock."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _wait(seconds: float) -> None:
    threading.Event().wait(max(0.0, seconds))


def _name(folder: str, number: int) -> str:
    return f"{folder}/{number:010d}"


def _highest(store: RemoteStore, folder: str) -> tuple[int, StoredObject | None]:
    found: dict[int, StoredObject] = {}
    for each in store.find(folder):
        number = each.name.rpartition("/")[2]
        if number.isdecimal() and len(number) <= _DIGITS:
            found[int(number)] = each
    return (max(found), found[max(found)]) if found else (0, None)


def _encode(claim: LeaseClaim) -> bytes:
    return json.dumps(asdict(claim)).encode()


def _read(store: RemoteStore, top: StoredObject | None) -> LeaseClaim | None:
    """Read a claim; one that nobody can read is as free as none."""
    content = store.get(top.name) if top is not None else None
    if content is None:
        return None
    try:
        claim = LeaseClaim(**json.loads(content))
        lasts_s = float(claim.lasts_s)
    except (ValueError, TypeError, RecursionError):
        return None
    return replace(claim, lasts_s=min(lasts_s, LONGEST_S)) if lasts_s > 0 else None


def _describe(claim: LeaseClaim, ends: datetime) -> str:
    return show_line(
        f"process {claim.pid} on {claim.host} since {claim.since} UTC; if that machine is dead, it "
        f"is free at {ends:%H:%M:%S} UTC"
    )

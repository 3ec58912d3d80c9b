"""Leases: one holder, freed in the declared time, and a holder that knows when it lost one."""

from __future__ import annotations

import json
import platform
import threading
import uuid
from datetime import UTC, datetime

import pytest

from store.jsonl.locks import LockHeld
from store.remote import leases
from store.remote.leases import MARGIN_S, Lease, LeaseKeeper, clock_s, take_lease
from store.remote.object_store import RemoteStore


def test_one_of_eight_machines_gets_it(url: str) -> None:
    store = RemoteStore(url)
    start = threading.Barrier(8)
    got: list[Lease] = []
    told: list[str] = []

    def take() -> None:
        machine = uuid.uuid4().hex
        start.wait()
        try:
            got.append(take_lease(store, "profiles/tiktok/.p12.lock", machine, 0.0))
        except LockHeld as held:
            told.append(str(held))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(got) == 1
    assert len(told) == 7
    assert all("if that machine is dead, it is free at" in words for words in told)


def test_given_back_it_is_free_at_once(url: str) -> None:
    store = RemoteStore(url)
    for machine in ("a", "b", "a"):
        take_lease(store, "runs/one/ledger.lock", machine, 0.0).give_back()
    held = take_lease(store, "runs/one/ledger.lock", "a", 0.0)
    with pytest.raises(LockHeld):
        take_lease(store, "runs/one/ledger.lock", "b", 0.0)
    take_lease(store, "runs/two/ledger.lock", "b", 0.0)
    again = take_lease(store, "runs/one/ledger.lock", "a", 0.0)  # its process was killed
    held.renew()
    assert not held.alive
    assert again.alive


def test_a_dead_machine_frees_its_lease_in_the_declared_time(url: str) -> None:
    store = RemoteStore(url)
    lasts_s = 4.0
    began = clock_s()
    dead = take_lease(store, "x", "dead", 0.0, lasts_s)
    living = take_lease(store, "x", "living", 30.0, lasts_s)
    took_s = clock_s() - began
    assert not dead.alive, "both would hold it"
    assert living.alive
    # A second more for a store that counts whole seconds, and one for a busy machine.
    assert lasts_s < took_s < lasts_s + MARGIN_S + 2.5


def test_a_living_machine_keeps_it(url: str) -> None:
    store = RemoteStore(url)
    keeper = LeaseKeeper(store, "living", 3.5)
    keeper.hold("x", 0.0)
    with pytest.raises(LockHeld):
        take_lease(store, "x", "other", 9.0, 3.5)
    keeper.check()
    keeper.close()
    take_lease(store, "x", "other", 0.0)


def test_a_holder_that_slept_too_long_writes_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RemoteStore(url)
    keeper = LeaseKeeper(store, "sleeper", 600.0)
    keeper.hold("x", 0.0)
    keeper.check()
    now = clock_s()
    monkeypatch.setattr(leases, "clock_s", lambda: now + 600.0)
    with pytest.raises(OSError, match="another machine may hold x by now"):
        keeper.check()


def test_a_holder_finds_out_that_another_has_it(url: str) -> None:
    store = RemoteStore(url)
    held = take_lease(store, "x", "a", 0.0)
    take_lease(store, "x", "a", 0.0)
    assert held.alive, "it has not looked yet"
    held.renew()
    assert not held.alive


@pytest.mark.parametrize(
    "claim", [b"", b"{}", b"[" * 9999, b'{"lasts_s": 1e999}', b"\xff", b"null"]
)
def test_a_claim_that_nobody_can_read_holds_nothing(url: str, claim: bytes) -> None:
    store = RemoteStore(url)
    store.put("leases/x/0000000007", claim)
    assert take_lease(store, "x", "a", 0.0).alive
    with pytest.raises(LockHeld):
        take_lease(store, "x", "b", 0.0)


def test_the_store_s_clock_counts(url: str) -> None:
    told = RemoteStore(url).clock("leases/.clock/x")
    assert abs((told - datetime.now(UTC)).total_seconds()) < 5


def test_a_lease_of_a_copied_cache_is_another_machines(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RemoteStore(url)
    held = take_lease(store, "x", "copied", 0.0)
    monkeypatch.setattr(platform, "node", lambda: "another host")
    with pytest.raises(LockHeld):
        take_lease(store, "x", "copied", 0.0)
    assert held.alive


@pytest.mark.parametrize("lasts_s", ["60", 1e9, True])
def test_a_lease_of_odd_length_is_held(url: str, lasts_s: object) -> None:
    store = RemoteStore(url)
    told = {"machine": "a", "host": "h", "pid": 1, "token": "t", "since": "", "lasts_s": lasts_s}
    store.put("leases/x/0000000001", json.dumps(told).encode())
    with pytest.raises(LockHeld):
        take_lease(store, "x", "b", 0.0)

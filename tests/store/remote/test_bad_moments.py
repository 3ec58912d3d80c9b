"""What happens elsewhere, or breaks, just while a command works: nothing is lost or comes back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store.jsonl.append_only import LineFile, LineWriter
from store.jsonl.atomic import write_whole
from store.jsonl.locks import NamedLock
from store.jsonl.mirrors import mirror_of
from store.jsonl.paths import remove_within
from store.remote.mirror import FolderMirror
from store.remote.object_store import RemoteStore
from store.remote.pulling import Pull
from store.runs.payment_book import CallReserved, CallSettled, PaymentBook
from tests.store.remote.stores import (
    DeadError,
    MortalStore,
    dying_machine,
    killed_machine,
    machine,
)
from tests.store.sealed_lines import read_plain

LEDGER = Path("runs") / "r" / "ledger.jsonl"
LINES = [b'{"number": %d}\n' % number for number in range(6)]


def _lock(root: Path) -> NamedLock:
    return NamedLock((root / LEDGER).with_suffix(".lock"))


def _mirror(root: Path) -> FolderMirror:
    mirror = mirror_of(root)
    assert isinstance(mirror, FolderMirror)
    return mirror


def test_a_file_that_became_shorter_here_shortens_nothing_there(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a:
        file = LineFile(a / LEDGER)
        for line in LINES:
            file.append(line)
        (a / "copy").write_bytes(LINES[0])
        (a / "copy").replace(a / LEDGER)
        file.close()
    with machine(tmp_path / "b", url) as b:
        assert read_plain(b / LEDGER) == b"".join(LINES)


def test_the_store_is_gone_when_a_file_is_closed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise OSError("no answer")

    with machine(tmp_path / "a", url) as a:
        writer = LineWriter(a / LEDGER, _lock(a), "r")
        for line in LINES:
            writer._commit(line)
        with monkeypatch.context() as gone:
            gone.setattr(_mirror(a).store, "create", refuse)
            writer.close()
        with LineWriter(a / LEDGER, _lock(a), "r"):
            assert read_plain(a / LEDGER) == b"".join(LINES)
    with machine(tmp_path / "b", url) as b:
        assert read_plain(b / LEDGER) == b"".join(LINES)


def test_a_run_ends_while_another_machine_reads(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_all = Pull._list
    with machine(tmp_path / "a", url) as a:
        file = LineFile(a / LEDGER)
        for line in LINES:
            file.append(line)

        def list_then_end(pull: Pull) -> object:
            found = list_all(pull)
            file.close()
            return found

        monkeypatch.setattr(Pull, "_list", list_then_end)
        with machine(tmp_path / "b", url) as b:
            assert read_plain(b / LEDGER) == b"".join(LINES)


@pytest.mark.parametrize("leased", [True, False])
def test_a_file_is_put_together_when_another_machine_has_it(
    url: str, tmp_path: Path, *, leased: bool
) -> None:
    """By one that slept past its lease, or without one: what the other committed stands."""
    with machine(tmp_path / "a", url) as a:
        first = LineFile(a / LEDGER)
        for line in LINES:
            first.append(line)
        with machine(tmp_path / "b", url) as b:
            second = LineFile(b / LEDGER)
            if leased:
                second.append(b'{"number": "second"}\n')
            first.close()
            if leased:
                second.append(b'{"number": "third"}\n')
            else:
                with pytest.raises(OSError, match="another machine went on with it"):
                    second.append(b'{"number": "second"}\n')
            second.close()
            expected = (b / LEDGER).read_bytes()
    with machine(tmp_path / "c", url) as c:
        assert (c / LEDGER).read_bytes() == expected
        assert expected.count(b"\n") == (8 if leased else 6)


def test_an_emptied_file_grows_again(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a, LineWriter(a / LEDGER, _lock(a), "r") as writer:
        writer._commit(LINES[0])
        writer._replace(b"")
        writer._commit(LINES[1])
        writer._commit(LINES[2])
    with machine(tmp_path / "b", url) as b:
        assert read_plain(b / LEDGER) == LINES[1] + LINES[2]


def test_who_lost_a_lease_deletes_nothing(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a:
        write_whole(a / "studies" / "s" / "x.json", b"{}")
        _lock(a).acquire()
        (lease,) = _mirror(a).leases._held.values()
        lease._taken = True
        with pytest.raises(OSError, match="another machine may hold"):
            remove_within(a / "studies", a / "studies" / "s")
        assert (a / "studies" / "s" / "x.json").exists()


def test_who_puts_a_file_together_dies_on_the_way(url: str, tmp_path: Path) -> None:
    for dies_at in (7, 8):  # after its end was sealed, and after the new version was written
        shared = f"{url}{dies_at}"
        store = MortalStore(shared, dies_at, after=True)
        with dying_machine(tmp_path / f"a{dies_at}", store) as mirror:
            file = LineFile(mirror.root / LEDGER)
            for line in LINES:
                file.append(line)
            with pytest.raises(DeadError):
                file.close()
        with machine(tmp_path / f"b{dies_at}", shared) as b:
            file = LineFile(b / LEDGER)
            file.append(b'{"end": true}\n')
            file.close()
        with machine(tmp_path / f"c{dies_at}", shared) as c:
            assert read_plain(c / LEDGER) == b"".join([*LINES, b'{"end": true}\n'])


def test_frames_come_in_while_a_line_waits_for_others(tmp_path: Path) -> None:
    with machine(tmp_path / "a", f"file://{tmp_path}/shared") as a:
        mirror, file = _mirror(a), LineFile(a / LEDGER)
        put, end = mirror.store.put, threading.Event()

        def put_slowly(name: str, content: bytes) -> str:
            time.sleep(0.002)
            return put(name, content)

        mirror.store.put = put_slowly  # type: ignore[method-assign]

        def keep_frames() -> None:
            for number in range(3000):
                mirror.put_file(a / "frames" / "ab" / f"{number}.jpg", b"x")
                time.sleep(0.0002)
                if end.is_set():
                    return

        thread = threading.Thread(target=keep_frames)
        thread.start()
        try:
            began = time.monotonic()
            while time.monotonic() - began < 2.0:
                file.append(b'{"number": 1}\n')
        finally:
            end.set()
            thread.join()
    held = {each.name for each in RemoteStore(f"file://{tmp_path}/shared").find("frames")}
    assert len(held) == len(mirror._up)


def _reserve(root: Path, call: str) -> None:
    line = CallReserved(
        id=call, at=datetime.now(UTC), account="run/r", model="m", key="q-0", tokens=1, cost_usd=1.0
    )
    book = PaymentBook(root / "payments.jsonl")
    book.reserve(lambda _: line, ["run/r"], lambda _: None, "q")


def _settle(root: Path, call: str) -> None:
    line = CallSettled(id=call, how="reported", cost_usd=0.5, tokens=1)
    PaymentBook(root / "payments.jsonl").settle(line)


def _standing(root: Path) -> tuple[int, int]:
    balance = PaymentBook(root / "payments.jsonl").balance(["run/r"])
    return balance.calls, balance.standing


def test_a_call_is_settled_by_a_machine_whose_clock_is_late(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with machine(tmp_path / "a", url) as a:
        _reserve(a, "one")
    now = time.time_ns()
    with machine(tmp_path / "b", url) as b, monkeypatch.context() as late:
        late.setattr(time, "time_ns", lambda: now - 300 * 10**9)
        _settle(b, "one")
    with machine(tmp_path / "c", url) as c:
        assert _standing(c) == (1, 0)


def test_a_call_is_settled_by_two_machines(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a:
        _reserve(a, "one")
        with machine(tmp_path / "b", url) as b:
            _settle(b, "one")
        _settle(a, "one")
        line = (a / "payments.jsonl").read_bytes().splitlines()[-1]
        RemoteStore(url).put("payments.jsonl/z", line.replace(b"0.5", b"0.6"))  # no newline
    for name in "abc":
        with machine(tmp_path / name, url) as root:
            assert _standing(root) == (1, 0)


def test_a_book_that_is_gone_from_the_store_stays_here(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a:
        _reserve(a, "one")
        LineFile(a / LEDGER).append(LINES[0])
    with machine(tmp_path / "b", url) as b:
        assert _standing(b) == (1, 1)
    store = RemoteStore(url)
    store.delete([each.name for each in store.find("payments.jsonl")])
    with machine(tmp_path / "b", url) as b:
        assert _standing(b) == (1, 1)


def test_a_settlement_is_listed_before_its_reservation(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a:
        _reserve(a, "one")
        _settle(a, "one")
    store = RemoteStore(url)
    (first, *_) = sorted(each.name for each in store.find("payments.jsonl"))
    content = store.get(first)
    assert content is not None
    store.delete([first])
    with machine(tmp_path / "b", url) as b:
        assert _standing(b) == (0, 0)
    store.put(first, content)
    with machine(tmp_path / "b", url) as b:
        assert _standing(b) == (1, 0)


def test_what_a_killed_machine_wrote_is_forgotten_elsewhere(url: str, tmp_path: Path) -> None:
    sheet = Path("studies") / "s" / "sheet.csv"
    with killed_machine(tmp_path / "a", url) as a:
        write_whole(a / sheet, b"words of a person")
        file = LineFile(a / LEDGER)
        for line in LINES[:2]:
            file.append(line)
    with machine(tmp_path / "b", url) as b:
        remove_within(b / "studies", b / "studies" / "s")
        with LineWriter(b / LEDGER, _lock(b), "r") as writer:
            writer._replace(b'{"forgotten": true}\n')
    with machine(tmp_path / "a", url) as a:
        assert not (a / sheet).exists()
        assert (a / LEDGER).read_bytes() == b'{"forgotten": true}\n'
        assert not (a / ".aside").exists()
    assert RemoteStore(url).get(sheet.as_posix()) is None


def test_what_others_wrote_or_deleted_meanwhile_stands(url: str, tmp_path: Path) -> None:
    one, two, log = (Path("studies") / "s" / name for name in ("one.json", "two.json", "x.log"))
    with machine(tmp_path / "a", url) as a:
        write_whole(a / one, b"old")
        write_whole(a / two, b"old")
        (a / log).write_bytes(b"begun")
        with machine(tmp_path / "b", url) as b:
            write_whole(b / one, b"newer")
            remove_within(b / "studies", b / two)
    store = RemoteStore(url)
    assert store.get(one.as_posix()) == b"newer"
    assert store.get(two.as_posix()) is None
    assert store.get(log.as_posix()) == b"begun"
    with machine(tmp_path / "a", url) as a:
        assert (a / one).read_bytes() == b"newer"
        assert not (a / two).exists()
        assert not (a / ".aside").exists()
        write_whole(a / two, b"again")
    assert store.get(two.as_posix()) == b"again"


def test_two_processes_of_one_cache_know_what_both_put_up(url: str, tmp_path: Path) -> None:
    """A conductor and its child: neither forgets what the other had to do with the store."""
    place, log = (Path("studies") / "s" / name for name in ("child.json", "child.log"))
    with machine(tmp_path / "a", url) as a:
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, str(a), url], capture_output=True, text=True, check=False
        )
        assert child.returncode == 0, child.stderr
        with (a / log).open("ab") as file:
            file.write(b", and more of the conductor's")
    store = RemoteStore(url)
    assert store.get(log.as_posix()) == b"said, and more of the conductor's"
    with machine(tmp_path / "b", url) as b:
        remove_within(b / "studies", b / "studies" / "s")
    with machine(tmp_path / "a", url) as a:
        assert not (a / place).exists()
        assert not (a / log).exists()
    assert list(store.find("studies")) == []


_CHILD = """
import sys
from pathlib import Path
from store.jsonl.atomic import write_whole
from tests.store.remote.stores import machine

with machine(Path(sys.argv[1]), sys.argv[2]) as root:
    write_whole(root / "studies" / "s" / "child.json", b"child")
    (root / "studies" / "s" / "child.log").write_bytes(b"said")
"""

"""A data folder in a store: what is acknowledged survives its machine, whenever that dies."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store.errors import DataUnreadable, DataUnwritable, DataUrlRefused
from store.frames.frame_store import FrameStore
from store.jsonl.append_only import LineFile, LineWriter
from store.jsonl.atomic import write_whole
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.mirrors import fetch_below, mirror_of
from store.jsonl.paths import remove_within
from store.remote import object_names as names
from store.remote.mirror import FolderMirror
from store.remote.object_store import RemoteStore
from store.runs.payment_book import CallReserved, CallSettled, PaymentBook
from tests.store.remote.stores import DeadError, MortalStore, dying_machine, machine
from tests.store.sealed_lines import read_plain, unseal_lines

JPEGS = [b"\xff\xd8" + bytes([number]) * 50 for number in range(4)]


def _write_a_run(root: Path, told: list[str]) -> None:
    """Do what a run does; ``told`` is what it was told is kept."""
    frames = FrameStore(root / "frames")
    write_whole(root / "studies" / "s" / "declared.json", b'{"v": 1}')
    told.append("declared")
    with LineWriter(root / "runs" / "r" / "ledger.jsonl", _lock(root), "r") as writer:
        for jpeg in JPEGS:
            sha256 = frames.put(jpeg)
            writer._commit(b'{"frame": "%s"}\n' % sha256.encode())
            told.append(sha256)
        writer._replace(b"".join(b'{"frame": "%s"}\n' % sha.encode() for sha in told[1:]))
        writer._commit(b'{"end": true}\n')
        told.append("end")


def _lock(root: Path) -> NamedLock:
    return NamedLock(root / "runs" / "r" / "ledger.lock")


@pytest.mark.parametrize("after", [False, True])
def test_a_machine_dies_at_each_of_its_calls(tmp_path: Path, after: bool) -> None:
    deaths = 0
    for call in range(1, 60):
        url = f"file://{tmp_path}/shared-{call}"
        store = MortalStore(url, call, after=after)
        told: list[str] = []
        try:
            with dying_machine(tmp_path / f"dead-{call}", store) as mirror:
                _write_a_run(mirror.root, told)
                mirror.close()
        except DeadError:
            deaths += 1
        with machine(tmp_path / f"next-{call}", url) as root:
            path = root / "runs" / "r" / "ledger.jsonl"
            lines = unseal_lines(path) if path.exists() else []
            named = [line[11:75].decode() for line in lines if line.startswith(b'{"frame"')]
            kept = [one for one in told if len(one) == 64]
            assert named[: len(kept)] == kept, "an acknowledged line is lost"
            assert len(named) <= len(kept) + 1, "a line is doubled"
            frames = FrameStore(root / "frames")
            assert all(frames.has(sha256) for sha256 in named), "a line names no frame"
            assert [frames.read(sha256) for sha256 in named] == JPEGS[: len(named)]
            if "end" in told:
                assert lines[-1] == b'{"end": true}'
            if "declared" in told:
                assert (root / "studies" / "s" / "declared.json").read_bytes() == b'{"v": 1}'
        if not store.dead:
            break
    assert deaths >= 12
    assert deaths < 58, "no number of calls was enough"


def test_what_is_written_is_on_the_other_machine(url: str, tmp_path: Path) -> None:
    told: list[str] = []
    with machine(tmp_path / "a", url) as a:
        _write_a_run(a, told)
        (a / "studies" / "s" / "logs").mkdir()
        (a / "studies" / "s" / "logs" / "cell.log").write_text("said")
        (a / "pseudonyms.key").write_text("hush")
        (a / "daemon").mkdir()
        (a / "daemon" / "address.json").write_text("hush")
        (a / "profiles" / "tiktok" / "p").mkdir(parents=True)
        (a / "profiles" / "tiktok" / "p" / "Cookies.jsonl").write_text("hush")
    there = {
        each.name for top in (*RemoteStore(url).folders(),) for each in RemoteStore(url).find(top)
    }
    assert not any("hush" in str(RemoteStore(url).get(name)) for name in there)
    assert not [name for name in there if name.startswith(("daemon", "profiles"))]
    assert {each.name for each in RemoteStore(url).top_objects()} == set()
    with machine(tmp_path / "b", url) as b:
        assert (b / "studies" / "s" / "logs" / "cell.log").read_text() == "said"
        ledger = Path("runs") / "r" / "ledger.jsonl"
        assert (b / ledger).read_bytes() == (a / ledger).read_bytes()
        assert not (b / "frames").exists(), "a frame was brought that nobody reads"
        assert fetch_below(b) == len(JPEGS)
        assert fetch_below(b) == 0
        assert sorted(FrameStore(b / "frames").all()) == sorted(told[1:5])
        mirror = mirror_of(b)
        assert mirror is not None
        assert mirror.free() == len(JPEGS)
        assert FrameStore(b / "frames").read(told[1]) == JPEGS[0]


def test_two_machines_take_turns(url: str, tmp_path: Path) -> None:
    """Each goes on where the other ended, and one that did not see that is told so."""
    path = Path("runs") / "r" / "ledger.jsonl"
    expected = b""
    for number in range(6):
        with machine(tmp_path / "ab"[number % 2], url) as root:
            with LineWriter(root / path, _lock(root), "r") as writer:
                writer._commit(b'{"number": %d}\n' % number)
            expected += b'{"number": %d}\n' % number
            assert read_plain(root / path) == expected


def test_one_holds_what_another_wants(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a:
        held = LineWriter(a / "runs" / "r" / "ledger.jsonl", _lock(a), "r")
        held._commit(b'{"number": 1}\n')
        with machine(tmp_path / "b", url) as b:
            with pytest.raises(LockHeld, match="if that machine is dead"):
                _lock(b).acquire()
            held._commit(b'{"number": 2}\n')
            held.close()
            with pytest.raises(DataUnwritable, match="Type the same command again"):
                LineWriter(b / "runs" / "r" / "ledger.jsonl", _lock(b), "r")
            _lock(b).acquire()  # what was refused let go of it


def test_a_writer_whose_lease_went_is_refused(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as a:
        sleeper = LineFile(a / "runs" / "r" / "ledger.jsonl")
        sleeper.append(b'{"number": 1}\n')
        with machine(tmp_path / "b", url) as b:
            LineFile(b / "runs" / "r" / "ledger.jsonl").append(b'{"number": 2}\n')
        with pytest.raises(OSError, match="another machine went on with it"):
            sleeper.append(b'{"number": 3}\n')
        assert read_plain(sleeper._path) == b'{"number": 1}\n'
    with machine(tmp_path / "a", url) as a:
        assert read_plain(sleeper._path) == b'{"number": 1}\n{"number": 2}\n'


def test_many_parts_become_one(url: str, tmp_path: Path) -> None:
    lines = [b'{"number": %d}\n' % number for number in range(20)]
    with machine(tmp_path / "a", url) as root:
        file = LineFile(root / "runs" / "r" / "ledger.jsonl")
        for line in lines:
            file.append(line)
        place = "runs/r/ledger.jsonl"
        assert len(list(RemoteStore(url).find(place))) == 20
        file.close()
        assert sorted(each.name for each in RemoteStore(url).find(place)) == [
            names.part_name(
                place, 1, (root / place).stat().st_size
            ),  # nobody appends to what counts no more
            names.part_name(place, 2, 0),
        ]
    with machine(tmp_path / "b", url) as root:
        assert read_plain(root / place) == b"".join(lines)


def test_what_one_forgets_is_gone_on_the_other(url: str, tmp_path: Path) -> None:
    told: list[str] = []
    with machine(tmp_path / "a", url) as a:
        _write_a_run(a, told)
    with machine(tmp_path / "b", url) as b:
        fetch_below(b)
    with machine(tmp_path / "a", url) as a:
        with LineWriter(a / "runs" / "r" / "ledger.jsonl", _lock(a), "r") as writer:
            writer._replace(b'{"forgotten": true}\n')
        FrameStore(a / "frames").remove(told[1])
        remove_within(a / "studies", a / "studies" / "s")
    with machine(tmp_path / "b", url) as b:
        assert FrameStore(b / "frames").path(told[1]).exists()  # it may be on its way up
        for path in (b / "frames").glob("??/*.jpg"):
            os.utime(path, (1, 1))
    with machine(tmp_path / "b", url) as b:
        assert read_plain(b / "runs" / "r" / "ledger.jsonl") == b'{"forgotten": true}\n'
        assert not FrameStore(b / "frames").path(told[1]).exists()
        assert not FrameStore(b / "frames").has(told[1])
        assert FrameStore(b / "frames").has(told[2])
        assert not (b / "studies" / "s" / "declared.json").exists()
        assert not (b / ".aside").exists(), "what was forgotten is kept aside"


def test_both_wrote_one_file(url: str, tmp_path: Path) -> None:
    """The store's stands, ours is kept aside, and the person is told where."""
    place = Path("studies") / "s" / "note.txt"
    for name in "ab":
        with machine(tmp_path / name, url) as root:
            write_whole(root / place, b"first") if name == "a" else None
    (tmp_path / "b" / place).write_bytes(b"mine")
    with machine(tmp_path / "a", url) as root:
        write_whole(root / place, b"second")
    with machine(tmp_path / "b", url) as root:
        assert (root / place).read_bytes() == b"second"
        aside = [path for path in (root / ".aside").rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in aside] == [b"mine"]


def test_payments_of_two_machines_are_added(url: str, tmp_path: Path) -> None:
    def pay(root: Path, key: str) -> None:
        book = PaymentBook(root / "payments.jsonl")
        line = CallReserved(
            id=key,
            at=datetime.now(UTC),
            account="run/r",
            model="m",
            key=f"{key}-0",
            cost_usd=1.0,
            tokens=10,
        )
        call = book.reserve(lambda _: line, ["run/r"], lambda _: None, key)
        book.settle(CallSettled(id=call.id, how="reported", cost_usd=0.5, tokens=7))

    with machine(tmp_path / "a", url) as a, machine(tmp_path / "b", url) as b:
        for number in range(3):
            pay(a, f"a{number}")
            pay(b, f"b{number}")
    parts = list(RemoteStore(url).find("payments.jsonl"))
    assert len(parts) == 2, "each machine's lines are put together"
    for name in "abcc":
        with machine(tmp_path / name, url) as root:
            balance = PaymentBook(root / "payments.jsonl").balance(["run/r"])
            assert (balance.calls, balance.cost_usd, balance.standing) == (6, 3.0, 0)


def test_a_store_that_was_emptied_empties_nothing_here(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as root:
        _write_a_run(root, [])
    store = RemoteStore(url)
    store.delete([each.name for top in store.folders() for each in store.find(top)])
    with (
        pytest.raises(DataUrlRefused, match="is empty, and the cache here is not"),
        machine(tmp_path / "a", url),
    ):
        raise AssertionError
    assert (root / "runs" / "r" / "ledger.jsonl").read_bytes()


def test_a_cache_that_lost_its_notes_compares_anew(url: str, tmp_path: Path) -> None:
    with machine(tmp_path / "a", url) as root:
        _write_a_run(root, [])
    (tmp_path / "a" / ".mirror-state.json").write_bytes(b'{"files": 3')
    with machine(tmp_path / "a", url) as root:
        assert not (root / ".aside").exists()
    shutil.rmtree(tmp_path / "a" / "runs")
    with machine(tmp_path / "a", url) as root:
        assert read_plain(root / "runs" / "r" / "ledger.jsonl").endswith(b'{"end": true}\n')


@pytest.mark.parametrize(
    ("place", "goes"),
    [
        ("runs/r/ledger.jsonl", True),
        ("payments.jsonl", True),
        ("frames/ab/x.jpg", True),
        ("profiles/playground/p/a.jsonl", True),
        ("profiles/playground/p/Cookies", False),
        ("profiles/tiktok/p/a.jsonl", False),
        ("pseudonyms.key", False),
        ("daemon/address.json", False),
        ("index/x/chroma.sqlite3", False),
        ("runs/r/ledger.lock", False),
        ("runs/r/.x.tmp", False),
        ("exports/.x.exporting/train.txt", False),
        (".aside/runs/r/ledger.jsonl", False),
        (".mirror.json", False),
        ("../x", False),
    ],
)
def test_what_goes_to_the_store(place: str, goes: bool) -> None:
    assert names.is_mirrored(place) is goes


def test_a_store_that_is_gone_for_a_while_loses_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise OSError("no answer")

    with machine(tmp_path / "a", url) as root:
        frames = FrameStore(root / "frames")
        frames_at_first = frames.put(JPEGS[0])
        writer = LineWriter(root / "runs" / "r" / "ledger.jsonl", _lock(root), "r")
        writer._commit(b'{"number": 1}\n')
        mirror = mirror_of(root)
        assert isinstance(mirror, FolderMirror)
        with monkeypatch.context() as gone:
            for name in ("put", "create", "get", "find"):
                gone.setattr(mirror.store, name, refuse)
            with pytest.raises(DataUnwritable, match="no answer"):
                writer._commit(b'{"number": 2}\n')
            frames.put(JPEGS[1])
            with pytest.raises(DataUnwritable, match="no answer"):
                writer._commit(b'{"number": 2}\n')
            with pytest.raises(DataUnwritable, match="no answer"):
                NamedLock(root / "profiles" / "tiktok" / ".p.lock").acquire()
            frames.path(frames_at_first).unlink()
            with pytest.raises(DataUnreadable, match="no answer"):
                frames.read(frames_at_first)
        writer._commit(b'{"number": 3}\n')
        writer.close()
        NamedLock(root / "profiles" / "tiktok" / ".p.lock").acquire()
    with machine(tmp_path / "b", url) as root:
        content = read_plain(root / "runs" / "r" / "ledger.jsonl")
        assert content == b'{"number": 1}\n{"number": 3}\n'
        assert FrameStore(root / "frames").read(hashlib.sha256(JPEGS[1]).hexdigest()) == JPEGS[1]


def test_a_plain_folder_in_a_store_is_not_taken_for_an_empty_one(url: str, tmp_path: Path) -> None:
    RemoteStore(url).put("runs/r/ledger.jsonl", b'{"number": 1}\n')
    with (
        pytest.raises(DataUrlRefused, match=r"as one object.*store merge FOLDER"),
        machine(tmp_path / "a", url),
    ):
        raise AssertionError

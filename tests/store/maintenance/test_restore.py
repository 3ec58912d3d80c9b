"""A stranger's backup brings in nothing that it should not, and a killed restore is repeated."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.cli.main import main
from store.errors import BadBackup, NoPlaceToRestore, StoreError
from store.jsonl.atomic import write_whole
from store.jsonl.locks import NamedLock
from store.maintenance.backup import MANIFEST, backup, kind_of
from store.maintenance.restore import restore
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.store.samples import COLOURS, START, keep_run

ROOT = Path(__file__).parents[3]
KILLED = """
import os, sys
from pathlib import Path
from store.runs.data_folder import DataFolder
from store.maintenance.restore import restore
end = lambda done, _: os._exit(9) if done == 4 else None
restore(Path(sys.argv[1]), DataFolder(Path(sys.argv[2])), progress=end)
"""
MINE = b"mine"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty room with a file that is nobody's business beside it."""
    write_whole(tmp_path / "outside" / "mine", MINE)
    return tmp_path


def member(name: str, **changes: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def archive(
    file: Path,
    *members: tuple[tarfile.TarInfo, bytes],
    hashes: dict[str, str] | None = None,
    **options: object,
) -> Path:
    """A backup as anybody can make one: what is told, and a manifest that fits it."""
    own = {info.name: hashlib.sha256(content).hexdigest() for info, content in members}
    told = {"format": 1, "at": START.isoformat(), "profiles": False, "sha256": hashes or own}
    manifest = json.dumps(told | options).encode()
    with tarfile.open(file, "w") as tar:
        for info, content in (*members, (member(MANIFEST), manifest)):
            if info.isreg() and not info.size:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return file


def typed(file: Path, folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["restore", str(file), "--data", str(folder), *words])


@pytest.mark.parametrize(
    "info",
    [
        member("../outside/new"),
        member("runs/../../outside/new"),
        member("runs/r1/../../../outside/new"),
        member("/tmp/outside-new"),
        member("runs\\..\\new"),
        member("runs/r1/a\x1b[2J"),
        member("runs//new"),
        member("/".join(["runs", "r1", *("d" * 40)])),
        member("runs/r1/link", type=tarfile.SYMTYPE, linkname="../../../outside"),
        member("runs/r1/link", type=tarfile.LNKTYPE, linkname="../../../outside/mine"),
        member("runs/r1/device", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("runs/r1/device", type=tarfile.BLKTYPE),
        member("runs/r1/pipe", type=tarfile.FIFOTYPE),
        member("runs/r1", type=tarfile.DIRTYPE),
        member("runs/r1/ledger.jsonl", type=tarfile.GNUTYPE_SPARSE),
        member("runs/r1/ledger.jsonl", type=tarfile.CONTTYPE),
        member(
            "runs/r1/ledger.jsonl",
            pax_headers={
                "GNU.sparse.major": "0",
                "GNU.sparse.minor": "1",
                "GNU.sparse.size": str(64 << 30),
                "GNU.sparse.map": f"{(64 << 30) - 1},1",
            },
        ),
        member("x" * 20_000),
    ],
    ids=lambda info: f"{info.name[:24]!a}-{info.type.decode('latin-1')}",
)
def test_what_no_backup_holds_is_refused(place: Path, info: tarfile.TarInfo) -> None:
    good = member("runs/r0/ledger.jsonl"), b"{}\n"
    file = archive(place / "b.tar", good, (info, b"x"))
    done = typed(file, place / "data")
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    assert {path.name for path in place.iterdir()} == {"outside", "b.tar"}
    assert (place / "outside" / "mine").read_bytes() == MINE


def test_ten_kilobytes_cannot_claim_sixty_four_gibibytes(place: Path) -> None:
    """As GNU tar writes a file with a hole, which old releases filled up on the disk."""
    head = member("runs/r1/ledger.jsonl", type=tarfile.GNUTYPE_SPARSE, size=512).tobuf(
        tarfile.GNU_FORMAT
    )
    raw = bytearray(head)
    raw[386:410] = b"%011o\0%011o\0" % (0, 512)  # one piece of data
    raw[483:495] = b"\x80" + (64 << 30).to_bytes(11, "big")  # and the size that it is part of
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    (place / "b.tar").write_bytes(bytes(raw) + b"x" * 512 + b"\0" * 9216)
    assert typed(place / "b.tar", place / "data").exit_code == 2
    assert not (place / "data").exists()


def test_headers_that_ask_for_too_much_are_refused(place: Path) -> None:
    chain = b"".join(member(f"p{n}", type=tarfile.XHDTYPE).tobuf() for n in range(3_000))
    long = member("p", type=tarfile.XHDTYPE, size=1 << 40).tobuf()
    zeros = member("runs/r1/a", pax_headers={"mtime": "inf"}).tobuf()
    for number, raw in enumerate((chain, long, zeros)):
        file = place / f"{number}.tar"
        file.write_bytes(raw + b"\0" * 10_240)
        assert typed(file, place / "data").exit_code == 2
        assert not (place / "data").exists()


def test_a_file_twice_a_wrong_hash_and_what_follows_the_end(place: Path) -> None:
    ledger = "runs/r1/ledger.jsonl"
    twice = archive(place / "t.tar", (member(ledger), b"a"), (member(ledger), b"b"))
    wrong = archive(place / "w.tar", (member(ledger), b"a"), hashes={ledger: "0" * 64})
    later = archive(place / "l.tar", (member(ledger), b"a"))
    with tarfile.open(later, "a") as tar:
        tar.addfile(member("runs/r2/ledger.jsonl"))
    newer = archive(place / "n.tar", (member(ledger), b"a"), format=2, more=[])
    for file, told in (
        (twice, "holds what no backup does"),
        (wrong, "holds other bytes"),
        (later, "goes on after its end"),
        (newer, "has format 2, and this feedsway knows 1"),
    ):
        with pytest.raises(BadBackup, match=told):
            restore(file, DataFolder(place / "data"))
        assert not (place / "data").exists()


def test_secrets_stay_out_unless_asked_for(place: Path) -> None:
    names = {
        "runs/r1/ledger.jsonl": "record",
        "profiles/tiktok/p12/Default/Cookies": "profiles",
        "cache/ab/abcdef.json": "replies",
        "pseudonyms.key": "key",
        "daemon/address.json": None,
        "daemon/logs/daemon.log": None,
        "index/conse/chroma.sqlite3": None,
        "forgetting.json": None,
        "watch.toml": None,
        "frames/ab/cd.jpg": None,
        "runs/ledger.jsonl": None,
        "profiles/tiktok/p12/SingletonLock": None,
    }
    assert {name: kind_of(name) for name in names} == names
    file = archive(place / "b.tar", *((member(name), b"{}\n") for name in names))
    for words, secrets in (
        ((), set[str]()),
        (("--with-profiles",), {"profiles"}),
        (("--with-key", "--with-replies"), {"key", "replies"}),
    ):
        folder = place / f"data{len(secrets)}"
        done = typed(file, folder, *words)
        assert isinstance(done.exception, SystemExit)  # the ledger is none, which verify tells
        there = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }
        assert there == {name for name, kind in names.items() if kind in {"record", *secrets}}
        for secret in {"profiles", "replies", "key"} - secrets:
            assert f"--with-{secret}" in done.stderr


def test_what_comes_in_is_for_its_owner_alone(place: Path) -> None:
    open_ = member("runs/r1/ledger.jsonl", mode=0o4777, mtime=-1)
    restore(archive(place / "b.tar", (open_, b"{}\n")), DataFolder(place / "data"))
    modes = {
        stat.S_IMODE(path.stat().st_mode) for path in (place / "data", *(place / "data").rglob("*"))
    }
    assert modes == {0o700, 0o600}


def test_a_killed_restore_is_repeated_by_the_same_command(place: Path) -> None:
    """At no moment is anything under the final name before all of it is."""
    data = DataFolder(place / "kept")
    keep_run(data, "r1", COLOURS)
    backup(data, place / "b.tar", START, profiles=False)
    command = [sys.executable, "-c", KILLED, str(place / "b.tar"), str(place / "data")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    assert not (place / "data").exists()
    (place / "data").mkdir()  # an empty one is as good
    assert len(list(place.glob(".data.restoring/**/*.jsonl"))) == 1
    assert typed(place / "b.tar", place / "data").exit_code == 0
    assert {path.name for path in place.iterdir()} == {"outside", "b.tar", "kept", "data"}


def test_all_is_on_the_disk_before_it_has_its_name(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_run(DataFolder(place / "kept"), "r1", COLOURS)
    backup(DataFolder(place / "kept"), place / "b.tar", START, profiles=False)
    synced: set[str] = set()
    sync = os.fsync

    def note(descriptor: int) -> None:
        if not (place / "data").exists():
            synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    restore(place / "b.tar", DataFolder(place / "data"))
    there = [path.relative_to(place / "data") for path in (place / "data").rglob("*")]
    assert len(there) > len(COLOURS)
    assert {str(place.resolve() / ".data.restoring" / path) for path in there} <= synced


@pytest.mark.parametrize(
    ("honest", "climbing"),
    [('"study":"s"', '"study":"../../outside"'), ("HASH", "../../../outside/mine")],
    ids=["study", "frame"],
)
def test_forgetting_in_a_stranger_s_backup_removes_nothing_outside(
    place: Path, honest: str, climbing: str
) -> None:
    kept = DataFolder(place / "kept")
    keep_run(kept, "r1", COLOURS, config={"study": "s"})
    told = kept.ledger_path("r1").read_text("utf-8")
    honest = honest.replace("HASH", read(kept.ledger_path("r1")).steps[0].frames[0].sha256)
    assert honest in told
    hostile = told.replace(honest, climbing).encode()
    file = archive(place / "b.tar", (member("runs/r1/ledger.jsonl"), hostile))
    data = place / "data"
    typed(file, data)
    assert (data / "runs" / "r1" / "ledger.jsonl").read_bytes() == hostile
    words = ["forget", "--video", "r1-0", "--yes", "--data", str(data)]
    done = CliRunner().invoke(main, words)
    assert isinstance(done.exception, SystemExit | StoreError), done.exception
    assert (place / "outside" / "mine").read_bytes() == MINE
    assert [path.name for path in (place / "outside").iterdir()] == ["mine"]


def test_two_restores_do_not_meet(place: Path) -> None:
    file = archive(place / "b.tar", (member("runs/r1/ledger.jsonl"), b"{}\n"))
    lock = NamedLock(place / ".data.restoring.lock")
    lock.acquire()
    with pytest.raises(NoPlaceToRestore, match="is being made by process"):
        restore(file, DataFolder(place / "data"))
    lock.release()


def test_a_folder_to_stand_in_is_none_to_restore_to(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archive(place / "b.tar", (member("runs/r1/ledger.jsonl"), b"{}\n"))
    (place / "data").mkdir()
    monkeypatch.chdir(place / "data")
    with pytest.raises(NoPlaceToRestore, match="--data NEW_FOLDER"):
        restore(file, DataFolder(Path()))


def _damaged(raw: bytes, draw: random.Random) -> bytes:
    """A backup with some fields changed, and headers that add up again."""
    out = bytearray(raw)
    for _ in range(draw.randint(1, 4)):
        block = draw.randrange(len(out) // 512) * 512
        start = block + draw.choice((0, 100, 108, 116, 124, 136, 148, 156, 157, 257, 345))
        for at in range(start, min(start + draw.randint(1, 12), len(out))):
            out[at] = draw.choice((draw.randrange(256), *b"0127./LgxKSVD\0"))
        if draw.random() < 0.8:
            out[block + 148 : block + 156] = b" " * 8
            total = sum(out[block : block + 512])
            out[block + 148 : block + 156] = b"%06o\0 " % total
    return bytes(out[: draw.randrange(len(out))] if draw.random() < 0.1 else out)


def _check_damage(place: Path, seeds: range) -> int:
    """Restore damaged backups; returns how many were taken all the same."""
    data = DataFolder(place / "kept")
    keep_run(data, "r1", COLOURS[:2])
    backup(data, place / "b.tar", START, profiles=False)
    raw, file, taken = (place / "b.tar").read_bytes(), place / "damaged.tar", 0
    before = sorted([*place.iterdir(), file])
    for seed in seeds:
        file.write_bytes(_damaged(raw, random.Random(seed)))
        folder = DataFolder(place / f"data-{seed}")
        try:
            restore(file, folder)
        except StoreError:
            assert not folder.root.exists()
        else:
            taken += 1
            _remove_new(folder, data)
        assert sorted(place.iterdir()) == before
        assert (place / "outside" / "mine").read_bytes() == MINE
    return taken


def _remove_new(folder: DataFolder, data: DataFolder) -> None:
    """Take away a folder whose bytes are those that were put in."""
    for path in folder.root.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (data.root / path.relative_to(folder.root)).read_bytes()
    write: Callable[[Path], None] = folder.remove
    for path in list(folder.root.iterdir()):
        write(path)
    folder.root.rmdir()


def test_damaged_backups_leave_nothing(place: Path) -> None:
    assert _check_damage(place, range(60)) < 60


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_ten_thousand_damaged_backups_leave_nothing(place: Path) -> None:
    assert 0 < _check_damage(place, range(1_000, 11_000)) < 10_000

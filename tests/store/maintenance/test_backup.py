"""A backup holds what was committed, also while lines are written; a restored one is the same."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from store.errors import BadBackup, ForgettingPending, NoPlaceToRestore, ProfileInUse
from store.jsonl.locks import NamedLock
from store.maintenance.backup import MANIFEST, SECRETS, backup
from store.maintenance.restore import restore
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from tests.store.samples import COLOURS, START, finished, keep_run

WRITER = """
import sys
from pathlib import Path
from store.runs.data_folder import DataFolder
from store.frames.frame_store import FrameStore
from store.runs.ledger import LedgerWriter
from tests.store.samples import frame, jpeg, started, step
data = DataFolder(Path(sys.argv[1]))
frames = FrameStore(data.frames_dir)
with LedgerWriter(data.ledger_path("busy"), fsync=False) as run:
    run.append(started("busy"))
    for position in range(10_000):
        picture = jpeg("red", position)
        frames.put(picture, sync=False)
        run.append(step(position, frame(picture)))
        print(position, flush=True)
"""


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "whole", COLOURS)
    keep_run(data, "half", COLOURS[:3], end=False)
    for name, text in {
        "studies/s/study.toml": "name = 's'",
        "profiles/tiktok/p12/Cookies": "session",
        "profiles/tiktok/p12/Cache_Data/f": "bytes",
        "daemon/journal.jsonl": '{"a": 1}\n{"torn',
        "daemon/address.json": '{"token": "t"}',
        "daemon/logs/daemon.log": "line",
        "index/chroma.sqlite3": "cache",
        "pseudonyms.key": "k",
    }.items():
        path = data.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return data


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_what_goes_in_comes_back_and_nothing_else(data: DataFolder, tmp_path: Path) -> None:
    packed = backup(data, tmp_path / "b.tar", START, profiles=False)
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    again = DataFolder(tmp_path / "again")
    restored = restore(tmp_path / "b.tar", again, SECRETS)
    assert (restored.files, restored.bytes) == (packed.files, packed.bytes)
    assert (restored.secrets, restored.withheld, restored.unknown) == ({"key": 1}, {}, 0)
    expected = files(data.root)
    left_out = ("profiles/", "index/", "daemon/address.json", "daemon/logs/")
    expected = {
        name: content
        for name, content in expected.items()
        if not name.startswith(left_out) and not name.endswith(".lock")
    }
    expected["daemon/journal.jsonl"] = b'{"a": 1}\n'
    assert files(again.root) == expected
    assert verify(again).sound


def test_profiles_go_in_when_asked_for_and_stay_private(data: DataFolder, tmp_path: Path) -> None:
    backup(data, tmp_path / "b.tar", START, profiles=True)
    again = DataFolder(tmp_path / "again")
    assert restore(tmp_path / "b.tar", again, ["profiles"]).secrets == {"profiles": 1}
    kept = [name for name in files(again.root) if name.startswith("profiles/")]
    assert kept == ["profiles/tiktok/p12/Cookies"]
    cookies = again.root / kept[0]
    assert stat.S_IMODE(cookies.stat().st_mode) == 0o600
    assert stat.S_IMODE(cookies.parent.stat().st_mode) == 0o700


def test_a_profile_in_use_is_refused(data: DataFolder, tmp_path: Path) -> None:
    lock = NamedLock(data.profiles_dir / "tiktok" / ".p12.lock")
    lock.acquire()
    with pytest.raises(ProfileInUse, match="p12"):
        backup(data, tmp_path / "b.tar", START, profiles=True)
    lock.release()
    assert list(tmp_path.glob("*.tar*")) == []


def test_more_profiles_than_a_process_may_open_files(data: DataFolder, tmp_path: Path) -> None:
    for number in range(40):
        (data.profiles_dir / "tiktok" / f"a{number:02}").mkdir()
        (data.profiles_dir / "tiktok" / f"a{number:02}" / "Cookies").write_text("session")
    words = ("backup", str(tmp_path / "b.tar"), "--with-profiles", "--data", str(data.root))
    command = ["bash", "-c", 'ulimit -n 32; exec "$0" -m store "$@"', sys.executable, *words]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert len([name for name in tar.getnames() if name.startswith("profiles/")]) == 41


def test_a_torn_line_stays_out(data: DataFolder, tmp_path: Path) -> None:
    with data.ledger_path("half").open("ab") as file:
        file.write(b'{"kind": "step", "posi')
    backup(data, tmp_path / "b.tar", START, profiles=False)
    again = DataFolder(tmp_path / "again")
    restore(tmp_path / "b.tar", again)
    kept = read(again.ledger_path("half"))
    assert (len(kept.steps), kept.torn) == (3, 0)
    with LedgerWriter(again.ledger_path("half")) as run:  # it can be gone on with
        run.append(finished(3))


def test_while_a_run_is_written(data: DataFolder, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(data.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as busy:
        assert busy.stdout is not None
        for _ in range(20):
            busy.stdout.readline()
        backup(data, tmp_path / "b.tar", START, profiles=False)
        assert busy.poll() is None
        busy.kill()
    again = DataFolder(tmp_path / "again")
    restore(tmp_path / "b.tar", again)
    assert verify(again).problems == []
    assert len(read(again.ledger_path("busy")).steps) >= 20


def test_a_backup_that_is_not_whole_leaves_nothing(data: DataFolder, tmp_path: Path) -> None:
    whole = tmp_path / "b.tar"
    backup(data, whole, START, profiles=False)
    raw = whole.read_bytes()
    again = DataFolder(tmp_path / "again")
    place = raw.index(b"a red thing")
    for number, damaged in enumerate(
        [raw[: len(raw) // 2], raw[:1024], b"no tar", raw[:place] + b"A" + raw[place + 1 :]]
    ):
        (tmp_path / f"{number}.tar").write_bytes(damaged)
        with pytest.raises(BadBackup):
            restore(tmp_path / f"{number}.tar", again)
        assert not again.root.exists()
    restore(whole, again)


def test_a_foreign_tar_cannot_write_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    for name in ("../outside", "/tmp/outside"):
        with tarfile.open(tmp_path / "f.tar", "w") as tar:
            member = tarfile.TarInfo(name)
            tar.addfile(member)
        with pytest.raises(BadBackup, match="outside"):
            restore(tmp_path / "f.tar", DataFolder(tmp_path / "again"))
    assert not (tmp_path / "outside").exists()


def test_where_it_is_refused(data: DataFolder, tmp_path: Path) -> None:
    file = tmp_path / "b.tar"
    with pytest.raises(BadBackup, match="lies in the folder"):
        backup(data, data.root / "b.tar", START, profiles=False)
    backup(data, file, START, profiles=False)
    with pytest.raises(BadBackup, match="is there already"):
        backup(data, file, START, profiles=False)
    with pytest.raises(NoPlaceToRestore, match="--data NEW_FOLDER"):
        restore(file, data)
    data.forgetting.write_text("{}")
    with pytest.raises(ForgettingPending):
        backup(data, tmp_path / "c.tar", START, profiles=False)


def test_the_last_member_says_what_must_be_there(data: DataFolder, tmp_path: Path) -> None:
    backup(data, tmp_path / "b.tar", START, profiles=False)
    with tarfile.open(tmp_path / "b.tar") as tar:
        names = tar.getnames()
    assert names[-1] == MANIFEST
    ledgers = [name for name in names if name.endswith("ledger.jsonl")]
    assert names[: len(ledgers)] == ledgers


def test_an_empty_run_is_no_harm(data: DataFolder, tmp_path: Path) -> None:
    shutil.rmtree(data.run_dir("half"))
    data.run_dir("none").mkdir()
    with LedgerWriter(data.ledger_path("none")):
        backup(data, tmp_path / "b.tar", START, profiles=False)
    again = DataFolder(tmp_path / "again")
    restore(tmp_path / "b.tar", again)
    assert [run.run_id for run in again.runs()] == ["whole"]


def test_frames_on_another_disk_go_in(data: DataFolder, tmp_path: Path) -> None:
    expected = files(data.frames_dir)
    data.frames_dir.rename(tmp_path / "disk")
    data.frames_dir.symlink_to(tmp_path / "disk")
    backup(data, tmp_path / "b.tar", START, profiles=False)
    again = DataFolder(tmp_path / "again")
    restore(tmp_path / "b.tar", again)
    assert files(again.frames_dir) == expected
    assert expected
    assert verify(again).sound


def test_a_linked_run_is_said_to_be_left_out(data: DataFolder, tmp_path: Path) -> None:
    data.run_dir("whole").rename(tmp_path / "elsewhere")
    (data.runs_dir / "whole").symlink_to(tmp_path / "elsewhere")
    packed = backup(data, tmp_path / "b.tar", START, profiles=False)
    assert packed.others == ("runs/whole",)


def test_what_lies_under_the_temporary_name_is_not_written_to(
    data: DataFolder, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".b.tar.tmp").symlink_to(victim)
    (tmp_path / ".c.tar.tmp").write_text("left by a killed call")
    (tmp_path / ".c.tar.tmp").chmod(0o666)
    for name in ("b.tar", "c.tar"):
        backup(data, tmp_path / name, START, profiles=False)
        assert not (tmp_path / name).is_symlink()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert victim.read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"data", "victim", "b.tar", "c.tar"}


def test_two_backups_under_one_name_do_not_mix(data: DataFolder, tmp_path: Path) -> None:
    lock = NamedLock(tmp_path / ".b.tar.lock")
    lock.acquire()
    with pytest.raises(BadBackup, match="is being made by"):
        backup(data, tmp_path / "b.tar", START, profiles=False)
    lock.release()

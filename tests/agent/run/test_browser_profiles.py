"""Profiles: private, used once at a time, movable."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest

from agent.errors import BadConfig
from agent.run.browser_profiles import BrowserProfile
from store.runs.data_folder import DataFolder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def filled(data: DataFolder, account: str = "p12-1") -> BrowserProfile:
    profile = BrowserProfile(data, "tiktok", account)
    with profile:
        (profile.path / "Default" / "Cache").mkdir(parents=True)
        for name in ("GPUCache2", "component_crx_cache", "chrome_debug.log", "Crashpad"):
            (profile.path / "Default" / name).touch()
        (profile.path / "Default" / "Cookies").write_text("session", encoding="utf-8")
        (profile.path / "Default" / "Cache" / "1").write_text("large", encoding="utf-8")
        (profile.path / "SingletonLock").symlink_to("machine-1234")
    return profile


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def test_only_the_owner_may_look(data: DataFolder) -> None:
    path = filled(data).path
    assert [mode(folder) for folder in (path, *path.parents[:2])] == [0o700] * 3


def test_one_at_a_time_and_the_holder_is_named(data: DataFolder) -> None:
    with BrowserProfile(data, "tiktok", "p12-1"):
        with pytest.raises(BadConfig, match=r"in use by process \d+.*--account"):
            BrowserProfile(data, "tiktok", "p12-1").__enter__()
        with BrowserProfile(data, "tiktok", "p12-2"), BrowserProfile(data, "youtube", "p12-1"):
            pass
    with BrowserProfile(data, "tiktok", "p12-1"):
        pass


def test_what_a_killed_browser_left_is_cleared(data: DataFolder) -> None:
    profile = filled(data)
    assert (profile.path / "SingletonLock").is_symlink()
    with profile:
        assert not (profile.path / "SingletonLock").is_symlink()


def test_a_dump_is_private_and_restores(data: DataFolder, tmp_path: Path) -> None:
    file = tmp_path / "dump.tar.gz"
    with filled(data) as profile:
        profile.dump(file)
    assert mode(file) == 0o600
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert sorted(names) == [".", "./Default", "./Default/Cookies"]
    with BrowserProfile(data, "tiktok", "moved") as moved:
        moved.restore(file)
        assert (moved.path / "Default" / "Cookies").read_text(encoding="utf-8") == "session"
        assert mode(moved.path) == 0o700
        with pytest.raises(BadConfig, match="has a profile"):
            moved.restore(file)
    with profile, pytest.raises(BadConfig, match="cannot be written"):
        profile.dump(file)


def test_a_file_that_is_no_dump(data: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("words", encoding="utf-8")
    with BrowserProfile(data, "tiktok", "a") as profile, pytest.raises(BadConfig, match="no dump"):
        profile.restore(tmp_path / "other")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 200, "a b"])
def test_what_is_no_name(data: DataFolder, name: str) -> None:
    with pytest.raises(BadConfig, match="no name for an account"):
        BrowserProfile(data, "tiktok", name)


@pytest.mark.parametrize(
    "name", ["../outside", "/tmp/outside", "Default/../../outside", "a\x1b[2J", "a\\b"]
)
def test_a_stranger_s_dump_writes_nowhere_else(data: DataFolder, tmp_path: Path, name: str) -> None:
    dump = tmp_path / "dump.tar.gz"
    with tarfile.open(dump, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("Default/Cookies"))
        tar.addfile(tarfile.TarInfo(name))
    with BrowserProfile(data, "tiktok", "p12-1") as profile:
        with pytest.raises(BadConfig, match="names a file outside itself"):
            profile.restore(dump)
        assert list(profile.path.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"data", "dump.tar.gz"}


def test_links_and_bombs_of_a_dump_stay_out(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tarfile.TarInfo("Default/link")
    link.type, link.linkname = tarfile.SYMTYPE, "Cookies"
    bomb = tarfile.TarInfo("Default/zeros")
    bomb.size = 4_000_000
    for name, member in (("link", link), ("bomb", bomb)):
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as tar:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "bomb.tar.gz").read_bytes()[:-2000])
    monkeypatch.setattr("agent.run.browser_profiles.MOST_BYTES", 3_000_000)
    with BrowserProfile(data, "tiktok", "p12-1") as profile:
        for name, told in (("bomb", "holds more than is taken"), ("cut", "no dump of a profile")):
            with pytest.raises(BadConfig, match=told):
                profile.restore(tmp_path / f"{name}.tar.gz")
        profile.restore(tmp_path / "link.tar.gz")
        assert list(profile.path.rglob("*")) == []
        assert mode(profile.path) == 0o700

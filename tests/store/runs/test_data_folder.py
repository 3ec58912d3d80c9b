"""The data folder: where things lie, which run a person means, whether it can be written."""

from __future__ import annotations

import grp
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.cli.main import main
from store.dataset.import_screenshots import Collection, bring_in
from store.errors import DataUnwritable, RunNotFound
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.jsonl.locks import NamedLock
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PaymentBook
from tests.store.samples import COLOURS, START, jpeg, keep_run


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    for run_id in ("20250301-p12-aa", "20250301-p12-bb", "20250302-p03-cc"):
        keep_run(data, run_id, ["red"])
    return data


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    assert data.ledger_path("r1") == tmp_path / "runs" / "r1" / "ledger.jsonl"
    assert data.run_dir("r1") == data.runs_dir / "r1"
    assert data.frames_dir == tmp_path / "frames"
    assert data.index_dir == tmp_path / "index"
    assert data.studies_dir == tmp_path / "studies"
    assert data.profiles_dir == tmp_path / "profiles"
    assert data.runs() == []


@pytest.mark.parametrize("text", ["20250302-p03-cc", "20250302"])
def test_a_run_is_found_by_its_id_or_its_beginning(data: DataFolder, text: str) -> None:
    assert data.find_run(text) == data.ledger_path("20250302-p03-cc")


def test_the_latest_run_is_the_one_that_was_started_last(data: DataFolder, tmp_path: Path) -> None:
    keep_run(data, "0-late", ["red"], at=START.replace(year=2026))
    data.ledger_path("20250302-p03-cc").write_text("{}\n{}\n")
    assert data.find_run("latest") == data.ledger_path("0-late")
    with pytest.raises(RunNotFound):
        DataFolder(tmp_path / "nothing").find_run("latest")


def test_a_run_is_found_by_its_path(data: DataFolder) -> None:
    path = data.ledger_path("20250301-p12-aa")
    assert DataFolder(Path("elsewhere")).find_run(str(path)) == path
    assert DataFolder(Path("elsewhere")).find_run(str(path.parent)) == path


def test_a_run_that_is_not_there_offers_the_nearest(data: DataFolder) -> None:
    with pytest.raises(RunNotFound, match=r"Nearest: 20250302-p03-cc.*Type: python -m store runs"):
        data.find_run("20250302-p03-cd")
    with pytest.raises(RunNotFound, match="Nearest: 20250301-p12-aa, 20250301-p12-bb"):
        data.find_run("20250301-p12")
    with pytest.raises(RunNotFound, match="no run ''"):
        data.find_run("")


def test_preparing_makes_the_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "a" / "b")
    assert data.free_bytes() > 0
    assert not data.root.exists()
    data.prepare(need_mib=1)
    assert list(data.root.iterdir()) == []


def test_a_folder_that_cannot_be_written_or_has_no_room_is_said(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(DataUnwritable, match="or type: --data FOLDER"):
        DataFolder(in_the_way / "data").prepare()
    with pytest.raises(DataUnwritable, match="MiB free, 1000000000 MiB needed"):
        DataFolder(tmp_path).prepare(need_mib=1_000_000_000)


ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def common_umask() -> Iterator[None]:
    """As most machines have it: what is made can be read by everybody."""
    former = os.umask(0o022)
    yield
    os.umask(former)


def modes(root: Path) -> dict[str, str]:
    """Mode of everything, by its place."""
    return {
        str(path.relative_to(root)): f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in (root, *root.rglob("*"))
    }


def fill(data: DataFolder) -> None:
    """Keep a run and what lies beside one, as the store's own writers do."""
    keep_run(data, "r1", COLOURS[:3])
    FrameStore(data.frames_dir).put(jpeg("red", 9))
    PaymentBook(data.payments)
    lock = NamedLock(data.profiles_dir / ".p12.lock")
    lock.acquire()
    lock.release()
    pictures = data.root.parent / "pictures"
    write_whole(pictures / "a.jpg", jpeg("blue"))
    write_whole(pictures / "a.csv", b"file\na.jpg\n")
    bring_in(data, Collection(pictures, pictures / "a.csv", "mine", "CC0", "0"), START)


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data.root)])


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "new" / "data")
    fill(data)
    found = modes(data.root)
    assert len(found) > 15
    assert set(found.values()) == {"700", "600"}


def test_a_group_s_folder_stays_the_group_s(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab").chmod(0o2770)
    data = DataFolder(tmp_path / "lab" / "data")
    fill(data)
    assert set(modes(data.root).values()) == {"2770", "660"}


def test_one_option_shares_what_is_there_and_what_comes(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    fill(data)
    write_whole(data.profiles_dir / "tiktok" / "p12" / "Cookies", b"session")
    write_whole(data.pseudonym_key, b"k")
    group = grp.getgrgid(os.getegid()).gr_name
    assert typed(data, "protect", "--group", group).exit_code == 0
    keep_run(data, "r2", COLOURS[3:5])
    found = modes(data.root)
    secret = {name for name in found if name.startswith(("profiles", "pseudonyms"))}
    assert {found[name] for name in secret} == {"700", "600"}
    assert {mode for name, mode in found.items() if name not in secret} == {"2770", "660"}
    assert typed(data, "protect").exit_code == 0
    assert set(modes(data.root).values()) == {"700", "600"}


def test_an_older_folder_is_closed_and_links_are_left(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"mine")
    folder = tmp_path / "data" / "runs" / "r1"
    folder.mkdir(parents=True)
    (folder / "ledger.jsonl").write_bytes(b"{}\n")
    (folder / "link").symlink_to(tmp_path / "outside")
    done = typed(DataFolder(tmp_path / "data"), "protect")
    assert "4 files and folders changed" in done.stdout
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o644
    assert typed(DataFolder(tmp_path / "data"), "protect", "--group", "no such").exit_code == 2


def test_what_others_code_makes_for_a_command_is_private_too(tmp_path: Path) -> None:
    """Such as the index: its engine opens its files itself."""
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS[:1])
    script = (
        "import sys\nfrom pathlib import Path\nimport click\n"
        "from store.cli.options import data_option\n"
        "@click.command()\n@data_option\n"
        "def made(root):\n    (root / 'index').mkdir()\n"
        "    (root / 'index' / 'f').write_text('x')\n"
        "made()"
    )
    command = [sys.executable, "-c", script, "--data", str(data.root)]
    subprocess.run(command, cwd=ROOT, check=True)
    found = modes(data.index_dir)
    assert set(found.values()) == {"700", "600"}

"""The commands of the dataset as people and programs meet them; every example runs as written."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from analysis.cli.main import main as analysis
from analysis.examples.study import STUDY, write_example
from store import encoders
from store.cli.main import main
from store.dataset import manifest
from store.dataset.donations import parse_donation
from store.dataset.watch_history import keep_history
from store.encoders import Vectors
from store.frames.frame_store import FrameStore
from store.index.build import update
from store.maintenance.backup import backup
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import Video
from tests.e2e.commands import until
from tests.slow_cases import drills_but
from tests.store.dataset.donation_samples import tiktok
from tests.store.remote.stores import new_bucket, serve_s3
from tests.store.samples import COLOURS, START, ColourEncoder, frame, jpeg, keep_run, started, step

REPO = Path(__file__).parents[3]
DOC = (REPO / "docs" / "dataset.md").read_text("utf-8")
EXAMPLE = re.compile(r"^\s*\$ python -m store (.+)$", re.MULTILINE)
Run = Callable[..., Result]


class AnyTextEncoder(ColourEncoder):
    """Places every text somewhere."""

    def texts(self, texts: list[str]) -> Vectors:  # type: ignore[override]
        return self._place([np.array([255.0, 0.0, 0.0])] * len(texts))


def examples() -> list[str]:
    found = [line for command in main.commands.values() for line in EXAMPLE.findall(told(command))]
    found += [
        line
        for block in re.findall(r"```console\n(.*?)```", DOC, re.DOTALL)
        for line in EXAMPLE.findall(block)
    ]
    return list(dict.fromkeys(found))


def told(command: object) -> str:
    return getattr(command, "epilog", None) or ""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that examples name."""
    folder = tmp_path_factory.mktemp("workplace")
    data = DataFolder(folder / "data")
    keep_run(data, "r1", COLOURS, platform="tiktok", at=datetime(2025, 3, 1, tzinfo=UTC))
    frames = FrameStore(data.frames_dir)
    with LedgerWriter(data.ledger_path("r2"), fsync=False) as writer:
        writer.append(started("r2"))
        for position, (video, author, at) in enumerate(
            [
                ("7312345678901234567", "some.handle", START),
                ("other", "other", datetime(2024, 12, 31, tzinfo=UTC)),
            ]
        ):
            picture = jpeg("red", 40 + position)
            frames.put(picture, sync=False)
            shown = Video(id=video, author=author, caption=f"a red thing by @{author}")
            writer.append(step(position, frame(picture), video=shown, at=at))
    update(data, ColourEncoder())
    backup(data, folder / "kept.tar", START, profiles=False)
    for name in ("shard-1", "shard-2"):
        shutil.copytree(data.root, folder / name)
    (folder / "picture.jpg").write_bytes(jpeg("red"))
    (folder / "screenshots").mkdir()
    (folder / "screenshots" / "a.jpg").write_bytes(jpeg("blue", 77))
    (folder / "screenshots" / "captions.csv").write_text("file,caption\na.jpg,a blue thing\n")
    return folder


@pytest.fixture
def workplace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(encoders, "load", lambda name, device=None: AnyTextEncoder())
    folder = tmp_path / "workplace"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def data(workplace: Path) -> DataFolder:
    return DataFolder(workplace / "data")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FEEDSWAY_CACHE", str(tmp_path / "caches"))
    for server in serve_s3():
        new_bucket(server, "bucket")
        yield None


@pytest.fixture
def run(workplace: Path) -> Run:
    def invoke(*args: str, answer: str | None = None) -> Result:
        result = CliRunner().invoke(main, args, input=answer)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return invoke


def test_every_command_has_an_example() -> None:
    assert [
        name for name, command in main.commands.items() if not EXAMPLE.findall(told(command))
    ] == []


def quick() -> list[str]:
    return [one for one in examples() if "bench" not in one]


@pytest.mark.parametrize("line", drills_but(quick(), examples()))
def test_every_example_runs(run: Run, line: str, request: pytest.FixtureRequest) -> None:
    if "--check" in line:
        assert run("export", "exported").exit_code == 0
    if line.startswith("bundle"):
        write_example(Path("data"))
        assert CliRunner().invoke(analysis, ["report", STUDY]).exit_code == 0
    if "s3://bucket" in line:
        request.getfixturevalue("bucket")
    if "--donation" in line:
        keep_history(DataFolder(Path("data")), parse_donation(tiktok(3)), "donor7", "0.1.0")
    result = run(*shlex.split(line))
    assert result.exit_code == 0, result.output
    assert result.stdout.strip()


@pytest.mark.parametrize("command", ["export", "import", "stats", "forget"])
def test_help_is_quick(command: str) -> None:
    code = (
        "import sys; from store.cli.main import main\n"
        "try: main([*sys.argv[1:], '--help'], prog_name='python -m store')\n"
        "finally: print(sorted({'chromadb', 'pyarrow', 'pydantic', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_export_is_told_and_checked(run: Run, data: DataFolder) -> None:
    told = json.loads(run("export", "out", "--json", "--split-by", "videos").stdout)
    assert sum(told["rows"].values()) == 10
    assert manifest.read(Path("out"))["rows"] == told["rows"]
    assert run("export", "--check", "out").stdout == "Every file is as it was written.\n"
    (Path("out") / "README.md").write_text("other")
    result = run("export", "--check", "out", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"sound": False, "problems": ["README.md was changed"]}
    one_day = json.loads(
        run("export", "day", "--since", "2024-12-31", "--until", "2024-12-31", "--json").stdout
    )
    assert sum(one_day["rows"].values()) == 1
    FrameStore(data.frames_dir).path(frame(jpeg("red", 40)).sha256).unlink()
    result = run("export", "lossy")
    assert result.exit_code == 1
    assert "Left out: " in result.stderr
    assert result.stdout.startswith("9 screenshots in lossy: ")


@pytest.mark.drill
def test_an_export_that_was_killed_is_typed_again(tmp_path: Path) -> None:
    data, out = DataFolder(tmp_path / "data"), tmp_path / "out"
    keep_run(data, "r1", COLOURS * 50, platform="tiktok")
    words = [sys.executable, "-m", "store", "export", str(out), "--data", str(data.root)]
    beside = tmp_path / ".out.exporting"
    killed = subprocess.Popen(words, cwd=REPO, stderr=subprocess.DEVNULL)
    until(beside.exists)
    killed.kill()
    killed.wait()
    assert beside.exists()
    assert not out.exists()
    again = subprocess.run(words, cwd=REPO, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"{50 * len(COLOURS)} screenshots in ")
    assert not beside.exists()
    assert manifest.check(out) == []


def test_stats_as_json(run: Run) -> None:
    told = json.loads(run("stats", "--json").stdout)
    assert (told["runs"], told["steps"]) == (2, 10)
    assert told["by_month"] == {"2024-12": 1, "2025-03": 9}
    assert list(told["unique"]["embedded"].values()) == [8]


def test_an_import_goes_on_to_the_index_and_the_export(run: Run, data: DataFolder) -> None:
    result = run("import", "screenshots", "--captions", "screenshots/captions.csv", "--json")
    assert json.loads(result.stdout) == {"run_id": "imported-screenshots", "added": 1, "present": 1}
    assert run("index").stdout == "1 frame added; the index holds 11.\n"
    hits = json.loads(run("search", "a thing", "--platform", "imported", "--json").stdout)
    assert [hit["caption"] for hit in hits] == ["a blue thing"]
    told = json.loads(run("export", "out", "--platform", "imported", "--json").stdout)
    assert told["rows"] == {"train": 1}
    assert "they say" not in (Path("out") / "README.md").read_text("utf-8")
    assert "As whoever imported them says: not told." in (Path("out") / "README.md").read_text()


def test_forgetting_asks_first(run: Run, data: DataFolder) -> None:
    before = data.ledger_path("r2").read_bytes()
    dry = run("forget", "--author", "@Some.Handle", "--dry-run")
    assert dry.stdout.startswith("1 video in 1 step of 1 run, 1 frame, ")
    result = run("forget", "--author", "some.handle", answer="n\n")
    assert result.exit_code == 1
    assert "forget for good?" in result.stderr
    assert data.ledger_path("r2").read_bytes() == before
    assert not data.forgetting.exists()
    result = run("forget", "--author", "some.handle", "--json", answer="y\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout[result.stdout.index("{") :])["steps"] == 1
    assert "make them again" in result.stderr
    assert verify(data).sound
    shown = run("show", "r2").stdout
    assert "by author: 1 step emptied, 0 with a name taken out." in shown
    assert json.loads(run("show", "r2", "--json").stdout)["forgotten"][0]["positions"] == [0]


def test_a_request_that_was_cut_off_comes_first(run: Run, data: DataFolder) -> None:
    from store.privacy.forget_plan import Request

    cut = Request(asked="video", value="other", at=START, salt="salt")
    data.forgetting.write_text(cut.model_dump_json())
    result = run("forget", "--video", "r1-1", "--yes")
    assert result.exit_code == 2
    assert result.stderr.endswith("Type: python -m store forget --resume\n")
    assert run("verify").exit_code == 1
    assert run("forget", "--resume", "--yes").exit_code == 0
    assert read(data.ledger_path("r2")).forgotten[0].positions == (1,)
    assert run("verify").exit_code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("forget",), "Give one of --video, --author, --before and --resume"),
        (("forget", "--video", "a", "--author", "b"), "Give one of"),
        (("forget", "--resume"), "No request was cut off"),
        (("forget", "--video", "zz", "--yes"), "Nothing that is kept fits --video zz. Type: "),
        (("forget", "--before", "soon"), "does not match the format"),
        (("export", "screenshots"), "is there already, and not empty. Type: "),
        (("export", "--check", "screenshots"), "it has no manifest.json. Type: "),
        (
            ("export", "out", "--platform", "nowhere"),
            "Nothing that is kept fits these filters. Type: ",
        ),
        (("export", "data/out"), "lies in the data folder. Type: "),
        (("import", "screenshots", "--captions", "picture.jpg"), "it is no CSV in UTF-8"),
    ],
)
def test_what_a_person_can_mend_is_said(run: Run, args: tuple[str, ...], said: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "left",
    [b"{}", b"\xff", b"[" * 9_000, b'{"asked":"before","value":"soon","at":"2025-01-01T00:00Z"}'],
    ids=["empty", "bytes", "nested", "no day"],
)
def test_a_damaged_request_says_what_to_do(run: Run, data: DataFolder, left: bytes) -> None:
    data.forgetting.write_bytes(left)
    before = data.ledger_path("r2").read_bytes()
    for command in (["--resume"], ["--video", "r1-1"]):
        result = run("forget", *command, "--yes")
        assert result.exit_code == 2
        assert "forgetting.json is damaged" in result.stderr
        assert result.stderr.endswith("python -m store forget\n")
    assert data.ledger_path("r2").read_bytes() == before

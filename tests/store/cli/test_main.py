"""The commands as people and programs meet them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from store import encoders
from store.cli.main import main
from store.frames.frame_store import FrameStore
from store.index.build import update
from store.index.search import Index
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from tests.store.samples import (
    COLOURS,
    START,
    ColourEncoder,
    fault,
    jpeg,
    keep_run,
    started,
    step,
)

REPO = Path(__file__).parents[3]
Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS, platform="tiktok")
    keep_run(data, "r2", COLOURS[::-1], end=False, at=START.replace(day=2))
    return data


@pytest.fixture
def run(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the folder, with the colour encoder in place of a trained one."""
    monkeypatch.setattr(encoders, "load", lambda name, device=None: ColourEncoder())

    def invoke(*args: str, root: Path = data.root) -> Result:
        result = CliRunner().invoke(main, [*args, "--data", str(root)])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return invoke


def test_runs(run: Run) -> None:
    result = run("runs")
    assert result.exit_code == 0
    head, first, second = result.stdout.splitlines()
    assert head.split() == [
        *("run", "started", "persona", "platform", "strategy", "model", "arm", "status", "steps")
    ]
    assert first.split()[0] == "r1"
    assert first.split()[-2:] == ["complete", "8"]
    assert second.split()[-2:] == ["interrupted", "8"]
    (one, two) = json.loads(run("runs", "--json").stdout)
    assert (one["run"], one["status"], one["steps"], one["persona"]) == ("r1", "complete", 8, "p12")
    assert (two["status"], two["problem"]) == ("interrupted", None)


def test_a_run_that_is_being_written_is_running(run: Run, data: DataFolder) -> None:
    with LedgerWriter(data.ledger_path("r2")):
        assert json.loads(run("runs", "--json").stdout)[1]["status"] == "running"
    assert json.loads(run("runs", "--json").stdout)[1]["status"] == "interrupted"


def test_damaged_runs_are_listed_with_their_problem(run: Run, data: DataFolder) -> None:
    data.ledger_path("r2").write_text('{"kind":"step"}\n{}\n')
    result = run("runs")
    assert result.exit_code == 0
    assert "damaged" in result.stdout
    assert "ledger.jsonl:1 is damaged" in result.stdout


def test_show(run: Run, data: DataFolder) -> None:
    with LedgerWriter(data.ledger_path("r2")) as writer:
        writer.append(fault(8))
        writer.append(step(8, excluded="ad", at=START.replace(day=3)))
    lines = run("show", "r2").stdout.splitlines()
    assert lines[0] == "r2  interrupted, 9 steps"
    assert "  I surf." in lines
    assert sum("! BrowserLost: It went." in line for line in lines) == 1
    assert lines[-1].split()[:3] == ["8", "after", "yes"]
    assert "[ad] caption 8" in lines[-1]
    shown = json.loads(run("show", "r2", "--json").stdout)
    assert shown["status"] == "interrupted"
    assert shown["started"]["schema"] == 3
    assert [done["position"] for done in shown["steps"]] == list(range(9))
    assert shown["faults"][0]["fault"] == "BrowserLost"
    assert shown["finished"] is None


def test_search_for_a_text(run: Run, data: DataFolder) -> None:
    update(data, ColourEncoder())
    result = run("search", "a green thing", "-k", "3")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 9
    assert lines[0].startswith("  1  0.9")
    assert lines[0].endswith("a green thing")
    assert Path(lines[2].strip()).is_file()


def test_an_index_that_holds_nothing_yet_says_what_to_type(run: Run, data: DataFolder) -> None:
    """A run makes the index when it begins, and its first frames come later."""
    with Index.open(data, ColourEncoder(), write=True):
        pass
    result = run("search", "green")
    assert result.exit_code == 2
    assert "holds no frame yet" in result.stderr
    assert "Type: python -m store index --encoder" in result.stderr


def test_search_as_json_with_filters(run: Run, data: DataFolder) -> None:
    update(data, ColourEncoder())
    args = ("--platform", "tiktok", "--answer", "no", "--persona", "p12", "--run", "r")
    result = run("search", "red", "--json", *args[:-1], "r1")
    hits = json.loads(result.stdout)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert {hit["answer"] for hit in hits} == {"no"}
    assert {hit["run"] for hit in hits} == {"r1"}
    assert all(Path(hit["frame"]).is_file() for hit in hits)
    ambiguous = run("search", "red", *args)
    assert ambiguous.exit_code == 2
    assert "Nearest: r1, r2" in ambiguous.stderr


def test_search_by_picture_and_contact_sheet(run: Run, data: DataFolder, tmp_path: Path) -> None:
    update(data, ColourEncoder())
    picture, sheet = tmp_path / "blue.jpg", tmp_path / "sheet.png"
    picture.write_bytes(jpeg("blue", 99))
    lost = read(data.ledger_path("r1")).steps[4].frames[0].sha256
    FrameStore(data.frames_dir).path(lost).unlink()
    result = run("search", "--image", str(picture), "-k", "7", "--sheet", str(sheet))
    assert result.exit_code == 0
    assert "a blue thing" in result.stdout.splitlines()[0]
    assert result.stderr == f"Wrote {sheet}\n"
    drawn = Image.open(sheet)
    assert drawn.size == (5 * 212 + 12, 2 * 434 + 12)
    middle = drawn.getpixel((112, 190))
    assert isinstance(middle, tuple)
    assert middle[2] > 1.5 * max(middle[:2])
    result = run("search", "red", "--sheet", str(tmp_path / "sheet.nothing"))
    assert result.exit_code == 2
    assert "sheet.nothing cannot be written" in result.stderr


def test_duplicates_are_shown_on_request(run: Run, data: DataFolder) -> None:
    keep_run(data, "r3", COLOURS, at=START.replace(day=3))
    update(data, ColourEncoder())
    hidden = json.loads(run("search", "red", "-k", "50", "--json").stdout)
    shown = json.loads(run("search", "red", "-k", "50", "--json", "--duplicates").stdout)
    assert (len(hidden), len(shown)) == (16, 24)
    assert sum(hit["duplicate_of"] is not None for hit in shown) == 8
    assert "near-duplicate of r1/0/0" in run("search", "red", "--duplicates").stdout


def test_index(run: Run, data: DataFolder) -> None:
    assert run("index").stdout == "16 frames added; the index holds 16.\n"
    assert run("index").stdout == "0 frames added; the index holds 16.\n"
    assert json.loads(run("index", "--rebuild", "--json").stdout) == {
        "added": 16,
        "present": 16,
        "problems": [],
    }
    lost = read(data.ledger_path("r1")).steps[0].frames[0].sha256
    FrameStore(data.frames_dir).path(lost).unlink()
    result = run("index", "--rebuild")
    assert result.exit_code == 1
    assert "Left out: " in result.stderr
    assert result.stdout == "15 frames added; the index holds 15.\n"


def test_verify(run: Run, data: DataFolder) -> None:
    update(data, ColourEncoder())
    result = run("verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("2 runs, 16 steps, 16 frames; indexed: 16 in feedsway__")
    assert result.stdout.endswith("Everything is as it was written.\n")
    lost = read(data.ledger_path("r1")).steps[0].frames[0].sha256
    FrameStore(data.frames_dir).path(lost).unlink()
    result = run("verify")
    assert result.exit_code == 1
    assert "WRONG: " in result.stdout
    told = json.loads(run("verify", "--json").stdout)
    assert told["sound"] is False
    assert told["problems"][0]["fix"].startswith("Restore it from a copy")


def test_where_nothing_is_kept_the_next_command_is_said(
    run: Run, data: DataFolder, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing"
    said = f"There is no run in {nothing} yet. Type: python -m agent run --persona p12\n"
    for args in (("search", "red"), ("index",), ("verify",)):
        result = run(*args, root=nothing)
        assert (result.exit_code, result.stderr) == (2, f"Error: {said}")
    result = run("runs", root=nothing)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", said)
    assert json.loads(run("runs", "--json", root=nothing).stdout) == []
    assert run("show", "latest", root=nothing).stderr == f"Error: {said}"
    elsewhere = run("show", str(data.ledger_path("r1")), root=nothing)
    assert elsewhere.stdout.startswith("r1  complete")
    assert not nothing.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("search", "red"), "There is no index at"),
        (("search",), "Give a text or --image FILE"),
        (("search", "red", "--image", __file__), "Give a text or --image FILE"),
        (("search", "--image", __file__), "is no picture. Type: --image FILE.jpg"),
        (("search", "red", "--run", "zz"), "There is no run 'zz'"),
        (("search", "red", "--index", "http://127.0.0.1:9"), "No Chroma server answers at"),
        (("search", "red", "-k", "0"), "is not in the range"),
        (("show", "r"), "Nearest: r1, r2"),
    ],
)
def test_what_a_person_can_mend_is_said_without_a_traceback(
    run: Run, args: tuple[str, ...], said: str
) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_command_to_type_names_the_data_folder_that_was_named(data: DataFolder) -> None:
    result = CliRunner().invoke(main, ["show", "zz", "--data", str(data.root)])
    assert result.stderr.endswith(f"store runs --data {shlex.quote(str(data.root))}\n")
    result = CliRunner(env={"FEEDSWAY_DATA": str(data.root)}).invoke(main, ["show", "zz"])
    assert result.stderr.endswith("store runs\n")


def test_an_unknown_encoder_is_said(data: DataFolder) -> None:
    args = ["search", "red", "--encoder", "nothing", "--data", str(data.root)]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert "There is no encoder 'nothing'" in result.stderr


def test_the_data_folder_comes_from_the_environment(data: DataFolder) -> None:
    result = CliRunner().invoke(main, ["runs"], env={"FEEDSWAY_DATA": str(data.root)})
    assert "r1" in result.stdout


def test_a_locked_index_names_its_holder(
    run: Run, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from store.index import embedded_folder, search

    update(data, ColourEncoder())
    monkeypatch.setattr(embedded_folder, "PATIENCE_S", 0.1)
    opener: Any = search.Index.open
    monkeypatch.setattr(
        search.Index, "open", lambda *args, **kw: opener(*args, patience_s=0.1, **kw)
    )
    with opener(data, ColourEncoder()).hold():
        result = run("search", "red")
    assert result.exit_code == 2
    assert "The index is being written by process" in result.stderr


def test_interruption_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str, device: str | None = None) -> ColourEncoder:
        raise KeyboardInterrupt

    monkeypatch.setattr(encoders, "load", interrupted)
    result = run("index")
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize("command", ["", "runs", "show", "search", "index", "verify"])
def test_help_is_quick_and_has_an_example(command: str) -> None:
    code = (
        "import sys; from store.cli.main import main\n"
        "try: main([*sys.argv[1:], '--help'], prog_name='python -m store')\n"
        "finally: print(sorted({'chromadb', 'torch', 'pydantic', 'numpy'} & set(sys.modules)))"
    )
    args = [command] if command else []
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert not command or f"$ python -m store {command}" in done.stdout


def test_the_module_runs(data: DataFolder) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "store", "runs", "--data", str(data.root)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1].startswith("r1")
    assert done.stderr == ""


def test_a_damaged_ledger_is_a_fault_and_names_its_line(run: Run, data: DataFolder) -> None:
    with LedgerWriter(data.ledger_path("r2")) as writer:
        writer.append(started("r2"))
    result = run("show", "r2")
    assert result.exit_code == 1
    assert "ledger.jsonl:10 is damaged: a second run_started." in result.stderr

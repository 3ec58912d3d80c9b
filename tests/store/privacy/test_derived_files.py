"""What is made of frames is entered, and goes when they are forgotten, wherever it lies."""

from __future__ import annotations

import ast
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.cli.main import main
from store.errors import CopiesRemain, FolderInUse
from store.jsonl.atomic import write_whole
from store.maintenance.verify import verify
from store.privacy import derived_files
from store.privacy.derived_files import DerivedKind, register
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.store.samples import COLOURS, keep_run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """Two runs, of which one video is forgotten."""
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS[:3])
    keep_run(data, "r2", COLOURS[3:6])
    return data


def frame_of(data: DataFolder, run: str, position: int) -> str:
    return read(data.ledger_path(run)).steps[position].frames[0].sha256


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data.root)])


def made(data: DataFolder, path: Path, kind: DerivedKind, run: str, position: int) -> Path:
    """A folder that shows one frame."""
    register(data, path, kind, frames=[frame_of(data, run, position)])
    write_whole(path / "sheet.jpg", b"a picture of it")
    return path


def test_sheets_and_reports_of_the_data_folder_go(data: DataFolder) -> None:
    gone = [
        made(data, data.root / "sheets", "sheet", "r1", 1),
        made(data, data.probes_dir / "m", "figures", "r1", 1),
    ]
    register(data, data.run_dir("r1") / "report", "report", runs=["r1"])
    write_whole(data.run_dir("r1") / "report" / "index.html", b"it")
    kept = made(data, data.root / "other", "sheet", "r2", 1)
    assert typed(data, "verify").exit_code == 0
    done = typed(data, "forget", "--video", "r1-1", "--yes", "--json")
    assert done.exit_code == 0
    assert not any(path.exists() for path in (*gone, data.run_dir("r1") / "report"))
    assert kept.exists()
    assert [entry.place(data) for entry in derived_files.entries(data)] == [kept]
    assert typed(data, "verify").exit_code == 0


def test_what_lies_outside_is_named_and_never_deleted(data: DataFolder, tmp_path: Path) -> None:
    outside = tmp_path / "my export"
    assert typed(data, "export", str(outside)).exit_code == 0
    before = data.ledger_path("r1").read_bytes()
    refused = typed(data, "forget", "--video", "r1-1", "--yes", "--remove-copies")
    assert refused.exit_code == 2
    assert f"rm -r '{outside}'" in refused.output
    assert outside.exists()
    assert data.ledger_path("r1").read_bytes() == before
    shutil.rmtree(outside)
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 0
    assert list(derived_files.entries(data)) == []


@pytest.mark.parametrize(
    "place", ["/outside", "../outside", "link", "runs/r2", "frames", ".", "runs"]
)
def test_no_entry_has_a_foreign_place_deleted(data: DataFolder, tmp_path: Path, place: str) -> None:
    """As a stranger's backup could hold it."""
    write_whole(tmp_path / "outside" / "mine.txt", b"mine")
    (data.root / "link").symlink_to(tmp_path / "outside")
    there = str(tmp_path / "outside") if place.startswith("/") else place
    entry = derived_files.DerivedEntry(path=there, kind="sheet", at=datetime.now(UTC))
    write_whole(data.derived_dir / "x.json", entry.model_dump_json().encode())
    files = {path for path in tmp_path.rglob("*") if path.is_file()}
    derived_files.remove(data, entry)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == files
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 2
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_copied_data_folder_forgets_its_own_copies(data: DataFolder, tmp_path: Path) -> None:
    original = made(data, data.root / "exported", "export", "r1", 1)
    copy = DataFolder(tmp_path / "copy")
    shutil.copytree(data.root, copy.root)
    done = typed(copy, "forget", "--video", "r1-1", "--yes", "--remove-copies")
    assert done.exit_code == 0
    assert not (copy.root / "exported").exists()
    assert original.exists()


def test_an_export_and_a_training_are_named_and_go_only_when_told(
    data: DataFolder, tmp_path: Path
) -> None:
    folder = made(data, data.root / "exported", "export", "r1", 1)
    training = made(data, data.root / "ladder", "training", "r1", 1)
    before = data.ledger_path("r1").read_bytes()
    told = typed(data, "forget", "--video", "r1-1", "--dry-run", "--json")
    assert json.loads(told.stdout)["made_of_it"] == [
        str(entry.place(data)) for entry in derived_files.entries(data)
    ]
    refused = typed(data, "forget", "--video", "r1-1", "--yes")
    assert isinstance(refused.exception, CopiesRemain) or refused.exit_code == 2
    for path in (folder, training):
        assert str(path) in refused.output + str(refused.exception)
        assert path.exists()
    assert data.ledger_path("r1").read_bytes() == before
    assert typed(data, "forget", "--video", "r1-1", "--yes", "--remove-copies").exit_code == 0
    assert not folder.exists()
    assert not training.exists()
    assert typed(data, "verify").exit_code == 0


def test_verify_finds_what_was_left(data: DataFolder, tmp_path: Path) -> None:
    """A sheet brought back, a report from before, and one that an older version made."""
    sheet = frame_of(data, "r1", 1)
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 0
    register(data, data.root / "sheet.jpg", "sheet", frames=[sheet])
    (data.root / "sheet.jpg").write_bytes(b"it")
    write_whole(data.probes_dir / "m" / "examples-1-object.jpg", b"it")
    found = {problem.where: problem.what for problem in verify(data).problems}
    assert "no ledger names" in found[str(data.root / "sheet.jpg")]
    assert "nobody entered" in found[str(data.probes_dir / "m")]
    assert typed(data, "verify").exit_code == 1
    assert typed(data, "forget", "--video", "r2-1", "--yes").exit_code == 0
    assert not (data.probes_dir / "m").exists()


def test_a_report_from_before_is_found_by_its_runs(data: DataFolder, tmp_path: Path) -> None:
    register(data, tmp_path / "page", "report", runs=["r1"])
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 0
    early = derived_files.DerivedEntry(
        path=str(tmp_path / "page"),
        kind="report",
        at=datetime(2020, 1, 1, tzinfo=UTC),
        runs=("r1",),
    )
    write_whole(data.derived_dir / "x.json", early.model_dump_json().encode())
    write_whole(tmp_path / "page" / "index.html", b"it")
    (problem,) = verify(data).problems
    assert "before something of it was forgotten" in problem.what


def test_what_was_entered_for_a_place_stays_entered(data: DataFolder, tmp_path: Path) -> None:
    register(data, tmp_path / "a", "figures", frames=["1" * 64], runs=["r1"])
    register(data, tmp_path / "a", "figures", frames=["2" * 64])
    (entry,) = derived_files.entries(data)
    assert (entry.runs, entry.frames) == (("r1",), ("1" * 64, "2" * 64))
    register(data, tmp_path / "a", "figures")
    (entry,) = derived_files.entries(data)
    assert (entry.runs, entry.frames) == ((), ()), "it may hold anything now"
    register(data, tmp_path / "a", "figures", frames=["2" * 64])
    (entry,) = derived_files.entries(data)
    assert entry.shows((), ())


@pytest.mark.parametrize("kind", ["report", "figures", "training"])
def test_a_folder_with_other_files_is_no_place_for_what_goes_whole(
    data: DataFolder, tmp_path: Path, kind: DerivedKind
) -> None:
    """Forgetting would name it with "rm -r", and be refused for as long as it is there."""
    write_whole(tmp_path / "mine" / "thesis.txt", b"years of work")
    for place in (tmp_path / "mine", data.root, data.run_dir("r1")):
        with pytest.raises(FolderInUse, match=r"holds other files.*Type: "):
            register(data, place, kind, runs=["r1"])
    assert list(derived_files.entries(data)) == []
    (data.root / "empty").mkdir()
    for _ in range(2):  # the same again is no other file
        register(data, data.root / "empty", kind, runs=["r1"])
        write_whole(data.root / "empty" / "index.html", b"it")
    write_whole(data.run_dir("r1") / "report" / "index.html", b"of an older version")
    register(data, data.run_dir("r1") / "report", kind, runs=["r1"])
    words = ("forget", "--video", "r1-1", "--yes", "--remove-copies")
    assert typed(data, *words).exit_code == 0
    assert not (data.root / "empty").exists()
    assert not (data.run_dir("r1") / "report").exists()


# Nobody writes past the register

WRITES = {
    "write_whole",
    "write_sealed",
    "write_bytes",
    "write_text",
    "savefig",
    "save",
    "save_pretrained",
    "open_private",
    "ParquetWriter",
    "to_csv",
    "copyfile",
    "copytree",
    "write_tables",
    "write_folder",
}
ENTERED = {
    "agent/evaluation/label_sheet.py": "agent/cli/label.py",
    "agent/evaluation/judgement_log.py": "agent/cli/eval_log.py",
    "analysis/alignment/alignment_report.py": "agent/cli/align.py",
    "agent/training/dpo.py": "agent/cli/align.py",
    "store/results/trainings.py": "agent/cli/align.py",
    "analysis/preference_pairs/hallucination_figures.py": "agent/cli/probe.py",
    "analysis/paper/paper_tables.py": "analysis/cli/paper.py",
    "analysis/report/report_page.py": "analysis/cli/report.py",
    "analysis/spectrum/spectrum_report.py": "agent/cli/spectrum.py",
    "analysis/report/page_files.py": "analysis/cli/report.py",
    "agent/cli/film.py": "agent/cli/film.py",
    "agent/cli/pairs.py": "agent/cli/pairs.py",
    "store/bundle/bundle_staging.py": "store/bundle/pack.py",
    "store/bundle/figure_tables.py": "store/bundle/pack.py",
    "store/bundle/pack.py": "store/bundle/pack.py",
    "store/bundle/report_record.py": "analysis/cli/report.py",
    "store/cli/output.py": "store/cli/main.py",
    "store/dataset/export.py": "store/dataset/export.py",
    "store/dataset/formats.py": "store/dataset/export.py",
    "store/dataset/manifest.py": "store/dataset/manifest.py",
    "store/dataset/preferences.py": "store/dataset/preferences.py",
    "store/dataset/step_export.py": "store/dataset/step_export.py",
    "store/dataset/step_tables.py": "store/dataset/step_export.py",
    "store/dataset/zeeschuimer.py": "store/dataset/step_export.py",
}
"""Who writes what is made of frames, and who enters it before."""

REVIEWED = {
    "agent/benchmarks/asking.py": "made pictures, in a folder that is removed",
    "agent/cli/record.py": "a recording under pseudonyms, which names no video that is kept",
    "agent/cli/plan.py": "a study's file",
    "analysis/cli/notebooks.py": "notebooks as they come with feedsway",
    "store/bundle/unpack.py": "a stranger's bundle, in a folder that is removed",
    "store/terminal/exit_codes.py": "lays out help",
    "agent/training/example.py": "a made-up example",
    "agent/training/dataset.py": "into memory",
    "agent/benchmarks/browser_runs.py": "a study's file",
    "agent/benchmarks/judge_consistency.py": "into memory",
    "agent/doctor/plug_in_checks.py": "into memory",
    "agent/benchmarks/shared_picture_cost.py": "into memory",
    "agent/explorer/film_picture.py": "into memory",
    "agent/explorer/pictures.py": "into memory",
    "agent/evaluation/label_exchange.py": "people's labels, which name no picture and no text",
    "store/runs/labels.py": "draws and people's labels, which name no picture and no text",
    "agent/daemon/process/child.py": "logs, which forgetting deletes",
    "agent/daemon/journal/damage.py": "damaged lines of the journal, set aside",
    "agent/drivers/desktop/driver.py": "into memory",
    "agent/drivers/desktop/player_calibration.py": "the place of a player, no kept frame",
    "agent/run/capture.py": "into memory",
    "agent/judge/reply_cache.py": "kept replies, which forgetting walks",
    "agent/models/fingerprint.py": "hashes of weights",
    "agent/models/local_server/server_process.py": "logs of a served model",
    "agent/models/local_server/lease.py": "who uses a served model",
    "agent/models/local_server/worker.py": "why a model could not be loaded",
    "agent/models/local_server/runtime_folder.py": "where a served model runs",
    "agent/models/image_size.py": "into memory",
    "agent/playground/clips.py": "the playground's own clips",
    "agent/playground/visitors.py": "the playground's own memory",
    "agent/run/recorder.py": "pictures of walls, which forgetting walks",
    "agent/study/cell_process.py": "logs, which forgetting deletes",
    "agent/study/matrix.py": "draws",
    "agent/study/preparation.py": "the study's declaration",
    "analysis/cli/bench_measurements.py": "made-up ledgers",
    "analysis/report/compact_ledgers.py": "rows of ledgers, which forgetting deletes whole",
    "analysis/examples/study.py": "a made-up example",
    "analysis/plots.py": "into memory",
    "agent/drivers/web/held_pictures.py": "into memory",
    "analysis/report/example_frames.py": "into memory",
    "store/maintenance/backup.py": "whole copies, which forgetting tells of",
    "store/maintenance/merged_files.py": "files of other data folders, each in its own place",
    "store/maintenance/restore.py": "whole copies, on their way back",
    "store/bench/collection.py": "made-up frames",
    "store/runs/data_folder.py": "a trial file",
    "store/runs/study_looks.py": "names of runs and figures of their test, no frame",
    "store/dataset/published_pictures.py": "into memory",
    "store/privacy/derived_files.py": "the register",
    "store/encoders/imagenet_labels.py": "vectors of words",
    "store/encoders/openclip.py": "random weights, for a benchmark",
    "store/jsonl/atomic.py": "the primitive",
    "store/privacy/forget.py": "the request",
    "store/frames/frame_store.py": "frames, which forgetting walks",
    "store/dataset/import_screenshots.py": "into memory",
    "store/index/embedded_folder.py": "stamps",
    "store/index/merged_vectors.py": "a copy of another index, which is gone at the end or swept",
    "store/privacy/forget_answers.py": "answers, which forgetting walks",
    "store/jsonl/append_only.py": "the primitive",
    "store/jsonl/file_seal.py": "the primitive",
    "store/jsonl/locks.py": "locks",
    "store/remote/cache_state.py": "names of places, which forgetting takes out",
    "store/remote/mirror.py": "what the store has of a place, which goes with it",
    "store/remote/pulling.py": "the same",
    "store/runs/payment_book.py": "payments",
    "store/privacy/redaction.py": "ledgers, which forgetting walks",
    "store/results/value_spectrum.py": "retrievals, which forgetting walks",
    "personas/library.py": "personas",
}
"""Who writes files otherwise, and why forgetting need not look for them by the register."""


def _modules(of: re.Pattern[str]) -> dict[str, ast.Module]:
    """Modules with such a word in them; parsing all takes seconds."""
    tops = ("agent", "analysis", "store", "personas")
    paths = [path for top in tops for path in sorted((ROOT / top).rglob("*.py"))]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}
    return {name: ast.parse(text) for name, text in texts.items() if of.search(text)}


def _name(node: ast.AST) -> str:
    return getattr(node, "attr", None) or getattr(node, "id", "") or ""


def _opens_to_write(call: ast.Call) -> bool:
    modes = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant)]
    return _name(call.func) == "open" and any(
        isinstance(text, str) and len(text) <= 3 and set(text) & set("wax+") for text in texts
    )


def test_every_module_that_writes_files_is_entered_or_reviewed() -> None:
    found = set()
    for name, tree in _modules(re.compile(rf"\bopen\b|\b(?:{'|'.join(WRITES)})\b")).items():
        for node in ast.walk(tree):
            named = isinstance(node, ast.Name | ast.Attribute) and _name(node) in WRITES
            if named or (isinstance(node, ast.Call) and _opens_to_write(node)):
                found.add(name)
    assert len(found) > 40
    assert found - ENTERED.keys() - REVIEWED.keys() == set(), "say who forgets what they write"
    assert not ENTERED.keys() & REVIEWED.keys()


def test_who_writes_what_is_made_of_frames_is_only_called_after_it_was_entered() -> None:
    trees = _modules(re.compile("register|staged_export"))
    writers = {"write_report", "write_spectrum", "write_sheet", "write_studio_tasks"}
    writers |= {"train_all", "begin"}
    calls = 0
    for name in sorted({*ENTERED.values()}):
        lines = {"register": [], "writer": []}  # type: dict[str, list[int]]
        for node in ast.walk(trees[name]):
            if isinstance(node, ast.Call):
                own = _name(node.func)
                if own in ("register", "staged_export"):  # which enters before it gives a folder
                    lines["register"].append(node.lineno)
                elif own in writers or (
                    own in ("write", "write_whole", "write_sealed") and "agent/cli" in name
                ):
                    lines["writer"].append(node.lineno)
        assert lines["register"], f"{name} enters nothing"
        calls += len(lines["writer"])
        # of a report the call follows in another function of the same file
        assert all(min(lines["register"]) < line for line in lines["writer"]), name
    assert calls >= 8
    modules = {name.removesuffix(".py").replace("/", "."): name for name in ENTERED}
    allowed = {*ENTERED, *ENTERED.values(), *MADE_UP}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in modules and name not in allowed:
                got = {alias.name for alias in node.names} & {
                    *writers,
                    "write",
                    "write_folder",
                    "write_tables",
                }
                assert not got, f"{name} calls {got} past the register"


MADE_UP = ("analysis/cli/main.py",)
"""Writes reports of imported tables, which no frame is behind."""


def test_an_entry_of_a_name_that_no_disk_takes_is_nothing(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red"])
    told = {"path": "x" * 5000, "kind": "report", "at": "2025-01-01T00:00:00Z", "runs": ["r1"]}
    write_whole(data.derived_dir / f"{'a' * 24}.json", json.dumps(told).encode())
    assert verify(data).sound
    words = ["forget", "--video", "r1-0", "--yes", "--data", str(data.root)]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr

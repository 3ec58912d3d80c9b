"""A donation that is taken back goes whole, with what was made of it; no run of ours does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from store.cli.main import main
from store.dataset.donations import parse_donation
from store.dataset.watch_history import keep_history
from store.jsonl.atomic import write_whole
from store.privacy.derived_files import entries, register
from store.runs.data_folder import DataFolder
from store.runs.ledger import LOCK, LedgerWriter, read
from store.runs.ledger_lines import PersonaRecord
from tests.store.dataset.donation_samples import tiktok, youtube
from tests.store.samples import finished, keep_run, started, step

RUN = "imported-tiktok-donor7"


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A donation, another one, and a run of ours."""
    data = DataFolder(tmp_path / "data")
    keep_history(data, parse_donation(tiktok(4)), "donor7", "0.1.0")
    keep_history(data, parse_donation(youtube()), "donor8", "0.1.0")
    keep_run(data, "r1", ("red", "green"), platform="tiktok")
    return data


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data.root)])


def test_nothing_of_a_donation_stays(data: DataFolder) -> None:
    for name in ("page", "other"):
        shown = [RUN, "r1"] if name == "page" else ["r1"]
        register(data, data.root / name, "report", runs=shown)
        write_whole(data.root / name / "index.html", b"7300000000000000001")
    others = {run: data.ledger_path(run).read_bytes() for run in ("imported-youtube-donor8", "r1")}
    dry = typed(data, "forget", "--donation", RUN, "--dry-run", "--json")
    gone = {"run": RUN, "videos": 4, "reports": 1, "made_of_it": [str(data.root / "page")]}
    assert json.loads(dry.stdout) == gone
    said = typed(data, "forget", "--donation", RUN, "--dry-run").stdout
    assert f"report {data.root / 'page'}: goes with it" in said
    assert (data.root / "page").exists()
    assert data.ledger_path(RUN).exists()
    done = typed(data, "forget", "--donation", RUN, "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == gone
    left = [path for path in data.root.rglob("*") if "tiktok-donor7" in str(path)]
    assert left == []
    assert not (data.root / "page").exists()
    assert [entry.path for entry in entries(data)] == ["other"]
    assert others == {run: data.ledger_path(run).read_bytes() for run in others}
    assert typed(data, "verify").exit_code == 0


def test_the_register_names_no_donor_after_what_was_made_is_gone(
    data: DataFolder, tmp_path: Path
) -> None:
    """Deleted by hand, wherever it lay; what is made of a run of ours only stays entered."""
    for place in (data.root / "page", tmp_path / "elsewhere"):
        register(data, place, "report", runs=[RUN, "r1"])
    register(data, data.root / "ours", "report", runs=["r1"])
    done = typed(data, "forget", "--donation", RUN, "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["reports"] == 0, "nothing of it was there any more"
    assert [entry.path for entry in entries(data)] == ["ours"]
    kept = [path for path in data.root.rglob("*") if path.is_file()]
    assert [path for path in kept if RUN.encode() in path.read_bytes()] == []


def test_copies_elsewhere_stop_it_and_copies_here_need_a_word(
    data: DataFolder, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert typed(data, "export", str(out), "--format", "csv", "--run", RUN).exit_code == 0
    refused = typed(data, "forget", "--donation", RUN, "--yes", "--remove-copies")
    assert refused.exit_code == 2
    assert f"rm -r {out}" in refused.output
    inside = data.root / "mine"
    register(data, inside, "export", runs=[RUN])
    write_whole(inside / "steps.csv", b"x")
    out.rename(tmp_path / "moved")
    assert typed(data, "forget", "--donation", RUN, "--yes").exit_code == 2
    assert data.ledger_path(RUN).exists()
    assert typed(data, "forget", "--donation", RUN, "--yes", "--remove-copies").exit_code == 0
    assert not inside.exists()


def test_a_run_of_ours_is_not_deleted_whole(data: DataFolder) -> None:
    """Nor is one whose persona only says that it comes from a donation."""
    persona = PersonaRecord(id="x", traits=("I surf.",), source="donation", licence="MIT")
    with LedgerWriter(data.ledger_path("r2"), fsync=False) as writer:
        writer.append(started("r2", persona=persona))
        writer.append(step(0))
        writer.append(finished(1))
    for run in ("r1", "r2"):
        refused = typed(data, "forget", "--donation", run, "--yes")
        assert refused.exit_code == 2
        assert "no donation" in refused.output
        assert data.ledger_path(run).exists()
    assert typed(data, "forget", "--donation", "nobody", "--yes").exit_code == 2
    both = typed(data, "forget", "--donation", RUN, "--video", "1", "--yes")
    assert both.exit_code == 2


def test_one_that_is_being_written_is_left(data: DataFolder) -> None:
    with LedgerWriter(data.ledger_path(RUN), fsync=False):
        assert data.ledger_path(RUN).with_name(LOCK).exists()
        refused = typed(data, "forget", "--donation", RUN, "--yes")
    assert refused.exit_code == 2
    assert data.ledger_path(RUN).exists()


def test_a_video_is_forgotten_in_a_donation_as_anywhere(data: DataFolder) -> None:
    assert typed(data, "forget", "--video", "aaaaaaaaa-1", "--yes").exit_code == 0
    steps = read(data.ledger_path("imported-youtube-donor8")).steps
    names = [each.video.id for each in steps]
    assert len(names) == 4
    assert sum(name.startswith("forgotten-") for name in names) == 2
    assert all(each.video.author is None for each in steps if each.video.id.startswith("forgotten"))
    again = keep_history(data, parse_donation(youtube()), "donor8", "0.1.0")
    assert again.added == 0, "what was forgotten does not come back with the file"
    assert typed(data, "verify").exit_code == 0


def test_an_export_leaves_donations_out_unless_one_is_named(
    data: DataFolder, tmp_path: Path
) -> None:
    assert typed(data, "export", str(tmp_path / "all"), "--format", "csv").exit_code == 0
    told = (tmp_path / "all" / "steps.csv").read_text("utf-8")
    assert "donor" not in told
    assert "2 data donations left out" in (tmp_path / "all" / "README.md").read_text("utf-8")
    named = ["--format", "csv", "--run", RUN]
    assert typed(data, "export", str(tmp_path / "one"), *named).exit_code == 0
    told = (tmp_path / "one" / "steps.csv").read_text("utf-8")
    assert told.count("donor7") == 2 * 4
    assert "7300000000000000001" not in told

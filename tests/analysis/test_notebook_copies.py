"""The notebooks are copied whole into a folder of one's own, and never over something."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from analysis.cli.main import main
from analysis.cli.notebooks import FOLDER


def copied(folder: Path) -> Result:
    return CliRunner().invoke(main, ["notebooks", str(folder)], prog_name="feedsway analysis")


def test_all_are_copied_and_named(tmp_path: Path) -> None:
    result = copied(tmp_path / "mine")
    assert result.exit_code == 0, result.output
    sources = sorted(FOLDER.glob("*.ipynb"))
    assert len(sources) > 5
    assert result.stdout.splitlines() == [str(tmp_path / "mine" / one.name) for one in sources]
    assert all((tmp_path / "mine" / one.name).read_bytes() == one.read_bytes() for one in sources)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "two_judges.ipynb").write_text("mine", "utf-8")
    result = copied(tmp_path)
    assert result.exit_code == 2
    assert "has a two_judges.ipynb already. Type: python -m analysis notebooks" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["two_judges.ipynb"]
    assert (tmp_path / "two_judges.ipynb").read_text("utf-8") == "mine"


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = copied(tmp_path / "file" / "below")
    assert result.exit_code == 2
    assert "cannot take the notebooks: Not a directory" in result.stderr


def test_a_copy_that_was_cut_short_is_gone_on_with(tmp_path: Path) -> None:
    assert copied(tmp_path / "mine").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "mine").iterdir())
    (tmp_path / "mine" / names[-1]).unlink()
    assert copied(tmp_path / "mine").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == names

"""The example study with its report, and the bundle of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analysis.cli.main import main as analysis
from analysis.examples.study import STUDY, write_example
from store.cli.main import main as store
from store.runs.data_folder import DataFolder


@dataclass(frozen=True)
class Workplace:
    """A data folder beside which bundles are made."""

    folder: Path

    @property
    def data(self) -> DataFolder:
        return DataFolder(self.folder / "data")

    @property
    def file(self) -> Path:
        return self.folder / "example.bundle.tar"

    def report(self, *words: str, name: str = STUDY) -> Result:
        return self._typed(analysis, "report", name, *words, "--data", str(self.data.root))

    def bundle(self, *words: str, name: str = STUDY, file: Path | None = None) -> Result:
        place = str(file or self.file)
        return self._typed(store, "bundle", name, place, *words, "--data", str(self.data.root))

    def reproduce(self, *words: str, file: Path | None = None) -> Result:
        return self._typed(analysis, "reproduce", str(file or self.file), *words)

    @staticmethod
    def _typed(group: object, *words: str) -> Result:
        done = CliRunner().invoke(group, words)  # type: ignore[arg-type]
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The example study with its report and its bundle; tests only read it."""
    place = Workplace(tmp_path_factory.mktemp("bundled"))
    write_example(place.data.root)
    assert place.report().exit_code == 0
    done = place.bundle()
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def copied(reported: Workplace, tmp_path: Path) -> Workplace:
    """A copy of the same, to be changed, without frames and without the bundle."""
    skipped = shutil.ignore_patterns("frames", "derived")
    shutil.copytree(reported.data.root, tmp_path / "work" / "data", ignore=skipped)
    return Workplace(tmp_path / "work")

"""The example study, measured and rendered once."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analysis.examples.study import STUDY, write_example
from analysis.report.group_measures import Measures, measure
from analysis.report.page_files import Rendered
from analysis.report.report_inputs import read_study
from analysis.report.report_page import compose, render
from store.runs.data_folder import DataFolder

NOW = datetime(2025, 3, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """The example study's folder; tests only read it."""
    return write_example(tmp_path_factory.mktemp("example"))


@pytest.fixture
def copied(example: DataFolder, tmp_path: Path) -> DataFolder:
    """The example without its frames, to be changed."""
    shutil.copytree(example.root, tmp_path / "data", ignore=shutil.ignore_patterns("frames"))
    return DataFolder(tmp_path / "data")


@pytest.fixture(scope="session")
def measures(example: DataFolder) -> Measures:
    return measure(read_study(example, STUDY), np.random.default_rng(0))


@pytest.fixture(scope="session")
def rendered(measures: Measures) -> Rendered:
    return render(compose(measures, 0, NOW))


@pytest.fixture(scope="session")
def page(rendered: Rendered, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(rendered.html, encoding="utf-8")
    return path

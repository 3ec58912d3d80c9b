"""Clips are made once for all tests here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from agent.playground.clip_maker import Workshop
from agent.playground.clips import ClipStore
from tests.agent.playground.site import Site, small_catalogue, start


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every clip of the small catalogue."""
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    temporary = tmp_path_factory.getbasetemp()
    folder = (temporary if alone else temporary.parent) / "clips"  # made once for all workers
    workshop = Workshop(ClipStore(folder), lambda _: None)
    with FileLock(folder.with_suffix(".lock")):
        workshop.start(small_catalogue().items)
        workshop.wait()
    return folder


@pytest.fixture
def site(cache: Path, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Starts sites on one state folder and ends those that still run."""
    started: list[Site] = []

    def begin(*options: str) -> Site:
        started.append(start(tmp_path / "state", cache, *options))
        return started[-1]

    yield begin
    for one in started:
        one.end()

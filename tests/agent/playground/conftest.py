"""Clips are made once for all tests here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.playground.clips import ClipStore
from agent.playground.workshop import Workshop
from tests.agent.playground.site import Site, small_catalogue, start


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every clip of the small catalogue."""
    folder = tmp_path_factory.mktemp("clips")
    workshop = Workshop(ClipStore(folder), lambda _: None)
    assert workshop.start(small_catalogue().items) == len(small_catalogue().items)
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

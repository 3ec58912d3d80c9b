"""A bit of a kept file changes: whoever reads it tells a result or what is wrong, and goes on."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.testclient import TestClient

import store
from agent.cli import cli as agent_cli
from agent.explorer.explorer_server import ExplorerRoutes
from agent.explorer.workbench import Workbench
from analysis.cli.main import main as analysis_cli
from store import encoders
from store.cli.main import main as store_cli
from store.runs.data_folder import DataFolder
from tests.store.maintenance.test_bit_flips import STUDY, flip_bits, kept
from tests.store.samples import ColourEncoder

__all__ = ["kept"]

READS = (
    (store_cli, "runs"),
    (store_cli, "show", "r0"),
    (store_cli, "show", "r0", "--json"),
    (store_cli, "stats"),
    (store_cli, "verify"),
    (analysis_cli, "summary", "r0"),
    (analysis_cli, "iavg", STUDY),
    (analysis_cli, "labels", "d-1"),
    (agent_cli, "status"),
    (agent_cli, "study", "--list"),
)
"""Commands that change nothing."""
WRITES = (
    (store_cli, "index"),
    (store_cli, "search", "red"),
    (store_cli, "export", "out", "--format", "jsonl"),
    (store_cli, "backup", "kept.tar"),
    (analysis_cli, "report", "r0"),
)
"""Commands that read all of it and keep something: each gets a folder of its own."""
PAGES = (
    "/api/tiles",
    "/page/frames",
    "/page/runs",
    "/page/run/r0",
    "/page/summary/r0",
    "/page/step/r0/1",
    "/page/studies",
    f"/page/study/{STUDY}",
    f"/page/findings/{STUDY}",
    "/page/live",
    "/page/labels",
    "/page/labels/d-1?by=anna",
    "/page/pair?a=r0&b=example-pia-passive",
)


def call(cli: Any, words: tuple[str, ...], data: DataFolder) -> None:
    told = CliRunner().invoke(cli, [*words, "--data", str(data.root)])
    where = (words, told.output, told.exception)
    assert told.exception is None or isinstance(told.exception, SystemExit), where
    assert told.exit_code in (0, 1, 2), where


def read_by(command: tuple[Any, ...]) -> Callable[[DataFolder, Path], None]:
    return lambda data, _: call(command[0], command[1:], data)


def read_in_copy_by(command: tuple[Any, ...]) -> Callable[[DataFolder, Path], None]:
    def read(data: DataFolder, spare: Path) -> None:
        copy = DataFolder(spare / "data")
        shutil.copytree(data.root, copy.root)
        if command[1] == "search":
            call(store_cli, ("index",), copy)
        call(command[0], tuple(_placed(command[1:], spare)), copy)

    return read


def _placed(words: Sequence[str], folder: Path) -> list[str]:
    """Put results into a folder."""
    return [str(folder / word) if word in ("out", "kept.tar") else word for word in words]


def read_pages(data: DataFolder, spare: Path) -> None:
    """Every page of the explorer, as its server makes it."""
    copy = DataFolder(spare / "data")
    shutil.copytree(data.root, copy.root)
    with store.open(copy.root) as reader:
        bench = Workbench(reader)
        client = TestClient(Starlette(routes=ExplorerRoutes(bench, "key").routes()))
        end = time.monotonic() + 30
        while not (state := client.get("/api/state").json())["ready"] and not state["problem"]:
            assert time.monotonic() < end, state
            time.sleep(0.01)
        for page in PAGES:  # an error that no page tells is raised here
            answer = client.get(page)
            assert answer.status_code in (200, 404, 409), (page, answer.text)


READERS = [*map(read_by, READS), *map(read_in_copy_by, WRITES), read_pages]


@pytest.fixture(autouse=True)
def encoder_by_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "load", lambda *_: ColourEncoder())


def check_readers(kept: DataFolder, spare: Path, number: int, seed: int) -> None:
    """Every reader in its turn, each at a bit of its own."""
    rng = random.Random(seed)
    turns = list(range(len(READERS)))
    rng.shuffle(turns)
    done = 0
    for path, place in flip_bits(kept, number, seed):
        try:
            READERS[turns[done % len(turns)]](kept, spare / "trial")
        except Exception as error:
            raise AssertionError(f"{path}, bit {place}") from error
        shutil.rmtree(spare / "trial", ignore_errors=True)
        done += 1
    assert done == number


def test_readers_have_something_to_read(kept: DataFolder, tmp_path: Path) -> None:
    """Frames were thinned out, which verify and index say; all else is found, and shown."""
    root = tmp_path / "data"
    shutil.copytree(kept.root, root)
    for cli, *words in (*READS, *WRITES):
        told = CliRunner().invoke(cli, [*_placed(words, tmp_path), "--data", str(root)])
        lacking = words[0] in ("verify", "index", "export", "backup")
        assert told.exit_code <= lacking, (words, told.output)
        assert told.output
    with store.open(root) as reader:
        bench = Workbench(reader)
        client = TestClient(Starlette(routes=ExplorerRoutes(bench, "key").routes()))
        while not client.get("/api/state").json()["ready"]:
            time.sleep(0.01)
        assert [page for page in PAGES if client.get(page).status_code != 200] == []


def test_readers_survive_a_flipped_bit(kept: DataFolder, tmp_path: Path) -> None:
    check_readers(kept, tmp_path, 32, 3)


@pytest.mark.drill
@pytest.mark.timeout(7200)
def test_readers_survive_two_thousand_flipped_bits(kept: DataFolder, tmp_path: Path) -> None:
    check_readers(kept, tmp_path, 2_000, 4)

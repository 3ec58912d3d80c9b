"""What the explorer answers, to whom, and what it says where there is nothing."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import store
from agent.daemon.web.address import read_address
from agent.explorer.workbench import Workbench
from analysis.examples.study import write_example
from store import encoders
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement
from store.runs.rejudgements import JudgementWriter, RejudgedAnswer, RejudgementHeader
from tests.agent.explorer.served_explorer import (
    PATIENCE_S,
    client_of,
    index_colours,
    served_explorer,
    wait_until,
)
from tests.store.samples import START, ColourEncoder, fault, jpeg, keep_run, step

COLOURS = ["red", "blue", "green", "red", "yellow", "white"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    folder = DataFolder(tmp_path_factory.mktemp("explored") / "data")
    keep_run(folder, "r1", COLOURS, config={"study": "colours"})
    keep_run(folder, "r2", ["purple", "blue"], end=False, arm="passive", at=START.replace(day=2))
    with LedgerWriter(folder.ledger_path("r2"), fsync=False) as writer:
        writer.append(fault(2))
    index_colours(folder)
    return folder


@pytest.fixture(scope="module")
def link(data: DataFolder) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "load", lambda *_: ColourEncoder())
        with served_explorer(data) as found:
            yield found


@pytest.fixture(scope="module")
def owner(link: str) -> Iterator[httpx.Client]:
    with client_of(link) as client:
        wait_until(client, "ready")
        wait_until(client, "warm")
        yield client


def captions(answer: httpx.Response) -> list[str]:
    return [tile["caption"] for tile in answer.json()["tiles"]]


def test_nobody_without_the_token_is_told_anything(link: str, owner: httpx.Client) -> None:
    sha256 = owner.get("/api/tiles").json()["tiles"][0]["frame"]
    key = owner.get("/api/state").json()["key"]
    base = link.partition("/#")[0]
    closed = ["/api/state", "/api/tiles", "/page/runs", "/page/frames", "/page/run/r1"]
    with httpx.Client(base_url=base, verify=False) as anyone:
        for path in [*closed, f"/pictures/small/{sha256}.jpg", "/pictures/figure/run/r1.png"]:
            assert anyone.get(path).status_code == 403, path
            assert anyone.get(path, params={"key": "x" * len(key)}).status_code == 403, path
        for path in closed:  # the pictures' key opens pictures alone
            assert anyone.get(path, params={"key": key}).status_code == 403, path
        picture = f"/pictures/small/{sha256}.jpg?key={key}"
        assert anyone.get(picture).status_code == 200
        assert anyone.get(picture, headers={"Origin": "http://evil.test"}).status_code == 403
        assert anyone.get(picture, headers={"Host": "evil.test"}).status_code == 400
        for name in ("", "shell.js", "style.css", "theme.css", "icon.svg", "grid.js", "token.js"):
            answer = anyone.get(f"/{name}")
            assert answer.status_code == 200, name
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy


def test_the_token_is_a_new_one_each_time_and_only_its_owner_can_read_it(
    tmp_path: Path,
) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red"])
    tokens = set()
    for _ in range(2):
        with served_explorer(data) as link:
            tokens.add(link)
            kept = read_address(data.explorer_dir)
            assert kept is not None
            assert kept.link == link
            mode = (data.explorer_dir / "address.json").stat().st_mode
            assert stat.S_IMODE(mode) == 0o600
    assert len(tokens) == 2


def test_tiles_are_the_videos_that_a_filter_leaves(owner: httpx.Client) -> None:
    assert owner.get("/api/tiles").json()["count"] == 8
    answer = owner.get("/api/tiles?answer=no&run=r1")
    assert captions(answer) == ["a blue thing", "a yellow thing"]
    assert captions(owner.get("/api/tiles?from=6")) == ["a yellow thing", "a white thing"]
    assert owner.get("/api/tiles?from=nonsense").json()["from"] == 0
    assert owner.get("/api/tiles?from=999999999999").json()["tiles"] == []
    many = "9" * 5000
    assert owner.get(f"/api/tiles?from={many}").json()["from"] == 0
    assert owner.get(f"/api/tiles?like=r1/{many}").json()["problem"]
    assert owner.get(f"/page/step/r1/{many}").status_code == 404


def test_a_text_finds_the_pictures_that_show_it_and_a_filter_holds(owner: httpx.Client) -> None:
    found = owner.get("/api/tiles?shows=something red").json()
    assert found["looked"]
    assert [tile["caption"] for tile in found["tiles"][:2]] == ["a red thing"] * 2
    assert len(found["tiles"]) == 8
    narrow = owner.get("/api/tiles?shows=something red&answer=none").json()
    assert {tile["answer"] for tile in narrow["tiles"]} == {"none"}
    assert narrow["count"] == 2


def test_a_picture_finds_those_like_it(owner: httpx.Client) -> None:
    told = owner.post("/api/picture", content=jpeg("purple", 77)).json()
    found = owner.get("/api/tiles", params=told).json()
    assert found["tiles"][0]["caption"] == "a purple thing"
    same = owner.get("/api/tiles?like=r1/4").json()
    assert same["tiles"][0]["caption"] == "a yellow thing"
    assert same["tiles"][0]["alike"] == 1.0
    assert "Type: python -m store index" in owner.get("/api/tiles?like=r9/4").json()["problem"]
    assert "index" in owner.get("/api/tiles?picture=0000").json()["problem"]
    wrong = owner.post("/api/picture", content=b"GIF89a, or not")
    assert (wrong.status_code, "no picture" in wrong.json()["error"]) == (400, True)


def test_small_pictures_are_the_frames_and_nothing_else_is_served(
    owner: httpx.Client, data: DataFolder
) -> None:
    sha256 = owner.get("/api/tiles").json()["tiles"][0]["frame"]
    key = owner.get("/api/state").json()["key"]
    small = owner.get(f"/pictures/small/{sha256}.jpg?key={key}")
    assert small.headers["content-type"] == "image/jpeg"
    assert small.headers["x-content-type-options"] == "nosniff"
    whole = owner.get(f"/pictures/whole/{sha256}.jpg?key={key}")
    assert whole.content == (data.frames_dir / sha256[:2] / f"{sha256}.jpg").read_bytes()
    secret = data.frames_dir / "ab" / "secret.jpg"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("no")
    for name in ("0" * 64, "..", "%2e%2e%2fab%2fsecret", "..%2f..%2fdaemon%2faddress", "ab"):
        for kind in ("small", "whole"):
            answer = owner.get(f"/pictures/{kind}/{name}.jpg?key={key}")
            assert answer.status_code == 404, name


def test_many_small_pictures_come_at_once_each_after_its_length(owner: httpx.Client) -> None:
    tiles = owner.get("/api/tiles").json()["tiles"]
    names = [tiles[0]["frame"], "0" * 64, "../..", tiles[1]["frame"]]
    content = owner.get("/api/pictures", params={"frames": ",".join(names)}).content
    found = []
    while content:
        length = int.from_bytes(content[:4], "big")
        found.append(content[4 : 4 + length])
        content = content[4 + length :]
    assert [one[:3] for one in found] == [b"\xff\xd8\xff", b"", b"", b"\xff\xd8\xff"]


def test_pages_tell_what_the_ledger_tells(owner: httpx.Client, data: DataFolder) -> None:
    runs = owner.get("/page/runs").text
    assert "r1" in runs
    assert "r2" in runs
    assert "r2" not in owner.get("/page/runs?arm=treatment").text
    assert "r1" not in owner.get("/page/runs?since=2025-03-02").text
    run = owner.get("/page/run/r2").text
    assert "BrowserLost" in run
    assert "Surf" not in run
    assert "I surf." in run
    header = RejudgementHeader(
        run_id="r1",
        at=START,
        strategy="simple",
        model="scripted/other",
        prompts={},
        seed=1,
        code_version="0",
    )
    asked = ledger.read(data.ledger_path("r1")).steps[1]
    path = header.path(data.run_dir("r1"))
    with JudgementWriter(path, header) as writer:
        writer.append(
            [
                RejudgedAnswer(
                    persona="p12",
                    position=1,
                    frame=asked.frames[0].sha256,
                    judgement=Judgement(answer="yes", p_yes=0.875),
                )
            ]
        )
    page = owner.get("/page/step/r1/1").text
    for part in ("a blue thing", "scripted/other", "0.875", "I surf.", "made-up answers", "8.10 s"):
        assert part in page, part
    assert '#/step/r1/0"' in page
    assert '#/step/r1/2"' in page
    assert "colours" in owner.get("/page/studies").text


def test_made_up_answers_are_marked_wherever_they_are_shown(owner: httpx.Client) -> None:
    for path in ("run/r1", "step/r1/0", "study/colours"):
        assert "made-up answers" in owner.get(f"/page/{path}").text, path
    assert owner.get("/api/tiles").json()["tiles"][0]["made"] is True


def test_results_hold_no_catalogue_of_before(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red"], end=False)
    with store.open(data.root) as reader:
        bench = Workbench(reader)
        for position in range(1, 6):
            bench.ledgers.refresh()
            assert len(bench.find([]).rows) == position
            with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
                writer.append(step(position))
        assert len(bench._results) == 1


def test_a_study_counts_cells_and_not_runs(tmp_path: Path) -> None:
    """A cell whose run was begun anew has two runs, of which the newest counts."""
    data = write_example(tmp_path / "data")
    whole = [run for run in data.runs() if run.status == "complete" and run.started]
    again = whole[0].started
    assert again is not None
    with LedgerWriter(data.ledger_path("again"), fsync=False) as writer:
        at = again.at.replace(year=again.at.year + 1)
        writer.append(again.model_copy(update={"run_id": "again", "at": at}))
    with served_explorer(data) as link, client_of(link) as owner:
        page = owner.get("/page/study/example").text
        assert len(whole) == 11
        assert "10 of 12 runs complete" in page
        assert "interrupted" in page
        assert "persona" in page


@pytest.mark.parametrize(
    "path",
    ["run/none", "run/..%2f..%2fetc", "step/r1/99", "step/none/0", "study/none", "summary/none"],
)
def test_what_is_not_there_is_said_in_one_sentence(owner: httpx.Client, path: str) -> None:
    answer = owner.get(f"/page/{path}")
    assert answer.status_code == 404
    if "json" in answer.headers["content-type"]:
        assert "Traceback" not in answer.text


def test_what_was_forgotten_leaves_the_page(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "blue"])
    with served_explorer(data) as link, client_of(link) as owner:
        key = wait_until(owner, "ready")["key"]
        sha256 = owner.get("/api/tiles").json()["tiles"][1]["frame"]
        address = f"/pictures/small/{sha256}.jpg?key={key}"
        assert owner.get(address).status_code == 200
        forget(data, Request(asked="video", value="r1-1", at=START))
        assert owner.get(address).status_code == 404
        wait_until_forgotten(owner)
        assert "a blue thing" not in owner.get("/page/step/r1/1").text


def wait_until_forgotten(owner: httpx.Client) -> None:
    """Wait until the rows have been read anew, and the second one has no frame."""
    end = time.monotonic() + PATIENCE_S
    while owner.get("/api/tiles").json()["tiles"][1]["frame"] is not None:
        assert time.monotonic() < end
        threading.Event().wait(0.1)


def test_an_empty_folder_says_what_to_type(tmp_path: Path) -> None:
    with served_explorer(DataFolder(tmp_path / "data")) as link, client_of(link) as owner:
        wait_until(owner, "ready")
        assert "python -m agent run" in owner.get("/page/runs").text
        assert "python -m agent study --example" in owner.get("/page/studies").text
        assert owner.get("/api/tiles").json()["count"] == 0


def test_the_command_prints_its_link_ends_on_a_signal_and_is_one_at_a_time(
    tmp_path: Path,
) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red"])
    command = [sys.executable, "-m", "agent", "open", "--no-browser", "--port", "0"]
    command += ["--data", str(data.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        link = one.stdout.readline().strip()
        with client_of(link) as owner:
            wait_until(owner, "ready")
            again = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert (again.returncode, again.stdout.strip()) == (0, link)
        one.terminate()
        assert one.wait(30) == 0

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.playground.clips import ClipStore
from tests.agent.playground.site import ITEMS, Site, launch, small_catalogue, start

Begin = Callable[..., Site]

TOLD = {
    "id",
    "index",
    "url",
    "author",
    "desc",
    "hashtags",
    "duration",
    "isAd",
    "isLive",
    "liked",
    "video",
    "poster",
    "stats",
}
BEYOND = {"index": 99, "view": "v", "watched_s": 1, "duration_s": 6, "loops": 0}


def watch_batch(site: Site, after: int) -> list[str]:
    """Watch a batch as someone who likes food; give the ids that were served."""
    truth = small_catalogue().by_id
    items = site.feed(after)["items"]
    for item in items:
        assert site.watch(item["index"], 8.0 if truth[item["id"]].theme == "food" else 0.4) == 204
    return [item["id"] for item in items]


@pytest.mark.drill
def test_a_killed_site_goes_on_exactly(site: Begin, cache: Path, tmp_path: Path) -> None:
    whole = start(tmp_path / "other", cache)
    expected = [item for batch in range(6) for item in watch_batch(whole, 12 * batch)]
    whole.end()
    served: list[str] = []
    for batch in range(6):
        running = site()
        assert running.feed()["items"][0]["index"] == 12 * batch
        served += watch_batch(running, 12 * batch)
        running.kill()
    assert served == expected


def test_a_feed_has_the_shape_of_real_ones_and_no_theme(site: Begin) -> None:
    running = site("--feed", "random")
    told = running.feed()
    assert set(told) == {"batch", "items", "has_more"}
    assert [item["index"] for item in told["items"]] == list(range(12))
    truth = small_catalogue().by_id
    kinds = set()
    for after in range(0, 240, 12):
        for item in running.feed(after)["items"]:
            kinds.add((item["isAd"], item["isLive"]))
            real = truth[item["id"]]
            assert item["url"] == f"/v/{real.id}"
            assert item["desc"] == real.caption
            assert item["author"]["uniqueId"] == real.creator
            assert (item["duration"], item["stats"] is None) == (
                (None, True) if item["isLive"] else (real.seconds, False)
            )
            assert set(item) - {"liveRoom"} == TOLD
    assert kinds == {(False, False), (True, False), (False, True)}


@pytest.fixture(scope="module")
def standing(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all who leave it as it was."""
    running = start(tmp_path_factory.mktemp("state"), cache)
    yield running
    running.end()


@pytest.mark.parametrize(
    ("asked", "status", "first", "length"),
    [
        (None, 200, 0, None),
        ("bytes=0-99", 206, 0, 100),
        ("bytes=1000-1999", 206, 1000, 1000),
        ("bytes=-50", 206, -50, 50),
    ],
)
def test_clips_are_served_in_ranges(
    standing: Site, cache: Path, asked: str | None, status: int, first: int, length: int | None
) -> None:
    item = small_catalogue().items[3]
    whole = ClipStore(cache).clip(item).read_bytes()
    headers = {"Range": asked} if asked else {}
    with standing.ask(f"/clips/{item.id}.webm", headers=headers) as answer:
        assert answer.status == status
        assert answer.headers["Content-Type"] == "video/webm"
        assert answer.headers["Accept-Ranges"] == "bytes"
        expected = whole[first:] if length is None else whole[first:][:length]
        assert answer.read() == expected


def test_a_missing_clip_is_made_when_asked_for(tmp_path: Path) -> None:
    running = start(tmp_path / "state", tmp_path / "empty")
    last = small_catalogue().items[-1]
    with running.ask(f"/clips/{last.id}.webm") as answer:
        assert answer.status == 200
        assert len(answer.read()) > 20_000
    with running.ask(f"/posters/{last.id}.jpg") as answer:
        assert answer.read()[:2] == b"\xff\xd8"
    assert running.end() == 0


def test_pages_name_their_visitor_and_forbid_other_sources(site: Begin) -> None:
    running = site("--speed", "16", "--motion", "instant")
    running.visitor = ""
    with running.ask("/", headers={"Cookie": ""}) as answer:
        page = answer.read().decode()
        cookie = answer.headers["Set-Cookie"]
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert cookie.startswith("visitor=")
    assert "httponly" in cookie.lower()
    assert 'data-speed="16"' in page
    assert 'data-motion="instant"' in page
    with running.ask("/api/feed", headers={"Cookie": ""}) as answer:
        assert answer.status == 401
    with running.ask("/v/nothing") as answer:
        assert answer.status == 404
    known = small_catalogue().items[0].id
    with running.ask(f"/v/{known}") as answer:
        assert answer.status == 200


def test_a_visitor_without_a_name_is_named_as_asked(site: Begin) -> None:
    running = site()
    with running.ask("/?visitor=me", headers={"Cookie": ""}) as answer:
        assert answer.headers["Set-Cookie"].startswith("visitor=me;")
    with running.ask("/?visitor=other", headers={"Cookie": "visitor=me"}) as answer:
        assert answer.headers["Set-Cookie"] is None


def test_a_visitor_met_with_other_settings_is_refused(site: Begin) -> None:
    running = site()
    running.feed()
    running.end()
    other = site("--feed", "contrarian")
    for path in ("/", "/api/feed"):
        with other.ask(path) as answer:
            assert answer.status == 409
            assert b"first met with feed listener" in answer.read()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/watch", {"index": 0}, 400),
        ("/api/watch", "no object", 400),
        ("/api/watch", BEYOND, 400),
        ("/api/like", {"id": "nothing", "liked": True}, 404),
        ("/api/like", {"id": small_catalogue().items[0].id}, 400),
        ("/api/like", {"id": "x" * 100_000, "liked": True}, 413),
        ("/api/feed?after=x", None, 400),
        ("/api/feed?after=13", None, 400),
        ("/clips/nothing.webm", None, 404),
        ("/posters/nothing.jpg", None, 404),
    ],
)
def test_nonsense_is_refused(standing: Site, path: str, body: object, status: int) -> None:
    with standing.ask(path, body) as answer:
        assert answer.status == status
        assert json.load(answer)["error"]


def test_likes_are_kept(site: Begin) -> None:
    running = site()
    first = running.feed()["items"][0]
    assert not first["liked"]
    with running.ask("/api/like", {"id": first["id"], "liked": True}) as answer:
        assert answer.status == 200
        answer.read()
    running.end()
    assert site().feed()["items"][0]["liked"]


def test_strange_names_of_this_machine_are_refused(site: Begin) -> None:
    with site().ask("/", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 400


def test_it_says_it_is_up_and_ends_with_its_parent(site: Begin) -> None:
    running = site()
    with running.ask("/healthz") as answer:
        assert json.load(answer) == {"status": "ok", "items": ITEMS}
    assert running.end() == 0


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_end_the_real_program(
    cache: Path, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    running = start(tmp_path, cache, module="agent.playground")
    running.process.send_signal(sent)
    _, said = running.process.communicate(timeout=15)
    assert running.process.returncode == code
    assert "Traceback" not in said


def refusal(tmp_path: Path, cache: Path, *options: str) -> str:
    process: subprocess.Popen[str] = launch(tmp_path, cache, *options, module="agent.playground")
    out, said = process.communicate(timeout=20)
    assert process.returncode == 2
    assert out == ""
    assert said.count("\n") == 1
    return said


def test_a_port_in_use_is_one_sentence(tmp_path: Path, cache: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refusal(tmp_path, cache, "--port", str(port)).endswith("type: --port 0\n")


def test_bad_folders_are_one_sentence(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(tmp_path / "file", cache)
    assert said.endswith("type: --state FOLDER\n")
    said = refusal(tmp_path, tmp_path / "file")
    assert said.endswith("type: --cache FOLDER\n")
    said = refusal(tmp_path, cache, "--catalogue", str(tmp_path / "nowhere"))
    assert "captions.csv" in said
    assert "python -m agent.playground --catalogue" in said

"""Who gets in, what is served, and that no secret is."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from agent.daemon.web import address, server
from agent.errors import BadConfig
from store.runs.data_folder import DataFolder
from tests.agent.daemon.made_data_folder import World, served
from tests.store.samples import jpeg

SITE = Path(server.__file__).parent / "site"
CANARIES = {
    "SOME_API_KEY": "canary-in-the-environment",
    "HTTPS_PROXY_PASSWORD": "canary-of-the-proxy",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(DataFolder(tmp_path_factory.mktemp("world") / "data"), datetime.now(UTC))
    made.begin("dawn")
    made.keep("r1", "yynn", [jpeg("red")])
    yield made
    made.close()


@pytest.fixture(scope="module")
def link(world: World) -> Iterator[httpx.URL]:
    with served(world, secrets=CANARIES.values()) as found:
        yield httpx.URL(found)


def token_of(link: httpx.URL) -> str:
    return link.fragment.removeprefix("token=")


@pytest.fixture
def anyone(link: httpx.URL) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=link.copy_with(fragment=None), verify=False) as client:
        yield client


@pytest.fixture
def owner(link: httpx.URL) -> Iterator[httpx.Client]:
    """A page that was opened by the link."""
    base = link.copy_with(fragment=None)
    said = {"Origin": str(base).rstrip("/"), "Authorization": f"Bearer {token_of(link)}"}
    with httpx.Client(base_url=base, headers=said, verify=False) as client:
        assert client.get("/").status_code == 200
        yield client


PATHS = ["/api/status", "/api/news", "/metrics", f"/frames/{'0' * 64}.jpg", "/nowhere", "/site"]
PUBLIC = ["/", "/style.css", "/page.js", "/icon.svg"]
CONTROLS = ["pause", "resume", "run-now", "retry", "looked"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong"])
def test_without_the_token_nothing_is_served(anyone: httpx.Client, path: str, query: str) -> None:
    answer = anyone.get(path + query)
    assert answer.status_code == 403
    assert "python -m agent status" in answer.text


@pytest.mark.parametrize("path", PUBLIC)
def test_the_pages_own_files_are_anybodys_and_tell_nothing(
    world: World, link: httpx.URL, anyone: httpx.Client, path: str
) -> None:
    answer = anyone.get(path)
    assert answer.status_code == 200
    assert answer.content == (SITE / (path[1:] or "index.html")).read_bytes()
    assert token_of(link) not in answer.text + str(answer.headers)
    assert anyone.post(path).status_code == 403


@pytest.mark.parametrize("what", CONTROLS)
def test_without_the_token_nothing_is_done(
    world: World, link: httpx.URL, anyone: httpx.Client, what: str
) -> None:
    before = (world.data.daemon_dir / "journal.jsonl").read_bytes()
    origin = {"Origin": f"http://{link.netloc.decode()}"}
    assert anyone.post(f"/api/{what}", json={"entry": "dawn"}, headers=origin).status_code == 403
    assert (world.data.daemon_dir / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused_though_the_token_comes(
    owner: httpx.Client, headers: dict[str, str], method: str
) -> None:
    path = "/api/status" if method == "GET" else "/api/pause"
    answer = owner.request(method, path, headers=headers, content="{}")
    assert answer.status_code == 403
    assert "dawn" not in answer.text


def test_a_rebound_name_is_refused(owner: httpx.Client, link: httpx.URL) -> None:
    evil = f"evil.example:{link.port}"
    answer = owner.get("/api/status", headers={"Host": evil, "Origin": f"http://{evil}"})
    assert answer.status_code == 400


@pytest.mark.parametrize("path", [*PUBLIC, *PATHS])
def test_no_cookie_is_set_and_none_opens_anything(
    link: httpx.URL, anyone: httpx.Client, path: str
) -> None:
    token = token_of(link)
    for query in ("", f"?token={token}"):
        answer = anyone.get(path + query)
        assert "set-cookie" not in answer.headers
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    base = str(link.copy_with(fragment=None)).rstrip("/")
    old = {"Cookie": f"feedsway-{link.port}={token}", "Origin": base}
    assert httpx.post(f"{base}/api/pause", headers=old, content="{}").status_code == 403
    assert httpx.get(f"{base}/api/status?token={token}", headers=old).status_code == 403


def test_the_cookie_of_an_earlier_version_is_taken_back(link: httpx.URL) -> None:
    base = str(link.copy_with(fragment=None))
    old = {"Cookie": f"feedsway-{link.port}={token_of(link)}"}
    told = httpx.get(base, headers=old).headers["set-cookie"]
    assert told.startswith(f'feedsway-{link.port}=""; ')
    assert "Max-Age=0" in told


def test_it_listens_on_loopback_only(link: httpx.URL) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("only Linux tells who listens")
    port = f":{link.port:04X}"
    found = [line.split()[1] for line in listening.read_text().splitlines() if port in line]
    assert f"0100007F{port}" in found
    assert not any(place.startswith("00000000") for place in found)


def test_the_address_is_its_owners_and_outlives_a_restart(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    first = address.write_address(data.daemon_dir, "http://127.0.0.1:1")
    again = address.write_address(data.daemon_dir, "http://127.0.0.1:2")
    assert again.token == first.token
    assert len(first.token) >= 32
    assert address.read_address(data.daemon_dir) == again
    path = data.daemon_dir / address.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text('{"url": "http')
    assert address.write_address(data.daemon_dir, "http://127.0.0.1:3").token != first.token


def test_a_taken_port_is_told(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        from agent.daemon.web.loopback_server import listen

        with pytest.raises(BadConfig, match=r"\[page\] port = 0"):
            listen(taken.getsockname()[1], "Type: [page] port = 0")


def test_frames_are_served_by_hash_and_nothing_else(world: World, owner: httpx.Client) -> None:
    picture = jpeg("red")
    status = owner.get("/api/status").json()
    sha256 = status["running"][0]["last"]["frame"]
    answer = owner.get(f"/frames/{sha256}.jpg")
    assert (answer.content, answer.headers["content-type"]) == (picture, "image/jpeg")
    secret = world.data.frames_dir / "ab" / "secret.jpg"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("no")
    for name in ("0" * 64, "..", "%2e%2e%2fab%2fsecret", "../../daemon/address", sha256[:63]):
        assert owner.get(f"/frames/{name}.jpg").status_code == 404


def test_metrics_by_bearer(link: httpx.URL, anyone: httpx.Client) -> None:
    assert anyone.get("/metrics").status_code == 403
    token = token_of(link)
    answer = anyone.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert "feedsway_up 1.0" in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert anyone.get("/metrics", headers={"Authorization": "Bearer no"}).status_code == 403


def test_what_cannot_be_asked_is_told_in_words(owner: httpx.Client) -> None:
    answer = owner.post("/api/run-now", json={"entry": "dawm"})
    assert (answer.status_code, answer.json()["error"][:38]) == (
        409,
        "There is no entry 'dawm'. Nearest: daw",
    )
    assert owner.post("/api/pause", content="no json").status_code == 400
    assert owner.post("/api/pause", json={"shell": "rm"}).status_code == 400
    blanks = b" " * 100_000  # as JSON it would be a request
    assert owner.post("/api/pause", content=b'{"entry": null}' + blanks).status_code == 400
    assert owner.get("/api/status").json()["paused"] is False
    assert owner.post("/api/run-now", json={}).status_code == 409


def test_news_come_when_something_changed(world: World, owner: httpx.Client) -> None:
    told: list[dict[str, object]] = []
    paused = threading.Event()

    def listen() -> None:
        with owner.stream("GET", "/api/news", timeout=30) as news:
            for line in news.iter_lines():
                if line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: ")))
                    paused.set()
                    if len(told) > 1 and told[-1]["paused"]:
                        return

    listener = threading.Thread(target=listen)
    listener.start()
    assert paused.wait(30)
    owner.post("/api/pause", json={"entry": None})
    listener.join(30)
    assert [told[0]["paused"], told[-1]["paused"]] == [False, True]
    owner.post("/api/resume", json={"entry": None})


def test_a_listener_does_not_hold_the_end_up(tmp_path: Path) -> None:
    world = World(DataFolder(tmp_path / "data"), datetime.now(UTC))
    with httpx.Client(verify=False, timeout=30) as client:
        with served(world) as found:
            link = httpx.URL(found)
            news = link.copy_with(path="/api/news", fragment=None)
            bearer = {"Authorization": f"Bearer {token_of(link)}"}
            request = client.build_request("GET", news, headers=bearer)
            lines = client.send(request, stream=True).iter_lines()
            assert next(lines).startswith("data: ")
        # it was ended in order: a connection that is cut off raises
        assert all(line == "" or line.startswith("data: ") for line in lines)
    world.close()


def test_nothing_that_is_served_holds_a_secret(
    world: World, link: httpx.URL, owner: httpx.Client
) -> None:
    world.trouble(
        "http://user:canary-password@proxy:8080 sk-canary0123456789canary "
        f"token={token_of(link)} {' '.join(CANARIES.values())}"
    )
    told = [owner.get(path) for path in ("/", "/api/status", "/metrics", "/page.js")]
    told.append(owner.post("/api/looked", json={"platform": "tiktok", "account": "x"}))
    texts = [answer.text + str(answer.headers) for answer in told]
    assert "PageStuck" in texts[1]
    for text in texts:
        assert "canary" not in text
        assert token_of(link) not in text
    logs = [path for path in world.data.daemon_dir.rglob("*.log") if "canary" in path.read_text()]
    assert logs == []

"""Written reports in the explorer: their own policy, their tables, and nothing beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from tests.agent.explorer.served_explorer import client_of, served_explorer, wait_until
from tests.store.samples import keep_run

SECRET = b"only the owner may read this"
PAGE = b"""<!doctype html><meta charset="utf-8"><title>It</title><h1 id="top">The report</h1>
<script>document.title = "hit"</script><img src="x" onerror="document.title = 'hit'">"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    top = tmp_path_factory.mktemp("reports")
    folder = DataFolder(top / "data")
    keep_run(folder, "r1", ["red", "blue"], config={"study": "s"})
    write_whole(folder.study_dir("s") / "study.toml", b"name = 's'")
    for home in (folder.run_dir("r1"), folder.study_dir("s")):
        write_whole(home / "report" / "index.html", PAGE)
        write_whole(home / "report" / "tables" / "runs.csv", b"run\nr1\n")
        write_whole(home / "report" / "tables" / "notes.txt", SECRET)
        write_whole(home / "secret.csv", SECRET)
    write_whole(top / "secret.csv", SECRET)
    link = folder.run_dir("r1") / "report" / "tables" / "linked.csv"
    link.symlink_to(top / "secret.csv")
    return folder


@pytest.fixture(scope="module")
def owner(data: DataFolder) -> Iterator[httpx.Client]:
    with served_explorer(data) as link, client_of(link) as client:
        wait_until(client, "ready")
        yield client


@pytest.fixture(scope="module")
def key(owner: httpx.Client) -> str:
    return str(owner.get("/api/state").json()["key"])


def stranger(owner: httpx.Client, path: str) -> httpx.Response:
    return httpx.get(f"{owner.base_url}/{path}", timeout=10)


@pytest.mark.parametrize("place", ["run/r1", "study/s"])
def test_a_report_opens_with_the_key_in_a_sandbox_of_its_own(
    owner: httpx.Client, key: str, place: str
) -> None:
    path = f"pictures/report/{place}/index.html"
    found = stranger(owner, f"{path}?key={key}")
    assert found.status_code == 200
    assert found.content == PAGE
    policy = found.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.split("; ")[-1] == "sandbox"
    assert "script-src" not in policy
    for refused in (path, f"{path}?key=x", f"{path}?key="):
        assert stranger(owner, refused).status_code == 403
    page = owner.get(f"/page/{place}").text
    assert f"/pictures/report/{place}/index.html?key={key}" in page
    assert f"/pictures/report/{place}/tables/runs.csv?key={key}" in page
    for hidden in ("notes.txt", "linked.csv", "secret.csv"):
        assert hidden not in page


def test_tables_are_downloads(owner: httpx.Client, key: str) -> None:
    found = stranger(owner, f"pictures/report/study/s/tables/runs.csv?key={key}")
    assert found.text == "run\nr1\n"
    assert found.headers["content-disposition"] == 'attachment; filename="s-runs.csv"'


@pytest.mark.parametrize(
    "path",
    [
        "run/r1/../secret.csv",
        "run/r1/%2e%2e/secret.csv",
        "run/r1/%2e%2e%2fsecret.csv",
        "run/r1/tables/../../secret.csv",
        "run/r1/tables/%2e%2e/%2e%2e/secret.csv",
        "run/r1/tables/%2e%2e%2f%2e%2e%2fledger.jsonl",
        "run/r1/tables/linked.csv",
        "run/r1/tables/notes.txt",
        "run/r1//etc/passwd",
        "run/r1/tables/..%5c..%5csecret.csv",
        "run/r1/tables/runs.csv%00.csv",
        "run/..%2f..%2fdata%2fruns%2fr1/index.html",
        "run/%2e%2e/index.html",
        "study/../index.html",
        "study/none/index.html",
        "other/r1/tables/none.csv",
    ],
)
def test_nothing_else_of_the_folder_can_be_had(owner: httpx.Client, key: str, path: str) -> None:
    request = owner.build_request("GET", "/pictures/report/")
    raw = f"/pictures/report/{path}?key={key}".encode()  # as it is, which a client would tidy up
    request.extensions["target"] = raw
    found = owner.send(request)
    assert found.status_code == 404
    assert SECRET not in found.content


def test_a_report_that_is_a_link_to_elsewhere_is_none(
    owner: httpx.Client, key: str, data: DataFolder, tmp_path: Path
) -> None:
    write_whole(tmp_path / "else" / "index.html", SECRET)
    keep_run(data, "linked", ["red"])
    (data.run_dir("linked") / "report").symlink_to(tmp_path / "else")
    found = owner.get(f"/pictures/report/run/linked/index.html?key={key}")
    assert found.status_code == 404

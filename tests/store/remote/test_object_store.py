"""One contract, each kind of store: names created once, listings, errors without secrets."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from store.errors import DataUrlRefused
from store.remote import object_store
from store.remote.object_store import RemoteStore, check_url

ODD = ["a%b#c?.json", "ü ñ/日本.jsonl/000001-000000000000", "x:y|z.json", "a/~b.json", "%41.json"]


def test_what_is_put_is_there(url: str) -> None:
    store = RemoteStore(url)
    store.put("a/b.json", b"1")
    store.put("a/b.json", b"22")
    store.put("a/c/d.json", b"3")
    store.put("ab", b"4")
    assert store.get("a/b.json") == b"22"
    assert store.get("a/none") is None
    assert store.look("a/none") is None
    assert {each.name: each.size for each in store.find("a")} == {"a/b.json": 2, "a/c/d.json": 1}
    assert store.folders() == ["a"]
    assert [each.name for each in store.top_objects()] == ["ab"]
    store.delete(["a/b.json", "a/none"])
    assert [each.name for each in store.find("a")] == ["a/c/d.json"]


@pytest.mark.parametrize("name", ODD)
def test_any_name_comes_back(url: str, name: str) -> None:
    store = RemoteStore(url)
    store.put(f"runs/{name}", b"x")
    assert store.get(f"runs/{name}") == b"x"
    assert [each.name for each in store.find("runs")] == [f"runs/{name}"]


def test_a_name_is_created_by_one_of_many(url: str) -> None:
    store = RemoteStore(url)
    won: list[int] = []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        if store.create("leases/one", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(won) == 1
    assert store.get("leases/one") == b"%d" % won[0]
    assert store.create("leases/one", b"%d" % won[0])  # its answer was lost, say


def test_a_store_without_exclusive_names_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RemoteStore(url)
    store.prove_exclusive("leases/.trial")
    assert list(store.find("leases")) == []

    def overwrite(name: str, content: bytes) -> bool:
        store.put(name, content)
        return True

    monkeypatch.setattr(store, "create", overwrite)
    with pytest.raises(DataUrlRefused, match="two machines write one name"):
        store.prove_exclusive("leases/.trial")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://host/x", "is no URL of a store"),
        ("s3://", "is no URL of a store"),
        ("s3://key:hush@bucket/x", "was given credentials"),
        ("az://box/x?sig=hush", "was given credentials"),
        ("s3://key:hu/hush@bucket/x", "was given credentials"),
        ("s3://[hush", "is no URL of a store"),
        ("S3://bucket/x", "is no URL of a store"),
        ("file://relative/x", "is no folder here"),
        ("file:///tmp/a%20b", "is no folder here"),
    ],
)
def test_urls_that_are_refused(url: str, problem: str) -> None:
    with pytest.raises(DataUrlRefused, match=problem) as refused:
        check_url(url)
    assert "hush" not in str(refused.value)
    assert "Type: --data" in str(refused.value)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_shared_folder(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataUrlRefused, match="cannot be used"):
        RemoteStore(f"file://{tmp_path}/{place}")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setattr(object_store, "RETRY_S", 0.5)
    with pytest.raises(DataUrlRefused, match="cannot be used") as refused:
        RemoteStore("s3://bucket/x").prove_exclusive("leases/.trial")
    assert "\n" not in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_bucket_that_is_not_there(s3: str) -> None:
    with pytest.raises(DataUrlRefused, match="NoSuchBucket"):
        RemoteStore("s3://nosuchbucket/x").prove_exclusive("leases/.trial")


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['obstore'] = None; sys.modules['obstore.store'] = None;"
        "sys.modules['obstore.exceptions'] = None;"
        "from store.cli.main import main; main(['runs', '--data', 's3://bucket/x'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'feedsway[remote]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_here_loads_nothing_of_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from store.cli.main import main\n"
        f"main(['runs', '--data', {str(tmp_path)!r}], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith(('obstore', 'store.remote'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
